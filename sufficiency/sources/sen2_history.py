"""Education, health and care plans through the years, on one boundary set.

Reads the Department's releases as published (explore-education-statistics layout, ``x`` = not available):
caseload, new plans, requests, ceased plans, needs, the establishment file of 2015 to 2022 and the age bands.
Councils that were split or merged are one *area* throughout, because a history exists only for the sum.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.tables.problems import InputError, InputProblem

ONE_AREA: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(("E06000028", "E06000029", "E06000058", "E06000059", "E10000009"), ("M-DORSET", "Dorset and Bournemouth, Christchurch and Poole")),
    **dict.fromkeys(("E06000063", "E06000064", "E10000006"), ("M-CUMBRIA", "Cumberland, Westmorland and Furness")),
    **dict.fromkeys(("E06000061", "E06000062", "E10000021"), ("M-NORTHANTS", "North and West Northamptonshire")),
}
"""Council -> the area that holds it and its predecessors. Recoded councils are in RECODED."""

RECODED: Final[dict[str, str]] = {
    "E10000002": "E06000060",
    "E10000023": "E06000065",
    "E10000027": "E06000066",
    "E08000020": "E08000037",
    "E06000048": "E06000057",
}
"""Old code -> code today, where only the code changed."""

NEEDS_PUBLISHED: Final = ("ASD", "HI", "MLD", "MSI", "OTH", "PD", "PMLD", "SEMH", "SLCN", "SLD", "SPLD", "VI")

CATEGORY_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "state_special": ("special_la_maintained", "special_academy_free"),
    "resourced_provision": tuple(
        f"mainstream_{kind}_{unit}" for kind in ("la_maintained", "academy", "free_school") for unit in ("resourced_provision", "senunit")
    ),
    "ap": ("ap_pru_total",),
    "independent_special": ("special_independent",),
    "non_maintained": ("special_non_maintained",),
    "mainstream": ("mainstream_la_maintained", "mainstream_academy", "mainstream_free_school", "mainstream_independent"),
    "further_education": ("fe_total",),
    "elsewhere": ("ed_elsewhere", "nm_early_years"),
    "not_recorded": ("placement_unknown",),
}
"""Category -> columns of the caseload file that it sums; missing columns (not collected that year) count as none."""

CATEGORIES: Final = tuple(CATEGORY_COLUMNS)
BANDS: Final[dict[str, tuple[int, int]]] = {"under 5": (0, 4), "5 to 10": (5, 10), "11 to 15": (11, 15), "16 to 19": (16, 19), "20 to 25": (20, 25)}
AGES: Final = tuple(range(26))
"""Age at 31 August; 0 to 2 are published together and held at 2."""

ALL_PLANS: Final = ("All EHC plans", "New EHC plans", "All ceased EHC plans", "All requests for EHC needs assessments")
BY_AGE: Final = ("Child or young persons age", "Age when plan started", "Age plan ceased")
BY_PLACEMENT: Final = "Type of placement"
AREA_OF_NATIONAL: Final = "England"
YORKSHIRE: Final = "Yorkshire and The Humber"


@dataclass(frozen=True)
class History:
    """What the releases say, in plans. Areas are those of ``areas`` unless a table is keyed by council.

    ``january`` n is the count of January n; ``year`` n a flow in calendar year n, published with January n + 1.
    """

    councils: pd.DataFrame
    """council, council_name, area, area_name, region (one row per council of today)."""
    stock: pd.DataFrame
    """index (area, january); columns ehc_plans, special_state, independent_nm, ap, not_recorded. NaN = not returned."""
    bands: pd.DataFrame
    """index (area, january); columns BANDS; from single ages where the band file has ended."""
    flows: pd.DataFrame
    """index (area, year); columns requests, new_plans."""
    council_stock: pd.DataFrame
    """index (council, january); columns ehc_plans and CATEGORIES."""
    stock_by_age: pd.DataFrame
    """index (council, january, age); columns ehc_plans and CATEGORIES."""
    new_by_age: pd.DataFrame
    """index (council, year, age); columns ehc_plans and CATEGORIES."""
    ceased_by_age: pd.DataFrame
    """index (council, year, age); column ceased (includes moves to another council)."""
    need_by_age: pd.DataFrame
    """index (council, january, age); one column per need; plans without a recorded need left out."""
    need_by_category: pd.DataFrame
    """index (council, january, category); one column per need."""
    new_need_by_age: pd.DataFrame
    """index (council, year, age); one column per need."""
    files: tuple[Path, ...]
    """Files read."""

    def until(self, origin: int) -> History:
        """Only what was published by the release of January ``origin``."""
        kept = {}
        for name, level, last in (
            ("stock", "january", origin),
            ("bands", "january", origin),
            ("flows", "year", origin - 1),
            ("council_stock", "january", origin),
            ("stock_by_age", "january", origin),
            ("new_by_age", "year", origin - 1),
            ("ceased_by_age", "year", origin - 1),
            ("need_by_age", "january", origin),
            ("need_by_category", "january", origin),
            ("new_need_by_age", "year", origin - 1),
        ):
            table = getattr(self, name)
            kept[name] = table[table.index.get_level_values(level) <= last]
        return replace(self, **kept)


def newest(data: Path, pattern: str) -> Path:
    """The file of that pattern anywhere under ``data``; of several editions the last. Raises InputError."""
    found = sorted(Path(data).rglob(pattern))
    if not found:
        raise InputError([InputProblem(pattern, f"no such file under {data}", "Download it from the publisher; see docs/forecast.md.")])
    return found[-1]


def read_history(data: Path) -> History:
    """All releases under the data folder. Raises InputError naming what is missing."""
    patterns = {
        "lookup": "la_lookup.csv",
        "caseload": "sen2_????_caseload.csv.gz",
        "new": "sen2_????_newplans.csv.gz",
        "requests": "sen2_????_requests.csv.gz",
        "ceased": "sen2_????_ceased_plans.csv.gz",
        "needs": "sen2_????_sen_needs_all_plans.csv.gz",
        "new_needs": "sen2_????_sen_need_newplans.csv.gz",
        "establishments": "sen2_????_estab_caseload_*.csv.gz",
        "bands": "ehcp_age_profile_*.csv.gz",
    }
    files, problems = {}, []
    for key, pattern in patterns.items():
        try:
            files[key] = newest(data, pattern)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    councils = _councils(files["lookup"])
    caseload = _release(files["caseload"])
    caseload["january"] = caseload["time_period"].str[:4].astype(int) + 1
    new = _release(files["new"])
    new["year"] = new["time_period"].astype(int)
    council_stock = _categories(caseload, "ehcplans", ["council", "january"])
    stock_by_age = _by_age(caseload, "ehcplans", "january")
    new_by_age = _by_age(new, "new_ehc_plans", "year")
    return History(
        councils=councils,
        stock=_stock(council_stock, _establishments(files["establishments"])),
        bands=_bands(files["bands"], stock_by_age),
        flows=_flows(_release(files["requests"]), new, new_by_age),
        council_stock=council_stock,
        stock_by_age=stock_by_age,
        new_by_age=new_by_age,
        ceased_by_age=_ceased(_release(files["ceased"])),
        need_by_age=_needs(_release(files["needs"]), "january", BY_AGE[0]),
        need_by_category=_needs(_release(files["needs"]), "january", BY_PLACEMENT),
        new_need_by_age=_needs(_release(files["new_needs"]), "year", BY_AGE[0]),
        files=tuple(files.values()),
    )


def area_of(councils: Sequence[str] | pd.Series | pd.Index) -> list[str]:
    """Area of each council code, old or new."""
    return [ONE_AREA.get(code, (code, ""))[0] for code in councils]


def number(column: pd.Series) -> pd.Series:
    """Figures of a published column; ``x``, ``z`` and blanks are NaN."""
    return pd.to_numeric(column, errors="coerce")


def age_of(text: str) -> int | None:
    """``age 10`` -> 10; ``under 3`` and ``age 2 and under`` -> 2; ``unknown`` -> None."""
    found = re.search(r"\d+", text)
    if found is None:
        return None
    return int(found.group()) - (1 if text.startswith("under") else 0)


def _councils(path: Path) -> pd.DataFrame:
    lookup = pd.read_csv(path, dtype=str)
    table = pd.DataFrame({"council": lookup["la_code_ons"], "council_name": lookup["la_name"], "region": lookup["region_name"]})
    table["area"] = area_of(table["council"])
    table["area_name"] = [ONE_AREA.get(code, ("", name))[1] for code, name in zip(table["council"], table["council_name"], strict=True)]
    return table


def _release(path: Path) -> pd.DataFrame:
    """Council rows of a release, with today's codes."""
    table = pd.read_csv(path, dtype=str)
    if "geographic_level" not in table.columns or "breakdown_topic" not in table.columns:
        raise InputError([InputProblem(path.name, "not in the published layout", "Use the file as downloaded, with geographic_level and breakdown_topic.")])
    table = table[table["geographic_level"] == "Local authority"].copy()
    table["council"] = table["la_code_ons"].replace(RECODED)
    return table


