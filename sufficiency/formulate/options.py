"""Projects as options: sizes, starts, spending, what they do to places, and what ties them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import Options
from solver.requirements import Crews, Grants, Pins, Viability
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import Appraisal, capital_uplift, net_capital, spending_profile
from sufficiency.requests.pins import Limits, limits_of, possible_starts
from sufficiency.terms import PROJECT_KINDS, split_codes, start_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def buildable(case: Case, money: Appraisal) -> pd.DataFrame:
    """Projects that can open within the horizon: not forbidden, nor waiting for one that is, nor bundled with one.

    ``prerequisite`` names the parent project of a satellite where it names nothing else. Pins take away starts, no projects: a changed
    pin leaves pools and options as they are, so that what is known of an earlier plan still fits.
    """
    projects = case.projects[case.projects["decision"] != "forbidden"]
    parent = projects["parent"].where(projects["parent"].isin(case.projects["project_id"]))
    projects = projects.assign(prerequisite=projects["prerequisite"].fillna(parent))
    last = start_of(case.academic_years[-1])
    earliest = projects["earliest_start"].map(start_of).astype("int64")  # of no project at all, too
    opens = earliest.clip(lower=money.first_year) + projects["lead_time_years"]
    return _whole(case, projects[(opens <= last) | (projects["decision"] == "committed")]).reset_index(drop=True)


def _whole(case: Case, projects: pd.DataFrame) -> pd.DataFrame:
    """The projects that neither wait for one that is not among them nor are bundled with one."""
    size = case.projects["bundle"].value_counts()
    while True:
        waits = projects["prerequisite"].notna() & ~projects["prerequisite"].isin(projects["project_id"])
        broken = projects["bundle"].map(size) > projects["bundle"].map(projects["bundle"].value_counts())
        if not (waits | broken).any():
            return projects
        projects = projects[~waits & ~broken]


@dataclass(frozen=True)
class Starts:
    """Every start that opens within the horizon."""

    option: Ints
    year: Ints
    """(K,) calendar year in which it starts"""
    opens: Ints
    """(K,) planning year in which its places open (0 = first, also for what opened before)"""
    opened: Ints
    """(K,) the same, below 0 for what opened before the first"""
    committed: Ints
    """(J,) start of a committed project, or -1"""


def starts_of(case: Case, projects: pd.DataFrame) -> Starts:
    """Starts that lead times, earliest starts, commitments and pins allow: none for a project that a pinned-out one holds back."""
    first, last = start_of(case.academic_years[0]), start_of(case.academic_years[-1])
    committed = np.full(len(projects), -1, np.int64)
    limits = limits_of(case.pins)
    years = [possible_starts(case, project, limits.get(str(project["project_id"]), Limits())) for project in projects.to_dict("records")]
    there = (projects["decision"] == "committed").to_numpy() | np.array([bool(each) for each in years], bool)
    able = _whole(case, projects[there]).index
    rows: list[tuple[int, int, int]] = []
    for j, project in enumerate(projects.to_dict("records")):
        lead = int(project["lead_time_years"])
        if project["decision"] != "committed":
            rows += [(j, year, year + lead - first) for year in years[j] if j in able]
        elif (year := start_of(project["committed_start"])) + lead <= last:
            committed[j] = len(rows)
            rows.append((j, year, year + lead - first))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Starts(table[:, 0], table[:, 1], np.maximum(table[:, 2], 0), table[:, 2], committed)


def options_of(
    case: Case, demand: DemandClasses, pools: pd.DataFrame, projects: pd.DataFrame, money: Appraisal, starts: Starts, crowd: Floats
) -> Options:
    """The options. ``crowd``: of ``places.crowd_of``."""
    pool_of = pd.Index(pools["pool_id"])
    improved = projects["places_improved"].to_numpy(float)
    module = np.where(improved > 0, improved, projects["module_places"].to_numpy(float))
    adds = (projects["max_places"] > 0).to_numpy()
    least = np.where(adds, np.maximum(1, np.ceil(projects["min_places"] / projects["module_places"])), improved > 0)
    most = np.where(improved > 0, 1, np.floor(projects["max_places"] / module))
    committed = (projects["decision"] == "committed").to_numpy()
    decided = np.where(improved > 0, 1, np.round(projects["committed_places"].fillna(0.0) / module))
    built = projects.iloc[starts.option].reset_index(drop=True)
    uplift = capital_uplift(case, built)
    per_module = built["cost_per_place_gbp"].to_numpy(float) * module[starts.option] * uplift
    fixed, stage = built["fixed_cost_gbp"].to_numpy(float) * uplift, built["stage_cost_gbp"].to_numpy(float) * uplift
    profile = spending_profile(case, money, built["spend_profile"].tolist(), starts.year)
    spends = [each[:, None] * profile for each in (fixed, per_module, stage)]
    free = case.perspective == "council"  # grants are free to it; what it borrows is charged to the payments
    costs = [np.zeros(len(built)) if free else net_capital(case, money, spend, built, starts.opens) for spend in spends]
    source = np.where(projects["from_pool_id"].notna(), pool_of.get_indexer(pd.Index(projects["from_pool_id"])), -1)
    fill, disrupted = _fill(case, built, starts, crowd), _disrupted(case, built, starts, crowd)
    return Options(
        labels=tuple(projects["project_id"]),
        owner=pd.Index(demand.councils).get_indexer(pd.Index(projects["council_code"])).astype(np.int64),
        kind=pd.Index(list(PROJECT_KINDS)).get_indexer(pd.Index(projects["kind"])).astype(np.int64),
        pool=pool_of.get_indexer(pd.Index(projects["project_id"])).astype(np.int64),
        module=module,
        min_modules=least.astype(np.int64),
        max_modules=most.astype(np.int64),
        max_stages=projects["max_stages"].to_numpy(np.int64),
        source_pool=source.astype(np.int64),
        removed=projects["places_removed"].to_numpy(float) + improved,
        kept=(projects["places_kept"] + projects["overcrowding_places"]).to_numpy(float),
        exclusive=pd.factorize(projects["exclusive_group"])[0].astype(np.int64),
        prerequisite=pd.Index(projects["project_id"]).get_indexer(pd.Index(projects["prerequisite"])).astype(np.int64),
        committed_start=starts.committed,
        committed_modules=np.where(committed, decided, 0).astype(np.int64),
        start_option=starts.option,
        start_year=starts.year - money.first_budget_year,
        start_opens=starts.opens,
        fixed_cost=costs[0],
        module_cost=costs[1],
        stage_cost=costs[2],
        fixed_spend=spends[0],
        module_spend=spends[1],
        stage_spend=spends[2],
        fill=None if _plain(built) else fill,
        disrupted=disrupted if disrupted.any() else None,
    )


def _plain(built: pd.DataFrame) -> bool:
    """Whether all places open at once, in full and for good."""
    whole = (built["ramp_up"] == "1") & built["expires_after_years"].isna() & (built["most_use_share"] == 1.0)
    return bool((whole & (built["places_improved"] == 0)).all())


def _fill(case: Case, built: pd.DataFrame, starts: Starts, crowd: Floats) -> Floats:
    """(K, T) share of the places that may be filled: ramp-up, upper use, run-off of temporary places, base-year pupils in improved ones."""
    periods = np.arange(len(case.academic_years))
    age = periods[None, :] - starts.opened[:, None]
    result = np.zeros((len(built), len(periods)))
    longest = _longest_stay(case, built)
    rows = zip(built["ramp_up"], built["expires_after_years"], built["most_use_share"], built["places_improved"], strict=True)
    for k, (ramp, expires, most, improved) in enumerate(rows):
        shares = np.array([float(share) for share in split_codes(ramp)])
        share = np.where(age[k] >= 0, shares[np.clip(age[k], 0, len(shares) - 1)], 0.0) * most
        if expires == expires:  # temporary: from then on only those who are there, so long as they stay
            share = np.where(age[k] >= expires, share * longest[k] ** (age[k] - expires + 1), share)
        if improved > 0:
            share = share * (1.0 - crowd[starts.option[k]])
        result[k] = share
    return result


def _longest_stay(case: Case, built: pd.DataFrame) -> Floats:
    """(K,) largest yearly share of pupils who stay, over the need groups and phases that a project's places are designated for."""
    table = case.assumptions.table("retention")
    result = np.zeros(len(built))
    for k, (groups, phases) in enumerate(zip(built["need_groups"], built["phases"], strict=True)):
        keys = [*split_codes(phases)] if set(split_codes(groups)) != {"AP"} else []
        result[k] = max(table.get(key, 0.0) for key in [*keys, *(["AP"] if "AP" in split_codes(groups) else [])])
    return result


