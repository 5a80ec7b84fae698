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
from solver.requirements import Measure
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
    """(Z, C, T) pool chosen by those who enter or have waited; P = waits for a period, NO_DEMAND where there is nobody."""
    value: Floats
    """(B,) cost at prices."""
    cost: Floats
    """(B,) true cost."""
    first: Ints
    row: Ints
    amount: Floats
    displaced: Floats
    """(B, T) left side of the displacement limit."""
    measured: Floats
    """(B, R) left side of the measures."""


@dataclass(frozen=True)
class Prices:
    """Duals of what couples the cells. Non-negative, but for the capacity of pools with a least use."""

    capacity: Floats
    """(P, T)"""
    displacement: Floats
    """(L, H, T)"""
    quota: Floats
    """(L, groups, T)"""
    measure: Floats
    """(R,)"""

    def mixed(self, other: Prices, share: float) -> Prices:
        """``share`` of these and the rest of the other."""
        return Prices(**{name: share * mine + (1 - share) * getattr(other, name) for name, mine in vars(self).items()})


def no_prices(problem: Problem) -> Prices:
    """Everything free."""
    return Prices(
        np.zeros_like(problem.pools.capacity),
        np.zeros_like(problem.displacement.floor),
        np.zeros((0, 0, len(problem.periods)) if problem.quotas is None else problem.quotas.limit.shape),
        np.zeros(0 if problem.measures is None else len(problem.measures.labels)),
    )


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
    """Weighted by the probability of the origin's world."""
    minutes: NDArray[np.float32]


def reach_of(problem: Problem) -> Reach:
    """All arcs of a problem, once; every price evaluation runs through them."""
    links, accepts = problem.links, problem.pools.accepts
    present = (problem.demand.entrants > 0).any(axis=2)
    start = _arc_starts(present, accepts, links.start, links.pool, links.minutes, links.class_reach)
    pool = np.empty(start[-1, -1], np.int32)
    journey = np.empty(start[-1, -1])
    # minutes of arcs are asked for by measures alone
    minutes = np.empty(start[-1, -1] if problem.measures else 0, np.float32)
    _fill_arcs(
        present, accepts, links.start, links.pool, links.cost, links.minutes, links.class_factor, links.class_limit, links.class_reach,
        links.excess_cost, problem.origin_weight, start, pool, journey, minutes,
    )  # fmt: skip
    return Reach(start, pool, journey, minutes)


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
    present, accepts, link_start, link_pool, link_cost, link_minutes, factor, limit, reach, excess, weight, start, pool, journey,
    minutes,
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
                        journey[at] = weight[z] * (factor[c] * link_cost[a] + excess * max(0.0, link_minutes[a] - limit[c]))
                        if len(minutes):
                            minutes[at] = link_minutes[a]
                        at += 1


def respond(problem: Problem, blocks: Blocks, prices: Prices) -> Response:
    """Every cell's cheapest choice at these prices. All arcs within reach take part."""
    demand, reach = problem.demand, problem.reach
    worth = demand.stay @ problem.weight
    unit_cost = problem.pools.unit_cost * problem.pool_weight
    price = np.empty((*unit_cost.shape, len(problem.periods)))
    _price(problem.pools.accepts, worth, unit_cost, demand.use, prices.capacity, price)
    bonus = np.einsum("cvt,lct->lcv", demand.stay, prices.displacement[:, demand.class_family, :], optimize=True)
    group, quota = quota_charges(problem, prices)
    charged, unmet_extra = measure_charges(problem, prices)
    choice = np.full(demand.entrants.shape, NO_DEMAND, np.int32)
    value = np.zeros(blocks.count)
    cost = np.zeros(blocks.count)
    displaced = np.zeros((blocks.count, len(problem.periods)))
    _choose(
        blocks.owner, blocks.cls, blocks.start, blocks.origin, demand.entrants, demand.survival, worth, problem.weight, demand.stay,
        price, bonus, displacement_share(problem), group, quota, unit_cost, demand.unmet_cost, problem.origin_weight, unmet_extra,
        reach.start, reach.pool, reach.journey, charged, choice, value, cost, displaced,
    )  # fmt: skip
    first, row, amount = block_use(problem, blocks, choice)
    return Response(choice, value, cost, first, row, amount, displaced, _measured(problem, blocks, choice))


