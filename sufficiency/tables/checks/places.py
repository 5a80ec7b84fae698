"""Settings, pools and the register: do the places exist, where, for whom, and how full are they?"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from sufficiency.case import file_of
from sufficiency.tables.checks.evidence import Evidence, Findings, NotRun, records
from sufficiency.tables.problems import InputProblem
from sufficiency.tables.schemas import PRIVATE
from sufficiency.terms import PHASES, split_codes

REGISTER: Final = "the register of schools"
BOUNDARY: Final = "the boundary of England"
POSTCODES: Final = "a postcode lookup"

FORMER_COUNCILS: Final[dict[str, str]] = {
    "E06000028": "E06000058 (Bournemouth, Christchurch and Poole)",
    "E06000029": "E06000058 (Bournemouth, Christchurch and Poole)",
    "E10000002": "E06000060 (Buckinghamshire)",
    "E10000006": "E06000063 (Cumberland) or E06000064 (Westmorland and Furness)",
    "E10000009": "E06000059 (Dorset)",
    "E10000021": "E06000061 (North Northamptonshire) or E06000062 (West Northamptonshire)",
    "E10000023": "E06000065 (North Yorkshire)",
    "E10000027": "E06000066 (Somerset)",
}
"""Codes of councils reorganised from 2019 to 2023, with their successors (ONS Register of Geographic Codes)."""


def register_knows(evidence: Evidence) -> Findings:
    """V01: a setting with a URN is in the register, open or proposed. Ids of the user's own are left alone."""
    register = evidence.references.register
    if register is None:
        yield NotRun(REGISTER)
        return
    urn = _urns(evidence.case.settings["setting_id"])
    unknown = urn.notna() & ~urn.isin(set(register["urn"].astype("str")))
    yield from evidence.problems(
        "settings", unknown, "URN is not in the register", "Correct the URN, or give the setting an id of your own.", "setting_id"
    )
    if "status" not in register.columns:
        yield NotRun("the status column of the register", "open or proposed")
        return
    status = urn.map(_by_urn(register, "status"))
    closed = status.str.lower().str.startswith("closed").fillna(False)
    yield from evidence.problems(
        "settings", closed.astype(bool), "is closed in the register", "Remove it, or use its successor's URN.", "setting_id"
    )


def inside_england(evidence: Evidence) -> Findings:
    """V03: coordinates lie in England, are not swapped, and lie within 50 m of the setting's postcode."""
    england, register, postcodes = evidence.references.england, evidence.references.register, evidence.references.postcodes
    if england is None and postcodes is None:
        yield NotRun(f"{BOUNDARY} or {POSTCODES}")
        return
    if england is None:
        yield NotRun(BOUNDARY, "inside England")
    else:
        yield from _inside(evidence, england)
    if register is None or postcodes is None or "postcode" not in register.columns:
        yield NotRun(f"{REGISTER} with postcodes, and {POSTCODES}", "within 50 m of the postcode")
    else:
        yield from _near_postcode(evidence, register, postcodes)


def _inside(evidence: Evidence, england: BaseGeometry) -> Findings:
    shapely.prepare(england)
    for table, name in (("areas", "area_id"), ("settings", "setting_id"), ("projects", "project_id")):
        rows = getattr(evidence.case, table)
        east, north = rows["easting_m"].to_numpy(dtype=float), rows["northing_m"].to_numpy(dtype=float)
        outside = np.isfinite(east) & ~shapely.contains_xy(england, east, north)
        swapped = outside & shapely.contains_xy(england, north, east)
        shown = rows[name] + " at " + rows["easting_m"].map("{:.0f}".format) + ", " + rows["northing_m"].map("{:.0f}".format)
        message, remedy = "easting and northing are swapped", "Swap them."
        yield from evidence.problems(table, pd.Series(swapped), message, remedy, "easting_m", shown)
        message, remedy = "lies outside England", "Correct the coordinates (EPSG:27700, metres)."
        yield from evidence.problems(table, pd.Series(outside & ~swapped), message, remedy, "easting_m", shown)


