"""The command line as a user meets it: help that teaches, one clear message for what is wrong, and every file of the contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from fixtures.tiny import tiny_case
from sufficiency.case import save_case
from sufficiency.cli import app, main
from sufficiency.outputs.map_page import page_built

needs_page = pytest.mark.skipif(not page_built(), reason="needs the page scripts of the map: make web")

HELP = {
    (): ("plan", "case", "audit", "compare", "forecast", "backtest", "travel", "journeys", "access", "A first run"),
    ("case",): ("build", "check"),
    ("case", "build"): ("--data", "--level", "--councils", "--programme", "--out"),
    ("case", "check"): ("CASE", "exit 1"),
    ("plan",): ("CASE", "--out", "--gap", "--time-limit", "--backend", "--request", "--base", "--keep", "--check-with", "Ctrl-C"),
    ("robust",): ("CASE", "--scenario", "--risk", "--tail", "--out", "central=0.6"),
    ("frontier",): ("CASE", "--over", "--points", "--out"),
    ("explain",): ("CASE", "PLAN", "--extra", "--year", "--within", "--out"),
    ("pack",): ("CASE", "PLAN", "--out", "--council", "--partnership"),
    ("packs",): ("CASE", "PLAN", "--out"),
    ("comments", "read"): ("FILE",),
    ("audit",): ("CASE", "PLAN", "exit 1"),
    ("compare",): ("PLAN_A", "PLAN_B", "--json"),
    ("forecast",): ("--data", "--out"),
    ("backtest",): ("--data", "--out"),
    ("own-rates",): ("SEN2", "--key-file", "--out"),
    ("travel",): ("--roads", "--areas", "--sites", "--limit-min", "--landmarks", "--out", "--dask", "--cache"),
    ("journeys",): ("CASE", "--plan", "--figures", "--out", "statutory distance", "boarding"),
    ("access",): ("CASE", "--plan", "--site", "--roads", "--out", "20, 45 and 75 minutes"),
}
"""Command -> words that its help must have"""

SUMMARY = {
    "termination", "objective_gbp", "bound_gbp", "gap_of_cost", "gap_of_saving", "counterfactual_gbp", "saving_gbp", "capital_gbp",
    "new_places", "independent_avoided", "unmet", "wall_s", "cpu_s", "peak_mb", "inputs", "version",
}  # fmt: skip
TABLES = ("projects", "places", "placements", "funding", "travel", "access", "unmet", "needs", "costs", "payments")
FILES = ("plan.json", *(f"{table}.csv" for table in TABLES), "plan.gpkg", "map.html", "audit.json")


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, output and messages of the installed command, in a process of its own."""
    command = [sys.executable, "-c", "from sufficiency.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"})
    return done.returncode, done.stdout, done.stderr


