"""Search part by part: every step is feasible and at its true cost; bound and plan stand on either side of the optimum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from solver_cases import MEDIUM, random_problem, with_floor_of, without_floor

from solver.backends.protocol import Limits
from solver.decomposition import large, period
from solver.decomposition.blocks import make_blocks
from solver.decomposition.explore import other_options
from solver.decomposition.master import Master, converge, no_decisions
from solver.decomposition.neighbourhoods import clusters
from solver.decomposition.packages import Packages
from solver.decomposition.parts import Charges, Part
from solver.decomposition.standing import Ground, Standing
from solver.decomposition.tasks import run_here
from solver.decomposition.zones import gathered, zoned
from solver.formulation import build_core
from solver.pricing import Prices, flow_costs, no_prices
from solver.problem import Ints, Problem
from solver.result import Decisions, Flows, Solution
from solver.rules import cheapest_first
from solver.solve import SolveOptions, solve

EXACT = SolveOptions(gap=1e-6, seconds=60, threads=1)
LIMITS = Limits(gap=1e-6, seconds=30, threads=1)
BY_PARTS = SolveOptions(gap=1e-4, seconds=3, threads=1, direct_arcs=0, block_arcs=0)


def _counterfactual(problem: Problem) -> Solution:
    return solve(problem, EXACT, fixed=no_decisions(problem))


@pytest.mark.parametrize("seed", [1, 3])
def test_bound_and_plan_enclose_the_optimum_and_the_plan_keeps_every_row(seed: int) -> None:
    problem = random_problem(seed, MEDIUM)
    optimum = solve(problem, EXACT)
    without = _counterfactual(problem)
    found = solve(problem, BY_PARTS, known_flows=[without.flows])
    assert found.lower <= optimum.upper * (1 + 1e-6)
    assert optimum.lower * (1 - 1e-6) <= found.upper <= without.upper * (1 + 1e-6)
    held = solve(problem, EXACT, fixed=found.decisions)
    assert held.upper <= found.upper * (1 + 1e-6)


@pytest.mark.parametrize("how", [BY_PARTS, replace(BY_PARTS, direct_arcs=10**9, seconds=0.5)], ids=["parts", "one model"])
def test_a_known_plan_is_never_lost(how: SolveOptions) -> None:
    problem = random_problem(4, MEDIUM)
    optimum = solve(problem, EXACT)
    found = solve(problem, how, known_flows=[_counterfactual(problem).flows], start=optimum)
    assert found.upper <= optimum.upper * (1 + 1e-6)


def test_what_a_part_saves_the_whole_plan_saves() -> None:
    problem = random_problem(5, MEDIUM)
    ground = Ground(problem)
    plan = ground.settled(no_decisions(problem), _counterfactual(problem).flows, LIMITS)
    assert plan is not None
    part = Part(ground, plan, np.array([0]), Charges(ground, no_prices(problem)), each=5, decide=True)
    found = part.task(LIMITS).solve()
    after = part.taken_up(plan, found)
    saved = float(part.model.cost @ part.start) - found.objective
    assert saved > 0
    assert ground.upper(plan) - ground.upper(after) == pytest.approx(saved, abs=1e-6)
    assert ground.breach(after) < 1e-5
    again = ground.standing(after.x, after.flows)
    assert again.flow_cost == pytest.approx(after.flow_cost, rel=1e-9)
    np.testing.assert_allclose(again.use, after.use, atol=1e-9)


def _arcs(problem: Problem, zone: Ints | None = None) -> list[list[int]]:
    """Class, zone (or origin) and pool of every arc of those who have demand."""
    reach, present = problem.reach, problem.demand.entrants.sum(axis=(1, 2)) > 0
    found = [
        (c, z if zone is None else zone[z], int(pool))
        for c in range(len(problem.demand.classes))
        for z in np.nonzero(present)[0]
        for pool in reach.pool[reach.start[c, z] : reach.start[c, z + 1]]
    ]
    return [list(column) for column in zip(*found, strict=True)]


def test_a_zone_reaches_what_any_of_its_origins_does_and_holds_their_flows() -> None:
    problem = random_problem(3, replace(MEDIUM, origins=18))
    coarse = zoned(problem, 3)
    assert len(coarse.problem.demand.origins) < len(problem.demand.origins)
    assert coarse.problem.demand.entrants.sum() == pytest.approx(problem.demand.entrants.sum())
    fine, rough = ({*zip(*arcs, strict=True)} for arcs in (_arcs(problem, coarse.zone), _arcs(coarse.problem)))
    assert fine == rough
    flows = solve(problem, EXACT, fixed=no_decisions(problem)).flows
    together = gathered(coarse, flows)
    assert together.amount.sum() == pytest.approx(flows.amount.sum())
    assert np.isfinite(flow_costs(coarse.problem, together)).all()  # ValueError where a zone lacked an origin's arc
    blank = np.zeros(Ground(problem).columns)
    np.testing.assert_allclose(Ground(problem).standing(blank, flows).use,
                               Ground(coarse.problem).standing(blank, together).use, atol=1e-8)  # fmt: skip


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("block_cells", [large.BLOCK_CELLS, 1])
def test_a_plan_made_on_zones_is_one_of_the_problem_itself(seed: int, block_cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With flows of everybody together, and with each owner's apart, guided by samples that are guided by smaller ones."""
    problem = without_floor(random_problem(seed, replace(MEDIUM, origins=18)))
    monkeypatch.setattr(large, "BLOCK_CELLS", block_cells)
    monkeypatch.setattr(large, "SAMPLE_CELLS", large._cells(problem) // 6)
    monkeypatch.setattr(large, "LAST_CELLS", 0)
    cuts, blocks = list[int](), large._blocks
    monkeypatch.setattr(large, "_blocks", lambda *of: cuts.append(len(np.unique(found := blocks(*of)))) or found)
    monkeypatch.setattr(large, "PLAN_ARCS", problem.arcs // 3)
    monkeypatch.setattr(large, "ROUGH_ARCS", problem.arcs // 6)
    known = solve(problem, BY_PARTS, fixed=no_decisions(problem))
    assert known.upper >= solve(problem, EXACT, fixed=no_decisions(problem)).upper * (1 - 1e-6)
    problem = with_floor_of(problem, known.flows)
    optimum = solve(problem, EXACT).upper
    found = solve(problem, BY_PARTS, known_flows=[known.flows])
    assert found.lower <= optimum * (1 + 1e-6)
    assert found.upper >= optimum * (1 - 1e-6)
    plan = Ground(problem).settled(found.decisions, found.flows, LIMITS)
    assert plan is not None
    assert Ground(problem).upper(plan) == pytest.approx(found.upper / 1e6, rel=1e-6)
    again = solve(problem, BY_PARTS, known_flows=[known.flows], start=replace(found, prices=None))
    assert again.upper <= found.upper * (1 + 1e-6)
    assert set(cuts) == ({len(problem.owners)} if block_cells == 1 else set())


def test_flows_know_those_that_keep_displacement(monkeypatch: pytest.MonkeyPatch) -> None:
    """On zones those of zones, on all arcs those of origins."""
    problem = without_floor(random_problem(2, replace(MEDIUM, origins=18)))
    known = solve(problem, EXACT, fixed=no_decisions(problem))
    problem = with_floor_of(problem, known.flows)
    monkeypatch.setattr(large, "PLAN_ARCS", problem.arcs // 3)
    monkeypatch.setattr(large, "ROUGH_ARCS", problem.arcs // 6)
    seen, whole = list[tuple[int, Flows]](), large.flows_by_year

    def recorded(of: Problem, decisions: Decisions, prices: Prices, given: Flows, **how: Any) -> Flows | None:
        seen.append((len(of.demand.origins), given))
        return whole(of, decisions, prices, given, **how)

    monkeypatch.setattr(large, "flows_by_year", recorded)
    solve(problem, BY_PARTS, known_flows=[known.flows])
    assert len({origins for origins, _ in seen}) == 2
    for origins, given in seen:
        assert given.origin.max() == origins - 1
        assert given.amount.sum() == pytest.approx(known.flows.amount.sum())


def test_flows_on_all_arcs_that_forget_displacement_are_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    mended, count = list[Standing](), 0
    whole = large.mended
    monkeypatch.setattr(period, "ENOUGH", np.inf)
    monkeypatch.setattr(large, "mended", lambda *of: mended.append(found := whole(*of)) or found)
    for seed in range(1, 9):
        problem = without_floor(random_problem(seed, replace(MEDIUM, origins=18)))
        known = solve(problem, EXACT, fixed=no_decisions(problem))
        problem = with_floor_of(problem, known.flows)
        monkeypatch.setattr(large, "PLAN_ARCS", problem.arcs // 3)
        how = replace(BY_PARTS, seconds=60)
        held = solve(problem, how, fixed=cheapest_first(problem), known_flows=[known.flows])
        plan = Ground(problem).settled(held.decisions, held.flows, LIMITS)
        assert plan is not None
        assert not len(Ground(problem).short(plan))
        if len(mended) > count:
            count, fallback = len(mended), Ground(problem).settled(held.decisions, known.flows, LIMITS)
            assert fallback is not None
            assert held.upper / 1e6 < Ground(problem).upper(fallback) * (1 - 1e-6)
    assert mended


@pytest.mark.parametrize("seed", range(1, 5))
def test_what_prices_favour_is_a_plan_whatever_the_search_on_zones_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = without_floor(random_problem(seed, replace(MEDIUM, origins=18)))
    known = solve(problem, EXACT, fixed=no_decisions(problem))
    problem = with_floor_of(problem, known.flows)
    monkeypatch.setattr(large, "PLAN_ARCS", problem.arcs // 3)

    size = large._zone_size(problem, large.PLAN_ARCS)

    def nothing(ground: Ground, plan: Standing, *of: Any, **how: Any) -> Standing | None:
        return ground.settled(no_decisions(problem), gathered(zoned(problem, size), known.flows), LIMITS)

    monkeypatch.setattr(large, "improved", nothing)
    found = solve(problem, BY_PARTS, known_flows=[known.flows])
    assert found.decisions.start.any()
    assert found.upper < known.upper * (1 - 1e-3)


def test_known_prices_spare_the_rough_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = without_floor(random_problem(1, replace(MEDIUM, origins=18)))
    monkeypatch.setattr(large, "PLAN_ARCS", problem.arcs // 2)
    monkeypatch.setattr(large, "ROUGH_ARCS", problem.arcs // 6)
    climbed, ascend = list[int](), large.ascend
    monkeypatch.setattr(large, "ascend", lambda of, *a, **how: climbed.append(len(of.demand.origins)) or ascend(of, *a, **how))
    none = no_decisions(problem)
    first = solve(problem, BY_PARTS, fixed=none)
    assert len(set(climbed)) == 3
    climbed.clear()
    again = solve(problem, BY_PARTS, fixed=none, start=first)
    assert len(set(climbed)) == 2
    assert again.lower >= first.lower * (1 - 1e-3)
    climbed.clear()
    solve(problem, BY_PARTS, fixed=cheapest_first(problem), start=first)
    assert len(set(climbed)) == 3, "prices of other options are not nearly right"


@pytest.mark.parametrize("seed", range(1, 5))
def test_clusters_of_neighbours_are_few_and_alike(seed: int) -> None:
    """Twelve owners in a row, who reach the next on either side: three clusters of four, the first in one piece."""
    problem = random_problem(seed, replace(MEDIUM, owners=12, origins=12))
    demand = replace(problem.demand, origin_owner=np.arange(12), entrants=np.ones_like(problem.demand.entrants))
    problem = replace(problem, demand=demand)
    near = np.eye(12, k=1) + np.eye(12, k=-1)
    cells = demand.entrants.sum() / 12
    found = clusters(problem, near, int(4 * cells), np.random.default_rng(seed))
    assert sorted(np.concatenate(found)) == list(range(12))
    assert [len(one) for one in found] == [4, 4, 4]
    assert np.ptp(found[0]) == 3
    again = clusters(problem, near, int(4 * cells), np.random.default_rng(seed + 100))
    assert [list(one) for one in again] != [list(one) for one in found]
    assert len(clusters(problem, near, 10**9, np.random.default_rng(seed))) == 1


@pytest.mark.parametrize("seed", range(1, 5))
def test_without_time_packages_are_sought_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, rounds, best = random_problem(seed, MEDIUM), list[int](), Packages.best
    monkeypatch.setattr(Packages, "best", lambda self, *of: rounds.append(1) or best(self, *of))
    solve(problem, replace(BY_PARTS, seconds=0.01), known_flows=[_counterfactual(problem).flows])
    assert len(rounds) == 1


def test_columns_end_at_the_tolerance_once_the_bound_is_above_what_is_wanted() -> None:
    problem = without_floor(random_problem(2, MEDIUM))
    blocks = make_blocks(problem, 40)
    optimum = solve(problem, EXACT, fixed=no_decisions(problem)).upper / 1e6

    def programmes(wanted: float) -> int:
        master = Master(build_core(problem), blocks, LIMITS)
        master.fix(no_decisions(problem))
        master.add(master.nowhere())
        solved, lp = [], master.lp.solve
        master.lp.solve = lambda *of: solved.append(1) or lp(*of)  # type: ignore[method-assign]
        converge(master, tolerance=0.05, out_of_time=lambda: 60.0, wanted=wanted)
        return len(solved)

    assert programmes(0.0) == programmes(np.inf) < programmes(0.9999 * optimum)


def test_looking_for_other_options_ends_once_they_seem_cheap_enough() -> None:
    problem = random_problem(5, MEDIUM)
    known = _counterfactual(problem)

    def seconds_left(needed: float) -> float:
        clock = [200.0]

        def left() -> float:
            clock[0] -= 1.0
            return max(0.0, clock[0])

        found = other_options(problem, known, needed=needed, left=left, threads=1, seed=1, interrupted=lambda: False, run=run_here)
        assert found is not None
        return max(0.0, clock[0])

    assert seconds_left(1.0) > 0
    assert seconds_left(known.upper) == 0
