"""One schema per result table of a plan, in the same form as the input tables.

A plan folder holds these tables three times over: the plan itself at the top,
``counterfactual/`` (committed projects only) and ``rule/`` (cheapest GBP per place first).
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from pandera.typing import Series

from sufficiency.tables.schemas import ACADEMIC_YEAR, FINANCIAL_YEAR, Table, column
from sufficiency.terms import NEED_GROUPS, PHASES, SETTING_KINDS, SEVERITIES

ROUTES: Final = {"any": "May be placed wherever suitable", "independent_only": "The irreducible share: stays independent whatever is built"}


class BuiltProjects(Table):
    """Projects to build, one row per stage."""

    project_id: Series[str] = column("Project", "id")
    name: Series[str] = column("Name that a planner knows it by")
    kind: Series[str] = column("Kind of project", "code")
    effect: Series[str] = column("What it does to places", "code")
    council_code: Series[str] = column("Council that pays", "ONS code")
    site_id: Series[str] = column("Setting where it is built, or id of the new site", "id")
    easting_m: Series[float] = column("Location", "m, EPSG:27700")
    northing_m: Series[float] = column("Location", "m, EPSG:27700")
    provision: Series[str] = column("Kind of the places it opens", "code")
    need_groups: Series[str] = column("Need groups the places are designated for", "codes")
    phases: Series[str] = column("Phases the places serve", "codes")
    stage: Series[int] = column("1 = first opening", "stage")
    start_financial_year: Series[str] = column("Financial year in which the stage starts", "year", str_matches=FINANCIAL_YEAR)
    opens_academic_year: Series[str] = column("Academic year in which the places open", "year", str_matches=ACADEMIC_YEAR)
    places: Series[float] = column("Places that the stage opens (or keeps)", "places", ge=0)
    capital_gbp: Series[float] = column("Capital of the stage with optimism bias, undiscounted", "GBP, price base of the case", ge=0)
    capital_net_pv_gbp: Series[float] = column(
        "Capital discounted, less the discounted credit for useful life after the appraisal", "GBP, present value"
    )
    decision: Series[str] = column("open (chosen by the plan) or committed", "code")


class PlanPlaces(Table):
    """Places and their use by pool and year. A project's places are a pool that bears the project's id."""

    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    pool_id: Series[str] = column("Pool, or the project that opened it", "id")
    setting_id: Series[str] = column("Setting or site", "id")
    kind: Series[str] = column("Kind of provision", "code", isin=list(SETTING_KINDS))
    council_code: Series[str] = column("Council where it stands", "ONS code")
    is_new: Series[bool] = column("Opened by a project of the plan", "true or false")
    places: Series[float] = column("Places open", "places", ge=0)
    pupils: Series[float] = column("Pupils of the placed demand in them", "pupils", ge=0)
    latent_pupils: Series[float] = column("Pupils drawn from mainstream into new places", "pupils", ge=0)
    over_places: Series[float] = column("Pupils above places", "pupils", ge=0)

    class Config:
        unique = ["academic_year", "pool_id"]


class PlanPlacements(Table):
    """Who is placed where: entrants of the year and all pupils there, base-year pupils included."""

    # categories, for England has tens of millions of rows
    area_id: Series[pd.CategoricalDtype] = column("Area of residence", "ONS code")
    pool_id: Series[pd.CategoricalDtype] = column("Pool, or the project that opened it", "id")
    need_group: Series[pd.CategoricalDtype] = column("Need group", "code", isin=list(NEED_GROUPS))
    severity: Series[pd.CategoricalDtype] = column("Severity band", "code", isin=list(SEVERITIES))
    phase: Series[pd.CategoricalDtype] = column("Phase", "code", isin=list(PHASES))
    route: Series[pd.CategoricalDtype] = column("any, or independent_only for the irreducible share", "code", isin=list(ROUTES))
    academic_year: Series[pd.CategoricalDtype] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    entrants: Series[float] = column("Pupils placed there in this year", "pupils", ge=0)
    pupils: Series[float] = column("All pupils of the group there in this year", "pupils", ge=0)

    class Config:
        unique = ["area_id", "pool_id", "need_group", "severity", "phase", "route", "academic_year"]


class PlanUnmet(Table):
    """Pupils without a suitable place, by area."""

    area_id: Series[str] = column("Area of residence", "ONS code")
    council_code: Series[str] = column("Council of residence", "ONS code")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    severity: Series[str] = column("Severity band", "code", isin=list(SEVERITIES))
    phase: Series[str] = column("Phase", "code", isin=list(PHASES))
    route: Series[str] = column("any, or independent_only for the irreducible share", "code", isin=list(ROUTES))
    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    entrants: Series[float] = column("Pupils who find no place in this year", "pupils", ge=0)
    pupils: Series[float] = column("All pupils without a place in this year", "pupils", ge=0)


class PlanNeeds(Table):
    """Demand and where it is met, by council of residence, need group, phase and year."""

    council_code: Series[str] = column("Council of residence", "ONS code")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    phase: Series[str] = column("Phase", "code", isin=list(PHASES))
    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    demand: Series[float] = column("Placed demand", "pupils", ge=0)
    state_special: Series[float] = column("In state special schools", "pupils", ge=0)
    resourced_provision: Series[float] = column("In resourced provisions and units", "pupils", ge=0)
    ap: Series[float] = column("In state AP", "pupils", ge=0)
    non_maintained: Series[float] = column("In non-maintained special schools", "pupils", ge=0)
    independent_special: Series[float] = column("In independent special schools on the map", "pupils", ge=0)
    unlocated_independent: Series[float] = column("In independent places with no location", "pupils", ge=0)
    unlocated_ap: Series[float] = column("In council-funded or school-arranged AP with no location", "pupils", ge=0)
    unmet: Series[float] = column("Without a suitable place", "pupils", ge=0)
    in_new_places: Series[float] = column("Of all these, in places opened by the plan's projects", "pupils", ge=0)
    latent: Series[float] = column("Drawn from mainstream into the council's new places (not part of demand)", "pupils", ge=0)


class PlanFunding(Table):
    """The cash of each fund: carried in + allocated + granted + transferred in = spent + transferred out + returned + carried out."""

    fund_id: Series[str] = column("Fund", "id")
    councils: Series[str] = column("Councils that may draw on it", "ONS codes joined by |")
    financial_year: Series[str] = column("Financial year", "year", str_matches=FINANCIAL_YEAR)
    carried_in_gbp: Series[float] = column("Carried in from the year before", "GBP", ge=0)
    allocated_gbp: Series[float] = column("Allocation of the year", "GBP", ge=0)
    granted_gbp: Series[float] = column("Received with projects (cash per place)", "GBP", default=0.0, ge=0)
    transferred_in_gbp: Series[float] = column("Received from other funds", "GBP", default=0.0, ge=0)
    transferred_out_gbp: Series[float] = column("Given to other funds", "GBP", default=0.0, ge=0)
    spent_gbp: Series[float] = column("Spent on projects", "GBP", ge=0)
    returned_gbp: Series[float] = column("Unspent above what may be carried forward", "GBP", ge=0)
    carried_out_gbp: Series[float] = column("Carried into the next year", "GBP", ge=0)


class PlanPayments(Table):
    """Which fund pays for which council's projects of a kind, by financial year."""

    fund_id: Series[str] = column("Fund that pays", "id")
    council_code: Series[str] = column("Council whose projects it pays for", "ONS code")
    kind: Series[str] = column("Kind of the projects", "code")
    financial_year: Series[str] = column("Financial year", "year", str_matches=FINANCIAL_YEAR)
    amount_gbp: Series[float] = column("Payment", "GBP", ge=0)


