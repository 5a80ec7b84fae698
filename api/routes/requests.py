"""Plan requests: what is asked on top of a case."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.auth.principal import Principal, permit
from api.bodies import Listing, ResourceBody, Strict, example, resource_fields
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import conflict, problems
from api.routes.answers import created
from api.settings import Settings
from api.state import Caller, Cursor, Limit, SettingsDep, StoreDep
from api.store import rows
from api.store.models import AssumptionsRow, CaseRow, RequestRow, RunRow, new_id, now
from sufficiency.request import checked_request
from sufficiency.tables.problems import InputError, InputProblem

router = APIRouter(prefix="/requests", tags=["requests"], route_class=ConditionalRoute)


LeverName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
"""A name only: a file of the user's own is for the command line."""


class PlanSettings(Strict):
    """How to plan a case. What is left out is as on the command line."""

    gap: float | None = Field(None, gt=0, description="Stop within this share of the least cost (default 0.01)", examples=[0.01])
    time_limit_s: float | None = Field(None, gt=0, description="Stop searching after so many seconds (default 600)", examples=[120])
    backend: str | None = Field(None, max_length=20, description="Solver of small cases: highs, ortools or pulp", examples=["highs"])
    threads: int | None = Field(None, ge=1, le=64)
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="Same seed, same plan")
    scenario: str | None = Field(None, max_length=100, description="Demand scenario of the case (default central)", examples=["central"])
    years: int | None = Field(None, ge=1, description="Plan only the first so many planning years")
    sensitivity: bool | None = Field(None, description="Show the saving under other assumptions (default true)")
    perspective: str | None = Field(None, max_length=40, description="Whose cost counts (default exchequer)", examples=["exchequer"])
    suitability: str | None = Field(None, max_length=40, description="Version of the table of suitability (default the newest)")
    pooling: Literal["partnership"] | None = Field(None, description="Councils of a partnership may share their capital")
    top_slice: dict[str, Any] | None = Field(None, description="share of every grant held back, and the councils that may draw on it")
    levers: list[LeverName] | None = Field(None, max_length=20, description="Suppositions about fees that come with the program, by name")
    equity: list[dict[str, Any]] | None = Field(None, max_length=50, description="Rows of by, measure and within_share")
    stages: list[str] | None = Field(
        None, max_length=10, description="Goals in their order: unmet, independent, travel, cost (default: least cost)", examples=[["cost"]]
    )
    check_with: Literal["ortools"] | None = Field(None, description="Have plan and bound checked by another solver")
    assumptions: dict[str, Any] = Field({}, description="Figures by dotted name", examples=[{"displacement.share": 0.5}])


class NewRequest(PlanSettings):
    """A plan request."""

    model_config = example({"case_id": "case-0123456789abcdef0123", "name": "First plan", "gap": 0.01, "time_limit_s": 120})

    pins: list[dict[str, Any]] | None = Field(
        None,
        max_length=5000,
        description="Rows of project and wish (must, must_not, not_before, at_least), with year, places and note",
        examples=[[{"project": "B", "wish": "must"}]],
    )
    budgets: list[dict[str, Any]] | None = Field(
        None,
        max_length=5000,
        description="Rows of fund, financial_year and amount_gbp or change_gbp",
        examples=[[{"fund": "HIGH-NEEDS", "financial_year": "2022-23", "amount_gbp": 9_000_000}]],
    )

    case_id: str = Field(max_length=40)
    name: str = Field("", max_length=200, description="Name of the plans made from it; by default that of the case")
    assumption_set_id: str | None = Field(None, max_length=40, description="Named set; `assumptions` go on top of it")


class RequestBody(ResourceBody):
    """A plan request as stored."""

    case_id: str
    settings: dict[str, Any] = Field(description="What was asked, named sets of assumptions included")
    base_plan_id: str | None = Field(None, description="The plan that a what-if starts from")
    changes: dict[str, Any] = Field(description="Pins and budgets of a what-if")

    @staticmethod
    def of(row: RequestRow) -> RequestBody:
        """The body of a row."""
        return RequestBody(
            **resource_fields(row), case_id=row.case_id, settings=row.settings, base_plan_id=row.base_plan_id, changes=row.changes
        )


