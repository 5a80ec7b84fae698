"""Answers about plans: shared projects for several futures, frontiers, what a million buys, why and why not, clashes in words."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_region import QUICK, planned, region, written
from typer.testing import CliRunner

from fixtures.tiny import tiny_case
from solver.decomposition.master import no_decisions
from solver.requirements import Measure
from solver.solve import solve
from solver.stages import Point
from solver.variants import total
from sufficiency.analysis.commands import _point, run_explain, run_frontier, run_robust
from sufficiency.analysis.explain import alternatives, why_unmet
from sufficiency.analysis.left_out import not_chosen
from sufficiency.analysis.reopened import Reopened, reopened
from sufficiency.analysis.robust import Risk, plan_robust, risk_of, worst_weights
from sufficiency.case import Case, save_case
from sufficiency.cli import app
from sufficiency.earlier import decisions_of
from sufficiency.formulate import formulate
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.tables.problems import InputError
from sufficiency.workflow import plan_case

SEED = 1


def silent(text: str) -> None:
    del text


@cache
def case_of_three() -> Case:
    """The small region with less and more demand beside the central one."""
    case = region(SEED)
    pupils = case.pupils[case.pupils["scenario"] == "central"]
    years = {year: number for number, year in enumerate(sorted(pupils["academic_year"].unique()))}
    lag = pupils["academic_year"].map(years).astype(float)
    others = [pupils.assign(scenario=name, pupils_placed=pupils["pupils_placed"] * f**lag) for name, f in (("low", 0.97), ("high", 1.03))]
    return replace(case, pupils=pd.concat([pupils, *others], ignore_index=True))


@cache
def opened() -> Reopened:
    return reopened(region(SEED), QUICK, planned(SEED).plan.projects, silent)


def test_a_plan_read_back_is_the_same_decisions_at_no_more_cost() -> None:
    plan = planned(SEED)
    problem = formulate(region(SEED)).problem
    spend = opened().plan.decisions.start @ problem.options.fixed_spend + opened().plan.decisions.modules @ problem.options.module_spend
    assert spend.sum() == pytest.approx(plan.plan.projects["capital_gbp"].sum(), rel=1e-9)
    assert opened().plan.upper == pytest.approx(plan.summary["objective_gbp"], rel=0.003)


def test_projects_left_out_have_a_reason() -> None:
    table = not_chosen(opened(), silent, 2)
    built = set(planned(SEED).plan.projects["project_id"])
    assert built.isdisjoint(table["project_id"])
    assert len(table) + len(built) == len(opened().problem.options.labels)
    assert set(table["reason"]) <= {"no budget", "not worth it", "excluded", "ruled out", "lead time", "gap"}
    again = table[table["status"] == "solved again"]
    assert len(again) == 2
    assert (again["least_gbp"] <= again["net_saving_gbp"]).all()
    assert (again["net_saving_gbp"] <= again["most_gbp"]).all()
    assert (table["said"].str.len() > 10).all()
    short = table[table["reason"] == "no budget"]
    assert (short["lacking_gbp"] > 0).all()
    assert (short["lacking_gbp"] <= short["capital_gbp"] * 1.0001 + 1).all()


def test_who_is_without_a_place_adds_up() -> None:
    table = why_unmet(opened())
    waits = opened().plan.flows.pool == len(opened().problem.pools.labels)
    assert (table["pupils"].sum() if len(table) else 0.0) == pytest.approx(opened().plan.flows.amount[waits].sum())
    if len(table):
        assert table["reason"].str.len().min() > 5


def test_alternatives_cost_no_less_than_the_proven_bound() -> None:
    table = alternatives(replace(opened(), how=replace(opened().how, gap=0.05)), 0.01, 2, silent)
    assert len(table) == 2
    assert (table["least_gbp"] <= table["extra_gbp"]).all()
    for row in table.to_dict("records"):
        assert row["without"] in set(planned(SEED).plan.projects["project_id"])
        assert opened().plan.upper + row["extra_gbp"] >= planned(SEED).summary["bound_gbp"] * (1 - 1e-6)
        assert row["within"] == (row["extra_gbp"] <= 0.01 * opened().plan.upper)


def test_shared_projects_of_three_scenarios() -> None:
    probabilities = {"central": 0.5, "low": 0.25, "high": 0.25}
    found = plan_robust(case_of_three(), replace(QUICK, gap=0.02, years=2), probabilities)
    cost = sum(share * found.futures[name].shared.upper for name, share in probabilities.items())
    assert found.value == pytest.approx(cost, rel=1e-9)
    assert found.bound <= found.value
    assert found.value - found.bound <= 0.03 * found.value
    for future in found.futures.values():
        # nobody does better with shared projects than the best possible alone, nor worse than with nothing built
        assert future.shared.upper >= future.alone.lower * (1 - 1e-6)
        held = solve(future.formulation.problem, opened().how, known_flows=[future.counterfactual.flows], fixed=found.decisions)
        assert held.upper == pytest.approx(future.shared.upper, rel=2e-3)
    table = found.projects()
    assert ((table["chosen_share"] >= 0) & (table["chosen_share"] <= 1 + 1e-9)).all()
    assert set(table["verdict"]) <= {"no regret", "likely", "hedge", "option"}
    assert (table.loc[table["shared"], "places"] >= 0).all()


def test_regret_is_at_most_that_of_the_expected_plan() -> None:
    probabilities = {"low": 0.5, "high": 0.5}
    request = replace(QUICK, years=2)
    expected, careful = (plan_robust(case_of_three(), request, probabilities, risk=risk) for risk in (Risk.EXPECTED, Risk.REGRET))
    most = max(future.regret for future in expected.futures.values())
    assert careful.value <= most * (1 + 1e-6) + 1.0
    assert careful.bound <= careful.value


def test_weights_of_the_worst_futures() -> None:
    cost, probability = np.array([1.0, 3.0, 2.0]), np.array([0.5, 0.25, 0.25])
    assert worst_weights(cost, probability, Risk.CVAR, 0.25).tolist() == [0.0, 1.0, 0.0]
    assert worst_weights(cost, probability, Risk.CVAR, 0.5).tolist() == [0.0, 0.5, 0.5]
    assert risk_of(cost, probability, Risk.CVAR, 1.0) == pytest.approx(1.75)
    assert risk_of(cost, probability, Risk.EXPECTED, 0.5) == pytest.approx(1.75)
    assert risk_of(cost, probability, Risk.REGRET, 0.5) == 3.0


def test_scenarios_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="no demand of this scenario"):
        plan_robust(region(SEED), QUICK, {"central": 0.5, "nowhere": 0.5})
    with pytest.raises(InputError, match="probabilities"):
        plan_robust(region(SEED), QUICK, {"central": 0.7})


def test_a_plan_that_keeps_an_earlier_one_builds_all_of_it() -> None:
    earlier = planned(SEED)
    richer = replace(QUICK, budgets=tuple({"fund": fund, "financial_year": year, "change_gbp": 2e6} for fund, year in first_money()))
    more = plan_case(region(SEED), richer, base=earlier, use_base="keep")
    kept = earlier.plan.projects.set_index(["project_id", "stage"])[["start_financial_year", "places"]]
    now = more.plan.projects.set_index(["project_id", "stage"])
    assert set(kept.index.get_level_values(0)) <= set(now.index.get_level_values(0))
    first = kept[kept.index.get_level_values("stage") == 1]
    assert (now.loc[first.index, "start_financial_year"] == first["start_financial_year"]).all()
    assert more.summary["objective_gbp"] <= earlier.summary["objective_gbp"] * 1.001


def first_money() -> list[tuple[str, str]]:
    funds = region(SEED).funds
    row = funds[funds["amount_gbp"] > 0].iloc[0]
    return [(str(row["fund_id"]), str(row["financial_year"]))]


def test_a_held_plan_is_the_earlier_one() -> None:
    held = plan_case(region(SEED), QUICK, base=planned(SEED), use_base="hold")
    assert held.plan.projects["project_id"].tolist() == planned(SEED).plan.projects["project_id"].tolist()
    assert held.summary["objective_gbp"] == pytest.approx(planned(SEED).summary["objective_gbp"], rel=0.003)


def test_goals_in_stages_give_up_money_for_places() -> None:
    staged = plan_case(region(SEED), replace(QUICK, stages=("independent", "cost"), years=2))
    cheapest = plan_case(region(SEED), replace(QUICK, years=2))
    goals = {stage["goal"]: stage for stage in staged.summary["stages"]}
    assert list(goals) == ["independent", "cost"]
    assert all(stage["bound"] <= stage["value"] * (1 + 1e-6) + 1e-6 for stage in goals.values())
    assert sum(staged.summary["independent_avoided"].values()) >= 0.97 * sum(cheapest.summary["independent_avoided"].values())


def test_requests_that_clash_are_named() -> None:
    problem = formulate(region(SEED)).problem
    startable = {int(j) for j in problem.options.start_option[problem.options.committed_start[problem.options.start_option] < 0]}
    pins = tuple({"project_id": problem.options.labels[j], "wish": "must"} for j in sorted(startable) if problem.options.exclusive[j] < 0)
    with pytest.raises(InputError) as caught:
        plan_case(region(SEED), replace(QUICK, pins=pins))
    said = "\n".join(str(fault) for fault in caught.value.problems)
    assert "has to be built" in said
    assert "Add at least GBP" in said
    assert len(caught.value.problems) <= len(pins)


def test_projects_that_are_gone_are_left_out() -> None:
    formulation = formulate(region(SEED))
    table = planned(SEED).plan.projects.assign(project_id="gone")
    assert decisions_of(formulation, table).start.tolist() == no_decisions(formulation.problem).start.tolist()


@cache
def pencil() -> tuple[Case, Plan]:
    case = tiny_case()
    return case, plan_case(case, PlanRequest(sensitivity=False, gap=1e-4))


def pencil_folders(folder: Path) -> tuple[Path, Path]:
    case, plan = pencil()
    return written(plan, case, folder)


def test_explain_writes_a_whole_folder(tmp_path: Path) -> None:
    case_folder, plan_folder = pencil_folders(tmp_path)
    asked = ["--extra", "8000000", "--for", "Pencilshire", "--year", "2022-23"]
    explained = CliRunner().invoke(app, ["explain", str(case_folder), str(plan_folder), "--out", str(tmp_path / "explain"), *asked])
    assert explained.exit_code == 0, explained.output
    assert {path.name for path in (tmp_path / "explain").iterdir()} == {
        "marginal.csv", "not_chosen.csv", "why_unmet.csv", "alternatives.csv", "summary.json",
    }  # fmt: skip
    assert "more would save" in explained.output
    summary = json.loads((tmp_path / "explain" / "summary.json").read_text())
    assert summary["complete"]
    assert summary["replanned_gbp"] == pytest.approx(42_850_000, abs=1)


def test_an_explain_that_is_stopped_keeps_what_is_finished(tmp_path: Path) -> None:
    """Stopped while the plan is made again: no more is solved, the duals and reasons are there, and the summary says so."""
    case_folder, plan_folder = pencil_folders(tmp_path)
    asked = []

    def say(text: str) -> None:
        if text.startswith("The plan again"):
            asked.append(text)

    text = run_explain(case_folder, plan_folder, tmp_path / "out", 8e6, None, 0.01, 5, say, interrupted=lambda: bool(asked))
    tables = {name: pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in ("marginal", "not_chosen", "alternatives")}
    assert set(tables["marginal"]["status"]) == {"dual only"}
    assert tables["not_chosen"]["project_id"].tolist() == ["A"]
    assert tables["alternatives"].empty
    assert not json.loads((tmp_path / "out" / "summary.json").read_text())["complete"]
    assert "Stopped early" in text


def test_a_frontier_that_is_stopped_keeps_its_points(tmp_path: Path) -> None:
    case_folder, _ = pencil_folders(tmp_path)
    text = run_frontier(case_folder, PlanRequest(gap=1e-4), "independent", 4, tmp_path / "out", silent, interrupted=lambda: True)
    assert len(pd.read_csv(tmp_path / "out" / "frontier.csv")) == 1
    assert not json.loads((tmp_path / "out" / "summary.json").read_text())["complete"]
    assert "Stopped early" in text


def test_a_robust_plan_that_is_stopped_says_so(tmp_path: Path) -> None:
    case_folder, _ = pencil_folders(tmp_path)
    run_robust(case_folder, PlanRequest(gap=1e-4), {"central": 1.0}, "regret", 0.2, tmp_path / "out", silent, interrupted=lambda: True)
    assert len(pd.read_csv(tmp_path / "out" / "scenarios.csv")) == 1
    assert not json.loads((tmp_path / "out" / "summary.json").read_text())["complete"]


def test_a_frontier_keeps_money_and_weights_apart(tmp_path: Path) -> None:
    """No weight of a breached limit is in any column; money and weights of the first point are the plan's own."""
    case_folder, _ = pencil_folders(tmp_path)
    run_frontier(case_folder, PlanRequest(gap=1e-4), "independent", 3, tmp_path / "out", silent)
    table = pd.read_csv(tmp_path / "out" / "frontier.csv")
    summary = pencil()[1].summary
    first = table.iloc[0]
    assert first["cost_gbp"] + first["weights_gbp"] == pytest.approx(summary["objective_gbp"], rel=1e-4)
    assert first["weights_gbp"] == pytest.approx(0, abs=1)
    kept = table["over_limit"] == 0
    assert (table.loc[kept, "bound_gbp"] <= (table["cost_gbp"] + table["weights_gbp"])[kept] + 1).all()
    assert table["cost_gbp"].max() < 60e6


