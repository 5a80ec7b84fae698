"""Where the publishers' files stand in a data folder, how they are read, and what is said of them.

A release may stand in the folder as its publisher packs it (the zip of explore-education-statistics,
or its CSV files) or as a cut of it. Both layouts are read: each reader lists the headings of every
edition in one table, and the first edition whose headings are all there is taken.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.case import Source
from sufficiency.tables.problems import InputError, InputProblem

DFE = "Department for Education"
OGL = "Open Government Licence v3.0"
NOT_A_FIGURE = frozenset({"x", "z", "c", "u", "k", ":", ""})
"""Marks that statistical releases print instead of a figure: unavailable, not applicable, confidential."""

PLANS_ZIP = "education-health-and-care-plans_2025.zip"


@dataclass(frozen=True)
class Release:
    """A publisher's file: what it is, and the names under which it may stand, best first.

    A name is a path in the data folder; ``archive.zip::member.csv`` is a table in a publisher's
    archive, wherever in the archive it lies.
    """

    title: str
    publisher: str
    edition: str
    licence: str
    names: tuple[str, ...]


def _dfe(title: str, edition: str, *names: str) -> Release:
    return Release(title, DFE, edition, OGL, names)


RELEASES: dict[str, Release] = {
    "caseload": _dfe(
        "Education, health and care plans: caseload each January",
        "Reporting year 2025",
        "la_stats/sen2_2025_caseload.csv.gz",
        "la_stats/caseload.csv",
        f"la_stats/{PLANS_ZIP}::caseload.csv",
        f"{PLANS_ZIP}::caseload.csv",
    ),
    "needs": _dfe(
        "Education, health and care plans: primary need by placement and age",
        "Reporting year 2025",
        "la_stats/la_ehcp_by_need_jan2025.csv",
        "la_stats/sen2_2025_sen_needs_all_plans.csv.gz",
        "la_stats/sen_needs_all_plans.csv",
        f"la_stats/{PLANS_ZIP}::sen_needs_all_plans.csv",
        f"{PLANS_ZIP}::sen_needs_all_plans.csv",
    ),
    "new_plans": _dfe(
        "Education, health and care plans: new plans each calendar year by age",
        "Reporting year 2025",
        "la_stats/sen2_2025_newplans.csv.gz",
        "la_stats/newplans.csv",
        f"la_stats/{PLANS_ZIP}::newplans.csv",
        f"{PLANS_ZIP}::newplans.csv",
    ),
    "new_plan_needs": _dfe(
        "Education, health and care plans: primary need of new plans",
        "Reporting year 2025",
        "la_stats/sen2_2025_sen_need_newplans.csv.gz",
        "la_stats/sen_need_newplans.csv",
        f"la_stats/{PLANS_ZIP}::sen_need_newplans.csv",
        f"{PLANS_ZIP}::sen_need_newplans.csv",
    ),
    "requests": _dfe(
        "Education, health and care plans: requests for assessment each calendar year",
        "Reporting year 2025",
        "la_stats/sen2_2025_requests.csv.gz",
        "la_stats/requests.csv",
        f"la_stats/{PLANS_ZIP}::requests.csv",
        f"{PLANS_ZIP}::requests.csv",
    ),
    "ceased_plans": _dfe(
        "Education, health and care plans: plans ceased each calendar year by age",
        "Reporting year 2025",
        "la_stats/sen2_2025_ceased_plans.csv.gz",
        "la_stats/ceased_plans.csv",
        f"la_stats/{PLANS_ZIP}::ceased_plans.csv",
        f"{PLANS_ZIP}::ceased_plans.csv",
    ),
    "establishments": _dfe(
        "Education, health and care plans and statements by type of establishment, 2015 to 2022",
        "Reporting year 2022",
        "la_stats/sen2_2022_estab_caseload_2015_2022.csv.gz",
    ),
    "exclusions": _dfe(
        "Permanent and fixed-period exclusions by council",
        "2006/07 to 2016/17",
        "la_stats/la_exclusions_2006_2017.csv.gz",
    ),
    "age_bands": _dfe(
        "Education, health and care plans: caseload by age band, 2010 to 2023",
        "SEND and AP inclusion dashboard",
        "la_stats/ehcp_age_profile_2010_2023.csv.gz",
    ),
    "ap_counts": _dfe(
        "Schools, pupils and their characteristics: pupils in alternative provision",
        "Academic years 2017/18 to 2022/23",
        "la_stats/ap_counts_2018_2023.csv.gz",
    ),
    "council_funded_ap": _dfe(
        "Schools, pupils and their characteristics: council-funded alternative provision by age",
        "Academic years 2017/18 to 2022/23",
        "la_stats/la_funded_ap_by_age.csv",
    ),
    "councils": Release(
        "Local authorities of England with their regions",
        "Office for National Statistics",
        "2023",
        f"{OGL}; contains OS data",
        ("boundaries/la_lookup.csv",),
    ),
    "small_areas": Release(
        "Small areas of England (LSOA 2021): population by age, deprivation 2025, rurality 2021, population-weighted points",
        "Office for National Statistics; Ministry of Housing, Communities and Local Government; Ordnance Survey",
        "Census 2021, mid-2020 estimates, IMD 2025",
        f"{OGL}; contains OS data",
        ("demand/lsoa21_england.parquet",),
    ),
    "single_ages": Release(
        "Residents by single year of age (LSOA 2011)",
        "Office for National Statistics",
        "Mid-2020",
        OGL,
        ("demand/lsoa11_mye2020_age0_25.parquet",),
    ),
    "lsoa_lookup": Release(
        "Small areas of 2011 to small areas of 2021",
        "Office for National Statistics",
        "2021",
        OGL,
        ("demand/lsoa11_lsoa21_lookup.csv.gz",),
    ),
    "lsoa_shapes": Release(
        "Boundaries of the small areas of England (LSOA 2021), generalised",
        "Office for National Statistics",
        "2021",
        f"{OGL}; contains OS data",
        ("boundaries/lsoa21_england.parquet",),
    ),
    "council_shapes": Release(
        "Boundaries of the upper-tier local authorities of England, generalised",
        "Office for National Statistics",
        "2023",
        f"{OGL}; contains OS data",
        ("boundaries/la_upper_tier_2023_england.geojson",),
    ),
    "specialist_settings": _dfe(
        "Get Information about Schools: specialist and AP settings", "24 May 2025", "schools/specialist_settings_20250524.csv"
    ),
    "open_schools": _dfe("Get Information about Schools: open establishments", "24 May 2025", "schools/gias_open_england_20250524.csv.gz"),
    "bases_hampshire_surrey": _dfe(
        "Get Information about Schools: mainstream schools of Hampshire and Surrey",
        "20 April 2022",
        "schools/gias_hampshire_surrey_mainstream_20220420.csv",
    ),
    "high_needs_benchmarking": _dfe("High needs benchmarking", "2021-22", "la_stats/high_needs_benchmarking_2021_22.csv"),
    "special_school_spend": _dfe(
        "Section 251: spending on special schools", "2018 to 2022", "la_stats/s251_special_school_spend_2018_2022.csv.gz"
    ),
}
"""Every release that the build reads. One more row makes another release or another packing known."""


def find(data: Path, release: str) -> tuple[Path, str | None]:
    """The file of a release in the data folder, and the member when it lies in an archive.

    Raises InputError when it is under none of its names.
    """
    names = RELEASES[release].names
    for name in names:
        file, _, member = name.partition("::")
        path = Path(data) / file
        if not path.is_file():
            continue
        if not member:
            return path, None
        with zipfile.ZipFile(path) as archive:
            for inside in archive.namelist():
                if Path(inside).name == member:
                    return path, inside
    raise InputError(
        [
            InputProblem(
                names[0],
                f"file is missing: {RELEASES[release].title}",
                f"Put it into {data} under one of these names: {', '.join(names)}.",
            )
        ]
    )


def read(data: Path, release: str, editions: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A release as text, its columns named by the keys of the first edition whose headings are all there.

    ``editions``: name of the edition -> {name here: heading in the file}; other columns keep their headings.
    Raises InputError naming the headings that are missing from the closest edition.
    """
    path, member = find(data, release)
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        elif member is None:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        else:
            with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
                table = pd.read_csv(stream, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise InputError([InputProblem(path.name, f"can't be read: {error}", "Download it again from its publisher.")]) from error
    missing = {name: [heading for heading in headings.values() if heading not in table.columns] for name, headings in editions.items()}
    edition = min(missing, key=lambda name: len(missing[name]))
    if missing[edition]:
        raise InputError(
            [
                InputProblem(
                    path.name,
                    f"column is missing (closest edition known: {edition})",
                    "Give the release in its publisher's layout, or add the edition's headings to the reader.",
                    column=heading,
                )
                for heading in missing[edition]
            ]
        )
    return table.rename(columns={heading: name for name, heading in editions[edition].items()})


def numbers(table: pd.DataFrame, columns: Iterable[str], file: str) -> pd.DataFrame:
    """The table with these columns as figures; a publisher's mark (x, z, c) becomes an empty cell, never zero.

    Raises InputError for any other text, with its row.
    """
    table = table.copy()
    problems = []
    rows = table.index.tolist()
    for column in columns:
        text = table[column].astype(str).str.strip().str.replace(",", "")
        figures = pd.to_numeric(text.where(~text.str.lower().isin(NOT_A_FIGURE)), errors="coerce")
        strange = np.flatnonzero(figures.isna() & ~text.str.lower().isin(NOT_A_FIGURE | {"nan"}))
        remedy = "Give a number, or x when it is not available."
        problems += [
            InputProblem(file, "not a figure", remedy, row=rows[place] + 2, column=column, value=text.iloc[place]) for place in strange
        ]
        table[column] = figures
    if problems:
        raise InputError(problems)
    return table


def provenance(paths: Iterable[Path]) -> list[Source]:
    """Title, publisher, edition, licence and sha256 of each file; a file that no release names is the user's own."""
    known = {Path(name.partition("::")[0]).name: release for release in RELEASES.values() for name in release.names}
    sources = []
    for path in map(Path, paths):
        release = known.get(path.name, Release(path.name, "given by the user", "", "", ()))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        sources.append(Source(release.title, release.publisher, release.edition, release.licence, digest))
    return sources
