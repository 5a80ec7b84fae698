"""Readers of road files and the speed table: both layouts give the same roads, and what is not drivable stays out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import osmium
import pandas as pd
import pytest

from fixtures.region import fictional_region, roads_of
from fixtures.roads import write_open_roads, write_osm_pbf
from geo.network import build_network
from geo.roads import read_roads
from geo.roads.links import FORMS, ROAD_CLASSES
from geo.roads.osm import duration_hours, speed_limit_kmh, way_class, way_direction, way_form
from geo.roads.speeds import link_milliseconds, load_speeds
from geo.travel import road_journeys
from sufficiency.travel_command import points_of_case

NODES = pd.DataFrame(
    {
        "node_id": range(1, 10),
        "easting_m": [430_000.0, 431_000, 432_500, 430_000, 431_200, 432_500, 430_100, 431_000, 440_000],
        "northing_m": [300_000.0, 300_100, 300_000, 301_000, 301_000, 301_200, 302_000, 302_100, 309_000],
    }
)
EDGES = pd.DataFrame(
    [
        (1, 2, 1_100.0, "a_road", "single"),
        (2, 3, 1_600.0, "primary_a", "dual"),
        (1, 4, 1_000.0, "local", "single"),
        (2, 5, 950.0, "b_road", "single"),
        (3, 6, 1_250.0, "minor", "single"),
        (4, 5, 1_200.0, "local", "single"),
        (5, 6, 1_400.0, "a_road", "roundabout"),
        (4, 7, 1_010.0, "access", "single"),
        (5, 8, 1_300.0, "motorway", "slip"),
        (7, 8, 910.0, "local", "single"),
        (6, 9, 12_000.0, "a_road", "single"),
    ],
    columns=["from", "to", "length_m", "road_class", "form"],
).assign(one_way=False, speed_limit_kmh=np.nan)


@pytest.fixture
def osm_file(tmp_path: Path) -> Path:
    return write_osm_pbf(tmp_path / "roads.osm.pbf", NODES, EDGES)


@pytest.fixture
def gpkg_file(tmp_path: Path) -> Path:
    return write_open_roads(tmp_path / "roads.gpkg", NODES, EDGES)


def test_both_layouts_give_the_same_links(osm_file: Path, gpkg_file: Path) -> None:
    for links in (read_roads(osm_file), read_roads(gpkg_file)):
        assert len(links) == len(EDGES)
        assert [ROAD_CLASSES[code] for code in links.road_class] == EDGES["road_class"].tolist()
        assert [FORMS[code] for code in links.form] == EDGES["form"].tolist()
        np.testing.assert_allclose(links.length_mm / 1_000, EDGES["length_m"], atol=0.05)
        ends = NODES.set_index("node_id")[["easting_m", "northing_m"]]
        np.testing.assert_allclose(links.node_xy_m[links.tail], ends.loc[EDGES["from"]], atol=0.02)
        np.testing.assert_allclose(links.node_xy_m[links.head], ends.loc[EDGES["to"]], atol=0.02)


def test_both_layouts_give_the_same_matrix(osm_file: Path, gpkg_file: Path) -> None:
    areas = pd.DataFrame(
        {"area_id": ["a", "b", "c"], "easting_m": [430_050.0, 431_100, 436_000], "northing_m": [300_400.0, 301_500, 305_000]}
    )
    sites = pd.DataFrame({"site_id": ["x", "y"], "easting_m": [432_450.0, 430_500], "northing_m": [300_600.0, 302_040]})
    one, two = (
        road_journeys(build_network(read_roads(file), load_speeds("free_flow")), areas, sites, 60) for file in (osm_file, gpkg_file)
    )
    assert len(one) == 6
    pd.testing.assert_frame_equal(one[["area_id", "site_id", "status"]], two[["area_id", "site_id", "status"]])
    np.testing.assert_allclose(one["minutes"], two["minutes"], atol=2e-3)
    np.testing.assert_allclose(one["km"], two["km"], atol=2e-3)


def test_the_fictional_region_gives_the_same_matrix_in_both_layouts(tmp_path: Path) -> None:
    """As far as both layouts go: OS Open Roads knows no one-way streets and no speed limits, which make the region's journeys longer."""
    case, roads = fictional_region(seed=1, areas=60), roads_of(1, areas=60)
    both_know = roads.edges.assign(one_way=False, speed_limit_kmh=np.nan)
    areas, sites = points_of_case(case)
    files = [
        write_osm_pbf(tmp_path / "roads.osm.pbf", roads.nodes, both_know),
        write_open_roads(tmp_path / "roads.gpkg", roads.nodes, both_know),
        write_osm_pbf(tmp_path / "whole.osm.pbf", roads.nodes, roads.edges),
    ]
    one, two, whole = (road_journeys(build_network(read_roads(file), load_speeds("free_flow")), areas, sites, 75) for file in files)
    assert len(one) > 1_000
    pd.testing.assert_frame_equal(one[["area_id", "site_id", "status"]], two[["area_id", "site_id", "status"]])
    np.testing.assert_allclose(one["minutes"], two["minutes"], atol=0.02)
    np.testing.assert_allclose(one["km"], two["km"], atol=0.05)
    longer = one.merge(whole, on=["area_id", "site_id"], suffixes=("", "_whole"))
    assert (longer["minutes_whole"] >= longer["minutes"] - 0.02).all()


