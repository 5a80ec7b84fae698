"""Solution arrays back to the tables of a plan: the way up, as ``formulate`` is the way down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.decomposition.ascent import opened_places
from solver.problem import NEW
from solver.result import Flows, Solution
from sufficiency.access import access_table
from sufficiency.finance import residual_credit
from sufficiency.formulate import STATE_KINDS, UNLOCATED, Formulation, base_yearly_costs
from sufficiency.plan import PlanTables
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.terms import PROJECT_KINDS, SETTING_KINDS, financial_year, start_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALLEST_FLOW = 1e-7
"""Pupils. Smaller flows are a solver's dust: they are left out and the rest of their cell scaled up."""


@dataclass(frozen=True)
class _Stays:
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
    excess: Floats
    """(rows,) weight of minutes beyond the limit, GBP per pupil per year"""
    place: Floats
    """(rows,) GBP per pupil per year"""


def plan_tables(formulation: Formulation, solution: Solution) -> PlanTables:
    """All result tables of one solved world, in the form of their schemas."""
    stays = _stays(formulation, tidy(formulation, solution.flows))
    opened, net = _opened(formulation, solution)
    latent = _latent(formulation, solution)
    tables = {
        "projects": _projects(formulation, solution),
        "places": (places := _places(formulation, stays, formulation.places + net, latent, opened)),
        "placements": _placements(formulation, stays, unmet=False),
        "unmet": _placements(formulation, stays, unmet=True),
        "needs": _needs(formulation, stays, latent),
        "funding": _funding(formulation, solution),
        "payments": _payments(formulation, solution),
        "travel": _travel(formulation, stays),
        "access": _access(formulation, places),
        "costs": _costs(formulation, solution, stays, latent, formulation.places + net),
    }
    typed = {name: PLAN_SCHEMAS[name].validate(table.reset_index(drop=True)) for name, table in tables.items()}
    return PlanTables(**{name: table[list(PLAN_SCHEMAS[name].to_schema().columns)] for name, table in typed.items()})


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


def _stays(formulation: Formulation, flows: Flows) -> _Stays:
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
    minutes, km, travel, excess = _journeys(formulation, area, cls, pool)
    yearly = base_yearly_costs(formulation.case, formulation.demand, base, formulation.place_cost, formulation.pools["kind"])
    for target, values in ((minutes, base["minutes"]), (km, base["km"]), (travel, yearly["travel"]), (excess, yearly["excess"])):
        target[base_row] = np.asarray(values, float)
    family = formulation.demand.classes["family"].to_numpy()[cls]
    place = np.where(pool < pools, formulation.place_cost[family, np.minimum(pool, pools - 1)], 0.0)
    return _Stays(area, cls, pool, entrants, pupils, from_entry, minutes, km, travel, excess, place)


