"""Questions about a plan, answered by runs of the same queue: why it is as it is, what money would buy, what it is robust against.

For pages: POST a question, follow the run it answers with, then GET `/plans/{plan_id}/explain` ("why here", "why not here", "what would
another GBP 1m buy") or a table of any question (`/plans/{plan_id}/questions/{run_id}/frontier` is the chart's points).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field
from sqlalchemy import select

from api import shown
from api.auth.principal import permit
from api.bodies import Strict, example
from api.conditional import ConditionalRoute
from api.once import OnceDep
from api.problems import conflict, not_found, problems
from api.routes.plans import find_plan
from api.routes.requests import NewRequest, add_request
from api.routes.runs import RunBody, State, accepted
from api.routes.tables import ANSWER, FILTERS, Format, Offset, Rows, Sort, table_rows
from api.shown import ANSWERS, Question
from api.state import Caller, SettingsDep, StoreDep
from api.store import Store, rows, runs
from api.store.models import PlanRow, RequestRow, RunRow
from api.tabular import Whole

router = APIRouter(prefix="/plans", tags=["questions"], route_class=ConditionalRoute)
MOST_LISTED = 50


class NewQuestion(Strict):
    """What is asked about a plan. Each kind heeds the fields that name it."""

    model_config = example({"kind": "explain", "extra_gbp": 1_000_000})

    kind: Question = Field(
        description="explain: what more money buys, what was left out and why, who waits and why, near alternatives; "
        "frontier: the cheapest plans for ever tighter limits; robust: shared projects for several demand scenarios"
    )
    extra_gbp: float = Field(1_000_000, ge=1, le=1e10, description="explain: more capital for a council, partnership or region, GBP")
    year: str | None = Field(None, pattern=r"^\d{4}-\d{2}$", description="explain: financial year of it (default: all with money)")
    within: float = Field(0.01, ge=0, le=1, description="explain: alternatives within this share of the plan's cost")
    most: int = Field(5, ge=0, le=50, description="explain: how many projects to leave out in turn")
    over: Literal["travel", "independent", "unmet"] = Field("travel", description="frontier: what is limited")
    points: int = Field(5, ge=2, le=20, description="frontier: plans to make")
    scenarios: dict[str, float] = Field({}, max_length=10, description="robust: demand scenario -> probability; they sum to 1")
    risk: Literal["expected", "cvar", "regret"] = Field("expected", description="robust: what is made least")
    tail: float = Field(0.2, ge=0.01, le=1, description="robust, cvar: share of the worst futures that counts")


class QuestionBody(Strict):
    """A question and how it stands."""

    run_id: str
    kind: Question
    asked: dict[str, Any]
    state: State
    tables: list[str] = Field(description="Tables of the answer, once it is there")
    summary: dict[str, Any] = Field(description="Headline of the answer: plan_gbp and extra_gbp; over; risk, value_gbp, bound_gbp and gap")


class Explained(Strict):
    """The newest answer to `explain`; all empty when it was never answered."""

    run_id: str | None
    summary: dict[str, Any]
    marginal: list[dict[str, Any]] = Field(description="By council: what the money would save and the best project for it")
    not_chosen: list[dict[str, Any]] = Field(description="By project left out: net_saving_gbp, lacking_gbp, reason, and `said` in words")
    why_unmet: list[dict[str, Any]] = Field(description="Pupils without a place by council, need, phase, year and reason")
    alternatives: list[dict[str, Any]] = Field(description="By project left out in turn: extra_gbp, what is built instead")


@router.post(
    "/{plan_id}/questions", status_code=202, response_model=RunBody, responses=problems(401, 403, 404, 409, 422, 429), summary="Ask"
)
def create(plan_id: str, body: NewQuestion, store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """A run that answers a question about an open plan. It ends without a plan; its tables stand under the plan's questions."""
    with store.read() as session:
        plan = rows.find(session, PlanRow, plan_id, caller)
        permit(caller, "create", rows.scoped(session, plan))
        earlier = session.get_one(RequestRow, plan.request_id)
    if plan.disclosure != "open":
        raise conflict("Questions are answered for open plans only: answers are differences of exact plans, which tell small counts.")
    asked = body.model_dump()
    request_body = NewRequest(**{**earlier.settings, "case_id": plan.case_id, "name": f"{body.kind}: {plan.name}"[:200]})
    with store.write() as session:
        if (known := once.earlier(session)) is not None:
            return known
        runs.refuse_if_full(session, caller, settings)
        request = add_request(session, settings, caller, request_body, base_plan_id=plan.id, changes={"question": asked})
        return once.keep(session, accepted(runs.enqueue(session, request, caller, request.name)))


@router.get("/{plan_id}/questions", responses=problems(401, 403, 404), summary="Questions about a plan")
def index(plan_id: str, store: StoreDep, caller: Caller) -> list[QuestionBody]:
    """What was asked about a plan, newest first, at most 50."""
    return _questions(store, find_plan(plan_id, store, caller))[:MOST_LISTED]


@router.get("/{plan_id}/explain", responses=problems(401, 403, 404), summary="Why a plan is as it is")
def explain(plan_id: str, store: StoreDep, caller: Caller) -> Explained:
    """The tables of the newest answered `explain`, whole."""
    plan = find_plan(plan_id, store, caller)
    answered = [one for one in _questions(store, plan) if one.kind == "explain" and one.tables]
    if not answered:
        return Explained(run_id=None, summary={}, **{name: [] for name in ANSWERS["explain"]})
    newest = answered[0]
    tables = {name: shown.answer_rows(store, plan, newest.run_id, name) for name in ANSWERS["explain"]}
    return Explained(run_id=newest.run_id, summary=newest.summary, **tables)


@router.get(
    "/{plan_id}/questions/{run_id}/{table}", response_model=None, responses=ANSWER, summary="A table of an answer", description=FILTERS
)
def answer_table(
    plan_id: str,
    run_id: str,
    table: Annotated[str, Path(description="One of the tables that the question lists")],
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    caller: Caller,
    sort: Sort = None,
    offset: Offset = 0,
    limit: Rows | None = None,
    format: Format = None,
) -> Response:
    """Rows of an answer's table."""
    plan = find_plan(plan_id, store, caller)
    asked = next((one for one in _questions(store, plan) if one.run_id == run_id), None)
    if asked is None or table not in asked.tables:
        raise not_found("table", table)
    name = f"{plan.id}-{run_id}-{table}"
    return table_rows(request, settings, name, lambda: Whole(shown.answer_table(store, plan, run_id, table)), sort, offset, limit, format)


def _questions(store: Store, plan: PlanRow) -> list[QuestionBody]:
    query = (
        select(RunRow, RequestRow)
        .join(RequestRow, RunRow.request_id == RequestRow.id)
        .where(RequestRow.base_plan_id == plan.id)
        .order_by(RunRow.created_at.desc(), RunRow.id)
    )
    with store.read() as session:
        found = [(run, request.changes["question"]) for run, request in session.execute(query) if "question" in request.changes]
    return [_body(store, plan, run, asked) for run, asked in found]


def _body(store: Store, plan: PlanRow, run: RunRow, asked: dict[str, Any]) -> QuestionBody:
    summary = shown.answer_summary(store, plan, run.id) if run.state == "finished" else None
    tables = [] if summary is None else list(ANSWERS[asked["kind"]])
    return QuestionBody.model_validate(
        {"run_id": run.id, "kind": asked["kind"], "asked": asked, "state": run.state, "tables": tables, "summary": summary or {}}
    )
