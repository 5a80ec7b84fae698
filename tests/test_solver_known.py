"""What an earlier run leaves is taken up where it fits and nowhere else: bounds, held solutions, prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from solver_cases import MEDIUM, random_problem
from solver_oracle import breaches

from solver import solve as entry
from solver.decomposition import search
from solver.decomposition.master import no_decisions
from solver.known import Known, held_key, known_of
from solver.problem import Problem
from solver.result import Flows, Solution
from solver.solve import SolveOptions, solve
from solver.variants import forbidding, forcing, lower, with_money, with_starts

DECOMPOSED = SolveOptions(gap=0.01, seconds=60.0, threads=1, direct_arcs=0)
EXACT = SolveOptions(gap=1e-5, seconds=120.0, threads=1, direct_arcs=10**7)
SEEDS = (1, 3, 5)


@lru_cache
def medium(seed: int) -> Problem:
    return random_problem(seed, MEDIUM)


@lru_cache
def standing(seed: int) -> Flows:
    """Flows that stay feasible whatever is built."""
    return solve(medium(seed), EXACT, fixed=no_decisions(medium(seed))).flows


@lru_cache
def first(seed: int) -> tuple[Solution, Known]:
    problem = medium(seed)
    found = solve(problem, DECOMPOSED, known_flows=[standing(seed)])
    return found, known_of(problem, found.lower, found.proof, [(problem, found)])


def changed(seed: int) -> tuple[Problem, Any]:
    """The last project that the plan builds is forbidden."""
    built = medium(seed).options.start_option[first(seed)[0].decisions.start > 0]
    return forbidding(medium(seed), built[-1:])


@pytest.fixture
def ascents(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps of each climb of prices."""
    steps: list[int] = []
    climb: Callable[..., Any] = search.ascend

    def counted(*given: Any, **named: Any) -> Any:
        steps.append(named["steps"])
        return climb(*given, **named)

    monkeypatch.setattr(search, "ascend", counted)
    return steps


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bound_holds_where_less_is_allowed_and_nowhere_else(seed: int) -> None:
    problem, (found, known) = medium(seed), first(seed)
    fewer, _ = changed(seed)
    asked = forcing(problem, int(np.argmax(problem.options.committed_start < 0)))
    for stricter in (problem, fewer, asked):
        assert known.lower(stricter) == found.lower
        assert found.lower <= solve(stricter, EXACT).upper * (1 + 1e-6)
    dearer = replace(problem, options=replace(problem.options, fixed_cost=problem.options.fixed_cost * 1.01))
    larger = replace(problem, pools=replace(problem.pools, capacity=problem.pools.capacity + 1.0))
    for other in (with_money(problem, np.full(problem.funds.amount.shape, 1.0)), dearer, larger):
        assert known.lower(other) == -np.inf
    for stricter in (fewer, asked):
        assert known_of(stricter, 1.0, (), []).lower(problem) == -np.inf


def test_a_held_solution_is_known_by_what_it_follows_from() -> None:
    problem, (found, known) = medium(1), first(1)
    fewer, keep = changed(1)
    key = held_key(problem, found.decisions)
    assert held_key(forcing(problem, 0), found.decisions) == key, "a pin does not change what held projects cost"
    assert held_key(fewer, lower(found.decisions, keep)) != key
    assert held_key(with_money(problem, np.full(problem.funds.amount.shape, 1.0)), found.decisions) != key
    left, kept = forbidding(problem, np.setdiff1d(problem.options.start_option, problem.options.start_option[found.decisions.start > 0]))
    again = lower(found.decisions, kept)
    assert held_key(left, again) == key, "nor do starts that are not made"
    told = known.solution(left, again, 1.0)
    assert told is not None
    assert told.decisions is again
    assert known.solution(problem, found.decisions, found.gap) is None, "not as exact as asked for"


def test_known_held_options_are_not_solved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = medium(1)
    held = solve(problem, DECOMPOSED, known_flows=[standing(1)], fixed=no_decisions(problem))
    known = known_of(problem, -np.inf, (), [(problem, held)])
    calls: list[Problem] = []
    decompose = entry.decompose

    def counted(asked: Problem, *given: Any, **named: Any) -> Solution:
        calls.append(asked)
        return decompose(asked, *given, **named)

    monkeypatch.setattr(entry, "decompose", counted)
    assert solve(problem, DECOMPOSED, fixed=no_decisions(problem), known=known).upper == held.upper
    assert not calls
    larger = replace(problem, pools=replace(problem.pools, capacity=problem.pools.capacity + 1.0))
    assert solve(larger, DECOMPOSED, known_flows=[standing(1)], fixed=no_decisions(problem), known=known).upper < held.upper
    assert len(calls) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pin_that_the_plan_keeps_is_answered_without_a_search(seed: int, ascents: list[int]) -> None:
    problem, (found, known) = medium(seed), first(seed)
    wide = replace(DECOMPOSED, gap=1.001 * found.gap)
    built = int(problem.options.start_option[found.decisions.start > 0][-1])
    ascents.clear()
    again = solve(forcing(problem, built), wide, known_flows=[standing(seed)], candidates=[found.decisions], known=known)
    assert ascents == []
    assert (again.upper, again.lower) == (found.upper, found.lower)
    assert np.array_equal(again.decisions.start, found.decisions.start)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_changed_problem_is_planned_near_the_earlier_plan(seed: int, ascents: list[int]) -> None:
    (found, known), (problem, keep) = first(seed), changed(seed)
    optimum = solve(problem, EXACT)
    wide = replace(DECOMPOSED, gap=0.05)
    ascents.clear()
    near = [lower(found.decisions, keep)]
    again = solve(problem, wide, known_flows=[standing(seed)], candidates=near, known=known)
    assert ascents in ([search.NEAR_STEPS], [search.NEAR_STEPS] * 2), "one set of options or two, each from known prices"
    assert breaches(problem, again) == []
    assert again.lower <= optimum.upper * (1 + 1e-6)
    assert again.upper >= optimum.lower * (1 - 1e-6)
    assert again.gap <= wide.gap
    twice = solve(problem, wide, known_flows=[standing(seed)], candidates=near, known=known)
    assert (twice.upper, twice.lower) == (again.upper, again.lower)


def test_prices_of_another_problem_are_left_alone() -> None:
    """A problem of other sizes is solved as from nothing."""
    other = random_problem(2, replace(MEDIUM, options=MEDIUM.options + 1))
    standing = [solve(other, EXACT, fixed=no_decisions(other)).flows]
    alone = solve(other, DECOMPOSED, known_flows=standing)
    again = solve(other, DECOMPOSED, known_flows=standing, known=first(1)[1])
    assert (again.upper, again.lower) == (alone.upper, alone.lower)


def test_a_problem_with_no_start_left_is_known_too() -> None:
    problem = medium(1)
    none = np.zeros(len(problem.options.start_option), np.bool_)
    none[problem.options.committed_start[problem.options.committed_start >= 0]] = True
    bare = with_starts(problem, none)
    assert held_key(bare, no_decisions(bare)) == held_key(problem, no_decisions(problem))
    if not none.any():
        assert len(with_starts(bare, none[:0]).options.start_option) == 0
