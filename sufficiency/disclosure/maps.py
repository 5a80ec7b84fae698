"""What maps and their tables may show: figures by area, flows, and use of settings.

In an open case small-area figures are modelled from published totals, are labelled so and stand as they are. In a protected case areas
are zones of ten pupils and more with all needs together, flows below five pupils are dropped, and councils and settings follow the rules
of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure.rules import (
    FEWEST_FOR_MEANS,
    TAKEN_AS,
    added_up,
    is_narrowing,
    possible,
    rounded,
    shown_counts,
    shown_mean,
)
from sufficiency.disclosure.specification import PARTS
from sufficiency.disclosure.tables import shown_places
from sufficiency.disclosure.totals import MEASURES, base_needs, count_totals, kept_back, shown_needs, totals_of_needs
from sufficiency.disclosure.zones import zones
from sufficiency.outputs.figures import (
    ALL,
    area_figures,
    base_pupils,
    flows,
    mean_minutes,
    placed_pupils,
    setting_use,
    variants,
)
from sufficiency.plan import Plan, PlanTables

COUNTS: Final = ("pupils", "unmet", "independent")


@dataclass(frozen=True)
class Shown:
    """What maps may show of one set of a plan's tables."""

    areas: pd.DataFrame
    """As ``figures.area_figures`` writes it, areas being those of ``shown_case``; what must not be shown is NaN."""
    base: pd.DataFrame
    """The same for the base January, with nothing known about unmet need."""
    flows: pd.DataFrame
    """As ``figures.flows`` writes it."""
    use: pd.DataFrame
    """As ``figures.setting_use`` writes it."""
    years: dict[str, dict[str, float]]
    """As ``shown_years`` gives it."""


def shown_by_variant(plan: Plan, case: Case) -> dict[str, Shown]:
    """What maps may show, before (``counterfactual``) and after (``plan``), from the exact plan and case."""
    zone = _zones(case)
    base = shown_base(case, zone)
    return {name: _shown(tables, case, base, zone) for name, tables in variants(plan).items()}


def _zones(case: Case) -> pd.Series[str]:
    """Zone of each area; in an open case every area is its own."""
    return zones(case) if case.disclosure != "open" else case.areas.set_index("area_id", drop=False)["area_id"]


def _shown(tables: PlanTables, case: Case, base: pd.DataFrame, zone: pd.Series[str]) -> Shown:
    placed, years = placed_pupils(tables, case), shown_years(tables, case)
    areas = area_figures(placed, tables.unmet, case)
    if case.disclosure == "open":
        return Shown(areas, base, flows(placed), setting_use(tables), years)
    return Shown(_areas(areas, tables.needs, case, zone), base, _flows(placed, zone), _use(tables), years)


def shown_years(tables: PlanTables, case: Case) -> dict[str, dict[str, float]]:
    """The whole case by measure and academic year: ``demand``, ``unmet``, ``latent`` (pupils) and ``minutes`` (mean journey one way)."""
    totals = count_totals(tables, case, ["academic_year"]).set_index("academic_year")
    minutes = pd.Series(mean_minutes(tables.travel), dtype=float)
    if case.disclosure != "open":
        travellers = tables.travel.groupby("academic_year")["pupils"].sum().reindex(minutes.index)
        minutes = pd.Series(shown_mean(minutes * travellers, travellers, 1.0), minutes.index)
    years = list(case.academic_years)
    measures = {name: totals[name].reindex(years, fill_value=0.0) for name in ("demand", "unmet", "latent")}
    measures["minutes"] = minutes.reindex(years, fill_value=0.0)
    return {name: {str(year): float(value) for year, value in values.items()} for name, values in measures.items()}


def shown_base(case: Case, zone: pd.Series[str] | None = None) -> pd.DataFrame:
    """What maps may show of the base January: as ``Shown.areas``, with nothing known about unmet need."""
    nobody = pd.DataFrame({"area_id": [], "need_group": [], "academic_year": [], "pupils": []}).astype({"pupils": float})
    areas = area_figures(base_pupils(case), nobody, case)
    return areas if case.disclosure == "open" else _areas(areas, base_needs(case), case, _zones(case) if zone is None else zone)


