"""The tables of a pack, from the part of a plan that concerns its councils. All join by id and add up the plan's own tables."""

from __future__ import annotations

from math import nan
from typing import Final

import pandas as pd

from sufficiency.outputs.figures import by_year, project_list
from sufficiency.outputs.pack.material import BEFORE_AND_AFTER, Material, added, hides, least_for_shares, totals
from sufficiency.outputs.pack.table import Column, PackTable, made
from sufficiency.outputs.words import SENSITIVITIES
from sufficiency.terms import NEED_GROUPS, PROJECT_KINDS, SETTING_KINDS

EFFECTS: Final = {"add": "adds", "convert": "converts", "replace": "replaces", "improve": "keeps", "grant": "brings cash"}
DECISIONS: Final = {"open": "chosen", "committed": "already decided"}
BEFORE: Final = "with only what is already committed"


def pupils(name: str, heading: str, meaning: str = "", *, sums: bool = True) -> Column:
    """A column that counts pupils."""
    return Column(name, heading, "pupils", "decimal", meaning or heading, sums)


def pounds_column(name: str, heading: str, unit: str, meaning: str = "", *, sums: bool = True, formula: str = "") -> Column:
    """A column of money."""
    return Column(name, heading, unit, "pounds", meaning or heading, sums, formula)


def project_table(of: Material) -> PackTable:
    """What to build and when."""
    listed = project_list(of.plan.plan.projects, of.case)
    stages = of.plan.plan.projects.sort_values("stage").drop_duplicates("project_id").set_index("project_id")
    first = stages.reindex(listed["project_id"])
    rows = listed.assign(
        effect=first["effect"].map(EFFECTS).to_numpy(),
        starts=first["start_financial_year"].to_numpy(),
        decision=listed["decision"].map(DECISIONS),
        per_place_gbp=listed["capital_gbp"] / listed["places"].where(listed["places"] > 0),
    )
    columns = [
        Column("number", "No.", "number", "number", "Number of the project on the maps"),
        Column("project_id", "Project id", "id"),
        Column("name", "Project"),
        Column("council", "Council that pays"),
        Column("where", "Where"),
        Column("kind", "Kind"),
        Column("for_whom", "For whom", meaning="Need groups that the places are designated for"),
        Column("phases", "Phases"),
        Column("starts", "Starts", "financial year"),
        Column("opens", "Opens", "academic year", meaning="Academic year of the first places"),
        Column("stages", "Stages", meaning="Academic year and places of each opening"),
        Column("effect", "Effect", meaning="adds, converts or replaces places, keeps those that would be lost, or brings cash"),
        Column("places", "Places", "places", "number", "Places it opens or keeps", True),
        pounds_column("capital_gbp", "Capital", f"GBP, {of.case.price_base} prices", "Capital with optimism bias, undiscounted"),
        pounds_column(
            "per_place_gbp", "Capital per place", "GBP per place", "Capital over places", sums=False, formula="{capital_gbp}/{places}"
        ),
        Column("decision", "Decision", meaning="chosen by the plan, or already decided"),
    ]
    note = "One row per project, in the order of opening. Numbers are those on the maps."
    return made("projects", "What to build and when", note, columns, rows)


def new_places_table(of: Material) -> PackTable:
    """Places by what they are designated for."""
    listed = project_list(of.plan.plan.projects, of.case)
    effect = of.plan.plan.projects.drop_duplicates("project_id").set_index("project_id")["effect"]
    listed = listed.assign(effect=listed["project_id"].map(effect).map(EFFECTS))
    by = ["for_whom", "phases", "effect"]
    rows = listed.groupby(by, as_index=False).agg(
        projects=("project_id", "size"), places=("places", "sum"), capital_gbp=("capital_gbp", "sum")
    )
    columns = [
        Column("for_whom", "For whom"),
        Column("phases", "Phases"),
        Column("effect", "Effect"),
        Column("projects", "Projects", "projects", "number", "Number of projects", True),
        Column("places", "Places", "places", "number", "Places they open or keep", True),
        pounds_column("capital_gbp", "Capital", f"GBP, {of.case.price_base} prices"),
    ]
    note = "Places designated for several needs stand once, under all of them: a class may take any of these pupils."
    return made("new_places", "Places by need", note, columns, rows.sort_values("places", ascending=False))


