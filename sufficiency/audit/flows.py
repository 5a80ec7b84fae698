"""Who goes where: nobody is lost, nobody is moved, everybody is where the case allows it, and no pool holds more than it may."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sufficiency.audit.codes import BANDS, CLASSES, FAMILIES, INDEPENDENT_ONLY, STATE, UNLOCATED, add_up, of_kind
from sufficiency.audit.expected import Expected
from sufficiency.audit.report import DISPLACEMENT, OVER, OVER_SHARE, PUPILS, Bools, Breach, Floats, Where, beyond, differing, pupils_within
from sufficiency.audit.world import World
from sufficiency.terms import INDEPENDENT_KINDS


def check_flows(facts: Expected, world: World, counterfactual: World) -> Iterator[Breach]:
    """All checks of entrants, stocks, places and displacement of one world."""
    yield from _nobody_lost(facts, world)
    yield from _nobody_moved(facts, world)
    yield from _unmet_stay(facts, world)
    yield from _accepted(facts, world)
    yield from _within_reach(facts, world)
    yield from _open(facts, world)
    yield from _capacity(facts, world)
    yield from _latent(facts, world)
    yield from _displacement(facts, world, counterfactual)


def family_of(world: World) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(G,) family of each row."""
    return world.band_class // len(BANDS)


def use_of_pools(facts: Expected, world: World) -> Floats:
    """(P, T) pupils in each pool, base-year pupils included."""
    return np.stack([add_up((len(facts.pools.ids),), (world.pool,), column) for column in world.pupils.T], axis=-1)


def taken_places(facts: Expected, world: World) -> Floats:
    """(P, T) places that the pupils in each pool take."""
    taken = world.pupils * facts.load[world.band_class, None]
    return np.stack([add_up((len(facts.pools.ids),), (world.pool,), column) for column in taken.T], axis=-1)


def open_places(facts: Expected, world: World) -> Floats:
    """(P, T) places open: those without any project, and what the openings of this world change."""
    return np.maximum(facts.pools.places + world.added, 0.0)


def by_council(facts: Expected, world: World, amount: Floats, rows: Bools) -> Floats:
    """(L, F, T) amounts (G, T) of the chosen rows by council of residence and family."""
    at = (facts.area_council[world.area[rows]], family_of(world)[rows])
    return np.stack([add_up((len(facts.councils), FAMILIES), at, column) for column in amount[rows].T], axis=-1)


def _row(facts: Expected, world: World) -> Where:
    years = len(facts.years)

    def words(position: int) -> str:
        g, t = divmod(position, years)
        here = f"{facts.areas[world.area[g]]}, {facts.pools.ids[world.pool[g]]}"
        return f"{here}, {facts.class_words(int(world.band_class[g]))}, {facts.years[t]}"

    return words


def _cell(facts: Expected) -> Where:
    def words(position: int) -> str:
        rest, t = divmod(position, len(facts.years))
        z, c = divmod(rest, CLASSES)
        return f"{facts.areas[z]}, {facts.class_words(c)}, {facts.years[t]}"

    return words


def pool_year(facts: Expected) -> Where:
    """Words for a position in a (P, T) array."""
    return lambda position: f"{facts.pools.ids[position // len(facts.years)]}, {facts.years[position % len(facts.years)]}"


def council_need_year(facts: Expected) -> Where:
    """Words for a position in an (L, F, T) array."""

    def words(position: int) -> str:
        rest, t = divmod(position, len(facts.years))
        council, family = divmod(rest, FAMILIES)
        return f"{facts.councils[council]}, {facts.family_words(family)}, {facts.years[t]}"

    return words


def _nobody_lost(facts: Expected, world: World) -> Iterator[Breach]:
    """A02: placed in the year + without a place = entrants of the area, class and year + those still waiting from the year before."""
    shape = (len(facts.areas), CLASSES)
    placed = np.stack([add_up(shape, (world.area, world.band_class), column) for column in world.entrants.T], axis=-1)
    waited = facts.demand.stay[None, :, None] * world.unmet[:, :, :-1]
    due = facts.demand.entrants + np.pad(waited, ((0, 0), (0, 0), (1, 0)))
    found = placed + world.unmet
    message = "pupils placed in the year or without a place are not the entrants of the case and those who waited (pupils)"
    yield from differing("A02", message, found, due, pupils_within(due), _cell(facts))


def _nobody_moved(facts: Expected, world: World) -> Iterator[Breach]:
    """A03, A04: pupils there = base-year pupils and entrants of earlier years who are still in the phase + entrants."""
    tolerance = pupils_within(world.pupils)
    gone = world.stated_pupils < world.base - tolerance
    where = _row(facts, world)
    off = np.abs(world.stated_pupils - world.pupils)
    yield from beyond("A04", "base-year pupils have left their pool mid-phase (pupils)", np.where(gone, off, 0.0), tolerance, where)
    yield from beyond("A03", "pupils have moved in or out mid-phase (pupils)", np.where(gone, 0.0, off), tolerance, where)


def _unmet_stay(facts: Expected, world: World) -> Iterator[Breach]:
    """A05: pupils without a place are those who find none in the year."""
    message = "pupils without a place are not those who found none in the year (pupils)"
    yield from differing("A05", message, world.stated_unmet, world.unmet, pupils_within(world.unmet), _cell(facts))


