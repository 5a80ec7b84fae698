"""What options are built at given prices: each alone with those that need it, or as they are held.

Prices let every option decide for itself, in closed form. What ties options beside money (crews, bundles, stages) is left out here: the
linear programme of the options, and their integer programme, know it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.families.money import purses
from solver.families.places import latent_places, option_pools, source_starts, use_terms
from solver.problem import NEW, Bools, Floats, Ints, Problem
from solver.result import Decisions


def least_used(problem: Problem) -> Bools:
    """(P, 1) pools whose options ask for a least use."""
    result = np.zeros((len(problem.pools.labels), 1), bool)
    if problem.viability is not None:
        asked = (problem.viability.least > 0) | (problem.viability.share > 0)
        for pool, k in option_pools(problem):
            result[pool[asked[problem.options.start_option[k]]]] = True
    return result


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


class HeldOptions:
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
        result = np.where(least_used(problem), result, 0.0)
    return result


class OptionChooser:
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
        self.parties = Parties(problem)

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
        picked = self.parties.best(profit)
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


class Parties:
    """Options that decide together: those that exclude each other, and each option with those that need it open first.

    One that needs another and is in an exclusive group as well decides as if it did not need it. ValueError for a circle of needs.
    """

    def __init__(self, problem: Problem) -> None:
        options = problem.options
        count = len(options.labels)
        alone = options.exclusive < 0
        self.option = options.start_option
        self.opens = options.start_opens
        self.party = np.where(alone, np.arange(count) + options.exclusive.max(initial=-1) + 1, options.exclusive)[self.option]
        self.needs = np.where(alone, options.prerequisite, -1)
        self.lag = np.zeros(count, np.int64) if problem.pins is None else np.asarray(problem.pins.lag)
        self.never = len(problem.periods)
        depth = np.zeros(count, np.int64)
        while (lower := (self.needs >= 0) & (depth <= depth[self.needs])).any():
            depth[lower] = depth[self.needs[lower]] + 1
            if depth.max() >= count:
                raise ValueError("prerequisites form a circle")
        self.layers = [np.nonzero(depth == level)[0] for level in range(int(depth.max(initial=0)) + 1)]
        """Options that need none, then those that need one of the layer before."""
        self.starts = [np.nonzero(np.isin(self.option, layer))[0] for layer in self.layers]
        self.earlier = [_pairs(self.needs[layer], layer, self.option) for layer in self.layers[1:]]
        """For all layers but the first: (dependant, start of the option that it needs), each pair once."""

    def best(self, profit: Floats) -> Ints:
        """Starts (K,) that together earn most: none of a party where all lose."""
        whole = self._with_dependants(profit)
        since = np.zeros(len(self.needs), np.int64)  # first period in which an option may open
        found = []
        for level, starts in enumerate(self.starts):
            allowed = starts[(whole[starts] > 0) & (self.opens[starts] >= since[self.option[starts]])]
            order = allowed[np.lexsort((-whole[allowed], self.party[allowed]))]
            picked = order[np.append(True, self.party[order][1:] != self.party[order][:-1])[: len(order)]]
            found.append(picked)
            if level < len(self.earlier):
                dependant, start = self.earlier[level]
                since[self.layers[level + 1]] = self.never
                open_now = np.isin(start, picked)
                since[dependant[open_now]] = self.opens[start[open_now]] + self.lag[dependant[open_now]]
        chosen: NDArray[np.int64] = np.concatenate(found)
        return chosen

    def _with_dependants(self, profit: Floats) -> Floats:
        """(K,) profit of each start with the best of what may then follow it."""
        whole = profit.copy()
        for level in range(len(self.layers) - 1, 0, -1):
            starts, (dependant, start) = self.starts[level], self.earlier[level - 1]
            worth = np.zeros((len(self.needs), self.never + 1))
            np.maximum.at(worth, (self.option[starts], self.opens[starts]), whole[starts])
            worth = np.maximum.accumulate(worth[:, ::-1], axis=1)[:, ::-1]
            then = np.minimum(self.opens[start] + self.lag[dependant], self.never)
            np.add.at(whole, start, worth[dependant, then])
        return whole


def _pairs(needed: Ints, dependant: Ints, option: Ints) -> tuple[Ints, Ints]:
    """(dependant, start of the option that it needs)."""
    row, start = np.nonzero(needed[:, None] == option[None, :])
    return dependant[row], start
