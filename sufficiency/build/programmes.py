"""Capital programmes and their split over councils.

Without the published table of council allocations (``sufficiency.sources.allocations``) England's control totals are split by a formula
of the kind that the Department uses: a mix of residents under 26, placed pupils and growth of plans, times the building cost of the
place. The split is derived and sums to the control total in whole pounds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import academic_year, start_of

WEIGHTS: Final = {"residents": 0.5, "placed": 0.3, "growth": 0.2}
"""Share of the money split by residents aged 0 to 25, by placed pupils of the base January and by new plans over three years (assumed)."""


@dataclass(frozen=True)
class Programme:
    """One programme of programmes.toml."""

    key: str
    title: str
    base_january: int
    academic_years: tuple[str, ...]
    price_base: str
    source: str
    allocation_gbp: Mapping[str, int]
    """Financial year -> England's control total."""


@cache
def programmes() -> dict[str, Programme]:
    """All programmes by key, as programmes.toml gives them."""
    tree = tomllib.loads(resources.files("sufficiency.build").joinpath("programmes.toml").read_text(encoding="utf-8"))
    return {
        key: Programme(
            key=key,
            title=about["title"],
            base_january=about["base_january"],
            academic_years=tuple(
                map(academic_year, range(start_of(about["first_academic_year"]), start_of(about["last_academic_year"]) + 1))
            ),
            price_base=about["price_base"],
            source=about["source"],
            allocation_gbp=about["allocation_gbp"],
        )
        for key, about in tree.items()
    }


def read_programme(key: str) -> Programme:
    """The programme of that key. Raises InputError naming the programmes there are."""
    if key not in programmes():
        raise InputError([InputProblem("programme", "no such programme", f"Give one of {', '.join(programmes())}.", value=key)])
    return programmes()[key]


def council_weights(residents: pd.Series, placed: pd.Series, growth: pd.Series, location_factor: pd.Series) -> pd.Series:
    """Weight of each council in the split, summing to 1; all series are indexed by council code.

    ``residents`` persons aged 0 to 25, ``placed`` pupils, ``growth`` new plans over three years (a fall counts as none; where nobody
    grew, residents stand in), ``location_factor`` building cost relative to England. Raises ValueError when the councils differ.
    """
    grown = growth.clip(lower=0)
    parts = {"residents": residents, "placed": placed, "growth": grown if grown.sum() > 0 else residents}
    if any(set(part.index) != set(residents.index) for part in (*parts.values(), location_factor)):
        raise ValueError("the figures of the split are for different councils")
    mix = sum(WEIGHTS[name] * part.reindex(residents.index) / part.sum() for name, part in parts.items())
    weighted = mix * location_factor.reindex(residents.index)
    return pd.Series(weighted / weighted.sum())


def whole_pounds(total: int, weights: pd.Series) -> pd.Series:
    """``total`` split by ``weights`` into whole pounds that sum to it (largest remainder, ties by index)."""
    exact = total * weights / weights.sum()
    pounds = np.floor(exact)
    missing = int(total - pounds.sum())
    first = (exact - pounds).sort_index().sort_values(ascending=False, kind="stable").index[:missing]
    pounds[first] += 1
    return pd.Series(pounds)


def funds_table(chosen: Programme, weights: pd.Series, councils: list[str]) -> pd.DataFrame:
    """Funds of these councils in the Funds schema: one fund per council, any kind of project, all money in hand may be carried forward."""
    parts = []
    for year, total in chosen.allocation_gbp.items():
        split = whole_pounds(total, weights).reindex(councils)
        parts.append(
            pd.DataFrame(
                {
                    "fund_id": [f"{chosen.key}-{council}" for council in councils],
                    "programme": chosen.key,
                    "councils": councils,
                    "financial_year": year,
                    "amount_gbp": split.to_numpy(),
                    "eligible_kinds": "any",
                    "carry_forward_share": 1.0,
                    "status": "derived",
                }
            )
        )
    return pd.concat(parts, ignore_index=True).sort_values(["fund_id", "financial_year"], ignore_index=True)


def allocated_funds(chosen: Programme, weights: pd.Series, councils: list[str], allocations: pd.DataFrame) -> pd.DataFrame:
    """The same with published allocations (``sources.allocations``) where the spreadsheet has the council and year, marked published.

    Other years and councils keep the derived split.
    """
    funds = funds_table(chosen, weights, councils)
    known = allocations.set_index(["council_code", "financial_year"])["amount_gbp"]
    given = known.reindex(pd.MultiIndex.from_frame(funds[["councils", "financial_year"]])).to_numpy()
    return funds.assign(
        amount_gbp=np.where(np.isnan(given), funds["amount_gbp"], given), status=np.where(np.isnan(given), "derived", "published")
    )


def allocation_notes(funds: pd.DataFrame, file: Path | None) -> list[str]:
    """Which allocations are published and which are derived; nothing where no spreadsheet was given."""
    if file is None:
        return []
    published = funds[funds["status"] == "published"]
    years = ", ".join(sorted(published["financial_year"].unique()))
    return [
        f"Allocations of {published['councils'].nunique()} councils ({years}) are those of {file.name} (published, pounds of their year); "
        f"{len(funds) - len(published)} others are derived."
    ]
