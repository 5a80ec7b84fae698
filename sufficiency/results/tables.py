"""What is built, who is where, and how they travel."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from solver.problem import NEW
from solver.result import Solution
from sufficiency.access import access_table
from sufficiency.finance import net_capital
from sufficiency.formulate import UNLOCATED, Formulation
from sufficiency.results.stays import Stays, by_pool, frame, grid, taken_of
from sufficiency.terms import SETTING_KINDS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def projects_table(formulation: Formulation, solution: Solution) -> pd.DataFrame:
    options, decisions, case = formulation.problem.options, solution.decisions, formulation.case
    years = formulation.appraisal.financial_years
    rows = []
    stage_of: dict[int, int] = {}
    for k in sorted(
        np.nonzero((decisions.start > 0) | (decisions.stage > 0))[0], key=lambda k: (options.start_option[k], options.start_opens[k])
    ):
        j = int(options.start_option[k])
        project = formulation.projects.iloc[j]
        stage_of[j] = stage_of.get(j, 0) + 1
        first = decisions.start[k] > 0
        fixed_spend = (options.fixed_spend if first else options.stage_spend)[k]
        modules = int(decisions.modules[k])
        spend = fixed_spend + modules * options.module_spend[k]
        alone, opens = formulation.projects.iloc[j : j + 1], options.start_opens[k : k + 1]
        value = net_capital(case, formulation.appraisal, spend[None, :], alone, opens)[0]
        rows.append(
            {
                **{
                    name: project[name]
                    for name in ("project_id", "name", "kind", "effect", "council_code", "site_id", "easting_m", "northing_m")
                },
                **{name: project[name] for name in ("provision", "need_groups", "phases")},
                "stage": stage_of[j],
                "start_financial_year": years[options.start_year[k]],
                "opens_academic_year": case.academic_years[options.start_opens[k]],
                "places": options.module[j] * modules if modules else float(project["places_kept"] + project["overcrowding_places"]),
                "capital_gbp": float(spend.sum()),
                "capital_net_pv_gbp": float(value),
                "decision": project["decision"],
            }
        )
    return frame("projects", rows)


def places_table(formulation: Formulation, stays: Stays, places: Floats, latent: Floats, built: NDArray[np.bool_]) -> pd.DataFrame:
    pools = formulation.pools
    options = formulation.problem.options
    used = by_pool(formulation, stays.pool, stays.pupils)
    drawn = latent.sum(axis=1)
    shown = (~pools["is_new"]).to_numpy(copy=True)
    shown[options.pool[built & (options.pool >= 0)]] = True
    i, t = np.nonzero(np.broadcast_to(shown[:, None], used.shape))
    over = np.maximum(0.0, taken_of(formulation, stays) + drawn - places)
    return pd.DataFrame(
        {
            "academic_year": np.array(formulation.case.academic_years, object)[t],
            "pool_id": pools["pool_id"].to_numpy()[i],
            "setting_id": pools["site_id"].to_numpy()[i],
            "kind": pools["kind"].to_numpy()[i],
            "council_code": pools["council_code"].to_numpy()[i],
            "is_new": pools["is_new"].to_numpy()[i],
            "places": np.maximum(0.0, places)[i, t],
            "pupils": used[i, t],
            "latent_pupils": drawn[i, t],
            "over_places": np.where(over > 1e-5, over, 0.0)[i, t],
        }
    )


def placements_table(formulation: Formulation, stays: Stays, *, unmet: bool) -> pd.DataFrame:
    """Rows of a pool (or of none) by area, class and year; ids and codes as categories, for England has tens of millions of rows."""
    rows = np.nonzero((stays.pool == len(formulation.pools)) == unmet)[0]
    r, t = np.nonzero(stays.pupils[rows] > 1e-9)
    row = rows[r]
    areas, classes = formulation.demand.areas, formulation.demand.classes
    table = {
        "area_id": _coded(areas["area_id"], stays.area[row]),
        **(
            {"council_code": _coded(areas["council_code"], stays.area[row])}
            if unmet
            else {"pool_id": _coded(formulation.pools["pool_id"], stays.pool[row])}
        ),
        **{name: _coded(classes[name], stays.cls[row]) for name in ("need_group", "severity", "phase", "route")},
        "academic_year": _coded(formulation.case.academic_years, t),
        "entrants": stays.entrants[row, t],
        "pupils": stays.pupils[row, t],
    }
    return pd.DataFrame(table)


def _coded(values: Iterable[str], position: Ints) -> pd.Categorical:
    """``values[position]``."""
    codes, names = pd.factorize(np.array(list(values), dtype=object), sort=True)
    return pd.Categorical.from_codes(codes[position], categories=pd.Index(names, dtype=str))


def needs_table(formulation: Formulation, stays: Stays, latent: Floats) -> pd.DataFrame:
    pools = len(formulation.pools)
    kind = np.append(formulation.pools["kind"].to_numpy(object), "unmet")[stays.pool]
    new = np.append(formulation.problem.pools.role == NEW, [False])[stays.pool]
    drawn = np.zeros_like(formulation.problem.displacement.floor)
    np.add.at(drawn, formulation.problem.pools.owner, latent)
    columns = {"demand": grid(formulation, stays, stays.pupils)}
    columns |= {name: grid(formulation, stays, stays.pupils, kind == name) for name in SETTING_KINDS}
    columns["unmet"] = grid(formulation, stays, stays.pupils, stays.pool == pools)
    columns["in_new_places"] = grid(formulation, stays, stays.pupils, new)
    columns["latent"] = drawn
    return _council_table(formulation, columns, columns["demand"] + drawn > 0)


def _council_table(formulation: Formulation, columns: dict[str, Floats], where: NDArray[np.bool_]) -> pd.DataFrame:
    owner, h, t = np.nonzero(where)
    families = formulation.demand.families.iloc[h]
    keys = {
        "council_code": np.array(formulation.demand.councils, object)[owner],
        "need_group": families["need_group"].to_numpy(),
        "phase": families["phase"].to_numpy(),
        "academic_year": np.array(formulation.case.academic_years, object)[t],
    }
    return pd.DataFrame({**keys, **{name: values[owner, h, t] for name, values in columns.items()}})


def travel_table(formulation: Formulation, stays: Stays) -> pd.DataFrame:
    located = np.append(~formulation.pools["kind"].isin(UNLOCATED).to_numpy(), [False])[stays.pool]
    pupils = grid(formulation, stays, stays.pupils, located)
    safe = np.where(pupils > 0, pupils, 1.0)
    columns = {
        "pupils": pupils,
        "mean_min": grid(formulation, stays, stays.pupils * stays.minutes[:, None], located) / safe,
        "median_min": np.zeros_like(pupils),
        "p90_min": np.zeros_like(pupils),
        "over_45_min": grid(formulation, stays, stays.pupils, located & (stays.minutes > 45)),
        "over_75_min": grid(formulation, stays, stays.pupils, located & (stays.minutes > 75)),
        "mean_km": grid(formulation, stays, stays.pupils * stays.km[:, None], located) / safe,
        "travel_gbp": grid(formulation, stays, stays.pupils * stays.travel[:, None], located),
    }
    _quantiles(formulation, stays, located, columns)
    return _council_table(formulation, columns, pupils > 1e-9)


def access_of(formulation: Formulation, places: pd.DataFrame) -> pd.DataFrame:
    """Pupils with a suitable place in reach, whatever their class."""
    demand = formulation.demand
    by_family = np.stack([demand.demand[:, demand.classes["family"] == f].sum(axis=1) for f in range(len(demand.families))], axis=1)
    return access_table(formulation.case, places, pd.Index(demand.areas["area_id"]), demand.families, by_family)


def _quantiles(formulation: Formulation, stays: Stays, located: NDArray[np.bool_], columns: dict[str, Floats]) -> None:
    """Weighted median and ninth decile of minutes by council, family and year, written into ``columns``."""
    problem = formulation.problem
    rows = np.nonzero(located)[0]
    family = formulation.demand.classes["family"].to_numpy()[stays.cls[rows]]
    owner = problem.demand.origin_owner[stays.area[rows]]
    key = owner * len(problem.families) + family
    order = np.lexsort((stays.minutes[rows], key))
    rows, key = rows[order], key[order]
    edges = np.append(np.nonzero(np.diff(key, prepend=-1))[0], len(key))
    for begin, end in pairwise(edges):
        owner_of, h = divmod(int(key[begin]), len(problem.families))
        minutes = stays.minutes[rows[begin:end]]
        running = np.cumsum(stays.pupils[rows[begin:end]], axis=0)
        for name, share in (("median_min", 0.5), ("p90_min", 0.9)):
            at = (running < share * running[-1] - 1e-12).sum(axis=0)
            columns[name][owner_of, h] = minutes[np.minimum(at, len(minutes) - 1)]
