"""What the map shows, as labels (JSON) and blocks of whole numbers in the encodings of ``geo.layers``.

Figures are tenths (pupils, places, minutes); -1 stands for "not known" or "not shown".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.layers import cells_of_points, encode_integers, encode_polygons, simplify_coverage
from sufficiency.case import Case
from sufficiency.outputs.disclosure import LABELS, Shown
from sufficiency.outputs.figures import ALL, UNLOCATED_KINDS, VARIANTS, places_by_need, project_list, variants
from sufficiency.plan import Plan, PlanTables
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
    """Everything that the map needs, and nothing that may not be shown."""
    outlines = area_outlines(case)
    councils = _council_outlines(outlines, case)
    sites = map_sites(plan, case)
    projects = project_list(plan.plan.projects, case)
    step, (west, south) = DEGREES[case.level], outlines.total_bounds[:2]
    origin = (float(west), float(south))
    groups = [ALL, *(code for code in NEED_GROUPS if code in set(plan.plan.needs["need_group"]))]
    zones = [*case.areas["area_id"], *councils.index, ALL]
    about = {
        "name": case.name,
        "years": list(case.academic_years),
        "groups": {code: NEED_GROUPS.get(code, "All needs") for code in groups},
        "groups_below_council": case.disclosure == "open",
        "modelled": LABELS[case.disclosure],
        "origin": origin,
        "step": step,
        "zones": [*case.areas["area_name"], *councils["council_name"], "All councils together"],
        "areas": len(case.areas),
        "area_points": _lon_lat(case.areas),
        "council_of_area": _positions(case.areas["council_code"], councils.index).tolist(),
        "council_points": _lon_lat(councils),
        "kinds": {kind: name for kind, name in SETTING_KINDS.items() if kind not in UNLOCATED_KINDS},
        "sites": sites[["site_id", "name", "kind", "council", "is_new"]].to_dict("list") | {"points": _lon_lat(sites)},
        "projects": _project_records(projects, plan, case, sites),
    }
    blocks = {
        "shapes": encode_polygons(outlines.to_numpy(), origin, step),
        "outlines": encode_polygons(councils.geometry.to_crs(4326).to_numpy(), origin, step),
        "figures": _changes(figures_array(shown, case, zones, groups)),
        "places": _changes(places_array(variants(plan), case, list(sites["site_id"]), groups)),
        "use": _changes(use_array(shown, case, list(sites["site_id"]))),
        "flows": _flow_columns(shown, case, list(sites["site_id"])),
    }
    return MapData(about, blocks)


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
    columns = ["site_id", "name", "kind", "council_code", "easting_m", "northing_m", "is_new"]
    settings = case.settings[case.settings["easting_m"].notna()].rename(columns={"setting_id": "site_id"}).assign(is_new=False)
    new = plan.plan.projects[~plan.plan.projects["site_id"].isin(case.settings["setting_id"])]
    new = new.drop(columns="kind").rename(columns={"provision": "kind"}).drop_duplicates("site_id").assign(is_new=True)
    names = case.councils.set_index("council_code")["council_name"].to_dict()
    sites = pd.concat([settings[columns], new[columns]], ignore_index=True)
    return sites.assign(council=sites["council_code"].map(lambda code: names.get(code, "Outside the area planned for")))


def figures_array(shown: dict[str, Shown], case: Case, zones: list[str], groups: list[str]) -> Figures:
    """Tenths by variant, need group, measure, year and zone."""
    years = list(case.academic_years)
    out = np.zeros((2, len(groups), len(MEASURES), len(years), len(zones)), dtype=np.int64)
    out[:, :, MEASURES.index("minutes")] = -1
    if case.disclosure != "open":
        out[:, 1:, :, :, : len(case.areas)] = -1
    for number, variant in enumerate(VARIANTS):
        figures = shown[variant].areas
        figures = figures.assign(minutes=figures["pupil_minutes"] / figures["travellers"].where(figures["travellers"] > 0))
        at = _positions(figures["need_group"], groups), _positions(figures["academic_year"], years), _positions(figures["zone_id"], zones)
        for place, measure in enumerate(MEASURES):
            out[number, at[0], place, at[1], at[2]] = _tenths(figures[measure])
    return out


def places_array(tables: Mapping[str, PlanTables], case: Case, sites: list[str], groups: list[str]) -> Figures:
    """Tenths of places by variant, need group, year and site."""
    years = list(case.academic_years)
    out = np.zeros((2, len(groups), len(years), len(sites)), dtype=np.int64)
    for number, variant in enumerate(VARIANTS):
        places = places_by_need(tables[variant], case)
        places = places[places["setting_id"].isin(sites) & places["need_group"].isin(groups)]
        at = _positions(places["need_group"], groups), _positions(places["academic_year"], years), _positions(places["setting_id"], sites)
        out[number, at[0], at[1], at[2]] = _tenths(places["places"])
    return out


def use_array(shown: dict[str, Shown], case: Case, sites: list[str]) -> Figures:
    """Tenths of pupils by variant, year and site."""
    years = list(case.academic_years)
    out = np.zeros((2, len(years), len(sites)), dtype=np.int64)
    for number, variant in enumerate(VARIANTS):
        use = shown[variant].use
        use = use[use["setting_id"].isin(sites)]
        out[number, _positions(use["academic_year"], years), _positions(use["setting_id"], sites)] = _tenths(
            use["pupils"] + use["latent_pupils"]
        )
    return out


def _changes(figures: Figures) -> bytes:
    """The array (variants first, years last but one) as changes: plan against counterfactual, then each year against the one before."""
    changes = figures.copy()
    changes[1] -= figures[0]
    changes[..., 1:, :] = np.diff(changes, axis=-2)
    return encode_integers(changes)


def _flow_columns(shown: dict[str, Shown], case: Case, sites: list[str]) -> bytes:
    """Number of flows, then their variants, years, sites, areas and tenths of pupils, column by column."""
    areas, years = list(case.areas["area_id"]), list(case.academic_years)
    columns = []
    for number, variant in enumerate(VARIANTS):
        lines = shown[variant].flows.sort_values(["academic_year", "setting_id", "area_id"])
        at = [_positions(lines[name], order) for name, order in (("academic_year", years), ("setting_id", sites), ("area_id", areas))]
        columns.append(np.array([[number] * len(lines), *at, _tenths(lines["pupils"])], dtype=np.int64))
    table = np.concatenate(columns, axis=1)
    return encode_integers(np.concatenate([[table.shape[1]], table.ravel()]))


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
        for row, at, point in zip(rows, sites_at, _lon_lat(projects), strict=True)
    ]


def _lon_lat(table: pd.DataFrame) -> list[list[float]]:
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
