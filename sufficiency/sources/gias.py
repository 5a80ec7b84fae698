"""The register of schools (Get Information About Schools): the publisher's own file, and the leaner extract of the data folder.

``edubasealldata*.csv`` is what the Department's site gives in one download (cp1252, one row per establishment, headings as in HEADINGS).
The extract ``gias_open_england_*.csv.gz`` holds open establishments only, without capacities, need types and resourced provision;
a partial file in the publisher's layout (``gias_*_mainstream_*.csv``) may fill those in for the councils that it covers.
A blank is unknown and stays empty: it is never read as none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from sufficiency.case import Source
from sufficiency.sources.boundaries import councils
from sufficiency.sources.files import DFE, OGL, provenance
from sufficiency.sources.small_areas import lsoas
from sufficiency.tables.problems import InputError, InputProblem

HEADINGS: Final[dict[str, tuple[str, str | None]]] = {
    "urn": ("URN", "urn"),
    "name": ("EstablishmentName", "establishment_name"),
    "establishment_type": ("TypeOfEstablishment (name)", "establishment_type"),
    "status": ("EstablishmentStatus (name)", None),
    "education_phase": ("PhaseOfEducation (name)", "education_phase"),
    "council_dfe": ("LA (code)", "la_code_dfe"),
    "age_low": ("StatutoryLowAge", "age_low"),
    "age_high": ("StatutoryHighAge", "age_high"),
    "capacity": ("SchoolCapacity", None),
    "roll": ("NumberOfPupils", "number_of_pupils"),
    "places_pru": ("PlacesPRU", None),
    "percentage_fsm": ("PercentageFSM", "percentage_fsm"),
    "base_roll_rp": ("ResourcedProvisionOnRoll", None),
    "base_places_rp": ("ResourcedProvisionCapacity", None),
    "base_roll_unit": ("SenUnitOnRoll", None),
    "base_places_unit": ("SenUnitCapacity", None),
    "easting_m": ("Easting", "easting"),
    "northing_m": ("Northing", "northing"),
    "lsoa_code": ("LSOA (code)", "lsoa_code"),
    "postcode": ("Postcode", None),
    "location_factor": ("LocationFactor", "sca_location_factor"),
    "location_flag": ("LocationFlag", "geo_flag"),
    **{f"sen_{i}": (f"SEN{i} (name)", None) for i in range(1, 14)},
}
"""Column here -> heading in the publisher's file, heading in the extract (None: the extract has no such column).

