"""Who needs a place: pupils by area and class, entrants by year, and the base-year pupils who stay.

A class is need group, severity, phase and route; see docs/formulation.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sufficiency.case import Case
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import GROUP_OF_NEED, INDEPENDENT_KINDS, NEED_GROUPS, PHASES

Floats = NDArray[np.float64]

VARIANTS = (("moderate", "any"), ("complex", "any"), ("complex", "independent_only"))


@dataclass(frozen=True)
class DemandClasses:
    """Arrays over areas (Z, the order of ``areas``), classes (C, rows of ``classes``) and planning years (T)."""

    areas: pd.DataFrame
    """area_id, council_code: the areas in planning order, neighbours close to each other."""
    councils: tuple[str, ...]
    families: pd.DataFrame
    """need_group, phase"""
    classes: pd.DataFrame
    """family (row of ``families``), need_group, severity, phase, route"""
    demand: Floats
    """(Z, C, T) placed demand"""
    entrants: Floats
    """(Z, C, T)"""
    retention: Floats
    """(C,)"""
    shares: Floats
    """(L, families, 3) share of a family's pupils by variant"""
    mainstream: Floats
    """(L, families, T) pupils with a plan in mainstream"""
    base: pd.DataFrame
    """area (row), pool_id, cls (row), pupils: base-year pupils by class"""
    reduced: Floats
    """(L, families, T) pupils whom outreach and support bases keep out of placed demand"""


def demand_classes(case: Case, scenario: str) -> DemandClasses:
    """Split the case's pupils into classes and years. Raises InputError when the scenario is unknown."""
    areas = _planning_order(case)
    councils = tuple(sorted(case.councils["council_code"]))
    pupils = _pupils_of(case, scenario)
    families = _families(pupils)
    by_area, reduced = _reduced(case, _by_area(pupils, areas, families, case), areas, councils, families)
    shares = _variant_shares(case, areas, councils, families)
    classes = _classes(families)
    retention = _retention(case, classes)
    owner = pd.Index(councils).get_indexer(pd.Index(areas["council_code"]))
    share = shares[owner][:, classes["family"], classes["variant"]]
    whole = by_area[:, classes["family"], :] * share[:, :, None]
    demand, entrants = _stock_and_flow(whole, retention)
    mainstream = _mainstream(pupils, areas, councils, families, case)
    base = _base_pupils(case, areas, councils, families, classes, shares)
    return DemandClasses(areas, councils, families, classes, demand, entrants, retention, shares, mainstream, base, reduced)


def reduction_gbp(case: Case) -> Floats:
    """(T,) what outreach and support bases cost in each planning year, GBP."""
    table = case.reductions
    return np.array([float(table.loc[table["first_year"] <= year, "gbp_per_year"].sum()) for year in case.academic_years])


def _reduced(case: Case, by_area: Floats, areas: pd.DataFrame, councils: tuple[str, ...], families: pd.DataFrame) -> tuple[Floats, Floats]:
    """Placed pupils less those whom outreach and support bases keep out, and (L, families, T) how many those are.

    ``capacity x elasticity`` of all reductions of a council, group and phase, in proportion to demand over the phases of each, and at most
    ``most_share`` (the least of theirs) of the pupils; every area in proportion.
    """
    owner = pd.Index(councils).get_indexer(pd.Index(areas["council_code"]))
    whole = np.zeros((len(councils), *by_area.shape[1:]))
    np.add.at(whole, owner, by_area)
    away = np.zeros((len(councils), len(families), len(case.academic_years)))
    most = np.ones(away.shape)
    rows: Iterable[Any] = case.reductions.itertuples(index=False)
    for row in rows:
        if row.council_code not in councils:
            continue
        helped = (families["need_group"] == row.need_group) & families["phase"].isin(row.phases.split("|"))
        at, here = np.flatnonzero(helped), councils.index(row.council_code)
        years = np.array([year >= row.first_year for year in case.academic_years])
        pupils = whole[here][at][:, 1:]
        share = pupils / np.maximum(pupils.sum(axis=0), 1e-12)
        away[here, at] += row.capacity * row.elasticity * share * years
        most[here, at] = np.where(years, np.minimum(most[here, at], row.most_share), most[here, at])
    away = np.minimum(away, most * whole[:, :, 1:])
    kept = 1.0 - np.divide(away, whole[:, :, 1:], out=np.zeros_like(away), where=whole[:, :, 1:] > 0)
    result = by_area.copy()
    result[:, :, 1:] *= kept[owner]
    return result, away


