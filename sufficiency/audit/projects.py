"""What is built: projects as the case allows them, with the capital that follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from sufficiency.audit.expected import Expected
from sufficiency.audit.money import credit, discount, discount_of_credit
from sufficiency.audit.report import PUPILS, Breach, Floats, differing, gbp_within
from sufficiency.audit.world import World, price_of
from sufficiency.terms import financial_year, split_codes, start_of

AS_IN_CASE: Final = (
    "name", "kind", "effect", "council_code", "site_id", "provision", "need_groups", "phases", "decision", "easting_m", "northing_m",
)  # fmt: skip
Row = Mapping[Any, Any]
"""A row of ``World.openings``."""


def check_projects(facts: Expected, world: World, committed_only: bool) -> Iterator[Breach]:
    """All checks of the projects of one world; the counterfactual builds what is committed and nothing else."""
    rows: list[Row] = list(world.openings.sort_values(["project_id", "stage"]).to_dict("records"))
    stages = defaultdict(list)
    for row in rows:
        stages[row["project_id"]].append(row)
        yield from _as_in_case(row)
        yield from _in_time(facts, row)
        yield from _size(row)
    for openings in stages.values():
        yield from _stages(openings)
    yield from _one_of_a_group(rows)
    yield from _prerequisites(facts, stages)
    yield from _decided(facts, stages, committed_only)
    yield from _capital(facts, world)


def _breach(code: str, row: Row, message: str, amount: float = 0.0) -> Breach:
    return Breach(code, f"{row['project_id']}, stage {row['stage']}", message, float(amount))


def _as_in_case(row: Row) -> Iterator[Breach]:
    """A20: nothing forbidden is built, and a project is described as in the case."""
    if row["case_decision"] == "forbidden":
        yield _breach("A20", row, "is forbidden")
    for column in AS_IN_CASE:
        if row[column] != row[f"case_{column}"]:
            yield _breach("A20", row, f"{column} is not as in the case")


def _in_time(facts: Expected, row: Row) -> Iterator[Breach]:
    """A21: starts when it can, opens after its lead time and within the planning years.

    A committed project starts when it was decided (A26); one that opened before the first planning year counts as open from then.
    """
    ready = row["start"] + row["case_lead_time_years"]
    if row["case_decision"] == "committed":
        ready = max(ready, 0)
    elif row["start"] < max(start_of(row["case_earliest_start"]) - facts.first_year, 0):
        yield _breach("A21", row, "starts before it can")
    if row["opens"] != ready:
        yield _breach("A21", row, "does not open as its start and lead time say (years)", abs(row["opens"] - ready))
    if row["opens"] >= len(facts.years):
        yield _breach("A21", row, "opens after the last planning year")


def _size(row: Row) -> Iterator[Breach]:
    """A22: whole modules, at least one, and at least the least size at the first opening; an improvement keeps what the case says."""
    places, module = row["places"], row["case_module_places"]
    if row["case_effect"] in ("improve", "grant"):
        if places != (row["case_places_improved"] or row["case_places_kept"] + row["case_overcrowding_places"]):
            yield _breach("A22", row, "does not keep the places of the case (places)", places)
        return
    if places < module or abs(places / module - round(places / module)) > PUPILS:
        yield _breach("A22", row, "is no whole number of modules (places)", places)
    if row["stage"] == 1 and row["case_decision"] != "committed" and places < row["case_min_places"]:
        yield _breach("A22", row, "is below its least size (places)", places)


def _stages(openings: list[Row]) -> Iterator[Breach]:
    """A22: all stages together are at most the most; A23: numbered 1, 2, ... in the order of opening, and no more than allowed."""
    first, total = openings[0], sum(row["places"] for row in openings)
    if first["case_effect"] not in ("improve", "grant") and first["case_decision"] != "committed" and total > first["case_max_places"]:
        yield _breach("A22", first, "is above its most (places, all stages)", total)
    for number, (row, before) in enumerate(zip(openings, [None, *openings], strict=False), start=1):
        if row["stage"] != number:
            yield _breach("A23", row, "stages are not numbered 1, 2, ...")
        if before is not None and row["opens"] <= before["opens"]:
            yield _breach("A23", row, "opens no later than the stage before")
        if number > row["case_max_stages"]:
            yield _breach("A23", row, "is one stage too many")


def _one_of_a_group(rows: list[Row]) -> Iterator[Breach]:
    """A24: at most one project of an exclusive group."""
    members = defaultdict(set)
    for row in rows:
        if isinstance(row["case_exclusive_group"], str):
            members[row["case_exclusive_group"]].add(row["project_id"])
    for group, named in members.items():
        if len(named) > 1:
            yield Breach("A24", ", ".join(sorted(named)), f"more than one project of {group}", float(len(named)))


def _prerequisites(facts: Expected, stages: Mapping[str, list[Row]]) -> Iterator[Breach]:
    """A25: no project opens before the one it needs, a parent project included, and the years in which that has to be ahead."""
    ids = set(facts.case.projects["project_id"])
    for first, *_ in stages.values():
        needed = first["case_prerequisite"]
        if not isinstance(needed, str) and first["case_parent"] in ids:
            needed = first["case_parent"]
        if isinstance(needed, str):
            ready = stages[needed][0]["opens"] if needed in stages else len(facts.years)
            if first["opens"] < ready + first["case_prerequisite_lag_years"]:
                yield _breach("A25", first, f"opens before its prerequisite {needed}, or too soon after it")


def _decided(facts: Expected, stages: Mapping[str, list[Row]], committed_only: bool) -> Iterator[Breach]:
    """A26: committed projects start when and as large as decided, in one stage; one that opens after the last year may be left out."""
    for first, *_ in stages.values():
        if committed_only and first["case_decision"] != "committed":
            yield _breach("A26", first, "is built in the counterfactual, but is not committed")
    decided = facts.case.projects[facts.case.projects["decision"] == "committed"]
    for project in decided.to_dict("records"):
        built = stages.get(project["project_id"], [])
        opens = start_of(project["committed_start"]) + project["lead_time_years"] - facts.first_year
        if not built:
            if opens < len(facts.years):
                yield Breach("A26", project["project_id"], "is committed, but not built (places)", float(project["committed_places"]))
        elif len(built) > 1 or built[0]["start_financial_year"] != project["committed_start"]:
            yield _breach("A26", built[0], "does not start as committed")
        elif project["effect"] not in ("improve", "grant") and built[0]["places"] != project["committed_places"]:
            yield _breach("A26", built[0], "is not as large as committed (places)", abs(built[0]["places"] - project["committed_places"]))


def check_asked(facts: Expected, world: World) -> Iterator[Breach]:
    """What is asked of the plan alone: A28 pins and bundles, A29 projects under construction at a time."""
    openings = world.openings.sort_values(["project_id", "stage"])
    stages: dict[str, list[Row]] = defaultdict(list)
    for row in openings.to_dict("records"):
        stages[row["project_id"]].append(row)
    for pin in facts.case.pins.to_dict("records"):
        yield from _pin_kept(facts, pin, stages.get(pin["project_id"], []))
    for bundle, members in facts.case.projects.dropna(subset=["bundle"]).groupby("bundle"):
        built = [project for project in members["project_id"] if project in stages]
        if built and len(built) < len(members):
            yield Breach("A28", str(bundle), "of a bundle only a part is built", float(len(members) - len(built)))
    yield from _building(facts, openings)


def _pin_kept(facts: Expected, pin: Row, built: list[Row]) -> Iterator[Breach]:
    """A28: what must be built is, what must not is not, no earlier and no smaller than asked."""
    wish, year, where = pin["wish"], pin["year"], f"{pin['project_id']}, {pin['wish']}"
    if wish == "must_not" and built:
        yield Breach("A28", where, "is built", 0.0)
    if wish in ("must", "at_least") and not built:
        yield Breach("A28", where, "is not built", 0.0)
    if not built:
        return
    if isinstance(year, str):
        when = built[0]["opens" if "/" in year else "start"] + facts.first_year
        if (wish == "not_before" and when < start_of(year)) or (wish != "not_before" and when > start_of(year)):
            yield Breach("A28", where, f"does not keep to {year} (years)", float(abs(when - start_of(year))))
    if wish == "at_least" and sum(row["places"] for row in built) < pin["places"]:
        yield Breach("A28", where, "has fewer places than asked (places)", float(pin["places"]))


def _building(facts: Expected, openings: pd.DataFrame) -> Iterator[Breach]:
    """A29: no council has more projects under construction in a financial year than it can see through."""
    most = dict(zip(facts.case.councils["council_code"], facts.case.councils["most_building"], strict=True))
    busy: dict[tuple[str, int], int] = defaultdict(int)
    for row in openings.to_dict("records"):
        lead, years = row["case_lead_time_years"], row["case_build_years"]
        end = row["start"] + max(lead, 1)
        long = max(1, lead if np.isnan(years) else int(min(years, lead)))
        for year in range(end - long, end):
            busy[row["case_council_code"], year] += 1
    for (council, year), number in sorted(busy.items()):
        if number > most.get(council, np.inf):
            where = f"{council}, {financial_year(facts.first_year + year)}"
            yield Breach("A29", where, "more projects under construction than the council can see through", number - most[council])


def _capital(facts: Expected, world: World) -> Iterator[Breach]:
    """A27: capital of each opening, and its present value less the credit."""

    def where(i: int) -> str:
        return f"{rows['project_id'][i]}, stage {rows['stage'][i]}"

    rows = world.openings
    due, end = rows["due_gbp"].to_numpy(dtype=float), discount_of_credit(facts)
    spread = [
        sum(
            float(share) * price_of(facts, start + lag) * discount(facts, np.array(start + lag, dtype=float))
            for lag, share in enumerate(split_codes(profile))
        )
        for start, profile in zip(rows["start"], rows["case_spend_profile"], strict=True)
    ]
    net: Floats = rows["base_gbp"].to_numpy(dtype=float) * np.array(spread, dtype=np.float64) - credit(facts, world) * end
    columns: tuple[tuple[str, Floats], ...] = (("capital_gbp", due), ("capital_net_pv_gbp", net))
    for column, found in columns:
        stated = rows[column].to_numpy(dtype=float)
        yield from differing("A27", f"{column} is wrong (GBP)", stated, found, gbp_within(found), where)
