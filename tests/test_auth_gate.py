"""The door: who is let in, and what every answer carries."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from door import KEYS, client, key, service
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import RSAKey

from api.auth.gate import refuse_strangers
from api.auth.principal import Principal, Scoped, covers, permit, scope_names, scope_of, within
from api.auth.settings import AuthSettings, ExposedError, TokenSettings, check_exposure, is_loopback
from api.auth.tokens import ProviderKeys
from api.problems import ApiError
from api.settings import Settings, read_settings

FRIENDLY = {"host": "127.0.0.1:8000"}


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