def _planning_order(case: Case) -> pd.DataFrame:
    """Areas by council, along a space-filling curve, so that neighbours follow each other."""
    areas = case.areas
    curve = areas.geometry.centroid.hilbert_distance(total_bounds=areas.total_bounds)
    order = pd.DataFrame({"area_id": areas["area_id"], "council_code": areas["council_code"], "curve": curve})
    return order.sort_values(["council_code", "curve", "area_id"], ignore_index=True)[["area_id", "council_code"]]


def _pupils_of(case: Case, scenario: str) -> pd.DataFrame:
    """Rows of the scenario, and those of ``central`` for the years that it lacks: observed years need not be repeated."""
    own = case.pupils[case.pupils["scenario"] == scenario]
    if own.empty:
        known = ", ".join(sorted(case.pupils["scenario"].unique()))
        raise InputError([InputProblem("pupils", "no such demand scenario", f"The case has: {known}.", column="scenario", value=scenario)])
    shared = (case.pupils["scenario"] == "central") & ~case.pupils["academic_year"].isin(own["academic_year"].unique())
    pupils = pd.concat([case.pupils[shared], own])
    pupils = pupils[pupils["academic_year"].isin([case.base_year, *case.academic_years])]
    return pupils.assign(need_group=pupils["need"].map(GROUP_OF_NEED))


def _families(pupils: pd.DataFrame) -> pd.DataFrame:
    placed = pupils[pupils["pupils_placed"] > 0]
    present = set(zip(placed["need_group"], placed["phase"], strict=True))
    rows = [(group, phase) for group in NEED_GROUPS for phase in PHASES if (group, phase) in present]
    return pd.DataFrame(rows, columns=["need_group", "phase"])


def _cube(table: pd.DataFrame, value: str, first: pd.Index, key: str, families: pd.DataFrame, years: list[str]) -> Floats:
    """(first, families, years) sums of a column."""
    family = pd.MultiIndex.from_frame(families).get_indexer(pd.MultiIndex.from_frame(table[["need_group", "phase"]]))
    row, year = first.get_indexer(pd.Index(table[key])), pd.Index(years).get_indexer(pd.Index(table["academic_year"]))
    keep = (family >= 0) & (row >= 0) & (year >= 0)
    shape = (len(first), len(families), len(years))
    flat = np.ravel_multi_index((row[keep], family[keep], year[keep]), shape)
    return _summed(flat, table[value].to_numpy(float)[keep], shape)


def _summed(flat: NDArray[np.int64], values: Floats, shape: tuple[int, ...]) -> Floats:
    """Sums of values by flat position, in this shape."""
    return np.bincount(flat, values, int(np.prod(shape))).astype(np.float64).reshape(shape)


def _by_area(pupils: pd.DataFrame, areas: pd.DataFrame, families: pd.DataFrame, case: Case) -> Floats:
    """(Z, families, 1 + T) placed pupils, the base year first."""
    years = [case.base_year, *case.academic_years]
    return _cube(pupils, "pupils_placed", pd.Index(areas["area_id"]), "area_id", families, years)


def _mainstream(pupils: pd.DataFrame, areas: pd.DataFrame, councils: tuple[str, ...], families: pd.DataFrame, case: Case) -> Floats:
    council = areas.set_index("area_id")["council_code"]
    table = pupils.assign(council_code=pupils["area_id"].map(council))
    return _cube(table, "pupils_mainstream", pd.Index(councils), "council_code", families, list(case.academic_years))


def _variant_shares(case: Case, areas: pd.DataFrame, councils: tuple[str, ...], families: pd.DataFrame) -> Floats:
    """(L, families, 3) shares of moderate, complex, and complex that stays independent."""
    placed = _placed_now(case, areas)
    total = _cube(placed, "pupils", pd.Index(councils), "council_code", families, [case.base_year])[:, :, 0]
    special = placed[placed["kind"].isin(INDEPENDENT_KINDS - {"unlocated_ap"})]
    independent = _cube(special, "pupils", pd.Index(councils), "council_code", families, [case.base_year])[:, :, 0]
    moderate = families["need_group"].map(case.assumptions.table("severity.moderate_share")).fillna(0.0).to_numpy(float)
    stays = families["need_group"].map(case.assumptions.table("independent.irreducible_share")).fillna(0.0).to_numpy(float)
    today = np.divide(independent, total, out=np.zeros_like(total), where=total > 0)
    only = np.minimum(stays * today, 1.0 - moderate)
    return np.stack([np.broadcast_to(moderate, only.shape), 1.0 - moderate - only, only], axis=2)


