"""Land and water on a half-kilometre grid: how much of a straight line is water, and whether two points lie on one island."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numba
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

Floats = NDArray[np.float64]

CELL_KM: Final = 0.5
STEPS: Final = 20


@dataclass(frozen=True)
class Land:
    """``is_land[column, row]`` from ``origin_km``; ``island`` numbers connected land, water cells taking the nearest island."""

    origin_km: Floats
    is_land: NDArray[np.bool_]
    island: NDArray[np.int32]


def land_from_polygons(polygons: Iterable[shapely.Geometry]) -> Land:
    """The grid of polygons in EPSG:27700 metres (councils, say) that together cover the land. Raises ValueError when there is none."""
    whole = shapely.union_all(np.array(list(polygons), dtype=object))
    if whole.is_empty:
        raise ValueError("no land in the polygons")
    shapely.prepare(whole)
    west, south, east, north = (value / 1_000 for value in whole.bounds)
    origin = np.floor(np.array([west, south])) - 2
    columns, rows = (int(size) for size in np.ceil((np.array([east, north]) - origin + 2) / CELL_KM))
    x, y = np.meshgrid(origin[0] + (np.arange(columns) + 0.5) * CELL_KM, origin[1] + (np.arange(rows) + 0.5) * CELL_KM, indexing="ij")
    is_land = shapely.contains_xy(whole, x.ravel() * 1_000, y.ravel() * 1_000).reshape(x.shape)
    if not is_land.any():
        raise ValueError("the polygons are smaller than half a kilometre")
    islands, _ = label(is_land, structure=np.ones((3, 3)))
    nearest = distance_transform_edt(~is_land, return_distances=False, return_indices=True)
    return Land(origin, is_land, islands[nearest[0], nearest[1]].astype(np.int32))


def island_of(land: Land, xy_km: Floats) -> NDArray[np.int32]:
    """The island of each point; points off the grid take that of its edge."""
    cell = ((xy_km - land.origin_km) / CELL_KM).astype(np.int64)
    column, row = (np.clip(cell[:, axis], 0, land.is_land.shape[axis] - 1) for axis in (0, 1))
    return land.island[column, row]


def water_km(land: Land, one_km: Floats, two_km: Floats) -> Floats:
    """Km of water on the straight line between each pair of points (n, 2), by twenty samples."""
    share: Floats = _water_share(land.is_land, (one_km - land.origin_km) / CELL_KM, (two_km - land.origin_km) / CELL_KM)
    return np.asarray(share * np.hypot(*(one_km - two_km).T))


@numba.njit(cache=True, nogil=True)
def _water_share(is_land, one, two):  # type: ignore[no-untyped-def]
    share = np.zeros(len(one))
    columns, rows = is_land.shape
    for pair in range(len(one)):
        wet = 0
        for step in range(1, STEPS + 1):
            along = step / (STEPS + 1)
            column = int(one[pair, 0] + along * (two[pair, 0] - one[pair, 0]))
            row = int(one[pair, 1] + along * (two[pair, 1] - one[pair, 1]))
            inside = 0 <= column < columns and 0 <= row < rows
            if not inside or not is_land[column, row]:
                wet += 1
        share[pair] = wet / STEPS
    return share
