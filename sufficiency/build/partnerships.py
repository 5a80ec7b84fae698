"""Which councils a case is for: by name, region, or partnership (the nine of 2023, or the user's own in a TOML file)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path

import pandas as pd

from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.boundaries import resolve_councils
from sufficiency.tables.problems import InputError, InputProblem


def partnerships(file: Path | None = None) -> dict[str, list[str]]:
    """Names of the councils of each partnership; ``file``: the user's own instead of the nine Change Programme Partnerships.

    Raises InputError when the file can't be read or a partnership has no ``councils``.
    """
    if file is None:
        text, name = resources.files("sufficiency.build").joinpath("partnerships.toml").read_text(encoding="utf-8"), "partnerships.toml"
    else:
        name = file.name
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError([InputProblem(name, f"can't be read: {error}", "Give a TOML file of partnerships.")]) from error
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([InputProblem(name, f"is no TOML: {error}", '["Name"] councils = ["A", "B"]')]) from error
    wrong = [key for key, about in tree.items() if not isinstance(about, dict) or not _names(about.get("councils"))]
    if wrong:
        raise InputError([InputProblem(name, "no councils", '["Name"] councils = ["A", "B"]', column=key) for key in wrong])
    return {key: about["councils"] for key, about in tree.items()}


def partnership_of(data: Path, partnership: str | None = None) -> dict[str, str]:
    """Council code -> its partnership: of the nine, or of the file that ``partnership`` names. Unknown councils are left out."""
    file, found, _ = (partnership or "").partition(".toml")
    result: dict[str, str] = {}
    for title, names in partnerships(Path(f"{file}.toml") if found else None).items():
        for name in names:
            with suppress(InputError):
                result |= dict.fromkeys(resolve_councils(data, [name]), title)
    return result


def chosen_councils(
    data: Path,
    councils: Sequence[str] | None = None,
    region: str | None = None,
    partnership: str | None = None,
    england: bool = False,
) -> tuple[list[str], str]:
    """ONS codes of the councils of a case, sorted, and the name of the whole. Exactly one way of choosing is given.

    ``partnership`` is one of the nine, or a TOML file with one partnership, or ``file.toml:Name``.
    Raises InputError for none or several ways, and for unknown names.
    """
    ways = [bool(councils), region is not None, partnership is not None, england]
    if sum(ways) != 1:
        remedy = "Give councils, a region, a partnership or England: one of them."
        raise InputError([InputProblem("councils", "choose the councils in exactly one way", remedy)])
    table = all_councils(data)
    if england:
        return list(table["council_code"]), "England"
    if region is not None:
        return _region(table, region)
    if partnership is not None:
        names, title = _partnership(partnership)
    else:
        names, title = list(councils or ()), ""
    codes = resolve_councils(data, names)
    known = table.set_index("council_code")["council_name"]
    return sorted(codes), title or _listed([known[code] for code in codes])


def _region(table: pd.DataFrame, region: str) -> tuple[list[str], str]:
    regions = {name.casefold(): name for name in table["region_name"].unique()}
    name = regions.get(region.casefold())
    if name is None:
        raise InputError([InputProblem("region", "no such region", f"Give one of {', '.join(sorted(regions.values()))}.", value=region)])
    return list(table.loc[table["region_name"].eq(name), "council_code"]), name


def _partnership(partnership: str) -> tuple[list[str], str]:
    """Names of its councils and its name."""
    file, _, name = partnership.partition(".toml")
    own = partnership != file
    known = partnerships(Path(f"{file}.toml") if own else None)
    key = name.removeprefix(":") if own else file
    if own and not key and len(known) == 1:
        key = next(iter(known))
    found = {title.casefold(): title for title in known}.get(key.casefold())
    if found is None:
        raise InputError([InputProblem("partnership", "no such partnership", f"Give one of {', '.join(known)}.", value=partnership)])
    return known[found], f"{found} partnership"


def _names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
