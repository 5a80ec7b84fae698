"""The objective, line by line, from the case and the decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sufficiency.audit.beside import WEIGHTS, limit_weights
from sufficiency.audit.codes import FAMILIES, KM_PER_MILE, STATE, UNLOCATED, WITH_PLAN, of_kind
from sufficiency.audit.expected import Expected
from sufficiency.audit.flows import family_of, taken_places
from sufficiency.audit.money import credit, discount, discount_of_credit, spending
from sufficiency.audit.report import OVER, Bools, Breach, Floats, unlike
from sufficiency.audit.world import World
from sufficiency.terms import financial_year, start_of

ITEMS: Final = {
    "state_places": (True, True),
    "independent_places": (True, True),
    "unlocated_ap_places": (True, True),
    "travel": (True, True),
    "social": (False, False),
    "outreach": (True, True),
    "latent_net": (False, True),
    "capital": (True, True),
    "capital_credit": (True, True),
    "excess_travel_weight": (False, True),
    "overcrowding_weight": (False, True),
    "unmet_weight": (False, True),
    "least_use_weight": (False, True),
    "border_weight": (False, True),
    "equity_weight": (False, True),
    "own_capital": (True, True),
    "latent_revenue": (True, False),
}
"""Line of costs.csv -> whether it is cash, whether it is in the objective, all public money counted."""
SEEN_OTHERWISE: Final = {"council": {"capital": False, "capital_credit": False}, "social": {"social": True}}
"""Perspective -> line whose part in the objective is another."""


def in_objective(facts: Expected, item: str) -> bool:
    """Whether a line counts in the perspective of the plan."""
    return SEEN_OTHERWISE.get(facts.case.perspective, {}).get(item, ITEMS[item][1])


@dataclass(frozen=True)
class Line:
    """Undiscounted GBP of one line and year, and its discount factor. ``least`` and ``most`` differ only where the tables leave it open."""

    least: float
    most: float
    factor: float


Lines = Mapping[tuple[str, str], Line]
"""By item and year."""


def cost_lines(facts: Expected, world: World) -> Lines:
    """Every line of the objective, and what pupils from mainstream cost beside it."""
    figures, pools = facts.figures, facts.pools
    minutes, km, located = journeys(facts, world)
    place = pools.cost[world.pool, family_of(world) // (FAMILIES // pools.cost.shape[1])]
    kind = pools.kind[world.pool]
    excess = np.where(located, np.maximum(0.0, minutes - facts.by_phase("travel.limit_min")[family_of(world)]), 0.0)
    above = taken_places(facts, world) + world.latent_by_pool - (pools.places + world.added)
    least, most = _latent_revenue(facts, world)
    yearly = {
        "state_places": np.where(of_kind(kind, STATE), place, 0.0) @ world.pupils,
        "independent_places": np.where(of_kind(kind, WITH_PLAN), place, 0.0) @ world.pupils,
        "unlocated_ap_places": np.where(of_kind(kind, ("unlocated_ap",)), place, 0.0) @ world.pupils,
        "travel": travel_cost(facts, world, km) @ world.pupils,
        "social": social_cost(facts, world, minutes, km) @ world.pupils,
        "outreach": np.array([_outreach(facts, str(year)) for year in facts.years]),
        "excess_travel_weight": figures.number("travel.excess_weight") * (excess @ world.pupils),
        "overcrowding_weight": figures.number("overcrowding.weight") * np.where(above > OVER, above, 0.0).sum(axis=0),
        "unmet_weight": figures.number("unmet.weight") * world.unmet.sum(axis=(0, 1)),
        "latent_net": figures.number("displacement.latent_net_cost") * world.latent_by_pool.sum(axis=0),
    }
    lines = {
        (item, str(year)): Line(float(gbp), float(gbp), float(factor))
        for item, amounts in yearly.items()
        for year, gbp, factor in zip(facts.years, amounts, facts.weight, strict=True)
    }
    for t, year in enumerate(facts.years):
        lines["latent_revenue", str(year)] = Line(float(least[t]), float(most[t]), float(facts.weight[t]))
    for rule, item in WEIGHTS.items():
        for (_, year), value in limit_weights(facts, world, rule).items():
            t = 0 if year == "all" else list(facts.years).index(year)
            key = (item, str(facts.years[t]))
            before = lines[key].least if key in lines else 0.0
            gbp = before + value / float(facts.weight[t])
            lines[key] = Line(gbp, gbp, float(facts.weight[t]))
    return lines | _capital_lines(facts, world)


def _outreach(facts: Expected, year: str) -> float:
    table = facts.case.reductions
    return float(table.loc[table["first_year"] <= year, "gbp_per_year"].sum())


def present_value(facts: Expected, lines: Lines, cash_only: bool = False) -> float:
    """GBP of the lines in the objective."""
    counted = {item: in_objective(facts, item) and (ITEMS[item][0] or not cash_only) for item in ITEMS}
    return sum(line.least * line.factor for (item, _), line in lines.items() if counted[item])


def check_costs(facts: Expected, world: World, lines: Lines) -> Iterator[Breach]:
    """A43: every line of costs.csv, undiscounted and as present value."""
    columns = ["item", "year", "gbp", "present_value_gbp", "is_cash", "in_objective"]
    stated: dict[tuple[str, str], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for item, year, gbp, value, is_cash, counts in world.tables.costs[columns].itertuples(index=False, name=None):
        stated[item, year] = (stated[item, year][0] + gbp, stated[item, year][1] + value)
        if item in ITEMS and (ITEMS[item][0], in_objective(facts, item)) != (is_cash, counts):
            yield Breach("A43", f"{item}, {year}", "is_cash or in_objective is not as docs/audit.md has it", 0.0)
    for key in sorted({*stated, *lines}):
        gbp, value = stated[key]
        line = lines.get(key, Line(0.0, 0.0, 0.0))
        found = min(max(gbp, line.least), line.most)
        where = ", ".join(key)
        yield from unlike("A43", where, "the line does not follow from the case and the decisions (GBP)", gbp, found)
        yield from unlike("A43", where, "the present value of the line is wrong (GBP)", value, found * line.factor)


def _capital_lines(facts: Expected, world: World) -> dict[tuple[str, str], Line]:
    by_year: dict[str, float] = defaultdict(float)
    for (_, _, year), gbp in spending(facts, world).items():
        by_year[year] += gbp
    left = -float(credit(facts, world).sum())
    last = financial_year(facts.first_year + len(facts.years) - 1)
    spent = {
        ("capital", year): Line(gbp, gbp, float(discount(facts, np.array(start_of(year) - facts.first_year, dtype=float))))
        for year, gbp in by_year.items()
    }
    spent |= _own_capital(facts, world)
    return spent | {("capital_credit", last): Line(left, left, discount_of_credit(facts))}


def _own_capital(facts: Expected, world: World) -> dict[tuple[str, str], Line]:
    """What the council pays itself, in its own perspective: its own capital as it is spent, borrowing as it is repaid."""
    if facts.case.perspective != "council":
        return {}
    funds = facts.case.funds.drop_duplicates("fund_id").set_index("fund_id")
    sums: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for fund, year, gbp in world.tables.payments[["fund_id", "financial_year", "amount_gbp"]].itertuples(index=False, name=None):
        kind, rate, term = funds.loc[fund, ["kind", "interest_rate", "term_years"]]
        when = start_of(year) - facts.first_year
        if kind == "council":
            factor = float(discount(facts, np.array(when, dtype=float)))
        elif kind == "borrowing":
            repaid = 1 / term if rate == 0 else rate / (1 - (1 + rate) ** -term)
            factor = float(repaid * discount(facts, when + np.arange(1, term + 1, dtype=float)).sum())
        else:
            continue
        sums[year] = (sums[year][0] + gbp, sums[year][1] + gbp * factor)
    return {("own_capital", year): Line(gbp, gbp, value / gbp) for year, (gbp, value) in sums.items()}


def journeys(facts: Expected, world: World) -> tuple[Floats, Floats, Bools]:
    """(G,) minutes and km of everyone, and whether the place is on the map.

    Unlocated independent places, and base-year pupils whose journey the table lacks, are as far as the council's unlocated places are.
    """
    kind, council = facts.pools.kind[world.pool], facts.area_council[world.area]
    mean = (
        facts.case.councils.set_index("council_code")[["unlocated_minutes", "unlocated_km"]]
        .reindex(facts.councils)
        .to_numpy(dtype=float)[council]
    )
    at_home = of_kind(kind, ("unlocated_ap",))
    minutes = np.where(at_home, 0.0, np.where(np.isnan(world.minutes), mean[:, 0], world.minutes))
    km = np.where(at_home, 0.0, np.where(np.isnan(world.km), mean[:, 1], world.km))
    return minutes, km, ~of_kind(kind, UNLOCATED)


def travel_cost(facts: Expected, world: World, km: Floats) -> Floats:
    """(G,) GBP of one pupil's journeys in a year."""
    figures = facts.figures
    curve = figures.number("travel.cost_base") + figures.number("travel.cost_per_mile") * km / KM_PER_MILE
    return np.asarray(_carried(facts, world) * facts.sharing(world.area, world.pool) * curve)


