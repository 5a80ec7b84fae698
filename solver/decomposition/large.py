"""Plans and proofs for problems of hundreds of millions of arcs.

    prices    ascend on rough zones: a few hundred evaluations of what every cell would choose
    bound     evaluate those prices on all arcs, with an exact choice of options at them,
              then prices for whole packages of options (see ``packages``)
    plan      on finer zones: fill, then improve part by part, in packages and freely (see ``neighbourhoods``)
    flows     shared out from zones to origins: feasible, and at their true cost

Bound and plan are of the same problem: the bound's prices run through all arcs within reach, and the plan's cost is that
of the problem's own arcs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from solver.backends.protocol import Limits
from solver.decomposition.ascent import ascend, opened_places
from solver.decomposition.blocks import make_blocks
from solver.decomposition.greedy import placed_greedily
from solver.decomposition.master import Master, no_decisions
from solver.decomposition.neighbourhoods import Pace, filled, improved
from solver.decomposition.packages import Packages, raise_bound
from solver.decomposition.search import Budget, NoPlanError, Search, decisions_of, finished, options_with_cuts
from solver.decomposition.standing import Ground, Standing
from solver.decomposition.tasks import Run, run_here
from solver.decomposition.zones import Zoned, gathered, shared_out, zoned
from solver.formulation import MONEY, beside_flows, build_core
from solver.pricing import Prices, flow_costs, respond
from solver.problem import Problem
from solver.result import Decisions, Flows, Solution, Termination

PLAN_ARCS, ROUGH_ARCS = 160_000_000, 50_000_000
"""Most arcs of the zones on which plans are improved, and of those on which prices are found."""
STEPS, WARM_STEPS = 150, 60
LARGE_STEP, SMALL_STEP = 0.6, 0.2
RAISING = 0.35
"""Share of the time for raising the bound by packages."""
PRICE_BLOCKS = 1_000
ROW_DUST = 1e-4
"""Largest breach of a row, in pupils or GBP m, with which a plan is taken up."""


def decompose_large(
    problem: Problem,
    budget: Budget,
    *,
    known_flows: Sequence[Flows] = (),
    candidates: Sequence[Decisions] = (),
    fixed: Decisions | None = None,
    start: Solution | None = None,
    run: Run = run_here,
) -> Solution:
    """Solve with zones and parts. Arguments as of ``decompose``; ``start`` is an earlier solution whose plan and prices to begin from."""
    limits = Limits(gap=budget.gap, seconds=budget.seconds, threads=budget.threads, seed=budget.seed)
    blocks = make_blocks(problem, PRICE_BLOCKS)
    search = Search(problem, budget, blocks, Master(build_core(problem), blocks, limits))
    prices, favoured = _bound(search, fixed, start)
    coarse = zoned(problem, _zone_size(problem, PLAN_ARCS))
    ground = Ground(coarse.problem)
    pace = Pace(search.left, budget.threads, budget.seed, run, _noter(search), budget.interrupted)
    plan = _first_plan(ground, coarse, search, prices, pace, known_flows, candidates, fixed, start, favoured)
    if fixed is None:
        packages = Packages(search.master)
        packages.add(plan.x)
        search.upper = ground.upper(plan)
        prices = _raised(search, packages, prices, run)
        plan = improved(ground, plan, prices, pace, packages=packages, enough=lambda upper: upper - search.lower <= budget.gap * abs(upper))
    solution = _solution(search, ground, coarse, plan, prices)
    search.upper = solution.upper * MONEY
    search.note("flows")
    return finished(search, solution)


def _bound(search: Search, fixed: Decisions | None, start: Solution | None) -> tuple[Prices, Decisions | None]:
    """Good prices, what they prove on all arcs, and the options that they favour."""
    problem, budget = search.problem, search.budget
    rough = zoned(problem, _zone_size(problem, ROUGH_ARCS)).problem
    begin = None if start is None else start.prices
    found = ascend(
        rough,
        make_blocks(rough, PRICE_BLOCKS),
        steps=STEPS if begin is None else WARM_STEPS,
        fixed=fixed,
        begin=begin,
        first_step=LARGE_STEP if begin is None else SMALL_STEP,
        stop=budget.interrupted,
    ).prices
    value = float(respond(problem, search.blocks, found).value.sum()) * MONEY
    search.lower = search.master.core_dual(found, fixed).core_part + value
    search.note("prices")
    if fixed is None:
        _cut(search, found, value)
        options = options_with_cuts(search)
        search.lower = max(search.lower, options.bound)
        search.note("options")
        return found, None if options.x is None else decisions_of(search.master, options.x)
    return found, None


def _cut(search: Search, prices: Prices, value: float) -> None:
    search.master.cuts.append(search.master.cut(prices, value))
    search.proof.append(prices)


def _raised(search: Search, packages: Packages, prices: Prices, run: Run) -> Prices:
    """Raise the bound by whole packages for a share of the time; the prices that did."""
    problem, budget = search.problem, search.budget
    until = search.left() - RAISING * budget.seconds

    def note(lower: float) -> None:
        search.lower = max(search.lower, lower)
        search.note("packages")

    raised = raise_bound(
        packages,
        prices,
        zoned(problem, _zone_size(problem, ROUGH_ARCS)).problem,
        left=lambda: search.left() - until,
        threads=budget.threads,
        seed=budget.seed,
        interrupted=budget.interrupted,
        run=run,
        note=note,
        enough=lambda lower: search.upper - lower <= budget.gap * abs(search.upper),
    )
    search.proof.append(raised.prices)
    return raised.prices


def _first_plan(
    ground: Ground,
    coarse: Zoned,
    search: Search,
    prices: Prices,
    pace: Pace,
    known_flows: Sequence[Flows],
    candidates: Sequence[Decisions],
    fixed: Decisions | None,
    start: Solution | None,
    favoured: Decisions | None,
) -> Standing:
    """The cheapest of the known plans, its flows filled anew; where none fits, the favoured options. NoPlanError when they don't either."""
    limits = Limits(threads=search.budget.threads, seed=search.budget.seed)
    flows = [gathered(coarse, known) for known in known_flows]
    pairs = [(decisions, known) for decisions in ([fixed] if fixed else [no_decisions(ground.problem), *candidates]) for known in flows]
    if start is not None and fixed is None:
        pairs.insert(0, (start.decisions, gathered(coarse, start.flows)))
    plans = [plan for decisions, known in pairs if (plan := ground.settled(decisions, known, limits)) is not None]
    if not flows:
        for decisions in [fixed] if fixed else [no_decisions(ground.problem), *candidates]:
            plan = ground.settled(decisions, ground.nowhere(), limits)
            plans += [] if plan is None else [plan]
    if not plans and favoured is not None:
        # something is asked for that no known plan has
        plans = [plan for known in [*flows, ground.nowhere()] if (plan := ground.settled(favoured, known, limits)) is not None]
    if not plans:
        raise NoPlanError("no known choice of options and flows keeps every requirement")
    if start is not None and fixed is None:
        return min(plans, key=ground.upper)
    begun = [_waiting_placed(ground, plan, prices, limits) for plan in plans]
    return min((filled(ground, plan, prices, pace) for plan in begun), key=ground.upper)


