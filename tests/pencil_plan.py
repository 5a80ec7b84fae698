"""The pencil plan of the tiny case, table by table: what test_audit breaks."""

# ruff: noqa: E501
from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fixtures.tiny import COUNCIL, INDEPENDENT, NORTH, SOUTH, STATE, UNLOCATED, tiny_case
from sufficiency.plan import PlanTables
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS

YEARS = ("2022/23", "2023/24", "2024/25")
KIND = {
    STATE: "state_special",
    INDEPENDENT: "independent_special",
    UNLOCATED: "unlocated_independent",
    "A": "state_special",
    "B": "state_special",
}
COST = {STATE: 20_000, INDEPENDENT: 60_000, UNLOCATED: 90_000, "A": 20_000, "B": 20_000}
MINUTES = {
    (NORTH, STATE): 10, (NORTH, INDEPENDENT): 15, (NORTH, "A"): 10, (NORTH, "B"): 20,
    (SOUTH, STATE): 15, (SOUTH, INDEPENDENT): 10, (SOUTH, "A"): 15, (SOUTH, "B"): 5,
}  # fmt: skip
BASE = {STATE: 100, INDEPENDENT: 50, UNLOCATED: 0, "A": 0, "B": 0}
"""Pupils of each area at the base January; half of those who are there stay from year to year."""

# Entrants of both areas together, worked out in docs/fictional-region.md: half of them from each.
NOTHING = {STATE: (100, 100, 100), INDEPENDENT: (50, 50, 50), UNLOCATED: (20, 50, 70)}
WITH_A = {STATE: (100, 100, 100), INDEPENDENT: (50, 20, 65), UNLOCATED: (20, 0, 15), "A": (0, 80, 40)}
WITH_B = {STATE: (100, 100, 100), INDEPENDENT: (50, 0, 70), UNLOCATED: (20, 0, 0), "B": (0, 100, 50)}
PUPILS = {
    "nothing": {STATE: (200, 200, 200), INDEPENDENT: (100, 100, 100), UNLOCATED: (20, 60, 100)},
    "A": {STATE: (200, 200, 200), INDEPENDENT: (100, 70, 100), UNLOCATED: (20, 10, 20), "A": (0, 80, 80)},
    "B": {STATE: (200, 200, 200), INDEPENDENT: (100, 50, 95), UNLOCATED: (20, 10, 5), "B": (0, 100, 100)},
}
PLACES = {STATE: (200,) * 3, INDEPENDENT: (100,) * 3, UNLOCATED: (160, 180, 200), "A": (0, 80, 80), "B": (0, 100, 100)}
CASE = tiny_case()
CAPITAL = {"A": 8_000_000.0, "B": 9_000_000.0}
DEMAND = (320.0, 360.0, 400.0)


