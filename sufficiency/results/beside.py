"""What a plan does beside its costs: limits that bend, placements across borders, the high needs block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.requirements import Measure
from solver.result import Solution
from sufficiency.finance import places_per_pupil
from sufficiency.formulate import STATE_KINDS, Formulation
from sufficiency.results.stays import Stays, frame, taken_of
from sufficiency.terms import financial_year, start_of

Floats = NDArray[np.float64]

SMALLEST_BREACH = 1e-5
"""Pupils, or pupil-minutes: less is a solver's dust."""
FROM_APRIL = 5 / 12
"""Part of a financial year that lies in the academic year which began before it."""


def limits_table(formulation: Formulation, solution: Solution, stays: Stays, latent: Floats) -> pd.DataFrame:
    """Every limit that bends, what was found, and what a breach weighs."""
    rows = [*_least_use(formulation, solution, stays, latent), *_borders(formulation, stays), *_equity(formulation, stays)]
    return frame("limits", rows)


def _row(rule: str, name: str, year: str, unit: str, found: float, limit: float, short: float, weight: float) -> dict[str, object]:
    breach = short if short > SMALLEST_BREACH else 0.0
    values: dict[str, object] = {"rule": rule, "name": name, "academic_year": year, "unit": unit, "found": found, "limit": limit}
    return values | {"breach": breach, "weight_pv_gbp": breach * weight}


def _least_use(formulation: Formulation, solution: Solution, stays: Stays, latent: Floats) -> list[dict[str, object]]:
    """Pupils in the places of a project that has settled: at least its viable number, and the share of its open places."""
    problem, case, viability = formulation.problem, formulation.case, formulation.problem.viability
    if viability is None:
        return []
    options, decisions = problem.options, solution.decisions
    used = taken_of(formulation, stays) + latent.sum(axis=1)
    share = options.open_share(len(problem.periods))
    rows = []
    for j in np.nonzero((viability.least > 0) | (viability.share > 0))[0]:
        of_j = options.start_option == j
        if not (decisions.start[of_j] > 0).any():
            continue
        settled = (options.start_opens + viability.settle[j])[:, None] <= np.arange(len(problem.periods))[None, :]
        opened = options.module[j] * decisions.modules[:, None] * share
        least = decisions.start[:, None] * (share > 0) * viability.least[j]
        asked = (of_j[:, None] * settled * (opened * viability.share[j] + least)).sum(axis=0)
        pool = options.pool[j]
        for t in np.nonzero(asked > 0)[0]:
            weight = viability.breach_cost * problem.weight[t]
            found = float(used[pool, t])
            rows.append(_row("least_use", options.labels[j], case.academic_years[t], "pupils", found, asked[t], asked[t] - found, weight))
    return rows


def _borders(formulation: Formulation, stays: Stays) -> list[dict[str, object]]:
    """Pupils of a council in another council's state places against the cap as agreed."""
    quotas, case, problem = formulation.problem.quotas, formulation.case, formulation.problem
    if quotas is None:
        return []
    providers = sorted(case.borders["provider_council"].unique())
    group = np.append(quotas.pool_group, -1)[stays.pool]
    owner = problem.demand.origin_owner[stays.area]
    load = places_per_pupil(case, formulation.demand.classes)[stays.cls]
    here = group >= 0
    entered, there = np.zeros_like(quotas.limit), np.zeros_like(quotas.limit)
    np.add.at(entered, (owner[here], group[here]), (stays.from_entry * load[:, None])[here])
    np.add.at(there, (owner[here], group[here]), (stays.pupils * load[:, None])[here])
    rows = []
    for home, g, t in zip(*np.nonzero(np.isfinite(quotas.limit)), strict=True):
        name = f"{problem.owners[home]} in {providers[g]}"
        over = entered[home, g, t] - quotas.limit[home, g, t]
        before = there[home, g, t] - entered[home, g, t]
        weight = quotas.breach_cost * problem.weight[t]
        limit = quotas.limit[home, g, t] + before
        rows.append(_row("border", name, case.academic_years[t], "places taken", there[home, g, t], limit, over, weight))
    return rows


def _equity(formulation: Formulation, stays: Stays) -> list[dict[str, object]]:
    """Floors of groups of areas, over all years by their weight in the objective."""
    measures, problem = formulation.problem.measures, formulation.problem
    if measures is None:
        return []
    unmet = stays.pool == len(formulation.pools)
    minutes = _link_minutes(formulation, stays)
    total = {
        Measure.UNMET: np.where(unmet, stays.from_entry @ problem.weight, 0.0),
        Measure.MINUTES: np.where(unmet, 0.0, minutes * (stays.from_entry @ problem.weight)),
    }
    units = {Measure.UNMET: "pupils, PV", Measure.MINUTES: "pupil-minutes, PV"}
    rows = []
    for r, (label, kind) in enumerate(zip(measures.labels, measures.measure, strict=True)):
        found = float((measures.weight[r, stays.area] * total[kind]).sum())
        rows.append(_row("equity", label, "all", units[kind], found, measures.limit[r], found - measures.limit[r], measures.breach_cost[r]))
    return rows


def _link_minutes(formulation: Formulation, stays: Stays) -> Floats:
    """(rows,) minutes of entrants' journeys to places on the map; 0 for those off it."""
    links, pools = formulation.problem.links, len(formulation.pools)
    key = np.repeat(np.arange(len(links.start) - 1), np.diff(links.start)) * (pools + 1) + links.pool
    wanted = stays.area * (pools + 1) + stays.pool
    position = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    return np.where(key[position] == wanted, links.minutes[position], 0.0)


