"""Journeys on a Dask cluster: the same as one process finds, also when a worker is killed in mid-run or a chunk fails once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from bench.travel_network import synthetic_links
from fixtures.roads import write_osm_pbf
from geo.cluster import dask_executor
from geo.network import Network, build_network
from geo.roads.speeds import load_speeds
from geo.travel import road_journeys
from sufficiency.tables.problems import InputError
from sufficiency.travel_command import TravelOptions, make_travel

LIMIT_MIN = 6.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with dask_executor("local", workers=2) as executor:
        yield executor
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def job() -> tuple[Network, pd.DataFrame, pd.DataFrame]:
    network = build_network(synthetic_links(30, seed=4), load_speeds("school_run"))
    generator = np.random.default_rng(0)
    return network, _points("area_id", generator.uniform(0, 6_000, (80, 2))), _points("site_id", generator.uniform(0, 6_000, (150, 2)))


def _points(id_column: str, xy_m: Any) -> pd.DataFrame:
    return pd.DataFrame({id_column: [f"{i:03d}" for i in range(len(xy_m))], "easting_m": xy_m[:, 0], "northing_m": xy_m[:, 1]})


class Trap:
    """An executor whose first chunk meets with an accident on its worker; ``marker`` tells later attempts that it has happened."""

    def __init__(self, cluster: Any, accident: Callable[[], None], marker: Path) -> None:
        self.cluster, self.accident, self.marker = cluster, accident, marker

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        return self.cluster.submit(_once, self.accident, str(self.marker), function, *arguments)


def _once(accident: Callable[[], None], marker: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return function(*arguments)
    accident()
    raise AssertionError("the accident did not happen")


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _full_disk() -> None:
    raise OSError(28, "No space left on device")


def test_a_cluster_finds_what_one_process_finds(cluster: Any, job: tuple[Network, pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    said: list[str] = []
    found = road_journeys(*job, LIMIT_MIN, cache=tmp_path, executor=cluster, progress=said.append)
    pd.testing.assert_frame_equal(found, road_journeys(*job, LIMIT_MIN))
    assert said[-1] == "journeys: chunk 5 of 5"


@pytest.mark.parametrize("accident", [_killed, _full_disk])
def test_an_accident_costs_its_chunk_only(
    cluster: Any, job: tuple[Network, pd.DataFrame, pd.DataFrame], tmp_path: Path, accident: Callable[[], None]
) -> None:
    trap = Trap(cluster, accident, tmp_path / "it-happened")
    found = road_journeys(*job, LIMIT_MIN, cache=tmp_path / "cache", executor=trap)
    assert (tmp_path / "it-happened").exists()
    assert len(list((tmp_path / "cache").glob("journeys-*/*.parquet"))) == 5
    pd.testing.assert_frame_equal(found, road_journeys(*job, LIMIT_MIN))


def test_the_travel_step_runs_on_a_scheduler_by_its_address(cluster: Any, tmp_path: Path) -> None:
    nodes = pd.DataFrame({"node_id": [1, 2], "easting_m": [400_000.0, 410_000.0], "northing_m": [300_000.0, 300_000.0]})
    edges = pd.DataFrame(
        {
            "from": [1],
            "to": [2],
            "length_m": [10_000.0],
            "road_class": "a_road",
            "form": "single",
            "one_way": False,
            "speed_limit_kmh": np.nan,
        }
    )
    roads = write_osm_pbf(tmp_path / "r.osm.pbf", nodes, edges)
    areas = pd.DataFrame({"area_id": ["a"], "easting_m": [401_000.0], "northing_m": [300_000.0]})
    sites = pd.DataFrame({"site_id": ["s"], "easting_m": [409_000.0], "northing_m": [300_000.0]})
    address = cluster._client.scheduler.address
    make_travel(areas, sites, tmp_path / "dask.parquet", 60, TravelOptions(roads=roads, dask=address, cache=tmp_path / "cache"))
    make_travel(areas, sites, tmp_path / "alone.parquet", 60, TravelOptions(roads=roads))
    found = pd.read_parquet(tmp_path / "dask.parquet")
    assert found["km"].tolist() == pytest.approx([8.0], abs=0.01)
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "alone.parquet"))


def test_options_that_a_cluster_cannot_serve_are_refused(tmp_path: Path) -> None:
    points = _points("area_id", np.array([[4e5, 3e5]])), _points("site_id", np.array([[4e5, 3e5]]))
    with pytest.raises(InputError, match="--roads"):
        make_travel(*points, tmp_path / "out.parquet", 60, TravelOptions(dask="local"))
    with pytest.raises(InputError, match="--cache DIR"):
        make_travel(*points, tmp_path / "out.parquet", 60, TravelOptions(roads=Path("r.osm.pbf"), dask="tcp://elsewhere:8786"))


def test_a_killed_run_goes_on_where_it_stopped_and_a_new_site_adds_its_rows(tmp_path: Path) -> None:
    """The command itself, killed after its first parts: the second run searches the rest only, the third one the new site only."""
    generator = np.random.default_rng(3)
    side = 12
    east, north = np.meshgrid(400_000.0 + 500 * np.arange(side), 300_000.0 + 500 * np.arange(side))
    nodes = pd.DataFrame({"node_id": np.arange(1, side * side + 1), "easting_m": east.ravel(), "northing_m": north.ravel()})
    number = nodes["node_id"].to_numpy().reshape(side, side)
    ends = np.concatenate(
        [np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()]), np.column_stack([number[:-1].ravel(), number[1:].ravel()])]
    )
    edges = pd.DataFrame(ends, columns=["from", "to"]).assign(
        length_m=500.0, road_class="minor", form="single", one_way=False, speed_limit_kmh=np.nan
    )
    roads = write_osm_pbf(tmp_path / "r.osm.pbf", nodes, edges)
    for name, count in (("areas", 300), ("sites", 3_200)):
        xy_m = generator.uniform((400_000, 300_000), (405_500, 305_500), (count, 2))
        table = _points("id", xy_m)
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    arguments = ["--roads", roads, "--areas", tmp_path / "areas.csv", "--cache", tmp_path / "cache", "--workers", "1"]

    def command(sites: str, out: str) -> list[str]:
        rest = [*arguments, "--sites", tmp_path / f"{sites}.csv", "--out", tmp_path / out]
        return [sys.executable, "-c", "from sufficiency.cli import main; main()", "travel", *map(str, rest)]

    running = subprocess.Popen(command("sites", "out.parquet"), stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob("cache/journeys-*/*.parquet")):
        assert running.poll() is None
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = 32 * len(list(tmp_path.glob("cache/journeys-*/*.parquet")))
    assert 0 < kept < 3_200
    assert not (tmp_path / "out.parquet").exists()
    resumed = subprocess.run(command("sites", "out.parquet"), capture_output=True, text=True, check=True)
    assert f"{kept} of 3200 sites from the cache, {3_200 - kept} to search" in resumed.stderr
    more = pd.concat(
        [
            pd.read_csv(tmp_path / "sites.csv", dtype={"id": str}),
            pd.DataFrame({"id": ["new"], "easting_m": 402_000.0, "northing_m": 302_000.0}),
        ]
    )
    more.to_csv(tmp_path / "more.csv", index=False)
    extended = subprocess.run(command("more", "more.parquet"), capture_output=True, text=True, check=True)
    assert "3200 of 3201 sites from the cache, 1 to search" in extended.stderr
    before, after = pd.read_parquet(tmp_path / "out.parquet"), pd.read_parquet(tmp_path / "more.parquet")
    assert len(after) == len(before) + 300
    pd.testing.assert_frame_equal(after[after["site_id"] != "new"].reset_index(drop=True), before)
