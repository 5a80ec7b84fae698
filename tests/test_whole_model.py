"""Each part of a capital programme as arrays, checked by hand on the tiny case: 2022/23 to 2024/25, A 80 places, B 100, GBP 10m."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_case import table

from fixtures.tiny import COUNCIL, INDEPENDENT, NORTH, SOUTH, STATE, tiny_case
from sufficiency.case import Case
from sufficiency.finance import places_per_pupil
from sufficiency.formulate import Formulation, formulate, outside_optimisation
from sufficiency.request import PlanRequest, checked_request
from sufficiency.tables.problems import InputError

CASE = tiny_case()


def project(case: Case, name: str, **values: Any) -> Case:
    """The case with other values in the row of one project."""
    projects = case.projects.copy()
    for column, value in values.items():
        if isinstance(value, str):
            projects[column] = projects[column].astype(object)
        projects.loc[projects["project_id"] == name, column] = value
    return replace(case, projects=projects)


def assume(case: Case, **figures: Any) -> Case:
    values = {name.replace("__", "."): value for name, value in figures.items()}
    return replace(case, assumptions=case.assumptions.override(values, "the test"))


def of(formulation: Formulation, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Starts of a project."""
    options = formulation.problem.options
    return np.array([options.labels[j] == name for j in options.start_option], bool)


# Projects


def test_ramp_up_and_upper_use_scale_the_places() -> None:
    found = formulate(project(CASE, "B", ramp_up="0.5|0.8|1", most_use_share=0.9))
    assert found.problem.options.fill is not None
    # B may open in 2023/24 or in 2024/25
    assert found.problem.options.fill[of(found, "B")].tolist() == [[0, 0.45, pytest.approx(0.72)], [0, 0, 0.45]]
    assert found.problem.options.fill[of(found, "A")].tolist() == [[0, 1, 1], [0, 0, 1]]


def test_temporary_places_run_off_with_their_pupils() -> None:
    found = formulate(project(CASE, "B", expires_after_years=1))
    assert found.problem.options.fill is not None
    assert found.problem.options.fill[of(found, "B")].tolist() == [[0, 1, 0.5], [0, 0, 1]]  # half of a roll stays a year


def test_places_are_lost_while_it_is_built() -> None:
    found = formulate(project(CASE, "A", from_pool_id=STATE, disruption_places=12.0, disruption_years=1))
    assert found.problem.options.disrupted is not None
    assert found.problem.options.disrupted[of(found, "A")].tolist() == [[12, 0, 0], [0, 12, 0]]


def test_an_improvement_opens_places_to_other_needs_and_leaves_base_pupils_in_theirs() -> None:
    case = project(
        CASE, "A", kind="improvement", effect="improve", from_pool_id=STATE, min_places=0, max_places=0, places_improved=40.0,
        need_groups="SEMH", wheelchair_access=True, place_cost_gbp_per_year=22_000.0,
    )  # fmt: skip
    found = formulate(case)
    pool = found.pools.set_index("pool_id").loc["A"]
    assert (pool["need_groups"], pool["kind"], pool["site_id"], pool["place_cost_gbp_per_year"]) == (
        "SEMH|PHYS",
        "state_special",
        STATE,
        22_000,
    )
    options = found.problem.options
    assert (options.module[0], options.min_modules[0], options.max_modules[0], options.removed[0]) == (40, 1, 1, 40)
    # of 200 places 100, 50 and 25 are held by pupils of the base January in the three years: a half, a quarter, an eighth
    assert options.fill is not None
    assert options.disrupted is not None
    assert options.fill[of(found, "A")][0].tolist() == [0, 0.75, 0.875]
    assert options.disrupted[of(found, "A")][0].tolist() == [0, -10, -5]


def test_an_improvement_that_changes_nothing_is_named() -> None:
    case = project(CASE, "A", effect="improve", from_pool_id=STATE, min_places=0, max_places=0)
    assert outside_optimisation(case.projects) == ["A"]
    assert outside_optimisation(project(case, "A", overcrowding_places=5.0).projects) == []


