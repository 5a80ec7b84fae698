"""A plan as it may be shown: its tables and its headline."""

from __future__ import annotations

from typing import Final

from sufficiency.case import Case
from sufficiency.disclosure.summary import shown_summary
from sufficiency.disclosure.tables import shown_tables
from sufficiency.disclosure.zones import zones
from sufficiency.plan import Plan

LABELS: Final = {
    "open": "Figures for small areas are modelled from published totals; they are not counts of children.",
    "protected": "Counts of 1 to 4 are hidden and others rounded to 5. Areas with fewer than 10 pupils are shown together with their"
    " neighbours, for all needs together.",
}


def label(case: Case) -> str:
    """What every output says about the figures it shows."""
    return LABELS[case.disclosure]


def shown_plan(plan: Plan, case: Case) -> Plan:
    """The plan as it may be shown under the case's profile, from the exact one; an open case shows it as it is.

    Hidden counts are NaN in tables and None in the summary. Raises ValueError for a table with a column that is not declared.
    """
    if case.disclosure == "open":
        return plan
    zone = zones(case)
    tables = {name: shown_tables(getattr(plan, name), case, zone) for name in ("plan", "counterfactual", "rule")}
    return Plan(shown_summary(plan, tables, case), tables["plan"], tables["counterfactual"], tables["rule"])
