"""plan_case from end to end: the same seed gives the same plan, a stopped one is still a plan, and bad requests say what to mend."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest
from small_region import QUICK, differing, planned, region, worlds, written

from fixtures.tiny import tiny_case
from sufficiency.audit import audit_plan
from sufficiency.outputs.words import sensitivity_lines
from sufficiency.plan import Plan
from sufficiency.request import RULES, PlanRequest, read_request
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.workflow import as_planned, plan_case

CASE = tiny_case()
CLOCK = {"wall_s", "cpu_s", "peak_mb", "log"}
"""What may differ between two runs of the same plan"""


@cache
def with_sensitivity() -> Plan:
    return plan_case(CASE, PlanRequest(gap=1e-9, threads=1))


def sensitivity(what: str) -> dict[float, float]:
    return {row["value"]: row["saving_gbp"] for row in with_sensitivity().summary["sensitivity"] if row["what"] == what}


def test_the_saving_is_shown_at_other_displacement_shares() -> None:
    """B as built, whatever share of its places displaces independent ones."""
    savings = sensitivity("displacement.share")
    assert list(savings) == [0.2, 0.4, 0.7, 1.0]
    assert savings[1.0] == pytest.approx(3_350_000, abs=1)
    assert savings[0.2] < savings[0.4] < savings[0.7] < savings[1.0]


def test_the_saving_is_shown_at_other_horizons() -> None:
    """The last year stands for the tail: each year of it saves 19.0m less 12.15m; the building's life ends with the horizon."""
    savings = sensitivity("time.tail_years")
    assert list(savings) == [0, 10, 20]
    assert [savings[tail] for tail in (0, 10, 20)] == pytest.approx([3.35e6 + tail * 6.85e6 for tail in (0, 10, 20)], abs=30)


def test_the_saving_is_shown_at_other_irreducible_shares() -> None:
    """A third is independent today; of that 20, 40 and 60 % stay so: the more stay, the less B can replace."""
    some = CASE.assumptions.override({"independent.irreducible_share": {"ASD": 0.4}}, "a test")
    plan = plan_case(replace(CASE, assumptions=some), PlanRequest(gap=1e-6, threads=1))
    rows = {row["value"]: row for row in plan.summary["sensitivity"] if row["what"] == "independent.irreducible_share"}
    assert list(rows) == ["low", "central", "high"]
    assert rows["central"]["saving_gbp"] == pytest.approx(plan.summary["saving_gbp"], abs=1)
    assert rows["low"]["saving_gbp"] > rows["central"]["saving_gbp"] > rows["high"]["saving_gbp"]
    assert rows["low"]["independent_avoided"] >= rows["high"]["independent_avoided"]
    assert any("Independent placements that stay" in line and "low: " in line for line in sensitivity_lines(plan.summary))


def test_without_sensitivity_there_are_no_rows() -> None:
    assert plan_case(CASE, PlanRequest(sensitivity=False)).summary["sensitivity"] == []


def test_the_same_seed_gives_the_same_plan() -> None:
    first, again = planned(1), plan_case(region(1), QUICK)
    assert first.summary["termination"] == "gap_reached"
    assert differing(first, again) == []
    assert {k: v for k, v in first.summary.items() if k not in CLOCK} == {k: v for k, v in again.summary.items() if k not in CLOCK}


