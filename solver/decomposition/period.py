"""Flows of one period of held options: a transport problem, solved as a minimum-cost flow.

Where displacement asks for more use of OUTSIDE pools than all together leave there, it is solved in steps: who has a new
place keeps it, since it counts; then who stays outside, a gate for each owner's family letting only so many elsewhere (their cost
there known by its prices); then where the others go.

A period holds all that it needs, so that the periods of owners who share no room can be solved on other machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from solver.backends.network import Network
from solver.problem import Bools, Floats, Ints
from solver.result import Flows

NEAREST, OUTSIDE_NEAREST = 24, 30
"""Arcs of a cell that are looked at: its cheapest at the prices, and its cheapest to OUTSIDE pools."""
UNITS = 1e9
"""Flow is counted in whole parts of a place."""
STEPS_OF_COST = 1e5
"""The dearest arc in whole steps of cost."""
ENOUGH = 5e-6
"""By how much a family may stay short of what displacement asks for."""


@dataclass(frozen=True)
class Room:
    """(K, P) places that entrants of a period may take, those of a level or above (see ``levels``)."""

    now: Floats
    full: Floats
    """With overflow."""

    def less(self, taken: Floats) -> Room:
        """What is left once so many (K, P) are taken."""
        return Room(np.maximum(0.0, self.now - taken), np.maximum(0.0, self.full - taken))


@dataclass(frozen=True)
class Cells:
    """Who decides in a period: cells of origin z and class c."""

    z: Ints
    c: Ints
    amount: Floats
    load: Floats
    """Places that a unit takes in the period."""
    level: Ints
    group: Ints
    """Owner and family."""
    stay: Floats
    """(cells, later periods) share of the period's users who are still there."""
    paid: Floats
    """What the period's displacement pays for a unit outside, at its prices: in the costs of arcs there."""


@dataclass(frozen=True)
class Ways:
    """Where cells may go: (cells, n + 1) pools, the last a period's wait. A cell with fewer arcs has the wait in their stead."""

    pool: NDArray[np.int32]
    cost: NDArray[np.float32]
    """What a unit costs there, the period's own prices left out: its room is a limit."""
    priced: NDArray[np.float32]
    """What it costs with them, by which arcs are in order, but for those that come first whatever they cost."""

    def within(self, dearer: Floats, kept: Ints) -> Ways:
        """Only arcs that cost at most ``dearer`` (cells,) than the cheapest at the prices, but for the first ``kept`` (cells,)."""
        left_out = self.priced > (self.priced.min(axis=1) + dearer)[:, None]
        left_out &= np.arange(self.pool.shape[1]) >= kept[:, None]
        own = (self.pool, self.cost, self.priced)
        return Ways(*(np.where(left_out, column[:, -1:], column) for column in own))


@dataclass(frozen=True)
class Asked:
    """What displacement asks of each of G groups (an owner's family)."""

    needed: Floats
    """(G,) use of OUTSIDE pools in the period."""
    spare: Floats
    """(G,) what more is sought now."""
    later: Floats
    """(G, later periods) use that neither earlier nor later entrants can give."""
    latent_limit: Floats
    """(G,)"""
    latent_share: Floats
    """(G,) what a latent user counts."""
    latent_group: Ints
    latent_pool: Ints
    """Where latent users of a group may be."""


