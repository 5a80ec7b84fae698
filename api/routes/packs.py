"""Meeting packs of a plan: brief, workbook, comments sheet, maps and annexes, made by runs of the same queue.

POST asks for one, the run it answers with makes it, and its files stand under the plan's packs until the plan is deleted.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response
from pydantic import Field
from sqlalchemy import select

from api.auth.principal import permit
from api.bodies import Strict, example
from api.conditional import ConditionalRoute, etag_of
from api.once import OnceDep
from api.problems import not_found, problems
from api.routes.files import FileBody, sent
from api.routes.plans import find_plan
from api.routes.requests import NewRequest, add_request
from api.routes.runs import RunBody, State, accepted
from api.state import Caller, SettingsDep, StoreDep
from api.store import Store, rows, runs
from api.store.models import CaseRow, PlanRow, RequestRow, RunRow
from sufficiency.tables.problems import InputError, InputProblem

router = APIRouter(prefix="/plans", tags=["packs"], route_class=ConditionalRoute)
MOST_LISTED: Final = 50
SHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES: Final = {
    "brief.pdf": ("application/pdf", "The printed brief: A4, maps on A3, tagged"),
    "workbook.xlsx": (SHEET, "All tables, sums and differences as formulas, checks and notes"),
    "comments.xlsx": (SHEET, "One row per project for comments and wishes"),
    "summary.pdf": ("application/pdf", "For families: plain English (one council only)"),
    "easy-read.pdf": ("application/pdf", "For families: easy read (one council only)"),
    "plan.gpkg": ("application/geopackage+sqlite3", "Areas, flows, settings and projects with styles, for QGIS"),
    "map.html": ("text/html", "The map: one file that opens from disk and asks the network for nothing"),
    "pack.zip": ("application/zip", "All of the pack, figures and annexes too"),
}
"""Name -> media type and what it is."""
ANSWER: Final[dict[int | str, dict[str, Any]]] = problems(401, 403, 404, 422) | {
    200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind, _ in FILES.values()}, "description": "The file"},
}


class NewPack(Strict):
    """Whom a pack is for."""

    model_config = example({"council_code": "E06000030"})

    council_code: str | None = Field(None, max_length=9, description="One council; left out: all councils of the plan together")


class PackBody(Strict):
    """A pack and how it stands."""

    run_id: str
    council_code: str | None
    state: State
    files: list[FileBody] = Field(description="Its files, once they are there")


@router.post(
    "/{plan_id}/packs", status_code=202, response_model=RunBody, responses=problems(401, 403, 404, 422, 429), summary="Make a pack"
)
def create(plan_id: str, body: NewPack, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """A run that makes the meeting pack of a plan, from what the case's disclosure profile shows of it. It ends without a plan."""
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        plan = rows.find(session, PlanRow, plan_id, caller)
        permit(caller, "create", rows.scoped(session, plan))
        _refuse_strangers(session.get_one(CaseRow, plan.case_id), body.council_code)
        runs.refuse_if_full(session, caller, settings)
        earlier = session.get_one(RequestRow, plan.request_id)
        request_body = NewRequest(**{**earlier.settings, "case_id": plan.case_id, "name": f"Pack: {plan.name}"[:200]})
        request = add_request(session, settings, caller, request_body, base_plan_id=plan.id, changes={"pack": body.model_dump()})
        return once.keep(session, accepted(runs.enqueue(session, request, caller, request.name)))


@router.get("/{plan_id}/packs", responses=problems(401, 403, 404), summary="Packs of a plan")
def index(plan_id: str, store: StoreDep, caller: Caller) -> list[PackBody]:
    """Packs that were asked for, newest first, at most 50."""
    return _packs(store, find_plan(plan_id, store, caller))[:MOST_LISTED]


@router.get("/{plan_id}/packs/{run_id}/{name}", response_class=FileResponse, responses=ANSWER, summary="A file of a pack")
def read(
    plan_id: str,
    run_id: str,
    name: Annotated[str, Path(description=f"One of {', '.join(FILES)}")],
    request: Request,
    store: StoreDep,
    caller: Caller,
) -> Response:
    """A file of a pack."""
    plan = find_plan(plan_id, store, caller)
    pack = next((one for one in _packs(store, plan) if one.run_id == run_id), None)
    if pack is None or name not in {file.name for file in pack.files}:
        raise not_found("file", name)
    return sent(request, store.answers(plan.id) / run_id / name, FILES[name][0], plan.id, etag_of(plan.id, run_id, name))


def _refuse_strangers(case: CaseRow, council_code: str | None) -> None:
    known = [str(council["code"]) for council in case.about["councils"]]
    if council_code is not None and council_code not in known:
        remedy = f"One of {', '.join(known[:12])}."
        raise InputError([InputProblem("request", "no such council in the case", remedy, column="council_code", value=council_code)])


def _packs(store: Store, plan: PlanRow) -> list[PackBody]:
    query = (
        select(RunRow, RequestRow.changes)
        .join(RequestRow, RunRow.request_id == RequestRow.id)
        .where(RequestRow.base_plan_id == plan.id)
        .order_by(RunRow.created_at.desc(), RunRow.id)
    )
    with store.read() as session:
        found = [(run, changes["pack"]) for run, changes in session.execute(query) if "pack" in changes]
    return [
        PackBody.model_validate({"run_id": run.id, **asked, "state": run.state, "files": _files(store, plan, run)}) for run, asked in found
    ]


def _files(store: Store, plan: PlanRow, run: RunRow) -> list[FileBody]:
    folder = store.answers(plan.id) / run.id
    there = [name for name in FILES if run.state == "finished" and (folder / name).is_file()]
    return [FileBody(name=name, description=FILES[name][1], size_bytes=(folder / name).stat().st_size) for name in there]
