"""The travel step on files: points in, a matrix of journeys out, with a report of how it was made and how far it may be off."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geo.cluster import LOCAL, dask_executor
from geo.estimate import estimated_blocks
from geo.network import build_network
from geo.roads import read_roads
from geo.roads.speeds import load_speeds
from geo.travel import road_journey_blocks, snap_both, snap_table
from sufficiency.case import Case
from sufficiency.corridors import case_sites
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.travel_sources import estimate_basis, read_points, travel_classes

Progress = Callable[[str], None]

SCHEMA = pa.schema(
    [("area_id", pa.string()), ("site_id", pa.string()), ("minutes", pa.float32()), ("km", pa.float32()), ("status", pa.string())]
)
LICENCES = {
    "OpenStreetMap": "Open Database Licence 1.0; contains data (c) OpenStreetMap contributors; a published derived database stays under it",
    "OS Open Roads": "Open Government Licence v3.0; contains OS data (c) Crown copyright and database right",
}


@dataclass(frozen=True)
class TravelReport:
    """How a matrix was made. ``mean_error_min``: mean absolute errors in minutes under 60 km by method, empty for roads;
    ``far_points``: points more than 1 km from their road or without one."""

    method: str
    roads: str
    speeds: str
    licence: str
    limit_min: float
    areas: int
    sites: int
    pairs: int
    unreachable_pairs: int
    travel_class_source: str
    mean_error_min: dict[str, float]
    far_points: list[dict[str, object]]


@dataclass(frozen=True)
class TravelOptions:
    """How journeys are found, in the words of the command line."""

    roads: Path | None = None
    """OpenStreetMap .osm.pbf or OS Open Roads .gpkg; without it journeys are estimated."""
    speeds: str = "school_run"
    ferries: bool = True
    landmarks: Path | None = None
    """Known minutes for the estimate; by default those of the data folder."""
    data: Path | None = None
    """Folder of published data (default: the one in SUFFICIENCY_DATA, if set): landmarks, rurality, coast."""
    cache: Path | None = None
    workers: int = 1
    dask: str | None = None
    """``local``, or the address of a scheduler whose workers see the cache folder."""


def points_of_files(areas_csv: Path, sites_csv: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Areas and sites of two CSV files (``read_points``). Raises InputError for bad points."""
    return read_points(areas_csv, "area_id"), read_points(sites_csv, "site_id")


