"""Paths of a council's totals: plans, placements and age bands, one to three years ahead and beyond.

Each path is England's growth on the council's own base, moved by what is known of the council and is not noise:
how many requests and new plans it has for its size, its own recent trend, and where it stands.
Everything here works on areas (one boundary set) and on what was published by the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from statsmodels.regression.linear_model import OLS

from sufficiency.demand import rules
from sufficiency.sources.ehc_plans import NOT_RECORDED
from sufficiency.sources.sen2_history import BANDS, History

HELD_YEARS: Final = 3
"""Years for which England's growth is held; no damping inside three years could be found in the data."""


@dataclass(frozen=True)
class TotalSettings:
    """How total plans are forecast. Settled on Januaries to 2021 (leave-one-out on 2020 to 2021) or beforehand."""

    england_years: int = 2
    ridge: float = 20.0
    fading: float = 0.8
    """Share of a council's deviation from England's growth that lasts into the next year (fixed beforehand)."""
    most_deviation: float = 0.2
    features: tuple[str, ...] = ("own_growth", "requests", "new_plans", "plans_per_head")


@dataclass(frozen=True)
class PlacementSettings:
    """How placements of one kind are forecast; tuned on origins 2018 to 2020 with targets to 2021."""

    england_years: tuple[int, ...]
    """Windows of England's growth, averaged; 99 = all years since 2015."""
    own_weight: float
    own_years: int = 3
    fading: float = 0.8
    enough: float = 100.0
    """Pupils at which a council's own trend counts half (pooling towards England)."""
    return_to_mean: float = 0.0
    """Share of a council's log relative share that it loses a year."""
    of_total: float = 0.0
    """Share of the deviation of the council's total plans that placements follow."""


TOTAL: Final = TotalSettings()
PLACEMENTS: Final[dict[str, PlacementSettings]] = {
    "special_state": PlacementSettings(england_years=(99,), own_weight=0.2),
    "independent_nm": PlacementSettings(england_years=(3, 4, 5), own_weight=0.15, return_to_mean=0.03, of_total=0.5),
    "ap": PlacementSettings(england_years=(3,), own_weight=0.0),
}
FIRST_PLACEMENTS: Final = 2015
MOST_NOT_RECORDED: Final = 0.10
"""Where more placements are not recorded, the count is raised as if they were like the recorded ones."""
BROKEN_GROWTH: Final = 0.4
"""A base January whose log growth is further than this from England's is taken for an incomplete return."""
OWN_CLIP: Final = 0.3
FEW: Final = 5.0


def base(history: History, measure: str, origin: int) -> pd.Series:
    """The count at the origin, mended where it was not returned, is broken or largely not recorded."""
    wide = history.wide(measure)
    count = wide[origin].copy()
    if measure != "ehc_plans":
        share = (history.wide(NOT_RECORDED)[origin] / history.wide("ehc_plans")[origin]).fillna(0.0)
        count = count.where(share <= MOST_NOT_RECORDED, count / (1 - share.clip(upper=0.9)))
    expected = wide[origin - 1] * np.exp(rules.england_growth(wide, origin, 1))
    count = count.where(~broken(history, origin), expected)
    return count.fillna(expected)


def broken(history: History, origin: int) -> pd.Series:
    """Areas whose plans at the origin moved so far from England's growth that the return must be incomplete."""
    wide = history.wide("ehc_plans")
    growth = pd.Series(np.log(wide[origin] / wide[origin - 1])) - rules.england_growth(wide, origin, 1)
    return growth.abs() > BROKEN_GROWTH


def deviation(values: pd.Series, weight: pd.Series) -> pd.Series:
    """Values less their mean over England (weighted); 0 where unknown."""
    known = values.notna() & weight.notna()
    return (values - float(np.average(values[known], weights=weight[known]))).fillna(0.0)


def features(history: History, persons: pd.Series, january: int, settings: TotalSettings = TOTAL) -> pd.DataFrame:
    """What is known of each area in a January, as deviations from England (flows are those of the year before)."""
    wide = history.wide("ehc_plans")
    plans = wide[january]
    years = rules.window(january, 3, rules.FIRST)
    flows = history.flows.xs(january - 1, level="year") if january - 1 in history.flows.index.get_level_values("year") else None
    unknown = pd.Series(np.nan, index=plans.index)
    requests = unknown if flows is None else flows["requests"].reindex(plans.index)
    new = unknown if flows is None else flows["new_plans"].reindex(plans.index)
    known = {
        "own_growth": deviation(rules.own_growth(wide, january, years), plans) if january > rules.FIRST else plans * 0.0,
        "requests": deviation(requests / plans, plans) if requests.notna().any() else plans * 0.0,
        "new_plans": deviation(new / plans, plans) if new.notna().any() else plans * 0.0,
        "plans_per_head": deviation(plans / persons.reindex(plans.index), persons.reindex(plans.index)),
    }
    return pd.DataFrame(known)[list(settings.features)].fillna(0.0)


