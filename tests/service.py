"""A service within the test's process, and the steps that many tests begin with."""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from fastapi.testclient import TestClient

from api.app import create_app
from api.jobs.job import Job
from api.jobs.process import Child
from api.jobs.tasks import TASKS
from api.settings import Settings
from api.store import Store, runs
from api.store.models import RequestRow, RunRow
from fixtures.tiny import tiny_case
from sufficiency.case import Case, save_case
from sufficiency.tables.problems import InputError

LIMIT_S = 120


class Service:
    """The service, its client and its store. Runs are made by ``work``, one after the other, as a worker makes them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app = create_app(settings)
        self.store: Store = self.app.state.store
        self.client = TestClient(self.app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50000))

    def __enter__(self) -> Service:
        self.client.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.client.__exit__(kind, error, trace)

    @cached_property
    def case_id(self) -> str:
        """The tiny case, uploaded."""
        answer = self.upload(zipped(tiny_case(), self.settings.store_folder / "upload"))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    @cached_property
    def plan_id(self) -> str:
        """A plan of the tiny case."""
        run = self.planned({"case_id": self.case_id, "sensitivity": False})
        assert run["state"] == "finished", run
        return str(run["plan_id"])

    def upload(self, content: bytes, name: str = "case.zip", **more: Any) -> Any:
        """Send a case."""
        return self.client.post("/v1/cases", files={"file": (name, content)}, **more)

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for a run."""
        answer = self.client.post("/v1/runs", json={"request": request})
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def planned(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for a run, make it, and tell how it ended."""
        run = self.start(request)
        self.work()
        body: dict[str, Any] = self.client.get(f"/v1/runs/{run['id']}").json()
        return body

    def claim(self, worker: str = "tester", lease_s: float = 60) -> tuple[RunRow, RequestRow] | None:
        """Claim the next run, as a worker does."""
        with self.store.write() as session:
            run = runs.claim(session, worker, lease_s)
            return None if run is None else (run, session.get_one(RequestRow, run.request_id))

    def job(self, run: RunRow, request: RequestRow) -> Job:
        """Begin a claimed run in a process of its own, as a worker does."""
        limits = self.settings.limits.run_memory_mb, self.settings.cancel_grace_s
        return Job(self.store, self.settings, run, request, lambda payload, out: Child("plan", payload, *limits))

    def work(self) -> None:
        """Make all runs that wait, within this process: a process of its own takes seconds to start."""
        while (claimed := self.claim()) is not None:
            finish(Job(self.store, self.settings, *claimed, lambda payload, out: Here(payload)))


class Here:
    """The making of a plan within this process: see ``api.jobs.process.Child``."""

    def __init__(self, payload: dict[str, Any]) -> None:
        self._told: list[dict[str, Any]] = []
        try:
            result = TASKS["plan"](payload, lambda **data: self._told.append({"what": "progress", **data}), lambda: False)
        except InputError as error:
            self._told.append({"what": "invalid", "problems": [asdict(problem) for problem in error.problems]})
        else:
            self._told.append({"what": "done", "result": result})

    def messages(self) -> list[dict[str, Any]]:
        """What was told since the last call."""
        told, self._told = self._told, []
        return told

    def hold_to_limits(self) -> None:
        """The test's process has no limit."""

    def cancel(self) -> None:
        """It has ended already."""

    def kill(self, reason: str, detail: str) -> None:
        """It has ended already."""


def finish(job: Job) -> None:
    """Step until the run has ended."""
    until = time.monotonic() + LIMIT_S
    while not job.ended:
        assert time.monotonic() < until, "the run does not end"
        job.step()
        time.sleep(0.05)


def zipped(case: Case, folder: Path) -> bytes:
    """A case as the zip of its folder."""
    save_case(case, folder)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{folder.name}/{path.name}")
    return stream.getvalue()
