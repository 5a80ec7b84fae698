"""Everyone who is somewhere, and what is open: what all tables of a plan are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.families.places import opened_places
from solver.result import Flows, Solution
from sufficiency.formulate import UNLOCATED, Formulation, base_yearly_costs
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST_FLOW = 1e-7
"""Pupils. Smaller flows are a solver's dust: they are left out and the rest of their cell scaled up."""


@dataclass(frozen=True)
class Stays:
    """Everyone who is somewhere: one row per area, class and pool (or unmet), entrants and pupils by year."""

    area: Ints
    cls: Ints
    pool: Ints
    """Row of the pools; their number stands for unmet."""
    entrants: Floats
    """(rows, T)"""
    pupils: Floats
    """(rows, T) entrants of earlier years and base-year pupils included"""
    from_entry: Floats
    """(rows, T) the part that entered in a planning year"""
    minutes: Floats
    km: Floats
    travel: Floats
    """(rows,) GBP per pupil per year"""
    social: Floats
    """(rows,) carers' time and carbon, GBP per pupil per year"""
    excess: Floats
    """(rows,) weight of minutes beyond the limit, GBP per pupil per year"""
    place: Floats
    """(rows,) GBP per pupil per year"""


def tidy(formulation: Formulation, flows: Flows) -> Flows:
    """Flows without dust: what remains of a cell is scaled so that it sums to those who enter or have waited."""
    demand = formulation.problem.demand
    cell = np.ravel_multi_index((flows.origin, flows.cls, flows.entry), demand.entrants.shape)
    largest = np.zeros(demand.entrants.size)
    np.maximum.at(largest, cell, flows.amount)
    keep = (flows.amount > SMALLEST_FLOW) | (flows.amount >= largest[cell])
    flows = Flows(flows.origin[keep], flows.cls[keep], flows.entry[keep], flows.pool[keep], flows.amount[keep])
    amount, waiting = flows.amount.copy(), np.zeros(demand.entrants.shape[:2])
    for year in range(demand.entrants.shape[2]):
        rows = np.nonzero(flows.entry == year)[0]
        at = (flows.origin[rows], flows.cls[rows])
        present, total = demand.entrants[:, :, year] + waiting, np.zeros_like(waiting)
        np.add.at(total, at, amount[rows])
        amount[rows] *= (present / np.where(total > 0, total, 1.0))[at]
        waits = flows.pool[rows] == len(formulation.pools)
        waiting = np.zeros_like(waiting)
        np.add.at(waiting, (flows.origin[rows[waits]], flows.cls[rows[waits]]), amount[rows[waits]])
        waiting *= demand.survival
    return replace(flows, amount=amount)


def stays_of(formulation: Formulation, flows: Flows) -> Stays:
    problem, base = formulation.problem, formulation.base_journeys
    pools, periods = len(formulation.pools), len(problem.periods)
    shape = (len(problem.demand.origins), len(problem.demand.classes), pools + 1)
    flow_key = np.ravel_multi_index((flows.origin, flows.cls, flows.pool), shape)
    base_key = np.ravel_multi_index((base["area"].to_numpy(), base["cls"].to_numpy(), base["pool"].to_numpy()), shape)
    keys, row = np.unique(np.concatenate([flow_key, base_key]), return_inverse=True)
    flow_row, base_row = row[: len(flow_key)], row[len(flow_key) :]
    area, cls, pool = np.unravel_index(keys, shape)
    entrants = np.zeros((len(keys), periods))
    np.add.at(entrants, (flow_row, flows.entry), flows.amount)
    # who waits is without a place for one year and counts again in the next
    waits = (pool == pools)[:, None]
    from_entry = np.where(waits, entrants, np.einsum("rv,rvt->rt", entrants, problem.demand.stay[cls]))
    pupils = from_entry.copy()
    years = np.arange(1, periods + 1)
    np.add.at(pupils, base_row, base["pupils"].to_numpy(float)[:, None] * formulation.demand.retention[base["cls"]][:, None] ** years)
    minutes, km, travel, social, excess = _journeys(formulation, area, cls, pool)
    yearly = base_yearly_costs(formulation.case, formulation.demand, base, formulation.place_cost, formulation.pools["kind"])
    of_base = (
        (minutes, base["minutes"]),
        (km, base["km"]),
        (travel, yearly["travel"]),
        (social, yearly["social"]),
        (excess, yearly["excess"]),
    )
    for target, values in of_base:
        target[base_row] = np.asarray(values, float)
    family = formulation.demand.classes["family"].to_numpy()[cls]
    place = np.where(pool < pools, formulation.place_cost[family, np.minimum(pool, pools - 1)], 0.0)
    return Stays(area, cls, pool, entrants, pupils, from_entry, minutes, km, travel, social, excess, place)


