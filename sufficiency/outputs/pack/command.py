"""What `sufficiency pack`, `packs` and `comments read` do, for the command line and for other callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sufficiency.build.partnerships import partnerships
from sufficiency.case import Case, case_hashes, load_case
from sufficiency.outputs.folder import read_exact_plan
from sufficiency.outputs.pack.comments import comments_toml, pins_of, read_comments
from sufficiency.outputs.pack.scope import Scope, council_scopes, partnership_scope, region_scopes, whole_case
from sufficiency.outputs.pack.write import write_packs
from sufficiency.plan import Plan
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.workflow import as_planned

Say = Callable[[str], None]


def run_pack(
    case_folder: Path, plan_folder: Path, out: Path, councils: Sequence[str], partnership: str | None, progress: Say | None = None
) -> str:
    """Packs of the councils named, or of a partnership and its councils, or of the whole case and all its councils.

    Raises InputError for names that the case does not have, and for a plan of another case.
    """
    plan, case = _planned(case_folder, plan_folder, progress)
    if partnership is not None:
        joint = partnership_scope(case, partnership)
        scopes = [joint, *council_scopes(case, joint.councils)]
    elif councils:
        scopes = council_scopes(case, councils)
    else:
        scopes = _each_once([whole_case(case), *council_scopes(case)])
    return _said(write_packs(plan, case, scopes, out, progress))


def run_packs(case_folder: Path, plan_folder: Path, out: Path, progress: Say | None = None) -> str:
    """Packs of the partnerships and of the regions; those that are there already are kept. Partnerships not in the case are named."""
    plan, case = _planned(case_folder, plan_folder, progress)
    scopes, left_out = [], []
    for name in partnerships():
        try:
            scopes.append(partnership_scope(case, name))
        except InputError as error:
            left_out.append(f"No pack for the {name} partnership: {error.problems[0].message}.")
    return "\n".join([*left_out, _said(write_packs(plan, case, [*scopes, *region_scopes(case)], out, progress, resume=True))])


def run_comments(sheet: Path, out: Path | None) -> str:
    """The comments of a sheet as a plan request; written to ``out`` when it is given, otherwise returned."""
    comments = read_comments(sheet)
    text = comments_toml(comments)
    if out is None:
        return text
    out.write_text(text, encoding="utf-8")
    pins = len(pins_of(comments))
    return f"{pins} pins and {len(comments) - pins} comments written to {out}. Next: sufficiency plan CASE --request {out}"


def _planned(case_folder: Path, plan_folder: Path, progress: Say | None) -> tuple[Plan, Case]:
    """A plan and the case as it was planned."""
    say = progress or (lambda _: None)
    say(f"Reading {plan_folder}")
    plan, case = read_exact_plan(plan_folder), as_planned(load_case(case_folder), plan_folder)
    known, now = plan.summary.get("inputs", {}), case_hashes(case_folder)
    changed = sorted(name for name in known if name in now and known[name] != now[name])
    if changed:
        remedy = "Plan the case again, or name the case folder that the plan was made from."
        raise InputError([InputProblem(str(plan_folder), f"made from another case: {', '.join(changed)} differ", remedy)])
    return plan, case


def _each_once(scopes: Sequence[Scope]) -> list[Scope]:
    """A case of one council needs one pack."""
    return list({scope.councils: scope for scope in reversed(scopes)}.values())[::-1]


def _said(folders: Sequence[Path]) -> str:
    return "\n".join(f"{folder / 'brief.pdf'}" for folder in folders) + f"\n{len(folders)} packs written."
