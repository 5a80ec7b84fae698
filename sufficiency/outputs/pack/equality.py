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
from sufficiency.disclosure import zones
from sufficiency.disclosure.rules import shown_mean, shown_totals
from sufficiency.outputs.figures import placed_pupils
from sufficiency.outputs.pack.material import BEFORE_AND_AFTER, INDEPENDENT, Material
from sufficiency.outputs.pack.table import Column, PackTable, made
from sufficiency.plan import PlanTables

FIFTHS: Final = ("Most deprived fifth", "Second fifth", "Middle fifth", "Fourth fifth", "Least deprived fifth")
KINDS_OF_AREA: Final[Mapping[str, str]] = {"urban": "Urban", "rural": "Rural", "london": "London"}
LONG_JOURNEY_MIN: Final = 45
FEWEST_FOR_SHARES: Final = 19.0
"""In a protected case a share is told of 20 pupils and more."""

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
    cells = {suffix: _by_zone(getattr(of.exact, variant), of) for suffix, variant in BEFORE_AND_AFTER.items()}
    rows = []
    for what, of_zone in _groups(of.case).items():
        shares = {suffix: _shares(table.assign(group=of_zone.reindex(table.index)), of) for suffix, table in cells.items()}
        for group in shares["after"].index.intersection(shares["before"].index):
            before, after = ({str(k): float(v) for k, v in shares[suffix].loc[group].items()} for suffix in ("before", "after"))
            pairs = {f"{name}_{s}": table[name] for name, *_ in MEASURES for s, table in (("before", before), ("after", after))}
            rows.append(
                {"what": what, "group": _label(what, str(group)), "everyone": after["everyone"], "new_after": after["new"], **pairs}
            )
    columns = [
        Column("what", "Looked at by"),
        Column("group", "Group"),
        Column("everyone", "Pupils", "pupils", "decimal", "Placed and waiting pupils who live there"),
    ]
    for name, heading, unit, form in MEASURES:
        columns += [Column(f"{name}_{s}", f"{heading}, {s}", unit, form, f"{heading}, {s} the plan") for s in ("before", "after")]
    columns.append(Column("new_after", "In new places", "share of pupils", "share", "Share of pupils in places that the plan opens"))
    note = (
        f"Residents in {of.last}. Deprivation is the index of multiple deprivation of the home area, in fifths of England."
        " Journeys are those of pupils whose setting has a location."
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


def _by_zone(tables: PlanTables, of: Material) -> pd.DataFrame:
    """Exact sums of the last year by area, or by zone where the case shows zones."""
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
    sums = sums.join(unmet, how="outer").fillna(0.0)
    if of.case.disclosure == "open":
        return sums
    return sums.groupby(zones(of.exact_case).reindex(sums.index)).sum().rename_axis("area_id")


def _shares(cells: pd.DataFrame, of: Material) -> pd.DataFrame:
    """Shares and means by group; NaN where they are hidden or nobody is there."""
    counts = ["everyone", "independent", "unmet", "new", "travellers", "long"]
    cells = cells.assign(everyone=cells["placed"] + cells["unmet"])
    exact = cells.groupby("group")[[*counts, "pupil_minutes"]].sum()
    if of.case.disclosure == "open":
        shown, minutes = exact[counts], exact["pupil_minutes"] / exact["travellers"].where(exact["travellers"] > 0)
    else:
        shown = shown_totals(cells.reset_index(drop=True), ["group"], counts).set_index("group")
        minutes = pd.Series(shown_mean(exact["pupil_minutes"], exact["travellers"], 1.0), exact.index)
    least = 0.0 if of.case.disclosure == "open" else FEWEST_FOR_SHARES
    everyone, travellers = (shown[name].where(shown[name] > least) for name in ("everyone", "travellers"))
    shares = {name: shown[name] / everyone for name in ("independent", "unmet", "new")}
    return pd.DataFrame({"everyone": shown["everyone"], **shares, "long": shown["long"] / travellers, "minutes": minutes})
