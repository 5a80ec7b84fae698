"""Store: the database and the folders beside it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api.settings import Settings

BUSY_MS = 15_000
MIGRATION_LOCK = 7_362_001
"""Any number: two servers that start together migrate one after the other."""


class Store:
    """Rows and folders. ``read()`` and ``write()`` open a session; a write is committed when its block ends."""

    def __init__(self, settings: Settings) -> None:
        self.folder = Path(settings.store_folder).resolve()
        for folder in (self.cases, self.plans, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        self.engine = _engine(settings.database)
        self._writing = self.engine.execution_options(immediate=True)

    @property
    def cases(self) -> Path:
        """Case folders by id."""
        return self.folder / "cases"

    @property
    def plans(self) -> Path:
        """Plan folders by id."""
        return self.folder / "plans"

    def answers(self, plan_id: str) -> Path:
        """Answers to questions about a plan, by run: they go when it goes."""
        return self.plans / plan_id / "answers"

    @property
    def work(self) -> Path:
        """Unfinished folders, on the same file system, so that moving one is one step."""
        return self.folder / "work"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that changes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together when the block ends, or not at all."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder in ``work``, removed at the end unless it was moved away."""
        folder = Path(tempfile.mkdtemp(dir=self.work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def migrate(self, wait_s: float = 60.0) -> None:
        """Bring the database to this version's tables; one that starts beside the service is waited for."""
        until = time.monotonic() + wait_s
        while True:
            try:
                return self._migrate()
            except OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(1.0)

    def _migrate(self) -> None:
        with self._writing.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            command.upgrade(migrations(connection), "head")

    def is_current(self) -> bool:
        """Whether the database answers and has this version's tables."""
        with self.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_heads()
        return set(found) == set(ScriptDirectory.from_config(migrations()).get_heads())

    def close(self) -> None:
        """Let the connections go."""
        self.engine.dispose()


def migrations(connection: Connection | None = None) -> Config:
    """alembic's configuration: the scripts in this package, no file of its own."""
    config = Config()
    config.set_main_option("script_location", "api.store:migrations")
    config.attributes["connection"] = connection
    return config


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=30, connect_args={"connect_timeout": 5})
    engine = create_engine(url, pool_size=10, max_overflow=30, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not where the driver guesses
    for setting in ("journal_mode = WAL", f"busy_timeout = {BUSY_MS}", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    # a write takes the lock at once: one that begins as a read can't wait for it later
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
