"""Travel benchmarks: a real county against networkx and scipy, and a synthetic network of England's size, measured whole.

``python -m bench.travel rutland`` (needs ``SUFFICIENCY_DATA``), ``england``, ``growth``: tables on standard output, a chart in
``out/bench``.
CPU seconds include child processes. The first call of a search compiles it (about 2 s, kept on disk); warm figures leave that out.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
import networkx as nx
import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from bench.travel_network import synthetic_links, synthetic_points
from geo.network import Network, build_network
from geo.roads import read_roads
from geo.roads.links import RoadLinks
from geo.roads.speeds import link_milliseconds, load_speeds
from geo.search import journeys_to_sites
from geo.snap import Snapped, snap_points
from geo.travel import road_journey_blocks

T = TypeVar("T")
say = sys.stdout.write
ROAD_FILE = Path("roads") / "rutland-latest.osm.pbf"
AREAS, SITES = 33_755, 4_000
LIMIT_MIN = 75.0


def rutland(areas: int = 2_000, sites: int = 500) -> None:
    """Minutes and km from 2,000 points to 500 on Rutland's roads: ours, scipy and networkx on the same times; ours from file to table."""
    folder = os.environ.get("SUFFICIENCY_DATA")
    if not folder:
        sys.exit("SUFFICIENCY_DATA is not set: the benchmark needs roads/rutland-latest.osm.pbf")
    speeds = load_speeds("free_flow")
    links = read_roads(Path(folder) / ROAD_FILE)
    network = build_network(links, speeds)
    generator = np.random.default_rng(0)
    low, high = network.node_xy_m.min(axis=0), network.node_xy_m.max(axis=0)
    homes = snap_points(network, generator.uniform(low, high, (areas, 2)))
    goals = snap_points(network, generator.uniform(low, high, (sites, 2)))
    journeys_to_sites(network, homes, goals, 1)
    ours, ours_s = _timed(lambda: journeys_to_sites(network, homes, goals, 10**9))
    graph_links = _drivable(links)
    _, scipy_s = _timed(lambda: _scipy(*graph_links, sites))
    _, networkx_s = _timed(lambda: _networkx(*graph_links, sites))
    cold_s = _from_file(Path(folder) / ROAD_FILE, areas, sites)
    say(f"Rutland, {areas} x {sites}: {len(graph_links[0])} links, {len(network.edge_from)} edges after contraction\n")
    say(f"{'ours: minutes and km, from and to places on edges':52} {ours_s:7.2f} s CPU, {len(ours[0])} pairs\n")
    say(f"{'scipy dijkstra: minutes between junctions only':52} {scipy_s:7.2f} s CPU, ratio {scipy_s / ours_s:.1f}\n")
    say(f"{'networkx: minutes between junctions only':52} {networkx_s:7.2f} s CPU, ratio {networkx_s / ours_s:.1f}\n")
    say(f"{'ours from the .osm.pbf to the table':52} {cold_s:7.2f} s CPU\n")


def england(workers: int) -> None:
    """33,755 x 4,000 on a network of England's size within 75 minutes: links to Parquet-ready blocks, by step."""
    links, made_s = _timed(synthetic_links)
    speeds = load_speeds("school_run")
    network, built_s = _timed(lambda: build_network(links, speeds))
    areas = _table("area_id", synthetic_points(AREAS, seed=1))
    sites = _table("site_id", synthetic_points(SITES, seed=2))
    started, before = time.perf_counter(), _cpu_s()
    with tempfile.TemporaryDirectory() as cache:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            blocks = road_journey_blocks(network, areas, sites, LIMIT_MIN, cache=Path(cache), executor=pool)
            pairs = sum(len(block) for block in blocks)
            worker_mb = max(pool.map(_own_peak_mb, range(4 * workers)))
        matrix_s, wall_s = _cpu_s() - before, time.perf_counter() - started
        started_again, before = time.perf_counter(), _cpu_s()
        more = pd.concat([sites, _table("site_id", synthetic_points(1, seed=3)).assign(site_id="new")], ignore_index=True)
        sum(len(block) for block in road_journey_blocks(network, areas, more, LIMIT_MIN, cache=Path(cache), workers=workers))
        again_s, again_wall_s = _cpu_s() - before, time.perf_counter() - started_again
    parent_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    say(f"synthetic England: {len(links.node_xy_m):,} junctions, {len(links):,} links; {len(network.node_xy_m):,} and ")
    say(f"{len(network.reversed_arcs):,} arcs after contraction (made in {made_s:.0f} s, not counted)\n")
    say(f"build network {built_s:.1f} s CPU; snap, search, store and sort {AREAS:,} x {SITES:,} within {LIMIT_MIN:g} minutes: ")
    say(f"{matrix_s:.1f} s CPU, {wall_s:.0f} s wall, {pairs:,} pairs\n")
    say(f"whole {(built_s + matrix_s) / 60:.2f} CPU-minutes; largest worker {worker_mb:.0f} MB, parent {parent_mb:.0f} MB\n")
    say(f"one more site: {again_s:.1f} s CPU, {again_wall_s:.0f} s wall\n")


