"""What a plan leaves out: what each project would have saved beside it, and what it lacked.

rank    every project left out, by what it would save at the plan's prices of places: its first place's price for all, too high
add     the foremost are added to the plan, money aside, and who goes where is worked out again: what they would save
lack    projects and money without flows say what kept each out
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from solver.conflicts import Clash, find_clash
from solver.problem import Problem
from solver.worth import with_purse
from sufficiency.analysis.reopened import Reopened, just
from sufficiency.clash import clash_problems
from sufficiency.workflow import Say

SIZES = 3
"""Sizes tried below the largest."""
COLUMNS = (
    "project_id", "name", "council_code", "places", "capital_gbp", "net_saving_gbp", "least_gbp", "most_gbp", "status", "reason", "said",
    "lacking_gbp",
)  # fmt: skip


@dataclass(frozen=True)
class Addition:
    """A project beside the plan, at a size and start; money in GBP present value but for what it spends."""

    start: int
    modules: int
    saves: float
    least: float
    most: float
    """Between what the saving lies: both costs are known to within their gap."""
    spends: float


def not_chosen(plan: Reopened, say: Say, most: int = 20) -> pd.DataFrame:
    """Projects that the plan leaves out, the most valuable first, with what each lacked.

    ``net_saving_gbp``: what the plan with the project would cost less than without it, money aside (GBP present value). The ``most``
    foremost are *solved again*; for the others *estimate*: each place at the price of the first, too high. ``lacking_gbp``: money that
    was missing for it beside the plan.
    """
    problem, options = plan.problem, plan.problem.options
    names = plan.formulation.projects.set_index("project_id")["name"]
    groups = {int(g) for g in options.exclusive[plan.built] if g >= 0}
    ranked = [(int(j), plan.best_start(int(j))) for j in np.nonzero(~plan.built)[0]]
    ranked.sort(key=lambda one: -one[1][2] if one[1] else np.inf)
    rows, solved = [], 0
    for j, best in ranked:
        label = options.labels[j]
        row = {"project_id": label, "name": str(names[label]), "council_code": problem.owners[options.owner[j]], "lacking_gbp": 0.0}
        if best is None:
            said = {"reason": "lead time", "said": "It can't open within the planning years.", "status": "none"}
            rows.append(row | {"places": 0.0, "capital_gbp": 0.0, "net_saving_gbp": 0.0} | said)
            continue
        k, size, net, spends = best
        status, found = "estimate", Addition(k, size, net, np.nan, np.nan, spends)
        excluded = int(options.exclusive[j]) in groups
        if net > 0 and not excluded and solved < most and not plan.how.interrupted() and _possible(plan, k, size):
            say(f"With {label}")
            found, status, solved = added(plan, j, k, size), "solved again", solved + 1
        reason, words, lacking = _reason(plan, found, excluded, status == "solved again")
        rows.append(
            row
            | {
                "places": float(options.module[j] * found.modules),
                "capital_gbp": found.spends,
                "net_saving_gbp": found.saves,
                "least_gbp": found.least,
                "most_gbp": found.most,
                "status": status,
                "reason": reason,
                "said": words,
                "lacking_gbp": lacking,
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["status", "net_saving_gbp", "project_id"], ascending=[False, False, True], ignore_index=True)


def added(plan: Reopened, j: int, k: int, most: int) -> Addition:
    """The project beside the plan at its largest size, or at a smaller one where its last places are not worth their cost.

    What a size saves is concave: the tangents at a size that is too small and at one that is too large cross where the best is expected.
    """
    best, slope = _at_size(plan, j, k, most)
    fixed, each = plan.net_by_start
    small, large = (0, float(fixed[k]), float(each[k])), (most, best.saves, slope)
    for _ in range(SIZES):
        if large[2] >= 0 or small[2] <= 0 or plan.how.interrupted():
            break
        cross = (large[1] - small[1] + small[2] * small[0] - large[2] * large[0]) / (small[2] - large[2])
        size = max(int(plan.problem.options.min_modules[j]), round(cross))
        if not small[0] < size < large[0]:
            break
        tried, slope = _at_size(plan, j, k, size)
        best = max(best, tried, key=lambda one: one.saves)
        small, large = ((size, tried.saves, slope), large) if slope > 0 else (small, (size, tried.saves, slope))
    return best


def _at_size(plan: Reopened, j: int, k: int, modules: int) -> tuple[Addition, float]:
    """The plan with the project, and what one module more would save there."""
    problem, options = _richer(plan, k, modules), plan.problem.options
    found = plan.cost_of(plan.added(k, modules), problem)
    slope = -float(options.module_cost[k])
    if options.pool[j] >= 0:
        opened = options.module[j] * options.open_share(len(problem.periods))[k]
        slope += float(opened @ found.capacity_price[options.pool[j]])
    spends = float(options.fixed_spend[k].sum() + modules * options.module_spend[k].sum())
    before = plan.plan
    return Addition(k, modules, before.upper - found.upper, before.lower - found.upper, before.upper - found.lower, spends), slope


def _richer(plan: Reopened, k: int, modules: int) -> Problem:
    """The plan's problem with the money for a project beside it, when it is spent."""
    problem, options = plan.problem, plan.problem.options
    mine = np.arange(len(problem.owners)) == options.owner[options.start_option[k]]
    for year, amount in enumerate(options.fixed_spend[k] + modules * options.module_spend[k]):
        if amount > 0:
            problem = with_purse(problem, f"for {k} in {year}", mine, year, float(amount), grant=False)
    return problem


def _possible(plan: Reopened, k: int, modules: int) -> bool:
    """Whether all but money allows the project beside the plan."""
    return find_clash(just(_richer(plan, k, modules), plan.added(k, modules))) is None


def _reason(plan: Reopened, addition: Addition, excluded: bool, solved: bool) -> tuple[str, str, float]:
    """(code, words, missing money) of what kept a project out."""
    if excluded:
        return "excluded", "Another project of its group is built.", 0.0
    if addition.saves <= 0:
        though = "" if solved else ", though each of its places is counted at the price of the first"
        return "not worth it", f"Beside the plan it costs GBP {-addition.saves:,.0f} more than it saves{though}.", 0.0
    forced = just(plan.problem, plan.added(addition.start, addition.modules))
    clash = find_clash(forced)
    if clash is None and solved:
        return "gap", f"There is money for it: the plan is GBP {addition.saves:,.0f} above the best. Ask for a smaller gap.", 0.0
    if clash is None:
        return "not worth it", "There is money for it, but the search left it out; what it would save was not worked out again.", 0.0
    lacking = _lacking(clash)
    named = clash_problems(replace(plan.formulation, problem=forced))
    words = "; ".join(str(problem.remedy) for problem in named if problem.file != "request")
    return ("no budget" if lacking else "ruled out"), words, lacking


def _lacking(clash: Clash) -> float:
    """The least money that is missing: any one of the funds that could pay would do."""
    missing = zip(clash.requirements, clash.relaxation, strict=True)
    return float(min((least for one, least in missing if one.kind == "fund_balance" and np.isfinite(least)), default=0.0))
