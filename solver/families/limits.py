"""What flows are held to: quotas of places and limits on sums. Flows are added later; a breach has its cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.families.options import MONEY
from solver.linear_model import LinearModel
from solver.problem import Ints, Problem


@dataclass(frozen=True)
class LimitRows:
    """Rows of the limits on flows and the columns of their breaches."""

    quota_row: Ints
    """(L, groups, T) row or -1 where there is no limit."""
    over_quota: Ints
    measure_row: Ints
    """(R,)"""
    over_measure: Ints


def limit_rows(problem: Problem, model: LinearModel) -> LimitRows:
    """All of them."""
    return LimitRows(*quotas(problem, model), *measures(problem, model))


def quotas(problem: Problem, model: LinearModel) -> tuple[Ints, Ints]:
    """Places that owner l's users take in a group of pools in period t <= limit + breach."""
    if problem.quotas is None:
        nothing = np.zeros((0, 0, len(problem.periods)), np.int64)
        return nothing, nothing
    limit = problem.quotas.limit
    limited = np.isfinite(limit)
    rows, over = np.full(limit.shape, -1), np.full(limit.shape, -1)
    rows[limited] = model.add_rows("quota", int(limited.sum()), upper=limit[limited])
    weight = np.broadcast_to(problem.owner_weight[:, None, None] * problem.weight, limit.shape)
    over[limited] = model.add_columns("over_quota", int(limited.sum()), cost=problem.quotas.breach_cost * weight[limited] * MONEY)
    model.add_entries(rows[limited], over[limited], -1.0)
    return rows, over


def measures(problem: Problem, model: LinearModel) -> tuple[Ints, Ints]:
    """Sum over flows of weight[r, z] x measure, each year by its weight in the objective, <= limit[r] + breach."""
    if problem.measures is None:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    rows = model.add_rows("measure", len(problem.measures.labels), upper=problem.measures.limit)
    over = model.add_columns("over_measure", len(rows), cost=problem.measures.breach_cost * MONEY)
    model.add_entries(rows, over, -1.0)
    return rows, over
