"""Settings with their rolls and places, from the register and the placement totals of the base January.

The register counts pupils, not placements, and not on the same day: its rolls are lifted to the number of placements of the category,
which the statistics give. Where the register has a capacity it is kept; otherwise places follow the roll by a documented ratio.
Resourced provisions and SEN units are in the publisher's register only: elsewhere the council's published pupils are spread over its
largest mainstream schools. Every figure carries how it came about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.assumptions import Assumptions
from sufficiency.build.designation import GROUP_OF_CELL, GROUPS, PHASE_OF_CELL
from sufficiency.build.gravity import Floats
from sufficiency.terms import GROUP_OF_NEED, NEED_GROUPS

SPECIALIST_KINDS: Final = ("state_special", "ap", "non_maintained", "independent_special")
COLUMNS: Final = (
    "setting_id", "name", "kind", "council_code", "easting_m", "northing_m", "age_low", "age_high", "percentage_fsm", "sen_needs",
    "need_groups", "roll", "roll_status", "places", "places_status",
)  # fmt: skip
HALVES: Final = {"primary": (0, 1), "secondary": (2, 3, 4)}
"""Half of the school system -> positions of its phases."""
HALF_OF_PHASE: Final = {
    "Primary": "primary",
    "Middle deemed primary": "primary",
    "Secondary": "secondary",
    "Middle deemed secondary": "secondary",
    "All-through": "secondary",
}
AGES_OF_HALF: Final = {"primary": (3.0, 11.0), "secondary": (11.0, 19.0)}
"""Ages of a base where the register gives none for its school."""
FULL_BASE: Final = 1.05
"""A base whose places are known holds at most this many pupils per place before another is taken to exist."""


def specialist_settings(register: pd.DataFrame, placed: Mapping[str, float], assumptions: Assumptions) -> pd.DataFrame:
    """Special schools and AP settings in COLUMNS, with rolls lifted so that each kind sums to ``placed`` (pupils by kind).

    An unknown roll is the capacity times the kind's mean occupancy or, without a capacity, the median roll of its kind (estimated).
    Settings that the register knows to be empty are left out. Designations (``need_groups``) are empty: the fit finds them.
    """
    ratio = assumptions.table("supply.places_per_pupil")
    parts = []
    for kind in SPECIALIST_KINDS:
        own = register[register["kind"].eq(kind)].copy()
        capacity = own["places_pru"].fillna(own["capacity"]) if kind == "ap" else own["capacity"]
        capacity = capacity.where(capacity > 0)
        both = own["roll"].notna() & capacity.notna()
        occupancy = own.loc[both, "roll"].sum() / capacity[both].sum() if both.any() else np.nan
        known = own["roll"].notna()
        roll = own["roll"].fillna(capacity * occupancy).fillna(own.loc[own["roll"].gt(0), "roll"].median())
        lift = placed[kind] / roll.sum() if roll.sum() > 0 else 0.0
        own["roll"], own["roll_status"] = roll * lift, np.where(known, "derived", "estimated")
        own["places"] = capacity.fillna(own["roll"] * ratio[kind])
        own["places_status"] = np.where(capacity.notna(), "observed", np.where(known, "derived", "estimated"))
        parts.append(own[own["roll"].gt(0) | capacity.notna()])
    return _columns(pd.concat(parts, ignore_index=True))


def resourced_provisions(register: pd.DataFrame, resident: Mapping[str, Floats], assumptions: Assumptions) -> pd.DataFrame:
    """Resourced provisions and SEN units in COLUMNS; ``setting_id`` is the host's URN with ``-base``.

    ``resident``: council -> pupils placed in them by cell. Bases that the register knows keep their places and types; what they cannot
    hold is spread over the council's largest other mainstream schools, one main need group each, so that every group has a host.
    The roll of an estimated base is empty: the fit gives it.
    """
    size = assumptions.table("supply.base_places")
    hosts = register[register["kind"].eq("mainstream")].assign(half=register["education_phase"].map(HALF_OF_PHASE))
    hosts = hosts[hosts["half"].notna()].sort_values(["roll", "urn"], ascending=[False, True])
    by_council = dict(list(hosts.groupby("council_code")))
    parts = []
    for council, cells in resident.items():
        own = by_council.get(council, hosts.iloc[:0])
        for half, phases in HALVES.items():
            pupils = np.array([cells[(group == GROUP_OF_CELL) & np.isin(PHASE_OF_CELL, phases)].sum() for group in range(len(GROUPS))])
            parts.append(_bases_of_half(own[own["half"].eq(half)], pupils, size[half], half))
    bases = pd.concat(parts, ignore_index=True)
    bases["setting_id"] = bases["urn"] + "-base"
    bases["kind"] = "resourced_provision"
    return bases[list(COLUMNS)]


def _bases_of_half(hosts: pd.DataFrame, pupils: Floats, size: float, half: str) -> pd.DataFrame:
    """Bases of a council's primary or secondary schools for its pupils by group (hosts largest first)."""
    known = hosts[hosts["base_places"].gt(0)].copy()
    held = min(float(pupils.sum()), FULL_BASE * float(known["base_places"].sum()))
    known["roll"] = held * known["base_places"] / known["base_places"].sum()
    known["roll_status"], known["places_status"] = "derived", "observed"
    known["places"] = known["base_places"]
    rest = float(pupils.sum()) - held
    count = round(rest / size)
    if count == 0 and known.empty and pupils.sum() > 0:
        count = 1
    others = hosts[~hosts["base_places"].gt(0)]
    fresh = others.assign(whole=_whole(others, half)).sort_values("whole", ascending=False, kind="stable").head(count)
    fresh["roll"], fresh["places"] = np.nan, np.nan
    fresh["roll_status"] = fresh["places_status"] = "estimated"
    fresh["sen_needs"] = ""
    bases = pd.concat([known, fresh], ignore_index=True) if len(known) else fresh
    bases["need_groups"] = _one_group_each(bases, pupils)
    low, high = AGES_OF_HALF[half]
    bases["age_low"], bases["age_high"] = bases["age_low"].fillna(low), bases["age_high"].fillna(high)
    return bases


