"""What a pack is made from: the part of a plan that concerns its councils, as the case's disclosure profile shows it.

Every figure of a pack passes here: tables of the shown plan, totals by ``totals``, and figures of areas by ``Shown``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure import Shown, count_totals, shown_by_variant, shown_case, shown_plan, shown_text
from sufficiency.outputs.pack.scope import Scope, scoped
from sufficiency.plan import Plan
from sufficiency.terms import INDEPENDENT_KINDS

INDEPENDENT: Final = tuple(sorted(INDEPENDENT_KINDS - {"unlocated_ap"}))
"""Placements that count as independent, as in plan.json; AP with no location is told apart."""
MEASURES: Final[Mapping[str, Sequence[str]]] = {
    "demand": ("demand",),
    "state": ("state_special", "resourced_provision", "ap"),
    "independent": INDEPENDENT,
    "unmet": ("unmet",),
    "in_new_places": ("in_new_places",),
    "latent": ("latent",),
}
"""What a pack counts -> columns of ``needs`` that add up to it."""
FEWEST_FOR_SHARES: Final = 20.0
"""In a protected case a share is told of so many pupils and more."""
BEFORE_AND_AFTER: Final = {"before": "counterfactual", "after": "plan"}


@dataclass(frozen=True)
class Whole:
    """An exact plan and its case, with what their profile shows of them: the one place where a pack asks for it, once for all packs."""

    exact: Plan
    exact_case: Case

    @cached_property
    def plan(self) -> Plan:
        """The plan as it may be shown."""
        return shown_plan(self.exact, self.exact_case)

    @cached_property
    def case(self) -> Case:
        """The case to draw with."""
        return shown_case(self.exact_case)

    @cached_property
    def shown(self) -> dict[str, Shown]:
        """Figures of areas, flows and settings by variant."""
        return shown_by_variant(self.exact, self.exact_case)


@dataclass(frozen=True)
class Material:
    """``plan``, ``case`` and ``shown`` may be printed as they are; the exact ones only through totals that hide small counts."""

    scope: Scope
    plan: Plan
    case: Case
    shown: Mapping[str, Shown]
    """By variant, as maps take it."""
    exact: Plan
    exact_case: Case
    whole: Whole

    @property
    def last(self) -> str:
        """The last planning year."""
        return self.case.academic_years[-1]

    @property
    def notes(self) -> list[str]:
        """What was derived and how, each note once, with numbers of pupils as they may be shown."""
        return list(dict.fromkeys([*self.plan.summary.get("notes", []), *(shown_text(note, self.case) for note in self.case.notes)]))

    @property
    def where(self) -> str:
        """Whom the pack is for, as titles say it."""
        return self.scope.name


def material(of: Whole, scope: Scope) -> Material:
    """The part that concerns the scope's councils. Use of a setting is that of all councils of the plan."""
    exact, exact_case = scoped(of.exact, of.exact_case, scope)
    plan, case = scoped(of.plan, of.case, scope)
    if exact is of.exact:
        return Material(scope, plan, case, of.shown, exact, exact_case, of)
    here = set(case.settings["setting_id"]) | set(plan.plan.projects["site_id"])
    shown = {
        name: replace(part, use=of.shown[name].use[of.shown[name].use["setting_id"].isin(here)])
        for name, part in shown_by_variant(exact, exact_case).items()
    }
    part = Material(scope, plan, case, shown, exact, exact_case, of)
    return replace(part, plan=replace(plan, summary=_summary(part)))


def totals(of: Material, by: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Pupils by ``by`` (some of council_code, need_group, phase, academic_year), before and after; NaN = hidden.

    One council's are taken from the whole plan's totals by council, so that they are the same in every output.
    """
    if not of.scope.is_council:
        return {s: count_totals(getattr(of.exact, variant), of.exact_case, list(by), MEASURES) for s, variant in BEFORE_AND_AFTER.items()}
    keys = ["council_code", *(name for name in by if name != "council_code")]
    found = {}
    for suffix, variant in BEFORE_AND_AFTER.items():
        table = count_totals(getattr(of.whole.exact, variant), of.whole.exact_case, keys, MEASURES)
        found[suffix] = table[table["council_code"].isin(of.scope.councils)].reset_index(drop=True)[[*by, *MEASURES]]
    return found


def added(table: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Sums of shown figures; what is hidden is left out, and a sum of nothing but hidden figures is hidden."""
    return table.groupby(list(by))[list(columns)].sum(min_count=1)


def least_for_shares(of: Material) -> float:
    """Pupils from whom on a share is told."""
    return 1e-9 if of.case.disclosure == "open" else FEWEST_FOR_SHARES


def hides(of: Material) -> str:
    """What a note says of sums in which small counts are left out."""
    return "" if of.case.disclosure == "open" else " Sums leave hidden counts out; all counts are rounded to 5."


def _summary(of: Material) -> dict[str, Any]:
    """plan.json with what can be told by council told for these; the rest is marked as the whole plan's."""
    projects = of.plan.plan.projects
    new = projects[(projects["decision"] == "open") & ~projects["effect"].isin(["improve", "grant"])]
    taken = of.case.projects.set_index("project_id")["places_removed"].reindex(new.loc[new["stage"] == 1, "project_id"])
    opened, removed = float(new["places"].sum()), float(taken.sum())
    years = of.case.academic_years
    before, after = (table.set_index("academic_year") for table in totals(of, ["academic_year"]).values())

    def told(values: pd.Series[float]) -> dict[str, float | None]:
        by_year = {year: float(values.get(year, 0.0)) for year in years}
        return {year: None if pd.isna(value) else value for year, value in by_year.items()}

    note = (
        f"The saving, its cash part, its ranges and the rule of thumb are those of the whole plan for {len(of.whole.case.councils)}"
        f" councils; all other figures are for {of.where}."
    )
    return {
        **of.plan.summary,
        "capital_gbp": float(projects["capital_gbp"].sum()),
        "places_opened": opened,
        "places_removed": removed,
        "new_places": opened - removed,
        "independent_avoided": told(before["independent"] - after["independent"]),
        "unmet": told(after["unmet"]),
        "unmet_without": told(before["unmet"]),
        "latent": told(after["latent"]),
        "notes": [note, *of.plan.summary.get("notes", [])],
    }
