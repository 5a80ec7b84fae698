"""Every figure of a meeting pack, read back from its files, is the plan's as its disclosure profile shows it."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pdfua
import pikepdf
import pypdf
import pytest
from plan_example import BUILT, example_case, example_plan

from fixtures.tiny import tiny_case
from sufficiency.case import Case, case_hashes, save_case
from sufficiency.outputs.folder import write_plan
from sufficiency.outputs.pack.canvas import TONES
from sufficiency.outputs.pack.command import run_pack
from sufficiency.outputs.pack.content import EFFECTS
from sufficiency.outputs.pack.families import FOR_WHOM, WHAT, easy_read_data, write_families
from sufficiency.outputs.pack.maps import map_pictures, spread_apart
from sufficiency.outputs.pack.material import INDEPENDENT, Material, Whole, material
from sufficiency.outputs.pack.scope import Scope, council_scopes, partnership_scope, region_scopes, scoped, whole_case
from sufficiency.outputs.pack.table import HIDDEN, PackTable, shown_rows
from sufficiency.outputs.pack.tables import pack_tables
from sufficiency.outputs.pack.workbook import HEADING_ROW, sheet_name, write_workbook
from sufficiency.outputs.pack.write import ANNEXES, write_packs
from sufficiency.outputs.styles import SHADES
from sufficiency.outputs.words import pounds
from sufficiency.plan import Plan
from sufficiency.tables.problems import InputError
from sufficiency.tables.schemas import Projects
from sufficiency.terms import NEED_GROUPS, PROJECT_KINDS

NOT_RUN = {"UA-14-001"}
"""A rule (headings in order) that the checker itself fails to run with this pikepdf; ``test_headings_are_in_order`` does its work."""


@dataclass(frozen=True)
class Pack:
    """A written pack with what it was made from."""

    folder: Path
    of: Material
    tables: dict[str, PackTable]

    def text(self, name: str) -> str:
        return "\n".join(page.extract_text() for page in pypdf.PdfReader(self.folder / name).pages)

    def pdfs(self) -> list[Path]:
        return sorted(self.folder.glob("*.pdf"))


@pytest.fixture(scope="module")
def case() -> Case:
    return example_case()


@pytest.fixture(scope="module")
def plan(case: Case) -> Plan:
    return example_plan(case)


def made(plan: Plan, case: Case, scope: Scope, out: Path) -> Pack:
    (folder,) = write_packs(plan, case, [scope], out)
    of = material(Whole(plan, case), scope)
    return Pack(folder, of, pack_tables(of))


@pytest.fixture(scope="module")
def joint(plan: Plan, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return made(plan, case, whole_case(case), tmp_path_factory.mktemp("joint"))


@pytest.fixture(scope="module")
def protected(plan: Plan, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    private = replace(case, disclosure="protected")
    return made(plan, private, council_scopes(private)[0], tmp_path_factory.mktemp("protected"))


@pytest.fixture(params=["joint", "protected"])
def pack(request: pytest.FixtureRequest) -> Pack:
    found: Pack = request.getfixturevalue(request.param)
    return found


def test_a_pack_holds_all_that_a_meeting_needs(pack: Pack) -> None:
    names = {path.relative_to(pack.folder).as_posix() for path in pack.folder.rglob("*") if path.is_file()}
    expected = {"brief.pdf", "workbook.xlsx", "comments.xlsx", "plan.gpkg", "pack.json"}
    expected |= {f"annexes/{name}.csv" for name in ANNEXES} | {f"annexes/{name}.csv-metadata.json" for name in ANNEXES}
    pictures = ("map-places", "map-need", "map-travel", "map-independent", "chart-independent", "chart-needs", "chart-money")
    expected |= {f"figures/{name}.{kind}" for name in pictures for kind in ("png", "svg")}
    expected |= {"summary.pdf", "easy-read.pdf"} if pack.of.scope.is_council else set()
    assert expected <= names


# ---- papers


def test_papers_keep_pdf_ua(pack: Pack) -> None:
    for path in pack.pdfs():
        report = pdfua.validate(str(path))
        assert [outcome for outcome in report.outcomes if outcome.findings] == [], path.name
        assert {outcome.rule_id for outcome in report.outcomes if outcome.skipped_reason} <= NOT_RUN
        with pikepdf.open(path) as file:
            assert bool(file.Root.MarkInfo.Marked)
            assert str(file.Root.Lang).lower() == "en-gb"
            assert str(file.docinfo["/Title"])
            assert bool(file.Root.ViewerPreferences.DisplayDocTitle)
            assert "pdfuaid" in file.Root.Metadata.read_bytes().decode()


def elements(node: Any) -> list[Any]:
    """All structure elements in reading order."""
    kids = node.get("/K", [])
    kids = list(kids) if isinstance(kids, pikepdf.Array) else [kids]
    inner = [one for kid in kids if isinstance(kid, pikepdf.Dictionary) for one in elements(kid)]
    return [node, *inner]


def test_headings_are_in_order_pictures_have_words_and_tables_have_headings(pack: Pack) -> None:
    for path in pack.pdfs():
        with pikepdf.open(path) as file:
            tree = [one for one in elements(file.Root.StructTreeRoot) if "/S" in one]
            kinds = [str(one.S) for one in tree]
            levels = [int(kind[2:]) for kind in kinds if re.fullmatch(r"/H\d", kind)]
            assert levels[0] == 1
            assert all(after <= before + 1 for before, after in pairwise(levels))
            figures = [one for one in tree if str(one.S) == "/Figure"]
            assert figures
            assert all(len(str(one.get("/Alt", ""))) > 4 for one in figures), path.name
            for table in (one for one in tree if str(one.S) == "/Table"):
                assert any(str(one.S) == "/TH" for one in elements(table) if "/S" in one)


def test_fonts_are_embedded(protected: Pack) -> None:
    for path in protected.pdfs():
        with pikepdf.open(path) as file:
            for page in file.pages:
                for font in page.get("/Resources", {}).get("/Font", {}).values():
                    (inner,) = font.DescendantFonts
                    assert {"/FontFile2", "/FontFile3"} & set(inner.FontDescriptor.keys())


def test_every_table_of_the_brief_stands_in_the_pdf_as_the_profile_shows_it(pack: Pack) -> None:
    text = re.sub(r"\s+", "", pack.text("brief.pdf"))
    for name in ("years", "spend", "needs", "kinds", "travel_by_need", "access", "avoided", "equality"):
        for row in shown_rows(pack.tables[name]):
            for cell in row:
                assert re.sub(r"\s+", "", cell) in text, (name, cell)


def test_the_first_page_says_what_the_plan_says(joint: Pack, plan: Plan, case: Case) -> None:
    """Worked out from the plan's tables, not from those of the pack."""
    first = " ".join(pypdf.PdfReader(joint.folder / "brief.pdf").pages[0].extract_text().split())
    last = case.academic_years[-1]
    before, after = (
        tables.needs.loc[tables.needs["academic_year"] == last, list(INDEPENDENT)].to_numpy().sum()
        for tables in (plan.counterfactual, plan.plan)
    )
    unmet = [tables.unmet.loc[tables.unmet["academic_year"] == last, "pupils"].sum() for tables in (plan.counterfactual, plan.plan)]
    assert pounds(plan.plan.projects["capital_gbp"].sum()) in first
    assert f"{plan.summary['new_places']:,.0f} new places" in first
    assert f"{before - after:,.0f} pupils in {last}" in first
    assert f"{unmet[0]:,.0f} to {unmet[1]:,.0f}" in first
    assert f"{before:,.0f} would be in independent places" in first
    savings = [row["saving_gbp"] for row in plan.summary["sensitivity"]]
    assert f"{pounds(min(savings))} to {pounds(max(savings))}" in first
    assert "FICTIONAL" in first


