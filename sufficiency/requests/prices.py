"""What levers say about fees, as figures of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sufficiency.case import Case
from sufficiency.demand.levers import prices, read_levers
from sufficiency.finance import appraisal
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import NEED_GROUPS, start_of

READ = frozenset({"non_maintained", "independent_special"})
"""Categories whose fees a plan reads."""


def price_overrides(case: Case, names: Sequence[str]) -> dict[str, Any]:
    """``costs.price_factor`` and ``costs.price_cap`` as the levers have them; nothing where they say nothing of fees.

    A fee that changes over the years enters with its mean by the weight of each year in the objective; a cap that holds in the last
    planning year (which stands for the tail too) holds throughout.
    Raises InputError for unknown levers and for fees that a plan does not read.
    """
    weight = appraisal(case).weight
    januaries = [start_of(year) + 1 for year in case.academic_years]
    factors: dict[str, list[float]] = {}
    caps: list[float] = []
    problems = []
    for lever in read_levers(names):
        for row in prices([lever], januaries):
            category, year = str(row["category"]), januaries.index(row["january"])
            if category not in READ:
                message, remedy = f"changes fees of {category}, which a plan does not read", f"Use {' or '.join(sorted(READ))}."
                problems.append(InputProblem("request", message, remedy, column="levers", value=lever.name))
                continue
            factors.setdefault(category, [1.0] * len(januaries))[year] *= float(row["factor"])
            if row["cap_gbp"] is not None and year == len(januaries) - 1:
                caps.append(float(row["cap_gbp"]))
    if problems:
        raise InputError(dict.fromkeys(problems))
    overrides: dict[str, Any] = {}
    if factors:
        overrides["costs.price_factor"] = {name: float(np.average(each, weights=weight)) for name, each in factors.items()}
    if caps:
        overrides["costs.price_cap"] = dict.fromkeys([group for group in NEED_GROUPS if group != "AP"], min(caps))
    return overrides
