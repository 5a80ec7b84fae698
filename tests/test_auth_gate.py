"""The door: who is let in, how often, with how much, and what is remembered of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select, text, update
from sqlalchemy.exc import DatabaseError
from starlette.datastructures import Headers
from typer.testing import CliRunner

from api import problems
from api.auth import trail
from api.auth.command import keys as keys_command
from api.auth.gate import is_remembered, refuse_strangers
from api.auth.install import install
from api.auth.keys import Grant, create_key
from api.auth.models import KeyRow, TrailHeadRow, TrailRow
from api.auth.principal import LOCAL, Principal, Role, Scoped, covers, permit, scope_names, scope_of, within
from api.auth.routes import router
from api.auth.secret import service_secret
from api.auth.settings import AuthSettings, ExposedError, TokenSettings, check_exposure, is_loopback
from api.auth.tokens import ProviderKeys
from api.problems import ApiError
from api.settings import Limits, Settings, read_settings
from api.state import Caller
from api.store import Store
from api.store.models import now

KEYS = AuthSettings(api_keys=True)
FRIENDLY = {"host": "127.0.0.1:8000"}


def service(folder: Path, auth: AuthSettings = KEYS, limits: Limits | None = None, **more: Any) -> FastAPI:
    """A small service behind the door: something to read, to change, to download, and to break."""
    settings = Settings(store_folder=folder, auth=auth, limits=limits or Limits(), **more)
    store = Store(settings)
    store.migrate()
    app = FastAPI()
    app.state.settings, app.state.store = settings, store
    problems.install(app)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse("<p>page</p>")

    @app.get("/v1/things/{thing_id}")
    def read(thing_id: str, caller: Caller) -> dict[str, str]:
        permit(caller, "read", Scoped("thing", thing_id, "somebody", frozenset({"E1"})))
        return {"id": thing_id, "subject": caller.subject}

    @app.post("/v1/things/{thing_id}")
    async def change(thing_id: str, request: Request, caller: Caller) -> dict[str, int]:
        permit(caller, "change", Scoped("thing", thing_id, "somebody", frozenset({"E1"})))
        return {"bytes": len(await request.body())}

    @app.post("/v1/cases", status_code=201)
    async def upload(request: Request, response: Response) -> dict[str, int]:
        response.headers["Location"] = "/v1/cases/case-77"
        return {"bytes": len(await request.body())}

    @app.get("/v1/things/{thing_id}/file")
    def download(thing_id: str, caller: Caller) -> Response:
        permit(caller, "read", Scoped("thing", thing_id, "somebody", frozenset({"E1"})))
        return StreamingResponse(iter([b"a", b"b"]), headers={"Content-Disposition": 'attachment; filename="x.csv"'})

    @app.post("/v1/broken")
    def broken() -> None:
        raise RuntimeError("broken")

    app.include_router(router, prefix="/v1")
    install(app, settings, store)
    return app


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    made = service(tmp_path)
    yield made
    made.state.store.close()


def key(app: FastAPI, *roles: Role, councils: tuple[str, ...] = ("E1",), creator: Principal = LOCAL, **more: Any) -> str:
    grant = Grant("test", frozenset(roles), scope_of(councils), frozenset(), more.get("days"))
    with app.state.store.write() as session:
        return create_key(session, app.state.auth.pepper, creator, grant)[1]


def client(app: FastAPI, credential: str | None = None) -> TestClient:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return TestClient(app, headers=headers, raise_server_exceptions=False)


def deeds(app: FastAPI) -> list[TrailRow]:
    with app.state.store.read() as session:
        return list(session.scalars(select(TrailRow).order_by(TrailRow.number)))


# -- scopes ------------------------------------------------------------------------------------------------------------------------

names = st.frozensets(st.sampled_from("ABCD"))
scopes = st.one_of(st.none(), names)


@given(scopes, scopes, names)
def test_scopes_are_sets(one: frozenset[str] | None, other: frozenset[str] | None, asked: frozenset[str]) -> None:
    """What is within a scope covers no more than the scope; nobody's things are covered by everything only."""
    if within(one, other) and covers(one, asked):
        assert covers(other, asked)
    assert covers(None, asked)
    assert covers(one, frozenset()) is (one is None)
    assert scope_of(scope_names(one)) == one


