"""Styles of the GeoPackage's layers in QGIS's own notation (QML), in the colours and shapes of the offline map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sufficiency.terms import SETTING_KINDS

SHADES: Final = ("#f7fbff", "#d0e1f2", "#9fc6e3", "#5fa2d0", "#2a77b4", "#0c4a8a")
MARKERS: Final = {
    "state_special": ("circle", "#d55e00"),
    "resourced_provision": ("square", "#00795a"),
    "ap": ("triangle", "#8a3d77"),
    "non_maintained": ("diamond", "#e69f00"),
    "independent_special": ("hexagon", "#f0e442"),
}
MINUTES: Final = (0, 15, 20, 30, 45, 75, 180)


@dataclass(frozen=True)
class Style:
    """One default style of a layer."""

    name: str
    description: str
    qml: str


def _layer(simple: str, options: Mapping[str, str], properties: str = "") -> str:
    listed = "".join(f'<Option type="QString" name="{name}" value="{value}"/>' for name, value in options.items())
    data_defined = f'<data_defined_properties><Option type="Map">{properties}</Option></data_defined_properties>' if properties else ""
    return f'<layer class="{simple}" enabled="1" locked="0" pass="0"><Option type="Map">{listed}</Option>{data_defined}</layer>'


def _property(name: str, expression: str) -> str:
    return (
        '<Option type="QString" name="name" value=""/><Option type="Map" name="properties">'
        f'<Option type="Map" name="{name}"><Option type="bool" name="active" value="true"/>'
        f'<Option type="QString" name="expression" value="{expression}"/><Option type="int" name="type" value="3"/></Option></Option>'
        '<Option type="QString" name="type" value="collection"/>'
    )


def _symbol(number: int, kind: str, layer: str) -> str:
    return f'<symbol name="{number}" type="{kind}" alpha="1" clip_to_extent="1" force_rhr="0">{layer}</symbol>'


def _qml(renderer: str, labels: str = "") -> str:
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'><qgis version=\"3.34\">{renderer}{labels}</qgis>"


def _areas() -> str:
    ranges = "".join(
        f'<range symbol="{i}" lower="{low}" upper="{high}" label="{low} to {high} minutes" render="true"/>'
        for i, (low, high) in enumerate(pairwise(MINUTES))
    )
    fill = {"style": "solid", "outline_color": "143,163,181,255", "outline_width": "0.1", "outline_style": "solid"}
    symbols = "".join(_symbol(i, "fill", _layer("SimpleFill", fill | {"color": _rgb(shade)})) for i, shade in enumerate(SHADES))
    renderer = '<renderer-v2 type="graduatedSymbol" attr="minutes_after_all" graduatedMethod="GraduatedColor">'
    return _qml(f"{renderer}<ranges>{ranges}</ranges><symbols>{symbols}</symbols></renderer-v2>")


def _settings() -> str:
    categories = "".join(
        f'<category symbol="{i}" value="{kind}" label="{SETTING_KINDS[kind]}" render="true" type="string"/>'
        for i, kind in enumerate(MARKERS)
    )
    size = _property("size", "coalesce(1.5 + sqrt(&quot;places_after&quot;) / 3, 2)")
    marker = {"outline_color": "11,12,12,255", "outline_width": "0.3", "size": "3", "size_unit": "MM"}
    symbols = "".join(
        _symbol(i, "marker", _layer("SimpleMarker", marker | {"name": shape, "color": _rgb(colour)}, size))
        for i, (shape, colour) in enumerate(MARKERS.values())
    )
    return _categorised("kind", categories, symbols)


def _projects() -> str:
    marker = {
        "name": "square",
        "color": "11,12,12,255",
        "outline_color": "255,221,0,255",
        "outline_width": "0.6",
        "size": "6",
        "size_unit": "MM",
    }
    labels = (
        '<labeling type="simple"><settings><text-style fieldName="number" textColor="255,255,255,255" fontSize="9" fontFamily="Arial"'
        ' fontWeight="75"/><placement placement="1" quadOffset="4"/><rendering displayAll="1"/></settings></labeling>'
    )
    symbol = _symbol(0, "marker", _layer("SimpleMarker", marker))
    return _qml(f'<renderer-v2 type="singleSymbol"><symbols>{symbol}</symbols></renderer-v2>', labels)


def _flows() -> str:
    width = _property("outlineWidth", "0.2 + &quot;pupils&quot; / 20")
    categories = '<category symbol="0" value="after" label="With the plan" render="true" type="string"/>' + (
        '<category symbol="1" value="before" label="Before" render="false" type="string"/>'
    )
    line = {"line_width": "0.4", "line_width_unit": "MM", "line_style": "solid"}
    symbols = _symbol(0, "line", _layer("SimpleLine", line | {"line_color": "11,12,12,160"}, width)) + _symbol(
        1, "line", _layer("SimpleLine", line | {"line_color": "80,90,95,160", "line_style": "dash"}, width)
    )
    return _categorised("variant", categories, symbols)


def _categorised(column: str, categories: str, symbols: str) -> str:
    renderer = f'<renderer-v2 type="categorizedSymbol" attr="{column}">'
    return _qml(f"{renderer}<categories>{categories}</categories><symbols>{symbols}</symbols></renderer-v2>")


def _rgb(colour: str) -> str:
    return ",".join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5)) + ",255"


STYLES: Final = {
    "areas": Style("Mean journey with the plan", "Mean journey in the last planning year, minutes one way", _areas()),
    "flows": Style("Flows", "At least five pupils from an area to a setting in the last planning year", _flows()),
    "settings": Style("Settings", "Kind by shape and colour, places by size", _settings()),
    "projects": Style("Projects", "Projects of the plan by number", _projects()),
}
"""Layer -> its default style."""
