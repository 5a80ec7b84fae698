"""What the service tells its keepers: one log line per request, and figures for Prometheus. Neither holds personal data.

Logged are the route's template, never the path's ids or the query, and the caller's opaque subject, never a name or an address.
"""

from __future__ import annotations

import logging
import secrets
import sys
import time
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.settings import Settings
from api.store import Store
from api.store.models import RunRow, now

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STATES: Final = ("queued", "running", "finished", "failed", "cancelled")
log = structlog.get_logger("api")


def configure_logs(settings: Settings) -> None:
    """Structured logs to standard error."""
    shape: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if settings.log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the error stream of the moment, which tests replace
        cache_logger_on_first_use=False,
    )


class Metrics:
    """Figures of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._registry = CollectorRegistry()
        self.requests = Counter("http_requests", "Requests answered", ["method", "route", "status"], registry=self._registry)
        self.seconds = Histogram("http_request_seconds", "Time to the first byte", ["route"], buckets=BUCKETS, registry=self._registry)
        self.runs = Gauge("runs", "Runs by state", ["state"], registry=self._registry)
        self.oldest = Gauge("runs_oldest_queued_seconds", "How long the longest waiting run has waited", registry=self._registry)
        self.worker_up = Gauge("worker_up", "1 when the local worker process is alive", registry=self._registry)

    def text(self, worker_up: bool) -> bytes:
        """The figures in Prometheus' text format."""
        with self._store.read() as session:
            counts = dict(session.execute(select(RunRow.state, func.count()).group_by(RunRow.state)).all())
            waiting = session.scalar(select(func.min(RunRow.created_at)).where(RunRow.state == "queued"))
        for state in STATES:
            self.runs.labels(state).set(counts.get(state, 0))
        self.oldest.set((now() - waiting).total_seconds() if waiting else 0.0)
        self.worker_up.set(worker_up)
        return generate_latest(self._registry)


class Observed:
    """Middleware: an id per request, one log line and the figures when it has been answered; HEAD is answered as GET without a body."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, status, request_id, method = time.perf_counter(), 500, secrets.token_hex(8), scope["method"]
        took: float | None = None
        scope.setdefault("state", {})["request_id"] = request_id
        scope.setdefault("state", {})["request_id"] = request_id
        if method == "HEAD":
            scope["method"] = "GET"

        async def answer(message: Message) -> None:
            nonlocal status, took
            if message["type"] == "http.response.start":
                status, took = message["status"], time.perf_counter() - began
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            elif message["type"] == "http.response.body" and method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            finally:
                took, route = took or time.perf_counter() - began, template_of(scope)
                self._metrics.requests.labels(method, route, str(status)).inc()
                self._metrics.seconds.labels(route).observe(took)
                subject = getattr(scope.get("state", {}).get("principal"), "subject", None)
                log.info("request", method=method, route=route, status=status, ms=round(took * 1000, 1), subject=subject)
        return None


def template_of(scope: Scope) -> str:
    """The path with names in place of ids, ``/v1/plans/{plan_id}``; what no route answers is not quoted."""
    form = getattr(scope.get("route"), "path_format", None)
    if form is None:
        return "unmatched"
    path, end = scope["path"].removeprefix(scope.get("root_path", "")), form.format(**scope.get("path_params", {}))
    prefix = path.removesuffix(end) if path.endswith(end) else ""  # a route of an included router doesn't know its prefix
    return f"{prefix}{form}"