def spend_table(of: Material) -> PackTable:
    """Payments by council, fund and financial year."""
    payments = of.plan.plan.payments.assign(council=_council_names(of.plan.plan.payments, of))
    years = sorted(payments["financial_year"].unique())
    wide = payments.pivot_table(index=["council", "fund_id"], columns="financial_year", values="amount_gbp", aggfunc="sum", fill_value=0.0)
    rows = wide.reindex(columns=years).assign(total_gbp=wide.sum(axis=1)).reset_index()
    unit = f"GBP, {of.case.price_base} prices"
    columns = [
        Column("council", "Council"),
        Column("fund_id", "Fund"),
        *(pounds_column(year, year, unit, f"Paid in {year}") for year in years),
        pounds_column("total_gbp", "Total", unit, "All years", formula="+".join(f"{{{year}}}" for year in years)),
    ]
    note = "Which fund pays for the projects of which council, by financial year (April to March)."
    return made("spend", "Money by council, fund and year", note, columns, rows)


def payments_table(of: Material) -> PackTable:
    """Payments in full: fund, council, kind of project and year."""
    rows = of.plan.plan.payments.assign(
        council=_council_names(of.plan.plan.payments, of), kind=of.plan.plan.payments["kind"].map(PROJECT_KINDS)
    )
    columns = [
        Column("fund_id", "Fund"),
        Column("council", "Council"),
        Column("kind", "Kind of project"),
        Column("financial_year", "Financial year", "year"),
        pounds_column("amount_gbp", "Paid", f"GBP, {of.case.price_base} prices"),
    ]
    return made("payments", "Payments by kind of project", "One row per fund, council, kind of project and financial year.", columns, rows)


FLOWS: Final = (
    ("carried_in_gbp", "Carried in", "From the year before", 1),
    ("allocated_gbp", "Allocated", "Allocation of the year", 1),
    ("granted_gbp", "Granted", "Received with projects (cash per place)", 1),
    ("transferred_in_gbp", "Transferred in", "Received from other funds", 1),
    ("spent_gbp", "Spent", "Spent on projects", -1),
    ("transferred_out_gbp", "Transferred out", "Given to other funds", -1),
    ("returned_gbp", "Returned", "Unspent above what may be carried forward", -1),
    ("carried_out_gbp", "Carried out", "Into the next year", -1),
)
"""Column of the plan's funding, heading, meaning, and whether it comes (1) or goes (-1)."""
NEVER_LEFT_OUT: Final = ("carried_in_gbp", "allocated_gbp", "spent_gbp", "returned_gbp", "carried_out_gbp")


def fund_table(of: Material) -> PackTable:
    """The cash of each fund by year, with a sum that must be nought. Grants and transfers have a column when there are any."""
    funding = of.plan.plan.funding.sort_values(["fund_id", "financial_year"])
    flows = [flow for flow in FLOWS if flow[0] in NEVER_LEFT_OUT or (flow[0] in funding.columns and funding[flow[0]].any())]
    signs = pd.Series({name: float(sign) for name, _, _, sign in flows})
    rows = funding.assign(check_gbp=funding[list(signs.index)].mul(signs).sum(axis=1).round(2))
    unit = f"GBP, {of.case.price_base} prices"
    formula = "".join(f"{'+' if sign > 0 else '-'}{{{name}}}" for name, _, _, sign in flows).lstrip("+")
    columns = [
        Column("fund_id", "Fund"),
        Column("councils", "Councils", "ONS codes", meaning="Councils that may draw on it"),
        Column("financial_year", "Financial year", "year"),
        *(pounds_column(name, heading, unit, meaning, sums="carried" not in name) for name, heading, meaning, _ in flows),
        pounds_column("check_gbp", "Check: 0", unit, "What comes less what goes", sums=False, formula=f"ROUND({formula},2)"),
    ]
    note = "What comes in equals what goes out. A fund shared with councils beyond this pack stands with all its money."
    return made("funds", "Cash of each fund by year", note, columns, rows)


