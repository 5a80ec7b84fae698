"""What the programme buys, in tables: for England, by region, and beside what happened."""

from __future__ import annotations

from typing import Any

import pandas as pd

from solver.result import Solution
from sufficiency.england.worlds import SHOWN_RULE, Worlds
from sufficiency.formulate import Formulation
from sufficiency.plan import Plan
from sufficiency.results import tidy
from sufficiency.results.stays import latent_of, stays_of
from sufficiency.results.tables import needs_table, projects_table, travel_table
from sufficiency.terms import INDEPENDENT_KINDS

INDEPENDENT = sorted(INDEPENDENT_KINDS - {"unlocated_ap"})
HAPPENED = {
    "state special": (140_165, 159_852),
    "independent special": (20_324, 29_647),
}
"""Pupils with a plan in England, January 2022 and January 2025, as printed (Education, health and care plans 2025)."""


def tables_by_world(worlds: Worlds, plan: Plan) -> dict[str, dict[str, pd.DataFrame]]:
    """``world_tables`` of every world; those of the plan folder are taken from the plan."""
    known = {"counterfactual": plan.counterfactual, SHOWN_RULE: plan.rule, "plan": plan.plan}
    names = ("projects", "needs", "travel")
    return {
        name: {table: getattr(known[name], table) for table in names} if name in known else world_tables(*world)
        for name, world in worlds.by_name().items()
    }


def world_tables(formulation: Formulation, solution: Solution) -> dict[str, pd.DataFrame]:
    """Projects, needs and travel of one world: what England's pages are made of (placements by small area are left out)."""
    stays = stays_of(formulation, tidy(formulation, solution.flows))
    return {
        "projects": projects_table(formulation, solution),
        "needs": needs_table(formulation, stays, latent_of(formulation, solution)),
        "travel": travel_table(formulation, stays),
    }


def national(worlds: Worlds, tables: dict[str, dict[str, pd.DataFrame]]) -> dict[str, Any]:
    """The summary as plain values: money in GBP present value unless a year is named."""
    plan, without = worlds.plan, worlds.counterfactual
    rule = worlds.rules[worlds.rule]
    saving, most = without.upper - plan.upper, without.upper - plan.lower
    regions = _regions(worlds.formulation)
    years = worlds.formulation.case.academic_years
    yearly = _yearly(worlds.formulation, tables)
    built = _new(tables["plan"]["projects"])
    capital = float(tables["plan"]["projects"]["capital_gbp"].sum())
    return {
        "size": worlds.formulation.problem.size(),
        "cost_gbp": {name: solution.upper for name, (_, solution) in worlds.by_name().items()},
        "bound_gbp": plan.lower,
        "gap_of_cost": (plan.upper - plan.lower) / plan.upper,
        "gap_of_saving": (plan.upper - plan.lower) / most if most > 0 else 0.0,
        "saving_gbp": saving,
        "rule": worlds.rule,
        "rule_saving_gbp": without.upper - rule.upper,
        "headroom_closed": (rule.upper - plan.upper) / (rule.upper - plan.lower) if rule.upper > plan.lower else 1.0,
        "pooling_saves_gbp": plan.upper - worlds.pooled.upper,
        "pooling_saves_at_most_gbp": plan.upper - worlds.pooled.lower,
        "capital_gbp": capital,
        "places": float(built["places"].sum()),
        "places_by_need": _sum(built.assign(need=built["need_groups"]), "need"),
        "places_by_phase": _sum(built.assign(phase=built["phases"]), "phase"),
        "places_by_kind": _sum(built, "kind"),
        "places_by_region": _sum(built.assign(region=built["council_code"].map(regions)), "region"),
        "by_year": yearly.to_dict("index"),
        "payback_year": _payback(yearly, tables["plan"]["projects"], years),
        "termination": str(plan.termination),
    }


def _new(projects: pd.DataFrame) -> pd.DataFrame:
    """Places that the plan opens: without committed ones and improvements."""
    return projects[(projects["decision"] == "open") & (projects["effect"] != "improve")]


def _sum(projects: pd.DataFrame, by: str) -> dict[str, float]:
    sums = projects.groupby(by)["places"].sum().sort_values(ascending=False)
    return {str(name): float(value) for name, value in sums.items()}


