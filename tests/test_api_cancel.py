"""A cancel ends every search within seconds, be the solver deaf to it, and keeps the best plan known."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server import command_of
from service import LIMIT_S, Service, finish

from api.jobs import process
from api.jobs.job import Job
from api.settings import Settings

STUBBORN = str(Path(__file__).with_name("stubborn.py"))
PIN = {"project": "A", "wish": "must"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(store_folder=tmp_path_factory.mktemp("cancel") / "store", worker="none", log_level="error")
    with Service(settings) as found:
        yield found


def solver_is(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, STUBBORN, kind))


def begun(service: Service, request: dict[str, Any]) -> tuple[str, Job]:
    """A run whose plan is being sought, and the job that makes it."""
    run = service.start({"case_id": service.case_id, **request})["id"]
    claimed = service.claim()
    assert claimed is not None
    job = service.job(*claimed)
    until = time.monotonic() + LIMIT_S
    while read(service, run)["phase"] != "Plan":
        assert time.monotonic() < until, "it is not sought"
        job.step()
        time.sleep(0.02)
    return run, job


def cancelled(service: Service, run: str, job: Job, *, patient: bool = True) -> tuple[dict[str, Any], bool]:
    """How the run ends that is cancelled now, and whether the process that sought was ended for it: once it has heard if impatient."""
    child = job._doing
    assert isinstance(child, process.Child)
    seeking = child._process.pid
    assert service.client.post(f"/v1/runs/{run}/cancel").status_code == 202
    until = time.monotonic() + LIMIT_S
    while not patient and child._solving:
        assert time.monotonic() < until, "it does not hear"
        job.step()
        time.sleep(0.02)
    if not patient:
        child._stop_by = 0.0
    finish(job)
    replaced = child._process.pid != seeking
    if replaced:
        assert STUBBORN not in command_of(seeking)
    body = read(service, run)
    assert body["state"] == "cancelled"
    return body, replaced


def read(service: Service, run: str) -> dict[str, Any]:
    body: dict[str, Any] = service.client.get(f"/v1/runs/{run}").json()
    return body


def test_a_solver_that_does_not_hear_is_ended_and_the_best_plan_known_is_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    solver_is("deaf", monkeypatch)
    body, ended = cancelled(service, *begun(service, {}))
    assert ended
    plan = service.client.get(f"/v1/plans/{body['plan_id']}").json()
    assert plan["audit_passed"]
    summary = service.client.get(f"/v1/plans/{body['plan_id']}/files/plan.json").json()
    assert summary["objective_gbp"] == pytest.approx(min(summary["rule_gbp"], summary["counterfactual_gbp"]))
    assert 0 < summary["bound_gbp"] <= summary["objective_gbp"]
    assert (summary["termination"], summary["sensitivity"]) == ("interrupted", [])


def test_where_no_plan_keeps_what_is_asked_for_it_says_so(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pin neither the rule nor doing nothing is a plan."""
    solver_is("deaf", monkeypatch)
    body, _ = cancelled(service, *begun(service, {"pins": [PIN]}))
    assert (body["plan_id"], body["failure"]["reason"]) == (None, "cancelled")
    assert body["failure"]["detail"] == "It was cancelled before there was a plan that keeps what is asked for."


def test_a_solver_that_hears_may_bring_its_own_plan_to_its_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    solver_is("slow", monkeypatch)
    body, ended = cancelled(service, *begun(service, {"pins": [PIN]}))
    assert not ended
    projects = service.client.get(f"/v1/plans/{body['plan_id']}/tables/projects").json()["items"]
    assert "A" in {row["project_id"] for row in projects}


@pytest.mark.parametrize(("pins", "plan"), [([], True), ([PIN], False)], ids=["a plan is known", "none has the pin"])
def test_one_that_does_not_bring_it_to_its_end_is_ended_too(
    pins: list[dict[str, str]], plan: bool, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver_is("stuck", monkeypatch)
    # however long it takes to hear on a busy machine
    monkeypatch.setattr(process, "STOP_S", LIMIT_S)
    body, ended = cancelled(service, *begun(service, {"pins": pins}), patient=False)
    assert (body["plan_id"] is not None, ended) == (plan, plan)
    assert plan or (body["failure"]["reason"], body["failure"]["detail"][-24:]) == ("time", "nothing for 600 seconds.")


def test_a_question_that_is_cancelled_says_that_it_has_no_answer(service: Service) -> None:
    run = service.client.post(f"/v1/plans/{service.plan_id}/questions", json={"kind": "explain"}).json()["id"]
    claimed = service.claim()
    assert claimed is not None
    body, _ = cancelled(service, run, service.job(*claimed))
    assert body["failure"] == {"reason": "cancelled", "detail": "The question was cancelled before it was answered.", "problems": []}
    (question,) = service.client.get(f"/v1/plans/{service.plan_id}/questions").json()
    assert (question["state"], question["tables"]) == ("cancelled", [])
