"""Where places are and who takes them: overflow, latent users, capacity, displacement, least use.

Who of the demand goes where is not here: flows enter the ``capacity`` and ``displacement`` rows later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.families.options import MONEY
from solver.linear_model import INFINITY, LinearModel
from solver.problem import NEW, Bools, Floats, Ints, Problem
from solver.result import Decisions


@dataclass(frozen=True)
class PlaceColumns:
    """Columns that stand beside the flows."""

    overflow: Ints
    """(P, T) column or -1."""
    latent: Ints
    """(P, H, T) column or -1."""
    idle: Ints
    """(P, T) open places without a user, where least use is asked; or -1."""
    shortfall: Ints
    """(P, T) users missing for the least use, or -1."""


def place_columns(problem: Problem, model: LinearModel) -> PlaceColumns:
    """All of them."""
    idle, shortfall = least_use_columns(problem, model)
    return PlaceColumns(overflow_columns(problem, model), latent_columns(problem, model), idle, shortfall)


def overflow_columns(problem: Problem, model: LinearModel) -> Ints:
    """overflow[i, t] >= 0: users above places, at ``overflow_cost`` a period."""
    pools = problem.pools
    limit = pools.overflow_limit
    may_grow = np.zeros(limit.shape, bool)
    may_grow[source_pools(problem)] = True
    where = (limit > 0) | may_grow
    columns = np.full(limit.shape, -1)
    weight = problem.pool_weight[:, None] * problem.weight
    columns[where] = model.add_columns(
        "overflow",
        int(where.sum()),
        cost=pools.overflow_cost * weight[where] * MONEY,
        upper=np.where(may_grow, INFINITY, limit)[where],
    )
    return columns


def latent_columns(problem: Problem, model: LinearModel) -> Ints:
    """latent[i, h, t] >= 0: users from beyond the demand in the new places of pool i."""
    columns = np.full((len(problem.pools.labels), len(problem.families), len(problem.periods)), -1)
    where = latent_places(problem)
    weight = np.broadcast_to(problem.pool_weight[:, None, None] * problem.weight, columns.shape)
    columns[where] = model.add_columns("latent", int(where.sum()), cost=problem.displacement.latent_cost * weight[where] * MONEY)
    return columns


def latent_places(problem: Problem) -> Bools:
    """(P, H, T) where latent users may be: new pools that accept a class of the family, once an option can have opened them."""
    pools, demand = problem.pools, problem.demand
    accepted = np.zeros((len(problem.families), len(pools.labels)), bool)
    np.logical_or.at(accepted, demand.class_family, pools.accepts)
    openable = np.zeros(pools.capacity.shape, bool)
    share = problem.options.open_share(len(problem.periods)) > 0
    for pool, k in option_pools(problem):
        np.logical_or.at(openable, pool, share[k])
    new = (pools.role == NEW)[:, None] & openable
    result: Bools = accepted.T[:, :, None] & new[:, None, :] & (problem.displacement.latent_limit[pools.owner] > 0)
    return result


def least_use_columns(problem: Problem, model: LinearModel) -> tuple[Ints, Ints]:
    """idle[i, t] >= 0 and shortfall[i, t] >= 0 for the pools whose options ask for a least use."""
    columns = np.full((2, *problem.pools.capacity.shape), -1)
    if problem.viability is not None:
        needed = (problem.viability.least > 0) | (problem.viability.share > 0)
        for pool, k in option_pools(problem):
            columns[:, pool[needed[problem.options.start_option[k]]]] = 0
        where = columns[0] >= 0
        weight = (problem.pool_weight[:, None] * problem.weight)[where]
        columns[0][where] = model.add_columns("idle", int(where.sum()))
        columns[1][where] = model.add_columns("shortfall", int(where.sum()), cost=problem.viability.breach_cost * weight * MONEY)
    return columns[0], columns[1]


def capacity(problem: Problem, model: LinearModel, start: Ints, modules: Ints, columns: PlaceColumns) -> Ints:
    """Use of pool i in period t + latent (+ idle) <= places + opened + kept - removed + overflow. Flows are added later.

    With ``idle`` the row is an equation.
    """
    options, pools, periods = problem.options, problem.pools, len(problem.periods)
    lower = np.where(columns.idle >= 0, pools.capacity, -INFINITY)
    rows = model.add_rows("capacity", pools.capacity.size, lower=lower.ravel(), upper=pools.capacity.ravel()).reshape(pools.capacity.shape)
    for column, sign in ((columns.overflow, -1.0), (columns.idle, 1.0)):
        model.add_entries(rows[column >= 0], column[column >= 0], sign)
    opened = options.module[options.start_option][:, None] * options.open_share(periods)
    for pool, k in option_pools(problem):
        model.add_entries(rows[pool], modules[k, None], -opened[k])
    taken = options.taken(periods)
    for pool, k in source_starts(problem):
        model.add_entries(rows[pool], start[k, None], taken[k])
    pool, _, period = np.nonzero(columns.latent >= 0)
    model.add_entries(rows[pool, period], columns.latent[columns.latent >= 0], 1.0)
    return rows


def overflow_after_removal(problem: Problem, model: LinearModel, start: Ints, overflow: Ints) -> None:
    """Overflow of a pool that loses places: overflow[i, t] <= limit + lost (those who are there may stay)."""
    sources = source_pools(problem)
    rows = np.full(problem.pools.capacity.shape, -1)
    rows[sources] = model.add_rows(
        "overflow_limit", len(sources) * len(problem.periods), upper=problem.pools.overflow_limit[sources].ravel()
    ).reshape(len(sources), len(problem.periods))
    model.add_entries(rows[sources], overflow[sources], 1.0)
    lost = lost_places(problem)
    for pool, k in source_starts(problem):
        model.add_entries(rows[pool], start[k, None], -lost[k])


def lost_places(problem: Problem) -> Floats:
    """(K, T) places that a start takes from its source pool, those it keeps left out."""
    options, periods = problem.options, len(problem.periods)
    after = options.start_opens[:, None] <= np.arange(periods)[None, :]
    lost: Floats = options.removed[options.start_option][:, None] * after
    return lost if options.disrupted is None else lost + options.disrupted


def displacement(problem: Problem, model: LinearModel, latent: Ints) -> Ints:
    """use of OUTSIDE + share x (use of NEW + latent) >= floor, by owner, family and period. Flows are added later."""
    floor = problem.displacement.floor
    binding = floor > 0
    rows = np.full(floor.shape, -1)
    rows[binding] = model.add_rows("displacement", int(binding.sum()), lower=floor[binding])
    pool, family, period = np.nonzero(latent >= 0)
    row = rows[problem.pools.owner[pool], family, period]
    keep = row >= 0
    model.add_entries(row[keep], latent[latent >= 0][keep], problem.displacement.share[family[keep]])
    return rows


def latent_limits(problem: Problem, model: LinearModel, modules: Ints, latent: Ints) -> None:
    """Latent users of an owner's new pools are at most latent_limit, and in a pool at most its opened places."""
    options, periods = problem.options, len(problem.periods)
    where = latent >= 0
    pool, family, period = np.nonzero(where)
    key = np.ravel_multi_index((problem.pools.owner[pool], family, period), problem.displacement.latent_limit.shape)
    used, inverse = np.unique(key, return_inverse=True)
    rows = model.add_rows("latent_limit", len(used), upper=problem.displacement.latent_limit.ravel()[used])
    model.add_entries(rows[inverse], latent[where], 1.0)
    room = np.full(problem.pools.capacity.shape, -1)
    holds = where.any(axis=1)
    room[holds] = model.add_rows("latent_places", int(holds.sum()), upper=0.0)
    model.add_entries(room[pool, period], latent[where], 1.0)
    opened = options.module[options.start_option][:, None] * options.open_share(periods)
    for copy, k in option_pools(problem):
        row = room[copy]
        n, t = np.nonzero(row >= 0)
        model.add_entries(row[n, t], modules[k[n]], -opened[k[n], t])