def _near_postcode(evidence: Evidence, register: pd.DataFrame, postcodes: pd.DataFrame) -> Findings:
    settings = evidence.case.settings
    points = postcodes.assign(postcode=tidy_postcode(postcodes["postcode"])).drop_duplicates("postcode").set_index("postcode")
    postcode = tidy_postcode(_urns(settings["setting_id"]).map(_by_urn(register, "postcode")))
    east = postcode.map(points["easting_m"]) - settings["easting_m"]
    north = postcode.map(points["northing_m"]) - settings["northing_m"]
    off = (east**2 + north**2) ** 0.5
    shown = settings["setting_id"] + ": " + off.map("{:,.0f} m".format)
    message, remedy = "lies more than 50 m from its postcode", "Correct the coordinates or the postcode."
    yield from evidence.problems("settings", off > 50, message, remedy, "setting_id", shown, level="warning")


def council_codes_current(evidence: Evidence) -> Findings:
    """V04: no code of a council that has been reorganised."""
    for table in ("councils", "areas", "settings", "projects"):
        codes = getattr(evidence.case, table)["council_code"]
        for code in sorted(set(codes) & set(FORMER_COUNCILS)):
            message, remedy = "is the code of a council that no longer exists", f"Use {FORMER_COUNCILS[code]}."
            yield from evidence.problems(table, codes == code, message, remedy, "council_code")


def ages_fit(evidence: Evidence) -> Findings:
    """V07: the phases of a pool overlap the statutory ages of its setting; persons are 0 to 25 at 31 August."""
    pools = evidence.pools
    misfits = pd.Series(
        [
            [phase for phase in split_codes(row["phases"]) if _outside_ages(phase, row["age_low"], row["age_high"])]
            for row in records(pools)
        ],
        index=pools.index,
        dtype=object,
    )
    shown = misfits.map("|".join) + " at ages " + pools["age_low"].map("{:.0f}".format) + " to " + pools["age_high"].map("{:.0f}".format)
    message, remedy = "phases lie outside the statutory ages of the setting", "Correct the phases of the pool, or the ages of the setting."
    yield from evidence.problems("pools", misfits.map(bool), message, remedy, "phases", shown, level="warning")
    persons = evidence.references.persons
    if persons is None:
        yield NotRun("the person-level SEN2 return", "age of each person")
        return
    born = pd.to_datetime(persons["birth_date"])
    cutoff = pd.Timestamp(evidence.case.base_january - 1, 8, 31)
    age = cutoff.year - born.dt.year - ((born.dt.month > 8).astype(int))
    wrong = born.isna() | (age < 0) | (age > 25)
    rows = [int(position) + 2 for position in wrong.to_numpy().nonzero()[0]]
    for row in rows[:20]:
        yield InputProblem(
            "persons", f"age at 31 August {cutoff.year} is not 0 to 25", "Correct the date of birth.", row=row, column="birth_date"
        )


def bases_known(evidence: Evidence) -> Findings:
    """V09: a resourced provision or SEN unit stands in a mainstream school that the register knows to have one."""
    register = evidence.references.register
    if register is None or not {"kind", "base_places"} <= set(register.columns):
        yield NotRun(f"{REGISTER} with kinds and places of resourced provisions")
        return
    settings = evidence.case.settings
    base = settings["kind"] == "resourced_provision"
    urn = _urns(settings["setting_id"])
    kind, places = urn.map(_by_urn(register, "kind")), urn.map(_by_urn(register, "base_places"))
    message, remedy = "is not a mainstream school in the register", "Correct the kind or the URN."
    yield from evidence.problems("settings", base & kind.notna() & (kind != "mainstream"), message, remedy, "setting_id")
    message, remedy = "has no resourced provision or SEN unit in the register", "Check with the school; the register may lag behind."
    yield from evidence.problems("settings", base & (kind == "mainstream") & (places == 0), message, remedy, "setting_id", level="warning")
    placements = evidence.references.person_placements
    if placements is None:
        yield NotRun("the person-level SEN2 return", "flags of each placement")
        return
    flagged = placements["in_base"].astype(bool) & (placements["urn"].astype("str").map(_by_urn(register, "kind")) != "mainstream")
    for position in flagged.to_numpy().nonzero()[0][:20]:
        remedy = "Clear the flag, or correct the URN."
        yield InputProblem(
            "person placements",
            "a unit or resourced provision is flagged at a school that is not mainstream",
            remedy,
            row=int(position) + 2,
        )


