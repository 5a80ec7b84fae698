"""From case to plan: the pencil's figures, an independent flow programme over every choice of projects, and what must hold of any case."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from small_region import QUICK, planned, region

from fixtures.tiny import INDEPENDENT, STATE, UNLOCATED, tiny_case
from solver.result import Decisions
from solver.solve import SolveOptions, solve
from sufficiency.case import Case
from sufficiency.formulate import formulate, with_floor
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.tables.checks import report_case
from sufficiency.tables.problems import InputError
from sufficiency.workflow import plan_case

EXACT = PlanRequest(sensitivity=False, gap=1e-9, threads=1)
CASE = tiny_case()
POUND = 1.0
INDEPENDENT_COLUMNS = ["non_maintained", "independent_special", "unlocated_independent"]


def exact(case: Case, **assumptions: Any) -> Plan:
    return plan_case(case, replace(EXACT, assumptions=assumptions))


@cache
def plain() -> Plan:
    return exact(CASE)


def changed(table: str, **values: Any) -> Case:
    return replace(CASE, **{table: getattr(CASE, table).assign(**values)})


def costs_of(plan: Plan, world: str, item: str) -> list[float]:
    costs = getattr(plan, world).costs
    return costs.loc[costs["item"] == item, "gbp"].tolist()


# The pencil


def test_the_plan_is_the_one_the_pencil_finds() -> None:
    plan = plain()
    project = plan.plan.projects.iloc[0]
    assert len(plan.plan.projects) == 1
    assert (project["project_id"], project["start_financial_year"], project["opens_academic_year"]) == ("B", "2022-23", "2023/24")
    assert (project["places"], project["capital_gbp"]) == (100, 9_000_000)
    assert plan.summary["termination"] == "optimal"
    assert plan.summary["saving_gbp"] == pytest.approx(3_350_000, abs=POUND)
    assert plan.summary["counterfactual_gbp"] == pytest.approx(46_200_000, abs=POUND)
    assert plan.summary["objective_gbp"] == pytest.approx(11_800_000 + 9_900_000 + 12_150_000 + 9_000_000, abs=POUND)
    assert plan.summary["bound_gbp"] == pytest.approx(plan.summary["objective_gbp"], abs=POUND)


@pytest.mark.parametrize(
    ("world", "running"), [("counterfactual", (11_800_000, 15_400_000, 19_000_000)), ("plan", (11_800_000, 9_900_000, 12_150_000))]
)
def test_every_year_costs_what_the_pencil_says(world: str, running: tuple[float, ...]) -> None:
    plan = plain()
    yearly = np.add(costs_of(plan, world, "state_places"), costs_of(plan, world, "independent_places"))
    assert yearly == pytest.approx(running, abs=POUND)


@pytest.mark.parametrize(
    ("world", "pupils"),
    [
        ("counterfactual", {STATE: (200, 200, 200), INDEPENDENT: (100, 100, 100), UNLOCATED: (20, 60, 100)}),
        ("plan", {STATE: (200, 200, 200), INDEPENDENT: (100, 50, 95), UNLOCATED: (20, 10, 5), "B": (0, 100, 100)}),
    ],
)
def test_every_pool_holds_the_pupils_the_pencil_says(world: str, pupils: dict[str, tuple[int, ...]]) -> None:
    places = getattr(plain(), world).places
    found = {str(pool): tuple(rows["pupils"]) for pool, rows in places.groupby("pool_id")}
    assert found == {pool: pytest.approx(counts, abs=1e-4) for pool, counts in pupils.items()}


def test_a_case_that_may_build_nothing_saves_nothing() -> None:
    assert exact(changed("projects", decision=["forbidden", "forbidden"])).summary["saving_gbp"] == pytest.approx(0, abs=POUND)


def test_a_alone_saves_what_the_pencil_says() -> None:
    assert exact(changed("projects", decision=["open", "forbidden"])).summary["saving_gbp"] == pytest.approx(2_300_000, abs=POUND)


def test_b_a_year_later_saves_what_the_pencil_says() -> None:
    later = replace(changed("projects", decision=["forbidden", "open"], earliest_start="2023-24"))
    plan = exact(later)
    assert plan.plan.projects["opens_academic_year"].tolist() == ["2024/25"]
    assert plan.summary["saving_gbp"] == pytest.approx(1_600_000, abs=POUND)
    assert costs_of(plan, "plan", "capital_credit") == pytest.approx([-4_500_000])


# Every choice of projects, each costed by a linear programme of its own

RETENTION = 0.5
DEMAND = (300.0, 320.0, 360.0, 400.0)
BASE = {STATE: 200.0, INDEPENDENT: 100.0, UNLOCATED: 0.0}
COST = {STATE: 20_000.0, INDEPENDENT: 60_000.0, UNLOCATED: 90_000.0, "A": 20_000.0, "B": 20_000.0}
PRICE = {"A": (80, 8_000_000.0), "B": (100, 9_000_000.0)}


def by_hand(opens: dict[str, int], phi: float = 1.0, floor: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """Cost of three years with these openings, and independent entrants still there by year; no code of the product takes part."""
    pools = [STATE, INDEPENDENT, UNLOCATED, *opens]
    places = {STATE: (200.0,) * 3, INDEPENDENT: (100.0,) * 3, UNLOCATED: tuple(0.5 * d for d in DEMAND[1:])}
    for project, opening in opens.items():
        places[project] = tuple(PRICE[project][0] * (t >= opening) for t in range(3))
    stay = np.array([[RETENTION ** (t - u) if t >= u else 0.0 for t in range(3)] for u in range(3)])
    column = {pair: k for k, pair in enumerate(product(pools, range(3)))}
    cost = np.array([COST[pool] * stay[u].sum() for pool, u in column])
    over, limit = [], []
    for pool, t in product(pools, range(3)):
        over.append([stay[u, t] * (i == pool) for i, u in column])
        limit.append(places[pool][t] - BASE.get(pool, 0.0) * RETENTION ** (t + 1))
    outside = np.array([[stay[u, t] * (i in (INDEPENDENT, UNLOCATED)) for i, u in column] for t in range(3)])
    if floor is not None:
        new = np.array([[stay[u, t] * (i in opens) for i, u in column] for t in range(3)])
        over += list(-(outside + phi * new))
        limit += list(-floor)
    entrants = [DEMAND[u + 1] - RETENTION * DEMAND[u] for u in range(3)]
    each_year = [[float(u == entry) for _, u in column] for entry in range(3)]
    found = linprog(cost, A_ub=over, b_ub=limit, A_eq=each_year, b_eq=entrants)
    assert found.status == 0
    base = sum(BASE[pool] * COST[pool] * RETENTION**t for pool in BASE for t in (1, 2, 3))
    capital = sum(PRICE[project][1] * (1 - max(0.0, 1 - (3 - opening) / 2)) for project, opening in opens.items())
    return float(found.fun) + base + capital, outside @ found.x


def test_the_plan_is_the_best_of_every_choice() -> None:
    without, floor = by_hand({})
    # the fund pays for one project; a start in the first or second year opens in the second or third
    choices = [{}, *({project: opens} for project in PRICE for opens in (1, 2))]
    costs = [by_hand(choice, 1.0, floor)[0] for choice in choices]
    plan = plain()
    assert plan.summary["counterfactual_gbp"] == pytest.approx(without, abs=POUND)
    assert plan.summary["objective_gbp"] == pytest.approx(min(costs), abs=POUND)
    assert choices[int(np.argmin(costs))] == {"B": 1}


@pytest.mark.parametrize("phi", [0.0, 0.2, 0.4, 0.7, 1.0])
def test_the_displacement_share_costs_what_a_programme_of_its_own_says(phi: float) -> None:
    without, floor = by_hand({})
    costs = [without, *(by_hand({project: opens}, phi, floor)[0] for project in PRICE for opens in (1, 2))]
    assert exact(CASE, **{"displacement.share": phi}).summary["objective_gbp"] == pytest.approx(min(costs), abs=10)


# What must hold of any case


def with_funds(case: Case, factor: float) -> Case:
    return replace(case, funds=case.funds.assign(amount_gbp=case.funds["amount_gbp"] * factor))


def test_no_money_saves_nothing() -> None:
    for case, request in ((with_funds(CASE, 0), EXACT), (with_funds(region(1), 0), QUICK)):
        case = replace(case, projects=case.projects[case.projects["decision"] != "committed"])
        plan = plan_case(case, request)
        assert plan.summary["saving_gbp"] == 0
        assert plan.summary["new_places"] == plan.summary["capital_gbp"] == 0
        for name, table in vars(plan.plan).items():
            pd.testing.assert_frame_equal(table, getattr(plan.counterfactual, name), check_exact=True)


def test_more_money_never_costs_more() -> None:
    costs = [exact(with_funds(CASE, share)).summary["objective_gbp"] for share in (0, 0.8, 0.9, 1.7)]
    assert (np.diff(costs) <= POUND).all()
    assert costs[0] - costs[2] == pytest.approx(3_350_000, abs=POUND)


def test_more_money_never_costs_more_in_a_region() -> None:
    """Within a gap of 5 % a search may end anywhere: the dearer programme begins from the cheaper one's plan."""
    less = planned(1)
    more = plan_case(with_funds(region(1), 2), QUICK, base=less)
    assert more.summary["bound_gbp"] <= less.summary["objective_gbp"]
    assert more.summary["objective_gbp"] < less.summary["objective_gbp"]
    assert more.summary["counterfactual_gbp"] == pytest.approx(less.summary["counterfactual_gbp"], rel=1e-6)


