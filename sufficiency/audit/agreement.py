"""The tables of one world say what follows from its decisions: places, needs, journeys and access, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sufficiency.audit.codes import BANDS, FAMILIES, KINDS, STATE, add_up, of_kind, positions
from sufficiency.audit.costs import journeys, travel_cost
from sufficiency.audit.expected import Expected
from sufficiency.audit.flows import (
    by_council,
    council_need_year,
    family_of,
    in_new_places,
    open_places,
    pool_year,
    taken_places,
    use_of_pools,
)
from sufficiency.audit.report import MINUTES, OVER, PUPILS, Bools, Breach, Floats, beyond, differing, gbp_within, pupils_within
from sufficiency.audit.world import World
from sufficiency.terms import SETTING_KINDS

FEWEST_OPEN: Final = 0.5
"""Places below which a site is not open."""
REACHES: Final = {"within_20_min": 20.0, "within_45_min": 45.0, "within_75_min": 75.0}


def check_agreement(facts: Expected, world: World) -> Iterator[Breach]:
    """Places, needs and journeys of one world's tables against what the audit works out."""
    yield from _places(facts, world)
    yield from _needs(facts, world)
    yield from _travel(facts, world)
    yield from _access(facts, world)


def _places(facts: Expected, world: World) -> Iterator[Breach]:
    """A12: places open, and where they are; A40: their use."""
    table, pools = world.tables.places, facts.pools
    pool, year = positions(pools.ids, table["pool_id"]), positions(facts.years, table["academic_year"])
    table = table[(pool >= 0) & (year >= 0)].assign(pool=pool[(pool >= 0) & (year >= 0)], year=year[(pool >= 0) & (year >= 0)])
    at = (table["pool"].to_numpy(np.int64), table["year"].to_numpy(np.int64))
    shape = (len(pools.ids), len(facts.years))
    places, use, where = open_places(facts, world), use_of_pools(facts, world), pool_year(facts)
    above = taken_places(facts, world) + world.latent_by_pool - (pools.places + world.added)
    found = {"places": places, "pupils": use, "over_places": np.where(above > OVER, above, 0.0)}
    stated = {name: add_up(shape, at, table[name].to_numpy(dtype=float)) for name in found}
    message = "places open are not those of the case and the openings (places)"
    yield from differing("A12", message, stated["places"], places, pupils_within(places), where)
    listed = add_up(shape, at, np.ones(len(table))) > 0
    due = (pools.project < 0)[:, None] | (world.opened > 0)
    yield from beyond(
        "A12", "the pool has no row in places.csv (places)", np.where(due & ~listed, np.maximum(places, 1.0), 0.0), 0.0, where
    )
    standing = {
        "setting_id": pools.setting,
        "kind": KINDS[pools.kind],
        "council_code": facts.standing[pools.council],
        "is_new": pools.project >= 0,
    }
    for column, values in standing.items():
        wrong = table[table[column].to_numpy() != np.asarray(values)[at[0]]]
        for row in wrong.head(1).to_dict("records"):
            yield Breach("A12", f"{row['pool_id']}, {row['academic_year']}", f"{column} is not as in the case in {len(wrong)} rows", 0.0)
    for name, unit in (("pupils", "pupils"), ("over_places", "pupils above places")):
        tolerance = np.maximum(OVER if name == "over_places" else 0.0, pupils_within(use))
        yield from differing(
            "A40", f"{name} of the pool do not agree with placements.csv ({unit})", stated[name], found[name], tolerance, where
        )


def _needs(facts: Expected, world: World) -> Iterator[Breach]:
    """A41: demand, and where it is met, by council of residence."""
    homes = world.tables.unmet
    area = positions(facts.areas, homes["area_id"])
    away = homes[(area >= 0) & (homes["council_code"].to_numpy() != facts.councils[facts.area_council[area]].to_numpy())]
    for name in away["area_id"].unique():
        yield Breach("A41", f"{name} in unmet.csv", "council_code is not the council of the area", 0.0)
    kind = facts.pools.kind[world.pool]
    demand = np.zeros((len(facts.councils), FAMILIES, len(facts.years)))
    np.add.at(demand, facts.area_council, facts.demand.placed.reshape(len(facts.areas), FAMILIES, len(BANDS), -1).sum(axis=2))
    unmet = np.zeros_like(demand)
    np.add.at(unmet, facts.area_council, world.unmet.reshape(len(facts.areas), FAMILIES, len(BANDS), -1).sum(axis=2))
    found = {name: by_council(facts, world, world.pupils, kind == k) for k, name in enumerate(SETTING_KINDS)}
    found |= {"demand": demand, "unmet": unmet, "in_new_places": by_council(facts, world, world.pupils, in_new_places(facts, world))}
    for name, figures in found.items():
        stated = world.stated_needs[name]
        message = f"{name} does not agree with the case, placements.csv and unmet.csv (pupils)"
        yield from differing("A41", message, stated, figures, pupils_within(figures), council_need_year(facts))


