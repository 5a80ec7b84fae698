"""Entity tags: an answer that the caller has already is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

CACHING = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


def etag_of(*parts: object) -> str:
    """The tag of what these parts determine."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, etag: str) -> Response | None:
    """304 when the caller has this version."""
    given = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in given or given == ["*"]:
        return Response(status_code=304, headers={"ETag": etag, **CACHING})
    return None


class ConditionalRoute(APIRoute):
    """A route whose GET answers bear a tag; those that bear none get that of their content."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with tags."""
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await handle(request)
            body = getattr(response, "body", None)
            if request.method != "GET" or response.status_code != 200 or body is None or "etag" in response.headers:
                return response
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            response.headers.update({"ETag": etag, **CACHING})
            return unchanged(request, etag) or response

        return tagged
