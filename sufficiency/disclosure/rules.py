"""The arithmetic of the protected profile, on arrays of counts. Nothing here knows what is counted.

A count is whole pupils: modelled fractions below a half are none. From 1 to 4 it is hidden (NaN), from 5 up it is shown to the nearest 5.
"""

from __future__ import annotations

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
LONE: Final = 2.5
"""What a hidden count adds to a total in which it is the only one, whatever it is."""
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


def shown_totals(cells: pd.DataFrame, by: list[str], columns: list[str], withheld: pd.DataFrame | None = None) -> pd.DataFrame:
    """Sums of counts by ``by``, as they may be shown beside the counts themselves.

    A total is computed from the exact counts, but its hidden part is drawn in: a lone hidden count enters as 2.5, and k of them together
    as no fewer than k + 3 and no more than 4 k - 3. So even a reader who knew all other counts exactly, and the total before rounding,
    could not exclude 1 or 4 for any of them. Totals of hidden counts alone are shown from 10 up.

    ``withheld`` (same index and columns, true or false) marks counts of 5 and more that are hidden as well, to protect others of their
    row; a total is hidden when one of these is the only count in it that is not shown.
    """
    groups = [cells[name] for name in by]
    result = {}
    for name in columns:
        counts = cells[name].astype(float)
        small = pd.Series(is_hidden(counts), cells.index)
        number = small.groupby(groups).sum().astype(float)
        hidden = counts.where(small, 0.0).groupby(groups).sum()
        others = counts.where(~small, 0.0).groupby(groups).sum()
        any_shown = (counts >= HIDDEN_BELOW).groupby(groups).any()
        drawn_in = np.where(
            number == 0, 0.0, np.where(number == 1, LONE, np.clip(hidden, number + 3, np.maximum(4 * number - 3, number + 3)))
        )
        total = others + drawn_in
        secret = ~any_shown & (total >= NONE_BELOW) & (total < 1.5 * ROUNDED_TO)
        if withheld is not None:
            kept_back = (withheld[name] & (counts >= HIDDEN_BELOW)).groupby(groups).sum()
            secret |= (kept_back == 1) & (number == 0)
        result[name] = pd.Series(rounded(total), total.index).mask(secret)
    return pd.DataFrame(result).reset_index() if by else pd.DataFrame(result)


def is_revealing(totals: ArrayLike, parts: Floats, slack: float = 0.0) -> Bools:
    """Whether a shown total, with the shown parts that add up to it, narrows any hidden part to less than 1 to 4.

    ``totals`` (n,) and ``parts`` (n, m) are counts as shown, NaN = hidden; ``slack`` (pupils) is what the totals may be off besides.
    """
    low, high = possible(totals)
    return is_narrowing(low - slack, high + slack, parts)


def is_narrowing(total_low: Floats, total_high: Floats, parts: Floats) -> Bools:
    """As ``is_revealing``, for totals (n,) known to lie within a range, in pupils."""
    low, high = possible(parts)
    least = np.asarray(total_low)[:, None] - (high.sum(axis=1, keepdims=True) - high)
    most = np.asarray(total_high)[:, None] - (low.sum(axis=1, keepdims=True) - low)
    return np.asarray((np.isnan(parts) & ((least > 1.0) | (most < 4.0))).any(axis=1))


def shown_mean(sums: ArrayLike, counts: ArrayLike, to: float) -> Floats:
    """Means rounded to a multiple of ``to``; NaN where fewer than ten pupils are behind them."""
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    enough = counts >= FEWEST_FOR_MEANS
    return np.where(enough, rounded(sums / np.where(enough, counts, 1.0), to), np.nan)


def column(values: ArrayLike, like: pd.DataFrame) -> pd.Series[Any]:
    """Values as a column of a table."""
    return pd.Series(np.asarray(values), index=like.index)
