"""Education, health and care plans (SEN2 statistics): placements, ages and primary needs by council.

Reads the release of explore-education-statistics in its publisher's layout or as cut from it.
``x`` in it means not available, not small: such cells stay empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sufficiency.sources import files
from sufficiency.sources.boundaries import current_codes
from sufficiency.tables.problems import InputError, InputProblem

WHERE: Mapping[str, Mapping[str, str]] = {
    "as published": {
        "time_period": "time_period",
        "level": "geographic_level",
        "council_code": "new_la_code",
        "topic": "breakdown_topic",
        "breakdown": "breakdown",
    },
    "as cut": {
        "time_period": "time_period",
        "level": "geographic_level",
        "council_code": "la_code_ons",
        "topic": "breakdown_topic",
        "breakdown": "breakdown",
    },
}
CASELOAD: Mapping[str, Mapping[str, str]] = {name: {**where, "ehc_plans": "ehcplans"} for name, where in WHERE.items()}
NEED_HEADINGS: Mapping[str, Mapping[str, str]] = {name: {**where, "ehc_plans": "ehc_plans"} for name, where in WHERE.items()}
AGE_BANDS: Mapping[str, Mapping[str, str]] = {
    "dashboard of 2023": {
        "time_period": "time_period",
        "level": "geographic_level",
        "council_code": "new_la_code",
        "band": "characteristic_age",
        "plans": "ehcp_or_statement",
        "pupils": "num_caseload",
    }
}

ENGLAND = "England"
ALL_PLANS, BY_AGE, BY_PLACEMENT = "All EHC plans", "Child or young persons age", "Type of placement"

CATEGORY_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "state_special": ("special_la_maintained", "special_academy_free"),
    "resourced_provision": tuple(
        f"mainstream_{kind}_{base}" for kind in ("la_maintained", "academy", "free_school") for base in ("resourced_provision", "senunit")
    ),
    "ap": ("ap_pru_total",),
    "independent_special": ("special_independent",),
    "non_maintained": ("special_non_maintained",),
    "mainstream": ("mainstream_la_maintained", "mainstream_academy", "mainstream_free_school", "mainstream_independent"),
    "further_education": ("fe_total",),
    "not_recorded": ("placement_unknown",),
}
"""Category -> columns of the caseload file. All other plans are ``elsewhere``: educated elsewhere, early years, and
before 2024 also other placements, awaiting provision and permanently excluded, which no total of the file holds."""

CATEGORIES = (
    "state_special",
    "resourced_provision",
    "ap",
    "independent_special",
    "non_maintained",
    "mainstream",
    "further_education",
    "elsewhere",
)
PLACED = CATEGORIES[:5]
NOT_RECORDED = "not_recorded"
UNKNOWN = "unknown"

CATEGORY_OF_LABEL: Mapping[str, str] = {
    "Special - LA maintained": "state_special",
    "Special - Academy/free schools": "state_special",
    "Special - independent": "independent_special",
    "Special - non-maintained": "non_maintained",
    "AP/PRU - academy": "ap",
    "AP/PRU - free school": "ap",
    "AP/PRU - LA maintained": "ap",
    "Mainstream - LA maintained": "mainstream",
    "Mainstream - academy": "mainstream",
    "Mainstream - free school": "mainstream",
    "Mainstream - independent": "mainstream",
    "FE - general FE and tertiary colleges": "further_education",
    "FE - specialist post-16 institutions": "further_education",
    "FE - UKRLP provider": "further_education",
    "Non-maintained early years": "elsewhere",
    "Placement not recorded": NOT_RECORDED,
    **{
        f"Mainstream - {kind} ({base})": "resourced_provision"
        for kind in ("LA maintained", "academy", "free school")
        for base in ("resourced provision", "SEN unit")
    },
}
"""Label of the need file -> category; ``Educated elsewhere - ...`` is elsewhere, ``... - total`` is left out."""

NEED_COLUMNS: Mapping[str, str] = {
    "number_asd": "ASD",
    "number_hi": "HI",
    "number_mld": "MLD",
    "number_msi": "MSI",
    "number_oth": "OTH",
    "number_pd": "PD",
    "number_pmld": "PMLD",
    "number_semh": "SEMH",
    "number_slcn": "SLCN",
    "number_sld": "SLD",
    "number_spld": "SPLD",
    "number_vi": "VI",
    "number_need_unknown": UNKNOWN,
}


def caseload(data: Path) -> pd.DataFrame:
    """Plans by January, council and category, as published: january, council_code (or England), ehc_plans, categories, not_recorded.

    Empty = not available. Where placements are available ``elsewhere`` is what the other categories leave of the plans.
    """
    return _caseload(data, ALL_PLANS)


def caseload_by_age(data: Path) -> pd.DataFrame:
    """As ``caseload``, with the column age in years (under 3 is 2), for the Januaries with single ages."""
    table = _caseload(data, BY_AGE)
    return table.assign(age=_age(table["breakdown"]))


def _caseload(data: Path, topic: str) -> pd.DataFrame:
    table = files.read(data, "caseload", CASELOAD)
    table = _of_councils(data, table[table["topic"] == topic])
    columns = sorted({column for group in CATEGORY_COLUMNS.values() for column in group})
    table = files.numbers(table, ["ehc_plans", *columns], "caseload")
    result = table[["january", "council_code", "breakdown", "ehc_plans"]].copy()
    for category, group in CATEGORY_COLUMNS.items():
        result[category] = table[list(group)].sum(axis=1, skipna=False)
    placed = [category for category in CATEGORY_COLUMNS if category != NOT_RECORDED]
    result["elsewhere"] = result["ehc_plans"] - result[placed].sum(axis=1, skipna=False) - result[NOT_RECORDED].fillna(0)
    return result


def needs(data: Path) -> pd.DataFrame:
    """Plans by council and primary need: january, council_code, need, pupils; a need may be unknown."""
    return _needs(data, ALL_PLANS)


def needs_by_category(data: Path) -> pd.DataFrame:
    """As ``needs`` by category of placement (and not_recorded); empty where needs were withheld (Surrey, January 2025)."""
    table = _needs(data, BY_PLACEMENT)
    elsewhere = table["breakdown"].str.startswith("Educated elsewhere - ")
    total = table["breakdown"].str.endswith(" - total")
    table["category"] = table["breakdown"].map(CATEGORY_OF_LABEL).mask(elsewhere, "elsewhere")
    unknown = table.loc[table["category"].isna() & ~total, "breakdown"].unique()
    if len(unknown):
        raise InputError(
            [
                InputProblem(
                    "needs", "unknown type of placement", "Add it to the reader's table of labels.", column="breakdown", value=label
                )
                for label in unknown
            ]
        )
    return sums(table[~total], ["january", "council_code", "need", "category"], ["pupils"]).reset_index()


def needs_by_age(data: Path) -> pd.DataFrame:
    """As ``needs`` by age in years."""
    table = _needs(data, BY_AGE)
    return table.assign(age=_age(table["breakdown"])).drop(columns="breakdown")


def sums(table: pd.DataFrame, keys: list[str], columns: list[str]) -> pd.DataFrame:
    """Sums by key; empty as soon as one part is not available."""
    groups = table.groupby(keys)[columns]
    return groups.sum().where(groups.count().eq(groups.size(), axis=0))


def _needs(data: Path, topic: str) -> pd.DataFrame:
    table = files.read(data, "needs", NEED_HEADINGS)
    table = _of_councils(data, table[table["topic"] == topic])
    table = files.numbers(table, NEED_COLUMNS, "needs").rename(columns=NEED_COLUMNS)
    return table.melt(["january", "council_code", "breakdown"], list(NEED_COLUMNS.values()), "need", "pupils")


def age_bands(data: Path) -> pd.DataFrame:
    """Plans by January, council and age band to January 2023: january, council_code, band, pupils."""
    table = files.read(data, "age_bands", AGE_BANDS)
    table = _of_councils(data, table[table["plans"] == "Total"], calendar_years=True)
    return files.numbers(table, ["pupils"], "age bands")[["january", "council_code", "band", "pupils"]]


def _of_councils(data: Path, table: pd.DataFrame, calendar_years: bool = False) -> pd.DataFrame:
    """Rows of councils (by today's code) and of England, with the year of their January."""
    table = table[table["level"].isin(["Local authority", "National"])].copy()
    table["council_code"] = table["council_code"].replace(current_codes(data)).mask(table["level"] == "National", ENGLAND)
    years = table["time_period"].str[:4].astype(int)
    table["january"] = years if calendar_years else years + 1
    return table


def _age(breakdown: pd.Series) -> pd.Series:
    """``age 10`` -> 10, ``under 3`` -> 2."""
    return breakdown.replace({"under 3": "age 2"}).str.removeprefix("age ").astype(int)
