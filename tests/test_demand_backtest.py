"""The back-test on the real releases: the bars hold, nothing later than the origin is used, the rules are what they say."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sufficiency.demand.backtest import CELLS, METHODS, BackTest, back_test
from sufficiency.demand.commands import run_backtest
from sufficiency.demand.intervals import error_model
from sufficiency.demand.rules import simple_forecasts
from sufficiency.demand.statement import bars
from sufficiency.demand.targets import BY_MEASURE, TARGETS, Forecaster
from sufficiency.demand.tuning import tuning_table
from sufficiency.sources.sen2_history import area_of, read_history

needs_data = pytest.mark.skipif("SUFFICIENCY_DATA" not in os.environ, reason="SUFFICIENCY_DATA is unset: needs the published releases")


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster.from_data(Path(os.environ["SUFFICIENCY_DATA"]))


@pytest.fixture(scope="module")
def tested(forecaster: Forecaster) -> BackTest:
    return back_test(forecaster)


@needs_data
def test_every_bar_is_met(tested: BackTest) -> None:
    checked = bars(tested)
    assert len(checked) > 80
    assert checked["met"].all(), checked[~checked["met"]].to_string()


@needs_data
def test_every_cell_and_method_is_scored_with_its_unfiltered_figure(tested: BackTest) -> None:
    scores = tested.scores
    assert list(scores.columns[:8]) == ["target", "origin", "horizon", "method", "mape", "wape", "bias", "coverage80"]
    assert len(scores) == len(TARGETS) * len(CELLS) * len(METHODS)
    assert scores[["mape", "wape", "bias", "bias_of_sum", "mape_unfiltered"]].notna().all().all()
    assert scores.loc[scores["method"] == "model", ["coverage80", "width80"]].notna().all().all()
    reasons = tested.areas[tested.areas["reason"].str.contains("Newham|not recorded|not returned")]
    assert {"Newham", "not recorded", "not returned"} <= {
        word for reason in reasons["reason"] for word in ("Newham", "not recorded", "not returned") if word in reason
    }


@needs_data
@pytest.mark.parametrize("origin", [2021, 2022, 2023])
def test_nothing_later_than_the_origin_is_used(forecaster: Forecaster, origin: int) -> None:
    spoilt = forecaster.history
    for name in ("stock", "bands", "flows"):
        table = getattr(spoilt, name).astype(float)
        level = "january" if "january" in table.index.names else "year"
        later = table.index.get_level_values(level) > (origin if level == "january" else origin - 1)
        assert later.any()
        table.loc[later] = np.random.default_rng(1).uniform(1, 9_999, (int(later.sum()), table.shape[1]))
        spoilt = dataclasses.replace(spoilt, **{name: table})
    blind = Forecaster(spoilt, forecaster.persons)
    for target in TARGETS:
        pd.testing.assert_frame_equal(blind.path(target, origin, 3), forecaster.path(target, origin, 3), check_dtype=False)
        assert blind.errors(target, origin) == forecaster.errors(target, origin)


@needs_data
def test_areas_are_one_boundary_set_and_nobody_is_lost(forecaster: Forecaster) -> None:
    history = forecaster.history
    assert history.councils["area"].nunique() == 150
    assert area_of(["E10000006", "E06000063"]) == ["Cumbria", "Cumbria"]
    england = {2019: 353_995, 2021: 430_697, 2023: 517_048, 2025: 638_745}
    for january, plans in england.items():
        assert history.wide("ehc_plans")[january].sum() == plans
    assert history.flows.loc[("E08000036", 2022), "new_plans"] == 462, "Wakefield 2022 is what its region's total leaves"
    assert history.flows["new_plans"].xs(2022, level="year").sum() == 66_706


@needs_data
def test_files_are_written_whole(tmp_path: Path) -> None:
    summary = run_backtest(Path(os.environ["SUFFICIENCY_DATA"]), tmp_path / "out")
    tables = {"backtest.csv", "pooled.csv", "bars.csv", "areas.csv", "tuning.csv", "error_models.csv"}
    assert {*tables, "accuracy.md", "charts/errors.png", "charts/coverage.png"} == set(summary.files)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert "independent_nm" in summary.text
    assert (tmp_path / "out" / "charts" / "errors.png").stat().st_size > 10_000


@needs_data
def test_the_settings_are_the_best_or_tie_with_it_on_januaries_to_2021(forecaster: Forecaster) -> None:
    table = tuning_table(forecaster)
    for series, rows in table.groupby("series"):
        chosen = rows[rows["chosen"]]
        assert len(chosen) == 1, series
        assert float(chosen["mape"].iloc[0]) <= 1.002 * rows["mape"].min(), series


def test_simple_rules_do_what_their_names_say() -> None:
    wide = pd.DataFrame({2019: [80.0, 100.0], 2020: [90.0, 100.0], 2021: [100.0, 100.0], 2022: [110.0, 100.0]}, index=["A", "B"])
    rules = simple_forecasts(wide, 2022, 2)
    assert rules["last_value"].loc["A"].tolist() == [110, 110]
    assert rules["linear"].loc["A", 1] == pytest.approx(120)
    assert rules["drift"].loc["A", 1] == pytest.approx(110 * (110 / 80) ** (1 / 3))
    assert rules["england_growth"].loc["B", 2] == pytest.approx(100 * (210 / 180) ** (2 / 3))
    blend = 0.25 * np.log(110 / 80) / 3 + 0.75 * np.log(210 / 180) / 3
    assert rules["blend_25_75"].loc["A", 1] == pytest.approx(110 * np.exp(blend))


def test_the_error_model_learns_the_spread_that_was_drawn() -> None:
    random = np.random.default_rng(2)
    size = random.uniform(100, 4_000, 400)
    actual = {2018: size}
    for january in range(2019, 2024):
        actual[january] = actual[january - 1] * np.exp(random.normal(0, np.sqrt(0.05**2 + 2 / actual[january - 1])))
    wide = pd.DataFrame(actual)
    model = error_model(wide, 20, 2023, 2018, lambda origin: pd.DataFrame(dict.fromkeys((1, 2, 3), wide[origin])))
    assert model.sd(1, np.array([1_000.0]))[0] == pytest.approx(np.sqrt(0.05**2 + 2 / 1_000), rel=0.15)
    low, high = model.interval(wide[2022], 1)
    assert ((wide[2023] >= low) & (wide[2023] <= high)).mean() == pytest.approx(0.8, abs=0.06)


@needs_data
def test_the_same_history_gives_the_same_paths(forecaster: Forecaster) -> None:
    again = Forecaster(read_history(Path(os.environ["SUFFICIENCY_DATA"])), forecaster.persons)
    target = BY_MEASURE["independent_nm"]
    pd.testing.assert_frame_equal(again.path(target, 2022, 3), forecaster.path(target, 2022, 3))
