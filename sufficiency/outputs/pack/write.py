"""Packs: a folder per council and per partnership, each written whole or not at all.

brief.pdf                       the printed brief: A4, maps on A3, tagged
summary.pdf, easy-read.pdf      for families (councils only)
workbook.xlsx                   all tables, with formulas
comments.xlsx                   to be filled in, read back with `sufficiency comments read`
plan.gpkg, map.html             layers for QGIS; the map in one file
figures/                        maps and charts as PNG and SVG
annexes/                        data annexes as CSV with metadata
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sufficiency.case import Case
from sufficiency.outputs.geopackage import write_geopackage
from sufficiency.outputs.map_page import PageNotBuiltError, write_map
from sufficiency.outputs.pack.annexes import write_annex
from sufficiency.outputs.pack.brief import write_brief
from sufficiency.outputs.pack.canvas import write_picture
from sufficiency.outputs.pack.charts import chart_pictures
from sufficiency.outputs.pack.comments import write_comment_sheet
from sufficiency.outputs.pack.families import write_families
from sufficiency.outputs.pack.maps import map_pictures
from sufficiency.outputs.pack.material import Whole, material
from sufficiency.outputs.pack.scope import Scope
from sufficiency.outputs.pack.tables import pack_tables
from sufficiency.outputs.pack.workbook import write_workbook
from sufficiency.plan import Plan
from sufficiency.tables.problems import InputError, InputProblem

ANNEXES: Final = ("local_inclusion_plan", "grant_return_places", "payments", "funds", "equality", "not_chosen")
MARK: Final = "pack.json"
"""The file that makes a folder a pack: what it was made from."""

Say = Callable[[str], None]


def write_packs(
    plan: Plan, case: Case, scopes: Sequence[Scope], out: Path, progress: Say | None = None, *, resume: bool = False
) -> list[Path]:
    """Write one folder per scope below ``out`` and return them. ``resume``: packs of the same plan that are there already are kept.

    Raises InputError when a folder of that name holds something else.
    """
    say = progress or (lambda _: None)
    refuse_strangers([out / scope.folder for scope in scopes])
    folders, of = [], Whole(plan, case)
    for place, scope in enumerate(scopes, start=1):
        folder = out / scope.folder
        if resume and _made_from(folder) == _origin(of.plan, scope):
            say(f"{place} of {len(scopes)}: {scope.name} is there already")
        else:
            say(f"{place} of {len(scopes)}: {scope.name}")
            write_pack(of, scope, folder, say)
        folders.append(folder)
    return folders


def write_pack(of: Whole, scope: Scope, folder: Path, progress: Say | None = None) -> None:
    """Write one pack. Without the built page scripts all but map.html is written, and progress says so."""
    say, folder = progress or (lambda _: None), Path(folder).resolve()
    refuse_strangers([folder])
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _fill(of, scope, work, say)
        work.chmod(0o755)
        earlier = work.with_name(f"{work.name}-earlier")
        if folder.exists():
            folder.rename(earlier)
        work.rename(folder)
        shutil.rmtree(earlier, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fill(of: Whole, scope: Scope, work: Path, say: Say) -> None:
    origin = _origin(of.plan, scope)
    part = material(of, scope)
    plan, case, shown, tables = part.plan, part.case, dict(part.shown), pack_tables(part)
    figures, annexes = work / "figures", work / "annexes"
    figures.mkdir()
    annexes.mkdir()
    say("  maps and charts")
    pictures = [*map_pictures(part), *chart_pictures(tables, part)]
    for picture in pictures:
        write_picture(picture, figures)
    say("  brief, workbook and annexes")
    write_brief(part, tables, pictures, figures, work / "brief.pdf")
    write_workbook(part, tables, work / "workbook.xlsx")
    write_comment_sheet(part, tables, work / "comments.xlsx")
    if scope.is_council:
        write_families(part, tables, pictures, figures, work)
    for name in ANNEXES:
        write_annex(tables[name], annexes, case)
    say("  GeoPackage and map")
    write_geopackage(plan, case, work / "plan.gpkg", shown)
    try:
        write_map(plan, case, work / "map.html", shown)
    except PageNotBuiltError as error:
        say(f"  no map.html: {error}")
    (work / MARK).write_text(json.dumps(origin, indent=1, ensure_ascii=False), encoding="utf-8")


def refuse_strangers(folders: Sequence[Path]) -> None:
    """Raise InputError for every folder that exists and holds anything but a pack."""
    strange = [
        folder for folder in folders if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file())
    ]
    if strange:
        remedy = "Name a new folder, or one that holds earlier packs."
        raise InputError([InputProblem(str(folder), "exists and is not a pack", remedy) for folder in strange])


def _origin(plan: Plan, scope: Scope) -> dict[str, object]:
    """What a pack is made from: the same plan and councils give the same."""
    of = plan.summary
    return {
        "case": of["case"],
        "councils": list(scope.councils),
        "objective_gbp": of["objective_gbp"],
        "wall_s": of.get("wall_s"),
        "cpu_s": of.get("cpu_s"),
        "inputs": of.get("inputs", {}),
        "version": of["version"],
    }


def _made_from(folder: Path) -> object:
    try:
        return json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
