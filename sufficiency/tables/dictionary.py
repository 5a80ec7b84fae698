"""Writes docs/data-dictionary.md and docs/assumptions.md from the schemas, checks and defaults (``make docs``)."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sufficiency import terms
from sufficiency.assumptions import Assumption, Assumptions, default_assumptions
from sufficiency.case import Description, file_of
from sufficiency.tables.checks import CHECKS
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS
from sufficiency.tables.read import MAY_BE_EMPTY, rule_in_words
from sufficiency.tables.report_schemas import REPORT_SCHEMAS
from sufficiency.tables.schemas import OPTIONAL, SCHEMAS, Table

WRITTEN: Final = "<!-- Written by `make docs` from the code. Change the code, not this file. -->\n"
TYPES: Final = {"float64": "number", "int64": "whole number", "bool": "true or false"}
CODES: Final[dict[str, dict[str, str]]] = {
    "Needs": terms.NEEDS,
    "Need groups": terms.NEED_GROUPS,
    "Streams of demand": terms.STREAMS,
    "Severity bands": terms.SEVERITIES,
    "Phases": terms.PHASE_NAMES,
    "Kinds of provision": terms.SETTING_KINDS,
    "Kinds of project": terms.PROJECT_KINDS,
    "Kinds of fund": terms.FUND_KINDS,
    "Stages of a business case": terms.BUSINESS_CASES,
    "Wishes of a pin": terms.WISHES,
    "Groups of an equity floor": terms.EQUITY_GROUPS,
    "Measures of an equity floor": terms.EQUITY_MEASURES,
    "Statuses of a figure": terms.STATUSES,
}


def data_dictionary() -> str:
    """The tables of a case and of a plan, column by column, with codes and checks, as Markdown."""
    parts = [
        "# Data dictionary\n",
        WRITTEN,
        "A case is a folder: `case.toml`, the tables below, and optionally `assumptions.toml` (figures that differ from the defaults)\n"
        "and `case.json` (totals by council, `published` and `completed`). CSV files are UTF-8 with commas and one heading row;\n"
        "an empty cell means unknown and is never read as 0. Lists in a cell are joined by `|`. Coordinates are EPSG:27700 in metres.\n"
        "Academic years are written `2022/23` (pupils are counted in their January), financial years `2022-23`.\n",
        "## case.toml\n",
        _markdown(
            ["Entry", "What it holds"], [[f"`{name}`", _sentence(field.description)] for name, field in Description.model_fields.items()]
        ),
        "## Tables of a case\n",
        *(_table_section(f"{name} (`{file_of(name)}`)", schema, name in MAY_BE_EMPTY) for name, schema in SCHEMAS.items()),
        f"A case need not have {', '.join(f'`{name}`' for name in SCHEMAS if name in OPTIONAL)}: a file that is absent means no rows.\n",
        "## Tables of a plan\n",
        "The plan itself stands at the top of its folder, the same tables for the counterfactual (committed projects only) in\n"
        "`counterfactual/` and for the rule of thumb (cheapest GBP per place first) in `rule/`.\n",
        *(_table_section(f"{name} (`{name}.csv`)", schema, False) for name, schema in PLAN_SCHEMAS.items()),
        "## Tables of reports\n",
        "Written by `sufficiency journeys` and `sufficiency access`.\n",
        *(_table_section(f"{name} (`{name}.csv`)", schema, False) for name, schema in REPORT_SCHEMAS.items()),
        "## Codes\n",
        *(
            f"### {title}\n\n{_markdown(['Code', 'Meaning'], [[f'`{code}`', words] for code, words in codes.items()])}"
            for title, codes in CODES.items()
        ),
        "## Checks\n",
        "`sufficiency case check` runs these on a whole case. An error makes a plan wrong; a warning is for the planner to look at.\n"
        "A check whose reference table is not given says `not run: needs ...`.\n",
        _markdown(
            ["Check", "Title", "What it asks for"], [[code, title, _first_paragraph(check.__doc__)] for code, title, check in CHECKS]
        ),
    ]
    return "\n".join(parts)


def assumptions_list(assumptions: Assumptions) -> str:
    """Every default figure with unit, year, source and status, as Markdown."""
    parts = [
        "# Assumptions\n",
        WRITTEN,
        "Every default figure of the model. A case or a request overrides any of them by name, in `assumptions.toml`:\n",
        "```toml\n[costs]\nstate_special = 27_000\n\n[retention]\nSEC = 0.8\n```\n",
        "Status: *sourced* (read in the named source), *derived* (computed from it by the rule named),\n"
        "*unverified* (general knowledge, to be checked by the user), *assumed* (a modelling choice).\n",
    ]
    for section in dict.fromkeys(_section(entry) for entry in assumptions):
        entries = [entry for entry in assumptions if _section(entry) == section]
        rows = [[f"`{entry.name}`", _value(entry.value), entry.unit, entry.year, entry.source, entry.status] for entry in entries]
        parts += [f"## {section.capitalize()}\n", _markdown(["Name", "Value", "Unit", "Year", "Source", "Status"], rows)]
    return "\n".join(parts)


def documents() -> dict[str, str]:
    """File name -> text of every document that is written from the code."""
    return {"data-dictionary.md": data_dictionary(), "assumptions.md": assumptions_list(default_assumptions())}


def main() -> None:
    """Write the documents into the folder given by ``--out``."""
    parser = argparse.ArgumentParser(description="Write the data dictionary and the list of assumptions.")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


def _table_section(title: str, schema: type[Table], may_be_empty: bool) -> str:
    declared = schema.to_schema()
    key = declared.unique or [name for name, column in declared.columns.items() if column.unique]
    about = _sentence(schema.__doc__)
    if key:
        about += f" One row per {', '.join(f'`{name}`' for name in key)}."
    if may_be_empty:
        about += " May have no rows."
    rows = [_column_row(name, column) for name, column in declared.columns.items()]
    return f"### {title}\n\n{about}\n\n{_markdown(['Column', 'What it holds', 'Type', 'Unit', 'Allowed'], rows)}"


def _column_row(name: str, column: Any) -> list[str]:
    rules = [rule_in_words(rule).removeprefix("must be ") for rule in column.checks]
    if column.nullable:
        rules.append("may be empty")
    default = column.metadata["default"]
    if default is not None:
        rules.append(f"left out or empty: {str(default).lower() if isinstance(default, bool) else default}")
    elif column.metadata["optional"]:
        rules.append("may be left out")
    return [f"`{name}`", _sentence(column.description), TYPES.get(str(column.dtype), "text"), column.metadata["unit"], "; ".join(rules)]


def _section(entry: Assumption) -> str:
    """First part of the name: ``costs`` of ``costs.state_special``."""
    return entry.name.split(".")[0].replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_value(figure)}" for key, figure in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(_value(figure) for figure in value)
    return f"{value:,}"


def _first_paragraph(text: str | None) -> str:
    """Text up to the first blank line, without the check's own code before it."""
    paragraph = _sentence((text or "").split("\n\n")[0])
    code, _, rest = paragraph.partition(": ")
    return rest[:1].upper() + rest[1:] if len(code) == 3 else paragraph


def _sentence(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split())


def _markdown(headings: list[str], rows: Iterable[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
