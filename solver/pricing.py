"""What every cell would choose at given prices: the inner loop of everything else.

With a price on each pool and period (and on displacement) the cells no longer compete,
so each takes its cheapest pool. The kernels run through all arcs without ever storing them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from solver.problem import NEW, OUTSIDE, Bools, Floats, Ints, Problem
from solver.result import Flows

NO_DEMAND = -1


@dataclass(frozen=True)
class Blocks:
    """Groups of cells: same owner and class, neighbouring origins. One convexity row each."""

    owner: Ints
    """(B,)"""
    cls: Ints
    """(B,) class of the block's cells."""
    start: Ints
    """(B + 1,) first origin of each block in ``origin``."""
    origin: Ints

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self.owner)


@dataclass(frozen=True)
class Response:
    """The cheapest choice of every cell at given prices, summed by block.

    ``use`` holds, for block b, entries ``first[b]`` to ``first[b + 1]``: row ``pool x T + period`` and amount.
    """

    choice: NDArray[np.int32]
    """(Z, C, T) pool chosen by the entrants of each period; P = unmet, NO_DEMAND where there are none."""
    value: Floats
    """(B,) cost at prices."""
    cost: Floats
    """(B,) true cost."""
    first: Ints
    row: Ints
    amount: Floats
    displaced: Floats
    """(B, T) left side of the displacement limit."""


@dataclass(frozen=True)
class Prices:
    """Duals of what couples the cells, both non-negative: capacity (P, T) and displacement (L, H, T)."""

    capacity: Floats
    displacement: Floats

    def mixed(self, other: Prices, share: float) -> Prices:
        """``share`` of these and the rest of the other."""
        return Prices(
            share * self.capacity + (1 - share) * other.capacity,
            share * self.displacement + (1 - share) * other.displacement,
        )


def no_prices(problem: Problem) -> Prices:
    """Everything free."""
    return Prices(np.zeros_like(problem.pools.capacity), np.zeros_like(problem.displacement.floor))


def displacement_share(problem: Problem) -> Floats:
    """(C, P) what one unit of a class in a pool adds to the left side of the displacement limit."""
    role = problem.pools.role
    share = problem.displacement.share[problem.demand.class_family]
    result: Floats = np.where(role[None, :] == OUTSIDE, 1.0, np.where(role[None, :] == NEW, share[:, None], 0.0))
    return result


@dataclass(frozen=True)
class Reach:
    """Arcs by class and origin: the links within reach whose pool accepts the class, and the yearly journey cost on them."""

    start: Ints
    """(C, Z + 1)"""
    pool: NDArray[np.int32]
    journey: Floats


def reach_of(problem: Problem) -> Reach:
    """All arcs of a problem, once; every price evaluation runs through them."""
    links, accepts = problem.links, problem.pools.accepts
    present = (problem.demand.entrants > 0).any(axis=2)
    start = _arc_starts(present, accepts, links.start, links.pool, links.minutes, links.class_reach)
    pool = np.empty(start[-1, -1], np.int32)
    journey = np.empty(start[-1, -1])
    _fill_arcs(
        present, accepts, links.start, links.pool, links.cost, links.minutes, links.class_factor, links.class_limit, links.class_reach,
        links.excess_cost, start, pool, journey,
    )  # fmt: skip
    return Reach(start, pool, journey)


@njit(cache=True)
def _arc_starts(present, accepts, link_start, link_pool, link_minutes, reach):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    origins, classes = present.shape
    start = np.zeros((classes, origins + 1), np.int64)
    filled = 0
    for c in range(classes):
        start[c, 0] = filled
        for z in range(origins):
            if present[z, c]:
                for a in range(link_start[z], link_start[z + 1]):
                    if accepts[c, link_pool[a]] and link_minutes[a] <= reach[c]:
                        filled += 1
            start[c, z + 1] = filled
    return start


@njit(parallel=True, cache=True)
def _fill_arcs(  # type: ignore[no-untyped-def]
    present, accepts, link_start, link_pool, link_cost, link_minutes, factor, limit, reach, excess, start, pool, journey,
):  # fmt: skip  # pragma: no cover - compiled
    origins, classes = present.shape
    for c in prange(classes):
        for z in range(origins):
            at = start[c, z]
            if present[z, c]:
                for a in range(link_start[z], link_start[z + 1]):
                    p = link_pool[a]
                    if accepts[c, p] and link_minutes[a] <= reach[c]:
                        pool[at] = p
                        journey[at] = factor[c] * link_cost[a] + excess * max(0.0, link_minutes[a] - limit[c])
                        at += 1


