"""The constraint families, one function each, on a sparse linear model.

The core holds every decision except who goes where: starts, sizes and stages of options, overflow,
latent users, payments. Who goes where enters as columns of ``capacity`` and ``displacement`` rows:
all arcs of a small problem, or blocks of cells in the decomposition (see ``decomposition``).

Money is scaled to millions inside the model so that rows of pupils and of money are of like size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.linear_model import INFINITY, LinearModel
from solver.problem import NEW, Ints, Problem

MONEY = 1e-6
"""Scale of money inside the model."""


@dataclass(frozen=True)
class Core:
    """The model without flows, and where its variables are."""

    problem: Problem
    model: LinearModel
    start: Ints
    """(K,) 1 when an option starts at k: first opening."""
    modules: Ints
    """(K,) modules opened by a start or stage."""
    stage: Ints
    """(K,) 1 when a later stage starts at k; -1 where options open at once."""
    overflow: Ints
    """(P, T) column or -1."""
    latent: Ints
    """(J, H, T) column or -1."""
    payment: Ints
    """(G, L, kinds, F) column or -1."""
    carried: Ints
    """(G, F)"""
    capacity_row: Ints
    """(P, T)"""
    displacement_row: Ints
    """(L, H, T) row or -1 where the limit can't bind."""


def build_core(problem: Problem) -> Core:
    """All families but the flows."""
    model = LinearModel(offset=problem.constant * MONEY)
    start, modules, stage = decision_columns(problem, model)
    overflow = overflow_columns(problem, model)
    latent = latent_columns(problem, model)
    payment, carried, returned = money_columns(problem, model)
    start_once(problem, model, start)
    module_sizes(problem, model, start, modules, stage)
    stages_after_start(problem, model, start, stage)
    exclusive_groups(problem, model, start)
    prerequisites(problem, model, start)
    capacity_row = capacity(problem, model, start, modules, overflow, latent)
    overflow_after_removal(problem, model, start, overflow)
    displacement_row = displacement(problem, model, latent)
    latent_limits(problem, model, modules, latent)
    spending(problem, model, start, modules, stage, payment)
    fund_balance(problem, model, payment, carried, returned)
    return Core(problem, model, start, modules, stage, overflow, latent, payment, carried, capacity_row, displacement_row)


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


def overflow_columns(problem: Problem, model: LinearModel) -> Ints:
    """overflow[i, t] >= 0: users above places, at ``overflow_cost`` a period."""
    pools = problem.pools
    limit = pools.overflow_limit.copy()
    options = problem.options
    shrinking = np.unique(options.source_pool[options.source_pool >= 0])
    may_grow = np.zeros(limit.shape, bool)
    may_grow[shrinking] = True
    where = (limit > 0) | may_grow
    columns = np.full(limit.shape, -1)
    weight = np.broadcast_to(problem.weight, limit.shape)
    columns[where] = model.add_columns(
        "overflow",
        int(where.sum()),
        cost=pools.overflow_cost * weight[where] * MONEY,
        upper=np.where(may_grow, INFINITY, limit)[where],
    )
    return columns


def latent_columns(problem: Problem, model: LinearModel) -> Ints:
    """latent[j, h, t] >= 0: users from beyond the demand in the new places of option j."""
    options, demand = problem.options, problem.demand
    families, periods = len(problem.families), len(problem.periods)
    columns = np.full((len(options.labels), families, periods), -1)
    accepted = np.zeros((families, len(problem.pools.labels)), bool)
    np.logical_or.at(accepted, demand.class_family, problem.pools.accepts)
    for j, pool in enumerate(options.pool):
        if pool < 0 or problem.pools.role[pool] != NEW:
            continue
        opens = options.start_opens[options.start_option == j]
        if not len(opens):
            continue
        usable = accepted[:, pool, None] & (problem.displacement.latent_limit[options.owner[j]] > 0)
        usable[:, : opens.min()] = False
        columns[j][usable] = 0
    where = columns >= 0
    weight = np.broadcast_to(problem.weight, columns.shape)
    columns[where] = model.add_columns("latent", int(where.sum()), cost=problem.displacement.latent_cost * weight[where] * MONEY)
    return columns


