"""Plans and proofs for problems of hundreds of millions of arcs.

    prices    ascend on rough zones, then on finer ones: a few hundred evaluations of what every cell would choose
    bound     evaluate those prices on all arcs, with an exact choice of options at them,
              then prices for whole packages of options (see ``packages``)
    plan      the options that prices and packages favour, valued on the finer zones: prices with them held, then flows
              year by year (see ``yearly``); then better part by part, in packages and freely (see ``neighbourhoods``)
    flows     year by year on all arcs, or shared out from zones to origins where that is cheaper

Bound and plan are of the same problem: the bound's prices run through all arcs within reach, and the plan's cost is that
of the problem's own arcs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from solver.backends.protocol import Limits
from solver.decomposition.ascent import ascend, opened_places
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import Master, no_decisions
from solver.decomposition.neighbourhoods import Pace, filled, improved, mended
from solver.decomposition.packages import Packages, raise_bound
from solver.decomposition.search import Budget, NoPlanError, Search, decisions_of, finished, options_with_cuts
from solver.decomposition.standing import Ground, Standing
from solver.decomposition.tasks import Run, run_here
from solver.decomposition.yearly import flows_by_year
from solver.decomposition.zones import Zoned, gathered, shared_out, zoned
from solver.formulation import MONEY, beside_flows, build_core
from solver.pricing import Blocks, Prices, flow_costs, respond
from solver.problem import Problem
from solver.result import Decisions, Flows, Solution, Termination

PLAN_ARCS, ROUGH_ARCS = 160_000_000, 50_000_000
"""Most arcs of the zones on which plans are improved, and of those on which prices are found."""
STEPS, WARM_STEPS, FINER_STEPS = 400, 150, 60
"""Price steps on rough zones, from nothing and from known prices, and then on finer zones."""
HELD_STEPS, ALL_STEPS = 150, 30
"""Price steps for flows of held options, on zones and on all arcs."""
LARGE_STEP, SMALL_STEP, LEAST_STEP = 0.6, 0.3, 0.05
RAISING, LAST = 0.35, 0.15
"""Shares of the time for raising the bound by packages, and for the flows on all arcs."""
PRICE_BLOCKS = 1_000
GOOD_FLOWS = 0.005
"""Gap of held options from which their flows are filled by linear programmes as well."""
ALL_ARCS = 400_000_000
"""Up to so many arcs flows are sought on all of them at the end."""
ROW_DUST = 1e-4
"""Largest breach of a row, in pupils or GBP m, with which a plan is taken up."""


@dataclass(frozen=True)
class _Zones:
    """The zones on which plans are made."""

    coarse: Zoned
    ground: Ground
    blocks: Blocks
    search: Search
    limits: Limits
    known_flows: Sequence[Flows]
    """Flows that are feasible whatever is built, and the same of zones."""
    known: Sequence[Flows]
    pace: Pace

    def valued(self, decisions: Decisions, prices: Prices) -> Standing | None:
        """A plan with these decisions, its flows at good prices for them; None when they do not go together."""
        problem, stop = self.ground.problem, self.search.budget.interrupted
        held = ascend(problem, self.blocks, steps=HELD_STEPS, fixed=decisions, begin=prices, first_step=SMALL_STEP, stop=stop)
        return self.by_year(decisions, held.prices)

    def by_year(self, decisions: Decisions, prices: Prices) -> Standing | None:
        """A plan with these decisions and flows by year; None when they do not go together, or when interrupted."""
        flows = flows_by_year(self.ground.problem, decisions, prices, *self.known[:1], stop=self.search.budget.interrupted)
        plan = None if flows is None else self.ground.settled(decisions, flows, self.limits, bending=True)
        if plan is None or not len(self.ground.short(plan)):
            return plan
        plan = mended(self.ground, plan, prices, self.pace)
        return None if len(self.ground.short(plan)) else plan


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
    coarse = zoned(problem, _zone_size(problem, PLAN_ARCS))
    last = LAST * budget.seconds if _ends_on_all_arcs(problem, coarse) else 0.0
    pace = Pace(lambda: search.left() - last, budget.threads, budget.seed, run, _noter(search), budget.interrupted)
    zones = _Zones(
        coarse,
        Ground(coarse.problem),
        make_blocks(coarse.problem, PRICE_BLOCKS),
        search,
        limits,
        known_flows,
        [gathered(coarse, one) for one in known_flows],
        pace,
    )
    ground = zones.ground
    prices, favoured = _bound(search, zones, fixed, start)
    plan = _first_plan(zones, prices, candidates, fixed, start, favoured)
    search.upper = ground.upper(plan)
    search.note("plan")
    if fixed is not None and search.upper - search.lower > max(budget.gap, GOOD_FLOWS) * abs(search.upper):
        plan = filled(ground, plan, prices, pace)
    if fixed is None:
        packages = Packages(search.master)
        packages.add(plan.x)
        prices, packed = _raised(search, packages, prices, run)
        plan = min(plan, zones.valued(packed, prices) or plan, key=ground.upper)
        search.upper = ground.upper(plan)
        search.note("plan")
        plan = improved(
            ground,
            plan,
            prices,
            pace,
            packages=packages,
            enough=lambda upper: upper - search.lower <= budget.gap * abs(upper),
            again=lambda plan: zones.valued(ground.decisions(plan), prices),
        )
    solution = _solution(zones, plan, prices)
    search.upper = solution.upper * MONEY
    search.note("flows")
    return finished(search, solution)


def _those(plan: Standing | None) -> list[Standing]:
    return [] if plan is None else [plan]


def _bound(search: Search, zones: _Zones, fixed: Decisions | None, start: Solution | None) -> tuple[Prices, Decisions | None]:
    """Good prices, what they prove on all arcs, and the options that they favour."""
    problem, budget = search.problem, search.budget
    begin = None if start is None else start.prices
    steps, step = (STEPS, LARGE_STEP) if begin is None else (WARM_STEPS, SMALL_STEP)
    if _zone_size(problem, ROUGH_ARCS) > _zone_size(problem, PLAN_ARCS):
        rough = zoned(problem, _zone_size(problem, ROUGH_ARCS)).problem
        begin = ascend(
            rough, make_blocks(rough, PRICE_BLOCKS), steps=steps, fixed=fixed, begin=begin, first_step=step, stop=budget.interrupted
        ).prices
        steps, step = FINER_STEPS, LEAST_STEP
    found = ascend(
        zones.ground.problem, zones.blocks, steps=steps, fixed=fixed, begin=begin, first_step=step, stop=budget.interrupted
    ).prices
    value = float(respond(problem, search.blocks, found).value.sum()) * MONEY
    search.lower = search.master.core_dual(found, fixed).core_part + value
    search.note("prices")
    if fixed is not None:
        return found, None
    search.master.cuts.append(search.master.cut(found, value))
    search.proof.append(found)
    options = options_with_cuts(search)
    search.lower = max(search.lower, options.bound)
    search.note("options")
    return found, None if options.x is None else decisions_of(search.master, options.x)


def _raised(search: Search, packages: Packages, prices: Prices, run: Run) -> tuple[Prices, Decisions]:
    """Raise the bound by whole packages for a share of the time; the prices that did, and the options of the packages that they favour."""
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
    return raised.prices, decisions_of(search.master, packages.favoured(raised.cut.coefficient))


def _first_plan(
    zones: _Zones,
    prices: Prices,
    candidates: Sequence[Decisions],
    fixed: Decisions | None,
    start: Solution | None,
    favoured: Decisions | None,
) -> Standing:
    """The cheapest of the known plans, as they are or with new flows, and of what prices favour. NoPlanError when none fits."""
    ground, limits = zones.ground, zones.limits
    chosen = [fixed] if fixed else [no_decisions(ground.problem), *candidates]
    pairs = [(decisions, known) for decisions in chosen for known in zones.known or [ground.nowhere()]]
    if start is not None and fixed is None:
        pairs.insert(0, (start.decisions, gathered(zones.coarse, start.flows)))
    plans = [plan for decisions, known in pairs if (plan := ground.settled(decisions, known, limits)) is not None]
    if fixed is not None:
        # the prices are those of these decisions
        plans += _those(zones.by_year(fixed, prices))
    elif favoured is not None:
        plans += _those(zones.valued(favoured, prices))
    if not plans:
        raise NoPlanError("no known choice of options and flows keeps every requirement")
    return min(plans, key=ground.upper)


def _solution(zones: _Zones, plan: Standing, prices: Prices) -> Solution:
    """The plan on the problem's own arcs. RuntimeError when it breaks a row: a plan is never taken on trust."""
    problem, ground = zones.search.problem, zones.ground
    used = plan.flows.amount > 0
    flows = shared_out(problem, zones.coarse, Flows(*(column[used] for column in vars(plan.flows).values())))
    plan = replace(plan, flow_cost=_cost(problem, flows))
    if _ends_on_all_arcs(problem, zones.coarse):
        plan, flows = min((plan, flows), _on_all_arcs(zones, plan, prices) or (plan, flows), key=lambda one: ground.upper(one[0]))
    breach = ground.breach(plan)
    if breach > ROW_DUST:
        raise RuntimeError(f"the plan breaks a row by {breach:g}")
    return Solution(
        termination=Termination.GAP_REACHED,
        upper=ground.upper(plan) / MONEY,
        lower=zones.search.lower / MONEY,
        decisions=ground.decisions(plan),
        flows=_in_open_pools(problem, ground.decisions(plan), flows),
        beside=beside_flows(ground.core, plan.x),
        capacity_price=np.maximum(0.0, prices.capacity),
        prices=prices,
    )


def _ends_on_all_arcs(problem: Problem, coarse: Zoned) -> bool:
    return coarse.problem is not problem and problem.arcs <= ALL_ARCS


def _on_all_arcs(zones: _Zones, plan: Standing, prices: Prices) -> tuple[Standing, Flows] | None:
    """The plan's options with flows that know every origin's own way; None when interrupted, or when they do not go together."""
    search, decisions = zones.search, zones.ground.decisions(plan)
    if search.budget.interrupted():
        return None
    held = ascend(
        search.problem,
        search.blocks,
        steps=ALL_STEPS,
        fixed=decisions,
        begin=prices,
        first_step=LEAST_STEP,
        stop=search.budget.interrupted,
    ).prices
    flows = flows_by_year(search.problem, decisions, held, *zones.known_flows[:1], stop=search.budget.interrupted)
    if flows is None:
        return None
    # rows know no origins, so that zones tell what the flows add to them
    settled = zones.ground.settled(decisions, gathered(zones.coarse, flows), zones.limits, _cost(search.problem, flows))
    return None if settled is None else (settled, flows)


def _cost(problem: Problem, flows: Flows) -> float:
    """Cost of flows in millions."""
    return float(flow_costs(problem, flows) @ flows.amount) * MONEY


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
