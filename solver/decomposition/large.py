"""Plans and proofs for problems of hundreds of millions of arcs.

    prices    ascend on rough zones, then on finer ones, then on all arcs: some hundred evaluations of what every cell would choose
    bound     those prices on all arcs, with an exact choice of options at them,
              then prices for whole packages of options (see ``packages``)
    plan      the options that prices and packages favour, valued: prices with them held, then flows year by year (see
              ``yearly``); then better part by part on the finer zones, in packages and freely (see ``neighbourhoods``)
    flows     those of the plan's options year by year on all arcs; very many in blocks of owners, guided by samples of the problem

Zones reach what any of their origins does: prices that have not seen an arc prove nothing where it is the cheapest. So a
plan on zones is a promise, and its cost is what its flows on all arcs come to: those of the options that prices favour are found
there first, so that there is a plan whatever the search on zones promises. Bound and plan are of the same problem.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from solver.backends.protocol import Limits
from solver.decomposition.ascent import Ascent, ascend
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import Master, no_decisions
from solver.decomposition.neighbourhoods import Pace, clusters, filled, improved, mended, nearness
from solver.decomposition.packages import Packages, raise_bound
from solver.decomposition.search import Budget, NoPlanError, Search, decisions_of, finished, options_with_cuts
from solver.decomposition.standing import Ground, Standing
from solver.decomposition.tasks import Run, run_here
from solver.decomposition.yearly import Guide, flows_by_year
from solver.decomposition.zones import Zoned, gathered, sampled, zoned
from solver.families.places import opened_places
from solver.formulation import MONEY, beside_flows, build_core
from solver.pricing import Prices, flow_costs, respond
from solver.problem import Floats, Ints, Problem
from solver.result import Decisions, Flows, Solution, Termination

PLAN_ARCS, ROUGH_ARCS = 160_000_000, 50_000_000
"""Most arcs of the zones on which plans are improved, and of those on which prices are found."""
STEPS, FINER_STEPS = 400, 150
"""Price steps on rough zones, and then on finer ones."""
HELD_STEPS, ALL_STEPS = 150, 40
"""Price steps for what held options promise on zones, and at the end of every climb to all arcs."""
LARGE_STEP, SMALL_STEP, LEAST_STEP = 0.6, 0.3, 0.05
RAISING, LAST, MENDING = 0.35, 0.15, 0.5
"""Shares of the time for raising the bound by packages, for the flows on all arcs, and at most, beyond the time, for mending those."""
PRICE_BLOCKS = 1_000
BLOCK_CELLS, SAMPLE_CELLS, SAMPLING = 1_100_000, 260_000, 4.0
"""Most cells of a block of owners whose flows are found together, and of a sample that is solved whole; most cells that a sample's
flows guide for each of its own."""
LAST_CELLS = 1_000_000
"""Most cells of the last period, which stands for all that come after, if it is to be solved whole."""
GOOD_FLOWS = 0.005
"""Gap of held options from which their flows are filled by linear programmes as well."""
ROW_DUST = 1e-4
"""Largest breach of a row, in pupils or GBP m, with which a plan is taken up."""


Whole = tuple[Decisions, Flows]
"""A plan with flows on all arcs."""


@dataclass(frozen=True)
class _Zones:
    """The zones on which plans are made."""

    coarse: Zoned
    ground: Ground
    search: Search
    limits: Limits
    known_flows: Sequence[Flows]
    """Flows that are feasible whatever is built, and the same of zones."""
    known: Sequence[Flows]
    run: Run
    last: float
    """Seconds kept for the flows on all arcs."""

    @cached_property
    def pace(self) -> Pace:
        """Of the search for a better plan."""
        search, budget = self.search, self.search.budget

        def note(upper: float) -> None:
            search.upper = min(search.upper, upper + self.dearer)
            search.note("parts")

        return Pace(lambda: search.left() - self.last, budget.threads, budget.seed, self.run, note, budget.interrupted)

    @cached_property
    def dearer(self) -> float:
        """What known flows cost more on all arcs than on zones (in millions)."""
        problem, coarse = self.search.problem, self.coarse.problem
        if coarse is problem or not self.known:
            return 0.0
        return _cost(problem, self.known_flows[0]) - _cost(coarse, self.known[0])

    def note(self, phase: str, plan: Standing) -> None:
        """Log a plan on zones at what it will cost on all arcs."""
        self.search.upper = self.ground.upper(plan) + self.dearer
        self.search.note(phase)

    def valued(self, decisions: Decisions, prices: Prices) -> Standing | None:
        """A plan with these decisions, its flows at good prices for them; None when they do not go together."""
        return self.by_year(decisions, self.climbed(self.ground.problem, HELD_STEPS, SMALL_STEP, prices, decisions).prices)

    def climbed(self, problem: Problem, steps: int, step: float, begin: Prices | Ascent | None, fixed: Decisions | None) -> Ascent:
        """Better prices, of the problem itself or of zones."""
        stop, blocks = self.search.budget.interrupted, make_blocks(problem, PRICE_BLOCKS)
        climb = ascend(problem, blocks, steps=steps, fixed=fixed, begin=begin, first_step=step, stop=stop)
        return replace(climb, responses=())

    def climbed_to_all(self, begin: Prices | None, fixed: Decisions | None, *, anew: bool) -> Ascent:
        """Better prices on finer zones, then on all arcs; where they are sought ``anew``, on rough zones before."""
        problem, ground, rougher = self.search.problem, self.ground.problem, self.rough is not self.coarse
        climb: Prices | Ascent | None = begin
        step = LARGE_STEP if begin is None else SMALL_STEP
        if rougher and anew:
            climb, step = self.climbed(self.rough.problem, STEPS, step, climb, fixed), LEAST_STEP
        climb = self.climbed(ground, FINER_STEPS if rougher else STEPS, step, climb, fixed)
        return climb if ground is problem else self.climbed(problem, ALL_STEPS, LEAST_STEP, climb, fixed)

    @cached_property
    def rough(self) -> Zoned:
        """The zones on which prices begin."""
        problem = self.search.problem
        size = _zone_size(problem, ROUGH_ARCS)
        return self.coarse if size == _zone_size(problem, PLAN_ARCS) else zoned(problem, size)

    def flows(self, problem: Problem, decisions: Decisions, prices: Prices) -> Flows | None:
        """Flows by year, of the problem or of zones; None when interrupted.

        Those of many cells in blocks, guided by flows of ever smaller samples.
        """
        count, times = int(np.ceil(_cells(problem) / BLOCK_CELLS)), max(1.0, _cells(problem) / SAMPLE_CELLS)
        depth = max(1, int(np.ceil(np.log(times) / np.log(SAMPLING)))) if count > 1 else 0
        known = self.known if problem is self.ground.problem else self.known_flows
        near, coarser = nearness(problem), None
        for level in range(depth, -1, -1):
            random = np.random.default_rng((self.search.budget.seed, level))
            part = sampled(problem, times ** (level / depth), random) if level else problem
            # not cut where the smaller sample was
            last_whole = level == 0 and int((problem.demand.entrants[:, :, -1] > 0).sum()) <= LAST_CELLS
            guide = None if coarser is None else Guide(*coarser, _blocks(part, near, count, random), last_whole)
            stop = self.search.budget.interrupted
            flows = flows_by_year(part, decisions, prices, *known[:1], guide=guide, may_be_short=level > 0, run=self.run, stop=stop)
            if flows is None:
                return None
            coarser = part, flows
        return flows

    def by_year(self, decisions: Decisions, prices: Prices) -> Standing | None:
        """A plan with these decisions and flows by year; None when they do not go together, or when interrupted."""
        flows = self.flows(self.ground.problem, decisions, prices)
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
    last = LAST * budget.seconds if coarse.problem is not problem else 0.0
    zones = _Zones(
        coarse,
        Ground(coarse.problem),
        search,
        limits,
        known_flows,
        [gathered(coarse, one) for one in known_flows],
        run,
        last,
    )
    ground = zones.ground
    prices, favoured = _bound(search, zones, fixed, start)
    if fixed is not None:
        return finished(search, _held(zones, fixed, prices))
    begun = [] if start is None else [(start.decisions, start.flows)]
    plan = _first_plan(zones, prices, candidates, begun, favoured)
    packages = Packages(search.master)
    packages.add(plan.x)
    prices, packed = _raised(zones, packages, prices)
    if search.left() > 0:
        plan = min(plan, zones.valued(packed, prices) or plan, key=ground.upper)
    zones.note("plan", plan)
    plan = improved(
        ground,
        plan,
        prices,
        zones.pace,
        packages=packages,
        enough=lambda upper: upper + zones.dearer - search.lower <= budget.gap * abs(upper),
        again=lambda plan: zones.valued(ground.decisions(plan), prices),
    )
    return finished(search, _planned(zones, plan, prices, begun))


def _bound(search: Search, zones: _Zones, fixed: Decisions | None, start: Solution | None) -> tuple[Prices, Decisions | None]:
    """Good prices, what they prove on all arcs, and the options that they favour."""
    problem = search.problem
    # known prices are nearly right, unless they are of other options than those held
    anew = start is None or (fixed is not None and not _same(fixed, start.decisions))
    found = zones.climbed_to_all(None if start is None else start.prices, fixed, anew=anew).prices
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


def _raised(zones: _Zones, packages: Packages, prices: Prices) -> tuple[Prices, Decisions]:
    """Raise the bound by whole packages for a share of the time; the prices that did, and the options of the packages that they favour."""
    search, budget = zones.search, zones.search.budget
    until = max(0.0, search.left() - RAISING * budget.seconds)

    def note(lower: float) -> None:
        search.lower = max(search.lower, lower)
        search.note("packages")

    raised = raise_bound(
        packages,
        prices,
        zones.rough.problem,
        left=lambda: search.left() - until,
        threads=budget.threads,
        seed=budget.seed,
        interrupted=budget.interrupted,
        run=zones.run,
        note=note,
        enough=lambda lower: search.upper - lower <= budget.gap * abs(search.upper),
    )
    search.proof.append(raised.prices)
    return raised.prices, decisions_of(search.master, packages.favoured(raised.cut.coefficient))


def _first_plan(zones: _Zones, prices: Prices, candidates: Sequence[Decisions], begun: list[Whole], favoured: Decisions | None) -> Standing:
    """The cheapest of the known plans and of what prices favour. NoPlanError when none fits.

    ``begun``: known plans with flows on all arcs; where plans are made on zones, what prices favour is added to them.
    """
    ground, limits = zones.ground, zones.limits
    valued: Standing | None = None
    if favoured is not None and ground.problem is zones.search.problem:
        valued = zones.valued(favoured, prices)
    elif favoured is not None and (flows := _flows_on_all_arcs(zones, favoured, prices)) is not None:
        begun.append((favoured, flows))
    chosen = [no_decisions(ground.problem), *candidates]
    pairs = [(decisions, gathered(zones.coarse, flows)) for decisions, flows in begun]
    pairs += [(decisions, known) for decisions in chosen for known in zones.known or [ground.nowhere()]]
    plans = [plan for decisions, known in pairs if (plan := ground.settled(decisions, known, limits)) is not None]
    if valued is not None:
        plans.append(valued)
    if not plans:
        raise NoPlanError("no known choice of options and flows keeps every requirement")
    zones.note("plan", best := min(plans, key=ground.upper))
    return best


def _held(zones: _Zones, fixed: Decisions, prices: Prices) -> Solution:
    """The solution of held options, at prices found with them. NoPlanError when nothing goes with them."""
    ground, search = zones.ground, zones.search
    if ground.problem is not search.problem:
        flows = _that_displace(zones, fixed, prices)
        return _on_all_arcs(zones, [] if flows is None else [(fixed, flows)], fixed, prices)
    known = [plan for flows in zones.known or [ground.nowhere()] if (plan := ground.settled(fixed, flows, zones.limits)) is not None]
    plans = [plan for plan in (zones.by_year(fixed, prices), *known) if plan is not None]
    if not plans:
        raise NoPlanError("no known flows go with these options")
    zones.note("plan", plan := min(plans, key=ground.upper))
    if search.upper - search.lower > max(search.budget.gap, GOOD_FLOWS) * abs(search.upper):
        plan = filled(ground, plan, prices, zones.pace)
    return _solution(zones, plan, plan.flows, prices)


def _planned(zones: _Zones, plan: Standing, prices: Prices, begun: list[Whole]) -> Solution:
    """The plan's solution on the problem's own arcs, or one of the ``begun`` where that is cheaper."""
    decisions = zones.ground.decisions(plan)
    if zones.ground.problem is zones.search.problem:
        return _solution(zones, plan, plan.flows, prices)
    if not any(_same(decisions, known) for known, _ in begun) and (flows := _flows_on_all_arcs(zones, decisions, prices)) is not None:
        begun.append((decisions, flows))
    return _on_all_arcs(zones, begun, decisions, prices)


def _flows_on_all_arcs(zones: _Zones, decisions: Decisions, prices: Prices) -> Flows | None:
    """Flows that know every origin's own way, at prices found with these options held; None where none by year keep displacement."""
    return _that_displace(zones, decisions, zones.climbed_to_all(prices, decisions, anew=True).prices)


