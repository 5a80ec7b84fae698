"""The command line: `sufficiency --help` teaches it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sufficiency.tables.problems import InputError, InputProblem

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which SEND and AP places should the capital programme buy, where, for whom, of what kind, and opening when?",
    epilog="A first run:  sufficiency plan out/case-fictional --out out/plan   (make plan does it all).",
)
case_app = typer.Typer(no_args_is_help=True, help="Build a case from published data, or check one.")
app.add_typer(case_app, name="case")
comments_app = typer.Typer(no_args_is_help=True, help="Read comments on projects.")
app.add_typer(comments_app, name="comments")

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder of published data (default: $SUFFICIENCY_DATA).", envvar="SUFFICIENCY_DATA")
]


@case_app.command("build")
def case_build(
    out: Annotated[Path, typer.Option(help="Case folder to write.")],
    data: DataOption = None,
    level: Annotated[str, typer.Option(help="Small areas: msoa (fast) or lsoa (fine).")] = "msoa",
    councils: Annotated[str | None, typer.Option(help='Names or codes, e.g. "Hampshire,Surrey".')] = None,
    region: Annotated[str | None, typer.Option(help='A region of England, e.g. "South East".')] = None,
    partnership: Annotated[
        str | None, typer.Option(help='A Change Programme Partnership, e.g. "South West", or a TOML file of your own.')
    ] = None,
    england: Annotated[bool, typer.Option("--england", help="All 153 councils.")] = False,
    programme: Annotated[str, typer.Option(help="hnpca-2022-25, hnpca-2021-25 or high-needs-2025-30.")] = "hnpca-2022-25",
    projects: Annotated[Path | None, typer.Option(help="Your own project list (CSV) in place of the generated candidates.")] = None,
    allocations: Annotated[
        Path | None, typer.Option(help="The published 'High needs provision capital allocations' (.ods) in place of the derived split.")
    ] = None,
) -> None:
    """Build a case from the publishers' files."""
    from sufficiency.build.build_case import build_case
    from sufficiency.case import save_case

    case = build_case(
        _folder(data),
        level=level,
        councils=councils.split(",") if councils else None,
        region=region,
        partnership=partnership,
        england=england,
        programme=programme,
        projects_file=projects,
        allocations_file=allocations,
        progress=_say,
    )
    save_case(case, out)
    typer.echo(_case_text(case))
    typer.echo(f"Written to {out}. Next: sufficiency plan {out} --out {out}-plan")


