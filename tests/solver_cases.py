"""Random problems that hold every family of constraints, tiny (to enumerate) and medium (to decompose)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from solver_oracle import outside_use

from solver.problem import EXISTING, NEW, OUTSIDE, Bools, Demand, Displacement, Floats, Funds, Ints, Links, Options, Pools, Problem
from solver.result import Flows

FEATURES = frozenset(
    {
        "lead", "modules", "stages", "exclusive", "prerequisite", "conversion", "improvement", "committed", "funds", "carry",
        "overflow", "displacement", "latent", "survival", "reach", "excess",
    }
)  # fmt: skip
KINDS = 2
SCHOOL, BASE = 0, 1


@dataclass(frozen=True)
class Size:
    """Counts of a random problem."""

    owners: int
    families: int
    classes: int
    origins: int
    existing: int
    outside: int
    options: int
    periods: int
    most_modules: int
    side_km: float = 25.0


TINY = Size(owners=2, families=2, classes=2, origins=3, existing=2, outside=2, options=3, periods=2, most_modules=2)
LONG = replace(TINY, owners=1, origins=2, periods=3)
WIDE = replace(TINY, options=4)
MEDIUM = Size(owners=2, families=2, classes=4, origins=16, existing=8, outside=4, options=9, periods=4, most_modules=4)


def random_problem(seed: int, size: Size = TINY, features: frozenset[str] = FEATURES) -> Problem:
    """A problem with these features; without one its parameters are neutral. Costs are pounds, distances minutes."""
    random = np.random.default_rng(seed)
    owner_of = _owners(random, size)
    weight: Floats = 1.035 ** -np.arange(size.periods, dtype=float)
    weight[-1] *= 4.0
    demand = _demand(random, size, owner_of, features)
    pools = _pools(random, size, demand, features)
    options = _options(random, size, pools, weight, features)
    problem = Problem(
        periods=tuple(f"period {t}" for t in range(size.periods)),
        weight=weight,
        owners=tuple(f"owner {number}" for number in range(size.owners)),
        families=tuple(f"family {h}" for h in range(size.families)),
        years=tuple(f"year {f}" for f in range(size.periods)),
        demand=demand,
        pools=pools,
        links=_links(random, size, pools, demand, features),
        displacement=_no_floor(size, demand, features),
        options=options,
        funds=_funds(random, size, options, features),
        constant=1e5,
    )
    return with_floor(problem) if "displacement" in features else problem


def with_floor(problem: Problem) -> Problem:
    """The displacement floor: use of OUTSIDE pools when nothing at all is built."""
    return replace(problem, displacement=replace(problem.displacement, floor=outside_use(problem)))


def without_money(problem: Problem) -> Problem:
    """The same problem with empty funds."""
    return replace(problem, funds=replace(problem.funds, amount=np.zeros_like(problem.funds.amount)))


def scaled_money(problem: Problem, factor: float) -> Problem:
    """Every price, cost and fund times ``factor``."""
    demand, pools, links, options = problem.demand, problem.pools, problem.links, problem.options
    return replace(
        problem,
        constant=problem.constant * factor,
        demand=replace(demand, unmet_cost=demand.unmet_cost * factor),
        pools=replace(pools, unit_cost=pools.unit_cost * factor, overflow_cost=pools.overflow_cost * factor),
        links=replace(links, cost=links.cost * factor, excess_cost=links.excess_cost * factor),
        displacement=replace(problem.displacement, latent_cost=problem.displacement.latent_cost * factor),
        options=replace(
            options,
            fixed_cost=options.fixed_cost * factor,
            module_cost=options.module_cost * factor,
            stage_cost=options.stage_cost * factor,
            fixed_spend=options.fixed_spend * factor,
            module_spend=options.module_spend * factor,
            stage_spend=options.stage_spend * factor,
        ),
        funds=replace(problem.funds, amount=problem.funds.amount * factor),
    )


def _owners(random: np.random.Generator, size: Size) -> Ints:
    return np.sort(np.concatenate([np.arange(size.owners), random.integers(0, size.owners, size.origins - size.owners)])).astype(np.int64)


def _demand(random: np.random.Generator, size: Size, owner: Ints, features: frozenset[str]) -> Demand:
    family = np.arange(size.classes) % size.families
    entrants = np.round(random.gamma(2.0, 2.0, (size.origins, size.classes, size.periods)), 2)
    entrants[random.random(entrants.shape) < 0.2] = 0.0
    survival = random.uniform(0.6, 0.95, size.classes) if "survival" in features else np.zeros(size.classes)
    return Demand(
        origins=tuple(f"origin {z}" for z in range(size.origins)),
        origin_owner=owner,
        classes=tuple(f"class {c}" for c in range(size.classes)),
        class_family=family.astype(np.int64),
        entrants=entrants,
        survival=survival,
        unmet_cost=np.full(size.classes, 150e3),
    )


def _pools(random: np.random.Generator, size: Size, demand: Demand, features: frozenset[str]) -> Pools:
    role = np.repeat([EXISTING, OUTSIDE, NEW], [size.existing, size.outside, size.options])
    count = len(role)
    stock = np.einsum("zcv,cvt->t", demand.entrants, demand.stay)
    capacity = np.zeros((count, size.periods))
    capacity[role == EXISTING] = 0.4 * stock * random.dirichlet(np.full(size.existing, 3.0))[:, None]
    capacity[role == OUTSIDE] = 0.6 * stock * random.dirichlet(np.full(size.outside, 3.0))[:, None]
    limit = np.zeros_like(capacity)
    if "overflow" in features:
        limit[role == EXISTING] = 0.15 * capacity[role == EXISTING]
        capacity[0, 0] = -1.0  # earlier users hold more than there is
        limit[0, 0] = 1.5
    accepts: Bools = random.random((size.classes, count)) < 0.7
    accepts[:, role == OUTSIDE] |= random.random((size.classes, size.outside)) < 0.5
    cost = np.where(role == OUTSIDE, 60e3, 25e3)[None, :] * random.uniform(0.8, 1.2, (size.classes, count))
    return Pools(
        labels=tuple(f"pool {p}" for p in range(count)),
        owner=(np.arange(count) % size.owners).astype(np.int64),
        role=role.astype(np.int64),
        capacity=capacity,
        overflow_limit=limit,
        overflow_cost=8e3,
        accepts=accepts,
        unit_cost=cost,
    )


def _links(random: np.random.Generator, size: Size, pools: Pools, demand: Demand, features: frozenset[str]) -> Links:
    home = random.random((size.origins, 2)) * size.side_km
    site = random.random((len(pools.labels), 2)) * size.side_km
    minutes = 4.0 + 1.5 * np.hypot(*(home[:, None, :] - site[None, :, :]).transpose(2, 0, 1))
    near = minutes < 75.0
    origin, pool = np.nonzero(near)
    classes = len(demand.classes)
    return Links(
        start=np.concatenate([[0], np.cumsum(near.sum(axis=1))]).astype(np.int64),
        pool=pool.astype(np.int64),
        cost=200.0 * minutes[origin, pool],
        minutes=minutes[origin, pool],
        class_factor=random.uniform(0.5, 1.5, classes),
        class_limit=np.full(classes, 30.0),
        class_reach=random.choice([40.0, 60.0], classes) if "reach" in features else np.full(classes, 1e3),
        excess_cost=150.0 if "excess" in features else 0.0,
    )


def _no_floor(size: Size, demand: Demand, features: frozenset[str]) -> Displacement:
    shape = (size.owners, size.families, size.periods)
    stock = np.zeros(shape)
    held = np.einsum("zcv,cvt->zct", demand.entrants, demand.stay)
    np.add.at(stock, (demand.origin_owner[:, None], demand.class_family[None, :]), held)
    return Displacement(
        share=np.full(size.families, 0.6),
        floor=np.zeros(shape),
        latent_limit=0.2 * stock if "latent" in features else np.zeros(shape),
        latent_cost=3e3,
    )


def _options(random: np.random.Generator, size: Size, pools: Pools, weight: Floats, features: frozenset[str]) -> Options:
    count, periods = size.options, size.periods
    new = np.nonzero(pools.role == NEW)[0]
    kind = random.integers(0, KINDS, count)
    pool = new.copy()
    module = random.integers(2, 5, count).astype(float)
    most = random.integers(1, size.most_modules + 1, count) if "modules" in features else np.ones(count, np.int64)
    least = np.minimum(most, random.integers(1, 3, count))
    source, removed, kept = np.full(count, -1), np.zeros(count), np.zeros(count)
    exclusive, prerequisite = np.full(count, -1), np.full(count, -1)
    committed, committed_modules = np.full(count, -1), np.zeros(count, np.int64)
    parts = random.permutation(count)
    if "conversion" in features:
        source[parts[0]] = random.integers(1, size.existing)
        removed[parts[0]] = 0.5 * pools.capacity[source[parts[0]]].min()
    if "improvement" in features:
        improved = parts[1]
        pool[improved], module[improved], least[improved], most[improved] = -1, 0.0, 1, 1
        source[improved] = 0
        kept[improved] = 3.0
    lead = random.integers(0, 2, count) if "lead" in features else np.zeros(count, np.int64)
    if "exclusive" in features:
        exclusive[parts[[0, -1]]] = 0
    if "prerequisite" in features:
        prerequisite[parts[0]] = parts[1]
    option, year = np.nonzero(np.arange(periods)[None, :] + lead[:, None] < periods)
    opens = year + lead[option]
    if "committed" in features:
        done = parts[min(2, count - 2)]
        committed[done] = np.nonzero(option == done)[0][0]
        committed_modules[done] = most[done]
    stages = np.where((most > 1) & (random.random(count) < 0.7), 2, 1) if "stages" in features else np.ones(count, np.int64)
    per_place = np.where(kind == SCHOOL, 40e3, 20e3) * random.uniform(0.6, 1.4, count)
    fixed = per_place * (0.3 * module * most + np.where(pool < 0, 3.0, 0.0))
    spread = np.zeros((len(option), periods))
    for k, (first, last) in enumerate(zip(year, opens, strict=True)):
        spread[k, first : last + 1] = 1.0 / (last - first + 1)
    worth = (spread * 1.035 ** -np.arange(periods)).sum(axis=1) * 0.5
    per_module = 0.7 * per_place * module
    return Options(
        labels=tuple(f"option {j}" for j in range(count)),
        owner=np.where(pool >= 0, pools.owner[pool], 0).astype(np.int64),
        kind=kind.astype(np.int64),
        pool=pool.astype(np.int64),
        module=module,
        min_modules=least.astype(np.int64),
        max_modules=most.astype(np.int64),
        max_stages=stages.astype(np.int64),
        source_pool=source.astype(np.int64),
        removed=removed,
        kept=kept,
        exclusive=exclusive.astype(np.int64),
        prerequisite=prerequisite.astype(np.int64),
        committed_start=committed.astype(np.int64),
        committed_modules=committed_modules.astype(np.int64),
        start_option=option.astype(np.int64),
        start_year=year.astype(np.int64),
        start_opens=opens.astype(np.int64),
        fixed_cost=fixed[option] * worth,
        module_cost=per_module[option] * worth,
        stage_cost=0.2 * fixed[option] * worth,
        fixed_spend=fixed[option, None] * spread,
        module_spend=per_module[option, None] * spread,
        stage_spend=0.2 * fixed[option, None] * spread,
    )


def _funds(random: np.random.Generator, size: Size, options: Options, features: frozenset[str]) -> Funds:
    years = size.periods
    per_option = np.zeros(len(options.labels))
    dearest = options.fixed_spend.sum(axis=1) + options.max_modules[options.start_option] * options.module_spend.sum(axis=1)
    np.maximum.at(per_option, options.start_option, dearest)
    count = size.owners + 1 if "funds" in features else 1
    eligible = np.ones((count, size.owners, KINDS), bool)
    if "funds" in features:  # one fund per owner for everything, and one for the bases of all
        eligible[:-1] = np.eye(size.owners, dtype=bool)[:, :, None]
        eligible[-1, :, SCHOOL] = False
    amount = random.dirichlet(np.full(count, 3.0))[:, None] * random.dirichlet(np.ones(years), count) * 1.8 * per_option.sum()
    committed = np.nonzero(options.committed_start >= 0)[0]
    for j in committed:  # what is committed is paid for
        k = options.committed_start[j]
        amount[np.argmax(eligible[:, options.owner[j], options.kind[j]])] += (
            options.fixed_spend[k] + options.committed_modules[j] * options.module_spend[k]
        )
    share = random.uniform(0.1, 0.7, (count, years)) if "carry" in features else np.ones((count, years))
    return Funds(tuple(f"fund {g}" for g in range(count)), amount, eligible, share)


def without_floor(problem: Problem) -> Problem:
    floor = np.zeros_like(problem.displacement.floor)
    return replace(problem, displacement=replace(problem.displacement, floor=floor))


def with_floor_of(problem: Problem, flows: Flows) -> Problem:
    """Displacement asks for the use of OUTSIDE pools by these flows."""
    outside = np.append(problem.pools.role, EXISTING)[flows.pool] == OUTSIDE
    outside &= flows.pool < len(problem.pools.labels)
    floor = np.zeros_like(problem.displacement.floor)
    owner, family = problem.demand.origin_owner[flows.origin[outside]], problem.demand.class_family[flows.cls[outside]]
    np.add.at(floor, (owner, family), flows.amount[outside, None] * problem.demand.stay[flows.cls[outside], flows.entry[outside]])
    floor = np.maximum(0.0, floor * (1 - 1e-7) - 1e-6)
    return replace(problem, displacement=replace(problem.displacement, floor=floor))
