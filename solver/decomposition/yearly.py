"""Flows of held options, year by year: who decides in a period is a transport problem of its own (see ``period``).

Users stay for less and less, and places are rarely taken away, so that the period in which a cell decides is the one in which
room is short; what its places are worth later is in the arcs' costs, as prices. So the flows of a region take
seconds for a period, within a few tenths of a percent of what prices prove.

Time grows faster than size: the flows of very many cells are found for blocks of neighbouring owners apart, side by side. Blocks share
OUTSIDE pools by what displacement asks of each, and all other room as in flows of a coarser problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from solver.decomposition.period import NEAREST, OUTSIDE_NEAREST, Asked, Cells, Period, Room, Ways
from solver.decomposition.tasks import Run, run_here
from solver.families.places import latent_places, lost_places, opened_places, source_starts
from solver.pricing import Prices, deciding, displacement_share, measure_charges, quota_charges
from solver.problem import OUTSIDE, Bools, Floats, Ints, Problem
from solver.result import Decisions, Flows

TINY = 1e-9
"""Share of users who stay below which all have left."""
SPARE = 1e-3
"""Share of what displacement asks for that is sought beyond it: later on there is less room."""

DEARER, KEPT = 4_000.0, 4
"""By how much a year an arc may cost more at the prices than the cheapest of its kind to be looked at; how many are looked at anyway."""


def flows_by_year(
    problem: Problem,
    decisions: Decisions,
    prices: Prices,
    known: Flows | None = None,
    *,
    guide: Guide | None = None,
    may_be_short: bool = False,
    run: Run = run_here,
    stop: Callable[[], bool] = lambda: False,
) -> Flows | None:
    """Flows with ``decisions`` held, within the places of every period; None once it is to ``stop``.

    Use of OUTSIDE pools is what displacement asks for, but where those who could go there were placed before or find no room; latent
    users are counted on in new places that nobody takes. ``known``: flows that keep displacement; what their later entrants use of
    OUTSIDE pools is kept free. ``guide`` cuts each period into blocks, which ``run`` solves side by side;
    where flows ``may_be_short`` of what displacement asks for that spares time.
    Good prices make good flows: best those of an ascent with the same decisions held.
    """
    periods, floor = len(problem.periods), problem.displacement.floor
    places = problem.pools.capacity + opened_places(problem, decisions)
    stand = _Stand(places, places + _overflow(problem, decisions), floor, np.zeros(problem.demand.entrants.shape[:2]))
    later = np.zeros((len(levels(problem)), periods, *places.shape)) if known is None else _outside_use(problem, known)
    years = _Years(problem, prices, may_be_short)
    before = None if known is None else _KnownPools(problem, known)
    found = list[Flows]()
    for v in range(periods):
        if stop():
            return None
        room = _room(problem, stand, later, v)
        needed = stand.needed[:, :, v].ravel()
        if guide is None or (guide.last_whole and v == periods - 1):
            parts = [(np.ones(len(problem.owners), np.bool_), room)]
        else:
            parts = list(_shares(years, room, guide, known, v, needed))
        flows = _joined(run([years.period(v, stand, owners, own, before) for owners, own in parts]))
        found.append(flows)
        stand = stand.after(problem, years.reach.share, flows)
    return _joined(found)


def _joined(flows: Sequence[Flows]) -> Flows:
    return Flows(*(np.concatenate(columns) for columns in zip(*(vars(one).values() for one in flows), strict=True)))


@dataclass(frozen=True)
class Guide:
    """Blocks of owners, and flows of the same options in a coarser problem: as there the blocks share the room of pools."""

    problem: Problem
    """The coarser one; its owners and pools are the same."""
    flows: Flows
    block: Ints
    """(L,) of each owner."""
    last_whole: bool = False
    """Whether the last period, which stands for all that come after, is not cut."""


def _shares(years: _Years, room: Room, guide: Guide, known: Flows | None, v: int, needed: Floats) -> Iterator[tuple[Bools, Room]]:
    """Each block's owners (L,) and its share of the room of a period.

    Of OUTSIDE pools each has what it uses in ``known`` flows, as far as displacement asks for it (``needed``, by group); the rest is
    shared as in the guide's flows, and what nobody uses there is the owner's.
    """
    problem = years.problem
    use = _use(years, guide, guide.problem, guide.flows, v)
    due = np.zeros_like(use) if known is None else _use(years, guide, problem, _asked_for(years, known, v, needed), v)
    total, all_due, owner = use.sum(axis=0), due.sum(axis=0), problem.pools.owner
    for number, own in enumerate(use):
        home = np.where(owner >= 0, guide.block[owner] == number, 1.0 / len(use))
        share = np.where(total > 0, own / np.where(total > 0, total, 1.0), home)
        part = due[number] / np.where(all_due > 0, all_due, 1.0)
        now, full = (np.minimum(places, all_due) * part + np.maximum(0.0, places - all_due) * share for places in (room.now, room.full))
        yield guide.block == number, Room(now, full)


def _asked_for(years: _Years, known: Flows, v: int, needed: Floats) -> Flows:
    """A period's known flows to OUTSIDE pools, as far as each group (G,) still needs them."""
    here = (known.entry == v) & np.append(years.problem.pools.role == OUTSIDE, False)[known.pool]
    there = Flows(*(column[here] for column in vars(known).values()))
    group = years.group[there.origin, there.cls]
    whole = np.bincount(group, there.amount, len(needed))
    part = np.clip(needed / np.where(whole > 0, whole, 1.0), 0.0, 1.0)
    return replace(there, amount=there.amount * part[group])


