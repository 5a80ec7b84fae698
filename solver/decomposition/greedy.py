"""Whoever waits takes the cheapest place that is free, one cell after the other: seconds for all England, where programmes take minutes."""

from __future__ import annotations

import numpy as np
from numba import njit

from solver.pricing import Prices, deciding, displacement_share
from solver.problem import Floats, Problem
from solver.result import Flows


def placed_greedily(problem: Problem, flows: Flows, room: Floats, prices: Prices, seed: int) -> Flows:
    """Flows in which those who wait are placed while ``room`` lasts, in order of cost and prices.

    ``room`` (P, T): places left beside ``flows`` in each period.
    """
    demand, pools = problem.demand, len(problem.pools.labels)
    held = flows.pool < pools
    shape = demand.entrants.shape
    cell = np.ravel_multi_index((flows.origin[held], flows.cls[held], flows.entry[held]), shape)
    placed = np.bincount(cell, flows.amount[held], int(np.prod(shape))).reshape(shape)
    worth = demand.stay @ problem.weight
    price = worth[:, None, :] * (problem.pools.unit_cost * problem.pool_weight)[:, :, None]
    price += np.einsum("cvt,pt->cpv", demand.use, prices.capacity, optimize=True)
    bonus = np.einsum("cvt,lct->lcv", demand.stay, prices.displacement[:, demand.class_family, :], optimize=True)
    z, c = np.nonzero(deciding(problem)[:, :, -1])
    order = np.random.default_rng(seed).permutation(len(z))
    most = 4 * len(z) * shape[2]
    at, pool, amount = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    shrink, waits = np.ones(shape), np.zeros(shape)
    filled = _place(
        z[order], c[order], demand.origin_owner, demand.entrants, demand.survival, demand.use, worth, price, bonus,
        displacement_share(problem), problem.reach.start, problem.reach.pool, problem.reach.journey, placed, np.maximum(room, 0.0),
        shrink, waits, at, pool, amount,
    )  # fmt: skip
    new_z, new_c, new_v = np.unravel_index(at[:filled], shape)
    wait_z, wait_c, wait_v = np.nonzero(deciding(problem))
    return Flows(
        np.concatenate([flows.origin[held], new_z, wait_z]),
        np.concatenate([flows.cls[held], new_c, wait_c]),
        np.concatenate([flows.entry[held], new_v, wait_v]),
        np.concatenate([flows.pool[held], pool[:filled], np.full(len(wait_z), pools)]),
        np.concatenate([flows.amount[held] * shrink.ravel()[cell], amount[:filled], waits[wait_z, wait_c, wait_v]]),
    )


@njit(cache=True)
def _place(  # type: ignore[no-untyped-def]
    origin, cls, owner, entrants, survival, use, worth, price, bonus, share, arc_start, arc_pool, arc_journey, placed, room,
    shrink, waits, at, pool, amount,
):  # fmt: skip  # pragma: no cover - compiled
    classes, periods = entrants.shape[1], entrants.shape[2]
    filled = 0
    for v in range(periods):
        for n in range(len(origin)):
            z, c = origin[n], cls[n]
            present = entrants[z, c, v] + (waits[z, c, v - 1] * survival[c] if v > 0 else 0.0)
            there = placed[z, c, v]
            if there > present:
                shrink[z, c, v] = present / there
                there = present
            left = present - there
            while left > 1e-9 and filled < len(at):
                best, best_pool = np.inf, -1
                for a in range(arc_start[c, z], arc_start[c, z + 1]):
                    p = arc_pool[a]
                    cost = worth[c, v] * arc_journey[a] + price[c, p, v] - share[c, p] * bonus[owner[z], c, v]
                    if cost < best:
                        free = True
                        for t in range(v, periods):
                            if use[c, v, t] > 0 and room[p, t] <= 1e-7:
                                free = False
                                break
                        if free:
                            best, best_pool = cost, p
                if best_pool < 0:
                    break
                take = left
                for t in range(v, periods):
                    if use[c, v, t] > 0:
                        take = min(take, room[best_pool, t] / use[c, v, t])
                for t in range(v, periods):
                    room[best_pool, t] -= take * use[c, v, t]
                at[filled] = (z * classes + c) * periods + v
                pool[filled] = best_pool
                amount[filled] = take
                filled += 1
                left -= take
            waits[z, c, v] = max(left, 0.0)
    return filled
