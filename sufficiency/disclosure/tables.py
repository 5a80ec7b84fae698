"""The result tables of a plan as they may be shown: rounded, hidden where small, and hidden where others would give a small count away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sufficiency.case import Case
from sufficiency.disclosure.rules import (
    FEWEST_FOR_MEANS,
    HIDDEN_BELOW,
    NONE_BELOW,
    is_narrowing,
    is_revealing,
    possible,
    rounded,
    shown_counts,
    shown_mean,
)
from sufficiency.disclosure.specification import (
    CAPITAL_LINES,
    COST_OF,
    KINDS,
    LOCATED,
    NEED_KEY,
    PARTS,
    UNLOCATED,
    Treatment,
    columns,
    declared,
)
from sufficiency.disclosure.text import MONEY_TO
from sufficiency.disclosure.totals import kept_back, shown_needs, totals_of_needs
from sufficiency.disclosure.zones import zones
from sufficiency.plan import PlanTables

GBP_PER_PUPIL_TO = 100.0
QUANTILES_TO = 5.0


def shown_tables(tables: PlanTables, case: Case, zone: pd.Series[str] | None = None) -> PlanTables:
    """The tables as they may be shown under the case's profile, from the exact ones. An open case shows them as they are.

    ``zone``: the case's ``zones``, where they are known already.

    Raises ValueError when a table has a column that ``specification`` says nothing of.
    """
    if case.disclosure == "open":
        return tables
    exact = {name: declared(name, table) for name, table in vars(tables).items()}
    needs, zone = shown_needs(tables.needs), zones(case) if zone is None else zone
    worked_out = {
        "needs": needs,
        "places": shown_places(tables.places, needs),
        "placements": _flows(tables.placements, zone),
        "unmet": _flows(tables.unmet, zone),
        "travel": _travel(tables.travel, needs),
        "costs": _costs(tables.costs, tables.needs),
    }
    others = {name: _column_by_column(name, table) for name, table in exact.items() if name not in worked_out}
    return PlanTables(**others, **worked_out)


def _column_by_column(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table of which each column is shown by itself."""
    result = _with_shown_counts(table, columns(name, Treatment.COUNT))
    for column in columns(name, Treatment.MONEY):
        result[column] = shown_mean(table[column], table["pupils"], GBP_PER_PUPIL_TO) * result["pupils"]
    for column in columns(name, Treatment.AMOUNT):
        result[column] = rounded(table[column], MONEY_TO)
    for column in columns(name, Treatment.BY_UNIT):
        result[column] = np.where(table["unit"].str.contains("pupil"), shown_counts(table[column]), _two_digits(table[column]))
    return result


def _two_digits(figures: pd.Series[float]) -> np.ndarray:
    """To two significant digits."""
    size = 10.0 ** np.floor(np.log10(figures.abs().where(figures != 0, 1.0).to_numpy(float)) - 1)
    return np.asarray(np.round(figures.to_numpy(float) / size) * size)


