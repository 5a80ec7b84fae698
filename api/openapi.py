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
MADE: Final = ("201", "202")
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
    _link(document["paths"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _link(paths: dict[str, Any]) -> None:
    """What may be asked next of a resource that was just made: its id goes into the paths below it, where they need nothing else."""
    of_body = {body: path for path, ways in paths.items() if path.endswith("}") and (body := _body(ways.get("get"), ("200",)))}
    for ways in paths.values():
        made, status = ways.get("post"), next((code for code in MADE if code in ways.get("post", {}).get("responses", {})), None)
        if made is None or status is None or (under := of_body.get(_body(made, MADE) or "")) is None:
            continue
        name = under[under.rindex("{") + 1 : -1]
        next_ones = [
            operation
            for path, others in paths.items()
            if path.startswith(under) and path.count("{") == 1
            for method, operation in others.items()
            if method in METHODS and "text/event-stream" not in operation["responses"].get("200", {}).get("content", {})
        ]
        made["responses"][status]["links"] = {
            operation["operationId"]: {"operationId": operation["operationId"], "parameters": {name: "$response.body#/id"}}
            for operation in next_ones
        }


def _body(operation: dict[str, Any] | None, statuses: tuple[str, ...]) -> str | None:
    """Name of the body that an operation answers with."""
    for status in statuses:
        content = (operation or {}).get("responses", {}).get(status, {}).get("content", {})
        if reference := content.get("application/json", {}).get("schema", {}).get("$ref"):
            return str(reference)
    return None


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method in METHODS)