def test_the_summary_fits_one_page_and_families_get_two(protected: Pack) -> None:
    pages = pypdf.PdfReader(protected.folder / "brief.pdf").pages
    assert "What to build and when" in pages[1].extract_text()
    assert len(pypdf.PdfReader(protected.folder / "summary.pdf").pages) == 2


def test_maps_are_on_a3_and_text_on_a4(protected: Pack) -> None:
    sizes = [
        tuple(sorted(round(float(side)) for side in page.mediabox[2:])) for page in pypdf.PdfReader(protected.folder / "brief.pdf").pages
    ]
    assert sizes.count((842, 1191)) == 4
    assert set(sizes) == {(595, 842), (842, 1191)}


def test_easy_read_keeps_sentences_short(protected: Pack) -> None:
    lines = [line for part in easy_read_data(protected.of, protected.tables)["parts"] for idea in part["ideas"] for line in idea["lines"]]
    assert max(len(line.split()) for line in lines) <= 22
    assert np.mean([len(line.split()) for line in lines]) < 10
    text = " ".join(protected.text("easy-read.pdf").split())
    assert all(line in text for line in lines)


def test_every_code_has_words() -> None:
    effects = Projects.to_schema().columns["effect"].checks[0].statistics["allowed_values"]
    assert set(EFFECTS) == set(effects)
    assert set(WHAT) == set(PROJECT_KINDS)
    assert set(FOR_WHOM) == set(NEED_GROUPS)


