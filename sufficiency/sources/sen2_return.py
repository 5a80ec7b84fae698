"""A council's own SEN2 return (person level), reduced at the door to what a forecast needs.

Two flavours: the CSV modules of a "Blade" export (``Blade-Export_<date>_<module>.csv``) and the XML of the collection.
Of a person stay: a keyed hash in place of the UPN, age and year group at 31 August, small area, primary need, placement.
Names, birth dates, postcodes, sex and ethnicity are never kept; a fault is reported by record number, without its value.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from sufficiency.sources.ehc_plans import NOT_RECORDED
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import NEEDS

MODULES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "sen2": ("", "sen2tableid", ("year", "referencedate", "lea")),
    "person": ("sen2tableid", "persontableid", ("personbirthdate", "postcode", "upn", "uniquelearnernumber")),
    "requests": ("persontableid", "requeststableid", ()),
    "assessment": ("requeststableid", "assessmenttableid", ()),
    "namedplan": ("assessmenttableid", "namedplantableid", ("startdate", "ceasedate", "ceasereason")),
    "activeplans": ("requeststableid", "activeplanstableid", ("transferla",)),
    "placementdetail": (
        "activeplanstableid",
        "placementdetailtableid",
        ("urn", "ukprn", "sensetting", "placementrank", "entrydate", "leavingdate", "senunitindicator", "resourcedprovisionindicator"),
    ),
    "senneed": ("activeplanstableid", "senneedtableid", ("sentype", "sentyperank")),
}
"""Module -> key of its parent, its own key, and the only fields that are read."""

XML_NAMES: Final = {
    "Requests": "requests",
    "Assessment": "assessment",
    "NamedPlan": "namedplan",
    "ActivePlans": "activeplans",
    "PlacementDetail": "placementdetail",
    "SENneed": "senneed",
}
"""Element of the XML -> module; the others (names among them) are passed over."""
ELSEWHERE: Final = frozenset({"OLA", "OPA", "EHE", "EYP", "OTH", "NEET", "NIEC", "NIEO"})
"""SENSetting codes: used where there is no URN or UKPRN; all are educated elsewhere, early years or not in education."""
TRANSFERRED: Final = "5"
"""Cease reason: moved to another council."""
BASE_CATEGORY: Final = "resourced_provision"
LEAST_KEY_BYTES: Final = 16
MOST_UNPLACED: Final = 0.02
"""Share of postcodes that may be missing from the lookup."""
POSTCODE_HEADINGS: Final = ("pcds", "pcd8", "pcd7", "pcd", "postcode")
LSOA_HEADINGS: Final = ("lsoa21cd", "lsoa21_code", "lsoa21", "area_id")


@dataclass(frozen=True)
class Sen2Return:
    """One return. ``pupils`` and ``ceased`` are pseudonymised person-level data: they stay in memory, never in a file or a log."""

    january: int
    council_dfe: str
    """Three-digit number of the council."""
    pupils: pd.DataFrame = field(repr=False)
    """pupil, age, year_group, need, area_id, category, setting_id, new_plan, transferred_in: plans held on the reference date."""
    ceased: pd.DataFrame = field(repr=False)
    """pupil, age (at the ceasing year's 31 August), transferred_out: plans that ended in the year before."""
    problems: tuple[InputProblem, ...] = ()
    """Warnings by record number."""


def read_return(path: Path, key: bytes, postcodes: Mapping[str, str], setting_kinds: Mapping[str, str]) -> Sen2Return:
    """Read a folder of Blade CSV modules or an XML file.

    ``key``: secret of at least 16 bytes; the same key links returns of several years. ``postcodes``: postcode without
    blanks -> LSOA (see ``read_postcodes``). ``setting_kinds``: URN -> category of placement (mainstream, state_special,
    ...). Raises InputError naming record numbers only.
    """
    if len(key) < LEAST_KEY_BYTES:
        raise InputError(
            [InputProblem("key", f"is shorter than {LEAST_KEY_BYTES} bytes", "Make one at random and keep it apart from the data.")]
        )
    modules = _read_xml(path) if Path(path).is_file() else _read_blade(path)
    return _reduced(modules, Path(path).name, key, postcodes, setting_kinds)


def read_postcodes(path: Path) -> dict[str, str]:
    """Postcode without blanks -> LSOA of 2021, from a lookup file (pcds or postcode; lsoa21cd). Raises InputError."""
    table = pd.read_csv(path, dtype=str)
    table.columns = table.columns.str.lower()
    postcode = next((name for name in POSTCODE_HEADINGS if name in table.columns), None)
    lsoa = next((name for name in LSOA_HEADINGS if name in table.columns), None)
    if postcode is None or lsoa is None:
        what, names = ("postcode", POSTCODE_HEADINGS) if postcode is None else ("LSOA", LSOA_HEADINGS)
        raise InputError([InputProblem(Path(path).name, f"has no {what} column", f"Name it one of {', '.join(names)}.")])
    return dict(zip(_plain_postcode(table[postcode]), table[lsoa], strict=True))


def _plain_postcode(postcodes: pd.Series) -> pd.Series:
    return postcodes.fillna("").str.replace(r"\s", "", regex=True).str.upper()


def _read_blade(folder: Path) -> dict[str, pd.DataFrame]:
    """Modules from the CSVs of a folder; columns that are not needed (names among them) are not read."""
    modules, problems = {}, []
    for module, (parent, own, fields) in MODULES.items():
        found = sorted(file for file in Path(folder).glob("*.csv") if re.fullmatch(rf"(?:.*[_-])?{module}", file.stem.lower()))
        if len(found) != 1:
            message = "is missing" if not found else "stands there more than once"
            problems.append(InputProblem(f"{module}.csv", f"module {message}", "Put one export, whole, into the folder."))
            continue
        wanted = {name for name in (parent, own, *fields) if name}
        heading = pd.read_csv(found[0], nrows=0).columns
        table = pd.read_csv(found[0], dtype=str, usecols=[name for name in heading if name.lower() in wanted], keep_default_na=False)
        table.columns = table.columns.str.lower()
        missing = sorted(wanted - set(table.columns))
        problems += [InputProblem(found[0].name, "column is missing", "Export the module again.", column=name) for name in missing]
        modules[module] = table.apply(lambda column: column.str.strip())
    if problems:
        raise InputError(problems)
    return modules


def _read_xml(path: Path) -> dict[str, pd.DataFrame]:
    """Modules from the collection's XML: one person at a time, needed fields only."""
    rows: dict[str, list[dict[str, str]]] = {module: [] for module in MODULES}
    try:
        for _, element in ElementTree.iterparse(path, events=("end",)):
            name = _local(element)
            if name == "Header":
                rows["sen2"].append({"sen2tableid": "1", **_fields(element, MODULES["sen2"][2], deep=True)})
            elif name == "Person":
                _collect(element, "person", "1", rows)
                element.clear()
    except ElementTree.ParseError as error:
        line, _ = error.position
        raise InputError([InputProblem(Path(path).name, "is not well-formed XML", "Export the return again.", row=line)]) from None
    return {
        module: pd.DataFrame(rows[module], columns=[name for name in (parent, own, *fields) if name])
        for module, (parent, own, fields) in MODULES.items()
    }


def _collect(element: ElementTree.Element, module: str, parent_key: str, rows: dict[str, list[dict[str, str]]]) -> None:
    parent, own, fields = MODULES[module]
    key = str(len(rows[module]) + 1)
    rows[module].append({parent: parent_key, own: key, **_fields(element, fields)})
    for child in element:
        if _local(child) in XML_NAMES:
            _collect(child, XML_NAMES[_local(child)], key, rows)


def _fields(element: ElementTree.Element, fields: tuple[str, ...], deep: bool = False) -> dict[str, str]:
    values = dict.fromkeys(fields, "")
    for child in element.iter() if deep else element:
        if _local(child).lower() in values:
            values[_local(child).lower()] = (child.text or "").strip()
    return values


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _reduced(
    modules: Mapping[str, pd.DataFrame], file: str, key: bytes, postcodes: Mapping[str, str], setting_kinds: Mapping[str, str]
) -> Sen2Return:
    problems: list[InputProblem] = []
    reference, council = _header(modules["sen2"], file)
    people = _people(modules["person"], reference, file, key, postcodes, problems)
    requests = modules["requests"].merge(people, on="persontableid", how="inner")
    plans = modules["activeplans"].merge(
        requests[["requeststableid", "pupil", "age", "area_id", "record"]], on="requeststableid", how="inner"
    )
    plans = plans.merge(_primary_needs(modules["senneed"]), on="activeplanstableid", how="left")
    plans = plans.merge(_placements(modules["placementdetail"], reference, setting_kinds), on="activeplanstableid", how="left")
    plans["need"] = plans["need"].fillna("")
    plans["category"], plans["setting_id"] = plans["category"].fillna(NOT_RECORDED), plans["setting_id"].fillna("")
    _warn(
        plans[~plans["need"].isin([need for need in NEEDS if need != "AP"])], "has no primary need of the list", file, "SENtype", problems
    )
    _warn(plans[plans["unknown_setting"].fillna(False).astype(bool)], "has a URN that the register does not hold", file, "URN", problems)
    _warn(plans[plans["category"] == NOT_RECORDED], "has no current placement of rank 1", file, "PlacementDetail", problems)
    named = (
        modules["namedplan"]
        .merge(modules["assessment"], on="assessmenttableid")
        .merge(requests[["requeststableid", "pupil", "age", "record"]], on="requeststableid")
    )
    started, ended = _dates(named["startdate"]), _dates(named["ceasedate"])
    new = set(named.loc[started.dt.year == reference.year - 1, "pupil"])
    gone = named[ended.notna() & (ended <= reference) & ~named["pupil"].isin(plans["pupil"])]
    twice = plans["pupil"].duplicated()
    _warn(plans[twice], "holds more than one plan; the first counts", file, "ActivePlans", problems)
    plans = plans[~twice]
    pupils = pd.DataFrame(
        {
            "pupil": plans["pupil"],
            "age": plans["age"],
            "year_group": plans["age"] - 4,
            "need": plans["need"],
            "area_id": plans["area_id"],
            "category": plans["category"],
            "setting_id": plans["setting_id"],
            "new_plan": plans["pupil"].isin(new),
            "transferred_in": plans["transferla"].fillna("") != "",
        }
    ).reset_index(drop=True)
    ceased = pd.DataFrame({"pupil": gone["pupil"], "age": gone["age"], "transferred_out": gone["ceasereason"] == TRANSFERRED})
    return Sen2Return(reference.year, council, pupils, ceased.reset_index(drop=True), tuple(problems))


def _header(sen2: pd.DataFrame, file: str) -> tuple[pd.Timestamp, str]:
    dates = _dates(sen2["referencedate"]) if len(sen2) else pd.Series(dtype="datetime64[ns]")
    if len(dates) != 1 or dates.isna().any():
        raise InputError([InputProblem(file, "has no reference date", "Export module 0 (header) with it.", column="ReferenceDate")])
    return pd.Timestamp(dates.iloc[0]), str(sen2["lea"].iloc[0])


def _people(
    person: pd.DataFrame, reference: pd.Timestamp, file: str, key: bytes, postcodes: Mapping[str, str], problems: list[InputProblem]
) -> pd.DataFrame:
    """persontableid, record, pupil, age, area_id: nothing else of the person goes on from here."""
    record = pd.Series(range(1, len(person) + 1), index=person.index)
    born = _dates(person["personbirthdate"])
    august = pd.Timestamp(reference.year - 1, 8, 31)
    age = august.year - born.dt.year - (born.dt.month > 8).astype(int)
    errors = [
        InputProblem(file, "has no usable birth date", "Correct it in the return.", row=int(number), column="PersonBirthDate")
        for number in record[born.isna()]
    ] + [
        InputProblem(file, "is not 0 to 25 at 31 August", "Correct the birth date.", row=int(number), column="PersonBirthDate")
        for number in record[born.notna() & ~age.between(0, 25)]
    ]
    identity = person["upn"].where(person["upn"] != "", person["uniquelearnernumber"])
    unlinked = identity == ""
    shown = identity.where(~unlinked, "record " + record.astype(str) + " of " + str(reference.year))
    pupil = shown.map(lambda text: hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:24])
    repeated = pupil.duplicated(keep="first")
    errors += [
        InputProblem(file, "has the UPN of an earlier record", "Keep one record per person.", row=int(number), column="UPN")
        for number in record[repeated]
    ]
    if errors:
        raise InputError(errors)
    area = _plain_postcode(person["postcode"]).map(dict(postcodes))
    lost = record[area.isna()]
    if len(lost) > MOST_UNPLACED * len(person):
        remedy = f"Use a lookup of the return's year; {len(lost)} of {len(person)} records are not in it."
        raise InputError(
            [InputProblem(file, "has a postcode that the lookup does not hold", remedy, row=int(n), column="Postcode") for n in lost[:20]]
        )
    remedy = "Their pupils count for the council, not for an area."
    problems += [
        InputProblem(file, "has a postcode that the lookup does not hold", remedy, row=int(n), column="Postcode", level="warning")
        for n in lost
    ]
    problems += [
        InputProblem(file, "has no UPN or ULN and can't be followed", "Add it when known.", row=int(n), column="UPN", level="warning")
        for n in record[unlinked]
    ]
    return pd.DataFrame(
        {"persontableid": person["persontableid"], "record": record, "pupil": pupil, "age": age.astype(int), "area_id": area.fillna("")}
    )


