"""The register of schools: both editions, blanks, wrong coordinates, need types and what a partial file adds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import published_demand as tiny
import pytest

from sufficiency.sources import gias
from sufficiency.tables.problems import InputError

REAL = os.environ.get("SUFFICIENCY_DATA")
real_data = pytest.mark.skipif(REAL is None, reason="SUFFICIENCY_DATA does not name the data folder")
KNOWN = pd.DataFrame({"council_code": ["E1", "E2"], "council_code_dfe": ["301", "936"]})
POINTS = pd.DataFrame({"lsoa_code": ["L1", "L2"], "easting_m": [400_000.0, 450_000.0], "northing_m": [200_000.0, 250_000.0]})

PUBLISHED = {
    "URN": "100001",
    "LA (code)": "301",
    "EstablishmentName": "Café Lane School",
    "TypeOfEstablishment (name)": "Community special school",
    "EstablishmentStatus (name)": "Open",
    "PhaseOfEducation (name)": "Not applicable",
    "StatutoryLowAge": "4",
    "StatutoryHighAge": "19",
    "SchoolCapacity": "120",
    "NumberOfPupils": "131",
    "PlacesPRU": "",
    "PercentageFSM": "41.5",
    "SEN1 (name)": "SLD - Severe Learning Difficulty",
    "SEN2 (name)": "BESD - Behaviour, Emotional and Social Difficulty",
    "SEN3 (name)": "Not Applicable",
    "ResourcedProvisionOnRoll": "",
    "ResourcedProvisionCapacity": "",
    "SenUnitOnRoll": "",
    "SenUnitCapacity": "",
    "Easting": "400100",
    "Northing": "200100",
    "LSOA (code)": "L1",
    "Postcode": "AA1 1AA",
}


def published(path: Path, *rows: dict[str, str]) -> Path:
    pd.DataFrame([{**PUBLISHED, **row} for row in rows]).to_csv(path, index=False, encoding="cp1252")
    return path


def only(path: Path, *rows: dict[str, str]) -> pd.Series:
    (school,) = (school for _, school in gias.read_register(published(path, *rows), KNOWN, POINTS).iterrows())
    return school


def test_the_publishers_file_is_read_as_it_comes(tmp_path: Path) -> None:
    school = only(tmp_path / "edubasealldata20250524.csv", {})
    assert (school["urn"], school["name"], school["kind"], school["council_code"]) == ("100001", "Café Lane School", "state_special", "E1")
    assert (school["roll"], school["capacity"], school["age_low"], school["age_high"]) == (131, 120, 4, 19)
    assert school["sen_needs"] == "SLD|SEMH"
    assert (school["easting_m"], school["northing_m"], school["location"]) == (400_100, 200_100, "register")
    assert (school["status"], school["postcode"]) == ("Open", "AA1 1AA")


def test_a_blank_is_unknown_and_a_nought_is_none(tmp_path: Path) -> None:
    blank = only(
        tmp_path / "a.csv", {"NumberOfPupils": "", "StatutoryLowAge": "", "SchoolCapacity": "", "SEN1 (name)": "", "SEN2 (name)": ""}
    )
    assert blank[["roll", "age_low", "capacity", "places_pru", "base_roll", "base_places"]].isna().all()
    assert blank["sen_needs"] == ""
    assert only(tmp_path / "b.csv", {"NumberOfPupils": "0"})["roll"] == 0


def test_resourced_provision_and_unit_are_added(tmp_path: Path) -> None:
    base = {"ResourcedProvisionOnRoll": "7", "ResourcedProvisionCapacity": "8", "SenUnitCapacity": "12"}
    school = only(tmp_path / "a.csv", base | {"TypeOfEstablishment (name)": "Academy converter", "PhaseOfEducation (name)": "Primary"})
    assert (school["kind"], school["base_roll"], school["base_places"]) == ("mainstream", 7, 20)


@pytest.mark.parametrize(
    "change",
    [
        {"EstablishmentStatus (name)": "Closed"},
        {"EstablishmentStatus (name)": "Proposed to open"},
        {"LA (code)": "702"},
        {"TypeOfEstablishment (name)": "Further education"},
    ],
)
def test_what_is_closed_abroad_or_no_school_is_left_out(tmp_path: Path, change: dict[str, str]) -> None:
    assert gias.read_register(published(tmp_path / "a.csv", change), KNOWN, POINTS).empty


@pytest.mark.parametrize("wrong", [{"Easting": "450000"}, {"Easting": "", "Northing": ""}, {"Easting": "0", "Northing": "0"}])
def test_wrong_or_missing_coordinates_are_those_of_the_small_area(tmp_path: Path, wrong: dict[str, str]) -> None:
    school = only(tmp_path / "a.csv", wrong)
    assert (school["easting_m"], school["northing_m"], school["location"]) == (400_000, 200_000, "lsoa centroid")


def test_a_school_that_is_nowhere_is_left_out(tmp_path: Path) -> None:
    assert gias.read_register(published(tmp_path / "a.csv", {"Easting": "", "LSOA (code)": ""}), KNOWN, POINTS).empty


def test_a_flag_of_the_extract_outweighs_a_short_distance(tmp_path: Path) -> None:
    row = {
        "urn": 100001,
        "establishment_name": "A",
        "establishment_type": "Pupil referral unit",
        "education_phase": "Not applicable",
        "la_code_dfe": 936,
        "number_of_pupils": 20.0,
        "easting": 450_900.0,
        "northing": 250_000.0,
        "lsoa_code": "L2",
        "geo_flag": "xy_far_from_lsoa",
        "sca_location_factor": 1.1,
    }
    pd.DataFrame([row, row | {"urn": 100002, "geo_flag": None}]).to_csv(tmp_path / "gias.csv", index=False)
    flagged, good = (school for _, school in gias.read_register(tmp_path / "gias.csv", KNOWN, POINTS).iterrows())
    assert (flagged["kind"], flagged["council_code"], flagged["easting_m"], flagged["location"]) == ("ap", "E2", 450_000, "lsoa centroid")
    assert (good["easting_m"], good["location"], good["location_factor"]) == (450_900, "register", 1.1)
    assert np.isnan(good["capacity"])
    assert np.isnan(good["age_low"])


def test_missing_columns_are_named_together(tmp_path: Path) -> None:
    table = pd.DataFrame([PUBLISHED]).drop(columns=["Easting", "NumberOfPupils"])
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError) as caught:
        gias.read_register(tmp_path / "a.csv", KNOWN, POINTS)
    assert {problem.column for problem in caught.value.problems} == {"Easting", "NumberOfPupils"}


def test_a_urn_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="100001"):
        gias.read_register(published(tmp_path / "a.csv", {}, {}), KNOWN, POINTS)


def test_a_folder_without_a_register_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="get-information-schools"):
        gias.register_files(tmp_path)


def test_a_partial_file_adds_bases_also_to_schools_with_a_new_urn(tmp_path: Path) -> None:
    """The same URN; an academy that took the name; one renamed on the spot; and one that closed."""
    tiny.write(tmp_path)
    (tmp_path / "schools").mkdir()
    host = {
        "TypeOfEstablishment (name)": "Academy converter",
        "PhaseOfEducation (name)": "Primary",
        "LA (code)": "936",
        "LSOA (code)": "E0130",
        "SEN1 (name)": "",
        "SEN2 (name)": "",
    }

    def school(urn: str, name: str, east: int, **more: str) -> dict[str, str]:
        return {**PUBLISHED, **host, "URN": urn, "EstablishmentName": name, "Easting": str(401_000 + east), "Northing": "210000", **more}

    now = [
        school("1", "Oak Primary", 0),
        school("22", "Ash Primary", 500),
        school("33", "Elm Academy", 1_000),
        school("4", "Yew Primary", 1_500),
    ]
    extract = pd.DataFrame(now).rename(columns={published: ours for published, ours in gias.HEADINGS.values() if ours})
    extract.to_csv(tmp_path / "schools" / "gias_open_england_20250524.csv.gz", index=False)
    base = {"ResourcedProvisionCapacity": "10", "ResourcedProvisionOnRoll": "9", "SEN1 (name)": "ASD - Autistic Spectrum Disorder"}
    before = [
        school("1", "Oak Primary", 0, **base),
        school("2", "Ash Primary", 4_000, **base),
        school("3", "Elm Primary", 1_050, **base),
        school("5", "Box Primary", 6_000, **base),
    ]
    pd.DataFrame(before).to_csv(tmp_path / "schools" / "gias_surrey_mainstream_20220420.csv", index=False)
    found = gias.register(tmp_path).set_index("urn")
    assert found["base_places"].to_dict() == pytest.approx({"1": 10, "22": 10, "33": 10, "4": np.nan}, nan_ok=True)
    assert found["sen_needs"].to_dict() == {"1": "ASD", "22": "ASD", "33": "ASD", "4": ""}


@real_data
def test_the_register_of_may_2025() -> None:
    found = gias.register(Path(str(REAL)))
    assert found.groupby("kind").size().drop("mainstream").to_dict() == {
        "ap": 333,
        "independent_special": 831,
        "non_maintained": 52,
        "state_special": 1055,
    }
    assert found["council_code"].nunique() == 153
    assert found.loc[found["kind"].eq("state_special"), "roll"].sum() == 150_872
    misplaced = found.set_index("urn").loc[["142068", "142932"]]
    assert misplaced["location"].eq("lsoa centroid").all()
    assert misplaced["easting_m"].between(0, 700_000).all()
    bases = found[found["base_places"].gt(0)]
    assert len(bases) == 68
    assert bases["kind"].eq("mainstream").all()
