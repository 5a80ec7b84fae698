"""Goals in stages, and frontiers: least cost for every limit on a measure.

A stage finds the least value of its goal while the goals before it stay within ``tolerance`` of theirs. Measures are held by
rows (epsilon constraints); a goal after cost is found by tightening its limit for as long as the cost allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from solver.problem import Problem
from solver.requirements import Measure
from solver.result import Solution
from solver.variants import limited, only, total

UNIT = 1e5
"""Money per unit of a measure that is the whole cost: any amount will do."""
HELD = {Measure.UNMET: 1e8, Measure.OUTSIDE: 1e8, Measure.MINUTES: 1e6}
"""What a breach of an earlier goal costs per unit: more than any plan gains by it."""
HALVINGS = 6

Solve = Callable[[Problem, Sequence[Solution]], Solution]
"""Solves a problem from known solutions."""


class Goal(StrEnum):
    """What a stage makes least."""

    UNMET = "unmet"
    OUTSIDE = "independent"
    TRAVEL = "travel"
    COST = "cost"

    @property
    def measure(self) -> Measure | None:
        """Its measure; None for cost."""
        return {Goal.UNMET: Measure.UNMET, Goal.OUTSIDE: Measure.OUTSIDE, Goal.TRAVEL: Measure.MINUTES, Goal.COST: None}[self]


@dataclass(frozen=True)
class Stage:
    """One goal, its value in the plan and the least value proven possible given the goals before it."""

    goal: Goal
    value: float
    bound: float


@dataclass(frozen=True)
class Point:
    """A limit and the cheapest plan that keeps it."""

    limit: float
    value: float
    solution: Solution

    @property
    def kept(self) -> bool:
        """Whether the plan keeps the limit, which bends at the cost ``HELD``."""
        return self.value <= self.limit * (1 + 1e-6) + 1e-6


def in_stages(problem: Problem, goals: Sequence[Goal], solve: Solve, *, tolerance: float = 0.005) -> tuple[Solution, tuple[Stage, ...]]:
    """The plan that is best by the first goal, among those by the second, and so on. ``solution.upper`` is its cost.

    ``tolerance``: share by which a goal may be missed for the sake of the next.
    """
    held, stages = problem, list[Stage]()
    known: list[Solution] = []
    found: Solution | None = None
    most_cost = float("inf")
    for goal in goals:
        if goal.measure is None:
            found = solve(held, known)
            most_cost = (1 + tolerance) * found.upper
            stages.append(Stage(goal, found.upper, found.lower))
        elif most_cost < float("inf"):
            assert found is not None
            found, bound = _least_within(held, goal.measure, found, most_cost, solve)
            stages.append(Stage(goal, total(problem, goal.measure, found), bound))
        else:
            first = solve(only(held, goal.measure, UNIT), known)
            value = total(problem, goal.measure, first)
            stages.append(Stage(goal, value, max(0.0, first.lower / UNIT)))
            held = limited(held, goal.measure, (1 + tolerance) * value + 1e-6, HELD[goal.measure], f"least {goal.value}")
            known, found = [first], None
        if found is not None:
            known = [found]
    return (found or solve(held, known)), tuple(stages)


def _least_within(problem: Problem, measure: Measure, start: Solution, most_cost: float, solve: Solve) -> tuple[Solution, float]:
    """The least of a measure at no more than a cost: halves the way between what is known to be possible and what is not."""
    best, high = start, total(problem, measure, start)
    low = max(0.0, solve(only(problem, measure, UNIT), [start]).lower / UNIT)
    bound = low
    for _ in range(HALVINGS):
        if high - low <= 1e-3 * high:
            break
        middle = (low + high) / 2
        tried = solve(limited(problem, measure, middle, HELD[measure], f"{measure.value} at most"), [best])
        if tried.upper <= most_cost:
            best, high = tried, min(middle, total(problem, measure, tried))
        else:
            low = middle
            if tried.lower > most_cost:
                bound = middle
    return best, bound


def frontier(problem: Problem, measure: Measure, points: int, solve: Solve, stop: Callable[[], bool] = lambda: False) -> tuple[Point, ...]:
    """Cheapest plans for ``points`` limits between the measure of the cheapest plan and the least possible, in that order.

    ``stop`` says that no further point is wanted: there are fewer then.
    """
    cheapest = solve(problem, [])
    high = total(problem, measure, cheapest)
    if stop():
        return (Point(high, high, cheapest),)
    least = solve(only(problem, measure, UNIT), [cheapest])
    low = total(problem, measure, least)
    found = [Point(high, high, cheapest)]
    for step in range(1, max(points, 2)):
        if stop():
            break
        limit = high + (low - high) * step / (max(points, 2) - 1)
        solution = solve(limited(problem, measure, limit, HELD[measure], f"{measure.value} at most"), [found[-1].solution, least])
        found.append(Point(limit, total(problem, measure, solution), solution))
    return tuple(found)
