"""What a solve returns: how it ended, between which bounds, and the solution as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from solver.problem import Floats, Ints

if TYPE_CHECKING:
    from solver.pricing import Prices


class Termination(StrEnum):
    """How a solve ended. Only OPTIMAL claims an optimum (to 1e-6 of cost)."""

    OPTIMAL = "optimal"
    GAP_REACHED = "gap_reached"
    TIME_LIMIT = "time_limit"
    INTERRUPTED = "interrupted"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True)
class Flows:
    """Entrants by cell and pool: one row per (origin, class, period of entry, pool) with a positive amount.

    ``pool`` = number of pools stands for unmet.
    """

    origin: Ints
    cls: Ints
    entry: Ints
    pool: Ints
    amount: Floats


@dataclass(frozen=True)
class Decisions:
    """What is built and how it is paid, in the arrays' order of the problem."""

    start: Ints
    """(K,) 0 or 1"""
    modules: Ints
    """(K,)"""
    stage: Ints
    """(K,) 0 or 1"""


@dataclass(frozen=True)
class Beside:
    """What is decided beside options and flows."""

    overflow: Floats
    """(P, T) users above places"""
    latent: Floats
    """(P, H, T) users from beyond the demand in new pools"""
    shortfall: Floats
    """(P, T) users missing for the least use of new pools"""
    payment: Floats
    """(G, L, kinds, F)"""
    carried: Floats
    """(G, F)"""
    transfer: Floats
    """(V, F) money moved between funds"""
    over_quota: Floats
    """(L, groups, T) places above the quotas"""
    over_measure: Floats
    """(R,) by how much each measure is above its limit"""


@dataclass(frozen=True)
class Progress:
    """One line of the log: seconds since the start, best plan and proven bound so far."""

    seconds: float
    phase: str
    upper: float
    lower: float


class Abandoned(Exception):  # noqa: N818  (nothing went wrong)
    """Interrupted in a linear programme without which the search has no plan; what it has proven by then."""

    def __init__(self, lower: float = -float("inf"), log: tuple[Progress, ...] = (), proof: tuple[Prices, ...] = ()) -> None:
        super().__init__("interrupted before there was a plan")
        self.lower, self.log, self.proof = lower, log, proof


@dataclass(frozen=True)
class Solution:
    """A plan in arrays with its proof. Costs are present values in the problem's currency."""

    termination: Termination
    upper: float
    """Cost of this solution."""
    lower: float
    """No solution costs less."""
    decisions: Decisions
    flows: Flows
    beside: Beside
    capacity_price: Floats
    """(P, T) what one more place would save with the same options (dual of the linear programme of the flows)."""
    log: tuple[Progress, ...] = field(default=())
    prices: Prices | None = None
    """Prices of the bound, from which a changed problem is solved sooner; None when it was solved in one model."""

    proof: tuple[Prices, ...] = field(default=())
    """Prices of the cuts from which the bound follows; none when it was solved in one model."""

    @property
    def gap(self) -> float:
        """Share of the cost by which the solution may be above the best."""
        return max(0.0, self.upper - self.lower) / max(abs(self.upper), 1e-9)
