"""Who may see which rows: sets of councils, and the filter for queries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, exists, select, true
from sqlalchemy.orm import Session, aliased

from api.auth.principal import Principal
from api.store.models import EMPTY_SCOPE, Resource, ScopeCouncil


def scope_of(session: Session, councils: Iterable[str]) -> str:
    """The id of this set of councils; it is stored when it is new."""
    codes = sorted(set(councils))
    if not codes:
        return EMPTY_SCOPE
    scope_id = f"scope-{hashlib.sha256('|'.join(codes).encode()).hexdigest()[:32]}"
    known = set(session.scalars(select(ScopeCouncil.council_code).where(ScopeCouncil.scope_id == scope_id)))
    for code in codes:
        if code not in known:
            session.merge(ScopeCouncil(scope_id=scope_id, council_code=code))
    session.flush()
    return scope_id


def councils_of(session: Session, scope_id: str) -> frozenset[str]:
    """The councils of a set."""
    return frozenset(session.scalars(select(ScopeCouncil.council_code).where(ScopeCouncil.scope_id == scope_id)))


def visible(model: type[Resource], principal: Principal) -> ColumnElement[bool]:
    """Rows that the principal may see: all their councils are the principal's. Rows without councils: only for all councils."""
    if principal.councils is None:
        return true()
    inside, other = aliased(ScopeCouncil), aliased(ScopeCouncil)
    known = exists().where(inside.scope_id == model.scope_id)  # a set that nobody stored is nobody's, not everybody's
    outside = exists().where(other.scope_id == model.scope_id, other.council_code.not_in(sorted(principal.councils)))
    return and_(known, ~outside)
