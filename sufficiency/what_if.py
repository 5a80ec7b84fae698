"""What if: decisions about projects and money on top of an earlier plan, in the words of a planner, as rows of a plan request.

Changes are plain data, so that a request can be stored, shown and repeated::

    {"pins": [{"project_id": "P1", "decision": "committed", "places": 40, "start": "2024-25"},
              {"project_id": "P2", "decision": "forbidden"}],
     "budgets": [{"fund_id": "HIGH-NEEDS", "times": 1.5}, {"fund_id": "HIGH-NEEDS", "financial_year": "2024-25", "amount_gbp": 0}]}

``committed`` must be built, ``forbidden`` must not, ``open`` takes an earlier change back. Money is that of the case, times a factor or
replaced by an amount for each year; a later row counts on top of an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from sufficiency.tables.problems import InputError, InputProblem

DECISIONS: Final = ("committed", "forbidden", "open")
Changes = Mapping[str, Sequence[Mapping[str, Any]]]


def merged(earlier: Changes, later: Changes) -> dict[str, list[dict[str, Any]]]:
    """Both changes as one: what ``later`` says about a project, or a fund and year, replaces what ``earlier`` says."""
    pins = {pin["project_id"]: dict(pin) for changes in (earlier, later) for pin in changes.get("pins", ())}
    funds = {(row["fund_id"], row.get("financial_year")): dict(row) for changes in (earlier, later) for row in changes.get("budgets", ())}
    return {"pins": [pin for pin in pins.values() if pin["decision"] != "open"], "budgets": list(funds.values())}


def requested(changes: Changes, projects: pd.DataFrame, funds: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """``pins`` and ``budgets`` of a plan request (see ``PlanRequest``) for a case with these projects and funds.

    Raises InputError with every change that does not fit them.
    """
    problems: list[InputProblem] = []
    pins = [row for pin in changes.get("pins", ()) for row in _pins(pin, projects, problems)]
    table = funds.copy()
    for budget in changes.get("budgets", ()):
        table = _changed(table, budget, problems)
    if problems:
        raise InputError(problems)
    changed = table[table["amount_gbp"] != funds["amount_gbp"]]
    rows = zip(changed["fund_id"], changed["financial_year"], changed["amount_gbp"], strict=True)
    budgets = [{"fund": str(fund), "financial_year": str(year), "amount_gbp": float(amount)} for fund, year, amount in rows]
    return {"pins": pins, "budgets": budgets}


def _pins(pin: Mapping[str, Any], projects: pd.DataFrame, problems: list[InputProblem]) -> list[dict[str, Any]]:
    """The wishes that stand for a decision about a project."""
    project_id, decision = pin["project_id"], pin["decision"]
    found = projects[projects["project_id"] == project_id]
    if found.empty:
        problems.append(_fault("pins", "project_id", project_id, "no such project", "Take an id of the case's table of projects."))
    elif decision not in DECISIONS:
        problems.append(_fault("pins", "decision", decision, "no such decision", f"One of {', '.join(DECISIONS)}."))
    elif decision == "forbidden":
        return [{"project": project_id, "wish": "must_not"}]
    elif decision == "committed":
        most = float(found["max_places"].iloc[0])
        if pin.get("places") and pin["places"] > most:
            problems.append(_fault("pins", "places", pin["places"], f"{project_id} can't have so many places", f"At most {most:g}."))
        must = {"project": project_id, "wish": "must", **({"year": pin["start"]} if pin.get("start") else {})}
        return [must, {"project": project_id, "wish": "at_least", "places": pin["places"]}] if pin.get("places") else [must]
    return []


def _changed(funds: pd.DataFrame, budget: Mapping[str, Any], problems: list[InputProblem]) -> pd.DataFrame:
    """The funds with another allocation in the rows that the budget names."""
    chosen = funds["fund_id"] == budget["fund_id"]
    if budget.get("financial_year"):
        chosen &= funds["financial_year"] == budget["financial_year"]
    if not chosen.any():
        which = " ".join(str(budget[key]) for key in ("fund_id", "financial_year") if budget.get(key))
        problems.append(_fault("budgets", "fund_id", which, "no such fund or year", "Take a row of the case's table of funds."))
        return funds
    if (budget.get("times") is None) == (budget.get("amount_gbp") is None):
        remedy = "Give one of times (a factor) and amount_gbp (each year's allocation)."
        problems.append(_fault("budgets", "times", budget["fund_id"], "says both or neither of times and amount_gbp", remedy))
        return funds
    amount = funds["amount_gbp"] * budget["times"] if budget.get("times") is not None else float(budget["amount_gbp"])
    return funds.assign(amount_gbp=funds["amount_gbp"].mask(chosen, amount))


def _fault(part: str, column: str, value: object, message: str, remedy: str) -> InputProblem:
    return InputProblem(part, message, remedy, column=column, value=str(value))
