"""A small service behind the door of the real one, for the tests of keys, limits and the trail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from fastapi.testclient import TestClient
from sqlalchemy import select

from api import problems
from api.auth.install import install
from api.auth.keys import Grant, create_key
from api.auth.models import TrailRow
from api.auth.principal import LOCAL, Role, Scoped, permit, scope_of
from api.auth.routes import router
from api.auth.settings import AuthSettings
from api.settings import Limits, Settings
from api.state import Caller
from api.store import Store

KEYS = AuthSettings(api_keys=True)


def service(folder: Path, auth: AuthSettings = KEYS, limits: Limits | None = None, **more: Any) -> FastAPI:
    """A small service behind the door: something to read, to change, to download, and to break."""
    settings = Settings(store_folder=folder, auth=auth, limits=limits or Limits(), **more)
    store = Store(settings)
    store.migrate()
    app = FastAPI()
    app.state.settings, app.state.store = settings, store
    problems.install(app)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse("<p>page</p>")

    @app.get("/v1/things/{thing_id}")
    def read(thing_id: str, caller: Caller) -> dict[str, str]:
        permit(caller, "read", Scoped("thing", thing_id, "somebody", frozenset({"E1"})))
        return {"id": thing_id, "subject": caller.subject}

    @app.post("/v1/things/{thing_id}")
    async def change(thing_id: str, request: Request, caller: Caller) -> dict[str, int]:
        permit(caller, "change", Scoped("thing", thing_id, "somebody", frozenset({"E1"})))
        return {"bytes": len(await request.body())}

    @app.post("/v1/cases", status_code=201)
    async def upload(request: Request, response: Response) -> dict[str, int]:
        response.headers["Location"] = "/v1/cases/case-77"
        return {"bytes": len(await request.body())}

    @app.get("/v1/things/{thing_id}/file")
    def download(thing_id: str, caller: Caller) -> Response:
        permit(caller, "read", Scoped("thing", thing_id, "somebody", frozenset({"E1"})))
        return StreamingResponse(iter([b"a", b"b"]), headers={"Content-Disposition": 'attachment; filename="x.csv"'})

    @app.post("/v1/broken")
    def broken() -> None:
        raise RuntimeError("broken")

    app.include_router(router, prefix="/v1")
    install(app, settings, store)
    return app


def key(app: FastAPI, *roles: Role, councils: tuple[str, ...] = ("E1",), days: int | None = None) -> str:
    """A new key for these councils, by default that of the things."""
    grant = Grant("test", frozenset(roles), scope_of(councils), frozenset(), days)
    with app.state.store.write() as session:
        return create_key(session, app.state.auth.pepper, LOCAL, grant)[1]


def client(app: FastAPI, credential: str | None = None) -> TestClient:
    """A client that sends the credential, if any."""
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return TestClient(app, headers=headers, raise_server_exceptions=False)


def deeds(app: FastAPI) -> list[TrailRow]:
    """The whole trail."""
    with app.state.store.read() as session:
        return list(session.scalars(select(TrailRow).order_by(TrailRow.number)))
