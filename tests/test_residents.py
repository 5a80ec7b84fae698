"""Demand by council, small area and year: totals, fits, shares, the AP stream and what is carried forward."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import published_demand as tiny
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sufficiency.assumptions import default_assumptions
from sufficiency.build import council_tables, demand_notes, residents, small_area_split
from sufficiency.build.demand_ahead import DemandAhead, demand_ahead
from sufficiency.build.fitting import fit, shares
from sufficiency.demand.forecast import forecast
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.ehc_plans import CATEGORIES, ENGLAND, PLACED
from sufficiency.tables.problems import InputError
from sufficiency.tables.read import validate_table
from sufficiency.terms import academic_year

REAL = os.environ.get("SUFFICIENCY_DATA")
real_data = pytest.mark.skipif(REAL is None, reason="SUFFICIENCY_DATA does not name the data folder")
DEFAULTS = default_assumptions()
YEARS = [academic_year(2022 + place) for place in range(7)]
CUMBERLAND, WESTMORLAND, LONDON, SURREY = tiny.CODES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    tiny.write(path)
    return path


@pytest.fixture(scope="module")
def fitted(folder: Path) -> dict[int, np.ndarray]:
    return council_tables.tables(folder)


# --- fitting -----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), zero=st.floats(0, 0.4))
def test_fit_meets_the_margins_of_any_table(seed: int, zero: float) -> None:
    draw = np.random.default_rng(seed)
    table = draw.uniform(1, 20, (2, 3, 4)) * (draw.random((2, 3, 4)) >= zero)
    margins = [table.sum(axis=2, keepdims=True), table.sum(axis=(0, 1), keepdims=True)]
    result = fit(np.ones_like(table), margins)
    for margin, axes in zip(margins, [(2,), (0, 1)], strict=True):
        np.testing.assert_allclose(result.sum(axis=axes, keepdims=True), margin, atol=1e-5)
    assert (result >= 0).all()


def test_fit_refuses_margins_that_contradict() -> None:
    with pytest.raises(ArithmeticError, match="can't be met"):
        fit(np.ones((2, 2)), [np.array([[3.0], [4.0]]), np.array([[5.0, 5.0]])], most_rounds=50)


def test_shares_fall_back_where_there_is_nothing() -> None:
    result = shares(np.array([[1.0, 3.0], [0.0, 0.0]]), 1, np.array([1.0, 1.0]))
    assert result.tolist() == [[0.25, 0.75], [0.5, 0.5]]


# --- totals ------------------------------------------------------------------------------------------------------------


def test_published_totals_are_as_printed(folder: Path) -> None:
    truth = tiny.true_table().sum(axis=(1, 2))
    totals = residents.published_totals(folder, 2025)
    assert totals[ENGLAND] == {
        "ehc_plans": truth.sum(),
        "special_state": truth[:, 0].sum(),
        "special_independent": truth[:, 3].sum(),
        "special_non_maintained": truth[:, 4].sum(),
        "not_recorded": truth[:, -1].sum(),
    }
    london = totals[LONDON]
    assert london["special_state"] is None
    assert london["not_recorded"] == london["ehc_plans"] == truth[2].sum()
    before = residents.published_totals(folder, 2022)
    assert before["E10000006"]["ehc_plans"] == tiny.january(tiny.true_table(), 2022)[:2].sum()
    assert before[CUMBERLAND]["ehc_plans"] is None


@pytest.mark.parametrize("january", council_tables.JANUARIES)
def test_completed_totals_keep_every_plan_and_add_up(folder: Path, january: int) -> None:
    printed, completed = residents.published_totals(folder, january), residents.completed_totals(folder, january)
    assert set(completed) == {*tiny.CODES, ENGLAND}
    for key in ("ehc_plans", "special_state", "special_independent", "special_non_maintained"):
        assert sum(completed[code][key] for code in tiny.CODES) == pytest.approx(completed[ENGLAND][key], abs=1e-9)
        assert completed[SURREY][key] >= printed[SURREY][key] - 1e-9
    assert completed[ENGLAND]["ehc_plans"] == pytest.approx(printed[ENGLAND]["ehc_plans"])
    assert completed[SURREY]["ehc_plans"] == pytest.approx(printed[SURREY]["ehc_plans"])
    if january < 2023:
        assert completed[ENGLAND]["special_independent"] == pytest.approx(printed[ENGLAND]["special_independent"])


def test_another_january_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="January 2019"):
        residents.completed_totals(folder, 2019)


# --- the fitted table --------------------------------------------------------------------------------------------------


def test_the_fit_holds_the_printed_faces(fitted: dict[int, np.ndarray]) -> None:
    """Where all is known, the three faces come back once unknown needs and placements are set aside by their sums."""
    truth, table = tiny.true_table()[0], fitted[2025][0]
    groups = np.array(tiny.GROUPS)
    ages = [truth[:, groups == group].sum() for group in range(6)]
    np.testing.assert_allclose(table.sum(axis=(0, 2)), ages, atol=1e-6)
    recorded = truth[:-1, :, :-1].sum(axis=1)
    assert (table.sum(axis=1) >= recorded - 2 * council_tables.TOLERANCE).all()
    assert table.sum() == pytest.approx(truth.sum())


def test_needs_that_were_withheld_keep_their_published_sum(fitted: dict[int, np.ndarray]) -> None:
    truth = tiny.true_table()[3].sum(axis=(1, 2))
    share = truth[:-1] / truth[:-1].sum()
    got = fitted[2025][3].sum(axis=(1, 2))
    np.testing.assert_allclose(got / got.sum(), share, atol=0.01)


def test_missing_placements_follow_the_january_before(fitted: dict[int, np.ndarray]) -> None:
    london = tiny.CODES.index(LONDON)
    now, before = (fitted[january][london].sum(axis=(0, 1)) for january in (2025, 2024))
    assert now.sum() == pytest.approx(tiny.true_table()[london].sum())
    np.testing.assert_allclose(now / now.sum(), before / before.sum(), atol=0.01)


def test_cumbria_is_split_as_its_successors_stood_later(fitted: dict[int, np.ndarray]) -> None:
    later, earlier = (fitted[january][:2].sum(axis=(1, 2)) for january in (2024, 2022))
    np.testing.assert_allclose(earlier[0] / earlier.sum(axis=0), later[0] / later.sum(axis=0), atol=1e-9)
    assert earlier.sum() == pytest.approx(tiny.january(tiny.true_table(), 2022)[:2].sum())


def test_age_bands_of_2022_are_met(fitted: dict[int, np.ndarray]) -> None:
    printed = tiny.january(tiny.true_table(), 2022)[3].sum(axis=(0, 2))
    bands = pd.Series(printed).groupby(list(tiny.BANDS)).sum()
    got = pd.Series(fitted[2022][3].sum(axis=(0, 2))).groupby(np.array(council_tables.BANDS)[list(council_tables.BAND_OF_GROUP)]).sum()
    np.testing.assert_allclose(got[bands.index], bands, atol=1e-4)


# --- placements and the ap stream --------------------------------------------------------------------------------------


def test_council_placements_agree_with_the_completed_totals(folder: Path) -> None:
    table = residents.council_placements(folder, 2025)
    plans = table[table["stream"] == "ehcp"]
    assert set(plans["category"]) <= set(CATEGORIES)
    assert (table["pupils"] > 0).all()
    totals = residents.completed_totals(folder, 2025)
    by_council = plans.groupby(["council_code", "category"])["pupils"].sum()
    for code in tiny.CODES:
        assert by_council[code].sum() == pytest.approx(totals[code]["ehc_plans"])
        assert by_council[code, "independent_special"] == pytest.approx(totals[code]["special_independent"])
        assert by_council[code, "state_special"] == pytest.approx(totals[code]["special_state"])


def test_ap_pupils_exclude_those_with_a_plan(folder: Path, fitted: dict[int, np.ndarray]) -> None:
    table = residents.council_placements(folder, 2022)
    ap = table[table["stream"] == "ap"]
    assert set(ap["need"]) == {"AP"}
    assert set(ap["status"]) == {"estimated"}
    located = ap[ap["category"] == "ap"]["pupils"].sum()
    in_ap_with_plan = fitted[2022].sum(axis=(1, 2))[:, CATEGORIES.index("ap")].sum()
    assert located == pytest.approx(300 + 250 + 400 - in_ap_with_plan)
    elsewhere = ap[ap["category"] == "unlocated_ap"]["pupils"].sum()
    assert elsewhere == pytest.approx((200 + 80 + 600) * 0.15 + (100 + 40 + 300) * 0.7 * 0.5)


def test_ap_shares_come_from_the_assumptions_and_the_last_count_is_carried(folder: Path) -> None:
    all_without = DEFAULTS.override(
        {
            "ap.plan_share_council_funded": 0.0,
            "ap.plan_share_school_arranged": 0.0,
            "ap.full_time_share_school_arranged": 1.0,
        },
        "test",
    )
    later = {january: residents.council_placements(folder, january, all_without) for january in (2023, 2025)}
    sums = {}
    for january, table in later.items():
        ap = table[(table["stream"] == "ap") & (table["category"] == "unlocated_ap")]
        sums[january] = ap.groupby(["council_code", "phase"])["pupils"].sum()
    assert sums[2023].sum() == pytest.approx(260 + 80 + 700 + 440)
    pd.testing.assert_series_equal(sums[2023], sums[2025])
    assert set(later[2025].loc[later[2025]["stream"] == "ap", "status"]) == {"forecast"}


# --- after the last observed January -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ahead(folder: Path) -> DemandAhead:
    found = demand_ahead(folder, tiny.CODES, 2032)
    assert found is not None
    return found


def test_nothing_is_forecast_for_observed_januaries(folder: Path) -> None:
    assert demand_ahead(folder, tiny.CODES, 2025) is None
    with pytest.raises(ValueError, match="no demand for January 2026"):
        residents.pupils_table(folder, 2025, ["2025/26"], "msoa", None, DEFAULTS, None)


def test_scenarios_part_after_the_observed_januaries_and_widen(ahead: DemandAhead) -> None:
    low, high = (np.array([ahead.factors[scenario][january] for january in range(2026, 2033)]) for scenario in ("low", "high"))
    assert ((low > 0.5) & (low < 1)).all()
    assert ((high > 1) & (high < 2)).all()
    assert ((high - low)[[2, 4, 6]] > (high - low)[[0, 2, 4]]).all()


def test_low_and_high_are_quantiles_of_the_placed_total_of_a_council(folder: Path, ahead: DemandAhead) -> None:
    """Sums of cell quantiles would be wider: the factors must reproduce the quantiles of the draws' own sums."""
    found = forecast(folder, 2025, years=7)
    placed = [CATEGORIES.index(category) for category in PLACED]
    order = [found.councils.index(code) for code in tiny.CODES]
    drawn = found.draws.pupils[order][:, placed].sum(axis=1)
    for scenario, quantile in (("low", 0.1), ("high", 0.9)):
        for january in (2026, 2032):
            got = ahead.factors[scenario][january] * ahead.cells[january][..., placed].sum(axis=(1, 2, 3))
            np.testing.assert_allclose(got, np.quantile(drawn[:, january - 2025], quantile, axis=1), rtol=1e-5)


