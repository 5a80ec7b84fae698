"""Generic layers for maps: polygons that share borders, simplified together, and shapes and figures in few bytes.

Two encodings, both plain enough to decode in a dozen lines of any language:

integers   each value zigzagged (0, -1, 1, -2 -> 0, 1, 2, 3) and written base 128, lowest seven bits first,
           high bit set on all but the last byte
polygons   integers: for every shape its number of polygons; for every polygon its number of rings; for every ring its number
           of points and then the points' steps from the point before (from the origin for the first), x before y, in units
           of ``step``; the closing point is left out
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Shapes = npt.NDArray[np.object_]
Integers = npt.NDArray[np.int64]


def simplify_coverage(shapes: Shapes, tolerance: float) -> Shapes:
    """Polygons with fewer points, neighbours still meeting without gap or overlap.

    ``tolerance`` is a length in the units of the shapes: corners that span less than its square are dropped.
    Shapes that do not form a clean coverage keep their borders as far as they are shared.
    """
    simple = shapely.coverage_simplify(shapes, tolerance)
    lost = shapely.is_empty(simple)
    simple[lost] = shapes[lost]
    return np.asarray(simple, dtype=np.object_)


def cells_of_points(points: Shapes, reach: float) -> Shapes:
    """One polygon round each point: the places nearer to it than to any other, and no further than ``reach``.

    Stands in for outlines where only centre points are known. Raises ValueError when two points coincide.
    """
    x, y = shapely.get_x(points), shapely.get_y(points)
    if len(np.unique(np.column_stack([x, y]), axis=0)) < len(points):
        raise ValueError("two points coincide, so neither has a cell of its own")
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), ordered=True)) if len(points) > 1 else None
    discs = shapely.buffer(points, reach)
    return np.asarray(discs if cells is None else shapely.intersection(cells, discs), dtype=np.object_)


def encode_polygons(shapes: Shapes, origin: tuple[float, float], step: float) -> bytes:
    """Polygons and multipolygons as integers on the grid of ``step`` from ``origin`` (see above). Raises ValueError for other types.

    Points that fall on the same grid point as the one before are dropped, so a shape may lose detail below ``step``, never its place.
    """
    if not set(np.unique(shapely.get_type_id(shapes))) <= {3, 6}:
        raise ValueError("only polygons and multipolygons can be encoded")
    numbers: list[Integers] = []
    for shape in shapes:
        polygons = [_grid_rings(polygon, origin, step) for polygon in shapely.get_parts(shape)]
        numbers.append(np.array([len(polygons)], dtype=np.int64))
        for rings in polygons:
            numbers.append(np.array([len(rings)], dtype=np.int64))
            numbers.extend(_ring_steps(ring) for ring in rings)
    return encode_integers(np.concatenate(numbers))


def _grid_rings(polygon: Any, origin: tuple[float, float], step: float) -> list[Integers]:
    """Rings as grid points without the closing point; the outer ring always, holes only when they still have an area."""
    rings = []
    for place, ring in enumerate(shapely.get_rings(polygon)):
        points = np.rint((shapely.get_coordinates(ring) - origin) / step).astype(np.int64)[:-1]
        points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)] if len(points) > 1 else points
        if place == 0 or len(points) > 2:
            rings.append(points)
    return rings


def _ring_steps(ring: Integers) -> Integers:
    steps = np.diff(ring, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    return np.concatenate([[len(ring)], steps.ravel()])


def encode_integers(values: Sequence[int] | Integers) -> bytes:
    """Whole numbers below 2**62 in size as bytes (see above); small numbers take one byte each."""
    signed = np.asarray(values, dtype=np.int64).ravel()
    zigzag = ((signed << 1) ^ (signed >> 63)).astype(np.uint64)
    length = np.ones(len(zigzag), dtype=np.int64)
    for byte in range(1, 9):
        length += zigzag >= np.uint64(1) << np.uint64(7 * byte)
    start = np.concatenate([[0], np.cumsum(length)])
    out = np.zeros(start[-1], dtype=np.uint8)
    for byte in range(int(length.max(initial=0))):
        has = length > byte
        low = (zigzag[has] >> np.uint64(7 * byte)) & np.uint64(0x7F)
        out[start[:-1][has] + byte] = low.astype(np.uint8) | np.where(length[has] > byte + 1, 0x80, 0).astype(np.uint8)
    return out.tobytes()


def decode_integers(data: bytes) -> Integers:
    """The whole numbers that ``encode_integers`` wrote. Raises ValueError when the last one is cut off."""
    raw = np.frombuffer(data, dtype=np.uint8)
    if not len(raw):
        return np.empty(0, dtype=np.int64)
    ends = np.flatnonzero(raw < 0x80)
    if not len(ends) or ends[-1] != len(raw) - 1:
        raise ValueError("the data end in the middle of a number")
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    place = np.arange(len(raw)) - np.repeat(starts, ends - starts + 1)
    parts = (raw & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    zigzag = np.add.reduceat(parts, starts)
    return (zigzag >> np.uint64(1)).astype(np.int64) ^ -(zigzag & np.uint64(1)).astype(np.int64)
