"""What the maps and charts of a pack share: sizes, greys that print, and files as PNG and SVG.

Every shade differs in lightness and every mark in shape or pattern, so that a black-and-white print tells the same.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sufficiency.case import Case
from sufficiency.outputs.words import is_fictional

INK: Final = "#0b0c0c"
GREY: Final = "#505a5f"
PALE: Final = "#dfe3e6"
BEFORE_COLOUR: Final = "#8a959b"
AFTER_COLOUR: Final = "#0c4a8a"
PATTERNS: Final = ("", "///", "...", "xx", "\\\\\\", "++", "oo")
TONES: Final = ("#0c4a8a", "#9fc6e3", "#f3f2f1", "#5fa2d0", "#d0e1f2", "#b1b4b6", "#ffffff")
MAP_INCHES: Final = (15.2, 9.6)
CHART_INCHES: Final = (9.6, 5.4)
LETTERS_PER_INCH: Final = 14.5
"""Letters of the small print that fit an inch."""
PNG_DPI: Final = 150
STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 14,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.7,
    "svg.hashsalt": "sufficiency",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True)
class Picture:
    """A map or chart: file name, title, what it shows in words for who can't see it, and whether it is a map."""

    name: str
    title: str
    alt: str
    is_map: bool
    draw: Callable[[Figure], None]


def write_picture(picture: Picture, folder: Path) -> None:
    """Write ``<name>.png`` and ``<name>.svg``, the same bytes for the same plan."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=MAP_INCHES if picture.is_map else CHART_INCHES)
        picture.draw(figure)
        figure.savefig(folder / f"{picture.name}.svg", metadata={"Date": None, "Title": picture.title, "Description": picture.alt})
        figure.savefig(folder / f"{picture.name}.png", dpi=PNG_DPI, metadata={"Title": picture.title, "Description": picture.alt})


def source_line(case: Case) -> str:
    """Where the figures and shapes come from, with the words that the licences ask for."""
    if is_fictional(case):
        return "Fictional data: no such place exists."
    publishers = ", ".join(dict.fromkeys(source.publisher for source in case.sources if source.publisher[:1].isupper()))
    licence = " Licensed under the Open Government Licence v3.0." if any("Open Government" in s.licence for s in case.sources) else ""
    years = sorted({source.edition[:4] for source in case.sources if "OS data" in source.licence and source.edition[:4].isdigit()})
    ordnance = f" Contains OS data © Crown copyright and database right {years[-1]}." if years else ""
    return f"Sources: {publishers or 'the user'}.{licence}{ordnance}"


def footnote(figure: Figure, text: str) -> None:
    """Small print at the foot of a picture, in as many lines as it needs."""
    letters = int(figure.get_figwidth() * LETTERS_PER_INCH)
    figure.text(0.01, 0.012, "\n".join(textwrap.wrap(text, letters)), fontsize=8, color=GREY, ha="left", va="bottom")


def quiet(axes: Axes) -> None:
    """Axes of a map: no ticks, no frame."""
    axes.set_axis_off()
    axes.set_aspect("equal")
