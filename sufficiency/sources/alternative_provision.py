"""Pupils in alternative provision (AP): state AP schools, council-funded and school-arranged placements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sufficiency.sources import files
from sufficiency.sources.boundaries import current_codes

COUNTS: Mapping[str, Mapping[str, str]] = {
    "dashboard of 2023": {
        "time_period": "time_period",
        "level": "geographic_level",
        "council_code": "new_la_code",
        "kind": "prov_type",
        "pupils": "total",
    }
}
AGES: Mapping[str, Mapping[str, str]] = {
    "2022/23": {"time_period": "time_period", "council_code": "new_la_code", "age": "age", "pupils": "number_of_pupils"}
}
KINDS: Mapping[str, str] = {
    "State-funded AP school": "state",
    "LA funded AP placements": "council_funded",
    "School arranged AP": "school_arranged",
}


def counts(data: Path) -> pd.DataFrame:
    """Pupils by January, council and kind (state, council_funded, school_arranged), with or without a plan.

    State AP is counted where the school stands, council-funded by the council that pays, school-arranged
    (January 2023 only) where the arranging school stands. England's row is left out.
    """
    table = files.read(data, "ap_counts", COUNTS)
    table = table[table["level"] == "Local authority"].assign(kind=table["kind"].map(KINDS))
    return _by_january(data, table)[["january", "council_code", "kind", "pupils"]]


def council_funded_ages(data: Path) -> pd.DataFrame:
    """Council-funded pupils by January, council and age in years (``19 plus`` is 19).

    Ages of January 2023 are those at 31 August before; earlier Januaries counted ages at another date.
    """
    table = files.read(data, "council_funded_ap", AGES)
    table = table[table["age"] != "Total"].copy()
    table["age"] = table["age"].str.extract(r"(\d+)", expand=False).astype(int)
    return _by_january(data, table)[["january", "council_code", "age", "pupils"]]


def _by_january(data: Path, table: pd.DataFrame) -> pd.DataFrame:
    table = files.numbers(table, ["pupils"], "alternative provision")
    return table.assign(
        january=table["time_period"].str[:4].astype(int) + 1,
        council_code=table["council_code"].replace(current_codes(data)),
    )
