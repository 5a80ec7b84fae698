"""Large-neighbourhood search: better plans part by part, each step feasible and at its true cost.

    fill      with options held, clusters of owners in turn take their cheapest places, in other clusters each round,
              looking at the arcs that the prices and then the duals of the last round favour (column generation)
    improve   an owner with its options, then owners with their neighbours, larger groups each time round

Parts that share no row are solved side by side; which ones does not depend on how many machines there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from solver.backends.protocol import Limits
from solver.decomposition.packages import Packages
from solver.decomposition.parts import Charges, Part
from solver.decomposition.standing import Ground, Standing
from solver.decomposition.tasks import Run
from solver.pricing import Prices
from solver.problem import OUTSIDE, Bools, Floats, Ints, Problem

FILL_ARCS, IMPROVE_ARCS = 10, 6
"""Arcs that a part looks at for each cell: with few, cells wait though there are places elsewhere."""
LEAST_SWEEP_GAIN = 2e-4
"""Share of the cost below which another round of filling is not worth its time."""
PART_SECONDS, FILL_SECONDS, PART_GAP = 30.0, 300.0, 1e-4
CLUSTER_CELLS = 30_000
"""Cells of the owners whose flows are filled together: one alone can't give up a place that a neighbour needs more."""
PACKAGED = 2
"""Owners more in a group that chooses among packages than in one whose options are all free."""
LEAST_SPARED = 1e-3
"""Pupils above what displacement asks of a family from which it can spare a place."""
MENDING = (1, 3, 6, 12)
"""Owners together whose flows are mended."""
TOGETHER = 8
"""Most parts solved side by side."""


@dataclass(frozen=True)
class Pace:
    """How long and with what to search."""

    left: Callable[[], float]
    """Seconds left."""
    threads: int
    seed: int
    run: Run
    note: Callable[[float], None]
    """Told the cost of each better plan (in millions)."""
    interrupted: Callable[[], bool] | None = None

    def limits(self, seconds: float) -> Limits:
        """Of one part."""
        return Limits(PART_GAP, max(1.0, min(seconds, self.left())), self.threads, self.seed, self.interrupted)


def filled(ground: Ground, plan: Standing, prices: Prices, pace: Pace) -> Standing:
    """The plan with its options held and its flows as cheap as neighbour with neighbour can make them."""
    charged = Charges(ground, prices)
    random = np.random.default_rng(pace.seed)
    near = nearness(ground.problem)
    before = np.inf
    while before - ground.upper(plan) > LEAST_SWEEP_GAIN * abs(ground.upper(plan)) and pace.left() > 0:
        before = ground.upper(plan)
        plan = _refilled(ground, plan, charged, pace, clusters(ground.problem, near, CLUSTER_CELLS, random))
        charged.let(ground, plan)
        pace.note(ground.upper(plan))
    return plan


def mended(ground: Ground, plan: Standing, prices: Prices, pace: Pace) -> Standing:
    """A plan short of what displacement asks for, filled anew until it is not.

    First each short family with those of all others that can spare a place and use OUTSIDE pools that it reaches (few, so that it takes
    seconds), then with all who use these, then the owners concerned and ever more neighbours.
    """
    charged = Charges(ground, prices)
    near = nearness(ground.problem)
    for sparing in (True, False):
        for owner in np.nonzero(_short_families(ground, plan).any(axis=1))[0]:
            families = _short_families(ground, plan)[owner]
            if families.any() and pace.left() > 0:
                cells = _competing(ground, plan, int(owner), families, sparing=sparing)
                plan = _round(ground, plan, [np.array([owner])], charged, pace, decide=False, cells=cells)
    for size in MENDING:
        owners = np.nonzero(_short_families(ground, plan).any(axis=1))[0]
        groups = {tuple(sorted([int(owner), *_nearest_owners(near[owner], _owners(ground.problem), size - 1)])) for owner in owners}
        plan = _refilled(ground, plan, charged, pace, [_copies(ground.problem, np.array(group)) for group in sorted(groups)])
    return plan


def _short_families(ground: Ground, plan: Standing) -> Bools:
    """(L, H) families of owners that are short in any period."""
    short: Bools = np.logical_or.reduce(np.isin(ground.core.displacement_row, ground.short(plan)), axis=2)
    return short