def _regions(formulation: Formulation) -> pd.Series:
    return formulation.case.councils.set_index("council_code")["region_name"]


def _yearly(formulation: Formulation, tables: dict[str, dict[str, pd.DataFrame]]) -> pd.DataFrame:
    """By academic year: independent placements avoided, unmet need, travel and independent cost saved (GBP a year, undiscounted)."""
    before, after = tables["counterfactual"], tables["plan"]

    def sums(world: dict[str, pd.DataFrame], table: str, columns: list[str]) -> pd.Series:
        return world[table].groupby("academic_year")[columns].sum().sum(axis=1)

    columns = {
        "independent_avoided": (sums(before, "needs", INDEPENDENT), sums(after, "needs", INDEPENDENT)),
        "unmet_avoided": (sums(before, "needs", ["unmet"]), sums(after, "needs", ["unmet"])),
        "travel_saved_gbp": (sums(before, "travel", ["travel_gbp"]), sums(after, "travel", ["travel_gbp"])),
    }
    table = pd.DataFrame({name: first.sub(second, fill_value=0.0) for name, (first, second) in columns.items()})
    table["state_special_with_plan"] = sums(after, "needs", ["state_special"])
    table["independent_with_plan"] = sums(after, "needs", ["independent_special", "unlocated_independent"])
    assumptions = formulation.case.assumptions
    dearer = assumptions.number("costs.independent_special") - assumptions.number("costs.state_special")
    table["place_saved_gbp"] = table["independent_avoided"] * dearer
    return table.reindex(list(formulation.case.academic_years)).fillna(0.0)


def _payback(yearly: pd.DataFrame, projects: pd.DataFrame, years: tuple[str, ...]) -> str:
    """First academic year in which the cash saved on places and travel, undiscounted, has reached the capital spent."""
    capital = float(projects.loc[projects["decision"] == "open", "capital_gbp"].sum())
    saved = (yearly["place_saved_gbp"] + yearly["travel_saved_gbp"]).cumsum()
    paid = [year for year in years if saved[year] >= capital]
    return paid[0] if paid else f"after {years[-1]}"


def by_region(worlds: Worlds, tables: dict[str, dict[str, pd.DataFrame]]) -> pd.DataFrame:
    """One row per region: money, places, independent placements and unmet need in the last year, with and without the plan."""
    regions = _regions(worlds.formulation)
    last = worlds.formulation.case.academic_years[-1]
    built = _new(tables["plan"]["projects"])
    funds = worlds.pooled_formulation.problem.funds
    columns: dict[str, pd.Series] = {
        "budget_gbp": pd.Series(funds.amount.sum(axis=1), index=list(funds.labels)),
        "capital_gbp": built["capital_gbp"].groupby(built["council_code"].map(regions)).sum(),
        "places": built["places"].groupby(built["council_code"].map(regions)).sum(),
    }
    for world, name in (("counterfactual", "without"), ("plan", "with")):
        needs = tables[world]["needs"]
        needs = needs[needs["academic_year"] == last]
        region = needs["council_code"].map(regions)
        columns[f"independent_{name}"] = needs[INDEPENDENT].sum(axis=1).groupby(region).sum()
        columns[f"unmet_{name}"] = needs["unmet"].groupby(region).sum()
    pooled = _new(tables["pooled_by_region"]["projects"])
    columns["places_if_pooled"] = pooled["places"].groupby(pooled["council_code"].map(regions)).sum()
    return pd.DataFrame(columns).fillna(0.0).rename_axis("region").reset_index()


def happened_table(national_figures: dict[str, Any]) -> pd.DataFrame:
    """Pupils in January 2025 as counted beside those that the plan has in the academic year 2024/25."""
    year = national_figures["by_year"].get("2024/25")
    planned = {
        "state special": year["state_special_with_plan"] if year else float("nan"),
        "independent special": year["independent_with_plan"] if year else float("nan"),
    }
    rows = [(name, first, last, planned[name]) for name, (first, last) in HAPPENED.items()]
    return pd.DataFrame(rows, columns=["pupils in", "January 2022", "January 2025, counted", "2024/25, planned"])
