"""Journeys: is the table complete and plausible, and does every pupil reach something suitable?"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sufficiency.case import file_of
from sufficiency.suitability import serves
from sufficiency.tables.checks.evidence import Evidence, Findings, NotRun
from sufficiency.tables.checks.joins import offers
from sufficiency.tables.problems import InputProblem

NEAR_KM: Final = 10.0
"""A straight line that any journey within 45 minutes covers: a missing pair this near is a hole, not a cut-off."""
FASTEST_KMH: Final = 130.0


def travel_complete(evidence: Evidence) -> Findings:
    """V23: no holes, no impossible journeys, and minutes wherever a place can be reached."""
    case = evidence.case
    travel = case.travel
    unreachable = travel["status"] == "unreachable"
    message, remedy = "status and minutes contradict each other", "Give minutes, or mark the journey unreachable and leave them empty."
    yield from evidence.problems("travel", unreachable != travel["minutes"].isna(), message, remedy, "minutes")
    sites = _sites(evidence)
    straight = _straight_km(evidence, sites)
    pair = "area_id, site_id"
    message, remedy = "takes no time although the places lie apart", "Give minutes, one way."
    yield from evidence.problems("travel", (travel["minutes"] == 0) & (straight > 0.5), message, remedy, pair)
    message, remedy = "is shorter than the straight line", "Check that km are kilometres and coordinates metres."
    yield from evidence.problems("travel", travel["km"] < 0.9 * straight - 1, message, remedy, pair, level="warning")
    message, remedy = f"is faster than {FASTEST_KMH:.0f} km/h", "Check that minutes are minutes and km are kilometres."
    fast = (straight > 1) & (straight > FASTEST_KMH / 60 * travel["minutes"])
    yield from evidence.problems("travel", fast, message, remedy, pair, level="warning")
    yield from _holes(evidence, sites)
    yield NotRun("journeys in both directions", "asymmetry")
    yield NotRun("distances from points to the road network", "snapping")


def demand_within_reach(evidence: Evidence) -> Findings:
    """V31: pupils for whom no suitable setting or project site lies within the travel limit of their phase, by need group."""
    case = evidence.case
    demand = evidence.demand[evidence.demand["academic_year"] == case.academic_years[-1]]
    wanted = demand.groupby(["scenario", "area_id", "need_group", "phase"], observed=True)["pupils"].sum().reset_index()
    wanted = wanted.groupby(["area_id", "need_group", "phase"], observed=True)["pupils"].max().reset_index()
    wanted = wanted[wanted["pupils"] > 1e-6].astype({"area_id": "str", "need_group": "str", "phase": "str"})
    offered = _suitable_offers(evidence)
    limits, extra = case.assumptions.table("travel.limit_min"), case.assumptions.number("travel.soft_extra_min")
    area, areas = pd.factorize(case.travel["area_id"])
    site, sites = pd.factorize(case.travel["site_id"])
    wanted["area"], offered["site"] = _positions(wanted["area_id"], areas), _positions(offered["id"], sites)
    minutes = case.travel["minutes"].to_numpy(dtype=float)
    lost = []
    for (group, phase), rows in wanted.groupby(["need_group", "phase"], sort=False):
        of_group = offered[(offered["need_group"] == group) & (offered["phase"] == phase) & (offered["site"] >= 0)]
        serving = np.zeros(len(sites), dtype=bool)
        serving[of_group["site"]] = True
        reached = np.zeros(len(areas) + 1, dtype=bool)  # the last stands for areas without any journey
        reached[area[serving[site] & (minutes <= limits[str(phase)] + extra)]] = True
        lost.append(rows[~reached[rows["area"]]])
    for group, rows in pd.concat([wanted[:0], *lost]).groupby("need_group"):
        some = ", ".join(sorted(set(rows["area_id"]))[:5])
        phases = ", ".join(f"{phase} {pupils:,.1f}" for phase, pupils in rows.groupby("phase")["pupils"].sum().items())
        few = f"{rows['pupils'].sum():,.1f} pupils in {rows['area_id'].nunique():,} areas"
        message = f"{few} reach no suitable setting or project site ({phases})"
        remedy = f"Add a project nearby, or expect unlocated places and unmet need there (areas {some})."
        yield InputProblem(file_of("travel"), message, remedy, column="need_group", value=str(group), level="warning")


def _sites(evidence: Evidence) -> pd.DataFrame:
    """Located settings with a pool and sites of projects that are not forbidden: site_id, easting_m, northing_m."""
    case = evidence.case
    settings = case.settings[case.settings["setting_id"].isin(set(case.pools["setting_id"]))].rename(columns={"setting_id": "site_id"})
    projects = case.projects[case.projects["decision"] != "forbidden"]
    columns = ["site_id", "easting_m", "northing_m"]
    return pd.concat([settings[columns], projects[columns]]).dropna().drop_duplicates("site_id").reset_index(drop=True)


def _straight_km(evidence: Evidence, sites: pd.DataFrame) -> pd.Series[float]:
    """Straight line of each journey of the table in km; empty for an unknown area or site."""
    areas, travel = evidence.case.areas, evidence.case.travel
    ends = []
    for ids, points, name in ((travel["area_id"], areas, "area_id"), (travel["site_id"], sites, "site_id")):
        where = _positions(ids, points[name])
        point = points[["easting_m", "northing_m"]].to_numpy(dtype=float)[where]
        ends.append(np.where((where >= 0)[:, None], point, np.nan))
    return pd.Series(np.hypot(*(ends[0] - ends[1]).T) / 1000, index=travel.index)


def _positions(ids: pd.Series[str], among: pd.Series[str] | pd.Index[str]) -> NDArray[np.int64]:
    """Position of each id among unique ids, -1 where there is none."""
    code, unique = pd.factorize(ids)
    positions: NDArray[np.int64] = pd.Index(among).get_indexer(unique)[code]
    return positions


def _holes(evidence: Evidence, sites: pd.DataFrame) -> Findings:
    """Areas with demand and sites without any journey, and near pairs that the table leaves out."""
    case = evidence.case
    placed = evidence.demand[evidence.demand["pupils"] > 0]["area_id"].unique()
    areas = case.areas[case.areas["area_id"].isin(set(placed))].reset_index(drop=True)
    lonely = case.areas["area_id"].isin(set(areas["area_id"]) - set(case.travel["area_id"].unique()))
    message, remedy = "has pupils but no journey in travel.parquet", "Add its journeys."
    yield from evidence.problems("areas", lonely, message, remedy, "area_id")
    for site in sorted(set(sites["site_id"]) - set(case.travel["site_id"].unique())):
        message, remedy = "no journey leads to this site: it can never be used", "Add its journeys."
        yield InputProblem(file_of("travel"), message, remedy, column="site_id", value=site, level="warning")
    if areas.empty or sites.empty:
        return
    near = cKDTree(areas[["easting_m", "northing_m"]]).query_ball_tree(cKDTree(sites[["easting_m", "northing_m"]]), 1000 * NEAR_KM)
    area = np.repeat(np.arange(len(areas)), [len(found) for found in near])
    site = np.concatenate([np.asarray(found, dtype=np.int64) for found in near])
    given_area, given_site = _positions(case.travel["area_id"], areas["area_id"]), _positions(case.travel["site_id"], sites["site_id"])
    known = (given_area >= 0) & (given_site >= 0)
    given = given_area[known] * len(sites) + given_site[known]
    missing = np.flatnonzero(~pd.Series(area * len(sites) + site).isin(given))
    if len(missing):
        message = f"{len(missing):,} of {len(area):,} pairs less than {NEAR_KM:.0f} km apart have no journey"
        some = "; ".join(f"{areas['area_id'][area[pair]]} to {sites['site_id'][site[pair]]}" for pair in missing[:5])
        remedy = f"Add them, with status unreachable where there is no way ({some})."
        yield InputProblem(file_of("travel"), message, remedy, column="area_id, site_id", level="warning")


def _suitable_offers(evidence: Evidence) -> pd.DataFrame:
    """id (site), need_group, phase of pools and allowed projects whose kind suits the group in some severity."""
    case = evidence.case
    pools = evidence.pools[["setting_id", "kind", "need_groups", "phases"]].rename(columns={"setting_id": "site", "kind": "provision"})
    projects = case.projects.loc[case.projects["decision"] != "forbidden", ["site_id", "provision", "need_groups", "phases"]]
    both = pd.concat([pools, projects.rename(columns={"site_id": "site"})], ignore_index=True)
    offered = offers(both.assign(id=both.index))
    offered = offered.assign(kind=offered["id"].map(both["provision"]), site=offered["id"].map(both["site"]))
    rules = serves(case.suitability)
    suits = rules.loc[rules["suitable"], ["kind", "need_group", "phase"]].drop_duplicates()
    return (
        offered.merge(suits, on=["kind", "need_group", "phase"])[["site", "need_group", "phase"]]
        .rename(columns={"site": "id"})
        .drop_duplicates()
    )
