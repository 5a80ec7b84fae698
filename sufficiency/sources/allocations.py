"""High needs provision capital allocations by council: the Department's OpenDocument spreadsheet, as published or as a council keeps it.

The workbook is read sheet by sheet: a sheet counts when one of its rows holds a heading for the council and headings with financial
years. What stands above that row (titles, notes) and rows of regions and England are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import financial_year

HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("ons code", "la code (ons)", "new la code", "ecode", "area code", "local authority code (9 digit)"),
    "name": ("local authority", "local authority name", "la name", "la", "responsible body", "council"),
}
"""What is looked for, in small letters -> headings that mean it. Further spellings are added here."""
YEAR: Final = re.compile(r"(20\d\d)\s*(?:-|\u2013|/|to)\s*(?:20)?(\d\d)(?!\d)")
TOTALS: Final = ("england", "total", "region", "north ", "south ", "east ", "west ", "london (", "yorkshire and")
NOTHING: Final = frozenset({"", "-", "\u2013", "z", "n/a"})
"""Cells that stand for no allocation."""
REMEDY: Final = "Give the spreadsheet 'High needs provision capital allocations', or one with its headings: council and financial years."


def read_allocations(path: Path, councils: pd.DataFrame) -> pd.DataFrame:
    """Allocations as council_code, financial_year, amount_gbp (GBP of the year), one row each.

    ``councils``: council_code and council_name of all councils there are. Raises InputError when no sheet has the headings, a council is
    not known, or an amount is no number; amounts of a council and year in several sheets are added up.
    """
    path = Path(path)
    try:
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object, engine="odf")
    except Exception as error:
        raise InputError([InputProblem(path.name, f"can't be read as an OpenDocument spreadsheet: {error}", REMEDY)]) from error
    problems: list[InputProblem] = []
    parts = [part for name, cells in sheets.items() for part in _sheet(path.name, str(name), cells, councils, problems)]
    if not parts and not problems:
        problems.append(InputProblem(path.name, "no sheet has headings for council and financial years", REMEDY))
    if problems:
        raise InputError(problems)
    table = pd.concat(parts, ignore_index=True)
    return table.groupby(["council_code", "financial_year"], as_index=False)[["amount_gbp"]].sum()


def _sheet(file: str, sheet: str, cells: pd.DataFrame, councils: pd.DataFrame, problems: list[InputProblem]) -> Iterator[pd.DataFrame]:
    """The allocations of one sheet; nothing when it has not the headings."""
    found = _headings(cells)
    if found is None:
        return
    top, named, years = found
    by_name = {_plain(name): code for code, name in zip(councils["council_code"], councils["council_name"], strict=True)}
    known = set(councils["council_code"])
    rows: list[tuple[str, str, float]] = []
    for row in range(top + 1, len(cells)):
        code, name = (_text(cells.iat[row, named[what]]) if what in named else "" for what in ("code", "name"))
        if (not code and not name) or _is_total(code, name):
            continue
        council = code if code in known else by_name.get(_plain(name))
        amounts = {year: _text(cells.iat[row, column]) for column, year in years.items()}
        if council is None:
            if any(amount not in NOTHING for amount in amounts.values()):
                message, remedy = f"sheet {sheet}: is no council that is known", "Correct the name or the code."
                problems.append(InputProblem(file, message, remedy, row=row + 1, value=name or code))
            continue
        for year, amount in amounts.items():
            figure = _pounds(amount)
            if figure is None:
                message = f"sheet {sheet}: is not an amount"
                problems.append(InputProblem(file, message, "Write pounds as a number.", row=row + 1, column=year, value=amount))
            else:
                rows.append((council, year, figure))
    yield pd.DataFrame(rows, columns=["council_code", "financial_year", "amount_gbp"])


def _headings(cells: pd.DataFrame) -> tuple[int, dict[str, int], dict[int, str]] | None:
    """Row of the headings, column of council code and name, and financial year by column."""
    for row in range(min(len(cells), 40)):
        texts = [_text(cell).lower() for cell in cells.iloc[row]]
        named = {what: texts.index(word) for what, words in HEADINGS.items() for word in words if word in texts}
        years = {}
        for column, text in enumerate(texts):
            match = YEAR.search(text)
            if match and int(match[2]) == (int(match[1]) + 1) % 100 and "total" not in text:
                years[column] = financial_year(int(match[1]))
        if named and years:
            return row, named, years
    return None


def _text(cell: object) -> str:
    return "" if cell is None or cell != cell else str(cell).strip()


def _plain(name: str) -> str:
    """A name without case, commas and the words that publishers write or leave out."""
    words = re.sub(r"[^a-z ]", " ", name.lower().replace("&", "and")).split()
    return " ".join(word for word in words if word not in ("council", "county", "city", "of", "borough", "the", "upon", "london", "royal"))


def _is_total(code: str, name: str) -> bool:
    """Whether a row is of England, a region or a sum."""
    return code.startswith(("E92", "E12")) or (not code and name.lower().startswith(TOTALS) and not name.lower().endswith("shire"))


def _pounds(amount: str) -> float | None:
    if amount.lower() in NOTHING:
        return 0.0
    try:
        return float(amount.replace(",", "").replace("£", ""))
    except ValueError:
        return None
