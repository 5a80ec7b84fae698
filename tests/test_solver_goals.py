"""Goals in stages, frontiers, variants of a problem and clashes, on tiny problems that can be enumerated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from solver_cases import TINY, WIDE
from solver_oracle import FlowProgramme, all_decisions, breaches, brute_force
from solver_parts import problem_with

from solver.conflicts import find_clash
from solver.problem import Problem
from solver.requirements import Measure
from solver.result import Solution
from solver.solve import SolveOptions, solve
from solver.stages import Goal, frontier, in_stages
from solver.variants import forbidding, forcing, keeping, lift, limited, only, total, with_money, with_starts

EXACT = SolveOptions(gap=1e-9, threads=1)
BASIS = frozenset({"lead", "modules", "survival", "overflow", "reach", "funds", "displacement", "latent"})


def exactly(problem: Problem, known: Sequence[Solution] = ()) -> Solution:
    return solve(problem, EXACT)


@pytest.mark.parametrize("measure", Measure)
def test_the_least_of_a_measure_is_that_of_enumeration(measure: Measure) -> None:
    for seed in range(3):
        problem = problem_with(seed, TINY, BASIS, [])
        least, _ = brute_force(only(problem, measure, 1e3))
        solution = exactly(only(problem, measure, 1e3))
        assert solution.upper == pytest.approx(least, rel=1e-6, abs=1e-3)
        assert total(problem, measure, solution) * 1e3 == pytest.approx(least, rel=1e-6, abs=1e-3)


def test_stages_in_the_order_asked() -> None:
    """Who asks for few independent places first gets no more of them, and pays no less, than who asks for cost first."""
    moved = False
    for seed in range(6):
        problem = problem_with(seed, TINY, BASIS, [])
        by_cost, cost_stages = in_stages(problem, [Goal.COST, Goal.OUTSIDE], exactly, tolerance=1e-4)
        by_places, stages = in_stages(problem, [Goal.UNMET, Goal.OUTSIDE, Goal.COST], exactly, tolerance=1e-4)
        assert [stage.goal for stage in stages] == [Goal.UNMET, Goal.OUTSIDE, Goal.COST]
        for found in (by_cost, by_places):
            unlimited = replace(found, beside=replace(found.beside, over_measure=np.zeros(0)))
            assert [fault for fault in breaches(problem, unlimited) if not fault.startswith("costs")] == []
        least = brute_force(only(problem, Measure.UNMET, 1e3))[0] / 1e3
        assert total(problem, Measure.UNMET, by_places) <= least * 1.001 + 1e-4
        assert cost_stages[0].value <= stages[-1].value * (1 + 1e-6)
        assert cost_stages[0].value <= exactly(problem).upper * (1 + 1e-6)
        moved |= stages[-1].value > cost_stages[0].value * 1.001
        for stage in (*stages, *cost_stages):
            assert stage.bound <= stage.value * (1 + 1e-6) + 1e-6
    assert moved


def test_a_frontier_falls() -> None:
    problem = problem_with(2, WIDE, BASIS, [])
    points = frontier(problem, Measure.MINUTES, 4, exactly)
    values, costs = [point.value for point in points], [point.solution.upper for point in points]
    assert values == sorted(values, reverse=True)
    assert costs == sorted(costs)
    assert costs[-1] > costs[0]
    for point in points[1:-1]:
        cheaper = exactly(limited(problem, Measure.MINUTES, point.limit, 2e4, "again"))
        assert point.solution.upper == pytest.approx(cheaper.upper, rel=1e-6)


def test_more_money_keeps_what_less_money_chose() -> None:
    kept_something = False
    for seed in range(4):
        problem = problem_with(seed, WIDE, BASIS, [])
        poor = exactly(with_money(problem, -0.5 * problem.funds.amount))
        more, starts = keeping(problem, poor.decisions)
        rich = exactly(more)
        decisions = lift(rich.decisions, starts)
        assert (decisions.start >= poor.decisions.start).all()
        assert (decisions.modules >= poor.decisions.modules).all()
        assert exactly(problem).upper <= rich.upper * (1 + 1e-6) <= poor.upper * (1 + 1e-6) ** 2
        kept_something |= bool(poor.decisions.start.any())
    assert kept_something


def test_forced_forbidden_and_left_out_options() -> None:
    for seed in range(3):
        problem = problem_with(seed, TINY, BASIS, [])
        best = exactly(problem)
        for option in range(len(problem.options.labels)):
            mine = problem.options.start_option == option
            without, keep = forbidding(problem, np.array([option]))
            costs = [FlowProgramme(problem).solve(plan)[0] for plan in all_decisions(problem) if not plan.start[mine].any()]
            assert exactly(without).upper == pytest.approx(min(costs), rel=1e-6)
            assert keep.sum() == (~mine).sum()
            if find_clash(forcing(problem, option)) is None:
                assert exactly(forcing(problem, option)).upper >= best.upper * (1 - 1e-6)
        assert exactly(with_starts(problem, np.ones(len(problem.options.start_option), bool))).upper == pytest.approx(best.upper)


def test_a_clash_is_named_with_what_would_mend_it() -> None:
    named = False
    for seed in range(6):
        problem = problem_with(seed, WIDE, BASIS, [])
        poor = forcing(with_money(problem, -problem.funds.amount), 0)
        clash = find_clash(poor)
        assert clash is not None
        kinds = [requirement.kind for requirement in clash.requirements]
        assert kinds.count("pin_must") == 1
        assert set(kinds) <= {"pin_must", "fund_balance"}
        for requirement, most in zip(clash.requirements, clash.relaxation, strict=True):
            if requirement.kind == "pin_must":
                assert most == pytest.approx(1.0)
                continue
            named = True
            fund = problem.funds.labels.index(requirement.subject)
            amount = np.zeros_like(problem.funds.amount)
            amount[fund, 0] = most * 1.000001 + 1.0
            assert find_clash(with_money(poor, amount)) is None
            amount[fund, 0] = most * 0.99 - 1.0
            assert find_clash(with_money(poor, amount)) is not None
    assert named


def test_no_clash_where_a_plan_exists() -> None:
    problem = problem_with(1, TINY, BASIS, ["crews", "bundle", "lag"])
    assert find_clash(problem) is None
    assert find_clash(replace(problem, pins=None)) is None
