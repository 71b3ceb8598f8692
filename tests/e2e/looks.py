"""How a page is looked at: axe in both schemes, whether it fits a telephone, and a picture of each.

Pictures go to `build/pictures` (or where $LUDB_SCREENSHOTS says), anew by each `make e2e`: somebody is to look at them.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import ROOT

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(os.environ.get("LUDB_SCREENSHOTS") or ROOT / "build" / "pictures")
FITS = """new Promise(say => { let frames = 0; const look = () =>
    document.documentElement.scrollWidth <= innerWidth ? say(true) : ++frames > 300 ? say(false) : requestAnimationFrame(look);
    look(); })"""
"""Whether nothing sticks out sideways, once charts have taken their new width."""
VIOLATIONS = "axe.run().then(said => said.violations.map(one => `${one.id}: ${one.nodes[0].html}`))"
SHOWN = {
    ("run", "light"): "run",
    ("run", "dark"): "run-dark",
    ("quarantine", "light"): "quarantine",
    ("job", "light"): "job",
}
"""Pages that the docs show, written where $LUDB_PICTURES names a folder (`docs/images`)."""
TOP = {"x": 0, "y": 0, "width": 1280, "height": 1000, "scale": 1}
DESK, TELEPHONE, WALL = (
    {"width": width, "height": height} for width, height in ((1440, 900), (380, 800), (1920, 1080))
)

OPERATOR = {
    "/": "overview", "/runs/{run}": "run", "/runs/{run}?tab=workers": "run-workers", "/runs/{run}?tab=systems": "run-systems",
    "/runs/{run}?tab=quarantine": "run-quarantine", "/runs/{run}?tab=events": "run-events",
    "/runs/{run}?tab=settings": "run-settings", "/jobs/telco": "job", "/calls": "calls",
    "/runs/{run}/compare/{run}?all=1": "compare", "/quarantine?run={run}&unit={key}": "quarantine",
    "/units/telco/{key}": "unit", "/units/telco/{moved}": "unit-moved", "/launch": "launch",
}  # fmt: skip
"""Pages of a run that is over, with units set aside; address and name of the picture."""
ADMIN = {
    "/history": "history", "/alerts?which=all": "alerts", "/audit": "audit", "/schedules": "schedules",
    "/settings": "settings", "/systems": "systems", "/users": "users", "/runs/{run}/wall": "wall",
}  # fmt: skip
"""Pages around it."""
EDITOR = {
    "/": ("overview-live", ""), "/systems?system=telco/crm": ("system", ""), "/runs/{run}?tab=systems": ("run-systems-live", ""),
    "/alerts?tab=rules": ("alert-rules", "edit api_errors"), "/alerts?tab=channels": ("alert-channels", "New channel"),
    "/schedules": ("windows", "New window"), "/runs/{run}/wall": ("wall-live", ""), "/runs/{run}": ("run-live", "Stop now"),
}  # fmt: skip
"""Pages while a run goes on; name, and the button that opens a dialog."""


def arrived(page: Page, address: str) -> None:
    """The page has what it shows."""
    page.goto(address)
    expect(page.get_by_role("main").locator("h1")).to_be_visible()
    expect(page.get_by_label("loading")).to_have_count(0)
    page.evaluate(AXE.read_text(encoding="utf-8"))


def looked_at(page: Page, name: str) -> None:
    """As it stands now: axe finds nothing, light and dark; on a telephone nothing sticks out."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size(WALL if name.startswith("wall") else DESK)
    empty = page.locator("[data-later]")
    expect(empty).to_have_count(0)  # charts below are drawn when the page is at rest
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=PICTURES / f"{name}-{scheme}.png", full_page=True)
        if os.environ.get("LUDB_PICTURES") and (name, scheme) in SHOWN:
            _shown(page, Path(os.environ["LUDB_PICTURES"]) / f"{SHOWN[name, scheme]}.webp")
        found = page.evaluate(VIOLATIONS)
        assert found == [], f"{name}, {scheme}: {found}"
    page.set_viewport_size(TELEPHONE)
    assert page.evaluate(FITS), f"{name} is wider than a telephone"
    page.screenshot(path=PICTURES / f"{name}-telephone.png", full_page=True)
    page.set_viewport_size(DESK)


def _shown(page: Page, file: Path) -> None:
    """The top of the page, in a format that is small enough for the docs."""
    page.set_viewport_size({"width": 1280, "height": 800})
    asked = {"format": "webp", "quality": 85, "captureBeyondViewport": True, "clip": TOP}
    shot = page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    file.write_bytes(base64.b64decode(shot["data"]))
    page.set_viewport_size(DESK)
