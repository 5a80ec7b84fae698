"""Car minutes and km where there is no road file; every pair carries the status ``estimated``.

Two ways, the better the more is known:

* The curve: ``minutes = a + b d + c sqrt(d)``, d in straight-line km, the mean of the curves of the pair's two ends (urban, rural or
  London); with the outline of the land also minutes per km of water crossed and the wait for a ferry between islands.
* Landmarks (``geo.landmarks``): known minutes from many places to a few landmarks, read at run time, bound the minutes between others.

The coefficients are least absolute deviations on car times from every small area of England to 56 sites within 75 km
(``python -m bench.travel_estimate`` fits them again). Mean absolute error under 60 km on sites that were not used: see ``ERROR_MIN``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from geo.land import Land, island_of, water_km
from geo.landmarks import LandmarkModel, describe_points, landmark_minutes

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
MinutesOf = Callable[[Indices, Indices, Floats], Floats]

CURVES: Final[dict[str, tuple[float, float, float]]] = {
    "urban": (6.31, 0.642, 2.091),
    "rural": (2.08, 0.614, 3.747),
    "london": (-2.41, 0.246, 7.841),
}
"""Travel class of an end -> (a minutes, b minutes per km, c minutes per root km)."""

WATER_MIN_PER_KM: Final = 1.27
FAR_WATER_MIN_PER_KM: Final = 0.37
NARROW_WATER_KM: Final = 2.0
"""Minutes per km of water on the straight line: round an inlet up to 2 km wide, and for each further km."""

OTHER_ISLAND_MIN: Final = 72.7
"""More minutes to another island: the ferry and the wait for it (the Isle of Wight)."""

ERROR_MIN: Final = {"curve": 5.2, "curve and coast": 4.5}
"""Mean absolute error in minutes under 60 km on sites not used in the fit. Landmarks report their own."""

DETOUR_FACTOR: Final = 1.3
"""Road km per straight-line km, the usual average for Great Britain; a documented assumption."""

LEAST_MINUTES: Final = 2.0
"""Getting in and out of a car takes this long even next door."""

FASTEST_KM_PER_MIN: Final = 1.25
"""Straight-line km a minute that hardly any pair exceeds (0.3% of those within 75 minutes): landmarks look no farther."""

AREAS_AT_A_TIME: Final = 500
LONDON_CENTRE_KM: Final = (530.0, 179.5)
LONDON_RADII_KM: Final = (28.0, 23.0)
RURAL_TENTH_NEIGHBOUR_KM: Final = 3.0


def estimated_journeys(
    areas: pd.DataFrame,
    sites: pd.DataFrame,
    limit_min: float,
    land: Land | None = None,
    landmarks: LandmarkModel | None = None,
) -> pd.DataFrame:
    """One-way car journeys between every area and every site within ``limit_min`` minutes.

    ``areas``: area_id, easting_m, northing_m, travel_class (``urban``, ``rural`` or ``london``); ``sites``: site_id, easting_m, northing_m.
    A site has the class of the nearest area. Returns area_id, site_id, minutes, km (float32), status, sorted by area_id then site_id.
    Raises ValueError for an unknown travel class.
    """
    return pd.concat(estimated_blocks(areas, sites, limit_min, land, landmarks), ignore_index=True)


def estimated_blocks(
    areas: pd.DataFrame,
    sites: pd.DataFrame,
    limit_min: float,
    land: Land | None = None,
    landmarks: LandmarkModel | None = None,
) -> Iterator[pd.DataFrame]:
    """The same journeys in blocks of areas, for callers that stream them to a file."""
    unknown = sorted(set(areas["travel_class"]) - set(CURVES))
    if unknown:
        raise ValueError(f"travel_class must be one of {sorted(CURVES)}; found {unknown}")
    areas = areas.sort_values("area_id", kind="stable")
    sites = sites.sort_values("site_id", kind="stable")
    minutes_of = _curve_model(areas, sites, land)
    radius_km = max(reach_km(limit_min, name) for name in CURVES)
    if landmarks is not None:
        minutes_of = _landmark_model(areas, sites, landmarks, otherwise=minutes_of)
        radius_km = max(radius_km, FASTEST_KM_PER_MIN * limit_min)
    site_tree = KDTree(_points_km(sites))
    for start in range(0, max(len(areas), 1), AREAS_AT_A_TIME):
        yield _block(areas, sites, slice(start, start + AREAS_AT_A_TIME), site_tree, radius_km, minutes_of, limit_min)


def curve_minutes(straight_km: Floats, one_class: NDArray[np.str_], other_class: NDArray[np.str_]) -> Floats:
    """Minutes of pairs by the mean of the curves of their two ends."""
    names = sorted(CURVES)
    table = np.array([CURVES[name] for name in names])
    a, b, c = ((table[np.searchsorted(names, one_class)] + table[np.searchsorted(names, other_class)]) / 2).T
    return np.asarray(a + b * straight_km + c * np.sqrt(straight_km))


def water_minutes(land: Land, one_km: Floats, two_km: Floats) -> Floats:
    """Minutes that water on the straight line adds, and the ferry where the two points lie on different islands."""
    wet = water_km(land, one_km, two_km)
    around = WATER_MIN_PER_KM * np.minimum(wet, NARROW_WATER_KM) + FAR_WATER_MIN_PER_KM * np.maximum(wet - NARROW_WATER_KM, 0)
    return np.asarray(around + OTHER_ISLAND_MIN * (island_of(land, one_km) != island_of(land, two_km)))


def reach_km(limit_min: float, travel_class: str) -> float:
    """Straight-line km at which the curve of the class reaches the limit (the positive root of the quadratic in sqrt(d))."""
    a, b, c = CURVES[travel_class]
    if limit_min <= a:
        return 0.0
    root = (-c + np.sqrt(c * c + 4 * b * (limit_min - a))) / (2 * b)
    return float(root**2)


def classes_by_place(points: pd.DataFrame) -> NDArray[np.str_]:
    """Travel classes where nobody says: London by an ellipse (99% of small areas right), rural where the tenth neighbour is 3 km off (94%).

    For sets of small areas of about 1,500 people that fill their country; sparser points all look rural.
    """
    xy_km = _points_km(points)
    across, up = ((xy_km[:, axis] - LONDON_CENTRE_KM[axis]) / LONDON_RADII_KM[axis] for axis in (0, 1))
    tenth = np.asarray(KDTree(xy_km).query(xy_km, k=[11])[0])[:, 0]
    return np.select([across**2 + up**2 < 1, tenth > RURAL_TENTH_NEIGHBOUR_KM], ["london", "rural"], default="urban")


def _curve_model(areas: pd.DataFrame, sites: pd.DataFrame, land: Land | None) -> MinutesOf:
    area_km, site_km = _points_km(areas), _points_km(sites)
    area_class = areas["travel_class"].to_numpy(dtype=str)
    nearest = KDTree(area_km).query(site_km)[1] if len(areas) else np.zeros(0, dtype=np.int64)
    site_class = area_class[nearest]

    def minutes_of(area: Indices, site: Indices, straight_km: Floats) -> Floats:
        minutes = curve_minutes(straight_km, area_class[area], site_class[site])
        return minutes if land is None else minutes + water_minutes(land, area_km[area], site_km[site])

    return minutes_of


def _landmark_model(areas: pd.DataFrame, sites: pd.DataFrame, model: LandmarkModel, otherwise: MinutesOf) -> MinutesOf:
    """Landmarks where both ends lie among their places, the curve elsewhere."""
    area_profile, site_profile = describe_points(model, _points_km(areas)), describe_points(model, _points_km(sites))

    def minutes_of(area: Indices, site: Indices, straight_km: Floats) -> Floats:
        minutes = landmark_minutes(model, area_profile, site_profile, area, site, straight_km)
        unknown = ~(area_profile.known[area] & site_profile.known[site])
        minutes[unknown] = otherwise(area[unknown], site[unknown], straight_km[unknown])
        return minutes

    return minutes_of


def _block(
    areas: pd.DataFrame, sites: pd.DataFrame, rows: slice, site_tree: KDTree, radius_km: float, minutes_of: MinutesOf, limit_min: float
) -> pd.DataFrame:
    points = _points_km(areas.iloc[rows])
    near: Any = site_tree.query_ball_point(points, radius_km + 1e-9, return_sorted=True) if len(points) else []
    counts = np.array([len(found) for found in near], dtype=np.int64)
    area = np.repeat(np.arange(len(points)), counts)
    site = np.concatenate(near).astype(np.int64) if counts.sum() else np.empty(0, dtype=np.int64)
    straight_km = np.hypot(*(points[area] - np.asarray(site_tree.data)[site]).T)
    area += rows.start
    minutes = np.maximum(minutes_of(area, site, straight_km), LEAST_MINUTES)
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
