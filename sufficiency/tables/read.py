"""Reading a table against its schema: every fault at once, each with its row, value and remedy.

A cell is read in three steps: text to the type of its column, the rules of the column, the key of the table.
What fails one step is not judged by the next, so no cell is reported twice.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from sufficiency.tables.delimited import read_text_cells
from sufficiency.tables.problems import InputError, InputProblem, problems_at_rows
from sufficiency.tables.schemas import ACADEMIC_YEAR, FINANCIAL_YEAR, OPTIONAL, SCHEMAS
from sufficiency.terms import start_of

YEAR_LIKE = re.compile(f"{ACADEMIC_YEAR}|{FINANCIAL_YEAR}")
MAY_BE_EMPTY = frozenset({"placements", "projects", "funds"}) | OPTIONAL
"""Tables without a single row make sense: nobody placed yet, no options, no money."""


def read_table(path: Path, name: str) -> pd.DataFrame:
    """Read a CSV or (Geo)Parquet file and validate it as table ``name``. Raises InputError."""
    path = Path(path)
    if path.suffix == ".csv":
        return _conform(read_text_cells(path), name, path.name)
    try:
        table = gpd.read_parquet(path) if name == "areas" else pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise InputError([InputProblem(path.name, f"can't be read as Parquet: {error}", "Write it again as Parquet.")]) from error
    return validate_table(table, name, path.name)


def validate_table(table: pd.DataFrame, name: str, file: str) -> pd.DataFrame:
    """The table in the types and column order of its schema. Raises InputError with all problems.

    Problems count rows as a spreadsheet does: the first row of the table is row 2.
    """
    return _conform(table.set_axis(pd.RangeIndex(2, len(table) + 2), axis="index"), name, file)


def _conform(table: pd.DataFrame, name: str, file: str) -> pd.DataFrame:
    schema = SCHEMAS[name].to_schema()
    geometry = table["geometry"] if name == "areas" and "geometry" in table.columns else None
    plain = _with_defaults(table if geometry is None else pd.DataFrame(table.drop(columns="geometry")), schema.columns)
    problems = _column_problems(plain, schema.columns, file)
    clean: dict[str, pd.Series[Any]] = {}
    for column, declared in schema.columns.items():
        if column in plain.columns:
            clean[column], found = _clean_column(plain[column], declared, file)
            problems += found
    problems += _key_problems(clean, schema, file)
    if geometry is not None:
        problems += _geometry_problems(geometry, file)
    if plain.empty and name not in MAY_BE_EMPTY:
        problems.append(InputProblem(file, "has headings but no rows", f"Add at least one row: {SCHEMAS[name].__doc__}"))
    if problems:
        raise InputError(problems)
    result = pd.DataFrame(clean).reset_index(drop=True)
    if name != "areas":
        return result
    if geometry is None:
        points = gpd.points_from_xy(result["easting_m"], result["northing_m"], crs="EPSG:27700")
        geometry = gpd.GeoSeries(points)
    areas: pd.DataFrame = gpd.GeoDataFrame(result, geometry=geometry.reset_index(drop=True))
    return areas


def empty_table(name: str) -> pd.DataFrame:
    """Table ``name`` without a row, in the types of its schema."""
    columns = SCHEMAS[name].to_schema().columns
    return pd.DataFrame({column: _cast(pd.Series([], dtype=object), str(declared.dtype)) for column, declared in columns.items()})


def _with_defaults(table: pd.DataFrame, declared: dict[str, Any]) -> pd.DataFrame:
    """Columns that may be left out are added, and empty cells filled where the column has a default."""
    filled: dict[str, Any] = {}
    for name, column in declared.items():
        default = column.metadata["default"]
        if name not in table.columns and column.metadata["optional"]:
            filled[name] = pd.Series(default, index=table.index, dtype=object)
        elif name in table.columns and default is not None and table[name].isna().any():
            filled[name] = table[name].astype(object).where(table[name].notna(), default)
    return table.assign(**filled) if filled else table


def _column_problems(table: pd.DataFrame, declared: dict[str, Any], file: str) -> list[InputProblem]:
    unknown = [str(column) for column in table.columns if column not in declared]
    missing = [column for column in declared if column not in table.columns]
    problems = []
    for column in missing:
        meant = difflib.get_close_matches(column, [heading.lower().replace(" ", "_") for heading in unknown], n=1)
        hint = f" Is it the column headed {meant[0]!r}?" if meant else ""
        problems.append(InputProblem(file, "column is missing", f"Add it. {_holds(declared[column])}{hint}", column=column))
    remedy = "Remove it or rename it as in docs/data-dictionary.md."
    return problems + [InputProblem(file, "column is not known", remedy, column=column) for column in unknown]


def _clean_column(values: pd.Series[Any], declared: Any, file: str) -> tuple[pd.Series[Any], list[InputProblem]]:
    """The column in its type, and what is wrong with it. Cells that can't be read are left out of the column returned."""
    typed, unreadable, message, remedy = _typed(values, str(declared.dtype))
    bad = values[unreadable]
    problems = problems_at_rows(file, list(bad.index), list(bad), message, f"{remedy} {_holds(declared)}", column=declared.name)
    typed = typed[~unreadable]
    blank = typed.index[typed.isna()]
    if len(blank) and not declared.nullable:
        remedy = f"Fill it in; an empty cell means unknown, which is not allowed here. {_holds(declared)}"
        problems += problems_at_rows(file, list(blank), None, "is empty", remedy, column=declared.name)
    given = _cast(typed.dropna(), str(declared.dtype))
    problems += _rule_problems(given, values, declared, file) + _year_problems(given, declared, file)
    return (_cast(typed, str(declared.dtype)) if declared.nullable else given), problems


