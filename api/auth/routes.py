"""Keys, the audit trail, and who one is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import and_, or_, select

from api.auth import trail
from api.auth.context import AuthDep
from api.auth.keys import Grant, create_key, is_live, key_of, keys_of, revoke, scoped_key
from api.auth.models import KeyRow, TrailRow
from api.auth.principal import Role, note, permit, permit_service, scope_names, scope_of
from api.problems import problems
from api.state import Caller, Cursor, Limit, StoreDep
from api.store.rows import cursor_of, read_cursor

router = APIRouter()

Name = Annotated[str, Field(min_length=1, max_length=100)]
Names = Annotated[list[Name], Field(max_length=400)]


class MeBody(BaseModel):
    """Who the caller is, as the service understood the credential."""

    subject: str = Field(description="Opaque id of the caller", examples=["key:0123456789abcdef"])
    roles: list[Role]
    councils: list[str] = Field(description="ONS codes; `*` stands for all", examples=[["E06000001"]])
    partnerships: list[str] = Field(description="Names; `*` stands for all", examples=[["South West"]])


class NewKey(BaseModel):
    """What a new key may do."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "nightly batch", "roles": ["planner"], "councils": ["E06000001"], "partnerships": []}]},
    )

    name: Name = Field(description="What the key is for; not a person's name")
    roles: list[Role] = Field(min_length=1, max_length=4)
    councils: Names = Field(default=[], description="ONS codes; `*` stands for all")
    partnerships: Names = Field(default=[], description="Names; `*` stands for all")
    days: int | None = Field(default=None, ge=1, le=3660, description="Days until it stops to count; null: when it is revoked")


