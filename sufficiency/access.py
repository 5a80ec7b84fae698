"""Who lives within reach of a suitable place, before a plan and after it; catchments of a site.

A site is suitable for a need group and a phase when some of its places are designated for both. Reach is the journey of the case's
travel table; it says nothing of free places, which the plan itself does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from sufficiency.terms import GROUP_OF_NEED, split_codes

MINUTES: Final = (20.0, 45.0, 75.0)
NEVER: Final = np.inf


def suitable_sites(places: pd.DataFrame, site_column: str = "setting_id") -> pd.DataFrame:
    """site_id, need_group, phase that places serve: pools of a case (``setting_id``) or built projects of a plan (``site_id``).

    ``places``: the site column, need_groups and phases (codes joined by ``|``), places; rows without places serve nobody.
    """
    kept = places[places["places"] > 0]
    served = pd.DataFrame(
        {"site_id": kept[site_column], "need_group": kept["need_groups"].map(split_codes), "phase": kept["phases"].map(split_codes)}
    )
    return served.explode("need_group").explode("phase").drop_duplicates(ignore_index=True)


def nearest_minutes(travel: pd.DataFrame, suitable: pd.DataFrame) -> pd.DataFrame:
    """Minutes from each area to the nearest suitable site: area_id, need_group, phase, minutes; areas without one have no row."""
    reached = travel.loc[travel["minutes"].notna(), ["area_id", "site_id", "minutes"]]
    found = []
    for (need_group, phase), sites in suitable.groupby(["need_group", "phase"])["site_id"]:
        nearest = reached[reached["site_id"].isin(sites)].groupby("area_id", as_index=False)["minutes"].min()
        found.append(nearest.assign(need_group=need_group, phase=phase))
    columns = ["area_id", "need_group", "phase", "minutes"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


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