def _accepted(facts: Expected, world: World) -> Iterator[Breach]:
    """A06 to A09: need group, phase, severity and route are accepted, and unlocated places are the own council's."""
    pools, family = facts.pools, family_of(world)
    kind = pools.kind[world.pool]
    only = world.band_class % len(BANDS) == INDEPENDENT_ONLY
    unlocated = of_kind(kind, UNLOCATED)
    suits = facts.suits[kind, world.band_class]
    elsewhere = only & ~of_kind(kind, INDEPENDENT_KINDS)
    faults = (
        ("A06", "placed where need group and phase are not accepted (pupils)", ~pools.lists[world.pool, family]),
        ("A07", "placed in a kind of provision that does not suit need group and severity (pupils)", ~suits & ~elsewhere),
        ("A08", "of the irreducible share, but not in an independent place (pupils)", elsewhere),
        (
            "A09",
            "placed in another council's unlocated places (pupils)",
            unlocated & (pools.council[world.pool] != facts.area_council[world.area]),
        ),
    )
    for code, message, wrong in faults:
        yield from beyond(code, message, np.where(wrong[:, None], world.entrants, 0.0), PUPILS, _row(facts, world))


def _within_reach(facts: Expected, world: World) -> Iterator[Breach]:
    """A10: the journey is known and at most the limit of the phase + soft minutes."""
    reach = facts.by_phase("travel.limit_min") + facts.figures.number("travel.soft_extra_min")
    located = facts.pools.site[world.pool] >= 0
    far = located & ~(world.minutes <= reach[family_of(world)])
    yield from beyond(
        "A10", "placed beyond the travel limit (pupils)", np.where(far[:, None], world.entrants, 0.0), PUPILS, _row(facts, world)
    )


def _open(facts: Expected, world: World) -> Iterator[Breach]:
    """A11: places of a project take nobody before they open."""
    closed = (facts.pools.project[world.pool] >= 0)[:, None] & (world.opened[world.pool] <= 0)
    message = "placed in a project's places before they are open (pupils)"
    yield from beyond("A11", message, np.where(closed, world.entrants, 0.0), PUPILS, _row(facts, world))


def _capacity(facts: Expected, world: World) -> Iterator[Breach]:
    """A13: pupils and latent pupils <= places + what the pool may run over."""
    pools = facts.pools
    state = of_kind(pools.kind, STATE)
    share = np.where(state, facts.figures.number("overcrowding.limit_share"), 0.0)[:, None]
    over = np.maximum(np.maximum(share * pools.places, pools.base - pools.places), 0.0)
    over = np.where((pools.project >= 0)[:, None], 0.0, over) + world.removed
    most = pools.places + world.added + over
    excess = taken_places(facts, world) + world.latent_by_pool - most
    yield from beyond(
        "A13", "pupils above places and what the pool may run over (pupils)", excess, np.maximum(OVER, OVER_SHARE * most), pool_year(facts)
    )


def _latent(facts: Expected, world: World) -> Iterator[Breach]:
    """A14: pupils from mainstream are few enough, and in places that the plan's projects have opened for them."""
    share = facts.figures.number("displacement.latent_share_of_mainstream")
    most = share * facts.demand.council_mainstream
    where = council_need_year(facts)
    yield from beyond(
        "A14", "pupils drawn from mainstream above the share allowed (pupils)", world.latent_by_need - most, pupils_within(most), where
    )
    taken = facts.pools.new[:, None] & (world.opened > 0)
    message = "pupils drawn from mainstream into places that are not new and open (pupils)"
    yield from beyond("A14", message, np.where(taken, 0.0, world.latent_by_pool), PUPILS, pool_year(facts))
    offered = np.zeros(world.latent_by_need.shape, bool)
    for i in np.flatnonzero(facts.pools.new):
        offered[facts.pools.council[i]] |= facts.pools.lists[i][:, None] & taken[i]
    message = "pupils drawn from mainstream although no new places of the council are for them (pupils)"
    yield from beyond("A14", message, np.where(offered, 0.0, world.latent_by_need), PUPILS, where)
    shape = (len(facts.councils), len(facts.years))
    by_pool = np.zeros(shape)
    new = facts.pools.project >= 0
    np.add.at(by_pool, facts.pools.council[new], world.latent_by_pool[new])
    by_need = world.latent_by_need.sum(axis=1)
    message = "pupils drawn from mainstream differ between needs.csv and places.csv"
    tolerance = OVER * np.maximum(1.0, by_pool)
    yield from differing(
        "A14", message, by_need, by_pool, tolerance, lambda i: f"{facts.councils[i // shape[1]]}, {facts.years[i % shape[1]]}"
    )


def _displacement(facts: Expected, world: World, counterfactual: World) -> Iterator[Breach]:
    """A15: independent + phi x (in new places + latent) >= independent in the counterfactual, entrants only."""
    figures = facts.figures
    table, usual = figures.table("displacement.share_by_need_group"), figures.number("displacement.share")
    words = [facts.family_words(f).split() for f in range(FAMILIES)]
    phi = np.array([table.get(f"{group}.{phase}", table.get(group, usual)) for group, phase in words])
    floor = _independent_entrants(facts, counterfactual)
    new = by_council(facts, world, world.pupils - world.base, in_new_places(facts, world))
    held = _independent_entrants(facts, world) + phi[None, :, None] * (new + world.latent_by_need)
    message = "independent places are displaced beyond the share of new places that may do so (pupils)"
    yield from beyond("A15", message, floor - held, DISPLACEMENT * np.maximum(1.0, floor), council_need_year(facts))


def _independent_entrants(facts: Expected, world: World) -> Floats:
    return by_council(facts, world, world.pupils - world.base, of_kind(facts.pools.kind[world.pool], INDEPENDENT_KINDS))


def in_new_places(facts: Expected, world: World) -> Bools:
    """(G,) rows in places of projects that are not committed."""
    return np.asarray(facts.pools.new[world.pool])
