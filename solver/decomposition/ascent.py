"""Good prices, fast: first-order ascent on a relaxation in which every option decides alone.

Capacity, displacement, latent limits and (cumulated) budgets are priced; cells then choose their
cheapest pool and each option its best start and size in closed form. One evaluation runs through
all arcs in a few milliseconds, so that hundreds of steps cost less than one linear programme.
The prices found here start the column generation, which proves what they are worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solver.families.money import purses
from solver.families.places import latent_places, option_pools, source_starts, use_terms
from solver.pricing import Blocks, Prices, Response, no_prices, respond
from solver.problem import NEW, Bools, Floats, Ints, Problem
from solver.result import Decisions

TYPICAL_COST = 30_000.0
"""Scale of a price of one place for one period; steps are shares of it."""
KEEP_EVERY, KEEP = 3, 14
"""Which of the last responses become the first columns."""


@dataclass(frozen=True)
class Ascent:
    """Where the ascent ended: the best prices and the responses around them, oldest first."""

    prices: Prices
    responses: tuple[Response, ...]


class Chooser(Protocol):
    """Decides the options at given prices."""

    def choose(self, price: dict[str, Floats], slope: dict[str, Floats]) -> float:
        """Adds the options' part of the slopes; returns their value."""


def ascend(
    problem: Problem,
    blocks: Blocks,
    *,
    steps: int,
    fixed: Decisions | None = None,
    begin: Prices | None = None,
    first_step: float,
    chooser: Chooser | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Ascent:
    """Climb ``steps`` times with Adam's step rule (Kingma and Ba 2015), the step falling to zero.

    ``fixed`` holds the options; ``chooser`` decides them instead of each alone; ``begin`` starts from known prices. Deterministic.
    """
    opened = np.zeros_like(problem.pools.capacity) if fixed is None else opened_places(problem, fixed)
    capacity = problem.pools.capacity + opened
    deciding = chooser or (_OptionChooser(problem) if fixed is None else _HeldOptions(problem, fixed, opened))
    price = vars(no_prices(problem) if begin is None else in_range(problem, begin)) | {
        "latent": np.zeros_like(problem.displacement.latent_limit),
        "budget": np.zeros_like(deciding.purse.cumulated) if isinstance(deciding, _OptionChooser) else np.zeros(0),
    }
    lowest, highest, scale = _price_range(problem)
    mean = {name: np.zeros_like(array) for name, array in price.items()}
    square = {name: np.zeros_like(array) for name, array in price.items()}
    best, best_prices, kept = -np.inf, _prices(price), []
    limit, overflow_cost = problem.pools.overflow_limit, problem.pools.overflow_cost * problem.pool_weight[:, None] * problem.weight
    for step in range(1, steps + 1):
        prices = _prices(price)
        response = respond(problem, blocks, prices)
        use = np.bincount(response.row, response.amount, capacity.size).reshape(capacity.shape)
        spare = overflow_cost - prices.capacity
        overflow = np.where(spare < 0, limit, 0.0)
        displaced = np.zeros_like(prices.displacement)
        np.add.at(displaced, (blocks.owner, problem.demand.class_family[blocks.cls]), response.displaced)
        value = response.value.sum() + (spare * overflow).sum() - (prices.capacity * capacity).sum()
        value += (prices.displacement * problem.displacement.floor).sum()
        slope = {
            "capacity": use - capacity - overflow,
            "displacement": problem.displacement.floor - displaced,
            "latent": np.zeros_like(price["latent"]),
            "budget": np.zeros_like(price["budget"]),
            "quota": np.zeros_like(price["quota"]),
            "measure": np.zeros_like(price["measure"]),
        }
        if problem.quotas is not None:
            limited = np.isfinite(problem.quotas.limit)
            slope["quota"] = np.where(limited, quota_use(problem, blocks, response) - problem.quotas.limit, 0.0)
            value -= float((prices.quota[limited] * problem.quotas.limit[limited]).sum())
        if problem.measures is not None:
            slope["measure"] = response.measured.sum(axis=0) - problem.measures.limit
            value -= float(prices.measure @ problem.measures.limit)
        value += deciding.choose(price, slope)
        if value > best:
            best, best_prices = value, prices
        if steps - step < KEEP * KEEP_EVERY and (steps - step) % KEEP_EVERY == 0:
            kept.append(response)
        if stop():
            break
        size = first_step * (1.0 - step / steps)
        for name in price:
            mean[name] = 0.9 * mean[name] + 0.1 * slope[name]
            square[name] = 0.98 * square[name] + 0.02 * slope[name] ** 2
            move = mean[name] / (1 - 0.9**step) / (np.sqrt(square[name] / (1 - 0.98**step)) + 1e-9)
            price[name] = np.clip(price[name] + size * scale[name] * move, lowest[name], highest[name])
    kept.append(respond(problem, blocks, best_prices))
    return Ascent(best_prices, tuple(kept))


def in_range(problem: Problem, prices: Prices) -> Prices:
    """Prices of another problem as far as they prove anything in this one: none above what a breach costs, none where there is no limit."""
    lowest, highest, _ = _price_range(problem)
    held = {name: np.clip(price, lowest[name], highest[name]) for name, price in vars(prices).items()}
    if problem.quotas is not None:
        held["quota"] = np.where(np.isfinite(problem.quotas.limit), held["quota"], 0.0)
    return Prices(**held)


def _prices(price: dict[str, Floats]) -> Prices:
    return Prices(**{name: price[name].copy() for name in ("capacity", "displacement", "quota", "measure")})


def _price_range(problem: Problem) -> tuple[dict[str, Floats], dict[str, Floats], dict[str, Floats]]:
    """Lowest and highest price of each kind (no more than a breach costs), and the size of a step."""
    weight = TYPICAL_COST * problem.weight
    scale = {"capacity": weight, "displacement": weight, "latent": weight, "budget": np.ones(1), "quota": weight, "measure": np.ones(1)}
    lowest = {name: np.zeros(1) for name in scale}
    highest = {name: np.full(1, np.inf) for name in scale}
    if problem.viability is not None:
        breach = problem.viability.breach_cost * problem.pool_weight[:, None] * problem.weight
        lowest["capacity"] = np.where(_least_used(problem), -breach, 0.0)
    if problem.quotas is not None:
        highest["quota"] = problem.quotas.breach_cost * problem.owner_weight[:, None, None] * problem.weight
    if problem.measures is not None:
        highest["measure"] = problem.measures.breach_cost
        scale["measure"] = 0.1 * problem.measures.breach_cost
    return lowest, highest, scale


def _least_used(problem: Problem) -> Bools:
    """(P, 1) pools whose options ask for a least use."""
    result = np.zeros((len(problem.pools.labels), 1), bool)
    if problem.viability is not None:
        asked = (problem.viability.least > 0) | (problem.viability.share > 0)
        for pool, k in option_pools(problem):
            result[pool[asked[problem.options.start_option[k]]]] = True
    return result


def quota_use(problem: Problem, blocks: Blocks, response: Response) -> Floats:
    """(L, groups, T) places that each owner's users take in each group of pools."""
    assert problem.quotas is not None
    used = np.zeros_like(problem.quotas.limit)
    block = np.repeat(np.arange(blocks.count), np.diff(response.first))
    pool, period = np.divmod(response.row, len(problem.periods))
    group = problem.quotas.pool_group[pool]
    counted = group >= 0
    np.add.at(used, (blocks.owner[block[counted]], group[counted], period[counted]), response.amount[counted])
    return used


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


class _Latent:
    """What latent users are worth in new pools at given prices."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        where = latent_places(problem)
        self.pool = np.nonzero(where.any(axis=(1, 2)))[0]
        self.allowed = where[self.pool]
        self.owner = problem.pools.owner[self.pool]
        self.cost = problem.displacement.latent_cost * problem.pool_weight[self.pool, None, None] * problem.weight

    def gain(self, price: dict[str, Floats]) -> tuple[Floats, Ints]:
        """(P, T) worth of a latent user of the best family, and which family."""
        shape = self.problem.pools.capacity.shape
        gain, family = np.full(shape, -np.inf), np.zeros(shape, np.int64)
        if len(self.pool):
            worth = (self.problem.displacement.share[None, :, None] * price["displacement"] - price["latent"])[self.owner] - self.cost
            worth = np.where(self.allowed, worth, -np.inf)
            best = worth.argmax(axis=1)
            family[self.pool] = best
            gain[self.pool] = np.take_along_axis(worth, best[:, None, :], axis=1)[:, 0, :]
        return gain, family

    def add(self, slope: dict[str, Floats], pool: Ints, family: Ints, period: Ints, amount: Floats) -> None:
        """Slopes of latent users: they count towards displacement and towards their limit."""
        owner = self.problem.pools.owner[pool]
        np.add.at(slope["displacement"], (owner, family, period), -self.problem.displacement.share[family] * amount)
        np.add.at(slope["latent"], (owner, family, period), amount)


class _HeldOptions:
    """Options as they are: latent users take their places, places not needed stay idle."""

    def __init__(self, problem: Problem, decisions: Decisions, opened: Floats) -> None:
        self.problem = problem
        self.latent = _Latent(problem)
        new = (problem.pools.role == NEW)[:, None]
        self.room = np.where(new, np.maximum(0.0, opened), 0.0)
        self.idle = np.maximum(0.0, _may_idle(problem, decisions))

    def choose(self, price: dict[str, Floats], slope: dict[str, Floats]) -> float:
        """Adds their part of the slopes; returns their value."""
        limit = self.problem.displacement.latent_limit
        gain, family = self.latent.gain(price)
        pool, t = np.nonzero((self.room > 0) & (gain > price["capacity"]))
        profit, amount = (gain - price["capacity"])[pool, t], self.room[pool, t]
        np.add.at(slope["capacity"], (pool, t), amount)
        self.latent.add(slope, pool, family[pool, t], t, amount)
        slope["latent"] -= limit
        idle = np.where(price["capacity"] < 0, self.idle, 0.0)
        slope["capacity"] += idle
        return float(-(profit * amount).sum() - (price["latent"] * limit).sum() + (price["capacity"] * idle).sum())


def _may_idle(problem: Problem, decisions: Decisions) -> Floats:
    """(P, T) open places that may stay idle under a least use; may be negative."""
    result = np.zeros_like(problem.pools.capacity)
    if problem.viability is not None:
        opened, share, least = use_terms(problem)
        by_share = np.zeros_like(result)
        for pool, k in option_pools(problem):
            np.add.at(result, pool, opened[k] * decisions.modules[k, None] - least[k] * decisions.start[k, None])
            np.add.at(by_share, pool, (opened - share)[k] * decisions.modules[k, None])
        result = np.minimum(result, by_share)
        result = np.where(_least_used(problem), result, 0.0)
    return result


class _OptionChooser:
    """Each option's best start and size at given prices, budgets cumulated and priced."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        options, periods = problem.options, len(problem.periods)
        self.purse = purses(problem)
        self.latent = _Latent(problem)
        self.taken = options.taken(periods)
        self.opened, self.share, least = use_terms(problem)
        # of both demands on use the larger one holds
        self.least = np.maximum(0.0, least - self.share * options.max_modules[options.start_option][:, None])
        self.committed = options.committed_start[options.start_option] >= 0
        self.chosen = self.committed & (options.committed_start[options.start_option] == np.arange(len(options.start_option)))
        # options that exclude each other decide together
        alone = options.exclusive < 0
        self.party = np.where(alone, np.arange(len(alone)) + options.exclusive.max(initial=-1) + 1, options.exclusive)

    def choose(self, price: dict[str, Floats], slope: dict[str, Floats]) -> float:
        """Adds the options' part of the slopes; returns their value."""
        problem, options = self.problem, self.problem.options
        j = options.start_option
        owed = np.cumsum(price["budget"][self.purse.of_owner][:, ::-1], axis=1)[:, ::-1]  # a pound spent in f counts from f on
        owed_start = owed[options.owner[j]]
        gain, family = self.latent.gain(price)
        per_module = -options.module_cost - (owed_start * options.module_spend).sum(axis=1)
        fixed = options.fixed_cost + (owed_start * options.fixed_spend).sum(axis=1)
        for pool, k in option_pools(problem):
            worth = np.maximum(price["capacity"], gain)[pool]
            short = np.minimum(0.0, price["capacity"][pool])  # below nothing: users are wanted for the least use
            per_module[k] += (self.opened[k] * np.maximum(worth, 0.0)).sum(axis=1)
            per_module[k] += (self.share[k] * short).sum(axis=1)
            fixed[k] -= (self.least[k] * short).sum(axis=1)
        for pool, k in source_starts(problem):
            fixed[k] += (price["capacity"][pool] * self.taken[k]).sum(axis=1)
        modules = np.where(
            self.committed, options.committed_modules[j], np.where(per_module > 0, options.max_modules[j], options.min_modules[j])
        )
        profit = np.where(self.committed, np.where(self.chosen, np.inf, -np.inf), per_module * modules - fixed)
        picked = self._best_of_party(profit)
        size = np.zeros(len(j))
        size[picked] = modules[picked]
        built = np.zeros(len(j))
        built[picked] = 1.0
        for pool, k in option_pools(problem):
            places = self.opened[k] * size[k, None]
            is_latent = (gain > price["capacity"])[pool]
            spare = np.maximum(0.0, places - self.share[k] * size[k, None] - self.least[k] * built[k, None])
            idle = np.where(price["capacity"][pool] < 0, spare, 0.0)
            np.add.at(slope["capacity"], pool, idle - np.where(is_latent, 0.0, places))
            row, t = np.nonzero(is_latent & (places > 0))
            self.latent.add(slope, pool[row], family[pool[row], t], t, places[row, t])
        for pool, k in source_starts(problem):
            np.add.at(slope["capacity"], pool, self.taken[k] * built[k, None])
        spend = options.fixed_spend[picked] + modules[picked, None] * options.module_spend[picked]
        spent = np.zeros_like(price["budget"])
        np.add.at(spent, self.purse.of_owner[options.owner[j[picked]]], spend)
        slope["budget"] += (np.cumsum(spent, axis=1) - self.purse.cumulated) / max(1.0, self.purse.cumulated.mean())
        slope["latent"] -= problem.displacement.latent_limit
        value = -float((per_module[picked] * modules[picked] - fixed[picked]).sum())
        value -= float((price["budget"] * self.purse.cumulated).sum())
        return value - float((price["latent"] * problem.displacement.latent_limit).sum())

    def _best_of_party(self, profit: Floats) -> Ints:
        party = self.party[self.problem.options.start_option]
        order = np.lexsort((-profit, party))
        first = np.ones(len(order), bool)
        first[1:] = party[order][1:] != party[order][:-1]
        best: NDArray[np.int64] = order[first]
        return best[profit[best] > 0]
