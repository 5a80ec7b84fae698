"""OpenStreetMap extracts (``.osm.pbf``): drivable ways only, read as a stream.

Two passes: ways with a road or ferry tag (the nodes they use are noted), then the places of just those nodes. Memory grows with the
drivable roads, not with the file. Turn restrictions, barriers and conditional access are not read.
Licence of the data: ODbL 1.0, (c) OpenStreetMap contributors.
"""

from __future__ import annotations

import re
from array import array
from pathlib import Path
from typing import Any, Final

import numpy as np
import osmium
from numpy.typing import NDArray
from pyproj import Transformer

from geo.roads.links import FORMS, ROAD_CLASSES, Floats, RoadLinks, polyline_length_mm

CLASS_OF_HIGHWAY: Final = {
    "motorway": "motorway",
    "trunk": "primary_a",
    "primary": "a_road",
    "secondary": "b_road",
    "tertiary": "minor",
    "unclassified": "local",
    "residential": "local",
    "road": "local",
    "living_street": "access",
}
"""Service roads, tracks and paths are left out: they carry no through traffic and would double the network."""

NO_ENTRY: Final = frozenset({"no", "private", "agricultural", "forestry", "emergency", "psv", "bus"})
KMH_PER_MPH: Final = 1.609344
NAMED_LIMITS_MPH: Final = {"national": 60, "GB:nsl_single": 60, "GB:nsl_dual": 70, "GB:nsl_restricted": 30, "GB:motorway": 70, "walk": 5}


def read_osm(path: Path) -> RoadLinks:
    """Road links of an extract, in EPSG:27700. Raises ValueError when the file holds no drivable road."""
    ways = _drivable_ways(path)
    if not len(ways.way_class):
        raise ValueError(f"{path.name} holds no drivable road")
    node_ids, places = _places_of(path, ways.tracker)
    return _cut_at_junctions(path.name, ways, node_ids, places)


class _Ways:
    """Ways gathered in flat arrays; way i uses ``refs[starts[i]:starts[i + 1]]``."""

    def __init__(self) -> None:
        self.refs = array("q")
        self.starts = array("q", [0])
        self.way_class = array("B")
        self.form = array("B")
        self.direction = array("b")
        self.limit_kmh = array("f")
        self.ferry_hours = array("f")
        self.tracker = osmium.IdTracker()

    def add(self, tags: Any, nodes: Any, road_class: str) -> None:
        refs = [node.ref for node in nodes]
        if len(refs) < 2:
            return
        direction = way_direction(tags)
        self.refs.extend(refs)
        self.starts.append(len(self.refs))
        self.way_class.append(ROAD_CLASSES.index(road_class))
        self.form.append(FORMS.index(way_form(tags, road_class, direction)))
        self.direction.append(direction)
        self.limit_kmh.append(speed_limit_kmh(tags.get("maxspeed", "")))
        self.ferry_hours.append(duration_hours(tags.get("duration", "")) if road_class == "ferry" else np.nan)
        for ref in refs:
            self.tracker.add_node(ref)


def _drivable_ways(path: Path) -> _Ways:
    ways = _Ways()
    stream: Any = osmium.FileProcessor(str(path), osmium.osm.WAY).with_filter(osmium.filter.KeyFilter("highway", "route"))
    for way in stream:
        road_class = way_class(way.tags)
        if road_class:
            ways.add(way.tags, way.nodes, road_class)
    return ways


def way_class(tags: Any) -> str | None:
    """Our road class of a way, None where cars may not drive."""
    if tags.get("area", "no") == "yes" or not _cars_allowed(tags):
        return None
    if tags.get("route", "") == "ferry":
        return "ferry" if _carries_cars(tags) else None
    highway = tags.get("highway", "")
    return CLASS_OF_HIGHWAY.get(highway.removesuffix("_link"))


def way_direction(tags: Any) -> int:
    """1, -1 or 0 (both ways); roundabouts and motorways are one-way unless the map says otherwise."""
    oneway = tags.get("oneway", "")
    if oneway in ("yes", "true", "1"):
        return 1
    if oneway in ("-1", "reverse"):
        return -1
    if oneway in ("no", "false", "0"):
        return 0
    return 1 if tags.get("junction", "") in ("roundabout", "circular") or tags.get("highway", "") == "motorway" else 0


def way_form(tags: Any, road_class: str, direction: int) -> str:
    """Form of the way: a one-way A road that is no slip or roundabout is taken as half of a dual carriageway."""
    if tags.get("highway", "").endswith("_link"):
        return "slip"
    if tags.get("junction", "") in ("roundabout", "circular"):
        return "roundabout"
    if tags.get("dual_carriageway", "") == "yes":
        return "dual"
    return "dual" if direction != 0 and road_class in ("motorway", "primary_a", "a_road") else "single"


