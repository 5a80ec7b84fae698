"""Runs: start, follow, cancel, try again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import anyio
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.auth.principal import Principal, permit
from api.bodies import Listing, ResourceBody, Strict, example, resource_fields
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import Fault, conflict, problems
from api.routes.answers import created
from api.routes.requests import NewRequest, add_request
from api.settings import Settings
from api.state import Caller, Cursor, Limit, SettingsDep, StoreDep
from api.store import Store, rows, runs
from api.store.models import RequestRow, RunEventRow, RunRow

router = APIRouter(prefix="/runs", tags=["runs"], route_class=ConditionalRoute)
POLL_S: Final = 0.5
State = Literal["queued", "running", "finished", "failed", "cancelled"]


class NewRun(Strict):
    """Which request to plan: one that is stored, or one that comes along."""

    model_config = example({"request": {"case_id": "case-0123456789abcdef0123", "name": "First plan", "time_limit_s": 120}})

    request_id: str | None = Field(None, max_length=40)
    request: NewRequest | None = None

    @model_validator(mode="after")
    def one(self) -> NewRun:
        """Exactly one is given."""
        if (self.request_id is None) == (self.request is None):
            raise ValueError("give one of request_id and request")
        return self


class Failure(Strict):
    """Why a run has no plan."""

    reason: str = Field(description="invalid, memory, time, crash, lost, cancelled or unexpected")
    detail: str
    problems: list[Fault] = Field([])


class RunBody(ResourceBody):
    """A run."""

    state: State
    case_id: str
    request_id: str
    batch_id: str | None
    retry_of: str | None = Field(description="The run that this one repeats")
    plan_id: str | None = Field(description="The plan, when it has ended with one; also of a cancelled run: the best so far")
    attempt: int = Field(description="How often it was begun; above 1 when a worker was lost")
    cancelling: bool = Field(description="It was asked to stop")
    phase: str = Field(description="What is being done", examples=["Plan"])
    incumbent_gbp: float | None = Field(description="Cost of the best plan so far, GBP, present value")
    bound_gbp: float | None = Field(description="No plan costs less, GBP, present value")
    gap: float | None = Field(description="Share of its cost by which the plan may be above the best")
    started_at: datetime | None
    finished_at: datetime | None
    failure: Failure | None

    @staticmethod
    def of(row: RunRow) -> RunBody:
        """The body of a row."""
        same = ("state", "case_id", "request_id", "batch_id", "retry_of", "plan_id", "attempt", "phase", "incumbent_gbp", "bound_gbp")
        return RunBody(
            **resource_fields(row),
            **{name: getattr(row, name) for name in same},
            cancelling=row.state == "running" and row.cancel_asked_at is not None,
            gap=gap_of(row.incumbent_gbp, row.bound_gbp),
            started_at=row.started_at,
            finished_at=row.finished_at,
            failure=Failure(**row.failure) if row.failure else None,
        )


def gap_of(incumbent: float | None, bound: float | None) -> float | None:
    """Share of the incumbent's cost that lies above the bound."""
    return None if incumbent is None or bound is None else max(0.0, incumbent - bound) / max(abs(incumbent), 1e-9)


