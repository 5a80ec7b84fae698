"""How time and memory grow with areas, settings, years and scenarios: ``python -m bench.growth --out DIR [--cpu-limit 120]``.

Fictional regions around one in the middle (2 councils, 120 areas, 5 years, one scenario); one thing is changed at a time. Each plan
is found in a process of its own, on one thread, until it is within 1 % of the least cost or the CPU seconds are over; what is drawn is
when it was first within 5 %. Writes ``growth.csv``, ``growth.md`` and ``growth.png``. What ``growth.csv`` in DIR holds is not run again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from bench.instance_table import as_markdown
from bench.machine import cpu_over, machine
from fixtures.region import fictional_region
from solver.decomposition.master import no_decisions
from solver.result import Progress
from solver.solve import SolveOptions, solve
from solver.worlds import stack, stacked_flows
from sufficiency.formulate import formulate, with_floor

SCENARIOS = ("central", "low", "high")
GAP, WITHIN = 0.01, (0.05, 0.02, 0.01)
"""Share of cost at which a plan is good enough, and those whose CPU seconds are told."""
ESTIMATED = {"prices", "options", "near"}
"""Phases of the search that tell what a plan will cost, not yet what one costs."""
SEED = 1


@dataclass(frozen=True)
class Size:
    """A region to plan."""

    councils: int = 2
    areas: int = 120
    years: int = 5
    scenarios: int = 1


MIDDLE = Size()
VARIED = {
    "areas": [replace(MIDDLE, areas=areas) for areas in (60, 120, 240, 480)],
    "councils": [replace(MIDDLE, councils=councils) for councils in (1, 2, 4, 6)],
    "years": [replace(MIDDLE, years=years) for years in (1, 3, 5, 7)],
    "scenarios": [replace(MIDDLE, scenarios=scenarios) for scenarios in (1, 2, 3)],
}
"""What is changed, and the sizes. Councils bring their settings with them, on the same areas."""
DRAWN = {"within_5%_cpu_s": "CPU s to within 5 %", "peak_mb": "peak memory, MB"}


def main() -> None:
    """Prints the table, too."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    parser.add_argument("--cpu-limit", type=float, default=120.0, help="CPU seconds for each plan")
    parser.add_argument("--size", help="measure only this one (JSON), as a line of JSON")
    chosen = parser.parse_args()
    if chosen.size:
        sys.stdout.write(json.dumps(measured(Size(**json.loads(chosen.size)), chosen.cpu_limit)) + "\n")
        return
    chosen.out.mkdir(parents=True, exist_ok=True)
    target = chosen.out / "growth.csv"
    rows = pd.read_csv(target).to_dict("records") if target.exists() else []
    done = {tuple(row[name] for name in asdict(MIDDLE)) for row in rows}
    for size in dict.fromkeys(size for sizes in VARIED.values() for size in sizes):
        if tuple(asdict(size).values()) in done:
            continue
        command = [sys.executable, "-m", "bench.growth", "--size", json.dumps(asdict(size)), "--cpu-limit", str(chosen.cpu_limit)]
        rows.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]))
        pd.DataFrame(rows).to_csv(target, index=False)
    table = pd.DataFrame(rows)
    heading = f"{machine()}; gap {GAP:.0%}, {chosen.cpu_limit:g} CPU s at most, one run each"
    text = f"{heading}\n\n{as_markdown(table.astype(object).fillna('not in time'))}\n\n{as_markdown(slopes(table))}\n"
    (chosen.out / "growth.md").write_text(text)
    sys.stdout.write(text)
    _chart(table, chosen.out / "growth.png")


def measured(size: Size, cpu_limit: float) -> dict[str, int | float | str]:
    """One plan: what it takes from the case in memory to plan and bound."""
    case = fictional_region(SEED, councils=size.councils, areas=size.areas, scenarios=SCENARIOS[: size.scenarios])
    case = replace(case, academic_years=case.academic_years[: size.years])
    cpu, how = time.process_time(), SolveOptions(gap=GAP, seconds=20 * cpu_limit, threads=1)
    problems, known = {}, {}
    for name in SCENARIOS[: size.scenarios]:
        formulation = formulate(case, name)
        without = solve(formulation.problem, how, fixed=no_decisions(formulation.problem))
        problems[name], known[name] = with_floor(formulation, without.flows).problem, without.flows
    problem = stack(problems, np.full(size.scenarios, 1.0 / size.scenarios).tolist())
    formulated, first = time.process_time() - cpu, time.process_time()
    flows = known["central"] if size.scenarios == 1 else stacked_flows(problems, known)
    log: list[tuple[float, Progress]] = []

    def watch(step: Progress) -> None:
        log.append((time.process_time() - first, step))

    found = solve(problem, replace(how, interrupted=cpu_over(cpu_limit), report=watch), known_flows=[flows])
    watch(Progress(0.0, "end", found.upper, found.lower))
    return {
        **asdict(size),
        "settings": len(case.settings),
        "projects": len(problem.options.labels),
        "cells": int((problem.demand.entrants > 0).sum()),
        "arcs": problem.arcs,
        "before_cpu_s": round(formulated, 1),
        **{f"within_{share:.0%}_cpu_s": round(first_within(share, log), 1) for share in WITHIN},
        "cpu_s": round(time.process_time() - first, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "gap": f"{found.gap:.2%}",
    }


def first_within(share: float, log: list[tuple[float, Progress]]) -> float:
    """CPU seconds after which a plan whose flows are known was within this share of its cost; not a number when none was."""
    near = [cpu for cpu, step in log if step.phase not in ESTIMATED and step.upper - step.lower <= share * abs(step.upper) < np.inf]
    return near[0] if near else np.nan


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Exponent of a power of what is changed, by least squares of logarithms: 1 is growth in proportion."""
    rows = []
    for name, sizes in VARIED.items():
        part = _of(table, sizes)
        rows.append({"changed": name, **{DRAWN[column]: f"{_slope(part[name], part[column]):.2f}" for column in DRAWN}})
    return pd.DataFrame(rows)


def _of(table: pd.DataFrame, sizes: list[Size]) -> pd.DataFrame:
    wanted = pd.DataFrame([asdict(size) for size in sizes])
    return wanted.merge(table, on=list(wanted.columns))


def _slope(x: pd.Series, y: pd.Series) -> float:
    x, y = x[y.notna()], y.dropna()
    return float(np.polyfit(np.log(x.to_numpy(float)), np.log(np.maximum(y.to_numpy(float), 0.1)), 1)[0])


def _chart(table: pd.DataFrame, target: Path) -> None:
    """Both figures against each size, logarithmic."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(DRAWN), len(VARIED), figsize=(12, 6), sharey="row", constrained_layout=True)
    for row, (column, label) in enumerate(DRAWN.items()):
        for axis, (name, sizes) in zip(axes[row], VARIED.items(), strict=True):
            part = _of(table, sizes)
            axis.loglog(part[name], part[column], marker="o", color="#1d70b8")
            axis.set_xticks(part[name], [str(value) for value in part[name]])
            axis.minorticks_off()
            axis.set_xlabel(name)
            axis.grid(visible=True, alpha=0.3)
        axes[row][0].set_ylabel(label)
    figure.savefig(target, dpi=120)


if __name__ == "__main__":
    main()
