"""Car minutes between any two points from known minutes to landmarks.

Given minutes from many places to a few landmarks, the times of two points to the same landmarks bound the time between them:
``|t(a, L) - t(s, L)| <= t(a, s) <= t(a, L) + t(s, L)``. Landmarks in line with the pair make the lower bound tight, so the bounds see
estuaries and motorways that a distance curve cannot. A linear model of the bounds, of the speed along landmarks in line, and of how far
each end's known times lie off the curve is fitted at run time, each landmark in turn playing the site that is not known; landmarks left
out of the fit give its error. Nothing of the landmark file is kept.

Over a few km the bounds say little and distance nearly all, so every feature counts twice: everywhere, and once more with a weight that
falls from 1 at 5 km to 0 at 20 km. Without the second part pairs of 2 to 10 km came out a minute too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NEAR_PLACES: Final = 6
LARGEST_GAP_KM: Final = 3.0
"""A point farther than this from every known place is not described by the landmarks."""

OFFSET_QUANTILE: Final = 0.001
"""The least time of a landmark is what every journey costs before it moves: getting in, parking."""
PAIRS_PER_LANDMARK: Final = 800
FIT_RADIUS_KM: Final = 90.0
ERROR_RADIUS_KM: Final = 60.0
FOLDS: Final = 7
FALL_OFF_KM: Final = (8.0, 25.0, 30.0)
NEARBY_KM: Final = (5.0, 20.0)
NEARBY_PAIRS: Final = 200
"""Of each landmark, beside the pairs at any distance: enough to learn what holds nearby."""
FEATURES: Final = (
    "constant",
    "straight km",
    "root of straight km",
    "largest lower bound, minutes",
    "second lower bound",
    "third lower bound",
    "least upper bound, minutes",
    "second upper bound",
    "km times minutes per km of landmarks roughly in line",
    "km times root of the same",
    "km times minutes per km of landmarks closely in line",
    "area's minutes off the curve to landmarks within about 8 km of the site",
    "site's minutes off the curve to landmarks within about 8 km of the area",
    "area's minutes off the curve to landmarks within about 25 km of the site",
    "site's minutes off the curve to landmarks within about 25 km of the area",
    "area's minutes off the curve to landmarks around it",
    "site's minutes off the curve to landmarks around it",
)


@dataclass(frozen=True)
class Landmarks:
    """Known one-way car minutes: ``minutes[place, landmark]``; places (P, 2) and landmarks (L, 2) in EPSG:27700 km."""

    source: str
    place_km: Floats
    landmark_km: Floats
    minutes: Floats

    def __post_init__(self) -> None:
        if self.minutes.shape != (len(self.place_km), len(self.landmark_km)):
            raise ValueError(f"minutes are {self.minutes.shape}, places and landmarks {len(self.place_km)} x {len(self.landmark_km)}")
        if len(self.place_km) < 50 or len(self.landmark_km) < 5:
            raise ValueError("landmarks need at least 50 places and 5 landmarks")
        if not np.isfinite(self.minutes).all():
            raise ValueError("landmark minutes must be numbers")


@dataclass(frozen=True)
class LandmarkModel:
    """A fitted model. ``mean_error_min``: mean absolute error under 60 km on landmarks that the fit did not see."""

    landmarks: Landmarks
    curve: Floats
    offset_min: float
    coefficients: Floats
    """One per feature, everywhere; then one per feature, by nearness."""
    mean_error_min: float


@dataclass(frozen=True)
class Profile:
    """Points as the landmarks see them: minutes and km to each landmark, minutes off the curve (n, L).

    ``near`` (3, n, L) weighs landmarks by distance, falling off within about 8, 25 and 30 km; ``known`` (n,): a known place is near.
    """

    minutes: NDArray[np.float32]
    km: NDArray[np.float32]
    off_curve: NDArray[np.float32]
    near: NDArray[np.float32]
    known: NDArray[np.bool_]


def fit_landmarks(landmarks: Landmarks, seed: int = 0) -> LandmarkModel:
    """Fits the model on all landmarks, and again without each seventh of them for its error. Deterministic for a given seed."""
    count = len(landmarks.landmark_km)
    known = _known_pairs(landmarks, np.random.default_rng(seed))
    folds = np.array_split(np.random.default_rng(seed).permutation(count), min(FOLDS, count))
    errors = [_held_out_errors(known, np.isin(np.arange(count), fold)) for fold in folds]
    curve, offset_min, coefficients = _fit(known, np.ones(count, dtype=np.bool_))
    return LandmarkModel(landmarks, curve, offset_min, coefficients, mean_error_min=float(np.abs(np.concatenate(errors)).mean()))


def describe_points(model: LandmarkModel, xy_km: Floats) -> Profile:
    """The profile of any points, from the known places around them."""
    return _off_curve(*_seen_from(model.landmarks, xy_km), model.curve)


def landmark_minutes(model: LandmarkModel, areas: Profile, sites: Profile, area: Indices, site: Indices, straight_km: Floats) -> Floats:
    """Minutes of pairs (numbers into the two profiles)."""
    every = np.ones(len(model.landmarks.landmark_km), dtype=np.bool_)
    nobody = np.full(len(area), -1, dtype=np.int64)
    rows = _features(areas, sites, area, site, straight_km, nobody, every, model.offset_min)
    everywhere, nearby = np.split(model.coefficients, 2)
    minutes = np.asarray(rows @ everywhere)
    near = np.flatnonzero(straight_km < NEARBY_KM[1])
    minutes[near] += _nearness(straight_km[near]) * (rows[near] @ nearby)
    return minutes


@dataclass(frozen=True)
class _Known:
    """The pairs to learn from (place and landmark by number), and places and landmark sites as the landmarks see them."""

    place: Indices
    landmark: Indices
    minutes: Floats
    straight_km: Floats
    places: tuple[Floats, Floats, NDArray[np.bool_]]
    sites: tuple[Floats, Floats, NDArray[np.bool_]]
    offsets_min: Floats


def _known_pairs(landmarks: Landmarks, generator: np.random.Generator) -> _Known:
    """Up to 800 places within 90 km of each landmark, and up to 200 of those nearby."""
    tree = KDTree(landmarks.place_km)
    within: Any = tree.query_ball_point(landmarks.landmark_km, FIT_RADIUS_KM, return_sorted=True)
    nearby: Any = tree.query_ball_point(landmarks.landmark_km, NEARBY_KM[1], return_sorted=True)
    chosen = [
        np.union1d(
            *(
                generator.permutation(np.array(rows, dtype=np.int64))[:most]
                for rows, most in ((far, PAIRS_PER_LANDMARK), (near, NEARBY_PAIRS))
            )
        )
        for far, near in zip(within, nearby, strict=True)
    ]
    landmark = np.repeat(np.arange(len(chosen)), [len(rows) for rows in chosen])
    place, numbered = np.unique(np.concatenate(chosen), return_inverse=True)
    place_km = landmarks.place_km[place]
    return _Known(
        place=numbered,
        landmark=landmark,
        minutes=landmarks.minutes[place[numbered], landmark],
        straight_km=_distance(place_km[numbered], landmarks.landmark_km[landmark]),
        places=_seen_from(landmarks, place_km),
        sites=_seen_from(landmarks, landmarks.landmark_km),
        offsets_min=np.quantile(landmarks.minutes, OFFSET_QUANTILE, axis=0),
    )


def _fit(known: _Known, used: NDArray[np.bool_]) -> tuple[Floats, float, Floats]:
    """Curve, offset and coefficients from the pairs of the used landmarks, each predicted from the other used ones."""
    mine = used[known.landmark]
    curve = _robust_fit(_curve_terms(known.straight_km[mine]), known.minutes[mine])
    offset_min = float(known.offsets_min[used].min())
    return curve, offset_min, _robust_fit(_known_features(known, mine, used, curve, offset_min), known.minutes[mine])


def _held_out_errors(known: _Known, held_out: NDArray[np.bool_]) -> Floats:
    """Errors in minutes on landmarks which neither the fit nor the features know."""
    curve, offset_min, coefficients = _fit(known, ~held_out)
    asked = held_out[known.landmark] & (known.straight_km < ERROR_RADIUS_KM)
    return _known_features(known, asked, ~held_out, curve, offset_min) @ coefficients - known.minutes[asked]


def _known_features(known: _Known, pairs: NDArray[np.bool_], used: NDArray[np.bool_], curve: Floats, offset_min: float) -> Floats:
    places, sites = _off_curve(*known.places, curve), _off_curve(*known.sites, curve)
    landmark = known.landmark[pairs]
    straight_km = known.straight_km[pairs]
    rows = _features(places, sites, known.place[pairs], landmark, straight_km, landmark, used, offset_min)
    return np.hstack([rows, rows * _nearness(straight_km)[:, None]])


def _seen_from(landmarks: Landmarks, xy_km: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Minutes and km from points to each landmark, and whether a known place is near.

    Minutes are those of the nearest known places, weighted by inverse square distance: a point on a place takes the place's own.
    """
    nearest = KDTree(landmarks.place_km).query(xy_km, k=NEAR_PLACES)
    distance, place = np.asarray(nearest[0]), np.asarray(nearest[1])
    weight = 1.0 / (distance + 0.1) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    minutes = np.zeros((len(xy_km), len(landmarks.landmark_km)))
    for rank in range(NEAR_PLACES):
        minutes += weight[:, rank, None] * landmarks.minutes[place[:, rank]]
    return minutes, _distance(xy_km[:, None, :], landmarks.landmark_km[None, :, :]), distance[:, 0] <= LARGEST_GAP_KM


