"""Forms of answers that routes share."""

from __future__ import annotations

from fastapi.responses import Response
from pydantic import BaseModel

from api.store.rows import Page, Row


def created(body: BaseModel, location: str, status: int = 201) -> Response:
    """201 (or 202) with where the new resource is."""
    return Response(body.model_dump_json(), status, {"Location": location}, "application/json")


def listing(found: Page[Row], items: list[BaseModel]) -> dict[str, object]:
    """The body of a list."""
    return {"items": items, "next": found.next}
