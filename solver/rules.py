"""What a planner would do without an optimiser, as decisions of the same problem."""

from __future__ import annotations

import heapq
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
    places = problem.options.module * problem.options.max_modules
    return _best_first(problem, lambda option: float(places[option]), lambda option: None)


def cheapest_per_displaced(problem: Problem) -> Decisions:
    """Cheapest cost per use of OUTSIDE pools that a place displaces, those counted that earlier choices leave; then cheapest per place.

    A place displaces its families' share, but no more than its owner's own users have outside in the last period.
    """
    options, displacement = problem.options, problem.displacement
    served, places = _served(problem), options.module * options.max_modules
    left = displacement.floor[:, :, -1].copy()

    def displaced(option: int) -> Floats:
        """(H,) what the option's places displace of what is left, in proportion to it."""
        mine: Floats = np.where(served[option], left[options.owner[option]], 0.0)
        most = float(places[option] * (displacement.share * mine).sum() / mine.sum()) if mine.sum() > 0 else 0.0
        return mine * min(1.0, most / mine.sum()) if most > 0 else 0.0 * mine

    def value(option: int) -> float:
        # what displaces nothing comes last, by cost per place
        return float(displaced(option).sum()) + 1e-6 * float(places[option])

    def chosen(option: int) -> None:
        left[options.owner[option]] -= displaced(option)

    return _best_first(problem, value, chosen)


def largest_need_first(problem: Problem) -> Decisions:
    """No cost is compared: each owner's money goes, time and again, to the families with most demand not yet given places."""
    options, demand = problem.options, problem.demand
    served, places = _served(problem), options.module * options.max_modules
    need = np.zeros((len(problem.owners), len(problem.families)))
    there = np.einsum("zcv,cv->zc", demand.entrants, demand.stay[:, :, -1])
    origin, cls = np.nonzero(there)
    np.add.at(need, (demand.origin_owner[origin], demand.class_family[cls]), there[origin, cls])

    def most(option: int) -> float:
        return float(np.where(served[option], need[options.owner[option]], 0.0).sum())

    def chosen(option: int) -> None:
        mine = np.where(served[option], need[options.owner[option]], 0.0)
        if mine.sum() > 0:
            need[options.owner[option]] -= mine * min(1.0, float(places[option]) / float(mine.sum()))

    return _best_first(problem, most, chosen, cost=np.ones(len(places)))


def _served(problem: Problem) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(J, H) families that an option's places accept."""
    accepted = np.zeros((len(problem.families), len(problem.pools.labels)), np.bool_)
    np.logical_or.at(accepted, problem.demand.class_family, problem.pools.accepts)
    pool = problem.options.pool
    return np.where((pool >= 0)[:, None], accepted[:, np.maximum(pool, 0)].T, False)


def _best_first(problem: Problem, value: Callable[[int], float], chosen: Callable[[int], None], *, cost: Floats | None = None) -> Decisions:
    """Least cost per value first while money lasts. A value may fall as others are chosen, never rise; 0 = not wanted."""
    options = problem.options
    decisions = no_decisions(problem)
    start, modules = decisions.start.copy(), decisions.modules.copy()
    payable = _Purse(problem)
    for k in np.nonzero(start)[0]:
        payable.take(options.owner[options.start_option[k]], options.kind[options.start_option[k]], spend(problem, int(k), int(modules[k])))
    j = options.start_option
    first = np.array([np.nonzero(j == option)[0].min(initial=len(j)) for option in range(len(options.labels))], np.int64)
    able = (options.module * options.max_modules > 0) & (first < len(j)) & (options.committed_start < 0)
    at = np.minimum(first, max(len(j) - 1, 0))
    if cost is None:
        cost = options.fixed_spend[at].sum(axis=1) + options.max_modules * options.module_spend[at].sum(axis=1)
    taken_groups = set(options.exclusive[j[start > 0]][options.exclusive[j[start > 0]] >= 0].tolist())
    opened = {int(j[k]): int(options.start_opens[k]) for k in np.nonzero(start)[0]}
    queue = [(float(cost[option]) / worth, int(option)) for option in np.nonzero(able)[0] if (worth := value(int(option))) > 0]
    heapq.heapify(queue)
    while queue:
        ratio, option = heapq.heappop(queue)
        if int(options.exclusive[option]) in taken_groups:
            continue
        worth = value(option)
        if worth <= 0:
            continue
        if cost[option] / worth > ratio * (1 + 1e-12):
            heapq.heappush(queue, (float(cost[option]) / worth, option))
            continue
        needed = int(options.prerequisite[option])
        for k in np.nonzero(j == option)[0]:
            if needed >= 0 and opened.get(needed, 10**6) > options.start_opens[k]:
                continue
            if payable.take(options.owner[option], options.kind[option], spend(problem, int(k), int(options.max_modules[option]))):
                start[k], modules[k] = 1, options.max_modules[option]
                opened[option] = int(options.start_opens[k])
                chosen(option)
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
