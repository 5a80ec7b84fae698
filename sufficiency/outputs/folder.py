"""A plan as a folder: written whole or not at all, and read back exactly.

plan.json                                     what was found: money, gap, places, inputs
projects.csv ... costs.csv                    the result tables, each with CSVW metadata beside it
counterfactual/, rule/                        the same tables with committed projects only, and by the rule of thumb
plan.gpkg                                     layers for QGIS
map.html                                      the map, in one file that needs no network
known.npz                                     what a changed request is planned sooner with (exact plans only)
exact/                                        protected cases, where asked for: the plan with every figure, for the store alone

All but exact/ shows what may be shown under the case's profile (docs/disclosure.md).
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sufficiency.case import Case
from sufficiency.disclosure import Shown, shown_by_variant, shown_case, shown_plan
from sufficiency.outputs.csvw import read_plan_table, write_table
from sufficiency.outputs.geopackage import write_geopackage
from sufficiency.outputs.map_page import PageNotBuiltError, write_map
from sufficiency.plan import Plan, PlanTables
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.problems import InputError, InputProblem

PACKED: Final = frozenset({"placements", "unmet"})
"""Tables by small area. Parquet where they have more rows than MOST_ROWS; placements of the other worlds always."""
MOST_ROWS: Final = 2_000_000
"""Rows of a CSV file beyond which nobody opens it: England has tens of millions."""
SUBFOLDERS: Final = {"plan": ".", "counterfactual": "counterfactual", "rule": "rule"}


KNOWN: Final = "known.npz"
EXACT: Final = "exact"
EXACT_README: Final = """This folder holds a plan with all its figures. They rest on records of persons and name small groups of children.

It stays where it is: do not publish, mail, copy or share it. The folder above holds what may leave.
It serves `sufficiency audit` and further planning; delete it when they are done.
"""


def write_plan(plan: Plan, case: Case, folder: Path, progress: Callable[[str], None] | None = None, *, exact: bool = False) -> None:
    """Write an exact plan as it may be shown. Replaces an earlier plan of that name; InputError when the folder holds anything else.

    ``exact`` keeps the exact plan of a protected case beside it, in ``exact/`` which only the owner may open. An open plan is exact.
    When the page scripts have not been built, everything but map.html is written and then PageNotBuiltError is raised.
    """
    folder = Path(folder).resolve()
    _refuse_strangers(folder)
    say = progress or (lambda _: None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        say("Writing the result tables")
        leaves, drawn, figures = shown_plan(plan, case), shown_case(case), shown_by_variant(plan, case)
        _write_tables(leaves, case, work, exact=False)
        if exact and case.disclosure != "open":
            write_exact(plan, case, work / EXACT)
        say("Writing plan.gpkg")
        write_geopackage(leaves, drawn, work / "plan.gpkg", figures)
        say("Drawing map.html")
        no_map = _write_map_if_built(leaves, drawn, work / "map.html", figures)
        work.chmod(0o755)
        _take_the_place_of(folder, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if no_map:
        raise no_map


def write_exact(plan: Plan, case: Case, folder: Path) -> None:
    """Write the headline and tables of a plan with every figure into a folder that only the owner may open. For the store alone."""
    folder = Path(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    _write_tables(plan, case, folder, exact=True)
    (folder / "README.txt").write_text(EXACT_README, encoding="utf-8")


@contextmanager
def exact_copy(plan: Plan, case: Case) -> Iterator[Path]:
    """The exact plan in a temporary folder that only the owner may open: for an audit of what is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        write_exact(plan, case, Path(folder))
        yield Path(folder)


def read_exact_plan(folder: Path) -> Plan:
    """The exact plan of a plan folder. Raises InputError when the folder keeps only what may be shown, or is not one."""
    kept = Path(folder) / EXACT
    if (kept / "plan.json").is_file():
        return read_plan(kept)
    plan = read_plan(folder)
    if plan.summary.get("disclosure", "open") != "open":
        remedy = "Plan again with --exact, which keeps the exact figures beside it."
        raise InputError([InputProblem(str(folder), "holds only what may be shown of a protected case", remedy)])
    return plan


def _write_tables(plan: Plan, case: Case, folder: Path, *, exact: bool) -> None:
    (folder / "plan.json").write_text(json.dumps(_plain(plan.summary), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    if plan.known:
        np.savez_compressed(folder / KNOWN, allow_pickle=False, **plan.known)
    for variant, subfolder in SUBFOLDERS.items():
        (folder / subfolder).mkdir(exist_ok=True)
        for name in PLAN_SCHEMAS:
            table = getattr(getattr(plan, variant), name)
            packed = name in PACKED and (len(table) > MOST_ROWS or (name == "placements" and variant != "plan"))
            write_table(table, name, folder / subfolder, case, exact=exact, parquet=packed)


def read_plan(folder: Path) -> Plan:
    """Read a plan folder back, as it may be shown. Raises InputError when it is not one or a table is missing."""
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
    return Plan(summary=summary, **tables, known=_known(folder / KNOWN))


def _known(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


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
