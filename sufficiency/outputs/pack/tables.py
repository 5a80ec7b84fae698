"""All tables of a pack by name, in the order of the workbook."""

from __future__ import annotations

from sufficiency.outputs.pack import content
from sufficiency.outputs.pack.annexes import grant_return_table, inclusion_plan_table
from sufficiency.outputs.pack.equality import equality_table
from sufficiency.outputs.pack.material import Material
from sufficiency.outputs.pack.not_chosen import not_chosen_table
from sufficiency.outputs.pack.table import PackTable


def pack_tables(of: Material) -> dict[str, PackTable]:
    """The tables of a pack, from what its profile shows of a plan."""
    tables = (
        content.year_table(of),
        content.project_table(of),
        content.new_places_table(of),
        content.spend_table(of),
        content.payments_table(of),
        content.fund_table(of),
        content.need_table(of),
        content.kind_table(of),
        content.travel_table(of, "council_code"),
        content.travel_table(of, "need_group"),
        content.access_table(of),
        content.avoided_table(of),
        content.border_table(of),
        content.block_table(of),
        content.range_table(of),
        equality_table(of),
        not_chosen_table(of),
        inclusion_plan_table(of),
        grant_return_table(of),
        content.assumption_table(of),
    )
    return {table.name: table for table in tables}
