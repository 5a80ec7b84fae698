"""PlanRequest: what a planner asks for on top of a case."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from solver.backends import NAMES as BACKENDS
from sufficiency.assumptions import default_assumptions
from sufficiency.case import Case
from sufficiency.tables.problems import InputError, InputProblem


@dataclass(frozen=True)
class PlanRequest:
    """How to plan a case. Defaults are those of the command line."""

    gap: float = 0.01
    """Stop when the plan is proven to be within this share of the least cost."""
    time_limit_s: float = 600.0
    backend: str = "highs"
    threads: int = 2
    seed: int = 1
    scenario: str = "central"
    """Demand scenario of the table ``pupils``."""
    years: int | None = None
    """Plan only the first so many planning years; None = all."""
    sensitivity: bool = True
    """Whether to show the saving at other displacement shares and tails."""
    assumptions: dict[str, Any] = field(default_factory=dict)
    """Overrides by dotted name."""

    def applied_to(self, case: Case) -> Case:
        """The case with the request's years and assumptions. Raises InputError for unknown names."""
        assumptions = case.assumptions.override(self.assumptions, "the request", "request")
        return replace(case, assumptions=assumptions, academic_years=case.academic_years[: self.years])


def read_request(path: Path) -> PlanRequest:
    """A request from a TOML file: the fields of PlanRequest, assumptions as a table. Raises InputError."""
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError([InputProblem(str(path), f"can't be read: {error}", "Give a TOML file, e.g. gap = 0.01")]) from error
    return checked_request(given, str(path))


def checked_request(given: Mapping[str, Any], file: str) -> PlanRequest:
    """A request from settings by name; ``file`` is where they stand. Raises InputError with every fault of every setting."""
    problems = []
    for name, value in given.items():
        if name not in RULES:
            problems.append(InputProblem(file, "no such setting", f"Known: {', '.join(RULES)}.", column=name, value=str(value)))
        elif not RULES[name].holds(value):
            problems.append(InputProblem(file, RULES[name].message, RULES[name].remedy, column=name, value=str(value)))
    if isinstance(given.get("assumptions"), dict):
        try:
            default_assumptions().override(given["assumptions"], "the request", file)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return PlanRequest(**given)


@dataclass(frozen=True)
class _Rule:
    """What a setting must be."""

    holds: Callable[[Any], bool]
    message: str
    remedy: str


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return _whole(value) and value >= 1


RULES: Final[Mapping[str, _Rule]] = {
    "gap": _Rule(_number, "must be a number above 0", "E.g. gap = 0.01"),
    "time_limit_s": _Rule(_number, "must be a number of seconds above 0", "E.g. time_limit_s = 600"),
    "backend": _Rule(lambda value: value in BACKENDS, "no such solver", f"One of {', '.join(BACKENDS)}."),
    "threads": _Rule(_count, "must be a whole number from 1 on", "E.g. threads = 2"),
    "seed": _Rule(lambda value: _whole(value) and value >= 0, "must be a whole number from 0 on", "E.g. seed = 1"),
    "scenario": _Rule(lambda value: isinstance(value, str), "must be the name of a demand scenario", 'E.g. scenario = "central"'),
    "years": _Rule(_count, "must be a whole number from 1 on", "E.g. years = 3; leave it out to plan all."),
    "sensitivity": _Rule(lambda value: isinstance(value, bool), "must be true or false", "E.g. sensitivity = false"),
    "assumptions": _Rule(
        lambda value: isinstance(value, dict), "must be a table", 'Head it [assumptions]; below, e.g. "costs.state_special" = 27000'
    ),
}
"""Setting -> what it must be: every field of PlanRequest."""
