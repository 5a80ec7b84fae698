"""How often one may ask, and how much one may send.

Counts are kept in the memory of each server process, so with several processes each allows the rate: they guard the service
against one caller taking it all, and a key against being guessed.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable

from fastapi import Request
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.keys import key_id_of
from api.auth.settings import AuthSettings
from api.problems import ApiError, problem_response, too_many


class Rates:
    """The three counters: per address, per caller, and failures per address and credential."""

    def __init__(self, settings: AuthSettings):
        self._counter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._per_address = parse_many(settings.rate_per_address)
        self._per_principal = parse_many(settings.rate_per_principal)
        self._failures = parse_many(settings.rate_failures)

    def count_address(self, address: str) -> None:
        """One more request of an address. Raises ApiError 429 with Retry-After."""
        self._hit(self._per_address, "address", address)

    def count_principal(self, subject: str) -> None:
        """One more request of a caller. Raises ApiError 429 with Retry-After."""
        self._hit(self._per_principal, "principal", subject)

    def check_failures(self, address: str, credential: str) -> None:
        """Raises ApiError 429 when this key or token has failed too often from the address; asked before it is looked at.

        Per key and token, so that one program with an old key doesn't shut out all who share its address.
        """
        for item in self._failures:
            if not self._counter.test(item, "failure", address, _name_of(credential)):
                raise self._refusal(item, "failure", address, _name_of(credential))

    def count_failure(self, address: str, credential: str) -> None:
        """One more failure of the key or token from the address."""
        for item in self._failures:
            self._counter.hit(item, "failure", address, _name_of(credential))

    def _hit(self, items: list[RateLimitItem], *who: str) -> None:
        for item in items:
            if not self._counter.hit(item, *who):
                raise self._refusal(item, *who)

    def _refusal(self, item: RateLimitItem, *who: str) -> ApiError:
        wait_s = self._counter.get_window_stats(item, *who).reset_time - time.time()
        return too_many(f"Too many requests: {item} are allowed. Wait before you ask again.", max(1, math.ceil(wait_s)))


def _name_of(credential: str) -> str:
    """A key's id, whatever its secret; of anything else a hash, for it may be long, and secret."""
    return key_id_of(credential) or hashlib.sha256(credential.encode(errors="replace")).hexdigest()[:32]


class _TooLargeError(Exception):
    """More has come than is allowed; stops whoever reads the body."""


class BodyLimit:
    """ASGI middleware: a body above the limit is answered 413, from its declared length or as soon as too much has come."""

    def __init__(self, app: ASGIApp, limit_of: Callable[[Scope], int]):
        self._app = app
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not declared.isdigit() or int(declared) > limit:
            await _too_large(scope, receive, send, limit)
            return
        seen = 0
        exceeded = started = answered = False

        async def counted() -> Message:
            nonlocal seen, exceeded
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                exceeded = True
                raise _TooLargeError
            return message

        async def guarded(message: Message) -> None:
            """Whatever the app makes of a body that was cut off, the answer is 413."""
            nonlocal started, answered
            if exceeded and not started:
                if not answered:
                    answered = True
                    await _too_large(scope, receive, send, limit)
                return
            started = True
            await send(message)

        try:
            await self._app(scope, counted, guarded)
        except _TooLargeError:
            if not started and not answered:
                await _too_large(scope, receive, send, limit)


async def _too_large(scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    error = ApiError(413, "too-large", f"The body may have at most {limit} bytes.", headers={"Connection": "close"})
    await problem_response(Request(scope), error)(scope, receive, send)
