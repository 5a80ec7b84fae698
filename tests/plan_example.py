# ruff: noqa: E501
"""A small invented case and a plan for it, for the tests of the outputs: consistent tables without running the solver."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from sufficiency.case import Case, Source, validated
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.terms import GROUP_OF_NEED, NEED_GROUPS, SETTING_KINDS, SEVERITIES, academic_year, financial_year

try:
    from sufficiency.plan import Plan, PlanTables
except ModuleNotFoundError:

    @dataclass(frozen=True)
    class PlanTables:  # type: ignore[no-redef]
        projects: pd.DataFrame
        places: pd.DataFrame
        placements: pd.DataFrame
        unmet: pd.DataFrame
        needs: pd.DataFrame
        funding: pd.DataFrame
        payments: pd.DataFrame
        travel: pd.DataFrame
        costs: pd.DataFrame

    @dataclass(frozen=True)
    class Plan:  # type: ignore[no-redef]
        summary: dict[str, Any]
        plan: PlanTables
        counterfactual: PlanTables
        rule: PlanTables

    standin = types.ModuleType("sufficiency.plan")
    standin.Plan, standin.PlanTables = Plan, PlanTables  # type: ignore[attr-defined]
    sys.modules["sufficiency.plan"] = standin

GROUPS = {"ASD": 0.34, "SLCN": 0.12, "SEMH": 0.2, "MLD": 0.12, "SLD": 0.12, "PHYS": 0.04, "AP": 0.06}
YEARS = tuple(academic_year(year) for year in range(2022, 2028))


def square_areas(side: int = 8, size_m: float = 3000.0) -> gpd.GeoDataFrame:
    """A square of areas in three councils, side by side."""
    rows = []
    for i in range(side * side):
        x, y = 400_000 + (i % side) * size_m, 250_000 + (i // side) * size_m
        council = min((i % side) * 3 // side, 2)
        rows.append({
            "area_id": f"E0200{i:04d}", "area_name": f"Area {i}", "council_code": f"E0600000{council}", "council_name": f"Council {'ABC'[council]}",
            "region_name": "Testshire", "easting_m": x + size_m / 2, "northing_m": y + size_m / 2, "travel_class": "rural",
            "imd_decile": i % 10 + 1, "population_0_25": 400.0, "geometry": shapely.box(x, y, x + size_m, y + size_m),
        })  # fmt: skip
    return gpd.GeoDataFrame(rows, crs="EPSG:27700")


def example_case(areas: gpd.GeoDataFrame | None = None, seed: int = 7, settings_per_council: int = 8, longest_min: float = 90) -> Case:
    """The case of these areas (64 squares in three councils by default), with demand, settings and ten projects a council."""
    areas = square_areas() if areas is None else areas
    rng = np.random.default_rng(seed)
    councils = (
        areas[["council_code", "council_name", "region_name"]]
        .drop_duplicates("council_code")
        .assign(unlocated_km=30.0, unlocated_minutes=45.0)
    )
    kinds = [*["state_special"] * 3, "resourced_provision", "resourced_provision", "ap", "independent_special", "non_maintained"]
    settings, pools, projects = [], [], []
    for c, council in enumerate(councils["council_code"]):
        homes = areas[areas["council_code"] == council]
        spots = homes.sample(settings_per_council + 4, random_state=seed + c, replace=len(homes) < settings_per_council + 4)
        for i in range(settings_per_council):
            kind, spot = kinds[i % len(kinds)], spots.iloc[i]
            setting_id = f"{100000 + c * 100 + i}"
            groups = "AP" if kind == "ap" else "|".join(rng.choice([g for g in GROUPS if g != "AP"], size=2, replace=False))
            places = float(rng.integers(20, 160))
            located = {"easting_m": spot["easting_m"], "northing_m": spot["northing_m"]}
            settings.append({"setting_id": setting_id, "name": f"{SETTING_KINDS[kind].split()[0]} {c}{i}", "kind": kind, "council_code": council, **located,
                             "age_low": 4.0, "age_high": 19.0, "roll": places, "places": places, "roll_status": "fictional", "places_status": "fictional"})  # fmt: skip
            pools.append({"pool_id": f"{setting_id}-1", "setting_id": setting_id, "need_groups": groups, "phases": "PRI|SEC", "places": places, "places_total": places,
                          "growth_per_year": 0.0, "place_cost_gbp_per_year": np.nan, "places_at_risk": 0.0, "at_risk_from": None, "status": "fictional"})  # fmt: skip
        for i, kind in enumerate(["new_special", "expansion", "resourced_provision", "resourced_provision"]):
            spot = spots.iloc[settings_per_council + i]
            site = f"{100000 + c * 100 + i}" if kind != "new_special" else f"NEW-{c}"
            home = next((s for s in settings if s["setting_id"] == site), None)
            projects.append({
                "project_id": f"P{c}{i}", "name": f"{kind.replace('_', ' ').capitalize()} {c}{i}", "kind": kind, "effect": "add", "site_id": site, "council_code": council,
                "easting_m": home["easting_m"] if home else spot["easting_m"], "northing_m": home["northing_m"] if home else spot["northing_m"],
                "provision": "resourced_provision" if kind == "resourced_provision" else "state_special", "need_groups": ["ASD|SEMH", "ASD", "SLCN|ASD", "MLD"][i], "phases": "PRI|SEC",
                "module_places": 8, "min_places": 8, "max_places": 160, "fixed_cost_gbp": 1e6, "cost_per_place_gbp": 60_000.0, "stage_cost_gbp": 1e5, "max_stages": 2,
                "optimism_bias": 0.24, "lead_time_years": 2, "earliest_start": "2022-23", "spend_profile": "0.5|0.5", "life_years": 40, "place_cost_gbp_per_year": np.nan,
                "from_pool_id": None, "places_removed": 0.0, "places_kept": 0.0, "exclusive_group": None, "prerequisite": None, "decision": "open",
                "committed_places": np.nan, "committed_start": None, "status": "fictional",
            })  # fmt: skip
        setting_id = f"UNLOC-{council}"
        settings.append({"setting_id": setting_id, "name": "Independent places elsewhere", "kind": "unlocated_independent", "council_code": council, "easting_m": np.nan, "northing_m": np.nan,
                         "age_low": np.nan, "age_high": np.nan, "roll": np.nan, "places": np.nan, "roll_status": "fictional", "places_status": "fictional"})  # fmt: skip
        pools.append({"pool_id": f"{setting_id}-1", "setting_id": setting_id, "need_groups": "|".join(GROUPS), "phases": "PRI|SEC", "places": 50.0, "places_total": 50.0,
                      "growth_per_year": 0.0, "place_cost_gbp_per_year": np.nan, "places_at_risk": 0.0, "at_risk_from": None, "status": "fictional"})  # fmt: skip
    settings_table, pools_table, projects_table = pd.DataFrame(settings), pd.DataFrame(pools), pd.DataFrame(projects)
    sites = pd.concat(
        [settings_table.rename(columns={"setting_id": "site_id"}), projects_table[projects_table["site_id"].str.startswith("NEW")]]
    )[["site_id", "easting_m", "northing_m"]].dropna()
    pairs = areas[["area_id", "easting_m", "northing_m"]].merge(sites, how="cross", suffixes=("", "_site"))
    km = np.hypot(pairs["easting_m"] - pairs["easting_m_site"], pairs["northing_m"] - pairs["northing_m_site"]) / 1000
    travel = pairs[["area_id", "site_id"]].assign(minutes=2.47 + 0.367 * km + 5.097 * np.sqrt(km), km=km * 1.3, status="estimated")
    travel = travel[travel["minutes"] < longest_min]
    pupils = pd.DataFrame([
        {"area_id": area, "stream": "ap" if need == "AP" else "ehcp", "need": "PD" if need == "PHYS" else need, "phase": phase, "academic_year": year, "scenario": "central",
         "pupils_placed": 10.0 * share * (0.6 if phase == "PRI" else 0.4) * (1.05**y), "pupils_mainstream": 10.0, "pupils_further_education": 0.0, "pupils_elsewhere": 0.0, "status": "fictional"}
        for area in areas["area_id"] for need, share in GROUPS.items() for phase in ("PRI", "SEC") for y, year in enumerate(("2021/22", *YEARS))
    ])  # fmt: skip
    placements = pupils[pupils["academic_year"] == "2021/22"].rename(columns={"pupils_placed": "pupils"})
    placements = placements.merge(areas[["area_id", "council_code"]], on="area_id").assign(
        pool_id=lambda t: "UNLOC-" + t["council_code"] + "-1", need_group=lambda t: t["need"].map(GROUP_OF_NEED)
    )
    funds = pd.DataFrame([{"fund_id": "HNPCA", "programme": "hnpca-2022-25", "councils": "|".join(councils["council_code"]), "financial_year": financial_year(2022 + y),
                           "amount_gbp": 2e7, "eligible_kinds": "any", "carry_forward_share": 1.0, "status": "fictional"} for y in range(3)])  # fmt: skip
    suitability = pd.DataFrame(
        [
            {"kind": kind, "need_group": group, "severity": severity, "suitable": True}
            for kind in SETTING_KINDS
            for group in NEED_GROUPS
            for severity in SEVERITIES
        ]
    )
    tables = {
        "areas": areas, "councils": councils, "pupils": pupils, "settings": settings_table, "pools": pools_table, "projects": projects_table, "funds": funds,
        "placements": placements[["area_id", "pool_id", "need_group", "phase", "pupils", "status"]], "travel": travel, "suitability": suitability,
    }  # fmt: skip
    return Case(
        name="Example & Co <region>", level="msoa", base_january=2022, academic_years=YEARS, programme="hnpca-2022-25", price_base="2024-25",
        sources=(Source("Example figures", "The test", "2022", "Open Government Licence v3.0", "0" * 64),), notes=("All figures are invented.",),
        **{name: validated(name, table) for name, table in tables.items()},
    )  # fmt: skip


def example_plan(case: Case, seed: int = 3) -> Plan:
    """A plan that builds every project, one of them in two stages; pupils go to the four nearest settings, the rest elsewhere."""
    before, after, rule = (_tables(case, seed, share) for share in (0.0, 1.0, 0.6))
    totals = {year: float(total) for year, total in after.unmet.groupby("academic_year")["pupils"].sum().items()}
    independent = [
        t.needs.groupby("academic_year")[["non_maintained", "independent_special", "unlocated_independent"]].sum().sum(axis=1)
        for t in (before, after)
    ]
    summary = {
        "case": case.name, "academic_years": list(case.academic_years), "programme": case.programme, "price_base": case.price_base,
        "termination": "time_limit", "objective_gbp": 3.171e8, "bound_gbp": 3.146e8, "gap_of_cost": 0.0079, "gap_of_saving": 0.19, "counterfactual_gbp": 3.3e8, "saving_gbp": 1.29e7,
        "cash_saving_gbp": 1.11e7, "rule_gbp": 3.2e8, "rule_saving_gbp": 1e7, "capital_gbp": float(after.projects["capital_gbp"].sum()), "new_places": float(after.projects["places"].sum()),
        "independent_avoided": {year: float(gain) for year, gain in (independent[0] - independent[1]).items()}, "unmet": totals, "wall_s": 600.2, "cpu_s": 1100.5, "peak_mb": 512.0,
        "inputs": {"areas.parquet": "0" * 64}, "version": "0.1.0", "travel_source": "estimated",
        "sensitivity": [{"what": "displacement.share", "value": v, "saving_gbp": 1.29e7 * v / 0.4} for v in (0.2, 0.4, 0.7, 1.0)]
        + [{"what": "time.tail_years", "value": v, "saving_gbp": 1e6 + v * 1.2e6} for v in (0, 10, 20)],
        "notes": list(case.notes),
    }  # fmt: skip
    return Plan(summary=summary, plan=after, counterfactual=before, rule=rule)


def _tables(case: Case, seed: int, share_built: float) -> PlanTables:
    rng = np.random.default_rng(seed)
    projects = case.projects[
        [
            "project_id",
            "name",
            "kind",
            "effect",
            "council_code",
            "site_id",
            "easting_m",
            "northing_m",
            "provision",
            "need_groups",
            "phases",
            "decision",
        ]
    ]
    projects = projects.head(int(len(projects) * share_built)).assign(
        stage=1, start_financial_year="2022-23", places=24.0, capital_gbp=3.3e6, capital_net_pv_gbp=2e6
    )
    projects["opens_academic_year"] = [case.academic_years[1 + i % 3] for i in range(len(projects))]
    second = projects.head(1).assign(stage=2, start_financial_year="2024-25", places=16.0, opens_academic_year=case.academic_years[4])
    projects = _shaped("projects", pd.concat([projects, second]))
    kind = case.settings.set_index("setting_id")["kind"]
    base = case.pools.assign(
        kind=case.pools["setting_id"].map(kind),
        council_code=case.pools["setting_id"].map(case.settings.set_index("setting_id")["council_code"]),
        is_new=False,
    )
    opened = (
        projects.drop(columns="kind")
        .rename(columns={"project_id": "pool_id", "site_id": "setting_id", "provision": "kind"})
        .assign(is_new=True)
    )
    columns = ["pool_id", "setting_id", "kind", "council_code", "is_new", "places", "need_groups"]
    places, placed, unmet = [], [], []
    rank = case.travel.sort_values("minutes")
    for year in case.academic_years:
        now = opened[opened["opens_academic_year"] <= year].groupby([c for c in columns if c != "places"], as_index=False)["places"].sum()
        pools = pd.concat([base[columns], now[columns]], ignore_index=True)
        demand = case.pupils[case.pupils["academic_year"] == year].assign(need_group=lambda t: t["need"].map(GROUP_OF_NEED))
        demand = demand.groupby(["area_id", "need_group", "phase"], as_index=False)["pupils_placed"].sum()
        long = pools.assign(need_group=pools["need_groups"].str.split("|")).explode("need_group")
        near = rank.merge(long, left_on="site_id", right_on="setting_id")[["area_id", "pool_id", "need_group", "minutes"]]
        near = near.sort_values("minutes").groupby(["area_id", "need_group"]).head(3)
        near["share"] = near.groupby(["area_id", "need_group"])["minutes"].transform(lambda m: 0.8 / len(m))
        part = demand.merge(near, on=["area_id", "need_group"])
        rest = demand.merge(case.areas[["area_id", "council_code"]], on="area_id")
        rest = rest.assign(pool_id="UNLOC-" + rest["council_code"] + "-1", share=0.15 - 0.08 * share_built)
        both = pd.concat([part, rest]).assign(academic_year=year, severity="complex", route="any")
        both["pupils"] = both["pupils_placed"] * both["share"] * rng.uniform(0.9, 1.0, len(both))
        placed.append(both.assign(entrants=both["pupils"] / 4))
        left = rest.assign(academic_year=year, severity="complex", route="any", pupils=rest["pupils_placed"] * (0.08 - 0.05 * share_built))
        unmet.append(left.assign(entrants=left["pupils"] / 4))
        use = both.groupby("pool_id")["pupils"].sum()
        pools = pools.assign(academic_year=year, pupils=pools["pool_id"].map(use).fillna(0.0), latent_pupils=0.0)
        places.append(pools.assign(over_places=(pools["pupils"] - pools["places"]).clip(lower=0)))
    placements, gaps, pool_table = (
        _shaped("placements", pd.concat(placed)),
        _shaped("unmet", pd.concat(unmet)),
        _shaped("places", pd.concat(places)),
    )
    council = case.areas.set_index("area_id")["council_code"]
    where = placements.merge(pool_table[["pool_id", "kind", "setting_id"]].drop_duplicates("pool_id"), on="pool_id").assign(
        council_code=lambda t: t["area_id"].map(council)
    )
    key = ["council_code", "need_group", "phase", "academic_year"]
    needs = where.pivot_table(index=key, columns="kind", values="pupils", aggfunc="sum", fill_value=0.0).reindex(
        columns=list(SETTING_KINDS), fill_value=0.0
    )
    needs = needs.join(gaps.groupby(key)["pupils"].sum().rename("unmet")).fillna(0.0)
    needs = needs.assign(demand=needs.sum(axis=1), in_new_places=0.0, latent=0.0).reset_index()
    trips = where.merge(case.travel, left_on=["area_id", "setting_id"], right_on=["area_id", "site_id"])
    travel = trips.groupby(key, as_index=False).agg(
        pupils=("pupils", "sum"),
        mean_min=("minutes", "mean"),
        median_min=("minutes", "median"),
        p90_min=("minutes", "max"),
        mean_km=("km", "mean"),
    )
    travel = travel.assign(over_45_min=0.0, over_75_min=0.0, travel_gbp=travel["pupils"] * 8_000.0)
    funding = case.funds.assign(
        carried_in_gbp=0.0, allocated_gbp=case.funds["amount_gbp"], spent_gbp=1e7 / 3, returned_gbp=0.0, carried_out_gbp=2e7 - 1e7 / 3
    )
    payments = (
        projects.groupby(["council_code", "kind"], as_index=False)["capital_gbp"]
        .sum()
        .assign(fund_id="HNPCA", financial_year="2022-23")
        .rename(columns={"capital_gbp": "amount_gbp"})
    )
    costs = pd.DataFrame(
        [
            {"item": item, "year": year, "gbp": 1e7 / 7, "present_value_gbp": 9e6 / 7, "is_cash": item != "unmet"}
            for item in ("places", "travel", "unmet")
            for year in case.academic_years
        ]
    )
    return PlanTables(projects=projects, places=pool_table, placements=placements, unmet=gaps, needs=_shaped("needs", needs), funding=_shaped("funding", funding),
                      payments=_shaped("payments", payments), travel=_shaped("travel", travel), costs=_shaped("costs", costs))  # fmt: skip


def _shaped(name: str, table: pd.DataFrame) -> pd.DataFrame:
    schema = PLAN_SCHEMAS[name].to_schema()
    return schema.validate(table[list(schema.columns)].reset_index(drop=True))
