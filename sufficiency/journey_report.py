"""The journeys of a case, or of a plan, as tables: who is carried, in what, at what cost and with how much carbon."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.case import Case
from sufficiency.corridors import case_sites
from sufficiency.journeys import JourneyAssumptions, cost_journeys, read_journey_assumptions
from sufficiency.outputs.csvw import write_table
from sufficiency.outputs.folder import read_plan
from sufficiency.plan import PlanTables
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.report_schemas import REPORT_SCHEMAS
from sufficiency.terms import INDEPENDENT_KINDS

GROUP = ["area_id", "site_id", "need_group", "phase"]
BOARDING_KINDS = INDEPENDENT_KINDS - {"unlocated_ap"}


@dataclass(frozen=True)
class JourneyReport:
    """Tables by the schemas ``journeys``, ``journey_totals`` and ``journey_assumptions``."""

    academic_year: str
    journeys: pd.DataFrame
    totals: pd.DataFrame
    figures: pd.DataFrame


def journey_report(case: Case, plan: PlanTables | None = None, own_figures: Path | None = None, year: str | None = None) -> JourneyReport:
    """Journeys of the base January's placements, or of a plan's in one planning year (by default the last).

    ``own_figures``: what councils replace (``read_journey_assumptions``). Raises InputError for bad figures, a year that is not planned,
    and a protected case: rows this small must not be written.
    """
    refuse_protected(case, "journeys")
    figures = read_journey_assumptions(own_figures, case.assumptions)
    placed, academic_year = _placed(case, plan, year)
    journeys = _with_journeys(case, placed, figures)
    sites = pd.concat([case_sites(case), pd.DataFrame({"site_id": journeys["site_id"].unique()})]).drop_duplicates("site_id")
    areas = pd.DataFrame(case.areas.drop(columns="geometry"))
    costed = cost_journeys(journeys, areas, sites, figures).merge(areas[["area_id", "council_code"]], on="area_id", validate="many_to_one")
    return JourneyReport(
        academic_year,
        _shaped("journeys", costed.sort_values(GROUP)),
        _shaped("journey_totals", _totals(costed).assign(academic_year=academic_year)),
        _shaped("journey_assumptions", _figures(figures)),
    )


def write_journeys(
    case: Case, out: Path, plan_folder: Path | None = None, own_figures: Path | None = None, year: str | None = None
) -> JourneyReport:
    """Write the three tables as CSV with their metadata into ``out``; InputError as ``journey_report``."""
    report = journey_report(case, read_plan(plan_folder).plan if plan_folder else None, own_figures, year)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in (("journeys", report.journeys), ("journey_totals", report.totals), ("journey_assumptions", report.figures)):
        write_table(table, name, out, case)
    return report


def journey_text(report: JourneyReport, case: Case) -> str:
    """The totals by council in a few lines."""
    names = case.councils.set_index("council_code")["council_name"]
    widths = {"pupils": 9, "carried": 9, "boarders": 9, "beyond_limit": 13, "vehicles": 9, "cost_gbp": 12, "co2e_tonnes": 12}
    sums = report.totals.groupby("council_code")[list(widths)].sum()
    heading = f"{'council':30}" + "".join(f"{name.replace('_', ' '):>{width}}" for name, width in widths.items())
    rows = [
        f"{names.get(code, code)[:30]:30}" + "".join(f"{row[name]:{width},.0f}" for name, width in widths.items())
        for code, row in sums.iterrows()
    ]
    return "\n".join([f"Journeys of {report.academic_year}; costs and emissions of a year", heading, *rows])


def refuse_protected(case: Case, what: str) -> None:
    """Raises InputError for a case that rests on records of persons: its small counts stay where the plan folder's rules hold them."""
    if case.disclosure == "protected":
        remedy = "Use travel.csv and access.csv of the plan folder, which show what may be shown."
        raise InputError([InputProblem(what, "the case rests on records of persons", remedy, column="disclosure", value=case.disclosure)])


def planned_year(case: Case, year: str | None) -> str:
    """The year asked for, else the last one planned. Raises InputError for any other."""
    if year is not None and year not in case.academic_years:
        remedy = f"One of {', '.join(case.academic_years)}."
        raise InputError([InputProblem("--year", "no such planning year", remedy, value=year)])
    return year or case.academic_years[-1]


