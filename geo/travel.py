"""Journeys by road from areas to sites: bounded, in chunks, in parallel, resumable, cached by content.

Work is kept in a cache folder: one folder per job (network, speeds, areas, limit), one Parquet part per chunk of sites, named after the
sites in it. A run computes only the sites that no part holds yet; a run that was killed goes on where it stopped, and a new candidate
site costs one search.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.spatial import KDTree

from geo.estimate import CURVES, reach_km
from geo.network import Network, load_network, save_network
from geo.roads.links import content_hash
from geo.search import journeys_to_sites
from geo.snap import FAR_SNAP_M, Snapped, snap_points

MS_PER_MINUTE: Final = 60_000
SITES_PER_CHUNK: Final = 32
PAIRS_PER_BLOCK: Final = 1_000_000
Progress = Callable[[str], None]
SiteKey = tuple[str, float, float]


class Submits(Protocol):
    """Any executor: concurrent.futures, or a Dask client whose workers see the cache folder."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any: ...


@dataclass(frozen=True)
class PartTask:
    """One chunk of sites; plain data and paths, so that it can be sent to any process that sees the folders."""

    network_folder: str
    job_folder: str
    keys: tuple[SiteKey, ...]
    sites: Snapped
    limit_ms: int


def road_journeys(
    network: Network,
    areas: pd.DataFrame,
    sites: pd.DataFrame,
    limit_min: float,
    *,
    cache: Path | None = None,
    workers: int = 1,
    executor: Submits | None = None,
    progress: Progress | None = None,
    on_roads: tuple[Snapped, Snapped] | None = None,
) -> pd.DataFrame:
    """One-way car journeys from every area to every site within ``limit_min`` minutes.

    ``areas``: area_id, easting_m, northing_m; ``sites``: site_id, easting_m, northing_m. Returns area_id, site_id, minutes, km (float32),
    status, sorted by area_id then site_id. Status ``road``; or ``unreachable`` (minutes and km empty) for pairs that distance alone would
    put within the limit but no road joins. Pairs beyond the limit have no row. Raises ValueError for repeated ids.
    ``workers`` processes share the work, or any ``executor`` whose workers see the cache folder. ``on_roads``: of ``snap_both``, if made.
    """
    blocks = road_journey_blocks(
        network, areas, sites, limit_min, cache=cache, workers=workers, executor=executor, progress=progress, on_roads=on_roads
    )
    return pd.concat(blocks, ignore_index=True)


def road_journey_blocks(
    network: Network,
    areas: pd.DataFrame,
    sites: pd.DataFrame,
    limit_min: float,
    *,
    cache: Path | None = None,
    workers: int = 1,
    executor: Submits | None = None,
    progress: Progress | None = None,
    on_roads: tuple[Snapped, Snapped] | None = None,
) -> Iterator[pd.DataFrame]:
    """The same journeys in blocks, in order, for callers that stream them to a file. At least one block, perhaps empty."""
    areas, sites = _sorted_points(areas, "area_id"), _sorted_points(sites, "site_id")
    with tempfile.TemporaryDirectory(prefix="journeys-") as scratch:
        folder = cache or Path(scratch)
        snapped = on_roads or snap_both(network, areas, sites)
        parts = _compute_parts(network, areas, sites, snapped, limit_min, folder, workers, executor, progress)
        pairs = _collect(parts, sites)
        apart = _unreachable_pairs(network, areas, sites, *snapped, limit_min)
        yield from _tables(areas, sites, pairs, apart)


def snap_both(network: Network, areas: pd.DataFrame, sites: pd.DataFrame) -> tuple[Snapped, Snapped]:
    """Areas and sites on the roads, each in the order of its ids."""
    places = [_xy_m(_sorted_points(areas, "area_id")), _xy_m(_sorted_points(sites, "site_id"))]
    both = snap_points(network, np.concatenate(places))
    return _take(both, slice(0, len(areas))), _take(both, slice(len(areas), None))


def snap_table(points: pd.DataFrame, id_column: str, snapped: Snapped) -> pd.DataFrame:
    """How far each point is from the road it joins: id, snap_m, status ``ok``, ``far`` (beyond 1 km) or ``no road``; by id.

    ``snapped``: the points on the roads in the order of their ids (``snap_both``).
    """
    status = np.select([snapped.edge < 0, snapped.snap_m > FAR_SNAP_M], ["no road", "far"], default="ok")
    snap_m = np.where(snapped.edge < 0, np.nan, snapped.snap_m).round(1)
    return pd.DataFrame({id_column: _sorted_points(points, id_column)[id_column].to_numpy(), "snap_m": snap_m, "status": status})


