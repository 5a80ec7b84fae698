"""The travel step on files: what it reads, writes and refuses, along roads and without them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fixtures.roads import write_open_roads, write_osm_pbf
from fixtures.tiny import tiny_case
from sufficiency.tables.problems import InputError
from sufficiency.travel_command import TravelOptions, make_travel, points_of_case, points_of_files
from sufficiency.travel_sources import read_landmarks

NODES = pd.DataFrame({"node_id": [1, 2, 3], "easting_m": [400_000.0, 410_000, 420_000], "northing_m": [300_000.0, 300_000, 300_000]})
EDGES = pd.DataFrame(
    {
        "from": [1, 2],
        "to": [2, 3],
        "length_m": [10_000.0, 10_000.0],
        "road_class": "a_road",
        "form": "single",
        "one_way": False,
        "speed_limit_kmh": np.nan,
    }
)


@pytest.fixture
def points(tmp_path: Path) -> tuple[Path, Path]:
    areas, sites = tmp_path / "areas.csv", tmp_path / "sites.csv"
    areas.write_text("id,easting_m,northing_m,lsoa21_code\nB,400000,300100,E01000002\nA,410000,302000,E01000001\n")
    sites.write_text("id,easting_m,northing_m\n200,420000,300000\n100,405000,300000\n")
    return areas, sites


@pytest.mark.parametrize("layout", ["osm", "open_roads"])
def test_roads_in_either_layout_make_the_matrix_and_its_report(points: tuple[Path, Path], tmp_path: Path, layout: str) -> None:
    write, name = {"osm": (write_osm_pbf, "r.osm.pbf"), "open_roads": (write_open_roads, "r.gpkg")}[layout]
    roads = write(tmp_path / name, NODES, EDGES)
    said: list[str] = []
    report = make_travel(
        *points_of_files(*points), tmp_path / "out.parquet", 60, TravelOptions(roads=roads, speeds="free_flow"), said.append
    )
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found.columns) == ["area_id", "site_id", "minutes", "km", "status"]
    assert found[["area_id", "site_id"]].to_numpy().tolist() == [["A", "100"], ["A", "200"], ["B", "100"], ["B", "200"]]
    np.testing.assert_allclose(found["km"], [5, 10, 5, 20], atol=0.01)
    np.testing.assert_allclose(found["minutes"], found["km"] / 74 * 60, atol=0.01)
    assert report.far_points == [{"table": "areas", "id": "A", "snap_m": 2000.0, "status": "far"}]
    assert json.loads((tmp_path / "out.parquet.json").read_text())["speeds"] == "free_flow (speeds.csv)"
    assert pq.read_schema(tmp_path / "out.parquet").metadata[b"speeds"] == b"free_flow (speeds.csv)"
    assert "Licence" in report.licence or "licence" in report.licence
    assert any("1 points lie more than 1 km" in line for line in said)


def test_without_roads_the_report_states_the_error(points: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUFFICIENCY_DATA", raising=False)
    points[0].write_text("id,easting_m,northing_m\n" + "".join(f"A{i:02d},{400_000 + 4_000 * i},300000\n" for i in range(12)))
    report = make_travel(*points_of_files(*points), tmp_path / "out.parquet", 45)
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert report.pairs == len(found) > 0
    assert found["minutes"].max() <= 45
    assert set(found["status"]) == {"estimated"}
    assert report.mean_error_min == {"curve": 5.2}


def test_landmarks_are_placed_by_the_codes_of_the_areas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUFFICIENCY_DATA", raising=False)
    generator = np.random.default_rng(1)
    places, marks = generator.uniform(400, 460, (400, 2)), generator.uniform(400, 460, (12, 2))
    known = 3 + 2.2 * np.hypot(*(places[:, None, :] - marks[None, :, :]).transpose(2, 0, 1))
    codes = [f"E0100{i:04d}" for i in range(400)]
    table = pd.DataFrame(known, columns=[f"L{i}" for i in range(12)])
    table.insert(0, "lsoa_code", codes)
    file = tmp_path / "known.parquet"
    table.to_parquet(file)
    areas = pd.DataFrame({"id": codes, "easting_m": places[:, 0] * 1_000, "northing_m": places[:, 1] * 1_000, "lsoa21_code": codes})
    areas.to_csv(tmp_path / "areas.csv", index=False)
    site = pd.DataFrame({"id": ["s"], "easting_m": [430_000.0], "northing_m": [430_000.0]})
    site.to_csv(tmp_path / "sites.csv", index=False)
    report = make_travel(
        *points_of_files(tmp_path / "areas.csv", tmp_path / "sites.csv"), tmp_path / "out.parquet", 90, TravelOptions(landmarks=file)
    )
    found = pd.read_parquet(tmp_path / "out.parquet").set_index("area_id")["minutes"]
    true = pd.Series(3 + 2.2 * np.hypot(*(places - 430).T), index=codes)
    assert set(found.index) >= set(true.index[true < 80])
    assert (found - true).abs().mean() < 1.5
    assert report.mean_error_min["landmarks"] < 4
    assert "curve" in report.mean_error_min
    with pytest.raises(InputError, match=r"0 of 400 rows can be placed"):
        read_landmarks(file, areas.drop(columns="lsoa21_code"), None)


def test_every_fault_of_the_points_is_named(points: tuple[Path, Path], tmp_path: Path) -> None:
    points[0].write_text("id,easting_m,northing_m\nA,400000,300000\nA,nowhere,300000\n,300000,5300000\n")
    with pytest.raises(InputError) as caught:
        make_travel(*points_of_files(*points), tmp_path / "out.parquet", 45)
    said = str(caught.value)
    assert len(caught.value.problems) == 4
    for words in ("row 3, column id", "row 4, column id", "row 3, column easting_m", "5300000"):
        assert words in said
    points[0].write_text("id,x\nA,1\n")
    with pytest.raises(InputError, match="easting_m"):
        make_travel(*points_of_files(*points), tmp_path / "out.parquet", 45)
    points[0].write_text("id,easting_m,northing_m\nA,400000,300000\n")
    with pytest.raises(ValueError, match="limit must be more"):
        make_travel(*points_of_files(*points), tmp_path / "out.parquet", 0)
    assert not (tmp_path / "out.parquet").exists()


def test_a_case_travels_from_its_areas_to_its_settings_and_project_sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUFFICIENCY_DATA", raising=False)
    case = tiny_case()
    report = make_travel(*points_of_case(case), tmp_path / "out.parquet", 75)
    found = pd.read_parquet(tmp_path / "out.parquet")
    located = case.settings.dropna(subset=["easting_m"])
    assert set(found["site_id"]) == set(located["setting_id"]) | set(case.projects["site_id"])
    assert set(found["area_id"]) == set(case.areas["area_id"])
    assert report.travel_class_source == "the areas"
    assert not found.duplicated(["area_id", "site_id"]).any()
