"""Pupils where they live: by council, small area, need, phase and year.

Two sets of totals are kept apart. ``published`` is what the release prints, England's row included; a figure that it
does not give is None. ``completed`` has the plans without a recorded placement shared out (see council_tables), is
used for planning and is derived; its England is the sum of the councils.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.assumptions import Assumptions, default_assumptions
from sufficiency.build import ap_stream
from sufficiency.build.council_tables import JANUARIES, NEEDS, tables
from sufficiency.build.demand_ahead import DemandAhead
from sufficiency.build.fitting import Figures
from sufficiency.build.small_area_split import area_shares
from sufficiency.sources import ehc_plans
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.ehc_plans import CATEGORIES, ENGLAND, NOT_RECORDED, PLACED
from sufficiency.terms import PHASES, academic_year, start_of

PHASE_OF_GROUP = ("EY", "PRI", "SEC", "P16", "P19", "P19")
"""Phase of each age group of ``council_tables``."""
GROUPS = ("placed", "mainstream", "further_education", "elsewhere")
"""What the Pupils table tells apart; ``placed`` is the sum of the five placed categories."""
TOTALS = {
    "ehc_plans": "ehc_plans",
    "special_state": "state_special",
    "special_independent": "independent_special",
    "special_non_maintained": "non_maintained",
    "not_recorded": NOT_RECORDED,
}
"""Key of the totals -> column of the caseload."""


def published_totals(data: Path, january: int) -> dict[str, dict[str, float | None]]:
    """Plans of a January as printed, by council code and England.

    Keys: ehc_plans, special_state, special_independent, special_non_maintained, not_recorded. None = not available:
    x in the release, or the council did not exist then (a council that has ended stands under its old code).
    """
    table = ehc_plans.caseload(data)
    table = table[table["january"] == january].set_index("council_code")
    needs = ehc_plans.needs_by_category(data)
    needs = needs[(needs["january"] == january) & (needs["category"] == NOT_RECORDED)]
    table[NOT_RECORDED] = table[NOT_RECORDED].fillna(needs.groupby("council_code")["pupils"].sum())
    table = table.reindex(sorted({*table.index, *all_councils(data)["council_code"]}))
    return {
        str(code): {key: None if pd.isna(row[column]) else float(row[column]) for key, column in TOTALS.items()}
        for code, row in table.iterrows()
    }


def completed_totals(data: Path, january: int) -> dict[str, dict[str, float]]:
    """As ``published_totals`` for the 153 councils of today, not-recorded plans shared out; England is their sum. Derived."""
    table = pd.DataFrame(
        tables(data)[_completed(january)].sum(axis=(1, 2)), index=all_councils(data)["council_code"], columns=list(CATEGORIES)
    )
    table.loc[ENGLAND] = table.sum()
    table = table.assign(ehc_plans=table.sum(axis=1), not_recorded=0.0)
    return {str(code): {key: float(row[column]) for key, column in TOTALS.items()} for code, row in table.iterrows()}


def council_placements(data: Path, january: int, assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Pupils of the 153 councils: council_code, stream, need, phase, category, pupils, status.

    Stream ehcp: completed plans of a January from 2022 to 2025, summing to ``completed_totals``. Stream ap (need AP):
    pupils in AP without a plan, categories ap and unlocated_ap; after January 2023 the last count is carried on.
    ``assumptions`` (None = the defaults) matter for the ap stream only. Raises ValueError for another January.
    """
    codes = list(all_councils(data)["council_code"])
    by_january = tables(data)
    plans = _rows(_by_phase(by_january[_completed(january)]), council_code=codes, need=NEEDS, phase=list(PHASES), category=CATEGORIES)
    ap = _rows(
        _ap_pupils(data, january, by_january, assumptions or default_assumptions()),
        council_code=codes,
        phase=ap_stream.PHASES,
        category=ap_stream.CATEGORIES,
    )
    plans = plans.assign(stream="ehcp", status="derived")
    ap = ap.assign(stream="ap", need="AP", status=_ap_status(january))
    both = pd.concat([plans, ap], ignore_index=True)[["council_code", "stream", "need", "phase", "category", "pupils", "status"]]
    return both[both["pupils"] > 0].reset_index(drop=True)


