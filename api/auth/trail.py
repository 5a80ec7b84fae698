"""The audit trail: every change and every download, in a chain of keyed hashes, so that a changed or missing row shows.

A row's hash covers the row and the hash before it, keyed with the service's secret; the head keeps the last number and hash. Whoever can
write to the database but doesn't have the secret can't make a chain that holds. Whoever restores an old copy of the whole database can:
note the head elsewhere from time to time (`GET /v1/trail/integrity`), and compare.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from api.auth.models import TrailHeadRow, TrailRow
from api.auth.principal import Principal
from api.auth.secret import keyed_hash
from api.store.models import Resource, now
from api.store.scope import scope_of, visible

START: Final = "0" * 64
HEAD: Final = 1
CHUNK: Final = 2000


@dataclass(frozen=True)
class Deed:
    """What the trail is to remember. ``subject`` is an opaque id; nothing here names a person or quotes what was sent."""

    subject: str
    action: str
    resource: str
    councils: frozenset[str]
    status: int
    request_id: str


@dataclass(frozen=True)
class Integrity:
    """Whether the chain holds. ``broken_at``: number of the first row that is missing, changed or out of place."""

    holds: bool
    rows: int
    head: str
    broken_at: int | None


def append(session: Session, key: bytes, deed: Deed) -> TrailRow:
    """Add a row at the chain's end; the head is locked until the caller commits."""
    head = session.get(TrailHeadRow, HEAD, with_for_update=True)
    if head is None:
        raise RuntimeError("the audit trail has no head: the database is not one that the migrations made")
    row = TrailRow(
        number=head.number + 1,
        at=now(),
        owner=deed.subject,
        action=deed.action[:200],
        resource=deed.resource[:500],
        scope_id=scope_of(session, deed.councils),
        status=deed.status,
        request_id=deed.request_id[:64],
        previous=head.hash,
    )
    row.hash = _hash(key, row)
    head.number, head.hash = row.number, row.hash
    session.add(row)
    session.flush()
    return row


def seen_by(administrator: Principal) -> ColumnElement[bool]:
    """Rows about the administrator's councils; rows about no council are for those who have all, and for who did the deed."""
    return visible(cast(type[Resource], TrailRow), administrator)


def verify(session: Session, key: bytes) -> Integrity:
    """Recompute the whole chain."""
    number, previous = 0, START
    while rows := list(session.scalars(select(TrailRow).where(TrailRow.number > number).order_by(TrailRow.number).limit(CHUNK))):
        for row in rows:
            if row.number != number + 1 or row.previous != previous or row.hash != _hash(key, row):
                return Integrity(False, number, previous, number + 1)
            number, previous = row.number, row.hash
        session.expunge_all()
    head = session.get(TrailHeadRow, HEAD)
    if head is None or (head.number, head.hash) != (number, previous):
        return Integrity(False, number, previous, number + 1)
    return Integrity(True, number, previous, None)


def _hash(key: bytes, row: TrailRow) -> str:
    said: list[Any] = [
        row.number,
        row.at.isoformat(),
        row.owner,
        row.action,
        row.resource,
        row.scope_id,
        row.status,
        row.request_id,
        row.previous,
    ]
    return keyed_hash(key, json.dumps(said, ensure_ascii=False))
