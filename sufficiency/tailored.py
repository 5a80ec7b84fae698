"""The tailored list: which settings suit a pupil of this area, need and age, and how far away they are.

It lists what is designated for such a pupil; it neither judges a setting nor assigns a child to it. Settings with no location on the map
are left out, for nobody could visit them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import pandas as pd

from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import GROUP_OF_NEED, INDEPENDENT_KINDS, NEED_GROUPS, PHASES, SETTING_KINDS, SEVERITIES, split_codes

COST_TYPES: Final = {
    "state": "Place and top-up funding of a state-funded setting",
    "non_maintained": "Place funding and fee of a non-maintained special school",
    "independent": "Fee of an independent school",
}
COST_TYPE_OF: Final = {
    "state_special": "state",
    "resourced_provision": "state",
    "ap": "state",
    "non_maintained": "non_maintained",
    "independent_special": "independent",
}
"""Kind of setting -> cost type, for every kind with a location."""
ORDER: Final = {cost_type: place for place, cost_type in enumerate(COST_TYPES)}


class Listed(Protocol):
    """What a list is made from: these tables of a case, and no others."""

    @property
    def areas(self) -> pd.DataFrame:
        """Areas of residence."""

    @property
    def settings(self) -> pd.DataFrame:
        """Settings."""

    @property
    def pools(self) -> pd.DataFrame:
        """Places of settings."""

    @property
    def travel(self) -> pd.DataFrame:
        """Journeys, at least those of the area."""

    @property
    def suitability(self) -> pd.DataFrame:
        """What serves whom."""


@dataclass(frozen=True)
class ListTables:
    """These tables where the whole case is not at hand: a case of England has millions of journeys, a list needs those of one area."""

    areas: pd.DataFrame
    settings: pd.DataFrame
    pools: pd.DataFrame
    travel: pd.DataFrame
    suitability: pd.DataFrame


def tailored_list(
    case: Listed, area_id: str, need: str, age: int, severity: str | None = None, limit_min: float | None = None
) -> pd.DataFrame:
    """Settings that suit a pupil, in order: state-funded ones first, then non-maintained, then independent, the nearest first in each.

    ``need``: a primary need code or a need group; ``age``: at 31 August, 0 to 25; ``severity``: moderate or complex, None = either;
    ``limit_min``: longest journey in minutes one way. Columns: place (1 = first), setting_id, name, kind, kind_name, council_code,
    cost_type, independent (true or false), suits (severities joined by |), places (of the base year, in pools designated for the group
    and phase), minutes and km (one way), journey (how the time was found). Raises InputError with all that does not fit the case.
    """
    _refuse_misfits(case, area_id, need, age, severity)
    group, phase = GROUP_OF_NEED.get(need, need), phase_of(age)
    suits = _suiting_kinds(case, group, severity)
    table = case.settings[case.settings["kind"].isin(set(suits) & set(COST_TYPE_OF))]
    table = table[_takes(table["age_low"], table["age_high"], age)]
    table = table.merge(_designated_places(case, group, phase), on="setting_id", validate="one_to_one")
    journeys = case.travel[(case.travel["area_id"] == area_id) & case.travel["minutes"].notna()]
    table = table.merge(
        journeys[["site_id", "minutes", "km", "status"]].rename(columns={"site_id": "setting_id", "status": "journey"}),
        on="setting_id",
        validate="one_to_one",
    )
    if limit_min is not None:
        table = table[table["minutes"] <= limit_min]
    table = table.assign(
        kind_name=table["kind"].map(SETTING_KINDS),
        cost_type=table["kind"].map(COST_TYPE_OF),
        independent=table["kind"].isin(INDEPENDENT_KINDS),
        suits=table["kind"].map(suits),
        places=table["designated_places"],
    )
    table = table.sort_values(
        ["cost_type", "minutes", "setting_id"], key=lambda column: column.map(ORDER) if column.name == "cost_type" else column
    )
    columns = ["setting_id", "name", "kind", "kind_name", "council_code", "cost_type", "independent", "suits", "places", "minutes", "km"]
    result = table[[*columns, "journey"]].reset_index(drop=True)
    result.insert(0, "place", pd.Series(range(1, len(result) + 1), dtype="int64"))
    return result


def phase_of(age: int) -> str:
    """The phase of an age at 31 August, 0 to 25."""
    return next(phase for phase, (low, high) in PHASES.items() if low <= age <= high)


def _refuse_misfits(case: Listed, area_id: str, need: str, age: int, severity: str | None) -> None:
    problems = []
    if not (case.areas["area_id"] == area_id).any():
        problems.append(_fault("area_id", area_id, "the case has no such area", "Take a code of the case's table of areas."))
    if need not in GROUP_OF_NEED and need not in NEED_GROUPS:
        remedy = f"A need ({', '.join(GROUP_OF_NEED)}) or a need group ({', '.join(NEED_GROUPS)})."
        problems.append(_fault("need", need, "no such need", remedy))
    if not 0 <= age <= 25:
        problems.append(_fault("age", age, "outside 0 to 25", "Give the age at 31 August."))
    if severity is not None and severity not in SEVERITIES:
        problems.append(_fault("severity", severity, "no such severity", f"One of {', '.join(SEVERITIES)}."))
    if problems:
        raise InputError(problems)


def _suiting_kinds(case: Listed, group: str, severity: str | None) -> dict[str, str]:
    """Kind of setting -> the severities of the group that it suits, joined by |."""
    table = case.suitability
    wanted = [severity] if severity else list(SEVERITIES)
    rows = table[(table["need_group"] == group) & table["suitable"] & table["severity"].isin(wanted)]
    found = rows.groupby("kind")["severity"].agg(lambda column: "|".join(band for band in SEVERITIES if band in set(column)))
    return {str(kind): str(bands) for kind, bands in found.items()}


def _takes(low: pd.Series, high: pd.Series, age: int) -> pd.Series:
    """Whether the statutory ages hold the age; unknown ages shut nobody out."""
    return (low.isna() | (low <= age)) & (high.isna() | (high >= age))


def _designated_places(case: Listed, group: str, phase: str) -> pd.DataFrame:
    """setting_id and designated_places: places of the pools that serve the group and phase."""
    pools = case.pools
    serves_group = pools["need_groups"].map(lambda groups: group in split_codes(groups)).astype(bool)
    serves_phase = pools["phases"].map(lambda phases: phase in split_codes(phases)).astype(bool)
    found = pools[serves_group & serves_phase].groupby("setting_id")["places"].sum()
    return found.rename("designated_places").reset_index()


def _fault(column: str, value: object, message: str, remedy: str) -> InputProblem:
    return InputProblem("tailored list", message, remedy, column=column, value=str(value))
