"""What money is worth and what a plan leaves out, on the pencil case: every figure below is checked by hand.

The last year stands for five more. A place then counts six times in 2024/25. B (100 places, GBP 9m) is built from a fund of GBP 10m.
Beside B, A (80 places, GBP 8m) has nothing to do in 2023/24: 200 enter, 100 each find room in the school and in B. In 2024/25 220 enter,
100 go to the school, 50 to B and 70 to Ink House. A would take those 70 and save 70 x 40,000 x 6 = 16.8m, less 8m: 8.8m.
GBP 1m is left, GBP 7m is missing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from fixtures.tiny import COUNCIL, tiny_case
from solver.worth import with_purse
from sufficiency.analysis.left_out import not_chosen
from sufficiency.analysis.marginal import marginal_value, purses_of
from sufficiency.analysis.reopened import Reopened, reopened
from sufficiency.case import Case
from sufficiency.request import PlanRequest
from sufficiency.tables.problems import InputError
from sufficiency.workflow import plan_case

SECOND = "F06000010"
EXACT = PlanRequest(sensitivity=False, gap=1e-6)
NET_OF_A = 16_800_000 - 8_000_000
POUND = 1.0


def silent(text: str) -> None:
    del text


def lasting(case: Case, **assumptions: object) -> Case:
    return replace(case, assumptions=case.assumptions.override({"time.tail_years": 5, **assumptions}, "a test"))


def opened(case: Case, request: PlanRequest = EXACT) -> Reopened:
    plan = plan_case(case, request)
    return reopened(request.applied_to(case), request, plan.plan.projects, silent)


@cache
def with_b() -> Reopened:
    return opened(lasting(tiny_case()))


@cache
def of_two_councils() -> Reopened:
    """B is of a second council, which holds GBP 9m of its own; the first is left with GBP 1m."""
    case = lasting(tiny_case())
    councils = pd.concat([case.councils, case.councils.assign(council_code=SECOND, council_name="Inkshire")], ignore_index=True)
    projects = case.projects.assign(council_code=np.where(case.projects["project_id"] == "B", SECOND, COUNCIL))
    funds = pd.concat([case.funds.assign(amount_gbp=1_000_000), case.funds.assign(fund_id="OTHER", councils=SECOND, amount_gbp=9_000_000)])
    return opened(replace(case, councils=councils, projects=projects, funds=funds.reset_index(drop=True)))


def test_a_million_buys_no_whole_project_but_the_dual_says_what_a_part_would() -> None:
    """A place of A costs 100,000 and saves 40,000 x 6: 1.40 net for each pound. A is built whole or not at all."""
    row = marginal_value(with_b(), 1e6, silent).iloc[0]
    assert row["dual_gbp"] == pytest.approx(1_400_000, abs=POUND)
    assert (row["saving_gbp"], row["least_gbp"], row["most_gbp"]) == pytest.approx((0, 0, 0), abs=POUND)
    assert (row["status"], row["project_id"]) == ("planned again", "")
    assert row["said"] == "No plan gains by it."


def test_seven_million_buy_a() -> None:
    row = marginal_value(with_b(), 7e6, silent).iloc[0]
    assert (row["saving_gbp"], row["least_gbp"], row["most_gbp"]) == pytest.approx([NET_OF_A] * 3, abs=POUND)
    assert row["dual_gbp"] == pytest.approx(7 * 1_400_000, abs=POUND)
    assert (row["project_id"], row["places"]) == ("A", 80)


def test_money_that_comes_too_late_is_worth_nothing() -> None:
    """What starts in 2024-25 opens after the last planning year."""
    table = marginal_value(with_b(), 7e6, silent, who=[COUNCIL], years=["2022-23", "2024-25"])
    in_time, late = (table[table["financial_year"] == year].iloc[0] for year in ("2022-23", "2024-25"))
    assert in_time["saving_gbp"] == pytest.approx(NET_OF_A, abs=POUND)
    assert (late["dual_gbp"], late["saving_gbp"], late["most_gbp"]) == pytest.approx((0, 0, 0), abs=POUND)


def test_money_counts_where_it_can_be_spent_and_in_the_region() -> None:
    table = marginal_value(of_two_councils(), 7e6, silent, who=["Pencilshire", SECOND, "Fictional region"]).set_index("name")
    assert set(table["level"]) == {"council", "region"}
    worth, dual = table["saving_gbp"].to_dict(), table["dual_gbp"].to_dict()
    assert worth == pytest.approx({"Pencilshire": NET_OF_A, "Inkshire": 0, "Fictional region": NET_OF_A}, abs=POUND)
    assert dual == pytest.approx({"Pencilshire": 9_800_000, "Inkshire": 0, "Fictional region": 9_800_000}, abs=POUND)


def test_only_the_dearest_are_planned_again_unless_named() -> None:
    table = marginal_value(of_two_councils(), 7e6, silent, most=1)
    assert table["status"].tolist() == ["planned again", "dual only", "dual only"]
    assert table["name"].iloc[0] in {"Pencilshire", "Fictional region"}
    assert table.loc[1:, ["saving_gbp", "least_gbp", "most_gbp"]].isna().all(axis=None)


def test_what_is_asked_for_has_to_exist() -> None:
    with pytest.raises(InputError) as caught:
        marginal_value(with_b(), 1e6, silent, who=["Nowhere"], years=["1999-00"])
    assert [fault.value for fault in caught.value.problems] == ["Nowhere", "1999-00"]


def test_a_plan_that_is_not_the_best_shows_what_needs_no_money() -> None:
    """A is built where B would be better: planning again finds B for the same money, and that is not put down to the million."""
    request = replace(EXACT, pins=({"project_id": "A", "wish": "must"},))
    plan = plan_case(lasting(tiny_case()), request)
    poor = reopened(EXACT.applied_to(lasting(tiny_case())), EXACT, plan.plan.projects, silent)
    assert poor.plan.upper - poor.anew.upper == pytest.approx(with_b_less_a(), abs=POUND)
    assert marginal_value(poor, 1e6, silent)["saving_gbp"].iloc[0] == pytest.approx(0, abs=POUND)


def with_b_less_a() -> float:
    """B saves 5.5 + 6 x 6.85 - 9, A 4.7 + 6 x 5.6 - 8 (docs/fictional-region.md)."""
    return (5.5 + 6 * 6.85 - 9 - (4.7 + 6 * 5.6 - 8)) * 1e6


def test_decomposed_the_worth_lies_between_what_is_said() -> None:
    """The same by cuts instead of one model: the dual and the range come from the prices of the bound."""
    cut = replace(with_b(), how=replace(with_b().how, direct_arcs=0, gap=0.01, seconds=5))
    assert cut.anew.proof
    row = marginal_value(cut, 7e6, silent).iloc[0]
    assert row["least_gbp"] - 20_000 <= NET_OF_A <= row["most_gbp"] + 20_000
    assert row["least_gbp"] <= row["saving_gbp"] <= row["most_gbp"]
    assert row["dual_gbp"] == pytest.approx(9_800_000, rel=0.1)


def test_an_empty_purse_changes_nothing_and_serves_its_owners_alone() -> None:
    problem = of_two_councils().problem
    mine = np.array(problem.owners) == SECOND
    wider = with_purse(problem, "more", mine, 0, 5.0)
    assert wider.funds.amount[-1].tolist() == [5.0] + [0.0] * (len(problem.years) - 1)
    assert wider.funds.eligible[-1][~mine].sum() == 0
    assert (wider.funds.eligible[-1][mine] == problem.funds.eligible[:, mine].any(axis=0)).all()
    assert [purse.name for purse in purses_of(of_two_councils())] == ["Pencilshire", "Inkshire", "Fictional region"]


def test_what_was_left_out_lacked_seven_million() -> None:
    row = not_chosen(with_b(), silent).iloc[0]
    assert (row["project_id"], row["reason"], row["status"]) == ("A", "no budget", "solved again")
    assert (row["net_saving_gbp"], row["least_gbp"], row["most_gbp"]) == pytest.approx([NET_OF_A] * 3, abs=POUND)
    assert (row["capital_gbp"], row["places"]) == (8_000_000, 80)
    assert row["lacking_gbp"] == pytest.approx(7_000_000, abs=2)


def test_what_is_not_worth_it_is_so_beside_the_plan() -> None:
    """Two years alone count: A beside B saves 70 x 40,000 = 2.8m of its 8m."""
    plan = opened(tiny_case())
    row = not_chosen(plan, silent).iloc[0]
    assert row["reason"] == "not worth it"
    # by the price of the first place, so not below the true figure, yet below nothing: no need to solve again
    assert row["net_saving_gbp"] >= 2_800_000 - 8_000_000 - POUND
    assert row["status"] == "estimate"
    assert "price of the first" in row["said"]


def test_a_project_that_costs_the_council_nothing_more_still_needs_its_money() -> None:
    """In the council's perspective a grant costs nothing, what is missing is paid as from its dearest fund."""
    case = replace(lasting(tiny_case()), funds=lasting(tiny_case()).funds.assign(kind="council"))
    row = not_chosen(opened(case, replace(EXACT, perspective="council")), silent).iloc[0]
    assert row["net_saving_gbp"] == pytest.approx(NET_OF_A, abs=POUND)


def test_a_size_at_which_the_last_place_still_pays() -> None:
    """A in modules of 10: at GBP 100,000 a place and 240,000 saved each of the 70 pays, none beyond."""
    case = lasting(tiny_case())
    a = case.projects["project_id"] == "A"
    projects = case.projects.assign(
        module_places=np.where(a, 10.0, case.projects["module_places"]), min_places=np.where(a, 10.0, case.projects["min_places"])
    )
    projects["fixed_cost_gbp"] = np.where(a, 1_500_000.0, 0.0)
    row = not_chosen(opened(replace(case, projects=projects)), silent).iloc[0]
    assert row["places"] == 70
    assert row["net_saving_gbp"] == pytest.approx(70 * 240_000 - 70 * 100_000 - 1_500_000, abs=POUND)
