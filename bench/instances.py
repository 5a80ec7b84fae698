"""Published capacitated facility-location instances through the public ``solve``: plan, bound and time.

``python -m bench.instances FILE --layout orlib|orlib-columns|holmberg|yang|tbed1 [--gap 1e-6] [--time-limit 120 | --cpu-limit 30]``
prints one JSON line.

Sites become options with a fixed cost and one module of capacity, customers origins with one class. All demand
must be served: unmet demand costs more than opening any site for it, and a plan that leaves any has no ``upper``.

Layouts (counts m of sites, n of customers first, numbers separated by blanks; ``.gz`` is read too):
    orlib          m times (capacity, fixed cost); n times (demand, m costs of serving all of it)
    orlib-columns  m times (capacity, fixed cost); n demands; m x n costs of serving all of a customer's demand
    holmberg, yang as orlib-columns (what follows the table is ignored)
    tbed1          n demands; m capacities; m fixed costs; m x n costs per unit of demand
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.machine import MOST_WAIT, cpu_over
from solver.problem import NEW, Demand, Displacement, Floats, Funds, Links, Options, Pools, Problem
from solver.result import Solution
from solver.solve import SolveOptions, solve

LAYOUTS = ("orlib", "orlib-columns", "holmberg", "yang", "tbed1")
TYPICAL_TOTAL = 1e8
"""Costs are scaled to about so much in all: the solver's tolerances are made for pounds of a council's budget."""
INSTANCE_OPTIONS = SolveOptions(gap=1e-6, seconds=120.0, threads=1, direct_arcs=400_000)
"""With a backend other than HiGHS one model holds every arc."""


@dataclass(frozen=True)
class Instance:
    """Capacitated facility location with customers that several sites may serve."""

    capacity: Floats
    """(m,)"""
    fixed_cost: Floats
    """(m,)"""
    demand: Floats
    """(n,)"""
    unit_cost: Floats
    """(m, n) cost of serving one unit."""


SMALL = Instance(np.array([2.0, 2.0, 2.0]), np.array([3.0, 4.0, 9.0]), np.array([1.0, 1.0, 1.0]), np.arange(9.0).reshape(3, 3) % 4)


@dataclass(frozen=True)
class Outcome:
    """Bounds in the instance's own money. ``upper`` is None when the plan leaves demand unserved."""

    upper: float | None
    lower: float
    termination: str
    gap: float | None
    opened: int
    wall_s: float
    cpu_s: float


def main() -> None:
    """Prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--layout", choices=LAYOUTS, required=True)
    parser.add_argument("--gap", type=float, default=1e-6)
    parser.add_argument("--time-limit", type=float, default=120.0)
    parser.add_argument("--cpu-limit", type=float, help="CPU seconds, in place of the time limit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backend", default="highs")
    chosen = parser.parse_args()
    try:
        instance = read_instance(chosen.file, chosen.layout)
    except (OSError, ValueError) as problem:
        sys.exit(f"{chosen.file}: {problem}")
    options = replace(INSTANCE_OPTIONS, gap=chosen.gap, seconds=chosen.time_limit, threads=chosen.threads, backend=chosen.backend)
    run_instance(SMALL, options)  # loads what is compiled, as the import of a library does
    if chosen.cpu_limit is not None:
        options = replace(options, seconds=MOST_WAIT * chosen.cpu_limit, interrupted=cpu_over(chosen.cpu_limit))
    outcome = run_instance(instance, options)
    sys.stdout.write(json.dumps({"instance": chosen.file.name, "layout": chosen.layout, **vars(outcome)}) + "\n")


def read_instance(path: Path, layout: str) -> Instance:
    """Read a file in one of LAYOUTS. ValueError when it does not hold what the layout says."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("ascii")
    words = text.split()
    if len(words) < 2 or not (words[0].isdigit() and words[1].isdigit()):
        raise ValueError("does not begin with the numbers of sites and customers")
    sites, customers = int(words[0]), int(words[1])
    needed = 2 + 2 * sites + customers + sites * customers
    exact = layout not in ("holmberg", "yang")
    if len(words) < needed or (exact and len(words) != needed):
        raise ValueError(f"{len(words)} numbers, but {sites} sites and {customers} customers in layout {layout} need {needed}")
    body = np.array(words[2:needed], float)
    if layout == "tbed1":
        demand, capacity, fixed, table = np.split(body, np.cumsum([customers, sites, sites]))
        return Instance(capacity, fixed, demand, table.reshape(sites, customers))
    capacity, fixed = body[: 2 * sites].reshape(sites, 2).T
    if layout == "orlib":
        rows = body[2 * sites :].reshape(customers, 1 + sites)
        demand, whole = rows[:, 0], rows[:, 1:].T
    else:
        demand, whole = body[2 * sites : 2 * sites + customers], body[2 * sites + customers :].reshape(sites, customers)
    if (demand <= 0).any():
        raise ValueError("a customer without demand")
    return Instance(capacity.copy(), fixed.copy(), demand.copy(), whole / demand)


