"""What the outputs show, computed once from a plan's tables: figures by area, use of settings, flows and projects.

Every function joins by id and raises KeyError when a plan names something that its case lacks.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.plan import Plan, PlanTables
from sufficiency.terms import INDEPENDENT_KINDS, NEED_GROUPS, PHASE_NAMES, PROJECT_KINDS, split_codes

ALL: Final = "ALL"
"""All need groups together, or the whole case."""

FLOW_PUPILS: Final = 5.0
"""Smaller flows from an area to a setting are not shown."""

VARIANTS: Final = {"counterfactual": "Before: only what is committed", "plan": "After: with the plan"}
"""The two sets of tables that maps compare -> what a reader is told."""

PROJECT_COLUMNS: Final = (
    "project_id", "name", "kind", "council", "where", "for_whom", "phases", "opens", "stages", "places", "capital_gbp", "decision",
    "easting_m", "northing_m",
)  # fmt: skip

NO_SETTING: Final = {"resourced_provision": "Mainstream school"}
"""Kind of project -> where it stands when its site is not among the settings; otherwise a new site."""

UNLOCATED_KINDS: Final = frozenset({"unlocated_independent", "unlocated_ap"})


def variants(plan: Plan) -> dict[str, PlanTables]:
    """The tables by variant, in the order of ``VARIANTS``."""
    return {name: getattr(plan, name) for name in VARIANTS}


def by_year(table: pd.DataFrame, column: str) -> dict[str, float]:
    """Sum of a column by academic year, in order."""
    return {str(year): float(total) for year, total in table.groupby("academic_year")[column].sum().sort_index().items()}


def mean_minutes(travel: pd.DataFrame) -> dict[str, float]:
    """Mean journey of placed pupils by academic year, minutes one way, from the rows of a plan's travel table that state one."""
    travel = travel[travel["mean_min"].notna()]
    weighted = travel.assign(pupil_minutes=travel["mean_min"] * travel["pupils"])
    minutes, pupils = by_year(weighted, "pupil_minutes"), by_year(travel, "pupils")
    return {year: minutes[year] / pupils[year] for year in pupils if pupils[year] > 0}


def placed_pupils(tables: PlanTables, case: Case) -> pd.DataFrame:
    """Pupils by area, pool, need group and year, with ``kind``, ``setting_id`` and ``minutes`` (empty where there is no location)."""
    return _with_journeys(tables.placements, tables.places[["pool_id", "kind", "setting_id"]].drop_duplicates("pool_id"), case)


def base_pupils(case: Case) -> pd.DataFrame:
    """``placed_pupils`` of the base January, from the case's own placements."""
    pools = case.pools[["pool_id", "setting_id"]].merge(case.settings[["setting_id", "kind"]], on="setting_id", validate="many_to_one")
    return _with_journeys(case.placements.assign(academic_year=case.base_year), pools, case)


def _with_journeys(placements: pd.DataFrame, pools: pd.DataFrame, case: Case) -> pd.DataFrame:
    placed = placements.groupby(["area_id", "pool_id", "need_group", "academic_year"])["pupils"].sum().reset_index()
    placed = placed.merge(pools, on="pool_id", how="left", validate="many_to_one")
    lost = placed.loc[placed["kind"].isna(), "pool_id"].unique()
    if len(lost):
        raise KeyError(f"pools that hold pupils but are not known: {', '.join(lost[:10])}")
    journeys: pd.DataFrame = case.travel[["area_id", "site_id", "minutes"]].rename(columns={"site_id": "setting_id"})
    return placed.merge(journeys, on=["area_id", "setting_id"], how="left", validate="many_to_one")


def area_figures(placed: pd.DataFrame, unmet: pd.DataFrame, case: Case) -> pd.DataFrame:
    """Figures by ``zone_id`` (area, council or ``ALL``), ``need_group`` (or ``ALL``) and ``academic_year``, zeros included.

    ``placed`` comes from ``placed_pupils``, ``unmet`` is the plan's table.
    Columns: ``pupils`` (placed), ``unmet``, ``independent`` (of those placed), all in pupils;
    ``travellers`` (placed pupils whose setting has a location) and ``pupil_minutes`` (one way, summed over them).
    """
    placed = placed.assign(
        independent=placed["pupils"].where(placed["kind"].isin(INDEPENDENT_KINDS), 0.0),
        travellers=placed["pupils"].where(placed["minutes"].notna(), 0.0),
        pupil_minutes=placed["pupils"] * placed["minutes"].fillna(0.0),
    )
    key = ["area_id", "need_group", "academic_year"]
    figures = placed.groupby(key)[["pupils", "independent", "travellers", "pupil_minutes"]].sum()
    figures = figures.join(unmet.groupby(key)["pupils"].sum().rename("unmet"), how="outer").fillna(0.0).reset_index()
    figures = figures.rename(columns={"area_id": "zone_id"})
    council = case.areas.set_index("area_id")["council_code"]
    lost = set(figures["zone_id"]) - set(council.index)
    if lost:
        raise KeyError(f"areas in the plan but not in the case: {', '.join(sorted(lost)[:10])}")
    zones = [figures, figures.assign(zone_id=figures["zone_id"].map(council)), figures.assign(zone_id=ALL)]
    groups = [frame for zone in zones for frame in (zone, zone.assign(need_group=ALL))]
    total = pd.concat(groups).groupby(["zone_id", "need_group", "academic_year"]).sum()
    present = [total.index.unique(level) for level in ("need_group", "academic_year")]
    everywhere = pd.MultiIndex.from_product([[*council.index, *case.councils["council_code"], ALL], *present], names=total.index.names)
    return total.reindex(everywhere, fill_value=0.0).reset_index()


