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
    BUSINESS_CASES,
    EQUITY_GROUPS,
    EQUITY_MEASURES,
    FUND_KINDS,
    NEED_GROUPS,
    NEEDS,
    PHASES,
    PROJECT_KINDS,
    SETTING_KINDS,
    SEVERITIES,
    STATUSES,
    STREAMS,
    WISHES,
)

ACADEMIC_YEAR: Final = r"^\d{4}/\d{2}$"
FINANCIAL_YEAR: Final = r"^\d{4}-\d{2}$"
PRIVATE: Final = frozenset({"unlocated_independent", "unlocated_ap"})


def column(description: str, unit: str = "text", default: Any = None, **checks: Any) -> Any:
    """A pandera field with the description and unit that the data dictionary prints.

    A column with a ``default``, or a nullable one added ``later``, may be left out of a file; the default also stands for its empty cells.
    """
    later = checks.pop("later", False)
    metadata = {"unit": unit, "default": default, "optional": later or default is not None}
    return pa.Field(description=description, metadata=metadata, **checks)


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
    effect: Series[str] = column("What it does to places", "code", isin=["add", "convert", "replace", "improve", "grant"])
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
    optimism_bias: Series[float] = column("Added to capital: 0.24 adds 24 %; empty = that of the business case's stage, else of its kind", "share", nullable=True, in_range={"min_value": 0, "max_value": 2})
    business_case: Series[str] = column("Stage of its business case; empty = none", "code", nullable=True, later=True, isin=list(BUSINESS_CASES))
    price_area: Series[str] = column("Where the prices hold: local, or England (then times the region's location factor)", "code", default="local", isin=["local", "England"])
    lead_time_years: Series[int] = column("Years from the April of the start to the September of opening", "years", in_range={"min_value": 0, "max_value": 10})
    earliest_start: Series[str] = column("First financial year in which it can start", "year", str_matches=FINANCIAL_YEAR)
    build_years: Series[float] = column("Years under construction before the opening; empty = the whole lead time", "years", nullable=True, later=True, in_range={"min_value": 0, "max_value": 10})
    spend_profile: Series[str] = column("Share of capital by financial year from the start, summing to 1", "shares joined by |")
    ramp_up: Series[str] = column("Share of the places that is open in the first, second, ... year; the last holds from then on", "shares joined by |", default="1")
    expires_after_years: Series[float] = column("Years for which temporary places take entrants, then they run off with their pupils; empty = permanent", "years", nullable=True, later=True, in_range={"min_value": 1, "max_value": 40})
    least_use_share: Series[float] = column("Least share of the open places in use once it has settled", "share", default=0.0, in_range={"min_value": 0, "max_value": 1})
    most_use_share: Series[float] = column("Share of the places that may be filled in a planned year", "share", default=1.0, in_range={"min_value": 0.5, "max_value": 1})
    viable_pupils: Series[float] = column("Fewest pupils for which it is worth running once it has settled", "pupils", default=0.0, ge=0)
    viable_after_years: Series[int] = column("Years after the opening in which it settles", "years", default=0, in_range={"min_value": 0, "max_value": 10})
    disruption_places: Series[float] = column("Places of from_pool_id lost while it is built", "places", default=0.0, ge=0)
    disruption_years: Series[int] = column("Academic years before the opening in which they are lost", "years", default=0, in_range={"min_value": 0, "max_value": 10})
    life_years: Series[int] = column("Useful life (40 buildings, 10 temporary)", "years", in_range={"min_value": 1, "max_value": 80})
    place_cost_gbp_per_year: Series[float] = column("Running cost of one filled place; empty = the default of its provision", "GBP per pupil per year", nullable=True, in_range={"min_value": 1_000, "max_value": 400_000})
    from_pool_id: Series[str] = column("Pool whose places it converts, replaces or keeps; empty when it adds", "id", nullable=True)
    places_removed: Series[float] = column("Places of that pool that end when it opens", "places", ge=0)
    places_kept: Series[float] = column("Places at risk of that pool that it keeps (improvement)", "places", ge=0)
    overcrowding_places: Series[float] = column("Pupils by which that pool may run fuller once improved", "places", default=0.0, ge=0)
    places_improved: Series[float] = column("Places of that pool that from then on serve the project's need groups and phases at its running cost (improvement)", "places", default=0.0, ge=0)
    wheelchair_access: Series[bool] = column("Improved places also take pupils with sensory and physical needs", "true or false", default=False)
    exclusive_group: Series[str] = column("At most one project of a group is built; empty = none", "id", nullable=True)
    prerequisite: Series[str] = column("Project that must open no later; empty = none", "id", nullable=True)
    prerequisite_lag_years: Series[int] = column("Years by which the prerequisite opens earlier", "years", default=0, in_range={"min_value": 0, "max_value": 10})
    parent: Series[str] = column("Setting that runs a satellite, or the project that opens it (then a prerequisite); empty = none", "id", nullable=True, later=True)
    bundle: Series[str] = column("Projects of a bundle are built all or none; empty = none", "id", nullable=True, later=True)
    grant_fund: Series[str] = column("Fund that receives a grant when it starts (cash instead of a free school); empty = none", "id", nullable=True, later=True)
    grant_places: Series[float] = column("Places for which the grant is paid", "places", default=0.0, ge=0)
    grant_gbp_per_place: Series[float] = column("Grant per place", "GBP per place, price base of the case", default=0.0, ge=0)
    grant_profile: Series[str] = column("Share of the grant by financial year from the start, summing to 1", "shares joined by |", default="1")
    decision: Series[str] = column("Already decided?", "code", isin=["open", "committed", "forbidden"])
    committed_places: Series[float] = column("Places of a committed project; empty = not committed", "places", nullable=True, ge=0)
    committed_start: Series[str] = column("Start of a committed project; empty = not committed", "year", nullable=True, str_matches=FINANCIAL_YEAR)
    status: Series[str] = column(STATUS_TEXT, "code", isin=list(STATUSES))