def respond(problem: Problem, blocks: Blocks, prices: Prices) -> Response:
    """Every cell's cheapest choice at these prices. All arcs within reach take part."""
    demand, reach = problem.demand, problem.reach
    stay = demand.stay
    worth = stay @ problem.weight
    price = worth[:, None, :] * problem.pools.unit_cost[:, :, None] + np.einsum("cvt,pt->cpv", stay, prices.capacity, optimize=True)
    bonus = np.einsum("cvt,lct->lcv", stay, prices.displacement[:, demand.class_family, :], optimize=True)
    share = displacement_share(problem)
    choice = np.full(demand.entrants.shape, NO_DEMAND, np.int32)
    value = np.zeros(blocks.count)
    cost = np.zeros(blocks.count)
    displaced = np.zeros((blocks.count, len(problem.periods)))
    _choose(
        blocks.owner, blocks.cls, blocks.start, blocks.origin, demand.entrants, worth, stay, price, bonus, share,
        problem.pools.unit_cost, demand.unmet_cost, reach.start, reach.pool, reach.journey, choice, value, cost, displaced,
    )  # fmt: skip
    first, row, amount = block_use(problem, blocks, choice)
    return Response(choice, value, cost, first, row, amount, displaced)


@njit(parallel=True, cache=True)
def _choose(  # type: ignore[no-untyped-def]
    owner, cls, start, origin, entrants, worth, stay, price, bonus, share, unit_cost, unmet_cost,
    arc_start, arc_pool, arc_journey, choice, value, cost, displaced,
):  # fmt: skip  # pragma: no cover - compiled
    periods = entrants.shape[2]
    unmet = unit_cost.shape[1]
    for b in prange(len(owner)):
        c, holder = cls[b], owner[b]
        best = np.empty(periods)
        best_cost = np.empty(periods)
        total_value = 0.0
        total_cost = 0.0
        for o in range(start[b], start[b + 1]):
            z = origin[o]
            for v in range(periods):
                best[v] = best_cost[v] = unmet_cost[c] * worth[c, v]
                if entrants[z, c, v] > 0:
                    choice[z, c, v] = unmet
            for a in range(arc_start[c, z], arc_start[c, z + 1]):
                p = arc_pool[a]
                journey = arc_journey[a]
                s = share[c, p]
                for v in range(periods):
                    priced = worth[c, v] * journey + price[c, p, v] - s * bonus[holder, c, v]
                    if priced < best[v] and choice[z, c, v] >= 0:
                        best[v] = priced
                        best_cost[v] = worth[c, v] * (journey + unit_cost[c, p])
                        choice[z, c, v] = p
            for v in range(periods):
                amount = entrants[z, c, v]
                if amount <= 0:
                    continue
                total_value += amount * best[v]
                total_cost += amount * best_cost[v]
                if choice[z, c, v] < unmet:
                    s = share[c, choice[z, c, v]]
                    if s > 0:
                        for t in range(v, periods):
                            displaced[b, t] += s * amount * stay[c, v, t]
        value[b] = total_value
        cost[b] = total_cost


def differing_blocks(blocks: Blocks, choice: NDArray[np.int32], earlier: NDArray[np.int32]) -> Bools:
    """(B,) whether any cell of a block chooses otherwise than before."""
    result = np.zeros(blocks.count, np.bool_)
    _compare(blocks.cls, blocks.start, blocks.origin, choice, earlier, result)
    return result


@njit(cache=True)
def _compare(cls, start, origin, choice, earlier, result):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for b in range(len(cls)):
        for o in range(start[b], start[b + 1]):
            for v in range(choice.shape[2]):
                if choice[origin[o], cls[b], v] != earlier[origin[o], cls[b], v]:
                    result[b] = True


def block_use(problem: Problem, blocks: Blocks, choice: NDArray[np.int32]) -> tuple[Ints, Ints, Floats]:
    """Use of pools by block, period and pool, for given choices: (first, row = pool x T + period, amount)."""
    demand = problem.demand
    most = int(np.count_nonzero(choice >= 0)) * len(problem.periods)
    first = np.zeros(blocks.count + 1, np.int64)
    row = np.empty(most, np.int64)
    amount = np.empty(most)
    filled = _sum_use(
        blocks.cls, blocks.start, blocks.origin, demand.entrants, demand.stay, choice, len(problem.pools.labels), first, row, amount
    )
    return first, row[:filled].copy(), amount[:filled].copy()


