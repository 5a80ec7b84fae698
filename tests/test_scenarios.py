"""Demand scenarios: years they share with central, plans made for one of them, and savings under the others."""

from __future__ import annotations

import contextlib
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fixtures.region import fictional_region
from sufficiency import workflow
from sufficiency.audit import audit_plan
from sufficiency.audit.expected import expected
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses, demand_classes
from sufficiency.outputs.folder import write_plan
from sufficiency.outputs.map_page import PageNotBuiltError
from sufficiency.outputs.words import pounds, sensitivity_lines
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.tables.checks import check_case
from sufficiency.tables.problems import InputError

REQUEST = PlanRequest(scenario="high", gap=0.05, time_limit_s=60, threads=1)


@pytest.fixture(scope="module")
def repeated() -> Case:
    """Every scenario has every year; planned for four of them."""
    case = fictional_region(1, areas=60, scenarios=("low", "central", "high"))
    return replace(case, academic_years=case.academic_years[:4])


@pytest.fixture(scope="module")
def shared(repeated: Case) -> Case:
    """Low and high have only the years after the first planning year: before, demand is that of central."""
    early = repeated.pupils["academic_year"].isin([repeated.base_year, repeated.academic_years[0]])
    central = repeated.pupils["scenario"] == "central"
    return replace(repeated, pupils=repeated.pupils[central | ~early].reset_index(drop=True))


def assert_same(one: DemandClasses, other: DemandClasses) -> None:
    for field in fields(DemandClasses):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12, err_msg=field.name)
        elif isinstance(left, pd.DataFrame):
            pd.testing.assert_frame_equal(left, right)
        else:
            assert left == right


@pytest.mark.parametrize("scenario", ["low", "high"])
def test_years_that_a_scenario_lacks_are_those_of_central(repeated: Case, shared: Case, scenario: str) -> None:
    same = repeated.pupils["academic_year"].isin([repeated.base_year, repeated.academic_years[0]])
    central = repeated.pupils[same & (repeated.pupils["scenario"] == "central")].assign(scenario=scenario)
    own = repeated.pupils[~same & (repeated.pupils["scenario"] == scenario)]
    written_out = replace(repeated, pupils=pd.concat([central, own], ignore_index=True))
    assert_same(demand_classes(shared, scenario), demand_classes(written_out, scenario))
    for name in ("placed", "entrants", "council_mainstream"):
        here, there = (getattr(expected(case, scenario).demand, name) for case in (shared, written_out))
        np.testing.assert_allclose(here, there, rtol=1e-12, atol=1e-12)


def test_central_is_untouched_by_other_scenarios(shared: Case) -> None:
    alone = replace(shared, pupils=shared.pupils[shared.pupils["scenario"] == "central"].reset_index(drop=True))
    assert_same(demand_classes(shared, "central"), demand_classes(alone, "central"))


def test_a_year_missing_from_central_too_is_an_error(shared: Case) -> None:
    assert [problem for problem in check_case(shared) if "has no row for" in problem.message] == []
    without = shared.pupils[shared.pupils["academic_year"] != shared.base_year]
    missing = [problem.message for problem in check_case(replace(shared, pupils=without)) if "has no row for" in problem.message]
    assert missing == [f"scenario {scenario} has no row for {shared.base_year}" for scenario in ("central", "high", "low")]


def test_an_unknown_scenario_is_refused(shared: Case) -> None:
    with pytest.raises(InputError, match="The case has: central, high, low"):
        demand_classes(shared, "boom")


@pytest.fixture(scope="module")
def high(shared: Case) -> Plan:
    """A plan for high demand whose only sensitivities are the other scenarios."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "DISPLACEMENT_SHOWN", ())
        patch.setattr(workflow, "TAILS_SHOWN", ())
        patch.setattr(workflow, "_irreducible", lambda case: {})
        return workflow.plan_case(shared, REQUEST)


def test_a_plan_for_high_demand_passes_its_audit(shared: Case, high: Plan, tmp_path: Path) -> None:
    assert high.summary["scenario"] == "high"
    with contextlib.suppress(PageNotBuiltError):
        write_plan(high, shared, tmp_path / "plan")
    assert audit_plan(shared, tmp_path / "plan").breaches == ()
    summary = json.loads((tmp_path / "plan" / "plan.json").read_text(encoding="utf-8"))
    (tmp_path / "plan" / "plan.json").write_text(json.dumps({**summary, "scenario": "low"}), encoding="utf-8")
    assert audit_plan(shared, tmp_path / "plan").breaches != ()


def test_savings_are_shown_for_the_other_scenarios(high: Plan) -> None:
    rows = {row["value"]: row["saving_gbp"] for row in high.summary["sensitivity"] if row["what"] == "scenario"}
    assert list(rows) == ["low", "central"]
    low, central = rows.values()
    assert low < central < high.summary["saving_gbp"]
    line = sensitivity_lines(high.summary)[-1]
    assert line.split() == ["Demand", "of", "another", "scenario", "low:", pounds(low), "central:", pounds(central)]
