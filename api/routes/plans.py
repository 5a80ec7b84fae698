"""Plans: what was found; approval and deletion."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api.auth.principal import Principal, permit
from api.bodies import Listing, ResourceBody, Strict, resource_fields
from api.conditional import ConditionalRoute
from api.problems import ApiError, problems
from api.state import Caller, Cursor, Limit, StoreDep
from api.store import Store, cases, plans, rows
from api.store.models import PlanRow, now

router = APIRouter(prefix="/plans", tags=["plans"], route_class=ConditionalRoute)


class PlanBody(ResourceBody):
    """A plan."""

    case_id: str
    request_id: str
    run_id: str
    disclosure: Literal["open", "protected"]
    audit_passed: bool = Field(description="Every figure and limit was recomputed from the case alone, without a breach")
    approved_by: str | None
    approved_at: datetime | None
    summary: dict[str, Any] = Field(
        description="Termination, cost, bound, gaps, saving, capital, new places: see docs/outputs.md",
        examples=[{"termination": "gap_reached", "saving_gbp": 3_350_000.0, "gap_of_cost": 0.0064, "new_places": 100.0}],
    )

    @staticmethod
    def of(row: PlanRow) -> PlanBody:
        """The body of a row."""
        same = ("case_id", "request_id", "run_id", "disclosure", "audit_passed", "approved_by", "approved_at")
        return PlanBody(**resource_fields(row), **{name: getattr(row, name) for name in same}, summary=row.summary)


class AuditBody(Strict):
    """What the audit found."""

    passed: bool
    breaches: list[dict[str, Any]] = Field(description="code, where, message")


@router.get("", responses=problems(401, 403, 422), summary="List plans")
def index(
    store: StoreDep,
    caller: Caller,
    case_id: Annotated[str | None, Query(max_length=40)] = None,
    approved: Annotated[bool | None, Query(description="Only approved plans, or only others")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[PlanBody]:
    """Plans that you may see, newest first."""
    permit(caller, "read", "plan")
    wanted = [PlanRow.case_id == case_id] if case_id else []
    if approved is not None:
        wanted.append(PlanRow.approved_at.is_not(None) if approved else PlanRow.approved_at.is_(None))
    with store.read() as session:
        found = rows.page(session, PlanRow, caller, *wanted, limit=limit, cursor=cursor)
        return Listing(items=[PlanBody.of(row) for row in found.items], next=found.next)


@router.get("/{plan_id}", responses=problems(401, 403, 404), summary="A plan")
def read(plan_id: str, store: StoreDep, caller: Caller) -> PlanBody:
    """The headline of a plan; its tables stand under /tables."""
    return PlanBody.of(find_plan(plan_id, store, caller))


@router.get("/{plan_id}/audit", responses=problems(401, 403, 404), summary="A plan's audit")
def audit(plan_id: str, store: StoreDep, caller: Caller) -> AuditBody:
    """What was found when every figure was recomputed from the case alone."""
    plan = find_plan(plan_id, store, caller)
    report = json.loads((store.plans / plan.id / "audit.json").read_text(encoding="utf-8"))
    return AuditBody(passed=report["passed"], breaches=report["breaches"])


@router.post("/{plan_id}/approve", responses=problems(401, 403, 404, 409), summary="Approve a plan")
def approve(plan_id: str, store: StoreDep, caller: Caller) -> PlanBody:
    """Say that a plan is the one to go by. Only one whose audit passed; a second approval changes nothing."""
    with store.write() as session:
        row = rows.find(session, PlanRow, plan_id, caller)
        permit(caller, "approve", rows.scoped(session, row))
        if not row.audit_passed:
            raise ApiError(409, "conflict", "The audit of this plan found breaches: it can't be approved.")
        if row.approved_at is None:
            row.approved_by, row.approved_at = caller.subject, now()
        return PlanBody.of(row)


@router.delete("/{plan_id}", status_code=204, responses=problems(401, 403, 404, 409), summary="Delete a plan")
def remove(plan_id: str, store: StoreDep, caller: Caller) -> None:
    """Delete a plan, its files and the comparisons with it. One that is approved stays."""
    with store.write() as session:
        row = rows.find(session, PlanRow, plan_id, caller)
        permit(caller, "delete", rows.scoped(session, row))
        if row.approved_at is not None:
            raise ApiError(409, "conflict", "The plan is approved: it stays.")
        plans.remove(session, row)
    cases.discard(store.plans / plan_id)


def find_plan(plan_id: str, store: Store, caller: Principal) -> PlanRow:
    """A plan that the caller may read. Raises ApiError."""
    with store.read() as session:
        row = rows.find(session, PlanRow, plan_id, caller)
        permit(caller, "read", rows.scoped(session, row))
        return row