# --- small areas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["lsoa", "msoa"])
def test_shares_of_a_council_and_phase_sum_to_one(folder: Path, level: str) -> None:
    table = small_area_split.area_shares(folder, level, DEFAULTS)
    np.testing.assert_allclose(table.groupby(["council_code", "phase"])["share"].sum(), 1.0, atol=1e-12)
    assert (table["share"] >= 0).all()
    assert table["area_id"].nunique() == {"lsoa": 24, "msoa": 8}[level]


def test_shares_are_population_times_risk(folder: Path) -> None:
    table = small_area_split.area_shares(folder, "lsoa", DEFAULTS, [SURREY])
    got = table[table["phase"] == "SEC"].set_index("area_id")["share"]
    risk = DEFAULTS.numbers("deprivation.relative_risk")
    weight = {f"E013{place}": (90 + 5 * place) * risk[place] for place in range(6)}
    assert got.to_dict() == pytest.approx({area: each / sum(weight.values()) for area, each in weight.items()})


def test_msoa_shares_are_sums_of_their_lsoas(folder: Path) -> None:
    fine, coarse = (small_area_split.area_shares(folder, level, DEFAULTS) for level in ("lsoa", "msoa"))
    fine["area_id"] = "E02" + fine["area_id"].str[3] + (fine["area_id"].str[4].astype(int) // 3).astype(str)
    pd.testing.assert_series_equal(
        fine.groupby(["area_id", "phase"])["share"].sum(), coarse.set_index(["area_id", "phase"])["share"].sort_index()
    )


def test_gradient_moves_no_one_when_risk_is_flat(folder: Path) -> None:
    flat = DEFAULTS.override({"deprivation.relative_risk": [1.0] * 10}, "test")
    pupils = pd.DataFrame({"council_code": [SURREY, LONDON], "phase": ["SEC", "PRI"], "pupils": [10.0, 30.0]})
    assert small_area_split.gradient_effect(folder, "lsoa", flat, pupils)["moved"].tolist() == [0.0, 0.0]
    effect = small_area_split.gradient_effect(folder, "lsoa", DEFAULTS, pupils).set_index("gradient")["moved"]
    assert (effect > 0.02).all()
    assert (effect < 0.5).all()


def test_unknown_level_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no such level"):
        small_area_split.area_shares(folder, "ward", DEFAULTS)


@pytest.mark.parametrize(("level", "count"), [("lsoa", 6), ("msoa", 2)])
def test_areas_follow_the_schema_and_keep_area_and_people(folder: Path, level: str, count: int) -> None:
    table = small_area_split.areas_table(folder, level, [SURREY])
    clean = validate_table(table, "areas", "areas")
    assert len(clean) == count
    assert table.crs.to_epsg() == 27700
    assert table.geometry.area.sum() == pytest.approx(6 * 2_000 * 2_000, rel=1e-6)
    people = [100 + 120 + place + 90 + 5 * place + 50 + 80 + 400 * (place == 0) + 7 for place in range(6)]
    assert clean["population_0_25"].sum() == pytest.approx(sum(people))
    assert set(small_area_split.areas_table(folder, level, [LONDON])["travel_class"]) == {"london"}
    assert "rural" in set(clean["travel_class"])


# --- the pupils table --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("base", "level"), [(2022, "msoa"), (2025, "lsoa")])
def test_pupils_follow_the_schema_and_add_up_to_their_council(folder: Path, ahead: DemandAhead, base: int, level: str) -> None:
    years = [academic_year(base + place) for place in range(7)]
    table = residents.pupils_table(folder, base, years, level, [SURREY, CUMBERLAND], DEFAULTS, ahead)
    clean = validate_table(table, "pupils", "pupils")
    assert list(clean["academic_year"].unique()) == [academic_year(base - 1), *years]
    assert set(table.loc[table["scenario"] != "central", "academic_year"]) == {year for year in years if year > "2024/25"}
    sums = table[table["stream"] == "ehcp"].groupby(["academic_year", "scenario"])["pupils_placed"].sum()
    for year in (year for year in years if year > "2024/25"):
        january = int(year[:4]) + 1
        places = [tiny.CODES.index(SURREY), tiny.CODES.index(CUMBERLAND)]
        placed = ahead.cells[january][places][..., : len(PLACED)].sum(axis=(1, 2, 3))
        assert sums[year, "central"] == pytest.approx(placed.sum())
        for scenario in ("low", "high"):
            assert sums[year, scenario] == pytest.approx((placed * ahead.factors[scenario][january][places]).sum())
    table = table[table["scenario"] == "central"]
    figures = [name for name in table if name.startswith("pupils_")]
    assert (table[figures].sum(axis=1) > 0).all()
    assert set(table.loc[table["academic_year"] > "2024/25", "status"]) == {"forecast"}

    placements = residents.council_placements(folder, base)
    placements = placements[placements["council_code"].isin([SURREY, CUMBERLAND])]
    now = table[table["academic_year"] == academic_year(base - 1)]
    placed = placements[placements["category"].isin([*PLACED, "unlocated_ap"])]
    pd.testing.assert_series_equal(
        now.groupby(["stream", "need", "phase"])["pupils_placed"].sum().loc[lambda each: each > 0],
        placed.groupby(["stream", "need", "phase"])["pupils"].sum(),
        check_names=False,
    )
    for category in ("mainstream", "further_education", "elsewhere"):
        assert now[f"pupils_{category}"].sum() == pytest.approx(placements.loc[placements["category"] == category, "pupils"].sum())


def test_observed_januaries_are_used_before_the_forecast(folder: Path, ahead: DemandAhead) -> None:
    table = residents.pupils_table(folder, 2022, YEARS, "msoa", None, DEFAULTS, ahead)
    rows = table[(table["stream"] == "ehcp") & (table["scenario"] == "central")]
    plans = rows.groupby("academic_year")[[f"pupils_{group}" for group in residents.GROUPS]].sum().sum(axis=1)
    for january in council_tables.JANUARIES:
        assert plans[academic_year(january - 1)] == pytest.approx(residents.completed_totals(folder, january)[ENGLAND]["ehc_plans"])
    assert plans[:"2024/25"].is_monotonic_increasing
    assert plans["2028/29"] == pytest.approx(ahead.cells[2029].sum())


# --- notes -------------------------------------------------------------------------------------------------------------


def test_odd_returns_are_flagged_and_rules_are_said(folder: Path) -> None:
    flags = demand_notes.flags(folder, [2025]).set_index("council_code")["flag"]
    assert flags.to_dict() == {LONDON: "no_placements"}
    said = demand_notes.notes(folder, 2022, range(2023, 2030), [CUMBERLAND])
    assert any("Cumbria" in each for each in said)
    assert not any("Cumbria" in each for each in demand_notes.notes(folder, 2025, range(2026, 2030), [CUMBERLAND]))


# --- the published releases --------------------------------------------------------------------------------------------


@real_data
def test_real_totals_published_and_completed() -> None:
    data = Path(str(REAL))
    for january, printed in {2022: (473_255, 140_165, 20_324, 4_088, None), 2025: (638_745, 159_852, 29_647, 4_381, 19_339)}.items():
        assert tuple(residents.published_totals(data, january)[ENGLAND].values()) == printed
    earlier = residents.completed_totals(data, 2022)
    assert list(earlier[ENGLAND].values()) == pytest.approx([473_255, 140_165, 20_324, 4_088, 0])
    latest = residents.completed_totals(data, 2025)
    assert len(latest) == 154
    for key in latest[ENGLAND]:
        assert sum(latest[code][key] for code in latest if code != ENGLAND) == pytest.approx(latest[ENGLAND][key], abs=1e-6)
    assert latest[ENGLAND]["ehc_plans"] == pytest.approx(638_745)
    assert latest[ENGLAND]["special_independent"] == pytest.approx(30_473, abs=1)
    cambridgeshire = latest["E10000003"]
    assert cambridgeshire["ehc_plans"] == pytest.approx(8_007)
    assert cambridgeshire["special_independent"] == pytest.approx(8_007 * 244 / (7_318 - 322), rel=0.05)
    assert latest["E06000012"]["special_state"] == pytest.approx(1_983 * 340 / (1_674 - 25), rel=0.05)


@real_data
def test_real_placements_reproduce_england_by_need_and_age() -> None:
    data = Path(str(REAL))
    table = residents.council_placements(data, 2025)
    plans = table[table["stream"] == "ehcp"]
    phases = plans.groupby("phase")["pupils"].sum()
    assert phases.to_dict() == pytest.approx({"EY": 27_352, "PRI": 212_994, "SEC": 233_317, "P16": 107_087, "P19": 57_995}, abs=0.5)
    needs = plans.groupby("need")["pupils"].sum() / 638_745
    printed = {"ASD": 201_183, "SEMH": 132_217, "SLCN": 135_836, "MLD": 67_861, "MSI": 1_692}
    for need, count in printed.items():
        assert needs[need] == pytest.approx(count / (638_745 - 4_870), rel=0.01)
    assert plans["council_code"].nunique() == 153


@real_data
def test_real_newham_is_flagged() -> None:
    flags = demand_notes.flags(Path(str(REAL)), [2025])
    assert set(flags.loc[flags["flag"] == "plans_jump", "council_name"]) == {"Newham"}
    assert set(flags.loc[flags["flag"] == "no_placements", "council_name"]) == {"Cambridgeshire", "North East Lincolnshire"}


@real_data
def test_real_pupils_of_a_partnership_and_their_scenarios() -> None:
    data = Path(str(REAL))
    councils = ["E10000013", "E06000030"]
    areas = validate_table(small_area_split.areas_table(data, "msoa", councils), "areas", "areas")
    ahead = demand_ahead(data, list(all_councils(data)["council_code"]), 2029)
    assert ahead is not None
    pupils = validate_table(residents.pupils_table(data, 2022, YEARS, "msoa", councils, DEFAULTS, ahead), "pupils", "pupils")
    central = pupils[pupils["scenario"] == "central"]
    assert set(central["area_id"]) == set(areas["area_id"])
    totals = residents.completed_totals(data, 2025)
    plans = central[(central["stream"] == "ehcp") & (central["academic_year"] == "2024/25")]
    figures = plans[[f"pupils_{group}" for group in residents.GROUPS]].to_numpy().sum()
    assert figures == pytest.approx(sum(totals[code]["ehc_plans"] for code in councils))
    owner = pupils["area_id"].map(areas.set_index("area_id")["council_code"])
    placed = pupils.groupby([owner, "academic_year", "scenario"])["pupils_placed"].sum().unstack()
    assert placed[["low", "high"]].notna().any(axis=1).groupby("academic_year").all().to_dict() == {
        year: year > "2024/25" for year in ["2021/22", *YEARS]
    }
    fan = placed.dropna()
    assert ((fan["low"] < fan["central"]) & (fan["central"] < fan["high"])).all()
    assert (fan["high"] / fan["central"]).between(1.02, 1.35).all()
    england = {january: cells[..., : len(PLACED)].sum() for january, cells in ahead.cells.items()}
    assert [england[january] for january in range(2026, 2030)] == pytest.approx([245_055, 262_794, 282_399, 303_506], rel=1e-4)
