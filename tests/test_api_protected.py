"""A protected case in the service: every route shows what the disclosure profile allows, and the exact figures stay in the store."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from service import Service, zipped

from api.settings import Settings
from fixtures.tiny import NORTH, SOUTH, tiny_case
from sufficiency.case import Case, validated

ODD = 7.0
"""Pupils added to one area, so that exact figures are no multiples of 5."""


def protected_case() -> Case:
    """The tiny case with odd counts, as if from records of persons."""
    case = tiny_case()
    pupils = case.pupils.assign(pupils_placed=case.pupils["pupils_placed"] + ODD * (case.pupils["area_id"] == NORTH))
    placements = case.placements.copy()
    first = placements.index[(placements["area_id"] == NORTH)][0]
    placements.loc[first, "pupils"] += ODD
    settings = case.settings.assign(**{name: case.settings[name].replace(200, 207) for name in ("places", "roll")})
    pools = case.pools.assign(**{name: case.pools[name].replace(200, 207) for name in ("places", "places_total")})
    return replace(
        case,
        disclosure="protected",
        pupils=validated("pupils", pupils),
        placements=validated("placements", placements),
        settings=validated("settings", settings),
        pools=validated("pools", pools),
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a plan of the protected case."""
    with Service(Settings(store_folder=tmp_path_factory.mktemp("service"), worker="none")) as running:
        answer = running.upload(zipped(protected_case(), running.settings.store_folder / "upload"))
        assert answer.status_code == 201, answer.text
        running.__dict__["case_id"] = answer.json()["id"]
        yield running


def test_what_is_said_of_the_case_tests_no_guess_about_a_person(service: Service) -> None:
    case = service.client.get(f"/v1/cases/{service.case_id}").json()
    assert (case["disclosure"], case["sha256"]) == ("protected", None)
    files = service.client.get(f"/v1/cases/{service.case_id}/provenance").json()["files"]
    assert "councils.csv" in files
    assert not {"pupils.parquet", "placements.parquet", "pools.csv"} & set(files)
    for warning in service.client.get(f"/v1/cases/{service.case_id}/problems").json():
        assert warning["value"] is None
        assert warning["row"] is None


def test_tables_of_the_case_show_no_pupils(service: Service) -> None:
    for table, column in (("pupils", "pupils_placed"), ("placements", "pupils")):
        rows = get(service, f"/v1/cases/{service.case_id}/tables/{table}")["items"]
        assert all(row[column] is None for row in rows)
    pools = get(service, f"/v1/cases/{service.case_id}/tables/pools")["items"]
    assert {row["places"] for row in pools} == {0, 100, 205}


def test_a_plan_shows_rounded_counts_however_it_is_asked(service: Service) -> None:
    path = f"/v1/plans/{service.plan_id}"
    needs = get(service, f"{path}/tables/needs")["items"]
    counts = [row[column] for row in needs for column in ("demand", "state_special", "independent_special", "unmet")]
    assert all(count is None or count % 5 == 0 for count in counts)
    areas = {row["area_id"] for row in get(service, f"{path}/tables/placements?limit=1000")["items"]}
    each = [get(service, f"{path}/tables/placements?area_id={area}&limit=1000")["items"] for area in areas]
    assert sum(len(rows) for rows in each) == get(service, f"{path}/tables/placements")["total"], "a filter chooses among what is shown"
    assert ",207" not in service.client.get(f"{path}/tables/places", params={"format": "csv"}).text
    summary = get(service, path)["summary"]
    assert all(value is None or value % 5 == 0 for value in summary["unmet"].values())
    assert summary["saving_gbp"] % 500_000 == 0


def test_map_layers_show_what_the_plan_may_show(service: Service) -> None:
    layers = f"/v1/ogc/plans/{service.plan_id}/collections"
    areas = [one["properties"] for one in get(service, f"{layers}/areas/items")["features"]]
    counts = [row[name] for row in areas for name in row if name.startswith(("pupils_", "unmet_", "independent_"))]
    assert any(count for count in counts)
    assert all(count is None or count % 5 == 0 for count in counts)
    settings = [one["properties"] for one in get(service, f"{layers}/settings/items")["features"]]
    used = [row[name] for row in settings for name in row if name.startswith(("pupils_", "places_before", "places_after"))]
    assert any(count for count in used)
    assert all(count is None or count % 5 == 0 for count in used)
    found = [get(service, f"{layers}/flows/items?area_id={area}")["features"] for area in (NORTH, SOUTH)]
    flows = [flow["properties"]["pupils"] for part in found for flow in part]
    assert all(pupils >= 5 and pupils % 5 == 0 for pupils in flows)


def test_the_exact_plan_is_the_owners_and_no_route_reads_it(service: Service) -> None:
    kept = service.store.plans / service.plan_id / "exact"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    exact = json.loads((kept / "plan.json").read_text(encoding="utf-8"))
    shown = get(service, f"/v1/plans/{service.plan_id}")["summary"]
    assert exact["objective_gbp"] != shown["objective_gbp"]
    for table in ("exact", "exact/plan", "..%2Fexact%2Fneeds", "%2e%2e/exact"):
        assert service.client.get(f"/v1/plans/{service.plan_id}/tables/{table}").status_code in (404, 422)
    assert service.client.get(f"/v1/plans/{service.plan_id}/audit").json()["passed"]


def test_progress_and_comparison_show_no_exact_money(service: Service) -> None:
    other = service.planned({"case_id": service.case_id, "sensitivity": False, "pins": [{"project": "A", "wish": "must"}]})
    assert other["state"] == "finished", other
    body = {"first_plan_id": service.plan_id, "second_plan_id": other["plan_id"]}
    compared = service.client.post("/v1/comparisons", json=body).json()
    money = [row for row in compared["figures"] if row["name"] == "Cost of the plan"]
    assert all(row[side] % 500_000 == 0 for row in money for side in ("first", "second", "difference"))
    told = service.client.get(f"/v1/runs/{other['id']}/events").text
    for figure in re.findall(r'"(?:incumbent|bound)_gbp": ([\d.]+)', told):
        assert float(figure) % 500_000 == 0


def test_the_tailored_list_shows_places_as_counts(service: Service) -> None:
    asked = {"area_id": SOUTH, "need": "ASD", "age": 12}
    items = service.client.get(f"/v1/cases/{service.case_id}/tailored-list", params=asked).json()["items"]
    assert [item["places"] for item in items] == [205, 100]


def get(service: Service, path: str) -> dict[str, Any]:
    answer = service.client.get(path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body
