"""Reading tables: every fault at once, each with file, row, column, value and remedy."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from hand_case import hand_case
from hypothesis import given, settings
from hypothesis import strategies as st

from sufficiency.tables.problems import MOST_ROWS_SHOWN, InputError, InputProblem, problems_at_rows
from sufficiency.tables.read import read_table, validate_table

COUNCILS = "council_code,council_name,region_name,unlocated_km,unlocated_minutes\n"


def faults(path: Path, name: str) -> tuple[InputProblem, ...]:
    with pytest.raises(InputError) as caught:
        read_table(path, name)
    return caught.value.problems


def only(problems: tuple[InputProblem, ...]) -> InputProblem:
    assert len(problems) == 1, "\n".join(str(problem) for problem in problems)
    return problems[0]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "councils.csv"


def test_a_sound_file_is_read_in_the_types_of_its_schema(csv: Path) -> None:
    csv.write_text(COUNCILS + " E06000001 ,Hartlepool,North East,12,20.5\n\nE06000002,Middlesbrough,North East,0,0\n", encoding="utf-8-sig")
    table = read_table(csv, "councils")
    assert table["council_code"].tolist() == ["E06000001", "E06000002"]
    assert table["unlocated_km"].tolist() == [12.0, 0.0]
    assert list(table.index) == [0, 1]


def test_all_faults_of_a_file_are_reported_at_once_and_once(csv: Path) -> None:
    csv.write_text(COUNCILS + 'N1,North,R,"1,200",5\n\nN2,,R,-3,inf\nN1,South,R,1,NaN\n')
    problems = faults(csv, "councils")
    assert {(p.row, p.column, p.value, p.message) for p in problems} == {
        (2, "unlocated_km", "1,200", "is not a number"),
        (4, "council_name", None, "is empty"),
        (4, "unlocated_km", "-3", "must be at least 0"),
        (4, "unlocated_minutes", "inf", "is not a number"),
        (5, "unlocated_minutes", "NaN", "is not a number"),
        (5, "council_code", "N1 (first in row 2)", "occurs more than once"),
    }
    assert len(problems) == 6
    assert all(p.file == "councils.csv" and p.remedy for p in problems)


def test_missing_and_unknown_columns_are_named_with_the_likely_meaning(csv: Path) -> None:
    csv.write_text("council_code,Council Name,region_name,unlocated_km,unlocated_minutes\nN1,North,R,1,x\n")
    problems = {(p.column, p.message): p for p in faults(csv, "councils")}
    assert "'council_name'" in problems["council_name", "column is missing"].remedy
    assert ("Council Name", "column is not known") in problems
    assert ("unlocated_minutes", "is not a number") in problems


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is empty"),
        (b" \n\n", "file is empty"),
        (COUNCILS.encode(), "has headings but no rows"),
        (COUNCILS.replace(",", ";").encode() + b"N1;North;R;1;2\n", "columns are separated by semicolons"),
        (COUNCILS.replace(",", "\t").encode() + b"N1\tNorth\tR\t1\t2\n", "columns are separated by tabs"),
        (COUNCILS.encode("utf-16"), "is UTF-16 text, not CSV"),
        (b"PK\x03\x04....", "is an Excel workbook, not CSV"),
        (b"\xd0\xcf\x11\xe0....", "is an old Excel workbook, not CSV"),
        (b"PAR1....", "is a Parquet file, not CSV"),
        (b"\n" + COUNCILS.encode(), "heading is empty"),
        (COUNCILS.replace("region_name", "council_name").encode() + b"N1,a,b,1,2\n", "heading occurs twice"),
        (COUNCILS.encode() + b"N1,North\n", "the row does not have 5 cells like the heading"),
        (COUNCILS.encode() + b"N1,North,R,1,2,3\n", "the row does not have 5 cells like the heading"),
        (COUNCILS.encode() + b'N1,"North,R,1,2\n', "is not well-formed CSV: unexpected end of data"),
    ],
)
def test_a_file_of_another_form_is_refused_in_words(csv: Path, content: bytes, message: str) -> None:
    csv.write_bytes(content)
    problem = only(faults(csv, "councils"))
    assert problem.message == message
    assert problem.remedy


def test_a_file_that_is_not_utf8_names_the_row(csv: Path) -> None:
    csv.write_bytes(COUNCILS.encode() + b"N1,North,R,1,2\nN2,Caf\xe9,R,1,2\n")
    problem = only(faults(csv, "councils"))
    assert (problem.row, problem.value) == (3, "byte e9")


def test_true_and_false_are_read_as_such_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "suitability.csv"
    heading = "kind,need_group,severity,suitable\n"
    path.write_text(heading + "ap,ASD,moderate,False\nap,AP,complex,TRUE\n")
    assert read_table(path, "suitability")["suitable"].tolist() == [False, True]
    path.write_text(heading + "ap,ASD,moderate,no\n")
    assert only(faults(path, "suitability")).message == "must be true or false"


def test_codes_years_and_list_cells_are_explained() -> None:
    case = hand_case()
    pools = case.pools.astype({"at_risk_from": object})
    pools.loc[0, "need_groups"] = "ASD,SEMH"
    pools.loc[1, "at_risk_from"] = "2023-24"
    pools.loc[2, "at_risk_from"] = "2023/25"
    pools.loc[2, "status"] = "guess"
    with pytest.raises(InputError) as caught:
        validate_table(pools, "pools", "pools.csv")
    found = {(p.row, p.column): p.message for p in caught.value.problems}
    assert found[2, "need_groups"].startswith("must be codes joined by |, each one of: AP, ASD")
    assert found[3, "at_risk_from"] == "must be an academic year like 2022/23"
    assert found[4, "at_risk_from"] == "does not name two years in a row"
    assert found[4, "status"].startswith("must be one of: published, observed")
    assert len(found) == len(caught.value.problems) == 4


def test_blank_is_unknown_and_zero_is_zero() -> None:
    settings_table = hand_case().settings
    settings_table["places"] = ["", 0, 45]
    with pytest.raises(InputError, match="is not a number"):
        validate_table(settings_table, "settings", "settings.csv")
    settings_table["places"] = [None, 0, 45]
    places = validate_table(settings_table, "settings", "settings.csv")["places"]
    assert places.isna().tolist() == [True, False, False]
    assert places[1] == 0


def test_whole_numbers_and_the_bounds_of_a_column(tmp_path: Path) -> None:
    projects = hand_case().projects.astype({"module_places": float})
    projects["module_places"] = [8.5, 0, 8]
    projects["lead_time_years"] = [1, 11, 2]
    with pytest.raises(InputError) as caught:
        validate_table(projects, "projects", "projects.csv")
    assert {(p.row, p.column, p.message) for p in caught.value.problems} == {
        (2, "module_places", "is not a whole number"),
        (3, "module_places", "must be above 0"),
        (3, "lead_time_years", "must be from 0 to 10"),
    }


def test_the_whole_key_of_a_repeated_row_is_shown() -> None:
    placements = hand_case().placements
    twice = pd.concat([placements, placements.iloc[[3]]], ignore_index=True)
    with pytest.raises(InputError) as caught:
        validate_table(twice, "placements", "placements.parquet")
    problem = only(caught.value.problems)
    assert problem.column == "area_id, pool_id, need_group, phase"
    assert problem.value == "A2, 100001-all, ASD, PRI (first in row 5)"
    assert problem.row == len(placements) + 2


def test_ids_that_a_spreadsheet_took_for_numbers_still_join() -> None:
    settings_table = hand_case().settings.astype({"setting_id": object})
    settings_table["setting_id"] = [100001.0, 100002.0, 100003.0]
    assert validate_table(settings_table, "settings", "settings.csv")["setting_id"].tolist() == ["100001", "100002", "100003"]


def test_shapes_in_another_projection_or_missing_are_refused(tmp_path: Path) -> None:
    areas = hand_case().areas
    path = tmp_path / "areas.parquet"
    areas.to_crs("EPSG:4326").to_parquet(path)
    problem = only(faults(path, "areas"))
    assert (problem.message, problem.value) == ("shapes are not in EPSG:27700", "EPSG:4326")
    areas.loc[1, "geometry"] = None
    areas.to_parquet(path)
    assert only(faults(path, "areas")).row == 3
    path.write_bytes(b"PAR1 but not really")
    assert only(faults(path, "areas")).message.startswith("can't be read as Parquet")


def test_areas_without_shapes_get_their_points() -> None:
    areas = hand_case().areas
    read = validate_table(pd.DataFrame(areas.drop(columns="geometry")), "areas", "areas")
    assert isinstance(read, gpd.GeoDataFrame)
    assert read.crs.to_epsg() == 27700
    assert read.geometry.x.tolist() == areas["easting_m"].tolist()


def test_many_faults_of_a_kind_are_counted_not_listed() -> None:
    pupils = hand_case().pupils
    pupils["need"] = "XYZ"
    with pytest.raises(InputError) as caught:
        validate_table(pupils, "pupils", "pupils.parquet")
    of_need = [p for p in caught.value.problems if p.column == "need"]
    assert len(of_need) == MOST_ROWS_SHOWN + 1
    assert of_need[-1].message.endswith(f"{len(pupils) - MOST_ROWS_SHOWN} more rows")


def test_rows_and_values_of_problems_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        problems_at_rows("a.csv", [2, 3], ["x"], "message", "remedy")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (COUNCILS + text).encode()))
def test_whatever_the_bytes_the_answer_is_a_table_or_input_problems(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "councils.csv"
    path.write_bytes(content)
    try:
        found: Sized = read_table(path, "councils")
    except InputError as error:
        found = error.problems
    assert len(found)
