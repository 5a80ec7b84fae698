"""The estimate of car journeys: the curve, the limit and the order of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from geo.estimate import CURVES, DETOUR_FACTOR, estimated_journeys, reach_km


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
    a, b, c = (every["travel_class"].map({name: curve[part] for name, curve in CURVES.items()}) for part in range(3))
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
