"""Plans of each council by need, age and category of placement, completed: the table behind everything on the demand side.

The release of January 2025 prints three faces of that table (category x age, category x need, need x age); it is fitted to them.
Other Januaries print fewer faces; the mixes of January 2025 are carried to them. Every figure here is derived.
Arrays are indexed [council, need, age group, category] in the order of ``Axes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.build.fitting import Figures, fit, shares
from sufficiency.sources import ehc_plans
from sufficiency.sources.boundaries import SUCCESSORS, councils
from sufficiency.sources.ehc_plans import CATEGORIES, NOT_RECORDED

NEEDS = tuple(need for need in ehc_plans.NEED_COLUMNS.values() if need != "unknown")
AGE_GROUPS = ("0-4", "5-10", "11-15", "16-18", "19", "20-25")
"""Finest groups common to single ages and the bands published to 2023 (16 to 19, 20 to 25)."""
LAST_AGE = (4, 10, 15, 18, 19, 25)
BANDS = ("Under 5", "Age 5 to 10", "Age 11 to 15", "Age 16 to 19", "Age 20 to 25")
BAND_OF_GROUP = (0, 1, 2, 3, 3, 4)
JANUARIES = (2022, 2023, 2024, 2025)
"""Januaries that can be completed; the last is the one with needs, the last two have single ages."""
TOLERANCE = 0.02
"""Pupils by which a fitted need total may differ from the printed one (category x age holds exactly)."""
BACKGROUND = 1e-6
"""Weight of England's mix in a council's seed, so that a category new to a council can be filled."""


@dataclass(frozen=True)
class Printed:
    """Faces of January 2025 by council; NaN = not available. The last need is unknown, the last category not recorded."""

    category_age: Figures
    need_category: Figures
    need_age: Figures
    need: Figures


def completed(data: Path, january: int) -> Figures:
    """Completed plans [council, need, age group, category] of one of ``JANUARIES``; councils in the order of ``councils``.

    Raises ValueError for another January.
    """
    if january not in JANUARIES:
        raise ValueError(f"January {january} can't be completed; these can: {JANUARIES}")
    return tables(data, january)[january]


def tables(data: Path, first: int = JANUARIES[0]) -> dict[int, Figures]:
    """Completed plans of every January from ``first`` to the last with needs."""
    codes = list(councils(data)["council_code"])
    caseload = ehc_plans.caseload(data).set_index(["january", "council_code"])
    by_age = {january: _ages_shared_out(_category_age(data, january, codes)) for january in JANUARIES[2:]}
    latest = _fitted(data, codes, by_age[JANUARIES[2]])
    totals = {JANUARIES[3]: latest.sum(axis=(1, 2))}
    result = {JANUARIES[3]: latest}
    if first <= JANUARIES[2]:
        totals[JANUARIES[1]] = _totals_shared_out(caseload.loc[JANUARIES[1]], codes, None)
        plans = caseload.loc[JANUARIES[2]].reindex(codes)["ehc_plans"].to_numpy(float)
        result[JANUARIES[2]] = _from_ages(latest, _gaps_filled(by_age[JANUARIES[2]], plans, totals, latest))
    for january in JANUARIES[:2]:
        if first <= january:
            later = result[JANUARIES[2]]
            categories = _totals_shared_out(caseload.loc[january], codes, later)
            result[january] = _from_bands(latest, categories, _bands(data, january, codes, later))
    return result


def _category_age(data: Path, january: int, codes: list[str]) -> Figures:
    """Printed plans [council, age group, category incl. not recorded]; NaN where a council's placements are not available."""
    table = ehc_plans.caseload_by_age(data)
    table = table[table["january"] == january]
    group = pd.Series(np.searchsorted(LAST_AGE, table["age"]), index=table.index, name="group")
    columns = [*CATEGORIES, NOT_RECORDED]
    sums = table.groupby(["council_code", group])[columns].agg(lambda figures: figures.sum(skipna=False))
    index = pd.MultiIndex.from_product([codes, range(len(AGE_GROUPS))])
    figures = sums.reindex(index, fill_value=0.0).to_numpy(float).reshape(len(codes), len(AGE_GROUPS), len(columns))
    return np.where(np.isnan(figures).any(axis=(1, 2), keepdims=True), np.nan, figures)


