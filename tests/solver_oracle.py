"""The meaning of a Problem written a second time, without the solver's formulation: enumeration, a flow programme, a check."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from solver.problem import NEW, OUTSIDE, Floats, Problem
from solver.requirements import Measure
from solver.result import Decisions, Solution

Plan = list[tuple[int, int, bool]]
"""What is built of one option: (start, modules, whether it is a later stage)."""


def plans_of_option(problem: Problem, j: int) -> Iterator[Plan]:
    """Every way to build option j, nothing included."""
    options = problem.options
    if options.committed_start[j] >= 0:
        yield [(int(options.committed_start[j]), int(options.committed_modules[j]), False)]
        return
    yield from (plan for plan in _free_plans(problem, j) if _keeps_pins(problem, j, plan))


def _keeps_pins(problem: Problem, j: int, plan: Plan) -> bool:
    pins = problem.pins
    return pins is None or ((bool(plan) or not pins.must[j]) and sum(modules for _, modules, _ in plan) >= pins.least_modules[j])


def _free_plans(problem: Problem, j: int) -> Iterator[Plan]:
    options = problem.options
    yield []
    starts = [int(k) for k in np.nonzero(options.start_option == j)[0]]
    most = int(options.max_modules[j])
    for k in starts:
        for modules in range(int(options.min_modules[j]), most + 1):
            yield [(k, modules, False)]
            later = [s for s in starts if options.start_opens[s] > options.start_opens[k]]
            for count in range(1, int(options.max_stages[j])):
                for stages in itertools.combinations(later, count):
                    for sizes in itertools.product(range(1, most + 1), repeat=count):
                        if modules + sum(sizes) <= most:
                            yield [(k, modules, False)] + [(s, m, True) for s, m in zip(stages, sizes, strict=True)]


def all_decisions(problem: Problem) -> Iterator[Decisions]:
    """Every combination that keeps the rules between options and can be paid for."""
    options = problem.options
    for combination in itertools.product(*(list(plans_of_option(problem, j)) for j in range(len(options.labels)))):
        opened = {j: int(options.start_opens[plan[0][0]]) for j, plan in enumerate(combination) if plan}
        groups = [int(options.exclusive[j]) for j in opened if options.exclusive[j] >= 0]
        if len(groups) != len(set(groups)):
            continue
        needs = {j: int(options.prerequisite[j]) for j in opened if options.prerequisite[j] >= 0}
        if any(needed not in opened or opened[needed] + lag_of(problem, j) > opened[j] for j, needed in needs.items()):
            continue
        decisions = as_decisions(problem, combination)
        if not list(_together(problem, decisions)) and payment_cost(problem, decisions) is not None:
            yield decisions


def lag_of(problem: Problem, j: int) -> int:
    return 0 if problem.pins is None else int(problem.pins.lag[j])


def _together(problem: Problem, decisions: Decisions) -> Iterator[str]:
    """Bundles that are split and years with too much under construction."""
    options = problem.options
    built = {int(j) for j in options.start_option[decisions.start > 0]}
    if problem.pins is not None:
        for bundle in np.unique(problem.pins.bundle[problem.pins.bundle >= 0]):
            members = set(np.nonzero(problem.pins.bundle == bundle)[0].tolist())
            if built & members and members - built:
                yield f"bundle {bundle} is split"
    if problem.crews is not None:
        for owner, f in np.ndindex(problem.crews.limit.shape):
            busy = sum(
                1
                for k in np.nonzero(decisions.start)[0]
                if options.owner[options.start_option[k]] == owner and problem.crews.building[k, f]
            )
            if busy > problem.crews.limit[owner, f]:
                yield f"owner {owner} builds {busy} in year {f}"


def as_decisions(problem: Problem, combination: tuple[Plan, ...]) -> Decisions:
    start, modules, stage = (np.zeros(len(problem.options.start_option), np.int64) for _ in range(3))
    for k, count, later in itertools.chain(*combination):
        modules[k] = count
        (stage if later else start)[k] = 1
    return Decisions(start, modules, stage)


def spending(problem: Problem, decisions: Decisions) -> dict[tuple[int, int, int], float]:
    """Spending by (owner, kind, year)."""
    options = problem.options
    total: dict[tuple[int, int, int], float] = defaultdict(float)
    for k, j in enumerate(options.start_option):
        for f in range(len(problem.years)):
            total[int(options.owner[j]), int(options.kind[j]), f] += float(
                decisions.start[k] * options.fixed_spend[k, f]
                + decisions.modules[k] * options.module_spend[k, f]
                + decisions.stage[k] * options.stage_spend[k, f]
            )
    return total


def payment_cost(problem: Problem, decisions: Decisions) -> float | None:
    """Least cost of paying for the decisions, None when the funds can't: a linear programme of money, in thousands."""
    funds, transfers = problem.funds, problem.transfers
    names: dict[tuple[str, int, int, int, int], int] = {}
    owed = spending(problem, decisions)
    for g in range(len(funds.labels)):
        for owner, kind, f in owed:
            if funds.eligible[g, owner, kind]:
                names["paid", g, owner, kind, f] = len(names)
        for f in range(len(problem.years)):
            names["carried", g, f, 0, 0] = len(names)
    for v in range(0 if transfers is None else len(transfers.source)):
        for f in range(len(problem.years)):
            names["moved", v, f, 0, 0] = len(names)
    equal, equal_to, less, less_than = [], [], [], []
    for (owner, kind, f), amount in owed.items():
        row = np.zeros(len(names))
        for g in range(len(funds.labels)):
            if funds.eligible[g, owner, kind]:
                row[names["paid", g, owner, kind, f]] = 1.0
        equal.append(row)
        equal_to.append(amount / 1e3)
    for g in range(len(funds.labels)):
        for f in range(len(problem.years)):
            given = (float(funds.amount[g, f]) + granted(problem, decisions, g, f)) / 1e3
            row = np.zeros(len(names))
            row[names["carried", g, f, 0, 0]] = 1.0
            if f:
                row[names["carried", g, f - 1, 0, 0]] = -funds.carry_share[g, f]
            hand = np.zeros(len(names))
            hand[names["carried", g, f, 0, 0]] = 1.0
            if f:
                hand[names["carried", g, f - 1, 0, 0]] = -1.0
            for (name, fund, _, _, year), column in names.items():
                if name == "paid" and fund == g and year == f:
                    hand[column] = 1.0
            for v in range(0 if transfers is None else len(transfers.source)):
                if transfers.source[v] == g:
                    hand[names["moved", v, f, 0, 0]] += 1.0
                    row[names["moved", v, f, 0, 0]] += funds.carry_share[g, f]
                if transfers.target[v] == g:
                    hand[names["moved", v, f, 0, 0]] -= 1.0
                    row[names["moved", v, f, 0, 0]] -= funds.carry_share[g, f]
            less += [row, hand]
            less_than += [funds.carry_share[g, f] * given, given]
    for s in range(0 if problem.shares is None else len(problem.shares.labels)):
        shares = problem.shares
        row = np.zeros(len(names))
        for (name, g, owner, kind, _), column in names.items():
            if name == "paid" and shares.funds[s, g] and shares.owners[s, owner]:
                row[column] = shares.share[s] - float(shares.kinds[s, kind])
        less.append(row)
        less_than.append(-shares.amount[s] / 1e3)
    if not equal:
        return 0.0
    price = np.zeros(len(names))
    bounds = [(0.0, np.inf)] * len(names)
    for (name, first, second, _, year), column in names.items():
        if name == "paid" and funds.payment_cost is not None:
            price[column] = funds.payment_cost[first, year]
        if name == "moved":
            bounds[column] = (0.0, transfers.limit[first, second] / 1e3)
    answer = linprog(price, np.array(less), less_than, np.array(equal), equal_to, bounds)
    return float(answer.fun) * 1e3 if answer.status == 0 else None


