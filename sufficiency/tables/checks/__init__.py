"""Checks of a whole case, across its tables: what passed, what failed, and what could not be checked for want of a table.

An error makes a plan wrong; a warning is for the planner to look at. Checks V01 to V32 are numbered as planners' data checks
commonly are in the documentation of this project; T01 to T11 say that the tables fit together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from sufficiency.case import Case
from sufficiency.tables.checks import demand, joins, money, persons, places, programme, reach
from sufficiency.tables.checks.evidence import Evidence, Findings, NotRun, References
from sufficiency.tables.problems import InputProblem

__all__ = ["CHECKS", "CheckReport", "CheckResult", "Evidence", "References", "check_case", "report_case", "run_check"]


@dataclass(frozen=True)
class CheckResult:
    """What one check found."""

    code: str
    title: str
    problems: tuple[InputProblem, ...]
    not_run: tuple[NotRun, ...]

    @property
    def outcome(self) -> str:
        """``passed``, ``n problems`` or ``not run: needs X``; parts that could not be checked are added."""
        if any(not part for _, part in self.not_run):
            return f"not run: needs {'; '.join(needs for needs, _ in self.not_run)}"
        count = len(self.problems)
        found = f"{count} problem{'s' if count > 1 else ''}" if count else "passed"
        parts = [f"{part} not run: needs {needs}" for needs, part in self.not_run]
        return "; ".join([found, *parts])


@dataclass(frozen=True)
class CheckReport:
    """The outcome of every check, in the order of CHECKS."""

    results: tuple[CheckResult, ...]

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.results)

    def __getitem__(self, code: str) -> CheckResult:
        return next(result for result in self.results if result.code == code)

    @property
    def problems(self) -> list[InputProblem]:
        """All problems, errors first."""
        found = [problem for result in self.results for problem in result.problems]
        return sorted(found, key=lambda problem: problem.level != "error")

    @property
    def errors(self) -> list[InputProblem]:
        """The problems that make a plan wrong."""
        return [problem for problem in self.problems if problem.level == "error"]


CHECKS: Final[tuple[tuple[str, str, Callable[[Evidence], Findings]], ...]] = (
    ("T01", "Every id is found where it points", joins.ids_join),
    ("T02", "Planning years are complete", joins.years_complete),
    ("T03", "Streams and needs fit", joins.streams_fit_needs),
    ("T04", "Placements add up to placed pupils", joins.placements_add_up),
    ("T05", "Placements and suitability fit designations", joins.designations_fit),
    ("T06", "Settings on the map have coordinates", joins.locations_fit),
    ("T07", "Projects and pools fit", joins.projects_fit_pools),
    ("T08", "Projects are possible as stated", programme.projects_are_possible),
    ("T09", "Money can move as stated", programme.money_can_move),
    ("T10", "Agreements, reductions and blocks fit", programme.agreements_fit),
    ("T11", "Pins can be kept", programme.pins_can_be_kept),
    ("V01", "URNs are in the register, open or proposed", places.register_knows),
    ("V02", "Postcodes lead to areas", persons.postcodes_resolve),
    ("V03", "Coordinates lie in England, near the postcode", places.inside_england),
    ("V04", "Council codes are current", places.council_codes_current),
    ("V05", "Need codes are of their time", demand.need_codes_of_their_time),
    ("V06", "One primary need per person", persons.one_primary_need),
    ("V07", "Phases fit statutory ages", places.ages_fit),
    ("V08", "One current placement per person", persons.one_current_placement),
    ("V09", "Units and resourced provisions are known to the register", places.bases_known),
    ("V10", "EHC plans reconcile with published totals", demand.totals_reconcile),
    ("V11", "Pools with pupils have places; occupancy is plausible", places.occupancy_plausible),
    ("V12", "Places of pools add up to the setting", places.pools_add_up),
    ("V13", "Special places agree with the school capacity survey", places.capacity_survey_agrees),
    ("V14", "Units and resourced provisions are not over-full", places.bases_not_overfull),
    ("V15", "Costs are GBP per year", money.costs_per_year),
    ("V16", "One price base", money.one_price_base),
    ("V17", "Spend profiles sum to 1", money.profiles_sum_to_one),
    ("V18", "Projects can open in time", money.openings_in_time),
    ("V19", "Prerequisites and exclusive groups are consistent", money.logic_consistent),
    ("V20", "Sizes are whole modules", money.modules_divide),
    ("V21", "Budgets sum to allocations", money.budgets_sum),
    ("V22", "Every project has a payer", money.every_project_has_a_payer),
    ("V23", "Journeys are complete and plausible", reach.travel_complete),
    ("V24", "Demand changes by no more than 25 % a year", demand.steps_plausible),
    ("V25", "Phases sum to the forecast total", demand.phases_add_up),
    ("V26", "Scenario probabilities sum to 1", demand.probabilities_add_up),
    ("V27", "Small numbers are flagged", demand.small_numbers_flagged),
    ("V28", "No person twice", persons.persons_unique),
    ("V29", "Pupils at closing sites are followed", places.closing_places_followed),
    ("V30", "0 and blank are told apart", places.zero_is_meant),
    ("V31", "Demand lies within reach", reach.demand_within_reach),
    ("V32", "Commitments can be paid", money.commitments_affordable),
)
"""Code, title and function of every check."""


def report_case(case: Case, references: References | None = None) -> CheckReport:
    """Every check with its outcome; one that needs a reference table which is not given says so."""
    evidence = Evidence(case, references or References())
    return CheckReport(tuple(run_check(code, title, check, evidence) for code, title, check in CHECKS))


def check_case(case: Case, references: References | None = None) -> list[InputProblem]:
    """All problems of a case, errors first. Empty when every check that could be run has passed."""
    return report_case(case, references).problems


def run_check(code: str, title: str, check: Callable[[Evidence], Findings], evidence: Evidence) -> CheckResult:
    """One check of CHECKS; its problems bear its code."""
    found = list(check(evidence))
    problems = tuple(replace(problem, check=code) for problem in found if isinstance(problem, InputProblem))
    return CheckResult(code, title, problems, tuple(part for part in found if isinstance(part, NotRun)))
