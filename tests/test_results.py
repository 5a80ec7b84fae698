"""The tables of a plan add up: pupils, places, money and journeys, summed here once more from the tables and the case alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_region import planned, region, worlds, written

from sufficiency.audit import audit_plan
from sufficiency.plan import PlanTables
from sufficiency.tables.checks import report_case
from sufficiency.terms import GROUP_OF_NEED, SETTING_KINDS, start_of

SEEDS = (1, 5, 6)
"""Regions without a fault: in some others of this size the school at risk has fewer places than it stands to lose"""
WORLDS = ("plan", "counterfactual", "rule")
KEYS = ["need_group", "phase", "academic_year"]
PUPILS = 1e-4
"""Pupils by which a sum of thousands of rows may differ"""
POUND = 1.0

every_world = pytest.mark.parametrize(("seed", "world"), [(seed, world) for seed in SEEDS for world in WORLDS])
every_seed = pytest.mark.parametrize("seed", SEEDS)


def tables_of(seed: int, world: str) -> PlanTables:
    return worlds(planned(seed))[world]


def same(first: pd.Series, second: pd.Series, tolerance: float) -> None:
    first, second = first.align(second, fill_value=0.0)
    assert len(first)
    difference = (first - second).abs()
    assert difference.max() <= tolerance, f"{difference.idxmax()}: {first[difference.idxmax()]} and {second[difference.idxmax()]}"


def everyone(tables: PlanTables) -> pd.DataFrame:
    """Placed and unmet pupils alike."""
    return pd.concat([tables.placements, tables.unmet.assign(pool_id="unmet")])


def family_rates(seed: int) -> pd.Series:
    """Retention by need group and phase."""
    retention = region(seed).assumptions.table("retention")
    placed = planned(seed).plan.placements[["need_group", "phase"]].drop_duplicates()
    rates = [retention["AP"] if group == "AP" else retention.get(phase, 0.0) for group, phase in placed.itertuples(index=False)]
    return placed.assign(rate=rates).set_index(["need_group", "phase"])["rate"]


# Pupils


@every_world
def test_every_pupil_of_the_case_is_somewhere(seed: int, world: str) -> None:
    """By area, need group, phase and year, the case counts as many as are placed or without a place. (No count of the region
    falls faster than pupils leave.)"""
    case = region(seed)
    counted = case.pupils[(case.pupils["scenario"] == "central") & case.pupils["academic_year"].isin(case.academic_years)]
    counted = counted.assign(need_group=counted["need"].map(GROUP_OF_NEED)).groupby(["area_id", *KEYS])["pupils_placed"].sum()
    same(everyone(tables_of(seed, world)).groupby(["area_id", *KEYS])["pupils"].sum(), counted, 1e-6)


@every_world
def test_nobody_moves_before_the_phase_ends(seed: int, world: str) -> None:
    """Pupils of a year are those of the year before who stay, and the entrants: in every pool, area and class."""
    tables, rates = tables_of(seed, world).placements, family_rates(seed)
    row = ["area_id", "pool_id", "need_group", "severity", "phase", "route"]
    pupils = tables.pivot(index=row, columns="academic_year", values="pupils").fillna(0.0)
    entrants = tables.pivot(index=row, columns="academic_year", values="entrants").fillna(0.0)
    stay = rates.reindex(pd.MultiIndex.from_frame(pupils.index.to_frame()[["need_group", "phase"]])).to_numpy()
    for before, year in zip(pupils.columns[:-1], pupils.columns[1:], strict=True):
        assert np.abs(pupils[year] - stay * pupils[before] - entrants[year]).max() < 1e-6


@every_world
def test_base_year_pupils_stay_where_they_are(seed: int, world: str) -> None:
    case, first = region(seed), region(seed).academic_years[0]
    base = case.placements.groupby(["area_id", "pool_id", "need_group", "phase"])["pupils"].sum()
    stay = family_rates(seed).reindex(pd.MultiIndex.from_frame(base.index.to_frame()[["need_group", "phase"]])).to_numpy()
    placed = tables_of(seed, world).placements
    placed = placed[placed["academic_year"] == first].groupby(list(base.index.names))[["pupils", "entrants"]].sum()
    there = placed["pupils"] - placed["entrants"]
    same(there[there > 1e-9], base * stay, 1e-6)


@every_world
def test_new_places_hold_nobody_before_they_open(seed: int, world: str) -> None:
    tables, case = tables_of(seed, world), region(seed)
    lead = case.projects.set_index("project_id")["lead_time_years"]
    built = tables.projects
    years = built["opens_academic_year"].map(start_of) - built["start_financial_year"].map(start_of)
    assert (years.to_numpy() == lead[built["project_id"]].to_numpy()).all()
    opens = built.groupby("project_id")["opens_academic_year"].min()
    new = tables.places[tables.places["is_new"]]
    before = new[new["academic_year"] < new["pool_id"].map(opens)]
    assert len(before) if world == "plan" else True
    assert (before[["places", "pupils", "latent_pupils"]] == 0).all(axis=None)
    placed = tables.placements[tables.placements["pool_id"].isin(opens.index)]
    assert (placed["academic_year"].astype(str) >= placed["pool_id"].astype(str).map(opens)).all()


# Places, needs and journeys


@every_world
def test_pools_hold_the_pupils_placed_in_them(seed: int, world: str) -> None:
    tables = tables_of(seed, world)
    places = tables.places.set_index(["pool_id", "academic_year"])
    same(tables.placements.groupby(["pool_id", "academic_year"])["pupils"].sum(), places["pupils"], PUPILS)
    over = places["pupils"] + places["latent_pupils"] - places["places"]
    assert (over <= places["over_places"] + 1e-4).all()
    assert (places.loc[places["is_new"], "over_places"] == 0).all()


@every_world
def test_new_pools_have_the_places_that_projects_open(seed: int, world: str) -> None:
    tables, case = tables_of(seed, world), region(seed)
    adding = tables.projects[tables.projects["project_id"].isin(tables.places["pool_id"])]
    opened = {
        (project, year): rows.loc[rows["opens_academic_year"] <= year, "places"].sum()
        for project, rows in adding.groupby("project_id")
        for year in case.academic_years
    }
    new = tables.places[tables.places["is_new"]].set_index(["pool_id", "academic_year"])["places"]
    assert len(new) == len(opened)
    assert all(new[key] == places for key, places in opened.items())


@every_world
def test_needs_add_up_with_placements(seed: int, world: str) -> None:
    tables, case = tables_of(seed, world), region(seed)
    council = case.areas.set_index("area_id")["council_code"]
    kind = tables.places.drop_duplicates("pool_id").set_index("pool_id")["kind"]
    keys = ["council_code", *KEYS]
    needs = tables.needs.set_index(keys)
    placed = tables.placements.assign(council_code=tables.placements["area_id"].map(council), kind=tables.placements["pool_id"].map(kind))
    for name in SETTING_KINDS:
        same(placed[placed["kind"] == name].groupby(keys)["pupils"].sum(), needs[name], PUPILS)
    same(tables.unmet.groupby(keys)["pupils"].sum(), needs["unmet"], PUPILS)
    same(needs[[*SETTING_KINDS, "unmet"]].sum(axis=1), needs["demand"], PUPILS)


@every_world
def test_journeys_add_up_with_placements(seed: int, world: str) -> None:
    tables, case = tables_of(seed, world), region(seed)
    council = case.areas.set_index("area_id")["council_code"]
    sites = tables.places.drop_duplicates("pool_id").set_index("pool_id")
    placed = tables.placements.assign(
        council_code=tables.placements["area_id"].map(council),
        kind=tables.placements["pool_id"].map(sites["kind"]),
        site_id=tables.placements["pool_id"].map(sites["setting_id"]),
    )
    placed = placed[~placed["kind"].isin(["unlocated_independent", "unlocated_ap"])]
    placed = placed.merge(case.travel[["area_id", "site_id", "minutes", "km"]], on=["area_id", "site_id"], how="left")
    keys = ["council_code", *KEYS]
    travel = tables.travel.set_index(keys)
    same(placed.groupby(keys)["pupils"].sum(), travel["pupils"], PUPILS)
    assert placed["minutes"].notna().mean() > 0.95  # some base-year pupils travel from beyond the case's journeys
    known = placed.groupby(keys)["minutes"].count() == placed.groupby(keys)["minutes"].size()
    total = placed.assign(total=placed["pupils"] * placed["minutes"]).groupby(keys)["total"].sum()[known]
    same(total, (travel["pupils"] * travel["mean_min"]).reindex(total.index), 1e-2)
    assert (travel["median_min"] <= travel["p90_min"]).all()
    assert (travel["over_75_min"] <= travel["over_45_min"]).all()
    assert (travel["over_45_min"] <= travel["pupils"] + PUPILS).all()


# Money


@every_world
def test_every_fund_keeps_its_cash(seed: int, world: str) -> None:
    tables, case = tables_of(seed, world), region(seed)
    funding = tables.funding
    cash_in = funding["carried_in_gbp"] + funding["allocated_gbp"]
    cash_out = funding["spent_gbp"] + funding["returned_gbp"] + funding["carried_out_gbp"]
    assert (cash_in - cash_out).abs().max() < POUND
    for _, rows in funding.groupby("fund_id"):
        ordered = rows.sort_values("financial_year")
        assert (ordered["carried_in_gbp"].to_numpy()[1:] == ordered["carried_out_gbp"].to_numpy()[:-1]).all()
        assert ordered["carried_in_gbp"].iloc[0] == ordered["carried_out_gbp"].iloc[-1] == 0
    keys = ["fund_id", "financial_year"]
    allocated = funding.set_index(keys)["allocated_gbp"]
    same(allocated, case.funds.groupby(keys)["amount_gbp"].sum(), 0.01)
    same(funding.set_index(keys)["spent_gbp"], tables.payments.groupby(keys)["amount_gbp"].sum(), POUND)
    share = case.funds.set_index(keys)["carry_forward_share"].reindex(pd.MultiIndex.from_frame(funding[keys])).to_numpy()
    most = np.where(np.isnan(share), np.inf, share * cash_in)
    assert (funding["carried_out_gbp"] <= most + POUND).all()


@every_world
def test_funds_pay_for_every_project_and_for_nothing_else(seed: int, world: str) -> None:
    tables, case = tables_of(seed, world), region(seed)
    keys = ["council_code", "kind"]
    same(tables.projects.groupby(keys)["capital_gbp"].sum(), tables.payments.groupby(keys)["amount_gbp"].sum(), 2 * POUND)
    capital = tables.costs[tables.costs["item"] == "capital"]
    assert capital["gbp"].sum() == pytest.approx(tables.projects["capital_gbp"].sum(), abs=POUND)
    same(capital.set_index("year")["gbp"], tables.payments.groupby("financial_year")["amount_gbp"].sum(), 2 * POUND)
    price = case.projects.set_index("project_id").loc[tables.projects["project_id"]].reset_index()
    once = np.where(tables.projects["stage"] == 1, price["fixed_cost_gbp"], price["stage_cost_gbp"])
    adds = np.where(price["max_places"] > 0, tables.projects["places"], 0.0)
    expected = (once + price["cost_per_place_gbp"] * adds) * (1 + price["optimism_bias"])
    assert tables.projects["capital_gbp"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)


@every_seed
def test_the_headline_is_the_sum_of_the_lines(seed: int) -> None:
    plan = planned(seed)
    total = {name: tables.costs.loc[tables.costs["in_objective"], "present_value_gbp"].sum() for name, tables in worlds(plan).items()}
    summary = plan.summary
    assert summary["objective_gbp"] == pytest.approx(total["plan"], abs=POUND)
    assert summary["saving_gbp"] == pytest.approx(total["counterfactual"] - total["plan"], abs=POUND)
    assert summary["rule_saving_gbp"] == pytest.approx(total["counterfactual"] - total["rule"], abs=POUND)
    assert summary["bound_gbp"] <= summary["objective_gbp"] <= min(total["rule"], total["counterfactual"]) + POUND
    new = plan.plan.projects[(plan.plan.projects["decision"] == "open") & (plan.plan.projects["effect"] != "improve")]
    taken = region(seed).projects.set_index("project_id")["places_removed"].reindex(new["project_id"].unique()).sum()
    assert summary["places_opened"] == new["places"].sum()
    assert summary["new_places"] == new["places"].sum() - taken > 0
    kinds = ["non_maintained", "independent_special", "unlocated_independent"]
    avoided = plan.counterfactual.needs.groupby("academic_year")[kinds].sum().sum(axis=1)
    avoided = avoided - plan.plan.needs.groupby("academic_year")[kinds].sum().sum(axis=1)
    assert summary["independent_avoided"] == pytest.approx(avoided.to_dict(), abs=PUPILS)


@every_seed
def test_new_places_displace_no_more_than_their_share(seed: int) -> None:
    plan, share = planned(seed), region(seed).assumptions.number("displacement.share")
    assert not region(seed).assumptions.table("displacement.share_by_need_group")
    keys = ["council_code", *KEYS]
    kinds = ["non_maintained", "independent_special", "unlocated_independent"]
    before, after = (world.needs.set_index(keys)[kinds].sum(axis=1) for world in (plan.counterfactual, plan.plan))
    chosen = plan.plan.projects.loc[plan.plan.projects["decision"] == "open", "project_id"]
    council = region(seed).areas.set_index("area_id")["council_code"]
    new = plan.plan.placements[plan.plan.placements["pool_id"].isin(chosen)]
    new = new.assign(council_code=new["area_id"].map(council)).groupby(keys)["pupils"].sum()
    latent = plan.plan.needs.set_index(keys)["latent"]
    avoided = before.sub(after, fill_value=0.0)
    allowed = share * new.add(latent, fill_value=0.0)
    avoided, allowed = avoided.align(allowed, join="left", fill_value=0.0)
    assert (avoided <= allowed + 1e-3).all()
    assert avoided.sum() > 1


@every_seed
def test_the_audit_passes(seed: int, tmp_path: Path) -> None:
    case = region(seed)
    assert report_case(case).errors == []
    case_folder, plan_folder = written(planned(seed), case, tmp_path)
    report = audit_plan(case, plan_folder, case_folder=case_folder)
    assert report.breaches == ()
    assert report.passed