def run_instance(instance: Instance, options: SolveOptions) -> Outcome:
    """Solve and translate back."""
    scale = TYPICAL_TOTAL / float(instance.fixed_cost.sum() + instance.demand @ instance.unit_cost.max(axis=0))
    problem = as_problem(instance, scale)
    wall, cpu = time.perf_counter(), time.process_time()
    solution = solve(problem, options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    served = _unmet(problem, solution) <= 1e-6 * float(instance.demand.sum())
    upper = solution.upper / scale if served and np.isfinite(solution.upper) else None
    lower = solution.lower / scale
    return Outcome(
        upper=upper,
        lower=lower,
        termination=str(solution.termination),
        gap=None if upper is None else max(0.0, upper - lower) / upper,
        opened=int(solution.decisions.start.sum()),
        wall_s=round(wall, 2),
        cpu_s=round(cpu, 2),
    )


def as_problem(instance: Instance, scale: float = 1.0) -> Problem:
    """One period, one owner, one class; money times ``scale``.

    Every site serves every customer, so what stays unserved is total demand less open capacity: with whole numbers
    at least 1, for which the weight of unmet demand is more than opening one more site and serving it from there.
    """
    sites, customers = instance.unit_cost.shape
    one, none = np.ones((1, 1)), np.full(sites, -1)
    zero, zeros = np.zeros(sites, np.int64), np.zeros(sites)
    unmet = scale * (float(instance.fixed_cost.max()) + float(instance.unit_cost.max()) + 1.0)
    return Problem(
        periods=("once",),
        weight=np.ones(1),
        owners=("all",),
        families=("all",),
        years=("once",),
        demand=Demand(
            origins=tuple(f"customer {number}" for number in range(customers)),
            origin_owner=np.zeros(customers, np.int64),
            classes=("all",),
            class_family=np.zeros(1, np.int64),
            entrants=instance.demand.reshape(customers, 1, 1),
            survival=np.zeros(1),
            unmet_cost=np.array([unmet]),
        ),
        pools=Pools(
            labels=tuple(f"site {number}" for number in range(sites)),
            owner=zero,
            role=np.full(sites, NEW),
            capacity=np.zeros((sites, 1)),
            overflow_limit=np.zeros((sites, 1)),
            overflow_cost=0.0,
            accepts=np.ones((1, sites), bool),
            unit_cost=np.zeros((1, sites)),
        ),
        links=Links(
            start=np.arange(customers + 1) * sites,
            pool=np.tile(np.arange(sites), customers),
            cost=scale * instance.unit_cost.T.ravel(),
            minutes=np.zeros(sites * customers),
            class_factor=np.ones(1),
            class_limit=np.ones(1),
            class_reach=np.ones(1),
            excess_cost=0.0,
        ),
        displacement=Displacement(np.zeros(1), np.zeros((1, 1, 1)), np.zeros((1, 1, 1)), 0.0),
        options=Options(
            labels=tuple(f"site {number}" for number in range(sites)),
            owner=zero,
            kind=zero,
            pool=np.arange(sites),
            module=instance.capacity,
            min_modules=zero + 1,
            max_modules=zero + 1,
            max_stages=zero + 1,
            source_pool=none,
            removed=zeros,
            kept=zeros,
            exclusive=none,
            prerequisite=none,
            committed_start=none,
            committed_modules=zero,
            start_option=np.arange(sites),
            start_year=zero,
            start_opens=zero,
            fixed_cost=scale * instance.fixed_cost,
            module_cost=zeros,
            stage_cost=zeros,
            fixed_spend=zeros[:, None],
            module_spend=zeros[:, None],
            stage_spend=zeros[:, None],
        ),
        funds=Funds(("all",), np.zeros((1, 1)), np.ones((1, 1, 1), bool), one),
    )


def _unmet(problem: Problem, solution: Solution) -> float:
    return float(solution.flows.amount[solution.flows.pool == len(problem.pools.labels)].sum())


if __name__ == "__main__":
    main()