def _whole(hosts: pd.DataFrame, half: str) -> pd.Series:
    """Schools of the whole half (no infant and junior schools; secondary schools with a sixth form), as far as ages and name tell."""
    if half == "secondary":
        return ~hosts["age_high"].lt(18)
    return ~(hosts["age_low"].gt(5) | hosts["age_high"].lt(11) | hosts["name"].str.contains("infant|junior|first school", case=False))


def _one_group_each(bases: pd.DataFrame, pupils: Floats) -> list[str]:
    """Need groups of each base: the register's, else the group with most pupils still without a base; then every group gets one."""
    left = pupils.copy()
    share = pupils.sum() / max(len(bases), 1)
    groups: list[list[str]] = []
    for needs in bases["sen_needs"].fillna(""):
        registered = list(dict.fromkeys(GROUP_OF_NEED[need] for need in str(needs).split("|") if need))
        chosen = registered or [GROUPS[int(np.argmax(left))]]
        groups.append(chosen)
        for group in chosen:
            left[GROUPS.index(group)] -= share / len(chosen)
    taken = {group for chosen in groups for group in chosen}
    waiting = [GROUPS[i] for i in np.argsort(-pupils) if pupils[i] > 0 and GROUPS[i] not in taken]
    open_to_more = [chosen for chosen, needs in zip(groups, bases["sen_needs"].fillna(""), strict=True) if not needs] or groups
    for i, group in enumerate(waiting if open_to_more else []):
        open_to_more[i % len(open_to_more)].append(group)
    return ["|".join(group for group in NEED_GROUPS if group in chosen) for chosen in groups]


def _columns(settings: pd.DataFrame) -> pd.DataFrame:
    return settings.assign(setting_id=settings["urn"], need_groups="")[list(COLUMNS)]