def _sparing(ground: Ground, plan: Standing) -> Bools:
    """(L, H) families of owners that use more than displacement asks for, in every period."""
    rows = ground.core.displacement_row
    limited = rows >= 0
    slack = np.full(rows.shape, np.inf)
    use = ground.by_row[rows[limited]] @ plan.x + plan.use[rows[limited]]
    slack[limited] = use - ground.arrays.row_lower[rows[limited]]
    sparing: Bools = slack.min(axis=2) > LEAST_SPARED
    return sparing


def _competing(ground: Ground, plan: Standing, owner: int, families: Bools, *, sparing: bool) -> Bools:
    """(Z, C) cells of an owner's families, and all (or those of ``sparing`` families) who use an OUTSIDE pool within their reach."""
    problem = ground.problem
    demand, reach, pools = problem.demand, problem.reach, len(problem.pools.labels)
    cells: Bools = np.logical_and((demand.origin_owner == owner)[:, None], families[demand.class_family])
    reached = np.zeros(pools + 1, np.bool_)
    for z, c in zip(*np.nonzero(cells), strict=True):
        reached[reach.pool[reach.start[c, z] : reach.start[c, z + 1]]] = True
    reached[:-1] &= problem.pools.role == OUTSIDE
    uses = reached[plan.flows.pool] & (plan.flows.amount > 0)
    if sparing:
        uses &= _sparing(ground, plan)[demand.origin_owner[plan.flows.origin], demand.class_family[plan.flows.cls]]
    cells[plan.flows.origin[uses], plan.flows.cls[uses]] = True
    return cells


def _refilled(ground: Ground, plan: Standing, charged: Charges, pace: Pace, groups: Sequence[Ints]) -> Standing:
    """Every group's flows in turn, options held."""
    for batch in _batches(ground, groups):
        if pace.left() > 0:
            plan = _round(ground, plan, batch, charged, pace, decide=False)
    return plan


def improved(
    ground: Ground,
    plan: Standing,
    prices: Prices,
    pace: Pace,
    *,
    enough: Callable[[float], bool],
    packages: Packages | None = None,
    again: Callable[[Standing], Standing | None] = lambda _: None,
) -> Standing:
    """A plan at most as dear, found part by part until time is up or the cost is ``enough``.

    ``packages``: whole programmes to choose from, tried on larger groups before every option is free on smaller ones.
    ``again``: the same options with all flows sought anew, before they are filled cluster by cluster after each time round.
    """
    charged = Charges(ground, prices)
    random = np.random.default_rng(pace.seed)
    near = nearness(ground.problem)
    size = 1
    while pace.left() > 0 and not enough(ground.upper(plan)):
        before = ground.upper(plan)
        if packages is not None:
            packages.add(plan.x)
            charged.let(ground, plan)
            for batch in _batches(ground, _groups(ground, near, size + PACKAGED, random)):
                plan = _round(ground, plan, batch, charged, pace, decide=True, packages=packages)
                pace.note(ground.upper(plan))
                if pace.left() <= 0 or enough(ground.upper(plan)):
                    return plan
        groups = _groups(ground, near, size, random)
        charged.let(ground, plan)
        for batch in _batches(ground, groups):
            plan = _round(ground, plan, batch, charged, pace, decide=True)
            pace.note(ground.upper(plan))
            if pace.left() <= 0 or enough(ground.upper(plan)):
                return plan
        plan = min(plan, again(plan) or plan, key=ground.upper)
        plan = _refilled(ground, plan, charged, pace, clusters(ground.problem, near, CLUSTER_CELLS, random))
        pace.note(ground.upper(plan))
        if before - ground.upper(plan) <= LEAST_SWEEP_GAIN * abs(before) or size == 1:
            size = size + 1 if size < len(groups) else 1
    return plan


def _round(
    ground: Ground,
    plan: Standing,
    batch: Sequence[Ints],
    charged: Charges,
    pace: Pace,
    *,
    decide: bool,
    packages: Packages | None = None,
    cells: Bools | None = None,
) -> Standing:
    """Solve parts side by side and take up what each found."""
    each = IMPROVE_ARCS if decide else FILL_ARCS
    parts = [Part(ground, plan, owners, charged, each=each, decide=decide, packages=packages, cells=cells) for owners in batch]
    found = pace.run([part.task(pace.limits(PART_SECONDS if decide else FILL_SECONDS)) for part in parts])
    moved = np.zeros(ground.rows, np.bool_)
    for part, solution in zip(parts, found, strict=True):
        if moved[part.rows].any():
            continue
        if solution.row_dual is not None:
            charged.learn(part.rows, solution.row_dual[: len(part.rows)])
        after = part.taken_up(plan, solution)
        if after is not plan:
            moved[part.rows] = True
            plan = after
    return plan


