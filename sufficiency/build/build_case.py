"""A case from published data: which pupils, settings, placements, projects, money and journeys a plan starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.estimate import estimated_journeys
from sufficiency.assumptions import Assumptions, default_assumptions
from sufficiency.build import demand_notes
from sufficiency.build.candidate_projects import candidate_projects, location_factors
from sufficiency.build.case_supply import case_placements, case_pools, case_settings
from sufficiency.build.demand_ahead import demand_ahead
from sufficiency.build.designated_pools import by_need_group
from sufficiency.build.gravity import Floats, residence_margins
from sufficiency.build.partnerships import chosen_councils, partnership_of
from sufficiency.build.programmes import allocated_funds, allocation_notes, council_weights, read_programme
from sufficiency.build.residents import completed_totals, council_placements, published_totals, pupils_table
from sufficiency.build.small_area_split import LEVELS, area_shares, areas_table
from sufficiency.build.suitability import suitability_table
from sufficiency.build.supply import KINDS, Supply, supply_of_england
from sufficiency.build.supply_notes import supply_notes
from sufficiency.case import Case, Source, validated
from sufficiency.sources import gias
from sufficiency.sources.allocations import read_allocations
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.ehc_plans import ENGLAND
from sufficiency.sources.files import find, provenance
from sufficiency.sources.small_areas import lsoas
from sufficiency.suitability import suited_projects
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.read import read_table
from sufficiency.terms import GROUP_OF_NEED, academic_year, financial_year, start_of
from sufficiency.travel_sources import BOUNDARY_FILE, LANDMARK_FILE, EstimateBasis, estimate_basis

NO_ALLOCATIONS: Final = pd.DataFrame({"council_code": [], "financial_year": [], "amount_gbp": []})
Progress = Callable[[str], None] | None
RELEASES: Final = (
    "caseload", "needs", "age_bands", "ap_counts", "council_funded_ap", "councils",
    "small_areas", "single_ages", "lsoa_lookup", "lsoa_shapes",
)  # fmt: skip
"""Releases that a case is made from, beside the register of schools."""
OF_FORECAST: Final = ("new_plans", "new_plan_needs", "requests", "ceased_plans", "establishments", "exclusions")
"""Releases that only the forecast reads."""
GROWTH_YEARS: Final = 3
"""Growth of plans for the split of the money is counted over these years to the base January."""
LONGEST_JOURNEY_MIN: Final = 180.0
"""Placements beyond the limit keep a journey up to this; the estimate is not trusted further."""


def build_case(
    data: Path,
    *,
    level: str,
    councils: Sequence[str] | None = None,
    region: str | None = None,
    partnership: str | None = None,
    england: bool = False,
    programme: str = "hnpca-2022-25",
    projects_file: Path | None = None,
    allocations_file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: Progress = None,
) -> Case:
    """The case of some councils (or a region, a partnership, England) for a capital programme, from a folder of published files.

    ``level``: ``lsoa`` or ``msoa``; ``projects_file``: a CSV in the Projects schema in place of the candidate projects by rule;
    ``allocations_file``: the published allocations (.ods); ``overrides``: assumptions by dotted name. Every derivation is in
    ``Case.notes``, every file in ``Case.sources``.
    Raises InputError with all problems found.
    """
    say = progress or (lambda _: None)
    about = read_programme(programme)
    assumptions = default_assumptions().override(overrides or {}, "the request", "overrides")
    if level not in LEVELS:
        raise InputError([InputProblem("level", "no such level", f"Give one of {', '.join(LEVELS)}.", value=level)])
    codes, title = chosen_councils(data, councils, region, partnership, england)
    own_projects = None if projects_file is None else _own_projects(projects_file, codes)

    say("reading pupils and areas")
    placements = council_placements(data, about.base_january, assumptions)
    msoas = areas_table(data, "msoa")
    margins = residence_margins(_placed(placements), area_shares(data, "msoa", assumptions), pd.Index(msoas["area_id"]))
    register = gias.register(data)
    basis = estimate_basis(msoas, data)
    supply = supply_of_england(msoas.drop(columns="geometry"), margins, register, assumptions, basis, progress)

    say("pupils of the case")
    areas = msoas[msoas["council_code"].isin(codes)] if level == "msoa" else areas_table(data, level, codes)
    last = start_of(about.academic_years[-1]) + 1
    ahead = demand_ahead(data, list(all_councils(data)["council_code"]), last, progress)
    pupils = pupils_table(data, about.base_january, about.academic_years, level, codes, assumptions, ahead)

    say("settings and placements of the case")
    cells = _cells_of_year(pupils, academic_year(about.base_january - 1))
    councils_of_case = _councils(areas, supply, assumptions)
    councils_of_case["partnership"] = councils_of_case["council_code"].map(partnership_of(data, partnership))
    placed = case_placements(supply, msoas, _members(data, level, codes, assumptions), cells, codes)
    pools = case_pools(supply, placed, codes, assumptions)
    settings = case_settings(supply, pools, councils_of_case)

    say("candidate projects")
    suitability = suitability_table()
    if own_projects is None:
        first_year = financial_year(start_of(about.academic_years[0]))
        everyone = pd.concat([supply.placed, supply.unlocated.assign(setting_id=None)], ignore_index=True)
        candidates = candidate_projects(codes, msoas, supply.settings, register, everyone, first_year, assumptions)
        projects = suited_projects(candidates, suitability)
    else:
        projects = own_projects

    say("money and journeys")
    published, completed = published_totals(data, about.base_january), completed_totals(data, about.base_january)
    earlier = published_totals(data, about.base_january - GROWTH_YEARS)
    weights = _weights(_plans(completed), _plans(earlier), msoas, margins, register)
    allocations = NO_ALLOCATIONS if allocations_file is None else read_allocations(allocations_file, all_councils(data))
    funds = allocated_funds(about, weights, codes, allocations)
    travel = _travel(areas, settings, pools, projects, placed, assumptions, basis)
    pools, placed = by_need_group(pools, placed, _mix(placed, supply.placed))
    case = Case(
        name=f"{title}: {about.title}",
        level=level,
        base_january=about.base_january,
        academic_years=about.academic_years,
        programme=about.key,
        price_base=about.price_base,
        areas=validated("areas", areas),
        councils=validated("councils", councils_of_case),
        pupils=validated("pupils", pupils),
        settings=validated("settings", settings),
        pools=validated("pools", pools),
        placements=validated("placements", placed),
        projects=validated("projects", _with_known_pools(projects, pools, str(projects_file))),
        funds=validated("funds", funds),
        travel=validated("travel", travel),
        suitability=suitability,
        assumptions=assumptions,
        sources=tuple(_sources(data, [projects_file, allocations_file], forecast=ahead is not None)),
        totals={"published": _of_case(published, codes), "completed": _of_case(completed, codes)},
        notes=(
            basis.statement,
            *demand_notes.notes(data, about.base_january, [start_of(year) + 1 for year in about.academic_years], codes, ahead),
            *supply_notes(about, supply, projects_file is None, assumptions),
            *allocation_notes(funds, allocations_file),
        ),
    )
    say("done")
    return case


def _placed(placements: pd.DataFrame) -> pd.DataFrame:
    """Placements in the categories that have settings, or stand for settings that are not on the map."""
    return placements[placements["category"].isin([*KINDS, "unlocated_ap"])]


def _cells_of_year(pupils: pd.DataFrame, year: str) -> pd.Series:
    """Pupils placed in an academic year by area_id, need_group and phase."""
    base = pupils[pupils["academic_year"].eq(year)]
    groups = base["need"].map(GROUP_OF_NEED).rename("need_group")
    return base.groupby(["area_id", groups, "phase"])["pupils_placed"].sum()


def _members(data: Path, level: str, councils: Sequence[str], assumptions: Assumptions) -> pd.DataFrame:
    """Areas of each MSOA with their share of its pupils of a phase: msoa_code, area_id, phase, share."""
    shares = area_shares(data, level, assumptions, councils)
    if level == "msoa":
        return shares.assign(msoa_code=shares["area_id"], share=1.0)[["msoa_code", "area_id", "phase", "share"]]
    msoa = lsoas(data).set_index("lsoa_code")["msoa_code"]
    shares = shares.assign(msoa_code=shares["area_id"].map(msoa))
    whole = shares.groupby(["msoa_code", "phase"])["share"].transform("sum")
    shares["share"] = (shares["share"] / whole).fillna(0.0)
    return shares[["msoa_code", "area_id", "phase", "share"]]


def _mix(placed: pd.DataFrame, of_england: pd.DataFrame) -> pd.DataFrame:
    """Pupils by setting_id and need_group: those of the case, whose share of the places is split; England's where it has none there."""
    own = placed.rename(columns={"pool_id": "setting_id"})
    others = of_england[~of_england["setting_id"].isin(own["setting_id"])]
    return pd.concat([own, others])[["setting_id", "need_group", "pupils"]]


