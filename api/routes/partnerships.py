"""Regional partnerships: what the councils of a partnership plan together, as aggregates."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import shown
from api.auth.principal import permit, permit_partnership
from api.bodies import Strict
from api.conditional import ConditionalRoute
from api.problems import problems
from api.state import Caller, StoreDep
from api.store.models import CaseRow, PlanRow
from api.store.scope import councils_of

router = APIRouter(prefix="/partnerships", tags=["partnerships"], route_class=ConditionalRoute)


class PartnershipBody(Strict):
    """A partnership with cases."""

    name: str
    cases: int = Field(description="Cases that bear its name")
    plans: int


class PartnershipPlan(Strict):
    """A plan of a partnership, its councils together."""

    name: str
    councils: int = Field(description="Councils that it plans for")
    academic_years: list[str]
    scenario: str
    approved: bool
    figures: dict[str, Any] = Field(
        description="Capital and saving (GBP), new places; independent placements avoided and unmet pupils by academic year, "
        "suppressed as in a protected case"
    )


class PartnershipView(Strict):
    """What the councils of a partnership plan."""

    name: str
    plans: list[PartnershipPlan] = Field(description="Newest first, at most 100")


@router.get("", responses=problems(401, 403), summary="List partnerships")
def index(store: StoreDep, caller: Caller) -> list[PartnershipBody]:
    """Partnerships whose aggregates you may see."""
    permit(caller, "read", "partnership")
    with store.read() as session:
        return [
            PartnershipBody(name=name, cases=_count(session, CaseRow, name), plans=_count(session, PlanRow, name))
            for name in _known(session)
            if caller.partnerships is None or name in caller.partnerships
        ]


@router.get("/{name}", responses=problems(401, 403, 404), summary="A partnership's plans")
def read(name: Annotated[str, Path(max_length=100)], store: StoreDep, caller: Caller) -> PartnershipView:
    """Aggregates of the plans of a partnership; nothing below the partnership is shown."""
    with store.read() as session:
        permit_partnership(caller, name, _known(session))
        query = select(PlanRow).where(PlanRow.partnership == name).order_by(PlanRow.created_at.desc(), PlanRow.id).limit(100)
        plans = [_plan(session, row) for row in session.scalars(query)]
    return PartnershipView(name=name, plans=plans)


def _known(session: Session) -> list[str]:
    return sorted(name for name in session.scalars(select(CaseRow.partnership).distinct()) if name)


def _count(session: Session, model: type[CaseRow] | type[PlanRow], name: str) -> int:
    return session.scalar(select(func.count()).select_from(model).where(model.partnership == name)) or 0


def _plan(session: Session, row: PlanRow) -> PartnershipPlan:
    return PartnershipPlan(
        name=row.name,
        councils=len(councils_of(session, row.scope_id)),
        academic_years=row.summary["academic_years"],
        scenario=row.summary["scenario"],
        approved=row.approved_at is not None,
        figures=shown.aggregates(row),
    )
