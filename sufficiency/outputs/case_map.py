"""What a map shows of a case before any plan: the base January, and the projects that may be built."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure import shown_base, shown_case
from sufficiency.outputs.figures import ALL, NO_SETTING, base_pupils, flows, places_of_pools
from sufficiency.outputs.map_data import (
    MapData,
    changes,
    figures_array,
    flow_columns,
    ground_of,
    labels,
    located_settings,
    lon_lat,
    places_array,
    use_array,
)
from sufficiency.outputs.map_page import as_json, zipped
from sufficiency.terms import NEED_GROUPS, PHASE_NAMES, PROJECT_KINDS, split_codes

CANDIDATES: Final = "candidates"
"""Name of the list of candidates beside the blocks."""


def write_case_map(case: Case, folder: Path) -> None:
    """Write the blocks of the map and the candidates into a new folder, each as gzip."""
    data = case_map_data(case)
    folder.mkdir()
    blocks = {"about": as_json(data.about), CANDIDATES: as_json(candidates(case)), **data.blocks}
    for name, block in blocks.items():
        (folder / f"{name}.gz").write_bytes(zipped(block))


def case_map_data(case: Case) -> MapData:
    """The blocks of ``map_data`` for the base January alone: one variant, one year, no projects.

    Unmet need is not known. Of a protected case neither flows nor the pupils of single settings are in it.
    """
    figures, drawn = shown_base(case).assign(unmet=float("nan")), shown_case(case)
    ground, sites = ground_of(drawn), located_settings(drawn)
    years, site_ids = [case.base_year], list(sites["site_id"])
    groups = [ALL, *(code for code in NEED_GROUPS if code in set(figures["need_group"]))]
    about = {**labels(drawn, ground, sites, groups), "variants": ["Now"], "years": years, "projects": []}
    blocks = {
        **ground.blocks,
        "figures": changes(figures_array([figures], drawn, years, ground.zones, groups)),
        "places": changes(places_array([places_of_pools(drawn)], years, site_ids, groups)),
        "use": changes(use_array([_use(case)], years, site_ids)),
        "flows": flow_columns([_flows(case)], drawn, years, site_ids),
    }
    return MapData(about, blocks)


def candidates(case: Case) -> list[dict[str, Any]]:
    """The projects that may be built, with words in place of codes and ``point`` in degrees."""
    setting = case.settings.set_index("setting_id")["name"].to_dict()
    council = case.councils.set_index("council_code")["council_name"].to_dict()
    rows = case.projects.to_dict("records")
    return [
        {
            "project_id": row["project_id"],
            "name": row["name"],
            "kind": PROJECT_KINDS[row["kind"]],
            "council": council.get(row["council_code"], row["council_code"]),
            "where": setting.get(row["site_id"]) or NO_SETTING.get(row["kind"], "New site"),
            "for_whom": ", ".join(NEED_GROUPS[code] for code in split_codes(row["need_groups"])),
            "phases": ", ".join(PHASE_NAMES[code] for code in split_codes(row["phases"])),
            "decision": row["decision"],
            "min_places": row["min_places"],
            "max_places": row["max_places"],
            "earliest_start": row["earliest_start"],
            "point": point,
        }
        for row, point in zip(rows, lon_lat(case.projects), strict=True)
    ]


def _use(case: Case) -> pd.DataFrame:
    pupils = case.placements.merge(case.pools[["pool_id", "setting_id"]], on="pool_id", validate="many_to_one")
    use: pd.DataFrame = pupils.groupby("setting_id", as_index=False)["pupils"].sum().assign(academic_year=case.base_year, latent_pupils=0.0)
    return use if case.disclosure == "open" else use.assign(pupils=float("nan"))


def _flows(case: Case) -> pd.DataFrame:
    lines = flows(base_pupils(case))
    return lines if case.disclosure == "open" else lines.iloc[:0]
