"""Figures and verdicts in plain words, the same in every output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sufficiency.case import Case
from sufficiency.terms import STATUSES

ENDINGS: Final = {
    "optimal": "no better plan exists under these assumptions",
    "gap_reached": "as close as asked",
    "time_limit": "stopped at the time limit",
    "interrupted": "stopped by the user",
    "infeasible": "some requirements clash, so no plan keeps them all",
}
CHECKERS: Final = {"ortools": "OR-Tools"}
TRAVEL: Final = {
    "estimated": "Travel times are estimated from straight-line distance, not from roads.",
    "road": "Travel times follow the road network.",
    "given": "Travel times are the user's own.",
}
MARKS: Final = ("fictional", "estimated", "assumed", "derived", "forecast")
"""Statuses a reader is warned of, gravest first."""


def pounds(gbp: float) -> str:
    """GBP in millions with one decimal, from a thousand million in billions with two: ``£12.3m``, ``-£1.25bn``."""
    sign = "-" if round(gbp / 1e6, 1) < 0 else ""
    return f"{sign}£{abs(gbp) / 1e9:,.2f}bn" if abs(gbp) >= 1e9 else f"{sign}£{abs(gbp) / 1e6:,.1f}m"


def verdict(summary: dict[str, Any]) -> str:
    """How good the plan is and why the search ended, in one sentence."""
    ending, gap = ENDINGS[summary["termination"]], summary["gap_of_cost"]
    if summary["termination"] in ("optimal", "infeasible") or gap is None:
        return f"{ending[0].upper()}{ending[1:]}."
    more = max(summary["objective_gbp"] - summary["bound_gbp"], 0.0)
    return f"Within {percent(gap)} of the best possible cost; {ending}. At most {pounds(more)} more could be saved."


def second_opinion(summary: dict[str, Any]) -> str:
    """What the other solver says, in one sentence; empty when none was asked."""
    found = summary.get("check")
    if not found:
        return ""
    if found["agrees"] is None:
        return f"{CHECKERS[found['with']]} could not settle within the time whether it agrees."
    if found["agrees"]:
        return f"{CHECKERS[found['with']]} agrees: the plan costs {pounds(found['plan_gbp'])}, and none costs less than the bound."
    cost = "the plan breaks a limit" if found["plan_gbp"] is None else f"it finds a cost of {pounds(found['plan_gbp'])}"
    bound = "no bound" if found["bound_gbp"] is None else f"a bound of {pounds(found['bound_gbp'])}"
    stated = f"{pounds(summary['objective_gbp'])} and {pounds(summary['bound_gbp'])}"
    return f"{CHECKERS[found['with']]} DISAGREES: {cost} and {bound} where {stated} are stated. Do not use this plan."


def percent(share: float) -> str:
    """A share as a percentage with one significant decimal below 10: ``0.8 %``."""
    return f"{share * 100:.1f} %" if abs(share) < 0.0995 else f"{share * 100:.0f} %"


SENSITIVITIES: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    "displacement.share": ("New places that replace independent", percent),
    "independent.irreducible_share": ("Independent placements that stay", str),
    "time.tail_years": ("Years counted after the last", "{:g}".format),
    "scenario": ("Demand of another scenario", str),
}
"""Assumption (or the demand scenario) -> what it is called in the table of other savings, and how its values are written."""


def sensitivity_lines(summary: dict[str, Any]) -> list[str]:
    """The saving under other assumptions, one line per assumption; empty when it was not asked for."""
    rows = summary.get("sensitivity", [])
    lines = []
    for what in dict.fromkeys(row["what"] for row in rows):
        label, form = SENSITIVITIES.get(what, (what, "{:g}".format))
        savings = [f"{form(row['value'])}: {pounds(row['saving_gbp'])}" for row in rows if row["what"] == what]
        lines.append(f"{label:<36} " + "  ".join(savings))
    return lines


def cautions(summary: dict[str, Any], case: Case) -> list[str]:
    """What a reader must know before using the figures: fictional, estimated or derived data and travel times."""
    used = {status for table in case.tables.values() if "status" in table.columns for status in table["status"].unique()}
    marks = [f"{mark} ({STATUSES[mark][0].lower()}{STATUSES[mark][1:]})" for mark in MARKS if mark in used]
    lines = [TRAVEL[summary["travel_source"]]] if summary.get("travel_source") in TRAVEL else []
    if "fictional" in used:
        return ["FICTIONAL: this region and all its figures are invented.", *lines]
    return [*lines, f"Some input figures are {'; '.join(marks)}."] if marks else lines


def is_fictional(case: Case) -> bool:
    """Whether any figure of the case was drawn by the fixture generator."""
    return any("fictional" in set(table["status"].unique()) for table in case.tables.values() if "status" in table.columns)
