"""OGC API - Features of a plan on a live server: the abstract tests of the classes claimed (docs/ogc.md lists them), OWSLib and GDAL."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyogrio
import pytest
import shapely
from owslib.ogcapi.features import Features
from server import Server

from api.ogc import documents
from api.ogc.layers import KINDS

GEOJSON = "application/geo+json"
EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class Plan:
    """A plan of the tiny case on a running server."""

    server: Server
    url: str
    plan_id: str

    def get(self, path: str = "", **query: Any) -> httpx.Response:
        """An answer below the landing page."""
        return self.server.client.get(self.url + path, params=query)

    def json(self, path: str = "", **query: Any) -> Any:
        """The document of an answer that must be 200."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def every(self, name: str, **query: Any) -> list[dict[str, Any]]:
        """All features of a collection, page by page, by the links."""
        found: list[dict[str, Any]] = []
        page = self.json(f"/collections/{name}/items", **query)
        while True:
            found += page["features"]
            after = href(page, "next")
            if after is None:
                return found
            page = self.server.client.get(after).json()


def href(document: dict[str, Any], rel: str) -> str | None:
    """Where a link of a document leads."""
    return next((str(link["href"]) for link in document["links"] if link["rel"] == rel), None)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    with Server(tmp_path_factory.mktemp("ogc")) as server:
        case = server.client.post("/v1/cases", json={"builtin": "tiny"}).json()["id"]
        run = server.client.post("/v1/runs", json={"request": {"case_id": case, "sensitivity": False}}).json()["id"]
        ended = server.ended(run)
        assert ended["state"] == "finished", ended
        yield Plan(server, f"{server.url}/v1/ogc/plans/{ended['plan_id']}", str(ended["plan_id"]))


@pytest.fixture(scope="module")
def definition(plan: Plan) -> dict[str, Any]:
    document: dict[str, Any] = plan.json("/api")
    return document


def parameter(definition: dict[str, Any], name: str, of: str) -> dict[str, Any]:
    """A parameter of the features of a collection, as defined."""
    found = definition["paths"][f"/collections/{of}/items"]["get"]["parameters"]
    return next(one for one in found if one["name"] == name)


def test_http(plan: Plan) -> None:
    assert plan.get().http_version == "HTTP/1.1"
    assert plan.server.client.post(plan.url).status_code == 405
    assert plan.server.client.head(f"{plan.url}/collections/areas/items").status_code == 200


def test_landing_page(plan: Plan) -> None:
    for address in ("", "/"):
        document = plan.json(address)
        assert {"service-desc", "conformance", "data"} <= {link["rel"] for link in document["links"]}
        for one in document["links"]:
            answer = plan.server.client.get(one["href"])
            assert answer.status_code == 200
            assert answer.headers["content-type"].replace(" ", "") == one["type"]


