"""What it costs, and who pays."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.result import Solution
from sufficiency.demand_classes import reduction_gbp
from sufficiency.finance import residual_credit
from sufficiency.formulate import STATE_KINDS, Formulation
from sufficiency.results.stays import Stays, frame, taken_of
from sufficiency.terms import PROJECT_KINDS, financial_year, start_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def funding_table(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    funds, years = formulation.problem.funds, formulation.appraisal.financial_years
    councils = formulation.case.funds.groupby("fund_id")["councils"].first()
    spent, moved, granted = _paid(solution).sum(axis=(1, 2)), _moved(formulation, solution), _granted(formulation, solution)
    transfers = formulation.problem.transfers
    given, taken = np.zeros_like(spent), np.zeros_like(spent)
    if transfers is not None:
        np.add.at(given, transfers.source, moved)
        np.add.at(taken, transfers.target, moved)
    rows = []
    for g, label in enumerate(funds.labels):
        carried = 0.0
        for f, year in enumerate(years):
            in_hand = carried + funds.amount[g, f] + granted[g, f] + taken[g, f]
            rest = max(0.0, in_hand - spent[g, f] - given[g, f])
            out = min(rest, funds.carry_share[g, f] * max(0.0, in_hand - given[g, f])) if f + 1 < len(years) else 0.0
            rows.append(
                {
                    "fund_id": label,
                    "councils": councils[label],
                    "financial_year": year,
                    "carried_in_gbp": carried,
                    "allocated_gbp": funds.amount[g, f],
                    "granted_gbp": granted[g, f],
                    "transferred_in_gbp": taken[g, f],
                    "transferred_out_gbp": given[g, f],
                    "spent_gbp": spent[g, f],
                    "returned_gbp": rest - out,
                    "carried_out_gbp": out,
                }
            )
            carried = out
    return frame("funding", rows)


def transfers_table(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    """Money moved between funds."""
    transfers, moved = formulation.problem.transfers, _moved(formulation, solution)
    v, f = np.nonzero(moved)
    if transfers is None or not len(v):
        return frame("transfers", [])
    labels = np.array(formulation.problem.funds.labels, object)
    return pd.DataFrame(
        {
            "from_fund": labels[transfers.source[v]],
            "to_fund": labels[transfers.target[v]],
            "financial_year": np.array(formulation.appraisal.financial_years, object)[f],
            "amount_gbp": moved[v, f],
        }
    )


def _moved(formulation: Formulation, solution: Solution) -> Floats:
    """(V, F) transfers in GBP, no dust; what two funds give each other in a year is set off."""
    transfers, moved = formulation.problem.transfers, solution.beside.transfer
    moved = np.where(moved > 0.005, moved, 0.0)
    if transfers is None:
        return moved
    pairs = {pair: v for v, pair in enumerate(zip(transfers.source.tolist(), transfers.target.tolist(), strict=True))}
    for (source, target), v in pairs.items():
        back = pairs.get((target, source))
        if back is not None and back > v:
            both = np.minimum(moved[v], moved[back])
            moved[v] -= both
            moved[back] -= both
    return moved


def _granted(formulation: Formulation, solution: Solution) -> Floats:
    """(G, F) grants that funds receive with the projects that start."""
    problem = formulation.problem
    result = np.zeros_like(problem.funds.amount)
    if problem.grants is not None:
        fund = problem.grants.fund[problem.options.start_option]
        k = np.nonzero((fund >= 0) & (solution.decisions.start > 0))[0]
        np.add.at(result, fund[k], problem.grants.amount[k])
    return result


def _paid(solution: Solution) -> Floats:
    """(G, L, kinds, F) payments in GBP, no dust."""
    return np.where(solution.beside.payment > 0.005, solution.beside.payment, 0.0)


def payments_table(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    paid = _paid(solution)
    g, owner, kind, f = np.nonzero(paid)
    table = {
        "fund_id": np.array(formulation.problem.funds.labels, object)[g],
        "council_code": np.array(formulation.demand.councils, object)[owner],
        "kind": np.array(list(PROJECT_KINDS), object)[kind],
        "financial_year": np.array(formulation.appraisal.financial_years, object)[f],
        "amount_gbp": paid[g, owner, kind, f],
    }
    return pd.DataFrame(table) if len(g) else frame("payments", [])


def costs_table(
    formulation: Formulation, solution: Solution, stays: Stays, latent: Floats, places: Floats, limits: pd.DataFrame
) -> pd.DataFrame:
    """The objective line by line; each line's present value sums to the solution's cost."""
    case, problem = formulation.case, formulation.problem
    pools = len(formulation.pools)
    kind = np.append(formulation.pools["kind"].to_numpy(object), "unmet")[stays.pool]
    placed = stays.pool < pools
    state = np.isin(kind, list(STATE_KINDS))
    net = latent.sum(axis=(0, 1)) * case.assumptions.number("displacement.latent_net_cost")
    over = np.maximum(0.0, taken_of(formulation, stays) + latent.sum(axis=1) - places)
    weights = [(name, _weight_of(formulation, limits, rule), False, True) for rule, name in WEIGHT_LINES.items()]
    yearly: list[tuple[str, Floats, bool, bool]] = [
        ("state_places", stays.place[state] @ stays.pupils[state], True, True),
        ("independent_places", _line(stays.place, stays.pupils, placed & ~state & (kind != "unlocated_ap")), True, True),
        ("unlocated_ap_places", _line(stays.place, stays.pupils, kind == "unlocated_ap"), True, True),
        ("travel", _line(stays.travel, stays.pupils, placed), True, True),
        ("social", _line(stays.social, stays.pupils, placed), False, case.perspective == "social"),
        ("excess_travel_weight", _line(stays.excess, stays.pupils, placed), False, True),
        ("overcrowding_weight", case.assumptions.number("overcrowding.weight") * np.where(over > 1e-5, over, 0.0).sum(axis=0), False, True),
        ("unmet_weight", case.assumptions.number("unmet.weight") * stays.pupils[~placed].sum(axis=0), False, True),
        ("latent_net", net, False, True),
        ("latent_revenue", _latent_revenue(formulation, latent), True, False),
        ("outreach", reduction_gbp(case), True, True),
        *weights,
    ]
    rows = [
        {
            "item": item,
            "year": year,
            "gbp": float(amount),
            "present_value_gbp": float(amount * weight),
            "is_cash": cash,
            "in_objective": counts,
        }
        for item, amounts, cash, counts in yearly
        for year, amount, weight in zip(case.academic_years, amounts, problem.weight, strict=True)
    ]
    return frame("costs", rows + _capital_lines(formulation, solution))


WEIGHT_LINES = {"least_use": "least_use_weight", "border": "border_weight", "equity": "equity_weight"}
"""Rule of ``limits`` -> line of ``costs`` with the weight of its breaches."""


def _weight_of(formulation: Formulation, limits: pd.DataFrame, rule: str) -> Floats:
    """(T,) weight of the breaches of a rule by year, GBP; a floor over all years stands in the first."""
    case, weight = formulation.case, formulation.problem.weight
    value = limits[limits["rule"] == rule].groupby("academic_year")["weight_pv_gbp"].sum()
    by_year = value.reindex(list(case.academic_years)).fillna(0.0).to_numpy(float, copy=True)
    by_year[0] += float(value.get("all", 0.0))
    return by_year / weight


def _line(each: Floats, pupils: Floats, which: NDArray[np.bool_]) -> Floats:
    result: Floats = each[which] @ pupils[which]
    return result


def _latent_revenue(formulation: Formulation, latent: Floats) -> Floats:
    """(T,) what latent users' places cost above their place in mainstream, GBP a year."""
    extra = formulation.place_cost.T - formulation.case.assumptions.number("displacement.mainstream_cost")
    result: Floats = (latent * extra[:, :, None]).sum(axis=(0, 1))
    return result


