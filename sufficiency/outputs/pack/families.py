"""Papers for families and consultation, per council: two pages in plain English, and an easy-read version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from sufficiency.disclosure import shown_count
from sufficiency.outputs.pack.canvas import Picture, source_line
from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.pack.papers import bullets, heading, picture_block, set_paper, table_block, text
from sufficiency.outputs.pack.table import Column, PackTable, counted, made, without
from sufficiency.outputs.words import is_fictional
from sufficiency.terms import split_codes, start_of

MOST_PROJECTS: Final = 8
MOST_PROJECTS_EASY: Final = 6
WHAT: Final[Mapping[str, str]] = {
    "expansion": "More rooms at a special school.",
    "satellite": "A new part of a special school, in another place.",
    "resourced_provision": "Special classes in a mainstream school.",
    "new_special": "A new special school.",
    "ap_expansion": "More room in a school for children who can't be in their usual school.",
    "new_ap": "A new school for children who can't be in their usual school.",
    "improvement": "Repairs, so that places stay open.",
    "free_school": "A new special school. The government builds it.",
    "cash_per_place": "Money from the government to make places.",
}
"""Kind of project -> easy words."""
FOR_WHOM: Final[Mapping[str, str]] = {
    "ASD": "autistic children",
    "SLCN": "children who need help with talking and understanding",
    "SEMH": "children who need help with feelings",
    "MLD": "children who need help with learning",
    "SLD": "children who need a lot of help with learning",
    "PHYS": "children who need help with seeing, hearing or moving",
    "AP": "children who can't be in their usual school",
}
"""Need group -> easy words."""
PICTURES: Final[Mapping[str, str]] = {
    "school": "A school",
    "children": "Two children",
    "child": "A child",
    "calendar": "A calendar",
    "coin": "A pound coin",
    "bus": "A school bus",
    "pin": "A pin on a map",
    "speech": "A speech bubble",
    "question": "A question mark",
}
MADE_UP: Final = "This place is made up. The paper is an example."


def write_families(of: Material, tables: Mapping[str, PackTable], pictures: Sequence[Picture], figures: Path, folder: Path) -> None:
    """Write ``summary.pdf`` and ``easy-read.pdf``. ``figures``: the folder that holds the pictures as SVG."""
    set_paper("summary.typ", summary_data(of, tables, pictures), figures, folder / "summary.pdf")
    set_paper("easy-read.typ", easy_read_data(of, tables), figures, folder / "easy-read.pdf")


def summary_data(of: Material, tables: Mapping[str, PackTable], pictures: Sequence[Picture]) -> dict[str, Any]:
    """Words and figures of the two pages."""
    now, projects = tables["years"].rows.iloc[-1], tables["projects"]
    year = start_of(of.last) + 1
    places = _count(projects.rows["places"].sum())
    number = counted(len(projects.rows), "project", "projects")
    more = f"The {MOST_PROJECTS} largest of {len(projects.rows)} projects; the brief has all." if len(projects.rows) > MOST_PROJECTS else ""
    blocks = [
        text(
            f"This paper says how {of.where} could open more school places for children with special educational needs and"
            " disabilities (SEND), and for children in alternative provision (AP). It is a plan to talk about, not yet a decision."
            " It is about places. It does not decide which school any child goes to, and it changes no child's EHC plan."
        ),
        heading("What we expect"),
        text(
            f"In January {year} about {_count(now['demand'])} children and young people who live here will need a place in a special"
            f" school, in a special class of a mainstream school, or in AP. If we do only what is already decided, about"
            f" {_count(now['independent_before'])} of them would be in independent schools."
        ),
        heading("What the plan would do"),
        text(f"It would open or keep {places} places in {number}, for {_money(of)}. {_opening(projects)}"),
        table_block(_largest(projects, more), "The projects"),
        heading("What would change"),
        table_block(_change(tables, of), ""),
        picture_block(next(picture for picture in pictures if picture.name == "map-places"), 106),
        heading("What we are not sure of"),
        bullets(
            [
                "The numbers of children are forecasts. They come from a model and will not be exactly right.",
                "How much money is saved depends on how many new places go to children who would otherwise be in independent schools.",
                "Building can take longer or cost more than planned. The costs hold a margin for that.",
            ]
        ),
        heading("Have your say"),
        text(
            "Ask the council for the comment form. You can say for each project whether it should be built, should not be built, should"
            " wait, or should be larger, and why. The council's SEND Information, Advice and Support service (SENDIASS) can help you;"
            " it is free and independent. There is also an easy-read version of this paper."
        ),
    ]
    return {
        "title": f"More school places for children with SEND in {of.where}",
        "subtitle": f"Plan for {of.case.academic_years[0]} to {of.last}, for families",
        "author": f"sufficiency {of.plan.summary['version']}",
        "footer": source_line(of.case),
        "marks": [MADE_UP] if is_fictional(of.case) else [],
        "blocks": blocks,
    }


def easy_read_data(of: Material, tables: Mapping[str, PackTable]) -> dict[str, Any]:
    """Words and figures of the easy-read paper: short sentences, one idea each."""
    now, projects = tables["years"].rows.iloc[-1], tables["projects"].rows
    year = start_of(of.last) + 1
    parts = [
        _part(
            "What is this about?",
            _idea("school", f"This paper is about school places in {of.where}.", "It is for families."),
            _idea("children", "Some children need more help to learn.", "They may need a special school or a special class."),
            *([_idea("question", MADE_UP)] if is_fictional(of.case) else []),
        ),
        _part(
            "What will happen?",
            _idea("children", f"In {year} about {_count(now['demand'])} children here will need a place like this."),
            _idea("school", f"We plan to open or keep {_count(projects['places'].sum())} places."),
            *_when(projects),
            _idea("coin", f"This costs {_money(of)}.", "The money is for buildings."),
            *_journey(now),
        ),
        _part("What do we want to build?", *_projects(of)),
        _part(
            "What does it mean for my child?",
            _idea("child", "This plan does not choose a school for your child.", "It does not change your child's EHC plan."),
            _idea("question", "We do not know everything.", "The numbers may turn out different."),
        ),
        _part(
            "Tell us what you think",
            _idea("speech", "Do you like the plan?", "Is something missing?", "Ask the council for the comment form."),
            _idea("children", "Someone can help you.", "Ask for SENDIASS. It is free."),
        ),
    ]
    return {
        "title": f"School places in {of.where}",
        "subtitle": "Easy read",
        "author": f"sufficiency {of.plan.summary['version']}",
        "footer": "Easy read",
        "parts": [part for part in parts if part["ideas"]],
    }


def _part(title: str, *ideas: dict[str, Any]) -> dict[str, Any]:
    return {"heading": title, "ideas": list(ideas)}


def _idea(icon: str, *lines: str) -> dict[str, Any]:
    return {"icon": icon, "alt": PICTURES[icon], "lines": list(lines)}


def _when(projects: pd.DataFrame) -> list[dict[str, Any]]:
    if projects.empty:
        return []
    first, last = start_of(projects["opens"].min()), start_of(projects["opens"].max())
    if first == last:
        return [_idea("calendar", f"They open in September {first}.")]
    return [_idea("calendar", f"The first open in September {first}.", f"The last open in September {last}.")]


def _journey(now: pd.Series[Any]) -> list[dict[str, Any]]:
    before, after = now["minutes_before"], now["minutes_after"]
    if pd.isna(before) or pd.isna(after):
        return []
    lines = [
        f"Without the plan, a journey to school takes about {before:.0f} minutes.",
        f"With the plan, it takes about {after:.0f} minutes.",
    ]
    return [_idea("bus", *lines)]


def _projects(of: Material) -> list[dict[str, Any]]:
    """The largest projects in easy words, in the order of opening."""
    built = of.plan.plan.projects.sort_values("stage")
    sums = built.groupby("project_id")["places"].sum()
    first = built.drop_duplicates("project_id").set_index("project_id")
    chosen = first.loc[sums.sort_values(ascending=False).index[:MOST_PROJECTS_EASY]].sort_values("opens_academic_year")
    ideas = []
    for row in chosen.reset_index().to_dict("records"):
        whom = " and ".join(FOR_WHOM[code] for code in split_codes(row["need_groups"])[:2])
        ideas.append(
            _idea(
                "pin",
                f"{row['name']}.",
                WHAT[row["kind"]],
                f"{_count(sums[str(row['project_id'])])} places.",
                f"They are for {whom}.",
                f"Open in September {start_of(row['opens_academic_year'])}.",
            )
        )
    return ideas


def _largest(projects: PackTable, note: str) -> PackTable:
    largest = projects.rows.sort_values("places", ascending=False).head(MOST_PROJECTS).index.sort_values()
    columns = tuple(replace(column, sums=False) for column in projects.columns)
    table = replace(projects, rows=projects.rows.loc[largest], note=note, columns=columns)
    return without(
        table, "project_id", "council", "where", "kind", "phases", "starts", "stages", "effect", "capital_gbp", "per_place_gbp", "decision"
    )


def _change(tables: Mapping[str, PackTable], of: Material) -> PackTable:
    """Three lines: before and with the plan."""
    now = tables["years"].rows.iloc[-1]
    rows = [
        {
            "what": f"Children in independent schools, {of.last}",
            "before": _count(now["independent_before"]),
            "after": _count(now["independent_after"]),
        },
        {
            "what": f"Children without a suitable place, {of.last}",
            "before": _count(now["unmet_before"]),
            "after": _count(now["unmet_after"]),
        },
        {
            "what": "Average journey to school, minutes one way",
            "before": _minutes(now["minutes_before"]),
            "after": _minutes(now["minutes_after"]),
        },
    ]
    columns = [Column("what", "What"), Column("before", "Only what is decided"), Column("after", "With the plan")]
    return made("change", "What would change", "", columns, pd.DataFrame(rows))


def _opening(projects: PackTable) -> str:
    if projects.rows.empty:
        return ""
    first, last = start_of(projects.rows["opens"].min()), start_of(projects.rows["opens"].max())
    return f"They open in September {first}." if first == last else f"The first open in September {first}, the last in September {last}."


def _count(value: float) -> str:
    return shown_count(float(value))


def _minutes(value: float) -> str:
    return "not known" if pd.isna(value) else f"{value:.0f}"


def _money(of: Material) -> str:
    million = of.plan.summary["capital_gbp"] / 1e6
    return f"£{million:,.1f} million"
