"""The planner's page at ``/``, its scripts under ``/assets``, and what its maps draw."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response
from pydantic import Field

from api.auth.principal import Principal, permit
from api.bodies import Strict
from api.conditional import CACHING, ConditionalRoute, etag_of, unchanged
from api.problems import ApiError, not_found, problems
from api.routes.plans import find_plan
from api.state import Caller, SettingsDep, StoreDep
from api.store import Store, rows
from api.store.models import CaseRow
from sufficiency.outputs.case_map import CANDIDATES
from sufficiency.outputs.map_page import BLOCKS, read_block

DIST: Final = Path(__file__).parents[1] / "web" / "dist"
NOT_BUILT: Final = "The planner's page has not been built. Build it with `make web` and load this address again.\n"

PACKED: Final = ((".br", "br"), (".gz", "gzip"))
"""Packed copies of an asset that the build makes, the smallest first."""

page = APIRouter(include_in_schema=False)
router = APIRouter(tags=["maps"], route_class=ConditionalRoute)

Block = Annotated[str, InPath(description=f"One of {', '.join(BLOCKS)}", pattern=f"^({'|'.join(BLOCKS)})$")]
ANSWER: Final[dict[int | str, dict[str, Any]]] = problems(401, 403, 404, 422) | {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, "description": "The block"},
    304: {"description": "Not changed since"},
}


class Candidate(Strict):
    """A project that may be built."""

    project_id: str
    name: str
    kind: str
    council: str
    where: str
    for_whom: str
    phases: str
    decision: str = Field(description="open, committed or forbidden")
    min_places: float
    max_places: float
    earliest_start: str = Field(description="Financial year", examples=["2024-25"])
    point: tuple[float, float] = Field(description="Degrees east and north")


@page.get("/")
def home(settings: SettingsDep) -> Response:
    """The page; a plain sentence when it has not been built."""
    if not (DIST / "index.html").is_file():
        return Response(NOT_BUILT, status_code=503, media_type="text/plain; charset=utf-8")
    text = (DIST / "index.html").read_text(encoding="utf-8").replace("BASE_MAP_URL", escape(settings.base_map_url))
    return Response(text, media_type="text/html; charset=utf-8", headers=_page_headers(settings.base_map_url))


@page.get("/assets/{name}")
def asset(name: str, request: Request) -> Response:
    """A script or style sheet, packed where the browser takes it so. Names bear a hash of the content, so that browsers may keep them."""
    files = {path.name: path for path in (DIST / "assets").glob("*")}
    if name not in files:
        raise not_found("file", name)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    accepted = {part.split(";")[0].strip() for part in request.headers.get("accept-encoding", "").split(",")}
    for ending, encoding in PACKED:
        if encoding in accepted and (packed := files.get(name + ending)) is not None:
            return FileResponse(packed, media_type=guess_type(name)[0], headers=headers | {"Content-Encoding": encoding})
    return FileResponse(files[name], headers=headers)


@router.get("/plans/{plan_id}/map/{block}", response_class=Response, responses=ANSWER, summary="What a plan's map draws")
def plan_block(plan_id: str, block: Block, request: Request, store: StoreDep, caller: Caller) -> Response:
    """A block of the plan's map as docs/outputs.md describes it: what map.html holds, under the same rules of disclosure."""
    plan = find_plan(plan_id, store, caller)
    path = store.plans / plan.id / "map.html"
    if not path.is_file():
        raise ApiError(404, "not-found", "This plan was made without a map, because the page scripts had not been built (`make web`).")
    return _block(request, plan.id, block, lambda: read_block(path, block))


@router.get("/cases/{case_id}/map/{block}", response_class=Response, responses=ANSWER, summary="What a case's map draws")
def case_block(case_id: str, block: Block, request: Request, store: StoreDep, caller: Caller) -> Response:
    """A block of the map of a case's base January."""
    case = _find_case(case_id, store, caller)
    return _block(request, case.id, block, _drawn(store, case, block).read_bytes)


@router.get(
    "/cases/{case_id}/candidates", response_model=list[Candidate], responses=problems(401, 403, 404), summary="Projects that may be built"
)
def case_candidates(case_id: str, request: Request, store: StoreDep, caller: Caller) -> Response:
    """The candidate projects of a case, with words in place of codes."""
    case = _find_case(case_id, store, caller)
    return _block(request, case.id, CANDIDATES, _drawn(store, case, CANDIDATES).read_bytes, "application/json")


def _page_headers(base_map_url: str) -> dict[str, str]:
    server = urlsplit(base_map_url)
    tiles = f" {server.scheme}://{server.netloc}" if base_map_url else ""
    policy = (
        f"default-src 'self'; img-src 'self' data: blob:{tiles}; connect-src 'self'{tiles}; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}


def _find_case(case_id: str, store: Store, caller: Principal) -> CaseRow:
    with store.read() as session:
        case = rows.find(session, CaseRow, case_id, caller)
        permit(caller, "read", rows.scoped(session, case))
        return case


def _drawn(store: Store, case: CaseRow, name: str) -> Path:
    path = store.cases / case.id / "map" / f"{name}.gz"
    if not path.is_file():
        raise ApiError(404, "not-found", "This case was taken in before cases had maps. Upload it again as a new version.")
    return path


def _block(
    request: Request, resource_id: str, block: str, read: Callable[[], bytes], media_type: str = "application/octet-stream"
) -> Response:
    """A block, in gzip as it is kept. Cases and plans never change, so their id is the version."""
    etag = etag_of(resource_id, block)
    if (same := unchanged(request, etag)) is not None:
        return same
    headers = {"Content-Encoding": "gzip", "ETag": etag, **CACHING}
    return Response(read(), media_type=media_type, headers=headers)
