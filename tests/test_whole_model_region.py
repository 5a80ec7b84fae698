"""Every part at once in the small fictional region: the plan keeps what is asked, and the audit of its folder finds nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hand_case import table
from small_region import QUICK, written

from fixtures.region import fictional_region
from sufficiency.audit import audit_plan
from sufficiency.case import Case, load_case, save_case
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.tables.checks import report_case
from sufficiency.workflow import as_planned, plan_case

PINNED = "P-SATELLITE-01"
ASKED = replace(
    QUICK,
    gap=0.05,
    pins=(
        {"project": PINNED, "wish": "must"},
        {"project": "P-CONVERT", "wish": "must"},
        {"project": "P-EXPAND-03", "wish": "must_not"},
        {"project": "P-WAIT", "wish": "must"},
    ),
    equity=({"by": "deprivation", "measure": "unmet", "within_share": 0.2}, {"by": "rurality", "measure": "minutes", "within_share": 0.3}),
    top_slice={"share": 0.05, "councils": ["F06000001"]},
    pooling="partnership",
    suitability="2023",
    levers=("price_cap",),
    perspective="social",
    assumptions={"ap.weeks_of_stay": 26, "capital.inflation_per_year": 0.02},
)


@cache
def whole() -> Case:
    """The region with ramp-up, disruption, temporary places, an improvement, a bundle, crews, caps, outreach and blocks."""
    case = fictional_region(1, areas=60)
    councils = case.councils["council_code"].tolist()
    projects = case.projects.copy()
    bases = projects["kind"] == "resourced_provision"
    projects.loc[bases, "ramp_up"] = "0.5|0.8|1"
    projects.loc[bases, "most_use_share"] = 0.95
    projects.loc[projects["kind"] == "satellite", "least_use_share"] = 0.7
    projects.loc[projects["kind"] == "satellite", "viable_after_years"] = 1
    temporary = projects["kind"] == "ap_expansion"
    projects.loc[temporary, "expires_after_years"] = 2.0
    projects.loc[temporary, "optimism_bias"] = np.nan
    projects.loc[temporary, "price_area"] = "England"
    grows = projects["project_id"].str.startswith("P-EXPAND-02")
    pool = case.pools.set_index("setting_id")["pool_id"]
    projects["from_pool_id"] = projects["from_pool_id"].astype(object)
    projects.loc[grows, "from_pool_id"] = projects.loc[grows, "site_id"].map(pool)
    projects.loc[grows, ["disruption_places", "disruption_years"]] = [4.0, 1]
    roof = projects["effect"] == "improve"
    projects.loc[roof, ["places_improved", "overcrowding_places", "wheelchair_access"]] = [20.0, 3.0, True]
    projects["bundle"] = projects["bundle"].astype(object)
    projects.loc[projects["project_id"].isin(["P-BASE-01", "P-BASE-02"]), "bundle"] = "two bases"
    case = replace(case, projects=projects, councils=case.councils.assign(partnership="Mere", most_building=6.0))
    rows = {
        "borders": [{"home_council": a, "provider_council": b, "most_pupils": 12.0} for a, b in (councils[:2], councils[1::-1])],
        "shares": [{"label": "a twentieth for bases", "kinds": "resourced_provision", "share": 0.05}],
        "high_needs": [
            {"council_code": councils[0], "financial_year": "2022-23", "block_gbp": 3e7, "deficit_brought_forward_gbp": 2e6},
            {"council_code": councils[0], "financial_year": "2023-24", "block_gbp": 3.1e7},
        ],
        "reductions": [
            {
                "reduction_id": "R", "name": "Outreach", "council_code": councils[0], "need_group": "SEMH", "phases": "PRI|SEC",
                "first_year": "2023/24", "capacity": 20.0, "elasticity": 0.3, "most_share": 0.2, "gbp_per_year": 2e5,
            }
        ],
    }  # fmt: skip
    return replace(case, **{name: table(name, given) for name, given in rows.items()})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path, Path]:
    case = whole()
    slice_of = {"share": 0.05, "councils": case.councils["council_code"].tolist()[:1]}
    request = replace(ASKED, top_slice=slice_of)
    plan = plan_case(case, request)
    case_folder, plan_folder = written(plan, case, tmp_path_factory.mktemp("whole"))
    return plan, case_folder, plan_folder


def test_the_case_is_sound_and_saved_whole(tmp_path: Path) -> None:
    assert report_case(whole()).errors == []
    save_case(whole(), tmp_path / "case")
    loaded = load_case(tmp_path / "case")
    assert all(len(getattr(loaded, name)) == len(values) for name, values in whole().tables.items())


def test_the_audit_finds_nothing_in_the_folder(folders: tuple[Plan, Path, Path]) -> None:
    _, case_folder, plan_folder = folders
    report = audit_plan(as_planned(load_case(case_folder), plan_folder), plan_folder, case_folder=case_folder)
    assert report.breaches == ()


def test_the_plan_is_as_asked(folders: tuple[Plan, Path, Path]) -> None:
    plan, _, plan_folder = folders
    built = set(plan.plan.projects["project_id"])
    assert {PINNED, "P-CONVERT"} <= built
    assert "P-EXPAND-03" not in built
    improved = plan.plan.places[plan.plan.places["pool_id"] == "P-WAIT"]
    assert improved["places"].max() > 0
    assert len({"P-BASE-01", "P-BASE-02"} & built) != 1
    asked = json.loads((plan_folder / "plan.json").read_text(encoding="utf-8"))["request"]
    assert asked["perspective"] == "social"
    assert PlanRequest(**{**asked, "pins": tuple(asked["pins"])}).suitability == "2023"
    summary = plan.summary
    assert summary["new_places"] == summary["places_opened"] - summary["places_removed"] < summary["places_opened"]
    assert sum(summary["kept_out_of_demand"].values()) > 0


def test_limits_are_listed_and_sums_agree(folders: tuple[Plan, Path, Path]) -> None:
    plan, _, _ = folders
    tables = plan.plan
    assert set(tables.limits["rule"]) >= {"border", "equity"}
    weights = tables.costs[tables.costs["item"].isin(["border_weight", "equity_weight", "least_use_weight"])]
    assert weights["present_value_gbp"].sum() == pytest.approx(tables.limits["weight_pv_gbp"].sum())
    assert tables.high_needs_block.groupby("financial_year")["import_export_gbp"].sum().abs().max() < 1.0
    moved = tables.transfers["amount_gbp"].sum()
    assert tables.funding["transferred_in_gbp"].sum() == pytest.approx(moved) == pytest.approx(tables.funding["transferred_out_gbp"].sum())
