"""Reading a CSV file as text cells, with the row numbers that a person sees in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import pandas as pd

from sufficiency.tables.problems import InputError, InputProblem, problems_at_rows

_OTHER_FORMATS: Final = {
    b"PK\x03\x04": ("an Excel workbook", "In Excel choose File, Save as, CSV UTF-8 (comma delimited)."),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "In Excel choose File, Save as, CSV UTF-8 (comma delimited)."),
    b"PAR1": ("a Parquet file", "Save it as CSV in UTF-8."),
    b"\xff\xfe": ("UTF-16 text", "Save it as CSV in UTF-8."),
    b"\xfe\xff": ("UTF-16 text", "Save it as CSV in UTF-8."),
}
_OTHER_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def read_text_cells(path: Path) -> pd.DataFrame:
    """All cells of a comma-separated UTF-8 file as text, empty cells as None, indexed by spreadsheet row (heading = 1).

    Blank lines are skipped but keep their number. Raises InputError when the file has another form:
    empty, not UTF-8, a workbook, another delimiter, headings twice, rows of another length.
    """
    text = _decoded(path)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(
            [InputProblem(path.name, f"is not well-formed CSV: {error}", "Look for a quotation mark that is not closed.")]
        ) from error
    headings = [heading.strip() for heading in records[0]]
    _raise_on_headings(path.name, headings)
    rows = {number: record for number, record in enumerate(records[1:], start=2) if any(cell.strip() for cell in record)}
    wrong = [number for number, record in rows.items() if len(record) != len(headings)]
    if wrong:
        raise InputError(
            problems_at_rows(
                path.name,
                wrong,
                [f"{len(rows[number])} cells" for number in wrong],
                f"the row does not have {len(headings)} cells like the heading",
                "Put text that contains a comma in double quotation marks.",
            )
        )
    cells = [[cell.strip() or None for cell in record] for record in rows.values()]
    return pd.DataFrame(cells, columns=pd.Index(headings), index=pd.Index(rows, dtype="int64"), dtype=object)


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    for magic, (kind, remedy) in _OTHER_FORMATS.items():
        if content.startswith(magic):
            raise InputError([InputProblem(path.name, f"is {kind}, not CSV", remedy)])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        value = content[error.start : error.start + 1].hex()
        raise InputError(
            [InputProblem(path.name, "is not UTF-8 text", "Save it as CSV in UTF-8.", row=row, value=f"byte {value}")]
        ) from error
    if not text.strip():
        raise InputError(
            [InputProblem(path.name, "file is empty", "Write the headings that docs/data-dictionary.md lists, then one line per row.")]
        )
    return text


def _raise_on_headings(file: str, headings: list[str]) -> None:
    if len(headings) == 1:
        for delimiter, words in _OTHER_DELIMITERS.items():
            if delimiter in headings[0]:
                raise InputError(
                    [InputProblem(file, f"columns are separated by {words}", "Separate them by commas.", row=1, value=headings[0][:80])]
                )
    problems = [
        InputProblem(file, "heading is empty", "Name the column, or remove it and its separators.", row=1, value=f"column {number}")
        for number, heading in enumerate(headings or [""], start=1)
        if not heading
    ]
    twice = sorted({heading for heading in headings if heading and headings.count(heading) > 1})
    problems += [InputProblem(file, "heading occurs twice", "Keep one of the columns.", row=1, column=heading) for heading in twice]
    if problems:
        raise InputError(problems)
