"""Settings of authentication."""

from __future__ import annotations

from pydantic import BaseModel


class AuthSettings(BaseModel):
    """How callers prove who they are."""