def social_cost(facts: Expected, world: World, minutes: Floats, km: Floats) -> Floats:
    """(G,) GBP of carers' time and carbon of one pupil's journeys in a year."""
    figures = facts.figures
    trips = 2 * figures.number("social.days_per_year")
    time = minutes / 60 * figures.number("social.carer_share") * figures.number("social.value_of_time_gbp_per_hour")
    tonnes = km * facts.sharing(world.area, world.pool) * figures.number("social.co2e_kg_per_km") / 1000
    return np.asarray(_carried(facts, world) * trips * (time + tonnes * figures.number("social.carbon_gbp_per_tonne")))


def _carried(facts: Expected, world: World) -> Floats:
    """(G,) factor of the cost of a journey by phase, need and length of stay."""
    factor = facts.by_phase("travel.transported_share") * facts.by_group("travel.need_factor")
    return np.asarray(factor[family_of(world)] * facts.load[world.band_class])


def _latent_revenue(facts: Expected, world: World) -> tuple[Floats, Floats]:
    """(T,) least and most that places for pupils from mainstream cost above mainstream, GBP a year.

    The tables give these pupils by pool and by need, not by both: where a pool's cost differs by need only bounds are known.
    """
    groups = facts.pools.lists.reshape(len(facts.pools.ids), facts.pools.cost.shape[1], -1).any(axis=2)
    saved = facts.figures.number("displacement.mainstream_cost")
    least = np.where(groups, facts.pools.cost, np.inf).min(axis=1) - saved
    most = np.where(groups, facts.pools.cost, -np.inf).max(axis=1) - saved
    return least @ world.latent_by_pool, most @ world.latent_by_pool
