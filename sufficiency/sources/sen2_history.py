"""Education, health and care plans through the years, on one boundary set.

Councils that were split or merged are one *area* throughout, because a history exists only for the sum.
Januaries of the 2025 release are read by ``ehc_plans``; here come the establishment file of 2015 to 2022
and the flows of calendar years: requests, new plans, ceased plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from sufficiency.sources import ehc_plans, files
from sufficiency.sources.boundaries import councils as all_councils
from sufficiency.sources.ehc_plans import CATEGORIES, ENGLAND, NOT_RECORDED, UNKNOWN

ONE_AREA: Final[dict[str, str]] = {
    **dict.fromkeys(("E06000028", "E06000029", "E06000058", "E06000059", "E10000009"), "Dorset with Bournemouth, Christchurch and Poole"),
    **dict.fromkeys(("E06000063", "E06000064", "E10000006"), "Cumbria"),
    **dict.fromkeys(("E06000061", "E06000062", "E10000021"), "Northamptonshire"),
}
"""Council -> the area that holds it and its predecessors; every other council is an area of its own."""

RECODED: Final[dict[str, str]] = {
    "E10000002": "E06000060",
    "E10000023": "E06000065",
    "E10000027": "E06000066",
    "E08000020": "E08000037",
    "E06000048": "E06000057",
}
"""Old code -> code today, where only the code changed."""

BANDS: Final[dict[str, tuple[int, int]]] = {
    "under 5": (0, 4),
    "5 to 10": (5, 10),
    "11 to 15": (11, 15),
    "16 to 19": (16, 19),
    "20 to 25": (20, 25),
}
STOCKS: Final = ("ehc_plans", "special_state", "independent_nm", "ap", NOT_RECORDED)
NEEDS: Final = tuple(need for need in ehc_plans.NEED_COLUMNS.values() if need != UNKNOWN)

_FLOW: Final = {
    "time_period": "time_period",
    "level": "geographic_level",
    "council_code": "la_code_ons",
    "region": "region_name",
    "topic": "breakdown_topic",
    "breakdown": "breakdown",
}
_PUBLISHED: Final = {**_FLOW, "council_code": "new_la_code"}


def _editions(**figures: str) -> Mapping[str, Mapping[str, str]]:
    return {"as published": {**_PUBLISHED, **figures}, "as cut": {**_FLOW, **figures}}


@dataclass(frozen=True)
class History:
    """Plans by area and time. ``january`` n is the count of January n; ``year`` n a flow of calendar year n, out with January n + 1.

    NaN = not returned. Indices: area or council (ONS code), january or year, age in years at 31 August.
    """

    councils: pd.DataFrame
    """council, council_name, region, area: one row per council of today."""
    stock: pd.DataFrame
    """(area, january): STOCKS."""
    bands: pd.DataFrame
    """(area, january): BANDS; after the band file ended, sums of single ages (derived)."""
    flows: pd.DataFrame
    """(area, year): requests, new_plans."""
    new_by_age: pd.DataFrame
    """(council, year, age): new_plans and CATEGORIES; under 3 is 2, 20 and over is 20."""
    ceased_by_age: pd.DataFrame
    """(council, year, age): ceased, which includes moves to another council."""
    new_need_by_age: pd.DataFrame
    """(council, year, age): new plans by NEEDS."""

    def until(self, origin: int) -> History:
        """Only what the release of January ``origin`` and those before it held."""

        def kept(table: pd.DataFrame) -> pd.DataFrame:
            level = "january" if "january" in table.index.names else "year"
            return table[table.index.get_level_values(level) <= (origin if level == "january" else origin - 1)]

        names = ("stock", "bands", "flows", "new_by_age", "ceased_by_age", "new_need_by_age")
        return replace(self, **{name: kept(getattr(self, name)) for name in names})

    def wide(self, measure: str) -> pd.DataFrame:
        """One measure of the stock: rows areas, columns Januaries."""
        return self.stock[measure].unstack("january")

    def wide_band(self, band: str) -> pd.DataFrame:
        """Plans of one age band: rows areas, columns Januaries."""
        return self.bands[band].unstack("january")


def read_history(data: Path) -> History:
    """All releases of the data folder. Raises InputError naming what is missing."""
    new = _rows(files.read(data, "new_plans", _editions(new_plans="new_ehc_plans")), "new plans")
    new_by_age = _new_by_age(new)
    table = all_councils(data)
    councils = table.rename(columns={"council_code": "council", "region_name": "region"})[["council", "council_name", "region"]]
    return History(
        councils=councils.assign(area=area_of(councils["council"])),
        stock=_stock(ehc_plans.caseload(data), _establishments(data)),
        bands=_bands(data),
        flows=_flows(_rows(files.read(data, "requests", _editions(requests="requests_received_in_year")), "requests"), new, new_by_age),
        new_by_age=new_by_age,
        ceased_by_age=_ceased(_rows(files.read(data, "ceased_plans", _editions(ceased="total_ceased")), "ceased plans")),
        new_need_by_age=_new_needs(_rows(files.read(data, "new_plan_needs", _editions()), "needs of new plans")),
    )


def area_of(councils: Iterable[str]) -> list[str]:
    """Area of each council code, old or new."""
    codes = (RECODED.get(code, code) for code in councils)
    return [ONE_AREA.get(code, code) for code in codes]


def band_of(age: int) -> str:
    """The published age band of an age at 31 August."""
    return next(name for name, (low, high) in BANDS.items() if low <= age <= high)


def _rows(table: pd.DataFrame, file: str) -> pd.DataFrame:
    """Council rows with today's codes and the calendar year; figures stay text until a reader names them."""
    table = table[table["level"] == "Local authority"].copy()
    table["council"] = table["council_code"].replace(RECODED)
    table["year"] = table["time_period"].str[:4].astype(int)
    return files.numbers(table, [name for name in ("new_plans", "requests", "ceased") if name in table.columns], file)


