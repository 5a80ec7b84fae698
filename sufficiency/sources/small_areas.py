"""Small areas of England: where people of each age live, how deprived and how rural the place is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.sources import files

LSOAS: Mapping[str, Mapping[str, str]] = {
    "joined file of 2025": {
        "lsoa_code": "lsoa21_code",
        "lsoa_name": "lsoa21_name",
        "msoa_code": "msoa21_code",
        "msoa_name": "msoa21_name",
        "council_code": "la_code_ons",
        "easting_m": "easting",
        "northing_m": "northing",
        "children": "pop_0_15",
        "imd_score": "imd2025_score",
        "imd_decile": "imd2025_decile",
        "rural": "rural",
        "age_0_4": "mye2020_0_4",
        "age_5_10": "mye2020_5_10",
        "age_11_15": "mye2020_11_15",
        "age_16_18": "mye2020_16_18",
        "age_19_24": "mye2020_19_24",
    }
}
LOOKUP: Mapping[str, Mapping[str, str]] = {"2011 to 2021": {"lsoa11_code": "lsoa11_code", "lsoa_code": "lsoa21_code"}}
BANDS = ("age_0_4", "age_5_10", "age_11_15", "age_16_18", "age_19_24")


def lsoas(data: Path) -> pd.DataFrame:
    """One row per LSOA 2021, by code: the columns of ``LSOAS`` and age_25 (persons, mid-2020).

    Points are metres in EPSG:27700; imd_decile 1 is the most deprived tenth; rural is 0 or 1. An MSOA lies in one
    council here: an LSOA whose council differs from its MSOA's goes to the nearest MSOA of its own council.
    """
    table = files.read(data, "small_areas", LSOAS)
    table = table[list(LSOAS["joined file of 2025"])].sort_values("lsoa_code", ignore_index=True)
    figures = ["easting_m", "northing_m", "children", "imd_score", "imd_decile", "rural", *BANDS]
    table[figures] = table[figures].astype(float)
    return _msoas_in_one_council(table.assign(age_25=_aged_25(data, table)))


def _aged_25(data: Path, table: pd.DataFrame) -> pd.Series:
    """Residents aged 25: the figure of the LSOA of 2011, shared over its successors by their children."""
    path, _ = files.find(data, "single_ages")
    ages = pd.read_parquet(path, columns=["lsoa11_code", "age_25"])
    pairs = files.read(data, "lsoa_lookup", LOOKUP).merge(ages, on="lsoa11_code").merge(table[["lsoa_code", "children"]], on="lsoa_code")
    pairs["share"] = pairs["children"] / pairs.groupby("lsoa11_code")["children"].transform("sum")
    aged = (pairs["age_25"] * pairs["share"]).groupby(pairs["lsoa_code"]).sum()
    return table["lsoa_code"].map(aged).fillna(0.0)


def _msoas_in_one_council(table: pd.DataFrame) -> pd.DataFrame:
    size = table.groupby(["msoa_code", "council_code"]).size()
    owner = size.groupby("msoa_code").idxmax().str[1]
    astray = table["council_code"] != table["msoa_code"].map(owner)
    for row in table.index[astray]:
        council, easting, northing = table.loc[row, ["council_code", "easting_m", "northing_m"]]
        own = table[~astray & (table["council_code"] == council)]
        nearest = own.index[np.hypot(own["easting_m"] - easting, own["northing_m"] - northing).argmin()]
        table.loc[row, ["msoa_code", "msoa_name"]] = table.loc[nearest, ["msoa_code", "msoa_name"]]
    return table
