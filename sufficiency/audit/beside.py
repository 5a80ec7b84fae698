"""Beside the costs: limits that bend at a price, placements across borders, the high needs block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np

from sufficiency.audit.codes import FAMILIES, KINDS, STATE, UNLOCATED, add_up, of_kind
from sufficiency.audit.expected import Expected
from sufficiency.audit.flows import taken_places
from sufficiency.audit.report import DISPLACEMENT, GBP, Breach, Floats, unlike
from sufficiency.audit.world import World, open_share
from sufficiency.terms import financial_year, start_of

LEAST_BREACH: Final = 1e-5
"""Pupils, or pupil-minutes, that count as none."""
WEIGHTS: Final = {"least_use": "least_use_weight", "border": "border_weight", "equity": "equity_weight"}
"""Rule of limits.csv -> line of costs.csv."""

Limit = tuple[float, float, float, float]
"""Found, limit, breach, weight in GBP, present value."""
Limits = dict[tuple[str, str], Limit]
"""By name and academic year."""


def check_beside(facts: Expected, world: World) -> Iterator[Breach]:
    """A60: limits.csv; A61: ledger.csv; A62: high_needs_block.csv."""
    yield from _limits(facts, world)
    yield from _ledger(facts, world)
    yield from _block(facts, world)


def limits_of(facts: Expected, world: World, rule: str) -> Limits:
    """Every limit of a rule in one world."""
    return {"least_use": _least_use, "border": _borders, "equity": _equity}[rule](facts, world)


def limit_weights(facts: Expected, world: World, rule: str) -> dict[tuple[str, str], float]:
    """What the breaches of a rule weigh, GBP, present value."""
    return {key: weight for key, (_, _, _, weight) in limits_of(facts, world, rule).items() if weight > 0}


def _limit(found: float, limit: float, short: float, weight: float) -> Limit:
    breach = short if short > LEAST_BREACH else 0.0
    return found, limit, breach, breach * weight


def _least_use(facts: Expected, world: World) -> Limits:
    """A settled project has at least its viable number of pupils, and its share of open places in use."""
    weight = facts.figures.number("viability.weight")
    used = taken_places(facts, world) + world.latent_by_pool
    year = np.arange(len(facts.years))
    asked: dict[int, Floats] = defaultdict(lambda: np.zeros(len(year)))
    own = {row: pool for pool, row in enumerate(facts.pools.project) if row >= 0}
    for opening in world.openings.to_dict("records"):
        project = facts.case.projects.iloc[opening["row"]]
        if opening["row"] not in own or not (project["viable_pupils"] > 0 or project["least_use_share"] > 0):
            continue
        ready = opening["start"] + opening["case_lead_time_years"]
        first = min(ready, 0) if opening["opens"] <= 0 else opening["opens"]
        share = open_share(facts, project, year - first, np.zeros(len(year)))
        settled = year >= max(opening["opens"], 0) + project["viable_after_years"]
        least = project["viable_pupils"] * (share > 0) if opening["stage"] == 1 else 0.0
        asked[own[opening["row"]]] += settled * (opening["places"] * share * project["least_use_share"] + least)
    return {
        (str(facts.pools.ids[pool]), str(facts.years[int(t)])): _limit(
            float(used[pool, t]), float(need[t]), float(need[t] - used[pool, t]), weight * float(facts.weight[t])
        )
        for pool, need in asked.items()
        for t in np.flatnonzero(need > 0)
    }


def _borders(facts: Expected, world: World) -> Limits:
    """Places that a council's pupils take in another council's state provision; pupils of the base January count, but nobody moves them."""
    weight = facts.figures.number("borders.weight")
    state = of_kind(facts.pools.kind[world.pool], STATE)
    home, standing = facts.area_council[world.area], facts.pools.council[world.pool]
    load = facts.load[world.band_class][:, None]
    named = {(row["home_council"], row["provider_council"]) for row in facts.case.borders.to_dict("records")}
    most = {
        (row["home_council"], row["provider_council"], row["academic_year"]): float(row["most_pupils"])
        for row in facts.case.borders.to_dict("records")
    }
    result: Limits = {}
    for here, there in sorted(named):
        if here not in facts.councils:
            continue
        rows = state & (facts.councils[home] == here) & (facts.standing[standing] == there)
        all_of_them, before = ((each * load)[rows].sum(axis=0) for each in (world.pupils, world.base))
        for t, year in enumerate(facts.years):
            cap = most.get((here, there, year), most.get((here, there, "any"), np.inf))
            if np.isfinite(cap):
                left = max(cap - before[t], 0.0)
                entered = all_of_them[t] - before[t]
                result[f"{here} in {there}", str(year)] = _limit(
                    float(all_of_them[t]), left + float(before[t]), float(entered - left), weight * float(facts.weight[t])
                )
    return result


def _equity(facts: Expected, world: World) -> Limits:
    """A group's total is at most (1 + x) times its share of demand of the total of all: pupils without a place, or minutes."""
    result: Limits = {}
    stay = facts.demand.stay
    there, present = np.zeros(facts.demand.entrants.shape[:2]), np.zeros(len(facts.areas))
    for t in range(len(facts.years)):
        there = stay * there + facts.demand.entrants[..., t]
        present += facts.weight[t] * there.sum(axis=1)
    minutes = np.where(np.isnan(world.minutes) | of_kind(facts.pools.kind[world.pool], UNLOCATED), 0.0, world.minutes)
    travelled = add_up((len(facts.areas),), (world.area,), minutes * ((world.pupils - world.base) @ facts.weight))
    totals = {"unmet": world.unmet.sum(axis=1) @ facts.weight, "minutes": travelled}
    words = {"unmet": "share of pupils without a place", "minutes": "mean journey"}
    for floor in facts.case.equity.to_dict("records"):
        groups = _groups(facts, floor["by"])
        total, weight = totals[floor["measure"]], facts.figures.number(f"equity.weight_{floor['measure']}")
        for group in sorted(set(groups)):
            inside = groups == group
            fair = (1 + floor["within_share"]) * present[inside].sum() / present.sum()
            found = float(total[inside].sum() - fair * total.sum())
            name = f"{group}: {words[floor['measure']]} at most {floor['within_share']:.0%} above average"
            result[name, "all"] = _limit(found, 0.0, found, weight)
    return result


