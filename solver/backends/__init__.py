"""Solvers of linear models behind one protocol; the only place that knows their packages."""

from __future__ import annotations

from solver.backends.protocol import Backend

NAMES = ("highs", "ortools", "pulp")


def backend_named(name: str) -> Backend:
    """The backend of that name, its package imported only now. ValueError for an unknown name.

    OR-Tools' HiGHS and PuLP must not meet in one process (they crash); OR-Tools therefore uses SCIP.
    """
    if name == "highs":
        from solver.backends.highs import HighsBackend

        return HighsBackend()
    if name == "ortools":
        from solver.backends.ortools import OrtoolsBackend

        return OrtoolsBackend()
    if name == "pulp":
        from solver.backends.pulp import PulpBackend

        return PulpBackend()
    raise ValueError(f"no backend is called {name!r}; there are {', '.join(NAMES)}")
