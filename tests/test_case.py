"""A case on disk is the case in memory, and a folder that is no case says why."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli_w
from hand_case import hand_case

from sufficiency.case import Case, case_hashes, load_case, save_case
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.schemas import OPTIONAL, SCHEMAS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_case(hand_case(), tmp_path / "case")
    return tmp_path / "case"


def faults(folder: Path) -> tuple[InputProblem, ...]:
    with pytest.raises(InputError) as caught:
        load_case(folder)
    return caught.value.problems


def rewrite_description(folder: Path, **values: Any) -> None:
    about = tomllib.loads((folder / "case.toml").read_text())
    about = {key: value for key, value in {**about, **values}.items() if value is not None}
    (folder / "case.toml").write_text(tomli_w.dumps(about))


def same(left: Case, right: Case) -> None:
    for field in fields(Case):
        one, other = getattr(left, field.name), getattr(right, field.name)
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other)
        else:
            assert one == other, field.name


def test_a_case_is_read_back_as_it_was_saved(folder: Path) -> None:
    same(load_case(folder), hand_case())


def test_figures_of_the_user_are_stored_and_the_defaults_are_not(tmp_path: Path) -> None:
    case = hand_case()
    case = replace(case, assumptions=case.assumptions.override({"costs.state_special": 27_500, "retention": {"SEC": 0.8}}, "us"), totals={})
    save_case(case, tmp_path / "case")
    assert "27500" in (tmp_path / "case" / "assumptions.toml").read_text()
    assert "resourced_provision" not in (tmp_path / "case" / "assumptions.toml").read_text()
    back = load_case(tmp_path / "case")
    assert back.assumptions.number("costs.state_special") == 27_500
    assert back.assumptions.table("retention") == {**case.assumptions.table("retention"), "SEC": 0.8}
    assert back.assumptions.entries["costs.state_special"].status == "user"
    assert back.totals == {}


def test_saving_again_replaces_the_folder_whole(folder: Path) -> None:
    (folder / "left-over.txt").write_text("old")
    save_case(replace(hand_case(), name="Renamed"), folder)
    assert not (folder / "left-over.txt").exists()
    assert load_case(folder).name == "Renamed"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["case"]


def test_a_failed_save_leaves_the_old_folder_and_no_other(folder: Path) -> None:
    before = case_hashes(folder)
    unwritable = replace(hand_case(), travel=pd.DataFrame({"minutes": [object()]}))
    with pytest.raises(Exception, match="object"):
        save_case(unwritable, folder)
    assert case_hashes(folder) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["case"]


def test_hashes_name_every_file_and_change_with_it(folder: Path) -> None:
    before = case_hashes(folder)
    assert set(before) == {"case.toml", "case.json", "assumptions.toml"} | {
        f"{name}.{'parquet' if name in ('areas', 'pupils', 'placements', 'travel') else 'csv'}" for name in SCHEMAS if name not in OPTIONAL
    }
    assert all(len(digest) == 64 for digest in before.values())
    with (folder / "funds.csv").open("a") as stream:
        stream.write("\n")
    after = case_hashes(folder)
    assert {name for name in after if after[name] != before[name]} == {"funds.csv"}


def test_the_same_case_has_the_same_hashes(folder: Path, tmp_path: Path) -> None:
    save_case(hand_case(), tmp_path / "again")
    assert case_hashes(tmp_path / "again") == case_hashes(folder)


def test_faults_of_all_files_are_reported_together(folder: Path) -> None:
    (folder / "settings.csv").unlink()
    (folder / "funds.csv").write_bytes(b"PK\x03\x04")
    (folder / "case.json").write_text("{")
    (folder / "assumptions.toml").write_text("[costs]\nstate_specail = 1\nap = 'dear'\n")
    rewrite_description(folder, level="ward", academic_years=["2022-23"], programme=None)
    pupils = pd.read_parquet(folder / "pupils.parquet")
    pupils.loc[[0, 1], "need"] = "ASC"
    pupils.to_parquet(folder / "pupils.parquet")
    found = {(problem.file, problem.column) for problem in faults(folder)}
    assert found == {
        ("settings.csv", None),
        ("funds.csv", None),
        ("case.json", None),
        ("assumptions.toml", "costs.state_specail"),
        ("assumptions.toml", "costs.ap"),
        ("case.toml", "level"),
        ("case.toml", "academic_years.0"),
        ("case.toml", "programme"),
        ("pupils.parquet", "need"),
    }


def test_files_that_a_users_own_case_need_not_have(folder: Path) -> None:
    (folder / "case.json").unlink()
    (folder / "assumptions.toml").unlink()
    same(load_case(folder), replace(hand_case(), totals={}))


def test_a_folder_that_is_no_case(tmp_path: Path) -> None:
    (problem,) = faults(tmp_path)
    assert "case.toml is missing" in problem.message


def test_a_description_that_is_no_toml(folder: Path) -> None:
    (folder / "case.toml").write_text("name = ")
    (problem,) = faults(folder)
    assert (problem.file, problem.message[:13]) == ("case.toml", "can't be read")


def test_a_case_without_planning_years(folder: Path) -> None:
    rewrite_description(folder, academic_years=[])
    (problem,) = faults(folder)
    assert "no planning year" in problem.message


def test_totals_are_there_for_other_programs(folder: Path) -> None:
    summary = json.loads((folder / "case.json").read_text())
    assert summary["totals"]["N1"]["ehc_plans"] == summary["completed"]["N1"]["ehc_plans"] == 120


def test_a_folder_written_before_the_whole_programme_still_loads(folder: Path) -> None:
    """Columns with a default, and those that may be left out, are absent; so are the optional tables."""
    for name in ("projects", "funds", "councils", "suitability"):
        declared = SCHEMAS[name].to_schema().columns
        old = pd.read_csv(folder / f"{name}.csv")
        old.drop(columns=[column for column in old if declared[column].metadata["optional"]]).to_csv(folder / f"{name}.csv", index=False)
    assert not any((folder / f"{name}.csv").exists() for name in OPTIONAL)
    loaded, now = load_case(folder), hand_case()
    assert loaded.projects["ramp_up"].tolist() == ["1"] * len(now.projects)
    assert loaded.funds["kind"].tolist() == ["grant"] * len(now.funds)
    assert [name for name, table in loaded.tables.items() if list(table.columns) != list(now.tables[name].columns)] == []
