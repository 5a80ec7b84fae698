"""Journeys on networks, held against networkx, against a walk along the path, and against what must hold on any network."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.travel_network import synthetic_links
from geo.network import CLOSED, Network, build_network, forward_arcs, homeward, load_network, save_network
from geo.roads import read_roads
from geo.roads.links import FORMS, ROAD_CLASSES, RoadLinks, select_links
from geo.roads.speeds import link_milliseconds, load_speeds
from geo.search import journeys_to_sites, reached_from
from geo.snap import Snapped, snap_points
from geo.travel import PartTask, compute_part, road_journeys, snap_both, snap_table

SPEEDS = load_speeds("free_flow")


Exact = dict[int, int]
"""Node -> time and length in one whole number, ``ms * 2^40 + mm``, so that ties in time go to the shorter path."""

MM = (1 << 40) - 1


def _links(across: int = 14, seed: int = 1, two_way: bool = False, kept: float = 0.8) -> RoadLinks:
    """A small lattice with gaps, bends and one-way streets, so that chains and dead ends occur."""
    links = synthetic_links(across, seed)
    generator = np.random.default_rng(seed)
    links = select_links(links, generator.random(len(links)) < kept)
    direction = np.zeros(len(links), dtype=np.int8) if two_way else generator.choice([0, 0, 0, 1, -1], len(links)).astype(np.int8)
    return replace(links, direction=direction)


def _reference(links: RoadLinks) -> Any:
    """A networkx graph of the links as they are, not contracted."""
    graph: Any = nx.MultiDiGraph()
    ms = link_milliseconds(links, SPEEDS)
    for link in range(len(links)):
        weight, ends = (int(ms[link]) << 40) + int(links.length_mm[link]), (int(links.tail[link]), int(links.head[link]))
        if links.direction[link] >= 0:
            graph.add_edge(*ends, weight=weight)
        if links.direction[link] <= 0:
            graph.add_edge(*ends[::-1], weight=weight)
    return graph


def _at_nodes(network: Network, nodes: NDArray[np.int64]) -> Snapped:
    """Points exactly on junctions: at the end of a two-way edge there."""
    edge, side = [], []
    two_way = (network.edge_ms != CLOSED).all(axis=1)
    for node in nodes:
        at_start, at_end = np.flatnonzero(two_way & (network.edge_from == node)), np.flatnonzero(two_way & (network.edge_to == node))
        edge.append(at_start[0] if len(at_start) else at_end[0])
        side.append(len(at_start) == 0)
    chosen, ends = np.array(edge), np.array(side)
    ms, mm = network.edge_ms[chosen], network.edge_mm[chosen]
    ms_from = np.where(ends[:, None] == [False, True], 0, ms)
    return Snapped(
        edge=chosen.astype(np.int32),
        snap_m=np.zeros(len(nodes)),
        ms_from=ms_from.astype(np.int32),
        ms_to=(ms - ms_from).astype(np.int32),
        mm=np.column_stack([np.where(ends, mm, 0), np.where(ends, 0, mm)]).astype(np.int32),
    )


def _nodes_of(links: RoadLinks, network: Network) -> dict[int, int]:
    """Number in the links -> number in the network, by place."""
    at = {tuple(xy): number for number, xy in enumerate(network.node_xy_m.tolist())}
    return {number: at[tuple(xy)] for number, xy in enumerate(links.node_xy_m.tolist()) if tuple(xy) in at}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit_ms", [90_000, 10**9])
def test_contracted_arcs_give_exactly_the_times_and_lengths_of_networkx(seed: int, limit_ms: int) -> None:
    links = _links(seed=seed)
    network, graph = build_network(links, SPEEDS), _reference(links)
    number = _nodes_of(links, network)
    assert len(number) < len(graph)
    ours: Any = nx.MultiDiGraph()
    ours.add_nodes_from(range(len(network.node_xy_m)))
    start, arcs = forward_arcs(network)
    for node, (first, last) in enumerate(itertools.pairwise(start.tolist())):
        for reach, ms, mm in arcs[first:last].tolist():
            ours.add_edge(node, reach, weight=(ms << 40) + mm)
    cutoff = (limit_ms << 40) + MM
    for source in list(number)[::17]:
        expected: Exact = dict(nx.single_source_dijkstra_path_length(graph, source, cutoff=cutoff))
        found: Exact = dict(nx.single_source_dijkstra_path_length(ours, number[source], cutoff=cutoff))
        assert found == {number[node]: length for node, length in expected.items() if node in number}


def test_search_gives_the_times_reached_sets_and_km_of_networkx_on_a_thousand_pairs() -> None:
    links = _links(across=24, seed=9, kept=0.97)
    network, graph = build_network(links, SPEEDS), _reference(links)
    number = _nodes_of(links, network)
    two_way = (network.edge_ms != CLOSED).all(axis=1)
    open_nodes = set(np.concatenate([network.edge_from[two_way], network.edge_to[two_way]]).tolist())
    ends = [node for node in number if number[node] in open_nodes]
    generator = np.random.default_rng(2)
    starts, goals = generator.permutation(ends)[:180].tolist(), generator.permutation(ends)[:60].tolist()
    limit_ms = 400_000
    areas = _at_nodes(network, np.array([number[node] for node in starts]))
    sites = _at_nodes(network, np.array([number[node] for node in goals]))
    site, area, ms, mm = journeys_to_sites(network, areas, sites, limit_ms)
    found = dict(zip(zip(area.tolist(), site.tolist(), strict=True), zip(ms.tolist(), mm.tolist(), strict=True), strict=True))
    expected: dict[tuple[int, int], tuple[int, int]] = {}
    for row, start in enumerate(starts):
        lengths: Any
        lengths, paths = nx.single_source_dijkstra(graph, start)
        for column, goal in enumerate(goals):
            if goal in lengths and lengths[goal] >> 40 <= limit_ms:
                steps = [min(arc["weight"] for arc in graph[one][two].values()) for one, two in itertools.pairwise(paths[goal])]
                expected[row, column] = (lengths[goal] >> 40, sum(step & MM for step in steps))
    assert 1_000 <= len(expected) < len(starts) * len(goals)
    assert found == expected


def test_points_in_the_middle_of_edges_go_to_the_nearer_end_and_along_one_edge() -> None:
    """One road of 3 km, two links; then the same road one-way."""
    shape = np.array([[0, 0], [1_000, 0], [1_000, 0], [3_000, 0]], dtype=np.float32)
    road = RoadLinks(
        source="one road",
        node_xy_m=np.array([[0.0, 0], [1_000, 0], [3_000, 0]]),
        tail=np.array([0, 1], dtype=np.int32),
        head=np.array([1, 2], dtype=np.int32),
        length_mm=np.array([1_000_000, 2_000_000]),
        road_class=np.array([ROAD_CLASSES.index("access")] * 2, dtype=np.uint8),
        form=np.array([FORMS.index("single")] * 2, dtype=np.uint8),
        direction=np.zeros(2, dtype=np.int8),
        speed_limit_kmh=np.full(2, np.nan, dtype=np.float32),
        shape_xy_m=shape,
        shape_start=np.array([0, 2, 4]),
    )
    areas = pd.DataFrame({"area_id": ["a", "b"], "easting_m": [500.0, 2_500], "northing_m": [30.0, -40]})
    sites = pd.DataFrame({"site_id": ["s"], "easting_m": [2_000.0], "northing_m": [0.0]})
    network = build_network(road, SPEEDS)
    assert len(network.edge_from) == 1
    both = road_journeys(network, areas, sites, 60)
    assert both["km"].tolist() == pytest.approx([1.5, 0.5])
    assert both["minutes"].tolist() == pytest.approx([1.5 / 20 * 60, 0.5 / 20 * 60])
    assert snap_table(areas, "area_id", snap_both(network, areas, sites)[0])["snap_m"].tolist() == pytest.approx([30, 40])
    ring = replace(road, tail=np.array([0, 1], dtype=np.int32), head=np.array([1, 0], dtype=np.int32), direction=np.ones(2, dtype=np.int8))
    around = road_journeys(build_network(ring, SPEEDS), areas, sites, 60).set_index("area_id")["km"]
    assert around["a"] == pytest.approx(1.5)
    assert around["b"] == pytest.approx(3.0 - 0.5)


def test_offsets_of_links_add_up_along_every_edge() -> None:
    links = _links(seed=5)
    network = build_network(links, SPEEDS)
    for side in (0, 1):
        is_open = network.edge_ms[network.link_edge, side] != CLOSED
        total = np.bincount(network.link_edge[is_open], weights=network.link_ms[is_open], minlength=len(network.edge_from))
        np.testing.assert_array_equal(total, network.edge_ms[:, side])
    np.testing.assert_array_equal(
        np.bincount(network.link_edge, weights=network.link_mm, minlength=len(network.edge_from)), network.edge_mm
    )
    assert network.edge_mm.sum() == links.length_mm.sum()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), two_way=st.booleans())
def test_triangle_symmetry_and_more_speed(seed: int, two_way: bool) -> None:
    links = _links(across=10, seed=seed, two_way=two_way)
    network = build_network(links, SPEEDS)
    generator = np.random.default_rng(seed)
    xy_m = generator.uniform(0, 10 * 210, (25, 2))
    points = snap_points(network, xy_m)
    table = _square(network, points)
    through = (table[:, :, None].astype(float) + table[None, :, :]).min(axis=1)
    assert (table <= through + 2).all()
    if two_way:
        np.testing.assert_allclose(table, table.T, atol=1)
    quick = build_network(links, replace(SPEEDS, kmh=SPEEDS.kmh * 1.25))
    assert (_square(quick, snap_points(quick, xy_m)) <= table + 30).all()


def _square(network: Network, points: Snapped) -> NDArray[np.float64]:
    site, area, ms, _ = journeys_to_sites(network, points, points, 10**9)
    table = np.full((len(points.edge), len(points.edge)), np.inf)
    table[area, site] = ms
    return table


def test_far_points_are_flagged_and_pieces_without_a_road_between_are_unreachable() -> None:
    links = _links(across=12, seed=3, two_way=True)
    island = _links(across=12, seed=4, two_way=True)
    offset = np.array([20_000.0, 0])
    both = RoadLinks(
        source="two pieces",
        node_xy_m=np.concatenate([links.node_xy_m, island.node_xy_m + offset]),
        tail=np.concatenate([links.tail, island.tail + len(links.node_xy_m)]).astype(np.int32),
        head=np.concatenate([links.head, island.head + len(links.node_xy_m)]).astype(np.int32),
        **{
            name: np.concatenate([getattr(links, name), getattr(island, name)])
            for name in ("length_mm", "road_class", "form", "direction", "speed_limit_kmh")
        },
        shape_xy_m=np.concatenate([links.shape_xy_m, island.shape_xy_m + offset.astype(np.float32)]),
        shape_start=np.concatenate([links.shape_start, island.shape_start[1:] + links.shape_start[-1]]),
    )
    network = build_network(both, SPEEDS)
    areas = pd.DataFrame({"area_id": ["main", "off", "sea"], "easting_m": [1_000.0, 21_000, 1_000], "northing_m": [1_000.0, 1_000, 90_000]})
    sites = pd.DataFrame({"site_id": ["s", "t"], "easting_m": [1_500.0, 1_200], "northing_m": [1_200.0, -3_000]})
    on_roads = snap_both(network, areas, sites)
    assert snap_table(areas, "area_id", on_roads[0])["status"].tolist() == ["ok", "ok", "no road"]
    assert snap_table(sites, "site_id", on_roads[1])["status"].tolist() == ["ok", "far"]
    found = road_journeys(network, areas, sites, 60)
    assert list(zip(found["area_id"], found["site_id"], found["status"], strict=True)) == [
        ("main", "s", "road"), ("main", "t", "road"), ("off", "s", "unreachable"), ("off", "t", "unreachable"),
    ]  # fmt: skip
    assert found.loc[found["status"] == "unreachable", ["minutes", "km"]].isna().all().all()


def test_the_way_home_is_the_way_there_between_the_same_points_exchanged() -> None:
    network = build_network(_links(across=20, seed=12, kept=0.95), SPEEDS)
    generator = np.random.default_rng(1)
    homes, schools = (generator.uniform(0, 20 * 210, (30, 2)) for _ in range(2))
    out, back = (road_journeys(roads, _points("area_id", homes), _points("site_id", schools), 60) for roads in (network, homeward(network)))
    exchanged = road_journeys(network, _points("area_id", schools), _points("site_id", homes), 60)
    exchanged = exchanged.rename(columns={"area_id": "site_id", "site_id": "area_id"})[back.columns]
    pd.testing.assert_frame_equal(
        back.sort_values(["area_id", "site_id"], ignore_index=True),
        exchanged.sort_values(["area_id", "site_id"], ignore_index=True),
        atol=1e-4,
    )
    both = out.merge(back, on=["area_id", "site_id"])
    assert (both["minutes_x"] - both["minutes_y"]).abs().max() > 0.1


def _points(id_column: str, xy_m: NDArray[np.float64]) -> pd.DataFrame:
    names = [f"p{number:02d}" for number in range(len(xy_m))]
    return pd.DataFrame({id_column: names, "easting_m": xy_m[:, 0], "northing_m": xy_m[:, 1]})


@pytest.mark.skipif("SUFFICIENCY_DATA" not in os.environ, reason="needs SUFFICIENCY_DATA: roads/rutland-latest.osm.pbf")
def test_a_real_county_gives_exactly_the_times_lengths_and_reached_sets_of_networkx() -> None:
    links = read_roads(Path(os.environ["SUFFICIENCY_DATA"]) / "roads" / "rutland-latest.osm.pbf")
    network, graph = build_network(links, SPEEDS), _reference(links).reverse()
    number = _nodes_of(links, network)
    two_way = (network.edge_ms != CLOSED).all(axis=1)
    open_nodes = set(np.concatenate([network.edge_from[two_way], network.edge_to[two_way]]).tolist())
    ends = [node for node in number if number[node] in open_nodes]
    goals = np.random.default_rng(3).permutation(ends)[:25].tolist()
    every = _at_nodes(network, np.array([number[node] for node in ends]))
    site, area, ms, mm = journeys_to_sites(network, every, _at_nodes(network, np.array([number[node] for node in goals])), 20 * 60_000)
    for column, goal in enumerate(goals):
        expected: Exact = dict(nx.single_source_dijkstra_path_length(graph, goal, cutoff=(20 * 60_000 << 40) + MM))
        mine = site == column
        found = {
            ends[row]: (time << 40) + length
            for row, time, length in zip(area[mine].tolist(), ms[mine].tolist(), mm[mine].tolist(), strict=True)
        }
        assert found == {node: length for node, length in expected.items() if node in set(ends)}


@pytest.fixture
def job() -> tuple[Network, pd.DataFrame, pd.DataFrame]:
    network = build_network(_links(across=20, seed=6, two_way=True), SPEEDS)
    generator = np.random.default_rng(0)
    areas = pd.DataFrame(generator.uniform(0, 4_000, (60, 2)), columns=["easting_m", "northing_m"]).assign(
        area_id=[f"a{i}" for i in range(60)]
    )
    sites = pd.DataFrame(generator.uniform(0, 4_000, (80, 2)), columns=["easting_m", "northing_m"]).assign(
        site_id=[f"s{i}" for i in range(80)]
    )
    return network, areas, sites


def test_cache_computes_only_what_is_new_and_survives_a_kill(job: tuple[Network, pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    network, areas, sites = job
    whole = road_journeys(network, areas, sites, 5)
    assert whole.sort_values(["area_id", "site_id"]).index.tolist() == whole.index.tolist()

    class KilledError(RuntimeError):
        pass

    class Executor:
        """Runs one chunk, then dies."""

        def submit(self, function: object, /, *arguments: object) -> object:
            if list(tmp_path.glob("journeys-*/*.parquet")):
                raise KilledError
            pool = ThreadPoolExecutor(1)
            future: Future[str] = pool.submit(function, *arguments)  # type: ignore[arg-type]
            future.result()
            return future

    with pytest.raises(KilledError):
        road_journeys(network, areas, sites, 5, cache=tmp_path, executor=Executor())
    said: list[str] = []
    pd.testing.assert_frame_equal(road_journeys(network, areas, sites, 5, cache=tmp_path, progress=said.append), whole)
    assert said[0] == "journeys: 32 of 80 sites from the cache, 48 to search"
    more = pd.concat([sites, pd.DataFrame({"site_id": ["new"], "easting_m": [2_000.0], "northing_m": [2_000.0]})], ignore_index=True)
    said.clear()
    extended = road_journeys(network, areas, more, 5, cache=tmp_path, progress=said.append)
    assert said[0] == "journeys: 80 of 81 sites from the cache, 1 to search"
    pd.testing.assert_frame_equal(extended[extended["site_id"] != "new"].reset_index(drop=True), whole)
    pd.testing.assert_frame_equal(
        road_journeys(network, areas, sites.iloc[:7], 5, cache=tmp_path), road_journeys(network, areas, sites.iloc[:7], 5)
    )
    said.clear()
    road_journeys(network, areas, sites, 4, cache=tmp_path, progress=said.append)
    assert said[0] == "journeys: 0 of 80 sites from the cache, 80 to search"
    slower = build_network(_links(across=20, seed=6, two_way=True), load_speeds("school_run"))
    said.clear()
    road_journeys(slower, areas, sites, 5, cache=tmp_path, progress=said.append)
    assert said[0].startswith("journeys: 0 of 80")


def test_worker_processes_and_any_executor_give_the_same(job: tuple[Network, pd.DataFrame, pd.DataFrame]) -> None:
    network, areas, sites = job
    alone = road_journeys(network, areas, sites, 5)
    with ThreadPoolExecutor(2) as pool:
        pd.testing.assert_frame_equal(road_journeys(network, areas, sites, 5, executor=pool), alone)
    pd.testing.assert_frame_equal(road_journeys(network, areas, sites, 5, workers=2), alone)


def test_a_saved_network_is_the_same(tmp_path: Path) -> None:
    network = build_network(_links(), SPEEDS)
    again = load_network(save_network(network, tmp_path / "network"))
    assert again.name == network.name
    for name in ("reversed_arcs", "link_offset_ms", "node_xy_m", "link_join"):
        np.testing.assert_array_equal(getattr(again, name), getattr(network, name))
    assert PartTask.__module__ == compute_part.__module__


def test_isochrone_nodes_are_those_within_the_limit() -> None:
    network = build_network(_links(across=16, seed=8, two_way=True), SPEEDS)
    site = snap_points(network, np.array([[1_600.0, 1_600.0]]))
    near, near_ms, _ = reached_from(network, site, 60_000)
    far, far_ms, _ = reached_from(network, site, 10**9)
    assert 0 < len(near) < len(far)
    np.testing.assert_array_equal(near, far[far_ms <= 60_000])
    np.testing.assert_array_equal(near_ms, far_ms[far_ms <= 60_000])


def test_repeated_ids_are_refused(job: tuple[Network, pd.DataFrame, pd.DataFrame]) -> None:
    network, areas, sites = job
    with pytest.raises(ValueError, match="s0"):
        road_journeys(network, areas, pd.concat([sites, sites.iloc[:1]]), 5)
