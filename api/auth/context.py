"""What authentication keeps while the service runs, made once from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.auth.limits import Rates
from api.auth.secret import derived, service_secret
from api.auth.settings import AuthSettings
from api.auth.tokens import ProviderKeys
from api.store import Store


@dataclass(frozen=True)
class AuthContext:
    """Settings, keys and counters. ``provider`` is None without OpenID Connect."""

    settings: AuthSettings
    store: Store
    pepper: bytes
    trail_key: bytes
    rates: Rates
    provider: ProviderKeys | None


def auth_context(settings: AuthSettings, store: Store) -> AuthContext:
    """The context for these settings; makes the service's secret when there is none."""
    secret = service_secret(settings, store.folder)
    return AuthContext(
        settings=settings,
        store=store,
        pepper=derived(secret, "api keys"),
        trail_key=derived(secret, "audit trail"),
        rates=Rates(settings),
        provider=ProviderKeys(settings.tokens) if settings.tokens else None,
    )


def get_context(request: Request) -> AuthContext:
    """The context of this server."""
    context: AuthContext = request.app.state.auth
    return context


AuthDep = Annotated[AuthContext, Depends(get_context)]
