"""Climbing prices: options that need others decide with them, and a climb goes on where an earlier one ended."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from solver_cases import MEDIUM, random_problem, without_floor

from solver.decomposition.ascent import ascend
from solver.decomposition.blocks import make_blocks
from solver.decomposition.choosers import Parties
from solver.problem import Floats, Problem

PERIODS = 4


def drawn(random: np.random.Generator) -> tuple[Problem, Floats]:
    """What parties look at of six options, some in an exclusive group, some that need an earlier one; and a profit of each start."""
    count, each = 6, 3
    needs = np.array([random.integers(-1, j) if j and random.random() < 0.6 else -1 for j in range(count)])
    exclusive = np.where(random.random(count) < 0.3, 0, -1)
    options = SimpleNamespace(
        labels=tuple("abcdef"),
        exclusive=exclusive,
        prerequisite=np.where(exclusive >= 0, -1, needs),
        start_option=np.repeat(np.arange(count), each),
        start_opens=np.tile(np.arange(each), count),
    )
    pins = SimpleNamespace(lag=random.integers(0, 2, count)) if random.random() < 0.5 else None
    problem = cast("Problem", SimpleNamespace(options=options, pins=pins, periods=tuple(range(PERIODS))))
    return problem, random.normal(0.0, 1.0, count * each)


def most(problem: Problem, profit: Floats) -> float:
    """The largest sum over all choices of at most one start for each option that keep groups and prerequisites."""
    options, best = problem.options, 0.0
    starts = [[-1, *np.nonzero(options.start_option == j)[0]] for j in range(len(options.labels))]
    lag = np.zeros(len(starts), int) if problem.pins is None else problem.pins.lag
    for chosen in product(*starts):
        opens = [PERIODS + 9 if k < 0 else options.start_opens[k] for k in chosen]
        if sum(k >= 0 and options.exclusive[j] >= 0 for j, k in enumerate(chosen)) > 1:
            continue
        needs = options.prerequisite
        if all(k < 0 or needs[j] < 0 or opens[j] >= opens[needs[j]] + lag[j] for j, k in enumerate(chosen)):
            best = max(best, sum(profit[k] for k in chosen if k >= 0))
    return best


@pytest.mark.parametrize("seed", range(40))
def test_parties_take_what_earns_most_together(seed: int) -> None:
    problem, profit = drawn(np.random.default_rng(seed))
    picked = Parties(problem).best(profit)
    assert len(np.unique(problem.options.start_option[picked])) == len(picked)
    assert profit[picked].sum() == pytest.approx(most(problem, profit))


def test_prerequisites_in_a_circle_are_refused() -> None:
    problem, _ = drawn(np.random.default_rng(0))
    problem.options.exclusive[:] = -1
    problem.options.prerequisite[:3] = [1, 2, 0]
    with pytest.raises(ValueError, match="circle"):
        Parties(problem)


def test_a_climb_goes_on_where_an_earlier_one_ended() -> None:
    """With the prices of budgets and of latent limits: without them options are built that no purse can pay."""
    going_on, anew = [], []
    for seed in range(1, 7):
        problem = without_floor(random_problem(seed, MEDIUM))
        blocks = make_blocks(problem, 100)
        climb = ascend(problem, blocks, steps=300, first_step=0.6)
        still = ascend(problem, blocks, steps=1, first_step=0.0, begin=climb)
        for name, price in climb.beside.items():
            np.testing.assert_array_equal(still.beside[name], price)
        assert still.value >= climb.value - 1e-9 * abs(climb.value)
        going_on.append(still.value)
        anew.append(ascend(problem, blocks, steps=1, first_step=0.0, begin=climb.prices).value)
    assert (np.array(going_on) >= np.array(anew)).all()
    assert sum(going_on) > sum(anew)
