"""The figures of plan.json, worked out again, and whether plan.json states the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from sufficiency.audit.codes import WITH_PLAN, of_kind
from sufficiency.audit.costs import Lines, present_value
from sufficiency.audit.expected import Expected
from sufficiency.audit.report import Breach, beyond, differing, gbp_within, pupils_within
from sufficiency.audit.world import World
from sufficiency.case import case_hashes

GAP: Final = 1e-6
"""By how much a stated gap may differ, and share by which a bound may lie above the plan it bounds."""
IN_PUPILS: Final = ("places_opened", "places_removed", "new_places", "independent_avoided", "unmet")
"""Figures in places or pupils; all others are GBP."""


def recompute(facts: Expected, worlds: Mapping[str, World], costs: Mapping[str, Lines]) -> dict[str, Any]:
    """Figures of plan.json from the case and the decisions: GBP, present value; places; pupils by academic year."""
    total, cash = ({name: present_value(facts, lines, only) for name, lines in costs.items()} for only in (False, True))
    built = worlds["plan"].openings
    new = built[(built["case_decision"] != "committed") & ~built["case_effect"].isin(["improve", "grant"])]
    opened, removed = float(new["places"].sum()), float(new.loc[new["stage"] == 1, "case_places_removed"].sum())
    before, after = (_independent(facts, worlds[name]) for name in ("counterfactual", "plan"))
    return {
        "objective_gbp": total["plan"],
        "counterfactual_gbp": total["counterfactual"],
        "saving_gbp": total["counterfactual"] - total["plan"],
        "cash_saving_gbp": cash["counterfactual"] - cash["plan"],
        "rule_gbp": total["rule"],
        "rule_saving_gbp": total["counterfactual"] - total["rule"],
        "capital_gbp": float(built["due_gbp"].sum()),
        "places_opened": opened,
        "places_removed": removed,
        "new_places": opened - removed,
        "independent_avoided": _by_year(facts, before - after),
        "unmet": _by_year(facts, worlds["plan"].unmet.sum(axis=(0, 1))),
    }


def check_summary(summary: Mapping[str, Any], recomputed: Mapping[str, Any]) -> Iterator[Breach]:
    """A50: figures of plan.json; A51: bound and gaps."""
    for name, found in recomputed.items():
        stated = summary.get(name)
        figures, due = (value if isinstance(value, Mapping) else {"": value} for value in (stated, found))
        if sorted(figures) != sorted(due):
            yield Breach("A50", f"plan.json, {name}", "years are not the planning years", 0.0)
            continue
        places = [f"plan.json, {name} {year}".rstrip() for year in due]
        given, right = (np.array([_number(values[year]) for year in due]) for values in (figures, due))
        within = pupils_within if name in IN_PUPILS else gbp_within
        yield from differing("A50", "does not follow from the case and the decisions", given, right, within(right), places.__getitem__)
    yield from _bound(summary, recomputed)


def check_assumptions(facts: Expected, summary: Mapping[str, Any]) -> Iterator[Breach]:
    """A53: plan.json, where it lists the figures that differ from the defaults, lists those of the case."""
    listed, here = summary.get("assumptions_changed"), facts.figures.changed()
    if listed is None:
        return
    for name in sorted({*listed, *here}):
        if listed.get(name) != here.get(name):
            yield Breach(
                "A53",
                f"plan.json, assumptions_changed, {name}: {listed.get(name)}, case {here.get(name)}",
                "is another figure than the case's",
                0.0,
            )


def check_inputs(summary: Mapping[str, Any], case_folder: Path) -> Iterator[Breach]:
    """A52: plan.json names the files of the case folder by sha256."""
    named = summary.get("inputs") or {}
    here = case_hashes(case_folder)
    for file in sorted({*here, *named}):
        if here.get(file) != named.get(file):
            yield Breach("A52", f"plan.json, inputs, {file}", "is not the file of the case folder", 0.0)


def _bound(summary: Mapping[str, Any], recomputed: Mapping[str, Any]) -> Iterator[Breach]:
    cost, before, bound = recomputed["objective_gbp"], recomputed["counterfactual_gbp"], _number(summary.get("bound_gbp"))
    slack = np.array([GAP * max(1.0, abs(cost))])
    yield from beyond("A51", "bound lies above the plan (GBP)", np.array([bound - cost]), slack, ["plan.json, bound_gbp"].__getitem__)
    gaps = {"gap_of_cost": (cost - bound, cost), "gap_of_saving": (cost - bound, before - bound)}
    for name, (above, whole) in gaps.items():
        found = np.array([max(above, 0.0) / whole if whole > 1 else 0.0])  # a pound or less is no saving to take a share of
        given, tolerance = np.array([_number(summary.get(name))]), GAP + slack / max(whole, 1.0)
        message = "does not follow from plan, counterfactual and bound (share)"
        yield from differing("A51", message, given, found, tolerance, [f"plan.json, {name}"].__getitem__)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _independent(facts: Expected, world: World) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(T,) pupils with a plan in independent places."""
    rows = of_kind(facts.pools.kind[world.pool], WITH_PLAN)
    return np.asarray(world.pupils[rows].sum(axis=0))


def _by_year(facts: Expected, figures: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    return {str(year): float(figure) for year, figure in zip(facts.years, figures, strict=True)}
