"""Tables as answers: chosen rows, in order, a page at a time, as JSON or CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from starlette.datastructures import QueryParams

from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.schemas import Table

RESERVED: Final = frozenset({"world", "sort", "limit", "offset", "format"})
TRUTH: Final = {"true": True, "false": False}


@dataclass(frozen=True)
class Choice:
    """Which rows, and in which order. Hashable, so that answers can be kept."""

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Column -> any of these."""
    limits: tuple[tuple[str, str, float], ...] = ()
    """Column, ``min`` or ``max``, figure."""
    sort: tuple[tuple[str, bool], ...] = ()
    """Column, ascending."""


def read_choice(query: QueryParams, columns: Mapping[str, Any], sort: str | None) -> Choice:
    """The filters of a query: ``council_code=E06000001``, ``pupils.min=5``; sort ``-pupils,area_id``.

    ``columns``: name -> dtype. Raises InputError with every name and value that does not fit.
    """
    problems: list[InputProblem] = []
    values: list[tuple[str, tuple[str, ...]]] = []
    limits: list[tuple[str, str, float]] = []
    for name in sorted(set(query) - RESERVED):
        column, _, part = name.partition(".")
        if column not in columns or part not in ("", "min", "max"):
            problems.append(_no_column(name, columns))
        elif part:
            limits += _limit(column, part, query[name], columns, problems)
        else:
            values.append((column, _checked(column, query.getlist(name), columns[column], problems)))
    order = [(item.removeprefix("-"), not item.startswith("-")) for item in (sort or "").split(",") if item]
    problems += [_no_column(column, columns) for column, _ in order if column not in columns]
    if problems:
        raise InputError(problems)
    return Choice(tuple(values), tuple(limits), tuple(order))


def chosen(table: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The rows of a table that are asked for, in the order asked for."""
    kept = pd.Series(True, index=table.index)
    for column, wanted in choice.values:
        kept &= table[column].isin(_typed(table[column], wanted))
    for column, part, figure in choice.limits:
        kept &= table[column] >= figure if part == "min" else table[column] <= figure
    found = table[kept]
    if choice.sort:
        names, ascending = zip(*choice.sort, strict=True)
        found = found.sort_values(list(names), ascending=list(ascending), kind="stable")
    return found


def page_json(table: pd.DataFrame, offset: int, limit: int) -> bytes:
    """``{"items": [...], "total": n, "next": offset or null}``; an empty cell is null."""
    items = table.iloc[offset : offset + limit].to_json(orient="records", double_precision=15)
    after = offset + limit if offset + limit < len(table) else None
    return f'{{"items":{items},"total":{len(table)},"next":{json.dumps(after)}}}'.encode()


def csv_bytes(table: pd.DataFrame) -> bytes:
    """The rows as CSV (RFC 4180, UTF-8)."""
    return table.to_csv(index=False, lineterminator="\r\n").encode()


@lru_cache
def described(schema: type[Table]) -> tuple[dict[str, str], ...]:
    """name, type, unit and description of a schema's columns."""
    return tuple(
        {
            "name": name,
            "type": "text" if str(column.dtype).startswith("str") else str(column.dtype),
            "unit": str((column.metadata or {})["unit"]),
            "description": str(column.description),
        }
        for name, column in schema.to_schema().columns.items()
    )


def _checked(column: str, wanted: Iterable[str], dtype: Any, problems: list[InputProblem]) -> tuple[str, ...]:
    given = tuple(wanted)
    if is_bool_dtype(dtype):
        wrong, remedy = [value for value in given if value not in TRUTH], "Give true or false."
    elif is_numeric_dtype(dtype):
        wrong, remedy = [value for value in given if _figure(value) is None], "Give a figure."
    else:
        return given
    problems += [InputProblem("query", "is no value of this column", remedy, column=column, value=value) for value in wrong]
    return given


def _limit(column: str, part: str, value: str, columns: Mapping[str, Any], problems: list[InputProblem]) -> list[tuple[str, str, float]]:
    figure = _figure(value)
    if figure is None or is_bool_dtype(columns[column]) or not is_numeric_dtype(columns[column]):
        remedy = "Give a figure, for a column of figures."
        problems.append(InputProblem("query", "is no limit", remedy, column=f"{column}.{part}", value=value))
        return []
    return [(column, part, figure)]


def _typed(column: pd.Series, wanted: Iterable[str]) -> list[Any]:
    if is_bool_dtype(column.dtype):
        return [TRUTH[value] for value in wanted]
    return [float(value) for value in wanted] if is_numeric_dtype(column.dtype) else list(wanted)


def _figure(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _no_column(name: str, columns: Mapping[str, Any]) -> InputProblem:
    return InputProblem("query", "no such column", f"Columns: {', '.join(columns)}; with .min or .max for figures.", column=name)
