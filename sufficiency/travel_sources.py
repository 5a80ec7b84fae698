"""What the travel step reads besides roads: points, known minutes to landmarks, small areas and the outline of the land."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from geo.estimate import ERROR_MIN, classes_by_place
from geo.land import Land, land_from_polygons
from geo.landmarks import LandmarkModel, Landmarks, fit_landmarks
from sufficiency.tables.problems import InputError, InputProblem

GRID_EXTENT_M: Final = {"easting_m": (0.0, 700_000.0), "northing_m": (0.0, 1_300_000.0)}
LONDON_REGION: Final = "E12000007"
LANDMARK_FILE: Final = Path("traveltime") / "lsoa11_to_sites_minutes.parquet"
SMALL_AREA_FILE: Final = Path("demand") / "lsoa21_england.parquet"
LOOKUP_FILE: Final = Path("demand") / "lsoa11_lsoa21_lookup.csv.gz"
BOUNDARY_FILE: Final = Path("boundaries") / "la_upper_tier_2023_england.geojson"


def read_points(path: Path, id_column: str) -> pd.DataFrame:
    """Points of a CSV with id, easting_m, northing_m (EPSG:27700) and perhaps lsoa21_code; ``id`` becomes ``id_column``.

    Raises InputError with every fault: missing columns, blank or repeated ids, coordinates that are no numbers or off the National Grid.
    """
    points = pd.read_csv(path, dtype={"id": str, "lsoa21_code": str})
    missing = [name for name in ("id", "easting_m", "northing_m") if name not in points]
    if missing:
        remedy = "Give the columns id, easting_m and northing_m (British National Grid, metres)"
        raise InputError([InputProblem(path.name, "the column is missing", remedy, column=name) for name in missing])
    problems = [
        InputProblem(path.name, "the id is blank", "Give every point an id", row=int(row) + 2, column="id")
        for row in np.flatnonzero(points["id"].isna())
    ]
    problems += [
        InputProblem(path.name, "the id is repeated", "Give every point one row", int(row) + 2, "id", points["id"].iloc[row])
        for row in np.flatnonzero(points["id"].duplicated() & points["id"].notna())
    ]
    for name, (least, most) in GRID_EXTENT_M.items():
        values = pd.to_numeric(points[name], errors="coerce")
        problems += [
            InputProblem(
                path.name,
                f"not a place on the National Grid ({least:,.0f} to {most:,.0f} m)",
                "Give British National Grid metres; check that easting and northing are not swapped",
                row=int(row) + 2,
                column=name,
                value=str(points[name].iloc[row]),
            )
            for row in np.flatnonzero(~values.between(least, most))
        ]
        points[name] = values
    if problems:
        raise InputError(problems)
    columns = [id_column, "easting_m", "northing_m", *(["lsoa21_code"] if "lsoa21_code" in points else [])]
    return points.rename(columns={"id": id_column})[columns]


def travel_classes(points: pd.DataFrame, data: Path | None) -> tuple[NDArray[np.str_], str]:
    """Travel class of each point and where it comes from: the nearest small area of the data folder, else the density of the points."""
    if data is None or not (data / SMALL_AREA_FILE).exists():
        return classes_by_place(points), "density of the points themselves"
    small = pd.read_parquet(data / SMALL_AREA_FILE, columns=["easting", "northing", "rural", "region_code"])
    named = np.select([small["region_code"] == LONDON_REGION, small["rural"] == 1], ["london", "rural"], default="urban")
    nearest = KDTree(small[["easting", "northing"]].to_numpy(dtype=float)).query(points[["easting_m", "northing_m"]].to_numpy())[1]
    return named[nearest], "rural-urban classification 2021 of the nearest LSOA, and London region"


@dataclass(frozen=True)
class EstimateBasis:
    """What journeys without roads can be estimated from, for ``geo.estimate.estimated_journeys(..., basis.land, basis.landmarks)``.

    ``mean_error_min``: mean absolute error in minutes under 60 km, on sites not used in the fit, by method; the last is the one in use.
    """

    land: Land | None
    landmarks: LandmarkModel | None
    mean_error_min: dict[str, float]

    @property
    def method(self) -> str:
        """``curve``, ``curve and coast`` or ``landmarks``."""
        return list(self.mean_error_min)[-1]

    @property
    def statement(self) -> str:
        """One sentence to print with every plan."""
        errors = "; ".join(f"{name} {minutes:g} minutes" for name, minutes in self.mean_error_min.items())
        return f"Journeys are estimated by {self.method}; mean absolute error under 60 km on sites not used in the fit: {errors}."


def estimate_basis(areas: pd.DataFrame, data: Path | None, landmarks: Path | None = None) -> EstimateBasis:
    """The best basis there is: landmarks (the file asked for, else the data folder's), the coast of the data folder, the shipped curve.

    ``areas`` may place the landmark file's LSOAs by a column lsoa21_code; fitting the landmarks takes some seconds.
    """
    land = read_land(data)
    curve = "curve" if land is None else "curve and coast"
    file = find_landmark_file(landmarks, data)
    if file is None:
        return EstimateBasis(land, None, {curve: ERROR_MIN[curve]})
    model = fit_landmarks(read_landmarks(file, areas, data))
    return EstimateBasis(land, model, {curve: ERROR_MIN[curve], "landmarks": round(model.mean_error_min, 2)})


def read_land(data: Path | None) -> Land | None:
    """The outline of the land from the council boundaries of the data folder, None without them."""
    if data is None or not (data / BOUNDARY_FILE).exists():
        return None
    return land_from_polygons(gpd.read_file(data / BOUNDARY_FILE).to_crs(27700).geometry)


def find_landmark_file(landmarks: Path | None, data: Path | None) -> Path | None:
    """The file asked for, else the data folder's, else None."""
    if landmarks is not None:
        return landmarks
    return data / LANDMARK_FILE if data is not None and (data / LANDMARK_FILE).exists() else None


def read_landmarks(path: Path, areas: pd.DataFrame, data: Path | None) -> Landmarks:
    """Known minutes: a Parquet or CSV table with one row per LSOA (first column, its 2011 or 2021 code) and one column per landmark.

    Places come from the small areas of the data folder (by default the one in which the file lies) and from the ``lsoa21_code`` of the
    areas; landmarks from ``sites.csv`` beside the file
    (id, easting, northing), else from the LSOAs with the least minutes. Raises InputError when too little of it can be placed.
    """
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    minutes = table.set_index(table.columns[0]).apply(pd.to_numeric, errors="coerce").dropna()
    places = _places(areas, data or path.resolve().parent.parent)
    minutes = minutes[minutes.index.isin(places.index)]
    place_m = places.loc[minutes.index].to_numpy(dtype=float)
    try:
        return Landmarks(path.name, place_m / 1_000, _landmark_places(path, minutes, place_m) / 1_000, minutes.to_numpy(dtype=float))
    except ValueError as error:
        remedy = "Give the areas an lsoa21_code column, or name the data folder in SUFFICIENCY_DATA"
        raise InputError([InputProblem(path.name, f"{error} ({len(minutes)} of {len(table)} rows can be placed)", remedy)]) from error


def _places(areas: pd.DataFrame, data: Path) -> pd.DataFrame:
    """Easting and northing in metres by LSOA code, of both censuses."""
    found = []
    if "lsoa21_code" in areas:
        coded = areas.dropna(subset="lsoa21_code")
        found.append(coded.groupby("lsoa21_code")[["easting_m", "northing_m"]].mean())
    if (data / SMALL_AREA_FILE).exists():
        small = pd.read_parquet(data / SMALL_AREA_FILE, columns=["lsoa21_code", "easting", "northing"]).set_index("lsoa21_code")
        small = small.rename(columns={"easting": "easting_m", "northing": "northing_m"})
        found.append(small)
        if (data / LOOKUP_FILE).exists():
            lookup = pd.read_csv(data / LOOKUP_FILE).join(small, on="lsoa21_code")
            found.append(lookup.groupby("lsoa11_code")[["easting_m", "northing_m"]].mean())
    places = pd.concat(found) if found else pd.DataFrame(columns=["easting_m", "northing_m"])
    return places[~places.index.duplicated()]


def _landmark_places(path: Path, minutes: pd.DataFrame, place_m: NDArray[np.float64]) -> NDArray[np.float64]:
    listed = path.with_name("sites.csv")
    if listed.exists():
        sites = pd.read_csv(listed, dtype={"id": str}).set_index("id")
        if set(minutes.columns) <= set(sites.index):
            return sites.loc[minutes.columns, ["easting", "northing"]].to_numpy(dtype=float)
    values = minutes.to_numpy()
    return np.array([place_m[values[:, mark] <= values[:, mark].min()].mean(axis=0) for mark in range(values.shape[1])]).reshape(-1, 2)
