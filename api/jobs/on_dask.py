"""Runs on a Dask scheduler: a cluster on this machine, or more machines behind an address.

A Dask worker starts the same child process as a local worker does, with the same limits. With an address, the case is sent along and the
plan comes back with the result, so that no folder needs to be shared.
"""

# mypy: disable-error-code="no-untyped-call"
# (distributed is typed only in part)

from __future__ import annotations

import io
import queue
import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from distributed import Client, Event, Future, LocalCluster, get_worker

from api.jobs.job import Doing
from api.jobs.process import Child
from api.settings import Settings

POLL_S: Final = 0.25
LOST: Final = {"what": "error", "reason": "lost", "detail": "The Dask worker or scheduler was lost."}


class DaskEngine:
    """The connection to a scheduler."""

    def __init__(self, settings: Settings) -> None:
        self._limits = settings.limits.run_memory_mb, settings.cancel_grace_s
        self._remote = settings.worker != "dask"
        self._cluster = None if self._remote else _local_cluster(settings)
        self._client = Client(settings.worker if self._remote else self._cluster)

    def launch(self, payload: dict[str, Any], out: Path) -> Doing:
        """Start a run on any Dask worker."""
        return DaskRun(self._client, payload, out, self._limits, self._remote)

    def slots(self) -> int:
        """Runs at the same time: one for each thread of each Dask worker."""
        return max(1, sum(self._client.nthreads().values()))

    def close(self) -> None:
        """Let the scheduler go; end the cluster that was started here."""
        with suppress(TimeoutError, OSError):
            self._client.close(timeout=5)
        if self._cluster is not None:
            self._cluster.close(timeout=5)


class DaskRun:
    """A run on a Dask worker: see ``api.jobs.process.Child``."""

    def __init__(self, client: Client, payload: dict[str, Any], out: Path, limits: tuple[int, float], remote: bool) -> None:
        self._client, self._out = client, out
        self._topic = f"sufficiency-{out.parent.name}"
        self._cancelled = Event(f"{self._topic}-cancel", client=client)
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._killed: dict[str, Any] | None = None
        client.subscribe_topic(self._topic, lambda event: self._messages.put(event[1]["told"]))
        files = {name: _packed(Path(payload[name])) for name in ("case", "base_plan") if payload[name]} if remote else {}
        self._future: Future[Any] | None = client.submit(
            do_here, payload, files, limits, self._topic, key=self._topic, retries=0, pure=False
        )

    def messages(self) -> list[dict[str, Any]]:
        """What was told since the last call."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._messages.get_nowait())
        if self._killed is not None:
            return [*found, self._killed]
        if self._future is not None and self._future.done():
            found.append(self._last(self._future))
            self._future = None
            self._client.unsubscribe_topic(self._topic)
        return found

    def hold_to_limits(self) -> None:
        """The Dask worker does."""

    def cancel(self) -> None:
        """Ask for the best result so far."""
        self._cancelled.set()

    def kill(self, reason: str, detail: str) -> None:
        """Ask the Dask worker to end it, and wait no longer."""
        self._killed = {"what": "error", "reason": reason, "detail": detail}
        Event(f"{self._topic}-kill", client=self._client).set()
        if self._future is not None:
            self._future.cancel()

    def _last(self, future: Future[Any]) -> dict[str, Any]:
        if future.status != "finished":
            return dict(LOST)
        message, packed = future.result()
        if packed:
            _unpack(packed, self._out)
        last: dict[str, Any] = message
        return last


def do_here(payload: dict[str, Any], files: dict[str, bytes], limits: tuple[int, float], topic: str) -> tuple[dict[str, Any], bytes]:
    """On the Dask worker: make the plan in a child process, tell its progress. Returns the last message, and the plan when it was sent."""
    with tempfile.TemporaryDirectory() as work:
        here = dict(payload)
        for name, packed in files.items():
            _unpack(packed, Path(work) / name)
            here[name] = str(Path(work) / name)
        if files:
            here["out"] = str(Path(work) / "plan")
        last = _watched(Child("plan", here, *limits), topic)
        made = Path(here["out"])
        return last, _packed(made) if files and made.is_dir() else b""


def _watched(child: Child, topic: str) -> dict[str, Any]:
    worker, cancelled, killed = get_worker(), Event(f"{topic}-cancel"), Event(f"{topic}-kill")
    asked = False
    while True:
        for message in child.messages():
            if message["what"] != "progress":
                return message
            worker.log_event(topic, {"told": message})
        child.hold_to_limits()
        if killed.is_set():
            child.kill("stopped", "It was stopped.")
        elif not asked and cancelled.is_set():
            asked = True
            child.cancel()
        time.sleep(POLL_S)


def _local_cluster(settings: Settings) -> LocalCluster:
    # threads, not processes: each run is a process of its own anyway
    return LocalCluster(
        n_workers=1,
        threads_per_worker=settings.worker_slots,
        processes=False,
        dashboard_address="127.0.0.1:0",  # by default others can reach it
        worker_dashboard_address="127.0.0.1:0",
    )


def _packed(folder: Path) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(folder, ".")
    return stream.getvalue()


def _unpack(packed: bytes, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
