"""The accuracy statement and the assumptions of a forecast, in words that go with its tables."""

from __future__ import annotations

from typing import Final

import pandas as pd

from sufficiency.demand.backtest import CELLS, BackTest
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
    rows: list[tuple[str, str, str, int, str, float, bool]] = []

    def at_most(bar: str, target: str, band: str, horizon: int, limit: float, measured: float) -> None:
        rows.append((bar, target, band, horizon, f"{limit:.2f}", measured, measured <= limit))

    def between(bar: str, target: str, horizon: int, limits: tuple[float, float], measured: float) -> None:
        rows.append((bar, target, "", horizon, f"{limits[0]:g} to {limits[1]:g}", measured, limits[0] <= measured <= limits[1]))

    def pooled(figure: str, target: str, horizon: int, method: str = "model", band: str = "") -> float:
        return _figure(test.pooled, figure, target=target, band=band, horizon=horizon, method=method)

    for (target, band), limits in BARS.items():
        for figure, by_horizon in limits.items():
            for horizon, limit in enumerate(by_horizon, start=1):
                at_most(f"{figure} at most", target, band, horizon, limit, pooled(figure, target, horizon, band=band))
    for horizon in (1, 2, 3):
        for figure in ("mape", "wape"):
            limit = pooled(figure, "special_state", horizon, "blend_25_75") + STATE_SPECIAL_ALLOWANCE
            at_most(
                f"{figure} of the blend + {STATE_SPECIAL_ALLOWANCE}",
                "special_state",
                "",
                horizon,
                limit,
                pooled(figure, "special_state", horizon),
            )
        blend = pooled("wape", "independent_nm", horizon, "blend_25_75")
        at_most("wape of the blend", "independent_nm", "", horizon, blend, pooled("wape", "independent_nm", horizon))
        for target in MAIN:
            between("pooled coverage", target, horizon, COVERAGE, pooled("coverage80", target, horizon))
    for origin, horizon in CELLS:

        def cell(figure: str, target: str, method: str = "model", origin: int = origin, horizon: int = horizon) -> float:
            return _figure(test.scores, figure, target=target, band="", origin=origin, horizon=horizon, method=method)

        for figure in ("mape", "wape"):
            at_most(
                f"{figure} of the blend, origin {origin}",
                "ehc_plans",
                "",
                horizon,
                cell(figure, "ehc_plans", "blend_25_75"),
                cell(figure, "ehc_plans"),
            )
        for target in MAIN:
            between(f"coverage, origin {origin}", target, horizon, CELL_COVERAGE, cell("coverage80", target))
    table = pd.DataFrame(rows, columns=["bar", "target", "band", "horizon", "limit", "measured", "met"])
    return table.assign(measured=table["measured"].round(2))


def _figure(table: pd.DataFrame, figure: str, **keys: str | int) -> float:
    """The one figure of the row with these keys. KeyError when there is none or more than one."""
    chosen = pd.Series(True, index=table.index)
    for column, value in keys.items():
        chosen &= table[column] == value
    if int(chosen.sum()) != 1:
        raise KeyError(f"{int(chosen.sum())} rows with {keys}")
    return float(table.loc[chosen, figure].iloc[0])


def accuracy_statement(test: BackTest) -> str:
    """Markdown: how accurate the forecast was on later releases, what was left out, and what can't be tested."""
    shown = test.pooled[test.pooled["method"].isin(["model", "blend_25_75", "last_value"])]
    lines = [
        "# Accuracy of the demand forecast",
        "",
        "Rolling-origin back-test on the published releases: origins January 2021, 2022 and 2023, one to three years ahead, plain",
        "means over origins. At each origin only what was published by then is used. Figures in percent of the count; bias is",
        "forecast less count.",
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
        "Not tested, because it can't be on public data: plans by need (councils' needs are public for one January only), placements",
        "by age and need, anything beyond three years, small areas, and the effect of scenarios. These figures are checked for",
        "coherence only: they add up.",
        "Two of the three origins cross the break of 2023, when the return changed from totals to pupils.",
    ]
    return "\n".join(lines) + "\n"


def assumptions_text(forecast: Forecast) -> str:
    """Markdown: what the forecast assumes, with its seed, scenarios and population."""
    lines = [
        f"# Assumptions of the demand forecast from January {forecast.origin}",
        "",
        f"* Low and high hold 80 %; {forecast.draws.pupils.shape[3]} draws, seed {forecast.seed}. Central figures add up to England's.",
        "* England's growth of plans is held for three years (as tested). From then on the rise of new plans above today's rate for",
        "  residents without a plan fades by a fifth a year: an assumption, not a finding; the levers request_rate_held and",
        "  request_rate_rising show the other ways. Councils' deviations from England fade by a fifth a year.",
        "* Placements follow tested paths for three years, then net moves by age; their correction fades by a fifth a year.",
        "* Plans whose placement or need was not recorded are shared out (the base January is derived where that was done).",
        "* Nothing is assumed about places: this is demand as it would be placed in the pattern of recent years.",
        *(f"* {note}." if not note.endswith(".") else f"* {note}" for note in forecast.notes),
    ]
    return "\n".join(lines) + "\n"
