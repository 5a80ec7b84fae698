"""The only way out for figures of a case or plan: what may be shown under the case's disclosure profile.

A plan's folder holds what may be shown, ``exact/`` within it what may not; nothing here reads that. A case's folder is exact, so what
leaves it passes ``sufficiency.disclosure`` here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from api.kept import Kept
from api.large import Mapped, mapped
from api.store import Store
from api.store.models import CaseRow, PlanRow
from api.tabular import Whole
from sufficiency.case import Case, file_of, load_case
from sufficiency.compare import compare_plans
from sufficiency.disclosure import shown_case
from sufficiency.disclosure.rules import shown_counts
from sufficiency.disclosure.summary import OF_PERSONS
from sufficiency.outputs.csvw import read_plan_table
from sufficiency.outputs.folder import SUBFOLDERS, read_plan
from sufficiency.tables.read import read_table
from sufficiency.tailored import ListTables, tailored_list

TableRows = Whole | Mapped
World = Literal["plan", "counterfactual", "rule"]
Question = Literal["explain", "frontier", "robust"]
ANSWERS: Final[Mapping[Question, tuple[str, ...]]] = {
    "explain": ("marginal", "not_chosen", "why_unmet", "alternatives"),
    "frontier": ("frontier", "projects"),
    "robust": ("projects", "scenarios"),
}
"""Kind of question -> tables of its answer."""
TABLES_KEPT: Final = 64
KEPT_BYTES: Final = 1 << 30
CASES_KEPT: Final = 2
COUNTS: Final = ("independent_avoided", "unmet")
AMOUNTS: Final = ("capital_gbp", "saving_gbp", "new_places")
LIST_NOTE: Final = (
    "Places are those of the base year as published or modelled, not vacancies. The list is for talking over; it assigns nobody."
)


_kept = Kept[pd.DataFrame](KEPT_BYTES, lambda table: int(table.memory_usage(deep=True).sum()))


def plan_table(store: Store, plan: PlanRow, name: str, world: World) -> pd.DataFrame:
    """A result table of a plan."""
    return _read_plan_table(str(store.plans / plan.id / SUBFOLDERS[world]), name)


def plan_rows(store: Store, plan: PlanRow, name: str, world: World) -> TableRows:
    """The same for an answer of some of its rows: a large table is not read whole."""
    return mapped(store.plans / plan.id / SUBFOLDERS[world], name) or Whole(plan_table(store, plan, name, world))


def answer_table(store: Store, plan: PlanRow, run_id: str, name: str) -> pd.DataFrame:
    """A table of the answer to a question about an open plan."""
    return _read_answer(str(store.answers(plan.id) / run_id / f"{name}.csv"))


def answer_rows(store: Store, plan: PlanRow, run_id: str, name: str) -> list[dict[str, Any]]:
    """The same as rows, an empty cell as None."""
    return _records(answer_table(store, plan, run_id, name))


def answer_summary(store: Store, plan: PlanRow, run_id: str) -> dict[str, Any] | None:
    """The headline of an answer; None when it isn't there."""
    path = store.answers(plan.id) / run_id / "summary.json"
    if not path.is_file():
        return None
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in summary.items() if name != "inputs"}


def case_table(store: Store, case: CaseRow, name: str) -> pd.DataFrame:
    """An input table of a case, areas without their shapes. Of pupils, placements and journeys a protected case shows no figures."""
    folder = str(store.cases / case.id)
    return _read_case_table(folder, name) if case.disclosure == "open" else _without_shapes(_read_shown_case(folder).tables[name])


def case_rows(store: Store, case: CaseRow, name: str) -> TableRows:
    """The same for an answer of some of its rows: a large table is not read whole."""
    large = mapped(store.cases / case.id, name) if case.disclosure == "open" else None
    return large or Whole(case_table(store, case, name))


def comparison(store: Store, first: PlanRow, second: PlanRow) -> dict[str, Any]:
    """Two plans side by side, each as it may be shown."""
    return compare_plans(*(read_plan(store.plans / plan.id) for plan in (first, second)))


def tailored(
    store: Store, case: CaseRow, area_id: str, need: str, age: int, severity: str | None, limit_min: float | None
) -> tuple[list[dict[str, Any]], str]:
    """The rows of a tailored list, and what to know about them."""
    table = tailored_list(_tables_to_list(store, case, area_id), area_id, need, age, severity, limit_min)
    return _records(table), LIST_NOTE


def aggregates(plan: PlanRow) -> dict[str, Any]:
    """Figures of a plan for a partnership: all councils together; counts of an open plan are hidden and rounded as a protected one's."""
    counts = {name: dict(plan.summary[name]) for name in COUNTS}
    if plan.disclosure == "open":
        counts = {name: {year: _count(value) for year, value in years.items()} for name, years in counts.items()}
    return {**{name: plan.summary[name] for name in AMOUNTS}, **counts}


def fingerprint(case: CaseRow) -> str | None:
    """The sha256 of a case, unless it would let a reader test guesses about a person."""
    return case.sha256 if case.disclosure == "open" else None


def provenance(case: CaseRow) -> dict[str, Any]:
    """files, sources, notes, totals and assumptions_changed of a case; ``about`` holds only what may be shown."""
    kept = {name: case.about[name] for name in ("sources", "notes", "totals", "assumptions_changed")}
    if case.disclosure == "open":
        return {"files": case.files, **kept}
    return {"files": {file: digest for file, digest in case.files.items() if file.split(".")[0] not in OF_PERSONS}, **kept}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    cells = table.astype(object).where(table.notna(), None)
    return [dict(zip(table.columns, row, strict=True)) for row in cells.itertuples(index=False)]


def _count(value: float) -> float | None:
    found = float(shown_counts(abs(value)))
    return None if np.isnan(found) else float(np.copysign(found, value))


def _without_shapes(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(table.drop(columns="geometry", errors="ignore"))


def _read_plan_table(folder: str, name: str) -> pd.DataFrame:
    return _kept.get((folder, name), lambda: read_plan_table(name, Path(folder)))


@lru_cache(TABLES_KEPT)
def _read_answer(path: str) -> pd.DataFrame:
    names = pd.read_csv(path, nrows=0).columns
    return pd.read_csv(path, dtype={name: str for name in names if name.endswith(("_id", "_code")) or name in ("without", "instead")})


def _read_case_table(folder: str, name: str) -> pd.DataFrame:
    return _kept.get((folder, name), lambda: _without_shapes(read_table(Path(folder) / file_of(name), name)))


@lru_cache(CASES_KEPT)
def _read_shown_case(folder: str) -> Case:
    return shown_case(load_case(Path(folder)))


def _tables_to_list(store: Store, case: CaseRow, area_id: str) -> ListTables:
    """Exact areas and the journeys of one, which are nobody's, and places as they may be shown, which follow from who is in them."""
    folder = str(store.cases / case.id)
    journeys = pd.read_parquet(Path(folder) / file_of("travel"), filters=[("area_id", "==", area_id)])
    exact = {name: _read_case_table(folder, name) for name in ("areas", "settings", "suitability")}
    return ListTables(**exact, pools=case_table(store, case, "pools"), travel=journeys)