class PlanTravel(Table):
    """Journeys of placed pupils with a located place, by council of residence, need group, phase and year."""

    council_code: Series[str] = column("Council of residence", "ONS code")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    phase: Series[str] = column("Phase", "code", isin=list(PHASES))
    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    pupils: Series[float] = column("Placed pupils", "pupils", ge=0)
    mean_min: Series[float] = column("Mean journey", "minutes, one way", ge=0)
    median_min: Series[float] = column("Half of the pupils travel longer", "minutes, one way", ge=0)
    p90_min: Series[float] = column("One pupil in ten travels longer", "minutes, one way", ge=0)
    over_45_min: Series[float] = column("Pupils who travel more than 45 minutes", "pupils", ge=0)
    over_75_min: Series[float] = column("Pupils who travel more than 75 minutes", "pupils", ge=0)
    mean_km: Series[float] = column("Mean journey", "km, one way", ge=0)
    travel_gbp: Series[float] = column("Transport cost of the year", "GBP per year", ge=0)


class PlanAccess(Table):
    """Pupils with a suitable state-funded place in reach, free or not, by council of residence, need group, phase and year."""

    council_code: Series[str] = column("Council of residence", "ONS code")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    phase: Series[str] = column("Phase", "code", isin=list(PHASES))
    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    pupils: Series[float] = column("Placed demand", "pupils", ge=0)
    within_20_min: Series[float] = column("Of these, pupils within 20 minutes of an open site for their group and phase", "pupils", ge=0)
    within_45_min: Series[float] = column("Within 45 minutes", "pupils", ge=0)
    within_75_min: Series[float] = column("Within 75 minutes", "pupils", ge=0)

    class Config:
        unique = ["council_code", "need_group", "phase", "academic_year"]


