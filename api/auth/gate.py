"""The door of the service (ASGI): who asks, how often, and what is remembered of it.

Everything needs a caller except the paths in ``PUBLIC``: a new route is closed until it is opened here. The caller is found out before
any of the body is read, so a stranger can't send an upload.
"""

from __future__ import annotations

import contextlib
import secrets
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import structlog
from anyio import to_thread
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import trail
from api.auth.context import AuthContext
from api.auth.keys import BadKeyError, looks_like_a_key, principal_of_key, row_of_key
from api.auth.models import KeyRow
from api.auth.principal import LOCAL, Principal, Scoped, noted, unauthenticated
from api.auth.settings import is_loopback
from api.auth.tokens import BadTokenError, ProviderUnreachableError, principal_of_token
from api.observe import template_of
from api.problems import ApiError, problem_response

log = structlog.get_logger("api.auth")

PUBLIC: Final = frozenset({"/", "/health", "/ready", "/openapi.json"})
PUBLIC_FOLDERS: Final = ("/assets/",)
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
NOTHING_ASKED: Final = frozenset({400, 401, 405, 406, 413, 415, 422, 429})
"""Answers to a change that couldn't be tried: not remembered."""


class Gate:
    """ASGI middleware. Puts the caller into ``scope["state"]["principal"]``."""

    def __init__(self, app: ASGIApp, context: AuthContext):
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            principal = await self._admitted(scope)
        except ApiError as error:
            await problem_response(Request(scope), error)(scope, receive, send)
            return
        if principal is None:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        await self._remembered(scope, receive, send, principal)

    async def _admitted(self, scope: Scope) -> Principal | None:
        """The caller; None on a public path. Raises ApiError 401, 403, 429, 503."""
        address = scope["client"][0] if scope.get("client") else "here"
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if not self._context.settings.required:
            refuse_strangers(scope)
        if is_public(scope["method"], path):
            return None
        self._context.rates.count_address(address)
        if not self._context.settings.required:
            return LOCAL
        principal = await self._authenticated(scope, address)
        self._context.rates.count_principal(principal.subject)
        return principal

    async def _authenticated(self, scope: Scope, address: str) -> Principal:
        kind, _, credential = Headers(scope=scope).get("authorization", "").partition(" ")
        if not kind:
            raise unauthenticated("Say who you are: send `Authorization: Bearer` with a token or an API key.")
        credential = credential.strip()
        self._context.rates.check_failures(address, credential)
        try:
            if kind.lower() != "bearer":
                raise BadTokenError("it is not sent as `Authorization: Bearer`")
            return await to_thread.run_sync(self._principal_of, credential)
        except (BadKeyError, BadTokenError) as error:
            self._context.rates.count_failure(address, credential)
            log.warning("credential refused", reason=str(error) or "bad key")
            raise unauthenticated(f"The credential does not count: {error or 'it is not a key in use'}.", "invalid_token") from error
        except ProviderUnreachableError as error:
            log.error("provider unreachable", reason=str(error))
            raise ApiError(
                503, "provider-away", "Tokens can't be checked: the provider does not answer.", headers={"Retry-After": "30"}
            ) from error

    def _principal_of(self, credential: str) -> Principal:
        settings = self._context.settings
        if settings.api_keys and looks_like_a_key(credential):
            with self._context.store.read() as session:
                row = row_of_key(session, self._context.pepper, credential)
            if row.last_used_on != datetime.now(UTC).date():
                self._mark_used(row.id)
            return principal_of_key(row)
        if settings.tokens is None or self._context.provider is None:
            raise BadKeyError
        return principal_of_token(credential, self._context.provider, settings.tokens)

    def _mark_used(self, key_id: str) -> None:
        """Once a day, so that keys nobody uses can be told."""
        with self._context.store.write() as session:
            row = session.get(KeyRow, key_id)
            if row is not None:
                row.last_used_on = datetime.now(UTC).date()

    async def _remembered(self, scope: Scope, receive: Receive, send: Send, principal: Principal) -> None:
        """Run the request; a change or a download is in the trail before its answer goes out, and without a trail it does not go out."""
        resources: list[Scoped] = []
        replaced = started = False

        async def watched(message: Message) -> None:
            nonlocal replaced, started
            if replaced:
                return
            if message["type"] == "http.response.start" and is_remembered(
                scope["method"], message["status"], Headers(raw=message["headers"])
            ):
                try:
                    await to_thread.run_sync(self._remember, deed_of(scope, principal, resources, message))
                except Exception as failure:
                    replaced = True
                    log.error("the audit trail could not be written", error=type(failure).__name__)
                    error = ApiError(
                        503, "trail-away", "The audit trail can't be written, so this is not answered.", headers={"Retry-After": "5"}
                    )
                    await problem_response(Request(scope), error)(scope, receive, send)
                    return
            started = True
            await send(message)

        token = noted.set(resources)
        try:
            await self._app(scope, receive, watched)
        except Exception:
            if not started and scope["method"] not in SAFE_METHODS:
                with contextlib.suppress(Exception):
                    failed: Message = {"status": 500, "headers": []}
                    await to_thread.run_sync(self._remember, deed_of(scope, principal, resources, failed))
            raise
        finally:
            noted.reset(token)

    def _remember(self, deed: trail.Deed) -> None:
        with self._context.store.write() as session:
            trail.append(session, self._context.trail_key, deed)


