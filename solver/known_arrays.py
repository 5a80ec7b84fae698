"""What is known of a problem as plain named arrays, for a file, and back again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.known import NOTHING, Bound, Known
from solver.result import Beside, Decisions, Flows, Solution, Termination
from solver.solution_arrays import Arrays, named, part, proof_from

MOST_FLOWS = 2_000_000
"""Flows of a solution beyond which its file would be slower to read than the solution to find."""


def known_arrays(known: Known) -> Arrays:
    """What is known, nothing where there is no bound; solutions with too many flows are left out."""
    if known.bound is None:
        return {}
    arrays: Arrays = {"flows_key": np.array(known.flows_key)}
    for number, prices in enumerate(known.proof):
        arrays |= named(f"proof/{number}", vars(prices))
    arrays |= named("bound", vars(known.bound))
    for key, one in known.held.items():
        if len(one.flows.amount) <= MOST_FLOWS:
            cost = {"cost": np.array([one.upper, one.lower]), "price": one.capacity_price}
            arrays |= named(f"held/{key}", cost)
            arrays |= named(f"held/{key}/flows", {name: _short(array) for name, array in vars(one.flows).items()})
            arrays |= named(f"held/{key}/beside", vars(one.beside))
    return arrays


def known_from(arrays: Mapping[str, NDArray[Any]]) -> Known:
    """The reverse of ``known_arrays``."""
    if not arrays:
        return NOTHING
    bound = part(arrays, "bound")
    keys = dict.fromkeys(name.split("/")[1] for name in arrays if name.startswith("held/"))
    return Known(
        proof_from(arrays),
        Bound(float(bound["value"]), str(bound["problem"]), tuple(bound["starts"].tolist()), bound["must"], bound["least_modules"]),
        {key: _solution(arrays, f"held/{key}") for key in keys},
        str(arrays["flows_key"]),
    )


def _solution(arrays: Mapping[str, NDArray[Any]], where: str) -> Solution:
    upper, lower = part(arrays, where)["cost"].tolist()
    flows: Arrays = {name: _whole(array) for name, array in part(arrays, f"{where}/flows").items()}
    none = np.zeros(0, np.int64)
    return Solution(
        termination=Termination.GAP_REACHED,
        upper=upper,
        lower=lower,
        decisions=Decisions(none, none, none),
        flows=Flows(**flows),
        beside=Beside(**part(arrays, f"{where}/beside")),
        capacity_price=part(arrays, where)["price"],
    )


def _short(array: NDArray[Any]) -> NDArray[Any]:
    """Positions in half the space."""
    return array.astype(np.int32) if array.dtype.kind == "i" else array


def _whole(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.int64) if array.dtype.kind == "i" else array
