"""Plan against plan: project by project and pound by pound."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from sufficiency.plan import Plan

MEASURES: Final[tuple[tuple[str, str, str], ...]] = (
    ("objective_gbp", "Cost of the plan", "GBP, present value"),
    ("saving_gbp", "Saving against committed projects only", "GBP, present value"),
    ("cash_saving_gbp", "of which cash", "GBP, present value"),
    ("capital_gbp", "Capital", "GBP"),
    ("new_places", "New places", "places"),
    ("gap_of_cost", "Gap", "share of cost"),
)
"""Key of plan.json, name and unit of what is compared."""
LAST_YEAR: Final[tuple[tuple[str, str], ...]] = (
    ("independent_avoided", "Independent placements avoided, last year"),
    ("unmet", "Pupils without a place, last year"),
)


def compare_plans(first: Plan, second: Plan) -> dict[str, Any]:
    """Figures of both plans with their difference, and the projects that differ. Of a protected case it takes the plans as shown.

    ``figures``: rows of name, unit, first, second, difference (second - first); None where a count is hidden.
    ``projects``: rows of project_id, name, places and capital of both, change (only first, only second, resized, moved, same).
    ``comparable``: false when the plans stem from different inputs.
    """
    figures = [_figure(first, second, *measure) for measure in MEASURES]
    for key, name in LAST_YEAR:
        values = [list(plan.summary[key].values())[-1] if plan.summary[key] else 0.0 for plan in (first, second)]
        figures.append(_row(name, "pupils", *values))
    minutes = [_mean_minutes(plan) for plan in (first, second)]
    figures.append(_row("Mean journey, last year", "minutes, one way", *minutes))
    return {
        "figures": figures,
        "projects": _projects(first, second),
        "comparable": first.summary["inputs"] == second.summary["inputs"],
    }


def comparison_text(comparison: dict[str, Any]) -> str:
    """The comparison as a table for the terminal."""
    lines = [f"{'':<44}{'first':>18}{'second':>18}{'difference':>18}"]
    for row in comparison["figures"]:
        values = [_shown(row[key], row["unit"]) for key in ("first", "second", "difference")]
        lines.append(f"{row['name']:<44}" + "".join(f"{value:>18}" for value in values) + f"  {row['unit']}")
    changed = [row for row in comparison["projects"] if row["change"] != "same"]
    lines += ["", f"{len(changed)} of {len(comparison['projects'])} projects differ"]
    for row in changed:
        lines.append(f"  {row['change']:<12} {row['name'][:60]:<60} {row['places_first']:>6,.0f} -> {row['places_second']:<6,.0f} places")
    if not comparison["comparable"]:
        lines += ["", "The two plans stem from different inputs: differences are not due to the plans alone."]
    return "\n".join(lines)


def _figure(first: Plan, second: Plan, key: str, name: str, unit: str) -> dict[str, Any]:
    return _row(name, unit, float(first.summary[key]), float(second.summary[key]))


def _row(name: str, unit: str, first: float | None, second: float | None) -> dict[str, Any]:
    difference = None if first is None or second is None else second - first
    return {"name": name, "unit": unit, "first": first, "second": second, "difference": difference}


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "hidden"
    if unit.startswith("share"):
        return f"{value:.2%}"
    return f"{value:,.1f}" if unit.startswith("minutes") else f"{value:,.0f}"


def _mean_minutes(plan: Plan) -> float:
    travel = plan.plan.travel
    if travel.empty:
        return 0.0
    last = travel[(travel["academic_year"] == travel["academic_year"].max()) & travel["mean_min"].notna()]
    pupils = last["pupils"].sum()
    return float((last["pupils"] * last["mean_min"]).sum() / pupils) if pupils else 0.0


def _projects(first: Plan, second: Plan) -> list[dict[str, Any]]:
    both = pd.concat([_by_project(first).add_suffix("_first"), _by_project(second).add_suffix("_second")], axis=1).sort_index()
    rows = []
    for project_id, row in both.iterrows():
        name = row["name_first"] if isinstance(row["name_first"], str) else row["name_second"]
        rows.append(
            {
                "project_id": str(project_id),
                "name": name,
                **{
                    f"{what}_{side}": 0.0 if pd.isna(row[f"{what}_{side}"]) else float(row[f"{what}_{side}"])
                    for what in ("places", "capital_gbp")
                    for side in ("first", "second")
                },
                "change": _change(row),
            }
        )
    return rows


def _by_project(plan: Plan) -> pd.DataFrame:
    return plan.plan.projects.groupby("project_id").agg(
        name=("name", "first"), places=("places", "sum"), capital_gbp=("capital_gbp", "sum"), opens=("opens_academic_year", "min")
    )


def _change(row: pd.Series) -> str:
    if pd.isna(row["places_first"]):
        return "only second"
    if pd.isna(row["places_second"]):
        return "only first"
    if row["places_first"] != row["places_second"]:
        return "resized"
    return "same" if row["opens_first"] == row["opens_second"] else "moved"
