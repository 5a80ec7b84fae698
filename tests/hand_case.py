"""A case small enough to check by hand: two councils, four areas, three schools, one year's placements, three projects.

Everything in it is consistent: no check finds anything. Tests break it on purpose, one thing at a time.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import geopandas as gpd
import pandas as pd

from sufficiency.case import Case, Source, validated
from sufficiency.tables.schemas import SCHEMAS
from sufficiency.terms import GROUP_OF_NEED, NEED_GROUPS, SETTING_KINDS, SEVERITIES

YEARS = ("2022/23", "2023/24", "2024/25")
BASE = "2021/22"
AREAS = {"A1": ("N1", 400_000, 300_000), "A2": ("N1", 404_000, 300_000), "A3": ("N2", 400_000, 306_000), "A4": ("N2", 404_000, 306_000)}
SITES = {"100001": (401_000, 301_000), "100002": (403_000, 305_000), "100003": (402_000, 303_000), "new-1": (402_000, 302_000)}
DEMAND = {"ASD": 20.0, "SEMH": 10.0}


def table(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the validated table ``name``."""
    return validated(name, pd.DataFrame(rows, columns=list(SCHEMAS[name].to_schema().columns)))


def hand_case() -> Case:
    """The case, made anew."""
    return Case(
        name="Two towns",
        level="msoa",
        base_january=2022,
        academic_years=YEARS,
        programme="test programme",
        price_base="2022-23",
        areas=_areas(),
        councils=table("councils", [_council("N1", "North"), _council("N2", "South")]),
        pupils=_pupils(),
        settings=_settings(),
        pools=_pools(),
        placements=_placements(),
        projects=_projects(),
        funds=table("funds", [_fund(council, year) for council in ("N1", "N2") for year in ("2022-23", "2023-24")]),
        travel=_travel(),
        suitability=_suitability(),
        sources=(Source("Drawn by hand", "The tests", "1", "MIT", "0" * 64),),
        totals={
            "published": {council: {"ehc_plans": 120.0} for council in ("N1", "N2")},
            "completed": {council: {"ehc_plans": 120.0} for council in ("N1", "N2")},
        },
        notes=("Drawn by hand.",),
    )


def changed(case: Case, name: str, row: int, **values: Any) -> Case:
    """The case with other values in one row (0 = first) of one table."""
    edited = getattr(case, name).copy()
    for column, value in values.items():
        edited.loc[row, column] = value
    return replace(case, **{name: edited})


def added(case: Case, name: str, row: dict[str, Any]) -> Case:
    """The case with one more row in one table."""
    return replace(case, **{name: pd.concat([getattr(case, name), pd.DataFrame([row])], ignore_index=True)})


def without(case: Case, name: str, keep: Any) -> Case:
    """The case with only the rows of one table that ``keep`` (a function of the table) marks true."""
    rows = getattr(case, name)
    return replace(case, **{name: rows[keep(rows)].reset_index(drop=True)})


def _areas() -> gpd.GeoDataFrame:
    return table(
        "areas",
        [
            {
                "area_id": area,
                "area_name": f"Area {area}",
                "council_code": council,
                "council_name": "North" if council == "N1" else "South",
                "region_name": "Testshire",
                "easting_m": easting,
                "northing_m": northing,
                "travel_class": "urban",
                "imd_decile": 5,
                "population_0_25": 2_000,
            }
            for area, (council, easting, northing) in AREAS.items()
        ],
    )


def _council(code: str, name: str) -> dict[str, Any]:
    return {"council_code": code, "council_name": name, "region_name": "Testshire", "unlocated_km": 40, "unlocated_minutes": 55}


def _pupils() -> pd.DataFrame:
    return table(
        "pupils",
        [
            {
                "area_id": area,
                "stream": "ehcp",
                "need": need,
                "phase": "PRI",
                "academic_year": year,
                "scenario": "central",
                "pupils_placed": placed,
                "pupils_mainstream": 15.0,
                "pupils_further_education": 0.0,
                "pupils_elsewhere": 0.0,
                "status": "fictional",
            }
            for (need, placed), area, year in product(DEMAND.items(), AREAS, (BASE, *YEARS))
        ],
    )


