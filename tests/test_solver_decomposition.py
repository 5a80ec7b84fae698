"""Decomposition against one model on problems of a few thousand arcs, and how it ends."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from solver_cases import FEATURES, MEDIUM, random_problem
from solver_oracle import breaches

from solver.decomposition.master import no_decisions
from solver.known import Known
from solver.problem import Problem
from solver.result import Decisions, Flows, Progress, Solution, Termination
from solver.rules import cheapest_first
from solver.solve import SolveOptions, solve
from solver.variants import forbidding, lower

DECOMPOSED = SolveOptions(gap=0.005, seconds=60.0, threads=1, direct_arcs=0)
SEEDS = (1, 3, 5)


@lru_cache
def medium(seed: int) -> Problem:
    return random_problem(seed, MEDIUM)


@lru_cache
def large() -> Problem:
    """Takes a few seconds undisturbed. Without a displacement limit, which would need known flows."""
    return random_problem(1, replace(MEDIUM, origins=80, classes=6, options=12), FEATURES - {"displacement"})


@lru_cache
def direct(seed: int) -> Solution:
    return solve(medium(seed), SolveOptions(gap=1e-5, seconds=120.0, threads=1, direct_arcs=10**7))


@lru_cache
def without_options(seed: int) -> Flows:
    """Flows that stay feasible whatever is built: of the plan that builds only what is committed."""
    problem = medium(seed)
    return solve(problem, SolveOptions(gap=1e-6, threads=1, direct_arcs=10**7), fixed=no_decisions(problem)).flows


@lru_cache
def decomposed(seed: int) -> Solution:
    return solve(medium(seed), DECOMPOSED, known_flows=[without_options(seed)])


@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_enclose_the_optimum(seed: int) -> None:
    optimum, found = direct(seed), decomposed(seed)
    assert optimum.termination is Termination.OPTIMAL
    assert medium(seed).arcs > 2_000
    slack = 1e-6 * optimum.upper
    assert found.lower <= optimum.upper + slack
    assert found.upper >= optimum.lower - slack
    assert found.gap <= 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_decomposed_plan_keeps_every_rule(seed: int) -> None:
    assert breaches(medium(seed), decomposed(seed)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_held_options_cost_what_one_model_says(seed: int) -> None:
    problem = medium(seed)
    rule = cheapest_first(problem)
    held = solve(problem, DECOMPOSED, fixed=rule, known_flows=[without_options(seed)])
    exact = solve(problem, SolveOptions(gap=1e-6, threads=1, direct_arcs=10**7), fixed=rule)
    assert np.array_equal(held.decisions.modules, rule.modules)
    assert held.lower <= exact.upper * (1 + 1e-6)
    assert exact.upper * (1 - 1e-6) <= held.upper <= exact.upper * 1.005


def test_same_seed_same_plan() -> None:
    first, second = decomposed(1), solve(medium(1), DECOMPOSED, known_flows=[without_options(1)])
    assert np.array_equal(first.decisions.start, second.decisions.start)
    assert np.array_equal(first.decisions.modules, second.decisions.modules)
    assert first.upper == pytest.approx(second.upper, rel=1e-9)
    assert first.lower == pytest.approx(second.lower, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("whose", ["rule", "optimum"])
def test_warm_start_is_never_worse_than_the_candidate(seed: int, whose: str) -> None:
    problem = medium(seed)
    candidate: Decisions = cheapest_first(problem) if whose == "rule" else direct(seed).decisions
    alone = solve(problem, SolveOptions(gap=1e-6, threads=1, direct_arcs=10**7), fixed=candidate)
    warm = solve(problem, DECOMPOSED, known_flows=[without_options(seed)], candidates=[candidate])
    assert breaches(problem, warm) == []
    assert warm.upper <= alone.upper * (1 + 0.1 * DECOMPOSED.gap)


@pytest.mark.parametrize("seed", SEEDS)
def test_known_prices_bound_a_changed_problem_at_once(seed: int) -> None:
    first, problem = decomposed(seed), medium(seed)
    changed, keep = forbidding(problem, problem.options.start_option[first.decisions.start > 0][-1:])
    optimum = solve(changed, SolveOptions(gap=1e-5, seconds=120.0, threads=1, direct_arcs=10**7))
    known = lower(first.decisions, keep)
    again = solve(changed, DECOMPOSED, known_flows=[without_options(seed)], candidates=[known], known=Known(first.proof))
    assert again.log[0].phase == "prices"
    assert first.log[0].lower < again.log[0].lower <= optimum.upper * (1 + 1e-6)
    assert again.lower <= optimum.upper * (1 + 1e-6)
    assert optimum.lower * (1 - 1e-6) <= again.upper <= 1.02 * optimum.upper


def test_interruption_soon_gives_a_plan() -> None:
    began = time.monotonic()
    options = replace(DECOMPOSED, gap=0.0, interrupted=lambda: time.monotonic() - began > 0.3)
    stopped = solve(large(), options)
    assert time.monotonic() - began < 8
    assert stopped.termination is Termination.INTERRUPTED
    assert stopped.lower < stopped.upper
    assert breaches(large(), stopped) == []


def test_time_limit_is_kept() -> None:
    began = time.monotonic()
    stopped = solve(large(), replace(DECOMPOSED, gap=0.0, seconds=0.3))
    assert time.monotonic() - began < 8
    assert stopped.termination is Termination.TIME_LIMIT
    assert stopped.lower < stopped.upper
    assert breaches(large(), stopped) == []


def test_progress_is_reported_and_bounds_only_improve() -> None:
    lines: list[Progress] = []
    solve(medium(1), replace(DECOMPOSED, report=lines.append), known_flows=[without_options(1)])
    assert len(lines) >= 2
    lower = [line.lower for line in lines]
    assert lower == sorted(lower)
    assert [line.seconds for line in lines] == sorted(line.seconds for line in lines)
