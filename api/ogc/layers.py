"""The layers of a plan as features in CRS84, as they may be shown: from ``plan.gpkg`` and the result tables, which hold nothing else.

A layer never changes, as its plan doesn't, so the parsed ones are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

from api import shown
from api.kept import Kept
from api.shown import World
from api.store import Store
from api.store.models import PlanRow
from sufficiency.terms import start_of

BYTES_KEPT: Final = 256 * 2**20
DECIMALS: Final = 7
"""Of degrees: about a centimetre."""
WORLDS: Final[Mapping[str, World]] = {"projects_before": "counterfactual", "projects_after": "plan"}


@dataclass(frozen=True)
class Kind:
    """What a collection is: its words, the columns that name a feature, and that of the academic year that a feature is about."""

    title: str
    description: str
    ids: tuple[str, ...]
    year: str | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "areas": Kind(
        "Areas",
        "Areas with pupils placed, unmet need and pupils in independent places (pupils) and the mean journey one way (minutes), in the "
        "base January and in the last planning year, before (only what is committed) and after (with the plan); by need group and for all.",
        ("area_id",),
    ),
    "settings": Kind(
        "Settings",
        "Settings with a location, and their places and pupils in the last planning year, before and after.",
        ("setting_id",),
        "academic_year",
    ),
    "flows": Kind(
        "Flows",
        "Lines from areas to settings in the last planning year, before and after, for flows of at least five pupils.",
        ("variant", "area_id", "setting_id"),
        "academic_year",
    ),
    "projects_before": Kind(
        "Projects before",
        "What is committed and opens without the plan: one feature per stage of a project, in the columns of the table of projects.",
        ("project_id", "stage"),
        "opens_academic_year",
    ),
    "projects_after": Kind(
        "Projects after",
        "What opens with the plan: one feature per stage of a project, in the columns of the table of projects.",
        ("project_id", "stage"),
        "opens_academic_year",
    ),
}
"""Every collection of a plan. Their figures are those of the plan's disclosure profile."""


@dataclass(frozen=True)
class Layer:
    """A collection's features, row by row."""

    features: pd.DataFrame
    """Properties, in the order of the features."""
    shapes: gpd.GeoSeries
    """In degrees east and north."""
    rows: Mapping[str, int]
    """Id of a feature -> its row."""
    years: npt.NDArray[np.int64] | None
    """Calendar year in which the academic year that each feature is about begins; None where features are about no single year."""

    @property
    def ids(self) -> list[str]:
        """Ids in the order of the features."""
        return list(self.rows)

    def schema(self) -> dict[str, dict[str, str]]:
        """JSON type of each property."""
        return {str(name): {"type": _json_type(dtype)} for name, dtype in self.features.dtypes.items()}


def plan_layer(store: Store, plan: PlanRow, name: str) -> Layer:
    """A collection of a plan. Raises KeyError for a name that is none of ``KINDS``."""
    return _layers.get((plan.id, name), lambda: _layer(_table(store, plan, name), KINDS[name]))


def _table(store: Store, plan: PlanRow, name: str) -> gpd.GeoDataFrame:
    world = WORLDS.get(name)
    if world is None:
        return gpd.read_file(store.plans / plan.id / "plan.gpkg", layer=name, engine="pyogrio")
    table = shown.plan_table(store, plan, "projects", world)
    points = gpd.points_from_xy(table["easting_m"], table["northing_m"], crs=27700)
    return gpd.GeoDataFrame(table.drop(columns=["easting_m", "northing_m"]), geometry=points)


def _layer(table: gpd.GeoDataFrame, kind: Kind) -> Layer:
    features = pd.DataFrame(table.drop(columns=table.geometry.name)).reset_index(drop=True)
    ids = ["-".join(map(str, row)) for row in features[list(kind.ids)].itertuples(index=False)]
    rows = {key: row for row, key in enumerate(ids)}
    if len(rows) != len(ids):
        raise ValueError(f"features of {kind.title} share an id")
    degrees = table.geometry.to_crs(4326).to_numpy()
    shapes = gpd.GeoSeries(shapely.transform(degrees, lambda at: np.round(at, DECIMALS)), crs=4326)
    years = None if kind.year is None else np.array([start_of(str(year)) for year in features[kind.year]], dtype=np.int64)
    return Layer(features, shapes, rows, years)


def _json_type(dtype: Any) -> str:
    if is_bool_dtype(dtype):
        return "boolean"
    if is_integer_dtype(dtype):
        return "integer"
    return "number" if is_numeric_dtype(dtype) else "string"


def _bytes_of(layer: Layer) -> int:
    points = int(shapely.get_num_coordinates(layer.shapes.to_numpy()).sum())
    return int(layer.features.memory_usage(deep=True).sum()) + 16 * points + 200 * len(layer.rows)


_layers: Kept[Layer] = Kept(BYTES_KEPT, _bytes_of)
