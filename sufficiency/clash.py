"""When no plan keeps all that is asked for: which requests clash, in words, and the least each would have to give."""

from __future__ import annotations

import math

from solver.conflicts import Clash, Requirement, find_clash
from solver.problem import Problem
from sufficiency.formulate import Formulation
from sufficiency.tables.problems import InputProblem


def clash_problems(formulation: Formulation) -> list[InputProblem]:
    """One problem for each requirement of a smallest clash, with the least change that mends it; none when there is no clash."""
    clash = find_clash(formulation.problem)
    if clash is None:
        return []
    names = dict(zip(formulation.projects["project_id"].astype(str), formulation.projects["name"].astype(str), strict=True))
    return [
        InputProblem(*_place(requirement), _message(formulation.problem, requirement, clash, names), _remedy(requirement, least))
        for requirement, least in zip(clash.requirements, clash.relaxation, strict=True)
    ]


def _place(requirement: Requirement) -> tuple[str]:
    tables = {"fund_balance": "funds", "least_share": "shares", "crew": "councils", "exclusive": "projects", "prerequisite": "projects"}
    return (tables.get(requirement.kind, "request"),)


def _message(problem: Problem, requirement: Requirement, clash: Clash, names: dict[str, str]) -> str:
    others = len(clash.requirements) - 1
    with_others = (
        f"; it can't hold together with the {others} other{'s' if others > 1 else ''} named here" if others else "; alone it can't hold"
    )
    return _said(problem, requirement, names) + with_others


def _said(problem: Problem, requirement: Requirement, names: dict[str, str]) -> str:
    """A requirement in words."""
    subject = requirement.subject
    project = f"{names.get(subject, subject)} ({subject})"
    if requirement.kind == "fund_balance":
        amount = float(problem.funds.amount[problem.funds.labels.index(subject)].sum())
        return f"fund {subject} holds GBP {amount:,.0f}"
    if requirement.kind == "pin_least":
        j = problem.options.labels.index(subject)
        assert problem.pins is not None
        return f"{project} has to have at least {problem.pins.least_modules[j] * problem.options.module[j]:,.0f} places"
    return {
        "pin_must": f"{project} has to be built",
        "bundle": f"{subject} are built all or none",
        "crew": f"no more may be under construction: {subject}",
        "least_share": f"least spending on {subject}",
        "exclusive": f"only one may be built of {subject}",
        "prerequisite": f"{subject}: opens no earlier than what it needs",
    }[requirement.kind]


def _remedy(requirement: Requirement, least: float) -> str:
    """The least change to this requirement that mends the clash while the others stay."""
    if not math.isfinite(least):
        return "Giving this one up alone does not mend it."
    return {
        "fund_balance": f"Add at least GBP {math.ceil(least):,}.",
        "least_share": f"Ask for at least GBP {math.ceil(least):,} less.",
        "pin_least": f"Ask for at least {least:,.0f} places fewer.",
        "crew": f"Allow {math.ceil(least - 1e-6):,} more.",
        "pin_must": "Leave it out.",
    }.get(requirement.kind, "Leave it out.")
