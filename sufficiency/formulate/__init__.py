"""Case and request to solver.Problem: the only translation between tables and arrays.

Every array is built by joining ids; docs/formulation.md says what each means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import EXISTING, OUTSIDE, Problem
from solver.result import Flows
from sufficiency.case import Case
from sufficiency.corridors import travel_with_sharing
from sufficiency.demand_classes import DemandClasses, demand_classes, reduction_gbp
from sufficiency.finance import Appraisal, appraisal, place_gbp
from sufficiency.formulate.demand import demand_of, displacement_of
from sufficiency.formulate.limits import measures_of, quotas_of
from sufficiency.formulate.links import base_cost, base_journeys, base_yearly_costs, links_of
from sufficiency.formulate.money import funds_of, shares_of, transfers_of
from sufficiency.formulate.options import (
    buildable,
    crews_of,
    grants_of,
    options_of,
    outside_optimisation,
    pins_of,
    starts_of,
    viability_of,
)
from sufficiency.formulate.places import STATE_KINDS, UNLOCATED, accepts_of, crowd_of, held_by_base, places_of, pool_arrays, pools_of

__all__ = [
    "STATE_KINDS",
    "UNLOCATED",
    "Formulation",
    "base_yearly_costs",
    "formulate",
    "outside_optimisation",
    "with_floor",
    "without_floor",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Formulation:
    """The problem with the labels that turn its arrays back into tables."""

    case: Case
    scenario: str
    appraisal: Appraisal
    demand: DemandClasses
    pools: pd.DataFrame
    """pool_id, site_id, kind, council_code, project_id (empty for existing pools), and the case's columns"""
    projects: pd.DataFrame
    """Projects that may be or are built, in the order of the options."""
    places: Floats
    """(P, T) places without any open project"""
    place_cost: Floats
    """(families, P) GBP per pupil per year"""
    link_km: Floats
    """(links,) km one way, in the order of the problem's links"""
    link_social: Floats
    """(links,) GBP per year of carers' time and carbon before the factors of phase and need; in the social perspective part of the cost"""
    base_journeys: pd.DataFrame
    """Rows of ``demand.base`` with pool (row), minutes, km, sharing (factor of the cost curve)"""
    problem: Problem

    @cached_property
    def unpinned(self) -> Formulation:
        """The same without pins, of which the rule knows nothing."""
        if self.case.pins.empty:
            return self
        free = formulate(replace(self.case, pins=self.case.pins.head(0)), self.scenario)
        return replace(free, problem=replace(free.problem, displacement=self.problem.displacement))


def formulate(case: Case, scenario: str = "central") -> Formulation:
    """The case as arrays, without a displacement floor (see ``with_floor``). Raises InputError."""
    money = appraisal(case)
    demand = demand_classes(case, scenario)
    projects = buildable(case, money)
    starts = starts_of(case, projects)
    pools = pools_of(case, projects)
    travel = travel_with_sharing(case)
    base = base_journeys(case, demand, pools, travel)
    places = places_of(case, demand, pools, base)
    held = held_by_base(case, demand, pools, base)
    cost = place_gbp(case, demand.families, pools)
    accepts = accepts_of(case, demand, pools)
    links, link_km, link_social = links_of(case, demand, pools, travel)
    funds = funds_of(case, demand, money)
    state = pools["kind"].isin(STATE_KINDS).to_numpy()
    problem = Problem(
        periods=case.academic_years,
        weight=money.weight,
        owners=demand.councils,
        families=tuple(demand.families.agg("/".join, axis=1)),
        years=money.financial_years,
        demand=demand_of(case, demand),
        pools=pool_arrays(case, demand, pools, places, held, accepts, cost),
        links=links,
        displacement=displacement_of(case, demand),
        options=options_of(case, demand, pools, projects, money, starts, crowd_of(projects, pools, places, held)),
        funds=funds,
        constant=base_cost(case, demand, pools, base, cost, money) + float(reduction_gbp(case) @ money.weight),
        pins=pins_of(case, projects),
        crews=crews_of(case, demand, projects, money, starts),
        viability=viability_of(case, projects),
        transfers=transfers_of(case, funds.labels, money),
        shares=shares_of(case, demand, funds.labels),
        grants=grants_of(projects, funds.labels, money, starts),
        quotas=quotas_of(case, demand, pools, state, base),
        measures=measures_of(case, demand, money),
    )
    return Formulation(case, scenario, money, demand, pools, projects, places, cost, link_km, link_social, base, problem)


def with_floor(formulation: Formulation, flows: Flows) -> Formulation:
    """The same problem with the counterfactual's independent placements as the floor of displacement."""
    problem = formulation.problem
    pools = len(problem.pools.labels)
    role = np.append(problem.pools.role, EXISTING)[flows.pool]
    outside = (role == OUTSIDE) & (flows.pool < pools)
    owner = problem.demand.origin_owner[flows.origin[outside]]
    family = problem.demand.class_family[flows.cls[outside]]
    floor = np.zeros_like(problem.displacement.floor)
    stay = problem.demand.stay[flows.cls[outside], flows.entry[outside]]
    np.add.at(floor, (owner, family), flows.amount[outside, None] * stay)
    # a hair of slack: the flows themselves are known to a millionth of a pupil
    floor = np.maximum(0.0, floor * (1 - 1e-7) - 1e-6)
    return replace(formulation, problem=replace(problem, displacement=replace(problem.displacement, floor=floor)))


def without_floor(problem: Problem) -> Problem:
    """The problem as it was before ``with_floor``."""
    return replace(problem, displacement=replace(problem.displacement, floor=np.zeros_like(problem.displacement.floor)))
