"""What is paid, by whom: payments, carry-forward, transfers, grants and least shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from solver.families.options import MONEY
from solver.linear_model import INFINITY, LinearModel
from solver.problem import Floats, Ints, Problem


@dataclass(frozen=True)
class MoneyColumns:
    """Columns of money, in millions."""

    payment: Ints
    """(G, L, kinds, F) column or -1."""
    carried: Ints
    """(G, F)"""
    returned: Ints
    """(G, F)"""
    transfer: Ints
    """(V, F)"""


@dataclass(frozen=True)
class Purses:
    """Owners and funds that share money."""

    of_owner: Ints
    of_fund: Ints
    """-1 = a fund that nobody may use"""
    cumulated: Floats
    """(purses, F) GBP received up to and with a year"""


def purses(problem: Problem) -> Purses:
    """Owners tied by funds that several may use, or by transfers between funds."""
    owners = len(problem.owners)
    shares = problem.funds.eligible.any(axis=2).astype(float)
    if problem.transfers is not None:
        # money that may move is as good as shared
        for source, target in zip(problem.transfers.source, problem.transfers.target, strict=True):
            shares[source] = np.maximum(shares[source], shares[target])
    count, label = connected_components(sparse.csr_matrix(shares.T @ shares + np.eye(owners)), directed=False)
    yearly = np.zeros((count, len(problem.years)))
    of_fund = np.full(len(shares), -1)
    for fund, amount in enumerate(problem.funds.amount):
        members = np.nonzero(shares[fund] > 0)[0]
        if len(members):
            of_fund[fund] = label[members[0]]
            yearly[label[members[0]]] += amount
    return Purses(label.astype(np.int64), of_fund, np.cumsum(yearly, axis=1))


def money_columns(problem: Problem, model: LinearModel) -> MoneyColumns:
    """payment[g, l, kind, f], carried[g, f], returned[g, f] and transfer[v, f]."""
    options, funds = problem.options, problem.funds
    eligible = funds.eligible
    used = np.zeros(eligible.shape[1:], bool)
    used[options.owner, options.kind] = True
    shape = (*eligible.shape, len(problem.years))
    payment = np.full(shape, -1)
    where = np.broadcast_to((eligible & used)[..., None], shape)
    cost = np.zeros(shape) if funds.payment_cost is None else np.broadcast_to(funds.payment_cost[:, None, None, :], shape)
    payment[where] = model.add_columns("payment", int(where.sum()), cost=cost[where])
    carried = model.add_columns("carried", funds.amount.size).reshape(funds.amount.shape)
    returned = model.add_columns("returned", funds.amount.size).reshape(funds.amount.shape)
    limit = np.zeros((0, len(problem.years))) if problem.transfers is None else problem.transfers.limit
    upper = np.where(np.isfinite(limit), limit * MONEY, INFINITY)
    transfer = model.add_columns("transfer", limit.size, upper=upper.ravel()).reshape(limit.shape)
    return MoneyColumns(payment, carried, returned, transfer)


def spending(problem: Problem, model: LinearModel, start: Ints, modules: Ints, stage: Ints, payment: Ints) -> None:
    """Spending on an owner's options of a kind in a year = payments of the funds that may pay for it."""
    options = problem.options
    j = options.start_option
    shape = payment.shape[1:]
    rows = model.add_rows("spending", int(np.prod(shape)), lower=0.0, upper=0.0).reshape(shape)
    row = rows[options.owner[j], options.kind[j]]
    model.add_entries(row, start[:, None], options.fixed_spend * MONEY)
    model.add_entries(row, modules[:, None], options.module_spend * MONEY)
    staged = np.nonzero(stage >= 0)[0]
    model.add_entries(row[staged], stage[staged, None], options.stage_spend[staged] * MONEY)
    where = payment >= 0
    model.add_entries(np.broadcast_to(rows, payment.shape)[where], payment[where], -1.0)


