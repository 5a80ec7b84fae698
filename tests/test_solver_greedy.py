"""Who waits takes a free place: nobody is lost, no pool holds more than it may, and the plan is cheaper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solver_cases import MEDIUM, random_problem

from solver.backends.protocol import Limits
from solver.decomposition.greedy import placed_greedily
from solver.decomposition.master import no_decisions
from solver.decomposition.standing import Ground
from solver.pricing import no_prices
from solver.solve import SolveOptions, solve

LIMITS = Limits(gap=1e-6, seconds=30, threads=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_those_who_wait_take_free_places_until_none_suits_them(seed: int) -> None:
    problem = random_problem(seed, MEDIUM)
    floor = np.zeros_like(problem.displacement.floor)  # nobody has to be anywhere
    problem = replace(problem, displacement=replace(problem.displacement, floor=floor))
    ground = Ground(problem)
    decisions = no_decisions(problem)
    waiting = ground.settled(decisions, ground.nowhere(), LIMITS)
    assert waiting is not None
    room = (ground.arrays.row_upper - ground.arrays.matrix @ waiting.x - waiting.use)[ground.core.capacity_row]
    flows = placed_greedily(problem, waiting.flows, room, no_prices(problem), seed)
    plan = ground.settled(decisions, flows, LIMITS)
    assert plan is not None
    assert ground.breach(plan) < 1e-4
    assert ground.upper(plan) < ground.upper(waiting)
    optimum = solve(problem, SolveOptions(gap=1e-6, seconds=60, threads=1), fixed=decisions)
    assert ground.upper(plan) >= optimum.upper / 1e6 * (1 - 1e-6)
    demand = problem.demand
    present = demand.entrants.copy()
    unmet = flows.pool == len(problem.pools.labels)
    waits = np.zeros_like(present)
    np.add.at(waits, (flows.origin[unmet], flows.cls[unmet], flows.entry[unmet]), flows.amount[unmet])
    present[:, :, 1:] += waits[:, :, :-1] * demand.survival[:, None]
    decided = np.zeros_like(present)
    np.add.at(decided, (flows.origin, flows.cls, flows.entry), flows.amount)
    np.testing.assert_allclose(decided, present, atol=1e-8)
