"""Minimum-cost flows, by OR-Tools' cost scaling."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """A network that is filled arc by arc; all amounts and costs are whole numbers."""

    flow: SimpleMinCostFlow = field(default_factory=SimpleMinCostFlow)

    def add(self, tail: Whole, head: Whole, capacity: Whole, cost: Whole) -> Whole:
        """Add arcs; their numbers."""
        arcs: Whole = self.flow.add_arcs_with_capacity_and_unit_cost(tail, head, capacity, cost)
        return arcs

    def cheapest(self, supply: Whole, sink: int, arcs: Whole) -> Whole:
        """Flow on ``arcs`` when the first nodes' ``supply`` all goes to the sink. RuntimeError when it can't."""
        self.flow.set_nodes_supplies(np.append(np.arange(len(supply)), sink), np.append(supply, -supply.sum()))
        status = self.flow.solve()
        if status != self.flow.OPTIMAL:
            raise RuntimeError(f"no flow was found: {status}")
        flows: Whole = self.flow.flows(arcs)
        return flows
