"""Runs survive: claimed once, kept by a lease, taken up again when lost, cancelled with the best plan so far; on both databases."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import Any

import pytest
from service import LIMIT_S, Service, finish
from sqlalchemy import update

from api.jobs.job import Job
from api.jobs.process import Child
from api.settings import Limits
from api.store import runs
from api.store.models import RunRow
from api.store.runs import Claim


@pytest.fixture
def queue(service: Service) -> Service:
    """The service with nothing waiting."""
    with service.store.write() as session:
        session.execute(update(RunRow).where(RunRow.state.in_(runs.UNFINISHED)).values(state="cancelled"))
    return service


def test_two_workers_never_claim_the_same_run(queue: Service) -> None:
    asked = {queue.start(request(queue))["id"] for _ in range(12)}
    claimed: list[str] = []
    start = threading.Barrier(4)

    def worker(name: str) -> None:
        start.wait()
        while (found := queue.claim(name)) is not None:
            claimed.append(found[0].id)

    threads = [threading.Thread(target=worker, args=(f"worker-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(claimed) == Counter(asked)


def test_a_run_whose_worker_is_lost_is_taken_up_once_and_the_lost_one_changes_nothing(queue: Service) -> None:
    run = queue.start(request(queue))
    first = claim_of(queue, "first", lease_s=-1)
    with queue.store.write() as session:
        assert runs.lose(session, 3) == 1
        assert runs.lose(session, 3) == 0
    second = claim_of(queue, "second")
    assert (second.run_id, second.attempt) == (run["id"], 2)
    with queue.store.write() as session:
        assert runs.keep(session, first, 60, {"phase": "late"}) is None
        assert not runs.end(session, first, "failed", failure={"reason": "crash", "detail": "late"})
        assert runs.keep(session, second, 60, {"phase": "Plan"}) is False
        assert runs.end(session, second, "failed", failure={"reason": "crash", "detail": "in time"})
        assert not runs.end(session, second, "failed", failure={"reason": "crash", "detail": "twice"})
    body = read(queue, run)
    assert (body["state"], body["failure"]["detail"], body["attempt"]) == ("failed", "in time", 2)


def test_a_run_that_is_lost_again_and_again_fails_with_the_reason(queue: Service) -> None:
    run = queue.start(request(queue))
    for attempt in (1, 2, 3):
        assert claim_of(queue, f"worker-{attempt}", lease_s=-1).attempt == attempt
        with queue.store.write() as session:
            runs.lose(session, 3)
    body = read(queue, run)
    assert (body["state"], body["failure"]["reason"]) == ("failed", "lost")
    again = queue.client.post(f"/v1/runs/{run['id']}/retry")
    assert again.status_code == 202
    assert (again.json()["retry_of"], again.json()["request_id"]) == (run["id"], run["request_id"])
    assert queue.client.post(f"/v1/runs/{again.json()['id']}/retry").status_code == 409, "it waits already"


def test_a_worker_that_stops_gives_its_run_back_without_counting_it(queue: Service) -> None:
    run = queue.start(request(queue))
    held = claim_of(queue, "stopping")
    with queue.store.write() as session:
        runs.give_back(session, held)
    assert claim_of(queue, "next").attempt == 1
    assert read(queue, run)["state"] == "running"


def test_runs_of_batches_wait_until_no_single_run_does(queue: Service) -> None:
    asked = {"name": "Sweep", "case_ids": [queue.case_id], "scenarios": ["central"], "sensitivity": False}
    batch = queue.client.post("/v1/batches", json=asked)
    assert batch.status_code == 202, batch.text
    single = queue.start(request(queue))
    assert claim_of(queue, "worker").run_id == single["id"]
    assert batch.json()["states"] == {"queued": 1}
    cancelled = queue.client.post(f"/v1/batches/{batch.json()['id']}/cancel").json()
    assert cancelled["states"] == {"cancelled": 1}


def test_a_batch_makes_every_combination_once(queue: Service) -> None:
    sets = [queue.client.post("/v1/assumption-sets", json={"name": name, "values": {}}).json()["id"] for name in "ab"]
    asked = {"name": "Sweep", "case_ids": [queue.case_id, queue.case_id], "assumption_set_ids": sets}
    batch = queue.client.post("/v1/batches", json=asked).json()
    assert batch["runs"] == 2
    listed = queue.client.get("/v1/runs", params={"batch_id": batch["id"]}).json()["items"]
    assert len(listed) == 2
    wrong = queue.client.post("/v1/batches", json={**asked, "scenarios": ["doom"]})
    assert wrong.status_code == 422
    too_many = queue.client.post("/v1/batches", json={**asked, "scenarios": [f"s{n}" for n in range(150)]})
    assert too_many.status_code == 422


def test_cancelling_a_run_that_waits_ends_it_at_once(queue: Service) -> None:
    run = queue.start(request(queue))
    answer = queue.client.post(f"/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert queue.claim() is None
    assert queue.client.post(f"/v1/runs/{run['id']}/cancel").status_code == 409


def test_cancelling_a_run_keeps_the_best_plan_so_far(queue: Service) -> None:
    run = queue.start(request(queue))
    claimed = queue.claim()
    assert claimed is not None
    job = queue.job(*claimed)
    until = time.monotonic() + LIMIT_S
    while read(queue, run)["incumbent_gbp"] is None:
        assert time.monotonic() < until, "there is no plan"
        job.step()
        time.sleep(0.02)
    answer = queue.client.post(f"/v1/runs/{run['id']}/cancel")
    assert answer.json()["cancelling"]
    finish(job)
    body = read(queue, run)
    assert body["state"] == "cancelled"
    plan = queue.client.get(f"/v1/plans/{body['plan_id']}").json()
    assert plan["audit_passed"]
    assert (queue.store.plans / body["plan_id"] / "plan.json").is_file()


def test_cancelling_a_run_that_has_no_plan_yet_ends_it_at_once(queue: Service) -> None:
    run = queue.start(request(queue))
    claimed = queue.claim()
    assert claimed is not None
    job = queue.job(*claimed)
    queue.client.post(f"/v1/runs/{run['id']}/cancel")
    began = time.monotonic()
    finish(job)
    assert time.monotonic() - began < 5, "seconds"
    body = read(queue, run)
    assert (body["state"], body["plan_id"], body["failure"]["reason"]) == ("cancelled", None, "cancelled")
    assert "before there was a plan" in body["failure"]["detail"]
    assert not list(queue.store.work.glob(f"{run['id']}*"))


def test_a_run_that_takes_too_much_memory_fails_and_says_so(queue: Service) -> None:
    body = ended_with(queue, Limits(run_memory_mb=256), memory_mb=50)
    assert (body["state"], body["failure"]["reason"]) == ("failed", "memory")
    assert "50 MB" in body["failure"]["detail"]


def test_a_run_that_does_not_stop_in_time_is_ended(queue: Service) -> None:
    started = time.monotonic()
    body = ended_with(queue, Limits(run_seconds=1), cancel_grace_s=0.01)
    assert body["state"] in ("failed", "finished")  # finished where the machine is quick enough
    assert body["state"] == "finished" or body["failure"]["reason"] == "time"
    assert time.monotonic() - started < 60


def test_a_run_that_crashes_fails_and_leaves_nothing_behind(queue: Service) -> None:
    run = queue.start(request(queue))
    claimed = queue.claim()
    assert claimed is not None
    job = queue.job(*claimed)
    job._doing._process.kill()  # type: ignore[attr-defined]
    finish(job)
    body = read(queue, run)
    assert (body["state"], body["failure"]["reason"]) == ("failed", "crash")
    assert not list(queue.store.work.glob(f"{run['id']}*"))


def test_the_events_of_a_run_tell_it_from_beginning_to_end(queue: Service) -> None:
    run = queue.start(request(queue))
    claimed = queue.claim()
    assert claimed is not None
    finish(queue.job(*claimed))
    told = queue.client.get(f"/v1/runs/{run['id']}/events")
    assert told.headers["content-type"].startswith("text/event-stream")
    events = parsed(told.text)
    states = [event["data"]["state"] for event in events if event["event"] == "state"]
    assert states == ["queued", "running", "finished"]
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))
    phases = [event["data"]["phase"] for event in events if "phase" in event["data"]]
    assert "Auditing" in phases
    rest = parsed(queue.client.get(f"/v1/runs/{run['id']}/events", headers={"Last-Event-ID": "2"}).text)
    assert rest == events[2:]


def test_a_full_queue_is_said_clearly(queue: Service) -> None:
    most = queue.settings.limits.queue_length
    for _ in range(most):
        queue.start(request(queue))
    answer = queue.client.post("/v1/runs", json={"request": request(queue)})
    assert answer.status_code == 429
    assert answer.headers["retry-after"]
    assert f"{most} are allowed" in answer.json()["detail"]


def request(service: Service) -> dict[str, Any]:
    return {"case_id": service.case_id, "sensitivity": False}


def claim_of(service: Service, worker: str, lease_s: float = 60) -> Claim:
    found = service.claim(worker, lease_s)
    assert found is not None
    return Claim(found[0].id, worker, found[0].attempt)


def read(service: Service, run: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = service.client.get(f"/v1/runs/{run['id']}").json()
    return body


def ended_with(service: Service, limits: Limits, memory_mb: int = 8192, **more: Any) -> dict[str, Any]:
    """How a run ends under these limits."""
    run = service.start(request(service))
    claimed = service.claim()
    assert claimed is not None
    settings = service.settings.model_copy(update={"limits": limits, **more})
    finish(Job(service.store, settings, *claimed, lambda payload, out: Child("plan", payload, memory_mb)))
    return read(service, run)


def parsed(text: str) -> list[dict[str, Any]]:
    """Server-sent events as id, event and data."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append({**fields, "data": json.loads(fields["data"])})
    return found
