"""Result tables as CSV, each with the metadata that the CSV on the Web standard (W3C, 2015) describes.

Figures are written in the fewest digits that read back to the same number, so a plan read from disk is the plan that was written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from sufficiency.case import Case
from sufficiency.disclosure import hideable_columns, label
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.report_schemas import REPORT_SCHEMAS
from sufficiency.tables.schemas import Table

ARROW_TYPES: Final[dict[str, pa.DataType]] = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "category": pa.dictionary(pa.int32(), pa.string()),
}
EXACT_RIGHTS: Final = "Rests on records of persons and holds small counts: must not leave the store."
HIDEABLE: Final = "; rounded, empty = hidden"
WRITTEN: Final = {**PLAN_SCHEMAS, **REPORT_SCHEMAS}
"""Every table that is written, by name."""
CSVW_TYPES: Final = {"float64": "number", "int64": "integer", "bool": "boolean", "str": "string", "category": "string"}


def write_table(table: pd.DataFrame, name: str, folder: Path, case: Case, *, exact: bool = False, parquet: bool = False) -> None:
    """Write ``<name>.csv`` and ``<name>.csv-metadata.json``, or ``<name>.parquet``.

    Raises ValueError when the columns are not those of the schema.
    """
    columns = arrow_columns(WRITTEN[name])
    if list(table.columns) != list(columns):
        raise ValueError(f"columns of {name} are {list(table.columns)}, the schema has {list(columns)}")
    rows = pa.Table.from_pandas(table, schema=pa.schema(list(columns.items())), preserve_index=False)
    if parquet:
        arrow_parquet.write_table(rows, folder / f"{name}.parquet", compression="zstd")
        return
    arrow_csv.write_csv(rows, folder / f"{name}.csv")
    text = json.dumps(table_metadata(name, case, exact=exact), indent=1, ensure_ascii=False)
    (folder / f"{name}.csv-metadata.json").write_text(text, encoding="utf-8")


def read_plan_table(name: str, folder: Path) -> pd.DataFrame:
    """Read ``<name>.csv`` or ``<name>.parquet`` in the types of its schema. Raises InputError when it is missing or is another table."""
    path, columns = folder / f"{name}.csv", arrow_columns(PLAN_SCHEMAS[name])
    remedy = "Write the plan again with `sufficiency plan`."
    if (packed := folder / f"{name}.parquet").is_file():
        try:
            read: pd.DataFrame = arrow_parquet.read_table(packed, columns=list(columns)).to_pandas()
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            raise InputError([InputProblem(str(packed), f"can't be read: {error}", remedy)]) from error
        return read
    if not path.is_file():
        raise InputError([InputProblem(str(path), "file is missing", remedy)])
    options = arrow_csv.ConvertOptions(column_types=columns, include_columns=list(columns), strings_can_be_null=False, null_values=[""])
    try:
        table: pd.DataFrame = arrow_csv.read_csv(path, convert_options=options).to_pandas()
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InputError([InputProblem(str(path), f"can't be read: {error}", remedy)]) from error
    return table


def arrow_columns(schema: type[Table]) -> dict[str, pa.DataType]:
    """Column -> type, in the order of the schema."""
    return {name: ARROW_TYPES[_dtype(column)] for name, column in schema.to_schema().columns.items()}


def table_metadata(name: str, case: Case, *, exact: bool = False) -> dict[str, Any]:
    """The metadata document of one table: title, description, sources, and each column's title, type, unit and description.

    ``exact``: the table of a protected case holds every figure, for the store alone.
    """
    schema = WRITTEN[name]
    hideable = [] if exact or case.disclosure == "open" else hideable_columns(name)
    about: dict[str, Any] = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": f"{name}.csv",
        "dc:title": f"{case.name}: {name}",
        "dc:description": " ".join(str(schema.__doc__).split()),
        "dc:source": [f"{source.publisher}: {source.title}, {source.edition} ({source.licence})" for source in case.sources],
        "dialect": {"header": True, "encoding": "utf-8", "delimiter": ",", "quoteChar": '"', "doubleQuote": True},
        "tableSchema": {
            "columns": [_column(column, heading, heading in hideable) for heading, column in schema.to_schema().columns.items()]
        },
    }
    if case.disclosure == "protected":
        about["dc:rights"] = EXACT_RIGHTS if exact else label(case)
    key = getattr(schema.Config, "unique", None)
    if key:
        about["tableSchema"]["primaryKey"] = key
    return about


def _column(column: Any, heading: str, hideable: bool) -> dict[str, Any]:
    limits = {check.name: check.statistics for check in column.checks}
    datatype: dict[str, Any] = {"base": CSVW_TYPES[_dtype(column)]}
    if "str_matches" in limits:
        datatype["format"] = str(limits["str_matches"]["pattern"])
    if "greater_than_or_equal_to" in limits:
        datatype["minimum"] = limits["greater_than_or_equal_to"]["min_value"]
    described = {
        "name": heading,
        "titles": heading,
        "datatype": datatype if len(datatype) > 1 else datatype["base"],
        "required": not (column.nullable or hideable),
        "dc:description": column.description + (HIDEABLE if hideable else ""),
        "schema:unitText": column.metadata["unit"],
    }
    return described | ({"separator": "|"} if heading in ("need_groups", "phases", "councils") else {})


def _dtype(column: Any) -> str:
    dtype = str(column.dtype)
    return "str" if dtype.startswith("str") else dtype
