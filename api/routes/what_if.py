"""What if: an earlier plan with other pins, budgets, demand or assumptions."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from api.auth.principal import permit
from api.bodies import Strict
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import problems
from api.routes.requests import NewRequest, PlanSettings, add_request
from api.routes.runs import RunBody, accepted
from api.state import Caller, SettingsDep, StoreDep
from api.store import rows, runs
from api.store.models import PlanRow, RequestRow

router = APIRouter(prefix="/plans", tags=["what if"], route_class=ConditionalRoute)


class Pin(Strict):
    """What is decided about a project."""

    project_id: str = Field(min_length=1, max_length=100, examples=["B"])
    decision: Literal["committed", "forbidden", "open"] = Field(
        description="committed: it is built, also in what the plan is compared with; forbidden: it is not; open: the plan decides"
    )
    places: float | None = Field(None, gt=0, description="Places of a committed project (default: those of the earlier plan)")
    start: str | None = Field(None, pattern=r"^\d{4}-\d{2}$", description="Financial year in which it starts (default: as before)")


class Budget(Strict):
    """Another allocation of a fund."""

    fund_id: str = Field(min_length=1, max_length=100, examples=["HIGH-NEEDS"])
    financial_year: str | None = Field(None, pattern=r"^\d{4}-\d{2}$", description="Only this year's allocation (default: every year's)")
    times: float | None = Field(None, ge=0, le=1000, description="So many times the allocation")
    amount_gbp: float | None = Field(None, ge=0, description="This allocation, GBP a year")


class WhatIf(PlanSettings):
    """What differs from the earlier plan. Settings that are left out are those of the earlier plan's request."""

    name: str = Field("", max_length=200, examples=["Half the money"])
    pins: list[Pin] = Field([], max_length=5000, description="On top of the earlier plan's own")
    budgets: list[Budget] = Field([], max_length=5000)


@router.post("/{plan_id}/what-if", status_code=202, response_model=RunBody, responses=problems(401, 403, 404, 422, 429), summary="What if")
def create(plan_id: str, body: WhatIf, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """A new run on the case of an earlier plan with these changes; compare its plan with the earlier one afterwards."""
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        plan = rows.find(session, PlanRow, plan_id, caller)
        permit(caller, "create", rows.scoped(session, plan))
        runs.refuse_if_full(session, caller, settings)
        earlier = session.get_one(RequestRow, plan.request_id)
        request = add_request(
            session, settings, caller, _asked(body, earlier, plan), base_plan_id=plan.id, changes=_changes(body, earlier.changes)
        )
        return once.keep(session, accepted(runs.enqueue(session, request, caller, request.name)))


def _asked(body: WhatIf, earlier: RequestRow, plan: PlanRow) -> NewRequest:
    given = body.model_dump(include=set(PlanSettings.model_fields), exclude_none=True)
    assumptions = {**earlier.settings.get("assumptions", {}), **body.assumptions}
    return NewRequest(
        **{**earlier.settings, **given, "assumptions": assumptions}, case_id=plan.case_id, name=body.name or f"What if: {plan.name}"[:200]
    )


def _changes(body: WhatIf, earlier: dict[str, Any]) -> dict[str, Any]:
    """The earlier plan's changes with these on top: what is said again about a project or fund replaces what was said."""
    pins = {pin["project_id"]: pin for pin in earlier.get("pins", [])}
    pins |= {pin.project_id: pin.model_dump(exclude_none=True) for pin in body.pins}
    budgets = {(budget["fund_id"], budget.get("financial_year")): budget for budget in earlier.get("budgets", [])}
    budgets |= {(budget.fund_id, budget.financial_year): budget.model_dump(exclude_none=True) for budget in body.budgets}
    return {"pins": list(pins.values()), "budgets": list(budgets.values())}
