"""The only way out for figures of a case or plan: what may be shown under the case's disclosure profile."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from api.problems import ApiError
from api.store import Store
from api.store.models import CaseRow, PlanRow
from sufficiency.case import Case, file_of, load_case
from sufficiency.compare import compare_plans
from sufficiency.outputs.csvw import read_plan_table
from sufficiency.outputs.folder import SUBFOLDERS, read_plan
from sufficiency.tables.read import read_table
from sufficiency.tailored import tailored_list

World = Literal["plan", "counterfactual", "rule"]
TABLES_KEPT: Final = 64


def plan_summary(plan: PlanRow) -> dict[str, Any]:
    """The headline figures of a plan."""
    _refuse_protected(plan.disclosure)
    return dict(plan.summary)


def plan_table(store: Store, plan: PlanRow, name: str, world: World) -> pd.DataFrame:
    """A result table of a plan."""
    _refuse_protected(plan.disclosure)
    return _read_plan_table(str(store.plans / plan.id / SUBFOLDERS[world]), name)


def case_table(store: Store, case: CaseRow, name: str) -> pd.DataFrame:
    """An input table of a case, areas without their shapes."""
    _refuse_protected(case.disclosure)
    return _read_case_table(str(store.cases / case.id), name)


def comparison(store: Store, first: PlanRow, second: PlanRow) -> dict[str, Any]:
    """Two plans side by side."""
    for plan in (first, second):
        _refuse_protected(plan.disclosure)
    return compare_plans(*(read_plan(store.plans / plan.id) for plan in (first, second)))


def breaches(plan: PlanRow, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the audit found wrong."""
    _refuse_protected(plan.disclosure)
    return found


def tailored(
    store: Store, case: CaseRow, area_id: str, need: str, age: int, severity: str | None, limit_min: float | None
) -> tuple[list[dict[str, Any]], str]:
    """The rows of a tailored list, and what to know about them."""
    _refuse_protected(case.disclosure)
    table = tailored_list(_read_case(str(store.cases / case.id)), area_id, need, age, severity, limit_min)
    cells = table.astype(object).where(table.notna(), None)
    rows = [dict(zip(table.columns, row, strict=True)) for row in cells.itertuples(index=False)]
    return rows, "Places are modelled or published figures of the base year, not vacancies. A list to talk over, not a decision."


def aggregates(plan: PlanRow) -> dict[str, Any]:
    """Figures of a plan for a partnership: all councils together, small counts suppressed whatever the case's profile."""
    money = {name: plan.summary[name] for name in ("capital_gbp", "saving_gbp", "new_places")}
    counts = {name: {year: _suppressed(count) for year, count in plan.summary[name].items()} for name in ("independent_avoided", "unmet")}
    return {**money, **counts}


def _suppressed(count: float) -> float | None:
    """To the nearest 5; 1 to 4 hidden."""
    return None if 0.5 <= abs(count) < 4.5 else round(count / 5) * 5.0


def _refuse_protected(disclosure: str) -> None:
    if disclosure != "open":
        raise ApiError(403, "protected", "This case rests on records of persons; what may be shown of it is not decided yet.")


@lru_cache(2)
def _read_case(folder: str) -> Case:
    return load_case(Path(folder))


@lru_cache(TABLES_KEPT)
def _read_plan_table(folder: str, name: str) -> pd.DataFrame:
    return read_plan_table(name, Path(folder))


@lru_cache(TABLES_KEPT)
def _read_case_table(folder: str, name: str) -> pd.DataFrame:
    table = read_table(Path(folder) / file_of(name), name)
    return pd.DataFrame(table.drop(columns="geometry")) if name == "areas" else table
