"""API keys for small installations: ``spk_<id>_<secret>``, shown once, kept as a keyed hash.

The secret has 256 random bits, so a fast keyed hash (HMAC-SHA-256) is as good as a slow one: there is nothing to guess, and whoever
steals the database without the service's secret can't even check a guess.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.auth.models import KeyRow
from api.auth.principal import Principal, Role, Scope, Scoped, scope_names, scope_of, within
from api.auth.secret import keyed_hash
from api.problems import ApiError, not_found
from api.store.models import now

PREFIX: Final = "spk_"
_FORM: Final = re.compile(r"spk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Grant:
    """What a key is asked to allow."""

    name: str
    roles: frozenset[Role]
    councils: Scope
    partnerships: Scope
    days: int | None
    """Days until it stops to count; None: it counts until it is revoked."""


class BadKeyError(Exception):
    """The key doesn't count: unknown, wrong, revoked or expired, in the same words."""


def create_key(session: Session, pepper: bytes, creator: Principal, grant: Grant) -> tuple[KeyRow, str]:
    """Store a key and return it with its text, which can't be had again. Raises ApiError 403 when it asks for more than the creator has."""
    if not (within(grant.councils, creator.councils) and within(grant.partnerships, creator.partnerships)):
        raise ApiError(403, "forbidden", "A key can be for councils and partnerships of your own only.")
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    row = KeyRow(
        id=key_id,
        name=grant.name,
        secret_hash=keyed_hash(pepper, f"{key_id} {secret}"),
        roles=sorted(grant.roles),
        councils=scope_names(grant.councils),
        partnerships=scope_names(grant.partnerships),
        created_by=creator.subject,
        expires_at=now() + timedelta(days=grant.days) if grant.days else None,
    )
    session.add(row)
    session.flush()
    return row, f"{PREFIX}{key_id}_{secret}"


def looks_like_a_key(credential: str) -> bool:
    """Whether a bearer credential is meant as an API key."""
    return credential.startswith(PREFIX)


def key_id_of(credential: str) -> str | None:
    """The id in a key's text; None when it doesn't have a key's form."""
    form = _FORM.fullmatch(credential)
    return form[1] if form else None


def row_of_key(session: Session, pepper: bytes, credential: str) -> KeyRow:
    """The key's row. Raises BadKeyError; an unknown id takes as long as a wrong secret."""
    form = _FORM.fullmatch(credential)
    key_id, secret = form.groups() if form else ("", "")
    row = session.get(KeyRow, key_id)
    right = hmac.compare_digest(row.secret_hash if row else "0" * 64, keyed_hash(pepper, f"{key_id} {secret}"))
    if row is None or not right or not is_live(row):
        raise BadKeyError
    return row


def is_live(row: KeyRow) -> bool:
    """Whether the key counts at this moment."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now())


def principal_of_key(row: KeyRow) -> Principal:
    """Who asks with the key."""
    return Principal(f"key:{row.id}", frozenset(row.roles), scope_of(row.councils), scope_of(row.partnerships))


def scoped_key(row: KeyRow) -> Scoped:
    """The key as far as permission is concerned."""
    return Scoped("key", row.id, row.created_by, scope_of(row.councils) or frozenset())


def governed(administrator: Principal, row: KeyRow) -> bool:
    """Whether the key's whole scope is the administrator's."""
    theirs = within(scope_of(row.councils), administrator.councils) and within(scope_of(row.partnerships), administrator.partnerships)
    nobodys = not row.councils and not row.partnerships
    return theirs and (not nobodys or administrator.councils is None or row.created_by == administrator.subject)


def keys_of(session: Session, administrator: Principal) -> list[KeyRow]:
    """The keys that the administrator looks after, newest first."""
    rows = session.scalars(select(KeyRow).order_by(KeyRow.created_at.desc(), KeyRow.id))
    return [row for row in rows if governed(administrator, row)]


def key_of(session: Session, administrator: Principal, key_id: str) -> KeyRow:
    """One key; the same 404 whether it does not exist or is another's to look after."""
    row = session.get(KeyRow, key_id)
    if row is None or not governed(administrator, row):
        raise not_found("key", key_id)
    return row


def revoke(row: KeyRow) -> None:
    """The key stops counting with the next request. Revoking again changes nothing."""
    row.revoked_at = row.revoked_at or now()


def as_roles(names: Collection[str]) -> frozenset[Role]:
    """Names of roles as roles. Raises ValueError with the first unknown one."""
    known: dict[str, Role] = {"viewer": "viewer", "planner": "planner", "approver": "approver", "administrator": "administrator"}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]} is not a role: give {', '.join(known)}")
    return frozenset(known[name] for name in names)
