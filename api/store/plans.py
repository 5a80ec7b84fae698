"""Plans as rows and folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from api.store.models import ComparisonRow, PlanRow, RunRow

HEADLINE: Final = (
    "scenario",
    "academic_years",
    "price_base",
    "termination",
    "objective_gbp",
    "bound_gbp",
    "gap_of_cost",
    "gap_of_saving",
    "counterfactual_gbp",
    "saving_gbp",
    "cash_saving_gbp",
    "rule_saving_gbp",
    "capital_gbp",
    "new_places",
    "independent_avoided",
    "unmet",
)
"""What lists show of plan.json."""


def headline(folder: Path) -> dict[str, Any]:
    """The figures of plan.json that a plan's row bears: as they may be shown, for that is what the folder holds."""
    summary = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return {name: summary[name] for name in HEADLINE}


def remove(session: Session, plan: PlanRow) -> None:
    """Delete a plan's row and the comparisons with it; its run says that it had one."""
    session.execute(delete(ComparisonRow).where(or_(ComparisonRow.first_plan_id == plan.id, ComparisonRow.second_plan_id == plan.id)))
    session.get_one(RunRow, plan.run_id).plan_id = None
    session.delete(plan)