def test_api_definition(plan: Plan, definition: dict[str, Any]) -> None:
    address = href(plan.json(), "service-desc")
    assert plan.server.client.get(str(address)).headers["content-type"] == documents.OPENAPI
    assert definition["openapi"].startswith("3.0.")
    assert {"title", "version"} <= set(definition["info"])
    references = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(definition)))
    assert references == set(definition["components"]["schemas"])
    for path, operations in definition["paths"].items():
        in_path = [one["name"] for one in operations["get"]["parameters"] if one["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path)
        assert operations["get"]["responses"]["200"]["description"]


def test_conformance(plan: Plan) -> None:
    declared = plan.json("/conformance")["conformsTo"]
    assert declared == [f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "geojson", "oas30")]


def test_collections(plan: Plan) -> None:
    document = plan.json("/collections")
    assert href(document, "self") == f"{plan.url}/collections"
    assert all({"rel", "type"} <= set(link) for link in document["links"])
    assert [one["id"] for one in document["collections"]] == list(KINDS)
    for one in document["collections"]:
        (items,) = [link for link in one["links"] if link["rel"] == "items"]
        assert (items["href"], items["type"]) == (f"{plan.url}/collections/{one['id']}/items", GEOJSON)
        assert plan.json(f"/collections/{one['id']}") == one


def test_extents(plan: Plan) -> None:
    for one in plan.json("/collections")["collections"]:
        features = plan.every(one["id"])
        if not features:
            assert "spatial" not in one["extent"]
            continue
        (box,) = one["extent"]["spatial"]["bbox"]
        shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
        assert shapely.total_bounds(shapes) == pytest.approx(box)
        assert -8 < box[0] <= box[2] < 2
        assert 49 < box[1] <= box[3] < 56
        assert ("temporal" in one["extent"]) == (KINDS[one["id"]].year is not None)


def test_features(plan: Plan) -> None:
    counts = {}
    for name in KINDS:
        answer = plan.get(f"/collections/{name}/items")
        assert answer.headers["content-type"] == GEOJSON
        page = answer.json()
        assert page["type"] == "FeatureCollection"
        assert href(page, "self") == f"{plan.url}/collections/{name}/items"
        assert all({"rel", "type"} <= set(link) for link in page["links"])
        assert page["numberReturned"] == len(page["features"]) == page["numberMatched"]
        assert "timeStamp" not in page
        counts[name] = page["numberMatched"]
    assert counts["areas"] == 2
    assert counts["settings"] == 2
    assert counts["flows"] > 2
    assert (counts["projects_before"], counts["projects_after"]) == (0, 1), "nothing is committed in the tiny case; one project is built"


def test_figures_are_those_of_the_tables(plan: Plan) -> None:
    rows = plan.server.client.get(f"/v1/plans/{plan.plan_id}/tables/projects").json()["items"]
    shown = [feature["properties"] for feature in plan.every("projects_after")]
    assert shown == [{name: value for name, value in row.items() if name not in ("easting_m", "northing_m")} for row in rows]
    (area, _) = plan.every("areas")
    assert {"unmet_before_all", "unmet_after_all"} <= set(area["properties"])


def test_limit(plan: Plan, definition: dict[str, Any]) -> None:
    for name in KINDS:
        asked = parameter(definition, "limit", name)
        assert (asked["in"], asked["required"], asked["schema"]["type"], asked["explode"]) == ("query", False, "integer", False)
        assert len(plan.json(f"/collections/{name}/items", limit=1)["features"]) <= 1
        assert plan.get(f"/collections/{name}/items", limit=10 * documents.MOST).status_code == 200
        page_by_page = plan.every(name, limit=1)
        assert page_by_page == plan.every(name)
        assert len({feature["id"] for feature in page_by_page}) == len(page_by_page)


def test_bbox(plan: Plan, definition: dict[str, Any]) -> None:
    for name in KINDS:
        schema = parameter(definition, "bbox", name)["schema"]
        assert (schema["type"], schema["minItems"], schema["maxItems"], schema["items"]["type"]) == ("array", 4, 6, "number")
        assert plan.every(name, bbox=text_of(EVERYWHERE)) == plan.every(name)
        assert plan.every(name, bbox="100,10,110,20") == []
    settings = plan.every("settings")
    for feature in settings:
        x, y = feature["geometry"]["coordinates"]
        near = (x - 1e-4, y - 1e-4, x + 1e-4, y + 1e-4)
        expected = [one for one in settings if shapely.box(*near).intersects(shapely.geometry.shape(one["geometry"]))]
        assert plan.every("settings", bbox=text_of(near)) == expected
        assert feature in expected
        assert len(expected) < len(settings)
        assert plan.every("settings", bbox=f"{near[0]},{near[1]},-10,{near[2]},{near[3]},10") == expected
        assert plan.every("settings", bbox=f"{near[0]},{near[1]},5,{near[2]},{near[3]},10") == []
        across = f"{near[0]},{near[1]},-179,{near[3]}"
        assert feature in plan.every("settings", bbox=across), "a box across the 180th meridian"


def test_datetime(plan: Plan, definition: dict[str, Any]) -> None:
    for name in KINDS:
        asked = parameter(definition, "datetime", name)
        assert (asked["in"], asked["schema"]["type"], asked["required"]) == ("query", "string", False)
        assert plan.every(name, datetime="../2100-01-01") == plan.every(name)
    (built,) = plan.every("projects_after")
    year = int(built["properties"]["opens_academic_year"][:4])
    meets = (
        f"{year}-09-01",
        f"{year + 1}-08-31",
        f"{year}-12-01T00:00:00Z",
        f"{year}-12-01/..",
        f"/{year}-09-01",
        f"{year}-09-01T00:30:00+01:00/..",
        f"{year - 5}-01-01/{year + 5}-01-01",
    )
    misses = (f"{year}-08-31", f"{year + 1}-09-01", f"{year}-08-31T23:59:59Z", f"../{year}-08-31", f"{year}-09-01T00:30:00+01:00")
    for text in meets:
        assert plan.every("projects_after", datetime=text) == [built], text
    for text in misses:
        assert plan.every("projects_after", datetime=text) == [], text
    assert len(plan.every("areas", datetime="1900-01-01")) == 2, "areas are about no single year, so a time leaves none out"


def test_properties(plan: Plan, definition: dict[str, Any]) -> None:
    settings = plan.every("settings")
    for feature in settings:
        own = feature["properties"]
        same = [one for one in settings if one["properties"]["kind"] == own["kind"]]
        assert plan.every("settings", kind=own["kind"]) == same
        assert plan.every("settings", setting_id=own["setting_id"], bbox=text_of(EVERYWHERE), limit=1) == [feature]
    wanted = {parameter["name"] for parameter in definition["paths"]["/collections/settings/items"]["get"]["parameters"]}
    assert wanted == {"limit", "offset", "bbox", "datetime", *settings[0]["properties"]}


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": "many"},
        {"offset": -1},
        {"bbox": "1,2,3"},
        {"bbox": "1,2,3,x"},
        {"bbox": "1,4,3,2"},
        {"bbox": "1,2,nan,4"},
        {"datetime": "yesterday"},
        {"datetime": "2026-13-01"},
        {"datetime": "2026-02-01/2026-01-01"},
        {"datetime": "../.."},
        {"age_low": "young"},
    ],
)
def test_invalid_parameters(plan: Plan, query: dict[str, Any]) -> None:
    answer = plan.get("/collections/settings/items", **query)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_parameters(plan: Plan) -> None:
    (one, *_) = plan.every("areas")
    paths = ("", "/conformance", "/api", "/collections", "/collections/areas", "/collections/areas/items")
    for path in (*paths, f"/collections/areas/items/{one['id']}"):
        assert plan.get(path, unheard_of=1).status_code == 400, path