def need_table(of: Material) -> PackTable:
    """Where the pupils of the last year are, by need group, before and after."""
    tables = {s: t[t["academic_year"] == of.last].set_index("need_group") for s, t in totals(of, ["need_group", "academic_year"]).items()}
    groups = [code for code in NEED_GROUPS if code in tables["after"].index]
    rows = pd.DataFrame({"need_group": [NEED_GROUPS[code] for code in groups]})
    for name in ("demand", "state", "independent", "unmet", "in_new_places"):
        for suffix, table in tables.items():
            rows[f"{name}_{suffix}"] = table[name].reindex(groups).to_numpy()
    rows = rows.rename(columns={"demand_after": "demand", "in_new_places_after": "in_new_places"})
    columns = [
        Column("need_group", "Need group"),
        pupils("demand", "Pupils who need a place", "Placed demand of the year"),
        pupils("state_before", "State places, before", f"In state special schools, resourced provisions, units and AP, {BEFORE}"),
        pupils("state_after", "State places, with the plan"),
        pupils("independent_before", "Independent, before", f"In non-maintained and independent places, {BEFORE}"),
        pupils("independent_after", "Independent, with the plan"),
        pupils("unmet_before", "No suitable place, before"),
        pupils("unmet_after", "No suitable place, with the plan"),
        pupils("in_new_places", "Of all, in new places", "Of all these pupils, in places that the plan opens"),
    ]
    note = (
        f"Residents in {of.last}. Before means {BEFORE}. Council-funded AP with no location is in the demand, not in the columns after it."
    )
    return made("needs", f"Pupils by need, {of.last}", note, columns, rows)


def kind_table(of: Material) -> PackTable:
    """Places and pupils by kind of provision in the first and last year."""
    frames, here = [], set(of.case.councils["council_code"])
    for year in dict.fromkeys((of.case.academic_years[0], of.last)):
        sums = {}
        for suffix, variant in BEFORE_AND_AFTER.items():
            places = getattr(of.plan, variant).places
            places = places[(places["academic_year"] == year) & places["council_code"].isin(here)]
            sums[suffix] = added(places, ["kind"], ["places", "pupils", "latent_pupils"])
        kinds = [kind for kind in SETTING_KINDS if kind in sums["after"].index]
        frame = pd.DataFrame({"kind": [SETTING_KINDS[kind] for kind in kinds], "academic_year": year})
        for suffix, table in sums.items():
            table = table.reindex(kinds)
            frame[f"places_{suffix}"] = table["places"].to_numpy()
            frame[f"pupils_{suffix}"] = (table["pupils"] + table["latent_pupils"].fillna(0.0)).to_numpy()
        frames.append(frame)
    columns = [
        Column("kind", "Kind of provision"),
        Column("academic_year", "Year", "academic year"),
        Column("places_before", "Places, before", "places", "decimal", f"Places open, {BEFORE}"),
        Column("places_after", "Places, with the plan", "places", "decimal"),
        pupils("pupils_before", "Pupils, before", sums=False),
        pupils("pupils_after", "Pupils, with the plan", sums=False),
    ]
    note = f"Places that stand in the councils of this pack, with all pupils in them. Before means {BEFORE}.{hides(of)}"
    return made("kinds", "Places by kind of provision", note, columns, pd.concat(frames, ignore_index=True))


def year_table(of: Material) -> PackTable:
    """The main figures by year."""
    years, here = list(of.case.academic_years), set(of.case.councils["council_code"])
    tables = {suffix: table.set_index("academic_year").reindex(years) for suffix, table in totals(of, ["academic_year"]).items()}
    new = of.plan.plan.places[of.plan.plan.places["is_new"] & of.plan.plan.places["council_code"].isin(here)]
    opened = by_year(new, "places")
    rows = pd.DataFrame({"academic_year": years, "demand": tables["after"]["demand"].to_numpy()})
    for name in ("independent", "unmet"):
        for suffix, table in tables.items():
            rows[f"{name}_{suffix}"] = table[name].to_numpy()
    for suffix, variant in BEFORE_AND_AFTER.items():
        rows[f"minutes_{suffix}"] = _travel(getattr(of.plan, variant).travel, ["academic_year"])["minutes"].reindex(years).to_numpy()
    rows["independent_avoided"] = rows["independent_before"] - rows["independent_after"]
    rows["new_places"] = [opened.get(year, 0.0) for year in years]
    rows["latent"] = tables["after"]["latent"].to_numpy()
    columns = [
        Column("academic_year", "Year", "academic year"),
        pupils("demand", "Pupils who need a place", sums=False),
        pupils("independent_before", "Independent, before", sums=False),
        pupils("independent_after", "Independent, with the plan", sums=False),
        Column(
            "independent_avoided",
            "Independent avoided",
            "pupils",
            "decimal",
            "Independent placements of the year that the plan makes unnecessary",
            formula="{independent_before}-{independent_after}",
        ),
        pupils("unmet_before", "No suitable place, before", sums=False),
        pupils("unmet_after", "No suitable place, with the plan", sums=False),
        Column("minutes_before", "Mean journey, before", "minutes, one way", "decimal"),
        Column("minutes_after", "Mean journey, with the plan", "minutes, one way", "decimal"),
        Column("new_places", "New places open", "places", "number", "Places of projects here that are open, committed ones included"),
        pupils("latent", "From mainstream into new places", "Pupils drawn from mainstream; not part of the demand", sums=False),
    ]
    note = f"Before means {BEFORE}. The mean journey is that of placed pupils whose setting has a location; independent places with no"
    note += " location have none, so the mean can rise when a pupil comes back from one of them into a place on the map."
    return made("years", "Year by year", note, columns, rows)


