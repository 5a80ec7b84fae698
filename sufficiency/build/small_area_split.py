"""From councils to small areas: where a council's pupils live.

No release counts plans below the council. Each area's share of its council's pupils of a phase is its population of
that age times the relative risk of its deprivation decile (an assumption). The weights do not depend on need, so
proportional fitting to council x need x phase ends after one pass: council totals are kept exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from sufficiency.assumptions import Assumptions
from sufficiency.sources import small_areas
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.boundaries import lsoa_shapes
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import PHASES

LEVELS = ("lsoa", "msoa")
POPULATION_OF_PHASE = {"EY": "age_0_4", "PRI": "age_5_10", "SEC": "age_11_15", "P16": "age_16_18", "P19": "age_16_18"}
"""Young adults are placed like the 16 to 18 year olds: at 19 to 24 the estimates count students where they study,
while a plan is kept by the council of the family home."""


def area_shares(data: Path, level: str, assumptions: Assumptions, councils: Collection[str] | None = None) -> pd.DataFrame:
    """Share of a council's pupils who live in each area, by phase: area_id, council_code, phase, share.

    Shares of a council and phase sum to 1; they hold for every need. ``level`` is lsoa or msoa; ``councils`` are ONS
    codes (None = England). Raises InputError for another level.
    """
    return _shares(_lsoas(data, level, councils), assumptions.numbers("deprivation.relative_risk"))


def gradient_effect(data: Path, level: str, assumptions: Assumptions, pupils: pd.DataFrame) -> pd.DataFrame:
    """How far the split hangs on the deprivation gradient: gradient (0 = none, 2 = double), moved (share of pupils).

    ``pupils`` has council_code, phase and pupils. The gradient is the exponent of the relative risk; ``moved`` is the
    share of pupils whose area differs from that of the gradient assumed.
    """
    lsoas = _lsoas(data, level, set(pupils["council_code"]))
    risk = np.array(assumptions.numbers("deprivation.relative_risk"))
    count = pupils.groupby(["council_code", "phase"])["pupils"].sum()
    keys = ["area_id", "council_code", "phase"]
    assumed = _shares(lsoas, list(risk)).set_index(keys)["share"]
    rows = []
    for gradient in (0.0, 2.0):
        other = _shares(lsoas, list(risk**gradient)).set_index(keys)["share"]
        moved = (assumed - other).abs().groupby(["council_code", "phase"]).sum() / 2
        rows.append({"gradient": gradient, "moved": float((moved * count).sum() / count.sum())})
    return pd.DataFrame(rows)


def areas_table(data: Path, level: str, councils: Collection[str] | None = None) -> gpd.GeoDataFrame:
    """The areas of these councils (None = England) in the Areas schema, with shapes in EPSG:27700.

    An MSOA's point is the mean of its LSOAs' points by children; its decile ranks the MSOAs of England by their mean
    IMD score by children; it is rural when most of its residents under 26 live in rural LSOAs.
    """
    everywhere = _lsoas(data, level, None)
    everywhere["population_0_25"] = everywhere[[*small_areas.BANDS, "age_25"]].sum(axis=1)
    table = _areas(everywhere)
    if level == "msoa":
        rank = table["imd_score"].rank(ascending=False, method="first")
        table["imd_decile"] = np.ceil(rank * 10 / len(table))
    names = all_councils(data).set_index("council_code")
    table = table.join(names[["council_name", "region_name"]], on="council_code")
    table["travel_class"] = np.where(table["region_name"] == "London", "london", np.where(table["rural"] > 0.5, "rural", "urban"))
    if councils is not None:
        table = table[table["council_code"].isin(list(councils))]
    shapes = lsoa_shapes(data).set_index("lsoa_code")["geometry"]
    members = everywhere[everywhere["area_id"].isin(table.index)]
    geometry = shapes.reindex(members["lsoa_code"]).groupby(members["area_id"].to_numpy()).agg(_union)
    columns = [
        "area_id",
        "area_name",
        "council_code",
        "council_name",
        "region_name",
        "easting_m",
        "northing_m",
        "travel_class",
        "imd_decile",
        "population_0_25",
    ]
    table = table.reset_index()
    table["imd_decile"] = table["imd_decile"].astype(int)
    return gpd.GeoDataFrame(table[columns], geometry=gpd.GeoSeries(geometry.reindex(table["area_id"]).to_numpy()), crs="EPSG:27700")


def _lsoas(data: Path, level: str, councils: Collection[str] | None) -> pd.DataFrame:
    """LSOAs with the id and name of the area of ``level`` that each belongs to."""
    if level not in LEVELS:
        raise InputError([InputProblem("level", "no such level", f"Give one of {', '.join(LEVELS)}.", value=level)])
    table = small_areas.lsoas(data)
    table = table.assign(area_id=table[f"{level}_code"], area_name=table[f"{level}_name"])
    return table if councils is None else pd.DataFrame(table[table["council_code"].isin(list(councils))])


def _shares(lsoas: pd.DataFrame, risk: Sequence[float]) -> pd.DataFrame:
    weight = np.asarray(risk)[lsoas["imd_decile"].to_numpy(int) - 1]
    keys = [lsoas["area_id"], lsoas["council_code"]]
    parts: list[pd.DataFrame] = []
    for phase in PHASES:
        people = (lsoas[POPULATION_OF_PHASE[phase]] * weight).groupby(keys).sum().rename("share")
        share = people / people.groupby("council_code").transform("sum")
        parts.append(share.reset_index().assign(phase=phase))
    return pd.concat(parts, ignore_index=True)[["area_id", "council_code", "phase", "share"]]


def _areas(lsoas: pd.DataFrame) -> pd.DataFrame:
    """Figures of the areas by area_id: means by children, rural by residents under 26."""
    weighted = lsoas[["area_id", "council_code", "area_name", "children", "population_0_25"]].copy()
    means = {
        "easting_m": "children",
        "northing_m": "children",
        "imd_score": "children",
        "imd_decile": "children",
        "rural": "population_0_25",
    }
    for column, weight in means.items():
        weighted[column] = lsoas[column] * lsoas[weight]
    sums = weighted.groupby(["area_id", "council_code", "area_name"]).sum().reset_index(["council_code", "area_name"])
    for column, weight in means.items():
        sums[column] /= sums[weight]
    return sums


def _union(shapes: gpd.GeoSeries) -> shapely.Geometry:
    return shapes.iloc[0] if len(shapes) == 1 else shapely.union_all(shapes.to_numpy())
