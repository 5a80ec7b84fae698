"""The service keeps to its own OpenAPI document, whatever it is sent: schemathesis with all its checks, within this process."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from service import Service

from api.auth.keys import Grant, create_key
from api.auth.principal import LOCAL, Role
from api.auth.settings import AuthSettings
from api.jobs.tasks import TASKS
from api.routes import cases
from api.settings import Settings

EXAMPLES: Final = 2
MANY: Final = "1000000/minute"
WALKS: Final = 25
"""Ways from one request to the next along the document's links."""
ONLY_WALKS: Final = {name: {"enabled": False} for name in ("examples", "coverage", "fuzzing")}
TIMEOUT_S: Final = 120
"""Making a case takes long on a busy machine."""
BY_DESIGN: Final = ["2xx", "3xx", "404", "409", "422", "429"]
"""What is valid by the document may still not fit: an unknown id, a cursor or area, a key of an earlier request, a run that has ended."""


@pytest.mark.parametrize("keys", [False, True], ids=["open on this machine", "with API keys"])
def test_the_service_keeps_to_its_document(keys: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "finish", _done_here)
    faults, asked, _ = _tried(tmp_path, keys, 0)
    assert faults == []
    assert asked > 1000, "it asked"


def test_what_was_made_is_there_along_the_links_of_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a store of its own: an idempotency key of the other test would be answered with what that has deleted since."""
    monkeypatch.setattr(cases, "finish", _done_here)
    faults, _, followed = _tried(tmp_path, True, WALKS)
    assert faults == []
    assert followed > 5, "it went along links"


def _done_here(task: str, payload: dict[str, Any], memory_mb: int, seconds: float) -> dict[str, Any]:
    """A case is checked within this process, and the tiny one stands for the fictional region: a process each takes minutes in all."""
    return TASKS[task]({**payload, "name": "tiny"}, lambda **told: None, lambda: False)


def _known(service: Service) -> dict[str, str]:
    """Ids of resources that are there, by the name of the path's parameter, so that reading them is tried too."""
    plan_id = service.plan_id
    run = next(row for row in service.client.get("/v1/runs").json()["items"] if row["plan_id"] == plan_id)
    return {"case_id": service.case_id, "plan_id": plan_id, "run_id": run["id"], "request_id": run["request_id"]}


def _key(service: Service) -> dict[str, str]:
    """Headers of a caller who may do everything."""
    everything = Grant("test", frozenset(get_args(Role)), None, None, None)
    with service.store.write() as session:
        _, key = create_key(session, service.app.state.auth.pepper, LOCAL, everything)
    return {"Authorization": f"Bearer {key}"}


def _tried(folder: Path, keys: bool, walks: int) -> tuple[list[str], int, int]:
    """What schemathesis finds, each kind of fault of an operation once; how many requests it sent, and how many along links."""
    settings = Settings(store_folder=folder / "service", worker="none", log_level="error")
    with Service(settings) as service:
        known = _known(service)
    rates = AuthSettings(api_keys=keys, rate_per_principal=MANY, rate_per_address=MANY, rate_failures=MANY)
    with Service(settings.model_copy(update={"auth": rates})) as service:
        return _found(service, _key(service) if keys else {}, known, walks)


def _found(service: Service, headers: dict[str, str], known: dict[str, str], walks: int) -> tuple[list[str], int, int]:
    config = {
        "headers": headers,
        "request-timeout": TIMEOUT_S,
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "no-shrink": True, "database": "none"},
        "checks": {"positive_data_acceptance": {"expected-statuses": BY_DESIGN}},
        "phases": {"stateful": {"enabled": False}} if walks == 0 else ONLY_WALKS | {"stateful": {"generation": {"max-examples": walks}}},
        "operations": [{"include-method": "GET", "parameters": known}],
    }
    schema = schemathesis.openapi.from_asgi("/openapi.json", service.app, config=SchemathesisConfig.from_dict(config))
    if walks:  # from the list of keys it would come to its own, revoke it, and be a stranger from then on
        schema = schema.exclude(path="/v1/keys/{key_id}/revoke")
    found: dict[str, str] = {}
    asked = followed = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            asked += len(event.recorder.interactions)
            followed += sum(node.transition is not None for node in event.recorder.cases.values())
            for node in chain.from_iterable(event.recorder.checks.values()):
                if node.failure_info is not None:
                    failure = node.failure_info.failure
                    fault = f"{event.label}: {node.name}: {failure.title}"
                    found.setdefault(fault, f"{fault}: {failure.message}\n{node.failure_info.code_sample}")
        elif isinstance(event, events.NonFatalError):
            found.setdefault(event.label, f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return list(found.values()), asked, followed
