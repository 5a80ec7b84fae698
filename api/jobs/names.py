"""What workers are called."""

from __future__ import annotations

import os
import secrets
import socket


def worker_name() -> str:
    """A name that no other worker has or had."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"
