"""Demand: does it agree with what is published, is it plausible from year to year, and may it be shown?"""

from __future__ import annotations

from typing import Final

import pandas as pd

from sufficiency.case import file_of
from sufficiency.tables.checks.evidence import PUPIL_COLUMNS, Evidence, Findings, NotRun, largest, records
from sufficiency.tables.problems import InputProblem
from sufficiency.terms import start_of

FIRST_YEAR_OF_DS: Final = 2024
"""Down syndrome became a need code with the SEN2 return of January 2025, academic year 2024/25."""
LARGEST_STEP: Final = 0.25
SMALLEST_STEP_PUPILS: Final = 10.0
"""Smaller changes are not flagged, for a few pupils are a large share of a small council's rare needs."""


def need_codes_of_their_time(evidence: Evidence) -> Findings:
    """V05: DS counts pupils only from 2024/25; before, other codes absorb them. (The set of codes is the schema's.)"""
    pupils = evidence.case.pupils
    early = {year for year in pupils["academic_year"].unique() if start_of(year) < FIRST_YEAR_OF_DS}
    broken = (pupils["need"] == "DS") & pupils["academic_year"].isin(early) & pupils["status"].isin(["published", "observed"])
    broken &= pupils[list(PUPIL_COLUMNS)].sum(axis="columns") > 0
    message, remedy = "Down syndrome was no need code in this year", "Use the code of the return (MLD, SLD or OTH)."
    yield from evidence.problems("pupils", broken, message, remedy, "academic_year", level="warning")


def totals_reconcile(evidence: Evidence) -> Findings:
    """V10: EHC plans of the base year by council agree with the published totals (as completed) within 1 %."""
    case = evidence.case
    published = evidence.references.published_totals or _plans(case.totals.get("published", {}))
    completed = evidence.references.published_totals or _plans(case.totals.get("completed", {})) or published
    if not published:
        yield NotRun("published totals by council")
        return
    for row in records(_plans_by_council(evidence, [case.base_year])):
        council, plans, expected = row["council_code"], row["plans"], completed.get(row["council_code"])
        if expected is None:
            message, remedy = "no published total for this council", "Add it, to reconcile demand."
            yield InputProblem("case.json", message, remedy, value=council, level="warning")
        elif abs(plans - expected) > 0.01 * expected:
            message = f"EHC plans of {case.base_year} ({row['scenario']}) are {plans:,.1f}, the total is {expected:,.1f}"
            remedy = "Scale the pupils to the total, or correct the total."
            yield InputProblem(file_of("pupils"), message, remedy, column="pupils_placed", value=council)
    for council, plans in sorted(published.items()):
        if council in completed and abs(completed[council] - plans) > 0.01 * completed[council]:
            message = f"the published total is {plans:,.0f}; it was completed to {completed[council]:,.0f}"
            yield InputProblem("case.json", message, "Replace the estimate by the council's own return.", value=council, level="warning")


def steps_plausible(evidence: Evidence) -> Findings:
    """V24: placed pupils by council and need change by no more than 25 % from one year to the next (in steps of 10 pupils or more)."""
    keys = ["scenario", "council_code", "need"]
    years = {evidence.case.base_year, *evidence.case.academic_years}
    known = evidence.demand[evidence.demand["academic_year"].isin(years)]
    table = known.groupby([*keys, "academic_year"], observed=True)["pupils"].sum().reset_index()
    table = table.astype({"academic_year": "str"}).sort_values([*keys, "academic_year"], ignore_index=True)
    table["before"] = table.groupby(keys, observed=True)["pupils"].shift()
    table["step"] = table["pupils"] - table["before"]
    jumps = table[(table["step"].abs() > LARGEST_STEP * table["before"]) & (table["step"].abs() >= SMALLEST_STEP_PUPILS)]
    for row in records(largest(jumps, "step")):
        yield InputProblem(
            file_of("pupils"),
            f"placed pupils change from {row['before']:,.0f} to {row['pupils']:,.0f} in {row['academic_year']} ({row['scenario']})",
            f"Check the forecast; {len(jumps)} steps exceed 25 %.",
            column="pupils_placed",
            value=f"{row['council_code']}, {row['need']}",
            level="warning",
        )


