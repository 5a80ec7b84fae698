"""An attacker who knows the rules: a linear programme over every figure that left, minimising and maximising each hidden count.

He is told more than leaves: the estimates that hidden counts enter totals as, the sums they rest on, and on which side of its limits the
hidden part of such a sum lies. What he can't do with that, nobody can do without it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from sufficiency.disclosure.rules import FEWEST_AVERAGED, NONE_BELOW, ROUNDED_TO, is_hidden, possible, rounded


@dataclass
class Attack:
    """Counts by name with the range that is known of each, and inequalities between them."""

    truth: dict[Hashable, float] = field(default_factory=dict)
    low: dict[Hashable, float] = field(default_factory=dict)
    high: dict[Hashable, float] = field(default_factory=dict)
    rows: list[tuple[dict[Hashable, float], float]] = field(default_factory=list)
    """Coefficients and the most that the sum can be."""
    kept_back: set[Hashable] = field(default_factory=set)

    def count(self, name: Hashable, truth: float, shown: float, *, kept_back: bool = False) -> None:
        """A count that left as ``shown`` (NaN = hidden). In a row whose counts are all kept back, any of them may be nought or large."""
        low, high = (0.0, np.inf) if kept_back else (float(end) for end in possible(shown))
        if kept_back:
            self.kept_back.add(name)
        self.truth[name] = float(truth)
        self.low[name] = max(low, self.low.get(name, 0.0))
        self.high[name] = min(high, self.high.get(name, np.inf))

    def at_most(self, coefficients: dict[Hashable, float], limit: float) -> None:
        if np.isfinite(limit):
            assert sum(factor * self.truth[name] for name, factor in coefficients.items()) <= limit + 1e-6, "the attacker is misinformed"
            self.rows.append((coefficients, limit))

    def between(self, low: float, coefficients: dict[Hashable, float], high: float) -> None:
        self.at_most(coefficients, high)
        self.at_most({name: -factor for name, factor in coefficients.items()}, -low)

    def equal(self, whole: Iterable[Hashable], parts: Iterable[Hashable]) -> None:
        """Counts that make the same sum."""
        sums: dict[Hashable, float] = {}
        for names, sign in ((whole, 1.0), (parts, -1.0)):
            for name in names:
                sums[name] = sums.get(name, 0.0) + sign
        self.between(0.0, sums, 0.0)

    def total(self, names: list[Hashable], shown: float, estimates: Mapping[Hashable, float], to: float = ROUNDED_TO) -> None:
        """A total that left as ``shown``: the figures shown and the estimates of hidden ones are known, fractions below a half are not."""
        if np.isnan(shown):
            return
        fractions = {name for name in names if self.truth[name] < NONE_BELOW and name not in self.kept_back}
        known = sum(estimates[name] for name in names if name not in fractions)
        self.between(shown - to / 2 - known, dict.fromkeys(fractions, 1.0), shown + to / 2 - known)

    def column(self, names: list[Hashable], shown: Mapping[Hashable, float]) -> None:
        """The sum that the average of a column's hidden counts rests on, to the nearest 10, and at which end its hidden part was held."""
        hidden = [name for name in names if np.isnan(shown[name])]
        large = [name for name in names if shown[name] > 0]
        number, part = len(hidden), sum(self.truth[name] for name in hidden)
        if number < FEWEST_AVERAGED:
            return
        fewest, most = number + 3.0, 4.0 * number - 3.0
        fixed, moving = (fewest, []) if part <= fewest else (most, []) if part >= most else (0.0, hidden)
        if part <= fewest:
            self.at_most(dict.fromkeys(hidden, 1.0), fewest)
        if part >= most:
            self.at_most(dict.fromkeys(hidden, -1.0), -most)
        total = float(rounded(sum(self.truth[name] for name in [*large, *moving]) + fixed, 10.0))
        self.between(total - 5.0 - fixed, dict.fromkeys([*large, *moving], 1.0), total + 5.0 - fixed)

    def hidden(self) -> list[Hashable]:
        return [name for name, truth in self.truth.items() if is_hidden(truth)]

    def range_of(self, wanted: Iterable[Hashable]) -> dict[Hashable, tuple[float, float]]:
        """Least and largest value of each count that is in keeping with all that left."""
        order = {name: place for place, name in enumerate(self.truth)}
        at = [(row, order[name], factor) for row, (coefficients, _) in enumerate(self.rows) for name, factor in coefficients.items()]
        rows, columns, factors = zip(*at, strict=True) if at else ((), (), ())
        matrix = csr_matrix((factors, (rows, columns)), shape=(len(self.rows), len(order)))
        limits = np.array([limit for _, limit in self.rows])
        bounds = [(self.low[name], None if np.isinf(self.high[name]) else self.high[name]) for name in order]
        found = {}
        for name in wanted:
            ends = []
            for sign in (1.0, -1.0):
                goal = np.zeros(len(order))
                goal[order[name]] = sign
                answer = linprog(goal, A_ub=matrix, b_ub=limits, bounds=bounds, method="highs")
                assert answer.status == 0, answer.message
                ends.append(sign * answer.fun)
            found[name] = (ends[0], ends[1])
        return found


def narrowed(ranges: dict[Hashable, tuple[float, float]]) -> dict[Hashable, tuple[float, float]]:
    """Ranges of hidden counts that are narrower than from 1 to 4."""
    return {name: (low, high) for name, (low, high) in ranges.items() if high - low < 3 - 1e-6}
