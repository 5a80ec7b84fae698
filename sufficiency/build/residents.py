"""Pupils where they live: by council, small area, need, phase and year.

Two sets of totals are kept apart. ``published`` is what the release prints, England's row included; a figure that it
does not give is None. ``completed`` has the plans without a recorded placement shared out (see council_tables), is
used for planning and is derived; its England is the sum of the councils.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.assumptions import Assumptions, default_assumptions
from sufficiency.build import ap_stream, council_tables
from sufficiency.build.carry_forward import carry_forward
from sufficiency.build.council_tables import JANUARIES, NEEDS
from sufficiency.build.fitting import Figures
from sufficiency.build.small_area_split import area_shares
from sufficiency.sources import ehc_plans
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.ehc_plans import CATEGORIES, ENGLAND, NOT_RECORDED, PLACED
from sufficiency.terms import PHASES, academic_year, start_of

PHASE_OF_GROUP = ("EY", "PRI", "SEC", "P16", "P19", "P19")
GROUPS = ("placed", "mainstream", "further_education", "elsewhere")
"""What the Pupils table tells apart; ``placed`` is the sum of the five placed categories."""
Totals = dict[str, dict[str, float | None]]


def published_totals(data: Path, january: int) -> Totals:
    """Plans of a January as printed, by council code and England: ehc_plans, special_state, special_independent,
    special_non_maintained, not_recorded. None = not available (x in the release, or the council did not exist then).
    """
    table = ehc_plans.caseload(data)
    table = table[table["january"] == january].set_index("council_code")
    needs = ehc_plans.needs_by_category(data)
    needs = needs[(needs["january"] == january) & (needs["category"] == NOT_RECORDED)]
    printed_elsewhere = needs.groupby("council_code")["pupils"].sum()
    table[NOT_RECORDED] = table[NOT_RECORDED].fillna(printed_elsewhere)
    codes = [*all_councils(data)["council_code"], *table.index.difference(all_councils(data)["council_code"])]
    return _totals(table.reindex(codes))


def completed_totals(data: Path, january: int) -> Totals:
    """As ``published_totals``, with the not-recorded plans shared out, for all 153 councils; England is their sum. Derived."""
    table = council_tables.completed(data, january).sum(axis=(1, 2))
    frame = pd.DataFrame(table, index=list(all_councils(data)["council_code"]), columns=list(CATEGORIES))
    frame.loc[ENGLAND] = frame.sum()
    return _totals(frame.assign(ehc_plans=frame.sum(axis=1), not_recorded=0.0))


def council_placements(data: Path, january: int, assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Pupils of the 153 councils by need, phase and category: council_code, stream, need, phase, category, pupils, status.

    Stream ehcp: completed plans of one of ``JANUARIES``, summing to ``completed_totals``. Stream ap (need AP): pupils in
    AP without a plan, categories ap and unlocated_ap; after January 2023 the last count is carried (forecast).
    """
    codes = list(all_councils(data)["council_code"])
    tables = council_tables.tables(data, min(january, ap_stream.LAST_COUNTED))
    plans = _frame(_by_phase(tables[january]), council_code=codes, need=NEEDS, phase=list(PHASES), category=CATEGORIES)
    ap = _frame(
        _ap_pupils(data, january, tables, assumptions or default_assumptions()),
        council_code=codes,
        phase=ap_stream.PHASES,
        category=ap_stream.CATEGORIES,
    )
    plans = plans.assign(stream="ehcp", status="derived")
    ap = ap.assign(stream="ap", need="AP", status=_ap_status(january))
    return pd.concat([plans, ap], ignore_index=True)[["council_code", "stream", "need", "phase", "category", "pupils", "status"]]


def pupils_table(
    data: Path,
    base_january: int,
    academic_years: Sequence[str],
    level: str,
    councils: Collection[str] | None,
    assumptions: Assumptions,
) -> pd.DataFrame:
    """Pupils by area, stream, need, phase and year in the Pupils schema, scenario central.

    The base year (whose January is ``base_january``) and every planning year: observed to January 2025 (completed,
    derived), forecast after. ``councils`` are ONS codes (None = England). Rows without any pupil are left out.
    """
    januaries = [base_january, *(start_of(year) + 1 for year in academic_years)]
    codes = list(all_councils(data)["council_code"])
    tables = council_tables.tables(data, min(base_january, ap_stream.LAST_COUNTED))
    by_year = _groups_by_january(tables, codes, [january for january in januaries if january > JANUARIES[-1]])
    shares = area_shares(data, level, assumptions, councils).pivot(index=["council_code", "area_id"], columns="phase", values="share")
    shares = shares[list(PHASES)]
    rows = [codes.index(code) for code in shares.index.get_level_values("council_code")]
    areas, share = shares.index.get_level_values("area_id").to_numpy(), shares.to_numpy()
    parts = []
    for january in januaries:
        year = academic_year(january - 1)
        plans = by_year[january][rows] * share[:, None, :, None]
        parts.append(_pupil_rows(plans, areas, NEEDS, "ehcp", year, "derived" if january <= JANUARIES[-1] else "forecast"))
        ap = np.zeros((len(codes), 1, len(PHASES), len(GROUPS)))
        places = [list(PHASES).index(phase) for phase in ap_stream.PHASES]
        ap[:, 0, places, 0] = _ap_pupils(data, january, tables, assumptions).sum(axis=2)
        parts.append(_pupil_rows(ap[rows] * share[:, None, :, None], areas, ("AP",), "ap", year, _ap_status(january)))
    return pd.concat(parts, ignore_index=True)


