"""A plan of a small fictional region made without the solver: consistent tables for the tests of the outputs.

Pupils go in equal parts to the three nearest suitable pools, the rest to independent places off the map, some to none.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from fixtures.region import fictional_region
from sufficiency.access import access_table
from sufficiency.case import Case
from sufficiency.plan import Plan, PlanTables
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.terms import GROUP_OF_NEED, SETTING_KINDS

STAGED = "P-SCHOOL-01"
EXPANSION = "P-EXPAND-01"
BUILT = ("P-COMMITTED", EXPANSION, STAGED, "P-SATELLITE-01", "P-NEW-TOWN", "P-EXPAND-03")
NEED_KEY = ["council_code", "need_group", "phase", "academic_year"]


def example_case() -> Case:
    """Three councils with 60 areas, seven planning years."""
    return fictional_region(seed=1, areas=60)


def example_plan(case: Case) -> Plan:
    """Six projects, one of them committed and one in two stages; the rule builds four of them."""
    before, after, rule = _tables(case, BUILT[:1], 0.7, 0.1), _tables(case, BUILT, 0.85, 0.04), _tables(case, BUILT[:4], 0.8, 0.06)
    return Plan(_summary(case, before, after), plan=after, counterfactual=before, rule=rule)


def _summary(case: Case, before: PlanTables, after: PlanTables) -> dict[str, Any]:
    off_the_map = [tables.needs.groupby("academic_year")["unlocated_independent"].sum() for tables in (before, after)]
    return {
        "case": case.name,
        "academic_years": list(case.academic_years),
        "programme": case.programme,
        "price_base": case.price_base,
        "termination": "time_limit",
        "objective_gbp": 3.171e8,
        "bound_gbp": 3.146e8,
        "gap_of_cost": 0.0079,
        "gap_of_saving": 0.19,
        "counterfactual_gbp": 3.3e8,
        "saving_gbp": 1.29e7,
        "cash_saving_gbp": 1.11e7,
        "rule_gbp": 3.2e8,
        "rule_saving_gbp": 1e7,
        "capital_gbp": float(after.projects["capital_gbp"].sum()),
        "new_places": float(after.projects["places"].sum()),
        "independent_avoided": {year: float(gain) for year, gain in (off_the_map[0] - off_the_map[1]).items()},
        "unmet": {year: float(total) for year, total in after.unmet.groupby("academic_year")["pupils"].sum().items()},
        "wall_s": 600.2,
        "cpu_s": 1100.5,
        "peak_mb": 512.0,
        "inputs": {"areas.parquet": "0" * 64},
        "version": "0.1.0",
        "travel_source": "estimated",
        "sensitivity": [
            *({"what": "displacement.share", "value": share, "saving_gbp": 1.29e7 * share / 0.4} for share in (0.2, 0.4, 0.7, 1.0)),
            *({"what": "time.tail_years", "value": years, "saving_gbp": 1e6 + years * 1.2e6} for years in (0, 10, 20)),
        ],
        "notes": ["The sensitivity keeps the plan's projects & <places>."],
    }


def _tables(case: Case, built: tuple[str, ...], near_share: float, unmet_share: float) -> PlanTables:
    projects = _projects(case, built)
    pools = _pools(case, projects)
    demand = case.pupils[case.pupils["academic_year"].isin(case.academic_years)]
    demand = demand.assign(need_group=demand["need"].map(GROUP_OF_NEED))
    demand = demand.groupby(["area_id", "need_group", "phase", "academic_year"], as_index=False)["pupils_placed"].sum()
    placements, unmet = _placements(case, pools, demand, near_share), _unmet(case, demand)
    placements["pupils"] *= 1 - unmet_share
    unmet["pupils"] *= unmet_share
    use = placements.groupby(["pool_id", "academic_year"])["pupils"].sum().rename("pupils")
    places = pools.merge(use, on=["pool_id", "academic_year"], how="left").fillna({"pupils": 0.0})
    places = places.assign(latent_pupils=0.0, over_places=(places["pupils"] - places["places"]).clip(lower=0))
    where = placements.merge(pools, on=["pool_id", "academic_year"], suffixes=("", "_pool"))
    where["provider_council"] = where["council_code"]
    where["council_code"] = where["area_id"].map(case.areas.set_index("area_id")["council_code"])
    spent = projects.groupby(["council_code", "kind", "start_financial_year"], as_index=False)["capital_gbp"].sum()
    spent = spent.rename(columns={"start_financial_year": "financial_year", "capital_gbp": "amount_gbp"})
    no_carry = {
        "carried_in_gbp": 0.0,
        "granted_gbp": 0.0,
        "transferred_in_gbp": 0.0,
        "transferred_out_gbp": 0.0,
        "spent_gbp": case.funds["amount_gbp"] / 2,
        "returned_gbp": case.funds["amount_gbp"] / 2,
        "carried_out_gbp": 0.0,
    }
    years = pd.DataFrame({"year": case.academic_years, "gbp": 1e7 / 7, "present_value_gbp": 9e6 / 7})
    return PlanTables(
        projects=projects,
        places=_shaped("places", places),
        placements=_shaped("placements", placements.assign(entrants=placements["pupils"] / 4)),
        unmet=_shaped("unmet", unmet.assign(entrants=unmet["pupils"] / 4)),
        needs=_needs(where, unmet),
        funding=_shaped("funding", case.funds.assign(allocated_gbp=case.funds["amount_gbp"], **no_carry)),
        payments=_shaped("payments", spent.assign(fund_id=case.funds["fund_id"].iloc[0])),
        travel=_travel(case, where),
        access=_access(case, places, demand),
        costs=_shaped(
            "costs",
            pd.concat(
                [years.assign(item="places", is_cash=True, in_objective=True), years.assign(item="unmet", is_cash=False, in_objective=True)]
            ),
        ),
        limits=_none("limits"),
        transfers=_none("transfers"),
        ledger=_ledger(where),
        high_needs_block=_none("high_needs_block"),
    )


def _projects(case: Case, built: tuple[str, ...]) -> pd.DataFrame:
    chosen = case.projects.set_index("project_id", drop=False).loc[list(built)]
    opens = [case.academic_years[1 + place % 3] for place in range(len(chosen))]
    first = chosen.assign(
        stage=1, start_financial_year="2022-23", places=24.0, capital_gbp=3.3e6, capital_net_pv_gbp=2e6, opens_academic_year=opens
    )
    second = first[first["project_id"] == STAGED].assign(
        stage=2, start_financial_year="2024-25", places=16.0, opens_academic_year=case.academic_years[5]
    )
    return _shaped("projects", pd.concat([first, second]))


def _pools(case: Case, projects: pd.DataFrame) -> pd.DataFrame:
    """Pools of every planning year, those of open projects included."""
    about = case.settings.set_index("setting_id")[["kind", "council_code"]]
    standing = case.pools.join(about, on="setting_id").assign(is_new=False)
    opened = projects.drop(columns="kind").rename(columns={"project_id": "pool_id", "site_id": "setting_id", "provision": "kind"})
    columns = ["pool_id", "setting_id", "kind", "council_code", "need_groups", "phases"]
    parts = []
    for year in case.academic_years:
        new = opened[opened["opens_academic_year"] <= year].groupby(columns, as_index=False)["places"].sum().assign(is_new=True)
        parts.append(pd.concat([standing[[*columns, "places", "is_new"]], new], ignore_index=True).assign(academic_year=year))
    return pd.concat(parts, ignore_index=True)


def _placements(case: Case, pools: pd.DataFrame, demand: pd.DataFrame, near_share: float) -> pd.DataFrame:
    open_for = (
        pools.assign(need_group=pools["need_groups"].str.split("|"), phase=pools["phases"].str.split("|"))
        .explode("need_group")
        .explode("phase")
    )
    near = demand.merge(open_for, on=["need_group", "phase", "academic_year"]).merge(
        case.travel, left_on=["area_id", "setting_id"], right_on=["area_id", "site_id"]
    )
    key = ["area_id", "need_group", "phase", "academic_year"]
    near = near[near["minutes"].notna()].sort_values(["minutes", "pool_id"]).groupby(key).head(3)
    near = near.assign(pupils=near["pupils_placed"] * near_share / near.groupby(key)["pool_id"].transform("size"))
    placed = near.groupby(key)["pupils"].sum().rename("near")
    rest = demand.merge(case.areas[["area_id", "council_code"]], on="area_id").join(placed, on=key).fillna({"near": 0.0})
    rest = rest.assign(pupils=rest["pupils_placed"] - rest["near"], pool_id="unlocated-" + rest["council_code"])
    return pd.concat([near, rest])[[*key, "pool_id", "pupils"]].assign(severity="complex", route="any")


def _unmet(case: Case, demand: pd.DataFrame) -> pd.DataFrame:
    table = demand.merge(case.areas[["area_id", "council_code"]], on="area_id").rename(columns={"pupils_placed": "pupils"})
    return table.assign(severity="complex", route="any")


def _needs(where: pd.DataFrame, unmet: pd.DataFrame) -> pd.DataFrame:
    placed = where.pivot_table(index=NEED_KEY, columns="kind", values="pupils", aggfunc="sum", fill_value=0.0).reindex(
        columns=list(SETTING_KINDS), fill_value=0.0
    )
    table = placed.join(unmet.groupby(NEED_KEY)["pupils"].sum().rename("unmet"), how="outer").fillna(0.0)
    return _shaped("needs", table.assign(demand=table.sum(axis=1), in_new_places=0.0, latent=0.0).reset_index())


def _ledger(where: pd.DataFrame) -> pd.DataFrame:
    abroad = where[where["council_code"] != where["provider_council"]].rename(columns={"council_code": "home_council"})
    sector = abroad["kind"].isin(["state_special", "resourced_provision", "ap"]).map({True: "state", False: "independent"})
    key = ["home_council", "provider_council", "sector", "academic_year"]
    return _shaped("ledger", abroad.assign(sector=sector).groupby(key, as_index=False)["pupils"].sum().assign(adjustment_gbp=0.0))


def _travel(case: Case, where: pd.DataFrame) -> pd.DataFrame:
    trips = where.merge(case.travel, left_on=["area_id", "setting_id"], right_on=["area_id", "site_id"])
    trips = trips.assign(pupil_minutes=trips["pupils"] * trips["minutes"], pupil_km=trips["pupils"] * trips["km"])
    by = trips.groupby(NEED_KEY, as_index=False)
    table = by.agg(
        pupils=("pupils", "sum"),
        pupil_minutes=("pupil_minutes", "sum"),
        pupil_km=("pupil_km", "sum"),
        median_min=("minutes", "median"),
        p90_min=("minutes", "max"),
    )
    table = table[table["pupils"] > 0]
    means = {"mean_min": table["pupil_minutes"] / table["pupils"], "mean_km": table["pupil_km"] / table["pupils"]}
    return _shaped("travel", table.assign(over_45_min=0.0, over_75_min=0.0, travel_gbp=table["pupils"] * 8_000.0, **means))


def _access(case: Case, places: pd.DataFrame, demand: pd.DataFrame) -> pd.DataFrame:
    families = demand[["need_group", "phase"]].drop_duplicates(ignore_index=True)
    areas = pd.Index(case.areas["area_id"])
    whole = pd.MultiIndex.from_product([areas, pd.MultiIndex.from_frame(families), case.academic_years])
    cells = [(area, *family, year) for area, family, year in whole]
    pupils = demand.set_index(["area_id", "need_group", "phase", "academic_year"])["pupils_placed"].reindex(cells, fill_value=0.0)
    return _shaped(
        "access",
        access_table(
            case, places.drop(columns=["need_groups", "phases"]), areas, families, pupils.to_numpy().reshape(len(areas), len(families), -1)
        ),
    )


def _none(name: str) -> pd.DataFrame:
    """A table of a plan without rows."""
    columns = PLAN_SCHEMAS[name].to_schema().columns
    return _shaped(
        name, pd.DataFrame({column: pd.Series(dtype="float64" if "float" in str(of.dtype) else "str") for column, of in columns.items()})
    )


def _shaped(name: str, table: pd.DataFrame) -> pd.DataFrame:
    schema = PLAN_SCHEMAS[name].to_schema()
    return schema.validate(table[list(schema.columns)].reset_index(drop=True))