def _councils(areas: pd.DataFrame, supply: Supply, assumptions: Assumptions) -> pd.DataFrame:
    """Councils table; an unlocated place is farther than the council's mean independent journey by a factor."""
    table = areas[["council_code", "council_name", "region_name"]].drop_duplicates().sort_values("council_code", ignore_index=True)
    mean = supply.independent_journeys.set_index("council_code").reindex(table["council_code"])
    factor = assumptions.number("supply.unlocated_journey_factor")
    return table.assign(unlocated_km=mean["km"].to_numpy() * factor, unlocated_minutes=mean["minutes"].to_numpy() * factor)


def _own_projects(file: Path, councils: Sequence[str]) -> pd.DataFrame:
    """The user's project list for the councils of the case. Raises InputError for a faulty list, or one without any project of theirs."""
    table = read_table(file, "projects")
    table = table[table["council_code"].isin(list(councils))].reset_index(drop=True)
    if table.empty:
        raise InputError([InputProblem(file.name, "no project of the councils of the case", "Check council_code (ONS codes).")])
    return table


def _with_known_pools(projects: pd.DataFrame, pools: pd.DataFrame, file: str) -> pd.DataFrame:
    """The projects, once the pools that they convert, replace or keep are known to be in the case. Raises InputError."""
    unknown = projects["from_pool_id"].notna() & ~projects["from_pool_id"].isin(pools["pool_id"])
    problems = [
        InputProblem(file, "no such pool in the case", "Give a pool_id of the case's pools.csv.", column="from_pool_id", value=str(pool))
        for pool in projects.loc[unknown, "from_pool_id"]
    ]
    if problems:
        raise InputError(problems)
    return projects


