"""The planner's page on a live service: from nothing to a what-if planned again, by mouse and by keyboard alone; axe on every state."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from browsing import ROOT, chromium
from desk_page import NEEDED, WAIT_MS, Desk, made_plan, send, serving, visiting
from playwright.sync_api import Browser, expect

from fixtures.tiny import tiny_case
from sufficiency.case import save_case

pytestmark = NEEDED
SOUTH, EXPANSION = "B", "A"
"""The tiny case's projects: the plan builds the satellite in the south and not the expansion."""
FIRST_CANDIDATE = """async () => {
  const { features } = await planMap.getSource("candidates").getData();
  const { x, y } = planMap.project(features[0].geometry.coordinates);
  return { x, y };
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("service")) as where:
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Desk]:
    with visiting(browser, address) as desk:
        yield desk


@pytest.fixture(scope="module")
def plan_id(address: str) -> str:
    return made_plan(address, send(address, "cases", {"builtin": "tiny"})["id"])


def test_from_nothing_to_a_what_if_planned_again(desk: Desk) -> None:
    desk.open()
    desk.check("1-start")
    desk.press("Make the tiny case", r"case=")
    assert desk.page.locator("#map canvas").is_visible()
    assert desk.page.evaluate("planMap.queryRenderedFeatures({ layers: ['areas'] }).length") > 0, "the areas are drawn"
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
        "A pupil without a suitable place: 100,000 GBP per pupil",
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
    desk.press("Work out the answers", r"run=", r"tab=ask.*measure|measure.*tab=ask")
    desk.page.get_by_role("button", name="Why not here?", exact=True).click()
    expect(desk.page.locator("#panel-ask")).to_contain_text("What it would save and cost", timeout=WAIT_MS)
    expect(desk.page.locator("#panel-ask")).to_contain_text("GBP 1m more for a council, partnership or region")
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


def test_two_plans_under_one_divider(desk: Desk, plan_id: str) -> None:
    """The divider moves by keyboard and by pointer, both maps lie on the same ground, and the address keeps the choice."""
    desk.open(**{"plan": plan_id, "with": plan_id})
    desk.page.get_by_label("One over the other, with a divider").check()
    assert "maps=swipe" in desk.page.url
    slider = desk.page.get_by_label(re.compile("^Divider"))
    clipped = "getComputedStyle(document.getElementById('second-map')).clipPath"
    slider.focus()
    desk.page.keyboard.press("Home")
    desk.page.keyboard.press("ArrowRight")
    assert desk.page.evaluate(clipped) == "inset(0px 0px 0px 1%)"
    assert slider.get_attribute("aria-valuetext") == "1 per cent of the map shows the first plan, 99 per cent the second"
    desk.page.keyboard.press("End")
    assert desk.page.evaluate(clipped) == "inset(0px 0px 0px 100%)"
    assert desk.page.locator("#map").bounding_box() == desk.page.locator("#second-map").bounding_box()
    desk.page.locator(".divider .grip").scroll_into_view_if_needed()
    box = desk.page.locator("#map").bounding_box()
    assert box is not None
    desk.page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    desk.page.mouse.down()
    desk.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=4)
    desk.page.mouse.up()
    assert slider.input_value() == "25"
    desk.settle()
    desk.check("13-divider")
    desk.page.set_viewport_size({"width": 320, "height": 640})
    desk.page.reload()
    desk.settle()
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 320
    desk.check("narrow-divider")
    desk.page.get_by_label("Side by side").check()
    assert desk.page.evaluate(clipped) == "none"


def test_a_service_with_keys_asks_for_one_and_says_when_it_is_wrong(desk: Desk, tmp_path: Path) -> None:
    keys = {"SUFFICIENCY_AUTH__API_KEYS": "true"}
    environment = os.environ | keys | {"SUFFICIENCY_STORE_FOLDER": str(tmp_path)}
    asked = "keys create --name desk --role planner --council * --partnership *"
    made = subprocess.run([sys.executable, "-m", "api", *asked.split()], cwd=ROOT, env=environment, capture_output=True, text=True)
    key = made.stdout.strip()
    field, error, page = desk.page.get_by_label("API key or access token"), desk.page.locator("#error"), desk.page
    with serving(tmp_path, **keys) as desk.address:
        desk.open(case="case-0")
        assert page.title().startswith("Sign in")
        desk.check("14-sign-in")
        page.get_by_role("button", name="Sign in").click()
        expect(error).to_be_focused(timeout=WAIT_MS)
        assert "Enter your API key" in error.inner_text()
        field.fill(f"{key}x")
        page.keyboard.press("Enter")
        expect(error).to_contain_text("did not accept that key", timeout=WAIT_MS)
        expect(error).to_be_focused(timeout=WAIT_MS)
        assert page.title().startswith("Error: Sign in")
        assert field.get_attribute("aria-invalid") == "true"
        desk.check("15-wrong-key")
        error.get_by_role("link").press("Enter")
        expect(field).to_be_focused()
        desk.open()
        field.fill(key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Make or bring a case")).to_be_visible(timeout=WAIT_MS)
        desk.check("16-signed-in")
        page.get_by_role("button", name="Sign out").click()
        expect(field).to_be_visible(timeout=WAIT_MS)


def test_several_futures_and_limits_are_weighed_and_opened_as_plans(desk: Desk, tmp_path: Path) -> None:
    case = tiny_case()
    later = case.pupils["academic_year"] != case.base_year
    more = case.pupils.assign(scenario="high", pupils_placed=case.pupils["pupils_placed"] * (1 + 0.2 * later))
    save_case(replace(case, pupils=pd.concat([case.pupils, more], ignore_index=True)), tmp_path / "case")
    shutil.make_archive(str(tmp_path / "two"), "zip", tmp_path / "case")
    desk.open()
    desk.page.set_input_files("#file", tmp_path / "two.zip")
    desk.press("Upload", r"case=")
    desk.press("Make a plan", r"plan=plan-")
    plan_id = parse_qs(urlsplit(desk.page.url).query)["plan"][0]
    desk.page.get_by_role("link", name="One plan for several futures of demand").click()
    desk.page.get_by_label("High: more pupils, per cent").fill("90")
    desk.page.get_by_role("button", name="Find projects for all futures").click()
    expect(desk.page.locator("#error")).to_contain_text("sum to 100 per cent")
    desk.page.get_by_label("High: more pupils, per cent").fill("50")
    desk.page.get_by_label("Least regret").check()
    desk.check("17-futures")
    desk.press("Find projects for all futures", r"run=", r"page=futures")
    shown = desk.page.locator("main").inner_text()
    assert "1 project shared by all futures" in shown
    assert "No regret: right in every future" in shown
    desk.check("18-futures-weighed")
    assert desk.page.get_by_role("button", name="Open the shared projects as a plan").is_visible()
    desk.open(plan=plan_id, page="frontier")
    desk.press("Work it out", r"run=", r"page=frontier")
    assert desk.page.locator("svg .point").count() == desk.page.get_by_role("button", name=re.compile(r"^Open plan \d")).count() == 3
    desk.check("19-limits")
    desk.press("Open plan 3", r"with=plan-")


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
        "futures": {"plan": plan_id, "page": "futures"},
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
