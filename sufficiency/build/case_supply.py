"""The share of England's supply that concerns a case: placements of its residents, and the settings and pools that hold them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import pandas as pd

from sufficiency.assumptions import Assumptions
from sufficiency.build.gravity import CELLS, Flows, rebalanced
from sufficiency.build.supply import Supply
from sufficiency.terms import INDEPENDENT_KINDS, NEED_GROUPS, PHASES, SETTING_KINDS

LEAST_SHARE: Final = 0.01
LEAST_PLACES: Final = 0.5
"""A setting outside the case with less than this share of its pupils, and fewer places than this, from the case is left out."""
LEAST_PUPILS: Final = 0.004
"""Smaller placements of an area are rounded away, except the largest of its need group and phase."""
EXACT: Final = 1e-6
UNLOCATED_POOLS: Final = {"unlocated_independent": "unlocated-{}", "unlocated_ap": "unlocated-ap-{}"}
PLAN_GROUPS: Final = tuple(group for group in NEED_GROUPS if group != "AP")
CELL_KEYS: Final = ["area_id", "need_group", "phase"]


def case_placements(
    supply: Supply, msoas: pd.DataFrame, members: pd.DataFrame, cells: pd.Series, councils: Collection[str]
) -> pd.DataFrame:
    """Placements of the case's residents in the Placements schema; each area, need group and phase sums exactly to ``cells``.

    ``msoas``: area_id, council_code; ``members``: msoa_code, area_id, phase, share of the MSOA's pupils of the phase in the area;
    ``cells``: pupils placed in the base year by area_id, need_group and phase. Raises ValueError when the two sides count different pupils.
    """
    council = msoas.set_index("area_id")["council_code"]
    council = council[council.isin(list(councils))]
    kinds = supply.settings.set_index("setting_id")["kind"]
    on_map = supply.placed[supply.placed["area_id"].isin(council.index)].rename(columns={"setting_id": "pool_id"})
    elsewhere = supply.unlocated[supply.unlocated["area_id"].isin(council.index)]
    names = [UNLOCATED_POOLS[kind].format(council[area]) for kind, area in zip(elsewhere["kind"], elsewhere["area_id"], strict=True)]
    placed = pd.concat([on_map.assign(kind=on_map["pool_id"].map(kinds)), elsewhere.assign(pool_id=names)], ignore_index=True)
    kept = _without_marginal(placed, supply.settings, councils)
    spread = kept.rename(columns={"area_id": "msoa_code"}).merge(members, on=["msoa_code", "phase"])
    spread["pupils"] *= spread["share"]
    table = spread[["area_id", "pool_id", "kind", "need_group", "phase", "pupils"]].reset_index(drop=True)
    table = _summing_to(_without_tiny(table), cells)
    return table.assign(status="derived").sort_values(["area_id", "pool_id", "need_group", "phase"], ignore_index=True)


def _without_marginal(placed: pd.DataFrame, settings: pd.DataFrame, councils: Collection[str]) -> pd.DataFrame:
    """Without settings outside the case that hold nearly none of its residents; their pupils go to the other settings of the kind.

    A setting stays when some area has no other of the kind for a need group and phase.
    """
    pupils = placed.groupby("pool_id")["pupils"].sum()
    table = settings.set_index("setting_id")
    share = (pupils / table["held"]).reindex(table.index)
    few = share.lt(LEAST_SHARE) & (share * table["places"]).lt(LEAST_PLACES) & ~table["council_code"].isin(list(councils))
    marginal = placed["pool_id"].isin(table.index[few])
    keys = [*CELL_KEYS, "kind"]
    needed = placed.loc[~placed.assign(other=~marginal).groupby(keys)["other"].transform("any"), "pool_id"]
    kept = placed[~marginal | placed["pool_id"].isin(needed)]
    whole = placed.groupby(keys)["pupils"].transform("sum").reindex(kept.index)
    return kept.assign(pupils=kept["pupils"] * whole / kept.groupby(keys)["pupils"].transform("sum"))


def _without_tiny(table: pd.DataFrame) -> pd.DataFrame:
    """Without the smallest placements of each cell; what is left is scaled so that cells, pools and kinds keep their pupils."""
    by_cell = table.groupby(CELL_KEYS)["pupils"]
    kept = table[(table["pupils"] >= LEAST_PUPILS) | (table["pupils"] >= by_cell.transform("max"))]
    left = kept.groupby(CELL_KEYS)["pupils"].transform("sum")
    area, areas = pd.factorize(kept["area_id"])
    pool, pools = pd.factorize(kept["pool_id"])
    cell = pd.MultiIndex.from_tuples(CELLS).get_indexer(pd.MultiIndex.from_frame(kept[["need_group", "phase"]]))
    flows = Flows(area, cell, pool, (kept["pupils"] * by_cell.transform("sum").reindex(kept.index) / left).to_numpy())
    targets = table.groupby("pool_id")["pupils"].sum().reindex(pools)
    kinds = table.drop_duplicates("pool_id").set_index("pool_id")["kind"].reindex(pools)
    lost = table.groupby("kind")["pupils"].sum() / targets.groupby(kinds).sum()
    held = rebalanced(flows, (targets * kinds.map(lost)).to_numpy(), len(areas), rounds=40)
    return kept.drop(columns="kind").assign(pupils=held.pupils)


def _summing_to(table: pd.DataFrame, cells: pd.Series) -> pd.DataFrame:
    now = table.groupby(CELL_KEYS)["pupils"].sum()
    both = pd.concat([now.rename("placed"), cells.rename("pupils")], axis=1).fillna(0.0)
    if (both["placed"].gt(EXACT) & both["pupils"].le(0)).any() or (both["pupils"].gt(EXACT) & both["placed"].le(0)).any():
        raise ValueError("placements and pupils of the base year are of different areas, needs or phases")
    factor = (both["pupils"] / both["placed"]).rename("factor")
    scaled = table.join(factor, on=CELL_KEYS)
    scaled["pupils"] *= scaled["factor"]
    return scaled[scaled["pupils"] > 0].drop(columns="factor")


def case_pools(supply: Supply, placed: pd.DataFrame, councils: Collection[str], assumptions: Assumptions) -> pd.DataFrame:
    """Pools of the case in the Pools schema: one per setting that stands in it or holds its residents, and the unlocated ones.

    ``places`` is the part of all places that follows its residents' share of the pupils; a setting of the case adds its free places.
    An unlocated pool has as many places as it holds pupils in the base January.
    """
    pupils = placed.groupby("pool_id")["pupils"].sum()
    table = supply.settings[supply.settings["council_code"].isin(list(councils)) | supply.settings["setting_id"].isin(pupils.index)]
    table = table[table["need_groups"].ne("") & table["phases"].ne("")]
    own = table["setting_id"].map(pupils).fillna(0.0)
    share = (own / table["held"]).where(table["held"] > 0, 0.0).clip(upper=1.0)
    free = (table["places"] - table["held"]).clip(lower=0.0).where(table["council_code"].isin(list(councils)), 0.0)
    within = (table["places"] - free) * share
    growth = assumptions.number("independent.growth_per_year")
    located = pd.DataFrame(
        {
            "pool_id": table["setting_id"],
            "setting_id": table["setting_id"],
            "need_groups": table["need_groups"],
            "phases": table["phases"],
            "places": within + free,
            "places_total": table["places"],
            "growth_per_year": table["kind"].isin(INDEPENDENT_KINDS).astype(float) * growth,
            "status": np.where(table["places_status"].eq("estimated"), "estimated", "derived"),
        }
    )
    rows = []
    for council in sorted(councils):
        for kind, groups in (("unlocated_independent", PLAN_GROUPS), ("unlocated_ap", ("AP",))):
            pool_id = UNLOCATED_POOLS[kind].format(council)
            places = float(pupils.get(pool_id, 0.0))
            rows.append(
                {"pool_id": pool_id, "setting_id": pool_id, "need_groups": "|".join(groups), "phases": "|".join(PHASES), "places": places}
                | {"places_total": places, "growth_per_year": 0.0, "status": "derived"}
            )
    pools = pd.concat([located, pd.DataFrame(rows)], ignore_index=True)
    return pools.assign(place_cost_gbp_per_year=np.nan, places_at_risk=0.0, at_risk_from=None).sort_values("pool_id", ignore_index=True)


def case_settings(supply: Supply, pools: pd.DataFrame, councils: pd.DataFrame) -> pd.DataFrame:
    """Settings of these pools in the Settings schema. ``councils``: council_code, council_name of the case."""
    columns = [
        "setting_id",
        "name",
        "kind",
        "council_code",
        "easting_m",
        "northing_m",
        "age_low",
        "age_high",
        "roll",
        "places",
        "roll_status",
    ]
    located = supply.settings.loc[supply.settings["setting_id"].isin(pools["setting_id"]), [*columns, "places_status"]]
    rows = []
    places = pools.set_index("pool_id")["places_total"]
    for council, name in zip(councils["council_code"], councils["council_name"], strict=True):
        for kind, pool_id in UNLOCATED_POOLS.items():
            held = float(places[pool_id.format(council)])
            rows.append(
                {"setting_id": pool_id.format(council), "name": f"{SETTING_KINDS[kind]}: {name}", "kind": kind, "council_code": council}
                | {"easting_m": np.nan, "northing_m": np.nan, "age_low": np.nan, "age_high": np.nan, "roll": held, "places": held}
                | {"roll_status": "derived", "places_status": "derived"}
            )
    return pd.concat([located, pd.DataFrame(rows)], ignore_index=True).sort_values("setting_id", ignore_index=True)
