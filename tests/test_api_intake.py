"""What is uploaded: a case as zip or file by file is taken; what is broken, too large or leads elsewhere is refused with the reason."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from service import Service, zipped

from api.settings import Limits, Settings
from fixtures.tiny import tiny_case
from sufficiency.case import save_case

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with small limits; what it refuses does not depend on the database."""
    limits = Limits(upload_bytes=MEGABYTE, unpacked_bytes=4 * MEGABYTE)
    with Service(Settings(store_folder=tmp_path_factory.mktemp("service"), worker="none", limits=limits)) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny case as a folder."""
    save_case(tiny_case(), tmp_path / "case")
    return tmp_path / "case"


def test_a_case_comes_file_by_file_with_areas_as_geopackage_and_tables_as_csv(service: Service, folder: Path) -> None:
    gpd.read_parquet(folder / "areas.parquet").to_file(folder / "areas.gpkg", driver="GPKG")
    pd.read_parquet(folder / "pupils.parquet").to_csv(folder / "pupils.csv", index=False)
    for name in ("areas", "pupils"):
        (folder / f"{name}.parquet").unlink()
    files = [("file", (path.name, path.read_bytes())) for path in sorted(folder.iterdir())]
    answer = service.client.post("/v1/cases", files=files)
    assert answer.status_code == 201, answer.text
    case_id = answer.json()["id"]
    kept = {path.name for path in (service.store.cases / case_id).iterdir()}
    assert {"areas.parquet", "pupils.parquet"} <= kept
    assert not {"areas.gpkg", "pupils.csv"} & kept
    zipped_id = service.upload(zipped(tiny_case(), folder.parent / "again")).json()["id"]
    for table in ("areas", "pupils"):
        first, second = (service.client.get(f"/v1/cases/{key}/tables/{table}").json() for key in (case_id, zipped_id))
        assert first == second, table


def test_every_fault_of_a_case_is_told_with_file_row_column_and_remedy(service: Service, folder: Path) -> None:
    pools = pd.read_csv(folder / "pools.csv")
    pools.loc[0, "places"] = -3
    pools.loc[1, "need_groups"] = "XYZ"
    pools.to_csv(folder / "pools.csv", index=False)
    (folder / "funds.csv").unlink()
    answer = service.upload(packed(folder))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    faults = {(fault["file"], fault["row"], fault["column"]): fault for fault in answer.json()["problems"]}
    assert {("pools.csv", 2, "places"), ("pools.csv", 3, "need_groups"), ("funds.csv", None, None)} <= set(faults)
    assert faults["pools.csv", 2, "places"]["value"] == "-3.0"
    assert all(fault["remedy"] for fault in faults.values())
    assert not any(service.store.work.iterdir()), "nothing is left behind"


def test_a_case_whose_tables_contradict_each_other_is_refused(service: Service, folder: Path) -> None:
    pools = pd.read_csv(folder / "pools.csv", dtype={"setting_id": str})
    pools.loc[0, "setting_id"] = "123"
    pools.to_csv(folder / "pools.csv", index=False)
    answer = service.upload(packed(folder))
    assert answer.status_code == 422
    assert any(fault["check"] == "T01" and "123" in str(fault["value"]) for fault in answer.json()["problems"])


@pytest.mark.parametrize(
    "name", ["../../evil.csv", "/etc/evil.csv", "case/../../pools.csv", "a/b/pools.csv", "C:\\pools.csv", "..\\..\\pools.csv"]
)
def test_a_path_that_leads_elsewhere_is_refused(service: Service, folder: Path, name: str) -> None:
    answer = service.upload(with_member(folder, zipfile.ZipInfo(name), b"x"))
    assert answer.status_code == 422, answer.text
    assert any("outside" in fault["message"] for fault in answer.json()["problems"])
    assert not list(service.store.folder.rglob("evil.csv"))


def test_a_link_is_refused(service: Service, folder: Path) -> None:
    link = zipfile.ZipInfo("case/projects.csv.link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    answer = service.upload(with_member(folder, link, b"/etc/passwd"))
    assert answer.status_code == 422
    assert any("link" in fault["message"] for fault in answer.json()["problems"])


def test_a_bomb_is_refused_by_what_comes_out_not_by_what_it_says(service: Service, folder: Path) -> None:
    bomb = with_member(folder, zipfile.ZipInfo("case/assumptions.toml"), b"0" * (32 * MEGABYTE), replace="assumptions.toml")
    assert len(bomb) < MEGABYTE
    assert service.upload(bomb).status_code == 413
    size = (32 * MEGABYTE).to_bytes(4, "little")
    lying = bomb.replace(size, (100).to_bytes(4, "little"))
    assert lying != bomb
    assert service.upload(lying).status_code in (413, 422)
    assert sum(path.stat().st_size for path in service.store.work.rglob("*") if path.is_file()) == 0


def test_a_parquet_bomb_ends_at_the_limit_of_memory(tmp_path: Path, folder: Path) -> None:
    rows = 60_000_000  # one value repeated: some kilobytes on disk, gigabytes in memory
    pd.DataFrame({"area_id": pd.Categorical.from_codes([0] * rows, ["F01900001"])}).to_parquet(folder / "pupils.parquet", index=False)
    assert (folder / "pupils.parquet").stat().st_size < MEGABYTE
    limits = Limits(run_memory_mb=700)
    with Service(Settings(store_folder=tmp_path / "service", worker="none", limits=limits)) as small:
        answer = small.upload(packed(folder))
        assert answer.status_code == 413, answer.text
        assert small.client.get("/health").status_code == 200


def test_too_large_an_upload_is_refused_before_it_is_read_whole(service: Service) -> None:
    answer = service.upload(b"0" * (2 * MEGABYTE))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [(b"no zip", "case.zip", 422), (b"", "case.zip", 422), (b"x,y\n1,2\n", "notes.csv", 422), (b"x", "../case.toml", 422)],
)
def test_what_is_no_case_is_refused(service: Service, content: bytes, name: str, status: int) -> None:
    answer = service.upload(content, name)
    assert answer.status_code == status
    assert answer.json()["problems"][0]["remedy"]


def test_other_kinds_of_content_are_refused(service: Service) -> None:
    assert service.client.post("/v1/cases", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert service.client.post("/v1/cases", json={"builtin": "england"}).status_code == 422
    assert service.client.post("/v1/cases", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    broken = service.client.post("/v1/cases", content=b"--x", headers={"Content-Type": "multipart/form-data; boundary=y"})
    assert broken.status_code == 400
    assert service.client.post("/v1/cases", data={"partnership": "x"}, files={"other": ("a", b"b")}).status_code == 422


def test_the_same_upload_with_the_same_key_makes_one_case(service: Service) -> None:
    sent = [service.client.post("/v1/cases", json={"builtin": "tiny"}, headers={"Idempotency-Key": "same"}) for _ in range(2)]
    assert [answer.status_code for answer in sent] == [201, 201], sent[0].text
    assert sent[0].json() == sent[1].json()
    assert sum(case["id"] == sent[0].json()["id"] for case in service.client.get("/v1/cases").json()["items"]) == 1


def packed(folder: Path) -> bytes:
    """A folder as it is, as a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"case/{path.name}")
    return stream.getvalue()


def with_member(folder: Path, member: zipfile.ZipInfo, content: bytes, replace: str = "") -> bytes:
    """The case as a zip with one member more."""
    stream = io.BytesIO()
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            if path.name != replace:
                archive.write(path, f"case/{path.name}")
        archive.writestr(member, content)
    return stream.getvalue()
