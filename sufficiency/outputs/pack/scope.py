"""Whom a pack is for: some councils of a case, with the part of the case and of its plan that concerns them.

Residents count where they live, settings where they stand. A setting elsewhere stays when residents of these councils use it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from sufficiency.build.partnerships import partnerships
from sufficiency.case import Case
from sufficiency.plan import Plan, PlanTables
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.terms import split_codes


@dataclass(frozen=True)
class Scope:
    """The councils that a pack is for."""

    name: str
    councils: tuple[str, ...]
    """ONS codes, in the order of the case."""

    @property
    def folder(self) -> str:
        """Name of the pack's folder: ``telford-and-wrekin``."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def is_council(self) -> bool:
        """Whether it is one council alone."""
        return len(self.councils) == 1


def whole_case(case: Case) -> Scope:
    """All councils of the case together; the council itself when there is only one."""
    codes = tuple(case.councils["council_code"])
    name = case.name.split(":")[0]
    return Scope(name if len(codes) > 1 else str(case.councils["council_name"].iloc[0]), codes)


def council_scopes(case: Case, codes: Sequence[str] | None = None) -> list[Scope]:
    """One scope per council, all by default. Raises InputError with every unknown code or name."""
    names = dict(zip(case.councils["council_code"].astype(str), case.councils["council_name"].astype(str), strict=True))
    by_name = {name.casefold(): code for code, name in names.items()}
    wanted = list(names) if codes is None else [by_name.get(code.casefold(), code) for code in codes]
    unknown = [code for code in wanted if code not in names]
    if unknown:
        remedy = f"Give a code or name of the case: {', '.join(f'{code} ({name})' for code, name in list(names.items())[:12])}."
        raise InputError([InputProblem("--council", "no such council in the case", remedy, value=code) for code in unknown])
    return [Scope(names[code], (code,)) for code in wanted]


def partnership_scope(case: Case, name: str) -> Scope:
    """A Change Programme Partnership whose councils are all in the case. Raises InputError for an unknown or incomplete one."""
    known = partnerships()
    title = {key.casefold(): key for key in known}.get(name.casefold())
    if title is None:
        raise InputError([InputProblem("--partnership", "no such partnership", f"Give one of {', '.join(known)}.", value=name)])
    names = {_plain(str(row.council_name)): str(row.council_code) for row in case.councils.itertuples()}
    found = {council: _code_of(council, names) for council in known[title]}
    missing = [council for council, code in found.items() if code is None]
    if missing:
        remedy = "Plan a case that holds all its councils, or name councils with --council."
        raise InputError([InputProblem("--partnership", f"the case lacks {', '.join(missing)}", remedy, value=title)])
    wanted = set(found.values())
    return Scope(f"{title} partnership", tuple(code for code in case.councils["council_code"] if code in wanted))


def region_scopes(case: Case) -> list[Scope]:
    """One scope per region of the case."""
    return [Scope(f"{region} region", tuple(group["council_code"])) for region, group in case.councils.groupby("region_name", sort=True)]


def scoped(plan: Plan, case: Case, scope: Scope) -> tuple[Plan, Case]:
    """The part of a plan and of its case that concerns the scope's councils; both unchanged when these are all of the case.

    The summary stays that of the whole plan.
    """
    if set(scope.councils) == set(case.councils["council_code"]):
        return plan, case
    areas = set(case.areas.loc[case.areas["council_code"].isin(scope.councils), "area_id"])
    variants = {name: _tables(getattr(plan, name), scope, areas) for name in ("plan", "counterfactual", "rule")}
    part = Plan(plan.summary, variants["plan"], variants["counterfactual"], variants["rule"])
    return part, _case(case, plan, variants, scope, areas)


