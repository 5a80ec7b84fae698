"""solve(): the one public entry. It chooses by size and always returns a plan with its bound."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numba

from solver.backends import backend_named
from solver.backends.protocol import Limits
from solver.decomposition.explore import other_options
from solver.decomposition.large import decompose_large
from solver.decomposition.search import Budget, NoPlanError, decompose
from solver.decomposition.tasks import Run, run_here
from solver.direct import solve_direct
from solver.facility.search import solve_facility
from solver.facility.shape import facility_of
from solver.known import NOTHING, Known
from solver.problem import Problem
from solver.result import Abandoned, Decisions, Flows, Progress, Solution, Termination

DIRECT_ARCS = 40_000
"""Up to so many arcs one model holds everything."""
BLOCK_ARCS = 150_000_000
"""Up to so many arcs the cells are decomposed in blocks; beyond, a plan is improved part by part."""

DIRECT_SHARE = 0.3
"""Share of the time for one model, where that is not enough."""

LEAST_SECONDS = 10.0
"""With less time left a stalled search ends."""
LOOKING = 0.6
"""Share of the time left in which better options are looked for; the rest is for their true cost."""
FOUND = ("upper", "decisions", "flows", "beside", "capacity_price")


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
    interrupted: Callable[[], bool] = _never
    """Asked now and then; True stops with the best plan so far."""
    patience: float = float("inf")
    """Seconds from then on for a linear programme without which there is no plan; afterwards ``Abandoned`` is raised."""
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
    known: Known = NOTHING,
) -> Solution:
    """Minimise the problem's cost.

    ``known_flows``: flows that stay feasible whatever is built (those of the counterfactual).
    ``candidates``: options of earlier plans, a warm start: the search begins near the first. ``fixed`` holds every option. ``start``:
    an earlier solution, of this problem or of one like it. ``known``: what an earlier run left; a problem that differs by a pin or a
    budget is bounded at once, and what is the same in it is not solved again.
    """
    how = options or SolveOptions()
    if fixed is not None and (again := known.solution(problem, fixed, how.gap)):
        return again
    if start is not None and fixed is None:
        candidates = [start.decisions, *candidates]
        known = known if known.proof else replace(known, proof=start.proof)
    facility = facility_of(problem) if how.backend == "highs" and fixed is None else None
    if facility is not None:
        limits = Limits(how.gap, how.seconds, how.threads, how.seed, how.interrupted)
        return solve_facility(problem, facility, limits, candidates=candidates, report=how.report)
    numba.set_num_threads(min(how.threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    budget = Budget(how.gap, how.seconds, how.threads, how.seed, how.interrupted, how.report, how.patience)
    if problem.arcs <= how.direct_arcs:
        return _small(problem, how, budget, known_flows, candidates, fixed)
    if problem.arcs > how.block_arcs:
        return decompose_large(problem, budget, known_flows=known_flows, candidates=candidates, fixed=fixed, start=start, run=how.run)
    began = time.monotonic()
    solution = decompose(problem, budget, known_flows=known_flows, candidates=candidates, fixed=fixed, known=known)
    return solution if fixed is not None else _explored(problem, solution, how, budget, known_flows, began)


def _small(
    problem: Problem,
    how: SolveOptions,
    budget: Budget,
    known_flows: Sequence[Flows],
    candidates: Sequence[Decisions],
    fixed: Decisions | None,
) -> Solution:
    """One model with every arc; what it leaves open after a share of the time is sought in packages and parts, from its plan."""
    began = time.monotonic()
    alone = fixed is not None or how.backend != "highs" or how.seconds < 2 * LEAST_SECONDS
    limits = Limits(how.gap, how.seconds * (1.0 if alone else DIRECT_SHARE), how.threads, how.seed, how.interrupted)
    found = solve_direct(problem, backend_named(how.backend), limits, fixed=fixed, candidates=candidates)
    left = how.seconds - (time.monotonic() - began)
    if alone or found.termination is not Termination.TIME_LIMIT or left < LEAST_SECONDS or found.upper == math.inf:
        return found
    try:
        other = decompose_large(problem, replace(budget, seconds=left), known_flows=known_flows, start=found, run=how.run)
    except NoPlanError:  # the model's plan keeps its rows only to within a solver's tolerance
        return found
    best = min(found, other, key=lambda one: one.upper)
    lower, proof = max((found.lower, ()), (other.lower, other.proof), key=lambda one: one[0])
    best = replace(best, lower=min(lower, best.upper), proof=proof, log=other.log)
    ended = Termination.GAP_REACHED if best.gap <= how.gap else other.termination
    return replace(best, termination=ended)


def _explored(
    problem: Problem, solution: Solution, how: SolveOptions, budget: Budget, known_flows: Sequence[Flows], began: float
) -> Solution:
    """The time that a stalled search has left goes into neighbourhoods; what they find is taken up at its true cost only."""

    def left() -> float:
        return 0.0 if how.interrupted() else how.seconds - (time.monotonic() - began)

    seed = how.seed
    while solution.gap > how.gap and left() > LEAST_SECONDS:
        pause = time.monotonic() + LOOKING * left()
        until = partial(_until, pause, how.interrupted)
        needed = solution.upper - solution.lower / (1.0 - how.gap)
        found = other_options(
            problem, solution, needed=needed, left=until, threads=how.threads, seed=seed, interrupted=how.interrupted, run=how.run
        )
        seed += 1
        if found is None:
            continue
        try:
            tried = decompose(problem, replace(budget, seconds=left()), known_flows=known_flows, fixed=found)
        except Abandoned:
            break
        if tried.upper < solution.upper:
            step = Progress(time.monotonic() - began, "explore", tried.upper, solution.lower)
            how.report(step)
            kept = {"lower": min(solution.lower, tried.upper), "termination": solution.termination, "log": (*solution.log, step)}
            solution = replace(solution, **{**{name: getattr(tried, name) for name in FOUND}, **kept})
    ended = Termination.GAP_REACHED if solution.termination is Termination.TIME_LIMIT and solution.gap <= how.gap else solution.termination
    return replace(solution, termination=ended)


def _until(pause: float, interrupted: Callable[[], bool]) -> float:
    return 0.0 if interrupted() else pause - time.monotonic()
