"""Errors as problem documents (RFC 9457): one form for every failure, with the remedy where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from sufficiency.tables.problems import InputError, InputProblem

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2
log = structlog.get_logger("api")


class Fault(BaseModel):
    """One fault of what was sent."""

    file: str = Field(description="File, or part of the request", examples=["pools.csv"])
    row: int | None = Field(None, description="Line as a spreadsheet counts; the heading is row 1", examples=[12])
    column: str | None = Field(None, examples=["places"])
    value: str | None = Field(None, examples=["-3"])
    message: str = Field(examples=["must be 0 or more"])
    remedy: str = Field(examples=["Give the number of places."])
    check: str = Field("", description="Code of the check that found it", examples=["V11"])
    level: str = Field("error", examples=["error"])


class Problem(BaseModel):
    """A problem document."""

    type: str = Field(description="Kind of problem; stays the same between releases", examples=["urn:sufficiency:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no plan plan-0123456789abcdef0123."])
    instance: str = Field(description="Path of the request", examples=["/v1/plans/plan-0123456789abcdef0123"])
    problems: list[Fault] = Field([], description="Every fault of what was sent, with its remedy")


class ApiError(Exception):
    """A failure that the caller is told about."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        problems: Iterable[InputProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.slug, self.detail = status, slug, detail
        self.problems, self.headers = tuple(problems), dict(headers or {})


def not_found(kind: str, key: str) -> ApiError:
    """The same answer whether it does not exist or is another council's."""
    return ApiError(404, "not-found", f"There is no {kind} {key}.")


def conflict(detail: str) -> ApiError:
    """The state of the resource does not allow it."""
    return ApiError(409, "conflict", detail)


def too_many(detail: str, retry_after_s: int = 60) -> ApiError:
    """A limit of the caller is used up."""
    return ApiError(429, "limit", detail, headers={"Retry-After": str(retry_after_s)})


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses=`` of a route: these statuses with problem documents."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status in statuses
    }


def problem_response(request: Request, error: ApiError) -> JSONResponse:
    """The problem document of an error."""
    body = Problem(
        type=f"urn:sufficiency:problem:{error.slug}",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.detail,
        instance=request.url.path,
        problems=[Fault(**asdict(problem)) for problem in error.problems],
    )
    return JSONResponse(body.model_dump(), error.status, error.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Handlers that turn every error into a problem document."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DataError, _unstorable)
    for kind in (OperationalError, InterfaceError):
        app.add_exception_handler(kind, _database_away)
    app.add_exception_handler(Exception, _unexpected)


def _api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return problem_response(request, error)


def _input_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InputError)
    count = len(error.problems)
    detail = f"{count} problem{'s' if count != 1 else ''} in what was sent."
    return problem_response(request, ApiError(422, "invalid-input", detail, error.problems))


def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [_fault_of(fault) for fault in error.errors()]
    return problem_response(request, ApiError(422, "invalid-input", "The request is not as the API describes it.", found))


def _fault_of(fault: Mapping[str, Any]) -> InputProblem:
    where, *path = (str(part) for part in fault["loc"])
    value = None if fault["type"] == "missing" else str(fault.get("input"))[:200]
    return InputProblem(where, str(fault["msg"]), "See /openapi.json for what is expected.", column=".".join(path) or None, value=value)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    slug = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return problem_response(request, ApiError(error.status_code, slug, str(error.detail), headers=headers))


def _allowed(request: Request) -> list[str]:
    """Methods of every route of the path; the framework itself names those of the first."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    found = {
        method.upper()
        for template, operations in request.app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\\\{[^}]*\}", "[^/]+", re.escape(template)), path)
        for method in operations
    }
    return sorted(found)


def _unstorable(request: Request, error: Exception) -> JSONResponse:
    """PostgreSQL takes no NUL in a text, whether it is to be found or to be stored."""
    detail = "A text holds a character, or a figure is of a size, that the database can't hold."
    return problem_response(request, ApiError(422, "invalid-input", detail))


def _database_away(request: Request, error: Exception) -> JSONResponse:
    log.warning("database away", error=type(error).__name__)
    detail = "The database does not answer. Nothing was changed; try again."
    return problem_response(request, ApiError(503, "database-away", detail, headers={"Retry-After": str(RETRY_AFTER_S)}))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", error=type(error).__name__, path=request.url.path, exc_info=error)
    return problem_response(request, ApiError(500, "unexpected", "The service failed. The log says why."))
