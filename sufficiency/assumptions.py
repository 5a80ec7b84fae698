"""Every default figure of the model: value, unit, year, source and status, in one readable file.

The defaults stand in ``default_assumptions.toml``; a case or a request overrides values by name.
Nothing else in the code holds a figure about costs, pupils or policy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from sufficiency.tables.problems import InputError, InputProblem


@dataclass(frozen=True)
class Assumption:
    """One default figure with its provenance; ``value`` is a number, a list or a table of numbers."""

    name: str
    value: Any
    unit: str
    year: str
    source: str
    status: str


@dataclass(frozen=True)
class Assumptions:
    """All figures by dotted name (``costs.state_special``)."""

    entries: Mapping[str, Assumption]

    def __iter__(self) -> Iterator[Assumption]:
        return iter(self.entries.values())

    def number(self, name: str) -> float:
        """The single figure of that name. KeyError when there is none."""
        value = self.entries[name].value
        if isinstance(value, dict | list):
            raise TypeError(f"{name} is a table; ask for one key with table()")
        return float(value)

    def table(self, name: str) -> dict[str, float]:
        """The figures by key of that name. KeyError when there is none."""
        value = self.entries[name].value
        if not isinstance(value, dict):
            raise TypeError(f"{name} is a single figure; ask with number()")
        return {key: float(figure) for key, figure in value.items()}

    def numbers(self, name: str) -> list[float]:
        """The figures in order of that name (deciles, years)."""
        value = self.entries[name].value
        if not isinstance(value, list):
            raise TypeError(f"{name} is not a list of figures")
        return [float(figure) for figure in value]

    def override(self, values: Mapping[str, Any], source: str, file: str = "assumptions") -> Assumptions:
        """New assumptions with these values by dotted name; a table value replaces only the keys given.

        Raises InputError naming every unknown name and every value of another shape.
        """
        entries = dict(self.entries)
        problems = []
        for name, value in values.items():
            old = entries.get(name)
            if old is None:
                problems.append(
                    InputProblem(file, "no such assumption", "See docs/assumptions.md for the names.", column=name, value=str(value))
                )
                continue
            if isinstance(old.value, dict) != isinstance(value, dict) or isinstance(old.value, list) != isinstance(value, list):
                problems.append(
                    InputProblem(
                        file, "another shape than the default", f"Give it like the default: {old.value}.", column=name, value=str(value)
                    )
                )
                continue
            if not all(isinstance(figure, int | float) for figure in _figures(value)):
                problems.append(InputProblem(file, "not a number", "Give figures only.", column=name, value=str(value)))
                continue
            merged = {**old.value, **value} if isinstance(value, dict) else value
            if merged != old.value:
                entries[name] = replace(old, value=merged, source=source, status="user")
        if problems:
            raise InputError(problems)
        return Assumptions(entries)

    def changed(self) -> dict[str, Any]:
        """Values that differ from the defaults, by name: what a case has to store."""
        defaults = default_assumptions().entries
        return {name: entry.value for name, entry in self.entries.items() if entry.value != defaults[name].value}


def _figures(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


@cache
def default_assumptions() -> Assumptions:
    """The shipped defaults."""
    text = resources.files("sufficiency").joinpath("default_assumptions.toml").read_text(encoding="utf-8")
    return Assumptions(dict(_entries("", tomllib.loads(text))))


def _entries(prefix: str, tree: dict[str, Any]) -> Iterator[tuple[str, Assumption]]:
    for key, node in tree.items():
        name = f"{prefix}{key}"
        if "status" in node:
            yield name, Assumption(name=name, **node)
        else:
            yield from _entries(f"{name}.", node)


def read_overrides(path: Path) -> dict[str, Any]:
    """Overrides of a TOML file: ``[costs] state_special = 27000`` or ``"costs.state_special" = 27000``."""
    defaults = default_assumptions().entries

    def flatten(prefix: str, tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for key, node in tree.items():
            name = f"{prefix}{key}"
            if isinstance(node, dict) and name not in defaults:
                yield from flatten(f"{name}.", node)
            else:
                yield name, node

    return dict(flatten("", tomllib.loads(path.read_text(encoding="utf-8"))))
