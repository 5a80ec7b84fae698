"""Plan: what was found, as tables that anyone can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class PlanTables:
    """One solved world. Tables follow ``sufficiency.tables.plan_schemas``."""

    projects: pd.DataFrame
    places: pd.DataFrame
    placements: pd.DataFrame
    unmet: pd.DataFrame
    needs: pd.DataFrame
    funding: pd.DataFrame
    payments: pd.DataFrame
    travel: pd.DataFrame
    access: pd.DataFrame
    costs: pd.DataFrame
    limits: pd.DataFrame
    transfers: pd.DataFrame
    ledger: pd.DataFrame
    high_needs_block: pd.DataFrame


@dataclass(frozen=True)
class Plan:
    """The plan beside the two worlds it is measured against."""

    summary: dict[str, Any]
    """What plan.json holds: termination, money, gap, new places, independent avoided, inputs."""
    plan: PlanTables
    counterfactual: PlanTables
    """Committed projects only."""
    rule: PlanTables
    """The planner's rule: cheapest GBP per place first."""
    known: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """What a changed request is planned sooner with: as exact as the tables."""
