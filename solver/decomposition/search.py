"""Plans and proofs for problems that no single mixed-integer model holds.

    prices    ascend: good prices from a relaxation in which every option decides alone
    options   the core with all cuts found so far, as an integer programme: its bound is a bound of
              the whole problem, its options are a candidate
    cost      ascend with the candidate's options held: what it costs to within a fraction of a
              percent, and one more cut
    flows     converge with the best candidate's options held: its true cost and its flows

Options and cost alternate until the candidate repeats or plan and bound meet. Bound and plan are of
the same problem: every price evaluation runs through all arcs within reach. With known prices there
are cuts from the start, and options are sought near those of an earlier plan first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from solver.backends.highs import HighsBackend
from solver.backends.protocol import Limits, ModelSolution
from solver.decomposition.ascent import Ascent, ascend, in_range
from solver.decomposition.blocks import make_blocks
from solver.decomposition.master import Converged, Dual, Master, converge, no_decisions
from solver.formulation import MONEY, beside_flows, build_core
from solver.known import NOTHING, Known
from solver.linear_model import ModelArrays
from solver.pricing import Blocks, Prices, differing_blocks, no_prices, respond
from solver.problem import Floats, Ints, Problem
from solver.result import Abandoned, Decisions, Flows, Progress, Solution, Termination

FEWEST_BLOCKS, MOST_BLOCKS = 1_000, 8_000
FIRST_STEPS, NEXT_STEPS, NEAR_STEPS = 400, 150, 60
LARGE_STEP, SMALL_STEP = 0.6, 0.2
"""First step of an ascent from nothing, and of one that begins near its goal."""
NEAR = 6
"""Starts in which options near an earlier plan's may differ from them: there cuts are strong, and a good change is found at once."""
MOST_CANDIDATES, MOST_STALLED = 30, 3
"""Candidates tried in all, and in a row without gain."""
FLOWS_SHARE, NEAR_SHARE = 0.1, 0.06
"""Part of the gap kept for what the flows of a candidate cost above its estimate; with flows of an earlier plan they are found better."""
VERTEX_SECONDS = 20.0


class NoPlanError(Exception):
    """Requirements on options and money clash, or no choice that keeps them was found in time."""


@dataclass(frozen=True)
class Budget:
    """How far to go."""

    gap: float
    seconds: float
    threads: int
    seed: int
    interrupted: Callable[[], bool]
    report: Callable[[Progress], None]
    patience: float = float("inf")
    """Seconds from an interrupt for the linear programme of the flows; afterwards the search raises ``Abandoned``."""


@dataclass
class Search:
    """Best bound and candidate so far (money in millions)."""

    problem: Problem
    budget: Budget
    blocks: Blocks
    master: Master
    began: float = field(default_factory=time.monotonic)
    upper: float = np.inf
    lower: float = -np.inf
    log: list[Progress] = field(default_factory=list)
    proof: list[Prices] = field(default_factory=list)
    """Prices of the master's cuts."""

    def left(self) -> float:
        """Seconds left, 0 once interrupted."""
        return 0.0 if self.budget.interrupted() else max(0.0, self.budget.seconds - (time.monotonic() - self.began))

    def near_enough(self, room: float = FLOWS_SHARE) -> bool:
        """Whether the best candidate is within the gap, with room for its flows (a share of the gap)."""
        return self.upper - self.lower <= (1 - room) * self.budget.gap * abs(self.upper)

    def note(self, phase: str) -> None:
        """Log and report where the search stands."""
        line = Progress(time.monotonic() - self.began, phase, self.upper / MONEY, self.lower / MONEY)
        self.log.append(line)
        self.budget.report(line)


@dataclass(frozen=True)
class _Candidate:
    """Options with the prices at which their cost was estimated (in millions, from below), or their known solution."""

    decisions: Decisions
    estimate: float
    ascent: Ascent | None = None
    dual: Dual | None = None
    solution: Solution | None = None