def test_one_way_limit_and_ferry_survive_in_osm(tmp_path: Path) -> None:
    edges = EDGES.assign(
        one_way=[True] + [False] * 10,
        speed_limit_kmh=[np.nan, 48.28] + [np.nan] * 9,
        road_class=[*EDGES["road_class"][:-1], "ferry"],
    )
    links = read_roads(write_osm_pbf(tmp_path / "r.osm.pbf", NODES, edges))
    assert links.direction.tolist() == [1] + [0] * 10
    assert links.speed_limit_kmh[1] == pytest.approx(48.28)
    assert links.road_class[-1] == ROAD_CLASSES.index("ferry")
    assert (links.form[0], links.form[-1]) == (FORMS.index("dual"), FORMS.index("single"))
    speeds = load_speeds("free_flow")
    assert link_milliseconds(links, speeds)[1] == pytest.approx(1_600 / 48.28 * 3_600, rel=1e-4)
    with_ferry, without = build_network(links, speeds), build_network(links, speeds, ferries=False)
    assert with_ferry.edge_mm.sum() - without.edge_mm.sum() == links.length_mm[-1]
    assert not with_ferry.link_join[-1]


def test_ways_are_cut_where_others_meet_and_lose_nodes_outside_the_extract(tmp_path: Path) -> None:
    path = tmp_path / "cut.osm.pbf"
    with osmium.SimpleWriter(str(path)) as writer:
        for number, lon in enumerate([-1.0, -0.99, -0.98, -0.97, -0.96], start=1):
            writer.add_node(osmium.osm.mutable.Node(id=number, location=(lon, 52.0)))
        writer.add_node(osmium.osm.mutable.Node(id=6, location=(-0.98, 52.01)))
        writer.add_way(osmium.osm.mutable.Way(id=1, nodes=[1, 2, 3, 4, 99, 5, 98], tags={"highway": "residential"}))
        writer.add_way(osmium.osm.mutable.Way(id=2, nodes=[3, 6], tags={"highway": "tertiary"}))
        writer.add_way(osmium.osm.mutable.Way(id=3, nodes=[1, 6], tags={"highway": "footway"}))
        writer.add_way(osmium.osm.mutable.Way(id=4, nodes=[1, 6], tags={"highway": "residential", "access": "private"}))
    links = read_roads(path)
    assert len(links) == 3
    assert np.diff(links.shape_start).tolist() == [3, 2, 2]
    assert [ROAD_CLASSES[code] for code in links.road_class] == ["local", "local", "minor"]


