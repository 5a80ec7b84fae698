"""How many pupils share a vehicle on the way to a site: the pooling estimate behind the cost of every journey.

Pupils come to a site along eight corridors, one per sector of the compass. What a plan fills is not known beforehand, so the pupils of
a corridor are those that its places would attract: a site near a cluster of pupils fills its vehicles, and its journeys cost less.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sufficiency.case import Case

Floats = NDArray[np.float64]

CORRIDORS: Final = 8
"""Sectors of the compass around a site; pupils of one sector may share a vehicle."""


def corridor_of(east_m: Floats, north_m: Floats) -> NDArray[np.int64]:
    """Sector in which a home lies so many metres east and north of the site, 0 to 7."""
    turn = np.arctan2(east_m, north_m) / (2 * np.pi) + 0.5
    return np.asarray(np.floor(turn * CORRIDORS).astype(np.int64) % CORRIDORS)


def riders_in_vehicle(
    corridor_pupils: Floats, spare_min: Floats, pooled_share: Floats | float, minutes_per_stop: Floats | float, seats: Floats | float
) -> Floats:
    """Expected pupils in a vehicle: those carried along the corridor, as far as timetables, spare time and seats allow; at least 1."""
    by_time = 1 + np.floor(np.maximum(spare_min, 0) / minutes_per_stop)
    pooled = 1 + pooled_share * np.maximum(corridor_pupils - 1, 0)
    return np.asarray(np.maximum(np.minimum(np.minimum(pooled, by_time), seats), 1.0))


def sharing_factor(riders: Floats, shared: Floats | float) -> Floats:
    """Times the vehicle cost curve: 1 alone, falling to the factor ``shared`` at two riders and more."""
    return np.asarray(1 - (1 - shared) * np.minimum(riders - 1, 1))


def case_sites(case: Case) -> pd.DataFrame:
    """site_id, easting_m, northing_m of the settings on the map and of the projects at new sites; a setting's own place goes first."""
    settings = case.settings.rename(columns={"setting_id": "site_id"})
    both = pd.concat([table[["site_id", "easting_m", "northing_m"]] for table in (settings, case.projects)], ignore_index=True)
    return both.dropna().drop_duplicates("site_id", ignore_index=True)


def travel_with_sharing(case: Case) -> pd.DataFrame:
    """Reachable journeys of the case with ``sharing``, the factor of the cost curve that pooling along the corridor gives.

    Carried base-year pupils of an area spread over sites by places x exp(-decay x minutes); no site draws more than its places, and a new
    site is judged alone beside all that stands. docs/formulation.md gives the formula.
    """
    travel = case.travel[case.travel["status"] != "unreachable"].reset_index(drop=True)
    figures = case.assumptions
    places, is_new = _attraction(case, travel["site_id"])
    area, site = pd.factorize(travel["area_id"])[0], pd.factorize(travel["site_id"])[0]
    minutes = travel["minutes"].to_numpy(float)
    pull = places * np.exp(-figures.number("gravity.decay_per_minute") * minutes)
    standing = _together(area, np.where(is_new, 0.0, pull))
    whole = standing + np.where(is_new, pull, 0.0)
    share = np.divide(pull, whole, out=np.zeros_like(pull), where=whole > 0)
    pupils = share * travel["area_id"].map(_carried_now(case)).fillna(0.0).to_numpy(float)
    drawn = _together(site, pupils)
    pupils = pupils * np.minimum(1.0, np.divide(places, drawn, out=np.zeros_like(drawn), where=drawn > 0))
    riders = riders_in_vehicle(
        _together(site * CORRIDORS + _sectors(case, travel), pupils),
        max(figures.table("travel.limit_min").values()) - minutes,
        figures.number("travel.pooled_share"),
        figures.number("travel.minutes_per_stop"),
        figures.number("travel.seats"),
    )
    return travel.assign(sharing=sharing_factor(riders, figures.number("travel.shared")))


def _together(group: NDArray[np.int64], values: Floats) -> Floats:
    """The sum of each row's group."""
    return np.asarray(np.bincount(group, values)[group]) if len(group) else values


def _attraction(case: Case, site_id: pd.Series) -> tuple[Floats, NDArray[np.bool_]]:
    """Places of each row's site, and whether it is new: then those of its largest project."""
    standing = case.pools.groupby("setting_id")["places"].sum()
    projects = case.projects[case.projects["decision"] != "forbidden"]
    planned = projects.groupby("site_id")["max_places"].max()
    places = site_id.map(standing).fillna(0.0).to_numpy(float)
    is_new = places <= 0
    return np.where(is_new, site_id.map(planned).fillna(0.0).to_numpy(float), places), is_new


def _carried_now(case: Case) -> pd.Series:
    """Base-year placed pupils of each area who are carried at public cost."""
    share = case.placements["phase"].map(case.assumptions.table("travel.transported_share")).fillna(1.0)
    return (case.placements["pupils"] * share).groupby(case.placements["area_id"]).sum()


def _sectors(case: Case, travel: pd.DataFrame) -> NDArray[np.int64]:
    homes, sites = case.areas.set_index("area_id"), case_sites(case).set_index("site_id")
    east, north = (
        (travel["area_id"].map(homes[name]) - travel["site_id"].map(sites[name])).to_numpy(float) for name in ("easting_m", "northing_m")
    )
    return corridor_of(np.nan_to_num(east), np.nan_to_num(north))
