"""What keepers of the service rely on: health, readiness, figures, logs, migrations, tidying up, and pages that are fresh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from service import Service
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from api.describe import written
from api.intake import move_in
from api.settings import Settings
from api.store import Store
from api.store.models import Base
from api.store.store import migrations
from api.store.sweep import LEFT_ALONE_S, sweep

PAGE = Path(__file__).parents[1] / "docs" / "service.md"


def test_migrations_make_the_tables_that_the_code_describes_and_take_them_back(service: Service) -> None:
    with service.store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert service.store.is_current()
    with service.store.engine.begin() as connection:
        command.downgrade(migrations(connection), "base")
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    assert not service.store.is_current()
    assert service.client.get("/ready").status_code == 503
    service.store.migrate()
    assert service.store.is_current()


def test_health_and_readiness(service: Service) -> None:
    assert service.client.get("/health").json()["status"] == "ok"
    assert service.client.get("/ready").json() == {"ready": True, "database": True, "folder": True, "worker": True}


def test_a_database_that_is_away_is_said_and_nothing_is_changed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: object, **more: object) -> None:
        raise OperationalError("SELECT 1", {}, ConnectionError("gone"))

    monkeypatch.setattr(service.store, "read", gone)
    answer = service.client.get("/v1/cases")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "gone" not in answer.text


def test_figures_for_prometheus_count_requests_and_runs(service: Service) -> None:
    service.client.get("/v1/runs/run-unknown")
    figures = service.client.get("/metrics").text
    assert 'http_requests_total{method="GET",route="/v1/runs/{run_id}",status="404"}' in figures
    assert 'runs{state="queued"} 0.0' in figures
    assert "run-unknown" not in figures


def test_logs_hold_the_template_of_a_route_and_no_query(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.client.get("/v1/cases/case-7/tailored-list", params={"area_id": "F01900001", "need": "ASD", "age": 12})
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["route"], line["status"], line["subject"]) == ("/v1/cases/{case_id}/tailored-list", 404, "local")
    assert not {"case-7", "F01900001", "ASD", "127.0.0.1"} & set(str(line).replace("'", " ").split())


def test_every_operation_is_described_with_a_summary_and_problem_documents(service: Service) -> None:
    document = service.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
    assert len(operations) > 40
    for path, method, operation in operations:
        assert operation["summary"], (path, method)
        for status, answer in operation["responses"].items():
            if status.startswith("4"):
                assert "application/problem+json" in answer["content"], (path, method, status)
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for name in ("NewRequest", "NewRun", "NewAssumptionSet", "NewBatch", "NewComparison", "WhatIf"):
        assert document["components"]["schemas"][name]["examples"], name


def test_folders_that_a_kill_left_behind_are_swept_once_they_are_old(store_folder: Path) -> None:
    store = Store(Settings(store_folder=store_folder))
    store.migrate()
    for place in (store.work, store.plans, store.cases):
        for name, age in (("old", LEFT_ALONE_S + 60), ("young", 60)):
            (place / name).mkdir()
            os.utime(place / name, (time.time() - age, time.time() - age))
    sweep(store)
    for place in (store.work, store.plans, store.cases):
        assert [path.name for path in place.iterdir()] == ["young"]
    store.close()


def test_a_folder_takes_its_place_whole(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    move_in(tmp_path / "new", tmp_path / "old")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["new"]
    assert not (tmp_path / "new").exists()


def test_sqlite_waits_for_a_writer_instead_of_failing(store_folder: Path) -> None:
    store = Store(Settings(store_folder=store_folder))
    store.migrate()
    with store.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA busy_timeout")) > 5_000
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
    store.close()


def test_the_page_of_settings_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "make docs writes it anew"
    assert "SUFFICIENCY_LIMITS__RUN_SECONDS" in page


def test_a_service_that_is_ready_has_loaded_what_reads_tables(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from api.warm import warm_up
from fixtures.tiny import tiny_case
from sufficiency.case import file_of, save_case
from sufficiency.tables.read import read_table

folder = Path(sys.argv[1])
save_case(tiny_case(), folder)
warm_up()
before = {name.split(".")[0] for name in sys.modules}
for name in ("areas", "pupils", "settings"):
    read_table(folder / file_of(name), name)
print(*{name.split(".")[0] for name in sys.modules} - before)
"""
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path / "case")], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout.split()) == (0, []), ran.stderr