def _printed(data: Path, codes: list[str]) -> Printed:
    january = JANUARIES[-1]
    all_needs, columns = [*NEEDS, "unknown"], [*CATEGORIES, NOT_RECORDED]

    def face(table: pd.DataFrame, names: list[str], *keys: list[str] | range) -> Figures:
        table = table[(table["january"] == january) & (table["council_code"] != ehc_plans.ENGLAND)]
        sums = table.groupby(["council_code", *names])["pupils"].agg(lambda figures: figures.sum(skipna=False))
        shape = (len(codes), *(len(key) for key in keys))
        figures = sums.reindex(pd.MultiIndex.from_product([codes, *keys]), fill_value=0.0).to_numpy(float).reshape(shape)
        withheld = np.isnan(figures).any(axis=tuple(range(1, figures.ndim)), keepdims=True)
        return np.where(withheld, np.nan, figures)

    ages = ehc_plans.needs_by_age(data)
    ages["group"] = np.searchsorted(LAST_AGE, ages["age"])
    return Printed(
        category_age=_category_age(data, january, codes),
        need_category=face(ehc_plans.needs_by_category(data), ["need", "category"], all_needs, columns),
        need_age=face(ages, ["need", "group"], all_needs, range(len(AGE_GROUPS))),
        need=face(ehc_plans.needs(data), ["need"], all_needs),
    )


def _fitted(data: Path, codes: list[str], before: Figures) -> Figures:
    """January 2025: fitted to its printed faces, needs that are unknown and placements not recorded shared out."""
    printed = _printed(data, codes)
    no_placement = np.isnan(printed.category_age).any(axis=(1, 2))
    no_need = np.isnan(printed.need_category).any(axis=(1, 2))
    whole = ~no_placement & ~no_need
    shape = (len(NEEDS) + 1, len(AGE_GROUPS), len(CATEGORIES) + 1)
    england = fit(
        np.ones(shape),
        [
            printed.need_category[whole].sum(axis=0)[:, None, :],
            printed.need_age[whole].sum(axis=0)[:, :, None],
            printed.category_age[whole].sum(axis=0)[None],
        ],
    )
    table = np.zeros((len(codes), *shape))
    table[whole] = fit(
        np.broadcast_to(england, (int(whole.sum()), *shape)),
        [printed.need_category[whole][:, :, None, :], printed.need_age[whole][..., None], printed.category_age[whole][:, None]],
        TOLERANCE,
    )
    for council in np.flatnonzero(no_need & ~no_placement):
        margins = [printed.need[council][:, None, None], printed.category_age[council][None]]
        table[council] = fit(england, margins, TOLERANCE)
    for council in np.flatnonzero(no_placement):
        table[council, :, :, :-1] = _placements_of_the_year_before(
            england, before[council], printed.need_age[council], printed.need_category[council]
        )
    return _placements_shared_out(_needs_shared_out(table), england)


def _placements_of_the_year_before(england: Figures, before: Figures, need_age: Figures, recorded: Figures) -> Figures:
    """A council without placements: last January's placements by age, at this January's needs and ages.

    Not-recorded plans go where the recorded ones (``recorded`` [need, category]) fall short of that expectation.
    """
    likely = shares(fit(england[:, :, :-1], [before[None]]), 2, england[:, :, :-1])
    expected = need_age[:, :, None] * likely
    counted, missing = recorded[:, :-1].sum(axis=0), recorded[:, -1].sum()
    short = np.maximum(expected.sum(axis=(0, 1)) - counted, 0)
    target = counted + short * missing / short.sum()
    return fit(expected, [target[None, None], need_age[:, :, None]], TOLERANCE)


def _needs_shared_out(table: Figures) -> Figures:
    """Plans of unknown need, by the known needs of the same council, age and category (or of the council)."""
    known, unknown = table[:, :-1], table[:, -1:]
    whole = known.sum(axis=(2, 3), keepdims=True)
    return np.asarray(known + unknown * shares(known, 1, whole))


