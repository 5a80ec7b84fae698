"""A planner of one council goes after another council's case: through bodies, filters, cursors, tags, keys of requests, and counts."""

from __future__ import annotations

import base64
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

import pytest
from auth_world import OURS, PARTNERSHIP, THEIRS, Ids, World, build_world, made_up
from httpx import Response
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DatabaseError

from api.auth import trail
from api.auth.models import KeyRow, TrailRow
from api.auth.principal import EVERY_ROLE, Principal
from api.routes import cases as case_routes
from api.store.cases import CheckedCase
from api.store.models import PlanRow
from api.store.scope import visible

LISTS: Final = ("cases", "assumption-sets", "requests", "runs", "batches", "plans", "comparisons")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[World]:
    """On both databases."""
    yield from build_world(tmp_path_factory.mktemp("world"), database_url)


@pytest.fixture(scope="module")
def theirs(world: World) -> Ids:
    """What is attacked."""
    return world.add(THEIRS)


@pytest.fixture(scope="module")
def shared(world: World) -> Ids:
    """A case of both councils: not for who has one of them."""
    return world.add(OURS, THEIRS)


@pytest.fixture(scope="module")
def mine(world: World) -> Ids:
    return world.add(OURS)


@pytest.fixture(scope="module")
def attacker(world: World) -> dict[str, str]:
    """All roles, one council."""
    return world.caller(EVERY_ROLE, frozenset({OURS}))


@pytest.fixture(scope="module")
def victim(world: World) -> dict[str, str]:
    return world.caller(EVERY_ROLE, frozenset({THEIRS}))


def told(answer: Response, *ids: Ids) -> tuple[int, str, dict[str, str]]:
    """What an answer tells, the ids that were asked for and the number of the request aside."""
    said = answer.text
    for one in ids:
        for name, value in vars(one).items():
            said = said.replace(value, name)
    return answer.status_code, said, {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}


BODIES: Final[dict[str, tuple[str, str]]] = {
    "a request for their case": ("requests", '{"case_id": "%(case_id)s"}'),
    "a run of their request": ("runs", '{"request_id": "%(request_id)s"}'),
    "a run with a request for their case": ("runs", '{"request": {"case_id": "%(case_id)s"}}'),
    "their assumptions on my case": ("requests", '{"case_id": "MINE_CASE", "assumption_set_id": "%(set_id)s"}'),
    "a batch with mine and theirs": ("batches", '{"name": "x", "case_ids": ["MINE_CASE", "%(case_id)s"]}'),
    "a batch with their assumptions": ("batches", '{"name": "x", "case_ids": ["MINE_CASE"], "assumption_set_ids": ["%(set_id)s"]}'),
    "their plan against mine": ("comparisons", '{"first_plan_id": "%(plan_id)s", "second_plan_id": "MINE_PLAN"}'),
    "my plan against theirs": ("comparisons", '{"first_plan_id": "MINE_PLAN", "second_plan_id": "%(plan_id)s"}'),
    "what if of their plan": ("plans/%(plan_id)s/what-if", "{}"),
    "what if with money": ("plans/%(plan_id)s/what-if", '{"budgets": [{"fund_id": "HIGH-NEEDS", "times": 2}]}'),
    "a version of their case": ("cases/%(case_id)s/versions", '{"builtin": "tiny"}'),
}


@pytest.mark.parametrize("attack", BODIES)
@pytest.mark.parametrize("whose", ["theirs", "shared"])
def test_their_ids_in_bodies_are_as_unknown_ones(
    world: World, mine: Ids, attacker: dict[str, str], attack: str, whose: str, request: pytest.FixtureRequest
) -> None:
    path, body = BODIES[attack]
    target, unknown = request.getfixturevalue(whose), made_up()
    answers = []
    for ids in (target, unknown):
        content = (body % vars(ids)).replace("MINE_CASE", mine.case_id).replace("MINE_PLAN", mine.plan_id)
        headers = {**attacker, "Content-Type": "application/json"}
        answers.append(told(world.client.post(f"/v1/{path % vars(ids)}", content=content, headers=headers), ids, mine))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


