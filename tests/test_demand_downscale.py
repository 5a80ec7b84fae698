"""Small areas: a council's own counts pull the split as far as they carry information; whole figures keep every total."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sufficiency.assumptions import default_assumptions
from sufficiency.demand.downscale import between_councils, controlled_rounding, empirical_bayes_shares

AREAS = [f"E{n:02d}" for n in range(60)]


def flat() -> pd.DataFrame:
    return pd.DataFrame({"area_id": AREAS, "council_code": "C", "phase": "PRI", "share": 1 / len(AREAS)})


def own(pupils: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"area_id": AREAS, "phase": "PRI", "pupils": pupils})


def test_pure_chance_leaves_the_split_nearly_alone() -> None:
    drawn = np.random.default_rng(3).poisson(10, len(AREAS))
    shares = empirical_bayes_shares(flat(), own(drawn))["share"].to_numpy()
    raw = drawn / drawn.sum()
    assert np.abs(shares - 1 / 60).sum() < 0.35 * np.abs(raw - 1 / 60).sum()


def test_shrunk_shares_are_nearer_the_truth_than_counts_or_prior() -> None:
    random = np.random.default_rng(5)
    truth = random.gamma(6.0, 1 / 6, len(AREAS))
    truth /= truth.sum()
    errors = {"prior": 0.0, "counts": 0.0, "shrunk": 0.0}
    for _ in range(20):
        drawn = random.poisson(600 * truth)
        errors["prior"] += ((1 / 60 - truth) ** 2).sum()
        errors["counts"] += ((drawn / drawn.sum() - truth) ** 2).sum()
        errors["shrunk"] += ((empirical_bayes_shares(flat(), own(drawn))["share"].to_numpy() - truth) ** 2).sum()
    assert errors["shrunk"] < min(errors["prior"], errors["counts"])


def test_shares_sum_to_one_and_unknown_areas_are_refused() -> None:
    counts = own(np.arange(60))
    assert empirical_bayes_shares(flat(), counts)["share"].sum() == pytest.approx(1)
    with pytest.raises(KeyError, match="E99"):
        empirical_bayes_shares(flat(), pd.DataFrame({"area_id": ["E99"], "phase": ["PRI"], "pupils": [1]}))


@pytest.mark.parametrize("seed", range(5))
def test_controlled_rounding_moves_nothing_by_a_whole_pupil(seed: int) -> None:
    table = np.random.default_rng(seed).gamma(0.5, 2.0, (80, 5))
    whole = controlled_rounding(table, seed)
    assert (np.abs(whole - table) < 1).all()
    for axis in (0, 1):
        assert (np.abs(whole.sum(axis=axis) - table.sum(axis=axis)) < 1 + 1e-6).all()
    assert abs(whole.sum() - table.sum()) < 1 + 1e-6
    np.testing.assert_array_equal(whole, controlled_rounding(table, seed))


def test_a_whole_council_total_stays_that_total() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(40))
    table = np.outer(shares, [120.0, 61.0, 7.0])
    np.testing.assert_array_equal(controlled_rounding(table).sum(axis=0), [120, 61, 7])


def test_between_councils_the_deprivation_gradient_explains_no_more_than_population() -> None:
    """A finding that docs/forecast.md states: should new releases or another gradient change it, the page must change."""
    if "SUFFICIENCY_DATA" not in os.environ:
        pytest.skip("SUFFICIENCY_DATA is unset: needs the published releases")
    table = between_councils(Path(os.environ["SUFFICIENCY_DATA"]), default_assumptions()).set_index(["phase", "weights"])["wape"]
    for phase in ("PRI", "SEC"):
        assert table[phase, "population"] < table[phase, "population and deprivation"] < 25