def _that_displace(zones: _Zones, decisions: Decisions, prices: Prices) -> Flows | None:
    """Flows by year on all arcs, mended where they are short of displacement; None when that takes too long."""
    search = zones.search
    flows = zones.flows(search.problem, decisions, prices)
    if flows is None:
        return None
    fine = Ground(search.problem)
    plan = fine.settled(decisions, flows, zones.limits, bending=True)
    if plan is None or not len(fine.short(plan)):
        return None if plan is None else flows
    until = time.monotonic() + max(search.left(), MENDING * search.budget.seconds)
    pace = replace(zones.pace, left=lambda: 0.0 if search.budget.interrupted() else until - time.monotonic(), note=lambda _: None)
    plan = mended(fine, plan, prices, pace)
    return None if len(fine.short(plan)) else plan.flows


def _on_all_arcs(zones: _Zones, begun: Sequence[Whole], decisions: Decisions, prices: Prices) -> Solution:
    """The cheapest of the plans with their flows, and of these options with known flows. NoPlanError when none fits."""
    search, ground = zones.search, zones.ground
    known = [(decisions, flows) for flows in zones.known_flows or [Ground(search.problem).nowhere()]]
    plans = list[tuple[Standing, Flows]]()
    for options, flows in [*begun, *known]:
        # rows know no origins, so that zones tell what the flows add to them
        plan = ground.settled(options, gathered(zones.coarse, flows), zones.limits, _cost(search.problem, flows))
        if plan is not None:
            plans.append((plan, flows))
    if not plans:
        raise NoPlanError("no known flows go with these options")
    plan, flows = min(plans, key=lambda one: ground.upper(one[0]))
    return _solution(zones, plan, flows, prices)


