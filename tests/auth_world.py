"""Two councils in one service: rows and folders of each, and callers of every kind, for the tests of what who may see."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from fastapi import FastAPI
from fastapi.testclient import TestClient
from shapely import LineString, Point

from api.app import create_app
from api.auth.keys import Grant, create_key
from api.auth.principal import LOCAL, Role, Scope
from api.auth.settings import AuthSettings
from api.settings import Settings
from api.store import Store
from api.store.models import AssumptionsRow, BatchRow, CaseRow, ComparisonRow, PlanRow, RequestRow, RunEventRow, RunRow, new_id, now
from api.store.plans import HEADLINE, headline
from api.store.scope import scope_of
from fixtures.tiny import NORTH, tiny_case
from sufficiency.case import case_hashes, save_case
from sufficiency.outputs.case_map import write_case_map
from sufficiency.outputs.folder import SUBFOLDERS
from sufficiency.outputs.map_page import BLOCKS
from sufficiency.tables.plan_schemas import PLAN_SCHEMAS

OURS, THEIRS = "E06000001", "E06000002"
PARTNERSHIP = "North"
KINDS = ("case", "assumptions", "request", "run", "batch", "plan", "comparison")
PUPIL = {"area_id": NORTH, "need": "ASD", "age": 12}


@dataclass(frozen=True)
class Ids:
    """One of each resource, all of the same councils."""

    case_id: str
    set_id: str
    request_id: str
    run_id: str
    batch_id: str
    plan_id: str
    comparison_id: str
    key_id: str
    partnership: str


@dataclass(frozen=True)
class World:
    """The service, and the folders that its cases and plans share."""

    app: FastAPI
    client: TestClient
    case_folder: Path
    plan_folder: Path
    about: dict[str, Any]

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        store: Store = self.app.state.store
        return store

    def caller(self, roles: frozenset[Role], councils: Scope, partnerships: Scope = frozenset()) -> dict[str, str]:
        """Headers of a new caller."""
        with self.store.write() as session:
            _, key = create_key(session, self.app.state.auth.pepper, LOCAL, Grant("test", roles, councils, partnerships, None))
        return {"Authorization": f"Bearer {key}"}

    def add(self, *councils: str, run_state: str = "finished", partnership: str | None = PARTNERSHIP) -> Ids:
        """A case of these councils, and one of each resource made from it."""
        ids = Ids(*(new_id(kind) for kind in KINDS), "", partnership or "")
        with self.store.write() as session:
            scope = scope_of(session, councils)

            def shared(key: str) -> dict[str, Any]:
                return {
                    "id": key,
                    "owner": "key:somebody",
                    "scope_id": scope,
                    "partnership": partnership,
                    "name": f"of {' '.join(councils)}",
                    "created_at": now(),
                }

            case = {"series_id": ids.case_id, "version": 1, "disclosure": "open", "sha256": "0" * 64, "size_bytes": 1, "warnings": []}
            session.add(CaseRow(**shared(ids.case_id), **case, files=case_hashes(self.case_folder), about=self.about_of(*councils)))
            session.add(AssumptionsRow(**shared(ids.set_id), values={"displacement.share": 0.5}, note=""))
            session.add(BatchRow(**shared(ids.batch_id), runs_asked=1))
            session.flush()
            request = {"case_id": ids.case_id, "settings": {}, "base_plan_id": None, "changes": {}}
            session.add(RequestRow(**shared(ids.request_id), **request))
            session.flush()
            links = {"case_id": ids.case_id, "request_id": ids.request_id}
            session.add(RunRow(**shared(ids.run_id), **links, batch_id=ids.batch_id, state=run_state, plan_id=ids.plan_id))
            plan = {"disclosure": "open", "audit_passed": True, "summary": headline(self.plan_folder)}
            session.add(PlanRow(**shared(ids.plan_id), **links, run_id=ids.run_id, **plan))
            session.flush()
            session.add(RunEventRow(run_id=ids.run_id, number=1, at=now(), what="state", data={"state": run_state}))
            result = {"comparable": True, "figures": [], "projects": []}
            compared = {"first_plan_id": ids.plan_id, "second_plan_id": ids.plan_id, "result": result}
            session.add(ComparisonRow(**shared(ids.comparison_id), **compared))
            grant = Grant("test", frozenset({"viewer"}), frozenset(councils), frozenset(), None)
            key, _ = create_key(session, self.app.state.auth.pepper, LOCAL, grant)
            key_id = key.id
        (self.store.cases / ids.case_id).symlink_to(self.case_folder)
        (self.store.plans / ids.plan_id).symlink_to(self.plan_folder)
        return Ids(**{**vars(ids), "key_id": key_id})

    def about_of(self, *councils: str) -> dict[str, Any]:
        """What a case of these councils says of itself."""
        return {**self.about, "councils": [{"code": code, "name": code} for code in councils]}


def build_world(folder: Path, database_url: str = "") -> Iterator[World]:
    """A service with API keys and no worker; its cases and plans have the form of real ones, and next to nothing in them."""
    case = tiny_case()
    save_case(case, folder / "case")
    write_case_map(case, folder / "case" / "map")
    _write_plan(folder / "plan")
    about = {
        **{name: getattr(case, name) for name in ("name", "level", "base_january", "programme", "price_base", "disclosure")},
        "academic_years": list(case.academic_years),
        "scenarios": ["central"],
        "rows": {name: len(table) for name, table in case.tables.items()},
        "capital_gbp": 1.0,
        "sources": [],
        "notes": [],
        "totals": {},
        "assumptions_changed": {},
    }
    rates = dict.fromkeys(("rate_per_principal", "rate_per_address", "rate_failures"), "1000000/minute")
    auth = AuthSettings(api_keys=True, secret="s" * 32, **rates)
    settings = Settings(store_folder=folder / "store", database_url=database_url, worker="none", log_level="error", auth=auth)
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(app, client, folder / "case", folder / "plan", about)


def _write_plan(folder: Path) -> None:
    """A plan that builds nothing: empty tables in the types of their schemas, and a map of empty blocks."""
    for variant in SUBFOLDERS.values():
        (folder / variant).mkdir(parents=True, exist_ok=True)
        for name, schema in PLAN_SCHEMAS.items():
            pd.DataFrame(columns=list(schema.to_schema().columns)).to_csv(folder / variant / f"{name}.csv", index=False)
    by_year = {"independent_avoided": {"2022/23": 0.0}, "unmet": {"2022/23": 0.0}, "inputs": {}}
    summary = {**dict.fromkeys(HEADLINE, 0.0), **by_year, "academic_years": ["2022/23"], "scenario": "central", "termination": "optimal"}
    (folder / "plan.json").write_text(json.dumps(summary))
    (folder / "audit.json").write_text(json.dumps({"passed": True, "breaches": []}))
    _write_layers(folder / "plan.gpkg")
    nothing = base64.b64encode(gzip.compress(b"{}")).decode()
    blocks = (f'<script type="application/gzip" id="{name}">{nothing}</script>' for name in BLOCKS)
    (folder / "map.html").write_text("".join(blocks))


def _write_layers(path: Path) -> None:
    """One feature in each layer."""
    year = {"academic_year": "2022/23"}
    layers = {
        "areas": ({"area_id": "A1"}, Point(400_000, 400_000)),
        "settings": ({"setting_id": "S1", **year}, Point(401_000, 400_000)),
        "flows": ({"variant": "after", "area_id": "A1", "setting_id": "S1", **year}, LineString([(400_000, 400_000), (401_000, 400_000)])),
    }
    for name, (columns, shape) in layers.items():
        gpd.GeoDataFrame([columns], geometry=[shape], crs=27700).to_file(path, layer=name, driver="GPKG")


def made_up() -> Ids:
    """Ids in the right form that nothing has."""
    return Ids(*(new_id(kind) for kind in KINDS), "0123456789abcdef", "Other")