def _placements_shared_out(table: Figures, england: Figures) -> Figures:
    """Plans with no placement recorded, by the recorded placements of the same council, need and age.

    Where there are none: those of the council and age; where there are none either: England's of that need and age.
    """
    recorded, missing = table[..., :-1], table[..., -1:]
    of_age = recorded.sum(axis=1, keepdims=True)
    fallback = np.where(of_age.sum(axis=-1, keepdims=True) > 0, of_age, england[None, :-1, :, :-1])
    return np.asarray(recorded + missing * shares(recorded, 3, fallback))


def _ages_shared_out(category_age: Figures) -> Figures:
    """[council, age group, category]: not-recorded plans by the recorded placements of the same council and age."""
    recorded, missing = category_age[..., :-1], category_age[..., -1:]
    england = np.nansum(recorded, axis=0)
    return np.asarray(recorded + missing * shares(recorded, 2, england))


def _totals_shared_out(caseload: pd.DataFrame, codes: list[str], later: Figures | None) -> Figures:
    """[council, category] of a January without ages: not-recorded plans by the council's recorded placements.

    A council that ended is split over its successors as their plans of that category were in January 2024 (``later``).
    """
    table = caseload[list(CATEGORIES)].to_numpy(float)
    missing = caseload[[NOT_RECORDED]].fillna(0.0).to_numpy(float)
    whole = pd.DataFrame(table + missing * shares(table, 1, table), index=caseload.index, columns=list(CATEGORIES))
    return _split(whole, codes, None if later is None else later.sum(axis=(1, 2)))


def _bands(data: Path, january: int, codes: list[str], later: Figures) -> Figures:
    """[council, age band] as printed; successors of an ended council as in January 2024."""
    table = ehc_plans.age_bands(data)
    table = table[table["january"] == january].pivot(index="council_code", columns="band", values="pupils")[list(BANDS)]
    return _split(table.astype(float), codes, _by_band(later).sum(axis=(1, 3)))


def _split(table: pd.DataFrame, codes: list[str], later: Figures | None) -> Figures:
    result = table.reindex(codes)
    for ended, successors in SUCCESSORS.items():
        if later is None or ended not in table.index:
            continue
        places = [codes.index(code) for code in successors]
        result.loc[list(successors)] = table.loc[ended].to_numpy() * shares(later[places], 0, np.ones_like(later[places]))
    return result.to_numpy(float)


def _gaps_filled(by_age: Figures, plans: Figures, around: dict[int, Figures], latest: Figures) -> Figures:
    """[council, age group, category] of January 2024; Hackney and Peterborough by the shares of the Januaries around it."""
    mean = sum(shares(table, 1, np.ones_like(table)) for table in around.values()) / len(around)
    ages = shares(latest.sum(axis=1), 1, latest.sum(axis=(0, 1)))
    guess = ages * (plans[:, None] * mean)[:, None, :]
    return np.where(np.isnan(by_age), guess, by_age)


def _from_ages(latest: Figures, category_age: Figures) -> Figures:
    """Needs of January 2025 within each age and category."""
    return np.asarray(shares(latest, 1, latest.sum(axis=0)) * category_age[:, None])


def _by_band(table: Figures) -> Figures:
    bands = np.zeros((*table.shape[:2], len(BANDS), table.shape[3]))
    for group, band in enumerate(BAND_OF_GROUP):
        bands[:, :, band] += table[:, :, group]
    return bands


def _from_bands(latest: Figures, categories: Figures, bands: Figures) -> Figures:
    """Mix of January 2025 fitted to a January's categories and age bands; ages within a band as in January 2025."""
    england = latest.sum(axis=0)
    seed = latest + BACKGROUND * england
    bands = bands * (categories.sum(axis=1) / bands.sum(axis=1))[:, None]
    before = _by_band(seed)
    banded = fit(before, [bands[:, None, :, None], categories[:, None, None, :]])
    growth = np.divide(banded, before, out=np.zeros_like(before), where=before > 0)
    return np.asarray(seed * growth[:, :, list(BAND_OF_GROUP)])
