"""The gravity fit of placements to settings, and whom a setting is designated for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sufficiency.build import designation as d
from sufficiency.build import gravity as g
from sufficiency.terms import NEED_GROUPS, PHASES
from sufficiency.travel_sources import estimate_basis

N = len(g.CELLS)


def cell(group: str, phase: str) -> int:
    return g.CELLS.index((group, phase))


def drawn(seed: int, areas: int = 12, schools: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray, g.Reach]:
    """Demand, rolls that sum to it, weights (all above zero) and journeys of a made-up district of two councils."""
    draw = np.random.default_rng(seed)
    demand = np.zeros((areas, N))
    demand[:, :6] = draw.uniform(0.5, 4, (areas, 6))
    rolls = draw.dirichlet(np.full(schools, 4.0)) * demand.sum()
    weight = draw.uniform(0.3, 1, (schools, N))
    minutes = draw.uniform(3, 40, (areas, schools)).astype(np.float32)
    home = (np.arange(areas) % 2)[:, None] == (np.arange(schools) % 2)[None, :]
    return demand, rolls, weight, g.Reach(minutes, minutes * np.float32(0.8), home)


def whole(fit: g.Balance, weight: np.ndarray, near: np.ndarray) -> np.ndarray:
    """T written out: [areas, cells, settings]."""
    return np.einsum("ac,sc,s,as->acs", fit.by_cell, weight, fit.by_setting, near)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), beta=st.floats(0, 0.3), preference=st.floats(0.05, 1))
def test_areas_hold_exactly_and_rolls_nearly(seed: int, beta: float, preference: float) -> None:
    demand, rolls, weight, journeys = drawn(seed)
    near = g.nearness(journeys, beta, preference)
    fit = g.balance(demand, rolls, weight, near, rounds=500)
    pupils = whole(fit, weight, near)
    np.testing.assert_allclose(pupils.sum(axis=2), demand, rtol=1e-5)
    np.testing.assert_allclose(pupils.sum(axis=(0, 1)), fit.held, rtol=1e-5)
    assert np.abs(fit.held - rolls).sum() <= 1.01 * g.CLOSE_ENOUGH * rolls.sum()
    assert fit.unplaced.sum() == 0


def test_the_fit_is_the_one_of_plain_proportional_fitting() -> None:
    demand, rolls, weight, journeys = drawn(3)
    near = g.nearness(journeys, 0.1, 0.2)
    table = np.einsum("sc,as->acs", weight, near.astype(float))
    for _ in range(3_000):
        table *= (rolls / table.sum(axis=(0, 1)))[None, None, :]
        totals = table.sum(axis=2)
        table *= np.divide(demand, totals, out=np.zeros_like(demand), where=totals > 0)[:, :, None]
    exact = g.balance(demand, rolls, weight, near, rounds=3_000)
    assert np.abs(whole(exact, weight, near) - table).sum() <= 2 * g.CLOSE_ENOUGH * demand.sum()


def test_two_schools_without_distance_share_by_their_rolls() -> None:
    demand = np.zeros((2, N))
    demand[:, 0] = 30, 10
    same = g.Reach(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32), np.ones((2, 2), bool))
    near = g.nearness(same, 0.2, 1.0)
    fit = g.balance(demand, np.array([10.0, 30.0]), np.ones((2, N)), near)
    np.testing.assert_allclose(whole(fit, np.ones((2, N)), near)[:, 0], [[7.5, 22.5], [2.5, 7.5]], rtol=1e-5)


def test_a_setting_gets_no_pupils_it_does_not_take_and_reach_ends() -> None:
    demand, rolls, weight, journeys = drawn(5)
    weight[0, 2] = 0.0
    journeys.minutes[4, :] = np.inf
    near = g.nearness(journeys, 0.1, 1.0)
    fit = g.balance(demand, rolls, weight, near)
    pupils = whole(fit, weight, near)
    assert pupils[:, 2, 0].sum() == 0
    assert pupils[4].sum() == 0
    np.testing.assert_allclose(fit.unplaced[4], demand[4])
    assert fit.unplaced[np.arange(12) != 4].sum() == 0


def test_a_setting_without_a_roll_takes_what_comes() -> None:
    demand, rolls, weight, journeys = drawn(6)
    rolls[1] = np.nan
    rolls[np.arange(5) != 1] *= 0.5
    near = g.nearness(journeys, 0.1, 1.0)
    fit = g.balance(demand, rolls, weight, near, rounds=500)
    known = np.arange(5) != 1
    np.testing.assert_allclose(fit.held[known], rolls[known], rtol=0.01)
    assert fit.held[1] == pytest.approx(demand.sum() - rolls[known].sum(), rel=0.01)


def test_pupils_stay_nearer_when_distance_and_border_count_more() -> None:
    demand, rolls, weight, journeys = drawn(7, areas=40, schools=8)

    def figures(beta: float, preference: float) -> Any:
        near = g.nearness(journeys, beta, preference)
        fit = g.balance(demand, rolls, weight, near, rounds=300)
        return g.journey_figures(g.main_flows(fit, weight, near, keep=8, least_share=0.0), journeys)

    assert figures(0.02, 1)["mean_min"] > figures(0.1, 1)["mean_min"] > figures(0.3, 1)["mean_min"]
    assert figures(0.1, 1)["outside_share"] > figures(0.1, 0.3)["outside_share"] > figures(0.1, 0.05)["outside_share"]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), keep=st.integers(1, 5), least=st.floats(0, 0.4))
def test_few_flows_hold_all_pupils(seed: int, keep: int, least: float) -> None:
    demand, rolls, weight, journeys = drawn(seed)
    near = g.nearness(journeys, 0.1, 0.3)
    flows = g.main_flows(g.balance(demand, rolls, weight, near), weight, near, keep, least)
    np.testing.assert_allclose(flows.by_area_cell(len(demand)), demand, rtol=1e-5)
    per_cell = pd.Series(flows.pupils).groupby([flows.area, flows.cell]).agg(["size", "min", "max", "sum"])
    assert (per_cell["size"] <= keep).all()
    assert ((per_cell["min"] / per_cell["sum"] >= least - 1e-6) | (per_cell["size"] == 1)).all()
    again = g.rebalanced(flows, rolls, len(demand))
    np.testing.assert_allclose(again.by_area_cell(len(demand)), demand, rtol=1e-5)
    assert np.abs(again.by_setting(5) - rolls).sum() <= np.abs(flows.by_setting(5) - rolls).sum() + 1e-6


def test_pupils_out_of_reach_go_to_the_nearest_setting_that_takes_them() -> None:
    areas = pd.DataFrame({"easting_m": [0.0, 0.0], "northing_m": [0.0, 0.0]})
    places = pd.DataFrame({"easting_m": [1_000.0, 50_000.0, 90_000.0], "northing_m": [0.0, 0.0, 0.0]})
    weight = np.zeros((3, N))
    weight[1:, 0] = 1.0
    unplaced = np.zeros((2, N))
    unplaced[0, 0], unplaced[1, 7] = 2.0, 3.0
    flows = g.nearest_beyond(unplaced, areas, places, weight)
    assert dict(zip(zip(flows.area, flows.cell, strict=True), zip(flows.setting, flows.pupils, strict=True), strict=True)) == {
        (0, 0): (1, 2.0),
        (1, 7): (0, 3.0),
    }


def test_margins_spread_each_council_over_its_areas() -> None:
    placements = pd.DataFrame(
        [("X", "ASD", "PRI", "ap", 10.0), ("X", "SPLD", "PRI", "ap", 4.0), ("X", "OTH", "PRI", "ap", 2.0), ("Y", "ASD", "SEC", "ap", 8.0)],
        columns=["council_code", "need", "phase", "category", "pupils"],
    )
    shares = pd.DataFrame(
        [("a", "X", "PRI", 0.25), ("b", "X", "PRI", 0.75), ("c", "Y", "SEC", 1.0)], columns=["area_id", "council_code", "phase", "share"]
    )
    margin = g.residence_margins(placements, shares, pd.Index(["c", "a", "b"]))["ap"]
    assert margin[1, cell("ASD", "PRI")] == 2.5
    assert margin[2, cell("MLD", "PRI")] == 4.5
    assert margin[0, cell("ASD", "SEC")] == 8
    assert margin.sum() == 24
    with pytest.raises(ValueError, match="get lost"):
        g.residence_margins(placements, shares.iloc[:2], pd.Index(["a", "b"]))
    with pytest.raises(ValueError, match="not in the areas table"):
        g.residence_margins(placements, shares, pd.Index(["a", "b"]))


def test_journeys_are_read_by_id_not_by_order() -> None:
    areas = pd.DataFrame(
        {
            "area_id": ["b", "a"],
            "council_code": ["X", "Y"],
            "easting_m": [400_000.0, 430_000.0],
            "northing_m": [2e5, 2e5],
            "travel_class": "urban",
        }
    )
    schools = pd.DataFrame(
        {"setting_id": ["2", "1"], "council_code": ["X", "Y"], "easting_m": [400_500.0, 430_500.0], "northing_m": [2e5, 2e5]}
    )
    journeys = g.reach(areas, schools, 30, estimate_basis(areas, None))
    assert np.isfinite(journeys.minutes).tolist() == [[True, False], [False, True]]
    assert journeys.home.tolist() == [[True, False], [False, True]]


# --- designation ---------------------------------------------------------------------------------------------------------


def school(**known: Any) -> pd.DataFrame:
    usual = {"name": "A School", "kind": "state_special", "age_low": np.nan, "age_high": np.nan, "percentage_fsm": np.nan, "sen_needs": ""}
    return pd.DataFrame([{**usual, **known}])


@pytest.mark.parametrize(
    ("low", "high", "phases"),
    [
        (2, 19, "EY|PRI|SEC|P16|P19"),
        (11, 16, "SEC"),
        (4, 11, "EY|PRI"),
        (5, 11, "PRI"),
        (10, 19, "SEC|P16|P19"),
        (7, 16, "PRI|SEC"),
        (16, 25, "P16|P19"),
        (11, 12, "SEC"),
        (np.nan, np.nan, "PRI|SEC|P16"),
    ],
)
def test_phases_follow_the_age_range(low: float, high: float, phases: str) -> None:
    assert d.codes(d.phase_weights(school(age_low=low, age_high=high)) > 0, tuple(PHASES)) == [phases]


def test_names_tell_the_phase_where_ages_are_unknown() -> None:
    assert d.codes(d.phase_weights(school(name="Milton Primary PRU")) > 0, tuple(PHASES)) == ["PRI"]
    assert d.codes(d.phase_weights(school(name="Milton Primary PRU", age_low=11, age_high=16)) > 0, tuple(PHASES)) == ["SEC"]


def best(table: pd.DataFrame) -> str:
    return str(list(NEED_GROUPS)[int(np.argmax(d.group_weights(table)[0]))])


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("The Ribble Autism School", "ASD"),
        ("Archers Brook SEMH Residential School", "SEMH"),
        ("Royal School for the Deaf Derby", "PHYS"),
        ("Moor House School & College", "SLCN"),
        ("Hope Dyslexia Centre", "MLD"),
    ],
)
def test_names_tell_the_need(name: str, group: str) -> None:
    assert best(school(name=name, kind="independent_special")) == group


def test_ages_and_free_meals_tell_the_need_of_state_schools() -> None:
    assert best(school(age_low=7, age_high=16, percentage_fsm=68)) == "SEMH"
    assert best(school(age_low=2, age_high=19, percentage_fsm=40)) in {"SLD", "PHYS"}
    assert len(set(d.group_weights(school(kind="independent_special", age_low=7, age_high=16, percentage_fsm=68))[0, :6])) == 1


def test_need_types_of_the_register_go_before_the_name() -> None:
    weights = d.group_weights(school(name="The Autism School", sen_needs="PMLD|SLD|PD"))[0]
    assert dict(zip(NEED_GROUPS, weights > 0, strict=True)) == {group: group in {"SLD", "PHYS"} for group in NEED_GROUPS}


def test_only_ap_takes_pupils_without_a_plan() -> None:
    position = list(NEED_GROUPS).index("AP")
    assert d.group_weights(school(kind="ap"))[0, position] == 1
    assert d.group_weights(school(kind="independent_special"))[0, position] == 0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_designations_are_the_fewest_groups_that_make_up_most_of_the_roll(seed: int) -> None:
    mix = np.random.default_rng(seed).dirichlet(np.full(len(NEED_GROUPS), 0.7)) * 90
    chosen = d.designations(mix[None])[0]
    share = mix / mix.sum()
    assert share[chosen].sum() >= d.MOST_OF_ROLL - 1e-9
    assert chosen[share >= d.LARGE_GROUP].all()
    small = [i for i in np.flatnonzero(chosen) if share[i] < d.LARGE_GROUP]
    assert all(share[chosen].sum() - share[i] < d.MOST_OF_ROLL for i in small)


def test_an_empty_setting_is_designated_for_nobody() -> None:
    assert not d.designations(np.zeros((1, len(NEED_GROUPS)))).any()


def test_a_small_group_is_gathered_where_most_of_it_is() -> None:
    """PHYS is 5 % of every school's roll, so no school is designated for it: the one with most of a council's pupils is added."""
    phys = cell("PHYS", "PRI")
    by_council = np.zeros((1, 3, N))
    by_council[0, :, cell("ASD", "PRI")] = 95
    by_council[0, :, phys] = 4, 7, 5
    mix = np.stack([by_council[0][:, i == d.GROUP_OF_CELL].sum(axis=1) for i in range(len(NEED_GROUPS))], axis=1)
    first = d.designations(mix)
    group = list(NEED_GROUPS).index("PHYS")
    assert not first[:, group].any()
    assert d.covering(first, by_council)[:, group].tolist() == [False, True, False]
