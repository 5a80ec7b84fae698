"""Car minutes and km where there is no road file: a calibrated curve of straight-line distance.

Source of the coefficients: least squares on 397,938 car times from small areas to hospitals under 60 km (data README, section 5):
``minutes = a + b d + c sqrt(d)``, d in straight-line km, by the travel class of the area. The curve sees no estuary and no hill;
its mean absolute error is 5.7 minutes in sample. Every pair carries the status ``estimated``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]

CURVES: Final[dict[str, tuple[float, float, float]]] = {
    "urban": (3.21, 0.474, 4.080),
    "rural": (1.88, 0.571, 3.994),
    "london": (-0.56, 0.116, 7.634),
}
"""Travel class of the area -> (a minutes, b minutes per km, c minutes per root km)."""

DETOUR_FACTOR: Final = 1.3
"""Road km per straight-line km, the usual average for Great Britain; a documented assumption."""

LEAST_MINUTES: Final = 2.0
"""Getting in and out of a car takes this long even next door."""

AREAS_AT_A_TIME: Final = 1_000


def estimated_journeys(areas: pd.DataFrame, sites: pd.DataFrame, limit_min: float) -> pd.DataFrame:
    """One-way car journeys between every area and every site within ``limit_min`` minutes.

    ``areas``: area_id, easting_m, northing_m, travel_class (``urban``, ``rural`` or ``london``); ``sites``: site_id, easting_m, northing_m.
    Returns area_id, site_id, minutes, km (float32), status, sorted by area_id then site_id. Raises ValueError for an unknown travel class.
    """
    blocks = list(estimated_blocks(areas, sites, limit_min))
    return pd.concat(blocks, ignore_index=True)


def estimated_blocks(areas: pd.DataFrame, sites: pd.DataFrame, limit_min: float) -> Iterator[pd.DataFrame]:
    """The same journeys in blocks of areas, for callers that stream them to a file."""
    unknown = sorted(set(areas["travel_class"]) - set(CURVES))
    if unknown:
        raise ValueError(f"travel_class must be one of {sorted(CURVES)}; found {unknown}")
    areas = areas.sort_values("area_id", kind="stable")
    sites = sites.sort_values("site_id", kind="stable")
    site_tree = KDTree(_points_km(sites))
    for start in range(0, max(len(areas), 1), AREAS_AT_A_TIME):
        yield _block(areas.iloc[start : start + AREAS_AT_A_TIME], sites, site_tree, limit_min)


def curve_minutes(straight_km: Floats, travel_class: NDArray[np.str_]) -> Floats:
    """Minutes of the curve for each pair; ``travel_class`` is that of the pair's area."""
    minutes = np.empty(len(straight_km))
    for name, (a, b, c) in CURVES.items():
        of_class = travel_class == name
        d = straight_km[of_class]
        minutes[of_class] = a + b * d + c * np.sqrt(d)
    return np.maximum(minutes, LEAST_MINUTES)


def reach_km(limit_min: float, travel_class: str) -> float:
    """Straight-line km at which the curve of the class reaches the limit (the positive root of the quadratic in sqrt(d))."""
    a, b, c = CURVES[travel_class]
    if limit_min <= a:
        return 0.0
    root = (-c + np.sqrt(c * c + 4 * b * (limit_min - a))) / (2 * b)
    return float(root**2)


def _block(areas: pd.DataFrame, sites: pd.DataFrame, site_tree: KDTree, limit_min: float) -> pd.DataFrame:
    classes = areas["travel_class"].to_numpy(dtype=str)
    radius = np.array([reach_km(limit_min, name) for name in classes]) + 1e-9
    points = _points_km(areas)
    near: list[list[int]] = list(site_tree.query_ball_point(points, radius, return_sorted=True)) if len(areas) else []
    counts = np.array([len(row) for row in near], dtype=np.int64)
    area = np.repeat(np.arange(len(areas)), counts)
    site = np.concatenate(near).astype(np.int64) if counts.sum() else np.empty(0, dtype=np.int64)
    straight_km = np.hypot(*(points[area] - np.asarray(site_tree.data)[site]).T)
    minutes = curve_minutes(straight_km, classes[area])
    within = minutes <= limit_min
    return pd.DataFrame(
        {
            "area_id": areas["area_id"].to_numpy()[area[within]],
            "site_id": sites["site_id"].to_numpy()[site[within]],
            "minutes": minutes[within].astype(np.float32),
            "km": (straight_km[within] * DETOUR_FACTOR).astype(np.float32),
            "status": "estimated",
        }
    )


def _points_km(points: pd.DataFrame) -> Floats:
    return points[["easting_m", "northing_m"]].to_numpy(dtype=np.float64) / 1_000
