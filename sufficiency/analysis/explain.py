"""Why a plan is as it is: what another million would buy, what was not chosen and why, who is without a place and why.

Candidates are ranked at the plan's prices of places (the duals of its flows); the best are solved again, so that what is
reported as a gain is the difference of two true costs, with the plan's own projects kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from solver.conflicts import find_clash
from solver.decomposition.search import NoPlanError
from solver.problem import Problem
from solver.result import Decisions, Solution
from solver.solve import solve
from solver.variants import forbidding, keeping, lift, lower, with_money
from sufficiency.analysis.reopened import Reopened
from sufficiency.clash import clash_problems
from sufficiency.workflow import Say

TRIED = 2
"""Additions that are solved again for each council."""
LEAST_GAP, SECONDS = 0.005, 60.0
"""How closely, and for how long at most, the plan without a project is sought."""


def marginal_value(plan: Reopened, extra_gbp: float, councils: Sequence[str] | None, year: str | None, say: Say) -> pd.DataFrame:
    """What ``extra_gbp`` more would save, by council: the plan kept, the best affordable addition solved again.

    ``estimate_gbp``: the same money spent at the best ratio of saving to spending at the plan's prices, parts of projects allowed
    (what the dual of a linear programme says). ``year``: financial year in which the money comes; None = the first of the programme.
    """
    problem, options = plan.problem, plan.problem.options
    f = problem.years.index(year) if year else int(np.argmax(problem.funds.amount.sum(axis=0) > 0))
    rows = []
    for owner, council in enumerate(problem.owners):
        if councils is not None and council not in councils:
            continue
        say(f"GBP {extra_gbp:,.0f} more for {council}")
        richer = _with_more(problem, owner, f, extra_gbp)
        ranked = []
        for j in np.nonzero((options.owner == owner) & ~plan.built)[0].tolist():
            ranked += [(j, *one) for size in _sizes(plan, j, extra_gbp) if (one := plan.best_start(j, size)) and one[2] > 0]
        ranked.sort(key=lambda row: -row[3])
        estimate = max((net / max(spend, 1.0) for _, _, _, net, spend in ranked), default=0.0) * extra_gbp
        best: tuple[float, int, int] | None = None
        tried = 0
        for option, k, size, _, _ in ranked:
            if tried == TRIED:
                break
            more = plan.added(k, size)
            if not _allowed(richer, more):
                continue
            tried += 1
            saved = plan.plan.upper - plan.cost_of(more, richer).upper
            if best is None or saved > best[0]:
                best = (saved, option, size)
        rows.append(
            {
                "council_code": council,
                "financial_year": problem.years[f],
                "extra_gbp": extra_gbp,
                "saving_gbp": max(0.0, best[0]) if best else 0.0,
                "estimate_gbp": estimate,
                "project_id": options.labels[best[1]] if best and best[0] > 0 else "",
                "places": float(options.module[best[1]] * best[2]) if best and best[0] > 0 else 0.0,
            }
        )
    columns = ["council_code", "financial_year", "extra_gbp", "saving_gbp", "estimate_gbp", "project_id", "places"]
    return pd.DataFrame(rows, columns=columns).sort_values("saving_gbp", ascending=False, ignore_index=True)


def _sizes(plan: Reopened, j: int, extra_gbp: float) -> set[int | None]:
    """The best size, and the largest that the extra money alone pays for."""
    options = plan.problem.options
    starts = np.nonzero(options.start_option == j)[0]
    if not len(starts) or options.max_modules[j] == 0:
        return {None}
    k = starts[0]
    each = float(options.module_spend[k].sum())
    size = int((extra_gbp - options.fixed_spend[k].sum()) // each) if each > 0 else 0
    return {None, int(np.clip(size, options.min_modules[j], options.max_modules[j]))}


def _with_more(problem: Problem, owner: int, year: int, extra_gbp: float) -> Problem:
    """The money goes to the fund of the council that may pay for most kinds."""
    able = problem.funds.eligible[:, owner].sum(axis=1) - 0.01 * problem.funds.eligible.sum(axis=(1, 2))
    extra = np.zeros_like(problem.funds.amount)
    if problem.funds.eligible[:, owner].any():
        extra[int(np.argmax(able)), year] = extra_gbp
    return with_money(problem, extra)


def _allowed(problem: Problem, decisions: Decisions) -> bool:
    """Whether money and all else that holds without flows allow these projects."""
    return find_clash(_forced(problem, decisions)) is None


def _built(problem: Problem, decisions: Decisions) -> np.ndarray[Any, np.dtype[np.bool_]]:
    options = problem.options
    return np.bincount(options.start_option, decisions.start, len(options.labels)) > 0


def not_chosen(plan: Reopened, most: int | None = None) -> pd.DataFrame:
    """Projects that the plan leaves out, the most valuable first, with what each lacked.

    ``net_saving_gbp`` at the plan's prices (GBP present value); ``lacking_gbp``: money that was missing for it beside the plan.
    """
    problem, options = plan.problem, plan.problem.options
    table = plan.formulation.projects.set_index("project_id")
    groups = {int(g) for g in options.exclusive[plan.built] if g >= 0}
    rows = []
    for j in np.nonzero(~plan.built)[0]:
        best = plan.best_start(int(j))
        label = options.labels[j]
        row = {"project_id": label, "name": str(table["name"][label]), "council_code": problem.owners[options.owner[j]]}
        if best is None:
            nothing = {"places": 0.0, "capital_gbp": 0.0, "net_saving_gbp": 0.0, "lacking_gbp": 0.0}
            rows.append(row | nothing | {"reason": "lead time", "said": "It can't open within the planning years."})
            continue
        k, size, net, spend = best
        reason, said, lacking = _reason(plan, int(j), k, size, net, groups)
        rows.append(
            row
            | {
                "places": float(options.module[j] * size),
                "capital_gbp": spend,
                "net_saving_gbp": net,
                "reason": reason,
                "said": said,
                "lacking_gbp": lacking,
            }
        )
    columns = ["project_id", "name", "council_code", "places", "capital_gbp", "net_saving_gbp", "reason", "said", "lacking_gbp"]
    found = pd.DataFrame(rows, columns=columns).sort_values(["net_saving_gbp", "project_id"], ascending=[False, True], ignore_index=True)
    return found if most is None else found.head(most)


def _reason(plan: Reopened, j: int, k: int, size: int, net: float, groups: set[int]) -> tuple[str, str, float]:
    """(code, words, missing money) of what kept a project out."""
    if net <= 0:
        return "not worth it", f"At the plan's prices it costs GBP {-net:,.0f} more than it saves.", 0.0
    if int(plan.problem.options.exclusive[j]) in groups:
        return "excluded", "Another project of its group is built.", 0.0
    forced = _forced(plan.problem, plan.added(k, size))
    clash = find_clash(forced)
    if clash is None:
        return "not worth it", "There is money for it, but with the plan built it no longer saves what it costs.", 0.0
    missing = zip(clash.requirements, clash.relaxation, strict=True)
    # any one of the funds that could pay would do
    lacking = min((least for one, least in missing if one.kind == "fund_balance" and np.isfinite(least)), default=0.0)
    named = clash_problems(replace(plan.formulation, problem=forced))
    words = "; ".join(str(problem.remedy) for problem in named if problem.file != "request")
    return ("no budget" if lacking else "ruled out"), words, float(lacking)


def _forced(problem: Problem, decisions: Decisions) -> Problem:
    """Just these projects, all of them."""
    held, _ = keeping(problem, decisions)
    return forbidding(held, np.nonzero(~_built(problem, decisions))[0])[0]


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

    ``extra_gbp``: what the plan without it costs more; those within ``within`` of the cost are alternatives, the others show how
    much the project is worth.
    """
    problem, options = plan.problem, plan.problem.options
    spend = plan.plan.decisions.start * options.fixed_spend.sum(axis=1) + plan.plan.decisions.modules * options.module_spend.sum(axis=1)
    by_option = np.bincount(options.start_option, spend, len(options.labels))
    free = np.nonzero(plan.built & (options.committed_start < 0))[0]
    rows = []
    for j in free[np.argsort(-by_option[free], kind="stable")][:most]:
        say(f"Without {options.labels[j]}")
        other = without_project(plan, int(j))
        if other is None:
            continue
        gained = _built(problem, other.decisions) & ~plan.built
        rows.append(
            {
                "without": options.labels[j],
                "extra_gbp": other.upper - plan.plan.upper,
                "within": bool(other.upper <= plan.plan.upper * (1 + within)),
                "instead": "|".join(options.labels[i] for i in np.nonzero(gained)[0]),
            }
        )
    return pd.DataFrame(rows, columns=["without", "extra_gbp", "within", "instead"])


def without_project(plan: Reopened, option: int) -> Solution | None:
    """The best plan that leaves a project out; None when there is none."""
    fewer, starts = forbidding(plan.problem, np.array([option]))
    start = lower(plan.plan.decisions, starts)
    how = replace(plan.how, gap=max(plan.how.gap, LEAST_GAP), seconds=min(plan.how.seconds, SECONDS))
    try:
        found = solve(fewer, how, known_flows=[plan.counterfactual.flows], candidates=[start])
    except NoPlanError:
        return None
    return replace(found, decisions=lift(found.decisions, starts))
