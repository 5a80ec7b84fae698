"""Bounded shortest paths from many sites to many areas: Dijkstra's algorithm on whole milliseconds.

Own code because the product needs what no library gives at once: minutes and km of the same path, a stop at the limit, work in
proportion to what is reached, and start and end points in the middle of edges. Tests hold it against networkx and scipy.
Among paths of equal time the shortest counts, so results depend on nothing but the network.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numba
import numpy as np
from numpy.typing import NDArray

from geo.network import Network
from geo.roads.links import Ints
from geo.snap import Snapped

UNREACHED = np.iinfo(np.int32).max


def journeys_to_sites(
    network: Network, areas: Snapped, sites: Snapped, limit_ms: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Every area -> site journey within the limit: site number, area number, milliseconds, millimetres; by site, then area.

    Memory holds areas x sites of one call, so callers pass sites in chunks.
    Searches start at the sites on the reversed arcs, so each is the way from home to the site.
    """
    arcs = network.reversed_arcs
    return _searches(  # type: ignore[no-any-return]
        arcs.start, arcs.neighbour, arcs.ms, arcs.mm,
        network.edge_from, network.edge_to, network.edge_ms,
        areas.edge, areas.ms_to, areas.mm, sites.edge, sites.ms_from, sites.mm, limit_ms,
    )  # fmt: skip


def reached_from(network: Network, site: Snapped, limit_ms: int) -> tuple[Ints, Ints, Ints]:
    """Nodes from which the one site of ``site`` is reached within the limit: node, milliseconds, millimetres (for isochrones)."""
    arcs = network.reversed_arcs
    ms = np.full(len(network.node_xy_m), UNREACHED, dtype=np.int32)
    mm = np.zeros(len(network.node_xy_m), dtype=np.int32)
    seeds = _seeds(site.edge[0], network.edge_from, network.edge_to, network.edge_ms, site.ms_from[0], site.mm[0])
    touched = _search(  # type: ignore[call-arg]
        arcs.start, arcs.neighbour, arcs.ms, arcs.mm, ms, mm, *seeds, limit_ms
    )
    nodes = np.sort(np.array(touched, dtype=np.int32))
    nodes = nodes[ms[nodes] <= limit_ms]
    return nodes, ms[nodes], mm[nodes]


@numba.njit(cache=True, nogil=True)
def _seeds(edge, edge_from, edge_to, edge_ms, site_ms, site_mm):  # type: ignore[no-untyped-def]
    """A site is entered from the edge's start (driving along it) and from its end (against it), where open."""
    nodes = np.empty(2, np.int32)
    ms = np.empty(2, np.int32)
    mm = np.empty(2, np.int32)
    count = 0
    if edge >= 0:
        for side in range(2):
            if edge_ms[edge, side] > 0:
                nodes[count] = edge_from[edge] if side == 0 else edge_to[edge]
                ms[count] = site_ms[side]
                mm[count] = site_mm[side]
                count += 1
    return nodes[:count], ms[:count], mm[:count]


@numba.njit(cache=True, nogil=True)
def _search(start, neighbour, arc_ms, arc_mm, ms, mm, seed_nodes, seed_ms, seed_mm, limit_ms):  # type: ignore[no-untyped-def]
    """Fills ``ms`` and ``mm`` for reached nodes and returns the touched ones; entries of the heap are ms * 2^32 + node."""
    touched = [np.int32(0) for _ in range(0)]
    heap = [np.int64(0) for _ in range(0)]
    for seed in range(len(seed_nodes)):
        node = seed_nodes[seed]
        if seed_ms[seed] > limit_ms:
            continue
        if ms[node] == UNREACHED:
            touched.append(node)
        if seed_ms[seed] < ms[node] or (seed_ms[seed] == ms[node] and seed_mm[seed] < mm[node]):
            ms[node], mm[node] = seed_ms[seed], seed_mm[seed]
            heappush(heap, (np.int64(seed_ms[seed]) << 32) | np.int64(node))
    while heap:
        entry = heappop(heap)
        node = np.int32(entry & 0xFFFFFFFF)
        here = np.int64(entry >> 32)
        if here > ms[node]:
            continue
        for arc in range(start[node], start[node + 1]):
            there = here + arc_ms[arc]
            if there > limit_ms:
                continue
            reach = neighbour[arc]
            if there < ms[reach]:
                if ms[reach] == UNREACHED:
                    touched.append(reach)
                ms[reach], mm[reach] = there, mm[node] + arc_mm[arc]
                heappush(heap, (there << 32) | np.int64(reach))
            elif there == ms[reach]:
                mm[reach] = min(mm[reach], mm[node] + arc_mm[arc])
    return touched


@numba.njit(cache=True, nogil=True)
def _searches(  # type: ignore[no-untyped-def]
    start, neighbour, arc_ms, arc_mm, edge_from, edge_to, edge_ms,
    area_edge, area_ms, area_mm, site_edge, site_ms, site_mm, limit_ms,
):  # fmt: skip
    ms = np.full(len(start) - 1, UNREACHED, np.int32)
    mm = np.zeros(len(start) - 1, np.int32)
    most = len(site_edge) * len(area_edge)
    found = np.empty((4, most), np.int32)
    count = 0
    for site in range(len(site_edge)):
        edge = site_edge[site]
        nodes, seed_ms, seed_mm = _seeds(edge, edge_from, edge_to, edge_ms, site_ms[site], site_mm[site])
        touched = _search(start, neighbour, arc_ms, arc_mm, ms, mm, nodes, seed_ms, seed_mm, limit_ms)
        for area in range(len(area_edge)):
            from_edge = area_edge[area]
            if from_edge < 0 or edge < 0:
                continue
            best_ms, best_mm = np.int64(UNREACHED), np.int64(UNREACHED)
            for side in range(2):
                if edge_ms[from_edge, side] == 0:
                    continue
                leave = edge_to[from_edge] if side == 0 else edge_from[from_edge]
                if ms[leave] != UNREACHED:
                    total = np.int64(area_ms[area, side]) + ms[leave]
                    length = np.int64(area_mm[area, 1 - side]) + mm[leave]
                    if total < best_ms or (total == best_ms and length < best_mm):
                        best_ms, best_mm = total, length
                if from_edge == edge and area_ms[area, side] >= edge_ms[edge, side] - site_ms[site, side]:
                    total = np.int64(area_ms[area, side]) - (edge_ms[edge, side] - site_ms[site, side])
                    length = np.int64(abs(area_mm[area, 0] - site_mm[site, 0]))
                    if total < best_ms or (total == best_ms and length < best_mm):
                        best_ms, best_mm = total, length
            if best_ms <= limit_ms:
                found[0, count], found[1, count] = site, area
                found[2, count], found[3, count] = best_ms, best_mm
                count += 1
        for node in touched:
            ms[node] = UNREACHED
    return found[0, :count].copy(), found[1, :count].copy(), found[2, :count].copy(), found[3, :count].copy()