def compute_part(task: PartTask) -> str:
    """Journeys of one chunk of sites, written as one Parquet part (site and area by number); returns its path."""
    network = _network_at(task.network_folder)
    areas = _load_snapped(Path(task.job_folder) / "areas.npz")
    site, area, ms, mm = journeys_to_sites(network, areas, task.sites, task.limit_ms)
    table = pa.table({"site": site, "area": area, "ms": ms, "mm": mm})
    table = table.replace_schema_metadata({"sites": json.dumps(task.keys)})
    path = Path(task.job_folder) / f"{content_hash(task.keys)[:32]}.parquet"
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished)
    unfinished.replace(path)
    return str(path)


def _compute_parts(
    network: Network,
    areas: pd.DataFrame,
    sites: pd.DataFrame,
    on_roads: tuple[Snapped, Snapped],
    limit_min: float,
    cache: Path,
    workers: int,
    executor: Submits | None,
    progress: Progress | None,
) -> list[Path]:
    """Every part of the job after computing the sites that none holds yet."""
    snapped_areas, snapped_sites = on_roads
    limit_ms = round(limit_min * MS_PER_MINUTE)
    network_folder = cache / f"network-{network.content[:32]}"
    if not (network_folder / "complete").exists():
        save_network(network, network_folder)
        (network_folder / "complete").touch()
    identity = content_hash(network.content, list(areas["area_id"]), _xy_m(areas), limit_ms)
    job_folder = cache / f"journeys-{identity[:32]}"
    job_folder.mkdir(parents=True, exist_ok=True)
    _save_snapped(snapped_areas, job_folder / "areas.npz")
    keys = _site_keys(sites)
    held = {key for part in job_folder.glob("*.parquet") for key in _keys_of(part)}
    missing = [number for number, key in enumerate(keys) if key not in held]
    tasks = [
        PartTask(str(network_folder), str(job_folder), tuple(keys[i] for i in chunk), _take(snapped_sites, chunk), limit_ms)
        for chunk in (missing[start : start + SITES_PER_CHUNK] for start in range(0, len(missing), SITES_PER_CHUNK))
    ]
    _say(progress, f"journeys: {len(keys) - len(missing)} of {len(keys)} sites from the cache, {len(missing)} to search")
    for done, _ in enumerate(_run(tasks, workers, executor), start=1):
        _say(progress, f"journeys: chunk {done} of {len(tasks)}")
    return sorted(job_folder.glob("*.parquet"))


def _run(tasks: list[PartTask], workers: int, executor: Submits | None) -> Iterator[str]:
    if executor is not None:
        yield from (future.result() for future in [executor.submit(compute_part, task) for task in tasks])
    elif workers > 1 and len(tasks) > 1:
        with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn")) as pool:
            yield from pool.map(compute_part, tasks)
    else:
        yield from map(compute_part, tasks)


def _collect(parts: list[Path], sites: pd.DataFrame) -> dict[str, NDArray[np.int32]]:
    """Pairs of the wanted sites from all parts, by area then site (numbers in the sorted tables)."""
    number = {key: row for row, key in enumerate(_site_keys(sites))}
    columns: dict[str, list[NDArray[np.int32]]] = {"area": [], "site": [], "ms": [], "mm": []}
    for part in parts:
        wanted = np.array([number.pop(key, -1) for key in _keys_of(part)], dtype=np.int32)
        if (wanted < 0).all():
            continue
        table = pq.read_table(part)
        site = wanted[table.column("site").to_numpy()]
        for name, values in columns.items():
            column = site if name == "site" else table.column(name).to_numpy()
            values.append(column[site >= 0])
    joined = {name: np.concatenate(values) if values else np.empty(0, dtype=np.int32) for name, values in columns.items()}
    order = np.argsort(joined["area"].astype(np.int64) * max(len(sites), 1) + joined["site"])
    return {name: values[order] for name, values in joined.items()}


