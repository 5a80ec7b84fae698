"""Money by fund and financial year: what funds hold, what may move between them, what has to be spent on what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import Funds
from solver.requirements import Shares, Transfers
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import Appraisal, borrowing_cost
from sufficiency.terms import PROJECT_KINDS, split_codes

Floats = NDArray[np.float64]


def funds_of(case: Case, demand: DemandClasses, money: Appraisal) -> Funds:
    """Amounts, ring-fences and carry-forward of every fund; in the council's perspective what a payment costs it."""
    labels = sorted(case.funds["fund_id"].unique())
    kinds = list(PROJECT_KINDS)
    amount = np.zeros((len(labels), len(money.financial_years)))
    carry = np.ones_like(amount)
    eligible = np.zeros((len(labels), len(demand.councils), len(kinds)), bool)
    for g, label in enumerate(labels):
        rows = case.funds[case.funds["fund_id"] == label].sort_values("financial_year")
        carry[g] = rows["carry_forward_share"].iloc[-1]
        for row in rows.itertuples():
            f = money.financial_years.index(row.financial_year)
            amount[g, f] += row.amount_gbp
            carry[g, f] = row.carry_forward_share
        named = kinds if "any" in split_codes(rows["eligible_kinds"].iloc[0]) else split_codes(rows["eligible_kinds"].iloc[0])
        for council in split_codes(rows["councils"].iloc[0]):
            if council in demand.councils:
                eligible[g, demand.councils.index(council), [kinds.index(kind) for kind in named]] = True
    cost = payment_cost(case, labels, money) if case.perspective == "council" else None
    return Funds(tuple(labels), amount, eligible, carry, cost)


def payment_cost(case: Case, labels: list[str], money: Appraisal) -> Floats:
    """(G, F) present value to the council of one pound paid by a fund: grants are free, its own capital and borrowing are not."""
    about = case.funds.drop_duplicates("fund_id").set_index("fund_id").reindex(labels)
    budget = np.arange(len(money.financial_years)) + money.first_budget_year - money.first_year
    result = np.zeros((len(labels), len(money.financial_years)))
    for g, (kind, rate, term) in enumerate(zip(about["kind"], about["interest_rate"], about["term_years"], strict=True)):
        if kind == "borrowing":
            result[g] = borrowing_cost(case, money, float(rate), int(term))
        elif kind == "council":
            result[g] = money.discount(budget)
    return result


def transfers_of(case: Case, funds: tuple[str, ...], money: Appraisal) -> Transfers | None:
    """Virement and pooling: most that may move from fund to fund in each year."""
    if case.transfers.empty:
        return None
    pairs = case.transfers[["from_fund", "to_fund"]].drop_duplicates().reset_index(drop=True)
    limit = np.zeros((len(pairs), len(money.financial_years)))
    at = pd.MultiIndex.from_frame(pairs)
    general = case.transfers["financial_year"] == "any"
    for rows in (case.transfers[general], case.transfers[~general]):  # a year's own row counts before the one for any year
        records: Iterable[Any] = rows.itertuples(index=False)
        for row in records:
            v = at.get_loc((row.from_fund, row.to_fund))
            years = slice(None) if row.financial_year == "any" else money.financial_years.index(row.financial_year)
            limit[v, years] = np.inf if pd.isna(row.limit_gbp) else row.limit_gbp
    index = pd.Index(funds)
    source, target = (index.get_indexer(pd.Index(pairs[name])).astype(np.int64) for name in ("from_fund", "to_fund"))
    return Transfers(source, target, limit)


def shares_of(case: Case, demand: DemandClasses, funds: tuple[str, ...]) -> Shares | None:
    """Least payments for some kinds of project."""
    rules = case.shares
    if rules.empty:
        return None

    def named(column: str, among: list[str]) -> NDArray[np.bool_]:
        return np.array([[cell == "any" or name in split_codes(cell) for name in among] for cell in rules[column]], bool)

    return Shares(
        labels=tuple(rules["label"]),
        funds=named("funds", list(funds)),
        kinds=named("kinds", list(PROJECT_KINDS)),
        owners=named("councils", list(demand.councils)),
        share=rules["share"].to_numpy(float),
        amount=rules["amount_gbp"].to_numpy(float),
    )
