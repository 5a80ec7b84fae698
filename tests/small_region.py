"""The small fictional region that the tests of a whole plan share, and the way from a case to a written plan folder."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from fixtures.region import fictional_region
from sufficiency.case import Case, case_hashes, save_case
from sufficiency.outputs.folder import write_plan
from sufficiency.outputs.map_page import PageNotBuiltError
from sufficiency.plan import Plan, PlanTables
from sufficiency.request import PlanRequest
from sufficiency.workflow import plan_case

QUICK = PlanRequest(sensitivity=False, gap=0.05, time_limit_s=60, threads=1, years=4)
"""Three seconds on one core, ended by the gap: a plan that does not depend on the clock."""


@cache
def region(seed: int) -> Case:
    """Sixty areas, three councils, planned for the first four years."""
    return QUICK.applied_to(fictional_region(seed, areas=60))


@cache
def planned(seed: int) -> Plan:
    return plan_case(region(seed), QUICK)


def written(plan: Plan, case: Case, folder: Path) -> tuple[Path, Path]:
    """The case folder and the plan folder; without the map where its page scripts have not been built."""
    save_case(case, folder / "case")
    with contextlib.suppress(PageNotBuiltError):
        write_plan(replace(plan, summary=plan.summary | {"inputs": case_hashes(folder / "case")}), case, folder / "plan")
    return folder / "case", folder / "plan"


def worlds(plan: Plan) -> dict[str, PlanTables]:
    return {"plan": plan.plan, "counterfactual": plan.counterfactual, "rule": plan.rule}


def differing(first: Plan, second: Plan) -> list[str]:
    """Tables that are not equal to the last bit."""
    return [
        f"{world}/{name}"
        for world, tables in worlds(first).items()
        for name, table in vars(tables).items()
        if not isinstance(table, pd.DataFrame) or not table.equals(getattr(worlds(second)[world], name))
    ]
