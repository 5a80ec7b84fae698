"""A changed request planned from an earlier plan: nothing is solved twice, and the answer is as sound as one from nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from small_region import QUICK, planned, region

from sufficiency import workflow
from sufficiency.analysis.robust import Robust, plan_robust
from sufficiency.clash import clash_problems
from sufficiency.formulate import formulate
from sufficiency.plan import Plan, PlanTables
from sufficiency.request import PlanRequest
from sufficiency.workflow import plan_case

CASE = region(1)
WISHES = ("must_not", "must", "not_before", "at_least")


def pinned(wish: str) -> PlanRequest:
    """One pin that the plan of the small region does not keep, but for what a larger plan needs."""
    built = planned(1).plan.projects
    built = built[(built["decision"] == "open") & (built["effect"] == "add")].set_index("project_id")
    open_ones = CASE.projects[(CASE.projects["decision"] == "open") & CASE.projects["prerequisite"].isna()].set_index("project_id")
    left = open_ones.index.difference(planned(1).plan.projects["project_id"])
    left = left[(open_ones.loc[left, "effect"] == "add") & open_ones.loc[left, "exclusive_group"].isna()]
    first = str(built.index[0])
    rows: dict[str, dict[str, Any]] = {
        "must_not": {"project": first},
        "must": {"project": "P-WAIT" if not len(left) else str(left[0])},
        "not_before": {"project": first, "year": CASE.academic_years[-1]},
    }
    if wish == "at_least":
        larger = built.index[built["places"] < open_ones["max_places"].reindex(built.index)]
        wanted = [{"wish": wish, "project": str(name), "places": float(open_ones.loc[name, "max_places"])} for name in larger]
        return next(asked for pin in wanted if payable(asked := replace(QUICK, pins=(pin,))))
    return replace(QUICK, pins=({"wish": wish, **rows[wish]},))


def payable(request: PlanRequest) -> bool:
    """Whether there is money for what is asked for."""
    return not clash_problems(formulate(request.applied_to(CASE), request.scenario))


@cache
def fresh(wish: str) -> Plan:
    return plan_case(CASE, pinned(wish))


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is solved and not merely recalled: ``held`` options or the ``plan``."""
    planned(1)
    done: list[str] = []
    solve = workflow.solve

    def counted(problem: Any, how: Any, **named: Any) -> Any:
        fixed = named.get("fixed")
        if fixed is None or named["known"].solution(problem, fixed, how.gap) is None:
            done.append("plan" if fixed is None else "held")
        return solve(problem, how, **named)

    monkeypatch.setattr(workflow, "solve", counted)
    return done


@pytest.mark.parametrize("wish", WISHES)
def test_counterfactual_and_rule_are_not_solved_again(wish: str, searches: list[str]) -> None:
    first = planned(1)
    plan = plan_case(CASE, pinned(wish), base=first)
    assert searches == ["plan"]
    for mine, known in ((plan.counterfactual, first.counterfactual), (plan.rule, first.rule)):
        assert same(mine, known)
    other = fresh(wish).summary
    assert max(plan.summary["bound_gbp"], other["bound_gbp"]) <= min(plan.summary["objective_gbp"], other["objective_gbp"]) * (1 + 1e-6)
    assert plan.summary["gap_of_cost"] <= QUICK.gap


def test_an_assumption_more_solves_everything_again(searches: list[str]) -> None:
    dearer = replace(QUICK, assumptions={"costs.state_special": 27_000})
    assert plan_case(CASE, dearer, base=planned(1)).summary["gap_of_cost"] <= QUICK.gap
    assert searches == ["held", "held", "plan"]


def test_the_rule_knows_nothing_of_pins_and_the_plan_keeps_them() -> None:
    ruled = planned(1).rule.projects
    barred = str(ruled.loc[ruled["decision"] == "open", "project_id"].iloc[0])
    plan = plan_case(CASE, replace(QUICK, pins=({"project": barred, "wish": "must_not"},)), base=planned(1))
    assert barred in set(plan.rule.projects["project_id"])
    assert barred not in set(plan.plan.projects["project_id"])


def test_a_pin_takes_starts_and_no_project() -> None:
    projects = CASE.projects.copy()
    bases = (projects["decision"] == "open") & (projects["kind"] == "resourced_provision")
    child, parent, mate = projects.loc[bases, "project_id"].tolist()[:3]
    projects["prerequisite"] = projects["prerequisite"].astype(object)
    projects.loc[projects["project_id"] == child, "prerequisite"] = parent
    projects["bundle"] = projects["bundle"].astype(object)
    projects.loc[projects["project_id"].isin([parent, mate]), "bundle"] = "together"
    case = replace(CASE, projects=projects)
    free = formulate(case).problem
    held = formulate(replace(QUICK, pins=({"project": parent, "wish": "must_not"},)).applied_to(case)).problem
    assert held.options.labels == free.options.labels
    assert held.pools.labels == free.pools.labels

    def without_starts(problem: Any) -> set[str]:
        counts = np.bincount(problem.options.start_option, minlength=len(problem.options.labels))
        return {label for label, count in zip(problem.options.labels, counts, strict=True) if not count}

    assert without_starts(held) - without_starts(free) == {parent, child, mate}


@cache
def shared() -> Robust:
    return plan_robust(two_futures(), QUICK, {"central": 0.5, "more": 0.5})


def two_futures() -> Any:
    central = CASE.pupils[CASE.pupils["scenario"] == "central"]
    counts = {name: central[name] * 1.05 for name in central.columns if name.startswith("pupils_")}
    more = central.assign(scenario="more", **counts)
    return replace(CASE, pupils=type(central)(np.concatenate([central, more]), columns=central.columns).astype(central.dtypes))


def test_futures_are_shared_again_from_an_earlier_answer() -> None:
    first, case = shared(), two_futures()
    table = first.projects()
    barred = str(table.loc[table["shared"], "project_id"].iloc[-1])
    asked = replace(QUICK, pins=({"project": barred, "wish": "must_not"},))
    again, alone = (plan_robust(case, asked, {"central": 0.5, "more": 0.5}, base=base) for base in (first, None))
    for name, future in again.futures.items():
        assert future.counterfactual.flows is first.futures[name].counterfactual.flows, "it is the same"
    assert again.bound >= first.bound, "a pin takes choices away"
    assert max(again.bound, alone.bound) <= min(again.value, alone.value) * (1 + 1e-6)
    assert barred not in set(again.projects().loc[lambda rows: rows["shared"], "project_id"])


def same(mine: PlanTables, known: PlanTables) -> bool:
    """Whether all tables are equal to the last bit."""
    return all(table.equals(getattr(known, name)) for name, table in vars(mine).items())
