"""A cutover by somebody who has no mouse: launch, pause, try a unit again, log out; what opens over a page, as axe finds it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .conftest import PASSWORD, SLOW
from .looks import AXE, DESK, TELEPHONE, VIOLATIONS

HERE = """(one => ({
    name: one.getAttribute('aria-label') || (one.labels?.[0]?.innerText ?? one.innerText ?? '').split('\\n')[0].trim(),
    field: /INPUT|SELECT|TEXTAREA/.test(one.tagName),
    seen: one === document.body || getComputedStyle(one.closest('.MuiCheckbox-root') ?? one).outlineStyle !== 'none',
    inside: one.closest('[role=dialog]') !== null}))(document.activeElement)"""
"""What has the keyboard: its name, whether a ring is seen around it, whether it is in a dialog."""
MOST = 150
"""Steps of the longest page, from its beginning to what is looked for."""


@pytest.fixture
def to(patient: Page) -> Callable[[str], None]:
    """Goes to what has this name by Tab alone; everything on the way is seen to have the keyboard."""

    def to(name: str) -> None:
        for _ in range(MOST):
            here = patient.evaluate(HERE)
            assert here["seen"] or here["field"] or here["name"] == "" or here["inside"], (
                f"nobody sees where it is: {here}"
            )
            if re.fullmatch(name, here["name"]):
                return
            patient.keyboard.press("Tab")
        raise AssertionError(f"Tab does not come to {name}")

    return to


def afresh(page: Page) -> None:
    """From the page's beginning, as after it was loaded."""
    page.evaluate("document.activeElement.blur()")


def test_a_cutover_needs_no_mouse(estate, patient: Page, to):
    page, keys = patient, patient.keyboard
    estate.behave(SLOW)
    page.goto(estate.url)
    page.get_by_role("button", name="Log in").wait_for()
    to("User.*")
    keys.type("ada")
    to("Password.*")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.get_by_role("button", name="Log out").wait_for()

    keys.press("g")
    keys.press("l")
    page.get_by_role("button", name="Launch", exact=True).wait_for()
    to("At most so many units")
    keys.type("120")
    to("Launch")
    keys.press("Enter")
    page.wait_for_url(re.compile("/runs/telco-"))
    expect(page.get_by_test_id("run-state")).to_contain_text("running")

    to("Pause")
    keys.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Pause")).to_be_focused()
    for _ in range(4):
        keys.press("Tab")
        assert page.evaluate(HERE)["inside"], "Tab leaves the question before it is answered"
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_focused()
    keys.press("Enter")
    dialog.wait_for()
    keys.press("Enter")
    expect(page.get_by_test_id("run-state")).to_contain_text("paused")
    estate.behave({})
    afresh(page)
    to("Resume")
    keys.press("Enter")
    expect(page.get_by_test_id("run-state")).to_contain_text("completed with exceptions")

    afresh(page)
    keys.press("g")
    keys.press("q")
    reasons = page.get_by_role("region", name="reasons")
    reasons.wait_for()
    to(reasons.get_by_role("button").first.inner_text().replace("(", r"\(").replace(")", r"\)"))
    keys.press("Enter")
    page.get_by_role("region", name="units set aside").wait_for()
    to(r"choose \d+")
    keys.press("Space")
    afresh(page)
    to("Try 1 chosen again")
    keys.press("Enter")
    page.get_by_role("dialog").wait_for()
    keys.press("Enter")
    expect(page.get_by_text("They are tried again")).to_be_visible()

    afresh(page)
    to("Log out")
    keys.press("Enter")
    page.get_by_role("button", name="Log in").wait_for()


def test_what_opens_over_a_page_shuts_nobody_out(enter):
    page = enter("admin")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.set_viewport_size(TELEPHONE)
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("menuitem", name="Quarantine").wait_for()
    unfound(page, "menu")
    page.set_viewport_size(DESK)
    for key, name in (("/", "find"), ("?", "keys")):
        page.keyboard.press(key)
        page.get_by_role("dialog").wait_for()
        unfound(page, name)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def unfound(page: Page, name: str) -> None:
    """axe finds nothing, light and dark; a menu that is closed by `Escape` leaves the keyboard where it was."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(VIOLATIONS)
        assert found == [], f"{name}, {scheme}: {found}"
    if name == "menu":
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Menu")).to_be_focused()