def quota_charges(problem: Problem, prices: Prices) -> tuple[Ints, Floats]:
    """(P,) group of each pool and (C, L, groups + 1, T) what a user placed in a period pays for the quota; the last group is free."""
    if problem.quotas is None:
        return np.zeros(0, np.int64), np.zeros((0, 0, 0, 0))
    charge = np.einsum("cvt,lgt->clgv", problem.demand.use, prices.quota, optimize=True)
    return problem.quotas.pool_group, np.concatenate([charge, np.zeros_like(charge[:, :, :1])], axis=2)


def measure_charges(problem: Problem, prices: Prices) -> tuple[Floats, Floats]:
    """Yearly cost of each arc with what measures charge for minutes and OUTSIDE pools, and (Z,) what they charge for waiting."""
    reach, extra = problem.reach, np.zeros(len(problem.demand.origins))
    if problem.measures is None or not prices.measure.any():
        return reach.journey, extra
    charge = {name: extra.copy() for name in Measure}
    for r, name in enumerate(problem.measures.measure):
        charge[name] += prices.measure[r] * problem.measures.weight[r]
    charged = reach.journey.copy()
    outside = (problem.pools.role == OUTSIDE).astype(float)
    _charge(reach.start, reach.pool, reach.minutes, outside, charge[Measure.MINUTES], charge[Measure.OUTSIDE], charged)
    return charged, charge[Measure.UNMET]


@njit(parallel=True, cache=True)
def _charge(start, pool, minutes, outside, per_minute, per_outside, charged):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for z in prange(start.shape[1] - 1):
        for c in range(start.shape[0]):
            for a in range(start[c, z], start[c, z + 1]):
                charged[a] += per_minute[z] * minutes[a] + per_outside[z] * outside[pool[a]]


@njit(parallel=True, cache=True)
def _price(accepts, worth, unit_cost, use, capacity, price):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """(C, P, T) what a unit that enters a pool in a period costs there; left as it is where a pool doesn't accept the class."""
    periods = price.shape[2]
    for c in prange(price.shape[0]):
        for p in range(price.shape[1]):
            if accepts[c, p]:
                for v in range(periods):
                    priced = worth[c, v] * unit_cost[c, p]
                    for t in range(v, periods):
                        priced += use[c, v, t] * capacity[p, t]
                    price[c, p, v] = priced


@njit(parallel=True, cache=True)
def _choose(  # type: ignore[no-untyped-def]
    owner, cls, start, origin, entrants, survival, worth, weight, stay, price, bonus, share, group, quota, unit_cost, unmet_cost,
    origin_weight, unmet_extra, arc_start, arc_pool, arc_journey, charged, choice, value, cost, displaced,
):  # fmt: skip  # pragma: no cover - compiled
    periods = entrants.shape[2]
    unmet = unit_cost.shape[1]
    has_quota = len(group) > 0
    for b in prange(len(owner)):
        c, holder = cls[b], owner[b]
        best = np.empty(periods)
        best_cost = np.empty(periods)
        total_value = 0.0
        total_cost = 0.0
        for o in range(start[b], start[b + 1]):
            z = origin[o]
            began = periods
            for v in range(periods):
                if entrants[z, c, v] > 0:
                    began = v
                    break
            for v in range(began, periods):
                best[v] = np.inf
                choice[z, c, v] = unmet
            for a in range(arc_start[c, z], arc_start[c, z + 1]):
                p = arc_pool[a]
                journey = charged[a]
                s = share[c, p]
                for v in range(began, periods):
                    priced = worth[c, v] * journey + price[c, p, v] - s * bonus[holder, c, v]
                    if has_quota:
                        priced += quota[c, holder, group[p], v]
                    if priced < best[v]:
                        best[v] = priced
                        best_cost[v] = worth[c, v] * (arc_journey[a] + unit_cost[c, p])
                        choice[z, c, v] = p
            # waiting costs this period and leads to the next one's best
            wait_cost = unmet_cost[c] * origin_weight[z]
            for v in range(periods - 1, began - 1, -1):
                waits = (wait_cost + unmet_extra[z]) * weight[v]
                waits_cost = wait_cost * weight[v]
                if v + 1 < periods:
                    waits += survival[c] * best[v + 1]
                    waits_cost += survival[c] * best_cost[v + 1]
                if waits < best[v]:
                    best[v] = waits
                    best_cost[v] = waits_cost
                    choice[z, c, v] = unmet
            waiting = 0.0
            for v in range(began, periods):
                total_value += entrants[z, c, v] * best[v]
                total_cost += entrants[z, c, v] * best_cost[v]
                amount = entrants[z, c, v] + waiting
                waiting = 0.0
                if choice[z, c, v] == unmet:
                    waiting = amount * survival[c]
                else:
                    s = share[c, choice[z, c, v]]
                    if s > 0:
                        for t in range(v, periods):
                            displaced[b, t] += s * amount * stay[c, v, t]
        value[b] = total_value
        cost[b] = total_cost


