"""A tiny England in the layouts of the demand releases, written from a known table: for the tests of readers and build.

Four councils: Cumbria's two successors (one council before 2024), Surrey without needs, and a London borough that returned no
placements in January 2025. Figures are drawn with a fixed seed; the true table of January 2025 is returned.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from sufficiency.sources.ehc_plans import BY_AGE, BY_PLACEMENT, CATEGORIES, CATEGORY_COLUMNS, NEED_COLUMNS

COUNCILS = {
    "E06000063": ("942", "Cumberland", "North West"),
    "E06000064": ("943", "Westmorland and Furness", "North West"),
    "E09000002": ("301", "Barking and Dagenham", "London"),
    "E10000030": ("936", "Surrey", "South East"),
}
CODES = list(COUNCILS)
CUMBRIA = ("E10000006", "909", "Cumbria")
NO_PLACEMENTS, NO_NEEDS = "E09000002", "E10000030"
FIRST = 2019
"""First January of the caseload."""
AGES = (3, 4, 7, 10, 13, 15, 17, 19, 20, 24)
GROUPS = (0, 0, 1, 1, 2, 2, 3, 4, 5, 5)
BANDS = (
    "Under 5",
    "Under 5",
    "Age 5 to 10",
    "Age 5 to 10",
    "Age 11 to 15",
    "Age 11 to 15",
    "Age 16 to 19",
    "Age 16 to 19",
    "Age 20 to 25",
    "Age 20 to 25",
)
ALL = [*CATEGORIES, "not_recorded"]
NEEDS = list(NEED_COLUMNS.values())
LABELS = {
    "state_special": "Special - LA maintained",
    "resourced_provision": "Mainstream - academy (SEN unit)",
    "ap": "AP/PRU - academy",
    "independent_special": "Special - independent",
    "non_maintained": "Special - non-maintained",
    "mainstream": "Mainstream - academy",
    "further_education": "FE - UKRLP provider",
    "elsewhere": "Educated elsewhere - NEET",
    "not_recorded": "Placement not recorded",
}
CASELOAD_COLUMNS = sorted({column for group in CATEGORY_COLUMNS.values() for column in group})


def true_table(seed: int = 7) -> np.ndarray:
    """Plans of January 2025 [council, need (last unknown), age of ``AGES``, category (last not recorded)]."""
    draw = np.random.default_rng(seed)
    need = draw.dirichlet(np.full(len(NEEDS), 3.0))
    age = draw.dirichlet(np.full(len(AGES), 5.0))
    category = np.array([0.25, 0.04, 0.02, 0.06, 0.02, 0.4, 0.12, 0.07, 0.02])
    mean = np.multiply.outer(np.multiply.outer(need, age), category)
    table = np.stack([draw.poisson(size * mean) for size in (2_600, 2_200, 5_000, 9_000)]).astype(float)
    for place, old in enumerate(AGES):
        if old < 16:
            table[:, :, place, ALL.index("further_education")] = 0
        else:
            table[:, :, place, ALL.index("resourced_provision")] = 0
    return table


def write(folder: Path, packed: bool = False) -> np.ndarray:
    """Write the whole data folder; ``packed`` writes the plans as the publisher's zip. Returns ``true_table()``."""
    table = true_table()
    for name in ("la_stats", "demand", "boundaries"):
        (folder / name).mkdir(parents=True)
    _plans(folder / "la_stats", table, packed)
    _age_bands(folder / "la_stats", table)
    _history(folder / "la_stats", table)
    _alternative_provision(folder / "la_stats")
    _geography(folder)
    return table


def january(table: np.ndarray, year: int) -> np.ndarray:
    """The table of an earlier January: about a tenth fewer plans a year; before 2023 all placements are recorded."""
    earlier = np.random.default_rng(year).binomial(table.astype(int), 0.9 ** (2025 - year)).astype(float)
    if year < 2023:
        earlier[..., -1] = 0
    return earlier


