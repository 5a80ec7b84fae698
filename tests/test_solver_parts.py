"""Search part by part: every step is feasible and at its true cost; bound and plan stand on either side of the optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solver_cases import MEDIUM, random_problem

from solver.backends.protocol import Limits
from solver.decomposition.master import no_decisions
from solver.decomposition.parts import Charges, Part
from solver.decomposition.standing import Ground
from solver.decomposition.tasks import solve_task
from solver.decomposition.zones import gathered, shared_out, zoned
from solver.pricing import flow_costs, no_prices
from solver.problem import Problem
from solver.result import Flows, Solution
from solver.solve import SolveOptions, solve

EXACT = SolveOptions(gap=1e-6, seconds=60, threads=1)
LIMITS = Limits(gap=1e-6, seconds=30, threads=1)
BY_PARTS = SolveOptions(gap=1e-4, seconds=3, threads=1, direct_arcs=0, block_arcs=0)


def _counterfactual(problem: Problem) -> Solution:
    return solve(problem, EXACT, fixed=no_decisions(problem))


@pytest.mark.parametrize("seed", [1, 3])
def test_bound_and_plan_enclose_the_optimum_and_the_plan_keeps_every_row(seed: int) -> None:
    problem = random_problem(seed, MEDIUM)
    optimum = solve(problem, EXACT)
    without = _counterfactual(problem)
    found = solve(problem, BY_PARTS, known_flows=[without.flows])
    assert found.lower <= optimum.upper * (1 + 1e-6)
    assert optimum.lower * (1 - 1e-6) <= found.upper <= without.upper * (1 + 1e-6)
    held = solve(problem, EXACT, fixed=found.decisions)
    assert held.upper <= found.upper * (1 + 1e-6)


@pytest.mark.parametrize("how", [BY_PARTS, replace(BY_PARTS, direct_arcs=10**9, seconds=0.5)], ids=["parts", "one model"])
def test_a_known_plan_is_never_lost(how: SolveOptions) -> None:
    problem = random_problem(4, MEDIUM)
    optimum = solve(problem, EXACT)
    found = solve(problem, how, known_flows=[_counterfactual(problem).flows], start=optimum)
    assert found.upper <= optimum.upper * (1 + 1e-6)


def test_what_a_part_saves_the_whole_plan_saves() -> None:
    problem = random_problem(5, MEDIUM)
    ground = Ground(problem)
    plan = ground.settled(no_decisions(problem), _counterfactual(problem).flows, LIMITS)
    assert plan is not None
    part = Part(ground, plan, np.array([0]), Charges(ground, no_prices(problem)), each=5, decide=True)
    found = solve_task(part.task(LIMITS))
    after = part.taken_up(plan, found)
    saved = float(part.model.cost @ part.start) - found.objective
    assert saved > 0
    assert ground.upper(plan) - ground.upper(after) == pytest.approx(saved, abs=1e-6)
    assert ground.breach(after) < 1e-5
    again = ground.standing(after.x, after.flows)
    assert again.flow_cost == pytest.approx(after.flow_cost, rel=1e-9)
    np.testing.assert_allclose(again.use, after.use, atol=1e-9)


def test_flows_of_zones_are_shared_out_without_loss_and_at_no_more_than_their_cost() -> None:
    problem = random_problem(3, replace(MEDIUM, origins=18))
    coarse = zoned(problem, 3)
    assert len(coarse.problem.demand.origins) < len(problem.demand.origins)
    assert coarse.problem.demand.entrants.sum() == pytest.approx(problem.demand.entrants.sum())
    ground = Ground(coarse.problem)
    rough = solve(coarse.problem, EXACT, fixed=no_decisions(problem)).flows
    fine = shared_out(problem, coarse, rough)
    back = gathered(coarse, fine)
    np.testing.assert_allclose(np.sort(back.amount), np.sort(rough.amount[rough.amount > 0]), atol=1e-9)
    assert flow_costs(problem, fine) @ fine.amount <= flow_costs(coarse.problem, rough) @ rough.amount * (1 + 1e-9)
    np.testing.assert_allclose(Ground(problem).standing(np.zeros(ground.columns), fine).use,
                               ground.standing(np.zeros(ground.columns), rough).use, atol=1e-8)  # fmt: skip


def test_people_who_wait_are_shared_out_with_those_who_enter() -> None:
    problem = random_problem(6, replace(MEDIUM, origins=18))
    coarse = zoned(problem, 4)
    nowhere = Ground(coarse.problem).nowhere()
    fine = shared_out(problem, coarse, nowhere)
    expected = Ground(problem).nowhere()
    assert isinstance(fine, Flows)
    for flows in (fine, expected):
        assert (flows.amount >= 0).all()
    total = np.zeros((2, *problem.demand.entrants.shape))
    for n, flows in enumerate((fine, expected)):
        np.add.at(total[n], (flows.origin, flows.cls, flows.entry), flows.amount)
    np.testing.assert_allclose(total[0], total[1], atol=1e-9)