def decompose(
    problem: Problem,
    budget: Budget,
    *,
    known_flows: Sequence[Flows] = (),
    candidates: Sequence[Decisions] = (),
    fixed: Decisions | None = None,
    known: Known = NOTHING,
) -> Solution:
    """Solve by decomposition.

    ``known_flows``: flows that are feasible whatever is built, needed when the displacement limit has a
    floor. ``candidates``: options of known plans, tried first. ``fixed`` holds all options. ``known``: what an earlier run left:
    its prices prove cuts here as well. Raises Abandoned.
    """
    blocks = make_blocks(problem, _block_count(problem))
    limits = Limits(budget.gap, budget.seconds, budget.threads, budget.seed, budget.interrupted, budget.patience)
    search = Search(problem, budget, blocks, Master(build_core(problem), blocks, limits))
    if fixed is None and not len(problem.options.start_option):
        fixed = no_decisions(problem)
    free: Prices | None = None
    if fixed is not None:
        best = _priced(search, fixed, None)
    elif _recalled(search, known):
        free = search.proof[0]
        best = _candidate_near(search, free, candidates, known)
    else:
        found = ascend(problem, blocks, steps=FIRST_STEPS, first_step=LARGE_STEP, stop=search.budget.interrupted)
        dual = search.master.core_dual(found.prices)
        _add_cut(search, found)
        search.lower = dual.core_part + _value(found)
        search.note("prices")
        free = found.prices
        best = _best_candidate(search, free, [no_decisions(problem), *candidates])
        best = _priced(search, best.decisions, None)
    if best.solution is not None:
        solution = best.solution
    else:
        try:
            solution, converged = _flows(search, best, known_flows, known.flows(problem))
        except Abandoned as end:
            raise Abandoned(search.lower / MONEY, tuple(search.log), tuple(search.proof)) from end
        if fixed is not None:
            search.lower = converged.lower
    search.upper = solution.upper * MONEY
    search.note("flows")
    return finished(search, replace(solution, prices=free))


def _recalled(search: Search, known: Known) -> bool:
    """Cuts at known prices, and the bound if it holds here too; False when no prices are of this problem's size."""
    problem = search.problem
    blank = no_prices(problem)
    fitting = [
        in_range(problem, prices)
        for prices in known.proof
        if all(np.shape(mine) == np.shape(their) for mine, their in zip(vars(blank).values(), vars(prices).values(), strict=True))
    ]
    if not fitting:
        return False
    for prices in fitting:
        value = float(respond(problem, search.blocks, prices).value.sum()) * MONEY
        search.master.cuts.append(search.master.cut(prices, value))
        search.proof.append(prices)
    search.lower = known.lower(problem) * MONEY
    if search.lower == -np.inf:
        search.lower = options_with_cuts(search).bound
    search.note("prices")
    return True


