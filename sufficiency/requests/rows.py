"""Lists of tables in a request ([[pins]], [[budgets]], ...): the faults that can be seen without a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sufficiency.tables.problems import InputProblem
from sufficiency.terms import start_of

Key = tuple[Callable[[Any], bool], str]
"""What a value must be: whether it holds, and in words."""


def row_faults(
    name: str, rows: Sequence[Mapping[str, Any]], keys: Mapping[str, Key], needed: Sequence[str], file: str
) -> Iterator[InputProblem]:
    """Unknown keys, missing keys and values of another kind, row by row (the first is 1)."""
    for number, row in enumerate(rows, start=1):
        where = f"{name} {number}"
        for key, value in row.items():
            if key not in keys:
                yield InputProblem(file, f"no such key in {where}", f"Known: {', '.join(keys)}.", column=key, value=str(value))
            elif not keys[key][0](value):
                yield InputProblem(file, f"{keys[key][1]} in {where}", "Correct it.", column=key, value=str(value))
        for key in needed:
            if key not in row:
                yield InputProblem(file, f"is missing in {where}", "Add it.", column=key)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_year(value: Any, kinds: str = "/-") -> bool:
    """Whether a text is an academic (2022/23) or financial (2022-23) year of the kinds given."""
    try:
        return isinstance(value, str) and value[4:5] in kinds and start_of(value) > 0
    except ValueError:
        return False
