"""OpenID Connect bearer tokens: the provider's keys, the checks of RFC 7519 and RFC 8725, and claims into a `Principal`.

Tokens of people (authorisation code) and of programs (client credentials) take the same path: both are access tokens of the same
issuer for the same audience, and what they may do stands in their claims.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from api.auth.principal import Principal, scope_of
from api.auth.settings import TokenSettings, confidential

PublicKey = RSAKey | ECKey | OKPKey
Fetch = Callable[[str], Mapping[str, Any]]

LEAST_RSA_BITS: Final = 2048
LONGEST_SUBJECT: Final = 200
MOST_KEYS_BYTES: Final = 1_000_000


class BadTokenError(Exception):
    """The token doesn't count; the message says why in words that help its owner and nobody else."""


class ProviderUnreachableError(Exception):
    """The provider's keys can't be had, so no token can be checked: 503, not 401."""


def fetch_json(url: str) -> Mapping[str, Any]:
    """The JSON object at an address: no redirects, 5 s, 1 MB. Raises `ProviderUnreachableError`."""
    try:
        with httpx.Client(timeout=5.0, follow_redirects=False) as client, client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ProviderUnreachableError(f"{url} answered {answer.status_code}")
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MOST_KEYS_BYTES:
                    raise ProviderUnreachableError(f"{url} answered more than {MOST_KEYS_BYTES} bytes")
        document = httpx.Response(200, content=bytes(body)).json()
    except (httpx.HTTPError, ValueError) as error:
        raise ProviderUnreachableError(f"{url}: {error}") from error
    if not isinstance(document, dict):
        raise ProviderUnreachableError(f"{url} did not answer a JSON object")
    return document


@dataclass(frozen=True)
class _Fetched:
    keys: tuple[PublicKey, ...]
    at: float


class ProviderKeys:
    """The provider's public keys, cached. An unknown key id has them fetched again, at most once per ``keys_floor_s``."""

    def __init__(self, settings: TokenSettings, fetch: Fetch = fetch_json, clock: Callable[[], float] = time.monotonic):
        self._settings = settings
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._fetched: _Fetched | None = None
        self._tried_at: float | None = None

    def key(self, kid: str | None) -> PublicKey:
        """The key of that id; without an id, the only key there is. Raises `BadTokenError`, `ProviderUnreachableError`."""
        known = self._fetched
        if known is None or self._age(known) >= self._settings.keys_fresh_s or _pick(known.keys, kid) is None:
            known = self._refresh(known)
        found = _pick(known.keys, kid)
        if found is None:
            raise BadTokenError("it is signed with a key that the provider doesn't publish")
        return found

    def _age(self, fetched: _Fetched) -> float:
        return self._clock() - fetched.at

    def _refresh(self, seen: _Fetched | None) -> _Fetched:
        """Fetch anew unless another thread just did, or the floor forbids it; keys that are not stale outlive a failure."""
        with self._lock:
            known = self._fetched
            if known is not None and known is not seen:
                return known
            may_try = self._tried_at is None or self._clock() - self._tried_at >= self._settings.keys_floor_s
            if may_try:
                self._tried_at = self._clock()
                try:
                    self._fetched = known = _Fetched(self._published(), self._clock())
                except ProviderUnreachableError:
                    if known is None or self._age(known) >= self._settings.keys_stale_s:
                        raise
            if known is None or self._age(known) >= self._settings.keys_stale_s:
                raise ProviderUnreachableError("the provider's keys could not be fetched a moment ago")
            return known

    def _published(self) -> tuple[PublicKey, ...]:
        document = self._fetch(self._settings.jwks_url or self._discovered())
        entries = document.get("keys")
        if not isinstance(entries, list):
            raise ProviderUnreachableError("the provider's key set has no list of keys")
        return tuple(key for entry in entries if (key := _usable(entry)) is not None)

    def _discovered(self) -> str:
        about = self._fetch(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        address = about.get("jwks_uri")
        if about.get("issuer") != self._settings.issuer or not isinstance(address, str):
            raise ProviderUnreachableError("the provider's configuration names another issuer, or no keys")
        try:
            return confidential(address)
        except ValueError as error:
            raise ProviderUnreachableError(f"the provider's keys are at {address}: {error}") from error


def _pick(keys: tuple[PublicKey, ...], kid: str | None) -> PublicKey | None:
    if kid is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.kid == kid), None)


def _usable(entry: object) -> PublicKey | None:
    """A published signature key that counts; secret keys, keys to encrypt with, short and garbled ones don't."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry or "k" in entry:
        return None
    try:
        key = JWKRegistry.import_key(entry)
        if isinstance(key, RSAKey):
            return key if key.public_key.key_size >= LEAST_RSA_BITS else None
        return key if isinstance(key, ECKey | OKPKey) else None
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def principal_of_token(token: str, keys: ProviderKeys, settings: TokenSettings, now: Callable[[], float] = time.time) -> Principal:
    """Check the token and read its claims. Raises `BadTokenError`, `ProviderUnreachableError`."""
    claims = _verified(token, keys, settings)
    _check_claims(claims, settings, int(now()))
    return principal_of_claims(claims, settings)


def _verified(token: str, keys: ProviderKeys, settings: TokenSettings) -> dict[str, Any]:
    """The claims of a token whose signature stands. The algorithm must be allowed, and be one for the kind of the published key."""
    registry = JWSRegistry(algorithms=settings.algorithms, strict_check_header=False)

    def find(guest: Any) -> PublicKey:
        header = guest.headers()
        if header.get("alg") not in settings.algorithms:
            raise BadTokenError("its algorithm is not allowed")
        if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in ("jwt", "at+jwt"):
            raise BadTokenError("it is not an access token")
        kid = header.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise BadTokenError("its key id is not a text")
        key = keys.key(kid)
        if key.alg is not None and key.alg != header["alg"] and {key.alg, header["alg"]} != {"EdDSA", "Ed25519"}:
            raise BadTokenError("its algorithm is not that of the published key")
        return key

    try:
        return jwt.decode(token, find, algorithms=settings.algorithms, registry=registry).claims
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadTokenError("its form or signature is not valid") from error


def _check_claims(claims: dict[str, Any], settings: TokenSettings, now: int) -> None:
    checks = jwt.JWTClaimsRegistry(
        now=now,
        leeway=settings.leeway_s,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.audience},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        checks.validate(claims)
    except ExpiredTokenError as error:
        raise BadTokenError("it has expired") from error
    except JoseError as error:
        raise BadTokenError(f"its claim {getattr(error, 'claim', '')} does not hold".replace("  ", " ")) from error
    if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise BadTokenError("its claim sub does not hold")


def principal_of_claims(claims: Mapping[str, Any], settings: TokenSettings) -> Principal:
    """Roles and scope as the settings map them. Roles that the settings don't name count for nothing."""
    roles = frozenset(settings.roles[name] for name in _names(claims, settings.roles_claim) if name in settings.roles)
    return Principal(
        subject=f"oidc:{claims['sub']}",
        roles=roles,
        councils=scope_of(_names(claims, settings.councils_claim)),
        partnerships=scope_of(_names(claims, settings.partnerships_claim)),
    )


def _names(claims: Mapping[str, Any], path: str) -> list[str]:
    """The texts of a claim: a list, or one text with commas between names. A claim of another form gives none."""
    value: Any = claims
    for step in [path] if path in claims else path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        value = value.split(",")
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
