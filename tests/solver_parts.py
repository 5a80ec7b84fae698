"""Optional parts of random problems: one function each, drawn so that the part changes the optimum now and then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from solver_cases import random_problem, with_floor
from solver_oracle import nothing

from solver.problem import EXISTING, NEW, OUTSIDE, Problem
from solver.requirements import (
    Crews,
    Grants,
    Measure,
    Measures,
    Pins,
    Quotas,
    Shares,
    Transfers,
    Viability,
    Worlds,
)

Random = np.random.Generator


def _pins(problem: Problem) -> Pins:
    options = len(problem.options.labels)
    return problem.pins or Pins(np.zeros(options, bool), np.zeros(options, np.int64), np.full(options, -1), np.zeros(options, np.int64))


def with_load(problem: Problem, random: Random) -> Problem:
    return replace(problem, demand=replace(problem.demand, load=random.uniform(0.4, 1.0, len(problem.demand.classes))))


def with_ramp(problem: Problem, random: Random) -> Problem:
    """Places fill in steps, and one option's places expire after a period."""
    options, periods = problem.options, len(problem.periods)
    lag = np.arange(periods)[None, :] - options.start_opens[:, None]
    fill = np.where(lag < 0, 0.0, np.minimum(1.0, 0.5 + 0.5 * lag))
    fill[(options.start_option == random.integers(len(options.labels)))[:, None] & (lag > 0)] = 0.0
    return replace(problem, options=replace(options, fill=fill))


def with_disruption(problem: Problem, random: Random) -> Problem:
    """An option that builds at an existing pool takes places from it until it opens."""
    options, periods = problem.options, len(problem.periods)
    source = options.source_pool.copy()
    source[-1] = np.nonzero(problem.pools.role == EXISTING)[0][-1]
    before = np.arange(periods)[None, :] < options.start_opens[:, None]
    lost = np.where(before & (options.start_option == len(options.labels) - 1)[:, None], random.uniform(1.0, 3.0), 0.0)
    return replace(problem, options=replace(options, source_pool=source, disrupted=lost))


def with_must(problem: Problem, random: Random) -> Problem:
    pins, able = _pins(problem), payable_alone(problem)
    must = pins.must.copy()
    must[random.choice(able)] = True
    return replace(problem, pins=replace(pins, must=must))


def with_least(problem: Problem, random: Random) -> Problem:
    pins, able = _pins(problem), payable_alone(problem)
    least = pins.least_modules.copy()
    chosen = random.choice(able)
    least[chosen] = problem.options.max_modules[chosen]
    return replace(problem, pins=replace(pins, least_modules=least))


def payable_alone(problem: Problem) -> list[int]:
    """Options that can be built at full size with nothing else but what is committed: without these a pin could have no plan."""
    from solver_oracle import all_decisions

    options = problem.options
    able = []
    for decisions in all_decisions(problem):
        new = [int(j) for j in np.unique(options.start_option[decisions.start > 0]) if options.committed_start[j] < 0]
        if len(new) == 1 and decisions.modules[options.start_option == new[0]].sum() == options.max_modules[new[0]]:
            able.append(new[0])
    free = np.nonzero(options.committed_start < 0)[0].tolist()
    return sorted(set(able)) or free


def with_bundle(problem: Problem, random: Random) -> Problem:
    pins = _pins(problem)
    free = np.nonzero(problem.options.committed_start < 0)[0]
    bundle = pins.bundle.copy()
    bundle[random.permutation(free)[:2]] = 0
    return replace(problem, pins=replace(pins, bundle=bundle))


def with_lag(problem: Problem, random: Random) -> Problem:
    pins, options = _pins(problem), problem.options
    needs = options.prerequisite.copy()
    first, second = random.permutation(len(options.labels))[:2]
    needs[:], lag = -1, pins.lag.copy()
    needs[first], lag[first] = second, 1
    return replace(problem, options=replace(options, prerequisite=needs), pins=replace(pins, lag=lag))


def with_crews(problem: Problem, random: Random) -> Problem:
    options, years = problem.options, np.arange(len(problem.years))
    building = (years >= options.start_year[:, None]) & (years <= options.start_opens[:, None])
    committed = options.committed_start[options.committed_start >= 0]
    limit = np.full((len(problem.owners), len(years)), 1.0)
    for k in committed:
        limit[options.owner[options.start_option[k]]] += building[k]
    limit[random.integers(len(problem.owners)), 0] = np.inf
    return replace(problem, crews=Crews(building, limit))


def with_viability(problem: Problem, random: Random) -> Problem:
    options = problem.options
    most = options.module * options.max_modules
    least = np.where(options.pool >= 0, np.round(random.uniform(0.3, 0.9) * most), 0.0)
    share = np.where(random.random(len(most)) < 0.5, random.uniform(0.5, 1.0), 0.0)
    return replace(problem, viability=Viability(least, share, random.integers(0, 2, len(most)), 40e3))


def with_transfers(problem: Problem, random: Random) -> Problem:
    funds, years = len(problem.funds.labels), len(problem.years)
    limit = random.uniform(0.0, 1.0, (1, years)) * problem.funds.amount.sum() / years
    return replace(problem, transfers=Transfers(np.array([funds - 1]), np.array([0]), limit))


def with_shares(problem: Problem, random: Random) -> Problem:
    """Some of all that is paid goes to the bases; a fixed sum is not asked for, since nothing may be built."""
    kinds = np.zeros((1, problem.funds.eligible.shape[2]), bool)
    kinds[0, -1] = True
    every = np.ones((1, len(problem.funds.labels)), bool)
    owners = np.ones((1, len(problem.owners)), bool)
    return replace(problem, shares=Shares(("bases",), every, kinds, owners, np.array([random.uniform(0.3, 0.7)]), np.zeros(1)))


