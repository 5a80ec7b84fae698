"""What pooling along a corridor takes off the cost of a journey, from the case alone (docs/formulation.md)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sufficiency.audit.codes import add_up, positions
from sufficiency.audit.report import Floats
from sufficiency.case import Case

SECTORS = 8


def journey_sharing(case: Case) -> Floats:
    """Factor of the cost curve for each row of the table ``travel`` that has minutes, in its order."""
    figures, travel = case.assumptions, case.travel[case.travel["minutes"].notna()]
    areas = pd.Index(case.areas["area_id"])
    sites = pd.Index(pd.concat([case.settings["setting_id"], case.projects["site_id"]]).unique())
    z, s = positions(areas, travel["area_id"]), positions(sites, travel["site_id"])
    minutes = travel["minutes"].to_numpy(dtype=float)
    # a row of an area or site that the case lacks serves nobody, and counts for nobody
    known = (z >= 0) & (s >= 0)
    z, s = np.where(known, z, 0), np.where(known, s, 0)

    places, new = _places(case, sites)
    weight = np.where(known, places[s], 0.0) * np.exp(-figures.number("gravity.decay_per_minute") * minutes)
    beside = add_up((len(areas),), (z,), np.where(new[s], 0.0, weight))[z] + np.where(new[s], weight, 0.0)
    share = np.zeros(len(travel))
    np.divide(weight, beside, out=share, where=beside > 0)
    going = _carried(case, areas)[z] * share
    total = add_up((len(sites),), (s,), going)[s]
    going = np.where(total > places[s], going * places[s] / np.where(total > 0, total, 1.0), going)

    sector = _sector(case, sites, z, s)
    together = add_up((len(sites), SECTORS), (s, sector), going)[s, sector]
    spare = np.maximum(max(figures.table("travel.limit_min").values()) - minutes, 0.0)
    riders = 1 + figures.number("travel.pooled_share") * np.maximum(together - 1, 0.0)
    riders = np.minimum(riders, 1 + spare // figures.number("travel.minutes_per_stop"))
    riders = np.maximum(np.minimum(riders, figures.number("travel.seats")), 1.0)
    return np.asarray(1 - (1 - figures.number("travel.shared")) * np.minimum(riders - 1, 1.0))


def _places(case: Case, sites: pd.Index) -> tuple[Floats, np.ndarray]:
    """(sites,) places that stand, or those of the largest project that may be built where none stand; and which sites are new."""
    standing = add_up((len(sites),), (positions(sites, case.pools["setting_id"]),), case.pools["places"].to_numpy(dtype=float))
    planned = np.zeros(len(sites))
    projects = case.projects[(case.projects["decision"] != "forbidden").to_numpy()]
    np.maximum.at(planned, positions(sites, projects["site_id"]), projects["max_places"].to_numpy(dtype=float))
    return np.where(standing > 0, standing, planned), standing <= 0


def _carried(case: Case, areas: pd.Index) -> Floats:
    """(Z,) base-year pupils carried at public cost."""
    shares = case.assumptions.table("travel.transported_share")
    carried = case.placements["pupils"].to_numpy(dtype=float) * np.array([shares.get(phase, 1.0) for phase in case.placements["phase"]])
    home = positions(areas, case.placements["area_id"])
    return add_up((len(areas),), (home[home >= 0],), carried[home >= 0])


def _sector(case: Case, sites: pd.Index, z: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Eighth of the compass in which the area lies from the site."""
    place = np.full((len(sites), 2), np.nan)
    for table, name in ((case.projects, "site_id"), (case.settings, "setting_id")):
        located = table[table[["easting_m", "northing_m"]].notna().all(axis=1)].drop_duplicates(name)
        place[positions(sites, located[name])] = located[["easting_m", "northing_m"]].to_numpy(dtype=float)
    home = case.areas[["easting_m", "northing_m"]].to_numpy(dtype=float)
    east, north = np.nan_to_num(home[z] - place[s]).T
    return np.asarray(np.floor((np.arctan2(east, north) / (2 * np.pi) + 0.5) * SECTORS).astype(np.int64) % SECTORS)
