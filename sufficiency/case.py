"""Case: the frozen bundle of validated tables, assumptions and provenance that a plan is made from.

A case is saved as a folder and read back identically:

    case.toml          what it is: name, base January, planning years, programme, sources with sha256
    case.json          totals by council, as published and as completed
    assumptions.toml   figures that differ from the defaults
    areas.parquet      GeoParquet with the areas' shapes (or points)
    pupils, placements, travel   .parquet
    councils, settings, pools, projects, funds, suitability   .csv
"""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import tomli_w

from sufficiency.assumptions import Assumptions, default_assumptions, read_overrides
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.read import read_table, validate_table
from sufficiency.tables.schemas import SCHEMAS
from sufficiency.terms import academic_year

PARQUET = frozenset({"areas", "pupils", "placements", "travel"})


@dataclass(frozen=True)
class Source:
    """A file that went into a case."""

    title: str
    publisher: str
    edition: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class Case:
    """Everything that is known before a plan is made. Tables follow ``sufficiency.tables.schemas``."""

    name: str
    level: str
    """Kind of area: ``lsoa`` or ``msoa``."""
    base_january: int
    """Year of the January in which ``placements`` were counted."""
    academic_years: tuple[str, ...]
    """Planning years in order, the first being the one that contains the January after the base."""
    programme: str
    price_base: str
    """Financial year of all prices, e.g. ``2024-25``."""
    areas: gpd.GeoDataFrame
    councils: pd.DataFrame
    pupils: pd.DataFrame
    settings: pd.DataFrame
    pools: pd.DataFrame
    placements: pd.DataFrame
    projects: pd.DataFrame
    funds: pd.DataFrame
    travel: pd.DataFrame
    suitability: pd.DataFrame
    assumptions: Assumptions = field(default_factory=default_assumptions)
    sources: tuple[Source, ...] = ()
    totals: dict[str, Any] = field(default_factory=dict)
    """``published`` and ``completed``: council code or ``England`` -> counts of the base January."""
    notes: tuple[str, ...] = ()
    """What was derived, and by which rule: printed with every plan."""
    disclosure: str = "open"
    """``open`` (published data only) or ``protected`` (any person-level input)."""

    @property
    def base_year(self) -> str:
        """Academic year of the base January: 2022 -> ``2021/22``."""
        return academic_year(self.base_january - 1)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name, in the order of the schemas."""
        return {name: getattr(self, name) for name in SCHEMAS}


def save_case(case: Case, folder: Path) -> None:
    """Write the case whole, or not at all: into a temporary folder that then takes the name."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, table in case.tables.items():
            if name in PARQUET:
                table.to_parquet(work / f"{name}.parquet", index=False)
            else:
                table.to_csv(work / f"{name}.csv", index=False)
        (work / "case.toml").write_text(tomli_w.dumps(_description(case)), encoding="utf-8")
        (work / "assumptions.toml").write_text(tomli_w.dumps(case.assumptions.changed()), encoding="utf-8")
        summary = {"name": case.name, "totals": case.totals.get("published", {}), "completed": case.totals.get("completed", {})}
        (work / "case.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
        work.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def load_case(folder: Path) -> Case:
    """Read and validate a case folder. Raises InputError with every problem of every file."""
    folder = Path(folder)
    description = folder / "case.toml"
    if not description.is_file():
        raise InputError([InputProblem(str(folder), "not a case folder: case.toml is missing", "Give the folder that `sufficiency case build` wrote.")])
    problems: list[InputProblem] = []
    tables: dict[str, pd.DataFrame] = {}
    for name in SCHEMAS:
        path = folder / f"{name}.{'parquet' if name in PARQUET else 'csv'}"
        if not path.is_file():
            problems.append(InputProblem(path.name, "file is missing", f"Write {path.name} as docs/data-dictionary.md describes it."))
            continue
        try:
            tables[name] = read_table(path, name)
        except InputError as error:
            problems.extend(error.problems)
    about = tomllib.loads(description.read_text(encoding="utf-8"))
    assumptions = default_assumptions()
    try:
        assumptions = assumptions.override(read_overrides(folder / "assumptions.toml"), "the case", "assumptions.toml")
    except InputError as error:
        problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    summary = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    totals = {"published": summary["totals"], "completed": summary["completed"]}
    return Case(
        name=about["name"],
        level=about["level"],
        base_january=about["base_january"],
        academic_years=tuple(about["academic_years"]),
        programme=about["programme"],
        price_base=about["price_base"],
        assumptions=assumptions,
        sources=tuple(Source(**source) for source in about["sources"]),
        totals=totals if any(totals.values()) else {},
        notes=tuple(about["notes"]),
        disclosure=about["disclosure"],
        **tables,  # type: ignore[arg-type]
    )


def validated(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table in the types and column order of its schema. Raises InputError."""
    return validate_table(table, name, f"{name} table")


def _description(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "level": case.level,
        "base_january": case.base_january,
        "academic_years": list(case.academic_years),
        "programme": case.programme,
        "price_base": case.price_base,
        "disclosure": case.disclosure,
        "notes": list(case.notes),
        "sources": [vars(source) for source in case.sources],
    }
