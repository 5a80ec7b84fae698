"""Readers of road files: each turns a publisher's file into the same road links."""

from __future__ import annotations

from pathlib import Path

from geo.roads.links import RoadLinks


def read_roads(path: Path) -> RoadLinks:
    """Links of an OpenStreetMap extract (``.osm.pbf``, ``.osm``) or of OS Open Roads (``.gpkg``). Raises ValueError for any other file."""
    name = path.name.lower()
    if name.endswith((".pbf", ".osm", ".osm.xml", ".osm.gz")):
        from geo.roads.osm import read_osm

        return read_osm(path)
    if name.endswith(".gpkg"):
        from geo.roads.open_roads import read_open_roads

        return read_open_roads(path)
    raise ValueError(f"{path.name}: roads are read from .osm.pbf (OpenStreetMap) or .gpkg (OS Open Roads)")
