"""The worlds that England's plan is measured against, solved one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from solver.decomposition.master import no_decisions
from solver.problem import Problem
from solver.result import Decisions, Solution
from solver.rules import cheapest_first, cheapest_per_displaced, largest_need_first
from solver.solve import SolveOptions, solve
from sufficiency.england.kept import Kept, Say
from sufficiency.formulate import Formulation, with_floor
from sufficiency.workflow import SolvedWorlds

RULES: dict[str, Callable[[Problem], Decisions]] = {
    "cheapest_per_place": cheapest_first,
    "cheapest_per_independent_avoided": cheapest_per_displaced,
    "formula_without_optimising": largest_need_first,
}
SHOWN_RULE = "cheapest_per_place"
"""The rule of a plan folder."""
COUNTERFACTUAL_SHARE, RULE_SHARE, POOLED_SHARE = 0.6, 0.2, 0.25
"""Shares of the time limit that the other worlds may take beside the plan: each finds prices and fills its flows once or twice."""


@dataclass(frozen=True)
class Worlds:
    """Solved worlds; the formulation holds the floor of displacement."""

    formulation: Formulation
    pooled_formulation: Formulation
    counterfactual: Solution
    rules: dict[str, Solution]
    plan: Solution
    pooled: Solution

    @property
    def rule(self) -> str:
        """The better of the two planner's rules."""
        return min(("cheapest_per_place", "cheapest_per_independent_avoided"), key=lambda name: self.rules[name].upper)

    def three(self) -> SolvedWorlds:
        """Those that a plan folder holds."""
        return SolvedWorlds(self.counterfactual, self.rules[SHOWN_RULE], self.plan)

    def by_name(self) -> dict[str, tuple[Formulation, Solution]]:
        """Every world with the formulation that it was solved in."""
        worlds = {"counterfactual": self.counterfactual, **self.rules, "plan": self.plan}
        named = {name: (self.formulation, solution) for name, solution in worlds.items()}
        return {**named, "pooled_by_region": (self.pooled_formulation, self.pooled)}


def solve_worlds(formulation: Formulation, how: SolveOptions, say: Say, kept: Kept | None = None) -> Worlds:
    """Counterfactual, rules, plan, and the plan when each region's councils pool their budgets. Each starts from what is known.

    ``kept``: where solved worlds are found and put.
    """

    before = list[Solution]()

    def solved(world: str, problem: Problem, share: float, **known: Any) -> Solution:
        solving = partial(solve, problem, replace(how, seconds=share * how.seconds), **known)
        before.append(kept.solution(world, before, say, solving) if kept else solving())
        return before[-1]

    say("Counterfactual: committed projects only")
    counterfactual = solved("counterfactual", formulation.problem, COUNTERFACTUAL_SHARE, fixed=no_decisions(formulation.problem))
    formulation = with_floor(formulation, counterfactual.flows)
    problem, flows = formulation.problem, [counterfactual.flows]
    rules = {}
    for name, rule in RULES.items():
        say(f"Rule: {name.replace('_', ' ')}")
        rules[name] = solved(name, problem, RULE_SHARE, fixed=rule(problem), known_flows=flows, start=counterfactual)
    best = min([counterfactual, *rules.values()], key=lambda world: world.upper)
    say("Plan")
    plan = solved("plan", problem, 1.0, known_flows=flows, start=replace(best, prices=None))  # its prices are of held projects
    say("Plan with budgets pooled within regions")
    pooled_formulation = replace(formulation, problem=pooled_by_region(formulation))
    pooled = solved("pooled_by_region", pooled_formulation.problem, POOLED_SHARE, known_flows=flows, start=plan)
    return Worlds(formulation, pooled_formulation, counterfactual, rules, plan, pooled)


def pooled_by_region(formulation: Formulation) -> Problem:
    """The problem with one fund for each region, of all its councils' money. ValueError when funds are tied to each other."""
    problem = formulation.problem
    if problem.transfers is not None or problem.shares is not None or problem.grants is not None:
        raise ValueError("budgets with transfers, least shares or grants can't be pooled")
    region = formulation.case.councils.set_index("council_code")["region_name"].reindex(list(formulation.demand.councils))
    names = sorted(region.unique())
    number = region.map(names.index).to_numpy(int)
    funds = problem.funds
    of_fund = np.array([number[np.nonzero(councils.any(axis=1))[0][0]] for councils in funds.eligible])
    count = len(names)
    amount = np.zeros((count, funds.amount.shape[1]))
    np.add.at(amount, of_fund, funds.amount)
    eligible = np.zeros((count, *funds.eligible.shape[1:]), np.bool_)
    for fund, home in enumerate(of_fund):
        eligible[home] |= funds.eligible[fund].any(axis=0) & (number == home)[:, None]
    carry = np.ones_like(amount)
    np.minimum.at(carry, of_fund, funds.carry_share)
    return replace(problem, funds=replace(funds, labels=tuple(names), amount=amount, eligible=eligible, carry_share=carry))