def flows(placed: pd.DataFrame) -> pd.DataFrame:
    """Pupils by ``area_id``, ``setting_id`` and ``academic_year``, all need groups together, for flows of at least five pupils."""
    located = placed[~placed["kind"].isin(UNLOCATED_KINDS)]
    total = located.groupby(["area_id", "setting_id", "academic_year"])["pupils"].sum().reset_index()
    return total[total["pupils"] >= FLOW_PUPILS].reset_index(drop=True)


def setting_use(tables: PlanTables) -> pd.DataFrame:
    """Places and pupils by ``setting_id`` and ``academic_year``, summed over the setting's pools."""
    columns = ["places", "pupils", "latent_pupils", "over_places"]
    return tables.places.groupby(["setting_id", "academic_year"], as_index=False)[columns].sum()


def places_by_need(tables: PlanTables, case: Case) -> pd.DataFrame:
    """Places by ``setting_id``, ``need_group`` and ``academic_year``: those of pools that take the need, or all of them (``ALL``).

    A pool that takes several needs counts in full for each, so the needs do not add up to ``ALL``.
    """
    candidates = case.projects[["project_id", "need_groups"]].rename(columns={"project_id": "pool_id"})
    takes = pd.concat([case.pools[["pool_id", "need_groups"]], candidates], ignore_index=True)
    places = tables.places[["pool_id", "setting_id", "academic_year", "places"]].merge(
        takes, on="pool_id", how="left", validate="many_to_one"
    )
    lost = places.loc[places["need_groups"].isna(), "pool_id"].unique()
    if len(lost):
        raise KeyError(f"pools that hold places but are not known: {', '.join(lost[:10])}")
    return _by_need(places)


def places_of_pools(case: Case) -> pd.DataFrame:
    """``places_by_need`` of the base January."""
    return _by_need(case.pools[["setting_id", "need_groups", "places"]].assign(academic_year=case.base_year))


def _by_need(places: pd.DataFrame) -> pd.DataFrame:
    of_need = places.assign(need_group=places["need_groups"].map(split_codes)).explode("need_group")
    together = pd.concat([places.assign(need_group=ALL), of_need], ignore_index=True)
    key = ["setting_id", "need_group", "academic_year"]
    by_need: pd.DataFrame = together.groupby(key, as_index=False)[["places"]].sum(min_count=1)  # all hidden: no figure, not 0
    return by_need


def project_list(projects: pd.DataFrame, case: Case) -> pd.DataFrame:
    """One row per project of a plan, in the order of opening and then of size, with words in place of codes.

    Columns: ``number`` (1 = first), ``project_id``, ``name``, ``kind``, ``council``, ``where`` (setting; "New site" or
    "Mainstream school" when it is not among the settings), ``for_whom``, ``phases``, ``opens`` (academic year of the first places),
    ``stages`` (each opening and its places), ``places``, ``capital_gbp``, ``decision``, ``easting_m``, ``northing_m``.
    """
    setting = case.settings.set_index("setting_id")["name"].to_dict()
    council = case.councils.set_index("council_code")["council_name"].to_dict()
    stages = projects.sort_values(["project_id", "opens_academic_year", "stage"]).to_dict("records")
    rows = []
    for project_id, group in groupby(stages, key=itemgetter("project_id")):
        opening = list(group)
        first = opening[0]
        rows.append(
            {
                "project_id": project_id,
                "name": first["name"],
                "kind": PROJECT_KINDS[first["kind"]],
                "council": council[first["council_code"]],
                "where": setting.get(first["site_id"]) or NO_SETTING.get(first["kind"], "New site"),
                "for_whom": ", ".join(NEED_GROUPS[code] for code in split_codes(first["need_groups"])),
                "phases": ", ".join(PHASE_NAMES[code] for code in split_codes(first["phases"])),
                "opens": first["opens_academic_year"],
                "stages": "; ".join(f"{stage['opens_academic_year']}: {stage['places']:,.0f}" for stage in opening),
                "places": sum(stage["places"] for stage in opening),
                "capital_gbp": sum(stage["capital_gbp"] for stage in opening),
                "decision": first["decision"],
                "easting_m": first["easting_m"],
                "northing_m": first["northing_m"],
            }
        )
    table = pd.DataFrame(rows, columns=PROJECT_COLUMNS)
    table = table.sort_values(["opens", "places", "project_id"], ascending=[True, False, True], ignore_index=True)
    table.insert(0, "number", range(1, len(table) + 1))
    return table
