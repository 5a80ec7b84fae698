"""The second opinion agrees with right figures and catches each wrong one: cost, bound, flows, decisions, prices."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from solver_cases import MEDIUM, TINY, random_problem, with_floor
from solver_parts import PARTS, problem_with

from solver.backends.protocol import Limits
from solver.check import Checked, cheapest_choices, check, check_apart, held_cost
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import no_decisions
from solver.pricing import Prices, no_prices, respond
from solver.problem import Problem
from solver.result import Solution
from solver.solve import SolveOptions, solve

SECONDS = 30.0


@cache
def medium() -> Problem:
    return with_floor(random_problem(3, MEDIUM))


@cache
def solved(*, decomposed: bool) -> Solution:
    how = SolveOptions(gap=0.005, seconds=60.0, threads=1, direct_arcs=0 if decomposed else 10**9)
    without = solve(medium(), replace(how, direct_arcs=10**9), fixed=no_decisions(medium()))
    return solve(medium(), how, known_flows=[without.flows])


@cache
def checked(*, decomposed: bool) -> Checked:
    solution = solved(decomposed=decomposed)
    return check(medium(), solution, solution.lower, SECONDS)


def random_prices(problem: Problem, seed: int) -> Prices:
    random = np.random.default_rng(seed)
    prices = {name: random.uniform(0, 20_000, array.shape) for name, array in vars(no_prices(problem)).items()}
    if problem.quotas is not None:
        prices["quota"] = np.where(np.isfinite(problem.quotas.limit), prices["quota"], 0.0)
    return Prices(**prices)


@pytest.mark.parametrize("decomposed", [False, True])
def test_right_figures_are_agreed_to(decomposed: bool) -> None:
    solution, found = solved(decomposed=decomposed), checked(decomposed=decomposed)
    assert bool(solution.proof) == decomposed
    assert found.agrees(solution.upper) is True
    assert found.flows is not None
    assert found.flows <= solution.upper * (1 + 1e-6)
    assert found.bound == solution.lower


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("factor", [0.999, 1.001])
def test_a_wrong_cost_is_caught(decomposed: bool, factor: float) -> None:
    assert checked(decomposed=decomposed).agrees(factor * solved(decomposed=decomposed).upper) is False


@pytest.mark.parametrize("decomposed", [False, True])
def test_a_bound_that_nothing_proves_is_caught(decomposed: bool) -> None:
    """Above the plan that is known to be possible; above what the prices prove."""
    solution = solved(decomposed=decomposed)
    assert solution.gap < 0.005
    found = check(medium(), solution, 1.005 * solution.upper, SECONDS)
    assert found.bound_holds is False
    assert found.agrees(solution.upper) is False
    assert found.bound is not None
    assert found.bound < 1.005 * solution.upper


def test_prices_that_are_not_those_of_the_bound_are_caught() -> None:
    solution = solved(decomposed=True)
    free = replace(solution, proof=(no_prices(medium()),))
    assert check(medium(), free, solution.lower, SECONDS).bound_holds is False


def test_flows_that_break_a_row_are_caught() -> None:
    solution, limits = solved(decomposed=False), Limits(seconds=SECONDS)
    amount = solution.flows.amount.copy()
    amount[np.argmax(amount)] -= 0.01
    assert held_cost(medium(), solution.decisions, replace(solution.flows, amount=amount), limits) is None


def test_projects_that_were_not_built_are_caught() -> None:
    """The flows of the plan need the places of its projects; more than may be built is refused at once."""
    solution, limits = solved(decomposed=False), Limits(seconds=SECONDS)
    assert solution.decisions.start.any()
    assert held_cost(medium(), no_decisions(medium()), solution.flows, limits) is None
    too_many = replace(solution.decisions, modules=solution.decisions.modules + 1_000)
    assert held_cost(medium(), too_many, solution.flows, limits) is None


@pytest.mark.parametrize("part", sorted(PARTS))
def test_cheapest_choices_are_those_of_the_compiled_loops(part: str) -> None:
    problem = problem_with(7, TINY, frozenset({"modules", "funds", "conversion"}), [part])
    blocks = make_blocks(problem, 10)
    for seed in range(3):
        prices = random_prices(problem, seed)
        assert cheapest_choices(problem, prices) == pytest.approx(respond(problem, blocks, prices).value.sum(), rel=1e-7)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_family_is_checked(part: str) -> None:
    problem = problem_with(2, TINY, frozenset({"modules", "funds", "conversion"}), [part])
    solution = solve(problem, SolveOptions(gap=1e-6, seconds=20.0, threads=1))
    assert check(problem, solution, solution.lower, SECONDS).agrees(solution.upper) is True


def test_a_process_of_its_own_finds_the_same_and_can_be_stopped() -> None:
    solution = solved(decomposed=True)
    apart = check_apart(medium(), solution, solution.lower, SECONDS, lambda: False)
    assert apart is not None
    assert replace(apart, seconds=0) == replace(checked(decomposed=True), seconds=0)
    assert check_apart(medium(), solution, solution.lower, SECONDS, lambda: True) is None