def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The same in this process, which is sooner."""
    monkeypatch.setattr(sys, "argv", ["sufficiency", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "case"
    save_case(tiny_case(), folder)
    return folder


@pytest.fixture(scope="module")
def planned(case_folder: Path) -> tuple[Path, str]:
    """A plan made by the command, and what it printed."""
    out = case_folder.parent / "plan"
    code, said, messages = run("plan", case_folder, "--out", out, "--gap", 1e-9)
    assert code == (0 if page_built() else 1), messages
    return out, said


def summary_of(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "plan.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_help_teaches(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0
    assert all(word in done.output for word in HELP[command]), done.output


def test_every_command_has_its_help_tested() -> None:
    groups = app.registered_groups
    commands = {(str(group.name), str(command.name)) for group in groups for command in group.typer_instance.registered_commands}
    commands |= {(str(command.name or command.callback.__name__),) for command in app.registered_commands if command.callback}
    assert commands <= set(HELP)


@needs_page
def test_a_plan_writes_every_file_of_the_contract(planned: tuple[Path, str]) -> None:
    folder, _ = planned
    assert [name for name in FILES if not (folder / name).is_file()] == []
    assert all((folder / name).stat().st_size for name in FILES)


def test_plan_json_has_the_keys_of_the_contract(planned: tuple[Path, str], case_folder: Path) -> None:
    summary = summary_of(planned[0])
    assert set(summary) >= SUMMARY
    assert summary["saving_gbp"] == pytest.approx(3_350_000, abs=1)
    assert summary["termination"] == "optimal"
    assert set(dict(summary["inputs"])) == {path.name for path in case_folder.iterdir()}  # type: ignore[call-overload]
    assert json.loads((planned[0] / "audit.json").read_text(encoding="utf-8"))["passed"] is True


def test_a_plan_says_what_it_found(planned: tuple[Path, str]) -> None:
    assert "Satellite in the south" in planned[1]


def test_the_audit_command_passes_the_plan_and_fails_a_changed_one(
    planned: tuple[Path, str], case_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = planned
    assert here(monkeypatch, capsys, "audit", case_folder, folder)[0] == 0
    path = folder / "projects.csv"
    kept = path.read_text(encoding="utf-8")
    table = pd.read_csv(path)
    try:
        table.assign(capital_gbp=table["capital_gbp"] - 10).to_csv(path, index=False)
        code, said, _ = here(monkeypatch, capsys, "audit", case_folder, folder)
    finally:
        path.write_text(kept, encoding="utf-8")
    assert code == 1
    assert "breaches" in said
    assert here(monkeypatch, capsys, "audit", case_folder, folder)[0] == 0


@pytest.mark.parametrize("backend", ["ortools", "pulp"])
def test_every_backend_gives_the_same_plan(backend: str, case_folder: Path, tmp_path: Path, planned: tuple[Path, str]) -> None:
    out = tmp_path / "plan"
    code, _, messages = run("plan", case_folder, "--out", out, "--gap", 1e-9, "--backend", backend, "--no-sensitivity")
    assert code == (0 if page_built() else 1), messages
    assert summary_of(out)["objective_gbp"] == pytest.approx(summary_of(planned[0])["objective_gbp"], abs=1)
    assert summary_of(out)["objective_gbp"] == pytest.approx(42_850_000, abs=1)
    assert summary_of(out)["sensitivity"] == []


def test_a_request_file_holds_where_no_option_is_given(case_folder: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.toml"
    request.write_text('sensitivity = false\nyears = 2\n[assumptions]\n"displacement.share" = 0\n', encoding="utf-8")
    code, _, messages = run("plan", case_folder, "--out", tmp_path / "plan", "--request", request, "--years", 3)
    assert code == (0 if page_built() else 1), messages
    summary = summary_of(tmp_path / "plan")
    assert summary["sensitivity"] == []
    assert summary["academic_years"] == ["2022/23", "2023/24", "2024/25"]
    assert summary["saving_gbp"] == 0
    assert dict(summary["assumptions_changed"])["displacement.share"] == 0  # type: ignore[call-overload]


def test_compare_prints_a_table_and_json(
    planned: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = here(monkeypatch, capsys, "compare", planned[0], planned[0])
    assert code == 0
    assert "0 of 1 projects differ" in said
    code, said, _ = here(monkeypatch, capsys, "compare", planned[0], planned[0], "--json")
    assert code == 0
    comparison = json.loads(said)
    assert comparison["comparable"]
    assert {row["difference"] for row in comparison["figures"]} == {0.0}


# What is wrong is said once and plainly


def test_a_sound_case_passes_the_check(case_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = here(monkeypatch, capsys, "case", "check", case_folder)
    assert code == 0
    assert "Tiny case: 1 councils, 2 areas" in said


@pytest.mark.parametrize("command", [("case", "check"), ("plan",)])
@pytest.mark.parametrize(
    ("column", "value"),
    [("place_cost_gbp_per_year", "20"), ("spend_profile", "0.5|0.4"), ("lead_time_years", "soon"), ("kind", "castle")],
)
def test_a_broken_case_names_file_row_column_value_and_remedy(
    command: tuple[str, ...],
    column: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_case(tiny_case(), tmp_path / "case")
    path = tmp_path / "case" / "projects.csv"
    projects = pd.read_csv(path, dtype=str)
    projects.loc[1, column] = value
    projects.to_csv(path, index=False)
    out = ("--out", tmp_path / "plan") if command == ("plan",) else ()
    code, said, messages = here(monkeypatch, capsys, *command, tmp_path / "case", *out)
    assert code == 1
    faults = [line for line in (said + messages).splitlines() if line.startswith("error") and f"column {column}" in line]
    assert len(faults) == 1
    where, remedy = faults[0].split("(value: ")
    assert "projects.csv, row 3, " in where
    assert remedy.startswith(value)
    assert len(remedy.split("). ")[1]) > 10
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize(
    "command",
    [("case", "check", "nowhere"), ("plan", "nowhere", "--out", "plan"), ("audit", "nowhere", "plan"), ("compare", "nowhere", "plan")],
)
def test_a_folder_that_is_not_there_gives_one_message(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said, messages = here(monkeypatch, capsys, *command)
    errors = [line for line in messages.splitlines() if not line.startswith("[")]
    assert code == 1
    assert said == ""
    assert len(errors) == 1
    assert errors[0].startswith("error: nowhere: not a ")
    assert not list(tmp_path.iterdir())


def test_an_audit_of_no_plan_gives_one_message(
    case_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, messages = here(monkeypatch, capsys, "audit", case_folder, tmp_path / "nothing")
    assert code == 1
    assert "not a plan folder" in messages


@pytest.mark.parametrize(("option", "value"), [("--gap", "0"), ("--time-limit", "-1"), ("--backend", "cplex"), ("--seed", "-3")])
def test_a_bad_option_is_an_input_error(
    option: str, value: str, case_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, messages = here(monkeypatch, capsys, "plan", case_folder, "--out", tmp_path / "plan", option, value)
    assert code == 1
    assert messages.startswith("error: command line, column ")
    assert f"(value: {value}" in messages


def test_an_unknown_option_ends_with_2_and_the_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, messages = here(monkeypatch, capsys, "plan", "--wish", "more")
    assert code == 2
    assert "--wish" in messages


def test_ctrl_c_says_that_nothing_was_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def stopped(*arguments: object, **options: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sufficiency.analysis.commands.run_explain", stopped)
    code, _, said = here(monkeypatch, capsys, "explain", tmp_path, tmp_path, "--out", tmp_path / "answers")
    assert code == 130
    assert "nothing was written" in said
    assert not (tmp_path / "answers").exists()
