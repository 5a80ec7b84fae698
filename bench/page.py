"""How soon a page with a map can be used, and how smoothly it moves: ``python -m bench.page http://127.0.0.1:8000/?plan=... map.html``.

Each page opens several times in a headless Chromium that draws in software, with an empty cache. From the start of the navigation: the map
is drawn and stands still. Then: another figure is chosen, until the map stands still again. Then the map is dragged, zoomed in by wheel and
dragged again, with the time between the browser's animation frames noted. All in ms; 17 between frames is the screen's own pace.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from bench.machine import machine

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SOFTWARE_GL: Final = [
    "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
SCREEN: Final = (1280, 900)
LONGEST_MS: Final = 120_000
WATCH: Final = """
addEventListener("DOMContentLoaded", () => {
  const look = () => {
    if (document.querySelector("#map[data-ready=true]")) window.drawnAt ??= performance.now();
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-ready"] });
});
"""
FRAMES: Final = """() => {
  window.frames_ = [];
  const tick = (now) => {
    window.frames_.push(now);
    window.ticking = requestAnimationFrame(tick);
  };
  window.ticking = requestAnimationFrame(tick);
}"""
GAPS: Final = """() => {
  cancelAnimationFrame(window.ticking);
  return window.frames_.slice(1).map((now, i) => now - window.frames_[i]);
}"""
STANDING_STILL: Final = """async () => {
  while (!planMap.loaded() || planMap.isMoving()) await new Promise(requestAnimationFrame);
}"""
ANOTHER_FIGURE: Final = """async () => {
  const began = performance.now();
  const box = document.getElementById("measure");
  box.value = "minutes";
  box.dispatchEvent(new Event("change", { bubbles: true }));
  while (document.getElementById("map").dataset.ready !== "true") await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser that draws in software, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE_GL)
        yield browser
        browser.close()


def measure(browser: Browser, address: str) -> dict[str, list[float]]:
    """One visit: step -> ms, one figure or one for each frame."""
    context = browser.new_context(viewport={"width": SCREEN[0], "height": SCREEN[1]})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#map[data-ready=true]", timeout=LONGEST_MS)
    told = {"drawn": [page.evaluate("window.drawnAt")], "another figure": [page.evaluate(ANOTHER_FIGURE)]}
    page.locator("#map canvas").scroll_into_view_if_needed()
    told["frames, dragged"] = _frames(page, _drag)
    told["frames, zoomed"] = _frames(page, _zoom)
    told["frames, dragged close by"] = _frames(page, _drag)
    context.close()
    return told


def _middle(page: Page) -> tuple[float, float]:
    box = page.locator("#map").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, min(box["y"] + box["height"] / 2, SCREEN[1] - 150)


def _drag(page: Page) -> None:
    x, y = _middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    for turn in range(4):
        for step in range(25):
            far = step if turn % 2 == 0 else 24 - step
            page.mouse.move(x + 6 * far, y + 4 * far)
    page.mouse.up()


def _zoom(page: Page) -> None:
    page.mouse.move(*_middle(page))
    for _ in range(12):
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(80)


def _frames(page: Page, move: Callable[[Page], None]) -> list[float]:
    page.evaluate(FRAMES)
    move(page)
    page.wait_for_timeout(300)
    gaps: list[float] = page.evaluate(GAPS)
    page.evaluate(STANDING_STILL)
    return gaps


def report(visits: Sequence[dict[str, list[float]]]) -> Iterator[str]:
    """A line for each step: median and worst of the visits; of frames the median and the 95th percentile."""
    for step in visits[0]:
        values = sorted(value for visit in visits for value in visit[step])
        high = values[min(int(0.95 * len(values)), len(values) - 1)]
        yield f"  {step:26} median {statistics.median(values):7,.0f}   95 % {high:7,.0f}   worst {values[-1]:7,.0f}   of {len(values)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every page named, and print."""
    parser = argparse.ArgumentParser(prog="bench.page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", metavar="PAGE", help="an address, or a map.html on disk")
    parser.add_argument("--visits", type=int, default=5)
    asked = parser.parse_args(arguments)
    if CHROMIUM is None:
        sys.stderr.write("needs a Chromium browser on the PATH\n")
        return 1
    sys.stdout.write(f"{machine()}\n")
    for page in asked.pages:
        address = Path(page).resolve().as_uri() if Path(page).is_file() else page
        with chromium() as browser:
            visits = [measure(browser, address) for _ in range(asked.visits)]
        sys.stdout.write("\n".join([page, *report(visits), ""]))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
