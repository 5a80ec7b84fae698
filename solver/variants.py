"""The same problem with something else asked of it: other money, options kept, forced or forbidden, a sum of flows limited."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.pricing import flow_measures
from solver.problem import Bools, Floats, Ints, Problem
from solver.requirements import Measure, Measures, Pins
from solver.result import Decisions, Solution

BY_START = (
    "start_option", "start_year", "start_opens", "fixed_cost", "module_cost", "stage_cost", "fixed_spend", "module_spend", "stage_spend",
    "fill", "disrupted",
)  # fmt: skip
"""Arrays of options with an entry for each start."""


def plain_pins(problem: Problem) -> Pins:
    """The problem's pins, or pins that ask for nothing."""
    options = len(problem.options.labels)
    nothing = Pins(np.zeros(options, bool), np.zeros(options, np.int64), np.full(options, -1), np.zeros(options, np.int64))
    return problem.pins or nothing


def with_starts(problem: Problem, keep: Bools) -> Problem:
    """Only these starts (K,) are possible. Solutions of the result have their own starts: see ``lift``."""
    options = problem.options
    position = np.cumsum(keep) - 1
    committed = np.where(options.committed_start >= 0, np.append(position, -1)[np.maximum(options.committed_start, 0)], -1)
    if not keep[options.committed_start[options.committed_start >= 0]].all():
        raise ValueError("a committed start can't be left out")
    fewer = replace(options, committed_start=committed)
    for name in BY_START:
        if (value := getattr(options, name)) is not None:
            fewer = replace(fewer, **{name: value[keep]})
    return replace(
        problem,
        options=fewer,
        crews=None if problem.crews is None else replace(problem.crews, building=problem.crews.building[keep]),
        grants=None if problem.grants is None else replace(problem.grants, amount=problem.grants.amount[keep]),
    )


def lift(decisions: Decisions, keep: Bools) -> Decisions:
    """Decisions of a problem with fewer starts in the starts of the whole one."""

    def placed(values: Ints) -> Ints:
        result = np.zeros(len(keep), np.int64)
        result[keep] = values
        return result

    return Decisions(placed(decisions.start), placed(decisions.modules), placed(decisions.stage))


def lower(decisions: Decisions, keep: Bools) -> Decisions:
    """Decisions in the starts of a problem with fewer; those that are not possible any more fall away."""
    return Decisions(decisions.start[keep], decisions.modules[keep], decisions.stage[keep])


def keeping(problem: Problem, decisions: Decisions) -> tuple[Problem, Bools]:
    """All that is built stays, at the same time and no smaller; more may come. With the starts that remain possible."""
    options, pins = problem.options, plain_pins(problem)
    of_start = options.start_option
    built = np.zeros(len(options.labels), bool)
    built[of_start[decisions.start > 0]] = True
    modules = np.bincount(of_start, decisions.modules, len(options.labels)).astype(np.int64)
    staged = (options.max_stages > 1)[of_start]
    keep = (
        ~built[of_start]
        | (decisions.start > 0)
        | (decisions.stage > 0)
        | staged & (options.start_opens > _opens(problem, decisions)[of_start])
    )
    asked = replace(pins, must=pins.must | built, least_modules=np.maximum(pins.least_modules, modules))
    return with_starts(replace(problem, pins=asked), keep), keep


def _opens(problem: Problem, decisions: Decisions) -> Ints:
    """(J,) period in which a built option first opens, past the last for others."""
    options = problem.options
    opens = np.full(len(options.labels), len(problem.periods))
    begun = np.nonzero(decisions.start)[0]
    opens[options.start_option[begun]] = options.start_opens[begun]
    return opens


def forcing(problem: Problem, option: int) -> Problem:
    """The option has to be built."""
    pins = plain_pins(problem)
    must = pins.must.copy()
    must[option] = True
    return replace(problem, pins=replace(pins, must=must))


def forbidding(problem: Problem, options: Ints) -> tuple[Problem, Bools]:
    """None of these options may be built; committed ones stay. With the starts that remain possible."""
    pins = plain_pins(problem)
    mine = np.isin(np.arange(len(problem.options.labels)), options) & (problem.options.committed_start < 0)
    keep = ~mine[problem.options.start_option]
    free = replace(pins, must=pins.must & ~mine, least_modules=np.where(mine, 0, pins.least_modules))
    return with_starts(replace(problem, pins=free), keep), keep


def with_money(problem: Problem, extra: Floats) -> Problem:
    """``extra`` (G, F) more in the funds; none falls below nothing."""
    return replace(problem, funds=replace(problem.funds, amount=np.maximum(0.0, problem.funds.amount + extra)))


def limited(problem: Problem, measure: Measure, limit: float, breach_cost: float, label: str) -> Problem:
    """The sum of a measure over all origins is held to a limit."""
    share = problem.origin_weight[None, :]
    known = problem.measures or Measures((), (), np.zeros((0, share.shape[1])), np.zeros(0), np.zeros(0))
    return replace(
        problem,
        measures=Measures(
            (*known.labels, label),
            (*known.measure, measure),
            np.concatenate([known.weight, share]),
            np.append(known.limit, limit),
            np.append(known.breach_cost, breach_cost),
        ),
    )


def total(problem: Problem, measure: Measure, solution: Solution) -> float:
    """A measure summed over a solution's flows, each year by its weight in the objective, in the mean of the worlds."""
    alone = limited(replace(problem, measures=None), measure, 0.0, 0.0, "total")
    return float(flow_measures(alone, solution.flows)[0] @ solution.flows.amount)


def only(problem: Problem, measure: Measure, unit: float) -> Problem:
    """The problem whose cost is nothing but a measure, at ``unit`` money each. Limits and what their breach costs stay."""
    demand, pools, links, options, displacement = problem.demand, problem.pools, problem.links, problem.options, problem.displacement

    def free(array: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.zeros_like(array)

    without = replace(
        problem,
        constant=0.0,
        demand=replace(demand, unmet_cost=free(demand.unmet_cost)),
        pools=replace(pools, overflow_cost=0.0, unit_cost=free(pools.unit_cost)),
        links=replace(links, cost=free(links.cost), excess_cost=0.0),
        displacement=replace(displacement, latent_cost=0.0),
        options=replace(
            options, fixed_cost=free(options.fixed_cost), module_cost=free(options.module_cost), stage_cost=free(options.stage_cost)
        ),
        funds=replace(problem.funds, payment_cost=None),
    )
    return limited(without, measure, 0.0, unit, measure.value)
