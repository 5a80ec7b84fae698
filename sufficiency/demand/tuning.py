"""What the settings of the paths rest on: scores on Januaries to 2021 only, for the chosen settings and their rivals.

Placements: origins 2018 to 2020 with targets to 2021 (the establishment file goes back to 2015). Total plans: requests
begin with 2019, so one step can be learnt from, January 2020 to 2021: each area is foretold from the others.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.demand import paths
from sufficiency.demand.backtest import TINY
from sufficiency.demand.paths import PLACEMENTS, TOTAL, PlacementSettings, TotalSettings
from sufficiency.demand.targets import BY_MEASURE, Forecaster

LAST_TARGET: Final = 2021
ORIGINS: Final = (2018, 2019, 2020)
WINDOWS: Final = ((2,), (3,), (5,), (3, 4, 5), (99,))
OWN_WEIGHTS: Final = (0.0, 0.1, 0.15, 0.2, 0.3)
RETURNS: Final = (0.0, 0.03)
RIDGES: Final = (2.0, 20.0, 60.0)
FEATURE_SETS: Final = (
    ("requests",),
    ("requests", "new_plans"),
    ("requests", "new_plans", "plans_per_head"),
    ("own_growth", "requests"),
    TOTAL.features,
)


def tuning_table(forecaster: Forecaster) -> pd.DataFrame:
    """series, settings, mape, wape (%, to 2021), chosen: the setting the forecast uses (``of_total`` can't be tried before 2021)."""
    rows = [*_placement_rows(forecaster, "special_state"), *_placement_rows(forecaster, "independent_nm"), *_total_rows(forecaster)]
    return pd.DataFrame(rows).sort_values(["series", "mape"], kind="stable", ignore_index=True)


def _placement_rows(forecaster: Forecaster, measure: str) -> list[dict[str, object]]:
    used = replace(PLACEMENTS[measure], of_total=0.0)
    return_to_mean = RETURNS if used.return_to_mean else (0.0,)
    rows: list[dict[str, object]] = []
    for windows, weight, back in product(WINDOWS, OWN_WEIGHTS, return_to_mean):
        settings = replace(used, england_years=windows, own_weight=weight, return_to_mean=back)
        mape, wape = _placement_score(forecaster, measure, settings)
        text = f"England {'+'.join('all' if year == 99 else str(year) for year in windows)} years, own {weight:g}, return {back:g}"
        rows.append({"series": measure, "settings": text, "mape": mape, "wape": wape, "chosen": settings == used})
    return rows


def _placement_score(forecaster: Forecaster, measure: str, settings: PlacementSettings) -> tuple[float, float]:
    """Means over origins and years ahead of MAPE and WAPE in percent."""
    actual = forecaster.actual(BY_MEASURE[measure])
    plans = forecaster.actual(BY_MEASURE["ehc_plans"])
    scores = []
    for origin in ORIGINS:
        ahead = range(1, LAST_TARGET - origin + 1)
        forecast = paths.placement_path(forecaster.history, measure, pd.DataFrame(dict.fromkeys(ahead, plans[origin])), origin, settings)
        for h in ahead:
            scored = (actual[origin] >= BY_MEASURE[measure].least) & (actual[origin + h] > 0)
            error, truth = (forecast[h] - actual[origin + h])[scored].abs(), actual.loc[scored, origin + h]
            scores.append((100 * float((error / truth).mean()), 100 * float(error.sum() / truth.sum())))
    mape, wape = np.mean(scores, axis=0)
    return float(mape), float(wape)


def _total_rows(forecaster: Forecaster) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for features, ridge in product(FEATURE_SETS, RIDGES):
        settings = replace(TOTAL, features=features, ridge=ridge)
        mape, wape = _left_out_score(forecaster, settings)
        rows.append(
            {
                "series": "ehc_plans",
                "settings": f"{', '.join(features)}; ridge {ridge:g}",
                "mape": mape,
                "wape": wape,
                "chosen": settings == TOTAL,
            }
        )
    return rows


def _left_out_score(forecaster: Forecaster, settings: TotalSettings) -> tuple[float, float]:
    """MAPE and WAPE in percent of January 2021 when each area's deviation from England is foretold from all others."""
    before = LAST_TARGET - 1
    wide = forecaster.actual(BY_MEASURE["ehc_plans"])
    growth = pd.Series(np.log(wide[LAST_TARGET] / wide[before]))
    moved = paths.deviation(growth, wide[before]).clip(-settings.most_deviation, settings.most_deviation)
    known = paths.features(forecaster.history.until(before), forecaster.persons, before, settings)
    scored = (wide[before] >= BY_MEASURE["ehc_plans"].least) & ~wide.index.isin(list(TINY))
    x = (known / known.std()).clip(-4, 4)[scored].to_numpy()
    y = moved[scored].to_numpy()
    hat = x @ np.linalg.solve(x.T @ x + settings.ridge * np.eye(x.shape[1]), x.T)
    left_out = y - (y - hat @ y) / (1 - np.diag(hat))
    england = (growth - paths.deviation(growth, wide[before]))[scored].to_numpy()
    truth = wide.loc[scored, LAST_TARGET].to_numpy(float)
    error = np.abs(wide.loc[scored, before].to_numpy(float) * np.exp(england + left_out) - truth)
    return 100 * float((error / truth).mean()), 100 * float(error.sum() / truth.sum())
