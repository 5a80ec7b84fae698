"""What an earlier run leaves for a changed problem: a bound, prices, and solutions of held options that are the same there.

Everything is known by what it follows from, never by where it came from: a digest of the arrays. What fits is taken up, the rest is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from hashlib import blake2b

import numpy as np

from solver.pricing import Prices
from solver.problem import Bools, Ints, Problem
from solver.result import Decisions, Flows, Solution
from solver.variants import BY_START, lower, plain_pins, with_starts

MOST_PRICES = 24
"""Prices that are kept: the first, which fit all options, and the last."""
EXACT = 0.2
"""A held solution is known well enough within this share of the gap asked for."""


@dataclass(frozen=True)
class Bound:
    """No solution costs less than ``value``: in the problem it was proven for, and in any that only allows less."""

    value: float
    problem: str
    """Digest of all but starts and pins."""
    starts: tuple[str, ...]
    """Digests of the starts that were possible."""
    must: Bools
    least_modules: Ints

    def holds_in(self, problem: Problem) -> bool:
        """Whether the problem is that of the bound, or the same with fewer starts or more pins."""
        if _apart_from_starts(problem) != self.problem or not set(_starts(problem)) <= set(self.starts):
            return False
        pins = plain_pins(problem)
        return bool((pins.must >= self.must).all() and (pins.least_modules >= self.least_modules).all())


@dataclass(frozen=True)
class Known:
    """What is known of a problem from an earlier run of this or another one."""

    proof: tuple[Prices, ...] = ()
    """Prices from which a bound follows."""
    bound: Bound | None = None
    held: Mapping[str, Solution] = field(default_factory=dict)
    """Solutions of held options by ``held_key``; their own decisions are not kept."""
    flows_key: str = ""
    """Of the problems that these solutions' flows are flows of."""

    def lower(self, problem: Problem) -> float:
        """The bound where it holds in this problem, else minus infinity."""
        return self.bound.value if self.bound is not None and self.bound.holds_in(problem) else -np.inf

    def solution(self, problem: Problem, decisions: Decisions, gap: float) -> Solution | None:
        """The solution of these held options; None when it is unknown or less exact than ``gap`` asks for."""
        known = self.held.get(held_key(problem, decisions)) if self.held else None
        return None if known is None or known.gap > EXACT * gap else replace(known, decisions=decisions)

    def flows(self, problem: Problem) -> list[Flows]:
        """Flows of this problem, of whatever options."""
        return [one.flows for one in self.held.values()] if self.held and self.flows_key == _flows_key(problem) else []


NOTHING = Known()


def known_of(problem: Problem, bound: float, proof: Sequence[Prices], held: Sequence[tuple[Problem, Solution]]) -> Known:
    """What a run found out: a bound of the problem, and solutions, each with the problem in which its options were held."""
    pins = plain_pins(problem)
    proven = Bound(bound, _apart_from_starts(problem), tuple(_starts(problem)), pins.must, pins.least_modules)
    solutions = {held_key(where, solution.decisions): solution for where, solution in held}
    return Known((*proof[:1], *proof[1:][-MOST_PRICES + 1 :]), proven, solutions, _flows_key(problem))


def held_key(problem: Problem, decisions: Decisions) -> str:
    """Of what the cost and flows of held options follow from: all but starts that are not made, pins and crews."""
    made = (decisions.start > 0) | (decisions.stage > 0) | _committed(problem)
    held = with_starts(replace(problem, pins=None, crews=None), made)
    return _digest((held, lower(decisions, made)))


def _apart_from_starts(problem: Problem) -> str:
    pins = plain_pins(problem)
    return _digest((with_starts(replace(problem, pins=None), _committed(problem)), pins.bundle, pins.lag))


def _starts(problem: Problem) -> list[str]:
    """Of each start, all that the problem says of it."""
    arrays = [array for name in BY_START if name != "start_option" and (array := getattr(problem.options, name)) is not None]
    arrays += [problem.crews.building] if problem.crews else []
    arrays += [problem.grants.amount] if problem.grants else []
    labels = problem.options.labels
    return [_digest((labels[j], *(array[k] for array in arrays))) for k, j in enumerate(problem.options.start_option)]


def _flows_key(problem: Problem) -> str:
    """Of who there is and where they may go."""
    return _digest((problem.demand, problem.links, problem.pools.labels, problem.pools.accepts))


def _committed(problem: Problem) -> Bools:
    """(K,) starts of committed options."""
    result = np.zeros(len(problem.options.start_option), np.bool_)
    result[problem.options.committed_start[problem.options.committed_start >= 0]] = True
    return result


def _digest(value: object) -> str:
    digest = blake2b(digest_size=16)
    for part in _parts(value):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    """Everything that a value consists of, with names, types and shapes."""
    if isinstance(value, np.ndarray | np.generic):
        yield f"{value.dtype}{value.shape}".encode()
        yield value.tobytes()
    elif is_dataclass(value):
        for item in fields(value):
            yield item.name.encode()
            yield from _parts(getattr(value, item.name))
    elif isinstance(value, tuple):
        yield f"{len(value)}".encode()
        for item in value:
            yield from _parts(item)
    else:
        yield f"{value!r},".encode()
