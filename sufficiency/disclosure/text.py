"""Single figures and sentences as they may be shown."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from sufficiency.case import Case
from sufficiency.disclosure.rules import rounded, shown_counts

FEW: Final = "fewer than 5"
"""What stands in text where a count is hidden."""

MONEY_TO: Final = 500_000.0
"""GBP. Money that is not tied to one group of pupils is shown to about the yearly cost of five of the dearest places."""
COUNTED: Final = re.compile(r"\d[\d,]*(?:\.\d+)?(?=\s+(?:[\w-]+\s+)?(?:pupils?|child(?:ren)?|placements?|learners?|young people)\b)")


def shown_money(gbp: float | None, case: Case) -> float | None:
    """GBP of a headline; in a protected case to the nearest half million, about what five of the dearest places cost in a year."""
    if gbp is None or not np.isfinite(gbp) or case.disclosure == "open":
        return gbp
    return float(rounded(gbp, MONEY_TO))


def shown_text(text: str, case: Case) -> str:
    """A sentence in which, in a protected case, numbers of pupils are hidden or rounded as in the tables."""
    return text if case.disclosure == "open" else COUNTED.sub(lambda found: _as_table_shows(float(found[0].replace(",", ""))), text)


def shown_count(value: float | None, form: str = ",.0f") -> str:
    """A count of pupils in words: ``fewer than 5`` where it is hidden."""
    return FEW if value is None or np.isnan(value) else format(value, form)


def _as_table_shows(count: float) -> str:
    return shown_count(float(shown_counts(count)))
