"""What is forecast and tested: total plans, placements, age bands; each with its path, simple rules and error model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from sufficiency.demand import paths, rules
from sufficiency.demand.intervals import ErrorModel, error_model
from sufficiency.demand.population import mid_2020
from sufficiency.sources.sen2_history import BANDS, History, read_history


@dataclass(frozen=True)
class Target:
    """A series by area: total plans, placements of a kind, or an age band."""

    name: str
    """Name of the target in the back-test."""
    measure: str
    """Column of the history's stock, or the age band."""
    least: float
    """Pupils at the origin from which an area is scored."""
    first_origin: int
    """First January whose path can be compared (totals before 2019 are not comparable)."""

    @property
    def band(self) -> str:
        return self.measure if self.measure in BANDS else ""


TARGETS: Final = (
    Target("ehc_plans", "ehc_plans", 100, rules.FIRST + 1),
    Target("special_state", "special_state", 20, rules.FIRST),
    Target("independent_nm", "independent_nm", 20, rules.FIRST),
    *(Target("ehc_plans_age_band", band, 20, rules.FIRST + 1) for band in BANDS),
)
AP: Final = Target("ap", "ap", 10, rules.FIRST)
"""Plans placed in AP: forecast with the others, shown as low confidence."""
BY_MEASURE: Final = {target.measure: target for target in (*TARGETS, AP)}


class Forecaster:
    """Paths and error models from one history, each computed once."""

    def __init__(self, history: History, persons: pd.Series) -> None:
        self.history, self.persons = history, persons
        self._paths: dict[tuple[str, int, int], pd.DataFrame] = {}

    @classmethod
    def from_data(cls, data: Path) -> Forecaster:
        """Reads the releases and the residents of the data folder. Raises InputError."""
        history = read_history(data)
        councils = history.councils
        by_council = mid_2020(data, list(councils["council"])).sum(axis=1)
        return cls(history, pd.Series(by_council, index=councils["area"].to_numpy()).groupby(level=0).sum())

    def actual(self, target: Target) -> pd.DataFrame:
        """What was counted: areas x Januaries."""
        return self.history.wide_band(target.measure) if target.band else self.history.wide(target.measure)

    def path(self, target: Target, origin: int, horizons: int) -> pd.DataFrame:
        """Central path of a target: areas x years ahead, from what was published by the origin."""
        key = (target.measure, origin, horizons)
        if key not in self._paths:
            if target.measure == "ehc_plans":
                self._paths[key] = paths.total_path(self.history, self.persons, origin, horizons)
            elif target.band:
                bands = paths.band_paths(self.history, self.path(BY_MEASURE["ehc_plans"], origin, horizons), origin)
                self._paths |= {(band, origin, horizons): path for band, path in bands.items()}
            else:
                totals = self.path(BY_MEASURE["ehc_plans"], origin, horizons)
                self._paths[key] = paths.placement_path(self.history, target.measure, totals, origin)
        return self._paths[key]

    def errors(self, target: Target, origin: int) -> ErrorModel:
        """Error model of a target from origins before ``origin``."""
        known = rules.until(self.actual(target), origin)
        return error_model(known, target.least, origin, target.first_origin, lambda earlier: self.path(target, earlier, 3))