def present_amounts(problem: Problem, choice: NDArray[np.int32]) -> Floats:
    """(Z, C, T) who decides in each period when these are the choices: entrants and those who have waited."""
    amount = problem.demand.entrants.copy()
    unmet = len(problem.pools.labels)
    for v in range(1, amount.shape[2]):
        amount[:, :, v] += np.where(choice[:, :, v - 1] == unmet, amount[:, :, v - 1] * problem.demand.survival, 0.0)
    return amount


def _measured(problem: Problem, blocks: Blocks, choice: NDArray[np.int32]) -> Floats:
    """(B, R) left side of the measures for these choices."""
    if problem.measures is None:
        return np.zeros((blocks.count, 0))
    origin, cls, entry = np.nonzero(choice >= 0)
    amount = present_amounts(problem, choice)[origin, cls, entry]
    flows = Flows(origin, cls, entry, choice[origin, cls, entry].astype(np.int64), amount)
    return measured_by_block(problem, blocks, flows)


def measured_by_block(problem: Problem, blocks: Blocks, flows: Flows) -> Floats:
    """(B, R) left side of the measures for given flows."""
    if problem.measures is None:
        return np.zeros((blocks.count, 0))
    block = cell_blocks(problem, blocks)[flows.origin, flows.cls]
    sums = flow_measures(problem, flows) * flows.amount
    return np.stack([np.bincount(block, row, blocks.count) for row in sums], axis=1)


def flow_measures(problem: Problem, flows: Flows) -> Floats:
    """(R, flows) what one unit of each flow adds to each measure."""
    assert problem.measures is not None
    pools = len(problem.pools.labels)
    placed = flows.pool < pools
    worth = (problem.demand.stay @ problem.weight)[flows.cls, flows.entry]
    outside = np.append(problem.pools.role == OUTSIDE, False)[flows.pool]
    each = {
        Measure.UNMET: np.where(placed, 0.0, problem.weight[flows.entry]),
        Measure.OUTSIDE: np.where(outside, worth, 0.0),
        Measure.MINUTES: worth * np.append(problem.links.minutes, 0.0)[_link_of(problem, flows)],
    }
    measures = problem.measures
    return np.stack([weight[flows.origin] * each[name] for name, weight in zip(measures.measure, measures.weight, strict=True)])


def cell_blocks(problem: Problem, blocks: Blocks) -> Ints:
    """(Z, C) block of each cell, 0 where there is no demand."""
    result = np.zeros(problem.demand.entrants.shape[:2], np.int64)
    sizes = np.diff(blocks.start)
    result[blocks.origin, np.repeat(blocks.cls, sizes)] = np.repeat(np.arange(blocks.count), sizes)
    return result


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
        blocks.cls, blocks.start, blocks.origin, demand.entrants, demand.survival, demand.use, choice, len(problem.pools.labels),
        first, row, amount,
    )  # fmt: skip
    return first, row[:filled].copy(), amount[:filled].copy()


