"""A compact directed road network: arrays only, nodes with two neighbours contracted away, times and lengths exact.

Times are whole milliseconds and lengths whole millimetres, so sums are exact and comparisons need no tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.roads.links import ROAD_CLASSES, Floats, Ints, RoadLinks, content_hash, select_links
from geo.roads.speeds import Speeds, link_milliseconds, links_to_join

LEAST_COMPONENT_KM: Final = 10.0
"""A piece of network that is cut off and shorter than this is a mapping fault, not an island; points do not join it."""

CLOSED: Final = 0
"""Milliseconds of a direction in which an edge may not be driven."""


@dataclass(frozen=True)
class Network:
    """Edges run from ``edge_from`` to ``edge_to``; ``edge_ms`` (E, 2) is the time along and against, 0 where closed.

    ``reversed_arcs`` (A, 3: node, ms, mm) of node i are rows ``reversed_start[i]`` to ``reversed_start[i + 1]``; they lead to the nodes
    from which it is reached, so a search from a site finds the way *to* the site.
    Link arrays (L) say where each drawn line lies: its edge, its milliseconds and millimetres from the edge's two ends,
    whether it is drawn against the edge, and whether points may join it.
    """

    name: str
    speeds: str
    content: str
    node_xy_m: Floats
    component: Ints
    edge_from: Ints
    edge_to: Ints
    edge_ms: Ints
    edge_mm: Ints
    reversed_start: NDArray[np.int64]
    reversed_arcs: Ints
    link_edge: Ints
    link_offset_ms: Ints
    link_offset_mm: Ints
    link_ms: Ints
    link_mm: Ints
    link_against: NDArray[np.bool_]
    link_join: NDArray[np.bool_]
    shape_xy_m: NDArray[np.float32]
    shape_start: NDArray[np.int64]


def build_network(links: RoadLinks, speeds: Speeds, ferries: bool = True) -> Network:
    """Links and speeds to a network: times, contraction, numbering by place, arcs, components.

    ``ferries=False`` leaves car ferries out. Raises ValueError when no link is left.
    """
    kept = links if ferries else select_links(links, links.road_class != ROAD_CLASSES.index("ferry"))
    if not len(kept):
        raise ValueError("no road link is left to build a network from")
    ms = link_milliseconds(kept, speeds)
    along, against = np.where(kept.direction >= 0, ms, CLOSED), np.where(kept.direction <= 0, ms, CLOSED)
    chain = _contract(kept.tail, kept.head, along, against, kept.length_mm, len(kept.node_xy_m))
    edge_from, edge_to, edge_ms, edge_mm, link_edge, link_offset_ms, link_offset_mm, link_against = chain
    nodes = _by_place(np.unique(np.concatenate([edge_from, edge_to])), kept.node_xy_m)
    number = np.full(len(kept.node_xy_m), -1, dtype=np.int32)
    number[nodes] = np.arange(len(nodes), dtype=np.int32)
    edge_from, edge_to = number[edge_from], number[edge_to]
    reversed_start, reversed_arcs = _reversed_arcs(edge_from, edge_to, edge_ms, edge_mm, len(nodes))
    component, main = _components(edge_from, edge_to, edge_ms, edge_mm, len(nodes))
    inside = main[edge_from] & main[edge_to]
    return Network(
        name=links.source + ("" if ferries else ", without ferries"),
        speeds=f"{speeds.variant} ({speeds.source})",
        content=content_hash(kept, ms, speeds.snap),
        node_xy_m=kept.node_xy_m[nodes],
        component=component,
        edge_from=edge_from,
        edge_to=edge_to,
        edge_ms=edge_ms,
        edge_mm=edge_mm,
        reversed_start=reversed_start,
        reversed_arcs=reversed_arcs,
        link_edge=link_edge,
        link_offset_ms=link_offset_ms,
        link_offset_mm=link_offset_mm,
        link_ms=ms.astype(np.int32),
        link_mm=kept.length_mm.astype(np.int32),
        link_against=link_against,
        link_join=links_to_join(kept, speeds) & inside[link_edge],
        shape_xy_m=kept.shape_xy_m,
        shape_start=kept.shape_start,
    )


def save_network(network: Network, folder: Path) -> Path:
    """Writes one ``.npy`` per array (and the names), for workers that map the same pages instead of copying them."""
    folder.mkdir(parents=True, exist_ok=True)
    for field in fields(network):
        value = getattr(network, field.name)
        if isinstance(value, str):
            (folder / f"{field.name}.txt").write_text(value, encoding="utf-8")
        else:
            np.save(folder / f"{field.name}.npy", value)
    return folder


def load_network(folder: Path) -> Network:
    """The network of ``save_network``, its arrays mapped from disk and read-only."""
    parts: dict[str, Any] = {
        field.name: (folder / f"{field.name}.txt").read_text(encoding="utf-8")
        if (folder / f"{field.name}.txt").exists()
        else np.load(folder / f"{field.name}.npy", mmap_mode="r")
        for field in fields(Network)
    }
    return Network(**parts)


def forward_arcs(network: Network) -> tuple[NDArray[np.int64], Ints]:
    """Starts and arcs as ``reversed_arcs``, but in the direction of travel: for checks against other routers."""
    return _reversed_arcs(network.edge_to, network.edge_from, network.edge_ms, network.edge_mm, len(network.node_xy_m))


def homeward(network: Network) -> Network:
    """The same roads driven backwards: its journeys from areas to sites are those from the sites back to the areas (the afternoon run)."""
    start, arcs = forward_arcs(network)
    whole = network.edge_ms[network.link_edge]
    rest = np.where(whole == CLOSED, 0, whole - network.link_offset_ms - network.link_ms[:, None])
    return replace(
        network,
        name=f"{network.name}, from sites to areas",
        content=content_hash(network.content, "homeward"),
        edge_ms=network.edge_ms[:, ::-1].copy(),
        reversed_start=start,
        reversed_arcs=arcs,
        link_offset_ms=rest[:, ::-1].astype(np.int32),
    )


def _by_place(nodes: NDArray[np.int64], xy_m: Floats) -> NDArray[np.int64]:
    """Nodes in Morton order: neighbours on the ground are neighbours in memory, which halves the time of a search."""
    grid = ((xy_m[nodes] - xy_m[nodes].min(axis=0)) / 16).astype(np.uint64)
    code = np.zeros(len(nodes), dtype=np.uint64)
    for bit in range(20):
        for axis in (0, 1):
            code |= ((grid[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(2 * bit + axis)
    return nodes[np.argsort(code, kind="stable")]


def _reversed_arcs(edge_from: Ints, edge_to: Ints, edge_ms: Ints, edge_mm: Ints, nodes: int) -> tuple[NDArray[np.int64], Ints]:
    """Arcs against the direction of travel; an edge from a node to itself leads nowhere new and makes no arc."""
    between = edge_from != edge_to
    parts = []
    for side, leave, reach in ((0, edge_to, edge_from), (1, edge_from, edge_to)):
        open_way = between & (edge_ms[:, side] != CLOSED)
        parts.append(np.stack([leave[open_way], reach[open_way], edge_ms[open_way, side], edge_mm[open_way]]))
    leave, reach, ms, mm = np.concatenate(parts, axis=1)
    order = np.lexsort((mm, ms, reach, leave))
    start = np.concatenate([[0], np.cumsum(np.bincount(leave, minlength=nodes))]).astype(np.int64)
    return start, np.stack([reach, ms, mm], axis=1)[order].astype(np.int32)


def _components(edge_from: Ints, edge_to: Ints, edge_ms: Ints, edge_mm: Ints, nodes: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Weak component of each node, and whether the node belongs to the part of it where every place reaches every other."""
    along, against = edge_ms[:, 0] != CLOSED, edge_ms[:, 1] != CLOSED
    leave, reach = np.concatenate([edge_from[along], edge_to[against]]), np.concatenate([edge_to[along], edge_from[against]])
    graph = coo_array((np.ones(len(leave), dtype=np.int8), (leave, reach)), shape=(nodes, nodes)).tocsr()
    _, weak = connected_components(graph, directed=True, connection="weak")
    _, strong = connected_components(graph, directed=True, connection="strong")
    inside = strong[edge_from] == strong[edge_to]
    length = np.bincount(strong[edge_from[inside]], weights=edge_mm[inside] / 1e6, minlength=strong.max() + 1)
    weak_of = np.zeros(len(length), dtype=np.int64)
    weak_of[strong] = weak
    order = np.argsort(length, kind="stable")
    largest = np.zeros(weak.max() + 1, dtype=np.int64)
    largest[weak_of[order]] = order
    main = (largest[weak] == strong) & ((length[strong] >= LEAST_COMPONENT_KM) | (strong == order[-1]))
    return weak.astype(np.int32), main


