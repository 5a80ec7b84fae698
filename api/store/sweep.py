"""Folders that a kill has left behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from sqlalchemy import select

from api.store.cases import discard
from api.store.models import CaseRow, PlanRow
from api.store.store import Store

LEFT_ALONE_S: Final = 24 * 3600
"""Younger ones may be somebody's work in progress."""


def sweep(store: Store) -> None:
    """Remove unfinished folders, and those of cases and plans without a row, once they are a day old."""
    old = [path for place in (store.work, store.cases, store.plans) for path in place.iterdir() if _age_s(path) > LEFT_ALONE_S]
    if not old:
        return
    with store.read() as session:
        kept = set(session.scalars(select(CaseRow.id))) | set(session.scalars(select(PlanRow.id)))
    for path in old:
        if path.parent == store.work or path.name not in kept:
            discard(path)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:  # somebody else has removed it
        return 0.0
