"""Candidate projects by rule, where no list of a council's own is given: what could be built, where, for whom, at what cost.

Six rules, each a function below: expansions of state special and of AP schools, resourced provisions and SEN units in mainstream schools,
satellites of special schools, new special schools and new AP schools. Costs, lead times and sizes come from the assumptions
(``capital.*``, ``projects.*``). Every row is derived; none is a scheme that any council has proposed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sufficiency.assumptions import Assumptions
from sufficiency.build.settings import HALF_OF_PHASE
from sufficiency.terms import NEED_GROUPS

Floats = NDArray[np.float64]

BASE_GROUPS: Final = ("ASD", "SLCN", "SEMH", "MLD", "PHYS")
"""Groups that a new base may be for."""
NEW_SCHOOLS: Final = (
    ("ASD|SLCN", "PRI|SEC|P16", "new_special"),
    ("SEMH", "PRI|SEC", "new_special"),
    ("SLD|PHYS", "EY|PRI|SEC|P16", "new_special_profound"),
)
"""Designations that compete for the site of a new special school: need groups, phases, key of capital.cost_per_place."""
CLASS_TO_SPARE: Final = 30
"""Free capacity of a school, in pupils, that a base can be made from without building."""
LEAST_BASES: Final = 4
"""Schools for a new base in the smallest council (as far as it has as many)."""
AP_GROUPS: Final = "SEMH|AP"
"""Groups that new AP places are for."""
EVERY_THIRD: Final = 3
"""Of every three schools for a base, one has two designations that compete."""
SPREAD_M: Final = 5_000.0
"""A second site nearer than this to the first is worth proportionally less."""
NEIGHBOURHOOD_M: Final = 5_000.0
"""Pupils within this distance speak for a new site."""
APART_M: Final = 8_000.0
"""New sites of a kind stand at least this far apart, where the council is large enough."""
UNLOCATED_KM: Final = 20.0
"""Journey that a pupil in an unlocated AP place counts for when sites are ranked."""


def candidate_projects(
    councils: list[str],
    areas: pd.DataFrame,
    settings: pd.DataFrame,
    register: pd.DataFrame,
    placed: pd.DataFrame,
    first_year: str,
    assumptions: Assumptions,
) -> pd.DataFrame:
    """Candidate projects of these councils in the Projects schema.

    ``areas`` (MSOAs): area_id, area_name, council_code, easting_m, northing_m; ``settings``: Supply.settings; ``register``: gias.register;
    ``placed``: area_id, setting_id (empty = not on the map), need_group, phase, pupils at the base January; ``first_year``: the financial
    year in which the first may start.
    """
    areas = areas[areas["council_code"].isin(councils)]
    council_of = areas.set_index("area_id")["council_code"]
    placed = _with_journeys(placed[placed["area_id"].isin(areas["area_id"])], areas, settings)
    by_council = dict(list(placed.groupby(placed["area_id"].map(council_of))))
    rows: list[dict[str, Any]] = []
    for council in councils:
        own = settings[settings["council_code"].eq(council)]
        here = areas[areas["council_code"].eq(council)]
        pupils = by_council.get(council, placed.iloc[:0])
        rows += _expansions(own, "state_special", "expansion", assumptions)
        rows += _expansions(own, "ap", "ap_expansion", assumptions)
        rows += _bases(own, register[register["council_code"].eq(council)], pupils, assumptions)
        rows += _new_sites(council, _parents(settings, here), here, pupils, assumptions)
    factors = location_factors(register)
    projects = pd.DataFrame(rows, columns=[*_OWN_COLUMNS])
    own_factor = projects["site_id"].str.removesuffix("-base").map(register.set_index("urn")["location_factor"])
    factor = own_factor.fillna(projects["council_code"].map(factors)).fillna(1.0)
    return _completed(projects, factor, first_year, assumptions)


_OWN_COLUMNS: Final = (
    "project_id", "name", "kind", "site_id", "council_code", "easting_m", "northing_m", "provision", "need_groups", "phases",
    "module_places", "min_places", "max_places", "cost_key", "max_stages", "exclusive_group",
)  # fmt: skip


def location_factors(register: pd.DataFrame) -> pd.Series:
    """Building-cost factor of each council: the mean of its schools' factors (empty where none is known)."""
    return register.groupby("council_code")["location_factor"].mean()