def test_a_feature(plan: Plan) -> None:
    for name in KINDS:
        for feature in plan.every(name):
            answer = plan.get(f"/collections/{name}/items/{feature['id']}")
            assert answer.headers["content-type"] == GEOJSON
            document = answer.json()
            links = document.pop("links")
            assert document == feature
            assert {link["rel"] for link in links} == {"self", "collection"}
            for link in links:
                assert plan.server.client.get(link["href"]).status_code == 200


def test_what_is_not_there(plan: Plan) -> None:
    for path in ("/collections/pupils", "/collections/pupils/items", "/collections/areas/items/none", "/collections/pupils/items/none"):
        assert plan.get(path).status_code == 404, path
        assert plan.server.client.get(plan.url + path, headers={"If-None-Match": "*"}).status_code == 404, path
    assert plan.server.client.get(f"{plan.server.url}/v1/ogc/plans/plan-0").status_code == 404


def test_geojson_is_in_longitude_and_latitude(plan: Plan) -> None:
    for name in KINDS:
        for feature in plan.every(name):
            assert {"type", "id", "geometry", "properties"} == set(feature)
            west, south, east, north = shapely.geometry.shape(feature["geometry"]).bounds
            assert -8 < west <= east < 2
            assert 49 < south <= north < 56


def test_the_definition_says_what_is_there(plan: Plan, definition: dict[str, Any]) -> None:
    assert definition["servers"] == [{"url": plan.url}]
    for path, operations in definition["paths"].items():
        of = re.match(r"/collections/(\w+)", path)
        features = plan.every(of[1]) if of else []
        if "{" in path and not features:
            continue
        asked = path.format(featureId=features[0]["id"]) if features else path
        answer = plan.get(asked)
        assert str(answer.status_code) in operations["get"]["responses"]
        assert answer.headers["content-type"].replace(" ", "") in operations["get"]["responses"]["200"]["content"]
        assert str(plan.get(asked, unheard_of=1).status_code) in operations["get"]["responses"]


