"""Whom a setting takes: phases from its ages, need groups from the register's need types or, failing these, from name and profile.

A gravity fit alone gives every school of a district the same mix of needs. Prior weights (designation_priors.toml) tell schools apart;
the fit then concentrates, and a setting is designated for the groups that make up most of its fitted roll.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sufficiency.build.gravity import CELLS, Floats
from sufficiency.terms import GROUP_OF_NEED, NEED_GROUPS, PHASES

GROUPS: Final = tuple(NEED_GROUPS)
PHASE_CODES: Final = tuple(PHASES)
GROUP_OF_CELL: Final = np.array([GROUPS.index(group) for group, _ in CELLS])
PHASE_OF_CELL: Final = np.array([PHASE_CODES.index(phase) for _, phase in CELLS])

LEAST_YEARS: Final = {"EY": 1, "PRI": 2, "SEC": 2, "P16": 1, "P19": 1}
"""A setting serves a phase when it takes at least this many of its year groups: a school for 10 to 19 is not a primary school."""
UNKNOWN_AGES: Final = ("PRI", "SEC", "P16")
"""Phases of a setting whose ages the register leaves blank and whose name does not tell."""
PHASE_NAMES: Final = (
    (r"\bnursery\b|early years", ("EY",)),
    (r"\bprimary\b|\binfants?\b|\bjunior\b|first school|preparatory", ("PRI",)),
    (r"\bsecondary\b|high school|upper school|\bks ?[34]\b|key stage [34]", ("SEC",)),
    (r"sixth form|post.?16|\b6th form", ("P16",)),
)

MOST_OF_ROLL: Final = 0.85
"""A setting is designated for the fewest groups that make up this share of its fitted roll ..."""
LARGE_GROUP: Final = 0.10
"""... and for every group of this share."""
LEAST_PUPILS: Final = 0.5
"""A group and phase with fewer pupils in a council than this asks for no setting of its own."""
COVERED: Final = 0.25
"""The settings designated for a group and phase hold at least this share of each council's pupils of the first fit."""


def phase_weights(settings: pd.DataFrame) -> Floats:
    """How much of each phase a setting serves, [settings, phases], 0 to 1, from age_low and age_high (or the name when they are empty).

    A school for 11 to 16 takes pupils aged 11 to 15 at 31 August; 19-year-olds stay only where the upper age is 19 or more.
    """
    weights = np.zeros((len(settings), len(PHASES)))
    rows: Iterable[Any] = settings.itertuples(index=False)
    for i, row in enumerate(rows):
        if np.isnan(row.age_low) or np.isnan(row.age_high):
            named = [phase for pattern, phases in PHASE_NAMES if re.search(pattern, row.name, re.IGNORECASE) for phase in phases]
            weights[i, [PHASE_CODES.index(phase) for phase in named or UNKNOWN_AGES]] = 1.0
            continue
        years = np.array([_years_served(phase, row.age_low, row.age_high) for phase in PHASES])
        wide = np.array([2, 6, 5, 3, 1])
        enough = years >= np.array(list(LEAST_YEARS.values()))
        if not enough.any():
            enough = years == years.max()
        weights[i] = np.where(enough, np.minimum(years / wide, 1.0), 0.0)
    return weights


def _years_served(phase: str, low: float, high: float) -> float:
    first, last = PHASES[phase]
    if phase == "P19":
        return float(high >= first)
    return max(0.0, min(last, high - 1) - max(first, low) + 1)


def group_weights(settings: pd.DataFrame) -> Floats:
    """How much the register speaks for each need group, [settings, groups]; 0 where its need types exclude the group.

    ``settings``: name, kind, age_low, age_high, percentage_fsm, sen_needs. AP settings always take pupils without a plan, nobody else does.
    """
    weights = np.ones((len(settings), len(GROUPS)))
    rows: Iterable[Any] = settings.itertuples(index=False)
    for i, row in enumerate(rows):
        types = {GROUP_OF_NEED[need] for need in str(row.sen_needs).split("|") if need}
        if types:
            weights[i] = [float(group in types) for group in GROUPS]
        else:
            for rule in _rules_of(row):
                weights[i] *= [rule["weights"].get(group, rule["others"]) for group in GROUPS]
        weights[i, GROUPS.index("AP")] = float(row.kind == "ap")
    return weights


