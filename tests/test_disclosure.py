"""Both profiles: every column is declared, and every file of a plan folder shows what it may and nothing more."""

from __future__ import annotations

import contextlib
import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from plan_example import example_case, example_plan

from sufficiency.audit import AuditReport, Breach, write_audit
from sufficiency.case import Case
from sufficiency.disclosure import shown_case, shown_count, shown_money, shown_plan, shown_tables, shown_text, zones
from sufficiency.disclosure.rules import added_up, average_of_hidden, is_revealing, shown_counts, shown_mean
from sufficiency.disclosure.specification import SPECIFICATION, Treatment, columns
from sufficiency.disclosure.zones import FEWEST_PUPILS
from sufficiency.outputs.folder import EXACT, exact_copy, read_exact_plan, read_plan, write_plan
from sufficiency.outputs.map_page import PageNotBuiltError, page_built
from sufficiency.outputs.summary import summary_text
from sufficiency.plan import Plan
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.problems import InputError

needs_page = pytest.mark.skipif(not page_built(), reason="needs the page scripts of the map: make web")
PUPILS = (Treatment.COUNT, Treatment.PART, Treatment.FLOW, Treatment.OVER)


@pytest.fixture(scope="module")
def case() -> Case:
    return replace(example_case(), disclosure="protected", notes=("3 pupils could not be placed on the map; 1,042 pupils could.",))


@pytest.fixture(scope="module")
def plan(case: Case) -> Plan:
    plan = example_plan(case)
    return replace(plan, summary=plan.summary | {"notes": ["2 young people share a place.", "A new figure of 7 settings."], "novel": 3})


