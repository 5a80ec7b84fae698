"""The parent's side of ``api.jobs.child``: start a task, hear its progress, cancel it, hold it to its limits."""

from __future__ import annotations

import json
import math
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

COMMAND = (sys.executable, "-m", "api.jobs.child")
POLL_S = 0.05
STOP_S = 3.5
"""A solver that has not heeded a cancel by then is ended with its process; hearing of the cancel takes another second."""
GONE = {"what": "error", "reason": "crash"}
NOTHING = {"what": "error", "reason": "stopped", "detail": "It was stopped before there was a result to keep."}


class Child:
    """A task under way. Messages are those of ``api.jobs.child``; the last is ``done``, ``invalid`` or ``error``.

    ``grace_s``: a task that was asked to stop, has no solver at work and tells nothing for so long is ended.
    """

    def __init__(self, task: str, payload: dict[str, Any], memory_mb: int, grace_s: float = math.inf) -> None:
        self._task = {"task": task, **payload}
        self._memory_mb, self._grace_s = memory_mb, grace_s
        self._killed: dict[str, Any] | None = None
        self._solving: bool | None = None
        """None: not yet."""
        self._kept, self._replaced = False, False
        self._asked, self._stop_by = False, math.inf
        self._begin(self._task)

    def messages(self) -> list[dict[str, Any]]:
        """What was told since the last call."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._messages.get_nowait())
        for message in found:
            self._solving = message.get("solving", self._solving)
            self._kept |= bool(message.get("kept"))
        if found and self._asked and not self._solving:
            self._stop_by = time.monotonic() + self._grace_s
        return found

    def hold_to_limits(self) -> None:
        """End the task when it takes more memory than it may, and its search when it does not stop in time."""
        used = _memory_mb(self._process.pid)
        if used > self._memory_mb:
            self.kill("memory", f"It took {used:,.0f} MB of memory; {self._memory_mb:,} MB are allowed.")
        if time.monotonic() > self._stop_by and self._killed is None:
            self._stop()

    def cancel(self) -> None:
        """Ask for the best result so far; a task that has not begun to seek one has nothing to keep, and is ended at once."""
        if self._asked:
            return
        self._asked = True
        if self._solving is None:
            self.kill(NOTHING["reason"], NOTHING["detail"])
        else:
            self._stop_by = time.monotonic() + (STOP_S if self._solving else self._grace_s)
            self._say("cancel")

    def kill(self, reason: str, detail: str) -> None:
        """End the task at once, for this reason."""
        self._killed = self._killed or {"what": "error", "reason": reason, "detail": detail}
        self._process.kill()

    def _stop(self) -> None:
        """End a task that does not stop. What it kept is made into the result by another process, which seeks nothing."""
        self._stop_by = math.inf
        if self._kept and not self._replaced:
            self._replaced = True
            self._process.kill()
            self._process.wait()
            self._solving, self._stop_by = False, time.monotonic() + self._grace_s
            self._begin({**self._task, "task": "kept_plan"})
        elif self._solving:
            self.kill(NOTHING["reason"], NOTHING["detail"])
        else:
            self.kill("time", f"It was asked to stop and has told nothing for {self._grace_s:,.0f} seconds.")

    def _begin(self, task: dict[str, Any]) -> None:
        self._process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()  # nobody hears what an earlier process told last
        self._say(json.dumps(task))
        threading.Thread(target=self._hear, args=(self._process, self._messages), daemon=True).start()

    def _say(self, line: str) -> None:
        stream = self._process.stdin
        if stream is not None:
            with suppress(BrokenPipeError, ValueError):  # it has just ended; its last message says how
                stream.write(line + "\n")
                stream.flush()

    def _hear(self, process: subprocess.Popen[str], messages: queue.SimpleQueue[dict[str, Any]]) -> None:
        assert process.stdout is not None
        ended = False
        for line in process.stdout:
            with suppress(ValueError):  # a line cut short by a kill
                message = json.loads(line)
                ended = message["what"] != "progress"
                messages.put(message)
        code = process.wait()
        for stream in (process.stdin, process.stdout):
            with suppress(BrokenPipeError, OSError):
                if stream:
                    stream.close()
        if not ended:
            messages.put(self._killed or {**GONE, "detail": f"The process ended unexpectedly (exit code {code})."})


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
        child.hold_to_limits()
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