def money_columns(problem: Problem, model: LinearModel) -> tuple[Ints, Ints, Ints]:
    """payment[g, l, kind, f], carried[g, f] and returned[g, f], in millions."""
    options, funds = problem.options, problem.funds
    eligible = funds.eligible
    used = np.zeros(eligible.shape[1:], bool)
    used[options.owner, options.kind] = True
    shape = (*eligible.shape, len(problem.years))
    payment = np.full(shape, -1)
    where = np.broadcast_to((eligible & used)[..., None], shape)
    payment[where] = model.add_columns("payment", int(where.sum()))
    carried = model.add_columns("carried", funds.amount.size).reshape(funds.amount.shape)
    returned = model.add_columns("returned", funds.amount.size).reshape(funds.amount.shape)
    return payment, carried, returned


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
    """An option opens no earlier than the one it needs, in every period t: opened[j, t] <= opened[needed, t]."""
    options = problem.options
    waiting = np.nonzero(options.prerequisite >= 0)[0]
    rows = model.add_rows("prerequisite", len(waiting) * len(problem.periods), upper=0.0).reshape(len(waiting), len(problem.periods))
    for row, j in zip(rows, waiting, strict=True):
        for option, sign in ((j, 1.0), (options.prerequisite[j], -1.0)):
            for k in np.nonzero(options.start_option == option)[0]:
                model.add_entries(row[options.start_opens[k] :], start[k], sign)


def capacity(problem: Problem, model: LinearModel, start: Ints, modules: Ints, overflow: Ints, latent: Ints) -> Ints:
    """Use of pool i in period t + latent <= places + opened + kept - removed + overflow. Flows are added later."""
    options, pools = problem.options, problem.pools
    rows = model.add_rows("capacity", pools.capacity.size, upper=pools.capacity.ravel()).reshape(pools.capacity.shape)
    where = overflow >= 0
    model.add_entries(rows[where], overflow[where], -1.0)
    periods = np.arange(len(problem.periods))
    open_in = options.start_opens[:, None] <= periods[None, :]
    j = options.start_option
    k, t = np.nonzero(open_in & (options.pool[j] >= 0)[:, None])
    model.add_entries(rows[options.pool[j[k]], t], modules[k], -options.module[j[k]])
    k, t = np.nonzero(open_in & (options.source_pool[j] >= 0)[:, None])
    model.add_entries(rows[options.source_pool[j[k]], t], start[k], (options.removed - options.kept)[j[k]])
    where = latent >= 0
    option, _, period = np.nonzero(where)
    model.add_entries(rows[options.pool[option], period], latent[where], 1.0)
    return rows


def overflow_after_removal(problem: Problem, model: LinearModel, start: Ints, overflow: Ints) -> None:
    """Overflow of a pool that loses places: overflow[i, t] <= limit + removed x opened (those there may stay)."""
    options = problem.options
    periods = np.arange(len(problem.periods))
    sources = np.unique(options.source_pool[options.source_pool >= 0])
    rows = model.add_rows("overflow_limit", len(sources) * len(periods), upper=problem.pools.overflow_limit[sources].ravel())
    rows = rows.reshape(len(sources), len(periods))
    model.add_entries(rows, overflow[sources], 1.0)
    j = options.start_option
    k, t = np.nonzero((options.start_opens[:, None] <= periods[None, :]) & (options.source_pool[j] >= 0)[:, None])
    model.add_entries(rows[np.searchsorted(sources, options.source_pool[j[k]]), t], start[k], -options.removed[j[k]])


