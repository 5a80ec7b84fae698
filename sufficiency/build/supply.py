"""Supply of all England at the base January: settings, what they are designated for, and who is placed where.

Always fitted for the whole country, also for the case of one council, because pupils cross borders: the settings of a council hold
others' pupils, and its own pupils are in the settings of others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sufficiency.assumptions import Assumptions
from sufficiency.build.designation import (
    GROUP_OF_CELL,
    GROUPS,
    PHASE_CODES,
    PHASE_OF_CELL,
    cell_weights,
    codes,
    covering,
    designations,
    flags,
    group_weights,
    phase_weights,
)
from sufficiency.build.gravity import (
    CELLS,
    Floats,
    Flows,
    Reach,
    balance,
    joined,
    journey_figures,
    main_flows,
    nearest_beyond,
    nearness,
    reach,
    rebalanced,
)
from sufficiency.build.settings import SPECIALIST_KINDS, resourced_provisions, specialist_settings
from sufficiency.travel_sources import EstimateBasis

KINDS: Final = (*SPECIALIST_KINDS, "resourced_provision")
MAY_BE_UNLOCATED: Final = ("non_maintained", "independent_special")
"""Pupils of these categories whom no setting on the map can hold are in an unlocated place of their council."""


@dataclass(frozen=True)
class Supply:
    """Settings of England with the placements fitted to them."""

    settings: pd.DataFrame
    """Columns of settings.COLUMNS and phases; ``held`` pupils of the fit (all England)."""
    placed: pd.DataFrame
    """area_id, setting_id, need_group, phase, pupils."""
    unlocated: pd.DataFrame
    """area_id, kind (unlocated_independent or unlocated_ap), need_group, phase, pupils."""
    figures: Mapping[str, Mapping[str, float]]
    """Kind -> figures of gravity.journey_figures and ``off_roll``, the share of pupils not where the rolls want them."""
    independent_journeys: pd.DataFrame
    """council_code, minutes, km: mean journey of its pupils in independent and non-maintained settings, one way."""


def supply_of_england(
    areas: pd.DataFrame,
    margins: Mapping[str, Floats],
    register: pd.DataFrame,
    assumptions: Assumptions,
    basis: EstimateBasis,
    progress: Callable[[str], None] | None = None,
) -> Supply:
    """Fit the placements of every kind of setting.

    ``areas``: area_id, council_code, easting_m, northing_m, travel_class of all England; ``margins``: category -> pupils [areas, cells] in
    the order of ``areas`` (gravity.residence_margins); ``register``: see gias.register; ``basis``: what journeys are estimated from.
    The pupils of every area and cell hold exactly.
    """
    councils = areas["council_code"].to_numpy()
    resident = {code: margins["resourced_provision"][councils == code].sum(axis=0) for code in np.unique(councils)}
    specialist = specialist_settings(register, {kind: float(margins[kind].sum()) for kind in SPECIALIST_KINDS}, assumptions)
    bases = resourced_provisions(register, resident, assumptions)
    everything = pd.concat([specialist, bases], ignore_index=True)
    fits = []
    for kind in KINDS:
        if progress:
            progress(f"placing pupils: {kind.replace('_', ' ')}")
        own = everything[everything["kind"].eq(kind)].sort_values("setting_id").reset_index(drop=True)
        fits.append(_fit_kind(kind, areas, own, margins[kind], assumptions, basis))
    none_on_map = [_cells(areas, margins["unlocated_ap"], "unlocated_ap"), *(fit.unlocated for fit in fits)]
    unlocated = pd.concat(none_on_map).groupby(["area_id", "kind", "need_group", "phase"])["pupils"].sum().reset_index()
    return Supply(
        settings=pd.concat([fit.settings for fit in fits], ignore_index=True),
        placed=pd.concat([fit.placed for fit in fits], ignore_index=True),
        unlocated=unlocated,
        figures={kind: fit.figures for kind, fit in zip(KINDS, fits, strict=True)},
        independent_journeys=_independent_journeys(areas, [fit for kind, fit in zip(KINDS, fits, strict=True) if kind in MAY_BE_UNLOCATED]),
    )


@dataclass(frozen=True)
class _KindFit:
    settings: pd.DataFrame
    placed: pd.DataFrame
    unlocated: pd.DataFrame
    figures: Mapping[str, float]
    journeys: pd.DataFrame
    """council_code, pupils, minutes, km summed over pupils."""


def _fit_kind(
    kind: str, areas: pd.DataFrame, settings: pd.DataFrame, demand: Floats, assumptions: Assumptions, basis: EstimateBasis
) -> _KindFit:
    journeys = reach(areas, settings, assumptions.table("gravity.reach_min")[kind], basis)
    near = nearness(journeys, assumptions.number("gravity.decay_per_minute"), assumptions.table("gravity.home_preference")[kind])
    keep, least = int(assumptions.table("gravity.kept_settings")[kind]), assumptions.number("gravity.least_share")
    rolls, phases = settings["roll"].to_numpy(dtype=float), phase_weights(settings)
    if kind == "resourced_provision":
        weight = cell_weights(flags(settings["need_groups"], GROUPS).astype(float), phases)
    else:
        prior = cell_weights(group_weights(settings), phases)
        first = main_flows(balance(demand, rolls, prior, near), prior, near, keep, least)
        weight = prior * _designated(first, areas, len(settings))[:, GROUP_OF_CELL]
    fit = balance(demand, rolls, weight, near)
    flows = rebalanced(main_flows(fit, weight, near, keep, least), rolls, len(areas))
    if kind in MAY_BE_UNLOCATED:
        flows, beyond = _within_rolls(flows, rolls, fit.unplaced)
    else:
        flows, beyond = joined([flows, nearest_beyond(fit.unplaced, areas, settings, weight)]), np.zeros_like(demand)
    settings = _as_fitted(settings, flows, weight, assumptions.table("supply.places_per_pupil")[kind])
    figures = {**journey_figures(flows, journeys), "off_roll": _off_roll(flows, rolls), "unlocated": float(beyond.sum())}
    return _KindFit(
        settings, _placed(areas, settings, flows), _cells(areas, beyond, "unlocated_independent"), figures, _summed(areas, flows, journeys)
    )


def _designated(first: Flows, areas: pd.DataFrame, settings: int) -> NDArray[np.bool_]:
    """Groups of each setting, [settings, groups], from the flows of the first fit."""
    council, names = pd.factorize(areas["council_code"])
    shape = (len(names), settings, len(CELLS))
    keys = np.ravel_multi_index((council[first.area], first.setting, first.cell), shape)
    by_council = np.asarray(np.bincount(keys, first.pupils, int(np.prod(shape))), dtype=np.float64).reshape(shape)
    mix = by_council.sum(axis=0)
    by_group = np.stack([mix[:, group == GROUP_OF_CELL].sum(axis=1) for group in range(len(GROUPS))], axis=1)
    return covering(designations(by_group), by_council)


def _within_rolls(flows: Flows, rolls: Floats, unplaced: Floats) -> tuple[Flows, Floats]:
    """The flows cut to the rolls, and the pupils [areas, cells] whom this leaves without a place on the map."""
    held = flows.by_setting(len(rolls))
    share = np.minimum(1.0, np.divide(rolls, held, out=np.ones_like(held), where=held > 0))[flows.setting]
    over = replace(flows, pupils=flows.pupils * (1 - share))
    return replace(flows, pupils=flows.pupils * share), unplaced + over.by_area_cell(len(unplaced))


def _as_fitted(settings: pd.DataFrame, flows: Flows, weight: Floats, places_per_pupil: float) -> pd.DataFrame:
    """The settings with phases and need groups in which they hold (or may hold) pupils, and the roll and places that only the fit gives."""
    shape = (len(settings), len(CELLS))
    mix = np.bincount(flows.setting * len(CELLS) + flows.cell, flows.pupils, shape[0] * shape[1]).reshape(shape)
    takes = (weight > 0) | (mix > 0)
    by_group = np.stack([takes[:, i == GROUP_OF_CELL].any(axis=1) for i in range(len(GROUPS))], axis=1)
    by_phase = np.stack([takes[:, i == PHASE_OF_CELL].any(axis=1) for i in range(len(PHASE_CODES))], axis=1)
    held = flows.by_setting(len(settings))
    roll = settings["roll"].fillna(pd.Series(held))
    return settings.assign(
        need_groups=codes(by_group, GROUPS),
        phases=codes(by_phase, PHASE_CODES),
        roll=roll,
        places=settings["places"].fillna(roll * places_per_pupil),
        held=held,
    )


def _placed(areas: pd.DataFrame, settings: pd.DataFrame, flows: Flows) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "area_id": areas["area_id"].to_numpy()[flows.area],
            "setting_id": settings["setting_id"].to_numpy()[flows.setting],
            "need_group": np.array(GROUPS)[GROUP_OF_CELL[flows.cell]],
            "phase": np.array(PHASE_CODES)[PHASE_OF_CELL[flows.cell]],
            "pupils": flows.pupils,
        }
    )


def _cells(areas: pd.DataFrame, pupils: Floats, kind: str) -> pd.DataFrame:
    """Pupils [areas, cells] of an unlocated kind as rows."""
    area, cell = np.nonzero(pupils > 0)
    return pd.DataFrame(
        {
            "area_id": areas["area_id"].to_numpy()[area],
            "kind": kind,
            "need_group": np.array(GROUPS)[GROUP_OF_CELL[cell]],
            "phase": np.array(PHASE_CODES)[PHASE_OF_CELL[cell]],
            "pupils": pupils[area, cell],
        }
    )


def _off_roll(flows: Flows, rolls: Floats) -> float:
    """Share of the pupils in settings with a known roll who would have to move to meet it."""
    known = ~np.isnan(rolls)
    if not known.any():
        return 0.0
    gap = np.abs(flows.by_setting(len(rolls)) - rolls)[known].sum() / 2
    return float(gap / rolls[known].sum())


def _summed(areas: pd.DataFrame, flows: Flows, journeys: Reach) -> pd.DataFrame:
    """council_code, pupils, and minutes and km times pupils, of flows within reach."""
    minutes, km = journeys.minutes[flows.area, flows.setting], journeys.km[flows.area, flows.setting]
    known = np.isfinite(minutes)
    table = pd.DataFrame({"council_code": areas["council_code"].to_numpy()[flows.area], "pupils": flows.pupils})[known]
    table["minutes"], table["km"] = table["pupils"] * minutes[known], table["pupils"] * km[known]
    return table.groupby("council_code", as_index=False).sum()


def _independent_journeys(areas: pd.DataFrame, fits: list[_KindFit]) -> pd.DataFrame:
    """council_code, minutes, km: means over its pupils; England's mean for a council without any."""
    sums = pd.concat([fit.journeys for fit in fits]).groupby("council_code").sum()
    mean = sums[["minutes", "km"]].div(sums["pupils"], axis=0)
    england = sums[["minutes", "km"]].sum() / sums["pupils"].sum()
    return mean.reindex(np.unique(areas["council_code"])).fillna(england).rename_axis("council_code").reset_index()
