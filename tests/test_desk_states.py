"""States of the planner's page that a plain visit does not meet: runs that wait, run, fail and are stopped, a protected case, print."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import SCREENSHOTS, chromium, violations
from desk_page import NEEDED, WAIT_MS, Desk, made_plan, send, serving, visiting
from playwright.sync_api import Browser, expect
from pypdf import PdfReader
from service import zipped
from test_api_protected import protected_case

from api.settings import Settings
from api.store import Store, runs
from api.store.runs import Claim

pytestmark = NEEDED
LEASE_S = 600
AREA_RGB = (12, 74, 138)
"""The darkest shade: both areas of the tiny case have most pupils."""
LYING_OVER = """() => [...document.querySelectorAll("body *")]
  .filter((one) => ["fixed", "sticky"].includes(getComputedStyle(one).position)).map((one) => one.tagName)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("service")) as where:
        yield where


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Desk]:
    with visiting(browser, address) as desk:
        yield desk


@pytest.fixture(scope="module")
def case_id(address: str) -> str:
    return str(send(address, "cases", {"builtin": "tiny"})["id"])


@pytest.fixture(scope="module")
def plan_id(address: str, case_id: str) -> str:
    return made_plan(address, case_id)


def test_a_run_that_waits_runs_fails_is_tried_again_and_stopped(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, SUFFICIENCY_WORKER="none") as address, visiting(browser, address) as desk:
        page, title = desk.page, desk.page.locator("h1")
        case_id = send(address, "cases", {"builtin": "tiny"})["id"]
        run_id = send(address, "runs", {"request": {"case_id": case_id}})["id"]
        page.goto(f"{address}/?run={run_id}")
        expect(title).to_have_text("Making a plan: Tiny case", timeout=WAIT_MS)
        expect(page.locator(".govuk-tag")).to_have_text("Waiting", timeout=WAIT_MS)
        desk.check("20-waiting")
        store = Store(Settings(store_folder=tmp_path))
        with store.write() as session:
            row = runs.claim(session, "test", LEASE_S)
            assert row is not None
            held = Claim(row.id, "test", row.attempt)
        for incumbent, bound in ((None, 40e6), (46e6, 40e6), (44e6, 41e6), (42e6, 41.58e6)):
            with store.write() as session:
                runs.keep(session, held, LEASE_S, {"phase": "Plan", "incumbent_gbp": incumbent, "bound_gbp": bound})
        expect(page.locator("dl")).to_contain_text("1.0 % of the cost", timeout=WAIT_MS)
        assert page.locator("svg polyline.best").count() == page.locator("svg polyline.bound").count() == 1
        desk.check("21-running")
        fault = {"file": "pupils.parquet", "row": 3, "column": "need", "value": "ASDX", "message": "is no need", "remedy": "Write ASD."}
        with store.write() as session:
            assert runs.end(session, held, "failed", failure={"reason": "invalid", "detail": "It does not fit.", "problems": [fault]})
        expect(page.locator("#error")).to_be_focused(timeout=WAIT_MS)
        assert 'pupils.parquet, row 3, need, "ASDX": is no need. Write ASD.' in page.locator("#error").inner_text()
        expect(title).to_have_text("No plan was made: Tiny case")
        assert "goes on" not in page.locator("main").inner_text()
        desk.check("22-failed")
        page.get_by_role("button", name="Try again").click()
        expect(title).to_have_text("Making a plan: Tiny case", timeout=WAIT_MS)
        page.get_by_role("button", name="Stop now and keep the best plan so far").click()
        expect(title).to_have_text("Stopped: Tiny case", timeout=WAIT_MS)
        desk.settle()
        desk.check("23-stopped")
        desk.open(case=case_id)
        assert page.get_by_role("group", name="Runs without a plan").locator("tbody tr").count() == 1
        desk.check("24-case-with-a-failed-run")


