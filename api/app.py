"""create_app(): the service, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from anyio import to_thread
from fastapi import APIRouter, FastAPI

from api import problems
from api.auth import routes as access
from api.auth.install import install as install_auth
from api.jobs.supervisor import Supervisor
from api.observe import Metrics, Observed, configure_logs
from api.openapi import describe, operation_id
from api.routes import (
    assumptions,
    batches,
    cases,
    comparisons,
    files,
    health,
    ogc,
    packs,
    page,
    partnerships,
    plans,
    questions,
    requests,
    runs,
    tables,
    tailored,
    what_if,
)
from api.settings import Settings
from api.store import Store
from api.warm import warm_up

ROUTERS: tuple[APIRouter, ...] = (
    cases.router,
    assumptions.router,
    requests.router,
    runs.router,
    batches.router,
    plans.router,
    tables.router,
    what_if.router,
    questions.router,
    comparisons.router,
    tailored.router,
    partnerships.router,
    page.router,
    ogc.router,
    files.router,
    packs.router,
    access.router,
)
"""All that stands under /v1."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service with these settings; by default those of the environment."""
    settings = settings or Settings()
    configure_logs(settings)
    store = Store(settings)
    supervisor = Supervisor(settings)
    app = FastAPI(
        title="Sufficiency",
        summary="Which SEND and AP places to buy, where, of what kind and when",
        version=version("sufficiency"),
        root_path=settings.root_path,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        lifespan=_lifespan(store, supervisor),
    )
    app.state.settings, app.state.store, app.state.supervisor, app.state.metrics = settings, store, supervisor, Metrics(store)
    problems.install(app)
    app.include_router(health.router)
    app.include_router(page.page)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    describe(app)
    install_auth(app, settings, store)
    app.add_middleware(Observed, metrics=app.state.metrics)
    return app


def _lifespan(store: Store, supervisor: Supervisor) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store.migrate()
        supervisor.start()
        try:
            await to_thread.run_sync(warm_up)
            yield
        finally:
            supervisor.stop()
            store.close()

    return lifespan