def _journeys(formulation: Formulation, area: Ints, cls: Ints, pool: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Minutes, km, transport cost and excess weight of entrants' journeys (0 for unmet)."""
    links, pools = formulation.problem.links, len(formulation.pools)
    key = np.repeat(np.arange(len(links.start) - 1), np.diff(links.start)) * (pools + 1) + links.pool
    position = np.minimum(np.searchsorted(key, area * (pools + 1) + pool), max(len(key) - 1, 0))
    found = (pool < pools) & (key[position] == area * (pools + 1) + pool)
    cost = np.where(found, links.cost[position], 0.0)
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
    return minutes, km, links.class_factor[cls] * cost, np.where(found, excess, 0.0)


def _opened(formulation: Formulation, solution: Solution) -> tuple[NDArray[np.bool_], Floats]:
    """Projects that are built, and (P, T) places they add to or take from each pool."""
    options, decisions = formulation.problem.options, solution.decisions
    built = np.zeros(len(options.labels), bool)
    built[options.start_option[(decisions.start > 0) | (decisions.stage > 0)]] = True
    return built, opened_places(formulation.problem, decisions)


def _latent(formulation: Formulation, solution: Solution) -> Floats:
    """(P, H, T) latent users, no dust."""
    latent = solution.beside.latent
    return np.where(latent > SMALLEST_FLOW, latent, 0.0)


def _projects(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    options, decisions, case = formulation.problem.options, solution.decisions, formulation.case
    years = formulation.appraisal.financial_years
    rows = []
    stage_of: dict[int, int] = {}
    for k in sorted(
        np.nonzero((decisions.start > 0) | (decisions.stage > 0))[0], key=lambda k: (options.start_option[k], options.start_opens[k])
    ):
        j = int(options.start_option[k])
        project = formulation.projects.iloc[j]
        stage_of[j] = stage_of.get(j, 0) + 1
        first = decisions.start[k] > 0
        fixed_spend = (options.fixed_spend if first else options.stage_spend)[k]
        fixed_value = (options.fixed_cost if first else options.stage_cost)[k]
        modules = int(decisions.modules[k])
        rows.append(
            {
                **{
                    name: project[name]
                    for name in ("project_id", "name", "kind", "effect", "council_code", "site_id", "easting_m", "northing_m")
                },
                **{name: project[name] for name in ("provision", "need_groups", "phases")},
                "stage": stage_of[j],
                "start_financial_year": years[options.start_year[k]],
                "opens_academic_year": case.academic_years[options.start_opens[k]],
                "places": options.module[j] * modules if modules else float(project["places_kept"]),
                "capital_gbp": float(fixed_spend.sum() + modules * options.module_spend[k].sum()),
                "capital_net_pv_gbp": float(fixed_value + modules * options.module_cost[k]),
                "decision": project["decision"],
            }
        )
    return _frame("projects", rows)


def _places(formulation: Formulation, stays: _Stays, places: Floats, latent: Floats, built: NDArray[np.bool_]) -> pd.DataFrame:
    pools = formulation.pools
    options = formulation.problem.options
    used = _by_pool(formulation, stays.pool, stays.pupils)
    drawn = latent.sum(axis=1)
    shown = (~pools["is_new"]).to_numpy(copy=True)
    shown[options.pool[built & (options.pool >= 0)]] = True
    i, t = np.nonzero(np.broadcast_to(shown[:, None], used.shape))
    over = np.maximum(0.0, _taken(formulation, stays) + drawn - places)
    return pd.DataFrame(
        {
            "academic_year": np.array(formulation.case.academic_years, object)[t],
            "pool_id": pools["pool_id"].to_numpy()[i],
            "setting_id": pools["site_id"].to_numpy()[i],
            "kind": pools["kind"].to_numpy()[i],
            "council_code": pools["council_code"].to_numpy()[i],
            "is_new": pools["is_new"].to_numpy()[i],
            "places": np.maximum(0.0, places)[i, t],
            "pupils": used[i, t],
            "latent_pupils": drawn[i, t],
            "over_places": np.where(over > 1e-5, over, 0.0)[i, t],
        }
    )


def _by_pool(formulation: Formulation, pool: Ints, pupils: Floats) -> Floats:
    """(P, T) sums of rows by pool, unmet left out."""
    result = np.zeros((len(formulation.pools) + 1, pupils.shape[1]))
    np.add.at(result, pool, pupils)
    return result[:-1]


def _taken(formulation: Formulation, stays: _Stays) -> Floats:
    """(P, T) places that pupils take."""
    load = formulation.problem.demand.load
    return _by_pool(formulation, stays.pool, stays.pupils if load is None else stays.pupils * load[stays.cls, None])


def _placements(formulation: Formulation, stays: _Stays, *, unmet: bool) -> pd.DataFrame:
    rows = np.nonzero((stays.pool == len(formulation.pools)) == unmet)[0]
    r, t = np.nonzero(stays.pupils[rows] > 1e-9)
    row = rows[r]
    classes = formulation.demand.classes.iloc[stays.cls[row]]
    areas = formulation.demand.areas.iloc[stays.area[row]]
    table = {
        "area_id": areas["area_id"].to_numpy(),
        **(
            {"council_code": areas["council_code"].to_numpy()}
            if unmet
            else {"pool_id": formulation.pools["pool_id"].to_numpy()[stays.pool[row]]}
        ),
        **{name: classes[name].to_numpy() for name in ("need_group", "severity", "phase", "route")},
        "academic_year": np.array(formulation.case.academic_years, object)[t],
        "entrants": stays.entrants[row, t],
        "pupils": stays.pupils[row, t],
    }
    return pd.DataFrame(table)


def _grid(formulation: Formulation, stays: _Stays, values: Floats, which: NDArray[np.bool_] | None = None) -> Floats:
    """(L, families, T) sums of (rows, T) values by council of residence and family."""
    problem = formulation.problem
    rows = np.arange(len(stays.area)) if which is None else np.nonzero(which)[0]
    result = np.zeros_like(problem.displacement.floor)
    family = formulation.demand.classes["family"].to_numpy()[stays.cls[rows]]
    np.add.at(result, (problem.demand.origin_owner[stays.area[rows]], family), values[rows])
    return result


def _needs(formulation: Formulation, stays: _Stays, latent: Floats) -> pd.DataFrame:
    pools = len(formulation.pools)
    kind = np.append(formulation.pools["kind"].to_numpy(object), "unmet")[stays.pool]
    new = np.append(formulation.problem.pools.role == NEW, [False])[stays.pool]
    drawn = np.zeros_like(formulation.problem.displacement.floor)
    np.add.at(drawn, formulation.problem.pools.owner, latent)
    columns = {"demand": _grid(formulation, stays, stays.pupils)}
    columns |= {name: _grid(formulation, stays, stays.pupils, kind == name) for name in SETTING_KINDS}
    columns["unmet"] = _grid(formulation, stays, stays.pupils, stays.pool == pools)
    columns["in_new_places"] = _grid(formulation, stays, stays.pupils, new)
    columns["latent"] = drawn
    return _council_table(formulation, columns, columns["demand"] + drawn > 0)


def _council_table(formulation: Formulation, columns: dict[str, Floats], where: NDArray[np.bool_]) -> pd.DataFrame:
    owner, h, t = np.nonzero(where)
    families = formulation.demand.families.iloc[h]
    keys = {
        "council_code": np.array(formulation.demand.councils, object)[owner],
        "need_group": families["need_group"].to_numpy(),
        "phase": families["phase"].to_numpy(),
        "academic_year": np.array(formulation.case.academic_years, object)[t],
    }
    return pd.DataFrame({**keys, **{name: values[owner, h, t] for name, values in columns.items()}})


def _travel(formulation: Formulation, stays: _Stays) -> pd.DataFrame:
    located = np.append(~formulation.pools["kind"].isin(UNLOCATED).to_numpy(), [False])[stays.pool]
    pupils = _grid(formulation, stays, stays.pupils, located)
    safe = np.where(pupils > 0, pupils, 1.0)
    columns = {
        "pupils": pupils,
        "mean_min": _grid(formulation, stays, stays.pupils * stays.minutes[:, None], located) / safe,
        "median_min": np.zeros_like(pupils),
        "p90_min": np.zeros_like(pupils),
        "over_45_min": _grid(formulation, stays, stays.pupils, located & (stays.minutes > 45)),
        "over_75_min": _grid(formulation, stays, stays.pupils, located & (stays.minutes > 75)),
        "mean_km": _grid(formulation, stays, stays.pupils * stays.km[:, None], located) / safe,
        "travel_gbp": _grid(formulation, stays, stays.pupils * stays.travel[:, None], located),
    }
    _quantiles(formulation, stays, located, columns)
    return _council_table(formulation, columns, pupils > 1e-9)


def _access(formulation: Formulation, places: pd.DataFrame) -> pd.DataFrame:
    """Pupils with a suitable place in reach, whatever their class."""
    demand = formulation.demand
    by_family = np.stack([demand.demand[:, demand.classes["family"] == f].sum(axis=1) for f in range(len(demand.families))], axis=1)
    return access_table(formulation.case, places, pd.Index(demand.areas["area_id"]), demand.families, by_family)


def _quantiles(formulation: Formulation, stays: _Stays, located: NDArray[np.bool_], columns: dict[str, Floats]) -> None:
    """Weighted median and ninth decile of minutes by council, family and year, written into ``columns``."""
    problem = formulation.problem
    rows = np.nonzero(located)[0]
    family = formulation.demand.classes["family"].to_numpy()[stays.cls[rows]]
    owner = problem.demand.origin_owner[stays.area[rows]]
    key = owner * len(problem.families) + family
    order = np.lexsort((stays.minutes[rows], key))
    rows, key = rows[order], key[order]
    edges = np.append(np.nonzero(np.diff(key, prepend=-1))[0], len(key))
    for begin, end in pairwise(edges):
        owner_of, h = divmod(int(key[begin]), len(problem.families))
        minutes = stays.minutes[rows[begin:end]]
        running = np.cumsum(stays.pupils[rows[begin:end]], axis=0)
        for name, share in (("median_min", 0.5), ("p90_min", 0.9)):
            at = (running < share * running[-1] - 1e-12).sum(axis=0)
            columns[name][owner_of, h] = minutes[np.minimum(at, len(minutes) - 1)]


def _funding(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    funds, years = formulation.problem.funds, formulation.appraisal.financial_years
    councils = formulation.case.funds.groupby("fund_id")["councils"].first()
    spent = _paid(solution).sum(axis=(1, 2))
    rows = []
    for g, label in enumerate(funds.labels):
        carried = 0.0
        for f, year in enumerate(years):
            in_hand = carried + funds.amount[g, f]
            rest = max(0.0, in_hand - spent[g, f])
            out = min(rest, funds.carry_share[g, f] * in_hand) if f + 1 < len(years) else 0.0
            rows.append(
                {
                    "fund_id": label,
                    "councils": councils[label],
                    "financial_year": year,
                    "carried_in_gbp": carried,
                    "allocated_gbp": funds.amount[g, f],
                    "spent_gbp": spent[g, f],
                    "returned_gbp": rest - out,
                    "carried_out_gbp": out,
                }
            )
            carried = out
    return _frame("funding", rows)


def _paid(solution: Solution) -> Floats:
    """(G, L, kinds, F) payments in GBP, no dust."""
    return np.where(solution.beside.payment > 0.005, solution.beside.payment, 0.0)


def _payments(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    paid = _paid(solution)
    g, owner, kind, f = np.nonzero(paid)
    table = {
        "fund_id": np.array(formulation.problem.funds.labels, object)[g],
        "council_code": np.array(formulation.demand.councils, object)[owner],
        "kind": np.array(list(PROJECT_KINDS), object)[kind],
        "financial_year": np.array(formulation.appraisal.financial_years, object)[f],
        "amount_gbp": paid[g, owner, kind, f],
    }
    return pd.DataFrame(table) if len(g) else _frame("payments", [])


def _costs(formulation: Formulation, solution: Solution, stays: _Stays, latent: Floats, places: Floats) -> pd.DataFrame:
    """The objective line by line; each line's present value sums to the solution's cost."""
    case, problem = formulation.case, formulation.problem
    pools = len(formulation.pools)
    kind = np.append(formulation.pools["kind"].to_numpy(object), "unmet")[stays.pool]
    placed = stays.pool < pools
    state = np.isin(kind, list(STATE_KINDS))
    net = latent.sum(axis=(0, 1)) * case.assumptions.number("displacement.latent_net_cost")
    over = np.maximum(0.0, _taken(formulation, stays) + latent.sum(axis=1) - places)
    yearly: list[tuple[str, Floats, bool, bool]] = [
        ("state_places", stays.place[state] @ stays.pupils[state], True, True),
        ("independent_places", _line(stays.place, stays.pupils, placed & ~state & (kind != "unlocated_ap")), True, True),
        ("unlocated_ap_places", _line(stays.place, stays.pupils, kind == "unlocated_ap"), True, True),
        ("travel", _line(stays.travel, stays.pupils, placed), True, True),
        ("excess_travel_weight", _line(stays.excess, stays.pupils, placed), False, True),
        ("overcrowding_weight", case.assumptions.number("overcrowding.weight") * np.where(over > 1e-5, over, 0.0).sum(axis=0), False, True),
        ("unmet_weight", case.assumptions.number("unmet.weight") * stays.pupils[~placed].sum(axis=0), False, True),
        ("latent_net", net, False, True),
        ("latent_revenue", _latent_revenue(formulation, latent), True, False),
    ]
    rows = [
        {
            "item": item,
            "year": year,
            "gbp": float(amount),
            "present_value_gbp": float(amount * weight),
            "is_cash": cash,
            "in_objective": counts,
        }
        for item, amounts, cash, counts in yearly
        for year, amount, weight in zip(case.academic_years, amounts, problem.weight, strict=True)
    ]
    return _frame("costs", rows + _capital_lines(formulation, solution))


def _line(each: Floats, pupils: Floats, which: NDArray[np.bool_]) -> Floats:
    result: Floats = each[which] @ pupils[which]
    return result


def _latent_revenue(formulation: Formulation, latent: Floats) -> Floats:
    """(T,) what latent users' places cost above their place in mainstream, GBP a year."""
    extra = formulation.place_cost.T - formulation.case.assumptions.number("displacement.mainstream_cost")
    result: Floats = (latent * extra[:, :, None]).sum(axis=(0, 1))
    return result


def _capital_lines(formulation: Formulation, solution: Solution) -> list[dict[str, object]]:
    case, money = formulation.case, formulation.appraisal
    options, decisions = formulation.problem.options, solution.decisions
    spend = decisions.start @ options.fixed_spend + decisions.modules @ options.module_spend + decisions.stage @ options.stage_spend
    discount = money.discount(np.arange(len(money.financial_years)) + money.first_budget_year - money.first_year)
    lines: list[dict[str, object]] = [
        {
            "item": "capital",
            "year": year,
            "gbp": float(gbp),
            "present_value_gbp": float(gbp * factor),
            "is_cash": True,
            "in_objective": True,
        }
        for year, gbp, factor in zip(money.financial_years, spend, discount, strict=True)
    ]
    life = formulation.projects["life_years"].to_numpy(int)[options.start_option]
    credit = residual_credit(case, money, life, options.start_opens)
    total = (
        decisions.start * options.fixed_spend.sum(axis=1)
        + decisions.modules * options.module_spend.sum(axis=1)
        + decisions.stage * options.stage_spend.sum(axis=1)
    )
    value = -float((total * credit).sum())
    end = float(money.discount(np.array(len(case.academic_years) + money.tail, float)))
    lines.append(
        {
            "item": "capital_credit",
            "year": financial_year(start_of(case.academic_years[-1])),
            "gbp": value / end,
            "present_value_gbp": value,
            "is_cash": True,
            "in_objective": True,
        }
    )
    return lines


def _frame(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table with its schema's columns, even when there are none."""
    columns = PLAN_SCHEMAS[name].to_schema().columns
    if rows:
        return pd.DataFrame(rows, columns=list(columns))
    return pd.DataFrame({column: pd.Series(dtype=str(declared.dtype)) for column, declared in columns.items()})
