"""Home to school journeys as planners see them: who is eligible, what a vehicle costs, how many share it, how much carbon it takes.

A journey is an area, a site, a need group and a phase with its pupils, minutes and km (one way). Figures come from
``journey_assumptions.csv`` and, where the plan uses them too, from the case's assumptions; a council may replace any of them. Everything
here is an expectation over pupils, not a decision about one.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sufficiency.assumptions import Assumptions, default_assumptions
from sufficiency.corridors import corridor_of, riders_in_vehicle, sharing_factor
from sufficiency.finance import KM_PER_MILE
from sufficiency.tables.problems import InputError, InputProblem

Floats = NDArray[np.float64]

FROM_CASE: Final = {
    ("vehicle", "base"): "travel.cost_base",
    ("vehicle", "per_mile"): "travel.cost_per_mile",
    ("vehicle", "shared"): "travel.shared",
    ("vehicle", "pooled_share"): "travel.pooled_share",
    ("vehicle", "minutes_per_stop"): "travel.minutes_per_stop",
    ("vehicle", "seats"): "travel.seats",
}
"""Figure -> assumption of the case that holds it; ``limit_min`` by phase is ``travel.limit_min``."""

COLUMNS: Final = ("name", "key", "value", "unit", "year", "source", "status")
ADDED_COLUMNS: Final = (
    "miles", "limit_min", "within_limit", "cannot_walk_share", "beyond_distance_share", "low_income_share", "eligible_share",
    "carried_share", "riders", "sharing_factor", "wheelchair_factor", "vehicle_gbp_per_carried_pupil_per_year",
    "assistant_gbp_per_carried_pupil_per_year", "cost_gbp_per_carried_pupil_per_year", "cost_gbp_per_pupil_per_year",
    "co2e_kg_per_carried_pupil_per_year",
)  # fmt: skip
"""What ``cost_journeys`` adds; docs/data-dictionary.md describes each under ``journeys``."""
JOURNEY_COLUMNS: Final = ("area_id", "site_id", "need_group", "phase", "pupils", "minutes", "km", "boards")

YEARS_UNDER_8_SHARE: Final = {"EY": 1.0, "PRI": 0.5, "SEC": 0.0, "P16": 0.0, "P19": 0.0}
"""Share of the phase's ages under 8: ages 5, 6 and 7 of primary's six."""

NO_STATUTORY_DISTANCE: Final = frozenset({"EY", "P16", "P19"})
"""Phases outside compulsory school age: eligible by need and the council's policy only."""


@dataclass(frozen=True)
class JourneyAssumptions:
    """Figures by name and key; ``by_council`` holds what a council replaces (``council_code`` and the same columns)."""

    figures: pd.DataFrame
    by_council: pd.DataFrame

    def value(self, name: str, key: str, councils: pd.Series) -> Floats:
        """The figure for each row's council. KeyError for a figure that does not exist."""
        rows = self.figures[(self.figures["name"] == name) & (self.figures["key"] == key)]
        if rows.empty:
            raise KeyError(f"{name}.{key}")
        own = self.by_council[(self.by_council["name"] == name) & (self.by_council["key"] == key)].set_index("council_code")["value"]
        return councils.map(own).fillna(rows["value"].iloc[0]).to_numpy(dtype=float)

    def by_key(self, name: str, keys: pd.Series, councils: pd.Series) -> Floats:
        """The figure of each row's own key (its need group, phase or decile)."""
        values = np.full(len(keys), np.nan)
        for key in keys.unique():
            of_key = (keys == key).to_numpy()
            values[of_key] = self.value(name, str(key), councils[of_key])
        return values


def read_journey_assumptions(by_council: Path | None = None, assumptions: Assumptions | None = None) -> JourneyAssumptions:
    """The figures of a case (by default the shipped ones), and those that councils replace (CSV: council_code, name, key, value, source).

    Raises InputError naming every missing column, every figure that does not exist and every value that is no number or negative.
    """
    text = resources.files("sufficiency").joinpath("journey_assumptions.csv")
    with resources.as_file(text) as path:
        shipped = pd.read_csv(path, dtype={"key": str, "year": str})
    figures = pd.concat([shipped, _of_case(assumptions or default_assumptions())], ignore_index=True)
    if by_council is None:
        return JourneyAssumptions(figures, pd.DataFrame(columns=["council_code", "name", "key", "value", "source"]))
    own = pd.read_csv(by_council, dtype={"key": str, "council_code": str})
    missing = [name for name in ("council_code", "name", "key", "value", "source") if name not in own]
    if missing:
        remedy = "Give the columns council_code, name, key, value, source"
        raise InputError([InputProblem(by_council.name, "the column is missing", remedy, column=name) for name in missing])
    known = set(zip(figures["name"], figures["key"], strict=True))
    values = pd.to_numeric(own["value"], errors="coerce")
    problems = [
        InputProblem(
            by_council.name,
            "no such figure",
            "See journey_assumptions.csv in the output of `sufficiency journeys`",
            row + 2,
            "key",
            f"{name}.{key}",
        )
        for row, (name, key) in enumerate(zip(own["name"], own["key"], strict=True))
        if (name, key) not in known
    ]
    problems += [
        InputProblem(by_council.name, "not a figure of 0 or more", "Give a number", int(row) + 2, "value", str(own["value"].iloc[row]))
        for row in np.flatnonzero(~(values >= 0))
    ]
    if problems:
        raise InputError(problems)
    return JourneyAssumptions(figures, own.assign(value=values))