def _categories(rows: pd.DataFrame, total: str, keys: list[str]) -> pd.DataFrame:
    """Totals and categories; a council whose placement columns are all ``x`` has NaN categories."""
    rows = rows[rows["breakdown_topic"].isin(ALL_PLANS)]
    return _category_sums(rows, total, keys)


def _category_sums(rows: pd.DataFrame, total: str, keys: list[str]) -> pd.DataFrame:
    out = rows[keys].copy()
    out["ehc_plans"] = number(rows[total])
    parts = {name: rows[[c for c in columns if c in rows.columns]].apply(number) for name, columns in CATEGORY_COLUMNS.items()}
    returned = pd.concat(parts.values(), axis=1).notna().any(axis=1)
    for name, part in parts.items():
        out[name] = part.sum(axis=1).where(returned)
    return out.groupby(keys)[["ehc_plans", *CATEGORIES]].sum(min_count=1)


def _by_age(rows: pd.DataFrame, total: str, period: str) -> pd.DataFrame:
    rows = rows[rows["breakdown_topic"].isin(BY_AGE if period == "year" else BY_AGE[:1])].copy()
    rows["age"] = rows["breakdown"].map(age_of)
    rows = rows[rows["age"].notna()].astype({"age": int})
    return _category_sums(rows, total, ["council", period, "age"])


