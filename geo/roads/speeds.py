"""Speeds by road class, form and surroundings: one table that a user can edit, one column per variant.

The shipped table is ``geo/speeds.csv``. A column ``<variant>_kmh`` is a variant; another column makes another variant.
A posted limit, where the road file has one, caps the table's speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.roads.links import FORMS, ROAD_CLASSES, RoadLinks, urban_links

SHIPPED_TABLE: Final = Path(__file__).parents[1] / "speeds.csv"
SURROUNDINGS: Final = ("rural", "urban")
MS_PER_HOUR: Final = 3_600_000


@dataclass(frozen=True)
class Speeds:
    """One variant of a speed table: ``kmh[class, form, surroundings]`` and whether homes and sites may join such a road."""

    variant: str
    source: str
    kmh: NDArray[np.float64]
    snap: NDArray[np.bool_]


def load_speeds(variant: str = "school_run", path: Path = SHIPPED_TABLE) -> Speeds:
    """Reads a speed table. Raises ValueError listing every fault: unknown variant or word, a speed that is not positive, a gap."""
    table = pd.read_csv(path)
    column = f"{variant}_kmh"
    if column not in table:
        known = sorted(str(name).removesuffix("_kmh") for name in table if str(name).endswith("_kmh"))
        raise ValueError(f"{path.name} has no speeds named {variant!r}; it has {known}")
    faults = [
        f"row {row + 2}: {name} is {value!r}"
        for name, words in (("road_class", ROAD_CLASSES), ("form", FORMS), ("surroundings", SURROUNDINGS))
        for row, value in enumerate(table[name])
        if value not in (*words, "any")
    ]
    speeds = pd.to_numeric(table[column], errors="coerce")
    faults += [f"row {row + 2}: {column} is {table[column].iloc[row]!r}" for row in np.flatnonzero(~(speeds > 0))]
    if faults:
        raise ValueError(f"{path.name}: " + "; ".join(faults))
    kmh, row_of = _spread(table, speeds.to_numpy(dtype=float))
    gaps = [f"{ROAD_CLASSES[i]}/{FORMS[j]}/{SURROUNDINGS[k]}" for i, j, k in np.argwhere(row_of < 0)]
    if gaps:
        raise ValueError(f"{path.name} says nothing about " + ", ".join(gaps))
    return Speeds(variant=variant, source=path.name, kmh=kmh, snap=table["snap"].eq("yes").to_numpy()[row_of])


def _spread(table: pd.DataFrame, speeds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The table over every combination; the most specific row wins: form before class before surroundings."""
    shape = (len(ROAD_CLASSES), len(FORMS), len(SURROUNDINGS))
    row_of = np.full(shape, -1)
    rank = 4 * table["form"].ne("any") + 2 * table["road_class"].ne("any") + table["surroundings"].ne("any")
    for row in np.argsort(rank.to_numpy(), kind="stable"):
        place = tuple(
            slice(None) if table[name].iloc[row] == "any" else words.index(table[name].iloc[row])
            for name, words in (("road_class", ROAD_CLASSES), ("form", FORMS), ("surroundings", SURROUNDINGS))
        )
        row_of[place] = row
    return speeds[row_of], row_of


def link_milliseconds(links: RoadLinks, speeds: Speeds) -> NDArray[np.int64]:
    """Whole milliseconds to drive each link, at least 1; the posted limit caps the table's speed."""
    kmh = speeds.kmh[links.road_class, links.form, urban_links(links).astype(int)]
    kmh = np.fmin(kmh, links.speed_limit_kmh)
    milliseconds: NDArray[np.int64] = np.maximum(np.rint(links.length_mm / 1e6 / kmh * MS_PER_HOUR), 1).astype(np.int64)
    return milliseconds


def links_to_join(links: RoadLinks, speeds: Speeds) -> NDArray[np.bool_]:
    """Which links homes and sites may join: never a ferry, whatever the table says."""
    allowed: NDArray[np.bool_] = speeds.snap[links.road_class, links.form, urban_links(links).astype(int)]
    allowed[links.road_class == ROAD_CLASSES.index("ferry")] = False
    return allowed
