"""Packages: whole programmes of options that one purse can pay, the columns of a second Dantzig-Wolfe decomposition.

Options tied by money, crews, bundles and the like fall into groups (a council, or councils that share a fund). Prices let
every option decide alone, and a purse that affords one and a half projects buys one and a half. A package is whole:
a solution of all rows of its group that hold without flows. At good prices the best package of every group
proves a bound that already knows how the money divides, and packages are what plans are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.decomposition.ascent import ascend
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import Cut, Master
from solver.decomposition.tasks import Programme, Run
from solver.formulation import MONEY
from solver.linear_model import ModelArrays
from solver.pricing import Prices, respond
from solver.problem import Floats, Ints, Problem

STEPS = 40
"""Price steps between two rounds of packages."""
STEP, LEAST_STEP, SHORTER, LONGER = 0.08, 0.004, 0.6, 1.3
"""Size of the first of them: never far from the best prices, shorter after a round without gain, until it is nothing."""
PACKAGE_GAP, ROUNDS = 0.003, 8
"""How exactly a group's best package is sought, and for how many rounds the time should do. The package's own bound counts, so
that a rough one costs only strength."""
MOST_SECONDS = 10.0
PRICE_BLOCKS = 1_000


@dataclass(frozen=True)
class Group:
    """Options that money, crews, bundles and the like tie together, and what they share rows with."""

    columns: Ints
    """Its columns of the core."""
    rows: Ints
    """Rows that hold these columns only."""
    decisions: Ints
    """Positions in ``columns`` of starts, sizes and stages."""


class Packages:
    """All packages known so far, by group."""

    def __init__(self, master: Master) -> None:
        self.master = master
        core, arrays = master.core, master.arrays
        self.by_row = sparse.csr_matrix(arrays.matrix)
        self.priced = core.coupling_rows()
        kept = master.core_rows()
        of_row, of_column = _ties(self.by_row[kept])
        decides = np.concatenate([core.start, core.modules, core.stage[core.stage >= 0]])
        self.groups = []
        for number in np.unique(of_column[decides]):
            columns = np.nonzero(of_column == number)[0]
            self.groups.append(Group(columns, kept[of_row == number], np.nonzero(np.isin(columns, decides))[0]))
        alone = ~np.isin(of_column, of_column[decides])
        self.rest = Group(np.nonzero(alone)[0], kept[~np.isin(of_row, of_column[decides])], np.zeros(0, np.int64))
        """What no option shares a row with."""
        self.values: list[list[Floats]] = [[] for _ in self.groups]
        """Packages of each group: values of its columns."""
        self.cost = np.zeros(0)
        """(packages,) in millions, with their group and what they add to the priced rows"""
        self.group = np.zeros(0, np.int64)
        self.use = sparse.csr_matrix((0, len(self.priced)))
        # overflow answers to prices at once: it belongs to whoever evaluates them
        self._fixed = np.ones(len(arrays.cost))
        self._fixed[core.places.overflow[core.places.overflow >= 0]] = 0.0

    def add(self, x: Floats) -> None:
        """The packages that a solution of the core consists of."""
        self._take_up([(number, x[group.columns]) for number, group in enumerate(self.groups)])

    def best(self, coefficient: Floats, limits: Limits, run: Run) -> float:
        """Least cost of the core in whole packages at these coefficients (in millions, bound); the packages found are kept."""
        tasks = [
            self._task(group, coefficient, limits, min(known, key=lambda one: float(coefficient[group.columns] @ one), default=None))
            for group, known in zip(self.groups, self.values, strict=True)
        ]
        found = run(tasks)
        self._take_up([(number, one.x) for number, one in enumerate(found) if one.x is not None])
        bound = sum(one.bound for one in found)
        if len(self.rest.columns):
            rest = self._task(self.rest, coefficient, limits)
            bound += HighsBackend().solve(rest.model, limits, relax=True).bound
        return bound

    def _task(self, group: Group, coefficient: Floats, limits: Limits, start: Floats | None = None) -> Programme:
        arrays = self.master.arrays
        columns, rows = group.columns, group.rows
        model = ModelArrays(
            cost=coefficient[columns],
            lower=arrays.lower[columns],
            upper=arrays.upper[columns],
            integer=arrays.integer[columns],
            row_lower=arrays.row_lower[rows],
            row_upper=arrays.row_upper[rows],
            matrix=sparse.csc_matrix(self.by_row[rows][:, columns]),
            offset=0.0,
        )
        return Programme(model, start, False, limits)

    def _take_up(self, found: Sequence[tuple[int, Floats]]) -> None:
        cost, group, use = [self.cost], [self.group], [self.use]
        for number, values in found:
            here = self.groups[number]
            whole = values.copy()
            whole[here.decisions] = np.round(whole[here.decisions])
            if any(np.allclose(whole, known, atol=1e-6) for known in self.values[number]):
                continue
            self.values[number].append(whole)
            counted = whole * self._fixed[here.columns]
            cost.append(np.array([self.master.arrays.cost[here.columns] @ counted]))
            group.append(np.array([number]))
            use.append(sparse.csr_matrix(self.by_row[self.priced][:, here.columns] @ counted))
        self.cost, self.group = np.concatenate(cost), np.concatenate(group)
        self.use = sparse.csr_matrix(sparse.vstack(use))

    def favoured(self, coefficient: Floats) -> Floats:
        """The core's columns when each group takes the known package that costs least at these coefficients."""
        x = np.zeros(len(self.master.arrays.cost))
        for group, known in zip(self.groups, self.values, strict=True):
            x[group.columns] = min(known, key=lambda one: float(coefficient[group.columns] @ one))
        return x

    def choose(self, price: dict[str, Floats], slope: dict[str, Floats]) -> float:
        """Each group's best known package at these prices: adds its part of the slopes; returns its value (in GBP)."""
        master = self.master
        value = self.cost / MONEY - self.use @ (master.row_prices(price)[self.priced] / MONEY)
        order = np.lexsort((value, self.group))
        first = np.ones(len(order), np.bool_)
        first[1:] = self.group[order][1:] != self.group[order][:-1]
        picked = order[first]
        activity = np.zeros(len(master.arrays.row_lower))
        activity[self.priced] = np.asarray(self.use[picked].sum(axis=0)).ravel()
        for name, rows, sign in master.priced_rows():
            slope[name] += np.where(rows >= 0, sign * activity[np.maximum(rows, 0)], 0.0)
        return float(value[picked].sum())