def _establishments(path: Path) -> pd.DataFrame:
    """Council x January x measure of the establishment file (statements and plans together)."""
    table = pd.read_csv(path, dtype=str)
    table = table[table["geographic_level"] == "Local authority"].copy()
    table["council"] = table["la_code_ons"].replace(RECODED)
    table["january"] = table["time_period"].astype(int)
    kind = table["establishment_type"]
    measure = pd.Series(pd.NA, index=table.index, dtype=object)
    measure[(kind == "Total") & (table["establishment_group"] == "Total")] = "ehc_plans"
    measure[kind.isin(["Special - LA maintained", "Special - Academy/free", "Special - Academy", "Special - Free school", "Hospital School"])] = "special_state"
    measure[kind.isin(["Special - Independent", "Special - Non-maintained"])] = "independent_nm"
    measure[kind.str.startswith("AP/PRU")] = "ap"
    table["measure"], table["plans"] = measure, number(table["Total_all"])
    table = table[table["measure"].notna()]
    return table.pivot_table(index=["council", "january"], columns="measure", values="plans", aggfunc="sum", fill_value=0)


def _stock(council_stock: pd.DataFrame, establishments: pd.DataFrame) -> pd.DataFrame:
    recent = pd.DataFrame(
        {
            "ehc_plans": council_stock["ehc_plans"],
            "special_state": council_stock["state_special"],
            "independent_nm": council_stock["independent_special"] + council_stock["non_maintained"],
            "ap": council_stock["ap"],
            "not_recorded": council_stock["not_recorded"],
        }
    )
    older = establishments[establishments.index.get_level_values("january") < recent.index.get_level_values("january").min()]
    both = pd.concat([older, recent]).reset_index()
    both["area"] = area_of(both["council"])
    complete = both.groupby(["area", "january"]).agg(lambda values: np.nan if values.isna().all() else values.sum())
    return complete[recent.columns].sort_index()


def _bands(path: Path, stock_by_age: pd.DataFrame) -> pd.DataFrame:
    """Age bands from the band file; later Januaries from single ages (derived)."""
    table = pd.read_csv(path, dtype=str)
    table = table[table["geographic_level"] == "Local authority"]
    names = {"Under 5": "under 5", **{f"Age {name}": name for name in BANDS if name != "under 5"}}
    old = pd.DataFrame(
        {
            "area": area_of(table["new_la_code"].replace(RECODED)),
            "january": table["time_period"].astype(int).to_numpy(),
            "band": table["characteristic_age"].map(names).to_numpy(),
            "plans": number(table["num_caseload"]).to_numpy(),
        }
    )
    single = stock_by_age["ehc_plans"].reset_index()
    single = single[single["january"] > old["january"].max()]
    single["area"] = area_of(single["council"])
    single["band"] = single["age"].map(band_of)
    new = single.rename(columns={"ehc_plans": "plans"})
    bands = pd.concat([old, new]).groupby(["area", "january", "band"])["plans"].sum(min_count=1).unstack("band")
    return bands[list(BANDS)]