@dataclass(frozen=True)
class Period:
    """Who decides in a period, where they may go, and what room there is."""

    v: int
    cells: Cells
    outside: Ways
    others: Ways
    share: Floats
    """(cells, n + 1) what a unit counts for displacement on the arcs of ``others``."""
    room: Room
    over_cost: Floats
    """(P,) charge of one place above those there are."""
    asked: Asked
    may_be_short: bool = False
    """Whether families may lack what displacement asks for: in flows that only show how blocks share room."""

    def sent(self) -> Self:
        """As it can travel: whole."""
        return self

    def solve(self) -> Flows:
        """The period's flows."""
        cells, asked = self.cells, self.asked
        out_pool, pool = self.outside.pool, self.others.pool
        both = np.concatenate([out_pool[:, :-1], pool], axis=1)
        every = np.r_[:NEAREST, OUTSIDE_NEAREST : both.shape[1]]
        flow = np.zeros(both.shape)
        joint_cost = np.concatenate([self.outside.cost[:, :-1], self.others.cost], axis=1)[:, every]
        flow[:, every] = self._cheapest(both[:, every], joint_cost, cells.amount, self.room)
        ahead = self._ahead(flow[:, -1])
        placed = np.where(self.share > 0, flow[:, OUTSIDE_NEAREST:], 0.0)
        outside, new = self._counted(flow[:, :OUTSIDE_NEAREST].sum(axis=1)), self._counted((self.share * placed).sum(axis=1))
        short = np.maximum(asked.needed, ahead) - outside - new > ENOUGH
        # more than asked for, since prices pay for it
        beyond = (outside + new - np.maximum(asked.needed + asked.spare, ahead) > ENOUGH) & (self._counted(cells.paid) > 0)
        # where too few are left without them, new places stand in the way of room outside
        freed = self._counted(cells.amount - placed.sum(axis=1)) < np.maximum(asked.needed + asked.spare, ahead) - new
        while short.any() or beyond.any():
            beyond[:] = False
            flow, short = self._displaced(np.where(freed[cells.group, None], 0.0, placed), outside, ahead)
            more = short & ~freed if (short & ~freed).any() else self._rivals(short, flow) & ~freed
            if self.may_be_short or not more.any():
                break
            freed = freed | more
        row, column = np.nonzero(flow)
        entry = np.full(len(row), self.v)
        return Flows(cells.z[row], cells.c[row], entry, both[row, column].astype(np.int64), flow[row, column])

    def _displaced(self, kept: Floats, outside: Floats, ahead: Floats) -> tuple[Floats, Bools]:
        """(cells, n) flows where users of new places are ``kept`` and as many others outside as displacement asks for; (G,) who is short.

        ``outside`` (G,) would be there anyway; ``ahead`` (G,) are asked for by later periods.
        """
        cells, asked, pool = self.cells, self.asked, self.others.pool
        new = self._counted((self.share * kept).sum(axis=1))
        amount, taken = np.maximum(0.0, cells.amount - kept.sum(axis=1)), self._taken(pool, kept)
        latent, reserved = self._latent(asked.needed - outside - new, taken[0])
        # latent users are those of one period: later ones can't count on them
        wanted = np.maximum(asked.needed + asked.spare - latent, ahead)
        most, wished = (self._counted(amount) - np.maximum(0.0, least - new) for least in (asked.needed - latent, wanted))
        stay = self._outside(amount, most, wished)
        taken[0] += reserved
        left = np.maximum(0.0, amount - stay.sum(axis=1))
        rest = kept + self._cheapest(pool, self.others.cost, left, self.room.less(taken))
        missing = asked.needed - self._counted(stay.sum(axis=1) + (self.share * rest).sum(axis=1))
        found, _ = self._latent(missing, self._taken(pool, rest)[0])
        return np.concatenate([stay, rest], axis=1), missing - found > ENOUGH

    def _rivals(self, short: Bools, flow: Floats) -> Bools:
        """(G,) groups who use OUTSIDE pools within reach of those who are short."""
        pool, group = self.outside.pool[:, :-1], self.cells.group
        reached = np.zeros(self.room.now.shape[1] + 1, np.bool_)
        reached[pool[short[group]]] = True
        reached[-1] = False
        there: Floats = np.where(reached[pool], flow[:, :OUTSIDE_NEAREST], 0.0).sum(axis=1)
        return self._counted(there) > 0

    def _counted(self, weights: Floats) -> Floats:
        """(G,) sum of the cells' ``weights``."""
        return np.bincount(self.cells.group, weights, len(self.asked.needed)).astype(np.float64)

    def _ahead(self, waiting: Floats) -> Floats:
        """(G,) use of OUTSIDE pools that later periods will miss unless it begins in this one, ``waiting`` (cells,) waiting on."""
        amount, stay, later = self.cells.amount, self.cells.stay, self.asked.later
        result, everybody = np.zeros(len(later)), self._counted(amount)
        for t in range(later.shape[1]):
            there = self._counted(amount * stay[:, t]) / np.where(everybody > 0, everybody, 1.0)
            missing = later[:, t] - self._counted(waiting * stay[:, t])
            result = np.maximum(result, np.where(there > 0, missing / np.where(there > 0, there, 1.0), 0.0))
        least: Floats = np.minimum(result, everybody)
        return least

    def _latent(self, short: Floats, taken: Floats) -> tuple[Floats, Floats]:
        """(G,) what latent users of places that nobody took add to displacement where it is ``short``; (P,) the places they need."""
        asked = self.asked
        added, reserved = np.zeros(len(short)), np.zeros(len(taken))
        left = np.maximum(0.0, self.room.now[0] - taken)
        share = np.where(asked.latent_share > 0, asked.latent_share, 1.0)
        wanted = np.where(asked.latent_share > 0, np.minimum(asked.latent_limit, np.maximum(0.0, short) / share), 0.0)
        for group, pool in zip(asked.latent_group, asked.latent_pool, strict=True):
            more = min(wanted[group], left[pool])
            added[group], reserved[pool] = added[group] + share[group] * more, reserved[pool] + more
            wanted[group], left[pool] = wanted[group] - more, left[pool] - more
        return added, reserved

    def _taken(self, pool: NDArray[np.int32], flow: Floats) -> Floats:
        """(K, P) places that a flow takes, those of a level or above."""
        levels, pools = self.room.now.shape
        key = self.cells.level[:, None] * (pools + 1) + pool
        places = np.bincount(key.ravel(), (flow * self.cells.load[:, None]).ravel(), levels * (pools + 1)).reshape(levels, pools + 1)
        taken: Floats = places[::-1, :-1].cumsum(axis=0)[::-1]
        return taken

    def _into(
        self, network: Network, nodes: int, pool: NDArray[np.int32], sink: int, over_cost: Ints, room: Room
    ) -> tuple[Ints, Ints, Ints]:
        """Nodes of pools by level, each leading to one below; rows, columns and heads of the arcs to those with room."""
        levels, pools = room.now.shape
        first = np.floor(room.now * UNITS).astype(np.int64)
        full = np.maximum(first, np.floor(room.full * UNITS).astype(np.int64))
        node = nodes + np.arange(levels * pools).reshape(levels, pools)
        head, level, left = np.full((levels, pools), sink), np.zeros((levels, pools), np.int64), full.copy()
        every = np.arange(pools)
        for k in range(1, levels):
            # a level with as much room as the one below is no limit of its own
            below = level[k - 1]
            limits = (first[k] < first[below, every]) | (full[k] < full[below, every])
            head[k], level[k] = node[below, every], np.where(limits, k, below)
            left[k] = np.minimum(left[k - 1], np.where(limits, full[k], left[k - 1]))
        own = level == np.arange(levels)[:, None]
        network.add(node[own], head[own], first[own], np.zeros(int(own.sum()), np.int64))
        network.add(node[own], head[own], (full - first)[own], np.broadcast_to(over_cost, own.shape)[own])
        row, column = np.nonzero(pool < pools)
        to, of_level = pool[row, column], self.cells.level[row]
        some = left[of_level, to] > 0
        row, column, to, of_level = row[some], column[some], to[some], of_level[some]
        return row, column, node[level[of_level, to], to]

    def _cheapest(self, pool: NDArray[np.int32], cost: NDArray[np.float32], amount: Floats, room: Room) -> Floats:
        """(cells, n) of ``amount`` (cells,) on each arc: room first, then overflow at its charge; everybody may wait."""
        load, cells = self.cells.load, len(pool)
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

    def _outside(self, amount: Floats, most: Floats, wished: Floats) -> Floats:
        """(cells, n) of ``amount`` (cells,) in OUTSIDE pools, when ``most`` (G,), better ``wished``, go elsewhere, at a known cost.

        Displacement limits what goes elsewhere, so that being outside is not paid for.
        """
        pool, cost, elsewhere = self.outside.pool, self.outside.cost + self.cells.paid[:, None], self.others.priced.min(axis=1)
        load, group = self.cells.load, self.cells.group
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
