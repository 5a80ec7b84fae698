"""Several futures as one problem: options and funds are shared, who needs a place and where they go is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.formulation import option_part
from solver.pricing import flow_costs
from solver.problem import Floats, Problem
from solver.requirements import Measures, Quotas, Worlds
from solver.result import Beside, Flows, Solution


def stack(problems: Mapping[str, Problem], weight: Sequence[float]) -> Problem:
    """One problem whose cost is the weighted mean of the worlds'. ``weight`` sums to 1.

    Options, funds and what is required of them are those of the first; all worlds have the same owners, classes and pools.
    ValueError when they don't, or when the weights are no probabilities.
    """
    share = np.asarray(weight, float)
    worlds = list(problems.values())
    first = worlds[0]
    if len(share) != len(worlds) or (share <= 0).any() or abs(share.sum() - 1.0) > 1e-9:
        raise ValueError("every world needs a probability above 0, and together they are 1")
    for name, other in problems.items():
        for what, mine, theirs in (
            ("options", first.options.labels, other.options.labels),
            ("pools", first.pools.labels, other.pools.labels),
            ("classes", first.demand.classes, other.demand.classes),
            ("areas", first.demand.origins, other.demand.origins),
        ):
            if mine != theirs:
                raise ValueError(f"world {name} has other {what} than the first")
    if len(worlds) == 1:
        return first

    step_owner, step_pool = len(first.owners), len(first.pools.labels)
    demand, pools, links, displacement = first.demand, first.pools, first.links, first.displacement
    link_start = np.concatenate([[0], *(np.diff(world.links.start) for world in worlds)]).cumsum()
    return replace(
        first,
        owners=_named(first.owners, problems),
        demand=replace(
            demand,
            origins=_named(demand.origins, problems),
            origin_owner=np.concatenate([world.demand.origin_owner + n * step_owner for n, world in enumerate(worlds)]),
            entrants=np.concatenate([world.demand.entrants for world in worlds]),
        ),
        pools=replace(
            pools,
            labels=_named(pools.labels, problems),
            owner=np.concatenate([world.pools.owner + n * step_owner for n, world in enumerate(worlds)]),
            role=np.concatenate([world.pools.role for world in worlds]),
            capacity=np.concatenate([world.pools.capacity for world in worlds]),
            overflow_limit=np.concatenate([world.pools.overflow_limit for world in worlds]),
            accepts=np.concatenate([world.pools.accepts for world in worlds], axis=1),
            unit_cost=np.concatenate([world.pools.unit_cost for world in worlds], axis=1),
        ),
        links=replace(
            links,
            start=link_start.astype(np.int64),
            pool=np.concatenate([world.links.pool + n * step_pool for n, world in enumerate(worlds)]),
            cost=np.concatenate([world.links.cost for world in worlds]),
            minutes=np.concatenate([world.links.minutes for world in worlds]),
        ),
        displacement=replace(
            displacement,
            floor=np.concatenate([world.displacement.floor for world in worlds]),
            latent_limit=np.concatenate([world.displacement.latent_limit for world in worlds]),
        ),
        funds=replace(first.funds, eligible=_first_world_only(first.funds.eligible, len(worlds))),
        shares=None if first.shares is None else replace(first.shares, owners=_first_world_only(first.shares.owners, len(worlds))),
        quotas=_quotas(worlds),
        measures=_measures(worlds, share),
        constant=float(share @ [world.constant for world in worlds]),
        worlds=Worlds(tuple(problems), share),
    )


def _named(labels: tuple[str, ...], problems: Mapping[str, Problem]) -> tuple[str, ...]:
    return tuple(f"{label} ({name})" if n else label for n, name in enumerate(problems) for label in labels)


def _first_world_only(by_owner: NDArray[np.bool_], worlds: int) -> NDArray[np.bool_]:
    """Owners of other worlds hold no options and pay for none."""
    nobody = np.zeros_like(by_owner)
    return np.concatenate([by_owner, *[nobody] * (worlds - 1)], axis=1)


def _quotas(worlds: Sequence[Problem]) -> Quotas | None:
    parts = [world.quotas for world in worlds if world.quotas is not None]
    if not parts:
        return None
    return replace(
        parts[0],
        pool_group=np.concatenate([part.pool_group for part in parts]),
        limit=np.concatenate([part.limit for part in parts]),
    )


def _measures(worlds: Sequence[Problem], share: Floats) -> Measures | None:
    """Limits hold in the mean of the worlds."""
    parts = [world.measures for world in worlds if world.measures is not None]
    if not parts:
        return None
    return replace(
        parts[0],
        weight=np.concatenate([part.weight * p for part, p in zip(parts, share, strict=True)], axis=1),
        limit=np.asarray(share @ np.array([part.limit for part in parts])),
    )


def stacked_flows(problems: Mapping[str, Problem], flows: Mapping[str, Flows]) -> Flows:
    """Each world's flows as flows of ``stack``."""
    first, parts = next(iter(problems.values())), [flows[name] for name in problems]
    origins, pools, count = len(first.demand.origins), len(first.pools.labels), len(problems)
    return Flows(
        np.concatenate([part.origin + n * origins for n, part in enumerate(parts)]),
        np.concatenate([part.cls for part in parts]),
        np.concatenate([part.entry for part in parts]),
        np.concatenate([np.where(part.pool == pools, count * pools, part.pool + n * pools) for n, part in enumerate(parts)]),
        np.concatenate([part.amount for part in parts]),
    )


