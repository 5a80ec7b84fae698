"""``python -m sufficiency.england --data DIR --out DIR``: plan England's capital programme and say what it buys.

Writes to OUT: ``case/`` (unless it is there), ``plan/`` (a plan folder as any other, audited), ``england.json``, ``england.md``,
``regions.csv``, and for every world its projects, needs and travel as Parquet (``worlds/``), for each region its share of them
(``regions/``). Solved worlds are kept in ``worlds/``: a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from solver.decomposition.tasks import Run, run_here
from solver.machines import machines
from solver.result import Progress
from solver.solve import SolveOptions
from sufficiency.audit import audit_plan, write_audit
from sufficiency.build.build_case import build_case
from sufficiency.case import Case, case_hashes, load_case, save_case
from sufficiency.england.figures import by_region, happened_table, national, tables_by_world
from sufficiency.england.kept import Kept, Say
from sufficiency.england.report import report_text
from sufficiency.england.worlds import solve_worlds
from sufficiency.formulate import Formulation, formulate
from sufficiency.outputs.folder import write_plan
from sufficiency.outputs.map_page import PageNotBuiltError
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.workflow import Clock, plan_of_worlds

WORKER_MEMORY = "4GB"
"""Beyond which a worker is ended; a year of a block of 28,600 cells takes 0.16."""
STOPPED = 130
"""Exit code after Ctrl-C."""


def main() -> None:
    """The whole run; Ctrl-C ends it between two files."""
    chosen = _arguments()
    try:
        _plan_england(chosen)
    except KeyboardInterrupt:
        sys.stderr.write(f"Stopped. Worlds solved so far are in {chosen.out / 'worlds'}: the same command goes on from there.\n")
        sys.exit(STOPPED)


def _plan_england(chosen: argparse.Namespace) -> None:
    """Straight through; progress goes to the error stream."""
    clock = Clock()

    def say(text: str) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        wall, cpu = clock.spent()
        sys.stderr.write(f"[{wall:7.1f} s, CPU {cpu:7.1f} s, {peak:4.1f} GB] {text}\n")
        sys.stderr.flush()

    def watch(step: Progress) -> None:
        plan = f"plan {step.upper / 1e6:,.0f}m" if step.upper < float("inf") else "no plan yet"
        say(f"  {step.phase:<8} {plan}, bound {step.lower / 1e6:,.0f}m")

    asked = PlanRequest(gap=chosen.gap, time_limit_s=chosen.time_limit, threads=chosen.threads, sensitivity=False)
    formulation = _formulated(chosen, asked, say)
    inputs = case_hashes(chosen.out / "case")
    made_with = {"case": inputs, "sufficiency": version("sufficiency"), "gap": asked.gap, "seconds": asked.time_limit_s, "seed": asked.seed}
    kept = Kept(chosen.out / "worlds", made_with, clock)
    how = SolveOptions(gap=asked.gap, seconds=asked.time_limit_s, threads=asked.threads, report=watch)
    with _machines(chosen) as run:
        worlds = solve_worlds(formulation, replace(how, run=run), say, kept)
    plan = plan_of_worlds(worlds.formulation, asked, worlds.three(), clock, inputs=inputs, progress=say)
    say("Tables of the other worlds")
    tables = tables_by_world(worlds, plan)
    regions = by_region(worlds, tables)
    found = {
        "title": f"England: {formulation.case.programme}, {formulation.case.academic_years[0]} to {formulation.case.academic_years[-1]}",
        "day": date.today().isoformat(),
        "processors": os.cpu_count(),
        **national(worlds, tables),
        "log": [vars(step) for step in worlds.plan.log],
        **dict(zip(("wall_s", "cpu_s"), clock.spent(), strict=True)),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    case = formulation.case
    del formulation, worlds  # the plan's tables need the room
    happened = happened_table(found)
    say(f"Writing {chosen.out}")
    _write(chosen.out, found, regions, happened, tables, case)
    _write_plan(plan, case, chosen.out, say)
    sys.stdout.write(report_text(found, regions, happened))


def _write_plan(plan: Plan, case: Case, out: Path, say: Say) -> None:
    """The plan folder and its audit. SystemExit when the audit finds a breach."""
    folder = out / "plan"
    try:
        write_plan(plan, case, folder, say)
    except PageNotBuiltError as error:
        say(f"No map: {error}")
    say("Auditing")
    report = audit_plan(case, folder, say, out / "case")
    write_audit(report, folder)
    say("The audit found no breach." if report.passed else f"{len(report.breaches)} breaches: see {folder / 'audit.json'}")
    if not report.passed:
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sufficiency.england", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out") / "england")
    parser.add_argument("--programme", default="hnpca-2022-25")
    parser.add_argument("--level", choices=("msoa", "lsoa"), default="msoa")
    parser.add_argument("--gap", type=float, default=0.0025, help="stop within this share of the least cost")
    parser.add_argument("--time-limit", type=float, default=1800.0, help="seconds for the plan; the other worlds take parts of it")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes that solve parts side by side; 0 or 1 = this one only"
    )
    parser.add_argument("--scheduler", help="address of a Dask scheduler whose workers solve parts, e.g. tcp://host:8786")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


@contextmanager
def _machines(chosen: argparse.Namespace) -> Iterator[Run]:
    """This process, or workers when some are asked for."""
    if chosen.workers < 2 and not chosen.scheduler:
        yield run_here
        return
    with machines(workers=chosen.workers, memory=WORKER_MEMORY, scheduler=chosen.scheduler) as run:
        yield run


def _formulated(chosen: argparse.Namespace, asked: PlanRequest, say: Say) -> Formulation:
    """The case, built where it is not there yet, as arrays; its tables are not kept beside them."""
    folder = chosen.out / "case"
    if not (folder / "case.toml").is_file():
        save_case(build_case(chosen.data, level=chosen.level, england=True, programme=chosen.programme, progress=say), folder)
    say(f"Reading {folder}")
    formulation = formulate(asked.applied_to(load_case(folder)), asked.scenario)
    say(f"  {formulation.problem.size()}")
    return formulation


def _write(
    out: Path,
    found: dict[str, Any],
    regions: pd.DataFrame,
    happened: pd.DataFrame,
    tables: dict[str, dict[str, pd.DataFrame]],
    case: Case,
) -> None:
    """All files; tables of many rows as Parquet."""
    (out / "england.json").write_text(json.dumps(found, indent=1, default=float), encoding="utf-8")
    (out / "england.md").write_text(report_text(found, regions, happened), encoding="utf-8")
    regions.to_csv(out / "regions.csv", index=False)
    region = case.councils.set_index("council_code")["region_name"]
    for world, parts in tables.items():
        for name, table in parts.items():
            (out / "worlds" / world).mkdir(parents=True, exist_ok=True)
            table.to_parquet(out / "worlds" / world / f"{name}.parquet", index=False)
            for place, rows in table.groupby(table["council_code"].map(region)):
                folder = out / "regions" / str(place).lower().replace(" ", "-") / world
                folder.mkdir(parents=True, exist_ok=True)
                rows.to_parquet(folder / f"{name}.parquet", index=False)


if __name__ == "__main__":
    main()
