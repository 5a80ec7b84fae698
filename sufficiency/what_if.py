"""What if: an earlier plan's case with projects pinned or barred and with other budgets.

A change is plain data, so that a request can be stored and repeated::

    {"pins": [{"project_id": "P1", "decision": "committed", "places": 40, "start": "2024-25"},
              {"project_id": "P2", "decision": "forbidden"}],
     "budgets": [{"fund_id": "HIGH-NEEDS", "times": 1.5}, {"fund_id": "HIGH-NEEDS", "financial_year": "2024-25", "amount_gbp": 0}]}

A pinned project is committed: it is built in the counterfactual too, so the saving is what the other projects save on top of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from sufficiency.case import Case, validated
from sufficiency.plan import Plan
from sufficiency.tables.problems import InputError, InputProblem

DECISIONS: Final = ("committed", "forbidden", "open")


def changed_case(case: Case, changes: Mapping[str, Any], base: Plan | None = None) -> Case:
    """The case with ``changes``; places and start of a pin default to those of the plan ``base``, then to the project's own.

    Raises InputError with every pin and budget that does not fit the case.
    """
    problems: list[InputProblem] = []
    projects = _pinned(case.projects, changes.get("pins") or [], base, problems)
    funds = _funded(case.funds, changes.get("budgets") or [], problems)
    if problems:
        raise InputError(problems)
    return replace(
        case,
        projects=validated("projects", projects),
        funds=validated("funds", funds),
        notes=(*case.notes, *_notes(changes)),
    )


def _pinned(projects: pd.DataFrame, pins: list[Mapping[str, Any]], base: Plan | None, problems: list[InputProblem]) -> pd.DataFrame:
    table = projects.set_index("project_id", drop=False)
    planned = (
        None
        if base is None
        else base.plan.projects.groupby("project_id").agg(places=("places", "sum"), start=("start_financial_year", "min"))
    )
    for pin in pins:
        project_id, decision = pin["project_id"], pin["decision"]
        if project_id not in table.index:
            problems.append(_fault("pins", "project_id", project_id, "no such project", "Take an id of the case's table of projects."))
        elif decision not in DECISIONS:
            problems.append(_fault("pins", "decision", decision, "no such decision", f"One of {', '.join(DECISIONS)}."))
        elif decision == "committed":
            row = table.loc[project_id]
            known = planned.loc[project_id] if planned is not None and project_id in planned.index else None
            places = pin.get("places") or (row["max_places"] if known is None else known["places"])
            start = pin.get("start") or (row["earliest_start"] if known is None else known["start"])
            problems += _misfits(row, places, start)
            table.loc[project_id, ["decision", "committed_places", "committed_start"]] = [decision, places, start]
        else:
            table.loc[project_id, ["decision", "committed_places", "committed_start"]] = [decision, np.nan, None]
    return table.reset_index(drop=True)


def _misfits(project: pd.Series, places: float, start: str) -> list[InputProblem]:
    """Why the project can't be built with so many places from that year on."""
    name, found = project["project_id"], []
    least, most, first = project["min_places"], project["max_places"], project["earliest_start"]
    if not least <= places <= most:
        found.append(_fault("pins", "places", f"{places:g}", f"{name} can't have so many places", f"Give {least:g} to {most:g} places."))
    if start < first:
        found.append(_fault("pins", "start", start, f"{name} can't start so early", f"Start in {first} or later."))
    return found


def _funded(funds: pd.DataFrame, budgets: list[Mapping[str, Any]], problems: list[InputProblem]) -> pd.DataFrame:
    table = funds.copy()
    for budget in budgets:
        chosen = table["fund_id"] == budget["fund_id"]
        if budget.get("financial_year"):
            chosen &= table["financial_year"] == budget["financial_year"]
        if not chosen.any():
            which = " ".join(str(budget[key]) for key in ("fund_id", "financial_year") if budget.get(key))
            problems.append(_fault("budgets", "fund_id", which, "no such fund or year", "Take a row of the case's table of funds."))
            continue
        if (budget.get("times") is None) == (budget.get("amount_gbp") is None):
            remedy = "Give one of times (a factor) and amount_gbp (each year's allocation)."
            problems.append(_fault("budgets", "times", budget["fund_id"], "says both or neither of times and amount_gbp", remedy))
            continue
        amount = table.loc[chosen, "amount_gbp"] * budget["times"] if budget.get("times") is not None else budget["amount_gbp"]
        table.loc[chosen, "amount_gbp"] = amount
    return table


def _notes(changes: Mapping[str, Any]) -> list[str]:
    pins = [f"What if: project {pin['project_id']} is {pin['decision']}." for pin in changes.get("pins") or []]
    budgets = [
        f"What if: fund {budget['fund_id']}{' in ' + budget['financial_year'] if budget.get('financial_year') else ''} is "
        + (f"{budget['times']:g} times its allocation." if budget.get("times") is not None else f"GBP {budget['amount_gbp']:,.0f} a year.")
        for budget in changes.get("budgets") or []
    ]
    return pins + budgets


def _fault(part: str, column: str, value: object, message: str, remedy: str) -> InputProblem:
    return InputProblem(part, message, remedy, column=column, value=str(value))
