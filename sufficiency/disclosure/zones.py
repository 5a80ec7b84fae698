"""Small areas with few pupils, merged: what a protected case shows below council level are these zones.

Zones follow from the case's demand alone, never from a plan: every plan, year and output of a case has the same zones, so that no two of
them can be subtracted from each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure.rules import FEWEST_FOR_MEANS, shown_counts
from sufficiency.disclosure.text import shown_text

FEWEST_PUPILS: Final = 10.0
"""A zone has at least so many pupils in every year and scenario, unless its whole council has fewer."""


def zones(case: Case) -> pd.Series[str]:
    """Zone of each area, by area id. An area of its own keeps its id; a merged zone is called by its first area and the number of others.

    Within each council the zone with fewest pupils joins its nearest neighbour (by population-weighted points) until none has too few.
    """
    fewest = _fewest_pupils(case)
    names: dict[str, str] = {}
    for _, areas in case.areas.groupby("council_code", sort=True):
        areas = areas.sort_values("area_id")
        points = areas[["easting_m", "northing_m"]].to_numpy(float)
        members = _merged(points, fewest.loc[areas["area_id"]].to_numpy(float))
        ids = areas["area_id"].to_numpy()
        for group in members:
            first, *others = (str(ids[place]) for place in sorted(group))
            names |= dict.fromkeys([first, *others], f"{first}+{len(others)}" if others else first)
    return pd.Series(names, dtype=str).rename("zone_id")


def shown_case(case: Case) -> Case:
    """The case for outputs that draw or list areas: zones in place of areas. An open case is returned as it is.

    Of pupils, placements and journeys only the statuses are left, for no output draws on them; places of pools are shown as counts, and
    what a place costs from ten places up, for a fee for fewer is the fee of a child.
    """
    if case.disclosure == "open":
        return case
    blanked = {
        name: getattr(case, name)[["status"]].drop_duplicates(ignore_index=True).reindex(columns=getattr(case, name).columns)
        for name in ("pupils", "placements", "travel")
    }
    pools = case.pools.assign(**{name: shown_counts(case.pools[name]) for name in ("places", "places_total", "places_at_risk")})
    pools["place_cost_gbp_per_year"] = pools["place_cost_gbp_per_year"].where(case.pools["places"] >= FEWEST_FOR_MEANS)
    notes = tuple(shown_text(note, case) for note in case.notes)
    return replace(case, areas=_zone_table(case), pools=pools, notes=notes, totals={}, **blanked)


def _fewest_pupils(case: Case) -> pd.DataFrame:
    """(areas, year and scenario) placed pupils of the case, the base January's own placements among them."""
    key = case.pupils["academic_year"] + " " + case.pupils["scenario"]
    demand = case.pupils.pivot_table(index="area_id", columns=key, values="pupils_placed", aggfunc="sum", fill_value=0.0)
    base = case.placements.groupby("area_id")["pupils"].sum().rename("base")
    return demand.join(base, how="outer").reindex(case.areas["area_id"]).fillna(0.0)


def _merged(points: np.ndarray, pupils: np.ndarray) -> list[list[int]]:
    """Groups of rows of which each has FEWEST_PUPILS in every column, or one group of all rows."""
    points, pupils = points.copy(), pupils.copy()
    members = [[row] for row in range(len(points))]
    weight = np.ones(len(points))
    while len(members) > 1 and pupils.min() < FEWEST_PUPILS:
        small = int(pupils.min(axis=1).argmin())
        distance = np.hypot(*(points - points[small]).T)
        distance[small] = np.inf
        near = int(distance.argmin())
        points[near] = np.average(points[[near, small]], axis=0, weights=weight[[near, small]])
        weight[near] += weight[small]
        pupils[near] += pupils[small]
        members[near] = members[near] + members[small]
        del members[small]
        points, pupils, weight = (np.delete(values, small, axis=0) for values in (points, pupils, weight))
    return members


def _zone_table(case: Case) -> gpd.GeoDataFrame:
    """One row per zone in the columns of the areas: outline of all members, people added up, other figures weighted by people."""
    areas = case.areas.assign(zone_id=case.areas["area_id"].map(zones(case)))
    people = areas["population_0_25"].clip(lower=1.0)
    for name in ("easting_m", "northing_m", "imd_decile"):
        areas[name] = areas[name] * people
    sums = areas.assign(people=people).groupby("zone_id")[["easting_m", "northing_m", "imd_decile", "people", "population_0_25"]].sum()
    first = areas.sort_values("area_id").drop_duplicates("zone_id").set_index("zone_id")
    size = areas.groupby("zone_id").size().loc[first.index]
    first["area_name"] = first["area_name"].where(size == 1, first["area_name"] + " and " + (size - 1).astype(str) + " near by")
    for name in ("easting_m", "northing_m"):
        first[name] = sums[name] / sums["people"]
    first["imd_decile"] = (sums["imd_decile"] / sums["people"]).round().astype("int64")
    first["population_0_25"] = sums["population_0_25"]
    shapes = areas[["zone_id", "geometry"]].dissolve("zone_id").geometry.loc[first.index]
    table = first.assign(area_id=first.index).set_geometry(shapes)
    return gpd.GeoDataFrame(table[list(case.areas.columns)].reset_index(drop=True), crs=case.areas.crs)
