"""Points onto roads: the nearest place of an edge, and how far in time and length it is from the edge's two ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.network import CLOSED, Network
from geo.roads.links import Floats, Ints

FAR_SNAP_M: Final = 1_000.0
"""Beyond this a snapped point is flagged: its coordinates or the road file deserve a look."""

LARGEST_SNAP_M: Final = 10_000.0
"""Beyond this a point has no road."""

LINKS_AT_A_TIME: Final = 500_000


@dataclass(frozen=True)
class Snapped:
    """Points on edges (arrays of one length). ``edge`` is -1 where no road lies within 10 km (then ``snap_m`` is infinite).

    ``ms_from`` (n, 2): milliseconds from the edge's start along it, and from its end against it, to the point; 0 where closed.
    ``ms_to`` (n, 2): from the point along the edge to its end, and against it to its start. ``mm`` (n, 2): from start, from end.
    """

    edge: Ints
    snap_m: Floats
    ms_from: Ints
    ms_to: Ints
    mm: Ints


def snap_points(network: Network, xy_m: Floats) -> Snapped:
    """Nearest joinable line of the network for each point (n, 2) in EPSG:27700 metres; lines are taken in blocks to bound memory."""
    points: NDArray[np.object_] = np.asarray(shapely.points(xy_m))
    best_m = np.full(len(points), np.inf)
    best_link = np.full(len(points), -1, dtype=np.int64)
    share = np.zeros(len(points))
    for first in range(0, len(network.link_edge), LINKS_AT_A_TIME):
        chosen = np.flatnonzero(network.link_join[first : first + LINKS_AT_A_TIME]) + first
        if not len(chosen):
            continue
        lines = link_lines(network, chosen)
        (which, line), distance = shapely.STRtree(lines).query_nearest(
            points, max_distance=LARGEST_SNAP_M, return_distance=True, all_matches=False
        )
        closer = distance < best_m[which]
        which, line = which[closer], line[closer]
        best_m[which], best_link[which] = distance[closer], chosen[line]
        share[which] = shapely.line_locate_point(lines[line], points[which], normalized=True)
    return _on_edges(network, best_link, np.nan_to_num(share), best_m)


def link_lines(network: Network, chosen: NDArray[np.int64]) -> NDArray[np.object_]:
    """The drawn lines of some links."""
    start, end = network.shape_start[chosen], network.shape_start[chosen + 1]
    counts = end - start
    first = np.cumsum(counts) - counts
    point = np.repeat(start - first, counts) + np.arange(counts.sum())
    lines: NDArray[np.object_] = shapely.linestrings(
        np.asarray(network.shape_xy_m)[point].astype(np.float64), indices=np.repeat(np.arange(len(chosen)), counts)
    )
    return lines


def _on_edges(network: Network, link: NDArray[np.int64], share: Floats, snap_m: Floats) -> Snapped:
    found = link >= 0
    at = np.where(found, link, 0)
    edge = network.link_edge[at]
    share = np.where(network.link_against[at], 1.0 - share, share)
    link_ms, link_mm = network.link_ms[at], network.link_mm[at]
    into_ms = np.rint(share * link_ms).astype(np.int64)
    offset, whole = network.link_offset_ms[at], network.edge_ms[edge]
    is_open = whole != CLOSED
    ms_from = np.where(is_open, offset + np.column_stack([into_ms, link_ms - into_ms]), 0)
    mm_from = network.link_offset_mm[at] + np.rint(share * link_mm).astype(np.int64)
    return Snapped(
        edge=np.where(found, edge, -1).astype(np.int32),
        snap_m=snap_m,
        ms_from=ms_from.astype(np.int32),
        ms_to=np.where(is_open, whole - ms_from, 0).astype(np.int32),
        mm=np.column_stack([mm_from, network.edge_mm[edge] - mm_from]).astype(np.int32),
    )
