"""Every optional part of a problem against enumeration, in one model and decomposed, and together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_cases import FEATURES, LONG, MEDIUM, TINY, with_floor
from solver_oracle import breaches, brute_force
from solver_parts import PARTS, problem_with

from solver.backends import NAMES
from solver.decomposition.master import no_decisions
from solver.problem import Problem
from solver.result import Solution, Termination
from solver.solve import SolveOptions, solve
from solver.worlds import stack, unstack

EXACT = SolveOptions(gap=1e-9, threads=1)
BASIS = frozenset({"lead", "modules", "survival", "overflow", "reach", "funds", "displacement", "latent"})
SIZES = {"tiny": TINY, "long": LONG}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", PARTS)
def test_every_part_matches_enumeration(part: str, size: str) -> None:
    for seed in range(3):
        problem = problem_with(seed, SIZES[size], BASIS, [part])
        least, plans = brute_force(problem)
        solution = solve(problem, EXACT)
        assert solution.termination is Termination.OPTIMAL
        assert breaches(problem, solution) == []
        assert solution.upper == pytest.approx(least, rel=1e-6), f"seed {seed}, {plans} plans"
        assert solution.lower == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_matters_in_the_cases(part: str) -> None:
    """Without the part the optimum is another: the comparison above would notice its absence."""
    for size in SIZES.values():
        for seed in range(6):
            least = brute_force(problem_with(seed, size, BASIS, [part]))[0]
            without = brute_force(problem_with(seed, size, BASIS, []))[0]
            if abs(least - without) > 1e-6 * least:
                return
    pytest.fail("no case in which it matters")


@pytest.mark.parametrize("backend", NAMES)
def test_every_backend_matches_enumeration_of_all_parts(backend: str) -> None:
    parts = [part for part in PARTS if part not in {"must", "least"}]
    for seed in range(20, 23):
        problem = problem_with(seed, TINY, FEATURES - {"committed"}, parts)
        least, plans = brute_force(problem)
        solution = solve(problem, replace(EXACT, backend=backend))
        assert breaches(problem, solution) == []
        assert solution.upper == pytest.approx(least, rel=1e-6), f"seed {seed}, {plans} plans"


several = st.lists(st.sampled_from(sorted(set(PARTS) - {"must", "least"})), min_size=2, max_size=5, unique=True)


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), several)
def test_any_parts_together_match_enumeration(seed: int, parts: list[str]) -> None:
    problem = problem_with(seed, TINY, BASIS, parts)
    least, _ = brute_force(problem)
    assert solve(problem, EXACT).upper == pytest.approx(least, rel=1e-6)


def decomposed(problem: Problem, gap: float) -> Solution:
    """Solved by decomposition, from the flows of the problem in which nothing is asked for or built."""
    free = replace(problem, pins=None)
    known = solve(free, EXACT, fixed=no_decisions(free)).flows
    return solve(problem, replace(EXACT, direct_arcs=0, gap=gap, seconds=60.0), known_flows=[known])


@pytest.mark.parametrize("part", PARTS)
def test_decomposition_encloses_the_optimum(part: str) -> None:
    """Bound <= optimum <= plan, and the plan keeps every rule, with every part decomposed."""
    for seed in range(2):
        problem = problem_with(seed, replace(TINY, options=3, origins=6), BASIS, [part])
        exact = solve(problem, EXACT)
        found = decomposed(problem, gap=1e-4)
        slack = 1e-6 * exact.upper
        assert breaches(problem, found, slack=1e-4) == []
        assert found.lower <= exact.upper + slack
        assert found.upper >= exact.upper - slack
        assert found.upper <= exact.upper * 1.03


def test_decomposition_of_all_parts_on_a_medium_problem() -> None:
    parts = [part for part in PARTS if part not in {"must", "least"}]
    problem = problem_with(3, MEDIUM, FEATURES, parts)
    exact = solve(problem, replace(EXACT, gap=1e-4, seconds=60.0))
    found = decomposed(problem, gap=1e-3)
    assert breaches(problem, found, slack=1e-4) == []
    assert found.lower <= exact.upper * (1 + 1e-6)
    assert found.upper >= exact.lower * (1 - 1e-6)
    assert found.upper <= exact.upper * 1.03


@pytest.mark.parametrize("direct_arcs", [10**6, 0])
def test_worlds_are_stacked_and_taken_apart(direct_arcs: int) -> None:
    """The mean of the worlds' own costs is the stacked cost, and no world does better alone with the same options."""
    one = problem_with(4, TINY, BASIS, ["quotas", "viability", "grants"])
    other = replace(one, demand=replace(one.demand, entrants=np.round(1.3 * one.demand.entrants, 2)), constant=3e5)
    alone = {"low": one, "high": with_floor(other)}
    weight = [0.4, 0.6]
    stacked = stack(alone, weight)
    known = solve(stacked, EXACT, fixed=no_decisions(stacked)).flows
    solution = solve(stacked, replace(EXACT, direct_arcs=direct_arcs), known_flows=[known])
    parts = unstack(stacked, alone, solution)
    assert breaches(stacked, solution, slack=1e-4) == []
    for name, problem in alone.items():
        assert breaches(problem, parts[name], slack=1e-4) == []
        held = solve(problem, EXACT, fixed=solution.decisions)
        assert held.upper == pytest.approx(parts[name].upper, rel=1e-3 if direct_arcs == 0 else 1e-6)
    mean = sum(share * parts[name].upper for share, name in zip(weight, alone, strict=True))
    assert mean == pytest.approx(solution.upper, rel=1e-6)


def test_worlds_that_do_not_match_are_refused() -> None:
    one, wide = problem_with(1, TINY, BASIS, []), problem_with(1, replace(TINY, origins=4), BASIS, [])
    with pytest.raises(ValueError, match="areas"):
        stack({"one": one, "wide": wide}, [0.5, 0.5])
    with pytest.raises(ValueError, match="probability"):
        stack({"one": one, "again": one}, [0.5, 0.6])
