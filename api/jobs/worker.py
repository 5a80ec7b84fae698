"""The worker: claims runs, makes their plans, keeps their leases. ``python -m api.jobs.worker`` starts one more beside a server.

The server starts its own with ``--supervised``: its settings come as the first line of standard input, and when that input ends the
server is gone, and the worker gives its runs back and ends too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from api.jobs.job import Doing, Job, Launch
from api.jobs.names import worker_name
from api.jobs.process import Child
from api.observe import configure_logs
from api.settings import Settings
from api.store import Store, runs
from api.store.models import RequestRow
from api.store.sweep import sweep

TICK_S: Final = 0.1
IDLE_S: Final = 0.5
DATABASE_AWAY_S: Final = 1.0
log = structlog.get_logger("worker")


def main() -> None:
    """Work until told to stop."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    settings, name, dead = _supervised(stop) if "--supervised" in sys.argv else (Settings(), worker_name(), None)
    configure_logs(settings)
    work(settings, stop, name, dead)


def work(settings: Settings, stop: threading.Event, name: str, dead: str | None = None) -> None:
    """Claim and make runs until ``stop`` is set; then give back what is under way. ``dead``: a worker that is known to be so."""
    store = Store(settings)
    store.migrate()
    launch, slots, close = _where(settings)
    log.info("worker started", worker=name, slots=slots())
    jobs: list[Job] = []
    looked = -settings.lease_s
    while not stop.is_set():
        try:
            if dead is not None:
                _take_up(store, settings, dead)
                dead = None
            if time.monotonic() - looked > settings.lease_s / 4:
                looked = time.monotonic()
                _take_up(store, settings, None)
                sweep(store)
            while len(jobs) < slots() and (job := _claimed(store, settings, name, launch)) is not None:
                jobs.append(job)
            for job in jobs:
                job.step()
            jobs = [job for job in jobs if not job.ended]
            stop.wait(TICK_S if jobs else IDLE_S)
        except (OperationalError, InterfaceError) as error:
            log.warning("database away", error=type(error).__name__)
            stop.wait(DATABASE_AWAY_S)
    for job in jobs:
        with suppress(OperationalError, InterfaceError):  # then the lease runs out
            job.give_back()
    close()
    store.close()
    log.info("worker stopped", worker=name, given_back=len(jobs))


def _claimed(store: Store, settings: Settings, name: str, launch: Launch) -> Job | None:
    with store.write() as session:
        run = runs.claim(session, name, settings.lease_s)
        if run is None:
            return None
        request = session.get_one(RequestRow, run.request_id)
    log.info("run claimed", run=run.id, attempt=run.attempt)
    return Job(store, settings, run, request, launch)


def _take_up(store: Store, settings: Settings, worker: str | None) -> None:
    with store.write() as session:
        count = runs.lose(session, settings.attempts, worker=worker)
    if count:
        log.warning("lost runs taken up", count=count)


def _where(settings: Settings) -> tuple[Launch, Callable[[], int], Callable[[], None]]:
    """How a plan is started, how many at the same time, and what to close at the end."""
    if settings.worker in ("local", "none"):

        def start(payload: dict[str, Any], out: Path) -> Doing:
            return Child("plan", payload, settings.limits.run_memory_mb, settings.cancel_grace_s)

        return start, lambda: settings.worker_slots, lambda: None
    from api.jobs.on_dask import DaskEngine  # two seconds to load, and most do without

    engine = DaskEngine(settings)
    return engine.launch, engine.slots, engine.close


def _supervised(stop: threading.Event) -> tuple[Settings, str, str | None]:
    """Settings, name and predecessor from the first line of the input; the end of the input is the end of the server."""
    told = json.loads(sys.stdin.readline())

    def listen() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    return Settings.model_validate(told["settings"]), told["name"], told["dead"]


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for the listener
