"""One schema per table that the commands `journeys` and `access` write, in the same form as the tables of a plan."""

from __future__ import annotations

from typing import Final

from pandera.typing import Series

from sufficiency.tables.schemas import ACADEMIC_YEAR, Table, column
from sufficiency.terms import NEED_GROUPS, PHASES

ALL_NEEDS: Final = "ALL"


class Journeys(Table):
    """Journeys of placed pupils, one row per area, site, need group and phase. Expectations over pupils, not decisions about any of them."""

    area_id: Series[str] = column("Area of residence", "ONS code")
    council_code: Series[str] = column("Council of residence", "ONS code")
    site_id: Series[str] = column("Setting or new site", "id")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    phase: Series[str] = column("Phase", "code", isin=list(PHASES))
    pupils: Series[float] = column("Placed pupils", "pupils", ge=0)
    minutes: Series[float] = column("Journey", "minutes, one way", ge=0)
    km: Series[float] = column("Journey", "km, one way", ge=0)
    boards: Series[bool] = column(
        "The pupils board in term: an independent or non-maintained place beyond boarding.from_min", "true or false"
    )
    miles: Series[float] = column("Journey", "miles, one way", ge=0)
    limit_min: Series[float] = column("Longest reasonable journey of the phase", "minutes, one way", ge=0)
    within_limit: Series[bool] = column("The journey is within that limit", "true or false")
    cannot_walk_share: Series[float] = column("Eligible at any distance: cannot reasonably be expected to walk", "share of pupils", ge=0)
    beyond_distance_share: Series[float] = column("Others eligible beyond the statutory distance", "share of pupils", ge=0)
    low_income_share: Series[float] = column("Others eligible by low income", "share of pupils", ge=0)
    eligible_share: Series[float] = column("Eligible on any of these grounds", "share of pupils", ge=0)
    carried_share: Series[float] = column("Carried at public cost: eligible x take-up of the phase", "share of pupils", ge=0)
    riders: Series[float] = column("Expected pupils in a vehicle on the corridor", "pupils", ge=1)
    sharing_factor: Series[float] = column("Times the vehicle cost curve for sharing", "factor", ge=0)
    wheelchair_factor: Series[float] = column("Times the vehicle cost curve for wheelchairs, mean of the need group", "factor", ge=0)
    vehicle_gbp_per_carried_pupil_per_year: Series[float] = column("Vehicle", "GBP per carried pupil per year", ge=0)
    assistant_gbp_per_carried_pupil_per_year: Series[float] = column("Passenger assistant", "GBP per carried pupil per year", ge=0)
    cost_gbp_per_carried_pupil_per_year: Series[float] = column("Vehicle and assistant", "GBP per carried pupil per year", ge=0)
    cost_gbp_per_pupil_per_year: Series[float] = column("The same over all placed pupils", "GBP per pupil per year", ge=0)
    co2e_kg_per_carried_pupil_per_year: Series[float] = column(
        "Emissions, empty running included", "kg CO2e per carried pupil per year", ge=0
    )

    class Config:
        unique = ["area_id", "site_id", "need_group", "phase"]


class JourneyTotals(Table):
    """Journeys of placed pupils, summed by council of residence, need group and phase."""

    council_code: Series[str] = column("Council of residence", "ONS code")
    need_group: Series[str] = column("Need group", "code", isin=list(NEED_GROUPS))
    phase: Series[str] = column("Phase", "code", isin=list(PHASES))
    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    pupils: Series[float] = column("Placed pupils", "pupils", ge=0)
    eligible: Series[float] = column("Of these, eligible for free travel", "pupils", ge=0)
    carried: Series[float] = column("Of these, carried at public cost", "pupils", ge=0)
    boarders: Series[float] = column("Placed pupils who board in term", "pupils", ge=0)
    beyond_limit: Series[float] = column("Placed day pupils beyond the time limit of their phase", "pupils", ge=0)
    vehicles: Series[float] = column("Vehicles for day pupils: carried pupils over riders", "vehicles", ge=0)
    mean_miles: Series[float] = column("Mean journey", "miles, one way", ge=0)
    cost_gbp: Series[float] = column("Vehicles and assistants", "GBP per year", ge=0)
    co2e_tonnes: Series[float] = column("Emissions", "tonnes CO2e per year", ge=0)

    class Config:
        unique = ["council_code", "need_group", "phase"]


class JourneyFigures(Table):
    """The figures behind journeys: the case's own, and below them those that a council replaces."""

    council_code: Series[str] = column("Council for which the figure holds; empty = all others", "ONS code", nullable=True)
    name: Series[str] = column("Figure")
    key: Series[str] = column("Which one of it")
    value: Series[float] = column("Value, in the unit of the row", "see unit", ge=0)
    unit: Series[str] = column("Unit")
    year: Series[str] = column("Year of the figure", "year")
    source: Series[str] = column("Source")
    status: Series[str] = column("sourced, derived, unverified, assumed or own (a council's)", "code")


class AccessShares(Table):
    """Share of pupils within 20, 45 and 75 minutes of a suitable state-funded place, by council of residence and need group."""

    council_code: Series[str] = column("Council of residence", "ONS code")
    need_group: Series[str] = column("Need group; ALL = all needs", "code", isin=[*NEED_GROUPS, ALL_NEEDS])
    academic_year: Series[str] = column("Academic year", "year", str_matches=ACADEMIC_YEAR)
    minutes: Series[float] = column("Reach", "minutes, one way", ge=0)
    pupils: Series[float] = column("Placed demand", "pupils", ge=0)
    share_before: Series[float] = column("With committed projects only; without a plan, with today's places", "share of pupils", ge=0)
    share_after: Series[float] = column("With the plan; empty without one", "share of pupils", nullable=True, ge=0)

    class Config:
        unique = ["council_code", "need_group", "minutes"]


REPORT_SCHEMAS: Final[dict[str, type[Table]]] = {
    "journeys": Journeys,
    "journey_totals": JourneyTotals,
    "journey_assumptions": JourneyFigures,
    "access_shares": AccessShares,
}
"""Table -> schema. The CSV file bears the table's name."""
