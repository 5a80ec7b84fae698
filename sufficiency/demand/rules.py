"""The simple rules that a forecast has to beat, each as plans by area (rows) and year ahead (columns)."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

FIRST: Final = 2019
"""First January of the rules: before it totals are not comparable (statements were still being turned into plans)."""
WINDOW: Final = 3
"""Most years of growth that the rules look back on."""
COUNCIL_WEIGHT: Final = 0.25


def until(wide: pd.DataFrame, origin: int) -> pd.DataFrame:
    """The columns (Januaries) up to the origin."""
    return wide.loc[:, wide.columns.to_numpy(int) <= origin]


def window(origin: int, most: int, first: int) -> int:
    """Years of growth there are to look back on, at most ``most``."""
    return max(1, min(most, origin - first))


def england_growth(wide: pd.DataFrame, origin: int, years: int) -> float:
    """Mean log growth a year of the sum over areas that returned both Januaries."""
    both = wide[origin].notna() & wide[origin - years].notna()
    return float(np.log(wide.loc[both, origin].sum() / wide.loc[both, origin - years].sum()) / years)


def own_growth(wide: pd.DataFrame, origin: int, years: int) -> pd.Series:
    """Mean log growth a year of each area; 0 where there is none to see."""
    now, before = wide[origin], wide[origin - years]
    ratio = now.where(now > 0) / before.where(before > 0)
    return pd.Series(np.log(ratio) / years).fillna(0.0)


def simple_forecasts(wide: pd.DataFrame, origin: int, horizons: int) -> dict[str, pd.DataFrame]:
    """Every simple rule by name: rows areas, columns 1 to ``horizons``."""
    years = window(origin, WINDOW, FIRST)
    own, england = own_growth(wide, origin, years), england_growth(wide, origin, years)
    blend = COUNCIL_WEIGHT * own + (1 - COUNCIL_WEIGHT) * england
    ahead = range(1, horizons + 1)
    grown = {"last_value": own * 0.0, "drift": own, "blend_25_75": blend, "england_growth": own * 0.0 + england}
    rules = {name: pd.DataFrame({h: wide[origin] * np.exp(h * growth) for h in ahead}) for name, growth in grown.items()}
    return {**rules, "linear": _linear(wide, origin, years, ahead)}


def _linear(wide: pd.DataFrame, origin: int, years: int, ahead: range) -> pd.DataFrame:
    """Least-squares line through each area's last Januaries."""
    januaries = np.arange(origin - years, origin + 1, dtype=float)
    plans = wide[list(range(origin - years, origin + 1))]
    centred = januaries - januaries.mean()
    slope = plans.mul(centred, axis=1).sum(axis=1, skipna=False) / float((centred**2).sum())
    return pd.DataFrame({h: (plans.mean(axis=1) + slope * (origin + h - januaries.mean())).clip(lower=0.0) for h in ahead})
