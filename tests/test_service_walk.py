"""The whole flow from outside: the page's own curl commands, and a client generated from the OpenAPI document."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import Server

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with no settings but its folder."""
    with Server(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_commands_of_the_page_do_what_it_says(server: Server) -> None:
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    assert commands.count("curl") > 20
    environment = {**os.environ, "SERVICE": server.url}
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    environment = {**os.environ, "SERVICE": server.url}
    done = subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "abacus" in done.stdout, "the last one shows what is wrong with a request"
    plans = server.client.get("/v1/plans", params={"approved": True}).json()["items"]
    assert [plan["name"] for plan in plans] == ["First plan"]
    assert plans[0]["summary"]["saving_gbp"] == pytest.approx(3_350_000, rel=1e-6)


def test_a_generated_client_makes_a_plan(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(server.client.get("/openapi.json").json()), encoding="utf-8")
    generator = Path(sys.executable).with_name("openapi-python-client")
    command = [generator, "generate", "--path", "openapi.json", "--output-path", "generated", "--meta", "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "parsing" not in (done.stdout + done.stderr).lower(), "it understands every route"
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module
    client = module("generated").Client(base_url=server.url, timeout=60)
    models = module("generated.models")
    case = module("generated.api.cases.cases_create").sync(client=client, body=models.BuiltIn(builtin=models.BuiltInBuiltin.TINY))
    request = models.NewRequest(case_id=case.id, name="From a generated client", sensitivity=False)
    run = module("generated.api.runs.runs_create").sync(client=client, body=models.NewRun(request=request))
    until = time.monotonic() + 120
    while run.state not in ("finished", "failed"):
        assert time.monotonic() < until
        time.sleep(0.5)
        run = module("generated.api.runs.runs_read").sync(run.id, client=client)
    plan = module("generated.api.plans.plans_read").sync(run.plan_id, client=client)
    assert plan.audit_passed
    assert plan.summary.additional_properties["saving_gbp"] == pytest.approx(3_350_000, rel=1e-6)