def _with_shown_counts(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table.assign(**dict(zip(names, shown_counts(table[names]).T, strict=True))) if names else table.copy()


def shown_places(places: pd.DataFrame, needs: pd.DataFrame) -> pd.DataFrame:
    """Counts by pool; where the pupils of a kind (of new places, or drawn from mainstream) by pool and by council, held side by side,
    would narrow a hidden count, they are hidden by pool."""
    result = _with_shown_counts(places, columns("places", Treatment.COUNT))
    result["places"] = np.where(places["is_new"], places["places"], shown_counts(places["places"]))
    for kind in KINDS:
        _hide_where_needs_tell(result, "pupils", (places["kind"] == kind), needs, kind)
    _hide_where_needs_tell(result, "pupils", places["is_new"], needs, "in_new_places")
    _hide_where_needs_tell(result, "latent_pupils", pd.Series(True, places.index), needs, "latent")
    over = result["pupils"] + result["latent_pupils"] - result["places"]
    result["over_places"] = rounded(over.clip(lower=0.0))
    return result


def _hide_where_needs_tell(places: pd.DataFrame, name: str, which: pd.Series[bool], needs: pd.DataFrame, column: str) -> None:
    """Hide ``name`` of some pools in the years in which their sum, known from ``column`` of the needs too, narrows a hidden count."""
    here = _range_by_year(places[which], name)
    there = _range_by_year(needs, column, kept_back(needs) & (column in PARTS))
    both = here.add_suffix("_here").join(there.add_suffix("_there"), how="inner")
    telling = pd.Series(False, both.index)
    for one, other in (("here", "there"), ("there", "here")):
        least = both[f"low_{other}"] - (both[f"high_{one}"] - HIDDEN_BELOW)
        most = both[f"high_{other}"] - (both[f"low_{one}"] - NONE_BELOW)
        telling |= (both[f"hidden_{one}"] > 0) & ((least > 1.0) | (most < 4.0))
    places.loc[which & places["academic_year"].isin(both.index[telling]), name] = np.nan


def _range_by_year(table: pd.DataFrame, name: str, unknown: pd.Series[bool] | bool = False) -> pd.DataFrame:
    """Least and largest possible sum by year, and how many counts are hidden; of rows kept back nothing is known."""
    low, high = possible(table[name])
    known = ~(table[name].isna() & unknown)
    ranges = pd.DataFrame({"low": np.where(known, low, 0.0), "high": np.where(known, high, np.inf), "hidden": table[name].isna() & known})
    return ranges.groupby(table["academic_year"].to_numpy()).sum()


def _flows(table: pd.DataFrame, zone: pd.Series[str]) -> pd.DataFrame:
    """Pupils of small areas by zone; what is below five is dropped."""
    table = table.assign(area_id=table["area_id"].map(zone))
    sums = table.groupby([name for name in table.columns if name not in ("entrants", "pupils")], as_index=False)[
        ["entrants", "pupils"]
    ].sum()
    kept = sums[sums["pupils"] >= HIDDEN_BELOW].reset_index(drop=True)
    return _with_shown_counts(kept, ["entrants", "pupils"])[list(table.columns)]


def _travel(travel: pd.DataFrame, needs: pd.DataFrame) -> pd.DataFrame:
    """Counts of journeys; all of a row is hidden where it and the needs of the same pupils would give one of them away."""
    result = _with_shown_counts(travel, columns("travel", Treatment.COUNT))
    beside = travel[NEED_KEY].merge(needs, on=NEED_KEY, how="left", validate="one_to_one")
    telling = _telling(result["pupils"].to_numpy(), beside)
    counts = travel["pupils"].where(~telling, 0.0)
    result.loc[telling, columns("travel", Treatment.COUNT)] = np.nan
    for name in columns("travel", Treatment.MEAN):
        result[name] = shown_mean(travel[name] * travel["pupils"], counts, 1.0)
    for name in columns("travel", Treatment.QUANTILE):
        result[name] = rounded(travel[name], QUANTILES_TO)
        result.loc[counts < FEWEST_FOR_MEANS, name] = np.nan
    for name in columns("travel", Treatment.MONEY):
        result[name] = shown_mean(travel[name], counts, GBP_PER_PUPIL_TO) * result["pupils"]
    return result


def _telling(travellers: np.ndarray, beside: pd.DataFrame) -> np.ndarray:
    """Whether travellers narrow a hidden part of the needs: they are the located parts, and with the others they are the demand."""
    low, high = possible(travellers)
    whole_low, whole_high = possible(beside["demand"])
    others = beside[[*UNLOCATED, "unmet"]].to_numpy(float)
    telling = is_revealing(travellers, beside[list(LOCATED)].to_numpy(float)) | is_narrowing(whole_low - high, whole_high - low, others)
    alone = np.isnan(travellers) & (
        (whole_low - possible(others)[1].sum(axis=1) > 1.0) | (whole_high - possible(others)[0].sum(axis=1) < 4.0)
    )
    return np.asarray((telling | alone) & ~kept_back(beside).to_numpy())


def _costs(costs: pd.DataFrame, needs: pd.DataFrame) -> pd.DataFrame:
    """Each line's money per pupil, times the pupils as shown: it says no more of their number than they do. Capital is shown as it is."""
    shown = totals_of_needs(needs, ["academic_year"], COST_OF, protected=True).set_index("academic_year")
    exact = totals_of_needs(needs, ["academic_year"], COST_OF, protected=False).set_index("academic_year")
    result = costs.copy()
    result["gbp"] = rounded(costs["gbp"], MONEY_TO)
    capital = costs["item"].isin(CAPITAL_LINES)
    result.loc[capital, "gbp"] = costs.loc[capital, "gbp"]
    for item in COST_OF:
        rows = costs["item"] == item
        pupils, counted = (costs.loc[rows, "year"].map(table[item]).to_numpy(float) for table in (exact, shown))
        money = shown_mean(costs.loc[rows, "gbp"], pupils, GBP_PER_PUPIL_TO) * counted
        result.loc[rows, "gbp"] = np.where(pupils < NONE_BELOW, 0.0, money)
    factor = costs["present_value_gbp"] / costs["gbp"].where(costs["gbp"] != 0.0)
    result["present_value_gbp"] = np.where(capital, costs["present_value_gbp"], result["gbp"] * factor.fillna(0.0))
    return result
