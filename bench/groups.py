"""Some owners of a large problem as a problem of their own: small enough for an exact optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from solver.problem import Ints, Problem


def group_alone(problem: Problem, owners: Ints) -> Problem:
    """The cells, pools, options and funds of these owners; what crosses to others is left out. Owners keep their numbers.

    ValueError for problems with parts that name pools or options (pins, viability, quotas, measures, worlds and the like).
    """
    extras = (problem.pins, problem.crews, problem.viability, problem.transfers, problem.shares, problem.grants, problem.quotas)
    if any(part is not None for part in (*extras, problem.measures, problem.worlds)):
        raise ValueError("a group alone is taken from plain problems only")
    demand, pools, links, options, funds = problem.demand, problem.pools, problem.links, problem.options, problem.funds
    z = np.nonzero(np.isin(demand.origin_owner, owners))[0]
    p = np.nonzero(np.isin(pools.owner, owners))[0]
    j = np.nonzero(np.isin(options.owner, owners))[0]
    k = np.nonzero(np.isin(options.start_option, j))[0]
    g = np.nonzero(funds.eligible[:, owners].any(axis=(1, 2)))[0]
    new_pool, new_option, new_start = (
        _numbers(p, len(pools.labels)),
        _numbers(j, len(options.labels)),
        _numbers(k, len(options.start_option)),
    )
    origin = np.repeat(np.arange(len(demand.origins)), np.diff(links.start))
    keep = np.isin(origin, z) & (new_pool[links.pool] >= 0)
    start = np.concatenate([[0], np.cumsum(np.bincount(_numbers(z, len(demand.origins))[origin[keep]], minlength=len(z)))])
    by_option = ("owner", "kind", "module", "min_modules", "max_modules", "max_stages", "removed", "kept", "exclusive", "committed_modules")
    by_start = ("start_year", "start_opens", "fixed_cost", "module_cost", "stage_cost", "fixed_spend", "module_spend", "stage_spend")
    return replace(
        problem,
        demand=replace(
            demand, origins=tuple(demand.origins[n] for n in z), origin_owner=demand.origin_owner[z], entrants=demand.entrants[z]
        ),
        pools=replace(
            pools,
            labels=tuple(pools.labels[n] for n in p),
            owner=pools.owner[p],
            role=pools.role[p],
            capacity=pools.capacity[p],
            overflow_limit=pools.overflow_limit[p],
            accepts=pools.accepts[:, p],
            unit_cost=pools.unit_cost[:, p],
        ),
        links=replace(links, start=start, pool=new_pool[links.pool[keep]], cost=links.cost[keep], minutes=links.minutes[keep]),
        options=replace(
            options,
            labels=tuple(options.labels[n] for n in j),
            **{name: np.asarray(getattr(options, name))[j] for name in by_option},
            **{name: np.asarray(getattr(options, name))[k] for name in by_start},
            pool=_kept(options.pool[j], new_pool),
            source_pool=_kept(options.source_pool[j], new_pool),
            prerequisite=_kept(options.prerequisite[j], new_option),
            committed_start=_kept(options.committed_start[j], new_start),
            start_option=new_option[options.start_option[k]],
            fill=None if options.fill is None else options.fill[k],
            disrupted=None if options.disrupted is None else options.disrupted[k],
        ),
        funds=replace(
            funds,
            labels=tuple(funds.labels[n] for n in g),
            amount=funds.amount[g],
            eligible=funds.eligible[g],
            carry_share=funds.carry_share[g],
            payment_cost=None if funds.payment_cost is None else funds.payment_cost[g],
        ),
        constant=0.0,
    )


def _numbers(kept: Ints, count: int) -> Ints:
    """New number of each kept entry, -1 for the others."""
    result = np.full(count, -1)
    result[kept] = np.arange(len(kept))
    return result


def _kept(index: Ints, numbers: Ints) -> Ints:
    result: Ints = np.where(index >= 0, numbers[np.maximum(index, 0)], -1)
    return result