def _off_curve(minutes: Floats, km: Floats, known: NDArray[np.bool_], curve: Floats) -> Profile:
    off = minutes - (curve[0] + curve[1] * km + curve[2] * np.sqrt(km))
    near = np.exp(-km[None, :, :] / np.array(FALL_OFF_KM)[:, None, None])
    return Profile(minutes.astype(np.float32), km.astype(np.float32), off.astype(np.float32), near.astype(np.float32), known)


def _features(
    areas: Profile,
    sites: Profile,
    area: Indices,
    site: Indices,
    straight_km: Floats,
    left_out: Indices,
    used: NDArray[np.bool_],
    offset_min: float,
) -> Floats:
    """One row of ``FEATURES`` per pair; ``left_out`` is the landmark a pair must not look at, -1 for none."""
    rows: Floats = _feature_rows(
        areas.minutes, areas.km, areas.off_curve, areas.near, sites.minutes, sites.km, sites.off_curve, sites.near,
        area, site, straight_km, left_out, used, offset_min, len(FEATURES),
    )  # fmt: skip
    return rows


def _nearness(straight_km: Floats) -> Floats:
    """1 up to 5 km, falling to 0 at 20 km."""
    least, most = NEARBY_KM
    return np.clip((most - straight_km) / (most - least), 0, 1)