# ---- workbook


def test_cells_of_the_workbook_are_the_figures_of_the_tables(pack: Pack) -> None:
    book = openpyxl.load_workbook(pack.folder / "workbook.xlsx", data_only=True)
    for table in pack.tables.values():
        sheet = book[sheet_name(table)]
        assert [cell.value for cell in sheet[HEADING_ROW + 1]] == [column.heading for column in table.columns]
        for row, values in enumerate(table.rows.itertuples(index=False, name=None), start=HEADING_ROW + 2):
            for column, (declared, value) in enumerate(zip(table.columns, values, strict=True), start=1):
                cell = sheet.cell(row, column).value
                if declared.form == "text":
                    assert (cell or "") == ("" if pd.isna(value) else value)
                else:
                    assert cell == HIDDEN if pd.isna(value) else cell == pytest.approx(value, abs=1e-9)


def test_formulas_say_what_their_cells_hold(pack: Pack) -> None:
    """Each formula is worked out anew from the cells that it names."""
    written = openpyxl.load_workbook(pack.folder / "workbook.xlsx")
    held = openpyxl.load_workbook(pack.folder / "workbook.xlsx", data_only=True)
    counted = 0
    for sheet in written.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    counted += 1
                    assert worked_out(cell.value[1:], held, sheet.title) == pytest.approx(
                        held[sheet.title][cell.coordinate].value, abs=0.006
                    )
    assert counted > 30


def worked_out(formula: str, book: Any, sheet: str) -> float:
    def cell(found: re.Match[str]) -> str:
        return repr(float(book[found[1] or sheet][found[2]].value))

    def total(found: re.Match[str]) -> str:
        return repr(float(sum(one.value for (one,) in book[sheet][found[1]])))

    formula = re.sub(r"SUM\((\w+:\w+)\)", total, formula)
    formula = re.sub(r"(?:'([^']+)'!)?([A-Z]{1,3}\d+)", cell, formula)
    return float(eval(formula.replace("ROUND", "round"), {"__builtins__": {}, "round": round}))


def test_the_workbook_guides_its_reader(joint: Pack) -> None:
    book = openpyxl.load_workbook(joint.folder / "workbook.xlsx")
    assert book.sheetnames == ["Contents", *(sheet_name(table) for table in joint.tables.values()), "Checks", "Notes"]
    listed = [row[0].value for row in book["Contents"].iter_rows(min_row=7)]
    assert listed[:-1] == [sheet_name(table) for table in joint.tables.values()]
    for table in joint.tables.values():
        sheet = book[sheet_name(table)]
        assert sheet.freeze_panes == f"B{HEADING_ROW + 2}"
        assert sheet.auto_filter.ref or table.rows.empty
    money = book["Spend"]
    assert money.cell(HEADING_ROW + 2, 3).number_format.startswith("£")
    assert "GBP" in money.cell(HEADING_ROW, 3).value
    assert "Fictional region" in book.properties.title
    differences = [
        row[3].value for row in openpyxl.load_workbook(joint.folder / "workbook.xlsx", data_only=True)["Checks"].iter_rows(min_row=4)
    ]
    assert len(differences) >= 5
    assert max(map(abs, differences[1:])) < 0.01


