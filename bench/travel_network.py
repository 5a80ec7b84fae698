"""A synthetic road network of England's size, for timing: a jittered lattice with a hierarchy of roads and gaps between local streets.

Nothing here is a real place. Areas and sites gather in made-up towns, as people do, over a thin even spread.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from geo.roads.links import FORMS, ROAD_CLASSES, RoadLinks

SPACING_M: Final = 210.0
"""130,000 square km over 2.95 million junctions."""

EVERY: Final = {"motorway": 128, "primary_a": 64, "a_road": 32, "b_road": 16, "minor": 8}
"""Every how many lattice lines a road of the class runs."""

LOCAL_KEPT: Final = 0.62
ONE_WAY_SHARE: Final = 0.03


def synthetic_links(across: int = 1_718, seed: int = 20) -> RoadLinks:
    """``across`` x ``across`` junctions; the default has England's size (2.95 million junctions)."""
    generator = np.random.default_rng(seed)
    column, row = np.meshgrid(np.arange(across), np.arange(across), indexing="ij")
    xy_m = np.column_stack([column.ravel(), row.ravel()]) * SPACING_M + generator.uniform(-60, 60, (across * across, 2))
    number = np.arange(across * across, dtype=np.int32).reshape(across, across)
    tail = np.concatenate([number[:-1, :].ravel(), number[:, :-1].ravel()])
    head = np.concatenate([number[1:, :].ravel(), number[:, 1:].ravel()])
    line = np.concatenate([row[:-1, :].ravel(), column[:, :-1].ravel()])
    road_class = _classes(line)
    local = road_class == ROAD_CLASSES.index("local")
    keep = ~local | (generator.random(len(tail)) < LOCAL_KEPT)
    tail, head, road_class = tail[keep], head[keep], road_class[keep]
    winding = generator.uniform(1.0, 1.3, len(tail))
    length_mm = np.rint(np.hypot(*(xy_m[tail] - xy_m[head]).T) * winding * 1_000).astype(np.int64)
    one_way = (generator.random(len(tail)) < ONE_WAY_SHARE) & (road_class == ROAD_CLASSES.index("local"))
    return RoadLinks(
        source=f"synthetic lattice {across} x {across}",
        node_xy_m=xy_m,
        tail=tail,
        head=head,
        length_mm=length_mm,
        road_class=road_class,
        form=np.full(len(tail), FORMS.index("single"), dtype=np.uint8),
        direction=one_way.astype(np.int8),
        speed_limit_kmh=np.full(len(tail), np.nan, dtype=np.float32),
        shape_xy_m=np.stack([xy_m[tail], xy_m[head]], axis=1).reshape(-1, 2).astype(np.float32),
        shape_start=np.arange(0, 2 * len(tail) + 1, 2, dtype=np.int64),
    )


def synthetic_points(count: int, across: int = 1_718, towns: int = 400, seed: int = 21) -> NDArray[np.float64]:
    """Points (count, 2): seven in ten in towns of uneven size, the others anywhere."""
    generator = np.random.default_rng(seed)
    extent = across * SPACING_M
    layout = np.random.default_rng(7)
    centre = layout.uniform(0.02, 0.98, (towns, 2)) * extent
    weight = layout.pareto(1.1, towns) + 0.1
    town = generator.choice(towns, count, p=weight / weight.sum())
    spread = 1_500 * np.sqrt(weight[town] / np.median(weight))
    gathered = centre[town] + generator.normal(size=(count, 2)) * np.minimum(spread, 15_000)[:, None]
    anywhere = generator.uniform(0, extent, (count, 2))
    points = np.where((generator.random(count) < 0.7)[:, None], gathered, anywhere)
    return np.clip(points, 0, extent)


def _classes(line: NDArray[np.int64]) -> NDArray[np.uint8]:
    road_class = np.full(len(line), ROAD_CLASSES.index("local"), dtype=np.uint8)
    for name, every in sorted(EVERY.items(), key=lambda item: item[1]):
        road_class[line % every == 0] = ROAD_CLASSES.index(name)
    return road_class
