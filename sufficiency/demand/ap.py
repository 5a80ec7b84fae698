"""Demand for alternative provision (AP): state AP schools, council-funded and school-arranged placements, exclusions.

Counts end in January 2023 (school-arranged AP was counted only then), exclusions by council in 2016/17. They are
carried on with England's growth fading by half each year, and shown with low confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from sufficiency.demand.levers import Lever
from sufficiency.sources import alternative_provision, files
from sufficiency.sources.boundaries import SUCCESSORS
from sufficiency.sources.boundaries import councils as all_councils

Figures = npt.NDArray[np.float64]

FADING: Final = 0.5
GROWTH_YEARS: Final = 2
LEAST_PUPILS: Final = 10.0
REACH: Final = float(norm.ppf(0.9))
SD_WITHOUT_HISTORY: Final = 0.35
"""Log spread a year of a series that was counted only once (an assumption)."""
WITH_PLAN: Final = "ehc_plan_in_ap"
EXCLUSIONS: Final = "permanent_exclusions_a_year"
_EXCLUSIONS: Final = {"2016/17": {"year": "year", "level": "level", "name": "la_name", "kind": "school_type", "pupils": "perm_excl"}}


def ap_forecast(
    data: Path, councils: pd.DataFrame, totals: pd.DataFrame, januaries: Sequence[int], levers: Sequence[Lever]
) -> pd.DataFrame:
    """council, provision, january, low, central, high (pupils; exclusions a year), last_counted, status.

    ``totals`` is the forecast of plans: those placed in AP are the provision ``ehc_plan_in_ap``. The other provisions
    count pupils with and without a plan, as published.
    """
    plans = totals[(totals["category"] == "all") & (totals["january"] == januaries[0])].set_index("council")["central"]
    with_plan = totals[(totals["category"] == "ap") & totals["council"].isin(councils["council"])]
    parts = [with_plan.drop(columns="category").assign(provision=WITH_PLAN, last_counted=januaries[0], status="forecast")]
    for kind, rows in alternative_provision.counts(data).groupby("kind"):
        parts.append(_carried(_by_council(rows, list(councils["council"]), plans), str(kind), januaries, levers))
    parts.append(_carried(_exclusions(data, list(councils["council"])), EXCLUSIONS, januaries, levers))
    columns = ["council", "provision", "january", "low", "central", "high", "last_counted", "status"]
    return pd.concat(parts, ignore_index=True)[columns]


def _by_council(rows: pd.DataFrame, councils: list[str], plans: pd.Series) -> pd.DataFrame:
    """Pupils: councils x Januaries; an ended council's pupils go to its successors by their plans."""
    wide = rows.pivot_table(index="council_code", columns="january", values="pupils", aggfunc="sum", min_count=1).astype(float)
    for ended, successors in SUCCESSORS.items():
        if ended in wide.index:
            share = plans.reindex(list(successors)) / plans.reindex(list(successors)).sum()
            for code in successors:
                wide.loc[code] = wide.loc[ended] * share[code]
    return wide.reindex(councils)


def _exclusions(data: Path, councils: list[str]) -> pd.DataFrame:
    """Permanent exclusions from all schools: councils x January of the academic year. Names that ended are left out."""
    table = files.read(data, "exclusions", _EXCLUSIONS)
    table = table[(table["level"] == "Local authority") & (table["kind"] == "Total")]
    names = all_councils(data)
    codes = dict(zip(names["council_name"], names["council_code"], strict=True))
    table = files.numbers(table.assign(council=table["name"].map(codes)).dropna(subset="council"), ["pupils"], "exclusions")
    table = table.assign(january=table["year"].str[:4].astype(int) + 1)
    return table.pivot_table(index="council", columns="january", values="pupils", aggfunc="sum", min_count=1).reindex(councils)


def _carried(wide: pd.DataFrame, provision: str, januaries: Sequence[int], levers: Sequence[Lever]) -> pd.DataFrame:
    """The last count, grown with England's growth fading by half each year; spread from the year-to-year changes."""
    last = int(max(wide.columns))
    base = wide.ffill(axis=1, limit=GROWTH_YEARS)[last]
    back = last - GROWTH_YEARS
    growth, sd = 0.0, SD_WITHOUT_HISTORY
    if back in wide.columns:
        both = wide[last].notna() & wide[back].notna()
        growth = float(np.log(wide.loc[both, last].sum() / wide.loc[both, back].sum()) / GROWTH_YEARS)
        steps = wide.where(wide >= LEAST_PUPILS).apply(np.log).diff(axis=1).iloc[:, 1:]
        sd = float(np.nanquantile((steps - steps.median()).abs().to_numpy(float), 0.8)) / REACH
    rows = []
    for january in januaries:
        ahead = max(january - last, 0)
        central = base * np.exp(growth * sum(FADING**step for step in range(1, ahead + 1))) * _change(wide.index, january, levers)
        reach = np.exp(REACH * sd * np.sqrt(ahead))
        rows.append(
            pd.DataFrame({"council": wide.index, "january": january, "low": central / reach, "central": central, "high": central * reach})
        )
    table = pd.concat(rows, ignore_index=True).dropna(subset="central")
    return table.assign(provision=provision, last_counted=last, status="forecast")


def _change(councils: pd.Index, january: int, levers: Sequence[Lever]) -> Figures:
    """Factor by council of the levers on AP."""
    factor = np.ones(len(councils))
    for effect in (effect for lever in levers for effect in lever.effects if effect.kind == "ap"):
        here = councils.isin(effect.values["councils"]) if "councils" in effect.values else np.ones(len(councils), dtype=bool)
        factor = np.where(here, factor * (1 + effect.strength(january) * float(effect.values["change"])), factor)
    return factor