def least_use(problem: Problem, model: LinearModel, start: Ints, modules: Ints, columns: PlaceColumns) -> None:
    """Once settled, a new pool is used: idle[i, t] - shortfall[i, t] <= opened - least x start[k], and <= (1 - share) x opened."""
    if problem.viability is None:
        return
    where = columns.idle >= 0
    opened, share, least = use_terms(problem)
    for name, may_idle, needed in (("least_use", opened, least), ("least_share", opened - share, np.zeros_like(least))):
        rows = np.full(where.shape, -1)
        rows[where] = model.add_rows(name, int(where.sum()), upper=0.0)
        model.add_entries(rows[where], columns.idle[where], 1.0)
        model.add_entries(rows[where], columns.shortfall[where], -1.0)
        for pool, k in option_pools(problem):
            row = rows[pool]
            n, t = np.nonzero(row >= 0)
            model.add_entries(row[n, t], modules[k[n]], -may_idle[k[n], t])
            model.add_entries(row[n, t], start[k[n]], needed[k[n], t])


def use_terms(problem: Problem) -> tuple[Floats, Floats, Floats]:
    """(K, T) each: places of a module, how many of them have to be used, and users that a start has to have at least."""
    options, viability, periods = problem.options, problem.viability, len(problem.periods)
    j, open_share = options.start_option, options.open_share(len(problem.periods))
    opened = options.module[j][:, None] * open_share
    if viability is None:
        return opened, np.zeros_like(opened), np.zeros_like(opened)
    settled = (options.start_opens + viability.settle[j])[:, None] <= np.arange(periods)[None, :]
    return opened, opened * settled * viability.share[j][:, None], settled * (open_share > 0) * viability.least[j][:, None]


def option_pools(problem: Problem) -> list[tuple[Ints, Ints]]:
    """By world: the pools that starts open, and the starts."""
    return _by_world(problem, problem.options.pool)


def source_starts(problem: Problem) -> list[tuple[Ints, Ints]]:
    """By world: the pools that starts take places from, and the starts."""
    return _by_world(problem, problem.options.source_pool)


def source_pools(problem: Problem) -> Ints:
    """Pools that may lose places, in every world."""
    named = np.unique(problem.options.source_pool[problem.options.source_pool >= 0])
    return np.sort(problem.pool_copies(named).ravel())


def _by_world(problem: Problem, of_option: Ints) -> list[tuple[Ints, Ints]]:
    pool = of_option[problem.options.start_option]
    k = np.nonzero(pool >= 0)[0]
    return [(copy, k) for copy in problem.pool_copies(pool[k])]


def opened_places(problem: Problem, decisions: Decisions) -> Floats:
    """(P, T) places that these decisions add to (or take from) each pool."""
    options, periods = problem.options, len(problem.periods)
    added = np.zeros_like(problem.pools.capacity)
    opened = (options.module[options.start_option] * decisions.modules)[:, None] * options.open_share(periods)
    taken = decisions.start[:, None] * options.taken(periods)
    for pool, k in option_pools(problem):
        np.add.at(added, pool, opened[k])
    for pool, k in source_starts(problem):
        np.add.at(added, pool, -taken[k])
    return added