def test_lists_hold_what_is_mine_and_nothing_else(world: World, mine: Ids, theirs: Ids, shared: Ids, attacker: dict[str, str]) -> None:
    for name in LISTS:
        seen, cursor = [], None
        while True:
            answer = world.client.get(f"/v1/{name}", params={"limit": 1, **({"cursor": cursor} if cursor else {})}, headers=attacker)
            seen += [item["id"] for item in answer.json()["items"]]
            assert not any(value in answer.text for ids in (theirs, shared) for value in list(vars(ids).values())[:-1]), name
            cursor = answer.json()["next"]
            if cursor is None:
                break
        assert set(seen) & set(vars(mine).values()), name
        assert all(world.client.get(f"/v1/{name}/{key}", headers=attacker).status_code == 200 for key in seen)


def test_the_victim_and_both_see_what_is_theirs(world: World, theirs: Ids, shared: Ids, victim: dict[str, str]) -> None:
    both = world.caller(EVERY_ROLE, frozenset({OURS, THEIRS}))
    assert world.client.get(f"/v1/plans/{theirs.plan_id}", headers=victim).status_code == 200
    assert world.client.get(f"/v1/plans/{shared.plan_id}", headers=victim).status_code == 404
    assert world.client.get(f"/v1/plans/{shared.plan_id}", headers=both).status_code == 200


def test_filters_tell_nothing(world: World, theirs: Ids, shared: Ids, attacker: dict[str, str]) -> None:
    unknown = made_up()
    for path, name in (
        ("requests", "case_id"),
        ("runs", "case_id"),
        ("runs", "batch_id"),
        ("plans", "case_id"),
        ("comparisons", "plan_id"),
    ):
        empty = world.client.get(f"/v1/{path}", params={name: getattr(unknown, name)}, headers=attacker)
        assert empty.json()["items"] == []
        for ids in (theirs, shared):
            found = world.client.get(f"/v1/{path}", params={name: getattr(ids, name)}, headers=attacker)
            assert told(found, ids) == told(empty, unknown), (path, name)


def test_a_cursor_of_another_leads_to_ones_own_rows(world: World, mine: Ids, theirs: Ids, attacker: dict[str, str]) -> None:
    """The cursor that the victim was given, and one made up to begin before everything."""
    with world.store.read() as session:
        row = session.get_one(PlanRow, theirs.plan_id)
    for begin in (f"{row.created_at.isoformat()} {row.id}", "2999-01-01T00:00:00+00:00 plan-z"):
        cursor = base64.urlsafe_b64encode(begin.encode()).decode()
        answer = world.client.get("/v1/plans", params={"cursor": cursor}, headers=attacker)
        assert {item["id"] for item in answer.json()["items"]} <= {mine.plan_id}


def test_entity_tags_do_not_confirm(world: World, theirs: Ids, attacker: dict[str, str], victim: dict[str, str]) -> None:
    unknown = made_up()
    paths = (
        "plans/{plan_id}",
        "plans/{plan_id}/files/plan.json",
        "plans/{plan_id}/tables/projects",
        "plans/{plan_id}/map/about",
        "cases/{case_id}",
        "runs/{run_id}",
    )
    for path in paths:
        known = world.client.get(f"/v1/{path.format(**vars(theirs))}", headers=victim)
        assert known.status_code == 200, path
        tag = known.headers["etag"]
        same = world.client.get(f"/v1/{path.format(**vars(theirs))}", headers={**victim, "If-None-Match": tag})
        assert same.status_code == 304
        for condition in (
            {"If-None-Match": tag},
            {"If-None-Match": "*"},
            {"If-Match": tag},
            {"Range": "bytes=0-9"},
            {"If-Modified-Since": "x"},
        ):
            hidden = world.client.get(f"/v1/{path.format(**vars(theirs))}", headers={**attacker, **condition})
            absent = world.client.get(f"/v1/{path.format(**vars(unknown))}", headers={**attacker, **condition})
            assert told(hidden, theirs) == told(absent, unknown), (path, condition)
            assert hidden.status_code == 404
        head = world.client.head(f"/v1/{path.format(**vars(theirs))}", headers=attacker)
        assert (head.status_code, head.content) == (404, b"")