@router.post("", status_code=201, response_model=RequestBody, responses=problems(401, 403, 404, 422), summary="Make a plan request")
def create(body: NewRequest, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """Store what is to be planned. Start it with POST /v1/runs."""
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        row = add_request(session, settings, caller, body)
        return once.keep(session, created(RequestBody.of(row), f"/v1/requests/{row.id}"))


@router.get("", responses=problems(401, 403, 422), summary="List plan requests")
def index(
    store: StoreDep,
    caller: Caller,
    case_id: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[RequestBody]:
    """Requests that you may see, newest first."""
    permit(caller, "read", "request")
    wanted = [RequestRow.case_id == case_id] if case_id else []
    with store.read() as session:
        found = rows.page(session, RequestRow, caller, *wanted, limit=limit, cursor=cursor)
        return Listing(items=[RequestBody.of(row) for row in found.items], next=found.next)


@router.get("/{request_id}", responses=problems(401, 403, 404), summary="A plan request")
def read(request_id: str, store: StoreDep, caller: Caller) -> RequestBody:
    """What was asked."""
    with store.read() as session:
        row = rows.find(session, RequestRow, request_id, caller)
        permit(caller, "read", rows.scoped(session, row))
        return RequestBody.of(row)


@router.delete("/{request_id}", status_code=204, responses=problems(401, 403, 404, 409), summary="Delete a plan request")
def remove(request_id: str, store: StoreDep, caller: Caller) -> None:
    """Delete a request that no run was made from."""
    with store.write() as session:
        row = rows.find(session, RequestRow, request_id, caller)
        permit(caller, "delete", rows.scoped(session, row))
        if session.scalar(select(func.count()).select_from(RunRow).where(RunRow.request_id == row.id)):
            raise conflict("Runs were made from this request; it stays as their record.")
        session.delete(row)


def add_request(
    session: Session,
    settings: Settings,
    caller: Principal,
    body: NewRequest,
    *,
    base_plan_id: str | None = None,
    changes: dict[str, Any] | None = None,
) -> RequestRow:
    """A stored request. Raises InputError for its faults, ApiError when the case is not there or not the caller's."""
    case = rows.find(session, CaseRow, body.case_id, caller)
    permit(caller, "create", rows.scoped(session, case))
    asked = _settings_of(session, caller, body)
    checked = checked_request(asked, "request")
    _refuse_misfits(checked.scenario, checked.time_limit_s, case, settings)
    row = RequestRow(
        id=new_id("request"),
        owner=caller.subject,
        scope_id=case.scope_id,
        partnership=case.partnership,
        name=body.name or case.name,
        created_at=now(),
        case_id=case.id,
        settings=asked,
        base_plan_id=base_plan_id,
        changes=changes or {},
    )
    session.add(row)
    session.flush()
    return row


def _settings_of(session: Session, caller: Principal, body: NewRequest) -> dict[str, Any]:
    """The fields of PlanRequest that were given, the named set of assumptions merged in."""
    asked = body.model_dump(include={*PlanSettings.model_fields, "pins", "budgets"}, exclude_none=True)
    if body.assumption_set_id:
        named = rows.find(session, AssumptionsRow, body.assumption_set_id, caller)
        asked["assumptions"] = {**named.values, **body.assumptions}
    return asked


def _refuse_misfits(scenario: str, time_limit_s: float, case: CaseRow, settings: Settings) -> None:
    found = []
    if scenario not in case.about["scenarios"]:
        remedy = f"One of {', '.join(case.about['scenarios'])}."
        found.append(InputProblem("request", "the case has no such demand scenario", remedy, column="scenario", value=scenario))
    most = settings.limits.run_seconds
    if time_limit_s > most:
        remedy = f"Ask for at most {most}."
        value = f"{time_limit_s:g}"
        found.append(InputProblem("request", "longer than this service allows", remedy, column="time_limit_s", value=value))
    if found:
        raise InputError(found)
