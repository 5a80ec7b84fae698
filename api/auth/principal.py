"""Who asks, and what they may do: one table of action x role, scoped to councils and partnerships.

Two questions are asked of every resource, in this order:

1. Does the caller's scope cover the whole of it? If not, the answer is 404 in the same words as for an id that doesn't exist, so that
   nobody learns whether another council's case is there.
2. Does a role of the caller allow the action? If not: 403. It tells only those who may see the resource anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Literal

from fastapi import Request

from api.problems import ApiError, not_found

Role = Literal["viewer", "planner", "approver", "administrator"]
Action = Literal["read", "create", "change", "delete", "approve", "administer"]

ROLES: Final[dict[Action, frozenset[Role]]] = {
    "read": frozenset({"viewer", "planner", "approver"}),
    "create": frozenset({"planner"}),
    "change": frozenset({"planner"}),
    "delete": frozenset({"planner"}),
    "approve": frozenset({"approver"}),
    "administer": frozenset({"administrator"}),
}
"""The one table: action -> roles that allow it. Roles add up. An administrator looks after keys and the trail, and sees no case
without another role."""

EVERY_ROLE: Final[frozenset[Role]] = frozenset({"viewer", "planner", "approver", "administrator"})
ALL: Final = "*"
"""How "all councils" or "all partnerships" is written in settings, claims and keys."""

Scope = frozenset[str] | None
"""Names (ONS codes of councils, or names of partnerships); None stands for all of them."""


@dataclass(frozen=True)
class Principal:
    """Who asks. ``subject`` is an opaque id (``oidc:...``, ``key:...`` or ``local``), never a person's name or address.

    ``councils`` and ``partnerships``: None stands for all. Nobody has anything unless it is given.
    """

    subject: str
    roles: frozenset[Role]
    councils: Scope = field(default=frozenset())
    partnerships: Scope = field(default=frozenset())

    @property
    def rights(self) -> str:
        """Roles and scope as one text: equal for equal rights."""
        return repr((sorted(self.roles), scope_names(self.councils), scope_names(self.partnerships)))


LOCAL: Final = Principal("local", EVERY_ROLE, None, None)
"""The one user of a service without authentication, which answers on this machine only."""


@dataclass(frozen=True)
class Scoped:
    """A resource as far as permission is concerned."""

    kind: str
    id: str
    owner: str
    councils: frozenset[str]
    partnership: str | None = None


noted: ContextVar[list[Scoped] | None] = ContextVar("noted", default=None)
"""The resources that the current request asked permission for; the audit trail names them."""


def scope_of(names: Iterable[str]) -> Scope:
    """The scope that a list of names (of a key or a claim) stands for; ``*`` among them is everything."""
    cleaned = frozenset(name.strip() for name in names) - {""}
    return None if ALL in cleaned else cleaned


def scope_names(scope: Scope) -> list[str]:
    """The names in order, or ``["*"]``: what `scope_of` reads."""
    return [ALL] if scope is None else sorted(scope)


def covers(scope: Scope, names: Collection[str]) -> bool:
    """Whether all the names are within the scope. What names nobody (an empty collection) belongs to those who have everything."""
    return scope is None or (bool(names) and frozenset(names) <= scope)


def within(asked: Scope, had: Scope) -> bool:
    """Whether a scope asks for no more than another has. Asking for nothing is always within."""
    return had is None or (asked is not None and asked <= had)


def current_principal(request: Request) -> Principal:
    """The caller of the request, whom `api.auth.gate` found out. Raises ApiError 401 where nobody was."""
    principal = request.scope.get("state", {}).get("principal")
    if not isinstance(principal, Principal):
        raise unauthenticated("Say who you are: send `Authorization: Bearer` with a token or an API key.")
    return principal


def unauthenticated(detail: str, error: str = "") -> ApiError:
    """401 with the challenge of RFC 6750."""
    challenge = 'Bearer realm="sufficiency"' + (f', error="{error}"' if error else "")
    return ApiError(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def may(principal: Principal, action: Action) -> bool:
    """Whether a role of the principal allows the action."""
    return bool(ROLES[action] & principal.roles)


def sees(principal: Principal, councils: Collection[str]) -> bool:
    """Whether all councils of a resource are the principal's. A case of two councils is seen by those who have both."""
    return covers(principal.councils, councils)


def permit(principal: Principal, action: Action, resource: Scoped | str) -> None:
    """Nothing when the principal may do so; 404 for another council's resource, 403 when no role allows the action.

    ``resource`` is the row, or the kind (``"case"``) where there is none yet.
    """
    if isinstance(resource, Scoped):
        note(resource)
        if not sees(principal, resource.councils):
            raise not_found(resource.kind, resource.id)
    if not may(principal, action):
        kind = resource.kind if isinstance(resource, Scoped) else resource
        raise ApiError(403, "forbidden", f"To {action} a {kind} needs the role {' or '.join(sorted(ROLES[action]))}.")


def permit_councils(principal: Principal, action: Action, kind: str, councils: Collection[str]) -> None:
    """Nothing when the principal may make something for these councils; 403 otherwise. For what comes in and isn't stored yet."""
    permit(principal, action, kind)
    note(Scoped(kind, "", principal.subject, frozenset(councils)))
    if not sees(principal, councils):
        raise ApiError(403, "forbidden", f"The {kind} is for councils that are not all yours. Send one for your own councils only.")


def permit_partnership(principal: Principal, name: str, known: Collection[str]) -> None:
    """Nothing when the principal may read the partnership's aggregates; one 404 for unknown partnerships and those of others."""
    if name not in known or not covers(principal.partnerships, [name]):
        raise not_found("partnership", name)
    permit(principal, "read", "partnership")


def permit_sharing(principal: Principal, partnership: str | None) -> None:
    """Nothing when the principal may give aggregates to the partnership (or gives them to none); 403 for a partnership of others."""
    if partnership is not None and not covers(principal.partnerships, [partnership]):
        raise ApiError(403, "forbidden", "The partnership is not one of yours.")


def permit_service(principal: Principal, kind: str) -> None:
    """Nothing for an administrator of all councils; 403 otherwise. For what speaks of the whole service, as its metrics do."""
    permit(principal, "administer", kind)
    if principal.councils is not None:
        raise ApiError(403, "forbidden", f"The {kind} speak of all councils: an administrator of all councils may read them.")


def note(resource: Scoped) -> None:
    """Have the audit trail name the resource."""
    resources = noted.get()
    if resources is not None:
        resources.append(resource)
