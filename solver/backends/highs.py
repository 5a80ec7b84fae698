"""HiGHS through highspy: the default backend, and the growing linear programme of the decomposition."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import highspy
import numpy as np
from scipy import sparse

from solver.backends.protocol import Limits, ModelSolution
from solver.linear_model import ModelArrays
from solver.problem import Floats, Ints
from solver.result import Abandoned, Termination

_ENDED = {
    highspy.HighsModelStatus.kOptimal: Termination.OPTIMAL,
    highspy.HighsModelStatus.kTimeLimit: Termination.TIME_LIMIT,
    highspy.HighsModelStatus.kInfeasible: Termination.INFEASIBLE,
    highspy.HighsModelStatus.kUnboundedOrInfeasible: Termination.INFEASIBLE,
    highspy.HighsModelStatus.kInterrupt: Termination.INTERRUPTED,
    highspy.HighsModelStatus.kUnknown: Termination.INTERRUPTED,  # the interior point, stopped half way or imprecise
}


class HighsBackend:
    """Mixed-integer and linear models in one call."""

    name = "highs"

    def build(self, model: ModelArrays) -> object:
        """The model in the library's own form, not solved: what building it takes."""
        highs = _engine(Limits())
        highs.passModel(_lp(model, relax=False))
        return highs

    def solve(self, model: ModelArrays, limits: Limits, *, relax: bool = False, start: Floats | None = None) -> ModelSolution:
        """See Backend."""
        highs = _engine(limits)
        highs.setOptionValue("mip_rel_gap", limits.gap)
        highs.passModel(_lp(model, relax))
        integer = bool(model.integer.any()) and not relax
        if start is not None and integer:
            solution = highspy.HighsSolution()
            solution.col_value = start.tolist()
            highs.setSolution(solution)
        if limits.interrupted is not None and integer:
            stop = limits.interrupted

            def ask(event: highspy.HighsCallbackEvent) -> None:
                if stop():
                    event.interrupt()

            highs.cbMipInterrupt.subscribe(ask)
        highs.run()
        return _solution(highs, integer, limits)


class GrowingLP:
    """A linear programme to which columns are added, re-solved from the last basis."""

    def __init__(self, model: ModelArrays, limits: Limits) -> None:
        self.highs = _engine(limits)
        self.highs.passModel(_lp(model, relax=True))
        self._patient = True
        self._patience, self._asked_at, self._abandoned = limits.patience, np.inf, False
        if limits.interrupted is not None:
            self._heed(limits.interrupted)
        self.rows = len(model.row_lower)
        self.columns = len(model.cost)

    def add_columns(self, cost: Floats, start: Ints, row: Ints, value: Floats) -> Ints:
        """Append non-negative columns given by column (``start`` has one entry more than there are columns)."""
        count = len(cost)
        if count:
            self.highs.addCols(
                count,
                cost,
                np.zeros(count),
                np.full(count, highspy.kHighsInf),
                len(row),
                start[:-1].astype(np.int32),
                row.astype(np.int32),
                value,
            )
        added = np.arange(self.columns, self.columns + count)
        self.columns += count
        return added

    def add_rows(self, row: Ints, column: Ints, value: Floats, upper: Floats) -> None:
        """Append rows of at most ``upper``, given by entries whose ``row`` counts from the first new one."""
        matrix = sparse.csr_matrix((value, (row, column)), shape=(len(upper), self.columns))
        low = np.full(len(upper), -highspy.kHighsInf)
        start, index = matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32)
        self.highs.addRows(len(upper), low, upper, matrix.nnz, start, index, matrix.data)
        self.rows += len(upper)

    def set_bounds(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """Replace the bounds of these columns."""
        self.highs.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def solve(self, seconds: float) -> ModelSolution:
        """Solve by interior point, without crossover: fast, and its central duals make good prices.

        With endless time an interrupt is heeded only when patience ends: the first solve is needed for any plan at all. Raises Abandoned.
        """
        self._patient = not np.isfinite(seconds)
        self.highs.setOptionValue("time_limit", min(1e30, self.highs.getRunTime() + max(seconds, 0.1)))
        self.highs.setOptionValue("solver", "ipm")
        self.highs.setOptionValue("run_crossover", "off")
        self._run()
        if self.highs.getInfo().primal_solution_status != 2:
            # an imprecise end leaves a basis that misleads the simplex: begin it from nothing
            self.highs.clearSolver()
            self.highs.setOptionValue("solver", "simplex")
            self._run()
        return _solution(self.highs, integer=False, limits=None)

    def reoptimise(self, seconds: float) -> ModelSolution:
        """Solve by simplex from the last basis: fast after a few new rows. Raises Abandoned."""
        self._patient = True
        self.highs.setOptionValue("solver", "simplex")
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + max(seconds, 0.1))
        self._run()
        return _solution(self.highs, integer=False, limits=None)

    def vertex(self, seconds: float) -> ModelSolution | None:
        """A basic solution of the programme just solved (few columns in use), or None when time runs out or it is interrupted."""
        self._patient = False
        self.highs.setOptionValue("run_crossover", "on")
        self.highs.setOptionValue("solver", "ipm")
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + seconds)
        self.highs.run()
        solved = _solution(self.highs, integer=False, limits=None)
        return solved if solved.termination is Termination.OPTIMAL else None

    def _run(self) -> None:
        self.highs.run()
        if self._abandoned:
            raise Abandoned

    def _heed(self, interrupted: Callable[[], bool]) -> None:
        def ask(event: highspy.HighsCallbackEvent) -> None:
            if (self._patient and self._patience == np.inf) or not interrupted():
                return
            self._asked_at = min(self._asked_at, time.monotonic())
            if self._patient and time.monotonic() - self._asked_at < self._patience:
                return
            self._abandoned = self._patient
            event.interrupt()

        self.highs.cbIpmInterrupt.subscribe(ask)
        self.highs.cbSimplexInterrupt.subscribe(ask)