def ledger_table(formulation: Formulation, stays: Stays) -> pd.DataFrame:
    """Pupils placed in another council than their own."""
    case, pools, problem = formulation.case, formulation.pools, formulation.problem
    standing = pd.Index(pools["council_code"].unique())
    where, state = standing.get_indexer(pd.Index(pools["council_code"])), pools["kind"].isin(STATE_KINDS).to_numpy()
    located = np.append(~pools["kind"].str.startswith("unlocated").to_numpy(), [False])[stays.pool]
    rows = np.nonzero(located)[0]
    pool, home = stays.pool[rows], problem.demand.origin_owner[stays.area[rows]]
    pupils = np.zeros((len(problem.owners), len(standing), 2, len(case.academic_years)))
    np.add.at(pupils, (home, where[pool], np.where(state[pool], 0, 1)), stays.pupils[rows])
    pupils[pd.Index(problem.owners).to_numpy()[:, None] == standing.to_numpy()[None, :]] = 0.0
    h, p, sector, t = np.nonzero(pupils > 1e-9)
    found = pupils[h, p, sector, t]
    rate = case.assumptions.number("revenue.import_export_adjustment")
    table = {
        "home_council": np.array(problem.owners, object)[h],
        "provider_council": standing.to_numpy()[p],
        "sector": np.array(["state", "independent"], object)[sector],
        "academic_year": np.array(case.academic_years, object)[t],
        "pupils": found,
        "adjustment_gbp": np.where(sector == 0, rate * found, 0.0),
    }
    return pd.DataFrame(table) if len(h) else frame("ledger", [])


def block_table(formulation: Formulation, stays: Stays, latent: Floats) -> pd.DataFrame:
    """Each council's high needs block by financial year: what its placed pupils cost, and the deficit that follows."""
    case = formulation.case
    years = [financial_year(start_of(year)) for year in case.academic_years]
    yearly = _block_by_academic_year(formulation, stays, latent)
    entered = case.high_needs.set_index(["council_code", "financial_year"])
    rows: list[dict[str, object]] = []
    for owner, council in enumerate(formulation.demand.councils):
        deficit = _brought_forward(case.high_needs, council)
        for f, year in enumerate(years):
            spend = {name: FROM_APRIL * value[owner, f] + (1 - FROM_APRIL) * value[owner, f + 1] for name, value in yearly.items()}
            known: Any = entered.loc[(council, year)] if (council, year) in entered.index else None
            other = 0.0 if known is None else float(known["other_spend_gbp"])
            total = sum(spend.values())
            balance = np.nan if known is None else float(known["block_gbp"]) - total - other
            deficit -= balance
            rows.append(
                {
                    "council_code": council,
                    "financial_year": year,
                    **spend,
                    "spend_gbp": total,
                    "other_spend_gbp": other,
                    "block_gbp": np.nan if known is None else float(known["block_gbp"]),
                    "balance_gbp": balance,
                    "cumulative_deficit_gbp": deficit,
                    "deficit_programme": None if known is None else known["deficit_programme"],
                }
            )
    return frame("high_needs_block", rows)


def _brought_forward(table: pd.DataFrame, council: str) -> float:
    """Deficit at the start of a council's first year; 0 where none is entered."""
    given = table.loc[table["council_code"] == council, "deficit_brought_forward_gbp"].dropna()
    return float(given.iloc[0]) if len(given) else 0.0


def _block_by_academic_year(formulation: Formulation, stays: Stays, latent: Floats) -> dict[str, Floats]:
    """(L, 1 + T) GBP of each part by council of residence; the base year first."""
    case, problem, pools, base = formulation.case, formulation.problem, formulation.pools, formulation.base_journeys
    classes = formulation.demand.classes
    area = np.concatenate([base["area"].to_numpy(), stays.area])
    cls = np.concatenate([base["cls"].to_numpy(), stays.cls])
    pool = np.concatenate([base["pool"].to_numpy(), stays.pool])
    pupils = np.zeros((len(area), 1 + len(problem.periods)))
    pupils[: len(base), 0] = base["pupils"]
    pupils[len(base) :, 1:] = stays.pupils
    placed = pool < len(pools)
    area, cls, pool, pupils = area[placed], cls[placed], pool[placed], pupils[placed]
    kind = pools["kind"].to_numpy()[pool]
    home = problem.demand.origin_owner[area]
    cost = formulation.place_cost[classes["family"].to_numpy()[cls], pool]
    funding = pd.Series(kind).map(case.assumptions.table("revenue.place_funding")).fillna(0.0).to_numpy(float)
    funding = funding * places_per_pupil(case, classes)[cls]
    state = np.isin(kind, list(STATE_KINDS))
    councils = pd.Index(problem.owners)
    standing = councils.get_indexer(pd.Index(pools["council_code"].to_numpy()[pool]))
    follows = case.assumptions.number("revenue.import_export_adjustment") * pupils * (state & (standing != home))[:, None]

    def by_council(owner: NDArray[np.int64], values: Floats) -> Floats:
        here = owner >= 0
        return np.stack([np.bincount(owner[here], year, len(councils)) for year in values[here].T], axis=1)

    drawn = np.zeros((len(councils), 1 + len(problem.periods)))
    extra = formulation.place_cost.T - case.assumptions.number("displacement.mainstream_cost")
    np.add.at(drawn[:, 1:], problem.pools.owner, (latent * extra[:, :, None]).sum(axis=1))
    return {
        "place_funding_gbp": by_council(home, np.where(state, funding, 0.0)[:, None] * pupils),
        "top_up_gbp": by_council(home, np.where(state, cost - funding, 0.0)[:, None] * pupils),
        "fees_gbp": by_council(home, np.where(state, 0.0, cost)[:, None] * pupils),
        "from_mainstream_gbp": drawn,
        "import_export_gbp": by_council(home, follows) - by_council(standing, follows),
    }