def granted(problem: Problem, decisions: Decisions, g: int, f: int) -> float:
    """Money that started options bring into a fund in a year."""
    if problem.grants is None:
        return 0.0
    into = problem.grants.fund[problem.options.start_option] == g
    return float((decisions.start * into) @ problem.grants.amount[:, f])


def places(problem: Problem, decisions: Decisions) -> tuple[Floats, Floats, Floats]:
    """(P, T) capacity, overflow limit and opened places, under these decisions."""
    options, pools = problem.options, len(problem.pools.labels)
    capacity, limit = problem.pools.capacity.copy(), problem.pools.overflow_limit.copy()
    opened = np.zeros_like(capacity)
    worlds = 1 if problem.worlds is None else len(problem.worlds.labels)
    for k, j in enumerate(options.start_option):
        for t, w in itertools.product(range(len(problem.periods)), range(worlds)):
            pool, source = (int(index[j]) + w * pools // worlds if index[j] >= 0 else -1 for index in (options.pool, options.source_pool))
            after = t >= options.start_opens[k]
            if pool >= 0:
                share = float(after) if options.fill is None else float(options.fill[k, t])
                opened[pool, t] += share * options.module[j] * decisions.modules[k]
                capacity[pool, t] += share * options.module[j] * decisions.modules[k]
            if source >= 0 and decisions.start[k]:
                lost = 0.0 if options.disrupted is None else float(options.disrupted[k, t])
                capacity[source, t] += after * (options.kept[j] - options.removed[j]) - lost
                limit[source, t] += after * options.removed[j] + lost
    return capacity, limit, opened


def needed_use(problem: Problem, decisions: Decisions) -> dict[tuple[int, int], float]:
    """Least users of pools by (pool, period)."""
    needed: dict[tuple[int, int], float] = {}
    if problem.viability is None:
        return needed
    options, viability, pools = problem.options, problem.viability, len(problem.pools.labels)
    worlds = 1 if problem.worlds is None else len(problem.worlds.labels)
    for j in np.nonzero((options.pool >= 0) & ((viability.least > 0) | (viability.share > 0)))[0]:
        for t in range(len(problem.periods)):
            least = share = 0.0
            for k in np.nonzero(options.start_option == j)[0]:
                filled = float(t >= options.start_opens[k]) if options.fill is None else float(options.fill[k, t])
                if t >= options.start_opens[k] + viability.settle[j] and filled > 0:
                    least += float(viability.least[j] * decisions.start[k])
                    share += float(viability.share[j] * filled * options.module[j] * decisions.modules[k])
            for w in range(worlds):
                key = (int(options.pool[j]) + w * pools // worlds, t)
                needed[key] = needed.get(key, 0.0) + max(least, share)
    return needed


def option_cost(problem: Problem, decisions: Decisions) -> float:
    options = problem.options
    return float(decisions.start @ options.fixed_cost + decisions.modules @ options.module_cost + decisions.stage @ options.stage_cost)


def arc_costs(problem: Problem) -> dict[tuple[int, int, int, int], float]:
    """Cost of a unit's whole stay by (origin, class, entry, pool); pool P is one period's wait."""
    demand, links, pools = problem.demand, problem.links, problem.pools
    costs: dict[tuple[int, int, int, int], float] = {}
    for z, c, v in np.ndindex(demand.entrants.shape):
        if demand.entrants[z, c, : v + 1].sum() == 0:
            continue
        years = sum(problem.weight[t] * demand.survival[c] ** (t - v) for t in range(v, len(problem.periods)))
        world = probability(problem, z, len(demand.origins))
        costs[z, c, v, len(pools.labels)] = float(world * problem.weight[v] * demand.unmet_cost[c])
        for a in range(links.start[z], links.start[z + 1]):
            p = int(links.pool[a])
            if pools.accepts[c, p] and links.minutes[a] <= links.class_reach[c]:
                late = max(0.0, links.minutes[a] - links.class_limit[c])
                yearly = links.class_factor[c] * links.cost[a] + links.excess_cost * late + pools.unit_cost[c, p]
                costs[z, c, v, p] = float(world * years * yearly)
    return costs


def probability(problem: Problem, position: int, size: int) -> float:
    """Of the world in which an origin, pool or owner stands."""
    if problem.worlds is None:
        return 1.0
    return float(problem.worlds.weight[position * len(problem.worlds.labels) // size])


class FlowProgramme:
    """Cheapest flows for given decisions, by scipy; built once, solved for many decisions."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.arcs = arc_costs(problem)
        demand, pools = problem.demand, problem.pools
        self.displaced = problem.displacement
        periods = range(len(problem.periods))
        columns: list[float] = list(self.arcs.values())
        capacity: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
        cells: dict[tuple[int, int, int], dict[int, float]] = defaultdict(dict)
        floor: dict[tuple[int, int, int], dict[int, float]] = defaultdict(dict)
        for column, (z, c, v, p) in enumerate(self.arcs):
            cells[z, c, v][column] = 1.0
            if p == len(pools.labels):
                if v + 1 < len(problem.periods):
                    cells[z, c, v + 1][column] = -float(demand.survival[c])
                continue
            counts = {OUTSIDE: 1.0, NEW: float(self.displaced.share[demand.class_family[c]])}.get(int(pools.role[p]), 0.0)
            for t in periods:
                if t >= v:
                    stay = float(demand.survival[c] ** (t - v))
                    capacity[p, t][column] = stay * load_of(problem, c)
                    floor[int(demand.origin_owner[z]), int(demand.class_family[c]), t][column] = counts * stay
        self.overflow = {}
        for p in range(len(pools.labels)):
            for t in periods:
                self.overflow[p, t] = len(columns)
                capacity[p, t][len(columns)] = -1.0
                columns.append(float(pools.overflow_cost * problem.weight[t] * probability(problem, p, len(pools.labels))))
        self.latent_of: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
        limit: dict[tuple[int, int, int], dict[int, float]] = defaultdict(dict)
        for p in np.nonzero(pools.role == NEW)[0].tolist():
            for h in range(len(problem.families)):
                if not pools.accepts[demand.class_family == h, p].any():
                    continue
                for t in periods:
                    owner = int(pools.owner[p])
                    capacity[p, t][len(columns)] = 1.0
                    self.latent_of[p, t][len(columns)] = 1.0
                    limit[owner, h, t][len(columns)] = 1.0
                    floor[owner, h, t][len(columns)] = float(self.displaced.share[h])
                    columns.append(float(self.displaced.latent_cost * problem.weight[t] * probability(problem, p, len(pools.labels))))
        self.least: dict[tuple[int, int], dict[int, float]] = {}
        if problem.viability is not None:
            for p, t in needed_use(problem, nothing(problem)):
                self.least[p, t] = {column: max(0.0, value) for column, value in capacity[p, t].items()} | {len(columns): 1.0}
                for column in self.overflow.values():
                    self.least[p, t].pop(column, None)
                columns.append(problem.viability.breach_cost * problem.weight[t] * probability(problem, p, len(pools.labels)))
        held: list[tuple[dict[int, float], float]] = []
        for sums, most, breach_cost in (*quota_sums(problem, self.arcs), *measure_sums(problem, self.arcs)):
            held.append((sums | {len(columns): -1.0}, most))
            columns.append(breach_cost)
        self.cost = np.array(columns)
        self.cells = _matrix(cells.values(), len(columns))
        self.entrants = np.array([demand.entrants[cell] for cell in cells])
        self.capacity_keys, self.latent_keys = list(capacity), list(self.latent_of)
        binding = {key: row for key, row in floor.items() if self.displaced.floor[key] > 0}
        self.rows = sparse.vstack(
            [
                _matrix(capacity.values(), len(columns)),
                _matrix(self.latent_of.values(), len(columns)),
                _matrix(limit.values(), len(columns)),
                -_matrix(binding.values(), len(columns)),
                _matrix([sums for sums, _ in held], len(columns)),
                -_matrix(self.least.values(), len(columns)),
            ]
        )
        self.fixed_right = np.array(
            [self.displaced.latent_limit[key] for key in limit]
            + [-self.displaced.floor[key] for key in binding]
            + [most for _, most in held]
        )

    def solve(self, decisions: Decisions) -> tuple[float, Floats]:
        """(cost with options and constant, flow of each arc). RuntimeError when there are no flows."""
        capacity, limit, opened = places(self.problem, decisions)
        needed = needed_use(self.problem, decisions)
        right = np.concatenate(
            [
                [capacity[key] for key in self.capacity_keys],
                [opened[key] for key in self.latent_keys],
                self.fixed_right,
                [-needed[key] for key in self.least],
            ]
        )
        upper = np.full(len(self.cost), np.inf)
        for key, column in self.overflow.items():
            upper[column] = limit[key]
        bounds = np.column_stack([np.zeros(len(self.cost)), upper])
        answer = linprog(self.cost / 1e3, self.rows, right, self.cells, self.entrants, bounds)  # type: ignore[call-overload]
        if answer.status != 0:
            raise RuntimeError(answer.message)
        paid = payment_cost(self.problem, decisions)
        if paid is None:
            raise RuntimeError("the funds can't pay")
        total = float(self.cost @ answer.x) + option_cost(self.problem, decisions) + paid + self.problem.constant
        return total, answer.x[: len(self.arcs)]


def load_of(problem: Problem, c: int) -> float:
    return 1.0 if problem.demand.load is None else float(problem.demand.load[c])


Sums = Iterator[tuple[dict[int, float], float, float]]
"""Coefficients by arc, the most they may sum to, and what a unit above it costs."""


def quota_sums(problem: Problem, arcs: Collection[tuple[int, int, int, int]]) -> Sums:
    """Places by owner, group of pools and period."""
    if problem.quotas is None:
        return
    for owner, group, t in np.ndindex(problem.quotas.limit.shape):
        if not np.isfinite(problem.quotas.limit[owner, group, t]):
            continue
        taken = {}
        for column, (z, c, v, p) in enumerate(arcs):
            home = problem.demand.origin_owner[z] == owner
            if home and p < len(problem.pools.labels) and problem.quotas.pool_group[p] == group and v <= t:
                taken[column] = float(problem.demand.survival[c] ** (t - v)) * load_of(problem, c)
        cost = problem.quotas.breach_cost * problem.weight[t] * probability(problem, owner, len(problem.owners))
        yield taken, float(problem.quotas.limit[owner, group, t]), float(cost)


def measure_sums(problem: Problem, arcs: Collection[tuple[int, int, int, int]]) -> Sums:
    """Users without a place, in OUTSIDE pools, or minutes, weighted by origin and year."""
    if problem.measures is None:
        return
    minutes = {
        (z, int(problem.links.pool[a])): float(problem.links.minutes[a])
        for z in range(len(problem.demand.origins))
        for a in range(problem.links.start[z], problem.links.start[z + 1])
    }
    for r, name in enumerate(problem.measures.measure):
        total = {}
        for column, (z, c, v, p) in enumerate(arcs):
            years = sum(problem.weight[t] * problem.demand.survival[c] ** (t - v) for t in range(v, len(problem.periods)))
            if p == len(problem.pools.labels):
                amount = problem.weight[v] if name is Measure.UNMET else 0.0
            elif name is Measure.OUTSIDE:
                amount = years if problem.pools.role[p] == OUTSIDE else 0.0
            else:
                amount = years * minutes[z, p] if name is Measure.MINUTES else 0.0
            total[column] = float(problem.measures.weight[r, z] * amount)
        yield total, float(problem.measures.limit[r]), float(problem.measures.breach_cost[r])


def _matrix(rows: Collection[dict[int, float]], columns: int) -> sparse.csr_matrix:
    entries = [(number, column, value) for number, row in enumerate(rows) for column, value in row.items()]
    row, column, value = (np.array(part) for part in zip(*entries, strict=True)) if entries else (np.zeros(0, int),) * 3
    return sparse.csr_matrix((value, (row, column)), shape=(len(rows), columns))


def nothing(problem: Problem) -> Decisions:
    zero = np.zeros(len(problem.options.start_option), np.int64)
    return Decisions(zero, zero, zero)


def outside_use(problem: Problem) -> Floats:
    """(L, H, T) use of OUTSIDE pools by owner and family when nothing is built."""
    programme = FlowProgramme(problem)
    _, flow = programme.solve(nothing(problem))
    demand, pools = problem.demand, problem.pools
    used = np.zeros_like(problem.displacement.floor)
    for (z, c, v, p), amount in zip(programme.arcs, flow, strict=True):
        if p < len(pools.labels) and pools.role[p] == OUTSIDE:
            for t in range(v, len(problem.periods)):
                used[demand.origin_owner[z], demand.class_family[c], t] += amount * demand.survival[c] ** (t - v)
    return np.where(used > 1e-6, used * (1 - 1e-9), 0.0)


def brute_force(problem: Problem) -> tuple[float, int]:
    """(least cost over all decisions, how many there were)."""
    programme = FlowProgramme(problem)
    costs = [programme.solve(decisions)[0] for decisions in all_decisions(problem)]
    return min(costs), len(costs)


def breaches(problem: Problem, solution: Solution, slack: float = 1e-5) -> list[str]:
    """Every rule that a solution breaks, and its cost when it is not the sum of its parts."""
    found = [*_option_breaches(problem, solution.decisions), *_together(problem, solution.decisions)]
    found += [*_money_breaches(problem, solution), *_flow_breaches(problem, solution, slack), *_limit_breaches(problem, solution, slack)]
    costs = arc_costs(problem)
    flows = solution.flows
    cost = problem.constant + option_cost(problem, solution.decisions)
    cost += sum(
        amount * costs[z, c, v, p]
        for z, c, v, p, amount in zip(
            *(part.tolist() for part in (flows.origin, flows.cls, flows.entry, flows.pool, flows.amount)), strict=True
        )
        if (z, c, v, p) in costs
    )
    beside, pools, owners = solution.beside, len(problem.pools.labels), len(problem.owners)
    chance = np.array([probability(problem, p, pools) for p in range(pools)])[:, None] * problem.weight
    cost += float((beside.overflow * problem.pools.overflow_cost * chance).sum())
    cost += float((beside.latent * problem.displacement.latent_cost * chance[:, None, :]).sum())
    if problem.viability is not None:
        cost += float((beside.shortfall * problem.viability.breach_cost * chance).sum())
    if problem.quotas is not None:
        home = np.array([probability(problem, owner, owners) for owner in range(owners)])
        cost += float((beside.over_quota * problem.quotas.breach_cost * home[:, None, None] * problem.weight).sum())
    if problem.measures is not None:
        cost += float(beside.over_measure @ problem.measures.breach_cost)
    if problem.funds.payment_cost is not None:
        cost += float((beside.payment.sum(axis=(1, 2)) * problem.funds.payment_cost).sum())
    if abs(cost - solution.upper) > 1e-6 * abs(cost):
        found.append(f"costs {cost:.2f}, said to be {solution.upper:.2f}")
    return found


def _option_breaches(problem: Problem, decisions: Decisions) -> Iterator[str]:
    options = problem.options
    for j, label in enumerate(options.labels):
        mine = [
            int(k) for k in np.nonzero(options.start_option == j)[0] if decisions.modules[k] or decisions.start[k] or decisions.stage[k]
        ]
        built = [(k, int(decisions.modules[k]), not decisions.start[k]) for k in mine]
        built.sort(key=lambda part: (part[2], part[0]))
        if built not in list(plans_of_option(problem, j)):
            yield f"{label} can't be built as {built}"
        needed = int(options.prerequisite[j])
        first = [int(options.start_opens[k]) for k in mine if decisions.start[k]]
        if first and needed >= 0:
            before = [int(options.start_opens[k]) for k in np.nonzero((options.start_option == needed) & (decisions.start > 0))[0]]
            if not before or before[0] + lag_of(problem, j) > first[0]:
                yield f"{label} opens before what it needs"
    begun = options.exclusive[options.start_option[decisions.start > 0]]
    if len(begun[begun >= 0]) != len(np.unique(begun[begun >= 0])):
        yield "two options of an exclusive group"


def _money_breaches(problem: Problem, solution: Solution) -> Iterator[str]:
    funds = problem.funds
    if (solution.beside.payment[~funds.eligible] > 1.0).any() or (solution.beside.payment < 0).any() or (solution.beside.carried < 0).any():
        yield "a payment that is not allowed"
    for (owner, kind, f), owed in spending(problem, solution.decisions).items():
        if abs(solution.beside.payment[:, owner, kind, f].sum() - owed) > 1.0 + 1e-6 * owed:
            yield f"payments of owner {owner} kind {kind} year {f} differ from spending {owed}"
    for g in range(len(funds.labels)):
        brought = 0.0
        for f in range(len(problem.years)):
            hand = brought + float(funds.amount[g, f]) + granted(problem, solution.decisions, g, f)
            given = 0.0
            if problem.transfers is not None:
                hand += float(solution.beside.transfer[problem.transfers.target == g, f].sum())
                given = float(solution.beside.transfer[problem.transfers.source == g, f].sum())
            brought = float(solution.beside.carried[g, f])
            if solution.beside.payment[g, :, :, f].sum() + brought + given > hand + 1.0:
                yield f"fund {g} overspends in year {f}"
            if brought > funds.carry_share[g, f] * (hand - given) + 1.0:
                yield f"fund {g} carries too much out of year {f}"


def _limit_breaches(problem: Problem, solution: Solution, slack: float) -> Iterator[str]:
    """Least use, quotas and measures that are broken by more than the solution admits."""
    flows = solution.flows
    arcs = list(zip(*(part.tolist() for part in (flows.origin, flows.cls, flows.entry, flows.pool)), strict=True))
    over_quota = [] if problem.quotas is None else solution.beside.over_quota[np.isfinite(problem.quotas.limit)].tolist()
    admitted = [*over_quota, *solution.beside.over_measure.tolist()]
    for (sums, most, _), over in zip((*quota_sums(problem, arcs), *measure_sums(problem, arcs)), admitted, strict=True):
        found = sum(value * flows.amount[column] for column, value in sums.items())
        if found > most + over + slack * max(1.0, abs(most), sum(abs(value) * flows.amount[column] for column, value in sums.items())):
            yield f"a limit of {most} is passed by {found - most - over}"
    for (p, t), least in needed_use(problem, solution.decisions).items():
        used = float(solution.beside.latent[p, :, t].sum())
        for (_, c, v, q), amount in zip(arcs, flows.amount, strict=True):
            if q == p and v <= t:
                used += float(amount * problem.demand.survival[c] ** (t - v)) * load_of(problem, c)
        if used + solution.beside.shortfall[p, t] < least - slack * max(1.0, least):
            yield f"pool {p} has {used} users in period {t}, {least} wanted"


def _flow_breaches(problem: Problem, solution: Solution, slack: float) -> Iterator[str]:
    demand, pools, displacement = problem.demand, problem.pools, problem.displacement
    costs = arc_costs(problem)
    flows = solution.flows
    placed, waiting = np.zeros_like(demand.entrants), np.zeros_like(demand.entrants)
    used = np.zeros_like(pools.capacity)
    displaced = np.zeros_like(displacement.floor)
    if (flows.amount < 0).any():
        yield "a negative flow"
    for z, c, v, p, amount in zip(flows.origin, flows.cls, flows.entry, flows.pool, flows.amount, strict=True):
        if (int(z), int(c), int(v), int(p)) not in costs:
            yield f"flow from {z} class {c} into pool {p} out of reach or not accepted"
        placed[z, c, v] += amount
        if p == len(pools.labels):
            waiting[z, c, v] += amount
            continue
        counts = {OUTSIDE: 1.0, NEW: float(displacement.share[demand.class_family[c]])}.get(int(pools.role[p]), 0.0)
        for t in range(v, len(problem.periods)):
            used[p, t] += amount * demand.survival[c] ** (t - v) * load_of(problem, c)
            displaced[demand.origin_owner[z], demand.class_family[c], t] += counts * amount * demand.survival[c] ** (t - v)
    due = demand.entrants.copy()
    due[:, :, 1:] += waiting[:, :, :-1] * demand.survival[None, :, None]
    if np.abs(placed - due).max() > slack:
        yield "entrants lost or invented"
    capacity, limit, opened = places(problem, solution.decisions)
    latent = np.zeros_like(displacement.floor)
    beside = solution.beside
    used += beside.latent.sum(axis=1)
    if (beside.latent.sum(axis=1) > opened + slack).any():
        yield "more latent users than places opened"
    np.add.at(latent, pools.owner, beside.latent)
    if (latent > displacement.latent_limit + slack).any() or (solution.beside.latent < 0).any():
        yield "too many latent users"
    if (solution.beside.overflow > limit + slack).any() or (solution.beside.overflow < 0).any():
        yield "overflow above its limit"
    if (used > capacity + solution.beside.overflow + slack).any():
        yield f"use above places by {(used - capacity - solution.beside.overflow).max():.6f}"
    displaced += displacement.share[None, :, None] * latent
    if (displaced < displacement.floor - slack).any():
        yield f"displacement below its floor by {(displacement.floor - displaced).max():.6f}"
