"""What may be asked of the features of a collection: bbox, datetime, properties. Whatever does not fit is a 400, as OGC has it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from starlette.datastructures import QueryParams

from api.ogc.layers import Layer
from api.problems import ApiError
from api.tabular import chosen, read_choice
from sufficiency.tables.problems import InputError

PARAMETERS: Final = frozenset({"limit", "offset", "bbox", "datetime"})
LIMIT: Final = 100
MOST: Final = 10_000
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")

Rows = npt.NDArray[np.int64]


def refuse_unknown(query: QueryParams, known: frozenset[str] = frozenset()) -> None:
    """Raises ApiError 400 for a parameter that is not among the known ones."""
    unknown = sorted(set(query) - known)
    if unknown:
        raise _bad(f"There is no parameter {', '.join(unknown)} here." + (f" Parameters: {', '.join(sorted(known))}." if known else ""))


def found(layer: Layer, query: QueryParams, bbox: str | None, asked: str | None) -> Rows:
    """Rows of the features that are asked for, in their order: properties in ``query``, a box, a time (``asked``). Raises ApiError 400."""
    properties = [(name, value) for name, value in query.multi_items() if name not in PARAMETERS]
    columns = frozenset(layer.features.columns)
    refuse_unknown(QueryParams([(name.partition(".")[0], value) for name, value in properties]), columns)
    kept = np.zeros(len(layer.features), dtype=bool)
    try:
        wanted = read_choice(QueryParams(properties), dict(layer.features.dtypes), None)
    except InputError as error:
        raise ApiError(400, "invalid-parameter", "A property is asked for in a way that it has not.", error.problems) from error
    kept[chosen(layer.features, wanted).index] = True
    if bbox is not None:
        kept &= within(layer.shapes, bbox)
    if asked is not None:
        kept &= at_time(layer, asked)
    return np.flatnonzero(kept)


def within(shapes: gpd.GeoSeries, bbox: str) -> npt.NDArray[np.bool_]:
    """Which shapes meet ``west,south,east,north`` in degrees (heights between them are passed over: the features lie flat)."""
    try:
        figures = [float(part) for part in bbox.split(",")]
    except ValueError:
        figures = []
    if len(figures) not in (4, 6) or not np.isfinite(figures).all():
        raise _bad("bbox is four numbers, or six with heights: west,south,east,north in degrees.")
    half = len(figures) // 2
    west, south, east, north = figures[0], figures[1], figures[half], figures[half + 1]
    if south > north or (half == 3 and figures[2] > figures[5]):
        raise _bad("bbox: its upper edge is below its lower one.")
    if half == 3 and not figures[2] <= 0 <= figures[5]:
        return np.zeros(len(shapes), dtype=bool)
    # a box whose west is east of its east goes across the 180th meridian
    boxes = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    met = np.zeros(len(shapes), dtype=bool)
    for left, right in boxes:
        met[shapes.sindex.query(shapely.box(left, south, right, north), predicate="intersects")] = True
    return met


def at_time(layer: Layer, asked: str) -> npt.NDArray[np.bool_]:
    """Which features are about an academic year (1 September to 31 August) that meets the time; all, where they are about no year."""
    start, end = interval(asked)
    if layer.years is None:
        return np.ones(len(layer.features), dtype=bool)
    begins = {year: datetime(year, 9, 1, tzinfo=UTC) for year in {*layer.years, *(layer.years + 1)}}
    meets = {year: begins[year] <= end and start < begins[year + 1] for year in set(layer.years)}
    return np.array([meets[year] for year in layer.years], dtype=bool)


def interval(asked: str) -> tuple[datetime, datetime]:
    """First and last moment of an instant or ``start/end``, either of which may be open (``..`` or nothing). Raises ApiError 400."""
    parts = asked.split("/")
    least, most = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    if len(parts) == 1:
        return _moment(asked, last=False), _moment(asked, last=True)
    if len(parts) != 2 or all(part in ("", "..") for part in parts):
        raise _bad("datetime is a date, a time, or an interval start/end of which one end may be `..`.")
    start = least if parts[0] in ("", "..") else _moment(parts[0], last=False)
    end = most if parts[1] in ("", "..") else _moment(parts[1], last=True)
    if start > end:
        raise _bad("datetime: the interval ends before it starts.")
    return start, end


def _moment(text: str, last: bool) -> datetime:
    try:
        if DATE.fullmatch(text):
            day = datetime.fromisoformat(text).replace(tzinfo=UTC)
            return day + timedelta(days=1) - timedelta(microseconds=1) if last else day
        if TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _bad(f"datetime: {text[:60]} is no date (2026-09-01) or time with its zone (2026-09-01T00:00:00Z).")


def _bad(detail: str) -> ApiError:
    return ApiError(400, "invalid-parameter", detail)
