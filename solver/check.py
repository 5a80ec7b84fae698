"""A second opinion on a plan and its bound, by OR-Tools and numpy alone: neither HiGHS nor compiled loops take part.

    plan    its decisions and flows held, GLOP decides all else: the plan is possible, and costs what it comes to
    flows   its decisions held, GLOP sends everybody anew along every arc: what the same options cost at least (smaller problems)
    bound   of a problem solved in one model: SCIP looks in it for any solution below the bound, and finds none
            of a decomposed problem: the same in the core with its cuts, each cut recomputed from its prices through all arcs

A bound is confirmed when SCIP proves that nothing lies below it, and refuted when SCIP finds something that does. For a decomposed
problem "refuted" says that the prices do not prove the bound, not that a cheaper plan exists.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from solver.backends import backend_named
from solver.backends.protocol import Limits
from solver.direct import PATIENCE_SECONDS, place_entrants
from solver.formulation import MONEY, Core, build_core
from solver.linear_model import ModelArrays
from solver.pricing import Arcs, Prices, all_arcs, deciding, displacement_share, flow_costs
from solver.problem import OUTSIDE, Floats, Problem
from solver.requirements import Measure
from solver.result import Decisions, Flows, Solution, Termination

FLOW_ARCS = 100_000
"""Up to so many arcs everybody is sent anew; beyond, the linear programme takes longer than the plan took."""
TOLERANCE = 1e-5
"""Share of a figure by which two solvers may differ."""
ANY_GAP = 1e9
"""The first solution found ends a search for one."""
POLL_SECONDS = 0.2
ROW_DUST = 1e-5
"""Breach of a row, in units of demand, that flows known to a millionth of a unit may bring along."""


@dataclass(frozen=True)
class Checked:
    """What the second opinion found. Costs are present values in the problem's currency; None = not known."""

    plan: float | None
    """Cost of the decisions with the flows as they are; None when they do not keep every row."""
    flows: float | None
    """Least cost of the decisions; None for problems too large, or when time was up."""
    bound: float | None
    """No solution costs less, to ``TOLERANCE``; None when nothing was proven in time."""
    bound_holds: bool | None
    """Whether the stated bound is proven; None when time was up."""
    seconds: float

    def agrees(self, cost: float) -> bool | None:
        """Whether the plan costs this and the bound holds; None when that could not be settled in time."""
        if self.plan is None or not near(self.plan, cost) or self.bound_holds is False:
            return False
        return self.bound_holds


def near(first: float, second: float) -> bool:
    """Whether two costs are the same to ``TOLERANCE``."""
    return abs(first - second) <= TOLERANCE * max(abs(first), abs(second)) + 1.0


def check_apart(problem: Problem, solution: Solution, bound: float, seconds: float, interrupted: Callable[[], bool]) -> Checked | None:
    """``check`` in a process of its own, which is ended at once when ``interrupted`` says so; None when it did not finish.

    A process of its own, since OR-Tools is not to meet other solvers' libraries, and can't be stopped fast from within.
    """
    # what the problem keeps beside its arrays is worked out anew there
    asked = (replace(problem), replace(solution, log=()), bound, seconds)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        pickle.dump(asked, given)
        given.seek(0)
        with subprocess.Popen([sys.executable, "-m", __name__], stdin=given, stdout=answer, stderr=subprocess.DEVNULL) as other:
            while other.poll() is None:
                if interrupted():
                    other.kill()
                time.sleep(POLL_SECONDS)
        answer.seek(0)
        return Checked(**pickle.load(answer)) if other.returncode == 0 else None


def check(problem: Problem, solution: Solution, bound: float, seconds: float) -> Checked:
    """Check a solution and a bound that is stated for it. ``seconds`` is a limit for each solve."""
    began = time.monotonic()
    limits = Limits(gap=ANY_GAP, seconds=seconds, threads=1)
    plan = held_cost(problem, solution.decisions, solution.flows, replace(limits, seconds=max(seconds, PATIENCE_SECONDS)))
    flows = least_cost(problem, solution.decisions, limits) if problem.arcs <= FLOW_ARCS else None
    model = core_with_cuts(problem, solution.proof) if solution.proof else _whole(problem)
    proven, holds = below(model, bound, limits)
    return Checked(plan, flows, proven, holds, time.monotonic() - began)


