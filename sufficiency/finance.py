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


FEES = {"non_maintained": "non_maintained", "independent_special": "independent_special", "unlocated_independent": "independent_special"}
"""Kind of independent provision -> key of ``costs.price_factor``."""
WEEKS_A_YEAR = 39
"""School weeks of a year."""


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
    profiles = pd.concat([case.projects["spend_profile"], case.projects["grant_profile"]])
    longest = profiles.map(lambda text: len(split_codes(text))).max() if len(case.projects) else 1
    allocated = case.funds["financial_year"].map(start_of).astype(int)
    low = int(min([first, *committed, *allocated]))
    high = int(max([first + horizon - 1 + longest, *(committed + longest), *allocated]))
    years = tuple(financial_year(year) for year in range(low, high + 1))
    return Appraisal(rate, tail, weight, first, low, years)


def net_capital(case: Case, money: Appraisal, spend: Floats, projects: pd.DataFrame, opens: Ints) -> Floats:
    """(rows,) present value of spending (rows, F) on these projects, less the credit for useful life after the appraisal.

    ``opens``: planning year (0 = first) in which the places open.
    """
    budget = np.arange(len(money.financial_years)) + money.first_budget_year - money.first_year
    result: Floats = spend @ money.discount(budget) - spend.sum(axis=1) * residual_credit(case, money, projects, opens)
    return result


def spending_profile(case: Case, money: Appraisal, profiles: list[str], start: Ints) -> Floats:
    """(rows, F) pounds spent by budget year per pound of capital at the price base: building prices may rise faster than others."""
    years = np.arange(len(money.financial_years)) + money.first_budget_year - start_of(case.price_base)
    rise = (1.0 + case.assumptions.number("capital.inflation_per_year")) ** years.astype(float)
    return money.profile(profiles, start) * rise


def capital_uplift(case: Case, projects: pd.DataFrame) -> Floats:
    """(rows,) (1 + optimism bias) x location factor: what prices of the projects table are multiplied by.

    The project's own bias holds, else that of its business case's stage, else that of its kind.
    """
    figures = case.assumptions
    by_stage = projects["business_case"].map(figures.table("capital.optimism_bias_by_stage"))
    by_kind = projects["kind"].map(figures.table("capital.optimism_bias"))
    bias = projects["optimism_bias"].fillna(by_stage).fillna(by_kind).fillna(0.0).to_numpy(float)
    region = projects["council_code"].map(case.councils.set_index("council_code")["region_name"])
    factor = region.map(figures.table("capital.location_factor")).fillna(1.0).to_numpy(float)
    return (1.0 + bias) * np.where(projects["price_area"] == "England", factor, 1.0)


def residual_credit(case: Case, money: Appraisal, projects: pd.DataFrame, opens: Ints) -> Floats:
    """(rows,) discounted credit per pound of capital, straight-line over the useful life.

    Temporary places last until they expire. Where they still take entrants in the last planning year, that year stands for the tail only
    if they are provided again: a credit below nothing.
    """
    expires = projects["expires_after_years"].to_numpy(float)
    horizon = len(case.academic_years)
    left = 1.0 - (horizon + money.tail - opens) / np.fmin(projects["life_years"].to_numpy(float), expires)
    provided_again = horizon - opens <= expires
    end = float(money.discount(np.array(horizon + money.tail, float)))
    result: Floats = end * np.where(provided_again, left, np.maximum(0.0, left))
    return result


def place_gbp(case: Case, families: pd.DataFrame, pools: pd.DataFrame) -> Floats:
    """(families, P) GBP of one filled place per year: the pool's own figure, else the default of its kind.

    Fees of independent places follow ``costs.price_factor`` and ``costs.price_cap``. A pupil in AP without a plan takes part of a place.
    """
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
    cost = np.where(np.isnan(own)[None, :], default, own[None, :])
    factor = assumptions.table("costs.price_factor")
    cap = families["need_group"].map(assumptions.table("costs.price_cap")).fillna(np.inf).to_numpy(float)
    for kind, fee in FEES.items():
        columns = (pools["kind"] == kind).to_numpy()
        cost[:, columns] = np.minimum(cost[:, columns] * factor.get(fee, 1.0), cap[:, None])
    return cost * places_per_pupil(case, families)[:, None]


def places_per_pupil(case: Case, classes: pd.DataFrame) -> Floats:
    """(rows,) places that a pupil takes: stays in AP without a plan may be shorter than the year of 39 weeks."""
    weeks = case.assumptions.number("ap.weeks_of_stay")
    return np.where(classes["need_group"] == "AP", weeks / WEEKS_A_YEAR, 1.0)


def journey_gbp(case: Case, km: Floats, sharing: Floats) -> Floats:
    """GBP per year of a journey before the factors of phase and need; km one way, ``sharing`` of ``travel_with_sharing``."""
    assumptions = case.assumptions
    curve = assumptions.number("travel.cost_base") + assumptions.number("travel.cost_per_mile") * km / KM_PER_MILE
    result: Floats = sharing * curve
    return result


def social_gbp(case: Case, minutes: Floats, km: Floats, sharing: Floats) -> Floats:
    """GBP per year of a journey beside its cost: carers' time and carbon, one way given, before the factors of phase and need."""
    figures = case.assumptions
    journeys = 2 * figures.number("social.days_per_year")
    hours = journeys * minutes / 60 * figures.number("social.carer_share")
    carbon = journeys * km * sharing * figures.number("social.co2e_kg_per_km") / 1_000 * figures.number("social.carbon_gbp_per_tonne")
    result: Floats = hours * figures.number("social.value_of_time_gbp_per_hour") + carbon
    return result


def borrowing_cost(case: Case, money: Appraisal, rate: float, term: int) -> Floats:
    """(F,) present value of repaying one pound borrowed in each budget year: equal payments over the term from the year after."""
    year = np.arange(len(money.financial_years)) + money.first_budget_year - money.first_year
    yearly = 1.0 / term if rate == 0 else rate / (1.0 - (1.0 + rate) ** -term)
    return np.array([yearly * money.discount(first + np.arange(1, term + 1)).sum() for first in year])
