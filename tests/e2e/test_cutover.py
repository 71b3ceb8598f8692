"""A cutover as an operator sees it: one run, from the launch to the last unit tried again."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import PASSWORD, ROOT, SLOW

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
FITS = """new Promise(say => { let frames = 0; const look = () =>
    document.documentElement.scrollWidth <= innerWidth ? say(true) : ++frames > 300 ? say(false) : requestAnimationFrame(look);
    look(); })"""
"""Whether nothing sticks out sideways, once charts have taken their new width."""
PICTURES = {
    ("run", "light"): "run",
    ("run", "dark"): "run-dark",
    ("quarantine", "light"): "quarantine",
    ("job", "light"): "job",
}
"""Pages that the docs show, written where $LUDB_PICTURES names a folder (`docs/images`)."""
TOP = {"x": 0, "y": 0, "width": 1280, "height": 1000, "scale": 1}
PATIENCE = 45_000
"""Milliseconds: a worker takes seconds to start on a busy machine."""


@pytest.fixture
def enter(estate, page: Page):
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)

    def enter(user: str, path: str = "/") -> Page:
        page.goto(estate.url + path)
        page.get_by_label("User").fill(user)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("button", name="Log out").wait_for()
        return page

    return enter


def asked(page: Page, action: str) -> None:
    """Press it, and say yes to the one sentence."""
    page.get_by_role("button", name=action, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def state(page: Page):
    return page.get_by_test_id("run-state")


def picture(page: Page, file: Path) -> None:
    """The top of the page, in a format that is small enough for the docs."""
    asked = {"format": "webp", "quality": 85, "captureBeyondViewport": True, "clip": TOP}
    shot = page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    file.write_bytes(base64.b64decode(shot["data"]))


def workers(page: Page):
    return page.locator("tr[data-role=worker]")


def test_an_operator_launches_turns_pauses_resumes_mends_and_retries(estate, enter):
    estate.behave(SLOW)
    page = enter("ada", "/launch")
    page.get_by_label("Workers").fill("1")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url(re.compile("/runs/telco-"))
    run = page.url.rpartition("/")[2]
    expect(state(page)).to_contain_text("running")
    expect(workers(page)).to_have_count(1)

    page.get_by_role("button", name="one worker more").click()
    expect(workers(page)).to_have_count(2)
    expect(page.get_by_label("Workers", exact=True)).to_have_value("2")
    expect(page.get_by_role("region", name="events")).to_contain_text(re.compile("by ada, command set, .*workers 2"))

    asked(page, "Pause")
    expect(state(page)).to_contain_text("paused")
    expect(workers(page)).to_have_count(0)
    done = estate.http.get(f"/api/v1/runs/{run}").json()["counters"]["done"]
    expect(page.get_by_test_id("count-done")).to_have_text(str(done))
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(state(page)).to_contain_text("running")

    estate.behave({})
    expect(state(page)).to_contain_text("completed with exceptions")
    expect(page.get_by_test_id("percent")).to_have_text("100.0%")

    key = estate.spoiled("unreadable_msisdn")
    page.goto(f"{estate.url}/quarantine?run={run}&key={key}")
    page.get_by_role("button", name=key, exact=True).click()
    expect(page.get_by_label("Stack trace")).to_contain_text("inventory.service.py:18 in transform")

    long = estate.spoiled("name_too_long")
    estate.legacy("UPDATE customers SET company_name = 'Short Ltd' WHERE customer_id = ?", int(long))
    page.goto(f"{estate.url}/quarantine?run={run}&key={long}")
    page.get_by_label(f"choose {long}").check()
    page.get_by_role("button", name="Try 1 chosen again").click()
    page.get_by_role("dialog").get_by_role("button", name="Try again").click()
    expect(page.get_by_text("They are tried again")).to_be_visible()
    page.goto(f"{estate.url}/units/telco/{long}")
    expect(page.get_by_test_id("unit-state")).to_contain_text("done")


def test_a_viewer_finds_no_control(estate, enter):
    run = estate.http.get("/api/v1/runs").json()["items"][0]["id"]
    page = enter("vic", f"/runs/{run}")
    expect(state(page)).to_be_visible()
    for name in ("Resume", "Pause", "Stop", "Stop now", "one worker more"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Launch")).to_have_count(0)
    page.goto(f"{estate.url}/quarantine?run={run}")
    expect(page.get_by_role("region", name="units set aside")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("again"))).to_have_count(0)
    page.goto(f"{estate.url}/launch")
    expect(page.get_by_text("needs the role operator")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out_of_a_page(estate, enter, page, scheme):
    """axe finds nothing on any page; each is kept as a picture where $LUDB_SCREENSHOTS names a folder."""
    page.emulate_media(color_scheme=scheme)
    run = estate.http.get("/api/v1/runs").json()["items"][0]["id"]
    key = estate.spoiled("unreadable_msisdn")
    enter("ada")
    pages = {
        "overview": "/", "run": f"/runs/{run}", "run-workers": f"/runs/{run}?tab=workers",
        "run-systems": f"/runs/{run}?tab=systems", "run-quarantine": f"/runs/{run}?tab=quarantine",
        "run-events": f"/runs/{run}?tab=events", "run-settings": f"/runs/{run}?tab=settings", "job": "/jobs/telco",
        "calls": "/calls", "compare": f"/runs/{run}/compare/{run}?all=1", "quarantine": f"/quarantine?run={run}&unit={key}",
        "unit": f"/units/telco/{key}", "launch": "/launch",
    }  # fmt: skip
    for name, path in pages.items():
        page.goto(estate.url + path)
        expect(page.get_by_role("main").locator("h1")).to_be_visible()
        expect(page.get_by_label("loading")).to_have_count(0)
        if os.environ.get("LUDB_SCREENSHOTS"):
            page.screenshot(path=Path(os.environ["LUDB_SCREENSHOTS"]) / f"{name}-{scheme}.png", full_page=True)
        if os.environ.get("LUDB_PICTURES") and (name, scheme) in PICTURES:
            picture(page, Path(os.environ["LUDB_PICTURES"]) / f"{PICTURES[name, scheme]}.webp")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(said => said.violations.map(one => `${one.id}: ${one.nodes[0].html}`))")
        assert found == [], name
        page.set_viewport_size({"width": 380, "height": 800})
        assert page.evaluate(FITS), f"{name} is wider than a telephone"
        page.set_viewport_size({"width": 1280, "height": 800})
