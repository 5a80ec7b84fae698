"""Equity floors: how far a group of areas may fall behind the average of the case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.requests.rows import Key, is_number, row_faults
from sufficiency.tables.problems import InputProblem
from sufficiency.tables.read import validate_table
from sufficiency.terms import EQUITY_GROUPS, EQUITY_MEASURES

KEYS: Final[Mapping[str, Key]] = {
    "by": (lambda value: value in EQUITY_GROUPS, f"must be one of {', '.join(EQUITY_GROUPS)}"),
    "measure": (lambda value: value in EQUITY_MEASURES, f"must be one of {', '.join(EQUITY_MEASURES)}"),
    "within_share": (lambda value: is_number(value) and 0 <= value <= 5, "must be a share from 0 to 5"),
}


def faults(rows: Sequence[Mapping[str, Any]], file: str) -> list[InputProblem]:
    """What is wrong with [[equity]] whatever the case."""
    return list(row_faults("equity", rows, KEYS, tuple(KEYS), file))


def with_equity(case: Case, rows: Sequence[Mapping[str, Any]]) -> Case:
    """The case with these floors; one for the same groups and measure takes the place of the case's."""
    if not rows:
        return case
    given = validate_table(pd.DataFrame([dict(row) for row in rows]), "equity", "request, equity")
    both = pd.concat([case.equity, given], ignore_index=True) if len(case.equity) else given
    return replace(case, equity=both.drop_duplicates(["by", "measure"], keep="last", ignore_index=True))


def group_names(case: Case, by: str) -> pd.Series:
    """Group of each area, by area id: fifths of deprivation, rural or not, council names."""
    areas = case.areas.set_index("area_id")
    if by == "deprivation":
        return pd.Series("deprivation fifth " + ((areas["imd_decile"] + 1) // 2).astype(str))
    if by == "rurality":
        return pd.Series((areas["travel_class"] == "rural").map({True: "rural areas", False: "urban areas"}))
    return pd.Series(areas["council_name"])
