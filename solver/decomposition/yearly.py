"""Flows of held options, year by year: who decides in a period is a transport problem of its own, solved as a minimum-cost flow.

Users stay for less and less, and places are rarely taken away, so that the period in which a cell decides is the one in which
room is short; what its places are worth later is in the arcs' costs, as prices. So all England's flows take seconds for a
period, and come within a few tenths of a percent of what prices prove, where linear programmes of the whole stay see a part of it only.

Where displacement asks for use of OUTSIDE pools, a period is solved in two steps: who stays outside, a gate for each owner's
family letting only so many elsewhere (their cost there known by its prices), then where the others go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from solver.backends.network import Network
from solver.decomposition.ascent import opened_places
from solver.families.places import lost_places, source_starts
from solver.pricing import Prices, deciding, displacement_share, measure_charges, quota_charges
from solver.problem import OUTSIDE, Floats, Ints, Problem
from solver.result import Decisions, Flows

NEAREST, OUTSIDE_NEAREST = 12, 30
"""Arcs of a cell that are looked at: its cheapest at the prices, and its cheapest to OUTSIDE pools."""
UNITS = 1e9
"""Flow is counted in whole parts of a place."""
STEPS_OF_COST = 1e7
"""The dearest arc in whole steps of cost."""
TRIALS = 4
"""Times that a period is solved until displacement has what it asks for."""
ENOUGH, SPARE = 5e-6, 1e-3
"""By how much a family may stay short of what displacement asks for, and the share more that is sought: later on there is less room."""


def flows_by_year(
    problem: Problem, decisions: Decisions, prices: Prices, known: Flows | None = None, *, stop: Callable[[], bool] = lambda: False
) -> Flows | None:
    """Flows with ``decisions`` held, within the places of every period; None once it is to ``stop``.

    Use of OUTSIDE pools is what displacement asks for, but where those who could go there were placed before or find no room; latent
    users are not counted on. ``known``: flows that keep displacement; what their later entrants use of OUTSIDE pools is kept free.
    Good prices make good flows: best those of an ascent with the same decisions held.
    """
    periods, floor = len(problem.periods), problem.displacement.floor
    places = problem.pools.capacity + opened_places(problem, decisions)
    stand = _Stand(places, places + _overflow(problem, decisions), floor, np.zeros(problem.demand.entrants.shape[:2]))
    over_cost = (problem.pools.overflow_cost * problem.pool_weight)[:, None] * problem.weight
    reach, present = _Reach(problem, prices), deciding(problem)
    later = np.zeros((periods, *places.shape)) if known is None else _outside_use(problem, known)
    group = problem.demand.origin_owner[:, None] * floor.shape[1] + problem.demand.class_family
    found = list[Flows]()
    for v in range(periods):
        if stop():
            return None
        amount = problem.demand.entrants[:, :, v] + stand.waiting
        z, c = np.nonzero((amount > 0) & present[:, :, v])
        room, full = _room(stand.places, later, v), _room(stand.full, later, v)
        period = _Period(problem, reach, v, z, c, amount[z, c], group[z, c], room, full, over_cost[:, v])
        found.append(period.flows(stand.needed[:, :, v].ravel(), SPARE * floor[:, :, v].ravel()))
        stand = stand.after(problem, reach.share, found[-1])
    return Flows(*(np.concatenate(columns) for columns in zip(*(vars(flows).values() for flows in found), strict=True)))


@dataclass(frozen=True)
class _Stand:
    """What earlier entrants have left: places (P, T), those with overflow, what displacement still asks for (L, H, T), who waits (Z, C)."""

    places: Floats
    full: Floats
    needed: Floats
    waiting: Floats

    def after(self, problem: Problem, share: Floats, flows: Flows) -> _Stand:
        """What these flows of one period leave."""
        demand = problem.demand
        placed = flows.pool < len(problem.pools.labels)
        waiting = np.zeros_like(self.waiting)
        cls = flows.cls[~placed]
        np.add.at(waiting, (flows.origin[~placed], cls), flows.amount[~placed] * demand.survival[cls])
        origin, cls, entry, pool, amount = (column[placed] for column in vars(flows).values())
        places, full, needed = self.places.copy(), self.full.copy(), self.needed.copy()
        taken = demand.use[cls, entry] * amount[:, None]
        np.subtract.at(places, pool, taken)
        np.subtract.at(full, pool, taken)
        counted = (share[cls, pool] * amount)[:, None] * demand.stay[cls, entry]
        np.subtract.at(needed, (demand.origin_owner[origin], demand.class_family[cls]), counted)
        return _Stand(places, full, needed, waiting)


def _outside_use(problem: Problem, flows: Flows) -> Floats:
    """(T, P, T) places of OUTSIDE pools that the entrants of each period take in each."""
    pools = len(problem.pools.labels)
    result = np.zeros((len(problem.periods), pools, len(problem.periods)))
    there = np.append(problem.pools.role == OUTSIDE, False)[flows.pool]
    cls, entry = flows.cls[there], flows.entry[there]
    np.add.at(result, (entry, flows.pool[there]), flows.amount[there, None] * problem.demand.use[cls, entry])
    return result


def _overflow(problem: Problem, decisions: Decisions) -> Floats:
    """(P, T) most users above places: those who are there when places go may stay."""
    limit = problem.pools.overflow_limit.copy()
    lost = lost_places(problem) * decisions.start[:, None]
    for pool, k in source_starts(problem):
        np.add.at(limit, pool, lost[k])
    return limit


def _room(places: Floats, later: Floats, v: int) -> Floats:
    """(P,) what entrants of a period may take: of the periods from then on the least, with what is kept for ``later`` (T, P, T) entrants.

    Until then this period's leave: as fast as known flows say.
    """
    kept, mine = later[v + 1 :, :, v:].sum(axis=0), later[v, :, v:]
    there = np.where(mine[:, :1] > 0, mine / np.where(mine[:, :1] > 0, mine[:, :1], 1.0), 1.0)
    least: Floats = np.minimum(places[:, v:], (places[:, v:] - kept) / np.maximum(there, 1e-9)).min(axis=1)
    return np.maximum(0.0, least)


class _Reach:
    """Each cell's cheapest arcs at prices."""

    def __init__(self, problem: Problem, prices: Prices) -> None:
        self.problem = problem
        demand, periods = problem.demand, len(problem.periods)
        self.worth = demand.stay @ problem.weight
        self.unit = problem.pools.unit_cost * problem.pool_weight
        self.price = np.einsum("cvt,pt->cpv", demand.use, prices.capacity, optimize=True)
        own = [demand.use[:, v, v, None] * np.maximum(0.0, prices.capacity[None, :, v]) for v in range(periods)]
        self.own = np.stack(own, axis=2)
        """(C, P, T) of which for the places of the period itself: its room is a limit, so that they are free of charge."""
        self.bonus = np.einsum("cvt,lct->lcv", demand.stay, prices.displacement[:, demand.class_family, :], optimize=True)
        self.share = displacement_share(problem)
        self.group, self.quota = quota_charges(problem, prices)
        self.journey, unmet = measure_charges(problem, prices)
        self.wait = problem.origin_weight[:, None] * demand.unmet_cost + unmet[:, None]
        self.value = self._values()

    def _values(self) -> Floats:
        """(Z, C, T + 1) what a unit that decides in a period costs from then on, at the prices."""
        problem, reach = self.problem, self.problem.reach
        best = np.full((*problem.demand.entrants.shape[:2], len(problem.periods) + 1), np.inf)
        best[:, :, -1] = 0.0
        _values(
            deciding(problem)[:, :, -1], problem.demand.origin_owner, problem.demand.survival, problem.weight, self.wait, self.worth,
            self.unit, self.price, self.bonus, self.share, self.group, self.quota, reach.start, reach.pool, self.journey, best,
        )  # fmt: skip
        return best

    def nearest(self, z: Ints, c: Ints, v: int, most: int, *, outside: bool) -> tuple[Ints, Floats, Floats]:
        """(cells, n + 1) pools, the last a period's wait; what a unit costs there without the period's own prices; and with them.

        A cell with fewer arcs has the wait in their stead.
        """
        problem, reach = self.problem, self.problem.reach
        pool = np.full((len(z), most + 1), len(problem.pools.labels), np.int64)
        waits = self.wait[z, c] * problem.weight[v] + problem.demand.survival[c] * self.value[z, c, v + 1]
        cost = np.repeat(waits[:, None], most + 1, axis=1)
        priced = cost.copy()
        _nearest(
            z, c, v, problem.demand.origin_owner, self.worth, self.unit, self.price, self.own, self.bonus, self.share, self.group,
            self.quota, (problem.pools.role == OUTSIDE) == outside, reach.start, reach.pool, self.journey, pool, cost, priced,
        )  # fmt: skip
        return pool, cost, priced