def _cast(values: pd.Series[Any], dtype: str) -> pd.Series[Any]:
    kind: Any = "str" if dtype.startswith("string") else dtype
    result: pd.Series[Any] = values.astype(kind)
    return result


def _typed(values: pd.Series[Any], dtype: str) -> tuple[pd.Series[Any], pd.Series[bool], str, str]:
    """Values as numbers, truth values or text; which cells can't be read so; message and remedy for those."""
    if dtype == "bool":
        text = values.astype("string").str.lower()
        unreadable = text.notna() & ~text.isin(["true", "false"])
        return text.map({"true": True, "false": False}), unreadable.astype(bool), "must be true or false", "Write true or false."
    if dtype in ("float64", "int64"):
        number = pd.to_numeric(values if pd.api.types.is_numeric_dtype(values) else values.astype("string"), errors="coerce").astype(
            "float64"
        )
        unreadable = (number.isna() & values.notna()) | number.isin([np.inf, -np.inf])
        if dtype == "int64" and not unreadable.any():
            return number, number.notna() & (number % 1 != 0), "is not a whole number", "Write a whole number."
        return number, unreadable, "is not a number", "Write digits and a decimal point only; leave out commas, currency signs and units."
    nothing = pd.Series(False, index=values.index)
    if pd.api.types.is_float_dtype(values):  # ids that a spreadsheet took for numbers: 100001.0
        return values.astype("string").str.removesuffix(".0"), nothing, "", ""
    return values, nothing, "", ""


def _rule_problems(given: pd.Series[Any], cells: pd.Series[Any], declared: Any, file: str) -> list[InputProblem]:
    """What pandera finds against the rules of the column, in the words of a planner.

    ``given`` are the typed values without blanks; ``cells`` the same as they stand in the file.
    """
    problems: list[InputProblem] = []
    for rule in declared.checks:
        result = rule(given)
        if not result.check_passed:
            rows = list(given.index[~result.check_output])
            message = rule_in_words(rule)
            problems += problems_at_rows(file, rows, list(cells[rows]), message, _holds(declared), column=declared.name)
    return problems


def rule_in_words(rule: Any) -> str:
    """What a pandera check of a column asks for: ``must be at least 0``."""
    limits = rule.statistics
    match rule.name:
        case "isin":
            return f"must be one of: {', '.join(limits['allowed_values'])}"
        case "in_range":
            return f"must be from {limits['min_value']:,} to {limits['max_value']:,}"
        case "greater_than_or_equal_to":
            return f"must be at least {limits['min_value']}"
        case "greater_than":
            return f"must be above {limits['min_value']}"
        case "str_matches" if limits["pattern"] == ACADEMIC_YEAR:
            return "must be an academic year like 2022/23"
        case "str_matches" if limits["pattern"] == FINANCIAL_YEAR:
            return "must be a financial year like 2022-23"
        case "str_matches" if r"\d" in limits["pattern"]:
            return "must be a year like 2022/23 (academic) or 2022-23 (financial), or any where the description says so"
        case "str_matches":
            codes = limits["pattern"].removeprefix("^(?:").split(")")[0].split("|")
            return f"must be codes joined by |, each one of: {', '.join(codes)}"
    raise ValueError(f"no words for the rule {rule.name!r}")


def _year_problems(values: pd.Series[Any], declared: Any, file: str) -> list[InputProblem]:
    """Years such as 2022/24, which have the form of a year but name no two years in a row."""
    if not any(rule.statistics.get("pattern") in (ACADEMIC_YEAR, FINANCIAL_YEAR) for rule in declared.checks):
        return []
    wrong = [year for year in values.unique() if YEAR_LIKE.match(year) and not _is_year(year)]
    rows = values[values.isin(wrong)]
    return problems_at_rows(
        file,
        list(rows.index),
        list(rows),
        "does not name two years in a row",
        f"Write it like 2022/23. {_holds(declared)}",
        column=declared.name,
    )


def _is_year(text: str) -> bool:
    try:
        start_of(text)
    except ValueError:
        return False
    return True


def _key_problems(clean: dict[str, pd.Series[Any]], schema: Any, file: str) -> list[InputProblem]:
    key = schema.unique or [column for column, declared in schema.columns.items() if declared.unique]
    if not all(column in clean for column in key):
        return []
    values = pd.concat([clean[column] for column in key], axis="columns", join="inner")
    repeated = values.duplicated(keep="first")
    if not repeated.any():
        return []
    of_repeated = values[values.duplicated(keep=False)]
    first = of_repeated.groupby(key, sort=False, dropna=False)[key[0]].transform(lambda group: group.index[0])
    shown = values[repeated]
    named = [
        f"{', '.join(str(part) for part in parts)} (first in row {first[row]})"
        for row, parts in zip(shown.index, shown.astype("str").to_numpy(), strict=True)
    ]
    return problems_at_rows(file, list(shown.index), named, "occurs more than once", "Keep one row per key.", column=", ".join(key))


def _geometry_problems(geometry: gpd.GeoSeries, file: str) -> list[InputProblem]:
    if geometry.crs is None or geometry.crs.to_epsg() != 27700:
        named = "none given" if geometry.crs is None else geometry.crs.to_string()
        remedy = "Reproject them to British National Grid."
        return [InputProblem(file, "shapes are not in EPSG:27700", remedy, column="geometry", value=named)]
    blank = geometry[geometry.isna() | geometry.is_empty].index
    remedy = "Give the area's outline or point."
    return problems_at_rows(file, list(blank), None, "shape is empty", remedy, column="geometry")


def _holds(declared: Any) -> str:
    """What the column holds, as the data dictionary says it."""
    return f"It holds: {declared.description} ({declared.metadata['unit']})."