def test_a_closed_service_says_so() -> None:
    closed = documents.definition("http://localhost", {}, "1", closed=True)
    assert closed["security"] == [{"bearer": []}]
    assert closed["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_an_answer_that_is_known_is_not_sent_again(plan: Plan) -> None:
    for path in ("", "/collections", "/collections/areas/items"):
        tag = plan.get(path).headers["etag"]
        assert plan.server.client.get(plan.url + path, headers={"If-None-Match": tag}).status_code == 304
    assert plan.get("/collections/areas/items").headers["etag"] != plan.get("/collections/areas/items", limit=1).headers["etag"]


def test_owslib_reads_every_collection(plan: Plan) -> None:
    client = Features(plan.url)
    assert client.feature_collections() == list(KINDS)
    assert client.api()["openapi"].startswith("3.0")
    assert len(client.conformance()["conformsTo"]) == 3
    for name in KINDS:
        assert client.collection(name)["id"] == name
        total = client.collection_items(name)["numberMatched"]
        pages = [client.collection_items(name, limit=1, offset=at)["features"] for at in range(total)]
        assert [page[0] for page in pages] == plan.every(name)
        assert len(client.collection_items(name, bbox=EVERYWHERE)["features"]) == total
        assert client.collection_items(name, bbox=(100, 10, 110, 20))["features"] == []
        for page in pages:
            assert client.collection_item(name, page[0]["id"])["id"] == page[0]["id"]


@pytest.mark.skipif("OAPIF" not in pyogrio.list_drivers(), reason="this build of GDAL has no driver for OGC API - Features")
def test_gdal_reads_every_collection(plan: Plan) -> None:
    source = f"OAPIF:{plan.url}"
    assert {str(name) for name, _ in pyogrio.list_layers(source)} == set(KINDS)
    for name in KINDS:
        features = plan.every(name)
        read = pyogrio.read_dataframe(source, layer=name, PAGE_SIZE=1)
        assert len(read) == len(features)
        assert read.crs is None or read.crs.to_epsg() in (4326, None)
        if features:
            key = KINDS[name].ids[-1]
            assert list(read[key]) == [feature["properties"][key] for feature in features]
            x, y = shapely.geometry.shape(features[0]["geometry"]).representative_point().coords[0]
            assert 1 <= len(pyogrio.read_dataframe(source, layer=name, bbox=(x - 1e-4, y - 1e-4, x + 1e-4, y + 1e-4))) <= len(features)
        assert len(pyogrio.read_dataframe(source, layer=name, bbox=(100, 10, 110, 20))) == 0


@pytest.mark.skipif(shutil.which("ogrinfo") is None, reason="ogrinfo is not installed (Debian: apt-get install gdal-bin)")
def test_ogrinfo_reads_every_collection(plan: Plan, tmp_path: Path) -> None:
    for name in KINDS:
        command = ["ogrinfo", "-ro", "-al", "-so", "-oo", "PAGE_SIZE=1", f"OAPIF:{plan.url}", name]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        assert f"Feature Count: {len(plan.every(name))}\n" in said
    command = ["ogrinfo", "-ro", "-al", "-so", "-spat", "100", "10", "110", "20", f"OAPIF:{plan.url}", "areas"]
    assert "Feature Count: 0\n" in subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout


def text_of(box: tuple[float, ...]) -> str:
    """A box as a parameter."""
    return ",".join(map(str, box))
