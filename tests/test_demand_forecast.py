"""The whole forecast on the real releases: it adds up, it is the same for the same seed, its tables are complete."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fixtures import sen2
from sufficiency.demand.charts import fan_charts
from sufficiency.demand.commands import run_forecast
from sufficiency.demand.forecast import Forecast, forecast
from sufficiency.demand.levers import read_levers
from sufficiency.demand.own_rates import own_counts
from sufficiency.demand.population import read_population
from sufficiency.demand.scap import scap_table
from sufficiency.sources import ehc_plans
from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.sources.sen2_return import read_return
from sufficiency.tables.problems import InputError
from sufficiency.terms import PHASES

DATA = os.environ.get("SUFFICIENCY_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="SUFFICIENCY_DATA is unset: needs the published releases")


@pytest.fixture(scope="module")
def result() -> Forecast:
    return forecast(Path(DATA), 2025, years=10, draws=100, seed=3)


@needs_data
def test_the_base_january_is_the_published_count(result: Forecast) -> None:
    base = result.table[result.table["january"] == 2025]
    assert base["central"].sum() == pytest.approx(638_745, abs=1)
    published = ehc_plans.caseload(Path(DATA))
    published = published[published["january"] == 2025].set_index("council_code")["ehc_plans"]
    ours = base.groupby("council")["central"].sum()
    pd.testing.assert_series_equal(ours, published.reindex(ours.index), check_names=False, check_dtype=False, atol=0.5)
    assert (base["low"] == base["high"]).all()


@needs_data
def test_councils_add_up_to_england_in_the_central_path_and_in_every_draw(result: Forecast) -> None:
    totals = result.totals.pivot_table(index=["january", "category"], columns="council", values="central")
    np.testing.assert_allclose(totals.drop(columns="England").sum(axis=1), totals["England"], rtol=1e-9)
    parts = result.totals[result.totals["category"] != "all"].groupby(["council", "january"])["central"].sum()
    whole = result.totals[result.totals["category"] == "all"].set_index(["council", "january"])["central"]
    pd.testing.assert_series_equal(parts.sort_index(), whole.sort_index(), check_names=False)
    by_cell = result.table.groupby("january")["central"].sum()
    np.testing.assert_allclose(by_cell, whole.xs("England", level="council").loc[by_cell.index], rtol=1e-5)
    by_age = result.by_age.groupby("january")["central"].sum()
    np.testing.assert_allclose(by_age, by_cell, rtol=1e-5)


@needs_data
def test_intervals_hold_the_central_path_and_widen(result: Forecast) -> None:
    later = result.table[result.table["january"] > 2025]
    assert (later["low"] <= later["central"] + 1e-9).all()
    england = result.totals[(result.totals["council"] == "England") & (result.totals["category"] == "all")].set_index("january")
    width = (england["high"] - england["low"]) / england["central"]
    assert width.loc[2025] == 0
    assert (width.loc[[2026, 2028, 2031, 2035]].diff().dropna() > 0).all()
    median = result.quantile(0.5).set_index(["council", "category", "january"])["pupils"]
    low = result.totals.set_index(["council", "category", "january"])["low"]
    assert (median >= low.reindex(median.index) - 1e-6).all()


@needs_data
def test_the_table_has_the_phases_categories_and_years_of_the_contract(result: Forecast) -> None:
    assert set(result.table["phase"]) == set(PHASES)
    assert set(result.table["category"]) == set(CATEGORIES)
    assert sorted(set(result.table["january"])) == list(range(2025, 2036))
    assert result.table["council"].nunique() == 153
    assert result.table.notna().all().all()


@needs_data
def test_the_seed_decides(result: Forecast) -> None:
    again = forecast(Path(DATA), 2025, years=2, draws=100, seed=3)
    other = forecast(Path(DATA), 2025, years=2, draws=100, seed=4)
    pd.testing.assert_frame_equal(again.totals, forecast(Path(DATA), 2025, years=2, draws=100, seed=3).totals)
    assert not again.totals["low"].equals(other.totals["low"])
    pd.testing.assert_series_equal(again.totals["central"], other.totals["central"])


@needs_data
def test_a_broken_return_is_named_and_mended(result: Forecast) -> None:
    newham = result.totals[(result.totals["council"] == "E09000025") & (result.totals["category"] == "all")].set_index("january")["central"]
    assert newham[2025] == pytest.approx(1_199, abs=1)
    assert newham[2026] > 2_705
    assert any("Newham" in note for note in result.notes)


@needs_data
def test_levers_change_the_forecast_and_are_noted() -> None:
    levers = read_levers(["inclusion_bases", "price_cap", "fewer_exclusions"])
    changed = forecast(Path(DATA), 2025, years=6, draws=20, levers=levers)
    plain = forecast(Path(DATA), 2025, years=6, draws=20)

    def england(of: Forecast, category: str) -> float:
        rows = of.totals[(of.totals["council"] == "England") & (of.totals["category"] == category) & (of.totals["january"] == 2031)]
        return float(rows["central"].iloc[0])

    assert england(changed, "resourced_provision") > england(plain, "resourced_provision")
    assert england(changed, "state_special") < england(plain, "state_special")
    assert england(changed, "all") == pytest.approx(england(plain, "all"), rel=0.01)
    assert changed.fees.set_index("january")["factor"].loc[2031] == pytest.approx(0.9)
    last = {
        name: of.ap[(of.ap["provision"] == "state") & (of.ap["january"] == 2031)]["central"].sum()
        for name, of in (("with", changed), ("without", plain))
    }
    assert last["with"] == pytest.approx(0.8 * last["without"])
    assert sum("Scenario" in note for note in changed.notes) == 3


@needs_data
def test_an_origin_without_needs_by_council_is_refused() -> None:
    with pytest.raises(ValueError, match="first published for January 2025"):
        forecast(Path(DATA), 2023)


@needs_data
def test_the_capacity_survey_form_has_five_and_seven_years(result: Forecast) -> None:
    table = scap_table(result)
    years = table.groupby("phase")["academic_year"].unique().map(len)
    assert years.to_dict() == {"primary": 5, "secondary": 7}
    assert sorted(table["planning_area"].unique()) == [f"18030{n:02d}" for n in (1, 2, 3, 4, 11, 12, 13, 14)]
    england = table[(table["academic_year"] == "2025/26") & (table["provision"] == "SS")]["central"].sum()
    special = result.by_age[
        (result.by_age["january"] == 2026)
        & result.by_age["category"].isin(["state_special", "non_maintained"])
        & result.by_age["age"].between(4, 17)
    ]
    assert england == pytest.approx(special["central"].sum(), rel=1e-3)
    assert (table["low"] <= table["central"]).all()


@needs_data
def test_alternative_provision_is_forecast_for_every_source(result: Forecast) -> None:
    base = result.ap[result.ap["january"] == 2025].groupby("provision")["central"].sum()
    assert set(base.index) == {"ehc_plan_in_ap", "state", "council_funded", "school_arranged", "permanent_exclusions_a_year"}
    assert base["state"] == pytest.approx(13_191, rel=0.05)
    assert base["council_funded"] > 40_904


@needs_data
def test_official_projections_are_taken_when_given(tmp_path: Path) -> None:
    folder = tmp_path / "demand"
    folder.mkdir()
    rows = [("E06000001", year, age, 500 + age) for year in (2024, 2025) for age in range(26)]
    pd.DataFrame(rows, columns=["council_code", "year", "age", "persons"]).to_csv(folder / "population_projections.csv", index=False)
    given = read_population(tmp_path, ["E06000001"], [2024, 2025])
    assert given.status == "published"
    assert given.at(2026)[0, 7] == 507
    with pytest.raises(InputError, match="no residents"):
        read_population(tmp_path, ["E06000001"], [2030])


@needs_data
def test_files_and_charts_are_written(tmp_path: Path, result: Forecast) -> None:
    summary = run_forecast(Path(DATA), tmp_path / "out", years=3, draws=20, charts=["Rutland"])
    expected = {
        "forecast.csv.gz",
        "by_age.csv.gz",
        "totals.csv",
        "ap.csv",
        "scap.csv",
        "fees.csv",
        "assumptions.md",
        "accuracy.md",
        "charts/E06000017.png",
    }
    assert expected == set(summary.files)
    text = (tmp_path / "out" / "assumptions.md").read_text(encoding="utf-8")
    assert "seed 1" in text
    assert "derived" in text
    fan_charts(result, ehc_plans.caseload(Path(DATA)), {"E06000017": "Rutland"}, tmp_path / "fan")
    assert (tmp_path / "fan" / "E06000017.png").stat().st_size > 10_000


@needs_data
def test_a_councils_own_returns_change_its_forecast_and_no_other_while_the_paths_hold(tmp_path: Path) -> None:
    postcodes = {postcode.replace(" ", ""): area for postcode, area in sen2.postcode_lookup().items()}
    returns = [
        read_return(sen2.write_blade(pupils, january, tmp_path / str(january)), b"k" * 16, postcodes, sen2.SETTINGS)
        for january, pupils in sen2.cohorts().items()
    ]
    own = forecast(Path(DATA), 2025, years=5, draws=10, own={"E06000017": own_counts(returns)})
    plain = forecast(Path(DATA), 2025, years=5, draws=10)
    assert any("E06000017" in note for note in own.notes)
    change = (
        own.by_age.set_index(["council", "age", "category", "january"])["central"]
        - plain.by_age.set_index(["council", "age", "category", "january"])["central"]
    ).abs()
    by_council = change.groupby("council").sum()
    assert by_council["E06000017"] > 1
    first_years = change[change.index.get_level_values("january") <= 2028].groupby("council").sum().drop("E06000017")
    assert first_years.max() < 1e-6
