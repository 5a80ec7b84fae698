"""Better options for a plan whose own search has stalled: neighbourhoods on zones find them, the problem itself audits them.

The zones may reach places that some of their origins do not, so what is found there is a candidate and no plan: it is
taken up only when its true cost, all arcs priced, is lower.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solver.backends.protocol import Limits
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import Master
from solver.decomposition.neighbourhoods import Pace, filled, improved
from solver.decomposition.packages import PRICE_BLOCKS, Packages, raise_bound
from solver.decomposition.standing import Ground
from solver.decomposition.tasks import Run
from solver.decomposition.zones import gathered, zoned
from solver.formulation import MONEY, build_core
from solver.pricing import Prices, no_prices
from solver.problem import Problem
from solver.result import Decisions, Solution

MOST_CELLS = 6_000
"""Cells of one owner's zones: its integer programme is solved many times over."""
PACKING, PACKING_SECONDS = 0.3, 15.0
"""Share of the time for finding packages, and seconds at most."""
SURELY = 1.25
"""Times the gain that is needed that zones have to promise: all arcs keep a part of it."""


def other_options(
    problem: Problem,
    known: Solution,
    *,
    needed: float,
    left: Callable[[], float],
    threads: int,
    seed: int,
    interrupted: Callable[[], bool],
    run: Run,
) -> Decisions | None:
    """Options that look better than the known plan's, or None when none are found in time.

    The search ends when they seem to cost less by ``needed`` (in the currency).
    """
    coarse = zoned(problem, _zone_size(problem))
    ground = Ground(coarse.problem)
    begin = ground.settled(known.decisions, gathered(coarse, known.flows), Limits(threads=threads, seed=seed))
    if begin is None:
        return None
    free = no_prices(problem)
    prices = known.prices or Prices(known.capacity_price, free.displacement, free.quota, free.measure)
    packages = Packages(Master(build_core(coarse.problem), make_blocks(coarse.problem, PRICE_BLOCKS), Limits(threads=threads, seed=seed)))
    packages.add(begin.x)
    until = max((1.0 - PACKING) * left(), left() - PACKING_SECONDS)
    prices = raise_bound(
        packages,
        prices,
        coarse.problem,
        left=lambda: left() - until,
        threads=threads,
        seed=seed,
        interrupted=interrupted,
        run=run,
        note=lambda _: None,
        enough=lambda _: False,
    ).prices
    pace = Pace(left, threads, seed, run, lambda _: None, interrupted)
    # what the zones' flows alone can gain is no promise of other options
    begin = filled(ground, begin, prices, pace)
    goal = ground.upper(begin) - SURELY * needed * MONEY
    found = ground.decisions(improved(ground, begin, prices, pace, packages=packages, enough=lambda upper: upper <= goal))
    same = (found.start == known.decisions.start).all() and (found.modules == known.decisions.modules).all()
    return None if same and (found.stage == known.decisions.stage).all() else found


def _zone_size(problem: Problem) -> int:
    demand = problem.demand
    cells = np.bincount(demand.origin_owner, (demand.entrants > 0).sum(axis=(1, 2)))
    return max(1, int(np.ceil(float(cells.max(initial=0.0)) / MOST_CELLS)))