def points_of_case(case: Case) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The areas of a case, with their travel class; its settings on the map and the sites of its projects."""
    areas = pd.DataFrame(case.areas[["area_id", "easting_m", "northing_m", "travel_class"]])
    return areas.assign(lsoa21_code=areas["area_id"]) if case.level == "lsoa" else areas, case_sites(case)


def make_travel(
    areas: pd.DataFrame,
    sites: pd.DataFrame,
    out: Path,
    limit_min: float,
    how: TravelOptions | None = None,
    progress: Progress | None = None,
) -> TravelReport:
    """Writes one-way car journeys from areas to sites within ``limit_min`` minutes to ``out``.

    ``areas``: area_id, easting_m, northing_m, perhaps travel_class and lsoa21_code; ``sites``: site_id, easting_m, northing_m.
    ``out`` is Parquet: area_id, site_id, minutes, km, status (``road``, ``unreachable`` or ``estimated``), by area then site.
    Along roads where there is a road file; else by known minutes to landmarks, and without those by the distance curve.
    The report is returned and written beside the matrix as ``<out>.json``. Raises InputError for options that clash, ValueError for bad
    road files and a limit that is not above 0.
    """
    how = how or TravelOptions()
    if limit_min <= 0:
        raise ValueError(f"the limit must be more than 0 minutes, not {limit_min}")
    _refuse_clashes(how)
    if how.roads is not None:
        blocks, notes = _by_road(areas, sites, limit_min, how, progress)
    else:
        blocks, notes = best_estimate(areas, sites, limit_min, how.landmarks, how.data or data_folder(), progress)
    pairs, unreachable = _write(blocks, out, {**notes, "limit_min": limit_min})
    report = TravelReport(limit_min=limit_min, areas=len(areas), sites=len(sites), pairs=pairs, unreachable_pairs=unreachable, **notes)  # type: ignore[arg-type]
    out.with_name(f"{out.name}.json").write_text(json.dumps(asdict(report), indent=2), encoding="utf-8")
    _say(progress, f"{pairs:,} journeys within {limit_min:g} minutes, {unreachable:,} pairs that no road joins")
    return report


def best_estimate(
    areas: pd.DataFrame,
    sites: pd.DataFrame,
    limit_min: float,
    landmarks: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Iterator[pd.DataFrame], dict[str, object]]:
    """Journeys without roads, in blocks, and notes on the method and its error: landmarks where there are any, else coast, else the curve.

    ``areas`` as for ``make_travel``; a column travel_class, where there is one, is kept.
    """
    classes, class_source = (areas["travel_class"], "the areas") if "travel_class" in areas else travel_classes(areas, data)
    basis = estimate_basis(areas, data, landmarks)
    _say(progress, basis.statement)
    notes: dict[str, object] = {
        "method": f"estimated by {basis.method}",
        "roads": "",
        "speeds": "",
        "licence": "",
        "travel_class_source": class_source,
        "mean_error_min": basis.mean_error_min,
        "far_points": [],
    }
    return estimated_blocks(areas.assign(travel_class=classes), sites, limit_min, basis.land, basis.landmarks), notes


def data_folder() -> Path | None:
    """The folder named in SUFFICIENCY_DATA, None where it is unset."""
    named = os.environ.get("SUFFICIENCY_DATA")
    return Path(named) if named else None


def _refuse_clashes(how: TravelOptions) -> None:
    if how.dask is None:
        return
    if how.roads is None:
        raise InputError([InputProblem("--dask", "there is no road file to search", "Give --roads; estimates need no cluster.")])
    if how.dask != LOCAL and how.cache is None:
        remedy = "Give --cache DIR, a folder that this machine and every worker see under the same name."
        raise InputError([InputProblem("--dask", "workers elsewhere need a shared folder", remedy, value=how.dask)])


def _by_road(
    areas: pd.DataFrame, sites: pd.DataFrame, limit_min: float, how: TravelOptions, progress: Progress | None
) -> tuple[Iterator[pd.DataFrame], dict[str, object]]:
    roads = Path(str(how.roads))
    _say(progress, f"reading {roads.name}")
    network = build_network(read_roads(roads), load_speeds(how.speeds), how.ferries)
    _say(progress, f"{network.name}: {len(network.node_xy_m):,} junctions, {len(network.edge_from):,} edges, speeds {network.speeds}")
    on_roads = snap_both(network, areas, sites)
    far = [
        {"table": table, **row}
        for table, points, name, snapped in (("areas", areas, "area_id", on_roads[0]), ("sites", sites, "site_id", on_roads[1]))
        for row in snap_table(points, name, snapped).query("status != 'ok'").rename(columns={name: "id"}).to_dict("records")
    ]
    notes: dict[str, object] = {
        "method": "road",
        "roads": network.name,
        "speeds": network.speeds,
        "licence": next(text for name, text in LICENCES.items() if network.name.startswith(name)),
        "travel_class_source": "",
        "mean_error_min": {},
        "far_points": far,
    }
    if far:
        _say(progress, f"{len(far)} points lie more than 1 km from a road they can join")

    def blocks() -> Iterator[pd.DataFrame]:
        with nullcontext() if how.dask is None else dask_executor(how.dask, how.workers) as executor:
            yield from road_journey_blocks(
                network,
                areas,
                sites,
                limit_min,
                cache=how.cache,
                workers=how.workers,
                executor=executor,
                progress=progress,
                on_roads=on_roads,
            )

    return blocks(), notes


def _write(blocks: Iterator[pd.DataFrame], out: Path, notes: dict[str, object]) -> tuple[int, int]:
    """Streams the blocks to Parquet with the notes as its metadata; returns the numbers of reachable and unreachable pairs."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f"{out.name}.unfinished")
    schema = SCHEMA.with_metadata({name: str(value) for name, value in notes.items() if name != "far_points"})
    pairs, unreachable = 0, 0
    with pq.ParquetWriter(unfinished, schema) as writer:
        for block in blocks:
            writer.write_table(pa.Table.from_pandas(block, schema=schema, preserve_index=False))
            apart = int((block["status"] == "unreachable").sum())
            pairs, unreachable = pairs + len(block) - apart, unreachable + apart
    unfinished.replace(out)
    return pairs, unreachable


def _say(progress: Progress | None, message: str) -> None:
    if progress is not None:
        progress(message)
