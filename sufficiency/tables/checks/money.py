"""Projects, costs and funds: units, sizes, logic, and whether what is committed can be paid."""

from __future__ import annotations

import re
from typing import Any, Final

import networkx as nx
import numpy as np
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import coo_array

from sufficiency.case import Case, file_of
from sufficiency.finance import capital_uplift
from sufficiency.tables.checks.evidence import Evidence, Findings, NotRun, records
from sufficiency.tables.problems import InputProblem
from sufficiency.tables.schemas import FINANCIAL_YEAR
from sufficiency.terms import academic_year, financial_year, split_codes, start_of

YEARLY_COST: Final = (1_000, 400_000)
"""GBP: a place cost or capital per place outside is probably per term or week, or in thousands."""


def costs_per_year(evidence: Evidence) -> Findings:
    """V15: place costs are GBP per year and capital is GBP per place: from 1,000 to 400,000."""
    low, high = YEARLY_COST
    words = f"is not from {low:,} to {high:,} GBP"
    for table in ("pools", "projects"):
        cost = getattr(evidence.case, table)["place_cost_gbp_per_year"]
        remedy = "Give GBP per pupil per year, not per term or week."
        yield from evidence.problems(table, (cost < low) | (cost > high), words, remedy, "place_cost_gbp_per_year")
    defaults = evidence.case.assumptions
    kinds = evidence.pools["kind"].map({kind: defaults.number(f"costs.{kind}") for kind in _KINDS_WITH_COST})
    cost = evidence.case.pools["place_cost_gbp_per_year"]
    message, remedy = "is less than half the usual cost of its kind", "Check that it is a full year's cost, not a term's."
    yield from evidence.problems("pools", cost < 0.5 * kinds, message, remedy, "place_cost_gbp_per_year", level="warning")
    projects = evidence.case.projects
    capital = projects["cost_per_place_gbp"] + projects["fixed_cost_gbp"] / projects["max_places"].where(projects["max_places"] > 0)
    wrong = (capital > 0) & ((capital < low) | (capital > high))
    remedy = "Check the unit: GBP, not thousands."
    yield from evidence.problems("projects", wrong, f"capital per place {words}", remedy, "cost_per_place_gbp", capital, level="warning")


_KINDS_WITH_COST: Final = ("state_special", "resourced_provision", "ap", "non_maintained", "independent_special")


def one_price_base(evidence: Evidence) -> Findings:
    """V16: the case states its price base, and every figure in GBP is of that year."""
    base = evidence.case.price_base
    if not re.match(FINANCIAL_YEAR, base):
        yield InputProblem("case.toml", "price base is not a financial year", "Write it like 2024-25.", column="price_base", value=base)
    other = [
        f"{entry.name} ({entry.year})"
        for entry in evidence.case.assumptions
        if entry.unit.startswith("GBP") and "objective" not in entry.unit and re.match(FINANCIAL_YEAR, entry.year) and entry.year != base
    ]
    if other:
        message = f"{len(other)} assumptions are in prices of another year than {base} and are used as they stand"
        remedy = f"Override them in prices of {base} where it matters: {', '.join(other)}."
        yield InputProblem("assumptions.toml", message, remedy, level="warning")


def profiles_sum_to_one(evidence: Evidence) -> Findings:
    """V17: the shares of a spend profile are numbers from 0 to 1 that sum to 1."""
    profiles = evidence.case.projects["spend_profile"]
    message, remedy = "shares do not sum to 1", "Write the share of each financial year, e.g. 0.3|0.7."
    yield from evidence.problems("projects", ~profiles.map(_sound_profile).astype(bool), message, remedy, "spend_profile")


def openings_in_time(evidence: Evidence) -> Findings:
    """V18: a project starts no earlier than it can, and can open within the planning years."""
    projects = evidence.case.projects
    late = projects["committed_start"].fillna("9999-00") < projects["earliest_start"]
    message, remedy = "is committed to start before its earliest start", "Correct one of them."
    yield from evidence.problems("projects", late & (projects["decision"] == "committed"), message, remedy, "committed_start")
    begins = projects["committed_start"].where(projects["decision"] == "committed").fillna(projects["earliest_start"])
    opens = begins.map(start_of).astype("int64") + projects["lead_time_years"]
    last = evidence.case.academic_years[-1]
    shown = projects["project_id"] + " opens " + opens.map(academic_year).astype("str")
    message, remedy = f"cannot open by the last planning year {last}", "It can never help; shorten the lead time or plan further ahead."
    never = (opens > start_of(last)) & (projects["decision"] != "forbidden")
    yield from evidence.problems("projects", never, message, remedy, "lead_time_years", shown, level="warning")


