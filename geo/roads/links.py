"""Road links as a reader found them: one piece of road between two junctions, before any speed is given to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

ROAD_CLASSES: Final = ("motorway", "primary_a", "a_road", "b_road", "minor", "local", "access", "ferry")
"""Primary routes (trunk roads) come before other A roads; ``minor`` is classified but unnumbered."""

FORMS: Final = ("single", "dual", "slip", "roundabout")

DENSITY_CELL_M: Final = 1_000
URBAN_KM_PER_KM2: Final = 7.0
"""Built-up where a square kilometre holds at least this much road, motorways and ferries apart: villages hold 3 to 6, suburbs 10 and more.
A modelling choice, because neither road format says what is built up."""


@dataclass(frozen=True)
class RoadLinks:
    """Links in EPSG:27700; arrays of one length L unless said otherwise.

    ``direction``: 1 along the line only, -1 against it only, 0 both ways. ``speed_limit_kmh`` is NaN where unknown
    (a ferry's is length over crossing time). ``shape_xy_m`` (P, 2) holds all points, those of link i from ``shape_start[i]`` on.
    Lengths are whole millimetres on the grid.
    """

    source: str
    node_xy_m: Floats
    tail: Ints
    head: Ints
    length_mm: NDArray[np.int64]
    road_class: NDArray[np.uint8]
    form: NDArray[np.uint8]
    direction: NDArray[np.int8]
    speed_limit_kmh: NDArray[np.float32]
    shape_xy_m: NDArray[np.float32]
    shape_start: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.tail)
        for name in ("head", "length_mm", "road_class", "form", "direction", "speed_limit_kmh"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, tail has {count}")
        if len(self.shape_start) != count + 1 or self.shape_start[-1] != len(self.shape_xy_m):
            raise ValueError("shape_start does not cover shape_xy_m")

    def __len__(self) -> int:
        return len(self.tail)


def select_links(links: RoadLinks, keep: NDArray[np.bool_]) -> RoadLinks:
    """The chosen links with the same nodes."""
    points = np.diff(links.shape_start)
    return RoadLinks(
        source=links.source,
        node_xy_m=links.node_xy_m,
        tail=links.tail[keep],
        head=links.head[keep],
        length_mm=links.length_mm[keep],
        road_class=links.road_class[keep],
        form=links.form[keep],
        direction=links.direction[keep],
        speed_limit_kmh=links.speed_limit_kmh[keep],
        shape_xy_m=links.shape_xy_m[np.repeat(keep, points)],
        shape_start=np.concatenate([[0], np.cumsum(points[keep])]),
    )


def urban_links(links: RoadLinks) -> NDArray[np.bool_]:
    """Which links lie in built-up squares: road length per square kilometre, by the middle of each link's end points.

    A link counts for at most the width of a square: more of it lies outside.
    """
    middle = (links.node_xy_m[links.tail] + links.node_xy_m[links.head]) / 2
    square = np.floor(middle / DENSITY_CELL_M).astype(np.int64)
    code = square[:, 0] * 1_000_000 + square[:, 1]
    _, index = np.unique(code, return_inverse=True)
    counted = ~np.isin(links.road_class, [ROAD_CLASSES.index("motorway"), ROAD_CLASSES.index("ferry")])
    inside_km = np.minimum(links.length_mm / 1e6, DENSITY_CELL_M / 1_000)
    km = np.bincount(index, weights=inside_km * counted)
    dense: NDArray[np.bool_] = km[index] >= URBAN_KM_PER_KM2 * (DENSITY_CELL_M / 1_000) ** 2
    return dense


def polyline_length_mm(xy_m: Floats, start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Length of each polyline in whole millimetres, at least 1."""
    if len(start) < 2:
        return np.empty(0, dtype=np.int64)
    step = np.zeros(len(xy_m))
    step[1:] = np.hypot(*np.diff(xy_m, axis=0).T)
    step[start[:-1]] = 0.0
    along = np.add.reduceat(step, start[:-1]) if len(step) else np.empty(0)
    return np.maximum(np.rint(along * 1_000), 1).astype(np.int64)


def content_hash(*parts: object) -> str:
    """SHA-256 of arrays, text and the fields of dataclasses, in the order given."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, RoadLinks):
            for field in fields(part):
                if field.name != "source":
                    _feed(digest, getattr(part, field.name))
        else:
            _feed(digest, part)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, part: object) -> None:
    if isinstance(part, np.ndarray):
        digest.update(f"{part.dtype.str}{part.shape}".encode())
        digest.update(np.ascontiguousarray(part).data)
    else:
        digest.update(repr(part).encode())
    digest.update(b"\0")