def test_money_has_no_unit_of_its_own() -> None:
    """All prices, weights and funds in another currency: the same projects, and the objective in that currency."""
    k = 2.5
    prices = ["costs.state_special", "costs.independent_special", "unmet.weight", "overcrowding.weight", "travel.excess_weight"]
    case = with_funds(changed("projects", cost_per_place_gbp=CASE.projects["cost_per_place_gbp"] * k), k)
    plan, before = exact(case, **{name: CASE.assumptions.number(name) * k for name in prices}), plain()
    assert plan.summary["objective_gbp"] == pytest.approx(k * before.summary["objective_gbp"], rel=1e-9)
    columns = ["project_id", "stage", "start_financial_year", "places"]
    pd.testing.assert_frame_equal(plan.plan.projects[columns], before.plan.projects[columns])


def test_places_that_displace_nothing_leave_independent_placements_alone() -> None:
    case = replace(CASE, assumptions=CASE.assumptions.override({"displacement.share": 0}, "test"))
    bare = formulate(case)
    k = len(bare.problem.options.start_option)
    none = Decisions(np.zeros(k, np.int64), np.zeros(k, np.int64), np.zeros(k, np.int64))
    options = SolveOptions(gap=1e-9, threads=1)
    without = solve(bare.problem, options, fixed=none)
    b = int(np.nonzero(bare.projects["project_id"] == "B")[0][0])
    first = int(np.nonzero(bare.problem.options.start_option == b)[0][0])
    start = np.zeros(k, np.int64)
    start[first] = 1
    built = solve(with_floor(bare, without.flows).problem, options, fixed=Decisions(start, start, none.stage))
    # nobody leaves an independent school for the new places, and journeys cost nothing here: all that is left is the capital
    assert built.upper - without.upper == pytest.approx(9_000_000, abs=10)
    plan = exact(CASE, **{"displacement.share": 0})
    assert plan.summary["saving_gbp"] == 0
    assert plan.plan.projects.empty