def _robust_fit(terms: Floats, minutes: Floats) -> Floats:
    """Least absolute deviations by reweighted least squares: an island's ferry times must not bend the mainland."""
    scale = np.abs(terms).mean(axis=0) + 1e-12
    scaled = terms / scale
    weight = np.ones(len(minutes))
    coefficients = np.zeros(terms.shape[1])
    for _ in range(15):
        normal = scaled.T @ (scaled * weight[:, None]) + 1e-3 * np.eye(len(scale))
        coefficients = np.linalg.solve(normal, scaled.T @ (weight * minutes))
        weight = 1.0 / np.maximum(np.abs(minutes - scaled @ coefficients), 1.0)
    return np.asarray(coefficients / scale)


def _curve_terms(straight_km: Floats) -> Floats:
    return np.column_stack([np.ones(len(straight_km)), straight_km, np.sqrt(straight_km)])


def _distance(one: Floats, two: Floats) -> Floats:
    return np.asarray(np.hypot(one[..., 0] - two[..., 0], one[..., 1] - two[..., 1]))


@numba.njit(cache=True, nogil=True)
def _feature_rows(  # type: ignore[no-untyped-def]
    area_min,
    area_km,
    area_off,
    area_near,
    site_min,
    site_km,
    site_off,
    site_near,
    area,
    site,
    straight_km,
    left_out,
    used,
    offset_min,
    width,
):
    rows = np.empty((len(area), width))
    sums, weights = np.zeros((3, 2)), np.zeros((3, 2))
    for pair in range(len(area)):
        a, s, d = area[pair], site[pair], straight_km[pair]
        lower_1, lower_2, lower_3 = 0.0, 0.0, 0.0
        upper_1, upper_2 = 180.0, 180.0
        rough_min, rough_km, close_min, close_km = 0.0, 1e-9, 0.0, 1e-12
        sums[:] = 0.0
        weights[:2], weights[2] = 0.3, 0.1
        for mark in range(len(used)):
            if not used[mark] or mark == left_out[pair]:
                continue
            apart = abs(area_min[a, mark] - site_min[s, mark])
            if apart > lower_1:
                lower_1, lower_2, lower_3 = apart, lower_1, lower_2
            elif apart > lower_2:
                lower_2, lower_3 = apart, lower_2
            elif apart > lower_3:
                lower_3 = apart
            through = area_min[a, mark] + site_min[s, mark] - 2 * offset_min
            if through < upper_1:
                upper_1, upper_2 = through, upper_1
            elif through < upper_2:
                upper_2 = through
            nearer = abs(area_km[a, mark] - site_km[s, mark])
            in_line = (nearer / max(d, 0.5)) ** 2
            power_8 = in_line * in_line * in_line * in_line
            power_30 = power_8 * power_8 * power_8 * in_line * in_line * in_line
            rough_min += (power_8 + 1e-9) * apart
            rough_km += (power_8 + 1e-9) * max(nearer, 0.2)
            close_min += (power_30 + 1e-12) * apart
            close_km += (power_30 + 1e-12) * max(nearer, 0.2)
            for reach in range(3):
                by_site, by_area = site_near[reach, s, mark], area_near[reach, a, mark]
                if reach < 2:
                    sums[reach, 0] += by_site * area_off[a, mark]
                    sums[reach, 1] += by_area * site_off[s, mark]
                    weights[reach, 0] += by_site
                    weights[reach, 1] += by_area
                else:
                    sums[reach, 0] += by_area * area_off[a, mark]
                    sums[reach, 1] += by_site * site_off[s, mark]
                    weights[reach, 0] += by_area
                    weights[reach, 1] += by_site
        rough, close = rough_min / rough_km, close_min / close_km
        rows[pair, 0], rows[pair, 1], rows[pair, 2] = 1.0, d, np.sqrt(d)
        rows[pair, 3], rows[pair, 4], rows[pair, 5] = lower_1, lower_2, lower_3
        rows[pair, 6], rows[pair, 7] = min(upper_1, 120.0), min(upper_2, 120.0)
        rows[pair, 8], rows[pair, 9], rows[pair, 10] = d * rough, d * np.sqrt(rough), d * close
        for reach in range(3):
            for end in range(2):
                rows[pair, 11 + 2 * reach + end] = sums[reach, end] / weights[reach, end]
    return rows
