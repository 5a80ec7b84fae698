"""The resources of the service, on both databases: from an uploaded case to plans, tables, comparisons and what-if."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from service import Service, zipped

from fixtures.tiny import COUNCIL, INDEPENDENT, NORTH, STATE, tiny_case
from sufficiency.case import case_hashes


def test_a_case_says_what_it_is_and_where_its_figures_come_from(service: Service) -> None:
    case = service.client.get(f"/v1/cases/{service.case_id}").json()
    assert case["name"] == "Tiny case"
    assert case["councils"] == [{"code": COUNCIL, "name": "Pencilshire"}]
    assert (case["version"], case["series_id"], case["disclosure"]) == (1, service.case_id, "open")
    provenance = service.client.get(f"/v1/cases/{service.case_id}/provenance").json()
    assert provenance["files"] == case_hashes(service.store.cases / service.case_id)
    assert provenance["assumptions_changed"]["costs.state_special"] == 20_000
    faults = service.client.get(f"/v1/cases/{service.case_id}/problems").json()
    assert len(faults) == case["warnings"]
    assert all(fault["level"] == "warning" and fault["remedy"] for fault in faults)


def test_a_plan_is_made_from_a_run_and_read_table_by_table(service: Service) -> None:
    plan = service.client.get(f"/v1/plans/{service.plan_id}").json()
    assert plan["audit_passed"]
    assert plan["summary"]["saving_gbp"] == pytest.approx(3_350_000, rel=1e-6)
    names = [table["name"] for table in service.client.get(f"/v1/plans/{service.plan_id}/tables").json()]
    assert {"projects", "needs", "placements"} <= set(names)
    needs = rows(service, "needs", academic_year="2024/25")
    assert needs["total"] == 1
    assert needs["items"][0]["demand"] == pytest.approx(400)
    assert service.client.get(f"/v1/plans/{service.plan_id}/audit").json() == {"passed": True, "breaches": []}
    without = rows(service, "projects", world="counterfactual")
    assert without["total"] == 0


def test_tables_are_filtered_sorted_and_paged(service: Service) -> None:
    everything = rows(service, "placements", limit="1000", sort="-pupils,area_id")["items"]
    assert [row["pupils"] for row in everything] == sorted((row["pupils"] for row in everything), reverse=True)
    least = everything[len(everything) // 2]["pupils"]
    kept = rows(service, "placements", **{"pupils.min": str(least), "area_id": NORTH, "limit": "1000"})["items"]
    assert kept
    assert len(kept) == sum(row["pupils"] >= least and row["area_id"] == NORTH for row in everything)
    collected: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        page = rows(service, "placements", sort="-pupils,area_id", limit="3", offset=str(offset))
        collected, offset = collected + page["items"], page["next"]
    assert collected == everything


def test_a_filter_that_is_no_column_is_refused_with_its_name(service: Service) -> None:
    answer = service.client.get(f"/v1/plans/{service.plan_id}/tables/needs", params={"academic_yer": "2024/25", "demand.min": "many"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {fault["column"] for fault in answer.json()["problems"]} == {"academic_yer", "demand.min"}
    assert service.client.get(f"/v1/plans/{service.plan_id}/tables/nothing").status_code == 404


def test_a_table_is_handed_out_as_csv_with_all_rows(service: Service) -> None:
    answer = service.client.get(f"/v1/plans/{service.plan_id}/tables/placements", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    read = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(read) == rows(service, "placements", limit="1000")["total"]


def test_what_has_not_changed_is_not_sent_again(service: Service) -> None:
    for path in (f"/v1/plans/{service.plan_id}/tables/needs", f"/v1/plans/{service.plan_id}", f"/v1/cases/{service.case_id}", "/v1/cases"):
        first = service.client.get(path)
        again = service.client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
        other = service.client.get(path, headers={"If-None-Match": '"another"'})
        assert other.status_code == 200
        head = service.client.head(path)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])


def test_the_tables_of_a_case_are_read_the_same_way(service: Service) -> None:
    answer = service.client.get(f"/v1/cases/{service.case_id}/tables/settings", params={"kind": "state_special"})
    assert [row["setting_id"] for row in answer.json()["items"]] == [STATE]
    areas = service.client.get(f"/v1/cases/{service.case_id}/tables/areas").json()
    assert areas["total"] == 2
    assert "geometry" not in areas["items"][0]


def test_what_if_repeats_a_plan_with_other_pins_and_money_and_is_compared(service: Service) -> None:
    asked = {
        "name": "A is barred",
        "pins": [{"project_id": "B", "decision": "forbidden"}],
        "budgets": [{"fund_id": "HIGH-NEEDS", "times": 2}],
    }
    answer = service.client.post(f"/v1/plans/{service.plan_id}/what-if", json=asked)
    assert answer.status_code == 202, answer.text
    service.work()
    run = service.client.get(answer.headers["location"]).json()
    assert run["state"] == "finished", run
    built = service.client.get(f"/v1/plans/{run['plan_id']}/tables/projects").json()["items"]
    assert {row["project_id"] for row in built} == {"A"}
    request = service.client.get(f"/v1/requests/{run['request_id']}").json()
    assert request["base_plan_id"] == service.plan_id
    assert request["settings"]["sensitivity"] is False, "what is not said again is as before"
    comparison = service.client.post("/v1/comparisons", json={"first_plan_id": service.plan_id, "second_plan_id": run["plan_id"]})
    assert comparison.status_code == 201, comparison.text
    changes = {row["project_id"]: row["change"] for row in comparison.json()["projects"]}
    assert changes == {"A": "only second", "B": "only first"}
    assert service.client.get(comparison.headers["location"]).json() == comparison.json()
    listed = service.client.get("/v1/comparisons", params={"plan_id": run["plan_id"]}).json()["items"]
    assert [item["id"] for item in listed] == [comparison.json()["id"]]


def test_a_change_that_does_not_fit_is_refused_with_all_its_faults(service: Service) -> None:
    asked = {"pins": [{"project_id": "Z", "decision": "forbidden"}], "budgets": [{"fund_id": "NONE", "times": 2}]}
    answer = service.client.post(f"/v1/plans/{service.plan_id}/what-if", json=asked)
    assert answer.status_code == 422
    assert {fault["value"] for fault in answer.json()["problems"]} == {"Z", "NONE"}


def test_a_request_that_does_not_fit_its_case_fails_the_run_with_the_reason(service: Service) -> None:
    run = service.planned({"case_id": service.case_id, "pins": [{"project": "Z", "wish": "must"}]})
    assert (run["state"], run["failure"]["reason"]) == ("failed", "invalid")
    assert "Z" in str(run["failure"]["problems"])


def test_a_what_if_of_a_what_if_adds_up_and_can_be_taken_back(service: Service) -> None:
    pinned = what_if(service, service.plan_id, pins=[{"project_id": "B", "decision": "forbidden"}])
    assert pinned["settings"]["pins"] == [{"project": "B", "wish": "must_not"}]
    service.work()
    plan_id = service.client.get("/v1/plans", params={"limit": 1}).json()["items"][0]["id"]
    both = what_if(service, plan_id, budgets=[{"fund_id": "HIGH-NEEDS", "times": 0.95}])
    assert both["settings"]["pins"] == [{"project": "B", "wish": "must_not"}]
    assert both["settings"]["budgets"] == [{"fund": "HIGH-NEEDS", "financial_year": "2022-23", "amount_gbp": 9_500_000}]
    opened = what_if(service, plan_id, pins=[{"project_id": "B", "decision": "open"}])
    assert opened["settings"]["pins"] == []


def test_a_named_set_of_assumptions_goes_into_a_request(service: Service) -> None:
    made = service.client.post("/v1/assumption-sets", json={"name": "Dearer", "values": {"costs.state_special": 25_000}})
    assert made.status_code == 201, made.text
    set_id = made.json()["id"]
    asked = {"case_id": service.case_id, "assumption_set_id": set_id, "assumptions": {"time.tail_years": 5}}
    request = service.client.post("/v1/requests", json=asked)
    assert request.json()["settings"]["assumptions"] == {"costs.state_special": 25_000, "time.tail_years": 5}
    wrong = service.client.post("/v1/assumption-sets", json={"name": "Wrong", "values": {"costs.nothing": 1, "costs.state_special": [1]}})
    assert wrong.status_code == 422
    assert {fault["column"] for fault in wrong.json()["problems"]} == {"costs.nothing", "costs.state_special"}
    names = {entry["name"]: entry for entry in service.client.get("/v1/assumptions").json()}
    assert names["costs.state_special"]["unit"]
    assert service.client.delete(f"/v1/assumption-sets/{set_id}").status_code == 204
    assert service.client.get(f"/v1/assumption-sets/{set_id}").status_code == 404


def test_a_request_is_checked_whole_when_it_is_made(service: Service) -> None:
    asked = {"case_id": service.case_id, "backend": "abacus", "assumptions": {"costs.nothing": 1}}
    answer = service.client.post("/v1/requests", json=asked)
    assert answer.status_code == 422
    assert {fault["column"] for fault in answer.json()["problems"]} == {"backend", "costs.nothing"}
    scenario = service.client.post("/v1/requests", json={"case_id": service.case_id, "scenario": "doom", "time_limit_s": 1e9})
    assert {fault["column"] for fault in scenario.json()["problems"]} == {"scenario", "time_limit_s"}
    assert service.client.post("/v1/requests", json={"case_id": service.case_id, "colour": "red"}).status_code == 422
    assert service.client.post("/v1/requests", json={"case_id": "case-0"}).status_code == 404


def test_the_tailored_list_is_in_order_and_marks_independent_settings(service: Service) -> None:
    asked = {"area_id": NORTH, "need": "ASD", "age": 12}
    answer = service.client.get(f"/v1/cases/{service.case_id}/tailored-list", params=asked).json()
    assert [(item["setting_id"], item["independent"], item["cost_type"]) for item in answer["items"]] == [
        (STATE, False, "state"),
        (INDEPENDENT, True, "independent"),
    ]
    wrong = service.client.get(f"/v1/cases/{service.case_id}/tailored-list", params={"area_id": "X", "need": "ASD", "age": 12})
    assert wrong.status_code == 422
    assert wrong.json()["problems"][0]["column"] == "area_id"


def test_a_new_version_follows_and_a_case_with_plans_is_deleted_only_when_asked(service: Service) -> None:
    content = zipped(tiny_case(), service.settings.store_folder / "second")
    first = service.upload(content, data={"partnership": "Pencil Partners"}).json()
    second = service.client.post(f"/v1/cases/{first['id']}/versions", files={"file": ("case.zip", content)})
    assert second.status_code == 201, second.text
    assert (second.json()["series_id"], second.json()["version"]) == (first["id"], 2)
    found = service.client.get(f"/v1/cases/{first['id']}/versions").json()["items"]
    assert [item["version"] for item in found] == [2, 1]
    run = service.start({"case_id": first["id"], "sensitivity": False})
    assert service.client.delete(f"/v1/cases/{first['id']}").status_code == 409, "a run is under way"
    service.work()
    plan_id = service.client.get(f"/v1/runs/{run['id']}").json()["plan_id"]
    view = service.client.get("/v1/partnerships/Pencil Partners").json()
    assert view["plans"][0]["figures"]["capital_gbp"] == 9_000_000
    assert service.client.get("/v1/partnerships/Another").status_code == 404
    assert service.client.delete(f"/v1/cases/{first['id']}").status_code == 409, "a plan stands"
    assert service.client.delete(f"/v1/cases/{first['id']}", params={"with_plans": True}).status_code == 204
    assert service.client.get(f"/v1/plans/{plan_id}").status_code == 404
    assert not (service.store.plans / plan_id).exists()
    assert not (service.store.cases / first["id"]).exists()
    assert service.client.get(f"/v1/cases/{second.json()['id']}").status_code == 200


def test_an_approved_plan_stays(service: Service) -> None:
    plan_id = service.planned({"case_id": service.case_id, "sensitivity": False, "name": "To approve"})["plan_id"]
    approved = service.client.post(f"/v1/plans/{plan_id}/approve")
    assert approved.json()["approved_by"] == "local"
    assert service.client.post(f"/v1/plans/{plan_id}/approve").json()["approved_at"] == approved.json()["approved_at"]
    assert service.client.delete(f"/v1/plans/{plan_id}").status_code == 409
    listed = service.client.get("/v1/plans", params={"approved": True}).json()["items"]
    assert [item["id"] for item in listed] == [plan_id]


def test_lists_come_a_page_at_a_time(service: Service) -> None:
    for name in ("one", "two", "three"):
        service.client.post("/v1/assumption-sets", json={"name": name, "values": {}})
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = service.client.get("/v1/assumption-sets", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen, cursor = seen + [item["name"] for item in page["items"]], page["next"]
    assert seen[:3] == ["three", "two", "one"]
    assert service.client.get("/v1/assumption-sets", params={"cursor": "nonsense"}).status_code == 422


def test_the_same_request_with_the_same_key_is_done_once(service: Service) -> None:
    body, other_body = ({"request": {"case_id": service.case_id, "name": name}} for name in ("Once", "Other"))
    answers = [service.client.post("/v1/runs", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert answers[1].headers["idempotency-replayed"] == "true"
    other = service.client.post("/v1/runs", json=other_body, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422
    service.client.post(f"/v1/runs/{answers[0].json()['id']}/cancel")


def rows(service: Service, table: str, **query: str) -> dict[str, Any]:
    answer = service.client.get(f"/v1/plans/{service.plan_id}/tables/{table}", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def what_if(service: Service, plan_id: str, **changes: Any) -> dict[str, Any]:
    """The request that a what-if makes."""
    answer = service.client.post(f"/v1/plans/{plan_id}/what-if", json=changes)
    assert answer.status_code == 202, answer.text
    request: dict[str, Any] = service.client.get(f"/v1/requests/{answer.json()['request_id']}").json()
    return request