def _use(years: _Years, guide: Guide, of: Problem, flows: Flows, v: int) -> Floats:
    """(B, K, P) places that a period's entrants of each block take in flows ``of`` a problem, those of a level or above."""
    pools, block = len(years.problem.pools.labels), guide.block
    here = (flows.entry == v) & (flows.pool < pools)
    origin, cls, _, pool, amount = (column[here] for column in vars(flows).values())
    size = (int(block.max()) + 1, len(levels(years.problem)), pools)
    key = np.ravel_multi_index((block[of.demand.origin_owner[origin]], years.level[cls], pool), size)
    use = np.bincount(key, amount * years.problem.demand.use[cls, v, v], int(np.prod(size))).reshape(size)
    above: Floats = use[:, ::-1].cumsum(axis=1)[:, ::-1]
    return above


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


def levels(problem: Problem) -> Floats:
    """Shares of a period's users who are still there in the next, from none upwards: with a level for each, all rooms can be kept."""
    return np.unique(np.append(problem.demand.survival, 0.0))


class _KnownPools:
    """OUTSIDE pools that cells use in known flows."""

    def __init__(self, problem: Problem, known: Flows) -> None:
        there = np.append(problem.pools.role == OUTSIDE, False)[known.pool]
        self.classes = len(problem.demand.classes)
        origin, cls, entry, pool, _ = (column[there] for column in vars(known).values())
        self.by_period = []
        """Of each period: cells' numbers in order, and the pool of each use."""
        for v in range(len(problem.periods)):
            here = entry == v
            key = origin[here] * self.classes + cls[here]
            order = np.argsort(key, kind="stable")
            self.by_period.append((key[order], pool[here][order]))

    def of(self, z: Ints, c: Ints, v: int) -> NDArray[np.int32]:
        """(cells, any) pools of cells (in order of z, then c) in a period, no more than are looked at; -1 for none."""
        key, pool = self.by_period[v]
        cells = z * self.classes + c
        at, place = np.searchsorted(cells, key), np.arange(len(key)) - np.searchsorted(key, key)
        found = (at < len(cells)) & (place < OUTSIDE_NEAREST)
        found[found] = cells[at[found]] == key[found]
        result = np.full((len(z), int(place[found].max(initial=-1)) + 1), -1, np.int32)
        result[at[found], place[found]] = pool[found]
        return result