@pytest.mark.parametrize(
    ("tags", "road_class", "form", "direction"),
    [
        ({"highway": "motorway"}, "motorway", "dual", 1),
        ({"highway": "motorway_link", "oneway": "yes"}, "motorway", "slip", 1),
        ({"highway": "trunk", "oneway": "-1"}, "primary_a", "dual", -1),
        ({"highway": "primary", "junction": "roundabout"}, "a_road", "roundabout", 1),
        ({"highway": "secondary", "oneway": "yes"}, "b_road", "single", 1),
        ({"highway": "residential", "access": "private", "motor_vehicle": "yes"}, "local", "single", 0),
        ({"route": "ferry", "motorcar": "yes"}, "ferry", "single", 0),
    ],
)
def test_tags_are_read(tags: dict[str, str], road_class: str, form: str, direction: int) -> None:
    assert way_class(tags) == road_class
    assert way_direction(tags) == direction
    assert way_form(tags, road_class, direction) == form


@pytest.mark.parametrize(
    "tags",
    [
        {"highway": "service"},
        {"highway": "footway"},
        {"highway": "residential", "motor_vehicle": "no"},
        {"highway": "pedestrian"},
        {"highway": "residential", "area": "yes"},
        {"route": "ferry"},
        {"route": "ferry", "motor_vehicle": "no"},
    ],
)
def test_what_cars_may_not_use_is_left_out(tags: dict[str, str]) -> None:
    assert way_class(tags) is None


def test_limits_and_crossing_times() -> None:
    assert speed_limit_kmh("30 mph") == pytest.approx(48.28, abs=0.01)
    assert speed_limit_kmh("50") == 50
    assert speed_limit_kmh("GB:nsl_dual") == pytest.approx(112.65, abs=0.01)
    assert np.isnan(speed_limit_kmh("signals"))
    assert np.isnan(speed_limit_kmh("0"))
    assert duration_hours("01:30") == 1.5
    assert duration_hours("45") == 0.75
    assert np.isnan(duration_hours("soon"))


def test_speed_table_prefers_the_most_specific_row_and_lists_every_fault(tmp_path: Path) -> None:
    speeds = load_speeds("free_flow")
    motorway, a_road, ferry = (ROAD_CLASSES.index(name) for name in ("motorway", "a_road", "ferry"))
    assert speeds.kmh[motorway, FORMS.index("slip"), 0] == 80
    assert speeds.kmh[a_road, FORMS.index("slip"), 0] == 60
    assert not speeds.snap[ferry, FORMS.index("single")].any()
    assert (load_speeds("school_run").kmh <= speeds.kmh).all()
    bad = tmp_path / "speeds.csv"
    bad.write_text("road_class,form,surroundings,quick_kmh,snap\nlane,any,any,30,yes\nany,any,any,-4,yes\n")
    with pytest.raises(ValueError, match=r"(?s)row 2.*lane.*row 3.*-4"):
        load_speeds("quick", bad)
    bad.write_text("road_class,form,surroundings,quick_kmh,snap\nlocal,any,any,30,yes\n")
    with pytest.raises(ValueError, match="motorway/single/rural"):
        load_speeds("quick", bad)
    with pytest.raises(ValueError, match="free_flow"):
        load_speeds("slow")


def test_files_of_no_use_say_so(tmp_path: Path, gpkg_file: Path) -> None:
    with pytest.raises(ValueError, match=r"\.osm\.pbf"):
        read_roads(tmp_path / "roads.shp")
    with pytest.raises(ValueError, match="apart"):
        write_osm_pbf(tmp_path / "x.osm.pbf", NODES, EDGES.assign(length_m=1.0))
    empty = tmp_path / "empty.osm.pbf"
    with osmium.SimpleWriter(str(empty)) as writer:
        writer.add_node(osmium.osm.mutable.Node(id=1, location=(-1.0, 52.0)))
    with pytest.raises(ValueError, match="no drivable road"):
        read_roads(empty)
