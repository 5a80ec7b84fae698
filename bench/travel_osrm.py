"""Our minutes against OSRM's on a real county, with the same speeds: what turn costs, which we leave out, come to.

``python -m bench.travel_osrm`` needs ``SUFFICIENCY_DATA`` and, in ``OSRM_PYTHON``, an interpreter (3.12 or later) that has osrm-bindings.
Our links are written as an OpenStreetMap file with each link's speed as its limit, and OSRM's car profile is told to drive at the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import osmium
import pandas as pd
from numpy.typing import NDArray
from pyproj import Transformer

from geo.network import build_network
from geo.roads import read_roads
from geo.roads.links import ROAD_CLASSES, RoadLinks
from geo.roads.speeds import Speeds, link_milliseconds, load_speeds
from geo.travel import road_journeys

HIGHWAYS = dict(
    zip(ROAD_CLASSES, ("motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "living_street", ""), strict=True)
)
LEAST_MINUTES = 2.0

ASK_OSRM = """
import json, sys, osrm
folder, points = sys.argv[1], json.load(open(sys.argv[2]))
engine = osrm.OSRM(storage_config=folder + "/roads.osrm", use_shared_memory=False, algorithm="CH", max_locations_distance_table=-1)
homes, sites = points["homes"], points["sites"]
answer = engine.Table(osrm.TableParameters(
    coordinates=[tuple(place) for place in homes + sites],
    sources=list(range(len(homes))), destinations=list(range(len(homes), len(homes) + len(sites))),
))
json.dump([[cell for cell in row] for row in answer["durations"]], open(sys.argv[3], "w"))
"""


def main() -> None:
    """Prints medians, their ratio and the spread of pair ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--osrm-python", default=os.environ.get("OSRM_PYTHON", sys.executable))
    parser.add_argument("--homes", type=int, default=200)
    parser.add_argument("--sites", type=int, default=100)
    chosen = parser.parse_args()
    folder = os.environ.get("SUFFICIENCY_DATA")
    if not folder:
        sys.exit("SUFFICIENCY_DATA is not set: the benchmark needs roads/rutland-latest.osm.pbf")
    links, speeds = read_roads(Path(folder) / "roads" / "rutland-latest.osm.pbf"), load_speeds("free_flow")
    network = build_network(links, speeds)
    generator = np.random.default_rng(0)
    joinable = np.flatnonzero(network.link_join)
    homes, sites = (
        _on_roads(network.shape_xy_m, network.shape_start, generator.choice(joinable, size)) for size in (chosen.homes, chosen.sites)
    )
    ours = road_journeys(network, _table("area_id", homes), _table("site_id", sites), 600).pivot(
        index="area_id", columns="site_id", values="minutes"
    )
    with tempfile.TemporaryDirectory() as scratch:
        theirs = _osrm_minutes(Path(scratch), chosen.osrm_python, links, speeds, homes, sites)
    both = np.isfinite(theirs) & np.isfinite(ours.to_numpy()) & (ours.to_numpy() >= LEAST_MINUTES)
    mine, other = ours.to_numpy()[both], theirs[both]
    ratio = mine / other
    low, high = np.quantile(ratio, [0.01, 0.99])
    sys.stdout.write(
        f"Rutland, {both.sum():,} pairs of {LEAST_MINUTES:g} minutes and more, speeds {speeds.variant}: median ours {np.median(mine):.2f}, "
        f"OSRM {np.median(other):.2f} minutes; ratio of medians {np.median(mine) / np.median(other):.3f}\n"
        f"ratio by pair: median {np.median(ratio):.3f}, 1st and 99th percentile {low:.3f} and {high:.3f}\n"
    )


def _osrm_minutes(
    folder: Path, python: str, links: RoadLinks, speeds: Speeds, homes: NDArray[np.float64], sites: NDArray[np.float64]
) -> NDArray[np.float64]:
    """OSRM's minutes from homes to sites on our links at our speeds."""
    write_matched_osm(folder / "roads.osm.pbf", links, speeds)
    profiles = Path(_run(python, "-c", "import osrm, pathlib; print(pathlib.Path(osrm.__file__).parent / 'share' / 'profiles')").strip())
    profile, changes = re.subn(r"speed_reduction(\s*)= 0.8", r"speed_reduction\1= 1.0", (profiles / "car.lua").read_text(encoding="utf-8"))
    profile, more = re.subn(r"weight_name(\s*)= 'routability'", r"weight_name\1= 'duration'", profile)
    if (changes, more) != (1, 1):
        raise ValueError("the car profile of this OSRM is not laid out as expected: speed_reduction and weight_name")
    (folder / "car.lua").write_text(profile, encoding="utf-8")
    (folder / "lib").symlink_to(profiles / "lib")
    _run(python, "-m", "osrm", "extract", "-p", str(folder / "car.lua"), str(folder / "roads.osm.pbf"))
    _run(python, "-m", "osrm", "contract", str(folder / "roads.osrm"))
    to_degrees = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)
    points = {name: np.column_stack(to_degrees.transform(*xy.T)).tolist() for name, xy in (("homes", homes), ("sites", sites))}
    (folder / "points.json").write_text(json.dumps(points), encoding="utf-8")
    _run(python, "-c", ASK_OSRM, str(folder), str(folder / "points.json"), str(folder / "answer.json"))
    answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return np.array(answer, dtype=float) / 60


def write_matched_osm(path: Path, links: RoadLinks, speeds: Speeds) -> None:
    """Our links as ways, each with its own speed as the limit."""
    lon, lat = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True).transform(*links.shape_xy_m.astype(float).T)
    kmh = links.length_mm / 1e6 / (link_milliseconds(links, speeds) / 3.6e6)
    inner = np.arange(len(lon)) + len(links.node_xy_m) + 1
    inner[links.shape_start[:-1]], inner[links.shape_start[1:] - 1] = links.tail + 1, links.head + 1
    _, first = np.unique(inner, return_index=True)
    with osmium.SimpleWriter(str(path)) as writer:
        for point in first.tolist():
            writer.add_node(osmium.osm.mutable.Node(id=int(inner[point]), version=1, location=(lon[point], lat[point])))
        for link in range(len(links)):
            refs = inner[links.shape_start[link] : links.shape_start[link + 1]].tolist()
            direction = int(links.direction[link])
            tags = {"highway": HIGHWAYS[ROAD_CLASSES[links.road_class[link]]], "maxspeed": f"{kmh[link]:.3f}"}
            tags["oneway"] = {1: "yes", -1: "-1", 0: "no"}[direction]
            writer.add_way(osmium.osm.mutable.Way(id=link + 1, version=1, nodes=refs, tags=tags))


def _on_roads(shape: NDArray[np.float32], start: NDArray[np.int64], links: NDArray[np.int64]) -> NDArray[np.float64]:
    """A drawn point of each link: both routers join it to the same place."""
    middle = (start[links] + start[links + 1] - 1) // 2
    return np.asarray(shape[middle], dtype=np.float64)


def _table(id_column: str, xy_m: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame({id_column: [f"{i:05d}" for i in range(len(xy_m))], "easting_m": xy_m[:, 0], "northing_m": xy_m[:, 1]})


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
