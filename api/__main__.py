"""``python -m api [--host 127.0.0.1] [--port 8000]``: the service, with the settings of the environment; ``... keys``, ``... plans``."""

from __future__ import annotations

import argparse
import sys

import uvicorn

from api.app import create_app
from api.auth.command import keys
from api.auth.settings import ExposedError
from api.plans_command import plans
from api.settings import read_settings


def main() -> None:
    """Serve until told to stop."""
    if sys.argv[1:2] == ["keys"]:
        keys(sys.argv[2:], prog_name="python -m api keys")
        return
    if sys.argv[1:2] == ["plans"]:
        plans(sys.argv[2:], prog_name="python -m api plans")
        return
    settings = read_settings()
    parser = argparse.ArgumentParser(prog="python -m api", description="The planning service. Its settings: docs/service.md")
    parser.add_argument("--host", default=settings.host, help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=settings.port, help="port to listen on (default %(default)s)")
    asked = parser.parse_args()
    settings = settings.model_copy(update={"host": asked.host, "port": asked.port})
    try:
        app = create_app(settings)
    except ExposedError as error:
        sys.exit(str(error))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        access_log=False,  # it would log paths and addresses; api.observe logs what is needed
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,  # longer than clients and proxies keep an idle connection, or one is closed just as it is used again
    )


if __name__ == "__main__":
    main()
