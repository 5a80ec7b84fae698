"""Which requirements clash, when no choice of options keeps them all, and what each would have to give way.

A clash lies between options and money: flows can always be served (waiting, overflow and breaches have their cost), so
the core without flows decides. Requirements are named groups of rows and column bounds that can be switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.formulation import MONEY, Core, build_core
from solver.linear_model import ModelArrays
from solver.problem import Ints, Problem


@dataclass(frozen=True)
class Requirement:
    """One requirement that could give way. Its rows are those of the core that hold it."""

    kind: str
    """pin_must, pin_least, bundle, crew, least_share, fund_balance (a budget), exclusive, prerequisite or committed."""
    subject: str
    rows: Ints
    unit: float = 1.0
    """What one unit of the rows is in the caller's unit (money in millions: 1e6)."""


@dataclass(frozen=True)
class Clash:
    """Requirements that can't hold together, none of which could be left out without the clash going away."""

    requirements: tuple[Requirement, ...]
    relaxation: tuple[float, ...]
    """The least by which each alone would have to give way, the others holding; infinite when that does not help."""


def find_clash(problem: Problem, limits: Limits | None = None) -> Clash | None:
    """A smallest clash, or None when some choice of options keeps every requirement."""
    core, how = build_core(problem), limits or Limits()
    arrays = _without_flows(core)
    groups = requirements_of(core)
    if _feasible(arrays, how):
        return None
    kept = list(range(len(groups)))
    for number in list(kept):
        # leave one out; when the rest still clash it was not needed
        rest = [other for other in kept if other != number]
        if not _feasible(_switched(arrays, groups, rest), how):
            kept = rest
    mine = tuple(groups[number] for number in kept)
    others = _switched(arrays, groups, kept)
    return Clash(mine, tuple(_least_relaxation(others, requirement, how) for requirement in mine))


def requirements_of(core: Core) -> list[Requirement]:
    """Every requirement of a problem that a caller could give up, budgets last so that pins are named before them."""
    problem, rows = core.problem, core.model.rows
    found: list[Requirement] = []

    def block(name: str) -> Ints:
        here = rows.get(name)
        return np.arange(here.start, here.stop) if here is not None else np.zeros(0, np.int64)

    options = problem.options
    if problem.pins is not None:
        musts, leasts = np.nonzero(problem.pins.must)[0], np.nonzero(problem.pins.least_modules > 0)[0]
        named: Mapping[str, Ints] = {"pin_must": musts, "pin_least": leasts}
        for kind, members in named.items():
            for row, j in zip(block(kind), members, strict=True):
                unit = float(options.module[j]) if kind == "pin_least" else 1.0
                found.append(Requirement(kind, options.labels[j], np.array([row]), unit))
        bundles = problem.pins.bundle
        members = np.nonzero(bundles >= 0)[0]
        _, first = np.unique(bundles[members], return_index=True)
        others = np.setdiff1d(members, members[first])
        for number in np.unique(bundles[members]):
            labels = ", ".join(options.labels[j] for j in members[bundles[members] == number])
            found.append(Requirement("bundle", labels, block("bundle")[bundles[others] == number]))
    groups = np.unique(options.exclusive[options.exclusive >= 0])
    for row, group in zip(block("exclusive"), groups, strict=True):
        labels = ", ".join(options.labels[j] for j in np.nonzero(options.exclusive == group)[0])
        found.append(Requirement("exclusive", labels, np.array([row])))
    waiting = np.nonzero(options.prerequisite >= 0)[0]
    for some, j in zip(block("prerequisite").reshape(len(waiting), len(problem.periods)), waiting, strict=True):
        found.append(Requirement("prerequisite", f"{options.labels[j]} after {options.labels[options.prerequisite[j]]}", some))
    if problem.crews is not None:
        owner, year = np.nonzero(np.isfinite(problem.crews.limit))
        for row, at, f in zip(block("crew"), owner, year, strict=True):
            found.append(Requirement("crew", f"{problem.owners[at]} in {problem.years[f]}", np.array([row])))
    if problem.shares is not None:
        for row, label in zip(block("least_share"), problem.shares.labels, strict=True):
            found.append(Requirement("least_share", label, np.array([row]), 1 / MONEY))
    balance = block("fund_balance").reshape(problem.funds.amount.shape)
    for g, label in enumerate(problem.funds.labels):
        found.append(Requirement("fund_balance", label, balance[g], 1 / MONEY))
    return found


def _without_flows(core: Core) -> ModelArrays:
    arrays = core.model.arrays()
    lower, upper = arrays.row_lower.copy(), arrays.row_upper.copy()
    lower[core.coupling_rows()], upper[core.coupling_rows()] = -np.inf, np.inf
    upper[core.model.rows.get("purse_ceiling", slice(0, 0))] = np.inf  # follows from the budgets, which may give way
    return replace(arrays, cost=np.zeros_like(arrays.cost), row_lower=lower, row_upper=upper)


def _switched(arrays: ModelArrays, groups: list[Requirement], kept: list[int]) -> ModelArrays:
    """The model with only these requirements."""
    off = np.concatenate([group.rows for number, group in enumerate(groups) if number not in set(kept)] or [np.zeros(0, np.int64)])
    lower, upper = arrays.row_lower.copy(), arrays.row_upper.copy()
    lower[off], upper[off] = -np.inf, np.inf
    return replace(arrays, row_lower=lower, row_upper=upper)


def _feasible(arrays: ModelArrays, limits: Limits) -> bool:
    return HighsBackend().solve(arrays, limits).x is not None


def _least_relaxation(arrays: ModelArrays, requirement: Requirement, limits: Limits) -> float:
    """The least sum by which the requirement's rows have to be passed for the rest to be kept."""
    rows = requirement.rows
    count = len(rows)
    slack = sparse.csc_matrix(
        (np.concatenate([np.ones(count), -np.ones(count)]), (np.concatenate([rows, rows]), np.arange(2 * count))),
        shape=(len(arrays.row_lower), 2 * count),
    )
    # a requirement of either sense: what is missing is added, what is too much is taken
    relaxed = replace(
        arrays,
        cost=np.concatenate([np.zeros_like(arrays.cost), np.ones(2 * count)]),
        lower=np.concatenate([arrays.lower, np.zeros(2 * count)]),
        upper=np.concatenate([arrays.upper, np.full(2 * count, np.inf)]),
        integer=np.concatenate([arrays.integer, np.zeros(2 * count, bool)]),
        matrix=sparse.csc_matrix(sparse.hstack([arrays.matrix, slack])),
        offset=0.0,
    )
    solved = HighsBackend().solve(relaxed, limits)
    return float("inf") if solved.x is None else float(solved.objective) * requirement.unit
