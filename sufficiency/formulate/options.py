"""Projects as options: sizes, starts, spending, and what they do to places."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import Options
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import Appraisal, capital_factor
from sufficiency.terms import PROJECT_KINDS, start_of

Ints = NDArray[np.int64]


def buildable(case: Case, money: Appraisal) -> pd.DataFrame:
    """Projects that can open within the horizon: not forbidden, nor waiting for one that is."""
    projects = case.projects[case.projects["decision"] != "forbidden"]
    last = start_of(case.academic_years[-1])
    opens = projects["earliest_start"].map(start_of).clip(lower=money.first_year) + projects["lead_time_years"]
    projects = projects[(opens <= last) | (projects["decision"] == "committed")]
    while True:
        waits = projects["prerequisite"].notna() & ~projects["prerequisite"].isin(projects["project_id"])
        if not waits.any():
            return projects.reset_index(drop=True)
        projects = projects[~waits]


def options_of(case: Case, demand: DemandClasses, pools: pd.DataFrame, projects: pd.DataFrame, money: Appraisal) -> Options:
    pool_of = pd.Index(pools["pool_id"])
    first_open = start_of(case.academic_years[0])
    last_open = start_of(case.academic_years[-1])
    module = projects["module_places"].to_numpy(float)
    adds = (projects["max_places"] > 0).to_numpy()
    least = np.where(adds, np.maximum(1, np.ceil(projects["min_places"] / module)), 0)
    most = np.floor(projects["max_places"] / module)
    committed = (projects["decision"] == "committed").to_numpy()
    option, year, opens, committed_start = _starts(projects, committed, money, first_open, last_open)
    built = projects.iloc[option].reset_index(drop=True)
    factor = capital_factor(case, money, built["life_years"].to_numpy(int), built["spend_profile"].tolist(), year, opens)
    uplift = 1 + built["optimism_bias"].to_numpy(float)
    per_module = built["cost_per_place_gbp"].to_numpy(float) * built["module_places"].to_numpy(float) * uplift
    fixed, stage = built["fixed_cost_gbp"].to_numpy(float) * uplift, built["stage_cost_gbp"].to_numpy(float) * uplift
    profile = money.profile(built["spend_profile"].tolist(), year)
    groups = pd.factorize(projects["exclusive_group"])[0]
    return Options(
        labels=tuple(projects["project_id"]),
        owner=pd.Index(demand.councils).get_indexer(pd.Index(projects["council_code"])).astype(np.int64),
        kind=pd.Index(list(PROJECT_KINDS)).get_indexer(pd.Index(projects["kind"])).astype(np.int64),
        pool=pool_of.get_indexer(pd.Index(projects["project_id"])).astype(np.int64),
        module=module,
        min_modules=least.astype(np.int64),
        max_modules=most.astype(np.int64),
        max_stages=projects["max_stages"].to_numpy(np.int64),
        source_pool=np.where(projects["from_pool_id"].notna(), pool_of.get_indexer(pd.Index(projects["from_pool_id"])), -1).astype(
            np.int64
        ),
        removed=projects["places_removed"].to_numpy(float),
        kept=projects["places_kept"].to_numpy(float),
        exclusive=groups.astype(np.int64),
        prerequisite=pd.Index(projects["project_id"]).get_indexer(pd.Index(projects["prerequisite"])).astype(np.int64),
        committed_start=committed_start.astype(np.int64),
        committed_modules=np.where(committed, np.round(projects["committed_places"].fillna(0.0) / module), 0).astype(np.int64),
        start_option=option,
        start_year=year - money.first_budget_year,
        start_opens=opens,
        fixed_cost=fixed * factor,
        module_cost=per_module * factor,
        stage_cost=stage * factor,
        fixed_spend=fixed[:, None] * profile,
        module_spend=per_module[:, None] * profile,
        stage_spend=stage[:, None] * profile,
    )


def _starts(projects: pd.DataFrame, committed: NDArray[np.bool_], money: Appraisal, first: int, last: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Every start that opens within the horizon: option, calendar year, planning year of opening; and each commitment's start or -1."""
    rows: list[tuple[int, int, int]] = []
    held = np.full(len(projects), -1, np.int64)
    for j, project in enumerate(projects.to_dict("records")):
        lead = int(project["lead_time_years"])
        if committed[j]:
            years = range(start_of(project["committed_start"]), start_of(project["committed_start"]) + 1)
        else:
            years = range(max(start_of(project["earliest_start"]), money.first_year), last - lead + 1)
        for year in years:
            if year + lead <= last:
                held[j] = len(rows) if committed[j] else -1
                rows.append((j, year, max(0, year + lead - first)))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2], held
