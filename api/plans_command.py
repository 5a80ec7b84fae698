"""``python -m api plans add CASE FOLDER``: a plan that was made at the command line, into the service's store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from api.auth import trail
from api.auth.command import OPERATOR, opened
from api.intake import move_in
from api.large import keep_large_of_plan
from api.routes.requests import NewRequest
from api.store import runs
from api.store.models import CaseRow, PlanRow, RequestRow, RunRow, new_id, now
from api.store.plans import headline
from api.store.scope import councils_of
from sufficiency.outputs.folder import EXACT

plans = typer.Typer(help="Plans of the service.", no_args_is_help=True)


@plans.callback()
def _plans() -> None:
    """Plans of the service."""


@plans.command("add")
def add(
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="Id of the case in the service.")],
    folder: Annotated[Path, typer.Argument(help="The plan folder, audited; made from the same case.")],
    name: Annotated[str, typer.Option(help="Name of the plan; left out: that of the case.")] = "",
) -> None:
    """Take in a plan folder and print the plan's id. For who works at the service's machine: the service need not run."""
    with opened() as context:
        store = context.store
        with store.read() as session:
            case = session.get(CaseRow, case_id)
        if case is None:
            raise typer.BadParameter("there is no such case in the service's store", param_hint="CASE")
        _refuse_misfits(folder, case)
        plan_id = new_id("plan")
        work = store.work / plan_id
        shutil.copytree(folder, work)
        keep_large_of_plan(work)
        move_in(work, store.plans / plan_id)
        with store.write() as session:
            _add_rows(session, case, plan_id, store.plans / plan_id, name or case.name)
            deed = trail.Deed(OPERATOR.subject, "plans add", plan_id, councils_of(session, case.scope_id), 200, "")
            trail.append(session, context.trail_key, deed)
    typer.echo(plan_id)


def _refuse_misfits(folder: Path, case: CaseRow) -> None:
    """Only an audited plan of this very case, with its disclosure profile kept, and the exact one beside it where that is protected."""

    def refuse(message: str) -> None:
        raise typer.BadParameter(f"{folder}: {message}", param_hint="FOLDER")

    if not (folder / "plan.json").is_file() or not (folder / "audit.json").is_file():
        refuse("not an audited plan folder (sufficiency plan, sufficiency audit)")
    summary = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    if summary.get("disclosure", "open") != case.disclosure:
        refuse("shows other figures than the case's disclosure profile lets out")
    if case.disclosure != "open" and not (folder / EXACT / "plan.json").is_file():
        refuse("holds only what may be shown; plan again with --exact")
    exact = json.loads((folder / EXACT / "plan.json").read_text(encoding="utf-8")) if case.disclosure != "open" else summary
    if not exact["inputs"] or any(case.files.get(file) != digest for file, digest in exact["inputs"].items()):
        refuse("was made from another case, or another version of it")


def _add_rows(session: Session, case: CaseRow, plan_id: str, folder: Path, name: str) -> None:
    """The plan with a request and a run, as if it had been made here."""
    asked = json.loads((folder / "plan.json").read_text(encoding="utf-8")).get("request", {})
    shared = {"owner": OPERATOR.subject, "scope_id": case.scope_id, "partnership": case.partnership, "name": name, "created_at": now()}
    settings = {field: value for field, value in asked.items() if field in NewRequest.model_fields}
    request = RequestRow(id=new_id("request"), **shared, case_id=case.id, settings=settings, base_plan_id=None, changes={})
    session.add(request)
    session.flush()
    of = {"case_id": case.id, "request_id": request.id}
    run = RunRow(id=new_id("run"), **shared, **of, state="finished", finished_at=now(), plan_id=plan_id)
    session.add(run)
    session.flush()
    runs.note(session, run.id, "state", {"state": "finished", "plan_id": plan_id, "failure": None})
    audit_passed = bool(json.loads((folder / "audit.json").read_text(encoding="utf-8"))["passed"])
    shown = {"disclosure": case.disclosure, "audit_passed": audit_passed, "summary": headline(folder)}
    session.add(PlanRow(id=plan_id, **shared, **of, run_id=run.id, **shown))
