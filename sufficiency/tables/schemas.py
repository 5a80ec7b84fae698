"""One schema per input table of a case: the only place where columns are declared.

Each column carries a description, a unit and, where a plain type is not enough, a remedy.
The data dictionary in docs/ is written from these classes.
List cells join codes by ``|`` (``ASD|SLCN``). Coordinates are EPSG:27700 metres.
"""

from __future__ import annotations

from typing import Any, Final

import pandera.pandas as pa
from pandera.typing import Series

from sufficiency.terms import (
    NEED_GROUPS,
    NEEDS,
    PHASES,
    PROJECT_KINDS,
    SETTING_KINDS,
    SEVERITIES,
    STATUSES,
    STREAMS,
)

ACADEMIC_YEAR: Final = r"^\d{4}/\d{2}$"
FINANCIAL_YEAR: Final = r"^\d{4}-\d{2}$"
PRIVATE: Final = frozenset({"unlocated_independent", "unlocated_ap"})


def column(description: str, unit: str = "text", **checks: Any) -> Any:
    """A pandera field with the description and unit that the data dictionary prints."""
    return pa.Field(description=description, metadata={"unit": unit}, **checks)


def codes(allowed: dict[str, Any] | frozenset[str]) -> str:
    """Pattern of a list cell: one or more allowed codes joined by ``|``."""
    one = "|".join(sorted(allowed))
    return rf"^(?:{one})(?:\|(?:{one}))*$"


STATUS_TEXT: Final = "How the figures of this row came about (see terms)"


class Table(pa.DataFrameModel):
    """Base: unknown columns are refused, types are coerced, rows are keyed by ``Config.unique``."""

    class Config:
        strict = True
        coerce = True


class Areas(Table):
    """Small areas where pupils live (LSOA or MSOA 2021). In a case folder: GeoParquet with geometry."""

    area_id: Series[str] = column("Code of the area (LSOA21 or MSOA21)", "ONS code", unique=True)
    area_name: Series[str] = column("Name of the area")
    council_code: Series[str] = column("Council of residence", "ONS code")
    council_name: Series[str] = column("Name of the council of residence")
    region_name: Series[str] = column("Region of England")
    easting_m: Series[float] = column("Population-weighted point", "m, EPSG:27700", in_range={"min_value": 0, "max_value": 700_000})
    northing_m: Series[float] = column("Population-weighted point", "m, EPSG:27700", in_range={"min_value": 0, "max_value": 700_000})
    travel_class: Series[str] = column("Which travel estimate holds here", "code", isin=["urban", "rural", "london"])
    imd_decile: Series[int] = column("Deprivation decile, 1 = most deprived tenth", "decile", in_range={"min_value": 1, "max_value": 10})
    population_0_25: Series[float] = column("Residents aged 0 to 25", "persons", ge=0)


class Pupils(Table):
    """Pupils by area, need, phase and year. ``pupils_placed`` is the demand that the plan serves."""

    area_id: Series[str] = column("Area of residence", "ONS code")
    stream: Series[str] = column("Stream of demand", "code", isin=list(STREAMS))
    need: Series[str] = column("Primary need", "code", isin=list(NEEDS))
    phase: Series[str] = column("Phase by age at 31 August", "code", isin=list(PHASES))
    academic_year: Series[str] = column("Academic year, counted in its January", "year", str_matches=ACADEMIC_YEAR)
    scenario: Series[str] = column("Demand scenario (central, low, high or the user's own)")
    pupils_placed: Series[float] = column("In or needing special, resourced provision, unit, AP or independent placement", "pupils", ge=0)
    pupils_mainstream: Series[float] = column("With a plan in mainstream (no arcs; source of latent demand)", "pupils", ge=0)
    pupils_further_education: Series[float] = column("With a plan in further education or specialist post-16 (no arcs)", "pupils", ge=0)
    pupils_elsewhere: Series[float] = column("With a plan educated elsewhere, early years or not in education (no arcs)", "pupils", ge=0)
    status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))

    class Config:
        unique = ["area_id", "stream", "need", "phase", "academic_year", "scenario"]


