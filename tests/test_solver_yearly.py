"""Flows year by year: nobody is lost, no pool holds too many, displacement has what it asks for, and they are nearly the cheapest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from solver_cases import MEDIUM, random_problem, with_floor_of, without_floor

from solver.backends import network
from solver.backends.protocol import Limits
from solver.decomposition import neighbourhoods, period, yearly
from solver.decomposition.ascent import ascend
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import no_decisions
from solver.decomposition.neighbourhoods import Pace, mended
from solver.decomposition.period import Period
from solver.decomposition.standing import Ground, Standing
from solver.decomposition.tasks import Task, run_here
from solver.decomposition.yearly import Guide, flows_by_year
from solver.pricing import no_prices
from solver.problem import OUTSIDE, Bools, Problem
from solver.result import Decisions, Flows
from solver.rules import cheapest_first
from solver.solve import SolveOptions, solve

LIMITS = Limits(gap=1e-6, seconds=30, threads=1)
SEEDS = range(1, 9)


def by_year(problem: Problem, decisions: Decisions, known: Flows | None = None) -> tuple[Flows, Standing | None]:
    prices = ascend(problem, make_blocks(problem, 100), steps=200, fixed=decisions, first_step=0.6).prices
    flows = flows_by_year(problem, decisions, prices, known)
    assert flows is not None
    return flows, Ground(problem).settled(decisions, flows, LIMITS, bending=True)


def full_outside(seed: int) -> tuple[Problem, Flows]:
    """A problem whose displacement asks for all that its OUTSIDE pools hold when nothing is built, and those flows."""
    problem = without_floor(random_problem(seed, MEDIUM))
    known, _ = by_year(problem, no_decisions(problem))
    return with_floor_of(problem, known), known


@pytest.mark.parametrize("seed", SEEDS)
def test_held_flows_are_feasible_and_nearly_the_cheapest(seed: int) -> None:
    problem = without_floor(random_problem(seed, MEDIUM))
    decisions = no_decisions(problem)
    flows, plan = by_year(problem, decisions)
    assert plan is not None
    ground = Ground(problem)
    assert ground.breach(plan) < 1e-4
    optimum = solve(problem, SolveOptions(gap=1e-6, seconds=60, threads=1), fixed=decisions).upper / 1e6
    assert optimum * (1 - 1e-6) <= ground.upper(plan) <= optimum * 1.05
    assert_nobody_lost(problem, flows)


@pytest.mark.parametrize("seed", SEEDS)
def test_new_places_take_no_more_out_of_outside_pools_than_displacement_lets_them(seed: int) -> None:
    problem, known = full_outside(seed)
    decisions = cheapest_first(problem)
    flows, plan = by_year(problem, decisions, known)
    assert plan is not None
    ground = Ground(problem)
    assert_nobody_lost(problem, flows)
    short = ground.arrays.row_lower - ground.by_row @ plan.x - plan.use
    rows = ground.core.displacement_row[ground.core.displacement_row >= 0]
    asked = ground.arrays.row_lower[rows].sum()
    assert np.maximum(0.0, short[rows]).sum() <= 1e-4 * asked
    optimum = solve(problem, SolveOptions(gap=1e-6, seconds=60, threads=1), fixed=decisions, known_flows=[known]).upper / 1e6
    assert optimum * (1 - 1e-6) <= ground.upper(plan) <= optimum * 1.05
    other = np.setdiff1d(np.arange(ground.rows), rows)
    activity = (ground.by_row @ plan.x + plan.use)[other]
    assert (activity <= ground.arrays.row_upper[other] + 1e-4).all()
    assert (activity >= ground.arrays.row_lower[other] - 1e-4).all()


@pytest.mark.parametrize(("later_places", "stayers"), [(3.0, 2.0), (2.5, 1.0), (5.0, 4.0), (3.5, 3.0)])
def test_one_who_stays_has_not_the_room_of_one_who_leaves(later_places: float, stayers: float) -> None:
    """4 places; known: 2 who leave and 2 of whom half stay, then 2 entrants. Room for those who stay: as known, or as there is later."""
    problem = random_problem(1, MEDIUM)
    classes, pools, periods = len(problem.demand.classes), len(problem.pools.labels), len(problem.periods)
    problem = replace(problem, demand=replace(problem.demand, survival=np.where(np.arange(classes) % 2 > 0, 0.5, 0.0)))
    places = np.full((pools, periods), 100.0)
    places[0] = later_places
    places[0, 0] = 4.0
    later = np.zeros((2, periods, pools, periods))
    later[0, 0, 0, 0], later[1, 0, 0] = 2.0, 2.0 * 0.5 ** np.arange(periods)
    later[0, 1, 0, 1] = 2.0
    stand = yearly._Stand(places, places, problem.displacement.floor, np.zeros(problem.demand.entrants.shape[:2]))
    room = yearly._room(problem, stand, later, 0)
    np.testing.assert_allclose(room.now[:, 0], [4.0, stayers])
    np.testing.assert_allclose(room.full[:, 0], [4.0, stayers])
    np.testing.assert_allclose(room.now[:, 1:], 100.0)
    np.testing.assert_allclose(room.less(np.full((2, pools), 1.5)).now[:, 0], [2.5, max(0.0, stayers - 1.5)])


@pytest.mark.parametrize("seed", SEEDS)
def test_room_filled_to_its_levels_is_enough_in_every_later_period(seed: int) -> None:
    random = np.random.default_rng(seed)
    problem = random_problem(seed, MEDIUM)
    survival = np.array([0.0, 0.4, 0.9])[np.arange(len(problem.demand.classes)) % 3]
    problem = replace(problem, demand=replace(problem.demand, survival=survival))
    levels, periods, pools = yearly.levels(problem), len(problem.periods), len(problem.pools.labels)
    entered = random.uniform(0.0, 3.0, (len(levels), periods, pools))
    later = np.zeros((len(levels), periods, pools, periods))
    for v in range(periods):
        for lag in range(periods - v):
            later[:, v, :, v + lag] = entered[:, v] * levels[:, None] ** lag
    # now more and now fewer than known entrants take
    places = later.sum(axis=(0, 1)) * random.uniform(1.0, 1.5, (pools, periods))
    stand = yearly._Stand(places, places, problem.displacement.floor, np.zeros(problem.demand.entrants.shape[:2]))
    room = yearly._room(problem, stand, later, 0).now
    left = places - later[:, 1:].sum(axis=(0, 1))
    each = np.minimum.accumulate(room, axis=0)
    taken = each - np.vstack([each[1:], np.zeros(pools)])
    for t in range(periods):
        assert (taken.T @ levels**t <= left[:, t] + 1e-9).all()
    assert (room >= later[:, 0, :, 0][::-1].cumsum(axis=0)[::-1] - 1e-9).all()


def test_a_level_holds_no_more_than_its_room() -> None:
    """4 places, 2 of them for those who stay: they would pay more to have all."""
    everybody, some = np.array([4.0, 4.0]), np.zeros((2, 1))
    cells = period.Cells(*np.zeros((2, 2), np.int64), everybody, np.ones(2), np.array([0, 1]), np.zeros(2, np.int64), some, np.zeros(2))
    pool, cost = np.array([[0, 1], [0, 1]], np.int32), np.array([[1.0, 50.0], [1.0, 100.0]], np.float32)
    ways = period.Ways(pool, cost, cost)
    nothing = np.zeros((1, 1))
    asked = period.Asked(np.zeros(1), np.zeros(1), nothing, np.zeros(1), np.zeros(1), *np.zeros((2, 0), np.int64))
    room = period.Room(np.array([[4.0], [2.0]]), np.array([[4.0], [2.0]]))
    one = Period(0, cells, ways, ways, np.zeros((2, 2)), room, np.zeros(1), asked)
    np.testing.assert_allclose(one._cheapest(pool, cost, everybody, room), [[2.0, 2.0], [2.0, 2.0]])
    full = period.Room(room.now, room.now + 1.0)
    np.testing.assert_allclose(one._cheapest(pool, cost, everybody, full), [[2.0, 2.0], [3.0, 1.0]])
    np.testing.assert_allclose(one._cheapest(pool, cost, everybody, period.Room(some, some)), [[0.0, 4.0], [0.0, 4.0]])


def one_period(
    pool: list[list[int]], out_pool: list[list[int]], group: list[int], needed: list[float], places: list[float], *, paid: float = 0.0
) -> Period:
    """One pupil in each cell; arcs to new places (half of a unit counts for displacement) and to OUTSIDE pools; waiting last.

    Where being outside is ``paid`` for, the others are no new places and count for nothing.
    """
    cells, pools, wait = len(group), len(places), 100.0

    def ways(to: list[list[int]], most: int, cost: float) -> period.Ways:
        target = np.full((cells, most + 1), pools, np.int32)
        each = np.full((cells, most + 1), wait, np.float32)
        for n, some in enumerate(to):
            target[n, : len(some)], each[n, : len(some)] = some, cost
        return period.Ways(target, each, each)

    others, outside = ways(pool, period.NEAREST, 1.0), ways(out_pool, period.OUTSIDE_NEAREST, 2.0 - paid)
    everybody = np.ones(cells)
    zeros, later = np.zeros(cells, np.int64), np.zeros((cells, 0))
    who = period.Cells(np.arange(cells), zeros, everybody, everybody, zeros, np.array(group), later, np.full(cells, paid))
    share = np.where((others.pool < pools) & (paid == 0), 0.5, 0.0)
    blank, room = np.zeros(len(needed)), np.array([places])
    asked = period.Asked(np.array(needed), blank, np.zeros((len(needed), 0)), blank, blank, *np.zeros((2, 0), np.int64))
    return Period(0, who, outside, others, share, period.Room(room, room), np.zeros(pools), asked)


def outside_use(flows: Flows, cells: int, outside: list[int]) -> list[float]:
    there = np.isin(flows.pool, outside)
    return [float(use) for use in np.bincount(flows.origin[there], flows.amount[there], cells)]


def test_a_new_place_is_given_up_where_nobody_else_of_the_family_can_be_outside() -> None:
    """One of two is asked for; the first has a new place, which counts for half, and the second can't be outside."""
    flows = one_period([[1], []], [[0], []], [0, 0], [1.0], [1.0, 1.0]).solve()
    assert outside_use(flows, 2, [0]) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_a_new_place_is_given_up_where_it_sends_its_family_to_room_that_another_needs() -> None:
    """The first can only be in pool 0. Of the others' family the one in the new place could be in pool 2, which leaves pool 0 alone."""
    flows = one_period([[], [1], []], [[0], [2], [0]], [0, 1, 1], [1.0, 1.0], [1.0, 1.0, 1.0]).solve()
    assert outside_use(flows, 3, [0, 2]) == pytest.approx([1.0, 1.0, 0.0], abs=1e-6)