def band_of(age: int) -> str:
    """The published age band of an age at 31 August."""
    return next(name for name, (low, high) in BANDS.items() if low <= age <= high)


def _flows(requests: pd.DataFrame, new: pd.DataFrame, new_by_age: pd.DataFrame) -> pd.DataFrame:
    rows = requests[requests["breakdown_topic"].isin(ALL_PLANS)]
    asked = pd.DataFrame({"council": rows["council"], "year": rows["time_period"].astype(int), "requests": number(rows["requests_received_in_year"])})
    rows = new[new["breakdown_topic"].isin(ALL_PLANS)]
    made = pd.DataFrame({"council": rows["council"], "year": rows["year"], "new_plans": number(rows["new_ehc_plans"]), "region": rows["region_name"]})
    made = _repair_regional_total(made, new_by_age)
    both = asked.merge(made.drop(columns="region"), on=["council", "year"], how="outer")
    both["area"] = area_of(both["council"])
    return both.groupby(["area", "year"])[["requests", "new_plans"]].sum(min_count=1)


def _repair_regional_total(made: pd.DataFrame, new_by_age: pd.DataFrame) -> pd.DataFrame:
    """Where every council of a region carries one figure, it is the regional total: ages are summed instead.

    (2022, Yorkshire and The Humber.) What the ages leave over goes to the council that fell most against the year
    before: it returned its ages incompletely.
    """
    made = made.copy()
    ages = new_by_age["ehc_plans"].groupby(["council", "year"]).sum(min_count=1)
    before = made.set_index(["council", "year"])["new_plans"]
    for _, rows in made.groupby(["region", "year"]):
        figures = rows["new_plans"].dropna()
        if len(figures) < 3 or figures.nunique() > 1:
            continue
        keys = pd.MultiIndex.from_arrays([rows["council"], rows["year"]])
        summed = pd.Series(ages.reindex(keys).fillna(0.0).to_numpy(), index=rows.index)
        previous = before.reindex(pd.MultiIndex.from_arrays([rows["council"], rows["year"] - 1])).to_numpy()
        summed[(summed / previous).idxmin()] += max(float(figures.iloc[0]) - float(summed.sum()), 0.0)
        made.loc[rows.index, "new_plans"] = summed
    return made


def _ceased(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[rows["breakdown_topic"] == BY_AGE[2]].copy()
    rows["age"] = rows["breakdown"].map(age_of)
    rows = rows[rows["age"].notna()]
    table = pd.DataFrame(
        {"council": rows["council"], "year": rows["time_period"].astype(int), "age": rows["age"].astype(int), "ceased": number(rows["total_ceased"])}
    )
    return table.groupby(["council", "year", "age"])[["ceased"]].sum(min_count=1)


PLACEMENT_PREFIX: Final = {
    "AP/PRU - total": "ap",
    "FE - total": "further_education",
    "Educated elsewhere - total": "elsewhere",
    "Non-maintained early years": "elsewhere",
    "Special - independent": "independent_special",
    "Special - non-maintained": "non_maintained",
    "Special - LA maintained": "state_special",
    "Special - Academy/free schools": "state_special",
    "Special - academy/free school": "state_special",
    "Mainstream - academy": "mainstream",
    "Mainstream - LA maintained": "mainstream",
    "Mainstream - free school": "mainstream",
    "Mainstream - independent": "mainstream",
    "Placement not recorded": "not_recorded",
}


def category_of_placement(text: str) -> str | None:
    """Category of a published placement line; None for lines that repeat others."""
    if text.startswith("Mainstream") and ("resourced provision" in text or "SEN unit" in text):
        return "resourced_provision"
    return PLACEMENT_PREFIX.get(text)


def _needs(rows: pd.DataFrame, period: str, topic: str) -> pd.DataFrame:
    rows = rows[rows["breakdown_topic"] == topic].copy()
    rows[period] = rows["time_period"].str[:4].astype(int) + (1 if period == "january" else 0)
    key = "category" if topic == BY_PLACEMENT else "age"
    rows[key] = rows["breakdown"].map(category_of_placement if key == "category" else age_of)
    rows = rows[rows[key].notna()]
    if key == "age":
        rows = rows.astype({"age": int})
    counts = rows[["council", period, key]].copy()
    for need in NEEDS_PUBLISHED:
        counts[need] = number(rows[f"number_{need.lower()}"])
    return counts.groupby(["council", period, key])[list(NEEDS_PUBLISHED)].sum(min_count=1)