@njit(cache=True)
def _sum_use(  # type: ignore[no-untyped-def]
    cls, start, origin, entrants, survival, use, choice, pools, first, row, amount,
):  # fmt: skip  # pragma: no cover - compiled
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
            waiting = 0.0
            for v in range(periods):
                p = choice[z, c, v]
                present = entrants[z, c, v] + waiting
                waiting = 0.0
                if p < 0:
                    continue
                if p >= pools:
                    waiting = present * survival[c]
                    continue
                if not touched[p]:
                    touched[p] = True
                    order[count] = p
                    count += 1
                for t in range(v, periods):
                    used[p, t] += present * use[c, v, t]
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
    """Present value of one unit of each flow: of its whole stay, or of one period's wait. ValueError when a flow has no arc."""
    demand, links, pools = problem.demand, problem.links, problem.pools
    worth = (demand.stay @ problem.weight)[flows.cls, flows.entry]
    placed = flows.pool < len(pools.labels)
    link = _link_of(problem, flows)
    minutes, length_cost = np.append(links.minutes, 0.0)[link], np.append(links.cost, 0.0)[link]
    factor, limit = links.class_factor[flows.cls], links.class_limit[flows.cls]
    journey = factor * length_cost + links.excess_cost * np.maximum(0.0, minutes - limit)
    pool = np.minimum(flows.pool, len(pools.labels) - 1)
    stays, waits = worth * (journey + pools.unit_cost[flows.cls, pool]), problem.weight[flows.entry] * demand.unmet_cost[flows.cls]
    result: Floats = problem.origin_weight[flows.origin] * np.where(placed, stays, waits)
    return result


def _link_of(problem: Problem, flows: Flows) -> Ints:
    """Link of each flow that is placed, one past the last for those who wait. ValueError when a placed flow has none."""
    links, pools = problem.links, len(problem.pools.labels)
    key = np.repeat(np.arange(len(problem.demand.origins)), np.diff(links.start)) * (pools + 1) + links.pool
    order = np.append(np.argsort(key, kind="stable"), len(key))
    wanted = flows.origin * (pools + 1) + flows.pool
    link: Ints = order[np.searchsorted(key, wanted, sorter=order[:-1])]
    placed = flows.pool < pools
    if (placed & (np.append(key, -1)[link] != wanted)).any():
        raise ValueError("a flow goes where there is no link")
    return np.where(placed, link, len(key))


def count_arcs(problem: Problem) -> int:
    """Number of (origin, class, period of entry, pool) arcs within reach, unmet not counted."""
    cells = deciding(problem).sum(axis=2)
    return int((np.diff(problem.reach.start, axis=1).T * cells).sum())


def deciding(problem: Problem) -> Bools:
    """(Z, C, T) whether anybody can decide in a period: from the first entrants on, since who waits decides again."""
    result: Bools = np.logical_or.accumulate(problem.demand.entrants > 0, axis=2)
    return result


@dataclass(frozen=True)
class Arcs:
    """Every arc of a small problem, one row each; ``pool`` = P stands for one period's wait."""

    origin: Ints
    cls: Ints
    entry: Ints
    pool: Ints
    cost: Floats
    """Present value of one unit: of its whole stay, or of one period's wait."""


def all_arcs(problem: Problem) -> Arcs:
    """All arcs within reach, unmet included, sorted by cell. For problems of up to a few hundred thousand arcs."""
    demand, links, pools = problem.demand, problem.links, problem.pools
    present = deciding(problem)
    parts: list[tuple[Ints, Ints, Ints, Ints]] = []
    for c in range(len(demand.classes)):
        z, v = np.nonzero(present[:, c, :])
        if not len(z):
            continue
        counts = links.start[z + 1] - links.start[z]
        link = np.repeat(links.start[z] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
        zz, vv = np.repeat(z, counts), np.repeat(v, counts)
        keep = pools.accepts[c, links.pool[link]] & (links.minutes[link] <= links.class_reach[c])
        parts.append((zz[keep], np.full(int(keep.sum()), c), vv[keep], links.pool[link[keep]]))
        parts.append((z, np.full_like(z, c), v, np.full_like(z, len(pools.labels))))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Arcs(nothing, nothing, nothing, nothing, np.zeros(0))
    origin, cls, entry, pool = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((pool, entry, cls, origin))
    flows = Flows(origin[order], cls[order], entry[order], pool[order], np.ones(len(order)))
    return Arcs(flows.origin, flows.cls, flows.entry, flows.pool, flow_costs(problem, flows))
