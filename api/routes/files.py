"""Files of a plan as its folder holds them: what may be shown of it, and nothing else."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response
from pydantic import Field

from api.bodies import Strict
from api.conditional import CACHING, ConditionalRoute, etag_of, unchanged
from api.problems import not_found, problems
from api.routes.plans import find_plan
from api.state import Caller, StoreDep

router = APIRouter(prefix="/plans", tags=["files"], route_class=ConditionalRoute)

FILES: Final = {
    "plan.json": ("application/json", "What was found: search, money, places, unmet need, sensitivity, inputs"),
    "plan.gpkg": ("application/geopackage+sqlite3", "Areas, flows, settings and projects with styles, for QGIS"),
    "map.html": ("text/html", "The map: one file that opens from disk and asks the network for nothing"),
}
"""Name -> media type and what it is."""


def _schema(kind: str) -> dict[str, str]:
    """A file is bytes to whoever takes it away, unless it can be read as JSON."""
    return {"type": "object"} if kind.endswith("json") else {"type": "string", "format": "binary"}


ANSWER: Final[dict[int | str, dict[str, Any]]] = problems(401, 403, 404, 422) | {
    200: {"content": {kind: {"schema": _schema(kind)} for kind, _ in FILES.values()}, "description": "The file"},
}


class FileBody(Strict):
    """A file."""

    name: str = Field(examples=["plan.gpkg"])
    description: str
    size_bytes: int


@router.get("/{plan_id}/files", responses=problems(401, 403, 404), summary="Files of a plan")
def index(plan_id: str, store: StoreDep, caller: Caller) -> list[FileBody]:
    """The files that can be taken away, apart from the tables."""
    folder = store.plans / find_plan(plan_id, store, caller).id
    found = {name: folder / name for name in FILES if (folder / name).is_file()}
    return [FileBody(name=name, description=FILES[name][1], size_bytes=path.stat().st_size) for name, path in found.items()]


@router.get("/{plan_id}/files/{name}", response_class=FileResponse, responses=ANSWER, summary="A file of a plan")
def read(
    plan_id: str,
    name: Annotated[str, Path(description=f"One of {', '.join(FILES)}")],
    request: Request,
    store: StoreDep,
    caller: Caller,
) -> Response:
    """A file of the plan's folder."""
    plan = find_plan(plan_id, store, caller)
    path = store.plans / plan.id / name
    if name not in FILES or not path.is_file():
        raise not_found("file", name)
    return sent(request, path, FILES[name][0], plan.id, etag_of(plan.id, name))


def sent(request: Request, path: FilePath, kind: str, plan_id: str, etag: str) -> Response:
    """A file of a plan, named after it, or 304 where the caller has it."""
    if (same := unchanged(request, etag)) is not None:
        return same
    return FileResponse(path, media_type=kind, filename=f"{plan_id}-{path.name}", headers={"ETag": etag, **CACHING})
