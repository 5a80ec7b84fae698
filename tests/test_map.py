"""The map opens from disk without a network, and shows what the tables of the plan say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from browsing import AXE, CHROMIUM, chromium, violations
from plan_example import EXPANSION, STAGED, example_case, example_plan
from playwright.sync_api import Browser, Page, Route

from sufficiency.case import Case
from sufficiency.disclosure import shown_by_variant, shown_case, shown_plan
from sufficiency.outputs.figures import ALL, flows, placed_pupils, places_by_need, project_list
from sufficiency.outputs.map_page import page_built, write_map
from sufficiency.plan import Plan

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium browser on the PATH"),
    pytest.mark.skipif(not page_built(), reason="needs the page scripts of the map: make web"),
]

NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : get.call(this, kind, ...rest);
};"""

SLIDE = """year => {
  const slider = document.getElementById("year");
  slider.value = year;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}"""

PLAIN_AREA = """() => {
  const box = planMap.getCanvas().getBoundingClientRect();
  for (let x = 280; x < box.width - 80; x += 10) for (let y = 40; y < box.height - 40; y += 10) {
    const found = planMap.queryRenderedFeatures([x, y], { layers: ["areas", "settings", "projects"] });
    if (found.length === 1 && found[0].layer.id === "areas") return { x, y, id: found[0].id };
  }
}"""
"""A point of the map with an area and nothing else."""