@case_app.command("check")
def case_check(case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")]) -> None:
    """Say all that is wrong with a case; exit 1 when anything makes a plan wrong."""
    from sufficiency.case import load_case
    from sufficiency.tables.checks import report_case

    case = load_case(case_folder)
    report = report_case(case)
    for result in report:
        typer.echo(f"{result.code}  {result.title:<62} {result.outcome}")
    for problem in report.problems:
        typer.echo(str(problem))
    typer.echo(_case_text(case))
    if report.errors:
        raise typer.Exit(1)


@app.command()
def plan(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder, e.g. out/case-fictional.")],
    out: Annotated[Path, typer.Option(help="Plan folder to write.")] = Path("out/plan"),
    gap: Annotated[float | None, typer.Option(help="Stop within this share of the least cost (default 0.01).")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Stop searching after so many seconds (default 600).")] = None,
    backend: Annotated[str | None, typer.Option(help="Solver of small cases: highs, ortools or pulp.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same plan.")] = None,
    years: Annotated[int | None, typer.Option(min=1, help="Plan only the first so many planning years.")] = None,
    request: Annotated[Path | None, typer.Option(help="TOML file with these settings and assumption overrides.")] = None,
    sensitivity: Annotated[
        bool | None,
        typer.Option("--sensitivity/--no-sensitivity", help="Show the saving at other displacement shares and horizons (default)."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Protected case: keep all figures in OUT/exact, for audit and further planning; must not leave.")
    ] = False,
    check_with: Annotated[
        str | None, typer.Option(help="ortools: have plan and bound checked by another solver; exit 1 when it disagrees.")
    ] = None,
    base: Annotated[Path | None, typer.Option(help="Folder of an earlier plan to start from: a small change is then planned fast.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep all projects of the earlier plan and add to them (monotone).")] = False,
) -> None:
    """Plan a case: which projects, where, for whom, when; audited and drawn on a map. Ctrl-C keeps the best plan so far."""
    from sufficiency.audit import audit_plan, without_figures, write_audit
    from sufficiency.case import case_hashes, load_case
    from sufficiency.outputs.folder import exact_copy, read_exact_plan, write_plan
    from sufficiency.outputs.map_page import PageNotBuiltError
    from sufficiency.outputs.summary import summary_text
    from sufficiency.request import PlanRequest, checked_request, read_request
    from sufficiency.tables.checks import report_case
    from sufficiency.workflow import plan_case

    given: dict[str, Any] = {
        "years": years,
        "gap": gap,
        "time_limit_s": time_limit,
        "backend": backend,
        "seed": seed,
        "sensitivity": sensitivity,
        "check_with": check_with,
    }
    given = {name: value for name, value in given.items() if value is not None}
    checked_request(given, "command line")
    asked = replace(read_request(request) if request else PlanRequest(), **given)
    _say(f"Reading {case_folder}")
    case = load_case(case_folder)
    errors = report_case(case).errors
    if errors:
        raise InputError(errors)
    if keep and base is None:
        raise InputError([InputProblem("command line", "--keep needs an earlier plan", "Name its folder: --base out/plan")])
    earlier = None if base is None else read_exact_plan(base)
    with _stoppable() as interrupted:
        found = plan_case(
            case,
            asked,
            inputs=case_hashes(case_folder),
            progress=_say,
            interrupted=interrupted,
            base=earlier,
            use_base="keep" if keep else "start",
        )
    planned, no_map = asked.applied_to(case), None
    try:
        write_plan(found, planned, out, _say, exact=exact)
    except PageNotBuiltError as error:  # all but the map is there, and worth its audit
        no_map = error
    _say("Auditing")
    if exact or case.disclosure == "open":
        report = audit_plan(planned, out, case_folder=case_folder)
    else:
        with exact_copy(found, planned) as copy:
            report = without_figures(audit_plan(planned, copy, case_folder=case_folder))
    write_audit(report, out)
    typer.echo(summary_text(found, planned, out))
    if not report.passed:
        for breach in report.breaches[:20]:
            typer.echo(f"AUDIT {breach.code} {breach.where}: {breach.message}", err=True)
    if no_map:
        typer.echo(f"error: {no_map}", err=True)
    disagrees = found.summary.get("check", {}).get("agrees") is False
    if no_map or disagrees or not report.passed:
        raise typer.Exit(1)


@app.command()
def robust(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    scenario: Annotated[list[str], typer.Option(help="Demand scenario and its probability, e.g. --scenario central=0.6; repeat.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("out/robust"),
    risk: Annotated[str, typer.Option(help="What is made least: expected, cvar (mean of worst) or regret.")] = "expected",
    tail: Annotated[float, typer.Option(min=0.01, max=1.0, help="cvar: share of the worst futures that counts.")] = 0.2,
    request: Annotated[Path | None, typer.Option(help="TOML file with settings, as for plan.")] = None,
) -> None:
    """One set of projects for several demand scenarios, and which of them every scenario would build. Ctrl-C keeps the best so far."""
    from sufficiency.analysis.commands import run_robust
    from sufficiency.request import PlanRequest, read_request

    try:
        scenarios = {name: float(share) for name, share in (text.split("=", 1) for text in scenario)}
    except ValueError as error:
        remedy = "E.g. --scenario central=0.6 --scenario low=0.2 --scenario high=0.2"
        raise InputError([InputProblem("command line", "a scenario is not NAME=PROBABILITY", remedy, value=" ".join(scenario))]) from error
    if risk not in {"expected", "cvar", "regret"}:
        raise InputError([InputProblem("command line", "no such risk", "One of expected, cvar, regret.", column="risk", value=risk)])
    asked = read_request(request) if request else PlanRequest()
    with _stoppable() as interrupted:
        typer.echo(run_robust(case_folder, asked, scenarios, risk, tail, out, _say, interrupted))


@app.command()
def frontier(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    over: Annotated[str, typer.Option(help="What is limited ever more tightly: travel, independent or unmet.")] = "travel",
    points: Annotated[int, typer.Option(min=2, max=20, help="Plans to make.")] = 5,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("out/frontier"),
    request: Annotated[Path | None, typer.Option(help="TOML file with settings, as for plan.")] = None,
) -> None:
    """The cheapest plan for every limit on travel, independent placements or unmet need. Ctrl-C keeps the plans so far."""
    from sufficiency.analysis.commands import run_frontier
    from sufficiency.request import PlanRequest, read_request

    if over not in {"travel", "independent", "unmet"}:
        raise InputError([InputProblem("command line", "can't be limited", "travel, independent or unmet.", column="over", value=over)])
    asked = read_request(request) if request else PlanRequest()
    with _stoppable() as interrupted:
        typer.echo(run_frontier(case_folder, asked, over, points, out, _say, interrupted))


@app.command()
def explain(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    plan_folder: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("out/explain"),
    extra: Annotated[float, typer.Option(min=1.0, help="More capital whose worth is asked for, GBP.")] = 1_000_000.0,
    year: Annotated[str | None, typer.Option(help="Financial year in which it comes; without it every year with money.")] = None,
    who: Annotated[
        list[str] | None,
        typer.Option("--for", help="Council (code or name), partnership or region to plan again with the money; repeat. Else the dearest."),
    ] = None,
    again: Annotated[int, typer.Option(min=0, help="Without --for: how many of those with the highest dual are planned again.")] = 3,
    candidates: Annotated[int, typer.Option(min=0, help="How many projects that were left out are added to the plan in turn.")] = 20,
    within: Annotated[float, typer.Option(min=0.0, help="Alternatives within this share of the plan's cost.")] = 0.01,
    most: Annotated[int, typer.Option(min=0, help="How many projects to leave out in turn.")] = 5,
) -> None:
    """What another million would buy, what was not chosen, who waits and why, and plans nearly as good. Ctrl-C keeps what is finished."""
    from sufficiency.analysis.commands import run_explain

    with _stoppable() as interrupted:
        answer = run_explain(
            case_folder,
            plan_folder,
            out,
            extra,
            year,
            within,
            most,
            _say,
            who=who or (),
            again=again,
            candidates=candidates,
            interrupted=interrupted,
        )
    typer.echo(answer)


@app.command()
def audit(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    plan_folder: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder.")],
) -> None:
    """Recompute every figure and limit of a plan from the case alone; exit 1 on any breach."""
    from sufficiency.audit import audit_plan, write_audit
    from sufficiency.case import load_case
    from sufficiency.workflow import as_planned

    report = audit_plan(as_planned(load_case(case_folder), plan_folder), plan_folder, _say, case_folder)
    write_audit(report, plan_folder)
    for breach in report.breaches:
        typer.echo(f"{breach.code} {breach.where}: {breach.message}")
    typer.echo("The audit found no breach." if report.passed else f"{len(report.breaches)} breaches.")
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="PLAN_A")],
    second: Annotated[Path, typer.Argument(metavar="PLAN_B")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two plans: money, pupils, minutes, and the projects that differ."""
    from sufficiency.compare import compare_plans, comparison_text
    from sufficiency.outputs.folder import read_plan

    comparison = compare_plans(read_plan(first), read_plan(second))
    typer.echo(json.dumps(comparison, indent=1) if as_json else comparison_text(comparison))


@app.command()
def forecast(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    data: DataOption = None,
    origin: Annotated[int, typer.Option(help="January of the last data used.")] = 2025,
    years: Annotated[int, typer.Option(help="Years ahead.")] = 10,
    draws: Annotated[int, typer.Option(help="Random draws behind the ranges.")] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same draws.")] = 1,
    lever: Annotated[list[str] | None, typer.Option(help="A shipped lever or a TOML file; may be repeated.")] = None,
    charts: Annotated[str | None, typer.Option(help='Councils to draw, e.g. "Kent,Medway"; none = "", all by default.')] = None,
) -> None:
    """Forecast pupils with EHC plans by council, phase, need and placement, with ranges."""
    from sufficiency.demand.commands import run_forecast

    chosen = None if charts is None else [name for name in charts.split(",") if name]
    typer.echo(run_forecast(_folder(data), out, origin, years, draws, seed, lever or (), chosen, _say).text)


@app.command()
def backtest(out: Annotated[Path, typer.Option(help="Folder to write.")], data: DataOption = None) -> None:
    """Score the forecast on past years against simple rules."""
    from sufficiency.demand.commands import run_backtest

    typer.echo(run_backtest(_folder(data), out, _say).text)


@app.command("own-rates")
def own_rates(
    returns: Annotated[list[Path], typer.Argument(help="Two or more SEN2 returns: folders of CSV modules, or XML files.")],
    key_file: Annotated[Path, typer.Option(help="File with the secret key that replaces UPNs.")],
    postcodes: Annotated[Path, typer.Option(help="Postcode to LSOA lookup (CSV).")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    data: DataOption = None,
) -> None:
    """A council's own transition rates and placements from its SEN2 returns. Nothing about a person is kept."""
    from sufficiency.demand.commands import run_own_rates

    typer.echo(run_own_rates(returns, key_file, postcodes, _folder(data), out, _say).text)


@app.command()
def travel(
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    areas: Annotated[Path | None, typer.Option(help="CSV: id, easting_m, northing_m (optional lsoa21_code).")] = None,
    sites: Annotated[Path | None, typer.Option(help="CSV: id, easting_m, northing_m.")] = None,
    case: Annotated[Path | None, typer.Option(help="Case folder, in place of areas and sites.")] = None,
    roads: Annotated[
        Path | None, typer.Option(help="OpenStreetMap .osm.pbf or OS Open Roads .gpkg; without it times are estimated.")
    ] = None,
    limit_min: Annotated[float, typer.Option(help="Longest journey, minutes one way.")] = 75.0,
    landmarks: Annotated[Path | None, typer.Option(help="Folder or file of known minutes to landmarks.")] = None,
    speeds: Annotated[str, typer.Option(help="Speed variant: school_run or free_flow.")] = "school_run",
    workers: Annotated[int, typer.Option(help="Worker processes.")] = os.cpu_count() or 1,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps finished parts, so that a stopped run goes on.")] = None,
    dask: Annotated[
        str | None, typer.Option(help="local, or the address of a Dask scheduler (tcp://host:8786) whose workers see the cache folder.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Journeys from areas to sites, minutes and km one way."""
    from sufficiency.case import load_case
    from sufficiency.travel_command import TravelOptions, make_travel, points_of_case, points_of_files

    if case is not None:
        points = points_of_case(load_case(case))
    elif areas is not None and sites is not None:
        points = points_of_files(areas, sites)
    else:
        raise InputError([InputProblem("travel", "no points given", "Give --case, or --areas and --sites.")])
    how = TravelOptions(roads=roads, speeds=speeds, landmarks=landmarks, data=data, cache=cache, workers=workers, dask=dask)
    report = make_travel(*points, out, limit_min, how, _say)
    size = f"{report.pairs:,} journeys of {report.areas:,} areas to {report.sites:,} sites within {report.limit_min:g} minutes"
    typer.echo(f"{size}: {report.method}")
    for method, error in report.mean_error_min.items():
        typer.echo(f"  mean error under 60 km, {method}: {error:.1f} minutes")
    if report.far_points:
        typer.echo(f"  {len(report.far_points)} points are more than 1 km from a road or have none: see {out}.json")


@app.command()
def pack(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    plan_folder: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write the packs into, one folder each.")] = Path("out/pack"),
    council: Annotated[list[str] | None, typer.Option(help="Only this council (code or name); may be repeated.")] = None,
    partnership: Annotated[str | None, typer.Option(help='Only this partnership and its councils, e.g. "South West".')] = None,
) -> None:
    """The meeting pack: printed brief, workbook, maps, annexes and papers for families, per council and for all together."""
    from sufficiency.outputs.pack.command import run_pack

    typer.echo(run_pack(case_folder, plan_folder, out, council or (), partnership, _say))


@app.command()
def packs(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder of England.")],
    plan_folder: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write the packs into, one folder each.")] = Path("out/packs"),
) -> None:
    """Meeting packs of all partnerships and regions. A stopped run goes on where it was."""
    from sufficiency.outputs.pack.command import run_packs

    typer.echo(run_packs(case_folder, plan_folder, out, _say))


@comments_app.command("read")
def comments_read(
    sheet: Annotated[Path, typer.Argument(metavar="FILE", help="Comments sheet of a pack, filled in (.xlsx or .csv).")],
    out: Annotated[Path | None, typer.Option(help="TOML file to write for `sufficiency plan --request`; printed without it.")] = None,
) -> None:
    """Turn a comments sheet into pins with author and date."""
    from sufficiency.outputs.pack.command import run_comments

    typer.echo(run_comments(sheet, out))


@app.command()
def journeys(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    plan: Annotated[Path | None, typer.Option(help="Plan folder: journeys of its placements, in place of the base January's.")] = None,
    year: Annotated[str | None, typer.Option(help="Planning year of the plan, e.g. 2025/26 (default: the last).")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="CSV of councils' own figures: council_code, name, key, value, source. The output lists the names.")
    ] = None,
) -> None:
    """Home to school journeys: who is eligible and why, who shares a vehicle, what it costs and emits.

    By area, site, need and phase: statutory distance, low income, time limit, wheelchair, assistant, sharing along corridors, boarding.
    """
    from sufficiency.case import load_case
    from sufficiency.journey_report import journey_text, write_journeys

    case = _planned(load_case(case_folder), plan)
    typer.echo(journey_text(write_journeys(case, out, plan, figures, year), case))
    typer.echo(f"Written to {out}: journeys.csv, journey_totals.csv, journey_assumptions.csv.")


@app.command()
def access(
    case_folder: Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    plan: Annotated[Path | None, typer.Option(help="Plan folder: access before and after it. Without it, access today.")] = None,
    year: Annotated[str | None, typer.Option(help="Planning year of the plan, e.g. 2025/26 (default: the last).")] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="Site whose catchment to draw; may be repeated (default: where the plan builds, else all).")
    ] = None,
    roads: Annotated[Path | None, typer.Option(help="Road file (.osm.pbf or .gpkg): draws catchments by road, not by areas.")] = None,
    speeds: Annotated[str, typer.Option(help="Speed variant of the roads: school_run or free_flow.")] = "school_run",
) -> None:
    """Share of pupils within 20, 45 and 75 minutes of a suitable place, before and after a plan, and catchments of sites.

    Writes access_shares.csv (by council and need) and access.gpkg (layers areas, councils, catchments) for QGIS.
    """
    from sufficiency.access_report import access_text, write_access
    from sufficiency.case import load_case

    case = _planned(load_case(case_folder), plan)
    typer.echo(access_text(write_access(case, out, plan, year, site or (), roads, speeds, _say)))
    typer.echo(f"Written to {out}: access_shares.csv, access.gpkg.")


def _planned(case: Any, plan_folder: Path | None) -> Any:
    """The case with the years and assumptions of the plan, where there is one."""
    if plan_folder is None:
        return case
    from sufficiency.workflow import as_planned

    return as_planned(case, plan_folder)


def _case_text(case: Any) -> str:
    """A case and its baseline in a few lines."""
    placed = case.placements["pupils"].sum()
    lines = [
        f"{case.name}: {len(case.councils)} councils, {len(case.areas):,} areas ({case.level}), {len(case.settings):,} settings,"
        f" {len(case.pools):,} pools, {len(case.projects):,} candidate projects, {len(case.travel):,} journeys",
        f"Base January {case.base_january}: {placed:,.0f} placed pupils in the case;"
        f" planning years {case.academic_years[0]} to {case.academic_years[-1]};"
        f" GBP {case.funds['amount_gbp'].sum() / 1e6:,.1f}m of capital ({case.programme})",
    ]
    for kind, totals in case.totals.items():
        england = totals.get("England")
        if england:
            shown = ", ".join(f"{name.replace('_', ' ')} {value:,.0f}" for name, value in england.items() if value is not None)
            lines.append(f"England, {kind}: {shown}")
    return "\n".join(lines)


def _folder(data: Path | None) -> Path:
    if data is None:
        raise InputError([InputProblem("--data", "no folder of published data", "Give --data DIR or set SUFFICIENCY_DATA.")])
    if not data.is_dir():
        raise InputError([InputProblem("--data", "no such folder", "Give the folder of published data.", value=str(data))])
    return data


_BEGAN = time.monotonic()


def _say(text: str) -> None:
    """Progress to the error stream, so that the result stays clean."""
    typer.echo(f"[{time.monotonic() - _BEGAN:6.1f} s] {text}", err=True)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C asks for the best plan so far, the second stops at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        _say("Stopping with the best plan so far; Ctrl-C again stops at once.")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


STOPPED = 130
"""Exit code after Ctrl-C, which the command line's library may catch before we do."""


def main() -> None:
    """Run the command line; one clear message and a non-zero exit on failure."""
    try:
        ended = app(standalone_mode=False)
    except InputError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        ended = STOPPED
    except Exception as error:
        shown = getattr(error, "show", None)
        if callable(shown):  # a wrong option: the message of the command line itself
            shown()
            sys.exit(2)
        raise
    if ended == STOPPED:
        typer.echo("Stopped; nothing was written.", err=True)
    sys.exit(ended if isinstance(ended, int) else 0)