def _journeys(formulation: Formulation, area: Ints, cls: Ints, pool: Ints) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Minutes, km, transport cost, social cost and excess weight of entrants' journeys (0 for unmet)."""
    links, pools = formulation.problem.links, len(formulation.pools)
    key = np.repeat(np.arange(len(links.start) - 1), np.diff(links.start)) * (pools + 1) + links.pool
    position = np.minimum(np.searchsorted(key, area * (pools + 1) + pool), max(len(key) - 1, 0))
    found = (pool < pools) & (key[position] == area * (pools + 1) + pool)
    social = np.where(found, formulation.link_social[position], 0.0)
    cost = np.where(found, links.cost[position], 0.0) - (social if formulation.case.perspective == "social" else 0.0)
    assumptions = formulation.case.assumptions
    km = np.where(found, formulation.link_km[position], 0.0)
    minutes = np.where(found, links.minutes[position], 0.0)
    kinds = formulation.pools["kind"].to_numpy()[np.minimum(pool, pools - 1)]
    council = formulation.case.councils.set_index("council_code")["unlocated_minutes"]
    home = formulation.demand.areas["council_code"].to_numpy()[area]
    minutes = np.where(found & (kinds == "unlocated_independent"), council.reindex(home).fillna(0.0).to_numpy(float), minutes)
    excess = np.where(
        np.isin(kinds, list(UNLOCATED)), 0.0, assumptions.number("travel.excess_weight") * np.maximum(0.0, minutes - links.class_limit[cls])
    )
    factor = links.class_factor[cls]
    return minutes, km, factor * cost, factor * social, np.where(found, excess, 0.0)


def opened_of(formulation: Formulation, solution: Solution) -> tuple[NDArray[np.bool_], Floats]:
    """Projects that are built, and (P, T) places they add to or take from each pool."""
    options, decisions = formulation.problem.options, solution.decisions
    built = np.zeros(len(options.labels), bool)
    built[options.start_option[(decisions.start > 0) | (decisions.stage > 0)]] = True
    return built, opened_places(formulation.problem, decisions)


def latent_of(formulation: Formulation, solution: Solution) -> Floats:
    """(P, H, T) latent users, no dust."""
    latent = solution.beside.latent
    return np.where(latent > SMALLEST_FLOW, latent, 0.0)


def by_pool(formulation: Formulation, pool: Ints, pupils: Floats) -> Floats:
    """(P, T) sums of rows by pool, unmet left out."""
    result = np.zeros((len(formulation.pools) + 1, pupils.shape[1]))
    np.add.at(result, pool, pupils)
    return result[:-1]


def taken_of(formulation: Formulation, stays: Stays) -> Floats:
    """(P, T) places that pupils take."""
    load = formulation.problem.demand.load
    return by_pool(formulation, stays.pool, stays.pupils if load is None else stays.pupils * load[stays.cls, None])


def grid(formulation: Formulation, stays: Stays, values: Floats, which: NDArray[np.bool_] | None = None) -> Floats:
    """(L, families, T) sums of (rows, T) values by council of residence and family."""
    problem = formulation.problem
    rows = np.arange(len(stays.area)) if which is None else np.nonzero(which)[0]
    result = np.zeros_like(problem.displacement.floor)
    family = formulation.demand.classes["family"].to_numpy()[stays.cls[rows]]
    np.add.at(result, (problem.demand.origin_owner[stays.area[rows]], family), values[rows])
    return result


def frame(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table with its schema's columns, even when there are none."""
    columns = PLAN_SCHEMAS[name].to_schema().columns
    if rows:
        return pd.DataFrame(rows, columns=list(columns))
    return pd.DataFrame({column: pd.Series(dtype=str(declared.dtype)) for column, declared in columns.items()})