def held_cost(problem: Problem, decisions: Decisions, flows: Flows, limits: Limits) -> float | None:
    """Cost of decisions with flows as they are, all else at its best; None when they do not keep every row."""
    core = build_core(problem)
    arcs, amount = _with_waits(problem, flows)
    coupling = core.coupling_rows()
    flow = place_entrants(core, arcs)
    arrays = _held(core, core.model.arrays(), decisions)
    if arrays is None:
        return None
    use = arrays.matrix[:, flow] @ amount
    dust = np.zeros(len(use))
    dust[coupling] = dust[core.model.rows["entrants"]] = ROW_DUST
    others = slice(0, flow[0] if len(flow) else None)
    left = replace(
        arrays,
        cost=arrays.cost[others],
        lower=arrays.lower[others],
        upper=arrays.upper[others],
        integer=arrays.integer[others],
        matrix=arrays.matrix[:, others],
        row_lower=arrays.row_lower - use - dust,
        row_upper=arrays.row_upper - use + dust,
        offset=arrays.offset + float(arcs.cost @ amount) * MONEY,
    )
    found = backend_named("ortools").solve(left, limits, relax=True)
    return None if found.x is None else found.objective / MONEY


def least_cost(problem: Problem, decisions: Decisions, limits: Limits) -> float | None:
    """Least cost of decisions over all arcs; None when it was not found in time."""
    core = build_core(problem)
    place_entrants(core, all_arcs(problem))
    arrays = _held(core, core.model.arrays(), decisions)
    if arrays is None:
        return None
    found = backend_named("ortools").solve(arrays, limits, relax=True)
    return found.objective / MONEY if found.termination is Termination.OPTIMAL else None


def below(model: ModelArrays, bound: float, limits: Limits) -> tuple[float | None, bool | None]:
    """Look for a solution of a model that costs less than a bound: (highest bound proven, whether the stated one holds)."""
    ceiling = (bound - TOLERANCE * abs(bound)) * MONEY
    row = sparse.csr_matrix(np.atleast_2d(model.cost))
    asked = replace(
        model,
        matrix=sparse.csc_matrix(sparse.vstack([model.matrix, row])),
        row_lower=np.append(model.row_lower, -np.inf),
        row_upper=np.append(model.row_upper, ceiling - model.offset),
    )
    found = backend_named("ortools").solve(asked, limits)
    if found.termination is Termination.INFEASIBLE:
        return bound, True
    proven = found.bound / MONEY if np.isfinite(found.bound) else None
    return proven, None if found.x is None else False


def _whole(problem: Problem) -> ModelArrays:
    core = build_core(problem)
    place_entrants(core, all_arcs(problem))
    return core.model.arrays()


def core_with_cuts(problem: Problem, proof: Sequence[Prices]) -> ModelArrays:
    """The core without what couples the cells, its cost at least what any of the prices proves (Lagrangian relaxation)."""
    core = build_core(problem)
    arrays = core.model.arrays()
    kept = np.setdiff1d(np.arange(len(arrays.row_lower)), core.coupling_rows())
    slopes, constants = [], []
    for prices in proof:
        y = _row_prices(core, arrays, prices)
        right = np.where(y < 0, arrays.row_upper, np.where(y > 0, arrays.row_lower, 0.0))
        slopes.append(arrays.matrix.T @ y - arrays.cost)
        constants.append(float(y @ right) + cheapest_choices(problem, prices) * MONEY + arrays.offset)
    count, cuts = len(arrays.cost), len(proof)
    above = sparse.hstack([arrays.matrix[kept], sparse.csc_matrix((len(kept), 1))])
    matrix = sparse.vstack([above, sparse.csc_matrix(np.column_stack([np.array(slopes), np.ones(cuts)]))])
    return ModelArrays(
        cost=np.append(np.zeros(count), 1.0),
        lower=np.append(arrays.lower, -np.inf),
        upper=np.append(arrays.upper, np.inf),
        integer=np.append(arrays.integer, False),
        row_lower=np.append(arrays.row_lower[kept], constants),
        row_upper=np.append(arrays.row_upper[kept], np.full(cuts, np.inf)),
        matrix=sparse.csc_matrix(matrix),
        offset=0.0,
    )


def _row_prices(core: Core, arrays: ModelArrays, prices: Prices) -> Floats:
    """Prices as multipliers of the core's rows (in millions): negative on rows with an upper side, positive on those with a lower."""
    y = np.zeros(len(arrays.row_lower))
    for rows, multiplier in (
        (core.capacity_row, -prices.capacity),
        (core.displacement_row, prices.displacement),
        (core.limits.quota_row, -prices.quota),
        (core.limits.measure_row, -prices.measure),
    ):
        y[rows[rows >= 0]] = multiplier[rows >= 0] * MONEY
    return y


