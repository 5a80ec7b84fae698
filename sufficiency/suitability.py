"""What serves whom: the one table that acceptance, tailored lists, projects and checks read, in the version that holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from sufficiency.case import Case
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import PHASES, SETTING_KINDS, split_codes


def versions(case: Case) -> list[str]:
    """Versions of the case's table, the newest last."""
    return sorted(case.suitability["version"].unique())


def with_version(case: Case, version: str | None) -> Case:
    """The case with one version of the rules: the one named, or the newest. Raises InputError for an unknown one."""
    known = versions(case)
    if version is not None and version not in known:
        remedy = f"The case has: {', '.join(known)}."
        raise InputError([InputProblem("request", "no such version of suitability.csv", remedy, column="suitability", value=version)])
    chosen = case.suitability["version"] == (version or known[-1])
    return replace(case, suitability=case.suitability[chosen].reset_index(drop=True))


def serves(table: pd.DataFrame) -> pd.DataFrame:
    """kind, need_group, severity, phase, suitable with a row for every phase; of several versions the newest holds.

    A row of a phase counts before one for ``any`` phase.
    """
    newest = table[table["version"] == table["version"].max()]
    general = newest[newest["phase"] == "any"].drop(columns="phase").merge(pd.DataFrame({"phase": list(PHASES)}), how="cross")
    both = pd.concat([newest[newest["phase"] != "any"], general], ignore_index=True)
    columns = ["kind", "need_group", "severity", "phase"]
    rules: pd.DataFrame = both.drop_duplicates(columns)[[*columns, "suitable"]].reset_index(drop=True)
    return rules


def suited(case: Case) -> set[tuple[str, str, str, str]]:
    """(kind, need_group, severity, phase) of provision that suits."""
    table = serves(case.suitability)
    return set(table.loc[table["suitable"], ["kind", "need_group", "severity", "phase"]].itertuples(index=False, name=None))


def tailored_list(case: Case, area_id: str, need_group: str, severity: str, phase: str) -> pd.DataFrame:
    """Settings that suit a pupil of an area, nearest first: setting_id, name, kind, council_code, pool_id, minutes, km, places.

    It lists what suits and can be reached within the case's limit; it says nothing of free places and places nobody.
    """
    suits = suited(case)
    settings = case.settings.set_index("setting_id")
    pools = case.pools.assign(
        kind=case.pools["setting_id"].map(settings["kind"]),
        name=case.pools["setting_id"].map(settings["name"]),
        council_code=case.pools["setting_id"].map(settings["council_code"]),
    )
    offered = [
        need_group in split_codes(groups) and phase in split_codes(phases) and (kind, need_group, severity, phase) in suits
        for groups, phases, kind in zip(pools["need_groups"], pools["phases"], pools["kind"], strict=True)
    ]
    limit = case.assumptions.table("travel.limit_min").get(phase, 75.0) + case.assumptions.number("travel.soft_extra_min")
    journeys = case.travel[(case.travel["area_id"] == area_id) & (case.travel["minutes"] <= limit)]
    found = pools[np.array(offered, bool)].merge(journeys, left_on="setting_id", right_on="site_id", how="inner")
    columns = ["setting_id", "name", "kind", "council_code", "pool_id", "minutes", "km", "places"]
    return found.sort_values(["minutes", "setting_id"])[columns].reset_index(drop=True)


def groups_suited(table: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Kind of provision -> need groups that it suits in some severity and phase; a kind that suits none is not in it."""
    rules = serves(table)
    suitable = rules[rules["suitable"]]
    return {str(kind): frozenset(groups) for kind, groups in suitable.groupby("kind")["need_group"]}


def suited_projects(projects: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Projects designated only for need groups that their provision suits; one that is left without a group is dropped."""
    served = groups_suited(table)
    groups = [
        "|".join(group for group in split_codes(cell) if group in served.get(provision, ()))
        for provision, cell in zip(projects["provision"], projects["need_groups"], strict=True)
    ]
    kept = projects.assign(need_groups=groups)
    return kept[kept["need_groups"] != ""].reset_index(drop=True)


def designated_groups(projects: pd.DataFrame) -> list[str]:
    """Need groups of each project's places: its own, and sensory and physical needs where improved places gain wheelchair access."""
    access = projects["wheelchair_access"] & (projects["places_improved"] > 0)
    pairs = zip(projects["need_groups"], access, strict=True)
    return ["|".join(dict.fromkeys([*split_codes(groups), *(["PHYS"] if gains else [])])) for groups, gains in pairs]


def kinds_without_rule(table: pd.DataFrame, wanted: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(kind, need_group) pairs of those wanted about which some version of the table says nothing."""
    missing = set()
    for _, rules in table.groupby("version"):
        ruled = set(rules[["kind", "need_group"]].itertuples(index=False, name=None))
        missing |= {pair for pair in wanted if pair not in ruled and pair[0] in SETTING_KINDS}
    return sorted(missing)
