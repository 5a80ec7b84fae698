"""Problems in which need, phase and place of the shortage are drawn apart from where building is cheap.

Each owner is short of places for a few kinds of demand and has enough for the rest. Its cheap options serve what it has
enough of; what serves the shortage costs more, and stands near where the shortage is or far from it. ``mismatched`` draws
until the cheapest third of the options serves at most a tenth of the unmet demand. ``matched`` is short everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.problem import EXISTING, NEW, OUTSIDE, Bools, Demand, Displacement, Floats, Funds, Ints, Links, Options, Pools, Problem

SEEDS = range(1, 21)
MOST_SERVED = 0.1
"""Share of the unmet demand that the cheapest third may serve."""
OWNERS, ORIGINS_EACH, FAMILIES, PERIODS = 4, 6, 6, 4
SIDE_KM, OPTIONS_EACH = 40.0, 9
SHORT, ENOUGH = 0.45, 1.1
"""Places per user where an owner is short, and where it has enough."""


@dataclass(frozen=True)
class _Land:
    """Where origins are and what they need."""

    owner: Ints
    xy: Floats
    entrants: Floats
    survival: Floats
    stock: Floats
    """(L, H) users in the last period"""
    short: Bools
    """(L, H)"""


def mismatched(seed: int) -> Problem:
    """Draw until the cheapest third serves at most a tenth of the unmet demand."""
    random = np.random.default_rng([seed, 1])
    while True:
        problem, served = _problem(random, matched=False)
        if served <= MOST_SERVED:
            return problem


def matched(seed: int) -> Problem:
    """Short of everything everywhere."""
    return _problem(np.random.default_rng([seed, 2]), matched=True)[0]


def _problem(random: np.random.Generator, *, matched: bool) -> tuple[Problem, float]:
    land = _land(random, matched)
    schools, sites = OWNERS * 3, OWNERS * OPTIONS_EACH
    outside = OWNERS * 2
    owner = np.concatenate([np.repeat(np.arange(OWNERS), 3), np.repeat(np.arange(OWNERS), 2), np.repeat(np.arange(OWNERS), OPTIONS_EACH)])
    role = np.repeat([EXISTING, OUTSIDE, NEW], [schools, outside, sites])
    centre = land.xy.reshape(OWNERS, ORIGINS_EACH, 2).mean(axis=1)
    xy = centre[owner] + random.normal(0, 6, (len(owner), 2))
    accepts, capacity = _existing(random, land, owner, role)
    price, serves = _options(random, land, matched)
    accepts[:, role == NEW] = serves.T
    users = land.stock.sum(axis=1)
    capacity[role == OUTSIDE] = 0.5 * np.repeat(users / 2, 2)[:, None]
    unit = np.where(role == OUTSIDE, 60e3, 25e3)[None, :] * random.uniform(0.9, 1.1, (FAMILIES, len(owner)))
    lead = np.where(random.random(sites) < 0.5, 0, 1)
    start_option = np.repeat(np.arange(sites), PERIODS)
    year = np.tile(np.arange(PERIODS), sites)
    opens = year + lead[start_option]
    able = opens < PERIODS
    start_option, year, opens = start_option[able], year[able], opens[able]
    weight = 1.035 ** -np.arange(PERIODS, dtype=float)
    weight[-1] *= 8
    module, none = np.full(sites, 8.0), np.full(sites, -1)
    spend = np.zeros((len(year), PERIODS))
    spend[np.arange(len(year)), year] = (price * module)[start_option]
    problem = Problem(
        periods=tuple(f"year {t}" for t in range(PERIODS)),
        weight=weight,
        owners=tuple(f"council {n}" for n in range(OWNERS)),
        families=tuple(f"need and phase {h}" for h in range(FAMILIES)),
        years=tuple(f"year {t}" for t in range(PERIODS)),
        demand=Demand(
            origins=tuple(f"area {z}" for z in range(len(land.owner))),
            origin_owner=land.owner,
            classes=tuple(f"need and phase {h}" for h in range(FAMILIES)),
            class_family=np.arange(FAMILIES),
            entrants=land.entrants,
            survival=land.survival,
            unmet_cost=np.full(FAMILIES, 150e3),
        ),
        pools=Pools(
            labels=tuple(f"pool {p}" for p in range(len(owner))),
            owner=owner,
            role=role,
            capacity=capacity,
            overflow_limit=np.zeros_like(capacity),
            overflow_cost=5e3,
            accepts=accepts,
            unit_cost=unit,
        ),
        links=_links(land, xy),
        displacement=Displacement(
            np.full(FAMILIES, 0.5), np.zeros((OWNERS, FAMILIES, PERIODS)), np.zeros((OWNERS, FAMILIES, PERIODS)), 0.0
        ),
        options=Options(
            labels=tuple(f"project {j}" for j in range(sites)),
            owner=owner[role == NEW],
            kind=np.zeros(sites, np.int64),
            pool=np.nonzero(role == NEW)[0],
            module=module,
            min_modules=np.ones(sites, np.int64),
            max_modules=random.integers(2, 6, sites),
            max_stages=np.ones(sites, np.int64),
            source_pool=none,
            removed=np.zeros(sites),
            kept=np.zeros(sites),
            exclusive=none,
            prerequisite=none,
            committed_start=none,
            committed_modules=np.zeros(sites, np.int64),
            start_option=start_option,
            start_year=year,
            start_opens=opens,
            fixed_cost=np.full(len(year), 0.1e6) * 1.035**-year,
            module_cost=(price * module)[start_option] * 1.035**-year,
            stage_cost=np.zeros(len(year)),
            fixed_spend=np.where(np.arange(PERIODS)[None, :] == year[:, None], 0.1e6, 0.0),
            module_spend=spend,
            stage_spend=np.zeros_like(spend),
        ),
        funds=Funds(
            labels=tuple(f"council {n}" for n in range(OWNERS)),
            amount=np.repeat((users * 9e3)[:, None] / PERIODS, PERIODS, axis=1),
            eligible=np.eye(OWNERS, dtype=bool)[:, :, None],
            carry_share=np.ones((OWNERS, PERIODS)),
        ),
    )
    return problem, _served_by_cheapest(land, price, serves, problem)


def _land(random: np.random.Generator, matched: bool) -> _Land:
    centre = np.array([(x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)]) * SIDE_KM
    owner = np.repeat(np.arange(OWNERS), ORIGINS_EACH)
    xy = centre[owner] + random.normal(0, 7, (len(owner), 2))
    entrants = random.gamma(2.0, 2.0, (len(owner), FAMILIES, PERIODS))
    survival = random.uniform(0.7, 0.92, FAMILIES)
    lag = PERIODS - 1 - np.arange(PERIODS)
    there = np.einsum("zhv,hv->zh", entrants, survival[:, None] ** lag[None, :])
    stock = there.reshape(OWNERS, ORIGINS_EACH, FAMILIES).sum(axis=1)
    short = np.ones((OWNERS, FAMILIES), bool) if matched else np.zeros((OWNERS, FAMILIES), bool)
    if not matched:
        for council in range(OWNERS):
            short[council, random.choice(FAMILIES, 2, replace=False)] = True
    return _Land(owner, xy, entrants, survival, stock, short)


def _existing(random: np.random.Generator, land: _Land, owner: Ints, role: Ints) -> tuple[Bools, Floats]:
    """Schools take one third of the families each, so that a place for one is none for another."""
    accepts = np.zeros((FAMILIES, len(owner)), bool)
    capacity = np.zeros((len(owner), PERIODS))
    accepts[:, role == OUTSIDE] = True
    for council in range(OWNERS):
        mine = np.nonzero((owner == council) & (role == EXISTING))[0]
        for pool, families in zip(mine, np.array_split(random.permutation(FAMILIES), len(mine)), strict=True):
            accepts[families, pool] = True
            wanted = land.stock[council, families] * np.where(land.short[council, families], SHORT, ENOUGH)
            capacity[pool] = wanted.sum()
    return accepts, capacity


def _options(random: np.random.Generator, land: _Land, matched: bool) -> tuple[Floats, Bools]:
    """(J,) price of a place and (J, H) whom it serves: a cheap third, and a dear rest."""
    price = np.tile(np.where(np.arange(OPTIONS_EACH) < OPTIONS_EACH // 3, 1.0, 2.2), OWNERS) * 22e3
    price *= random.uniform(0.85, 1.15, len(price))
    serves = np.zeros((len(price), FAMILIES), bool)
    for j in range(len(price)):
        council, cheap = divmod(j, OPTIONS_EACH)[0], j % OPTIONS_EACH < OPTIONS_EACH // 3
        short, enough = np.nonzero(land.short[council])[0], np.nonzero(~land.short[council])[0]
        wanted = np.arange(FAMILIES) if matched else enough if cheap or random.random() < 0.25 else short
        serves[j, random.choice(wanted, min(2, len(wanted)), replace=False)] = True
    return price, serves


def _links(land: _Land, xy: Floats) -> Links:
    km = np.linalg.norm(land.xy[:, None] - xy[None], axis=2) * 1.3
    minutes = 8 + 1.6 * km
    origin, pool = np.nonzero(minutes <= 75)
    return Links(
        start=np.searchsorted(origin, np.arange(len(land.owner) + 1)),
        pool=pool,
        cost=3e3 + 350 * km[origin, pool],
        minutes=minutes[origin, pool],
        class_factor=np.ones(FAMILIES),
        class_limit=np.full(FAMILIES, 45.0),
        class_reach=np.full(FAMILIES, 75.0),
        excess_cost=100.0,
    )


def _served_by_cheapest(land: _Land, price: Floats, serves: Bools, problem: Problem) -> float:
    """Share of the unmet demand that the cheapest third of the options could serve."""
    unmet = np.where(land.short, land.stock * (1 - SHORT), 0.0)
    options = problem.options
    served = np.zeros_like(unmet)
    for j in np.argsort(price, kind="stable")[: len(price) // 3]:
        families = serves[j] & land.short[options.owner[j]]
        places = float(options.module[j] * options.max_modules[j])
        if families.any():
            served[options.owner[j], families] += places / families.sum()
    return float(np.minimum(served, unmet).sum() / unmet.sum())
