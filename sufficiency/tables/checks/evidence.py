"""What the checks look at: the case, the reference tables that the user has, and a few views that several checks share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd
from shapely.geometry.base import BaseGeometry

from sufficiency.case import Case, file_of
from sufficiency.tables.problems import InputProblem, problems_at_rows
from sufficiency.terms import GROUP_OF_NEED

PUPIL_COLUMNS = ("pupils_placed", "pupils_mainstream", "pupils_further_education", "pupils_elsewhere")


@dataclass(frozen=True)
class References:
    """Tables outside the case that some checks compare it with. A check whose table is absent says so and does not pass.

    Person-level tables are looked at and never kept: no check names a person or shows a value of theirs.
    """

    register: pd.DataFrame | None = None
    """Schools: ``urn``; where known ``status`` (as in the register, e.g. Open), ``kind``, ``base_places``, ``postcode``."""
    postcodes: pd.DataFrame | None = None
    """``postcode``, ``lsoa21_code``, ``easting_m``, ``northing_m``."""
    england: BaseGeometry | None = None
    """Outline of England in EPSG:27700."""
    published_totals: Mapping[str, float] | None = None
    """EHC plans of the base January by council code; else the case's own published totals are taken."""
    school_capacity: pd.DataFrame | None = None
    """School capacity survey: ``council_code``, ``special_places``."""
    allocations: Mapping[str, float] | None = None
    """Total allocation by fund id, GBP."""
    forecast_totals: pd.DataFrame | None = None
    """``council_code``, ``academic_year``, ``scenario``, ``ehc_plans``."""
    scenario_probabilities: Mapping[str, float] | None = None
    """Probability by scenario."""
    persons: pd.DataFrame | None = None
    """SEN2 module 1: ``person_id``, ``upn``, ``postcode``, ``birth_date``."""
    person_needs: pd.DataFrame | None = None
    """SEN2 module 5c: ``person_id``, ``need``, ``rank``."""
    person_placements: pd.DataFrame | None = None
    """SEN2 module 5b: ``person_id``, ``urn``, ``rank``, ``entry_date``, ``leaving_date``, ``in_base`` (unit or resourced provision)."""


class NotRun(NamedTuple):
    """A check, or a part of it, that could not be made."""

    needs: str
    part: str = ""


Findings = Iterator[InputProblem | NotRun]


class Evidence:
    """A case and its references, with shared views made once."""

    def __init__(self, case: Case, references: References) -> None:
        self.case = case
        self.references = references

    @cached_property
    def council_of_area(self) -> pd.Series[str]:
        """Council of residence by area id."""
        by_area: pd.Series[str] = self.case.areas.set_index("area_id")["council_code"]
        return by_area

    @cached_property
    def demand(self) -> pd.DataFrame:
        """Placed pupils by area, need, phase, year and scenario, with need group and council, as categories."""
        pupils = self.case.pupils
        keys = pd.DataFrame({name: pupils[name].astype("category") for name in ("area_id", "need", "phase", "academic_year", "scenario")})
        return keys.assign(
            need_group=keys["need"].map(GROUP_OF_NEED).astype("category"),
            council_code=keys["area_id"].map(self.council_of_area).astype("category"),
            stream=pupils["stream"].astype("category"),
            pupils=pupils["pupils_placed"],
        )

    @cached_property
    def pupils_by_pool(self) -> pd.Series[float]:
        """Pupils of the base January by pool id."""
        return self.case.placements.groupby("pool_id")["pupils"].sum()

    @cached_property
    def pools(self) -> pd.DataFrame:
        """Pools with their setting's kind, council and location, and the pupils of the base January."""
        about = self.case.settings.set_index("setting_id")[["kind", "council_code", "easting_m", "northing_m", "age_low", "age_high"]]
        pools = self.case.pools.join(about, on="setting_id")
        return pools.assign(pupils=pools["pool_id"].map(self.pupils_by_pool).fillna(0.0))

    def problems(
        self,
        table: str,
        broken: pd.Series[bool],
        message: str,
        remedy: str,
        column: str | None = None,
        values: pd.Series[Any] | None = None,
        level: str = "error",
    ) -> list[InputProblem]:
        """A problem per row of a case table where ``broken`` is true; ``values`` are shown, by default those of ``column``.

        ``column`` may name several, joined by ", ".
        """
        where = broken.to_numpy().nonzero()[0]
        rows = [int(position) + 2 for position in where]
        shown: list[str] | None = None
        if values is not None:
            shown = [_short(value) for value in values.iloc[where]]
        elif column is not None:
            cells = getattr(self.case, table)[column.split(", ")].iloc[where]
            shown = [", ".join(_short(value) for value in row) for row in cells.itertuples(index=False, name=None)]
        return problems_at_rows(file_of(table), rows, shown, message, remedy, column=column, level=level)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a small table as dicts by column."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def _short(value: object) -> str:
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def largest(table: pd.DataFrame, by: str, most: int = 20) -> pd.DataFrame:
    """The rows with the largest absolute value of ``by``, in falling order."""
    return table.loc[table[by].abs().sort_values(ascending=False, kind="stable").index[:most]]
