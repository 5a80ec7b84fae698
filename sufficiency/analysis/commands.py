"""Commands that ask questions of cases and plans; each writes tables (CSV) and JSON whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from solver.decomposition.master import no_decisions
from solver.problem import Problem
from solver.requirements import Measure
from solver.result import Decisions, Solution
from solver.solve import solve
from solver.stages import Goal, frontier
from solver.stages import Point as FrontierPoint
from solver.variants import total
from sufficiency.analysis.explain import alternatives, why_unmet
from sufficiency.analysis.left_out import not_chosen
from sufficiency.analysis.marginal import marginal_value
from sufficiency.analysis.reopened import reopened
from sufficiency.analysis.robust import Risk, Robust, plan_robust
from sufficiency.case import Case, case_hashes, load_case
from sufficiency.disclosure import shown_money
from sufficiency.disclosure.rules import shown_counts
from sufficiency.formulate import Formulation, formulate, with_floor
from sufficiency.outputs.folder import read_plan
from sufficiency.request import PlanRequest
from sufficiency.results import costs_of
from sufficiency.workflow import Say, as_planned, search_options


def run_robust(
    case_folder: Path,
    request: PlanRequest,
    scenarios: Mapping[str, float],
    risk: str,
    tail: float,
    out: Path,
    say: Say,
    interrupted: Callable[[], bool] = lambda: False,
) -> str:
    """Shared projects for several scenarios, written to ``out``; returns what to print.

    When interrupted, every search ends with the best it has: the answer has all its parts, and its gap says how good it is.
    """
    case = load_case(case_folder)
    found = plan_robust(case, request, scenarios, risk=Risk(risk), tail=tail, progress=say, interrupted=interrupted)
    futures = pd.DataFrame(
        [
            {
                "scenario": name,
                "probability": future.probability,
                "cost_gbp": future.shared.upper,
                "best_possible_gbp": future.alone.lower,
                "own_plan_gbp": future.alone.upper,
                "without_gbp": future.counterfactual.upper,
                "saving_gbp": future.counterfactual.upper - future.shared.upper,
                "regret_gbp": future.regret,
            }
            for name, future in found.futures.items()
        ]
    )
    summary = _robust_summary(found, case_hashes(case_folder)) | {"complete": not interrupted()}
    tables = {"projects": found.projects(), "scenarios": futures}
    _write(out, tables, summary)
    return f"{_robust_text(found, futures)}\n{_written(out, tables, interrupted())}"


def _robust_summary(found: Robust, inputs: dict[str, str]) -> dict[str, Any]:
    gap = (found.value - found.bound) / abs(found.value) if found.value else 0.0
    return {
        "risk": str(found.risk),
        "tail": found.tail,
        "value_gbp": found.value,
        "bound_gbp": found.bound,
        "gap": gap,
        "inputs": inputs,
    }


def _robust_text(found: Robust, futures: pd.DataFrame) -> str:
    shared = found.projects()
    shared = shared[shared["shared"]]
    lines = [f"{'scenario':<14}{'probability':>12}{'cost GBPm':>13}{'saving GBPm':>13}{'regret GBPm':>13}"]
    for row in futures.to_dict("records"):
        money = "".join(f"{value / 1e6:>13,.1f}" for value in (row["cost_gbp"], row["saving_gbp"], row["regret_gbp"]))
        lines.append(f"{row['scenario']:<14}{row['probability']:>12.2f}{money}")
    lines.append(
        f"{found.risk} cost GBP {found.value / 1e6:,.1f}m, at least {found.bound / 1e6:,.1f}m for any set of projects "
        f"(gap {(found.value - found.bound) / found.value:.2%})"
    )
    lines.append(f"{len(shared)} projects shared, of which {int((shared['verdict'] == 'no regret').sum())} are chosen in every scenario")
    return "\n".join(lines)


def run_explain(
    case_folder: Path,
    plan_folder: Path,
    out: Path,
    extra_gbp: float,
    year: str | None,
    within: float,
    most: int,
    say: Say,
    *,
    who: Collection[str] = (),
    again: int = 3,
    candidates: int = 20,
    interrupted: Callable[[], bool] = lambda: False,
) -> str:
    """Answers about a plan, written to ``out``; returns what to print. What was finished when interrupted is written and marked."""
    case, request, plan = _planned(case_folder, plan_folder)
    asked = reopened(case, request, plan, say, interrupted)
    years = () if year is None else (year,)
    tables = {
        "marginal": marginal_value(asked, extra_gbp, say, who=who, years=years, most=again),
        "not_chosen": not_chosen(asked, say, candidates),
        "why_unmet": why_unmet(asked),
        "alternatives": alternatives(asked, within, most, say),
    }
    shown = {name: _shown(table, case) for name, table in tables.items()}
    costs = {"plan_gbp": asked.plan.upper, "replanned_gbp": asked.anew.upper, "bound_gbp": asked.anew.lower}
    summary = {**{name: shown_money(value, case) for name, value in costs.items()}, "extra_gbp": extra_gbp}
    _write(out, shown, {**summary, "complete": not interrupted(), "inputs": case_hashes(case_folder)})
    lines = [table_text(f"What GBP {extra_gbp:,.0f} more would save", shown["marginal"].drop(columns=["council_code", "said"]).head(8))]
    first = tables["not_chosen"][tables["not_chosen"]["net_saving_gbp"] > 0].head(1)
    if len(first):
        lines.append(f"First project left out: {first['name'].iloc[0]} ({first['project_id'].iloc[0]}). {first['said'].iloc[0]}")
    lines.append(table_text("Near alternatives", shown["alternatives"]))
    lines.append(_written(out, tables, interrupted()))
    return "\n\n".join(lines)


def run_frontier(
    case_folder: Path, request: PlanRequest, over: str, points: int, out: Path, say: Say, interrupted: Callable[[], bool] = lambda: False
) -> str:
    """Cheapest plans for ever tighter limits on a measure, written to ``out`` with a chart; returns what to print.

    When interrupted, the points found so far are written and marked.
    """
    case = request.applied_to(load_case(case_folder))
    how = search_options(request, say, interrupted)
    measure = Goal(over).measure
    assert measure is not None, "cost is the other axis"
    formulation = formulate(case, request.scenario)
    free = replace(formulation.problem, pins=None, crews=None, shares=None)
    counterfactual = solve(free, how, fixed=no_decisions(free))
    formulation = with_floor(formulation, counterfactual.flows)

    def cheapest(asked: Problem, known: Sequence[Solution]) -> Solution:
        flows = [counterfactual.flows, *(one.flows for one in known)]
        return solve(asked, how, known_flows=flows, candidates=[one.decisions for one in known])

    found = frontier(formulation.problem, measure, points, cheapest, interrupted)
    table = _shown(pd.DataFrame([_point(formulation, measure, point) for point in found]), case)
    built = [_projects(formulation, point.solution.decisions).assign(point=number) for number, point in enumerate(found, 1)]
    tables = {"frontier": table, "projects": pd.concat(built)}
    summary = {"over": over, "points": points, "complete": not interrupted(), "inputs": case_hashes(case_folder)}
    _write(out, tables, summary, lambda folder: _chart(table, over, folder))
    return f"{table_text(f'Cost against {over}', table)}\n\n{_written(out, [*tables, 'frontier.svg', 'frontier.png'], interrupted())}"


def _written(out: Path, files: Iterable[str], stopped: bool) -> str:
    """Where the answer is, and whether it is whole."""
    names = ", ".join(name if "." in name else f"{name}.csv" for name in files)
    note = "Stopped early: what was finished is there, the rest is missing (complete: false in summary.json).\n" if stopped else ""
    return f"{note}Written to {out}: {names}, summary.json"


def _shown(table: pd.DataFrame, case: Case) -> pd.DataFrame:
    """The table as the case's disclosure profile shows it."""
    if case.disclosure == "open":
        return table
    shown = table.copy()
    for name in shown.columns:
        if str(name).endswith("_gbp"):
            shown[name] = [shown_money(value, case) for value in shown[name]]
        elif name == "pupils" or str(name).endswith("_years"):
            shown[name] = shown_counts(shown[name])
    return shown


