"""Finding and listing rows, within what the caller may see."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from api.auth.principal import Principal, Scoped, sees
from api.problems import ApiError, not_found
from api.store.models import Resource
from api.store.scope import councils_of, visible

Row = TypeVar("Row", bound=Resource)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, newest first; ``next`` is the cursor of the rest."""

    items: list[Row]
    next: str | None


def find(session: Session, model: type[Row], key: str, principal: Principal) -> Row:
    """The row, or the same 404 whether it does not exist or is not the caller's to see."""
    row = session.scalar(select(model).where(model.id == key, visible(model, principal)))
    if row is None:
        raise not_found(model.kind, key)
    return row


def scoped(session: Session, row: Resource) -> Scoped:
    """The row as ``permit`` wants it."""
    return row.scoped(councils_of(session, row.scope_id))


def page(
    session: Session,
    model: type[Row],
    principal: Principal,
    *wanted: ColumnElement[bool],
    limit: int,
    cursor: str | None,
) -> Page[Row]:
    """Rows that the caller may see and that fulfil ``wanted``. Raises ApiError (422) for a cursor that was not given out."""
    query = select(model).where(visible(model, principal), *wanted)
    if cursor:
        at, key = read_cursor(cursor)
        query = query.where(or_(model.created_at < at, and_(model.created_at == at, model.id < key)))
    rows = list(session.scalars(query.order_by(model.created_at.desc(), model.id.desc()).limit(limit + 1)))
    return Page(rows[:limit], cursor_of(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else None)


def cursor_of(at: datetime, key: str) -> str:
    """The cursor that a list goes on from: time and key of the last row shown."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {key}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Time and key of a cursor. Raises ApiError (422) for one that was not given out."""
    try:
        at, key = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        return datetime.fromisoformat(at), key
    except (ValueError, binascii.Error) as error:
        raise ApiError(422, "invalid-input", "The cursor is not one that this list gave out.") from error


def is_visible(session: Session, row: Resource, principal: Principal) -> bool:
    """Whether the caller may see the row."""
    return sees(principal, councils_of(session, row.scope_id))
