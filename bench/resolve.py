"""A changed pin, planned from an earlier plan: ``python -m bench.resolve [--futures 1] [--areas 400] [--gap 0.01]``.

The fictional region is planned from nothing, then again after each of several single pins, from the first plan's folder alone. One line
each: seconds by phase, CPU seconds, the gap, and the share of the first plan's time. With more than one future, projects are shared over
that many forecasts (growth from -3 % to +4 % a year on the central one) and every future has its own counterfactual and flows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bench.instance_table import as_markdown
from bench.machine import machine
from fixtures.region import fictional_region
from sufficiency.analysis.robust import plan_robust
from sufficiency.case import Case
from sufficiency.request import PlanRequest, checked_request
from sufficiency.results.tables import projects_table
from sufficiency.workflow import plan_case

STEPS = {"Formulating": "formulate", "Counterfactual": "counterfactual", "Rule": "rule", "Plan": "search", "Writing": "tables"}
STEPS |= {"Best": "alone", "Shared": "search"}
LINES = {"prices": "prices", "near": "options", "options": "options", "explore": "options", "flows": "flows"}
"""Phases of the lines of the plan's search, each told when it ends."""
PHASES = ("formulate", "counterfactual", "rule", "alone", "prices", "options", "flows", "tables")
GROWTH = (-0.03, 0.04)
"""Yearly growth on the central forecast, of the least and the largest of several futures."""


class Watch:
    """Elapsed seconds by phase, from what a run says, and CPU seconds."""

    def __init__(self) -> None:
        self.began, self.cpu = time.monotonic(), time.process_time()
        self.at, self.step = self.began, "formulate"
        self.seconds = dict.fromkeys((*PHASES, "search"), 0.0)

    def say(self, text: str) -> None:
        """Heed one line."""
        words = text.replace(":", " ").split()
        if not text.startswith(" "):
            self._until_now(self.step)
            self.step = STEPS.get(words[0], self.step)
        elif self.step == "search" and len(words) > 2 and words[2] in LINES:
            self._until_now(LINES[words[2]])

    def _until_now(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds[phase] += now - self.at
        self.at = now

    def row(self) -> dict[str, float]:
        """Seconds of each phase and in all."""
        self._until_now(self.step)
        figures = {name: self.seconds[name] for name in PHASES} | {"seconds": self.at - self.began}
        return {name: round(value, 1) for name, value in (figures | {"cpu_s": time.process_time() - self.cpu}).items()}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.resolve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--futures", type=int, default=1)
    parser.add_argument("--areas", type=int, default=400)
    parser.add_argument("--gap", type=float, default=0.01)
    parser.add_argument("--time-limit", type=float, default=600.0)
    chosen = parser.parse_args()
    case = fictional_region(areas=chosen.areas)
    request = PlanRequest(sensitivity=False, gap=chosen.gap, time_limit_s=chosen.time_limit)
    sys.stdout.write(f"{machine()}; {chosen.futures} future(s), {chosen.areas} areas, asked gap {chosen.gap:g}\n\n")
    rows: list[dict[str, Any]] = []
    for row in one_future(case, request) if chosen.futures == 1 else several_futures(case, request, chosen.futures):
        rows.append({**row, "of_first": round(row["seconds"] / (rows or [row])[0]["seconds"], 3)})
        lines = as_markdown(pd.DataFrame(rows[-1:])).split("\n")
        sys.stdout.write("\n".join(lines if len(rows) == 1 else lines[2:]) + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\nmedian of the changed ones: {np.median([row['of_first'] for row in rows[1:]]):.3f} of the first\n")


def changes(projects: pd.DataFrame, case: Case) -> dict[str, dict[str, Any]]:
    """Single pins on a plan with this table of projects: each kind of wish, on projects that it builds and on one that it does not."""
    chosen = projects[(projects["decision"] == "open") & (projects["effect"] == "add") & (projects["stage"] == 1)]
    chosen = chosen.sort_values("capital_gbp", ascending=False)
    most = chosen["project_id"].map(case.projects.set_index("project_id")["max_places"])
    grows, late = chosen[chosen["places"] < most], case.academic_years[-2]
    early = chosen[chosen["opens_academic_year"] < late]
    left = case.projects[(case.projects["decision"] == "open") & (case.projects["effect"] == "add")]
    left = left[~left["project_id"].isin(projects["project_id"]) & left["exclusive_group"].isna() & left["prerequisite"].isna()]
    large, middle = (str(chosen["project_id"].iloc[at]) for at in (0, len(chosen) // 2))
    found: list[dict[str, Any]] = [{"project": large, "wish": "must_not"}, {"project": middle, "wish": "must_not"}]
    found += [{"project": str(left["project_id"].iloc[0]), "wish": wish} for wish in ("must", "must_not") if len(left)]
    found += [{"project": str(early["project_id"].iloc[0]), "wish": "not_before", "year": late}] if len(early) else []
    if len(grows):
        places = float(most[grows.index[0]])
        found.append({"project": str(grows["project_id"].iloc[0]), "wish": "at_least", "places": places})
    return {f"{pin['wish']} {pin['project']}": pin for pin in found}


def one_future(case: Case, request: PlanRequest) -> Iterator[dict[str, Any]]:
    """A row for the first plan and for each changed pin."""
    watch = Watch()
    first = plan_case(case, request, progress=watch.say)
    yield {"request": "first", "gap": round(first.summary["gap_of_cost"], 5), **watch.row()}
    for name, pin in changes(first.plan.projects, case).items():
        watch = Watch()
        plan = plan_case(case, _pinned(request, pin), progress=watch.say, base=first)
        yield {"request": name, "gap": round(plan.summary["gap_of_cost"], 5), **watch.row()}


def several_futures(case: Case, request: PlanRequest, count: int) -> Iterator[dict[str, Any]]:
    """The same for projects shared over several futures; each is planned alone, too."""
    growth = np.linspace(*GROWTH, count)
    case, chances = with_futures(case, growth), {f"growth {one:+.1%}": 1 / count for one in growth}
    watch = Watch()
    first = plan_robust(case, request, chances, progress=watch.say)
    yield {"request": "first", "gap": round(1 - first.bound / first.value, 5), **watch.row()}
    formulation = next(iter(first.futures.values())).formulation
    projects = projects_table(formulation, next(iter(first.futures.values())).shared)
    for name, pin in changes(projects, case).items():
        watch = Watch()
        found = plan_robust(case, _pinned(request, pin), chances, progress=watch.say, base=first)
        yield {"request": name, "gap": round(1 - found.bound / found.value, 5), **watch.row()}


def with_futures(case: Case, growth: np.ndarray[Any, np.dtype[np.float64]]) -> Case:
    """The case with a scenario for each yearly growth on its central forecast."""
    years = {year: number for number, year in enumerate(sorted(case.pupils["academic_year"].unique()))}
    central = case.pupils[case.pupils["scenario"] == "central"]
    parts = []
    for one in growth:
        factor = (1 + one) ** central["academic_year"].map(years).to_numpy(float)
        counts = {name: central[name] * factor for name in central.columns if name.startswith("pupils_")}
        parts.append(central.assign(scenario=f"growth {one:+.1%}", **counts))
    return replace(case, pupils=pd.concat(parts, ignore_index=True))


def _pinned(request: PlanRequest, pin: dict[str, Any]) -> PlanRequest:
    return replace(request, pins=checked_request({"pins": [pin]}, "bench").pins)


if __name__ == "__main__":
    main()
