"""alembic's entry: runs the scripts on the connection that ``Store.migrate`` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from api.auth.models import TrailRow
from api.store.models import UtcDateTime


def as_written(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """A column type of this project as the plain one that the database gets."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(connection=context.config.attributes["connection"], target_metadata=TrailRow.metadata, render_item=as_written)
with context.begin_transaction():
    context.run_migrations()
