"""Access of a case or a plan as a table of shares and a GeoPackage: areas, councils and the catchments of sites; EPSG:27700."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.isochrone import road_isochrones
from geo.network import build_network
from geo.roads import read_roads
from geo.roads.speeds import load_speeds
from sufficiency.access import (
    MINUTES,
    access_by_area,
    access_layer,
    access_shares,
    places_today,
    places_with_designation,
    site_catchment,
    suitable_sites,
)
from sufficiency.case import Case
from sufficiency.corridors import case_sites
from sufficiency.journey_report import planned_year, refuse_protected
from sufficiency.outputs.csvw import write_table
from sufficiency.outputs.folder import read_plan
from sufficiency.plan import Plan
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.report_schemas import ALL_NEEDS, REPORT_SCHEMAS
from sufficiency.terms import INDEPENDENT_KINDS

GEOPACKAGE = "access.gpkg"


@dataclass(frozen=True)
class AccessReport:
    """``shares`` by the schema ``access_shares``; layers of the GeoPackage by name."""

    academic_year: str
    shares: pd.DataFrame
    layers: dict[str, gpd.GeoDataFrame]


def access_report(
    case: Case,
    plan: Plan | None = None,
    year: str | None = None,
    sites: Sequence[str] = (),
    roads: Path | None = None,
    speeds: str = "school_run",
) -> AccessReport:
    """Who has a suitable state-funded place in reach: today, or before and after a plan in one planning year (by default the last).

    ``sites``: whose catchments to draw; by default those where the plan builds, without a plan all state-funded settings. They are drawn
    by road where there is a road file, else by areas. Raises InputError for a year or site that is not there, and for a protected case.
    """
    refuse_protected(case, "access")
    if plan is None and year is not None:
        raise InputError([InputProblem("--year", "a year needs a plan", "Give --plan DIR, or leave --year out.", value=year)])
    chosen = case.base_year if plan is None else planned_year(case, year)
    access = _access(case, plan, chosen)
    shares = _shares(access, case, chosen, planned=plan is not None)
    layers = {
        "areas": _area_layer(access, case),
        "councils": _council_layer(shares, case),
        "catchments": _catchments(case, _chosen_sites(case, plan, sites), roads, speeds),
    }
    return AccessReport(chosen, shares, layers)


def write_access(
    case: Case,
    out: Path,
    plan_folder: Path | None = None,
    year: str | None = None,
    sites: Sequence[str] = (),
    roads: Path | None = None,
    speeds: str = "school_run",
    progress: Callable[[str], None] | None = None,
) -> AccessReport:
    """Write access_shares.csv with its metadata and access.gpkg into ``out``; InputError as ``access_report``."""
    say = progress or (lambda _: None)
    say("Finding the nearest suitable places")
    report = access_report(case, read_plan(plan_folder) if plan_folder else None, year, sites, roads, speeds)
    out.mkdir(parents=True, exist_ok=True)
    write_table(report.shares, "access_shares", out, case)
    say(f"Writing {GEOPACKAGE}")
    (out / GEOPACKAGE).unlink(missing_ok=True)
    for name, layer in report.layers.items():
        layer.to_file(out / GEOPACKAGE, layer=name, driver="GPKG", engine="pyogrio")
    return report


def access_text(report: AccessReport) -> str:
    """Shares of all councils together, by need, in a few lines."""
    table = report.shares
    lines = [f"Share of pupils within reach of a suitable state-funded place, {report.academic_year}"]
    lines.append(f"{'need':6} {'pupils':>9}" + "".join(f"{f'{limit:.0f} min':>16}" for limit in MINUTES))
    for need, rows in table.groupby("need_group", sort=False):
        weight = rows.groupby("minutes")["pupils"].sum()
        before, after = (
            (rows[name] * rows["pupils"]).groupby(rows["minutes"]).sum(min_count=1) / weight for name in ("share_before", "share_after")
        )
        cells = (f"{before[m]:.0%}" + ("" if np.isnan(after[m]) else f" -> {after[m]:.0%}") for m in MINUTES)
        lines.append(f"{need:6} {weight.iloc[0]:9,.0f}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def _access(case: Case, plan: Plan | None, year: str) -> pd.DataFrame:
    """``access_by_area`` in the world before and the world after; the same world twice without a plan."""
    if plan is None:
        before = after = suitable_sites(places_today(case), case.suitability)
    else:
        worlds = (tables.places[tables.places["academic_year"] == year] for tables in (plan.counterfactual, plan.plan))
        before, after = (suitable_sites(places_with_designation(case, places), case.suitability) for places in worlds)
    scenario = "central" if plan is None else str(plan.summary.get("scenario", "central"))
    pupils = case.pupils[case.pupils["academic_year"] == year]
    own = pupils[pupils["scenario"] == scenario]
    access = access_by_area(own if len(own) else pupils[pupils["scenario"] == "central"], case.travel, before, after)
    return access.assign(council_code=access["area_id"].map(case.areas.set_index("area_id")["council_code"]))


def _shares(access: pd.DataFrame, case: Case, year: str, *, planned: bool) -> pd.DataFrame:
    by_need = access_shares(access, by=("council_code", "need_group"))
    every = access_shares(access, by=("council_code",)).assign(need_group=ALL_NEEDS)
    table = pd.concat([by_need, every], ignore_index=True).assign(academic_year=year)
    if not planned:
        table["share_after"] = np.nan
    schema = REPORT_SCHEMAS["access_shares"].to_schema()
    validated: pd.DataFrame = schema.validate(table[list(schema.columns)])
    return validated


def _area_layer(access: pd.DataFrame, case: Case) -> gpd.GeoDataFrame:
    """Per area and need group: pupils and their mean minutes to a suitable place before and after, e.g. ``minutes_after_asd``."""
    layer = case.areas[["area_id", "area_name", "council_code", "geometry"]].reset_index(drop=True)
    for need in access["need_group"].unique():
        of_need = access_layer(access, case.areas, need).set_index("area_id").reindex(layer["area_id"])
        for name in ("pupils", "minutes_before", "minutes_after", "minutes_saved"):
            layer[f"{name}_{need.lower()}"] = of_need[name].round(1).to_numpy()
    return layer


def _council_layer(shares: pd.DataFrame, case: Case) -> gpd.GeoDataFrame:
    """Per council and need group the shares in reach before and after, e.g. ``within_45_before_asd``."""
    outlines = case.areas[["council_code", "council_name", "geometry"]].dissolve("council_code")
    columns = {}
    for name in ("share_before", "share_after"):
        for (minutes, need), rows in shares.groupby(["minutes", "need_group"]):
            label = f"within_{minutes:.0f}_{name.removeprefix('share_')}_{str(need).lower()}"
            columns[label] = rows.set_index("council_code")[name].reindex(outlines.index).round(3)
    return gpd.GeoDataFrame(outlines.assign(**columns).reset_index(), crs=case.areas.crs)


def _chosen_sites(case: Case, plan: Plan | None, asked: Sequence[str]) -> list[str]:
    known = set(case_sites(case)["site_id"])
    unknown = [site for site in asked if site not in known]
    if unknown:
        remedy = "Name settings of settings.csv that are on the map, or sites of projects.csv."
        raise InputError([InputProblem("--site", "no such site on the map", remedy, value=site) for site in unknown])
    if asked:
        return list(dict.fromkeys(asked))
    if plan is not None:
        return sorted(set(plan.plan.projects["site_id"]))
    return sorted(known & set(case.settings.loc[~case.settings["kind"].isin(INDEPENDENT_KINDS), "setting_id"]))


def _catchments(case: Case, sites: list[str], roads: Path | None, speeds: str) -> gpd.GeoDataFrame:
    """One shape per site and reach: site_id, minutes, method (``by road`` or ``by areas``)."""
    if roads is not None:
        network = build_network(read_roads(roads), load_speeds(speeds))
        places = case_sites(case).set_index("site_id").loc[sites]
        drawn = [
            road_isochrones(network, easting, northing, MINUTES).assign(site_id=site, method="by road")
            for site, easting, northing in places[["easting_m", "northing_m"]].itertuples(name=None)
        ]
    else:
        reached = set(case.travel.loc[case.travel["minutes"].notna(), "site_id"])
        drawn = [site_catchment(case.travel, case.areas, site).assign(method="by areas") for site in sites if site in reached]
    columns = ["site_id", "minutes", "method", "geometry"]
    if not drawn:
        return gpd.GeoDataFrame({name: [] for name in columns}, geometry="geometry", crs=case.areas.crs)
    return gpd.GeoDataFrame(pd.concat([layer[columns] for layer in drawn], ignore_index=True), crs=case.areas.crs)
