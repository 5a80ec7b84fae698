"""The map as one HTML file that opens from disk and asks the network for nothing.

Python writes the words, tables and data; the page scripts (``web/map``, built by ``make web``) draw the map from them.
What the map shows also stands in tables, which need no script.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Hashable, Mapping
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Any, Final

import shapely

from sufficiency.case import Case
from sufficiency.disclosure import Shown, shown_count
from sufficiency.outputs.figures import VARIANTS, by_year, project_list
from sufficiency.outputs.map_data import map_data
from sufficiency.outputs.words import SENSITIVITIES, cautions, is_fictional, pounds, verdict
from sufficiency.plan import Plan

PARTS: Final = ("page.html", "page.css", "boot.js", "app.js", "worker.js")


class PageNotBuiltError(FileNotFoundError):
    """The page scripts are missing: ``make web`` builds them."""


def write_map(plan: Plan, case: Case, path: Path, shown: dict[str, Shown]) -> None:
    """Write the map page. Raises PageNotBuiltError when the page scripts have not been built."""
    parts = page_parts()
    data = map_data(plan, case, shown)
    blocks = {"about": as_json(data.about), **data.blocks}
    scripts = {"worker": parts["worker.js"].encode(), "app": parts["app.js"].encode()}
    page = Template(parts["page.html"]).substitute(
        _words(plan, case, shown),
        css=parts["page.css"],
        boot=parts["boot.js"].replace("</script", "<\\/script"),
        modelled=escape(data.about["modelled"]),
        **{name: packed(block) for name, block in (blocks | scripts).items()},
    )
    path.write_text(page, encoding="utf-8")


BLOCKS: Final = ("about", "shapes", "outlines", "figures", "places", "use", "flows")


def read_block(path: Path, name: str) -> bytes:
    """A block of a written map page, still in gzip. Raises KeyError for a name that is not in BLOCKS or not in the page."""
    page = path.read_bytes()
    start = b'<script type="application/gzip" id="%s">' % name.encode()
    at = page.find(start)
    if name not in BLOCKS or at < 0:
        raise KeyError(name)
    at += len(start)
    return base64.b64decode(page[at : page.index(b"<", at)])


def page_built() -> bool:
    """Whether ``make web`` has built the page scripts."""
    return all(_dist().joinpath(name).is_file() for name in PARTS)


def page_parts() -> dict[str, str]:
    """The built page scripts by file name. Raises PageNotBuiltError when they are missing."""
    if not page_built():
        raise PageNotBuiltError("The page scripts of the map have not been built. Build them with `make web`.")
    return {name: _dist().joinpath(name).read_text(encoding="utf-8") for name in PARTS}


def _dist() -> Traversable:
    return resources.files("sufficiency.outputs").joinpath("map", "dist")


def packed(block: bytes) -> str:
    """A block for a script tag of the page: gzip, then base64."""
    return base64.b64encode(zipped(block)).decode("ascii")


def as_json(value: Any) -> bytes:
    """JSON in few bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def zipped(block: bytes) -> bytes:
    """gzip without a time stamp, so that the same plan gives the same page."""
    return gzip.compress(block, compresslevel=9, mtime=0)


def _words(plan: Plan, case: Case, shown: dict[str, Shown]) -> dict[str, str]:
    years, of = case.academic_years, plan.summary
    programme = "an invented capital programme" if case.programme == "fictional" else f"capital programme {case.programme}"
    subtitle = f"{years[0]} to {years[-1]}, {programme}, {case.price_base} prices"
    sources = [f"{source.title}, {source.edition} ({source.publisher}; {source.licence})" for source in case.sources]
    outlined = bool(shapely.get_type_id(case.areas.geometry.to_numpy()).min() >= 3)
    return {
        "title": escape(f"{case.name}: plan for SEND and AP places"),
        "name": escape(case.name),
        "subtitle": escape(subtitle),
        "marks": "".join(f'<span class="mark">{mark}</span>' for mark in _marks(plan, case)),
        "verdict": escape(verdict(of)),
        "headline": _headline(plan, case, shown),
        "projects": projects_table(plan, case),
        "years": _years_table(plan, case, shown),
        "notes": "".join(f"<li>{escape(note)}</li>" for note in dict.fromkeys([*cautions(of, case), *of.get("notes", []), *case.notes])),
        "sensitivity": _sensitivity(of),
        "outline_note": "" if outlined else "Area outlines are drawn half-way between the areas' centre points.",
        "sources": escape(f"Sources: {'; '.join(sources)}.") if sources else "",
        "made": escape(
            f"Made with sufficiency {of['version']}. Map drawn with MapLibre GL JS (BSD-3-Clause). Coordinates: WGS 84, from EPSG:27700."
        ),
    }


