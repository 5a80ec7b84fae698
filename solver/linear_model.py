"""A mixed-integer linear model as a sparse matrix with named blocks of rows and columns.

Blocks keep labels and numbers together: a constraint family adds its rows as one block,
a family of variables its columns, so that any row or column can be named again in words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from solver.problem import Bools, Floats, Ints

INFINITY = np.inf


@dataclass
class LinearModel:
    """``minimise cost @ x + offset`` with ``row_lower <= A x <= row_upper`` and ``lower <= x <= upper``."""

    cost: list[Floats] = field(default_factory=list)
    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    integer: list[Bools] = field(default_factory=list)
    row_lower: list[Floats] = field(default_factory=list)
    row_upper: list[Floats] = field(default_factory=list)
    entries: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    columns: dict[str, slice] = field(default_factory=dict)
    rows: dict[str, slice] = field(default_factory=dict)
    offset: float = 0.0
    column_count: int = 0
    row_count: int = 0

    def add_columns(
        self, name: str, count: int, *, cost: ArrayLike = 0.0, lower: ArrayLike = 0.0, upper: ArrayLike = INFINITY, integer: bool = False
    ) -> Ints:
        """Append a named block of columns; returns their indices."""
        self.cost.append(np.broadcast_to(np.asarray(cost, float), (count,)).copy())
        self.lower.append(np.broadcast_to(np.asarray(lower, float), (count,)).copy())
        self.upper.append(np.broadcast_to(np.asarray(upper, float), (count,)).copy())
        self.integer.append(np.full(count, integer))
        indices = np.arange(self.column_count, self.column_count + count)
        self.columns[name] = slice(self.column_count, self.column_count + count)
        self.column_count += count
        return indices

    def add_rows(self, name: str, count: int, *, lower: ArrayLike = -INFINITY, upper: ArrayLike = INFINITY) -> Ints:
        """Append a named block of rows; returns their indices."""
        self.row_lower.append(np.broadcast_to(np.asarray(lower, float), (count,)).copy())
        self.row_upper.append(np.broadcast_to(np.asarray(upper, float), (count,)).copy())
        indices = np.arange(self.row_count, self.row_count + count)
        self.rows[name] = slice(self.row_count, self.row_count + count)
        self.row_count += count
        return indices

    def add_entries(self, rows: ArrayLike, columns: ArrayLike, values: ArrayLike) -> None:
        """Add coefficients; entries of the same row and column are summed."""
        row, column, value = np.broadcast_arrays(np.asarray(rows), np.asarray(columns), np.asarray(values, float))
        keep = value.ravel() != 0
        self.entries.append((row.ravel()[keep].astype(np.int64), column.ravel()[keep].astype(np.int64), value.ravel()[keep]))

    def arrays(self) -> ModelArrays:
        """The model as plain arrays, the matrix by column."""
        if self.entries:
            rows, columns, values = (np.concatenate([entry[part] for entry in self.entries]) for part in range(3))
        else:
            rows, columns, values = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        matrix = sparse.csc_matrix((values, (rows, columns)), shape=(self.row_count, self.column_count))
        return ModelArrays(
            cost=_joined(self.cost),
            lower=_joined(self.lower),
            upper=_joined(self.upper),
            integer=np.concatenate(self.integer) if self.integer else np.zeros(0, bool),
            row_lower=_joined(self.row_lower),
            row_upper=_joined(self.row_upper),
            matrix=matrix,
            offset=self.offset,
        )


@dataclass(frozen=True)
class ModelArrays:
    """A linear model ready for a solver."""

    cost: Floats
    lower: Floats
    upper: Floats
    integer: Bools
    row_lower: Floats
    row_upper: Floats
    matrix: sparse.csc_matrix
    offset: float


def _joined(parts: list[NDArray[np.float64]]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)
