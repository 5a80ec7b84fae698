"""An earlier plan's projects as decisions of a problem: to start from, to keep, or to hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from solver.decomposition.master import no_decisions
from solver.problem import Ints, Problem
from solver.result import Decisions
from sufficiency.formulate import Formulation


def decisions_of(formulation: Formulation, projects: pd.DataFrame) -> Decisions:
    """The starts, sizes and stages of a plan's table of projects.

    A project or year that the problem does not know is left out, so that a plan of another request may still be a start.
    """
    problem, years = formulation.problem, formulation.appraisal.financial_years
    options, none = problem.options, no_decisions(problem)
    start, modules, stage = none.start.copy(), none.modules.copy(), none.stage.copy()
    position = {label: j for j, label in enumerate(options.labels)}
    for row in projects.sort_values(["project_id", "stage"]).to_dict("records"):
        j = position.get(str(row["project_id"]))
        if j is None or options.committed_start[j] >= 0 or row["start_financial_year"] not in years:
            continue
        mine = np.nonzero((options.start_option == j) & (options.start_year == years.index(row["start_financial_year"])))[0]
        if not len(mine):
            continue
        if options.pool[j] >= 0:
            modules[mine[0]] = round(float(row["places"]) / float(options.module[j]))
        (start if row["stage"] == 1 else stage)[mine[0]] = 1
    return Decisions(start, modules, stage)


def moved(decisions: Decisions, of: Problem, to: Problem) -> Decisions:
    """Decisions in the starts of another problem with the same options; those that are not possible there fall away."""
    here = {(j, year): k for k, (j, year) in enumerate(zip(to.options.start_option, to.options.start_year, strict=True))}
    place = [here.get(key, -1) for key in zip(of.options.start_option, of.options.start_year, strict=True)]
    kept, where = np.array(place, np.int64) >= 0, np.array([k for k in place if k >= 0], np.int64)

    def placed(values: Ints) -> Ints:
        result = np.zeros(len(here), np.int64)
        result[where] = values[kept]
        return result

    return Decisions(placed(decisions.start), placed(decisions.modules), placed(decisions.stage))
