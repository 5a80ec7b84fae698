"""solve(): the one public entry. It chooses by size and always returns a plan with its bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba

from solver.backends import backend_named
from solver.backends.protocol import Limits
from solver.decomposition.large import decompose_large
from solver.decomposition.neighbourhoods import Run, run_here
from solver.decomposition.search import Budget, decompose
from solver.direct import solve_direct
from solver.problem import Problem
from solver.result import Decisions, Flows, Progress, Solution

DIRECT_ARCS = 40_000
"""Up to so many arcs one model holds everything."""
BLOCK_ARCS = 150_000_000
"""Up to so many arcs the cells are decomposed in blocks; beyond, a plan is improved part by part."""


def _never() -> bool:
    return False


def _silent(progress: Progress) -> None:
    del progress


@dataclass(frozen=True)
class SolveOptions:
    """How to solve."""

    gap: float = 0.01
    """Relative gap of cost at which to stop."""
    seconds: float = 600.0
    threads: int = 2
    seed: int = 1
    backend: str = "highs"
    """Solver of small problems: highs, ortools or pulp. Large ones are decomposed with HiGHS."""
    direct_arcs: int = DIRECT_ARCS
    block_arcs: int = BLOCK_ARCS
    strong_share: float = 0.0
    """Share of the time that a small problem not yet solved spends on a bound for large fixed costs."""
    interrupted: Callable[[], bool] = _never
    """Asked now and then; True stops with the best plan so far."""
    report: Callable[[Progress], None] = _silent
    run: Run = run_here
    """How the parts of a very large problem are solved: here, or on ``solver.machines``."""


def solve(
    problem: Problem,
    options: SolveOptions | None = None,
    *,
    known_flows: Sequence[Flows] = (),
    candidates: Sequence[Decisions] = (),
    fixed: Decisions | None = None,
    start: Solution | None = None,
) -> Solution:
    """Minimise the problem's cost.

    ``known_flows``: flows that stay feasible whatever is built (those of the counterfactual).
    ``candidates``: options of earlier plans, a warm start. ``fixed`` holds every option. ``start``: an earlier solution,
    of this problem or of one like it.
    """
    how = options or SolveOptions()
    if problem.arcs <= how.direct_arcs:
        limits = Limits(how.gap, how.seconds, how.threads, how.seed, how.interrupted)
        return solve_direct(problem, backend_named(how.backend), limits, fixed=fixed, candidates=candidates, strong_share=how.strong_share)
    numba.set_num_threads(min(how.threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    budget = Budget(how.gap, how.seconds, how.threads, how.seed, how.interrupted, how.report)
    if problem.arcs > how.block_arcs:
        return decompose_large(problem, budget, known_flows=known_flows, candidates=candidates, fixed=fixed, start=start, run=how.run)
    if start is not None:
        candidates = [start.decisions, *candidates]
    return decompose(problem, budget, known_flows=known_flows, candidates=candidates, fixed=fixed)
