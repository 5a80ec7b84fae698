"""A written plan as a solved problem again, to ask questions of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.decomposition.master import no_decisions
from solver.problem import Problem
from solver.result import Decisions, Solution
from solver.solve import SolveOptions, solve
from solver.variants import forbidding, keeping
from sufficiency.case import Case
from sufficiency.earlier import decisions_of
from sufficiency.formulate import Formulation, formulate, with_floor
from sufficiency.request import PlanRequest
from sufficiency.workflow import Say, search_options

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


SECONDS = 60.0
"""Longest search for one of many plans."""


def built_by(problem: Problem, decisions: Decisions) -> NDArray[np.bool_]:
    """(J,) whether an option is built."""
    options = problem.options
    return np.bincount(options.start_option, decisions.start, len(options.labels)) > 0


def just(problem: Problem, decisions: Decisions) -> Problem:
    """Just these projects, all of them, no smaller."""
    held, _ = keeping(problem, decisions)
    return forbidding(held, np.nonzero(~built_by(problem, decisions))[0])[0]


@dataclass(frozen=True)
class Reopened:
    """The problem, its counterfactual and the plan's projects at their true cost."""

    formulation: Formulation
    counterfactual: Solution
    plan: Solution
    how: SolveOptions

    @property
    def problem(self) -> Problem:
        """The problem with its displacement floor."""
        return self.formulation.problem

    def cost_of(self, decisions: Decisions, problem: Problem) -> Solution:
        """These projects with the best flows, in the problem with other money."""
        return solve(problem, self.how, known_flows=[self.counterfactual.flows, self.plan.flows], fixed=decisions)

    @cached_property
    def anew(self) -> Solution:
        """The best plan known when planned again from this one, with no more money and in ``SECONDS``; its bound holds for every plan.

        What it saves beside the plan was within the plan's gap: no money is needed for it.
        """
        found = solve(self.problem, self.brief, known_flows=[self.counterfactual.flows, self.plan.flows], start=self.plan)
        if found.upper <= self.plan.upper:
            return found
        return replace(self.plan, lower=min(found.lower, self.plan.upper), proof=found.proof, termination=found.termination)

    @property
    def brief(self) -> SolveOptions:
        """How each of many plans is sought."""
        return replace(self.how, seconds=min(self.how.seconds, SECONDS))

    @cached_property
    def built(self) -> NDArray[np.bool_]:
        """(J,) whether the plan builds an option."""
        return built_by(self.problem, self.plan.decisions)

    @cached_property
    def net_by_start(self) -> tuple[Floats, Floats]:
        """(K,) net saving of a start and of each of its modules at the plan's prices of places, GBP present value."""
        options, periods = self.problem.options, len(self.problem.periods)
        price, j = self.plan.capacity_price, options.start_option
        opened = options.module[j][:, None] * options.open_share(periods)
        place = np.where((options.pool >= 0)[j, None], price[np.maximum(options.pool, 0)][j], 0.0)
        source = np.where((options.source_pool >= 0)[j, None], price[np.maximum(options.source_pool, 0)][j], 0.0)
        module = (opened * place).sum(axis=1) - options.module_cost
        start = -(options.taken(periods) * source).sum(axis=1) - options.fixed_cost
        return start, module

    def best_start(self, option: int, modules: int | None = None) -> tuple[int, int, float, float] | None:
        """(start, modules, net saving, spending) of the start with the largest net saving at the plan's prices; None when it has none."""
        options = self.problem.options
        starts = np.nonzero(options.start_option == option)[0]
        if not len(starts):
            return None
        fixed, each = self.net_by_start
        sizes = np.where(each[starts] > 0, options.max_modules[option], options.min_modules[option])
        if modules is not None:
            sizes = np.full(len(starts), modules)
        net = fixed[starts] + sizes * each[starts]
        best = int(np.argmax(net))
        k, size = int(starts[best]), int(sizes[best])
        return k, size, float(net[best]), float(options.fixed_spend[k].sum() + size * options.module_spend[k].sum())

    def added(self, k: int, modules: int) -> Decisions:
        """The plan's projects and one more."""
        start, size = self.plan.decisions.start.copy(), self.plan.decisions.modules.copy()
        start[k], size[k] = 1, modules
        return Decisions(start, size, self.plan.decisions.stage)


def reopened(
    case: Case, request: PlanRequest, projects: pd.DataFrame, say: Say, interrupted: Callable[[], bool] = lambda: False
) -> Reopened:
    """The plan whose table of projects is given; ``case`` as it was planned (see ``workflow.as_planned``)."""
    how = replace(search_options(request, lambda _: None, interrupted), gap=min(request.gap, 0.002))
    say("Formulating the plan again")
    formulation = formulate(case, request.scenario)
    free = replace(formulation.problem, pins=None, crews=None, shares=None)
    counterfactual = solve(free, how, fixed=no_decisions(free))
    formulation = with_floor(formulation, counterfactual.flows)
    decisions = decisions_of(formulation, projects)
    say("The plan's projects at their true cost")
    plan = solve(formulation.problem, how, known_flows=[counterfactual.flows], fixed=decisions)
    return Reopened(formulation, counterfactual, plan, how)
