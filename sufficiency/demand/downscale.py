"""From councils to small areas where the council has postcodes: empirical Bayes, controlled rounding, validation.

Where there are no postcodes the split is that of ``build.small_area_split``: population of the phase's ages times the
relative risk of the deprivation decile. Here a council's own counts by area pull that split as far as they carry
information; its total is kept. Below the council no plans are published, so the split within a council can't be
validated on public data: ``between_councils`` checks the same weights one level up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from sufficiency.assumptions import Assumptions
from sufficiency.build.council_tables import WITH_NEEDS, tables
from sufficiency.build.small_area_split import POPULATION_OF_PHASE
from sufficiency.demand.pooling import pooled_factors
from sufficiency.sources import small_areas
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.terms import PHASES

Figures = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

WHOLE: Final = 1e-9


def empirical_bayes_shares(shares: pd.DataFrame, own: pd.DataFrame, regions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Area shares pulled by a council's own counts: area_id, council_code, phase, share (sums to 1 by council and phase).

    ``shares``: area_id, council_code, phase, share (``build.small_area_split.area_shares``). ``own``: area_id, phase,
    pupils, from the council's postcodes; areas without a row count as none. ``regions``: area_id and the larger area
    (MSOA, ward) to borrow from first; None = the council. Pupils whose area is unknown don't move shares.
    Raises KeyError when ``own`` names an area outside ``shares``.
    """
    unknown = sorted(set(own["area_id"]) - set(shares["area_id"]) - {""})
    if unknown:
        raise KeyError(f"areas that the split does not hold: {', '.join(unknown[:5])}")
    counts = own[own["area_id"] != ""].groupby(["area_id", "phase"])["pupils"].sum()
    larger = None if regions is None else regions.set_index("area_id").iloc[:, 0]
    parts = []
    for (council, phase), rows in shares.groupby(["council_code", "phase"], sort=False):
        pupils = counts.reindex(pd.MultiIndex.from_product([rows["area_id"], [phase]]), fill_value=0.0).to_numpy(float)
        expected = rows["share"].to_numpy(float) * pupils.sum()
        groups = [str(council)] * len(rows) if larger is None else list(larger.loc[rows["area_id"]].astype(str))
        factor = pooled_factors(pupils, expected, groups) if pupils.sum() > 0 else np.ones(len(rows))
        weight = rows["share"].to_numpy(float) * factor
        parts.append(rows.assign(share=weight / weight.sum()))
    return pd.concat(parts, ignore_index=True)[["area_id", "council_code", "phase", "share"]]


def controlled_rounding(table: Figures, seed: int = 1) -> Whole:
    """Whole pupils [row, column]: every cell, row and column total and the sum is rounded up or down, never further.

    A small whole-number programme on the fractions; which of the possible roundings is taken is drawn with
    the seed, favouring larger fractions. The whole figures are for programs that need them; they are not for publishing.
    """
    down = np.floor(table + WHOLE)
    fraction = np.clip(table - down, 0.0, 1.0)
    fraction[fraction < WHOLE] = 0.0
    rows, columns = table.shape
    row, column = np.nonzero(fraction)
    cells = np.arange(len(row))
    lines = csr_array(
        (np.ones(3 * len(row)), (np.concatenate([row, rows + column, np.full(len(row), rows + columns)]), np.tile(cells, 3))),
        shape=(rows + columns + 1, len(row)),
    )
    totals = np.concatenate([fraction.sum(axis=1), fraction.sum(axis=0), [fraction.sum()]])
    above, below = np.ceil(totals - WHOLE), np.floor(totals + WHOLE)
    cost = -fraction[row, column] - np.random.default_rng(seed).random(len(row))
    limits = LinearConstraint(lines, below, above)
    found = milp(cost, constraints=limits, bounds=Bounds(0, 1), integrality=np.ones(len(row), dtype=np.int64))
    if found.status != 0:
        raise ArithmeticError(f"no controlled rounding found: {found.message}")
    result = down.astype(np.int64)
    result[row, column] += np.rint(found.x).astype(np.int64)
    return result


def between_councils(data: Path, assumptions: Assumptions) -> pd.DataFrame:
    """How well the weights of the split foretell councils' own plans, January 2025: weights, phase, wape, within_poisson_90.

    Each council's plans are foretold as England's rate times its residents, with and without the deprivation gradient.
    It tests the weights between councils only; within a council nothing is published to test them on.
    """
    codes = list(all_councils(data)["council_code"])
    completed = tables(data)[WITH_NEEDS].sum(axis=1)
    lsoas = small_areas.lsoas(data)
    risk = np.asarray(assumptions.numbers("deprivation.relative_risk"))[lsoas["imd_decile"].to_numpy(int) - 1]
    groups = {"EY": (0,), "PRI": (1,), "SEC": (2,), "P16": (3,), "P19": (4, 5)}
    rows = []
    for phase in PHASES:
        actual = completed[:, list(groups[phase])].sum(axis=(1, 2))
        for name, weight in (("population", np.ones(len(lsoas))), ("population and deprivation", risk)):
            people = (lsoas[POPULATION_OF_PHASE[phase]] * weight).groupby(lsoas["council_code"]).sum().reindex(codes).to_numpy(float)
            foretold = people * actual.sum() / people.sum()
            inside = np.abs(actual - foretold) <= 1.645 * np.sqrt(foretold)
            rows.append(
                {
                    "weights": name,
                    "phase": phase,
                    "wape": 100 * float(np.abs(actual - foretold).sum() / actual.sum()),
                    "within_poisson_90": 100 * float(inside.mean()),
                }
            )
    return pd.DataFrame(rows)
