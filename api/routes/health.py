"""Whether the service lives, whether it can work, and its figures."""

from __future__ import annotations

import os
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from api.auth.principal import permit_service
from api.problems import problems
from api.state import Caller, StoreDep
from api.store import Store

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str = Field(examples=["0.1.0"])


class Ready(BaseModel):
    """Whether each part can work."""

    ready: bool
    database: bool = Field(description="It answers and has this version's tables")
    folder: bool = Field(description="The store folder can be written")
    worker: bool = Field(description="The local worker process is alive, or none is wanted")


@router.get("/health", summary="Liveness")
def health(request: Request) -> Health:
    """The process answers; nothing else is asked."""
    return Health(version=request.app.version)


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready}}, summary="Readiness")
def ready(request: Request, store: StoreDep) -> Response:
    """Whether requests and runs can be served: 503 when not."""
    parts = {
        "database": _database_is_current(store),
        "folder": os.access(store.work, os.W_OK),
        "worker": request.app.state.supervisor.alive(),
    }
    body = Ready(ready=all(parts.values()), **parts)
    return JSONResponse(body.model_dump(), 200 if body.ready else 503)


@router.get("/metrics", response_class=Response, responses=problems(401, 403) | {200: {"content": {"text/plain": {}}}}, summary="Metrics")
def metrics(request: Request, caller: Caller) -> Response:
    """Figures in Prometheus' text format; they speak of all councils, so for an administrator of all councils."""
    permit_service(caller, "metrics")
    return Response(request.app.state.metrics.text(request.app.state.supervisor.alive()), media_type=CONTENT_TYPE_LATEST)


def _database_is_current(store: Store) -> bool:
    try:
        return store.is_current()
    except SQLAlchemyError:
        return False