def _outside_use(problem: Problem, flows: Flows) -> Floats:
    """(K, T, P, T) places of OUTSIDE pools that the entrants of each period take in each, by level."""
    pools, periods, steps = len(problem.pools.labels), len(problem.periods), levels(problem)
    result = np.zeros((len(steps), periods, pools, periods))
    there = np.append(problem.pools.role == OUTSIDE, False)[flows.pool]
    cls, entry = flows.cls[there], flows.entry[there]
    level = np.searchsorted(steps, problem.demand.survival[cls])
    np.add.at(result, (level, entry, flows.pool[there]), flows.amount[there, None] * problem.demand.use[cls, entry])
    return result


def _overflow(problem: Problem, decisions: Decisions) -> Floats:
    """(P, T) most users above places: those who are there when places go may stay."""
    limit = problem.pools.overflow_limit.copy()
    lost = lost_places(problem) * decisions.start[:, None]
    for pool, k in source_starts(problem):
        np.add.at(limit, pool, lost[k])
    return limit


def _room(problem: Problem, stand: _Stand, later: Floats, v: int) -> Room:
    """Room in a period, what is kept for ``later`` entrants (see ``_outside_use``) left out.

    Of those who stay as many find room as in known flows, level by level, and as many more (or fewer) as there is room for in every later
    period, whoever they are: a bound for all later periods at once.
    """
    steps, known = levels(problem), later[:, v, :, v]
    kept = later[:, v + 1 :, :, v:].sum(axis=(0, 1))
    above = known[::-1].cumsum(axis=0)[::-1]
    lag = np.arange(stand.places.shape[1] - v)
    taken = np.einsum("kp,kt->pt", known, steps[:, None] ** lag)
    rooms = []
    for places in (stand.places, stand.full):
        left = np.maximum(0.0, np.minimum(places[:, v:], places[:, v:] - kept))
        # those of the period itself are limited by its places alone
        more = (left - taken)[:, 1:] / max(steps[-1], TINY) ** lag[1:]
        room = np.clip(above + more.min(axis=1, initial=np.inf), 0.0, left[:, 0])
        room[0] = left[:, 0]
        rooms.append(room)
    return Room(*rooms)