def _aged(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by age, with the age in years; age unknown left out."""
    rows = rows[rows["topic"].isin(["Age when plan started", "Age plan ceased", "Child or young persons age"])].copy()
    rows["age"] = rows["breakdown"].str.extract(r"(\d+)", expand=False)
    return rows[rows["age"].notna()].astype({"age": int})


def _new_by_age(new: pd.DataFrame) -> pd.DataFrame:
    rows = _aged(new)
    columns = sorted({column for group in ehc_plans.CATEGORY_COLUMNS.values() for column in group})
    rows = files.numbers(rows, columns, "new plans")
    for category, group in ehc_plans.CATEGORY_COLUMNS.items():
        rows[category] = rows[list(group)].sum(axis=1)
    placed = [name for name in ehc_plans.CATEGORY_COLUMNS if name != NOT_RECORDED]
    rows["elsewhere"] = rows["new_plans"] - rows[placed].sum(axis=1) - rows[NOT_RECORDED]
    return rows.groupby(["council", "year", "age"])[["new_plans", *CATEGORIES, NOT_RECORDED]].sum(min_count=1)


def _new_needs(rows: pd.DataFrame) -> pd.DataFrame:
    rows = files.numbers(_aged(rows), ehc_plans.NEED_COLUMNS, "needs of new plans").rename(columns=dict(ehc_plans.NEED_COLUMNS))
    return rows.groupby(["council", "year", "age"])[list(NEEDS)].sum(min_count=1)


def _ceased(rows: pd.DataFrame) -> pd.DataFrame:
    return _aged(rows).groupby(["council", "year", "age"])[["ceased"]].sum(min_count=1)


def _flows(requests: pd.DataFrame, new: pd.DataFrame, new_by_age: pd.DataFrame) -> pd.DataFrame:
    asked = requests[requests["topic"].str.startswith("All requests")][["council", "year", "requests"]]
    made = _repair_regional_total(new[new["topic"] == "New EHC plans"][["council", "year", "new_plans", "region"]], new_by_age)
    both = asked.merge(made.drop(columns="region"), on=["council", "year"], how="outer")
    return both.assign(area=area_of(both["council"])).groupby(["area", "year"])[["requests", "new_plans"]].sum(min_count=1)


def _repair_regional_total(made: pd.DataFrame, new_by_age: pd.DataFrame) -> pd.DataFrame:
    """Where every council of a region carries one figure, it is the regional total: ages are summed instead.

    (2022, Yorkshire and The Humber.) What the ages leave over goes to the council that fell most against the year
    before: it returned its ages incompletely.
    """
    made = made.copy()
    ages = new_by_age["new_plans"].groupby(["council", "year"]).sum(min_count=1)
    before = made.set_index(["council", "year"])["new_plans"]
    for _, rows in made.groupby(["region", "year"]):
        figures = rows["new_plans"].dropna()
        if len(figures) < 3 or figures.nunique() > 1:
            continue
        summed = pd.Series(ages.reindex(pd.MultiIndex.from_frame(rows[["council", "year"]])).fillna(0.0).to_numpy(), index=rows.index)
        previous = before.reindex(pd.MultiIndex.from_arrays([rows["council"], rows["year"] - 1])).to_numpy()
        summed[(summed / previous).idxmin()] += max(float(figures.iloc[0]) - float(summed.sum()), 0.0)
        made.loc[rows.index, "new_plans"] = summed
    return made


def _establishments(data: Path) -> pd.DataFrame:
    """(council, january): measures of the establishment file, statements and plans together."""
    names = {
        "time_period": "time_period",
        "level": "geographic_level",
        "council_code": "la_code_ons",
        "group": "establishment_group",
        "kind": "establishment_type",
        "plans": "Total_all",
    }
    table = files.read(data, "establishments", {"2022": names})
    table = files.numbers(table[table["level"] == "Local authority"], ["plans"], "establishments")
    kind = table["kind"]
    state = kind.isin(
        ["Special - LA maintained", "Special - Academy/free", "Special - Academy", "Special - Free school", "Hospital School"]
    )
    measures = {
        "ehc_plans": (kind == "Total") & (table["group"] == "Total"),
        "special_state": state,
        "independent_nm": kind.isin(["Special - Independent", "Special - Non-maintained"]),
        "ap": kind.str.startswith("AP/PRU"),
    }
    keys = [table["council_code"].replace(RECODED).rename("council"), table["time_period"].astype(int).rename("january")]
    return pd.DataFrame({name: table["plans"].where(chosen, 0.0).groupby(keys).sum() for name, chosen in measures.items()})


def _stock(caseload: pd.DataFrame, establishments: pd.DataFrame) -> pd.DataFrame:
    caseload = caseload[caseload["council_code"] != ENGLAND].set_index(["council_code", "january"])
    recent = pd.DataFrame(
        {
            "ehc_plans": caseload["ehc_plans"],
            "special_state": caseload["state_special"],
            "independent_nm": caseload["independent_special"] + caseload["non_maintained"],
            "ap": caseload["ap"],
            NOT_RECORDED: caseload[NOT_RECORDED].fillna(0.0),
        }
    ).rename_axis(["council", "january"])
    older = establishments[establishments.index.get_level_values("january") < recent.index.get_level_values("january").min()]
    both = pd.concat([older, recent]).reset_index()
    both = both.assign(area=area_of(both["council"]))
    return ehc_plans.sums(both, ["area", "january"], list(STOCKS)).sort_index()


def _bands(data: Path) -> pd.DataFrame:
    old = ehc_plans.age_bands(data)
    names = {"Under 5": "under 5", **{f"Age {name}": name for name in BANDS}}
    old = old[old["council_code"] != ENGLAND].rename(columns={"pupils": "ehc_plans"})
    old["band"] = old["band"].map(names)
    single = ehc_plans.caseload_by_age(data)
    single = single[(single["january"] > old["january"].max()) & (single["council_code"] != ENGLAND)]
    both = pd.concat([old, single.assign(band=single["age"].map(band_of))])
    both = both.assign(area=area_of(both["council_code"]))
    sums = both.groupby(["area", "january", "band"])["ehc_plans"].sum(min_count=1)
    return pd.DataFrame(sums.unstack("band"))[list(BANDS)]
