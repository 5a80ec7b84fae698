"""Access before and after a plan, and catchments by areas and by road."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from bench.travel_network import synthetic_links
from geo.isochrone import road_isochrones
from geo.network import build_network
from geo.roads.speeds import load_speeds
from geo.search import journeys_to_sites
from geo.snap import snap_points
from sufficiency.access import access_by_area, access_layer, access_shares, site_catchment, suitable_sites

AREAS = gpd.GeoDataFrame(
    {"area_id": ["a", "b", "c"], "area_name": ["A", "B", "C"]}, geometry=[shapely.box(i, 0, i + 1, 1) for i in range(3)], crs="EPSG:27700"
)
TRAVEL = pd.DataFrame(
    [("a", "old", 10.0), ("b", "old", 50.0), ("c", "old", np.nan), ("a", "new", 40.0), ("b", "new", 15.0), ("c", "new", 60.0)],
    columns=["area_id", "site_id", "minutes"],
)
PUPILS = pd.DataFrame(
    [("a", "ASD", 10.0), ("b", "ASD", 20.0), ("c", "ASD", 10.0), ("c", "SLD", 4.0), ("c", "PMLD", 1.0)],
    columns=["area_id", "need", "pupils_placed"],
).assign(phase="SEC", academic_year="2025/26", scenario="central")
POOLS = pd.DataFrame(
    {
        "setting_id": ["old", "old", "shut"],
        "need_groups": ["ASD|SEMH", "SLD", "SLD"],
        "phases": ["SEC|P16", "PRI", "SEC"],
        "places": [50.0, 9.0, 0.0],
    }
)
BUILT = pd.DataFrame({"site_id": ["new"], "need_groups": ["ASD|SLD"], "phases": ["SEC"], "places": [40.0]})


@pytest.fixture
def access() -> pd.DataFrame:
    before = suitable_sites(POOLS)
    return access_by_area(PUPILS, TRAVEL, before, pd.concat([before, suitable_sites(BUILT, "site_id")]))


def test_suitable_sites_hold_places_for_both_group_and_phase() -> None:
    found = suitable_sites(POOLS)
    assert sorted(map(tuple, found.to_numpy())) == [
        ("old", "ASD", "P16"), ("old", "ASD", "SEC"), ("old", "SEMH", "P16"), ("old", "SEMH", "SEC"), ("old", "SLD", "PRI"),
    ]  # fmt: skip


def test_shares_within_reach_before_and_after(access: pd.DataFrame) -> None:
    found = access_shares(access)
    autism, severe = (found[found["need_group"] == group] for group in ("ASD", "SLD"))
    assert autism["pupils"].tolist() == [40.0] * 3
    assert severe["pupils"].tolist() == [5.0] * 3
    assert autism["minutes"].tolist() == [20, 45, 75]
    assert autism["share_before"].tolist() == pytest.approx([10 / 40, 10 / 40, 30 / 40])
    assert autism["share_after"].tolist() == pytest.approx([30 / 40, 30 / 40, 1])
    assert severe["share_before"].tolist() == [0, 0, 0]
    assert severe["share_after"].tolist() == [0, 0, 1]


def test_layer_carries_minutes_and_what_is_saved(access: pd.DataFrame) -> None:
    layer = access_layer(access, AREAS, "ASD").set_index("area_id")
    assert layer.crs == AREAS.crs
    assert layer["minutes_saved"].to_dict() == pytest.approx({"a": 0, "b": 35, "c": np.nan}, nan_ok=True)
    assert layer.loc["c", "minutes_after"] == 60
    assert np.isnan(layer.loc["c", "minutes_before"])


def test_catchment_joins_the_areas_in_reach() -> None:
    found = site_catchment(TRAVEL, AREAS, "new")
    assert found["areas"].tolist() == [1, 2, 3]
    assert found.area.tolist() == pytest.approx([1, 2, 3])
    with pytest.raises(ValueError, match="elsewhere"):
        site_catchment(TRAVEL, AREAS, "elsewhere")


def test_pupils_of_several_years_are_refused() -> None:
    both = pd.concat([PUPILS, PUPILS.assign(academic_year="2026/27")])
    with pytest.raises(ValueError, match="academic_year"):
        access_by_area(both, TRAVEL, suitable_sites(POOLS), suitable_sites(POOLS))


def test_road_isochrones_hold_the_points_that_are_near_in_time() -> None:
    network = build_network(synthetic_links(40, seed=2), load_speeds("school_run"))
    centre = np.array([[4_200.0, 4_200.0]])
    found = road_isochrones(network, 4_200, 4_200, [8, 3])
    assert found["minutes"].tolist() == [3, 8]
    assert found.geometry.iloc[1].buffer(50).covers(found.geometry.iloc[0])
    homes = np.random.default_rng(0).uniform(500, 7_900, (300, 2))
    on_roads = snap_points(network, homes)
    _, area, ms, _ = journeys_to_sites(network, on_roads, snap_points(network, centre), 10**9)
    inside = shapely.contains_xy(found.geometry.iloc[1], *homes[area].T)
    near = on_roads.snap_m[area] < 150
    assert inside[near & (ms < 6 * 60_000)].mean() > 0.97
    assert inside[near & (ms > 11 * 60_000)].mean() < 0.1
