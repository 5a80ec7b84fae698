"""Charts of the forecast (a fan by placement for each council) and of the back-test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sufficiency.demand.forecast import Forecast
from sufficiency.sources.ehc_plans import CATEGORIES

PANELS: Final[Mapping[str, tuple[str, ...]]] = {
    "All EHC plans": CATEGORIES,
    "State special schools": ("state_special",),
    "Independent and non-maintained special": ("independent_special", "non_maintained"),
    "SEN units and resourced provision": ("resourced_provision",),
    "Mainstream without a unit": ("mainstream",),
    "Alternative provision (low confidence)": ("ap",),
}
INK, BAND = "#1d70b8", "#5694ca"
METHOD_STYLE: Final = {
    "model": ("Model", "#00703c", "o-"),
    "blend_25_75": ("25/75 blend", "#1d70b8", "s--"),
    "england_growth": ("England growth", "#912b88", "^--"),
    "drift": ("Council drift", "#f47738", "v:"),
    "linear": ("Linear trend", "#b58840", "D:"),
    "last_value": ("Last value", "#505a5f", "x:"),
}
TARGET_TITLE: Final = {
    "ehc_plans": "EHC plans",
    "special_state": "State special",
    "independent_nm": "Independent and non-maintained",
}
FIRST_TICK: Final = 2020
QUANTILES: Final = (0.10, 0.25, 0.75, 0.90)


def fan_charts(
    forecast: Forecast, history: pd.DataFrame, names: Mapping[str, str], folder: Path, progress: Callable[[str], None] | None = None
) -> None:
    """One PNG per council of ``names`` (ONS code -> name): past counts, central path, 50 % and 80 % bands by placement.

    ``history``: council_code, january and categories as returned (recorded placements only).
    """
    folder.mkdir(parents=True, exist_ok=True)
    past = history.set_index(["council_code", "january"])
    past = past[past.index.get_level_values("january") <= forecast.origin]
    figure = Figure(figsize=(11, 6.2))
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3, gridspec_kw={"left": 0.06, "right": 0.99, "top": 0.88, "bottom": 0.05, "wspace": 0.22, "hspace": 0.25})
    places = {name: [CATEGORIES.index(category) for category in categories] for name, categories in PANELS.items()}
    for number, (code, name) in enumerate(sorted(names.items())):
        if progress and number % 50 == 0:
            progress(f"Charts: {number} of {len(names)} councils")
        council = forecast.councils.index(code)
        for axis, (title, categories) in zip(axes.flat, PANELS.items(), strict=True):
            axis.clear()
            drawn = forecast.draws.pupils[council, places[title]].sum(axis=0)
            central = forecast.draws.central[:, council, places[title]].sum(axis=1)
            _fan(axis, forecast.januaries, central, np.quantile(drawn, QUANTILES, axis=1))
            if code in past.index.get_level_values(0):
                own = pd.DataFrame(past.loc[code])
                counted = own["ehc_plans"] if categories is CATEGORIES else own[list(categories)].sum(axis=1, skipna=False)
                axis.plot(counted.index, counted, "o", color="black", markersize=3, label="Counted")
            axis.set_title(title, fontsize=9, loc="left")
            axis.set_ylim(bottom=0)
            axis.tick_params(labelsize=8)
            axis.set_xticks(range(FIRST_TICK, forecast.januaries[-1] + 1, 5))
        axes.flat[0].legend(fontsize=7, frameon=False, loc="upper left")
        figure.suptitle(
            f"{name}: pupils with an EHC plan, each January (forecast from {forecast.origin}; bands hold 50 % and 80 %)", fontsize=11
        )
        figure.savefig(folder / f"{code}.png", dpi=70)


def _fan(axis: Any, januaries: Sequence[int], central: np.ndarray, bands: np.ndarray) -> None:
    low, lower, upper, high = bands
    axis.fill_between(januaries, low, high, color=BAND, alpha=0.25, linewidth=0, label="80 %")
    axis.fill_between(januaries, lower, upper, color=BAND, alpha=0.45, linewidth=0, label="50 %")
    axis.plot(januaries, central, color=INK, label="Central")


def backtest_charts(scores: pd.DataFrame, pooled: pd.DataFrame, folder: Path) -> None:
    """errors.png: mean absolute error by years ahead and method; coverage.png: coverage and width of the 80 % interval."""
    folder.mkdir(parents=True, exist_ok=True)
    groups = [(target, "", title) for target, title in TARGET_TITLE.items()]
    bands = list(dict.fromkeys(pooled.loc[pooled["band"] != "", "band"]))
    groups += [("ehc_plans_age_band", band, f"Ages {band}") for band in bands]
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 4)
    for axis, (target, band, title) in zip(axes.flat, groups, strict=True):
        rows = pooled[(pooled["target"] == target) & (pooled["band"] == band)]
        for method, (label, colour, style) in METHOD_STYLE.items():
            line = rows[rows["method"] == method].set_index("horizon")["mape"]
            axis.plot(line.index, line, style, color=colour, label=label, markersize=4)
        axis.set(title=title, xticks=[1, 2, 3], xlabel="Years ahead", ylabel="MAPE, %")
        axis.set_ylim(bottom=0)
    axes.flat[0].legend(fontsize=7, frameon=False)
    figure.suptitle("Back-test: mean absolute error of councils, pooled over origins 2021 to 2023")
    figure.savefig(folder / "errors.png", dpi=110)
    _coverage_chart(scores[scores["method"] == "model"], groups, folder / "coverage.png")


def _coverage_chart(scores: pd.DataFrame, groups: Sequence[tuple[str, str, str]], path: Path) -> None:
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (target, band, title) in zip(figure.subplots(2, 4).flat, groups, strict=True):
        rows = scores[(scores["target"] == target) & (scores["band"] == band)]
        axis.axhspan(75, 85, color="#00703c", alpha=0.15, label="75 to 85 %")
        for origin, cells in rows.groupby("origin"):
            axis.plot(cells["horizon"], cells["coverage80"], "o-", markersize=4, label=f"Origin {origin}")
        axis.set(title=title, xticks=[1, 2, 3], xlabel="Years ahead", ylabel="Coverage, %", ylim=(40, 100))
    figure.axes[0].legend(fontsize=7, frameon=False)
    figure.suptitle("Back-test: share of councils inside the 80 % interval")
    figure.savefig(path, dpi=110)
