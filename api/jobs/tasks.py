"""What a child process can do. Each takes its payload, a way to tell progress and whether it is asked to stop; all are plain data."""

from __future__ import annotations

import math
import runpy
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import pandas as pd

from api.jobs.known import Known
from api.large import keep_large_of_case, keep_large_of_plan
from solver.result import Progress
from sufficiency.analysis.commands import run_explain, run_frontier, run_robust
from sufficiency.audit import audit_plan, write_audit
from sufficiency.case import PARQUET, Case, case_hashes, file_of, load_case
from sufficiency.disclosure import shown_money, shown_text
from sufficiency.outputs.case_map import write_case_map
from sufficiency.outputs.folder import read_exact_plan, write_plan
from sufficiency.outputs.map_page import PageNotBuiltError
from sufficiency.outputs.pack.material import Whole
from sufficiency.outputs.pack.scope import council_scopes, whole_case
from sufficiency.outputs.pack.write import write_pack
from sufficiency.plan import Plan
from sufficiency.request import checked_request
from sufficiency.tables.checks import report_case
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.read import read_table, validate_table
from sufficiency.workflow import KNOWN, SEARCH, SENSITIVITY, SolvedWorlds, as_planned, plan_case

Tell = Callable[..., None]
Interrupted = Callable[[], bool]
PROGRESS_S = 0.5
"""Figures of the search are told no more often."""
ESTIMATES: Final = (KNOWN, "prices", "options")
"""Phases in which the search's figure is not yet that of a plan of its own."""


def plan(payload: dict[str, Any], tell: Tell, interrupted: Interrupted) -> dict[str, Any]:
    """Make, write and audit a plan: ``case`` and ``out`` (folders), ``settings``, ``base_plan`` (folder or None), ``use_base``.

    With a ``question`` about the base plan, answer that instead; with ``pack``, make its meeting pack.
    """
    if payload["question"]:
        return answer(payload, tell, interrupted)
    if payload["pack"]:
        return pack(payload, tell)
    case_folder, out = Path(payload["case"]), Path(payload["out"])
    request = checked_request(payload["settings"], "request")
    say = _phases(tell)
    say("Reading the case")
    case = load_case(case_folder)
    base = read_exact_plan(Path(payload["base_plan"])) if payload["base_plan"] else None
    search = _Search(tell, case, Known(out.parent), interrupted)
    found = plan_case(
        case,
        request,
        inputs=case_hashes(case_folder),
        progress=search.say,
        watch=search.watch,
        interrupted=search.interrupted,
        base=base,
        use_base=payload["use_base"],
        keep=search.keep,
        patient=False,
    )
    return _written(found, case, payload, say)


def kept_plan(payload: dict[str, Any], tell: Tell, interrupted: Interrupted) -> dict[str, Any]:
    """Make, write and audit the best plan that a search which had to be ended has kept: payload as of ``plan``."""
    say = _phases(tell)
    say("Reading the case")
    case_folder = Path(payload["case"])
    case, request = load_case(case_folder), checked_request(payload["settings"], "request")
    found = Known(Path(payload["out"]).parent).plan(case, request, case_hashes(case_folder), say)
    return _written(found, case, payload, say)


