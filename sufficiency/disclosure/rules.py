"""The arithmetic of the protected profile, on arrays of counts. Nothing here knows what is counted.

A count is whole pupils: modelled fractions below a half are none. From 1 to 4 it is hidden (NaN), from 5 up it is shown to the nearest 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDED_TO: Final = 5.0
NONE_BELOW: Final = 0.5
HIDDEN_BELOW: Final = 4.5
"""Figures from NONE_BELOW up to here are the whole counts 1 to 4."""
TAKEN_AS: Final = 2.0
"""What a hidden count enters totals as where too few are hidden to take their average."""
FEWEST_AVERAGED: Final = 10
FEWEST_HIDDEN: Final = 5
FEWEST_FOR_MEANS: Final = 9.5
"""Means, quantiles and money per pupil are shown from ten pupils up."""


def is_hidden(counts: ArrayLike) -> Bools:
    """Whether each count is one of 1 to 4."""
    counts = np.asarray(counts, float)
    return np.asarray((counts >= NONE_BELOW) & (counts < HIDDEN_BELOW))


def rounded(counts: ArrayLike, to: float = ROUNDED_TO) -> Floats:
    """To the nearest multiple, halves upwards: unlike banker's rounding, every multiple then stands for a range of the same width."""
    return np.asarray(np.floor(np.asarray(counts, float) / to + 0.5) * to)


def shown_counts(counts: ArrayLike) -> Floats:
    """Each count as it may be shown: NaN where it is hidden, otherwise to the nearest 5."""
    return np.where(is_hidden(counts), np.nan, rounded(counts))


def possible(shown: ArrayLike) -> tuple[Floats, Floats]:
    """What a reader who knows these rules can say of each shown count: its least and its largest value, in pupils."""
    shown = np.asarray(shown, float)
    low = np.where(np.isnan(shown), NONE_BELOW, np.where(shown == 0, 0.0, np.maximum(shown - ROUNDED_TO / 2, HIDDEN_BELOW)))
    high = np.where(np.isnan(shown), HIDDEN_BELOW, np.where(shown == 0, NONE_BELOW, shown + ROUNDED_TO / 2))
    return low, high


def added_up(estimates: pd.DataFrame, shown: Mapping[str, pd.DataFrame], keys: list[pd.Series[Any]]) -> pd.DataFrame:
    """Totals by ``keys`` from the counts as shown: hidden ones enter as their estimates, which anyone could work out.

    ``shown`` holds, for each column of ``estimates``, the counts as shown that a row adds up (rows as in ``estimates``). So a total says
    nothing of any hidden count. One with no count of 5 or more in it is hidden, unless five hidden counts at least are in it.
    """
    totals = estimates.groupby(keys).sum()
    known = pd.DataFrame({name: (counts >= HIDDEN_BELOW).any(axis=1) for name, counts in shown.items()}).groupby(keys).any()
    number = pd.DataFrame({name: counts.isna().sum(axis=1) for name, counts in shown.items()}).groupby(keys).sum()
    few = ~known & np.where(number > 0, (number < FEWEST_HIDDEN) | (totals < 1.5 * ROUNDED_TO), is_hidden(totals))
    result: pd.DataFrame = pd.DataFrame(rounded(totals), totals.index, totals.columns).mask(few & (totals >= NONE_BELOW))
    return result


def average_of_hidden(counts: ArrayLike, shown: ArrayLike) -> float | None:
    """What each hidden count of a column enters totals as, where there are ten at least; None where there are fewer.

    The sum of the column is rounded to 10 first, with its hidden part kept clear of the least and the most it can be: even a reader who
    knew all other counts exactly could not exclude 1 or 4 for any hidden one. What rounding took from the shown counts is made good too.
    """
    counts, shown = np.asarray(counts, float), np.asarray(shown, float)
    hidden = np.isnan(shown)
    number = int(hidden.sum())
    if number < FEWEST_AVERAGED:
        return None
    large = ~hidden & (shown > 0)
    total = counts[large].sum() + np.clip(counts[hidden].sum(), number + 3, 4 * number - 3)
    return float(np.clip((rounded(total, 2 * ROUNDED_TO) - shown[large].sum()) / number, NONE_BELOW, HIDDEN_BELOW))


def is_revealing(totals: ArrayLike, parts: Floats) -> Bools:
    """Whether a shown total and the shown parts that add up to it narrow a hidden one among them to less than 1 to 4.

    ``totals`` (n,) and ``parts`` (n, m) are counts as shown, NaN = hidden.
    """
    low, high = possible(totals)
    part_low, part_high = _known_parts(parts)
    alone = np.isnan(np.asarray(totals, float)) & ((part_low.sum(axis=1) > 1.0) | (part_high.sum(axis=1) < 4.0))
    return np.asarray(alone | is_narrowing(low, high, parts))


def is_narrowing(total_low: Floats, total_high: Floats, parts: Floats) -> Bools:
    """Whether totals (n,) known to lie within a range, in pupils, narrow a hidden part to less than 1 to 4."""
    low, high = _known_parts(parts)
    least = np.asarray(total_low)[:, None] - (high.sum(axis=1, keepdims=True) - high)
    most = np.asarray(total_high)[:, None] - (low.sum(axis=1, keepdims=True) - low)
    return np.asarray((np.isnan(parts) & ((least > 1.0) | (most < 4.0))).any(axis=1))


def _known_parts(parts: Floats) -> tuple[Floats, Floats]:
    """As ``possible``; of a count shown as 0 the reader may know that it can be nothing else."""
    low, high = possible(parts)
    return low, np.where(parts == 0, 0.0, high)


def shown_mean(sums: ArrayLike, counts: ArrayLike, to: float) -> Floats:
    """Means rounded to a multiple of ``to``; NaN where fewer than ten pupils are behind them."""
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    enough = counts >= FEWEST_FOR_MEANS
    return np.where(enough, rounded(sums / np.where(enough, counts, 1.0), to), np.nan)


def column(values: ArrayLike, like: pd.DataFrame) -> pd.Series[Any]:
    """Values as a column of a table."""
    return pd.Series(np.asarray(values), index=like.index)
