"""The stock-flow (cohort) model: pupils age, leave, move between placements, and new ones enter.

One step from January to January, by council, age, need and placement:

    stock'[a] = stock[a-1] (1 - leaving[a]) moves[a] + m entries[a] residents without a plan'[a] / residents without a plan[a]

``m`` is the council's entry multiplier: in the first three years it makes the council's plans follow their path; after
that its rise above the origin's rate (1), and a council's own deviation from England, fade by a fifth a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sufficiency.demand.levers import Effect, Lever
from sufficiency.demand.population import Population
from sufficiency.demand.rates import AGES, Rates
from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.sources.sen2_history import BANDS, NEEDS

Figures = npt.NDArray[np.float64]

FADING: Final = 0.8
MULTIPLIER_RANGE: Final = (0.2, 5.0)
RESIDENTS_RANGE: Final = (0.3, 2.0)
FIT_ROUNDS: Final = 60
INDEPENDENT: Final = (CATEGORIES.index("independent_special"), CATEGORIES.index("non_maintained"))
FITTED: Final[dict[str, tuple[int, ...]]] = {
    "special_state": (CATEGORIES.index("state_special"),),
    "independent_nm": INDEPENDENT,
    "ap": (CATEGORIES.index("ap"),),
}
"""Placements with a path of their own -> places in CATEGORIES; the other placements share what is left."""
BAND_AGES: Final = tuple(tuple(place for place, age in enumerate(AGES) if low <= age <= high) for low, high in BANDS.values())


@dataclass(frozen=True)
class Targets:
    """Paths of the first years [council, year]: total plans, placements by FITTED, plans by age band."""

    total: Figures
    placements: dict[str, Figures]
    bands: dict[str, Figures]


@dataclass(frozen=True)
class Calibration:
    """What makes the model follow the paths; kept when levers change the future."""

    multiplier: Figures
    """Entry multiplier [year, council]."""
    factors: tuple[Figures, ...]
    """Correction of each cell by year [council, age, need, category]; after the paths end it fades by a fifth a year."""
    path_years: int


def calibrate(rates: Rates, population: Population, targets: Targets, years: int) -> tuple[Figures, Calibration]:
    """The central forecast [year (0 = origin), council, age, need, category] and its calibration."""
    stock, cells = rates.stock, [rates.stock]
    factors: list[Figures] = []
    multipliers: list[Figures] = []
    fitted_years = targets.total.shape[1]
    for year in range(1, years + 1):
        stayed, entering = _step(rates, population, stock, year, ())
        if year <= fitted_years:
            wanted = (targets.total[:, year - 1] - stayed.sum(axis=(1, 2, 3))) / entering.sum(axis=(1, 2, 3))
            multiplier = np.clip(wanted, *MULTIPLIER_RANGE)
            if year == fitted_years:
                england = float((multiplier * entering.sum(axis=(1, 2, 3))).sum() / entering.sum())
        else:
            fade = FADING ** (year - fitted_years)
            multiplier = (1 + (england - 1) * fade) * (multipliers[fitted_years - 1] / england) ** fade
        multipliers.append(multiplier)
        grown = stayed + multiplier[:, None, None, None] * entering
        if year <= fitted_years:
            fitted = _fitted(grown, targets, year - 1)
            factors.append(np.divide(fitted, grown, out=np.ones_like(grown), where=grown > 0))
        else:
            factors.append(factors[fitted_years - 1] ** (FADING ** (year - fitted_years)))
        stock = _corrected(grown, factors[-1])
        cells.append(stock)
    return np.stack(cells), Calibration(np.array(multipliers), tuple(factors), fitted_years)


def _corrected(grown: Figures, factor: Figures) -> Figures:
    """Cells times their correction, each council's total kept."""
    table = grown * factor
    return np.asarray(table * (grown.sum(axis=(1, 2, 3)) / table.sum(axis=(1, 2, 3)))[:, None, None, None])


def project(rates: Rates, population: Population, calibration: Calibration, levers: Sequence[Lever]) -> Figures:
    """The forecast under levers [year (0 = origin), council, age, need, category]."""
    effects = [effect for lever in levers for effect in lever.effects]
    held = any(lever.request_rate == "held" for lever in levers)
    rising = any(lever.request_rate == "rising" for lever in levers)
    growth = sum(lever.growth for lever in levers if lever.request_rate == "rising")
    stock, cells = rates.stock, [rates.stock]
    for year in range(1, len(calibration.multiplier) + 1):
        stayed, entering = _step(rates, population, stock, year, effects)
        multiplier = calibration.multiplier[year - 1]
        if held:
            multiplier = np.ones(len(rates.councils))
        elif rising and year > calibration.path_years:
            multiplier = calibration.multiplier[calibration.path_years - 1] * (1 + growth) ** (year - calibration.path_years)
        stock = _corrected(stayed + multiplier[:, None, None, None] * entering, calibration.factors[year - 1])
        cells.append(stock)
    return np.stack(cells)


