"""Money by fund and financial year."""

from __future__ import annotations

import numpy as np

from solver.problem import Funds
from sufficiency.case import Case
from sufficiency.demand_classes import DemandClasses
from sufficiency.finance import Appraisal
from sufficiency.terms import PROJECT_KINDS, split_codes


def funds_of(case: Case, demand: DemandClasses, money: Appraisal) -> Funds:
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
    return Funds(tuple(labels), amount, eligible, carry)
