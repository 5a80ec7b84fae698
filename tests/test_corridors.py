"""The pooling estimate behind the cost of journeys: by hand, by the audit's own formula, and what it does to a site near a cluster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hand_case import hand_case

from sufficiency.audit.sharing import journey_sharing
from sufficiency.case import Case, validated
from sufficiency.corridors import case_sites, corridor_of, riders_in_vehicle, sharing_factor, travel_with_sharing


def _sharing(case: Case) -> pd.Series:
    return travel_with_sharing(case).set_index(["area_id", "site_id"])["sharing"]


def _one_area_one_site(pupils: float, places: float, minutes: float) -> Case:
    """Only area A1 has pupils, only setting 100001 has places; the travel table joins them and nothing else."""
    case = hand_case()
    mine = case.placements.iloc[[0]].assign(area_id="A1", pupils=pupils, phase="SEC")
    pools = case.pools.assign(
        places=np.where(case.pools["setting_id"] == "100001", places / (case.pools["setting_id"] == "100001").sum(), 0.0)
    )
    travel = case.travel[(case.travel["area_id"] == "A1") & (case.travel["site_id"] == "100001")].assign(minutes=minutes)
    overrides = {"travel.transported_share": {"SEC": 1.0}}
    assumptions = case.assumptions.override(overrides, "the test", "test")
    return replace(case, placements=mine, pools=pools, travel=travel.reset_index(drop=True), assumptions=assumptions)


@pytest.mark.parametrize(
    ("pupils", "places", "minutes", "expected"),
    [
        (1.0, 50.0, 30.0, 1.0),  # alone
        (2.0, 50.0, 30.0, 1 - 0.25 * 0.5),  # 1 + 0.5 x (2 - 1) riders
        (9.0, 50.0, 30.0, 0.75),  # 5 riders
        (9.0, 2.0, 30.0, 1 - 0.25 * 0.5),  # no more than the places
        (9.0, 50.0, 72.0, 1.0),  # no time for another stop before 75 minutes
    ],
)
def test_one_corridor_by_hand(pupils: float, places: float, minutes: float, expected: float) -> None:
    case = _one_area_one_site(pupils, places, minutes)
    assert travel_with_sharing(case)["sharing"].tolist() == pytest.approx([expected])
    assert journey_sharing(case).tolist() == pytest.approx([expected])


def test_the_audit_finds_the_same_factors() -> None:
    case = hand_case()
    found = travel_with_sharing(case)["sharing"].to_numpy()
    assert 0.75 <= found.min() < found.max() <= 1
    np.testing.assert_allclose(journey_sharing(case), found, rtol=1e-12)


def test_journeys_to_a_site_cost_less_where_more_pupils_live_in_its_corridor() -> None:
    case = hand_case()
    crowded = replace(case, placements=case.placements.assign(pupils=np.where(case.placements["area_id"] == "A1", 40.0, 0.2)))
    few = replace(case, placements=case.placements.assign(pupils=np.where(case.placements["area_id"] == "A1", 0.2, 40.0)))
    new = "new-1"
    assert new not in set(case.settings["setting_id"])
    assert _sharing(crowded)["A1", new] < _sharing(few)["A1", new]
    assert _sharing(crowded)["A4", new] > _sharing(few)["A4", new]


def test_a_forbidden_project_draws_nobody() -> None:
    case = hand_case()
    shut = replace(case, projects=validated("projects", case.projects.assign(decision="forbidden")))
    new = "new-1"
    assert _sharing(shut).xs(new, level="site_id").tolist() == [1.0] * len(case.areas)


def test_sectors_riders_and_factor() -> None:
    east, north = np.array([0.0, 0.0, 1.0, -1.0]), np.array([1.0, -1.0, 0.1, 0.1])
    assert len(set(corridor_of(east, north))) == 4
    riders = riders_in_vehicle(np.array([0.0, 3.0, 30.0, 30.0]), np.array([60.0, 60.0, 60.0, 5.0]), 0.5, 4.0, 8.0)
    assert riders.tolist() == [1, 2, 8, 2]
    assert sharing_factor(riders, 0.75).tolist() == [1, 0.75, 0.75, 0.75]


def test_every_site_has_one_place() -> None:
    sites = case_sites(hand_case())
    assert sites["site_id"].is_unique
    assert "new-1" in set(sites["site_id"])
