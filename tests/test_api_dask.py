"""Runs on a Dask scheduler: a cluster of this machine, and one behind an address to which cases are sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from distributed import LocalCluster
from service import Service

from api.jobs.names import worker_name
from api.jobs.worker import work
from api.settings import Settings


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service; its runs are made on Dask."""
    with Service(Settings(store_folder=tmp_path_factory.mktemp("service"), worker="none")) as running:
        yield running


def test_a_cluster_of_this_machine_makes_the_runs_of_a_batch(service: Service) -> None:
    sets = [service.client.post("/v1/assumption-sets", json={"name": name, "values": {}}).json()["id"] for name in ("one", "two")]
    asked = {"name": "Sweep", "case_ids": [service.case_id], "assumption_set_ids": sets, "sensitivity": False}
    batch = service.client.post("/v1/batches", json=asked).json()
    with working(service, worker="dask", worker_slots=2):
        until = time.monotonic() + 150
        while service.client.get(f"/v1/batches/{batch['id']}").json()["states"] != {"finished": 2}:
            assert time.monotonic() < until
            time.sleep(0.2)


def test_a_scheduler_elsewhere_is_sent_the_case_and_sends_the_plan(service: Service) -> None:
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tcp", dashboard_address=":0")
    with cluster, working(service, worker=cluster.scheduler_address):
        run = ended(service, service.start({"case_id": service.case_id, "sensitivity": False}))
        assert run["state"] == "finished", run
        assert service.client.get(f"/v1/plans/{run['plan_id']}").json()["audit_passed"]
        assert service.client.get(f"/v1/plans/{run['plan_id']}/tables/projects").json()["total"] == 1
        told = service.client.get(f"/v1/runs/{run['id']}/events").text
        assert "Auditing" in told, "progress comes back from there"
        cancelled = service.start({"case_id": service.case_id})
        while service.client.get(f"/v1/runs/{cancelled['id']}").json()["phase"] in ("", "Starting"):
            time.sleep(0.05)
        service.client.post(f"/v1/runs/{cancelled['id']}/cancel")
        assert ended(service, cancelled)["state"] == "cancelled"


@contextmanager
def working(service: Service, **settings: Any) -> Iterator[None]:
    """A worker with these settings, in a thread, until the block ends."""
    stop = threading.Event()
    asked = service.settings.model_copy(update=settings)
    thread = threading.Thread(target=work, args=(asked, stop, worker_name()))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def ended(service: Service, run: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + 150
    while True:
        body: dict[str, Any] = service.client.get(f"/v1/runs/{run['id']}").json()
        if body["state"] in ("finished", "failed", "cancelled"):
            return body
        assert time.monotonic() < until, body
        time.sleep(0.2)