def _capital_lines(formulation: Formulation, solution: Solution) -> list[dict[str, object]]:
    case, money = formulation.case, formulation.appraisal
    options, decisions = formulation.problem.options, solution.decisions
    spend = decisions.start @ options.fixed_spend + decisions.modules @ options.module_spend + decisions.stage @ options.stage_spend
    counts = case.perspective != "council"
    discount = money.discount(np.arange(len(money.financial_years)) + money.first_budget_year - money.first_year)
    lines: list[dict[str, object]] = [
        {
            "item": "capital",
            "year": year,
            "gbp": float(gbp),
            "present_value_gbp": float(gbp * factor),
            "is_cash": True,
            "in_objective": counts,
        }
        for year, gbp, factor in zip(money.financial_years, spend, discount, strict=True)
    ]
    credit = residual_credit(case, money, formulation.projects.iloc[options.start_option], options.start_opens)
    total = (
        decisions.start * options.fixed_spend.sum(axis=1)
        + decisions.modules * options.module_spend.sum(axis=1)
        + decisions.stage * options.stage_spend.sum(axis=1)
    )
    value = -float((total * credit).sum())
    end = float(money.discount(np.array(len(case.academic_years) + money.tail, float)))
    lines.append(
        {
            "item": "capital_credit",
            "year": financial_year(start_of(case.academic_years[-1])),
            "gbp": value / end,
            "present_value_gbp": value,
            "is_cash": True,
            "in_objective": counts,
        }
    )
    return lines + _own_capital(formulation, solution)


def _own_capital(formulation: Formulation, solution: Solution) -> list[dict[str, object]]:
    """What payments cost the council itself: its own capital and borrowing, in its own perspective alone."""
    cost = formulation.problem.funds.payment_cost
    if cost is None:
        return []
    paid = _paid(solution).sum(axis=(1, 2))
    return [
        {
            "item": "own_capital",
            "year": year,
            "gbp": float(paid[cost[:, f] > 0, f].sum()),
            "present_value_gbp": float((paid[:, f] * cost[:, f]).sum()),
            "is_cash": True,
            "in_objective": True,
        }
        for f, year in enumerate(formulation.appraisal.financial_years)
    ]