def unstack(stacked: Problem, problems: Mapping[str, Problem], solution: Solution) -> dict[str, Solution]:
    """The solution as it is in each world, at that world's own cost.

    ``lower`` is what the world costs at least with these options held: nothing is claimed about others.
    """
    if stacked.worlds is None:
        return dict.fromkeys(problems, solution)
    found = {}
    origins, pools, owners = (len(stacked.demand.origins), len(stacked.pools.labels), len(stacked.owners))
    count = len(problems)
    for n, (name, problem) in enumerate(problems.items()):
        flows, beside = solution.flows, solution.beside
        mine = flows.origin // (origins // count) == n
        pool = flows.pool[mine]
        local = Flows(
            flows.origin[mine] - n * (origins // count),
            flows.cls[mine],
            flows.entry[mine],
            np.where(pool == pools, pools // count, pool - n * (pools // count)),
            flows.amount[mine],
        )
        of_pool, of_owner = slice(n * pools // count, (n + 1) * pools // count), slice(n * owners // count, (n + 1) * owners // count)
        part = replace(
            beside,
            overflow=beside.overflow[of_pool],
            latent=beside.latent[of_pool],
            shortfall=beside.shortfall[of_pool],
            payment=beside.payment[:, of_owner] if n == 0 else beside.payment[:, : owners // count],
            over_quota=beside.over_quota[of_owner],
        )
        cost = world_cost(problem, solution, local, part)
        assert stacked.worlds is not None
        price = solution.capacity_price[of_pool] / stacked.worlds.weight[n]
        found[name] = replace(solution, upper=cost, lower=-np.inf, flows=local, beside=part, capacity_price=price)
    return found


def world_cost(problem: Problem, solution: Solution, flows: Flows, beside: Beside) -> float:
    """Cost of a solution's options with these flows in one world."""
    cost = problem.constant + option_part(problem, solution.decisions) + float(flow_costs(problem, flows) @ flows.amount)
    cost += problem.pools.overflow_cost * float((beside.overflow @ problem.weight).sum())
    cost += problem.displacement.latent_cost * float((beside.latent @ problem.weight).sum())
    if problem.viability is not None:
        cost += problem.viability.breach_cost * float((beside.shortfall @ problem.weight).sum())
    if problem.quotas is not None:
        cost += problem.quotas.breach_cost * float((beside.over_quota @ problem.weight).sum())
    if problem.funds.payment_cost is not None:
        cost += float((beside.payment.sum(axis=(1, 2)) * problem.funds.payment_cost).sum())
    return cost
