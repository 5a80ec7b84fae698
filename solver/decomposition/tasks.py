"""Programmes that workers solve: nothing in them refers to the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits, ModelSolution
from solver.linear_model import ModelArrays
from solver.problem import Floats


@dataclass(frozen=True)
class Task:
    """What a worker needs to solve a part or to find a package."""

    model: ModelArrays
    start: Floats | None
    relax: bool
    limits: Limits


def solve_task(task: Task) -> ModelSolution:
    """The same wherever it runs."""
    return HighsBackend().solve(task.model, task.limits, relax=task.relax, start=task.start)


Run = Callable[[Sequence[Task]], list[ModelSolution]]


def run_here(tasks: Sequence[Task]) -> list[ModelSolution]:
    """One after the other in this process."""
    return [solve_task(task) for task in tasks]
