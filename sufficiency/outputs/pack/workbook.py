"""The workbook: a contents sheet, one table per sheet, notes. Sums and differences that a planner would check are formulas.

A cell holds the figure itself; its number format only rounds what is seen.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell  # type: ignore[import-untyped]

from sufficiency.case import Case
from sufficiency.disclosure import label
from sufficiency.outputs.pack.canvas import source_line
from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.pack.table import EXCEL_FORMS, HIDDEN, Column, PackTable
from sufficiency.outputs.words import cautions, verdict
from sufficiency.plan import Plan

HEADING_ROW: Final = 4
"""Row of the headings, from 0: title, note, way back and units stand above."""
WIDEST: Final = 60
CHECKS: Final = (
    (
        "Capital of the projects = payments (where building prices rise as others do)",
        ("projects", "capital_gbp"),
        ("payments", "amount_gbp"),
    ),
    ("Payments by kind = payments by fund and year", ("payments", "amount_gbp"), ("spend", "total_gbp")),
    ("Capital of the projects = capital in the grant return", ("projects", "capital_gbp"), ("grant_return_places", "capital_gbp")),
    ("Independent, before: by need = by council", ("needs", "independent_before"), ("avoided", "before")),
    ("Independent, with the plan: by need = by council", ("needs", "independent_after"), ("avoided", "after")),
    ("Travelling pupils with the plan: by need = by council", ("travel_by_need", "pupils_after"), ("travel_by_council", "pupils_after")),
)
BORN: Final = datetime.datetime(2000, 1, 1)
"""The same plan gives the same bytes, so the file bears no time of writing."""


def write_workbook(of: Material, tables: Mapping[str, PackTable], path: Path) -> None:
    """Write ``workbook.xlsx`` with the tables in their order."""
    plan, case = of.plan, of.case
    book = xlsxwriter.Workbook(str(path), {"nan_inf_to_errors": False})
    title = f"SEND and AP places: {case.name}"
    book.set_properties(
        {
            "title": title,
            "subject": f"Plan for {case.academic_years[0]} to {case.academic_years[-1]}",
            "author": f"sufficiency {plan.summary['version']}",
            "keywords": "SEND, alternative provision, places, capital",
            "comments": source_line(case),
            "created": BORN,
        }
    )
    styles = {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "note": book.add_format({"font_color": "#505a5f", "text_wrap": False}),
        "heading": book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1, "bg_color": "#eef1f3"}),
        "unit": book.add_format({"italic": True, "font_color": "#505a5f", "text_wrap": True, "valign": "top"}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
        "link": book.add_format({"font_color": "#1d70b8", "underline": 1}),
        **{f"cell {form}": book.add_format({"num_format": shape, "valign": "top"}) for form, shape in EXCEL_FORMS.items()},
        **{
            f"total {form}": book.add_format({"num_format": shape, "bold": True, "top": 1, "bg_color": "#eef1f3"})
            for form, shape in EXCEL_FORMS.items()
        },
    }
    styles["cell text"] = styles["text"]
    _contents(book, plan, case, tables, title, styles)
    for table in tables.values():
        _sheet(book, table, styles)
    _checks(book, tables, styles)
    _notes(book, of, styles)
    book.close()


def sheet_name(table: PackTable) -> str:
    """Name of a table's sheet, at most 31 letters."""
    return re.sub(r"[\[\]:*?/\\]", " ", table.name.replace("_", " ").capitalize())[:31]


