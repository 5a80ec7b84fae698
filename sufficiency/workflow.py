"""plan_case(): the whole way from a case to an audited plan, as a straight list of steps."""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from solver.check import check_apart
from solver.decomposition.master import no_decisions
from solver.decomposition.search import NoPlanError
from solver.known import NOTHING, Known, known_of
from solver.known_arrays import known_arrays, known_from
from solver.problem import Bools, Problem
from solver.result import Abandoned, Decisions, Progress, Solution, Termination
from solver.rules import cheapest_first
from solver.solve import SolveOptions, solve
from solver.stages import Goal, Stage, in_stages
from solver.variants import keeping, lift, lower
from sufficiency.case import Case
from sufficiency.clash import clash_problems
from sufficiency.earlier import decisions_of, moved
from sufficiency.formulate import Formulation, formulate, outside_optimisation, with_floor, without_floor
from sufficiency.plan import Plan, PlanTables
from sufficiency.request import PlanRequest, checked_request
from sufficiency.results import plan_tables, tidy
from sufficiency.results.stays import by_pool, stays_of
from sufficiency.suitability import versions
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import INDEPENDENT_KINDS

PATIENCE_S = 2.0
"""For how long an interrupted search may still seek the flows of its plan, where there is another plan to keep."""
SEARCH, SENSITIVITY = "Plan", "Sensitivity"
"""What progress says, or begins with, while a solver seeks the plan, and while it seeks its sensitivity."""
KNOWN = "rule"
"""Phase of the progress that tells of the best plan known before the search."""
DISPLACEMENT_SHOWN = (0.2, 0.4, 0.7, 1.0)
TAILS_SHOWN = (0, 10, 20)
INDEPENDENT = sorted(INDEPENDENT_KINDS - {"unlocated_ap"})

Say = Callable[[str], None]
Use = Literal["start", "keep", "hold"]
"""What an earlier plan is for: to start the search from, to keep and add to, or to take as it is."""


@dataclass(frozen=True)
class Searched:
    """The problem in which the plan was found, and which starts (K,) of the whole problem it has."""

    problem: Problem
    starts: Bools


@dataclass(frozen=True)
class SolvedWorlds:
    """The three solved worlds: what is committed, the planner's rule, and the plan."""

    counterfactual: Solution
    rule: Solution
    plan: Solution
    stages: tuple[Stage, ...] = ()
    """What each goal came to, where goals were asked for in stages."""
    searched: Searched | None = None
    """None when an earlier plan is held, or the search was given up."""


def plan_case(
    case: Case,
    request: PlanRequest | None = None,
    *,
    inputs: dict[str, str] | None = None,
    progress: Say | None = None,
    watch: Callable[[Progress], None] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    base: Plan | None = None,
    use_base: Use = "start",
    keep: Callable[[SolvedWorlds], None] = lambda _: None,
    patient: bool = True,
) -> Plan:
    """Plan a case. ``inputs``: sha256 by file, kept with the plan; ``watch`` is told the best plan and bound during the search.

    ``base``: an earlier plan, whose projects the search starts from (``start``), adds to (``keep``) or takes as they are (``hold``).
    ``keep`` is given the best plan known before the search, where it has all that is asked for, and the one that the search found.
    ``patient``: an interrupted search for what is asked for waits for its plan's flows however long they take.
    Raises InputError for a bad request, and when no plan keeps all that is asked for: then with what clashes. Raises Abandoned when
    interrupted before such a plan was found.
    """
    asked, say, began = request or PlanRequest(), progress or (lambda _: None), Clock()
    case = asked.applied_to(case)
    say("Formulating")
    formulation = formulate(case, asked.scenario)
    say(f"  {formulation.problem.size()}")
    earlier = None if base is None else decisions_of(formulation, base.plan.projects)
    known = NOTHING if base is None else known_from(base.known)
    formulation, worlds = _solve_worlds(formulation, asked, say, interrupted, watch, earlier, use_base, known, keep, patient)
    keep(worlds)
    plan = plan_of_worlds(formulation, asked, worlds, began, inputs=inputs, progress=say, interrupted=interrupted)
    if asked.check_with and worlds.searched:
        say(f"Checking plan and bound with {asked.check_with}")
        plan.summary["check"] = second_opinion(plan.summary, asked, worlds.searched, worlds.plan, interrupted)
    return plan


