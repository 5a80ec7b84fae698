"""Limits on flows that bend at a price: agreed caps across borders, equity floors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.requirements import Measure, Measures, Quotas
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import Appraisal, places_per_pupil
from sufficiency.requests.equity import group_names

Floats = NDArray[np.float64]

MEASURES = {"unmet": Measure.UNMET, "minutes": Measure.MINUTES}


def quotas_of(case: Case, demand: DemandClasses, pools: pd.DataFrame, state: NDArray[np.bool_], base: pd.DataFrame) -> Quotas | None:
    """Most pupils of a council in state places that stand in another, less those of the base January who are still there."""
    borders = case.borders
    if borders.empty:
        return None
    providers = sorted(borders["provider_council"].unique())
    standing = pd.Index(providers).get_indexer(pd.Index(pools["council_code"]))
    group = np.where(state, standing, -1).astype(np.int64)
    limit = np.full((len(demand.councils), len(providers), len(case.academic_years)), np.inf)
    general = borders["academic_year"] == "any"
    for rows in (borders[general], borders[~general]):  # a year's own row counts before the one for any year
        records: Iterable[Any] = rows.itertuples(index=False)
        for row in records:
            if row.home_council not in demand.councils or row.academic_year not in ("any", *case.academic_years):
                continue
            years = slice(None) if row.academic_year == "any" else case.academic_years.index(row.academic_year)
            limit[demand.councils.index(row.home_council), providers.index(row.provider_council), years] = row.most_pupils
    home = pd.Index(demand.councils).get_indexer(pd.Index(demand.areas["council_code"]))[base["area"]]
    age = np.arange(1, len(case.academic_years) + 1)
    places = base["pupils"].to_numpy(float) * places_per_pupil(case, demand.classes)[base["cls"]]
    stays = places[:, None] * demand.retention[base["cls"]][:, None] ** age
    held = np.zeros_like(limit)
    there = group[base["pool"]]
    np.add.at(held, (home[there >= 0], there[there >= 0]), stays[there >= 0])
    return Quotas(group, np.maximum(limit - held, 0.0), case.assumptions.number("borders.weight"))


def measures_of(case: Case, demand: DemandClasses, money: Appraisal) -> Measures | None:
    """Equity floors: a group's weighted total is at most (1 + x) times its share of demand of the total of all.

    Unmet need and minutes are compared per pupil of demand: ``sum over g - (1 + x) D[g] / D sum over all <= 0``.
    """
    if case.equity.empty:
        return None
    demand_of = _present(demand).sum(axis=1) @ money.weight
    labels, kinds, weights, costs = [], [], [], []
    floors: Iterable[Any] = case.equity.itertuples(index=False)
    for floor in floors:
        groups = group_names(case, floor.by).reindex(demand.areas["area_id"]).to_numpy()
        for name in sorted(set(groups)):
            inside = groups == name
            share = demand_of[inside].sum() / demand_of.sum()
            labels.append(label_of(name, floor.measure, floor.within_share))
            kinds.append(MEASURES[floor.measure])
            weights.append(inside - (1.0 + floor.within_share) * share)
            costs.append(case.assumptions.number(f"equity.weight_{floor.measure}"))
    return Measures(tuple(labels), tuple(kinds), np.array(weights), np.zeros(len(labels)), np.array(costs))


def _present(demand: DemandClasses) -> Floats:
    """(Z, C, T) pupils who entered in a planning year and are still there, placed or not."""
    result = np.zeros_like(demand.entrants)
    there = np.zeros(demand.entrants.shape[:2])
    for t in range(demand.entrants.shape[2]):
        there = demand.retention[None, :] * there + demand.entrants[:, :, t]
        result[:, :, t] = there
    return result


def label_of(group: str, measure: str, within: float) -> str:
    """A floor in words."""
    what = {"unmet": "share of pupils without a place", "minutes": "mean journey"}[measure]
    return f"{group}: {what} at most {within:.0%} above average"
