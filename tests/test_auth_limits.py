"""How often one may ask, and how much one may send."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from door import client, key, service
from fastapi.testclient import TestClient

from api.auth.install import UPLOADS
from api.auth.settings import AuthSettings
from api.settings import Limits


def test_rates_are_per_caller(tmp_path: Path) -> None:
    app = service(tmp_path, AuthSettings(api_keys=True, rate_per_principal="3/minute"))
    one, other = client(app, key(app, "viewer")), client(app, key(app, "viewer"))
    assert [one.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = one.get("/v1/me")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["type"].endswith("limit")
    assert other.get("/v1/me").status_code == 200
    assert one.get("/health").status_code == 200


def test_rates_are_per_address(tmp_path: Path) -> None:
    app = service(tmp_path, AuthSettings(api_keys=True, rate_per_address="3/minute"))
    credential = key(app, "viewer")
    assert [client(app, credential).get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    elsewhere = TestClient(app, headers={"Authorization": f"Bearer {credential}"}, client=("10.0.0.9", 1))
    assert elsewhere.get("/v1/me").status_code == 200


def test_guessing_is_stopped_even_when_the_guess_is_right_at_last(tmp_path: Path) -> None:
    app = service(tmp_path, AuthSettings(api_keys=True, rate_failures="5/minute"))
    good, another = key(app, "viewer"), key(app, "viewer")
    tried = [client(app, f"{good[:-2]}{n:02}").get("/v1/me").status_code for n in range(6)]
    assert tried == [401] * 5 + [429]
    assert client(app, good).get("/v1/me").status_code == 429
    assert client(app, another).get("/v1/me").status_code == 200
    assert [client(app, "an.old.token").get("/v1/me").status_code for _ in range(6)] == [401] * 5 + [429]
    assert TestClient(app, headers={"Authorization": f"Bearer {good}"}, client=("10.0.0.9", 1)).get("/v1/me").status_code == 200


def test_bodies_have_a_limit_declared_or_not(tmp_path: Path) -> None:
    app = service(tmp_path, limits=Limits(body_bytes=1024, upload_bytes=4096))
    planner = client(app, key(app, "planner"))
    assert planner.post("/v1/things/1", content=b"x" * 1024).json() == {"bytes": 1024}
    declared = planner.post("/v1/things/1", content=b"x" * 1025)
    streamed = planner.post("/v1/things/1", content=(b"x" * 100 for _ in range(11)))
    assert declared.status_code == streamed.status_code == 413
    assert streamed.json()["type"].endswith("too-large")
    assert planner.post("/v1/cases", content=b"x" * 4096).json() == {"bytes": 4096}
    assert planner.post("/v1/cases", content=(b"x" * 1000 for _ in range(5))).status_code == 413
    assert planner.post("/v1/things/1", content=b"x", headers={"Content-Length": "-1"}).status_code == 413


def test_a_stranger_s_upload_is_not_read(tmp_path: Path) -> None:
    app = service(tmp_path)
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/cases",
        "raw_path": b"/v1/cases",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 401
    assert asked == 0


@pytest.mark.parametrize(
    ("path", "is_upload"),
    [
        ("/v1/cases", True),
        ("/v1/cases/case-1/versions", True),
        ("/v1/cases/", False),
        ("/v1/cases/case-1", False),
        ("/v1/cases/a/b/versions", False),
        ("/v1/runs", False),
    ],
)
def test_only_uploads_may_be_large(path: str, is_upload: bool) -> None:
    assert (UPLOADS.fullmatch(path) is not None) is is_upload
