"""What each column of the result tables is, as far as disclosure goes: the one place where it is declared.

A column that is not declared here can't leave a protected case: ``declared`` raises, and so does a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import pandas as pd

from sufficiency.terms import SETTING_KINDS


class Treatment(StrEnum):
    """How a column of a result table is shown in a protected case."""

    OPEN = "as it is: a key, a building, capital, or a year"
    COUNT = "pupils: 1 to 4 hidden, others to the nearest 5"
    PART = "pupils, parts of the row's demand: as counts, and all of the row hidden where they would give one of them away"
    FLOW = "pupils of a row that is dropped below 5"
    PLACES = "places of existing settings follow from who is in them: as counts; places that the plan opens are shown"
    OVER = "worked out again from the places and pupils shown"
    MEAN = "to whole minutes or km, from 10 pupils up"
    QUANTILE = "to 5 minutes, from 10 pupils up"
    AMOUNT = "money of many pupils to the nearest half million"
    BY_UNIT = "pupils as counts, shares and minutes to two digits"
    MONEY = "money per pupil to GBP 100, times the pupils shown; from 10 pupils up"


KINDS: Final = tuple(SETTING_KINDS)
UNLOCATED: Final = ("unlocated_independent", "unlocated_ap")
LOCATED: Final = tuple(kind for kind in KINDS if kind not in UNLOCATED)
PARTS: Final = (*KINDS, "unmet")
"""Parts of the demand of a row of ``needs``."""

NEED_KEY: Final = ["council_code", "need_group", "phase", "academic_year"]


def _open(*names: str) -> dict[str, Treatment]:
    return dict.fromkeys(names, Treatment.OPEN)


def _with(treatment: Treatment, *names: str) -> dict[str, Treatment]:
    return dict.fromkeys(names, treatment)


SPECIFICATION: Final[Mapping[str, Mapping[str, Treatment]]] = {
    "projects": _open(
        "project_id", "name", "kind", "effect", "council_code", "site_id", "easting_m", "northing_m", "provision", "need_groups", "phases",
        "stage", "start_financial_year", "opens_academic_year", "places", "capital_gbp", "capital_net_pv_gbp", "decision",
    ),
    "places": _open("academic_year", "pool_id", "setting_id", "kind", "council_code", "is_new")
    | _with(Treatment.PLACES, "places")
    | _with(Treatment.COUNT, "pupils", "latent_pupils")
    | _with(Treatment.OVER, "over_places"),
    "placements": _open("area_id", "pool_id", "need_group", "severity", "phase", "route", "academic_year")
    | _with(Treatment.COUNT, "entrants")
    | _with(Treatment.FLOW, "pupils"),
    "unmet": _open("area_id", "council_code", "need_group", "severity", "phase", "route", "academic_year")
    | _with(Treatment.COUNT, "entrants")
    | _with(Treatment.FLOW, "pupils"),
    "needs": _open(*NEED_KEY) | _with(Treatment.COUNT, "demand", "in_new_places", "latent") | _with(Treatment.PART, *PARTS),
    "funding": _open(
        "fund_id", "councils", "financial_year", "carried_in_gbp", "allocated_gbp", "granted_gbp", "transferred_in_gbp",
        "transferred_out_gbp", "spent_gbp", "returned_gbp", "carried_out_gbp",
    ),
    "payments": _open("fund_id", "council_code", "kind", "financial_year", "amount_gbp"),
    "travel": _open(*NEED_KEY)
    | _with(Treatment.COUNT, "pupils", "over_45_min", "over_75_min")
    | _with(Treatment.MEAN, "mean_min", "mean_km")
    | _with(Treatment.QUANTILE, "median_min", "p90_min")
    | _with(Treatment.MONEY, "travel_gbp"),
    "access": _open(*NEED_KEY) | _with(Treatment.COUNT, "pupils", "within_20_min", "within_45_min", "within_75_min"),
    "costs": _open("item", "year", "is_cash", "in_objective") | _with(Treatment.MONEY, "gbp", "present_value_gbp"),
    "limits": _open("rule", "name", "academic_year", "unit", "limit")
    | _with(Treatment.BY_UNIT, "found", "breach")
    | _with(Treatment.AMOUNT, "weight_pv_gbp"),
    "transfers": _open("from_fund", "to_fund", "financial_year", "amount_gbp"),
    "ledger": _open("home_council", "provider_council", "sector", "academic_year")
    | _with(Treatment.COUNT, "pupils")
    | _with(Treatment.MONEY, "adjustment_gbp"),
    "high_needs_block": _open("council_code", "financial_year", "other_spend_gbp", "block_gbp", "deficit_programme")
    | _with(
        Treatment.AMOUNT, "place_funding_gbp", "top_up_gbp", "fees_gbp", "from_mainstream_gbp", "import_export_gbp", "spend_gbp",
        "balance_gbp", "cumulative_deficit_gbp",
    ),
}  # fmt: skip
"""Result table -> column -> treatment."""

COST_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "state_places": ("state_special", "resourced_provision", "ap"),
    "independent_places": ("non_maintained", "independent_special", "unlocated_independent"),
    "unlocated_ap_places": ("unlocated_ap",),
    "travel": KINDS,
    "excess_travel_weight": KINDS,
    "unmet_weight": ("unmet",),
    "latent_net": ("latent",),
    "latent_revenue": ("latent",),
}
"""Line of the costs -> columns of ``needs`` whose pupils it is paid for."""
CAPITAL_LINES: Final = frozenset({"capital", "capital_credit"})
"""Lines of the costs that follow from the projects alone."""


def columns(table: str, treatment: Treatment) -> list[str]:
    """Columns of a result table that are treated so."""
    return [name for name, given in SPECIFICATION[table].items() if given is treatment]


def hideable_columns(table: str) -> list[str]:
    """Columns of a result table in which a protected case may hide figures."""
    return [name for name, given in SPECIFICATION[table].items() if given is not Treatment.OPEN]


def declared(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """The table itself. Raises ValueError when nothing is declared of one of its columns."""
    unknown = [column for column in table.columns if column not in SPECIFICATION.get(name, {})]
    if unknown:
        raise ValueError(f"columns of {name} without a declared treatment can't be shown: {', '.join(unknown)}")
    return table
