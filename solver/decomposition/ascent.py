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

from solver.decomposition.choosers import HeldOptions, OptionChooser, least_used
from solver.families.places import opened_places
from solver.pricing import Blocks, Prices, Response, no_prices, respond
from solver.problem import Floats, Problem
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
    value: float
    """What the relaxation proves at these prices, in the problem's currency."""
    beside: dict[str, Floats]
    """Prices of what only the ascent prices, from which a next climb goes on: latent limits (L, H, T), cumulated budgets."""


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
    begin: Prices | Ascent | None = None,
    first_step: float,
    chooser: Chooser | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Ascent:
    """Climb ``steps`` times with Adam's step rule (Kingma and Ba 2015), the step falling to zero.

    ``fixed`` holds the options; ``chooser`` decides them instead of each alone; ``begin`` starts from known prices,
    or where an earlier climb ended, of zones perhaps. Deterministic.
    """
    opened = np.zeros_like(problem.pools.capacity) if fixed is None else opened_places(problem, fixed)
    capacity = problem.pools.capacity + opened
    deciding = chooser or (OptionChooser(problem) if fixed is None else HeldOptions(problem, fixed, opened))
    before, beside = (begin.prices, begin.beside) if isinstance(begin, Ascent) else (begin, {})
    price = vars(no_prices(problem) if before is None else in_range(problem, before)) | {
        "latent": np.zeros_like(problem.displacement.latent_limit),
        "budget": np.zeros_like(deciding.purse.cumulated) if isinstance(deciding, OptionChooser) else np.zeros(0),
    }
    price |= {name: known for name, known in beside.items() if known.shape == price[name].shape}
    lowest, highest, scale = _price_range(problem)
    mean = {name: np.zeros_like(array) for name, array in price.items()}
    square = {name: np.zeros_like(array) for name, array in price.items()}
    best, best_price, kept = -np.inf, price, []
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
            best, best_price = value, dict(price)
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
    prices = _prices(best_price)
    kept.append(respond(problem, blocks, prices))
    return Ascent(prices, tuple(kept), float(best), {name: best_price[name] for name in ("latent", "budget")})


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
        lowest["capacity"] = np.where(least_used(problem), -breach, 0.0)
    if problem.quotas is not None:
        highest["quota"] = problem.quotas.breach_cost * problem.owner_weight[:, None, None] * problem.weight
    if problem.measures is not None:
        highest["measure"] = problem.measures.breach_cost
        scale["measure"] = 0.1 * problem.measures.breach_cost
    return lowest, highest, scale


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
