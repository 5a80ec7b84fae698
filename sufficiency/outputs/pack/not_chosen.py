"""What was not chosen, and why, as far as the plan's tables tell."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.finance import capital_uplift
from sufficiency.outputs.pack.content import pounds_column
from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.pack.table import Column, PackTable, made
from sufficiency.outputs.words import pounds
from sufficiency.plan import Plan
from sufficiency.terms import NEED_GROUPS, PROJECT_KINDS, split_codes, start_of

NOTE: Final = (
    "Reasons are read from the plan's tables, in this order: ruled out, an alternative was chosen, a project it needs is missing, too late,"
    " no money, or not found to lower the total cost. Costs are for the fewest places worth building, optimism bias and"
    " location factor included, before building inflation."
)


def not_chosen_table(of: Material) -> PackTable:
    """Projects of the case that the plan does not build, the cheapest per place first."""
    plan, case = of.plan, of.case
    built = set(plan.plan.projects["project_id"])
    ours = case.projects["council_code"].isin(case.councils["council_code"])
    left = case.projects[ours & ~case.projects["project_id"].isin(built)]
    names = dict(zip(case.projects["project_id"].astype(str), case.projects["name"].astype(str), strict=True))
    group = case.projects.set_index("project_id")["exclusive_group"]
    chosen_of_group = {group[project]: project for project in built if project in group.index and isinstance(group[project], str)}
    dearest = _dearest_per_place(plan)
    council = case.councils.set_index("council_code")["council_name"]
    rows = []
    for project, uplift in zip(left.to_dict("records"), capital_uplift(case, left), strict=True):
        places = project["min_places"] or project["places_kept"] or project["places_improved"]
        capital = (project["fixed_cost_gbp"] + project["cost_per_place_gbp"] * project["min_places"]) * float(uplift)
        rows.append(
            {
                "project_id": project["project_id"],
                "name": project["name"],
                "council": council[project["council_code"]],
                "kind": PROJECT_KINDS[project["kind"]],
                "for_whom": ", ".join(NEED_GROUPS[code] for code in split_codes(project["need_groups"])),
                "places": places,
                "capital_gbp": capital,
                "per_place_gbp": capital / places if places else float("nan"),
                "reason": _reason(project, plan, case, capital, places, built, chosen_of_group, names, dearest),
            }
        )
    columns = [
        Column("project_id", "Project id", "id"),
        Column("name", "Project"),
        Column("council", "Council"),
        Column("kind", "Kind"),
        Column("for_whom", "For whom"),
        Column("places", "Places", "places", "number", "Fewest places worth building, or places it would keep"),
        pounds_column("capital_gbp", "Capital", f"GBP, {case.price_base} prices", "For these places, with optimism bias", sums=False),
        pounds_column("per_place_gbp", "Per place", "GBP per place", sums=False, formula="{capital_gbp}/{places}"),
        Column("reason", "Why not"),
    ]
    table = pd.DataFrame(rows, columns=[column.name for column in columns])
    return made("not_chosen", "What was not chosen, and why", NOTE, columns, table.sort_values(["per_place_gbp", "project_id"]))


def _reason(
    project: dict[Any, Any],
    plan: Plan,
    case: Case,
    capital: float,
    places: float,
    built: set[str],
    chosen_of_group: dict[Any, str],
    names: dict[str, str],
    dearest: dict[str, float],
) -> str:
    group, before = project["exclusive_group"], project["prerequisite"]
    if project["decision"] == "forbidden":
        return "Ruled out before the plan was made."
    if isinstance(group, str) and group in chosen_of_group:
        return f"Either, or: {names[chosen_of_group[group]]} was chosen in its place."
    if isinstance(before, str) and before not in built:
        return f"Needs {names.get(before, before)} first, which was not chosen."
    opens = start_of(project["earliest_start"]) + int(project["lead_time_years"])
    if opens > start_of(case.academic_years[-1]):
        return f"Could not open before September {opens}, after the last year planned for."
    left = _money_left(project, plan, case)
    if capital > left + 0.5:
        return f"No money: needs {_short(capital)}; {_short(left)} that could pay for it is left unspent."
    per_place, most = capital / places if places else 0.0, dearest.get(project["kind"])
    if most is not None and per_place > most:
        return (
            f"Dear: {_short(per_place)} per place; the dearest chosen of its kind costs {_short(most)}. Not found to lower the total cost."
        )
    return "Could be paid for, but building it was not found to lower the total cost."


def _money_left(project: dict[Any, Any], plan: Plan, case: Case) -> float:
    """GBP that stays unspent in the funds that may pay for the project: returned, and carried out of the last year."""
    funds = case.funds.drop_duplicates("fund_id")
    may = funds["councils"].map(lambda cell: project["council_code"] in split_codes(cell)) & funds["eligible_kinds"].map(
        lambda cell: bool({"any", project["kind"]} & set(split_codes(cell)))
    )
    flow = plan.plan.funding[plan.plan.funding["fund_id"].isin(funds.loc[may.astype(bool), "fund_id"])]
    last = flow.sort_values("financial_year").groupby("fund_id")["carried_out_gbp"].last()
    return float(flow["returned_gbp"].sum() + last.sum())


def _dearest_per_place(plan: Plan) -> dict[str, float]:
    """Highest capital per place among the chosen projects, by kind."""
    sums = plan.plan.projects.groupby(["project_id", "kind"], as_index=False)[["capital_gbp", "places"]].sum()
    sums = sums[sums["places"] > 0]
    return {str(kind): float(most) for kind, most in (sums["capital_gbp"] / sums["places"]).groupby(sums["kind"]).max().items()}


def _short(gbp: float) -> str:
    return pounds(gbp) if gbp >= 1e6 else f"£{gbp:,.0f}"
