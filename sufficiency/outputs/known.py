"""What a plan folder keeps for a changed request: prices, bound and held solutions as one file of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.known import NOTHING, Bound, Known
from solver.pricing import Prices
from solver.result import Beside, Decisions, Flows, Solution, Termination

Arrays = dict[str, NDArray[Any]]

MOST_FLOWS = 2_000_000
"""Flows of a solution beyond which its file would be slower to read than the solution to find."""


def write_known(known: Known, path: Path) -> None:
    """Write what is known; solutions with too many flows are left out."""
    arrays: Arrays = {"flows_key": np.array(known.flows_key)}
    for number, prices in enumerate(known.proof):
        arrays |= _named(f"proof/{number}", vars(prices))
    if known.bound is not None:
        arrays |= _named("bound", vars(known.bound))
    for key, one in known.held.items():
        if len(one.flows.amount) <= MOST_FLOWS:
            cost = {"cost": np.array([one.upper, one.lower]), "price": one.capacity_price}
            arrays |= _named(f"held/{key}", cost)
            arrays |= _named(f"held/{key}/flows", {name: _short(array) for name, array in vars(one.flows).items()})
            arrays |= _named(f"held/{key}/beside", vars(one.beside))
    np.savez_compressed(path, allow_pickle=False, **arrays)


def read_known(path: Path) -> Known:
    """What is known; nothing where there is no file."""
    if not path.is_file():
        return NOTHING
    with np.load(path, allow_pickle=False) as file:
        arrays: Arrays = {name: file[name] for name in file.files}
    bound = _part(arrays, "bound")
    proof = [Prices(**_part(arrays, f"proof/{number}")) for number in range(_count(arrays, "proof"))]
    keys = dict.fromkeys(name.split("/")[1] for name in arrays if name.startswith("held/"))
    return Known(
        tuple(proof),
        Bound(float(bound["value"]), str(bound["problem"]), tuple(bound["starts"].tolist()), bound["must"], bound["least_modules"])
        if bound
        else None,
        {key: _solution(arrays, f"held/{key}") for key in keys},
        str(arrays["flows_key"]),
    )


def _solution(arrays: Arrays, where: str) -> Solution:
    upper, lower = _part(arrays, where)["cost"].tolist()
    flows: Arrays = {name: _whole(array) for name, array in _part(arrays, f"{where}/flows").items()}
    none = np.zeros(0, np.int64)
    return Solution(
        termination=Termination.GAP_REACHED,
        upper=upper,
        lower=lower,
        decisions=Decisions(none, none, none),
        flows=Flows(**flows),
        beside=Beside(**_part(arrays, f"{where}/beside")),
        capacity_price=_part(arrays, where)["price"],
    )


def _named(where: str, values: Mapping[str, Any]) -> Arrays:
    return {f"{where}/{name}": np.asarray(value) for name, value in values.items()}


def _part(arrays: Arrays, where: str) -> Arrays:
    """The arrays right under a name."""
    return {name.rsplit("/", 1)[1]: array for name, array in arrays.items() if name.rsplit("/", 1)[0] == where}


def _count(arrays: Arrays, where: str) -> int:
    return len({name.split("/")[1] for name in arrays if name.startswith(f"{where}/")})


def _short(array: NDArray[Any]) -> NDArray[Any]:
    """Positions in half the space."""
    return array.astype(np.int32) if array.dtype.kind == "i" else array


def _whole(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.int64) if array.dtype.kind == "i" else array
