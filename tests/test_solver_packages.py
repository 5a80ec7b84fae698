"""Whole packages of options: they keep every row of their group, prove a bound, and a choice among them is a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from solver_cases import FEATURES, MEDIUM, random_problem
from solver_parts import PARTS, problem_with

from solver.backends.protocol import Limits
from solver.decomposition.ascent import ascend
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import Master, no_decisions
from solver.decomposition.packages import Packages, raise_bound
from solver.decomposition.parts import Charges, Part
from solver.decomposition.standing import Ground
from solver.decomposition.tasks import Found, Programme, Task, run_here
from solver.formulation import MONEY, build_core
from solver.known import Known
from solver.pricing import Prices, no_prices
from solver.problem import Problem
from solver.result import Termination
from solver.solve import SolveOptions, solve

SMALL = replace(MEDIUM, origins=8, options=4)
BY_PARTS = SolveOptions(gap=1e-4, seconds=1.5, threads=1, direct_arcs=0, block_arcs=0)
EXACT = SolveOptions(gap=1e-7, threads=1)
ROUNDS = 7
LIMITS = Limits(gap=1e-7, seconds=60, threads=1)


def _raised(problem: Problem) -> tuple[Packages, float, float]:
    """Packages, the bound at prices for options that decide alone, and the bound after rounds of packages (in millions)."""
    blocks = make_blocks(problem, 50)
    packages = Packages(Master(build_core(problem), blocks, LIMITS))
    begun = ascend(problem, blocks, steps=150, first_step=0.6)
    alone = packages.master.core_dual(begun.prices).core_part + float(begun.responses[-1].value.sum()) * MONEY
    rounds = iter(range(ROUNDS))

    def enough(lower: float) -> bool:
        return next(rounds, None) is None

    raised = raise_bound(
        packages,
        begun.prices,
        problem,
        left=lambda: 60.0,
        threads=1,
        seed=1,
        run=run_here,
        note=lambda _: None,
        enough=enough,
    )
    return packages, alone, raised.lower


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_the_bound_of_packages_is_higher_than_that_of_options_alone_and_never_above_the_optimum(seed: int) -> None:
    problem = random_problem(seed, MEDIUM)
    _, alone, raised = _raised(problem)
    optimum = solve(problem, EXACT).upper * MONEY
    assert alone < raised <= optimum * (1 + 1e-6)


def test_packages_keep_the_rows_of_their_group() -> None:
    packages, _, _ = _raised(random_problem(1, MEDIUM))
    arrays = packages.master.arrays
    matrix = sparse.csr_matrix(arrays.matrix)
    assert sum(len(known) for known in packages.values) > len(packages.groups)
    for group, known in zip(packages.groups, packages.values, strict=True):
        for values in known:
            x = np.zeros(len(arrays.cost))
            x[group.columns] = values
            activity = matrix[group.rows] @ x
            assert (activity >= arrays.row_lower[group.rows] - 1e-6).all()
            assert (activity <= arrays.row_upper[group.rows] + 1e-6).all()
            np.testing.assert_array_equal(values[group.decisions], np.round(values[group.decisions]))


def test_a_choice_among_packages_is_a_plan_and_one_of_them() -> None:
    problem = random_problem(5, MEDIUM)
    packages, _, lower = _raised(problem)
    ground = Ground(problem)
    without = solve(problem, EXACT, fixed=no_decisions(problem))
    plan = ground.settled(no_decisions(problem), without.flows, LIMITS)
    assert plan is not None
    packages.add(plan.x)
    everybody = np.unique(problem.demand.origin_owner)
    part = Part(ground, plan, everybody, Charges(ground, no_prices(problem)), each=9, decide=True, packages=packages)
    after = part.taken_up(plan, part.task(LIMITS).solve())
    assert lower <= ground.upper(after) < ground.upper(plan)
    assert ground.breach(after) < 1e-5
    for group, known in zip(packages.groups, packages.values, strict=True):
        decided = after.x[group.columns[group.decisions]]
        assert any(np.allclose(decided, values[group.decisions]) for values in known)


def test_a_small_problem_that_one_model_leaves_open_goes_on_from_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is given up at once: the plan is then no worse than its, and the bound stays one."""
    problem = random_problem(3, MEDIUM)
    known = solve(problem, EXACT, fixed=no_decisions(problem))
    optimum = solve(problem, EXACT)
    given_up = replace(known, lower=known.lower / 2, termination=Termination.TIME_LIMIT)
    monkeypatch.setattr("solver.solve.solve_direct", lambda *_, **__: given_up)
    found = solve(problem, SolveOptions(gap=0.02, seconds=30, threads=1), known_flows=[known.flows])
    assert known.lower / 2 < found.lower <= optimum.upper * (1 + 1e-6)
    assert optimum.upper * (1 - 1e-6) <= found.upper < known.upper


