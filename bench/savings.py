"""How the saving varies over fictional regions: ``python -m bench.savings [--seeds 20] [--areas 150]``.

Prints one line for each seed and the range of each column. GBP m are present values over the horizon and the tail:
    plan        saving of the plan against committed projects only
    rule        saving of the planner's rule, cheapest GBP per place first
    headroom    share of what lies between the rule's cost and the proven bound that the plan closes
    gap         of cost, and of the saving that the bound allows

``--areas`` 400 is the region of ``make plan``; fewer solve sooner.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib.metadata import version

import numpy as np

from fixtures.region import fictional_region
from sufficiency.request import PlanRequest
from sufficiency.workflow import plan_case


@dataclass(frozen=True)
class Saving:
    """What one region gave."""

    plan_gbp_m: float
    rule_gbp_m: float
    headroom_closed: float
    gap_of_cost: float
    gap_of_saving: float
    saving_of_cost: float
    """Share of the cost with committed projects only"""
    wall_s: float


FORMATS = {"plan_gbp_m": "10.2f", "rule_gbp_m": "10.2f", "wall_s": "10.1f"}
HEADINGS = {
    "plan_gbp_m": "plan, GBP m",
    "rule_gbp_m": "rule, GBP m",
    "headroom_closed": "headroom",
    "gap_of_cost": "gap, cost",
    "gap_of_saving": "gap, saving",
    "saving_of_cost": "saving/cost",
    "wall_s": "seconds",
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.savings", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="regions: seeds 1 to this number")
    parser.add_argument("--areas", type=int, default=150, help="areas of each region, 60 or more")
    parser.add_argument("--gap", type=float, default=0.01, help="stop within this share of the least cost")
    parser.add_argument("--time-limit", type=float, default=15.0, help="seconds for each solve")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.seeds < 1 or chosen.areas < 60:
        parser.error("--seeds must be 1 or more and --areas 60 or more")
    request = PlanRequest(sensitivity=False, gap=chosen.gap, time_limit_s=chosen.time_limit, threads=chosen.threads)
    _write(
        f"sufficiency {version('sufficiency')}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors;"
        f" {chosen.areas} areas, gap {chosen.gap:g}, {chosen.time_limit:g} s and {chosen.threads} thread(s) per solve"
    )
    _write("seed".ljust(8) + "".join(f"{HEADINGS[item.name]:>13}" for item in fields(Saving)))
    rows = []
    for seed, row in savings(range(1, chosen.seeds + 1), chosen.areas, request):
        _write(_line(str(seed), row))
        rows.append(row)
    table = np.array([[getattr(row, item.name) for item in fields(Saving)] for row in rows])
    for name, figures in (("least", table.min(axis=0)), ("median", np.median(table, axis=0)), ("most", table.max(axis=0))):
        _write(_line(name, Saving(*figures.tolist())))


def savings(seeds: range, areas: int, request: PlanRequest) -> Iterator[tuple[int, Saving]]:
    """Seed and saving of one fictional region after the other."""
    for seed in seeds:
        began = time.monotonic()
        found = plan_case(fictional_region(seed, areas=areas), request).summary
        over_rule = found["rule_gbp"] - found["bound_gbp"]
        yield (
            seed,
            Saving(
                plan_gbp_m=found["saving_gbp"] / 1e6,
                rule_gbp_m=found["rule_saving_gbp"] / 1e6,
                headroom_closed=(found["rule_gbp"] - found["objective_gbp"]) / over_rule if over_rule > 1.0 else 1.0,
                gap_of_cost=found["gap_of_cost"],
                gap_of_saving=found["gap_of_saving"],
                saving_of_cost=found["saving_gbp"] / found["counterfactual_gbp"],
                wall_s=time.monotonic() - began,
            ),
        )


def _line(label: str, row: Saving) -> str:
    return label.ljust(8) + "".join(f"{format(getattr(row, item.name), FORMATS.get(item.name, '.1%')):>13}" for item in fields(Saving))


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