def travel_table(of: Material, by: str) -> PackTable:
    """Journeys of the last year before and after, by ``council_code`` or ``need_group``."""
    names = NEED_GROUPS if by == "need_group" else _names(of)
    tables = {}
    for suffix, variant in BEFORE_AND_AFTER.items():
        travel = getattr(of.plan, variant).travel
        tables[suffix] = _travel(travel[travel["academic_year"] == of.last], [by])
    groups = [code for code in names if code in tables["before"].index.union(tables["after"].index)]
    rows = pd.DataFrame({"group": [names[code] for code in groups]})
    for suffix, table in tables.items():
        for column in table.columns:
            rows[f"{column}_{suffix}"] = table[column].reindex(groups).to_numpy()
    what = "Need group" if by == "need_group" else "Council of residence"
    columns = [Column("group", what)]
    for name, heading, unit, form, sums in (
        ("pupils", "Pupils", "pupils", "decimal", True),
        ("minutes", "Mean journey", "minutes, one way", "decimal", False),
        ("over_45", "Over 45 minutes", "pupils", "decimal", True),
        ("over_75", "Over 75 minutes", "pupils", "decimal", True),
        ("cost_gbp", "Transport", "GBP per year", "pounds", True),
    ):
        columns += [Column(f"{name}_{s}", f"{heading}, {s}", unit, form, f"{heading} {s} the plan", sums) for s in ("before", "after")]
    note = f"Placed pupils whose setting has a location, {of.last}. Before means {BEFORE}.{hides(of)}"
    name = "travel_by_need" if by == "need_group" else "travel_by_council"
    return made(name, f"Journeys by {'need' if by == 'need_group' else 'council'}, {of.last}", note, columns, rows)


def access_table(of: Material) -> PackTable:
    """Pupils of the last year with a suitable state-funded place near by, by need group, before and after."""
    minutes = (20, 45, 75)
    tables = {}
    for suffix, variant in BEFORE_AND_AFTER.items():
        access = getattr(of.plan, variant).access
        counts = ["pupils", *(f"within_{limit}_min" for limit in minutes)]
        tables[suffix] = added(access[access["academic_year"] == of.last], ["need_group"], counts)
    groups = [code for code in NEED_GROUPS if code in tables["after"].index]
    rows = pd.DataFrame({"need_group": [NEED_GROUPS[code] for code in groups]})
    rows["pupils"] = tables["after"]["pupils"].reindex(groups).to_numpy()
    for limit in minutes:
        for suffix, table in tables.items():
            within, everyone = table[f"within_{limit}_min"].reindex(groups), table["pupils"].reindex(groups)
            rows[f"within_{limit}_{suffix}"] = (within / everyone.where(everyone >= least_for_shares(of))).to_numpy()
    columns = [Column("need_group", "Need group"), pupils("pupils", "Pupils who need a place")]
    for limit in minutes:
        for suffix in BEFORE_AND_AFTER:
            what = f"Share of these pupils within {limit} minutes of a suitable state-funded place, free or not, {suffix} the plan"
            columns.append(Column(f"within_{limit}_{suffix}", f"Within {limit} minutes, {suffix}", "share of pupils", "share", what))
    note = f"Residents in {of.last}. A place is suitable when it is designated for need and phase; it need not be free.{hides(of)}"
    return made("access", f"Pupils near a suitable place, {of.last}", note, columns, rows)


