"""A table of the pack: told once, shown alike in the brief, the workbook and the data annexes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

HIDDEN: Final = "c"
"""Stands for a figure that is kept confidential, as in the Department's releases."""

NOTHING: Final = "-"
"""Stands for a figure that does not apply."""

FORMS: Final[Mapping[str, str]] = {
    "text": "{}",
    "number": "{:,.0f}",
    "decimal": "{:,.1f}",
    "pounds": "£{:,.0f}",
    "share": "{:.1%}",
}
"""Form of a figure -> how the brief writes it."""

EXCEL_FORMS: Final[Mapping[str, str]] = {
    "text": "General",
    "number": "#,##0",
    "decimal": "#,##0.0",
    "pounds": "£#,##0",
    "share": "0.0%",
}
"""Form of a figure -> how the workbook shows it; the cell keeps the figure itself."""


@dataclass(frozen=True)
class Column:
    """One column: its name in files, its heading for readers, unit, form and meaning."""

    name: str
    heading: str
    unit: str = "text"
    form: str = "text"
    meaning: str = ""
    sums: bool = False
    """Whether the column is added up at the foot."""
    formula: str = ""
    """How a planner would work the figure out from other columns: ``{capital_gbp}/{places}``; the workbook holds it as a formula."""


@dataclass(frozen=True)
class PackTable:
    """A table with what a reader needs to understand it."""

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    """One column per ``columns``, by name; an empty figure is NaN."""

    @property
    def has_total(self) -> bool:
        """Whether any column is added up."""
        return any(column.sums for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        return {column.name: column for column in self.columns}[name]

    def totals(self) -> dict[str, float]:
        """Sums at the foot by column name; NaN where a figure is hidden, so that no sum gives it away."""
        return {column.name: float(self.rows[column.name].sum(skipna=False)) for column in self.columns if column.sums}


def made(name: str, title: str, note: str, columns: list[Column], rows: pd.DataFrame) -> PackTable:
    """A table whose rows hold exactly its columns. Raises KeyError when one is missing."""
    kept = rows[[column.name for column in columns]].reset_index(drop=True)
    return PackTable(name, title, note, tuple(columns), kept)


def shown_cell(value: Any, column: Column) -> str:
    """A figure as the brief writes it."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return NOTHING if column.form == "text" else HIDDEN
    if column.form == "text":
        return str(value)
    text = FORMS[column.form].format(value)
    return text.replace("£-", "-£").replace("-0.0%", "0.0%") if text not in ("-0", "-0.0", "£-0") else text.replace("-", "")


def shown_rows(table: PackTable) -> list[list[str]]:
    """All cells as the brief writes them, the total last when there is one."""
    body = [
        [shown_cell(value, column) for value, column in zip(row, table.columns, strict=True)]
        for row in table.rows.itertuples(index=False, name=None)
    ]
    if table.has_total and len(table.rows) > 1:
        sums = table.totals()
        body.append(["Total", *(shown_cell(sums[c.name], c) if c.sums else "" for c in table.columns[1:])])
    return body


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun and verb: ``1 project opens``, ``2 projects open``."""
    return f"{number:,} {one if number == 1 else many}"


def without(table: PackTable, *names: str) -> PackTable:
    """The table with fewer columns, for paper."""
    columns = tuple(column for column in table.columns if column.name not in names)
    return replace(table, columns=columns, rows=table.rows[[column.name for column in columns]])
