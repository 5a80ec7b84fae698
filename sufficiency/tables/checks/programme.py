"""What a capital programme states beyond sizes and prices: timing, ties between projects, money that moves, agreements, pins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from sufficiency.case import file_of
from sufficiency.requests.pins import pin_problems
from sufficiency.tables.checks.evidence import Evidence, Findings, records
from sufficiency.tables.problems import InputProblem
from sufficiency.terms import split_codes


def projects_are_possible(evidence: Evidence) -> Findings:
    """T08: ramp-up, disruption, improvements, grants, parents, least use and bundles of projects fit their pools, funds and each other."""
    case = evidence.case
    projects, pools = case.projects, case.pools.set_index("pool_id")
    source = projects["from_pool_id"]
    places = source.map(pools["places_total"]).astype("float64")

    def broken(rows: pd.Series[bool], column: str, message: str, remedy: str, level: str = "error") -> list[InputProblem]:
        return evidence.problems("projects", rows.fillna(value=False).astype(bool), message, remedy, column, level=level)

    yield from broken(
        ~projects["ramp_up"].map(_is_ramp).astype(bool), "ramp_up", "must be shares from 0 to 1, the last above 0", "0.5|0.8|1"
    )
    sums = projects["grant_profile"].map(_sum_of_shares).astype("float64")
    yield from broken((sums - 1).abs() > 1e-6, "grant_profile", "shares do not sum to 1", "E.g. 0.4|0.3|0.3.")
    for column in ("disruption_places", "places_improved", "overcrowding_places"):
        asks = projects[column] > 0
        yield from broken(asks & source.isna(), column, "does not say of which pool", "Give from_pool_id.")
        yield from broken(asks & (projects[column] > places + 1e-6), column, "is more than the pool has", "Correct it, or the pool.")
    improves = projects["effect"] == "improve"
    yield from broken((projects["places_improved"] > 0) & ~improves, "places_improved", "is for improvements only", "Use effect improve.")
    yield from broken(
        (projects["places_improved"] > 0) & (projects["max_places"] > 0), "max_places", "adds places too", "Make it two projects."
    )
    changes = (projects[["places_kept", "places_improved", "overcrowding_places"]] > 0).any(axis=1)
    message = "changes nothing that the model knows: it is outside the optimisation"
    yield from broken(
        improves & ~changes, "project_id", message, "Say what it keeps, improves or relieves, or set a least spend.", "warning"
    )
    yield from broken(
        (projects["viable_pupils"] > 0) & (projects["least_use_share"] > 0), "viable_pupils", "two rules of least use", "Give one of them."
    )
    most = projects["max_places"] * projects["most_use_share"]
    yield from broken(projects["viable_pupils"] > most, "viable_pupils", "is more than the site takes", "Lower it, or raise max_places.")
    gives = projects["effect"] == "grant"
    amount = projects["grant_places"] * projects["grant_gbp_per_place"]
    yield from broken(gives & ~(amount > 0), "grant_places", "brings no money", "Give grant_places and grant_gbp_per_place.")
    unknown = ~projects["grant_fund"].isin(set(case.funds["fund_id"]))
    yield from broken((amount > 0) & unknown, "grant_fund", "is not found in funds.csv", "Name the fund that receives the grant.")
    yield from _ties(evidence)


def _ties(evidence: Evidence) -> Findings:
    """Parents and bundles."""
    case = evidence.case
    projects, ids = case.projects, set(case.projects["project_id"])
    settings = set(case.settings["setting_id"])
    parent = projects["parent"]
    lost = parent.notna() & ~parent.isin(ids | settings)
    message, remedy = "is not found in settings.csv or projects.csv", "Name the setting, or the project that opens it."
    yield from evidence.problems("projects", lost, message, remedy, "parent")
    two = parent.isin(ids) & projects["prerequisite"].notna() & (projects["prerequisite"] != parent)
    message, remedy = "has a parent project and another prerequisite", "Let the parent be the prerequisite."
    yield from evidence.problems("projects", two, message, remedy, "parent")
    groups = case.pools.groupby("setting_id")["need_groups"].agg("|".join).map(split_codes)
    outside = [
        isinstance(of, str) and of in groups.index and not set(split_codes(own)) <= set(groups[of])
        for of, own in zip(parent, projects["need_groups"], strict=True)
    ]
    message, remedy = "serves need groups that its parent does not", "Check the designation."
    yield from evidence.problems("projects", pd.Series(outside, projects.index, dtype=bool), message, remedy, "parent", level="warning")
    for bundle, members in projects.dropna(subset=["bundle"]).groupby("bundle"):
        rivals = members["exclusive_group"].dropna()
        if rivals.duplicated().any():
            message, remedy = "two projects of a bundle exclude each other", "Take one of them out."
            yield InputProblem(file_of("projects"), message, remedy, column="bundle", value=str(bundle))


def money_can_move(evidence: Evidence) -> Findings:
    """T09: a fund is of one kind; transfers and least shares name funds and councils of the case."""
    case = evidence.case
    funds, councils = set(case.funds["fund_id"]), set(case.councils["council_code"])
    kinds = case.funds.groupby("fund_id")[["kind", "interest_rate", "term_years"]].nunique().max(axis=1)
    several = case.funds["fund_id"].isin(kinds.index[kinds > 1])
    message, remedy = "kind, interest rate or term differ between its years", "Make it two funds."
    yield from evidence.problems("funds", several, message, remedy, "fund_id")
    for column in ("from_fund", "to_fund"):
        strange = ~case.transfers[column].isin(funds)
        yield from evidence.problems("transfers", strange, "is not found in funds.csv", "Name funds of the case.", column)
    itself = case.transfers["from_fund"] == case.transfers["to_fund"]
    yield from evidence.problems("transfers", itself, "gives to itself", "Remove the row.", "from_fund")
    for column, known in (("funds", funds), ("councils", councils)):
        strange = case.shares[column].map(lambda cell, known=known: cell != "any" and not set(split_codes(cell)) <= known)
        message, remedy = "names what the case does not have", "Name funds and councils of the case, or any."
        yield from evidence.problems("shares", strange.astype(bool), message, remedy, column)


def agreements_fit(evidence: Evidence) -> Findings:
    """T10: caps across borders, reductions and high needs blocks name councils of the case; a deficit is brought forward once."""
    case = evidence.case
    councils = set(case.councils["council_code"])
    standing = councils | set(case.settings["council_code"])
    pointers = (
        ("borders", "home_council", councils),
        ("borders", "provider_council", standing),
        ("reductions", "council_code", councils),
        ("high_needs", "council_code", councils),
    )
    for name, column, known in pointers:
        strange = ~getattr(case, name)[column].isin(known)
        message, remedy = "is no council of the case", "Name councils of councils.csv (places may stand in others)."
        yield from evidence.problems(name, strange, message, remedy, column)
    itself = case.borders["home_council"] == case.borders["provider_council"]
    yield from evidence.problems("borders", itself, "is no border", "Name two councils.", "provider_council")
    given = case.high_needs.dropna(subset=["deficit_brought_forward_gbp"])
    twice = case.high_needs["council_code"].isin(given.loc[given["council_code"].duplicated(), "council_code"])
    message, remedy = "brings a deficit forward more than once", "Give it for the first year only."
    yield from evidence.problems("high_needs", twice, message, remedy, "deficit_brought_forward_gbp")
    placed = evidence.demand[evidence.demand["academic_year"] == case.base_year]
    helped = placed.groupby(["council_code", "need_group"], observed=True)["pupils"].sum()
    for row in records(case.reductions):
        pupils = float(helped.get((row["council_code"], row["need_group"]), 0.0))
        if row["capacity"] * row["elasticity"] > row["most_share"] * pupils:
            message = (
                f"would keep {row['capacity'] * row['elasticity']:,.0f} pupils out, the cap is {row['most_share']:.0%} of {pupils:,.0f}"
            )
            yield InputProblem(
                file_of("reductions"), message, "Only the cap counts.", column="capacity", value=row["reduction_id"], level="warning"
            )


def pins_can_be_kept(evidence: Evidence) -> Findings:
    """T11: pins name projects that can be built as asked, and do not contradict each other."""
    for problem in pin_problems(evidence.case):
        yield replace(problem, file=file_of("pins"))


def _is_ramp(cell: str) -> bool:
    shares = _shares(cell)
    return len(shares) > 0 and bool(((shares >= 0) & (shares <= 1)).all()) and bool(shares[-1] > 0)


def _sum_of_shares(cell: str) -> float:
    shares = _shares(cell)
    return float(shares.sum()) if len(shares) else 0.0


def _shares(cell: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    try:
        return np.array([float(share) for share in split_codes(cell)], np.float64)
    except ValueError:
        return np.zeros(0)
