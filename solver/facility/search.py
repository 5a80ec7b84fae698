"""Facility location: prices for the bound and for which sites matter, then an integer programme of those.

1. Prices of serving (``ascent``) bound the cost, and what forcing each site open would cost. A plan is read off them.
2. A site whose opening alone makes the bound dearer than the plan stays closed, one whose closing does stays open.
3. The sites left make a small integer programme with the rows ``flow <= demand x open`` that its relaxation breaks.

The bound is the least of the programme's, of the cheapest plan with a site left out (step 1), and of the plan.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from solver.backends.highs import GrowingLP, HighsBackend
from solver.backends.protocol import Limits, ModelSolution
from solver.direct import solve_direct
from solver.facility.ascent import Ascent, ascend
from solver.facility.shape import Facility
from solver.linear_model import LinearModel, ModelArrays
from solver.problem import Bools, Ints, Problem
from solver.result import Decisions, Progress, Solution, Termination

TYPICAL_COST = 1e5
"""Money is scaled so that the bound is about this."""
LEAST_BREACH = 1e-3
"""Share of a customer by which a flow must exceed its site's opening to get its row."""
LEAST_RISE = 1e-5
"""Share of the bound that a round of rows must add for there to be another."""
SHARE_FOR_ROWS = 0.25
"""Of the time left, spent on rows at most."""
LEAST_OPENED, NEXT_BEST = 0.01, 4
"""A first plan is sought among sites that prices open at least so far, and among so many more than it opens."""
WORTH_A_LOOK, ROUGH_GAP, LOOKING = 1.25, 2e-3, 0.3
"""That is done when so many times more sites may open; to this gap, in at most this share of the time left."""


@dataclass(frozen=True)
class _Found:
    """Sites open in the best plan so far, and what it costs."""

    opened: Ints
    cost: float


@dataclass(frozen=True)
class _Programme:
    """Integer programme of some sites."""

    sites: Ints
    model: LinearModel
    scale: float
    """Of money."""
    opened: Ints
    """(sites,)"""
    share: Ints
    """(sites, n) share of each customer's demand; -1 where there is no arc."""


def solve_facility(
    problem: Problem, facility: Facility, limits: Limits, *, candidates: Sequence[Decisions] = (), report: Callable[[Progress], None]
) -> Solution:
    """Plan and bound, from the best of ``candidates``."""
    began = time.monotonic()

    def left() -> float:
        return 0.0 if limits.interrupted is not None and limits.interrupted() else limits.seconds - (time.monotonic() - began)

    def note(phase: str, upper: float, lower: float) -> None:
        log.append(Progress(time.monotonic() - began, phase, upper, lower))
        report(log[-1])

    log: list[Progress] = []
    found = min((_priced(facility, facility.opened(known), limits) for known in candidates), key=lambda plan: plan.cost, default=None)
    prices = ascend(facility, np.inf if found is None else found.cost, left)
    for opened in _read_off(facility, prices):
        tried = _priced(facility, opened, limits)
        found = tried if found is None or tried.cost < found.cost else found
    assert found is not None
    note("prices", found.cost, prices.bound)
    prices = ascend(facility, found.cost, left, start=prices)
    lower, ended = prices.bound, Termination.GAP_REACHED
    note("prices", found.cost, lower)
    if found.cost - lower > limits.gap * found.cost:
        likely = _likely(prices, found)
        if _may_open(prices, found, limits.gap).sum() > WORTH_A_LOOK * likely.sum():
            rough = replace(limits, gap=max(limits.gap, ROUGH_GAP), seconds=max(LOOKING * left(), 0.1))
            found = _decided(facility, prices, found, likely, rough)[0]
            note("likely sites", found.cost, lower)
        may_open = _may_open(prices, found, limits.gap)
        found, lower, ended = _decided(facility, prices, found, may_open, replace(limits, seconds=max(left(), 0.1)))
        note("sites", found.cost, lower)
    solution = solve_direct(problem, HighsBackend(), limits, fixed=facility.decisions(problem, found.opened))
    return _ended(solution, problem.constant + lower, ended, limits, tuple(log))


def _ended(solution: Solution, lower: float, ended: Termination, limits: Limits, log: tuple[Progress, ...]) -> Solution:
    solution = replace(solution, lower=min(lower, solution.upper), log=log)
    if solution.gap <= 1e-6:
        ended = Termination.OPTIMAL
    elif solution.gap <= limits.gap:
        ended = Termination.GAP_REACHED
    return replace(solution, termination=ended)


def _read_off(facility: Facility, prices: Ascent) -> list[Ints]:
    """Sites to open: those most open in the averaged choices, until they hold all demand, and some more."""
    order = np.lexsort((prices.if_open, -prices.opened))
    anyway = facility.start < 0
    order = np.concatenate([order[anyway[order]], order[~anyway[order]]])
    enough = int(np.searchsorted(np.cumsum(facility.capacity[order]), facility.demand.sum() * (1 - 1e-12))) + 1
    half = int((prices.opened > 0.5).sum())
    return [np.sort(order[:count]) for count in sorted({max(enough, half), max(enough, half) + 1})]


def _priced(facility: Facility, opened: Ints, limits: Limits) -> _Found:
    """What it costs to serve from these sites: a transport problem."""
    programme = _programme(facility, opened, np.ones(len(opened), bool), float(facility.demand.sum()), 1.0)
    solved = HighsBackend().solve(programme.model.arrays(), replace(limits, seconds=np.inf, interrupted=None), relax=True)
    return _Found(opened, solved.objective)


