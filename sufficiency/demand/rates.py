"""Rates of the stock-flow model: who enters, who leaves and who moves between placements, by age.

Single ages were first published for January 2024, needs by council for January 2025: rates come from the step
between the last two Januaries. Only net moves between placements can be seen in such totals; a council's own
pupil-level returns (``own_rates``) show the gross ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sufficiency.build.council_tables import LAST_AGE, WITH_NEEDS, tables
from sufficiency.demand.pooling import pooled_factors, shrunk_shares
from sufficiency.demand.population import read_population
from sufficiency.sources import ehc_plans
from sufficiency.sources.ehc_plans import CATEGORIES, ENGLAND
from sufficiency.sources.sen2_history import NEEDS, History

Figures = npt.NDArray[np.float64]

AGES: Final = tuple(range(2, 26))
"""Single ages at 31 August; under 3 is 2."""
GROUP_OF_AGE: Final = np.searchsorted(LAST_AGE, AGES)
LEAVING_GROUPS: Final = ((2, 15), (16, 18), (19, 25))
JANUARY_SHARES: Final = {1: 0.222, 0: 0.722, -1: 0.056}
"""A plan that started in a calendar year at age x belongs next January to age x + 1, x or x - 1 at 31 August:
starts and birthdays spread evenly over the year."""
AGE_PUPILS: Final = 5.0
NEED_PUPILS: Final = 100.0
MOVE_PUPILS: Final = 2_000.0
"""Pupils of the parent's pattern that a smaller unit's own counts are mixed with."""
LEAST: Final = 1e-9


@dataclass(frozen=True)
class Rates:
    """Base stock and yearly rates. Axes: council, age (AGES), need (NEEDS), category (CATEGORIES)."""

    councils: tuple[str, ...]
    january: int
    stock: Figures
    """Plans [council, age, need, category] at the origin, completed."""
    entries: Figures
    """New plans a year at the origin's rates [council, age next January, need, category]."""
    leaving: Figures
    """Share of pupils who have no plan next January [council, age next January]."""
    moves: Figures
    """Share of the staying pupils by placement before and after [region, age next January, need, before, after]."""
    recoding: Figures
    """Share of the staying pupils by primary need before and after [age next January, before, after]."""
    region: npt.NDArray[np.int64]
    """Place of each council's region in ``moves``."""
    notes: tuple[str, ...]


def rates_at(data: Path, history: History, origin: int) -> Rates:
    """Rates from the step to January ``origin``. Raises ValueError when its release has no needs by council."""
    completed = tables(data)
    if origin < WITH_NEEDS or origin not in completed:
        raise ValueError(
            f"needs and single ages by council were first published for January {WITH_NEEDS}: no forecast by age and need from {origin}"
        )
    councils = list(history.councils.sort_values("council")["council"])
    regions = list(history.councils.sort_values("council")["region"])
    names = sorted(set(regions))
    before, stock = (_by_single_age(data, completed[january], january, councils) for january in (origin - 1, origin))
    new = _january_ages(history, origin - 1, councils)
    residents = read_population(data, councils, [origin - 1]).at(origin)
    pooled = _pooled_entries(new, residents[:, AGES[0] :] - stock.sum(axis=(2, 3)), regions)
    leaving = _leaving(history, origin, councils, regions, before, stock, new)
    mix = _need_mix(history, origin - 1, councils)
    affinity = _affinity(stock)
    entries = pooled[:, :, None, :] * mix[..., None] * affinity[None]
    entries *= np.divide(pooled.sum(axis=2), np.maximum(entries.sum(axis=(2, 3)), LEAST))[..., None, None]
    place = np.array([names.index(region) for region in regions])
    moves = _moves(before.sum(axis=2), stock.sum(axis=2), new, leaving, place, len(names), affinity)
    recoding = _recoding(stock, entries, leaving)
    notes = (
        f"Stock of January {origin} by single age: age groups of the completed tables, split by the council's own single ages",
        f"Leaving rates: plans of January {origin - 1} and new plans of {origin - 1} less plans of January {origin}, by age over England; "
        "councils by their ceased plans, pooled towards region and England",
        "Moves between placements: the fewest that turn one January into the next, by age and region pooled towards England (net moves)",
        f"New plans of {origin - 1}: rates of residents without a plan by age group, pooled from council towards region and England",
        f"Needs of new plans: {origin - 1} by council and age, pooled towards England",
        f"Primary needs change with age as they differ between ages in January {origin}, the only January with needs by council",
    )
    return Rates(tuple(councils), origin, stock, entries, leaving, moves, recoding, place, notes)


