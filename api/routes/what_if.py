"""What if: an earlier plan with other pins, budgets, demand or assumptions."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from api import shown
from api.auth.principal import permit
from api.bodies import Strict, example
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import problems
from api.routes.requests import NewRequest, PlanSettings, add_request
from api.routes.runs import RunBody, accepted
from api.state import Caller, SettingsDep, StoreDep
from api.store import rows, runs
from api.store.models import CaseRow, PlanRow, RequestRow
from sufficiency.what_if import merged, requested

router = APIRouter(prefix="/plans", tags=["what if"], route_class=ConditionalRoute)


class Pin(Strict):
    """What is decided about a project."""

    project_id: str = Field(min_length=1, max_length=100, examples=["B"])
    decision: Literal["committed", "forbidden", "open"] = Field(
        description="committed: it must be built; forbidden: it must not; open: the plan decides, as if nothing had been said before"
    )
    places: float | None = Field(None, gt=0, description="Places that a committed project must have at least")
    start: str | None = Field(None, pattern=r"^\d{4}-\d{2}$", description="Financial year by which a committed project must start")


class Budget(Strict):
    """Another allocation of a fund."""

    fund_id: str = Field(min_length=1, max_length=100, examples=["HIGH-NEEDS"])
    financial_year: str | None = Field(None, pattern=r"^\d{4}-\d{2}$", description="Only this year's allocation (default: every year's)")
    times: float | None = Field(None, ge=0, le=1000, description="So many times the case's allocation")
    amount_gbp: float | None = Field(None, ge=0, description="This allocation, GBP a year")


class WhatIf(PlanSettings):
    """What differs from the earlier plan. What is left out is as in the earlier plan's request."""

    model_config = example(
        {
            "name": "Half the money, B is built",
            "pins": [{"project_id": "B", "decision": "committed"}],
            "budgets": [{"fund_id": "HIGH-NEEDS", "times": 0.5}],
        }
    )

    name: str = Field("", max_length=200, examples=["Half the money"])
    use: Literal["start", "keep", "hold"] = Field(
        "start", description="The earlier plan's projects: the search starts from them; keeps them and may add; takes them as they are"
    )
    pins: list[Pin] = Field([], max_length=5000)
    budgets: list[Budget] = Field([], max_length=5000)


@router.post("/{plan_id}/what-if", status_code=202, response_model=RunBody, responses=problems(401, 403, 404, 422, 429), summary="What if")
def create(plan_id: str, body: WhatIf, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """A new run on the case of an earlier plan with these changes; compare its plan with the earlier one afterwards."""
    with store.read() as session:
        plan = rows.find(session, PlanRow, plan_id, caller)
        permit(caller, "create", rows.scoped(session, plan))
        case, earlier = session.get_one(CaseRow, plan.case_id), session.get_one(RequestRow, plan.request_id)
    changes = merged(earlier.changes, body.model_dump(include={"pins", "budgets"}, exclude_none=True))
    asked = requested(changes, *(shown.case_table(store, case, name) for name in ("projects", "funds")))
    request_body = _asked(body, earlier, plan, asked)
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        runs.refuse_if_full(session, caller, settings)
        request = add_request(session, settings, caller, request_body, base_plan_id=plan.id, changes={**changes, "use": body.use})
        return once.keep(session, accepted(runs.enqueue(session, request, caller, request.name)))


def _asked(body: WhatIf, earlier: RequestRow, plan: PlanRow, asked: dict[str, list[dict[str, Any]]]) -> NewRequest:
    """The earlier request with what is said now; rows about the same projects and funds are replaced."""
    before = earlier.settings
    given = body.model_dump(include=set(PlanSettings.model_fields), exclude_unset=True, exclude_none=True)
    said = [*earlier.changes.get("pins", []), *body.model_dump()["pins"]]
    about = {pin["project_id"] for pin in said}
    funds = {row["fund_id"] for row in [*earlier.changes.get("budgets", []), *body.model_dump()["budgets"]]}
    return NewRequest(
        **{
            **before,
            **given,
            "assumptions": {**before.get("assumptions", {}), **body.assumptions},
            "pins": [*(row for row in before.get("pins", []) if row["project"] not in about), *asked["pins"]],
            "budgets": [*(row for row in before.get("budgets", []) if row["fund"] not in funds), *asked["budgets"]],
        },
        case_id=plan.case_id,
        name=body.name or f"What if: {plan.name}"[:200],
    )
