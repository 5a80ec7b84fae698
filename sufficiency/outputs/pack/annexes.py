"""Data annexes: the local inclusion plan's data and the grant return, as CSV with CSV on the Web metadata.

Neither form is published in full by the Department. The columns answer what its guidance asks for: places created by type, money spent
by year, need and where it is met; names of time and place follow its statistics service (``time_period``, ``new_la_code``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pandas as pd

from sufficiency.case import Case
from sufficiency.outputs.pack.content import DECISIONS, pounds_column, pupils
from sufficiency.outputs.pack.material import Material, totals
from sufficiency.outputs.pack.table import Column, PackTable, made
from sufficiency.terms import NEED_GROUPS, PHASE_NAMES, SETTING_KINDS, split_codes

KEY: Final = ["council_code", "need_group", "phase", "academic_year"]
CSVW_TYPES: Final = {"text": "string", "number": "number", "decimal": "number", "pounds": "number", "share": "number"}


def inclusion_plan_table(of: Material) -> PackTable:
    """Need and where it is met by council, need group, phase and year, before and after."""
    both = ["state", "independent", "unmet"]
    before, after = (table.set_index(KEY) for table in totals(of, KEY).values())
    rows = after.rename(columns={name: f"{name}_after" for name in both}).join(before[both].add_suffix("_before")).reset_index()
    councils = of.case.councils.set_index("council_code")
    rows = rows.assign(
        time_period=rows["academic_year"].str.replace("/", ""),
        time_identifier="Academic year",
        geographic_level="Local authority",
        country_code="E92000001",
        country_name="England",
        region_name=rows["council_code"].map(councils["region_name"]),
        new_la_code=rows["council_code"],
        la_name=rows["council_code"].map(councils["council_name"]),
        need_group=rows["need_group"].map(NEED_GROUPS),
        phase=rows["phase"].map(PHASE_NAMES),
    )
    columns = [
        Column("time_period", "time_period", "academic year", meaning="Academic year: 202223 is 2022/23"),
        Column("time_identifier", "time_identifier", meaning="Kind of year"),
        Column("geographic_level", "geographic_level", meaning="Kind of place"),
        Column("country_code", "country_code", "ONS code", meaning="England"),
        Column("country_name", "country_name", meaning="England"),
        Column("region_name", "region_name", meaning="Region"),
        Column("new_la_code", "new_la_code", "ONS code", meaning="Council of residence"),
        Column("la_name", "la_name", meaning="Council of residence"),
        Column("need_group", "need_group", meaning="Need group"),
        Column("phase", "phase", meaning="Phase by age at 31 August"),
        pupils("demand", "demand", "Pupils who need a specialist place or AP", sums=False),
        pupils("state_before", "state_before", "In state places, committed projects only", sums=False),
        pupils("state_after", "state_after", "In state places, with the plan", sums=False),
        pupils("independent_before", "independent_before", "In non-maintained and independent places, committed projects only", sums=False),
        pupils("independent_after", "independent_after", "In non-maintained and independent places, with the plan", sums=False),
        pupils("unmet_before", "unmet_before", "Without a suitable place, committed projects only", sums=False),
        pupils("unmet_after", "unmet_after", "Without a suitable place, with the plan", sums=False),
        pupils("in_new_places", "in_new_places", "In places that the plan opens", sums=False),
    ]
    note = "Need and where it is met, for the data annex of the local inclusion plan."
    return made("local_inclusion_plan", "Local inclusion plan: data annex", note, columns, rows)


def grant_return_table(of: Material) -> PackTable:
    """High needs provision capital return: places created by project and stage."""
    projects = of.plan.plan.projects.sort_values(["council_code", "opens_academic_year", "project_id", "stage"])
    settings = of.case.settings.set_index("setting_id")["name"]
    councils = of.case.councils.set_index("council_code")["council_name"]
    kept = projects["effect"] == "improve"
    rows = pd.DataFrame(
        {
            "new_la_code": projects["council_code"],
            "la_name": projects["council_code"].map(councils),
            "project_id": projects["project_id"],
            "project": projects["name"],
            "urn": projects["site_id"].where(projects["site_id"].str.fullmatch(r"\d{6}"), None),
            "setting": projects["site_id"].map(settings),
            "provision": projects["provision"].map(SETTING_KINDS),
            "need_groups": projects["need_groups"].map(lambda cell: ", ".join(NEED_GROUPS[code] for code in split_codes(cell))),
            "phases": projects["phases"].map(lambda cell: ", ".join(PHASE_NAMES[code] for code in split_codes(cell))),
            "stage": projects["stage"],
            "starts": projects["start_financial_year"],
            "opens": projects["opens_academic_year"],
            "places_created": projects["places"].where(~kept, 0.0),
            "places_kept": projects["places"].where(kept, 0.0),
            "capital_gbp": projects["capital_gbp"],
            "decision": projects["decision"].map(DECISIONS),
        }
    )
    columns = [
        Column("new_la_code", "new_la_code", "ONS code", meaning="Council that pays"),
        Column("la_name", "la_name", meaning="Council that pays"),
        Column("project_id", "project_id", "id", meaning="Project"),
        Column("project", "project", meaning="Name of the project"),
        Column("urn", "urn", "URN", meaning="Setting where it is built; empty for a new site"),
        Column("setting", "setting", meaning="Name of that setting; empty for a new site"),
        Column("provision", "provision", meaning="Kind of places"),
        Column("need_groups", "need_groups", meaning="Need groups they are designated for"),
        Column("phases", "phases", meaning="Phases they serve"),
        Column("stage", "stage", "stage", "number", "1 = first opening"),
        Column("starts", "starts", "financial year", meaning="Start of building"),
        Column("opens", "opens", "academic year", meaning="Places open"),
        Column("places_created", "places_created", "places", "number", "New places", True),
        Column("places_kept", "places_kept", "places", "number", "Places that would be lost otherwise", True),
        pounds_column("capital_gbp", "capital_gbp", f"GBP, {of.case.price_base} prices", "Capital with optimism bias"),
        Column("decision", "decision", meaning="chosen by the plan, or already decided"),
    ]
    note = "Places created with high needs capital, one row per project and stage. The money by fund and year is in grant_return_money.csv."
    return made("grant_return_places", "Grant return: places", note, columns, rows)


def write_annex(table: PackTable, folder: Path, case: Case) -> None:
    """Write ``<name>.csv`` and its CSVW metadata. Hidden figures are left empty."""
    path = folder / f"{table.name}.csv"
    table.rows.to_csv(path, index=False, encoding="utf-8", lineterminator="\r\n")
    about: dict[str, Any] = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": path.name,
        "dc:title": f"{case.name}: {table.title}",
        "dc:description": table.note,
        "dc:source": [f"{source.publisher}: {source.title}, {source.edition} ({source.licence})" for source in case.sources],
        "tableSchema": {
            "columns": [
                {
                    "name": column.name,
                    "titles": column.name,
                    "datatype": CSVW_TYPES[column.form],
                    "dc:description": column.meaning or column.heading,
                    "schema:unitText": column.unit,
                }
                for column in table.columns
            ]
        },
    }
    (folder / f"{table.name}.csv-metadata.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