def _by_single_age(data: Path, completed: Figures, january: int, councils: list[str]) -> Figures:
    """[council, age, need, category] from [council, need, age group, category] and the printed single ages."""
    table = ehc_plans.caseload_by_age(data)
    table = table[(table["january"] == january) & (table["council_code"] != ENGLAND)]
    index = pd.MultiIndex.from_product([councils, AGES])
    printed = table.set_index(["council_code", "age"])[list(CATEGORIES)].fillna(0.0).reindex(index, fill_value=0.0)
    counts = printed.to_numpy(float).reshape(len(councils), len(AGES), len(CATEGORIES)).clip(min=0.0)
    stock = np.zeros((len(councils), len(AGES), len(NEEDS), len(CATEGORIES)))
    for group in range(len(LAST_AGE)):
        ages = np.flatnonzero(group == GROUP_OF_AGE)
        own = counts[:, ages].transpose(0, 2, 1)
        england = own.sum(axis=0) + LEAST
        share = shrunk_shares(own, england / england.sum(axis=-1, keepdims=True), AGE_PUPILS)
        stock[:, ages] = completed[:, :, group][:, None] * share.transpose(0, 2, 1)[:, :, None, :]
    return stock


def _january_ages(history: History, year: int, councils: list[str]) -> Figures:
    """New plans of a calendar year [council, age next January, category]; missing councils take England's rates per plan."""
    table = history.new_by_age.xs(year, level="year")
    index = pd.MultiIndex.from_product([councils, AGES])
    columns = [*CATEGORIES, "new_plans"]
    figures = table[columns].fillna(0.0).reindex(index, fill_value=0.0).to_numpy(float).reshape(len(councils), len(AGES), len(columns))
    started, total = figures[..., :-1].clip(min=0.0), figures[..., -1]
    placed = started.sum(axis=2)
    england = started.sum(axis=0) / np.maximum(placed.sum(axis=0), LEAST)[:, None]
    started = shrunk_shares(started, england[None], NEED_PUPILS / 5) * total[..., None]
    result: Figures = np.zeros(started.shape)
    for shift, share in JANUARY_SHARES.items():
        for place in range(len(AGES)):
            result[:, min(max(place + shift, 0), len(AGES) - 1)] += share * started[:, place]
    return result


def _pooled_entries(new: Figures, without_plan: Figures, regions: list[str]) -> Figures:
    """New plans [council, age, category] at rates of residents without a plan that are pooled by age group.

    England's rate at each age times the council's factor for the age group (council -> region -> England); placements
    as in ``new``; England's new plans at each age stay as counted.
    """
    people = without_plan.clip(min=1.0)
    expected = new.sum(axis=(0, 2)) / people.sum(axis=0) * people
    pooled = np.zeros(people.shape)
    for group in range(len(LAST_AGE)):
        ages = np.flatnonzero(group == GROUP_OF_AGE)
        factor = pooled_factors(new[:, ages].sum(axis=(1, 2)), expected[:, ages].sum(axis=1), regions)
        pooled[:, ages] = expected[:, ages] * factor[:, None]
    pooled *= new.sum(axis=(0, 2)) / np.maximum(pooled.sum(axis=0), LEAST)
    england = new.sum(axis=0) / np.maximum(new.sum(axis=(0, 2)), LEAST)[:, None]
    total = new.sum(axis=2, keepdims=True)
    shares = np.where(total > 0, new / np.maximum(total, LEAST), england[None])
    return np.asarray(pooled[..., None] * shares)


def _leaving(
    history: History, origin: int, councils: list[str], regions: list[str], before: Figures, stock: Figures, new: Figures
) -> Figures:
    """[council, age next January]: England's implied leaving times the council's pooled factor from ceased plans."""
    was = before.sum(axis=(0, 2, 3))
    joined, now = new.sum(axis=(0, 2)), stock.sum(axis=(0, 2, 3))
    england = np.zeros(len(AGES))
    england[1:] = np.clip((was[:-1] + joined[1:] - now[1:]) / was[:-1], 0.0, 0.95)
    ceased = history.ceased_by_age.groupby(["council", "age"])["ceased"].sum(min_count=1)
    held = before.sum(axis=(2, 3))
    leaving = np.repeat(england[None], len(councils), axis=0)
    for low, high in LEAVING_GROUPS:
        counted = ceased[ceased.index.get_level_values("age").isin(range(low, high + 1))].groupby("council").sum(min_count=1)
        events = counted.reindex(councils).to_numpy(float)
        ages = np.flatnonzero((np.array(AGES) >= low) & (np.array(AGES) <= high))
        held_now = held[:, ages].sum(axis=1)
        rate = np.nansum(events) / held_now[np.isfinite(events)].sum()
        leaving[:, ages] *= pooled_factors(events, rate * held_now, regions)[:, None]
    return leaving.clip(0.0, 0.95)


