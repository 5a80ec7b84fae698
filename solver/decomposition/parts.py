"""One part of a standing plan as an integer programme of its own: the cells of some owners and their options.

All else is held as it stands, so that every row keeps what is left over for the part. The programme holds few arcs (each
cell's cheapest at good prices, those in use, and waiting), all at their true cost: whatever it finds is feasible for
the whole problem, and the whole plan's cost falls by exactly what the part saves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from scipy import sparse

from solver.backends.protocol import Limits, ModelSolution
from solver.decomposition.packages import Packages
from solver.decomposition.standing import BREACH, Ground, Standing
from solver.decomposition.tasks import Programme
from solver.formulation import MONEY
from solver.linear_model import ModelArrays
from solver.pricing import Arcs, Prices, displacement_share, flow_costs
from solver.problem import Bools, Floats, Ints, Problem
from solver.result import Flows

LEARNING = 0.5
"""Share of a part's duals in the prices after it."""
SPARE = 0.5
"""Places to spare from which a pool counts as free."""
WHOLE = 1e-6
"""How near a whole number a decision stands."""
LEAST_GAIN = 1e-9
"""Share of a part's cost below which a gain is solver's dust."""


class Charges:
    """What prices add to the arcs: they decide which arcs a part looks at, never what an arc costs.

    Capacity and displacement only; updated by what the parts learn.
    """

    def __init__(self, ground: Ground, prices: Prices) -> None:
        problem = ground.problem
        demand = problem.demand
        self.problem = problem
        self.owed: Floats = np.einsum("cvt,pt->cpv", demand.use, prices.capacity, optimize=True)
        """(C, P, T) for a unit that enters a pool in a period"""
        self.paid: Floats = np.einsum("cvt,lct->lcv", demand.stay, prices.displacement[:, demand.class_family, :], optimize=True)
        """(L, C, T) what displacement pays for it"""
        self.share = displacement_share(problem)
        self.capacity, self.displacement = prices.capacity.copy(), prices.displacement.copy()
        self.capacity_row = ground.core.capacity_row
        self.pool_of_row = np.full(ground.rows, -1)
        self.pool_of_row[ground.core.capacity_row] = np.arange(self.capacity.size).reshape(self.capacity.shape)
        limited = ground.core.displacement_row >= 0
        self.limit_of_row = np.full(ground.rows, -1)
        self.limit_of_row[ground.core.displacement_row[limited]] = np.nonzero(limited.ravel())[0]

    def let(self, ground: Ground, plan: Standing) -> None:
        """Places to spare in the plan become free, or nobody would look at them."""
        activity = ground.arrays.matrix @ plan.x + plan.use
        spare = (ground.arrays.row_upper - activity)[self.capacity_row] > SPARE
        pools = np.nonzero((spare & (self.capacity > 0)).any(axis=1))[0]
        self.capacity[spare] = 0.0
        self.owed[:, pools] = np.einsum("cvt,pt->cpv", self.problem.demand.use, self.capacity[pools], optimize=True)

    def learn(self, rows: Ints, dual: Floats) -> None:
        """Move the prices of a solved part's rows towards its duals: places to spare become cheaper, but not all at once for all."""
        demand = self.problem.demand
        place = self.pool_of_row[rows]
        flat = self.capacity.ravel()
        known = place >= 0
        flat[place[known]] = (1 - LEARNING) * flat[place[known]] + LEARNING * np.maximum(0.0, -dual[known]) / MONEY
        pools = np.unique(place[place >= 0] // self.capacity.shape[1])
        self.owed[:, pools] = np.einsum("cvt,pt->cpv", demand.use, self.capacity[pools], optimize=True)
        limit = self.limit_of_row[rows]
        flat = self.displacement.ravel()
        known = limit >= 0
        flat[limit[known]] = (1 - LEARNING) * flat[limit[known]] + LEARNING * np.maximum(0.0, dual[known]) / MONEY
        owners = np.unique(limit[limit >= 0] // int(np.prod(self.displacement.shape[1:])))
        self.paid[owners] = np.einsum("cvt,lct->lcv", demand.stay, self.displacement[owners][:, demand.class_family, :], optimize=True)


def arcs_near(problem: Problem, wanted: Bools, charged: Charges, each: int, flows: Flows) -> Arcs:
    """For each cell ``wanted`` (Z, C) the ``each`` cheapest arcs at prices, its wait, and those of ``flows``, sorted by cell and pool."""
    demand, pools = problem.demand, len(problem.pools.labels)
    origins = np.nonzero(wanted.any(axis=1))[0]
    worth = demand.stay @ problem.weight
    most = len(origins) * len(demand.classes) * len(problem.periods) * (each + 1)
    key, cost = np.empty(most, np.int64), np.empty(most)
    filled = _nearest(
        origins, demand.origin_owner, wanted, demand.entrants, worth, problem.weight, problem.pools.unit_cost * problem.pool_weight,
        demand.unmet_cost, problem.origin_weight, charged.owed, charged.paid, charged.share,
        problem.reach.start, problem.reach.pool, problem.reach.journey, each, key, cost,
    )  # fmt: skip
    shape = (*demand.entrants.shape, pools + 1)
    known = np.ravel_multi_index((flows.origin, flows.cls, flows.entry, flows.pool), shape)
    key, position = np.unique(np.concatenate([key[:filled], known]), return_index=True)
    costs = np.concatenate([cost[:filled], flow_costs(problem, flows)])[position]
    origin, cls, entry, pool = np.unravel_index(key, shape)
    return Arcs(origin, cls, entry, pool, costs)


@njit(cache=True)
def _nearest(  # type: ignore[no-untyped-def]
    origins, owner, wanted, entrants, worth, weight, unit_cost, unmet_cost, origin_weight, owed, paid, share,
    arc_start, arc_pool, arc_journey, each, key, cost,
):  # fmt: skip  # pragma: no cover - compiled
    classes, periods = entrants.shape[1], entrants.shape[2]
    pools = unit_cost.shape[1]
    best = np.empty(each)
    best_arc = np.empty(each, np.int64)
    filled = 0
    for z in origins:
        holder = owner[z]
        for c in range(classes):
            if not wanted[z, c]:
                continue
            began = False
            for v in range(periods):
                began |= entrants[z, c, v] > 0
                if not began:
                    continue
                count = 0
                for a in range(arc_start[c, z], arc_start[c, z + 1]):
                    p = arc_pool[a]
                    priced = worth[c, v] * (arc_journey[a] + unit_cost[c, p]) + owed[c, p, v] - share[c, p] * paid[holder, c, v]
                    if count < each or priced < best[count - 1]:
                        at = count if count < each else each - 1
                        while at > 0 and best[at - 1] > priced:
                            best[at] = best[at - 1]
                            best_arc[at] = best_arc[at - 1]
                            at -= 1
                        best[at] = priced
                        best_arc[at] = a
                        count = min(count + 1, each)
                cell = ((z * classes + c) * periods + v) * (pools + 1)
                for n in range(count):
                    a = best_arc[n]
                    key[filled] = cell + arc_pool[a]
                    cost[filled] = worth[c, v] * (arc_journey[a] + unit_cost[c, arc_pool[a]])
                    filled += 1
                key[filled] = cell + pools
                cost[filled] = weight[v] * unmet_cost[c] * origin_weight[z]
                filled += 1
    return filled


class Part:
    """The programme of some owners' cells and, when ``decide``, their options, all else held.

    ``cells`` (Z, C): those that are free instead, whoever's they are.
    """

    def __init__(
        self,
        ground: Ground,
        plan: Standing,
        owners: Ints,
        charged: Charges,
        *,
        each: int,
        decide: bool,
        packages: Packages | None = None,
        cells: Bools | None = None,
    ) -> None:
        self.ground, self.plan, self.decide = ground, plan, decide
        demand = ground.problem.demand
        everybody: Bools = np.repeat(np.isin(demand.origin_owner, owners)[:, None], len(demand.classes), axis=1)
        self.wanted = everybody if cells is None else cells
        own = Flows(*(column[self._mine(plan.flows)] for column in vars(plan.flows).values()))
        self.arcs = arcs_near(ground.problem, self.wanted, charged, each, own)
        matrix, beside_core = ground.entries(self.arcs)
        self.in_rows = matrix[: ground.rows]
        self.amount = _amounts(ground.problem, self.arcs, own)
        free = _free_columns(ground, owners, np.unique(self.in_rows.indices), decide)
        self.columns = np.nonzero(free)[0]
        held = ground.arrays.matrix @ np.where(free, 0.0, plan.x) + plan.use - self.in_rows @ self.amount
        beside = ground.arrays.matrix[:, self.columns]
        self.rows: Ints = np.union1d(beside.indices, self.in_rows.indices).astype(np.int64)
        core, rows, count = ground.arrays, self.rows, len(self.arcs.origin)
        # a row that stands broken by a hair must not make the part infeasible
        stands = (ground.by_row[rows] @ plan.x + plan.use[rows]) - held[rows]
        below = sparse.hstack([sparse.csc_matrix((matrix.shape[0] - ground.rows, len(self.columns))), matrix[ground.rows :]])
        self.model = ModelArrays(
            cost=np.concatenate([core.cost[self.columns], self.arcs.cost * MONEY]),
            lower=np.concatenate([core.lower[self.columns], np.zeros(count)]),
            upper=np.concatenate([core.upper[self.columns], np.full(count, np.inf)]),
            integer=np.concatenate([core.integer[self.columns], np.zeros(count, np.bool_)]),
            row_lower=np.concatenate([np.minimum(core.row_lower[rows] - held[rows], stands), beside_core.row_lower[ground.rows :]]),
            row_upper=np.concatenate([np.maximum(core.row_upper[rows] - held[rows], stands), beside_core.row_upper[ground.rows :]]),
            matrix=sparse.csc_matrix(sparse.vstack([sparse.hstack([beside[rows], self.in_rows[rows]]), below])),
            offset=0.0,
        )
        self.start = np.concatenate([plan.x[self.columns], self.amount])
        self._mending(held, stands)
        if packages is not None:
            self._in_packages(packages)

    def _mine(self, flows: Flows) -> Bools:
        """(flows,) those of the part's cells."""
        mine: Bools = self.wanted[flows.origin, flows.cls]
        return mine

    def _mending(self, held: Floats, stands: Floats) -> None:
        """Rows of displacement that stand short are to be mended: what they miss has a price beyond all others."""
        short = np.nonzero(np.isin(self.rows, self.ground.short(self.plan)))[0]
        if not len(short):
            return
        model, count = self.model, len(short)
        asked = (self.ground.arrays.row_lower - held)[self.rows[short]]
        row_lower = model.row_lower.copy()
        row_lower[short] = asked
        entries = sparse.csc_matrix((np.ones(count), (short, np.arange(count))), shape=(len(row_lower), count))
        self.model = replace(
            model,
            cost=np.append(model.cost, np.full(count, BREACH)),
            lower=np.append(model.lower, np.zeros(count)),
            upper=np.append(model.upper, np.full(count, np.inf)),
            integer=np.append(model.integer, np.zeros(count, np.bool_)),
            row_lower=row_lower,
            matrix=sparse.csc_matrix(sparse.hstack([model.matrix, entries])),
        )
        self.start = np.append(self.start, asked - stands[short])

    def _in_packages(self, packages: Packages) -> None:
        """Options in whole packages only: ``decision = sum of packages x its value, sum of packages = 1`` for every group."""
        model, plan = self.model, self.plan
        integer, count = model.integer.copy(), len(model.cost)
        right, start = list[Floats](), list[Floats]()
        ties, chosen = list[sparse.csc_matrix](), list[sparse.csc_matrix]()
        for group, known in zip(packages.groups, packages.values, strict=True):
            decided = group.columns[group.decisions]
            if not np.isin(decided, self.columns).all():
                continue
            values = np.unique([one[group.decisions] for one in known], axis=0)
            position = np.searchsorted(self.columns, decided)
            integer[position] = False
            entries = (np.ones(len(decided)), (np.arange(len(decided)), position))
            ties.append(sparse.csc_matrix(entries, shape=(len(decided) + 1, count)))
            chosen.append(sparse.csc_matrix(np.vstack([-values.T, np.ones((1, len(values)))])))
            right += [np.zeros(len(decided)), np.ones(1)]
            start.append((np.abs(values - plan.x[decided]).max(axis=1) < WHOLE).astype(float))
        if not chosen:
            return
        wide = sparse.block_diag(chosen, format="csc")
        new = wide.shape[1]
        above = sparse.hstack([model.matrix, sparse.csc_matrix((model.matrix.shape[0], new))])
        right_side = np.concatenate(right)
        self.model = ModelArrays(
            cost=np.append(model.cost, np.zeros(new)),
            lower=np.append(model.lower, np.zeros(new)),
            upper=np.append(model.upper, np.ones(new)),
            integer=np.append(integer, np.ones(new, np.bool_)),
            row_lower=np.append(model.row_lower, right_side),
            row_upper=np.append(model.row_upper, right_side),
            matrix=sparse.csc_matrix(sparse.vstack([above, sparse.hstack([sparse.vstack(ties), wide])])),
            offset=model.offset,
        )
        self.start = np.concatenate([self.start, *start])

    def task(self, limits: Limits) -> Programme:
        """The programme to solve."""
        return Programme(self.model, self.start, not self.decide, limits)

    def taken_up(self, plan: Standing, found: ModelSolution) -> Standing:
        """``plan`` with what was found, or ``plan`` itself when that is no better. Nothing in this part's rows may have moved since."""
        if found.x is None:
            return plan
        before, after = float(self.model.cost @ self.start), float(self.model.cost @ found.x)
        if after >= before - LEAST_GAIN * max(1.0, abs(before)):
            return plan
        count = len(self.columns)
        x = plan.x.copy()
        whole = self.ground.arrays.integer[self.columns] & self.decide
        x[self.columns] = np.where(whole, np.round(found.x[:count]), found.x[:count])
        amount = np.maximum(0.0, found.x[count : count + len(self.arcs.origin)])
        amount = np.where(amount > 1e-9, amount, 0.0)
        kept = (amount > 0) | (self.arcs.pool == len(self.ground.problem.pools.labels))
        others = ~self._mine(plan.flows)
        flows = Flows(
            *(
                np.concatenate([column[others], new[kept]])
                for column, new in zip(
                    vars(plan.flows).values(), (self.arcs.origin, self.arcs.cls, self.arcs.entry, self.arcs.pool, amount), strict=True
                )
            )
        )
        moved = amount - self.amount
        return Standing(x, flows, plan.use + self.in_rows @ moved, plan.flow_cost + float(self.arcs.cost @ moved) * MONEY)


def _amounts(problem: Problem, arcs: Arcs, flows: Flows) -> Floats:
    """Amount on each arc; arcs are sorted by cell and pool and hold those of the flows."""
    shape = (*problem.demand.entrants.shape, len(problem.pools.labels) + 1)
    key = np.ravel_multi_index((arcs.origin, arcs.cls, arcs.entry, arcs.pool), shape)
    position = np.searchsorted(key, np.ravel_multi_index((flows.origin, flows.cls, flows.entry, flows.pool), shape))
    return np.bincount(position, flows.amount, len(key)).astype(np.float64)


def _free_columns(ground: Ground, owners: Ints, touched: Ints, decide: bool) -> Bools:
    """Options of the owners, what stands beside the rows that they and the flows touch, and the purses they pay from."""
    owner = ground.decision_owner
    free = np.isin(owner, owners) & decide
    rows = np.zeros(ground.rows, np.bool_)
    rows[touched] = True
    rows[ground.arrays.matrix[:, np.nonzero(free)[0]].indices] = True
    beside = np.zeros(ground.columns, np.bool_)
    beside[ground.by_row[np.nonzero(rows)[0]].indices] = True
    is_money, purse_of_column, purse_of_row = ground.purses
    free |= beside & (owner < 0) & ~is_money
    if decide:
        free |= is_money & np.isin(purse_of_column, purse_of_row[rows])
    return free