``LocationFactor`` and ``LocationFlag`` are no columns of the publisher: the extract carries them from other releases.
"""

REQUIRED: Final = ("urn", "name", "establishment_type", "education_phase", "council_dfe", "roll", "easting_m", "northing_m")
NUMBERS: Final = (
    "age_low", "age_high", "capacity", "roll", "places_pru", "percentage_fsm", "base_roll_rp", "base_places_rp",
    "base_roll_unit", "base_places_unit", "easting_m", "northing_m", "location_factor",
)  # fmt: skip
COLUMNS: Final = (
    "urn", "name", "kind", "status", "education_phase", "council_code", "age_low", "age_high", "capacity", "roll", "places_pru",
    "percentage_fsm", "sen_needs", "base_roll", "base_places", "easting_m", "northing_m", "location", "postcode", "location_factor",
)  # fmt: skip

KIND_OF_TYPE: Final[dict[str, str]] = {
    "Community special school": "state_special",
    "Foundation special school": "state_special",
    "Academy special converter": "state_special",
    "Academy special sponsor led": "state_special",
    "Free schools special": "state_special",
    "Non-maintained special school": "non_maintained",
    "Other independent special school": "independent_special",
    "Pupil referral unit": "ap",
    "Academy alternative provision converter": "ap",
    "Academy alternative provision sponsor led": "ap",
    "Free schools alternative provision": "ap",
    "Community school": "mainstream",
    "Voluntary aided school": "mainstream",
    "Voluntary controlled school": "mainstream",
    "Foundation school": "mainstream",
    "Academy converter": "mainstream",
    "Academy sponsor led": "mainstream",
    "Free schools": "mainstream",
    "City technology college": "mainstream",
    "University technical college": "mainstream",
    "Studio schools": "mainstream",
}
"""Type of establishment -> kind of provision; other types (colleges, nurseries, fee-paying schools, secure units) hold no places here."""

NEED_OF_SEN_TYPE: Final[dict[str, str]] = {
    "SPLD": "SPLD", "MLD": "MLD", "SLD": "SLD", "PMLD": "PMLD", "SEMH": "SEMH", "BESD": "SEMH", "SLCN": "SLCN",
    "HI": "HI", "VI": "VI", "MSI": "MSI", "PD": "PD", "ASD": "ASD", "OTH": "OTH",
}  # fmt: skip
"""First word of ``SEN1 (name)`` to ``SEN13 (name)`` -> need code (BESD is SEMH before 2014)."""

OPEN: Final = ("Open", "Open, but proposed to close")
FARTHEST_FROM_LSOA_M: Final = 15_000.0
"""No school of the 2025 register with good coordinates stands farther from the centroid of its own LSOA (the largest: 13.9 km)."""


SAME_SPOT_M: Final = 150.0
"""Two registers give the same buildings coordinates that differ by less than this."""


def register(data: Path) -> pd.DataFrame:
    """The best register of the data folder, open establishments only, one row per URN.

    Returns COLUMNS: ``kind`` as in terms.SETTING_KINDS or ``mainstream``; roll, capacity and places in pupils (empty = unknown);
    ``sen_needs`` need codes joined by ``|`` (empty = unknown); ``base_roll`` and ``base_places`` of resourced provision and SEN unit
    together; coordinates in EPSG:27700 metres; ``location`` = ``register`` or ``lsoa centroid`` (coordinates missing or wrong).
    Raises InputError when there is no register or it lacks a column.
    """
    known, points = councils(data), lsoas(data)[["lsoa_code", "easting_m", "northing_m"]]
    main, *parts = [read_register(path, known, points) for path in register_files(data)]
    for part in parts:
        main = _filled_in(main, part)
    return main


def sources(data: Path) -> list[Source]:
    """Provenance of the register files; the publisher's own file names its day (``edubasealldata20250524.csv``)."""
    described = []
    for path, source in zip(register_files(data), provenance(register_files(data)), strict=True):
        full = path.name.startswith("edubasealldata")
        about = {"title": "Get Information about Schools: all establishments", "publisher": DFE, "licence": OGL, "edition": path.stem[14:]}
        described.append(replace(source, **about) if full else source)
    return described


def register_files(data: Path) -> list[Path]:
    """The register file of the folder, then the partial files that add resourced provision. Raises InputError when there is none."""
    full = sorted([*data.glob("edubasealldata*.csv"), *data.glob("schools/edubasealldata*.csv")])
    if full:
        return full[-1:]
    extract = sorted(data.glob("schools/gias_open_england_*.csv*"))
    if not extract:
        remedy = "Download `all establishment data` from get-information-schools.service.gov.uk into the data folder (edubasealldata*.csv)."
        raise InputError([InputProblem(str(data), "no register of schools", remedy)])
    return [extract[-1], *sorted(data.glob("schools/gias_*_mainstream_*.csv"))]


def read_register(path: Path, known: pd.DataFrame, centroids: pd.DataFrame) -> pd.DataFrame:
    """One register file in either edition; open establishments of the known councils (council_code, council_code_dfe).

    ``centroids``: lsoa_code, easting_m, northing_m. See ``register`` for the columns and errors.
    """
    raw = _read(path)
    edition = 0 if HEADINGS["urn"][0] in raw.columns else 1
    names = {heading[edition]: column for column, heading in HEADINGS.items() if heading[edition] in raw.columns}
    missing = [HEADINGS[column][edition] for column in REQUIRED if HEADINGS[column][edition] not in raw.columns]
    if missing:
        remedy = "Give the register as the publisher writes it (edubasealldata*.csv)."
        raise InputError([InputProblem(path.name, "column is missing", remedy, row=1, column=heading) for heading in missing])
    table = raw.rename(columns=names).reindex(columns=list(HEADINGS))
    table["status"] = table["status"].astype(object).fillna(OPEN[0])
    table = table[table["status"].isin(OPEN)].copy()
    for column in NUMBERS:
        table[column] = pd.to_numeric(table[column], errors="coerce")
    table["kind"] = table["establishment_type"].map(KIND_OF_TYPE)
    council = known.set_index(known["council_code_dfe"].astype(str))["council_code"]
    table["council_code"] = table["council_dfe"].map(council)
    table = table[table["council_code"].notna() & table["kind"].notna()].copy()
    repeated = table.loc[table["urn"].duplicated(), "urn"]
    if len(repeated):
        raise InputError(
            [InputProblem(path.name, "URN occurs more than once", "Keep one row per school.", column="URN", value=urn) for urn in repeated]
        )
    table["sen_needs"] = _sen_needs(table)
    table["base_roll"] = table[["base_roll_rp", "base_roll_unit"]].sum(axis=1, min_count=1)
    table["base_places"] = table[["base_places_rp", "base_places_unit"]].sum(axis=1, min_count=1)
    return _located(table, centroids)[list(COLUMNS)].sort_values("urn").reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    for encoding in ("utf-8", "cp1252"):
        try:
            return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding=encoding)
        except UnicodeDecodeError:
            continue
    raise InputError([InputProblem(path.name, "can't be read as text", "Download it again; the publisher writes cp1252 (or UTF-8).")])


