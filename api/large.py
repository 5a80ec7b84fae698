"""Large tables: columns that the system maps into memory, so that an answer reads its own rows and no others.

Such a table is made when a case is taken in or a plan is written, beside the file that it repeats: one Arrow record batch, not compressed.
Text is kept as codes into a sorted list, so that filters and orders compare numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from api.tabular import Choice, Positions, chosen
from sufficiency.case import Case
from sufficiency.outputs.csvw import read_plan_table
from sufficiency.outputs.folder import SUBFOLDERS
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS

LARGE_ROWS: Final = 100_000
FOLDER: Final = "large"


@dataclass(frozen=True)
class Mapped:
    """The rows of a large table."""

    rows: pa.Table

    @property
    def dtypes(self) -> Mapping[str, Any]:
        """Column -> type, as of a frame."""
        return {field.name: np.dtype(object if _is_text(field.type) else field.type.to_pandas_dtype()) for field in self.rows.schema}

    def find(self, choice: Choice) -> Positions:
        """Where the rows are that are asked for, in the order asked for. Reads the columns that the choice names."""
        names = sorted(choice.columns)
        if not names:
            return range(len(self.rows))
        return chosen(self.rows.select(names).to_pandas(), choice).index.to_numpy()

    def take(self, positions: Positions) -> pd.DataFrame:
        """The rows at these positions."""
        part = _slice(self.rows, positions) if isinstance(positions, range) else self.rows.take(pa.array(positions))
        plain = [field.with_type(pa.string()) if _is_text(field.type) else field for field in part.schema]
        frame: pd.DataFrame = part.cast(pa.schema(plain)).to_pandas()
        return frame


def mapped(folder: Path, name: str) -> Mapped | None:
    """A table of a case or plan folder; None when it is not large."""
    path = folder / FOLDER / f"{name}.arrow"
    if not path.is_file():
        return None
    return Mapped(pa.ipc.open_file(pa.memory_map(str(path))).read_all())


def keep_large_of_case(case: Case, folder: Path) -> None:
    """Write the large tables of an open case into its folder. Those of a protected one are never shown as they are."""
    if case.disclosure == "open":
        for name, table in case.tables.items():
            if name != "areas":
                _keep(table, folder, name)


def keep_large_of_plan(folder: Path) -> None:
    """Write the large ones of the tables that a plan's folder shows into it."""
    for subfolder in SUBFOLDERS.values():
        for path in sorted((folder / subfolder).glob("*.parquet")):
            if path.stem in PLAN_SCHEMAS:
                _keep(read_plan_table(path.stem, path.parent), path.parent, path.stem)


def _keep(table: pd.DataFrame, folder: Path, name: str) -> None:
    if len(table) < LARGE_ROWS:
        return
    (folder / FOLDER).mkdir(exist_ok=True)
    columns = {str(column): _column(table[column]) for column in table.columns}
    batch = pa.record_batch(list(columns.values()), names=list(columns))
    with pa.ipc.new_file(folder / FOLDER / f"{name}.arrow", batch.schema) as stream:
        stream.write_batch(batch)


def _column(values: pd.Series[Any]) -> pa.Array:
    """Figures as they are; text as codes in order."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return pa.array(values.to_numpy())
    codes, names = pd.factorize(values, sort=True)
    text = pa.array(np.asarray(names, dtype=object), pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes < 0), text, ordered=True)


def _slice(rows: pa.Table, positions: range) -> pa.Table:
    return rows.slice(positions.start, len(positions))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind))
