"""Cases: upload, versions, provenance, problems, deletion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from api import shown
from api.auth.principal import permit, permit_councils, permit_sharing
from api.bodies import Listing, ResourceBody, Strict, resource_fields
from api.conditional import ConditionalRoute
from api.intake import take_in
from api.jobs.process import finish
from api.once import OnceDep
from api.problems import ApiError, Fault, problems
from api.routes.answers import created
from api.settings import Settings
from api.state import Caller, Cursor, Limit, SettingsDep, StoreDep
from api.store import Store, cases, rows
from api.store.cases import CheckedCase
from api.store.models import CaseRow
from api.store.scope import councils_of

router = APIRouter(prefix="/cases", tags=["cases"], route_class=ConditionalRoute)
CHECK_S: Final = 600
MOST_FILES: Final = 40


class CouncilBody(Strict):
    """A council of a case."""

    code: str = Field(examples=["F06000009"])
    name: str = Field(examples=["Pencilshire"])


class CaseBody(ResourceBody):
    """A case: what is known before a plan is made."""

    series_id: str = Field(description="Id of its first version")
    version: int
    level: Literal["lsoa", "msoa"]
    base_january: int
    academic_years: list[str] = Field(description="Planning years", examples=[["2022/23", "2023/24"]])
    programme: str
    price_base: str = Field(examples=["2024-25"])
    disclosure: Literal["open", "protected"] = Field(description="open: published data only; protected: any person-level input")
    councils: list[CouncilBody]
    scenarios: list[str] = Field(description="Demand scenarios", examples=[["central"]])
    rows: dict[str, int] = Field(description="Rows by table", examples=[{"areas": 2, "pools": 3}])
    capital_gbp: float = Field(description="All allocations of all funds, GBP in the price base")
    warnings: int = Field(description="Problems that don't stop a plan: see /problems")
    sha256: str | None = Field(description="Over the names and sha256 of all files; null where files hold records of persons")
    size_bytes: int

    @staticmethod
    def of(row: CaseRow) -> CaseBody:
        """The body of a row."""
        same = ("level", "base_january", "academic_years", "programme", "price_base", "councils", "scenarios", "rows", "capital_gbp")
        return CaseBody(
            **resource_fields(row),
            **{name: row.about[name] for name in same},
            series_id=row.series_id,
            version=row.version,
            disclosure=row.disclosure,  # type: ignore[arg-type]
            warnings=len(row.warnings),
            sha256=shown.fingerprint(row),
            size_bytes=row.size_bytes,
        )


class SourceBody(Strict):
    """A file that went into a case."""

    title: str
    publisher: str
    edition: str
    licence: str
    sha256: str


class Provenance(Strict):
    """Where the figures of a case come from."""

    files: dict[str, str] = Field(
        description="File -> sha256; without those that hold records of persons", examples=[{"pools.csv": "0" * 64}]
    )
    sources: list[SourceBody]
    notes: list[str] = Field(description="What was derived, and by which rule")
    totals: dict[str, Any] = Field(description="Totals by council, as published and as completed")
    assumptions_changed: dict[str, Any] = Field(description="Figures that differ from the defaults")


class BuiltIn(Strict):
    """A case that comes with the program."""

    builtin: Literal["fictional", "tiny"] = Field(description="fictional: a region of three councils; tiny: two areas, planned in seconds")
    partnership: str | None = Field(None, max_length=100)


class CaseUpload(Strict):
    """A case as files."""

    file: list[bytes] = Field(
        min_length=1,
        max_length=MOST_FILES,
        description="One zip of a case folder, or its files one by one (case.toml, CSV, Parquet, areas.gpkg)",
        json_schema_extra={"items": {"type": "string", "format": "binary"}},
    )
    partnership: str | None = Field(None, max_length=100, description="Partnership that sees its aggregates")


@dataclass(frozen=True)
class Upload:
    """What was sent: files, or the name of a case that comes with the program."""

    files: Sequence[Any]
    builtin: str | None
    partnership: str | None


async def upload(request: Request, settings: SettingsDep) -> Upload:
    """The files of a form, or a built-in case as JSON. Raises ApiError."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        try:
            asked = BuiltIn.model_validate_json(await request.body())
        except ValidationError as error:
            detail = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise ApiError(422, "invalid-input", f'Send {{"builtin": "fictional"}}, or files as multipart/form-data. {detail}') from error
        return Upload((), asked.builtin, asked.partnership)
    if kind != "multipart/form-data":
        raise ApiError(415, "unsupported-media-type", "Send a case as multipart/form-data (field file), or JSON to name a built-in one.")
    try:
        form = await request.form(max_files=MOST_FILES, max_fields=10)
    except (MultiPartException, ValueError, KeyError) as error:
        raise ApiError(422, "invalid-input", "The form can't be read.") from error
    files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
    if not files:
        raise ApiError(422, "invalid-input", "The form has no file: send the case in the field file.")
    if sum(part.size or 0 for part in files) > settings.limits.upload_bytes:
        raise ApiError(413, "too-large", f"An upload may have {settings.limits.upload_bytes:,} bytes.")
    partnership = form.get("partnership")
    return Upload(files, None, partnership[:100] if isinstance(partnership, str) and partnership else None)


UPLOAD_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": {"$ref": "#/components/schemas/CaseUpload"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/BuiltIn"}, "example": {"builtin": "fictional"}},
        },
    }
}
"""The two bodies that ``upload`` reads."""


