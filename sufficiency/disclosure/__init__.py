"""Disclosure control: the one place that every figure passes on its way out of a case, a plan or the service.

A case is ``open`` (built from published data only: figures are exact and labelled as modelled) or ``protected`` (any person-level input).
Every function below takes the exact tables and the case, changes nothing in them, and is the identity for an open case, so that callers
never ask which profile holds. docs/disclosure.md says what is protected, how, and what is not.

For whoever writes an output or a route (folder, GeoPackage, map, workbook, papers, service):

``shown_plan(plan, case) -> Plan``              tables and headline; write, send and compare these, never the exact ones
``shown_tables(tables, case) -> PlanTables``    the same for the tables of one variant
``shown_case(case) -> Case``                    the case to draw with: areas with few pupils merged into zones, own counts blanked
``shown_by_variant(plan, case) -> {name: Shown}``  figures by zone and council, flows, and use of settings, for maps and layers
``shown_base(case) -> DataFrame``               the same for the base January
``shown_years(tables, case) -> {measure: {year: value}}``  the whole case by year: demand, unmet, drawn from mainstream, mean journey
``count_totals(tables, case, by, measures)``    pupils by council, need group, phase or year; sums of shown tables lack what is hidden
``shown_count(value, form)``                    a count in words: ``fewer than 5`` where it is hidden (NaN in tables, None in plan.json)
``shown_money(gbp, case)``, ``shown_text(text, case)``  a headline amount (of a running search, say) and a sentence of notes
``label(case)``                                 the sentence that every output carries

Four rules keep an output safe: it is made from the shown plan, the shown case and ``Shown`` alone; it filters and adds up shown figures
only (hidden ones count as unknown, not as nought); a comparison takes two shown plans; percentages and means are taken from shown figures.
Exact figures stay in the store: ``outputs.folder.write_plan(..., exact=True)`` keeps them in ``exact/`` for audit, what-if and warm starts,
and ``outputs.folder.read_exact_plan`` reads them.
"""

from sufficiency.disclosure.maps import Shown, shown_base, shown_by_variant, shown_years
from sufficiency.disclosure.plan import LABELS, label, shown_plan
from sufficiency.disclosure.specification import hideable_columns
from sufficiency.disclosure.tables import shown_tables
from sufficiency.disclosure.text import shown_count, shown_money, shown_text
from sufficiency.disclosure.totals import MEASURES, count_totals
from sufficiency.disclosure.zones import shown_case, zones

__all__ = [
    "LABELS",
    "MEASURES",
    "Shown",
    "count_totals",
    "hideable_columns",
    "label",
    "shown_base",
    "shown_by_variant",
    "shown_case",
    "shown_count",
    "shown_money",
    "shown_plan",
    "shown_tables",
    "shown_text",
    "shown_years",
    "zones",
]
