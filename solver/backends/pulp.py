"""PuLP: CBC, which it brings along, or any other solver that PuLP knows, and LP or MPS files for the rest."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pulp
from scipy import sparse

from solver.backends.protocol import Limits, ModelSolution
from solver.linear_model import ModelArrays
from solver.problem import Floats
from solver.result import Termination

SOLVER_VARIABLE = "SUFFICIENCY_PULP_SOLVER"
"""Environment variable that names the solver, as in ``pulp.listSolvers()``."""
CBC = "PULP_CBC_CMD"
SMALLEST_GAIN = 1e-9
"""CBC takes a new solution only when it is so much better (its own 1e-5 is ten pounds where costs are in millions)."""
SPOILT = "Postprocessed model is infeasible"


class PulpBackend:
    """Mixed-integer and linear models through PuLP.

    ``solver_name`` is one of ``pulp.listSolvers()``; without it the environment variable SUFFICIENCY_PULP_SOLVER
    decides, and without that CBC. ValueError when the solver is not there. PuLP starts CBC as a separate program
    that only its time limit ends early: ``Limits.interrupted`` is asked before it starts. ``time_mode`` says whether
    CBC counts elapsed seconds or those of the processor (``cpu``).
    """

    name = "pulp"

    def __init__(self, solver_name: str | None = None, time_mode: str = "elapsed") -> None:
        self.time_mode = time_mode
        self.solver_name = solver_name or os.environ.get(SOLVER_VARIABLE) or CBC
        available = pulp.listSolvers(onlyAvailable=True)
        if self.solver_name not in available:
            raise ValueError(f"PuLP has no solver {self.solver_name!r} here; there are {', '.join(available)}")

    def build(self, model: ModelArrays) -> object:
        """The model in the library's own form, not solved: what building it takes."""
        return _filled(model, integer=True)

    def solve(self, model: ModelArrays, limits: Limits, *, relax: bool = False, start: Floats | None = None) -> ModelSolution:
        """See Backend."""
        integer = bool(model.integer.any()) and not relax
        if limits.interrupted is not None and limits.interrupted():
            return ModelSolution(Termination.INTERRUPTED, None, np.inf, -np.inf)
        problem, columns, rows = _filled(model, integer)
        warm = start is not None and integer
        if start is not None and warm:
            for column, value in zip(columns, start.tolist(), strict=True):
                column.setInitialValue(value, check=False)
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "solver.log"
            problem.solve(self._engine(limits, integer, warm, log))
            text = log.read_text() if log.exists() else ""
        return _solution(model, problem, columns, rows, limits, integer, text)

    def _engine(self, limits: Limits, integer: bool, warm: bool, log: Path) -> pulp.LpSolver:
        seconds = max(limits.seconds, 0.1)
        if self.solver_name != CBC:
            return pulp.getSolver(self.solver_name, msg=False, mip=integer, timeLimit=seconds, gapRel=limits.gap)
        options = [f"randomSeed {limits.seed}", f"randomCbcSeed {limits.seed}", f"increment {SMALLEST_GAIN}"]
        return pulp.getSolver(
            CBC, msg=False, mip=integer, timeLimit=seconds, gapRel=limits.gap, threads=limits.threads, warmStart=warm, options=options,
            logPath=str(log), timeMode=self.time_mode,
        )  # fmt: skip


def write_model(model: ModelArrays, path: Path) -> None:
    """Write the model for another solver: ``.lp`` or ``.mps`` by the file's ending. ValueError for any other.

    Neither format has an offset that every solver reads: it becomes the cost of the column ``offset``, fixed at 1.
    """
    problem, _, _ = _filled(model, integer=True)
    problem.setObjective(problem.objective + model.offset * problem.add_variable("offset", 1.0, 1.0))
    if path.suffix == ".lp":
        problem.writeLP(str(path))
    elif path.suffix == ".mps":
        problem.writeMPS(str(path))
    else:
        raise ValueError(f"{path.name}: the ending must be .lp or .mps")