def _rules_of(setting: Any) -> list[dict[str, Any]]:
    """Rules of the table that hold for a setting: those on its name or, failing them, the first profile that fits."""
    rules = _priors()
    named = [rule for rule in rules["name"] if setting.kind in rule["kinds"] and re.search(rule["pattern"], setting.name, re.IGNORECASE)]
    return named or [rule for rule in rules["profile"] if setting.kind in rule["kinds"] and _fits(setting, rule)][:1]


def _fits(setting: Any, rule: dict[str, Any]) -> bool:
    checks = (
        (setting.age_low, rule.get("age_low_from", -np.inf), rule.get("age_low_to", np.inf)),
        (setting.age_high, rule.get("age_high_from", -np.inf), rule.get("age_high_to", np.inf)),
        (setting.percentage_fsm if "free_meals_from" in rule else 0.0, rule.get("free_meals_from", -np.inf), np.inf),
    )
    return all(low <= value <= high for value, low, high in checks)


@cache
def _priors() -> dict[str, Any]:
    return tomllib.loads(resources.files("sufficiency.build").joinpath("designation_priors.toml").read_text(encoding="utf-8"))


def cell_weights(groups: Floats, phases: Floats) -> Floats:
    """[settings, cells] from [settings, groups] and [settings, phases]."""
    return groups[:, GROUP_OF_CELL] * phases[:, PHASE_OF_CELL]


def designations(mix: Floats) -> NDArray[np.bool_]:
    """Groups that a setting is designated for, [settings, groups]: the fewest that make up MOST_OF_ROLL, and all of LARGE_GROUP.

    ``mix``: fitted pupils by setting and group.
    """
    total = mix.sum(axis=1, keepdims=True)
    share = np.divide(mix, total, out=np.zeros_like(mix), where=total > 0)
    order = np.argsort(-share, axis=1, kind="stable")
    ranked = np.take_along_axis(share, order, axis=1)
    needed = (np.cumsum(ranked, axis=1) - ranked < MOST_OF_ROLL - 1e-12) & (ranked > 0)
    chosen = np.zeros(mix.shape, dtype=bool)
    np.put_along_axis(chosen, order, needed, axis=1)
    return np.asarray(chosen | (share >= LARGE_GROUP))


def covering(chosen: NDArray[np.bool_], by_council: Floats) -> NDArray[np.bool_]:
    """The designations, widened until small groups have somewhere to go.

    ``by_council`` [councils, settings, cells]: fitted pupils by council of residence. For each council and cell the settings with most of
    its pupils are added until COVERED of them are in designated settings: a group that is small everywhere is gathered in a few places.
    """
    wide = chosen.copy()
    for council in by_council:
        for cell in np.flatnonzero(council.sum(axis=0) >= LEAST_PUPILS):
            group = GROUP_OF_CELL[cell]
            pupils = council[:, cell]
            missing = COVERED * pupils.sum() - pupils[wide[:, group]].sum()
            for setting in np.argsort(-np.where(wide[:, group], 0.0, pupils), kind="stable"):
                if missing <= 1e-9:
                    break
                wide[setting, group] = True
                missing -= pupils[setting]
    return wide


def codes(chosen: NDArray[np.bool_], names: tuple[str, ...]) -> list[str]:
    """One list cell per row: names of the columns that are set, joined by ``|``."""
    return ["|".join(name for name, flag in zip(names, row, strict=True) if flag) for row in chosen]


def flags(cells: pd.Series, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """The reverse of ``codes``: [rows, names]."""
    return np.array([[name in cell.split("|") for name in names] for cell in cells], dtype=bool).reshape(len(cells), len(names))
