"""Kills at random moments of runs, one after the other: server, worker, child and database. None is lost, none ends twice.

The number of kills is read from SOAK: 5 by default, 50 by ``make soak``.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from postgres import Postgres
from server import Server, children, command_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds child processes in /proc")

KILLS: Final = int(os.environ.get("SOAK", "5"))
SEED: Final = 20261124
WITHIN_S: Final = 120.0
"""For one kill beside its wait, and for the runs left at the end; generous, as the machine may be busy."""
AGAIN_S: Final = 0.2
"""Until a victim that was not there is looked for again."""
BEYOND: Final = 1.2
"""A kill comes at most so many times later than a run takes on this machine: it may meet any part of it, its end included."""
REASONS: Final = {"crash", "lost"}
ENDS: Final = {"finished", "failed", "cancelled"}


def test_kills_at_random_moments_lose_no_run(postgres: Postgres, tmp_path: Path) -> None:
    moments = random.Random(SEED)
    asked: list[str] = []
    killed: Counter[str] = Counter()
    with Server(tmp_path / "service", database_url=postgres.new_database("faults")) as server:
        case_id = str(server.client.post("/v1/cases", json={"builtin": "tiny"}).json()["id"])
        kills: dict[str, Callable[[], bool]] = {
            "worker": lambda: _kill_worker(server),
            "child": lambda: _kill_child(server),
            "database": lambda: _crash(postgres),
            "server": lambda: _kill_server(server),
        }
        longest_wait_s = BEYOND * _undisturbed_s(server, case_id, asked)
        for number in range(KILLS):
            victim, wait_s = list(kills)[number % len(kills)], moments.uniform(0, longest_wait_s)
            until = time.monotonic() + wait_s + WITHIN_S
            while killed.total() <= number:
                assert time.monotonic() < until, f"no {victim} to kill"
                if not _under_way(server, asked):
                    asked.append(_ask(server, case_id))
                time.sleep(wait_s)
                wait_s = AGAIN_S
                killed[victim] += kills[victim]()
        ended = {run: server.ended(run, within_s=WITHIN_S) for run in asked}
        assert killed.total() == KILLS
        _assert_each_ended_once(server, ended)
        sys.stdout.write(f"{Counter((body['state'], body['attempt']) for body in ended.values())}\n")  # for who reads the soak's report
        _undisturbed_s(server, case_id, asked)


def _undisturbed_s(server: Server, case_id: str, asked: list[str]) -> float:
    """Seconds that one more run takes which nobody disturbs; it ends with a plan."""
    began = time.monotonic()
    asked.append(_ask(server, case_id))
    body = server.ended(asked[-1], within_s=WITHIN_S)
    assert body["state"] == "finished", body
    return time.monotonic() - began


def _assert_each_ended_once(server: Server, ended: dict[str, dict[str, Any]]) -> None:
    plans = Counter(plan["run_id"] for plan in server.client.get("/v1/plans", params={"limit": 200}).json()["items"])
    for run, body in ended.items():
        states = _states(server, run)
        assert [state for state in states if state in ENDS] == [body["state"]], (body, states)
        assert states[-1] == body["state"], "nothing comes after the end"
        assert body["state"] in ("finished", "failed"), body
        assert plans[run] == (body["state"] == "finished"), body
        if body["state"] == "failed":
            assert body["failure"]["reason"] in REASONS, body
            assert body["failure"]["detail"], body
    assert plans.keys() <= ended.keys()


def _ask(server: Server, case_id: str) -> str:
    """A run, stored: whoever got the answer 202 can rely on it. A database that was just away is asked again."""
    for _ in range(100):
        answer = server.client.post("/v1/runs", json={"request": {"case_id": case_id, "sensitivity": False}})
        if answer.status_code != 503:
            break
        time.sleep(0.1)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _under_way(server: Server, asked: list[str]) -> bool:
    """Whether one of the runs has not ended. A database that was just away is not known to hold none."""
    answers = [server.client.get(f"/v1/runs/{run}") for run in asked[-1:]]
    return any(answer.status_code == 503 or answer.json()["state"] not in ENDS for answer in answers)


def _states(server: Server, run: str) -> list[str]:
    """The states that the run's events tell, in order."""
    text = server.client.get(f"/v1/runs/{run}/events").text
    data = [json.loads(line.removeprefix("data:")) for line in text.splitlines() if line.startswith("data:")]
    return [str(event["state"]) for event in data if "state" in event]


def _kill_server(server: Server) -> bool:
    server.kill()
    server.start()
    return True


def _kill_worker(server: Server) -> bool:
    with suppress(StopIteration, ProcessLookupError):
        os.kill(server.worker_pid(), signal.SIGKILL)
        return True
    return False


def _kill_child(server: Server) -> bool:
    """Kill the process that makes the plan, when there is one just now."""
    with suppress(StopIteration, ProcessLookupError):
        for pid in children(server.worker_pid()):
            if "api.jobs.child" in command_of(pid):
                os.kill(pid, signal.SIGKILL)
                return True
    return False


def _crash(postgres: Postgres) -> bool:
    postgres.stop("immediate")
    postgres.start()
    return True
