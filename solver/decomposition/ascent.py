"""Good prices, fast: first-order ascent on a relaxation in which every option decides alone.

Capacity, displacement, latent limits and (cumulated) budgets are priced; cells then choose their
cheapest pool and each option its best start and size in closed form. One evaluation runs through
all arcs in a few milliseconds, so that hundreds of steps cost less than one linear programme.
The prices found here start the column generation, which proves what they are worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from solver.pricing import Blocks, Prices, Response, respond
from solver.problem import NEW, Floats, Ints, Problem
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


@dataclass(frozen=True)
class _Purse:
    """Budgets of owners who share funds, cumulated over the years."""

    of_owner: Ints
    cumulated: Floats
    """(purses, F)"""


def ascend(
    problem: Problem,
    blocks: Blocks,
    *,
    steps: int,
    fixed: Decisions | None = None,
    begin: Prices | None = None,
    first_step: float,
    stop: Callable[[], bool] = lambda: False,
) -> Ascent:
    """Climb ``steps`` times with Adam's step rule (Kingma and Ba 2015), the step falling to zero.

    ``fixed`` holds the options; ``begin`` starts from known prices. Deterministic.
    """
    capacity = problem.pools.capacity + (np.zeros(1) if fixed is None else opened_places(problem, fixed))
    chooser = _OptionChooser(problem) if fixed is None else None
    weight = TYPICAL_COST * problem.weight
    price = {
        "capacity": np.zeros_like(capacity) if begin is None else begin.capacity.copy(),
        "displacement": np.zeros_like(problem.displacement.floor) if begin is None else begin.displacement.copy(),
        "latent": np.zeros_like(problem.displacement.latent_limit),
        "budget": np.zeros_like(chooser.purse.cumulated) if chooser else np.zeros(0),
    }
    scale: dict[str, Floats] = {"capacity": weight, "displacement": weight, "latent": weight, "budget": np.ones(1)}
    mean = {name: np.zeros_like(array) for name, array in price.items()}
    square = {name: np.zeros_like(array) for name, array in price.items()}
    best, best_prices, kept = -np.inf, Prices(price["capacity"], price["displacement"]), []
    limit, overflow_cost = problem.pools.overflow_limit, problem.pools.overflow_cost * problem.weight
    latent_fixed = None if fixed is None else _latent_room(problem, fixed)
    for step in range(1, steps + 1):
        prices = Prices(price["capacity"].copy(), price["displacement"].copy())
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
        }
        if chooser is not None:
            value += chooser.choose(price, slope)
        elif latent_fixed is not None:
            value += _fixed_latent(problem, latent_fixed, price, slope)
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
            price[name] = np.maximum(0.0, price[name] + size * scale[name] * move)
    kept.append(respond(problem, blocks, best_prices))
    return Ascent(best_prices, tuple(kept))


def opened_places(problem: Problem, decisions: Decisions) -> Floats:
    """(P, T) places that these decisions add to (or take from) each pool."""
    options = problem.options
    added = np.zeros_like(problem.pools.capacity)
    for k in np.nonzero((decisions.start > 0) | (decisions.modules > 0))[0]:
        j, opens = options.start_option[k], options.start_opens[k]
        if options.pool[j] >= 0:
            added[options.pool[j], opens:] += options.module[j] * decisions.modules[k]
        if options.source_pool[j] >= 0 and decisions.start[k] > 0:
            added[options.source_pool[j], opens:] += options.kept[j] - options.removed[j]
    return added


def _latent_room(problem: Problem, decisions: Decisions) -> Floats:
    """(J, T) new places that latent users may take under fixed decisions."""
    pool = problem.options.pool
    new = (pool >= 0) & (problem.pools.role[np.maximum(pool, 0)] == NEW)
    room: Floats = np.where(new[:, None], np.maximum(0.0, opened_places(problem, decisions)[np.maximum(pool, 0)]), 0.0)
    return room


def _fixed_latent(problem: Problem, room: Floats, price: dict[str, Floats], slope: dict[str, Floats]) -> float:
    """Latent users of open places at these prices; adds their part of the slopes and returns their value."""
    gain, family = _latent_gain(problem, price)
    options = problem.options
    j, t = np.nonzero(room > 0)
    profit = gain[j, t] - price["capacity"][options.pool[j], t]
    taken = profit > 0
    j, t, profit = j[taken], t[taken], profit[taken]
    _add_latent(problem, slope, j, family[j, t], t, room[j, t], into_places=False)
    slope["latent"] -= problem.displacement.latent_limit
    return float(-(profit * room[j, t]).sum() - (price["latent"] * problem.displacement.latent_limit).sum())


def _latent_gain(problem: Problem, price: dict[str, Floats]) -> tuple[Floats, Ints]:
    """(J, T) what a latent user of the best family is worth in each option's places, and which family."""
    displacement, options = problem.displacement, problem.options
    worth = displacement.share[None, :, None] * price["displacement"] - price["latent"]
    worth = worth - displacement.latent_cost * problem.weight
    worth = np.where(displacement.latent_limit > 0, worth, -np.inf)
    accepted = np.zeros((len(problem.families), len(problem.pools.labels)), bool)
    np.logical_or.at(accepted, problem.demand.class_family, problem.pools.accepts)
    pool = np.maximum(options.pool, 0)
    new = (options.pool >= 0) & (problem.pools.role[pool] == NEW)
    worth = np.where((accepted[:, pool].T & new[:, None])[:, :, None], worth[options.owner], -np.inf)
    family = worth.argmax(axis=1)
    return np.take_along_axis(worth, family[:, None, :], axis=1)[:, 0, :], family


