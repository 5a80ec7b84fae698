"""The summary that fits one screen: 100 columns by 40 lines of plain text."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Final

from sufficiency.case import Case
from sufficiency.outputs.figures import by_year, mean_minutes, project_list
from sufficiency.outputs.words import cautions, pounds, sensitivity_lines, verdict
from sufficiency.plan import Plan

WIDTH: Final = 100
HEIGHT: Final = 40
MOST_YEARS: Final = 9
MOST_WARNINGS: Final = 4


def summary_text(plan: Plan, case: Case, folder: Path | None = None) -> str:
    """The plan on one screen. ``folder`` is where its outputs are, if they are written."""
    before = [_headline(plan, case), _money(plan), _years(plan, case), _kinds(plan, case)]
    after = [block for block in (_sensitivity(plan), _warnings(plan, case, folder)) if block]
    room = HEIGHT - sum(len(block) + 1 for block in [*before, *after])
    blocks = [*before, _top_projects(plan, case, room), *after]
    return "\n\n".join("\n".join(line[:WIDTH].rstrip() for line in block) for block in blocks if block)


def _headline(plan: Plan, case: Case) -> list[str]:
    years = case.academic_years
    title = f"{case.name}: SEND and AP places, {years[0]} to {years[-1]} ({case.programme})"
    return [title, "=" * min(len(title), WIDTH), *textwrap.wrap(verdict(plan.summary), WIDTH)]


def _money(plan: Plan) -> list[str]:
    of = plan.summary
    return [
        f"Saving against doing only what is committed   {pounds(of['saving_gbp']):>10}   present value, {of['price_base']} prices",
        f"  of which cash                               {pounds(of['cash_saving_gbp']):>10}",
        f"  the rule 'cheapest places first' would save {pounds(of['rule_saving_gbp']):>10}",
        f"Capital                                       {pounds(of['capital_gbp']):>10}   for {of['new_places']:,.0f} new places",
    ]


def _years(plan: Plan, case: Case) -> list[str]:
    years = list(case.academic_years)
    shown = years if len(years) <= MOST_YEARS else [*years[: MOST_YEARS - 1], years[-1]]
    rows: dict[str, dict[str, float]] = {
        "Independent avoided": plan.summary["independent_avoided"],
        "Unmet before": by_year(plan.counterfactual.unmet, "pupils"),
        "Unmet with the plan": plan.summary["unmet"],
        "Minutes before": mean_minutes(plan.counterfactual.travel),
        "Minutes with plan": mean_minutes(plan.plan.travel),
    }
    lines = [f"{'Pupils, minutes':<20}" + "".join(f"{year:>8}" for year in shown)]
    return lines + [f"{label:<20}" + "".join(f"{values.get(year, 0.0):>8,.0f}" for year in shown) for label, values in rows.items()]


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
    texts = [*cautions(plan.summary, case), *plan.summary.get("notes", [])]
    lines = [line for text in texts for line in textwrap.wrap(text, WIDTH - 2, subsequent_indent="  ")]
    shown = [f"! {line}" for line in lines[:MOST_WARNINGS]]
    if len(lines) > MOST_WARNINGS:
        shown[-1] = f"! {len(lines) - MOST_WARNINGS + 1} more lines of notes stand in plan.json."
    return [*shown, f"Written to {folder}"] if folder else shown
