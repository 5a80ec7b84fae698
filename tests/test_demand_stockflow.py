"""The stock-flow model on hand-made councils: nobody is lost, ages move on, levers do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from sufficiency.demand.levers import parse_lever, prices, read_levers, shipped_levers
from sufficiency.demand.pooling import pooled_factors, shrunk_shares
from sufficiency.demand.population import Population, rolled_forward
from sufficiency.demand.rates import AGES, Rates, _fewest_moves
from sufficiency.demand.stockflow import BAND_AGES, Calibration, Targets, calibrate, project
from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.sources.sen2_history import BANDS, NEEDS
from sufficiency.tables.problems import InputError

COUNCILS = ("E06000001", "E06000002")
YEARS = 6
SPECIAL, BASE, INDEPENDENT, MAINSTREAM = (
    CATEGORIES.index(name) for name in ("state_special", "resourced_provision", "independent_special", "mainstream")
)


def population() -> Population:
    persons = np.full((2, YEARS + 1, 26), 1_000.0)
    return Population(COUNCILS, tuple(range(2024, 2025 + YEARS)), persons, "derived", "flat")


def rates(leaving: float = 0.1) -> Rates:
    random = np.random.default_rng(4)
    shape = (2, len(AGES), len(NEEDS), len(CATEGORIES))
    stay = np.broadcast_to(np.eye(len(CATEGORIES)), (1, len(AGES), len(NEEDS), len(CATEGORIES), len(CATEGORIES))).copy()
    return Rates(
        councils=COUNCILS,
        january=2025,
        stock=random.uniform(0.1, 0.5, shape),
        entries=random.uniform(0.01, 0.05, shape),
        leaving=np.full((2, len(AGES)), leaving),
        moves=stay,
        recoding=np.broadcast_to(np.eye(len(NEEDS)), (len(AGES), len(NEEDS), len(NEEDS))).copy(),
        region=np.array([0, 0]),
        notes=(),
    )


def targets(of: Rates, growth: float = 1.1) -> Targets:
    steps = growth ** np.arange(1, 4)[None, :]
    places = {
        "special_state": [SPECIAL],
        "independent_nm": [INDEPENDENT, CATEGORIES.index("non_maintained")],
        "ap": [CATEGORIES.index("ap")],
    }
    return Targets(
        total=of.stock.sum(axis=(1, 2, 3))[:, None] * steps,
        placements={
            name: of.stock[..., place].sum(axis=(1, 2, 3))[:, None] * 1.05 ** np.arange(1, 4)[None] for name, place in places.items()
        },
        bands={band: of.stock[:, list(ages)].sum(axis=(1, 2, 3))[:, None] * steps for band, ages in zip(BANDS, BAND_AGES, strict=True)},
    )


def test_the_paths_are_followed_and_the_model_goes_on_smoothly() -> None:
    start = rates()
    cells, calibration = calibrate(start, population(), targets(start), YEARS)
    wanted = targets(start)
    np.testing.assert_allclose(cells[1:4].sum(axis=(2, 3, 4)).T, wanted.total, rtol=1e-6)
    np.testing.assert_allclose(cells[1:4, ..., SPECIAL].sum(axis=(2, 3)).T, wanted.placements["special_state"], rtol=2e-3)
    np.testing.assert_allclose(cells[3][:, list(BAND_AGES[2])].sum(axis=(1, 2, 3)), wanted.bands["11 to 15"][:, 2], rtol=2e-3)
    assert (cells >= 0).all()
    growth = cells.sum(axis=(1, 2, 3, 4))[1:] / cells.sum(axis=(1, 2, 3, 4))[:-1]
    assert growth[3] < growth[2] * 1.02
    assert calibration.multiplier.shape == (YEARS, 2)


def test_without_levers_the_projection_is_the_calibrated_forecast() -> None:
    start = rates()
    cells, calibration = calibrate(start, population(), targets(start), YEARS)
    np.testing.assert_allclose(project(start, population(), calibration, []), cells, rtol=1e-12)


def test_no_entries_and_no_leaving_only_ages_pupils() -> None:
    start = rates(leaving=0.0)
    _, calibration = calibrate(start, population(), targets(start), YEARS)
    still = Calibration(np.full_like(calibration.multiplier, 1e-12), tuple(np.ones_like(f) for f in calibration.factors), 3)
    cells = project(start, population(), still, [])
    for year in range(1, 4):
        np.testing.assert_allclose(cells[year][:, year:], start.stock[:, :-year], rtol=1e-6)


@pytest.mark.parametrize(
    ("lever", "more", "less"),
    [("inclusion_bases", BASE, SPECIAL), ("reform_2029", SPECIAL, INDEPENDENT)],
)
def test_placement_levers_move_pupils_between_placements(lever: str, more: int, less: int) -> None:
    start = rates()
    cells, calibration = calibrate(start, population(), targets(start), YEARS)
    changed = project(start, population(), calibration, read_levers([lever]))
    share, before = changed[-1].sum(axis=(0, 1, 2)), cells[-1].sum(axis=(0, 1, 2))
    assert share[more] / share.sum() > before[more] / before.sum()
    assert share[less] / share.sum() < before[less] / before.sum()


def test_rate_levers_order_the_future_and_combine() -> None:
    start = rates()
    cells, calibration = calibrate(start, population(), targets(start), YEARS)

    def total(*names: str) -> float:
        return float(project(start, population(), calibration, read_levers(names))[-1].sum())

    assert total("request_rate_held") < cells[-1].sum() < total("request_rate_rising")
    assert total("support_before_plan") < cells[-1].sum()
    assert total("support_before_plan", "reform_2029") < min(total("support_before_plan"), total("reform_2029"))
    assert total("price_cap") == pytest.approx(cells[-1].sum())


def test_housing_adds_pupils_where_it_is_built_and_nowhere_else() -> None:
    start = rates()
    cells, calibration = calibrate(start, population(), targets(start), YEARS)
    lever = parse_lever('name = "Homes"\n[[housing]]\ncouncils = ["E06000001"]\nhomes = 200\nstart = 2026\nend = 2028', "homes.toml")
    grown = project(start, population(), calibration, [lever]).sum(axis=(2, 3, 4))
    before = cells.sum(axis=(2, 3, 4))
    assert (grown[1:, 0] > before[1:, 0]).all()
    np.testing.assert_allclose(grown[:, 1], before[:, 1], rtol=1e-9)


def test_a_faulty_lever_names_every_fault() -> None:
    text = 'name = "x"\nsurprise = 1\n[[placement]]\nfrom = "castle"\nto = "ap"\nshare = 2\nstart = 2026\n'
    text += '[[entry]]\nchange = "much"\nneeds = ["XX"]'
    with pytest.raises(InputError) as caught:
        parse_lever(text, "bad.toml")
    faults = {problem.column for problem in caught.value.problems}
    assert {"surprise", "placement.from", "placement.share", "entry.change", "entry.needs", "entry.start"} <= faults
    with pytest.raises(InputError, match="no such lever"):
        read_levers(["nonsense"])


def test_shipped_levers_are_readable_and_the_price_cap_is_a_price() -> None:
    levers = shipped_levers()
    assert {
        "inclusion_bases",
        "support_before_plan",
        "reform_2029",
        "request_rate_held",
        "request_rate_rising",
        "housing_example",
        "price_cap",
    } <= set(levers)
    rows = prices([levers["price_cap"]], range(2028, 2033))
    assert [row["factor"] for row in rows] == pytest.approx([1.0, 1 - 0.1 / 3, 1 - 0.2 / 3, 0.9, 0.9])


def test_fewest_moves_turn_one_january_into_the_next() -> None:
    stayed, wanted = np.array([[60.0, 30.0, 10.0]]), np.array([[50.0, 35.0, 15.0]])
    moves = _fewest_moves(stayed, wanted)
    np.testing.assert_allclose(stayed[0] @ moves[0], wanted[0])
    np.testing.assert_allclose(moves.sum(axis=-1), 1)
    assert moves[0, 1, 1] == moves[0, 2, 2] == 1
    assert 60 * (1 - moves[0, 0, 0]) == pytest.approx(10), "the fewest moves are the net ones"


def test_pooling_believes_large_councils_and_borrows_for_small_ones() -> None:
    random = np.random.default_rng(8)
    expected = np.concatenate([np.full(20, 2.0), np.full(20, 2_000.0)])
    truth = random.gamma(25, 1 / 25, 40)
    events = random.poisson(expected * truth).astype(float)
    factors = pooled_factors(events, expected, ["North", "South"] * 20)
    raw = events / expected
    assert np.abs(factors[:20] - 1).max() < np.abs(raw[:20] - 1).max() / 2
    np.testing.assert_allclose(factors[20:], raw[20:], rtol=0.05)
    assert pooled_factors(np.array([np.nan, 5.0, 7.0]), np.array([4.0, 5.0, 6.0]), ["A", "A", "A"])[0] > 0


def test_shrunk_shares_sum_to_one() -> None:
    shares = shrunk_shares(np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([0.5, 0.5]), 3.0)
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0.5, 0.5]])


def test_residents_age_on_and_students_stand() -> None:
    base = np.arange(26.0)[None] + 100
    rolled = rolled_forward(base, ["E1"], (2020, 2023)).persons[0]
    np.testing.assert_array_equal(rolled[0], base[0])
    assert rolled[1, 10] == base[0, 7]
    assert rolled[1, 2] == base[0, :3].mean()
    assert rolled[1, 22] == base[0, 22]
