"""Parts of a large problem as tasks on Dask: worker processes here, or any scheduler by its address.

A task holds all that it needs and returns a solution; the same task gives the same solution wherever it runs, so a
plan doesn't depend on how many machines helped. A worker that dies or runs out of memory costs its task, which runs again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from distributed import Client, LocalCluster

from solver.decomposition.tasks import Found, Run, Task, run_here, solved

RETRIES = 3
"""Times that a failed task runs again."""
LEAST_TASKS = 2
"""Fewer are solved here: sending them costs more than it saves."""


@contextmanager
def machines(*, workers: int = 2, memory: str = "2GB", scheduler: str | None = None) -> Iterator[Run]:
    """``workers`` local processes of at most ``memory`` each, or the workers of a ``scheduler`` (``tcp://host:8786``)."""
    if scheduler is not None:
        with Client(scheduler) as client:  # type: ignore[no-untyped-call]
            yield _Dask(client)
        return
    local = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": memory, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**local) as cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
        yield _Dask(client)


class _Dask:
    """Runs tasks on a client's workers."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, tasks: Sequence[Task[Found]]) -> list[Found]:
        """What each found, in the order of the tasks."""
        if len(tasks) < LEAST_TASKS:
            return run_here(tasks)
        with warnings.catch_warnings():
            # tasks hold all they need: what they weigh is known
            warnings.filterwarnings("ignore", "Sending large graph")
            futures = self.client.map(solved, [task.sent() for task in tasks], retries=RETRIES, pure=False)
        found: list[Found] = self.client.gather(futures)  # type: ignore[no-untyped-call]
        return found
