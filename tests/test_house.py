"""The house keeps its promises: documents are fresh, the lock covers what is declared, no file names somebody's machine."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from sufficiency.assumptions import default_assumptions
from sufficiency.tables.checks import CHECKS
from sufficiency.tables.dictionary import documents
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.schemas import SCHEMAS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCUMENTS = documents()


def tracked_text() -> dict[str, str]:
    """Text files under version control, by path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the list of files is not known")
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return texts


def run_make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """make as from a fresh shell: what the make that runs these tests was given does not count."""
    fresh = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTHON")
    }
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**fresh, **environment})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_written_from_the_code_are_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == DOCUMENTS[name], f"docs/{name} is stale: run make docs"


def test_the_dictionary_names_every_column_and_check() -> None:
    text = DOCUMENTS["data-dictionary.md"]
    for name, schema in {**SCHEMAS, **PLAN_SCHEMAS}.items():
        assert f"### {name} (" in text
        for column, declared in schema.to_schema().columns.items():
            row = next(
                line for line in text.splitlines() if line.startswith(f"| `{column}` |") and declared.description.split("|")[0] in line
            )
            assert declared.metadata["unit"].split("|")[0] in row
    assert all(f"| {code} | " in text for code, _, _ in CHECKS)


def test_the_assumptions_name_every_figure_with_its_source() -> None:
    lines = DOCUMENTS["assumptions.md"].splitlines()
    for entry in default_assumptions():
        (row,) = (line for line in lines if line.startswith(f"| `{entry.name}` |"))
        assert entry.source in row
        assert entry.status in row


def test_help_teaches_every_target() -> None:
    text = run_make("help").stdout
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.M))
    assert {
        "plan",
        "test",
        "lint",
        "types",
        "layers",
        "partnership",
        "england",
        "travel",
        "forecast",
        "backtest",
        "bench",
        "docs",
    } <= targets
    assert all(re.search(rf"^  {target} +\S", text, flags=re.M) for target in targets)
    assert run_make().stdout == text


def test_plan_uses_the_case_and_the_options_given() -> None:
    given = run_make("-n", "plan", "CASE=my/case", "OUT=my/plan", "GAP=0.02", "TIME_LIMIT=60").stdout
    assert '.venv/bin/sufficiency plan "my/case" --out "my/plan" --gap 0.02 --time-limit 60' in given
    assert "-m fixtures" not in given
    usual = run_make("-n", "-B", "plan").stdout
    assert ".venv/bin/python -m fixtures --out out/case-fictional" in usual
    assert '.venv/bin/sufficiency plan "out/case-fictional" --out "out/plan"' in usual


@pytest.mark.parametrize("target", ["england", "forecast", "backtest", "partnership"])
def test_real_cases_say_that_they_need_data(target: str) -> None:
    result = run_make("-s", target, "COUNCILS=X", SUFFICIENCY_DATA="")
    assert result.returncode != 0
    assert "Set SUFFICIENCY_DATA" in result.stdout


def test_an_interpreter_that_is_too_old_is_not_taken(tmp_path: Path) -> None:
    """A `python3.13` that does not start, and a `python3` that does: the second is taken."""
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.12").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3.11").write_text("#!/bin/sh\nexit 0\n")
    for fake in tmp_path.iterdir():
        fake.chmod(0o755)
    made = run_make("-n", "-B", "lint", PATH=f"{tmp_path}:{os.environ['PATH']}").stdout
    assert "python3.11 -m venv .venv" in made


def test_the_lock_covers_every_dependency_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, flags=re.M)}
    declared = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=\[ ;]", line)[0].lower().replace("_", "-") for line in declared}
    assert names <= pinned
    entries = re.findall(r"^[A-Za-z0-9._-]+==.*(?:\n    .*)*", lock, flags=re.M)
    assert len(entries) == len(re.findall(r"^\S+==", lock, flags=re.M))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock


def test_the_changelog_has_the_version() -> None:
    assert f"## {PROJECT['project']['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_check_script_is_sound_and_runs_every_gate() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "for gate in lint types layers" in script.read_text()
    assert script.read_text().rstrip().endswith("make --no-print-directory test")


def test_no_file_names_a_machine_or_a_registry() -> None:
    forbidden = re.compile(r"/(?:home|Users|work|root)/\w|index-url +\S+://|\.\./shared|pypi\.org/simple|registry\.npmjs\.org")
    allowed = {".ci/run", "tests/test_house.py"}
    found = {name: match.group() for name, text in tracked_text().items() if name not in allowed and (match := forbidden.search(text))}
    assert found == {}
