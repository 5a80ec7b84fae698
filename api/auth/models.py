"""Rows of keys and of the audit trail."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models import Base, now


class KeyRow(Base):
    """An API key: what it may do, and a keyed hash of its secret. Rows stay when a key is revoked, so that the trail can be read."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    secret_hash: Mapped[str] = mapped_column(String(64))
    roles: Mapped[list[Any]]
    councils: Mapped[list[Any]]
    """ONS codes, or ``["*"]``."""
    partnerships: Mapped[list[Any]]
    """Names, or ``["*"]``."""
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_on: Mapped[date | None]


class TrailRow(Base):
    """One change or download: who, what, when, which resource, how it ended. Append-only: the database refuses other changes."""

    __tablename__ = "audit_trail"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    owner: Mapped[str] = mapped_column(String(255), index=True)
    """Subject of the principal who asked."""
    action: Mapped[str] = mapped_column(String(200), index=True)
    """Method and path template, ``POST /v1/cases``, or the command."""
    resource: Mapped[str] = mapped_column(String(500), index=True)
    """Ids, separated by blanks."""
    scope_id: Mapped[str] = mapped_column(String(40), index=True)
    """The councils of the resource (``scope_councils``)."""
    status: Mapped[int]
    """HTTP status of the answer."""
    request_id: Mapped[str] = mapped_column(String(64), index=True)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    """Keyed hash over the row and the hash of the row before."""


class TrailHeadRow(Base):
    """Number and hash of the trail's last row: one row, locked while the next is written."""

    __tablename__ = "audit_trail_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
