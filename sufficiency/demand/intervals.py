"""How wrong a path may be: errors of earlier origins, by years ahead and size of the council.

Log errors have variance a h^p + c h / Y: council-specific movement that grows with the years ahead h, and count noise
that falls with the pupils Y. Only origins whose targets were published by the origin are used. Part of the error is
shared by all councils (England's growth turns): it is drawn once for everyone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import norm

from sufficiency.demand import rules

Figures = npt.NDArray[np.float64]

COVERAGE: Final = 0.80
ORIGINS: Final = 4
"""Earlier origins that errors are taken from."""
MOST_AHEAD: Final = 3
USUAL_POWER, POWER_SPREAD = 1.4, 0.15
"""Where few errors of two and three years are known, p is drawn to this value (a judgement of the trial)."""
LEAST_NATIONAL_SD: Final = 0.01
NATIONAL_FADING: Final = 0.8
OUTLIER: Final = 0.8
"""Log errors beyond this are broken returns, not forecast errors."""


@dataclass(frozen=True)
class ErrorModel:
    """Spread of a log forecast error."""

    movement: float
    noise: float
    power: float
    scale: float
    """Stretches the normal interval so that it held 80 % of the earlier errors."""
    national_sd: float

    def sd(self, ahead: int, pupils: Figures) -> Figures:
        """Standard deviation of the log error ``ahead`` years on, for councils of these sizes."""
        variance = self.movement * ahead**self.power + self.noise * ahead / np.maximum(pupils, 1.0)
        return np.asarray(self.scale * np.sqrt(variance))

    def national(self, ahead: int) -> float:
        """Part of it that all councils share: shocks to England's growth that fade by a fifth a year."""
        steps = (1 - NATIONAL_FADING ** np.arange(1, ahead + 1)) / (1 - NATIONAL_FADING)
        return float(self.national_sd * np.sqrt((steps**2).sum()))

    def interval(self, central: pd.Series, ahead: int, coverage: float = COVERAGE) -> tuple[pd.Series, pd.Series]:
        """Low and high around the central path, which is the mean of the log-normal spread (so that sums stay unbiased)."""
        sd = self.sd(ahead, central.to_numpy(float))
        middle, reach = np.exp(-(sd**2) / 2), np.exp(norm.ppf(0.5 + coverage / 2) * sd)
        return central * middle / reach, central * middle * reach


def error_model(actual: pd.DataFrame, least: float, origin: int, first: int, path: Callable[[int], pd.DataFrame]) -> ErrorModel:
    """Errors of ``path(earlier origin)`` (areas x years ahead) against ``actual`` (areas x Januaries to ``origin``).

    Only areas of at least ``least`` pupils at the earlier origin count; origins before ``first`` are not used.
    Raises ValueError when there is no earlier origin to learn from.
    """
    ahead, size, error = [], [], []
    for earlier in range(max(origin - ORIGINS, first), origin):
        forecast = path(earlier)
        for h in range(1, min(MOST_AHEAD, origin - earlier) + 1):
            log = pd.Series(np.log((actual[earlier + h] / forecast[h]).where(actual[earlier + h] > 0)))
            good = log.notna() & (actual[earlier] >= least) & (log.abs() < OUTLIER)
            ahead.append(np.full(int(good.sum()), h))
            size.append(forecast[h][good].to_numpy())
            error.append(log[good].to_numpy())
    if not ahead:
        raise ValueError(f"no origin between {first} and {origin} to take errors from")
    return _fitted(np.concatenate(ahead), np.concatenate(size), np.concatenate(error), _national_sd(rules.until(actual, origin), origin))


def _fitted(ahead: npt.NDArray[np.int64], size: Figures, error: Figures, national_sd: float) -> ErrorModel:
    """Greatest likelihood of a, c and p, with heavy tails (t, 4 degrees) and a pull of p to its usual value."""

    def loss(point: Figures) -> float:
        variance = np.exp(point[0]) * ahead ** point[2] + np.exp(point[1]) * ahead / size
        likelihood = 0.5 * np.log(variance) + 2.5 * np.log1p(error**2 / variance / 4)
        return float(likelihood.sum() + 0.5 * ((point[2] - USUAL_POWER) / POWER_SPREAD) ** 2)

    start = np.array([np.log(np.median(error**2) + 1e-6), 0.0, USUAL_POWER])
    best = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-4, "fatol": 1e-4}).x
    movement, noise, power = float(np.exp(best[0])), float(np.exp(best[1])), float(best[2])
    scaled = np.abs(error) / np.sqrt(movement * ahead**power + noise * ahead / size)
    scale = float(np.quantile(scaled, COVERAGE) / norm.ppf(0.5 + COVERAGE / 2))
    return ErrorModel(movement, noise, power, scale, national_sd)


def _national_sd(actual: pd.DataFrame, origin: int) -> float:
    """Standard deviation of the change of England's yearly log growth since the series is comparable."""
    growth = [rules.england_growth(actual, january, 1) for january in range(rules.FIRST + 1, origin + 1)]
    changes = np.diff(growth)
    return max(float(np.sqrt(np.mean(changes**2))) if len(changes) > 1 else 0.0, LEAST_NATIONAL_SD)