def _waiting_placed(ground: Ground, plan: Standing, prices: Prices, limits: Limits) -> Standing:
    """The plan with those who wait placed where there is room, if that is cheaper."""
    activity = ground.arrays.matrix @ plan.x + plan.use
    room = (ground.arrays.row_upper - activity)[ground.core.capacity_row]
    flows = placed_greedily(ground.problem, plan.flows, room, prices, limits.seed)
    placed = ground.settled(ground.decisions(plan), flows, limits)
    return plan if placed is None else min(plan, placed, key=ground.upper)


def _solution(search: Search, ground: Ground, coarse: Zoned, plan: Standing, prices: Prices) -> Solution:
    """The plan on the problem's own arcs. RuntimeError when it breaks a row: a plan is never taken on trust."""
    breach = ground.breach(plan)
    if breach > ROW_DUST:
        raise RuntimeError(f"the plan breaks a row by {breach:g}")
    used = plan.flows.amount > 0
    flows = shared_out(search.problem, coarse, Flows(*(column[used] for column in vars(plan.flows).values())))
    flows = _in_open_pools(search.problem, ground.decisions(plan), flows)
    cost = float(flow_costs(search.problem, flows) @ flows.amount) * MONEY
    return Solution(
        termination=Termination.GAP_REACHED,
        upper=(ground.upper(plan) - plan.flow_cost + cost) / MONEY,
        lower=search.lower / MONEY,
        decisions=ground.decisions(plan),
        flows=flows,
        beside=beside_flows(ground.core, plan.x),
        capacity_price=np.maximum(0.0, prices.capacity),
        prices=prices,
    )


def _in_open_pools(problem: Problem, decisions: Decisions, flows: Flows) -> Flows:
    """Pools that hold nobody may have taken a solver's dust: it waits instead."""
    room = problem.pools.capacity + problem.pools.overflow_limit + opened_places(problem, decisions)
    closed = np.append(room.max(axis=1) <= 0, False)[flows.pool]
    return replace(flows, pool=np.where(closed, len(problem.pools.labels), flows.pool))


def _zone_size(problem: Problem, most_arcs: int) -> int:
    """Origins in a zone such that the zones have at most so many arcs."""
    return max(1, int(np.ceil(problem.arcs / most_arcs)))


def _noter(search: Search) -> Callable[[float], None]:
    def note(upper: float) -> None:
        search.upper = min(search.upper, upper)
        search.note("parts")

    return note
