"""Case and request to solver.Problem: the only translation between tables and arrays.

Every array is built by joining ids; docs/formulation.md says what each means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import EXISTING, NEW, OUTSIDE, Demand, Displacement, Funds, Links, Options, Pools, Problem
from solver.result import Flows
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses, demand_classes
from sufficiency.finance import Appraisal, appraisal, capital_factor, journey_gbp, place_gbp
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import INDEPENDENT_KINDS, PROJECT_KINDS, split_codes, start_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STATE_KINDS = frozenset({"state_special", "resourced_provision", "ap"})
UNLOCATED = frozenset({"unlocated_independent", "unlocated_ap"})


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
    base_journeys: pd.DataFrame
    """Rows of ``demand.base`` with pool (row), minutes, km"""
    problem: Problem


def formulate(case: Case, scenario: str = "central") -> Formulation:
    """The case as arrays, without a displacement floor (see ``with_floor``). Raises InputError."""
    money = appraisal(case)
    demand = demand_classes(case, scenario)
    projects = _buildable(case, money)
    pools = _pools(case, projects)
    base = _base_journeys(case, demand, pools)
    places = _places(case, demand, pools, base)
    held = _held_by_base(case, demand, pools, base)
    cost = place_gbp(case, demand.families, pools)
    accepts = _accepts(case, demand, pools)
    links, link_km = _links(case, demand, pools)
    problem = Problem(
        periods=case.academic_years,
        weight=money.weight,
        owners=demand.councils,
        families=tuple(demand.families.agg("/".join, axis=1)),
        years=money.financial_years,
        demand=_demand(case, demand),
        pools=_pool_arrays(case, demand, pools, places, held, accepts, cost),
        links=links,
        displacement=_displacement(case, demand),
        options=_options(case, demand, pools, projects, money),
        funds=_funds(case, demand, money),
        constant=_base_cost(case, demand, pools, base, cost, money),
    )
    return Formulation(case, scenario, money, demand, pools, projects, places, cost, link_km, base, problem)


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


def _buildable(case: Case, money: Appraisal) -> pd.DataFrame:
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


def _pools(case: Case, projects: pd.DataFrame) -> pd.DataFrame:
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
        }
    )
    columns = ["pool_id", "site_id", "kind", "council_code", "project_id", "need_groups", "phases", "places", "growth_per_year"]
    columns += ["place_cost_gbp_per_year", "places_at_risk", "at_risk_from"]
    pools = pd.concat([existing[columns], new.reindex(columns=[*columns, "committed"])], ignore_index=True)
    return pools.assign(committed=pools["committed"].fillna(value=False).astype(bool), is_new=pools["project_id"].notna())


def _places(case: Case, demand: DemandClasses, pools: pd.DataFrame, base: pd.DataFrame) -> Floats:
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


def _held_by_base(case: Case, demand: DemandClasses, pools: pd.DataFrame, base: pd.DataFrame) -> Floats:
    """(P, T) places held by base-year pupils who are still there."""
    years = np.arange(1, len(case.academic_years) + 1)
    stays = base["pupils"].to_numpy(float)[:, None] * demand.retention[base["cls"]][:, None] ** years
    held = np.zeros((len(pools), len(years)))
    np.add.at(held, base["pool"].to_numpy(), stays)
    return held


def _accepts(case: Case, demand: DemandClasses, pools: pd.DataFrame) -> NDArray[np.bool_]:
    """(C, P) group and phase listed, kind suitable, route respected."""
    suits = {(row.kind, row.need_group, row.severity) for row in case.suitability.itertuples() if row.suitable}
    result = np.zeros((len(demand.classes), len(pools)), bool)
    groups = [set(split_codes(cell)) for cell in pools["need_groups"]]
    phases = [set(split_codes(cell)) for cell in pools["phases"]]
    kinds = pools["kind"].tolist()
    for c, row in enumerate(demand.classes.itertuples()):
        for i, kind in enumerate(kinds):
            result[c, i] = (
                row.need_group in groups[i]
                and row.phase in phases[i]
                and (kind, row.need_group, row.severity) in suits
                and (row.route == "any" or kind in INDEPENDENT_KINDS)
            )
    return result


def _demand(case: Case, demand: DemandClasses) -> Demand:
    labels = tuple(demand.classes[["need_group", "severity", "phase", "route"]].agg("/".join, axis=1))
    return Demand(
        origins=tuple(demand.areas["area_id"]),
        origin_owner=pd.Index(demand.councils).get_indexer(pd.Index(demand.areas["council_code"])).astype(np.int64),
        classes=labels,
        class_family=demand.classes["family"].to_numpy(np.int64),
        entrants=demand.entrants,
        survival=demand.retention,
        unmet_cost=np.full(len(labels), case.assumptions.number("unmet.weight")),
    )


def _pool_arrays(
    case: Case, demand: DemandClasses, pools: pd.DataFrame, places: Floats, held: Floats, accepts: NDArray[np.bool_], cost: Floats
) -> Pools:
    state = (pools["kind"].isin(STATE_KINDS) & ~pools["is_new"]).to_numpy()
    share = np.where(state, case.assumptions.number("overcrowding.limit_share"), 0.0)
    overflow = np.maximum(np.maximum(share[:, None] * places, held - places), 0.0)
    role = np.where(pools["kind"].isin(INDEPENDENT_KINDS), OUTSIDE, np.where(pools["is_new"] & ~pools["committed"], NEW, EXISTING))
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


def _links(case: Case, demand: DemandClasses, pools: pd.DataFrame) -> tuple[Links, Floats]:
    """Journeys from each area to the pools at each site, with their km; unlocated pools are linked to their own council's areas."""
    areas = pd.Index(demand.areas["area_id"])
    reachable = case.travel[case.travel["status"] != "unreachable"]
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
    origin = area[row]
    located = ~pools["kind"].isin(UNLOCATED).to_numpy()
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
    minutes = np.concatenate([minutes[keep], np.zeros(len(km) - int(keep.sum()))])
    order = np.lexsort((pool, origin))
    classes = demand.classes
    factor, limit = _travel_by_class(case, classes)
    soft = case.assumptions.number("travel.soft_extra_min")
    links = Links(
        start=np.searchsorted(origin[order], np.arange(len(areas) + 1)).astype(np.int64),
        pool=pool[order].astype(np.int64),
        cost=journey_gbp(case, km[order]),
        minutes=minutes[order],
        class_factor=factor,
        class_limit=limit,
        class_reach=limit + soft,
        excess_cost=case.assumptions.number("travel.excess_weight"),
    )
    return links, km[order]


