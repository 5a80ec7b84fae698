"""Parts of a capital programme in solved plans: what the pencil finds, and an audit that finds nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_case import table
from test_whole_model import CASE, assume, fund, project, with_funds

from fixtures.tiny import COUNCIL, SOUTH, STATE
from sufficiency.audit import audit_plan
from sufficiency.case import Case
from sufficiency.outputs.csvw import write_table
from sufficiency.outputs.folder import SUBFOLDERS
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.problems import InputError
from sufficiency.workflow import as_planned, plan_case

EXACT = PlanRequest(sensitivity=False, gap=1e-9, threads=1)


def planned(case: Case, folder: Path, **asked: Any) -> Plan:
    """The plan, once it is proven and its folder has passed the audit of the case as the plan says that it was changed."""
    request = replace(EXACT, **asked)
    plan = plan_case(case, request)
    for world, subfolder in SUBFOLDERS.items():
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
        for name in PLAN_SCHEMAS:
            write_table(getattr(getattr(plan, world), name), name, folder / subfolder, request.applied_to(case))
    (folder / "plan.json").write_text(json.dumps(plan.summary, default=str), encoding="utf-8")
    assert audit_plan(as_planned(case, folder), folder).breaches == ()
    assert plan.summary["gap_of_cost"] < 1e-6  # the tables add up to what the solver has proven
    return plan


def built(plan: Plan) -> list[tuple[str, str]]:
    return list(zip(plan.plan.projects["project_id"], plan.plan.projects["opens_academic_year"], strict=True))


def places(plan: Plan, pool: str) -> list[float]:
    of_pool = plan.plan.places[plan.plan.places["pool_id"] == pool]
    return of_pool.sort_values("academic_year")["places"].tolist()


def test_ramp_up_use_and_disruption(tmp_path: Path) -> None:
    case = project(CASE, "B", ramp_up="0.5|1", most_use_share=0.9, from_pool_id=STATE, disruption_places=20.0, disruption_years=1)
    plan = planned(case, tmp_path, pins=({"project": "B", "wish": "must", "year": "2022-23"},))
    assert built(plan) == [("B", "2023/24")]
    assert places(plan, "B") == pytest.approx([0, 45, 90])
    assert places(plan, STATE) == pytest.approx([180, 200, 200])


def test_temporary_places_take_no_entrants_after_their_time(tmp_path: Path) -> None:
    plan = planned(project(CASE, "B", expires_after_years=1), tmp_path, pins=({"project": "B", "wish": "must", "year": "2022-23"},))
    assert places(plan, "B") == [0, 100, 50]
    mine = plan.plan.placements[plan.plan.placements["pool_id"] == "B"].groupby("academic_year")["entrants"].sum()
    assert mine.to_dict() == pytest.approx({"2023/24": 100, "2024/25": 0}, abs=1e-6)


def test_temporary_places_of_the_last_year_are_paid_for_through_the_tail(tmp_path: Path) -> None:
    """B opens in 2023/24 for two years; the last stands for five more. Seven years of use at 9m for two: 7 / 2 - 1 = 2.5 times 9m more."""
    case = replace(CASE, assumptions=CASE.assumptions.override({"time.tail_years": 5}, "a test"))
    saving = 5.5e6 + 6 * 6.85e6 - 9e6
    for years, again in ((2.0, 22.5e6), (np.nan, 0.0)):
        plan = planned(project(case, "B", expires_after_years=years), tmp_path, pins=({"project": "B", "wish": "must", "year": "2022-23"},))
        credit = plan.plan.costs.set_index("item").loc["capital_credit", "gbp"]
        assert credit == pytest.approx(again, abs=1)
        assert plan.summary["saving_gbp"] == pytest.approx(saving - again, abs=10)


def test_temporary_places_that_are_gone_by_the_last_year_leave_no_value(tmp_path: Path) -> None:
    """B has a life of 40 years on paper but expires after one: nothing is left of it at the end, and nothing is provided again."""
    temporary = project(CASE, "B", expires_after_years=1, life_years=40)
    plan = planned(temporary, tmp_path, pins=({"project": "B", "wish": "must", "year": "2022-23"},))
    assert plan.plan.costs.set_index("item").loc["capital_credit", "gbp"] == pytest.approx(0, abs=1e-6)


def test_an_improvement_lowers_running_cost_of_places_that_become_free(tmp_path: Path) -> None:
    case = project(
        CASE, "A", kind="improvement", effect="improve", from_pool_id=STATE, min_places=0, max_places=0, places_improved=200.0,
        cost_per_place_gbp=1_000.0, place_cost_gbp_per_year=10_000.0,
    )  # fmt: skip
    plan = planned(project(case, "B", decision="forbidden"), tmp_path)
    assert built(plan) == [("A", "2023/24")]
    assert places(plan, "A") == [0, 150, 175]  # 50 and 25 of the base January keep theirs
    assert places(plan, STATE) == [200, 50, 25]
    assert (plan.summary["new_places"], plan.summary["capital_gbp"]) == (0, 200_000)
    # those who entered in 2022/23 stay where they are, at 20,000: 50 of 150 free places in 2023/24, 25 of 175 in 2024/25 are not yet theirs
    assert plan.summary["saving_gbp"] > 1_000_000


def test_cash_instead_of_a_school_pays_for_another_project(tmp_path: Path) -> None:
    case = project(
        CASE, "A", kind="cash_per_place", effect="grant", min_places=0, max_places=0, fixed_cost_gbp=0.0, cost_per_place_gbp=0.0,
        lead_time_years=0, grant_fund="HIGH-NEEDS", grant_places=100.0, grant_gbp_per_place=50_000.0,
    )  # fmt: skip
    case = replace(case, funds=case.funds.assign(amount_gbp=4e6))
    plan = planned(case, tmp_path)
    assert sorted(name for name, _ in built(plan)) == ["A", "B"]
    funding = plan.plan.funding.set_index("financial_year").loc["2022-23"]
    assert (funding["granted_gbp"], funding["spent_gbp"], funding["allocated_gbp"]) == (5e6, 9e6, 4e6)


def test_money_moves_between_funds_up_to_the_limit(tmp_path: Path) -> None:
    funds = with_funds(fund("AP", eligible_kinds="new_ap", amount_gbp=3e6))
    funds = replace(funds, funds=funds.funds.assign(amount_gbp=[6e6, 3e6]))
    assert built(planned(funds, tmp_path / "none")) == []
    rows = [{"from_fund": "AP", "to_fund": "HIGH-NEEDS", "limit_gbp": 3e6}]
    plan = planned(replace(funds, transfers=table("transfers", rows)), tmp_path / "moved")
    assert [name for name, _ in built(plan)] == ["B"]
    assert plan.plan.transfers["amount_gbp"].tolist() == [3e6]
    rows[0]["limit_gbp"] = 2.9e6
    assert [name for name, _ in built(planned(replace(funds, transfers=table("transfers", rows)), tmp_path / "less"))] == ["A"]


def test_a_least_share_buys_an_improvement_that_is_outside_the_optimisation(tmp_path: Path) -> None:
    case = project(CASE, "A", kind="improvement", effect="improve", from_pool_id=STATE, min_places=0, max_places=0, fixed_cost_gbp=6e5)
    assert [name for name, _ in built(planned(case, tmp_path / "none"))] == ["B"]
    shares = table("shares", [{"label": "improve", "kinds": "improvement", "amount_gbp": 5e5}])
    plan = planned(replace(case, shares=shares), tmp_path / "some")
    assert sorted(name for name, _ in built(plan)) == ["A", "B"]
    assert plan.summary["outside_optimisation"] == ["A"]


def test_a_pin_is_kept_though_it_costs_and_a_clash_is_named(tmp_path: Path) -> None:
    plan = planned(CASE, tmp_path, pins=({"project": "A", "wish": "must", "note": "agreed by cabinet"},))
    assert [name for name, _ in built(plan)] == ["A"]
    assert plan.summary["saving_gbp"] == pytest.approx(2.3e6)
    assert plan.summary["request"]["pins"][0]["note"] == "agreed by cabinet"
    poor = ({"fund": "HIGH-NEEDS", "financial_year": "2022-23", "amount_gbp": 1e6},)
    with pytest.raises(InputError, match=r"can.t hold together"):
        plan_case(CASE, replace(EXACT, pins=({"project": "A", "wish": "must"},), budgets=poor))


def test_crews_let_one_project_start_at_a_time(tmp_path: Path) -> None:
    rich = replace(CASE, funds=CASE.funds.assign(amount_gbp=3e7), councils=CASE.councils.assign(most_building=1.0))
    pins = ({"project": "A", "wish": "must"}, {"project": "B", "wish": "must"})
    plan = planned(rich, tmp_path, pins=pins)
    assert sorted(year for _, year in built(plan)) == ["2023/24", "2024/25"]


def test_bundles_and_lags(tmp_path: Path) -> None:
    rich = replace(CASE, funds=CASE.funds.assign(amount_gbp=3e7))
    later = planned(project(rich, "B", parent="A", prerequisite_lag_years=1), tmp_path / "lag")
    assert dict(built(later)).get("B", "2024/25") == "2024/25"
    poor = planned(replace(CASE, projects=CASE.projects.assign(bundle="both")), tmp_path / "bundle")
    assert built(poor) == []  # 17m are not there


def test_too_few_pupils_weigh_on_a_new_place(tmp_path: Path) -> None:
    case = assume(project(CASE, "B", viable_pupils=120.0), viability__weight=1_000)
    plan = planned(case, tmp_path, pins=({"project": "B", "wish": "must", "year": "2022-23"},))
    rows = plan.plan.limits
    assert rows["breach"].tolist() == pytest.approx([20, 20])
    weights = plan.plan.costs[plan.plan.costs["item"] == "least_use_weight"]["gbp"].tolist()
    assert weights == pytest.approx([0, 20_000, 20_000])


def two_councils() -> Case:
    councils = pd.concat([CASE.councils, CASE.councils.assign(council_code="F06000010", council_name="Inkshire")], ignore_index=True)
    areas = CASE.areas.copy()
    areas.loc[areas["area_id"] == SOUTH, ["council_code", "council_name"]] = ["F06000010", "Inkshire"]
    return replace(CASE, councils=councils, areas=areas)


def test_a_cap_across_borders_and_the_ledger(tmp_path: Path) -> None:
    cap = table("borders", [{"home_council": "F06000010", "provider_council": COUNCIL, "most_pupils": 60.0}])
    plan = planned(assume(replace(two_councils(), borders=cap), borders__weight=1e6), tmp_path)
    ledger = plan.plan.ledger[plan.plan.ledger["sector"] == "state"].set_index("academic_year")
    assert (ledger["pupils"] <= 60 + 1e-6).all()
    assert ledger["adjustment_gbp"].to_numpy() == pytest.approx(6_000 * ledger["pupils"].to_numpy())
    block = plan.plan.high_needs_block
    assert block.groupby("financial_year")["import_export_gbp"].sum().to_numpy() == pytest.approx(
        0, abs=1e-3
    )  # what one pays the other gets


def test_an_equity_floor_shares_what_is_missing(tmp_path: Path) -> None:
    """Without places off the map 30 and more find none; the north is nearer to both schools only by minutes."""
    case = assume(CASE, independent__unlocated_cap=0.0)
    areas = case.areas.assign(imd_decile=[1, 9])
    plan = planned(replace(case, areas=areas), tmp_path, equity=({"by": "deprivation", "measure": "unmet", "within_share": 0.0},))
    assert len(plan.plan.limits) == 2
    assert plan.plan.limits["breach"].max() == pytest.approx(0, abs=1e-3)
    unmet = plan.plan.unmet.groupby("area_id")["pupils"].sum()
    assert unmet.iloc[0] == pytest.approx(unmet.iloc[1], rel=1e-3)


def test_the_council_borrows_when_it_pays_and_takes_grants_for_nothing(tmp_path: Path) -> None:
    loan = with_funds(fund("LOAN", kind="borrowing", interest_rate=0.0, term_years=3, amount_gbp=1e7))
    free = planned(CASE, tmp_path / "free", perspective="council")
    assert free.summary["objective_gbp"] == pytest.approx(42.85e6 - 9e6)
    rows = [{"from_fund": "HIGH-NEEDS", "to_fund": "LOAN", "limit_gbp": 0.0}]
    case = replace(loan, funds=loan.funds.assign(amount_gbp=[0.0, 1e7]), transfers=table("transfers", rows))
    plan = planned(case, tmp_path / "loan", perspective="council")
    own = plan.plan.costs[plan.plan.costs["item"] == "own_capital"]
    assert own["gbp"].sum() == pytest.approx(9e6)
    assert plan.summary["objective_gbp"] == pytest.approx(42.85e6)


def test_the_social_perspective_counts_carers_and_carbon(tmp_path: Path) -> None:
    case = assume(CASE, social__carer_share=0.25, social__carbon_gbp_per_tonne=270)
    public, social = planned(case, tmp_path / "public"), planned(case, tmp_path / "social", perspective="social")
    lines = social.plan.costs[social.plan.costs["item"] == "social"]
    assert lines["in_objective"].all()
    assert social.summary["objective_gbp"] == pytest.approx(public.summary["objective_gbp"] + lines["present_value_gbp"].sum(), rel=1e-4)
    assert not public.plan.costs.set_index("item").loc["social", "in_objective"].any()


def test_outreach_is_paid_and_reported_apart(tmp_path: Path) -> None:
    row = {
        "reduction_id": "R", "name": "Outreach", "council_code": COUNCIL, "need_group": "ASD", "phases": "SEC", "first_year": "2023/24",
        "capacity": 40.0, "elasticity": 0.5, "most_share": 0.5, "gbp_per_year": 1e5,
    }  # fmt: skip
    plan = planned(replace(CASE, reductions=table("reductions", [row])), tmp_path)
    assert plan.summary["kept_out_of_demand"] == pytest.approx({"2022/23": 0, "2023/24": 20, "2024/25": 20})
    assert plan.plan.costs[plan.plan.costs["item"] == "outreach"]["gbp"].tolist() == [0, 1e5, 1e5]


def test_a_conversion_says_what_it_takes_and_what_it_leaves(tmp_path: Path) -> None:
    case = project(CASE, "B", effect="convert", from_pool_id=STATE, places_removed=30.0)
    plan = planned(case, tmp_path, pins=({"project": "B", "wish": "must"},))
    assert [plan.summary[name] for name in ("places_opened", "places_removed", "new_places")] == [100, 30, 70]


def test_the_high_needs_block_shows_the_deficit(tmp_path: Path) -> None:
    years = {"2022-23": 1.2e7, "2023-24": 1.2e7, "2024-25": 1.2e7}
    rows = [{"council_code": COUNCIL, "financial_year": year, "block_gbp": gbp} for year, gbp in years.items()]
    rows[0] |= {"deficit_brought_forward_gbp": 1e6, "deficit_programme": "Safety Valve"}
    plan = planned(replace(CASE, high_needs=table("high_needs", rows)), tmp_path)
    block = plan.plan.high_needs_block.set_index("financial_year")
    # 5/12 of 2021/22 (200 in state at 20,000, 100 at 60,000) and 7/12 of 2022/23 (11.8m)
    first = 5 / 12 * 1e7 + 7 / 12 * 1.18e7
    assert block["spend_gbp"].tolist() == pytest.approx([first, 5 / 12 * 1.18e7 + 7 / 12 * 9.9e6, 5 / 12 * 9.9e6 + 7 / 12 * 1.215e7])
    assert block["cumulative_deficit_gbp"].tolist()[0] == pytest.approx(1e6 + first - 1.2e7)
    assert block["deficit_programme"].tolist()[0] == "Safety Valve"
    assert np.isfinite(block["cumulative_deficit_gbp"]).all()


def test_a_price_cap_lowers_the_saving(tmp_path: Path) -> None:
    plan = planned(CASE, tmp_path, assumptions={"costs.price_cap": {"ASD": 40_000}})
    # 150 x 40,000 in the place of 90,000 and 60,000 pounds: B would save 100 x 20,000 twice and cost 9m
    assert built(plan) == []