def test_tables_are_the_plans(joint: Pack, plan: Plan, case: Case) -> None:
    """The pack's tables against sums of the plan's, worked out another way."""
    last = case.academic_years[-1]
    needs = plan.plan.needs[plan.plan.needs["academic_year"] == last]
    rows = joint.tables["needs"].rows
    assert rows["demand"].sum() == pytest.approx(needs["demand"].sum())
    assert rows["independent_after"].sum() == pytest.approx(needs[list(INDEPENDENT)].to_numpy().sum())
    assert rows["unmet_after"].sum() == pytest.approx(plan.plan.unmet.loc[plan.plan.unmet["academic_year"] == last, "pupils"].sum())
    assert joint.tables["payments"].rows["amount_gbp"].sum() == pytest.approx(plan.plan.payments["amount_gbp"].sum())
    assert joint.tables["projects"].rows["places"].sum() == plan.plan.projects["places"].sum()
    assert joint.tables["grant_return_places"].rows["capital_gbp"].sum() == pytest.approx(plan.plan.projects["capital_gbp"].sum())
    travel = plan.plan.travel[plan.plan.travel["academic_year"] == last]
    mean = (travel["mean_min"] * travel["pupils"]).sum() / travel["pupils"].sum()
    assert joint.tables["years"].rows["minutes_after"].iloc[-1] == pytest.approx(mean)
    equality = joint.tables["equality"].rows
    everyone = needs["demand"].sum()
    for what, group in equality.groupby("what"):
        assert group["everyone"].sum() == pytest.approx(everyone), what
        shares = (group["independent_after"] * group["everyone"]).sum()
        assert shares == pytest.approx(needs[list(INDEPENDENT)].to_numpy().sum()), what


def test_councils_add_up_to_the_whole(plan: Plan, case: Case) -> None:
    of = Whole(plan, case)
    parts = [pack_tables(material(of, scope)) for scope in council_scopes(case)]
    together = pack_tables(material(of, whole_case(case)))
    for name, column in (
        ("projects", "capital_gbp"),
        ("needs", "demand"),
        ("needs", "independent_after"),
        ("travel_by_need", "pupils_after"),
    ):
        assert sum(part[name].rows[column].sum() for part in parts) == pytest.approx(together[name].rows[column].sum())
    assert sum(len(part["not_chosen"].rows) for part in parts) == len(together["not_chosen"].rows) == len(case.projects) - len(BUILT)


# ---- other files


def test_the_geopackage_holds_the_councils_own_part(pack: Pack) -> None:
    path = pack.folder / "plan.gpkg"
    projects = gpd.read_file(path, layer="projects").set_index("project_id")
    table = pack.tables["projects"].rows.set_index("project_id")
    assert set(projects.index) == set(table.index)
    for column in ("number", "places", "capital_gbp"):
        assert (projects[column] == table.loc[projects.index, column]).all()
    areas = gpd.read_file(path, layer="areas")
    assert set(areas["council_code"]) == set(pack.of.scope.councils)
    figures = pack.of.shown["plan"].areas
    figures = figures[(figures["need_group"] == "ALL") & (figures["academic_year"] == pack.of.last)].set_index("zone_id")
    shown = areas.set_index("area_id")["pupils_after_all"]
    pd.testing.assert_series_equal(shown, figures.loc[shown.index, "pupils"].round(1), check_names=False)
    with sqlite3.connect(path) as connection:
        styles = connection.execute("SELECT f_table_name FROM layer_styles WHERE useAsDefault").fetchall()
    connection.close()
    assert {name for (name,) in styles} == {"areas", "flows", "settings", "projects"}