def test_nobody_is_outside_only_because_prices_pay_for_it() -> None:
    """One of two is asked for; at 1.5 paid both would be there, the second dearer by 1 than elsewhere."""
    flows = one_period([[1], [1]], [[0], [0]], [0, 0], [1.0], [2.0, 2.0], paid=1.5).solve()
    assert sum(outside_use(flows, 2, [0])) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_displacement_is_kept_when_cells_look_at_one_arc(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is then where known flows have them."""
    problem, known = full_outside(seed)
    for module in (period, yearly):
        monkeypatch.setattr(module, "NEAREST", 1)
        monkeypatch.setattr(module, "OUTSIDE_NEAREST", 1)
    _, plan = by_year(problem, cheapest_first(problem), known)
    assert plan is not None
    ground = Ground(problem)
    rows = ground.core.displacement_row[ground.core.displacement_row >= 0]
    short = ground.arrays.row_lower[rows] - (ground.by_row @ plan.x + plan.use)[rows]
    assert np.maximum(0.0, short).max() < 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_is_short_from_what_would_not_settle(seed: int) -> None:
    """Else it would be mended for what is not wrong, or taken for whole and then refused."""
    problem, known = full_outside(seed)
    ground, nothing = Ground(problem), no_decisions(problem)
    plan = ground.settled(nothing, known, LIMITS)
    assert plan is not None
    spare = ground.by_row @ plan.x + plan.use - ground.arrays.row_lower
    for missing, is_short in ((9e-6 + 5e-8, False), (9e-6 + 3e-7, True)):
        floor = problem.displacement.floor + np.where(problem.displacement.floor > 0, spare[ground.core.displacement_row] + missing, 0.0)
        higher = Ground(replace(problem, displacement=replace(problem.displacement, floor=floor)))
        assert (len(higher.short(plan)) > 0) == is_short
        assert (higher.settled(nothing, known, LIMITS) is None) == is_short


def test_arcs_much_dearer_than_the_cheapest_are_left_out_but_for_the_first() -> None:
    """Pool 9 is no pool: waiting, which is always a way."""
    pool = np.array([[5, 1, 2, 3, 9], [1, 2, 3, 4, 9]], np.int32)
    cost = np.array([[80.0, 10.0, 20.0, 60.0, 100.0], [10.0, 30.0, 40.0, 50.0, 90.0]], np.float32)
    few = period.Ways(pool, cost, cost).within(np.array([15.0, 25.0]), np.array([1, 3]))
    np.testing.assert_array_equal(few.pool, [[5, 1, 2, 9, 9], [1, 2, 3, 9, 9]])
    np.testing.assert_array_equal(few.cost, [[80.0, 10.0, 20.0, 100.0, 100.0], [10.0, 30.0, 40.0, 90.0, 90.0]])
    np.testing.assert_array_equal(few.priced, few.cost)


@pytest.mark.parametrize("seed", SEEDS)
def test_known_ways_outside_are_looked_at_however_dear(seed: int) -> None:
    problem, known = full_outside(seed)
    prices = ascend(problem, make_blocks(problem, 100), steps=50, first_step=0.6).prices
    problem = replace(problem, pools=replace(problem.pools, unit_cost=problem.pools.unit_cost + 1e6 * (problem.pools.role == OUTSIDE)))
    years, ways = yearly._Years(problem, prices), yearly._KnownPools(problem, known)
    places = problem.pools.capacity
    stand = yearly._Stand(places, places, problem.displacement.floor, np.zeros(problem.demand.entrants.shape[:2]))
    some = years.period(0, stand, np.ones(len(problem.owners), np.bool_), period.Room(*np.full((2, 1, len(places)), 9.0)), ways)
    first = ways.of(some.cells.z, some.cells.c, 0)
    cells, place = np.nonzero(first >= 0)
    assert len(cells)
    assert (some.outside.pool[cells] == first[cells, place][:, None]).any(axis=1).all()


def test_known_pools_come_first_at_their_own_cost() -> None:
    problem, known = full_outside(1)
    prices = ascend(problem, make_blocks(problem, 100), steps=50, first_step=0.6).prices
    years = yearly._Years(problem, prices)
    z, c = np.nonzero(problem.demand.entrants[:, :, 0] > 0)
    first = yearly._KnownPools(problem, known).of(z, c, 0)
    used = {(int(a), int(b), int(p)) for a, b, v, p in zip(known.origin, known.cls, known.entry, known.pool, strict=True) if v == 0}
    role = problem.pools.role
    assert {(int(a), int(b), int(p)) for n, (a, b) in enumerate(zip(z, c, strict=True)) for p in first[n] if p >= 0} == {
        one for one in used if one[2] < len(role) and role[one[2]] == OUTSIDE
    }
    everything = years.reach.nearest(z, c, 0, 30, role == OUTSIDE)
    few = years.reach.nearest(z, c, 0, 2, role == OUTSIDE, first)
    some = 0
    for n in range(len(z)):
        ahead = [p for p in first[n] if p >= 0][:2]
        assert set(few.pool[n, : len(ahead)]) <= {p for p in first[n] if p >= 0}
        cost = dict(zip(everything.pool[n], everything.cost[n], strict=True))
        for p, each in zip(few.pool[n], few.cost[n], strict=True):
            assert each == pytest.approx(cost[p])
        some += len(ahead) == 1 and few.pool[n, 1] < len(role) and few.cost[n, 1] < few.cost[n, 0]
    assert some  # a dearer known arc before a cheaper one


def test_who_can_be_outside_later_only_if_they_begin_now() -> None:
    """2 of a family are asked for next year, half of today's stay, one more enters and none waits: 2 have to begin today."""
    problem = random_problem(1, MEDIUM)
    demand, (families, periods) = problem.demand, problem.displacement.floor.shape[1:]
    entrants = np.zeros_like(demand.entrants)
    entrants[0, 0, 0], entrants[0, 0, 1] = 5.0, 1.0
    problem = replace(problem, demand=replace(demand, entrants=entrants, survival=np.full(len(demand.classes), 0.5)))
    owner = int(demand.origin_owner[0])
    family = int(demand.class_family[0])
    needed = np.zeros((len(problem.owners), families, periods))
    needed[owner, family, 1] = 2.0
    places = np.zeros((len(problem.pools.labels), periods))
    stand = yearly._Stand(places, places, needed, np.zeros(entrants.shape[:2]))
    years = yearly._Years(problem, no_prices(problem))
    room = yearly._room(problem, stand, np.zeros((2, periods, *places.shape)), 0)
    one = years.period(0, stand, np.ones(len(problem.owners), np.bool_), room)
    assert one.cells.amount.tolist() == [5.0]
    ahead = [one._ahead(np.array([waiting]))[owner * families + family] for waiting in (0.0, 1.0, 2.0)]
    assert ahead == pytest.approx([2.0, 1.0, 0.0])
    others = years.period(0, stand, np.arange(len(problem.owners)) != owner, room)
    assert not len(others.cells.amount)
    assert not others._ahead(np.zeros(0)).any()


def test_cells_look_only_at_pools_with_room() -> None:
    problem = random_problem(1, MEDIUM)
    periods, pools = len(problem.periods), len(problem.pools.labels)
    years, everybody = yearly._Years(problem, no_prices(problem)), np.ones(len(problem.owners), np.bool_)
    stand = yearly._Stand(*np.zeros((2, pools, periods)), problem.displacement.floor, np.zeros(problem.demand.entrants.shape[:2]))
    reached = set()
    for pool in range(pools):
        room = np.zeros((len(yearly.levels(problem)), pools))
        room[:, pool] = 1.0
        one = years.period(0, stand, everybody, period.Room(room, room))
        seen = set(np.concatenate([one.outside.pool.ravel(), one.others.pool.ravel()]).tolist())
        assert seen <= {pool, pools}
        reached |= seen - {pools}
    assert len(reached) > 1


def guided(problem: Problem, decisions: Decisions, known: Flows | None = None) -> tuple[Guide, Flows]:
    """Blocks of one owner each, guided by the problem's own flows, and what they find."""
    flows, _ = by_year(problem, decisions, known)
    guide = Guide(problem, flows, np.arange(len(problem.owners)))
    prices = ascend(problem, make_blocks(problem, 100), steps=200, fixed=decisions, first_step=0.6).prices
    found = flows_by_year(problem, decisions, prices, known, guide=guide)
    assert found is not None
    return guide, found


@pytest.mark.parametrize("seed", SEEDS)
def test_blocks_share_the_room_of_pools(seed: int) -> None:
    """Together they have all of it, and each has what it takes in the guide's flows, or its part of less."""
    problem = without_floor(random_problem(seed, MEDIUM))
    guide, flows = guided(problem, no_decisions(problem))
    pools, used = len(problem.pools.labels), 0.0
    for v, factor in ((0, 1.0), (1, 0.5), (2, 3.0)):
        taken = np.zeros((len(problem.owners), pools))
        here = (guide.flows.entry == v) & (guide.flows.pool < pools)
        owner, cls = problem.demand.origin_owner[guide.flows.origin[here]], guide.flows.cls[here]
        np.add.at(taken, (owner, guide.flows.pool[here]), guide.flows.amount[here] * problem.demand.use[cls, v, v])
        places = np.tile(factor * taken.sum(axis=0), (len(yearly.levels(problem)), 1)) + np.maximum(0.0, factor - 1.0)
        room = period.Room(places, places + 2.0)
        parts = list(yearly._shares(yearly._Years(problem, no_prices(problem)), room, guide, None, v, np.zeros(0)))
        assert [np.nonzero(owners)[0].tolist() for owners, _ in parts] == [[n] for n in range(len(problem.owners))]
        shares = [share for _, share in parts]
        np.testing.assert_allclose(sum(room.now for room in shares), places)
        np.testing.assert_allclose(sum(room.full for room in shares), places + 2.0)
        for number, room in enumerate(shares):
            assert (room.now[0] >= min(factor, 1.0) * taken[number] - 1e-9).all()
        used += taken.sum()
    assert used > 0
    assert_nobody_lost(problem, flows)


@pytest.mark.parametrize("seed", SEEDS)
def test_flows_in_blocks_are_feasible_and_nearly_the_cheapest(seed: int) -> None:
    problem, known = full_outside(seed)
    decisions, ground = cheapest_first(problem), Ground(problem)
    _, flows = guided(problem, decisions, known)
    assert_nobody_lost(problem, flows)
    plan = ground.settled(decisions, flows, LIMITS, bending=True)
    assert plan is not None
    rows = ground.core.displacement_row[ground.core.displacement_row >= 0]
    short = np.maximum(0.0, (ground.arrays.row_lower - ground.by_row @ plan.x - plan.use)[rows])
    assert short.sum() <= 1e-3 * ground.arrays.row_lower[rows].sum()
    optimum = solve(problem, SolveOptions(gap=1e-6, seconds=60, threads=1), fixed=decisions, known_flows=[known]).upper / 1e6
    assert optimum * (1 - 1e-6) <= ground.upper(plan) <= optimum * 1.05


def test_the_last_period_can_be_left_whole() -> None:
    problem, known = full_outside(1)
    guide, _ = guided(problem, no_decisions(problem), known)
    tasks = list[int]()

    def counted(some: Sequence[Task[Flows]]) -> list[Flows]:
        tasks.append(len(some))
        return run_here(some)

    prices = ascend(problem, make_blocks(problem, 100), steps=50, first_step=0.6).prices
    for last_whole, last in ((False, len(problem.owners)), (True, 1)):
        tasks.clear()
        how = replace(guide, last_whole=last_whole)
        flows = flows_by_year(problem, no_decisions(problem), prices, known, guide=how, run=counted)
        assert flows is not None
        assert_nobody_lost(problem, flows)
        assert tasks == [len(problem.owners)] * (len(problem.periods) - 1) + [last]


def test_blocks_have_the_room_outside_that_displacement_asks_them_for() -> None:
    """The guide knows nothing of displacement; with known flows each block can keep it all the same, as far as it is still asked for."""
    given = 0.0
    for seed in SEEDS:
        problem, known = full_outside(seed)
        rough, _ = by_year(without_floor(problem), cheapest_first(problem))
        years, owners = yearly._Years(problem, no_prices(problem)), np.arange(len(problem.owners))
        outside = problem.pools.role == OUTSIDE
        here = (known.entry == 0) & np.append(outside, False)[known.pool]
        whole = np.bincount(years.group[known.origin, known.cls][here], known.amount[here], years.entrants.shape[0])
        places = np.tile(np.bincount(known.pool[here], known.amount[here], len(outside)), (len(yearly.levels(problem)), 1))
        guide = Guide(problem, rough, owners)
        for part in (1.0, 0.25):
            shares = yearly._shares(years, period.Room(places, places), guide, known, 0, part * whole)
            for number, (_, room) in enumerate(shares):
                mine = here & (problem.demand.origin_owner[known.origin] == number)
                due = part * np.bincount(known.pool[mine], known.amount[mine], len(outside))
                assert (room.now[0, outside] >= due[outside] - 1e-9).all()
                given += due.sum()
        # what nobody is asked for is shared as if nothing was known
        pair = [list(yearly._shares(years, period.Room(places, places), guide, *of)) for of in ((known, 0, 0 * whole), (None, 0, whole))]
        for (_, one), (_, other) in zip(*pair, strict=True):
            np.testing.assert_allclose(one.now, other.now)
    assert given > 0


def test_who_is_missing_outside_is_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows that forget displacement are short of it; programmes of the owners concerned mend them at a true cost."""
    monkeypatch.setattr(period, "ENOUGH", np.inf)
    mends = 0
    for seed in SEEDS:
        problem, known = full_outside(seed)
        decisions, ground = cheapest_first(problem), Ground(problem)
        _, plan = by_year(problem, decisions, known)
        assert plan is not None
        if not len(ground.short(plan)):
            continue
        mends += 1
        pace = Pace(lambda: 60.0, 1, 1, run_here, lambda _: None)
        whole = mended(ground, plan, no_prices(problem), pace)
        assert not len(ground.short(whole))
        assert ground.breach(whole) < 1e-4
        optimum = solve(problem, SolveOptions(gap=1e-6, seconds=60, threads=1), fixed=decisions, known_flows=[known]).upper / 1e6
        assert ground.upper(whole) >= optimum * (1 - 1e-6)
    assert mends


def short_before_and_after(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Limits of displacement that flows which forget it are short of, and that are left once those who compete for places mended them."""
    monkeypatch.setattr(period, "ENOUGH", np.inf)
    monkeypatch.setattr(neighbourhoods, "MENDING", ())
    before = after = 0
    for seed in SEEDS:
        problem, known = full_outside(seed)
        ground = Ground(problem)
        _, plan = by_year(problem, cheapest_first(problem), known)
        assert plan is not None
        whole = mended(ground, plan, no_prices(problem), Pace(lambda: 60.0, 1, 1, run_here, lambda _: None))
        before, after = before + len(ground.short(plan)), after + len(ground.short(whole))
    return before, after


def test_those_who_compete_for_a_place_mend_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anybody else being filled anew."""
    before, after = short_before_and_after(monkeypatch)
    assert before > after == 0


def test_who_can_spare_a_place_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few cells, of the short families and of those with more than displacement asks for; what they can't mend others may."""
    competing, asked = neighbourhoods._competing, list[tuple[bool, int, int]]()

    def watched(ground: Ground, plan: Standing, owner: int, families: Bools, *, sparing: bool) -> Bools:
        cells = competing(ground, plan, owner, families, sparing=sparing)
        spare = neighbourhoods._sparing(ground, plan)
        assert not spare[owner][families].any()
        demand = ground.problem.demand
        z, c = np.nonzero(cells)
        alone = np.logical_and((demand.origin_owner == owner)[:, None], families[demand.class_family])
        if sparing:
            assert (alone[z, c] | spare[demand.origin_owner[z], demand.class_family[c]]).all()
        asked.append((sparing, int(cells.sum()), int(competing(ground, plan, owner, families, sparing=False).sum())))
        return cells if sparing else alone

    monkeypatch.setattr(neighbourhoods, "_competing", watched)
    before, after = short_before_and_after(monkeypatch)
    assert after < before
    assert asked[0][0]
    assert sum(few for sparing, few, _ in asked if sparing) < sum(every for sparing, _, every in asked if sparing)


def test_latent_users_of_new_places_count_before_others_are_kept_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    cost, used = [0.0, 0.0], 0.0
    for seed in SEEDS:
        problem, known = full_outside(seed)
        limit, share = np.full_like(problem.displacement.latent_limit, 5.0), np.full_like(problem.displacement.share, 0.5)
        limits = replace(problem.displacement, latent_limit=limit, share=share, latent_cost=1.0)
        problem = replace(problem, displacement=limits, options=replace(problem.options, module=3 * problem.options.module))
        ground = Ground(problem)
        for number in range(2):
            with monkeypatch.context() as patch:
                if number:
                    patch.setattr(Period, "_latent", lambda self, short, taken: (np.zeros(len(short)), np.zeros(len(taken))))
                _, plan = by_year(problem, cheapest_first(problem), known)
            assert plan is not None
            assert not len(ground.short(plan))
            cost[number] += ground.upper(plan)
            used += float(plan.x[ground.core.places.latent[ground.core.places.latent >= 0]].sum())
    assert used > 0
    assert cost[0] < cost[1]


def test_flows_end_when_they_are_to_stop() -> None:
    problem = random_problem(1, MEDIUM)
    assert flows_by_year(problem, no_decisions(problem), no_prices(problem), stop=lambda: True) is None


def assert_nobody_lost(problem: Problem, flows: Flows) -> None:
    present = problem.demand.entrants.copy()
    waits = np.zeros_like(present)
    unmet = flows.pool == len(problem.pools.labels)
    np.add.at(waits, (flows.origin[unmet], flows.cls[unmet], flows.entry[unmet]), flows.amount[unmet])
    present[:, :, 1:] += waits[:, :, :-1] * problem.demand.survival[:, None]
    decided = np.zeros_like(present)
    np.add.at(decided, (flows.origin, flows.cls, flows.entry), flows.amount)
    np.testing.assert_allclose(decided, present, atol=1e-7)


def test_a_network_in_parts_has_the_same_cheapest_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    cells, pools = 60, 12
    pool = (np.arange(cells)[:, None] // 20 * 4 + random.integers(0, 4, (cells, 3))).ravel()  # three parts of four pools each
    cost, room, supply = random.integers(1, 1000, pool.size), random.integers(5, 40, pools), random.integers(1, 9, cells)
    found = []
    for most in (1, 10**9):
        monkeypatch.setattr(network, "PART_NODES", most)
        whole = network.Network()
        arcs = whole.add(np.repeat(np.arange(cells), 3), cells + pool, np.repeat(supply, 3), cost)
        whole.add(np.arange(cells), np.full(cells, cells + pools), supply, np.full(cells, 2000))
        whole.add(cells + np.arange(pools), np.full(pools, cells + pools), room, np.zeros(pools, np.int64))
        flow = whole.cheapest(supply, cells + pools, arcs)
        assert (np.bincount(pool, flow, pools) <= room).all()
        found.append((int(flow.sum()), int(flow @ cost)))
    assert found[0] == found[1]


def test_a_network_that_cannot_take_its_supply_says_so() -> None:
    one = np.ones(1, np.int64)
    for capacity in (3, 0):
        failing = network.Network()
        arcs = failing.add(0 * one, one, capacity * one, one)
        with pytest.raises(RuntimeError, match="no flow"):
            failing.cheapest(5 * one, 1, arcs)
