"""The strong bound: that of the textbook's strong relaxation, and never above the optimum."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog
from solver_cases import LONG, MEDIUM, WIDE, Size, random_problem
from solver_oracle import breaches, brute_force

from bench.instances import Instance, as_problem, read_instance
from fixtures.instances import random_instance, write_instance
from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.direct import place_entrants
from solver.formulation import MONEY, build_core
from solver.pricing import all_arcs
from solver.problem import Problem
from solver.result import Termination
from solver.solve import SolveOptions, solve
from solver.strengthen import strong_bound


def bounds(problem: Problem) -> tuple[float, float]:
    """(relaxation, strong bound)."""
    core = build_core(problem)
    arcs = all_arcs(problem)
    flow = place_entrants(core, arcs)
    weak = HighsBackend().solve(core.model.arrays(), Limits(threads=1), relax=True).objective
    return weak / MONEY, strong_bound(core, arcs, flow, Limits(threads=1), 30.0) / MONEY


def textbook(instance: Instance) -> float:
    """Strong relaxation of capacitated facility location: shares x[i, z] <= open[i], one row for every pair."""
    sites, customers = instance.unit_cost.shape
    cost = np.concatenate([(instance.unit_cost * instance.demand).ravel(), instance.fixed_cost])
    served = np.hstack([np.tile(np.eye(customers), sites), np.zeros((customers, sites))])
    used = np.hstack([np.kron(np.eye(sites), instance.demand), -np.diag(instance.capacity)])
    tied = np.hstack([np.eye(sites * customers), -np.repeat(np.eye(sites), customers, axis=0)])
    answer = linprog(cost, np.vstack([used, tied]), np.zeros(sites + sites * customers), served, np.ones(customers), (0, 1))
    assert answer.fun is not None
    return float(answer.fun)


def test_is_the_textbook_strong_relaxation(tmp_path: Path) -> None:
    raised = 0
    for seed in range(4):
        path = tmp_path / "instance.txt"
        path.write_text(write_instance(random_instance(seed, sites=6, customers=12), "yang"))
        instance = read_instance(path, "yang")
        weak, strong = bounds(as_problem(instance, 1e4))
        assert strong / 1e4 == pytest.approx(textbook(instance), rel=1e-5)
        raised += strong > weak * 1.001
    assert raised


@pytest.mark.parametrize("size", [LONG, WIDE])
def test_is_a_bound_of_every_family(size: Size) -> None:
    for seed in range(6):
        problem = random_problem(seed, size)
        weak, strong = bounds(problem)
        least, _ = brute_force(problem)
        assert weak <= strong * (1 + 1e-9)
        assert strong <= least * (1 + 1e-6)


def test_solve_uses_it_when_time_is_up() -> None:
    problem = random_problem(5, replace(MEDIUM, origins=40))
    hurried = SolveOptions(gap=0.0, seconds=1.0, threads=1, direct_arcs=10**6, strong_share=0.8)
    stopped = solve(problem, hurried)
    assert stopped.termination is Termination.TIME_LIMIT
    assert breaches(problem, stopped) == []
    assert bounds(problem)[0] * (1 - 1e-9) <= stopped.lower <= stopped.upper
