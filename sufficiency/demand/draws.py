"""Draws of the forecast: how far councils and England may be from the central path, together.

Total plans, state special, independent and AP placements have error models fitted on earlier origins. A draw adds a
shock that all councils share and one of each council's own, both growing year by year; independent placements take
half of the council's shock of total plans, as their path does. The other placements share what the drawn total
leaves, with a spread of their own from the last step. Draws add up over councils and placements by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sufficiency.demand.intervals import ErrorModel
from sufficiency.demand.paths import PLACEMENTS
from sufficiency.demand.rates import Rates
from sufficiency.demand.stockflow import FITTED
from sufficiency.demand.targets import BY_MEASURE, Forecaster
from sufficiency.sources.ehc_plans import CATEGORIES

Figures = npt.NDArray[np.float64]
Draws = npt.NDArray[np.float32]

LEAST_OWN: Final = 0.2
"""Least share of the variance of a council's error that is its own."""
LEAST_REST: Final = 0.3
"""Drawn placements without a path can't fall below this share of their central figure."""
LEAST_RATIO: Final = 1e-3
SHARE_SD: Final = 0.08
SHARE_POWER: Final = 0.7
"""Log spread of a placement's share of the rest after one year, and how it grows (an assumption: one comparable step exists)."""
ALL: Final = "all"
ENGLAND: Final = "England"


@dataclass(frozen=True)
class CategoryDraws:
    """Pupils [council, category, year (0 = origin), draw] and their central figures [year, council, category]."""

    councils: tuple[str, ...]
    origin: int
    pupils: Draws
    central: Figures

    def ratios(self, q: float) -> Figures:
        """Quantile over central [year, council, category]; 1 where there are no pupils."""
        quantile = np.quantile(self.pupils, q, axis=3).transpose(2, 0, 1)
        ratio = np.divide(quantile, self.central, out=np.ones_like(self.central), where=self.central > 0)
        ratio[0] = 1.0
        return np.asarray(np.maximum(ratio, LEAST_RATIO))

    def quantiles(self, wanted: Mapping[str, float]) -> pd.DataFrame:
        """Named quantiles by council (and England), category (and all) and January, with the central figure."""
        names = [*CATEGORIES, ALL]
        parts: list[pd.DataFrame] = []
        by_council = np.concatenate([self.pupils, self.pupils.sum(axis=1, keepdims=True)], axis=1)
        central = np.concatenate([self.central, self.central.sum(axis=2, keepdims=True)], axis=2)
        for codes, drawn, middle in (
            (list(self.councils), by_council, central),
            ([ENGLAND], by_council.sum(axis=0, keepdims=True), central.sum(axis=1, keepdims=True)),
        ):
            years = range(self.origin, self.origin + drawn.shape[2])
            index = pd.MultiIndex.from_product([codes, names, years], names=["council", "category", "january"])
            values = np.quantile(drawn, list(wanted.values()), axis=3)
            columns = {name: values[place].ravel() for place, name in enumerate(wanted)}
            columns["central"] = middle.transpose(1, 2, 0).ravel()
            parts.append(pd.DataFrame(columns, index=index).reset_index())
        return pd.concat(parts, ignore_index=True)


def draw(forecaster: Forecaster, rates: Rates, central: Figures, origin: int, draws: int, seed: int) -> CategoryDraws:
    """Draws around ``central`` [year, council, category]; the origin itself is certain."""
    random = np.random.default_rng(seed)
    years, councils, _ = central.shape
    models = {measure: forecaster.errors(BY_MEASURE[measure], origin) for measure in ("ehc_plans", *FITTED)}
    total = central.sum(axis=2)
    shock = _shocks(models["ehc_plans"], total, draws, random)
    whole = _mean_one(shock)
    pupils = np.empty((councils, len(CATEGORIES), years, draws), dtype=np.float32)
    used = np.zeros((councils, years, draws), dtype=np.float32)
    for measure, places in FITTED.items():
        own = central[:, :, list(places)].sum(axis=2)
        error = _shocks(models[measure], own, draws, random)
        follows = PLACEMENTS[measure].of_total
        if follows:
            error = _mixed(error, shock, follows)
        error = _mean_one(error)
        for place in places:
            pupils[:, place] = central[:, :, place].T[..., None] * np.exp(error)
            used += pupils[:, place]
    rest = [place for place in range(len(CATEGORIES)) if not any(place in places for places in FITTED.values())]
    middle = central[:, :, rest].sum(axis=2).T[..., None]
    left = np.maximum(total.T[..., None] * np.exp(whole) - used, LEAST_REST * middle)
    spread = SHARE_SD * np.arange(years) ** SHARE_POWER
    weights = np.stack(
        [central[:, :, place].T[..., None] * np.exp(spread[:, None] * random.standard_normal((councils, years, draws))) for place in rest]
    )
    share = weights / np.maximum(weights.sum(axis=0), 1e-12)
    for number, place in enumerate(rest):
        pupils[:, place] = left * share[number]
    return CategoryDraws(rates.councils, origin, pupils, central)


def _shocks(model: ErrorModel, central: Figures, draws: int, random: np.random.Generator) -> Draws:
    """Log errors [council, year, draw]: shared and own steps, each year's spread that of the error model."""
    years, councils = central.shape
    whole, shared = np.zeros((years, councils)), np.zeros(years)
    for year in range(1, years):
        whole[year] = model.sd(year, central[year]) ** 2
        shared[year] = model.national(year) ** 2
    share = np.minimum(shared[:, None], (1 - LEAST_OWN) * whole)
    own = np.maximum.accumulate(whole - share, axis=0)
    steps = np.sqrt(np.maximum(np.diff(own, axis=0, prepend=own[:1]), 0.0))
    errors = np.cumsum(steps.T[..., None] * random.standard_normal((councils, years, draws)), axis=1)
    national = np.cumsum(np.sqrt(np.diff(shared, prepend=0.0))[:, None] * random.standard_normal((years, draws)), axis=0)
    reach = np.sqrt(np.divide(share, shared[:, None], out=np.zeros_like(share), where=shared[:, None] > 0))
    return np.asarray(errors + reach.T[..., None] * national[None], dtype=np.float32)


def _mixed(error: Draws, shock: Draws, follows: float) -> Draws:
    """An error of the same spread that moves with the shock of total plans."""
    spread = error.std(axis=2, keepdims=True)
    common = np.minimum(follows * shock.std(axis=2, keepdims=True), 0.9 * spread)
    scale = np.divide(common, shock.std(axis=2, keepdims=True), out=np.zeros_like(common), where=shock.std(axis=2, keepdims=True) > 0)
    rest = np.sqrt(np.maximum(1 - np.divide(common, spread, out=np.zeros_like(common), where=spread > 0) ** 2, 0.0))
    return np.asarray(rest * error + scale * shock, dtype=np.float32)


def _mean_one(error: Draws) -> Draws:
    """Shifted so that the mean of exp(error) is 1: the central path is the mean, and sums of draws stay around it."""
    return np.asarray(error - error.var(axis=2, keepdims=True) / 2, dtype=np.float32)