def test_other_methods_do_not_confirm(world: World, theirs: Ids, attacker: dict[str, str]) -> None:
    unknown = made_up()
    for method in ("OPTIONS", "PUT", "PATCH", "TRACE"):
        hidden = world.client.request(method, f"/v1/plans/{theirs.plan_id}", headers=attacker)
        absent = world.client.request(method, f"/v1/plans/{unknown.plan_id}", headers=attacker)
        assert told(hidden, theirs) == told(absent, unknown)


def test_anothers_idempotency_key_is_another_key(
    world: World, theirs: Ids, mine: Ids, attacker: dict[str, str], victim: dict[str, str]
) -> None:
    key = {"Idempotency-Key": "monday"}
    first = world.client.post("/v1/requests", json={"case_id": theirs.case_id}, headers={**victim, **key})
    assert first.status_code == 201
    stolen = world.client.post("/v1/requests", json={"case_id": theirs.case_id}, headers={**attacker, **key})
    assert stolen.status_code == 404
    own = world.client.post("/v1/requests", json={"case_id": mine.case_id}, headers={**attacker, **key})
    assert own.status_code == 201
    assert own.json()["id"] != first.json()["id"]
    again = world.client.post("/v1/requests", json={"case_id": theirs.case_id}, headers={**victim, **key})
    assert again.json()["id"] == first.json()["id"]


def test_an_answer_is_not_given_again_to_who_has_lost_the_right(world: World, theirs: Ids) -> None:
    caller = world.caller(frozenset({"planner"}), frozenset({THEIRS}))
    headers = {**caller, "Idempotency-Key": "tuesday"}
    made = world.client.post("/v1/requests", json={"case_id": theirs.case_id}, headers=headers)
    assert made.status_code == 201
    with world.store.write() as session:
        key_id = caller["Authorization"].split("_")[1]
        session.execute(update(KeyRow).where(KeyRow.id == key_id).values(councils=[OURS]))
    again = world.client.post("/v1/requests", json={"case_id": theirs.case_id}, headers=headers)
    assert again.status_code in (404, 422)
    assert theirs.case_id not in again.text


