"""Charts of a pack: money by year, independent placements, needs and equality. They draw the pack's own tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sufficiency.case import Case
from sufficiency.outputs.pack.canvas import AFTER_COLOUR, BEFORE_COLOUR, INK, PATTERNS, TONES, Picture, footnote, source_line
from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.pack.table import PackTable


def chart_pictures(tables: Mapping[str, PackTable], of: Material) -> list[Picture]:
    """The charts of a pack; one without figures is left out."""
    last, case = of.last, of.case
    years, needs, payments, equality = (tables[name].rows for name in ("years", "needs", "payments", "equality"))
    pictures = [
        Picture(
            "chart-independent",
            "Pupils in independent places",
            f"Line chart. Pupils in independent places in {last}: {_number(years, 'independent_before')} with only what is committed,"
            f" {_number(years, 'independent_after')} with the plan. All years are in the table year by year.",
            False,
            partial(_draw_independent, years, case),
        ),
        Picture(
            "chart-needs",
            f"Pupils in independent places by need, {last}",
            f"Bar chart of pupils in independent places in {last} by need group, before and with the plan.",
            False,
            partial(_draw_pairs, needs, "need_group", "independent", f"Pupils in independent places by need, {last}", "pupils", 1.0, case),
        ),
    ]
    if len(payments):
        pictures.append(
            Picture(
                "chart-money",
                "Capital by year and kind of project",
                f"Stacked bar chart of capital by financial year and kind of project, £{payments['amount_gbp'].sum() / 1e6:,.1f} million in"
                " all, as in the table of money.",
                False,
                partial(_draw_money, payments, case),
            )
        )
    fifths = equality[equality["what"] == "Deprivation"]
    if len(fifths) > 1:
        title = f"Share in independent places by deprivation of the home area, {last}"
        alt = f"Bar chart of the share of pupils in independent places in {last} by fifth of deprivation, before and with the plan."
        pictures.append(
            Picture(
                "chart-equality", title, alt, False, partial(_draw_pairs, fifths, "group", "independent", title, "% of pupils", 100.0, case)
            )
        )
    return pictures


def _draw_independent(years: pd.DataFrame, case: Case, figure: Figure) -> None:
    axes = _axes(figure, "Pupils in independent places", case)
    x = np.arange(len(years))
    for column, label, colour, style, marker, lift in (
        ("independent_before", "only what is committed", BEFORE_COLOUR, "--", "s", 8),
        ("independent_after", "with the plan", AFTER_COLOUR, "-", "o", -14),
    ):
        axes.plot(x, years[column], color=colour, linestyle=style, marker=marker, linewidth=2.4, label=label)
        value = years[column].iloc[-1]
        if pd.notna(value):
            axes.annotate(f"{value:,.0f}", (x[-1], value), xytext=(0, lift), textcoords="offset points", ha="center", fontweight="bold")
    axes.set_xticks(x, years["academic_year"])
    axes.set_ylim(0, None)
    axes.margins(y=0.15)
    axes.set_ylabel("pupils, January of the year")
    axes.legend(frameon=False, loc="upper left")


def _draw_pairs(rows: pd.DataFrame, group: str, measure: str, title: str, unit: str, scale: float, case: Case, figure: Figure) -> None:
    axes = _axes(figure, title, case, left=0.32)
    y = np.arange(len(rows))[::-1]
    for column, label, colour, hatch, lift in (
        (f"{measure}_before", "only what is committed", "#dfe3e6", "///", 0.2),
        (f"{measure}_after", "with the plan", AFTER_COLOUR, "", -0.2),
    ):
        values = rows[column] * scale
        axes.barh(y + lift, values.fillna(0.0), height=0.38, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.6, label=label)
        for place, value in zip(y + lift, values, strict=True):
            text = "c" if pd.isna(value) else f"{value:,.1f}" if scale != 1 else f"{value:,.0f}"
            axes.annotate(
                text, (0.0 if pd.isna(value) else value, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
            )
    axes.set_yticks(y, [_two_lines(name) for name in rows[group]])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(unit)
    axes.margins(x=0.1)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.3, -0.24), ncols=2)


def _draw_money(payments: pd.DataFrame, case: Case, figure: Figure) -> None:
    axes = _axes(figure, "Capital by year and kind of project", case, right=0.66)
    wide = payments.pivot_table(index="financial_year", columns="kind", values="amount_gbp", aggfunc="sum", fill_value=0.0) / 1e6
    wide = wide[wide.sum().sort_values(ascending=False).index]
    base = np.zeros(len(wide))
    for place, kind in enumerate(wide.columns):
        tone, pattern = TONES[place % len(TONES)], PATTERNS[place % len(PATTERNS)]
        axes.bar(
            wide.index, wide[kind], bottom=base, color=tone, hatch=pattern, edgecolor=INK, linewidth=0.6, label=_two_lines(str(kind), 30)
        )
        base += wide[kind].to_numpy()
    for x, total in enumerate(base):
        axes.annotate(f"{total:,.1f}", (x, total), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=9, fontweight="bold")
    axes.set_ylabel(f"£ million, {case.price_base} prices")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize=9.5)


def _axes(figure: Figure, title: str, case: Case, left: float = 0.1, right: float = 0.97) -> Axes:
    axes: Axes = figure.add_axes((left, 0.2, right - left, 0.68))
    axes.set_title(title, x=-left / (right - left) + 0.02, pad=14)
    footnote(figure, source_line(case))
    return axes


def _two_lines(name: str, most: int = 28) -> str:
    if len(name) <= most:
        return name
    cut = name.rfind(" ", 0, most)
    return f"{name[:cut]}\n{name[cut + 1 :]}" if cut > 0 else name


def _number(rows: pd.DataFrame, column: str) -> str:
    value = rows[column].iloc[-1]
    return "not shown" if pd.isna(value) else f"{value:,.0f}"
