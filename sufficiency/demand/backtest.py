"""Rolling-origin back-test on the real releases: the model beside the simple rules.

At every origin only what was published by then is used. The areas scored and the Januaries left out were fixed
beforehand, are the same for every method and are listed in the output; figures without any exclusion stand beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.demand.rules import simple_forecasts, until
from sufficiency.demand.targets import TARGETS, Forecaster, Target
from sufficiency.sources.ehc_plans import NOT_RECORDED
from sufficiency.sources.sen2_history import History

CELLS: Final = tuple((origin, ahead) for origin, most in ((2021, 3), (2022, 3), (2023, 2)) for ahead in range(1, most + 1))
"""Origins and years ahead that are scored."""
TINY: Final = {"E09000001": "City of London", "E06000053": "Isles of Scilly"}
BROKEN: Final = {
    ("E09000025", 2025): "Newham January 2025: 2,705 plans fell to 1,199, an incomplete return",
}
BROKEN_PLACEMENTS: Final = {("E06000037", 2023): "West Berkshire January 2023: independent placements 76, 235, 100 in three Januaries"}
MOST_NOT_RECORDED: Final = 0.10
METHODS: Final = ("model", "last_value", "drift", "linear", "blend_25_75", "england_growth")


@dataclass(frozen=True)
class BackTest:
    """Scores in percent, and which areas were scored."""

    scores: pd.DataFrame
    """target, origin, horizon, method, mape, wape, bias, coverage80, then band, bias_of_sum, median_ape, width80, areas, ..._unfiltered."""
    pooled: pd.DataFrame
    """The same averaged over origins: target, band, horizon, method."""
    areas: pd.DataFrame
    """target, band, origin, horizon, area, scored, reason."""
    models: pd.DataFrame
    """Error models fitted at each origin."""


def back_test(forecaster: Forecaster, progress: Callable[[str], None] | None = None) -> BackTest:
    """Every target, origin, year ahead and method."""
    scores, areas, models = [], [], []
    for target in TARGETS:
        actual = forecaster.actual(target)
        for origin in sorted({origin for origin, _ in CELLS}):
            if progress:
                progress(f"Back-test: {target.name} {target.band} from January {origin}".replace("  ", " "))
            errors = forecaster.errors(target, origin)
            forecasts = {"model": forecaster.path(target, origin, 3), **simple_forecasts(until(actual, origin), origin, 3)}
            models.append({"target": target.name, "band": target.band, "origin": origin, **vars(errors)})
            for ahead in [ahead for start, ahead in CELLS if start == origin]:
                reasons = _reasons(forecaster.history, target, actual, origin, ahead)
                areas.append(_area_rows(target, origin, ahead, reasons))
                cell = {"target": target.name, "origin": origin, "horizon": ahead}
                for method in METHODS:
                    forecast = forecasts[method][ahead]
                    band = errors.interval(forecast, ahead) if method == "model" else None
                    scored = _score(forecast, actual[origin + ahead], reasons == "", band)
                    every = _score(
                        forecast, actual[origin + ahead], _returned(actual, origin, ahead) & (actual[origin] >= target.least), None
                    )
                    beside = {f"{name}_unfiltered": every[name] for name in ("mape", "wape", "bias", "bias_of_sum", "areas")}
                    scores.append({**cell, "method": method, **scored, "band": target.band, **beside})
    table = pd.DataFrame(scores)
    first = ["target", "origin", "horizon", "method", "mape", "wape", "bias", "coverage80", "band"]
    table = table[[*first, *(column for column in table.columns if column not in first)]]
    return BackTest(table, pooled(table), pd.concat(areas, ignore_index=True), pd.DataFrame(models))


def pooled(scores: pd.DataFrame) -> pd.DataFrame:
    """Plain means over origins by target, band, years ahead and method."""
    figures = [column for column in scores.columns if column not in ("target", "origin", "horizon", "method", "band")]
    return scores.groupby(["target", "band", "horizon", "method"], sort=False)[figures].mean().reset_index()


def _returned(actual: pd.DataFrame, origin: int, ahead: int) -> pd.Series:
    return actual[origin].notna() & (actual[origin + ahead] > 0)


def _reasons(history: History, target: Target, actual: pd.DataFrame, origin: int, ahead: int) -> pd.Series:
    """Why an area is not scored; empty = scored."""
    january = origin + ahead
    reasons = pd.Series("", index=actual.index)

    def leave_out(where: pd.Series, why: str) -> None:
        reasons[where & (reasons == "")] = why

    leave_out(pd.Series(actual.index.isin(list(TINY)), index=actual.index), "too small to score")
    leave_out(~_returned(actual, origin, ahead), "not returned")
    leave_out(actual[origin] < target.least, f"fewer than {target.least:g} pupils at the origin")
    broken = dict(BROKEN)
    if target.name in ("special_state", "independent_nm"):
        broken |= BROKEN_PLACEMENTS
        share = history.wide(NOT_RECORDED)[january] / history.wide("ehc_plans")[january]
        leave_out(share > MOST_NOT_RECORDED, f"more than {MOST_NOT_RECORDED:.0%} of placements not recorded")
    for (area, year), why in broken.items():
        if year == january:
            leave_out(pd.Series(actual.index == area, index=actual.index), why)
    return reasons


def _area_rows(target: Target, origin: int, ahead: int, reasons: pd.Series) -> pd.DataFrame:
    rows = pd.DataFrame({"area": reasons.index, "scored": (reasons == "").to_numpy(), "reason": reasons.to_numpy()})
    return rows.assign(target=target.name, band=target.band, origin=origin, horizon=ahead)


def _score(forecast: pd.Series, actual: pd.Series, chosen: pd.Series, interval: tuple[pd.Series, pd.Series] | None) -> dict[str, float]:
    """Errors in percent: mean absolute, weighted absolute, mean signed, of the sum; interval coverage and width."""
    kept = chosen & forecast.notna()
    error, truth = (forecast - actual)[kept], actual[kept]
    share = 100 * error / truth
    score = {
        "mape": float(share.abs().mean()),
        "wape": float(100 * error.abs().sum() / truth.sum()),
        "bias": float(share.mean()),
        "coverage80": float("nan"),
        "bias_of_sum": float(100 * error.sum() / truth.sum()),
        "median_ape": float(share.abs().median()),
        "width80": float("nan"),
        "areas": float(kept.sum()),
    }
    if interval is not None:
        low, high = interval[0][kept], interval[1][kept]
        score["coverage80"] = float(100 * np.mean((truth >= low) & (truth <= high)))
        score["width80"] = float(100 * ((high - low) / forecast[kept]).mean())
    return score