def _point(formulation: Formulation, measure: Measure, point: FrontierPoint) -> dict[str, Any]:
    """Money, weights and measures of a point, each apart; what its limit is missed by is in the measure's own unit."""
    problem = formulation.problem
    options, decisions = problem.options, point.solution.decisions
    costs = costs_of(formulation, point.solution)
    costs = costs[costs["in_objective"]]
    money, weights = (float(costs.loc[costs["is_cash"] == cash, "present_value_gbp"].sum()) for cash in (True, False))
    return {
        "limit": point.limit,
        "over_limit": 0.0 if point.kept else point.value - point.limit,
        "cost_gbp": money,
        "weights_gbp": weights,
        "bound_gbp": point.solution.lower if point.kept else np.nan,
        "ended": str(point.solution.termination),
        "capital_gbp": float(
            (decisions.start @ options.fixed_spend + decisions.modules @ options.module_spend + decisions.stage @ options.stage_spend).sum()
        ),
        **{f"{one}_years": total(problem, one, point.solution) for one in Measure},
    }


def _projects(formulation: Formulation, decisions: Decisions) -> pd.DataFrame:
    """What is built: ``project_id, name, places, start_financial_year``, a row for each start."""
    options, starts = formulation.problem.options, np.nonzero(decisions.start)[0]
    table = formulation.projects.iloc[options.start_option[starts]][["project_id", "name"]].reset_index(drop=True)
    return table.assign(
        places=options.module[options.start_option[starts]] * decisions.modules[starts],
        start_financial_year=[formulation.appraisal.financial_years[options.start_year[k]] for k in starts],
    )