class PlanCosts(Table):
    """The objective, line by line: every weight and every pound is visible."""

    item: Series[str] = column("Line of the objective", "code")
    year: Series[str] = column("Academic year; for capital the financial year", "year")
    gbp: Series[float] = column("Undiscounted amount of the year", "GBP")
    present_value_gbp: Series[float] = column("Discounted to the first planning year, the tail included", "GBP, present value")
    is_cash: Series[bool] = column("false for weights that steer the plan but are no money", "true or false")
    in_objective: Series[bool] = column("false for lines shown beside the objective, not in it", "true or false")


class PlanLimits(Table):
    """Limits that bend at a price: least use of new places, agreed caps across borders, equity floors. A breach of 0 means kept."""

    rule: Series[str] = column("Kind of limit", "code", isin=["least_use", "border", "equity"])
    name: Series[str] = column("Project; councils of residence and of the places; or the floor in words")
    academic_year: Series[str] = column(
        "Academic year; all for a floor over all years", "year or all", str_matches=r"^(?:all|\d{4}/\d{2})$"
    )
    unit: Series[str] = column("Unit of the figures; PV: each year by its weight in the objective")
    found: Series[float] = column("What is", "see unit")
    limit: Series[float] = column("What is asked: at least (least use) or at most", "see unit")
    breach: Series[float] = column("By how much it is missed", "see unit", ge=0)
    weight_pv_gbp: Series[float] = column("What the breach weighs in the objective", "GBP, present value", ge=0)

    class Config:
        unique = ["rule", "name", "academic_year"]


class PlanTransfers(Table):
    """Money moved between funds."""

    from_fund: Series[str] = column("Fund that gives", "id")
    to_fund: Series[str] = column("Fund that takes", "id")
    financial_year: Series[str] = column("Financial year", "year", str_matches=FINANCIAL_YEAR)
    amount_gbp: Series[float] = column("Amount moved", "GBP", ge=0)

    class Config:
        unique = ["from_fund", "to_fund", "financial_year"]


class PlanLedger(Table):
    """Pupils placed across council borders, by where they live and where the place stands."""

    home_council: Series[str] = column("Council of residence", "ONS code")
    provider_council: Series[str] = column("Council where the place stands", "ONS code")
    sector: Series[str] = column("state or independent", "code", isin=["state", "independent"])
    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    pupils: Series[float] = column("Pupils placed there", "pupils", ge=0)
    adjustment_gbp: Series[float] = column("Import and export adjustment that home pays provider (state provision)", "GBP per year", ge=0)

    class Config:
        unique = ["home_council", "provider_council", "sector", "academic_year"]


class PlanBlock(Table):
    """What placed pupils do to a council's high needs block: seven twelfths of an academic year and five of the year before."""

    council_code: Series[str] = column("Council of residence", "ONS code")
    financial_year: Series[str] = column("Financial year", "year", str_matches=FINANCIAL_YEAR)
    place_funding_gbp: Series[float] = column("Place funding of its pupils in state provision", "GBP per year", ge=0)
    top_up_gbp: Series[float] = column("Top-up of its pupils in state provision", "GBP per year")
    fees_gbp: Series[float] = column("Fees of independent places", "GBP per year", ge=0)
    from_mainstream_gbp: Series[float] = column("Extra cost of pupils drawn from mainstream into its new places", "GBP per year")
    import_export_gbp: Series[float] = column(
        "Import and export adjustment: paid for pupils placed elsewhere, less received", "GBP per year"
    )
    spend_gbp: Series[float] = column("Sum of these", "GBP per year")
    other_spend_gbp: Series[float] = column("Other high needs spending as entered", "GBP per year")
    block_gbp: Series[float] = column("High needs block as entered; empty = not entered", "GBP per year", nullable=True)
    balance_gbp: Series[float] = column("Block less all spending; below 0 = overspent", "GBP per year", nullable=True)
    cumulative_deficit_gbp: Series[float] = column("Deficit at the end of the year, the one brought forward included", "GBP", nullable=True)
    deficit_programme: Series[str] = column("Safety Valve, Delivering Better Value, ... as entered", nullable=True)

    class Config:
        unique = ["council_code", "financial_year"]


PLAN_SCHEMAS: Final[dict[str, type[Table]]] = {
    "projects": BuiltProjects,
    "places": PlanPlaces,
    "placements": PlanPlacements,
    "unmet": PlanUnmet,
    "needs": PlanNeeds,
    "funding": PlanFunding,
    "payments": PlanPayments,
    "travel": PlanTravel,
    "access": PlanAccess,
    "costs": PlanCosts,
    "limits": PlanLimits,
    "transfers": PlanTransfers,
    "ledger": PlanLedger,
    "high_needs_block": PlanBlock,
}
"""Result table -> schema. The CSV file of a table in a plan folder bears its name."""
