"""Our search beside plain HiGHS on one council and on a region: ``python -m bench.councils --out DIR [--seeds 3] [--cpu-limit 300]``.

Councils: fictional ones of 60 areas; both get the same problem with every arc, a gap of 1e-4, one thread and the same CPU seconds.
Plain HiGHS is the whole model in one piece. Region: three councils; when does our bound reach that of HiGHS's linear relaxation?
Each solve is a process of its own. Writes ``councils.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.instance_table import as_markdown
from bench.machine import MOST_WAIT, cpu_over, machine
from fixtures.region import fictional_region
from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.decomposition.master import no_decisions
from solver.direct import place_entrants, solve_direct
from solver.formulation import MONEY, build_core
from solver.pricing import all_arcs
from solver.problem import Problem
from solver.result import Flows, Progress
from solver.solve import SolveOptions, solve
from sufficiency.formulate import formulate, with_floor

COUNCIL, REGION = {"councils": 1, "areas": 60}, {"councils": 3, "areas": 150}
GAP = 1e-4


def main() -> None:
    """Prints the tables, too."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.councils", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    parser.add_argument("--seeds", type=int, default=3, help="councils: seeds 1 to this number")
    parser.add_argument("--cpu-limit", type=float, default=300.0, help="CPU seconds for each solve")
    parser.add_argument("--measure", choices=sorted(MEASURES), help="only this, for one seed, as a line of JSON")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.measure:
        sys.stdout.write(json.dumps(MEASURES[chosen.measure](chosen.seed, chosen.cpu_limit)) + "\n")
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    councils = [
        _alone(name, seed, chosen.cpu_limit) for seed in range(1, chosen.seeds + 1) for name in ("council, solve", "council, HiGHS")
    ]
    region = [_alone("region, relaxation", 1, chosen.cpu_limit)]
    ours = _alone("region, bound", 1, chosen.cpu_limit)
    reached = [step for step in ours.pop("log") if step["bound_gbp_m"] >= region[0]["bound_gbp_m"] * (1 - 1e-9)]
    region += [{**ours, "reaches the relaxation after, CPU s": reached[0]["cpu_s"] if reached else "not reached"}]
    text = f"{machine()}; one thread\n\n{_shown(councils)}\n\n{_shown(region)}\n"
    (chosen.out / "councils.md").write_text(text)
    sys.stdout.write(text)


def _alone(name: str, seed: int, cpu_limit: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.councils", "--measure", name, "--seed", str(seed), "--cpu-limit", str(cpu_limit)]
    line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    return {"what": name, "seed": seed, **json.loads(line)}


def _problem(seed: int, councils: int, areas: int) -> tuple[Problem, Flows]:
    """With its floor of displacement, and the flows that keep it."""
    formulation = formulate(fictional_region(seed, councils=councils, areas=areas))
    without = solve(formulation.problem, SolveOptions(gap=1e-3, threads=1), fixed=no_decisions(formulation.problem))
    return with_floor(formulation, without.flows).problem, without.flows


def _solved(seed: int, cpu_limit: float) -> dict[str, Any]:
    problem, flows = _problem(seed, **COUNCIL)
    cpu = time.process_time()
    how = SolveOptions(gap=GAP, seconds=MOST_WAIT * cpu_limit, threads=1, interrupted=cpu_over(cpu_limit))
    found = solve(problem, how, known_flows=[flows])
    return _figures(problem, found.upper, found.lower, cpu)


def _solved_by_highs(seed: int, cpu_limit: float) -> dict[str, Any]:
    problem, _ = _problem(seed, **COUNCIL)
    cpu = time.process_time()
    limits = Limits(GAP, MOST_WAIT * cpu_limit, threads=1, interrupted=cpu_over(cpu_limit))
    found = solve_direct(problem, HighsBackend(), limits)
    return _figures(problem, found.upper, found.lower, cpu)


def _relaxation(seed: int, cpu_limit: float) -> dict[str, Any]:
    """HiGHS's linear relaxation of the whole region; its bound when stopped is none."""
    problem, _ = _problem(seed, **REGION)
    cpu = time.process_time()
    core = build_core(problem)
    place_entrants(core, all_arcs(problem))
    limits = Limits(GAP, MOST_WAIT * cpu_limit, threads=1, interrupted=cpu_over(cpu_limit))
    found = HighsBackend().solve(core.model.arrays(), limits, relax=True)
    return _figures(problem, np.nan, found.bound / MONEY, cpu)


def _bounded(seed: int, cpu_limit: float) -> dict[str, Any]:
    problem, flows = _problem(seed, **REGION)
    cpu = time.process_time()
    log: list[dict[str, float]] = []

    def watch(step: Progress) -> None:
        log.append({"cpu_s": round(time.process_time() - cpu, 1), "bound_gbp_m": step.lower / 1e6})

    how = SolveOptions(gap=GAP, seconds=MOST_WAIT * cpu_limit, threads=1, interrupted=cpu_over(cpu_limit), report=watch)
    found = solve(problem, how, known_flows=[flows])
    return {**_figures(problem, found.upper, found.lower, cpu), "log": log}


MEASURES = {
    "council, solve": _solved,
    "council, HiGHS": _solved_by_highs,
    "region, relaxation": _relaxation,
    "region, bound": _bounded,
}


def _figures(problem: Problem, upper: float, lower: float, since: float) -> dict[str, Any]:
    return {
        "cells": int((problem.demand.entrants > 0).sum()),
        "arcs": problem.arcs,
        "plan_gbp_m": upper / 1e6,
        "bound_gbp_m": lower / 1e6,
        "gap": (upper - lower) / upper,
        "cpu_s": round(time.process_time() - since, 1),
    }


def _shown(rows: list[dict[str, Any]]) -> str:
    table = pd.DataFrame(rows)
    for column, form in (("plan_gbp_m", "{:,.3f}"), ("bound_gbp_m", "{:,.3f}"), ("gap", "{:.3%}")):
        table[column] = table[column].map(lambda value, form=form: form.format(value) if value == value else "")
    return as_markdown(table.astype(object).fillna(""))


if __name__ == "__main__":
    main()
