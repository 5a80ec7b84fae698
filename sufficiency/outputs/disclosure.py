"""What may be shown below council level.

An open case rests on published data only: its small-area figures are modelled, are labelled so and are shown to one decimal.
A protected case rests on records of persons: its areas show all needs together, rounded to 5, and only from 10 pupils up.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.outputs.figures import ALL, FLOW_PUPILS

FEWEST_PUPILS: Final = 10.0
ROUNDED_TO: Final = 5.0
LABELS: Final = {
    "open": "Figures for small areas are modelled from published totals; they are not counts of children.",
    "protected": "Figures are rounded to 5. Areas with fewer than 10 pupils are not shown, nor are needs within an area.",
}


def shown_figures(figures: pd.DataFrame, case: Case) -> pd.DataFrame:
    """``area_figures`` as they may be shown: unchanged for an open case; otherwise rounded, with what must not be shown left empty."""
    if case.disclosure == "open":
        return figures
    below_council = figures["zone_id"].isin(case.areas["area_id"])
    figures = figures[~below_council | (figures["need_group"] == ALL)].copy()
    below_council = figures["zone_id"].isin(case.areas["area_id"])
    hidden = below_council & (figures["pupils"] < FEWEST_PUPILS)
    few_travel = figures["travellers"] < FEWEST_PUPILS
    figures.loc[few_travel, ["travellers", "pupil_minutes"]] = 0.0
    for column in ("pupils", "unmet", "independent"):
        figures[column] = _rounded(figures[column])
    figures.loc[hidden, ["pupils", "unmet", "independent", "travellers", "pupil_minutes"]] = float("nan")
    return figures


def shown_flows(flows: pd.DataFrame, case: Case) -> pd.DataFrame:
    """``flows`` as they may be shown: from five pupils up, or from ten and rounded when the case is protected."""
    if case.disclosure == "open":
        return flows[flows["pupils"] >= FLOW_PUPILS]
    enough = flows[flows["pupils"] >= FEWEST_PUPILS]
    return enough.assign(pupils=_rounded(enough["pupils"]))


def shown_use(use: pd.DataFrame, case: Case) -> pd.DataFrame:
    """``setting_use`` as it may be shown: pupils rounded when the case is protected."""
    if case.disclosure == "open":
        return use
    return use.assign(**{column: _rounded(use[column]) for column in ("pupils", "latent_pupils", "over_places")})


def _rounded(values: pd.Series[float]) -> pd.Series[float]:
    return (values / ROUNDED_TO).round() * ROUNDED_TO
