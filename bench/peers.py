"""Published facility-location instances through other solvers: HiGHS on the strong and on the weak form, SCIP, CP-SAT, CBC.

``python -m bench.peers FILE --layout LAYOUT --solver "HiGHS weak" [--gap 1e-4] [--cpu-limit 30]`` prints one JSON line.

The model is the textbook one, share x[z, i] of customer z's demand served from site i and y[i] whether i is open:
    sum over i of x[z, i] = 1;    sum over z of demand[z] x[z, i] <= capacity[i] y[i];    sum over i of capacity[i] y[i] >= all demand
and in the strong form x[z, i] <= y[i] for every pair. SCIP, CP-SAT and CBC get the weak form. CP-SAT, which knows whole numbers
only, gets amounts instead of shares: with whole demands and capacities some optimum is whole.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from bench.instances import LAYOUTS, Instance, Outcome, read_instance
from bench.machine import MOST_WAIT, cpu_over
from solver.backends import backend_named
from solver.backends.protocol import Backend, Limits
from solver.linear_model import LinearModel, ModelArrays
from solver.problem import Floats

PEERS = ("HiGHS weak", "HiGHS strong", "SCIP", "CBC", "CP-SAT")


def main() -> None:
    """Prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--layout", choices=LAYOUTS, required=True)
    parser.add_argument("--solver", choices=PEERS, required=True)
    parser.add_argument("--gap", type=float, default=1e-4)
    parser.add_argument("--cpu-limit", type=float, default=30.0)
    chosen = parser.parse_args()
    outcome = run_peer(read_instance(chosen.file, chosen.layout), chosen.solver, chosen.gap, chosen.cpu_limit)
    sys.stdout.write(json.dumps(vars(outcome)) + "\n")


def run_peer(instance: Instance, solver: str, gap: float, seconds: float) -> Outcome:
    """Plan and bound that one of PEERS finds in so many CPU seconds, in the instance's money."""
    backend = _backend(solver)
    wall, cpu = time.perf_counter(), cpu_seconds()
    limits = Limits(gap, MOST_WAIT * seconds, threads=1, interrupted=cpu_over(seconds))
    if solver == "CBC":  # a program of its own, which counts for itself
        limits = Limits(gap, seconds, threads=1)
    model = facility_model(instance, strong=solver == "HiGHS strong", whole=solver == "CP-SAT")
    found = backend.solve(model, limits)
    sites = len(instance.capacity)
    upper = found.objective if found.x is not None and keeps_rows(model, found.x) else None
    lower = found.bound if np.isfinite(found.bound) else 0.0
    return Outcome(
        upper=upper,
        lower=lower,
        termination=str(found.termination),
        gap=None if upper is None else max(0.0, upper - lower) / upper,
        opened=0 if found.x is None else int(np.round(found.x[:sites]).sum()),
        wall_s=round(time.perf_counter() - wall, 2),
        cpu_s=round(cpu_seconds() - cpu, 2),
    )


def facility_model(instance: Instance, *, strong: bool = False, whole: bool = False) -> ModelArrays:
    """The textbook model: first m columns y, then by site the shares served from it, or ``whole`` amounts (then demand must be whole)."""
    sites, customers = instance.unit_cost.shape
    if whole and not (np.mod(instance.demand, 1) == 0).all():
        raise ValueError("demand is not whole")
    most = instance.demand if whole else np.ones(customers)
    used = np.ones(customers) if whole else instance.demand
    model = LinearModel()
    opened = model.add_columns("open", sites, cost=instance.fixed_cost, upper=1.0, integer=True)
    cost, limit = (instance.unit_cost * used).ravel(), np.tile(most, sites)
    served_from = model.add_columns("served from", sites * customers, cost=cost, upper=limit, integer=whole).reshape(sites, customers)
    served = model.add_rows("served", customers, lower=most, upper=most)
    model.add_entries(served[None, :], served_from, 1.0)
    room = model.add_rows("room", sites, upper=0.0)
    model.add_entries(room[:, None], served_from, used[None, :])
    model.add_entries(room, opened, -instance.capacity)
    enough = model.add_rows("enough", 1, lower=float(instance.demand.sum()))
    model.add_entries(enough, opened, instance.capacity)
    if strong:
        linked = model.add_rows("linked", sites * customers, upper=0.0).reshape(sites, customers)
        model.add_entries(linked, served_from, 1.0)
        model.add_entries(linked, opened[:, None], -most[None, :])
    return model.arrays()


def keeps_rows(model: ModelArrays, x: Floats) -> bool:
    """Whether a solution is one: whole where it must be, within bounds and rows (to 1e-5 of their size)."""
    used = model.matrix @ x
    slack = 1e-5 * np.maximum(1.0, np.maximum(np.abs(used), abs(model.matrix) @ np.abs(x)))
    rows = (used >= model.row_lower - slack) & (used <= model.row_upper + slack)
    columns = (x >= model.lower - 1e-5) & (x <= model.upper + 1e-5 * np.maximum(1.0, np.abs(x)))
    return bool(rows.all() and columns.all() and (np.abs(x - np.round(x))[model.integer] <= 1e-5).all())


def cpu_seconds() -> float:
    """CPU seconds of this process and of the programs that it has started and that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _backend(solver: str) -> Backend:
    if solver == "CP-SAT":
        from solver.backends.ortools import OrtoolsBackend

        return OrtoolsBackend("cp-sat")
    if solver == "CBC":
        from solver.backends.pulp import PulpBackend

        return PulpBackend(time_mode="cpu")
    return backend_named("ortools" if solver == "SCIP" else "highs")


if __name__ == "__main__":
    main()