def _placed_now(case: Case, areas: pd.DataFrame) -> pd.DataFrame:
    kind = case.pools.set_index("pool_id")["setting_id"].map(case.settings.set_index("setting_id")["kind"])
    return case.placements.assign(
        kind=case.placements["pool_id"].map(kind),
        council_code=case.placements["area_id"].map(areas.set_index("area_id")["council_code"]),
        academic_year=case.base_year,
    )


def _classes(families: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for family, (group, phase) in enumerate(families.itertuples(index=False)):
        for variant, (severity, route) in enumerate(VARIANTS):
            rows.append((family, variant, group, severity, phase, route))
    return pd.DataFrame(rows, columns=["family", "variant", "need_group", "severity", "phase", "route"])


def _retention(case: Case, classes: pd.DataFrame) -> Floats:
    """(C,) share still there a year later; the key AP overrides the phase for that group."""
    table = case.assumptions.table("retention")
    key = np.where(classes["need_group"] == "AP", "AP", classes["phase"])
    return np.array([table.get(str(name), 0.0) for name in key])


def _stock_and_flow(whole: Floats, retention: Floats) -> tuple[Floats, Floats]:
    """Demand that never falls faster than pupils leave, and the entrants it implies. ``whole`` starts with the base year."""
    stock = whole[:, :, 0]
    demand, entrants = [], []
    for year in range(1, whole.shape[2]):
        stays = retention[None, :] * stock
        stock = np.maximum(whole[:, :, year], stays)
        demand.append(stock)
        entrants.append(stock - stays)
    flow = np.stack(entrants, axis=2)
    return np.stack(demand, axis=2), np.where(flow < 1e-9, 0.0, flow)


def _base_pupils(
    case: Case, areas: pd.DataFrame, councils: tuple[str, ...], families: pd.DataFrame, classes: pd.DataFrame, shares: Floats
) -> pd.DataFrame:
    """Base-year pupils by area, pool and class: severity and route by kind of provision (docs/formulation.md)."""
    placed = _placed_now(case, areas)
    placed = placed[placed["pupils"] > 0]
    family = pd.MultiIndex.from_frame(families).get_indexer(pd.MultiIndex.from_frame(placed[["need_group", "phase"]]))
    owner = pd.Index(councils).get_indexer(pd.Index(placed["council_code"]))
    kind = np.where(placed["kind"] == "resourced_provision", 0, np.where(placed["kind"].isin(INDEPENDENT_KINDS - {"unlocated_ap"}), 1, 2))
    shape = (len(councils), len(families), 3)
    flat = np.ravel_multi_index((owner, family, kind), shape)
    by_kind = _summed(flat, placed["pupils"].to_numpy(float), shape)
    total = by_kind.sum(axis=2)
    moderate, only = shares[:, :, 0] * total, shares[:, :, 2] * total
    in_base = np.minimum(by_kind[:, :, 0], moderate)
    rest = total - by_kind[:, :, 0] - only
    split = np.zeros((*shape, 3))
    split[:, :, 0, 0] = _ratio(in_base, by_kind[:, :, 0])
    split[:, :, 0, 1] = 1.0 - split[:, :, 0, 0]
    spread = np.clip(_ratio(moderate - in_base, rest), 0.0, 1.0)
    split[:, :, 1, 2] = np.clip(_ratio(only, by_kind[:, :, 1]), 0.0, 1.0)
    split[:, :, 1, 0] = (1.0 - split[:, :, 1, 2]) * spread
    split[:, :, 1, 1] = (1.0 - split[:, :, 1, 2]) * (1.0 - spread)
    split[:, :, 2, 0], split[:, :, 2, 1] = spread, 1.0 - spread
    parts = split[owner, family, kind]
    area = pd.Index(areas["area_id"]).get_indexer(pd.Index(placed["area_id"]))
    class_of = pd.MultiIndex.from_frame(classes[["family", "variant"]])
    rows = []
    for variant in range(3):
        pupils = placed["pupils"].to_numpy(float) * parts[:, variant]
        cls = class_of.get_indexer(pd.MultiIndex.from_arrays([family, np.full(len(family), variant)]))
        rows.append(pd.DataFrame({"area": area, "pool_id": placed["pool_id"].to_numpy(), "cls": cls, "pupils": pupils})[pupils > 1e-12])
    return pd.concat(rows, ignore_index=True)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 1e-12)
