"""A council's own rates and placements, from its person-level returns of two or more years.

Totals show only net moves; the same pupils seen in two Januaries show who joined, left and moved. What comes out are
counts: by age, need, placement, small area and setting. They belong into a case marked ``protected``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sufficiency.demand.rates import AGES, GROUP_OF_AGE, Rates
from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.sources.sen2_history import NEEDS
from sufficiency.sources.sen2_return import Sen2Return
from sufficiency.terms import GROUP_OF_NEED, PHASES

Figures = npt.NDArray[np.float64]

WITHIN: Final = {"DS": "SLD"}
"""Needs of the return that the published needs by council do not show apart -> need that holds them."""
OWN_PUPILS: Final = 50.0
"""Pupils of the published rates that a council's own counts of an age group are mixed with."""
LEAST_SHOWN: Final = 5
"""Counts of 1 to 4 are not shown in an output."""


@dataclass(frozen=True)
class OwnCounts:
    """Pupils followed from one January to the next, summed over the pairs of returns."""

    years: int
    stayed: pd.DataFrame
    """age (in the later January), before, after, pupils."""
    left: pd.DataFrame
    """age (they would have had), pupils; moves to another council included."""
    joined: pd.DataFrame
    """age, need, category, pupils: new plans and moves from another council."""


def own_counts(returns: Sequence[Sen2Return]) -> OwnCounts:
    """Counts from returns of Januaries in a row. Raises ValueError for fewer than two, gaps or different councils."""
    ordered = sorted(returns, key=lambda each: each.january)
    januaries = [each.january for each in ordered]
    if len(ordered) < 2 or januaries != list(range(januaries[0], januaries[0] + len(ordered))):
        raise ValueError("own rates need returns of two or more Januaries in a row")
    if len({each.council_dfe for each in ordered}) > 1:
        raise ValueError("the returns are of different councils")
    stayed, left, joined = [], [], []
    for before, after in pairwise(ordered):
        pairs = before.pupils.merge(after.pupils, on="pupil", how="outer", suffixes=("_before", "_after"), indicator=True)
        both = pairs[pairs["_merge"] == "both"]
        stayed.append(both[["age_after", "category_before", "category_after"]].set_axis(["age", "before", "after"], axis=1))
        left.append(pd.DataFrame({"age": pairs.loc[pairs["_merge"] == "left_only", "age_before"] + 1}))
        entered = pairs[pairs["_merge"] == "right_only"]
        joined.append(
            entered[["age_after", "need_after", "category_after"]].set_axis(["age", "need", "category"], axis=1).replace({"need": WITHIN})
        )

    def counted(parts: list[pd.DataFrame]) -> pd.DataFrame:
        table = pd.concat(parts, ignore_index=True).astype({"age": int})
        return table.groupby(list(table.columns)).size().rename("pupils").reset_index()

    return OwnCounts(len(ordered) - 1, counted(stayed), counted(left), counted(joined))


def with_own_rates(rates: Rates, council: str, counts: OwnCounts) -> Rates:
    """Rates in which one council has its own leaving, entries and moves, pooled with the published ones by age group."""
    place = rates.councils.index(council)
    flows = _array(counts.stayed, ["age", "before", "after"], (CATEGORIES, CATEGORIES))
    gone = _array(counts.left, ["age"], ())
    joined = _array(counts.joined, ["age", "need", "category"], (NEEDS, CATEGORIES)) / counts.years
    leaving, entries = rates.leaving.copy(), rates.entries.copy()
    published = rates.moves[rates.region[place]]
    own = published.copy()
    for group in range(int(GROUP_OF_AGE.max()) + 1):
        ages = np.flatnonzero(group == GROUP_OF_AGE)
        stay, lost = flows[ages].sum(), gone[ages].sum()
        expected = float(
            (leaving[place, ages] * rates.stock[place][ages].sum(axis=(1, 2))).sum() / max(rates.stock[place][ages].sum(), 1e-9)
        )
        if expected > 0:
            rate = (lost + OWN_PUPILS * expected) / (stay + lost + OWN_PUPILS)
            leaving[place, ages] = np.clip(leaving[place, ages] * rate / expected, 0.0, 1.0)
        share = joined[ages].sum() / (joined[ages].sum() + OWN_PUPILS)
        entries[place, ages] = share * joined[ages] + (1 - share) * entries[place, ages]
    for at in range(len(AGES)):
        out = flows[at].sum(axis=1)
        weight = (out / (out + OWN_PUPILS))[None, :, None]
        shares = np.divide(flows[at], out[:, None], out=np.zeros_like(flows[at]), where=out[:, None] > 0)
        own[at] = weight * shares[None] + (1 - weight) * published[at]
    region = rates.region.copy()
    region[place] = len(rates.moves)
    note = f"{council}: leaving, entries and moves from the council's own returns ({counts.years} pairs of Januaries), pooled by age group"
    return replace(
        rates, leaving=leaving, entries=entries, moves=np.concatenate([rates.moves, own[None]]), region=region, notes=(*rates.notes, note)
    )


def placements_by_area(current: Sen2Return) -> pd.DataFrame:
    """Current placements: area_id, setting_id, category, need_group, phase, pupils (protected: small counts)."""
    table = current.pupils.assign(
        need_group=current.pupils["need"].map(GROUP_OF_NEED).fillna(""),
        phase=current.pupils["age"].map(lambda age: next(phase for phase, (low, high) in PHASES.items() if low <= age <= high)),
    )
    keys = ["area_id", "setting_id", "category", "need_group", "phase"]
    return table.groupby(keys).size().rename("pupils").reset_index()


def moves_to_show(counts: OwnCounts) -> pd.DataFrame:
    """Moves by phase for an output: phase, before, after, pupils; counts of 1 to 4 are ``c``."""
    table = counts.stayed.assign(
        phase=counts.stayed["age"].map(lambda age: next(phase for phase, (low, high) in PHASES.items() if low <= age <= high))
    )
    sums = table.groupby(["phase", "before", "after"])["pupils"].sum().reset_index()
    return sums.assign(pupils=[str(pupils) if pupils >= LEAST_SHOWN else "c" for pupils in sums["pupils"]])


def placements_to_show(current: Sen2Return) -> pd.DataFrame:
    """Current placements by setting for an output: setting_id, category, pupils; counts of 1 to 4 are ``c``."""
    sums = current.pupils.groupby(["setting_id", "category"]).size().rename("pupils").reset_index()
    return sums.assign(pupils=[str(pupils) if pupils >= LEAST_SHOWN else "c" for pupils in sums["pupils"]])


def setting_kinds(register: pd.DataFrame) -> dict[str, str]:
    """URN -> category of placement, from the register of schools (``sources.gias.register``: urn, kind)."""
    return dict(zip(register["urn"].astype(str), register["kind"], strict=True))


def _array(table: pd.DataFrame, keys: list[str], axes: tuple[tuple[str, ...], ...]) -> Figures:
    """Pupils as an array [age, ...]; under 2 counts as 2; codes outside the axes (not recorded) are left out."""
    table = table.assign(age=table["age"].clip(lower=AGES[0], upper=AGES[-1]))
    index = pd.MultiIndex.from_product([AGES, *axes], names=keys) if axes else pd.Index(AGES, name="age")
    sums = table.groupby(keys)["pupils"].sum()
    return np.asarray(sums.reindex(index, fill_value=0).to_numpy(float).reshape(len(AGES), *map(len, axes)))
