"""Who lives within reach of a suitable place, before a plan and after it; catchments of a site.

A site is suitable for a need group and a phase when some of its places are state-funded, designated for both, and of a kind that suits the
group. Reach is the journey of the case's travel table; it says nothing of free places, which the plan itself does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from sufficiency.case import Case
from sufficiency.suitability import designated_groups, serves
from sufficiency.terms import GROUP_OF_NEED, INDEPENDENT_KINDS, split_codes

Floats = NDArray[np.float64]

MINUTES: Final = (20.0, 45.0, 75.0)
NEVER: Final = np.inf
LEAST_PLACES: Final = 0.5
"""A site with fewer places is not open."""


def suitable_sites(places: pd.DataFrame, suitability: pd.DataFrame) -> pd.DataFrame:
    """site_id, need_group, phase that state-funded places serve.

    ``places``: setting_id, kind, need_groups and phases (codes joined by ``|``), places; ``suitability``: the case's table of that name.
    """
    kept = places[(places["places"] >= LEAST_PLACES) & ~places["kind"].isin(INDEPENDENT_KINDS)]
    served = pd.DataFrame(
        {
            "site_id": kept["setting_id"],
            "kind": kept["kind"],
            "need_group": kept["need_groups"].map(split_codes),
            "phase": kept["phases"].map(split_codes),
        }
    )
    served = served.explode("need_group").explode("phase")
    rules = serves(suitability)
    suits = rules.loc[rules["suitable"], ["kind", "need_group", "phase"]].drop_duplicates()
    found: pd.DataFrame = served.merge(suits, on=["kind", "need_group", "phase"])[["site_id", "need_group", "phase"]]
    return found.drop_duplicates(ignore_index=True)


def places_with_designation(case: Case, places: pd.DataFrame) -> pd.DataFrame:
    """A plan's table of places with the need groups and phases of its pools. Raises KeyError for a pool that the case lacks."""
    columns = ["pool_id", "need_groups", "phases"]
    projects = case.projects.assign(pool_id=case.projects["project_id"], need_groups=designated_groups(case.projects))
    known = pd.concat([case.pools[columns], projects[columns]], ignore_index=True)
    lost = sorted(set(places["pool_id"]) - set(known["pool_id"]))
    if lost:
        raise KeyError(f"pools that are not of the case: {', '.join(lost[:10])}")
    designated: pd.DataFrame = places.merge(known, on="pool_id", how="left", validate="many_to_one")
    return designated


def places_today(case: Case) -> pd.DataFrame:
    """Pools of the case as ``suitable_sites`` reads them."""
    pools: pd.DataFrame = case.pools.merge(case.settings[["setting_id", "kind"]], on="setting_id", validate="many_to_one")
    return pools


def nearest_minutes(travel: pd.DataFrame, suitable: pd.DataFrame) -> pd.DataFrame:
    """Minutes from each area to the nearest suitable site: area_id, need_group, phase, minutes; areas without one have no row."""
    areas = pd.Index(travel["area_id"].unique())
    reach = Reach(travel, areas)
    found = [
        pd.DataFrame({"area_id": areas, "need_group": need_group, "phase": phase, "minutes": reach.nearest(frozenset(sites))})
        for (need_group, phase), sites in suitable.groupby(["need_group", "phase"])["site_id"]
    ]
    if not found:
        return pd.DataFrame(columns=["area_id", "need_group", "phase", "minutes"])
    nearest: pd.DataFrame = pd.concat(found, ignore_index=True).query("minutes < inf")
    return nearest.reset_index(drop=True)


class Reach:
    """Journeys of a travel table, sorted by area so that the nearest of any set of sites is found in one pass."""

    def __init__(self, travel: pd.DataFrame, areas: pd.Index) -> None:
        area = areas.get_indexer(pd.Index(travel["area_id"]))
        known = (area >= 0) & travel["minutes"].notna().to_numpy()
        order = np.argsort(area[known], kind="stable")
        site, names = pd.factorize(travel["site_id"].to_numpy()[known][order])
        self._site, self._names = site, pd.Index(names)
        self._minutes = travel["minutes"].to_numpy(float)[known][order]
        self._area, self._first = np.unique(area[known][order], return_index=True)
        self._areas = len(areas)
        self.nearest = lru_cache(maxsize=None)(self._nearest)

    def _nearest(self, sites: frozenset[str]) -> Floats:
        """(areas,) minutes to the nearest of the sites, infinite where none is in the table."""
        result = np.full(self._areas, NEVER)
        if len(self._area):
            open_site = self._names.isin(list(sites))
            result[self._area] = np.minimum.reduceat(np.where(open_site[self._site], self._minutes, NEVER), self._first)
        return result


