"""Which problems are facility location: one period, options of one size that each open a pool of their own, nothing else to keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.pricing import all_arcs
from solver.problem import Floats, Ints, Problem
from solver.result import Decisions

MOST_ARCS = 5_000_000
"""All arcs are written out, and all pairs of site and customer priced at each step."""
MOST_EMPTY = 4.0
"""Costs are kept for every pair of site and customer, at most so many for each arc."""


@dataclass(frozen=True)
class Facility:
    """Sites (m) and customers (n). Pools that are there already are sites of no fixed cost."""

    capacity: Floats
    """(m,)"""
    fixed: Floats
    """(m,)"""
    demand: Floats
    """(n,)"""
    cost: Floats
    """(m, n) cost of one unit; infinite where there is no arc."""
    unmet: Floats
    """(n,) cost of one unit left unserved."""
    start: Ints
    """(m,) start k that opens the site, or -1 when it is open anyway."""

    def decisions(self, problem: Problem, opened: Ints) -> Decisions:
        """These sites open, as starts."""
        options = problem.options
        start = np.zeros(len(options.start_option), np.int64)
        start[self.start[opened][self.start[opened] >= 0]] = 1
        return Decisions(start, start * options.max_modules[options.start_option], np.zeros_like(start))

    def opened(self, decisions: Decisions) -> Ints:
        """Sites that a plan opens, with those open anyway."""
        return np.nonzero((self.start < 0) | (decisions.start[self.start] > 0))[0]


def facility_of(problem: Problem) -> Facility | None:
    """The problem as facility location, or None when it is more than that."""
    if not (_is_plain(problem) and _has_sites(problem)) or problem.arcs > MOST_ARCS:
        return None
    pools, options = problem.pools, problem.options
    arcs = all_arcs(problem)
    sites = len(pools.labels)
    cells, customer = np.unique(np.ravel_multi_index((arcs.origin, arcs.cls), problem.demand.entrants.shape[:2]), return_inverse=True)
    if not len(cells) or sites * len(cells) > MOST_EMPTY * len(arcs.pool):
        return None
    cost = np.full((sites + 1, len(cells)), np.inf)
    cost[arcs.pool, customer] = arcs.cost
    start = np.full(sites, -1)
    start[options.pool[options.start_option]] = np.arange(len(options.start_option))
    capacity, fixed = np.maximum(pools.capacity[:, 0], 0.0), np.zeros(sites)
    modules = options.max_modules[options.start_option]
    capacity[options.pool[options.start_option]] = options.module[options.start_option] * modules
    fixed[options.pool[options.start_option]] = options.fixed_cost + options.module_cost * modules
    if (fixed < 0).any():
        return None
    kept = capacity > 0
    return Facility(capacity[kept], fixed[kept], problem.demand.entrants.ravel()[cells], cost[:-1][kept], cost[-1], start[kept])


def _is_plain(problem: Problem) -> bool:
    """One period, and neither limits nor money to keep."""
    extras = (problem.pins, problem.crews, problem.viability, problem.transfers, problem.shares, problem.grants, problem.quotas)
    if len(problem.periods) != 1 or any(part is not None for part in (*extras, problem.measures, problem.worlds, problem.demand.load)):
        return False
    limit, options = problem.displacement, problem.options
    spent = any(spend.any() for spend in (options.fixed_spend, options.module_spend))
    bound = (limit.floor > 0).any() or (limit.latent_limit > 0).any()
    return not (spent or bound or (problem.pools.overflow_limit > 0).any() or (problem.pools.capacity < 0).any())


def _has_sites(problem: Problem) -> bool:
    """Each option opens a pool of its own, once, in one size, beside no other option's."""
    options = problem.options
    count = len(options.labels)
    return bool(
        count
        and len(options.start_option) == count
        and len(np.unique(options.start_option)) == count
        and (options.pool >= 0).all()
        and len(np.unique(options.pool)) == count
        and (problem.pools.capacity[options.pool] == 0).all()
        and (options.min_modules == options.max_modules).all()
        and (options.max_stages == 1).all()
        and (options.start_opens == 0).all()
        and all((linked < 0).all() for linked in (options.source_pool, options.exclusive, options.prerequisite, options.committed_start))
        and options.fill is None
        and options.disrupted is None
    )
