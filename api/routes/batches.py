"""Batches: many runs asked for at once, as sweeps of scenarios or for many councils' cases."""

from __future__ import annotations

from itertools import product
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.auth.principal import permit
from api.bodies import Listing, ResourceBody, example, resource_fields
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import ApiError, problems
from api.routes.answers import created
from api.routes.requests import NewRequest, PlanSettings, add_request
from api.state import Caller, Cursor, Limit, SettingsDep, StoreDep
from api.store import rows, runs
from api.store.models import BatchRow, RunRow, new_id, now
from api.store.scope import councils_of, scope_of

router = APIRouter(prefix="/batches", tags=["batches"], route_class=ConditionalRoute)

Keys = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=1000)]
Names = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=1000)]


class NewBatch(PlanSettings):
    """Every case with every scenario and every set of assumptions."""

    model_config = example({"name": "Three scenarios", "case_ids": ["case-0123456789abcdef0123"], "scenarios": ["low", "central", "high"]})

    name: str = Field(min_length=1, max_length=200, examples=["Three scenarios"])
    case_ids: Keys = Field(min_length=1)
    scenarios: Names = Field([], description="Demand scenarios; none: the one of `scenario`", examples=[["low", "central", "high"]])
    assumption_set_ids: Keys = Field([], description="Sets of assumptions; none: without any")


class BatchBody(ResourceBody):
    """A batch."""

    runs: int = Field(description="Runs asked for; list them with GET /v1/runs?batch_id=")
    states: dict[str, int] = Field(description="Runs by state", examples=[{"queued": 2, "finished": 1}])


@router.post("", status_code=202, response_model=BatchBody, responses=problems(401, 403, 404, 422, 429), summary="Start a batch")
def create(body: NewBatch, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """Store all runs and answer at once. Runs of batches wait until no single run does."""
    scenarios: list[str | None] = [*body.scenarios] or [body.scenario]
    sets: list[str | None] = [*body.assumption_set_ids] or [None]
    asked = list(product(dict.fromkeys(body.case_ids), scenarios, sets))
    if len(asked) > settings.limits.batch_runs:
        raise ApiError(422, "invalid-input", f"These are {len(asked)} runs; a batch may have {settings.limits.batch_runs}.")
    shared = body.model_dump(include=set(PlanSettings.model_fields) - {"scenario"}, exclude_none=True)
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        batch = BatchRow(id=new_id("batch"), owner=caller.subject, scope_id="", name=body.name, created_at=now(), runs_asked=len(asked))
        requests = []
        for case_id, scenario, set_id in asked:
            name = ", ".join(part for part in (body.name, scenario, set_id) if part)[:200]
            new = NewRequest(**shared, case_id=case_id, scenario=scenario, assumption_set_id=set_id, name=name)
            requests.append(add_request(session, settings, caller, new))
        scopes = {request.scope_id for request in requests}
        batch.scope_id = scope_of(session, frozenset().union(*(councils_of(session, scope_id) for scope_id in scopes)))
        session.add(batch)
        session.flush()
        for request in requests:
            runs.enqueue(session, request, caller, request.name, batch_id=batch.id)
        return once.keep(session, created(_body(session, batch), f"/v1/batches/{batch.id}", 202))


@router.get("", responses=problems(401, 403, 422), summary="List batches")
def index(store: StoreDep, caller: Caller, limit: Limit = 50, cursor: Cursor = None) -> Listing[BatchBody]:
    """Batches that you may see, newest first."""
    permit(caller, "read", "batch")
    with store.read() as session:
        found = rows.page(session, BatchRow, caller, limit=limit, cursor=cursor)
        return Listing(items=[_body(session, row) for row in found.items], next=found.next)


@router.get("/{batch_id}", responses=problems(401, 403, 404), summary="A batch")
def read(batch_id: str, store: StoreDep, caller: Caller) -> BatchBody:
    """How the runs of a batch stand."""
    with store.read() as session:
        row = rows.find(session, BatchRow, batch_id, caller)
        permit(caller, "read", rows.scoped(session, row))
        return _body(session, row)


@router.post("/{batch_id}/cancel", status_code=202, response_model=BatchBody, responses=problems(401, 403, 404), summary="Cancel a batch")
def cancel(batch_id: str, store: StoreDep, caller: Caller) -> Response:
    """Cancel every run of a batch that has not ended."""
    with store.write() as session:
        row = rows.find(session, BatchRow, batch_id, caller)
        permit(caller, "change", rows.scoped(session, row))
        for run in session.scalars(select(RunRow).where(RunRow.batch_id == row.id, RunRow.state.in_(runs.UNFINISHED))).all():
            runs.cancel(session, run)
        return created(_body(session, row), f"/v1/batches/{row.id}", 202)


def _body(session: Session, row: BatchRow) -> BatchBody:
    counted = session.execute(select(RunRow.state, func.count()).where(RunRow.batch_id == row.id).group_by(RunRow.state))
    return BatchBody(**resource_fields(row), runs=row.runs_asked, states=dict(counted.all()))
