"""Totals of pupils by council, need group, phase or year, as they may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure.rules import is_revealing, shown_counts, shown_totals
from sufficiency.disclosure.specification import KINDS, NEED_KEY, PARTS
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

    Takes the exact tables. Sums of shown tables may leave as well, but lack all that is hidden; these are within a few pupils of the truth.
    """
    return totals_of_needs(tables.needs, by, measures, protected=case.disclosure != "open")


def totals_of_needs(needs: pd.DataFrame, by: list[str], measures: Mapping[str, Sequence[str]], *, protected: bool) -> pd.DataFrame:
    """As ``count_totals``, from a table of needs."""
    if not protected:
        sums = {name: needs[list(columns)].sum(axis=1) for name, columns in measures.items()}
        return needs[by].assign(**sums).groupby(by, as_index=False)[list(measures)].sum()
    kept_back = rows_withheld(needs)
    result = needs[by].drop_duplicates().sort_values(by, ignore_index=True)
    for name, columns in measures.items():
        cells = pd.concat([needs[by].assign(**{name: needs[column]}) for column in columns], ignore_index=True)
        hidden = pd.concat([pd.DataFrame({name: kept_back & (column in PARTS)}) for column in columns], ignore_index=True)
        result = result.merge(shown_totals(cells, by, [name], hidden), on=by, validate="one_to_one")
    return result


def rows_withheld(needs: pd.DataFrame) -> pd.Series[bool]:
    """Rows of ``needs`` in which the demand and the parts shown would give a hidden part away: all their parts are hidden."""
    shown = shown_counts(needs[["demand", *PARTS]])
    return pd.Series(is_revealing(shown[:, 0], shown[:, 1:]), needs.index)


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
