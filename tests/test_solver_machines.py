"""Parts on Dask workers: the same answer as in one process, also when a worker is killed in mid-run."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
from distributed import Client, LocalCluster
from solver_cases import MEDIUM, random_problem

from solver.backends.protocol import Limits
from solver.decomposition.master import no_decisions
from solver.decomposition.parts import Charges, Part
from solver.decomposition.standing import Ground
from solver.decomposition.tasks import Programme, run_here
from solver.decomposition.yearly import Guide, flows_by_year
from solver.machines import machines
from solver.pricing import no_prices
from solver.solve import SolveOptions, solve

LIMITS = Limits(gap=1e-6, seconds=120, threads=1)


def _tasks() -> list[Programme]:
    tasks = []
    for seed in (5, 6):
        problem = random_problem(seed, MEDIUM)
        ground = Ground(problem)
        flows = solve(problem, SolveOptions(gap=1e-6, threads=1), fixed=no_decisions(problem)).flows
        plan = ground.settled(no_decisions(problem), flows, LIMITS)
        assert plan is not None
        charged = Charges(ground, no_prices(problem))
        tasks += [Part(ground, plan, np.array([owner]), charged, each=3, decide=False).task(LIMITS) for owner in (0, 1)]
    return tasks


def test_workers_and_one_process_find_the_same() -> None:
    """The caller's question whether to stop holds a lock, which can't be sent."""
    stop = threading.Event()
    tasks = [replace(task, limits=replace(task.limits, interrupted=stop.is_set)) for task in _tasks()]
    here = [found.objective for found in run_here(tasks)]
    with machines(workers=2, memory="1GB") as run:
        there = [found.objective for found in run(tasks)]
    np.testing.assert_allclose(there, here, rtol=1e-9)


def test_blocks_of_flows_are_the_same_on_workers() -> None:
    problem = random_problem(4, MEDIUM)
    decisions, prices = no_decisions(problem), no_prices(problem)
    whole = flows_by_year(problem, decisions, prices)
    assert whole is not None
    guide = Guide(problem, whole, np.arange(len(problem.owners)))
    here = flows_by_year(problem, decisions, prices, guide=guide)
    with machines(workers=2, memory="1GB") as run:
        there = flows_by_year(problem, decisions, prices, guide=guide, run=run)
    assert here is not None
    assert there is not None
    for name, column in vars(here).items():
        np.testing.assert_array_equal(column, getattr(there, name))


def test_a_killed_worker_costs_its_task_not_the_run() -> None:
    tasks = _tasks()
    here = [found.objective for found in run_here(tasks)]
    local = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**local) as cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
        address, victim = next(iter(client.run(os.getpid).items()))
        killed = threading.Event()

        def kill_at_work() -> None:
            """Kills the worker while it holds a task, whatever the speed of the machine."""
            while not client.processing().get(address):
                time.sleep(0.001)
            os.kill(victim, signal.SIGKILL)
            killed.set()

        threading.Thread(target=kill_at_work, daemon=True).start()
        there: list[float] = []
        with machines(scheduler=cluster.scheduler_address) as run:
            while not killed.is_set():
                there += [found.objective for found in run(tasks)]
    np.testing.assert_allclose(there, here * (len(there) // len(here)), rtol=1e-9)