def fund_balance(problem: Problem, model: LinearModel, start: Ints, columns: MoneyColumns) -> None:
    """In hand = payments + given + returned + carried out; carried out <= share x (in hand - given).

    In hand = carried in + amount + grants of started options + taken from other funds.
    """
    funds, payment, carried = problem.funds, columns.payment, columns.carried
    amount = funds.amount * MONEY
    balance = model.add_rows("fund_balance", amount.size, lower=amount.ravel(), upper=amount.ravel()).reshape(amount.shape)
    limit = model.add_rows("carry_limit", amount.size, upper=(funds.carry_share * amount).ravel()).reshape(amount.shape)
    model.add_entries(balance, carried, 1.0)
    model.add_entries(balance, columns.returned, 1.0)
    model.add_entries(balance[:, 1:], carried[:, :-1], -1.0)
    model.add_entries(limit, carried, 1.0)
    model.add_entries(limit[:, 1:], carried[:, :-1], -funds.carry_share[:, 1:])
    where = payment >= 0
    rows = np.broadcast_to(balance[:, None, None, :], payment.shape)
    model.add_entries(rows[where], payment[where], 1.0)
    if problem.transfers is not None:
        source, target = problem.transfers.source, problem.transfers.target
        model.add_entries(balance[source], columns.transfer, 1.0)
        model.add_entries(balance[target], columns.transfer, -1.0)
        model.add_entries(limit[target], columns.transfer, -funds.carry_share[target])
        model.add_entries(limit[source], columns.transfer, funds.carry_share[source])  # what is passed in a circle is in nobody's hand
    if problem.grants is not None:
        k = np.nonzero(problem.grants.fund[problem.options.start_option] >= 0)[0]
        fund = problem.grants.fund[problem.options.start_option[k]]
        granted = problem.grants.amount[k] * MONEY
        model.add_entries(balance[fund], start[k, None], -granted)
        model.add_entries(limit[fund], start[k, None], -funds.carry_share[fund] * granted)


def purse_ceilings(problem: Problem, model: LinearModel, start: Ints, modules: Ints, stage: Ints) -> None:
    """What a purse has spent by the end of a year <= what its funds have received by then, grants included.

    Follows from the other rows; stated in whole decisions alone, it lets a solver see the knapsack that it is.
    """
    options = problem.options
    purse = purses(problem)
    j = options.start_option
    used = np.unique(purse.of_owner[options.owner[j]])
    ceiling = purse.cumulated[used] * MONEY
    rows = model.add_rows("purse_ceiling", ceiling.size, upper=ceiling.ravel()).reshape(ceiling.shape)
    row = rows[np.searchsorted(used, purse.of_owner[options.owner[j]])]
    model.add_entries(row, start[:, None], options.fixed_spend.cumsum(axis=1) * MONEY)
    model.add_entries(row, modules[:, None], options.module_spend.cumsum(axis=1) * MONEY)
    staged = np.nonzero(stage >= 0)[0]
    model.add_entries(row[staged], stage[staged, None], options.stage_spend[staged].cumsum(axis=1) * MONEY)
    if problem.grants is not None:
        fund = problem.grants.fund[j]
        home = np.where(fund >= 0, purse.of_fund[fund], -1)
        k = np.nonzero(np.isin(home, used) & (home >= 0))[0]
        model.add_entries(rows[np.searchsorted(used, home[k])], start[k, None], -problem.grants.amount[k].cumsum(axis=1) * MONEY)


def least_shares(problem: Problem, model: LinearModel, payment: Ints) -> None:
    """Payments for some kinds >= amount + share x all payments of the same funds and owners, over all years."""
    if problem.shares is None:
        return
    shares = problem.shares
    rows = model.add_rows("least_share", len(shares.labels), lower=shares.amount * MONEY)
    for s, row in enumerate(rows):
        part = payment[np.ix_(shares.funds[s], shares.owners[s])]
        model.add_entries(row, part[part >= 0], -shares.share[s])
        counted = part[:, :, shares.kinds[s]]
        model.add_entries(row, counted[counted >= 0], 1.0)
