"""The solver against enumeration with an independent flow programme, and properties that every problem has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_cases import FEATURES, LONG, TINY, WIDE, Size, random_problem, scaled_money, without_money
from solver_oracle import FlowProgramme, breaches, brute_force, nothing

from solver.backends import NAMES
from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.direct import place_entrants
from solver.formulation import MONEY, build_core
from solver.pricing import all_arcs
from solver.problem import NEW, Problem
from solver.result import Solution, Termination
from solver.rules import cheapest_first
from solver.solve import SolveOptions, solve

EXACT = SolveOptions(gap=1e-9, threads=1)
BASIS = frozenset({"lead", "modules", "survival", "overflow", "reach", "funds", "displacement"})
SIZES = {"tiny": TINY, "long": LONG, "wide": WIDE}
SEEDS = range(2)


def proved(problem: Problem, backend: str = "highs") -> Solution:
    solution = solve(problem, replace(EXACT, backend=backend))
    assert solution.termination is Termination.OPTIMAL
    assert breaches(problem, solution) == []
    return solution


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("feature", sorted(FEATURES - BASIS))
def test_every_family_matches_enumeration(feature: str, size: str) -> None:
    for seed in SEEDS:
        problem = random_problem(seed, SIZES[size], BASIS | {feature})
        least, plans = brute_force(problem)
        solution = proved(problem)
        assert solution.upper == pytest.approx(least, rel=1e-6), f"seed {seed}, {plans} plans"
        assert solution.lower == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("backend", NAMES)
def test_every_backend_matches_enumeration_of_all_families(backend: str) -> None:
    for size in SIZES.values():
        for seed in range(10, 14):
            problem = random_problem(seed, size)
            least, plans = brute_force(problem)
            assert proved(problem, backend).upper == pytest.approx(least, rel=1e-6), f"seed {seed}, {plans} plans"


@pytest.mark.parametrize("feature", sorted(FEATURES - {"funds"}))
def test_every_family_matters_in_the_cases(feature: str) -> None:
    """Dropping a family changes the enumerated optimum somewhere: the comparison above would notice its absence."""
    kept = BASIS | {feature}
    pairs = (
        brute_force(random_problem(seed, size, features))[0]
        for size in (LONG, WIDE)
        for seed in SEEDS
        for features in (kept, kept - {feature})
    )
    assert any(abs(least - without) > 1e-6 * least for least, without in zip(pairs, pairs, strict=True))


def with_eligibility_opened(problem: Problem) -> Problem:
    return replace(problem, funds=replace(problem.funds, eligible=np.ones_like(problem.funds.eligible)))


def test_eligibility_of_funds_matters() -> None:
    for seed in range(8):
        problem = random_problem(seed, WIDE, BASIS)
        bound, free = brute_force(problem)[0], brute_force(with_eligibility_opened(problem))[0]
        assert free <= bound * (1 + 1e-9)
        if free < bound * (1 - 1e-6):
            return
    pytest.fail("no case in which eligibility changes the optimum")


problems = st.builds(random_problem, st.integers(0, 10_000), st.sampled_from([TINY, LONG, WIDE]), st.just(FEATURES))
uncommitted = st.builds(random_problem, st.integers(0, 10_000), st.sampled_from([TINY, LONG, WIDE]), st.just(FEATURES - {"committed"}))
quick = settings(max_examples=12, deadline=None, derandomize=True, database=None)


@quick
@given(uncommitted)
def test_no_money_changes_nothing(problem: Problem) -> None:
    solution = proved(without_money(problem))
    assert solution.decisions.start.sum() == 0
    assert solution.upper == pytest.approx(FlowProgramme(problem).solve(nothing(problem))[0], rel=1e-6)


@quick
@given(problems, st.floats(1.05, 3.0))
def test_more_money_never_costs_more(problem: Problem, factor: float) -> None:
    richer = replace(problem, funds=replace(problem.funds, amount=problem.funds.amount * factor))
    assert proved(richer).upper <= proved(problem).upper * (1 + 1e-6)


@quick
@given(problems, st.sampled_from([0.1, 0.5, 3.0, 20.0]))
def test_all_money_times_a_factor(problem: Problem, factor: float) -> None:
    assert proved(scaled_money(problem, factor)).upper == pytest.approx(factor * proved(problem).upper, rel=1e-6)


@quick
@given(problems)
def test_nothing_is_used_before_it_opens(problem: Problem) -> None:
    solution = proved(problem)
    opens = np.full(len(problem.pools.labels), len(problem.periods))
    for k in np.nonzero(solution.decisions.start)[0]:
        pool = problem.options.pool[problem.options.start_option[k]]
        if pool >= 0:
            opens[pool] = problem.options.start_opens[k]
    placed = solution.flows.pool < len(problem.pools.labels)
    pool = solution.flows.pool[placed]
    new = problem.pools.role[pool] == NEW
    assert (solution.flows.entry[placed][new] >= opens[pool[new]]).all()


@quick
@given(problems)
def test_relaxation_plan_and_rule_in_order(problem: Problem) -> None:
    core = build_core(problem)
    place_entrants(core, all_arcs(problem))
    relaxed = HighsBackend().solve(core.model.arrays(), Limits(), relax=True).objective / MONEY
    best = proved(problem)
    rule = solve(problem, EXACT, fixed=cheapest_first(problem))
    assert breaches(problem, rule) == []
    slack = 1e-6 * best.upper
    assert relaxed <= best.upper + slack
    assert best.upper <= rule.upper + slack


@pytest.mark.parametrize("backend", NAMES)
def test_price_of_capacity_is_what_a_place_saves(backend: str) -> None:
    """A dual is a subgradient: with the same options no change of one capacity saves more than its price says."""
    seen = 0
    for seed in range(3):
        problem = random_problem(seed, WIDE, FEATURES - {"displacement"})  # with a floor fewer places may leave no plan
        solution = proved(problem, backend)
        pools, periods = np.nonzero((solution.capacity_price > 1.0) & (problem.pools.role != NEW)[:, None])
        for pool, period in zip(pools[:4], periods[:4], strict=True):
            for change in (-0.05, 0.05):
                capacity = problem.pools.capacity.copy()
                capacity[pool, period] += change
                changed = replace(problem, pools=replace(problem.pools, capacity=capacity))
                cost, _ = FlowProgramme(changed).solve(solution.decisions)
                saved = solution.upper - cost
                assert saved <= change * solution.capacity_price[pool, period] + 1e-6 * solution.upper
                seen += change > 0 and saved > 0.5 * change * solution.capacity_price[pool, period]
    assert seen


@pytest.mark.parametrize("backend", NAMES)
def test_a_plan_and_a_bound_whatever_the_time(backend: str) -> None:
    problem = random_problem(0, larger(WIDE))
    optimum = proved(problem)
    rule = cheapest_first(problem)
    for known in ([], [rule], [optimum.decisions]):
        hurried = solve(problem, SolveOptions(gap=0.0, seconds=0.01, threads=1, backend=backend), candidates=known)
        assert breaches(problem, hurried) == []
        assert 0 < hurried.lower <= optimum.upper * (1 + 1e-6)
        if known:
            assert hurried.upper <= solve(problem, EXACT, fixed=known[0]).upper * (1 + 1e-6)


def larger(size: Size) -> Size:
    return replace(size, origins=12, options=6, periods=4)


@pytest.mark.parametrize("backend", NAMES)
def test_backends_agree_on_larger_problems(backend: str) -> None:
    for seed in range(2):
        problem = random_problem(seed, larger(WIDE))
        assert proved(problem, backend).upper == pytest.approx(proved(problem).upper, rel=1e-6)
