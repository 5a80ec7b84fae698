"""Parts of a large problem as tasks on Dask: worker processes here, or any scheduler by its address.

A task holds all that it needs and returns a solution; the same task gives the same solution wherever it runs, so a
plan doesn't depend on how many machines helped. A worker that dies or runs out of memory costs its task, which runs again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from distributed import Client, LocalCluster

from solver.backends.protocol import ModelSolution
from solver.decomposition.tasks import Run, Task, solve_task

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
    local = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": memory, "processes": True, "dashboard_address": None}
    with LocalCluster(**local) as cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
        yield _Dask(client)


class _Dask:
    """Runs tasks on a client's workers."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, tasks: Sequence[Task]) -> list[ModelSolution]:
        """All solutions, in the order of the tasks."""
        if len(tasks) < LEAST_TASKS:
            return [solve_task(task) for task in tasks]
        # whether to stop is asked here, between tasks: the question can't travel
        sent = [replace(task, limits=replace(task.limits, interrupted=None)) for task in tasks]
        futures = self.client.map(solve_task, sent, retries=RETRIES, pure=False)
        found: list[ModelSolution] = self.client.gather(futures)  # type: ignore[no-untyped-call]
        return found
