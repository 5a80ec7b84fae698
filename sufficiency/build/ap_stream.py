"""Pupils in alternative provision (AP) without an EHC plan, by council and phase: the second stream of demand.

AP counts include pupils with a plan, who are in the EHC stream already; they are taken out here:
state AP less the council's own plans placed in AP, council-funded and school-arranged AP by an assumed share.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.assumptions import Assumptions
from sufficiency.build.fitting import Figures, shares
from sufficiency.sources import alternative_provision
from sufficiency.sources.boundaries import SUCCESSORS, councils

PHASES = ("PRI", "SEC", "P16")
LAST_AGE = (10, 15, 25)
"""Children under 5 are counted as primary, the few over 18 as post-16."""
LAST_COUNTED = 2023
CATEGORIES = ("ap", "unlocated_ap")


def pupils_without_plan(data: Path, january: int, plans: Figures, plans_in_ap: Figures, assumptions: Assumptions) -> Figures:
    """Pupils [council, phase, category]: ``ap`` in state AP schools, ``unlocated_ap`` council-funded and school-arranged.

    ``plans`` and ``plans_in_ap``: EHC plans, and those placed in AP, by council in the January used, which is the given
    one or the last counted. School-arranged pupils (counted in January 2023 only) are full-time equivalents.
    """
    codes = list(councils(data)["council_code"])
    january = min(january, LAST_COUNTED)
    state = _count(data, codes, "state", january, plans)
    funded = _count(data, codes, "council_funded", january, plans)
    arranged = _count(data, codes, "school_arranged", LAST_COUNTED, plans)

    own = np.maximum(state - plans_in_ap, 0)
    without = own * ((state.sum() - plans_in_ap.sum()) / own.sum())
    funded = funded * (1 - assumptions.number("ap.plan_share_council_funded"))
    arranged = arranged * (1 - assumptions.number("ap.plan_share_school_arranged"))
    arranged = arranged * assumptions.number("ap.full_time_share_school_arranged")

    share = assumptions.table("ap.phase_share")
    phases = shares(np.array([share[phase] for phase in PHASES]), 0)
    located = without[:, None] * phases
    unlocated = arranged[:, None] * phases + funded[:, None] * _funded_phases(data, codes)
    return np.stack([located, unlocated], axis=2)


def _count(data: Path, codes: list[str], kind: str, january: int, plans: Figures) -> Figures:
    """Pupils by council; where a council gave no count, its nearest earlier one; successors by their EHC plans."""
    table = alternative_provision.counts(data)
    table = table[(table["kind"] == kind) & (table["january"] <= january)]
    by_january = table.pivot(index="council_code", columns="january", values="pupils").astype(float)
    counted = by_january.index[by_january[january].notna()]
    if kind == "council_funded":
        by_january = by_january.ffill(axis=1)
    figures = by_january[january].reindex(codes)
    for ended, successors in SUCCESSORS.items():
        if ended in counted:
            places = [codes.index(code) for code in successors]
            figures.iloc[places] = by_january[january][ended] * plans[places] / plans[places].sum()
    return figures.fillna(0.0).to_numpy()


def _funded_phases(data: Path, codes: list[str]) -> Figures:
    """Shares [council, phase] of council-funded pupils at the last count; England's where a council gave no ages."""
    table = alternative_provision.council_funded_ages(data)
    table = table[table["january"] == LAST_COUNTED]
    phase = pd.Series(np.searchsorted(LAST_AGE, table["age"]), index=table.index, name="phase")
    sums = table.groupby(["council_code", phase])["pupils"].sum().unstack(fill_value=0).astype(float)
    for ended, successors in SUCCESSORS.items():
        if ended in sums.index:
            sums = pd.concat([sums, pd.DataFrame([sums.loc[ended]] * len(successors), index=list(successors))])
    england = sums.sum(axis=0).to_numpy()
    return shares(sums.reindex(codes, fill_value=0.0).to_numpy(), 1, england)
