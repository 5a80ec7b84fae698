"""Ranges of a plan: what the same projects save, and how many independent placements they avoid, under other assumptions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.tiny import tiny_case
from sufficiency.disclosure import shown_plan
from sufficiency.outputs.pack.brief import brief_data
from sufficiency.outputs.pack.charts import chart_pictures
from sufficiency.outputs.pack.maps import map_pictures
from sufficiency.outputs.pack.material import Whole, material
from sufficiency.outputs.pack.scope import whole_case
from sufficiency.outputs.pack.tables import pack_tables
from sufficiency.outputs.pack.write import write_packs
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.workflow import plan_case


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_case(tiny_case(), PlanRequest(gap=1e-6))


def test_the_plans_own_assumption_gives_the_plans_own_figures(plan: Plan) -> None:
    """In the tiny case every new place replaces an independent one: displacement 100 % is the plan itself."""
    rows = {row["value"]: row for row in plan.summary["sensitivity"] if row["what"] == "displacement.share"}
    last = plan.summary["academic_years"][-1]
    assert rows[1.0]["saving_gbp"] == pytest.approx(plan.summary["saving_gbp"])
    assert rows[1.0]["independent_avoided"] == pytest.approx(plan.summary["independent_avoided"][last])
    avoided = [rows[share]["independent_avoided"] for share in sorted(rows)]
    assert avoided == sorted(avoided)
    assert avoided[0] < avoided[-1]


def test_the_brief_tells_the_range(plan: Plan, tmp_path: Path) -> None:
    case = tiny_case()
    of = material(Whole(plan, case), whole_case(case))
    tables = pack_tables(of)
    avoided = [row["independent_avoided"] for row in plan.summary["sensitivity"]]
    tile = brief_data(of, tables, [*map_pictures(of), *chart_pictures(tables, of)])["tiles"][1]
    assert f"{min(avoided):,.0f} to {max(avoided):,.0f} under other assumptions" in tile["note"]
    (folder,) = write_packs(plan, case, [whole_case(case)], tmp_path)
    assert (folder / "brief.pdf").is_file()


def test_a_protected_plan_tells_no_exact_range(plan: Plan) -> None:
    shown = shown_plan(plan, replace(tiny_case(), disclosure="protected")).summary["sensitivity"]
    assert all(row["independent_avoided"] is None or row["independent_avoided"] % 5 == 0 for row in shown)
    assert all(row["saving_gbp"] % 500_000 == 0 for row in shown)
