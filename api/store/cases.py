"""Cases as rows and folders."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from api.auth.principal import Principal
from api.intake import move_in, size_of
from api.problems import conflict
from api.store.models import CaseRow, ComparisonRow, PlanRow, RequestRow, RunEventRow, RunRow, new_id, now
from api.store.scope import scope_of
from api.store.store import Store


@dataclass(frozen=True)
class CheckedCase:
    """A case folder that has been found valid."""

    folder: Path
    about: Mapping[str, Any]
    warnings: list[Any]
    files: Mapping[str, str]

    @property
    def councils(self) -> frozenset[str]:
        """Codes of the councils that it is about."""
        return frozenset(council["code"] for council in self.about["councils"])


def add(
    session: Session, store: Store, case: CheckedCase, owner: Principal, partnership: str | None, earlier: CaseRow | None = None
) -> CaseRow:
    """Store a case; its folder takes its place. ``earlier``: the version that it follows."""
    key = new_id("case")
    version = 1
    if earlier is not None:
        version += session.scalar(select(func.max(CaseRow.version)).where(CaseRow.series_id == earlier.series_id)) or 0
    row = CaseRow(
        id=key,
        owner=owner.subject,
        scope_id=scope_of(session, case.councils),
        partnership=partnership,
        name=case.about["name"][:200],
        created_at=now(),
        series_id=earlier.series_id if earlier else key,
        version=version,
        disclosure=case.about["disclosure"],
        sha256=hashlib.sha256(json.dumps(dict(sorted(case.files.items()))).encode()).hexdigest(),
        files=dict(case.files),
        size_bytes=size_of(case.folder),
        about=dict(case.about),
        warnings=case.warnings,
    )
    session.add(row)
    session.flush()
    move_in(case.folder, store.cases / key)
    return row


def versions(session: Session, case: CaseRow) -> list[CaseRow]:
    """All versions, newest first."""
    query = select(CaseRow).where(CaseRow.series_id == case.series_id).order_by(CaseRow.version.desc())
    return list(session.scalars(query))


def remove(session: Session, case: CaseRow, with_plans: bool) -> list[str]:
    """Delete a case's row, and all that was made from it when asked. Returns the ids of the plans that went.

    Raises ApiError (409) while runs are under way, or when plans stand and ``with_plans`` is false.
    """
    under_way = select(func.count()).select_from(RunRow).where(RunRow.case_id == case.id, RunRow.state.in_(("queued", "running")))
    if session.scalar(under_way):
        raise conflict("Runs of this case are under way. Cancel them first.")
    plans = list(session.scalars(select(PlanRow.id).where(PlanRow.case_id == case.id)))
    if plans and not with_plans:
        raise conflict(f"{len(plans)} plans were made from this case. Delete them first, or delete the case with_plans=true.")
    runs = select(RunRow.id).where(RunRow.case_id == case.id)
    session.execute(delete(ComparisonRow).where(or_(ComparisonRow.first_plan_id.in_(plans), ComparisonRow.second_plan_id.in_(plans))))
    session.execute(delete(PlanRow).where(PlanRow.case_id == case.id))
    session.execute(delete(RunEventRow).where(RunEventRow.run_id.in_(runs)))
    session.execute(delete(RunRow).where(RunRow.case_id == case.id))
    session.execute(delete(RequestRow).where(RequestRow.case_id == case.id))
    session.execute(delete(CaseRow).where(CaseRow.id == case.id))
    return plans


def discard(folder: Path) -> None:
    """Remove a folder whose row is gone."""
    shutil.rmtree(folder, ignore_errors=True)
