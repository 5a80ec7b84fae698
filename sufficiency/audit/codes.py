"""Codes as positions in arrays, shared by all parts of the audit.

Arrays are indexed by

    z areas   l councils   i pools (those of the case, then one per project that adds places)   t planning years (0 = the first)
    f families: need group x phase   c classes: family x band (moderate; complex; complex, independent only)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from sufficiency.audit.report import Bools, Floats, Ints
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import NEED_GROUPS, PHASES, SETTING_KINDS

GROUPS: Final = pd.Index(list(NEED_GROUPS))
PHASE_CODES: Final = pd.Index(list(PHASES))
KINDS: Final = pd.Index(list(SETTING_KINDS))
BANDS: Final = (("moderate", "any"), ("complex", "any"), ("complex", "independent_only"))
"""Severity and route of the bands of a family, in order."""
MODERATE, COMPLEX, INDEPENDENT_ONLY = range(3)

FAMILIES: Final = len(GROUPS) * len(PHASE_CODES)
CLASSES: Final = FAMILIES * len(BANDS)

STATE: Final = ("state_special", "resourced_provision", "ap")
WITH_PLAN: Final = ("non_maintained", "independent_special", "unlocated_independent")
"""Independent kinds for pupils with an EHC plan."""
UNLOCATED: Final = ("unlocated_independent", "unlocated_ap")
KM_PER_MILE: Final = 1.609344


def of_kind(kind: Ints, names: Iterable[str]) -> Bools:
    """Which of these kinds (positions in KINDS) are among the names."""
    return np.isin(kind, KINDS.get_indexer(pd.Index(list(names))))


def families(groups: pd.Series[Any], phases: pd.Series[Any]) -> Ints:
    """Family of each pair of need group and phase, -1 where either is unknown."""
    group, phase = positions(GROUPS, groups), positions(PHASE_CODES, phases)
    return np.where((group < 0) | (phase < 0), -1, group * len(PHASE_CODES) + phase)


def positions(index: pd.Index[Any], column: pd.Series[Any]) -> Ints:
    """Position of each value in the index, -1 where it is not there. Quick on long columns of few values."""
    codes, values = pd.factorize(column)
    found = np.append(index.get_indexer(pd.Index(values)), -1)
    return found[codes].astype(np.int64)


def known(index: pd.Index[Any], column: pd.Series[Any], table: str) -> Ints:
    found = positions(index, column)
    if (found < 0).any():
        lost = str(column[found < 0].iloc[0])
        raise InputError(
            [InputProblem(table, "id is not found in the case", "Run `sufficiency case check`.", column=str(column.name), value=lost)]
        )
    return found


def add_up(shape: tuple[int, ...], keys: tuple[Ints, ...], amount: Floats) -> Floats:
    """Amounts summed by key into an array of that shape."""
    flat = np.ravel_multi_index(keys, shape) if len(amount) else np.zeros(0, np.int64)
    return np.bincount(flat, weights=amount, minlength=int(np.prod(shape))).reshape(shape).astype(float)
