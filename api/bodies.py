"""What the API takes and gives, apart from tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api.store.models import Resource

Item = TypeVar("Item")


class Strict(BaseModel):
    """A body that is sent: a name that is not known is refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


def example(body: dict[str, Any]) -> ConfigDict:
    """``model_config`` of a body that is sent, with an example for the API's description."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class ResourceBody(BaseModel):
    """What every resource shows."""

    id: str
    name: str
    owner: str = Field(description="Who made it")
    partnership: str | None = Field(None, description="Partnership that sees its aggregates")
    created_at: datetime


def resource_fields(row: Resource) -> dict[str, Any]:
    """The fields of ResourceBody from a row."""
    return {"id": row.id, "name": row.name, "owner": row.owner, "partnership": row.partnership, "created_at": row.created_at}


class Listing(BaseModel, Generic[Item]):
    """Part of a list, newest first."""

    items: list[Item]
    next: str | None = Field(default=None, description="Cursor of the rest; null at the end")
