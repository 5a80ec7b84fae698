"""The planner's page as a visitor sees it: a service of its own, and a browser that notes what the page does that it should not."""

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
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from browsing import AXE, CHROMIUM, ROOT, keep, violations
from playwright.sync_api import Browser, Page, Request

from api.routes.page import DIST

NEEDED = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium browser on the PATH"),
    pytest.mark.skipif(not (DIST / "index.html").is_file() or not AXE.is_file(), reason="needs the planner's page: make web"),
]
WAIT_MS = 240_000


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

    def press(self, name: str, *arrives: str) -> None:
        """Press a button and wait for the page whose address matches, by way of others."""
        self.page.get_by_role("button", name=name, exact=True).click()
        for address in arrives:
            self.page.wait_for_url(re.compile(address), timeout=WAIT_MS)
        self.settle()

    def check(self, name: str) -> None:
        """axe finds nothing, no figure is missing; the screen is kept."""
        keep(self.page, f"desk-{name}")
        assert violations(self.page) == []
        assert re.search(r"NaN|undefined|Infinity", self.page.inner_text("body")) is None


@contextmanager
def serving(store: Path, **settings: str) -> Iterator[str]:
    """A service of its own on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"SUFFICIENCY_STORE_FOLDER": str(store), "SUFFICIENCY_LOG_LEVEL": "error"} | settings
    server = subprocess.Popen([sys.executable, "-m", "api", "--port", str(port)], cwd=ROOT, env=environment)
    where = f"http://127.0.0.1:{port}"
    for _ in range(WAIT_MS // 100):
        try:
            urllib.request.urlopen(f"{where}/health", timeout=1)
            break
        except OSError:
            time.sleep(0.1)
    yield where
    server.terminate()
    server.wait(30)


@contextmanager
def visiting(browser: Browser, address: str) -> Iterator[Desk]:
    """A visit in which the page asks no other server and raises no error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    desk = Desk(context.new_page(), address)

    def note(request: Request) -> None:
        if not request.url.startswith((desk.address, "blob:", "data:")):
            desk.outside.append(request.url)

    desk.page.on("request", note)
    desk.page.on("pageerror", lambda error: desk.errors.append(str(error)))
    yield desk
    context.close()
    assert desk.outside == []
    assert desk.errors == []


def made_plan(address: str, case_id: str) -> str:
    """The id of a plan of a case, made through the service."""
    run = send(address, "runs", {"request": {"case_id": case_id, "sensitivity": False}})
    for _ in range(WAIT_MS // 100):
        run = send(address, f"runs/{run['id']}")
        if run["plan_id"]:
            return str(run["plan_id"])
        time.sleep(0.1)
    raise AssertionError(run)


def send(address: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The service's answer to a GET, or to a POST of the body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/v1/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_MS / 1000) as answer:
        return json.load(answer)
