"""The layers of a plan by OGC API - Features, so that QGIS, GDAL and others open them from one address."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from api.conditional import CACHING, ConditionalRoute, etag_of, unchanged
from api.ogc import documents
from api.ogc.documents import GEOJSON, JSON, OPENAPI
from api.ogc.layers import KINDS, Layer, plan_layer
from api.ogc.query import LIMIT, MOST, found, refuse_unknown
from api.problems import ApiError, not_found, problems
from api.routes.plans import find_plan
from api.state import Caller, SettingsDep, StoreDep
from api.store import Store
from api.store.models import PlanRow


class OgcRoute(ConditionalRoute):
    """A parameter that does not fit is answered 400, as OGC has it; elsewhere in the service, 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
                raise ApiError(400, "invalid-parameter", faults) from error

        return answered


router = APIRouter(prefix="/ogc/plans/{plan_id}", tags=["ogc"], route_class=OgcRoute)

ERRORS: Final = problems(400, 401, 403, 404)


def _answers(kind: str) -> dict[int | str, dict[str, Any]]:
    answer = {"content": {kind: {"schema": {"type": "object"}}}, "description": "As OGC API - Features has it"}
    return ERRORS | {200: answer, 304: {"description": "Not changed since"}}


def asked_plan(plan_id: str, store: StoreDep, caller: Caller) -> PlanRow:
    """The plan of the path, which the caller may read."""
    return find_plan(plan_id, store, caller)


Plan = Annotated[PlanRow, Depends(asked_plan)]
Name = Annotated[str, InPath(description=f"One of {', '.join(KINDS)}")]


@router.get("/", include_in_schema=False)
@router.get("", response_class=Response, responses=_answers(JSON), summary="Layers of a plan: landing page")
def landing(plan: Plan, request: Request) -> Response:
    """Where to begin: QGIS, GDAL and OWSLib take this address."""
    refuse_unknown(request.query_params)
    return JSONResponse(documents.landing(_base(request, plan), plan))


@router.get("/conformance", response_class=Response, responses=_answers(JSON), summary="Conformance classes")
def conformance(plan: Plan, request: Request) -> Response:
    """The conformance classes of OGC API - Features that this is made to: core, GeoJSON, OpenAPI 3.0."""
    refuse_unknown(request.query_params)
    return JSONResponse({"conformsTo": documents.CONFORMS})


@router.get("/api", response_class=Response, responses=_answers(OPENAPI), summary="Definition of a plan's layers")
def definition(plan: Plan, request: Request, store: StoreDep, settings: SettingsDep) -> Response:
    """The OpenAPI 3.0 definition of what stands below this plan's landing page, with the properties that filter."""
    refuse_unknown(request.query_params)
    document = documents.definition(_base(request, plan), _layers(store, plan), version("sufficiency"), settings.auth.required)
    return JSONResponse(document, media_type=OPENAPI)


@router.get("/collections", response_class=Response, responses=_answers(JSON), summary="Layers of a plan")
def collections(plan: Plan, request: Request, store: StoreDep) -> Response:
    """Areas, settings, flows, and projects before and after."""
    refuse_unknown(request.query_params)
    return JSONResponse(documents.collections(_base(request, plan), _layers(store, plan)))


@router.get("/collections/{collection_id}", response_class=Response, responses=_answers(JSON), summary="A layer")
def collection(plan: Plan, collection_id: Name, request: Request, store: StoreDep) -> Response:
    """What a layer is about, and its extent."""
    refuse_unknown(request.query_params)
    return JSONResponse(documents.collection(_base(request, plan), collection_id, _layer(store, plan, collection_id)))


@router.get("/collections/{collection_id}/items", response_class=Response, responses=_answers(GEOJSON), summary="Features of a layer")
def items(
    plan: Plan,
    collection_id: Name,
    request: Request,
    store: StoreDep,
    limit: Annotated[int, Query(ge=1, description=f"Most features in one answer; {MOST:,} where it is more")] = LIMIT,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1, description="Features to leave out at the beginning")] = 0,
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees", examples=["-2.5,53,-1.5,54"])] = None,
    datetime: Annotated[str | None, Query(description="A date, a time, or an interval start/end", examples=["2026-09-01/.."])] = None,
) -> Response:
    """Features that fit, a page at a time. Any property filters: `?council_code=E06000001`, `?pupils.min=5`."""

    def made(layer: Layer) -> bytes:
        rows = found(layer, request.query_params, bbox, datetime)
        query = request.query_params.multi_items()
        return documents.page(_base(request, plan), collection_id, layer, rows, offset, min(limit, MOST), query)

    return _features(request, store, plan, collection_id, made)


@router.get(
    "/collections/{collection_id}/items/{feature_id}",
    response_class=Response,
    responses=_answers(GEOJSON),
    summary="A feature",
)
def item(plan: Plan, collection_id: Name, feature_id: str, request: Request, store: StoreDep) -> Response:
    """One feature of a layer."""
    refuse_unknown(request.query_params)

    def made(layer: Layer) -> bytes:
        if feature_id not in layer.rows:
            raise not_found("feature", feature_id)
        return documents.feature(_base(request, plan), collection_id, layer, feature_id)

    return _features(request, store, plan, collection_id, made)


def _features(request: Request, store: Store, plan: PlanRow, name: str, made: Callable[[Layer], bytes]) -> Response:
    """GeoJSON under a tag of what determines it: plan, profile, address (links bear it) and query."""
    etag = etag_of(plan.id, plan.disclosure, str(request.url))
    if "*" not in request.headers.get("if-none-match", "") and (same := unchanged(request, etag)) is not None:
        return same
    body = made(_layer(store, plan, name))
    return unchanged(request, etag) or Response(body, media_type=GEOJSON, headers={"ETag": etag, **CACHING})


def _layers(store: Store, plan: PlanRow) -> dict[str, Layer]:
    return {name: plan_layer(store, plan, name) for name in KINDS}


def _layer(store: Store, plan: PlanRow, name: str) -> Layer:
    if name not in KINDS:
        raise not_found("collection", name)
    return plan_layer(store, plan, name)


def _base(request: Request, plan: PlanRow) -> str:
    """Address of the landing page, as the caller reaches it."""
    return f"{str(request.base_url).rstrip('/')}/v1/ogc/plans/{plan.id}"
