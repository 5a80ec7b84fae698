"""The OpenAPI document tells what the door may answer, and the form of a problem, so that no route has to."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from api.auth.gate import is_public
from api.auth.settings import AuthSettings
from api.problems import Problem, problems

SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An access token of the OpenID Connect provider, or an API key (`spk_...`). See docs/security.md.",
}
METHODS: Final = ("get", "put", "post", "delete", "patch")


def describe(app: FastAPI, settings: AuthSettings) -> None:
    """Have ``app.openapi()`` add the security scheme, where callers must say who they are, and the answers of limits."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(problem_schemas() | schemas)
            if settings.required:
                document["components"].setdefault("securitySchemes", {})["bearer"] = SCHEME
            for path, operations in document["paths"].items():
                for method in METHODS:
                    if method in operations and not is_public(method.upper(), path):
                        _describe(operations[method], settings)
        return app.openapi_schema or plain()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way of extending the document


def problem_schemas() -> dict[str, Any]:
    """Schemas of a problem document, to which ``api.problems.problems`` refers."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {**problem.pop("$defs"), "Problem": problem}


def _describe(operation: dict[str, Any], settings: AuthSettings) -> None:
    answers: list[int] = [403, 429]
    if settings.required:
        operation["security"] = [{"bearer": []}]
        answers += [401, 503]
    if "requestBody" in operation:
        answers += [400, 413]
    for status, answer in problems(*answers).items():
        operation["responses"].setdefault(str(status), answer)