def test_without_a_grant_nothing_is_allowed() -> None:
    nobody = Principal("x", frozenset())
    with pytest.raises(ApiError) as refused:
        permit(nobody, "read", "case")
    assert refused.value.status == 403
    with pytest.raises(ApiError) as hidden:
        permit(nobody, "read", Scoped("case", "case-1", "other", frozenset({"E1"})))
    assert hidden.value.status == 404


def test_what_bears_no_council_needs_all_councils() -> None:
    nobodys = Scoped("set", "set-1", "one", frozenset())
    permit(Principal("other", frozenset({"planner"}), None), "read", nobodys)
    with pytest.raises(ApiError) as hidden:
        permit(Principal("one", frozenset({"planner"}), frozenset({"E1"})), "read", nobodys)
    assert hidden.value.status == 404


# -- starting ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.4", "places.example.test", "", "127.0.0.1.example.test", "169.254.1.1"])
def test_a_public_address_needs_authentication(host: str, tmp_path: Path) -> None:
    with pytest.raises(ExposedError, match="does not start"):
        service(tmp_path, AuthSettings(), host=host)
    check_exposure(host, KEYS)


def test_the_program_does_not_start_on_a_public_address(tmp_path: Path) -> None:
    environment = {**os.environ, "SUFFICIENCY_STORE_FOLDER": str(tmp_path), "SUFFICIENCY_WORKER": "none"}
    command = [sys.executable, "-m", "api", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The service does not start: it would listen on 0.0.0.0")


def test_wrong_settings_are_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICIENCY_AUTH__SECRET", "hunter2")
    monkeypatch.setenv("SUFFICIENCY_AUTH__TOKENS__ISSUER", "http://login.example.test")
    with pytest.raises(SystemExit) as ended:
        read_settings()
    told = str(ended.value)
    assert "SUFFICIENCY_AUTH__SECRET: String should have at least 32 characters" in told
    assert "SUFFICIENCY_AUTH__TOKENS__ISSUER" in told
    assert "hunter2" not in told
    with pytest.raises(ValueError, match="secret") as raised:
        Settings()
    assert "hunter2" not in str(raised.value)
    assert "s" * 32 not in repr(AuthSettings(secret="s" * 32))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.9.1"])
def test_this_machine_needs_none(host: str) -> None:
    assert is_loopback(host)
    check_exposure(host, AuthSettings())


def asked_from(client_address: str | None, method: str = "POST", **headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in {**FRIENDLY, **headers}.items()]
    return {"type": "http", "method": method, "headers": raw, "client": (client_address, 1) if client_address else None, "path": "/v1/me"}


@pytest.mark.parametrize(
    "scope",
    [
        asked_from("10.0.0.9"),
        asked_from("127.0.0.1", x_forwarded_for="10.0.0.9"),
        asked_from("127.0.0.1", forwarded="for=10.0.0.9"),
        asked_from("127.0.0.1", host="rebound.example.test:8000"),
        asked_from("127.0.0.1", host="10.0.0.4:8000"),
        asked_from("127.0.0.1", host="[2001:db8::1]:8000"),
        asked_from("127.0.0.1", origin="https://evil.example.test"),
        asked_from("127.0.0.1", origin="null"),
        asked_from("127.0.0.1", origin="http://127.0.0.1:9999"),
        asked_from("127.0.0.1", sec_fetch_site="cross-site"),
    ],
)
def test_without_authentication_strangers_are_refused(scope: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        refuse_strangers(scope)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "scope",
    [
        asked_from("127.0.0.1"),
        asked_from("::1", host="[::1]:8000"),
        asked_from(None, host="localhost"),
        asked_from("127.0.0.1", origin="http://127.0.0.1:8000", sec_fetch_site="same-origin"),
        asked_from("127.0.0.1", "GET", sec_fetch_site="cross-site"),
    ],
)
def test_without_authentication_this_machine_is_answered(scope: dict[str, Any]) -> None:
    refuse_strangers(scope)


def test_the_one_local_user_may_do_everything(tmp_path: Path) -> None:
    app = service(tmp_path, AuthSettings())
    assert TestClient(app, base_url="http://127.0.0.1:8000").get("/v1/me").json()["councils"] == ["*"]
    assert TestClient(app, base_url="http://places.example.test").get("/v1/me").status_code == 403
    assert TestClient(app, client=("10.0.0.9", 1)).get("/health").status_code == 403


# -- keys --------------------------------------------------------------------------------------------------------------------------


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


# -- tokens at the door ------------------------------------------------------------------------------------------------------------


def test_tokens_and_keys_stand_side_by_side(tmp_path: Path) -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "k"})
    tokens = TokenSettings(issuer="https://id.example.test", audience="places", jwks_url="https://id.example.test/k")
    app = service(tmp_path, AuthSettings(api_keys=True, tokens=tokens))
    object.__setattr__(app.state.auth, "provider", ProviderKeys(tokens, lambda url: {"keys": [rsa.as_dict(private=False)]}))
    claims = {"iss": tokens.issuer, "aud": "places", "sub": "u1", "exp": int(time.time()) + 60, "roles": ["viewer"], "councils": ["E1"]}
    token = jwt.encode({"alg": "RS256", "kid": "k"}, claims, rsa)
    assert client(app, token).get("/v1/things/1").json()["subject"] == "oidc:u1"
    assert client(app, key(app, "viewer")).get("/v1/things/1").json()["subject"].startswith("key:")
    expired = jwt.encode({"alg": "RS256", "kid": "k"}, claims | {"exp": 1}, rsa)
    assert "expired" in client(app, expired).get("/v1/things/1").json()["detail"]


