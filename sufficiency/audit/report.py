"""What an audit says: breaches with a code, and the figures it found itself. Tolerances stand here and nowhere else."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sufficiency.outputs.folder import EXACT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PUPILS: Final = 1e-6
"""Pupils or places by which a row may differ. A linear programme keeps each row to 1e-7."""
ROUNDING: Final = 1e-8
"""Share of a figure in pupils by which it may differ where that is more than PUPILS (from 100 pupils on): rounding of sums."""
OVER: Final = 1e-5
"""Pupils above a pool's places that count as none: a pool sums thousands of flows, each with an error of its own."""
OVER_SHARE: Final = 1e-6
"""The same as a share of the places, where that is more (from ten places on)."""
DISPLACEMENT: Final = 1e-4
"""Share by which the displacement limit may be missed: its floor is itself the use found by another solve."""
GBP: Final = 0.5
"""GBP by which an amount may differ: one pound too much is found."""
SHARE: Final = 1e-9
"""Share of an amount of money by which it may differ where that is more than GBP (from 500 million on): rounding of sums."""
MINUTES: Final = 1e-6
"""Minutes or km, one way."""
MOST_SHOWN: Final = 20
"""Breaches of one kind that are named one by one, the largest first; the rest is counted."""

Where = Callable[[int], str]


@dataclass(frozen=True)
class Breach:
    """One way in which a plan folder and its case do not fit."""

    code: str
    """See docs/audit.md."""
    where: str
    """World (plan, counterfactual, rule) or file, then the row in words."""
    message: str
    amount: float
    """By how much, in the unit that the message names; 0 where there is no amount."""


@dataclass(frozen=True)
class AuditReport:
    """Outcome of an audit."""

    passed: bool
    breaches: tuple[Breach, ...]
    recomputed: dict[str, Any]
    """Figures of plan.json, from the case and the decisions alone: GBP, present value; places; pupils by academic year."""


def write_audit(report: AuditReport, folder: Path) -> None:
    """Write audit.json into a plan folder, whole or not at all.

    Where the folder keeps an exact plan of a protected case, the report with its figures goes there, and one without stands above it.
    """
    kept = Path(folder) / EXACT
    if kept.is_dir():
        _write(report, kept)
        report = without_figures(report)
    _write(report, Path(folder))


def without_figures(report: AuditReport) -> AuditReport:
    """The report of a protected case as it may be shown: whether the plan passed, and what kinds of breach were found."""
    kinds = {breach.code: Breach(breach.code, "", breach.message, 0.0) for breach in report.breaches}
    return AuditReport(report.passed, tuple(kinds.values()), {})


def _write(report: AuditReport, folder: Path) -> None:
    text = json.dumps(asdict(report), indent=1, ensure_ascii=False, allow_nan=False)
    handle, name = tempfile.mkstemp(prefix=".audit-", dir=folder)
    work = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        work.chmod(0o644)
        work.replace(folder / "audit.json")
    finally:
        work.unlink(missing_ok=True)


def beyond(code: str, message: str, excess: Floats, tolerance: Floats | float, where: Where) -> Iterator[Breach]:
    """Breaches of the positions whose excess is above the tolerance (or no number), the largest first."""
    excess = np.ravel(excess)
    found = np.flatnonzero(~(excess <= np.ravel(tolerance)))
    finite = np.nan_to_num(excess[found], nan=0.0, posinf=np.finfo(float).max)
    order = np.argsort(-finite, kind="stable")
    for place in order[:MOST_SHOWN]:
        yield Breach(code, where(int(found[place])), message, float(finite[place]))
    if len(found) > MOST_SHOWN:
        yield Breach(code, f"{len(found) - MOST_SHOWN:,} more", message, float(finite[order[MOST_SHOWN:]].sum()))


def differing(code: str, message: str, stated: Floats, found: Floats, tolerance: Floats, where: Where) -> Iterator[Breach]:
    """Breaches of the positions where a stated figure is not the one found; the place is named with both."""
    stated, found, tolerance = np.ravel(stated), np.ravel(found), np.ravel(tolerance)

    def with_both(i: int) -> str:
        return f"{where(i)}: {stated[i]:,.10g}, found {found[i]:,.10g}"

    return beyond(code, message, np.abs(stated - found), tolerance, with_both)


def pupils_within(figures: Floats) -> Floats:
    """Tolerance of figures in pupils or places."""
    return np.asarray(np.maximum(PUPILS, ROUNDING * np.abs(figures)))


def gbp_within(figures: Floats) -> Floats:
    """Tolerance of figures in GBP."""
    return np.asarray(np.maximum(GBP, SHARE * np.abs(figures)))


def unlike(code: str, where: str, message: str, stated: float, found: float) -> Iterator[Breach]:
    """A breach when an amount in GBP is not the one found (or no number)."""
    if not abs(stated - found) <= max(GBP, SHARE * abs(found)):
        yield Breach(code, f"{where}: {stated:,.2f}, found {found:,.2f}", message, float(np.nan_to_num(abs(stated - found))))
