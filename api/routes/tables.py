"""Tables of cases and plans, as JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from api import shown
from api.auth.principal import permit
from api.bodies import Strict
from api.conditional import CACHING, ConditionalRoute, etag_of, unchanged
from api.kept import Kept
from api.problems import ApiError, not_found, problems
from api.routes.plans import find_plan
from api.settings import Settings
from api.shown import TableRows, World
from api.state import Caller, SettingsDep, StoreDep
from api.store import rows
from api.store.models import CaseRow
from api.tabular import Positions, csv_bytes, described, page_json, read_choice
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.schemas import SCHEMAS

router = APIRouter(tags=["tables"], route_class=ConditionalRoute)
PAGES_BYTES: Final = 64 << 20
FOUND_BYTES: Final = 128 << 20
CSV_ROWS: Final = 50_000
FILTERS: Final = (
    "Filter by any column: `?council_code=E06000001` (repeated: any of these), `?pupils.min=5`, `?pupils.max=20`. "
    "A value of `ETag` sent back as `If-None-Match` is answered 304."
)

Sort = Annotated[
    str | None, Query(max_length=200, description="Columns, comma between them, `-` before one for downwards: `-pupils,area_id`")
]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1, description="Rows to leave out at the beginning: `next` of the answer before")]
Rows = Annotated[int, Query(ge=1, le=100_000, description="Most rows in one answer; CSV has all rows when it is left out")]
Format = Annotated[Literal["json", "csv"] | None, Query(description="Default: what the Accept header asks for, else JSON")]
Which = Annotated[World, Query(description="plan; counterfactual: committed projects only; rule: cheapest places first")]


_pages = Kept[bytes](PAGES_BYTES, len)
_found = Kept[Positions](FOUND_BYTES, lambda positions: positions.nbytes if isinstance(positions, np.ndarray) else 0)


class ColumnBody(Strict):
    """A column of a table."""

    name: str
    type: str
    unit: str
    description: str


class TableBody(Strict):
    """A table."""

    name: str
    description: str
    columns: list[ColumnBody]


class TablePage(Strict):
    """Some rows of a table."""

    items: list[dict[str, Any]] = Field(description="Column -> value; an empty cell is null")
    total: int = Field(description="Rows that fit the filters")
    next: int | None = Field(description="Offset of the rest; null at the end")


ANSWER: Final[dict[int | str, dict[str, Any]]] = problems(401, 403, 404, 422) | {
    200: {"model": TablePage, "content": {"text/csv": {"schema": {"type": "string"}}}, "description": "Rows"},
    304: {"description": "Not changed since"},
}


@router.get("/plans/{plan_id}/tables", responses=problems(401, 403, 404), summary="Tables of a plan")
def of_plan(plan_id: str, store: StoreDep, caller: Caller) -> list[TableBody]:
    """The tables of a plan with their columns and units."""
    find_plan(plan_id, store, caller)
    return [_about(name, schema) for name, schema in PLAN_SCHEMAS.items()]


@router.get("/plans/{plan_id}/tables/{table}", response_model=None, responses=ANSWER, summary="A table of a plan", description=FILTERS)
def plan_rows(
    plan_id: str,
    table: str,
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    caller: Caller,
    world: Which = "plan",
    sort: Sort = None,
    offset: Offset = 0,
    limit: Rows | None = None,
    format: Format = None,
) -> Response:
    """Rows of a result table."""
    plan = find_plan(plan_id, store, caller)
    if table not in PLAN_SCHEMAS:
        raise not_found("table", table)
    name = f"{plan.id}-{table}" if world == "plan" else f"{plan.id}-{world}-{table}"
    return table_rows(request, settings, name, lambda: shown.plan_rows(store, plan, table, world), sort, offset, limit, format)


@router.get("/cases/{case_id}/tables", responses=problems(401, 403, 404), summary="Tables of a case")
def of_case(case_id: str, store: StoreDep, caller: Caller) -> list[TableBody]:
    """The tables of a case with their columns and units."""
    with store.read() as session:
        permit(caller, "read", rows.scoped(session, rows.find(session, CaseRow, case_id, caller)))
    return [_about(name, schema) for name, schema in SCHEMAS.items()]


@router.get("/cases/{case_id}/tables/{table}", response_model=None, responses=ANSWER, summary="A table of a case", description=FILTERS)
def case_rows(
    case_id: str,
    table: str,
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    caller: Caller,
    sort: Sort = None,
    offset: Offset = 0,
    limit: Rows | None = None,
    format: Format = None,
) -> Response:
    """Rows of an input table."""
    with store.read() as session:
        case = rows.find(session, CaseRow, case_id, caller)
        permit(caller, "read", rows.scoped(session, case))
    if table not in SCHEMAS:
        raise not_found("table", table)
    return table_rows(request, settings, f"{case.id}-{table}", lambda: shown.case_rows(store, case, table), sort, offset, limit, format)


def table_rows(
    request: Request,
    settings: Settings,
    name: str,
    read: Callable[[], TableRows],
    sort: str | None,
    offset: int,
    limit: int | None,
    form: str | None,
) -> Response:
    """Rows of a table that never changes: its name and the query are its version."""
    if limit is not None and limit > settings.limits.page_rows:
        raise ApiError(422, "invalid-input", f"At most {settings.limits.page_rows:,} rows in one answer; take CSV for all.")
    form = form or ("csv" if "text/csv" in request.headers.get("accept", "") else "json")
    etag = etag_of(name, sorted(request.query_params.multi_items()), form)
    if (same := unchanged(request, etag)) is not None:
        return same
    table = read()
    choice = read_choice(request.query_params, table.dtypes, sort)
    headers = {"ETag": etag, **CACHING}

    def found() -> Positions:
        return _found.get((name, choice), lambda: table.find(choice))

    if form == "csv":
        headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        positions = found()[offset:] if limit is None else found()[offset : offset + limit]
        return StreamingResponse(csv_parts(table, positions), headers=headers, media_type="text/csv; charset=utf-8")

    def made() -> bytes:
        positions = found()
        return page_json(table.take(positions[offset : offset + (limit or 100)]), offset, len(positions))

    return Response(_pages.get((name, choice, offset, limit), made), headers=headers, media_type="application/json")


def csv_parts(table: TableRows, positions: Positions) -> Iterator[bytes]:
    """Part after part, so that a large table need not fit into memory; the heading comes even without rows."""
    yield csv_bytes(table.take(positions[:CSV_ROWS]))
    for at in range(CSV_ROWS, len(positions), CSV_ROWS):
        yield csv_bytes(table.take(positions[at : at + CSV_ROWS]), header=False)


def _about(name: str, schema: Any) -> TableBody:
    columns = [ColumnBody(**column) for column in described(schema)]
    return TableBody(name=name, description=" ".join(str(schema.__doc__).split()), columns=columns)