def _sen_needs(table: pd.DataFrame) -> list[str]:
    """Need codes of SEN1 to SEN13 in the publisher's order, joined by ``|``; empty when the register names none."""
    columns: Sequence[str] = [f"sen_{i}" for i in range(1, 14)]
    joined = []
    for row in table[columns].itertuples(index=False):
        needs = [NEED_OF_SEN_TYPE.get(str(cell).split(" ")[0].upper()) for cell in row if isinstance(cell, str)]
        joined.append("|".join(dict.fromkeys(need for need in needs if need)))
    return joined


def _located(table: pd.DataFrame, centroids: pd.DataFrame) -> pd.DataFrame:
    """Missing or wrong coordinates replaced by the centroid of the establishment's own LSOA, and marked; without either: left out."""
    own = centroids.set_index("lsoa_code").reindex(table["lsoa_code"])
    x, y = own["easting_m"].to_numpy(), own["northing_m"].to_numpy()
    off = np.hypot(table["easting_m"].to_numpy() - x, table["northing_m"].to_numpy() - y)
    wrong = table["location_flag"].eq("xy_far_from_lsoa").to_numpy() | ~(off <= FARTHEST_FROM_LSOA_M)
    use_centroid = wrong & ~np.isnan(x)
    table = table.assign(
        easting_m=np.where(use_centroid, x, table["easting_m"]),
        northing_m=np.where(use_centroid, y, table["northing_m"]),
        location=np.where(use_centroid, "lsoa centroid", "register"),
    )
    return table[table["easting_m"].gt(0) & table["northing_m"].gt(0)]


def _filled_in(main: pd.DataFrame, part: pd.DataFrame) -> pd.DataFrame:
    """``main`` with the resourced provision and need types that ``part`` knows, and capacities and ages that only it has.

    A school that has a new URN by now (an academy conversion, an amalgamation) is found by council and name, else on the same spot;
    figures of the new URN itself go before those of an old one, and a school that is nowhere any more is closed and left out.
    """
    known = part[part["base_places"].gt(0)]
    by_urn = known[known["urn"].isin(main["urn"])]
    hosts = main[main["kind"].eq("mainstream")]
    old = known[~known["urn"].isin(main["urn"])]
    successors = pd.Series([_successor(school, hosts) for school in old.itertuples()], index=old.index, dtype="str")
    found = pd.concat([by_urn, old.assign(urn=successors).dropna(subset="urn")]).drop_duplicates("urn")
    filled = main.set_index("urn")
    for column in ("base_roll", "base_places", "sen_needs"):
        filled.loc[found["urn"], column] = found[column].to_numpy()
    for column in ("capacity", "age_low", "age_high"):
        filled[column] = filled[column].fillna(part.set_index("urn")[column])
    return filled.reset_index()[list(COLUMNS)]


def _successor(school: Any, hosts: pd.DataFrame) -> str | None:
    """URN of the open school of the same council that bears the name or stands on the spot; None when there is none."""
    own = hosts[hosts["council_code"].eq(school.council_code)]
    namesakes = own[own["name"].str.casefold().eq(school.name.casefold())]
    if len(namesakes) == 1:
        return str(namesakes["urn"].iloc[0])
    off = np.hypot(own["easting_m"] - school.easting_m, own["northing_m"] - school.northing_m)
    return str(own.loc[off.idxmin(), "urn"]) if len(own) and off.min() <= SAME_SPOT_M else None
