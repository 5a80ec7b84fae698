"""Checks against a register, postcodes, boundaries and returns of persons: each finds its fault, and none names a person."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import shapely
from checked_case import CASE, NEED_A_TABLE, NEEDS, PERSONS, PLACED, POSTCODES, REGISTER, SOUND, found
from hand_case import changed

from sufficiency.tables.checks import References, check_case

PersonFault = tuple[str, References, str, str, int | None]
REFERENCE_FAULTS: dict[str, PersonFault] = {
    "URN not in the register": ("V01", replace(SOUND, register=REGISTER[1:]), "error", "not in the register", 2),
    "school closed": ("V01", replace(SOUND, register=REGISTER.assign(status="Closed")), "error", "is closed", 2),
    "postcodes that lead nowhere": ("V02", replace(SOUND, postcodes=POSTCODES[1:]), "error", "1 of 2 postcodes (50.0%)", None),
    "outside England": ("V03", replace(SOUND, england=shapely.box(401_000, 295_000, 410_000, 310_000)), "error", "outside England", 2),
    "swapped coordinates": ("V03", replace(SOUND, england=shapely.box(295_000, 390_000, 310_000, 410_000)), "error", "swapped", 2),
    "far from the postcode": (
        "V03",
        replace(SOUND, postcodes=POSTCODES.assign(northing_m=[301_051, 305_000])),
        "warning",
        "more than 50 m",
        2,
    ),
    "no primary need": ("V06", replace(SOUND, person_needs=NEEDS.assign(rank=[2, 2, 1])), "error", "rank 1", 2),
    "two primary needs": ("V06", replace(SOUND, person_needs=NEEDS.assign(rank=[1, 1, 1])), "error", "rank 1", 2),
    "too old": ("V07", replace(SOUND, persons=PERSONS.assign(birth_date=["2012-09-01", "1995-08-31"])), "error", "0 to 25", 3),
    "leaves before entering": (
        "V08",
        replace(SOUND, person_placements=PLACED.assign(leaving_date=["2019-08-31", None, None])),
        "error",
        "before the entry",
        2,
    ),
    "two current placements": (
        "V08",
        replace(SOUND, person_placements=PLACED.assign(leaving_date=[None, None, None])),
        "error",
        "exactly one current",
        2,
    ),
    "unit flagged at a special school": (
        "V09",
        replace(SOUND, person_placements=PLACED.assign(in_base=[False, True, False])),
        "error",
        "not mainstream",
        3,
    ),
    "plans off the register of totals": (
        "V10",
        replace(SOUND, published_totals={"N1": 100.0, "N2": 120.0}),
        "error",
        "total is 100.0",
        None,
    ),
    "capacity survey differs": (
        "V13",
        replace(SOUND, school_capacity=pd.DataFrame({"council_code": ["N1"], "special_places": [51]})),
        "warning",
        "survey says 51",
        None,
    ),
    "budget off the allocation": ("V21", replace(SOUND, allocations={"N1-capital": 3_900_000.0}), "error", "allocation is 3,900,000", None),
    "phases off the forecast": (
        "V25",
        replace(SOUND, forecast_totals=SOUND.forecast_totals.assign(ehc_plans=150.0)),  # type: ignore[union-attr]
        "error",
        "forecast total is 150.0",
        None,
    ),
    "probabilities above 1": ("V26", replace(SOUND, scenario_probabilities={"central": 1.5}), "error", "from 0 to 1", None),
    "probabilities short of 1": ("V26", replace(SOUND, scenario_probabilities={"central": 0.9}), "error", "sum to 1", None),
    "probability of no scenario": ("V26", replace(SOUND, scenario_probabilities={"central": 1, "high": 0}), "error", "no scenario", None),
    "UPN twice": ("V28", replace(SOUND, persons=PERSONS.assign(upn="A123")), "error", "UPN", 3),
    "perhaps one child twice": (
        "V28",
        replace(SOUND, persons=PERSONS.assign(postcode="AA1 1AA", birth_date="2012-09-01")),
        "warning",
        "postcode and date of birth",
        3,
    ),
    "pupils at a closed school": ("V29", replace(SOUND, register=REGISTER.assign(status="Closed")), "error", "calls closed", 2),
    "pupils at a closing school": (
        "V29",
        replace(SOUND, register=REGISTER.assign(status="Open, but proposed to close")),
        "warning",
        "proposed to close",
        2,
    ),
}


@pytest.mark.parametrize("fault", REFERENCE_FAULTS)
def test_a_fault_against_a_reference_is_found(fault: str) -> None:
    code, references, level, words, row = REFERENCE_FAULTS[fault]
    problems = [problem for problem in found(CASE, code, references) if words in problem.message]
    assert problems
    assert {problem.level for problem in problems} == {level}
    assert problems[0].row == row


def test_every_check_with_a_reference_has_a_fault_that_triggers_it() -> None:
    assert {code for code, *_ in REFERENCE_FAULTS.values()} >= NEED_A_TABLE


def test_bases_must_stand_in_schools_that_have_one() -> None:
    case = changed(CASE, "settings", 0, kind="resourced_provision")
    assert "not a mainstream school" in found(case, "V09", SOUND)[0].message
    register = REGISTER.assign(kind="mainstream", base_places=[0, None, None])
    (problem,) = found(case, "V09", replace(SOUND, register=register))
    assert (problem.level, problem.row) == ("warning", 2)


def test_no_person_is_named() -> None:
    persons = PERSONS.assign(upn="A123", postcode="ZZ9 9ZZ", birth_date="1990-01-01")
    references = replace(SOUND, persons=persons, person_needs=NEEDS.assign(rank=2), person_placements=PLACED.assign(in_base=True))
    text = "\n".join(str(problem) for problem in check_case(CASE, references))
    assert "[V28]" in text
    assert not any(secret in text for secret in ("A123", "ZZ9", "1990", " a\n"))


def test_ids_of_the_users_own_need_no_register() -> None:
    case = CASE
    own = {"100001": "north-school"}
    case = replace(
        case,
        settings=case.settings.replace({"setting_id": own}),
        pools=case.pools.replace({"setting_id": own}),
        projects=case.projects.replace({"site_id": own}),
        travel=case.travel.replace({"site_id": own}),
    )
    assert found(case, "V01", replace(SOUND, register=REGISTER[1:])) == ()
