"""The tables fit together: every id is found where it points, years are complete, placements add up to demand."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from sufficiency.case import file_of
from sufficiency.suitability import groups_suited, kinds_without_rule
from sufficiency.tables.checks.evidence import Evidence, Findings, largest, records
from sufficiency.tables.problems import InputProblem
from sufficiency.tables.schemas import PRIVATE
from sufficiency.terms import split_codes, start_of


def ids_join(evidence: Evidence) -> Findings:
    """Every id that points to another table is found there."""
    case = evidence.case
    areas, councils, pools = case.areas["area_id"], case.councils["council_code"], case.pools["pool_id"]
    sites = pd.concat([case.settings["setting_id"], case.projects["site_id"]])
    pointers: list[tuple[str, str, Iterable[str], str, str]] = [
        ("areas", "council_code", councils, "councils.csv", "error"),
        ("pupils", "area_id", areas, "areas.parquet", "error"),
        ("placements", "area_id", areas, "areas.parquet", "error"),
        ("placements", "pool_id", pools, "pools.csv", "error"),
        ("pools", "setting_id", case.settings["setting_id"], "settings.csv", "error"),
        ("projects", "council_code", councils, "councils.csv", "error"),
        ("projects", "from_pool_id", pools, "pools.csv", "error"),
        ("projects", "prerequisite", case.projects["project_id"], "projects.csv", "error"),
        ("travel", "area_id", areas, "areas.parquet", "error"),
        ("travel", "site_id", sites, "settings.csv or projects.csv", "warning"),
    ]
    for table, column, known, target, level in pointers:
        values = getattr(case, table)[column]
        broken = values.notna() & ~values.isin(set(known))
        yield from evidence.problems(
            table, broken, f"is not found in {target}", "Correct the id, or add the row it points to.", column, level=level
        )
    known_councils = set(councils)
    strange = case.funds["councils"].map(lambda cell: bool(set(split_codes(cell)) - known_councils))
    yield from evidence.problems(
        "funds", strange.astype(bool), "names a council that is not in councils.csv", "Name councils of the case only.", "councils"
    )
    without_areas = ~councils.isin(set(case.areas["council_code"]))
    yield from evidence.problems(
        "councils", without_areas, "has no area", "Add its areas, or remove the council.", "council_code", level="warning"
    )


def years_complete(evidence: Evidence) -> Findings:
    """Planning years follow the base year one by one, and every scenario has demand in each of them, its own or that of ``central``."""
    case = evidence.case
    starts = [start_of(year) for year in (case.base_year, *case.academic_years)]
    if starts != list(range(starts[0], starts[0] + len(starts))):
        years = ", ".join(case.academic_years)
        remedy = f"Begin with the academic year after {case.base_year} and leave none out."
        yield InputProblem(
            "case.toml", "planning years do not follow the base January one by one", remedy, column="academic_years", value=years
        )
    present = set(case.pupils[["scenario", "academic_year"]].drop_duplicates().itertuples(index=False, name=None))
    for scenario in sorted({scenario for scenario, _ in present}):
        for year in (case.base_year, *case.academic_years):
            if not {(scenario, year), ("central", year)} & present:
                message = f"scenario {scenario} has no row for {year}"
                yield InputProblem(file_of("pupils"), message, "Add the year for every area.", column="academic_year", value=year)


def streams_fit_needs(evidence: Evidence) -> Findings:
    """Need AP belongs to the stream ap and to no other."""
    pupils = evidence.case.pupils
    broken = (pupils["stream"] == "ap") != (pupils["need"] == "AP")
    yield from evidence.problems("pupils", broken, "stream and need do not fit", "Write need AP with stream ap, and only there.", "need")


def placements_add_up(evidence: Evidence) -> Findings:
    """Placements of the base January = placed pupils of the base year, by area, need group and phase (pupils)."""
    keys = ["area_id", "need_group", "phase"]
    base = evidence.demand[evidence.demand["academic_year"] == evidence.case.base_year]
    placed = evidence.case.placements.groupby(keys)["pupils"].sum()
    for scenario, rows in base.groupby("scenario", observed=True):
        demand = rows.astype(dict.fromkeys(keys, "str")).groupby(keys)["pupils"].sum()
        both = pd.concat([placed.rename("placed"), demand.rename("demand")], axis="columns").fillna(0.0)
        both["gap"] = both["placed"] - both["demand"]
        broken = both[both["gap"].abs() > 0.01 + 0.001 * both["demand"]]
        for key, row in largest(broken, "gap").iterrows():
            yield InputProblem(
                file_of("placements"),
                f"placements add up to {row['placed']:.3f} pupils, but pupils_placed of {evidence.case.base_year} ({scenario}) "
                f"is {row['demand']:.3f}",
                f"Make them equal; {len(broken)} groups differ, {both['gap'].sum():+.2f} pupils in all.",
                column=", ".join(keys),
                value=", ".join(str(part) for part in key) if isinstance(key, tuple) else str(key),
            )


def designations_fit(evidence: Evidence) -> Findings:
    """Placed pupils are in pools designated for them, and suitability says yes or no to each designation."""
    case = evidence.case
    offered = offers(case.pools.rename(columns={"pool_id": "id"}))
    allowed = set(zip(offered["id"], offered["need_group"], offered["phase"], strict=True))
    groups = case.placements[["pool_id", "need_group", "phase"]].drop_duplicates()
    pools = set(case.pools["pool_id"])
    outside = {key for key in groups.itertuples(index=False, name=None) if key not in allowed and key[0] in pools}
    if outside:
        index = pd.MultiIndex.from_frame(case.placements[["pool_id", "need_group", "phase"]])
        broken = pd.Series(index.isin(list(outside)) & (case.placements["pupils"] > 0).to_numpy())
        shown = case.placements["need_group"] + ", " + case.placements["phase"] + " in " + case.placements["pool_id"]
        remedy = "Add the group or phase to the pool in pools.csv, or place the pupils elsewhere."
        message = "pupils are in a pool that is not designated for their need group and phase"
        yield from evidence.problems("placements", broken, message, remedy, "pool_id", shown, level="warning")
    of_pools = evidence.pools.dropna(subset=["kind"])[["kind", "need_groups"]].rename(columns={"kind": "provision"})
    designated = pd.concat([of_pools, case.projects[["provision", "need_groups"]]]).drop_duplicates()
    wanted = {(row["provision"], group) for row in records(designated) for group in split_codes(row["need_groups"])}
    for kind, group in kinds_without_rule(case.suitability, wanted):
        message = "no rule says whether this kind of provision suits this need group"
        remedy = "Add a row for each severity, true or false."
        yield InputProblem(file_of("suitability"), message, remedy, column="kind, need_group", value=f"{kind}, {group}")
    served = groups_suited(case.suitability)
    unsuited = [
        not set(split_codes(groups)) <= served.get(provision, frozenset())
        for provision, groups in zip(case.projects["provision"], case.projects["need_groups"], strict=True)
    ]
    message, remedy = "is designated for a need group that its provision suits in no severity", "Correct need_groups, or suitability.csv."
    broken = pd.Series(unsuited, index=case.projects.index, dtype=bool)
    yield from evidence.problems("projects", broken, message, remedy, "need_groups", level="warning")


def locations_fit(evidence: Evidence) -> Findings:
    """Settings on the map have coordinates; unlocated kinds have none."""
    settings = evidence.case.settings
    located = settings["easting_m"].notna() & settings["northing_m"].notna()
    private = settings["kind"].isin(PRIVATE)
    yield from evidence.problems(
        "settings", ~located & ~private, "has no coordinates", "Give easting and northing in metres.", "setting_id"
    )
    remedy = "Leave easting and northing empty, or choose a kind that is on the map."
    yield from evidence.problems("settings", located & private, "is of a kind without a location but has coordinates", remedy, "setting_id")


def projects_fit_pools(evidence: Evidence) -> Findings:
    """What a project converts, replaces or keeps is there, and a committed project says how much and when."""
    case = evidence.case
    projects, pools = case.projects, case.pools.set_index("pool_id")
    adds = projects["effect"] == "add"
    has_pool = projects["from_pool_id"].notna()
    message, remedy = "names a pool although it only adds places", "Leave from_pool_id empty, or change the effect."
    only_adds = adds & (projects["disruption_places"] == 0)
    yield from evidence.problems("projects", only_adds & has_pool, message, remedy, "from_pool_id")
    message, remedy = "does not say which pool it converts, replaces or keeps", "Give from_pool_id."
    changes = ~projects["effect"].isin(["add", "grant"])
    yield from evidence.problems("projects", changes & ~has_pool, message, remedy, "project_id")
    places = projects["from_pool_id"].map(pools["places_total"]).astype("float64")
    at_risk = projects["from_pool_id"].map(pools["places_at_risk"]).astype("float64")
    message, remedy = "removes more places than the pool has", "Reduce places_removed, or correct the pool."
    yield from evidence.problems("projects", projects["places_removed"] > places + 1e-6, message, remedy, "places_removed")
    message, remedy = "keeps more places than are at risk in the pool", "Reduce places_kept, or correct places_at_risk of the pool."
    yield from evidence.problems("projects", projects["places_kept"] > at_risk + 1e-6, message, remedy, "places_kept")
    committed = projects["decision"] == "committed"
    message, remedy = "is committed but does not say how many places and from when", "Give committed_places and committed_start."
    incomplete = projects["committed_places"].isna() | projects["committed_start"].isna()
    yield from evidence.problems("projects", committed & incomplete, message, remedy, "project_id")
    message, remedy = "has more places at risk than places", "Reduce places_at_risk."
    yield from evidence.problems(
        "pools", case.pools["places_at_risk"] > case.pools["places_total"] + 1e-6, message, remedy, "places_at_risk"
    )
    message, remedy = "says from when places are at risk but not how many, or the other way round", "Give both or neither."
    half = (case.pools["places_at_risk"] > 0) != case.pools["at_risk_from"].notna()
    yield from evidence.problems("pools", half, message, remedy, "at_risk_from")
    message, remedy = "has more places for residents of the case than places in all", "Reduce places, or raise places_total."
    yield from evidence.problems("pools", case.pools["places"] > case.pools["places_total"] + 1e-6, message, remedy, "places")


def offers(table: pd.DataFrame) -> pd.DataFrame:
    """One row per id, need group and phase of a table with ``id``, ``need_groups`` and ``phases``."""
    rows = [
        (row["id"], group, phase)
        for row in records(table[["id", "need_groups", "phases"]])
        for group in split_codes(row["need_groups"])
        for phase in split_codes(row["phases"])
    ]
    return pd.DataFrame(rows, columns=["id", "need_group", "phase"])
