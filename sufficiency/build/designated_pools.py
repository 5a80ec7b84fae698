"""Places by need group: a school can't turn its places for one need into places for another from one September to the next.

Each located setting's places are split in proportion to the pupils of each need group whom the fit places there,
so that a pool serves one need group, in every phase of the setting. Changing that takes a project (a conversion).
"""

from __future__ import annotations

import pandas as pd


def by_need_group(pools: pd.DataFrame, placed: pd.DataFrame, fitted: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pools and placements with one pool per setting and need group: ``URN-GROUP``. Unlocated pools stay whole.

    ``fitted``: setting_id, need_group, pupils of all England's residents, which give the shares; a setting without any
    is shared evenly between its designations.
    """
    whole = pools["pool_id"].str.startswith("unlocated-")
    groups = pools[~whole].assign(need_group=pools["need_groups"].str.split("|")).explode("need_group")
    shares = fitted.groupby(["setting_id", "need_group"])["pupils"].sum().rename("share").reset_index()
    table = groups.merge(shares, on=["setting_id", "need_group"], how="left").fillna({"share": 0.0})
    total = table.groupby("pool_id")["share"].transform("sum")
    count = table.groupby("pool_id")["share"].transform("size")
    table["share"] = (table["share"] / total).where(total > 0, 1.0 / count)
    for column in ("places", "places_total", "places_at_risk"):
        table[column] *= table["share"]
    table["pool_id"] = table["pool_id"] + "-" + table["need_group"]
    table["need_groups"] = table["need_group"]
    split = pd.concat([table[pools.columns], pools[whole]], ignore_index=True).sort_values("pool_id", ignore_index=True)
    located = ~placed["pool_id"].str.startswith("unlocated-")
    renamed = placed["pool_id"].where(~located, placed["pool_id"] + "-" + placed["need_group"])
    return split[split["places_total"].gt(0) | split["pool_id"].isin(renamed)].reset_index(drop=True), placed.assign(pool_id=renamed)