def test_annexes_are_described_and_hold_the_tables(pack: Pack) -> None:
    for name in ANNEXES:
        path = pack.folder / "annexes" / f"{name}.csv"
        about = json.loads(path.with_name(f"{name}.csv-metadata.json").read_text(encoding="utf-8"))
        with path.open(encoding="utf-8", newline="") as file:
            heading, *rows = csv.reader(file)
        columns = about["tableSchema"]["columns"]
        assert heading == [column["titles"] for column in columns]
        assert all(column["dc:description"] and column["schema:unitText"] for column in columns)
        assert about["url"] == path.name
        table = pack.tables[name]
        assert len(rows) == len(table.rows)
        for place, column in enumerate(table.columns):
            if column.form != "text":
                cells = [float(row[place]) if row[place] else np.nan for row in rows]
                np.testing.assert_allclose(cells, table.rows[column.name].to_numpy(float))


def test_a_protected_pack_shows_no_small_count(protected: Pack, plan: Plan) -> None:
    counted = 0
    for table in protected.tables.values():
        for column in table.columns:
            if column.unit == "pupils":
                figures = table.rows[column.name].dropna().to_numpy(float)
                counted += len(figures)
                assert np.allclose(figures % 5, 0), (table.name, column.name)
    assert counted > 100
    assert any(HIDDEN in row for row in shown_rows(protected.tables["needs"]))
    text = " ".join(protected.text("brief.pdf").split())
    assert f"{plan.summary['saving_gbp']:,.0f}" not in text
    assert "Counts of 1 to 4 are hidden" in text
    notes = openpyxl.load_workbook(protected.folder / "workbook.xlsx")["Notes"]
    written = " ".join(str(cell.value) for row in notes.iter_rows() for cell in row)
    assert "Counts of 1 to 4 are hidden" in written
    assert all(source.sha256 not in written for source in protected.of.exact_case.sources)


def test_the_same_plan_gives_the_same_bytes(protected: Pack, tmp_path: Path) -> None:
    figures = protected.folder / "figures"
    write_workbook(protected.of, protected.tables, tmp_path / "workbook.xlsx")
    write_families(protected.of, protected.tables, map_pictures(protected.of), figures, tmp_path)
    for name in ("workbook.xlsx", "summary.pdf", "easy-read.pdf"):
        assert (tmp_path / name).read_bytes() == (protected.folder / name).read_bytes(), name


# ---- what a pack is for


def test_scopes_are_found_by_name_code_and_partnership(case: Case) -> None:
    names = list(case.councils["council_name"])
    assert [scope.name for scope in council_scopes(case, [names[1].upper(), case.councils["council_code"].iloc[0]])] == [names[1], names[0]]
    with pytest.raises(InputError) as caught:
        council_scopes(case, ["Nowhere", "E99"])
    assert [problem.value for problem in caught.value.problems] == ["Nowhere", "E99"]
    with pytest.raises(InputError, match="the case lacks Gloucestershire, Swindon"):
        partnership_scope(case, "south west")
    with pytest.raises(InputError, match="no such partnership"):
        partnership_scope(case, "Atlantis")
    renamed = replace(case, councils=case.councils.assign(council_name=["Swindon", "Elsewhere", "Gloucestershire"]))
    assert partnership_scope(renamed, "South West").councils == tuple(case.councils["council_code"].iloc[[0, 2]])
    assert [scope.name for scope in region_scopes(case)] == ["Fictional region region"]