@njit(cache=True)
def _sum_use(cls, start, origin, entrants, stay, choice, pools, first, row, amount):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    periods = entrants.shape[2]
    used = np.zeros((pools, periods))
    touched = np.zeros(pools, np.bool_)
    order = np.empty(pools, np.int64)
    filled = 0
    for b in range(len(cls)):
        c = cls[b]
        count = 0
        for o in range(start[b], start[b + 1]):
            z = origin[o]
            for v in range(periods):
                p = choice[z, c, v]
                if p < 0 or p >= pools:
                    continue
                if not touched[p]:
                    touched[p] = True
                    order[count] = p
                    count += 1
                for t in range(v, periods):
                    used[p, t] += entrants[z, c, v] * stay[c, v, t]
        for i in range(count):
            p = order[i]
            for t in range(periods):
                if used[p, t] > 0:
                    row[filled] = p * periods + t
                    amount[filled] = used[p, t]
                    filled += 1
                used[p, t] = 0.0
            touched[p] = False
        first[b + 1] = filled
    return filled


def flow_costs(problem: Problem, flows: Flows) -> Floats:
    """Present value of the whole stay of one unit of each flow. ValueError when a flow has no arc."""
    demand, links, pools = problem.demand, problem.links, problem.pools
    worth = (demand.stay @ problem.weight)[flows.cls, flows.entry]
    placed = flows.pool < len(pools.labels)
    key = np.repeat(np.arange(len(demand.origins)), np.diff(links.start)) * (len(pools.labels) + 1) + links.pool
    order = np.argsort(key, kind="stable")
    wanted = flows.origin * (len(pools.labels) + 1) + flows.pool
    position = np.minimum(np.searchsorted(key[order], wanted), len(order) - 1)
    link = order[position]
    if (placed & (key[link] != wanted)).any():
        raise ValueError("a flow goes where there is no link")
    factor, limit = links.class_factor[flows.cls], links.class_limit[flows.cls]
    journey = factor * links.cost[link] + links.excess_cost * np.maximum(0.0, links.minutes[link] - limit)
    pool = np.minimum(flows.pool, len(pools.labels) - 1)
    result: Floats = worth * np.where(placed, journey + pools.unit_cost[flows.cls, pool], demand.unmet_cost[flows.cls])
    return result


def count_arcs(problem: Problem) -> int:
    """Number of (origin, class, period of entry, pool) arcs within reach, unmet not counted."""
    cells = (problem.demand.entrants > 0).sum(axis=2)
    return int((np.diff(problem.reach.start, axis=1).T * cells).sum())


@dataclass(frozen=True)
class Arcs:
    """Every arc of a small problem, one row each; ``pool`` = P stands for unmet."""

    origin: Ints
    cls: Ints
    entry: Ints
    pool: Ints
    cost: Floats
    """Present value of the whole stay of one unit."""


def all_arcs(problem: Problem) -> Arcs:
    """All arcs within reach, unmet included, sorted by cell. For problems of up to a few hundred thousand arcs."""
    demand, links, pools = problem.demand, problem.links, problem.pools
    worth = demand.stay @ problem.weight
    parts: list[tuple[Ints, Ints, Ints, Ints, Floats]] = []
    for c in range(len(demand.classes)):
        z, v = np.nonzero(demand.entrants[:, c, :] > 0)
        if not len(z):
            continue
        counts = links.start[z + 1] - links.start[z]
        link = np.repeat(links.start[z] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
        zz, vv = np.repeat(z, counts), np.repeat(v, counts)
        keep = pools.accepts[c, links.pool[link]] & (links.minutes[link] <= links.class_reach[c])
        link, zz, vv = link[keep], zz[keep], vv[keep]
        p = links.pool[link]
        journey = links.class_factor[c] * links.cost[link] + links.excess_cost * np.maximum(0, links.minutes[link] - links.class_limit[c])
        parts.append((zz, np.full_like(zz, c), vv, p, worth[c, vv] * (journey + pools.unit_cost[c, p])))
        parts.append((z, np.full_like(z, c), v, np.full_like(z, len(pools.labels)), worth[c, v] * demand.unmet_cost[c]))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Arcs(nothing, nothing, nothing, nothing, np.zeros(0))
    origin, cls, entry, pool, cost = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((pool, entry, cls, origin))
    return Arcs(origin[order], cls[order], entry[order], pool[order], cost[order])
