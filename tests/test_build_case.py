"""A whole case from published files: a tiny England with its register, and (where the data are there) real councils."""

from __future__ import annotations

import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import published_demand as tiny
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sufficiency.assumptions import default_assumptions
from sufficiency.build import candidate_projects as candidates
from sufficiency.build import partnerships, programmes
from sufficiency.build.build_case import build_case
from sufficiency.build.suitability import suitability_table
from sufficiency.case import Case, load_case, save_case
from sufficiency.tables.checks import check_case
from sufficiency.tables.problems import InputError
from sufficiency.terms import GROUP_OF_NEED, split_codes

REAL = os.environ.get("SUFFICIENCY_DATA")
real_data = pytest.mark.skipif(REAL is None, reason="SUFFICIENCY_DATA does not name the data folder")
DEFAULTS = default_assumptions()
CUMBERLAND, WESTMORLAND, LONDON, SURREY = tiny.CODES
CELL = ["area_id", "need_group", "phase"]

SPECIAL = {"TypeOfEstablishment (name)": "Community special school", "PhaseOfEducation (name)": "Not applicable"}
SCHOOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Hill School", SPECIAL | {"StatutoryLowAge": 2, "StatutoryHighAge": 19, "NumberOfPupils": 160, "PercentageFSM": 40}),
    ("Dale School", SPECIAL | {"StatutoryLowAge": 7, "StatutoryHighAge": 16, "NumberOfPupils": 90, "PercentageFSM": 66}),
    (
        "Brook House",
        {
            "TypeOfEstablishment (name)": "Other independent special school",
            "StatutoryLowAge": 5,
            "StatutoryHighAge": 19,
            "NumberOfPupils": 40,
        },
    ),
    ("Ford Centre", {"TypeOfEstablishment (name)": "Pupil referral unit", "NumberOfPupils": 30}),
)
MAINSTREAM = (("Primary", 4, 11, (410, 380, 300, 250, 220, 180)), ("Secondary", 11, 18, (1_500, 1_200, 900, 700)))


def write_register(folder: Path) -> None:
    """Four specialist settings and ten mainstream schools per council, one non-maintained school, in the publisher's layout."""
    rows: list[dict[str, Any]] = []
    for place, (code, (dfe, name, _)) in enumerate(tiny.COUNCILS.items()):
        north = 201_000 + 3_000 * place
        where = {"LA (code)": dfe, "EstablishmentStatus (name)": "Open", "LSOA (code)": f"E01{place}0", "Northing": north}
        own = [row for row in SCHOOLS if (row[0], code) != ("Ford Centre", WESTMORLAND)]
        rows += [
            where | {"EstablishmentName": f"{title}, {name}", "Easting": 401_000 + 3_000 * i} | about
            for i, (title, about) in enumerate(own)
        ]
        for phase, low, high, rolls in MAINSTREAM:
            for i, roll in enumerate(rolls):
                host = {"TypeOfEstablishment (name)": "Academy converter", "PhaseOfEducation (name)": phase, "NumberOfPupils": roll}
                about = {
                    "EstablishmentName": f"{phase} {i}, {name}",
                    "StatutoryLowAge": low,
                    "StatutoryHighAge": high,
                    "SchoolCapacity": 1_210,
                }
                rows.append(where | host | about | {"Easting": 400_500 + 1_500 * i})
    surrey = {"LA (code)": "936", "EstablishmentStatus (name)": "Open", "LSOA (code)": "E0130", "Northing": 211_000}
    rows += [
        surrey
        | {"TypeOfEstablishment (name)": "Non-maintained special school", "EstablishmentName": "School for the Deaf", "Easting": 405_000}
        | {"StatutoryLowAge": 3, "StatutoryHighAge": 19, "NumberOfPupils": 300},
        surrey
        | {"TypeOfEstablishment (name)": "Other independent special school", "EstablishmentName": "New Autism School", "Easting": 409_000}
        | {"SchoolCapacity": 24},
    ]
    table = pd.DataFrame(rows).assign(URN=[str(200_000 + i) for i in range(len(rows))])
    known = table["EstablishmentName"].eq("Primary 2, Surrey")
    table.loc[known, ["ResourcedProvisionCapacity", "ResourcedProvisionOnRoll", "SEN1 (name)"]] = (12, 11, "HI - Hearing Impairment")
    table.to_csv(folder / "edubasealldata20250524.csv", index=False, encoding="cp1252")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    tiny.write(path)
    write_register(path)
    return path


