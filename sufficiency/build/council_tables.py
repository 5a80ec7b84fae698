"""Plans of each council by need, age and category of placement, completed: the table behind everything on the demand side.

The release of January 2025 prints three faces of that table (category x age, category x need, need x age); it is fitted to them.
Earlier Januaries print fewer faces; the mixes of January 2025 are carried back to them. Every figure here is derived.
Arrays are indexed [council, need, age group, category], councils in the order of ``boundaries.councils``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.build.fitting import Figures, fit, shares
from sufficiency.sources import ehc_plans
from sufficiency.sources.boundaries import SUCCESSORS, councils
from sufficiency.sources.ehc_plans import CATEGORIES, ENGLAND, NOT_RECORDED

WITH_NEEDS, WITH_AGES, WITH_BANDS = 2025, 2024, (2023, 2022)
"""Januaries by what their release prints beside placements: needs and single ages, single ages, age bands only."""
JANUARIES = (*reversed(WITH_BANDS), WITH_AGES, WITH_NEEDS)
NEEDS = tuple(need for need in ehc_plans.NEED_COLUMNS.values() if need != ehc_plans.UNKNOWN)
LAST_AGE = (4, 10, 15, 18, 19, 25)
"""Last ages of the six age groups: the finest common to single ages and the bands printed to 2023."""
BANDS = ("Under 5", "Age 5 to 10", "Age 11 to 15", "Age 16 to 19", "Age 20 to 25")
BAND_OF_GROUP = (0, 1, 2, 3, 3, 4)
TOLERANCE = 0.02
"""Pupils by which a fitted need total may differ from the printed one; category x age holds exactly."""
BACKGROUND = 1e-6
"""Weight of England's mix where a council had no pupil of a category or age in January 2025 to carry back."""


@dataclass(frozen=True)
class Printed:
    """Faces of January 2025 by council; NaN = not available. The last need is unknown, the last category not recorded."""

    category_age: Figures
    need_category: Figures
    need_age: Figures
    need: Figures


def tables(data: Path) -> dict[int, Figures]:
    """Completed plans [council, need, age group, category] of each of ``JANUARIES``."""
    codes = list(councils(data)["council_code"])
    caseload = ehc_plans.caseload(data)
    printed = _category_age(data, WITH_AGES, codes)
    by_age = _ages_shared_out(printed)
    latest = _fitted_to_needs(data, codes, by_age)
    by_age = _gaps_filled(by_age, codes, caseload, latest)
    middle = _from_ages(latest, by_age)
    unrecorded_ages = np.nansum(printed[..., -1], axis=0)
    early = {
        january: _from_bands(latest, unrecorded_ages, _categories(caseload, january, codes, middle), _bands(data, january, codes, middle))
        for january in WITH_BANDS
    }
    return {WITH_NEEDS: latest, WITH_AGES: middle, **early}


def _category_age(data: Path, january: int, codes: list[str]) -> Figures:
    """Printed plans [council, age group, category incl. not recorded]; NaN where a council's placements are not available."""
    table = ehc_plans.caseload_by_age(data)
    table = table[table["january"] == january]
    table = table.assign(group=np.searchsorted(LAST_AGE, table["age"]))
    sums = ehc_plans.sums(table, ["council_code", "group"], [*CATEGORIES, NOT_RECORDED])
    figures = pd.Series(sums.stack())
    return _array(figures, codes, range(len(LAST_AGE)), [*CATEGORIES, NOT_RECORDED])


def _printed(data: Path, codes: list[str]) -> Printed:
    needs, categories = list(ehc_plans.NEED_COLUMNS.values()), [*CATEGORIES, NOT_RECORDED]

    def face(table: pd.DataFrame, *keys: str) -> pd.Series:
        table = table[(table["january"] == WITH_NEEDS) & (table["council_code"] != ENGLAND)]
        return ehc_plans.sums(table, ["council_code", *keys], ["pupils"])["pupils"]

    ages = ehc_plans.needs_by_age(data)
    ages["group"] = np.searchsorted(LAST_AGE, ages["age"])
    return Printed(
        category_age=_category_age(data, WITH_NEEDS, codes),
        need_category=_array(face(ehc_plans.needs_by_category(data), "need", "category"), codes, needs, categories),
        need_age=_array(face(ages, "need", "group"), codes, needs, range(len(LAST_AGE))),
        need=_array(face(ehc_plans.needs(data), "need"), codes, needs),
    )


