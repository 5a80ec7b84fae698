"""Comparisons: two plans side by side."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import or_
from sqlalchemy.orm import Session

from api import shown
from api.auth.principal import Principal, permit
from api.bodies import Listing, ResourceBody, Strict, example, resource_fields
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import problems
from api.routes.answers import created
from api.state import Caller, Cursor, Limit, StoreDep
from api.store import Store, rows
from api.store.models import ComparisonRow, PlanRow, new_id, now
from api.store.scope import councils_of, scope_of

router = APIRouter(prefix="/comparisons", tags=["comparisons"], route_class=ConditionalRoute)


class NewComparison(Strict):
    """Which plans to compare."""

    model_config = example({"first_plan_id": "plan-0123456789abcdef0123", "second_plan_id": "plan-3210fedcba9876543210"})

    first_plan_id: str = Field(max_length=40)
    second_plan_id: str = Field(max_length=40)
    name: str = Field("", max_length=200)


class Comparison(ResourceBody):
    """Two plans side by side."""

    first_plan_id: str
    second_plan_id: str
    comparable: bool = Field(description="false: they stem from different inputs, so differences are not due to the plans alone")
    figures: list[dict[str, Any]] = Field(description="name, unit, first, second, difference (second - first)")
    projects: list[dict[str, Any]] = Field(
        description="project_id, name, places and capital in both, change: only first, only second, resized, moved, same"
    )


@router.post("", status_code=201, response_model=Comparison, responses=problems(401, 403, 404, 422), summary="Compare two plans")
def create(body: NewComparison, store: StoreDep, caller: Caller, once: OnceDep) -> Response:
    """Money, pupils, minutes and projects of two plans."""
    with store.read() as session:
        first, second = (_plan(session, plan_id, caller) for plan_id in (body.first_plan_id, body.second_plan_id))
    result = shown.comparison(store, first, second)
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        row = ComparisonRow(
            id=new_id("comparison"),
            owner=caller.subject,
            scope_id=scope_of(session, councils_of(session, first.scope_id) | councils_of(session, second.scope_id)),
            partnership=first.partnership if first.partnership == second.partnership else None,
            name=body.name or f"{first.name} and {second.name}"[:200],
            created_at=now(),
            first_plan_id=first.id,
            second_plan_id=second.id,
            result=result,
        )
        session.add(row)
        session.flush()
        return once.keep(session, created(_body(row), f"/v1/comparisons/{row.id}"))


@router.get("", responses=problems(401, 403, 422), summary="List comparisons")
def index(
    store: StoreDep,
    caller: Caller,
    plan_id: Annotated[str | None, Query(max_length=40, description="Only those with this plan")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[Comparison]:
    """Comparisons that you may see, newest first."""
    permit(caller, "read", "comparison")
    wanted = [or_(ComparisonRow.first_plan_id == plan_id, ComparisonRow.second_plan_id == plan_id)] if plan_id else []
    with store.read() as session:
        found = rows.page(session, ComparisonRow, caller, *wanted, limit=limit, cursor=cursor)
        return Listing(items=[_body(row) for row in found.items], next=found.next)


@router.get("/{comparison_id}", responses=problems(401, 403, 404), summary="A comparison")
def read(comparison_id: str, store: StoreDep, caller: Caller) -> Comparison:
    """Two plans side by side."""
    return _body(_find(comparison_id, store, caller))


@router.delete("/{comparison_id}", status_code=204, responses=problems(401, 403, 404), summary="Delete a comparison")
def remove(comparison_id: str, store: StoreDep, caller: Caller) -> None:
    """Delete a comparison; its plans stay."""
    with store.write() as session:
        row = rows.find(session, ComparisonRow, comparison_id, caller)
        permit(caller, "delete", rows.scoped(session, row))
        session.delete(row)


def _plan(session: Session, plan_id: str, caller: Principal) -> PlanRow:
    row = rows.find(session, PlanRow, plan_id, caller)
    permit(caller, "create", rows.scoped(session, row))
    return row


def _find(comparison_id: str, store: Store, caller: Principal) -> ComparisonRow:
    with store.read() as session:
        row = rows.find(session, ComparisonRow, comparison_id, caller)
        permit(caller, "read", rows.scoped(session, row))
        return row


def _body(row: ComparisonRow) -> Comparison:
    return Comparison(**resource_fields(row), first_plan_id=row.first_plan_id, second_plan_id=row.second_plan_id, **row.result)