def _areas(exact: pd.DataFrame, needs: pd.DataFrame, case: Case, zone: pd.Series[str]) -> pd.DataFrame:
    """Zones with all needs together; councils and the whole case also by need."""
    wide = _councils(exact[~exact["zone_id"].isin(case.areas["area_id"])], needs)
    small = exact[exact["zone_id"].isin(zone.index) & (exact["need_group"] == ALL)]
    sums = small.assign(zone_id=small["zone_id"].map(zone)).groupby(["zone_id", "need_group", "academic_year"], as_index=False).sum()
    counts = sums.assign(**{name: shown_counts(sums[name]) for name in COUNTS})
    counts["pupils"] = counts["pupils"].mask(sums["pupils"] < FEWEST_FOR_MEANS)
    council = case.areas.set_index(case.areas["area_id"].map(zone))["council_code"].groupby(level=0).first()
    counts = _without_telling(counts, counts["zone_id"].map(council), needs)
    return pd.concat([_with_means(counts, sums), wide], ignore_index=True)


def _councils(exact: pd.DataFrame, needs: pd.DataFrame) -> pd.DataFrame:
    """Figures of councils and of the whole case, by need and for all needs: totals of the same counts as the table of needs."""
    measures = {"pupils": MEASURES["placed"], "unmet": MEASURES["unmet"], "independent": MEASURES["independent"]}
    key = ["zone_id", "need_group", "academic_year"]
    parts = []
    for council in (True, False):
        for need in (True, False):
            by = [*(["council_code"] if council else []), *(["need_group"] if need else []), "academic_year"]
            totals = totals_of_needs(needs, by, measures, protected=True).rename(columns={"council_code": "zone_id"})
            parts.append(totals.assign(**({} if council else {"zone_id": ALL}), **({} if need else {"need_group": ALL})))
    totals = pd.concat(parts).set_index(key)[list(COUNTS)]
    counts = exact.drop(columns=list(COUNTS)).join(totals, on=key)
    nobody = ~pd.MultiIndex.from_frame(exact[key]).isin(totals.index)
    counts.loc[nobody, list(COUNTS)] = 0.0
    return _with_means(counts[list(exact.columns)], exact)


def _with_means(counts: pd.DataFrame, exact: pd.DataFrame) -> pd.DataFrame:
    """Journeys such that their mean is in whole minutes; the travellers are as many as the pupils shown, and none where few travel."""
    minutes = shown_mean(exact["pupil_minutes"], exact["travellers"], 1.0)
    travellers = np.where(np.isnan(minutes), 0.0, counts["pupils"].fillna(0.0))
    return counts.assign(travellers=travellers, pupil_minutes=np.nan_to_num(minutes) * travellers)


def _without_telling(counts: pd.DataFrame, council: pd.Series[str], needs: pd.DataFrame) -> pd.DataFrame:
    """Hide a measure in all zones of a council and year where the needs of that council would narrow a hidden count."""
    shown = shown_needs(needs)
    key = [shown["council_code"], shown["academic_year"]]
    low, high = (pd.DataFrame(ends, shown.index, list(PARTS)) for ends in possible(shown[list(PARTS)]))
    back = kept_back(shown)
    low[back], high[back] = 0.0, np.inf
    result = counts.copy()
    for name in ("unmet", "independent"):
        least, most = (ends[list(MEASURES[name])].sum(axis=1).groupby(key).sum().to_dict() for ends in (low, high))
        for at, rows in counts.groupby([council, "academic_year"]).groups.items():
            parts = counts.loc[rows, name].to_numpy(float)[None, :]
            if is_narrowing(np.array([least.get(at, 0.0)]), np.array([most.get(at, 0.0)]), parts)[0]:
                result.loc[rows, name] = np.nan
    return result


def _flows(placed: pd.DataFrame, zone: pd.Series[str]) -> pd.DataFrame:
    of_zones = flows(placed.assign(area_id=placed["area_id"].map(zone)))
    return of_zones.assign(pupils=rounded(of_zones["pupils"]))


def _use(tables: PlanTables) -> pd.DataFrame:
    """By setting, added up from the pools as shown; places that the plan opens are known."""
    pools = shown_places(tables.places, shown_needs(tables.needs))
    keys = [pools["setting_id"], pools["academic_year"]]
    counts = pools[["places", "pupils", "latent_pupils"]].assign(places=pools["places"].where(~pools["is_new"], 0.0))
    result = added_up(counts.fillna(TAKEN_AS), {str(name): counts[[name]] for name in counts}, keys)
    result["places"] += pools["places"].where(pools["is_new"], 0.0).groupby(keys).sum()
    result["over_places"] = rounded((result["pupils"] + result["latent_pupils"] - result["places"]).clip(lower=0.0))
    return result.reset_index()
