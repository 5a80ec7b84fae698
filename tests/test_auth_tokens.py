"""Bearer tokens: only those of the provider, for this service, in time, and by an allowed algorithm count."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from api.auth.principal import Principal
from api.auth.settings import TokenSettings
from api.auth.tokens import BadTokenError, ProviderKeys, ProviderUnreachableError, fetch_json, principal_of_token

ISSUER = "https://login.example.test/tenant"
SETTINGS = TokenSettings(issuer=ISSUER, audience="places", jwks_url=f"{ISSUER}/keys")
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})


class Provider:
    """A provider whose keys, clock and health the test holds."""

    def __init__(self, *keys: Any):
        self.published = [key.as_dict(private=False) for key in keys]
        self.fetches = 0
        self.away = False
        self.now = 0.0

    def fetch(self, url: str) -> Mapping[str, Any]:
        assert url == SETTINGS.jwks_url
        self.fetches += 1
        if self.away:
            raise ProviderUnreachableError("away")
        return {"keys": self.published}

    def keys(self, settings: TokenSettings = SETTINGS) -> ProviderKeys:
        return ProviderKeys(settings, self.fetch, lambda: self.now)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": "places", "sub": "7f3a", "iat": now, "exp": now + 300, "roles": ["planner"], "councils": ["E06000001"]}
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def signed(key: Any = RSA, alg: str = "RS256", header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, claims(**changes), key, algorithms=[alg])


def read(token: str, provider: Provider | None = None, settings: TokenSettings = SETTINGS) -> Principal:
    return principal_of_token(token, (provider or Provider(RSA, EC, ED)).keys(settings), settings)


def part(data: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")])
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_good_token_is_a_principal(key: Any, alg: str) -> None:
    assert read(signed(key, alg)) == Principal("oidc:7f3a", frozenset({"planner"}), frozenset({"E06000001"}), frozenset())


def test_a_programs_token_takes_the_same_path() -> None:
    """Client credentials: typ at+jwt, several audiences, the client as subject."""
    token = signed(
        header={"typ": "at+jwt"}, sub="batch-client", aud=["other", "places"], azp="batch-client", councils="E06000001,E06000002"
    )
    assert read(token) == Principal("oidc:batch-client", frozenset({"planner"}), frozenset({"E06000001", "E06000002"}))


BAD: dict[str, Callable[[], str]] = {
    "another audience": lambda: signed(aud="other"),
    "no audience": lambda: signed(aud=None),
    "another issuer": lambda: signed(iss="https://evil.example.test"),
    "an issuer that begins the same": lambda: signed(iss=f"{ISSUER}/"),
    "expired": lambda: signed(exp=int(time.time()) - 31),
    "no expiry": lambda: signed(exp=None),
    "expiry as text": lambda: signed(exp="2999"),
    "not yet": lambda: signed(nbf=int(time.time()) + 60),
    "issued in the future": lambda: signed(iat=int(time.time()) + 600),
    "no subject": lambda: signed(sub=None),
    "an empty subject": lambda: signed(sub=""),
    "a long subject": lambda: signed(sub="x" * 201),
    "a subject that is no text": lambda: signed(sub=7),
    "alg none": lambda: f"{part({'alg': 'none', 'kid': 'rsa'})}.{part(claims())}.",
    "alg None": lambda: f"{part({'alg': 'None', 'kid': 'rsa'})}.{part(claims())}.",
    "no alg": lambda: f"{part({'kid': 'rsa'})}.{part(claims())}.",
    "an alg that is a list": lambda: f"{part({'alg': ['RS256'], 'kid': 'rsa'})}.{part(claims())}.AAAA",
    "signed by a stranger under a known id": lambda: signed(STRANGER),
    "an RSA algorithm that is not allowed": lambda: signed(RSA, "RS512"),
    "a PSS algorithm that is not allowed": lambda: signed(RSA, "PS256"),
    "the key of another kind": lambda: signed(EC, "ES256", header={"kid": "rsa"}),
    "an identity that is typed otherwise": lambda: signed(header={"typ": "logout+jwt"}),
    "a critical header that nobody knows": lambda: f"{part({'alg': 'RS256', 'kid': 'rsa', 'crit': ['x'], 'x': 1})}.{part(claims())}.AAAA",
    "the key in the token itself": lambda: signed(STRANGER, header={"kid": "own", "jwk": STRANGER.as_dict(private=False)}),
    "keys at an address in the token": lambda: signed(STRANGER, header={"kid": "own", "jku": "https://evil.example.test/keys"}),
    "a key id that leads elsewhere": lambda: signed(STRANGER, header={"kid": "../../dev/null"}),
    "claims that are no object": lambda: f"{part({'alg': 'RS256', 'kid': 'rsa'})}.{base64.urlsafe_b64encode(b'[]').decode()}.AAAA",
    "an encrypted token": lambda: "a.b.c.d.e",
    "nothing": lambda: "",
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_token_does_not_count(why: str) -> None:
    with pytest.raises(BadTokenError):
        read(BAD[why]())


def test_the_public_key_is_no_shared_secret() -> None:
    """Key confusion: an HMAC made with the published RSA key as its secret, in every form the key is written in."""
    for secret in (RSA.as_pem(private=False), json.dumps(RSA.as_dict(private=False)).encode(), RSA.as_der(private=False)):
        body = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims())}"
        mac = base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), "sha256")).rstrip(b"=").decode()
        with pytest.raises(BadTokenError):
            read(f"{body}.{mac}")


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_secret_short_and_encryption_keys_are_not_taken_from_the_provider() -> None:
    secret = OctKey.generate_key(256, {"kid": "oct"})
    short = RSAKey.generate_key(1024, {"kid": "short"}, auto_kid=False)
    locker = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    provider = Provider(RSA)
    provider.published += [secret.as_dict(private=True), short.as_dict(private=False), locker.as_dict(private=False), {"kty": "RSA"}, 7]
    for key, alg in ((secret, "HS256"), (short, "RS256")):
        with pytest.raises(BadTokenError):
            read(signed(key, alg), provider)
    body = {name: value for name, value in locker.as_dict(private=True).items() if name != "use"}
    with pytest.raises(BadTokenError):
        read(signed(RSAKey.import_key(body)), provider)
    assert read(signed(), provider).subject == "oidc:7f3a"


def test_a_published_key_keeps_to_its_algorithm() -> None:
    pss = RSAKey.generate_key(2048, {"kid": "pss", "alg": "PS256"})
    plain = RSAKey.import_key({name: value for name, value in pss.as_dict(private=True).items() if name != "alg"})
    with pytest.raises(BadTokenError, match="published key"):
        read(signed(plain), Provider(pss))


def test_leeway_is_allowed_and_no_more() -> None:
    now = int(time.time())
    assert read(signed(exp=now - 20, nbf=now + 20))
    with pytest.raises(BadTokenError, match="expired"):
        read(signed(exp=now - 20), settings=SETTINGS.model_copy(update={"leeway_s": 0}))


def test_rotation_is_followed_but_not_at_every_whim() -> None:
    provider = Provider(RSA)
    keys = provider.keys()
    principal_of_token(signed(), keys, SETTINGS)
    assert provider.fetches == 1
    provider.published = [EC.as_dict(private=False)]
    with pytest.raises(BadTokenError):  # within the floor: not asked again
        principal_of_token(signed(EC, "ES256"), keys, SETTINGS)
    assert provider.fetches == 1
    provider.now = 31
    assert principal_of_token(signed(EC, "ES256"), keys, SETTINGS)
    assert provider.fetches == 2
    for _ in range(20):  # unknown ids do not make the service hammer the provider
        with pytest.raises(BadTokenError):
            principal_of_token(signed(header={"kid": "made-up"}), keys, SETTINGS)
    assert provider.fetches == 2
    provider.now = 62
    with pytest.raises(BadTokenError):  # the key that was withdrawn no longer counts
        principal_of_token(signed(RSA), keys, SETTINGS)


def test_a_withdrawn_key_stops_to_count_when_keys_are_due() -> None:
    provider = Provider(RSA, EC)
    keys = provider.keys()
    assert principal_of_token(signed(), keys, SETTINGS)
    provider.published = [EC.as_dict(private=False)]
    provider.now = SETTINGS.keys_fresh_s + 1
    with pytest.raises(BadTokenError):
        principal_of_token(signed(), keys, SETTINGS)


def test_known_keys_outlive_an_outage_for_a_while() -> None:
    provider = Provider(RSA)
    keys = provider.keys()
    principal_of_token(signed(), keys, SETTINGS)
    provider.away = True
    provider.now = SETTINGS.keys_fresh_s + 1
    assert principal_of_token(signed(), keys, SETTINGS)
    provider.now = SETTINGS.keys_stale_s + 1
    with pytest.raises(ProviderUnreachableError):
        principal_of_token(signed(), keys, SETTINGS)


def test_a_provider_that_was_never_reached_is_not_a_bad_token() -> None:
    provider = Provider(RSA)
    provider.away = True
    keys = provider.keys()
    for _ in range(3):
        with pytest.raises(ProviderUnreachableError):
            principal_of_token(signed(), keys, SETTINGS)
    assert provider.fetches == 1


def test_keys_are_discovered_from_the_issuer_only() -> None:
    settings = SETTINGS.model_copy(update={"jwks_url": None})
    answers: dict[str, Any] = {
        f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": "https://keys.example.test/k"},
        "https://keys.example.test/k": {"keys": [RSA.as_dict(private=False)]},
    }
    assert principal_of_token(signed(), ProviderKeys(settings, answers.__getitem__), settings)
    for wrong in ({"issuer": "https://evil.example.test"}, {"jwks_uri": "http://keys.example.test/k"}, {"jwks_uri": None}):
        about = answers[f"{ISSUER}/.well-known/openid-configuration"] | wrong
        with pytest.raises(ProviderUnreachableError):
            principal_of_token(
                signed(), ProviderKeys(settings, {**answers, f"{ISSUER}/.well-known/openid-configuration": about}.__getitem__), settings
            )


def test_claims_are_mapped_by_the_settings() -> None:
    settings = SETTINGS.model_copy(
        update={"roles_claim": "realm_access.roles", "roles": {"SEND-Planner": "planner"}, "councils_claim": "https://x.test/la"}
    )
    token = signed(
        **{"realm_access": {"roles": ["SEND-Planner", "administrator", 7]}, "https://x.test/la": ["*"], "partnerships": "North, South"}
    )
    assert read(token, settings=settings) == Principal("oidc:7f3a", frozenset({"planner"}), None, frozenset({"North", "South"}))


@pytest.mark.parametrize("value", [None, 7, True, {"E06000001": 1}, [["E06000001"]], [7, None], ""])
def test_scopes_of_another_form_give_nothing(value: Any) -> None:
    assert read(signed(councils=value, roles=value)) == Principal("oidc:7f3a", frozenset())


def test_providers_are_reached_over_https_only() -> None:
    for url in ("http://login.example.test", "ftp://login.example.test", "login.example.test", "http://127.0.0.1.example.test"):
        with pytest.raises(ValueError, match="https"):
            TokenSettings(issuer=url, audience="places")
    assert TokenSettings(issuer="http://127.0.0.1:9000", audience="places")


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.text(max_size=30), min_size=3, max_size=5).map(".".join)))
def test_garbage_is_a_bad_token_and_nothing_else(token: str) -> None:
    with pytest.raises(BadTokenError):
        read(token)


GOOD = signed()


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from("AQgw-_."))
def test_a_token_changed_anywhere_does_not_count(at: int, letter: str) -> None:
    changed = GOOD[:at] + letter + GOOD[at + 1 :]
    if base64_equal(changed, GOOD):
        return
    with pytest.raises(BadTokenError):
        read(changed)


def base64_equal(one: str, other: str) -> bool:
    """Whether two tokens carry the same bytes (the last letter of a part has unused bits)."""
    try:
        return [base64.urlsafe_b64decode(p + "==") for p in one.split(".")] == [
            base64.urlsafe_b64decode(p + "==") for p in other.split(".")
        ]
    except ValueError:
        return False


class Answers(BaseHTTPRequestHandler):
    """A provider over HTTP: discovery, keys, and answers that must not be believed."""

    def do_GET(self) -> None:
        """Answer by path."""
        here = f"http://127.0.0.1:{self.server.server_address[1]}"
        pages: dict[str, tuple[int, bytes]] = {
            "/.well-known/openid-configuration": (200, json.dumps({"issuer": here, "jwks_uri": f"{here}/keys"}).encode()),
            "/keys": (200, json.dumps({"keys": [RSA.as_dict(private=False)]}).encode()),
            "/elsewhere": (302, b""),
            "/list": (200, b"[]"),
            "/text": (200, b"<p>sign in</p>"),
            "/error": (500, b"{}"),
            "/large": (200, b'{"keys": "' + b"x" * 1_100_000 + b'"}'),
        }
        status, body = pages.get(self.path, (404, b"{}"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", f"{here}/keys")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_provider_is_discovered_over_http(provider_url: str) -> None:
    settings = TokenSettings(issuer=provider_url, audience="places")
    assert principal_of_token(signed(iss=provider_url), ProviderKeys(settings), settings).subject == "oidc:7f3a"


@pytest.mark.parametrize("path", ["elsewhere", "list", "text", "error", "large", "nothing"])
def test_a_provider_that_answers_otherwise_is_not_believed(provider_url: str, path: str) -> None:
    with pytest.raises(ProviderUnreachableError):
        fetch_json(f"{provider_url}/{path}")
    with pytest.raises(ProviderUnreachableError):
        fetch_json("http://127.0.0.1:9/closed")
