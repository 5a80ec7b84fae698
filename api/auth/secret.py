"""The service's own secret: it keys the hashes of API keys and of the audit trail, and never leaves the service."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from api.auth.settings import AuthSettings

SECRET_FILE: Final = "secret.key"


def service_secret(settings: AuthSettings, folder: Path) -> bytes:
    """The secret of the settings, or else that of the store folder, which is made once and readable by the service's user only."""
    if settings.secret:
        return settings.secret.encode()
    path = folder / SECRET_FILE
    if not path.exists():
        _make(path)
    return path.read_bytes()


def derived(secret: bytes, purpose: str) -> bytes:
    """A key for one purpose: knowing it tells nothing of the keys for others."""
    return hmac.digest(secret, f"sufficiency {purpose}".encode(), "sha256")


def keyed_hash(key: bytes, text: str) -> str:
    """HMAC-SHA-256 in hexadecimal digits."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _make(path: Path) -> None:
    """Written whole under another name first; of two servers that start together one wins and both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_hex(32).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