def _travel_by_class(case: Case, classes: pd.DataFrame) -> tuple[Floats, Floats]:
    """(C,) transport factor and (C,) time limit in minutes."""
    carried, need = case.assumptions.table("travel.transported_share"), case.assumptions.table("travel.need_factor")
    limit = case.assumptions.table("travel.limit_min")
    factor = np.array([carried.get(p, 1.0) * need.get(g, 1.0) for g, p in zip(classes["need_group"], classes["phase"], strict=True)])
    return factor, np.array([limit.get(p, 75.0) for p in classes["phase"]])


def _displacement(case: Case, demand: DemandClasses) -> Displacement:
    overrides = case.assumptions.table("displacement.share_by_need_group")
    default = case.assumptions.number("displacement.share")
    share = np.array(
        [overrides.get(f"{g}.{p}", overrides.get(g, default)) for g, p in demand.families[["need_group", "phase"]].itertuples(index=False)]
    )
    latent = case.assumptions.number("displacement.latent_share_of_mainstream") * demand.mainstream
    shape = (len(demand.councils), len(demand.families), len(case.academic_years))
    return Displacement(share, np.zeros(shape), latent, case.assumptions.number("displacement.latent_net_cost"))


def _options(case: Case, demand: DemandClasses, pools: pd.DataFrame, projects: pd.DataFrame, money: Appraisal) -> Options:
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


