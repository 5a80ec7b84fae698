"""``python -m api keys ...``: the first key, made by whoever may read and write the service's store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from api.auth import trail
from api.auth.context import AuthContext, auth_context
from api.auth.keys import Grant, as_roles, create_key, is_live, key_of, keys_of, revoke, scoped_key
from api.auth.models import KeyRow
from api.auth.principal import LOCAL, Principal, scope_of
from api.problems import ApiError
from api.settings import read_settings
from api.store import Store

keys = typer.Typer(help="API keys of the service.", no_args_is_help=True)

OPERATOR = Principal("operator", LOCAL.roles, None, None)
"""Who works at the service's own machine."""


@keys.command("create")
def create(
    name: Annotated[str, typer.Option(help="What the key is for; not a person's name.")],
    role: Annotated[list[str], typer.Option(help="viewer, planner, approver or administrator; may be given several times.")],
    council: Annotated[list[str] | None, typer.Option(help="ONS code, or * for all; may be given several times.")] = None,
    partnership: Annotated[list[str] | None, typer.Option(help="Name of a partnership, or * for all; several times.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="Days until it stops to count; left out: when it is revoked.")] = 365,
) -> None:
    """Make a key and print it, this once."""
    try:
        roles = as_roles(role)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--role") from error
    grant = Grant(name, roles, scope_of(council or []), scope_of(partnership or []), days)
    with opened() as context, context.store.write() as session:
        row, key = create_key(session, context.pepper, OPERATOR, grant)
        _remember(context, session, "keys create", row)
    typer.echo(key)
    typer.echo(f"Key {row.id} is shown this once. Send it as `Authorization: Bearer {key[:8]}...`.", err=True)


@keys.command("list")
def show() -> None:
    """All keys: id, whether it counts, roles, scope, name."""
    with opened() as context, context.store.read() as session:
        for row in keys_of(session, OPERATOR):
            scope = f"councils {','.join(row.councils) or 'none'}; partnerships {','.join(row.partnerships) or 'none'}"
            typer.echo(f"{row.id}  {'live   ' if is_live(row) else 'revoked'}  {','.join(row.roles)}  {scope}  {row.name}")


@keys.command("revoke")
def stop(key_id: Annotated[str, typer.Argument(help="Id of the key, as `list` shows it.")]) -> None:
    """The key stops counting with the next request."""
    with opened() as context, context.store.write() as session:
        try:
            row = key_of(session, OPERATOR, key_id)
        except ApiError as error:
            raise typer.BadParameter(error.detail) from error
        revoke(row)
        _remember(context, session, "keys revoke", row)
    typer.echo(f"Key {row.id} is revoked.")


@contextmanager
def opened() -> Iterator[AuthContext]:
    """The store of the settings, with this version's tables."""
    settings = read_settings()
    store = Store(settings)
    try:
        store.migrate()
        yield auth_context(settings.auth, store)
    finally:
        store.close()


def _remember(context: AuthContext, session: Session, action: str, row: KeyRow) -> None:
    deed = trail.Deed(OPERATOR.subject, action, row.id, scoped_key(row).councils, 200, "")
    trail.append(session, context.trail_key, deed)