def frame(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows in the columns and types of a result table."""
    schema = PLAN_SCHEMAS[name].to_schema()
    usual = {column: about.metadata["default"] for column, about in schema.columns.items() if about.metadata["default"] is not None}
    table = pd.DataFrame(rows, columns=list(schema.columns)).fillna(usual)
    return schema.validate(table.astype({column: str(about.dtype) for column, about in schema.columns.items()}))


def world(built: str | None, entrants: dict[str, tuple[int, ...]]) -> PlanTables:
    """All tables of one world of the tiny case."""
    pupils = PUPILS[built or "nothing"]
    placements, places, needs, travel, access, costs = [], [], [], [], [], []
    for t, year in enumerate(YEARS):
        key = {"council_code": COUNCIL, "need_group": "ASD", "phase": "SEC", "academic_year": year}
        placements += [
            {
                "area_id": area,
                "pool_id": pool,
                "severity": "complex",
                "route": "any",
                **key,
                "entrants": coming[t] / 2,
                "pupils": pupils[pool][t] / 2,
            }
            for area in (NORTH, SOUTH)
            for pool, coming in entrants.items()
            if pupils[pool][t]
        ]
        site = {"A": STATE, "B": "S-B"}
        places += [
            {"academic_year": year, "pool_id": pool, "setting_id": site.get(pool, pool), "kind": KIND[pool], "council_code": COUNCIL,
             "is_new": pool in CAPITAL, "places": PLACES[pool][t], "pupils": pupils[pool][t], "latent_pupils": 0, "over_places": 0}
            for pool in entrants
        ]  # fmt: skip
        of_kind = {kind: sum(pupils[pool][t] for pool in entrants if KIND[pool] == kind) for kind in set(KIND.values())}
        none = dict.fromkeys(("resourced_provision", "ap", "non_maintained", "unlocated_ap", "unmet", "latent"), 0)
        needs.append({**key, **none, **of_kind, "demand": DEMAND[t], "in_new_places": pupils[built][t] if built else 0})
        travel.append({**key, **journeys({(area, pool): pupils[pool][t] / 2 for area, pool in MINUTES if pool in entrants})})
        access.append({**key, "pupils": DEMAND[t], "within_20_min": DEMAND[t], "within_45_min": DEMAND[t], "within_75_min": DEMAND[t]})
        yearly = {
            "state_places": (20_000 * of_kind["state_special"], True),
            "independent_places": (60_000 * of_kind["independent_special"] + 90_000 * of_kind["unlocated_independent"], True),
            "travel": (0, True),
            "unmet_weight": (0, False),
        }
        costs += [
            {"item": item, "year": year, "gbp": gbp, "present_value_gbp": gbp, "is_cash": cash, "in_objective": True}
            for item, (gbp, cash) in yearly.items()
        ]
    spent = CAPITAL.get(built or "", 0.0)
    costs.append({"item": "capital", "year": "2022-23", "gbp": spent, "present_value_gbp": spent, "is_cash": True, "in_objective": True})
    cash = {
        "carried_in_gbp": 0,
        "allocated_gbp": 1e7,
        "granted_gbp": 0,
        "transferred_in_gbp": 0,
        "transferred_out_gbp": 0,
        "spent_gbp": spent,
        "returned_gbp": 1e7 - spent,
        "carried_out_gbp": 0,
    }
    return PlanTables(
        projects=frame("projects", [opening(built)] if built else []),
        places=frame("places", places),
        placements=frame("placements", placements),
        unmet=frame("unmet", []),
        needs=frame("needs", needs),
        funding=frame("funding", [{"fund_id": "HIGH-NEEDS", "councils": COUNCIL, "financial_year": "2022-23", **cash}]),
        payments=frame("payments", [payment(built)] if built else []),
        travel=frame("travel", travel),
        access=frame("access", access),
        costs=frame("costs", costs),
        limits=frame("limits", []),
        transfers=frame("transfers", []),
        ledger=frame("ledger", []),
        high_needs_block=frame("high_needs_block", block(pupils)),
    )


def journeys(pupils: dict[tuple[str, str], float]) -> dict[str, float]:
    """Figures of travel.csv from pupils by area and pool; nobody travels more than 20 minutes, and km are half the minutes."""
    ranked = sorted((MINUTES[pair], count) for pair, count in pupils.items() if count)
    each = np.repeat([minutes for minutes, _ in ranked], [round(2 * count) for _, count in ranked])
    figures = {
        "pupils": len(each) / 2,
        "mean_min": each.mean(),
        "median_min": each[len(each) // 2 - 1],
        "p90_min": each[int(len(each) * 0.9) - 1],
    }
    return figures | {"over_45_min": 0, "over_75_min": 0, "mean_km": each.mean() / 2, "travel_gbp": 0}


def block(pupils: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    """Rows of high_needs_block.csv: five twelfths of the academic year before and seven of this one; no block is entered."""
    state = [200.0] + [float(sum(pupils[pool][t] for pool in pupils if KIND[pool] == "state_special")) for t in range(3)]
    fees = [100 * 60_000.0] + [60_000.0 * pupils[INDEPENDENT][t] + 90_000.0 * pupils[UNLOCATED][t] for t in range(3)]
    rows = []
    for t, year in enumerate(("2022-23", "2023-24", "2024-25")):
        in_state, in_others = (5 / 12 * each[t] + 7 / 12 * each[t + 1] for each in (state, fees))
        parts = {"place_funding_gbp": 10_000 * in_state, "top_up_gbp": 10_000 * in_state, "fees_gbp": in_others}
        none = dict.fromkeys(("from_mainstream_gbp", "import_export_gbp", "other_spend_gbp"), 0.0)
        total = {"council_code": COUNCIL, "financial_year": year, "spend_gbp": sum(parts.values())}
        rows.append(total | parts | none)
    return rows


def opening(project: str) -> dict[str, Any]:
    """The row of projects.csv; a year to build, and worth nothing at the end."""
    row = CASE.projects.set_index("project_id", drop=False).loc[project].to_dict()
    return row | {
        "stage": 1, "start_financial_year": "2022-23", "opens_academic_year": "2023/24", "places": PLACES[project][1],
        "capital_gbp": CAPITAL[project], "capital_net_pv_gbp": CAPITAL[project],
    }  # fmt: skip


def payment(project: str) -> dict[str, Any]:
    kind = {"A": "expansion", "B": "satellite"}[project]
    return {"fund_id": "HIGH-NEEDS", "council_code": COUNCIL, "kind": kind, "financial_year": "2022-23", "amount_gbp": CAPITAL[project]}


SUMMARY = {
    "termination": "optimal", "scenario": "central", "price_base": "2024-25", "notes": [],
    "counterfactual_gbp": 46_200_000.0, "objective_gbp": 42_850_000.0, "saving_gbp": 3_350_000.0, "cash_saving_gbp": 3_350_000.0,
    "rule_gbp": 43_900_000.0, "rule_saving_gbp": 2_300_000.0, "capital_gbp": 9_000_000.0, "new_places": 100.0,
    "places_opened": 100.0, "places_removed": 0.0,
    "bound_gbp": 42_000_000.0, "gap_of_cost": 0.85 / 42.85, "gap_of_saving": 0.85 / 4.2,
    "independent_avoided": {"2022/23": 0.0, "2023/24": 100.0, "2024/25": 100.0}, "unmet": dict.fromkeys(YEARS, 0.0),
}  # fmt: skip
"""plan.json, with the sums of docs/fictional-region.md: 11.8 + 15.4 + 19.0 without, 11.8 + 9.9 + 12.15 + 9.0 with B, 11.8 + 10.7 + 13.4 + 8.0 with A."""
