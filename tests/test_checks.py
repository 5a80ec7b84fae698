"""Checks of a whole case: each finds the fault it is there for, stays silent on a sound case, and says when it can't run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from checked_case import CASE, NEED_A_TABLE, SOUND, found
from hand_case import BASE, added, changed, project, without
from test_checks_programme import FAULTS as OF_PROGRAMMES

from sufficiency.assumptions import default_assumptions
from sufficiency.case import Case
from sufficiency.tables.checks import CHECKS, check_case, report_case


def test_a_sound_case_passes_every_check_that_can_be_run() -> None:
    report = report_case(CASE, SOUND)
    assert report.problems == []
    assert [result.outcome for result in report if not result.outcome.startswith("passed")] == []
    assert {result.code for result in report if "not run" in result.outcome} == {"V23"}


def test_a_check_without_its_table_never_passes() -> None:
    report = report_case(CASE)
    for result in report:
        assert result.outcome.startswith("not run: needs ") == (result.code in NEED_A_TABLE), f"{result.code} {result.outcome}"
    assert report["V01"].outcome == "not run: needs the register of schools"
    assert report["V29"].outcome == "passed; closed in the register not run: needs the register of schools with status"


def test_v10_needs_totals_from_somewhere() -> None:
    assert report_case(replace(CASE, totals={}))["V10"].outcome == "not run: needs published totals by council"


def test_every_number_of_the_list_is_there() -> None:
    codes = [code for code, _, _ in CHECKS]
    assert [code for code in codes if code.startswith("V")] == [f"V{number:02d}" for number in range(1, 33)]
    assert len(set(codes)) == len(codes)


def extra_pupils(case: Case, **values: object) -> Case:
    return added(case, "pupils", {**case.pupils.iloc[0].to_dict(), **values})


def more_demand(case: Case, year: str, factor: float) -> Case:
    pupils = case.pupils.copy()
    pupils.loc[pupils["academic_year"] == year, "pupils_placed"] *= factor
    return replace(case, pupils=pupils)


Fault = tuple[str, Callable[[Case], Case], str, str, str | None, int | None]

FAULTS: dict[str, Fault] = {
    "area of an unknown council": ("T01", lambda c: changed(c, "areas", 0, council_code="N9"), "error", "councils.csv", "N9", 2),
    "pupils of an unknown area": ("T01", lambda c: extra_pupils(c, area_id="A9"), "error", "areas.parquet", "A9", 34),
    "placement in an unknown area": ("T01", lambda c: changed(c, "placements", 3, area_id="A9"), "error", "areas.parquet", "A9", 5),
    "placement in an unknown pool": ("T01", lambda c: changed(c, "placements", 3, pool_id="nil"), "error", "pools.csv", "nil", 5),
    "pool of an unknown setting": ("T01", lambda c: changed(c, "pools", 1, setting_id="nil"), "error", "settings.csv", "nil", 3),
    "project of an unknown council": ("T01", lambda c: changed(c, "projects", 1, council_code="N9"), "error", "councils.csv", "N9", 3),
    "project from an unknown pool": (
        "T01",
        lambda c: changed(c, "projects", 0, from_pool_id="nil", effect="convert"),
        "error",
        "pools.csv",
        "nil",
        2,
    ),
    "unknown prerequisite": ("T01", lambda c: changed(c, "projects", 0, prerequisite="P9"), "error", "projects.csv", "P9", 2),
    "fund of an unknown council": ("T01", lambda c: changed(c, "funds", 0, councils="N1|N9"), "error", "not in councils", "N1|N9", 2),
    "journey from an unknown area": ("T01", lambda c: changed(c, "travel", 0, area_id="A9"), "error", "areas.parquet", "A9", 2),
    "journey to an unknown site": ("T01", lambda c: changed(c, "travel", 0, site_id="nil"), "warning", "settings.csv", "nil", 2),
    "council without areas": (
        "T01",
        lambda c: added(c, "councils", {**c.councils.iloc[0].to_dict(), "council_code": "N3"}),
        "warning",
        "has no area",
        "N3",
        4,
    ),
    "year left out": (
        "T02",
        lambda c: without(c, "pupils", lambda t: t["academic_year"] != "2023/24"),
        "error",
        "2023/24",
        "2023/24",
        None,
    ),
    "planning years begin late": ("T02", lambda c: replace(c, academic_years=("2023/24", "2024/25")), "error", "one by one", None, None),
    "AP need in the wrong stream": ("T03", lambda c: changed(c, "pupils", 4, need="AP"), "error", "stream and need", "AP", 6),
    "placements short of demand": (
        "T04",
        lambda c: changed(c, "placements", 0, pupils=1.0),
        "error",
        "14.333 pupils",
        "A1, ASD, PRI",
        None,
    ),
    "placement outside designation": ("T05", lambda c: changed(c, "pools", 0, need_groups="ASD"), "warning", "not designated", None, 14),
    "no rule for a designation": (
        "T05",
        lambda c: without(c, "suitability", lambda t: (t["kind"] != "state_special") | (t["need_group"] != "ASD")),
        "error",
        "no rule",
        "state_special, ASD",
        None,
    ),
    "setting without a location": ("T06", lambda c: changed(c, "settings", 2, easting_m=None), "error", "no coordinates", "100003", 4),
    "unlocated setting with a location": (
        "T06",
        lambda c: changed(c, "settings", 2, kind="unlocated_ap"),
        "error",
        "has coordinates",
        "100003",
        4,
    ),
    "adding project with a pool": ("T07", lambda c: changed(c, "projects", 0, from_pool_id="100001-all"), "error", "only adds", None, 2),
    "converting project without a pool": ("T07", lambda c: changed(c, "projects", 0, effect="convert"), "error", "which pool", "P1", 2),
    "more removed than there is": (
        "T07",
        lambda c: changed(c, "projects", 0, effect="replace", from_pool_id="100001-all", places_removed=46),
        "error",
        "removes more",
        "46",
        2,
    ),
    "more kept than at risk": (
        "T07",
        lambda c: changed(c, "projects", 0, effect="improve", from_pool_id="100001-all", places_kept=1),
        "error",
        "keeps more",
        "1",
        2,
    ),
    "committed without size": ("T07", lambda c: changed(c, "projects", 2, committed_places=None), "error", "how many places", "P3", 4),
    "committed without start": ("T07", lambda c: changed(c, "projects", 2, committed_start=None), "error", "from when", "P3", 4),
    "more at risk than there is": (
        "T07",
        lambda c: changed(c, "pools", 0, places_at_risk=50, at_risk_from="2023/24"),
        "error",
        "more places at risk",
        "50",
        2,
    ),
    "at risk but not from when": ("T07", lambda c: changed(c, "pools", 0, places_at_risk=5), "error", "or the other way round", None, 2),
    "more for residents than in all": ("T07", lambda c: changed(c, "pools", 0, places=46), "error", "than places in all", "46", 2),
    "code of a former council": (
        "V04",
        lambda c: changed(c, "settings", 0, council_code="E10000006"),
        "error",
        "no longer",
        "E10000006",
        2,
    ),
    "Down syndrome before its time": (
        "V05",
        lambda c: extra_pupils(c, need="DS", status="observed"),
        "warning",
        "no need code",
        BASE,
        34,
    ),
    "phase outside statutory ages": (
        "V07",
        lambda c: changed(c, "pools", 0, phases="PRI|P16"),
        "warning",
        "outside",
        "P16 at ages 4 to 16",
        2,
    ),
    "plans off the total": ("V10", lambda c: more_demand(c, BASE, 1.1), "error", "126.0, the total is 120.0", "N1", None),
    "completed far from published": (
        "V10",
        lambda c: replace(c, totals={**c.totals, "published": {"N1": {"ehc_plans": 90}, "N2": {"ehc_plans": 120}}}),
        "warning",
        "completed to 120",
        "N1",
        None,
    ),
    "council without a total": (
        "V10",
        lambda c: replace(c, totals={"published": {"N1": {"ehc_plans": 120}}, "completed": {"N1": {"ehc_plans": 120}}}),
        "warning",
        "no published total",
        "N2",
        None,
    ),
    "pupils without places": ("V11", lambda c: changed(c, "pools", 0, places=0), "error", "no places", "100001-all: 40.0 pupils", 2),
    "pool over-full": ("V11", lambda c: changed(c, "pools", 0, places=20), "warning", "more than 150 %", "100001-all: 200 %", 2),
    "pool nearly empty": ("V11", lambda c: changed(c, "pools", 1, places=400), "warning", "less than 40 %", "100002-all: 10 %", 3),
    "pools above the setting": ("V12", lambda c: changed(c, "settings", 0, places=40), "error", "more places", None, 2),
    "pools below the setting": ("V12", lambda c: changed(c, "settings", 0, places=50), "warning", "fewer places", None, 2),
    "unit over-full": (
        "V14",
        lambda c: changed(c, "settings", 0, kind="resourced_provision", roll=46),
        "warning",
        "more pupils on roll",
        "100001: roll 46, places 45",
        2,
    ),
    "cost out of range": ("V15", lambda c: changed(c, "projects", 0, place_cost_gbp_per_year=500), "error", "GBP", "500", 2),
    "cost of a term": ("V15", lambda c: changed(c, "pools", 0, place_cost_gbp_per_year=8_500), "warning", "less than half", "8,500", 2),
    "capital in thousands": (
        "V15",
        lambda c: changed(c, "projects", 0, cost_per_place_gbp=60, fixed_cost_gbp=200),
        "warning",
        "capital per place",
        "66.25",
        2,
    ),
    "price base is no year": ("V16", lambda c: replace(c, price_base="2022"), "error", "financial year", "2022", None),
    "prices of several years": ("V16", lambda c: replace(c, assumptions=default_assumptions()), "warning", "another year", None, None),
    "profile short of 1": ("V17", lambda c: changed(c, "projects", 0, spend_profile="0.5|0.4"), "error", "sum to 1", "0.5|0.4", 2),
    "profile is no list of numbers": ("V17", lambda c: changed(c, "projects", 0, spend_profile="half"), "error", "sum to 1", "half", 2),
    "profile with a negative share": ("V17", lambda c: changed(c, "projects", 0, spend_profile="1.5|-0.5"), "error", "sum to 1", None, 2),
    "committed before it can start": (
        "V18",
        lambda c: changed(c, "projects", 2, earliest_start="2023-24"),
        "error",
        "earliest start",
        "2022-23",
        4,
    ),
    "opens after the last year": (
        "V18",
        lambda c: changed(c, "projects", 1, lead_time_years=3),
        "warning",
        "cannot open by the last planning year 2024/25",
        "P2 opens 2025/26",
        3,
    ),
    "prerequisites in a circle": (
        "V19",
        lambda c: changed(changed(c, "projects", 0, prerequisite="P3"), "projects", 2, prerequisite="P1"),
        "error",
        "circle",
        "P1, P3",
        None,
    ),
    "its own prerequisite": ("V19", lambda c: changed(c, "projects", 2, prerequisite="P3"), "error", "circle", "P3", None),
    "excludes its prerequisite": ("V19", lambda c: changed(c, "projects", 0, prerequisite="P2"), "error", "excludes", "P2", 2),
    "open project with a forbidden prerequisite": (
        "V19",
        lambda c: changed(changed(c, "projects", 1, decision="forbidden", exclusive_group=None), "projects", 0, prerequisite="P2"),
        "warning",
        "forbidden",
        "P2",
        2,
    ),
    "committed project with a forbidden prerequisite": (
        "V19",
        lambda c: changed(changed(c, "projects", 0, decision="forbidden"), "projects", 2, prerequisite="P1"),
        "error",
        "forbidden",
        "P1",
        4,
    ),
    "two commitments exclude each other": (
        "V19",
        lambda c: added(
            changed(c, "projects", 2, exclusive_group="both"),
            "projects",
            project("P4", decision="committed", committed_places=8, committed_start="2022-23", exclusive_group="both"),
        ),
        "error",
        "are committed",
        "both",
        4,
    ),
    "no whole module fits": (
        "V20",
        lambda c: changed(c, "projects", 0, module_places=7, min_places=8, max_places=13),
        "error",
        "no whole",
        "7",
        2,
    ),
    "limits cut a module": (
        "V20",
        lambda c: changed(c, "projects", 0, max_places=30),
        "warning",
        "no whole number",
        "8 a module, 8 to 30",
        2,
    ),
    "committed to half a module": ("V20", lambda c: changed(c, "projects", 2, committed_places=12), "error", "no size", "12", 4),
    "open project without payer": ("V22", lambda c: without(c, "funds", lambda t: t["councils"] == "N1"), "warning", "no fund", None, 3),
    "committed project without payer": ("V22", lambda c: without(c, "funds", lambda t: t["councils"] == "N2"), "error", "no fund", None, 4),
    "no money for this kind": (
        "V22",
        lambda c: replace(c, funds=c.funds.assign(eligible_kinds="new_special")),
        "warning",
        "no fund",
        "P1, expansion, N1",
        2,
    ),
    "journey without minutes": ("V23", lambda c: changed(c, "travel", 0, minutes=None), "error", "contradict", None, 2),
    "unreachable with minutes": ("V23", lambda c: changed(c, "travel", 0, status="unreachable"), "error", "contradict", None, 2),
    "journey in no time": ("V23", lambda c: changed(c, "travel", 0, minutes=0), "error", "takes no time", "A1, 100001", 2),
    "metres given for km": ("V23", lambda c: changed(c, "travel", 1, km=0.5), "warning", "shorter than the straight", "A1, 100002", 3),
    "hours given for minutes": ("V23", lambda c: changed(c, "travel", 1, minutes=0.2), "warning", "faster than", "A1, 100002", 3),
    "area without journeys": ("V23", lambda c: without(c, "travel", lambda t: t["area_id"] != "A2"), "error", "no journey in", "A2", 3),
    "site without journeys": (
        "V23",
        lambda c: without(c, "travel", lambda t: t["site_id"] != "new-1"),
        "warning",
        "never be used",
        "new-1",
        None,
    ),
    "hole in the table": ("V23", lambda c: without(c, "travel", lambda t: t.index != 5), "warning", "1 of 16 pairs", None, None),
    "demand leaps": ("V24", lambda c: more_demand(c, "2023/24", 1.5), "warning", "from 40 to 60 in 2023/24", "N1, ASD", None),
    "small cells counted from people": (
        "V27",
        lambda c: replace(c, placements=c.placements.assign(status="observed")),
        "warning",
        "12 observed cells",
        None,
        None,
    ),
    "small cells of a protected case": ("V27", lambda c: replace(c, disclosure="protected"), "warning", "12 cells", None, None),
    "pupils in places that end": (
        "V29",
        lambda c: changed(c, "pools", 0, places_at_risk=20, at_risk_from="2023/24"),
        "warning",
        "no project keeps",
        "100001-all: 40.0 pupils",
        2,
    ),
    "0 places for unknown": ("V30", lambda c: changed(c, "settings", 0, places=0), "warning", "0 places", "100001", 2),
    "0 pupils for unknown": ("V30", lambda c: changed(c, "settings", 0, roll=0), "warning", "0 pupils", "100001", 2),
    "0 years for unknown": ("V30", lambda c: changed(c, "settings", 0, age_high=0), "warning", "age is 0", "100001", 2),
    "area out of reach": (
        "V31",
        lambda c: replace(c, travel=c.travel.assign(minutes=c.travel["minutes"].where(c.travel["area_id"] != "A3", 61.0))),
        "warning",
        "20.0 pupils in 1 areas",
        "ASD",
        None,
    ),
    "nothing suits": (
        "V31",
        lambda c: replace(c, suitability=c.suitability.assign(suitable=c.suitability["need_group"] != "SEMH")),
        "warning",
        "40.0 pupils in 4 areas",
        "SEMH",
        None,
    ),
    "commitment above the budget": (
        "V32",
        lambda c: replace(c, funds=c.funds.assign(amount_gbp=500_000.0)),
        "error",
        "can pay 196,000 GBP",
        "P3",
        4,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_where_it_is(fault: str) -> None:
    code, broken, level, words, value, row = FAULTS[fault]
    everything = found(broken(CASE), code)
    problems = [problem for problem in everything if words in problem.message and problem.level == level]
    assert problems, [str(problem) for problem in everything]
    assert problems[0].check == code
    assert problems[0].row == row
    assert problems[0].remedy
    if value is not None:
        assert value in (problems[0].value or "")


def test_every_check_without_reference_has_a_fault_that_triggers_it() -> None:
    assert {code for code, _, _ in CHECKS} - NEED_A_TABLE == {code for code, *_ in [*FAULTS.values(), *OF_PROGRAMMES.values()]}


def test_money_carried_forward_pays_for_later_commitments_and_not_for_earlier_ones() -> None:
    """P3 costs 1.2 x (200,000 + 16 x 60,000) = 1,392,000 GBP, half of it in each year."""
    case = CASE
    of_first_year = (case.funds["financial_year"] == "2022-23").astype(float)
    early = replace(case, funds=case.funds.assign(amount_gbp=1_392_000 * of_first_year))
    assert found(early, "V32") == ()
    late = replace(case, funds=case.funds.assign(amount_gbp=1_392_000 * (1 - of_first_year)))
    assert "696,000 GBP of its spending in 2022-23" in found(late, "V32")[0].message
    half = replace(early, funds=early.funds.assign(carry_forward_share=0.25))  # 0.25 x 1,392,000 may be carried: 348,000 is missing
    assert "348,000 GBP of its spending in 2023-24" in found(half, "V32")[0].message


def test_what_may_be_carried_shrinks_with_every_year() -> None:
    """Money of 2022-23 spent in 2024-25 is carried twice: half of half of 4,000,000 GBP is left for 1,392,000 GBP."""
    case = changed(CASE, "projects", 2, committed_start="2024-25", spend_profile="1")
    first_year = (case.funds["financial_year"] == "2022-23").astype(float)
    case = replace(case, funds=case.funds.assign(amount_gbp=4_000_000 * first_year, carry_forward_share=0.5))
    assert "392,000 GBP of its spending in 2024-25" in found(case, "V32")[0].message


@pytest.mark.parametrize(("pupils", "cells"), [(0, 0), (0.5, 8), (4, 8), (5, 0)])
def test_cells_of_1_to_4_are_small(pupils: float, cells: int) -> None:
    placements = CASE.placements[CASE.placements["need_group"] == "ASD"].head(8).assign(pupils=float(pupils))
    case = replace(CASE, placements=placements.reset_index(drop=True), disclosure="protected")
    assert [problem.message.split()[0] for problem in found(case, "V27")] == ([str(cells)] if cells else [])


def test_two_commitments_share_one_fund() -> None:
    case = added(CASE, "projects", project("P4", decision="committed", committed_places=16, committed_start="2022-23"))
    tight = replace(case, funds=case.funds.assign(amount_gbp=1_000_000.0))
    short = sum(float(problem.message.split("pay ")[1].split(" GBP")[0].replace(",", "")) for problem in found(tight, "V32"))
    assert short == pytest.approx(2 * 1_392_000 - 2 * 1_000_000)


def test_a_case_without_projects_money_or_placements_can_be_checked() -> None:
    case = CASE
    bare = replace(case, projects=case.projects[:0], funds=case.funds[:0], placements=case.placements[:0])
    report = report_case(bare)
    assert {problem.check for problem in report.errors} == {"T04"}


def test_errors_come_first() -> None:
    case = changed(changed(CASE, "placements", 0, pupils=1.0), "settings", 0, roll=0)
    levels = [problem.level for problem in check_case(case)]
    assert levels == sorted(levels)
    assert set(levels) == {"error", "warning"}