class _Years:
    """What all periods have in common: arcs, groups, and what displacement may count on."""

    def __init__(self, problem: Problem, prices: Prices, may_be_short: bool = False) -> None:
        self.problem, self.may_be_short = problem, may_be_short
        demand, (families, periods) = problem.demand, problem.displacement.floor.shape[1:]
        self.reach, self.present = _Reach(problem, prices), deciding(problem)
        self.group: Ints = demand.origin_owner[:, None] * families + demand.class_family
        """(Z, C) owner and family"""
        count = len(problem.owners) * families
        by_class = np.zeros((count, len(demand.classes), periods))
        np.add.at(by_class, (self.group, np.arange(self.group.shape[1])[None, :]), demand.entrants)
        self.entrants: Floats = np.einsum("gcv,cvt->gvt", by_class, demand.stay, optimize=True)
        """(G, T, T) of the entrants of a period, how many are there in another"""
        self.counts = np.append(self.reach.share, np.zeros((len(self.reach.share), 1)), axis=1)
        """(C, P + 1) what a unit counts for displacement, the last of those who wait"""
        self.level = np.searchsorted(levels(problem), demand.survival)
        self.latent = latent_places(problem)
        self.over_cost = (problem.pools.overflow_cost * problem.pool_weight)[:, None] * problem.weight

    def period(self, v: int, stand: _Stand, owners: Bools, room: Room, known: _KnownPools | None = None) -> Period:
        """A period of some owners' cells. They may stay outside where ``known`` flows have them, however dear."""
        problem, reach = self.problem, self.reach
        amount = problem.demand.entrants[:, :, v] + stand.waiting
        z, c = np.nonzero((amount > 0) & self.present[:, :, v] & owners[problem.demand.origin_owner, None])
        stay, owner = problem.demand.stay[c, v], problem.demand.origin_owner[z]
        paid = stay[:, v] * reach.displacement[owner, problem.demand.class_family[c], v]
        load = problem.demand.use[c, v, v]
        cells = Cells(z, c, amount[z, c], load, self.level[c], self.group[z, c], stay[:, v + 1 :], paid)
        some, outside_role = room.full[0] > 0, problem.pools.role == OUTSIDE
        first = np.zeros((len(z), 0), np.int32) if known is None else known.of(z, c, v)
        outside = reach.nearest(z, c, v, OUTSIDE_NEAREST, outside_role & some, first)
        others = reach.nearest(z, c, v, NEAREST, ~outside_role & some)
        dearer = DEARER * reach.worth[c, v]
        outside = outside.within(dearer, (first >= 0).sum(axis=1) + KEPT)
        others = others.within(dearer, np.full(len(z), KEPT))
        share = self.counts[c[:, None], others.pool]
        return Period(v, cells, outside, others, share, room, self.over_cost[:, v], self._asked(v, stand, owners), self.may_be_short)

    def _asked(self, v: int, stand: _Stand, owners: Bools) -> Asked:
        limit, families = self.problem.displacement, len(self.problem.families)
        owed = np.where(owners[:, None, None], stand.needed, 0.0).reshape(-1, len(self.problem.periods))
        spare = SPARE * np.where(owners[:, None], limit.floor[:, :, v], 0.0).ravel()
        coming = self.entrants[:, v + 1 :, v + 1 :].sum(axis=1)
        pool, family = np.nonzero(self.latent[:, :, v] & owners[self.problem.pools.owner][:, None])
        group = self.problem.pools.owner[pool] * families + family
        by_group = np.argsort(group, kind="stable")
        most, share = limit.latent_limit[:, :, v].ravel(), np.tile(limit.share, len(self.problem.owners))
        return Asked(owed[:, v], spare, owed[:, v + 1 :] - coming, most, share, group[by_group], pool[by_group])


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
        self.displacement, self.share = prices.displacement, displacement_share(problem)
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

    def nearest(self, z: Ints, c: Ints, v: int, most: int, wanted: Bools, first: NDArray[np.int32] | None = None) -> Ways:
        """The ``most`` cheapest arcs of cells to the ``wanted`` pools (P,), before others those to its ``first`` (cells, any)."""
        problem, reach = self.problem, self.problem.reach
        if first is None:
            first = np.zeros((len(z), 0), np.int32)
        pool = np.full((len(z), most + 1), len(problem.pools.labels), np.int32)
        waits = self.wait[z, c] * problem.weight[v] + problem.demand.survival[c] * self.value[z, c, v + 1]
        cost = np.repeat(waits[:, None].astype(np.float32), most + 1, axis=1)
        priced = cost.copy()
        _nearest(
            z, c, v, problem.demand.origin_owner, self.worth, self.unit, self.price, self.own, self.bonus, self.share, self.group,
            self.quota, wanted, first, reach.start, reach.pool, self.journey, pool, cost, priced,
        )  # fmt: skip
        return Ways(pool, cost, priced)


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
    origin, cls, v, owner, worth, unit, price, own, bonus, share, group, quota, wanted, first, arc_start, arc_pool, arc_journey, pool,
    cost, priced,
):  # fmt: skip  # pragma: no cover - compiled
    most = pool.shape[1] - 1
    for n in prange(len(origin)):
        z, c = origin[n], cls[n]
        count = ahead = 0
        for a in range(arc_start[c, z], arc_start[c, z + 1]):
            p = arc_pool[a]
            if not wanted[p]:
                continue
            here = worth[c, v] * (arc_journey[a] + unit[c, p]) + price[c, p, v] - share[c, p] * bonus[owner[z], c, v]
            if len(group) > 0:
                here += quota[c, owner[z], group[p], v]
            early = (first[n] == p).any()
            if not early and (ahead >= most or (count == most and here >= priced[n, most - 1])):
                continue
            at = min(count, most - 1)
            while at > (0 if early else ahead) and ((early and at > ahead) or priced[n, at - 1] > here):
                priced[n, at] = priced[n, at - 1]
                pool[n, at] = pool[n, at - 1]
                at -= 1
            priced[n, at] = here
            pool[n, at] = p
            count = min(count + 1, most)
            ahead += early
        for at in range(count):
            cost[n, at] = priced[n, at] - own[c, pool[n, at], v]