class Funds(Table):
    """Capital by fund and financial year."""

    fund_id: Series[str] = column("Id of the fund", "id")
    programme: Series[str] = column("Programme it belongs to")
    kind: Series[str] = column("Where the money comes from", "code", default="grant", isin=list(FUND_KINDS))
    interest_rate: Series[float] = column("Real rate of interest (borrowing)", "share per year", default=0.0, in_range={"min_value": 0, "max_value": 0.5})
    term_years: Series[int] = column("Years over which it is repaid (borrowing)", "years", default=25, in_range={"min_value": 1, "max_value": 60})
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
    """What serves whom, by version of the rules: which kind of provision suits which need group, severity and phase.

    Acceptance, tailored lists, projects and the audit read this table and no other. A request picks the version; the newest is the default.
    """

    version: Series[str] = column("Version of the rules", default="2026")
    kind: Series[str] = column("Kind of provision", "code", isin=list(SETTING_KINDS))
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    severity: Series[str] = column("Severity band", "code", isin=list(SEVERITIES))
    phase: Series[str] = column("Phase; any = all that have no row of their own", "code", default="any", isin=[*PHASES, "any"])
    suitable: Series[bool] = column("Whether the provision suits the pupil", "true or false")

    class Config:
        unique = ["version", "kind", "need_group", "severity", "phase"]


class Councils(Table):
    """Councils of the case: what concerns each as a whole."""

    council_code: Series[str] = column("Council", "ONS code", unique=True)
    council_name: Series[str] = column("Name")
    region_name: Series[str] = column("Region of England")
    unlocated_km: Series[float] = column("Mean journey to an unlocated independent place", "km, one way", ge=0)
    unlocated_minutes: Series[float] = column("Mean journey to an unlocated independent place", "minutes, one way", ge=0)
    partnership: Series[str] = column("Partnership that may pool capital; empty = none", nullable=True, later=True)
    most_building: Series[float] = column("Most projects under construction at a time; empty = no limit", "projects", nullable=True, later=True, ge=0)


class Transfers(Table):
    """Money that may move from one fund to another (virement, pooling)."""

    from_fund: Series[str] = column("Fund that gives", "id")
    to_fund: Series[str] = column("Fund that takes", "id")
    financial_year: Series[str] = column("Financial year; any = every year", "year or any", default="any", str_matches=r"^(?:any|\d{4}-\d{2})$")
    limit_gbp: Series[float] = column("Most that may move in the year; empty = no limit", "GBP, price base of the case", nullable=True, later=True, ge=0)
    note: Series[str] = column("Why", nullable=True, later=True)

    class Config:
        unique = ["from_fund", "to_fund", "financial_year"]


class Shares(Table):
    """Least payments for some kinds of project over all years: at least the amount + the share of all that the funds pay."""

    label: Series[str] = column("Name of the rule, as reports give it", unique=True)
    funds: Series[str] = column("Funds that it counts; any = all", "ids joined by |", default="any")
    kinds: Series[str] = column("Project kinds that have to receive it", "codes", str_matches=codes(PROJECT_KINDS))
    councils: Series[str] = column("Councils that it counts; any = all", "ONS codes joined by |", default="any")
    share: Series[float] = column("Least share of all payments", "share", default=0.0, in_range={"min_value": 0, "max_value": 1})
    amount_gbp: Series[float] = column("Least amount", "GBP, price base of the case", default=0.0, ge=0)