def _contents(book: Any, plan: Plan, case: Case, tables: Mapping[str, PackTable], title: str, styles: dict[str, Any]) -> None:
    sheet = book.add_worksheet("Contents")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 60)
    sheet.set_column(2, 2, 90)
    sheet.write_string(0, 0, title, styles["title"])
    sheet.write_string(1, 0, f"Plan for {case.academic_years[0]} to {case.academic_years[-1]}, {case.programme}, {case.price_base} prices")
    sheet.write_string(2, 0, verdict(plan.summary))
    for place, line in enumerate(cautions(plan.summary, case)[:1]):
        sheet.write_string(3 + place, 0, line)
    row = 5
    for place, heading in enumerate(("Sheet", "Table", "What it says")):
        sheet.write_string(row, place, heading, styles["heading"])
    for table in tables.values():
        row += 1
        sheet.write_url(row, 0, f"internal:'{sheet_name(table)}'!A1", styles["link"], sheet_name(table))
        sheet.write_string(row, 1, table.title)
        sheet.write_string(row, 2, table.note, styles["text"])
    sheet.write_url(row + 1, 0, "internal:'Notes'!A1", styles["link"], "Notes")
    sheet.write_string(row + 1, 1, "Notes, provenance and signs")
    sheet.freeze_panes(6, 0)
    sheet.hide_gridlines(2)
    _for_print(sheet)


def _sheet(book: Any, table: PackTable, styles: dict[str, Any]) -> None:
    sheet = book.add_worksheet(sheet_name(table))
    sheet.write_string(0, 0, table.title, styles["title"])
    sheet.write_string(1, 0, table.note, styles["note"])
    sheet.write_url(2, 0, "internal:'Contents'!A1", styles["link"], "Contents")
    first, end = HEADING_ROW + 1, HEADING_ROW + len(table.rows)
    at = {column.name: place for place, column in enumerate(table.columns)}
    for place, column in enumerate(table.columns):
        sheet.write_string(HEADING_ROW - 1, place, "" if column.unit == "text" else column.unit, styles["unit"])
        sheet.write_string(HEADING_ROW, place, column.heading, styles["heading"])
        if column.meaning not in ("", column.heading):
            sheet.write_comment(HEADING_ROW, place, column.meaning)
        sheet.set_column(place, place, _width(table, column))
    for row, values in enumerate(table.rows.to_dict("records"), start=first):
        for place, column in enumerate(table.columns):
            _cell(sheet, row, place, column, values, at, styles)
    if table.has_total and len(table.rows):
        _total(sheet, table, first, end, styles)
    if len(table.rows):
        sheet.autofilter(HEADING_ROW, 0, end, len(table.columns) - 1)
    sheet.freeze_panes(HEADING_ROW + 1, 1)
    _for_print(sheet)


def _cell(
    sheet: Any, row: int, place: int, column: Column, values: Mapping[Any, Any], at: Mapping[str, int], styles: dict[str, Any]
) -> None:
    value = values[column.name]
    style = styles[f"cell {column.form}"]
    if column.form == "text":
        sheet.write_string(row, place, "" if value is None or pd.isna(value) else str(value), style)
    elif pd.isna(value):
        sheet.write_string(row, place, HIDDEN, style)
    elif column.formula:
        names = re.findall(r"\{(.*?)\}", column.formula)
        if any(pd.isna(values[name]) for name in names):
            sheet.write_number(row, place, float(value), style)
        else:
            cells = {name: xl_rowcol_to_cell(row, at[name]) for name in names}
            sheet.write_formula(row, place, f"={re.sub(r'{(.*?)}', lambda m: cells[m[1]], column.formula)}", style, float(value))
    else:
        sheet.write_number(row, place, float(value), style)


def _total(sheet: Any, table: PackTable, first: int, end: int, styles: dict[str, Any]) -> None:
    sums = table.totals()
    # outside the filter's rows: a planner checks the whole, whatever is filtered
    for place, column in enumerate(table.columns):
        style = styles[f"total {column.form}"]
        if place == 0:
            sheet.write_string(end + 1, 0, "Total", style)
        elif not column.sums:
            sheet.write_blank(end + 1, place, None, styles["total text"])
        elif pd.isna(sums[column.name]):
            sheet.write_string(end + 1, place, HIDDEN, style)
        else:
            letter = xl_col_to_name(place)
            sheet.write_formula(end + 1, place, f"=SUM({letter}{first + 1}:{letter}{end + 1})", style, sums[column.name])


