"""The allocation problem as frozen, checked arrays. It knows no schools: only origins, pools and options.

Index sets and letters used throughout the solver:

    z origins (Z)   c classes of demand (C)   i pools of places (P)   t periods (T)
    j options (J)   k possible starts of options (K)   f budget years (F)   g funds (G)
    l owners (L): who answers for an origin, a pool and an option
    h families (H): classes that share one displacement limit

A cell (z, c, v) is the demand of class c at origin z that enters in period v, with those who waited
from the period before. It chooses one pool and stays (``stay[c, v, t]`` of it is still there in period
t >= v and 0 before), or waits for a period without a place.
Amounts are in the caller's unit of demand, money in one currency; ``weight`` discounts periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solver.requirements import Crews, Grants, Measures, Pins, Quotas, Shares, Transfers, Viability, Worlds

if TYPE_CHECKING:
    from solver.pricing import Reach

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EXISTING, OUTSIDE, NEW = 0, 1, 2
"""Role of a pool in the displacement limit."""


@dataclass(frozen=True)
class Demand:
    """Who needs a place, when, and for how long."""

    origins: tuple[str, ...]
    origin_owner: Ints
    """(Z,) owner of each origin."""
    classes: tuple[str, ...]
    class_family: Ints
    """(C,) family of each class."""
    entrants: Floats
    """(Z, C, T) demand that enters in each period."""
    survival: Floats
    """(C,) share of a period's users who are still there in the next."""
    unmet_cost: Floats
    """(C,) weight of one unit without a place for one period."""
    load: Floats | None = None
    """(C,) places that one unit takes; None = 1."""

    @cached_property
    def use(self) -> Floats:
        """(C, T, T) places that a unit placed in period v takes in period t."""
        return self.stay if self.load is None else self.stay * self.load[:, None, None]

    @cached_property
    def stay(self) -> Floats:
        """(C, T, T) share of the entrants of period v that is still there in period t."""
        periods = np.arange(self.entrants.shape[2])
        lag = periods[None, :] - periods[:, None]
        stays = self.survival[:, None, None] ** np.maximum(lag, 0)[None]
        return np.where(lag[None] >= 0, stays, 0.0)


@dataclass(frozen=True)
class Pools:
    """Places that are interchangeable, and whom they accept."""

    labels: tuple[str, ...]
    owner: Ints
    """(P,)"""
    role: Ints
    """(P,) EXISTING, OUTSIDE (what new places are to displace) or NEW (opened by an option)."""
    capacity: Floats
    """(P, T) places less those held by users of before the first period; may be negative."""
    overflow_limit: Floats
    """(P, T) how far above capacity a pool may run."""
    overflow_cost: float
    """Weight of one unit above places for one period."""
    accepts: Bools
    """(C, P)"""
    unit_cost: Floats
    """(C, P) cost of one unit for one period."""


@dataclass(frozen=True)
class Links:
    """Journeys from origins to pools, by origin (compressed rows)."""

    start: Ints
    """(Z + 1,) first link of each origin."""
    pool: Ints
    cost: Floats
    """Cost of one unit for one period before the factor of the class."""
    minutes: Floats
    class_factor: Floats
    """(C,) times ``cost``."""
    class_limit: Floats
    """(C,) minutes beyond which ``excess_cost`` is charged."""
    class_reach: Floats
    """(C,) minutes beyond which there is no arc."""
    excess_cost: float
    """Weight of one minute above the limit for one unit and period."""


@dataclass(frozen=True)
class Displacement:
    """Limit on how much of the use of NEW pools may come out of OUTSIDE pools.

    For owner l, family h, period t:
    ``use of OUTSIDE + share[h] x (use of NEW + latent) >= floor[l, h, t]``,
    where latent users come from beyond the demand and are at most ``latent_limit[l, h, t]``.
    """

    share: Floats
    """(H,)"""
    floor: Floats
    """(L, H, T) use of OUTSIDE pools by entrants without any option."""
    latent_limit: Floats
    """(L, H, T)"""
    latent_cost: float


