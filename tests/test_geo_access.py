"""Access before and after a plan, and catchments by areas and by road."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hand_case import hand_case

from bench.travel_network import synthetic_links
from geo.isochrone import road_isochrones
from geo.network import build_network
from geo.roads.speeds import load_speeds
from geo.search import journeys_to_sites
from geo.snap import snap_points
from sufficiency.access import access_by_area, access_layer, access_shares, access_table, site_catchment, suitable_sites

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
        "setting_id": ["old", "old", "shut", "private"],
        "kind": ["state_special", "state_special", "state_special", "independent_special"],
        "need_groups": ["ASD|SEMH|MLD", "SLD", "SLD", "SLD"],
        "phases": ["SEC|P16", "PRI", "SEC", "SEC"],
        "places": [50.0, 9.0, 0.0, 30.0],
    }
)
BUILT = pd.DataFrame({"setting_id": ["new"], "kind": ["state_special"], "need_groups": ["ASD|SLD"], "phases": ["SEC"], "places": [40.0]})
SUITABILITY = pd.DataFrame(
    [("state_special", group, group != "MLD") for group in ("ASD", "SEMH", "SLD", "MLD")] + [("independent_special", "SLD", True)],
    columns=["kind", "need_group", "suitable"],
).assign(severity="complex", phase="any", version="1")


@pytest.fixture
def access() -> pd.DataFrame:
    before, after = (suitable_sites(places, SUITABILITY) for places in (POOLS, pd.concat([POOLS, BUILT])))
    return access_by_area(PUPILS, TRAVEL, before, after)


def test_suitable_sites_hold_state_funded_places_for_both_group_and_phase() -> None:
    found = suitable_sites(POOLS, SUITABILITY)
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
        access_by_area(both, TRAVEL, suitable_sites(POOLS, SUITABILITY), suitable_sites(POOLS, SUITABILITY))


def test_the_table_of_a_plan_counts_pupils_by_council_and_year() -> None:
    """Two areas of one council at 4 and 2 pupils; the school is 10 and 30 minutes away and has places in the second year only."""
    case = hand_case()
    travel = pd.DataFrame({"area_id": ["A1", "A2"], "site_id": "100001", "minutes": [10.0, 30.0], "km": 9.0, "status": "road"})
    pool = case.pools[case.pools["setting_id"] == "100001"].iloc[[0]].assign(need_groups="ASD", phases="SEC")
    case = replace(case, travel=travel, pools=pool, academic_years=case.academic_years[:2])
    places = pd.DataFrame(
        {
            "academic_year": case.academic_years,
            "pool_id": pool["pool_id"].iloc[0],
            "setting_id": "100001",
            "kind": "state_special",
            "places": [0.0, 8.0],
        }
    )
    families = pd.DataFrame({"need_group": ["ASD", "SEMH"], "phase": ["SEC", "SEC"]})
    pupils = np.array([[[4.0, 4.0], [0.0, 0.0]], [[2.0, 3.0], [1.0, 1.0]]])
    found = access_table(case, places, pd.Index(["A1", "A2"]), families, pupils)
    keys = ["council_code", "need_group", "academic_year"]
    figures = found.set_index(keys)[["pupils", "within_20_min", "within_45_min", "within_75_min"]]
    first, second = case.academic_years
    assert figures.loc["N1", "ASD", first].tolist() == [6, 0, 0, 0]
    assert figures.loc["N1", "ASD", second].tolist() == [7, 4, 7, 7]
    assert figures.loc["N1", "SEMH", second].tolist() == [1, 0, 0, 0]
    assert len(figures) == 4


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
