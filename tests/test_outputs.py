"""A plan folder reads back exactly, its tables describe themselves, and the summary fits one screen."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from dataclasses import is_dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from plan_example import STAGED, example_case, example_plan

from fixtures.tiny import tiny_case
from solver.known_arrays import known_arrays, known_from
from solver.pricing import Prices
from solver.result import Solution
from sufficiency.case import Case
from sufficiency.disclosure import shown_by_variant, shown_case
from sufficiency.outputs import folder as folder_module
from sufficiency.outputs.csvw import read_plan_table
from sufficiency.outputs.figures import ALL, area_figures, flows, placed_pupils, project_list
from sufficiency.outputs.folder import read_plan, write_plan
from sufficiency.outputs.map_data import area_outlines
from sufficiency.outputs.map_page import PageNotBuiltError, page_built
from sufficiency.outputs.summary import summary_text
from sufficiency.outputs.words import pounds
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.problems import InputError
from sufficiency.workflow import plan_case

pytestmark = pytest.mark.skipif(not page_built(), reason="needs the page scripts of the map: make web")

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
            pd.testing.assert_frame_equal(
                getattr(getattr(again, variant), name), getattr(getattr(plan, variant), name), check_exact=True, check_categorical=False
            )


def test_what_a_change_is_planned_with_comes_back_where_a_plan_is_exact(plan: Plan, case: Case, tmp_path: Path) -> None:
    prices = tuple(Prices(np.arange(6.0).reshape(2, 3) * n, np.zeros((1, 1, 3)), np.zeros((0, 0, 3)), np.zeros(0)) for n in range(12))
    known = replace(known_from(plan_case(tiny_case(), PlanRequest(sensitivity=False)).known), proof=prices)
    assert known.held
    kept = replace(plan, known=known_arrays(known))
    write_plan(kept, case, tmp_path / "plan")
    again = known_from(read_plan(tmp_path / "plan").known)
    assert _plain(again) == _plain(known)
    protected = replace(case, disclosure="protected")
    write_plan(kept, protected, tmp_path / "shown")
    assert not list((tmp_path / "shown").rglob("*.npz")), "who goes where is no figure to show"


def _plain(value: object) -> object:
    """Arrays and dataclasses as plain values; of a solution, what is kept of it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Solution):
        return [_plain(part) for part in (value.upper, value.lower, value.flows, value.beside, value.capacity_price)]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return _plain(vars(value)) if is_dataclass(value) else value


def test_an_empty_table_keeps_its_types(plan: Plan, case: Case, tmp_path: Path) -> None:
    nothing = replace(plan, plan=replace(plan.plan, projects=plan.plan.projects.head(0)))
    write_plan(nothing, case, tmp_path / "plan")
    pd.testing.assert_frame_equal(read_plan(tmp_path / "plan").plan.projects, nothing.plan.projects)


def test_every_csv_keeps_the_rules_of_its_csvw_metadata(written: Path) -> None:
    """Headings match the titles, cells match datatype, format, minimum and required, and primary keys are unique."""
    kinds = {"number": float, "integer": int, "string": str, "boolean": lambda cell: {"true": True, "false": False}[cell]}
    files = sorted(written.rglob("*.csv"))
    assert len(files) == len(PLAN_SCHEMAS) * len(SUBFOLDERS) - 2  # placements of the two other worlds are Parquet
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

    def full_disk(*_: object, **__: object) -> None:
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
    figures = area_figures(placed_pupils(plan.plan, case), plan.plan.unmet, case).set_index(["zone_id", "need_group", "academic_year"])
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
    bigger = replace(plan.plan, placements=placements.assign(pupils=placements["pupils"] * 20))
    shown = flows(placed_pupils(bigger, case))
    assert len(shown) > 0
    assert shown["pupils"].min() >= 5
    assert len(flows(placed_pupils(plan.plan, case))) < len(shown)


def test_the_geopackage_holds_the_figures_of_the_plan(plan: Plan, case: Case, written: Path) -> None:
    path, last = written / "plan.gpkg", case.academic_years[-1]
    areas = gpd.read_file(path, layer="areas").set_index("area_id")
    assert areas.crs.to_epsg() == 27700
    assert list(areas.index) == list(case.areas["area_id"])
    for suffix, tables in (("before", plan.counterfactual), ("after", plan.plan)):
        unmet = tables.unmet[(tables.unmet["academic_year"] == last) & (tables.unmet["need_group"] == "ASD")]
        expected = unmet.groupby("area_id")["pupils"].sum().reindex(areas.index)
        assert areas[f"unmet_{suffix}_asd"].to_numpy() == pytest.approx(expected.to_numpy(), abs=0.051)
        travel = placed_pupils(tables, case)
        travel = travel[(travel["academic_year"] == last) & travel["minutes"].notna()]
        mean = (travel["pupils"] * travel["minutes"]).groupby(travel["area_id"]).sum() / travel.groupby("area_id")["pupils"].sum()
        assert areas[f"minutes_{suffix}_all"].to_numpy() == pytest.approx(mean.reindex(areas.index).to_numpy(), abs=0.051)
    base = case.placements.groupby("area_id")["pupils"].sum().reindex(areas.index, fill_value=0)
    assert areas["pupils_base_all"].to_numpy() == pytest.approx(base.to_numpy(), abs=0.051)
    projects = gpd.read_file(path, layer="projects")
    assert projects["places"].sum() == plan.plan.projects["places"].sum()
    settings = gpd.read_file(path, layer="settings")
    assert len(settings) == case.settings["easting_m"].notna().sum()
    assert gpd.read_file(path, layer="flows").geom_type.isin(["LineString"]).all()


