"""What the first answers need, loaded before the service says that it is ready: several libraries load their parts when first used."""

from __future__ import annotations

import geopandas as gpd
import pyogrio  # noqa: F401  (reads the layers of a plan)

from api.tabular import Choice, Whole, csv_bytes, page_json
from sufficiency.tables.read import empty_table, validate_table


def warm_up() -> None:
    """Validate, choose, order and write a table without rows, and turn a point into degrees."""
    table = Whole(validate_table(empty_table("placements"), "placements", "no file"))
    rows = table.take(table.find(Choice(sort=(("pupils", True),))))
    page_json(rows, 0, 0)
    csv_bytes(rows)
    gpd.GeoSeries.from_xy([400_000.0], [400_000.0], crs=27700).to_crs(4326)
