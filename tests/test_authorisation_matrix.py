"""Every route x role x scope: who is answered, who is refused, and who can't tell that there is anything.

A route without an entry in MATRIX fails the first test; so does an entry without a route.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from auth_world import OURS, PARTNERSHIP, PUPIL, THEIRS, Ids, World, build_world, made_up
from httpx import Response

from api.auth.principal import EVERY_ROLE, ROLES, Action, Role, Scope, covers
from api.routes import cases as case_routes
from api.store.cases import CheckedCase

Body = Callable[[Ids], Any]


@dataclass(frozen=True)
class Entry:
    """What a route is for. ``of``: whose resources it touches; ``action``: None for any caller, whatever the role."""

    of: str
    """public, anyone (any caller), role (no resource), councils (a resource in path or body), partnership, service."""
    action: Action | None = None
    ok: tuple[int, ...] = (200,)
    body: Body | None = None
    query: dict[str, Any] | None = None
    run_state: str = "finished"
    changes: bool = False
    foreign: int = 404
    """Answer to those whose councils it isn't: 404, or 403 for what they bring along themselves."""


def new_request(ids: Ids) -> dict[str, Any]:
    return {"case_id": ids.case_id}


def read(of: str = "councils", **more: Any) -> Entry:
    return Entry(of, "read", **more)


def made(action: Action, *ok: int, **more: Any) -> Entry:
    return Entry("councils", action, ok, changes=True, **more)


UPLOAD: Final = {"builtin": "tiny"}
NEW_KEY: Final = lambda ids: {"name": "x", "roles": ["viewer"], "councils": [OURS]}  # noqa: E731

