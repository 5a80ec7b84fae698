"""Headers that tell a browser to be careful with what it gets. A route may set its own; these stand where it did not."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""For the planner's page: scripts of this service only. Styles may stand in the page because the map library sets them."""

DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For everything else: nothing that is in it may run or load anything."""

ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STRICT_TRANSPORT: Final = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """ASGI middleware that adds the headers to every answer."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                add_headers(headers, scope)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def add_headers(headers: MutableHeaders, scope: Scope) -> None:
    """Fill in what the route left out. Answers to a caller are kept by the caller's own browser only, and asked for anew each time."""
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    page = headers.get("content-type", "").startswith("text/html") and "content-disposition" not in headers
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if page else DATA_POLICY)
    if "principal" in scope.get("state", {}):
        headers.setdefault("Cache-Control", "private, no-cache" if "etag" in headers else "no-store")
        if "authorization" not in headers.get("vary", "").lower():
            headers.add_vary_header("Authorization")
    if scope.get("scheme") == "https":
        headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
