"""A plan folder reads back exactly, its tables describe themselves, and the summary fits one screen."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from plan_example import Plan, example_case, example_plan

from sufficiency.case import Case
from sufficiency.outputs import folder as folder_module
from sufficiency.outputs import read_plan, summary_text, write_plan
from sufficiency.outputs.csvw import read_plan_table
from sufficiency.outputs.figures import ALL, area_figures, flows, project_list
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.problems import InputError

SUBFOLDERS = {"plan": ".", "counterfactual": "counterfactual", "rule": "rule"}


@pytest.fixture(scope="module")
def case() -> Case:
    return example_case()


@pytest.fixture(scope="module")
def plan(case: Case) -> Plan:
    return example_plan(case)


@pytest.fixture(scope="module")
def written(plan: Plan, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs") / "plan"
    write_plan(plan, case, folder)
    return folder


def test_a_plan_reads_back_exactly(plan: Plan, written: Path) -> None:
    again = read_plan(written)
    assert again.summary == json.loads(json.dumps(plan.summary))
    for variant in SUBFOLDERS:
        for name in PLAN_SCHEMAS:
            pd.testing.assert_frame_equal(getattr(getattr(again, variant), name), getattr(getattr(plan, variant), name), check_exact=True)


def test_an_empty_table_keeps_its_types(plan: Plan, case: Case, tmp_path: Path) -> None:
    nothing = replace(plan, plan=replace(plan.plan, projects=plan.plan.projects.head(0)))
    write_plan(nothing, case, tmp_path / "plan")
    pd.testing.assert_frame_equal(read_plan(tmp_path / "plan").plan.projects, nothing.plan.projects)


def test_every_csv_keeps_the_rules_of_its_csvw_metadata(written: Path) -> None:
    """Headings match the titles, cells match datatype, format, minimum and required, and primary keys are unique."""
    kinds = {"number": float, "integer": int, "string": str, "boolean": lambda cell: {"true": True, "false": False}[cell]}
    files = sorted(written.rglob("*.csv"))
    assert len(files) == len(PLAN_SCHEMAS) * len(SUBFOLDERS)
    for path in files:
        about = json.loads(path.with_name(f"{path.name}-metadata.json").read_text(encoding="utf-8"))
        assert about["@context"][0] == "http://www.w3.org/ns/csvw"
        assert about["url"] == path.name
        columns = about["tableSchema"]["columns"]
        with path.open(encoding="utf-8", newline="") as file:
            heading, *rows = csv.reader(file)
        assert heading == [column["titles"] for column in columns]
        assert all(column["dc:description"] and column["schema:unitText"] for column in columns)
        for place, column in enumerate(columns):
            datatype = column["datatype"] if isinstance(column["datatype"], dict) else {"base": column["datatype"]}
            for cell in {row[place] for row in rows}:
                assert cell or not column["required"], f"{path.name}: {column['name']} is empty"
                value = kinds[datatype["base"]](cell)
                assert re.fullmatch(datatype.get("format", ".*"), cell)
                assert value >= datatype.get("minimum", value)
        key = [heading.index(name) for name in about["tableSchema"].get("primaryKey", [])]
        assert not key or len({tuple(row[place] for place in key) for row in rows}) == len(rows)


def test_a_folder_with_other_things_is_left_alone(plan: Plan, case: Case, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="is not a plan folder"):
        write_plan(plan, case, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failed_write_leaves_the_earlier_plan(plan: Plan, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "plan"
    write_plan(plan, case, folder)

    def full_disk(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(folder_module, "write_table", full_disk)
    with pytest.raises(OSError, match="disk full"):
        write_plan(replace(plan, summary=plan.summary | {"version": "9"}), case, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]
    assert read_plan(folder).summary["version"] == plan.summary["version"]


def test_what_is_not_a_plan_is_refused_with_its_name(written: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plan\.json is missing"):
        read_plan(tmp_path)
    with pytest.raises(InputError, match=r"places\.csv"):
        read_plan_table("places", tmp_path)
    (tmp_path / "places.csv").write_text("academic_year,pool_id\n2022/23,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="setting_id"):
        read_plan_table("places", tmp_path)


def test_area_figures_add_up_to_the_plan(plan: Plan, case: Case) -> None:
    figures = area_figures(plan.plan, case).set_index(["zone_id", "need_group", "academic_year"])
    for year in case.academic_years:
        whole = figures.loc[(ALL, ALL, year)]
        placements, needs = plan.plan.placements, plan.plan.needs
        assert whole["pupils"] == pytest.approx(placements.loc[placements["academic_year"] == year, "pupils"].sum())
        assert whole["unmet"] == pytest.approx(needs.loc[needs["academic_year"] == year, "unmet"].sum())
        councils = figures.loc[[(council, ALL, year) for council in case.councils["council_code"]]]
        areas = figures.loc[[(area, ALL, year) for area in case.areas["area_id"]]]
        for column in ("pupils", "unmet", "independent", "travellers", "pupil_minutes"):
            assert councils[column].sum() == pytest.approx(whole[column])
            assert areas[column].sum() == pytest.approx(whole[column])


def test_flows_below_five_pupils_are_not_shown(plan: Plan, case: Case) -> None:
    placements = plan.plan.placements
    bigger = replace(plan.plan, placements=placements.assign(pupils=placements["pupils"] * 8))
    shown = flows(bigger, case)
    assert len(shown) > 0
    assert shown["pupils"].min() >= 5
    assert len(flows(plan.plan, case)) < len(shown)


def test_stages_of_a_project_are_one_row(plan: Plan, case: Case) -> None:
    projects = project_list(plan.plan.projects, case)
    assert projects["project_id"].is_unique
    assert projects["places"].sum() == plan.plan.projects["places"].sum()
    assert projects["capital_gbp"].sum() == pytest.approx(plan.plan.projects["capital_gbp"].sum())
    assert projects.set_index("project_id").loc["P00", "stages"] == "2023/24: 24; 2026/27: 16"


def test_the_summary_fits_one_screen_and_says_what_matters(plan: Plan, case: Case) -> None:
    text = summary_text(plan, case, Path("out/plan"))
    lines = text.split("\n")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    for words in (
        "Within 0.8 % of the best possible cost; stopped at the time limit",
        "£12.9m",
        "of which cash",
        "£11.1m",
        "£10.0m",
        "Unmet before",
        "20 %: £6.5m",
        "100 %: £32.2m",
        "FICTIONAL",
        "estimated",
        "out/plan",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("termination", "words"),
    [("optimal", "No better plan exists"), ("gap_reached", "close enough"), ("interrupted", "stopped by the user")],
)
def test_the_summary_says_why_the_search_ended(plan: Plan, case: Case, termination: str, words: str) -> None:
    assert words in summary_text(replace(plan, summary=plan.summary | {"termination": termination}), case)


def test_a_long_horizon_and_long_names_still_fit(plan: Plan, case: Case) -> None:
    projects = plan.plan.projects.assign(name="A very long name of a project " * 6)
    many = replace(plan, plan=replace(plan.plan, projects=projects), summary=plan.summary | {"notes": ["A long remark. " * 40] * 5})
    lines = summary_text(many, replace(case, academic_years=tuple(f"20{y}/{y + 1}" for y in range(22, 36)))).split("\n")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
