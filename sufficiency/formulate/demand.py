"""Who needs a place, and how much of it new places may take from independent ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from solver.problem import Demand, Displacement
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import places_per_pupil


def demand_of(case: Case, demand: DemandClasses) -> Demand:
    labels = tuple(demand.classes[["need_group", "severity", "phase", "route"]].agg("/".join, axis=1))
    load = places_per_pupil(case, demand.classes)
    return Demand(
        origins=tuple(demand.areas["area_id"]),
        origin_owner=pd.Index(demand.councils).get_indexer(pd.Index(demand.areas["council_code"])).astype(np.int64),
        classes=labels,
        class_family=demand.classes["family"].to_numpy(np.int64),
        entrants=demand.entrants,
        survival=demand.retention,
        unmet_cost=np.full(len(labels), case.assumptions.number("unmet.weight")),
        load=None if (load == 1.0).all() else load,
    )


def displacement_of(case: Case, demand: DemandClasses) -> Displacement:
    overrides = case.assumptions.table("displacement.share_by_need_group")
    default = case.assumptions.number("displacement.share")
    share = np.array(
        [overrides.get(f"{g}.{p}", overrides.get(g, default)) for g, p in demand.families[["need_group", "phase"]].itertuples(index=False)]
    )
    latent = case.assumptions.number("displacement.latent_share_of_mainstream") * demand.mainstream
    shape = (len(demand.councils), len(demand.families), len(case.academic_years))
    return Displacement(share, np.zeros(shape), latent, case.assumptions.number("displacement.latent_net_cost"))
