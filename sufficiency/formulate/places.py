"""Pools of places: who holds them, how many there are each year, whom they accept."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import EXISTING, NEW, OUTSIDE, Pools
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import places_per_pupil
from sufficiency.suitability import designated_groups, suited
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import INDEPENDENT_KINDS, split_codes, start_of

Floats = NDArray[np.float64]

STATE_KINDS: Final = frozenset({"state_special", "resourced_provision", "ap"})
UNLOCATED: Final = frozenset({"unlocated_independent", "unlocated_ap"})


def pools_of(case: Case, projects: pd.DataFrame) -> pd.DataFrame:
    settings = case.settings.set_index("setting_id")
    existing = case.pools.assign(
        site_id=case.pools["setting_id"],
        kind=case.pools["setting_id"].map(settings["kind"]),
        council_code=case.pools["setting_id"].map(settings["council_code"]),
        project_id=None,
    )
    if existing["kind"].isna().any():
        row = existing.index[existing["kind"].isna()][0]
        raise InputError(
            [InputProblem("pools.csv", "setting is not in settings.csv", "Add the setting.", row=int(row) + 2, column="setting_id")]
        )
    adding = projects[projects["max_places"] > 0]
    new = pd.DataFrame(
        {
            "pool_id": adding["project_id"],
            "site_id": adding["site_id"],
            "need_groups": adding["need_groups"],
            "phases": adding["phases"],
            "places": 0.0,
            "growth_per_year": 0.0,
            "place_cost_gbp_per_year": adding["place_cost_gbp_per_year"],
            "places_at_risk": 0.0,
            "kind": adding["provision"],
            "council_code": adding["council_code"],
            "project_id": adding["project_id"],
            "committed": adding["decision"] == "committed",
            "improved": False,
        }
    )
    new = pd.concat([new, _improved_pools(existing, projects)], ignore_index=True)
    columns = ["pool_id", "site_id", "kind", "council_code", "project_id", "need_groups", "phases", "places", "growth_per_year"]
    columns += ["place_cost_gbp_per_year", "places_at_risk", "at_risk_from"]
    flags = {name: lambda pools, name=name: pools[name].fillna(value=False).astype(bool) for name in ("committed", "improved")}
    pools = pd.concat([existing[columns], new.reindex(columns=[*columns, "committed", "improved"])], ignore_index=True)
    return pools.assign(**flags, is_new=pools["project_id"].notna())


def _improved_pools(existing: pd.DataFrame, projects: pd.DataFrame) -> pd.DataFrame:
    """Places of a pool that an improvement opens to other need groups or runs at another cost: a pool of their own at the same site."""
    better = projects[projects["places_improved"] > 0]
    source = existing.set_index("pool_id").reindex(better["from_pool_id"]).reset_index(drop=True)
    better = better.reset_index(drop=True)
    return pd.DataFrame(
        {
            "pool_id": better["project_id"],
            "site_id": source["site_id"],
            "need_groups": designated_groups(better),
            "phases": better["phases"],
            "places": 0.0,
            "growth_per_year": 0.0,
            "place_cost_gbp_per_year": better["place_cost_gbp_per_year"].fillna(source["place_cost_gbp_per_year"]),
            "places_at_risk": 0.0,
            "kind": source["kind"],
            "council_code": source["council_code"],
            "project_id": better["project_id"],
            "committed": better["decision"] == "committed",
            "improved": True,
        }
    )


def places_of(case: Case, demand: DemandClasses, pools: pd.DataFrame, base: pd.DataFrame) -> Floats:
    """(P, T) places by year without any open project; committed ones come in through their options."""
    years = np.arange(1, len(case.academic_years) + 1)
    places = pools["places"].to_numpy(float)[:, None] * (1 + pools["growth_per_year"].to_numpy(float)[:, None]) ** years
    starts = np.array([start_of(year) for year in case.academic_years])
    risk_from = pools["at_risk_from"].map(lambda year: start_of(year) if isinstance(year, str) else 10_000).to_numpy()
    places = places - pools["places_at_risk"].to_numpy(float)[:, None] * (starts[None, :] >= risk_from[:, None])
    return np.where(
        pools["kind"].isin(UNLOCATED).to_numpy()[:, None], _unlocated_places(case, demand, pools, base), np.maximum(places, 0.0)
    )


def _unlocated_places(case: Case, demand: DemandClasses, pools: pd.DataFrame, base: pd.DataFrame) -> Floats:
    """(P, T) cap of unlocated pools: (today's unlocated share of the stream + the assumption) x demand of the year."""
    owner = pd.Index(demand.councils).get_indexer(pd.Index(demand.areas["council_code"]))
    is_ap = (demand.classes["need_group"] == "AP").to_numpy()
    cap = case.assumptions.number("independent.unlocated_cap")
    result = np.zeros((len(pools), len(case.academic_years)))
    base_owner = owner[base["area"]]
    base_ap = is_ap[base["cls"]]
    unlocated = pools["kind"].isin(UNLOCATED).to_numpy()[base["pool"]]
    pupils = base["pupils"].to_numpy(float)
    for i, (kind, council) in enumerate(zip(pools["kind"], pools["council_code"], strict=True)):
        if kind not in UNLOCATED:
            continue
        home = demand.councils.index(council) if council in demand.councils else -1
        ap = kind == "unlocated_ap"
        mine = (base_owner == home) & (base_ap == ap)
        total = pupils[mine].sum()
        share = pupils[mine & unlocated].sum() / total if total > 0 else 0.0
        classes = is_ap if ap else ~is_ap
        result[i] = (share + cap) * demand.demand[owner == home][:, classes].sum(axis=(0, 1))
    return result


def held_by_base(case: Case, demand: DemandClasses, pools: pd.DataFrame, base: pd.DataFrame) -> Floats:
    """(P, T) places held by base-year pupils who are still there."""
    years = np.arange(1, len(case.academic_years) + 1)
    taken = base["pupils"].to_numpy(float) * places_per_pupil(case, demand.classes)[base["cls"]]
    stays = taken[:, None] * demand.retention[base["cls"]][:, None] ** years
    held = np.zeros((len(pools), len(years)))
    np.add.at(held, base["pool"].to_numpy(), stays)
    return held


def accepts_of(case: Case, demand: DemandClasses, pools: pd.DataFrame) -> NDArray[np.bool_]:
    """(C, P) group and phase listed, kind suitable, route respected."""
    suits = suited(case)
    result = np.zeros((len(demand.classes), len(pools)), bool)
    groups = [set(split_codes(cell)) for cell in pools["need_groups"]]
    phases = [set(split_codes(cell)) for cell in pools["phases"]]
    kinds = pools["kind"].tolist()
    for c, row in enumerate(demand.classes.itertuples()):
        for i, kind in enumerate(kinds):
            result[c, i] = (
                row.need_group in groups[i]
                and row.phase in phases[i]
                and (kind, row.need_group, row.severity, row.phase) in suits
                and (row.route == "any" or kind in INDEPENDENT_KINDS)
            )
    return result


def pool_arrays(
    case: Case, demand: DemandClasses, pools: pd.DataFrame, places: Floats, held: Floats, accepts: NDArray[np.bool_], cost: Floats
) -> Pools:
    state = (pools["kind"].isin(STATE_KINDS) & ~pools["is_new"]).to_numpy()
    share = np.where(state, case.assumptions.number("overcrowding.limit_share"), 0.0)
    overflow = np.maximum(np.maximum(share[:, None] * places, held - places), 0.0)
    opened = pools["is_new"] & ~pools["committed"] & ~pools["improved"]
    role = np.where(pools["kind"].isin(INDEPENDENT_KINDS), OUTSIDE, np.where(opened, NEW, EXISTING))
    return Pools(
        labels=tuple(pools["pool_id"]),
        owner=pd.Index(demand.councils).get_indexer(pd.Index(pools["council_code"])).astype(np.int64),
        role=role.astype(np.int64),
        capacity=places - held,
        overflow_limit=np.where(pools["is_new"].to_numpy()[:, None], 0.0, overflow),
        overflow_cost=case.assumptions.number("overcrowding.weight"),
        accepts=accepts,
        unit_cost=cost[demand.classes["family"].to_numpy()],
    )


def crowd_of(projects: pd.DataFrame, pools: pd.DataFrame, places: Floats, held: Floats) -> Floats:
    """(J, T) share of the places of the pool that each project changes, those it keeps included, which base-year pupils still hold."""
    source = pd.Index(pools["pool_id"]).get_indexer(pd.Index(projects["from_pool_id"]))
    there = places[source] + projects["places_kept"].to_numpy(float)[:, None]
    share = np.minimum(np.divide(held[source], there, out=np.ones_like(there), where=there > 0), 1.0)
    return np.where((source >= 0)[:, None], share, 0.0)
