# ruff: noqa: E501
"""A plan made with a pencil passes its audit; each way of breaking it is caught with its own code."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pencil_plan import CASE, DEMAND, MINUTES, NOTHING, PUPILS, SUMMARY, WITH_A, WITH_B, YEARS, frame, opening, payment, world

from fixtures.tiny import COUNCIL, INDEPENDENT, NORTH, SOUTH, STATE, UNLOCATED
from sufficiency.audit import AuditReport, audit_plan, write_audit
from sufficiency.audit.codes import BANDS, GROUPS, PHASE_CODES
from sufficiency.audit.expected import expected
from sufficiency.case import Case, case_hashes, save_case, validated
from sufficiency.outputs.csvw import read_plan_table, write_table
from sufficiency.outputs.folder import SUBFOLDERS
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.schemas import SCHEMAS


@pytest.fixture(scope="module")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit") / "case"
    save_case(CASE, folder)
    return folder


@pytest.fixture(scope="module")
def valid(case_folder: Path) -> Path:
    """The folder of the pencil plan: B is the plan, A stands for the rule."""
    worlds = {"plan": world("B", WITH_B), "counterfactual": world(None, NOTHING), "rule": world("A", WITH_A)}
    folder = case_folder.parent / "plan"
    for variant, subfolder in SUBFOLDERS.items():
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
        for name in PLAN_SCHEMAS:
            write_table(getattr(worlds[variant], name), name, folder / subfolder, CASE)
    (folder / "plan.json").write_text(json.dumps(SUMMARY | {"inputs": case_hashes(case_folder)}), encoding="utf-8")
    return folder


def test_valid_plan_passes(valid: Path, case_folder: Path) -> None:
    report = audit_plan(CASE, valid, case_folder=case_folder)
    assert report.breaches == ()
    assert report.passed
    figures = {name: SUMMARY[name] for name in report.recomputed}
    assert report.recomputed == pytest.approx({name: value for name, value in figures.items() if not isinstance(value, dict)} | {
        name: pytest.approx(value) for name, value in figures.items() if isinstance(value, dict)
    })  # fmt: skip


def test_report_is_written_whole(valid: Path, tmp_path: Path) -> None:
    report = audit_plan(CASE, valid)
    write_audit(report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["audit.json"]
    written = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert written == {"passed": True, "breaches": [], "recomputed": report.recomputed}


@dataclass(frozen=True)
class Break:
    """One thing made wrong, in the plan's tables, in plan.json or in what the case allows."""

    codes: set[str]
    tables: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    case: Callable[[Case], Case] = lambda case: case
    world: str = "plan"
    only: bool = True
    """False where other codes follow of necessity."""


