"""What a planner may suppose about the future: small TOML files, several of which combine.

name = "More inclusion bases"
description = "..."

[[entry]]                  # new plans
change = -0.15             # share by which new plans change once fully in force
start, full = 2027, 2030   # Januaries: first effect, full effect (straight line between)
ages = [4, 10]             # optional: ages at 31 August, first and last
needs = ["SLCN"]           # optional
councils = ["E06000012"]   # optional

[[placement]]              # where pupils are placed
from, to = "state_special", "resourced_provision"
share = 0.10               # of those who would be placed there
of = "new"                 # "new": who arrive there in the year (new plans and moves); "all": every pupil placed there

[[leaving]] change = 0.2   # share by which leaving rates change

[request_rate] mode = "held"       # "held": at the origin's rate; "rising": on from that of the third year
growth = 0.03                      # share a year, for "rising"

[[housing]] councils = ["E10000003"]; homes = 500; start = 2026; end = 2035   # homes a year
persons_0_25_per_home = 0.75

[[price]]                  # fees; no effect on pupils
category = "independent_special"; change = -0.1; start = 2029; full = 2031   # or cap_gbp = 60000

[[ap]] change = -0.2       # AP demand of pupils without a plan, in step with exclusions
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from sufficiency.sources.ehc_plans import CATEGORIES
from sufficiency.sources.sen2_history import NEEDS
from sufficiency.tables.problems import InputError, InputProblem

COMMON: Final = {"start": int, "full": int, "ages": list, "needs": list, "councils": list}
KEYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "entry": {"change": float, **COMMON},
    "leaving": {"change": float, **COMMON},
    "placement": {"from": str, "to": str, "share": float, "of": str, **COMMON},
    "housing": {"councils": list, "homes": float, "start": int, "end": int, "persons_0_25_per_home": float},
    "price": {"category": str, "change": float, "cap_gbp": float, "start": int, "full": int},
    "ap": {"change": float, "start": int, "full": int, "councils": list},
}
REQUIRED: Final = {
    "entry": ("change", "start"),
    "leaving": ("change", "start"),
    "placement": ("from", "to", "share", "start"),
    "housing": ("councils", "homes", "start", "end"),
    "price": ("category", "start"),
    "ap": ("change", "start"),
}
MODES: Final = ("held", "rising")


@dataclass(frozen=True)
class Effect:
    """One effect of a lever: its kind and the values of its table in the file."""

    kind: str
    values: Mapping[str, Any]

    def strength(self, january: int) -> float:
        """0 before the start, 1 from the full effect on, a straight line between."""
        start = int(self.values["start"])
        full = int(self.values.get("full", start))
        if "end" in self.values and january > int(self.values["end"]):
            return 0.0
        return min(max((january - start + 1) / (full - start + 1), 0.0), 1.0)


@dataclass(frozen=True)
class Lever:
    """A supposition about the future, as read from its file."""

    name: str
    description: str
    effects: tuple[Effect, ...]
    request_rate: str = ""
    growth: float = 0.0


def shipped_levers() -> dict[str, Lever]:
    """The levers that come with the program, by the name of their file."""
    folder = resources.files("sufficiency").joinpath("demand", "scenarios")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".toml"): parse_lever(entry.read_text(encoding="utf-8"), entry.name) for entry in files}


def read_levers(names: Iterable[str]) -> tuple[Lever, ...]:
    """Levers by shipped name or by path of a TOML file. Raises InputError for unknown ones and faulty files."""
    shipped = shipped_levers()
    levers: list[Lever] = []
    problems: list[InputProblem] = []
    for name in names:
        if name in shipped:
            levers.append(shipped[name])
        elif Path(name).is_file():
            try:
                levers.append(parse_lever(Path(name).read_text(encoding="utf-8"), Path(name).name))
            except InputError as error:
                problems += error.problems
        else:
            problems.append(InputProblem("levers", "no such lever", f"Give a TOML file or one of {', '.join(shipped)}.", value=name))
    if problems:
        raise InputError(problems)
    return tuple(levers)


def parse_lever(text: str, file: str) -> Lever:
    """A lever from the text of its file. Raises InputError naming every key and value that can't be used."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([InputProblem(file, f"is not TOML: {error}", "See docs/forecast.md for an example.")]) from None
    problems: list[InputProblem] = []

    def fault(message: str, remedy: str, column: str, value: object) -> None:
        problems.append(InputProblem(file, message, remedy, column=column, value=str(value)))

    for key in set(tree) - {"name", "description", "request_rate", *KEYS}:
        fault("is not known", f"Use {', '.join(KEYS)} or request_rate.", key, "")
    if not tree.get("name"):
        fault("is missing", "Name the lever.", "name", "")
    effects = []
    for kind in KEYS:
        for values in tree.get(kind, []):
            _check(kind, values, fault)
            effects.append(Effect(kind, values))
    rate = tree.get("request_rate", {})
    if rate and rate.get("mode") not in MODES:
        fault("is not known", f"Use {' or '.join(MODES)}.", "request_rate.mode", rate.get("mode"))
    if problems:
        raise InputError(problems)
    return Lever(tree["name"], tree.get("description", ""), tuple(effects), rate.get("mode", ""), float(rate.get("growth", 0.0)))


def _check(kind: str, values: Mapping[str, Any], fault: Any) -> None:
    for key in values:
        wanted = KEYS[kind].get(key)
        if wanted is None:
            fault("is not known", f"Use {', '.join(KEYS[kind])}.", f"{kind}.{key}", values[key])
        elif not isinstance(values[key], (int, float) if wanted is float else wanted):
            fault("has the wrong type", f"Give {wanted.__name__}.", f"{kind}.{key}", values[key])
    for key in REQUIRED[kind]:
        if key not in values:
            fault("is missing", "Add it.", f"{kind}.{key}", "")
    for key in ("from", "to", "category"):
        if key in values and values[key] not in CATEGORIES:
            fault("is no placement", f"Use one of {', '.join(CATEGORIES)}.", f"{kind}.{key}", values[key])
    for need in values.get("needs", []):
        if need not in NEEDS:
            fault("is no need", f"Use one of {', '.join(NEEDS)}.", f"{kind}.needs", need)
    if values.get("of", "new") not in ("new", "all"):
        fault("is not known", "Use new or all.", f"{kind}.of", values["of"])
    if len(values.get("ages", [0, 25])) != 2:
        fault("is not a range", "Give the first and the last age.", f"{kind}.ages", values["ages"])
    share = values.get("share", 0.0)
    if isinstance(share, int | float) and not 0 <= share <= 1:
        fault("is not a share", "Give a figure between 0 and 1.", f"{kind}.share", share)
    change = values.get("change", 0.0)
    if isinstance(change, int | float) and change < -1:
        fault("removes more than there is", "Give -1 or more.", f"{kind}.change", change)


def prices(levers: Sequence[Lever], januaries: Sequence[int]) -> list[dict[str, Any]]:
    """What levers say about fees: category, january, factor (times the fee), cap_gbp (per pupil a year; None = no cap)."""
    rows = []
    for effect in (effect for lever in levers for effect in lever.effects if effect.kind == "price"):
        for january in januaries:
            strength = effect.strength(january)
            cap = effect.values.get("cap_gbp") if strength > 0 else None
            factor = 1 + strength * float(effect.values.get("change", 0.0))
            rows.append({"category": effect.values["category"], "january": january, "factor": factor, "cap_gbp": cap})
    return rows