def _placed(case: Case, plan: PlanTables | None, year: str | None) -> tuple[pd.DataFrame, str]:
    """Placed pupils with site and kind, and the academic year in which they are there."""
    if plan is None:
        if year is not None:
            raise InputError([InputProblem("--year", "a year needs a plan", "Give --plan DIR, or leave --year out.", value=year)])
        pools = case.pools.merge(case.settings[["setting_id", "kind"]], on="setting_id", validate="many_to_one")
        placed, chosen = case.placements, case.base_year
    else:
        chosen = planned_year(case, year)
        pools = plan.places.drop_duplicates("pool_id")
        placed = plan.placements[plan.placements["academic_year"] == chosen]
    about = pools[["pool_id", "setting_id", "kind"]].rename(columns={"setting_id": "site_id"})
    table = placed.merge(about, on="pool_id", how="left", validate="many_to_one")
    lost = table.loc[table["site_id"].isna(), "pool_id"].unique()
    if len(lost):
        raise KeyError(f"pools that hold pupils but are not known: {', '.join(lost[:10])}")
    return table.groupby([*GROUP, "kind"], as_index=False)["pupils"].sum().query("pupils > 0"), chosen


def _with_journeys(case: Case, placed: pd.DataFrame, figures: JourneyAssumptions) -> pd.DataFrame:
    """Minutes, km and who boards. Places off the map, and pairs that the travel table lacks, are as far as the council's unlocated ones."""
    table = placed.merge(
        case.travel[["area_id", "site_id", "minutes", "km"]], on=["area_id", "site_id"], how="left", validate="many_to_one"
    )
    table["council_code"] = table["area_id"].map(case.areas.set_index("area_id")["council_code"])
    far = case.councils.set_index("council_code")
    at_home = table["kind"] == "unlocated_ap"
    for name, mean in (("minutes", "unlocated_minutes"), ("km", "unlocated_km")):
        table[name] = np.where(at_home, 0.0, table[name].fillna(table["council_code"].map(far[mean])).astype(float))
    board = table["minutes"] > figures.value("boarding", "from_min", table["council_code"])
    table["boards"] = board & table["kind"].isin(BOARDING_KINDS)
    # pools of several kinds at one site share its journeys
    return table.groupby(GROUP, as_index=False).agg(
        pupils=("pupils", "sum"), minutes=("minutes", "first"), km=("km", "first"), boards=("boards", "max")
    )


def _totals(costed: pd.DataFrame) -> pd.DataFrame:
    pupils, day = costed["pupils"], ~costed["boards"]
    carried = pupils * costed["carried_share"]
    columns = {
        "pupils": pupils,
        "eligible": pupils * costed["eligible_share"],
        "carried": carried,
        "boarders": pupils * costed["boards"],
        "beyond_limit": pupils * (day & ~costed["within_limit"]),
        "vehicles": carried * day / costed["riders"],
        "mean_miles": pupils * costed["miles"],
        "cost_gbp": pupils * costed["cost_gbp_per_pupil_per_year"],
        "co2e_tonnes": carried * costed["co2e_kg_per_carried_pupil_per_year"] / 1_000,
    }
    keys = [costed[name] for name in ("council_code", "need_group", "phase")]
    sums: pd.DataFrame = pd.DataFrame(columns).groupby(keys).sum().reset_index()
    return sums.assign(mean_miles=sums["mean_miles"] / sums["pupils"])


def _figures(figures: JourneyAssumptions) -> pd.DataFrame:
    own = figures.by_council.merge(figures.figures[["name", "key", "unit", "year"]], on=["name", "key"], how="left", validate="many_to_one")
    everywhere = figures.figures.sort_values(["name", "key"], kind="stable").assign(council_code=None)
    return pd.concat([everywhere, own.assign(status="own", source=own["source"].fillna("The council's own figure"))], ignore_index=True)


def _shaped(name: str, table: pd.DataFrame) -> pd.DataFrame:
    schema = REPORT_SCHEMAS[name].to_schema()
    validated: pd.DataFrame = schema.validate(table[list(schema.columns)].reset_index(drop=True))
    return validated
