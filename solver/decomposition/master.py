"""The linear programme over blocks: core decisions and, for each block, a mix of priced responses.

Dantzig-Wolfe decomposition. Capacity and displacement rows couple the blocks; their duals are the
prices at which every cell names its cheapest pool, which makes the next column of its block.
At any prices, core duals plus the blocks' values are a lower bound (weak duality), because the
pricing runs through all arcs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from solver.backends.highs import GrowingLP, HighsBackend
from solver.backends.protocol import Limits
from solver.formulation import MONEY, Core
from solver.pricing import (
    Blocks,
    Prices,
    Response,
    cell_blocks,
    displacement_share,
    flow_costs,
    measured_by_block,
    no_prices,
    present_amounts,
    respond,
)
from solver.problem import Floats, Ints, Problem
from solver.result import Decisions, Flows


@dataclass(frozen=True)
class Dual:
    """Prices, and the part of the bound that does not come from the blocks (in millions)."""

    prices: Prices
    core_part: float


@dataclass(frozen=True)
class Cut:
    """A valid inequality: total cost >= constant + coefficient @ core columns (in millions)."""

    constant: float
    coefficient: Floats


class Master:
    """The growing linear programme and its columns."""

    def __init__(self, core: Core, blocks: Blocks, limits: Limits) -> None:
        self.core, self.blocks = core, blocks
        self.problem = core.problem
        self.limits = limits
        model = core.model
        self.convexity = model.add_rows("convexity", blocks.count, lower=1.0, upper=1.0)
        self.arrays = model.arrays()
        self.lp = GrowingLP(self.arrays, limits)
        self.core_columns = model.column_count
        self.choices: list[NDArray[np.int32] | Flows] = []
        """Where the columns came from: a choice per cell, or the flows of a whole solution."""
        self.column_block: list[Ints] = []
        self.column_choice: list[Ints] = []
        self.cuts: list[Cut] = []

    def add(self, response: Response, which: NDArray[np.bool_] | None = None) -> int:
        """Add the response's columns of these blocks (all when None). Returns how many."""
        picked = np.arange(self.blocks.count) if which is None else np.nonzero(which)[0]
        if not len(picked):
            return 0
        start, row, value = self._entries(response, picked)
        self.lp.add_columns(response.cost[picked] * MONEY, start, row, value)
        self.column_block.append(picked)
        self.column_choice.append(np.full(len(picked), len(self.choices)))
        self.choices.append(response.choice)
        return len(picked)

    def add_flows(self, flows: Flows) -> int:
        """Add a whole solution's flows: one column per block, its mix of choices as it stands."""
        response = summarise(self.problem, self.blocks, flows)
        picked = np.arange(self.blocks.count)
        start, row, value = self._entries(response, picked)
        self.lp.add_columns(response.cost * MONEY, start, row, value)
        self.column_block.append(picked)
        self.column_choice.append(np.full(len(picked), len(self.choices)))
        self.choices.append(flows)
        return len(picked)

    def _entries(self, response: Response, picked: Ints) -> tuple[Ints, Ints, Floats]:
        capacity_row = self.core.capacity_row.ravel()
        family = self.problem.demand.class_family[self.blocks.cls[picked]]
        rows_of = self.core.displacement_row[self.blocks.owner[picked], family]
        counts = response.first[picked + 1] - response.first[picked]
        take = np.repeat(response.first[picked] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
        user = np.repeat(np.arange(len(picked)), counts)
        b, t = np.nonzero((rows_of >= 0) & (response.displaced[picked] > 0))
        quota, quota_row, quota_use = self._quota_entries(response, picked, user, take)
        m, r = np.nonzero(response.measured[picked])
        column = np.concatenate([user, b, quota, m, np.arange(len(picked))])
        row = [capacity_row[response.row[take]], rows_of[b, t], quota_row, self.core.limits.measure_row[r], self.convexity[picked]]
        amount = [response.amount[take], response.displaced[picked][b, t], quota_use, response.measured[picked][m, r], np.ones(len(picked))]
        order = np.argsort(column, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=len(picked)))])
        return start, np.concatenate(row)[order], np.concatenate(amount)[order]

    def _quota_entries(self, response: Response, picked: Ints, user: Ints, take: Ints) -> tuple[Ints, Ints, Floats]:
        """Use of the quotas by block: (block, row, places), summed over the pools of a group."""
        if self.problem.quotas is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        row = self._quota_rows(response, self.blocks.owner[picked[user]], take)
        kept = row >= 0
        height = len(self.arrays.row_lower)
        key, inverse = np.unique(user[kept] * height + row[kept], return_inverse=True)
        return key // height, key % height, np.bincount(inverse, response.amount[take[kept]], len(key)).astype(np.float64)

    def _quota_rows(self, response: Response, owner: Ints, take: Ints) -> Ints:
        """Quota row of each entry of use, -1 = none."""
        assert self.problem.quotas is not None
        pool, period = np.divmod(response.row[take], len(self.problem.periods))
        group = self.problem.quotas.pool_group[pool]
        rows: Ints = np.where(group >= 0, self.core.limits.quota_row[owner, group, period], -1)
        return rows

    def dual(self, row_dual: Floats, objective: float) -> tuple[Dual, Floats]:
        """Prices and convexity duals of a solved programme."""
        capacity = -row_dual[self.core.capacity_row] / MONEY
        capacity = np.where(self.core.places.idle >= 0, capacity, np.maximum(0.0, capacity))
        limits = self.core.limits
        sigma = row_dual[self.convexity]
        prices = Prices(
            capacity,
            np.maximum(0.0, _of_rows(row_dual, self.core.displacement_row)) / MONEY,
            np.maximum(0.0, -_of_rows(row_dual, limits.quota_row)) / MONEY,
            np.maximum(0.0, -_of_rows(row_dual, limits.measure_row)) / MONEY,
        )
        return Dual(prices, objective - float(sigma.sum())), sigma

    def reduced_cost(self, response: Response, prices: Prices) -> Floats:
        """Value of the response's columns at other prices than its own (in millions, convexity dual not subtracted)."""
        paid = prices.capacity.ravel()[response.row]
        if self.problem.quotas is not None:
            block = np.repeat(np.arange(self.blocks.count), np.diff(response.first))
            row = self._quota_rows(response, self.blocks.owner[block], np.arange(len(response.row)))
            by_row = np.zeros(len(self.arrays.row_lower) + 1)
            limited = self.core.limits.quota_row >= 0
            by_row[self.core.limits.quota_row[limited]] = prices.quota[limited]
            paid = paid + by_row[row]
        use = np.add.reduceat(np.append(response.amount * paid, 0.0), np.minimum(response.first[:-1], len(response.amount)))
        use = np.where(response.first[1:] > response.first[:-1], use, 0.0)
        family = self.problem.demand.class_family[self.blocks.cls]
        displaced = (response.displaced * prices.displacement[self.blocks.owner, family]).sum(axis=1)
        result: Floats = (response.cost + use - displaced + response.measured @ prices.measure) * MONEY
        return result

    def cut(self, prices: Prices, value: float) -> Cut:
        """The cut that these prices prove, ``value`` being the blocks' sum at them (in millions)."""
        y = self.row_prices(vars(prices))
        right = np.where(y < 0, self.arrays.row_upper, np.where(y > 0, self.arrays.row_lower, 0.0))
        coefficient = self.arrays.cost - self.arrays.matrix.T @ y
        return Cut(float(y @ right) + value + self.arrays.offset, coefficient)

    def priced_rows(self) -> tuple[tuple[str, Ints, float], ...]:
        """Names of prices, their rows (-1 = none), and 1 where a price is what a unit pays, -1 where it is what it earns."""
        limits = self.core.limits
        return (
            ("capacity", self.core.capacity_row, 1.0),
            ("displacement", self.core.displacement_row, -1.0),
            ("quota", limits.quota_row, 1.0),
            ("measure", limits.measure_row, 1.0),
        )

    def row_prices(self, price: Mapping[str, Floats]) -> Floats:
        """(rows,) duals of the core's rows at these prices (in millions)."""
        y = np.zeros(len(self.arrays.row_lower))
        for name, rows, sign in self.priced_rows():
            y[rows[rows >= 0]] = -sign * price[name][rows >= 0] * MONEY
        return y

    def core_dual(self, prices: Prices, decisions: Decisions | None = None) -> Dual:
        """The bound's part that does not come from the blocks, at any prices: the core solved alone."""
        cut = self.cut(prices, 0.0)
        lower, upper = self.arrays.lower.copy(), self.arrays.upper.copy()
        if decisions is not None:
            columns, values = self._decision_columns(decisions)
            lower[columns] = upper[columns] = values
        kept = self.core_rows()
        alone = replace(
            self.arrays,
            cost=cut.coefficient,
            lower=lower,
            upper=upper,
            row_lower=self.arrays.row_lower[kept],
            row_upper=self.arrays.row_upper[kept],
            matrix=self.arrays.matrix[kept],
            offset=cut.constant,
        )
        solved = HighsBackend().solve(alone, self.limits, relax=True)
        return Dual(prices, solved.objective)

    def allows(self, decisions: Decisions) -> bool:
        """Whether pins, money and all else that holds without flows allow these decisions."""
        columns, values = self._decision_columns(decisions)
        lower, upper = self.arrays.lower.copy(), self.arrays.upper.copy()
        if (values < lower[columns]).any() or (values > upper[columns]).any():
            return False
        lower[columns] = upper[columns] = values
        kept = self.core_rows()
        alone = replace(
            self.arrays,
            cost=np.zeros_like(lower),
            lower=lower,
            upper=upper,
            row_lower=self.arrays.row_lower[kept],
            row_upper=self.arrays.row_upper[kept],
            matrix=self.arrays.matrix[kept],
        )
        return HighsBackend().solve(alone, self.limits, relax=True).x is not None

    def core_rows(self) -> Ints:
        """Rows that hold core columns only: neither capacity nor displacement nor convexity."""
        priced = np.concatenate([self.core.coupling_rows(), self.convexity])
        rows: Ints = np.setdiff1d(np.arange(len(self.arrays.row_lower)), priced)
        return rows

    def nowhere(self) -> Response:
        """Nobody is placed: columns that make the programme feasible when nothing else is known."""
        pools = self.problem.pools
        closed = replace(self.problem, pools=replace(pools, accepts=np.zeros_like(pools.accepts)))
        return respond(closed, self.blocks, no_prices(self.problem))

    def fix(self, decisions: Decisions) -> None:
        """Hold the options at these decisions."""
        columns, values = self._decision_columns(decisions)
        self.lp.set_bounds(columns, values, values)

    def free(self) -> None:
        """Let the options be chosen again."""
        columns, _ = self._decision_columns(no_decisions(self.problem))
        self.lp.set_bounds(columns, self.arrays.lower[columns], self.arrays.upper[columns])

    def _decision_columns(self, decisions: Decisions) -> tuple[Ints, Floats]:
        staged = self.core.stage >= 0
        columns = np.concatenate([self.core.start, self.core.modules, self.core.stage[staged]])
        values = np.concatenate([decisions.start, decisions.modules, decisions.stage[staged]]).astype(float)
        return columns, values

    def flows(self, x: Floats) -> Flows:
        """Entrants by cell and pool of a solution: the mix of its blocks' responses."""
        problem = self.problem
        weight = x[self.core_columns :]
        block = np.concatenate(self.column_block)
        choice_of = np.concatenate(self.column_choice)
        used = np.nonzero(weight > 1e-11)[0]
        total = np.bincount(block[used], weight[used], self.blocks.count)
        pools = len(problem.pools.labels)
        keys, amounts = [], []
        shape = (*problem.demand.entrants.shape, pools + 1)
        block_of = cell_blocks(problem, self.blocks)
        for number in np.unique(choice_of[used]):
            columns = used[choice_of[used] == number]
            share = np.zeros(self.blocks.count)
            share[block[columns]] = weight[columns] / total[block[columns]]
            choice = self.choices[number]
            if isinstance(choice, Flows):
                key, amount = np.ravel_multi_index((choice.origin, choice.cls, choice.entry, choice.pool), shape), choice.amount
                part = share[block_of[choice.origin, choice.cls]]
            else:
                z, c, v = np.nonzero((choice >= 0) & (share[block_of] > 0)[:, :, None])
                present = present_amounts(problem, choice)
                key, amount, part = np.ravel_multi_index((z, c, v, choice[z, c, v]), shape), present[z, c, v], share[block_of[z, c]]
            keys.append(key[part > 0])
            amounts.append((amount * part)[part > 0])
        key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
        origin, cls, entry, pool = np.unravel_index(key, shape)
        amount = np.bincount(inverse, np.concatenate(amounts)).astype(np.float64)
        return Flows(origin, cls, entry, pool, amount)


