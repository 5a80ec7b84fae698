"""The published table of capital allocations, tried on a small spreadsheet in its layout."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sufficiency.build.programmes import allocated_funds, read_programme
from sufficiency.sources.allocations import read_allocations
from sufficiency.tables.problems import InputError
from sufficiency.tables.read import validate_table

COUNCILS = pd.DataFrame(
    [("E10000014", "Hampshire"), ("E06000045", "Southampton"), ("E06000009", "Blackpool"), ("E06000014", "York")],
    columns=["council_code", "council_name"],
)
ROWS = [
    ["High needs provision capital allocations", None, None, None, None],
    ["Financial years 2022-23 and 2023-24, in pounds", None, None, None, None],
    [None, None, None, None, None],
    ["ONS code", "Local authority", "2022-23 allocation (£)", "2023 to 2024", "Total 2022-24"],
    ["E92000001", "England", 30_000_000, 33_000_000, 63_000_000],
    ["E12000008", "South East", 26_000_000, 28_500_000, 54_500_000],
    ["E10000014", "Hampshire", 20_000_000, 22_500_000, 42_500_000],
    ["E06000045", "Southampton", "6,000,000", "-", 6_000_000],
    [None, "York, City of", 3_000_000, 4_000_000, 7_000_000],
]


def written(path: Path, rows: list[list[object]]) -> Path:
    with pd.ExcelWriter(path, engine="odf") as book:
        pd.DataFrame([["Notes"], ["Figures are provisional."]]).to_excel(book, sheet_name="Notes", header=False, index=False)
        pd.DataFrame(rows).to_excel(book, sheet_name="Allocations", header=False, index=False)
    return path


def test_allocations_are_found_below_titles_and_beside_totals(tmp_path: Path) -> None:
    table = read_allocations(written(tmp_path / "hnpca.ods", ROWS), COUNCILS).set_index(["council_code", "financial_year"])["amount_gbp"]
    assert table.to_dict() == {
        ("E10000014", "2022-23"): 20_000_000,
        ("E10000014", "2023-24"): 22_500_000,
        ("E06000045", "2022-23"): 6_000_000,
        ("E06000045", "2023-24"): 0,
        ("E06000014", "2022-23"): 3_000_000,
        ("E06000014", "2023-24"): 4_000_000,
    }


def test_every_fault_is_named(tmp_path: Path) -> None:
    rows = [*ROWS, ["E06000099", "Atlantis", 1, 2, 3], ["E06000009", "Blackpool", "about 5m", 1, 1]]
    with pytest.raises(InputError) as caught:
        read_allocations(written(tmp_path / "hnpca.ods", rows), COUNCILS)
    assert [(problem.row, problem.value) for problem in caught.value.problems] == [(10, "Atlantis"), (11, "about 5m")]
    with pytest.raises(InputError, match="no sheet has headings"):
        read_allocations(written(tmp_path / "other.ods", ROWS[:3]), COUNCILS)
    (tmp_path / "text.ods").write_text("no spreadsheet")
    with pytest.raises(InputError, match="can't be read"):
        read_allocations(tmp_path / "text.ods", COUNCILS)


def test_published_allocations_take_the_place_of_the_derived_split(tmp_path: Path) -> None:
    programme = read_programme("hnpca-2022-25")
    table = read_allocations(written(tmp_path / "hnpca.ods", ROWS), COUNCILS)
    weights = pd.Series({"E10000014": 0.1, "E06000045": 0.02, "E06000009": 0.88})
    funds = allocated_funds(programme, weights, ["E10000014", "E06000009"], table)
    validate_table(funds, "funds", "funds")
    rows = funds.set_index(["councils", "financial_year"])[["amount_gbp", "status"]]
    assert rows.loc[("E10000014", "2022-23")].tolist() == [20_000_000, "published"]
    assert set(rows.loc["E06000009", "status"]) == {"derived"}  # not in the spreadsheet
    later = [year for year in programme.allocation_gbp if year not in ("2022-23", "2023-24")]
    assert all(rows.loc[("E10000014", year), "status"] == "derived" for year in later)
