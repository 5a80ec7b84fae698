"""The planner's page and the blocks of its maps, over HTTP and as made from a case."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from service import Service

from api.routes import page
from api.settings import Settings
from fixtures.region import fictional_region
from sufficiency.disclosure import zones
from sufficiency.outputs.case_map import candidates, case_map_data
from sufficiency.outputs.map_page import BLOCKS, page_built, read_block

TILES = "https://tiles.example/{z}/{x}/{y}.png"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(store_folder=tmp_path_factory.mktemp("page"), worker="none", base_map_url=TILES)
    with Service(settings) as service:
        yield service


def test_the_page_allows_its_own_scripts_and_the_base_map_only(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DIST", tmp_path)
    answer = service.client.get("/")
    assert answer.status_code == 503
    assert "make web" in answer.text
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "desk-1.js").write_text("1", encoding="utf-8")
    (tmp_path / "assets" / "desk-1.js.gz").write_bytes(gzip.compress(b"1"))
    (tmp_path / "index.html").write_text('<meta name="base-map" content="BASE_MAP_URL">', encoding="utf-8")
    answer = service.client.get("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://tiles.example"
    assert f'content="{TILES}"' in answer.text
    assert "immutable" in service.client.get("/assets/desk-1.js").headers["cache-control"]
    packed = service.client.get("/assets/desk-1.js", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", "1")
    assert packed.headers["content-type"].split(";")[0] == "text/javascript"
    assert "content-encoding" not in service.client.get("/assets/desk-1.js", headers={"Accept-Encoding": "identity"}).headers
    assert service.client.get("/assets/..%2Findex.html").status_code == 404


def test_a_case_gives_out_its_map_block_by_block(service: Service) -> None:
    for block in BLOCKS:
        answer = service.client.get(f"/v1/cases/{service.case_id}/map/{block}")
        assert answer.status_code == 200, block
        again = service.client.get(f"/v1/cases/{service.case_id}/map/{block}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    about = service.client.get(f"/v1/cases/{service.case_id}/map/about").json()
    assert about["variants"] == ["Now"]
    assert about["years"] == ["2021/22"]
    assert service.client.get(f"/v1/cases/{service.case_id}/map/secrets").status_code == 422
    listed = service.client.get(f"/v1/cases/{service.case_id}/candidates").json()
    assert {one["project_id"]: one["max_places"] for one in listed} == {"A": 80, "B": 100}


@pytest.mark.skipif(not page_built(), reason="needs the page scripts of the map: make web")
def test_a_plan_gives_out_the_blocks_of_its_map_page_and_its_files(service: Service) -> None:
    path = service.store.plans / service.plan_id / "map.html"
    for block in BLOCKS:
        answer = service.client.get(f"/v1/plans/{service.plan_id}/map/{block}")
        assert answer.content == gzip.decompress(read_block(path, block)), block
    files = service.client.get(f"/v1/plans/{service.plan_id}/files").json()
    assert {one["name"] for one in files} == {"plan.json", "plan.gpkg", "map.html"}
    headline = service.client.get(f"/v1/plans/{service.plan_id}/files/plan.json").json()
    assert headline["new_places"] == 100
    assert service.client.get(f"/v1/plans/{service.plan_id}/files/placements.csv").status_code == 404


def test_the_map_of_a_case_adds_up_to_its_placements() -> None:
    case = fictional_region(seed=1, areas=60)
    data = case_map_data(case)
    figures = whole_numbers(data.blocks["figures"]).reshape(len(data.about["groups"]), 4, 1, len(data.about["zones"]))
    assert figures[0, 0, 0, -1] / 10 == pytest.approx(case.placements["pupils"].sum(), abs=0.06)
    assert (figures[:, 1] == -1).all(), "unmet need is not known before a plan"
    places = whole_numbers(data.blocks["places"]).reshape(len(data.about["groups"]), 1, -1)
    located = case.settings.loc[case.settings["easting_m"].notna(), "setting_id"]
    assert places[0].sum() / 10 == pytest.approx(case.pools.loc[case.pools["setting_id"].isin(located), "places"].sum())
    assert [one["project_id"] for one in candidates(case)] == list(case.projects["project_id"])


def test_the_map_of_a_protected_case_has_merged_areas_no_flows_and_no_pupils_of_settings() -> None:
    case = replace(fictional_region(seed=1, areas=60), disclosure="protected")
    data = case_map_data(case)
    assert data.about["areas"] == zones(case).nunique() < len(case.areas)
    figures = whole_numbers(data.blocks["figures"]).reshape(len(data.about["groups"]), 4, 1, len(data.about["zones"]))
    assert (figures[1:, :, 0, : data.about["areas"]] == -1).all()
    pupils = figures[0, 0, 0, : data.about["areas"]]
    assert set(pupils[pupils >= 0] % 50) == {0}
    assert whole_numbers(data.blocks["flows"])[0] == 0
    assert (whole_numbers(data.blocks["use"]) <= 0).all()
    assert json.dumps(data.about)


def whole_numbers(block: bytes) -> np.ndarray:
    """Decoded from base 128 and zigzag, as the page does."""
    found, value, scale = [], 0, 1
    for byte in block:
        value += (byte & 127) * scale
        scale *= 128
        if byte < 128:
            found.append(-(value + 1) // 2 if value % 2 else value // 2)
            value, scale = 0, 1
    return np.array(found)