def _groups(facts: Expected, by: str) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """(Z,) group of each area."""
    areas = facts.case.areas
    if by == "council":
        names = [str(name) for name in areas["council_name"]]
    elif by == "rurality":
        names = ["rural areas" if kind == "rural" else "urban areas" for kind in areas["travel_class"]]
    else:
        names = [f"deprivation fifth {(decile + 1) // 2}" for decile in areas["imd_decile"]]
    return np.array(names, dtype=object)


def _limits(facts: Expected, world: World) -> Iterator[Breach]:
    """A60: what is found, what is asked, and what a breach weighs."""
    columns = ["rule", "name", "academic_year", "found", "limit", "breach", "weight_pv_gbp"]
    stated = {row[:3]: row[3:] for row in world.tables.limits[columns].itertuples(index=False, name=None)}
    due = {(rule, *key): value for rule in WEIGHTS for key, value in limits_of(facts, world, rule).items()}
    for key in sorted({*stated, *due}):
        given, found = stated.get(key, (np.nan,) * 4), due.get(key, (np.nan,) * 4)
        for what, one, other in zip(columns[3:], given, found, strict=True):
            slack = DISPLACEMENT * max(1.0, abs(other)) if what != "weight_pv_gbp" else max(GBP, DISPLACEMENT * abs(other))
            if not abs(one - other) <= slack:
                where = f"{', '.join(key)}: {one:,.10g}, found {other:,.10g}"
                yield Breach(
                    "A60", where, f"{what} does not follow from the case and the decisions", float(np.nan_to_num(abs(one - other)))
                )