def cheapest_choices(problem: Problem, prices: Prices) -> float:
    """What all who need a place come to when each takes what is cheapest at these prices, all arcs within reach considered."""
    demand, links, pools = problem.demand, problem.links, problem.pools
    periods, total = len(problem.periods), 0.0
    worth, share = demand.stay @ problem.weight, displacement_share(problem)
    origin = np.repeat(np.arange(len(demand.origins)), np.diff(links.start))
    extra = {measure: np.zeros(len(demand.origins)) for measure in Measure}
    if problem.measures is not None:
        for measure, weight, price in zip(problem.measures.measure, problem.measures.weight, prices.measure, strict=True):
            extra[measure] += price * weight
    for c in range(len(demand.classes)):
        entrants = demand.entrants[:, c]
        needed = np.any(entrants > 0, axis=1)[origin]
        arc = np.nonzero(needed & pools.accepts[c, links.pool] & (links.minutes <= links.class_reach[c]))[0]
        z, pool, minutes = origin[arc], links.pool[arc], links.minutes[arc]
        owner, weight = demand.origin_owner[z], problem.origin_weight[z]
        yearly = links.class_factor[c] * links.cost[arc] + links.excess_cost * np.maximum(0.0, minutes - links.class_limit[c])
        yearly = weight * (yearly + pools.unit_cost[c, pool])
        yearly += extra[Measure.MINUTES][z] * minutes + extra[Measure.OUTSIDE][z] * (pools.role[pool] == OUTSIDE)
        reached, first = np.unique(z, return_index=True)
        later = np.zeros(len(demand.origins))
        for v in reversed(range(periods)):
            use, stay = demand.use[c, v], demand.stay[c, v]
            cost = worth[c, v] * yearly + (prices.capacity @ use)[pool]
            cost -= share[c, pool] * (prices.displacement[:, demand.class_family[c]] @ stay)[owner]
            if problem.quotas is not None:
                group = problem.quotas.pool_group[pool]
                charge = np.where(np.isfinite(problem.quotas.limit), prices.quota, 0.0) @ use
                cost += np.where(group >= 0, charge[owner, np.maximum(group, 0)], 0.0)
            best = problem.weight[v] * (problem.origin_weight * demand.unmet_cost[c] + extra[Measure.UNMET])
            if v + 1 < periods:
                best = best + demand.survival[c] * later
            if len(reached):
                best[reached] = np.minimum(best[reached], np.minimum.reduceat(cost, first))
            total += float(entrants[:, v] @ best)
            later = best
    return total


def _held(core: Core, arrays: ModelArrays, decisions: Decisions) -> ModelArrays | None:
    """The model with its decisions held; None when one of them is out of bounds."""
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    staged = core.stage >= 0
    columns = np.concatenate([core.start, core.modules, core.stage[staged]])
    values = np.concatenate([decisions.start, decisions.modules, decisions.stage[staged]]).astype(float)
    if (values < lower[columns]).any() or (values > upper[columns]).any():
        return None
    lower[columns] = upper[columns] = values
    return replace(arrays, lower=lower, upper=upper)


def _with_waits(problem: Problem, flows: Flows) -> tuple[Arcs, Floats]:
    """The arcs that flows use and the wait of every cell, with their amounts."""
    pools, shape = len(problem.pools.labels), problem.demand.entrants.shape
    z, c, v = np.nonzero(deciding(problem))
    waits = flows.pool == pools
    known = np.ravel_multi_index((flows.origin[waits], flows.cls[waits], flows.entry[waits]), shape)
    new = ~np.isin(np.ravel_multi_index((z, c, v), shape), known)
    none = np.zeros(int(new.sum()))
    joined = Flows(
        np.concatenate([flows.origin, z[new]]),
        np.concatenate([flows.cls, c[new]]),
        np.concatenate([flows.entry, v[new]]),
        np.concatenate([flows.pool, np.full(len(none), pools)]),
        np.concatenate([flows.amount, none]),
    )
    return Arcs(joined.origin, joined.cls, joined.entry, joined.pool, flow_costs(problem, joined)), joined.amount


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(vars(check(*pickle.load(sys.stdin.buffer)))))
