"""One claimed run under way, from its claim to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from api.intake import move_in
from api.settings import Settings
from api.store import Store, cases, runs
from api.store.models import CaseRow, PlanRow, RequestRow, RunRow, new_id, now
from api.store.plans import headline

HEARTBEAT_S: Final = 1.0
TOLD: Final = ("phase", "incumbent_gbp", "bound_gbp")
"""What a task tells of its progress; all else of its messages stays out of the run's row."""
log = structlog.get_logger("worker")


class Doing(Protocol):
    """A task under way, here or on another machine: see ``api.jobs.process.Child``."""

    def messages(self) -> list[dict[str, Any]]:
        """What was told since the last call."""

    def hold_to_limits(self) -> None:
        """End the task when it takes more memory than it may, or does not stop when asked to."""

    def cancel(self) -> None:
        """Ask for the best result so far, once; the search ends within seconds."""

    def kill(self, reason: str, detail: str) -> None:
        """End the task at once."""


Launch = Callable[[dict[str, Any], Path], Doing]
"""Starts the making of a plan: its payload, and the folder that it is to be written to."""


class Job:
    """A run that this worker holds."""

    def __init__(self, store: Store, settings: Settings, run: RunRow, request: RequestRow, launch: Launch) -> None:
        assert run.worker is not None
        self.claim = runs.Claim(run.id, run.worker, run.attempt)
        self.ended = False
        self._store, self._settings = store, settings
        self._run, self._request = run, request
        self._out = store.work / f"{run.id}-{run.attempt}" / "plan"
        self._out.parent.mkdir(exist_ok=True)
        self._began = self._beat = time.monotonic()
        self._news: dict[str, Any] = {}
        self._last: dict[str, Any] | None = None
        self._plan_id = new_id("plan")
        self._doing = launch(self._payload(), self._out)

    def step(self) -> None:
        """Hear, hold to the limits, keep the lease, end. Database errors are the caller's: the next step goes on from here."""
        self._hear()
        if self._last is not None:
            self._end(self._last)
            return
        self._hold_to_limits()
        if self._news or time.monotonic() - self._beat >= HEARTBEAT_S:
            self._renew()

    def give_back(self) -> None:
        """Stop, and let another worker take the run up."""
        self._doing.kill("stopped", "The worker stops.")
        with self._store.write() as session:
            runs.give_back(session, self.claim)
        self._tidy()

    def _payload(self) -> dict[str, Any]:
        base = self._request.base_plan_id
        return {
            "case": str(self._store.cases / self._run.case_id),
            "out": str(self._out),
            "settings": self._request.settings,
            "question": self._request.changes.get("question"),
            "pack": self._request.changes.get("pack"),
            "use_base": self._request.changes.get("use", "start"),
            "base_plan": str(self._store.plans / base) if base else None,
        }

    def _hear(self) -> None:
        for message in self._doing.messages():
            if message["what"] == "progress":
                self._news |= {name: message[name] for name in TOLD if name in message}
            else:
                self._last = message

    def _hold_to_limits(self) -> None:
        self._doing.hold_to_limits()
        if time.monotonic() - self._began > self._settings.limits.run_seconds:
            self._doing.cancel()

    def _renew(self) -> None:
        with self._store.write() as session:
            wanted = runs.keep(session, self.claim, self._settings.lease_s, self._news)
        self._beat, self._news = time.monotonic(), {}
        if wanted is None:
            log.warning("claim lost", run=self._run.id)
            self._doing.kill("lost", "Another worker has taken it up.")
            self._tidy()
        elif wanted:
            self._doing.cancel()

    def _end(self, last: dict[str, Any]) -> None:
        if last.get("reason") == "lost":
            with self._store.write() as session:
                runs.lose(session, self._settings.attempts, held=self.claim)
        elif "answered" in last.get("result", {}):
            self._end_with_answer()
        elif "result" in last:
            self._end_with_plan(bool(last["result"]["audit_passed"]))
        else:
            self._end_without_plan(last)
        self._tidy()

    def _end_with_plan(self, audit_passed: bool) -> None:
        folder = self._store.plans / self._plan_id
        if self._out.exists():  # a second try, after the database was away, finds it moved
            move_in(self._out, folder)
        with self._store.write() as session:
            asked = session.get_one(RunRow, self._run.id).cancel_asked_at is not None
            disclosure = session.get_one(CaseRow, self._run.case_id).disclosure
            plan = self._plan_row(folder, disclosure, audit_passed)
            # a commit whose answer was lost with the database has counted, though this try finds the claim gone
            counted = session.get_one(RunRow, self._run.id).plan_id == self._plan_id
            ended = counted or runs.end(session, self.claim, "cancelled" if asked else "finished", plan=plan)
        if not ended:
            cases.discard(folder)
        log.info("run ended", run=self._run.id, state="cancelled" if asked else "finished", kept=ended)

    def _end_with_answer(self) -> None:
        """Tables or a pack beside the plan that was asked about; one that has gone meanwhile needs none."""
        plan_id = str(self._request.base_plan_id)
        with self._store.write() as session:
            if self._out.exists() and session.get(PlanRow, plan_id) is not None:
                self._store.answers(plan_id).mkdir(exist_ok=True)
                move_in(self._out, self._store.answers(plan_id) / self._run.id)
            runs.end(session, self.claim, "finished")  # also where it was cancelled too late: the answer is whole
        log.info("question answered", run=self._run.id)

    def _end_without_plan(self, last: dict[str, Any]) -> None:
        with self._store.write() as session:
            asked = session.get_one(RunRow, self._run.id).cancel_asked_at is not None
            failure = self._failure(last, asked)
            runs.end(session, self.claim, "cancelled" if asked else "failed", failure=failure)
        log.info("run ended", run=self._run.id, state="cancelled" if asked else "failed", reason=failure["reason"])

    def _failure(self, last: dict[str, Any], asked: bool) -> dict[str, Any]:
        problems = last.get("problems") or []
        if problems:
            reason, detail = "invalid", "The request does not fit the case."
        elif last["reason"] != "stopped":
            reason, detail = last["reason"], last["detail"]
        elif not asked:
            reason, detail = "time", f"It had no result after {self._settings.limits.run_seconds:,} seconds, the most that a run may take."
        elif "question" in self._request.changes:
            reason, detail = "cancelled", "The question was cancelled before it was answered."
        elif "pack" in self._request.changes:
            reason, detail = "cancelled", "The pack was cancelled before it was made."
        else:
            reason, detail = "cancelled", "It was cancelled before there was a plan that keeps what is asked for."
        return {"reason": reason, "detail": detail, "problems": problems}

    def _plan_row(self, folder: Path, disclosure: str, audit_passed: bool) -> PlanRow:
        run = self._run
        return PlanRow(
            id=self._plan_id,
            owner=run.owner,
            scope_id=run.scope_id,
            partnership=run.partnership,
            name=run.name,
            created_at=now(),
            case_id=run.case_id,
            request_id=run.request_id,
            run_id=run.id,
            audit_passed=audit_passed,
            disclosure=disclosure,
            summary=headline(folder),
        )

    def _tidy(self) -> None:
        self.ended = True
        with suppress(OSError):
            cases.discard(self._out.parent)
