"""Who needs a place, from a case alone: demand by class, and the pupils of the base January."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sufficiency.audit.codes import BANDS, CLASSES, FAMILIES, GROUPS, PHASE_CODES, WITH_PLAN, add_up, families, known, of_kind, positions
from sufficiency.audit.report import Bools, Floats, Ints
from sufficiency.case import Case
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import GROUP_OF_NEED


@dataclass(frozen=True)
class Demand:
    """Pupils to be placed, by area z, class c and year t."""

    placed: Floats
    """(Z, C, T) pupils, never falling faster than pupils leave."""
    entrants: Floats
    """(Z, C, T) pupils"""
    stay: Floats
    """(C,) share that is still there a year later."""
    council_mainstream: Floats
    """(L, F, T) pupils with a plan in mainstream."""


@dataclass(frozen=True)
class BasePupils:
    """Pupils of the base January by area, pool and class, one row each."""

    area: Ints
    pool: Ints
    band_class: Ints
    pupils: Floats


def demand_and_base(
    case: Case, scenario: str, areas: pd.Index[Any], pools: pd.Index[Any], kind: Ints, area_council: Ints
) -> tuple[Demand, BasePupils]:
    """Demand, and pupils of the base January by class. ``kind`` (P,) is the kind of each pool. InputError for an unknown scenario."""
    placed, mainstream = _pupils(case, scenario, areas)
    placed[..., 1:] *= _left_in_demand(case, placed, area_council)[area_council]
    area, pool = known(areas, case.placements["area_id"], "placements"), known(pools, case.placements["pool_id"], "placements")
    there = _Placed(
        area,
        pool,
        families(case.placements["need_group"], case.placements["phase"]),
        area_council[area],
        of_kind(kind[pool], ("resourced_provision",)),
        of_kind(kind[pool], WITH_PLAN),
        case.placements["pupils"].to_numpy(dtype=float),
    )
    irreducible, split = _bands(case, there)
    return _demand(case, placed, mainstream, area_council, irreducible), _base(there, split)


def _left_in_demand(case: Case, placed: Floats, area_council: Ints) -> Floats:
    """(L, F, T) share of placed pupils whom outreach and support bases do not keep out."""
    councils = pd.Index(case.councils["council_code"])
    whole = np.zeros((len(councils), *placed.shape[1:]))
    np.add.at(whole, area_council, placed)
    whole = whole[..., 1:]
    away, most = np.zeros_like(whole), np.ones_like(whole)
    for row in case.reductions.to_dict("records"):
        if row["council_code"] not in councils:
            continue
        home = int(councils.get_indexer([row["council_code"]])[0])
        phases = pd.Series(row["phases"].split("|"))
        helped = families(pd.Series(row["need_group"], index=phases.index), phases)
        for t, year in enumerate(case.academic_years):
            if year >= row["first_year"]:
                pupils = whole[home, helped, t]
                away[home, helped, t] += row["capacity"] * row["elasticity"] * share_of(pupils, np.full_like(pupils, pupils.sum()))
                most[home, helped, t] = np.minimum(most[home, helped, t], row["most_share"])
    return 1.0 - np.minimum(share_of(away, whole), most)


@dataclass(frozen=True)
class _Placed:
    """Rows of the table ``placements``."""

    area: Ints
    pool: Ints
    family: Ints
    council: Ints
    in_base: Bools
    """In a resourced provision or SEN unit."""
    independent: Bools
    pupils: Floats


def _pupils(case: Case, scenario: str, areas: pd.Index[Any]) -> tuple[Floats, Floats]:
    """(Z, F, T + 1) pupils placed and (Z, F, T + 1) pupils in mainstream; year 0 is the base year.

    A year without a row of the scenario is that of ``central``.
    """
    named = case.pupils["scenario"].eq(scenario)
    if not named.any():
        remedy = f"Use one of: {', '.join(sorted(case.pupils['scenario'].unique()))}."
        raise InputError([InputProblem("pupils", "no demand of this scenario", remedy, column="scenario", value=scenario)])
    years = pd.Index([case.base_year, *case.academic_years])
    own_years = set(case.pupils.loc[named, "academic_year"])
    shared = case.pupils["scenario"].eq("central") & case.pupils["academic_year"].isin(set(years) - own_years)
    pupils = case.pupils[(named & case.pupils["academic_year"].isin(years)) | shared]
    keys = (
        known(areas, pupils["area_id"], "pupils"),
        families(pupils["need"].map(GROUP_OF_NEED), pupils["phase"]),
        positions(years, pupils["academic_year"]),
    )
    shape = (len(areas), FAMILIES, len(years))
    placed, mainstream = (add_up(shape, keys, pupils[name].to_numpy(dtype=float)) for name in ("pupils_placed", "pupils_mainstream"))
    return placed, mainstream


def _moderate(case: Case) -> Floats:
    """(F,) share of the moderate band; pupils in AP without a plan are all in it."""
    table = case.assumptions.table("severity.moderate_share") | {"AP": 1.0}
    return np.repeat([table[group] for group in GROUPS], len(PHASE_CODES))


def _bands(case: Case, there: _Placed) -> tuple[Floats, dict[str, Floats]]:
    """(L, F) irreducible share k, and the shares of bands in base-year pupils by sort of place: each (L, F, 3)."""
    moderate = _moderate(case)
    table = case.assumptions.table("independent.irreducible_share")
    most = np.repeat([table.get(group, 0.0) for group in GROUPS], len(PHASE_CODES))
    shape, at = (len(case.councils), FAMILIES), (there.council, there.family)
    every = add_up(shape, at, there.pupils)
    in_base = add_up(shape, at, np.where(there.in_base, there.pupils, 0.0))
    independent = add_up(shape, at, np.where(there.independent, there.pupils, 0.0))
    irreducible = np.minimum(most * share_of(independent, every), 1 - moderate)
    first = np.minimum(in_base, moderate * every)
    mild = share_of(first, in_base)
    stays = np.minimum(share_of(irreducible * every, independent), 1.0)
    others = np.clip(share_of(moderate * every - first, every - in_base - irreducible * every), 0.0, 1.0)
    zero = np.zeros(shape)
    split = {
        "base": np.stack([mild, 1 - mild, zero], axis=-1),
        "independent": np.stack([(1 - stays) * others, (1 - stays) * (1 - others), stays], axis=-1),
        "other": np.stack([others, 1 - others, zero], axis=-1),
    }
    return irreducible, split


def share_of(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 1e-12)


def _demand(case: Case, raw: Floats, mainstream: Floats, area_council: Ints, irreducible: Floats) -> Demand:
    """Classes of demand; it never falls faster than pupils leave."""
    moderate = np.broadcast_to(_moderate(case), irreducible.shape)
    shares = np.stack([moderate, 1 - moderate - irreducible, irreducible], axis=-1)
    years = raw.shape[2] - 1
    classes = (raw[:, :, None, :] * shares[area_council][..., None]).reshape(len(raw), CLASSES, years + 1)
    table = case.assumptions.table("retention")
    by_family = np.array([table["AP"] if group == "AP" else table.get(phase, 0.0) for group in GROUPS for phase in PHASE_CODES])
    stay = np.repeat(by_family, len(BANDS))
    entrants = np.zeros((*classes.shape[:2], years))
    for t in range(years):
        left = stay * classes[..., t]
        classes[..., t + 1] = np.maximum(classes[..., t + 1], left)
        entrants[..., t] = classes[..., t + 1] - left
    councils = np.zeros((len(irreducible), FAMILIES, years))
    np.add.at(councils, area_council, mainstream[..., 1:])
    return Demand(classes[..., 1:], entrants, stay, councils)


def _base(there: _Placed, split: dict[str, Floats]) -> BasePupils:
    """The rows by class: three for each, those without pupils left out."""
    at = (there.council, there.family)
    shares = np.where(there.independent[:, None], split["independent"][at], split["other"][at])
    shares = np.where(there.in_base[:, None], split["base"][at], shares)
    amount = (there.pupils[:, None] * shares).ravel()
    band_class = (there.family[:, None] * len(BANDS) + np.arange(len(BANDS))).ravel()
    held = amount > 0
    return BasePupils(np.repeat(there.area, len(BANDS))[held], np.repeat(there.pool, len(BANDS))[held], band_class[held], amount[held])
