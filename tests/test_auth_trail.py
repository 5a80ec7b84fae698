"""The audit trail: changes and downloads, append-only, in a chain that shows tampering."""

from __future__ import annotations

import pytest
from door import client, deeds, key
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from starlette.datastructures import Headers

from api.auth import trail
from api.auth.gate import is_remembered
from api.auth.models import TrailHeadRow


def test_changes_and_downloads_are_remembered_and_nothing_else(app: FastAPI) -> None:
    planner, viewer = client(app, key(app, "planner")), client(app, key(app, "viewer"))
    planner.get("/v1/things/1")
    planner.post("/v1/things/1?name=somebody", json={"child": "a name"})
    viewer.post("/v1/things/2", json={})
    viewer.get("/v1/things/3/file")
    planner.post("/v1/cases", content=b"x")
    planner.post("/v1/broken")
    planner.post("/v1/nothing")
    client(app).post("/v1/things/9")
    found = [(row.action, row.resource, row.status) for row in deeds(app)]
    assert found == [
        ("POST /v1/things/{thing_id}", "1", 200),
        ("POST /v1/things/{thing_id}", "2", 403),
        ("GET /v1/things/{thing_id}/file", "3", 200),
        ("POST /v1/cases", "case-77", 201),
        ("POST /v1/broken", "", 500),
        ("POST unmatched", "", 404),
    ]
    assert all("name" not in f"{row.action}{row.resource}{row.owner}{row.request_id}" for row in deeds(app))
    with app.state.store.read() as session:
        assert trail.verify(session, app.state.auth.trail_key) == trail.Integrity(True, 6, deeds(app)[-1].hash, None)


@pytest.mark.parametrize(
    ("method", "status", "remembered"), [("GET", 200, True), ("GET", 304, False), ("GET", 404, False), ("DELETE", 404, True)]
)
def test_what_is_remembered(method: str, status: int, remembered: bool) -> None:
    assert is_remembered(method, status, Headers({"content-disposition": "attachment"})) is remembered


def test_no_answer_without_a_trail(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(trail, "append", away)
    viewer = client(app, key(app, "viewer"))
    answer = viewer.get("/v1/things/3/file")
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("trail-away")
    assert viewer.get("/v1/things/3").status_code == 200


def test_the_trail_takes_new_rows_only(app: FastAPI) -> None:
    client(app, key(app, "planner")).post("/v1/things/1")
    for change in ("UPDATE audit_trail SET owner = 'nobody'", "DELETE FROM audit_trail"):
        with pytest.raises(DatabaseError, match="new rows only"), app.state.store.write() as session:
            session.execute(text(change))


TAMPERING = {
    "a row removed": ("DELETE FROM audit_trail WHERE number = 3", 3),
    "the first removed": ("DELETE FROM audit_trail WHERE number = 1", 1),
    "the last removed": ("DELETE FROM audit_trail WHERE number = 5", 5),
    "the last removed and the head set back": (
        "DELETE FROM audit_trail WHERE number = 5; UPDATE audit_trail_head SET number = 4",
        5,
    ),
    "another subject": ("UPDATE audit_trail SET owner = 'nobody' WHERE number = 2", 2),
    "another time": ("UPDATE audit_trail SET at = '2001-01-01 00:00:00' WHERE number = 2", 2),
    "another outcome": ("UPDATE audit_trail SET status = 404 WHERE number = 4", 4),
    "another council": ("UPDATE audit_trail SET scope_id = 'scope-none' WHERE number = 4", 4),
    "two rows changed about": (
        "UPDATE audit_trail SET number = 99 WHERE number = 2; UPDATE audit_trail SET number = 2 WHERE number = 3; "
        "UPDATE audit_trail SET number = 3 WHERE number = 99",
        2,
    ),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_shows(app: FastAPI, how: str) -> None:
    planner = client(app, key(app, "planner"))
    for thing in range(5):
        planner.post(f"/v1/things/{thing}")
    statements, broken_at = TAMPERING[how]
    with app.state.store.engine.begin() as connection:
        for name in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER audit_trail_refuse_{name}")
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement)
    with app.state.store.read() as session:
        found = trail.verify(session, app.state.auth.trail_key)
    assert (found.holds, found.broken_at) == (False, broken_at)


def test_a_chain_made_without_the_secret_does_not_hold(app: FastAPI) -> None:
    planner = client(app, key(app, "planner"))
    planner.post("/v1/things/1")
    with app.state.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_trail_refuse_delete")
        connection.exec_driver_sql("DELETE FROM audit_trail")
    with app.state.store.write() as session:
        head = session.get(TrailHeadRow, 1)
        head.number, head.hash = 0, trail.START
    with app.state.store.write() as session:
        trail.append(session, b"a guess", trail.Deed("key:x", "POST /v1/things/{thing_id}", "1", frozenset({"E1"}), 200, "r"))
    with app.state.store.read() as session:
        assert not trail.verify(session, app.state.auth.trail_key).holds


def test_administrators_read_the_trail_of_their_own_councils(app: FastAPI) -> None:
    one, other = key(app, "planner", councils=("E1",)), key(app, "planner", councils=("E1", "E2"))
    client(app, one).post("/v1/things/1")
    client(app, other).post("/v1/things/2")
    with app.state.store.write() as session:
        for councils in ({"E2"}, {"E1", "E2"}, set()):
            deed = trail.Deed("key:zz", "POST /v1/cases", "case-2", frozenset(councils), 201, "r")
            trail.append(session, app.state.auth.trail_key, deed)
    ours = client(app, key(app, "administrator", councils=("E1",))).get("/v1/trail").json()["items"]
    assert [item["resource"] for item in ours] == ["2", "1"]
    assert "number" not in ours[0]
    everything = client(app, key(app, "administrator", councils=("*",)))
    assert len(everything.get("/v1/trail").json()["items"]) == 5
    assert everything.get("/v1/trail/integrity").json()["holds"] is True
    assert client(app, key(app, "administrator", councils=("E1",))).get("/v1/trail/integrity").status_code == 403


def test_the_trail_is_filtered_and_paged(app: FastAPI) -> None:
    planner = key(app, "planner")
    for thing in range(7):
        client(app, planner).post(f"/v1/things/{thing}")
    client(app, planner).get("/v1/things/1/file")
    read = client(app, key(app, "administrator", councils=("*",)))
    seen, cursor = [], None
    while True:
        page = read.get("/v1/trail", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["resource"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["1", *"6543210"]
    subject = f"key:{planner.split('_')[1]}"
    for query, count in (
        ({"subject": subject}, 8),
        ({"subject": "key:none"}, 0),
        ({"action": "POST"}, 7),
        ({"action": "GET /v1/things/{thing_id}/file"}, 1),
        ({"action": "P"}, 0),
        ({"action": "%"}, 0),
        ({"resource": "1"}, 2),
        ({"status": 200}, 8),
        ({"status": 404}, 0),
        ({"since": "2999-01-01T00:00:00Z"}, 0),
        ({"until": "2999-01-01T00:00:00Z"}, 8),
        ({"request_id": deeds(app)[0].request_id}, 1),
    ):
        assert len(read.get("/v1/trail", params=query).json()["items"]) == count, query
    for bad in ({"cursor": "x"}, {"cursor": "eCB5"}, {"limit": 0}, {"since": "yesterday"}):
        assert read.get("/v1/trail", params=bad).status_code == 422, bad