def is_public(method: str, path: str) -> bool:
    """Whether anybody may ask: the page, its scripts, the service's health and its description."""
    return method in SAFE_METHODS and (path in PUBLIC or path.startswith(PUBLIC_FOLDERS))


def is_remembered(method: str, status: int, headers: Headers) -> bool:
    """Changes that were tried, whatever came of them, and downloads: answers that are handed out as files."""
    if method not in SAFE_METHODS:
        return status not in NOTHING_ASKED
    return method == "GET" and status in (200, 206) and headers.get("content-disposition", "").startswith("attachment")


def deed_of(scope: Scope, principal: Principal, resources: list[Scoped], answer: Message) -> trail.Deed:
    """What the trail remembers of a request: ids and the path's template, never its query or body."""
    location = Headers(raw=answer["headers"]).get("location", "")
    ids = [
        *(resource.id for resource in resources),
        *(str(value) for value in scope.get("path_params", {}).values()),
        urlsplit(location).path.rsplit("/", 1)[-1],
    ]
    return trail.Deed(
        subject=principal.subject,
        action=f"{scope['method']} {template_of(scope)}",
        resource=" ".join(dict.fromkeys(filter(None, ids))),
        councils=frozenset().union(*(resource.councils for resource in resources)),
        status=answer["status"],
        request_id=str(scope.get("state", {}).get("request_id") or secrets.token_hex(8)),
    )


def refuse_strangers(scope: Scope) -> None:
    """Without authentication, only this machine is answered, and no page of another site. Raises ApiError 403.

    The address guards a server started with a public ``--host`` or behind a proxy; the ``Host`` header guards against names of other
    sites that resolve to this machine (DNS rebinding); ``Origin`` against pages of other sites that change things here. A client
    without an IP address is on this machine (a Unix socket, or a caller in the same process), and a host name without a dot can't be
    another site's.
    """
    headers = Headers(scope=scope)
    client = scope["client"][0] if scope.get("client") else ""
    host = urlsplit(f"//{headers.get('host', 'localhost')}").hostname or ""
    origin = headers.get("origin")
    from_own_page = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    here = (
        _is_here(client)
        and not any(name in headers for name in ("forwarded", "x-forwarded-for", "x-forwarded-host"))
        and (is_loopback(host) or ("." not in host and ":" not in host))
        and (scope["method"] in SAFE_METHODS or (from_own_page and (origin is None or urlsplit(origin).netloc == headers.get("host"))))
    )
    if not here:
        raise ApiError(
            403, "forbidden", "Without authentication the service answers on this machine only. Set API keys or OpenID Connect to open it."
        )


def _is_here(client: str) -> bool:
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return True
