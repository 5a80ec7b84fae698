"""Journeys as planners see them: entitlement, sharing, cost and carbon by hand-worked figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sufficiency.journeys import KM_PER_MILE, JourneyAssumptions, cost_journeys, read_journey_assumptions
from sufficiency.tables.problems import InputError


@pytest.fixture
def assumptions() -> JourneyAssumptions:
    return read_journey_assumptions()


AREAS = pd.DataFrame(
    {"area_id": ["n", "s"], "easting_m": [0.0, 0.0], "northing_m": [9_000.0, -9_000.0], "council_code": ["E1", "E2"], "imd_decile": [1, 10]}
)
SITES = pd.DataFrame({"site_id": ["x", "y", "z", "w"], "easting_m": 0.0, "northing_m": 0.0})


def _journeys(*rows: tuple[str, str, str, str, float, float, float, bool]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["area_id", "site_id", "need_group", "phase", "pupils", "minutes", "miles", "boards"])
    return table.assign(km=table["miles"] * KM_PER_MILE).drop(columns="miles")


def test_ten_miles_alone_cost_the_published_mean(assumptions: JourneyAssumptions) -> None:
    found = cost_journeys(_journeys(("n", "x", "SEMH", "SEC", 1.0, 30.0, 10.0, False)), AREAS, SITES, assumptions).iloc[0]
    assert found["riders"] == 1
    assert found["miles"] == pytest.approx(10)
    assert found["cost_gbp_per_carried_pupil_per_year"] == pytest.approx(8_100 + 0.30 * 6_000)
    assert found["eligible_share"] == 1
    assert found["carried_share"] == pytest.approx(0.85)
    assert found["cost_gbp_per_pupil_per_year"] == pytest.approx(0.85 * 9_900)
    assert found["co2e_kg_per_carried_pupil_per_year"] == pytest.approx(2 * 10 * KM_PER_MILE * 190 * 0.2 * 1.5)


def test_statutory_distance_by_age_and_income(assumptions: JourneyAssumptions) -> None:
    rows = [
        ("n", "x", "MLD", "PRI", 1.0, 5.0, 1.9, False),
        ("n", "y", "MLD", "PRI", 1.0, 5.0, 2.5, False),
        ("n", "z", "MLD", "PRI", 1.0, 5.0, 3.1, False),
        ("n", "x", "MLD", "SEC", 1.0, 5.0, 2.5, False),
        ("n", "x", "MLD", "P16", 1.0, 5.0, 9.0, False),
        ("s", "x", "MLD", "SEC", 1.0, 5.0, 2.5, False),
    ]
    found = cost_journeys(_journeys(*rows), AREAS, SITES, assumptions)["eligible_share"]
    walkers = 1 - 0.55
    poor, rich = 0.45, 0.10
    expected = [0.55, 0.55 + walkers * (0.5 + 0.5 * poor), 1.0, 0.55 + walkers * poor, 0.55, 0.55 + walkers * rich]
    np.testing.assert_allclose(found, expected)


def test_only_the_three_nearest_sites_count_for_low_income_from_11(assumptions: JourneyAssumptions) -> None:
    rows = [("n", site, "MLD", "SEC", 1.0, 5.0, 2.1 + 0.1 * place, False) for place, site in enumerate("xyzw")]
    found = cost_journeys(_journeys(*rows), AREAS, SITES, assumptions)["eligible_share"].tolist()
    assert found[2] == pytest.approx(0.55 + 0.45 * 0.45)
    assert found[3] == pytest.approx(0.55)


def test_pupils_of_one_corridor_share_and_of_opposite_ones_do_not(assumptions: JourneyAssumptions) -> None:
    alone = cost_journeys(_journeys(("n", "x", "SLD", "SEC", 1.0, 30.0, 8.0, False)), AREAS, SITES, assumptions)
    two_sides = cost_journeys(
        _journeys(("n", "x", "SLD", "SEC", 1.0, 30.0, 8.0, False), ("s", "x", "SLD", "SEC", 9.0, 30.0, 8.0, False)),
        AREAS,
        SITES,
        assumptions,
    )
    crowded = cost_journeys(_journeys(("n", "x", "SLD", "SEC", 20.0, 30.0, 8.0, False)), AREAS, SITES, assumptions)
    late = cost_journeys(_journeys(("n", "x", "SLD", "SEC", 20.0, 74.0, 8.0, False)), AREAS, SITES, assumptions)
    assert two_sides["riders"].iloc[0] == alone["riders"].iloc[0] == 1
    assert crowded["riders"].iloc[0] == 8
    assert late["riders"].iloc[0] == 1
    assert late["within_limit"].iloc[0]
    cost = "cost_gbp_per_carried_pupil_per_year"
    curve = (3_600 + 450 * 8) * (1 + 0.5 * 0.2)
    assert crowded[cost].iloc[0] == pytest.approx(curve * 0.75 + 0.6 * 6_000 / 8)
    assert alone[cost].iloc[0] == pytest.approx(curve + 0.6 * 6_000)


def test_boarders_travel_every_second_weekend(assumptions: JourneyAssumptions) -> None:
    day, boards = (
        cost_journeys(_journeys(("n", "x", "ASD", "SEC", 5.0, 90.0, 60.0, flag)), AREAS, SITES, assumptions).iloc[0]
        for flag in (False, True)
    )
    ratio = boards["co2e_kg_per_carried_pupil_per_year"] / day["co2e_kg_per_carried_pupil_per_year"]
    assert ratio == pytest.approx(0.1)
    assert boards["cost_gbp_per_carried_pupil_per_year"] < day["cost_gbp_per_carried_pupil_per_year"] / 5
    assert not day["within_limit"]


def test_a_council_replaces_figures_for_its_own_pupils_only(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("council_code,name,key,value,source\nE2,vehicle,per_mile,900,Contract list 2025\n")
    rows = _journeys(("n", "x", "AP", "SEC", 1.0, 30.0, 10.0, False), ("s", "x", "AP", "SEC", 1.0, 30.0, 10.0, False))
    found = cost_journeys(rows, AREAS, SITES, read_journey_assumptions(own))["cost_gbp_per_carried_pupil_per_year"]
    assert found.tolist() == pytest.approx([8_100 + 300, 12_600 + 300])
    own.write_text("council_code,name,key,value,source\nE2,vehicle,speed,9,x\nE2,vehicle,base,-1,x\n")
    with pytest.raises(InputError) as caught:
        read_journey_assumptions(own)
    assert len(caught.value.problems) == 2


def test_every_figure_has_a_source_and_a_known_status(assumptions: JourneyAssumptions) -> None:
    assert assumptions.figures.notna().all().all()
    assert set(assumptions.figures["status"]) <= {"sourced", "assumed", "unverified"}
    assert not assumptions.figures.duplicated(["name", "key"]).any()


def test_unknown_places_and_missing_columns_are_named(assumptions: JourneyAssumptions) -> None:
    rows = _journeys(("q", "x", "AP", "SEC", 1.0, 30.0, 10.0, False))
    with pytest.raises(ValueError, match="unknown area_id: q"):
        cost_journeys(rows, AREAS, SITES, assumptions)
    with pytest.raises(ValueError, match="boards"):
        cost_journeys(rows.drop(columns="boards"), AREAS, SITES, assumptions)