def _primary_needs(senneed: pd.DataFrame) -> pd.DataFrame:
    first = senneed[senneed["sentyperank"].isin(["1", ""])].drop_duplicates("activeplanstableid")
    return first[["activeplanstableid", "sentype"]].rename(columns={"sentype": "need"})


def _placements(detail: pd.DataFrame, reference: pd.Timestamp, setting_kinds: Mapping[str, str]) -> pd.DataFrame:
    """The placement of rank 1 on the reference date of each plan: category and setting."""
    entered, left = _dates(detail["entrydate"]), _dates(detail["leavingdate"])
    current = detail[detail["placementrank"].isin(["1", ""]) & ~(entered > reference) & ~(left <= reference)]
    current = current.assign(entered=entered).sort_values("entered").drop_duplicates("activeplanstableid", keep="last")
    kind = current["urn"].map(dict(setting_kinds))
    provider = kind.isna() & (current["ukprn"] != "")
    unknown = (current["urn"] != "") & kind.isna() & ~provider
    based = _true(current["senunitindicator"]) | _true(current["resourcedprovisionindicator"])
    category = kind.mask((kind == "mainstream") & based, BASE_CATEGORY)
    category = category.mask(provider, "further_education")
    category = category.mask(category.isna() & current["sensetting"].isin(ELSEWHERE), "elsewhere")
    return pd.DataFrame(
        {
            "activeplanstableid": current["activeplanstableid"],
            "category": category,
            "setting_id": current["urn"].where(~unknown, ""),
            "unknown_setting": unknown,
        }
    )


def _true(column: pd.Series) -> pd.Series:
    return column.str.lower().isin(["1", "true", "y", "yes"])


def _dates(column: pd.Series) -> pd.Series:
    """Dates as ``2022-Sep-28 00:00:00``, ``2022-09-28`` or ``28/09/2022``; others are empty."""
    text = column.fillna("").str.slice(0, 11).str.strip()
    found = pd.Series(pd.NaT, index=column.index, dtype="datetime64[ns]")
    for layout in ("%Y-%b-%d", "%Y-%m-%d", "%d/%m/%Y"):
        found = found.fillna(pd.to_datetime(text.str.replace("T", "", regex=False), format=layout, errors="coerce"))
    return found


def _warn(rows: pd.DataFrame, message: str, file: str, column: str, problems: list[InputProblem]) -> None:
    remedy = "Correct it in the return; the pupil is counted without it."
    problems += [InputProblem(file, message, remedy, row=int(number), column=column, level="warning") for number in rows["record"]]
