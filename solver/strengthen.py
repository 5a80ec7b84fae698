"""A bound for problems with large fixed costs: rows that tie each flow to the opening of its pool.

``flow of a cell into pool i <= most who can be there x starts of i's options that are open by then``, for pools without
any place unless an option opens them. Redundant in whole numbers, strong in the relaxation. There is one per arc, so only
those that the relaxation breaks are added (solve, separate, solve again from the last basis).

Where most of a project's cost goes with its size these rows raise the bound by a few hundredths of a percent, less than
branching does; on facility-location instances whose fixed costs dominate they are most of the bound.
"""

from __future__ import annotations

import time

import numpy as np

from solver.backends.highs import GrowingLP
from solver.backends.protocol import Limits
from solver.families.places import option_pools, source_pools
from solver.formulation import Core
from solver.pricing import Arcs
from solver.problem import Bools, Floats, Ints, Problem
from solver.result import Termination

LEAST_BREACH = 1e-4
"""Share of those in a cell by which a flow must exceed the opening to get its row."""


def strong_bound(core: Core, arcs: Arcs, flow: Ints, limits: Limits, seconds: float) -> float:
    """Bound of the whole problem from the relaxation with all broken rows, or with those found in time (in millions)."""
    problem = core.problem
    lp = GrowingLP(core.model.arrays(), limits)
    placed = np.nonzero(arcs.pool < len(problem.pools.labels))[0]
    able = placed[opened_only(problem)[arcs.pool[placed], arcs.entry[placed]]]
    pool, entry = arcs.pool[able], arcs.entry[able]
    present = most_present(problem)[arcs.origin[able], arcs.cls[able], entry]
    began, bound = time.monotonic(), -np.inf
    while True:
        solved = lp.reoptimise(max(0.0, seconds - (time.monotonic() - began)))
        if solved.termination is not Termination.OPTIMAL or solved.x is None:
            return bound
        bound = solved.bound
        opened = _opened(problem, solved.x[core.start])[pool, entry]
        broken = np.nonzero(solved.x[flow[able]] > present * (opened + LEAST_BREACH))[0]
        if not len(broken):
            return bound
        row, k = _starts(problem, pool[broken], entry[broken])
        lp.add_rows(
            np.concatenate([np.arange(len(broken)), row]),
            np.concatenate([flow[able[broken]], core.start[k]]),
            np.concatenate([np.ones(len(broken)), -present[broken[row]]]),
            np.zeros(len(broken)),
        )


def most_present(problem: Problem) -> Floats:
    """(Z, C, T) entrants and all who entered before, had they waited."""
    most = problem.demand.entrants.copy()
    for v in range(1, most.shape[2]):
        most[:, :, v] += most[:, :, v - 1] * problem.demand.survival
    return most


def opened_only(problem: Problem) -> Bools:
    """(P, T) whether a pool has places in a period only when an option opens them."""
    result: Bools = (problem.pools.capacity <= 0) & (problem.pools.overflow_limit <= 0)
    result[source_pools(problem)] = False
    return result


def _opened(problem: Problem, start: Floats) -> Floats:
    """(P, T) sum of the (fractional) starts of each pool's options that have opened."""
    opened = np.zeros_like(problem.pools.capacity)
    for pool, k in option_pools(problem):
        np.add.at(opened, (pool, problem.options.start_opens[k]), start[k])
    return np.cumsum(opened, axis=1)


def _starts(problem: Problem, pool: Ints, entry: Ints) -> tuple[Ints, Ints]:
    """Pairs (position in ``pool``, start k) of the starts that open a pool by the entry."""
    options = problem.options
    of_start = options.pool[options.start_option]
    pool = pool % (len(problem.pools.labels) // (len(problem.worlds.labels) if problem.worlds else 1))
    order = np.argsort(of_start, kind="stable")
    first, last = np.searchsorted(of_start[order], pool, "left"), np.searchsorted(of_start[order], pool, "right")
    position = np.repeat(np.arange(len(pool)), last - first)
    k = order[np.arange(len(position)) - np.repeat(np.cumsum(last - first) - last, last - first)]
    open_by_then = options.start_opens[k] <= entry[position]
    return position[open_by_then], k[open_by_then]
