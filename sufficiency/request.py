"""PlanRequest: what a planner asks for on top of a case."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from solver.backends import NAMES as BACKENDS
from solver.stages import Goal
from sufficiency.assumptions import default_assumptions
from sufficiency.case import Case
from sufficiency.requests import budgets, equity, pins
from sufficiency.requests.budgets import with_budgets, with_pooling, with_top_slice
from sufficiency.requests.equity import with_equity
from sufficiency.requests.pins import pin_problems, with_pins
from sufficiency.requests.prices import price_overrides
from sufficiency.suitability import with_version
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import PERSPECTIVES


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
    suitability: str | None = None
    """Version of suitability.csv; None = the newest."""
    perspective: str = "exchequer"
    """Whose cost counts: ``terms.PERSPECTIVES``."""
    pooling: str | None = None
    """``partnership``: councils of a partnership may share their capital."""
    top_slice: dict[str, Any] = field(default_factory=dict)
    """``share`` of every grant held back, and the ``councils`` (in deficit) that may draw on it."""
    pins: tuple[dict[str, Any], ...] = ()
    """Rows of the table ``pins``."""
    budgets: tuple[dict[str, Any], ...] = ()
    """``fund``, ``financial_year`` and ``amount_gbp`` or ``change_gbp``."""
    levers: tuple[str, ...] = ()
    """Suppositions about fees, by shipped name or file (docs/forecast.md): what else they say concerns the forecast alone."""
    equity: tuple[dict[str, Any], ...] = ()
    """Rows of the table ``equity``."""
    stages: tuple[str, ...] = ()
    """Goals in their order (unmet, independent, travel, cost), each among the plans best by those before; none = least cost."""
    check_with: str | None = None
    """``ortools``: plan and bound are checked by another solver once they are found. A held plan has no bound to check."""

    def applied_to(self, case: Case) -> Case:
        """The case with all that is asked for. Raises InputError with every fault of the request against the case."""
        problems: list[InputProblem] = []
        case = replace(case, academic_years=case.academic_years[: self.years], perspective=self.perspective)
        case = _collected(problems, case, lambda case: _overridden(case, price_overrides(case, self.levers), "the levers of the request"))
        case = _overridden(case, self.assumptions, "the request")
        case = _collected(problems, case, lambda case: with_version(case, self.suitability))
        case = _collected(problems, case, lambda case: with_top_slice(case, self.top_slice))
        case = _collected(problems, case, lambda case: with_budgets(case, self.budgets))
        case = _collected(problems, case, lambda case: with_pooling(case, self.pooling))
        case = with_equity(with_pins(case, self.pins), self.equity)
        problems += pin_problems(case)
        if problems:
            raise InputError(problems)
        return case

    def changes(self) -> dict[str, Any]:
        """What the request changes in a case beside years and assumptions: kept with the plan, so that it can be audited."""
        names = ("suitability", "perspective", "pooling", "top_slice", "pins", "budgets", "equity", "stages")
        given = asdict(self)
        return {name: given[name] for name in names if given[name] != getattr(PlanRequest(), name)}


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
    for name, faults in (("pins", pins.faults), ("budgets", budgets.faults), ("equity", equity.faults)):
        if name in given and RULES[name].holds(given[name]):
            problems += faults(given[name], file)
    if isinstance(given.get("top_slice"), dict):
        problems += budgets.top_slice_faults(given["top_slice"], file)
    if problems:
        raise InputError(problems)
    if "stages" in given:
        given = {**given, "stages": tuple(given["stages"])}
    lists = {name: tuple(dict(row) for row in given[name]) for name in ("pins", "budgets", "equity") if name in given}
    if "levers" in given:
        given = {**given, "levers": tuple(given["levers"])}
    return PlanRequest(**{**given, **lists})


def _overridden(case: Case, values: Mapping[str, Any], source: str) -> Case:
    return replace(case, assumptions=case.assumptions.override(values, source, "request"))


def _collected(problems: list[InputProblem], case: Case, change: Callable[[Case], Case]) -> Case:
    """The changed case; when the change raises InputError, its problems join the list and the case stays."""
    try:
        return change(case)
    except InputError as error:
        problems.extend(error.problems)
        return case


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


def _names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _rows(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(row, Mapping) for row in value)


def _goals(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(set(value)) == len(value) and set(value) <= {str(goal) for goal in Goal}


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
    "suitability": _Rule(lambda value: isinstance(value, str), "must be a version of suitability.csv", 'E.g. suitability = "2026"'),
    "perspective": _Rule(lambda value: value in PERSPECTIVES, "no such perspective", f"One of {', '.join(PERSPECTIVES)}."),
    "pooling": _Rule(lambda value: value == "partnership", "no such pooling", 'Write pooling = "partnership", or leave it out.'),
    "top_slice": _Rule(
        lambda value: isinstance(value, dict), "must be a table", 'Head it [top_slice]; below, share = 0.05 and councils = ["E10000003"]'
    ),
    "levers": _Rule(_names, "must be a list of levers", 'E.g. levers = ["price_cap"]'),
    "pins": _Rule(_rows, "must be a list of tables", 'Head each [[pins]]; below, project_id = "..." and wish = "must"'),
    "budgets": _Rule(_rows, "must be a list of tables", "Head each [[budgets]]; below, fund, financial_year and amount_gbp"),
    "equity": _Rule(
        _rows, "must be a list of tables", 'Head each [[equity]]; below, by = "council", measure = "unmet", within_share = 0.1'
    ),
    "check_with": _Rule(lambda value: value == "ortools", "no solver that can check", 'Write check_with = "ortools", or leave it out.'),
    "stages": _Rule(_goals, f"must be a list of goals, each once: {', '.join(Goal)}", 'E.g. stages = ["unmet", "cost", "travel"]'),
}
"""Setting -> what it must be: every field of PlanRequest."""