def _of_case(assumptions: Assumptions) -> pd.DataFrame:
    """The figures that the plan uses too, in the form of the shipped table."""
    entries = {entry.name: entry for entry in assumptions}
    rows = [(*figure, float(assumptions.number(name)), entries[name]) for figure, name in FROM_CASE.items()]
    rows += [
        ("limit_min", phase, float(most), entries["travel.limit_min"]) for phase, most in assumptions.table("travel.limit_min").items()
    ]
    columns = [(name, key, value, about.unit, about.year, about.source, about.status) for name, key, value, about in rows]
    return pd.DataFrame(columns, columns=list(COLUMNS))


def cost_journeys(journeys: pd.DataFrame, areas: pd.DataFrame, sites: pd.DataFrame, assumptions: JourneyAssumptions) -> pd.DataFrame:
    """Eligibility, sharing, cost and carbon of each journey, joined to its row: ``ADDED_COLUMNS``.

    ``journeys``: area_id, site_id, need_group, phase, pupils, minutes, km (one way), boards (True: the pupil boards in term).
    ``areas``: area_id, easting_m, northing_m, council_code, imd_decile; ``sites``: site_id, easting_m, northing_m (empty: not known,
    so nobody shares). Raises ValueError for missing columns and unknown areas or sites.
    """
    missing = [name for name in JOURNEY_COLUMNS if name not in journeys]
    if missing:
        raise ValueError(f"journeys lack the columns {missing}")
    table = _joined(journeys, areas, sites)
    councils = table["council_code"]
    table["miles"] = table["km"] / KM_PER_MILE
    table["limit_min"] = assumptions.by_key("limit_min", table["phase"], councils)
    table["within_limit"] = table["minutes"] <= table["limit_min"]
    table = table.assign(**eligible_shares(table, assumptions))
    table["carried_share"] = table["eligible_share"] * assumptions.by_key("take_up", table["phase"], councils)
    table["riders"] = riders_per_vehicle(table, assumptions)
    table = table.assign(**carried_costs_gbp(table, assumptions))
    table["cost_gbp_per_pupil_per_year"] = table["cost_gbp_per_carried_pupil_per_year"] * table["carried_share"]
    table["co2e_kg_per_carried_pupil_per_year"] = carbon_kg(table, assumptions)
    return table[[*journeys.columns, *ADDED_COLUMNS]]


def eligible_shares(table: pd.DataFrame, assumptions: JourneyAssumptions) -> dict[str, Floats]:
    """Share of the pupils of each journey who are entitled to free travel, in all and by the first ground that holds.

    Those who cannot reasonably be expected to walk, at any distance; of the others those beyond the statutory distance (2 miles under 8,
    3 miles from 8), or from a low-income family beyond 2 miles (8 to 10) or at 2 to 6 miles to one of the three nearest suitable
    sites (11 to 15).
    """
    phase, councils, miles = table["phase"], table["council_code"], table["miles"].to_numpy()
    cannot_walk = assumptions.by_key("cannot_walk_share", table["need_group"], councils)
    poor = assumptions.by_key("low_income_share", table["imd_decile"].astype(int).astype(str), councils)
    under_8 = phase.map(YEARS_UNDER_8_SHARE).to_numpy(dtype=float)
    far_for_young = miles > assumptions.value("statutory_miles", "under_8", councils)
    far = miles > assumptions.value("statutory_miles", "from_8", councils)
    young_poor = miles > assumptions.value("low_income_miles", "from_8_to_10", councils)
    least, most = (assumptions.value("low_income_miles", key, councils) for key in ("from_11_low", "from_11_high"))
    older_poor = (miles > least) & (miles <= most) & (_nearness(table) <= 3)
    by_distance = under_8 * far_for_young + (1 - under_8) * far
    by_income = (1 - under_8) * ~far * poor * np.where(phase.eq("PRI"), young_poor, older_poor)
    walkers = np.where(phase.isin(NO_STATUTORY_DISTANCE), 0.0, 1 - cannot_walk)
    return {
        "cannot_walk_share": cannot_walk,
        "beyond_distance_share": walkers * by_distance,
        "low_income_share": walkers * by_income,
        "eligible_share": cannot_walk + walkers * (by_distance + by_income),
    }