def _sensitivity(summary: dict[str, Any]) -> str:
    rows = summary.get("sensitivity", [])
    if not rows:
        return "<p>It was not asked for.</p>"
    head = (
        '<thead><tr><th scope="col">Assumption</th><th scope="col" class="number">Taken as</th>'
        '<th scope="col" class="number">Saving</th></tr></thead>'
    )
    body = []
    for row in rows:
        label, form = SENSITIVITIES.get(row["what"], (row["what"], "{:g}".format))
        body.append(
            f'<tr><th scope="row">{escape(label)}</th><td class="number">{escape(form(row["value"]))}</td>'
            f'<td class="number">{pounds(row["saving_gbp"])}</td></tr>'
        )
    return f'<table class="narrow">{head}<tbody>{"".join(body)}</tbody></table>'


def _marks(plan: Plan, case: Case) -> list[str]:
    fictional = ["Fictional data"] if is_fictional(case) else []
    return fictional + (["Estimated travel times"] if plan.summary.get("travel_source") == "estimated" else [])


def _headline(plan: Plan, case: Case, shown: dict[str, Shown]) -> str:
    of, last = plan.summary, case.academic_years[-1]
    unmet, minutes = ([shown_count(shown[variant].years[name][last]) for variant in VARIANTS] for name in ("unmet", "minutes"))
    tiles = [
        (
            "Saving",
            pounds(of["saving_gbp"]),
            f"present value, against doing only what is committed; {pounds(of['cash_saving_gbp'])} of it cash. "
            f"Cheapest places first would save {pounds(of['rule_saving_gbp'])}.",
        ),
        ("Capital", pounds(of["capital_gbp"]), f"for {of['new_places']:,.0f} new places"),
        ("Independent placements avoided", shown_count(of["independent_avoided"].get(last, 0.0)), f"pupils in {last}"),
        ("Without a suitable place", f"{unmet[0]} &rarr; {unmet[1]}", f"pupils in {last}, before and with the plan"),
        ("Mean journey", f"{minutes[0]} &rarr; {minutes[1]} min", f"one way in {last}, before and with the plan"),
    ]
    return "".join(f'<div><dt>{name}</dt><dd>{figure}</dd><dd class="note">{escape(note)}</dd></div>' for name, figure, note in tiles)


def projects_table(plan: Plan, case: Case) -> str:
    """The projects as an HTML table: every row says what is built, where, for whom, when and at what cost."""
    projects = project_list(plan.plan.projects, case)
    if projects.empty:
        return '<table id="projects"><tbody><tr><td>Nothing is to be built.</td></tr></tbody></table>'
    headings = [("No.", True), ("Project", False), ("Opens", False), ("Places", True), ("Capital, £m", True)]
    head = "".join(
        f'<th scope="col"{" class=number" if number else ""}><button type="button">{name}</button></th>' for name, number in headings
    )
    body = "".join(_project_row(row) for row in projects.to_dict("records"))
    return f'<table id="projects"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _project_row(row: dict[Hashable, Any]) -> str:
    what = escape(f"{row['kind']}. {row['where']}, {row['council']}. For: {row['for_whom']}; {row['phases']}.")
    committed = " Already committed." if row["decision"] == "committed" else ""
    staged = f"<small>{escape(row['stages'])} places</small>" if ";" in row["stages"] else ""
    cells = [
        f'<td class="number" data-value="{row["number"]}">{row["number"]}</td>',
        f'<th scope="row" data-value="{escape(row["name"])}"><button type="button" data-project="{escape(row["project_id"])}">'
        f"{escape(row['name'])}</button><small>{what}{committed}</small></th>",
        f'<td data-value="{row["opens"]}">{row["opens"]}{staged}</td>',
        f'<td class="number" data-value="{row["places"]:.0f}">{row["places"]:,.0f}</td>',
        f'<td class="number" data-value="{row["capital_gbp"]:.0f}">{row["capital_gbp"] / 1e6:,.2f}</td>',
    ]
    return f'<tr data-project="{escape(row["project_id"])}">{"".join(cells)}</tr>'


def _years_table(plan: Plan, case: Case, shown: dict[str, Shown]) -> str:
    places = plan.plan.places
    before, after = (shown[variant].years for variant in VARIANTS)
    rows: list[tuple[str, Mapping[str, float | None], str]] = [
        ("Placed and waiting pupils", after["demand"], ",.0f"),
        ("Independent placements avoided", plan.summary["independent_avoided"], ",.0f"),
        ("Without a suitable place, before", before["unmet"], ",.0f"),
        ("Without a suitable place, with the plan", after["unmet"], ",.0f"),
        ("Mean journey, before (minutes one way)", before["minutes"], ".1f"),
        ("Mean journey, with the plan (minutes one way)", after["minutes"], ".1f"),
        ("New places open, committed ones included", by_year(places[places["is_new"]], "places"), ",.0f"),
        ("Drawn from mainstream into new places", after["latent"], ",.0f"),
    ]
    head = "".join(f'<th scope="col" class="number">{year}</th>' for year in case.academic_years)
    body = "".join(
        f'<tr><th scope="row">{label}</th>'
        + "".join(f'<td class="number">{shown_count(values.get(year, 0.0), form)}</td>' for year in case.academic_years)
        + "</tr>"
        for label, values, form in rows
    )
    return f'<table><thead><tr><th scope="col">Pupils, unless said</th>{head}</tr></thead><tbody>{body}</tbody></table>'