def test_optimism_bias_is_the_projects_own_else_that_of_the_stage_else_that_of_the_kind() -> None:
    case = project(CASE, "A", optimism_bias=np.nan, business_case="OBC")
    case = project(case, "B", optimism_bias=np.nan)
    found = formulate(case).problem.options
    assert found.module_spend.sum(axis=1).tolist() == pytest.approx([8e6 * 1.15] * 2 + [9e6 * 1.24] * 2)


def test_prices_of_england_take_the_regions_factor_and_rise_to_the_year_of_spend() -> None:
    case = assume(project(CASE, "A", price_area="England"), capital__inflation_per_year=0.1)
    case = replace(case, price_base="2022-23", councils=case.councils.assign(region_name="London"))
    found = formulate(case).problem.options
    # starts in 2022-23 and 2023-24
    assert found.module_spend.sum(axis=1).tolist() == pytest.approx([8e6 * 1.2, 8e6 * 1.2 * 1.1, 9e6, 9e6 * 1.1])


def test_bundles_lags_parents_and_crews() -> None:
    case = project(project(CASE, "B", parent="A", prerequisite_lag_years=1, bundle="both"), "A", bundle="both")
    case = replace(case, councils=case.councils.assign(most_building=1.0))
    problem = formulate(case).problem
    assert problem.options.prerequisite.tolist() == [-1, 0]
    assert problem.pins is not None
    assert problem.crews is not None
    assert (problem.pins.lag.tolist(), problem.pins.bundle.tolist()) == ([0, 1], [0, 0])
    assert problem.crews.limit.tolist() == [[1.0] * len(problem.years)]
    # A is built in one year, whichever it starts in: its places open in the next September
    assert problem.crews.building[of(formulate(case), "A")][:, :2].tolist() == [[True, False], [False, True]]


def test_a_bundle_with_a_forbidden_project_cannot_be_built() -> None:
    case = project(project(CASE, "A", bundle="both", decision="forbidden"), "B", bundle="both")
    assert formulate(case).projects.empty


def test_least_use_after_settling() -> None:
    viability = formulate(project(CASE, "B", viable_pupils=60.0, least_use_share=0.85, viable_after_years=1)).problem.viability
    assert viability is not None
    assert (viability.least.tolist(), viability.share.tolist(), viability.settle.tolist()) == ([0, 60], [0, 0.85], [0, 1])
    assert viability.breach_cost == 10_000


def test_cash_instead_of_a_school_pays_into_a_fund() -> None:
    case = project(
        CASE, "A", kind="cash_per_place", effect="grant", min_places=0, max_places=0, grant_fund="HIGH-NEEDS", grant_places=150.0,
        grant_gbp_per_place=50_000.0, grant_profile="0.4|0.6", exclusive_group="school or cash",
    )  # fmt: skip
    case = project(case, "B", kind="free_school", exclusive_group="school or cash")
    found = formulate(case)
    grants = found.problem.grants
    assert grants is not None
    assert grants.fund.tolist() == [0, -1]
    assert grants.amount[of(found, "A")].sum(axis=1).tolist() == [7.5e6, 7.5e6]
    assert grants.amount[of(found, "A")][0, :2].tolist() == pytest.approx([3e6, 4.5e6])
    assert found.problem.options.pool.tolist()[0] == -1


# Pins


def pinned(*pins: dict[str, Any]) -> Case:
    return PlanRequest(pins=pins).applied_to(CASE)


