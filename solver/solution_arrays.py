"""A solution as plain named arrays, for a file, and back again exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.pricing import Prices
from solver.result import Beside, Decisions, Flows, Progress, Solution, Termination

Arrays = dict[str, NDArray[Any]]


def solution_arrays(solution: Solution) -> Arrays:
    """Everything that the solution holds."""
    ended = {"termination": str(solution.termination), "cost": [solution.upper, solution.lower], "price": solution.capacity_price}
    arrays = named("ended", ended)
    for name, values in (("decisions", solution.decisions), ("flows", solution.flows), ("beside", solution.beside)):
        arrays |= named(name, vars(values))
    arrays |= named("log", {name: [getattr(step, name) for step in solution.log] for name in ("seconds", "phase", "upper", "lower")})
    if solution.prices is not None:
        arrays |= named("prices", vars(solution.prices))
    for number, prices in enumerate(solution.proof):
        arrays |= named(f"proof/{number}", vars(prices))
    return arrays


def solution_from(arrays: Mapping[str, NDArray[Any]]) -> Solution:
    """The reverse of ``solution_arrays``."""
    ended, log, prices = (part(arrays, name) for name in ("ended", "log", "prices"))
    upper, lower = ended["cost"].tolist()
    steps = zip(*(log[name].tolist() for name in ("seconds", "phase", "upper", "lower")), strict=True)
    return Solution(
        termination=Termination(str(ended["termination"])),
        upper=upper,
        lower=lower,
        decisions=Decisions(**part(arrays, "decisions")),
        flows=Flows(**part(arrays, "flows")),
        beside=Beside(**part(arrays, "beside")),
        capacity_price=ended["price"],
        log=tuple(Progress(*step) for step in steps),
        prices=Prices(**prices) if prices else None,
        proof=proof_from(arrays),
    )


def proof_from(arrays: Mapping[str, NDArray[Any]]) -> tuple[Prices, ...]:
    """Prices of cuts kept under ``proof/`` by number."""
    count = len({name.split("/")[1] for name in arrays if name.startswith("proof/")})
    return tuple(Prices(**part(arrays, f"proof/{number}")) for number in range(count))


def named(where: str, values: Mapping[str, Any]) -> Arrays:
    """The values under a name."""
    return {f"{where}/{name}": np.asarray(value) for name, value in values.items()}


def part(arrays: Mapping[str, NDArray[Any]], where: str) -> Arrays:
    """The arrays right under a name."""
    return {name.rsplit("/", 1)[1]: arrays[name] for name in arrays if name.rsplit("/", 1)[0] == where}