@pytest.mark.parametrize("part", sorted(PARTS))
def test_packages_and_parts_enclose_the_optimum_with_every_part_of_the_model(part: str) -> None:
    problem = problem_with(2, SMALL, FEATURES, [part])
    optimum = solve(problem, EXACT)
    free = replace(problem, pins=None, crews=None, shares=None)  # where something is asked for, no known plan has it
    without = solve(free, EXACT, fixed=no_decisions(problem))
    found = solve(problem, BY_PARTS, known_flows=[without.flows])
    assert found.lower <= optimum.upper * (1 + 1e-6)
    assert optimum.lower * (1 - 1e-6) <= found.upper
    held = solve(problem, EXACT, fixed=found.decisions)
    assert held.upper <= found.upper * (1 + 1e-6)


@pytest.mark.parametrize("part", ["quotas", "measures", "viability"])
def test_prices_of_a_stricter_problem_still_prove_a_bound(part: str) -> None:
    """Limits lifted, breaches made cheap or a least use dropped: prices that no longer hold must not prove too much, nor nothing."""
    problem = problem_with(2, SMALL, FEATURES, [part])
    if part == "quotas":
        assert problem.quotas is not None
        lifted = np.where(np.arange(problem.quotas.limit.shape[1])[None, :, None] == 0, np.inf, problem.quotas.limit)
        milder = replace(problem, quotas=replace(problem.quotas, limit=lifted, breach_cost=problem.quotas.breach_cost / 50))
    elif part == "measures":
        assert problem.measures is not None
        milder = replace(problem, measures=replace(problem.measures, breach_cost=problem.measures.breach_cost / 50))
    else:
        milder = replace(problem, viability=None)
    blank = no_prices(problem)
    high = {name: np.full_like(price, 5_000.0) for name, price in vars(blank).items()}
    high["capacity"][:] = -2_000.0 if part == "viability" else 5_000.0
    optimum = solve(milder, EXACT)
    known = solve(replace(milder, pins=None), EXACT, fixed=no_decisions(problem))
    how = SolveOptions(gap=0.01, seconds=20, threads=1, direct_arcs=0)
    found = solve(milder, how, known_flows=[known.flows], known=Known((Prices(**high),)))
    assert found.log[0].phase == "prices"
    assert np.isfinite(found.log[0].lower)
    assert all(line.lower <= optimum.upper * (1 + 1e-6) for line in found.log)


def test_every_programme_of_a_search_can_be_interrupted() -> None:
    problem = random_problem(3, MEDIUM)
    known = solve(problem, EXACT, fixed=no_decisions(problem))
    asked = []

    def run(tasks: Sequence[Task[Found]]) -> list[Found]:
        asked.extend(task.limits.interrupted for task in tasks if isinstance(task, Programme))
        return run_here(tasks)

    solve(problem, replace(BY_PARTS, run=run), known_flows=[known.flows])
    assert asked
    assert None not in asked
