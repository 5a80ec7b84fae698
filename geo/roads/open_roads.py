"""OS Open Roads (GeoPackage): layer ``road_link``, read in batches.

The product has no speeds, no one-way streets and no ferries: every link is open both ways. Restricted access roads and guided busways
are left out. Licence of the data: Open Government Licence v3.0, contains OS data (c) Crown copyright and database right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from geo.roads.links import FORMS, ROAD_CLASSES, Floats, RoadLinks, polyline_length_mm

LAYER: Final = "road_link"
COLUMNS: Final = [
    "road_classification",
    "road_function",
    "form_of_way",
    "length",
    "primary_route",
    "trunk_road",
    "start_node",
    "end_node",
]
CLASS_OF_ROAD: Final = {
    "Motorway": "motorway",
    "A Road": "a_road",
    "B Road": "b_road",
    "Classified Unnumbered": "minor",
    "Unclassified": "local",
    "Not Classified": "local",
    "Unknown": "local",
}
ACCESS_FUNCTIONS: Final = ("Local Access Road", "Secondary Access Road")
CLOSED_FUNCTIONS: Final = ("Restricted Local Access Road", "Restricted Secondary Access Road")
FORM_OF_WAY: Final = {
    "Single Carriageway": "single",
    "Shared Use Carriageway": "single",
    "Dual Carriageway": "dual",
    "Collapsed Dual Carriageway": "dual",
    "Slip Road": "slip",
    "Roundabout": "roundabout",
    "Traffic Island Link": "single",
    "Enclosed Traffic Area": "single",
}
"""A form that is not listed (a guided busway, a track) is left out."""

SAME_PLACE_M: Final = 1.0


def read_open_roads(path: Path) -> RoadLinks:
    """Road links of a GeoPackage. Raises ValueError when a layer, a column or every link is missing, or nodes do not meet."""
    _check_layer(path)
    batches = [_links_of(table) for table in _batches(path)]
    links = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]} if batches else {}
    if not links or not len(links["length_mm"]):
        raise ValueError(f"{path.name} holds no drivable road link")
    start = np.concatenate([[0], np.cumsum(links["points"])])
    codes = np.concatenate([links["start_node"], links["end_node"]])
    _, first, node = np.unique(codes, return_index=True, return_inverse=True)
    ends = np.concatenate([links["shape"][start[:-1]], links["shape"][start[1:] - 1]])
    apart = np.hypot(*(ends - ends[first[node]]).T).max()
    if apart > SAME_PLACE_M:
        raise ValueError(f"{path.name}: links that share a node end {apart:.1f} m apart")
    count = len(links["length_mm"])
    return RoadLinks(
        source=f"OS Open Roads {path.name}",
        node_xy_m=ends[first],
        tail=node[:count].astype(np.int32),
        head=node[count:].astype(np.int32),
        length_mm=links["length_mm"],
        road_class=links["road_class"],
        form=links["form"],
        direction=np.zeros(count, dtype=np.int8),
        speed_limit_kmh=np.full(count, np.nan, dtype=np.float32),
        shape_xy_m=links["shape"].astype(np.float32),
        shape_start=start.astype(np.int64),
    )


def _check_layer(path: Path) -> None:
    layers = [str(row[0]) for row in pyogrio.list_layers(path)]
    if LAYER not in layers:
        raise ValueError(f"{path.name} has no layer {LAYER}; it has {layers}")
    missing = sorted(set(COLUMNS) - set(pyogrio.read_info(path, layer=LAYER)["fields"]))
    if missing:
        raise ValueError(f"{path.name}, layer {LAYER}, lacks the columns {missing}")


def _batches(path: Path) -> Iterator[Any]:
    with pyogrio.open_arrow(path, layer=LAYER, columns=COLUMNS, use_pyarrow=True) as (meta, reader):
        geometry = meta["geometry_name"] or "wkb_geometry"
        for batch in reader:
            yield batch.rename_columns(["geometry" if name == geometry else name for name in batch.schema.names])


def _links_of(batch: Any) -> dict[str, NDArray[Any]]:
    rows: pd.DataFrame = batch.drop_columns(["geometry"]).to_pandas()
    form = rows["form_of_way"].map(FORM_OF_WAY)
    open_road = (form.notna() & ~rows["road_function"].isin(CLOSED_FUNCTIONS)).to_numpy()
    lines = shapely.force_2d(shapely.from_wkb(batch.column("geometry").to_numpy(zero_copy_only=False)[open_road]))
    lines = shapely.line_merge(lines) if np.any(shapely.get_type_id(lines) == shapely.GeometryType.MULTILINESTRING) else lines
    rows, form = rows[open_road], form[open_road]
    shape: Floats = shapely.get_coordinates(lines)
    points = shapely.get_num_coordinates(lines).astype(np.int64)
    drawn_mm = polyline_length_mm(shape, np.concatenate([[0], np.cumsum(points)]))
    stated_m = rows["length"].to_numpy(dtype=float)
    return {
        "start_node": pd.util.hash_array(rows["start_node"].to_numpy(dtype=object), categorize=False),
        "end_node": pd.util.hash_array(rows["end_node"].to_numpy(dtype=object), categorize=False),
        "length_mm": np.where(stated_m > 0, np.maximum(np.rint(stated_m * 1_000), 1), drawn_mm).astype(np.int64),
        "road_class": _road_class(rows),
        "form": form.map(FORMS.index).to_numpy(dtype=np.uint8),
        "shape": shape,
        "points": points,
    }


def _road_class(rows: pd.DataFrame) -> NDArray[np.uint8]:
    named = rows["road_classification"].map(CLASS_OF_ROAD).fillna("local")
    major = rows["primary_route"].map(_is_true) | rows["trunk_road"].map(_is_true)
    named = named.mask(named.eq("a_road") & major, "primary_a")
    named = named.mask(named.eq("local") & rows["road_function"].isin(ACCESS_FUNCTIONS), "access")
    return named.map(ROAD_CLASSES.index).to_numpy(dtype=np.uint8)


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() in ("true", "1", "yes")