def _plans(folder: Path, table: np.ndarray, packed: bool) -> None:
    caseload = []
    for year in range(FIRST, 2026):
        plans = january(table, year)
        rows = [(code, plans[place]) for place, code in enumerate(CODES)]
        if year < 2024:
            rows = [(CUMBRIA[0], plans[0] + plans[1]), *rows[2:]]
        for code, council in [*rows, ("", plans.sum(axis=0))]:
            hidden = code == NO_PLACEMENTS and year == 2025
            caseload.append(_caseload_row(year, code, "All EHC plans", "All EHC plans", council.sum(axis=(0, 1)), hidden))
            if year >= 2024:
                caseload += [
                    _caseload_row(year, code, BY_AGE, f"age {age}", council[:, place].sum(axis=0), hidden) for place, age in enumerate(AGES)
                ]
    needs = []
    for place, code in enumerate(CODES):
        council = table[place].copy()
        if code == NO_PLACEMENTS:
            council = np.concatenate([np.zeros_like(council[..., :-1]), council.sum(axis=-1, keepdims=True)], axis=-1)
        hidden = code == NO_NEEDS
        needs.append(_need_row(code, "All EHC plans", "All EHC plans", council.sum(axis=(1, 2)), False))
        needs += [_need_row(code, BY_AGE, f"age {age}", council[:, n].sum(axis=1), hidden) for n, age in enumerate(AGES)]
        needs += [_need_row(code, BY_PLACEMENT, LABELS[category], council[..., n].sum(axis=1), hidden) for n, category in enumerate(ALL)]
        needs.append(_need_row(code, BY_PLACEMENT, "Special - total", council[..., :1].sum(axis=(1, 2)), hidden))
    tables = {"caseload": pd.DataFrame(caseload), "sen_needs_all_plans": pd.DataFrame(needs)}
    if packed:
        with zipfile.ZipFile(folder / "education-health-and-care-plans_2025.zip", "w") as archive:
            for name, rows in tables.items():
                archive.writestr(f"data/{name}.csv", rows.to_csv(index=False))
        return
    cut = {"new_la_code": "la_code_ons", "old_la_code": "la_code_dfe"}
    tables["caseload"].rename(columns=cut).to_csv(folder / "sen2_2025_caseload.csv.gz", index=False)
    tables["sen_needs_all_plans"].rename(columns=cut).to_csv(folder / "la_ehcp_by_need_jan2025.csv", index=False)


def _where(year: int, code: str, topic: str, breakdown: str) -> dict[str, object]:
    known = {**COUNCILS, CUMBRIA[0]: (*CUMBRIA[1:], "North West")}
    old, name, region = known.get(code, ("", "", ""))
    return {
        "time_period": f"{year - 1}{year % 100:02d}",
        "time_identifier": "Academic year",
        "geographic_level": "Local authority" if code else "National",
        "region_name": region,
        "new_la_code": code,
        "old_la_code": old,
        "la_name": name,
        "breakdown_topic": topic,
        "breakdown": breakdown,
    }


def _caseload_row(year: int, code: str, topic: str, breakdown: str, plans: np.ndarray, hidden: bool) -> dict[str, object]:
    figures: dict[str, object] = dict.fromkeys(CASELOAD_COLUMNS, 0)
    for category, columns in CATEGORY_COLUMNS.items():
        figures[columns[0]] = int(plans[ALL.index(category)])
    if year < 2023:
        figures["placement_unknown"] = "x"
    if hidden:
        figures = dict.fromkeys(CASELOAD_COLUMNS, "x")
    return {**_where(year, code, topic, breakdown), "ehcplans": int(plans.sum()), **figures}


def _need_row(code: str, topic: str, breakdown: str, plans: np.ndarray, hidden: bool) -> dict[str, object]:
    figures = {column: "x" if hidden else int(count) for column, count in zip(NEED_COLUMNS, plans, strict=True)}
    return {**_where(2025, code, topic, breakdown), "ehc_plans": int(plans.sum()), **figures}


