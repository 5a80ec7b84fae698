"""A council's own SEN2 return: read in both layouts, reduced at the door, turned into rates; nothing of a person gets out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fixtures import sen2
from sufficiency.demand import commands
from sufficiency.demand.own_rates import moves_to_show, own_counts, placements_by_area, with_own_rates
from sufficiency.demand.rates import AGES, Rates
from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.sources.sen2_history import NEEDS
from sufficiency.sources.sen2_return import Sen2Return, read_postcodes, read_return
from sufficiency.tables.problems import InputError

KEY = b"a key of enough bytes for a test"


@pytest.fixture(scope="module")
def cohorts() -> dict[int, tuple[sen2.Pupil, ...]]:
    return sen2.cohorts()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cohorts: dict[int, tuple[sen2.Pupil, ...]]) -> Path:
    folder = tmp_path_factory.mktemp("returns")
    for january, pupils in cohorts.items():
        sen2.write_blade(pupils, january, folder / str(january))
    lookup = pd.DataFrame({"pcds": list(sen2.postcode_lookup()), "lsoa21cd": list(sen2.postcode_lookup().values())})
    lookup.to_csv(folder / "postcodes.csv", index=False)
    return folder


def read(path: Path, folder: Path, key: bytes = KEY) -> Sen2Return:
    return read_return(path, key, read_postcodes(folder / "postcodes.csv"), sen2.SETTINGS)


@pytest.fixture(scope="module")
def returns(folder: Path) -> list[Sen2Return]:
    return [read(folder / "2024", folder), read(folder / "2025", folder)]


def test_the_reduced_return_says_what_the_pupils_are(returns: list[Sen2Return], cohorts: dict[int, tuple[sen2.Pupil, ...]]) -> None:
    held = [pupil for pupil in cohorts[2025] if not pupil.ceased]
    table = returns[1].pupils
    assert len(table) == len(held)
    assert len(returns[1].ceased) == len(cohorts[2025]) - len(held) > 0
    expected = pd.Series([sen2.SETTINGS.get(pupil.urn, "elsewhere") for pupil in held])
    expected[[pupil.unit for pupil in held]] = "resourced_provision"
    assert table["category"].value_counts().to_dict() == expected.value_counts().to_dict()
    assert table["age"].tolist() == [2025 - 1 - int(pupil.born[:4]) for pupil in held]
    assert (table["year_group"] == table["age"] - 4).all()
    assert table["area_id"].tolist() == [sen2.AREAS[pupil.area] for pupil in held]
    assert table["new_plan"].tolist() == [pupil.started.startswith("2024") for pupil in held]


def test_age_is_that_of_31_august(tmp_path: Path, folder: Path, cohorts: dict[int, tuple[sen2.Pupil, ...]]) -> None:
    first = cohorts[2025][0]
    pupils = [dataclasses.replace(first, number=n, born=born) for n, born in enumerate(["2014-08-31", "2014-09-01"])]
    table = read(sen2.write_blade(pupils, 2025, tmp_path / "blade"), folder).pupils
    assert table["age"].tolist() == [10, 9]


def test_xml_and_blade_give_the_same(
    tmp_path: Path, folder: Path, returns: list[Sen2Return], cohorts: dict[int, tuple[sen2.Pupil, ...]]
) -> None:
    xml = read(sen2.write_xml(cohorts[2025], 2025, tmp_path / "sen2.xml"), folder)
    pd.testing.assert_frame_equal(xml.pupils, returns[1].pupils)
    pd.testing.assert_frame_equal(xml.ceased, returns[1].ceased)
    assert (xml.january, xml.council_dfe) == (2025, sen2.COUNCIL)


def test_the_hash_links_years_and_hangs_on_the_key(folder: Path, returns: list[Sen2Return]) -> None:
    linked = set(returns[0].pupils["pupil"]) & set(returns[1].pupils["pupil"])
    assert len(linked) > 250
    other = read(folder / "2025", folder, b"another key of enough bytes also")
    assert not set(other.pupils["pupil"]) & set(returns[1].pupils["pupil"])
    with pytest.raises(InputError, match="shorter than 16 bytes"):
        read(folder / "2025", folder, b"short")


def test_faults_name_the_record_and_nothing_of_the_person(tmp_path: Path, folder: Path, cohorts: dict[int, tuple[sen2.Pupil, ...]]) -> None:
    pupils = list(cohorts[2025][:40])
    pupils[6] = dataclasses.replace(pupils[6], born="1975-03-04")
    pupils[8] = dataclasses.replace(pupils[8], number=pupils[7].number)
    with pytest.raises(InputError) as caught:
        read(sen2.write_blade(pupils, 2025, tmp_path / "blade"), folder)
    assert sorted(problem.row for problem in caught.value.problems) == [7, 9]
    text = str(caught.value)
    for secret in secrets(pupils) | {"1975"}:
        assert secret not in text


def test_too_many_postcodes_out_of_the_lookup_stop_the_reading(tmp_path: Path, folder: Path) -> None:
    pd.DataFrame({"pcds": ["ZZ1 0ZZ"], "lsoa21cd": ["E01990000"]}).to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(InputError, match="postcode that the lookup does not hold") as caught:
        read_return(folder / "2025", KEY, read_postcodes(tmp_path / "few.csv"), sen2.SETTINGS)
    assert "ZZ1" not in str(caught.value)
    assert "ZZ2" not in str(caught.value)


def test_a_missing_module_is_named(tmp_path: Path, folder: Path, cohorts: dict[int, tuple[sen2.Pupil, ...]]) -> None:
    blade = sen2.write_blade(cohorts[2025][:5], 2025, tmp_path / "blade")
    next(blade.glob("*senneed.csv")).unlink()
    with pytest.raises(InputError, match=r"senneed.csv.*is missing"):
        read(blade, folder)


def test_own_counts_find_the_moves_that_were_drawn(returns: list[Sen2Return]) -> None:
    counts = own_counts(returns)
    start = len(returns[0].pupils)
    assert counts.stayed["pupils"].sum() + counts.left["pupils"].sum() == start
    assert counts.left["pupils"].sum() / start == pytest.approx(sen2.LEAVE, abs=0.04)
    assert counts.joined["pupils"].sum() == int(sen2.JOIN * start)
    from_mainstream = counts.stayed[counts.stayed["before"].isin(["mainstream", "resourced_provision"])]
    moved = from_mainstream.loc[from_mainstream["after"] == "state_special", "pupils"].sum() / from_mainstream["pupils"].sum()
    assert moved == pytest.approx(sen2.MOVE_TO_SPECIAL, abs=0.05)
    with pytest.raises(ValueError, match="two or more"):
        own_counts(returns[:1])


def test_own_rates_pull_the_published_ones_and_keep_shares_whole(returns: list[Sen2Return]) -> None:
    ages, needs, categories = len(AGES), len(NEEDS), len(CATEGORIES)
    published = Rates(
        councils=("E1", "E2"),
        january=2025,
        stock=np.ones((2, ages, needs, categories)),
        entries=np.full((2, ages, needs, categories), 0.1),
        leaving=np.full((2, ages), 0.2),
        moves=np.broadcast_to(np.eye(categories), (1, ages, needs, categories, categories)).copy(),
        recoding=np.broadcast_to(np.eye(needs), (ages, needs, needs)).copy(),
        region=np.array([0, 0]),
        notes=(),
    )
    own = with_own_rates(published, "E1", own_counts(returns))
    assert own.moves.shape[0] == 2
    np.testing.assert_allclose(own.moves.sum(axis=-1), 1.0)
    mainstream, special = CATEGORIES.index("mainstream"), CATEGORIES.index("state_special")
    assert own.moves[own.region[0]][AGES.index(10), 0, mainstream, special] > 0
    np.testing.assert_array_equal(own.moves[own.region[1]], published.moves[0])
    school = slice(AGES.index(6), AGES.index(15))
    assert (own.leaving[0, school] < 0.2).all()
    np.testing.assert_array_equal(own.leaving[1], published.leaving[1])


def test_placements_by_area_hold_every_pupil_once(returns: list[Sen2Return]) -> None:
    table = placements_by_area(returns[1])
    assert table["pupils"].sum() == len(returns[1].pupils)
    assert set(table["area_id"]) <= set(sen2.AREAS)


def test_small_counts_are_hidden(returns: list[Sen2Return]) -> None:
    shown = moves_to_show(own_counts(returns))
    figures = pd.to_numeric(shown["pupils"], errors="coerce")
    assert (figures.dropna() >= 5).all()
    assert set(shown.loc[figures.isna(), "pupils"]) == {"c"}


def secrets(pupils: list[sen2.Pupil] | tuple[sen2.Pupil, ...]) -> set[str]:
    """What must never be found again: names, UPNs, postcodes and birth dates in any of their spellings."""
    found = {sen2.SURNAME, sen2.FORENAME}
    for pupil in pupils:
        year, month, day = pupil.born.split("-")
        found |= {pupil.upn, pupil.postcode, pupil.postcode.replace(" ", ""), pupil.born, f"{day}/{month}/{year}"}
    return found


def test_nothing_of_a_person_is_written_logged_or_shown(
    tmp_path: Path,
    folder: Path,
    cohorts: dict[int, tuple[sen2.Pupil, ...]],
    returns: list[Sen2Return],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(commands, "register", lambda data: pd.DataFrame({"urn": list(sen2.SETTINGS), "kind": list(sen2.SETTINGS.values())}))
    key_file = tmp_path / "key"
    key_file.write_bytes(KEY)
    said: list[str] = []
    out = tmp_path / "out"
    with caplog.at_level("DEBUG"):
        summary = commands.run_own_rates([folder / "2024", folder / "2025"], key_file, folder / "postcodes.csv", tmp_path, out, said.append)
    hashes = set(returns[0].pupils["pupil"]) | set(returns[1].pupils["pupil"])
    forbidden = secrets((*cohorts[2024], *cohorts[2025])) | hashes
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != key_file]
    assert {path.name for path in written} == {"moves.csv", "placements.csv", "warnings.csv"}
    captured = capfd.readouterr()
    texts = [path.read_text(encoding="utf-8") for path in written]
    texts += [summary.text, *said, captured.out, captured.err, caplog.text, repr(returns[1])]
    for text in texts:
        assert not [secret for secret in forbidden if secret in text]
    assert sen2.SURNAME in next((folder / "2025").glob("*person.csv")).read_text(encoding="utf-8"), "the search would find a name"
