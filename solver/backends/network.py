"""Minimum-cost flows, by OR-Tools' cost scaling."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow
from scipy import sparse
from scipy.sparse.csgraph import connected_components

Whole = NDArray[np.int64]

PART_NODES = 20_000
"""Parts of a network that meet in the sink only are solved together up to so many nodes: time grows faster than size."""


@dataclass(frozen=True)
class Network:
    """A network that is filled arc by arc; all amounts and costs are whole numbers."""

    arcs: list[tuple[Whole, Whole, Whole, Whole]] = field(default_factory=list)
    """Tail, head, capacity, cost."""

    def add(self, tail: Whole, head: Whole, capacity: Whole, cost: Whole) -> Whole:
        """Add arcs; their numbers."""
        first = sum(len(arcs[0]) for arcs in self.arcs)
        self.arcs.append((tail, head, capacity, cost))
        return np.arange(first, first + len(tail), dtype=np.int64)

    def cheapest(self, supply: Whole, sink: int, arcs: Whole) -> Whole:
        """Flow on ``arcs`` when the first nodes' ``supply`` all goes to the sink, the last node. RuntimeError when it can't."""
        tail, head, capacity, cost = (np.concatenate(columns) for columns in zip(*self.arcs, strict=True))
        self.arcs.clear()
        open_arcs = np.nonzero(capacity > 0)[0]
        part = _parts(tail[open_arcs], head[open_arcs], sink)
        open_arcs = open_arcs[np.argsort(part[tail[open_arcs]], kind="stable")]
        by_part = np.argsort(part, kind="stable")
        first = np.searchsorted(part[by_part], np.arange(part.max(initial=0) + 2))
        place = np.empty(sink, np.int64)
        place[by_part] = np.arange(sink) - first[part[by_part]]
        arc_first = np.searchsorted(part[tail[open_arcs]], np.arange(len(first)))
        given = np.zeros(sink, np.int64)
        given[: len(supply)] = supply
        flows = np.zeros(len(tail), np.int64)
        for number in range(len(first) - 1):
            mine, nodes = open_arcs[arc_first[number] : arc_first[number + 1]], by_part[first[number] : first[number + 1]]
            if not len(mine) and not given[nodes].any():
                continue
            end = len(nodes)
            to = np.where(head[mine] == sink, end, place[np.minimum(head[mine], sink - 1)])
            flow = SimpleMinCostFlow()
            numbers = flow.add_arcs_with_capacity_and_unit_cost(place[tail[mine]], to, capacity[mine], cost[mine])
            flow.set_nodes_supplies(np.arange(end + 1), np.append(given[nodes], -given[nodes].sum()))
            if (status := flow.solve()) != flow.OPTIMAL:
                raise RuntimeError(f"no flow was found: {status}")
            flows[mine] = flow.flows(numbers)
        return flows[arcs]


def _parts(tail: Whole, head: Whole, sink: int) -> Whole:
    """(nodes before the sink,) number of each node's part: what meets in the sink only lies apart."""
    within = head != sink
    links = sparse.coo_matrix((np.ones(int(within.sum()), np.int8), (tail[within], head[within])), shape=(sink, sink))
    count, label = connected_components(links, directed=False)
    size = np.bincount(label, minlength=count)
    # parts that are small go together
    batch = np.cumsum(size) // PART_NODES
    _, number = np.unique(np.where(size >= PART_NODES, len(batch) + np.arange(count), batch), return_inverse=True)
    result: Whole = number[label].astype(np.int64)
    return result
