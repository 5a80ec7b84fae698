"""The money for what is built: spending by financial year, paid in full, from funds that add up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from sufficiency.audit.expected import Expected
from sufficiency.audit.report import GBP, Breach, Floats, unlike
from sufficiency.audit.world import World, price_of
from sufficiency.terms import financial_year, split_codes, start_of


def check_money(facts: Expected, world: World) -> Iterator[Breach]:
    """All checks of payments and funds of one world."""
    yield from _paid(facts, world)
    yield from _eligible(facts, world)
    yield from _cash(facts, world)
    yield from _transfers(facts, world)


def spending(facts: Expected, world: World) -> dict[tuple[str, ...], float]:
    """Spending on all openings by council, kind of project and financial year, GBP."""
    spent: dict[tuple[str, ...], float] = defaultdict(float)
    columns = ["case_council_code", "case_kind", "case_spend_profile", "start", "base_gbp"]
    for council, kind, profile, start, gbp in world.openings[columns].itertuples(index=False, name=None):
        for lag, share in enumerate(split_codes(profile)):
            spent[council, kind, financial_year(facts.first_year + start + lag)] += gbp * float(share) * price_of(facts, start + lag)
    return spent


def credit(facts: Expected, world: World) -> Floats:
    """(rows,) undiscounted credit for useful life after the last year and its tail, GBP.

    Temporary places live until they expire; those that take entrants in the last year have to be provided again through the tail.
    """
    rows, tail = world.openings, int(facts.figures.number("time.tail_years"))
    standing = len(facts.years) - np.maximum(rows["opens"].to_numpy(dtype=float), 0.0)
    life, expires = (rows[f"case_{name}"].to_numpy(dtype=float) for name in ("life_years", "expires_after_years"))
    share = 1 - (standing + tail) / np.where(expires < life, expires, life)
    share[~(expires >= standing)] = np.maximum(share[~(expires >= standing)], 0.0)
    return np.asarray(rows["due_gbp"].to_numpy(dtype=float) * share)


def discount(facts: Expected, years: Floats) -> Floats:
    """Discount factor of years counted from the first."""
    return np.asarray((1 + facts.figures.number("time.discount_rate")) ** -years)


def discount_of_credit(facts: Expected) -> float:
    """Discount factor of the end of the appraisal."""
    return float(discount(facts, np.array(len(facts.years) + facts.figures.number("time.tail_years"))))


def _paid(facts: Expected, world: World) -> Iterator[Breach]:
    """A30: spending of a council on projects of a kind in a financial year = payments."""
    spent = spending(facts, world)
    paid = _sums(world.tables.payments, ["council_code", "kind", "financial_year"], "amount_gbp")
    for key in sorted({*spent, *paid}):
        yield from unlike("A30", ", ".join(key), "payments are not what the projects spend (GBP)", paid.get(key, 0.0), spent.get(key, 0.0))


def _eligible(facts: Expected, world: World) -> Iterator[Breach]:
    """A31: a fund pays only for the councils and kinds that it names."""
    named: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for fund, councils, kinds in facts.case.funds[["fund_id", "councils", "eligible_kinds"]].itertuples(index=False, name=None):
        named[fund][0].update(split_codes(councils))
        named[fund][1].update(split_codes(kinds))
    columns = ["fund_id", "council_code", "kind", "financial_year", "amount_gbp"]
    for fund, council, kind, year, gbp in world.tables.payments[columns].itertuples(index=False, name=None):
        councils, kinds = named[fund]
        if council not in councils or not kinds & {kind, "any"}:
            yield Breach("A31", f"{fund}, {council}, {kind}, {year}", "the fund may not pay for this council and kind (GBP)", float(gbp))


def _cash(facts: Expected, world: World) -> Iterator[Breach]:
    """A32: cash of each fund and year adds up; A33: no more is carried than may be; A34: allocations are the case's."""
    key = ["fund_id", "financial_year"]
    funds = facts.case.funds.sort_values("financial_year")
    allocated, paid = _sums(funds, key, "amount_gbp"), _sums(world.tables.payments, key, "amount_gbp")
    shares = dict(zip(zip(funds["fund_id"], funds["financial_year"], strict=True), funds["carry_forward_share"], strict=True))
    usual = dict(zip(funds["fund_id"], funds["carry_forward_share"], strict=True))  # years without a row: as in the fund's last
    amounts = [
        "carried_in_gbp",
        "allocated_gbp",
        "granted_gbp",
        "transferred_in_gbp",
        "transferred_out_gbp",
        "spent_gbp",
        "returned_gbp",
        "carried_out_gbp",
    ]
    moves = world.tables.transfers
    received, passed_on = (_sums(moves, [name, "financial_year"], "amount_gbp") for name in ("to_fund", "from_fund"))
    grants = _grants(facts, world)
    stated = {(row[0], row[1]): row[2:] for row in world.tables.funding[[*key, *amounts]].itertuples(index=False, name=None)}
    for fund, year in sorted({*stated, *allocated, *paid, *received, *passed_on, *grants}):
        where = f"{fund}, {year}"
        carried_in, given, granted, moved_in, moved_out, spent, returned, carried_out = stated.get((fund, year), (0.0,) * 8)
        before = stated.get((fund, financial_year(start_of(year) - 1)), (0.0,) * 8)[-1]
        message = "carried in + allocated + granted + transferred in is not spent + transferred out + returned + carried out (GBP)"
        in_hand = carried_in + given + granted + moved_in
        yield from unlike("A32", where, message, spent + moved_out + returned + carried_out, in_hand)
        yield from unlike("A35", where, "grants are not those of the projects that start (GBP)", granted, grants.get((fund, year), 0.0))
        for what, moved, sums in (("received", moved_in, received), ("given", moved_out, passed_on)):
            yield from unlike("A35", where, f"what is {what} is not the sum of transfers.csv (GBP)", moved, sums.get((fund, year), 0.0))
        yield from unlike("A32", where, "what is carried in was not carried out the year before (GBP)", carried_in, before)
        yield from unlike("A32", where, "what is spent is not the sum of the fund's payments (GBP)", spent, paid.get((fund, year), 0.0))
        yield from unlike("A34", where, "allocation is not the case's (GBP)", given, allocated.get((fund, year), 0.0))
        most = shares.get((fund, year), usual.get(fund, 0.0)) * (in_hand - moved_out)
        if not carried_out <= most + GBP:
            yield Breach("A33", where, "more is carried forward than may be (GBP)", float(carried_out - most))


