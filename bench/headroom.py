"""What the search gains over a planner's rules: ``python -m bench.headroom [--seeds 20] [--cpu-limit 20]``.

One line for each seed of the random problems of ``bench.mismatch``. The rule is the better of cheapest per place and
cheapest per use of independent places avoided. Headroom is what lies between the rule's cost and the proven bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.instance_table import as_markdown
from bench.machine import cpu_over, machine
from bench.mismatch import SEEDS, matched, mismatched
from solver.decomposition.master import no_decisions
from solver.problem import OUTSIDE, Problem
from solver.result import Flows
from solver.rules import cheapest_first, cheapest_per_displaced
from solver.solve import SolveOptions, solve

DRAWN = {"mismatched": mismatched, "random": matched}


def main() -> None:
    """Prints the table and its medians."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.headroom", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="seeds 1 to this number")
    parser.add_argument("--cpu-limit", type=float, default=20.0, help="CPU seconds for each plan")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    # one model gets a share of the time, so that the time has to be what the plan may take
    options = SolveOptions(gap=1e-4, seconds=chosen.cpu_limit, threads=1)
    rows = []
    for kind, draw in DRAWN.items():
        for seed in SEEDS[: chosen.seeds]:
            rows.append({"cases": kind, "seed": seed, **outcome(draw(seed), options, chosen.cpu_limit)})
            pd.DataFrame(rows).to_csv(chosen.out / "headroom.csv", index=False)
    table = pd.DataFrame(rows)
    medians = table.groupby("cases", sort=False).median(numeric_only=True).drop(columns="seed").round(4).reset_index()
    text = f"{machine()}; {chosen.cpu_limit:g} CPU s for each plan\n\n{as_markdown(table.round(4))}\n\nMedians\n\n{as_markdown(medians)}\n"
    (chosen.out / "headroom.md").write_text(text)
    sys.stdout.write(text)


def outcome(problem: Problem, options: SolveOptions, cpu_limit: float) -> dict[str, float]:
    """Saving of rule and plan as shares of the bound's saving, and headroom closed."""
    cpu = time.process_time()
    exact = replace(options, gap=1e-6)
    without = solve(problem, exact, fixed=no_decisions(problem))
    problem = with_floor(problem, without.flows)
    rules = [rule(problem) for rule in (cheapest_first, cheapest_per_displaced)]
    held = [solve(problem, exact, fixed=rule) for rule in rules]
    rule = min(held, key=lambda world: world.upper)
    plan = solve(problem, replace(options, interrupted=cpu_over(cpu_limit)), candidates=rules, known_flows=[without.flows])
    most = without.upper - plan.lower
    room = rule.upper - plan.lower
    return {
        "saving_of_cost": most / without.upper,
        "rule_share": (without.upper - rule.upper) / most,
        "plan_share": (without.upper - plan.upper) / most,
        "headroom_closed": (rule.upper - plan.upper) / room if room > 1e-6 * without.upper else 1.0,
        "gap_of_cost": plan.gap,
        "cpu_s": round(time.process_time() - cpu, 1),
    }


def with_floor(problem: Problem, flows: Flows) -> Problem:
    """The problem with the use of independent places without any option as the floor of displacement."""
    pools = len(problem.pools.labels)
    outside = (flows.pool < pools) & (np.append(problem.pools.role, -1)[flows.pool] == OUTSIDE)
    floor = np.zeros_like(problem.displacement.floor)
    stay = problem.demand.stay[flows.cls[outside], flows.entry[outside]] * flows.amount[outside, None]
    np.add.at(floor, (problem.demand.origin_owner[flows.origin[outside]], problem.demand.class_family[flows.cls[outside]]), stay)
    return replace(problem, displacement=replace(problem.displacement, floor=np.maximum(0.0, floor * (1 - 1e-7) - 1e-6)))


if __name__ == "__main__":
    main()