def test_pins_choose_starts() -> None:
    barred = formulate(pinned({"project": "A", "wish": "must_not"}))
    assert not (barred.problem.options.start_option == 0).any()
    assert barred.problem.options.labels == ("A", "B"), "what is known of a plan without the pin still fits"
    later = formulate(pinned({"project": "A", "wish": "not_before", "year": "2024/25"}))
    assert later.problem.options.start_opens[of(later, "A")].tolist() == [2]
    soon = formulate(pinned({"project": "B", "wish": "must", "year": "2022-23"}, {"project": "B", "wish": "at_least", "places": 90}))
    assert soon.problem.options.start_opens[of(soon, "B")].tolist() == [1]
    assert soon.problem.pins is not None
    assert (soon.problem.pins.must.tolist(), soon.problem.pins.least_modules.tolist()) == ([False, True], [0, 1])


def test_every_fault_of_the_pins_and_budgets_is_named_at_once() -> None:
    asked = PlanRequest(
        pins=(
            {"project": "Z", "wish": "must"},
            {"project": "A", "wish": "must"},
            {"project": "A", "wish": "must_not"},
            {"project": "B", "wish": "must", "year": "2021/22"},
            {"project": "B", "wish": "at_least", "places": 101},
        ),
        budgets=(
            {"fund": "none", "financial_year": "2022-23", "amount_gbp": 1.0},
            {"fund": "HIGH-NEEDS", "financial_year": "2022-23", "change_gbp": -2e7},
        ),
        suitability="1996",
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        asked.applied_to(CASE)
    text = str(caught.value)
    for words in (
        "does not have",
        "must and must not",
        "no start lies within",
        "asks for 101 places",
        "names a fund",
        "leaves -10,000,000",
        "no such version",
    ):
        assert words in text


def test_faults_of_a_request_are_found_without_a_case() -> None:
    given = {
        "pins": [{"project": "A"}, {"project": "A", "wish": "may", "when": 3}],
        "budgets": [{"fund": "F", "financial_year": "2022/23"}],
        "equity": [{"by": "age", "measure": "unmet", "within_share": 0.1}],
        "top_slice": {"share": 2},
        "perspective": "mine",
        "pooling": "all",
    }
    with pytest.raises(InputError) as caught:
        checked_request(given, "request.toml")
    assert len(caught.value.problems) == 10


# Money


def fund(name: str, council: str = COUNCIL, **values: Any) -> dict[str, Any]:
    return {str(key): value for key, value in CASE.funds.iloc[0].items()} | {"fund_id": name, "councils": council, **values}


def with_funds(*rows: dict[str, Any], case: Case = CASE) -> Case:
    return replace(case, funds=pd.concat([case.funds, table("funds", list(rows))], ignore_index=True))


def test_budgets_change_a_fund() -> None:
    more = {"fund": "HIGH-NEEDS", "financial_year": "2022-23", "change_gbp": 5e5}
    new = {"fund": "HIGH-NEEDS", "financial_year": "2023-24", "amount_gbp": 1e6}
    assert formulate(PlanRequest(budgets=(more, new)).applied_to(CASE)).problem.funds.amount[0].tolist()[:3] == [1.05e7, 1e6, 0]


def test_money_moves_as_agreed() -> None:
    rows = [
        {"from_fund": "AP", "to_fund": "HIGH-NEEDS", "limit_gbp": 3e5},
        {"from_fund": "AP", "to_fund": "HIGH-NEEDS", "financial_year": "2023-24", "limit_gbp": 0.0},
    ]
    case = replace(with_funds(fund("AP", eligible_kinds="new_ap")), transfers=table("transfers", rows))
    transfers = formulate(case).problem.transfers
    assert transfers is not None
    assert (transfers.source.tolist(), transfers.target.tolist()) == ([0], [1])
    assert transfers.limit[0].tolist()[:3] == [3e5, 0, 3e5]


def test_a_partnership_pools_the_funds_of_its_councils() -> None:
    councils = pd.concat([CASE.councils, CASE.councils.assign(council_code="F06000010")], ignore_index=True)
    case = with_funds(fund("OTHER", "F06000010"), case=replace(CASE, councils=councils.assign(partnership="East")))
    pooled = PlanRequest(pooling="partnership").applied_to(case)
    assert sorted(zip(pooled.transfers["from_fund"], pooled.transfers["to_fund"], strict=True)) == [
        ("HIGH-NEEDS", "OTHER"),
        ("OTHER", "HIGH-NEEDS"),
    ]
    with pytest.raises(InputError, match="in a partnership"):
        PlanRequest(pooling="partnership").applied_to(CASE)


def test_a_top_slice_is_held_for_councils_in_deficit_and_loses_no_pound() -> None:
    case = PlanRequest(top_slice={"share": 0.1, "councils": [COUNCIL]}).applied_to(with_funds(fund("BORROW", kind="borrowing")))
    by_fund = case.funds.set_index("fund_id")["amount_gbp"]
    assert by_fund.to_dict() == {"HIGH-NEEDS": 9e6, "BORROW": 1e7, "top-slice": 1e6}


def test_least_shares_name_funds_kinds_and_councils() -> None:
    rows = [
        {"label": "a tenth for AP", "kinds": "new_ap|ap_expansion", "share": 0.1},
        {"label": "improve", "kinds": "improvement", "amount_gbp": 5e5},
    ]
    shares = formulate(replace(CASE, shares=table("shares", rows))).problem.shares
    assert shares is not None
    assert (shares.share.tolist(), shares.amount.tolist()) == ([0.1, 0], [0, 5e5])
    assert (shares.kinds.sum(axis=1).tolist(), shares.funds.tolist(), shares.owners.tolist()) == (
        [2, 1],
        [[True], [True]],
        [[True], [True]],
    )


def test_grants_are_free_to_the_council_and_borrowing_is_repaid() -> None:
    case = assume(
        with_funds(fund("LOAN", kind="borrowing", interest_rate=0.05, term_years=2), fund("OWN", kind="council")), time__discount_rate=0.035
    )
    problem = formulate(PlanRequest(perspective="council").applied_to(case)).problem
    assert problem.options.module_cost.tolist() == [0, 0, 0, 0]
    assert problem.funds.payment_cost is not None
    assert problem.funds.labels == ("HIGH-NEEDS", "LOAN", "OWN")
    yearly = 0.05 / (1 - 1.05**-2)
    assert problem.funds.payment_cost[:, 0].tolist() == pytest.approx([0, yearly * (1 / 1.035 + 1 / 1.035**2), 1])
    assert formulate(case).problem.funds.payment_cost is None


def test_the_social_perspective_adds_carers_time_and_carbon() -> None:
    case = assume(CASE, social__carer_share=0.25, social__carbon_gbp_per_tonne=270)
    plain, social = (formulate(PlanRequest(perspective=name).applied_to(case)).problem.links for name in ("exchequer", "social"))
    # 10 minutes and 5 km, 380 journeys a year: a quarter with a carer at GBP 7 an hour; 0.2 kg a km at GBP 270 a tonne, less where shared
    carers, carbon = 380 * 10 / 60 * 0.25 * 7, 380 * 5 * 0.2 / 1_000 * 270
    added = (social.cost - plain.cost)[plain.minutes == 10]
    assert ((carers + 0.75 * carbon - 1e-9 <= added) & (added <= carers + carbon + 1e-9)).all()


def test_a_price_cap_reaches_the_places() -> None:
    case = assume(CASE, costs__price_cap={"ASD": 55_000}, costs__price_factor={"independent_special": 1.1})
    found = formulate(case)
    cost = dict(zip(found.pools["pool_id"], found.place_cost[0], strict=True))
    assert (cost[STATE], cost[INDEPENDENT]) == (20_000, 55_000)
    assert formulate(assume(CASE, costs__price_factor={"independent_special": 1.1})).place_cost[0].tolist()[1] == pytest.approx(66_000)


def test_levers_set_the_fees_of_a_plan(tmp_path: Path) -> None:
    """30 % less from January 2023 on, fully from January 2025: 10, 20 and 30 %; each planning year weighs the same here."""
    file = tmp_path / "cheaper.toml"
    file.write_text(
        'name = "Cheaper"\n[[price]]\ncategory = "independent_special"\nchange = -0.3\nstart = 2023\nfull = 2025\n'
        '[[price]]\ncategory = "independent_special"\ncap_gbp = 50000\nstart = 2025\n'
    )
    figures = PlanRequest(levers=(str(file),)).applied_to(CASE).assumptions
    assert figures.table("costs.price_factor")["independent_special"] == pytest.approx(1 - 0.2)
    assert figures.table("costs.price_cap")["ASD"] == 50_000
    own = PlanRequest(levers=(str(file),), assumptions={"costs.price_cap": {"ASD": 45_000}}).applied_to(CASE).assumptions
    assert own.table("costs.price_cap")["ASD"] == 45_000
    with pytest.raises(InputError, match="no such lever"):
        PlanRequest(levers=("nil",)).applied_to(CASE)


# Pupils


def test_agreed_caps_count_those_who_are_there_already() -> None:
    councils = pd.concat([CASE.councils, CASE.councils.assign(council_code="F06000010")], ignore_index=True)
    areas = CASE.areas.copy()
    areas.loc[areas["area_id"] == "F01900002", "council_code"] = "F06000010"
    rows = [
        {"home_council": "F06000010", "provider_council": COUNCIL, "most_pupils": 60.0},
        {"home_council": "F06000010", "provider_council": COUNCIL, "academic_year": "2024/25", "most_pupils": 5.0},
    ]
    found = formulate(replace(CASE, councils=councils, areas=areas, borders=table("borders", rows)))
    quotas = found.problem.quotas
    assert quotas is not None
    assert [group for group, pool in zip(quotas.pool_group, found.pools["pool_id"], strict=True) if pool in (STATE, INDEPENDENT)] == [0, -1]
    # 100 of the south were in the state school in January 2022: 50, 25 and 12.5 stay
    assert quotas.limit[1, 0].tolist() == [10, 35, 0]
    assert np.isinf(quotas.limit[0]).all()


def test_outreach_takes_pupils_out_of_demand_up_to_a_share() -> None:
    row = {
        "reduction_id": "R", "name": "Outreach", "council_code": COUNCIL, "need_group": "ASD", "phases": "PRI|SEC", "first_year": "2023/24",
        "capacity": 120.0, "elasticity": 0.25, "most_share": 0.05, "gbp_per_year": 1e5,
    }  # fmt: skip
    found = formulate(replace(CASE, reductions=table("reductions", [row])))
    assert found.demand.reduced[0, 0].tolist() == [0, 18, 20]  # 30 at most, but 5 % of 360 and of 400
    assert found.demand.demand.sum(axis=(0, 1)).tolist() == pytest.approx([320, 342, 380])
    assert found.problem.constant - formulate(CASE).problem.constant == pytest.approx(2e5)


def test_short_stays_share_a_place() -> None:
    case = assume(CASE, ap__weeks_of_stay=13)
    assert formulate(case).problem.demand.load is None  # nobody of the tiny case is in AP without a plan
    assert places_per_pupil(case, pd.DataFrame({"need_group": ["AP", "ASD"]})).tolist() == pytest.approx([1 / 3, 1])


def test_equity_floors_weigh_a_group_against_its_share_of_demand() -> None:
    areas = CASE.areas.assign(imd_decile=[1, 9])
    asked = PlanRequest(equity=({"by": "deprivation", "measure": "unmet", "within_share": 0.1},))
    measures = formulate(asked.applied_to(replace(CASE, areas=areas))).problem.measures
    assert measures is not None
    # both areas have half of the demand: 1 - 1.1 / 2 inside, -1.1 / 2 outside
    order = dict(zip(formulate(CASE).problem.demand.origins, measures.weight[0], strict=True))
    assert order == {NORTH: pytest.approx(0.45), SOUTH: pytest.approx(-0.55)}
    assert measures.labels[0] == "deprivation fifth 1: share of pupils without a place at most 10% above average"
