"""What more capital is worth to a council, a partnership or a region, in a financial year.

anew     plan again without more money: what that finds no money is needed for
duals    what a pound more would save if parts of projects could be built: where money counts most
again    plan with the money, from what is known; two plans with their bounds say between what its worth lies
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.backends.protocol import Limits
from solver.conflicts import find_clash
from solver.problem import Problem
from solver.result import Decisions, Solution
from solver.solve import solve
from solver.worth import Relaxation, bound_with, money_duals, relaxation, with_purse
from sufficiency.analysis.reopened import Reopened, built_by, just
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.workflow import Say

TRIED = 2
"""Additions to the plan that each search with more money begins from."""
POUND = 1.0
COLUMNS = (
    "level", "name", "council_code", "financial_year", "extra_gbp", "dual_gbp", "status", "saving_gbp", "least_gbp", "most_gbp", "gap",
    "project_id", "places", "said",
)  # fmt: skip


@dataclass(frozen=True)
class Purse:
    """Who may spend the money."""

    level: str
    """council, partnership or region"""
    name: str
    council_code: str
    """Empty for several councils."""
    owners: NDArray[np.bool_]
    """(L,)"""


def purses_of(plan: Reopened) -> list[Purse]:
    """Every council; every partnership and region with more than one council."""
    councils = plan.formulation.case.councils.set_index("council_code").reindex(list(plan.problem.owners))
    owners = np.array(plan.problem.owners)
    found = [Purse("council", str(name), str(code), owners == code) for code, name in councils["council_name"].items()]
    for level, column in (("partnership", "partnership"), ("region", "region_name")):
        for name, members in councils.groupby(column).groups.items():
            if len(members) > 1:
                found.append(Purse(level, str(name), "", np.isin(owners, members)))
    return found


def marginal_value(
    plan: Reopened,
    extra_gbp: float,
    say: Say,
    *,
    who: Collection[str] = (),
    years: Sequence[str] = (),
    most: int = 3,
) -> pd.DataFrame:
    """What ``extra_gbp`` more would save, by council, partnership, region and financial year, GBP present value.

    ``who``: council codes, or names of councils, partnerships and regions, all of them planned again; none = the ``most`` with the highest
    dual, each in its best year. ``years``: financial years; none = those in which any fund has money. The money is a grant.
    Raises InputError when one of them is not known.
    """
    problem = plan.problem
    _check(plan, who, years)
    purses = [purse for purse in purses_of(plan) if not who or purse.name in who or purse.council_code in who]
    asked = [problem.years.index(year) for year in years] or np.nonzero(problem.funds.amount.sum(axis=0) > 0)[0].tolist() or [0]
    say("The plan again, without more money")
    anew = plan.anew
    say("Duals of money")
    relaxed, duals = _duals(plan, purses)
    rows = [(n, f, float(duals[n, f])) for n in range(len(purses)) for f in asked]
    rows.sort(key=lambda row: -row[2])
    first = list({n: (n, f) for n, f, _ in reversed(rows)}.values())
    first.sort(key=lambda one: -duals[one])
    chosen = {(n, f) for n, f, _ in rows} if who else set(first[:most])
    table = []
    for n, f, dual in rows:
        row = {
            "level": purses[n].level, "name": purses[n].name, "council_code": purses[n].council_code, "financial_year": problem.years[f],
            "extra_gbp": extra_gbp, "dual_gbp": dual * extra_gbp, "status": "dual only", "project_id": "", "said": "Not planned again.",
        }  # fmt: skip
        if (n, f) in chosen and not plan.how.interrupted():
            say(f"GBP {extra_gbp:,.0f} more for {purses[n].name} in {problem.years[f]}")
            extra = np.zeros_like(relaxed.problem.funds.amount)
            extra[len(problem.funds.labels) + n, f] = extra_gbp
            row |= _worth(plan, anew, purses[n], f, extra_gbp, bound_with(relaxed, extra, _limits(plan)) if anew.proof else -np.inf)
        table.append(row)
    found = pd.DataFrame(table, columns=COLUMNS)
    return found.sort_values(["status", "saving_gbp", "dual_gbp"], ascending=[False, False, False], ignore_index=True)


def _check(plan: Reopened, who: Collection[str], years: Sequence[str]) -> None:
    known = {name for purse in purses_of(plan) for name in (purse.name, purse.council_code) if name}
    wrong = [
        InputProblem("question", "nobody of that name has funds here", f"One of: {', '.join(sorted(known))}.", column="for", value=name)
        for name in who
        if name not in known
    ] + [
        InputProblem("question", "no such financial year", f"One of: {', '.join(plan.problem.years)}.", column="year", value=year)
        for year in years
        if year not in plan.problem.years
    ]
    if wrong:
        raise InputError(wrong)


def _limits(plan: Reopened) -> Limits:
    how = plan.brief
    return Limits(gap=1e-4, seconds=how.seconds, threads=how.threads, seed=how.seed)


def _duals(plan: Reopened, purses: Sequence[Purse]) -> tuple[Relaxation, NDArray[np.float64]]:
    """The relaxation with an empty purse for each, and (purses, F) what a pound in it would save."""
    problem = plan.problem
    for n, purse in enumerate(purses):
        problem = with_purse(problem, f"purse {n}", purse.owners, 0, 0.0)
    relaxed = relaxation(problem, plan.anew.proof)
    return relaxed, money_duals(relaxed, _limits(plan))[len(plan.problem.funds.labels) :]


def _worth(plan: Reopened, anew: Solution, purse: Purse, year: int, extra_gbp: float, bound: float) -> dict[str, object]:
    """Planned with the money: what that saves, and between what its worth lies."""
    richer = with_purse(plan.problem, "more", purse.owners, year, extra_gbp)
    known = _additions(replace(plan, plan=anew), richer, purse, extra_gbp)
    flows = [plan.counterfactual.flows, anew.flows]
    found = solve(richer, plan.brief, known_flows=flows, candidates=[*known, plan.plan.decisions], start=anew)
    upper = min(found.upper, anew.upper)
    lower = min(max(found.lower, bound), upper)
    saving, least, most = anew.upper - upper, max(0.0, anew.lower - upper), anew.upper - lower
    gained = np.zeros(len(plan.problem.options.labels), bool)
    places = 0.0
    if saving > POUND:
        gained = built_by(richer, found.decisions) & ~built_by(richer, anew.decisions)
        module = richer.options.module[richer.options.start_option]
        places = float(module @ (found.decisions.modules - anew.decisions.modules))
    return {
        "status": "planned again", "saving_gbp": saving, "least_gbp": least, "most_gbp": most, "gap": (upper - lower) / abs(upper),
        "project_id": "|".join(richer.options.labels[j] for j in np.nonzero(gained)[0]), "places": places,
        "said": _said(saving, least, most),
    }  # fmt: skip


def _said(saving: float, least: float, most: float) -> str:
    if most <= POUND:
        return "No plan gains by it."
    if saving <= POUND:
        return f"No plan was found that gains by it; it is worth GBP {most:,.0f} at most."
    if most - least <= POUND:
        return f"Worth GBP {most:,.0f}."
    between = f"Worth between GBP {least:,.0f} and GBP {most:,.0f}"
    return f"{between}." if least > POUND else f"{between}: the plans found differ by less than what they may be above the best."


def _additions(plan: Reopened, richer: Problem, purse: Purse, extra_gbp: float) -> list[Decisions]:
    """The plan with one project more, of those that the money allows the best at the plan's prices of places."""
    options = plan.problem.options
    ranked = []
    for j in np.nonzero(purse.owners[options.owner] & ~plan.built)[0].tolist():
        ranked += [one for size in _sizes(plan, j, extra_gbp) if (one := plan.best_start(j, size)) and one[2] > 0]
    ranked.sort(key=lambda row: -row[2])
    found: list[Decisions] = []
    for k, size, _, _ in ranked:
        if len(found) == TRIED:
            break
        more = plan.added(k, size)
        if find_clash(just(richer, more)) is None:
            found.append(more)
    return found


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
