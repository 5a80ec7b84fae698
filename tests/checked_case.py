"""A sound case for tests of checks, what it can be compared with, and what one check finds."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import shapely
from hand_case import hand_case

from sufficiency.assumptions import default_assumptions
from sufficiency.case import Case
from sufficiency.tables.checks import CHECKS, Evidence, References, run_check
from sufficiency.tables.problems import InputProblem

ENGLAND = shapely.box(390_000, 295_000, 410_000, 310_000)
POSTCODES = pd.DataFrame(
    {"postcode": ["AA1 1AA", "AA1 1AB"], "lsoa21_code": ["L1", "L2"], "easting_m": [401_000, 403_000], "northing_m": [301_000, 305_000]}
)
REGISTER = pd.DataFrame(
    {
        "urn": ["100001", "100002", "100003"],
        "status": ["Open", "Open", "Proposed to open"],
        "kind": ["state_special", "state_special", "independent_special"],
        "base_places": [None, None, None],
        "postcode": ["aa11aa", "AA1 1AB", None],
    }
)
PERSONS = pd.DataFrame(
    {
        "person_id": ["a", "b"],
        "upn": ["A123", "B123"],
        "postcode": ["AA1 1AA", "aa1 1ab"],
        "birth_date": ["2012-09-01", "1996-09-01"],
    }
)
NEEDS = pd.DataFrame({"person_id": ["a", "a", "b"], "need": ["ASD", "SEMH", "SLD"], "rank": [1, 2, 1]})
PLACED = pd.DataFrame(
    {
        "person_id": ["a", "a", "b"],
        "urn": ["100001", "100002", "100003"],
        "rank": [1, 1, 1],
        "entry_date": ["2019-09-01", "2021-09-01", "2020-01-10"],
        "leaving_date": ["2021-08-31", None, None],
        "in_base": [False, False, False],
    }
)
SOUND = References(
    register=REGISTER,
    postcodes=POSTCODES,
    england=ENGLAND,
    published_totals={"N1": 120.0, "N2": 120.0},
    school_capacity=pd.DataFrame({"council_code": ["N1", "N2", "X9"], "special_places": [45, 45, 900]}),
    allocations={"N1-capital": 4_000_000, "N2-capital": 4_000_000},
    forecast_totals=pd.DataFrame({"council_code": ["N1"], "academic_year": ["2024/25"], "scenario": ["central"], "ehc_plans": [120.5]}),
    scenario_probabilities={"central": 1.0},
    persons=PERSONS,
    person_needs=NEEDS,
    person_placements=PLACED,
)

NEED_A_TABLE = {"V01", "V02", "V03", "V06", "V08", "V09", "V13", "V21", "V25", "V26", "V28"}


def in_one_price_base(case: Case) -> Case:
    entries = {name: replace(entry, year=case.price_base) for name, entry in default_assumptions().entries.items()}
    return replace(case, assumptions=replace(case.assumptions, entries=entries))


def found(case: Case, code: str, references: References | None = None) -> tuple[InputProblem, ...]:
    (check,) = (check for check in CHECKS if check[0] == code)
    return run_check(*check, Evidence(case, references or References())).problems


CASE = in_one_price_base(hand_case())
"""Sound in every respect. Tests never change it: they make another."""
