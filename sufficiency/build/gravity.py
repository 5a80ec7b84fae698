"""Who is placed where: a doubly constrained gravity fit of placements to settings, England-wide.

Releases say how many pupils of a council are placed in a category of setting; the register says how many pupils a setting has.
Between the two stands the most even pattern that keeps both margins:

    T[a, c, s] = A[a, c] * B[s] * W[s, c] * exp(-beta * minutes[a, s]) * (home if council(a) != council(s) else 1)

a: area of residence, c: need group and phase, s: setting. W is 0 where the setting does not take the pupils, and otherwise says how much
its name, ages and need types speak for them. A keeps the pupils of every area and cell (exactly), B the roll of every setting (as nearly
as the map allows). T is never written out: two matrix products per round are enough, because A, B and W do not depend on the pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.estimate import estimated_journeys
from sufficiency.terms import GROUP_OF_NEED, NEED_GROUPS, PHASES
from sufficiency.travel_sources import EstimateBasis

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

CELLS: Final = tuple((group, phase) for group in NEED_GROUPS for phase in PHASES)
"""Need group and phase of every column of a margin."""

ROUNDS: Final = 80
CLOSE_ENOUGH: Final = 0.002
"""The rolls count as kept when this share of the pupils, at most, is in another setting."""

FREEDOM: Final = 1e4
"""A balancing factor moves from the roll by this factor at most: a setting that nobody can reach must not swallow the map."""

TWENTY_MILES_KM: Final = 32.2


@dataclass(frozen=True)
class Reach:
    """Journeys between all areas and the settings of a category; minutes are infinite beyond the limit."""

    minutes: Singles
    """[areas, settings], one way."""
    km: Singles
    home: NDArray[np.bool_]
    """[areas, settings]: the setting stands in the council of residence."""


@dataclass(frozen=True)
class Balance:
    """Balancing factors of a fit and how well the margins hold."""

    by_cell: Floats
    """A, [areas, cells]."""
    by_setting: Floats
    """B, [settings]."""
    held: Floats
    """Pupils in each setting."""
    unplaced: Floats
    """[areas, cells]: pupils for whom no setting is in reach."""


@dataclass(frozen=True)
class Flows:
    """Pupils by area, cell and setting, as positions in the arrays of the fit; one entry per combination."""

    area: Ints
    cell: Ints
    setting: Ints
    pupils: Floats

    def by_setting(self, settings: int) -> Floats:
        """Pupils held by each setting."""
        return _sums(self.setting, self.pupils, settings)

    def by_area_cell(self, areas: int) -> Floats:
        """Pupils placed by area and cell, [areas, cells]."""
        keys = self.area * len(CELLS) + self.cell
        return _sums(keys, self.pupils, areas * len(CELLS)).reshape(areas, len(CELLS))


def residence_margins(placements: pd.DataFrame, shares: pd.DataFrame, area_ids: pd.Index) -> dict[str, Floats]:
    """Pupils by area and cell for every category: the council's pupils spread over its areas by their shares.

    ``placements``: council_code, need, phase, category, pupils; ``shares``: area_id, council_code, phase, share.
    Returns category -> [areas, cells] in pupils, rows in the order of ``area_ids``.
    Raises ValueError when an area is unknown or pupils get lost.
    """
    wanted = placements[placements["pupils"].gt(0)]
    categories = sorted(set(wanted["category"]))
    wide = wanted.pivot_table(index=["council_code", "need", "phase"], columns="category", values="pupils", aggfunc="sum", fill_value=0.0)
    spread = wide.reset_index().merge(shares, on=["council_code", "phase"])
    row = area_ids.get_indexer(pd.Index(spread["area_id"]))
    if (row < 0).any():
        raise ValueError(f"areas of the shares are not in the areas table: {sorted(set(spread['area_id'][row < 0]))[:5]}")
    cells = pd.MultiIndex.from_tuples(CELLS)
    column = cells.get_indexer(pd.MultiIndex.from_arrays([spread["need"].map(GROUP_OF_NEED), spread["phase"]]))
    keys = row * len(CELLS) + column
    margins = {}
    for category in categories:
        pupils = spread[category].to_numpy() * spread["share"].to_numpy()
        margins[category] = _sums(keys, pupils, len(area_ids) * len(CELLS)).reshape(len(area_ids), len(CELLS))
        if not np.isclose(margins[category].sum(), wide[category].sum(), rtol=1e-6):
            raise ValueError(
                f"pupils in {category} get lost between council and area: {wide[category].sum():.1f} and {margins[category].sum():.1f}"
            )
    return margins


def reach(areas: pd.DataFrame, settings: pd.DataFrame, limit_min: float, basis: EstimateBasis) -> Reach:
    """Estimated journeys from every area (area_id, council_code, easting_m, northing_m, travel_class) to every setting within the limit."""
    sites = settings[["setting_id", "easting_m", "northing_m"]].rename(columns={"setting_id": "site_id"})
    here = areas[["area_id", "easting_m", "northing_m", "travel_class"]]
    pairs = estimated_journeys(here, sites, limit_min, basis.land, basis.landmarks)
    shape = (len(areas), len(settings))
    row = pd.Index(areas["area_id"]).get_indexer(pairs["area_id"])
    column = pd.Index(settings["setting_id"]).get_indexer(pairs["site_id"])
    minutes, km = np.full(shape, np.inf, dtype=np.float32), np.full(shape, np.inf, dtype=np.float32)
    minutes[row, column] = pairs["minutes"].to_numpy()
    km[row, column] = pairs["km"].to_numpy()
    home = areas["council_code"].to_numpy()[:, None] == settings["council_code"].to_numpy()[None, :]
    return Reach(minutes, km, home)


def nearness(journeys: Reach, beta: float, home_preference: float) -> Singles:
    """exp(-beta * minutes), times ``home_preference`` outside the council of residence; 0 beyond reach."""
    near: Singles = np.exp(-np.float32(beta) * journeys.minutes)
    near[~journeys.home] *= np.float32(home_preference)
    return near


def balance(demand: Floats, rolls: Floats, weight: Floats, near: Singles, rounds: int = ROUNDS) -> Balance:
    """Fit the two sets of factors by turns, ending on the pupils of the areas, which therefore hold exactly.

    ``demand`` [areas, cells] and ``rolls`` [settings] in pupils, ``weight`` [settings, cells], ``near`` [areas, settings].
    A setting whose roll is NaN takes what comes, in proportion to its weight alone.
    """
    free = np.isnan(rolls)
    target = np.where(free, 1.0, rolls)
    by_setting = target.copy()
    for _ in range(rounds):
        by_cell, unplaced = _area_factors(demand, by_setting, weight, near)
        held = _held(by_cell, by_setting, weight, near)
        off = np.abs(held - target)[~free].sum()
        if off <= CLOSE_ENOUGH * max(target[~free].sum(), 1e-12):
            break
        step = np.divide(target, held, out=np.ones_like(target), where=(held > 0) & ~free)
        by_setting = np.clip(by_setting * step, target / FREEDOM, target * FREEDOM)
    by_cell, unplaced = _area_factors(demand, by_setting, weight, near)
    return Balance(by_cell, by_setting, _held(by_cell, by_setting, weight, near), unplaced)


def _area_factors(demand: Floats, by_setting: Floats, weight: Floats, near: Singles) -> tuple[Floats, Floats]:
    pull = (near @ (weight * by_setting[:, None]).astype(np.float32)).astype(np.float64)
    within = pull > 0
    return np.divide(demand, pull, out=np.zeros_like(demand), where=within), np.where(within, 0.0, demand)


def _held(by_cell: Floats, by_setting: Floats, weight: Floats, near: Singles) -> Floats:
    reached = (near.T @ by_cell.astype(np.float32)).astype(np.float64)
    return np.asarray(by_setting * (weight * reached).sum(axis=1))


def main_flows(fit: Balance, weight: Floats, near: Singles, keep: int, least_share: float) -> Flows:
    """The fit as flows: for each area and cell the ``keep`` largest, without those under ``least_share``, scaled up to its pupils."""
    placed = fit.by_cell > 0
    areas: list[Ints] = []
    cells: list[Ints] = []
    settings: list[Ints] = []
    pupils: list[Floats] = []
    for cell in np.flatnonzero(placed.any(axis=0)):
        rows = np.flatnonzero(placed[:, cell])
        pull = near[rows] * (fit.by_setting * weight[:, cell]).astype(np.float32)
        total = pull.sum(axis=1, dtype=np.float64) * fit.by_cell[rows, cell]
        few = min(keep, pull.shape[1])
        top = np.argpartition(pull, -few, axis=1)[:, -few:]
        share = np.take_along_axis(pull, top, axis=1).astype(np.float64)
        share /= share.sum(axis=1, keepdims=True)
        share[(share < least_share) & (share < share.max(axis=1, keepdims=True))] = 0.0
        share /= share.sum(axis=1, keepdims=True)
        i, j = np.nonzero(share)
        areas.append(rows[i])
        cells.append(np.full(len(i), cell))
        settings.append(top[i, j])
        pupils.append(share[i, j] * total[i])
    if not areas:
        none = np.empty(0, dtype=np.int64)
        return Flows(none, none, none, np.empty(0))
    return Flows(np.concatenate(areas), np.concatenate(cells), np.concatenate(settings), np.concatenate(pupils))


def rebalanced(flows: Flows, rolls: Floats, areas: int, rounds: int = ROUNDS) -> Flows:
    """The flows scaled by turns to the rolls and to their own totals by area and cell, which hold exactly at the end."""
    keys = flows.area * len(CELLS) + flows.cell
    wanted = _sums(keys, flows.pupils, areas * len(CELLS))
    pupils = flows.pupils.copy()
    fixed = ~np.isnan(rolls)
    for _ in range(rounds):
        held = _sums(flows.setting, pupils, len(rolls))
        step = np.divide(rolls, held, out=np.ones_like(rolls), where=fixed & (held > 0))
        pupils *= step[flows.setting]
        now = _sums(keys, pupils, areas * len(CELLS))
        pupils *= np.divide(wanted, now, out=np.zeros_like(wanted), where=now > 0)[keys]
    return Flows(flows.area, flows.cell, flows.setting, pupils)


def nearest_beyond(unplaced: Floats, areas: pd.DataFrame, settings: pd.DataFrame, weight: Floats) -> Flows:
    """Pupils without a setting in reach, at the nearest one (straight line) that takes them, or the nearest of all when none does."""
    area, cell = np.nonzero(unplaced > 0)
    here = areas[["easting_m", "northing_m"]].to_numpy(dtype=float)[area]
    there = settings[["easting_m", "northing_m"]].to_numpy(dtype=float)
    setting = np.empty(len(area), dtype=np.int64)
    for i, (point, c) in enumerate(zip(here, cell, strict=True)):
        takes = np.flatnonzero(weight[:, c] > 0)
        takes = takes if len(takes) else np.arange(len(there))
        setting[i] = takes[np.argmin(np.hypot(*(there[takes] - point).T))]
    return Flows(area, cell, setting, unplaced[area, cell])


def joined(parts: list[Flows]) -> Flows:
    """Flows of several parts as one, entries of the same combination added up."""
    frame = pd.DataFrame({name: np.concatenate([getattr(part, name) for part in parts]) for name in ("area", "cell", "setting", "pupils")})
    sums = frame.groupby(["area", "cell", "setting"])["pupils"].sum().reset_index()
    return Flows(sums["area"].to_numpy(), sums["cell"].to_numpy(), sums["setting"].to_numpy(), sums["pupils"].to_numpy(dtype=float))


def journey_figures(flows: Flows, journeys: Reach) -> Mapping[str, float]:
    """What a fit says about journeys: pupils, those outside their council and their share, mean and median minutes, mean km, and the
    pupils outside at 20 miles or more.

    Flows beyond the limit of the journeys count as outside reach and are left out of the minutes.
    """
    minutes = journeys.minutes[flows.area, flows.setting].astype(np.float64)
    km = journeys.km[flows.area, flows.setting].astype(np.float64)
    outside = ~journeys.home[flows.area, flows.setting]
    known = np.isfinite(minutes)
    order = np.argsort(minutes[known])
    weight = flows.pupils[known]
    cumulated = np.cumsum(weight[order])
    total = float(flows.pupils.sum())
    return {
        "pupils": total,
        "outside": float(flows.pupils[outside].sum()),
        "outside_share": float(flows.pupils[outside].sum() / total) if total else 0.0,
        "mean_min": float(np.average(minutes[known], weights=weight)) if known.any() else 0.0,
        "median_min": float(minutes[known][order][np.searchsorted(cumulated, cumulated[-1] / 2)]) if known.any() else 0.0,
        "mean_km": float(np.average(km[known], weights=weight)) if known.any() else 0.0,
        "outside_20_miles": float(flows.pupils[outside & (km >= TWENTY_MILES_KM)].sum()),
    }


def _sums(keys: Ints, weights: Floats, length: int) -> Floats:
    return np.asarray(np.bincount(keys, weights, length), dtype=np.float64)
