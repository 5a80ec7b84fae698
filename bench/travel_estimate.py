"""How far the estimates of car minutes are off, on sites that neither fit nor features know; and the fit of the shipped coefficients.

``python -m bench.travel_estimate`` needs ``SUFFICIENCY_DATA`` (minutes to 56 sites, small areas, council boundaries).
Cross-validation by sites: seven folds, pairs under 60 km, every small area.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from geo.estimate import CURVES, LEAST_MINUTES, NARROW_WATER_KM, curve_minutes, water_minutes
from geo.land import Land, island_of, land_from_polygons, water_km
from geo.landmarks import Landmarks, describe_points, fit_landmarks, landmark_minutes

Floats = NDArray[np.float64]
FOLDS = 7
NEAR_KM, FIT_KM, FIT_PLACES = 60.0, 75.0, 2_500


class Known:
    """Minutes from every small area (A) to the known sites (S), with the places and classes of both."""

    def __init__(self, folder: Path) -> None:
        minutes = pd.read_parquet(folder / "traveltime" / "lsoa11_to_sites_minutes.parquet").set_index("lsoa_code")
        sites = pd.read_csv(folder / "traveltime" / "sites.csv").set_index("id").loc[minutes.columns]
        lsoas = pd.read_parquet(folder / "demand" / "lsoa21_england.parquet").set_index("lsoa21_code")
        lookup = pd.read_csv(folder / "demand" / "lsoa11_lsoa21_lookup.csv.gz").join(lsoas, on="lsoa21_code")
        places = lookup.groupby("lsoa11_code").agg({"easting": "mean", "northing": "mean", "rural": "first", "region_code": "first"})
        places = places.loc[minutes.index]
        self.minutes = minutes.to_numpy(dtype=float)
        self.place_km = places[["easting", "northing"]].to_numpy() / 1_000
        self.site_km = sites[["easting", "northing"]].to_numpy() / 1_000
        self.place_class = np.where(places["region_code"] == "E12000007", "london", np.where(places["rural"] == 1, "rural", "urban"))
        self.site_class = self.place_class[KDTree(self.place_km).query(self.site_km)[1]]
        self.straight_km = np.hypot(*(self.place_km[:, None, :] - self.site_km[None, :, :]).transpose(2, 0, 1))
        boundaries = gpd.read_file(folder / "boundaries" / "la_upper_tier_2023_england.geojson").to_crs(27700)
        self.land: Land = land_from_polygons(boundaries.geometry)

    def pairs(self, sites: Iterable[int], within_km: float, most: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        generator = np.random.default_rng(0)
        chosen = [(np.flatnonzero(self.straight_km[:, site] < within_km), site) for site in sites]
        chosen = [(rows if most is None else generator.permutation(rows)[:most], site) for rows, site in chosen]
        return np.concatenate([rows for rows, _ in chosen]), np.repeat([site for _, site in chosen], [len(rows) for rows, _ in chosen])


Estimate = Callable[[NDArray[np.int64], NDArray[np.int64]], Floats]


def main() -> None:
    """Prints a table of errors and the coefficients of a fit on all sites."""
    folder = os.environ.get("SUFFICIENCY_DATA")
    if not folder:
        sys.exit("SUFFICIENCY_DATA is not set: the benchmark needs the minutes to known sites")
    known = Known(Path(folder))
    ways: dict[str, Callable[[Known, list[int]], Estimate]] = {
        "curve, classes of both ends (shipped form)": lambda known, sites: fitted_curve(known, sites, water=False),
        "the same with coast and islands (shipped form)": lambda known, sites: fitted_curve(known, sites, water=True),
        "shipped coefficients, no coast (in sample)": lambda known, _: shipped_curve(known, water=False),
        "shipped coefficients and coast (in sample)": lambda known, _: shipped_curve(known, water=True),
        "landmarks": landmark_estimate,
    }
    write = sys.stdout.write
    write(f"{'minutes, one way; pairs under 60 km':50} {'MAE':>6} {'bias':>6} {'p90':>6} {'per site':>9} {'pairs':>8}\n")
    for name, way in ways.items():
        errors, sites = held_out_errors(known, way)
        per_site = pd.Series(np.abs(errors)).groupby(sites).mean().mean()
        off = np.abs(errors)
        write(f"{name:50} {off.mean():6.2f} {errors.mean():6.2f} {np.quantile(off, 0.9):6.2f} {per_site:9.2f} {len(errors):8d}\n")
    coefficients = _fit(known, list(range(len(known.site_km))), water=True)
    write(f"fit on all sites, curve and coast: {np.round(coefficients, 3).tolist()}\n")
    write(f"shipped curves: {CURVES}\n")


def held_out_errors(known: Known, way: Callable[[Known, list[int]], Estimate], folds: int = FOLDS) -> tuple[Floats, NDArray[np.int64]]:
    """Errors in minutes on each fold of sites (the first ``folds`` of seven) by an estimate built without them, and the site of each."""
    every = np.random.default_rng(5).permutation(len(known.site_km))
    errors, of_site = [], []
    for fold in np.array_split(every, FOLDS)[:folds]:
        estimate = way(known, sorted(set(every.tolist()) - set(fold.tolist())))
        place, site = known.pairs(fold.tolist(), NEAR_KM)
        errors.append(np.maximum(estimate(place, site), LEAST_MINUTES) - known.minutes[place, site])
        of_site.append(site)
    return np.concatenate(errors), np.concatenate(of_site)


def fitted_curve(known: Known, sites: list[int], water: bool) -> Estimate:
    """The curve with coefficients from these sites only."""
    coefficients = _fit(known, sites, water)
    return lambda place, site: _terms(known, place, site, water) @ coefficients


def shipped_curve(known: Known, water: bool) -> Estimate:
    """The curve with the coefficients that ``geo.estimate`` ships (fitted on all 56 sites)."""

    def estimate(place: NDArray[np.int64], site: NDArray[np.int64]) -> Floats:
        minutes = curve_minutes(known.straight_km[place, site], known.place_class[place], known.site_class[site])
        return minutes + (water_minutes(known.land, known.place_km[place], known.site_km[site]) if water else 0.0)

    return estimate


def landmark_estimate(known: Known, sites: list[int]) -> Estimate:
    """Landmarks are these sites only."""
    model = fit_landmarks(Landmarks("known sites", known.place_km, known.site_km[sites], known.minutes[:, sites]))
    places, asked = describe_points(model, known.place_km), describe_points(model, known.site_km)
    return lambda place, site: landmark_minutes(model, places, asked, place, site, known.straight_km[place, site])


def _terms(known: Known, place: NDArray[np.int64], site: NDArray[np.int64], water: bool) -> Floats:
    d = known.straight_km[place, site]
    terms = []
    for name in CURVES:
        share = ((known.place_class[place] == name).astype(float) + (known.site_class[site] == name)) / 2
        terms += [share, share * d, share * np.sqrt(d)]
    if water:
        one, two = known.place_km[place], known.site_km[site]
        wet = water_km(known.land, one, two)
        terms += [np.minimum(wet, NARROW_WATER_KM), np.maximum(wet - NARROW_WATER_KM, 0)]
        terms += [(island_of(known.land, one) != island_of(known.land, two)).astype(float)]
    return np.column_stack(terms)


def _fit(known: Known, sites: list[int], water: bool) -> Floats:
    """Least absolute deviations by reweighted least squares."""
    place, site = known.pairs(sites, FIT_KM, FIT_PLACES)
    terms, minutes = _terms(known, place, site, water), known.minutes[place, site]
    weight, coefficients = np.ones(len(minutes)), np.zeros(terms.shape[1])
    for _ in range(15):
        normal = terms.T @ (terms * weight[:, None]) + 1e-6 * np.eye(terms.shape[1])
        coefficients = np.linalg.solve(normal, terms.T @ (weight * minutes))
        weight = 1 / np.maximum(np.abs(minutes - terms @ coefficients), 1.0)
    return np.asarray(coefficients)


if __name__ == "__main__":
    main()
