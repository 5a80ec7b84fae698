"""The OpenAPI document: what the framework finds out, with problem documents as the errors and short names of operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.problems import MEDIA_TYPE, Problem
from api.routes.cases import BuiltIn, CaseUpload

ADDED: Final[tuple[type[BaseModel], ...]] = (Problem, BuiltIn, CaseUpload)
"""Bodies that no route declares in the framework's way."""
PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})


def operation_id(route: APIRoute) -> str:
    """``cases_create``: the resource and the function."""
    return f"{str(route.tags[0]).replace(' ', '_')}_{route.name}" if route.tags else route.name


def describe(app: FastAPI) -> None:
    """Let the app give out its document with these additions."""
    found_out = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(found_out())
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in ADDED:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for operation in _operations(document):
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            responses["422"] = {"description": "What was sent does not fit", "content": PROBLEM}
        responses["default"] = {"description": "Any other error", "content": PROBLEM}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method in METHODS)
