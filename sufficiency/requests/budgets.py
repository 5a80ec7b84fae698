"""Money in a request: changed budgets, pooling within partnerships, a top-slice for councils in deficit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any, Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.requests.rows import Key, is_number, is_text, is_year, row_faults
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.read import validate_table
from sufficiency.terms import split_codes

KEYS: Final[Mapping[str, Key]] = {
    "fund": (is_text, "must be the id of a fund"),
    "financial_year": (lambda value: is_year(value, "-"), "must be a financial year like 2025-26"),
    "amount_gbp": (lambda value: is_number(value) and value >= 0, "must be an amount from 0 on"),
    "change_gbp": (is_number, "must be an amount"),
}
TOP_SLICE: Final = "top-slice"
"""Id of the fund that a request's top-slice makes."""


def faults(rows: Sequence[Mapping[str, Any]], file: str) -> list[InputProblem]:
    """What is wrong with [[budgets]] whatever the case."""
    problems = list(row_faults("budgets", rows, KEYS, ("fund", "financial_year"), file))
    for number, row in enumerate(rows, start=1):
        if ("amount_gbp" in row) == ("change_gbp" in row):
            message = f"budgets {number} must give amount_gbp or change_gbp, one of them"
            problems.append(InputProblem(file, message, "Give the new amount, or the change.", column="budgets"))
    return problems


def top_slice_faults(given: Mapping[str, Any], file: str) -> list[InputProblem]:
    """What is wrong with [top_slice] whatever the case."""
    keys: Mapping[str, Key] = {
        "share": (lambda value: is_number(value) and 0 <= value < 1, "must be a share from 0 to below 1"),
        "councils": (lambda value: isinstance(value, list) and all(map(is_text, value)), "must be a list of council codes"),
    }
    return list(row_faults("top_slice", [given], keys, ("share", "councils"), file)) if given else []


def with_budgets(case: Case, rows: Sequence[Mapping[str, Any]]) -> Case:
    """The case with changed allocations. Raises InputError for unknown funds and amounts below zero."""
    funds, problems = case.funds, []
    for row in rows:
        fund, year = row["fund"], row["financial_year"]
        own = funds[funds["fund_id"] == fund]
        where = f"{fund}, {year}"
        if own.empty:
            remedy = f"Use one of: {', '.join(sorted(funds['fund_id'].unique()))}."
            problems.append(InputProblem("request", "names a fund that the case does not have", remedy, column="budgets", value=where))
            continue
        here = (funds["fund_id"] == fund) & (funds["financial_year"] == year)
        now = float(funds.loc[here, "amount_gbp"].sum())
        amount = float(row["amount_gbp"]) if "amount_gbp" in row else now + float(row["change_gbp"])
        if amount < 0:
            message = f"leaves {amount:,.0f} GBP in a fund that holds {now:,.0f} GBP"
            problems.append(InputProblem("request", message, "Take away no more than there is.", column="budgets", value=where))
        elif here.any():
            funds = funds.assign(amount_gbp=funds["amount_gbp"].where(~here, amount))
        else:
            new = own.iloc[[-1]].assign(financial_year=year, amount_gbp=amount)
            funds = pd.concat([funds, new], ignore_index=True)
    if problems:
        raise InputError(problems)
    return replace(case, funds=funds)


def with_pooling(case: Case, pooling: str | None) -> Case:
    """The case with unlimited transfers between the funds of the councils of each partnership (those of one council only)."""
    if pooling is None:
        return case
    partnership = case.councils.set_index("council_code")["partnership"].dropna()
    if partnership.empty:
        remedy = "Name the partnership of each council in councils.csv."
        raise InputError([InputProblem("request", "no council of the case is in a partnership", remedy, column="pooling", value=pooling)])
    first = case.funds.drop_duplicates("fund_id")
    pairs_of = zip(first["fund_id"], first["councils"], strict=True)
    own = {fund: partnership.get(councils) for fund, councils in pairs_of if "|" not in councils}
    pairs = [(a, b) for a, b in permutations(own, 2) if isinstance(own[a], str) and own[a] == own[b]]
    rows = [{"from_fund": a, "to_fund": b, "note": f"pooled in {own[a]}"} for a, b in pairs]
    if not rows:
        return case
    added = validate_table(pd.DataFrame(rows), "transfers", "request, pooling").reindex(columns=case.transfers.columns)
    both = pd.concat([case.transfers, added], ignore_index=True) if len(case.transfers) else added
    keys = ["from_fund", "to_fund", "financial_year"]
    return replace(case, transfers=both.drop_duplicates(keys, ignore_index=True))


def with_top_slice(case: Case, given: Mapping[str, Any]) -> Case:
    """The case with a share of every grant moved into one fund for the councils named. Raises InputError for unknown councils."""
    if not given or TOP_SLICE in set(case.funds["fund_id"]):
        return case
    unknown = sorted(set(given["councils"]) - set(case.councils["council_code"]))
    if unknown:
        remedy = "Name councils of the case."
        raise InputError(
            [InputProblem("request", "names councils that the case does not have", remedy, column="top_slice", value=", ".join(unknown))]
        )
    grants = case.funds["kind"] == "grant"
    held = (case.funds["amount_gbp"] * given["share"]).where(grants, 0.0)
    by_year = held.groupby(case.funds["financial_year"]).sum()
    rows = [
        {
            "fund_id": TOP_SLICE,
            "programme": case.programme,
            "kind": "top_slice",
            "councils": "|".join(sorted(given["councils"])),
            "financial_year": year,
            "amount_gbp": amount,
            "eligible_kinds": "any",
            "carry_forward_share": 1.0,
            "status": "derived",
        }
        for year, amount in by_year.items()
        if amount > 0
    ]
    left = case.funds.assign(amount_gbp=case.funds["amount_gbp"] - held)
    added = validate_table(pd.DataFrame(rows), "funds", "request, top_slice") if rows else left.iloc[:0]
    return replace(case, funds=pd.concat([left, added], ignore_index=True))


def councils_of(cell: str, case: Case) -> list[str]:
    """Councils of a list cell; ``any`` stands for all of the case."""
    return sorted(case.councils["council_code"]) if cell == "any" else split_codes(cell)