def summarise(problem: Problem, blocks: Blocks, flows: Flows) -> Response:
    """Cost, use and displacement of given flows by block, in the form of a response."""
    demand, pools = problem.demand, len(problem.pools.labels)
    periods = len(problem.periods)
    block = cell_blocks(problem, blocks)[flows.origin, flows.cls]
    cost = np.bincount(block, flow_costs(problem, flows) * flows.amount, blocks.count).astype(np.float64)
    stay = demand.stay[flows.cls, flows.entry] * flows.amount[:, None]
    use = demand.use[flows.cls, flows.entry] * flows.amount[:, None]
    placed = flows.pool < pools
    key = (block[placed, None] * pools + flows.pool[placed, None]) * periods + np.arange(periods)
    cells, inverse = np.unique(key.ravel(), return_inverse=True)
    amount = np.bincount(inverse, use[placed].ravel()).astype(np.float64)
    keep = amount > 0
    cells, amount = cells[keep], amount[keep]
    first = np.searchsorted(cells // (pools * periods), np.arange(blocks.count + 1))
    share = displacement_share(problem)[flows.cls[placed], flows.pool[placed]]
    displaced = np.zeros((blocks.count, periods))
    np.add.at(displaced, block[placed], share[:, None] * stay[placed])
    measured = measured_by_block(problem, blocks, flows)
    return Response(np.zeros((0, 0, 0), np.int32), cost.copy(), cost, first, cells % (pools * periods), amount, displaced, measured)


def _of_rows(row_dual: Floats, rows: Ints) -> Floats:
    """Duals of these rows, 0 where there is no row."""
    result: Floats = np.where(rows >= 0, row_dual[np.maximum(rows, 0)], 0.0)
    return result


def no_decisions(problem: Problem) -> Decisions:
    """Only what is committed."""
    options = problem.options
    k = np.arange(len(options.start_option))
    chosen = options.committed_start[options.start_option] == k
    modules = np.where(chosen, options.committed_modules[options.start_option], 0)
    return Decisions(chosen.astype(np.int64), modules.astype(np.int64), np.zeros(len(k), np.int64))


@dataclass(frozen=True)
class Converged:
    """Result of column generation (money in millions)."""

    x: Floats
    upper: float
    lower: float
    best: Dual
    best_value: float
    """Sum of the blocks' values at the best prices."""
    row_dual: Floats


def converge(
    master: Master,
    *,
    tolerance: float,
    out_of_time: Callable[[], float],
    begin: tuple[Dual, float] | None = None,
    smoothing: float = 0.6,
    wanted: float = np.inf,
) -> Converged:
    """Generate columns until the programme's value and the bound agree to ``tolerance`` (share), or time runs out.

    ``begin``: known prices and the sum of the blocks' values at them. Above a ``wanted`` value (in millions) they have to agree to a
    tenth of the tolerance, but it ends as well once the bound is above it.

    The programme is solved at least once, whatever the time. RuntimeError when it has no solution.
    """
    problem, blocks = master.problem, master.blocks
    best, best_value = begin if begin is not None else (None, 0.0)
    lower = best.core_part + best_value if best is not None else -np.inf
    last: Converged | None = None
    while True:
        solved = master.lp.solve(np.inf if last is None else out_of_time())
        if solved.x is None or solved.row_dual is None or not np.isfinite(solved.bound):
            if last is None:
                raise RuntimeError(f"the linear programme of the blocks ended as {solved.termination}")
            return last
        dual, sigma = master.dual(solved.row_dual, solved.objective)
        point = (
            dual
            if best is None
            else Dual(best.prices.mixed(dual.prices, smoothing), smoothing * best.core_part + (1 - smoothing) * dual.core_part)
        )
        added = 0
        for attempt in (point, dual):
            response = respond(problem, blocks, attempt.prices)
            value = float(response.value.sum()) * MONEY
            if attempt.core_part + value > lower:
                lower, best, best_value = attempt.core_part + value, attempt, value
            cost = master.reduced_cost(response, dual.prices)
            added += master.add(response, cost < sigma - 1e-9 - 1e-7 * np.abs(sigma))
            if added:
                break
        assert best is not None
        last = Converged(solved.x, solved.objective, lower, best, best_value, solved.row_dual)
        apart = (tolerance if solved.objective <= wanted or lower > wanted else 0.1 * tolerance) * abs(solved.objective)
        if not added or solved.objective - lower <= apart or out_of_time() <= 0:
            return last