def _array(figures: pd.Series, codes: list[str], *keys: list[str] | range) -> Figures:
    """Figures by council and keys as an array: an absent row is zero, a council with any figure not available is NaN."""
    withheld = figures.isna().groupby(level=0).any().reindex(codes, fill_value=False).to_numpy()
    index = pd.MultiIndex.from_product([codes, *keys])
    array = figures.fillna(0.0).reindex(index, fill_value=0.0).to_numpy(float, copy=True).reshape(len(codes), *map(len, keys))
    array[withheld] = np.nan
    return array


def _fitted_to_needs(data: Path, codes: list[str], before: Figures) -> Figures:
    """January 2025: fitted to its printed faces, needs that are unknown and placements not recorded shared out."""
    printed = _printed(data, codes)
    no_placement = np.isnan(printed.category_age).any(axis=(1, 2))
    no_need = np.isnan(printed.need_category).any(axis=(1, 2))
    whole = ~no_placement & ~no_need
    england = fit(
        np.ones((len(NEEDS) + 1, len(LAST_AGE), len(CATEGORIES) + 1)),
        [
            printed.need_category[whole].sum(axis=0)[:, None, :],
            printed.need_age[whole].sum(axis=0)[:, :, None],
            printed.category_age[whole].sum(axis=0)[None],
        ],
    )
    table = np.zeros((len(codes), *england.shape))
    table[whole] = fit(
        np.broadcast_to(england, (int(whole.sum()), *england.shape)),
        [printed.need_category[whole][:, :, None, :], printed.need_age[whole][..., None], printed.category_age[whole][:, None]],
        TOLERANCE,
    )
    for council in np.flatnonzero(no_need & ~no_placement):
        table[council] = fit(england, [printed.need[council][:, None, None], printed.category_age[council][None]], TOLERANCE)
    for council in np.flatnonzero(no_placement):
        table[council, :, :, :-1] = _placed_as_before(
            england[..., :-1], before[council], printed.need_age[council], printed.need_category[council]
        )
    return _placements_shared_out(_needs_shared_out(table), england[:-1, :, :-1])


def _placed_as_before(england: Figures, before: Figures, need_age: Figures, recorded: Figures) -> Figures:
    """A council without placements: those of the January before by age, at this January's needs and ages.

    Not-recorded plans go where the recorded ones (``recorded`` [need, category]) fall short of that expectation.
    """
    likely = shares(fit(england, [before[None]]), 2, england)
    expected = need_age[:, :, None] * likely
    counted, missing = recorded[:, :-1].sum(axis=0), recorded[:, -1].sum()
    short = np.maximum(expected.sum(axis=(0, 1)) - counted, 0)
    target = counted + short * missing / short.sum()
    return fit(expected, [target[None, None], need_age[:, :, None]], TOLERANCE)


def _needs_shared_out(table: Figures) -> Figures:
    """Plans of unknown need, by the known needs of the same council, age and category (or of the council)."""
    known, unknown = table[:, :-1], table[:, -1:]
    return np.asarray(known + unknown * shares(known, 1, known.sum(axis=(2, 3), keepdims=True)))


def _placements_shared_out(table: Figures, england: Figures) -> Figures:
    """Plans with no placement recorded, by the recorded placements of the same council, need and age.

    Where there are none: those of the council and age; where there are none either: England's of that need and age.
    """
    recorded, missing = table[..., :-1], table[..., -1:]
    of_age = recorded.sum(axis=1, keepdims=True)
    return np.asarray(recorded + missing * shares(recorded, 3, of_age, england))


def _ages_shared_out(category_age: Figures) -> Figures:
    """[council, age group, category]: not-recorded plans by the recorded placements of the same council and age."""
    recorded, missing = category_age[..., :-1], category_age[..., -1:]
    return np.asarray(recorded + missing * shares(recorded, 2, np.nansum(recorded, axis=0)))