def riders_per_vehicle(table: pd.DataFrame, assumptions: JourneyAssumptions) -> Floats:
    """Expected pupils in a vehicle: those carried along the same corridor to the same site, as far as seats, timetables and the time
    limit of the longest ride allow; at least 1. Boarders, and pupils of a site that is not on the map, ride alone."""
    councils = table["council_code"]
    vehicle = {key: assumptions.value("vehicle", key, councils) for key in ("pooled_share", "minutes_per_stop", "seats")}
    east, north = ((table[name] - table[f"site_{name}"]).fillna(0.0).to_numpy(dtype=float) for name in ("easting_m", "northing_m"))
    carried = table["pupils"] * table["carried_share"] * ~table["boards"]
    on_corridor = carried.groupby([table["site_id"], corridor_of(east, north)]).transform("sum").to_numpy()
    riders = riders_in_vehicle(on_corridor, (table["limit_min"] - table["minutes"]).to_numpy(dtype=float), **vehicle)
    return np.where(table["boards"] | table["site_easting_m"].isna(), 1.0, riders)


def carried_costs_gbp(table: pd.DataFrame, assumptions: JourneyAssumptions) -> dict[str, Floats]:
    """GBP per carried pupil per year: ``(base + per_mile x miles) x sharing x wheelchair`` and ``assistant / riders``, with their factors.

    Sharing falls from 1 (alone) to the shared factor at two riders and more. A boarder goes home every second weekend, so pays in
    proportion to journeys.
    """
    councils, riders = table["council_code"], table["riders"].to_numpy()
    vehicle = {key: assumptions.value("vehicle", key, councils) for key in ("base", "per_mile", "shared", "wheelchair", "assistant")}
    wheelchair = 1 + (vehicle["wheelchair"] - 1) * assumptions.by_key("wheelchair_share", table["need_group"], councils)
    sharing, share = sharing_factor(riders, vehicle["shared"]), _journeys_share(table, assumptions)
    ride = (vehicle["base"] + vehicle["per_mile"] * table["miles"].to_numpy()) * sharing * wheelchair * share
    assistant = assumptions.by_key("assistant_share", table["need_group"], councils) * vehicle["assistant"] / riders * share
    return {
        "sharing_factor": sharing,
        "wheelchair_factor": wheelchair,
        "vehicle_gbp_per_carried_pupil_per_year": ride,
        "assistant_gbp_per_carried_pupil_per_year": assistant,
        "cost_gbp_per_carried_pupil_per_year": ride + assistant,
    }


def carbon_kg(table: pd.DataFrame, assumptions: JourneyAssumptions) -> Floats:
    """Kg CO2e per carried pupil per year: km there and back on each day, empty running added, shared by the riders."""
    councils = table["council_code"]
    per_km = assumptions.value("carbon", "kg_per_vehicle_km", councils) * (1 + assumptions.value("carbon", "empty_share", councils))
    km_a_year = 2 * table["km"].to_numpy() * assumptions.value("year", "days", councils)
    return np.asarray(km_a_year * per_km / table["riders"].to_numpy() * _journeys_share(table, assumptions))


def _journeys_share(table: pd.DataFrame, assumptions: JourneyAssumptions) -> Floats:
    """Journeys as a share of those of a day pupil: 1, or fortnights over days for a boarder."""
    councils = table["council_code"]
    boarding = assumptions.value("year", "fortnights", councils) / assumptions.value("year", "days", councils)
    return np.where(table["boards"], boarding, 1.0)


def _nearness(table: pd.DataFrame) -> Floats:
    """1 for the nearest site of the area, need group and phase among the journeys given, 2 for the next."""
    return table.groupby(["area_id", "need_group", "phase"])["km"].rank(method="min").to_numpy(dtype=float)


def _joined(journeys: pd.DataFrame, areas: pd.DataFrame, sites: pd.DataFrame) -> pd.DataFrame:
    places = sites[["site_id", "easting_m", "northing_m"]].rename(columns={"easting_m": "site_easting_m", "northing_m": "site_northing_m"})
    for name, other in (("area_id", areas), ("site_id", sites)):
        unknown = sorted(set(journeys[name]) - set(other[name]))
        if unknown:
            raise ValueError(f"journeys name {len(unknown)} unknown {name}: {', '.join(map(str, unknown[:5]))}")
    home = areas[["area_id", "easting_m", "northing_m", "council_code", "imd_decile"]]
    return (
        journeys.reset_index(drop=True)
        .merge(pd.DataFrame(home), on="area_id", how="left", validate="many_to_one")
        .merge(places, on="site_id", how="left", validate="many_to_one")
    )