def _add_latent(
    problem: Problem, slope: dict[str, Floats], option: Ints, family: Ints, period: Ints, amount: Floats, *, into_places: bool
) -> None:
    """Slopes of latent users: they use places, count towards displacement and towards their limit."""
    owner = problem.options.owner[option]
    if not into_places:
        np.add.at(slope["capacity"], (problem.options.pool[option], period), amount)
    np.add.at(slope["displacement"], (owner, family, period), -problem.displacement.share[family] * amount)
    np.add.at(slope["latent"], (owner, family, period), amount)


class _OptionChooser:
    """Each option's best start and size at given prices, budgets cumulated and priced."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        options = problem.options
        self.purse = _purses(problem)
        self.after = np.arange(len(problem.periods))[None, :] >= options.start_opens[:, None]
        self.committed = options.committed_start[options.start_option] >= 0
        self.chosen = self.committed & (options.committed_start[options.start_option] == np.arange(len(options.start_option)))
        # options that exclude each other decide together
        alone = options.exclusive < 0
        self.party = np.where(alone, np.arange(len(alone)) + options.exclusive.max(initial=-1) + 1, options.exclusive)

    def choose(self, price: dict[str, Floats], slope: dict[str, Floats]) -> float:
        """Adds the options' part of the slopes; returns their value."""
        problem, options = self.problem, self.problem.options
        j = options.start_option
        gain, family = _latent_gain(problem, price)
        pool = np.maximum(options.pool, 0)
        place = np.where((options.pool >= 0)[:, None], np.maximum(price["capacity"][pool], gain), 0.0)
        is_latent = (options.pool >= 0)[:, None] & (gain > price["capacity"][pool])
        owed = np.cumsum(price["budget"][self.purse.of_owner][:, ::-1], axis=1)[:, ::-1]  # a pound spent in f counts from f on
        owed_start = owed[options.owner[j]]
        per_module = (
            options.module[j] * (place[j] * self.after).sum(axis=1) - options.module_cost - (owed_start * options.module_spend).sum(axis=1)
        )
        change = options.removed - options.kept
        source = np.maximum(options.source_pool, 0)
        lost = np.where((options.source_pool >= 0)[:, None], price["capacity"][source] * change[:, None], 0.0)
        fixed = options.fixed_cost + (owed_start * options.fixed_spend).sum(axis=1) + (lost[j] * self.after).sum(axis=1)
        modules = np.where(
            self.committed, options.committed_modules[j], np.where(per_module > 0, options.max_modules[j], options.min_modules[j])
        )
        profit = np.where(self.committed, np.where(self.chosen, np.inf, -np.inf), per_module * modules - fixed)
        picked = self._best_of_party(profit)
        modules = modules[picked]
        value = -float((per_module[picked] * modules - fixed[picked]).sum())
        option = j[picked]
        for k, o, m in zip(picked, option, modules, strict=True):
            opens = options.start_opens[k]
            places = options.module[o] * m
            if options.pool[o] >= 0:
                used = np.where(is_latent[o, opens:], 0.0, places)
                slope["capacity"][options.pool[o], opens:] -= used
            if options.source_pool[o] >= 0:
                slope["capacity"][options.source_pool[o], opens:] += change[o]
        amount = options.module[option] * modules
        row, t = np.nonzero(is_latent[option] & self.after[picked])
        _add_latent(problem, slope, option[row], family[option[row], t], t, amount[row], into_places=True)
        spend = options.fixed_spend[picked] + modules[:, None] * options.module_spend[picked]
        spent = np.zeros_like(price["budget"])
        np.add.at(spent, self.purse.of_owner[options.owner[option]], spend)
        slope["budget"] += (np.cumsum(spent, axis=1) - self.purse.cumulated) / max(1.0, self.purse.cumulated.mean())
        slope["latent"] -= problem.displacement.latent_limit
        value -= float((price["budget"] * self.purse.cumulated).sum())
        return value - float((price["latent"] * problem.displacement.latent_limit).sum())

    def _best_of_party(self, profit: Floats) -> Ints:
        party = self.party[self.problem.options.start_option]
        order = np.lexsort((-profit, party))
        first = np.ones(len(order), bool)
        first[1:] = party[order][1:] != party[order][:-1]
        best: NDArray[np.int64] = order[first]
        return best[profit[best] > 0]


def _purses(problem: Problem) -> _Purse:
    owners = len(problem.owners)
    shares = problem.funds.eligible.any(axis=2).astype(float)
    count, label = connected_components(sparse.csr_matrix(shares.T @ shares + np.eye(owners)), directed=False)
    yearly = np.zeros((count, len(problem.years)))
    for fund, amount in enumerate(problem.funds.amount):
        members = np.nonzero(shares[fund] > 0)[0]
        if len(members):
            yearly[label[members[0]]] += amount
    return _Purse(label.astype(np.int64), np.cumsum(yearly, axis=1))
