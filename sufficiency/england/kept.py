"""Solved worlds on disk: a run of an hour that was stopped goes on with the world it was at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solver.result import Solution, Termination
from solver.solution_arrays import solution_arrays, solution_from

Say = Callable[[str], None]


@dataclass(frozen=True)
class Kept:
    """A folder of solutions. ``made_with``: all that they follow from; those of anything else are solved anew."""

    folder: Path
    made_with: Mapping[str, Any]

    def solution(self, world: str, say: Say, solve: Callable[[], Solution]) -> Solution:
        """The world's solution: that of an earlier run with the same inputs, or solved now and kept. An interrupted one is not kept."""
        file = self.folder / f"{world}-{self._key()}.npz"
        if file.is_file():
            say(f"  as solved before: {file}")
            with np.load(file) as arrays:
                return solution_from({name: arrays[name] for name in arrays.files})
        solution = solve()
        if solution.termination != Termination.INTERRUPTED:
            self._write(file, solution)
        return solution

    def _write(self, file: Path, solution: Solution) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob(f"{file.stem.rsplit('-', 1)[0]}-*.npz"):
            old.unlink()
        work = file.with_suffix(".unfinished")
        with work.open("wb") as out:
            np.savez(out, allow_pickle=False, **solution_arrays(solution))
        work.replace(file)

    def _key(self) -> str:
        return hashlib.sha256(json.dumps(dict(self.made_with), sort_keys=True).encode()).hexdigest()[:16]
