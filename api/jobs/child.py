"""One task in a process of its own: ``python -m api.jobs.child``.

The first line of standard input is the task as JSON, ``{"task": "plan", ...}``; a later line ``cancel`` asks for the best result so
far. When the input ends, the parent is gone and so is this process: nothing goes on that nobody waits for.
Standard output is one JSON document per line: ``{"what": "progress" | "done" | "invalid" | "error", ...}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TextIO

from solver.result import Abandoned
from sufficiency.tables.problems import InputError

NICE = 10
"""The server answers first, on however few cores."""


def main() -> None:
    """Do the task that the first line names."""
    out = _private_output()
    told = threading.Lock()

    def tell(what: str, **data: Any) -> None:
        with told:
            out.write(json.dumps({"what": what, **data}, allow_nan=False) + "\n")
            out.flush()

    os.nice(NICE)
    payload = json.loads(sys.stdin.readline())
    cancelled = threading.Event()
    threading.Thread(target=_listen, args=(cancelled,), daemon=True).start()
    _do(payload.pop("task"), payload, tell, cancelled.is_set)


def _do(task: str, payload: dict[str, Any], tell: Callable[..., None], interrupted: Callable[[], bool]) -> None:
    from api.jobs.tasks import TASKS  # takes seconds to load: not before the process is at lower priority, and able to hear

    try:
        result = TASKS[task](payload, lambda **data: tell("progress", **data), interrupted)
    except InputError as error:
        tell("invalid", problems=[asdict(problem) for problem in error.problems])
    except Abandoned:
        tell("error", reason="stopped", detail="It was stopped before there was a plan that keeps what is asked for.")
    except MemoryError:
        tell("error", reason="memory", detail="There was not enough memory.")
    except Exception as error:
        traceback.print_exc()
        tell("error", reason="unexpected", detail=f"The program failed ({type(error).__name__}).")
    else:
        tell("done", result=result)


def _listen(cancelled: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "cancel":
            cancelled.set()
    os._exit(1)


def _private_output() -> TextIO:
    """The pipe to the parent; what libraries print goes to standard error instead."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "w", encoding="utf-8")


if __name__ == "__main__":
    main()
    os._exit(0)  # without waiting for the listener
