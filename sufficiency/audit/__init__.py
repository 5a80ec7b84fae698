"""A plan audited: recomputed from its decisions and the case alone, without the solver and the formulation that made it.

The audit reads the folder as written. See docs/audit.md for every breach code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from sufficiency.audit.agreement import check_agreement
from sufficiency.audit.beside import check_beside
from sufficiency.audit.costs import check_costs, cost_lines
from sufficiency.audit.expected import expected
from sufficiency.audit.flows import check_flows
from sufficiency.audit.money import check_money, check_shares
from sufficiency.audit.projects import check_asked, check_projects
from sufficiency.audit.report import AuditReport, Breach, without_figures, write_audit
from sufficiency.audit.summary import check_assumptions, check_inputs, check_summary, recompute
from sufficiency.audit.world import read_world
from sufficiency.case import Case
from sufficiency.outputs.folder import read_exact_plan

__all__ = ["AuditReport", "Breach", "audit_plan", "without_figures", "write_audit"]

WORLDS = ("counterfactual", "plan", "rule")


def audit_plan(case: Case, folder: Path, progress: Callable[[str], None] | None = None, case_folder: Path | None = None) -> AuditReport:
    """Recompute a plan folder from its case and compare.

    ``case`` bears the assumptions that the plan was made with; ``case_folder``, where given, is checked against the sha256 of plan.json.
    Raises InputError when the folder is no plan or keeps only what may be shown of a protected case, or when the case lacks the demand
    scenario that plan.json names (``central`` by default).
    """
    say = progress or (lambda _: None)
    say("Reading the plan as written")
    plan = read_exact_plan(folder)
    say("Working out demand, places and costs from the case")
    facts = expected(case, str(plan.summary.get("scenario", "central")))
    breaches: list[Breach] = []
    worlds = {}
    for name in WORLDS:
        worlds[name], lost = read_world(facts, getattr(plan, name))
        breaches += _of(name, lost)
    costs = {name: cost_lines(facts, world) for name, world in worlds.items()}
    for name, world in worlds.items():
        say(f"Checking the {name}")
        breaches += _of(name, check_projects(facts, world, committed_only=name == "counterfactual"))
        breaches += _of(name, check_money(facts, world))
        breaches += _of(name, check_flows(facts, world, worlds["counterfactual"]))
        breaches += _of(name, check_agreement(facts, world))
        breaches += _of(name, check_costs(facts, world, costs[name]))
        breaches += _of(name, check_beside(facts, world))
    breaches += _of("plan", check_asked(facts, worlds["plan"]))
    breaches += _of("plan", check_shares(facts, worlds["plan"]))
    recomputed = recompute(facts, worlds, costs)
    breaches += check_summary(plan.summary, recomputed)
    breaches += check_assumptions(facts, plan.summary)
    if case_folder is not None:
        breaches += check_inputs(plan.summary, case_folder)
    found = tuple(sorted(dict.fromkeys(breaches), key=lambda breach: breach.code))
    return AuditReport(not found, found, recomputed)


def _of(world: str, breaches: Iterable[Breach]) -> Iterator[Breach]:
    """The breaches, saying in which world they are."""
    return (replace(breach, where=f"{world}: {breach.where}") for breach in breaches)