def _checks(book: Any, tables: Mapping[str, PackTable], styles: dict[str, Any]) -> None:
    """Sums that must agree across sheets, as formulas."""
    sheet = book.add_worksheet("Checks")
    sheet.set_column(0, 0, 60)
    sheet.set_column(1, 3, 20)
    sheet.write_string(0, 0, "Sums that must agree", styles["title"])
    for place, heading in enumerate(("What", "First", "Second", "Difference (0)")):
        sheet.write_string(2, place, heading, styles["heading"])
    row = 3
    for what, first, second in CHECKS:
        ends = [_foot(tables[name], column) for name, column in (first, second)]
        if None in ends:
            continue
        sums = [tables[name].totals()[column] for name, column in (first, second)]
        style = styles[f"cell {tables[first[0]].column(first[1]).form}"]
        sheet.write_string(row, 0, what)
        for place, (end, value) in enumerate(zip(ends, sums, strict=True), start=1):
            sheet.write_formula(row, place, f"={end}", style, value)
        sheet.write_formula(row, 3, f"=ROUND(B{row + 1}-C{row + 1},2)", style, round(sums[0] - sums[1], 2))
        row += 1
    sheet.freeze_panes(3, 0)
    _for_print(sheet)


def _foot(table: PackTable, column: str) -> str | None:
    """Where the total of a column stands; None when it is hidden or the table is empty."""
    if not len(table.rows) or pd.isna(table.totals()[column]):
        return None
    place = [one.name for one in table.columns].index(column)
    return f"'{sheet_name(table)}'!{xl_rowcol_to_cell(HEADING_ROW + len(table.rows) + 1, place)}"


def _notes(book: Any, of: Material, styles: dict[str, Any]) -> None:
    plan, case = of.plan, of.case
    sheet = book.add_worksheet("Notes")
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 130)
    sheet.write_string(0, 0, "Notes, provenance and signs", styles["title"])
    summary = plan.summary
    open_case = case.disclosure == "open"
    lines = [
        ("Signs", f"{HIDDEN}: kept confidential. An empty text cell: does not apply."),
        ("Figures", "Cells hold the plan's figures; formats round what is seen. Pupil numbers are modelled and need not be whole."),
        ("What is shown", label(case)),
        ("Prices", f"{case.price_base} prices; present values where said"),
        ("Scenario of demand", str(summary.get("scenario", "central"))),
        ("How good the plan is", verdict(summary)),
        *(("Caution", line) for line in cautions(summary, case)),
        *(("Note", note) for note in of.notes),
        *(
            ("Source", f"{s.publisher}: {s.title}, {s.edition} ({s.licence}){f', sha256 {s.sha256}' if open_case else ''}")
            for s in case.sources
        ),
        *((f"Input {name}", f"sha256 {digest}") for name, digest in summary.get("inputs", {}).items()),
        ("Attribution", source_line(case)),
        ("Made with", f"sufficiency {summary['version']}"),
    ]
    for row, (what, line) in enumerate(lines, start=2):
        sheet.write_string(row, 0, what, styles["text"])
        sheet.write_string(row, 1, line, styles["text"])
    sheet.freeze_panes(2, 0)
    _for_print(sheet)


def _width(table: PackTable, column: Column) -> float:
    if column.form == "text":
        longest = int(table.rows[column.name].map(lambda cell: len(str(cell))).max()) if len(table.rows) else 0
        return float(min(max(longest, len(column.heading), 8) + 2, WIDEST))
    return float(max(12, min(len(column.heading), 16)))


def _for_print(sheet: Any) -> None:
    """A4 on its side, as wide as the page, headings on every page."""
    sheet.set_paper(9)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, HEADING_ROW)
    sheet.set_footer("&L&A&RPage &P of &N")
