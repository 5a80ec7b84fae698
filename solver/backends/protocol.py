"""The one protocol that every mixed-integer backend fulfils."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from solver.linear_model import ModelArrays
from solver.problem import Floats
from solver.result import Termination


@dataclass(frozen=True)
class Limits:
    """When a backend may stop."""

    gap: float = 1e-6
    """Relative gap at which it stops."""
    seconds: float = 3600.0
    threads: int = 2
    seed: int = 0
    interrupted: Callable[[], bool] | None = None
    """Asked now and then; True stops with the best solution so far."""
    patience: float = float("inf")
    """Seconds from then on for a linear programme without which there is no plan; afterwards it raises ``Abandoned``."""


@dataclass(frozen=True)
class ModelSolution:
    """Solution of a linear model. ``x`` is None when none was found."""

    termination: Termination
    x: Floats | None
    objective: float
    bound: float
    row_dual: Floats | None = None
    """Duals of the rows of a pure linear programme: cost of raising the row by one."""


class Backend(Protocol):
    """Solves a linear model."""

    name: str

    def solve(self, model: ModelArrays, limits: Limits, *, relax: bool = False, start: Floats | None = None) -> ModelSolution:
        """Minimise. ``relax`` drops integrality; ``start`` is a solution to begin from."""
        ...