def speed_limit_kmh(text: str) -> float:
    """``30 mph``, ``50`` or ``GB:nsl_single`` as km/h; NaN where it says nothing usable."""
    if text in NAMED_LIMITS_MPH:
        return NAMED_LIMITS_MPH[text] * KMH_PER_MPH
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(mph|km/h|kmh|kph)?\s*", text)
    if not found or float(found[1]) == 0:
        return float("nan")
    return float(found[1]) * (KMH_PER_MPH if found[2] == "mph" else 1.0)


def duration_hours(text: str) -> float:
    """A crossing time ``HH:MM``, ``HH:MM:SS`` or minutes; NaN where it says nothing usable."""
    if re.fullmatch(r"\d+", text):
        return int(text) / 60
    if re.fullmatch(r"\d+:\d{2}(:\d{2})?", text):
        return float(sum(int(part) / 60.0**power for power, part in enumerate(text.split(":"))))
    return float("nan")


def _cars_allowed(tags: Any) -> bool:
    for key in ("motorcar", "motor_vehicle", "vehicle", "access"):
        value = tags.get(key, "")
        if value:
            return value not in NO_ENTRY
    return True


def _carries_cars(tags: Any) -> bool:
    return any(tags.get(key, "") not in ("", *NO_ENTRY) for key in ("motorcar", "motor_vehicle", "vehicle"))


def _places_of(path: Path, tracker: Any) -> tuple[NDArray[np.int64], Floats]:
    """Sorted ids of the used nodes that the file holds, and their places in EPSG:27700 metres."""
    ids, lon, lat = array("q"), array("d"), array("d")
    stream: Any = osmium.FileProcessor(str(path), osmium.osm.NODE).with_filter(tracker.id_filter())
    for node in stream:
        ids.append(node.id)
        lon.append(node.lon)
        lat.append(node.lat)
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:27700", always_xy=True).transform(np.frombuffer(lon), np.frombuffer(lat))
    node_ids = np.frombuffer(ids, dtype=np.int64)
    order = np.argsort(node_ids, kind="stable")
    return node_ids[order], np.column_stack([x, y])[order]


def _cut_at_junctions(source: str, ways: _Ways, node_ids: NDArray[np.int64], places: Floats) -> RoadLinks:
    """Links between way ends and nodes that several ways share; ways lose the nodes that the extract cut off."""
    refs = np.frombuffer(ways.refs, dtype=np.int64)
    starts: NDArray[np.int64] = np.frombuffer(ways.starts, dtype=np.int64)
    nodes_of_way = starts[1:] - starts[:-1]
    way = np.repeat(np.arange(len(nodes_of_way), dtype=np.int32), nodes_of_way)
    node = np.searchsorted(node_ids, refs).astype(np.int32)
    known = (node < len(node_ids)) & (node_ids[np.minimum(node, len(node_ids) - 1)] == refs)
    gap = np.cumsum(~known, dtype=np.int32)
    way, node, gap = way[known], node[known], gap[known]
    uses = np.bincount(node, minlength=len(node_ids))
    same_run = (way[1:] == way[:-1]) & (gap[1:] == gap[:-1])
    first = np.concatenate([[True], ~same_run])
    last = np.concatenate([~same_run, [True]])
    cut = first | last | (uses[node] > 1)
    at = np.flatnonzero(cut)
    begin, end = at[:-1], at[1:]
    begin_ok = (way[begin] == way[end]) & (gap[begin] == gap[end])
    begin, end = begin[begin_ok], end[begin_ok]
    counts = end - begin + 1
    start = np.concatenate([[0], np.cumsum(counts)])
    point = np.repeat(begin - start[:-1], counts) + np.arange(start[-1])
    shape = places[node[point]]
    length_mm = polyline_length_mm(shape, start)
    of = way[begin]
    road_class = np.frombuffer(ways.way_class, dtype=np.uint8)[of]
    used, renumbered = np.unique(np.concatenate([node[begin], node[end]]), return_inverse=True)
    return RoadLinks(
        source=f"OpenStreetMap {source}",
        node_xy_m=places[used],
        tail=renumbered[: len(begin)].astype(np.int32),
        head=renumbered[len(begin) :].astype(np.int32),
        length_mm=length_mm,
        road_class=road_class,
        form=np.frombuffer(ways.form, dtype=np.uint8)[of],
        direction=np.frombuffer(ways.direction, dtype=np.int8)[of],
        speed_limit_kmh=_limits(ways, of, length_mm),
        shape_xy_m=shape.astype(np.float32),
        shape_start=start.astype(np.int64),
    )


def _limits(ways: _Ways, of: NDArray[np.int32], length_mm: NDArray[np.int64]) -> NDArray[np.float32]:
    """Posted limits; for a ferry with a crossing time the speed that keeps it."""
    limit = np.frombuffer(ways.limit_kmh, dtype=np.float32)[of].copy()
    hours = np.frombuffer(ways.ferry_hours, dtype=np.float32)
    way_km = np.bincount(of, weights=length_mm / 1e6, minlength=len(hours))
    with np.errstate(divide="ignore", invalid="ignore"):
        ferry_kmh = np.where(hours > 0, way_km / hours, np.nan)[of]
    return np.where(np.isnan(ferry_kmh), limit, ferry_kmh).astype(np.float32)