def plan_of_worlds(
    formulation: Formulation,
    asked: PlanRequest,
    worlds: SolvedWorlds,
    began: Clock,
    *,
    inputs: dict[str, str] | None = None,
    progress: Say | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Plan:
    """Solved worlds as tables and headline. ``formulation``: of the case as asked for, with its floor."""
    say = progress or (lambda _: None)
    say("Writing the tables of the three worlds")
    plan = plan_tables(formulation, worlds.plan)
    counterfactual = plan_tables(formulation, worlds.counterfactual)
    rule = plan_tables(formulation.unpinned, worlds.rule)
    sensitivity = _sensitivity(formulation, worlds, asked, say, interrupted) if asked.sensitivity and not interrupted() else []
    summary = _summary(formulation.case, asked, formulation, worlds, plan, counterfactual, rule, sensitivity, inputs or {}, began)
    return Plan(summary, plan, counterfactual, rule, known_arrays(_known(formulation, asked, worlds)))


def _known(formulation: Formulation, asked: PlanRequest, worlds: SolvedWorlds) -> Known:
    """What a changed request is planned sooner with. A bound is only what a search of costs has proven."""
    problem, plan = formulation.problem, worlds.plan
    held = [
        (without_floor(_unasked(problem)), worlds.counterfactual),
        (_unasked(formulation.unpinned.problem), worlds.rule),
        (problem, plan),
    ]
    if worlds.searched is None or asked.stages:
        return known_of(problem, -math.inf, (), held)
    return known_of(worlds.searched.problem, plan.lower, plan.proof, held)


def second_opinion(
    summary: dict[str, Any], request: PlanRequest, searched: Searched, plan: Solution, interrupted: Callable[[], bool]
) -> dict[str, Any]:
    """What another solver says to the cost and bound that the summary states (see ``solver.check``)."""
    cost, bound = summary["objective_gbp"], summary["bound_gbp"]
    solution = replace(plan, decisions=lower(plan.decisions, searched.starts))
    found = check_apart(searched.problem, solution, bound, request.time_limit_s, interrupted)
    if found is None:
        return {"with": request.check_with, "plan_gbp": None, "flows_gbp": None, "bound_gbp": None, "agrees": None, "seconds": None}
    return {
        "with": request.check_with,
        "plan_gbp": found.plan,
        "flows_gbp": found.flows,
        "bound_gbp": found.bound,
        "agrees": found.agrees(cost),
        "seconds": round(found.seconds, 1),
    }


def as_planned(case: Case, plan_folder: Path) -> Case:
    """The case with the years and assumptions that a written plan was made with. Raises InputError when the folder is no plan."""
    try:
        summary = json.loads((plan_folder / "plan.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = "Give the folder that `sufficiency plan` wrote."
        raise InputError([InputProblem(str(plan_folder), "not a plan folder: plan.json is missing", remedy)]) from error
    assumptions = case.assumptions.override(summary["assumptions_changed"], "the plan", "plan.json")
    case = replace(case, academic_years=tuple(summary["academic_years"]))
    return replace(checked_request(summary.get("request", {}), "plan.json").applied_to(case), assumptions=assumptions)


def _solve_worlds(
    formulation: Formulation,
    request: PlanRequest,
    say: Say,
    interrupted: Callable[[], bool],
    watch: Callable[[Progress], None] | None,
    earlier: Decisions | None,
    use: Use,
    known: Known,
    keep: Callable[[SolvedWorlds], None],
    patient: bool,
) -> tuple[Formulation, SolvedWorlds]:
    how = search_options(request, say, interrupted)
    if clash := clash_problems(formulation):
        raise InputError(clash)
    say("Counterfactual: committed projects only")
    counterfactual = solve(_unasked(formulation.problem), how, fixed=no_decisions(formulation.problem), known=known)
    formulation = with_floor(formulation, counterfactual.flows)
    problem, unpinned = formulation.problem, formulation.unpinned.problem
    say("Rule: cheapest GBP per place first")
    decisions = cheapest_first(unpinned)
    rule = _held(formulation.unpinned, counterfactual, decisions, how, known)
    here = moved(decisions, unpinned, problem)
    say(SEARCH)
    if earlier is not None and use == "hold":
        return formulation, SolvedWorlds(counterfactual, rule, _held(formulation, counterfactual, earlier, how, known))
    asked = problem is not _unasked(problem) or use == "keep" or bool(request.stages)
    # what pins bar of the rule's projects, the plan may not fall back on
    possible = [replace(rule, decisions=here)] if _same(moved(here, problem, unpinned), decisions) else []
    fallback = min([*possible, counterfactual], key=lambda one: one.upper)
    if not asked:
        keep(SolvedWorlds(counterfactual, rule, replace(fallback, lower=-math.inf, termination=Termination.INTERRUPTED, proof=())))
        if watch:
            watch = _no_worse(watch, fallback.upper)
            watch(Progress(0.0, KNOWN, math.inf, -math.inf))
    searching = replace(search_options(request, say, interrupted, watch), patience=math.inf if asked and patient else PATIENCE_S)
    try:
        plan, stages, searched = _search(formulation, request, counterfactual, here, earlier, use, searching, known)
    except Abandoned as end:
        if asked:
            raise
        proven = min(end.lower, fallback.upper)
        plan = replace(fallback, lower=proven, termination=Termination.INTERRUPTED, log=end.log, proof=end.proof)
        stages, searched = (), None
    # the plan is never worse than what is known without it, where that keeps what is asked for
    if not asked and fallback.upper <= plan.upper:
        plan = _proven(fallback, plan)
    # one that builds nothing is the counterfactual, not the same flows to within the slack of the floor
    if _same(plan.decisions, counterfactual.decisions):
        plan = _proven(counterfactual, plan)
    return formulation, SolvedWorlds(counterfactual, rule, plan, stages, searched)


def _no_worse(watch: Callable[[Progress], None], known: float) -> Callable[[Progress], None]:
    """Tells of the best plan at hand: the search's, or one known before it."""
    return lambda progress: watch(replace(progress, upper=min(progress.upper, known)))


def _proven(known: Solution, plan: Solution) -> Solution:
    """A known solution with all that the search has proven."""
    return replace(known, lower=min(plan.lower, known.upper), termination=plan.termination, log=plan.log, proof=plan.proof)


def _search(
    formulation: Formulation,
    request: PlanRequest,
    counterfactual: Solution,
    rule: Decisions,
    earlier: Decisions | None,
    use: Use,
    how: SolveOptions,
    known: Known,
) -> tuple[Solution, tuple[Stage, ...], Searched]:
    """The plan; where goals are asked for in stages, what each stage found; where it was found. Raises InputError naming what clashes."""
    problem, starts = formulation.problem, np.ones(len(formulation.problem.options.start_option), bool)
    if earlier is not None and use == "keep":
        problem, starts = keeping(problem, earlier)
    candidates = [lower(one, starts) for one in ([rule] if earlier is None else [earlier, rule])]
    problem_of: dict[int, Problem] = {}

    def found(problem: Problem, before: Sequence[Solution]) -> Solution:
        flows = [counterfactual.flows, *(one.flows for one in before)]
        solution = solve(problem, how, known_flows=flows, candidates=[*(one.decisions for one in before), *candidates], known=known)
        problem_of[id(solution)] = problem
        return solution

    try:
        if request.stages:
            plan, stages = in_stages(problem, [Goal(name) for name in request.stages], found)
        else:
            plan, stages = found(problem, []), ()
    except NoPlanError as error:
        raise (Abandoned() if how.interrupted() else _clash(formulation, problem)) from error
    if not math.isfinite(plan.upper):
        raise Abandoned if how.interrupted() else _clash(formulation, problem)
    return replace(plan, decisions=lift(plan.decisions, starts)), stages, Searched(problem_of[id(plan)], starts)


def _clash(formulation: Formulation, problem: Problem) -> InputError:
    remedy = "Remove a pin, raise a budget, lower a least share, or give more time."
    unexplained = InputProblem("request", "no plan keeps all that is asked for, or none was found in time", remedy)
    return InputError(clash_problems(replace(formulation, problem=problem)) or [unexplained])


def _unasked(problem: Problem) -> Problem:
    """The problem without what is asked of projects (pins, crews, least shares): the counterfactual and the rule know nothing of it."""
    if problem.pins is None and problem.crews is None and problem.shares is None:
        return problem
    return replace(problem, pins=None, crews=None, shares=None)


def _held(formulation: Formulation, counterfactual: Solution, decisions: Decisions, how: SolveOptions, known: Known = NOTHING) -> Solution:
    """The cost of given options, or the counterfactual itself when they are its own."""
    if _same(decisions, no_decisions(formulation.problem)):
        return replace(counterfactual, decisions=decisions)
    return solve(_unasked(formulation.problem), how, known_flows=[counterfactual.flows], fixed=decisions, known=known)


def _same(first: Decisions, second: Decisions) -> bool:
    """Whether both build the same."""
    return bool((first.start == second.start).all() and (first.modules == second.modules).all())


def search_options(
    request: PlanRequest, say: Say, interrupted: Callable[[], bool], watch: Callable[[Progress], None] | None = None
) -> SolveOptions:
    """How the solver is to search, and whom it tells."""

    def report(progress: Progress) -> None:
        if watch:
            watch(progress)
        plan = f"plan {progress.upper / 1e6:,.1f}m" if progress.upper < float("inf") else "no plan yet"
        say(f"  {progress.seconds:6.1f} s  {progress.phase:<8} {plan}, bound {progress.lower / 1e6:,.1f}m")

    return SolveOptions(
        gap=request.gap,
        seconds=request.time_limit_s,
        threads=request.threads,
        seed=request.seed,
        backend=request.backend,
        interrupted=interrupted,
        report=report,
    )


def _sensitivity(
    formulation: Formulation, worlds: SolvedWorlds, request: PlanRequest, say: Say, interrupted: Callable[[], bool]
) -> list[dict[str, Any]]:
    """All rows, or none when interrupted: some of them would show too narrow a range."""
    rows = []
    for row in _sensitivity_rows(formulation, worlds, request, say, interrupted):
        rows.append(row)
        if interrupted():
            return []
    return rows


def _sensitivity_rows(
    formulation: Formulation, worlds: SolvedWorlds, request: PlanRequest, say: Say, interrupted: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """What the same projects save and avoid at other displacement and irreducible shares and tails, and in the case's other scenarios."""
    how = replace(search_options(request, lambda _: None, interrupted), gap=max(request.gap, 1e-3))
    for share in DISPLACEMENT_SHOWN:
        say(f"{SENSITIVITY}: displacement {share:.0%}")
        overrides = {"displacement.share": share}
        yield {"what": "displacement.share", "value": share, **_saving_with(formulation, worlds, overrides, how)}
    for name, shares in _irreducible(formulation.case).items():
        say(f"{SENSITIVITY}: {name} irreducible share")
        saved = _saving_with(formulation, worlds, {"independent.irreducible_share": shares}, how)
        yield {"what": "independent.irreducible_share", "value": name, **saved}
    for tail in TAILS_SHOWN:
        say(f"{SENSITIVITY}: {tail} years after the horizon")
        overrides = {"time.tail_years": tail}
        yield {"what": "time.tail_years", "value": tail, **_saving_with(formulation, worlds, overrides, how)}
    for scenario in _other_scenarios(formulation):
        say(f"{SENSITIVITY}: {scenario} demand")
        other = formulate(formulation.case, scenario)
        yield {"what": "scenario", "value": scenario, **_saving(other, None, worlds, how)}


def _irreducible(case: Case) -> dict[str, dict[str, float]]:
    """Low, central and high shares of independent placements that nothing replaces, by need group; nothing where they are all 0."""
    shares, times = (case.assumptions.table(f"independent.irreducible_{name}") for name in ("share", "range"))
    if not any(shares.values()):
        return {}
    factors = {"low": times["low"], "central": 1.0, "high": times["high"]}
    return {name: {group: min(1.0, share * factor) for group, share in shares.items()} for name, factor in factors.items()}


def _other_scenarios(formulation: Formulation) -> list[str]:
    """Scenarios of the case beside the one planned for, the least demand in the last year first."""
    case = formulation.case
    last = case.pupils[case.pupils["academic_year"] == case.academic_years[-1]]
    demand = last.groupby("scenario")["pupils_placed"].sum().drop(formulation.scenario, errors="ignore")
    return [str(scenario) for scenario in demand.sort_values().index]


def _saving_with(formulation: Formulation, worlds: SolvedWorlds, overrides: dict[str, Any], how: SolveOptions) -> dict[str, float]:
    case = formulation.case
    if all(case.assumptions.entries[name].value == value for name, value in overrides.items()):
        return _gain(formulation, worlds.counterfactual, formulation, worlds.plan)
    changed = replace(case, assumptions=case.assumptions.override(overrides, "sensitivity"))
    other = formulate(changed, formulation.scenario)
    return _saving(other, worlds.counterfactual if "displacement.share" in overrides else None, worlds, how)


def _saving(other: Formulation, counterfactual: Solution | None, worlds: SolvedWorlds, how: SolveOptions) -> dict[str, float]:
    """What the plan's projects save in another formulation; its counterfactual is solved unless it is known."""
    counterfactual = counterfactual or solve(_unasked(other.problem), how, fixed=no_decisions(other.problem))
    floored = with_floor(other, counterfactual.flows)
    held = _held(floored, counterfactual, worlds.plan.decisions, how)
    return _gain(other, counterfactual, floored, held)


def _gain(before: Formulation, counterfactual: Solution, after: Formulation, held: Solution) -> dict[str, float]:
    """The saving, and the independent placements avoided in the last year."""
    avoided = _independent_in_last_year(before, counterfactual) - _independent_in_last_year(after, held)
    return {"saving_gbp": counterfactual.upper - held.upper, "independent_avoided": avoided}


def _independent_in_last_year(formulation: Formulation, solution: Solution) -> float:
    """Pupils in non-maintained and independent places."""
    stays = stays_of(formulation, tidy(formulation, solution.flows))
    pupils = by_pool(formulation, stays.pool, stays.pupils)[:, -1]
    return float(pupils[formulation.pools["kind"].isin(INDEPENDENT).to_numpy()].sum())


def _summary(
    case: Case,
    request: PlanRequest,
    formulation: Formulation,
    worlds: SolvedWorlds,
    plan: PlanTables,
    counterfactual: PlanTables,
    rule: PlanTables,
    sensitivity: list[dict[str, Any]],
    inputs: dict[str, str],
    began: Clock,
) -> dict[str, Any]:
    """What plan.json holds. Costs are those of the tables, so that anyone can add them up."""
    objective, without, by_rule = (_objective(tables) for tables in (plan, counterfactual, rule))
    bound = worlds.plan.lower
    return {
        "case": case.name,
        "programme": case.programme,
        "price_base": case.price_base,
        "academic_years": list(case.academic_years),
        "scenario": request.scenario,
        "termination": str(worlds.plan.termination),
        "objective_gbp": objective,
        "bound_gbp": bound,
        "gap_of_cost": max(0.0, objective - bound) / abs(objective) if objective else 0.0,
        "gap_of_saving": max(0.0, objective - bound) / (without - bound) if without - bound > 1.0 else 0.0,
        "counterfactual_gbp": without,
        "saving_gbp": without - objective,
        "cash_saving_gbp": _objective(counterfactual, cash_only=True) - _objective(plan, cash_only=True),
        "rule_gbp": by_rule,
        "rule_saving_gbp": without - by_rule,
        "capital_gbp": float(plan.projects["capital_gbp"].sum()),
        **_places_opened(case, plan),
        "independent_avoided": _difference(counterfactual, plan),
        "independent_avoided_gbp": _independent_gbp(counterfactual, plan),
        "unmet": _by_year(plan.needs, ["unmet"], case),
        "unmet_without": _by_year(counterfactual.needs, ["unmet"], case),
        "latent": _by_year(plan.needs, ["latent"], case),
        "kept_out_of_demand": dict(zip(case.academic_years, formulation.demand.reduced.sum(axis=(0, 1)).tolist(), strict=True)),
        "outside_optimisation": outside_optimisation(case.projects),
        "perspective": case.perspective,
        "suitability": versions(case)[-1],
        "stages": [{"goal": str(stage.goal), "value": stage.value, "bound": stage.bound} for stage in worlds.stages],
        "request": request.changes(),
        "sensitivity": sensitivity,
        "size": formulation.problem.size(),
        "travel_source": "road" if (case.travel["status"] == "road").any() else str(case.travel["status"].mode().get(0, "none")),
        "notes": list(case.notes),
        "assumptions_changed": case.assumptions.changed(),
        "log": [_line(line) for line in worlds.plan.log],
        "wall_s": round(time.monotonic() - began.wall, 2),
        "cpu_s": round(time.process_time() - began.cpu, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "seed": request.seed,
        "inputs": inputs,
        "version": version("sufficiency"),
    }


def _places_opened(case: Case, plan: PlanTables) -> dict[str, float]:
    """Places that chosen projects open, those that they take away from other pools, and what is left."""
    new = plan.projects[(plan.projects["decision"] == "open") & ~plan.projects["effect"].isin(["improve", "grant"])]
    taken = case.projects.set_index("project_id")["places_removed"].reindex(new.loc[new["stage"] == 1, "project_id"])
    opened, removed = float(new["places"].sum()), float(taken.sum())
    return {"places_opened": opened, "places_removed": removed, "new_places": opened - removed}


class Clock:
    """Wall and processor seconds at the start."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def spent(self) -> tuple[float, float]:
        """Wall and processor seconds since then."""
        return time.monotonic() - self.wall, time.process_time() - self.cpu

    def add(self, wall: float, cpu: float) -> None:
        """Count what an earlier run has spent."""
        self.wall, self.cpu = self.wall - wall, self.cpu - cpu


def _line(progress: Progress) -> dict[str, Any]:
    """One line of the log; a plan or bound that is not there yet is null."""
    return {name: value if not isinstance(value, float) or math.isfinite(value) else None for name, value in vars(progress).items()}


def _objective(tables: PlanTables, *, cash_only: bool = False) -> float:
    costs = tables.costs[tables.costs["in_objective"]]
    return float((costs[costs["is_cash"]] if cash_only else costs)["present_value_gbp"].sum())


def _by_year(needs: Any, columns: list[str], case: Case) -> dict[str, float]:
    sums = needs.groupby("academic_year")[columns].sum().sum(axis=1)
    return {year: float(sums.get(year, 0.0)) for year in case.academic_years}


def _difference(counterfactual: PlanTables, plan: PlanTables) -> dict[str, float]:
    before, after = (tables.needs.groupby("academic_year")[INDEPENDENT].sum().sum(axis=1) for tables in (counterfactual, plan))
    return {str(year): float(value) for year, value in before.sub(after, fill_value=0.0).items()}


def _independent_gbp(counterfactual: PlanTables, plan: PlanTables) -> dict[str, float]:
    before, after = (
        tables.costs[tables.costs["item"] == "independent_places"].set_index("year")["gbp"] for tables in (counterfactual, plan)
    )
    return {str(year): float(value) for year, value in before.sub(after, fill_value=0.0).items()}
