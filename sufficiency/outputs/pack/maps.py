"""Maps for print: settings and new places, need by area, journeys and independent placements before and after. EPSG:27700."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sufficiency.case import Case
from sufficiency.disclosure import Shown, label
from sufficiency.outputs.figures import ALL, project_list
from sufficiency.outputs.map_data import area_outlines
from sufficiency.outputs.pack.canvas import GREY, INK, Picture, footnote, quiet, source_line
from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.styles import MARKERS, MINUTES, SHADES
from sufficiency.terms import SETTING_KINDS

SHAPES: Final = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "hexagon": "h"}
SHARE_BREAKS: Final = (0, 10, 20, 30, 40, 60, 100)
HIDDEN_STYLE: Final[dict[str, Any]] = {"facecolor": "white", "hatch": "....", "edgecolor": "#8f989d"}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """Shapes that all maps of a pack stand on."""

    areas: gpd.GeoSeries
    """By area id."""
    councils: gpd.GeoDataFrame
    """Shapes with ``name``."""
    bounds: tuple[float, float, float, float]


def ground(case: Case) -> Ground:
    """The ground of a case: areas and councils with as few points as a print needs."""
    areas = area_outlines(case).to_crs(27700)
    areas.index = pd.Index(case.areas["area_id"])
    shapes = gpd.GeoDataFrame({"name": case.areas["council_name"].to_numpy()}, geometry=areas.make_valid().to_numpy(), crs=27700)
    west, south, east, north = areas.total_bounds
    margin = 0.03 * max(east - west, north - south)
    return Ground(areas, shapes.dissolve("name").reset_index(), (west - margin, south - margin, east + margin, north + margin))


def map_pictures(of: Material) -> list[Picture]:
    """The maps of a pack."""
    plan, case, shown, last, where = of.plan, of.case, of.shown, of.last, of.where
    on = ground(case)
    projects = project_list(plan.plan.projects, case)
    before, after = (_of_areas(shown[name], last, on) for name in ("counterfactual", "plan"))
    need = after["pupils"] + after["unmet"].fillna(0.0)
    share = [100 * table["independent"] / table["pupils"].where(table["pupils"] > 0) for table in (before, after)]
    minutes = [table["pupil_minutes"] / table["travellers"].where(table["travellers"] > 0) for table in (before, after)]
    places = f"{projects['places'].sum():,.0f} places in {len(projects)} projects"
    return [
        Picture(
            "map-places",
            f"{where}: settings and projects of the plan",
            f"Map of {where}. {places}, numbered as in the table of projects, and the settings that stand there by kind."
            " The tables of projects and of places hold the same.",
            True,
            partial(_draw_places, on, projects, case, shown["plan"]),
        ),
        Picture(
            "map-need",
            f"{where}: pupils who need a place, {last}",
            f"Map of {where} shaded by pupils who need a specialist place or alternative provision in {last}, by small area."
            " The table of pupils by need gives the totals.",
            True,
            partial(_draw_one, on, need, _breaks(need), "pupils", f"Pupils who need a place, {last}", case),
        ),
        Picture(
            "map-travel",
            f"{where}: mean journey before and with the plan, {last}",
            f"Two maps of {where} side by side, shaded by the mean journey in minutes one way in {last}: with only what is"
            " committed, and with the plan. The tables of journeys give the figures.",
            True,
            partial(_draw_two, on, minutes, MINUTES, "minutes, one way", "Mean journey", case),
        ),
        Picture(
            "map-independent",
            f"{where}: share of pupils in independent places before and with the plan, {last}",
            f"Two maps of {where} side by side, shaded by the share of pupils in independent places in {last}: with only what is"
            " committed, and with the plan. The equality annex gives the shares by group.",
            True,
            partial(_draw_two, on, share, SHARE_BREAKS, "% of pupils", "Share in independent places", case),
        ),
    ]


def _of_areas(shown: Shown, year: str, on: Ground) -> pd.DataFrame:
    """Figures of all needs together by area; empty where they may not be shown."""
    table = shown.areas[(shown.areas["need_group"] == ALL) & (shown.areas["academic_year"] == year)]
    return table.set_index("zone_id").reindex(on.areas.index)


def _draw_one(on: Ground, values: pd.Series[float], breaks: Sequence[float], unit: str, title: str, case: Case, figure: Figure) -> None:
    axes = figure.add_axes((0.01, 0.05, 0.78, 0.88))
    _shade(axes, on, values, breaks)
    axes.set_title(title)
    _furniture(axes, on)
    _legend(figure, breaks, unit, bool(values.isna().any()))
    footnote(figure, f"{source_line(case)} {label(case)}")


def _draw_two(
    on: Ground, pair: Sequence[pd.Series[float]], breaks: Sequence[float], unit: str, title: str, case: Case, figure: Figure
) -> None:
    wide = on.bounds[2] - on.bounds[0] > 1.35 * (on.bounds[3] - on.bounds[1])
    for place, (values, when) in enumerate(zip(pair, ("before: only what is committed", "with the plan"), strict=True)):
        box = (0.01, 0.51 - 0.46 * place, 0.78, 0.42) if wide else (0.01 + 0.4 * place, 0.05, 0.385, 0.88)
        axes = figure.add_axes(box)
        _shade(axes, on, values, breaks)
        axes.set_title(f"{title}, {when}", fontsize=12)
        _furniture(axes, on, names=False)
    _legend(figure, breaks, unit, any(bool(values.isna().any()) for values in pair))
    footnote(figure, f"{source_line(case)} {label(case)}")


def _draw_places(on: Ground, projects: pd.DataFrame, case: Case, shown: Shown, figure: Figure) -> None:
    axes = figure.add_axes((0.01, 0.05, 0.78, 0.88))
    on.areas.plot(ax=axes, color="#f8f8f8", edgecolor="#dcdfe1", linewidth=0.3)
    on.councils.boundary.plot(ax=axes, color=GREY, linewidth=1.2)
    _draw_settings(axes, on, case, shown)
    _draw_projects(axes, on, projects)
    axes.set_title("Settings and projects of the plan")
    _furniture(axes, on)
    kinds = [
        Line2D(
            [], [], marker=SHAPES[shape], color="none", markerfacecolor=colour, markeredgecolor=INK, markersize=9, label=SETTING_KINDS[kind]
        )
        for kind, (shape, colour) in MARKERS.items()
    ]
    number = Line2D(
        [],
        [],
        marker="s",
        color="none",
        markerfacecolor=INK,
        markersize=13,
        label="Project, by its number in the\ntable; larger: more places",
    )
    note = Line2D([], [], color="none", label="Settings grow with their places")
    _side(figure, [number, note, *[_wrapped(kind) for kind in kinds]], "Settings and projects")
    footnote(figure, source_line(case))


def _draw_settings(axes: Axes, on: Ground, case: Case, shown: Shown) -> None:
    use = shown.use[shown.use["academic_year"] == case.academic_years[-1]].set_index("setting_id")["places"]
    for kind, (shape, colour) in MARKERS.items():
        ours = case.settings[(case.settings["kind"] == kind) & case.settings["easting_m"].notna()]
        places = ours["setting_id"].map(use).astype(float).fillna(0.0)  # of no setting: text otherwise
        axes.scatter(
            ours["easting_m"],
            ours["northing_m"],
            s=14 + 0.6 * places,
            marker=SHAPES[shape],
            c=colour,
            edgecolors=INK,
            linewidths=0.6,
            zorder=3,
        )
    axes.set_xlim(on.bounds[0], on.bounds[2])
    axes.set_ylim(on.bounds[1], on.bounds[3])


def _draw_projects(axes: Axes, on: Ground, projects: pd.DataFrame) -> None:
    if projects.empty:
        return
    true = projects[["easting_m", "northing_m"]].to_numpy(dtype=float)
    apart = spread_apart(true, 0.021 * max(on.bounds[2] - on.bounds[0], 1.5 * (on.bounds[3] - on.bounds[1])))
    for (x, y), (at_x, at_y), row in zip(true, apart, projects.to_dict("records"), strict=True):
        axes.plot([x, at_x], [y, at_y], color=INK, linewidth=0.7, zorder=4)
        axes.scatter([x], [y], s=6, c=INK, zorder=4)
        size, plate = 7.5 + min(row["places"], 100) / 22, {"boxstyle": "square,pad=0.22", "facecolor": INK, "edgecolor": "white"}
        axes.text(
            at_x, at_y, str(row["number"]), color="white", fontsize=size, weight="bold", ha="center", va="center", zorder=5, bbox=plate
        )


def spread_apart(points: Floats, least: float, rounds: int = 200) -> Floats:
    """Points moved until they stand at least ``least`` apart, or as far as ``rounds`` bring them; the same input gives the same places."""
    moved = points + least * 1e-3 * np.column_stack([np.cos(np.arange(len(points))), np.sin(np.arange(len(points)))])
    for _ in range(rounds):
        gaps = moved[:, None, :] - moved[None, :, :]
        far = np.sqrt((gaps**2).sum(axis=2)) + np.eye(len(points)) * least * 2
        close = np.clip(least - far, 0, None)
        if not close.any():
            break
        moved = moved + (gaps / far[:, :, None] * close[:, :, None] / 2).sum(axis=1)
    return moved


def _shade(axes: Axes, on: Ground, values: pd.Series[float], breaks: Sequence[float]) -> None:
    classes = np.clip(np.digitize(values.fillna(breaks[0]), breaks[1:-1], right=True), 0, len(breaks) - 2)
    known = values.notna().to_numpy()
    steps = _steps(len(breaks) - 1)
    for step, shade in enumerate(steps):
        chosen = on.areas[known & (classes == step)]
        if len(chosen):
            chosen.plot(ax=axes, color=shade, edgecolor="#a9b3b9", linewidth=0.25)
    if (~known).any():
        on.areas[~known].plot(ax=axes, linewidth=0.25, **HIDDEN_STYLE)
    on.councils.boundary.plot(ax=axes, color=INK, linewidth=1.0)
    axes.set_xlim(on.bounds[0], on.bounds[2])
    axes.set_ylim(on.bounds[1], on.bounds[3])


def _steps(count: int) -> list[str]:
    """As many shades as there are classes, from light to dark."""
    if count == 1:
        return [SHADES[2]]
    return [SHADES[round(place * (len(SHADES) - 1) / max(count - 1, 1))] for place in range(count)]


def _breaks(values: pd.Series[float]) -> list[float]:
    """Limits of up to five classes with round figures."""
    known = values.dropna()
    if known.empty or known.max() <= 0:
        return [0.0, 1.0]
    digits = 0 if known.max() >= 10 else 1
    limits = sorted({round(float(limit), digits) for limit in np.quantile(known, (0.2, 0.4, 0.6, 0.8))} - {0.0})
    top = float(np.ceil(known.max()))
    return [0.0, *[limit for limit in limits if limit < top], top]


def _legend(figure: Figure, breaks: Sequence[float], unit: str, some_hidden: bool) -> None:
    patches: list[Any] = [
        Patch(facecolor=shade, edgecolor=GREY, label=f"{'' if low == breaks[0] else 'over '}{low:g} to {high:g}")
        for shade, low, high in zip(_steps(len(breaks) - 1), breaks[:-1], breaks[1:], strict=True)
    ]
    if some_hidden:
        patches.append(Patch(**HIDDEN_STYLE, label="not shown, or nobody"))
    _side(figure, patches, unit[0].upper() + unit[1:])


def _side(figure: Figure, handles: list[Any], title: str) -> None:
    legend = figure.legend(
        handles=handles,
        title=title,
        loc="upper left",
        bbox_to_anchor=(0.8, 0.93),
        frameon=False,
        alignment="left",
        fontsize=10,
        labelspacing=0.9,
    )
    legend.get_title().set_fontweight("bold")


def _wrapped(handle: Line2D) -> Line2D:
    words, lines = str(handle.get_label()).split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 26:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    handle.set_label("\n".join(lines))
    return handle


def _furniture(axes: Axes, on: Ground, *, names: bool = True) -> None:
    """Names of councils, a scale bar and north."""
    quiet(axes)
    west, south, east, north = on.bounds
    width, height = east - west, north - south
    if names and len(on.councils) > 1:
        for row in on.councils.itertuples():
            point = row.geometry.representative_point()
            halo = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
            axes.text(point.x, point.y, row.name, fontsize=9, style="italic", color=INK, ha="center", va="center", zorder=4, bbox=halo)
    km = _round_km(width / 5000)
    x, y = west + 0.02 * width, south + 0.02 * height
    axes.plot([x, x + km * 1000], [y, y], color=INK, linewidth=3, solid_capstyle="butt", zorder=6)
    axes.text(x + km * 500, y + 0.012 * height, f"{km:g} km", fontsize=9, ha="center", va="bottom", zorder=6)
    axes.annotate(
        "N", xy=(0.985, 0.985), xytext=(0.985, 0.9), xycoords="axes fraction", ha="center", va="center", fontsize=11, fontweight="bold",
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.5},
    )  # fmt: skip


def _round_km(about: float) -> float:
    """The largest of 1, 2, 5, 10, 20 ... km that is no more than ``about``."""
    power = 10 ** np.floor(np.log10(max(about, 0.1)))
    return float(max(step * power for step in (1, 2, 5) if step * power <= max(about, 0.1)))