def avoided_table(of: Material) -> PackTable:
    """Independent placements by council in the last year."""
    tables = {
        s: t[t["academic_year"] == of.last].set_index("council_code") for s, t in totals(of, ["council_code", "academic_year"]).items()
    }
    names = _names(of)
    rows = pd.DataFrame({"council": list(names.values())})
    for suffix, table in tables.items():
        rows[suffix] = table["independent"].reindex(list(names)).to_numpy()
    rows["avoided"] = rows["before"] - rows["after"]
    columns = [
        Column("council", "Council of residence"),
        pupils("before", "Before", f"In non-maintained and independent places, {BEFORE}"),
        pupils("after", "With the plan"),
        Column("avoided", "Avoided", "pupils", "decimal", "Placements that the plan makes unnecessary", True, "{before}-{after}"),
    ]
    title = f"Independent placements avoided, {of.last}"
    return made(
        "avoided",
        title,
        "Residents of each council in the last planning year.",
        columns,
        rows.assign(avoided=rows["before"] - rows["after"]),
    )


def border_table(of: Material) -> PackTable:
    """Pupils placed across council borders in the last year, before and after."""
    names, key = _all_names(of), ["home_council", "provider_council", "sector"]
    tables = {}
    for suffix, variant in BEFORE_AND_AFTER.items():
        ledger = getattr(of.plan, variant).ledger
        ledger = ledger[(ledger["academic_year"] == of.last) & (ledger["home_council"] != ledger["provider_council"])]
        tables[suffix] = ledger.set_index(key)[["pupils", "adjustment_gbp"]].add_suffix(f"_{suffix}")
    rows = tables["before"].join(tables["after"], how="outer").reset_index()
    nobody = {suffix: ~pd.MultiIndex.from_frame(rows[key]).isin(table.index) for suffix, table in tables.items()}
    for suffix, absent in nobody.items():
        rows.loc[absent, [f"pupils_{suffix}", f"adjustment_gbp_{suffix}"]] = 0.0
    for column in ("home_council", "provider_council"):
        rows[column] = rows[column].map(lambda code: names.get(code, code))
    money = "Import and export adjustment that home pays provider, state provision"
    columns = [
        Column("home_council", "Council of residence"),
        Column("provider_council", "Council where the place stands"),
        Column("sector", "Sector", meaning="state or independent"),
        *(pupils(f"pupils_{s}", f"Pupils, {s}", f"Pupils placed there, {s} the plan") for s in BEFORE_AND_AFTER),
        *(pounds_column(f"adjustment_gbp_{s}", f"Adjustment, {s}", "GBP per year", f"{money}, {s} the plan") for s in BEFORE_AND_AFTER),
    ]
    note = f"Pupils who are placed outside their own council, {of.last}."
    return made("borders", f"Across council borders, {of.last}", note, columns, rows)


BLOCK: Final = (
    ("place_funding_gbp", "Place funding"),
    ("top_up_gbp", "Top-up"),
    ("fees_gbp", "Independent fees"),
    ("from_mainstream_gbp", "Pupils from mainstream"),
    ("import_export_gbp", "Import and export"),
)
"""Column of the plan's high needs block -> heading; they add up to the spending."""


def block_table(of: Material) -> PackTable:
    """What placed pupils cost the high needs block with the plan and before, and the balance where the block is known."""
    unit, key = f"GBP per year, {of.case.price_base} prices", ["council_code", "financial_year"]
    block = of.plan.plan.high_needs_block.sort_values(key)
    before = of.plan.counterfactual.high_needs_block[[*key, "spend_gbp"]].rename(columns={"spend_gbp": "before_gbp"})
    rows = block.merge(before, on=key, how="left", validate="one_to_one")
    rows = rows.assign(council=rows["council_code"].map(_names(of)), saved_gbp=rows["before_gbp"] - rows["spend_gbp"])
    columns = [
        Column("council", "Council"),
        Column("financial_year", "Financial year", "year"),
        *(pounds_column(name, heading, unit, sums=False) for name, heading in BLOCK),
        pounds_column("spend_gbp", "Spending with the plan", unit, formula="+".join(f"{{{name}}}" for name, _ in BLOCK), sums=False),
        pounds_column("before_gbp", "Spending before", unit, f"The same {BEFORE}", sums=False),
        pounds_column("saved_gbp", "Less with the plan", unit, formula="{before_gbp}-{spend_gbp}", sums=False),
    ]
    if rows["block_gbp"].notna().any():
        columns += [
            pounds_column("block_gbp", "Block", unit, "High needs block as entered", sums=False),
            pounds_column("balance_gbp", "Balance", unit, "Block less all spending, other spending included", sums=False),
        ]
    note = "What placed pupils cost the high needs block of each council: seven twelfths of an academic year and five of the year before."
    return made("high_needs_block", "The high needs block", note, columns, rows)


