"""A large table is answered from mapped columns as it would be from the whole frame."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from plan_example import example_case, example_plan
from starlette.datastructures import QueryParams

from api import large
from api.large import Mapped, keep_large_of_case, keep_large_of_plan, mapped
from api.routes.tables import csv_parts
from api.tabular import Whole, csv_bytes, page_json, read_choice
from sufficiency.case import Case
from sufficiency.outputs.csvw import read_plan_table, write_table

QUERIES = [
    ("", ""),
    ("phase=SEC&phase=PRI&need=ASD", ""),
    ("need=nobody", ""),
    ("pupils_placed.min=1", "-pupils_placed,area_id"),
    ("academic_year=2023/24&pupils_mainstream.max=3&pupils_placed=0", "area_id,-phase"),
    ("", "-need,phase,academic_year"),
]


@pytest.fixture(scope="module")
def case() -> Case:
    return example_case()


@pytest.fixture
def tables(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Mapped, Whole]:
    monkeypatch.setattr(large, "LARGE_ROWS", len(case.pupils))
    gaps = case.pupils.assign(status=case.pupils["status"].where(case.pupils.index % 7 > 0), pupils_elsewhere=float("nan"))
    keep_large_of_case(Case(**{**vars(case), "pupils": gaps}), tmp_path)
    found = mapped(tmp_path, "pupils")
    assert found is not None
    assert mapped(tmp_path, "settings") is None, "it is not large"
    return found, Whole(gaps)


@pytest.mark.parametrize(("query", "sort"), QUERIES)
def test_pages_of_a_large_table_are_those_of_the_whole(tables: tuple[Mapped, Whole], query: str, sort: str) -> None:
    answers = []
    for table in tables:
        found = table.find(read_choice(QueryParams(query), table.dtypes, sort))
        pages = [page_json(table.take(found[at : at + 40]), at, len(found)) for at in (0, 40, max(0, len(found) - 7), len(found))]
        answers.append((len(found), pages))
    assert answers[0] == answers[1]
    assert answers[0][0] == 0 or b'"next":40' in answers[0][1][0]


def test_a_large_table_is_handed_out_part_by_part(tables: tuple[Mapped, Whole], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.tables.CSV_ROWS", 1000)
    of_large, of_whole = tables
    parts = list(csv_parts(of_large, range(2500)))
    assert len(parts) == 3
    assert b"".join(parts) == csv_bytes(of_whole.frame.iloc[:2500])
    assert list(csv_parts(of_large, range(0))) == [csv_bytes(of_whole.frame.iloc[:0])]


def test_a_protected_case_keeps_no_second_copy_of_its_figures(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE_ROWS", 1)
    keep_large_of_case(Case(**{**vars(case), "disclosure": "protected"}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_large_tables_of_a_plan_are_those_that_its_folder_shows(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placements = example_plan(case).plan.placements
    (tmp_path / "rule").mkdir()
    write_table(placements, "placements", tmp_path, case, parquet=True)
    write_table(placements.head(5), "placements", tmp_path / "rule", case, parquet=True)
    monkeypatch.setattr(large, "LARGE_ROWS", len(placements))
    keep_large_of_plan(tmp_path)
    found = mapped(tmp_path, "placements")
    assert found is not None
    expected = read_plan_table("placements", tmp_path)
    pd.testing.assert_frame_equal(found.take(range(len(placements))), expected.astype(found.take(range(1)).dtypes))
    assert mapped(tmp_path / "rule", "placements") is None
