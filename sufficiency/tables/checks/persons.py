"""The person-level return, looked at before it is counted. Rows are named by number only, never by value."""

from __future__ import annotations

import pandas as pd

from sufficiency.tables.checks.evidence import Evidence, Findings, NotRun
from sufficiency.tables.checks.places import POSTCODES, tidy_postcode
from sufficiency.tables.problems import InputProblem, problems_at_rows

SEN2 = "the person-level SEN2 return"


def postcodes_resolve(evidence: Evidence) -> Findings:
    """V02: postcodes of residence lead to an LSOA; more than 2 % that do not is an error."""
    persons, postcodes = evidence.references.persons, evidence.references.postcodes
    if persons is None or postcodes is None:
        missing = [name for name, table in ((SEN2, persons), (POSTCODES, postcodes)) if table is None]
        yield NotRun(" and ".join(missing))
        return
    lost = ~tidy_postcode(persons["postcode"]).isin(set(tidy_postcode(postcodes["postcode"])))
    if lost.any():
        level = "error" if lost.mean() > 0.02 else "warning"
        message = f"{int(lost.sum()):,} of {len(persons):,} postcodes ({lost.mean():.1%}) lead to no area"
        yield InputProblem("persons", message, "Correct them, or use a newer lookup.", column="postcode", level=level)


def one_primary_need(evidence: Evidence) -> Findings:
    """V06: each person has exactly one need of rank 1."""
    needs = evidence.references.person_needs
    if needs is None:
        yield NotRun(SEN2)
        return
    primary = needs[needs["rank"] == 1].groupby("person_id").size().reindex(needs["person_id"].unique(), fill_value=0)
    wrong = needs["person_id"].isin(primary.index[primary != 1]) & ~needs.duplicated("person_id")
    message, remedy = "the person does not have exactly one need of rank 1", "Correct the ranks."
    yield from problems_at_rows("person needs", _rows(wrong), None, message, remedy, column="rank")


def one_current_placement(evidence: Evidence) -> Findings:
    """V08: a placement ends no earlier than it begins, and each person has exactly one current placement of rank 1."""
    placements = evidence.references.person_placements
    if placements is None:
        yield NotRun(SEN2)
        return
    entry, leaving = pd.to_datetime(placements["entry_date"]), pd.to_datetime(placements["leaving_date"])
    message, remedy = "leaving date lies before the entry date", "Correct the dates."
    yield from problems_at_rows("person placements", _rows(leaving < entry), None, message, remedy, column="leaving_date")
    current = placements[(placements["rank"] == 1) & leaving.isna()].groupby("person_id").size()
    current = current.reindex(placements["person_id"].unique(), fill_value=0)
    wrong = placements["person_id"].isin(current.index[current != 1]) & ~placements.duplicated("person_id")
    message, remedy = "the person does not have exactly one current placement of rank 1", "Correct dates or ranks."
    yield from problems_at_rows("person placements", _rows(wrong), None, message, remedy, column="rank")


def persons_unique(evidence: Evidence) -> Findings:
    """V28: no UPN occurs twice; the same postcode and date of birth twice may be twins, or one child counted twice."""
    persons = evidence.references.persons
    if persons is None:
        yield NotRun(SEN2)
        return
    twice = persons["upn"].notna() & persons.duplicated("upn")
    yield from problems_at_rows("persons", _rows(twice), None, "the UPN occurs more than once", "Keep one row per person.", column="upn")
    alike = persons.assign(postcode=tidy_postcode(persons["postcode"])).duplicated(["postcode", "birth_date"]) & ~twice
    message, remedy = "postcode and date of birth occur more than once", "Make sure that it is not the same child."
    yield from problems_at_rows("persons", _rows(alike), None, message, remedy, column="postcode, birth_date", level="warning")


def _rows(broken: pd.Series[bool]) -> list[int]:
    return [int(position) + 2 for position in broken.to_numpy().nonzero()[0]]
