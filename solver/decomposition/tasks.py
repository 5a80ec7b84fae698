"""What workers solve: nothing in a task refers to the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits, ModelSolution
from solver.linear_model import ModelArrays
from solver.problem import Floats

Found = TypeVar("Found")
FoundOut = TypeVar("FoundOut", covariant=True)


class Task(Protocol[FoundOut]):
    """What a worker needs for one part."""

    def sent(self) -> Self:
        """As it can travel."""

    def solve(self) -> FoundOut:
        """The same wherever it runs."""


class Run(Protocol):
    """How tasks are solved."""

    def __call__(self, tasks: Sequence[Task[Found]], /) -> list[Found]:
        """What each found, in their order."""


@dataclass(frozen=True)
class Programme:
    """A model to solve: of a part, or for a package."""

    model: ModelArrays
    start: Floats | None
    relax: bool
    limits: Limits

    def sent(self) -> Self:
        """Whether to stop is asked between tasks: the question can't travel."""
        return replace(self, limits=replace(self.limits, interrupted=None))

    def solve(self) -> ModelSolution:
        """With HiGHS."""
        return HighsBackend().solve(self.model, self.limits, relax=self.relax, start=self.start)


def solved(task: Task[Found]) -> Found:
    """What a task finds; by name, so that it can be sent."""
    return task.solve()


def run_here(tasks: Sequence[Task[Found]]) -> list[Found]:
    """One after the other in this process."""
    return [task.solve() for task in tasks]
