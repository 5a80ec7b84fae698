"""The summary that fits one screen: 100 columns by 40 lines of plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure import label, shown_plan, shown_years
from sufficiency.outputs.figures import VARIANTS, project_list, variants
from sufficiency.outputs.words import cautions, pounds, second_opinion, sensitivity_lines, verdict
from sufficiency.plan import Plan

WIDTH: Final = 100
HEIGHT: Final = 40
MOST_YEARS: Final = 9
MOST_WARNINGS: Final = 4


def summary_text(plan: Plan, case: Case, folder: Path | None = None) -> str:
    """An exact plan on one screen, as it may be shown. ``folder`` is where its outputs are, if they are written."""
    years = {variant: shown_years(tables, case) for variant, tables in variants(plan).items()}
    plan = shown_plan(plan, case)
    before = [_headline(plan, case), _money(plan), _years(plan, case, years), _kinds(plan, case)]
    after = [block for block in (_sensitivity(plan), _warnings(plan, case, folder)) if block]
    room = HEIGHT - sum(len(block) + 1 for block in [*before, *after])
    blocks = [*before, _top_projects(plan, case, room), *after]
    return "\n\n".join("\n".join(line[:WIDTH].rstrip() for line in block) for block in blocks if block)


def _headline(plan: Plan, case: Case) -> list[str]:
    years = case.academic_years
    title = f"{case.name}: SEND and AP places, {years[0]} to {years[-1]} ({case.programme})"
    said = [*textwrap.wrap(verdict(plan.summary), WIDTH), *textwrap.wrap(second_opinion(plan.summary), WIDTH)]
    return [title, "=" * min(len(title), WIDTH), *said]


def _money(plan: Plan) -> list[str]:
    of = plan.summary
    return [
        f"Saving against doing only what is committed   {pounds(of['saving_gbp']):>10}   present value, {of['price_base']} prices",
        f"  of which cash                               {pounds(of['cash_saving_gbp']):>10}",
        f"  the rule 'cheapest places first' would save {pounds(of['rule_saving_gbp']):>10}",
        f"Capital                                       {pounds(of['capital_gbp']):>10}   for {of['new_places']:,.0f} new places",
    ]


def _years(plan: Plan, case: Case, of: Mapping[str, dict[str, dict[str, float]]]) -> list[str]:
    years = list(case.academic_years)
    shown = years if len(years) <= MOST_YEARS else [*years[: MOST_YEARS - 1], years[-1]]
    before, after = (of[variant] for variant in VARIANTS)
    rows: dict[str, Mapping[str, float | None]] = {
        "Independent avoided": plan.summary["independent_avoided"],
        "Unmet before": before["unmet"],
        "Unmet with the plan": after["unmet"],
        "Minutes before": before["minutes"],
        "Minutes with plan": after["minutes"],
    }
    lines = [f"{'Pupils, minutes':<20}" + "".join(f"{year:>8}" for year in shown)]
    return lines + [f"{label:<20}" + "".join(f"{_cell(values.get(year, 0.0)):>8}" for year in shown) for label, values in rows.items()]


def _cell(value: float | None) -> str:
    """A figure of the table of years; hidden ones stand for fewer than 5 pupils."""
    return "<5" if value is None or pd.isna(value) else f"{value:,.0f}"


def _kinds(plan: Plan, case: Case) -> list[str]:
    projects = project_list(plan.plan.projects, case)
    if projects.empty:
        return ["Nothing is to be built."]
    kinds = projects.groupby("kind").agg(projects=("project_id", "size"), places=("places", "sum"), capital_gbp=("capital_gbp", "sum"))
    rows = kinds.sort_values("places", ascending=False).reset_index().to_dict("records")
    heading = f"{'What is built':<56}{'projects':>10}{'places':>10}{'capital':>12}"
    return [heading, *(f"{r['kind']:<56}{r['projects']:>10}{r['places']:>10,.0f}{pounds(r['capital_gbp']):>12}" for r in rows)]


def _top_projects(plan: Plan, case: Case, room: int) -> list[str]:
    projects = project_list(plan.plan.projects, case).sort_values(["places", "capital_gbp"], ascending=False, kind="stable")
    if projects.empty or room < 3:
        return []
    shown = projects.head(room - 2)
    what = "Largest projects" if len(shown) < len(projects) else "Projects"
    lines = [f"{what:<66}{'places':>10}{'opens':>12}{'capital':>12}"]
    for row in shown.to_dict("records"):
        name = textwrap.shorten(f"{row['name']}, {row['council']}", 64, placeholder="...")
        lines.append(f"{name:<66}{row['places']:>10,.0f}{row['opens']:>12}{pounds(row['capital_gbp']):>12}")
    return lines


def _sensitivity(plan: Plan) -> list[str]:
    lines = [f"  {line}" for line in sensitivity_lines(plan.summary)]
    return ["Saving of the same projects under other assumptions", *lines] if lines else []


def _warnings(plan: Plan, case: Case, folder: Path | None) -> list[str]:
    protected = [label(case)] if case.disclosure != "open" else []
    texts = [*protected, *cautions(plan.summary, case), *plan.summary.get("notes", [])]
    lines = [line for text in texts for line in textwrap.wrap(text, WIDTH - 2, subsequent_indent="  ")]
    shown = [f"! {line}" for line in lines[:MOST_WARNINGS]]
    if len(lines) > MOST_WARNINGS:
        shown[-1] = f"! {len(lines) - MOST_WARNINGS + 1} more lines of notes stand in plan.json."
    return [*shown, f"Written to {folder}"] if folder else shown
