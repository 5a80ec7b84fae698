"""Every setting of the service, read from the environment: ``SUFFICIENCY_PORT=9000``, ``SUFFICIENCY_LIMITS__RUN_SECONDS=600``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from api.auth.settings import AuthSettings

MEGABYTE = 1024 * 1024


class Limits(BaseModel):
    """What one caller may ask for."""

    queue_length: int = Field(default=20, ge=1, description="Runs of one user that wait or run at the same time")
    batch_runs: int = Field(default=200, ge=1, description="Runs of one batch; a batch may exceed the queue length")
    body_bytes: int = Field(default=MEGABYTE, ge=1024, description="Largest request body that is not an upload, bytes")
    upload_bytes: int = Field(default=512 * MEGABYTE, ge=1024, description="Largest upload, bytes")
    unpacked_bytes: int = Field(default=2048 * MEGABYTE, ge=1024, description="Largest size of an upload once unpacked, bytes")
    run_seconds: int = Field(default=7200, ge=1, description="Longest run, seconds; the best plan by then is kept")
    run_memory_mb: int = Field(default=8192, ge=256, description="Most memory of one run, MB; above it the run fails")
    page_rows: int = Field(default=10_000, ge=1, description="Most rows of a table in one answer")


class Settings(BaseSettings):
    """The service's settings. The defaults start it on this machine with no set-up."""

    model_config = SettingsConfigDict(
        env_prefix="SUFFICIENCY_", env_nested_delimiter="__", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on; one that others can reach needs authentication")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on")
    root_path: str = Field(default="", description="Path under which a reverse proxy shows the service, e.g. /places")
    forwarded_allow_ips: str = Field(default="127.0.0.1", description="Reverse proxies whose X-Forwarded-For and -Proto are believed")
    store_folder: Path = Field(default=Path("out/service"), description="Folder of uploaded cases, plans and the default database")
    database_url: str = Field(default="", description="postgresql+psycopg://user@host/name; empty: SQLite in the store folder")
    worker: str = Field(
        default="local",
        pattern=r"^(local|dask|none|(tcp|tls)://.+)$",
        description="Who makes the plans: local (a process beside the server), dask (a local cluster), "
        "tcp://host:8786 (a Dask scheduler), none (workers are started by `python -m api.jobs.worker`)",
    )
    worker_slots: int = Field(default=1, ge=1, description="Runs that the worker makes at the same time")
    lease_s: float = Field(default=20.0, gt=0, description="A run whose worker has been silent for so long is taken up by another, seconds")
    attempts: int = Field(default=3, ge=1, description="How often a lost run is begun before it is marked as failed")
    cancel_grace_s: float = Field(
        default=600.0, gt=0, description="A run that was asked to stop, has stopped its search and is silent for so long is ended, seconds"
    )
    base_map_url: str = Field(
        default="", description="Tiles behind the maps, e.g. https://tiles.example/{z}/{x}/{y}.png; empty: none, nothing is sent out"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged")
    log_format: Literal["json", "text"] = Field(default="json", description="Logs as JSON lines or for a reader")
    limits: Limits = Limits()
    auth: AuthSettings = AuthSettings()

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{(self.store_folder / 'service.sqlite').resolve()}"


def read_settings() -> Settings:
    """The settings of the environment, for a program that ends with one clear message when they are wrong. Values are not repeated."""
    try:
        return Settings()
    except ValidationError as error:
        sys.exit("\n".join(f"SUFFICIENCY_{'__'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()))
    except SettingsError as error:
        sys.exit(str(error))
