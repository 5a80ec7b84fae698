"""Who is without a place in a plan and why, and which plans are nearly as good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from solver.decomposition.search import NoPlanError
from solver.result import Solution
from solver.solve import solve
from solver.variants import forbidding, lift, lower
from sufficiency.analysis.reopened import Reopened, built_by
from sufficiency.workflow import Say

LEAST_GAP = 0.005
"""How closely the plan without a project is sought."""


def why_unmet(plan: Reopened) -> pd.DataFrame:
    """Pupils without a place by council, need, phase, year and reason."""
    problem, flows = plan.problem, plan.plan.flows
    pools = len(problem.pools.labels)
    waits = flows.pool == pools
    options, links = problem.options, problem.links
    earliest = np.full(pools, len(problem.periods))
    for k, j in enumerate(options.start_option):
        if options.pool[j] >= 0:
            earliest[options.pool[j]] = min(earliest[options.pool[j]], options.start_opens[k])
    planned_pool = np.zeros(pools, bool)
    planned_pool[options.pool[options.pool >= 0]] = True
    rows = []
    classes = plan.formulation.demand.classes
    for z, c, v, amount in zip(flows.origin[waits], flows.cls[waits], flows.entry[waits], flows.amount[waits], strict=True):
        link = slice(links.start[z], links.start[z + 1])
        near = links.pool[link][links.minutes[link] <= links.class_reach[c]]
        suits = problem.pools.accepts[c]
        reason = _unmet_reason(suits, near, planned_pool, earliest, int(v))
        group, phase = classes["need_group"].iloc[c], classes["phase"].iloc[c]
        rows.append((problem.owners[problem.demand.origin_owner[z]], group, phase, problem.periods[v], reason, amount))
    columns = ["council_code", "need_group", "phase", "academic_year", "reason", "pupils"]
    table = pd.DataFrame(rows, columns=columns)
    return table.groupby(columns[:-1])["pupils"].sum().reset_index() if len(table) else table


def _unmet_reason(suits: Any, near: Any, planned: Any, earliest: Any, period: int) -> str:
    if not suits.any():
        return "no designation"
    reach = near[suits[near]]
    if not len(reach):
        return "no site in reach"
    offers = reach[planned[reach]]
    if len(offers) and (earliest[offers] > period).all():
        return "lead time"
    return "full: more places cost more than the money or their saving allows" if len(offers) else "full: no project adds places in reach"


def alternatives(plan: Reopened, within: float, most: int, say: Say) -> pd.DataFrame:
    """Plans nearly as good: each of the dearest projects left out in turn and the rest planned again.

    ``extra_gbp``: what the plan found without it costs more, ``least_gbp`` what every plan without it costs more; those within ``within``
    of the cost are alternatives, the others show how much the project is worth.
    """
    problem, options = plan.problem, plan.problem.options
    spend = plan.plan.decisions.start * options.fixed_spend.sum(axis=1) + plan.plan.decisions.modules * options.module_spend.sum(axis=1)
    by_option = np.bincount(options.start_option, spend, len(options.labels))
    free = np.nonzero(plan.built & (options.committed_start < 0))[0]
    rows = []
    for j in free[np.argsort(-by_option[free], kind="stable")][:most]:
        if plan.how.interrupted():
            break
        say(f"Without {options.labels[j]}")
        other = without_project(plan, int(j))
        if other is None:
            continue
        gained = built_by(problem, other.decisions) & ~plan.built
        rows.append(
            {
                "without": options.labels[j],
                "extra_gbp": other.upper - plan.plan.upper,
                "least_gbp": other.lower - plan.plan.upper,
                "within": bool(other.upper <= plan.plan.upper * (1 + within)),
                "instead": "|".join(options.labels[i] for i in np.nonzero(gained)[0]),
            }
        )
    return pd.DataFrame(rows, columns=["without", "extra_gbp", "least_gbp", "within", "instead"])


def without_project(plan: Reopened, option: int) -> Solution | None:
    """The best plan that leaves a project out; None when there is none."""
    fewer, starts = forbidding(plan.problem, np.array([option]))
    start = replace(plan.plan, decisions=lower(plan.plan.decisions, starts))
    how = replace(plan.brief, gap=max(plan.how.gap, LEAST_GAP))
    try:
        found = solve(fewer, how, known_flows=[plan.counterfactual.flows], start=start)
    except NoPlanError:
        return None
    return replace(found, decisions=lift(found.decisions, starts))
