"""Codes and calendars that every room of the planner's world shares.

Two calendars are kept apart by notation, as the Department does:
academic years are written ``2022/23`` (places open in September),
financial years ``2022-23`` (capital is spent from April to March).
Pupil counts of an academic year are those of its January.
"""

from __future__ import annotations

from typing import Final

NEEDS: Final[dict[str, str]] = {
    "ASD": "Autistic spectrum disorder",
    "DS": "Down syndrome",
    "HI": "Hearing impairment",
    "MLD": "Moderate learning difficulty",
    "MSI": "Multi-sensory impairment",
    "OTH": "Other difficulty or disability",
    "PD": "Physical disability",
    "PMLD": "Profound and multiple learning difficulty",
    "SEMH": "Social, emotional and mental health",
    "SLCN": "Speech, language and communication needs",
    "SLD": "Severe learning difficulty",
    "SPLD": "Specific learning difficulty",
    "VI": "Vision impairment",
    "AP": "In alternative provision without an EHC plan",
}
"""Primary need codes of the SEN2 return, and ``AP`` for the second stream of demand."""

NEED_GROUPS: Final[dict[str, str]] = {
    "ASD": "Autism",
    "SLCN": "Speech, language and communication",
    "SEMH": "Social, emotional and mental health",
    "MLD": "Moderate and specific learning difficulty, other",
    "SLD": "Severe and profound learning difficulty",
    "PHYS": "Sensory and physical",
    "AP": "Alternative provision without a plan",
}
"""Designation groups: a setting is designated for groups, not for single needs."""

GROUP_OF_NEED: Final[dict[str, str]] = {
    "ASD": "ASD",
    "SLCN": "SLCN",
    "SEMH": "SEMH",
    "MLD": "MLD",
    "SPLD": "MLD",
    "OTH": "MLD",
    "DS": "SLD",
    "SLD": "SLD",
    "PMLD": "SLD",
    "HI": "PHYS",
    "VI": "PHYS",
    "MSI": "PHYS",
    "PD": "PHYS",
    "AP": "AP",
}

STREAMS: Final[dict[str, str]] = {
    "ehcp": "Pupils with an EHC plan",
    "ap": "Pupils in alternative provision without an EHC plan",
}

SEVERITIES: Final[dict[str, str]] = {
    "moderate": "Could be taught in a resourced provision or SEN unit",
    "complex": "Needs a special school (or an independent one)",
}

PHASES: Final[dict[str, tuple[int, int]]] = {
    "EY": (0, 4),
    "PRI": (5, 10),
    "SEC": (11, 15),
    "P16": (16, 18),
    "P19": (19, 25),
}
"""Phase -> first and last age at 31 August."""

PHASE_NAMES: Final[dict[str, str]] = {
    "EY": "Early years (under 5)",
    "PRI": "Primary (5 to 10)",
    "SEC": "Secondary (11 to 15)",
    "P16": "Post-16 (16 to 18)",
    "P19": "Young adults (19 to 25)",
}

SETTING_KINDS: Final[dict[str, str]] = {
    "state_special": "State special school",
    "resourced_provision": "Resourced provision or SEN unit in a mainstream school",
    "ap": "State alternative provision or pupil referral unit",
    "non_maintained": "Non-maintained special school",
    "independent_special": "Independent special school",
    "unlocated_independent": "Independent place with no location on the map",
    "unlocated_ap": "Council-funded or school-arranged AP with no location on the map",
}

INDEPENDENT_KINDS: Final[frozenset[str]] = frozenset({"non_maintained", "independent_special", "unlocated_independent", "unlocated_ap"})
"""The placements that new places are meant to make unnecessary."""

PROJECT_KINDS: Final[dict[str, str]] = {
    "expansion": "Expansion of a special school",
    "satellite": "Satellite of a special school",
    "resourced_provision": "Resourced provision, SEN unit or inclusion base",
    "new_special": "New special school",
    "ap_expansion": "Expansion of an AP school",
    "new_ap": "New AP school",
    "improvement": "Improvement of existing places",
    "free_school": "Free school built by the Department",
    "cash_per_place": "Cash per place instead of a free school",
}

FUND_KINDS: Final[dict[str, str]] = {
    "grant": "High needs capital grant",
    "ap_pot": "Pot for alternative provision",
    "regional_pool": "Regional pool",
    "borrowing": "Council borrowing",
    "developer": "Developer contributions",
    "top_slice": "National top-slice for councils in deficit",
    "council": "The council's own capital",
    "department": "The Department's own programme (free schools)",
}

BUSINESS_CASES: Final[dict[str, str]] = {
    "SOC": "Strategic outline case",
    "OBC": "Outline business case",
    "FBC": "Full business case",
}

WISHES: Final[dict[str, str]] = {
    "must": "Must be built",
    "must_not": "Must not be built",
    "not_before": "Not before a year",
    "at_least": "Must be built with at least so many places",
}

EQUITY_GROUPS: Final[dict[str, str]] = {
    "deprivation": "Fifths of areas by deprivation",
    "rurality": "Rural areas and all others",
    "council": "Councils of residence",
}

EQUITY_MEASURES: Final[dict[str, str]] = {
    "unmet": "Share of pupils without a place",
    "minutes": "Mean journey",
}

PERSPECTIVES: Final[dict[str, str]] = {
    "exchequer": "All public money",
    "council": "The council's cash: grants are free, borrowing is repaid",
    "social": "All public money, carers' time and carbon",
}

STATUSES: Final[dict[str, str]] = {
    "published": "As printed in the named release",
    "observed": "Counted by the user or read from a register",
    "derived": "Computed from published figures by a documented rule",
    "forecast": "Carried beyond the last observed year by a documented rule",
    "estimated": "A marked estimate where the source is silent",
    "assumed": "A default assumption, to be replaced by the user's own figure",
    "fictional": "Drawn by the fixture generator",
}


def academic_year(start: int) -> str:
    """The academic year that starts in September ``start``: 2022 -> ``2022/23``."""
    return f"{start}/{(start + 1) % 100:02d}"


def financial_year(start: int) -> str:
    """The financial year that starts in April ``start``: 2022 -> ``2022-23``."""
    return f"{start}-{(start + 1) % 100:02d}"


def start_of(year: str) -> int:
    """Calendar year in which an academic or financial year starts.

    Raises ValueError when the text is neither ``2022/23`` nor ``2022-23``.
    """
    if len(year) != 7 or year[4] not in "/-" or not (year[:4] + year[5:]).isdigit():
        raise ValueError(f"{year!r} is not a year like 2022/23 (academic) or 2022-23 (financial)")
    start = int(year[:4])
    if int(year[5:]) != (start + 1) % 100:
        raise ValueError(f"{year!r} does not name two years in a row")
    return start


def split_codes(cell: str) -> list[str]:
    """Codes of a list cell: ``"ASD|SLCN"`` -> ``["ASD", "SLCN"]``."""
    return [code for code in str(cell).split("|") if code]
