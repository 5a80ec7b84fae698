"""What a plan has to respect beyond places, money and displacement. Every part is optional: a problem without it has None there.

Limits on flows (viability, quotas, measures) are elastic at a stated cost, so that a plan always exists and a breach
can be seen and explained. Limits on options and money are hard: see ``conflicts`` for what clashes.
Letters are those of ``problem``: J options, K starts, F budget years, G funds, L owners, P pools, Z origins, T periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Pins:
    """What the caller insists on. Options that must not be built, or not before a year, simply have no such starts."""

    must: Bools
    """(J,) whether the option has to be built."""
    least_modules: Ints
    """(J,) modules it has to reach, 0 = none asked."""
    bundle: Ints
    """(J,) options of a bundle are built all or none; -1 = in no bundle."""
    lag: Ints
    """(J,) periods by which the prerequisite has to open before the option does."""


@dataclass(frozen=True)
class Crews:
    """How many options an owner can have under construction at a time."""

    building: Bools
    """(K, F) whether a start is under construction in a budget year."""
    limit: Floats
    """(L, F) most at a time; infinite = no limit. Owners of the first world."""


@dataclass(frozen=True)
class Viability:
    """Least use of new pools once they have had time to fill."""

    least: Floats
    """(J,) users below which the option is not worth running."""
    share: Floats
    """(J,) least share of its open places in use."""
    settle: Ints
    """(J,) periods after opening before either holds."""
    breach_cost: float
    """Cost of one missing user for one period."""


@dataclass(frozen=True)
class Transfers:
    """Money that may move from one fund to another (virement, pooling)."""

    source: Ints
    """(V,) fund that gives."""
    target: Ints
    """(V,) fund that takes."""
    limit: Floats
    """(V, F) most in a year; infinite = what it holds."""


@dataclass(frozen=True)
class Shares:
    """Least payments for some kinds of option, over all years: ``paid for kinds >= amount + share x all paid by the funds``."""

    labels: tuple[str, ...]
    funds: Bools
    """(S, G)"""
    kinds: Bools
    """(S, kinds)"""
    owners: Bools
    """(S, L)"""
    share: Floats
    """(S,)"""
    amount: Floats
    """(S,)"""


@dataclass(frozen=True)
class Grants:
    """Money that comes with an option (a per-place sum instead of a school, a contribution tied to a site)."""

    fund: Ints
    """(J,) fund that receives it, -1 = none."""
    amount: Floats
    """(K, F) received when the start is made."""


@dataclass(frozen=True)
class Quotas:
    """Most places that an owner's users may take in a group of pools."""

    pool_group: Ints
    """(P,) group of each pool, -1 = not counted."""
    limit: Floats
    """(L, groups, T) places; infinite = no limit."""
    breach_cost: float
    """Cost of one place above it for one period."""


class Measure(StrEnum):
    """What a limit on flows adds up, each year by its weight in the objective."""

    UNMET = "unmet"
    """Users without a place."""
    OUTSIDE = "outside"
    """Users of OUTSIDE pools."""
    MINUTES = "minutes"
    """Minutes of journey of those placed."""


@dataclass(frozen=True)
class Measures:
    """Limits on weighted sums of flows: totals (every origin 1) and fair shares (a group's own weight against the average)."""

    labels: tuple[str, ...]
    measure: tuple[Measure, ...]
    weight: Floats
    """(R, Z)"""
    limit: Floats
    """(R,)"""
    breach_cost: Floats
    """(R,) cost of one unit above it."""


@dataclass(frozen=True)
class Worlds:
    """Several futures that share options and funds.

    Origins, pools and owners of the problem are laid out world by world: origin ``z`` of world ``w`` stands at ``w x Z / W + z``.
    Options name pools and owners of the first world and act in every one.
    """

    labels: tuple[str, ...]
    weight: Floats
    """(W,) probability."""

    def copies(self, index: Ints, size: int) -> Ints:
        """(W, n) positions of these entries of the first world in each of the worlds; ``size`` is that of all worlds together."""
        step = size // len(self.labels)
        result: Ints = np.asarray(index)[None, :] + step * np.arange(len(self.labels))[:, None]
        return result