def _step(rates: Rates, population: Population, stock: Figures, year: int, effects: Sequence[Effect]) -> tuple[Figures, Figures]:
    """Pupils who stay (aged on and moved) and pupils who enter at the origin's rates, in January origin + ``year``."""
    january = rates.january + year
    of_kind = {kind: [effect for effect in effects if effect.kind == kind] for kind in ("entry", "leaving", "placement", "housing")}
    older = np.zeros_like(stock)
    older[:, 1:] = stock[:, :-1]
    leaving = np.broadcast_to(rates.leaving[:, :, None, None], stock.shape)
    for effect in of_kind["leaving"]:
        leaving = np.where(_where(rates, effect), leaving * (1 + effect.strength(january) * effect.values["change"]), leaving)
    staying = np.einsum("cank,anm->camk", older * (1 - np.clip(leaving, 0.0, 1.0)), rates.recoding, optimize=True)
    moved, unmoved = np.empty_like(stock), np.empty_like(stock)
    diagonal = np.arange(len(CATEGORIES))
    for region in np.unique(rates.region):
        here = rates.region == region
        moved[here] = np.einsum("cank,ankl->canl", staying[here], rates.moves[region], optimize=True)
        unmoved[here] = staying[here] * rates.moves[region][:, :, diagonal, diagonal]
    arriving = moved - unmoved
    entering = rates.entries * _residents(rates, population, stock, january)[:, :, None, None]
    for effect in of_kind["entry"]:
        entering = np.where(_where(rates, effect), entering * (1 + effect.strength(january) * effect.values["change"]), entering)
    for effect in of_kind["housing"]:
        entering, unmoved = _housing(rates, population, effect, january, entering, unmoved)
    for effect in of_kind["placement"]:
        entering = _shifted(rates, effect, entering, effect.values["share"] * effect.strength(january))
        arriving = _shifted(rates, effect, arriving, effect.values["share"] * effect.strength(january))
        if effect.values.get("of", "new") == "all":
            done = effect.values["share"] * effect.strength(january - 1)
            more = effect.values["share"] * effect.strength(january) - done
            unmoved = _shifted(rates, effect, unmoved, more / (1 - done) if done < 1 else 0.0)
    return unmoved + arriving, entering


def _residents(rates: Rates, population: Population, stock: Figures, january: int) -> Figures:
    """Residents without a plan in the January over those at the origin [council, age]; plans are those of a year before."""

    def without_plan(at: int, plans: Figures) -> Figures:
        held = plans.sum(axis=(2, 3))
        return np.asarray(population.at(at)[:, AGES[0] :] - np.concatenate([held[:, :1], held[:, :-1]], axis=1))

    now, base = without_plan(january, stock), without_plan(rates.january, rates.stock)
    return np.asarray(np.clip(np.divide(now, base, out=np.ones_like(now), where=base > 0), *RESIDENTS_RANGE))


def _where(rates: Rates, effect: Effect) -> npt.NDArray[np.bool_]:
    """Cells that an effect concerns [council, age, need, 1]."""
    low, high = effect.values.get("ages", (0, 25))
    needs = effect.values.get("needs", NEEDS)
    councils = effect.values.get("councils", rates.councils)
    by_council = np.isin(np.array(rates.councils), list(councils))
    by_age = np.array([low <= age <= high for age in AGES])
    by_need = np.isin(np.array(NEEDS), list(needs))
    return np.asarray(by_council[:, None, None, None] & by_age[None, :, None, None] & by_need[None, None, :, None])


def _shifted(rates: Rates, effect: Effect, pupils: Figures, share: float) -> Figures:
    """``share`` of the pupils of one placement moved to another, where the effect holds."""
    source, target = CATEGORIES.index(effect.values["from"]), CATEGORIES.index(effect.values["to"])
    leaving = np.where(_where(rates, effect)[..., 0], pupils[..., source] * share, 0.0)
    result = pupils.copy()
    result[..., source] -= leaving
    result[..., target] += leaving
    return result


def _housing(
    rates: Rates, population: Population, effect: Effect, january: int, entering: Figures, unmoved: Figures
) -> tuple[Figures, Figures]:
    """New homes bring residents: they hold plans as others do, and enter as others do."""
    years = min(max(january - effect.values["start"] + 1, 0), effect.values["end"] - effect.values["start"] + 1)
    this_year = 1.0 if effect.values["start"] <= january <= effect.values["end"] else 0.0
    persons = float(effect.values["homes"]) * float(effect.values.get("persons_0_25_per_home", 0.75))
    residents = population.at(rates.january).sum(axis=1)
    here = np.isin(np.array(rates.councils), list(effect.values["councils"]))
    share = np.where(here, persons / residents / max(int(here.sum()), 1), 0.0)[:, None, None, None]
    return entering * (1 + share * years), unmoved * (1 + share * this_year)


def _fitted(grown: Figures, targets: Targets, year: int) -> Figures:
    """Cells fitted to the council's placements and age bands of a year; total, needs and the rest follow.

    Placements without a path share what the others leave; when that is less than nothing the paths are scaled down.
    """
    table = grown.copy()
    total = grown.sum(axis=(1, 2, 3))
    wanted = {name: path[:, year] for name, path in targets.placements.items()}
    room = 0.95 * total / np.maximum(sum(wanted.values()), 1e-9)
    wanted = {name: path * np.minimum(room, 1.0) for name, path in wanted.items()}
    rest = tuple(place for place in range(len(CATEGORIES)) if not any(place in places for places in FITTED.values()))
    groups = [(FITTED[name], path) for name, path in wanted.items()] + [(rest, total - sum(wanted.values()))]
    bands = np.stack([targets.bands[band][:, year] for band in BANDS], axis=1)
    bands = bands * (total / bands.sum(axis=1))[:, None]
    for _ in range(FIT_ROUNDS):
        for place, ages in enumerate(BAND_AGES):
            now = table[:, ages].sum(axis=(1, 2, 3))
            table[:, ages] *= np.divide(bands[:, place], now, out=np.ones_like(now), where=now > 0)[:, None, None, None]
        for places, path in groups:
            now = table[..., places].sum(axis=(1, 2, 3))
            factor = np.divide(path, now, out=np.ones_like(now), where=now > 0)[:, None, None]
            for place in places:
                table[..., place] *= factor
    return np.asarray(table * (total / table.sum(axis=(1, 2, 3)))[:, None, None, None])
