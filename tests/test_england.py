"""England's worlds and figures, tried on the tiny case: sums agree with the worlds, and pooling can only help."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fixtures.tiny import tiny_case
from solver.decomposition.master import no_decisions
from solver.result import Solution, Termination
from solver.rules import cheapest_first, cheapest_per_displaced, largest_need_first
from solver.solve import SolveOptions, solve
from sufficiency.case import save_case
from sufficiency.england.__main__ import main
from sufficiency.england.figures import by_region, happened_table, national, world_tables
from sufficiency.england.kept import SPENT, Kept
from sufficiency.england.report import report_text
from sufficiency.england.worlds import Worlds, solve_worlds
from sufficiency.formulate import formulate
from sufficiency.outputs import folder
from sufficiency.outputs.folder import read_plan
from sufficiency.workflow import Clock


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return solve_worlds(formulate(tiny_case()), SolveOptions(gap=1e-4, seconds=20, threads=1), lambda _: None)


def test_the_plan_is_no_dearer_than_any_rule_and_pooling_no_dearer_than_the_plan(worlds: Worlds) -> None:
    slack = 1e-6 * worlds.plan.upper
    assert worlds.plan.upper <= min(world.upper for world in worlds.rules.values()) + slack
    assert worlds.plan.upper <= worlds.counterfactual.upper + slack
    assert worlds.pooled.upper <= worlds.plan.upper + slack
    assert worlds.plan.lower <= worlds.plan.upper + slack


def test_pooled_funds_hold_the_same_money(worlds: Worlds) -> None:
    apart, pooled = worlds.formulation.problem.funds, worlds.pooled_formulation.problem.funds
    np.testing.assert_allclose(pooled.amount.sum(axis=0), apart.amount.sum(axis=0))
    assert (pooled.eligible.any(axis=0) == apart.eligible.any(axis=0)).all()


def test_figures_add_up(worlds: Worlds) -> None:
    tables = {name: world_tables(*world) for name, world in worlds.by_name().items()}
    found = national(worlds, tables)
    regions = by_region(worlds, tables)
    for name in ("kind", "need", "phase", "region"):
        assert sum(found[f"places_by_{name}"].values()) == pytest.approx(found["places"])
    assert regions["places"].sum() == pytest.approx(found["places"])
    assert regions["budget_gbp"].sum() == pytest.approx(worlds.formulation.problem.funds.amount.sum())
    assert found["saving_gbp"] == pytest.approx(worlds.counterfactual.upper - worlds.plan.upper)
    assert found["saving_gbp"] >= found["rule_saving_gbp"] - 1.0
    text = report_text({**found, "title": "T", "wall_s": 1.0, "cpu_s": 1.0, "peak_gb": 1.0}, regions, happened_table(found))
    assert text.startswith("# T")
    assert "pooled" in text


def test_the_command_leaves_an_audited_plan_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its tables by small area are too long for CSV, as England's are."""
    monkeypatch.setattr(folder, "MOST_ROWS", 0)
    save_case(tiny_case(), tmp_path / "case")
    given = ["--data", str(tmp_path), "--out", str(tmp_path), "--time-limit", "20", "--threads", "1"]
    monkeypatch.setattr("sys.argv", ["sufficiency.england", *given])
    main()
    found, plan = json.loads((tmp_path / "england.json").read_text()), read_plan(tmp_path / "plan")
    assert plan.summary["objective_gbp"] == pytest.approx(found["cost_gbp"]["plan"])
    assert plan.summary["rule_gbp"] == pytest.approx(found["cost_gbp"]["cheapest_per_place"])
    assert json.loads((tmp_path / "plan" / "audit.json").read_text())["passed"]
    assert (tmp_path / "plan" / "placements.parquet").is_file()
    assert not (tmp_path / "plan" / "placements.csv").exists()
    assert isinstance(plan.plan.placements["pool_id"].dtype, pd.CategoricalDtype)
    assert plan.plan.placements["pupils"].sum() > 0


def test_rules_spend_within_the_funds_and_differ_in_order() -> None:
    problem = formulate(tiny_case()).problem
    for rule in (cheapest_first, cheapest_per_displaced, largest_need_first):
        decisions = rule(problem)
        options = problem.options
        spend = decisions.start @ options.fixed_spend + decisions.modules @ options.module_spend
        assert spend.cumsum().max(initial=0.0) <= problem.funds.amount.sum(axis=0).cumsum().max() + 1.0
        assert (decisions.start >= no_decisions(problem).start).all()


def test_a_stopped_run_goes_on_with_the_world_it_was_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_case(tiny_case(), tmp_path / "case")
    monkeypatch.setattr(
        "sys.argv", ["sufficiency.england", "--data", str(tmp_path), "--out", str(tmp_path), "--time-limit", "20", "--threads", "1"]
    )
    asked = []

    def stops_at_the_second(*args: Any, **given: Any) -> Solution:
        asked.append(given)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return solve(*args, **given)

    monkeypatch.setattr("sufficiency.england.worlds.solve", stops_at_the_second)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert "goes on from there" in capsys.readouterr().err
    assert [file.name.split("-")[0] for file in (tmp_path / "worlds").iterdir()] == ["counterfactual"]
    main()
    assert len(asked) == 2 + 5
    first = (tmp_path / "england.md").read_text()
    main()
    assert len(asked) == 2 + 5
    assert (tmp_path / "england.md").read_text().split("Found in")[0] == first.split("Found in")[0]


def test_kept_solutions_come_back_exactly_and_only_for_the_same_inputs(tmp_path: Path, worlds: Worlds) -> None:
    clock, before, said = Clock(), [worlds.counterfactual], list[str]()
    kept = Kept(tmp_path, {"case": "a"}, clock)
    kept.solution("plan", before, said.append, lambda: worlds.plan)
    file = next(tmp_path.iterdir())
    with np.load(file) as arrays:
        np.savez(file, **{**arrays, SPENT: np.array([1000.0, 500.0])})
    again = kept.solution("plan", before, said.append, lambda: worlds.counterfactual)
    assert len(said) == 1
    assert clock.spent()[0] >= 1000
    assert clock.spent()[1] >= 500
    assert (again.termination, again.upper, again.lower, again.log) == (
        worlds.plan.termination,
        worlds.plan.upper,
        worlds.plan.lower,
        worlds.plan.log,
    )
    for name in ("decisions", "flows", "beside"):
        for column, values in vars(getattr(worlds.plan, name)).items():
            np.testing.assert_array_equal(getattr(getattr(again, name), column), values)
    assert len(again.proof) == len(worlds.plan.proof)
    dearer = [replace(worlds.counterfactual, upper=worlds.counterfactual.upper + 1.0)]
    for other, start in ((kept, dearer), (Kept(tmp_path, {"case": "b"}, clock), dearer)):
        assert other.solution("plan", start, said.append, lambda: worlds.counterfactual) is worlds.counterfactual
        assert len(list(tmp_path.iterdir())) == 1
    stopped = replace(worlds.plan, termination=Termination.INTERRUPTED)
    kept.solution("pooled", before, said.append, lambda: stopped)
    assert len(list(tmp_path.iterdir())) == 1