class KeyBody(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    roles: list[Role]
    councils: list[str]
    partnerships: list[str]
    created_by: str = Field(description="Opaque id of who made it")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_on: str | None = Field(description="Day of the last use (UTC)")
    live: bool = Field(description="Whether it counts at this moment")


class MadeKey(KeyBody):
    """A key just made."""

    key: str = Field(description="The key itself. It is shown this once and can't be had again.")


class KeyList(BaseModel):
    """All keys that the caller looks after, newest first."""

    items: list[KeyBody]


class DeedBody(BaseModel):
    """One row of the trail."""

    at: datetime
    subject: str = Field(description="Opaque id of who did it")
    action: str = Field(description="Method and path template", examples=["POST /v1/cases"])
    resource: str = Field(description="Ids of the resources, separated by blanks")
    status: int = Field(description="HTTP status of the answer")
    request_id: str


class TrailPage(BaseModel):
    """Part of the trail, newest first."""

    items: list[DeedBody]
    next: str | None = Field(default=None, description="Cursor of the rest; null at the end")


class IntegrityBody(BaseModel):
    """Whether the trail's chain holds. Note `head` elsewhere: a later chain must still contain it."""

    holds: bool
    rows: int
    head: str = Field(description="Hash of the last row")
    broken_at: int | None = Field(description="Number of the first row that is missing or changed")


@router.get("/me", tags=["access"], summary="Who you are", responses=problems(401, 429))
def me(caller: Caller) -> MeBody:
    """The caller's roles and scope."""
    return MeBody(
        subject=caller.subject,
        roles=sorted(caller.roles),
        councils=scope_names(caller.councils),
        partnerships=scope_names(caller.partnerships),
    )


@router.get("/keys", tags=["access"], summary="API keys", responses=problems(401, 403, 429))
def list_keys(caller: Caller, store: StoreDep) -> KeyList:
    """The keys within the administrator's own scope, revoked ones too."""
    permit(caller, "administer", "key")
    with store.read() as session:
        return KeyList(items=[_key_body(row) for row in keys_of(session, caller)])


@router.post("/keys", tags=["access"], summary="Make an API key", status_code=201, responses=problems(401, 403, 422, 429))
def make_key(body: NewKey, response: Response, caller: Caller, store: StoreDep, auth: AuthDep) -> MadeKey:
    """A key with any roles, for councils and partnerships of the administrator's own. The answer holds the key, this once."""
    permit(caller, "administer", "key")
    grant = Grant(body.name, frozenset(body.roles), scope_of(body.councils), scope_of(body.partnerships), body.days)
    with store.write() as session:
        row, key = create_key(session, auth.pepper, caller, grant)
        note(scoped_key(row))
    response.headers["Location"] = f"/v1/keys/{row.id}"
    response.headers["Cache-Control"] = "no-store"
    return MadeKey(**_key_body(row).model_dump(), key=key)


@router.get("/keys/{key_id}", tags=["access"], summary="One API key", responses=problems(401, 403, 404, 422, 429))
def read_key(key_id: str, caller: Caller, store: StoreDep) -> KeyBody:
    """A key without its secret."""
    permit(caller, "administer", "key")
    with store.read() as session:
        row = key_of(session, caller, key_id)
        note(scoped_key(row))
        return _key_body(row)


@router.post("/keys/{key_id}/revoke", tags=["access"], summary="Revoke an API key", responses=problems(401, 403, 404, 422, 429))
def revoke_key(key_id: str, caller: Caller, store: StoreDep) -> KeyBody:
    """The key stops counting with the next request; its row stays, so that the trail can be read."""
    permit(caller, "administer", "key")
    with store.write() as session:
        row = key_of(session, caller, key_id)
        note(scoped_key(row))
        revoke(row)
        return _key_body(row)


@router.get("/trail", tags=["access"], summary="The audit trail", responses=problems(401, 403, 422, 429))
def read_trail(
    caller: Caller,
    store: StoreDep,
    subject: Annotated[str | None, Query(max_length=255, description="Who did it")] = None,
    action: Annotated[str | None, Query(max_length=200, description="Method and path template, or the method alone")] = None,
    resource: Annotated[str | None, Query(max_length=100, description="Id of a resource")] = None,
    request_id: Annotated[str | None, Query(max_length=64)] = None,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    since: Annotated[AwareDatetime | None, Query(description="At or after this time")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this time")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TrailPage:
    """Changes and downloads about the administrator's councils, newest first.

    The cursor is of time and hash, not of the row's number: numbers would tell how much others do.
    """
    permit(caller, "administer", "trail")
    wanted = [trail.seen_by(caller)]
    if subject is not None:
        wanted.append(TrailRow.owner == subject)
    if action is not None:
        wanted.append(or_(TrailRow.action == action, TrailRow.action.startswith(f"{action} ", autoescape=True)))
    if resource is not None:
        wanted.append((" " + TrailRow.resource + " ").contains(f" {resource} ", autoescape=True))
    if request_id is not None:
        wanted.append(TrailRow.request_id == request_id)
    if status is not None:
        wanted.append(TrailRow.status == status)
    if since is not None:
        wanted.append(TrailRow.at >= since)
    if until is not None:
        wanted.append(TrailRow.at < until)
    if cursor is not None:
        at, mark = read_cursor(cursor)
        wanted.append(or_(TrailRow.at < at, and_(TrailRow.at == at, TrailRow.hash < mark)))
    with store.read() as session:
        rows = list(session.scalars(select(TrailRow).where(*wanted).order_by(TrailRow.at.desc(), TrailRow.hash.desc()).limit(limit + 1)))
    return TrailPage(
        items=[_deed_body(row) for row in rows[:limit]],
        next=cursor_of(rows[limit - 1].at, rows[limit - 1].hash) if len(rows) > limit else None,
    )


@router.get("/trail/integrity", tags=["access"], summary="Whether the audit trail is whole", responses=problems(401, 403, 429))
def read_integrity(caller: Caller, store: StoreDep, auth: AuthDep) -> IntegrityBody:
    """Recomputes the chain of hashes; for administrators of all councils."""
    permit_service(caller, "trail's numbers")
    with store.read() as session:
        found = trail.verify(session, auth.trail_key)
    return IntegrityBody(holds=found.holds, rows=found.rows, head=found.head, broken_at=found.broken_at)


def _key_body(row: KeyRow) -> KeyBody:
    return KeyBody(
        id=row.id,
        name=row.name,
        roles=row.roles,
        councils=row.councils,
        partnerships=row.partnerships,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_on=row.last_used_on.isoformat() if row.last_used_on else None,
        live=is_live(row),
    )


def _deed_body(row: TrailRow) -> DeedBody:
    return DeedBody(at=row.at, subject=row.owner, action=row.action, resource=row.resource, status=row.status, request_id=row.request_id)
