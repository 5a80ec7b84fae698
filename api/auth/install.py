"""Puts authentication, limits and headers before an application."""

from __future__ import annotations

import re
from typing import Final

from fastapi import FastAPI
from starlette.types import Scope

from api.auth.context import auth_context
from api.auth.described import describe
from api.auth.gate import Gate
from api.auth.headers import SecurityHeaders
from api.auth.limits import BodyLimit
from api.auth.settings import check_exposure
from api.settings import Settings
from api.store import Store

UPLOADS: Final = re.compile(r"/v1/cases(/[^/]+/versions)?")
"""Paths that take files; all other bodies are small."""


def install(app: FastAPI, settings: Settings, store: Store) -> None:
    """Add the middleware (from the inside out: body limit, gate, headers). Raises ExposedError (see check_exposure)."""
    check_exposure(settings.host, settings.auth)
    app.state.auth = context = auth_context(settings.auth, store)

    def limit_of(scope: Scope) -> int:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        upload = scope["method"] == "POST" and UPLOADS.fullmatch(path) is not None
        return settings.limits.upload_bytes if upload else settings.limits.body_bytes

    describe(app, settings.auth)
    app.add_middleware(BodyLimit, limit_of=limit_of)
    app.add_middleware(Gate, context=context)
    app.add_middleware(SecurityHeaders)
