"""Solution arrays back to the tables of a plan: the way up, as ``formulate`` is the way down."""

from __future__ import annotations

import pandas as pd

from solver.result import Solution
from sufficiency.formulate import Formulation
from sufficiency.plan import PlanTables
from sufficiency.results.beside import block_table, ledger_table, limits_table
from sufficiency.results.money import costs_table, funding_table, payments_table, transfers_table
from sufficiency.results.stays import latent_of, opened_of, stays_of, tidy
from sufficiency.results.tables import access_of, needs_table, placements_table, places_table, projects_table, travel_table
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS

__all__ = ["costs_of", "plan_tables", "tidy"]


def plan_tables(formulation: Formulation, solution: Solution) -> PlanTables:
    """All result tables of one solved world, in the form of their schemas."""
    stays = stays_of(formulation, tidy(formulation, solution.flows))
    opened, net = opened_of(formulation, solution)
    latent = latent_of(formulation, solution)
    limits = limits_table(formulation, solution, stays, latent)
    tables = {
        "projects": projects_table(formulation, solution),
        "places": (places := places_table(formulation, stays, formulation.places + net, latent, opened)),
        "placements": placements_table(formulation, stays, unmet=False),
        "unmet": placements_table(formulation, stays, unmet=True),
        "needs": needs_table(formulation, stays, latent),
        "funding": funding_table(formulation, solution),
        "payments": payments_table(formulation, solution),
        "travel": travel_table(formulation, stays),
        "access": access_of(formulation, places),
        "costs": costs_table(formulation, solution, stays, latent, formulation.places + net, limits),
        "limits": limits,
        "transfers": transfers_table(formulation, solution),
        "ledger": ledger_table(formulation, stays),
        "high_needs_block": block_table(formulation, stays, latent),
    }
    typed = {name: PLAN_SCHEMAS[name].validate(table.reset_index(drop=True)) for name, table in tables.items()}
    return PlanTables(**{name: table[list(PLAN_SCHEMAS[name].to_schema().columns)] for name, table in typed.items()})


def costs_of(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    """The costs of one solved world alone: of what a plan's tables hold, the least that says what is money and what a weight."""
    stays = stays_of(formulation, tidy(formulation, solution.flows))
    _, net = opened_of(formulation, solution)
    latent = latent_of(formulation, solution)
    limits = limits_table(formulation, solution, stays, latent)
    return costs_table(formulation, solution, stays, latent, formulation.places + net, limits)