def test_each_layer_has_a_default_style_of_its_own_columns(written: Path) -> None:
    with sqlite3.connect(written / "plan.gpkg") as connection:
        styles = dict(connection.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault").fetchall())
    assert set(styles) == {"areas", "flows", "settings", "projects"}
    for layer, qml in styles.items():
        columns = gpd.read_file(written / "plan.gpkg", layer=layer, rows=1).columns
        renderer = ElementTree.fromstring(qml.split(">", 1)[1]).find("renderer-v2")
        assert renderer is not None
        assert renderer.get("attr", columns[0]) in columns


def test_a_plan_that_builds_nothing_has_all_its_layers(plan: Plan, case: Case, tmp_path: Path) -> None:
    nothing = replace(plan, plan=replace(plan.counterfactual, projects=plan.plan.projects.head(0)))
    write_plan(nothing, case, tmp_path / "plan")
    layers = {str(name): kind for name, kind in pyogrio.list_layers(tmp_path / "plan" / "plan.gpkg")}
    assert (layers["projects"], layers["flows"]) == ("Point", "LineString")
    assert "Nothing is to be built" in (tmp_path / "plan" / "map.html").read_text(encoding="utf-8")
    assert "Nothing is to be built" in summary_text(nothing, case)


def test_areas_without_outlines_are_drawn_as_cells(plan: Plan, case: Case) -> None:
    points = case.areas.set_geometry(gpd.points_from_xy(case.areas["easting_m"], case.areas["northing_m"]), crs=27700)
    cells = area_outlines(replace(case, areas=points)).to_crs(27700)
    assert shapely.contains(cells.to_numpy(), points.geometry.to_numpy()).all()
    assert shapely.area(shapely.intersection(cells.iloc[0], cells.iloc[1:].to_numpy())).max() == pytest.approx(0, abs=1)


def test_a_plan_is_kept_when_its_map_cannot_be_drawn(plan: Plan, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_built(*_: object) -> None:
        raise PageNotBuiltError("Build them with `make web`.")

    monkeypatch.setattr(folder_module, "write_map", not_built)
    with pytest.raises(PageNotBuiltError, match="make web"):
        write_plan(plan, case, tmp_path / "plan")
    assert read_plan(tmp_path / "plan").summary["case"] == case.name
    assert not (tmp_path / "plan" / "map.html").exists()


def test_a_protected_case_shows_areas_only_from_ten_pupils_up(plan: Plan, case: Case, tmp_path: Path) -> None:
    protected = replace(case, disclosure="protected")
    for shown in shown_by_variant(plan, protected).values():
        areas = shown.areas[shown.areas["zone_id"].isin(shown_case(protected).areas["area_id"])]
        assert set(areas["need_group"]) == {ALL}
        assert len(areas) < len(case.areas) * len(case.academic_years)
        assert areas["pupils"].min() >= 10
        assert (areas[["pupils", "unmet", "independent"]].dropna() % 5 == 0).all(axis=None)
        assert (shown.use["pupils"].dropna() % 5 == 0).all()
    write_plan(plan, protected, tmp_path / "plan")
    layer = gpd.read_file(tmp_path / "plan" / "plan.gpkg", layer="areas")
    assert layer["pupils_after_asd"].isna().all()
    about = json.loads((tmp_path / "plan" / "unmet.csv-metadata.json").read_text(encoding="utf-8"))
    assert "Counts of 1 to 4 are hidden" in about["dc:rights"]


def test_stages_of_a_project_are_one_row(plan: Plan, case: Case) -> None:
    projects = project_list(plan.plan.projects, case)
    assert projects["project_id"].is_unique
    assert projects["places"].sum() == plan.plan.projects["places"].sum()
    assert projects["capital_gbp"].sum() == pytest.approx(plan.plan.projects["capital_gbp"].sum())
    assert projects.set_index("project_id").loc[STAGED, "stages"] == "2025/26: 24; 2027/28: 16"


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
    [("optimal", "No better plan exists"), ("gap_reached", "as close as asked"), ("interrupted", "stopped by the user")],
)
def test_the_summary_says_why_the_search_ended(plan: Plan, case: Case, termination: str, words: str) -> None:
    assert words in summary_text(replace(plan, summary=plan.summary | {"termination": termination}), case)


def test_a_long_horizon_and_long_names_still_fit(plan: Plan, case: Case) -> None:
    projects = plan.plan.projects.assign(name="A very long name of a project " * 6)
    many = replace(plan, plan=replace(plan.plan, projects=projects), summary=plan.summary | {"notes": ["A long remark. " * 40] * 5})
    lines = summary_text(many, replace(case, academic_years=tuple(f"20{y}/{y + 1}" for y in range(22, 36)))).split("\n")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(("gbp", "words"), [(12_340_000, "£12.3m"), (-40_000, "£0.0m"), (-1.26e9, "-£1.26bn"), (9.994e8, "£999.4m")])
def test_money_is_written_in_millions_and_billions(gbp: float, words: str) -> None:
    assert pounds(gbp) == words
