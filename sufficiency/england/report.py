"""England's result as Markdown and as a screen."""

from __future__ import annotations

from typing import Any

import pandas as pd

NAMES = {
    "counterfactual": "only what is committed",
    "cheapest_per_place": "rule: cheapest GBP per place first",
    "cheapest_per_independent_avoided": "rule: cheapest GBP per independent placement avoided first",
    "formula_without_optimising": "each council's formula share to its largest needs, no cost compared",
    "plan": "plan",
    "pooled_by_region": "plan with budgets pooled within each region",
}


def report_text(found: dict[str, Any], regions: pd.DataFrame, happened: pd.DataFrame) -> str:
    """The whole page in Markdown."""
    parts = [f"# {found['title']}", _headline(found), _worlds(found), _years(found), _bought(found), _table(regions), _table(happened)]
    heads = [
        "",
        "",
        "## What each way of choosing costs",
        "## Year by year",
        "## What is bought",
        "## By region",
        "## Beside what happened",
    ]
    return "\n\n".join(f"{head}\n\n{part}".strip() for head, part in zip(heads, parts, strict=True)) + "\n"


def _headline(found: dict[str, Any]) -> str:
    return (
        f"{found['size']}.\n\n"
        f"GBP {found['capital_gbp'] / 1e6:,.0f}m buys {found['places']:,.0f} places and saves GBP {found['saving_gbp'] / 1e6:,.0f}m of "
        f"present value against building only what is committed. No plan can save more than "
        f"GBP {(found['cost_gbp']['counterfactual'] - found['bound_gbp']) / 1e6:,.0f}m: the plan is within {found['gap_of_cost']:.2%} of "
        f"the least cost and {found['gap_of_saving']:.1%} of the largest saving ({found['termination'].replace('_', ' ')}). "
        f"Of what lies between the better rule and the bound it closes {found['headroom_closed']:.0%}. "
        f"Capital paid back by lower place and travel cost, undiscounted: {found['payback_year']}. "
        f"Found in {found['wall_s']:,.0f} s ({found['cpu_s']:,.0f} CPU s), {found['peak_gb']:.1f} GB."
    )


def _worlds(found: dict[str, Any]) -> str:
    without = found["cost_gbp"]["counterfactual"]
    rows = [(NAMES[name], cost / 1e6, (without - cost) / 1e6) for name, cost in found["cost_gbp"].items()]
    rows.append(("bound: no plan without pooling costs less", found["bound_gbp"] / 1e6, (without - found["bound_gbp"]) / 1e6))
    return _table(pd.DataFrame(rows, columns=["choice of projects", "cost, GBP m present value", "saving, GBP m"]))


def _years(found: dict[str, Any]) -> str:
    table = pd.DataFrame.from_dict(found["by_year"], orient="index")
    return _table(table.rename_axis("academic year").reset_index())


def _bought(found: dict[str, Any]) -> str:
    parts = []
    for name in ("kind", "need", "phase", "region"):
        rows = list(found[f"places_by_{name}"].items())
        parts.append(_table(pd.DataFrame(rows, columns=[name, "places"])))
    return "\n\n".join(parts)


def _table(table: pd.DataFrame) -> str:
    """A Markdown table, numbers with thousands separators."""

    def shown(value: Any) -> str:
        if isinstance(value, float):
            return "" if value != value else f"{value:,.0f}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    lines = ["| " + " | ".join(str(column).replace("_", " ") for column in table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(shown(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)
