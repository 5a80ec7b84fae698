"""One world as its folder states it: the decisions, from which the audit works out everything else itself.

Decisions are what a planner could choose: openings of projects, entrants by area, class and pool, pupils drawn from mainstream, payments.
Stocks, places, costs and travel of the folder are statements, to be compared with what follows from the decisions and the case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from sufficiency.audit.codes import BANDS, CLASSES, FAMILIES, add_up, families, positions
from sufficiency.audit.expected import Expected
from sufficiency.audit.report import Breach, Floats, Ints
from sufficiency.plan import PlanTables
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.terms import split_codes, start_of

KEYS: Final = {
    "projects": ["project_id", "stage"],
    "places": ["pool_id", "academic_year"],
    "placements": ["area_id", "pool_id", "need_group", "severity", "phase", "route", "academic_year"],
    "unmet": ["area_id", "need_group", "severity", "phase", "route", "academic_year"],
    "needs": ["council_code", "need_group", "phase", "academic_year"],
    "travel": ["council_code", "need_group", "phase", "academic_year"],
    "access": ["council_code", "need_group", "phase", "academic_year"],
    "funding": ["fund_id", "financial_year"],
    "payments": ["fund_id", "council_code", "kind", "financial_year"],
    "costs": ["item", "year"],
    "limits": ["rule", "name", "academic_year"],
    "transfers": ["from_fund", "to_fund", "financial_year"],
    "ledger": ["home_council", "provider_council", "sector", "academic_year"],
    "high_needs_block": ["council_code", "financial_year"],
}
"""Columns that name a row of each table: no two rows agree in all of them."""


@dataclass(frozen=True)
class World:
    """Decisions of one world, and the stocks that follow from them."""

    tables: PlanTables
    openings: pd.DataFrame
    """Rows of projects.csv, with ``start`` and ``opens`` in years from the first, what the case says of the project (``case_...``; its
    position in ``row``), ``base_gbp``, its capital at the price base, and ``due_gbp``, what is spent on it in all.
    """
    added: Floats
    """(P, T) places that projects open, less those removed, plus those kept."""
    removed: Floats
    """(P, T) places that projects remove."""
    opened: Floats
    """(P, T) places opened in the pools of projects."""
    area: Ints
    pool: Ints
    band_class: Ints
    entrants: Floats
    """(G, T) entrants by area, pool and class (rows G)."""
    pupils: Floats
    """(G, T) base-year pupils and entrants who are there."""
    base: Floats
    """(G, T) base-year pupils among them."""
    stated_pupils: Floats
    """(G, T) pupils as placements.csv has them."""
    unmet: Floats
    """(Z, C, T) everyone without a place in the year: who finds none, and who still waits."""
    stated_unmet: Floats
    latent_by_pool: Floats
    """(P, T)"""
    latent_by_need: Floats
    """(L, F, T) by council of the project."""
    stated_needs: dict[str, Floats]
    """(L, F, T) by column of needs.csv."""
    stated_travel: dict[str, Floats]
    """(L, F, T) by column of travel.csv."""
    stated_access: dict[str, Floats]
    """(L, F, T) by column of access.csv."""
    minutes: Floats
    """(G,) one way; empty for unlocated pools and pairs without a journey."""
    km: Floats


def read_world(facts: Expected, tables: PlanTables) -> tuple[World, list[Breach]]:
    """The world, and A01 breaches of rows that name nothing in the case, come twice or hold no proper figure. Such rows are left out."""
    breaches = [breach for name in KEYS for breach in _unsound(name, getattr(tables, name))]
    years = len(facts.years)
    openings, lost = _openings(facts, tables.projects)
    breaches += lost
    added, removed, opened = _changes(facts, openings)

    placed, lost = _coded(facts, tables.placements, "placements", pool=True)
    breaches += lost
    base = facts.base
    shape = (len(facts.areas), len(facts.pools.ids), CLASSES)
    here = np.ravel_multi_index((placed.area, placed.pool, placed.band_class), shape)
    before = np.ravel_multi_index((base.area, base.pool, base.band_class), shape)
    keys, rows = np.unique(np.concatenate([here, before]), return_inverse=True)
    area, pool, band_class = (part.astype(np.int64) for part in np.unravel_index(keys, shape))
    at = (rows[: len(here)], placed.year)
    entrants, stated = (add_up((len(keys), years), at, amount) for amount in (placed.entrants, placed.pupils))
    stay = facts.demand.stay[band_class]
    start = add_up((len(keys),), (rows[len(here) :],), base.pupils)
    held = start[:, None] * stay[:, None] ** np.arange(1, years + 1)

    without, lost = _coded(facts, tables.unmet, "unmet", pool=False)
    breaches += lost
    cells = (len(facts.areas), CLASSES, years)
    at_cell = (without.area, without.band_class, without.year)
    unmet, stated_unmet = (add_up(cells, at_cell, amount) for amount in (without.entrants, without.pupils))

    latent_by_pool, lost = _by_pool(facts, tables.places, "latent_pupils")
    breaches += lost
    stated_needs, lost = _by_need(facts, tables, "needs")
    breaches += lost
    stated_travel, lost = _by_need(facts, tables, "travel")
    breaches += lost
    stated_access, lost = _by_need(facts, tables, "access")
    breaches += lost
    minutes, km = facts.journeys(area, pool)
    world = World(
        tables, openings, added, removed, opened, area, pool, band_class, entrants, held + _stock(entrants, stay), held, stated,
        unmet, stated_unmet, latent_by_pool, stated_needs["latent"], stated_needs, stated_travel, stated_access, minutes, km,
    )  # fmt: skip
    return world, breaches


def _stock(entrants: Floats, stay: Floats) -> Floats:
    """Entrants of this year and those of earlier years who are still there; ``stay`` fits all axes but the last."""
    stock = np.zeros_like(entrants)
    there = np.zeros(entrants.shape[:-1])
    for t in range(entrants.shape[-1]):
        there = stay * there + entrants[..., t]
        stock[..., t] = there
    return stock


def _unsound(name: str, table: pd.DataFrame) -> Iterator[Breach]:
    """Rows that come twice, negative amounts, figures that are none."""
    twice = int(table.duplicated(KEYS[name]).sum())
    if twice:
        yield Breach("A01", f"{name}.csv", f"{twice} rows repeat another row's {', '.join(KEYS[name])}", float(twice))
    for column, schema in PLAN_SCHEMAS[name].to_schema().columns.items():
        if str(schema.dtype) != "float64":
            continue
        figures = table[column].to_numpy(dtype=float)
        broken = ~np.isfinite(figures) & ~(np.isnan(figures) & schema.nullable)
        if any(check.name == "greater_than_or_equal_to" for check in schema.checks):
            broken |= figures < 0
        if broken.any():
            first = table.iloc[int(np.flatnonzero(broken)[0])]
            where = f"{name}.csv, {', '.join(str(first[key]) for key in KEYS[name])}"
            yield Breach(
                "A01",
                where,
                f"{column} is negative or no number in {int(broken.sum())} rows",
                float(np.nan_to_num(np.abs(figures[broken])).sum()),
            )


def _unknown(name: str, table: pd.DataFrame, lost: np.ndarray[Any, np.dtype[np.bool_]], amount: str) -> list[Breach]:
    """A01 for rows whose ids, codes or years are none of the case."""
    if not lost.any():
        return []
    first = table[lost].iloc[0]
    where = f"{name}.csv, {', '.join(str(first[key]) for key in KEYS[name])}"
    return [
        Breach(
            "A01", where, f"{int(lost.sum())} rows name what the case does not have", float(np.nan_to_num(table.loc[lost, amount]).sum())
        )
    ]


@dataclass(frozen=True)
class _Rows:
    area: Ints
    pool: Ints
    band_class: Ints
    year: Ints
    entrants: Floats
    pupils: Floats


def _coded(facts: Expected, table: pd.DataFrame, name: str, pool: bool) -> tuple[_Rows, list[Breach]]:
    area, year = positions(facts.areas, table["area_id"]), positions(facts.years, table["academic_year"])
    family = families(table["need_group"], table["phase"])
    severity = positions(pd.Index(["moderate", "complex"]), table["severity"])
    only = positions(pd.Index(["any", "independent_only"]), table["route"])
    band = np.where((severity < 0) | (only < 0) | (only > severity), -1, severity + only)
    where = positions(facts.pools.ids, table["pool_id"]) if pool else np.zeros(len(table), np.int64)
    lost = (area < 0) | (year < 0) | (family < 0) | (band < 0) | (where < 0)
    entrants, pupils = (np.maximum(np.nan_to_num(table[column].to_numpy(dtype=float)), 0.0) for column in ("entrants", "pupils"))
    band_class = family * len(BANDS) + band
    rows = _Rows(area[~lost], where[~lost], band_class[~lost], year[~lost], entrants[~lost], pupils[~lost])
    return rows, _unknown(name, table, lost, "pupils")


def _by_pool(facts: Expected, table: pd.DataFrame, column: str) -> tuple[Floats, list[Breach]]:
    pool, year = positions(facts.pools.ids, table["pool_id"]), positions(facts.years, table["academic_year"])
    lost = (pool < 0) | (year < 0)
    amount = np.nan_to_num(table[column].to_numpy(dtype=float))
    shape = (len(facts.pools.ids), len(facts.years))
    return add_up(shape, (pool[~lost], year[~lost]), amount[~lost]), _unknown("places", table, lost, "pupils")


def _by_need(facts: Expected, tables: PlanTables, name: str) -> tuple[dict[str, Floats], list[Breach]]:
    """(L, F, T) each column of figures of needs.csv, travel.csv or access.csv."""
    table: pd.DataFrame = getattr(tables, name)
    council, year = positions(facts.councils, table["council_code"]), positions(facts.years, table["academic_year"])
    family = families(table["need_group"], table["phase"])
    lost = (council < 0) | (family < 0) | (year < 0)
    at = (council[~lost], family[~lost], year[~lost])
    shape = (len(facts.councils), FAMILIES, len(facts.years))
    columns = [column for column in table.columns if column not in KEYS[name]]
    figures = {column: add_up(shape, at, np.nan_to_num(table[column].to_numpy(dtype=float))[~lost]) for column in columns}
    return figures, _unknown(name, table, lost, columns[0])


def _openings(facts: Expected, table: pd.DataFrame) -> tuple[pd.DataFrame, list[Breach]]:
    """Capital = (fixed or stage cost + cost per place x places) x (1 + optimism bias) x location factor, each year's part at its prices.

    An improvement opens no places: it keeps some, or opens those there are to others.
    """
    row = positions(pd.Index(facts.case.projects["project_id"]), table["project_id"])
    start, opens = (
        np.array([_start(year) for year in table[name]], dtype=float) for name in ("start_financial_year", "opens_academic_year")
    )
    lost = (row < 0) | np.isnan(start) | np.isnan(opens) | ~np.isfinite(table["places"].to_numpy(dtype=float))
    rows = table.assign(row=row, start=start - facts.first_year, opens=opens - facts.first_year)[~lost].reset_index(drop=True)
    case = facts.case.projects.iloc[rows["row"]].reset_index(drop=True).add_prefix("case_")
    rows = pd.concat([rows.astype({"start": int, "opens": int}), case], axis="columns")
    fixed = np.where(rows["stage"] == 1, rows["case_fixed_cost_gbp"], rows["case_stage_cost_gbp"])
    built = np.where(
        rows["case_effect"] == "improve", rows["case_places_improved"], np.where(rows["case_effect"] == "grant", 0.0, rows["places"])
    )
    rows["base_gbp"] = (fixed + rows["case_cost_per_place_gbp"] * built) * _uplift(facts, rows)
    rows["due_gbp"] = [
        base * sum(share * price_of(facts, start + lag) for lag, share in enumerate(map(float, split_codes(profile))))
        for base, start, profile in zip(rows["base_gbp"], rows["start"], rows["case_spend_profile"], strict=True)
    ]
    return rows, _unknown("projects", table, lost, "places")


def _uplift(facts: Expected, rows: pd.DataFrame) -> Floats:
    """(rows,) (1 + optimism bias) x location factor: the project's own bias, else that of its business case's stage, else of its kind."""
    figures = facts.figures
    bias = rows["case_optimism_bias"]
    for column, name in (("case_business_case", "capital.optimism_bias_by_stage"), ("case_kind", "capital.optimism_bias")):
        bias = bias.fillna(rows[column].map(figures.table(name)))
    regions = dict(zip(facts.case.councils["council_code"], facts.case.councils["region_name"], strict=True))
    table = figures.table("capital.location_factor")
    factor = [
        table.get(regions.get(council, ""), 1.0) if area == "England" else 1.0
        for council, area in zip(rows["case_council_code"], rows["case_price_area"], strict=True)
    ]
    return np.asarray((1 + bias.fillna(0.0).to_numpy(dtype=float)) * np.array(factor, dtype=float))


def price_of(facts: Expected, year: int) -> float:
    """Building prices of a year (counted from the first) as a share of those of the price base."""
    passed = facts.first_year + year - start_of(facts.case.price_base)
    return float((1 + facts.figures.number("capital.inflation_per_year")) ** passed)


def _start(year: Any) -> float:
    try:
        return float(start_of(str(year)))
    except ValueError:
        return np.nan


def _changes(facts: Expected, openings: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """(P, T) places added in all, lost to projects (removed, improved, out of use while building), and opened in projects' pools."""
    shape = (len(facts.pools.ids), len(facts.years))
    lost, kept, opened = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    projects = facts.case.projects
    source = positions(facts.pools.ids, projects["from_pool_id"])
    own = {row: pool for pool, row in enumerate(facts.pools.project) if row >= 0}
    year = np.arange(len(facts.years))
    for opening in openings.to_dict("records"):
        row, ready = opening["row"], opening["start"] + opening["case_lead_time_years"]
        first = min(ready, 0) if opening["opens"] <= 0 else opening["opens"]  # what opened before the first year is older
        pool, project = source[row], projects.iloc[row]
        held = facts.held_share(pool, float(project["places_kept"])) if pool >= 0 else np.zeros(len(year))
        if row in own:
            opened[own[row]] += opening["places"] * open_share(facts, project, year - first, held)
        if pool >= 0 and opening["stage"] == 1:
            there, improved = year >= first, float(project["places_improved"])
            building = (year < first) & (year >= first - min(project["disruption_years"], project["lead_time_years"]))
            lost[pool] += there * (project["places_removed"] + improved * (1 - held)) + building * project["disruption_places"]
            kept[pool] += there * (project["places_kept"] + project["overcrowding_places"])
    return opened - lost + kept, lost, opened


def open_share(facts: Expected, project: Any, age: Ints, held: Floats) -> Floats:
    """(T,) share of a project's places that may be filled ``age`` years after opening; ``held``: share of the source's that is taken."""
    ramp = np.array([float(share) for share in split_codes(project["ramp_up"])])
    share = np.where(age >= 0, ramp[np.clip(age, 0, len(ramp) - 1)], 0.0) * project["most_use_share"]
    expires = project["expires_after_years"]
    if np.isfinite(expires):
        share = np.where(age >= expires, share * _stays_longest(facts, project) ** np.maximum(age - expires + 1, 0), share)
    return np.asarray(share * (1 - held) if project["places_improved"] > 0 else share)


def _stays_longest(facts: Expected, project: Any) -> float:
    """Largest share of pupils who stay a year, of the groups and phases a project is designated for."""
    table, groups = facts.figures.table("retention"), set(split_codes(project["need_groups"]))
    keys = (["AP"] if "AP" in groups else []) + (split_codes(project["phases"]) if groups - {"AP"} else [])
    return max(table.get(key, 0.0) for key in keys)
