"""The demand forecast: plans by council, age, need and placement ten years ahead, with low, central and high."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from sufficiency.demand import paths
from sufficiency.demand.ap import ap_forecast
from sufficiency.demand.draws import CategoryDraws, draw
from sufficiency.demand.levers import Lever, prices
from sufficiency.demand.own_rates import OwnCounts, with_own_rates
from sufficiency.demand.population import Population, read_population
from sufficiency.demand.rates import AGES, Rates, rates_at
from sufficiency.demand.stockflow import BAND_AGES, FITTED, Targets, calibrate, project
from sufficiency.demand.targets import BY_MEASURE, Forecaster
from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.sources.sen2_history import BANDS, NEEDS
from sufficiency.terms import PHASES

Figures = npt.NDArray[np.float64]

PATH_YEARS: Final = 3
"""Years in which the cells follow the tested paths of totals, placements and age bands."""
LOW, HIGH = 0.10, 0.90
"""Low and high are the ends of the 80 % interval."""
LEAST_PUPILS: Final = 1e-4
"""Cells of fewer pupils in every January are left out of the table."""


@dataclass(frozen=True)
class Forecast:
    """Plans of January ``origin`` and the years after, in pupils. ``central`` is the forecast; low and high hold 80 %.

    The central figures of the councils add up to England's, and so does every draw. Low (high) figures of parts do
    not add up: not every part is low at once.
    """

    origin: int
    januaries: tuple[int, ...]
    councils: tuple[str, ...]
    seed: int
    table: pd.DataFrame
    """council, phase, need, category, january, low, central, high, status. Low and high of a cell add count noise to its category's."""
    by_age: pd.DataFrame
    """council, age, category, january, central, status."""
    totals: pd.DataFrame
    """council (ONS code or England), category (or all), january, low, central, high."""
    ap: pd.DataFrame
    """Pupils in AP with and without a plan: council, provision, january, low, central, high, status."""
    fees: pd.DataFrame
    """What levers say about fees: category, january, factor, cap_gbp."""
    draws: CategoryDraws
    """Draws of every council and category: any quantile of any sum."""
    population: Population
    levers: tuple[Lever, ...]
    notes: tuple[str, ...]

    def quantile(self, q: float) -> pd.DataFrame:
        """Any quantile (0 to 1) by council (and England), category (and all) and January: columns as ``totals``, with ``pupils``."""
        return self.draws.quantiles({"pupils": q})


def forecast(
    data: Path,
    origin: int,
    years: int = 10,
    draws: int = 1000,
    seed: int = 1,
    levers: Sequence[Lever] = (),
    progress: Callable[[str], None] | None = None,
    own: Mapping[str, OwnCounts] | None = None,
) -> Forecast:
    """Forecast from January ``origin``, ``years`` ahead, as ``draws`` draws of a seeded generator.

    ``own``: council -> counts from its person-level returns, which pull that council's rates of leaving, entry and moves.
    Raises InputError for missing files, ValueError when the origin has no needs by council.
    """
    tell = progress or (lambda message: None)
    tell("Reading the releases")
    forecaster = Forecaster.from_data(data)
    rates = rates_at(data, forecaster.history, origin)
    population = read_population(data, rates.councils, range(origin - 1, origin + years))
    tell("Paths of plans, placements and age bands")
    published = rates.stock
    rates, targets, mended = _targets(forecaster, rates)
    tell("Pupils by age, need and placement, year by year")
    for council, counts in (own or {}).items():
        rates = with_own_rates(rates, council, counts)
    cells, calibration = calibrate(rates, population, targets, years)
    if levers:
        cells = project(rates, population, calibration, levers)
    cells[0] = published
    tell(f"{draws} draws")
    drawn = draw(forecaster, rates, cells.sum(axis=(2, 3)), origin, draws, seed)
    tell("Tables")
    totals = drawn.quantiles({"low": LOW, "high": HIGH})
    januaries = tuple(range(origin, origin + years + 1))
    return Forecast(
        origin=origin,
        januaries=januaries,
        councils=rates.councils,
        seed=seed,
        table=_table(cells, rates, drawn, januaries),
        by_age=_by_age(cells, rates, januaries),
        totals=totals[["council", "category", "january", "low", "central", "high"]],
        ap=ap_forecast(data, forecaster.history.councils, totals, januaries, tuple(levers)),
        fees=pd.DataFrame(prices(levers, januaries), columns=["category", "january", "factor", "cap_gbp"]),
        draws=drawn,
        population=population,
        levers=tuple(levers),
        notes=(*rates.notes, f"Residents: {population.rule} ({population.status})", *mended, *_lever_notes(levers)),
    )