def _ledger(facts: Expected, world: World) -> Iterator[Breach]:
    """A61: pupils placed in another council, and what follows them."""
    kind = facts.pools.kind[world.pool]
    rows = np.flatnonzero(~of_kind(kind, UNLOCATED))
    home, standing = facts.area_council[world.area[rows]], facts.pools.council[world.pool[rows]]
    state = of_kind(kind[rows], STATE)
    shape = (len(facts.councils), len(facts.standing), 2)
    sums = np.stack([add_up(shape, (home, standing, state.astype(np.int64)), column) for column in world.pupils[rows].T], axis=-1)
    due: dict[tuple[str, ...], float] = {}
    for owner, council in enumerate(facts.councils):
        for place, there in enumerate(facts.standing):
            for sector, name in enumerate(("independent", "state")):
                for t, year in enumerate(facts.years):
                    if council != there and sums[owner, place, sector, t] > 0:
                        due[council, there, name, year] = float(sums[owner, place, sector, t])
    rate = facts.figures.number("revenue.import_export_adjustment")
    stated = {row[:4]: row[4:] for row in world.tables.ledger.itertuples(index=False, name=None)}
    for key in sorted({*stated, *due}):
        pupils, gbp = stated.get(key, (0.0, 0.0))
        found = due.get(key, 0.0)
        if not abs(pupils - found) <= 1e-5 * max(1.0, found):
            where = f"{', '.join(key)}: {pupils:,.10g}, found {found:,.10g}"
            yield Breach(
                "A61", where, "pupils placed across a border do not agree with placements.csv (pupils)", float(abs(pupils - found))
            )
        yield from unlike(
            "A61", ", ".join(key), "the adjustment is not that of the pupils (GBP)", gbp, rate * pupils if key[2] == "state" else 0.0
        )


def _block(facts: Expected, world: World) -> Iterator[Breach]:
    """A62: the parts of a council's high needs spending by financial year, balance and deficit."""
    parts = _block_parts(facts, world)
    entered = {(row["council_code"], row["financial_year"]): row for row in facts.case.high_needs.to_dict("records")}
    stated = {(row["council_code"], row["financial_year"]): row for row in world.tables.high_needs_block.to_dict("records")}
    for owner, council in enumerate(facts.councils):
        known = facts.case.high_needs[facts.case.high_needs["council_code"] == council]["deficit_brought_forward_gbp"].dropna()
        deficit = float(known.iloc[0]) if len(known) else 0.0
        for t, year in enumerate(facts.years):
            key = (council, financial_year(start_of(str(year))))
            row, own = stated.pop(key, None), entered.get(key)
            if row is None:
                yield Breach("A62", ", ".join(key), "the council's year is not in high_needs_block.csv", 0.0)
                continue
            due = {name: 5 / 12 * values[owner, t] + 7 / 12 * values[owner, t + 1] for name, values in parts.items()}
            due["spend_gbp"] = sum(due.values())
            due["other_spend_gbp"] = own["other_spend_gbp"] if own else 0.0
            due["block_gbp"] = own["block_gbp"] if own else np.nan
            due["balance_gbp"] = due["block_gbp"] - due["spend_gbp"] - due["other_spend_gbp"]
            deficit -= due["balance_gbp"]
            due["cumulative_deficit_gbp"] = deficit
            for name, found in due.items():
                least, most = (found, found) if name in WITHOUT_LATENT else _with_latent(facts, world, owner, t, found, name)
                if np.isnan(found) and np.isnan(row[name]):
                    continue
                if not least - _slack(found) <= row[name] <= most + _slack(found):
                    where = f"{', '.join(key)}, {name}: {row[name]:,.2f}, found {found:,.2f}"
                    yield Breach(
                        "A62", where, "does not follow from the case and the decisions (GBP)", float(np.nan_to_num(abs(row[name] - found)))
                    )
    for key in stated:
        yield Breach("A62", ", ".join(map(str, key)), "names no council or year of the case", 0.0)


