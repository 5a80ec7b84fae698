"""Totals of pupils by council, need group, phase or year, as they may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure.rules import TAKEN_AS, added_up, average_of_hidden, is_revealing, shown_counts
from sufficiency.disclosure.specification import KINDS, NEED_KEY, PARTS, Treatment
from sufficiency.disclosure.specification import columns as columns_of
from sufficiency.plan import PlanTables
from sufficiency.terms import INDEPENDENT_KINDS

MEASURES: Final[Mapping[str, Sequence[str]]] = {
    "demand": ("demand",),
    "placed": KINDS,
    "unmet": ("unmet",),
    "independent": sorted(INDEPENDENT_KINDS),
    "in_new_places": ("in_new_places",),
    "latent": ("latent",),
}
"""Measure -> columns of ``needs`` that add up to it."""


def count_totals(tables: PlanTables, case: Case, by: list[str], measures: Mapping[str, Sequence[str]] = MEASURES) -> pd.DataFrame:
    """Pupils by ``by`` (some of council_code, need_group, phase, academic_year), one column per measure; NaN = hidden.

    Takes the exact tables. In a protected case totals are worked out from the needs as shown, hidden counts entering as averages.
    """
    return totals_of_needs(tables.needs, by, measures, protected=case.disclosure != "open")


def totals_of_needs(needs: pd.DataFrame, by: list[str], measures: Mapping[str, Sequence[str]], *, protected: bool) -> pd.DataFrame:
    """As ``count_totals``, from an exact table of needs."""
    if not protected:
        sums = {name: needs[list(columns)].sum(axis=1) for name, columns in measures.items()}
        return needs[by].assign(**sums).groupby(by, as_index=False)[list(measures)].sum()
    shown = shown_needs(needs)
    estimates = estimated(needs, shown)
    figures = pd.DataFrame({name: estimates[list(columns)].sum(axis=1) for name, columns in measures.items()})
    seen = {name: shown[list(columns)] for name, columns in measures.items()}
    return added_up(figures, seen, [needs[key] for key in by]).reset_index()


def shown_needs(needs: pd.DataFrame) -> pd.DataFrame:
    """The table of needs as it may be shown: counts, and all parts of a row hidden where they and its demand give one of them away."""
    names = [*columns_of("needs", Treatment.COUNT), *PARTS]
    result = needs.assign(**dict(zip(names, shown_counts(needs[names]).T, strict=True)))
    telling = is_revealing(result["demand"].to_numpy(float), result[list(PARTS)].to_numpy(float))
    result.loc[telling, list(PARTS)] = np.nan
    return result


def kept_back(shown: pd.DataFrame) -> pd.Series[bool]:
    """Rows of the needs as shown of which all parts are hidden."""
    return shown[list(PARTS)].isna().all(axis=1)


def estimated(needs: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Each count of ``needs`` as totals take it: as shown where it is shown, fractions below a half as they are, hidden ones as averages.

    The parts of a row kept back are its demand, split as all rows are split that show their parts.
    """
    names = [*columns_of("needs", Treatment.COUNT), *PARTS]
    back = kept_back(shown)
    result = shown[names].where(shown[names] != 0, needs[names])
    for name in names:
        seen = shown.loc[~back, name] if name in PARTS else shown[name]
        averages = _averages(needs.loc[seen.index, name], seen, needs.loc[seen.index, "academic_year"])
        result.loc[seen.index[seen.isna()], name] = averages[seen.isna()]
    split = shown.loc[~back, list(PARTS)].fillna(TAKEN_AS).sum()
    shares = split / split.sum() if split.sum() > 0 else split
    for name in PARTS:
        result.loc[back, name] = result.loc[back, "demand"] * shares[name]
    return result


def _averages(counts: pd.Series[float], shown: pd.Series[float], year: pd.Series[str]) -> pd.Series[float]:
    """Average of the hidden counts by year where every year has enough of them, else of all years, else the usual figure."""
    by_year = {
        at: average_of_hidden(counts[rows], shown[rows]) for at, rows in shown.groupby(year).groups.items() if shown[rows].isna().any()
    }
    if all(average is not None for average in by_year.values()):
        return year.map(by_year).astype(float)
    average = average_of_hidden(counts, shown)
    return pd.Series(TAKEN_AS if average is None else average, shown.index)


def base_needs(case: Case) -> pd.DataFrame:
    """Placements of the base January in the columns of ``needs`` that they fill: the key, demand (all placed) and kinds."""
    kinds = case.pools[["pool_id", "setting_id"]].merge(case.settings[["setting_id", "kind"]], on="setting_id", validate="many_to_one")
    placed = case.placements.merge(kinds[["pool_id", "kind"]], on="pool_id", validate="many_to_one")
    placed = placed.assign(
        council_code=placed["area_id"].map(case.areas.set_index("area_id")["council_code"]), academic_year=case.base_year
    )
    table = placed.pivot_table(index=NEED_KEY, columns="kind", values="pupils", aggfunc="sum", fill_value=0.0)
    table = table.reindex(columns=list(KINDS), fill_value=0.0).astype(float)
    return table.assign(demand=table.sum(axis=1), unmet=0.0, in_new_places=0.0, latent=0.0).rename_axis(columns=None).reset_index()