class Borders(Table):
    """Agreed caps of placements across council borders, in state provision."""

    home_council: Series[str] = column("Council of residence", "ONS code")
    provider_council: Series[str] = column("Council where the places stand", "ONS code")
    academic_year: Series[str] = column("Academic year; any = every year", "year or any", default="any", str_matches=r"^(?:any|\d{4}/\d{2})$")
    most_pupils: Series[float] = column("Most pupils at a time, those of the base January included", "pupils", ge=0)
    note: Series[str] = column("Agreement it rests on", nullable=True, later=True)

    class Config:
        unique = ["home_council", "provider_council", "academic_year"]


class Reductions(Table):
    """Outreach (AP tier 1) and support bases that keep pupils out of placed demand. Entered, not chosen by the plan."""

    reduction_id: Series[str] = column("Id", "id", unique=True)
    name: Series[str] = column("Name of the outreach or base")
    council_code: Series[str] = column("Council whose pupils it helps", "ONS code")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    phases: Series[str] = column("Phases", "codes", str_matches=codes(PHASES))
    first_year: Series[str] = column("First academic year of full effect", "year", str_matches=ACADEMIC_YEAR)
    capacity: Series[float] = column("Pupils that it supports at a time", "pupils", ge=0)
    elasticity: Series[float] = column("Placed pupils fewer per pupil supported", "pupils per pupil", in_range={"min_value": 0, "max_value": 1})
    most_share: Series[float] = column("Largest share of placed pupils that all reductions together may take away", "share", in_range={"min_value": 0, "max_value": 1})
    gbp_per_year: Series[float] = column("What it costs", "GBP per year, price base of the case", ge=0)


class HighNeeds(Table):
    """The high needs block of councils, to see what a plan does to it."""

    council_code: Series[str] = column("Council", "ONS code")
    financial_year: Series[str] = column("Financial year", "year", str_matches=FINANCIAL_YEAR)
    block_gbp: Series[float] = column("High needs block after recoupment and transfers between blocks", "GBP, price base of the case", ge=0)
    other_spend_gbp: Series[float] = column("High needs spending that is not for placed pupils (mainstream top-up, services)", "GBP, price base of the case", default=0.0)
    deficit_brought_forward_gbp: Series[float] = column("Deficit at the start of the council's first year; empty in later years", "GBP, price base of the case", nullable=True, later=True)
    deficit_programme: Series[str] = column("Safety Valve, Delivering Better Value, ...; empty = none", nullable=True, later=True)

    class Config:
        unique = ["council_code", "financial_year"]


class PinsTable(Table):
    """What the planner insists on: projects that must or must not be built, not before a year, or in at least a size."""

    project_id: Series[str] = column("Project", "id")
    wish: Series[str] = column("What is asked", "code", isin=list(WISHES))
    year: Series[str] = column("must: start by this financial year or open by this academic year; not_before: the same, not earlier", "year", nullable=True, later=True, str_matches=r"^\d{4}[-/]\d{2}$")
    places: Series[float] = column("at_least: places", "places", nullable=True, later=True, gt=0)
    note: Series[str] = column("Why", nullable=True, later=True)
    author: Series[str] = column("Who asks", nullable=True, later=True)
    date: Series[str] = column("When it was asked", nullable=True, later=True)

    class Config:
        unique = ["project_id", "wish"]


class Equity(Table):
    """How far a group may fall behind the average of the case."""

    by: Series[str] = column("What groups areas", "code", isin=list(EQUITY_GROUPS))
    measure: Series[str] = column("What is compared", "code", isin=list(EQUITY_MEASURES))
    within_share: Series[float] = column("How far above the average a group may be: 0.1 allows 10 %", "share", in_range={"min_value": 0, "max_value": 5})

    class Config:
        unique = ["by", "measure"]


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
    "transfers": Transfers,
    "shares": Shares,
    "borders": Borders,
    "reductions": Reductions,
    "high_needs": HighNeeds,
    "pins": PinsTable,
    "equity": Equity,
}
"""Table name -> schema. The file of a table in a case folder bears its name."""
OPTIONAL: Final = frozenset({"transfers", "shares", "borders", "reductions", "high_needs", "pins", "equity"})
"""Tables that a case folder need not have: absent means empty."""