def _disrupted(case: Case, built: pd.DataFrame, starts: Starts, crowd: Floats) -> Floats:
    """(K, T) places of the source pool lost while it is built; pupils of the base year keep theirs in a pool that is improved."""
    periods = np.arange(len(case.academic_years))
    years = np.minimum(built["disruption_years"].to_numpy(int), built["lead_time_years"].to_numpy(int))
    before = (periods[None, :] >= (starts.opened - years)[:, None]) & (periods[None, :] < starts.opened[:, None])
    lost = built["disruption_places"].to_numpy(float)[:, None] * before
    after = periods[None, :] >= starts.opened[:, None]
    kept: Floats = built["places_improved"].to_numpy(float)[:, None] * np.where(after, crowd[starts.option], 0.0)
    result: Floats = lost - kept
    return result


def pins_of(case: Case, projects: pd.DataFrame) -> Pins | None:
    """What must be built, how large, with what, and how long after its prerequisite."""
    limits = limits_of(case.pins)
    held = [limits.get(project, Limits()) for project in projects["project_id"]]
    module = projects["module_places"].to_numpy(float)
    pins = Pins(
        must=np.array([each.must for each in held], bool) & (projects["decision"] != "committed").to_numpy(bool),
        least_modules=np.ceil(np.array([each.places for each in held]) / module - 1e-9).astype(np.int64),
        bundle=pd.factorize(projects["bundle"])[0].astype(np.int64),
        lag=projects["prerequisite_lag_years"].to_numpy(np.int64),
    )
    asked = pins.must.any() or pins.least_modules.any() or (pins.bundle >= 0).any() or pins.lag.any()
    return pins if asked else None