def _by_phase(table: Figures) -> Figures:
    """[council, need, age group, category] -> [council, need, phase, category]."""
    return np.stack([table[:, :, [group == phase for group in PHASE_OF_GROUP]].sum(axis=2) for phase in PHASES], axis=2)


def _by_group(table: Figures) -> Figures:
    """Last axis: category -> ``GROUPS``."""
    return np.concatenate([table[..., : len(PLACED)].sum(axis=-1, keepdims=True), table[..., len(PLACED) :]], axis=-1)


def _groups_by_january(tables: dict[int, Figures], codes: list[str], later: Sequence[int]) -> dict[int, Figures]:
    """[council, need, phase, group] by January: observed ones, and later ones with the last mix of needs and phases."""
    by_january = {january: _by_group(_by_phase(table)) for january, table in tables.items()}
    if not later:
        return by_january
    history = pd.concat(
        _frame(table.sum(axis=(1, 2)), keep_zero=True, council_code=codes, category=GROUPS).assign(january=january)
        for january, table in by_january.items()
    )
    ahead = carry_forward(history, later).set_index(["january", "council_code", "category"])["pupils"]
    last = by_january[JANUARIES[-1]]
    base = last.sum(axis=(1, 2))
    for january in later:
        grown = ahead.loc[january].unstack().reindex(index=codes, columns=list(GROUPS)).to_numpy(float)
        growth = np.divide(grown, base, out=np.zeros_like(base), where=base > 0)
        by_january[january] = last * growth[:, None, None, :]
    return by_january


def _ap_pupils(data: Path, january: int, tables: dict[int, Figures], assumptions: Assumptions) -> Figures:
    plans = tables[min(january, ap_stream.LAST_COUNTED)].sum(axis=(1, 2))
    return ap_stream.pupils_without_plan(data, january, plans.sum(axis=1), plans[:, CATEGORIES.index("ap")], assumptions)


def _ap_status(january: int) -> str:
    return "estimated" if january <= ap_stream.LAST_COUNTED else "forecast"


def _totals(table: pd.DataFrame) -> Totals:
    columns = {
        "ehc_plans": "ehc_plans",
        "special_state": "state_special",
        "special_independent": "independent_special",
        "special_non_maintained": "non_maintained",
        "not_recorded": NOT_RECORDED,
    }
    return {
        str(code): {name: None if pd.isna(row[column]) else float(row[column]) for name, column in columns.items()}
        for code, row in table.iterrows()
    }


def _frame(figures: Figures, keep_zero: bool = False, **axes: Sequence[str]) -> pd.DataFrame:
    """An array as rows, one column per axis and ``pupils``; cells without pupils are left out."""
    index = pd.MultiIndex.from_product(axes.values(), names=list(axes))
    table = pd.Series(figures.ravel(), index=index, name="pupils").reset_index()
    return table if keep_zero else table[table["pupils"] > 0].reset_index(drop=True)


def _pupil_rows(figures: Figures, areas: Figures, needs: Sequence[str], stream: str, year: str, status: str) -> pd.DataFrame:
    """[area, need, phase, group] as rows of the Pupils table."""
    area, need, phase = np.nonzero(figures.any(axis=3))
    cells = figures[area, need, phase]

    return pd.DataFrame(
        {
            "area_id": pd.Series(areas, dtype="str").take(area).reset_index(drop=True),
            "stream": pd.Series(stream, index=range(len(area)), dtype="str"),
            "need": pd.Series(list(needs), dtype="str").take(need).reset_index(drop=True),
            "phase": pd.Series(list(PHASES), dtype="str").take(phase).reset_index(drop=True),
            "academic_year": pd.Series(year, index=range(len(area)), dtype="str"),
            "scenario": pd.Series("central", index=range(len(area)), dtype="str"),
            "pupils_placed": cells[:, 0],
            "pupils_mainstream": cells[:, 1],
            "pupils_further_education": cells[:, 2],
            "pupils_elsewhere": cells[:, 3],
            "status": pd.Series(status, index=range(len(area)), dtype="str"),
        }
    )
