"""The forecast in the form of the school capacity survey's SEND section: resident pupils with a plan who need a specialist place."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from sufficiency.demand.forecast import HIGH, LOW, Forecast
from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.terms import academic_year

PHASES: Final = {"primary": ((4, 10), 5, 1803001), "secondary": ((11, 17), 7, 1803011)}
"""Phase -> ages at 31 August (Reception to Year 6, Year 7 to 13), years ahead, code of its first planning area."""
PROVISION: Final = {
    "UR": ("SEN units and resourced provision", ("resourced_provision",)),
    "IN": ("Independent special schools", ("independent_special",)),
    "SS": ("State special schools, with non-maintained ones", ("state_special", "non_maintained")),
    "AP": ("Alternative provision", ("ap",)),
}
"""Provision in the order of the survey's planning areas."""


def scap_table(forecast: Forecast) -> pd.DataFrame:
    """council, planning_area, phase, provision, academic_year, low, central, high (pupils), years 1 to 5 or 7 ahead."""
    low, high = (
        pd.DataFrame(
            forecast.draws.ratios(q).reshape(-1),
            index=pd.MultiIndex.from_product([forecast.januaries, forecast.councils, CATEGORIES], names=["january", "council", "category"]),
            columns=[name],
        )
        for q, name in ((LOW, "low"), (HIGH, "high"))
    )
    parts = []
    for phase, ((first, last), years, code) in PHASES.items():
        ages = forecast.by_age[
            forecast.by_age["age"].between(first, last) & forecast.by_age["january"].between(forecast.origin + 1, forecast.origin + years)
        ]
        pupils = ages.groupby(["january", "council", "category"])["central"].sum().to_frame().join([low, high])
        for place, (provision, (title, categories)) in enumerate(PROVISION.items()):
            chosen = pupils[pupils.index.get_level_values("category").isin(categories)]
            bounds = chosen[["low", "high"]].mul(chosen["central"], axis=0).assign(central=chosen["central"])
            sums = bounds.groupby(["january", "council"]).sum().reset_index()
            parts.append(sums.assign(planning_area=str(code + place), phase=phase, provision=provision, title=title))
    table = pd.concat(parts, ignore_index=True)
    table["academic_year"] = [academic_year(january - 1) for january in table["january"]]
    figures = ["low", "central", "high"]
    table[figures] = np.round(table[figures], 1)
    columns = ["council", "planning_area", "phase", "provision", "title", "academic_year", *figures]
    return table.sort_values(["council", "planning_area", "academic_year"], ignore_index=True)[columns]