def crews_of(case: Case, demand: DemandClasses, projects: pd.DataFrame, money: Appraisal, starts: Starts) -> Crews | None:
    """Most projects that a council may have under construction in a financial year."""
    most = case.councils.set_index("council_code")["most_building"].reindex(list(demand.councils)).fillna(np.inf).to_numpy(float)
    if np.isinf(most).all():
        return None
    built = projects.iloc[starts.option]
    lead = built["lead_time_years"].to_numpy(int)
    years = np.minimum(built["build_years"].fillna(np.inf).to_numpy(float), lead).astype(int)
    ends = starts.year - money.first_budget_year + np.maximum(lead, 1)
    f = np.arange(len(money.financial_years))
    building = (f[None, :] >= (ends - np.maximum(years, 1))[:, None]) & (f[None, :] < ends[:, None])
    return Crews(building, np.repeat(most[:, None], len(f), axis=1))


def viability_of(case: Case, projects: pd.DataFrame) -> Viability | None:
    """Least use of new places once they have settled."""
    least, share = projects["viable_pupils"].to_numpy(float), projects["least_use_share"].to_numpy(float)
    if not (least > 0).any() and not (share > 0).any():
        return None
    settle = projects["viable_after_years"].to_numpy(np.int64)
    return Viability(least, share, settle, case.assumptions.number("viability.weight"))


def grants_of(projects: pd.DataFrame, funds: tuple[str, ...], money: Appraisal, starts: Starts) -> Grants | None:
    """Money that comes with a project: cash per place instead of a free school."""
    fund = pd.Index(funds).get_indexer(pd.Index(projects["grant_fund"])).astype(np.int64)
    amount = np.where(fund >= 0, projects["grant_places"] * projects["grant_gbp_per_place"], 0.0)
    if not (amount > 0).any():
        return None
    profile = money.profile(projects["grant_profile"].iloc[starts.option].tolist(), starts.year)
    return Grants(fund, amount[starts.option, None] * profile)


def outside_optimisation(projects: pd.DataFrame) -> list[str]:
    """Improvements that change nothing that the model knows: no places kept, improved or relieved. Built only for a minimum spend."""
    improves = projects["effect"] == "improve"
    changes = (projects[["places_kept", "places_improved", "overcrowding_places"]] > 0).any(axis=1)
    return sorted(projects.loc[improves & ~changes, "project_id"])
