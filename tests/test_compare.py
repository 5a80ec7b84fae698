"""Plan against plan: nothing differs from itself, and what differs adds up in places and pounds."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from fixtures.tiny import tiny_case
from sufficiency.compare import compare_plans, comparison_text
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.workflow import plan_case

EXACT = PlanRequest(sensitivity=False, gap=1e-9, threads=1)


@cache
def funded(gbp: float) -> Plan:
    """The tiny case with this much money; ``inputs`` tell the funds apart."""
    case = tiny_case()
    return plan_case(replace(case, funds=case.funds.assign(amount_gbp=gbp)), EXACT, inputs={"funds.csv": f"{gbp:.0f}"})


def test_a_plan_does_not_differ_from_itself() -> None:
    comparison = compare_plans(funded(10e6), funded(10e6))
    assert [row["difference"] for row in comparison["figures"]] == [0.0] * len(comparison["figures"])
    assert [row["change"] for row in comparison["projects"]] == ["same"]
    assert comparison["comparable"]
    assert "0 of 1 projects differ" in comparison_text(comparison)


def test_another_budget_swaps_the_project() -> None:
    """GBP 8.5m pays for A only, GBP 10m for B."""
    comparison = compare_plans(funded(8.5e6), funded(10e6))
    projects = {row["project_id"]: row for row in comparison["projects"]}
    assert {key: row["change"] for key, row in projects.items()} == {"A": "only first", "B": "only second"}
    assert (projects["A"]["places_first"], projects["A"]["places_second"]) == (80, 0)
    assert (projects["B"]["places_first"], projects["B"]["places_second"]) == (0, 100)
    assert not comparison["comparable"]
    text = comparison_text(comparison)
    assert "2 of 2 projects differ" in text
    assert "different inputs" in text


@pytest.mark.parametrize(("first", "second"), [(8.5e6, 10e6), (0, 10e6), (0, 8.5e6)])
def test_the_pounds_add_up(first: float, second: float) -> None:
    plans = funded(first), funded(second)
    comparison = compare_plans(*plans)
    figures = {row["name"]: row for row in comparison["figures"]}
    for row in figures.values():
        assert row["difference"] == row["second"] - row["first"]
    for side in ("first", "second"):
        assert sum(row[f"capital_gbp_{side}"] for row in comparison["projects"]) == pytest.approx(figures["Capital"][side])
        assert sum(row[f"places_{side}"] for row in comparison["projects"]) == figures["New places"][side]
    # both are measured against the same counterfactual: what one plan costs more, it saves less
    cost, saving = figures["Cost of the plan"], figures["Saving against committed projects only"]
    assert cost["difference"] == pytest.approx(-saving["difference"], abs=1.0)
    assert cost["difference"] < 0


def test_figures_are_those_of_the_plans() -> None:
    figures = {row["name"]: row for row in compare_plans(funded(0), funded(10e6))["figures"]}
    assert figures["Saving against committed projects only"]["second"] == pytest.approx(3_350_000, abs=1.0)
    assert figures["Saving against committed projects only"]["first"] == 0
    assert figures["Independent placements avoided, last year"]["second"] == pytest.approx(100, abs=1e-4)
    # 200 at 12.5 minutes and 100 at 12.5 without new places (the unlocated have no journey); the shortest journeys cost nothing here
    assert figures["Mean journey, last year"]["unit"] == "minutes, one way"
    assert 10 <= figures["Mean journey, last year"]["first"] <= 15


def test_a_comparison_is_plain_json() -> None:
    comparison = compare_plans(funded(8.5e6), funded(10e6))
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison


def test_a_project_that_opens_later_has_moved() -> None:
    case = tiny_case()
    late = plan_case(replace(case, projects=case.projects.assign(earliest_start="2023-24")), EXACT)
    assert [(row["project_id"], row["change"]) for row in compare_plans(funded(10e6), late)["projects"] if row["project_id"] == "B"] == [
        ("B", "moved")
    ]
