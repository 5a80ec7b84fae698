"""A plan as a folder: written whole or not at all, and read back exactly.

plan.json                                     what was found: money, gap, places, inputs
projects.csv ... costs.csv                    the result tables, each with CSVW metadata beside it
counterfactual/, rule/                        the same tables with committed projects only, and by the rule of thumb
plan.gpkg                                     layers for QGIS
map.html                                      the map, in one file that needs no network
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from sufficiency.case import Case
from sufficiency.outputs.csvw import read_plan_table, write_table
from sufficiency.outputs.disclosure import Shown, shown_by_variant
from sufficiency.outputs.geopackage import write_geopackage
from sufficiency.outputs.map_page import PageNotBuiltError, write_map
from sufficiency.plan import Plan, PlanTables
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.problems import InputError, InputProblem

SUBFOLDERS: Final = {"plan": ".", "counterfactual": "counterfactual", "rule": "rule"}


def write_plan(plan: Plan, case: Case, folder: Path, progress: Callable[[str], None] | None = None) -> None:
    """Write a plan folder. Replaces an earlier plan of that name; InputError when the folder holds anything else.

    When the page scripts have not been built, everything but map.html is written and then PageNotBuiltError is raised.
    """
    folder = Path(folder).resolve()
    _refuse_strangers(folder)
    say = progress or (lambda _: None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        say("Writing the result tables")
        (work / "plan.json").write_text(json.dumps(_plain(plan.summary), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        for variant, subfolder in SUBFOLDERS.items():
            (work / subfolder).mkdir(exist_ok=True)
            for name in PLAN_SCHEMAS:
                write_table(getattr(getattr(plan, variant), name), name, work / subfolder, case)
        say("Writing plan.gpkg")
        shown = shown_by_variant(plan, case)
        write_geopackage(plan, case, work / "plan.gpkg", shown)
        say("Drawing map.html")
        no_map = _write_map_if_built(plan, case, work / "map.html", shown)
        work.chmod(0o755)
        _take_the_place_of(folder, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if no_map:
        raise no_map


def read_plan(folder: Path) -> Plan:
    """Read a plan folder back. Raises InputError when it is not one or a table is missing."""
    folder = Path(folder)
    if not (folder / "plan.json").is_file():
        raise InputError(
            [InputProblem(str(folder), "not a plan folder: plan.json is missing", "Give the folder that `sufficiency plan` wrote.")]
        )
    summary = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    tables = {
        variant: PlanTables(**{name: read_plan_table(name, folder / subfolder) for name in PLAN_SCHEMAS})
        for variant, subfolder in SUBFOLDERS.items()
    }
    return Plan(summary=summary, **tables)


def _write_map_if_built(plan: Plan, case: Case, path: Path, shown: dict[str, Shown]) -> PageNotBuiltError | None:
    """A plan may have taken an hour: it is kept even when its map can't be drawn."""
    try:
        write_map(plan, case, path, shown)
    except PageNotBuiltError as error:
        return error
    return None


def _refuse_strangers(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / "plan.json").is_file()):
        problem = InputProblem(str(folder), "exists and is not a plan folder", "Name a new folder, or one that holds an earlier plan.")
        raise InputError([problem])


def _take_the_place_of(folder: Path, work: Path) -> None:
    """Move ``work`` to ``folder``; the earlier plan goes only once the new one stands."""
    earlier = work.with_name(f"{work.name}-earlier")
    if folder.exists():
        folder.rename(earlier)
    work.rename(folder)
    shutil.rmtree(earlier, ignore_errors=True)


def _plain(value: Any) -> Any:
    """The value in the types of JSON; a figure that is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
