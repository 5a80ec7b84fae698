"""What serves whom: the default table of suitability.csv, which a case may replace.

State special schools serve every plan. Resourced provision and SEN units serve the moderate band of every group: 1.6 % of pupils with
severe learning difficulty are placed in one, so that no group is shut out, but only the few bases designated for it take it.
Independent and non-maintained special schools serve every plan. AP serves pupils without a plan, and of those with one SEMH in both bands
(63 % of the plans in AP) and the moderate band of the others, who are there today.

Versions: 2023 (units and resourced provision are no place for severe learning difficulty; AP is no lasting place for complex SEMH) and 2026
(inclusion bases serve the moderate band of every group; AP as it is used today). Both are readings of the intent, not the text of the
National Standards, which the data does not hold: marked assumed, and editable.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pandas as pd

from sufficiency.case import validated
from sufficiency.tables.read import read_table


def suitability_table(file: Path | None = None) -> pd.DataFrame:
    """The Suitability table: the default, or the user's own CSV. Raises InputError."""
    if file is not None:
        return read_table(file, "suitability")
    with resources.as_file(resources.files("sufficiency.build").joinpath("suitability.csv")) as path:
        return validated("suitability", pd.read_csv(path))
