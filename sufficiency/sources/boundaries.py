"""The councils of England, and the shapes of its small areas."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd

from sufficiency.sources import files
from sufficiency.tables.problems import InputError, InputProblem

COUNCILS: Mapping[str, Mapping[str, str]] = {
    "lookup of 2023": {
        "council_code": "la_code_ons",
        "council_name": "la_name",
        "council_code_dfe": "la_code_dfe",
        "region_name": "region_name",
        "published_code": "la_code_ons_published",
    }
}
SUCCESSORS: Mapping[str, tuple[str, ...]] = {"E10000006": ("E06000063", "E06000064")}
"""Councils that ended within the years read: Cumbria became Cumberland, and Westmorland and Furness, in April 2023."""
EVERYDAY_NAMES: Mapping[str, str] = {"Hull": "E06000010", "BCP": "E06000058"}


def councils(data: Path) -> pd.DataFrame:
    """The 153 councils: council_code (ONS), council_name, council_code_dfe, region_name, in order of the ONS code."""
    table = files.read(data, "councils", COUNCILS)
    columns = ["council_code", "council_name", "council_code_dfe", "region_name"]
    return table[columns].sort_values("council_code", ignore_index=True)


def current_codes(data: Path) -> dict[str, str]:
    """ONS code under which a release may print a council -> its code today (only recoded councils)."""
    table = files.read(data, "councils", COUNCILS)
    changed = table[table["published_code"] != table["council_code"]]
    return dict(zip(changed["published_code"], changed["council_code"], strict=True))


def resolve_councils(data: Path, names: Iterable[str]) -> list[str]:
    """ONS codes of councils given by name, ONS code or DfE code, in the order given, each once.

    The first words of a name do when only one council begins with them ("Brighton").
    Raises InputError naming every unknown one with the closest names.
    """
    table = councils(data)
    known = {_plain(name): code for name, code in EVERYDAY_NAMES.items()}
    known |= {_plain(published): code for published, code in current_codes(data).items()}
    for column in ("council_code", "council_code_dfe", "council_name"):
        known |= dict(zip(table[column].map(_plain), table["council_code"], strict=True))
    full = dict(zip(table["council_name"].map(_plain), table["council_name"], strict=True))
    codes, problems = [], []
    for name in names:
        begun = [key for key in full if f"{key} ".startswith(f"{_plain(name)} ")]
        found = known.get(_plain(name), known[begun[0]] if len(begun) == 1 else None)
        if found is None:
            likely = [full[key] for key in begun or difflib.get_close_matches(_plain(name), full, n=3, cutoff=0.5)]
            remedy = f"Did you mean {' or '.join(likely)}?" if likely else "Give the name or code of an upper-tier council of England."
            problems.append(InputProblem("councils", "no such council", remedy, value=name))
        elif found not in codes:
            codes.append(found)
    if problems:
        raise InputError(problems)
    return codes


def lsoa_shapes(data: Path) -> gpd.GeoDataFrame:
    """Shapes of the small areas by code, in EPSG:27700: lsoa_code, geometry."""
    path, _ = files.find(data, "lsoa_shapes")
    shapes = gpd.read_parquet(path, columns=["lsoa21_code", "geometry"])
    return shapes.rename(columns={"lsoa21_code": "lsoa_code"}).to_crs("EPSG:27700")


def _plain(name: str) -> str:
    """A council's name without case, punctuation and the words that people leave out."""
    words = re.sub(r"[^a-z0-9]+", " ", str(name).casefold().replace("&", " and ").replace("london borough", ""))
    return " ".join(word for word in words.split() if word not in ("council", "borough", "county", "city", "of", "the"))
