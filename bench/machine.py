"""Where figures were measured, in one line, and limits in CPU seconds, from which a busy machine takes nothing away."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

MOST_WAIT = 20.0
"""Elapsed seconds for each CPU second, at most."""


def cpu_over(seconds: float) -> Callable[[], bool]:
    """Whether this process has used so many CPU seconds from now on."""
    end = time.process_time() + seconds
    return lambda: time.process_time() > end


def machine() -> str:
    """Processors, memory, Python and the solvers' versions."""
    names = ("sufficiency", "highspy", "ortools", "pulp", "numba")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{_processor()}, {os.cpu_count()} processors, {memory:.0f} GB; Python {platform.python_version()}, {versions};"
        f" {datetime.datetime.now(tz=datetime.UTC).date():%d %B %Y}"
    )


def _processor() -> str:
    """The processor's name where the system tells it (Linux), else its architecture."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