def access_table(case: Case, places: pd.DataFrame, areas: pd.Index, families: pd.DataFrame, pupils: Floats) -> pd.DataFrame:
    """The result table ``access`` of one world: pupils within 20, 45 and 75 minutes of a suitable place, by council, group, phase and year.

    ``places``: the world's table of that name; ``pupils`` (areas, families, planning years): placed demand, families being rows of
    need_group and phase.
    """
    reach = Reach(case.travel, areas)
    council = pd.Series(case.areas["council_code"].to_numpy(), index=case.areas["area_id"]).loc[areas].to_numpy()
    designated = places_with_designation(case, places)
    parts = []
    for t, year in enumerate(case.academic_years):
        suitable = suitable_sites(designated[designated["academic_year"] == year], case.suitability)
        sites = suitable.groupby(["need_group", "phase"])["site_id"].agg(frozenset).to_dict()
        for f, family in enumerate(families[["need_group", "phase"]].itertuples(index=False, name=None)):
            minutes = reach.nearest(sites.get(family, frozenset()))
            columns = {"pupils": pupils[:, f, t], **{f"within_{limit:.0f}_min": pupils[:, f, t] * (minutes <= limit) for limit in MINUTES}}
            sums = pd.DataFrame(columns).groupby(council).sum().rename_axis("council_code").reset_index()
            parts.append(sums.assign(need_group=family[0], phase=family[1], academic_year=year))
    table = pd.concat(parts, ignore_index=True)
    return table[table["pupils"] > 0].sort_values(["council_code", "need_group", "phase", "academic_year"], ignore_index=True)


def access_by_area(pupils: pd.DataFrame, travel: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Pupils of each area, need group and phase with minutes to the nearest suitable site before and after (empty: none in reach).

    ``pupils``: the case's pupils of one academic year and scenario. ``before`` and ``after``: tables of ``suitable_sites``; what the plan
    opens is added to ``before``, so ``after`` holds all that is open then. Raises ValueError when pupils hold several years or scenarios.
    """
    for name in ("academic_year", "scenario"):
        if pupils[name].nunique() > 1:
            raise ValueError(f"pupils hold several values of {name}: choose one of {sorted(pupils[name].unique())}")
    keys = ["area_id", "need_group", "phase"]
    placed = pupils.assign(need_group=pupils["need"].map(GROUP_OF_NEED)).groupby(keys, as_index=False)[["pupils_placed"]].sum()
    table = placed.rename(columns={"pupils_placed": "pupils"})
    for name, suitable in (("minutes_before", before), ("minutes_after", after)):
        nearest: pd.DataFrame = nearest_minutes(travel, suitable).rename(columns={"minutes": name})
        table = table.merge(nearest, on=keys, how="left", validate="one_to_one")
    return table


def access_shares(access: pd.DataFrame, minutes: Sequence[float] = MINUTES, by: Sequence[str] = ("need_group",)) -> pd.DataFrame:
    """Share of pupils within each number of minutes of a suitable place: the ``by`` columns, minutes, pupils, share_before, share_after.

    ``access``: of ``access_by_area``. Rows of groups without pupils are left out.
    """
    rows = []
    for limit in minutes:
        within = access.assign(
            within_before=access["pupils"] * (access["minutes_before"].fillna(NEVER) <= limit),
            within_after=access["pupils"] * (access["minutes_after"].fillna(NEVER) <= limit),
        )
        sums = within.groupby(list(by), as_index=False)[["pupils", "within_before", "within_after"]].sum()
        rows.append(sums[sums["pupils"] > 0].assign(minutes=limit))
    table = pd.concat(rows, ignore_index=True)
    table["share_before"] = table["within_before"] / table["pupils"]
    table["share_after"] = table["within_after"] / table["pupils"]
    return table[[*by, "minutes", "pupils", "share_before", "share_after"]].sort_values([*by, "minutes"], ignore_index=True)


def access_layer(access: pd.DataFrame, areas: gpd.GeoDataFrame, need_group: str) -> gpd.GeoDataFrame:
    """A map layer of one need group: per area its pupils and their mean minutes to a suitable place before and after, with the change.

    Minutes are empty where none of the area's pupils of the group has a suitable place in reach.
    """
    of_group = access[access["need_group"] == need_group]
    table = pd.DataFrame({"pupils": of_group.groupby("area_id")["pupils"].sum()})
    for name in ("minutes_before", "minutes_after"):
        known = of_group[of_group[name].notna()]
        weighted = (known[name] * known["pupils"]).groupby(known["area_id"]).sum()
        table[name] = weighted / known.groupby("area_id")["pupils"].sum().replace(0, np.nan)
    table["minutes_saved"] = table["minutes_before"] - table["minutes_after"]
    shapes = areas[["area_id", "area_name", "geometry"]]
    return gpd.GeoDataFrame(shapes.merge(table, left_on="area_id", right_index=True, how="inner"), crs=areas.crs)


def site_catchment(travel: pd.DataFrame, areas: gpd.GeoDataFrame, site_id: str, minutes: Sequence[float] = MINUTES) -> gpd.GeoDataFrame:
    """Areas within each number of minutes of a site as one shape each: site_id, minutes, areas (count), geometry.

    With a road network, ``geo.isochrone.road_isochrones`` draws the same by road. Raises ValueError for a site without any journey.
    """
    to_site = travel[(travel["site_id"] == site_id) & travel["minutes"].notna()]
    if to_site.empty:
        raise ValueError(f"the travel table has no journey to site {site_id}")
    shapes = areas.set_index("area_id").geometry
    rows = []
    for limit in sorted(minutes):
        inside = shapes.loc[to_site.loc[to_site["minutes"] <= limit, "area_id"]]
        rows.append((site_id, limit, len(inside), shapely.union_all(inside.to_numpy())))
    return gpd.GeoDataFrame(rows, columns=["site_id", "minutes", "areas", "geometry"], geometry="geometry", crs=areas.crs)
