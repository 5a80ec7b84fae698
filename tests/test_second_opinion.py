"""``--check-with ortools`` from end to end: right plans are agreed to, also in stages and on others; a wrong figure ends in exit 1."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_region import QUICK, planned, region
from typer.testing import CliRunner

from fixtures.tiny import tiny_case
from sufficiency import workflow
from sufficiency.case import save_case
from sufficiency.cli import app
from sufficiency.outputs.words import second_opinion
from sufficiency.request import PlanRequest
from sufficiency.workflow import plan_case

CHECKED = PlanRequest(sensitivity=False, gap=1e-6, check_with="ortools")


def test_the_pencil_case_is_agreed_to() -> None:
    summary = plan_case(tiny_case(), CHECKED).summary
    assert summary["check"]["agrees"] is True
    assert summary["check"]["plan_gbp"] == pytest.approx(42_850_000, abs=1)
    assert second_opinion(summary).startswith("OR-Tools agrees: the plan costs £42.")


def test_a_decomposed_plan_is_agreed_to_at_its_printed_cost() -> None:
    summary = plan_case(region(1), replace(QUICK, check_with="ortools")).summary
    assert summary["check"]["agrees"] is True
    assert summary["check"]["plan_gbp"] == pytest.approx(planned(1).summary["objective_gbp"], rel=1e-5)


def test_stages_and_earlier_plans_are_checked_in_the_problem_they_were_found_in() -> None:
    first = plan_case(tiny_case(), replace(CHECKED, stages=("unmet", "cost")))
    kept = plan_case(tiny_case(), CHECKED, base=first, use_base="keep")
    held = plan_case(tiny_case(), CHECKED, base=first, use_base="hold")
    assert [plan.summary["check"]["agrees"] for plan in (first, kept)] == [True, True]
    assert "check" not in held.summary


@pytest.mark.parametrize("wrong", ["cost", "bound"])
def test_a_wrong_figure_is_caught(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is made to state a cost or a bound that is 1 % off."""
    right = workflow._summary

    def off(*given: Any) -> dict[str, Any]:
        summary = right(*given)
        if wrong == "cost":
            return summary | {"objective_gbp": 0.99 * summary["objective_gbp"]}
        return summary | {"bound_gbp": 1.01 * summary["bound_gbp"]}

    monkeypatch.setattr(workflow, "_summary", off)
    save_case(tiny_case(), tmp_path / "case")
    ended = CliRunner().invoke(
        app, ["plan", str(tmp_path / "case"), "--out", str(tmp_path / "plan"), "--no-sensitivity", "--check-with", "ortools"]
    )
    assert ended.exit_code == 1
    assert "DISAGREES" in ended.output
    assert json.loads((tmp_path / "plan" / "plan.json").read_text())["check"]["agrees"] is False


def test_a_check_that_is_stopped_says_so() -> None:
    """The plan is kept; whether it is right is left open."""
    asked = {"objective_gbp": 1.0, "bound_gbp": 1.0, "check": {"with": "ortools", "agrees": None}}
    assert second_opinion(asked) == "OR-Tools could not settle within the time whether it agrees."
    assert plan_case(tiny_case(), CHECKED, interrupted=lambda: True).summary["check"]["agrees"] is None