WITHOUT_LATENT: Final = frozenset({"place_funding_gbp", "top_up_gbp", "fees_gbp", "import_export_gbp", "other_spend_gbp", "block_gbp"})
"""Figures in which pupils drawn from mainstream have no part."""


def _slack(found: float) -> float:
    return max(2 * GBP, 1e-8 * abs(found))


def _with_latent(facts: Expected, world: World, owner: int, t: int, found: float, name: str) -> tuple[float, float]:
    """Bounds of a figure that holds the cost of pupils drawn from mainstream: the tables give these by pool and by need, not by both."""
    here = facts.standing[facts.pools.council] == facts.councils[owner]
    groups = facts.pools.lists.reshape(len(facts.pools.ids), facts.pools.cost.shape[1], -1).any(axis=2)
    low, high = np.where(groups, facts.pools.cost, np.inf).min(axis=1), np.where(groups, facts.pools.cost, -np.inf).max(axis=1)
    spread = ((high - low)[:, None] * world.latent_by_pool)[here].sum(axis=0)
    years = slice(0, t + 1) if name == "cumulative_deficit_gbp" else slice(max(t - 1, 0), t + 1)
    room = float(spread[years].sum())
    return found - room, found + room


def _block_parts(facts: Expected, world: World) -> dict[str, Floats]:
    """(L, 1 + T) GBP by council of residence and academic year, the base year first."""
    base = facts.base
    area, pool = np.concatenate([base.area, world.area]), np.concatenate([base.pool, world.pool])
    cls = np.concatenate([base.band_class, world.band_class])
    pupils = np.zeros((len(area), 1 + len(facts.years)))
    pupils[: len(base.area), 0] = base.pupils
    pupils[len(base.area) :, 1:] = world.pupils
    kind = facts.pools.kind[pool]
    state = of_kind(kind, STATE)
    family = cls // (len(facts.load) // FAMILIES)
    cost = facts.pools.cost[pool, family // (FAMILIES // facts.pools.cost.shape[1])]
    table = facts.figures.table("revenue.place_funding")
    funding = np.array([table.get(name, 0.0) for name in KINDS])[kind] * facts.load[cls]
    home = facts.area_council[area]
    standing = facts.councils.get_indexer(facts.standing[facts.pools.council[pool]])
    follows = facts.figures.number("revenue.import_export_adjustment") * (state & (standing != home))

    def by_council(owner: np.ndarray[tuple[int], np.dtype[np.int64]], each: Floats) -> Floats:
        kept = owner >= 0
        return np.stack([add_up((len(facts.councils),), (owner[kept],), column[kept]) for column in (each[:, None] * pupils).T], axis=-1)

    drawn = np.zeros((len(facts.councils), 1 + len(facts.years)))
    groups = facts.pools.lists.reshape(len(facts.pools.ids), facts.pools.cost.shape[1], -1).any(axis=2)
    mean = (np.where(groups, facts.pools.cost, np.inf).min(axis=1) + np.where(groups, facts.pools.cost, -np.inf).max(axis=1)) / 2
    extra = (mean - facts.figures.number("displacement.mainstream_cost"))[:, None] * world.latent_by_pool
    new = facts.pools.project >= 0
    np.add.at(drawn[:, 1:], facts.councils.get_indexer(facts.standing[facts.pools.council[new]]), extra[new])
    return {
        "place_funding_gbp": by_council(home, np.where(state, funding, 0.0)),
        "top_up_gbp": by_council(home, np.where(state, cost - funding, 0.0)),
        "fees_gbp": by_council(home, np.where(state, 0.0, cost)),
        "from_mainstream_gbp": drawn,
        "import_export_gbp": by_council(home, follows) - by_council(standing, follows),
    }
