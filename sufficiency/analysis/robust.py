"""One set of projects for several futures: two stages, projects shared, who goes where decided in each future.

    scenarios   formulate each and solve its counterfactual
    shared      the projects of least expected cost, of least cost in the worst futures (CVaR) or of least regret
    alone       what each scenario would build by itself: the best possible there, and how often a project is chosen

CVaR and regret are sought by moving probability towards the futures that cost most. Whatever the weights, the bound of the weighted
problem is a bound of the risk (it is a maximum over weights), so that the plan has a proven gap under each criterion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.decomposition.master import no_decisions
from solver.known import NOTHING, Known, known_of
from solver.problem import Problem
from solver.result import Decisions, Solution
from solver.rules import cheapest_first
from solver.solve import SolveOptions, solve
from solver.worlds import stack, stacked_flows, unstack
from sufficiency.case import Case
from sufficiency.earlier import moved
from sufficiency.formulate import Formulation, formulate, with_floor, without_floor
from sufficiency.request import PlanRequest
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.workflow import Say, search_options

Floats = NDArray[np.float64]

ROUNDS = 4
"""How often probability is moved towards the worst futures."""


class Risk(StrEnum):
    """What is made least over the futures."""

    EXPECTED = "expected"
    CVAR = "cvar"
    REGRET = "regret"


@dataclass(frozen=True)
class Future:
    """One scenario with its probability and what is known of it."""

    probability: float
    formulation: Formulation
    counterfactual: Solution
    alone: Solution
    """Its own best plan."""
    shared: Solution
    """The shared projects in it, at their true cost."""
    known: Known = NOTHING
    """What it is planned alone again with."""

    @property
    def regret(self) -> float:
        """What the shared projects cost more than the best possible in this future, GBP (at most, by the bound of its own plan)."""
        return self.shared.upper - self.alone.lower


@dataclass(frozen=True)
class Robust:
    """The shared projects and what they come to in each future."""

    risk: Risk
    tail: float
    """CVaR: share of the worst futures that counts."""
    value: float
    """Expected cost, CVaR or largest regret, GBP present value."""
    bound: float
    """No set of projects has a lower value."""
    decisions: Decisions
    futures: Mapping[str, Future]
    known: Known = NOTHING
    """What projects are shared again with."""

    def decisions_in(self, problem: Problem) -> Decisions:
        """The shared projects in a problem of another request."""
        return moved(self.decisions, next(iter(self.futures.values())).formulation.problem, problem)

    def projects(self) -> pd.DataFrame:
        """Every project that is shared or chosen alone somewhere: places, start and the share of futures in which it is chosen."""
        first = next(iter(self.futures.values())).formulation
        options, years = first.problem.options, first.appraisal.financial_years
        count = len(options.labels)
        chosen = np.zeros(count)
        for future in self.futures.values():
            chosen += future.probability * _built(first.problem, future.alone.decisions)
        shared = _built(first.problem, self.decisions) > 0
        places = options.module * np.bincount(options.start_option, self.decisions.modules, count)
        start = np.full(count, "", object)
        for k in np.nonzero(self.decisions.start)[0]:
            start[options.start_option[k]] = years[options.start_year[k]]
        table = first.projects[["project_id", "name", "kind", "council_code"]].assign(
            shared=shared, places=np.where(shared, places, 0.0), start_financial_year=start, chosen_share=chosen,
            verdict=np.select([~shared, chosen >= 0.999, chosen >= 0.5], ["option", "no regret", "likely"], "hedge"),
        )  # fmt: skip
        return table[shared | (chosen > 0)].sort_values(["shared", "chosen_share"], ascending=False).reset_index(drop=True)


def plan_robust(
    case: Case,
    request: PlanRequest,
    scenarios: Mapping[str, float],
    *,
    risk: Risk = Risk.EXPECTED,
    tail: float = 0.2,
    progress: Say | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    base: Robust | None = None,
) -> Robust:
    """Plan for scenarios with their probabilities; ``base``: an earlier answer of the same scenarios to begin from.

    Raises InputError when they are no probabilities or no scenarios of the case.
    """
    say = progress or (lambda _: None)
    _check(case, scenarios)
    case = request.applied_to(case)
    how = search_options(request, say, interrupted)
    before = base.futures if base is not None and base.futures.keys() == scenarios.keys() else {}
    known = {name: before[name].known if before else NOTHING for name in scenarios}
    prepared = {name: _prepared(case, name, replace(how, gap=min(how.gap, 0.002)), say, known[name]) for name in scenarios}
    problems = {name: formulation.problem for name, (formulation, _) in prepared.items()}
    counterfactuals = {name: known for name, (_, known) in prepared.items()}
    rule = cheapest_first(next(iter(problems.values())))
    alone = {}
    for name, problem in problems.items():
        say(f"Best plan for {name} alone")
        earlier = [moved(before[name].alone.decisions, before[name].formulation.problem, problem)] if before else []
        alone[name] = solve(problem, how, known_flows=[counterfactuals[name].flows], candidates=[*earlier, rule], known=known[name])
    probability = np.array([scenarios[name] for name in problems])
    shared = [base.decisions_in(next(iter(problems.values())))] if base is not None and before else []
    candidates = [*shared, rule, *(one.decisions for one in alone.values())]
    search = _Search(problems, counterfactuals, how, candidates, base.known if base is not None and before else NOTHING)
    target = np.array([one.lower if risk is Risk.REGRET else 0.0 for one in alone.values()])
    value, bound, decisions, parts = _least_risk(search, probability, risk, tail, target, say)
    futures = {}
    for name, (formulation, counterfactual) in prepared.items():
        left = _known(formulation, counterfactual, alone[name])
        futures[name] = Future(scenarios[name], formulation, counterfactual, alone[name], parts[name], left)
    return Robust(risk, tail, value, bound, decisions, futures, search.known)


def _known(formulation: Formulation, counterfactual: Solution, alone: Solution) -> Known:
    problem = formulation.problem
    held = [(without_floor(_unasked(problem)), counterfactual), (problem, alone)]
    return known_of(problem, alone.lower, alone.proof, held)


def _unasked(problem: Problem) -> Problem:
    return replace(problem, pins=None, crews=None, shares=None)


def _check(case: Case, scenarios: Mapping[str, float]) -> None:
    known = sorted(case.pupils["scenario"].unique())
    problems = [
        InputProblem("pupils", "no demand of this scenario", f"Use one of: {', '.join(known)}.", column="scenario", value=name)
        for name in scenarios
        if name not in known
    ]
    if any(not share > 0 for share in scenarios.values()) or abs(sum(scenarios.values()) - 1.0) > 1e-6:
        given = ", ".join(f"{name}={share}" for name, share in scenarios.items())
        remedy = "E.g. central=0.6 low=0.2 high=0.2"
        problems.append(InputProblem("request", "probabilities are not above 0 or don't sum to 1", remedy, value=given))
    if problems:
        raise InputError(problems)


def _prepared(case: Case, scenario: str, how: SolveOptions, say: Say, known: Known) -> tuple[Formulation, Solution]:
    say(f"Counterfactual of {scenario}")
    formulation = formulate(case, scenario)
    free = _unasked(formulation.problem)
    counterfactual = solve(free, how, fixed=no_decisions(free), known=known)
    return with_floor(formulation, counterfactual.flows), counterfactual


@dataclass
class _Search:
    """What every weighting of the futures is solved with."""

    problems: Mapping[str, Problem]
    counterfactuals: Mapping[str, Solution]
    how: SolveOptions
    candidates: list[Decisions]
    known: Known

    def weighted(self, weight: Floats) -> tuple[Solution, dict[str, Solution]]:
        """Least mean cost at these weights, and the solution in each future."""
        stacked = stack(self.problems, list(weight))
        flows = stacked_flows(self.problems, {name: one.flows for name, one in self.counterfactuals.items()})
        solution = solve(stacked, self.how, known_flows=[flows], candidates=self.candidates, known=self.known)
        self.candidates.insert(0, solution.decisions)
        self.known = known_of(stacked, solution.lower, solution.proof, [(stacked, solution)])
        return solution, unstack(stacked, self.problems, solution)


def _least_risk(
    search: _Search, probability: Floats, risk: Risk, tail: float, target: Floats, say: Say
) -> tuple[float, float, Decisions, dict[str, Solution]]:
    """(value, bound, decisions, solution by future) of the criterion."""
    weight, bound = probability.copy(), -np.inf
    best: tuple[float, Decisions, dict[str, Solution]] | None = None
    for turn in range(1 if risk is Risk.EXPECTED else ROUNDS):
        if best is not None and search.how.interrupted():
            break
        say(f"Shared projects{'' if turn == 0 else f', weights {np.round(weight, 2).tolist()}'}")
        solution, parts = search.weighted(weight)
        cost = np.array([parts[name].upper for name in search.problems]) - target
        value = risk_of(cost, probability, risk, tail)
        bound = max(bound, solution.lower - float(weight @ target))
        if best is None or value < best[0]:
            best = (value, solution.decisions, parts)
        worst = worst_weights(cost, probability, risk, tail)
        # a little of every future stays, so that each is planned for
        weight = np.maximum(weight + (worst - weight) / (turn + 2), 1e-3)
        weight /= weight.sum()
    assert best is not None
    return best[0], min(bound, best[0]), best[1], best[2]


def risk_of(cost: Floats, probability: Floats, risk: Risk, tail: float) -> float:
    """Expected cost, mean of the worst ``tail`` of futures, or the largest."""
    return float(worst_weights(cost, probability, risk, tail) @ cost)


def worst_weights(cost: Floats, probability: Floats, risk: Risk, tail: float) -> Floats:
    """The weights under which the criterion is a mean: probability moved to the dearest futures, as far as the criterion lets it."""
    if risk is Risk.EXPECTED:
        return probability
    most = np.full(len(cost), 1.0) if risk is Risk.REGRET else np.minimum(1.0, probability / tail)
    weight, left = np.zeros(len(cost)), 1.0
    for position in np.argsort(-cost, kind="stable"):
        weight[position] = min(most[position], left)
        left -= weight[position]
    return weight


def _built(problem: Problem, decisions: Decisions) -> Floats:
    """(J,) 1 for each option that is built."""
    return np.minimum(1.0, np.bincount(problem.options.start_option, decisions.start, len(problem.options.labels)))