def test_a_finished_run_shows_its_figures_and_leads_to_its_plan(desk: Desk, plan_id: str) -> None:
    plan = send(desk.address, f"plans/{plan_id}")
    desk.open(run=plan["run_id"])
    expect(desk.page.locator("h1")).to_have_text("Plan made: Tiny case")
    facts = desk.page.locator("dl").inner_text()
    assert f"£{plan['summary']['objective_gbp'] / 1e6:.1f}m" in facts
    assert f"£{plan['summary']['bound_gbp'] / 1e6:.1f}m" in facts
    assert "yet" not in facts
    desk.check("25-finished")
    desk.page.get_by_role("link", name="See the plan").click()
    desk.page.wait_for_url(re.compile(plan_id), timeout=WAIT_MS)


def test_a_protected_case_and_its_plan_show_no_exact_count(desk: Desk, tmp_path: Path) -> None:
    """Pupils by council, and places and pupils of a setting, are multiples of 5, and the exact total of the case stands nowhere."""
    exact = f"{protected_case().placements['pupils'].sum():.0f}"
    assert int(exact) % 5
    desk.open()
    content = zipped(protected_case(), tmp_path / "case")
    desk.page.set_input_files("#file", {"name": "case.zip", "mimeType": "application/zip", "buffer": content})
    desk.press("Upload", r"case=")
    case_id = re.search(r"case=([\w-]+)", desk.page.url)
    assert case_id is not None
    for name, query in (("case", {"case": case_id[1]}), ("plan", {"plan": made_plan(desk.address, case_id[1])})):
        desk.open(**query)
        words = desk.page.inner_text("body")
        assert exact not in words
        assert "Counts of 1 to 4 are hidden and others rounded to 5." in words
        assert counts(desk.page.get_by_role("group", name="Figures by council").locator("tbody td:nth-child(2)").all_inner_texts())
        desk.page.locator("#find").fill("Pencilshire School")
        desk.page.keyboard.press("Enter")
        expect(desk.page.locator("#details h3").first).to_have_text("Pencilshire School", timeout=WAIT_MS)
        assert counts(desk.page.locator("#details table").last.locator("tbody td").all_inner_texts())
        desk.settle()
        desk.check(f"26-protected-{name}")


def counts(cells: list[str]) -> list[int]:
    """The counts that cells show, each a multiple of 5."""
    shown = [int(cell.replace(",", "")) for cell in cells if cell != "not shown"]
    assert all(count % 5 == 0 for count in shown), cells
    return shown


def test_the_plan_in_print_holds_map_all_tabs_and_all_tables(desk: Desk, plan_id: str) -> None:
    desk.open(plan=plan_id)
    content = desk.page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    (SCREENSHOTS / "desk-27-print.pdf").write_bytes(content)
    reader = PdfReader(io.BytesIO(content))
    width, height = sorted(float(side) / 72 * 25.4 for side in reader.pages[0].mediabox[2:])
    assert (width, height) == pytest.approx((297, 420), abs=1), "A3"
    words = " ".join(re.sub(r"\s+", " ", page.extract_text()) for page in reader.pages)
    for part in (
        "Projects to build",
        "Candidates that are not in this plan",
        "Longest journey",
        "Why here?",
        "Figures by council",
        "Year by year",
    ):
        assert part in words, part
    pictures = [image.image.convert("RGB") for page in reader.pages for image in page.images if image.image is not None]
    drawn = max(pictures, key=lambda picture: picture.width)
    shaded = sum(count for count, colour in drawn.getcolors(drawn.width * drawn.height) if colour == AREA_RGB)
    assert shaded > drawn.width * drawn.height / 10, "the map is drawn"
    desk.page.emulate_media(media="print")
    assert violations(desk.page) == []


@pytest.mark.parametrize("query", [{}, {"page": "frontier"}, {"tab": "change"}])
def test_a_page_at_400_per_cent_loses_nothing(desk: Desk, plan_id: str, query: dict[str, str]) -> None:
    """1280 by 1024 pixels at 400 % leave 320 by 256: text goes on one line under another, nothing lies over the page."""
    desk.page.set_viewport_size({"width": 320, "height": 256})
    desk.open(plan=plan_id, **query)
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 320
    fixed = desk.page.evaluate(LYING_OVER)
    assert set(fixed) <= {"TH"}
    desk.check(f"28-400-per-cent-{''.join(query.values())}")