def logic_consistent(evidence: Evidence) -> Findings:
    """V19: prerequisites form no circle and can be met; an exclusive group has at most one committed project."""
    projects = evidence.case.projects
    needs = projects.dropna(subset=["prerequisite"])
    graph = nx.DiGraph(list(zip(needs["project_id"], needs["prerequisite"], strict=True)))
    for circle in nx.strongly_connected_components(graph):
        if len(circle) > 1 or graph.has_edge(*(list(circle) * 2)):
            message, remedy = "prerequisites form a circle", "Remove one of them."
            yield InputProblem(file_of("projects"), message, remedy, column="prerequisite", value=", ".join(sorted(circle)))
    by_id = projects.drop_duplicates("project_id").set_index("project_id")
    group = projects["exclusive_group"]
    same_group = group.notna() & (projects["prerequisite"].map(by_id["exclusive_group"]) == group)
    message, remedy = "excludes its own prerequisite", "Take one of them out of the exclusive group."
    yield from evidence.problems("projects", same_group, message, remedy, "prerequisite")
    barred = (projects["prerequisite"].map(by_id["decision"]) == "forbidden") & (projects["decision"] != "forbidden")
    committed = projects["decision"] == "committed"
    message, remedy = "its prerequisite is forbidden", "Allow the prerequisite, or forbid this project too."
    yield from evidence.problems("projects", barred & committed, message, remedy, "prerequisite")
    yield from evidence.problems("projects", barred & ~committed, message, remedy, "prerequisite", level="warning")
    twice = (
        committed & group.notna() & projects[committed].duplicated("exclusive_group", keep=False).reindex(projects.index, fill_value=False)
    )
    message, remedy = "two projects of an exclusive group are committed", "Commit only one."
    yield from evidence.problems("projects", twice, message, remedy, "exclusive_group")


def modules_divide(evidence: Evidence) -> Findings:
    """V20: sizes are whole modules, from min_places to max_places."""
    projects = evidence.case.projects
    module, least, most = projects["module_places"], projects["min_places"], projects["max_places"]
    builds = ~projects["effect"].isin(["improve", "grant"])
    fits = np.ceil(least / module) * module <= most
    message, remedy = "no whole number of modules lies between min_places and max_places", "Correct the module or the limits."
    yield from evidence.problems("projects", builds & ~fits, message, remedy, "module_places")
    uneven = builds & fits & ((least % module != 0) | (most % module != 0))
    shown = module.astype("str") + " a module, " + least.astype("str") + " to " + most.astype("str")
    message, remedy = "min_places or max_places is no whole number of modules", "The part of a module cannot be built; round it."
    yield from evidence.problems("projects", uneven, message, remedy, "module_places", shown, level="warning")
    places = projects["committed_places"].where(projects["decision"] == "committed")
    wrong = builds & ((places < least) | (places > most) | (places % module != 0)) & places.notna()
    message, remedy = "is no size that the project can have", "Give whole modules from min_places to max_places."
    yield from evidence.problems("projects", wrong, message, remedy, "committed_places")


def budgets_sum(evidence: Evidence) -> Findings:
    """V21: a fund's yearly amounts add up to its allocation (within 1 GBP)."""
    allocations = evidence.references.allocations
    if allocations is None:
        yield NotRun("the allocations as awarded")
        return
    amounts = evidence.case.funds.groupby("fund_id")["amount_gbp"].sum()
    for fund, allocation in sorted(allocations.items()):
        amount = float(amounts.get(fund, 0.0))
        if abs(amount - allocation) > 1:
            message = f"years add up to {amount:,.0f} GBP, the allocation is {allocation:,.0f} GBP"
            yield InputProblem(file_of("funds"), message, "Correct the amounts.", column="amount_gbp", value=fund)


def every_project_has_a_payer(evidence: Evidence) -> Findings:
    """V22: some fund with money may pay for each project that costs anything."""
    projects = evidence.case.projects
    payers = {
        (council, kind)
        for fund in records(evidence.case.funds[evidence.case.funds["amount_gbp"] > 0])
        for council in split_codes(fund["councils"])
        for kind in split_codes(fund["eligible_kinds"])
    }
    paid = pd.Series(
        [
            (council, kind) in payers or (council, "any") in payers
            for council, kind in zip(projects["council_code"], projects["kind"], strict=True)
        ],
        index=projects.index,
        dtype=bool,
    )
    costs = (projects["fixed_cost_gbp"] + projects["cost_per_place_gbp"]) > 0
    unpaid = costs & ~paid & (projects["decision"] != "forbidden")
    shown = projects["project_id"] + ", " + projects["kind"] + ", " + projects["council_code"]
    message, remedy = "no fund may pay for it", "Add a fund for its council and kind in funds.csv."
    committed = projects["decision"] == "committed"
    yield from evidence.problems("projects", unpaid & committed, message, remedy, "kind", shown)
    yield from evidence.problems("projects", unpaid & ~committed, message, remedy, "kind", shown, level="warning")