def _contract(
    tail: Ints, head: Ints, along: NDArray[np.int64], against: NDArray[np.int64], mm: NDArray[np.int64], nodes: int
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints, Ints, NDArray[np.bool_]]:
    """Chains of links through nodes where nothing can be chosen become one edge each."""
    parts = _chains(tail, head, along, against, mm, nodes)
    edge_from, edge_to, edge_ms, edge_mm, link_edge, offset_ms, offset_mm, flipped = parts
    offset_ms[:, 1] = np.where(edge_ms[link_edge, 1] == CLOSED, 0, edge_ms[link_edge, 1] - offset_ms[:, 1])
    largest = np.iinfo(np.int32).max
    if len(edge_mm) and max(int(edge_ms.max()), int(edge_mm.max())) > largest:
        raise ValueError("an edge is longer than the network can hold (2,147 km)")
    return (
        edge_from.astype(np.int32),
        edge_to.astype(np.int32),
        edge_ms.astype(np.int32),
        edge_mm.astype(np.int32),
        link_edge.astype(np.int32),
        offset_ms.astype(np.int32),
        offset_mm.astype(np.int32),
        flipped,
    )


@numba.njit(cache=True)
def _chains(tail, head, along, against, mm, nodes):  # type: ignore[no-untyped-def]
    """``offset_ms[:, 0]``: from the edge's start to the link's near end, along; ``[:, 1]``: to its far end, summed against."""
    links = len(tail)
    degree = np.zeros(nodes, np.int64)
    touching = np.full((nodes, 2), -1, np.int64)
    for link in range(links):
        for node in (tail[link], head[link]):
            if degree[node] < 2:
                touching[node, degree[node]] = link
            degree[node] += 1
    through = np.zeros(nodes, np.bool_)
    for node in range(nodes):
        if degree[node] == 2:
            one, two = touching[node]
            if one != two:
                in_one = along[one] if head[one] == node else against[one]
                out_one = along[one] if tail[one] == node else against[one]
                in_two = along[two] if head[two] == node else against[two]
                out_two = along[two] if tail[two] == node else against[two]
                through[node] = (in_one > 0) == (out_two > 0) and (in_two > 0) == (out_one > 0)
    edge_from = np.empty(links, np.int64)
    edge_to = np.empty(links, np.int64)
    edge_ms = np.zeros((links, 2), np.int64)
    edge_mm = np.zeros(links, np.int64)
    link_edge = np.full(links, -1, np.int64)
    offset_ms = np.zeros((links, 2), np.int64)
    offset_mm = np.zeros(links, np.int64)
    flipped = np.zeros(links, np.bool_)
    edges = 0
    for cycles in (False, True):
        for first in range(links):
            for begin in (tail[first], head[first]):
                if link_edge[first] >= 0 or (through[begin] and not cycles):
                    continue
                node, link = begin, first
                total_along, total_against, total_mm = 0, 0, 0
                while True:
                    link_edge[link] = edges
                    flipped[link] = tail[link] != node
                    offset_ms[link, 0] = total_along
                    offset_mm[link] = total_mm
                    total_along += against[link] if flipped[link] else along[link]
                    total_against += along[link] if flipped[link] else against[link]
                    total_mm += mm[link]
                    offset_ms[link, 1] = total_against
                    node = tail[link] if flipped[link] else head[link]
                    if not through[node] or node == begin:
                        break
                    link = touching[node, 0] if touching[node, 1] == link else touching[node, 1]
                edge_from[edges], edge_to[edges] = begin, node
                edge_ms[edges, 0], edge_ms[edges, 1] = total_along, total_against
                edge_mm[edges] = total_mm
                edges += 1
    return edge_from[:edges], edge_to[:edges], edge_ms[:edges], edge_mm[:edges], link_edge, offset_ms, offset_mm, flipped