def _need_mix(history: History, year: int, councils: list[str]) -> Figures:
    """Needs of new plans [council, age, need], pooled towards England by age group."""
    table = history.new_need_by_age.xs(year, level="year").fillna(0.0)
    index = pd.MultiIndex.from_product([councils, AGES])
    counts = table.reindex(index, fill_value=0.0).to_numpy(float).reshape(len(councils), len(AGES), len(NEEDS))
    mix = np.zeros_like(counts)
    for group in range(len(LAST_AGE)):
        ages = np.flatnonzero(group == GROUP_OF_AGE)
        own = counts[:, ages].sum(axis=1)
        england = own.sum(axis=0) + LEAST
        mix[:, ages] = shrunk_shares(own, england / england.sum(), NEED_PUPILS)[:, None]
    return mix


def _affinity(stock: Figures) -> Figures:
    """How much likelier a need is in a category than at its age as a whole [age, need, category], from England's stock."""
    england = stock.sum(axis=0)
    result: Figures = np.ones(england.shape)
    for group in range(len(LAST_AGE)):
        ages = np.flatnonzero(group == GROUP_OF_AGE)
        table = england[ages].sum(axis=0) + 1.0
        result[ages] = table * table.sum() / (table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True))
    return result


def _moves(
    before: Figures, stock: Figures, new: Figures, leaving: Figures, place: npt.NDArray[np.int64], regions: int, affinity: Figures
) -> Figures:
    """[region, age, need, before, after]: the fewest moves between two Januaries, pooled towards England."""
    stayed = np.zeros_like(before)
    stayed[:, 1:] = before[:, :-1] * (1 - leaving[:, 1:, None])
    wanted = (stock - new).clip(min=0.0)
    england = _fewest_moves(stayed.sum(axis=0), wanted.sum(axis=0))
    result = np.empty((regions, len(AGES), len(NEEDS), len(CATEGORIES), len(CATEGORIES)))
    for region in range(regions):
        own = stayed[place == region].sum(axis=0)
        share = own / (own + MOVE_PUPILS)
        mixed = share[..., None] * _fewest_moves(own, wanted[place == region].sum(axis=0)) + (1 - share[..., None]) * england
        result[region] = _by_need(mixed, affinity)
    return result


def _recoding(stock: Figures, entries: Figures, leaving: Figures) -> Figures:
    """[age, before, after]: the fewest changes of primary need that keep England's needs at each age as they are.

    Needs of new plans differ from those of older plans at the same age, since needs are named anew as children grow.
    """
    stayed = np.zeros(stock.shape[1:3])
    stayed[1:] = (stock[:, :-1].sum(axis=3) * (1 - leaving[:, 1:, None])).sum(axis=0)
    entering = entries.sum(axis=(0, 3))
    now = stock.sum(axis=(0, 3))
    wanted = (now / now.sum(axis=1, keepdims=True) * (stayed + entering).sum(axis=1, keepdims=True) - entering).clip(min=0.0)
    return _fewest_moves(stayed, wanted)


def _fewest_moves(stayed: Figures, wanted: Figures) -> Figures:
    """[age, before, after]: shares that turn ``stayed`` into ``wanted`` (scaled to the same sum) with the fewest moves."""
    scaled = wanted * (stayed.sum(axis=1) / np.maximum(wanted.sum(axis=1), LEAST))[:, None]
    out = np.divide((stayed - scaled).clip(min=0.0), stayed, out=np.zeros_like(stayed), where=stayed > 0)
    short = (scaled - stayed).clip(min=0.0)
    to = short / np.maximum(short.sum(axis=1, keepdims=True), LEAST)
    moves: Figures = out[:, :, None] * to[:, None, :]
    diagonal = np.arange(stayed.shape[1])
    moves[:, diagonal, diagonal] += 1 - moves.sum(axis=2)
    return moves


def _by_need(moves: Figures, affinity: Figures) -> Figures:
    """Moves [age, need, before, after]: movers go where pupils of their need are."""
    diagonal = np.arange(len(CATEGORIES))
    off = moves.copy()
    off[:, diagonal, diagonal] = 0.0
    leaving_it = off.sum(axis=2)
    to = off[:, None] * affinity[:, :, None, :]
    to *= np.divide(leaving_it[:, None], to.sum(axis=3), out=np.zeros(to.shape[:3]), where=to.sum(axis=3) > 0)[..., None]
    to[:, :, diagonal, diagonal] += 1 - to.sum(axis=3)
    return to