def _targets(forecaster: Forecaster, rates: Rates) -> tuple[Rates, Targets, tuple[str, ...]]:
    """Paths by council: the growth of its area on its own completed base; a broken base is raised to the mended one."""
    origin, history = rates.january, forecaster.history
    table = history.councils.set_index("council").loc[list(rates.councils)]
    areas = table["area"].to_numpy()
    failed = paths.broken(history, origin).reindex(areas).to_numpy()

    def path(measure: str, held: Figures) -> Figures:
        target = BY_MEASURE[measure]
        ahead = forecaster.path(target, origin, PATH_YEARS)
        base = history.bands.xs(origin, level="january")[measure] if target.band else paths.base(history, measure, origin)
        base = base.reindex(ahead.index)
        growth = ahead.div(base.where(base > 0), axis=0)
        growth = growth.fillna((ahead.sum() / base.sum()).to_dict())
        level = held if target.band else np.where(failed, base.reindex(areas).to_numpy(), held)
        return np.asarray(growth.loc[areas].to_numpy() * level[:, None])

    total = rates.stock.sum(axis=(1, 2, 3))
    mended = path("ehc_plans", total)
    scale = np.where(failed, paths.base(history, "ehc_plans", origin).reindex(areas).to_numpy() / total, 1.0)
    start = rates.stock * scale[:, None, None, None]
    targets = Targets(
        total=mended,
        placements={name: path(name, start[..., list(places)].sum(axis=(1, 2, 3))) for name, places in FITTED.items()},
        bands={band: path(band, start[:, list(ages)].sum(axis=(1, 2, 3))) for band, ages in zip(BANDS, BAND_AGES, strict=True)},
    )
    notes = tuple(
        f"{name}: the return of January {origin} looks incomplete; the forecast starts from the January before, grown as England grew"
        for name, broken in zip(table["council_name"], failed, strict=True)
        if broken
    )
    return Rates(**{**vars(rates), "stock": start}), targets, notes


def _table(cells: Figures, rates: Rates, drawn: CategoryDraws, januaries: Sequence[int]) -> pd.DataFrame:
    """Council x phase x need x category x January, empty cells left out."""
    phases = list(PHASES)
    sums = np.stack(
        [cells[:, :, [place for place, age in enumerate(AGES) if low <= age <= high]].sum(axis=2) for low, high in PHASES.values()], axis=2
    )
    low, high = drawn.ratios(LOW), drawn.ratios(HIGH)
    kept = np.nonzero(sums.max(axis=0) > LEAST_PUPILS)
    council, phase, need, category = kept
    frames = []
    reach = norm.ppf(HIGH)
    for year, january in enumerate(januaries):
        central = sums[year][kept]
        noise = reach * np.sqrt(year / np.maximum(central, 1.0))
        below = np.hypot(np.log(low[year, council, category]), noise)
        above = np.hypot(np.log(high[year, council, category]), noise)
        frames.append(
            pd.DataFrame(
                {
                    "council": np.array(rates.councils)[council],
                    "phase": np.array(phases)[phase],
                    "need": np.array(NEEDS)[need],
                    "category": np.array(CATEGORIES)[category],
                    "january": january,
                    "low": central * np.exp(-below),
                    "central": central,
                    "high": central * np.exp(above),
                    "status": "derived" if year == 0 else "forecast",
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _by_age(cells: Figures, rates: Rates, januaries: Sequence[int]) -> pd.DataFrame:
    sums = cells.sum(axis=3)
    index = pd.MultiIndex.from_product([januaries, rates.councils, AGES, CATEGORIES], names=["january", "council", "age", "category"])
    table = pd.DataFrame({"central": sums.ravel()}, index=index).reset_index()
    table = table[table["central"] > LEAST_PUPILS]
    return table.assign(status=np.where(table["january"] == januaries[0], "derived", "forecast"))


def _lever_notes(levers: Sequence[Lever]) -> tuple[str, ...]:
    return tuple(f"Scenario: {lever.name}. {lever.description}" for lever in levers)