def total_path(history: History, persons: pd.Series, origin: int, horizons: int, settings: TotalSettings = TOTAL) -> pd.DataFrame:
    """Total plans: rows areas, columns 1 to ``horizons``.

    log F(h) = log Y + h G + (1 + f + .. + f^(h-1)) b.x, with G England's log growth a year, x the features and b a ridge
    regression of one-year growth on them, pooled over areas and over all years up to the origin.
    """
    history = history.until(origin)
    wide = history.wide("ehc_plans")
    growth = rules.england_growth(wide, origin, rules.window(origin, settings.england_years, rules.FIRST))
    moved = _regression(history, persons, origin, settings)
    count = base(history, "ehc_plans", origin)
    fade = np.cumsum(settings.fading ** np.arange(horizons))
    return pd.DataFrame({h: count * np.exp(h * growth + fade[h - 1] * moved) for h in range(1, horizons + 1)})


def _regression(history: History, persons: pd.Series, origin: int, settings: TotalSettings) -> pd.Series:
    """Each area's expected deviation of next year's log growth from England's."""
    wide = history.wide("ehc_plans")
    seen, grown = [], []
    for january in range(rules.FIRST + 1, origin):
        growth = deviation(pd.Series(np.log(wide[january + 1] / wide[january])), wide[january])
        seen.append(features(history, persons, january, settings))
        grown.append(growth.clip(-settings.most_deviation, settings.most_deviation))
    now = features(history, persons, origin, settings)
    if not seen:
        return now.iloc[:, 0] * 0.0
    known = pd.concat(seen)
    spread = known.std().where(lambda s: s > 0, 1.0)
    x = (known / spread).clip(-4, 4).to_numpy()
    slopes = OLS(pd.concat(grown).to_numpy(), x).fit_regularized(alpha=settings.ridge / len(x), L1_wt=0.0).params
    return pd.Series((now / spread).clip(-4, 4).to_numpy() @ slopes, index=now.index)


def placement_path(
    history: History, measure: str, totals: pd.DataFrame, origin: int, settings: PlacementSettings | None = None
) -> pd.DataFrame:
    """Placements of one kind: rows areas, columns as ``totals`` (the paths of total plans).

    log F(h) = log Y + h G + w Y/(Y+k) (1 + f + ..) own trend - r h log relative share + t deviation of total plans.
    """
    history = history.until(origin)
    settings = settings or PLACEMENTS[measure]
    wide, plans = history.wide(measure), history.wide("ehc_plans")[origin]
    count = base(history, measure, origin)
    windows = [rules.window(origin, years, FIRST_PLACEMENTS) for years in settings.england_years]
    growth = float(np.mean([rules.england_growth(wide, origin, years) for years in windows]))
    own = rules.own_growth(wide, origin, rules.window(origin, settings.own_years, FIRST_PLACEMENTS))
    own = deviation(own.where(wide[origin] > 0), wide[origin]).clip(-OWN_CLIP, OWN_CLIP) * count / (count + settings.enough)
    standing = np.log((count + FEW) / (plans * count.sum() / plans.sum() + FEW))
    fade = np.cumsum(settings.fading ** np.arange(len(totals.columns)))
    path = {}
    for place, h in enumerate(totals.columns.to_numpy(int)):
        follows = deviation(pd.Series(np.log(totals[h] / plans)), plans)
        moved = settings.own_weight * fade[place] * own - settings.return_to_mean * h * standing + settings.of_total * follows
        path[h] = count * np.exp(h * growth + moved)
    return pd.DataFrame(path)


def band_paths(history: History, totals: pd.DataFrame, origin: int, years: int = 2) -> dict[str, pd.DataFrame]:
    """Plans by age band: each band keeps a share and takes in a share of the band below, scaled to the total.

    The shares are non-negative least squares over all areas and the last ``years`` steps before the origin; new plans
    are in them, since both grow together.
    """
    history = history.until(origin)
    bands = {
        january: pd.DataFrame(history.bands.xs(january, level="january")).reindex(totals.index)
        for january in range(origin - years, origin + 1)
    }
    step = _band_step(bands, origin, years)
    now = bands[origin].to_numpy()
    paths: dict[str, dict[int, pd.Series]] = {band: {} for band in BANDS}
    for h in totals.columns.to_numpy(int):
        now = now @ step.T
        now = now * (totals[h].to_numpy() / now.sum(axis=1))[:, None]
        for place, band in enumerate(BANDS):
            paths[band][h] = pd.Series(now[:, place], index=totals.index)
    return {band: pd.DataFrame(path) for band, path in paths.items()}


def _band_step(bands: dict[int, pd.DataFrame], origin: int, years: int) -> np.ndarray:
    """Band x band below or same: pupils next January per pupil now, areas weighted by one over their pupils."""
    step = np.zeros((len(BANDS), len(BANDS)))
    before = np.vstack([bands[january].to_numpy() for january in range(origin - years, origin)])
    after = np.vstack([bands[january + 1].to_numpy() for january in range(origin - years, origin)])
    complete = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    for place in range(len(BANDS)):
        sources = [place - 1, place] if place else [place]
        weight = 1 / np.sqrt(np.maximum(before[complete, place], FEW))
        step[place, sources] = nnls(before[complete][:, sources] * weight[:, None], after[complete, place] * weight)[0]
    return step
