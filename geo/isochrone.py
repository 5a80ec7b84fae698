"""Isochrones: the land from whose roads a site is reached within some minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import shapely

from geo.network import Network
from geo.search import UNREACHED, reached_from
from geo.snap import link_lines, snap_points

BUFFER_M: Final = 400.0
"""Land within this of a reached road counts as reached; twice it closes the gaps between roads."""

MS_PER_MINUTE: Final = 60_000


def road_isochrones(network: Network, easting_m: float, northing_m: float, minutes: Sequence[float]) -> gpd.GeoDataFrame:
    """One polygon per limit around roads from which the site is reached in time: columns minutes, geometry (EPSG:27700), speeds.

    A road counts when both its ends are within the limit, so the edge of the polygon is safe by up to the length of one edge.
    Raises ValueError when no road lies within 10 km of the site.
    """
    site = snap_points(network, np.array([[easting_m, northing_m]]))
    if site.edge[0] < 0:
        raise ValueError(f"no road within 10 km of {easting_m:.0f}, {northing_m:.0f}")
    nodes, ms, _ = reached_from(network, site, round(max(minutes) * MS_PER_MINUTE))
    time_ms = np.full(len(network.node_xy_m), UNREACHED, dtype=np.int64)
    time_ms[nodes] = ms
    latest_ms = np.maximum(time_ms[network.edge_from], time_ms[network.edge_to])[network.link_edge]
    latest_ms[network.link_edge == site.edge[0]] = 0
    limits = sorted(minutes)
    shapes = [_land_around(network, np.flatnonzero(latest_ms <= limit * MS_PER_MINUTE)) for limit in limits]
    return gpd.GeoDataFrame({"minutes": limits, "speeds": network.speeds}, geometry=shapes, crs="EPSG:27700")


def _land_around(network: Network, links: np.ndarray[tuple[int], np.dtype[np.int64]]) -> shapely.Geometry:
    grown = shapely.union_all(shapely.buffer(link_lines(network, links), 2 * BUFFER_M, quad_segs=4))
    return shapely.simplify(shapely.buffer(grown, -BUFFER_M, quad_segs=4), BUFFER_M / 8)
