"""Comments on projects: a sheet to be filled in round a table, read back as pins and notes with author and date.

One row per comment. ``wish`` is empty for a comment alone; otherwise must, must not, not before (with a year) or at least (with places).
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import openpyxl  # type: ignore[import-untyped]
import tomli_w
import xlsxwriter  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.pack.table import PackTable
from sufficiency.requests.rows import is_year
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import WISHES

SHEET: Final = "Comments"
COLUMNS: Final = ("project_id", "project", "in_plan", "comment", "wish", "year", "places", "author", "date")
WIDTHS: Final = (16, 48, 10, 60, 12, 11, 8, 22, 12)
NEEDED: Final = ("project_id", "comment", "wish", "author", "date")
ROWS_FOR_MORE: Final = 200
"""Empty rows below the projects, for further comments."""
HELP: Final = (
    "Write one comment per row; copy a row for a second comment on the same project.",
    "wish: leave it empty for a comment alone. must: build it. must not: do not build it. not before: give the year.",
    "at least: give the places. year: 2026/27 for opening from that September, 2026-27 for a start in that financial year.",
    "author and date (2026-11-24) are needed on every row that you fill in. Please name nobody else, least of all a child.",
)


@dataclass(frozen=True)
class Comment:
    """One row that somebody filled in."""

    project_id: str
    comment: str
    wish: str
    """Empty, or one of ``terms.WISHES``."""
    year: str
    places: float | None
    author: str
    date: str
    """ISO 8601."""


def write_comment_sheet(of: Material, tables: Mapping[str, PackTable], path: Path) -> None:
    """Write a sheet with one row per project, those of the plan first, with lists to choose from."""
    book = xlsxwriter.Workbook(str(path))
    book.set_properties({"title": f"Comments on projects: {of.where}", "created": datetime.datetime(2000, 1, 1)})
    heading = book.add_format({"bold": True, "bg_color": "#eef1f3", "bottom": 1, "valign": "top"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    open_cell = book.add_format({"text_wrap": True, "valign": "top", "bg_color": "#fffbe6", "border": 4})
    day = book.add_format({"num_format": "yyyy-mm-dd", "valign": "top", "bg_color": "#fffbe6", "border": 4})
    sheet = book.add_worksheet(SHEET)
    for place, (name, width) in enumerate(zip(COLUMNS, WIDTHS, strict=True)):
        sheet.write_string(0, place, name, heading)
        sheet.set_column(place, place, width)
    projects = _projects(tables)
    for row, project in enumerate(projects, start=1):
        for place, cell in enumerate(project):
            sheet.write_string(row, place, cell, wrapped)
        for place in range(3, len(COLUMNS)):
            sheet.write_blank(row, place, None, day if COLUMNS[place] == "date" else open_cell)
    end = len(projects) + ROWS_FOR_MORE
    wishes, years = [wish.replace("_", " ") for wish in WISHES], list(of.case.academic_years)
    at = {name: place for place, name in enumerate(COLUMNS)}
    sheet.data_validation(1, at["wish"], end, at["wish"], {"validate": "list", "source": wishes})
    sheet.data_validation(1, at["year"], end, at["year"], {"validate": "list", "source": years, "error_type": "warning"})
    sheet.data_validation(1, at["places"], end, at["places"], {"validate": "integer", "criteria": ">", "value": 0})
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, len(projects), len(COLUMNS) - 1)
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    notes = book.add_worksheet("How to fill it in")
    notes.set_column(0, 0, 120)
    for row, line in enumerate(HELP):
        notes.write_string(row, 0, line, wrapped)
    book.close()


def read_comments(path: Path) -> list[Comment]:
    """The filled-in rows of a comments sheet (.xlsx or .csv). Raises InputError with every fault of every row."""
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _excel_rows(path)
    problems: list[InputProblem] = []
    comments = []
    for number, row in rows:
        faults = list(_faults(path.name, number, row))
        problems += faults
        if not faults:
            places = float(row["places"]) if row["places"] else None
            wish = row["wish"].replace(" ", "_")
            comments.append(Comment(row["project_id"], row["comment"], wish, row["year"], places, row["author"], row["date"]))
    problems += _doubles(path.name, comments)
    if problems:
        raise InputError(problems)
    return comments


def pins_of(comments: Sequence[Comment]) -> list[dict[str, Any]]:
    """The comments that carry a wish, in the form of [[pins]] of a plan request."""
    pins = []
    for one in comments:
        if one.wish:
            pin = {"project": one.project_id, "wish": one.wish, "year": one.year, "places": one.places, "note": one.comment}
            pins.append({key: value for key, value in pin.items() if value} | {"author": one.author, "date": one.date})
    return pins


def comments_toml(comments: Sequence[Comment]) -> str:
    """A plan request with the pins; comments without a wish stand above it as remarks."""
    notes = [f"# {one.project_id}: {' '.join(one.comment.split())} ({one.author}, {one.date})" for one in comments if not one.wish]
    head = ["# Comments without a wish", *notes, ""] if notes else []
    return "\n".join(head) + ("\n" if head else "") + tomli_w.dumps({"pins": pins_of(comments)})


def _projects(tables: Mapping[str, PackTable]) -> list[tuple[str, str, str]]:
    built, left = tables["projects"].rows, tables["not_chosen"].rows
    return [
        *((str(row.project_id), str(row.name), "yes") for row in built.itertuples(index=False)),
        *((str(row.project_id), str(row.name), "no") for row in left.itertuples(index=False)),
    ]


def _excel_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    remedy = "Give the comments sheet of a pack, saved as .xlsx or .csv."
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (OSError, BadZipFile, InvalidFileException, KeyError) as error:
        raise InputError([InputProblem(path.name, f"can't be read: {error}", remedy)]) from error
    sheet = book[SHEET] if SHEET in book.sheetnames else book.worksheets[0]
    yield from _rows(path.name, ([_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)))


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines(keepends=True)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError([InputProblem(path.name, f"can't be read: {error}", "Save the sheet as CSV in UTF-8.")]) from error
    yield from _rows(path.name, ([cell.strip() for cell in line] for line in lines))


def _rows(file: str, lines: Iterator[list[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of every row that says anything; InputError when a heading is missing."""
    headings = [name.strip().lower().replace(" ", "_") for name in next(lines, [])]
    missing = [name for name in NEEDED if name not in headings]
    if missing:
        remedy = f"The first row must hold {', '.join(COLUMNS)}."
        raise InputError([InputProblem(file, "column is missing", remedy, row=1, column=name) for name in missing])
    for number, line in enumerate(lines, start=2):
        row = dict.fromkeys(COLUMNS, "") | dict(zip(headings, line, strict=False))
        if row["comment"] or row["wish"]:
            yield number, row | {"wish": row["wish"].lower().replace("_", " ")}


