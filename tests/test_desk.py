"""The planner's page on a live service: from nothing to a what-if planned again, by mouse and by keyboard alone; axe on every state."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from browsing import AXE, CHROMIUM, ROOT, chromium, keep, violations
from playwright.sync_api import Browser, Page, expect

from api.routes.page import DIST

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium browser on the PATH"),
    pytest.mark.skipif(not (DIST / "index.html").is_file() or not AXE.is_file(), reason="needs the planner's page: make web"),
]
SOUTH, EXPANSION = "B", "A"
"""The tiny case's projects: the plan builds the satellite in the south and not the expansion."""
WAIT_MS = 240_000
FIRST_CANDIDATE = """async () => {
  const { features } = await planMap.getSource("candidates").getData();
  const { x, y } = planMap.project(features[0].geometry.coordinates);
  return { x, y };
}"""


@dataclass
class Desk:
    """The page, and what it did that it should not."""

    page: Page
    address: str
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, **query: str) -> None:
        self.page.goto(f"{self.address}/?" + "&".join(f"{name}={value}" for name, value in query.items()))
        self.settle()

    def settle(self) -> None:
        """Wait until the page stands, its map included where it has one."""
        self.page.wait_for_selector("html[data-open=true]", timeout=WAIT_MS)
        if self.page.locator("#map").count():
            self.page.wait_for_selector("#map[data-ready=true]", timeout=WAIT_MS)

    def press(self, name: str, arrives: str) -> None:
        """Press a button and wait for the page whose address matches."""
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_url(re.compile(arrives), timeout=WAIT_MS)
        self.settle()

    def check(self, name: str) -> None:
        """axe finds nothing, no figure is missing; the screen is kept."""
        keep(self.page, f"desk-{name}")
        assert violations(self.page) == []
        assert re.search(r"NaN|undefined|Infinity", self.page.inner_text("body")) is None


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of its own on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"SUFFICIENCY_STORE_FOLDER": str(tmp_path_factory.mktemp("service")), "SUFFICIENCY_LOG_LEVEL": "error"}
    server = subprocess.Popen([sys.executable, "-m", "api", "--port", str(port)], cwd=ROOT, env=environment)
    where = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{where}/health", timeout=1)
            break
        except OSError:
            time.sleep(0.1)
    yield where
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Desk]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    desk = Desk(context.new_page(), address)
    desk.page.on(
        "request", lambda request: desk.outside.append(request.url) if not request.url.startswith((address, "blob:", "data:")) else None
    )
    desk.page.on("pageerror", lambda error: desk.errors.append(str(error)))
    yield desk
    context.close()
    assert desk.outside == []
    assert desk.errors == []


