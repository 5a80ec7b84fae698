"""Flows of held options, year by year: who decides in a period is a transport problem of its own, solved as a minimum-cost flow.

Users stay for less and less, and places are rarely taken away, so that the period in which a cell decides is the one in which
room is short; what its places are worth later is in the arcs' costs, as prices. So the flows of a region take
seconds for a period, and of all England a minute or two, within a few tenths of a percent of what prices prove.

Where displacement asks for more use of OUTSIDE pools than all together leave there, a period is solved in steps: who has a new
place keeps it, since it counts; then who stays outside, a gate for each owner's family letting only so many elsewhere (their cost
there known by its prices); then where the others go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange

from solver.backends.network import Network
from solver.decomposition.ascent import opened_places
from solver.families.places import latent_places, lost_places, source_starts
from solver.pricing import Prices, deciding, displacement_share, measure_charges, quota_charges
from solver.problem import OUTSIDE, Bools, Floats, Ints, Problem
from solver.result import Decisions, Flows

NEAREST, OUTSIDE_NEAREST = 16, 30
"""Arcs of a cell that are looked at: its cheapest at the prices, and its cheapest to OUTSIDE pools."""
UNITS = 1e9
"""Flow is counted in whole parts of a place."""
STEPS_OF_COST = 1e5
"""The dearest arc in whole steps of cost."""
ENOUGH, SPARE = 5e-6, 1e-3
"""By how much a family may stay short of what displacement asks for, and the share more that is sought: later on there is less room."""


def flows_by_year(
    problem: Problem, decisions: Decisions, prices: Prices, known: Flows | None = None, *, stop: Callable[[], bool] = lambda: False
) -> Flows | None:
    """Flows with ``decisions`` held, within the places of every period; None once it is to ``stop``.

    Use of OUTSIDE pools is what displacement asks for, but where those who could go there were placed before or find no room; latent
    users are counted on in new places that nobody takes. ``known``: flows that keep displacement; what their later entrants use of
    OUTSIDE pools is kept free.
    Good prices make good flows: best those of an ascent with the same decisions held.
    """
    periods, floor = len(problem.periods), problem.displacement.floor
    places = problem.pools.capacity + opened_places(problem, decisions)
    stand = _Stand(places, places + _overflow(problem, decisions), floor, np.zeros(problem.demand.entrants.shape[:2]))
    over_cost = (problem.pools.overflow_cost * problem.pool_weight)[:, None] * problem.weight
    reach, present = _Reach(problem, prices), deciding(problem)
    later = np.zeros((len(_levels(problem)), periods, *places.shape)) if known is None else _outside_use(problem, known)
    group = problem.demand.origin_owner[:, None] * floor.shape[1] + problem.demand.class_family
    coming, latent = _Coming(problem, group), latent_places(problem)
    found = list[Flows]()
    for v in range(periods):
        if stop():
            return None
        amount = problem.demand.entrants[:, :, v] + stand.waiting
        z, c = np.nonzero((amount > 0) & present[:, :, v])
        room = _room(problem, stand, later, v)
        period = _Period(problem, reach, v, z, c, amount[z, c], group[z, c], room, over_cost[:, v], latent[:, :, v])
        found.append(period.flows(stand.needed.reshape(-1, periods), SPARE * floor[:, :, v].ravel(), coming))
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


def _levels(problem: Problem) -> Floats:
    """Shares of a period's users who are still there in the next, from none upwards: with a level for each, all rooms can be kept."""
    return np.unique(np.append(problem.demand.survival, 0.0))


def _outside_use(problem: Problem, flows: Flows) -> Floats:
    """(K, T, P, T) places of OUTSIDE pools that the entrants of each period take in each, by level."""
    pools, periods, levels = len(problem.pools.labels), len(problem.periods), _levels(problem)
    result = np.zeros((len(levels), periods, pools, periods))
    there = np.append(problem.pools.role == OUTSIDE, False)[flows.pool]
    cls, entry = flows.cls[there], flows.entry[there]
    level = np.searchsorted(levels, problem.demand.survival[cls])
    np.add.at(result, (level, entry, flows.pool[there]), flows.amount[there, None] * problem.demand.use[cls, entry])
    return result


