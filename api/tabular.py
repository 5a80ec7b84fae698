"""Tables as answers: chosen rows, in order, a page at a time, as JSON or CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from starlette.datastructures import QueryParams

from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.schemas import Table

RESERVED: Final = frozenset({"world", "sort", "limit", "offset", "format"})
TRUTH: Final = {"true": True, "false": False}

Positions = range | npt.NDArray[np.int64]
"""Of rows in their table."""


@dataclass(frozen=True)
class Choice:
    """Which rows, and in which order. Hashable, so that answers can be kept."""

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Column -> any of these."""
    limits: tuple[tuple[str, str, float], ...] = ()
    """Column, ``min`` or ``max``, figure."""
    sort: tuple[tuple[str, bool], ...] = ()
    """Column, ascending."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it names."""
        return frozenset(
            (
                *(column for column, _ in self.values),
                *(column for column, _, _ in self.limits),
                *(column for column, _ in self.sort),
            )
        )


@dataclass(frozen=True)
class Whole:
    """The rows of a table that fits into memory."""

    frame: pd.DataFrame

    @property
    def dtypes(self) -> Mapping[str, Any]:
        """Column -> type."""
        return dict(self.frame.dtypes)

    def find(self, choice: Choice) -> Positions:
        """Where the rows are that are asked for, in the order asked for."""
        if not choice.columns:
            return range(len(self.frame))
        return chosen(self.frame[sorted(choice.columns)].reset_index(drop=True), choice).index.to_numpy()

    def take(self, positions: Positions) -> pd.DataFrame:
        """The rows at these positions."""
        return self.frame.iloc[np.asarray(positions)]


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


def page_json(rows: pd.DataFrame, offset: int, total: int) -> bytes:
    """``{"items": [...], "total": n, "next": offset or null}`` of the rows after ``offset``; an empty cell is null."""
    items = rows.to_json(orient="records", double_precision=15)
    after = offset + len(rows) if offset + len(rows) < total and len(rows) else None
    return f'{{"items":{items},"total":{total},"next":{json.dumps(after)}}}'.encode()


def csv_bytes(rows: pd.DataFrame, header: bool = True) -> bytes:
    """The rows as CSV (RFC 4180, UTF-8)."""
    return rows.to_csv(index=False, header=header, lineterminator="\r\n").encode()


@lru_cache
def described(schema: type[Table]) -> tuple[dict[str, str], ...]:
    """name, type, unit and description of a schema's columns."""
    return tuple(
        {
            "name": name,
            "type": "text" if str(column.dtype).startswith(("str", "category")) else str(column.dtype),
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