@pytest.fixture(scope="module")
def written(plan: Plan, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disclosure") / "plan"
    write_plan(plan, case, folder, exact=True)
    return folder


def of_the_public(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and EXACT not in path.relative_to(folder).parts]


def breaks_the_rules(counts: pd.Series) -> bool:
    """Whether a column holds a count of 1 to 4, or one that is not rounded to 5."""
    return bool((counts.dropna() % 5 != 0).any())


def test_every_column_of_every_table_is_declared() -> None:
    for name, schema in PLAN_SCHEMAS.items():
        assert set(schema.to_schema().columns) == set(SPECIFICATION[name]), name
        unit = {column: declared.metadata["unit"] for column, declared in schema.to_schema().columns.items()}
        pupils = {column for column, treatment in SPECIFICATION[name].items() if treatment in PUPILS}
        assert pupils == {column for column in unit if unit[column] == "pupils"}, name


def test_a_column_that_is_not_declared_does_not_leave(plan: Plan, case: Case) -> None:
    with pytest.raises(ValueError, match="shoe_size"):
        shown_tables(replace(plan.plan, needs=plan.plan.needs.assign(shoe_size=1.0)), case)


def test_an_open_case_shows_its_plan_as_it_is(plan: Plan, case: Case) -> None:
    opened = replace(case, disclosure="open")
    assert shown_plan(plan, opened) is plan
    assert shown_case(opened) is opened
    assert shown_text("3 pupils", opened) == "3 pupils"
    assert shown_money(1_234_567.0, opened) == 1_234_567.0


@needs_page
def test_an_open_folder_holds_exact_figures_and_no_second_copy(plan: Plan, case: Case, tmp_path: Path) -> None:
    write_plan(plan, replace(case, disclosure="open"), tmp_path / "plan", exact=True)
    assert not (tmp_path / "plan" / EXACT).exists()
    pd.testing.assert_frame_equal(read_exact_plan(tmp_path / "plan").plan.needs, plan.plan.needs)
    assert "modelled" in (tmp_path / "plan" / "map.html").read_text(encoding="utf-8")


@needs_page
def test_no_file_of_a_protected_folder_holds_a_small_or_exact_count(written: Path) -> None:
    """Walks the folder: every file is known, and each figure in pupils is empty or a multiple of 5."""
    kinds = {path.name.split(".", 1)[1] for path in of_the_public(written)}
    assert kinds == {"csv", "csv-metadata.json", "json", "gpkg", "html", "parquet"}
    hidden = 0
    for path in of_the_public(written):
        if path.suffix in {".csv", ".parquet"}:
            table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
            for treatment in PUPILS:
                for column in columns(path.stem, treatment):
                    assert not breaks_the_rules(table[column]), f"{path}: {column}"
                    hidden += int(table[column].isna().sum())
    assert hidden > 1000
    for layer, _ in pyogrio.list_layers(written / "plan.gpkg"):
        table = gpd.read_file(written / "plan.gpkg", layer=str(layer))
        for column in table.columns:
            if re.match(r"(pupils|unmet|independent|over_places)(_|$)", str(column)):
                assert not breaks_the_rules(table[column]), f"{layer}: {column}"


@needs_page
def test_the_page_and_the_screen_name_no_small_count(plan: Plan, case: Case, written: Path) -> None:
    page = (written / "map.html").read_text(encoding="utf-8")
    years = page[page.index("Placed and waiting pupils") :]
    for label in ("Placed and waiting pupils", "Independent placements avoided", "Without a suitable place, with the plan"):
        row = years[years.index(label) :].split("</tr>")[0]
        for cell in re.findall(r'<td class="number">([^<]*)</td>', row):
            assert cell == "fewer than 5" or float(cell.replace(",", "")) % 5 == 0, row
    assert "Counts of 1 to 4 are hidden" in page
    screen = summary_text(plan, case)
    assert "Counts of 1 to 4 are hidden" in screen
    for line in screen.split("\n"):
        if line.startswith(("Unmet", "Independent avoided")):
            assert all(cell == "<5" or float(cell.replace(",", "")) % 5 == 0 for cell in line[20:].split()), line


@needs_page
def test_the_headline_holds_what_is_declared_and_nothing_else(written: Path) -> None:
    headline = json.loads((written / "plan.json").read_text(encoding="utf-8"))
    assert headline["disclosure"] == "protected"
    assert "novel" not in headline
    assert "novel" in headline["withheld"]
    assert headline["notes"] == ["fewer than 5 young people share a place.", "A new figure of 7 settings."]
    for name in ("objective_gbp", "saving_gbp", "bound_gbp", "rule_gbp"):
        assert headline[name] % 500_000 == 0
    for name in ("unmet", "independent_avoided"):
        assert all(count is None or count % 5 == 0 for count in headline[name].values())
    assert not set(headline["inputs"]) & {"pupils.parquet", "placements.parquet", "pools.csv"}


@needs_page
def test_exact_figures_stay_in_a_folder_of_the_owner(plan: Plan, case: Case, written: Path, tmp_path: Path) -> None:
    kept = written / EXACT
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert "do not publish" in (kept / "README.txt").read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(read_exact_plan(written).plan.needs, plan.plan.needs)
    assert read_plan(written).plan.needs["demand"].isna().any()
    with contextlib.suppress(PageNotBuiltError):
        write_plan(plan, case, tmp_path / "plan")
    assert not (tmp_path / "plan" / EXACT).exists()
    with pytest.raises(InputError, match="only what may be shown"):
        read_exact_plan(tmp_path / "plan")
    with exact_copy(plan, case) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        pd.testing.assert_frame_equal(read_exact_plan(folder).rule.unmet, plan.rule.unmet)
    assert not folder.exists()


@needs_page
def test_an_audit_above_the_exact_folder_names_no_figure(written: Path) -> None:
    breach = Breach("A50", "plan.json, unmet 2022/23: 3.2, found 4.1", "does not follow from the case and the decisions", 0.9)
    write_audit(AuditReport(False, (breach,), {"unmet": {"2022/23": 4.1}}), written)
    above, kept = (json.loads((folder / "audit.json").read_text(encoding="utf-8")) for folder in (written, written / EXACT))
    assert kept["recomputed"] == {"unmet": {"2022/23": 4.1}}
    assert (above["passed"], above["recomputed"]) == (False, {})
    assert above["breaches"] == [{"code": "A50", "where": "", "message": breach.message, "amount": 0.0}]


def test_zones_have_ten_pupils_and_do_not_depend_on_a_plan(case: Case) -> None:
    zone = zones(case)
    assert set(zone.index) == set(case.areas["area_id"])
    demand = case.pupils.assign(zone=case.pupils["area_id"].map(zone)).groupby(["zone", "academic_year", "scenario"])["pupils_placed"].sum()
    assert demand.min() >= FEWEST_PUPILS
    council = case.areas.set_index("area_id")["council_code"]
    assert council.groupby(zone).nunique().max() == 1
    drawn = shown_case(case).areas
    assert drawn["population_0_25"].sum() == pytest.approx(case.areas["population_0_25"].sum())
    assert drawn.geometry.area.sum() == pytest.approx(case.areas.geometry.area.sum(), rel=1e-6)
    assert list(drawn.columns) == list(case.areas.columns)
    assert shown_case(case).notes == ("fewer than 5 pupils could not be placed on the map; 1,040 pupils could.",)
    assert shown_case(case).placements["pupils"].isna().all()


def test_what_a_place_costs_is_shown_from_ten_places_up(case: Case) -> None:
    pools = shown_case(replace(case, pools=case.pools.assign(place_cost_gbp_per_year=50_000.0))).pools
    few = case.pools["places"] < 9.5
    assert 0 < few.sum() < len(few)
    assert pools["place_cost_gbp_per_year"].isna().tolist() == few.tolist()
    assert not breaks_the_rules(pools["places"])


def test_counts_are_hidden_from_1_to_4_and_rounded_from_5_up() -> None:
    shown = shown_counts([0.0, 0.4, 0.5, 1.0, 4.0, 4.4, 4.5, 7.4, 7.5, 12.0, 13.0])
    assert shown == pytest.approx([0, 0, *[np.nan] * 4, 5, 5, 10, 10, 15], nan_ok=True)
    assert shown_count(None) == shown_count(float("nan")) == "fewer than 5"
    assert shown_count(1234.0) == "1,234"


def test_a_row_that_gives_a_part_away_is_noticed() -> None:
    """8 to 12 pupils in two hidden parts: each would be 4. In three parts, or beside a rounded one, each may be 1 to 4."""
    nan = float("nan")
    rows = np.array([[nan, nan, 0.0], [nan, nan, nan], [nan, 5.0, 0.0], [nan, 0.0, 0.0]])
    assert is_revealing([10.0, 10.0, 10.0, nan], rows).tolist() == [True, False, False, False]


def test_totals_are_worked_out_from_what_is_shown() -> None:
    table = pd.DataFrame({"group": ["a", "a", "b", "b", "c"], "pupils": [12.0, np.nan, np.nan, np.nan, 0.0]})
    counts = table[["pupils"]]
    totals = added_up(counts.fillna(2.0).replace(12.0, 10.0), {"pupils": counts}, [table["group"]])["pupils"]
    assert totals.to_dict() == pytest.approx({"a": 10.0, "b": np.nan, "c": 0.0}, nan_ok=True)


def test_averages_need_ten_hidden_counts() -> None:
    counts = np.array([1.0, 2.0, 3.0] * 4)
    assert average_of_hidden(counts[:9], [np.nan] * 9) is None
    assert average_of_hidden(counts, [np.nan] * 12) == pytest.approx(20 / 12)


def test_means_need_ten_pupils() -> None:
    assert shown_mean([90.0, 333.0], [9.0, 10.0], 1.0) == pytest.approx([np.nan, 33.0], nan_ok=True)
