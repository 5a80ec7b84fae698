"""A headless Chromium with software GL, and the accessibility check that is run in it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from bench.page import CHROMIUM, chromium

__all__ = ["AXE", "CHROMIUM", "ROOT", "chromium", "keep", "violations"]
ROOT = Path(__file__).parents[1]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / "out" / "screenshots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds against WCAG 2.0 to 2.2 A and AA and its best practices: rule and elements."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found["violations"]]


def keep(page: Page, name: str) -> None:
    """A screenshot of the whole page under out/screenshots, for CI to keep."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
