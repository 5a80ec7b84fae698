"""The model without flows: every family in turn, on a sparse linear model.

The core holds every decision except who goes where: starts, sizes and stages of options, overflow,
latent users, payments. Who goes where enters as columns of the ``capacity``, ``displacement``, ``quota`` and
``measure`` rows: all arcs of a small problem, or blocks of cells in the decomposition (see ``decomposition``).

Money is scaled to millions inside the model so that rows of pupils and of money are of like size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.families import money, options, places
from solver.families.limits import LimitRows, limit_rows
from solver.families.options import MONEY
from solver.linear_model import LinearModel
from solver.problem import Floats, Ints, Problem
from solver.result import Beside, Decisions

__all__ = ["MONEY", "Core", "beside_flows", "build_core"]


@dataclass(frozen=True)
class Core:
    """The model without flows, and where its variables are."""

    problem: Problem
    model: LinearModel
    start: Ints
    """(K,) 1 when an option starts at k: first opening."""
    modules: Ints
    """(K,) modules opened by a start or stage."""
    stage: Ints
    """(K,) 1 when a later stage starts at k; -1 where options open at once."""
    places: places.PlaceColumns
    money: money.MoneyColumns
    limits: LimitRows
    capacity_row: Ints
    """(P, T)"""
    displacement_row: Ints
    """(L, H, T) row or -1 where the limit can't bind."""

    def coupling_rows(self) -> Ints:
        """Rows that flows enter."""
        rows = [self.capacity_row, self.displacement_row, self.limits.quota_row, self.limits.measure_row]
        joined: Ints = np.concatenate([row.ravel() for row in rows])
        return joined[joined >= 0]


def build_core(problem: Problem) -> Core:
    """All families but the flows."""
    model = LinearModel(offset=problem.constant * MONEY)
    start, modules, stage = options.decision_columns(problem, model)
    beside = places.place_columns(problem, model)
    paid = money.money_columns(problem, model)
    options.start_once(problem, model, start)
    options.module_sizes(problem, model, start, modules, stage)
    options.stages_after_start(problem, model, start, stage)
    options.exclusive_groups(problem, model, start)
    options.prerequisites(problem, model, start)
    options.pins(problem, model, start, modules)
    options.bundles(problem, model, start)
    options.crews(problem, model, start)
    capacity_row = places.capacity(problem, model, start, modules, beside)
    places.overflow_after_removal(problem, model, start, beside.overflow)
    displacement_row = places.displacement(problem, model, beside.latent)
    places.latent_limits(problem, model, modules, beside.latent)
    places.least_use(problem, model, start, modules, beside)
    money.spending(problem, model, start, modules, stage, paid.payment)
    money.fund_balance(problem, model, start, paid)
    money.purse_ceilings(problem, model, start, modules, stage)
    money.least_shares(problem, model, paid.payment)
    limits = limit_rows(problem, model)
    return Core(problem, model, start, modules, stage, beside, paid, limits, capacity_row, displacement_row)


def beside_flows(core: Core, x: Floats | None) -> Beside:
    """What a solution of the model decides beside options and flows; None = nothing."""

    def values(columns: Ints) -> Floats:
        if x is None:
            return np.zeros(columns.shape)
        return np.where(columns >= 0, np.maximum(0.0, x[np.maximum(columns, 0)]), 0.0)

    return Beside(
        overflow=values(core.places.overflow),
        latent=values(core.places.latent),
        shortfall=values(core.places.shortfall),
        payment=values(core.money.payment) / MONEY,
        carried=values(core.money.carried) / MONEY,
        transfer=values(core.money.transfer) / MONEY,
        over_quota=values(core.limits.over_quota),
        over_measure=values(core.limits.over_measure),
    )


def option_part(problem: Problem, decisions: Decisions) -> float:
    """Present value of building what these decisions build."""
    options = problem.options
    return float(decisions.start @ options.fixed_cost + decisions.modules @ options.module_cost + decisions.stage @ options.stage_cost)
