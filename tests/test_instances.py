"""The benchmark of published instances: every layout is read right, and published optima are proved."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from bench.instances import LAYOUTS, Instance, main, read_instance, run_instance
from fixtures.instances import Instance as Written
from fixtures.instances import random_instance, write_instance
from solver.solve import SolveOptions

EXACT = SolveOptions(gap=1e-6, seconds=60.0, threads=1)
PUBLISHED = ["cap61", "cap62", "cap63", "cap64", "cap71", "cap74", "cap81", "cap84", "cap91", "cap94", "cap101", "cap104"]
SHORTENED = ["cap41", "cap42", "cap43", "cap44", "cap51"]
"""Some copies of these files hold two shortened demands (549 for 5495, 129 for 12912)."""


def least_cost(instance: Written) -> float:
    """By trying every set of open sites."""
    sites, customers = instance.serving_cost.shape
    best = np.inf
    for open_sites in itertools.product((0.0, 1.0), repeat=sites):
        room = np.array(open_sites) * instance.capacity
        if room.sum() < instance.demand.sum():
            continue
        # x[i, z] share of customer z's demand served from site i
        served = np.tile(np.eye(customers), sites)
        used = np.kron(np.eye(sites), instance.demand)
        answer = linprog(instance.serving_cost.ravel(), used, room, served, np.ones(customers))
        assert answer.fun is not None
        best = min(best, float(answer.fun + np.array(open_sites) @ instance.fixed_cost))
    return best


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_solved_to_the_enumerated_optimum(tmp_path: Path, layout: str) -> None:
    for seed in range(2):
        instance = random_instance(seed)
        path = tmp_path / f"instance{seed}.txt"
        path.write_text(write_instance(instance, layout))
        outcome = run_instance(read_instance(path, layout), EXACT)
        assert outcome.upper == pytest.approx(least_cost(instance), rel=1e-6)
        assert outcome.lower == pytest.approx(outcome.upper, rel=1e-6)
        assert outcome.termination == "optimal"


def test_zipped_files_are_read(tmp_path: Path) -> None:
    text = write_instance(random_instance(3), "orlib")
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    plain, zipped = (read_instance(tmp_path / name, "orlib") for name in ("a.txt", "a.txt.gz"))
    assert np.array_equal(plain.unit_cost, zipped.unit_cost)
    assert np.array_equal(plain.demand, zipped.demand)


def test_a_file_in_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text(write_instance(random_instance(1), "orlib") + "17\n")
    with pytest.raises(ValueError, match="4 sites and 6 customers"):
        read_instance(path, "orlib")
    path.write_text("")
    with pytest.raises(ValueError, match="numbers of sites and customers"):
        read_instance(path, "yang")


def test_too_little_capacity_has_no_plan(tmp_path: Path) -> None:
    instance = random_instance(2)
    path = tmp_path / "small.txt"
    path.write_text(write_instance(replace(instance, capacity=np.floor(0.2 * instance.capacity)), "yang"))
    outcome = run_instance(read_instance(path, "yang"), EXACT)
    assert outcome.upper is None


def test_command_prints_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "instance.txt"
    path.write_text(write_instance(random_instance(4), "tbed1"))
    monkeypatch.setattr("sys.argv", ["bench.instances", str(path), "--layout", "tbed1", "--time-limit", "20"])
    main()
    line = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert {"upper", "lower", "termination", "wall_s", "cpu_s"} <= set(line)
    assert line["upper"] == pytest.approx(least_cost(random_instance(4)), rel=1e-6)


def published() -> Path:
    folder = os.environ.get("SUFFICIENCY_INSTANCES")
    if not folder:
        pytest.skip("SUFFICIENCY_INSTANCES is not set: it names the folder of published instances")
    return Path(folder)


def value(name: str) -> float:
    with (published() / "index.csv").open() as index:
        return float(next(row["value"] for row in csv.DictReader(index) if row["file"] == f"orlib/{name}.txt.gz"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_optimum_is_proved(name: str) -> None:
    outcome = run_instance(read_instance(published() / "orlib" / f"{name}.txt.gz", "orlib"), EXACT)
    assert outcome.termination == "optimal"
    assert outcome.upper == pytest.approx(value(name), rel=1e-6)
    assert outcome.lower == pytest.approx(value(name), rel=1e-6)


@pytest.mark.parametrize("name", SHORTENED)
def test_published_optimum_is_proved_with_full_demands(name: str) -> None:
    """The customers of all these files are the same: demands and serving costs come from cap61."""
    read, full = (read_instance(published() / "orlib" / f"{file}.txt.gz", "orlib") for file in (name, "cap61"))
    instance = Instance(read.capacity, read.fixed_cost, full.demand, full.unit_cost)
    assert read.unit_cost * read.demand == pytest.approx(full.unit_cost * full.demand)
    outcome = run_instance(instance, EXACT)
    assert outcome.upper == pytest.approx(value(name), rel=1e-6)
    assert outcome.lower == pytest.approx(value(name), rel=1e-6)
