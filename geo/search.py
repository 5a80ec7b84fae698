"""Bounded shortest paths from many sites to many areas: Dijkstra's algorithm on whole milliseconds.

Own code because the product needs what no library gives at once: minutes and km of the same path, a stop at the limit, work in
proportion to what is reached, and start and end points in the middle of edges. Tests hold it against networkx and scipy.
Among paths of equal time the shortest counts, so results depend on nothing but the network.
"""

from __future__ import annotations

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
    found = _searches(
        network.reversed_start, network.reversed_arcs, network.edge_from, network.edge_to, network.edge_ms,
        areas.edge, areas.ms_to, areas.mm, sites.edge, sites.ms_from, sites.mm, limit_ms,
    )  # fmt: skip
    site, area, ms, mm = np.ascontiguousarray(found.T)
    return site, area, ms, mm


def reached_from(network: Network, site: Snapped, limit_ms: int) -> tuple[Ints, Ints, Ints]:
    """Nodes from which the one site of ``site`` is reached within the limit: node, milliseconds, millimetres (for isochrones)."""
    best = np.full((len(network.node_xy_m), 2), UNREACHED, dtype=np.int32)
    heap = np.empty(len(network.reversed_arcs) + 2, dtype=np.int64)
    touched = np.empty(len(best), dtype=np.int32)
    seeds = _seeds(site.edge[0], network.edge_from, network.edge_to, network.edge_ms, site.ms_from[0], site.mm[0])
    reached = _search(network.reversed_start, network.reversed_arcs, best, heap, touched, *seeds, limit_ms)  # type: ignore[call-arg]
    nodes = np.sort(touched[:reached])
    return nodes, best[nodes, 0], best[nodes, 1]


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
def _push(heap, size, entry):  # type: ignore[no-untyped-def]
    """Binary heap: the new entry rises from the end to its place."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if heap[above] <= entry:
            break
        heap[at] = heap[above]
        at = above
    heap[at] = entry
    return size + 1


@numba.njit(cache=True, nogil=True)
def _pop(heap, size):  # type: ignore[no-untyped-def]
    """Takes the least entry; the last one sinks from the top to its place. Returns the entry and the new size."""
    least = heap[0]
    size -= 1
    entry = heap[size]
    at = 0
    below = 1
    while below < size:
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= entry:
            break
        heap[at] = heap[below]
        at = below
        below = 2 * at + 1
    heap[at] = entry
    return least, size


@numba.njit(cache=True, nogil=True)
def _search(start, arcs, best, heap, touched, seed_nodes, seed_ms, seed_mm, limit_ms):  # type: ignore[no-untyped-def]
    """Fills ``best`` (ms, mm) of reached nodes, lists them in ``touched`` and returns their number.

    Entries of the heap are ms * 2^32 + node; an outdated entry is passed over when it comes up.
    """
    count, size = 0, 0
    for seed in range(len(seed_nodes)):
        node = seed_nodes[seed]
        if seed_ms[seed] > limit_ms:
            continue
        if best[node, 0] == UNREACHED:
            touched[count] = node
            count += 1
        if seed_ms[seed] < best[node, 0] or (seed_ms[seed] == best[node, 0] and seed_mm[seed] < best[node, 1]):
            best[node, 0], best[node, 1] = seed_ms[seed], seed_mm[seed]
            size = _push(heap, size, (np.int64(seed_ms[seed]) << 32) | np.int64(node))
    while size > 0:
        entry, size = _pop(heap, size)
        node = entry & 0xFFFFFFFF
        here = entry >> 32
        if here > best[node, 0]:
            continue
        here_mm = best[node, 1]
        for arc in range(start[node], start[node + 1]):
            there = here + arcs[arc, 1]
            if there > limit_ms:
                continue
            reach = arcs[arc, 0]
            known = best[reach, 0]
            if there < known:
                if known == UNREACHED:
                    touched[count] = reach
                    count += 1
                best[reach, 0], best[reach, 1] = there, here_mm + arcs[arc, 2]
                size = _push(heap, size, (there << 32) | np.int64(reach))
            elif there == known:
                best[reach, 1] = min(best[reach, 1], here_mm + arcs[arc, 2])
    return count


@numba.njit(cache=True, nogil=True)
def _searches(  # type: ignore[no-untyped-def]
    start, arcs, edge_from, edge_to, edge_ms, area_edge, area_ms, area_mm, site_edge, site_ms, site_mm, limit_ms
):
    best = np.empty((len(start) - 1, 2), np.int32)
    best[:] = UNREACHED
    heap = np.empty(len(arcs) + 2, np.int64)
    touched = np.empty(len(best), np.int32)
    leave = np.full((len(area_edge), 2), -1, np.int32)
    for area in range(len(area_edge)):
        for side in range(2):
            edge = area_edge[area]
            if edge >= 0 and edge_ms[edge, side] > 0:
                leave[area, side] = edge_to[edge] if side == 0 else edge_from[edge]
    found = np.empty((len(site_edge) * len(area_edge), 4), np.int32)
    count = 0
    for site in range(len(site_edge)):
        edge = site_edge[site]
        nodes, seed_ms, seed_mm = _seeds(edge, edge_from, edge_to, edge_ms, site_ms[site], site_mm[site])
        reached = _search(start, arcs, best, heap, touched, nodes, seed_ms, seed_mm, limit_ms)
        for area in range(len(area_edge)):
            best_ms, best_mm = np.int64(UNREACHED), np.int64(UNREACHED)
            for side in range(2):
                node = leave[area, side]
                if node >= 0 and best[node, 0] != UNREACHED:
                    total = np.int64(area_ms[area, side]) + best[node, 0]
                    length = np.int64(area_mm[area, 1 - side]) + best[node, 1]
                    if total < best_ms or (total == best_ms and length < best_mm):
                        best_ms, best_mm = total, length
            if area_edge[area] == edge and edge >= 0:
                for side in range(2):
                    ahead = np.int64(area_ms[area, side]) - (edge_ms[edge, side] - site_ms[site, side])
                    if leave[area, side] >= 0 and ahead >= 0:
                        length = np.int64(abs(area_mm[area, 0] - site_mm[site, 0]))
                        if ahead < best_ms or (ahead == best_ms and length < best_mm):
                            best_ms, best_mm = ahead, length
            if best_ms <= limit_ms:
                found[count, 0], found[count, 1], found[count, 2], found[count, 3] = site, area, best_ms, best_mm
                count += 1
        for number in range(reached):
            best[touched[number], 0] = UNREACHED
    return found[:count].copy()