def _block_count(problem: Problem) -> int:
    """Each full pool and year has to be met exactly by a mix of responses: about half a block for each keeps the mix fine enough."""
    return int(np.clip(problem.pools.capacity.size // 2, FEWEST_BLOCKS, MOST_BLOCKS))


def _candidate_near(search: Search, prices: Prices, candidates: Sequence[Decisions], known: Known) -> _Candidate:
    """A known candidate if it is near enough, else options near the first one or near the best since, else as from nothing."""
    best: _Candidate | None = None
    for decisions in candidates:
        solution = known.solution(search.problem, decisions, np.inf)  # a plan costs what it costs, however far the bound
        if solution is None or solution.upper * MONEY >= search.upper or not search.master.allows(decisions):
            continue
        best = _Candidate(decisions, solution.upper * MONEY, solution=solution)
        search.upper = best.estimate
    if best is not None and search.near_enough(room=0.0):
        return best
    near = best.decisions if best is not None else next(iter(candidates), None)
    for number in range(2 * MOST_STALLED if near is not None else 0):
        # what is asked for may cost more than the earlier bound knew, and ask for other options than those near
        far = number == 1
        options = options_with_cuts(search, None if far else near)
        search.lower = max(search.lower, options.bound if far else -np.inf)
        if options.x is None or search.left() < 0.4 * search.budget.seconds:
            break
        if far and search.near_enough(NEAR_SHARE):
            break
        tried = _priced(search, decisions_of(search.master, options.x), prices, NEAR_STEPS)
        surely = FLOWS_SHARE * search.budget.gap * search.upper if best is not None and best.solution is not None else 0.0
        stalled = best is not None and tried.estimate + surely >= best.estimate
        if best is None or not stalled:
            best, near = tried, tried.decisions
        search.upper = best.estimate
        search.note("near")
        if search.near_enough(NEAR_SHARE):
            break
        if stalled and not far:
            break
    if best is not None and search.near_enough(room=0.0):
        return best
    return _best_candidate(search, prices, candidates, best)


def _best_candidate(search: Search, prices: Prices, candidates: Sequence[Decisions], best: _Candidate | None = None) -> _Candidate:
    """Candidates, then options that the cuts favour; ``best`` is known already."""
    seen: set[bytes] = set()
    stalled = 0
    waiting = [known for known in candidates if search.master.allows(known)]
    for number in range(MOST_CANDIDATES + len(waiting)):
        if number < len(waiting):
            decisions = waiting[number]
        else:
            options = options_with_cuts(search)
            search.lower = max(search.lower, options.bound)
            if options.x is None:
                break
            decisions = decisions_of(search.master, options.x)
        key = decisions.start.tobytes() + decisions.modules.tobytes() + decisions.stage.tobytes()
        if key in seen:
            if number < len(waiting):
                continue
            break
        seen.add(key)
        candidate = _priced(search, decisions, prices)
        if best is None or candidate.estimate < best.estimate:
            best = candidate
        stalled = 0 if search.upper - best.estimate > 0.02 * search.budget.gap * abs(best.estimate) else stalled + 1
        search.upper = best.estimate
        search.note("options")
        if number < len(waiting):
            stalled = 0
        elif search.near_enough() or stalled >= MOST_STALLED or search.left() < 0.4 * search.budget.seconds:
            break
    if best is None:
        raise NoPlanError("no choice of options keeps every requirement, or none was found in time")
    return best


def _priced(search: Search, decisions: Decisions, prices: Prices | None, steps: int = NEXT_STEPS) -> _Candidate:
    """Estimate the cost of held options and add the cut that the prices prove. Without known prices it takes the most steps."""
    ascent = ascend(
        search.problem,
        search.blocks,
        steps=FIRST_STEPS if prices is None else steps,
        fixed=decisions,
        begin=prices,
        first_step=LARGE_STEP if prices is None else SMALL_STEP,
        stop=search.budget.interrupted,
    )
    dual = search.master.core_dual(ascent.prices, decisions)
    _add_cut(search, ascent)
    return _Candidate(decisions, dual.core_part + _value(ascent), ascent, dual)


def _value(ascent: Ascent) -> float:
    """Sum of the blocks' values at the best prices (in millions)."""
    return float(ascent.responses[-1].value.sum()) * MONEY


def _add_cut(search: Search, ascent: Ascent) -> None:
    search.master.cuts.append(search.master.cut(ascent.prices, _value(ascent)))
    search.proof.append(ascent.prices)


def options_with_cuts(search: Search, near: Decisions | None = None) -> ModelSolution:
    """The core with all cuts: minimise the largest of the cuts over the options and what belongs to them; ``near`` others, if given."""
    master, arrays = search.master, search.master.arrays
    kept = master.core_rows()
    count, cuts = len(arrays.cost), len(master.cuts)
    slopes = sparse.csc_matrix(np.vstack([-cut.coefficient for cut in master.cuts]))
    blank = sparse.csc_matrix((len(kept), 1))
    matrix = sparse.csc_matrix(sparse.bmat([[arrays.matrix[kept], blank], [slopes, sparse.csc_matrix(np.ones((cuts, 1)))]]))
    model = ModelArrays(
        cost=np.append(np.zeros(count), 1.0),
        lower=np.append(arrays.lower, -np.inf),
        upper=np.append(arrays.upper, np.inf),
        integer=np.append(arrays.integer, False),
        row_lower=np.append(arrays.row_lower[kept], [cut.constant for cut in master.cuts]),
        row_upper=np.append(arrays.row_upper[kept], np.full(cuts, np.inf)),
        matrix=matrix,
        offset=0.0,
    )
    if near is not None:
        model = _near(model, master.core.start, near)
    budget = search.budget
    seconds = min(search.left(), max(2.0, 0.1 * budget.seconds))
    limits = Limits(gap=0.3 * budget.gap, seconds=seconds, threads=budget.threads, seed=budget.seed, interrupted=budget.interrupted)
    return HighsBackend().solve(model, limits)


def _near(model: ModelArrays, start: Ints, decisions: Decisions) -> ModelArrays:
    """The model with at most ``NEAR`` starts other than these decisions'."""
    made = decisions.start > 0
    row = sparse.csc_matrix((np.where(made, -1.0, 1.0), (np.zeros(len(start), np.int64), start)), shape=(1, len(model.cost)))
    return replace(
        model,
        row_lower=np.append(model.row_lower, -np.inf),
        row_upper=np.append(model.row_upper, NEAR - made.sum()),
        matrix=sparse.csc_matrix(sparse.vstack([model.matrix, row])),
    )


def decisions_of(master: Master, x: Floats) -> Decisions:
    """Whole decisions of a solution of the core."""
    stage = master.core.stage
    whole = np.round(x).astype(np.int64)
    return Decisions(whole[master.core.start], whole[master.core.modules], np.where(stage >= 0, whole[np.maximum(stage, 0)], 0))


def _add_distinct(master: Master, ascent: Ascent) -> None:
    """The ascent's responses as columns; a block that chooses as in an earlier one gets no second column."""
    responses = ascent.responses
    for number, response in enumerate(responses):
        new = np.ones(master.blocks.count, bool)
        for earlier in responses[:number]:
            new &= differing_blocks(master.blocks, response.choice, earlier.choice)
        master.add(response, new)


def _flows(search: Search, best: _Candidate, known_flows: Sequence[Flows], others: Sequence[Flows]) -> tuple[Solution, Converged]:
    """The candidate's flows at their true cost; ``others`` are flows of other options, of which most blocks' parts do here too."""
    master = search.master
    assert best.ascent is not None
    assert best.dual is not None
    master.fix(best.decisions)
    for known in (*known_flows, *others):
        master.add_flows(known)
    if not known_flows:
        master.add(master.nowhere())
    _add_distinct(master, best.ascent)
    converged = converge(
        master,
        tolerance=0.2 * search.budget.gap,
        out_of_time=search.left,
        begin=(best.dual, _value(best.ascent)),
        wanted=search.lower / (1 - search.budget.gap) if 0 < search.lower < np.inf and search.budget.gap < 1 else np.inf,
    )
    # a vertex mixes few responses, so that most cells go to one pool
    vertex = None if search.budget.interrupted() else master.lp.vertex(VERTEX_SECONDS)
    core = master.core
    x, upper = (converged.x, converged.upper) if vertex is None or vertex.x is None else (vertex.x, vertex.objective)
    return (
        Solution(
            termination=Termination.GAP_REACHED,
            upper=upper / MONEY,
            lower=search.lower / MONEY,
            decisions=best.decisions,
            flows=master.flows(x),
            beside=beside_flows(core, x),
            capacity_price=np.maximum(0.0, best.ascent.prices.capacity),
        ),
        converged,
    )


def finished(search: Search, solution: Solution) -> Solution:
    lower = min(search.lower / MONEY, solution.upper)
    gap = (solution.upper - lower) / max(abs(solution.upper), 1e-9)
    if gap <= 1e-6:
        ended = Termination.OPTIMAL
    elif gap <= search.budget.gap:
        ended = Termination.GAP_REACHED
    elif search.budget.interrupted():
        ended = Termination.INTERRUPTED
    else:
        ended = Termination.TIME_LIMIT
    return replace(solution, termination=ended, lower=lower, log=tuple(search.log), proof=tuple(search.proof))