MATRIX: Final[dict[tuple[str, str], Entry]] = {
    ("GET", "/openapi.json"): Entry("public"),
    ("HEAD", "/openapi.json"): Entry("public"),
    ("GET", "/health"): Entry("public"),
    ("GET", "/ready"): Entry("public", ok=(200, 503)),
    ("GET", "/"): Entry("public", ok=(200, 503)),
    ("GET", "/assets/{name}"): Entry("public", ok=(200, 404)),
    ("GET", "/metrics"): Entry("service", "administer"),
    ("GET", "/v1/me"): Entry("anyone"),
    ("POST", "/v1/cases"): made("create", 201, body=lambda ids: UPLOAD, foreign=403),
    ("GET", "/v1/cases"): read("role"),
    ("GET", "/v1/cases/{case_id}"): read(),
    ("DELETE", "/v1/cases/{case_id}"): made("delete", 204, query={"with_plans": True}),
    ("GET", "/v1/cases/{case_id}/versions"): read(),
    ("POST", "/v1/cases/{case_id}/versions"): made("change", 201, body=lambda ids: UPLOAD),
    ("GET", "/v1/cases/{case_id}/provenance"): read(),
    ("GET", "/v1/cases/{case_id}/problems"): read(),
    ("GET", "/v1/cases/{case_id}/tables"): read(),
    ("GET", "/v1/cases/{case_id}/tables/{table}"): read(),
    ("GET", "/v1/cases/{case_id}/tailored-list"): read(query=PUPIL),
    ("GET", "/v1/cases/{case_id}/map/{block}"): read(),
    ("GET", "/v1/cases/{case_id}/candidates"): read(),
    ("GET", "/v1/assumptions"): read("role"),
    ("POST", "/v1/assumption-sets"): made("create", 201, body=lambda ids: {"name": "x", "values": {}, "councils": [OURS]}, foreign=403),
    ("GET", "/v1/assumption-sets"): read("role"),
    ("GET", "/v1/assumption-sets/{set_id}"): read(),
    ("DELETE", "/v1/assumption-sets/{set_id}"): made("delete", 204),
    ("POST", "/v1/requests"): made("create", 201, body=new_request),
    ("GET", "/v1/requests"): read("role"),
    ("GET", "/v1/requests/{request_id}"): read(),
    ("DELETE", "/v1/requests/{request_id}"): made("delete", 409),
    ("POST", "/v1/runs"): made("create", 202, body=lambda ids: {"request_id": ids.request_id}),
    ("GET", "/v1/runs"): read("role"),
    ("GET", "/v1/runs/{run_id}"): read(),
    ("GET", "/v1/runs/{run_id}/events"): read(),
    ("POST", "/v1/runs/{run_id}/cancel"): made("change", 202, run_state="queued"),
    ("POST", "/v1/runs/{run_id}/retry"): made("create", 202, run_state="failed"),
    ("POST", "/v1/batches"): made("create", 202, body=lambda ids: {"name": "x", "case_ids": [ids.case_id]}),
    ("GET", "/v1/batches"): read("role"),
    ("GET", "/v1/batches/{batch_id}"): read(),
    ("POST", "/v1/batches/{batch_id}/cancel"): made("change", 202, run_state="queued"),
    ("GET", "/v1/plans"): read("role"),
    ("GET", "/v1/plans/{plan_id}"): read(),
    ("GET", "/v1/plans/{plan_id}/audit"): read(),
    ("POST", "/v1/plans/{plan_id}/approve"): made("approve", 200),
    ("DELETE", "/v1/plans/{plan_id}"): made("delete", 204),
    ("GET", "/v1/plans/{plan_id}/tables"): read(),
    ("GET", "/v1/plans/{plan_id}/tables/{table}"): read(),
    ("GET", "/v1/plans/{plan_id}/map/{block}"): read(),
    ("GET", "/v1/plans/{plan_id}/files"): read(),
    ("GET", "/v1/plans/{plan_id}/files/{name}"): read(),
    ("POST", "/v1/plans/{plan_id}/packs"): made("create", 202, body=lambda ids: {}),
    ("GET", "/v1/plans/{plan_id}/packs"): read(),
    ("GET", "/v1/plans/{plan_id}/packs/{run_id}/{name}"): read(ok=(404,)),
    ("POST", "/v1/plans/{plan_id}/what-if"): made("create", 202, body=lambda ids: {}),
    ("POST", "/v1/plans/{plan_id}/questions"): made("create", 202, body=lambda ids: {"kind": "explain"}),
    ("GET", "/v1/plans/{plan_id}/questions"): read(),
    ("GET", "/v1/plans/{plan_id}/questions/{run_id}/{table}"): read(ok=(404,)),
    ("GET", "/v1/plans/{plan_id}/explain"): read(),
    ("POST", "/v1/comparisons"): made("create", 201, body=lambda ids: {"first_plan_id": ids.plan_id, "second_plan_id": ids.plan_id}),
    ("GET", "/v1/comparisons"): read("role"),
    ("GET", "/v1/comparisons/{comparison_id}"): read(),
    ("DELETE", "/v1/comparisons/{comparison_id}"): made("delete", 204),
    ("GET", "/v1/ogc/plans/{plan_id}"): read(),
    ("GET", "/v1/ogc/plans/{plan_id}/"): read(),
    ("GET", "/v1/ogc/plans/{plan_id}/conformance"): read(),
    ("GET", "/v1/ogc/plans/{plan_id}/api"): read(),
    ("GET", "/v1/ogc/plans/{plan_id}/collections"): read(),
    ("GET", "/v1/ogc/plans/{plan_id}/collections/{collection_id}"): read(),
    ("GET", "/v1/ogc/plans/{plan_id}/collections/{collection_id}/items"): read(),
    ("GET", "/v1/ogc/plans/{plan_id}/collections/{collection_id}/items/{feature_id}"): read(),
    ("GET", "/v1/partnerships"): read("role"),
    ("GET", "/v1/partnerships/{name}"): read("partnership"),
    ("GET", "/v1/keys"): Entry("role", "administer"),
    ("POST", "/v1/keys"): made("administer", 201, body=NEW_KEY, foreign=403),
    ("GET", "/v1/keys/{key_id}"): Entry("councils", "administer"),
    ("POST", "/v1/keys/{key_id}/revoke"): made("administer", 200),
    ("GET", "/v1/trail"): Entry("role", "administer"),
    ("GET", "/v1/trail/integrity"): Entry("service", "administer"),
}

SCOPES: Final[dict[str, tuple[Scope, Scope]]] = {
    "own": (frozenset({OURS}), frozenset()),
    "own and others": (frozenset({OURS, THEIRS}), frozenset()),
    "all": (None, None),
    "other": (frozenset({THEIRS}), frozenset({"South"})),
    "none": (frozenset(), frozenset()),
    "partnership": (frozenset(), frozenset({PARTNERSHIP})),
}
"""Name -> councils and partnerships of a caller. The resources are those of OURS, shared with PARTNERSHIP."""