def pupils_table(
    data: Path,
    base_january: int,
    academic_years: Sequence[str],
    level: str,
    councils: Collection[str] | None,
    assumptions: Assumptions,
    ahead: DemandAhead | None,
) -> pd.DataFrame:
    """Pupils by area, stream, need, phase, year and scenario in the Pupils schema.

    The base year (whose January is ``base_january``) and every planning year: completed to January 2025 (derived), after it
    ``ahead`` (forecast). Scenario central has every year; low and high only those after the last observed January.
    ``councils`` are ONS codes (None = England). Rows without any pupil are left out.
    Raises ValueError when a year is neither completed nor in ``ahead``.
    """
    januaries = [_completed(base_january), *(start_of(year) + 1 for year in academic_years)]
    codes = list(all_councils(data)["council_code"])
    by_january = tables(data)
    groups = {january: _by_group(_by_phase(table)) for january, table in by_january.items()}
    if ahead is not None:
        groups |= {january: _by_group(cells) for january, cells in ahead.cells.items()}
    missing = sorted(set(januaries) - set(groups))
    if missing:
        raise ValueError(f"no demand for January {', '.join(map(str, missing))}")
    shares = area_shares(data, level, assumptions, councils).pivot(index=["council_code", "area_id"], columns="phase", values="share")
    places = [codes.index(code) for code in shares.index.get_level_values("council_code")]
    areas = list(shares.index.get_level_values("area_id"))
    share = shares[list(PHASES)].to_numpy(float)[:, None, :, None]
    parts = []
    for january in januaries:
        observed = "derived" if january <= JANUARIES[-1] else "forecast"
        plans = _pupil_rows(groups[january][places] * share, areas, NEEDS, "ehcp", january, observed)
        ap = _ap_as_placed(_ap_pupils(data, january, by_january, assumptions))
        without = _pupil_rows(ap[places] * share, areas, ("AP",), "ap", january, _ap_status(january))
        parts += [plans, without]
        if ahead is not None and january in ahead.cells:
            owners = plans["area_id"].map(dict(zip(areas, places, strict=True))).to_numpy(dtype=np.int64)
            for scenario, factors in ahead.factors.items():
                parts += [_scaled(plans, factors[january][owners]).assign(scenario=scenario), without.assign(scenario=scenario)]
    return pd.concat(parts, ignore_index=True)


def _scaled(rows: pd.DataFrame, factor: Figures) -> pd.DataFrame:
    """Rows of the Pupils table with their pupils times a factor by row."""
    scaled = rows.copy()
    for group in GROUPS:
        scaled[f"pupils_{group}"] = rows[f"pupils_{group}"].to_numpy(dtype=float) * factor
    return scaled


def _completed(january: int) -> int:
    if january not in JANUARIES:
        raise ValueError(f"the plans of January {january} can't be completed; those of {', '.join(map(str, JANUARIES))} can")
    return january


def _by_phase(table: Figures) -> Figures:
    """[council, need, age group, category] -> [council, need, phase, category]."""
    return np.stack([table[:, :, [group == phase for group in PHASE_OF_GROUP]].sum(axis=2) for phase in PHASES], axis=2)


def _by_group(table: Figures) -> Figures:
    """Last axis: category -> ``GROUPS``."""
    return np.concatenate([table[..., : len(PLACED)].sum(axis=-1, keepdims=True), table[..., len(PLACED) :]], axis=-1)


def _ap_pupils(data: Path, january: int, by_january: Mapping[int, Figures], assumptions: Assumptions) -> Figures:
    """[council, phase, category] of the ap stream."""
    plans = by_january[min(january, ap_stream.LAST_COUNTED)].sum(axis=(1, 2))
    return ap_stream.pupils_without_plan(data, january, plans.sum(axis=1), plans[:, CATEGORIES.index("ap")], assumptions)


def _ap_as_placed(ap: Figures) -> Figures:
    """[council, AP phase, category] -> [council, need AP, phase, group]: all of them placed."""
    placed = np.zeros((len(ap), 1, len(PHASES), len(GROUPS)))
    placed[:, 0, [list(PHASES).index(phase) for phase in ap_stream.PHASES], 0] = ap.sum(axis=2)
    return placed


def _ap_status(january: int) -> str:
    return "estimated" if january <= ap_stream.LAST_COUNTED else "forecast"


def _rows(figures: Figures, **axes: Sequence[str]) -> pd.DataFrame:
    """An array as rows: one column per axis, and ``pupils``."""
    index = pd.MultiIndex.from_product([list(axis) for axis in axes.values()], names=list(axes))
    return pd.Series(figures.ravel(), index=index, name="pupils").reset_index()


def _pupil_rows(figures: Figures, areas: Sequence[str], needs: Sequence[str], stream: str, january: int, status: str) -> pd.DataFrame:
    """[area, need, phase, group] as rows of the Pupils table, without the rows that hold no pupil."""
    area, need, phase = np.nonzero(figures.any(axis=3))
    cells = figures[area, need, phase]

    def text(names: Sequence[str], places: np.ndarray) -> pd.Series:
        return pd.Series(names, dtype="str").take(places).reset_index(drop=True)

    rows = {"area_id": text(areas, area), "need": text(needs, need), "phase": text(list(PHASES), phase)}
    constant = {"stream": stream, "academic_year": academic_year(january - 1), "scenario": "central", "status": status}
    pupils = {f"pupils_{group}": cells[:, place] for place, group in enumerate(GROUPS)}
    table = pd.DataFrame({**rows, **constant, **pupils})
    names = ["area_id", "stream", "need", "phase", "academic_year", "scenario", *pupils, "status"]
    return table[names]
