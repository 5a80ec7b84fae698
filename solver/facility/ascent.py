"""A price for serving each customer, raised until no more is to be had: the bound that ties each flow to its open site.

The rows "all demand is met" are relaxed with a price a[z] per unit. Each site then chooses alone what it would serve,

    worth[i] = fixed[i] + least of sum over z of (cost[i, z] - a[z]) amount, with amount <= demand[z] and in all <= capacity[i],

a continuous knapsack, so that the bound is that of the strong relaxation (flow of a customer <= demand x open). How many sites are
open is chosen over all sites: t sites hold at most the t largest capacities, and what they can't hold is unmet at the least price.

    bound(a) = sum over z of a[z] demand[z]
             + min over t of (sum of the t least worths + (demand - t largest capacities)+ x min over z of (unmet[z] - a[z]))

The ascent is Barahona and Anbil's volume algorithm (Mathematical Programming 87, 2000), whose running average of the
choices comes near a solution of the relaxation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from solver.facility.shape import Facility
from solver.problem import Floats

AIM, FAR = 1.02, 1.05
"""What steps aim at: so much of the target, but never more than so much of the bound so far."""
STEPS = 1000
PATIENCE = 10
"""Steps without a better bound after which steps get shorter."""
LEAST_STEP = 1e-3
"""Length of a step, as a share of the way to the target, at which the ascent ends."""


@dataclass(frozen=True)
class Ascent:
    """Where the ascent ended."""

    bound: float
    price: Floats
    """(n,)"""
    if_open: Floats
    """(m,) the bound when this site must be open."""
    if_closed: Floats
    """(m,) the bound when it must be closed."""
    opened: Floats
    """(m,) share to which the averaged choices open each site."""
    if_free: float
    """The bound were it free to leave demand unserved."""


def ascend(facility: Facility, target: float, left: Callable[[], float], start: Ascent | None = None) -> Ascent:
    """Raise the prices towards ``target``, the cost of a known plan, for as long as there are seconds ``left``."""
    capacity, fixed, demand, cost, unmet = facility.capacity, facility.fixed, facility.demand, facility.cost, facility.unmet
    price = np.minimum(np.min(cost + (fixed / capacity)[:, None], axis=0), unmet) if start is None else start.price
    room = np.concatenate([[0.0], np.cumsum(np.sort(capacity)[::-1])])
    lacking = np.maximum(0.0, demand.sum() - room)
    best, best_worth, opened, served = _choices(price, capacity, fixed, demand, cost, lacking, float((unmet - price).min()))
    average, lack = opened, demand - served
    step, share, held = 1.0, 0.1, 0
    for number in range(STEPS):
        norm = float(lack @ lack)
        if norm <= 1e-12 * float(demand @ demand) or step < LEAST_STEP or left() <= 0:
            break
        tried = np.minimum(price + step * (min(AIM * target, FAR * best) - best) / norm * lack, unmet)
        bound, worth, opened, served = _choices(tried, capacity, fixed, demand, cost, lacking, float((unmet - tried).min()))
        here = demand - served
        average, lack = share * opened + (1 - share) * average, share * here + (1 - share) * lack
        if bound > best:
            if float(here @ lack) > 0:
                step = min(2.0, step * 1.1)
            held = 0
            best, best_worth, price = bound, worth, tried
        else:
            held += 1
            if held >= PATIENCE:
                step, held = step * 0.66, 0
        if number % 100 == 99:
            share = max(0.02, share * 0.7)
    if_open, if_closed = _forced(best_worth, lacking * float((unmet - price).min()), float(price @ demand))
    if_free = float(price @ demand + np.minimum(best_worth, 0.0).sum())
    return Ascent(best, price, if_open, if_closed, average, if_free)


def _forced(worth: Floats, penalty: Floats, base: float) -> tuple[Floats, Floats]:
    """(m,) and (m,) the bound when each site must be open, and when it must be closed."""
    order = np.argsort(worth, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(worth[order])])
    sites = len(worth)
    rank, count = np.arange(sites)[:, None], np.arange(sites + 1)[None, :]
    among = total[None, :] + penalty[None, :]
    own = worth[order][:, None]
    fewer = np.concatenate([[np.inf], total[:-1]])[None, :] + penalty[None, :] + own
    more = np.concatenate([total[1:], [np.inf]])[None, :] + penalty[None, :] - own
    if_open, if_closed = np.empty(sites), np.empty(sites)
    if_open[order] = base + np.where(count > rank, among, fewer).min(axis=1)
    if_closed[order] = base + np.where(count > rank, more, among).min(axis=1)
    return if_open, if_closed


@njit(cache=True)
def _choices(
    price: Floats, capacity: Floats, fixed: Floats, demand: Floats, cost: Floats, lacking: Floats, least_unmet: float
) -> tuple[float, Floats, Floats, Floats]:
    """Bound, worth of each site (m,), which are open (m,), and what they serve (n,)."""
    sites, customers = cost.shape
    worth, opened, served = np.empty(sites), np.zeros(sites), np.zeros(customers)
    for i in range(sites):
        worth[i] = fixed[i] + _served(price, capacity[i], demand, cost[i], served, False)
    order = np.argsort(worth)
    bound = 0.0
    for z in range(customers):
        bound += price[z] * demand[z]
    least, total, count = lacking[0] * least_unmet, 0.0, 0
    for t in range(sites):
        total += worth[order[t]]
        here = total + lacking[t + 1] * least_unmet
        if here < least:
            least, count = here, t + 1
    for t in range(count):
        opened[order[t]] = 1.0
        _served(price, capacity[order[t]], demand, cost[order[t]], served, True)
    return bound + least, worth, opened, served


@njit(cache=True)
def _served(price: Floats, capacity: float, demand: Floats, cost: Floats, served: Floats, note: bool) -> float:
    """What one site gains by serving whom it likes most; ``note`` adds it to ``served``."""
    wanted = np.nonzero(cost < price)[0]
    gain = cost[wanted] - price[wanted]
    if demand[wanted].sum() > capacity:
        wanted = wanted[np.argsort(gain)]
    left, got = capacity, 0.0
    for z in wanted:
        amount = min(left, demand[z])
        got += (cost[z] - price[z]) * amount
        if note:
            served[z] += amount
        left -= amount
        if left <= 0.0:
            break
    return got
