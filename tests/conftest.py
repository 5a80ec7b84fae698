"""What tests of the service share: a database of each kind, and a service with a planned tiny case."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import door
import pytest
import structlog
from fastapi import FastAPI
from postgres import Postgres, find_binaries, running
from service import Service

from api.settings import Settings


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; skips where its programs are not installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    with running(binaries) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind: empty text for SQLite in the store folder."""
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database(f"t{secrets.token_hex(6)}")


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without a worker on an empty database of each kind, called within this process."""
    settings = Settings(store_folder=tmp_path_factory.mktemp("service"), database_url=database_url, worker="none")
    with Service(settings) as running_service:
        yield running_service


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    """An empty folder for a store."""
    return tmp_path / "service"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """A small service behind the door of the real one."""
    made = door.service(tmp_path)
    with structlog.testing.capture_logs():
        yield made
    made.state.store.close()