def _age_bands(folder: Path, table: np.ndarray) -> None:
    rows = []
    for year in range(FIRST, 2024):
        plans = january(table, year).sum(axis=(1, 3))
        for code, council in ((CUMBRIA[0], plans[0] + plans[1]), (CODES[2], plans[2]), (CODES[3], plans[3])):
            counts = pd.Series(council).groupby(list(BANDS)).sum()
            rows += [(year, "Local authority", code, band, "Total", int(count)) for band, count in counts.items()]
    names = ["time_period", "geographic_level", "new_la_code", "characteristic_age", "ehcp_or_statement", "num_caseload"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "ehcp_age_profile_2010_2023.csv.gz", index=False)


def _history(folder: Path, table: np.ndarray) -> None:
    """What the forecast reads beside stocks: flows of calendar years, the establishment file of 2015 to 2018, exclusions."""
    new, needs, requests, ceased = [], [], [], []
    for year in range(FIRST, 2025):
        for code, plans in _councils(np.random.default_rng(year).binomial(january(table, year).astype(int), 0.2).astype(float), year):
            where = {"time_period": str(year), "new_la_code": code}
            asked = {"requests_received_in_year": int(1.5 * plans.sum())}
            requests.append(_where(year, code, "All requests", "All requests") | where | asked)
            new.append(_new_row(year, code, "New EHC plans", "New EHC plans", plans) | where)
            for place, age in enumerate(AGES):
                topic, label = "Age when plan started", f"age {age}"
                new.append(_new_row(year, code, topic, label, plans[:, place]) | where)
                of_need = {column: int(count) for column, count in zip(NEED_COLUMNS, plans[:, place].sum(axis=1), strict=True)}
                needs.append(_where(year, code, topic, label) | where | of_need)
                left = int(0.4 * plans[:, place].sum() * (1 + 2 * (age > 15)))
                ceased.append(_where(year, code, "Age plan ceased", label) | where | {"total_ceased": left})
    cut = {"new_la_code": "la_code_ons", "old_la_code": "la_code_dfe"}
    tables = {"newplans": new, "sen_need_newplans": needs, "requests": requests, "ceased_plans": ceased}
    for name, rows in tables.items():
        pd.DataFrame(rows).rename(columns=cut).to_csv(folder / f"sen2_2025_{name}.csv.gz", index=False)
    groups = {"state_special": "Special - LA maintained", "independent_special": "Special - Independent", "ap": "AP/PRU - Academy"}
    established = []
    for year in range(2015, FIRST):
        for code, plans in _councils(january(table, year), year):
            by_kind = {label: int(plans[..., ALL.index(category)].sum()) for category, label in groups.items()}
            established.append((year, "Local authority", code, "Total", "Total", int(plans.sum())))
            established += [(year, "Local authority", code, "Special", label, count) for label, count in by_kind.items()]
    names = ["time_period", "geographic_level", "la_code_ons", "establishment_group", "establishment_type", "Total_all"]
    pd.DataFrame(established, columns=names).to_csv(folder / "sen2_2022_estab_caseload_2015_2022.csv.gz", index=False)
    excluded = [("2016/17", "Local authority", name, "Total", 30) for _, name, _ in COUNCILS.values()]
    columns = ["year", "level", "la_name", "school_type", "perm_excl"]
    pd.DataFrame(excluded, columns=columns).to_csv(folder / "la_exclusions_2006_2017.csv.gz", index=False)


def _councils(plans: np.ndarray, year: int) -> list[tuple[str, np.ndarray]]:
    """Plans by council of that year: Cumbria was one until 2023."""
    own = list(zip(CODES, plans, strict=True))
    return own if year >= 2024 else [(CUMBRIA[0], plans[0] + plans[1]), *own[2:]]


def _new_row(year: int, code: str, topic: str, breakdown: str, plans: np.ndarray) -> dict[str, object]:
    counts = plans.reshape(-1, len(ALL)).sum(axis=0)
    row = _caseload_row(year, code, topic, breakdown, counts, False)
    return {**row, "new_ehc_plans": row.pop("ehcplans")}


