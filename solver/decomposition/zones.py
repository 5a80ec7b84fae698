"""Coarser copies of a problem.

    zoned     neighbouring origins of one owner act as one, which reaches what any does: for prices and to look for options
    sampled   one of the neighbours stands for all, class by class: for flows that guide those of the problem itself

Good prices and good options are found on a copy at a fraction of the cost; bound and plan are then those of the
problem itself: prices are evaluated on all its arcs, and the flows of the options are found on them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from solver.problem import Floats, Ints, Links, Problem
from solver.result import Flows


@dataclass(frozen=True)
class Zoned:
    """The coarse problem and where its origins come from."""

    problem: Problem
    zone: Ints
    """(Z,) zone of each origin of the fine problem."""


def zoned(problem: Problem, size: int) -> Zoned:
    """Zones of about ``size`` consecutive origins of one owner; measures keep every origin apart.

    A zone reaches a pool when any of its origins with demand does; its journey costs the mean of those by demand, its minutes are
    the shortest. Good for prices, which have to know every arc, and to look for options; flows are to be found on all arcs.
    """
    if size <= 1 or problem.measures is not None:
        return Zoned(problem, np.arange(len(problem.demand.origins)))
    zone = _zones(problem, size)
    demand = problem.demand
    entrants = np.zeros((int(zone.max()) + 1, *demand.entrants.shape[1:]))
    np.add.at(entrants, zone, demand.entrants)
    first = np.unique(zone, return_index=True)[1]
    coarse = replace(
        demand, origins=tuple(demand.origins[z] for z in first), origin_owner=demand.origin_owner[first], entrants=entrants
    )  # fmt: skip
    return Zoned(replace(problem, demand=coarse, links=_links(problem, zone, len(entrants))), zone)


def sampled(problem: Problem, size: float, random: np.random.Generator) -> Problem:
    """All demand of a zone of about ``size`` origins, class by class, at one of them, drawn by its demand.

    Its journeys are real ones: a zone that reaches what any of its origins does would take up room that few can use.
    """
    zone, demand = _zones(problem, size), problem.demand
    total: Floats = demand.entrants.sum(axis=2)
    drawn = np.where(total > 0, random.random(total.shape) ** (1.0 / np.where(total > 0, total, 1.0)), -1.0)
    entrants = np.zeros_like(demand.entrants)
    for c in range(len(demand.classes)):
        order = np.lexsort((-drawn[:, c], zone))
        chosen = order[np.searchsorted(zone[order], zone)]
        np.add.at(entrants[:, c], chosen, demand.entrants[:, c])
    return replace(problem, demand=replace(demand, entrants=entrants))


def _zones(problem: Problem, size: float) -> Ints:
    owner = problem.demand.origin_owner
    zone = np.zeros(len(owner), np.int64)
    count = 0
    for holder in range(len(problem.owners)):
        mine = np.nonzero(owner == holder)[0]
        for part in np.array_split(mine, max(1, round(len(mine) / size))):
            if len(part):
                zone[part] = count
                count += 1
    order = np.unique(zone, return_index=True)[1]  # by first origin, so that worlds stay laid out one after the other
    rank = np.empty(count, np.int64)
    rank[np.argsort(order, kind="stable")] = np.arange(count)
    renumbered: Ints = rank[zone]
    return renumbered


def _links(problem: Problem, zone: Ints, count: int) -> Links:
    """Links of zones: those that any of their origins with demand has."""
    links, pools = problem.links, len(problem.pools.labels)
    weight: Floats = problem.demand.entrants.sum(axis=(1, 2))
    present = weight > 0
    share = weight / np.where(present, np.bincount(zone, weight, count)[zone], 1.0)
    origin = np.repeat(np.arange(len(zone)), np.diff(links.start))
    keep = present[origin]
    key = zone[origin[keep]] * pools + links.pool[keep]
    order = np.argsort(key, kind="stable")
    key = key[order]
    edge = np.nonzero(np.diff(key, prepend=-1))[0]
    if not len(edge):
        return replace(
            links, start=np.zeros(count + 1, np.int64), pool=links.pool[:0], cost=links.cost[:0], minutes=links.minutes[:0]
        )  # fmt: skip
    part = share[origin[keep]][order]
    cost = np.add.reduceat(links.cost[keep][order] * part, edge) / np.add.reduceat(part, edge)
    minutes = np.minimum.reduceat(links.minutes[keep][order], edge)
    pair = key[edge]
    start = np.searchsorted(pair // pools, np.arange(count + 1)).astype(np.int64)
    return replace(links, start=start, pool=pair % pools, cost=cost, minutes=minutes)


def gathered(coarse: Zoned, flows: Flows) -> Flows:
    """Flows of origins as flows of their zones."""
    pools, demand = len(coarse.problem.pools.labels), coarse.problem.demand
    shape = (*demand.entrants.shape, pools + 1)
    key, position = np.unique(
        np.ravel_multi_index((coarse.zone[flows.origin], flows.cls, flows.entry, flows.pool), shape), return_inverse=True
    )
    origin, cls, entry, pool = np.unravel_index(key, shape)
    return Flows(origin, cls, entry, pool, np.bincount(position, flows.amount, len(key)).astype(np.float64))
