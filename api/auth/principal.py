"""The caller of a request and what the caller may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastapi import Request

from api.problems import ApiError

ACTIONS: Final[dict[str, frozenset[str]]] = {
    "viewer": frozenset({"read"}),
    "planner": frozenset({"read", "create", "change", "delete"}),
    "approver": frozenset({"read", "approve"}),
    "administrator": frozenset({"read", "create", "change", "delete", "approve", "administer"}),
}
"""Role -> actions."""


@dataclass(frozen=True)
class Principal:
    """Who asks. ``councils`` None stands for every council."""

    subject: str
    roles: frozenset[str]
    councils: frozenset[str] | None = None
    partnerships: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True)
class Scoped:
    """A resource as far as permission is concerned."""

    kind: str
    id: str
    owner: str
    councils: frozenset[str]
    partnership: str | None = None


def current_principal(request: Request) -> Principal:
    """The caller of the request."""
    return Principal("local", frozenset({"administrator"}))


def permit(principal: Principal, action: str, resource: Scoped | str) -> None:
    """Nothing when the principal may do so; 404 for another council's resource, 403 when no role allows the action.

    ``resource`` is the row, or the kind (``"case"``) where there is none yet.
    """
    if isinstance(resource, Scoped) and principal.councils is not None and not resource.councils <= principal.councils:
        raise ApiError(404, "not-found", f"There is no {resource.kind} {resource.id}.")
    if not any(action in ACTIONS.get(role, ()) for role in principal.roles):
        raise ApiError(403, "forbidden", f"Your role does not allow you to {action} this.")
