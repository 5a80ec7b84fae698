"""Small problems as one mixed-integer model that holds every arc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from solver.backends.protocol import Backend, Limits, ModelSolution
from solver.decomposition.master import no_decisions
from solver.formulation import MONEY, Core, beside_flows, build_core
from solver.linear_model import ModelArrays
from solver.pricing import Arcs, all_arcs, displacement_share, flow_measures
from solver.problem import Ints, Problem
from solver.result import Decisions, Flows, Solution, Termination

PATIENCE_SECONDS = 120.0
"""Least time for a linear programme without which there is no plan or no bound."""


def solve_direct(
    problem: Problem,
    backend: Backend,
    limits: Limits,
    *,
    fixed: Decisions | None = None,
    candidates: Sequence[Decisions] = (),
) -> Solution:
    """Solve with every arc in one model, from the best of ``candidates``. ``fixed`` holds the options.

    When time is up before any plan or bound is found, the plan is to build only what is committed, the bound that of the relaxation.
    """
    core = build_core(problem)
    arcs = all_arcs(problem)
    flow = place_entrants(core, arcs)
    arrays = core.model.arrays()
    if fixed is not None:
        arrays = _held(core, arrays, fixed)
    held = [_solve_held(core, arrays, backend, limits, known) for known in candidates] if fixed is None else []
    known = min((one for one in held if one.x is not None), key=lambda one: one.objective, default=None)
    found = backend.solve(arrays, limits, start=None if known is None else known.x)
    bound = found.bound
    if bound == -np.inf or found.x is None:
        bound = backend.solve(arrays, _patient(limits), relax=True).bound
    solved = found
    if found.x is None and found.termination is not Termination.INFEASIBLE:
        solved = known or _solve_held(core, arrays, backend, limits, fixed or no_decisions(problem))
    elif known is not None and known.objective < found.objective:
        solved = known
    if solved.x is None:
        return _nothing(problem, found.termination)
    x = solved.x
    whole = np.round(x).astype(np.int64)
    decisions = Decisions(whole[core.start], whole[core.modules], np.where(core.stage >= 0, whole[np.maximum(core.stage, 0)], 0))
    flows_alone = _solve_held(core, arrays, backend, limits, decisions)
    duals = np.zeros(len(arrays.row_lower)) if flows_alone.row_dual is None else flows_alone.row_dual
    amount = x[flow]
    used = amount > 1e-9
    return Solution(
        termination=found.termination,
        upper=solved.objective / MONEY,
        lower=min(bound, solved.objective) / MONEY,
        decisions=decisions,
        flows=Flows(arcs.origin[used], arcs.cls[used], arcs.entry[used], arcs.pool[used], amount[used]),
        beside=beside_flows(core, x),
        capacity_price=np.maximum(0.0, -duals[core.capacity_row]) / MONEY,
    )


def place_entrants(core: Core, arcs: Arcs) -> Ints:
    """Those who are there go somewhere or wait: sum over pools of flow + wait = entrants + survival x wait of the period before.

    Flows take places while they stay.
    """
    problem, model = core.problem, core.model
    demand, pools = problem.demand, len(problem.pools.labels)
    flow = model.add_columns("flow", len(arcs.origin), cost=arcs.cost * MONEY)
    key = np.ravel_multi_index((arcs.origin, arcs.cls, arcs.entry), demand.entrants.shape)
    cells, position = np.unique(key, return_inverse=True)
    amount = demand.entrants.ravel()[cells]
    rows = model.add_rows("entrants", len(cells), lower=amount, upper=amount)
    model.add_entries(rows[position], flow, 1.0)
    goes_on = np.nonzero((arcs.pool == pools) & (arcs.entry + 1 < len(problem.periods)))[0]
    model.add_entries(rows[position[goes_on] + 1], flow[goes_on], -demand.survival[arcs.cls[goes_on]])
    placed = np.nonzero(arcs.pool < pools)[0]
    use = demand.use[arcs.cls[placed], arcs.entry[placed]]
    model.add_entries(core.capacity_row[arcs.pool[placed]], flow[placed, None], use)
    stay = demand.stay[arcs.cls[placed], arcs.entry[placed]]
    share = displacement_share(problem)[arcs.cls[placed], arcs.pool[placed]]
    row = core.displacement_row[demand.origin_owner[arcs.origin[placed]], demand.class_family[arcs.cls[placed]]]
    arc, period = np.nonzero((row >= 0) & (share > 0)[:, None] & (stay > 0))
    model.add_entries(row[arc, period], flow[placed[arc]], (share[:, None] * stay)[arc, period])
    if problem.quotas is not None:
        group = problem.quotas.pool_group[arcs.pool[placed]]
        row = np.where((group >= 0)[:, None], core.limits.quota_row[demand.origin_owner[arcs.origin[placed]], group], -1)
        arc, period = np.nonzero((row >= 0) & (use > 0))
        model.add_entries(row[arc, period], flow[placed[arc]], use[arc, period])
    if problem.measures is not None:
        each = flow_measures(problem, Flows(arcs.origin, arcs.cls, arcs.entry, arcs.pool, np.ones(len(flow))))
        model.add_entries(core.limits.measure_row[:, None], flow, each)
    return flow


def _held(core: Core, arrays: ModelArrays, fixed: Decisions) -> ModelArrays:
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    staged = core.stage >= 0
    columns = np.concatenate([core.start, core.modules, core.stage[staged]])
    lower[columns] = upper[columns] = np.concatenate([fixed.start, fixed.modules, fixed.stage[staged]])
    return replace(arrays, lower=lower, upper=upper)


def _solve_held(core: Core, arrays: ModelArrays, backend: Backend, limits: Limits, decisions: Decisions) -> ModelSolution:
    """The flows of held options: a linear programme, quick, and needed even when time is up."""
    return backend.solve(_held(core, arrays, decisions), _patient(limits), relax=True)


def _patient(limits: Limits) -> Limits:
    return replace(limits, seconds=max(limits.seconds, PATIENCE_SECONDS), interrupted=None)


def _nothing(problem: Problem, termination: Termination) -> Solution:
    starts = np.zeros(len(problem.options.start_option), np.int64)
    none = np.zeros(0, np.int64)
    return Solution(
        termination, np.inf, -np.inf, Decisions(starts, starts, starts), Flows(none, none, none, none, np.zeros(0)),
        beside_flows(build_core(problem), None), np.zeros_like(problem.pools.capacity),
    )  # fmt: skip
