"""What the map shows, as labels (JSON) and blocks of whole numbers in the encodings of ``geo.layers``.

Figures are tenths (pupils, places, minutes); -1 stands for "not known" or "not shown".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.layers import cells_of_points, encode_integers, encode_polygons, simplify_coverage
from sufficiency.case import Case
from sufficiency.disclosure import Shown, label
from sufficiency.outputs.figures import ALL, UNLOCATED_KINDS, VARIANTS, places_by_need, project_list, variants
from sufficiency.plan import Plan
from sufficiency.terms import NEED_GROUPS, SETTING_KINDS

MEASURES: Final = ("pupils", "unmet", "independent", "minutes")
DEGREES: Final = {"lsoa": 2e-5, "msoa": 5e-5}
"""Grid of the encoded shapes by kind of area: about 2 m and 5 m from south to north."""

Figures = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MapData:
    """``about``: names and labels. ``blocks``: shapes, outlines, figures, places, use, flows."""

    about: dict[str, Any]
    blocks: dict[str, bytes]


def map_data(plan: Plan, case: Case, shown: dict[str, Shown]) -> MapData:
    """Everything that the map needs, from the plan, the case and the figures as they may be shown."""
    ground = ground_of(case)
    sites = map_sites(plan, case)
    site_ids, years = list(sites["site_id"]), list(case.academic_years)
    groups = [ALL, *(code for code in NEED_GROUPS if code in set(plan.plan.needs["need_group"]))]
    areas, use, flows = ([getattr(shown[variant], part) for variant in VARIANTS] for part in ("areas", "use", "flows"))
    places = [places_by_need(tables, case) for tables in variants(plan).values()]
    about = {
        **labels(case, ground, sites, groups),
        "variants": ["Before", "With the plan"],
        "years": years,
        "projects": _project_records(project_list(plan.plan.projects, case), plan, case, sites),
    }
    blocks = {
        **ground.blocks,
        "figures": changes(figures_array(areas, case, years, ground.zones, groups)),
        "places": changes(places_array(places, years, site_ids, groups)),
        "use": changes(use_array(use, years, site_ids)),
        "flows": flow_columns(flows, case, years, site_ids),
    }
    return MapData(about, blocks)


@dataclass(frozen=True)
class Ground:
    """The areas and councils of a case as a map draws them."""

    councils: gpd.GeoDataFrame
    origin: tuple[float, float]
    step: float
    zones: list[str]
    """Ids of areas, then councils, then ``ALL``."""
    blocks: dict[str, bytes]
    """``shapes`` and ``outlines``."""


def ground_of(case: Case) -> Ground:
    """Outlines of areas and councils, encoded."""
    outlines = area_outlines(case)
    councils = _council_outlines(outlines, case)
    step, (west, south) = DEGREES[case.level], outlines.total_bounds[:2]
    origin = (float(west), float(south))
    blocks = {
        "shapes": encode_polygons(outlines.to_numpy(), origin, step),
        "outlines": encode_polygons(councils.geometry.to_crs(4326).to_numpy(), origin, step),
    }
    return Ground(councils, origin, step, [*case.areas["area_id"], *councils.index, ALL], blocks)


def labels(case: Case, ground: Ground, sites: pd.DataFrame, groups: list[str]) -> dict[str, Any]:
    """Names and places of what is on a map of the case, whatever its figures are."""
    return {
        "name": case.name,
        "groups": {code: NEED_GROUPS.get(code, "All needs") for code in groups},
        "groups_below_council": case.disclosure == "open",
        "modelled": label(case),
        "origin": ground.origin,
        "step": ground.step,
        "zones": [*case.areas["area_name"], *ground.councils["council_name"], "All councils together"],
        "areas": len(case.areas),
        "area_points": lon_lat(case.areas),
        "council_of_area": _positions(case.areas["council_code"], ground.councils.index).tolist(),
        "council_points": lon_lat(ground.councils),
        "kinds": {kind: name for kind, name in SETTING_KINDS.items() if kind not in UNLOCATED_KINDS},
        "sites": sites[["site_id", "name", "kind", "council", "is_new"]].to_dict("list") | {"points": lon_lat(sites)},
    }


def area_outlines(case: Case) -> gpd.GeoSeries:
    """Areas in EPSG:4326 with as few points as their size allows; cells round the points of a case that has no outlines."""
    shapes = case.areas.geometry.to_numpy()
    if set(np.unique(shapely.get_type_id(shapes))) <= {3, 6}:
        width = float(np.sqrt(np.median(shapely.area(shapes))))
        shapes = simplify_coverage(shapes, width / 40)
    else:
        points = shapely.points(case.areas[["easting_m", "northing_m"]].to_numpy())
        reach = float(np.sqrt(shapely.area(shapely.convex_hull(shapely.multipoints(points))) / len(points))) * 2
        shapes = cells_of_points(points, max(reach, 500.0))
    return gpd.GeoSeries(shapes, crs=case.areas.crs).to_crs(4326)


def map_sites(plan: Plan, case: Case) -> pd.DataFrame:
    """Settings with a location, and the new sites of projects: ``site_id, name, kind, council, easting_m, northing_m, is_new``."""
    new = plan.plan.projects[~plan.plan.projects["site_id"].isin(case.settings["setting_id"])]
    new = new.drop(columns="kind").rename(columns={"provision": "kind"}).drop_duplicates("site_id").assign(is_new=True)
    return pd.concat([located_settings(case), with_council_names(new, case)], ignore_index=True)


def located_settings(case: Case) -> pd.DataFrame:
    """Settings with a location, as ``map_sites``."""
    settings = case.settings[case.settings["easting_m"].notna()].rename(columns={"setting_id": "site_id"}).assign(is_new=False)
    return with_council_names(settings, case)


def with_council_names(sites: pd.DataFrame, case: Case) -> pd.DataFrame:
    """The columns of ``map_sites``."""
    names = case.councils.set_index("council_code")["council_name"].to_dict()
    sites = sites.assign(council=sites["council_code"].map(lambda code: names.get(code, "Outside the area planned for")))
    return sites[["site_id", "name", "kind", "council", "easting_m", "northing_m", "is_new"]]


def figures_array(figures: Sequence[pd.DataFrame], case: Case, years: list[str], zones: list[str], groups: list[str]) -> Figures:
    """Tenths by variant, need group, measure, year and zone, from tables as ``Shown.areas``, one per variant."""
    out = np.zeros((len(figures), len(groups), len(MEASURES), len(years), len(zones)), dtype=np.int64)
    out[:, :, MEASURES.index("minutes")] = -1
    if case.disclosure != "open":
        out[:, 1:, :, :, : len(case.areas)] = -1
    for number, table in enumerate(figures):
        table = table.assign(minutes=table["pupil_minutes"] / table["travellers"].where(table["travellers"] > 0))
        at = _positions(table["need_group"], groups), _positions(table["academic_year"], years), _positions(table["zone_id"], zones)
        for place, measure in enumerate(MEASURES):
            out[number, at[0], place, at[1], at[2]] = _tenths(table[measure])
    return out


def places_array(places: Sequence[pd.DataFrame], years: list[str], sites: list[str], groups: list[str]) -> Figures:
    """Tenths of places by variant, need group, year and site, from tables as ``places_by_need``."""
    out = np.zeros((len(places), len(groups), len(years), len(sites)), dtype=np.int64)
    for number, table in enumerate(places):
        table = table[table["setting_id"].isin(sites) & table["need_group"].isin(groups)]
        at = _positions(table["need_group"], groups), _positions(table["academic_year"], years), _positions(table["setting_id"], sites)
        out[number, at[0], at[1], at[2]] = _tenths(table["places"])
    return out


def use_array(use: Sequence[pd.DataFrame], years: list[str], sites: list[str]) -> Figures:
    """Tenths of pupils by variant, year and site, from tables as ``Shown.use``."""
    out = np.zeros((len(use), len(years), len(sites)), dtype=np.int64)
    for number, table in enumerate(use):
        table = table[table["setting_id"].isin(sites)]
        at = _positions(table["academic_year"], years), _positions(table["setting_id"], sites)
        out[number, at[0], at[1]] = _tenths(table["pupils"] + table["latent_pupils"])
    return out


def changes(figures: Figures) -> bytes:
    """The array (variants first, years last but one) as changes: plan against counterfactual, then each year against the one before."""
    changes = figures.copy()
    changes[1:] -= figures[:1]
    changes[..., 1:, :] = np.diff(changes, axis=-2)
    return encode_integers(changes)


def flow_columns(flows: Sequence[pd.DataFrame], case: Case, years: list[str], sites: list[str]) -> bytes:
    """Number of flows, then their variants, years, sites, areas and tenths of pupils, column by column."""
    areas = list(case.areas["area_id"])
    columns = []
    for number, table in enumerate(flows):
        lines = table.sort_values(["academic_year", "setting_id", "area_id"])
        at = [_positions(lines[name], order) for name, order in (("academic_year", years), ("setting_id", sites), ("area_id", areas))]
        columns.append(np.array([[number] * len(lines), *at, _tenths(lines["pupils"])], dtype=np.int64))
    together = np.concatenate(columns, axis=1)
    return encode_integers(np.concatenate([[together.shape[1]], together.ravel()]))


def _council_outlines(outlines: gpd.GeoSeries, case: Case) -> gpd.GeoDataFrame:
    """One shape and one label point per council that has areas, by council code."""
    shapes = gpd.GeoDataFrame(
        {"council_code": case.areas["council_code"].to_numpy()}, geometry=outlines.to_crs(27700).make_valid().to_numpy(), crs=27700
    )
    councils = shapes.dissolve("council_code")
    names = case.councils.set_index("council_code")["council_name"]
    points = councils.representative_point()
    return councils.assign(council_name=names.loc[councils.index], easting_m=points.x, northing_m=points.y)


def _project_records(projects: pd.DataFrame, plan: Plan, case: Case, sites: pd.DataFrame) -> list[dict[str, Any]]:
    site = plan.plan.projects.drop_duplicates("project_id").set_index("project_id")["site_id"]
    sites_at = _positions(projects["project_id"].map(site), list(sites["site_id"]))
    also_before = set(plan.counterfactual.projects["project_id"])
    rows = projects.drop(columns=["easting_m", "northing_m"]).to_dict("records")
    return [
        {str(name): value for name, value in row.items()}
        | {
            "site": int(at),
            "point": point,
            "year": bisect_left(case.academic_years, row["opens"]),
            "in_counterfactual": row["project_id"] in also_before,
        }
        for row, at, point in zip(rows, sites_at, lon_lat(projects), strict=True)
    ]


def lon_lat(table: pd.DataFrame) -> list[list[float]]:
    """Degrees east and north of the rows' ``easting_m`` and ``northing_m``, to about a metre."""
    points = gpd.GeoSeries(gpd.points_from_xy(table["easting_m"], table["northing_m"]), crs=27700).to_crs(4326)
    return [[round(float(x), 5), round(float(y), 5)] for x, y in zip(points.x, points.y, strict=True)]


def _positions(values: pd.Series[Any], order: Sequence[str] | pd.Index[Any]) -> Figures:
    """Where each value stands in ``order``. Raises KeyError for a value that does not."""
    places = pd.Index(order).get_indexer(pd.Index(values))
    if (places < 0).any():
        raise KeyError(f"not among the {len(order)} known ids: {', '.join(map(str, values[places < 0].unique()[:10]))}")
    return np.asarray(places, dtype=np.int64)


def _tenths(values: pd.Series[float]) -> Figures:
    return np.asarray((values * 10).round().fillna(-1), dtype=np.int64)