def test_a_limit_that_is_missed_is_told_in_its_own_unit() -> None:
    solution = opened().plan
    problem = opened().problem
    outside = total(problem, Measure.OUTSIDE, solution)
    point = _point(opened().formulation, Measure.OUTSIDE, Point(outside - 100, outside, solution))
    assert point["over_limit"] == pytest.approx(100)
    assert np.isnan(point["bound_gbp"])
    assert point["cost_gbp"] + point["weights_gbp"] == pytest.approx(solution.upper, rel=1e-6)
    assert point["cost_gbp"] < solution.upper


def test_commands_write_whole_folders(tmp_path: Path) -> None:
    save_case(region(SEED), tmp_path / "case")
    run = CliRunner().invoke
    quick = tmp_path / "quick.toml"
    quick.write_text("gap = 0.05\nyears = 2\nsensitivity = false\n")
    save_case(case_of_three(), tmp_path / "three")
    two = ["--scenario", "low=0.5", "--scenario", "high=0.5", "--request", str(quick)]
    robust = run(app, ["robust", str(tmp_path / "three"), "--out", str(tmp_path / "robust"), *two])
    assert robust.exit_code == 0, robust.output
    assert len(pd.read_csv(tmp_path / "robust" / "scenarios.csv")) == 2
    edge = run(app, ["frontier", str(tmp_path / "case"), "--points", "2", "--out", str(tmp_path / "frontier"), "--request", str(quick)])
    assert edge.exit_code == 0, edge.output
    points = pd.read_csv(tmp_path / "frontier" / "frontier.csv")
    assert points["minutes_years"].is_monotonic_decreasing
    assert (tmp_path / "frontier" / "frontier.svg").exists()
