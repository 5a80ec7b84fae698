"""The printed brief: one page to decide from, then what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sufficiency.case import Case
from sufficiency.disclosure import label
from sufficiency.outputs.pack.canvas import Picture, source_line
from sufficiency.outputs.pack.equality import IN_PART, NO_DATA
from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.pack.papers import bullets, heading, picture_block, set_paper, table_block, text
from sufficiency.outputs.pack.table import Column, PackTable, counted, shown_cell, without
from sufficiency.outputs.words import cautions, pounds, verdict
from sufficiency.plan import Plan

TOP_PROJECTS = 5
MOST_NOT_CHOSEN = 40


def write_brief(of: Material, tables: Mapping[str, PackTable], pictures: Sequence[Picture], figures: Path, out: Path) -> None:
    """Write ``brief.pdf``. ``figures``: the folder that holds the pictures as SVG."""
    set_paper("brief.typ", brief_data(of, tables, pictures), figures, out)


def brief_data(of: Material, tables: Mapping[str, PackTable], pictures: Sequence[Picture]) -> dict[str, Any]:
    """All words and figures of the brief."""
    plan, case = of.plan, of.case
    years, by_name = case.academic_years, {picture.name: picture for picture in pictures}
    return {
        "title": f"SEND and AP places: {of.where}",
        "subtitle": f"{case.name}. Plan for {years[0]} to {years[-1]}, programme {case.programme}, {case.price_base} prices.",
        "author": f"sufficiency {plan.summary['version']}",
        "footer": f"{of.where}: plan for SEND and AP places, {years[0]} to {years[-1]}",
        "marks": [line for line in cautions(plan.summary, case) if line.isupper() or line.startswith("FICTIONAL")],
        "tiles": _tiles(of, plan, case, tables),
        "summary": _summary(plan, case, tables, by_name),
        "sections": [section for section in _sections(of, plan, case, tables, by_name) if section["blocks"]],
    }


def _tiles(of_pack: Material, plan: Plan, case: Case, tables: Mapping[str, PackTable]) -> list[dict[str, str]]:
    last, year = case.academic_years[-1], tables["years"]
    now = year.rows.iloc[-1]

    def figure(name: str, form: str = "number") -> str:
        return shown_cell(float(now[name]), replace(year.column(name), form=form))

    of, kept = plan.summary, tables["projects"].rows.query("effect == 'keeps'")["places"].sum()
    more = f" and {kept:,.0f} places kept" if kept else ""
    when = f"in {last}, before and with the plan"
    tiles = (
        ("Capital", pounds(of["capital_gbp"]), f"for {of['new_places']:,.0f} new places{more}; committed projects are in the money"),
        ("Independent placements avoided", figure("independent_avoided"), f"pupils in {last}{_avoided_range(of_pack, tables)}"),
        ("No suitable place", f"{figure('unmet_before')} to {figure('unmet_after')}", f"pupils {when}"),
        ("Mean journey", f"{figure('minutes_before')} to {figure('minutes_after')}", f"minutes one way {when}"),
        ("Saving of the whole plan", pounds(of["saving_gbp"]), f"present value; {_range(plan)}"),
    )
    return [{"label": label, "value": value, "note": note} for label, value, note in tiles]


def _range(plan: Plan) -> str:
    savings = [row["saving_gbp"] for row in plan.summary.get("sensitivity", [])]
    return f"{pounds(min(savings))} to {pounds(max(savings))} under other assumptions" if savings else "other assumptions were not tried"


def _avoided_range(of: Material, tables: Mapping[str, PackTable]) -> str:
    """The least and the most that the same projects avoid, told where the pack is for the whole plan."""
    rows = tables["ranges"].rows
    if len(of.case.councils) < len(of.whole.case.councils) or "avoided" not in rows or not rows["avoided"].notna().any():
        return ""
    return f"; {rows['avoided'].min():,.0f} to {rows['avoided'].max():,.0f} under other assumptions"


def _summary(plan: Plan, case: Case, tables: Mapping[str, PackTable], pictures: Mapping[str, Picture]) -> list[dict[str, Any]]:
    last, projects, now = case.academic_years[-1], tables["projects"], tables["years"].rows.iloc[-1]
    whole = Column("pupils", "Pupils", "pupils", "number")
    points = [
        f"{counted(len(projects.rows), 'project opens or keeps', 'projects open or keep')} {projects.rows['places'].sum():,.0f} places."
        + (
            f" The first opens in {projects.rows['opens'].min()}, the last in {projects.rows['opens'].max()}." if len(projects.rows) else ""
        ),
        f"In {last} {shown_cell(float(now['demand']), whole)} pupils need a specialist place or alternative provision;"
        f" {shown_cell(float(now['independent_before']), whole)} would be in independent places with only what is committed,"
        f" {shown_cell(float(now['independent_after']), whole)} with the plan.",
        f"{counted(len(tables['not_chosen'].rows), 'project was', 'projects were')} looked at and not chosen; the reasons are below.",
        verdict(plan.summary),
        *[line for line in cautions(plan.summary, case) if not line.startswith("FICTIONAL")],
    ]
    notes = [note for note in plan.summary.get("notes", []) if note.startswith("The saving, its cash part")]
    blocks = [heading("In short"), bullets([*points, *notes]), picture_block(pictures["chart-independent"], 72)]
    largest = projects.rows.sort_values("places", ascending=False).head(TOP_PROJECTS).index.sort_values()
    if len(largest):
        top = replace(projects, rows=projects.rows.loc[largest], note="", columns=tuple(replace(c, sums=False) for c in projects.columns))
        unneeded = (
            "project_id",
            "where",
            "for_whom",
            "phases",
            "starts",
            "stages",
            "effect",
            "per_place_gbp",
            "decision",
            *_one_council(case),
        )
        blocks.append(table_block(without(top, *unneeded), "Largest projects"))
    return blocks


def _one_council(case: Case) -> tuple[str, ...]:
    """Columns that say nothing when the pack is for one council."""
    return ("council",) if len(case.councils) == 1 else ()


def _projects_on_paper(tables: Mapping[str, PackTable], case: Case) -> PackTable:
    table = tables["projects"]
    staged = table.rows["stages"].str.contains(";").any()
    unneeded = ["project_id", "where", "effect", "per_place_gbp", *_one_council(case), *([] if staged else ["stages"])]
    short = table.rows["phases"].str.replace(r" \(.*?\)", "", regex=True)
    return without(replace(table, rows=table.rows.assign(phases=short)), *unneeded)


def _funds_on_paper(tables: Mapping[str, PackTable]) -> PackTable:
    """Years in which money comes, goes or lapses; the rest stands in the workbook."""
    table = tables["funds"]
    moves = (table.rows[["allocated_gbp", "spent_gbp", "returned_gbp"]].abs() >= 0.5).any(axis=1)
    return without(replace(table, rows=table.rows[moves], note=f"{table.note} Years without movement are left out here."), "councils")


def _not_chosen_on_paper(tables: Mapping[str, PackTable], case: Case) -> PackTable:
    table = tables["not_chosen"]
    more = len(table.rows) - MOST_NOT_CHOSEN
    note = f"The {MOST_NOT_CHOSEN} cheapest per place; the other {more} are in the workbook. {table.note}" if more > 0 else table.note
    return without(replace(table, rows=table.rows.head(MOST_NOT_CHOSEN), note=note), "project_id", *_one_council(case))


def _sections(
    of: Material, plan: Plan, case: Case, tables: Mapping[str, PackTable], pictures: Mapping[str, Picture]
) -> list[dict[str, Any]]:
    maps = [_section(picture.title, "a3", [picture_block(picture)]) for picture in pictures.values() if picture.is_map]
    charts = {
        name: [picture_block(pictures[name])] if name in pictures else [] for name in ("chart-money", "chart-needs", "chart-equality")
    }
    by_council = [table_block(tables["travel_by_council"])] if len(case.councils) > 1 else []
    tables_of = {name: table_block(table) for name, table in tables.items()}
    opened = table_block(tables["new_places"], "Places that the projects open or keep, by need")
    return [
        _section("What to build and when", "wide", [table_block(_projects_on_paper(tables, case), "")]),
        *maps[:1],
        _section("The money", "wide", [tables_of["spend"], *charts["chart-money"]]),
        _section("The cash of each fund", "wide", [table_block(_funds_on_paper(tables), "")]),
        _section("The high needs block", "wide", [table_block(tables["high_needs_block"], ""), tables_of["borders"]]),
        _section("Places by need", "wide", [tables_of["needs"], opened]),
        _section("Places by kind and year by year", "wide", [tables_of["kinds"], tables_of["years"]]),
        *maps[1:2],
        _section("Journeys before and with the plan", "wide", [*by_council, tables_of["travel_by_need"], tables_of["access"]]),
        *maps[2:3],
        _section("Independent placements avoided", "tall", _avoided(tables_of, charts["chart-needs"])),
        *maps[3:4],
        _section("Equality annex", "wide", _equality(tables_of, charts["chart-equality"])),
        _section("What was not chosen, and why", "wide", [table_block(_not_chosen_on_paper(tables, case), "")]),
        _section("Assumptions and their status", "wide", [table_block(tables["assumptions"], "")]),
        _section("Notes and sources", "tall", _notes(of)),
    ]


def _avoided(tables: Mapping[str, Any], chart: list[dict[str, Any]]) -> list[dict[str, Any]]:
    what_decides = (
        "What decides the saving is how many new places are filled by pupils who would otherwise be in independent places."
        " The table shows what the same projects save and avoid when that, or another assumption, is different."
    )
    return [tables["avoided"], *chart, text(what_decides), tables["ranges"]]


def _equality(tables: Mapping[str, Any], chart: list[dict[str, Any]]) -> list[dict[str, Any]]:
    duty = (
        "Section 149 of the Equality Act 2010 asks a public body to have due regard to those who share a protected characteristic."
        " This annex gives what the plan knows, for whoever writes the equality impact assessment."
    )
    lacking = (
        f"The plan is made for areas, needs and ages, not for persons. It holds nothing about {', '.join(NO_DATA[:-1])} or {NO_DATA[-1]}."
        " Figures on these must come from elsewhere."
    )
    known = bullets([f"{name.capitalize()}: {words}." for name, words in IN_PART.items()])
    return [text(duty), tables["equality"], heading("What the data do not hold"), text(lacking), known, *chart]


def _notes(of: Material) -> list[dict[str, Any]]:
    sources = [f"{s.publisher}: {s.title}, {s.edition} ({s.licence})" for s in of.case.sources]
    return [
        bullets(of.notes) if of.notes else text("None."),
        heading("Sources"),
        bullets(sources) if sources else text("The user's own tables."),
        text(source_line(of.case)),
        text(label(of.case)),
    ]


def _section(title: str, form: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"heading": title, "form": form, "blocks": blocks}
