"""The tailored list, on the tiny case with more settings."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from fixtures.tiny import INDEPENDENT, NORTH, SOUTH, STATE, UNLOCATED, tiny_case
from sufficiency.case import Case, validated
from sufficiency.tables.problems import InputError
from sufficiency.tailored import COST_TYPE_OF, phase_of, tailored_list
from sufficiency.terms import INDEPENDENT_KINDS, SETTING_KINDS

CASE = tiny_case()


def test_state_settings_come_first_and_independent_ones_are_marked() -> None:
    found = tailored_list(CASE, SOUTH, "ASD", 12)
    assert list(found["setting_id"]) == [STATE, INDEPENDENT], "although the independent school is nearer"
    assert list(found["place"]) == [1, 2]
    assert list(found["independent"]) == [False, True]
    assert list(found["cost_type"]) == ["state", "independent"]
    assert list(found["minutes"]) == [15, 10]
    assert list(found["km"]) == [7.5, 5]
    assert list(found["places"]) == [200, 100]
    assert UNLOCATED not in set(found["setting_id"]), "nobody could visit it"


def test_within_a_cost_type_the_nearest_comes_first() -> None:
    case = with_school("990009", "state_special", minutes=3)
    assert list(tailored_list(case, NORTH, "ASD", 12)["setting_id"]) == ["990009", STATE, INDEPENDENT]
    assert list(tailored_list(case, NORTH, "ASD", 12, limit_min=12)["setting_id"]) == ["990009", STATE]


def test_only_what_is_designated_for_the_need_phase_and_age_is_listed() -> None:
    assert tailored_list(CASE, NORTH, "SEMH", 12).empty, "no pool serves the need"
    assert tailored_list(CASE, NORTH, "ASD", 7).empty, "no pool serves the phase"
    case = with_school("990009", "state_special", minutes=3, age_low=13)
    assert "990009" not in set(tailored_list(case, NORTH, "ASD", 12)["setting_id"])
    assert "990009" in set(tailored_list(case, NORTH, "ASD", 13)["setting_id"])
    unknown = with_school("990009", "state_special", minutes=3, age_low=None)
    assert "990009" in set(tailored_list(unknown, NORTH, "ASD", 12)["setting_id"]), "unknown ages shut nobody out"


def test_what_suits_a_severity_is_read_from_the_case() -> None:
    case = with_school("990009", "resourced_provision", minutes=3)
    assert "990009" in set(tailored_list(case, NORTH, "ASD", 12, "moderate")["setting_id"])
    assert "990009" not in set(tailored_list(case, NORTH, "ASD", 12, "complex")["setting_id"])
    either = tailored_list(case, NORTH, "ASD", 12).set_index("setting_id")
    assert either.loc["990009", "suits"] == "moderate"
    assert either.loc[STATE, "suits"] == "moderate|complex"
    suitability = case.suitability.copy()
    suitability.loc[suitability["kind"] == "state_special", "suitable"] = False
    assert STATE not in set(tailored_list(replace(case, suitability=suitability), NORTH, "ASD", 12)["setting_id"])


def test_what_cannot_be_reached_is_not_listed() -> None:
    travel = CASE.travel.copy()
    travel.loc[(travel["area_id"] == NORTH) & (travel["site_id"] == STATE), ["minutes", "km"]] = None
    assert list(tailored_list(replace(CASE, travel=travel), NORTH, "ASD", 12)["setting_id"]) == [INDEPENDENT]


def test_a_need_of_the_return_stands_for_its_group() -> None:
    case = with_school("990009", "state_special", minutes=3, need_groups="MLD")
    assert list(tailored_list(case, NORTH, "SPLD", 12)["setting_id"]) == ["990009"]
    assert tailored_list(case, NORTH, "SPLD", 12).equals(tailored_list(case, NORTH, "MLD", 12))


def test_every_kind_with_a_location_has_a_cost_type() -> None:
    assert set(COST_TYPE_OF) == {kind for kind in SETTING_KINDS if not kind.startswith("unlocated")}
    assert {kind for kind, cost in COST_TYPE_OF.items() if cost != "state"} == INDEPENDENT_KINDS & set(COST_TYPE_OF)


@pytest.mark.parametrize(
    ("age", "phase"), [(0, "EY"), (4, "EY"), (5, "PRI"), (10, "PRI"), (11, "SEC"), (15, "SEC"), (16, "P16"), (25, "P19")]
)
def test_the_phase_of_an_age(age: int, phase: str) -> None:
    assert phase_of(age) == phase


def test_all_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        tailored_list(CASE, "nowhere", "XYZ", 40, "slight")
    assert [problem.column for problem in caught.value.problems] == ["area_id", "need", "age", "severity"]


def with_school(setting_id: str, kind: str, minutes: float, age_low: float | None = 11, need_groups: str = "ASD") -> Case:
    """The tiny case with one more setting, 3 minutes from the north."""
    setting = CASE.settings.iloc[[0]].assign(setting_id=setting_id, kind=kind, age_low=age_low)
    pool = CASE.pools.iloc[[0]].assign(pool_id=setting_id, setting_id=setting_id, need_groups=need_groups)
    journey = CASE.travel.iloc[[0]].assign(area_id=NORTH, site_id=setting_id, minutes=minutes, km=minutes / 2)
    added = {"settings": setting, "pools": pool, "travel": journey}
    tables = {name: validated(name, pd.concat([CASE.tables[name], row], ignore_index=True)) for name, row in added.items()}
    return replace(CASE, **tables)
