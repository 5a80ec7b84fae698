"""Demand after the last observed January: the forecast as the cells of the pupils table, and how low or high a council may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sufficiency.build.council_tables import JANUARIES
from sufficiency.build.fitting import Figures
from sufficiency.demand.forecast import HIGH, LOW, Forecast, forecast
from sufficiency.sources.ehc_plans import CATEGORIES, PLACED
from sufficiency.sources.sen2_history import NEEDS
from sufficiency.terms import PHASES

QUANTILES: Final = {"low": LOW, "high": HIGH}
"""Scenario beside central -> quantile of a council's placed pupils."""
PLACED_AT: Final = [CATEGORIES.index(category) for category in PLACED]


@dataclass(frozen=True)
class DemandAhead:
    """Forecast plans by January, all after the last observed one."""

    cells: dict[int, Figures]
    """[council, need, phase, category] in pupils: the central path."""
    factors: dict[str, dict[int, Figures]]
    """Scenario -> January -> [council]: its cells as a multiple of the central ones."""
    notes: tuple[str, ...]
    """What the forecast says of its rates, of residents and of returns that it mended."""


def demand_ahead(data: Path, councils: Sequence[str], last: int, progress: Callable[[str], None] | None = None) -> DemandAhead | None:
    """Plans of the councils (ONS codes) to January ``last``; None when that January is observed.

    Low and high are quantiles of each council's placed total over the forecast's draws: the quantiles of its cells would not
    add up to them, because not every cell is low at once. All cells of a council and January move by the same factor.
    Raises InputError for missing releases.
    """
    origin = JANUARIES[-1]
    if last <= origin:
        return None
    found = forecast(data, origin, years=last - origin, progress=progress)
    order = [found.councils.index(code) for code in councils]
    ahead = range(origin + 1, last + 1)
    cells = _cells(found)[:, order]
    placed = found.draws.pupils[order][:, PLACED_AT].sum(axis=1, dtype=float)
    central = cells[..., PLACED_AT].sum(axis=(2, 3, 4))
    factors = {}
    for scenario, quantile in QUANTILES.items():
        drawn = np.quantile(placed, quantile, axis=2).T
        factor = np.divide(drawn, central, out=np.ones_like(central), where=central > 0)
        factor = np.minimum(factor, 1.0) if quantile < 0.5 else np.maximum(factor, 1.0)
        factors[scenario] = {january: factor[january - origin] for january in ahead}
    return DemandAhead({january: cells[january - origin] for january in ahead}, factors, found.notes)


def _cells(found: Forecast) -> Figures:
    """[year, council, need, phase, category], scaled to the exact totals of council and category (the table leaves out tiny cells)."""
    names = {"council": found.councils, "need": NEEDS, "phase": list(PHASES), "category": CATEGORIES}
    shape = (len(found.januaries), *(len(values) for values in names.values()))
    table = found.table
    where = [table["january"].to_numpy() - found.origin]
    for name, values in names.items():
        places = {value: place for place, value in enumerate(values)}
        where.append(table[name].map(places).to_numpy())
    cells = np.zeros(shape)
    cells[tuple(where)] = table["central"].to_numpy()
    sums = cells.sum(axis=(2, 3))
    scale = np.divide(found.draws.central, sums, out=np.zeros_like(sums), where=sums > 0)
    return np.asarray(cells * scale[:, :, None, None, :])
