"""Facility location by prices: the plan and bound of one model that holds every arc, and recognised only where it applies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.instances import Instance, as_problem
from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.direct import solve_direct
from solver.facility.ascent import ascend
from solver.facility.shape import facility_of
from solver.problem import Problem
from solver.solve import SolveOptions, solve

EXACT = SolveOptions(gap=1e-6, seconds=60.0, threads=1)


def drawn(seed: int, sites: int = 12, customers: int = 30) -> Problem:
    """A random instance whose sites cost about as much as what they save."""
    random = np.random.default_rng(seed)
    here, there = random.random((sites, 2)), random.random((customers, 2))
    cost = 100 * np.linalg.norm(here[:, None] - there[None], axis=2)
    demand = random.integers(3, 30, customers).astype(float)
    capacity = random.integers(60, 200, sites).astype(float)
    return as_problem(Instance(capacity, random.uniform(800, 3000, sites), demand, cost))


def with_unmet_cost(problem: Problem, cost: float) -> Problem:
    return replace(problem, demand=replace(problem.demand, unmet_cost=np.array([cost])))


def with_open_site(problem: Problem, capacity: float) -> Problem:
    """One pool more, there already, for every second customer."""
    pools, links = problem.pools, problem.links
    count, customers = len(pools.labels), len(problem.demand.origins)
    served = np.arange(customers) % 2 == 0
    rows = [np.append(links.pool[links.start[z] : links.start[z + 1]], np.full(int(served[z]), count)) for z in range(customers)]
    costs = [np.append(links.cost[links.start[z] : links.start[z + 1]], [40.0] * int(served[z])) for z in range(customers)]
    return replace(
        problem,
        pools=replace(
            pools,
            labels=(*pools.labels, "open site"),
            owner=np.append(pools.owner, 0),
            role=np.append(pools.role, 0),
            capacity=np.vstack([pools.capacity, [[capacity]]]),
            overflow_limit=np.vstack([pools.overflow_limit, [[0.0]]]),
            accepts=np.ones((1, count + 1), bool),
            unit_cost=np.zeros((1, count + 1)),
        ),
        links=replace(
            links,
            start=np.concatenate([[0], np.cumsum([len(row) for row in rows])]),
            pool=np.concatenate(rows),
            cost=np.concatenate(costs),
            minutes=np.zeros(sum(len(row) for row in rows)),
        ),
    )


CASES = {
    "all served": drawn(1),
    "other sites": drawn(2),
    "cheaper unserved": with_unmet_cost(drawn(3), 60.0),
    "some left unserved": with_unmet_cost(drawn(4), 95.0),
    "a site open anyway": with_open_site(drawn(5), 150.0),
    "little room": with_unmet_cost(drawn(6, sites=3), 5000.0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_optimum_of_one_model_with_every_arc(name: str) -> None:
    problem = CASES[name]
    assert facility_of(problem) is not None
    exact = solve_direct(problem, HighsBackend(), Limits(1e-7, threads=1))
    found = solve(problem, EXACT)
    assert found.upper == pytest.approx(exact.upper, rel=1e-6)
    assert found.lower == pytest.approx(exact.upper, rel=2e-6)
    assert found.lower <= found.upper


@pytest.mark.parametrize("name", CASES)
def test_what_prices_say_of_each_site_is_never_too_much(name: str) -> None:
    problem = CASES[name]
    facility = facility_of(problem)
    assert facility is not None
    best = solve_direct(problem, HighsBackend(), Limits(1e-7, threads=1))
    prices = ascend(facility, best.upper, lambda: 60.0)
    opened = np.isin(np.arange(len(facility.start)), facility.opened(best.decisions))
    assert 0.8 * best.upper < prices.bound <= best.upper * (1 + 1e-9)
    assert (prices.if_open[opened] <= best.upper * (1 + 1e-9)).all()
    assert (prices.if_closed[~opened] <= best.upper * (1 + 1e-9)).all()
    assert np.minimum(prices.if_open, prices.if_closed) == pytest.approx(np.full(len(opened), prices.bound))


def test_a_plan_from_before_is_kept_when_there_is_no_time() -> None:
    problem = CASES["all served"]
    best = solve(problem, EXACT)
    hurried = solve(problem, replace(EXACT, seconds=0.0), candidates=[best.decisions])
    assert hurried.upper == pytest.approx(best.upper)
    assert hurried.lower <= best.upper


def test_other_problems_are_not_taken_for_it() -> None:
    problem = CASES["all served"]
    options = problem.options
    spent = np.ones_like(options.fixed_spend)
    sizes = options.max_modules + 1
    floor = np.ones_like(problem.displacement.floor)
    for other in (
        replace(problem, options=replace(options, fixed_spend=spent)),
        replace(problem, options=replace(options, max_modules=sizes)),
        replace(problem, options=replace(options, exclusive=np.zeros_like(options.exclusive))),
        replace(problem, displacement=replace(problem.displacement, floor=floor)),
        replace(problem, pools=replace(problem.pools, overflow_limit=np.ones_like(problem.pools.overflow_limit))),
    ):
        assert facility_of(other) is None