def _written(found: Plan, case: Case, payload: dict[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """Write and audit a plan."""
    case_folder, out = Path(payload["case"]), Path(payload["out"])
    request = checked_request(payload["settings"], "request")
    planned = request.applied_to(case)
    with suppress(PageNotBuiltError):  # a service without the page scripts does without the map
        write_plan(found, planned, out, say, exact=True)
    say("Auditing")
    report = audit_plan(planned, out, case_folder=case_folder)
    write_audit(report, out)
    keep_large_of_plan(out)
    return {"audit_passed": report.passed}


def answer(payload: dict[str, Any], tell: Tell, interrupted: Interrupted) -> dict[str, Any]:
    """Write the tables that answer a question about a plan: ``question`` holds its ``kind`` and what else it says."""
    case, plan, out, asked = Path(payload["case"]), Path(payload["base_plan"]), Path(payload["out"]), payload["question"]
    request, say = checked_request(payload["settings"], "request"), _phases(tell)
    if asked["kind"] == "explain":
        run_explain(case, plan, out, asked["extra_gbp"], asked["year"], asked["within"], asked["most"], say)
    elif asked["kind"] == "frontier":
        run_frontier(case, request, asked["over"], asked["points"], out, say)
    else:
        run_robust(case, request, asked["scenarios"], asked["risk"], asked["tail"], out, say)
    return {"answered": asked["kind"]}


def pack(payload: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Make the meeting pack of the base plan for ``council_code``, or for all its councils together, and a zip of all of it."""
    say, out, code = _phases(tell), Path(payload["out"]), payload["pack"]["council_code"]
    say("Reading the plan")
    plan = read_exact_plan(Path(payload["base_plan"]))
    case = as_planned(load_case(Path(payload["case"])), Path(payload["base_plan"]))
    say("Making the pack")
    write_pack(Whole(plan, case), whole_case(case) if code is None else council_scopes(case, [code])[0], out)
    archive = shutil.make_archive(str(out.with_name("whole")), "zip", out)
    shutil.move(archive, out / "pack.zip")
    return {"answered": "pack"}


def check_case(payload: dict[str, Any], tell: Tell, interrupted: Interrupted) -> dict[str, Any]:
    """Validate the case in ``folder`` whole and say what it is. Tables sent as GeoPackage or CSV become those of a case folder."""
    folder = Path(payload["folder"])
    _refuse(_as_case_folder(folder))
    case = load_case(folder)
    report = report_case(case)
    _refuse(report.errors)
    write_case_map(case, folder / "map")
    keep_large_of_case(case, folder)
    return {"about": _about(case), "warnings": [_shown(problem, case) for problem in report.problems], "files": case_hashes(folder)}


def builtin_case(payload: dict[str, Any], tell: Tell, interrupted: Interrupted) -> dict[str, Any]:
    """Write a case that comes with the program into ``folder`` and say what it is."""
    sys.argv = ["fixtures", "--out", payload["folder"], *(["--tiny"] if payload["name"] == "tiny" else [])]
    with suppress(SystemExit):
        runpy.run_module("fixtures", run_name="__main__")
    return check_case(payload, tell, interrupted)


TASKS: Final[Mapping[str, Callable[[dict[str, Any], Tell, Interrupted], dict[str, Any]]]] = {
    "plan": plan,
    "kept_plan": kept_plan,
    "check_case": check_case,
    "builtin_case": builtin_case,
}
"""Name -> task."""


def _phases(tell: Tell) -> Callable[[str], None]:
    """Progress text as phases; indented lines are figures, which the search tells."""

    def say(text: str) -> None:
        if not text.startswith(" "):
            tell(phase=text)

    return say


class _Search:
    """What the parent is told of a search: its phases and figures, whether a solver is at work, and whether a plan is kept."""

    def __init__(self, tell: Tell, case: Case, known: Known, interrupted: Interrupted) -> None:
        self._tell, self._case, self._known, self._interrupted = tell, case, known, interrupted
        self._say = _phases(tell)
        self._told, self._bound = -math.inf, -math.inf
        self._solving, self._kept, self._has_plan, self._ending = False, False, False, False

    def say(self, text: str) -> None:
        """A phase."""
        self._say(text)
        if not text.startswith(" "):
            self._has_plan = False
            before, self._solving = self._solving, text.startswith((SEARCH, SENSITIVITY))
            if self._solving != before:
                self._tell(solving=self._solving)

    def watch(self, progress: Progress) -> None:
        """Figures of the search: the first at once, then now and then."""
        self._has_plan = progress.phase not in ESTIMATES
        if self._kept and progress.lower > self._bound:
            self._bound = progress.lower
            self._known.bound(progress.lower)
        if time.monotonic() - self._told >= PROGRESS_S:
            self._told = time.monotonic()
            self._tell(incumbent_gbp=_money(progress.upper, self._case), bound_gbp=_money(progress.lower, self._case))

    def keep(self, worlds: SolvedWorlds) -> None:
        """The best plan known, or found."""
        self._known.keep(worlds)
        self._kept = True
        self._tell(kept=True)

    def interrupted(self) -> bool:
        """Whether the search is to stop. One that hears it with a plan of its own gets the time to bring that to its end."""
        if self._interrupted() and self._has_plan and not self._ending:
            self._ending = True
            self._tell(solving=False)
        return self._interrupted()


def _money(value: float, case: Case) -> float | None:
    return shown_money(value, case) if math.isfinite(value) else None


def _refuse(problems: list[InputProblem]) -> None:
    if problems:
        raise InputError(problems)


def _as_case_folder(folder: Path) -> list[InputProblem]:
    """Areas from a GeoPackage, and tables given as CSV where a case folder holds Parquet."""
    problems: list[InputProblem] = []
    for name in sorted(PARQUET):
        target = folder / file_of(name)
        given = [path for path in (folder / f"{name}.gpkg", folder / f"{name}.csv") if path.is_file()]
        if not given or target.is_file():
            continue
        try:
            table = _read_given(given[0], name)
        except InputError as error:
            problems += error.problems
        else:
            table.to_parquet(target, index=False)
            given[0].unlink()
    return problems


def _read_given(path: Path, name: str) -> pd.DataFrame:
    return validate_table(gpd.read_file(path), name, path.name) if path.suffix == ".gpkg" else read_table(path, name)


def _shown(problem: InputProblem, case: Case) -> dict[str, Any]:
    """A problem as it may be shown: in a protected case a value may be a count, and a row a person's."""
    if case.disclosure != "open":
        problem = replace(problem, value=None, row=None, message=shown_text(problem.message, case))
    return asdict(problem)


def _about(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "level": case.level,
        "base_january": case.base_january,
        "academic_years": list(case.academic_years),
        "programme": case.programme,
        "price_base": case.price_base,
        "disclosure": case.disclosure,
        "councils": [{"code": str(row.council_code), "name": str(row.council_name)} for row in case.councils.itertuples(index=False)],
        "scenarios": sorted(str(name) for name in case.pupils["scenario"].unique()),
        "rows": {name: len(table) for name, table in case.tables.items()},
        "capital_gbp": float(case.funds["amount_gbp"].sum()),
        "assumptions_changed": case.assumptions.changed(),
        "notes": [shown_text(note, case) for note in case.notes],
        "sources": [vars(source) for source in case.sources],
        "totals": case.totals if case.disclosure == "open" else {"published": case.totals.get("published", {})},
    }
