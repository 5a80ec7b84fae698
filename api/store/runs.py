"""The queue of runs. A run is held by one worker at a time: its claim is the pair (worker, attempt), kept alive by a lease.

Every change that a worker makes names its claim, so that one that was thought dead and comes back changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, CursorResult, Update, case, func, select, update
from sqlalchemy.orm import Session

from api.auth.principal import Principal
from api.problems import conflict, too_many
from api.settings import Settings
from api.store.models import PlanRow, RequestRow, RunEventRow, RunRow, new_id, now

UNFINISHED: Final = ("queued", "running")
ENDED: Final = ("finished", "failed", "cancelled")


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a run."""

    run_id: str
    worker: str
    attempt: int


def enqueue(
    session: Session, request: RequestRow, owner: Principal, name: str, *, batch_id: str | None = None, retry_of: str | None = None
) -> RunRow:
    """Store a run that waits."""
    row = RunRow(
        id=new_id("run"),
        owner=owner.subject,
        scope_id=request.scope_id,
        partnership=request.partnership,
        name=name,
        created_at=now(),
        case_id=request.case_id,
        request_id=request.id,
        batch_id=batch_id,
        retry_of=retry_of,
        state="queued",
        phase="",
        attempt=0,
    )
    session.add(row)
    session.flush()
    note(session, row.id, "state", {"state": "queued"})
    return row


def refuse_if_full(session: Session, owner: Principal, settings: Settings) -> None:
    """Raises ApiError (429) when the owner has as many unfinished runs, without those of batches, as one may have."""
    count = select(func.count()).select_from(RunRow)
    waiting = session.scalar(count.where(RunRow.owner == owner.subject, RunRow.state.in_(UNFINISHED), RunRow.batch_id.is_(None))) or 0
    most = settings.limits.queue_length
    if waiting >= most:
        raise too_many(f"{waiting} of your runs wait or are under way; {most} are allowed. Wait for one to end, or cancel one.")


def claim(session: Session, worker: str, lease_s: float) -> RunRow | None:
    """The longest waiting run, now this worker's; runs of batches come after single ones. None when none waits."""
    first = (
        select(RunRow.id)
        .where(RunRow.state == "queued")
        .order_by(case((RunRow.batch_id.is_(None), 0), else_=1), RunRow.created_at, RunRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = {
        "state": "running",
        "worker": worker,
        "attempt": RunRow.attempt + 1,
        "lease_until": now() + timedelta(seconds=lease_s),
        "started_at": now(),
        "phase": "Starting",
        "incumbent_gbp": None,
        "bound_gbp": None,
    }
    row = session.scalar(update(RunRow).where(RunRow.id == first, RunRow.state == "queued").values(taken).returning(RunRow))
    if row is not None:
        note(session, row.id, "state", {"state": "running", "attempt": row.attempt})
    return row


def keep(session: Session, held: Claim, lease_s: float, progress: Mapping[str, Any]) -> bool | None:
    """Renew the lease and store the progress. Returns whether the run is to be cancelled; None when the claim is lost."""
    values = {"lease_until": now() + timedelta(seconds=lease_s), **progress}
    row = session.scalar(_held(held).values(values).returning(RunRow))
    if row is None:
        return None
    if progress:
        note(session, row.id, "progress", dict(progress))
    return row.cancel_asked_at is not None


def end(session: Session, held: Claim, state: str, *, failure: Mapping[str, Any] | None = None, plan: PlanRow | None = None) -> bool:
    """End a run, with its plan where there is one. False when the claim is lost, and then nothing is changed."""
    values = {
        "state": state,
        "failure": dict(failure) if failure else None,
        "finished_at": now(),
        "lease_until": None,
        "plan_id": plan.id if plan else None,
        "phase": "",
    }
    if not _changed(session, _held(held).values(values)):
        return False
    if plan is not None:
        session.add(plan)
        session.flush()
    note(session, held.run_id, "state", {"state": state, "plan_id": values["plan_id"], "failure": values["failure"]})
    return True


def give_back(session: Session, held: Claim) -> None:
    """Put a run back into the queue; its attempt does not count. For a worker that is told to stop."""
    values = {"state": "queued", "worker": None, "lease_until": None, "attempt": held.attempt - 1, "phase": ""}
    if _changed(session, _held(held).values(values)):
        note(session, held.run_id, "state", {"state": "queued", "reason": "its worker stopped"})


def lose(session: Session, attempts: int, *, worker: str | None = None, held: Claim | None = None) -> int:
    """Take up again the runs whose lease has run out, or those of a worker, or of one claim, known to be lost. Returns their number.

    A run that was begun ``attempts`` times fails; one that was to be cancelled is cancelled.
    """
    lost: tuple[ColumnElement[bool], ...] = (RunRow.lease_until < now(),)
    if worker is not None:
        lost = (RunRow.worker == worker,)
    elif held is not None:
        lost = _mine(held)
    found = list(session.scalars(select(RunRow).where(RunRow.state == "running", *lost).with_for_update(skip_locked=True)))
    for row in found:
        row.worker, row.lease_until, row.phase = None, None, ""
        if row.cancel_asked_at is not None:
            row.state, row.finished_at = "cancelled", now()
        elif row.attempt >= attempts:
            row.state, row.finished_at = "failed", now()
            row.failure = {"reason": "lost", "detail": f"Its worker was lost {row.attempt} times, most likely by the run itself."}
        else:
            row.state = "queued"
        session.flush()
        note(session, row.id, "state", {"state": row.state, "reason": "its worker was lost", "failure": row.failure})
    return len(found)


def cancel(session: Session, row: RunRow) -> None:
    """Cancel at once what waits; ask the worker to end what runs. Raises ApiError (409) when it has ended."""
    session.refresh(row, with_for_update=True)
    if row.state in ENDED:
        raise conflict(f"The run has ended already: {row.state}.")
    if row.state == "queued":
        row.state, row.finished_at = "cancelled", now()
        session.flush()
        note(session, row.id, "state", {"state": "cancelled", "plan_id": None, "failure": None})
    elif row.cancel_asked_at is None:
        row.cancel_asked_at = now()
        session.flush()
        note(session, row.id, "progress", {"cancelling": True})


def events(session: Session, run_id: str, after: int) -> list[RunEventRow]:
    """What happened since event number ``after``, in order."""
    query = select(RunEventRow).where(RunEventRow.run_id == run_id, RunEventRow.number > after).order_by(RunEventRow.number)
    return list(session.scalars(query))


def note(session: Session, run_id: str, what: str, data: dict[str, Any]) -> None:
    """Add an event. The caller has changed the run's row before, so that two never take the same number."""
    last = session.scalar(select(func.max(RunEventRow.number)).where(RunEventRow.run_id == run_id)) or 0
    session.add(RunEventRow(run_id=run_id, number=last + 1, at=now(), what=what, data=data))
    session.flush()


def _held(held: Claim) -> Update:
    return update(RunRow).where(RunRow.state == "running", *_mine(held))


def _mine(held: Claim) -> tuple[ColumnElement[bool], ...]:
    return RunRow.id == held.run_id, RunRow.worker == held.worker, RunRow.attempt == held.attempt


def _changed(session: Session, statement: Update) -> bool:
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1