def growth() -> None:
    """CPU seconds by number of sites and by limit, as a table and a chart."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    network = build_network(synthetic_links(), load_speeds("school_run"))
    homes = snap_points(network, synthetic_points(AREAS, seed=1))
    goals = snap_points(network, synthetic_points(320, seed=2))
    journeys_to_sites(network, homes, _first(goals, 1), 1)
    by_sites = {count: _search_s(network, homes, _first(goals, count), LIMIT_MIN) for count in (20, 40, 80, 160, 320)}
    by_limit = {limit: _search_s(network, homes, _first(goals, 40), limit) for limit in (15, 30, 45, 60, 75, 90)}
    for title, rows in (("sites (75 minutes)", by_sites), ("limit, minutes (40 sites)", by_limit)):
        say(f"CPU seconds by {title}: " + ", ".join(f"{key}: {value:.2f}" for key, value in rows.items()) + "\n")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    left.plot(list(by_sites), list(by_sites.values()), marker="o")
    left.set(xlabel="sites", ylabel="CPU seconds", title="75 minutes")
    right.plot(list(by_limit), list(by_limit.values()), marker="o")
    right.set(xlabel="limit, minutes one way", ylabel="CPU seconds", title="40 sites")
    out = Path("out") / "bench" / "travel_growth.svg"
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)
    say(f"chart: {out}\n")


def _drivable(links: RoadLinks) -> tuple[Any, Any, Any]:
    """Arcs of the links as they are: from, to, milliseconds."""
    speeds = load_speeds("free_flow")
    ms = link_milliseconds(links, speeds)
    along, against = links.direction >= 0, links.direction <= 0
    tail = np.concatenate([links.tail[along], links.head[against]])
    head = np.concatenate([links.head[along], links.tail[against]])
    return tail, head, np.concatenate([ms[along], ms[against]]).astype(float)


def _scipy(tail: Any, head: Any, ms: Any, sites: int) -> Any:
    table = pd.DataFrame({"head": head, "tail": tail, "ms": ms}).groupby(["head", "tail"], as_index=False)["ms"].min()
    nodes = int(max(tail.max(), head.max())) + 1
    graph = csr_array((table["ms"], (table["head"], table["tail"])), shape=(nodes, nodes))
    return dijkstra(graph, indices=np.linspace(0, nodes - 1, sites).astype(int))


def _networkx(tail: Any, head: Any, ms: Any, sites: int) -> None:
    graph: Any = nx.DiGraph()
    graph.add_weighted_edges_from(zip(head.tolist(), tail.tolist(), ms.tolist(), strict=True))
    for source in itertools.islice(np.linspace(0, int(max(tail.max(), head.max())), sites).astype(int).tolist(), sites):
        nx.single_source_dijkstra_path_length(graph, source)


def _from_file(path: Path, areas: int, sites: int) -> float:
    """CPU seconds from the road file to all blocks of the matrix, compiled code warm."""

    def whole() -> int:
        network = build_network(read_roads(path), load_speeds("free_flow"))
        generator = np.random.default_rng(1)
        low, high = network.node_xy_m.min(axis=0), network.node_xy_m.max(axis=0)
        homes = _table("area_id", generator.uniform(low, high, (areas, 2)))
        goals = _table("site_id", generator.uniform(low, high, (sites, 2)))
        return sum(len(block) for block in road_journey_blocks(network, homes, goals, 600))

    return _timed(whole)[1]


def _search_s(network: Network, homes: Snapped, goals: Snapped, limit_min: float) -> float:
    return _timed(lambda: [journeys_to_sites(network, homes, _rows(goals, i), round(limit_min * 60_000)) for i in range(len(goals.edge))])[
        1
    ]


def _first(snapped: Snapped, count: int) -> Snapped:
    return Snapped(snapped.edge[:count], snapped.snap_m[:count], snapped.ms_from[:count], snapped.ms_to[:count], snapped.mm[:count])


def _rows(snapped: Snapped, row: int) -> Snapped:
    at = slice(row, row + 1)
    return Snapped(snapped.edge[at], snapped.snap_m[at], snapped.ms_from[at], snapped.ms_to[at], snapped.mm[at])


def _table(id_column: str, xy_m: Any) -> pd.DataFrame:
    names = [f"{number:05d}" for number in range(len(xy_m))]
    return pd.DataFrame({id_column: names, "easting_m": xy_m[:, 0], "northing_m": xy_m[:, 1]})


def _own_peak_mb(_: int) -> float:
    """Peak memory of the process that runs it; unlike ``ru_maxrss`` it forgets the parent it was started from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.split("VmHWM:")[1].split()[0]) / 1_000


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    before = _cpu_s()
    return work(), _cpu_s() - before


def main() -> None:
    """Runs the chosen benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["rutland", "england", "growth"])
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    {"rutland": rutland, "england": lambda: england(chosen.workers), "growth": growth}[chosen.which]()


if __name__ == "__main__":
    main()
