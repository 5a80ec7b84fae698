"""Reading a table against its schema: every fault at once, each with its row and remedy."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
from pandera.errors import SchemaErrors

from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.schemas import SCHEMAS

MOST_ROWS_SHOWN = 20
"""Further faults of the same kind in the same column are counted, not listed."""


def read_table(path: Path, name: str) -> pd.DataFrame:
    """Read a CSV or (Geo)Parquet file and validate it as table ``name``. Raises InputError."""
    path = Path(path)
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        elif name == "areas":
            table = gpd.read_parquet(path)
        else:
            table = pd.read_parquet(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise InputError([InputProblem(path.name, f"can't be read: {error}", "Save it again as UTF-8 CSV or Parquet.")]) from error
    return validate_table(table, name, path.name)


def validate_table(table: pd.DataFrame, name: str, file: str) -> pd.DataFrame:
    """The table in the types and column order of its schema. Raises InputError with all problems."""
    schema = SCHEMAS[name].to_schema()
    geometry = table["geometry"] if name == "areas" and "geometry" in table.columns else None
    plain = pd.DataFrame(table.drop(columns="geometry")) if geometry is not None else table
    try:
        clean = schema.validate(plain.reset_index(drop=True), lazy=True)
    except SchemaErrors as error:
        raise InputError(_problems(error.failure_cases, plain, file, schema)) from None
    clean = clean[list(schema.columns)]
    if name != "areas":
        return clean
    if geometry is None:
        points = gpd.points_from_xy(clean["easting_m"], clean["northing_m"], crs="EPSG:27700")
        return gpd.GeoDataFrame(clean, geometry=points)
    if geometry.crs is None or geometry.crs.to_epsg() != 27700:
        raise InputError([InputProblem(file, "shapes are not in EPSG:27700", "Reproject to British National Grid.", column="geometry", value=str(geometry.crs))])
    return gpd.GeoDataFrame(clean, geometry=geometry.reset_index(drop=True))


def _problems(failures: pd.DataFrame, table: pd.DataFrame, file: str, schema: object) -> list[InputProblem]:
    """pandera's failure cases in the words of a planner."""
    problems: list[InputProblem] = []
    for (context, column, check), cases in failures.groupby(["schema_context", "column", "check"], sort=False, dropna=False):
        check, name = str(check), None if pd.isna(column) else str(column)
        if check == "column_in_dataframe":
            for missing in cases["failure_case"]:
                problems.append(InputProblem(file, "column is missing", f"Add it: {_what(schema, str(missing))}", column=str(missing)))
            continue
        if check == "column_in_schema":
            for extra in cases["failure_case"]:
                problems.append(InputProblem(file, "column is not known", "Remove it or rename it as in docs/data-dictionary.md.", column=str(extra)))
            continue
        message, remedy = _wording(check, schema, name)
        shown = cases.drop_duplicates("index") if context == "DataFrameSchema" else cases
        for _, case in shown.head(MOST_ROWS_SHOWN).iterrows():
            row = None if pd.isna(case["index"]) else int(case["index"]) + 2
            value = str(case["failure_case"])
            if check.startswith(("coerce_dtype", "dtype")) and row is None and name in table.columns:
                continue
            problems.append(InputProblem(file, message, remedy, row=row, column=name, value=value))
        if len(shown) > MOST_ROWS_SHOWN:
            problems.append(InputProblem(file, f"{message}: {len(shown) - MOST_ROWS_SHOWN} more rows", remedy, column=name))
    return problems or [InputProblem(file, str(failures.iloc[0]["check"]), "See docs/data-dictionary.md.")]


def _what(schema: object, column: str) -> str:
    declared = schema.columns[column]  # type: ignore[attr-defined]
    return f"{declared.description} ({declared.metadata['unit']})."


def _wording(check: str, schema: object, column: str | None) -> tuple[str, str]:
    what = _what(schema, column) if column in schema.columns else ""  # type: ignore[attr-defined]
    if check == "not_nullable":
        return "is empty", f"Fill it in: {what}"
    if check.startswith(("coerce_dtype", "dtype")):
        return "has the wrong type", f"Expected: {what}"
    if check in ("field_uniqueness", "multiple_fields_uniqueness"):
        return "occurs more than once", "Keep one row per key."
    limits = check.replace("str_matches", "must match ").replace("isin", "must be one of ").replace("in_range", "must lie in ")
    limits = limits.replace("greater_than_or_equal_to", "must be at least ").replace("greater_than", "must be above ")
    return "is not allowed", f"It {limits}. {what}" if not limits.startswith("must") else f"{limits[0].upper()}{limits[1:]}. {what}"
