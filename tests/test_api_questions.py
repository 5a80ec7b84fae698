"""Questions about a plan through the service: asked, answered by a run, read back as tables; gone with the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from service import Service

from api.settings import Settings
from api.store.models import PlanRow


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(store_folder=tmp_path_factory.mktemp("questions") / "store", worker="none", log_level="error")
    with Service(settings) as found:
        yield found


def answered(service: Service, question: dict[str, Any], plan_id: str | None = None) -> dict[str, Any]:
    """Ask, have the run made, and tell how the question stands."""
    plan_id = plan_id or service.plan_id
    answer = service.client.post(f"/v1/plans/{plan_id}/questions", json=question)
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["id"]
    assert questions(service, plan_id)[0]["state"] == "queued"
    service.work()
    run = service.client.get(f"/v1/runs/{run_id}").json()
    assert (run["state"], run["plan_id"]) == ("finished", None), run
    body: dict[str, Any] = next(one for one in questions(service, plan_id) if one["run_id"] == run_id)
    return body


def questions(service: Service, plan_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.client.get(f"/v1/plans/{plan_id}/questions").json()
    return found


def rows(service: Service, question: dict[str, Any], table: str) -> list[dict[str, Any]]:
    answer = service.client.get(f"/v1/plans/{service.plan_id}/questions/{question['run_id']}/{table}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_what_was_never_asked_is_empty(service: Service) -> None:
    found = service.client.get(f"/v1/plans/{service.plan_id}/explain").json()
    assert found == {"run_id": None, "summary": {}, "marginal": [], "not_chosen": [], "why_unmet": [], "alternatives": []}


def test_explain_says_what_was_left_out(service: Service) -> None:
    """The pencil case: B is built, and with it A is not worth its cost."""
    asked = answered(service, {"kind": "explain", "extra_gbp": 10_000_000})
    assert asked["tables"] == ["marginal", "not_chosen", "why_unmet", "alternatives"]
    found = service.client.get(f"/v1/plans/{service.plan_id}/explain").json()
    assert found["run_id"] == asked["run_id"]
    assert found["summary"]["plan_gbp"] == pytest.approx(42_850_000, abs=1)
    assert [row["project_id"] for row in found["not_chosen"]] == ["A"]
    assert found["not_chosen"][0]["said"]
    assert [row["without"] for row in found["alternatives"]] == ["B"]
    assert found["alternatives"][0]["extra_gbp"] > 0
    assert rows(service, asked, "marginal") == found["marginal"]
    assert found["marginal"][0]["council_code"] == "F06000009"


def test_explain_says_what_money_would_buy(service: Service) -> None:
    """Without its money the pencil case builds nothing; given it back, it would save what B saves: 3.35m."""
    none = [{"fund": "HIGH-NEEDS", "financial_year": "2022-23", "amount_gbp": 0}]
    run = service.planned({"case_id": service.case_id, "sensitivity": False, "budgets": none})
    answered(service, {"kind": "explain", "extra_gbp": 10_000_000, "year": "2022-23"}, run["plan_id"])
    found = service.client.get(f"/v1/plans/{run['plan_id']}/explain").json()
    best = found["marginal"][0]
    assert (best["council_code"], best["project_id"]) == ("F06000009", "B")
    assert best["saving_gbp"] == pytest.approx(3_350_000, abs=1)
    lacking = {row["project_id"]: (row["reason"], row["lacking_gbp"]) for row in found["not_chosen"]}
    assert lacking["B"][0] == "no budget"
    assert lacking["B"][1] > 0


def test_frontier_and_robust_are_tables(service: Service) -> None:
    answer = answered(service, {"kind": "frontier", "over": "independent", "points": 2})
    frontier = rows(service, answer, "frontier")
    assert {(row["point"], row["project_id"], row["places"]) for row in rows(service, answer, "projects")} == {(1, "B", 100), (2, "B", 100)}
    assert len(frontier) == 2
    assert frontier[0]["outside_years"] > frontier[1]["outside_years"]
    assert frontier[0]["cost_gbp"] <= frontier[1]["cost_gbp"] + 100  # the floor has a hair of slack
    robust = answered(service, {"kind": "robust", "scenarios": {"central": 1.0}})
    assert robust["summary"]["value_gbp"] == pytest.approx(42_850_000, rel=0.01)
    assert [row["project_id"] for row in rows(service, robust, "projects") if row["shared"]] == ["B"]
    text = service.client.get(f"/v1/plans/{service.plan_id}/questions/{robust['run_id']}/scenarios", params={"format": "csv"}).text
    assert text.startswith("scenario,probability,cost_gbp")


def test_a_question_that_does_not_fit_fails_with_its_faults(service: Service) -> None:
    run = service.client.post(f"/v1/plans/{service.plan_id}/questions", json={"kind": "robust", "scenarios": {"flood": 0.7}}).json()
    service.work()
    failure = service.client.get(f"/v1/runs/{run['id']}").json()["failure"]
    assert failure["reason"] == "invalid"
    assert {problem["value"] for problem in failure["problems"]} == {"flood", "flood=0.7"}
    assert service.client.get(f"/v1/plans/{service.plan_id}/questions/{run['id']}/projects").status_code == 404


def test_a_protected_plan_answers_no_question(service: Service) -> None:
    with service.store.write() as session:
        session.get_one(PlanRow, service.plan_id).disclosure = "protected"
    try:
        answer = service.client.post(f"/v1/plans/{service.plan_id}/questions", json={"kind": "explain"})
    finally:
        with service.store.write() as session:
            session.get_one(PlanRow, service.plan_id).disclosure = "open"
    assert answer.status_code == 409


def test_a_check_by_another_solver_may_be_asked_for(service: Service) -> None:
    """The field of the plan request passes through."""
    run = service.planned({"case_id": service.case_id, "sensitivity": False, "check_with": "ortools"})
    summary = service.client.get(f"/v1/plans/{run['plan_id']}/files/plan.json").json()
    assert summary["check"]["agrees"] is True


def test_answers_go_with_the_plan(service: Service) -> None:
    plan_id = service.plan_id
    answered(service, {"kind": "explain"})
    assert service.store.answers(plan_id).is_dir()
    assert service.client.delete(f"/v1/plans/{plan_id}").status_code == 204
    assert not service.store.answers(plan_id).exists()
