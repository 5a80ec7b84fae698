"""OR-Tools through MathOpt: SCIP or CP-SAT for mixed-integer models, GLOP for linear programmes.

MathOpt also holds a HiGHS, which must not be used here: it crashes when PuLP is loaded in the same process.
SCIP runs on one thread whatever the limits allow. CP-SAT rounds what is not whole, so it serves for comparison only.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt
from ortools.util.python.solve_interrupter import SolveInterrupter
from scipy import sparse

from solver.backends.protocol import Limits, ModelSolution
from solver.linear_model import ModelArrays
from solver.problem import Floats
from solver.result import Termination

POLL_SECONDS = 0.2
"""How often a running solve asks whether it is interrupted."""

INTEGER_SOLVERS = {"scip": mathopt.SolverType.GSCIP, "cp-sat": mathopt.SolverType.CP_SAT}

_ENDED = {
    mathopt.TerminationReason.OPTIMAL: Termination.OPTIMAL,
    mathopt.TerminationReason.INFEASIBLE: Termination.INFEASIBLE,
    mathopt.TerminationReason.INFEASIBLE_OR_UNBOUNDED: Termination.INFEASIBLE,
    mathopt.TerminationReason.FEASIBLE: Termination.TIME_LIMIT,
    mathopt.TerminationReason.NO_SOLUTION_FOUND: Termination.TIME_LIMIT,
}


class OrtoolsBackend:
    """Mixed-integer and linear models in one call."""

    name = "ortools"

    def __init__(self, solver: str = "scip") -> None:
        self.solver = INTEGER_SOLVERS[solver]

    def build(self, model: ModelArrays) -> object:
        """The model in the library's own form, not solved: what building it takes."""
        return mathopt.Model.from_model_proto(_proto(model, integer=True))

    def solve(self, model: ModelArrays, limits: Limits, *, relax: bool = False, start: Floats | None = None) -> ModelSolution:
        """See Backend."""
        integer = bool(model.integer.any()) and not relax
        filled = mathopt.Model.from_model_proto(_proto(model, integer))
        columns = list(filled.variables())
        asked = mathopt.ModelSolveParameters()
        if start is not None and integer:
            asked.solution_hints.append(mathopt.SolutionHint(variable_values=dict(zip(columns, start.tolist(), strict=True))))
        how = mathopt.SolveParameters(time_limit=datetime.timedelta(seconds=max(limits.seconds, 0.1)), random_seed=limits.seed)
        if integer:
            how.relative_gap_tolerance = limits.gap
        if integer and self.solver is mathopt.SolverType.CP_SAT:
            how.threads = limits.threads
        with _watched(limits.interrupted) as interrupter:
            result = mathopt.solve(
                filled,
                self.solver if integer else mathopt.SolverType.GLOP,
                params=how,
                model_params=asked,
                interrupter=interrupter,
            )
        return _solution(filled, result, integer)


def _proto(model: ModelArrays, integer: bool) -> model_pb2.ModelProto:
    matrix = sparse.csr_matrix(model.matrix)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    proto = model_pb2.ModelProto()
    count, rows = len(model.cost), len(model.row_lower)
    proto.variables.ids.extend(range(count))
    proto.variables.lower_bounds.extend(model.lower)
    proto.variables.upper_bounds.extend(model.upper)
    proto.variables.integers.extend(model.integer.tolist() if integer else [False] * count)
    proto.objective.offset = model.offset
    priced = np.nonzero(model.cost)[0]
    proto.objective.linear_coefficients.ids.extend(priced)
    proto.objective.linear_coefficients.values.extend(model.cost[priced])
    proto.linear_constraints.ids.extend(range(rows))
    proto.linear_constraints.lower_bounds.extend(model.row_lower)
    proto.linear_constraints.upper_bounds.extend(model.row_upper)
    entries = proto.linear_constraint_matrix
    entries.row_ids.extend(np.repeat(np.arange(rows), np.diff(matrix.indptr)))
    entries.column_ids.extend(matrix.indices)
    entries.coefficients.extend(matrix.data)
    return proto


@contextmanager
def _watched(interrupted: Callable[[], bool] | None) -> Iterator[SolveInterrupter | None]:
    """An interrupter that a thread triggers as soon as ``interrupted`` says so."""
    if interrupted is None:
        yield None
        return
    interrupter, done = SolveInterrupter(), threading.Event()

    def watch() -> None:
        while not done.wait(POLL_SECONDS):
            if interrupted():
                interrupter.interrupt()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield interrupter
    finally:
        done.set()
        watcher.join()


def _solution(filled: mathopt.Model, result: mathopt.SolveResult, integer: bool) -> ModelSolution:
    reason, limit = result.termination.reason, result.termination.limit
    termination = _ENDED.get(reason)
    if termination is None:
        raise RuntimeError(f"OR-Tools ended with {reason.name}: {result.termination.detail}")
    if limit is mathopt.Limit.INTERRUPTED:
        termination = Termination.INTERRUPTED
    if not result.has_primal_feasible_solution():
        return ModelSolution(termination, None, np.inf, result.best_objective_bound() if integer else -np.inf)
    x = np.asarray(result.variable_values(list(filled.variables())), float)
    objective = result.objective_value()
    if integer:
        bound = min(result.best_objective_bound(), objective)
        if termination is Termination.OPTIMAL and objective - bound > 1e-6 * max(1.0, abs(objective)):
            termination = Termination.GAP_REACHED
        return ModelSolution(termination, x, objective, bound)
    optimal = termination is Termination.OPTIMAL
    duals = np.asarray(result.dual_values(list(filled.linear_constraints())), float) if result.has_dual_feasible_solution() else None
    return ModelSolution(termination, x, objective, objective if optimal else -np.inf, duals)
