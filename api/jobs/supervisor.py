"""The server's hold on its worker process: started with the server, started again when it ends, stopped with the server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Final

import structlog

from api.jobs.names import worker_name
from api.settings import Settings

RESTART_S: Final = 1.0
STOP_S: Final = 15.0
log = structlog.get_logger("supervisor")


class Supervisor:
    """Keeps one worker process alive, unless the settings say that workers are started elsewhere."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wanted = settings.worker != "none"
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep_alive, daemon=True, name="supervisor")

    def start(self) -> None:
        """Start the worker."""
        if self._wanted:
            self._thread.start()

    def alive(self) -> bool:
        """Whether the worker runs, or none is wanted."""
        return not self._wanted or (self._process is not None and self._process.poll() is None)

    def stop(self) -> None:
        """Let the worker give its runs back and end."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()

    def _keep_alive(self) -> None:
        dead: str | None = None
        while not self._stopping.is_set():
            name = worker_name()
            self._process = self._begin(name, dead)
            code, dead = self._process.wait(), name
            if not self._stopping.is_set():
                log.warning("worker ended", code=code)
                self._stopping.wait(RESTART_S)

    def _begin(self, name: str, dead: str | None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "api.jobs.worker", "--supervised"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        assert process.stdin is not None
        told = {"settings": self._settings.model_dump(mode="json", exclude={"auth"}), "name": name, "dead": dead}
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
        return process
