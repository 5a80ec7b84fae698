"""A plan made at the command line, taken into the store: as one made there; nothing of another case, nothing that shows too much."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from service import Service
from typer.testing import CliRunner

from api.plans_command import plans
from api.settings import Settings
from api.store.models import CaseRow


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(store_folder=tmp_path_factory.mktemp("taken") / "store", worker="none", log_level="error")
    with Service(settings) as found:
        yield found


@pytest.fixture
def folder(service: Service, tmp_path: Path) -> Path:
    """A plan folder elsewhere, as `sufficiency plan` writes it."""
    return Path(shutil.copytree(service.store.plans / service.plan_id, tmp_path / "plan"))


def add(service: Service, monkeypatch: pytest.MonkeyPatch, *given: str) -> Result:
    monkeypatch.setenv("SUFFICIENCY_STORE_FOLDER", str(service.settings.store_folder))
    return CliRunner().invoke(plans, ["add", *given])


def test_a_plan_that_is_taken_in_is_like_one_made_here(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = add(service, monkeypatch, service.case_id, str(folder), "--name", "From afar")
    assert done.exit_code == 0, done.output
    plan_id = done.output.strip()
    taken, made = (service.client.get(f"/v1/plans/{key}").json() for key in (plan_id, service.plan_id))
    assert taken["name"] == "From afar"
    assert taken["audit_passed"]
    assert taken["summary"] == made["summary"]
    tables = [service.client.get(f"/v1/plans/{key}/tables/projects").json()["items"] for key in (plan_id, service.plan_id)]
    assert tables[0] == tables[1]
    run = service.client.get(f"/v1/runs/{taken['run_id']}").json()
    assert (run["state"], run["plan_id"]) == ("finished", plan_id)
    changed = service.client.post(f"/v1/plans/{plan_id}/what-if", json={"pins": [{"project_id": "B", "decision": "forbidden"}]})
    service.work()
    assert service.client.get(f"/v1/runs/{changed.json()['id']}").json()["state"] == "finished"


def test_a_plan_of_another_case_is_refused(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = json.loads((folder / "plan.json").read_text())
    summary["inputs"]["pupils.parquet"] = "0" * 64
    (folder / "plan.json").write_text(json.dumps(summary))
    done = add(service, monkeypatch, service.case_id, str(folder))
    assert done.exit_code != 0
    assert "another case" in done.output
    assert add(service, monkeypatch, "case-none", str(folder)).exit_code != 0


def test_an_exact_plan_of_a_protected_case_is_refused(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service.store.write() as session:
        session.get_one(CaseRow, service.case_id).disclosure = "protected"
    try:
        done = add(service, monkeypatch, service.case_id, str(folder))
    finally:
        with service.store.write() as session:
            session.get_one(CaseRow, service.case_id).disclosure = "open"
    assert done.exit_code != 0
    assert "disclosure" in done.output


def test_a_plan_without_an_audit_is_refused(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "audit.json").unlink()
    assert add(service, monkeypatch, service.case_id, str(folder)).exit_code != 0
