"""Journeys: from areas to pools, and those of base-year pupils."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import Links
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import Appraisal, journey_gbp, places_per_pupil, social_gbp
from sufficiency.formulate.places import UNLOCATED

Floats = NDArray[np.float64]


def links_of(case: Case, demand: DemandClasses, pools: pd.DataFrame, reachable: pd.DataFrame) -> tuple[Links, Floats, Floats]:
    """Journeys from each area to the pools at each site, with km and social cost; unlocated pools serve their own council's areas."""
    areas = pd.Index(demand.areas["area_id"])
    sites = pd.Index(pools["site_id"].unique())
    site = sites.get_indexer(pd.Index(reachable["site_id"]))
    area = areas.get_indexer(pd.Index(reachable["area_id"]))
    keep = (site >= 0) & (area >= 0)
    # every pool of a site shares its journeys
    pool_site = sites.get_indexer(pd.Index(pools["site_id"]))
    by_site = np.argsort(pool_site, kind="stable")
    first = np.searchsorted(pool_site[by_site], np.arange(len(sites) + 1))
    site, area = site[keep], area[keep]
    counts = first[site + 1] - first[site]
    row = np.repeat(np.arange(len(site)), counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    pool = by_site[first[site[row]] + offset]
    minutes = reachable["minutes"].to_numpy(float)[keep][row]
    km = reachable["km"].to_numpy(float)[keep][row]
    sharing = reachable["sharing"].to_numpy(float)[keep][row]
    origin = area[row]
    located = ~pools["kind"].isin(UNLOCATED).to_numpy()
    unlocated_independent = (pools["kind"] == "unlocated_independent").to_numpy()
    keep = located[pool]
    council = case.councils.set_index("council_code")
    far_origin, far_pool, far_km = [], [], []
    for i in np.nonzero(~located)[0]:
        mine = np.nonzero(demand.areas["council_code"].to_numpy() == pools["council_code"][i])[0]
        far_origin.append(mine)
        far_pool.append(np.full(len(mine), i))
        distance = float(council["unlocated_km"].get(pools["council_code"][i], 0.0)) if pools["kind"][i] == "unlocated_independent" else 0.0
        far_km.append(np.full(len(mine), distance))
    origin = np.concatenate([origin[keep], *far_origin])
    pool = np.concatenate([pool[keep], *far_pool])
    km = np.concatenate([km[keep], *far_km])
    homes = demand.areas["council_code"].to_numpy()[origin]
    unlocated = len(km) - int(keep.sum())
    minutes = np.concatenate([minutes[keep], np.zeros(unlocated)])
    far = council["unlocated_minutes"].reindex(homes).to_numpy(float)
    travelled = np.where(unlocated_independent[pool], far, minutes)
    sharing = np.concatenate([sharing[keep], np.full(unlocated, case.assumptions.number("travel.shared_factor"))])
    order = np.lexsort((pool, origin))
    classes = demand.classes
    factor, limit = _travel_by_class(case, classes)
    soft = case.assumptions.number("travel.soft_extra_min")
    social = social_gbp(case, travelled[order], km[order], sharing[order])
    links = Links(
        start=np.searchsorted(origin[order], np.arange(len(areas) + 1)).astype(np.int64),
        pool=pool[order].astype(np.int64),
        cost=journey_gbp(case, km[order], sharing[order]) + (social if case.perspective == "social" else 0.0),
        minutes=minutes[order],
        class_factor=factor,
        class_limit=limit,
        class_reach=limit + soft,
        excess_cost=case.assumptions.number("travel.excess_weight"),
    )
    return links, km[order], social


def _travel_by_class(case: Case, classes: pd.DataFrame) -> tuple[Floats, Floats]:
    """(C,) transport factor and (C,) time limit in minutes."""
    carried, need = case.assumptions.table("travel.transported_share"), case.assumptions.table("travel.need_factor")
    limit = case.assumptions.table("travel.limit_min")
    factor = np.array([carried.get(p, 1.0) * need.get(g, 1.0) for g, p in zip(classes["need_group"], classes["phase"], strict=True)])
    factor = factor * places_per_pupil(case, classes)
    return factor, np.array([limit.get(p, 75.0) for p in classes["phase"]])


def base_journeys(case: Case, demand: DemandClasses, pools: pd.DataFrame, reachable: pd.DataFrame) -> pd.DataFrame:
    """Base-year pupils with their journeys; one that the travel table lacks takes the council's unlocated journey."""
    base = demand.base.assign(pool=pd.Index(pools["pool_id"]).get_indexer(pd.Index(demand.base["pool_id"])))
    area, pool = demand.areas.iloc[base["area"]], pools.iloc[base["pool"]]
    key = pd.MultiIndex.from_arrays([area["area_id"], pool["site_id"]])
    travel = reachable.set_index(["area_id", "site_id"])[["minutes", "km", "sharing"]].reindex(key)
    council = case.councils.set_index("council_code").reindex(area["council_code"])
    kind = pool["kind"].to_numpy()
    far = travel["km"].isna().to_numpy()
    minutes = np.where(far, council["unlocated_minutes"].to_numpy(float), travel["minutes"].to_numpy(float))
    km = np.where(far, council["unlocated_km"].to_numpy(float), travel["km"].to_numpy(float))
    sharing = travel["sharing"].fillna(case.assumptions.number("travel.shared_factor")).to_numpy(float)
    at_home = kind == "unlocated_ap"
    return base.assign(minutes=np.where(at_home, 0.0, minutes), km=np.where(at_home, 0.0, km), sharing=sharing)


def base_yearly_costs(case: Case, demand: DemandClasses, base: pd.DataFrame, cost: Floats, kinds: pd.Series) -> dict[str, Floats]:
    """(rows,) place, travel, social and excess cost of one year of each base row, GBP."""
    classes = demand.classes.iloc[base["cls"]]
    factor, limit = _travel_by_class(case, classes)
    excess = np.where(kinds.iloc[base["pool"]].isin(UNLOCATED), 0.0, np.maximum(0.0, base["minutes"].to_numpy(float) - limit))
    return {
        "place": cost[classes["family"].to_numpy(), base["pool"].to_numpy()],
        "travel": factor * journey_gbp(case, base["km"].to_numpy(float), base["sharing"].to_numpy(float)),
        "social": factor * social_gbp(case, base["minutes"].to_numpy(float), base["km"].to_numpy(float), base["sharing"].to_numpy(float)),
        "excess": case.assumptions.number("travel.excess_weight") * excess,
    }


def base_cost(case: Case, demand: DemandClasses, pools: pd.DataFrame, base: pd.DataFrame, cost: Floats, money: Appraisal) -> float:
    """Present value of base-year pupils' places and journeys: the same whatever is built."""
    yearly = base_yearly_costs(case, demand, base, cost, pools["kind"])
    years = np.arange(1, len(case.academic_years) + 1)
    stays = (demand.retention[base["cls"]][:, None] ** years) @ money.weight
    each = yearly["place"] + yearly["travel"] + yearly["excess"]
    if case.perspective == "social":
        each = each + yearly["social"]
    return float(each @ (stays * base["pupils"].to_numpy(float)))