def _alternative_provision(folder: Path) -> None:
    counts = [
        (period, "Local authority", code, kind, count)
        for code, figures in {
            CUMBRIA[0]: {"State-funded AP school": (300, 320), "LA funded AP placements": (200, 260), "School arranged AP": (None, 100)},
            CODES[2]: {"State-funded AP school": (250, 240), "LA funded AP placements": (80, None), "School arranged AP": (None, 40)},
            CODES[3]: {"State-funded AP school": (400, 500), "LA funded AP placements": (600, 700), "School arranged AP": (None, 300)},
        }.items()
        for kind, pair in figures.items()
        for period, count in zip(("202122", "202223"), pair, strict=True)
        if count is not None
    ]
    columns = ["time_period", "geographic_level", "new_la_code", "prov_type", "total"]
    pd.DataFrame(counts, columns=columns).to_csv(folder / "ap_counts_2018_2023.csv.gz", index=False)
    ages = [
        ("202223", code, age, count)
        for code in (CUMBRIA[0], CODES[3])
        for age, count in (("Age 4", 5), ("Age 9", 20), ("Age 14", 60), ("Age 17", 10), ("Age 19 plus", 5), ("Total", 100))
    ]
    pd.DataFrame(ages, columns=["time_period", "new_la_code", "age", "number_of_pupils"]).to_csv(
        folder / "la_funded_ap_by_age.csv", index=False
    )


def _geography(folder: Path) -> None:
    lookup = [(code, name, dfe, region, code) for code, (dfe, name, region) in COUNCILS.items()]
    columns = ["la_code_ons", "la_name", "la_code_dfe", "region_name", "la_code_ons_published"]
    pd.DataFrame(lookup, columns=columns).to_csv(folder / "boundaries" / "la_lookup.csv", index=False)
    lsoas, shapes = [], []
    for council, code in enumerate(CODES):
        for place in range(6):
            west, south = 400_000.0 + 2_000 * place, 200_000.0 + 3_000 * council
            lsoas.append(
                {
                    "lsoa21_code": f"E01{council}{place}",
                    "lsoa21_name": f"{COUNCILS[code][1]} 00{place // 3}{'ABC'[place % 3]}",
                    "msoa21_code": f"E02{council}{place // 3}",
                    "msoa21_name": f"{COUNCILS[code][1]} 00{place // 3}",
                    "la_code_ons": code,
                    "easting": west + 1_000,
                    "northing": south + 1_000,
                    "pop_0_15": 300.0 + 10 * place,
                    "imd2025_score": 60.0 - 9 * place,
                    "imd2025_decile": 1.0 + place,
                    "rural": int(place >= 4),
                    "mye2020_0_4": 100.0,
                    "mye2020_5_10": 120.0 + place,
                    "mye2020_11_15": 90.0 + 5 * place,
                    "mye2020_16_18": 50.0,
                    "mye2020_19_24": 80.0 + 400 * (place == 0),
                }
            )
            shapes.append(shapely.box(west, south, west + 2_000, south + 2_000))
    table = pd.DataFrame(lsoas)
    table.to_parquet(folder / "demand" / "lsoa21_england.parquet")
    shape = gpd.GeoDataFrame({"lsoa21_code": table["lsoa21_code"]}, geometry=shapes, crs="EPSG:27700").to_crs("EPSG:4326")
    shape.to_parquet(folder / "boundaries" / "lsoa21_england.parquet")
    old = table["lsoa21_code"].str.replace("E01", "E00")
    single = {  # more people than in the table above, so that not every resident has a plan
        f"age_{age}": 40 * table[f"mye2020_{low}_{high}"] / (high - low + 1)
        for low, high in ((0, 4), (5, 10), (11, 15), (16, 18), (19, 24))
        for age in range(low, high + 1)
    }
    pd.DataFrame({"lsoa11_code": old, **single, "age_25": 7.0}).to_parquet(folder / "demand" / "lsoa11_mye2020_age0_25.parquet")
    pairs = pd.DataFrame({"lsoa11_code": old, "lsoa21_code": table["lsoa21_code"], "change_code": "U"})
    pairs.to_csv(folder / "demand" / "lsoa11_lsoa21_lookup.csv.gz", index=False)
