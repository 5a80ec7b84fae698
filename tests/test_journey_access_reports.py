"""What the commands journeys and access write: tables that agree with themselves and layers that QGIS opens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from hand_case import hand_case
from plan_example import example_case, example_plan

from fixtures.roads import write_osm_pbf
from sufficiency.access_report import GEOPACKAGE, access_report, access_text, write_access
from sufficiency.case import Case
from sufficiency.journey_report import journey_report, journey_text, write_journeys
from sufficiency.plan import Plan
from sufficiency.tables.problems import InputError
from sufficiency.tables.report_schemas import REPORT_SCHEMAS


@pytest.fixture(scope="module")
def case() -> Case:
    return example_case()


@pytest.fixture(scope="module")
def plan(case: Case) -> Plan:
    return example_plan(case)


def test_every_placed_pupil_has_a_journey_and_totals_add_up(case: Case) -> None:
    report = journey_report(case)
    assert report.journeys["pupils"].sum() == pytest.approx(case.placements["pupils"].sum())
    journeys, totals = report.journeys, report.totals
    assert totals["pupils"].sum() == pytest.approx(journeys["pupils"].sum())
    assert totals["cost_gbp"].sum() == pytest.approx((journeys["pupils"] * journeys["cost_gbp_per_pupil_per_year"]).sum())
    parts = journeys[["cannot_walk_share", "beyond_distance_share", "low_income_share"]].sum(axis=1)
    np.testing.assert_allclose(parts, journeys["eligible_share"])
    gbp = journeys["vehicle_gbp_per_carried_pupil_per_year"] + journeys["assistant_gbp_per_carried_pupil_per_year"]
    np.testing.assert_allclose(gbp, journeys["cost_gbp_per_carried_pupil_per_year"])
    assert (totals["vehicles"] <= totals["carried"] + 1e-9).all()
    assert totals["vehicles"].sum() < totals["carried"].sum()
    assert set(journeys["within_limit"] == (journeys["minutes"] <= journeys["limit_min"])) == {True}


def test_journeys_of_a_plan_are_those_of_its_last_year(case: Case, plan: Plan) -> None:
    report = journey_report(case, plan.plan)
    last = plan.plan.placements[plan.plan.placements["academic_year"] == case.academic_years[-1]]
    assert report.academic_year == case.academic_years[-1]
    assert report.journeys["pupils"].sum() == pytest.approx(last["pupils"].sum())
    with pytest.raises(InputError, match="no such planning year"):
        journey_report(case, plan.plan, year="1999/00")
    with pytest.raises(InputError, match="needs a plan"):
        journey_report(case, year=case.academic_years[0])


def test_independent_pupils_far_away_board_and_ride_alone(case: Case) -> None:
    kind = case.pools.set_index("pool_id")["setting_id"].map(case.settings.set_index("setting_id")["kind"])
    pool = kind.index[kind == "unlocated_independent"][0]
    far = replace(case, councils=case.councils.assign(unlocated_minutes=120.0, unlocated_km=150.0))
    found = journey_report(far).journeys
    site = case.pools.set_index("pool_id")["setting_id"][pool]
    boarders = found[found["site_id"] == site]
    assert len(boarders)
    assert boarders["boards"].all()
    assert (boarders["riders"] == 1).all()
    assert not found.loc[found["minutes"] <= 90, "boards"].any()


def test_a_council_pays_its_own_figures(case: Case, tmp_path: Path) -> None:
    council = case.councils["council_code"].iloc[0]
    own = tmp_path / "own.csv"
    own.write_text(f"council_code,name,key,value,source\n{council},vehicle,base,0,Contracts\n{council},vehicle,per_mile,0,Contracts\n")
    before, after = journey_report(case), journey_report(case, own_figures=own)
    mine = after.journeys["council_code"] == council
    assert (after.journeys.loc[mine, "vehicle_gbp_per_carried_pupil_per_year"] == 0).all()
    pd.testing.assert_frame_equal(after.journeys[~mine], before.journeys[~mine])
    replaced = after.figures[after.figures["status"] == "own"]
    assert replaced["council_code"].tolist() == [council] * 2
    own.write_text("council_code,name\nE1,vehicle\n")
    with pytest.raises(InputError) as caught:
        journey_report(case, own_figures=own)
    assert len(caught.value.problems) == 3


def test_the_plan_and_the_journeys_share_their_figures(case: Case) -> None:
    dearer = replace(case, assumptions=case.assumptions.override({"travel.cost_base": 9_999}, "the test", "test"))
    figures = journey_report(dearer).figures.set_index(["name", "key"])["value"]
    assert figures["vehicle", "base"] == 9_999
    assert figures["limit_min", "PRI"] == case.assumptions.table("travel.limit_min")["PRI"]


def test_tables_describe_themselves(case: Case, tmp_path: Path) -> None:
    report = write_journeys(case, tmp_path / "out")
    for name in ("journeys", "journey_totals", "journey_assumptions"):
        about = json.loads((tmp_path / "out" / f"{name}.csv-metadata.json").read_text())
        columns = [column["name"] for column in about["tableSchema"]["columns"]]
        assert columns == list(REPORT_SCHEMAS[name].to_schema().columns)
        assert list(pd.read_csv(tmp_path / "out" / f"{name}.csv", nrows=1).columns) == columns
    said = journey_text(report, case)
    assert all(name[:30] in said for name in case.councils["council_name"])


def test_access_before_and_after_a_plan(case: Case, plan: Plan, tmp_path: Path) -> None:
    report = access_report(case, plan)
    shares = report.shares
    assert (shares["share_after"] >= shares["share_before"] - 1e-9).all()
    assert (shares["share_after"] > shares["share_before"] + 1e-3).any()
    last = case.academic_years[-1]
    stated = plan.plan.access[plan.plan.access["academic_year"] == last].groupby("council_code")[["pupils", "within_45_min"]].sum()
    found = shares[(shares["need_group"] == "ALL") & (shares["minutes"] == 45)].set_index("council_code")
    np.testing.assert_allclose(found["share_after"], (stated["within_45_min"] / stated["pupils"]).loc[found.index])
    assert set(report.layers["catchments"]["site_id"]) == set(plan.plan.projects["site_id"])
    assert "->" in access_text(report)


def test_access_today_has_no_after_and_writes_layers(case: Case, tmp_path: Path) -> None:
    report = write_access(case, tmp_path / "out")
    assert report.shares["share_after"].isna().all()
    assert {name for name, _ in pyogrio.list_layers(tmp_path / "out" / GEOPACKAGE)} == {"areas", "councils", "catchments"}
    areas = gpd.read_file(tmp_path / "out" / GEOPACKAGE, layer="areas")
    assert len(areas) == len(case.areas)
    assert areas.crs.to_epsg() == 27700
    assert {"minutes_before_asd", "minutes_after_asd", "pupils_asd"} <= set(areas.columns)
    councils = gpd.read_file(tmp_path / "out" / GEOPACKAGE, layer="councils")
    assert len(councils) == len(case.councils)
    assert "within_45_before_all" in councils.columns
    assert "->" not in access_text(report)


def test_catchments_of_the_sites_asked_for_by_areas_or_by_road(tmp_path: Path) -> None:
    case = hand_case()
    drawn = access_report(case, sites=["100002"]).layers["catchments"]
    assert drawn["site_id"].tolist() == ["100002"] * 3
    assert drawn["minutes"].tolist() == [20, 45, 75]
    nodes = pd.DataFrame({"node_id": [1, 2], "easting_m": [403_000.0, 423_000.0], "northing_m": [305_000.0, 305_000.0]})
    edges = pd.DataFrame(
        {
            "from": [1],
            "to": [2],
            "length_m": [20_000.0],
            "road_class": "a_road",
            "form": "single",
            "one_way": False,
            "speed_limit_kmh": np.nan,
        }
    )
    roads = write_osm_pbf(tmp_path / "r.osm.pbf", nodes, edges)
    by_road = access_report(case, sites=["100002"], roads=roads).layers["catchments"]
    assert set(by_road["method"]) == {"by road"}
    with pytest.raises(InputError, match="no such site"):
        access_report(case, sites=["nowhere"])


def test_a_protected_case_is_refused(case: Case) -> None:
    closed = replace(case, disclosure="protected")
    for report in (journey_report, access_report):
        with pytest.raises(InputError, match="records of persons"):
            report(closed)
