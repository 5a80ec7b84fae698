"""Rows of the store. Each resource bears its owner, its set of councils (``scope_id``) and its partnership.

Times are UTC. Ids are random, so that none can be guessed.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, DateTime, Float, ForeignKey, Index, Integer, LargeBinary, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.auth.principal import Scoped


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC on every database; SQLite itself knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables; alembic compares the database with it."""

    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it from the class)
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        bytes: LargeBinary,
        float: Float(53),
    }


def now() -> datetime:
    """The time as the store keeps it."""
    return datetime.now(UTC)


def new_id(kind: str) -> str:
    """``plan`` -> ``plan-`` and 20 random hexadecimal digits."""
    return f"{kind}-{secrets.token_hex(10)}"


EMPTY_SCOPE: Final = "scope-none"
"""The set without any council: only those who have every council see what bears it."""


class ScopeCouncil(Base):
    """A set of councils, one row per council; resources about the same councils share it."""

    __tablename__ = "scope_councils"

    scope_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    council_code: Mapped[str] = mapped_column(String(16), primary_key=True, index=True)


class Resource:
    """What every resource bears."""

    kind: str

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), index=True)
    scope_id: Mapped[str] = mapped_column(String(40), index=True)
    partnership: Mapped[str | None] = mapped_column(String(100), index=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)

    def scoped(self, councils: frozenset[str]) -> Scoped:
        """The resource as far as permission is concerned."""
        return Scoped(self.kind, self.id, self.owner, councils, self.partnership)


class CaseRow(Resource, Base):
    """A case: one version of it. Its folder bears the id."""

    __tablename__ = "cases"
    kind = "case"

    series_id: Mapped[str] = mapped_column(String(40), index=True)
    """Id of the first version."""
    version: Mapped[int]
    disclosure: Mapped[str] = mapped_column(String(20))
    sha256: Mapped[str] = mapped_column(String(64))
    """Over the names and hashes of the files."""
    files: Mapped[dict[str, Any]]
    """File -> sha256."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    about: Mapped[dict[str, Any]]
    """Level, years, programme, price base, councils with names, counts, sources, notes, totals."""
    warnings: Mapped[list[Any]]


class AssumptionsRow(Resource, Base):
    """A named set of assumption overrides."""

    __tablename__ = "assumption_sets"
    kind = "assumption set"

    values: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(String(2000))


class RequestRow(Resource, Base):
    """What is asked on top of a case: the fields of PlanRequest, and changes of an earlier plan (what-if)."""

    __tablename__ = "plan_requests"
    kind = "request"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    settings: Mapped[dict[str, Any]]
    base_plan_id: Mapped[str | None] = mapped_column(String(40), index=True)
    changes: Mapped[dict[str, Any]]


class BatchRow(Resource, Base):
    """Many runs asked for at once."""

    __tablename__ = "batches"
    kind = "batch"

    runs_asked: Mapped[int]


class RunRow(Resource, Base):
    """One making of a plan: waits, runs, ends once."""

    __tablename__ = "runs"
    kind = "run"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("plan_requests.id"), index=True)
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batches.id"), index=True)
    retry_of: Mapped[str | None] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20))
    """queued, running, finished, failed, cancelled."""
    worker: Mapped[str | None] = mapped_column(String(120))
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    cancel_asked_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    phase: Mapped[str] = mapped_column(String(200), default="")
    incumbent_gbp: Mapped[float | None]
    bound_gbp: Mapped[float | None]
    failure: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    plan_id: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (Index("ix_runs_state_created_at", "state", "created_at"),)


class RunEventRow(Base):
    """What happened in a run, in order: the source of server-sent events."""

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    what: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]]


class PlanRow(Resource, Base):
    """A plan. Its folder bears the id."""

    __tablename__ = "plans"
    kind = "plan"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("plan_requests.id"), index=True)
    run_id: Mapped[str] = mapped_column(String(40), unique=True)
    disclosure: Mapped[str] = mapped_column(String(20))
    summary: Mapped[dict[str, Any]]
    audit_passed: Mapped[bool]
    approved_by: Mapped[str | None] = mapped_column(String(255))
    approved_at: Mapped[datetime | None]


class ComparisonRow(Resource, Base):
    """Two plans side by side."""

    __tablename__ = "comparisons"
    kind = "comparison"

    first_plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"), index=True)
    second_plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"), index=True)
    result: Mapped[dict[str, Any]]


class AnswerRow(Base):
    """The answer to a request that bore an idempotency key, given again when the request comes again."""

    __tablename__ = "idempotent_answers"

    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
