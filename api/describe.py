"""Writes the table of settings in docs/service.md: ``python -m api.describe``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from api.settings import Limits, Settings

BEGIN: Final = "<!-- settings: written by python -m api.describe -->"
END: Final = "<!-- end of settings -->"


def settings_table() -> str:
    """The settings as a Markdown table."""
    rows = [*_rows(Settings, "SUFFICIENCY_"), *_rows(Limits, "SUFFICIENCY_LIMITS__")]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def written(page: str) -> str:
    """The page with the table of today's settings."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{settings_table()}\n\n{END}", page, flags=re.DOTALL)


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if not isinstance(field.default, BaseModel):
            yield f"| `{prefix}{name.upper()}` | {_shown(field.default)} | {field.description} |"


def _shown(default: Any) -> str:
    return "" if default == "" else f"`{default}`"


def main() -> None:
    """Write the page anew."""
    page = Path(__file__).parents[1] / "docs" / "service.md"
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
