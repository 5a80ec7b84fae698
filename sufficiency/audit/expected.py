"""What follows from a case alone: who needs a place, what places there are, what they cost and how far they are.

A second formulation, written from docs/formulation.md and from nothing else. Indices are those of ``sufficiency.audit.codes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sufficiency.assumptions import Assumptions
from sufficiency.audit.codes import (
    BANDS,
    CLASSES,
    FAMILIES,
    GROUPS,
    KINDS,
    PHASE_CODES,
    UNLOCATED,
    add_up,
    families,
    known,
    of_kind,
    positions,
)  # fmt: skip
from sufficiency.audit.demand import BasePupils, Demand, demand_and_base, share_of
from sufficiency.audit.report import Bools, Floats, Ints
from sufficiency.audit.sharing import journey_sharing
from sufficiency.case import Case
from sufficiency.terms import INDEPENDENT_KINDS, split_codes, start_of


@dataclass(frozen=True)
class PoolFacts:
    """Pools of the case, then one per project that adds places."""

    ids: pd.Index[Any]
    setting: pd.Index[Any]
    """(P,) setting or site that holds the places."""
    site: Ints
    """(P,) position in ``sites``; -1 for unlocated pools."""
    kind: Ints
    """(P,) position in KINDS."""
    council: Ints
    project: Ints
    """(P,) row of the project whose places these are; -1 for pools of the case."""
    new: Bools
    """(P,) places of a project that is not committed, and not an improvement of places there are."""
    lists: Bools
    """(P, F) need group and phase are among those the places are designated for."""
    places: Floats
    """(P, T) places before any project: growth, places at risk, caps of unlocated pools."""
    base: Floats
    """(P, T) places that pupils of the base January still take."""
    cost: Floats
    """(P, H) GBP of one pupil and year."""


@dataclass(frozen=True)
class Expected:
    """All that the audit needs to know of a case."""

    case: Case
    years: pd.Index[Any]
    areas: pd.Index[Any]
    councils: pd.Index[Any]
    standing: pd.Index[Any]
    """Councils of the case, then the others in which settings stand."""
    area_council: Ints
    sites: pd.Index[Any]
    demand: Demand
    base: BasePupils
    pools: PoolFacts
    suits: Bools
    """(kinds, C) suitability of a kind of provision for group, severity and phase, and for the route."""
    journey_keys: Ints
    """Sorted: area x number of sites + site."""
    journey_minutes: Floats
    journey_km: Floats
    journey_sharing: Floats
    """Factor of the cost curve for pupils who share vehicles."""

    @property
    def figures(self) -> Assumptions:
        return self.case.assumptions

    @cached_property
    def first_year(self) -> int:
        """Calendar year in which the first planning year, and the first financial year, start."""
        return start_of(str(self.years[0]))

    @cached_property
    def load(self) -> Floats:
        """(C,) places that a pupil takes: pupils in AP without a plan may stay for part of the year of 39 weeks."""
        return np.repeat(_load(self.case), len(PHASE_CODES) * len(BANDS))

    def held_share(self, pool: int, kept: float) -> Floats:
        """(T,) share of the places of a pool, with those that a project keeps, that pupils of the base January still take, at most all."""
        there = self.pools.places[pool] + kept
        share: Floats = np.minimum(np.divide(self.pools.base[pool], there, out=np.ones_like(there), where=there > 0), 1.0)
        return share

    @cached_property
    def weight(self) -> Floats:
        """(T,) present value of GBP 1 of each year; the last stands for the tail too."""
        rate, tail = self.figures.number("time.discount_rate"), int(self.figures.number("time.tail_years"))
        last = len(self.years) - 1
        weight = (1 + rate) ** -np.arange(len(self.years), dtype=float)
        weight[last] = ((1 + rate) ** -np.arange(last, last + tail + 1, dtype=float)).sum()
        return weight

    def journeys(self, area: Ints, pool: Ints) -> tuple[Floats, Floats]:
        """Minutes and km of each pair in the table ``travel``; empty for unlocated pools and pairs that it lacks."""
        minutes, km = (self._of_pairs(column, area, pool) for column in (self.journey_minutes, self.journey_km))
        return minutes, km

    def sharing(self, area: Ints, pool: Ints) -> Floats:
        """Factor of the cost curve for each pair; the mean factor where the corridor is not known."""
        found = self._of_pairs(self.journey_sharing, area, pool)
        return np.where(np.isnan(found), self.figures.number("travel.shared_factor"), found)

    def _of_pairs(self, column: Floats, area: Ints, pool: Ints) -> Floats:
        key = area * len(self.sites) + self.pools.site[pool]
        place = np.searchsorted(self.journey_keys, key)
        known = (self.pools.site[pool] >= 0) & (np.append(self.journey_keys, -1)[place] == key)
        return np.where(known, np.append(column, np.nan)[place], np.nan)

    def by_phase(self, name: str) -> Floats:
        """(F,) a table of figures by phase; a missing key counts 1."""
        return self._table(name, PHASE_CODES)[np.tile(np.arange(len(PHASE_CODES)), len(GROUPS))]

    def by_group(self, name: str) -> Floats:
        """(F,) a table of factors by need group; a missing key counts 1."""
        return np.repeat(self._table(name, GROUPS), len(PHASE_CODES))

    def _table(self, name: str, keys: pd.Index[Any]) -> Floats:
        table = self.figures.table(name)
        return np.array([table.get(key, 1.0) for key in keys])

    def class_words(self, c: int) -> str:
        """``ASD SEC complex independent_only``."""
        family, band = divmod(c, len(BANDS))
        return f"{self.family_words(family)} {' '.join(BANDS[band])}"

    def family_words(self, f: int) -> str:
        """``ASD SEC``."""
        group, phase = divmod(f, len(PHASE_CODES))
        return f"{GROUPS[group]} {PHASE_CODES[phase]}"


def expected(case: Case, scenario: str) -> Expected:
    """Everything from the case. Raises InputError when it has no such scenario of demand."""
    years = pd.Index(case.academic_years)
    frame = _pools_of(case)
    # residents are of the case's councils; settings may stand in others
    areas, councils = pd.Index(case.areas["area_id"]), pd.Index(case.councils["council_code"])
    standing = councils.append(pd.Index(frame["council_code"].unique()).difference(councils))
    area_council = known(councils, case.areas["council_code"], "areas")
    sites = pd.Index(pd.concat([case.settings["setting_id"], case.projects["site_id"]]).unique())
    kind, council = positions(KINDS, frame["kind"]), known(standing, frame["council_code"], "pools")
    demand, base = demand_and_base(case, scenario, areas, pd.Index(frame["pool_id"]), kind, area_council)
    facts = _pool_facts(case, frame, sites, kind, council, base, demand, area_council)
    return Expected(
        case, years, areas, councils, standing, area_council, sites, demand, base, facts, _suits(case), *_journeys(case, areas, sites)
    )


def _pools_of(case: Case) -> pd.DataFrame:
    """Pools of the case, then of the projects that add places, with the kind and council of where they stand."""
    standing = case.pools.merge(case.settings[["setting_id", "kind", "council_code"]], on="setting_id", how="left", validate="many_to_one")
    improved = (case.projects["places_improved"] > 0).to_numpy()
    adds = ~case.projects["effect"].isin(["improve", "grant"]).to_numpy() | improved
    new = case.projects[adds]
    new = new.assign(pool_id=new["project_id"], setting_id=new["site_id"], kind=new["provision"], project=np.flatnonzero(adds))
    new["is_new"] = (new["decision"] != "committed") & ~improved[adds]
    source = standing.set_index("pool_id")
    for row in new.index[improved[adds]]:  # improved places stay where they are, and cost what they did unless the project says otherwise
        old = source.loc[new.loc[row, "from_pool_id"]]
        new.loc[row, ["setting_id", "kind", "council_code"]] = old[["setting_id", "kind", "council_code"]].to_numpy()
        if np.isnan(new.loc[row, "place_cost_gbp_per_year"]):
            new.loc[row, "place_cost_gbp_per_year"] = old["place_cost_gbp_per_year"]
        if new.loc[row, "wheelchair_access"] and "PHYS" not in split_codes(new.loc[row, "need_groups"]):
            new.loc[row, "need_groups"] = new.loc[row, "need_groups"] + "|PHYS"
    columns = ["pool_id", "setting_id", "kind", "council_code", "need_groups", "phases", "place_cost_gbp_per_year", "project", "is_new"]
    return pd.concat([standing.assign(project=-1, is_new=False)[columns], new[columns]], ignore_index=True)


def _pool_facts(
    case: Case, frame: pd.DataFrame, sites: pd.Index[Any], kind: Ints, council: Ints, base: BasePupils, demand: Demand, area_council: Ints
) -> PoolFacts:
    years = demand.entrants.shape[2]
    lists = np.zeros((len(frame), FAMILIES), bool)
    for i, (groups, phases) in enumerate(zip(frame["need_groups"], frame["phases"], strict=True)):
        pairs = pd.MultiIndex.from_product([split_codes(groups), split_codes(phases)], names=["need_group", "phase"]).to_frame()
        lists[i, families(pairs["need_group"], pairs["phase"])] = True
    load = np.repeat(_load(case), len(PHASE_CODES) * len(BANDS))
    held = np.stack(
        [
            add_up((len(frame),), (base.pool,), base.pupils * load[base.band_class] * demand.stay[base.band_class] ** t)
            for t in range(years + 1)
        ],
        axis=-1,
    )
    places = np.zeros((len(frame), years))
    places[: len(case.pools)] = _places(case)
    caps = _caps(case, kind, council, base, demand, area_council)
    unlocated = of_kind(kind, UNLOCATED)
    places[unlocated] = caps[unlocated]
    site = np.where(unlocated, -1, positions(sites, frame["setting_id"]))
    cost = _place_costs(case, kind, frame["place_cost_gbp_per_year"].to_numpy(dtype=float))
    project, new = frame["project"].to_numpy(np.int64), frame["is_new"].to_numpy(bool)
    return PoolFacts(
        pd.Index(frame["pool_id"]), pd.Index(frame["setting_id"]), site, kind, council, project, new, lists, places, held[:, 1:], cost
    )


def _places(case: Case) -> Floats:
    """places x (1 + growth)^t - places at risk from ``at_risk_from`` on, not below 0."""
    pools = case.pools
    t = np.arange(1, len(case.academic_years) + 1)
    grown = pools["places"].to_numpy(dtype=float)[:, None] * (1 + pools["growth_per_year"].to_numpy(dtype=float)[:, None]) ** t
    lost_from = pools["at_risk_from"].map(lambda year: start_of(year) if isinstance(year, str) else 9999).to_numpy(dtype=int)
    starts = np.array([start_of(year) for year in case.academic_years])
    places: Floats = np.maximum(0.0, grown - pools["places_at_risk"].to_numpy(dtype=float)[:, None] * (starts >= lost_from[:, None]))
    return places


def _caps(case: Case, kind: Ints, council: Ints, base: BasePupils, demand: Demand, area_council: Ints) -> Floats:
    """(P, T) most pupils of an unlocated pool: (today's unlocated share + cap) x the council's demand of the stream."""
    councils = len(case.councils)
    ap_class = np.arange(CLASSES) // (len(PHASE_CODES) * len(BANDS)) == GROUPS.get_loc("AP")
    caps = np.zeros((len(kind), demand.placed.shape[2]))
    there = of_kind(kind[base.pool], UNLOCATED)
    for name, stream in (("unlocated_independent", ~ap_class), ("unlocated_ap", ap_class)):
        residents, mine = area_council[base.area], stream[base.band_class]
        every = add_up((councils,), (residents[mine],), base.pupils[mine])
        unlocated = add_up((councils,), (residents[mine & there],), base.pupils[mine & there])
        wanted = np.zeros((councils, demand.placed.shape[2]))
        np.add.at(wanted, area_council, demand.placed[:, stream].sum(axis=1))
        cap = (share_of(unlocated, every) + case.assumptions.number("independent.unlocated_cap"))[:, None] * wanted
        pools = of_kind(kind, (name,))
        caps[pools] = cap[council[pools]]
    return caps


def _place_costs(case: Case, kind: Ints, own: Floats) -> Floats:
    """(P, H) GBP of one pupil and year: the pool's own, else the default of kind and group."""
    figures = case.assumptions
    special, independent = (
        np.array([figures.table(f"costs.{name}_relative").get(group, 1.0) for group in GROUPS]) for name in ("state_special", "independent")
    )
    flat = np.ones(len(GROUPS))
    by_kind = {
        "state_special": figures.number("costs.state_special") * special,
        "resourced_provision": figures.number("costs.resourced_provision") * flat,
        "ap": figures.number("costs.ap") * flat,
        "non_maintained": figures.number("costs.non_maintained") * independent,
        "independent_special": figures.number("costs.independent_special") * independent,
        "unlocated_independent": figures.number("costs.independent_special")
        * independent
        * figures.number("costs.unlocated_independent_factor"),
        "unlocated_ap": figures.number("costs.unlocated_ap") * flat,
    }
    usual = np.stack([by_kind[name] for name in KINDS])[kind]
    cost = np.where(np.isnan(own)[:, None], usual, own[:, None])
    factor, cap = figures.table("costs.price_factor"), figures.table("costs.price_cap")
    most = np.array([cap.get(group, np.inf) for group in GROUPS])
    for name, fee in (("non_maintained",) * 2, ("independent_special",) * 2, ("unlocated_independent", "independent_special")):
        rows = of_kind(kind, (name,))
        cost[rows] = np.minimum(cost[rows] * factor.get(fee, 1.0), most)
    return cost * _load(case)


def _load(case: Case) -> Floats:
    """(H,) places per pupil by need group: weeks of stay / 39 in AP without a plan, 1 otherwise."""
    return np.where(GROUPS == "AP", case.assumptions.number("ap.weeks_of_stay") / 39, 1.0)


def _suits(case: Case) -> Bools:
    """(kinds, C) a kind that suits group, severity and phase; the irreducible share goes to independent kinds only.

    The newest version of the table holds; a row of a phase overrides the row for any phase.
    """
    table = case.suitability[case.suitability["version"] == case.suitability["version"].max()]
    rows = table[["kind", "need_group", "severity", "phase", "suitable"]].itertuples(index=False, name=None)
    rules = {row[:4]: row[4] for row in rows}

    def allowed(kind: str, group: str, severity: str, phase: str) -> bool:
        return bool(rules.get((kind, group, severity, phase), rules.get((kind, group, severity, "any"), False)))

    return np.array(
        [
            [
                allowed(kind, group, severity, phase) and (route == "any" or kind in INDEPENDENT_KINDS)
                for group in GROUPS
                for phase in PHASE_CODES
                for severity, route in BANDS
            ]
            for kind in KINDS
        ]
    )


def _journeys(case: Case, areas: pd.Index[Any], sites: pd.Index[Any]) -> tuple[Ints, Floats, Floats, Floats]:
    travel = case.travel[case.travel["minutes"].notna()]
    area, site = positions(areas, travel["area_id"]), positions(sites, travel["site_id"])
    known = (area >= 0) & (site >= 0)
    key = area[known] * len(sites) + site[known]
    order = np.argsort(key, kind="stable")
    minutes, km = (travel[name].to_numpy(dtype=float)[known][order] for name in ("minutes", "km"))
    return key[order], minutes, km, journey_sharing(case)[known][order]
