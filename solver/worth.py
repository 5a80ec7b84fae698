"""What money is worth: further money for some owners, and its dual in the linear relaxation.

    purse    a further fund that some owners may spend, in one budget year
    dual     what one more unit in it saves in the linear relaxation, all of it for small problems, the core with the cuts found for others

A dual is the slope of a relaxation in which parts of options may be built. It says where money counts most; what money buys in
whole options only solving again says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits
from solver.check import core_with_cuts
from solver.direct import place_entrants
from solver.formulation import MONEY, build_core
from solver.linear_model import ModelArrays
from solver.pricing import Prices, all_arcs
from solver.problem import Bools, Floats, Ints, Problem


def with_purse(problem: Problem, label: str, owners: Bools, year: int, amount: float, *, grant: bool = True) -> Problem:
    """A further fund of these owners (L,): ``amount`` comes in budget year ``year``, what their funds may pay for it may pay for.

    It may be carried forward as theirs and stands outside rules on least shares. A ``grant`` costs nothing to pay; else a payment costs
    what it costs from the dearest of their funds. Owners without any fund may spend it on everything.
    """
    funds, shares = problem.funds, problem.shares
    able = np.any(funds.eligible, axis=0)
    able = np.where(np.any(able, axis=1)[:, None], able, True) & owners[:, None]
    money = np.zeros(len(problem.years))
    money[year] = amount
    theirs = np.any(funds.eligible[:, owners], axis=(1, 2))
    carry = funds.carry_share[theirs].max(axis=0) if theirs.any() else np.ones(len(problem.years))
    cost = funds.payment_cost
    if cost is not None:
        dearest = np.zeros(len(problem.years)) if grant or not theirs.any() else cost[theirs].max(axis=0)
        cost = np.vstack([cost, dearest])
    wider = replace(
        funds,
        labels=(*funds.labels, label),
        amount=np.vstack([funds.amount, money]),
        eligible=np.concatenate([funds.eligible, able[None]]),
        carry_share=np.vstack([funds.carry_share, carry]),
        payment_cost=cost,
    )
    if shares is not None:
        shares = replace(shares, funds=np.column_stack([shares.funds, np.zeros(len(shares.labels), bool)]))
    return replace(problem, funds=wider, shares=shares)


@dataclass(frozen=True)
class Relaxation:
    """Options and money, with all flows (small problems) or with the cuts that stand for them; money in millions."""

    problem: Problem
    arrays: ModelArrays
    balance: Ints
    """(G, F) row that holds what a fund has in hand."""
    carried: Ints
    """(G, F) row that limits what it carries forward."""


def relaxation(problem: Problem, proof: Sequence[Prices]) -> Relaxation:
    """``proof``: the prices of a bound of this problem, or of one that differs in money alone; none = every arc in one model."""
    core = build_core(problem)
    position = np.arange(core.model.row_count)
    if proof:
        arrays = core_with_cuts(problem, proof)
        kept = np.setdiff1d(position, core.coupling_rows())
        position = np.full(core.model.row_count, -1)
        position[kept] = np.arange(len(kept))
    else:
        place_entrants(core, all_arcs(problem))
        arrays = core.model.arrays()
    shape = problem.funds.amount.shape
    balance, carried = (position[core.model.rows[name]].reshape(shape) for name in ("fund_balance", "carry_limit"))
    # what follows from the budgets would hide what they are worth
    implied = position[core.model.rows.get("purse_ceiling", slice(0, 0))]
    upper = arrays.row_upper.copy()
    upper[implied] = np.inf
    return Relaxation(problem, replace(arrays, row_upper=upper), balance, carried)


def money_duals(relaxed: Relaxation, limits: Limits) -> Floats:
    """(G, F) what one more unit of money in each fund and budget year saves when parts of options may be built.

    Raises RuntimeError when the linear programme isn't solved in time.
    """
    found = HighsBackend().solve(relaxed.arrays, limits, relax=True)
    if found.row_dual is None:
        raise RuntimeError("the linear relaxation was not solved in time")
    # the amount stands on the right of both rows
    slope = found.row_dual[relaxed.balance] + relaxed.problem.funds.carry_share * found.row_dual[relaxed.carried]
    return np.maximum(0.0, -slope)


def bound_with(relaxed: Relaxation, extra: Floats, limits: Limits) -> float:
    """No solution costs less with ``extra`` (G, F) more in the funds: whole options, by the cuts; minus infinity when time is up."""
    lower, upper = relaxed.arrays.row_lower.copy(), relaxed.arrays.row_upper.copy()
    lower[relaxed.balance] += extra * MONEY
    upper[relaxed.balance] += extra * MONEY
    upper[relaxed.carried] += relaxed.problem.funds.carry_share * extra * MONEY
    return HighsBackend().solve(replace(relaxed.arrays, row_lower=lower, row_upper=upper), limits).bound / MONEY
