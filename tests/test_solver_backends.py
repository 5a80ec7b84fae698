"""Every backend passes the same tests."""

from __future__ import annotations

import time
from pathlib import Path

import highspy
import numpy as np
import pytest
from scipy import sparse

from solver.backends import backend_named
from solver.backends.highs import GrowingLP
from solver.backends.protocol import Backend, Limits, ModelSolution
from solver.backends.pulp import SOLVER_VARIABLE, PulpBackend, write_model
from solver.linear_model import INFINITY, LinearModel, ModelArrays
from solver.result import Abandoned, Termination

TIGHT = Limits(gap=1e-6, seconds=30.0, threads=1, seed=1)


@pytest.fixture(params=["highs", "ortools", "pulp"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return backend_named(request.param)


def knapsack(items: int, rows: int, seed: int) -> ModelArrays:
    """A multi-row knapsack: quick to fill well, slow to prove when it has many rows."""
    random = np.random.default_rng(seed)
    model = LinearModel(offset=7.5)
    columns = model.add_columns("item", items, cost=-random.integers(1, 100, items), upper=1.0, integer=True)
    weight = random.integers(1, 50, (rows, items)) * (random.random((rows, items)) < 0.5)
    room = model.add_rows("room", rows, upper=weight.sum(axis=1) // 3)
    model.add_entries(room[:, None], columns[None, :], weight)
    return model.arrays()


def mixed() -> ModelArrays:
    """Every kind of row and column. By hand: the least 3a + 2b - c + 100 is at a=2, b=-2.5, c=1.5, d=3.

    a is whole and at least 1.5; b is free with a + b >= -0.5 and the range -4 <= b - c <= -3; c + d = 4.5, d is at most 4.
    """
    model = LinearModel(offset=100.0)
    a = model.add_columns("whole", 1, cost=3.0, lower=1.5, upper=9.0, integer=True)
    b = model.add_columns("free", 1, cost=2.0, lower=-INFINITY)
    c = model.add_columns("plain", 1, cost=-1.0)
    d = model.add_columns("bounded", 1, upper=4.0)
    least = model.add_rows("least", 1, lower=-0.5)
    band = model.add_rows("range", 1, lower=-4.0, upper=-3.0)
    equal = model.add_rows("equal", 1, lower=4.5, upper=4.5)
    model.add_entries(least, [a, b], 1.0)
    model.add_entries(band, b, 1.0)
    model.add_entries(band, c, -1.0)
    model.add_entries(equal, [c, d], 1.0)
    return model.arrays()


def is_feasible(model: ModelArrays, solved: ModelSolution, slack: float = 1e-6) -> bool:
    assert solved.x is not None
    value = model.matrix @ solved.x
    inside = (value >= model.row_lower - slack).all() and (value <= model.row_upper + slack).all()
    bounded = (solved.x >= model.lower - slack).all() and (solved.x <= model.upper + slack).all()
    whole = np.abs(solved.x - np.round(solved.x))[model.integer].max(initial=0.0) <= slack
    return bool(inside and bounded and whole)


def test_mixed_model_by_hand(backend: Backend) -> None:
    solved = backend.solve(mixed(), TIGHT)
    assert solved.termination is Termination.OPTIMAL
    assert solved.x == pytest.approx([2.0, -2.5, 1.5, 3.0], abs=1e-6)
    assert solved.objective == pytest.approx(99.5)
    assert solved.bound == pytest.approx(99.5, abs=1e-5)
    assert is_feasible(mixed(), solved)


def test_optimum_is_found_and_proved(backend: Backend) -> None:
    model = knapsack(30, 5, seed=3)
    solved = backend.solve(model, TIGHT)
    assert solved.termination is Termination.OPTIMAL
    assert solved.x is not None
    assert is_feasible(model, solved)
    assert solved.objective == pytest.approx(float(model.cost @ solved.x) + 7.5)
    assert solved.bound == pytest.approx(solved.objective, rel=1e-6)
    assert solved.objective == pytest.approx(backend_named("highs").solve(model, TIGHT).objective, rel=1e-6)


def test_infeasible(backend: Backend) -> None:
    model = LinearModel()
    column = model.add_columns("x", 1, cost=1.0, upper=1.0, integer=True)
    row = model.add_rows("too much", 1, lower=2.0)
    model.add_entries(row, column, 1.0)
    for relax in (False, True):
        solved = backend.solve(model.arrays(), TIGHT, relax=relax)
        assert solved.termination is Termination.INFEASIBLE
        assert solved.x is None


def test_time_limit_leaves_incumbent_and_bound(backend: Backend) -> None:
    model = knapsack(150, 60, seed=1)
    solved = backend.solve(model, Limits(gap=0.0, seconds=1.0, threads=1, seed=1))
    assert solved.termination is Termination.TIME_LIMIT
    assert is_feasible(model, solved)
    relaxed = backend.solve(model, TIGHT, relax=True)
    assert relaxed.objective - 1e-6 <= solved.bound < solved.objective


def test_stops_at_the_gap(backend: Backend) -> None:
    model = knapsack(150, 60, seed=1)
    solved = backend.solve(model, Limits(gap=0.2, seconds=20.0, threads=1, seed=1))
    assert solved.termination is Termination.GAP_REACHED
    assert is_feasible(model, solved)
    assert 0 < solved.objective - solved.bound <= 0.2 * abs(solved.objective) + 1e-9


def test_start_is_taken(backend: Backend) -> None:
    model = knapsack(40, 5, seed=4)
    best = backend.solve(model, TIGHT)
    again = backend.solve(model, TIGHT, start=best.x)
    assert again.objective == pytest.approx(best.objective, rel=1e-6)


def test_relaxation_has_duals_that_prove_it(backend: Backend) -> None:
    """Weak duality with the returned duals gives the objective: right values and right signs."""
    for model in (mixed(), knapsack(30, 5, seed=3)):
        solved = backend.solve(model, TIGHT, relax=True)
        assert solved.termination is Termination.OPTIMAL
        assert solved.x is not None
        assert solved.row_dual is not None
        dual = solved.row_dual
        side = np.where(dual > 0, model.row_lower, model.row_upper)
        value = float(dual[np.abs(dual) > 1e-9] @ side[np.abs(dual) > 1e-9])
        reduced = model.cost - sparse.csr_matrix(model.matrix).T @ dual
        bound = np.where(reduced > 0, model.lower, model.upper)
        used = np.abs(reduced) > 1e-9
        value += float(reduced[used] @ bound[used]) + model.offset
        assert value == pytest.approx(solved.objective, rel=1e-6)
        assert solved.bound == pytest.approx(solved.objective, rel=1e-6)


def test_same_seed_same_solution(backend: Backend) -> None:
    model = knapsack(40, 8, seed=5)
    first, second = backend.solve(model, TIGHT), backend.solve(model, TIGHT)
    assert first.x is not None
    assert second.x is not None
    assert np.array_equal(first.x, second.x)


@pytest.mark.parametrize("name", ["highs", "ortools"])
def test_interruption_keeps_the_incumbent(name: str) -> None:
    model = knapsack(150, 60, seed=1)
    began = time.monotonic()
    solved = backend_named(name).solve(
        model, Limits(gap=0.0, seconds=30.0, threads=1, seed=1, interrupted=lambda: time.monotonic() - began > 1.0)
    )
    assert time.monotonic() - began < 10
    assert solved.termination is Termination.INTERRUPTED
    assert is_feasible(model, solved)
    assert solved.bound < solved.objective


def test_a_growing_programme_heeds_an_interrupt_once_it_has_a_solution() -> None:
    lp = GrowingLP(transport(), Limits(interrupted=lambda: True))
    assert lp.solve(np.inf).termination is Termination.OPTIMAL
    assert lp.vertex(20.0) is None
    again = lp.solve(20.0)
    assert again.termination is Termination.INTERRUPTED
    assert again.bound == -np.inf


def transport(size: int = 60) -> ModelArrays:
    """A linear programme: what each row sends is at least 1 to 3, what each column takes at most 4."""
    random = np.random.default_rng(1)
    sent = sparse.kron(sparse.eye(size), np.ones((1, size)))
    taken = sparse.kron(np.ones((1, size)), sparse.eye(size))
    return ModelArrays(
        cost=random.uniform(1, 10, size * size),
        lower=np.zeros(size * size),
        upper=np.full(size * size, np.inf),
        integer=np.zeros(size * size, bool),
        row_lower=np.concatenate([random.uniform(1, 3, size), np.full(size, -np.inf)]),
        row_upper=np.concatenate([np.full(size, np.inf), np.full(size, 4.0)]),
        matrix=sparse.csc_matrix(sparse.vstack([sent, taken])),
        offset=0.0,
    )


def test_a_growing_programme_is_given_up_when_patience_ends() -> None:
    asked = False
    lp = GrowingLP(transport(), Limits(interrupted=lambda: asked, patience=0.0))
    assert lp.solve(np.inf).termination is Termination.OPTIMAL
    asked = True
    with pytest.raises(Abandoned):
        GrowingLP(transport(), Limits(interrupted=lambda: asked, patience=0.0)).solve(np.inf)
    assert GrowingLP(transport(), Limits(interrupted=lambda: asked, patience=600.0)).solve(np.inf).termination is Termination.OPTIMAL


def test_pulp_does_not_begin_when_interrupted() -> None:
    solved = PulpBackend().solve(mixed(), Limits(interrupted=lambda: True))
    assert solved.termination is Termination.INTERRUPTED
    assert solved.x is None


def test_pulp_takes_another_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = backend_named("highs").solve(mixed(), TIGHT).objective
    assert PulpBackend(solver_name="HiGHS").solve(mixed(), TIGHT).objective == pytest.approx(expected)
    monkeypatch.setenv(SOLVER_VARIABLE, "HiGHS")
    assert PulpBackend().solver_name == "HiGHS"
    with pytest.raises(ValueError, match="NO_SUCH"):
        PulpBackend(solver_name="NO_SUCH")


@pytest.mark.parametrize("ending", ["lp", "mps"])
def test_written_model_is_the_same_model(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"model.{ending}"
    write_model(mixed(), path)
    reader = highspy.Highs()  # type: ignore[no-untyped-call]
    reader.setOptionValue("output_flag", False)
    reader.readModel(str(path))
    reader.run()
    assert reader.getInfo().objective_function_value == pytest.approx(99.5)


def test_written_model_needs_a_known_ending(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.lp or \.mps"):
        write_model(mixed(), tmp_path / "model.txt")


def test_solves_with_other_threads_follow_each_other(backend: Backend) -> None:
    for threads in (2, 1, 2):
        solved = backend.solve(knapsack(30, 5, seed=3), Limits(gap=1e-6, seconds=30.0, threads=threads, seed=1))
        assert solved.termination is Termination.OPTIMAL


def test_unknown_backend() -> None:
    with pytest.raises(ValueError, match="cplex"):
        backend_named("cplex")