def test_both_answers_cost_the_same_queries(world: World, theirs: Ids, shared: Ids, attacker: dict[str, str]) -> None:
    """Time can't tell what the database isn't asked: hidden and absent rows take the same statements."""
    unknown = made_up()
    for path in ("plans/{plan_id}", "cases/{case_id}/tables/areas", "runs/{run_id}/events", "comparisons/{comparison_id}", "keys/{key_id}"):
        asked = []
        for ids in (theirs, shared, unknown):
            with statements(world) as said:
                assert world.client.get(f"/v1/{path.format(**vars(ids))}", headers=attacker).status_code == 404
            asked.append(said)
        assert asked[0] == asked[1] == asked[2]
        assert asked[0]


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """The SQL that is run meanwhile."""
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(world.store.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(world.store.engine, "before_cursor_execute", note)


def test_a_case_for_others_is_not_taken_in(world: World, mine: Ids, attacker: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    councils: tuple[str, ...] = ()

    def checked(sent: Any, folder: Any, settings: Any) -> CheckedCase:
        (folder / "case.toml").write_text("")
        return CheckedCase(folder, world.about_of(*councils), [], {"case.toml": "0" * 64})

    monkeypatch.setattr(case_routes, "_checked", checked)
    for councils, status in (((THEIRS,), 403), ((OURS, THEIRS), 403), ((), 403), ((OURS,), 201)):
        assert world.client.post("/v1/cases", json={"builtin": "tiny"}, headers=attacker).status_code == status, councils
    both = world.caller(EVERY_ROLE, frozenset({OURS, THEIRS}))
    for councils, status in (((OURS, THEIRS), 422), ((THEIRS,), 422), ((OURS,), 201)):
        answer = world.client.post(f"/v1/cases/{mine.case_id}/versions", json={"builtin": "tiny"}, headers=both)
        assert answer.status_code == status, councils
    shared = world.client.post("/v1/cases", json={"builtin": "tiny", "partnership": PARTNERSHIP}, headers=attacker)
    assert shared.status_code == 403
    member = world.caller(EVERY_ROLE, frozenset({OURS}), frozenset({PARTNERSHIP}))
    assert world.client.post("/v1/cases", json={"builtin": "tiny", "partnership": PARTNERSHIP}, headers=member).status_code == 201


def test_a_partnership_sees_no_case_and_no_council(world: World, mine: Ids, theirs: Ids) -> None:
    partner = world.caller(frozenset({"viewer", "planner"}), frozenset(), frozenset({PARTNERSHIP}))
    answer = world.client.get(f"/v1/partnerships/{PARTNERSHIP}", headers=partner)
    assert answer.status_code == 200
    assert len(answer.json()["plans"]) >= 2
    for ids in (mine, theirs):
        assert not any(value in answer.text for name, value in vars(ids).items() if name != "partnership")
    for name in LISTS:
        assert world.client.get(f"/v1/{name}", headers=partner).json()["items"] == []


def test_the_trail_of_others_is_not_read(world: World, theirs: Ids, attacker: dict[str, str], victim: dict[str, str]) -> None:
    world.client.post("/v1/requests", json={"case_id": theirs.case_id}, headers=victim)
    world.client.post(f"/v1/plans/{theirs.plan_id}/approve", headers=victim)
    answer = world.client.get("/v1/trail", params={"limit": 200}, headers=attacker)
    assert answer.status_code == 200
    assert theirs.plan_id not in answer.text
    subject = f"key:{victim['Authorization'].split('_')[1]}"
    assert subject not in answer.text
    assert world.client.get("/v1/trail", params={"subject": subject}, headers=attacker).json()["items"] == []
    filters = {"resource": theirs.plan_id, "action": "POST /v1/plans/{plan_id}/approve"}
    seen = world.client.get("/v1/trail", params=filters, headers=victim).json()["items"]
    assert [(item["action"], item["status"]) for item in seen] == [("POST /v1/plans/{plan_id}/approve", 200)]
    with world.store.read() as session:
        found = session.scalars(select(TrailRow).where(TrailRow.action == seen[0]["action"])).one()
    assert found.request_id == seen[0]["request_id"]


def test_a_set_of_councils_that_nobody_stored_is_nobodys(world: World) -> None:
    lost = world.add(OURS)
    with world.store.write() as session:
        session.execute(update(PlanRow).where(PlanRow.id == lost.plan_id).values(scope_id="scope-lost"))
    for councils in (frozenset({OURS}), frozenset({THEIRS}), frozenset()):
        with world.store.read() as session:
            seen = select(PlanRow.id).where(visible(PlanRow, Principal("x", EVERY_ROLE, councils)), PlanRow.id == lost.plan_id)
            assert session.scalar(seen) is None


def test_the_chain_holds_when_many_write_at_once(world: World, mine: Ids, attacker: dict[str, str]) -> None:
    def change(number: int) -> int:
        return world.client.post("/v1/requests", json={"case_id": mine.case_id, "name": str(number)}, headers=attacker).status_code

    with world.store.read() as session:
        before = trail.verify(session, world.app.state.auth.trail_key).rows
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(40))) == {201}
    with world.store.read() as session:
        found = trail.verify(session, world.app.state.auth.trail_key)
    assert (found.holds, found.rows) == (True, before + 40)


def test_the_database_refuses_to_change_the_trail(world: World) -> None:
    for change in ("UPDATE audit_trail SET owner = 'nobody'", "DELETE FROM audit_trail"):
        with pytest.raises(DatabaseError, match="new rows only"), world.store.write() as session:
            session.execute(text(change))


# a client takes . and .. out of a path before it asks
hidden_ids = st.text(string.ascii_letters + string.digits + "-_.%/ '\";<\\\x00é", min_size=1, max_size=40).filter(
    lambda key: key.strip(".") or len(key) > 2
)


@hypothesis_settings(max_examples=80, deadline=None)
@given(hidden_ids, st.sampled_from(["cases/{}", "plans/{}", "plans/{}/tables/projects", "runs/{}", "keys/{}", "partnerships/{}"]))
def test_no_id_opens_anything_or_breaks_the_service(world: World, attacker: dict[str, str], key: str, path: str) -> None:
    answer = world.client.get(f"/v1/{path.format(quote(key, safe=''))}", headers=attacker)
    assert answer.status_code in (404, 422), (path, key)
