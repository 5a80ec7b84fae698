"""The accuracy statement and the assumptions of a forecast, in words that go with its tables."""

from __future__ import annotations

from typing import Final

import pandas as pd

from sufficiency.demand.backtest import BackTest
from sufficiency.demand.forecast import Forecast

BARS: Final[dict[tuple[str, str], dict[str, tuple[float, float, float]]]] = {
    ("ehc_plans", ""): {"mape": (3.5, 5.5, 7.0), "wape": (3.5, 5.4, 7.2), "width80": (12, 19, 25)},
    ("independent_nm", ""): {"mape": (16.0, 23.0, 27.0), "wape": (10.9, 16.6, 20.5), "width80": (40, 62, 82)},
    ("ehc_plans_age_band", "5 to 10"): {"mape": (4.5, 7.8, 9.8)},
    ("ehc_plans_age_band", "11 to 15"): {"mape": (3.6, 6.0, 8.0)},
    ("ehc_plans_age_band", "16 to 19"): {"mape": (6.0, 7.7, 9.0)},
}
"""Largest pooled figures that the forecast is held to, 1, 2 and 3 years ahead, in percent."""
COVERAGE: Final = (75.0, 85.0)
CELL_COVERAGE: Final = (68.0, 95.0)
STATE_SPECIAL_ALLOWANCE: Final = 0.2
MAIN: Final = ("ehc_plans", "special_state", "independent_nm")


def bars(test: BackTest) -> pd.DataFrame:
    """Every bar with what was measured: bar, target, band, horizon, limit, measured, met."""
    rows: list[dict[str, object]] = []
    pooled = test.pooled.set_index(["target", "band", "horizon", "method"])

    def add(bar: str, target: str, band: str, horizon: int | str, limit: object, measured: float, met: bool) -> None:
        rows.append(
            {
                "bar": bar,
                "target": target,
                "band": band,
                "horizon": horizon,
                "limit": limit,
                "measured": round(measured, 2),
                "met": bool(met),
            }
        )

    for (target, band), limits in BARS.items():
        for figure, by_horizon in limits.items():
            for horizon, limit in enumerate(by_horizon, start=1):
                measured = float(pooled.loc[(target, band, horizon, "model"), figure])
                add(f"{figure} at most", target, band, horizon, limit, measured, measured <= limit)
    for horizon in (1, 2, 3):
        for figure in ("mape", "wape"):
            model, blend = (float(pooled.loc[("special_state", "", horizon, method), figure]) for method in ("model", "blend_25_75"))
            limit = blend + STATE_SPECIAL_ALLOWANCE
            add(
                f"{figure} at most the blend's + {STATE_SPECIAL_ALLOWANCE}",
                "special_state",
                "",
                horizon,
                round(limit, 2),
                model,
                model <= limit,
            )
        model, blend = (float(pooled.loc[("independent_nm", "", horizon, method), "wape"]) for method in ("model", "blend_25_75"))
        add("wape below the blend's", "independent_nm", "", horizon, round(blend, 2), model, model < blend)
        for target in MAIN:
            covered = float(pooled.loc[(target, "", horizon, "model"), "coverage80"])
            add(
                "pooled coverage",
                target,
                "",
                horizon,
                f"{COVERAGE[0]:g} to {COVERAGE[1]:g}",
                covered,
                COVERAGE[0] <= covered <= COVERAGE[1],
            )
    cells = test.scores.set_index(["target", "band", "origin", "horizon", "method"])
    for target, band, origin, horizon, method in cells.index:
        if method != "model":
            continue
        if target == "ehc_plans":
            for figure in ("mape", "wape"):
                model, blend = (float(cells.loc[(target, band, origin, horizon, name), figure]) for name in ("model", "blend_25_75"))
                add(f"{figure} below the blend's, origin {origin}", target, band, horizon, round(blend, 2), model, model < blend)
        if target in MAIN:
            covered = float(cells.loc[(target, band, origin, horizon, "model"), "coverage80"])
            limits = f"{CELL_COVERAGE[0]:g} to {CELL_COVERAGE[1]:g}"
            add(f"coverage, origin {origin}", target, band, horizon, limits, covered, CELL_COVERAGE[0] <= covered <= CELL_COVERAGE[1])
    return pd.DataFrame(rows)


def accuracy_statement(test: BackTest) -> str:
    """Markdown: how accurate the forecast was on later releases, what was left out, and what can't be tested."""
    shown = test.pooled[test.pooled["method"].isin(["model", "blend_25_75", "last_value"])]
    lines = [
        "# Accuracy of the demand forecast",
        "",
        "Rolling-origin back-test on the published releases: origins January 2021, 2022 and 2023, one to three years ahead, plain means",
        "over origins. At each origin only what was published by then is used. Figures in percent of the count; bias is forecast less count.",
        "",
        "| Series | Years ahead | Method | MAPE | WAPE | Bias | Bias of the sum | 80 % coverage | Width | MAPE, nothing left out |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in shown.itertuples():
        interval = f"{row.coverage80:.0f} | {row.width80:.0f}" if row.method == "model" else "- | -"
        lines.append(
            f"| {row.target} {row.band} | {row.horizon} | {row.method} | {row.mape:.1f} | {row.wape:.1f} | {row.bias:+.1f} | "
            f"{row.bias_of_sum:+.1f} | {interval} | {row.mape_unfiltered:.1f} |"
        )
    checked = bars(test)
    missed = checked[~checked["met"]]
    lines += ["", f"Of {len(checked)} bars {int(checked['met'].sum())} are met (bars.csv)."]
    lines += [
        f"* Missed: {row.bar}, {row.target} {row.band}, {row.horizon} years: {row.measured} (limit {row.limit})"
        for row in missed.itertuples()
    ]
    left_out = test.areas[~test.areas["scored"] & ~test.areas["reason"].str.startswith(("too small", "fewer"))]
    lines += ["", "Left out of the scores, for every method alike (all are listed in areas.csv):"]
    counts = left_out.drop_duplicates(["area", "origin", "horizon", "reason"]).groupby("reason").size()
    lines += [f"* {reason}: {count} area-targets" for reason, count in counts.items()]
    lines += [
        "",
        "Not tested, because it can't be on public data: plans by need (councils' needs are public for one January only), placements by age and",
        "need, anything beyond three years, small areas, and the effect of scenarios. These figures are checked for coherence only: they add up.",
        "Two of the three origins cross the break of 2023, when the return changed from totals to pupils.",
    ]
    return "\n".join(lines) + "\n"


def assumptions_text(forecast: Forecast) -> str:
    """Markdown: what the forecast assumes, with its seed, scenarios and population."""
    lines = [
        f"# Assumptions of the demand forecast from January {forecast.origin}",
        "",
        f"* Central, low and high: low and high hold 80 %; {forecast.draws.pupils.shape[3]} draws, seed {forecast.seed}. Central figures add up to England's.",
        "* England's growth of plans is held for three years (as tested). From then on new plans stay at the rate then reached for residents",
        "  without a plan: an assumption, not a finding. Councils' deviations from England fade by a fifth a year.",
        "* Placements follow tested paths for three years, then net moves by age; their correction fades by a fifth a year.",
        "* Plans whose placement or need was not recorded are shared out (the base January is derived where that was done).",
        "* Nothing is assumed about places: this is demand as it would be placed in the pattern of recent years.",
        *(f"* {note}." if not note.endswith(".") else f"* {note}" for note in forecast.notes),
    ]
    return "\n".join(lines) + "\n"