def nearness(problem: Problem) -> Floats:
    """(L, L) links from an owner's origins to pools of another: who are neighbours, and how closely."""
    owner = np.repeat(problem.demand.origin_owner, np.diff(problem.links.start))
    count = len(problem.owners)
    to = problem.pools.owner[problem.links.pool]
    known = to >= 0
    links = np.bincount(owner[known] * count + to[known], minlength=count * count).reshape(count, count)
    both: Floats = (links + links.T).astype(float)
    np.fill_diagonal(both, 0.0)
    return both


def _owners(problem: Problem) -> Ints:
    """Owners who have cells, those of the first world only."""
    present: Ints = np.unique(problem.demand.origin_owner)
    worlds = 1 if problem.worlds is None else len(problem.worlds.labels)
    return present[present < len(problem.owners) // worlds]


def _copies(problem: Problem, owners: Ints) -> Ints:
    """These owners in every world."""
    worlds = problem.worlds
    return np.asarray(owners) if worlds is None else np.sort(worlds.copies(owners, len(problem.owners)).ravel())


def clusters(problem: Problem, near: Floats, most: int, random: np.random.Generator) -> list[Ints]:
    """All owners in clusters of neighbours, as few as have about ``most`` cells each and all alike, cut otherwise at each call."""
    demand, owners = problem.demand, random.permutation(_owners(problem))
    of_owner = np.bincount(demand.origin_owner, (demand.entrants > 0).sum(axis=(1, 2)), len(problem.owners))
    cells = np.array([of_owner[_copies(problem, owners[n : n + 1])].sum() for n in range(len(owners))])
    size = cells.sum() / max(1, np.ceil(cells.sum() / most))
    near = near[np.ix_(owners, owners)]
    left, taken, full, pull = np.ones(len(owners), np.bool_), 0.0, size, np.zeros(len(owners))
    found: list[list[int]] = [[]]
    while left.any():
        owner = int(np.argmax(np.where(left, pull, -1.0)))
        if found[-1] and taken + cells[owner] / 2 > full:
            # the next begins beside what is taken
            found.append([])
            full, pull = full + size, near[~left].sum(axis=0)
            continue
        found[-1].append(owner)
        pull = near[found[-1]].sum(axis=0)
        left[owner], taken = False, taken + cells[owner]
    return [_copies(problem, np.sort(owners[cluster])) for cluster in found]


def _groups(ground: Ground, near: Floats, size: int, random: np.random.Generator) -> list[Ints]:
    """Every owner with its nearest neighbours, in random order; groups that come out the same are kept once."""
    owners = _owners(ground.problem)
    groups = {tuple(sorted([int(owner), *_nearest_owners(near[owner], owners, size - 1)])) for owner in owners}
    ordered = sorted(groups)
    return [_copies(ground.problem, np.array(ordered[n])) for n in random.permutation(len(ordered))]


def _nearest_owners(near: Floats, owners: Ints, count: int) -> list[int]:
    closest = owners[np.argsort(-near[owners], kind="stable")][:count]
    return [int(owner) for owner in closest if near[owner] > 0]


def _batches(ground: Ground, groups: Sequence[Ints]) -> list[list[Ints]]:
    """Groups in their order, those that reach no common pool side by side."""
    reached = {int(owner): _reached(ground, int(owner)) for group in groups for owner in group}
    waiting, batches = list(groups), list[list[Ints]]()
    while waiting:
        batch, later = list[Ints](), list[Ints]()
        taken = np.zeros(len(ground.problem.pools.labels), np.bool_)
        for group in waiting:
            pools = np.logical_or.reduce([reached[int(owner)] for owner in group])
            if len(batch) < TOGETHER and not (taken & pools).any():
                batch.append(group)
                taken |= pools
            else:
                later.append(group)
        batches.append(batch)
        waiting = later
    return batches


def _reached(ground: Ground, owner: int) -> Bools:
    """(P,) pools within reach of an owner's origins, and its own."""
    problem = ground.problem
    result = np.zeros(len(problem.pools.labels), np.bool_)
    for z in np.nonzero(problem.demand.origin_owner == owner)[0]:
        result[problem.links.pool[problem.links.start[z] : problem.links.start[z + 1]]] = True
    result[problem.pools.owner == owner] = True
    return result