def occupancy_plausible(evidence: Evidence) -> Findings:
    """V11: a pool with pupils has places; occupancy is from 40 to 150 %."""
    pools = evidence.pools[~evidence.pools["kind"].isin(PRIVATE)]
    located = pools.reindex(evidence.pools.index)
    none = (located["pupils"] > 0) & (located["places"] <= 0)
    shown = located["pool_id"] + ": " + located["pupils"].map("{:.1f} pupils".format)
    yield from evidence.problems("pools", none.astype(bool), "has pupils but no places", "Give its places.", "places", shown)
    share = located["pupils"] / located["places"].where(located["places"] > 0)
    shown = located["pool_id"] + ": " + (100 * share).map("{:.0f} %".format)
    for wrong, words in ((share > 1.5, "is more than 150 % full"), (share < 0.4, "is less than 40 % full")):
        remedy = "Check its places and placements."
        yield from evidence.problems("pools", wrong, words, remedy, "places", shown, level="warning")


def pools_add_up(evidence: Evidence) -> Findings:
    """V12: the places of a setting's pools add up to the places of the setting (within half a place)."""
    settings = evidence.case.settings
    of_pools = settings["setting_id"].map(evidence.case.pools.groupby("setting_id")["places_total"].sum())
    gap = of_pools - settings["places"]
    shown = settings["setting_id"] + ": pools " + of_pools.map("{:.1f}".format) + ", setting " + settings["places"].map("{:.1f}".format)
    message, remedy = "its pools have more places than the setting", "Correct pools.csv or settings.csv."
    yield from evidence.problems("settings", gap > 0.5, message, remedy, "places", shown)
    # A mainstream school has more places than its resourced provision.
    short = (gap < -0.5) & (settings["kind"] != "resourced_provision")
    yield from evidence.problems(
        "settings", short, "its pools have fewer places than the setting", remedy, "places", shown, level="warning"
    )


def capacity_survey_agrees(evidence: Evidence) -> Findings:
    """V13: special school places by council are within 10 % of the school capacity survey."""
    survey = evidence.references.school_capacity
    if survey is None:
        yield NotRun("the school capacity survey")
        return
    special = evidence.pools[evidence.pools["kind"].isin(["state_special", "non_maintained"])]
    here = special.groupby("council_code")["places_total"].sum()
    for row in records(survey[survey["council_code"].isin(evidence.case.councils["council_code"])]):
        places, surveyed = float(here.get(row["council_code"], 0.0)), float(row["special_places"])
        if abs(places - surveyed) > 0.1 * surveyed:
            message = f"special school places are {places:,.0f}, the school capacity survey says {surveyed:,.0f}"
            yield InputProblem(
                file_of("pools"), message, "Check which is right.", column="places_total", value=row["council_code"], level="warning"
            )


def bases_not_overfull(evidence: Evidence) -> Findings:
    """V14: the roll of a resourced provision or SEN unit does not exceed its places."""
    settings = evidence.case.settings
    over = (settings["kind"] == "resourced_provision") & (settings["roll"] > settings["places"])
    message, remedy = "has more pupils on roll than places", "Check roll and places."
    shown = (
        settings["setting_id"] + ": roll " + settings["roll"].map("{:.0f}".format) + ", places " + settings["places"].map("{:.0f}".format)
    )
    yield from evidence.problems("settings", over, message, remedy, "roll", shown, level="warning")