class Settings(Table):
    """Schools and other settings, one row per URN (or own id)."""

    setting_id: Series[str] = column("URN, or an id of the user's own", "id", unique=True)
    name: Series[str] = column("Name of the setting")
    kind: Series[str] = column("Kind of provision", "code", isin=list(SETTING_KINDS))
    council_code: Series[str] = column("Council where the setting stands", "ONS code")
    easting_m: Series[float] = column("Location; empty only for unlocated kinds", "m, EPSG:27700", nullable=True, in_range={"min_value": 0, "max_value": 700_000})
    northing_m: Series[float] = column("Location; empty only for unlocated kinds", "m, EPSG:27700", nullable=True, in_range={"min_value": 0, "max_value": 700_000})
    age_low: Series[float] = column("Youngest statutory age; empty = unknown", "years", nullable=True, in_range={"min_value": 0, "max_value": 25})
    age_high: Series[float] = column("Oldest statutory age; empty = unknown", "years", nullable=True, in_range={"min_value": 0, "max_value": 25})
    roll: Series[float] = column("Pupils on the register; empty = unknown", "pupils", nullable=True, ge=0)
    places: Series[float] = column("Places of the whole setting; empty = unknown", "places", nullable=True, ge=0)
    roll_status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))
    places_status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))


class Pools(Table):
    """Places of a setting that are interchangeable: for these need groups and phases."""

    pool_id: Series[str] = column("Id of the pool", "id", unique=True)
    setting_id: Series[str] = column("Setting that holds the places", "id")
    need_groups: Series[str] = column("Need groups the places are designated for", "codes", str_matches=codes(NEED_GROUPS))
    phases: Series[str] = column("Phases the places serve", "codes", str_matches=codes(PHASES))
    places: Series[float] = column("Places open to residents of the case in the base year", "places", ge=0)
    places_total: Series[float] = column("All places of the pool, other councils' pupils included", "places", ge=0)
    growth_per_year: Series[float] = column("Yearly growth of places without any project (independent settings)", "share", in_range={"min_value": -0.5, "max_value": 1.0})
    place_cost_gbp_per_year: Series[float] = column("Cost to the council of one filled place (fee, or place funding and top-up); empty = the default of its kind", "GBP per pupil per year", nullable=True, in_range={"min_value": 1_000, "max_value": 400_000})
    places_at_risk: Series[float] = column("Places that will be lost unless a project keeps them", "places", ge=0)
    at_risk_from: Series[str] = column("First academic year without the places at risk; empty = none", "year", nullable=True, str_matches=ACADEMIC_YEAR)
    status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))


class Placements(Table):
    """Where the placed pupils of the base January are."""

    area_id: Series[str] = column("Area of residence", "ONS code")
    pool_id: Series[str] = column("Pool they are placed in", "id")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    phase: Series[str] = column("Phase", "code", isin=list(PHASES))
    pupils: Series[float] = column("Pupils placed at the base January", "pupils", ge=0)
    status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))

    class Config:
        unique = ["area_id", "pool_id", "need_group", "phase"]


class Projects(Table):
    """Capital options: what may be built, where, for whom, at what cost and how soon."""

    project_id: Series[str] = column("Id of the project", "id", unique=True)
    name: Series[str] = column("Name that a planner knows it by")
    kind: Series[str] = column("Kind of project", "code", isin=list(PROJECT_KINDS))
    effect: Series[str] = column("What it does to places", "code", isin=["add", "convert", "replace", "improve"])
    site_id: Series[str] = column("Setting where it is built, or an id of a new site", "id")
    council_code: Series[str] = column("Council that would pay", "ONS code")
    easting_m: Series[float] = column("Location", "m, EPSG:27700", in_range={"min_value": 0, "max_value": 700_000})
    northing_m: Series[float] = column("Location", "m, EPSG:27700", in_range={"min_value": 0, "max_value": 700_000})
    provision: Series[str] = column("Kind of the places it opens", "code", isin=["state_special", "resourced_provision", "ap"])
    need_groups: Series[str] = column("Need groups the places are designated for", "codes", str_matches=codes(NEED_GROUPS))
    phases: Series[str] = column("Phases the places serve", "codes", str_matches=codes(PHASES))
    module_places: Series[int] = column("Places of one module (usually a class)", "places", gt=0)
    min_places: Series[int] = column("Fewest places worth building; 0 for an improvement", "places", ge=0)
    max_places: Series[int] = column("Most places the site can take", "places", ge=0)
    fixed_cost_gbp: Series[float] = column("Capital that does not depend on size, before optimism bias", "GBP, price base of the case", ge=0)
    cost_per_place_gbp: Series[float] = column("Capital per place, before optimism bias", "GBP per place, price base of the case", ge=0)
    stage_cost_gbp: Series[float] = column("Fixed capital of each later stage, before optimism bias", "GBP, price base of the case", ge=0)
    max_stages: Series[int] = column("In how many stages it may open; 1 = all at once", "stages", in_range={"min_value": 1, "max_value": 4})
    optimism_bias: Series[float] = column("Added to capital: 0.24 adds 24 %", "share", in_range={"min_value": 0, "max_value": 2})
    lead_time_years: Series[int] = column("Years from the April of the start to the September of opening", "years", in_range={"min_value": 0, "max_value": 10})
    earliest_start: Series[str] = column("First financial year in which it can start", "year", str_matches=FINANCIAL_YEAR)
    spend_profile: Series[str] = column("Share of capital by financial year from the start, summing to 1", "shares joined by |")
    life_years: Series[int] = column("Useful life (40 buildings, 10 temporary)", "years", in_range={"min_value": 1, "max_value": 80})
    place_cost_gbp_per_year: Series[float] = column("Running cost of one filled place; empty = the default of its provision", "GBP per pupil per year", nullable=True, in_range={"min_value": 1_000, "max_value": 400_000})
    from_pool_id: Series[str] = column("Pool whose places it converts, replaces or keeps; empty when it adds", "id", nullable=True)
    places_removed: Series[float] = column("Places of that pool that end when it opens", "places", ge=0)
    places_kept: Series[float] = column("Places at risk of that pool that it keeps (improvement)", "places", ge=0)
    exclusive_group: Series[str] = column("At most one project of a group is built; empty = none", "id", nullable=True)
    prerequisite: Series[str] = column("Project that must open no later; empty = none", "id", nullable=True)
    decision: Series[str] = column("Already decided?", "code", isin=["open", "committed", "forbidden"])
    committed_places: Series[float] = column("Places of a committed project; empty = not committed", "places", nullable=True, ge=0)
    committed_start: Series[str] = column("Start of a committed project; empty = not committed", "year", nullable=True, str_matches=FINANCIAL_YEAR)
    status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))


