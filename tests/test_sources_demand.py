"""Readers of the demand releases: layouts, marks for missing figures, codes and provenance."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import published_demand as tiny
import pytest

from sufficiency.sources import alternative_provision, boundaries, ehc_plans, files, small_areas
from sufficiency.tables.problems import InputError

REAL = os.environ.get("SUFFICIENCY_DATA")
real_data = pytest.mark.skipif(REAL is None, reason="SUFFICIENCY_DATA does not name the data folder")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cut")
    tiny.write(path)
    return path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed")
    tiny.write(path, packed=True)
    return path


def test_the_publishers_zip_and_its_cut_read_the_same(folder: Path, packed: Path) -> None:
    for reader in (ehc_plans.caseload, ehc_plans.caseload_by_age, ehc_plans.needs, ehc_plans.needs_by_category, ehc_plans.needs_by_age):
        pd.testing.assert_frame_equal(reader(folder), reader(packed))


def test_caseload_sums_columns_to_categories_and_keeps_x_empty(folder: Path) -> None:
    table = ehc_plans.caseload(folder).set_index(["january", "council_code"])
    truth = tiny.true_table().sum(axis=(1, 2))
    surrey = table.loc[(2025, tiny.NO_NEEDS)]
    assert surrey[tiny.ALL].tolist() == truth[tiny.CODES.index(tiny.NO_NEEDS)].tolist()
    hidden = table.loc[(2025, tiny.NO_PLACEMENTS)]
    assert hidden["ehc_plans"] == truth[tiny.CODES.index(tiny.NO_PLACEMENTS)].sum()
    assert hidden[tiny.ALL].isna().all()
    assert np.isnan(table.loc[(2022, tiny.NO_NEEDS), "not_recorded"])
    assert table.loc[(2025, ehc_plans.ENGLAND), "ehc_plans"] == truth.sum()


def test_ages_and_needs_keep_the_sums(folder: Path) -> None:
    truth = tiny.true_table()
    ages = ehc_plans.caseload_by_age(folder)
    ages = ages[(ages["january"] == 2025) & (ages["council_code"] == tiny.NO_NEEDS)].set_index("age")
    assert ages["ehc_plans"].to_dict() == dict(zip(tiny.AGES, truth[3].sum(axis=(0, 2)), strict=True))
    needs = ehc_plans.needs_by_category(folder).set_index(["council_code", "need", "category"])["pupils"]
    assert needs[tiny.CODES[0]].sum() == truth[0].sum()
    assert needs[tiny.NO_NEEDS].isna().all()


def test_unknown_type_of_placement_is_named(folder: Path, tmp_path: Path) -> None:
    tiny.write(tmp_path / "data")
    path = tmp_path / "data" / "la_stats" / "la_ehcp_by_need_jan2025.csv"
    path.write_text(path.read_text().replace("Special - independent", "Special - on the moon"))
    with pytest.raises(InputError, match=r"unknown type of placement \(value: Special - on the moon\)"):
        ehc_plans.needs_by_category(tmp_path / "data")


def test_age_bands_and_ap_counts(folder: Path) -> None:
    bands = ehc_plans.age_bands(folder)
    assert set(bands["january"]) == set(range(tiny.FIRST, 2024))
    assert bands.loc[bands["january"] == 2022, "pupils"].sum() == tiny.january(tiny.true_table(), 2022).sum()
    counts = alternative_provision.counts(folder).set_index(["january", "council_code", "kind"])["pupils"]
    assert counts[(2022, "E10000006", "state")] == 300
    assert counts[(2023, tiny.NO_NEEDS, "school_arranged")] == 300
    ages = alternative_provision.council_funded_ages(folder)
    assert set(ages["age"]) == {4, 9, 14, 17, 19}
    assert ages["pupils"].sum() == 200


def test_missing_file_names_every_accepted_name(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        files.find(tmp_path, "caseload")
    for name in files.RELEASES["caseload"].names:
        assert name in caught.value.problems[0].remedy


def test_missing_heading_is_named_for_the_closest_edition(tmp_path: Path) -> None:
    (tmp_path / "la_stats").mkdir()
    path = tmp_path / "la_stats" / "caseload.csv"
    path.write_text("time_period,geographic_level,new_la_code,breakdown_topic,breakdown\n")
    with pytest.raises(InputError) as caught:
        ehc_plans.caseload(tmp_path)
    assert [problem.column for problem in caught.value.problems] == ["ehcplans"]
    assert "as published" in caught.value.problems[0].message


def test_figures_marks_and_nonsense() -> None:
    table = pd.DataFrame({"plans": ["1,204", "x", "", "z", "7"]})
    assert files.numbers(table, ["plans"], "t").fillna(-1)["plans"].tolist() == [1204, -1, -1, -1, 7]
    with pytest.raises(InputError) as caught:
        files.numbers(pd.DataFrame({"plans": ["3", "many"]}), ["plans"], "caseload")
    problem = caught.value.problems[0]
    assert (problem.file, problem.row, problem.column, problem.value) == ("caseload", 3, "plans", "many")


def test_provenance_has_the_digest_and_knows_the_release(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "our list.csv"
    own.write_text("a,b\n")
    path, _ = files.find(folder, "caseload")
    release, given = files.provenance([path, own])
    assert release.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (release.publisher, release.edition) == ("Department for Education", "Reporting year 2025")
    assert (given.title, given.publisher) == ("our list.csv", "given by the user")


def test_councils_resolve_by_name_code_and_first_words(folder: Path) -> None:
    given = ["Surrey County Council", "942", "E06000064", "london borough of barking & dagenham", "Westmorland", "surrey"]
    assert boundaries.resolve_councils(folder, given) == ["E10000030", "E06000063", "E06000064", "E09000002"]


def test_unknown_councils_are_named_together_with_close_ones(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        boundaries.resolve_councils(folder, ["Surey", "Atlantis", "Cumberland"])
    assert [problem.value for problem in caught.value.problems] == ["Surey", "Atlantis"]
    assert "Surrey" in caught.value.problems[0].remedy


def test_an_lsoa_astray_joins_the_nearest_msoa_of_its_council(tmp_path: Path) -> None:
    tiny.write(tmp_path / "data")
    path = tmp_path / "data" / "demand" / "lsoa21_england.parquet"
    table = pd.read_parquet(path)
    table.loc[table["lsoa21_code"] == "E0104", "msoa21_code"] = "E0211"
    table.to_parquet(path)
    lsoas = small_areas.lsoas(tmp_path / "data").set_index("lsoa_code")
    assert lsoas.loc["E0104", "msoa_code"] == "E0201"
    assert lsoas.groupby("msoa_code")["council_code"].nunique().max() == 1
    assert lsoas["age_25"].sum() == pytest.approx(7.0 * len(lsoas))


@real_data
def test_the_real_england_rows() -> None:
    data = Path(str(REAL))
    assert len(boundaries.councils(data)) == 153
    table = ehc_plans.caseload(data)
    england = table[table["council_code"] == ehc_plans.ENGLAND].set_index("january")
    assert england["ehc_plans"].to_dict() == {
        2019: 353_995, 2020: 390_109, 2021: 430_697, 2022: 473_255, 2023: 517_048, 2024: 576_474, 2025: 638_745,
    }  # fmt: skip
    councils = table[table["council_code"] != ehc_plans.ENGLAND].groupby("january")[["ehc_plans", "independent_special"]].sum()
    assert (councils["ehc_plans"] == england["ehc_plans"]).all()
    assert councils.loc[2025, "independent_special"] == 29_628
    assert england.loc[2025, "not_recorded"] == 19_339
    needs = ehc_plans.needs_by_category(data)
    by_council = needs[needs["category"] == "not_recorded"].groupby("council_code")["pupils"].sum()
    assert (by_council["E10000003"], by_council["E06000012"]) == (8_007, 1_672)


@real_data
def test_real_names_resolve_to_themselves() -> None:
    data = Path(str(REAL))
    table = boundaries.councils(data)
    assert boundaries.resolve_councils(data, table["council_name"]) == table["council_code"].tolist()
    assert boundaries.resolve_councils(data, table["council_code_dfe"]) == table["council_code"].tolist()
    assert boundaries.resolve_councils(data, ["Hull", "Bristol", "Herefordshire", "E10000023"]) == [
        "E06000010", "E06000023", "E06000019", "E06000065",
    ]  # fmt: skip