def closing_places_followed(evidence: Evidence) -> Findings:
    """V29: pupils at a closing or closed site are followed by a project that keeps or replaces their places."""
    case, pools = evidence.case, evidence.pools
    rescuing = case.projects[(case.projects["effect"] != "add") & (case.projects["decision"] != "forbidden")]
    left = pools["places_total"] - pools["places_at_risk"]
    stranded = pools["at_risk_from"].notna() & (pools["pupils"] > left) & ~pools["pool_id"].isin(set(rescuing["from_pool_id"].dropna()))
    shown = pools["pool_id"] + ": " + pools["pupils"].map("{:.1f} pupils".format)
    message, remedy = "has pupils in places that end, and no project keeps or replaces them", "Add a project, or expect unmet need."
    yield from evidence.problems("pools", stranded, message, remedy, "at_risk_from", shown, level="warning")
    register = evidence.references.register
    if register is None or "status" not in register.columns:
        yield NotRun(f"{REGISTER} with status", "closed in the register")
        return
    status = _urns(pools["setting_id"]).map(_by_urn(register, "status")).fillna("").str.lower()
    message, remedy = "has pupils at a school that the register calls closed", "Move the placements to the successor."
    yield from evidence.problems("pools", status.str.startswith("closed") & (pools["pupils"] > 0), message, remedy, "setting_id")
    message, remedy = "has pupils at a school that is proposed to close", "Give at_risk_from and places_at_risk."
    unmarked = status.str.contains("proposed to close") & (pools["pupils"] > 0) & pools["at_risk_from"].isna()
    yield from evidence.problems("pools", unmarked, message, remedy, "setting_id", level="warning")


def zero_is_meant(evidence: Evidence) -> Findings:
    """V30: a 0 where other tables show pupils or places was probably a blank (unknown)."""
    settings = evidence.case.settings
    by_setting = evidence.pools.groupby("setting_id")[["places_total", "pupils"]].sum()
    places, pupils = settings["setting_id"].map(by_setting["places_total"]), settings["setting_id"].map(by_setting["pupils"])
    remedy = "Leave the cell empty if the figure is unknown."
    contradicted = (settings["places"] == 0) & (places > 0)
    yield from evidence.problems(
        "settings", contradicted, "0 places although its pools have places", remedy, "places", settings["setting_id"], level="warning"
    )
    contradicted = (settings["roll"] == 0) & (pupils > 0)
    yield from evidence.problems(
        "settings", contradicted, "0 pupils although pupils are placed there", remedy, "roll", settings["setting_id"], level="warning"
    )
    yield from evidence.problems(
        "settings", settings["age_high"] == 0, "oldest age is 0", remedy, "age_high", settings["setting_id"], level="warning"
    )


def tidy_postcode(postcodes: pd.Series[str]) -> pd.Series[str]:
    """Postcodes in capitals without spaces."""
    return postcodes.str.upper().str.replace(" ", "", regex=False)


def _urns(ids: pd.Series[str]) -> pd.Series[str]:
    """The URN that an id begins with (100001, 100001-unit); empty for ids of the user's own."""
    return ids.str.extract(r"^(\d{6})(?!\d)", expand=False)


def _by_urn(register: pd.DataFrame, column: str) -> pd.Series[str]:
    return register.assign(urn=register["urn"].astype("str")).drop_duplicates("urn").set_index("urn")[column]


def _outside_ages(phase: str, age_low: float, age_high: float) -> bool:
    """True when no age of the phase is served; a setting to 16 teaches pupils who are 15 at 31 August. Unknown ages fit."""
    first, last = PHASES[phase]
    return last < age_low or first >= age_high