@dataclass(frozen=True)
class Options:
    """What may be built. Each option that adds places has a NEW pool (or an EXISTING one when committed)."""

    labels: tuple[str, ...]
    owner: Ints
    kind: Ints
    """(J,) index of the kind, for the eligibility of funds."""
    pool: Ints
    """(J,) pool of its places, -1 when it adds none."""
    module: Floats
    """(J,) places of one module."""
    min_modules: Ints
    max_modules: Ints
    max_stages: Ints
    source_pool: Ints
    """(J,) pool that loses ``removed`` and regains ``kept`` places when it opens, or -1."""
    removed: Floats
    kept: Floats
    exclusive: Ints
    """(J,) group of which at most one is built, or -1."""
    prerequisite: Ints
    """(J,) option that must be open no later, or -1."""
    committed_start: Ints
    """(J,) index k of the start of a committed option, or -1."""
    committed_modules: Ints
    start_option: Ints
    """(K,) option of each possible start."""
    start_year: Ints
    """(K,) budget year in which it starts."""
    start_opens: Ints
    """(K,) period in which it opens."""
    fixed_cost: Floats
    """(K,) present value of what does not depend on size."""
    module_cost: Floats
    """(K,) present value per module."""
    stage_cost: Floats
    """(K,) present value of opening a later stage."""
    fixed_spend: Floats
    """(K, F) undiscounted spending by budget year."""
    module_spend: Floats
    stage_spend: Floats
    fill: Floats | None = None
    """(K, T) share of a module's places that is open in each period (ramp-up, expiry); None = all from opening on."""
    disrupted: Floats | None = None
    """(K, T) further places of the source pool lost while it is built; None = none."""

    def open_share(self, periods: int) -> Floats:
        """(K, T) share of a module's places that is open in each period."""
        if self.fill is not None:
            return self.fill
        return (self.start_opens[:, None] <= np.arange(periods)[None, :]).astype(float)

    def taken(self, periods: int) -> Floats:
        """(K, T) places that a start takes from its source pool: removed less kept once open, and disruption."""
        after = self.start_opens[:, None] <= np.arange(periods)[None, :]
        change: Floats = (self.removed - self.kept)[self.start_option][:, None] * after
        return change if self.disrupted is None else change + self.disrupted


@dataclass(frozen=True)
class Funds:
    """Money by fund and budget year."""

    labels: tuple[str, ...]
    amount: Floats
    """(G, F)"""
    eligible: Bools
    """(G, L, kinds) whether the fund may pay for an owner's options of a kind."""
    carry_share: Floats
    """(G, F) share of the money in hand that may go into the next year."""
    payment_cost: Floats | None = None
    """(G, F) cost of one unit paid by a fund, beside the cost of the options; None = none."""


