"""Papers set by typst: tagged PDF (PDF/UA-1) from a template and a data file, with the fonts that come with the libraries."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import typst

from sufficiency.outputs.pack.canvas import Picture
from sufficiency.outputs.pack.table import Column, PackTable, shown_rows

STANDARD: Final = "ua-1"
MOST_LETTERS: Final = 70
"""A text that is longer asks for no more width."""
LONG_TEXT: Final = 22
"""A text column whose longest cell is longer shares the width that figures and short texts leave."""


def set_paper(template: str, data: Mapping[str, Any], pictures: Path, out: Path) -> None:
    """Set ``template`` (a file of ``typst/``) with ``data`` into ``out``. ``pictures``: folder of the SVG files that the data names."""
    work = Path(tempfile.mkdtemp(prefix=".paper-", dir=out.parent))
    try:
        for part in resources.files("sufficiency.outputs.pack").joinpath("typst").iterdir():
            (work / part.name).write_text(part.read_text(encoding="utf-8"), encoding="utf-8")
        for picture in pictures.glob("*.svg"):
            shutil.copy(picture, work / picture.name)
        (work / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        typst.compile(
            work / template,
            output=out,
            root=work,
            font_paths=[Path(mpl.get_data_path()) / "fonts" / "ttf"],
            ignore_system_fonts=True,
            pdf_standards=[STANDARD],
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def text(words: str) -> dict[str, Any]:
    """A paragraph."""
    return {"kind": "text", "text": words}


def heading(words: str) -> dict[str, Any]:
    """A heading below that of the section."""
    return {"kind": "heading", "text": words}


def bullets(items: Sequence[str]) -> dict[str, Any]:
    """A list."""
    return {"kind": "list", "items": list(items)}


def picture_block(picture: Picture, height_mm: float = 90) -> dict[str, Any]:
    """A picture with its words."""
    return {"kind": "picture", "file": f"{picture.name}.svg", "alt": picture.alt, "height_mm": height_mm}


def table_block(table: PackTable, title: str | None = None) -> dict[str, Any]:
    """A table as the templates read it. ``title``: other than the table's own; none when it is empty."""
    rows = shown_rows(table)
    return {
        "kind": "table",
        "title": table.title if title is None else title,
        "note": table.note,
        "columns": [_column(column, [row[place] for row in rows]) for place, column in enumerate(table.columns)],
        "rows": rows,
        "total": table.has_total and len(table.rows) > 1,
    }


def _column(column: Column, cells: list[str]) -> dict[str, Any]:
    """Heading, unit, side and width: letters that a figure or a short text needs, or the share of what is left for a long text."""
    unit = "" if column.form == "text" or column.unit in ("number", column.heading.lower()) else column.unit
    longest = max((len(cell) for cell in cells), default=0)
    words = max((len(word) for words in [column.heading, unit, *cells] for word in words.split()), default=1)
    long = column.form == "text" and longest > max(LONG_TEXT, words)
    letters = words if column.form == "text" and longest > LONG_TEXT else max(words, longest)
    return {
        "heading": column.heading,
        "unit": unit,
        "right": column.form != "text",
        "share": max(words, min(longest, 12 + 0.3 * min(longest, MOST_LETTERS))) if long else 0,
        "letters": letters,
    }