def with_grants(problem: Problem, random: Random) -> Problem:
    options = problem.options
    fund = np.full(len(options.labels), -1)
    fund[random.integers(len(fund))] = 0
    amount = np.zeros_like(options.fixed_spend)
    amount[np.arange(len(amount)), np.minimum(options.start_year, amount.shape[1] - 1)] = (
        random.uniform(0.2, 0.6) * problem.funds.amount.sum()
    )
    return replace(problem, grants=Grants(fund, amount))


def with_payment_cost(problem: Problem, random: Random) -> Problem:
    cost = random.uniform(0.0, 0.6, problem.funds.amount.shape)
    return replace(problem, funds=replace(problem.funds, payment_cost=cost))


def with_quotas(problem: Problem, random: Random) -> Problem:
    """Agreed places at other owners' pools; independent ones are not counted."""
    pools = problem.pools
    group = np.where(pools.role == OUTSIDE, -1, pools.owner)
    limit = np.full((len(problem.owners), len(problem.owners), len(problem.periods)), np.inf)
    for home, host in np.ndindex(limit.shape[:2]):
        if home != host:
            limit[home, host] = random.uniform(0.0, 2.0)
    if len(problem.owners) == 1:
        limit[:] = random.uniform(2.0, 5.0)
    return replace(problem, quotas=Quotas(group, limit, 70e3))


def with_measures(problem: Problem, random: Random) -> Problem:
    """A cap on minutes, one on independent places, and a fair share of both waiting and minutes for the first origin."""
    stay = np.einsum("zcv,cvt->zt", problem.demand.entrants, problem.demand.stay) @ problem.weight
    origins = len(stay)
    total, group = np.ones(origins), np.zeros(origins)
    group[0] = 1.0
    fair = group - 1.05 * stay[0] / stay.sum()
    minutes = random.uniform(15.0, 25.0) * stay.sum()
    return replace(
        problem,
        measures=Measures(
            ("minutes", "outside", "fair waiting", "fair minutes"),
            (Measure.MINUTES, Measure.OUTSIDE, Measure.UNMET, Measure.MINUTES),
            np.stack([total, total, fair, fair]),
            np.array([minutes, 0.35 * stay.sum(), 0.0, 0.0]),
            np.array([300.0, 20e3, 30e3, 200.0]),
        ),
    )


def with_worlds(problem: Problem, random: Random) -> Problem:
    """A second future with other demand, in which the same options act."""
    return two_worlds(problem, random.uniform(0.4, 1.6, problem.demand.entrants.shape), random.uniform(0.3, 0.7))


def two_worlds(problem: Problem, change: np.ndarray, first: float) -> Problem:
    """The problem and a copy whose entrants are changed by a factor, with these probabilities."""
    demand, pools, links, displacement = problem.demand, problem.pools, problem.links, problem.displacement
    count, owners = len(pools.labels), len(problem.owners)
    return replace(
        problem,
        worlds=Worlds(("first", "second"), np.array([first, 1 - first])),
        owners=problem.owners + tuple(f"{name} again" for name in problem.owners),
        demand=replace(
            demand,
            origins=demand.origins + tuple(f"{name} again" for name in demand.origins),
            origin_owner=np.concatenate([demand.origin_owner, demand.origin_owner + owners]),
            entrants=np.concatenate([demand.entrants, np.round(demand.entrants * change, 2)]),
        ),
        pools=replace(
            pools,
            labels=pools.labels + tuple(f"{name} again" for name in pools.labels),
            owner=np.concatenate([pools.owner, pools.owner + owners]),
            role=np.tile(pools.role, 2),
            capacity=np.tile(pools.capacity, (2, 1)),
            overflow_limit=np.tile(pools.overflow_limit, (2, 1)),
            accepts=np.tile(pools.accepts, (1, 2)),
            unit_cost=np.tile(pools.unit_cost, (1, 2)),
        ),
        links=replace(
            links,
            start=np.concatenate([links.start, links.start[1:] + links.start[-1]]),
            pool=np.concatenate([links.pool, links.pool + count]),
            cost=np.tile(links.cost, 2),
            minutes=np.tile(links.minutes, 2),
        ),
        displacement=replace(
            displacement, floor=np.tile(displacement.floor, (2, 1, 1)), latent_limit=np.tile(displacement.latent_limit, (2, 1, 1))
        ),
        funds=replace(problem.funds, eligible=np.concatenate([problem.funds.eligible, np.zeros_like(problem.funds.eligible)], axis=1)),
    )


PARTS: dict[str, Callable[[Problem, Random], Problem]] = {
    "load": with_load,
    "ramp": with_ramp,
    "disruption": with_disruption,
    "lag": with_lag,
    "bundle": with_bundle,
    "grants": with_grants,
    "transfers": with_transfers,
    "payment cost": with_payment_cost,
    "shares": with_shares,
    "crews": with_crews,
    "must": with_must,
    "least": with_least,
    "viability": with_viability,
    "worlds": with_worlds,
    "quotas": with_quotas,
    "measures": with_measures,
}
"""In the order in which several can be put together."""


def problem_with(seed: int, size: object, features: frozenset[str], parts: list[str]) -> Problem:
    """A random problem with these parts, its displacement floor that of nothing being built."""
    problem = random_problem(seed, size, features)  # type: ignore[arg-type]
    random = np.random.default_rng([seed, 7])
    for name in PARTS:
        if name in parts:
            problem = PARTS[name](problem, random)
    free = replace(problem, displacement=replace(problem.displacement, floor=np.zeros_like(problem.displacement.floor)))
    return with_floor(free) if "displacement" in features else free


__all__ = ["NEW", "PARTS", "nothing", "problem_with", "two_worlds"]