@dataclass(frozen=True)
class Problem:
    """One complete allocation problem. Raises ValueError when its arrays do not fit together."""

    periods: tuple[str, ...]
    weight: Floats
    """(T,) present value of one unit of money per period."""
    owners: tuple[str, ...]
    families: tuple[str, ...]
    years: tuple[str, ...]
    """Budget years."""
    demand: Demand
    pools: Pools
    links: Links
    displacement: Displacement
    options: Options
    funds: Funds
    constant: float = 0.0
    """Cost that no decision changes (users of before the first period)."""
    pins: Pins | None = None
    crews: Crews | None = None
    viability: Viability | None = None
    transfers: Transfers | None = None
    shares: Shares | None = None
    grants: Grants | None = None
    quotas: Quotas | None = None
    measures: Measures | None = None
    worlds: Worlds | None = None

    def __post_init__(self) -> None:
        origins, classes, periods = len(self.demand.origins), len(self.demand.classes), len(self.periods)
        pools, owners, families = len(self.pools.labels), len(self.owners), len(self.families)
        options, starts, years = len(self.options.labels), len(self.options.start_option), len(self.years)
        shapes: dict[str, tuple[NDArray[np.generic], tuple[int, ...]]] = {
            "weight": (self.weight, (periods,)),
            "entrants": (self.demand.entrants, (origins, classes, periods)),
            "survival": (self.demand.survival, (classes,)),
            "class_family": (self.demand.class_family, (classes,)),
            "unmet_cost": (self.demand.unmet_cost, (classes,)),
            "origin_owner": (self.demand.origin_owner, (origins,)),
            "capacity": (self.pools.capacity, (pools, periods)),
            "overflow_limit": (self.pools.overflow_limit, (pools, periods)),
            "accepts": (self.pools.accepts, (classes, pools)),
            "unit_cost": (self.pools.unit_cost, (classes, pools)),
            "pool role": (self.pools.role, (pools,)),
            "link start": (self.links.start, (origins + 1,)),
            "link cost": (self.links.cost, self.links.pool.shape),
            "link minutes": (self.links.minutes, self.links.pool.shape),
            "displacement share": (self.displacement.share, (families,)),
            "displacement floor": (self.displacement.floor, (owners, families, periods)),
            "latent limit": (self.displacement.latent_limit, (owners, families, periods)),
            "option pool": (self.options.pool, (options,)),
            "fixed cost": (self.options.fixed_cost, (starts,)),
            "fixed spend": (self.options.fixed_spend, (starts, years)),
            "fund amount": (self.funds.amount, (len(self.funds.labels), years)),
            "carry share": (self.funds.carry_share, (len(self.funds.labels), years)),
        }
        for name, (array, shape) in shapes.items():
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
            if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
                raise ValueError(f"{name} holds values that are not finite")
        self._check_parts()
        if (self.demand.entrants < 0).any():
            raise ValueError("entrants must not be negative")
        if self.links.pool.size and not 0 <= self.links.pool.min() <= self.links.pool.max() < pools:
            raise ValueError("a link names a pool that does not exist")

    def _check_parts(self) -> None:
        """Shapes of the optional parts."""
        options, starts, years = len(self.options.labels), len(self.options.start_option), len(self.years)
        owners, periods, funds = len(self.owners), len(self.periods), len(self.funds.labels)
        worlds = len(self.worlds.labels) if self.worlds else 1
        shapes: dict[str, tuple[NDArray[np.generic] | None, tuple[int, ...]]] = {
            "load": (self.demand.load, (len(self.demand.classes),)),
            "fill": (self.options.fill, (starts, periods)),
            "disrupted": (self.options.disrupted, (starts, periods)),
            "payment cost": (self.funds.payment_cost, (funds, years)),
        }
        if self.pins:
            shapes |= {"must": (self.pins.must, (options,)), "lag": (self.pins.lag, (options,)), "bundle": (self.pins.bundle, (options,))}
        if self.crews:
            shapes |= {"building": (self.crews.building, (starts, years)), "crew limit": (self.crews.limit, (owners // worlds, years))}
        if self.viability:
            shapes |= {"least use": (self.viability.least, (options,)), "settle": (self.viability.settle, (options,))}
        if self.transfers:
            shapes["transfer limit"] = (self.transfers.limit, (len(self.transfers.source), years))
        if self.grants:
            shapes["grants"] = (self.grants.amount, (starts, years))
        if self.shares:
            named = len(self.shares.labels)
            shapes |= {"share funds": (self.shares.funds, (named, funds)), "share": (self.shares.share, (named,))}
        if self.quotas:
            groups = int(self.quotas.pool_group.max(initial=-1)) + 1
            shapes["quota limit"] = (self.quotas.limit, (owners, max(groups, self.quotas.limit.shape[1]), periods))
        if self.measures:
            shapes["measure weight"] = (self.measures.weight, (len(self.measures.labels), len(self.demand.origins)))
        for name, (array, shape) in shapes.items():
            if array is not None and array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
        for name, size in (("origins", len(self.demand.origins)), ("pools", len(self.pools.labels)), ("owners", owners)):
            if size % worlds:
                raise ValueError(f"{size} {name} can't be laid out in {worlds} worlds")

    def _world_weight(self, size: int) -> Floats:
        return np.ones(size) if self.worlds is None else np.repeat(self.worlds.weight, size // len(self.worlds.labels))

    @cached_property
    def origin_weight(self) -> Floats:
        """(Z,) probability of the world of each origin."""
        return self._world_weight(len(self.demand.origins))

    @cached_property
    def pool_weight(self) -> Floats:
        """(P,) probability of the world of each pool."""
        return self._world_weight(len(self.pools.labels))

    @cached_property
    def owner_weight(self) -> Floats:
        """(L,) probability of the world of each owner."""
        return self._world_weight(len(self.owners))

    def pool_copies(self, pool: Ints) -> Ints:
        """(W, n) these pools of the first world in each world."""
        return np.asarray(pool)[None, :] if self.worlds is None else self.worlds.copies(pool, len(self.pools.labels))

    @cached_property
    def reach(self) -> Reach:
        """Arcs by class and origin, built on first use."""
        from solver.pricing import reach_of

        return reach_of(self)

    @cached_property
    def arcs(self) -> int:
        """Number of (origin, class, period of entry, pool) arcs within reach."""
        from solver.pricing import count_arcs

        return count_arcs(self)

    def size(self) -> str:
        """One line for logs."""
        demand = self.demand
        return (
            f"{len(demand.origins):,} areas, {len(demand.classes)} classes, {len(self.periods)} years, "
            f"{int((demand.entrants > 0).sum()):,} cells, {len(self.pools.labels):,} pools, {self.links.pool.size:,} links, "
            f"{self.arcs:,} arcs, {len(self.options.labels)} options with {len(self.options.start_option)} starts"
        )
