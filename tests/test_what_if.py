"""What if: pins and budgets on top of a case."""

from __future__ import annotations

import pytest

from fixtures.tiny import tiny_case
from sufficiency.request import PlanRequest
from sufficiency.tables.checks import report_case
from sufficiency.tables.problems import InputError
from sufficiency.what_if import changed_case
from sufficiency.workflow import plan_case

CASE = tiny_case()
QUICK = PlanRequest(sensitivity=False)


def test_a_forbidden_project_is_not_built_and_the_other_one_is() -> None:
    case = changed_case(CASE, {"pins": [{"project_id": "B", "decision": "forbidden"}]})
    assert set(plan_case(case, QUICK).plan.projects["project_id"]) == {"A"}
    assert "What if: project B is forbidden." in case.notes


def test_a_committed_project_is_built_in_the_counterfactual_too() -> None:
    case = changed_case(CASE, {"pins": [{"project_id": "A", "decision": "committed"}]})
    assert not report_case(case).errors
    plan = plan_case(case, QUICK)
    assert list(plan.counterfactual.projects["project_id"]) == ["A"]
    assert list(plan.counterfactual.projects["places"]) == [80]


def test_a_pin_takes_places_and_start_of_the_earlier_plan() -> None:
    base = plan_case(CASE, QUICK)
    assert list(base.plan.projects["project_id"]) == ["B"]
    row = changed_case(CASE, {"pins": [{"project_id": "B", "decision": "committed"}]}, base).projects.set_index("project_id").loc["B"]
    assert (row["committed_places"], row["committed_start"]) == (100, base.plan.projects["start_financial_year"].min())


def test_a_pin_is_undone_by_leaving_the_project_open() -> None:
    pinned = changed_case(CASE, {"pins": [{"project_id": "A", "decision": "committed"}]})
    opened = changed_case(pinned, {"pins": [{"project_id": "A", "decision": "open"}]})
    assert opened.projects.equals(CASE.projects)


def test_budgets_are_multiplied_or_set_for_all_years_or_one() -> None:
    doubled = changed_case(CASE, {"budgets": [{"fund_id": "HIGH-NEEDS", "times": 2}]})
    assert list(doubled.funds["amount_gbp"]) == [20_000_000]
    nothing = changed_case(CASE, {"budgets": [{"fund_id": "HIGH-NEEDS", "financial_year": "2022-23", "amount_gbp": 0}]})
    assert plan_case(nothing, QUICK).plan.projects.empty
    both = plan_case(changed_case(CASE, {"budgets": [{"fund_id": "HIGH-NEEDS", "times": 1.7}]}), QUICK)
    assert both.summary["objective_gbp"] <= plan_case(CASE, QUICK).summary["objective_gbp"] + 1, "more money never costs more"


def test_nothing_changed_is_the_same_case() -> None:
    case = changed_case(CASE, {})
    assert all(table.equals(CASE.tables[name]) for name, table in case.tables.items())


def test_all_that_does_not_fit_is_told_at_once() -> None:
    changes = {
        "pins": [
            {"project_id": "Z", "decision": "forbidden"},
            {"project_id": "A", "decision": "perhaps"},
            {"project_id": "B", "decision": "committed", "places": 7, "start": "2020-21"},
        ],
        "budgets": [{"fund_id": "NONE", "times": 2}, {"fund_id": "HIGH-NEEDS"}, {"fund_id": "HIGH-NEEDS", "times": 1, "amount_gbp": 1}],
    }
    with pytest.raises(InputError) as caught:
        changed_case(CASE, changes)
    found = [(problem.file, problem.column, problem.value) for problem in caught.value.problems]
    assert found == [
        ("pins", "project_id", "Z"),
        ("pins", "decision", "perhaps"),
        ("pins", "places", "7"),
        ("pins", "start", "2020-21"),
        ("budgets", "fund_id", "NONE"),
        ("budgets", "times", "HIGH-NEEDS"),
        ("budgets", "times", "HIGH-NEEDS"),
    ]