def _travel(facts: Expected, world: World) -> Iterator[Breach]:
    """A42: journeys of pupils whose place is on the map."""
    minutes, km, located = journeys(facts, world)
    where = council_need_year(facts)
    pupils = by_council(facts, world, world.pupils, located)
    some = np.where(pupils > PUPILS, pupils, np.inf)
    minutes_travelled, km_travelled, gbp = (
        by_council(facts, world, world.pupils * each[:, None], located) for each in (minutes, km, travel_cost(facts, world, km))
    )
    far = {limit: by_council(facts, world, world.pupils, located & (minutes > limit)) for limit in (45, 75)}
    exact = np.full(pupils.shape, MINUTES)
    found: dict[str, tuple[Floats, Floats]] = {
        "pupils": (pupils, pupils_within(pupils)),
        "mean_min": (minutes_travelled / some, exact),
        "mean_km": (km_travelled / some, exact),
        "over_45_min": (far[45], pupils_within(pupils)),
        "over_75_min": (far[75], pupils_within(pupils)),
        "travel_gbp": (gbp, gbp_within(gbp)),
    }
    for name, (figures, tolerance) in found.items():
        stated = np.where(np.isinf(some), 0.0, world.stated_travel[name]) if name.startswith("mean") else world.stated_travel[name]
        yield from differing("A42", f"{name} does not agree with placements.csv", stated, figures, tolerance, where)
    for name, share in (("median_min", 0.5), ("p90_min", 0.9)):
        yield from _quantile(facts, world, minutes, located, pupils, name, share)


def _access(facts: Expected, world: World) -> Iterator[Breach]:
    """A44: pupils within 20, 45 and 75 minutes of a state-funded site that is open for their group and phase, free places or not."""
    pools, where = facts.pools, council_need_year(facts)
    demand = facts.demand.placed.reshape(len(facts.areas), FAMILIES, len(BANDS), -1).sum(axis=2)
    suits = facts.suits[pools.kind].reshape(len(pools.ids), FAMILIES, len(BANDS)).any(axis=2)
    serves = pools.lists & suits & of_kind(pools.kind, STATE)[:, None] & (pools.site >= 0)[:, None]
    is_open = open_places(facts, world) >= FEWEST_OPEN
    area, site = np.divmod(facts.journey_keys, len(facts.sites))
    found = {name: np.zeros((len(facts.councils), *demand.shape[1:])) for name in ("pupils", *REACHES)}
    np.add.at(found["pupils"], facts.area_council, demand)
    nearest: dict[frozenset[int], Floats] = {}
    for t in range(demand.shape[2]):
        for f in np.flatnonzero(demand[:, :, t].sum(axis=0)):
            sites = frozenset(pools.site[serves[:, f] & is_open[:, t]].tolist())
            if sites not in nearest:
                nearest[sites] = np.full(len(facts.areas), np.inf)
                np.minimum.at(nearest[sites], area, np.where(np.isin(site, list(sites)), facts.journey_minutes, np.inf))
            for name, limit in REACHES.items():
                np.add.at(found[name][:, f, t], facts.area_council, demand[:, f, t] * (nearest[sites] <= limit))
    for name, figures in found.items():
        message = f"{name} does not follow from the case and the places open (pupils)"
        yield from differing("A44", message, world.stated_access[name], figures, pupils_within(found["pupils"]), where)


def _quantile(facts: Expected, world: World, minutes: Floats, located: Bools, pupils: Floats, name: str, share: float) -> Iterator[Breach]:
    """No more than ``share`` of the pupils travel less than the figure, and no fewer travel that long or less."""
    here = np.flatnonzero(located)
    cell = facts.area_council[world.area[here]] * FAMILIES + family_of(world)[here]
    order = np.lexsort((minutes[here], cell))
    here, cell = here[order], cell[order]
    key = cell * 1e6 + minutes[here]
    cells = np.arange(len(facts.councils) * FAMILIES)
    whole = pupils.reshape(len(cells), -1)
    amiss = np.zeros_like(whole)
    for t in range(whole.shape[1]):
        running = np.concatenate([[0.0], np.cumsum(world.pupils[here, t])])
        before = running[np.searchsorted(cell, cells)]
        figure = world.stated_travel[name].reshape(len(cells), -1)[:, t]
        less = running[np.searchsorted(key, cells * 1e6 + figure - MINUTES, side="left")] - before
        as_long = running[np.searchsorted(key, cells * 1e6 + figure + MINUTES, side="right")] - before
        amiss[:, t] = np.maximum(less - share * whole[:, t], share * whole[:, t] - as_long)
    message = f"{name} is not the time within which {share:.0%} of the pupils travel (pupils)"
    yield from beyond("A42", message, amiss, pupils_within(whole), council_need_year(facts))