@dataclass(frozen=True)
class _Period:
    """Who decides in a period (cells of origin z and class c), and what room there is (pools)."""

    problem: Problem
    reach: _Reach
    v: int
    z: Ints
    c: Ints
    amount: Floats
    group: Ints
    """Owner and family."""
    room: Floats
    full: Floats
    over_cost: Floats

    def flows(self, needed: Floats, spare: Floats) -> Flows:
        """The period's flows; ``needed`` (L x H,) is what displacement still asks for, and ``spare`` what more is sought."""
        out_pool, out_cost, _ = self.reach.nearest(self.z, self.c, self.v, OUTSIDE_NEAREST, outside=True)
        pool, cost, priced = self.reach.nearest(self.z, self.c, self.v, NEAREST, outside=False)
        both = np.concatenate([out_pool[:, :-1], pool], axis=1)
        every = np.r_[:NEAREST, OUTSIDE_NEAREST : both.shape[1]]
        flow = np.zeros(both.shape)
        flow[:, every] = self._cheapest(both[:, every], np.concatenate([out_cost[:, :-1], cost], axis=1)[:, every], self.amount)
        share = np.append(self.reach.share, np.zeros((len(self.reach.share), 1)), axis=1)[self.c[:, None], pool]

        def counted(weights: Floats) -> Floats:
            return np.bincount(self.group, weights, needed.size).astype(np.float64)

        outside, new = counted(flow[:, :OUTSIDE_NEAREST].sum(axis=1)), counted((share * flow[:, OUTSIDE_NEAREST:]).sum(axis=1))
        everybody, thought = counted(self.amount), new
        for trial in range(TRIALS):
            short = needed - outside - new > ENOUGH
            if not short.any():
                break
            if trial:
                # whom this trial keeps outside leaves a new place to another family, so it counts on fewer than were found
                less = 0.0 if trial == TRIALS - 1 else np.maximum(0.0, new - 2.0 ** (trial - 1) * (thought - new))
                thought = np.where(short, less, thought)
            most = everybody - np.maximum(0.0, needed - thought)
            wished = everybody - np.maximum(0.0, needed + spare - thought)
            stay = self._outside(out_pool, out_cost, priced.min(axis=1), most, wished)
            others = self._cheapest(pool, cost, np.maximum(0.0, self.amount - stay.sum(axis=1)))
            flow = np.concatenate([stay, others], axis=1)
            outside, new = counted(stay.sum(axis=1)), counted((share * others).sum(axis=1))
        row, column = np.nonzero(flow)
        entry = np.full(len(row), self.v)
        return Flows(self.z[row], self.c[row], entry, both[row, column], flow[row, column])

    def _cheapest(self, pool: Ints, cost: Floats, amount: Floats) -> Floats:
        """(cells, n) of ``amount`` (cells,) on each arc: room first, then overflow at its charge; everybody may wait."""
        load = self.problem.demand.use[self.c, self.v, self.v]
        cells, pools = len(pool), len(self.room)
        wait, sink = cells + pools, cells + pools + 1
        supply = np.floor(amount * load * UNITS).astype(np.int64)
        row, column = np.nonzero(pool[:, :-1] < pools)
        scale = STEPS_OF_COST / max(cost.max(initial=0.0), 1e-9)
        each = np.round(cost / load[:, None] * scale).astype(np.int64)
        into, end = np.arange(cells, cells + pools), np.full(pools, sink)
        first = np.floor(self.room * UNITS).astype(np.int64)
        more = np.maximum(0, np.floor(self.full * UNITS).astype(np.int64) - first)
        network = Network()
        arcs = network.add(row, cells + pool[row, column], supply[row], each[row, column])
        network.add(np.arange(cells), np.full(cells, wait), supply, each[:, -1])
        network.add(into, end, first, np.zeros(pools, np.int64))
        network.add(into, end, more, np.round(self.over_cost * scale).astype(np.int64))
        network.add(np.array([wait]), np.array([sink]), supply.sum(keepdims=True), np.zeros(1, np.int64))
        result = np.zeros(pool.shape)
        result[row, column] = network.cheapest(supply, sink, arcs) / UNITS / load[row]
        result[:, -1] = np.maximum(0.0, amount - result.sum(axis=1))
        return result

    def _outside(self, pool: Ints, cost: Floats, elsewhere: Floats, most: Floats, wished: Floats) -> Floats:
        """(cells, n) who goes to OUTSIDE pools, when ``most`` (groups,), better ``wished``, go elsewhere, at a cost known by its prices."""
        load, group = self.problem.demand.use[self.c, self.v, self.v], self.group
        cells, pools, groups = len(pool), len(self.room), len(most)
        gate, sink = cells + pools, cells + pools + groups
        supply = np.floor(self.amount * load * UNITS).astype(np.int64)
        in_group = np.bincount(group, supply, groups).astype(np.int64)
        # a family's classes take alike
        places = np.bincount(group, load, groups) / np.maximum(1, np.bincount(group, minlength=groups))
        row, column = np.nonzero(pool[:, :-1] < pools)
        scale = STEPS_OF_COST / max((cost / load[:, None]).max(initial=0.0), (elsewhere / load).max(initial=0.0), 1e-9)
        # what is lost to whole units must not go through the gate
        lost = np.bincount(group, minlength=groups)
        limit, free = (np.maximum(0, np.floor(share * places * UNITS) - lost).astype(np.int64) for share in (most, wished))
        network = Network()
        arcs = network.add(row, cells + pool[row, column], supply[row], np.round(cost[row, column] / load[row] * scale).astype(np.int64))
        network.add(np.arange(cells), gate + group, supply, np.round(elsewhere / load * scale).astype(np.int64))
        network.add(np.arange(cells, gate), np.full(pools, sink), np.floor(self.full * UNITS).astype(np.int64), np.zeros(pools, np.int64))
        gates, end = np.arange(gate, sink), np.full(groups, sink)
        for capacity, charge in ((free, 0.0), (limit - free, 0.5), (in_group, 10.0)):
            network.add(gates, end, capacity, np.full(groups, int(charge * STEPS_OF_COST)))
        taken = np.zeros(pool[:, :-1].shape, np.int64)
        taken[row, column] = network.cheapest(supply, sink, arcs)
        # a cell that goes there whole leaves no crumb behind
        there = taken.sum(axis=1)
        result: Floats = taken * (np.where(there == supply, self.amount, there / UNITS / load) / np.maximum(there, 1))[:, None]
        return result


