"""A plan as a GeoPackage (OGC 12-128) with layers that QGIS opens ready-made: areas, flows, settings, projects; EPSG:27700."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import geopandas as gpd
import pandas as pd
import shapely

from sufficiency.case import Case
from sufficiency.disclosure import Shown
from sufficiency.outputs.figures import ALL, project_list
from sufficiency.outputs.styles import STYLES
from sufficiency.plan import Plan
from sufficiency.terms import NEED_GROUPS, SETTING_KINDS

GEOMETRY: Final = {"flows": "LineString", "settings": "Point", "projects": "Point"}
"""Said outright, since these layers may be empty."""

SUFFIXES: Final = {"counterfactual": "before", "plan": "after"}


def write_geopackage(plan: Plan, case: Case, path: Path, shown: dict[str, Shown]) -> None:
    """Write the layers and their styles, from the plan, the case and the figures as they may be shown. Minutes are one way."""
    layers = {
        "areas": area_layer(plan, case, shown),
        "flows": flow_layer(plan, case, shown),
        "settings": setting_layer(case, shown),
        "projects": project_layer(plan, case),
    }
    for name, layer in layers.items():
        layer.to_file(path, layer=name, driver="GPKG", engine="pyogrio", geometry_type=GEOMETRY.get(name))
    _write_styles(path)


def area_layer(plan: Plan, case: Case, shown: dict[str, Shown]) -> gpd.GeoDataFrame:
    """Areas with figures of the base January and of the last planning year before and after, by need group and for all needs.

    Columns such as ``unmet_after_asd``: pupils, unmet, independent (pupils) and minutes (mean journey, empty when nobody travels).
    """
    last = case.academic_years[-1]
    moments = {"base": shown["plan"].base}
    for variant, suffix in SUFFIXES.items():
        figures = shown[variant].areas
        moments[suffix] = figures[figures["academic_year"] == last]
    groups = [ALL, *(code for code in NEED_GROUPS if code in set(plan.plan.needs["need_group"]))]
    columns = {}
    for moment, figures in moments.items():
        minutes = figures["pupil_minutes"] / figures["travellers"].where(figures["travellers"] > 0)
        by_zone = figures.assign(minutes=minutes).set_index("zone_id")
        for group in groups:
            of_group = by_zone[by_zone["need_group"] == group].reindex(case.areas["area_id"])
            for measure in ("pupils", "unmet", "independent", "minutes"):
                if (moment, measure) == ("base", "unmet"):
                    continue
                columns[f"{measure}_{moment}_{group.lower()}"] = of_group[measure].round(1).to_numpy()
    about = case.areas[["area_id", "area_name", "council_code", "council_name", "imd_decile"]].reset_index(drop=True)
    about = about.assign(base_year=case.base_year, last_year=last)
    return gpd.GeoDataFrame(pd.concat([about, pd.DataFrame(columns)], axis=1), geometry=case.areas.geometry.to_numpy(), crs=27700)


def flow_layer(plan: Plan, case: Case, shown: dict[str, Shown]) -> gpd.GeoDataFrame:
    """Lines from areas to settings in the last planning year, before and after, for flows of at least five pupils."""
    last = case.academic_years[-1]
    table = pd.concat([shown[variant].flows.assign(variant=suffix) for variant, suffix in SUFFIXES.items()], ignore_index=True)
    table = table[table["academic_year"] == last].reset_index(drop=True)
    home = case.areas.set_index("area_id")[["easting_m", "northing_m"]]
    sites = pd.concat([
        case.settings.rename(columns={"setting_id": "site_id"})[["site_id", "easting_m", "northing_m"]],
        plan.plan.projects[["site_id", "easting_m", "northing_m"]],
    ]).drop_duplicates("site_id").set_index("site_id")  # fmt: skip
    ends = pd.concat([home.loc[table["area_id"]].reset_index(drop=True), sites.loc[table["setting_id"]].reset_index(drop=True)], axis=1)
    lines = shapely.linestrings(ends.to_numpy(dtype=float).reshape(-1, 2, 2))
    return gpd.GeoDataFrame(table.assign(pupils=table["pupils"].round(1)), geometry=lines, crs=27700)


def setting_layer(case: Case, shown: dict[str, Shown]) -> gpd.GeoDataFrame:
    """Settings with a location, with places and pupils of the last planning year before and after."""
    last = case.academic_years[-1]
    settings = case.settings[case.settings["easting_m"].notna()].reset_index(drop=True)
    layer = settings[["setting_id", "name", "kind", "council_code", "age_low", "age_high", "places_status"]]
    layer = layer.assign(kind_name=settings["kind"].map(SETTING_KINDS), academic_year=last)
    for variant, suffix in SUFFIXES.items():
        use = shown[variant].use
        use = use[use["academic_year"] == last].set_index("setting_id").reindex(settings["setting_id"])
        layer[f"places_{suffix}"] = use["places"].round(1).to_numpy()
        layer[f"pupils_{suffix}"] = (use["pupils"] + use["latent_pupils"]).round(1).to_numpy()
        layer[f"over_places_{suffix}"] = use["over_places"].round(1).to_numpy()
    return gpd.GeoDataFrame(layer, geometry=gpd.points_from_xy(settings["easting_m"], settings["northing_m"]), crs=27700)


def project_layer(plan: Plan, case: Case) -> gpd.GeoDataFrame:
    """Projects of the plan, one point each, numbered as in the other outputs."""
    projects = project_list(plan.plan.projects, case)
    points = gpd.points_from_xy(projects["easting_m"], projects["northing_m"])
    return gpd.GeoDataFrame(projects.drop(columns=["easting_m", "northing_m"]), geometry=points, crs=27700)


def _write_styles(path: Path) -> None:
    """The table that QGIS reads default styles from."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT, f_table_schema TEXT,"
            " f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,"
            " description TEXT, owner TEXT, ui TEXT, update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
        )
        connection.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, styleSLD,"
            " useAsDefault, description, owner) VALUES ('', '', ?, 'geom', ?, ?, '', 1, ?, '')",
            [(layer, style.name, style.qml, style.description) for layer, style in STYLES.items()],
        )
        connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles', 'Styles for QGIS', strftime('%Y-%m-%dT%H:%M:%fZ','now'))"
        )
    connection.close()
