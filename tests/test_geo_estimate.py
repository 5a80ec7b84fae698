"""The estimate of car journeys: the curve, the limit and the order of the rows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from numpy.typing import NDArray

from bench.travel_estimate import Known, fitted_curve, held_out_errors, landmark_estimate
from geo.estimate import CURVES, DETOUR_FACTOR, ERROR_MIN, OTHER_ISLAND_MIN, classes_by_place, estimated_journeys, reach_km
from geo.land import island_of, land_from_polygons, water_km
from geo.landmarks import LandmarkModel, Landmarks, fit_landmarks


def _points(count: int, seed: int, prefix: str, name: str) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            name: [f"{prefix}{number:04d}" for number in generator.permutation(count)],
            "easting_m": generator.uniform(0, 80_000, count),
            "northing_m": generator.uniform(0, 80_000, count),
        }
    )


@pytest.fixture
def areas() -> pd.DataFrame:
    return _points(1_300, 1, "A", "area_id").assign(travel_class=lambda rows: np.resize(["urban", "rural", "london"], len(rows)))


@pytest.fixture
def sites() -> pd.DataFrame:
    return _points(40, 2, "S", "site_id")


def test_agrees_with_every_pair_computed_one_by_one(areas: pd.DataFrame, sites: pd.DataFrame) -> None:
    found = estimated_journeys(areas, sites, 40)
    every = areas.merge(sites, how="cross", suffixes=("", "_site"))
    d = np.hypot(every["easting_m"] - every["easting_m_site"], every["northing_m"] - every["northing_m_site"]) / 1_000
    site_class = {
        site: areas["travel_class"].iloc[np.hypot(areas["easting_m"] - x, areas["northing_m"] - y).argmin()]
        for site, x, y in zip(sites["site_id"], sites["easting_m"], sites["northing_m"], strict=True)
    }
    ends = [every["travel_class"], every["site_id"].map(site_class)]
    a, b, c = (sum(end.map({name: curve[part] for name, curve in CURVES.items()}) for end in ends) / 2 for part in range(3))
    every["minutes"] = np.maximum(a + b * d + c * np.sqrt(d), 2)
    every["km"] = d * DETOUR_FACTOR
    expected = every[every["minutes"] <= 40].sort_values(["area_id", "site_id"])
    assert found["area_id"].tolist() == expected["area_id"].tolist()
    assert found["site_id"].tolist() == expected["site_id"].tolist()
    np.testing.assert_allclose(found["minutes"], expected["minutes"], rtol=1e-6)
    np.testing.assert_allclose(found["km"], expected["km"], rtol=1e-6)
    assert set(found["status"]) == {"estimated"}


def test_reach_is_where_the_curve_meets_the_limit() -> None:
    for name, (a, b, c) in CURVES.items():
        d = reach_km(75, name)
        assert a + b * d + c * np.sqrt(d) == pytest.approx(75)


def test_unknown_class_is_named(areas: pd.DataFrame, sites: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="suburban"):
        estimated_journeys(areas.assign(travel_class="suburban"), sites, 40)


def test_no_sites_gives_the_same_columns(areas: pd.DataFrame, sites: pd.DataFrame) -> None:
    empty = estimated_journeys(areas, sites.iloc[:0], 40)
    assert empty.empty
    assert list(empty.columns) == ["area_id", "site_id", "minutes", "km", "status"]


def test_water_adds_minutes_and_another_island_a_ferry(areas: pd.DataFrame, sites: pd.DataFrame) -> None:
    mainland, island = shapely.box(0, 0, 60_000, 80_000), shapely.box(64_000, 0, 80_000, 80_000)
    land = land_from_polygons([mainland, island])
    assert island_of(land, np.array([[10.0, 10], [70, 10], [62.9, 10]])).tolist() == [1, 2, 2]
    np.testing.assert_allclose(water_km(land, np.array([[50.0, 10], [10, 10]]), np.array([[70.0, 10], [40, 10]])), [4, 0], atol=1)
    keys = ["area_id", "site_id"]
    dry, wet = estimated_journeys(areas, sites, 300).set_index(keys), estimated_journeys(areas, sites, 300, land).set_index(keys)
    added = wet["minutes"] - dry["minutes"].loc[wet.index]
    assert added.min() >= -1e-3
    assert added.max() > OTHER_ISLAND_MIN
    points = pd.concat([areas.set_index("area_id"), sites.set_index("site_id")])["easting_m"]
    same_side = (points.loc[wet.index.get_level_values(0)].to_numpy() < 60_000) == (
        points.loc[wet.index.get_level_values(1)].to_numpy() < 60_000
    )
    assert (added[~same_side & (added > 60)].size) > 0
    inner = same_side & (points.loc[wet.index.get_level_values(0)].to_numpy() < 60_000)
    np.testing.assert_allclose(added[inner], 0, atol=1e-4)


@pytest.fixture(scope="module")
def river() -> LandmarkModel:
    """A country with a river along x = 40 km and one bridge at y = 10 km: 1.5 minutes a km, known exactly to 30 landmarks."""
    generator = np.random.default_rng(3)
    places, marks = generator.uniform(0, 80, (2_500, 2)), generator.uniform(0, 80, (30, 2))
    return fit_landmarks(Landmarks("river country", places, marks, _river_minutes(places[:, None, :], marks[None, :, :])))


def _river_minutes(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    bridge = np.array([40.0, 10.0])
    straight = np.hypot(*np.moveaxis(one - two, -1, 0))
    around = np.hypot(*np.moveaxis(one - bridge, -1, 0)) + np.hypot(*np.moveaxis(two - bridge, -1, 0))
    minutes: NDArray[np.float64] = 4 + 1.5 * np.where((one[..., 0] < 40) == (two[..., 0] < 40), straight, around)
    return minutes


def test_landmarks_see_a_river_that_the_curve_does_not(areas: pd.DataFrame, sites: pd.DataFrame, river: LandmarkModel) -> None:
    def error(journeys: pd.DataFrame) -> float:
        ends = [journeys[[key]].merge(table, left_on=key, right_on=key) for key, table in (("area_id", areas), ("site_id", sites))]
        one, two = (end[["easting_m", "northing_m"]].to_numpy() / 1_000 for end in ends)
        return float(np.abs(journeys["minutes"] - _river_minutes(one, two)).mean())

    by_landmarks = error(estimated_journeys(areas, sites, 200, landmarks=river))
    assert by_landmarks < 6
    assert by_landmarks < error(estimated_journeys(areas, sites, 200)) / 3
    assert 0 < river.mean_error_min < 9


def test_the_reported_error_holds_on_sites_that_are_no_landmarks(river: LandmarkModel) -> None:
    """Sites within 2 km of the river are left out: places on both banks describe them, which no landmark can mend."""
    known = river.landmarks
    generator = np.random.default_rng(4)
    unseen = generator.uniform(5, 75, (40, 2))
    unseen = unseen[np.abs(unseen[:, 0] - 40) > 2]
    areas = pd.DataFrame(known.place_km[:300] * 1_000, columns=["easting_m", "northing_m"]).assign(
        area_id=[f"a{i:03d}" for i in range(300)], travel_class="rural"
    )
    sites = pd.DataFrame(unseen * 1_000, columns=["easting_m", "northing_m"]).assign(site_id=[f"s{i:02d}" for i in range(len(unseen))])
    found = estimated_journeys(areas, sites, 500, landmarks=river)
    one = areas.set_index("area_id").loc[found["area_id"], ["easting_m", "northing_m"]].to_numpy() / 1_000
    two = sites.set_index("site_id").loc[found["site_id"], ["easting_m", "northing_m"]].to_numpy() / 1_000
    near = np.hypot(*(one - two).T) < 60
    off = np.abs(found["minutes"].to_numpy() - _river_minutes(one, two))[near].mean()
    assert river.mean_error_min / 3 < off < river.mean_error_min * 1.2


def test_landmarks_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="60 x 6"):
        Landmarks("x", np.zeros((60, 2)), np.zeros((6, 2)), np.zeros((6, 60)))
    with pytest.raises(ValueError, match="at least"):
        Landmarks("x", np.zeros((3, 2)), np.zeros((6, 2)), np.zeros((3, 6)))


def test_classes_where_nobody_says() -> None:
    dense = [(400_000 + 500 * i, 300_000 + 500 * j) for i in range(6) for j in range(6)]
    sparse = [(200_000 + 5_000 * i, 100_000) for i in range(15)]
    points = pd.DataFrame([*dense, *sparse, (530_000, 180_000)], columns=["easting_m", "northing_m"])
    assert classes_by_place(points).tolist() == ["urban"] * 36 + ["rural"] * 15 + ["london"]


@pytest.mark.skipif("SUFFICIENCY_DATA" not in os.environ, reason="needs SUFFICIENCY_DATA: car minutes to known sites")
def test_real_minutes_on_held_out_sites_are_within_the_stated_errors() -> None:
    known = Known(Path(os.environ["SUFFICIENCY_DATA"]))
    errors, _ = held_out_errors(known, landmark_estimate, folds=2)
    assert np.abs(errors).mean() < 4.0
    errors, _ = held_out_errors(known, lambda known, sites: fitted_curve(known, sites, water=True), folds=2)
    assert np.abs(errors).mean() < ERROR_MIN["curve and coast"] + 0.7
