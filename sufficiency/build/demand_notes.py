"""What was derived on the demand side, and which returns look odd: notes for a case, and flags to look into."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from sufficiency.build.ap_stream import LAST_COUNTED
from sufficiency.build.council_tables import WITH_AGES, WITH_BANDS, WITH_NEEDS
from sufficiency.build.demand_ahead import QUANTILES, DemandAhead
from sufficiency.sources import ehc_plans
from sufficiency.sources.boundaries import SUCCESSORS, councils
from sufficiency.sources.ehc_plans import ENGLAND, NOT_RECORDED

ODD_GROWTH = 0.4
"""Yearly log growth of plans beside England's from which a return looks incomplete."""
ODD_INDEPENDENT = 0.5
"""Yearly log change of independent and non-maintained placements that looks like recoding, from ``FEW`` pupils on."""
FEW = 60
OFTEN_MISSING = 0.1
"""Share of plans without a recorded placement from which a council is named."""


def flags(data: Path, januaries: Iterable[int], only: Collection[str] | None = None) -> pd.DataFrame:
    """Returns to look into: council_code, council_name, january, flag, detail. Nothing is changed because of a flag.

    Flags: no_placements (x in the release), not_recorded, plans_jump, independent_jump. ``only``: ONS codes (None = all).
    """
    now = ehc_plans.caseload(data)
    now["independent"] = now["independent_special"] + now["non_maintained"]
    keys = ["january", "council_code"]
    before = now[[*keys, "ehc_plans", "independent"]].assign(january=now["january"] + 1)
    table = now.merge(before, on=keys, how="left", suffixes=("", "_before"))
    growth = pd.Series(np.log(table["ehc_plans"] / table["ehc_plans_before"]))
    of_england = growth[table["council_code"] == ENGLAND].set_axis(table.loc[table["council_code"] == ENGLAND, "january"])
    missing = table[NOT_RECORDED] / table["ehc_plans"]
    pairs = table[["independent", "independent_before"]]
    change = pd.Series(np.log(pairs["independent"].clip(lower=0.5) / pairs["independent_before"].clip(lower=0.5)))
    found = {
        "no_placements": (table["independent"].isna(), "{ehc_plans:,.0f} plans, placements not available"),
        "not_recorded": (missing > OFTEN_MISSING, "{not_recorded:,.0f} of {ehc_plans:,.0f} plans without a recorded placement"),
        "plans_jump": (
            (growth - table["january"].map(of_england)).abs() > ODD_GROWTH,
            "plans went from {ehc_plans_before:,.0f} to {ehc_plans:,.0f}, an incomplete return?",
        ),
        "independent_jump": (
            (change.abs() > ODD_INDEPENDENT) & (pairs.max(axis=1) >= FEW),
            "independent and non-maintained placements went from {independent_before:,.0f} to {independent:,.0f}, recoded?",
        ),
    }
    names = councils(data).set_index("council_code")["council_name"]
    wanted = table["january"].isin(list(januaries)) & table["council_code"].isin(list(names.index if only is None else only))
    flagged = []
    for flag, (odd, wording) in found.items():
        rows = table[odd & wanted]
        details = [wording.format_map({str(name): value for name, value in row.items()}) for row in rows.to_dict("records")]
        flagged.append(rows[keys].assign(council_name=rows["council_code"].map(names), flag=flag, detail=details))
    columns = ["council_code", "council_name", "january", "flag", "detail"]
    return pd.DataFrame(pd.concat(flagged)[columns]).sort_values(["january", "council_code"], ignore_index=True)


def notes(
    data: Path, base_january: int, januaries: Iterable[int], only: Collection[str] | None = None, ahead: DemandAhead | None = None
) -> list[str]:
    """Sentences for a case: every derived figure of its demand with the rule, then the flags of its councils.

    ``januaries``: those of the planning years; ``ahead``: the forecast that the later ones are taken from.
    """
    januaries = [base_january, *januaries]
    codes = set(councils(data)["council_code"] if only is None else only)
    said = [
        "Plans without a recorded placement are shared out by the council's recorded placements of the same need and age "
        "(completed totals, derived); the published totals are kept beside them.",
        "Pupils are split from councils to small areas by population of their age and deprivation (derived).",
    ]
    if base_january < WITH_NEEDS:
        said.append(
            f"Needs and ages of January {base_january} carry the council's mix of January {WITH_NEEDS} back, "
            f"fitted to the placements and age bands of {base_january} (derived)."
        )
    if base_january in WITH_BANDS and codes & {code for successors in SUCCESSORS.values() for code in successors}:
        said.append(
            f"Cumbria's figures before {WITH_AGES} are split as those of Cumberland, and of Westmorland and Furness, "
            f"stood to each other in January {WITH_AGES} (derived)."
        )
    if ahead is not None:
        low, high = (round(100 * quantile) for quantile in QUANTILES.values())
        said.append(
            f"After January {WITH_NEEDS} plans by council, need, phase and placement are the central path of the forecast; scenarios low "
            f"and high scale a council's pupils with a plan to the {low}th and {high}th percentile of its placed total (forecast). "
            "All councils are low, or high, at once: for several councils together that is wider than 80 %."
        )
        said.append("Pupils in AP without a plan are the same in every scenario.")
        names = councils(data).set_index("council_code")["council_name"]
        here = tuple(f"{names[code]}:" for code in sorted(codes))
        said += [f"{note}." for note in ahead.notes if note.startswith(("Residents:", *here))]
    said.append(f"Pupils in AP without a plan are estimated to January {LAST_COUNTED} and held at that level after it (low confidence).")
    odd = flags(data, [january for january in sorted(set(januaries)) if january <= WITH_NEEDS], codes)
    return said + [f"{row.council_name}, January {row.january}: {row.detail}" for row in odd.itertuples()]