@pytest.fixture(scope="module")
def plan_id(address: str) -> str:
    """A plan of the tiny case, made through the service."""
    case = send(address, "cases", {"builtin": "tiny"})
    run = send(address, "runs", {"request": {"case_id": case["id"], "sensitivity": False}})
    for _ in range(WAIT_MS // 100):
        run = send(address, f"runs/{run['id']}")
        if run["plan_id"]:
            return str(run["plan_id"])
        time.sleep(0.1)
    raise AssertionError(run)


def send(address: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/v1/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_from_nothing_to_a_what_if_planned_again(desk: Desk) -> None:
    desk.open()
    desk.check("1-start")
    desk.press("Make the tiny case", r"case=")
    assert desk.page.locator("#map canvas").is_visible()
    desk.check("2-case")
    desk.press("Make a plan", r"plan=plan-")
    assert "£3.4m" in desk.page.locator("dl.headline").first.inner_text()
    desk.check("3-plan")
    desk.page.select_option(f"#decide-{SOUTH}", "forbidden")
    desk.page.get_by_role("tab", name="Change and plan again").click()
    assert "Satellite in the south: must not be built." in desk.page.locator("#panel-change").inner_text()
    desk.check("4-changed")
    desk.press("Plan again", r"with=plan-")
    changes = desk.page.get_by_role("group", name=re.compile("of 2$")).locator("tbody tr")
    found = {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in changes.all()}
    assert found == {"Satellite in the south": "Only in the first", "Expansion of Pencilshire School": "Only in the second"}
    assert desk.page.locator("#second-map canvas").is_visible()
    desk.check("5-compared")


def test_money_demand_and_limits_are_drafted_shown_in_words_and_kept_in_the_link(desk: Desk, plan_id: str) -> None:
    desk.open(plan=plan_id, tab="change")
    desk.page.get_by_label("GBP million").first.fill("4.5")
    desk.page.get_by_label("Secondary (11 to 15)").fill("30")
    desk.page.get_by_label("A pupil without a suitable place").fill("100000")
    desk.page.get_by_label("A pupil without a suitable place").blur()
    words = desk.page.locator("#panel-change ul").first.inner_text()
    for line in (
        "HIGH-NEEDS, 2022-23: £4.5m instead of £10.0m.",
        "Secondary (11 to 15) 30 minutes",
        "A pupil without a suitable place: 100000.",
    ):
        assert line in words
    desk.page.get_by_role("button", name="Copy a link to this view").click()
    copied = desk.page.evaluate("navigator.clipboard.readText()")
    desk.page.goto("about:blank")
    desk.page.goto(copied)
    desk.settle()
    assert desk.page.locator("#panel-change ul").first.inner_text() == words
    assert desk.page.get_by_label("GBP million").first.input_value() == "4.5"
    desk.page.get_by_label("GBP million").first.fill("a lot")
    desk.page.get_by_label("GBP million").first.blur()
    expect(desk.page.locator("td .govuk-error-message")).to_contain_text("as a number")
    desk.check("6-wrong-number")


def test_a_candidate_is_chosen_on_the_map_and_pinned(desk: Desk, plan_id: str) -> None:
    desk.open(plan=plan_id)
    desk.page.check("#layers input[value=candidates]")
    desk.settle()
    at = desk.page.evaluate(FIRST_CANDIDATE)
    desk.page.locator("#map canvas").click(position=at)
    desk.settle()
    assert "Expansion of Pencilshire School" in desk.page.locator("#details").inner_text()
    desk.page.get_by_label("Must be built").check()
    assert desk.page.locator(f"#decide-{EXPANSION}").input_value() == "committed"
    assert '"A":"committed"' in desk.page.evaluate("new URLSearchParams(location.search).get('draft')")
    desk.check("7-pinned-on-the-map")


def test_questions_are_answered(desk: Desk, plan_id: str) -> None:
    desk.open(plan=plan_id, tab="ask")
    desk.page.get_by_role("button", name="Why here?", exact=True).click()
    expect(desk.page.locator("#panel-ask")).to_contain_text("Satellite in the south?", timeout=WAIT_MS)
    desk.check("8-why-here")
    desk.page.get_by_role("button", name="Why not here?", exact=True).click()
    expect(desk.page.locator("#panel-ask")).to_contain_text("Why not Expansion of Pencilshire School?", timeout=WAIT_MS)
    desk.check("9-why-not-here")
    desk.press("Work out the answers", r"tab=ask.*measure|measure.*tab=ask")
    desk.page.get_by_role("button", name="Why not here?", exact=True).click()
    expect(desk.page.locator("#panel-ask")).to_contain_text("What it would save and cost", timeout=WAIT_MS)
    expect(desk.page.locator("#panel-ask")).to_contain_text("GBP 1m more for one council at a time")
    desk.check("9-worked-out")


def test_the_frontier_plans_other_budgets_and_shows_them(desk: Desk, plan_id: str) -> None:
    desk.open(plan=plan_id, page="frontier")
    desk.check("10-frontier-empty")
    for times in ("0.25", "0.75", "1.25", "1.5", "2"):
        desk.page.get_by_label(f"Times {times}", exact=True).uncheck()
    desk.page.get_by_role("button", name="Plan these budgets").click()
    deadline = time.monotonic() + WAIT_MS / 1000
    while desk.page.locator("svg .point").count() < 3 and time.monotonic() < deadline:
        time.sleep(1)
        desk.open(plan=plan_id, page="frontier")
    rows = [row.locator("th, td").all_inner_texts() for row in desk.page.locator("tbody tr").all()]
    savings = [float(re.sub(r"[^\d.]", "", row[3])) for row in rows]
    assert [float(row[0]) for row in rows] == [0, 0.5, 1]
    assert savings[0] == 0
    assert savings == sorted(savings)
    desk.check("11-frontier")


def test_a_file_that_is_no_case_is_refused_with_the_reason(desk: Desk, tmp_path: Path) -> None:
    wrong = tmp_path / "case.zip"
    wrong.write_bytes(b"not a zip")
    desk.open()
    desk.page.set_input_files("#file", wrong)
    desk.page.get_by_role("button", name="Upload", exact=True).click()
    expect(desk.page.locator("#error")).to_be_focused(timeout=WAIT_MS)
    assert "can't be read as a zip" in desk.page.locator("#error").inner_text()
    desk.check("12-refused")


def test_every_page_fits_320_pixels_and_prints(desk: Desk, plan_id: str) -> None:
    case_id = send(desk.address, f"plans/{plan_id}")["case_id"]
    desk.page.set_viewport_size({"width": 320, "height": 640})
    pages: dict[str, dict[str, str]] = {
        "start": {},
        "case": {"case": case_id},
        "plan": {"plan": plan_id},
        "change": {"plan": plan_id, "tab": "change"},
        "ask": {"plan": plan_id, "tab": "ask"},
        "compare": {"plan": plan_id, "with": plan_id},
        "frontier": {"plan": plan_id, "page": "frontier"},
    }
    for name, query in pages.items():
        desk.open(**query)
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 320, name
        desk.check(f"narrow-{name}")
    desk.open(plan=plan_id)
    desk.page.emulate_media(media="print")
    assert all(panel.is_visible() for panel in desk.page.locator("[role=tabpanel]").all())


def test_the_whole_path_by_keyboard_alone(desk: Desk) -> None:
    page = desk.page

    def tab_to(wanted: str) -> None:
        for _ in range(150):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", wanted):
                return
        raise AssertionError(f"Tab never reached {wanted}")

    desk.open()
    page.evaluate(
        "for (const button of document.querySelectorAll('button')) if (button.textContent === 'Make the tiny case') button.id = 'tiny'"
    )
    tab_to("#tiny")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("case="), timeout=WAIT_MS)
    desk.settle()
    tab_to("#find")
    page.keyboard.type("Pencilshire School")
    page.keyboard.press("Enter")
    expect(page.locator("#details h3").first).to_have_text(re.compile("Pencilshire School"), timeout=WAIT_MS)
    tab_to("#map canvas")
    zoom = page.evaluate("planMap.getZoom()")
    page.keyboard.press("Equal")
    page.wait_for_function("zoom => planMap.getZoom() > zoom", arg=zoom, timeout=WAIT_MS)
    tab_to(".desk-panel > .govuk-button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("plan=plan-"), timeout=WAIT_MS)
    desk.settle()
    tab_to("#tab-projects")
    tab_to(f"#decide-{SOUTH}")
    page.keyboard.press("End")
    assert page.locator(f"#decide-{SOUTH}").input_value() == "forbidden"
    for _ in range(150):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.id") == "tab-projects":
            break
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-change"
    tab_to("#panel-change .govuk-button-group .govuk-button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("with=plan-"), timeout=WAIT_MS)
    desk.settle()
    assert "Only in the second" in page.locator("main").inner_text()
