"""What a planner would do without an optimiser, as decisions of the same problem."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from solver.decomposition.master import no_decisions
from solver.problem import Floats, Ints, Problem
from solver.result import Decisions


def cheapest_first(problem: Problem) -> Decisions:
    """Cheapest cost per place first, each at its largest size and as early as the money in hand allows.

    Options that add no places, or whose prerequisite is not built, wait; of an exclusive group the first wins.
    """
    options = problem.options
    decisions = no_decisions(problem)
    start, modules = decisions.start.copy(), decisions.modules.copy()
    payable = _Purse(problem)
    for k in np.nonzero(start)[0]:
        payable.take(options.owner[options.start_option[k]], options.kind[options.start_option[k]], spend(problem, int(k), int(modules[k])))
    j = options.start_option
    places = options.module * options.max_modules
    first = np.array([np.nonzero(j == option)[0].min(initial=len(j)) for option in range(len(options.labels))], np.int64)
    able = (places > 0) & (first < len(j)) & (options.committed_start < 0)
    at = np.minimum(first, max(len(j) - 1, 0))
    dearest = options.fixed_spend[at].sum(axis=1) + options.max_modules * options.module_spend[at].sum(axis=1)
    cost = np.where(able, dearest / np.maximum(places, 1), np.inf)
    taken_groups = set(options.exclusive[j[start > 0]][options.exclusive[j[start > 0]] >= 0].tolist())
    opened = {int(j[k]): int(options.start_opens[k]) for k in np.nonzero(start)[0]}
    for option in np.lexsort((np.arange(len(cost)), cost)):
        if not able[option] or int(options.exclusive[option]) in taken_groups:
            continue
        needed = int(options.prerequisite[option])
        for k in np.nonzero(j == option)[0]:
            if needed >= 0 and opened.get(needed, 10**6) > options.start_opens[k]:
                continue
            if payable.take(options.owner[option], options.kind[option], spend(problem, int(k), int(options.max_modules[option]))):
                start[k], modules[k] = 1, options.max_modules[option]
                opened[int(option)] = int(options.start_opens[k])
                if options.exclusive[option] >= 0:
                    taken_groups.add(int(options.exclusive[option]))
                break
    return Decisions(start, modules, decisions.stage)


def spend(problem: Problem, k: int, modules: int) -> Floats:
    """(F,) spending of a start with so many modules."""
    result: Floats = problem.options.fixed_spend[k] + modules * problem.options.module_spend[k]
    return result


class _Purse:
    """Money in hand by fund and year; pays from the fund that fewest kinds may use first."""

    def __init__(self, problem: Problem) -> None:
        self.funds = problem.funds
        self.paid = np.zeros_like(problem.funds.amount)
        self.order: Ints = np.argsort(problem.funds.eligible.sum(axis=(1, 2)), kind="stable")

    def take(self, owner: int, kind: int, amounts: Floats) -> bool:
        """Pay these amounts by year; False (and nothing paid) when the money does not reach."""
        paid = self.paid.copy()
        for year, amount in enumerate(amounts):
            rest = float(amount)
            for fund in self.order:
                if rest <= 0:
                    break
                if self.funds.eligible[fund, owner, kind]:
                    part = _largest(partial(self._holds, paid, int(fund), year), rest)
                    paid[fund, year] += part
                    rest -= part
            if rest > 1e-6 * max(1.0, amount):
                return False
        self.paid = paid
        return True

    def _holds(self, paid: Floats, fund: int, year: int, extra: float) -> bool:
        """Whether a fund stays solvent in every year when ``extra`` more is paid in one."""
        carried = 0.0
        for f in range(paid.shape[1]):
            rest = carried + self.funds.amount[fund, f] - paid[fund, f] - (extra if f == year else 0.0)
            if rest < -1e-6 * max(1.0, self.funds.amount[fund].max()):
                return False
            carried = min(max(rest, 0.0), self.funds.carry_share[fund, f] * (carried + self.funds.amount[fund, f]))
        return True


def _largest(holds: Callable[[float], bool], most: float) -> float:
    """Largest amount up to ``most`` that holds, to a pound."""
    if holds(most):
        return most
    low, high = 0.0, most
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