def _overflow(problem: Problem, decisions: Decisions) -> Floats:
    """(P, T) most users above places: those who are there when places go may stay."""
    limit = problem.pools.overflow_limit.copy()
    lost = lost_places(problem) * decisions.start[:, None]
    for pool, k in source_starts(problem):
        np.add.at(limit, pool, lost[k])
    return limit


@dataclass(frozen=True)
class _Room:
    """(K, P) places that entrants of a period may take, those of a level or above."""

    now: Floats
    full: Floats
    """With overflow."""

    def less(self, taken: Floats) -> _Room:
        """What is left once so many (K, P) are taken."""
        return _Room(np.maximum(0.0, self.now - taken), np.maximum(0.0, self.full - taken))


def _room(problem: Problem, stand: _Stand, later: Floats, v: int) -> _Room:
    """Room in a period, what is kept for ``later`` entrants (see ``_outside_use``) left out.

    Of those who stay as many find room as in known flows: level by level no more, so that they take no more in any later period.
    """
    levels, known = _levels(problem), later[:, v, :, v]
    kept = later[:, v + 1 :, :, v:].sum(axis=(0, 1))
    above = known[::-1].cumsum(axis=0)[::-1]
    rooms = []
    for places in (stand.places, stand.full):
        left = np.maximum(0.0, np.minimum(places[:, v:], places[:, v:] - kept))
        # with so many there is room in every later period, whoever they are
        safe = (left / levels[-1] ** np.arange(left.shape[1])).min(axis=1) if levels[-1] > 0 else left[:, 0]
        room = np.minimum(left[:, 0], np.maximum(above, safe))
        room[0] = left[:, 0]
        rooms.append(room)
    return _Room(*rooms)