def _settings() -> pd.DataFrame:
    kinds = {"100001": "state_special", "100002": "state_special", "100003": "independent_special"}
    return table(
        "settings",
        [
            {
                "setting_id": setting,
                "name": f"School {setting}",
                "kind": kind,
                "council_code": "N2" if setting == "100002" else "N1",
                "easting_m": SITES[setting][0],
                "northing_m": SITES[setting][1],
                "age_low": 4,
                "age_high": 16,
                "roll": 40,
                "places": 45,
                "roll_status": "fictional",
                "places_status": "fictional",
            }
            for setting, kind in kinds.items()
        ],
    )


def _pools() -> pd.DataFrame:
    return table(
        "pools",
        [
            {
                "pool_id": f"{setting}-all",
                "setting_id": setting,
                "need_groups": "ASD|SEMH",
                "phases": "PRI|SEC",
                "places": 45,
                "places_total": 45,
                "growth_per_year": 0.05 if setting == "100003" else 0,
                "place_cost_gbp_per_year": 60_000 if setting == "100003" else 25_000,
                "places_at_risk": 0,
                "status": "fictional",
            }
            for setting in ("100001", "100002", "100003")
        ],
    )


def _placements() -> pd.DataFrame:
    """A third of each area's pupils in each school."""
    return table(
        "placements",
        [
            {
                "area_id": area,
                "pool_id": f"{setting}-all",
                "need_group": GROUP_OF_NEED[need],
                "phase": "PRI",
                "pupils": placed / 3,
                "status": "fictional",
            }
            for (need, placed), area, setting in product(DEMAND.items(), AREAS, ("100001", "100002", "100003"))
        ],
    )


def project(project_id: str, **values: Any) -> dict[str, Any]:
    """A project row that passes every check, with the given values in place of the usual ones."""
    return {
        "project_id": project_id,
        "name": f"Project {project_id}",
        "kind": "expansion",
        "effect": "add",
        "site_id": "100001",
        "council_code": "N1",
        "easting_m": SITES["100001"][0],
        "northing_m": SITES["100001"][1],
        "provision": "state_special",
        "need_groups": "ASD",
        "phases": "PRI",
        "module_places": 8,
        "min_places": 8,
        "max_places": 32,
        "fixed_cost_gbp": 200_000,
        "cost_per_place_gbp": 60_000,
        "stage_cost_gbp": 0,
        "max_stages": 1,
        "optimism_bias": 0.2,
        "lead_time_years": 1,
        "earliest_start": "2022-23",
        "spend_profile": "0.5|0.5",
        "life_years": 40,
        "place_cost_gbp_per_year": 26_000,
        "from_pool_id": None,
        "places_removed": 0,
        "places_kept": 0,
        "exclusive_group": None,
        "prerequisite": None,
        "decision": "open",
        "committed_places": None,
        "committed_start": None,
        "status": "fictional",
        **values,
    }


def _projects() -> pd.DataFrame:
    new_site = {"site_id": "new-1", "easting_m": SITES["new-1"][0], "northing_m": SITES["new-1"][1], "council_code": "N2"}
    return table(
        "projects",
        [
            project("P1", exclusive_group="either"),
            project("P2", kind="new_special", exclusive_group="either", **new_site),
            project("P3", decision="committed", committed_places=16, committed_start="2022-23"),
        ],
    )


def _fund(council: str, year: str) -> dict[str, Any]:
    return {
        "fund_id": f"{council}-capital",
        "programme": "test programme",
        "councils": council,
        "financial_year": year,
        "amount_gbp": 2_000_000,
        "eligible_kinds": "any",
        "carry_forward_share": 1,
        "status": "fictional",
    }


def _travel() -> pd.DataFrame:
    rows = []
    for (area, (_, east, north)), (site, (site_east, site_north)) in product(AREAS.items(), SITES.items()):
        km = 1.3 * ((east - site_east) ** 2 + (north - site_north) ** 2) ** 0.5 / 1000
        rows.append({"area_id": area, "site_id": site, "minutes": 3 + 2 * km, "km": km, "status": "estimated"})
    return table("travel", rows)


def _suitability() -> pd.DataFrame:
    return table(
        "suitability",
        [
            {"kind": kind, "need_group": group, "severity": severity, "suitable": True}
            for kind, group, severity in product(SETTING_KINDS, NEED_GROUPS, SEVERITIES)
        ],
    )