def put(column: str, change: float, **where: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Adds to a column in the rows where the other columns have these values."""

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        rows = np.ones(len(table), bool)
        for name, value in where.items():
            rows &= (table[name] == value).to_numpy()
        assert rows.any()
        return table.assign(**{column: table[column] + change * rows})

    return changed


def both(*changes: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        for change in changes:
            table = change(table)
        return table

    return changed


def add(name: str, **row: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: pd.concat([table, frame(name, [row])], ignore_index=True)


def assume(**figures: Any) -> Callable[[Case], Case]:
    values = {name.replace("__", "."): value for name, value in figures.items()}
    return lambda case: replace(case, assumptions=case.assumptions.override(values, "the test"))


def edit(name: str, key: str, value: str, **columns: Any) -> Callable[[Case], Case]:
    """The case with other values in the rows of a table where ``key`` is ``value``."""

    def changed(case: Case) -> Case:
        table = getattr(case, name).copy()
        for column, new in columns.items():
            if isinstance(new, str) and table[column].dtype != "str":
                table[column] = table[column].astype("str")
            table.loc[table[key] == value, column] = new
        return replace(case, **{name: table})

    return changed


def two_councils(case: Case) -> Case:
    """The south belongs to another council, which has no places off the map."""
    councils = pd.concat([case.councils, case.councils.assign(council_code="F06000010")], ignore_index=True)
    return edit("areas", "area_id", SOUTH, council_code="F06000010")(replace(case, councils=councils))


def drop(**where: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table[~np.logical_and.reduce([table[name] == value for name, value in where.items()])]


HERE = {"area_id": NORTH, "need_group": "ASD", "severity": "complex", "phase": "SEC", "route": "any"}
LAST = {"area_id": NORTH, "academic_year": "2024/25"}
ABSENT = HERE | {"council_code": COUNCIL, "academic_year": "2024/25", "entrants": 0}
BOTH = ("entrants", "pupils")
FIRST = {"academic_year": "2022/23"}
STAGE = opening("B") | {"stage": 2, "opens_academic_year": "2024/25", "start_financial_year": "2023-24"}

EARLY = {
    "placements": both(
        put("entrants", -1, pool_id=UNLOCATED, area_id=NORTH, academic_year="2022/23"),
        add("placements", pool_id="B", academic_year="2022/23", entrants=1, pupils=1, **HERE),
    )
}
ONLY = {
    "placements": add("placements", pool_id=STATE, academic_year="2022/23", entrants=1, pupils=1, **(HERE | {"route": "independent_only"}))
}
STRANGER = {"placements": add("placements", pool_id=STATE, academic_year="2022/23", entrants=1, pupils=1, **(HERE | {"area_id": "E01"}))}
LATENT = {"places": put("latent_pupils", 5, pool_id="B", academic_year="2024/25"), "needs": put("latent", 5, academic_year="2024/25")}
A_AND_B = {"projects": lambda table: pd.concat([table, frame("projects", [opening("A")])])}
COMMITTED = {"decision": "committed", "committed_start": "2022-23"}


def of_b(**columns: Any) -> Callable[[Case], Case]:
    return edit("projects", "project_id", "B", **columns)


def of_fund(**columns: Any) -> Callable[[Case], Case]:
    return edit("funds", "fund_id", "HIGH-NEEDS", **columns)


def pin(project: str, wish: str, **values: Any) -> Callable[[Case], Case]:
    return lambda case: replace(case, pins=rows_of("pins", project_id=project, wish=wish, **values))


def rows_of(name_of_table: str, /, **values: Any) -> pd.DataFrame:
    """One row of a table of the case."""
    return validated(name_of_table, pd.DataFrame([values]).reindex(columns=list(SCHEMAS[name_of_table].to_schema().columns)))


BORDER = {"home_council": COUNCIL, "provider_council": "F06000010", "sector": "state", "academic_year": "2022/23"}
OUTREACH = rows_of(
    "reductions", reduction_id="R", name="Outreach", council_code=COUNCIL, need_group="ASD", phases="SEC", first_year="2023/24",
    capacity=20.0, elasticity=0.5, most_share=0.5, gbp_per_year=0.0,
)  # fmt: skip


# A case that no longer allows what the plan does is as good a break as a plan that does what the case never allowed.
BREAKS = {
    "a row twice": Break({"A01"}, {"costs": lambda table: pd.concat([table, table.tail(1).assign(gbp=0.0, present_value_gbp=0.0)])}),
    "an area that is not in the case": Break({"A01"}, STRANGER),
    "a negative figure": Break({"A01"}, {"unmet": both(add("unmet", **ABSENT, pupils=0), put("pupils", -1e-9))}),
    "a size that is no number": Break({"A01"}, {"projects": put("places", float("nan"))}, only=False),
    "a flow lost": Break({"A02", "A03"}, {"placements": put("entrants", -1, pool_id=STATE, **LAST)}, only=False),
    "a flow lost with its pupils": Break(
        {"A02"}, {"placements": both(*(put(what, -1, pool_id=STATE, **LAST) for what in BOTH))}, only=False
    ),
    "a pupil moved mid-phase": Break(
        {"A03"}, {"placements": both(put("pupils", -1, pool_id=UNLOCATED, **LAST), put("pupils", 1, pool_id=STATE, **LAST))}
    ),
    "a pupil who vanishes mid-phase": Break({"A03"}, {"placements": drop(pool_id=UNLOCATED, **LAST)}),
    "a base-year pupil moved": Break(
        {"A03", "A04"},
        {"placements": both(put("pupils", -26, pool_id=INDEPENDENT, **FIRST), put("pupils", 26, pool_id=UNLOCATED, **FIRST))},
    ),
    "a pupil without a place from nowhere": Break({"A05"}, {"unmet": add("unmet", **ABSENT, pupils=1)}),
    "a need not accepted": Break({"A06", "A44"}, case=edit("pools", "pool_id", STATE, need_groups="SLCN|SEMH")),
    "a phase not accepted": Break({"A06"}, case=of_b(phases="PRI"), only=False),
    "an unsuitable kind": Break({"A07"}, case=edit("suitability", "kind", "unlocated_independent", suitable=False)),
    "the irreducible share in a state school": Break({"A08"}, ONLY, case=assume(independent__irreducible_share={"ASD": 1}), only=False),
    "another council's unlocated places": Break({"A09"}, case=two_councils, only=False),
    "too long a journey": Break({"A10", "A42"}, case=edit("travel", "site_id", "S-B", minutes=76.0), only=False),
    "beyond the soft minutes": Break({"A10"}, case=assume(travel__limit_min={"SEC": 9}, travel__soft_extra_min=5), only=False),
    "a pupil in a place a year early": Break({"A11", "A13"}, EARLY, only=False),
    "a place a year early": Break({"A12"}, {"places": put("places", 100, pool_id="B", academic_year="2022/23")}),
    "a pool left out": Break({"A12", "A40"}, {"places": drop(pool_id=INDEPENDENT, academic_year="2024/25")}),
    "a pool of another kind": Break({"A12"}, {"places": lambda table: table.assign(kind="ap")}),
    "places taken away": Break({"A12", "A13", "A40"}, case=edit("pools", "pool_id", STATE, places=190.0), only=False),
    "places at risk": Break(
        {"A12", "A13"}, case=edit("pools", "pool_id", INDEPENDENT, places_at_risk=40.0, at_risk_from="2024/25"), only=False
    ),
    "fewer places off the map": Break({"A12", "A13"}, case=assume(independent__unlocated_cap=0.1), only=False),
    "pupils drawn from mainstream": Break({"A14"}, LATENT, only=False),
    "too much displaced": Break({"A15"}, case=assume(displacement__share=0.99)),
    "too much displaced for the phase": Break({"A15"}, case=assume(displacement__share_by_need_group={"ASD.SEC": 0.99})),
    "a forbidden project": Break({"A20"}, case=of_b(decision="forbidden"), only=False),
    "at another council's cost": Break({"A20"}, {"projects": lambda table: table.assign(council_code="F06000010")}),
    "a start too early": Break({"A21"}, case=of_b(earliest_start="2023-24")),
    "an opening before its lead time": Break({"A21"}, case=of_b(lead_time_years=2)),
    "an opening a year early": Break({"A12", "A21"}, {"projects": lambda table: table.assign(opens_academic_year="2022/23")}, only=False),
    "half a module": Break({"A22"}, case=of_b(module_places=40)),
    "too small": Break({"A22"}, case=of_b(min_places=200)),
    "too large": Break({"A22"}, case=of_b(max_places=50)),
    "a stage too many": Break({"A23"}, {"projects": lambda table: pd.concat([table, frame("projects", [STAGE])])}, only=False),
    "a stage without a first": Break({"A23"}, {"projects": lambda table: table.assign(stage=2)}, only=False),
    "both of an exclusive group": Break(
        {"A24"}, A_AND_B, case=lambda case: replace(case, projects=case.projects.assign(exclusive_group="one")), only=False
    ),
    "before its prerequisite": Break({"A25"}, case=of_b(prerequisite="A")),
    "a commitment forgotten": Break({"A26"}, case=edit("projects", "project_id", "A", committed_places=80.0, **COMMITTED), only=False),
    "a commitment made smaller": Break({"A26"}, case=of_b(committed_places=200.0, **COMMITTED), only=False),
    "something new in the counterfactual": Break({"A26"}, A_AND_B, world="counterfactual", only=False),
    "GBP 1 too much capital": Break({"A27"}, {"projects": put("capital_gbp", 1)}),
    "GBP 1 too little net capital": Break({"A27"}, {"projects": put("capital_net_pv_gbp", -1)}),
    "GBP 1 too much paid": Break({"A30", "A32"}, {"payments": put("amount_gbp", 1)}),
    "paid in another year": Break({"A30", "A32"}, {"payments": lambda table: table.assign(financial_year="2023-24")}),
    "a fund that may not pay for the kind": Break({"A31"}, case=of_fund(eligible_kinds="expansion|improvement")),
    "GBP 1 returned too much": Break({"A32"}, {"funding": put("returned_gbp", 1)}),
    "GBP 1 carried in from nowhere": Break({"A32"}, {"funding": both(put("carried_in_gbp", 1), put("returned_gbp", 1))}),
    "too much carried forward": Break(
        {"A33"}, {"funding": both(put("carried_out_gbp", 1e6), put("returned_gbp", -1e6))}, case=of_fund(carry_forward_share=0.0999)
    ),
    "GBP 1 more than allocated": Break({"A34"}, {"funding": both(put("allocated_gbp", 1), put("returned_gbp", 1))}),
    "a pin forgotten": Break({"A28"}, case=pin("A", "must")),
    "a pin against it": Break({"A28"}, case=pin("B", "must_not")),
    "earlier than the pin": Break({"A28"}, case=pin("B", "not_before", year="2024/25")),
    "later than the pin": Break({"A28"}, case=pin("B", "must", year="2021-22")),
    "smaller than the pin": Break({"A28"}, case=pin("B", "at_least", places=101.0)),
    "half of a bundle": Break({"A28"}, case=lambda case: replace(case, projects=case.projects.assign(bundle="both"))),
    "too soon after its prerequisite": Break({"A25", "A30"}, A_AND_B, case=of_b(prerequisite="A", prerequisite_lag_years=1), only=False),
    "more than the council can build": Break({"A29"}, case=edit("councils", "council_code", COUNCIL, most_building=0.0)),
    "a least share missed": Break(
        {"A36"}, case=lambda case: replace(case, shares=rows_of("shares", label="AP", kinds="new_ap", share=0.1))
    ),
    "money moved without leave": Break(
        {"A35"},
        {
            "funding": both(put("transferred_in_gbp", 100), put("transferred_out_gbp", 100)),
            "transfers": add("transfers", from_fund="HIGH-NEEDS", to_fund="HIGH-NEEDS", financial_year="2022-23", amount_gbp=100.0),
        },
    ),
    "a grant that is not in the fund": Break({"A35"}, case=of_b(grant_fund="HIGH-NEEDS", grant_places=10.0, grant_gbp_per_place=50_000.0)),
    "places half open": Break({"A12", "A13", "A40"}, case=of_b(ramp_up="0.5"), only=False),
    "places that have expired": Break({"A12", "A13"}, case=of_b(expires_after_years=1.0), only=False),
    "fuller than planned": Break({"A12", "A13"}, case=of_b(most_use_share=0.9), only=False),
    "places lost while it was built": Break({"A12"}, case=of_b(from_pool_id=STATE, disruption_places=10.0, disruption_years=1), only=False),
    "prices that rise": Break({"A27", "A30"}, case=assume(capital__inflation_per_year=0.1), only=False),
    "prices of England": Break(
        {"A27", "A30"},
        case=lambda case: of_b(price_area="England")(edit("councils", "council_code", COUNCIL, region_name="London")(case)),
        only=False,
    ),
    "least use missed": Break({"A60"}, case=of_b(viable_pupils=120.0), only=False),
    "a cap across borders": Break(
        {"A60"},
        case=lambda case: replace(
            two_councils(case), borders=rows_of("borders", home_council="F06000010", provider_council=COUNCIL, most_pupils=10.0)
        ),
        only=False,
    ),
    "an equity floor": Break(
        {"A60"}, case=lambda case: replace(case, equity=rows_of("equity", by="council", measure="minutes", within_share=0.1))
    ),
    "the ledger": Break({"A61"}, {"ledger": add("ledger", **BORDER, pupils=1.0, adjustment_gbp=6_000.0)}),
    "the high needs block": Break({"A62"}, {"high_needs_block": put("top_up_gbp", 5, financial_year="2023-24")}),
    "a block that was entered": Break(
        {"A62"},
        case=lambda case: replace(case, high_needs=rows_of("high_needs", council_code=COUNCIL, financial_year="2022-23", block_gbp=1e7)),
    ),
    "a price cap": Break({"A43", "A62"}, case=assume(costs__price_cap={"ASD": 50_000}), only=False),
    "pupils kept out of demand": Break({"A02", "A41"}, case=lambda case: replace(case, reductions=OUTREACH), only=False),
    "carers' time": Break({"A43"}, case=assume(social__carer_share=0.25)),
    "the council's own perspective": Break({"A43", "A50"}, case=lambda case: replace(case, perspective="council"), only=False),
    "pupils of a pool": Break({"A40"}, {"places": put("pupils", 1e-5, pool_id=STATE, academic_year="2022/23")}),
    "over places": Break({"A40"}, {"places": put("over_places", 1e-4, pool_id=STATE, academic_year="2022/23")}),
    "demand": Break({"A41"}, {"needs": put("demand", 0.01, academic_year="2023/24")}),
    "pupils in new places": Break({"A41"}, {"needs": put("in_new_places", 1, academic_year="2024/25")}),
    "the mean journey": Break({"A42"}, {"travel": put("mean_min", 0.1, academic_year="2023/24")}),
    "pupils in reach": Break({"A44"}, {"access": put("within_45_min", -1.0, academic_year="2024/25")}),
    "a state school out of reach": Break({"A44"}, case=edit("travel", "site_id", STATE, minutes=25.0), only=False),
    "the median journey": Break({"A42"}, {"travel": put("median_min", 6, academic_year="2023/24")}),
    "GBP 1 too much for places": Break({"A43"}, {"costs": put("gbp", 1, item="state_places", year="2024/25")}),
    "GBP 1 of present value": Break({"A43"}, {"costs": put("present_value_gbp", 1, item="independent_places", year="2024/25")}),
    "a line of its own": Break(
        {"A43"}, {"costs": add("costs", item="advice", year="2022/23", gbp=1, present_value_gbp=1, is_cash=True, in_objective=True)}
    ),
    "a weight called cash": Break({"A43"}, {"costs": lambda table: table.assign(is_cash=True)}),
    "GBP 1 too little in plan.json": Break({"A50"}, summary={"objective_gbp": 42_849_999.0}),
    "a year left out": Break({"A50"}, summary={"independent_avoided": {"2023/24": 100.0, "2024/25": 100.0}}),
    "no figure": Break({"A50"}, summary={"rule_gbp": None}),
    "a bound above the plan": Break({"A51"}, summary={"bound_gbp": 42_850_100.0, "gap_of_cost": 0.0, "gap_of_saving": 0.0}),
    "a gap too small": Break({"A51"}, summary={"gap_of_cost": 0.0}),
    "another assumption": Break({"A53"}, summary={"assumptions_changed": dict(CASE.assumptions.changed()) | {"displacement.share": 0.9}}),
    "another file": Break({"A52"}, summary={"inputs": {}}),
}


def broken(valid: Path, folder: Path, wrong: Break, case_folder: Path) -> AuditReport:
    """The audit of the pencil plan with one thing made wrong."""
    shutil.copytree(valid, folder, ignore=shutil.ignore_patterns("*.html", "*.gpkg", "*.json"))
    summary = json.loads((valid / "plan.json").read_text(encoding="utf-8")) | wrong.summary
    (folder / "plan.json").write_text(json.dumps(summary), encoding="utf-8")
    place = folder if wrong.world == "plan" else folder / wrong.world
    for name, change in wrong.tables.items():
        write_table(change(read_plan_table(name, place)), name, place, CASE)
    return audit_plan(wrong.case(CASE), folder, case_folder=case_folder)


@pytest.mark.parametrize("name", BREAKS)
def test_broken_plan_is_caught(name: str, valid: Path, case_folder: Path, tmp_path: Path) -> None:
    wrong = BREAKS[name]
    report = broken(valid, tmp_path / "plan", wrong, case_folder)
    found = {breach.code for breach in report.breaches}
    assert not report.passed
    assert found == wrong.codes if wrong.only else found >= wrong.codes, report.breaches


def rewritten(valid: Path, folder: Path, change: Callable[[str, dict[str, pd.DataFrame]], None], **summary: Any) -> Path:
    """The pencil plan with tables of all worlds changed in place by ``change(world, tables)``."""
    shutil.copytree(valid, folder, ignore=shutil.ignore_patterns("*.json"))
    for variant, subfolder in SUBFOLDERS.items():
        tables = {name: read_plan_table(name, folder / subfolder) for name in PLAN_SCHEMAS}
        change(variant, tables)
        for name, table in tables.items():
            write_table(table, name, folder / subfolder, CASE)
    (folder / "plan.json").write_text(json.dumps(SUMMARY | summary), encoding="utf-8")
    return folder


def test_overcrowding_is_allowed_up_to_its_limit_and_weighed(valid: Path, tmp_path: Path) -> None:
    """192 places and 5 % over: 200 pupils are 8 over, at GBP 5,000 a year."""
    case = assume(overcrowding__limit_share=0.05)(edit("pools", "pool_id", STATE, places=192.0)(CASE))

    def change(_: str, tables: dict[str, pd.DataFrame]) -> None:
        tables["places"] = both(put("places", -8, pool_id=STATE), put("over_places", 8, pool_id=STATE))(tables["places"])
        lines = [
            {
                "item": "overcrowding_weight",
                "year": year,
                "gbp": 40_000,
                "present_value_gbp": 40_000,
                "is_cash": False,
                "in_objective": True,
            }
            for year in YEARS
        ]
        tables["costs"] = pd.concat([tables["costs"], frame("costs", lines)])

    more = {name: SUMMARY[name] + 120_000 for name in ("objective_gbp", "counterfactual_gbp", "rule_gbp", "bound_gbp")}
    folder = rewritten(valid, tmp_path / "plan", change, **more, gap_of_cost=0.85 / 42.97)
    assert audit_plan(case, folder).breaches == ()
    too_many = assume(overcrowding__limit_share=0.04)(case)
    assert {breach.code for breach in audit_plan(too_many, folder).breaches} == {"A13"}


def test_conversion_removes_places(valid: Path, tmp_path: Path) -> None:
    """B takes five places from Ink House, where 95 pupils are left by then."""
    case = of_b(effect="convert", from_pool_id=INDEPENDENT, places_removed=5.0)(CASE)

    def change(variant: str, tables: dict[str, pd.DataFrame]) -> None:
        if variant == "plan":
            for year in YEARS[1:]:
                tables["places"] = put("places", -5, pool_id=INDEPENDENT, academic_year=year)(tables["places"])
            tables["projects"] = tables["projects"].assign(effect="convert")

    folder = rewritten(valid, tmp_path / "plan", change, places_removed=5.0, new_places=95.0)
    assert audit_plan(case, folder).breaches == ()


def test_second_stage_with_carried_money_and_pupils_from_mainstream(valid: Path, tmp_path: Path) -> None:
    """50 more places a year later for GBP 0.5m, carried forward; half of its life is left; 20 pupils come from mainstream.

    They cost 20,000 instead of 12,000 GBP each. B costs GBP 9m for its first stage, and 0.5m for a later one, whatever the size.
    """
    case = of_b(module_places=50, max_places=150, max_stages=2, fixed_cost_gbp=9e6, stage_cost_gbp=5e5, cost_per_place_gbp=0.0)(CASE)
    case = replace(case, pupils=case.pupils.assign(pupils_mainstream=100.0))
    case = assume(displacement__latent_share_of_mainstream=0.1)(case)

    def change(variant: str, tables: dict[str, pd.DataFrame]) -> None:
        if variant != "plan":
            return
        second = STAGE | {"places": 50.0, "capital_gbp": 500_000.0, "capital_net_pv_gbp": 250_000.0}
        tables["projects"] = pd.concat([tables["projects"], frame("projects", [second])])
        later = put("places", 50, pool_id="B", academic_year="2024/25")
        tables["places"] = both(later, put("latent_pupils", 20, pool_id="B", academic_year="2024/25"))(tables["places"])
        tables["needs"] = put("latent", 20, academic_year="2024/25")(tables["needs"])
        paid = payment("B") | {"financial_year": "2023-24", "amount_gbp": 500_000}
        tables["payments"] = pd.concat([tables["payments"], frame("payments", [paid])])
        cash = {"carried_in_gbp": 1e6, "allocated_gbp": 0, "spent_gbp": 5e5, "returned_gbp": 5e5, "carried_out_gbp": 0}
        carried = both(put("returned_gbp", -1e6), put("carried_out_gbp", 1e6))(tables["funding"])
        next_year = {"fund_id": "HIGH-NEEDS", "councils": COUNCIL, "financial_year": "2023-24", **cash}
        tables["funding"] = pd.concat([carried, frame("funding", [next_year])])
        lines = [
            ("capital", "2023-24", 500_000, True),
            ("capital_credit", "2024-25", -250_000, True),
            ("latent_revenue", "2024/25", 160_000, False),
        ]
        rows = [
            {"item": item, "year": year, "gbp": gbp, "present_value_gbp": gbp, "is_cash": True, "in_objective": counts}
            for item, year, gbp, counts in lines
        ]
        tables["costs"] = pd.concat([tables["costs"], frame("costs", rows)])
        for column in ("from_mainstream_gbp", "spend_gbp"):
            tables["high_needs_block"] = put(column, 7 / 12 * 160_000, financial_year="2024-25")(tables["high_needs_block"])

    dearer = {name: SUMMARY[name] - 250_000 for name in ("saving_gbp", "cash_saving_gbp")} | {"objective_gbp": 43_100_000.0}
    folder = rewritten(
        valid,
        tmp_path / "plan",
        change,
        **dearer,
        capital_gbp=9.5e6,
        new_places=150.0,
        places_opened=150.0,
        gap_of_cost=1.1 / 43.1,
        gap_of_saving=1.1 / 4.2,
    )
    assert audit_plan(case, folder).breaches == ()
    fewer = assume(displacement__latent_share_of_mainstream=0.09)(case)
    assert {breach.code for breach in audit_plan(fewer, folder).breaches} == {"A14"}


def test_journeys_are_paid_and_weighed(valid: Path) -> None:
    """GBP 1 a km and 1,000 a pupil for those carried (3 in 4, all at 0.85); GBP 60 a minute beyond the limit, unlocated places apart."""
    figures = {
        "travel__shared": 0.85,
        "travel__minutes_per_stop": 0.1,
        "travel__cost_base": 1_000,
        "travel__cost_per_mile": 1.609344,
        "travel__limit_min": {"SEC": 9},
        "travel__soft_extra_min": 60,
    }
    report = audit_plan(assume(**figures)(CASE), valid)
    found = report.recomputed["objective_gbp"] - SUMMARY["objective_gbp"]
    placed = {pool: sum(pupils) / 2 for pool, pupils in PUPILS["B"].items()}
    km = sum(placed[pool] * minutes / 2 for (_, pool), minutes in MINUTES.items() if pool in placed) + 50 * 2 * placed[UNLOCATED]
    excess = sum(placed[pool] * max(0, minutes - 9) for (_, pool), minutes in MINUTES.items() if pool in placed)
    assert found == pytest.approx(0.75 * 0.85 * (1_000 * sum(DEMAND) + km) + 60 * excess)
    assert {breach.code for breach in report.breaches} == {"A42", "A43", "A50", "A51"}


def test_present_values(valid: Path) -> None:
    """10 % interest and a tail of two years: the last year counts thrice; B, with eight years of life, has four left after the fifth year."""
    report = audit_plan(assume(time__discount_rate=0.1, time__tail_years=2)(of_b(life_years=8)(CASE)), valid)
    running = 11.8e6 + 9.9e6 / 1.1 + 12.15e6 * (1.1**-2 + 1.1**-3 + 1.1**-4)
    assert report.recomputed["objective_gbp"] == pytest.approx(running + 9e6 * (1 - 4 / 8 / 1.1**5))


def test_classes_by_hand() -> None:
    """A fifth moderate; 30 % of the third in independent schools stays there: a tenth of all pupils."""
    case = assume(severity__moderate_share={"ASD": 0.2}, independent__irreducible_share={"ASD": 0.3})(CASE)
    facts = expected(case, "central")
    first = (GROUPS.get_loc("ASD") * len(PHASE_CODES) + PHASE_CODES.get_loc("SEC")) * len(BANDS)
    assert facts.demand.entrants[0, first : first + 3, 0] == pytest.approx([160 * 0.2 - 15, 160 * 0.7 - 52.5, 160 * 0.1 - 7.5])
    assert facts.demand.entrants.sum() == pytest.approx(170 + 200 + 220)
    assert base_bands(case)[STATE] == pytest.approx([200 * 60 / 270, 200 * 210 / 270, 0])
    assert base_bands(case)[INDEPENDENT] == pytest.approx([70 * 60 / 270, 70 * 210 / 270, 30])
    in_bases = edit("settings", "setting_id", STATE, kind="resourced_provision")(case)
    assert base_bands(in_bases)[STATE] == pytest.approx([60, 140, 0])
    assert base_bands(in_bases)[INDEPENDENT] == pytest.approx([0, 70, 30])


def base_bands(case: Case) -> dict[str, Any]:
    """Pupils of the base January by pool: moderate, complex, complex that stay independent."""
    facts = expected(case, "central")
    base = facts.base
    return {
        str(pool): np.bincount(base.band_class[base.pool == i] % 3, base.pupils[base.pool == i], 3)
        for i, pool in enumerate(facts.pools.ids)
    }


def test_demand_never_falls_faster_than_pupils_leave() -> None:
    """60 pupils in 2022/23 after 150: 75 stay, and nobody enters."""
    fewer = CASE.pupils.assign(pupils_placed=CASE.pupils["pupils_placed"].mask(CASE.pupils["academic_year"] == "2022/23", 60.0))
    facts = expected(replace(CASE, pupils=fewer), "central")
    assert facts.demand.placed.sum(axis=(0, 1)) == pytest.approx([150, 360, 400])
    assert facts.demand.entrants.sum(axis=(0, 1)) == pytest.approx([0, 285, 220])


def test_places_by_hand() -> None:
    """Growth, places at risk, and unlocated places: half of demand on top of the share that is there today (none)."""
    pools = CASE.pools.assign(growth_per_year=[0.0, 0.1, 0.0], places_at_risk=[24.0, 0.0, 0.0], at_risk_from=["2023/24", None, None])
    facts = expected(replace(CASE, pools=pools), "central")
    assert facts.pools.places[:3] == pytest.approx(np.array([[200, 176, 176], [110, 121, 133.1], [160, 180, 200]]))
    moved = CASE.placements.assign(pool_id=CASE.placements["pool_id"].replace({INDEPENDENT: UNLOCATED}))
    facts = expected(replace(CASE, placements=moved), "central")
    assert facts.pools.places[2] == pytest.approx((1 / 3 + 1 / 2) * np.array(DEMAND))


def test_every_code_is_documented() -> None:
    root = Path(__file__).parent.parent
    used = {
        code
        for file in (root / "sufficiency" / "audit").glob("*.py")
        for code in re.findall(r'"(A\d\d)"', file.read_text(encoding="utf-8"))
    }
    documented = set(re.findall(r"^\| (A\d\d) \|", (root / "docs" / "audit.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert used == documented
    assert used == {code for wrong in BREAKS.values() for code in wrong.codes}
