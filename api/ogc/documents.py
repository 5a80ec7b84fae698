"""The documents that clients read: landing page, conformance, collections, pages of features, and the definition in OpenAPI 3.0."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote, urlencode

import numpy as np
import shapely

from api.ogc.layers import KINDS, Layer
from api.ogc.query import LIMIT, MOST, Rows
from api.problems import MEDIA_TYPE
from api.store.models import PlanRow

JSON: Final = "application/json"
GEOJSON: Final = "application/geo+json"
OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.0"
CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
GREGORIAN: Final = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"
CONFORMS: Final = tuple(f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "geojson", "oas30"))

Link = dict[str, str]


def link(href: str, rel: str, kind: str, title: str) -> Link:
    """A link."""
    return {"href": href, "rel": rel, "type": kind, "title": title}


def landing(base: str, plan: PlanRow) -> dict[str, Any]:
    """What stands at ``base``."""
    return {
        "title": plan.name or plan.id,
        "description": f"Layers of plan {plan.id}, figures as its disclosure profile ({plan.disclosure}) shows them.",
        "links": [
            link(base, "self", JSON, "This document"),
            link(f"{base}/api", "service-desc", OPENAPI, "Definition of this API"),
            link(f"{base}/conformance", "conformance", JSON, "Conformance classes"),
            link(f"{base}/collections", "data", JSON, "Collections"),
        ],
    }


def collections(base: str, layers: dict[str, Layer]) -> dict[str, Any]:
    """All collections."""
    links = [link(f"{base}/collections", "self", JSON, "This document")]
    return {"links": links, "collections": [collection(base, name, layer) for name, layer in layers.items()]}


def collection(base: str, name: str, layer: Layer) -> dict[str, Any]:
    """One collection: its words, extent and links."""
    kind, here = KINDS[name], f"{base}/collections/{name}"
    return {
        "id": name,
        "title": kind.title,
        "description": kind.description,
        "itemType": "feature",
        "crs": [CRS84],
        "extent": _extent(layer),
        "links": [
            link(here, "self", JSON, kind.title),
            link(f"{here}/items", "items", GEOJSON, f"{kind.title}: features"),
        ],
    }


def page(base: str, name: str, layer: Layer, found: Rows, offset: int, limit: int, query: list[tuple[str, str]]) -> bytes:
    """Some of the features found, as GeoJSON, with links to this page and the next."""
    here = f"{base}/collections/{name}"
    links = [
        link(_address(f"{here}/items", query), "self", GEOJSON, "This page"),
        link(here, "collection", JSON, KINDS[name].title),
    ]
    if offset + limit < len(found):
        rest = [(key, value) for key, value in query if key not in ("offset", "limit")]
        after = [*rest, ("limit", str(limit)), ("offset", str(offset + limit))]
        links.insert(1, link(_address(f"{here}/items", after), "next", GEOJSON, "The next page"))
    features = _features(layer, found[offset : offset + limit])
    counts = f'"numberMatched":{len(found)},"numberReturned":{len(features)}'
    return f'{{"type":"FeatureCollection",{counts},"links":{json.dumps(links)},"features":[{",".join(features)}]}}'.encode()


def feature(base: str, name: str, layer: Layer, key: str) -> bytes:
    """One feature, as GeoJSON."""
    here = f"{base}/collections/{name}"
    links = [
        link(f"{here}/items/{quote(key, safe='')}", "self", GEOJSON, "This feature"),
        link(here, "collection", JSON, KINDS[name].title),
    ]
    (text,) = _features(layer, np.array([layer.rows[key]]))
    return f'{text[:-1]},"links":{json.dumps(links)}}}'.encode()


def definition(base: str, layers: dict[str, Layer], version: str, closed: bool) -> dict[str, Any]:
    """The OpenAPI 3.0 definition of the API at ``base``; ``closed``: callers must say who they are."""
    paths: dict[str, Any] = {
        "/": _get("Landing page", "landing", JSON, "object", []),
        "/conformance": _get("Conformance classes", "conformance", JSON, "object", []),
        "/collections": _get("Collections", "collections", JSON, "object", []),
    }
    for name, layer in layers.items():
        at, title = f"/collections/{name}", KINDS[name].title
        key = {"name": "featureId", "in": "path", "required": True, "schema": {"type": "string"}}
        paths[at] = _get(title, f"{name}_collection", JSON, "object", [])
        paths[f"{at}/items"] = _get(f"{title}: features", f"{name}_items", GEOJSON, "featureCollection", [*PAGING, *_filters(layer)])
        paths[f"{at}/items/{{featureId}}"] = _get(f"{title}: a feature", f"{name}_item", GEOJSON, "feature", [key])
    schemes = {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}} if closed else {}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Layers of a plan", "version": version},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {"schemas": SCHEMAS, **schemes},
        "security": [{"bearer": []}] if closed else [],
    }


def _parameter(name: str, schema: dict[str, Any], description: str, repeated: bool = False) -> dict[str, Any]:
    base = {"name": name, "in": "query", "required": False, "schema": schema, "description": description, "style": "form"}
    return {**base, "explode": repeated}


PAGING: Final = (
    _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}, "Most features in one answer"),
    _parameter(
        "bbox",
        {
            "type": "array",
            "minItems": 4,
            "maxItems": 6,
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
            "items": {"type": "number"},
        },
        "West, south, east, north in degrees (CRS84); with heights, six numbers",
    ),
    _parameter("datetime", {"type": "string"}, "A date, a time, or an interval of them: features about an academic year that meets it"),
    _parameter("offset", {"type": "integer", "minimum": 0, "default": 0}, "Features to leave out at the beginning"),
)
SCHEMAS: Final[dict[str, Any]] = {
    "object": {"type": "object"},
    "feature": {
        "type": "object",
        "required": ["type", "geometry", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": {"type": "string"},
            "geometry": {"type": "object", "nullable": True},
            "properties": {"type": "object", "nullable": True},
            "links": {"type": "array", "items": {"type": "object"}},
        },
    },
    "featureCollection": {
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "numberMatched": {"type": "integer", "minimum": 0},
            "numberReturned": {"type": "integer", "minimum": 0},
            "links": {"type": "array", "items": {"type": "object"}},
            "features": {"type": "array", "items": {"$ref": "#/components/schemas/feature"}},
        },
    },
    "problem": {"type": "object", "properties": {"status": {"type": "integer"}, "detail": {"type": "string"}}},
}


def _filters(layer: Layer) -> list[dict[str, Any]]:
    return [_parameter(name, {"type": "array", "items": schema}, "Any of these values", True) for name, schema in layer.schema().items()]


def _get(summary: str, operation: str, kind: str, schema: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    def answer(description: str, kind: str, schema: str) -> dict[str, Any]:
        return {"description": description, "content": {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}

    responses = {"200": answer(summary, kind, schema)}
    responses |= {status: answer("What went wrong", MEDIA_TYPE, "problem") for status in ("400", "401", "403", "404", "default")}
    return {"get": {"summary": summary, "operationId": operation, "parameters": parameters, "responses": responses}}


def _extent(layer: Layer) -> dict[str, Any]:
    extent: dict[str, Any] = {}
    if len(layer.shapes):
        extent["spatial"] = {"bbox": [[float(edge) for edge in layer.shapes.total_bounds]], "crs": CRS84}
    if layer.years is not None and len(layer.years):
        first, last = f"{layer.years.min()}-09-01T00:00:00Z", f"{layer.years.max() + 1}-08-31T23:59:59Z"
        extent["temporal"] = {"interval": [[first, last]], "trs": GREGORIAN}
    return extent


def _features(layer: Layer, rows: Rows) -> list[str]:
    if not len(rows):
        return []
    shapes = shapely.to_geojson(layer.shapes.to_numpy()[rows])
    properties = layer.features.iloc[rows].to_json(orient="records", lines=True, double_precision=15).splitlines()
    ids = layer.ids
    return [
        f'{{"type":"Feature","id":{json.dumps(ids[row])},"geometry":{shape or "null"},"properties":{held}}}'
        for row, shape, held in zip(rows, shapes, properties, strict=True)
    ]


def _address(path: str, query: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