class _Coming:
    """Who may still go to OUTSIDE pools in later periods."""

    def __init__(self, problem: Problem, group: Ints) -> None:
        demand, (families, periods) = problem.demand, problem.displacement.floor.shape[1:]
        count = len(problem.owners) * families
        by_class = np.zeros((count, len(demand.classes), periods))
        np.add.at(by_class, (group, np.arange(group.shape[1])[None, :]), demand.entrants)
        self.entrants: Floats = np.einsum("gcv,cvt->gvt", by_class, demand.stay, optimize=True)
        """(L x H, T, T) of the entrants of a period, how many are there in another."""

    def needed(self, period: _Period, owed: Floats, counted: Callable[[Floats], Floats], waiting: Floats) -> Floats:
        """(L x H,) use of OUTSIDE pools that later periods will miss unless it begins in this one, ``waiting`` (cells,) waiting on."""
        demand, v = period.problem.demand, period.v
        result, everybody = np.zeros(len(owed)), counted(period.amount)
        for t in range(v + 1, owed.shape[1]):
            stay = demand.stay[period.c, v, t]
            there = counted(period.amount * stay) / np.where(everybody > 0, everybody, 1.0)
            missing = owed[:, t] - self.entrants[:, v + 1 :, t].sum(axis=1) - counted(waiting * stay)
            result = np.maximum(result, np.where(there > 0, missing / np.where(there > 0, there, 1.0), 0.0))
        least: Floats = np.minimum(result, everybody)
        return least


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
    room: _Room
    over_cost: Floats
    latent_pools: Bools
    """(P, H) where latent users may be."""

    def flows(self, owed: Floats, spare: Floats, coming: _Coming) -> Flows:
        """The period's flows; ``owed`` (L x H, T) is what displacement still asks for, and ``spare`` what more is sought now."""
        out_pool, out_cost, _ = self.reach.nearest(self.z, self.c, self.v, OUTSIDE_NEAREST, outside=True)
        pool, cost, priced = self.reach.nearest(self.z, self.c, self.v, NEAREST, outside=False)
        both = np.concatenate([out_pool[:, :-1], pool], axis=1)
        every = np.r_[:NEAREST, OUTSIDE_NEAREST : both.shape[1]]
        flow = np.zeros(both.shape)
        joint_cost = np.concatenate([out_cost[:, :-1], cost], axis=1)[:, every]
        flow[:, every] = self._cheapest(both[:, every], joint_cost, self.amount, self.room)
        share = np.append(self.reach.share, np.zeros((len(self.reach.share), 1)), axis=1)[self.c[:, None], pool]

        def counted(weights: Floats) -> Floats:
            return np.bincount(self.group, weights, len(spare)).astype(np.float64)

        needed = owed[:, self.v]
        ahead = coming.needed(self, owed, counted, flow[:, -1])
        placed = np.where(share > 0, flow[:, OUTSIDE_NEAREST:], 0.0)
        outside, new = counted(flow[:, :OUTSIDE_NEAREST].sum(axis=1)), counted((share * placed).sum(axis=1))
        if (np.maximum(needed, ahead) - outside - new > ENOUGH).any():
            # where too few are left without them, new places stand in the way of room outside
            freed = counted(self.amount - placed.sum(axis=1)) < np.maximum(needed + spare, ahead) - new
            kept = np.where(freed[self.group, None], 0.0, placed)
            new = counted((share * kept).sum(axis=1))
            amount, taken = np.maximum(0.0, self.amount - kept.sum(axis=1)), self._taken(pool, kept)
            latent, reserved = self._latent(needed - outside - new, taken[0])
            # latent users are those of one period: later ones can't count on them
            wanted = np.maximum(needed + spare - latent, ahead)
            most, wished = (counted(amount) - np.maximum(0.0, least - new) for least in (needed - latent, wanted))
            stay = self._outside(out_pool, out_cost, amount, priced.min(axis=1), most, wished)
            taken[0] += reserved
            others = self._cheapest(pool, cost, np.maximum(0.0, amount - stay.sum(axis=1)), self.room.less(taken))
            flow = np.concatenate([stay, kept + others], axis=1)
        row, column = np.nonzero(flow)
        entry = np.full(len(row), self.v)
        return Flows(self.z[row], self.c[row], entry, both[row, column], flow[row, column])

    def _latent(self, short: Floats, taken: Floats) -> tuple[Floats, Floats]:
        """(L x H,) what latent users of places that nobody took add to displacement where it is ``short``; (P,) the places they need."""
        problem, families = self.problem, self.problem.displacement.floor.shape[1]
        added, reserved = np.zeros(len(short)), np.zeros(len(taken))
        left = np.maximum(0.0, self.room.now[0] - taken)
        limit = problem.displacement.latent_limit[:, :, self.v].ravel()
        for group in np.nonzero((short > 0) & (limit > 0))[0]:
            owner, family = divmod(int(group), families)
            share = problem.displacement.share[family]
            wanted = min(limit[group], short[group] / share) if share > 0 else 0.0
            for pool in np.nonzero(self.latent_pools[:, family] & (problem.pools.owner == owner) & (left > 0))[0]:
                more = min(wanted, left[pool])
                added[group], reserved[pool] = added[group] + share * more, reserved[pool] + more
                wanted, left[pool] = wanted - more, left[pool] - more
        return added, reserved

    @property
    def load(self) -> Floats:
        """(cells,) places that a unit takes in the period."""
        load: Floats = self.problem.demand.use[self.c, self.v, self.v]
        return load

    @cached_property
    def level(self) -> Ints:
        """(cells,) level of each (see ``_levels``)."""
        return np.searchsorted(_levels(self.problem), self.problem.demand.survival[self.c])

    def _taken(self, pool: Ints, flow: Floats) -> Floats:
        """(K, P) places that a flow takes, those of a level or above."""
        levels, pools = self.room.now.shape
        key = self.level[:, None] * (pools + 1) + pool
        places = np.bincount(key.ravel(), (flow * self.load[:, None]).ravel(), levels * (pools + 1)).reshape(levels, pools + 1)
        taken: Floats = places[::-1, :-1].cumsum(axis=0)[::-1]
        return taken

    def _into(self, network: Network, nodes: int, pool: Ints, sink: int, over_cost: Ints, room: _Room) -> tuple[Ints, Ints, Ints]:
        """Nodes of pools by level, each leading to the level below; rows, columns and heads of the arcs to them."""
        levels, pools = room.now.shape
        node = nodes + np.arange(levels * pools)
        head = np.append(np.full(pools, sink), node[:-pools])
        first = np.floor(room.now * UNITS).astype(np.int64).ravel()
        more = np.maximum(0, np.floor(room.full * UNITS).astype(np.int64).ravel() - first)
        network.add(node, head, first, np.zeros(len(node), np.int64))
        network.add(node, head, more, np.tile(over_cost, levels))
        row, column = np.nonzero(pool < pools)
        return row, column, nodes + self.level[row] * pools + pool[row, column]

    def _cheapest(self, pool: Ints, cost: Floats, amount: Floats, room: _Room) -> Floats:
        """(cells, n) of ``amount`` (cells,) on each arc: room first, then overflow at its charge; everybody may wait."""
        load, cells = self.load, len(pool)
        sink = cells + room.now.size
        supply = np.floor(amount * load * UNITS).astype(np.int64)
        scale = STEPS_OF_COST / max(cost.max(initial=0.0), 1e-9)
        each = np.round(cost / load[:, None] * scale).astype(np.int64)
        network = Network()
        over_cost = np.round(self.over_cost * scale).astype(np.int64)
        row, column, head = self._into(network, cells, pool[:, :-1], sink, over_cost, room)
        arcs = network.add(row, head, supply[row], each[row, column])
        network.add(np.arange(cells), np.full(cells, sink), supply, each[:, -1])
        result = np.zeros(pool.shape)
        result[row, column] = network.cheapest(supply, sink, arcs) / UNITS / load[row]
        result[:, -1] = np.maximum(0.0, amount - result.sum(axis=1))
        return result

    def _outside(self, pool: Ints, cost: Floats, amount: Floats, elsewhere: Floats, most: Floats, wished: Floats) -> Floats:
        """(cells, n) of ``amount`` (cells,) in OUTSIDE pools, when ``most`` (groups,), better ``wished``, go elsewhere, at a known cost."""
        load, group = self.load, self.group
        cells, pools, groups = len(pool), self.room.now.shape[1], len(most)
        gate, sink = cells + self.room.now.size, cells + self.room.now.size + groups
        supply = np.floor(amount * load * UNITS).astype(np.int64)
        in_group = np.bincount(group, supply, groups).astype(np.int64)
        # a family's classes take alike
        places = np.bincount(group, load, groups) / np.maximum(1, np.bincount(group, minlength=groups))
        scale = STEPS_OF_COST / max((cost / load[:, None]).max(initial=0.0), (elsewhere / load).max(initial=0.0), 1e-9)
        # what is lost to whole units must not go through the gate
        lost = np.bincount(group, minlength=groups)
        limit, free = (np.maximum(0, np.floor(share * places * UNITS) - lost).astype(np.int64) for share in (most, wished))
        network = Network()
        row, column, head = self._into(network, cells, pool[:, :-1], sink, np.zeros(pools, np.int64), self.room)
        arcs = network.add(row, head, supply[row], np.round(cost[row, column] / load[row] * scale).astype(np.int64))
        network.add(np.arange(cells), gate + group, supply, np.round(elsewhere / load * scale).astype(np.int64))
        gates, end = np.arange(gate, sink), np.full(groups, sink)
        for capacity, charge in ((free, 0.0), (limit - free, 0.5), (in_group, 10.0)):
            network.add(gates, end, capacity, np.full(groups, int(charge * STEPS_OF_COST)))
        taken = np.zeros(pool[:, :-1].shape, np.int64)
        taken[row, column] = network.cheapest(supply, sink, arcs)
        # a cell that goes there whole leaves no crumb behind
        there = taken.sum(axis=1)
        result: Floats = taken * (np.where(there == supply, amount, there / UNITS / load) / np.maximum(there, 1))[:, None]
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