def test_a_part_keeps_what_its_residents_use(plan: Plan, case: Case) -> None:
    (scope,) = council_scopes(case)[:1]
    part, part_case = scoped(plan, case, scope)
    home = set(part_case.areas["area_id"])
    assert set(part.plan.placements["area_id"]) == home
    assert set(part.plan.placements["pool_id"]) <= set(part.plan.places["pool_id"])
    assert set(part.plan.places["setting_id"]) <= set(part_case.settings["setting_id"]) | set(part.plan.projects["site_id"])
    assert set(part.plan.projects["council_code"]) <= set(scope.councils)
    everyone = plan.plan.placements[plan.plan.placements["area_id"].isin(home)]
    assert part.plan.placements["pupils"].sum() == pytest.approx(everyone["pupils"].sum())


def test_reasons_name_the_money_that_is_missing(plan: Plan, case: Case) -> None:
    rows = pack_tables(material(Whole(plan, case), whole_case(case)))["not_chosen"].rows.set_index("project_id")
    assert rows.loc["P-FORBIDDEN", "reason"] == "Ruled out before the plan was made."
    assert rows["reason"].str.len().min() > 20
    spent = replace(plan, plan=replace(plan.plan, funding=plan.plan.funding.assign(returned_gbp=0.0, carried_out_gbp=0.0)))
    poor = pack_tables(material(Whole(spent, case), whole_case(case)))["not_chosen"].rows
    assert poor["reason"].str.startswith("No money: needs £").sum() > 10
    assert not rows["reason"].str.startswith("No money").all()


def test_a_case_of_one_council_needs_one_pack() -> None:
    case = tiny_case()
    assert whole_case(case) == council_scopes(case)[0]


def test_a_folder_with_other_things_is_left_alone(plan: Plan, case: Case, tmp_path: Path) -> None:
    scope = council_scopes(case)[0]
    (tmp_path / scope.folder).mkdir()
    (tmp_path / scope.folder / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="is not a pack"):
        write_packs(plan, case, [scope], tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["thesis.txt"]


def test_a_stopped_run_goes_on(protected: Pack, plan: Plan, case: Case) -> None:
    case, said = replace(case, disclosure="protected"), list[str]()
    mark = (protected.folder / "brief.pdf").stat().st_mtime_ns
    write_packs(plan, case, [protected.of.scope], protected.folder.parent, said.append, resume=True)
    assert (protected.folder / "brief.pdf").stat().st_mtime_ns == mark
    assert said == [f"1 of 1: {protected.of.scope.name} is there already"]


# ---- command line


def test_the_command_writes_packs_and_refuses_another_case(plan: Plan, case: Case, tmp_path: Path) -> None:
    scope = council_scopes(case)[1]
    save_case(case, tmp_path / "case")
    changed = plan.summary | {"assumptions_changed": {}}
    write_plan(replace(plan, summary=changed | {"inputs": case_hashes(tmp_path / "case")}), case, tmp_path / "plan")
    with pytest.raises(InputError, match="no such council"):
        run_pack(tmp_path / "case", tmp_path / "plan", tmp_path / "packs", ["Nowhere"], None)
    said = run_pack(tmp_path / "case", tmp_path / "plan", tmp_path / "packs", [scope.name], None)
    assert said.endswith("1 packs written.")
    assert (tmp_path / "packs" / scope.folder / "brief.pdf").is_file()
    write_plan(replace(plan, summary=changed | {"inputs": {"areas.parquet": "0" * 64}}), case, tmp_path / "plan")
    with pytest.raises(InputError, match=r"made from another case: areas\.parquet differ"):
        run_pack(tmp_path / "case", tmp_path / "plan", tmp_path / "packs", [scope.name], None)


# ---- greyscale


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_shades_print_in_grey() -> None:
    steps = [luminance(shade) for shade in SHADES]
    assert all(light - dark > 0.08 for light, dark in pairwise(steps))
    assert len(set(TONES)) == len(TONES)


def test_pins_step_aside() -> None:
    points = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [40.0, 0.0]])
    apart = spread_apart(points, 5.0)
    gaps = np.sqrt(((apart[:, None] - apart[None]) ** 2).sum(axis=2))[np.triu_indices(4, 1)]
    assert gaps.min() > 4.9
    np.testing.assert_allclose(apart[3], points[3], atol=0.1)