def _may_open(prices: Ascent, found: _Found, gap: float) -> Bools:
    """(m,) sites with which there may be a plan that is cheaper by more than half the gap, and those of the plan."""
    result: Bools = prices.if_open < found.cost * (1 - gap / 2)
    result[found.opened] = True
    return result


def _likely(prices: Ascent, found: _Found) -> Bools:
    """(m,) sites that the averaged choices open at all, those of the plan, and the next best."""
    likely: Bools = prices.opened > LEAST_OPENED
    likely[found.opened] = True
    count = max(int(likely.sum()), len(found.opened) + NEXT_BEST)
    likely[np.argsort(prices.if_open, kind="stable")[:count]] = True
    return likely


def _decided(facility: Facility, prices: Ascent, found: _Found, among: Bools, limits: Limits) -> tuple[_Found, float, Termination]:
    """The best plan with sites ``among`` these only, the bound for all plans, and how the integer programme ended."""
    began = time.monotonic()
    sites = np.nonzero(among)[0]
    held = (prices.if_closed[sites] > found.cost) | (facility.start[sites] < 0)
    programme = _programme(facility, sites, held, _most_unmet(facility, prices, found), TYPICAL_COST / max(prices.bound, 1e-9))
    _add_broken_rows(programme, limits)
    arrays = programme.model.arrays()
    start = _held_open(programme, arrays, np.isin(sites, found.opened), limits).x
    seconds = max(limits.seconds - (time.monotonic() - began), 0.1)
    solved = HighsBackend().solve(arrays, replace(limits, seconds=seconds), start=start)
    if solved.x is not None:
        tried = _priced(facility, sites[solved.x[programme.opened] > 0.5], limits)
        found = tried if tried.cost < found.cost else found
    outside = float(prices.if_open[~among].min(initial=np.inf))
    return found, min(max(solved.bound / programme.scale, prices.bound), outside, found.cost), solved.termination


def _most_unmet(facility: Facility, prices: Ascent, found: _Found) -> float:
    """Demand that a plan no dearer than this one may leave unserved: each unit costs its weight less its price."""
    each, demand = float((facility.unmet - prices.price).min()), float(facility.demand.sum())
    return min(demand, max(0.0, found.cost - prices.if_free) / each * (1 + 1e-6)) if each > 0 else demand


def _programme(facility: Facility, sites: Ints, held: Bools, most_unmet: float, scale: float) -> _Programme:
    """Shares served from each site, shares unmet, sites open; money times ``scale``.

    Open places must hold all demand but ``most_unmet``: implied by the other rows, but solvers find whole numbers in it.
    """
    demand, capacity = facility.demand, facility.capacity[sites]
    model = LinearModel()
    opened = model.add_columns("open", len(sites), cost=scale * facility.fixed[sites], lower=held.astype(float), upper=1.0, integer=True)
    whole = facility.cost[sites] * demand
    site, customer = np.nonzero(whole < facility.unmet * demand)
    share = np.full(whole.shape, -1)
    share[site, customer] = model.add_columns("share", len(site), cost=scale * whole[site, customer], upper=1.0)
    unmet = model.add_columns("unmet", len(demand), cost=scale * facility.unmet * demand, upper=np.minimum(1.0, most_unmet / demand))
    served = model.add_rows("served", len(demand), lower=1.0, upper=1.0)
    model.add_entries(served[customer], share[site, customer], 1.0)
    model.add_entries(served, unmet, 1.0)
    room = model.add_rows("room", len(sites), upper=0.0)
    model.add_entries(room[site], share[site, customer], demand[customer])
    model.add_entries(room, opened, -capacity)
    enough = model.add_rows("enough", 1, lower=float(demand.sum()) - most_unmet)
    model.add_entries(enough, opened, capacity)
    return _Programme(sites, model, scale, opened, share)


def _add_broken_rows(programme: _Programme, limits: Limits) -> None:
    """Solve the relaxation, add the rows share <= open that it breaks, and again while that raises the bound."""
    end = time.monotonic() + SHARE_FOR_ROWS * limits.seconds
    lp, bound = GrowingLP(programme.model.arrays(), replace(limits, interrupted=None)), -np.inf
    while time.monotonic() < end and not (limits.interrupted is not None and limits.interrupted()):
        solved = lp.reoptimise(end - time.monotonic())
        if solved.x is None or solved.termination is not Termination.OPTIMAL or solved.bound < bound + LEAST_RISE * abs(bound):
            return
        bound = solved.bound
        share = np.where(programme.share >= 0, solved.x[np.maximum(programme.share, 0)], 0.0)
        site, customer = np.nonzero(share > solved.x[programme.opened][:, None] + LEAST_BREACH)
        count = len(site)
        if not count:
            return
        flow, opened = programme.share[site, customer], programme.opened[site]
        row = programme.model.add_rows("linked", count, upper=0.0)
        programme.model.add_entries(row, flow, 1.0)
        programme.model.add_entries(row, opened, -1.0)
        both = np.arange(count)
        ones = np.ones(count)
        lp.add_rows(np.concatenate([both, both]), np.concatenate([flow, opened]), np.concatenate([ones, -ones]), np.zeros(count))


def _held_open(programme: _Programme, arrays: ModelArrays, opened: Bools, limits: Limits) -> ModelSolution:
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    lower[programme.opened] = upper[programme.opened] = opened
    held = replace(arrays, lower=lower, upper=upper)
    return HighsBackend().solve(held, replace(limits, seconds=np.inf, interrupted=None), relax=True)