@router.post(
    "",
    status_code=201,
    response_model=CaseBody,
    openapi_extra=UPLOAD_BODY,
    responses=problems(400, 401, 403, 413, 415, 422, 429),
    summary="Upload a case",
)
def create(sent: Annotated[Upload, Depends(upload)], store: StoreDep, settings: SettingsDep, caller: Caller, once: OnceDep) -> Response:
    """Upload a case as a zip or file by file, or make one that comes with the program. A case with errors is refused with all of them."""
    permit(caller, "create", "case")
    return _take_in(sent, store, settings, caller, once, None)


@router.get("", responses=problems(401, 403, 422), summary="List cases")
def index(store: StoreDep, caller: Caller, limit: Limit = 50, cursor: Cursor = None) -> Listing[CaseBody]:
    """Cases that you may see, newest first."""
    permit(caller, "read", "case")
    with store.read() as session:
        found = rows.page(session, CaseRow, caller, limit=limit, cursor=cursor)
        return Listing(items=[CaseBody.of(row) for row in found.items], next=found.next)


@router.get("/{case_id}", responses=problems(401, 403, 404), summary="A case")
def read(case_id: str, store: StoreDep, caller: Caller) -> CaseBody:
    """What a case is about."""
    return CaseBody.of(_find(case_id, store, caller))


@router.delete("/{case_id}", status_code=204, responses=problems(401, 403, 404, 409), summary="Delete a case")
def remove(
    case_id: str,
    store: StoreDep,
    caller: Caller,
    with_plans: Annotated[bool, Query(description="Also delete the requests, runs and plans made from it")] = False,
) -> None:
    """Delete this version of a case, files and all."""
    with store.write() as session:
        row = rows.find(session, CaseRow, case_id, caller)
        permit(caller, "delete", rows.scoped(session, row))
        plans = cases.remove(session, row, with_plans)
    cases.discard(store.cases / case_id)
    for plan_id in plans:
        cases.discard(store.plans / plan_id)


@router.get("/{case_id}/versions", responses=problems(401, 403, 404), summary="Versions of a case")
def versions(case_id: str, store: StoreDep, caller: Caller) -> Listing[CaseBody]:
    """All versions of a case that you may see, newest first."""
    row = _find(case_id, store, caller)
    with store.read() as session:
        found = [version for version in cases.versions(session, row) if rows.is_visible(session, version, caller)]
    return Listing(items=[CaseBody.of(version) for version in found])


@router.post(
    "/{case_id}/versions",
    status_code=201,
    response_model=CaseBody,
    openapi_extra=UPLOAD_BODY,
    responses=problems(400, 401, 403, 404, 413, 415, 422, 429),
    summary="Upload a new version of a case",
)
def add_version(
    case_id: str,
    sent: Annotated[Upload, Depends(upload)],
    store: StoreDep,
    settings: SettingsDep,
    caller: Caller,
    once: OnceDep,
) -> Response:
    """Upload a case that follows this one. Plans made from earlier versions stay as they are."""
    with store.read() as session:
        row = rows.find(session, CaseRow, case_id, caller)
        permit(caller, "change", rows.scoped(session, row))
    return _take_in(sent, store, settings, caller, once, row)


@router.get("/{case_id}/provenance", responses=problems(401, 403, 404), summary="Where a case's figures come from")
def provenance(case_id: str, store: StoreDep, caller: Caller) -> Provenance:
    """Files with their sha256, sources, what was derived, totals."""
    return Provenance(**shown.provenance(_find(case_id, store, caller)))


@router.get("/{case_id}/problems", responses=problems(401, 403, 404), summary="What to look at in a case")
def warnings(case_id: str, store: StoreDep, caller: Caller) -> list[Fault]:
    """What the checks found that doesn't stop a plan, with file, row, column, value and remedy."""
    return [Fault(**warning) for warning in _find(case_id, store, caller).warnings]


def _find(case_id: str, store: Store, caller: Caller) -> CaseRow:
    with store.read() as session:
        row = rows.find(session, CaseRow, case_id, caller)
        permit(caller, "read", rows.scoped(session, row))
        return row


def _take_in(sent: Upload, store: Store, settings: Settings, caller: Caller, once: OnceDep, earlier: CaseRow | None) -> Response:
    """Unpack, validate and store. The validation runs in a process of its own, within the limits of memory and time."""
    with store.scratch() as work:
        folder = work / "case"
        folder.mkdir()
        checked = _checked(sent, folder, settings)
        permit_councils(caller, "create", "case", checked.councils)
        permit_sharing(caller, sent.partnership)
        once = once.of(f"{sorted(checked.files.items())} {sent.builtin} {sent.partnership}")
        with store.write() as session:
            if (known := once.earlier(session)) is not None:
                return known
            if earlier is not None and councils_of(session, earlier.scope_id) != checked.councils:
                # else its number would tell those who see the earlier versions how many there are that they don't see
                raise ApiError(422, "invalid-input", "A new version is about the same councils as the case that it follows.")
            row = cases.add(session, store, checked, caller, sent.partnership, earlier)
            return once.keep(session, created(CaseBody.of(row), f"/v1/cases/{row.id}"))


def _checked(sent: Upload, folder: Path, settings: Settings) -> CheckedCase:
    memory_mb = settings.limits.run_memory_mb
    payload = {"folder": str(folder), "name": sent.builtin}
    if not sent.builtin:
        take_in(sent.files, folder, settings.limits.unpacked_bytes)
    found = finish("builtin_case" if sent.builtin else "check_case", payload, memory_mb, CHECK_S)
    return CheckedCase(folder, found["about"], found["warnings"], found["files"])