def commitments_affordable(evidence: Evidence) -> Findings:
    """V32: all committed projects together can be paid, year by year.

    A linear programme shares the funds' money (with what may be carried forward) among the projects' spending and minimises
    the shortfall in GBP; what remains is reported by project and financial year.
    """
    spending = _committed_spending(evidence.case)
    if not spending:
        return
    shortfall = _shortfall(evidence.case.funds, spending)
    projects = evidence.case.projects.reset_index(drop=True)
    more = len(evidence.case.transfers) > 0 or bool((projects["grant_gbp_per_place"] > 0).any())  # money that this check does not move
    for (row, year), amount in shortfall.items():
        message = f"no fund can pay {amount:,.0f} GBP of its spending in {financial_year(year)}"
        remedy = "Raise a fund, move money to an earlier year, or delay a committed project."
        name = str(projects.loc[row, "project_id"])
        yield InputProblem(
            file_of("projects"), message, remedy, row=row + 2, column="committed_start", value=name, level="warning" if more else "error"
        )


Spending = dict[tuple[int, int], tuple[str, str, float]]
"""(project row, year in which the financial year starts) -> council, kind, GBP."""


def _committed_spending(case: Case) -> Spending:
    spending: Spending = {}
    uplift = capital_uplift(case, case.projects)
    for row, project in enumerate(records(case.projects)):
        start, profile = project["committed_start"], project["spend_profile"]
        incomplete = pd.isna(start) or pd.isna(project["committed_places"]) or not _sound_profile(profile)  # reported by T07 and V17
        if project["decision"] != "committed" or incomplete:
            continue
        before_bias = project["fixed_cost_gbp"] + project["cost_per_place_gbp"] * project["committed_places"]
        capital = before_bias * uplift[row]
        for offset, share in enumerate(_shares(profile)):
            if share > 0 and capital > 0:
                spending[row, start_of(start) + offset] = (project["council_code"], project["kind"], share * capital)
    return spending


def _shortfall(funds: pd.DataFrame, spending: Spending) -> dict[tuple[int, int], float]:
    """GBP of each spending that no fund can pay; empty when all can be paid.

    Columns of the programme: payments (fund, spending), carry (fund, year), shortfall (spending).
    Rows: payments + shortfall = spending; payments + carry <= amount + carry of the year before;
    carry <= share x (amount + carry of the year before).
    """
    starts = funds["financial_year"].map(start_of)
    years = range(min([*starts, *(year for _, year in spending)]), max([*starts, *(year for _, year in spending)]) + 1)
    names = list(funds["fund_id"].unique())
    cash = {(name, year): 0.0 for name in names for year in years}
    share = dict.fromkeys(names, 1.0)
    councils: dict[str, set[str]] = {name: set() for name in names}
    kinds: dict[str, set[str]] = {name: set() for name in names}
    for fund, start in zip(records(funds), starts, strict=True):
        name = fund["fund_id"]
        cash[name, start] += fund["amount_gbp"]
        share[name] = fund["carry_forward_share"]
        councils[name] |= set(split_codes(fund["councils"]))
        kinds[name] |= set(split_codes(fund["eligible_kinds"]))
    payments = [
        (name, key)
        for name in names
        for key, (council, kind, _) in spending.items()
        if council in councils[name] and kinds[name] & {kind, "any"}
    ]
    pots = [(name, year) for name in names for year in years]
    pay, carry, short = 0, len(payments), len(payments) + len(pots)
    pot_row, spending_row = {pot: row for row, pot in enumerate(pots)}, {key: row for row, key in enumerate(spending)}

    equal = [(spending_row[key], pay + column, 1.0) for column, (_, key) in enumerate(payments)]
    equal += [(row, short + row, 1.0) for row in range(len(spending))]
    upper = [(pot_row[name, key[1]], pay + column, 1.0) for column, (name, key) in enumerate(payments)]
    for (name, year), row in pot_row.items():
        upper += [(row, carry + row, 1.0), (len(pots) + row, carry + row, 1.0)]
        if (name, year - 1) in pot_row:
            before = carry + pot_row[name, year - 1]
            upper += [(row, before, -1.0), (len(pots) + row, before, -share[name])]
    width = short + len(spending)
    result = linprog(
        np.concatenate([np.zeros(short), np.ones(len(spending))]),
        A_ub=_sparse(upper, 2 * len(pots), width) if pots else None,
        b_ub=np.array([cash[pot] for pot in pots] + [share[name] * cash[name, year] for name, year in pots]) if pots else None,
        A_eq=_sparse(equal, len(spending), width),
        b_eq=np.array([amount for _, _, amount in spending.values()]),
    )
    if result.x is None:  # the programme always has a solution: everything short
        raise RuntimeError(f"sharing the funds among the commitments failed: {result.message}")
    return {key: float(result.x[short + row]) for key, row in spending_row.items() if result.x[short + row] > 1}


def _sparse(entries: list[tuple[int, int, float]], rows: int, columns: int) -> Any:
    row, column, value = zip(*entries, strict=True)
    return coo_array((value, (row, column)), shape=(rows, columns)).tocsr()


def _shares(profile: str) -> list[float]:
    return [float(share) for share in profile.split("|")]


def _sound_profile(profile: object) -> bool:
    try:
        shares = _shares(str(profile))
    except ValueError:
        return False
    return all(0 <= share <= 1 for share in shares) and abs(sum(shares) - 1) < 1e-6