def _with_journeys(placed: pd.DataFrame, areas: pd.DataFrame, settings: pd.DataFrame) -> pd.DataFrame:
    """``placed`` with ``pupil_km``: pupils times straight-line km to their setting."""
    here = areas.set_index("area_id")[["easting_m", "northing_m"]].reindex(placed["area_id"]).to_numpy()
    there = settings.set_index("setting_id")[["easting_m", "northing_m"]].reindex(placed["setting_id"]).to_numpy()
    km = np.hypot(*(here - there).T) / 1_000
    return placed.assign(pupil_km=placed["pupils"] * np.where(np.isnan(km), UNLOCATED_KM, km))


def _expansions(own: pd.DataFrame, provision: str, kind: str, assumptions: Assumptions) -> list[dict[str, Any]]:
    """One expansion for each school of the kind that can take a class more within the largest share of its places."""
    share = assumptions.table("projects.expansion_share")[kind]
    rows = []
    schools: Iterable[Any] = own[own["kind"].eq(provision)].sort_values("setting_id").itertuples()
    for school in schools:
        groups = school.need_groups if provision == "state_special" else AP_GROUPS
        module = _module(groups, assumptions)
        largest = int(share * school.places // module * module)
        if largest and groups:
            project_id = f"{kind.replace('_', '-')}-{school.setting_id}"
            row = _row(project_id, f"Expansion of {school.name}", kind, school, provision, groups, school.phases)
            size = {"module_places": module, "min_places": module, "max_places": largest}
            rows.append(row | size | {"cost_key": kind, "max_stages": 2})
    return rows


def _bases(own: pd.DataFrame, register: pd.DataFrame, pupils: pd.DataFrame, assumptions: Assumptions) -> list[dict[str, Any]]:
    """Resourced provisions and SEN units in the council's largest and best spread schools without one, half of them secondary."""
    with_base = own[own["kind"].eq("resourced_provision")]
    hosts = register[register["kind"].eq("mainstream") & register["roll"].gt(0)]
    hosts = hosts[~(hosts["urn"] + "-base").isin(with_base["setting_id"])]
    count = max(LEAST_BASES, _number("resourced_provision", pupils, assumptions))
    module = int(assumptions.number("projects.base_module_places"))
    moderate = assumptions.table("severity.moderate_share")
    rows: list[dict[str, Any]] = []
    for half, phases, number in (("secondary", ("SEC", "P16"), count - count // 2), ("primary", ("EY", "PRI"), count // 2)):
        of_half = hosts[hosts["education_phase"].map(HALF_OF_PHASE).eq(half)]
        taken = with_base[with_base["phases"].str.contains(phases[1] if half == "primary" else phases[0])]
        chosen = _largest_and_spread(of_half, taken[["easting_m", "northing_m"]].to_numpy(dtype=float), number)
        demand = pupils[pupils["phase"].isin(phases)].groupby("need_group")["pupils"].sum().reindex(BASE_GROUPS).fillna(0.0)
        needs = _shared_out(demand * [moderate[group] for group in BASE_GROUPS], len(chosen))
        pairs: Iterable[tuple[Any, str]] = zip(chosen.itertuples(), needs, strict=True)
        for i, (school, need) in enumerate(pairs):
            rivals = [need]
            if i % EVERY_THIRD == EVERY_THIRD - 1:
                rivals.append(next(group for group in demand.sort_values(ascending=False, kind="stable").index if group != need))
            for group in rivals:
                served = _base_phases(half, school.age_low, school.age_high)
                name = f"Base at {school.name}: {NEED_GROUPS[group].lower()}"
                row = _row(f"base-{school.urn}-{group}", name, "resourced_provision", school, "resourced_provision", group, served)
                rows.append(
                    row
                    | {
                        "site_id": f"{school.urn}-base",
                        "module_places": module,
                        "min_places": int(assumptions.table("projects.least_places")[f"base_{half}"]),
                        "max_places": int(assumptions.table("projects.most_places")[f"base_{half}"]),
                        "cost_key": _base_cost(school),
                        "exclusive_group": f"base-{school.urn}" if len(rivals) > 1 else None,
                    }
                )
    return rows


def _new_sites(
    council: str, parents: pd.DataFrame, here: pd.DataFrame, pupils: pd.DataFrame, assumptions: Assumptions
) -> list[dict[str, Any]]:
    """Satellites and new schools on the small areas whose pupils travel most in sum (pupil-km of the neighbourhood)."""
    least, most = assumptions.table("projects.least_places"), assumptions.table("projects.most_places")
    with_plan, without = pupils[pupils["need_group"].ne("AP")], pupils[pupils["need_group"].eq("AP")]
    worth_a_school = pupils["pupils"].sum() >= assumptions.number("projects.council_worth_a_school")
    schools = _number("new_special", pupils, assumptions) if worth_a_school else 0
    satellites = min(_number("satellite", pupils, assumptions), len(parents))
    rows: list[dict[str, Any]] = []
    sites = _far_from_supply(here, with_plan, schools + satellites)
    for site in sites.head(schools).itertuples():
        for groups, phases, cost_key in NEW_SCHOOLS:
            project_id, name = f"new-{site.area_id}-{groups.split('|')[0]}", f"New special school in {site.area_name}: {_named(groups)}"
            row = _row(project_id, name, "new_special", site, "state_special", groups, phases)
            row |= {"cost_key": cost_key, "max_stages": 2, "exclusive_group": f"new-{site.area_id}"}
            rows.append(row | _size("new_special", least, most, _module(groups, assumptions)))
    pairs: Iterable[tuple[Any, Any]] = zip(sites.iloc[schools:].itertuples(), parents.itertuples(), strict=False)
    for site, parent in pairs:
        project_id, name = f"satellite-{parent.setting_id}-{site.area_id}", f"Satellite of {parent.name} in {site.area_name}"
        row = _row(project_id, name, "satellite", site, "state_special", parent.need_groups, parent.phases)
        rows.append(row | _size("satellite", least, most, _module(parent.need_groups, assumptions)) | {"cost_key": "satellite"})
    if worth_a_school:
        for site in _far_from_supply(here, without, _number("new_ap", pupils, assumptions)).itertuples():
            row = _row(f"new-ap-{site.area_id}", f"New AP school in {site.area_name}", "new_ap", site, "ap", AP_GROUPS, "PRI|SEC")
            rows.append(row | _size("new_ap", least, most, _module("AP", assumptions)) | {"cost_key": "new_ap", "max_stages": 2})
    return [row | {"council_code": council} for row in rows]


def _parents(settings: pd.DataFrame, here: pd.DataFrame) -> pd.DataFrame:
    """State special schools that may open a satellite in the council, largest first; without one of its own: the nearest of another."""
    special = settings[settings["kind"].eq("state_special") & settings["places"].gt(0)]
    own = special[special["council_code"].isin(here["council_code"])]
    if len(own) or special.empty:
        return own.sort_values(["places", "setting_id"], ascending=[False, True])
    points = special[["easting_m", "northing_m"]].to_numpy(dtype=float)
    centre = here[["easting_m", "northing_m"]].to_numpy(dtype=float).mean(axis=0)
    return special.iloc[[int(np.argmin(np.hypot(*(points - centre).T)))]]


def _row(project_id: str, name: str, kind: str, site: Any, provision: str, groups: str, phases: str) -> dict[str, Any]:
    site_id = getattr(site, "setting_id", None) or f"site-{getattr(site, 'area_id', '')}"
    return {
        "project_id": project_id,
        "name": name,
        "kind": kind,
        "site_id": site_id,
        "council_code": site.council_code,
        "easting_m": site.easting_m,
        "northing_m": site.northing_m,
        "provision": provision,
        "need_groups": groups,
        "phases": phases,
        "max_stages": 1,
        "exclusive_group": None,
    }


def _module(groups: str, assumptions: Assumptions) -> int:
    """Class size of a place for these groups: the smallest of theirs."""
    sizes = assumptions.table("projects.module_places")
    return int(min((sizes[group] for group in groups.split("|") if group), default=8))


def _size(kind: str, least: Mapping[str, float], most: Mapping[str, float], module: int) -> dict[str, int]:
    """Whole classes within the least and most places of the kind."""
    return {
        "module_places": module,
        "min_places": int(-(-least[kind] // module) * module),
        "max_places": int(most[kind] // module * module),
    }


def _number(kind: str, pupils: pd.DataFrame, assumptions: Assumptions) -> int:
    """Sites of a kind for a council with these placed pupils; at least one."""
    return max(1, round(assumptions.table("projects.sites_per_root_pupil")[kind] * math.sqrt(pupils["pupils"].sum())))


def _largest_and_spread(hosts: pd.DataFrame, taken: Floats, number: int) -> pd.DataFrame:
    """Schools one by one: the largest roll, counted less when another base of the half is near."""
    points = hosts[["easting_m", "northing_m"]].to_numpy(dtype=float)
    rolls = hosts["roll"].to_numpy(dtype=float)
    nearest = np.full(len(hosts), np.inf)
    for point in taken:
        nearest = np.minimum(nearest, np.hypot(*(points - point).T))
    order: list[int] = []
    for _ in range(min(number, len(hosts))):
        worth = rolls * np.minimum(nearest / SPREAD_M, 1.0)
        worth[order] = -1.0
        best = int(np.argmax(worth))
        order.append(best)
        nearest = np.minimum(nearest, np.hypot(*(points - points[best]).T))
    return hosts.iloc[order]


def _shared_out(demand: pd.Series, number: int) -> list[str]:
    """``number`` designations in proportion to demand (each next one to the group that is owed most)."""
    if demand.sum() <= 0:
        return [str(demand.index[0])] * number
    share, given = demand / demand.sum(), pd.Series(0, index=demand.index)
    chosen = []
    for i in range(number):
        best = str((share * (i + 1) - given).idxmax())
        given[best] += 1
        chosen.append(best)
    return chosen


def _base_phases(half: str, low: float, high: float) -> str:
    if half == "primary":
        return "PRI" if low > 4 else "EY|PRI"
    return "SEC" if high < 18 else "SEC|P16"


def _base_cost(school: Any) -> str:
    """Key of the cost of a base: adaptation where the register shows a class to spare, else a new block."""
    if np.isnan(school.capacity):
        return "resourced_provision"
    return "resourced_provision_adapt" if school.capacity - school.roll >= CLASS_TO_SPARE else "resourced_provision_new"


def _far_from_supply(here: pd.DataFrame, pupils: pd.DataFrame, number: int) -> pd.DataFrame:
    """Areas one by one: most pupil-km in the neighbourhood, apart from those chosen before (nearer ones only when no other is left)."""
    own = pupils.groupby("area_id")["pupil_km"].sum().reindex(here["area_id"]).fillna(0.0).to_numpy()
    points = here[["easting_m", "northing_m"]].to_numpy(dtype=float)
    apart = np.hypot(*(points[:, None, :] - points[None, :, :]).transpose(2, 0, 1))
    worth = (apart <= NEIGHBOURHOOD_M) @ own
    nearest = np.full(len(here), np.inf)
    order: list[int] = []
    for _ in range(min(number, len(here))):
        score = worth * np.minimum(nearest / APART_M, 1.0) ** 2
        score[order] = -1.0
        order.append(int(np.argmax(score)))
        nearest = np.minimum(nearest, apart[order[-1]])
    return here.iloc[order]


def _named(groups: str) -> str:
    return " and ".join(NEED_GROUPS[group].lower() for group in groups.split("|"))


def _completed(projects: pd.DataFrame, factor: pd.Series, first_year: str, assumptions: Assumptions) -> pd.DataFrame:
    """The rows with costs, times and the columns that no rule sets. A base in a school of unknown capacity costs the mean of both kinds."""
    kinds = projects["kind"]
    costs = assumptions.table("capital.cost_per_place")
    costs["resourced_provision"] = (costs["resourced_provision_adapt"] + costs["resourced_provision_new"]) / 2
    cost = projects["cost_key"].map(costs) * factor
    fixed = kinds.map(assumptions.table("capital.fixed_share"))
    lead = kinds.map(assumptions.table("capital.lead_time_years")).astype(int)
    fixed_cost = (fixed * cost * projects["max_places"]).round(-3)
    return projects.drop(columns="cost_key").assign(
        effect="add",
        fixed_cost_gbp=fixed_cost,
        cost_per_place_gbp=((1 - fixed) * cost).round(-1),
        stage_cost_gbp=np.where(projects["max_stages"].gt(1), (fixed_cost * assumptions.number("capital.stage_share")).round(-3), 0.0),
        optimism_bias=kinds.map(assumptions.table("capital.optimism_bias")),
        lead_time_years=lead,
        earliest_start=first_year,
        spend_profile=[equal_shares(years) for years in lead],
        life_years=int(assumptions.number("capital.life_years_building")),
        place_cost_gbp_per_year=np.nan,
        from_pool_id=None,
        places_removed=0.0,
        places_kept=0.0,
        prerequisite=None,
        decision="open",
        committed_places=np.nan,
        committed_start=None,
        status="derived",
    )


def equal_shares(years: int) -> str:
    """Spend profile of equal shares over the lead time, to four decimals and summing to 1: 3 -> ``0.3333|0.3333|0.3334``."""
    years = max(years, 1)
    share = round(1 / years, 4)
    return "|".join(f"{value:g}" for value in [*[share] * (years - 1), round(1 - share * (years - 1), 4)])
