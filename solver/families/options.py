"""What is built: starts, sizes, stages, and what they ask of each other."""

from __future__ import annotations

import numpy as np

from solver.linear_model import LinearModel
from solver.problem import Ints, Problem

MONEY = 1e-6
"""Scale of money inside the model."""


def decision_columns(problem: Problem, model: LinearModel) -> tuple[Ints, Ints, Ints]:
    """start[k] in {0,1}, modules[k] integer, stage[k] in {0,1} for options that may open in stages."""
    options = problem.options
    j = options.start_option
    committed = options.committed_start[j] >= 0
    chosen = committed & (options.committed_start[j] == np.arange(len(j)))
    low = np.where(chosen, 1.0, 0.0)
    high = np.where(committed & ~chosen, 0.0, 1.0)
    start = model.add_columns("start", len(j), cost=options.fixed_cost * MONEY, lower=low, upper=high, integer=True)
    most = np.where(committed, np.where(chosen, options.committed_modules[j], 0), options.max_modules[j])
    least = np.where(chosen, options.committed_modules[j], 0)
    modules = model.add_columns("modules", len(j), cost=options.module_cost * MONEY, lower=least, upper=most, integer=True)
    staged = np.nonzero((options.max_stages[j] > 1) & ~committed)[0]
    stage = np.full(len(j), -1)
    stage[staged] = model.add_columns("stage", len(staged), cost=options.stage_cost[staged] * MONEY, upper=1.0, integer=True)
    return start, modules, stage


def start_once(problem: Problem, model: LinearModel, start: Ints) -> None:
    """Each option starts at most once: sum over k of j of start[k] <= 1."""
    options = problem.options
    rows = model.add_rows("start_once", len(options.labels), upper=1.0)
    model.add_entries(rows[options.start_option], start, 1.0)


def module_sizes(problem: Problem, model: LinearModel, start: Ints, modules: Ints, stage: Ints) -> None:
    """min start[k] + stage[k] <= modules[k] <= max (start[k] + stage[k]); sum over k <= max."""
    options = problem.options
    j = options.start_option
    low = model.add_rows("module_least", len(j), lower=0.0)
    model.add_entries(low, modules, 1.0)
    model.add_entries(low, start, -np.where(options.committed_start[j] >= 0, 0, options.min_modules[j]).astype(float))
    high = model.add_rows("module_most", len(j), upper=0.0)
    model.add_entries(high, modules, 1.0)
    model.add_entries(high, start, -np.maximum(options.max_modules[j], options.committed_modules[j]).astype(float))
    staged = np.nonzero(stage >= 0)[0]
    model.add_entries(low[staged], stage[staged], -1.0)
    model.add_entries(high[staged], stage[staged], -options.max_modules[j[staged]].astype(float))
    total = model.add_rows("module_total", len(options.labels), upper=np.maximum(options.max_modules, options.committed_modules))
    model.add_entries(total[j], modules, 1.0)


def stages_after_start(problem: Problem, model: LinearModel, start: Ints, stage: Ints) -> None:
    """A later stage needs an earlier start: stage[k] <= sum of start[k'] opened before; at most max_stages - 1 of them."""
    options = problem.options
    staged = np.nonzero(stage >= 0)[0]
    rows = model.add_rows("stage_after", len(staged), upper=0.0)
    model.add_entries(rows, stage[staged], 1.0)
    for row, k in zip(rows, staged, strict=True):
        before = np.nonzero((options.start_option == options.start_option[k]) & (options.start_opens < options.start_opens[k]))[0]
        model.add_entries(row, start[before], -1.0)
    several = np.unique(options.start_option[staged])
    most = model.add_rows("stage_most", len(several), upper=options.max_stages[several] - 1.0)
    model.add_entries(most[np.searchsorted(several, options.start_option[staged])], stage[staged], 1.0)


def exclusive_groups(problem: Problem, model: LinearModel, start: Ints) -> None:
    """At most one option of an exclusive group starts."""
    group = problem.options.exclusive
    groups = np.unique(group[group >= 0])
    rows = model.add_rows("exclusive", len(groups), upper=1.0)
    k = np.nonzero(group[problem.options.start_option] >= 0)[0]
    model.add_entries(rows[np.searchsorted(groups, group[problem.options.start_option[k]])], start[k], 1.0)


def prerequisites(problem: Problem, model: LinearModel, start: Ints) -> None:
    """An option opens at least ``lag`` periods after the one it needs: opened[j, t] <= opened[needed, t - lag] in every period t."""
    options, periods = problem.options, len(problem.periods)
    waiting = np.nonzero(options.prerequisite >= 0)[0]
    lag = np.zeros(len(options.labels), np.int64) if problem.pins is None else problem.pins.lag
    rows = model.add_rows("prerequisite", len(waiting) * periods, upper=0.0).reshape(len(waiting), periods)
    for row, j in zip(rows, waiting, strict=True):
        for k in np.nonzero(options.start_option == j)[0]:
            model.add_entries(row[options.start_opens[k] :], start[k], 1.0)
        for k in np.nonzero(options.start_option == options.prerequisite[j])[0]:
            model.add_entries(row[options.start_opens[k] + lag[j] :], start[k], -1.0)


def pins(problem: Problem, model: LinearModel, start: Ints, modules: Ints) -> None:
    """What the caller insists on: sum over k of start[k] >= 1 (must), sum over k of modules[k] >= least."""
    if problem.pins is None:
        return
    of_start = problem.options.start_option
    for name, asked, columns, least in (
        ("pin_must", problem.pins.must, start, np.ones(len(problem.pins.must))),
        ("pin_least", problem.pins.least_modules > 0, modules, problem.pins.least_modules),
    ):
        options = np.nonzero(asked)[0]
        rows = model.add_rows(name, len(options), lower=least[options])
        k = np.nonzero(np.isin(of_start, options))[0]
        model.add_entries(rows[np.searchsorted(options, of_start[k])], columns[k], 1.0)


def bundles(problem: Problem, model: LinearModel, start: Ints) -> None:
    """Options of a bundle are built all or none: sum over k of start[k] is the same for each."""
    if problem.pins is None:
        return
    bundle, of_start = problem.pins.bundle, problem.options.start_option
    members = np.nonzero(bundle >= 0)[0]
    _, first = np.unique(bundle[members], return_index=True)
    leaders = members[first]
    others = np.setdiff1d(members, leaders)
    rows = model.add_rows("bundle", len(others), lower=0.0, upper=0.0)
    for row, j in zip(rows, others, strict=True):
        leader = leaders[bundle[leaders] == bundle[j]][0]
        model.add_entries(row, start[of_start == j], 1.0)
        model.add_entries(row, start[of_start == leader], -1.0)


def crews(problem: Problem, model: LinearModel, start: Ints) -> None:
    """Options of an owner under construction in a year: sum of start[k] x building[k, f] <= limit[l, f]."""
    if problem.crews is None:
        return
    limit = problem.crews.limit
    rows = np.full(limit.shape, -1)
    limited = np.isfinite(limit)
    rows[limited] = model.add_rows("crew", int(limited.sum()), upper=limit[limited])
    k, year = np.nonzero(problem.crews.building)
    row = rows[problem.options.owner[problem.options.start_option[k]], year]
    model.add_entries(row[row >= 0], start[k[row >= 0]], 1.0)