def _chart(table: pd.DataFrame, over: str, folder: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    column = {"travel": "minutes_years", "independent": "outside_years", "unmet": "unmet_years"}[over]
    axes.plot(table[column], table["cost_gbp"] / 1e6, marker="o")
    missed = table[table["over_limit"] > 0]
    if len(missed):
        axes.plot(missed[column], missed["cost_gbp"] / 1e6, "o", markersize=11, fillstyle="none", label="misses its limit")
        axes.legend()
    axes.set_xlabel({"travel": "Pupil-minutes a journey, weighted over the years"}.get(over, f"{over} pupil-years, weighted"))
    axes.set_ylabel("Cost in money, GBP million present value")
    axes.grid(alpha=0.3)
    for kind in ("svg", "png"):
        figure.savefig(folder / f"frontier.{kind}", dpi=150)


def _planned(case_folder: Path, plan_folder: Path) -> tuple[Case, PlanRequest, pd.DataFrame]:
    case = as_planned(load_case(case_folder), plan_folder)
    plan = read_plan(plan_folder)
    return case, replace(PlanRequest(), scenario=str(plan.summary.get("scenario", "central"))), plan.plan.projects


def _write(out: Path, tables: Mapping[str, pd.DataFrame], summary: Mapping[str, Any], more: Callable[[Path], None] | None = None) -> None:
    """Everything to a temporary folder beside ``out``, moved in whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as name:
        folder = Path(name) / "whole"
        folder.mkdir()
        for table, rows in tables.items():
            rows.to_csv(folder / f"{table}.csv", index=False)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
        if more:
            more(folder)
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)


def table_text(title: str, table: pd.DataFrame) -> str:
    """A table for the screen, money in whole pounds."""
    if not len(table):
        return f"{title}: nothing"
    shown = table.copy()
    for name in shown.columns:
        if str(name).endswith("_gbp"):
            shown[name] = shown[name].map(lambda value: "" if pd.isna(value) else f"{value:,.0f}")
    return f"{title}\n{shown.to_string(index=False, na_rep='', float_format=lambda value: f'{value:,.2f}')}"
