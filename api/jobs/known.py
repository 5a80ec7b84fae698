"""The best plan known while a search goes on, in files of its own, so that it outlives the process that searches."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from solver.backends.protocol import Limits
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import Master
from solver.formulation import MONEY, build_core
from solver.pricing import no_prices, respond
from solver.problem import Problem
from sufficiency.case import Case
from sufficiency.formulate import formulate, with_floor
from sufficiency.plan import Plan
from sufficiency.request import PlanRequest
from sufficiency.workflow import Clock, SolvedWorlds, plan_of_worlds


class Known:
    """Solved worlds and a bound in a folder that only the service writes."""

    def __init__(self, folder: Path) -> None:
        self._worlds, self._bound = folder / "known.pickle", folder / "bound.json"

    def keep(self, worlds: SolvedWorlds) -> None:
        """Keep these in place of what is there; a kill meanwhile leaves the one or the other."""
        new = self._worlds.with_suffix(".new")
        with new.open("wb") as file:
            pickle.dump(replace(worlds, searched=None), file, pickle.HIGHEST_PROTOCOL)
        new.replace(self._worlds)

    def bound(self, lower: float) -> None:
        """Keep what the search has proven: no plan costs less."""
        new = self._bound.with_suffix(".new")
        new.write_text(json.dumps(lower), encoding="utf-8")
        new.replace(self._bound)

    def plan(self, case: Case, request: PlanRequest, inputs: dict[str, str], progress: Callable[[str], None]) -> Plan:
        """The plan that is kept, with nothing sought any more."""
        began, case = Clock(), request.applied_to(case)
        with self._worlds.open("rb") as file:
            worlds: SolvedWorlds = pickle.load(file)
        progress("Formulating")
        formulation = with_floor(formulate(case, request.scenario), worlds.counterfactual.flows)
        told = json.loads(self._bound.read_text(encoding="utf-8")) if self._bound.exists() else -math.inf
        lower = max(worlds.plan.lower, told)
        if lower == -math.inf:
            lower = at_least(formulation.problem)
        worlds = replace(worlds, plan=replace(worlds.plan, lower=min(lower, worlds.plan.upper)))
        return plan_of_worlds(formulation, request, worlds, began, inputs=inputs, progress=progress, interrupted=lambda: True)


def at_least(problem: Problem) -> float:
    """No plan costs less, GBP: everyone where it is cheapest, as if room were free."""
    blocks, free = make_blocks(problem, 1), no_prices(problem)
    core = Master(build_core(problem), blocks, Limits()).core_dual(free).core_part
    return (core + float(respond(problem, blocks, free).value.sum()) * MONEY) / MONEY