@dataclass
class Opened:
    """The page, and what it did that it should not."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def settle(self) -> None:
        self.page.wait_for_selector("#map[data-ready=true]", state="attached", timeout=60_000)

    def councils(self) -> dict[str, list[str]]:
        rows = self.page.locator("#councils tbody tr").all()
        return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}

    def show(self, year: int, variant: int, measure: str = "need") -> None:
        self.page.select_option("#measure", measure)
        self.page.check(f"input[name=variant][value='{variant}']")
        self.page.evaluate(SLIDE, year)
        self.settle()


@pytest.fixture(scope="module")
def case() -> Case:
    return example_case()


@pytest.fixture(scope="module")
def plan(case: Case) -> Plan:
    return example_plan(case)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def open_map(browser: Browser, plan: Plan, case: Case, path: Path) -> Opened:
    write_map(shown_plan(plan, case), shown_case(case), path, shown_by_variant(plan, case))
    opened = Opened(browser.new_page(viewport={"width": 1100, "height": 640}))

    def refuse(route: Route) -> None:
        if route.request.url.startswith(("file:", "blob:", "data:")):
            route.continue_()
        else:
            opened.requests.append(route.request.url)
            route.abort()

    opened.page.route("**/*", refuse)
    opened.page.on("console", lambda message: opened.errors.append(message.text) if message.type == "error" else None)
    opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.page.goto(path.as_uri())
    opened.settle()
    return opened


@pytest.fixture(scope="module")
def opened(browser: Browser, plan: Plan, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return open_map(browser, plan, case, tmp_path_factory.mktemp("map") / "map.html")


def test_nothing_is_asked_of_the_network_and_nothing_fails(opened: Opened) -> None:
    assert opened.requests == []
    assert opened.errors == []
    assert opened.page.locator("#map-message").is_hidden()


def test_every_layer_is_drawn(opened: Opened, plan: Plan, case: Case) -> None:
    opened.show(len(case.academic_years) - 1, 1, "minutes")
    drawn = "layer => planMap.queryRenderedFeatures({ layers: [layer] }).map(f => f.id ?? f.properties.index)"
    assert set(opened.page.evaluate(drawn, "areas")) == set(range(len(case.areas)))
    assert len(set(opened.page.evaluate(drawn, "settings"))) == case.settings["easting_m"].notna().sum()
    shown = opened.page.evaluate("planMap.queryRenderedFeatures({ layers: ['projects'] }).map(f => f.properties)")
    assert sum(pin.get("crowd", 1) for pin in shown) == plan.plan.projects["project_id"].nunique()
    assert opened.page.evaluate(drawn, "council-borders")
    assert (
        opened.page.evaluate("new Set(Array.from({length: 60}, (_, id) => planMap.getFeatureState({source: 'areas', id}).shade)).size") > 1
    )


def test_figures_by_council_are_those_of_the_plan(opened: Opened, plan: Plan, case: Case) -> None:
    """In the first and last year, before and after: need, unmet need, minutes and independent share of each council and of all."""
    shown = shown_by_variant(plan, case)
    names = {**case.councils.set_index("council_code")["council_name"].to_dict(), ALL: "All councils together"}
    for year in (0, len(case.academic_years) - 1):
        name = case.academic_years[year]
        opened.show(year, 0)
        table = opened.councils()
        for variant, of_plan in enumerate(shown.values()):
            figures = of_plan.areas[(of_plan.areas["need_group"] == ALL) & (of_plan.areas["academic_year"] == name)].set_index("zone_id")
            for zone, council in names.items():
                row, cells = figures.loc[zone], table[council][variant::2]
                assert float(cells[0].replace(",", "")) == pytest.approx(row["pupils"] + row["unmet"], abs=0.55)
                assert float(cells[1].replace(",", "")) == pytest.approx(row["unmet"], abs=0.06)
                assert float(cells[2].removesuffix(" min")) == pytest.approx(row["pupil_minutes"] / row["travellers"], abs=0.56)
                assert float(cells[3].removesuffix(" %")) == pytest.approx(100 * row["independent"] / row["pupils"], abs=0.56)


def test_toggle_slider_and_choices_change_the_map(opened: Opened) -> None:
    def shades() -> list[str]:
        return opened.page.evaluate("Array.from({length: 60}, (_, id) => planMap.getFeatureState({source: 'areas', id}).shade)")

    opened.show(5, 1, "unmet")
    after, legend = shades(), opened.page.locator("#legend").inner_text()
    assert "with the plan" in legend
    opened.show(5, 0, "unmet")
    assert shades() != after
    assert opened.page.locator("#legend").inner_text() != legend
    opened.show(0, 1, "unmet")
    assert shades() != after
    assert opened.page.evaluate("planMap.querySourceFeatures('projects').filter(f => f.properties.open).length") == 0
    opened.show(5, 1, "unmet")
    assert shades() == after
    opened.page.select_option("#group", label="Autism")
    opened.settle()
    assert "Autism" in opened.page.locator("#legend").inner_text()
    opened.page.select_option("#group", index=0)
    opened.settle()


PINS = """async () => {
  const { features } = await planMap.getSource("projects").getData();
  return features.map(f => planMap.project(f.geometry.coordinates)).map(({ x, y }) => [x, y]);
}"""


def test_no_pin_hides_another_and_all_lie_on_the_map(opened: Opened) -> None:
    opened.show(5, 1)
    pins, box = opened.page.evaluate(PINS), opened.page.locator("#map").bounding_box()
    assert box is not None
    assert len(pins) > 1
    for place, (x, y) in enumerate(pins):
        assert 0 < x < box["width"]
        assert 0 < y < box["height"]
        for other_x, other_y in pins[place + 1 :]:
            assert ((x - other_x) / 25) ** 2 + ((y - other_y) / 31) ** 2 > 0.9


def test_layers_are_switched_on_and_off(opened: Opened) -> None:
    def drawn(source: str) -> int:
        return opened.page.evaluate("source => planMap.getSource(source).getData().then(data => data.features.length)", source)

    for layer in ("settings", "projects"):
        assert drawn(layer) > 0
        opened.page.uncheck(f"#layers input[value={layer}]")
        opened.settle()
        assert drawn(layer) == 0
        opened.page.check(f"#layers input[value={layer}]")
        opened.settle()
        assert drawn(layer) > 0


def test_settings_show_their_places_for_the_need_chosen(opened: Opened, plan: Plan, case: Case) -> None:
    """Only settings with places for the need are drawn, and a setting's table says how many."""
    places = places_by_need(plan.plan, case)
    places = places[(places["need_group"] == "ASD") & (places["academic_year"] == case.academic_years[-1]) & (places["places"] > 0)]
    located = case.settings[case.settings["easting_m"].notna()].set_index("setting_id")["name"]
    expected = places[places["setting_id"].isin(located.index)].set_index("setting_id")["places"]
    opened.show(len(case.academic_years) - 1, 1)
    opened.page.select_option("#group", label="Autism")
    opened.settle()
    assert opened.page.evaluate("planMap.getSource('settings').getData().then(data => data.features.length)") == len(expected)
    opened.page.fill("#find", located[expected.index[0]])
    opened.page.keyboard.press("Enter")
    opened.settle()
    row = opened.page.locator("#details table").first.locator("tr", has_text="Autism")
    assert float(row.locator("td").nth(1).inner_text()) == pytest.approx(expected.iloc[0], abs=0.5)
    opened.page.select_option("#group", index=0)
    opened.settle()


def test_axe_finds_nothing_wide_or_narrow(opened: Opened) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core: make web")
    for width in (1100, 320):
        opened.page.set_viewport_size({"width": width, "height": 640})
        opened.settle()
        assert violations(opened.page) == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.page.set_viewport_size({"width": 1100, "height": 640})
    opened.settle()


def test_the_table_of_projects_is_that_of_the_plan(opened: Opened, plan: Plan, case: Case) -> None:
    rows = opened.page.locator("#projects tbody tr").all()
    shown = {row.get_attribute("data-project"): row.locator("td").all_inner_texts() for row in rows}
    for project in project_list(plan.plan.projects, case).to_dict("records"):
        number, opens, places, capital = shown.pop(project["project_id"])
        assert int(number) == project["number"]
        assert opens.startswith(project["opens"])
        assert float(places) == project["places"]
        assert float(capital) == pytest.approx(project["capital_gbp"] / 1e6, abs=0.005)
    assert shown == {}


