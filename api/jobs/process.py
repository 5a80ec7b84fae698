"""The parent's side of ``api.jobs.child``: start a task, hear its progress, cancel it, hold it to its limits."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from api.problems import ApiError
from sufficiency.tables.problems import InputError, InputProblem

POLL_S = 0.05
GONE = {"what": "error", "reason": "crash"}


class Child:
    """A task under way. Messages are those of ``api.jobs.child``; the last is ``done``, ``invalid`` or ``error``."""

    def __init__(self, task: str, payload: dict[str, Any], memory_mb: int) -> None:
        command = [sys.executable, "-m", "api.jobs.child"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self._memory_mb = memory_mb
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._killed: dict[str, Any] | None = None
        self._say(json.dumps({"task": task, **payload}))
        threading.Thread(target=self._hear, daemon=True).start()

    def messages(self) -> list[dict[str, Any]]:
        """What was told since the last call."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._messages.get_nowait())
        return found

    def hold_to_memory(self) -> None:
        """End the task when it takes more memory than it may."""
        used = _memory_mb(self._process.pid)
        if used > self._memory_mb:
            self.kill("memory", f"It took {used:,.0f} MB of memory; {self._memory_mb:,} MB are allowed.")

    def cancel(self) -> None:
        """Ask for the best result so far."""
        self._say("cancel")

    def kill(self, reason: str, detail: str) -> None:
        """End the task at once, for this reason."""
        self._killed = self._killed or {"what": "error", "reason": reason, "detail": detail}
        self._process.kill()

    def _say(self, line: str) -> None:
        stream = self._process.stdin
        if stream is not None:
            with suppress(BrokenPipeError, ValueError):  # it has just ended; its last message says how
                stream.write(line + "\n")
                stream.flush()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        ended = False
        for line in self._process.stdout:
            with suppress(ValueError):  # a line cut short by a kill
                message = json.loads(line)
                ended = message["what"] != "progress"
                self._messages.put(message)
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError, OSError):
                if stream:
                    stream.close()
        if not ended:
            self._messages.put(self._killed or {**GONE, "detail": f"The process ended unexpectedly (exit code {code})."})


def finish(task: str, payload: dict[str, Any], memory_mb: int, seconds: float) -> dict[str, Any]:
    """Do a task and wait for its result. Raises InputError for its problems, ApiError when a limit is reached or it fails."""
    child = Child(task, payload, memory_mb)
    until = time.monotonic() + seconds
    while True:
        for message in child.messages():
            if message["what"] == "done":
                result: dict[str, Any] = message["result"]
                return result
            if message["what"] == "invalid":
                raise InputError(InputProblem(**problem) for problem in message["problems"])
            if message["what"] == "error":
                status = 413 if message["reason"] in ("memory", "time") else 500
                raise ApiError(status, message["reason"], f"What was sent could not be read. {message['detail']}")
        child.hold_to_memory()
        if time.monotonic() > until:
            child.kill("time", f"It took more than {seconds:,.0f} seconds.")
        time.sleep(POLL_S)


def _memory_mb(pid: int) -> float:
    """Resident memory of a process, MB; 0 where the system does not tell."""
    with suppress(OSError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