def _grants(facts: Expected, world: World) -> dict[tuple[str, ...], float]:
    """Grants that come with the projects that start, by fund and financial year, GBP."""
    grants: dict[tuple[str, ...], float] = defaultdict(float)
    first = world.openings[world.openings["stage"] == 1]
    columns = ["case_grant_fund", "case_grant_places", "case_grant_gbp_per_place", "case_grant_profile", "start"]
    for fund, places, gbp, profile, start in first[columns].itertuples(index=False, name=None):
        if isinstance(fund, str) and places * gbp > 0:
            for lag, share in enumerate(split_codes(profile)):
                grants[fund, financial_year(facts.first_year + start + lag)] += places * gbp * float(share)
    return grants


def _transfers(facts: Expected, world: World) -> Iterator[Breach]:
    """A35: money moves only between funds that may, and no more than may."""
    most = {
        (row["from_fund"], row["to_fund"], row["financial_year"]): np.inf if np.isnan(row["limit_gbp"]) else row["limit_gbp"]
        for row in facts.case.transfers.to_dict("records")
    }
    for source, target, year, gbp in world.tables.transfers.itertuples(index=False, name=None):
        limit = most.get((source, target, year), most.get((source, target, "any"), 0.0))
        if not gbp <= limit + GBP:
            yield Breach("A35", f"{source} to {target}, {year}", "more moves than may (GBP)", float(gbp - limit))


def check_shares(facts: Expected, world: World) -> Iterator[Breach]:
    """A36: payments for some kinds are at least the amount + the share of all that the funds pay, over all years."""
    paid = world.tables.payments
    for rule in facts.case.shares.to_dict("records"):
        counted = pd.Series(True, index=paid.index)
        for column, cell in (("fund_id", rule["funds"]), ("council_code", rule["councils"])):
            if cell != "any":
                counted &= paid[column].isin(split_codes(cell))
        total = float(paid.loc[counted, "amount_gbp"].sum())
        part = float(paid.loc[counted & paid["kind"].isin(split_codes(rule["kinds"])), "amount_gbp"].sum())
        short = rule["amount_gbp"] + rule["share"] * total - part
        if not short <= 10 * GBP:
            yield Breach("A36", rule["label"], "less is paid for these kinds than must be (GBP)", short)


def _sums(table: pd.DataFrame, key: list[str], column: str) -> dict[tuple[str, ...], float]:
    sums: dict[tuple[str, ...], float] = defaultdict(float)
    for *names, amount in table[[*key, column]].itertuples(index=False, name=None):
        sums[tuple(names)] += amount
    return sums