CALLERS: Final[dict[str, frozenset[Role]]] = {**{role: frozenset({role}) for role in sorted(EVERY_ROLE)}, "no role": frozenset()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def ours(world: World) -> Ids:
    return world.add(OURS)


@pytest.fixture(autouse=True)
def _uploads(world: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload is found to be a valid case of OURS without a process that checks it: not what is tried here."""

    def checked(sent: Any, folder: Any, settings: Any) -> CheckedCase:
        (folder / "case.toml").write_text("")
        return CheckedCase(folder, world.about_of(OURS), [], {"case.toml": "0" * 64})

    monkeypatch.setattr(case_routes, "_checked", checked)


Callers = dict[tuple[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def callers(world: World) -> Callers:
    return {(who, scope): world.caller(roles, *SCOPES[scope]) for who, roles in CALLERS.items() for scope in SCOPES}


def walk(routes: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from walk(included.routes, prefix + route.include_context.prefix)
        else:
            methods = getattr(route, "methods", None) or {"ANY"}
            yield from ((method, prefix + route.path) for method in methods)


def ask(world: World, method: str, path: str, entry: Entry, ids: Ids, headers: dict[str, str]) -> Response:
    """One request of the route, about these resources."""
    name = ids.partnership if entry.of == "partnership" else "plan.json"
    fill = {**vars(ids), "table": "projects", "block": "about", "name": name, "collection_id": "settings", "feature_id": "S1"}
    return world.client.request(
        method,
        path.format(**fill),
        params=entry.query,
        json=entry.body(ids) if entry.body else None,
        headers=headers,
    )


def allowed(entry: Entry, roles: frozenset[Role], scope: tuple[Scope, Scope]) -> tuple[bool, bool]:
    """Whether a role allows the action, and whether the scope covers the resource: the rules of docs/security.md, said once more."""
    may = entry.action is None or bool(ROLES[entry.action] & roles)
    councils, partnerships = scope
    match entry.of:
        case "councils":
            return may, covers(councils, {OURS})
        case "partnership":
            return may, covers(partnerships, {PARTNERSHIP})
        case "service":
            return may and councils is None, True
        case _:
            return may, True


def said(answer: Response, ids: Ids) -> tuple[int, str, dict[str, str]]:
    """What an answer tells, the ids that were asked for and the number of the request aside."""
    text = answer.text
    for name, value in vars(ids).items():
        text = text.replace(value, name)
    return answer.status_code, text, {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}


def test_every_route_has_an_entry_and_every_entry_a_route(world: World) -> None:
    assert set(walk(world.app.routes)) == set(MATRIX)


@pytest.mark.parametrize(("method", "path"), MATRIX)
def test_strangers_get_what_is_public_and_nothing_else(world: World, ours: Ids, method: str, path: str) -> None:
    entry, unknown = MATRIX[method, path], made_up()
    for headers in ({}, {"Authorization": "Bearer spk_0123456789abcdef_" + "A" * 43}):
        answer = ask(world, method, path, entry, ours, headers)
        if entry.of == "public":
            assert answer.status_code in entry.ok
        else:
            assert answer.status_code == 401
            assert said(answer, ours) == said(ask(world, method, path, entry, unknown, headers), unknown)


@pytest.mark.parametrize(("method", "path"), [route for route in MATRIX if MATRIX[route].of != "public"])
def test_the_matrix(world: World, ours: Ids, callers: Callers, method: str, path: str) -> None:
    entry, unknown = MATRIX[method, path], made_up()
    for (who, scope), headers in callers.items():
        may, covered = allowed(entry, CALLERS[who], SCOPES[scope])
        target = world.add(OURS, run_state=entry.run_state) if may and covered and entry.changes else ours
        answer = ask(world, method, path, entry, target, headers)
        where = f"{method} {path} by {who} of {scope}: {answer.status_code} {answer.text[:200]}"
        if may and covered:
            assert answer.status_code in entry.ok, where
        elif may:
            assert answer.status_code == entry.foreign, where
        elif covered:
            assert answer.status_code == 403, where
        else:
            assert answer.status_code in (403, entry.foreign), where
        if not covered and entry.foreign == 404:
            assert said(answer, target) == said(ask(world, method, path, entry, unknown, headers), unknown), where
