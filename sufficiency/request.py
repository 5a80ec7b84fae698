"""PlanRequest: what a planner asks for on top of a case."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

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
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError([InputProblem(str(path), f"can't be read: {error}", "Give a TOML file, e.g. gap = 0.01")]) from error
    known = {item.name: item for item in fields(PlanRequest)}
    problems = []
    for name, value in given.items():
        if name not in known:
            problems.append(InputProblem(str(path), "no such setting", f"Known: {', '.join(known)}.", column=name, value=str(value)))
        elif name in {"gap", "time_limit_s"} and (not isinstance(value, int | float) or value <= 0):
            problems.append(InputProblem(str(path), "must be a number above 0", "E.g. gap = 0.01", column=name, value=str(value)))
        elif name == "backend" and value not in {"highs", "ortools", "pulp"}:
            problems.append(InputProblem(str(path), "no such solver", "One of highs, ortools, pulp.", column=name, value=str(value)))
    if problems:
        raise InputError(problems)
    return PlanRequest(**given)
