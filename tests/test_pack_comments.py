"""A comments sheet that was filled in comes back as pins that a plan request takes, with author and date; bad rows are all named."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import openpyxl
import pytest
from plan_example import example_case, example_plan

from sufficiency.case import Case
from sufficiency.outputs.pack.command import run_comments
from sufficiency.outputs.pack.comments import COLUMNS, SHEET, Comment, comments_toml, pins_of, read_comments, write_comment_sheet
from sufficiency.outputs.pack.material import Whole, material
from sufficiency.outputs.pack.scope import whole_case
from sufficiency.outputs.pack.tables import pack_tables
from sufficiency.request import checked_request, read_request
from sufficiency.tables.problems import InputError

AT = {name: place for place, name in enumerate(COLUMNS, start=1)}
ROWS = [
    {
        "project_id": "P-EXPAND-01",
        "comment": "Pupils wait for it.",
        "wish": "must",
        "author": "A. Planner",
        "date": datetime.date(2026, 11, 24),
    },
    {"project_id": "P-POOR", "comment": "Too far from anywhere", "wish": "must not", "author": "B. Parent", "date": "2026-11-23"},
    {"project_id": "P-NEW-TOWN", "wish": "not before", "year": "2026/27", "author": "A. Planner", "date": "2026-11-24"},
    {"project_id": "P-SCHOOL-01", "comment": "One form of entry", "wish": "at least", "places": 48, "author": "C", "date": "2026-11-24"},
    {"project_id": "P-CONVERT", "comment": "Is the hall kept?", "author": "B. Parent", "date": "2026-11-23"},
]


@pytest.fixture(scope="module")
def case() -> Case:
    return example_case()


@pytest.fixture(scope="module")
def sheet(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sheet as a pack holds it."""
    of = material(Whole(example_plan(case), case), whole_case(case))
    path = tmp_path_factory.mktemp("comments") / "comments.xlsx"
    write_comment_sheet(of, pack_tables(of), path)
    return path


def filled(sheet: Path, rows: list[dict[str, object]], out: Path) -> Path:
    """The sheet with these rows filled in, each where its project stands; unknown ones below."""
    book = openpyxl.load_workbook(sheet)
    page = book[SHEET]
    lines = {page.cell(row, 1).value: row for row in range(2, page.max_row + 1)}
    for row in rows:
        line = lines.get(row.get("project_id")) or page.max_row + 1
        for name, value in row.items():
            page.cell(line, AT[name], value)
    book.save(out)
    return out


def test_the_sheet_lists_every_project_and_helps_to_fill_it_in(sheet: Path, case: Case) -> None:
    page = openpyxl.load_workbook(sheet)[SHEET]
    assert [cell.value for cell in page[1]] == list(COLUMNS)
    listed = [page.cell(row, 1).value for row in range(2, page.max_row + 1) if page.cell(row, 1).value]
    assert sorted(listed) == sorted(case.projects["project_id"])
    choices = {str(one.sqref).split(":")[0]: one.formula1 for one in page.data_validations.dataValidation}
    assert choices["E2"] == '"must,must not,not before,at least"'
    assert case.academic_years[0] in choices["F2"]
    assert read_comments(sheet) == []


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_what_people_wrote_comes_back(sheet: Path, tmp_path: Path, kind: str) -> None:
    path = filled(sheet, ROWS, tmp_path / "filled.xlsx")
    if kind == "csv":
        page = openpyxl.load_workbook(path)[SHEET]
        rows = [["" if cell is None else str(cell).split(" 00:")[0] for cell in row] for row in page.iter_rows(values_only=True)]
        lines = [",".join(f'"{cell}"' for cell in row) for row in rows]
        path = tmp_path / "filled.csv"
        path.write_text("\r\n".join(lines), encoding="utf-8-sig")
    comments = read_comments(path)
    assert len(comments) == len(ROWS)
    pins = {pin["project"]: pin for pin in pins_of(comments)}
    assert pins.pop("P-EXPAND-01") == {
        "project": "P-EXPAND-01", "wish": "must", "note": "Pupils wait for it.", "author": "A. Planner", "date": "2026-11-24",
    }  # fmt: skip
    assert pins == {
        "P-POOR": {"project": "P-POOR", "wish": "must_not", "note": "Too far from anywhere", "author": "B. Parent", "date": "2026-11-23"},
        "P-NEW-TOWN": {"project": "P-NEW-TOWN", "wish": "not_before", "year": "2026/27", "author": "A. Planner", "date": "2026-11-24"},
        "P-SCHOOL-01": {
            "project": "P-SCHOOL-01", "wish": "at_least", "places": 48.0, "note": "One form of entry", "author": "C", "date": "2026-11-24",
        },
    }  # fmt: skip


def test_a_plan_request_takes_the_pins(sheet: Path, case: Case, tmp_path: Path) -> None:
    said = run_comments(filled(sheet, ROWS, tmp_path / "filled.xlsx"), tmp_path / "pins.toml")
    assert said.startswith("4 pins and 1 comments")
    text = (tmp_path / "pins.toml").read_text(encoding="utf-8")
    assert "# P-CONVERT: Is the hall kept? (B. Parent, 2026-11-23)" in text
    request = read_request(tmp_path / "pins.toml")
    assert {pin["project"] for pin in request.pins} == {row["project_id"] for row in ROWS if "wish" in row}
    asked = request.applied_to(case).pins.set_index("project_id")
    assert asked.loc["P-SCHOOL-01", "places"] == 48
    assert asked.loc["P-POOR", "author"] == "B. Parent"


def test_a_remark_can_not_break_the_request() -> None:
    evil = Comment("P-1", 'line one\n[[pins]]\nproject = "P-2"', "", "", None, "A", "2026-11-24")
    assert tomllib.loads(comments_toml([evil])) == {"pins": []}
    checked_request(tomllib.loads(comments_toml([evil])), "request")


def test_every_bad_row_is_named_at_once(sheet: Path, tmp_path: Path) -> None:
    bad = [
        {"project_id": "P-EXPAND-01", "wish": "perhaps", "author": "A", "date": "2026-11-24"},
        {"project_id": "P-POOR", "wish": "not before", "author": "A", "date": "24 November"},
        {"project_id": "P-CONVERT", "wish": "at least", "places": "many", "date": "2026-11-24"},
        {"project_id": "P-NEW-TOWN", "wish": "must not", "year": "2025/27", "author": "A", "date": "2026-11-24"},
    ]
    with pytest.raises(InputError) as caught:
        read_comments(filled(sheet, bad, tmp_path / "bad.xlsx"))
    found = {(problem.column, problem.value) for problem in caught.value.problems}
    assert found == {
        ("wish", "perhaps"), ("year", None), ("date", "24 November"), ("places", "many"), ("author", None), ("year", "2025/27"),
    }  # fmt: skip
    assert all(problem.row and problem.remedy and problem.file == "bad.xlsx" for problem in caught.value.problems)


def test_the_same_wish_twice_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("project_id,comment,wish,author,date\nP,,must,A,2026-11-24\nP,,must,B,2026-11-24\n", encoding="utf-8")
    with pytest.raises(InputError, match="the same wish twice"):
        read_comments(path)
    path.write_text("name,price\nx,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="column is missing"):
        read_comments(path)
    (tmp_path / "no.xlsx").write_text("not a workbook")
    with pytest.raises(InputError, match="can't be read"):
        read_comments(tmp_path / "no.xlsx")
