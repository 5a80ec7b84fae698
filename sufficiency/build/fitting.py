"""Iterative proportional fitting of many tables at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Figures: TypeAlias = npt.NDArray[np.float64]


def fit(seed: Figures, margins: Sequence[Figures], tolerance: float = 1e-6, most_rounds: int = 5000) -> Figures:
    """The table nearest to ``seed`` (least Kullback-Leibler divergence) that has these margins.

    ``margins`` have the dimensions of ``seed``, those summed over being 1 long; the last margin holds to rounding,
    the others to ``tolerance`` (the unit of the table). Cells that are zero in the seed stay zero.
    Raises ArithmeticError when the margins contradict each other or the seed's zeros.
    """
    table = seed.astype(float)
    sums = [tuple(axis for axis in range(seed.ndim) if margin.shape[axis] == 1) for margin in margins]
    worst = np.inf
    for _ in range(most_rounds):
        worst = 0.0
        for margin, axes in zip(margins, sums, strict=True):
            now = table.sum(axis=axes, keepdims=True)
            worst = max(worst, float(np.abs(now - margin).max(initial=0.0)))
            table *= np.divide(margin, now, out=np.zeros_like(now), where=now > 0)
        if worst <= tolerance:
            return table
    raise ArithmeticError(f"margins can't be met: {worst:.3g} off after {most_rounds} rounds")


def shares(table: Figures, axis: int, *fallbacks: Figures) -> Figures:
    """``table`` as shares along ``axis``, which sum to 1.

    Where it sums to zero (or is not available): the shares of the first of ``fallbacks`` that does not, then equal ones.
    """
    result = np.full(table.shape, 1 / table.shape[axis])
    for figures in (*reversed(fallbacks), table):
        whole = np.broadcast_to(figures, table.shape)
        total = whole.sum(axis=axis, keepdims=True)
        result = np.divide(whole, total, out=result, where=np.broadcast_to(total > 0, table.shape))
    return result