@njit(parallel=True, cache=True)
def _values(  # type: ignore[no-untyped-def]
    present, owner, survival, weight, wait, worth, unit, price, bonus, share, group, quota, arc_start, arc_pool, arc_journey, best,
):  # fmt: skip  # pragma: no cover - compiled
    periods = len(weight)
    for z in prange(present.shape[0]):
        for c in range(present.shape[1]):
            if not present[z, c]:
                continue
            for a in range(arc_start[c, z], arc_start[c, z + 1]):
                p = arc_pool[a]
                for v in range(periods):
                    cost = worth[c, v] * (arc_journey[a] + unit[c, p]) + price[c, p, v] - share[c, p] * bonus[owner[z], c, v]
                    if len(group) > 0:
                        cost += quota[c, owner[z], group[p], v]
                    best[z, c, v] = min(best[z, c, v], cost)
            for v in range(periods - 1, -1, -1):
                best[z, c, v] = min(best[z, c, v], wait[z, c] * weight[v] + survival[c] * best[z, c, v + 1])


@njit(parallel=True, cache=True)
def _nearest(  # type: ignore[no-untyped-def]
    origin, cls, v, owner, worth, unit, price, own, bonus, share, group, quota, wanted, arc_start, arc_pool, arc_journey, pool, cost,
    priced,
):  # fmt: skip  # pragma: no cover - compiled
    most = pool.shape[1] - 1
    for n in prange(len(origin)):
        z, c = origin[n], cls[n]
        count = 0
        for a in range(arc_start[c, z], arc_start[c, z + 1]):
            p = arc_pool[a]
            if not wanted[p]:
                continue
            here = worth[c, v] * (arc_journey[a] + unit[c, p]) + price[c, p, v] - share[c, p] * bonus[owner[z], c, v]
            if len(group) > 0:
                here += quota[c, owner[z], group[p], v]
            if count == most and here >= priced[n, most - 1]:
                continue
            at = min(count, most - 1)
            while at > 0 and priced[n, at - 1] > here:
                priced[n, at] = priced[n, at - 1]
                pool[n, at] = pool[n, at - 1]
                at -= 1
            priced[n, at] = here
            pool[n, at] = p
            count = min(count + 1, most)
        for at in range(count):
            cost[n, at] = priced[n, at] - own[c, pool[n, at], v]