@router.post("", status_code=202, response_model=RunBody, responses=problems(401, 403, 404, 422, 429), summary="Start a run")
def create(body: NewRun, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """Store a run and answer at once; `Location` is where to follow it. It is made as soon as a worker is free."""
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        runs.refuse_if_full(session, caller, settings)
        request = _request(session, settings, caller, body)
        return once.keep(session, accepted(runs.enqueue(session, request, caller, request.name)))


@router.get("", responses=problems(401, 403, 422), summary="List runs")
def index(
    store: StoreDep,
    caller: Caller,
    state: Annotated[list[State] | None, Query(description="Only runs in these states")] = None,
    case_id: Annotated[str | None, Query(max_length=40)] = None,
    batch_id: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[RunBody]:
    """Runs that you may see, newest first."""
    permit(caller, "read", "run")
    wanted: list[ColumnElement[bool]] = [RunRow.state.in_(state)] if state else []
    if case_id:
        wanted.append(RunRow.case_id == case_id)
    if batch_id:
        wanted.append(RunRow.batch_id == batch_id)
    with store.read() as session:
        found = rows.page(session, RunRow, caller, *wanted, limit=limit, cursor=cursor)
        return Listing(items=[RunBody.of(row) for row in found.items], next=found.next)


@router.get("/{run_id}", responses=problems(401, 403, 404), summary="A run")
def read(run_id: str, store: StoreDep, caller: Caller) -> RunBody:
    """How a run stands."""
    return RunBody.of(_find(run_id, store, caller))


@router.get(
    "/{run_id}/events",
    response_class=EventSourceResponse,
    responses=problems(401, 403, 404) | {200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}},
    summary="Follow a run",
)
def follow(
    run_id: str,
    request: Request,
    store: StoreDep,
    caller: Caller,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,9}$", description="Go on after this event")] = None,
) -> EventSourceResponse:
    """Server-sent events `state` and `progress` from the beginning, or from `Last-Event-ID` on; the stream ends with the run."""
    _find(run_id, store, caller)
    return EventSourceResponse(_events(store, run_id, int(last_event_id or 0)))


@router.post("/{run_id}/cancel", status_code=202, response_model=RunBody, responses=problems(401, 403, 404, 409), summary="Cancel a run")
def cancel(run_id: str, store: StoreDep, caller: Caller) -> Response:
    """Stop a run. The best plan so far is kept, where there is one."""
    with store.write() as session:
        row = rows.find(session, RunRow, run_id, caller)
        permit(caller, "change", rows.scoped(session, row))
        runs.cancel(session, row)
        return accepted(row)


@router.post("/{run_id}/retry", status_code=202, response_model=RunBody, responses=problems(401, 403, 404, 409, 429), summary="Run again")
def retry(run_id: str, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """A new run of the same request, once the earlier one has failed or was cancelled."""
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        row = rows.find(session, RunRow, run_id, caller)
        permit(caller, "create", rows.scoped(session, row))
        if row.state not in ("failed", "cancelled"):
            raise conflict(f"Only a run that failed or was cancelled is run again; this one is {row.state}.")
        runs.refuse_if_full(session, caller, settings)
        request = session.get_one(RequestRow, row.request_id)
        return once.keep(session, accepted(runs.enqueue(session, request, caller, row.name, retry_of=row.id)))


def accepted(row: RunRow) -> Response:
    """202 with the run."""
    return created(RunBody.of(row), f"/v1/runs/{row.id}", 202)


def _request(session: Session, settings: Settings, caller: Principal, body: NewRun) -> RequestRow:
    if body.request is not None:
        return add_request(session, settings, caller, body.request)
    row = rows.find(session, RequestRow, str(body.request_id), caller)
    permit(caller, "create", rows.scoped(session, row))
    return row


def _find(run_id: str, store: Store, caller: Principal) -> RunRow:
    with store.read() as session:
        row = rows.find(session, RunRow, run_id, caller)
        permit(caller, "read", rows.scoped(session, row))
        return row


async def _events(store: Store, run_id: str, after: int) -> AsyncIterator[ServerSentEvent]:
    while True:
        try:
            found, ended = await anyio.to_thread.run_sync(_news, store, run_id, after)
        except (OperationalError, InterfaceError):  # the database is away for a moment; the stream goes on from where it was
            found, ended = [], False
        for event in found:
            after = event.number
            yield ServerSentEvent(json.dumps(_told(event)), event=event.what, id=str(event.number))
        if ended:
            return
        await anyio.sleep(POLL_S)


def _news(store: Store, run_id: str, after: int) -> tuple[list[RunEventRow], bool]:
    with store.read() as session:
        row = session.get(RunRow, run_id)  # before the events, so that none is missed
        return runs.events(session, run_id, after), row is None or row.state in runs.ENDED


def _told(event: RunEventRow) -> dict[str, Any]:
    return {"at": event.at.isoformat(), **event.data}
