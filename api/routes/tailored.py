"""The tailored list: settings that suit a pupil of an area, need and age."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api import shown
from api.auth.principal import permit
from api.bodies import Strict
from api.conditional import ConditionalRoute
from api.problems import problems
from api.state import Caller, StoreDep
from api.store import rows
from api.store.models import CaseRow
from sufficiency.tailored import phase_of
from sufficiency.terms import PHASE_NAMES

router = APIRouter(prefix="/cases", tags=["tailored list"], route_class=ConditionalRoute)


class SuitableSetting(Strict):
    """A setting that suits the pupil."""

    place: int = Field(description="Place in the list, 1 = first")
    setting_id: str = Field(description="URN, or an id of the case's own")
    name: str
    kind: str
    kind_name: str
    council_code: str = Field(description="Council where it stands")
    cost_type: Literal["state", "non_maintained", "independent"]
    independent: bool = Field(description="Independent or non-maintained")
    suits: str = Field(description="Severities that its kind suits, joined by |", examples=["moderate|complex"])
    places: float | None = Field(description="Places designated for the need group and phase in the base year")
    minutes: float = Field(description="Journey, minutes one way")
    km: float = Field(description="Journey, km one way")
    journey: str = Field(description="How the journey was found: estimated, road or given")


class TailoredList(Strict):
    """Settings that suit a pupil, in order."""

    area_id: str
    need: str
    age: int
    phase: str = Field(description="Phase of the age at 31 August", examples=["Secondary (11 to 15)"])
    items: list[SuitableSetting] = Field(
        description="State-funded settings first, then non-maintained, then independent; the nearest first in each"
    )
    note: str


@router.get("/{case_id}/tailored-list", responses=problems(401, 403, 404, 422), summary="Tailored list")
def read(
    case_id: str,
    store: StoreDep,
    caller: Caller,
    area_id: Annotated[str, Query(max_length=20, description="Area of residence (LSOA or MSOA code)", examples=["F01900001"])],
    need: Annotated[str, Query(max_length=10, description="Primary need or need group", examples=["ASD"])],
    age: Annotated[int, Query(ge=0, le=25, description="Age at 31 August", examples=[12])],
    severity: Annotated[Literal["moderate", "complex"] | None, Query(description="Severity band; default either")] = None,
    limit_min: Annotated[float | None, Query(gt=0, le=180, description="Longest journey, minutes one way")] = None,
) -> TailoredList:
    """Settings designated for such a pupil with places, journey and cost type, the independent ones marked. Nobody is assigned to any."""
    with store.read() as session:
        case = rows.find(session, CaseRow, case_id, caller)
        permit(caller, "read", rows.scoped(session, case))
    items, note = shown.tailored(store, case, area_id, need, age, severity, limit_min)
    return TailoredList(
        area_id=area_id,
        need=need,
        age=age,
        phase=PHASE_NAMES[phase_of(age)],
        items=[SuitableSetting(**item) for item in items],
        note=note,
    )