@pytest.fixture(scope="module")
def england(folder: Path) -> Case:
    return build_case(folder, level="msoa", england=True)


@pytest.fixture(scope="module")
def surrey(folder: Path) -> Case:
    return build_case(folder, level="lsoa", councils=["Surrey"], programme="high-needs-2025-30")


def with_kinds(case: Case) -> pd.DataFrame:
    """Placements with the pool and setting that hold them."""
    return case.placements.merge(case.pools.drop(columns="status"), on="pool_id").merge(
        case.settings[["setting_id", "kind", "council_code"]], on="setting_id"
    )


# --- placements, pools, settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["england", "surrey"])
def test_placements_add_up_to_the_placed_pupils_of_every_cell(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    base = case.pupils[case.pupils["academic_year"].eq(case.base_year)]
    wanted = base.groupby(["area_id", base["need"].map(GROUP_OF_NEED).rename("need_group"), "phase"])["pupils_placed"].sum()
    found = case.placements.groupby(CELL)["pupils"].sum()
    both = pd.concat([wanted[wanted > 1e-9], found], axis=1, join="outer")
    assert both.notna().all(axis=None)
    np.testing.assert_allclose(both.iloc[:, 0], both.iloc[:, 1], rtol=1e-9)


@pytest.mark.parametrize("name", ["england", "surrey"])
def test_placements_by_kind_are_those_of_the_release(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    where = "England" if name == "england" else SURREY
    by_kind = with_kinds(case).groupby("kind")["pupils"].sum()
    completed = case.totals["completed"][where]
    assert by_kind["state_special"] == pytest.approx(completed["special_state"], rel=0.005)
    independent = by_kind.reindex(["independent_special", "non_maintained", "unlocated_independent"]).sum()
    assert independent == pytest.approx(completed["special_independent"] + completed["special_non_maintained"], rel=0.005)


@pytest.mark.parametrize("name", ["england", "surrey"])
def test_nobody_is_placed_where_they_are_not_taken(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    placed = with_kinds(case)
    assert all(group in split_codes(cell) for group, cell in zip(placed["need_group"], placed["need_groups"], strict=True))
    assert all(phase in split_codes(cell) for phase, cell in zip(placed["phase"], placed["phases"], strict=True))
    suits = case.suitability.groupby(["kind", "need_group"])["suitable"].any()
    assert all(suits[kind, group] for kind, group in set(zip(placed["kind"], placed["need_group"], strict=True)))


@pytest.mark.parametrize("name", ["england", "surrey"])
def test_every_located_placement_has_a_journey(name: str, request: pytest.FixtureRequest) -> None:
    case: Case = request.getfixturevalue(name)
    located = with_kinds(case).query("not kind.str.startswith('unlocated')")
    journeys = set(zip(case.travel["area_id"], case.travel["site_id"], strict=True))
    assert set(zip(located["area_id"], located["setting_id"], strict=True)) <= journeys
    assert set(case.projects["site_id"]) <= set(case.travel["site_id"])


@pytest.mark.parametrize("name", ["england", "surrey"])
def test_no_check_finds_an_error(name: str, request: pytest.FixtureRequest) -> None:
    assert [str(problem) for problem in check_case(request.getfixturevalue(name)) if problem.level == "error"] == []


def test_a_case_is_saved_and_read_back(surrey: Case, tmp_path: Path) -> None:
    save_case(surrey, tmp_path / "case")
    back = load_case(tmp_path / "case")
    for field in fields(Case):
        one, other = getattr(surrey, field.name), getattr(back, field.name)
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other)
        else:
            assert one == other, field.name


@pytest.mark.parametrize("code", [LONDON, SURREY])
def test_a_council_alone_has_its_share_of_england(folder: Path, england: Case, code: str) -> None:
    """Its pupils are in the same schools as in the case of England, across the border too, and bring their share of the places."""
    alone = build_case(folder, level="msoa", councils=[code])
    special = england.settings[england.settings["kind"].eq("state_special")].set_index("setting_id")
    council = england.areas.set_index("area_id")["council_code"]
    everyone = with_kinds(england)
    whole = everyone.groupby("setting_id")["pupils"].sum()
    own = everyone[everyone["area_id"].map(council).eq(code)].groupby("setting_id")["pupils"].sum().reindex(special.index).fillna(0.0)
    found = with_kinds(alone).groupby("setting_id")["pupils"].sum().reindex(special.index).fillna(0.0)
    pd.testing.assert_series_equal(found, own, atol=0.01, check_names=False)
    places = alone.pools.groupby("setting_id")[["places", "places_total"]].sum().reindex(special.index).dropna()
    np.testing.assert_allclose(places["places"], places["places_total"] * (own / whole)[places.index], rtol=0.005)
    outside = special["council_code"].ne(code)
    assert 0 < found[outside].sum() < found.sum() / 2


def test_rolls_are_lifted_to_the_placements_and_places_follow(england: Case) -> None:
    special = england.settings[england.settings["kind"].eq("state_special")]
    assert special["roll"].sum() == pytest.approx(england.totals["completed"]["England"]["special_state"])
    assert set(np.round(special["places"] / special["roll"], 3)) == {0.956}
    hill = special[special["name"].str.startswith("Hill")]["roll"]
    dale = special[special["name"].str.startswith("Dale")]["roll"]
    np.testing.assert_allclose(hill.to_numpy() / dale.to_numpy(), 160 / 90)


def test_what_the_register_knows_is_kept_and_what_it_does_not_is_marked(england: Case) -> None:
    named = england.settings.set_index("name")
    new = named.loc["New Autism School"]
    assert (new["places"], new["places_status"], new["roll_status"]) == (24, "observed", "estimated")
    assert named.loc["Primary 2, Surrey", "places"] == 12
    assert named.loc["Primary 2, Surrey", "places_status"] == "observed"
    bases = england.settings[england.settings["kind"].eq("resourced_provision")]
    assert bases.loc[bases["places_status"].ne("observed"), "places_status"].eq("estimated").all()
    groups = england.pools.groupby("setting_id")["need_groups"].agg("|".join)
    assert groups[named.loc["Primary 2, Surrey", "setting_id"]] == "PHYS"
    assert groups[new["setting_id"]].startswith("ASD")


def test_unlocated_places_are_those_in_use(england: Case) -> None:
    used = england.placements.groupby("pool_id")["pupils"].sum()
    for code in tiny.CODES:
        for pool in (f"unlocated-{code}", f"unlocated-ap-{code}"):
            row = england.pools.set_index("pool_id").loc[pool]
            assert row["places"] == row["places_total"] == pytest.approx(used.get(pool, 0.0))
    unlocated = england.settings[england.settings["kind"].str.startswith("unlocated")]
    assert unlocated[["easting_m", "northing_m"]].isna().all(axis=None)
    assert set(england.pools.loc[england.pools["pool_id"].str.startswith("unlocated-ap"), "need_groups"]) == {"AP"}


# --- projects ---------------------------------------------------------------------------------------------------------


def test_projects_are_whole_classes_with_a_spend_that_sums_to_one(england: Case) -> None:
    projects = england.projects
    assert set(projects["kind"]) == {"expansion", "ap_expansion", "resourced_provision", "satellite", "new_special", "new_ap"}
    assert (projects["min_places"] <= projects["max_places"]).all()
    assert (projects["min_places"] % projects["module_places"]).eq(0).all()
    assert (projects["max_places"] % projects["module_places"]).eq(0).all()
    for row in projects.itertuples():
        profile = [float(share) for share in row.spend_profile.split("|")]
        assert len(profile) == row.lead_time_years
        assert sum(profile) == pytest.approx(1, abs=1e-9)


def test_an_expansion_costs_what_the_assumptions_say(england: Case) -> None:
    school = england.settings[england.settings["name"].eq("Hill School, Surrey")].iloc[0]
    row = england.projects[england.projects["site_id"].eq(school["setting_id"])].iloc[0]
    module = min(DEFAULTS.table("projects.module_places")[group] for group in split_codes(row["need_groups"]))
    assert set(split_codes(row["need_groups"])) == set(
        england.pools.loc[england.pools["setting_id"].eq(row["site_id"]), "need_groups"].str.split("|").sum()
    )
    assert row["module_places"] == module
    assert row["max_places"] == 0.4 * school["places"] // module * module
    assert row["fixed_cost_gbp"] == pytest.approx(0.2 * 90_000 * row["max_places"], abs=500)
    assert row["cost_per_place_gbp"] == pytest.approx(0.8 * 90_000, abs=5)
    assert row["stage_cost_gbp"] == pytest.approx(0.25 * row["fixed_cost_gbp"], abs=500)
    assert (row["max_stages"], row["lead_time_years"], row["life_years"], row["optimism_bias"]) == (2, 2, 40, 0.24)


def test_a_base_costs_by_the_room_that_its_school_has(england: Case) -> None:
    """Every school has 1,210 places: those with up to 1,180 pupils have a class to spare and adapt it."""
    bases = england.projects[england.projects["kind"].eq("resourced_provision")]
    rolls = {f"{phase} {i}": roll for phase, _, _, of_phase in MAINSTREAM for i, roll in enumerate(of_phase)}
    per_place = bases["fixed_cost_gbp"] / bases["max_places"] + bases["cost_per_place_gbp"]
    expected = [20_000 if rolls[name.split(",")[0].removeprefix("Base at ")] <= 1_180 else 45_000 for name in bases["name"]]
    assert len(set(expected)) == 2
    np.testing.assert_allclose(per_place, expected, rtol=0.01)


def test_rival_designations_of_a_site_exclude_each_other(england: Case) -> None:
    projects = england.projects
    shared = projects[projects["kind"].isin(["resourced_provision", "new_special"])].groupby("site_id")
    for _, rivals in shared:
        assert rivals["exclusive_group"].nunique() == (1 if len(rivals) > 1 else 0)
        assert rivals["need_groups"].is_unique
    assert (projects[projects["kind"].eq("new_special")].groupby("exclusive_group").size() == len(candidates.NEW_SCHOOLS)).all()


def test_new_bases_go_to_schools_without_one(england: Case) -> None:
    bases = england.projects[england.projects["kind"].eq("resourced_provision")]
    assert not set(bases["site_id"]) & set(england.settings["setting_id"])
    assert bases["site_id"].nunique() >= 4


@given(years=st.integers(0, 10))
def test_spend_is_in_equal_shares(years: int) -> None:
    shares = [float(share) for share in candidates.equal_shares(years).split("|")]
    assert len(shares) == max(years, 1)
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert max(shares) - min(shares) < 0.001


def test_a_list_of_the_councils_own_replaces_the_rules(folder: Path, surrey: Case, tmp_path: Path) -> None:
    own = surrey.projects.head(2).assign(name=["Ours", "Also ours"], cost_per_place_gbp=71_000.0)
    own.to_csv(tmp_path / "ours.csv", index=False)
    case = build_case(folder, level="lsoa", councils=["Surrey"], programme="high-needs-2025-30", projects_file=tmp_path / "ours.csv")
    assert case.projects["name"].tolist() == ["Ours", "Also ours"]
    assert any(source.title == "ours.csv" for source in case.sources)
    assert not any("no council has proposed" in note for note in case.notes)
    own.assign(council_code=LONDON).to_csv(tmp_path / "theirs.csv", index=False)
    with pytest.raises(InputError, match="no project of the councils"):
        build_case(folder, level="lsoa", councils=["Surrey"], projects_file=tmp_path / "theirs.csv")
    own.assign(from_pool_id="nowhere", effect="convert").to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(InputError, match="no such pool"):
        build_case(folder, level="lsoa", councils=["Surrey"], projects_file=tmp_path / "wrong.csv")


# --- money, councils, request -----------------------------------------------------------------------------------------


def test_the_money_of_england_sums_to_the_control_totals(england: Case) -> None:
    by_year = england.funds.groupby("financial_year")["amount_gbp"].sum()
    assert by_year.to_dict() == {"2022-23": 775_000_000, "2023-24": 775_000_000, "2024-25": 1_050_000_000}
    assert (england.funds["amount_gbp"] % 1 == 0).all()
    assert england.funds.groupby("fund_id").size().eq(3).all()


def test_programmes_have_their_totals_and_years() -> None:
    known = programmes.programmes()
    assert {key: sum(about.allocation_gbp.values()) for key, about in known.items()} == {
        "hnpca-2022-25": 2_600_000_000,
        "hnpca-2021-25": 2_600_000_000,
        "high-needs-2025-30": 3_700_000_000,
    }
    assert known["hnpca-2022-25"].academic_years == ("2022/23", "2023/24", "2024/25", "2025/26", "2026/27", "2027/28", "2028/29")
    assert known["high-needs-2025-30"].base_january == 2025
    moved = known["hnpca-2021-25"].allocation_gbp
    assert moved["2021-22"] == known["hnpca-2022-25"].allocation_gbp["2024-25"] - moved["2024-25"] == 280_000_000


@settings(max_examples=100, deadline=None)
@given(total=st.integers(0, 3_000_000_000), weights=st.lists(st.floats(0.001, 100), min_size=1, max_size=160))
def test_whole_pounds_sum_to_the_total_and_are_nearly_in_proportion(total: int, weights: list[float]) -> None:
    series = pd.Series(weights, index=[f"E{i:03d}" for i in range(len(weights))])
    pounds = programmes.whole_pounds(total, series)
    assert pounds.sum() == total
    assert (np.abs(pounds - total * series / series.sum()) <= 1).all()


def test_the_split_weighs_residents_placed_growth_and_cost() -> None:
    one = pd.Series({"A": 100.0, "B": 300.0})
    weights = programmes.council_weights(
        one, pd.Series({"B": 10.0, "A": 30.0}), pd.Series({"A": -5.0, "B": 8.0}), pd.Series({"A": 1.2, "B": 1.0})
    )
    mix = {"A": 1.2 * (0.5 * 0.25 + 0.3 * 0.75), "B": 0.5 * 0.75 + 0.3 * 0.25 + 0.2}
    assert weights.to_dict() == pytest.approx({code: value / sum(mix.values()) for code, value in mix.items()})
    with pytest.raises(ValueError, match="different councils"):
        programmes.council_weights(one, one, one, one.head(1))


def test_the_nine_partnerships_are_32_councils() -> None:
    known = partnerships.partnerships()
    names = [name for councils in known.values() for name in councils]
    assert len(known) == 9
    assert len(names) == len(set(names)) == 32


def test_councils_are_chosen_in_one_way(folder: Path, tmp_path: Path) -> None:
    choose = partnerships.chosen_councils
    assert choose(folder, councils=["surrey", "Cumberland"])[0] == [CUMBERLAND, SURREY]
    assert choose(folder, region="north west")[0] == [CUMBERLAND, WESTMORLAND]
    assert choose(folder, england=True)[0] == tiny.CODES
    own = tmp_path / "ours.toml"
    own.write_text('["Far apart"]\ncouncils = ["Cumberland", "Barking and Dagenham"]\n[Alone]\ncouncils = ["Surrey"]\n')
    assert choose(folder, partnership=f"{own}:Far apart") == ([CUMBERLAND, LONDON], "Far apart partnership")
    for wrong in (
        {},
        {"councils": ["Surrey"], "england": True},
        {"region": "Wessex"},
        {"partnership": "Wessex"},
        {"partnership": str(own)},
    ):
        with pytest.raises(InputError):
            choose(folder, **wrong)  # type: ignore[arg-type]
    own.write_text("[Empty]\nlead = 'X'\n")
    with pytest.raises(InputError, match="no councils"):
        partnerships.partnerships(own)
    with pytest.raises(InputError, match="can't be read"):
        partnerships.partnerships(tmp_path / "absent.toml")


def test_a_wrong_request_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hnpca-2022-25"):
        build_case(tmp_path, level="lsoa", england=True, programme="more-money")
    with pytest.raises(InputError, match="no such assumption"):
        build_case(tmp_path, level="lsoa", england=True, overrides={"gravity.dread": 1.0})
    with pytest.raises(InputError, match="no such level"):
        build_case(tmp_path, level="ward", england=True)


def test_assumptions_of_the_request_are_used(folder: Path, england: Case) -> None:
    tight = build_case(folder, level="msoa", england=True, overrides={"supply.places_per_pupil": {"state_special": 0.5}})

    def places(case: Case) -> float:
        return float(case.settings.loc[case.settings["kind"].eq("state_special"), "places"].sum())

    assert places(tight) / places(england) == pytest.approx(0.5 / 0.956)
    assert tight.assumptions.changed() == {"supply.places_per_pupil": {**DEFAULTS.table("supply.places_per_pupil"), "state_special": 0.5}}


def test_every_file_is_named_with_its_hash_and_progress_is_told(folder: Path) -> None:
    told: list[str] = []
    case = build_case(folder, level="msoa", region="London", progress=told.append)
    assert told[0] == "reading pupils and areas"
    assert told[-1] == "done"
    assert len({source.sha256 for source in case.sources}) == len(case.sources) == 17
    register = next(source for source in case.sources if source.title.startswith("Get Information about Schools"))
    assert register.edition == "20250524"
    assert case.councils["council_code"].tolist() == [LONDON]
    assert (case.councils[["unlocated_km", "unlocated_minutes"]] > 0).all(axis=None)


def test_the_notes_say_how_journeys_and_demand_were_found(england: Case) -> None:
    assert any(note.startswith("Journeys are estimated by curve; mean absolute error under 60 km") for note in england.notes)
    assert any("central path of the forecast; scenarios low and high" in note for note in england.notes)
    assert set(england.pupils["scenario"]) == {"low", "central", "high"}


def test_the_default_suitability_says_what_serves_whom() -> None:
    versions = suitability_table()
    table = versions[versions["version"] == "2026"]
    assert len(table) == len(versions) / 2 == 7 * 7 * 2
    suits = table.set_index(["kind", "need_group", "severity"])["suitable"].sort_index()
    assert suits["state_special"].drop("AP", level="need_group").all()
    assert not suits["state_special", "AP"].any()
    assert not suits.xs("complex", level="severity")["resourced_provision"].any()
    assert suits["ap", "SEMH", "complex"]
    assert not suits["ap", "ASD", "complex"]
    assert suits["unlocated_ap"].groupby(level="need_group").any().to_dict() == {
        group: group == "AP" for group in set(GROUP_OF_NEED.values())
    }


# --- real councils ----------------------------------------------------------------------------------------------------


@real_data
def test_hampshire_and_surrey_from_the_real_files() -> None:
    start = time.monotonic()
    case = build_case(Path(str(REAL)), level="lsoa", councils=["Hampshire", "Surrey"])
    assert time.monotonic() - start < 300
    assert [str(problem) for problem in check_case(case) if problem.level == "error"] == []
    placed = with_kinds(case)
    by_kind = placed.groupby("kind")["pupils"].sum()
    completed = [case.totals["completed"][code] for code in case.councils["council_code"]]
    assert by_kind["state_special"] == pytest.approx(sum(figures["special_state"] for figures in completed), rel=0.005)
    assert by_kind["resourced_provision"] == pytest.approx(1_175, rel=0.005)
    own = case.settings["council_code"].isin(case.councils["council_code"])
    assert case.settings.loc[own & case.settings["kind"].eq("state_special")].shape[0] == 53
    places = case.pools.groupby("setting_id")["places"].sum()
    occupancy = placed.groupby("setting_id")["pupils"].sum() / places
    special = occupancy[case.settings.loc[case.settings["kind"].eq("state_special"), "setting_id"]]
    assert special.between(1.0, 1.1).all()
    by_pool = placed.groupby("pool_id")["pupils"].sum() / case.pools.set_index("pool_id")["places"]
    assert by_pool.dropna().max() < 1.2
    council = case.areas.set_index("area_id")["council_code"]
    special_placed = placed[placed["kind"].eq("state_special")]
    outside = special_placed["area_id"].map(council).ne(special_placed["council_code"])
    assert 0.02 < special_placed.loc[outside, "pupils"].sum() / special_placed["pupils"].sum() < 0.2
    assert 25 <= case.projects.groupby("council_code").size().min() <= case.projects.groupby("council_code").size().max() <= 75