_banner = {"shown": False}
_scheduler = {"threads": 0}
"""Threads of HiGHS's scheduler: one per process, which refuses to run with another number until it is reset."""


def _made() -> highspy.Highs:
    """A HiGHS object; the banner that its first construction prints is kept out of the program's output."""
    if _banner["shown"]:
        return highspy.Highs()  # type: ignore[no-untyped-call]
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        highs = highspy.Highs()  # type: ignore[no-untyped-call]
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
    _banner["shown"] = True
    return highs


def _engine(limits: Limits) -> highspy.Highs:
    """Solves that run at the same time in one process must agree on their threads."""
    highs = _made()
    highs.setOptionValue("output_flag", False)
    if _scheduler["threads"] != limits.threads:
        highs.resetGlobalScheduler(True)
        _scheduler["threads"] = limits.threads
    highs.setOptionValue("threads", limits.threads)
    highs.setOptionValue("random_seed", limits.seed)
    highs.setOptionValue("time_limit", max(limits.seconds, 0.1))
    return highs


def _lp(model: ModelArrays, relax: bool) -> highspy.HighsLp:
    matrix: sparse.csc_matrix = model.matrix
    matrix.sum_duplicates()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(model.cost), len(model.row_lower)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = model.cost, model.lower, model.upper
    lp.row_lower_, lp.row_upper_ = model.row_lower, model.row_upper
    lp.offset_ = model.offset
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    if model.integer.any() and not relax:
        kinds = highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger
        lp.integrality_ = [kinds[whole] for whole in model.integer.tolist()]
    return lp


def _solution(highs: highspy.Highs, integer: bool, limits: Limits | None) -> ModelSolution:
    status = highs.getModelStatus()
    info = highs.getInfo()
    termination = _ENDED.get(status)
    if termination is None:
        raise RuntimeError(f"HiGHS ended with {highs.modelStatusToString(status)}")
    found = info.primal_solution_status == 2
    solution = highs.getSolution()
    x = np.asarray(solution.col_value, float) if found else None
    objective = info.objective_function_value if found else np.inf
    if integer:
        bound = info.mip_dual_bound
        if termination is Termination.OPTIMAL and limits is not None and objective - bound > 1e-6 * max(1.0, abs(objective)):
            termination = Termination.GAP_REACHED
        return ModelSolution(termination, x, objective, bound)
    optimal = termination is Termination.OPTIMAL
    duals = np.asarray(solution.row_dual, float) if info.dual_solution_status == 2 else None
    return ModelSolution(termination, x, objective, objective if optimal else -np.inf, duals)
