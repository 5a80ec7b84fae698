"""Pins: what the planner insists on, and whether a case can do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from sufficiency.case import Case
from sufficiency.requests.rows import Key, is_number, is_text, is_year, row_faults
from sufficiency.tables.problems import InputProblem
from sufficiency.tables.read import validate_table
from sufficiency.terms import WISHES, start_of

FILE: Final = "pins"
BUILT: Final = frozenset({"must", "at_least"})
"""Wishes that ask for a project to be built."""
KEYS: Final[Mapping[str, Key]] = {
    "project": (is_text, "must be the id of a project"),
    "wish": (lambda value: value in WISHES, f"must be one of {', '.join(WISHES)}"),
    "year": (is_year, "must be a year like 2025/26 (opening) or 2025-26 (start)"),
    "places": (lambda value: is_number(value) and value > 0, "must be a number of places above 0"),
    "note": (lambda value: isinstance(value, str), "must be text"),
    "author": (lambda value: isinstance(value, str), "must be text"),
    "date": (lambda value: isinstance(value, str), "must be text like 2026-11-24"),
}


def faults(rows: Sequence[Mapping[str, Any]], file: str) -> list[InputProblem]:
    """What is wrong with [[pins]] whatever the case."""
    return list(row_faults("pins", rows, KEYS, ("project", "wish"), file))


def with_pins(case: Case, rows: Sequence[Mapping[str, Any]]) -> Case:
    """The case with these pins beside its own; one for the same project and wish takes the place of the case's."""
    if not rows:
        return case
    given = validate_table(pd.DataFrame([dict(row) for row in rows]).rename(columns={"project": "project_id"}), "pins", "request, pins")
    both = pd.concat([case.pins, given], ignore_index=True).drop_duplicates(["project_id", "wish"], keep="last", ignore_index=True)
    return replace(case, pins=both)


@dataclass(frozen=True)
class Limits:
    """What pins say about one project."""

    must: bool = False
    barred: bool = False
    first_start: int = 0
    """Calendar year before which it may not start."""
    first_opening: int = 0
    last_start: int = 9_999
    last_opening: int = 9_999
    places: float = 0.0

    def allows(self, start: int, opens: int) -> bool:
        """Whether a start in this calendar year, with places from September of ``opens``, is within the years asked for."""
        return self.first_start <= start <= self.last_start and self.first_opening <= opens <= self.last_opening


def limits_of(pins: pd.DataFrame) -> dict[str, Limits]:
    """What the pins of each project add up to."""
    result: dict[str, Limits] = {}
    for pin in pins.to_dict("records"):
        held = result.get(pin["project_id"], Limits())
        wish, year = pin["wish"], pin["year"]
        if wish in BUILT:
            held = replace(held, must=True)
        if wish == "must_not":
            held = replace(held, barred=True)
        if wish == "at_least" and pd.notna(pin["places"]):
            held = replace(held, places=max(held.places, float(pin["places"])))
        if isinstance(year, str) and wish in BUILT:
            opening = "/" in year
            held = replace(held, last_opening=start_of(year)) if opening else replace(held, last_start=start_of(year))
        if isinstance(year, str) and wish == "not_before":
            opening = "/" in year
            held = replace(held, first_opening=start_of(year)) if opening else replace(held, first_start=start_of(year))
        result[pin["project_id"]] = held
    return result


def pin_problems(case: Case) -> list[InputProblem]:
    """Pins that the case cannot keep, each with its remedy."""
    projects = case.projects.set_index("project_id")
    problems = []
    for row, pin in enumerate(case.pins.to_dict("records")):
        for message, remedy in _faults_of(pin, projects):
            value = f"{pin['project_id']}, {pin['wish']}"
            problems.append(InputProblem(FILE, message, remedy, row=row + 2, column="project_id", value=value))
    limits = {project: held for project, held in limits_of(case.pins).items() if project in projects.index}
    for project, held in limits.items():
        about = projects.loc[project]
        for message, remedy in _clashes(case, about, held):
            problems.append(InputProblem(FILE, message, remedy, column="project_id", value=project))
    return problems + list(_between(projects, limits))


def _faults_of(pin: Any, projects: pd.DataFrame) -> Iterator[tuple[str, str]]:
    if pin["project_id"] not in projects.index:
        yield "names a project that the case does not have", "Use an id of projects.csv."
        return
    if pin["wish"] == "not_before" and not isinstance(pin["year"], str):
        yield "does not say before which year", "Give year, e.g. 2025/26 (opening) or 2025-26 (start)."
    if isinstance(pin["year"], str) and not is_year(pin["year"]):
        yield f"{pin['year']} does not name two years in a row", "Write it like 2025/26 or 2025-26."
    if pin["wish"] == "at_least" and pd.isna(pin["places"]):
        yield "does not say how many places", "Give places."


def _clashes(case: Case, project: Any, held: Limits) -> Iterator[tuple[str, str]]:
    """A project's pins against each other and against what is known of it."""
    if held.must and held.barred:
        yield "must and must not be built", "Remove one of the pins."
    if held.must and project["decision"] == "forbidden":
        yield "must be built, but the case forbids it", "Change its decision in projects.csv, or remove the pin."
    if held.barred and project["decision"] == "committed":
        yield "must not be built, but is committed", "Change its decision in projects.csv, or remove the pin."
    if held.places > max(project["max_places"], project["committed_places"] if pd.notna(project["committed_places"]) else 0):
        yield f"asks for {held.places:,.0f} places, the site takes {project['max_places']:,.0f}", "Ask for fewer, or raise max_places."
    if held.must and project["decision"] == "open" and not possible_starts(case, project, held):
        yield (
            "must be built, but no start lies within the planning years and the years asked for",
            "Change the year, or plan further ahead.",
        )


def possible_starts(case: Case, project: Any, held: Limits) -> list[int]:
    """Calendar years in which an open project may start so that it opens within the planning years."""
    lead = int(project["lead_time_years"])
    first = max(start_of(project["earliest_start"]), start_of(case.academic_years[0]))
    last = start_of(case.academic_years[-1]) - lead
    return [] if held.barred else [year for year in range(first, last + 1) if held.allows(year, year + lead)]


def _between(projects: pd.DataFrame, limits: Mapping[str, Limits]) -> Iterator[InputProblem]:
    """Pins of several projects against each other: exclusive groups, prerequisites, bundles."""
    must = projects[np.array([project in limits and limits[project].must for project in projects.index], bool)]
    for group, members in must.dropna(subset=["exclusive_group"]).groupby("exclusive_group"):
        if len(members) > 1:
            message, remedy = f"several projects of the exclusive group {group} must be built", "Pin one of them."
            yield InputProblem(FILE, message, remedy, column="project_id", value=", ".join(members.index))
    barred = {project for project, held in limits.items() if held.barred} | set(projects.index[projects["decision"] == "forbidden"])
    for project, needed in must["prerequisite"].dropna().items():
        if needed in barred:
            message, remedy = f"must be built, but {needed}, which it needs, must not", "Remove one of the pins."
            yield InputProblem(FILE, message, remedy, column="project_id", value=str(project))
    for bundle, members in projects.dropna(subset=["bundle"]).groupby("bundle"):
        out = sorted(set(members.index) & barred)
        if out and set(members.index) & set(must.index):
            message, remedy = f"the bundle {bundle} must be built, but {', '.join(out)} must not", "Remove one of the pins."
            yield InputProblem(FILE, message, remedy, column="project_id", value=", ".join(sorted(set(members.index) & set(must.index))))
