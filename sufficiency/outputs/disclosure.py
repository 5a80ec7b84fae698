"""What may be shown below council level.

An open case rests on published data only: its small-area figures are modelled, are labelled so and are shown to one decimal.
A protected case rests on records of persons: its areas show all needs together, rounded to 5, and only from 10 pupils up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.outputs.figures import ALL, area_figures, base_pupils, flows, placed_pupils, setting_use, variants
from sufficiency.plan import Plan, PlanTables

FEWEST_PUPILS: Final = 10.0
ROUNDED_TO: Final = 5.0
LABELS: Final = {
    "open": "Figures for small areas are modelled from published totals; they are not counts of children.",
    "protected": "Figures are rounded to 5. Areas with fewer than 10 pupils are not shown, nor are needs within an area.",
}


@dataclass(frozen=True)
class Shown:
    """What maps may show of one set of a plan's tables."""

    areas: pd.DataFrame
    """As ``figures.area_figures`` writes it; what must not be shown is left empty."""
    flows: pd.DataFrame
    """As ``figures.flows`` writes it."""
    use: pd.DataFrame
    """As ``figures.setting_use`` writes it."""


def shown_by_variant(plan: Plan, case: Case) -> dict[str, Shown]:
    """What maps may show, before (``counterfactual``) and after (``plan``)."""
    return {name: shown(tables, case) for name, tables in variants(plan).items()}


def shown(tables: PlanTables, case: Case) -> Shown:
    """What maps may show of these tables under the case's disclosure rule."""
    placed = placed_pupils(tables, case)
    areas, lines, use = area_figures(placed, tables.unmet, case), flows(placed), setting_use(tables)
    if case.disclosure == "open":
        return Shown(areas, lines, use)
    return Shown(
        areas=protected_figures(areas, case),
        flows=_rounded(lines[lines["pupils"] >= FEWEST_PUPILS], "pupils"),
        use=_rounded(use, "pupils", "latent_pupils", "over_places"),
    )


def shown_base(case: Case) -> pd.DataFrame:
    """What maps may show of the base January: as ``Shown.areas``, with nothing known about unmet need."""
    nobody = pd.DataFrame({"area_id": [], "need_group": [], "academic_year": [], "pupils": []}).astype({"pupils": float})
    areas = area_figures(base_pupils(case), nobody, case)
    return areas if case.disclosure == "open" else protected_figures(areas, case)


def protected_figures(figures: pd.DataFrame, case: Case) -> pd.DataFrame:
    """Figures rounded, areas for all needs together only, and empty where fewer than ten pupils are behind them."""
    below_council = figures["zone_id"].isin(case.areas["area_id"])
    kept = figures[~below_council | (figures["need_group"] == ALL)].reset_index(drop=True)
    few = kept["zone_id"].isin(case.areas["area_id"]) & (kept["pupils"] < FEWEST_PUPILS)
    few_travel = kept["travellers"] < FEWEST_PUPILS
    rounded = _rounded(kept, "pupils", "unmet", "independent")
    rounded.loc[few_travel, ["travellers", "pupil_minutes"]] = 0.0
    rounded.loc[few, ["pupils", "unmet", "independent", "travellers", "pupil_minutes"]] = float("nan")
    return rounded


def _rounded(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return table.assign(**{column: (table[column] / ROUNDED_TO).round() * ROUNDED_TO for column in columns})
