"""Solved worlds on disk: a run of an hour that was stopped goes on with the world it was at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solver.result import Solution, Termination
from solver.solution_arrays import solution_arrays, solution_from
from sufficiency.workflow import Clock

Say = Callable[[str], None]

SPENT = "spent"
"""Name in a file of the wall and processor seconds that its solution took."""


@dataclass(frozen=True)
class Kept:
    """A folder of solutions. ``made_with``: all that they follow from; those of anything else are solved anew.

    ``clock`` counts what a solution took in an earlier run as well.
    """

    folder: Path
    made_with: Mapping[str, Any]
    clock: Clock

    def solution(self, world: str, before: Sequence[Solution], say: Say, solve: Callable[[], Solution]) -> Solution:
        """The world's solution: that of an earlier run with the same inputs and worlds ``before``, or solved now and kept.

        An interrupted one is not kept.
        """
        file = self.folder / f"{world}-{self._key(before)}.npz"
        if file.is_file():
            say(f"  as solved before: {file}")
            with np.load(file) as arrays:
                self.clock.add(*arrays[SPENT].tolist())
                return solution_from({name: arrays[name] for name in arrays.files if name != SPENT})
        clock = Clock()
        solution = solve()
        if solution.termination != Termination.INTERRUPTED:
            self._write(world, file, solution, clock.spent())
        return solution

    def _write(self, world: str, file: Path, solution: Solution, spent: tuple[float, float]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        work = file.with_suffix(".unfinished")
        with work.open("wb") as out:
            np.savez(out, allow_pickle=False, **solution_arrays(solution), **{SPENT: np.array(spent)})
        work.replace(file)
        for old in set(self.folder.glob(f"{world}-*.npz")) - {file}:
            old.unlink()

    def _key(self, before: Sequence[Solution]) -> str:
        follows_from = {**self.made_with, "before": [one.upper for one in before]}
        return hashlib.sha256(json.dumps(follows_from, sort_keys=True).encode()).hexdigest()[:16]
