"""The headline of a plan (``plan.json``) as it may be shown. A key that is not declared here does not leave a protected case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure.rules import shown_counts
from sufficiency.disclosure.text import shown_money, shown_text
from sufficiency.disclosure.totals import count_totals
from sufficiency.plan import Plan, PlanTables
from sufficiency.terms import INDEPENDENT_KINDS

AS_IT_IS: Final = (
    "case", "programme", "price_base", "academic_years", "scenario", "termination", "capital_gbp", "new_places", "places_opened",
    "places_removed", "outside_optimisation", "perspective", "suitability", "request", "travel_source", "assumptions_changed", "wall_s",
    "cpu_s", "peak_mb", "seed", "version",
)  # fmt: skip
MONEY: Final = (
    "objective_gbp", "bound_gbp", "counterfactual_gbp", "saving_gbp", "cash_saving_gbp", "rule_gbp", "rule_saving_gbp",
)  # fmt: skip
SHARES: Final = ("gap_of_cost", "gap_of_saving")
OF_PERSONS: Final = ("pupils", "placements", "pools", "case")
"""Files whose fingerprint (sha256) would let a reader test guesses about a person."""
WITH_PLAN: Final = {"independent": sorted(INDEPENDENT_KINDS - {"unlocated_ap"})}


def shown_summary(plan: Plan, shown: Mapping[str, PlanTables], case: Case) -> dict[str, Any]:
    """The summary as it may be shown. ``plan`` is exact, ``shown`` are its tables as they may be shown, by variant."""
    if case.disclosure == "open":
        return plan.summary
    of = plan.summary
    steps: dict[str, Callable[[], Any]] = {
        **{name: lambda name=name: of[name] for name in AS_IT_IS},  # type: ignore[misc]
        **{name: lambda name=name: shown_money(of[name], case) for name in MONEY},  # type: ignore[misc]
        **{name: lambda name=name: _share(of[name]) for name in SHARES},  # type: ignore[misc]
        "independent_avoided": lambda: _avoided(plan, case),
        "independent_avoided_gbp": lambda: _avoided_gbp(shown),
        "unmet": lambda: _by_year(plan.plan, case, "unmet"),
        "unmet_without": lambda: _by_year(plan.counterfactual, case, "unmet"),
        "latent": lambda: _by_year(plan.plan, case, "latent"),
        "kept_out_of_demand": lambda: {year: _number(shown_counts(count)) for year, count in of["kept_out_of_demand"].items()},
        "sensitivity": lambda: [_sensitivity_row(row, case) for row in of["sensitivity"]],
        "check": lambda: _check(of["check"], case),
        "notes": lambda: [shown_text(note, case) for note in of["notes"]],
        "inputs": lambda: {file: digest for file, digest in of["inputs"].items() if file.split(".")[0] not in OF_PERSONS},
    }
    kept = {name: step() for name, step in steps.items() if name in of}
    return kept | {"disclosure": case.disclosure, "withheld": sorted(set(of) - set(kept))}


def _sensitivity_row(row: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """What is assumed, the saving, and the independent placements avoided where the row tells them."""
    avoided = {"independent_avoided": _number(shown_counts(row["independent_avoided"]).item())} if "independent_avoided" in row else {}
    return {"what": row["what"], "value": row["value"], "saving_gbp": shown_money(row["saving_gbp"], case), **avoided}


def _check(found: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """What another solver says, its amounts as money is shown."""
    money = {name: value if value is None else shown_money(value, case) for name, value in found.items() if name.endswith("_gbp")}
    return dict(found) | money


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def _by_year(tables: PlanTables, case: Case, measure: str) -> dict[str, float | None]:
    totals = count_totals(tables, case, ["academic_year"], {measure: [measure]})
    return _years(totals.set_index("academic_year")[measure], case)


def _avoided(plan: Plan, case: Case) -> dict[str, float | None]:
    before, after = (
        count_totals(tables, case, ["academic_year"], WITH_PLAN).set_index("academic_year")["independent"]
        for tables in (plan.counterfactual, plan.plan)
    )
    return _years(before - after, case)


def _avoided_gbp(shown: Mapping[str, PlanTables]) -> dict[str, float | None]:
    before, after = (
        tables.costs[tables.costs["item"] == "independent_places"].set_index("year")["gbp"]
        for tables in (shown["counterfactual"], shown["plan"])
    )
    return {str(year): _number(value) for year, value in (before - after).items()}


def _years(values: pd.Series[float], case: Case) -> dict[str, float | None]:
    return {year: _number(values.get(year, 0.0)) for year in case.academic_years}


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