def _solution(zones: _Zones, plan: Standing, flows: Flows, prices: Prices) -> Solution:
    """The plan with these flows. RuntimeError when it breaks a row: a plan is never taken on trust."""
    search, ground = zones.search, zones.ground
    breach = ground.breach(plan)
    if breach > ROW_DUST:
        raise RuntimeError(f"the plan breaks a row by {breach:g}")
    decisions, used = ground.decisions(plan), flows.amount > 0
    search.upper = ground.upper(plan)
    search.note("flows")
    return Solution(
        termination=Termination.GAP_REACHED,
        upper=search.upper / MONEY,
        lower=search.lower / MONEY,
        decisions=decisions,
        flows=_in_open_pools(search.problem, decisions, Flows(*(column[used] for column in vars(flows).values()))),
        beside=beside_flows(ground.core, plan.x),
        capacity_price=np.maximum(0.0, prices.capacity),
        prices=prices,
    )


def _same(one: Decisions, other: Decisions) -> bool:
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(vars(one).values(), vars(other).values(), strict=True))


def _cost(problem: Problem, flows: Flows) -> float:
    """Cost of flows in millions."""
    return float(flow_costs(problem, flows) @ flows.amount) * MONEY


def _in_open_pools(problem: Problem, decisions: Decisions, flows: Flows) -> Flows:
    """Pools that hold nobody may have taken a solver's dust: it waits instead."""
    room = problem.pools.capacity + problem.pools.overflow_limit + opened_places(problem, decisions)
    closed = np.append(room.max(axis=1) <= 0, False)[flows.pool]
    return replace(flows, pool=np.where(closed, len(problem.pools.labels), flows.pool))


def _blocks(problem: Problem, near: Floats, count: int, random: np.random.Generator) -> Ints:
    """(L,) which of about ``count`` blocks each owner is in: neighbours together, cut otherwise at each call."""
    block = np.zeros(len(problem.owners), np.int64)
    for number, owners in enumerate(clusters(problem, near, int(np.ceil(_cells(problem) / count)), random)):
        block[owners] = number
    return block


def _cells(problem: Problem) -> int:
    """Cells with entrants."""
    return int((problem.demand.entrants > 0).sum())


def _zone_size(problem: Problem, most_arcs: int) -> int:
    """Origins in a zone such that the zones have at most so many arcs."""
    return max(1, int(np.ceil(problem.arcs / most_arcs)))