def test_places_that_displace_nothing_leave_independent_placements_of_a_region_alone() -> None:
    plan = plan_case(region(1), replace(QUICK, assumptions={"displacement.share": 0}))
    keys = ["council_code", "need_group", "phase", "academic_year"]
    after, before = (world.needs.set_index(keys)[INDEPENDENT_COLUMNS].sum(axis=1) for world in (plan.plan, plan.counterfactual))
    assert (after.sub(before, fill_value=0) > -1e-4).all()
    # less may be displaced, so no plan costs less than the bound with the share of 0.4
    assert plan.summary["objective_gbp"] >= planned(1).summary["bound_gbp"]
    assert sum(plan.summary["independent_avoided"].values()) < 0.5 * sum(planned(1).summary["independent_avoided"].values())


@pytest.mark.parametrize(
    ("column", "values"),
    [("lead_time_years", (0, 1, 3)), ("optimism_bias", (0, 0.2, 0.4)), ("cost_per_place_gbp", (70_000, 90_000, 110_000, 130_000))],
)
def test_later_or_dearer_projects_never_save_more(column: str, values: tuple[float, ...]) -> None:
    savings = [exact(changed("projects", **{column: value})).summary["saving_gbp"] for value in values]
    assert (np.diff(savings) <= POUND).all()
    assert savings[0] > savings[-1] == pytest.approx(0, abs=POUND)


def test_a_project_that_takes_two_years_saves_in_the_third_only() -> None:
    assert exact(changed("projects", lead_time_years=2)).summary["saving_gbp"] == pytest.approx(1_600_000, abs=POUND)


def test_optimism_bias_is_paid_by_the_fund() -> None:
    """With a fifth on top B no longer fits the fund; A does, and saves 10.3m for 9.6m."""
    plan = exact(changed("projects", optimism_bias=0.2))
    assert plan.plan.projects["project_id"].tolist() == ["A"]
    assert plan.summary["saving_gbp"] == pytest.approx(10_300_000 - 9_600_000, abs=POUND)


# Units


@pytest.mark.parametrize(
    ("table", "column", "value", "level"),
    [
        ("pools", "place_cost_gbp_per_year", 20_000 / 3, "warning"),  # a term's cost given as a year's
        ("projects", "place_cost_gbp_per_year", 20, "error"),  # thousands
        ("projects", "cost_per_place_gbp", 90, "warning"),
        ("projects", "place_cost_gbp_per_year", 20_000 * 39, "error"),  # a year's cost taken for a week's
    ],
)
def test_a_cost_in_another_unit_is_noticed(table: str, column: str, value: float, level: str) -> None:
    assert not [problem for problem in report_case(CASE).problems if problem.check == "V15"]
    found = [problem for problem in report_case(changed(table, **{column: value})).problems if problem.check == "V15"]
    assert found
    assert {problem.level for problem in found} == {level}
    assert all(problem.row and problem.value and problem.remedy for problem in found)


def test_an_unknown_scenario_is_an_input_error() -> None:
    with pytest.raises(InputError) as raised:
        formulate(CASE, "gloomy")
    problem = raised.value.problems[0]
    assert (problem.file, problem.column, problem.value) == ("pupils", "scenario", "gloomy")
    assert "central" in problem.remedy