@dataclass(frozen=True)
class Raised:
    """Where prices and packages have raised the bound to (in millions)."""

    lower: float
    prices: Prices
    cut: Cut


def raise_bound(
    packages: Packages,
    begin: Prices,
    rough: Problem,
    *,
    left: Callable[[], float],
    threads: int,
    seed: int,
    interrupted: Callable[[], bool] | None = None,
    run: Run,
    note: Callable[[float], None],
    enough: Callable[[float], bool],
) -> Raised:
    """Packages at the best prices, then better prices for the known packages, in turn.

    ``rough`` is the problem, or its zones, on which prices climb; each round's bound is of the problem itself, all arcs priced.
    At least one round is made.
    """
    master = packages.master
    blocks = make_blocks(rough, PRICE_BLOCKS)
    each = min(MOST_SECONDS, max(0.0, left()) / (ROUNDS * len(packages.groups)))
    limits = Limits(PACKAGE_GAP, max(0.2, each), threads, seed, interrupted)
    prices, best, step = begin, None, STEP
    while True:
        cut = master.cut(prices, float(respond(master.problem, master.blocks, prices).value.sum()) * MONEY)
        lower = cut.constant + packages.best(cut.coefficient, limits, run)
        if best is None or lower > best.lower:
            step *= 1.0 if best is None else LONGER
            best = Raised(lower, prices, cut)
            note(lower)
        else:
            step *= SHORTER
        if left() <= 0 or step < LEAST_STEP or enough(best.lower):
            return best
        prices = ascend(rough, blocks, steps=STEPS, first_step=step, begin=best.prices, chooser=packages, stop=lambda: left() <= 0).prices


def _ties(matrix: sparse.csr_matrix) -> tuple[Ints, Ints]:
    """Number of the group of each row and of each column: what shares an entry belongs together."""
    pattern: Any = abs(matrix)
    _, label = connected_components(sparse.block_array([[None, pattern], [pattern.T, None]]), directed=False)
    return label[: matrix.shape[0]].astype(np.int64), label[matrix.shape[0] :].astype(np.int64)