def _tables(tables: PlanTables, scope: Scope, areas: set[str]) -> PlanTables:
    """Residents' rows, settings that stand here or that residents use, and funds that these councils draw on."""
    placements = tables.placements[tables.placements["area_id"].isin(areas)]
    funds = tables.funding.loc[_draws(tables.funding, scope), "fund_id"]
    kept = {}
    for name, table in vars(tables).items():
        if name == "placements":
            kept[name] = placements
        elif name == "places":
            kept[name] = table[table["council_code"].isin(scope.councils) | table["pool_id"].isin(placements["pool_id"].unique())]
        elif "council_code" in table.columns:
            kept[name] = table[table["council_code"].isin(scope.councils)]
        elif "home_council" in table.columns:
            kept[name] = table[table["home_council"].isin(scope.councils) | table["provider_council"].isin(scope.councils)]
        elif "from_fund" in table.columns:
            kept[name] = table[table["from_fund"].isin(funds) | table["to_fund"].isin(funds)]
        elif name == "funding":
            kept[name] = table[table["fund_id"].isin(funds)]
        else:
            kept[name] = table  # costs and limits: no column tells a council
    return PlanTables(**kept)


def _draws(table: pd.DataFrame, scope: Scope) -> pd.Series[bool]:
    """Whether any council of the scope may draw on a fund."""
    return table["councils"].map(lambda cell: bool(set(split_codes(cell)) & set(scope.councils))).astype(bool)


def _case(case: Case, plan: Plan, variants: dict[str, PlanTables], scope: Scope, areas: set[str]) -> Case:
    placements = case.placements[case.placements["area_id"].isin(areas)]
    used = set(case.pools.loc[case.pools["pool_id"].isin(placements["pool_id"]), "setting_id"])
    pools = {pool for tables in variants.values() for pool in tables.places["pool_id"]}
    used |= {setting for tables in variants.values() for setting in tables.places["setting_id"]}
    settings = case.settings[case.settings["council_code"].isin(scope.councils) | case.settings["setting_id"].isin(used)]
    settings = pd.concat([settings, _sites_elsewhere(plan, case, scope, used)], ignore_index=True)
    return replace(
        case,
        name=f"{scope.name}, in the plan for {whole_case(case).name}",
        areas=case.areas[case.areas["area_id"].isin(areas)].reset_index(drop=True),
        councils=case.councils[case.councils["council_code"].isin(scope.councils)].reset_index(drop=True),
        pupils=case.pupils[case.pupils["area_id"].isin(areas)].reset_index(drop=True),
        settings=settings,
        pools=case.pools[case.pools["setting_id"].isin(set(settings["setting_id"]))].reset_index(drop=True),
        placements=placements.reset_index(drop=True),
        projects=case.projects[case.projects["council_code"].isin(scope.councils) | case.projects["project_id"].isin(pools)].reset_index(
            drop=True
        ),
        funds=case.funds[_draws(case.funds, scope)],
        travel=case.travel[case.travel["area_id"].isin(areas)].reset_index(drop=True),
    )


def _sites_elsewhere(plan: Plan, case: Case, scope: Scope, used: set[str]) -> pd.DataFrame:
    """New sites of other councils' projects that residents use, in the form of settings, so that maps can place them."""
    built = pd.concat([plan.plan.projects, plan.counterfactual.projects, plan.rule.projects]).drop_duplicates("site_id")
    built = built[built["site_id"].isin(used - set(case.settings["setting_id"])) & ~built["council_code"].isin(scope.councils)]
    sites = built.drop(columns="kind").rename(columns={"site_id": "setting_id", "provision": "kind"})
    sites = sites.reindex(columns=case.settings.columns)
    return sites.assign(roll_status="derived", places_status="derived").astype(case.settings.dtypes.to_dict())


def _code_of(council: str, codes: dict[str, str]) -> str | None:
    """The code of a council by its plain name, or by its first words when only one begins with them."""
    name = _plain(council)
    begun = [code for full, code in codes.items() if full.startswith(f"{name} ")]
    return codes.get(name, begun[0] if len(begun) == 1 else None)


def _plain(name: str) -> str:
    """A council's name without what publishers write differently."""
    words = re.sub(r"[^a-z ]", " ", name.casefold()).split()
    return " ".join(word for word in words if word not in {"county", "city", "of", "borough", "the"})
