"""Checks of what a capital programme states: one thing broken at a time, each found by its check and by no other error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hand_case import changed, hand_case, table

from sufficiency.case import Case
from sufficiency.tables.checks import report_case

CASE = hand_case()
POOL = "100001-all"


def of_project(row: int = 0, **values: Any) -> Callable[[Case], Case]:
    return lambda case: replace(case, projects=_edited(case, row, values))


def _edited(case: Case, row: int, values: dict[str, Any]) -> Any:
    projects = case.projects.copy()
    for column, value in values.items():
        if isinstance(value, str):
            projects[column] = projects[column].astype(object)
        projects.loc[row, column] = value
    return projects


def with_table(name: str, *rows: dict[str, Any]) -> Callable[[Case], Case]:
    return lambda case: replace(case, **{name: table(name, list(rows))})


REDUCTION = {
    "reduction_id": "R1", "name": "Outreach", "council_code": "N1", "need_group": "ASD", "phases": "PRI", "first_year": "2023/24",
    "capacity": 10.0, "elasticity": 0.5, "most_share": 0.5, "gbp_per_year": 1e5,
}  # fmt: skip
CAP = {"home_council": "N2", "provider_council": "N1", "most_pupils": 5.0}
RIVAL = {"bundle": "b", "exclusive_group": "x"}
IMPROVES: dict[str, Any] = {"effect": "improve", "from_pool_id": POOL, "min_places": 0, "max_places": 0}

FAULTS: dict[str, tuple[str, Callable[[Case], Case], str, str]] = {
    "ramp-up of no numbers": ("T08", of_project(ramp_up="half"), "error", "shares from 0 to 1"),
    "ramp-up that never opens": ("T08", of_project(ramp_up="0.5|0"), "error", "last above 0"),
    "grant short of 1": ("T08", of_project(grant_profile="0.5|0.4"), "error", "sum to 1"),
    "disruption of no pool": ("T08", of_project(disruption_places=5.0, disruption_years=1), "error", "of which pool"),
    "disruption of more than there is": (
        "T08", of_project(disruption_places=500.0, disruption_years=1, from_pool_id=POOL), "error", "more than the pool has"
    ),
    "improved places of a conversion": (
        "T08", of_project(**(IMPROVES | {"effect": "convert", "places_improved": 5.0})), "error", "for improvements only"
    ),
    "an improvement that adds": ("T08", of_project(**(IMPROVES | {"max_places": 16, "places_improved": 5.0})), "error", "adds places too"),
    "an improvement of nothing": ("T08", of_project(**IMPROVES), "warning", "outside the optimisation"),
    "two rules of least use": ("T08", of_project(viable_pupils=5.0, least_use_share=0.8), "error", "two rules"),
    "more pupils than places": ("T08", of_project(viable_pupils=500.0), "error", "more than the site takes"),
    "a grant without money": ("T08", of_project(effect="grant", min_places=0, max_places=0), "error", "brings no money"),
    "a grant into no fund": (
        "T08", of_project(grant_places=10.0, grant_gbp_per_place=50_000.0, grant_fund="nil"), "error", "not found in funds"
    ),
    "an unknown parent": ("T08", of_project(parent="nil"), "error", "not found in settings"),
    "a parent and another prerequisite": ("T08", of_project(parent="P2", prerequisite="P3"), "error", "another prerequisite"),
    "needs beyond the parent's": ("T08", of_project(parent="100001", need_groups="ASD|SLD"), "warning", "its parent does not"),
    "rivals in a bundle": (
        "T08", lambda case: of_project(1, **RIVAL)(of_project(0, **RIVAL)(case)), "error", "exclude each other"
    ),
    "a fund of two kinds": ("T09", lambda case: changed(case, "funds", 0, kind="borrowing"), "error", "differ between its years"),
    "money to an unknown fund": (
        "T09", with_table("transfers", {"from_fund": "N1-capital", "to_fund": "nil"}), "error", "not found in funds"
    ),
    "money to itself": (
        "T09", with_table("transfers", {"from_fund": "N1-capital", "to_fund": "N1-capital"}), "error", "gives to itself"
    ),
    "a share of an unknown fund": (
        "T09", with_table("shares", {"label": "a", "funds": "nil", "kinds": "new_ap"}), "error", "does not have"
    ),
    "a cap of an unknown council": (
        "T10", with_table("borders", CAP | {"home_council": "N9"}), "error", "no council of the case"
    ),
    "a cap at home": ("T10", with_table("borders", CAP | {"home_council": "N1"}), "error", "no border"),
    "a deficit twice": (
        "T10",
        with_table(
            "high_needs",
            {"council_code": "N1", "financial_year": "2022-23", "block_gbp": 1e7, "deficit_brought_forward_gbp": 1e6},
            {"council_code": "N1", "financial_year": "2023-24", "block_gbp": 1e7, "deficit_brought_forward_gbp": 1e6},
        ),
        "error",
        "more than once",
    ),
    "more outreach than pupils": ("T10", with_table("reductions", REDUCTION | {"capacity": 1_000.0}), "warning", "the cap is 50%"),
    "an unknown project pinned": ("T11", with_table("pins", {"project_id": "P9", "wish": "must"}), "error", "does not have"),
    "a commitment pinned away": ("T11", with_table("pins", {"project_id": "P3", "wish": "must_not"}), "error", "is committed"),
    "rivals pinned": (
        "T11", with_table("pins", {"project_id": "P1", "wish": "must"}, {"project_id": "P2", "wish": "must"}), "error", "exclusive group"
    ),
}  # fmt: skip
"""What is broken -> check, change, level, words."""


def test_nothing_is_found_in_a_sound_case() -> None:
    case = with_table("reductions", REDUCTION)(CASE)
    case = with_table("borders", {"home_council": "N1", "provider_council": "N2", "most_pupils": 50.0})(case)
    assert [problem for problem in report_case(case).problems if problem.check.startswith("T")] == []


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name: str) -> None:
    code, change, level, words = FAULTS[name]
    found = [problem for problem in report_case(change(CASE)).problems if problem.check.startswith("T")]
    assert {problem.check for problem in found} == {code}
    assert any(problem.level == level and words in problem.message for problem in found), found


def test_commitments_that_other_money_may_pay_are_a_warning() -> None:
    poor = replace(CASE, funds=CASE.funds.assign(amount_gbp=0.0))
    assert {problem.level for problem in report_case(poor)["V32"].problems} == {"error"}
    helped = with_table("transfers", {"from_fund": "N2-capital", "to_fund": "N1-capital"})(poor)
    assert {problem.level for problem in report_case(helped)["V32"].problems} == {"warning"}
