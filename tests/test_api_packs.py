"""Meeting packs through the service: asked for, made by a run, taken away; from what the profile shows, gone with the plan."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader
from service import Service, zipped

from api.settings import Settings
from fixtures.tiny import tiny_case

COUNCIL = "F06000009"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(store_folder=tmp_path_factory.mktemp("packs") / "store", worker="none", log_level="error")
    with Service(settings) as found:
        yield found


def made(service: Service, plan_id: str, asked: dict[str, str]) -> dict[str, bytes]:
    """Name -> content of the files of a pack that is asked for and made."""
    answer = service.client.post(f"/v1/plans/{plan_id}/packs", json=asked)
    assert answer.status_code == 202, answer.text
    service.work()
    run = service.client.get(f"/v1/runs/{answer.json()['id']}").json()
    assert (run["state"], run["plan_id"]) == ("finished", None), run
    pack = service.client.get(f"/v1/plans/{plan_id}/packs").json()[0]
    assert (pack["run_id"], pack["council_code"], pack["state"]) == (run["id"], asked.get("council_code"), "finished")
    found = {}
    for file in pack["files"]:
        answer = service.client.get(f"/v1/plans/{plan_id}/packs/{run['id']}/{file['name']}")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert len(answer.content) == file["size_bytes"]
        found[file["name"]] = answer.content
    return found


def text_of(workbook: bytes) -> str:
    """All that its cells say."""
    book = load_workbook(io.BytesIO(workbook))
    return "\n".join(str(cell.value) for sheet in book for row in sheet for cell in row)


def test_a_pack_is_made_and_taken_away(service: Service) -> None:
    files = made(service, service.plan_id, {})
    assert {"brief.pdf", "workbook.xlsx", "comments.xlsx", "plan.gpkg", "pack.zip"} <= files.keys()
    assert len(PdfReader(io.BytesIO(files["brief.pdf"])).pages) > 1
    assert "Checks" in load_workbook(io.BytesIO(files["workbook.xlsx"])).sheetnames
    names = zipfile.ZipFile(io.BytesIO(files["pack.zip"])).namelist()
    assert {"brief.pdf", "annexes/payments.csv"} <= set(names)
    assert "pack.zip" not in names


def test_a_council_has_a_pack_of_its_own(service: Service) -> None:
    assert "easy-read.pdf" in made(service, service.plan_id, {"council_code": COUNCIL})
    answer = service.client.post(f"/v1/plans/{service.plan_id}/packs", json={"council_code": "E99999999"})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["value"] == "E99999999"


def test_a_protected_plan_gives_what_its_profile_shows(service: Service) -> None:
    uploaded = service.upload(zipped(replace(tiny_case(), disclosure="protected"), service.settings.store_folder / "protected"))
    assert uploaded.status_code == 201, uploaded.text
    run = service.planned({"case_id": uploaded.json()["id"], "sensitivity": False})
    shown, exact = (text_of(made(service, plan_id, {})["workbook.xlsx"]) for plan_id in (run["plan_id"], service.plan_id))
    assert ("rounded to" in shown, "rounded to" in exact) == (True, False)


def test_what_is_no_file_of_a_pack_is_not_found(service: Service) -> None:
    made(service, service.plan_id, {})
    pack = service.client.get(f"/v1/plans/{service.plan_id}/packs").json()[0]
    for name in ("pack.json", "..%2Fplan.json", "figures"):
        assert service.client.get(f"/v1/plans/{service.plan_id}/packs/{pack['run_id']}/{name}").status_code == 404


def test_packs_go_with_the_plan(service: Service) -> None:
    folder = service.store.answers(service.plan_id)
    assert service.client.delete(f"/v1/plans/{service.plan_id}").status_code == 204
    assert not folder.exists()
