"""The service as a process of its own, as users start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

START_S = 90


class Server:
    """``python -m api`` on a free port of this machine."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60)
        self._settings = {f"SUFFICIENCY_{name.upper()}": value for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.client.close()
        if self._process is not None and self._process.poll() is None:
            self.stop()

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it is ready."""
        environment = {
            **os.environ,
            "SUFFICIENCY_STORE_FOLDER": str(self.folder),
            "SUFFICIENCY_LEASE_S": "6",
            "SUFFICIENCY_LOG_LEVEL": "warning",
        }
        environment.update(self._settings)
        command = [sys.executable, "-m", "api", "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=environment)
        until = time.monotonic() + START_S
        while not self._is_ready():
            assert time.monotonic() < until, "the service does not become ready"
            assert self._process.poll() is None, "the service has ended"
            time.sleep(0.2)

    def stop(self) -> int:
        """End it as a service manager does; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)

    def worker_pid(self) -> int:
        """The worker process that the server keeps."""
        return next(child for child in children(self.pid) if "api.jobs.worker" in command_of(child))

    def ended(self, run_id: str, within_s: float = 180) -> dict[str, object]:
        """The run, once it has ended."""
        until = time.monotonic() + within_s
        while True:
            try:
                run: dict[str, object] = self.client.get(f"/v1/runs/{run_id}").json()
            except httpx.TransportError:
                run = {"state": "unknown"}
            if run["state"] in ("finished", "failed", "cancelled"):
                return run
            assert time.monotonic() < until, run
            time.sleep(0.2)

    def _is_ready(self) -> bool:
        try:
            return self.client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    """Child processes of a process (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def command_of(pid: int) -> str:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
