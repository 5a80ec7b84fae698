"""Money over time: discounting, capital and its residual credit, place and journey costs.

All prices are real, in the price base of the case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sufficiency.case import Case
from sufficiency.terms import financial_year, split_codes, start_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KM_PER_MILE = 1.609344

RELATIVE = {
    "state_special": ("costs.state_special", "costs.state_special_relative"),
    "resourced_provision": ("costs.resourced_provision", None),
    "ap": ("costs.ap", None),
    "non_maintained": ("costs.non_maintained", "costs.independent_relative"),
    "independent_special": ("costs.independent_special", "costs.independent_relative"),
    "unlocated_independent": ("costs.independent_special", "costs.independent_relative"),
    "unlocated_ap": ("costs.unlocated_ap", None),
}
"""Kind of provision -> assumption of its cost, and of its relative cost by need group."""


@dataclass(frozen=True)
class Appraisal:
    """Discounting of a case."""

    rate: float
    tail: int
    """Years for which the last planning year stands after the horizon."""
    weight: Floats
    """(T,) present value of one pound a year in each planning year; the last stands for the tail too."""
    first_year: int
    """Calendar year in which the first planning year starts: present values are of its April."""
    first_budget_year: int
    financial_years: tuple[str, ...]
    """Budget years: from the first allocation or committed start to the last year in which a project can spend."""

    def profile(self, profiles: list[str], start: Ints) -> Floats:
        """(rows, F) share of capital by budget year, for spend profiles that begin in these calendar years."""
        result = np.zeros((len(profiles), len(self.financial_years)))
        for row, (text, year) in enumerate(zip(profiles, start, strict=True)):
            shares = [float(share) for share in split_codes(text)]
            first = int(year) - self.first_budget_year
            result[row, first : first + len(shares)] = shares
        return result

    def discount(self, years: Ints | Floats) -> Floats:
        """Discount factors of years counted from the first planning year."""
        result: Floats = (1.0 + self.rate) ** -np.asarray(years, float)
        return result


def appraisal(case: Case) -> Appraisal:
    """Discounting and budget years of a case."""
    rate, tail = case.assumptions.number("time.discount_rate"), round(case.assumptions.number("time.tail_years"))
    horizon = len(case.academic_years)
    weight = (1.0 + rate) ** -np.arange(horizon, dtype=float)
    weight[-1] = ((1.0 + rate) ** -np.arange(horizon - 1, horizon + tail, dtype=float)).sum()
    first = start_of(case.academic_years[0])
    committed = case.projects["committed_start"].dropna().map(start_of).astype(int)
    longest = case.projects["spend_profile"].map(lambda text: len(split_codes(text))).max() if len(case.projects) else 1
    allocated = case.funds["financial_year"].map(start_of).astype(int)
    low = int(min([first, *committed, *allocated]))
    high = int(max([first + horizon - 1 + longest, *(committed + longest), *allocated]))
    years = tuple(financial_year(year) for year in range(low, high + 1))
    return Appraisal(rate, tail, weight, first, low, years)


def capital_factor(case: Case, money: Appraisal, life: Ints, profiles: list[str], start: Ints, opens: Ints) -> Floats:
    """(rows,) present value of one pound of capital, less the credit for useful life after the appraisal.

    ``start``: calendar year in which spending begins; ``opens``: planning year (0 = first) in which the places open.
    """
    budget = np.arange(len(money.financial_years)) + money.first_budget_year - money.first_year
    spent = money.profile(profiles, start) @ money.discount(budget)
    return spent - residual_credit(case, money, life, opens)


def residual_credit(case: Case, money: Appraisal, life: Ints, opens: Ints) -> Floats:
    """(rows,) discounted credit per pound of capital, straight-line over its life."""
    horizon = len(case.academic_years)
    used = horizon + money.tail - opens
    left = np.maximum(0.0, 1.0 - used / life)
    return left * float(money.discount(np.array(horizon + money.tail, float)))


def place_gbp(case: Case, families: pd.DataFrame, pools: pd.DataFrame) -> Floats:
    """(families, P) GBP of one filled place per year: the pool's own figure, else the default of its kind."""
    assumptions = case.assumptions
    default = np.zeros((len(families), len(pools)))
    for kind, (average, relative) in RELATIVE.items():
        columns = (pools["kind"] == kind).to_numpy()
        figure = assumptions.number(average)
        if kind == "unlocated_independent":
            figure *= assumptions.number("costs.unlocated_independent_factor")
        by_group = assumptions.table(relative) if relative else {}
        default[:, columns] = (figure * families["need_group"].map(lambda group, of=by_group: of.get(group, 1.0)).to_numpy(float))[:, None]
    own = pools["place_cost_gbp_per_year"].to_numpy(float)
    return np.where(np.isnan(own)[None, :], default, own[None, :])


def journey_gbp(case: Case, km: Floats, sharing: Floats) -> Floats:
    """GBP per year of a journey before the factors of phase and need; km one way, ``sharing`` of ``travel_with_sharing``."""
    assumptions = case.assumptions
    curve = assumptions.number("travel.cost_base") + assumptions.number("travel.cost_per_mile") * km / KM_PER_MILE
    result: Floats = sharing * curve
    return result