def phases_add_up(evidence: Evidence) -> Findings:
    """V25: EHC plans over all phases agree with the council's own forecast total within 1 %."""
    forecast = evidence.references.forecast_totals
    if forecast is None:
        yield NotRun("forecast totals by council")
        return
    keys = ["scenario", "council_code", "academic_year"]
    here = _plans_by_council(evidence, sorted(set(forecast["academic_year"])))
    both = forecast.merge(here, on=keys, how="left").fillna({"plans": 0.0})
    for row in records(both[(both["plans"] - both["ehc_plans"]).abs() > 0.01 * both["ehc_plans"]]):
        yield InputProblem(
            file_of("pupils"),
            f"phases add up to {row['plans']:,.1f} EHC plans in {row['academic_year']} ({row['scenario']}), "
            f"the forecast total is {row['ehc_plans']:,.1f}",
            "Scale the phases to the total.",
            column="phase",
            value=row["council_code"],
        )


def probabilities_add_up(evidence: Evidence) -> Findings:
    """V26: scenario probabilities lie from 0 to 1, sum to 1 and belong to scenarios of the case."""
    probabilities = evidence.references.scenario_probabilities
    if probabilities is None:
        yield NotRun("scenario probabilities")
        return
    known = set(evidence.case.pupils["scenario"].unique())
    for scenario, probability in probabilities.items():
        if scenario not in known:
            yield InputProblem(
                "scenario probabilities", "is no scenario of the case", f"Known: {', '.join(sorted(known))}.", value=scenario
            )
        if not 0 <= probability <= 1:
            yield InputProblem("scenario probabilities", "must be from 0 to 1", "Correct it.", column=scenario, value=str(probability))
    total = sum(probabilities.values())
    if abs(total - 1) > 1e-6:
        yield InputProblem("scenario probabilities", "do not sum to 1", "Correct them.", value=f"{total:g}")


def small_numbers_flagged(evidence: Evidence) -> Findings:
    """V27: cells of 1 to 4 pupils that were counted from people are protected before anything is exported."""
    case = evidence.case
    for name, columns in (("pupils", PUPIL_COLUMNS), ("placements", ("pupils",))):
        table = getattr(case, name)
        counted = pd.Series(True, index=table.index) if case.disclosure == "protected" else table["status"] == "observed"
        small = sum(int(((table[column] > 0) & (table[column] < 5) & counted).sum()) for column in columns)
        if not small:
            continue
        if case.disclosure == "protected":
            message, remedy = f"{small:,} cells are above 0 and below 5", "Share results of this case only as suppressed totals."
        else:
            message, remedy = (
                f"{small:,} observed cells are above 0 and below 5 in a case marked open",
                'Set disclosure = "protected" in case.toml.',
            )
        yield InputProblem(file_of(name), message, remedy, level="warning")


def _plans(totals: dict[str, dict[str, float | None]]) -> dict[str, float]:
    """EHC plans by council of the case's totals, without England and without councils that returned none."""
    plans = {council: counts.get("ehc_plans") for council, counts in totals.items() if council != "England"}
    return {council: float(count) for council, count in plans.items() if count is not None}


def _plans_by_council(evidence: Evidence, years: list[str]) -> pd.DataFrame:
    """Columns scenario, council_code, academic_year, plans: pupils with an EHC plan wherever they are taught."""
    pupils, demand = evidence.case.pupils, evidence.demand
    rows = ((demand["stream"] == "ehcp") & demand["academic_year"].isin(years)).to_numpy()
    keys = ["scenario", "council_code", "academic_year"]
    plans = demand.loc[rows, keys].assign(plans=pupils.loc[rows, list(PUPIL_COLUMNS)].sum(axis="columns"))
    return plans.groupby(keys, observed=True)["plans"].sum().reset_index().astype(dict.fromkeys(keys, "str"))
