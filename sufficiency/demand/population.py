"""Residents by council, year and single age: the official projections where they are given, else mid-2020 rolled forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sufficiency.sources import files
from sufficiency.sources.small_areas import LOOKUP, LSOAS
from sufficiency.tables.problems import InputError, InputProblem

AGES: Final = tuple(range(26))
MID_YEAR: Final = 2020
"""Year of the single-age estimates."""
PROJECTION_FILES: Final = ("demand/population_projections.csv", "demand/population_projections.csv.gz")


@dataclass(frozen=True)
class Population:
    """Persons [council, year, age 0 to 25] at mid-year; January n belongs to mid-year n - 1."""

    councils: tuple[str, ...]
    years: tuple[int, ...]
    persons: npt.NDArray[np.float64]
    status: str
    """``published`` (official projections) or ``derived`` (rolled forward)."""
    rule: str

    def at(self, january: int) -> npt.NDArray[np.float64]:
        """Persons [council, age] of the January."""
        return self.persons[:, self.years.index(january - 1)]


def read_population(data: Path, councils: Sequence[str], years: Sequence[int]) -> Population:
    """Residents of these councils at these mid-years. Raises InputError when a council or year of the projections is missing.

    Projections stand in ``demand/population_projections.csv`` in one of two layouts: ``council_code, year, age, persons``,
    or the subnational projections as published (AREA_CODE, SEX, AGE_GROUP and a column per year).
    """
    for name in PROJECTION_FILES:
        path = Path(data) / name
        if path.is_file():
            return _projected(path, councils, years)
    return rolled_forward(mid_2020(data, councils), councils, years)


def mid_2020(data: Path, councils: Sequence[str]) -> npt.NDArray[np.float64]:
    """Persons [council, age] at mid-2020; an LSOA of 2011 that was split is shared by the children of its successors."""
    path, _ = files.find(data, "single_ages")
    ages = pd.read_parquet(path)
    small = files.read(data, "small_areas", LSOAS)[["lsoa_code", "council_code", "children"]]
    pairs = files.read(data, "lsoa_lookup", LOOKUP)[["lsoa11_code", "lsoa_code"]].merge(small, on="lsoa_code").merge(ages, on="lsoa11_code")
    children = pairs["children"].astype(float) + 1e-9
    share = children / children.groupby(pairs["lsoa11_code"]).transform("sum")
    columns = [f"age_{age}" for age in AGES]
    persons = pairs[columns].mul(share, axis=0).groupby(pairs["council_code"]).sum()
    missing = sorted(set(councils) - set(persons.index))
    if missing:
        raise InputError([InputProblem(path.name, "no residents of the council", "Add its small areas.", value=code) for code in missing])
    return persons.loc[list(councils), columns].to_numpy(float)


def rolled_forward(base: npt.NDArray[np.float64], councils: Sequence[str], years: Sequence[int]) -> Population:
    """Everyone ages by one a year without moving; births stay at those of the last three years of the estimates.

    From 19 on the numbers of the base year stand: students move in and out, so ageing them on would misplace them.
    """
    persons = np.empty((len(councils), len(years), len(AGES)))
    births = base[:, :3].mean(axis=1)
    for place, year in enumerate(years):
        lag = max(year - MID_YEAR, 0)
        for age in AGES:
            if age >= 19:
                persons[:, place, age] = base[:, age]
            else:
                persons[:, place, age] = base[:, age - lag] if age >= lag else births
    rule = f"Mid-{MID_YEAR} residents aged on without migration, births held at the mean of ages 0 to 2, ages 19 to 25 held"
    return Population(tuple(councils), tuple(years), persons, "derived", rule)


def _projected(path: Path, councils: Sequence[str], years: Sequence[int]) -> Population:
    table = pd.read_csv(path, dtype=str)
    if {"AREA_CODE", "AGE_GROUP"} <= set(table.columns):
        if "SEX" in table.columns and "persons" in set(table["SEX"].str.lower()):
            table = table[table["SEX"].str.lower() == "persons"]
        kept = [column for column in table.columns if column.isdigit()]
        table = table.melt(["AREA_CODE", "AGE_GROUP"], kept, "year", "persons")
        table = table.rename(columns={"AREA_CODE": "council_code", "AGE_GROUP": "age"})
    missing = [column for column in ("council_code", "year", "age", "persons") if column not in table.columns]
    if missing:
        raise InputError([InputProblem(path.name, "column is missing", "See docs/forecast.md.", column=column) for column in missing])
    table = table[table["age"].str.fullmatch(r"\d{1,2}")].astype({"year": int, "age": int})
    table = files.numbers(table[table["age"].isin(AGES)], ["persons"], path.name)
    sums = table.groupby(["council_code", "year", "age"])["persons"].sum()
    wanted = pd.MultiIndex.from_product([list(councils), list(years), AGES])
    found = sums.reindex(wanted)
    if found.isna().any():
        gaps = list(dict.fromkeys((code, year) for code, year, _ in found[found.isna()].index))[:20]
        raise InputError(
            [InputProblem(path.name, "no residents", "Add every single age 0 to 25.", value=f"{code}, {year}") for code, year in gaps]
        )
    rule = f"Official projections ({path.name})"
    return Population(tuple(councils), tuple(years), found.to_numpy().reshape(len(councils), len(years), len(AGES)), "published", rule)