def _gaps_filled(by_age: Figures, codes: list[str], caseload: pd.DataFrame, latest: Figures) -> Figures:
    """[council, age group, category] of January 2024; councils without placements by their shares of the Januaries around it.

    Ages within a category as in January 2025.
    """
    by_council = caseload.set_index(["january", "council_code"])
    recorded = by_council.loc[WITH_AGES - 1].reindex(codes)[list(CATEGORIES)].to_numpy(float)
    around = latest.sum(axis=(1, 2))
    mean = (shares(recorded, 1, around) + shares(around, 1, around)) / 2
    plans = by_council.loc[WITH_AGES].reindex(codes)["ehc_plans"].to_numpy(float)
    ages = shares(latest.sum(axis=1), 1, latest.sum(axis=(0, 1)))
    return np.where(np.isnan(by_age), ages * (plans[:, None] * mean)[:, None], by_age)


def _from_ages(latest: Figures, category_age: Figures) -> Figures:
    """Needs of January 2025 within each age and category; where there were none, England's of that age."""
    england = latest.sum(axis=0)
    return np.asarray(shares(latest, 1, england, england.sum(axis=2, keepdims=True)) * category_age[:, None])


def _categories(caseload: pd.DataFrame, january: int, codes: list[str], later: Figures) -> Figures:
    """Printed plans [council, category incl. not recorded] of a January without ages (before 2023 all are recorded)."""
    table = caseload[caseload["january"] == january].set_index("council_code")[[*CATEGORIES, NOT_RECORDED]].fillna({NOT_RECORDED: 0.0})
    of_later = later.sum(axis=(1, 2))
    return _split(table, codes, np.column_stack([of_later, of_later.sum(axis=1)]))


def _bands(data: Path, january: int, codes: list[str], later: Figures) -> Figures:
    """Printed plans [council, age band]."""
    table = ehc_plans.age_bands(data)
    table = table[table["january"] == january].pivot(index="council_code", columns="band", values="pupils")[list(BANDS)]
    return _split(table, codes, _by_band(later).sum(axis=(1, 3)))


def _split(table: pd.DataFrame, codes: list[str], later: Figures) -> Figures:
    """The table by council; a council that ended is split over its successors as ``later`` stands to each other there."""
    result = table.astype(float).reindex(codes)
    for ended, successors in SUCCESSORS.items():
        if ended in table.index:
            parts = later[[codes.index(code) for code in successors]]
            result.loc[list(successors)] = table.loc[ended].to_numpy(float) * shares(parts, 0)
    return result.to_numpy()


def _by_band(table: Figures) -> Figures:
    """[.., .., age group, ..] -> [.., .., band, ..]."""
    bands = np.zeros((*table.shape[:2], len(BANDS), table.shape[3]))
    for group, band in enumerate(BAND_OF_GROUP):
        bands[:, :, band] += table[:, :, group]
    return bands


def _from_bands(latest: Figures, unrecorded_ages: Figures, categories: Figures, bands: Figures) -> Figures:
    """Mix of January 2025 fitted to a January's categories and age bands; ages within a band as in January 2025.

    Not-recorded plans start from England's ages of them in January 2024 and are shared out like those of January 2025.
    """
    england = latest.sum(axis=0)
    empty = (latest.sum(axis=(1, 2), keepdims=True) == 0) | (latest.sum(axis=(1, 3), keepdims=True) == 0)
    seed = np.where(empty, BACKGROUND * england, latest)
    unrecorded = shares(seed.sum(axis=(2, 3)), 1, england.sum(axis=(1, 2)))[:, :, None] * unrecorded_ages
    seed = np.concatenate([seed, unrecorded[..., None]], axis=3)
    bands = bands * (categories.sum(axis=1) / bands.sum(axis=1))[:, None]
    before = _by_band(seed)
    after = fit(before, [bands[:, None, :, None], categories[:, None, None, :]])
    growth = np.divide(after, before, out=np.zeros_like(before), where=before > 0)
    return _placements_shared_out(seed * growth[:, :, list(BAND_OF_GROUP)], england)
