"""Assumptions: the defaults, and named sets of other figures."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from api.auth.principal import permit, permit_councils
from api.bodies import Listing, ResourceBody, Strict, example, resource_fields
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import problems
from api.routes.answers import created
from api.state import Caller, Cursor, Limit, StoreDep
from api.store import rows
from api.store.models import AssumptionsRow, new_id, now
from api.store.scope import scope_of
from sufficiency.assumptions import default_assumptions

router = APIRouter(tags=["assumptions"], route_class=ConditionalRoute)
EXAMPLE: Final[dict[str, Any]] = {"displacement.share": 0.5, "costs.state_special": 27_000}


class AssumptionBody(Strict):
    """A default figure with its provenance."""

    name: str = Field(examples=["costs.state_special"])
    value: Any = Field(description="A figure, a list of figures, or figures by key")
    unit: str
    year: str
    source: str
    status: str = Field(description="sourced, derived, assumed or unverified")


class NewAssumptionSet(Strict):
    """Figures that differ from the defaults."""

    model_config = example({"name": "Half displaced", "values": EXAMPLE, "note": "As agreed with finance"})

    name: str = Field(min_length=1, max_length=200, examples=["Half displaced"])
    values: dict[str, Any] = Field(description="Dotted name -> figure, list or table, in the shape of the default", examples=[EXAMPLE])
    note: str = Field("", max_length=2000, description="Why")
    councils: list[str] | None = Field(None, max_length=400, description="Councils whose planners may use it; default: all of yours")


class AssumptionSet(ResourceBody):
    """A named set of figures."""

    values: dict[str, Any] = Field(examples=[EXAMPLE])
    note: str

    @staticmethod
    def of(row: AssumptionsRow) -> AssumptionSet:
        """The body of a row."""
        return AssumptionSet(**resource_fields(row), values=row.values, note=row.note)


@router.get("/assumptions", responses=problems(401, 403), summary="Default figures")
def defaults(caller: Caller) -> list[AssumptionBody]:
    """Every default figure of the model with unit, year, source and status."""
    permit(caller, "read", "assumption set")
    return [AssumptionBody(**vars(entry)) for entry in default_assumptions()]


@router.post(
    "/assumption-sets",
    status_code=201,
    response_model=AssumptionSet,
    responses=problems(401, 403, 422),
    summary="Make a set of assumptions",
)
def create(body: NewAssumptionSet, store: StoreDep, caller: Caller, once: OnceDep) -> Response:
    """Store a set of figures under a name. Unknown names and other shapes than the default's are refused, all at once."""
    permit(caller, "create", "assumption set")
    default_assumptions().override(body.values, "the request", "values")
    councils = frozenset(body.councils) if body.councils is not None else (caller.councils or frozenset())
    if councils or caller.councils is not None:
        permit_councils(caller, "create", "assumption set", councils)
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        row = AssumptionsRow(
            id=new_id("assumptions"),
            owner=caller.subject,
            scope_id=scope_of(session, councils),
            name=body.name,
            created_at=now(),
            values=body.values,
            note=body.note,
        )
        session.add(row)
        session.flush()
        return once.keep(session, created(AssumptionSet.of(row), f"/v1/assumption-sets/{row.id}"))


@router.get("/assumption-sets", responses=problems(401, 403, 422), summary="List sets of assumptions")
def index(store: StoreDep, caller: Caller, limit: Limit = 50, cursor: Cursor = None) -> Listing[AssumptionSet]:
    """Sets that you may use, newest first."""
    permit(caller, "read", "assumption set")
    with store.read() as session:
        found = rows.page(session, AssumptionsRow, caller, limit=limit, cursor=cursor)
        return Listing(items=[AssumptionSet.of(row) for row in found.items], next=found.next)


@router.get("/assumption-sets/{set_id}", responses=problems(401, 403, 404), summary="A set of assumptions")
def read(set_id: str, store: StoreDep, caller: Caller) -> AssumptionSet:
    """The figures of a set."""
    with store.read() as session:
        row = rows.find(session, AssumptionsRow, set_id, caller)
        permit(caller, "read", rows.scoped(session, row))
        return AssumptionSet.of(row)


@router.delete("/assumption-sets/{set_id}", status_code=204, responses=problems(401, 403, 404), summary="Delete a set of assumptions")
def remove(set_id: str, store: StoreDep, caller: Caller) -> None:
    """Delete a set. Requests made with it keep its figures."""
    with store.write() as session:
        row = rows.find(session, AssumptionsRow, set_id, caller)
        permit(caller, "delete", rows.scoped(session, row))
        session.delete(row)