def displacement(problem: Problem, model: LinearModel, latent: Ints) -> Ints:
    """use of OUTSIDE + share x (use of NEW + latent) >= floor, by owner, family and period. Flows are added later."""
    floor = problem.displacement.floor
    binding = floor > 0
    rows = np.full(floor.shape, -1)
    rows[binding] = model.add_rows("displacement", int(binding.sum()), lower=floor[binding])
    option, family, period = np.nonzero(latent >= 0)
    owner = problem.options.owner[option]
    row = rows[owner, family, period]
    keep = row >= 0
    model.add_entries(row[keep], latent[option, family, period][keep], problem.displacement.share[family[keep]])
    return rows


def latent_limits(problem: Problem, model: LinearModel, modules: Ints, latent: Ints) -> None:
    """Latent users of an owner's options are at most latent_limit, and in an option at most its opened places."""
    options = problem.options
    where = latent >= 0
    option, family, period = np.nonzero(where)
    key = np.ravel_multi_index((options.owner[option], family, period), problem.displacement.latent_limit.shape)
    used, inverse = np.unique(key, return_inverse=True)
    rows = model.add_rows("latent_limit", len(used), upper=problem.displacement.latent_limit.ravel()[used])
    model.add_entries(rows[inverse], latent[where], 1.0)
    places = np.unique(option * len(problem.periods) + period)
    rows = model.add_rows("latent_places", len(places), upper=0.0)
    model.add_entries(rows[np.searchsorted(places, option * len(problem.periods) + period)], latent[where], 1.0)
    j = options.start_option
    k, t = np.nonzero(options.start_opens[:, None] <= np.arange(len(problem.periods))[None, :])
    position = np.searchsorted(places, j[k] * len(problem.periods) + t)
    found = (
        (position < len(places)) & (places[np.minimum(position, max(len(places) - 1, 0))] == j[k] * len(problem.periods) + t)
        if len(places)
        else np.zeros(len(k), bool)
    )
    model.add_entries(rows[position[found]] if len(places) else rows, modules[k[found]], -options.module[j[k[found]]])


def spending(problem: Problem, model: LinearModel, start: Ints, modules: Ints, stage: Ints, payment: Ints) -> None:
    """Spending on an owner's options of a kind in a year = payments of the funds that may pay for it."""
    options = problem.options
    j = options.start_option
    shape = payment.shape[1:]
    rows = model.add_rows("spending", int(np.prod(shape)), lower=0.0, upper=0.0).reshape(shape)
    row = rows[options.owner[j], options.kind[j]]
    model.add_entries(row, start[:, None], options.fixed_spend * MONEY)
    model.add_entries(row, modules[:, None], options.module_spend * MONEY)
    staged = np.nonzero(stage >= 0)[0]
    model.add_entries(row[staged], stage[staged, None], options.stage_spend[staged] * MONEY)
    where = payment >= 0
    model.add_entries(np.broadcast_to(rows, payment.shape)[where], payment[where], -1.0)


def fund_balance(problem: Problem, model: LinearModel, payment: Ints, carried: Ints, returned: Ints) -> None:
    """carried in + amount = payments + returned + carried out; carried out <= share x (carried in + amount)."""
    funds = problem.funds
    amount = funds.amount * MONEY
    balance = model.add_rows("fund_balance", amount.size, lower=amount.ravel(), upper=amount.ravel()).reshape(amount.shape)
    limit = model.add_rows("carry_limit", amount.size, upper=(funds.carry_share * amount).ravel()).reshape(amount.shape)
    model.add_entries(balance, carried, 1.0)
    model.add_entries(balance, returned, 1.0)
    model.add_entries(balance[:, 1:], carried[:, :-1], -1.0)
    model.add_entries(limit, carried, 1.0)
    model.add_entries(limit[:, 1:], carried[:, :-1], -funds.carry_share[:, 1:])
    where = payment >= 0
    rows = np.broadcast_to(balance[:, None, None, :], payment.shape)
    model.add_entries(rows[where], payment[where], 1.0)