def _travel(
    areas: gpd.GeoDataFrame,
    settings: pd.DataFrame,
    pools: pd.DataFrame,
    projects: pd.DataFrame,
    placed: pd.DataFrame,
    assumptions: Assumptions,
    basis: EstimateBasis,
) -> pd.DataFrame:
    """Journeys within the limit (with soft margin) to every setting and project site, and to every setting with pupils of the area."""
    sites = _sites(settings, pools, projects, assumptions)
    here = pd.DataFrame(areas[["area_id", "easting_m", "northing_m", "travel_class"]])
    parts = [
        estimated_journeys(here, sites[sites["limit_min"].eq(limit)], limit, basis.land, basis.landmarks)
        for limit in sorted(set(sites["limit_min"]))
    ]
    travel = pd.concat(parts, ignore_index=True)
    pairs = placed[["area_id", "pool_id"]].drop_duplicates().rename(columns={"pool_id": "site_id"})
    pairs = pairs[pairs["site_id"].isin(sites["site_id"])].merge(travel[["area_id", "site_id"]], how="left", indicator=True)
    beyond = pairs.loc[pairs["_merge"].eq("left_only"), ["area_id", "site_id"]]
    if len(beyond):
        from_areas, to_sites = here[here["area_id"].isin(beyond["area_id"])], sites[sites["site_id"].isin(beyond["site_id"])]
        farther = estimated_journeys(from_areas, to_sites, LONGEST_JOURNEY_MIN, basis.land, basis.landmarks)
        travel = pd.concat([travel, farther.merge(beyond)], ignore_index=True)
    return travel.sort_values(["area_id", "site_id"], ignore_index=True)


def _sites(settings: pd.DataFrame, pools: pd.DataFrame, projects: pd.DataFrame, assumptions: Assumptions) -> pd.DataFrame:
    """site_id, easting_m, northing_m, limit_min of settings on the map and project sites; the limit is that of the oldest phase served."""
    limits, soft = assumptions.table("travel.limit_min"), assumptions.number("travel.soft_extra_min")
    of_pools = pools.merge(settings[["setting_id", "easting_m", "northing_m"]], on="setting_id").rename(columns={"setting_id": "site_id"})
    columns = ["site_id", "easting_m", "northing_m", "phases"]
    sites = pd.concat([of_pools[columns], projects[columns]], ignore_index=True)
    sites = sites[sites["easting_m"].notna()]
    sites["limit_min"] = [max(limits[phase] for phase in cell.split("|")) + soft for cell in sites["phases"]]
    return sites.sort_values("limit_min").drop_duplicates("site_id", keep="last")


def _weights(now: pd.Series, before: pd.Series, msoas: pd.DataFrame, margins: Mapping[str, Floats], register: pd.DataFrame) -> pd.Series:
    """Weight of every council of England in the split of the money; ``now`` and ``before``: plans of the base January and some years back.

    A council without a count of the earlier January is taken to have grown as the others.
    """
    residents = msoas.groupby("council_code")["population_0_25"].sum()
    by_area = np.sum([margins[kind].sum(axis=1) for kind in KINDS], axis=0)
    placed = pd.Series(by_area, index=msoas["council_code"].to_numpy()).groupby(level=0).sum()
    now, before = now.reindex(residents.index), before.reindex(residents.index)
    known = before.notna()
    usual = now[known].sum() / before.sum() if known.any() else np.inf
    growth = now - before.fillna(now / usual)
    return council_weights(residents, placed, growth, location_factors(register).reindex(residents.index).fillna(1.0))


def _plans(totals: Mapping[str, Mapping[str, float | None]]) -> pd.Series:
    return pd.Series({code: figures["ehc_plans"] for code, figures in totals.items()}, dtype=float)


def _of_case(totals: Mapping[str, Any], councils: Sequence[str]) -> dict[str, Any]:
    return {code: totals[code] for code in [*councils, ENGLAND]}


def _sources(data: Path, own: Sequence[Path | None], *, forecast: bool) -> list[Source]:
    files = [find(data, release)[0] for release in (*RELEASES, *(OF_FORECAST if forecast else ()))]
    files += [data / file for file in (BOUNDARY_FILE, LANDMARK_FILE) if (data / file).exists()]
    return [*provenance(files), *gias.sources(data), *provenance([file for file in own if file])]