def range_table(of: Material) -> PackTable:
    """What the same projects save and avoid under other assumptions."""
    rows = []
    for row in of.plan.summary.get("sensitivity", []):
        what, form = SENSITIVITIES.get(row["what"], (row["what"], "{:g}".format))
        avoided = row.get("independent_avoided")
        rows.append(
            {"what": what, "value": form(row["value"]), "saving_gbp": row["saving_gbp"], "avoided": nan if avoided is None else avoided}
        )
    told = any("independent_avoided" in row for row in of.plan.summary.get("sensitivity", []))
    columns = [
        Column("what", "Assumption", meaning="What is changed; the projects stay the same"),
        Column("value", "At"),
        pounds_column("saving_gbp", "Saving of the whole plan", f"GBP, present value, {of.plan.summary['price_base']} prices", sums=False),
        *([pupils("avoided", f"Independent avoided, {of.last}", "Of all councils planned for", sums=False)] if told else []),
    ]
    note = (
        "The plan's projects are kept and one assumption is changed at a time. Figures are those of the whole plan, all councils together."
    )
    table = pd.DataFrame(rows, columns=["what", "value", "saving_gbp", "avoided"])
    return made("ranges", "How sure are saving and placements avoided?", note, columns, table)


def assumption_table(of: Material) -> PackTable:
    """All assumptions with their status."""
    rows = pd.DataFrame(
        [
            {"name": a.name, "value": _value(a.value), "unit": a.unit, "year": a.year, "status": a.status, "source": a.source}
            for a in of.case.assumptions
        ]
    )
    columns = [
        Column("name", "Assumption"),
        Column("value", "Value"),
        Column("unit", "Unit"),
        Column("year", "Year"),
        Column("status", "Status", meaning="sourced, derived, unverified, assumed, or user (changed for this case or plan)"),
        Column("source", "Source"),
    ]
    note = "sourced: read in the named source; derived: computed from it; unverified: to be checked; assumed: a choice; user: changed here."
    return made("assumptions", "Assumptions and their status", note, columns, rows)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {figure:g}" for key, figure in value.items())
    if isinstance(value, list):
        return ", ".join(f"{figure:g}" for figure in value)
    return f"{value:,g}" if isinstance(value, int | float) and abs(value) < 1e6 else f"{value:,}"


def _travel(travel: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Journeys added up; means weighted by the pupils for whom they are known."""
    known = travel["mean_min"].notna() & travel["pupils"].notna()
    table = travel.assign(minutes=(travel["mean_min"] * travel["pupils"]).where(known), timed=travel["pupils"].where(known))
    sums = added(table, by, ["pupils", "minutes", "timed", "over_45_min", "over_75_min", "travel_gbp"])
    sums["minutes"] /= sums.pop("timed").where(lambda timed: timed > 0)
    return sums.rename(columns={"over_45_min": "over_45", "over_75_min": "over_75", "travel_gbp": "cost_gbp"})


def _names(of: Material) -> dict[str, str]:
    """Council code -> name, in the order of the case."""
    return dict(zip(of.case.councils["council_code"].astype(str), of.case.councils["council_name"].astype(str), strict=True))


def _all_names(of: Material) -> dict[str, str]:
    """Council code -> name, councils beyond the pack included."""
    everyone = of.whole.case.councils
    return dict(zip(everyone["council_code"].astype(str), everyone["council_name"].astype(str), strict=True))


def _council_names(table: pd.DataFrame, of: Material) -> pd.Series[str]:
    return table["council_code"].map(_names(of))
