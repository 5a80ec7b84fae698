"""A killed server or worker loses no run: it is taken up again and ends once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgres import Postgres
from server import Server, children, command_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds child processes in /proc")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with a case."""
    with Server(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def case_id(server: Server) -> str:
    """The tiny case."""
    return str(server.client.post("/v1/cases", json={"builtin": "tiny"}).json()["id"])


def test_a_killed_worker_loses_no_run(server: Server, case_id: str) -> None:
    run = started(server, case_id)
    worker = server.worker_pid()
    os.kill(worker, signal.SIGKILL)
    body = server.ended(run)
    assert (body["state"], body["attempt"]) == ("finished", 2), body
    assert server.worker_pid() != worker
    assert told_once(server, run)


def test_a_killed_server_loses_no_run(server: Server, case_id: str) -> None:
    runs = [started(server, case_id), asked(server, case_id)]
    left = [server.worker_pid(), *children(server.worker_pid())]
    assert len(left) == 2, "the worker, and the process that makes the plan"
    server.kill()
    until = time.monotonic() + 30
    while any("api.jobs" in command_of(pid) for pid in left):
        assert time.monotonic() < until, "nothing goes on without its server"
        time.sleep(0.1)
    server.start()
    for run in runs:
        assert server.ended(run)["state"] == "finished"
        assert told_once(server, run)


def test_a_server_that_is_stopped_gives_its_run_back_and_ends_quickly(server: Server, case_id: str) -> None:
    run = started(server, case_id)
    began = time.monotonic()
    assert server.stop() in (0, -signal.SIGTERM), "it ends in order, not by an error"
    assert time.monotonic() - began < 20
    server.start()
    body = server.ended(run)
    assert (body["state"], body["attempt"]) == ("finished", 1), "its stop does not count as a loss"
    assert told_once(server, run)


def test_a_crashed_database_loses_no_run(postgres: Postgres, tmp_path: Path) -> None:
    with Server(tmp_path / "service", database_url=postgres.new_database("survives")) as server:
        case_id = str(server.client.post("/v1/cases", json={"builtin": "tiny"}).json()["id"])
        run = started(server, case_id)
        postgres.stop("immediate")
        away = server.client.get(f"/v1/runs/{run}")
        assert (away.status_code, away.headers["retry-after"]) == (503, "2")
        postgres.start()
        body = server.ended(run)
        assert body["state"] == "finished", body
        assert told_once(server, run)


def asked(server: Server, case_id: str) -> str:
    """A run, stored."""
    answer = server.client.post("/v1/runs", json={"request": {"case_id": case_id}})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def started(server: Server, case_id: str) -> str:
    """A run whose plan is being made."""
    run = asked(server, case_id)
    until = time.monotonic() + 90
    while server.client.get(f"/v1/runs/{run}").json()["phase"] in ("", "Starting"):
        assert time.monotonic() < until
        time.sleep(0.05)
    return run


def told_once(server: Server, run: str) -> bool:
    """Whether the run has ended exactly once, with one plan."""
    ends = [event for event in events(server, run) if '"state": "finished"' in event]
    plans: list[dict[str, Any]] = server.client.get("/v1/plans", params={"limit": 200}).json()["items"]
    return len(ends) == 1 and sum(plan["run_id"] == run for plan in plans) == 1


def events(server: Server, run: str) -> list[str]:
    return [line for line in server.client.get(f"/v1/runs/{run}/events").text.splitlines() if line.startswith("data:")]
