"""Equality annex: who gains, by deprivation of the home area, by kind of area and by council.

A plan knows areas, needs and phases, not persons. What else section 149 of the Equality Act 2010 protects has no data here, and the
annex says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.outputs.figures import ALL, placed_pupils
from sufficiency.outputs.pack.material import BEFORE_AND_AFTER, INDEPENDENT, Material, least_for_shares
from sufficiency.outputs.pack.table import Column, PackTable, made
from sufficiency.plan import PlanTables

FIFTHS: Final = ("Most deprived fifth", "Second fifth", "Middle fifth", "Fourth fifth", "Least deprived fifth")
KINDS_OF_AREA: Final[Mapping[str, str]] = {"urban": "Urban", "rural": "Rural", "london": "London"}
LONG_JOURNEY_MIN: Final = 45
HIDDEN_AS: Final = 2.5
"""What a hidden count of 1 to 4 adds to the sum of a group."""
PROTECTED_NOTE: Final = " Shares are of figures by zone as the map shows them; a hidden count adds 2.5."

NO_DATA: Final = (
    "sex",
    "race",
    "religion or belief",
    "sexual orientation",
    "gender reassignment",
    "pregnancy and maternity",
    "marriage and civil partnership",
)
"""Characteristics that the Act protects and the plan holds nothing about."""
IN_PART: Final[Mapping[str, str]] = {
    "disability": "every pupil in the plan has special educational needs or is in alternative provision; results by need group are in the"
    " tables by need",
    "age": "results by phase are in the workbook and the data annex",
}


def equality_table(of: Material) -> PackTable:
    """Shares and journeys of the last year by group, before and after."""
    protected = of.case.disclosure != "open"
    areas = {suffix: _by_area(of, variant) for suffix, variant in BEFORE_AND_AFTER.items()}
    rows = []
    for what, group_of in _groups(of.case).items():
        tables = {suffix: _shares(table, group_of, least_for_shares(of)) for suffix, table in areas.items()}
        for group in tables["after"].index.intersection(tables["before"].index):
            before, after = ({str(k): float(v) for k, v in tables[suffix].loc[group].items()} for suffix in ("before", "after"))
            everyone = round(after["everyone"] / 5) * 5 if protected else after["everyone"]
            pairs = {f"{name}_{s}": table[name] for name, *_ in MEASURES for s, table in (("before", before), ("after", after))}
            rows.append({"what": what, "group": _label(what, str(group)), "everyone": everyone, "new_after": after["new"], **pairs})
    columns = [
        Column("what", "Looked at by"),
        Column("group", "Group"),
        Column("everyone", "Pupils", "pupils", "decimal", "Placed and waiting pupils who live there"),
    ]
    for name, heading, unit, form in MEASURES:
        if name == "long" and protected:
            continue
        columns += [Column(f"{name}_{s}", f"{heading}, {s}", unit, form, f"{heading}, {s} the plan") for s in ("before", "after")]
    if not protected:
        columns.append(Column("new_after", "In new places", "share of pupils", "share", "Share of pupils in places that the plan opens"))
    note = (
        f"Residents in {of.last}. Deprivation is the index of multiple deprivation of the home area, in fifths of England."
        " Journeys are those of pupils whose setting has a location."
        f"{PROTECTED_NOTE if protected else ''}"
    )
    return made("equality", f"Who gains, {of.last}", note, columns, pd.DataFrame(rows, columns=[column.name for column in columns]))


MEASURES: Final = (
    ("independent", "In independent places", "share of pupils", "share"),
    ("unmet", "No suitable place", "share of pupils", "share"),
    ("long", f"Over {LONG_JOURNEY_MIN} minutes", "share of travellers", "share"),
    ("minutes", "Mean journey", "minutes, one way", "decimal"),
)


def _groups(case: Case) -> dict[str, pd.Series[str]]:
    """Way of looking -> group of each area (or zone) of the shown case."""
    areas = case.areas.set_index("area_id")
    fifths = ((areas["imd_decile"] + 1) // 2).astype(str)
    ways = {"Deprivation": fifths, "Kind of area": areas["travel_class"], "Council": areas["council_name"]}
    return {what: pd.Series(groups, dtype=str) for what, groups in ways.items() if what != "Council" or groups.nunique() > 1}


def _label(what: str, group: str) -> str:
    if what == "Deprivation":
        return FIFTHS[int(group) - 1]
    return KINDS_OF_AREA.get(group, group)


def _by_area(of: Material, variant: str) -> pd.DataFrame:
    """Sums of the last year by area: those of the plan; of zones, as the map shows them, in a protected case."""
    if of.case.disclosure == "open":
        return _exact(getattr(of.exact, variant), of)
    areas = of.shown[variant].areas
    areas = areas[(areas["need_group"] == ALL) & (areas["academic_year"] == of.last)].set_index("zone_id")
    areas = areas.reindex(of.case.areas["area_id"]).rename(columns={"pupils": "placed"})
    hidden = {name: areas[name].fillna(HIDDEN_AS) for name in ("unmet", "independent")}
    return areas[areas["placed"].notna()].assign(**hidden)


def _exact(tables: PlanTables, of: Material) -> pd.DataFrame:
    placed = placed_pupils(replace(tables, placements=tables.placements[tables.placements["academic_year"] == of.last]), of.exact_case)
    new = set(tables.places.loc[tables.places["is_new"], "pool_id"])
    count, minutes = placed["pupils"], placed["minutes"]
    sums = placed.assign(
        placed=count,
        independent=count.where(placed["kind"].isin(INDEPENDENT), 0.0),
        new=count.where(placed["pool_id"].isin(new), 0.0),
        travellers=count.where(minutes.notna(), 0.0),
        long=count.where(minutes > LONG_JOURNEY_MIN, 0.0),
        pupil_minutes=count * minutes.fillna(0.0),
    )
    sums = sums.groupby("area_id")[["placed", "independent", "new", "travellers", "long", "pupil_minutes"]].sum()
    unmet = tables.unmet[tables.unmet["academic_year"] == of.last].groupby("area_id")["pupils"].sum().rename("unmet")
    return sums.join(unmet, how="outer").fillna(0.0)


def _shares(areas: pd.DataFrame, group: pd.Series[str], least: float) -> pd.DataFrame:
    """Shares and means by group; NaN where fewer than ``least`` are in it or what is asked is not known."""
    columns = ["placed", "independent", "unmet", "new", "travellers", "long", "pupil_minutes"]
    sums = areas.reindex(columns=columns).groupby(group.reindex(areas.index)).sum(min_count=1)
    everyone, travellers = (sums["placed"] + sums["unmet"], sums["travellers"])
    shares = pd.DataFrame({"everyone": everyone})
    for name in ("independent", "unmet", "new"):
        shares[name] = sums[name] / everyone.where(everyone >= least)
    shares["long"] = sums["long"] / travellers.where(travellers >= least)
    shares["minutes"] = sums["pupil_minutes"] / travellers.where(travellers >= least)
    return shares