def test_an_unreachable_provider_is_no_fault_of_the_caller(tmp_path: Path) -> None:
    tokens = TokenSettings(issuer="http://127.0.0.1:9", audience="places")
    app = service(tmp_path, AuthSettings(tokens=tokens))
    rsa = RSAKey.generate_key(2048, {"kid": "k"})
    answer = client(app, jwt.encode({"alg": "RS256", "kid": "k"}, {"sub": "x"}, rsa)).get("/v1/me")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert client(app, "spk_0123456789abcdef_" + "A" * 43).get("/v1/me").status_code == 401


# -- limits ------------------------------------------------------------------------------------------------------------------------


def test_rates_are_per_caller(tmp_path: Path) -> None:
    app = service(tmp_path, AuthSettings(api_keys=True, rate_per_principal="3/minute"))
    one, other = client(app, key(app, "viewer")), client(app, key(app, "viewer"))
    assert [one.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = one.get("/v1/me")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["type"].endswith("limit")
    assert other.get("/v1/me").status_code == 200
    assert one.get("/health").status_code == 200


def test_rates_are_per_address(tmp_path: Path) -> None:
    app = service(tmp_path, AuthSettings(api_keys=True, rate_per_address="3/minute"))
    credential = key(app, "viewer")
    assert [client(app, credential).get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    elsewhere = TestClient(app, headers={"Authorization": f"Bearer {credential}"}, client=("10.0.0.9", 1))
    assert elsewhere.get("/v1/me").status_code == 200


def test_guessing_is_stopped_even_when_the_guess_is_right_at_last(tmp_path: Path) -> None:
    app = service(tmp_path, AuthSettings(api_keys=True, rate_failures="5/minute"))
    good, another = key(app, "viewer"), key(app, "viewer")
    tried = [client(app, f"{good[:-2]}{n:02}").get("/v1/me").status_code for n in range(6)]
    assert tried == [401] * 5 + [429]
    assert client(app, good).get("/v1/me").status_code == 429
    assert client(app, another).get("/v1/me").status_code == 200
    assert [client(app, "an.old.token").get("/v1/me").status_code for _ in range(6)] == [401] * 5 + [429]
    assert TestClient(app, headers={"Authorization": f"Bearer {good}"}, client=("10.0.0.9", 1)).get("/v1/me").status_code == 200


def test_bodies_have_a_limit_declared_or_not(tmp_path: Path) -> None:
    app = service(tmp_path, limits=Limits(body_bytes=1024, upload_bytes=4096))
    planner = client(app, key(app, "planner"))
    assert planner.post("/v1/things/1", content=b"x" * 1024).json() == {"bytes": 1024}
    declared = planner.post("/v1/things/1", content=b"x" * 1025)
    streamed = planner.post("/v1/things/1", content=(b"x" * 100 for _ in range(11)))
    assert declared.status_code == streamed.status_code == 413
    assert streamed.json()["type"].endswith("too-large")
    assert planner.post("/v1/cases", content=b"x" * 4096).json() == {"bytes": 4096}
    assert planner.post("/v1/cases", content=(b"x" * 1000 for _ in range(5))).status_code == 413
    assert planner.post("/v1/things/1", content=b"x", headers={"Content-Length": "-1"}).status_code == 413


def test_a_stranger_s_upload_is_not_read(tmp_path: Path) -> None:
    app = service(tmp_path)
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/cases",
        "raw_path": b"/v1/cases",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 401
    assert asked == 0


# -- headers -----------------------------------------------------------------------------------------------------------------------


def test_every_answer_tells_browsers_to_be_careful(app: FastAPI) -> None:
    viewer = client(app, key(app, "viewer"))
    answers = [viewer.get("/v1/me"), viewer.get("/health"), viewer.get("/"), client(app).get("/v1/me"), viewer.get("/v1/nothing")]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in answer.headers
    assert "default-src 'none'" in answers[0].headers["content-security-policy"]
    assert "script-src" not in answers[2].headers["content-security-policy"]
    assert "default-src 'self'" in answers[2].headers["content-security-policy"]
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[0].headers["vary"] == "Authorization"
    assert TestClient(app, base_url="https://places.example.test").get("/health").headers["strict-transport-security"]
    assert "access-control-allow-origin" not in viewer.get("/v1/me", headers={"Origin": "https://evil.example.test"}).headers


def test_the_description_tells_what_the_door_may_answer(app: FastAPI, tmp_path: Path) -> None:
    document = app.openapi()
    change = document["paths"]["/v1/things/{thing_id}"]["post"]
    assert change["security"] == [{"bearer": []}]
    assert {"401", "403", "429", "503"} <= set(change["responses"])
    assert "security" not in document["paths"]["/health"]["get"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["components"]["schemas"]["Problem"]["properties"]["problems"]["items"] == {"$ref": "#/components/schemas/Fault"}
    assert "Fault" in document["components"]["schemas"]
    assert "413" in document["paths"]["/v1/keys"]["post"]["responses"]
    open_service = service(tmp_path / "open", AuthSettings()).openapi()
    assert "securitySchemes" not in open_service["components"]
    assert "security" not in open_service["paths"]["/v1/me"]["get"]


def test_a_method_that_a_path_does_not_take_is_told_those_that_it_takes(app: FastAPI) -> None:
    caller = client(app, key(app, "viewer"))
    for path, methods in (("/v1/keys", "GET, POST"), ("/v1/keys/1", "GET"), ("/v1/things/1", "GET, POST")):
        answer = caller.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


# -- trail -------------------------------------------------------------------------------------------------------------------------


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


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=60).filter(lambda value: value.isprintable()), st.sampled_from(["Bearer ", "bearer  ", "", "Basic ", "Bearer spk_"])
)
def test_no_header_opens_the_door(door: TestClient, value: str, kind: str) -> None:
    header = f"{kind}{value}".encode()
    assert door.get("/v1/me", headers={b"Authorization": header}).status_code == 401


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return TestClient(service(tmp_path_factory.mktemp("door"), AuthSettings(api_keys=True, rate_failures="100000/minute")))
