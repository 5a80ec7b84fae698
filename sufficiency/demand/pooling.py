"""Pooling of rates: a small council borrows from its region, a region from England."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Figures = npt.NDArray[np.float64]


def pooled_factors(events: Figures, expected: Figures, groups: Sequence[str]) -> Figures:
    """How far each council's rate lies above England's: events over expected events, shrunk council -> region -> England.

    Gamma-Poisson empirical Bayes. ``events`` and ``expected`` are by council, ``expected`` at England's rates; ``groups``
    names the region of each council. A council without figures (NaN) takes its region's factor.
    """
    names = np.asarray(groups)
    known = np.isfinite(events) & np.isfinite(expected) & (expected > 0)
    seen, fair = np.where(known, events, 0.0), np.where(known, expected, 0.0)
    regions = sorted(set(names))
    by_region = np.array([[seen[names == region].sum(), fair[names == region].sum()] for region in regions])
    region_factor = _shrunk(by_region[:, 0], by_region[:, 1], np.ones(len(regions)))
    parent = np.array([region_factor[regions.index(name)] for name in names])
    return _shrunk(seen, fair, parent)


def _shrunk(events: Figures, expected: Figures, parent: Figures) -> Figures:
    """(events + k) / (expected + k / parent), k from the spread of the factors beyond Poisson noise (method of moments)."""
    fair = expected * parent
    total = fair.sum()
    if total <= 0:
        return parent
    ratio = np.divide(events, fair, out=np.ones_like(fair), where=fair > 0)
    excess = float((fair * (ratio - 1) ** 2).sum() / total - np.count_nonzero(fair > 0) / total)
    strength = 1 / max(excess, 1e-4)
    return np.asarray(parent * (events + strength) / (fair + strength))


def shrunk_shares(counts: Figures, parent: Figures, strength: float) -> Figures:
    """Shares along the last axis: own counts plus ``strength`` pupils spread as the parent's shares."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray((counts + strength * parent) / (total + strength))