def _funds(case: Case, demand: DemandClasses, money: Appraisal) -> Funds:
    labels = sorted(case.funds["fund_id"].unique())
    kinds = list(PROJECT_KINDS)
    amount = np.zeros((len(labels), len(money.financial_years)))
    carry = np.ones_like(amount)
    eligible = np.zeros((len(labels), len(demand.councils), len(kinds)), bool)
    for g, label in enumerate(labels):
        rows = case.funds[case.funds["fund_id"] == label].sort_values("financial_year")
        carry[g] = rows["carry_forward_share"].iloc[-1]
        for row in rows.itertuples():
            f = money.financial_years.index(row.financial_year)
            amount[g, f] += row.amount_gbp
            carry[g, f] = row.carry_forward_share
        named = kinds if "any" in split_codes(rows["eligible_kinds"].iloc[0]) else split_codes(rows["eligible_kinds"].iloc[0])
        for council in split_codes(rows["councils"].iloc[0]):
            if council in demand.councils:
                eligible[g, demand.councils.index(council), [kinds.index(kind) for kind in named]] = True
    return Funds(tuple(labels), amount, eligible, carry)


def _base_journeys(case: Case, demand: DemandClasses, pools: pd.DataFrame) -> pd.DataFrame:
    """Base-year pupils with their journeys; one that the travel table lacks takes the council's unlocated journey."""
    base = demand.base.assign(pool=pd.Index(pools["pool_id"]).get_indexer(pd.Index(demand.base["pool_id"])))
    area, pool = demand.areas.iloc[base["area"]], pools.iloc[base["pool"]]
    key = pd.MultiIndex.from_arrays([area["area_id"], pool["site_id"]])
    travel = case.travel[case.travel["status"] != "unreachable"].set_index(["area_id", "site_id"])[["minutes", "km"]].reindex(key)
    council = case.councils.set_index("council_code").reindex(area["council_code"])
    kind = pool["kind"].to_numpy()
    far = travel["km"].isna().to_numpy()
    minutes = np.where(far, council["unlocated_minutes"].to_numpy(float), travel["minutes"].to_numpy(float))
    km = np.where(far, council["unlocated_km"].to_numpy(float), travel["km"].to_numpy(float))
    return base.assign(minutes=np.where(kind == "unlocated_ap", 0.0, minutes), km=np.where(kind == "unlocated_ap", 0.0, km))


def base_yearly_costs(case: Case, demand: DemandClasses, base: pd.DataFrame, cost: Floats, kinds: pd.Series) -> dict[str, Floats]:
    """(rows,) place, travel and excess cost of one year of each base row, GBP."""
    classes = demand.classes.iloc[base["cls"]]
    factor, limit = _travel_by_class(case, classes)
    excess = np.where(kinds.iloc[base["pool"]].isin(UNLOCATED), 0.0, np.maximum(0.0, base["minutes"].to_numpy(float) - limit))
    return {
        "place": cost[classes["family"].to_numpy(), base["pool"].to_numpy()],
        "travel": factor * journey_gbp(case, base["km"].to_numpy(float)),
        "excess": case.assumptions.number("travel.excess_weight") * excess,
    }


def _base_cost(case: Case, demand: DemandClasses, pools: pd.DataFrame, base: pd.DataFrame, cost: Floats, money: Appraisal) -> float:
    """Present value of base-year pupils' places and journeys: the same whatever is built."""
    yearly = base_yearly_costs(case, demand, base, cost, pools["kind"])
    years = np.arange(1, len(case.academic_years) + 1)
    stays = (demand.retention[base["cls"]][:, None] ** years) @ money.weight
    each = yearly["place"] + yearly["travel"] + yearly["excess"]
    return float(each @ (stays * base["pupils"].to_numpy(float)))