def test_a_search_stopped_in_its_first_linear_programme_ends_with_the_best_plan_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt comes when the programme of the flows is under way, and there is no patience for its end."""
    phases: list[str] = []
    monkeypatch.setattr("sufficiency.workflow.PATIENCE_S", 0.0)
    plan = plan_case(region(1), replace(QUICK, gap=1e-6), progress=phases.append, interrupted=lambda: "Plan" in phases)
    assert plan.summary["termination"] == "interrupted"
    assert plan.summary["objective_gbp"] == pytest.approx(min(plan.summary["rule_gbp"], plan.summary["counterfactual_gbp"]))
    assert 0 < plan.summary["bound_gbp"] <= plan.summary["objective_gbp"]
    case_folder, plan_folder = written(plan, region(1), tmp_path)
    assert audit_plan(region(1), plan_folder, case_folder=case_folder).passed


def test_another_case_gives_another_plan() -> None:
    assert "plan/placements" in differing(planned(1), plan_case(region(2), replace(QUICK, years=2)))


@pytest.mark.parametrize("answers", [0, 6])
def test_a_stopped_plan_is_a_plan(answers: int, tmp_path: Path) -> None:
    """Stopped at once, or after it has been asked a few times."""
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked > answers

    plan = plan_case(region(1), replace(QUICK, gap=1e-6), interrupted=interrupted)
    assert plan.summary["termination"] == "interrupted"
    assert plan.summary["bound_gbp"] <= plan.summary["objective_gbp"] <= plan.summary["counterfactual_gbp"]
    assert math.isfinite(plan.summary["gap_of_cost"])
    case_folder, plan_folder = written(plan, region(1), tmp_path)
    report = audit_plan(region(1), plan_folder, case_folder=case_folder)
    assert report.breaches == ()


def test_a_plan_of_the_first_years_is_that_of_the_shorter_case() -> None:
    request = PlanRequest(sensitivity=False, gap=1e-9, threads=1, years=2)
    plan = plan_case(CASE, request)
    assert plan.summary["academic_years"] == ["2022/23", "2023/24"]
    assert set(plan.plan.placements["academic_year"]) == {"2022/23", "2023/24"}
    assert differing(plan, plan_case(replace(CASE, academic_years=("2022/23", "2023/24")), replace(request, years=None))) == []


def test_a_written_plan_knows_its_assumptions_and_years(tmp_path: Path) -> None:
    request = PlanRequest(sensitivity=False, years=2, assumptions={"displacement.share": 0.7})
    plan = plan_case(CASE, request)
    _, folder = written(plan, request.applied_to(CASE), tmp_path)
    again = as_planned(CASE, folder)
    assert again.assumptions.number("displacement.share") == 0.7
    assert again.academic_years == ("2022/23", "2023/24")
    assert audit_plan(again, folder).passed
    assert not audit_plan(CASE, folder).passed


def test_no_plan_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a plan folder"):
        as_planned(CASE, tmp_path)


def test_the_plan_is_never_worse_than_what_is_known_without_it() -> None:
    for seed in (1, 2):
        summary = planned(seed).summary
        assert summary["objective_gbp"] <= min(summary["rule_gbp"], summary["counterfactual_gbp"]) + 1
        assert set(worlds(planned(seed))) == {"plan", "counterfactual", "rule"}


def test_progress_is_told() -> None:
    told: list[str] = []
    plan_case(CASE, PlanRequest(sensitivity=False), progress=told.append)
    for step in ("Formulating", "Counterfactual", "Rule", "Plan"):
        assert any(line.startswith(step) for line in told)


# Requests


def read(text: str, folder: Path) -> PlanRequest:
    path = folder / "request.toml"
    path.write_text(text, encoding="utf-8")
    return read_request(path)


def problems(text: str, folder: Path) -> tuple[InputProblem, ...]:
    with pytest.raises(InputError) as raised:
        read(text, folder)
    return raised.value.problems


def test_a_request_file_is_read(tmp_path: Path) -> None:
    text = 'gap = 0.02\ntime_limit_s = 60\nscenario = "low"\nsensitivity = false\nyears = 3\n[assumptions]\n"displacement.share" = 0.6\n'
    expected = PlanRequest(gap=0.02, time_limit_s=60, scenario="low", sensitivity=False, years=3, assumptions={"displacement.share": 0.6})
    assert read(text, tmp_path) == expected
    assert read("", tmp_path) == PlanRequest()


def test_every_setting_has_a_rule_that_its_default_keeps() -> None:
    assert set(RULES) == {item.name for item in fields(PlanRequest)}
    assert all(rule.holds(getattr(PlanRequest(), name)) for name, rule in RULES.items() if getattr(PlanRequest(), name) is not None)


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("gpa = 0.01", "gpa", "0.01"),
        ('gap = "small"', "gap", "small"),
        ("gap = true", "gap", "True"),
        ("gap = 0", "gap", "0"),
        ("gap = nan", "gap", "nan"),
        ("time_limit_s = -5", "time_limit_s", "-5"),
        ('backend = "cplex"', "backend", "cplex"),
        ("backend = []", "backend", "[]"),
        ("threads = 0", "threads", "0"),
        ("threads = 1.5", "threads", "1.5"),
        ('seed = "one"', "seed", "one"),
        ("scenario = 3", "scenario", "3"),
        ("years = 0", "years", "0"),
        ('sensitivity = "no"', "sensitivity", "no"),
        ("assumptions = 4", "assumptions", "4"),
        ('[assumptions]\n"costs.state_specail" = 27000', "costs.state_specail", "27000"),
        ('[assumptions]\n"costs.state_special" = "dear"', "costs.state_special", "dear"),
        ('[assumptions]\n"retention" = 0.8', "retention", "0.8"),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_a_remedy(text: str, column: str, value: str, tmp_path: Path) -> None:
    (problem,) = problems(text, tmp_path)
    assert problem.file == str(tmp_path / "request.toml")
    assert (problem.column, problem.value) == (column, value)
    assert problem.message
    assert problem.remedy


def test_all_faults_of_a_request_are_told_at_once(tmp_path: Path) -> None:
    text = 'gpa = 1\nthreads = 0\nsensitivity = 1\n[assumptions]\nnothing = 1\n"displacement.share" = "all"\n'
    assert [problem.column for problem in problems(text, tmp_path)] == ["gpa", "threads", "sensitivity", "nothing", "displacement.share"]


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    for text in ("gap: 0.01", "= 3"):
        (problem,) = problems(text, tmp_path)
        assert problem.file.endswith("request.toml")
        assert problem.remedy
    with pytest.raises(InputError, match=r"missing\.toml"):
        read_request(tmp_path / "missing.toml")


def test_an_unknown_assumption_or_scenario_stops_the_plan() -> None:
    with pytest.raises(InputError) as raised:
        plan_case(CASE, PlanRequest(assumptions={"costs.nothing": 1}))
    assert (raised.value.problems[0].column, raised.value.problems[0].value) == ("costs.nothing", "1")
    with pytest.raises(InputError) as raised:
        plan_case(CASE, PlanRequest(scenario="gloomy"))
    assert (raised.value.problems[0].column, raised.value.problems[0].value) == ("scenario", "gloomy")