def _filled(model: ModelArrays, integer: bool) -> tuple[pulp.LpProblem, list[pulp.LpVariable], list[list[pulp.LpConstraint]]]:
    """The model in PuLP without its offset, its columns, and each row's constraints (two for a range)."""
    problem = pulp.LpProblem("model", pulp.LpMinimize)
    whole = model.integer if integer else np.zeros_like(model.integer)
    columns = [
        problem.add_variable(f"x{number}", _finite(low), _finite(high), pulp.LpInteger if kind else pulp.LpContinuous)
        for number, (low, high, kind) in enumerate(zip(model.lower.tolist(), model.upper.tolist(), whole.tolist(), strict=True))
    ]
    problem.setObjective(pulp.LpAffineExpression(zip(columns, model.cost.tolist(), strict=True)))
    matrix = sparse.csr_matrix(model.matrix)
    matrix.sum_duplicates()
    rows: list[list[pulp.LpConstraint]] = []
    for row, (low, high) in enumerate(zip(model.row_lower.tolist(), model.row_upper.tolist(), strict=True)):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        terms = list(zip((columns[j] for j in matrix.indices[part].tolist()), matrix.data[part].tolist(), strict=True))
        sides = (
            [("equal", pulp.LpConstraintEQ, low)]
            if low == high
            else [("least", pulp.LpConstraintGE, low), ("most", pulp.LpConstraintLE, high)]
        )
        constraints = [
            pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, f"r{row}_{side}", right)
            for side, sense, right in sides
            if np.isfinite(right)
        ]
        for constraint in constraints:
            problem.addConstraint(constraint)
        rows.append(constraints)
    return problem, columns, rows


def _finite(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def _solution(
    model: ModelArrays,
    problem: pulp.LpProblem,
    columns: list[pulp.LpVariable],
    rows: list[list[pulp.LpConstraint]],
    limits: Limits,
    integer: bool,
    log: str,
) -> ModelSolution:
    if problem.status in (pulp.LpStatusInfeasible, pulp.LpStatusUndefined):
        return ModelSolution(Termination.INFEASIBLE, None, np.inf, np.inf)
    if problem.status == pulp.LpStatusUnbounded:
        raise RuntimeError("PuLP ended with an unbounded model")
    broken = SPOILT in log  # CBC had a plan and lost it when it undid its preprocessing: what it wrote keeps no row
    if broken or problem.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        return ModelSolution(Termination.TIME_LIMIT, None, np.inf, _logged_bound(model, log))
    x = np.array([column.varValue if column.varValue is not None else 0.0 for column in columns])
    objective = float(model.cost @ x) + model.offset
    stopped = problem.sol_status == pulp.LpSolutionIntegerFeasible or "Stopped on time" in log
    if not integer:
        if stopped:
            return ModelSolution(Termination.TIME_LIMIT, x, objective, -np.inf)
        duals = np.array([sum(constraint.pi or 0.0 for constraint in constraints) for constraints in rows])
        return ModelSolution(Termination.OPTIMAL, x, objective, objective, duals)
    bound = _logged_bound(model, log)
    if "Result - Optimal solution found\n" in log:
        bound = objective
    elif not stopped:  # within the gap, which CBC measures without the offset
        bound = max(bound, objective - limits.gap * abs(objective - model.offset))
    bound = min(bound, objective)
    if stopped:
        return ModelSolution(Termination.TIME_LIMIT, x, objective, bound)
    proved = objective - bound <= 1e-6 * max(1.0, abs(objective))
    return ModelSolution(Termination.OPTIMAL if proved else Termination.GAP_REACHED, x, objective, bound)


def _logged_bound(model: ModelArrays, log: str) -> float:
    """Bound at the end of CBC's log, less what its rounding may have added; minus infinity when there is none."""
    found = re.findall(r"^Lower bound:\s+(-?\d+\.(\d+))$", log, re.MULTILINE)
    return float(found[-1][0]) - 0.5 * 10.0 ** -len(found[-1][1]) + model.offset if found else -np.inf