def test_the_table_sorts_and_opens_a_project_by_keyboard(opened: Opened) -> None:
    heading = opened.page.locator("#projects th", has_text="Places")
    heading.locator("button").focus()
    for order, sign in (("ascending", 1), ("descending", -1)):
        opened.page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == order
        places = [int(text) for text in opened.page.locator("#projects tbody td:nth-child(4)").all_inner_texts()]
        assert places == sorted(places, key=lambda count: sign * count)
    opened.page.locator(f"#projects button[data-project={STAGED}]").focus()
    opened.page.keyboard.press("Enter")
    opened.settle()
    details = opened.page.locator("#details").inner_text()
    for words in ("New special school", "Quenbury", "Autism", "2025/26: 24; 2027/28: 16", "£6.60m"):
        assert words in details
    assert opened.page.locator("#projects tr[aria-current=true]").get_attribute("data-project") == STAGED


def test_a_click_on_an_area_and_a_name_typed_show_details(opened: Opened, case: Case) -> None:
    opened.page.fill("#find", case.areas["area_name"].iloc[20])
    opened.page.keyboard.press("Enter")
    opened.settle()
    assert opened.page.locator("#details h3").inner_text() == case.areas["area_name"].iloc[20]
    assert "modelled" in opened.page.locator("#details").inner_text()
    opened.page.wait_for_function("!planMap.isMoving()")
    plain = opened.page.evaluate(PLAIN_AREA)
    opened.page.locator("#map canvas").click(position={"x": plain["x"], "y": plain["y"]})
    opened.settle()
    assert opened.page.locator("#details h3").inner_text() == case.areas["area_name"].iloc[plain["id"]]


def test_flows_are_drawn_for_a_setting_from_five_pupils_up(browser: Browser, plan: Plan, case: Case, tmp_path: Path) -> None:
    placements = plan.plan.placements
    more = replace(plan, plan=replace(plan.plan, placements=placements.assign(pupils=placements["pupils"] * 20)))
    lines = flows(placed_pupils(more.plan, case))
    lines = lines[lines["academic_year"] == case.academic_years[-1]]
    busiest = lines["setting_id"].value_counts().index[0]
    opened = open_map(browser, more, case, tmp_path / "map.html")
    opened.page.fill("#find", case.settings.set_index("setting_id")["name"][busiest])
    opened.page.keyboard.press("Enter")
    opened.settle()
    drawn = opened.page.evaluate("planMap.getSource('flows').getData().then(data => data.features.map(f => f.properties.pupils))")
    expected = lines.loc[lines["setting_id"] == busiest, "pupils"]
    assert sorted(drawn) == pytest.approx(sorted(expected), abs=0.06)
    assert min(drawn) >= 5
    assert opened.errors == []


def test_a_protected_case_shows_no_small_figure(browser: Browser, plan: Plan, case: Case, tmp_path: Path) -> None:
    """The page holds, for areas, only multiples of 5 from 10 pupils up, and no single need."""
    protected = replace(case, disclosure="protected")
    zones = shown_case(protected).areas["area_id"]
    assert len(zones) < len(case.areas)
    for of in shown_by_variant(plan, protected).values():
        figures = of.areas[of.areas["zone_id"].isin(zones)]
        assert set(figures["need_group"]) == {ALL}
        assert figures["pupils"].min() >= 10
        assert set(figures["pupils"].dropna() % 5) == {0.0}
    opened = open_map(browser, plan, protected, tmp_path / "map.html")
    opened.page.select_option("#group", label="Autism")
    opened.settle()
    unknown = opened.page.evaluate("planMap.queryRenderedFeatures({ layers: ['areas-unknown'] }).map(f => f.id)")
    assert set(unknown) == set(range(len(zones)))
    assert "fewer than 10 pupils are shown together" in opened.page.locator(".map-frame").inner_text()
    assert opened.errors == []


def test_without_webgl_the_tables_still_work(browser: Browser, plan: Plan, case: Case, tmp_path: Path) -> None:
    write_map(plan, case, tmp_path / "map.html", shown_by_variant(plan, case))
    page = browser.new_page()
    page.add_init_script(NO_WEBGL)
    page.goto((tmp_path / "map.html").as_uri())
    page.wait_for_selector("#map-message:not([hidden])")
    assert "does not offer WebGL" in page.locator("#map-message").inner_text()
    page.wait_for_selector("#councils tbody tr")
    page.locator(f"#projects button[data-project={EXPANSION}]").click()
    assert "Expansion of a special school" in page.locator("#details").inner_text()
