"""Plans after the last observed January, by one plain rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

DAMPING = 0.8
"""Share of a year's growth that is left a year later."""
WINDOW = 3
"""Januaries whose growth is carried on."""


def carry_forward(history: pd.DataFrame, years: Sequence[int]) -> pd.DataFrame:
    """Pupils of each council and category in these Januaries: columns council_code, january, category, pupils.

    ``history`` has the same columns and at least ``WINDOW`` Januaries. Every council grows, from its last January, as
    England did: the mean yearly log growth of the category over the last ``WINDOW`` Januaries, damped by ``DAMPING``
    a year (the first year grows in full). Raises ValueError for a year that is not after the history.
    """
    last = int(history["january"].max())
    if any(year <= last for year in years):
        raise ValueError(f"history ends in January {last}; asked for {min(years)}")
    england = history.groupby(["january", "category"])["pupils"].sum()
    growth = np.log(england.loc[last] / england.loc[last - WINDOW + 1]) / (WINDOW - 1)
    base = history[history["january"] == last]
    yearly = base["category"].map(growth.to_dict()).astype(float)
    parts = []
    for year in years:
        steps = (1 - DAMPING ** (year - last)) / (1 - DAMPING)
        parts.append(base.assign(january=year, pupils=base["pupils"] * np.exp(yearly * steps)))
    return pd.concat(parts, ignore_index=True)[["council_code", "january", "category", "pupils"]]