def _unreachable_pairs(
    network: Network, areas: pd.DataFrame, sites: pd.DataFrame, area_roads: Snapped, site_roads: Snapped, limit_min: float
) -> dict[str, NDArray[np.int32]]:
    """Pairs on pieces of network that no road joins, near enough that distance alone would put them within the limit."""
    radius_m = max(reach_km(limit_min, name) for name in CURVES) * 1_000
    area_piece, site_piece = _piece(network, area_roads), _piece(network, site_roads)
    area_xy, site_xy = _xy_m(areas), _xy_m(sites)
    found_area, found_site = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int32)]
    for piece in np.unique(area_piece):
        here = np.flatnonzero(area_piece == piece)
        elsewhere = np.flatnonzero((site_piece != piece) | (piece < 0))
        if not len(elsewhere):
            continue
        near: Any = KDTree(site_xy[elsewhere]).query_ball_point(area_xy[here], radius_m, return_sorted=True)
        counts = np.fromiter(map(len, near), dtype=np.int64)
        found_area.append(np.repeat(here, counts).astype(np.int32))
        found_site.append(elsewhere[np.concatenate(near).astype(np.int64)].astype(np.int32))
    area, site = np.concatenate(found_area), np.concatenate(found_site)
    order = np.lexsort((site, area))
    return {"area": area[order], "site": site[order]}


def _tables(
    areas: pd.DataFrame, sites: pd.DataFrame, pairs: dict[str, NDArray[np.int32]], apart: dict[str, NDArray[np.int32]]
) -> Iterator[pd.DataFrame]:
    """Blocks of whole areas, reachable and unreachable pairs merged in order."""
    area_ids, site_ids = areas["area_id"].to_numpy(), sites["site_id"].to_numpy()
    per_area = np.bincount(pairs["area"], minlength=len(areas)) + np.bincount(apart["area"], minlength=len(areas))
    first = 0
    while first < max(len(areas), 1):
        last = first + max(int(np.searchsorted(np.cumsum(per_area[first:]), PAIRS_PER_BLOCK)), 1)
        road, none = (slice(*np.searchsorted(rows["area"], [first, last])) for rows in (pairs, apart))
        area = np.concatenate([pairs["area"][road], apart["area"][none]])
        site = np.concatenate([pairs["site"][road], apart["site"][none]])
        empty = np.full(len(apart["area"][none]), np.nan, dtype=np.float32)
        order = np.lexsort((site, area))
        yield pd.DataFrame(
            {
                "area_id": area_ids[area[order]],
                "site_id": site_ids[site[order]],
                "minutes": np.concatenate([(pairs["ms"][road] / MS_PER_MINUTE).astype(np.float32), empty])[order],
                "km": np.concatenate([(pairs["mm"][road] / 1e6).astype(np.float32), empty])[order],
                "status": np.where(order < len(area) - len(empty), "road", "unreachable"),
            }
        )
        first = last


def _piece(network: Network, snapped: Snapped) -> NDArray[np.int32]:
    """Connected piece of network of each point, -1 where it has no road."""
    return np.where(snapped.edge < 0, -1, network.component[network.edge_from[snapped.edge]]).astype(np.int32)


def _sorted_points(points: pd.DataFrame, id_column: str) -> pd.DataFrame:
    repeated = points[id_column][points[id_column].duplicated()].unique()
    if len(repeated):
        raise ValueError(f"{id_column} must be unique; repeated: {', '.join(map(str, repeated[:10]))}")
    return points.sort_values(id_column, kind="stable").reset_index(drop=True)


def _xy_m(points: pd.DataFrame) -> NDArray[np.float64]:
    return points[["easting_m", "northing_m"]].to_numpy(dtype=np.float64)


def _site_keys(sites: pd.DataFrame) -> list[SiteKey]:
    return [(str(name), float(x), float(y)) for name, (x, y) in zip(sites["site_id"], _xy_m(sites), strict=True)]


def _keys_of(part: Path) -> list[SiteKey]:
    return [(str(name), float(x), float(y)) for name, x, y in json.loads(pq.read_schema(part).metadata[b"sites"])]


def _take(snapped: Snapped, rows: list[int] | slice) -> Snapped:
    return Snapped(**{field.name: getattr(snapped, field.name)[rows] for field in fields(Snapped)})


def _save_snapped(snapped: Snapped, path: Path) -> None:
    np.savez(path, **{field.name: getattr(snapped, field.name) for field in fields(Snapped)})


def _load_snapped(path: Path) -> Snapped:
    with np.load(path) as arrays:
        return Snapped(**{field.name: arrays[field.name] for field in fields(Snapped)})


@lru_cache(maxsize=1)
def _network_at(folder: str) -> Network:
    return load_network(Path(folder))


def _say(progress: Progress | None, message: str) -> None:
    if progress is not None:
        progress(message)
