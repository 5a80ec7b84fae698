"""Chunks of a job on Dask: worker processes of this machine, or workers anywhere that see the same cache folder.

A worker that dies costs the chunk it was at: Dask gives it to another one. A chunk that fails for a reason of its machine (a full disk,
a lost share) is tried again. The scheduler holds paths and a few points per chunk, never the network or the journeys.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from distributed import Client, LocalCluster

LOCAL: Final = "local"
RETRIES: Final = 3
CONNECT_S: Final = "30s"


@contextmanager
def dask_executor(address: str, workers: int = 1) -> Iterator[Any]:
    """An executor (``submit``) on the scheduler at ``address`` (tcp://host:8786); ``local``: on ``workers`` processes of this machine.

    Workers of this machine share its memory equally and are restarted beyond their share. Raises OSError when no scheduler answers.
    """
    with ExitStack() as stack:
        where = address
        if address == LOCAL:
            here = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)  # type: ignore[no-untyped-call]
            where = stack.enter_context(here)
        client = stack.enter_context(Client(where, timeout=CONNECT_S))  # type: ignore[no-untyped-call]
        yield stack.enter_context(client.get_executor(retries=RETRIES, pure=False))