def _faults(file: str, number: int, row: Mapping[str, str]) -> Iterator[InputProblem]:
    def fault(column: str, message: str, remedy: str) -> InputProblem:
        return InputProblem(file, message, remedy, row=number, column=column, value=row[column] or None)

    wish = row["wish"].replace(" ", "_")
    if not row["project_id"]:
        yield fault("project_id", "is empty", "Copy the id from the row of the project.")
    if wish and wish not in WISHES:
        yield fault("wish", "no such wish", f"Leave it empty, or one of {', '.join(w.replace('_', ' ') for w in WISHES)}.")
    if not row["author"]:
        yield fault("author", "is empty", "Say who makes the comment.")
    if not _is_date(row["date"]):
        yield fault("date", "is no date", "Write it like 2026-11-24.")
    if wish == "not_before" and not row["year"]:
        yield fault("year", "not before which year?", "Write it like 2026/27 (opening) or 2026-27 (start).")
    if row["year"] and not is_year(row["year"]):
        yield fault("year", "is no year", "Write it like 2026/27 (opening) or 2026-27 (start).")
    if row["year"] and wish not in ("not_before", "must", "at_least"):
        yield fault("year", "a year goes with must, at least or not before", "Leave it empty, or choose one of these wishes.")
    if wish == "at_least" and not row["places"]:
        yield fault("places", "at least how many places?", "Give a whole number of places.")
    if row["places"] and not _is_count(row["places"]):
        yield fault("places", "is no whole number above 0", "Give a whole number of places.")
    if row["places"] and wish != "at_least":
        yield fault("places", "places go with at least", "Leave it empty, or choose at least.")


def _doubles(file: str, comments: Sequence[Comment]) -> list[InputProblem]:
    """A request takes one pin per project and wish."""
    seen: set[tuple[str, str]] = set()
    problems = []
    for one in comments:
        key = (one.project_id, one.wish)
        if one.wish and key in seen:
            value = f"{one.project_id}, {one.wish.replace('_', ' ')}"
            problems.append(InputProblem(file, "the same wish twice for one project", "Keep one of the rows.", column="wish", value=value))
        seen.add(key)
    return problems


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_count(text: str) -> bool:
    try:
        return float(text) > 0 and float(text).is_integer()
    except ValueError:
        return False
