"""Samples of a problem: all demand is there, each class of a zone at one of its origins, drawn by its demand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solver_cases import MEDIUM, random_problem

from solver.decomposition.zones import sampled, zoned


@pytest.mark.parametrize("size", [1, 2.5, 4])
def test_a_sample_holds_all_demand_at_one_origin_of_each_zone(size: float) -> None:
    problem = random_problem(3, replace(MEDIUM, origins=18))
    part = sampled(problem, size, np.random.default_rng(1))
    zone = zoned(problem, 4).zone if size == 4 else None
    total, found = problem.demand.entrants, part.demand.entrants
    for owner in range(len(problem.owners)):
        mine = problem.demand.origin_owner == owner
        np.testing.assert_allclose(found[mine].sum(axis=0), total[mine].sum(axis=0))
    assert (total.sum(axis=2) > 0)[found.sum(axis=2) > 0].all()
    if size == 1:
        np.testing.assert_array_equal(found, total)
    if zone is not None:
        for number in range(zone.max() + 1):
            here = zone == number
            np.testing.assert_allclose(found[here].sum(axis=0), total[here].sum(axis=0))
            assert ((found[here].sum(axis=2) > 0).sum(axis=0) <= 1).all()
    assert part.links is problem.links


def test_origins_are_drawn_by_their_demand() -> None:
    problem = random_problem(3, replace(MEDIUM, origins=4))
    entrants = np.zeros_like(problem.demand.entrants)
    entrants[:, 0, 0] = [3.0, 1.0, 0.0, 0.0]
    owner = np.zeros_like(problem.demand.origin_owner)
    problem = replace(problem, demand=replace(problem.demand, entrants=entrants, origin_owner=owner))
    drawn = [sampled(problem, 4, np.random.default_rng(seed)).demand.entrants[:, 0, 0] for seed in range(400)]
    assert {tuple(one) for one in drawn} == {(4.0, 0.0, 0.0, 0.0), (0.0, 4.0, 0.0, 0.0)}
    assert np.mean([one[0] > 0 for one in drawn]) == pytest.approx(0.75, abs=0.08)
