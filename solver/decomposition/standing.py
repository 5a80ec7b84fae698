"""A plan of a large problem as it stands: the core's columns, the flows, and what the flows add to the core's rows.

Every row and bound of the whole model can be checked on it at any time, and its cost is the model's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.direct import place_entrants
from solver.formulation import MONEY, Core, build_core
from solver.linear_model import LinearModel, ModelArrays
from solver.pricing import Arcs, deciding, flow_costs
from solver.problem import Bools, Floats, Ints, Problem
from solver.result import Decisions, Flows

ROW_DUST = np.array([[1e-6], [3e-6], [9e-6]])
"""Breach of a row that flows known to a millionth of a unit may bring along; the larger ones only after many parts were solved in turn."""
HIGHS_DUST = 1e-7
"""By how much HiGHS takes a row for kept."""
BREACH = 100.0
"""Cost, in millions, of one user whom displacement asks for in vain: no plan is left so."""
MONEY_COLUMNS = ("payment", "carried", "returned", "transfer")


@dataclass(frozen=True)
class Standing:
    """A plan. Money in millions."""

    x: Floats
    """(columns of the core,)"""
    flows: Flows
    use: Floats
    """(rows of the core,) what the flows add."""
    flow_cost: float


class Ground:
    """What all plans of one problem have in common."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.core: Core = build_core(problem)
        self.arrays: ModelArrays = self.core.model.arrays()
        self.rows, self.columns = self.core.model.row_count, self.core.model.column_count
        self.by_row = sparse.csr_matrix(self.arrays.matrix)

    def upper(self, plan: Standing) -> float:
        """Cost of a plan in millions."""
        return float(self.arrays.cost @ plan.x) + self.arrays.offset + plan.flow_cost

    def breach(self, plan: Standing) -> float:
        """Largest breach of any row or bound."""
        activity = self.arrays.matrix @ plan.x + plan.use
        rows = np.maximum(self.arrays.row_lower - activity, activity - self.arrays.row_upper)
        columns = np.maximum(self.arrays.lower - plan.x, plan.x - self.arrays.upper)
        return float(max(rows.max(initial=0.0), columns.max(initial=0.0)))

    def short(self, plan: Standing) -> Ints:
        """Rows of displacement that have less than they ask for, by more than what HiGHS calls kept."""
        rows = self.core.displacement_row[self.core.displacement_row >= 0]
        found: Ints = rows[(self.by_row[rows] @ plan.x + plan.use[rows]) < self.arrays.row_lower[rows] - ROW_DUST.max() - HIGHS_DUST]
        return found

    def standing(self, x: Floats, flows: Flows, flow_cost: float | None = None) -> Standing:
        """A plan from its columns and flows. ValueError when a flow has no arc, unless their whole cost (in millions) is given."""
        flows = self._with_waits(flows)
        cost = flow_costs(self.problem, flows) if flow_cost is None else np.zeros(len(flows.origin))
        matrix, _ = self.entries(Arcs(flows.origin, flows.cls, flows.entry, flows.pool, cost))
        total = float(cost @ flows.amount) * MONEY if flow_cost is None else flow_cost
        return Standing(x, flows, matrix[: self.rows] @ flows.amount, total)

    def _with_waits(self, flows: Flows) -> Flows:
        """The flows with a row, be it 0, for the wait of every cell."""
        pools = len(self.problem.pools.labels)
        z, c, v = np.nonzero(deciding(self.problem))
        shape = self.problem.demand.entrants.shape
        waits = flows.pool == pools
        known = np.ravel_multi_index((flows.origin[waits], flows.cls[waits], flows.entry[waits]), shape)
        new = ~np.isin(np.ravel_multi_index((z, c, v), shape), known)
        return Flows(
            np.concatenate([flows.origin, z[new]]),
            np.concatenate([flows.cls, c[new]]),
            np.concatenate([flows.entry, v[new]]),
            np.concatenate([flows.pool, np.full(int(new.sum()), pools)]),
            np.concatenate([flows.amount, np.zeros(int(new.sum()))]),
        )

    def settled(
        self, decisions: Decisions, flows: Flows, limits: Limits, flow_cost: float | None = None, *, bending: bool = False
    ) -> Standing | None:
        """A plan from decisions and flows, all else at its best; None when they do not go together. ``flow_cost`` as of ``standing``.

        ``bending`` lets displacement have less than it asks for, where nothing else is wrong: to be mended (see ``Part``).
        """
        blank = self.standing(np.zeros(self.columns), flows, flow_cost)
        lower, upper = self.arrays.lower.copy(), self.arrays.upper.copy()
        columns, values = self.decision_values(decisions)
        lower[columns] = upper[columns] = values
        # money and the like have no flows, and no slack: a pound too much would be found
        touched = np.isin(np.arange(self.rows), self.core.coupling_rows())
        for dust in ROW_DUST * touched[None, :]:
            left = replace(
                self.arrays,
                lower=lower,
                upper=upper,
                row_lower=self.arrays.row_lower - blank.use - dust,
                row_upper=self.arrays.row_upper - blank.use + dust,
            )
            solved = HighsBackend().solve(left, limits, relax=True)
            if solved.x is not None:
                return replace(blank, x=solved.x)
        return self._bent(left, blank, limits) if bending else None

    def _bent(self, left: ModelArrays, blank: Standing, limits: Limits) -> Standing | None:
        """As little short of what displacement asks for as can be."""
        rows = self.core.displacement_row[self.core.displacement_row >= 0]
        count = len(rows)
        short = sparse.csc_matrix((np.ones(count), (rows, np.arange(count))), shape=(self.rows, count))
        bent = replace(
            left,
            cost=np.append(left.cost, np.full(count, BREACH)),
            lower=np.append(left.lower, np.zeros(count)),
            upper=np.append(left.upper, np.full(count, np.inf)),
            integer=np.append(left.integer, np.zeros(count, np.bool_)),
            matrix=sparse.csc_matrix(sparse.hstack([left.matrix, short])),
        )
        solved = HighsBackend().solve(bent, limits, relax=True)
        return None if solved.x is None else replace(blank, x=solved.x[: self.columns])

    def nowhere(self) -> Flows:
        """Nobody is placed: all who enter wait to the end."""
        demand = self.problem.demand
        amount = demand.entrants.copy()
        for v in range(1, amount.shape[2]):
            amount[:, :, v] += amount[:, :, v - 1] * demand.survival
        origin, cls, entry = np.nonzero(deciding(self.problem))
        return Flows(origin, cls, entry, np.full(len(origin), len(self.problem.pools.labels)), amount[origin, cls, entry])

    def entries(self, arcs: Arcs) -> tuple[sparse.csc_matrix, ModelArrays]:
        """Entries of arcs in the core's rows and, below, in rows of their own, one for each cell. Each cell has its wait."""
        model = LinearModel(row_count=self.rows, row_lower=[np.zeros(self.rows)], row_upper=[np.zeros(self.rows)])
        place_entrants(replace(self.core, model=model), arcs)
        arrays = model.arrays()
        return arrays.matrix, arrays

    def decisions(self, plan: Standing) -> Decisions:
        """The whole decisions of a plan."""
        whole = np.round(plan.x).astype(np.int64)
        stage = self.core.stage
        return Decisions(whole[self.core.start], whole[self.core.modules], np.where(stage >= 0, whole[np.maximum(stage, 0)], 0))

    def decision_values(self, decisions: Decisions) -> tuple[Ints, Floats]:
        """Columns of the decisions and their values."""
        staged = self.core.stage >= 0
        columns = np.concatenate([self.core.start, self.core.modules, self.core.stage[staged]])
        return columns, np.concatenate([decisions.start, decisions.modules, decisions.stage[staged]]).astype(float)

    @cached_property
    def decision_owner(self) -> Ints:
        """(columns,) owner of each decision column; -1 for the others."""
        options, core = self.problem.options, self.core
        owner = options.owner[options.start_option]
        staged = core.stage >= 0
        result = np.full(self.columns, -1)
        result[core.start], result[core.modules], result[core.stage[staged]] = owner, owner, owner[staged]
        return result

    @cached_property
    def purses(self) -> tuple[Bools, Ints, Ints]:
        """Which columns are money, and the purse of each column and row: what money links has one number."""
        is_money = np.zeros(self.columns, np.bool_)
        for name in MONEY_COLUMNS:
            is_money[self.core.model.columns.get(name, slice(0, 0))] = True
        pattern = abs(self.arrays.matrix) @ sparse.diags(is_money.astype(float))
        _, label = connected_components(sparse.bmat([[None, pattern], [pattern.T, None]]), directed=False)
        return is_money, label[self.rows :].astype(np.int64), label[: self.rows].astype(np.int64)
