"""Case: the frozen bundle of validated tables, assumptions and provenance that a plan is made from.

A case is saved as a folder and read back identically:

    case.toml          what it is: name, base January, planning years, programme, sources with sha256
    case.json          totals by council, as published and as completed
    assumptions.toml   figures that differ from the defaults
    areas.parquet      GeoParquet with the areas' shapes (or points)
    pupils, placements, travel   .parquet
    councils, settings, pools, projects, funds, suitability   .csv
    transfers, shares, borders, reductions, high_needs, pins, equity   .csv, only where they have rows
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import geopandas as gpd
import pandas as pd
import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sufficiency.assumptions import Assumptions, default_assumptions, read_overrides
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.read import empty_table, read_table, validate_table
from sufficiency.tables.schemas import ACADEMIC_YEAR, FINANCIAL_YEAR, OPTIONAL, SCHEMAS
from sufficiency.terms import academic_year

PARQUET = frozenset({"areas", "pupils", "placements", "travel"})

_Read = TypeVar("_Read")


def file_of(table: str) -> str:
    """The file of a table in a case folder: ``pupils`` -> ``pupils.parquet``."""
    return f"{table}.{'parquet' if table in PARQUET else 'csv'}"


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
    transfers: pd.DataFrame = field(default_factory=partial(empty_table, "transfers"))
    shares: pd.DataFrame = field(default_factory=partial(empty_table, "shares"))
    borders: pd.DataFrame = field(default_factory=partial(empty_table, "borders"))
    reductions: pd.DataFrame = field(default_factory=partial(empty_table, "reductions"))
    high_needs: pd.DataFrame = field(default_factory=partial(empty_table, "high_needs"))
    pins: pd.DataFrame = field(default_factory=partial(empty_table, "pins"))
    equity: pd.DataFrame = field(default_factory=partial(empty_table, "equity"))
    assumptions: Assumptions = field(default_factory=default_assumptions)
    sources: tuple[Source, ...] = ()
    totals: dict[str, Any] = field(default_factory=dict)
    """``published`` and ``completed``: council code or ``England`` -> counts of the base January."""
    notes: tuple[str, ...] = ()
    """What was derived, and by which rule: printed with every plan."""
    disclosure: str = "open"
    """``open`` (published data only) or ``protected`` (any person-level input)."""
    perspective: str = "exchequer"
    """Whose cost counts (``terms.PERSPECTIVES``): set by a request, not stored with the case."""

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
                table.to_parquet(work / file_of(name), index=False)
            elif len(table) or name not in OPTIONAL:
                table.to_csv(work / file_of(name), index=False)
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
    if not (folder / "case.toml").is_file():
        remedy = "Give the folder that `sufficiency case build` wrote."
        raise InputError([InputProblem(str(folder), "not a case folder: case.toml is missing", remedy)])
    problems: list[InputProblem] = []
    about = _collect(problems, partial(_read_description, folder / "case.toml"))
    assumptions = _collect(problems, partial(_read_assumptions, folder / "assumptions.toml"))
    totals = _collect(problems, partial(_read_totals, folder / "case.json"))
    tables: dict[str, Any] = {name: _collect(problems, partial(_read_case_table, folder, name)) for name in SCHEMAS}
    if about is None or assumptions is None or totals is None or problems:
        raise InputError(problems)
    return Case(**dict(about), **tables, assumptions=assumptions, totals=totals)


def case_hashes(folder: Path) -> dict[str, str]:
    """sha256 of each file of a case folder, by file name in alphabetical order."""
    return {path.name: _sha256(path) for path in sorted(Path(folder).iterdir()) if path.is_file()}


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


class Description(BaseModel):
    """What case.toml holds."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Name of the case, as it appears on maps and in reports")
    level: Literal["lsoa", "msoa"] = Field(description="Kind of area")
    base_january: int = Field(ge=2000, le=2100, description="Year of the January in which placements were counted")
    academic_years: tuple[Annotated[str, Field(pattern=ACADEMIC_YEAR)], ...] = Field(
        description="Planning years in order (2022/23); the first is the one after the base January"
    )
    programme: str = Field(description="Capital programme that the plan spends")
    price_base: str = Field(pattern=FINANCIAL_YEAR, description="Financial year of all prices (2024-25)")
    disclosure: Literal["open", "protected"] = Field(description="open: published data only; protected: any person-level input")
    notes: tuple[str, ...] = Field(default=(), description="What was derived, and by which rule; printed with every plan")
    sources: tuple[Source, ...] = Field(default=(), description="Files that went into the case: title, publisher, edition, licence, sha256")

    @field_validator("academic_years")
    @classmethod
    def at_least_one(cls, years: tuple[str, ...]) -> tuple[str, ...]:
        """A plan needs a year to plan for."""
        if not years:
            raise ValueError("no planning year is given")
        return years


def _read_description(path: Path) -> Description:
    try:
        return Description.model_validate(_parse(path, tomllib.loads))
    except ValidationError as error:
        raise InputError(
            InputProblem(
                path.name,
                fault["msg"],
                "See the description of case.toml in docs/data-dictionary.md.",
                column=".".join(str(part) for part in fault["loc"]),
                value=None if fault["type"] == "missing" else str(fault["input"]),
            )
            for fault in error.errors()
        ) from error


def _read_assumptions(path: Path) -> Assumptions:
    """The defaults with the case's own figures; a case without the file has none."""
    if not path.is_file():
        return default_assumptions()
    _parse(path, tomllib.loads)
    return default_assumptions().override(read_overrides(path), "the case", path.name)


def _read_totals(path: Path) -> dict[str, Any]:
    """Totals by council; empty when the case has no case.json, for a user's own case need not have any."""
    if not path.is_file():
        return {}
    summary = _parse(path, json.loads)
    totals = {"published": summary.get("totals", {}), "completed": summary.get("completed", {})}
    return totals if any(totals.values()) else {}


def _read_case_table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / file_of(name)
    if name in OPTIONAL and not path.is_file():
        return empty_table(name)
    if not path.is_file():
        raise InputError([InputProblem(path.name, "file is missing", f"Write {path.name} as docs/data-dictionary.md describes it.")])
    return read_table(path, name)


def _parse(path: Path, parse: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValueError as error:  # TOMLDecodeError, JSONDecodeError and UnicodeDecodeError alike
        raise InputError([InputProblem(path.name, f"can't be read: {error}", "Mend the line named.")]) from error


def _collect(problems: list[InputProblem], read: Callable[[], _Read]) -> _Read | None:
    """What ``read`` returns; None when it raises InputError, whose problems join the list."""
    try:
        return read()
    except InputError as error:
        problems.extend(error.problems)
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