class Funds(Table):
    """Capital by fund and financial year."""

    fund_id: Series[str] = column("Id of the fund", "id")
    programme: Series[str] = column("Programme it belongs to")
    councils: Series[str] = column("Councils that may draw on it", "ONS codes joined by |")
    financial_year: Series[str] = column("Financial year of the allocation", "year", str_matches=FINANCIAL_YEAR)
    amount_gbp: Series[float] = column("Allocation", "GBP, price base of the case", ge=0)
    eligible_kinds: Series[str] = column("Project kinds it may pay for; any = all (the ring-fence)", "codes", str_matches=codes({**PROJECT_KINDS, "any": ""}))
    carry_forward_share: Series[float] = column("Largest share of the money in hand that may be carried into the next year", "share", in_range={"min_value": 0, "max_value": 1})
    status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))

    class Config:
        unique = ["fund_id", "financial_year"]


class Travel(Table):
    """Journeys from areas to sites (settings and project sites), one way."""

    area_id: Series[str] = column("Area of residence", "ONS code")
    site_id: Series[str] = column("Setting or project site", "id")
    minutes: Series[float] = column("Journey by car or minibus; empty when unreachable", "minutes, one way", nullable=True, in_range={"min_value": 0, "max_value": 180})
    km: Series[float] = column("Length along the same path; empty when unreachable", "km, one way", nullable=True, ge=0)
    status: Series[str] = column("How the time was found", "code", isin=["estimated", "road", "given", "unreachable"])

    class Config:
        unique = ["area_id", "site_id"]


class Suitability(Table):
    """What serves whom: which kind of provision suits which need group and severity."""

    kind: Series[str] = column("Kind of provision", "code", isin=list(SETTING_KINDS))
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    severity: Series[str] = column("Severity band", "code", isin=list(SEVERITIES))
    suitable: Series[bool] = column("Whether the provision suits the pupil", "true or false")

    class Config:
        unique = ["kind", "need_group", "severity"]


class Councils(Table):
    """Councils of the case: what concerns each as a whole."""

    council_code: Series[str] = column("Council", "ONS code", unique=True)
    council_name: Series[str] = column("Name")
    region_name: Series[str] = column("Region of England")
    unlocated_km: Series[float] = column("Mean journey to an unlocated independent place", "km, one way", ge=0)
    unlocated_minutes: Series[float] = column("Mean journey to an unlocated independent place", "minutes, one way", ge=0)


SCHEMAS: Final[dict[str, type[Table]]] = {
    "areas": Areas,
    "councils": Councils,
    "pupils": Pupils,
    "settings": Settings,
    "pools": Pools,
    "placements": Placements,
    "projects": Projects,
    "funds": Funds,
    "travel": Travel,
    "suitability": Suitability,
}
"""Table name -> schema. The file of a table in a case folder bears its name."""
