"""Cutting the cells into blocks: fine enough to converge fast, coarse enough for a small linear programme."""

from __future__ import annotations

import numpy as np

from solver.pricing import Blocks
from solver.problem import Bools, Problem


def make_blocks(problem: Problem, target: int) -> Blocks:
    """About ``target`` blocks: each holds one class at consecutive origins of one owner.

    Origins that follow each other in the caller's order should be neighbours, so that a block's
    cells want the same pools.
    """
    demand = problem.demand
    present: Bools = np.logical_or.reduce(demand.entrants > 0, axis=2)
    wanted = np.logical_or.reduce(present, axis=0)
    owners = demand.origin_owner
    size = max(1, round(len(owners) * int(wanted.sum()) / max(target, 1)))
    owner, cls, origin, start = [], [], [], [0]
    for holder in range(len(problem.owners)):
        mine = np.nonzero(owners == holder)[0]
        clusters = np.array_split(mine, max(1, round(len(mine) / size)))
        for c in np.nonzero(wanted)[0]:
            for cluster in clusters:
                cells = cluster[present[cluster, c]]
                if len(cells):
                    owner.append(holder)
                    cls.append(int(c))
                    origin.append(cells)
                    start.append(start[-1] + len(cells))
    joined = np.concatenate(origin) if origin else np.zeros(0, np.int64)
    return Blocks(np.array(owner, np.int64), np.array(cls, np.int64), np.array(start, np.int64), joined.astype(np.int64))
