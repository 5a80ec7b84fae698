"""What a route may ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from api.auth.principal import Principal, current_principal
from api.settings import Settings
from api.store import Store


def get_store(request: Request) -> Store:
    """The store of this server."""
    store: Store = request.app.state.store
    return store


def get_settings(request: Request) -> Settings:
    """The settings of this server."""
    settings: Settings = request.app.state.settings
    return settings


StoreDep = Annotated[Store, Depends(get_store)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
Caller = Annotated[Principal, Depends(current_principal)]

Limit = Annotated[int, Query(ge=1, le=200, description="Most items in one answer")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the answer before")]
