"""API keys: made once, kept as a hash, granted within one's own scope, revoked at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from door import client, deeds, key, service
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, update
from typer.testing import CliRunner

from api.auth.command import keys as keys_command
from api.auth.models import KeyRow
from api.auth.principal import Role
from api.auth.secret import service_secret
from api.auth.settings import AuthSettings
from api.store.models import now


def test_a_key_is_its_principal(app: FastAPI) -> None:
    me = client(app, key(app, "viewer", "planner", councils=("E1", "E2"))).get("/v1/me").json()
    assert me["roles"] == ["planner", "viewer"]
    assert me["councils"] == ["E1", "E2"]
    assert me["subject"].startswith("key:")


def test_without_a_credential_only_what_is_public_is_answered(app: FastAPI) -> None:
    stranger = client(app)
    assert stranger.get("/health").status_code == 200
    assert stranger.get("/").status_code == 200
    for path in ("/v1/me", "/v1/things/1", "/v1/nothing", "/health/", "/assets", "/HEALTH", "/v1/%2e%2e/health"):
        answer = stranger.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert stranger.post("/health").status_code == 401
    assert stranger.get("/assets%2f../v1/me").status_code == 404


def test_keys_that_do_not_count(app: FastAPI) -> None:
    """Unknown, altered, expired, revoked: one answer."""
    good = key(app, "viewer")
    expired = key(app, "viewer", days=1)
    revoked = key(app, "viewer")
    with app.state.store.write() as session:
        for text_of_key, change in ((expired, {"expires_at": now()}), (revoked, {"revoked_at": now()})):
            session.execute(update(KeyRow).where(KeyRow.id == text_of_key.split("_")[1]).values(**change))
    bad = [
        "spk_0123456789abcdef_" + "A" * 43,
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good + "A",
        good.upper(),
        good.split("_", 2)[0] + "_" + revoked.split("_", 2)[1] + "_" + good.split("_", 2)[2],
        expired,
        revoked,
        "spk_",
        "spk__",
        "x",
    ]
    bodies = set()
    for credential in bad:
        answer = client(app, credential).get("/v1/me")
        assert answer.status_code == 401, credential
        bodies.add(answer.text)
    assert len(bodies) == 1
    assert client(app, good).get("/v1/me").status_code == 200
    for header in (good, f"Basic {good}", f"bearer {good}x", "Bearer", "Bearer "):
        assert TestClient(app, headers={"Authorization": header}).get("/v1/me").status_code == 401


def test_the_store_holds_no_key(app: FastAPI, tmp_path: Path) -> None:
    made = key(app, "viewer")
    client(app, made).get("/v1/me")
    with app.state.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    secret = made.split("_", 2)[2].encode()
    assert all(secret not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    with app.state.store.read() as session:
        row = session.scalars(select(KeyRow)).one()
    assert row.last_used_on == now().date()


def test_a_key_of_another_service_does_not_count(app: FastAPI, tmp_path: Path) -> None:
    """The database alone, with another secret, lets nobody in."""
    made = key(app, "viewer")
    other = service(tmp_path, AuthSettings(api_keys=True, secret="another secret of thirty-two letters"))
    assert client(other, made).get("/v1/me").status_code == 401
    assert client(app, made).get("/v1/me").status_code == 200


def test_the_secret_is_made_once_and_for_the_service_alone(tmp_path: Path) -> None:
    first = service_secret(AuthSettings(), tmp_path)
    assert service_secret(AuthSettings(), tmp_path) == first
    assert len(first) == 64
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    with pytest.raises(ValueError, match="32"):
        AuthSettings(secret="short")


def test_administrators_make_list_and_revoke_keys(app: FastAPI) -> None:
    administrator = client(app, key(app, "administrator"))
    answer = administrator.post("/v1/keys", json={"name": "batch", "roles": ["planner"], "councils": ["E1"]})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    batch = client(app, made["key"])
    assert batch.get("/v1/things/1").status_code == 200
    listed = administrator.get("/v1/keys")
    assert made["key"] not in listed.text
    assert {item["name"] for item in listed.json()["items"]} == {"batch", "test"}
    assert administrator.get(answer.headers["location"]).json()["live"] is True
    revoked = administrator.post(f"{answer.headers['location']}/revoke")
    assert revoked.status_code == 200
    assert administrator.post(f"{answer.headers['location']}/revoke").json() == revoked.json()
    assert batch.get("/v1/things/1").status_code == 401
    assert administrator.get(answer.headers["location"]).json()["live"] is False


@pytest.mark.parametrize("asked", [["E2"], ["E1", "E2"], ["*"]])
def test_nobody_grants_more_than_they_have(app: FastAPI, asked: list[str]) -> None:
    administrator = client(app, key(app, "administrator"))
    for scope in ({"councils": asked}, {"councils": ["E1"], "partnerships": ["North"]}, {"partnerships": ["*"]}):
        assert administrator.post("/v1/keys", json={"name": "more", "roles": ["viewer"], **scope}).status_code == 403
    assert len(administrator.get("/v1/keys").json()["items"]) == 1


def test_keys_of_other_councils_are_not_to_be_seen(app: FastAPI) -> None:
    administrator = client(app, key(app, "administrator", councils=("E1",)))
    for theirs in (key(app, "viewer", councils=("E2",)), key(app, "viewer", councils=("E1", "E2")), key(app, "viewer", councils=("*",))):
        key_id = theirs.split("_")[1]
        unknown = administrator.get("/v1/keys/0000000000000000")
        answer = administrator.get(f"/v1/keys/{key_id}")
        assert (answer.status_code, answer.text.replace(key_id, "0" * 16)) == (404, unknown.text)
        assert administrator.post(f"/v1/keys/{key_id}/revoke").status_code == 404
        assert client(app, theirs).get("/v1/me").status_code == 200
    assert len(administrator.get("/v1/keys").json()["items"]) == 1


@pytest.mark.parametrize("role", ["viewer", "planner", "approver"])
def test_others_have_no_say_over_keys_and_trail(app: FastAPI, role: Role) -> None:
    caller = client(app, key(app, role, councils=("*",)))
    assert caller.get("/v1/keys").status_code == 403
    assert caller.post("/v1/keys", json={"name": "x", "roles": ["viewer"]}).status_code == 403
    assert caller.get("/v1/keys/0000000000000000").status_code == 403
    assert caller.post("/v1/keys/0000000000000000/revoke").status_code == 403
    assert caller.get("/v1/trail").status_code == 403
    assert caller.get("/v1/trail/integrity").status_code == 403


def test_an_administrator_is_no_planner(app: FastAPI) -> None:
    assert client(app, key(app, "administrator")).get("/v1/things/1").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "roles": ["viewer"]},
        {"name": "x", "roles": []},
        {"name": "x", "roles": ["king"]},
        {"name": "x", "roles": ["viewer"], "days": 0},
        {"name": "x", "roles": ["viewer"], "days": 100_000},
        {"name": "x", "roles": ["viewer"], "owner": "y"},
    ],
)
def test_bad_keys_are_not_made(app: FastAPI, body: dict[str, Any]) -> None:
    assert client(app, key(app, "administrator")).post("/v1/keys", json=body).status_code == 422


def test_the_command_makes_the_first_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICIENCY_STORE_FOLDER", str(tmp_path))
    run = CliRunner()
    made = run.invoke(keys_command, ["create", "--name", "first", "--role", "administrator", "--council", "*"])
    assert made.exit_code == 0, made.output
    credential = made.stdout.strip().splitlines()[0]
    app = service(tmp_path)
    assert client(app, credential).get("/v1/keys").json()["items"][0]["created_by"] == "operator"
    key_id = credential.split("_")[1]
    assert key_id in run.invoke(keys_command, ["list"]).stdout
    assert run.invoke(keys_command, ["revoke", key_id]).exit_code == 0
    assert client(app, credential).get("/v1/keys").status_code == 401
    assert run.invoke(keys_command, ["revoke", "none"]).exit_code != 0
    assert run.invoke(keys_command, ["create", "--name", "x", "--role", "king"]).exit_code != 0
    assert [(row.owner, row.action) for row in deeds(app)] == [("operator", "keys create"), ("operator", "keys revoke")]
