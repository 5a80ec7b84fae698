"""What if: a planner's decisions about projects and money as rows of a plan request."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.tiny import tiny_case
from sufficiency.plan import Plan
from sufficiency.request import checked_request
from sufficiency.tables.problems import InputError
from sufficiency.what_if import merged, requested
from sufficiency.workflow import plan_case

CASE = tiny_case()


def planned(changes: dict[str, Any], base: Plan | None = None) -> Plan:
    rows = requested(changes, CASE.projects, CASE.funds)
    return plan_case(CASE, checked_request({"sensitivity": False, **rows}, "request"), base=base)


@pytest.fixture(scope="module")
def base() -> Plan:
    """The plan without changes: it builds B."""
    plan = planned({})
    assert list(plan.plan.projects["project_id"]) == ["B"]
    return plan


def test_a_forbidden_project_is_not_built_and_the_other_one_is(base: Plan) -> None:
    plan = planned({"pins": [{"project_id": "B", "decision": "forbidden"}]}, base)
    assert list(plan.plan.projects["project_id"]) == ["A"]
    assert plan.summary["objective_gbp"] >= base.summary["objective_gbp"] - 1, "a limit more never costs less"


def test_a_committed_project_is_built_by_its_year_and_in_its_size(base: Plan) -> None:
    pins = [{"project_id": "A", "decision": "committed", "places": 80, "start": "2023-24"}]
    plan = planned({"pins": pins}, base)
    built = plan.plan.projects.set_index("project_id").loc["A"]
    assert built["places"] == 80
    assert built["start_financial_year"] <= "2023-24"
    assert plan.counterfactual.projects.empty


def test_money_is_multiplied_or_set_for_all_years_or_one(base: Plan) -> None:
    assert requested({"budgets": [{"fund_id": "HIGH-NEEDS", "times": 2}]}, CASE.projects, CASE.funds)["budgets"] == [
        {"fund": "HIGH-NEEDS", "financial_year": "2022-23", "amount_gbp": 20_000_000.0}
    ]
    nothing = planned({"budgets": [{"fund_id": "HIGH-NEEDS", "financial_year": "2022-23", "amount_gbp": 0}]}, base)
    assert nothing.plan.projects.empty
    more = planned({"budgets": [{"fund_id": "HIGH-NEEDS", "times": 1.7}]}, base)
    assert more.summary["bound_gbp"] <= base.summary["objective_gbp"] + 1, "more money never costs more"


def test_no_change_asks_for_nothing() -> None:
    assert requested({}, CASE.projects, CASE.funds) == {"pins": [], "budgets": []}
    assert requested({"budgets": [{"fund_id": "HIGH-NEEDS", "times": 1}]}, CASE.projects, CASE.funds)["budgets"] == []


def test_later_changes_replace_earlier_ones_and_open_takes_them_back() -> None:
    earlier = {
        "pins": [{"project_id": "A", "decision": "committed"}, {"project_id": "B", "decision": "forbidden"}],
        "budgets": [{"fund_id": "F", "times": 2}, {"fund_id": "F", "financial_year": "2022-23", "amount_gbp": 1}],
    }
    later = {
        "pins": [{"project_id": "A", "decision": "open"}, {"project_id": "C", "decision": "forbidden"}],
        "budgets": [{"fund_id": "F", "times": 3}],
    }
    assert merged(earlier, later) == {
        "pins": [{"project_id": "B", "decision": "forbidden"}, {"project_id": "C", "decision": "forbidden"}],
        "budgets": [{"fund_id": "F", "times": 3}, {"fund_id": "F", "financial_year": "2022-23", "amount_gbp": 1}],
    }
    assert merged(earlier, {}) == earlier


def test_all_that_does_not_fit_is_told_at_once() -> None:
    changes = {
        "pins": [
            {"project_id": "Z", "decision": "forbidden"},
            {"project_id": "A", "decision": "perhaps"},
            {"project_id": "B", "decision": "committed", "places": 700},
        ],
        "budgets": [{"fund_id": "NONE", "times": 2}, {"fund_id": "HIGH-NEEDS"}, {"fund_id": "HIGH-NEEDS", "times": 1, "amount_gbp": 1}],
    }
    with pytest.raises(InputError) as caught:
        requested(changes, CASE.projects, CASE.funds)
    found = [(problem.file, problem.column, problem.value) for problem in caught.value.problems]
    assert found == [
        ("pins", "project_id", "Z"),
        ("pins", "decision", "perhaps"),
        ("pins", "places", "700"),
        ("budgets", "fund_id", "NONE"),
        ("budgets", "times", "HIGH-NEEDS"),
        ("budgets", "times", "HIGH-NEEDS"),
    ]
