"""The pages around a run, as an admin and others see them: who may, what starts by itself, what was done, and the wall."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .looks import ADMIN, WALL, arrived, looked_at

SMALLEST = """Math.min(...[...document.querySelectorAll('main *')].filter(one => one.children.length === 0 &&
    one.textContent.trim() && one.getClientRects().length)
    .map(one => parseFloat(getComputedStyle(one).fontSize))) / innerHeight"""
"""The smallest letters of the page, as a share of the screen's height."""
FOCUSED = """(one => one === document.body || /INPUT|SELECT|TEXTAREA/.test(one.tagName) ||
    getComputedStyle(one).outlineStyle !== 'none' ? '' : one.outerHTML.slice(0, 120))(document.activeElement)"""
"""What has the keyboard and no ring around it; fields have a border of their own."""


@pytest.fixture(scope="module")
def run(estate) -> str:
    """A run that is over: of a few units."""
    return estate.over(estate.launched(selection={"limit": 40}))


def test_an_admin_makes_a_user_who_can_log_in_once_with_what_was_shown(estate, enter):
    page = enter("admin", "/users")
    page.get_by_role("textbox", name="New user").fill("nina")
    page.get_by_role("button", name="Add user").click()
    secret = page.get_by_test_id("secret").inner_text()
    page.get_by_label("role of nina").select_option("operator")
    expect(page.get_by_label("role of nina")).to_have_value("operator")
    page.goto(f"{estate.url}/audit?action=user.change")
    expect(page.get_by_role("region", name="audit")).to_contain_text(re.compile("nina.*role viewer → operator"))
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("User").fill("nina")
    page.get_by_label("Password").fill(secret)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Choose a password")).to_be_visible()


def test_a_token_works_until_it_is_revoked(estate, enter, playwright):
    page = enter("admin", "/users")
    page.get_by_role("textbox", name="New token").fill("airflow")
    page.get_by_role("button", name="Make token").click()
    secret = page.get_by_test_id("secret").inner_text()
    program = playwright.request.new_context(extra_http_headers={"Authorization": f"Bearer {secret}"})
    assert program.get(f"{estate.url}/info").status == 200
    page.get_by_role("button", name="revoke airflow").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("region", name="tokens")).to_contain_text("revoked")
    assert program.get(f"{estate.url}/info").status == 401
    program.dispose()


def test_what_a_schedule_will_do_is_shown_before_it_is_kept_and_is_what_the_server_says(estate, enter):
    page = enter("admin", "/schedules")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_label("Name").fill("wave")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    spec = page.get_by_label("Minute hour day month weekday")
    spec.fill("99 * * * *")
    expect(page.get_by_label("next firings")).to_contain_text("no cron expression")
    spec.fill("30 2 * * 0")
    expect(page.get_by_label("next firings").locator("li")).to_have_count(5)
    first = page.get_by_label("next firings").locator("li").first.inner_text()
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.get_by_role("row", name=re.compile("wave"))
    expect(row).to_contain_text(first.rpartition(" · ")[2])
    row.get_by_role("button", name="switch off wave").click()
    expect(row).to_contain_text("switched off")
    row.get_by_role("button", name="remove wave").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_a_webhook_s_address_and_secret_are_shown_once_and_open_the_door_until_there_is_another(
    estate, enter, playwright
):
    page = enter("admin", "/schedules")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_label("Name").fill("from outside")
    page.get_by_label("Kind").select_option("webhook")
    page.get_by_role("button", name="Add", exact=True).click()
    secret = page.get_by_test_id("secret").inner_text()
    address = re.search(r"POST (\S+/fire)", page.get_by_role("alert").inner_text())[1]
    row = page.get_by_role("row", name=re.compile("from outside"))
    row.get_by_role("button", name="switch off from outside").click()
    expect(row).to_contain_text("switched off")
    program = playwright.request.new_context()
    fire = lambda token: program.post(address, headers={"X-Ludb-Token": token}).status  # noqa: E731
    assert (fire(secret), fire("another")) == (409, 401), "known, but switched off; unknown"
    row.get_by_role("button", name="another secret for from outside").click()
    page.get_by_role("dialog").get_by_role("button", name="Make it").click()
    expect(page.get_by_test_id("secret")).not_to_have_text(secret)
    assert (fire(secret), fire(page.get_by_test_id("secret").inner_text())) == (401, 409)
    program.dispose()
    page.reload()
    expect(row).to_be_visible()
    expect(page.get_by_test_id("secret")).to_have_count(0)


def test_a_schedule_by_file_is_added_and_changed(enter):
    page = enter("admin", "/schedules")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_label("Name").fill("inbox")
    page.get_by_label("Kind").select_option("file")
    page.get_by_label("File name, * for any part").fill("/data/inbox/customers-*.csv")
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.get_by_role("row", name=re.compile("inbox"))
    expect(row).to_contain_text("/data/inbox/customers-*.csv")
    row.get_by_role("button", name="edit inbox").click()
    page.get_by_label("File name, * for any part").fill("/data/inbox/*.parquet")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("/data/inbox/*.parquet")


def test_two_runs_of_the_history_lead_to_their_comparison_and_filters_stand_in_the_address(estate, enter, run):
    page = enter("vic", "/history")
    page.get_by_label("Who").fill("nobody-like-this")
    expect(page.get_by_text(re.compile("No run matches"))).to_be_visible()
    page.reload()
    expect(page.get_by_label("Who")).to_have_value("nobody-like-this")
    page.get_by_role("button", name="All runs").click()
    page.get_by_label(f"compare {run}").click()
    expect(page.get_by_label(f"compare {run}")).to_be_checked()
    expect(page).to_have_url(re.compile(f"pick={run}"))


def test_keys_go_to_pages_and_find_a_unit(estate, enter):
    page = enter("vic")
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog")
    expect(keys).to_contain_text("Quarantine")
    expect(keys).not_to_contain_text("Users")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    page.keyboard.press("/")
    page.get_by_label("Unit key").fill("1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/units/telco/1$"))


def test_where_the_keyboard_is_is_seen(enter, run):
    page = enter("vic", f"/runs/{run}")
    expect(page.get_by_test_id("percent")).to_be_visible()
    unseen = []
    for _ in range(24):
        page.keyboard.press("Tab")
        told = page.evaluate(FOCUSED)
        unseen += [told] if told else []
    assert unseen == []


def test_a_viewer_is_offered_nothing_that_is_not_theirs(estate, enter):
    page = enter("vic", "/schedules")
    expect(page.get_by_role("heading", name="Schedules")).to_be_visible()
    expect(page.get_by_role("button", name="New schedule")).to_have_count(0)
    for name in ("Users", "Audit", "Launch"):
        expect(page.get_by_role("link", name=name)).to_have_count(0)
    page.goto(f"{estate.url}/users")
    expect(page.get_by_text("needs the role admin")).to_be_visible()
    page.goto(f"{estate.url}/settings")
    expect(page.get_by_role("heading", name="This server")).to_be_visible()
    expect(page.get_by_text("Retention")).to_have_count(0)


def test_the_wall_is_read_from_five_metres_and_offers_nothing(estate, enter, run):
    page = enter("vic")
    page.set_viewport_size(WALL)
    page.goto(f"{estate.url}/runs/{run}/wall")
    expect(page.get_by_test_id("percent")).to_have_text("100.0%")
    assert page.evaluate(SMALLEST) >= 0.03
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    expect(page.get_by_role("button")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(f"/runs/{run}$"))


def test_nobody_is_shut_out_of_the_pages_around(estate, enter, run):
    page = enter("admin")
    for path, name in ADMIN.items():
        arrived(page, estate.url + path.format(run=run))
        looked_at(page, name)


@pytest.mark.parametrize("path", ["history", "audit", "calls"])
def test_what_is_typed_quickly_into_a_filter_stands_there_whole(enter, run, path):
    """The filter stands in the address, which a slow machine changes later than one types."""
    page = enter("admin", f"/{path}")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    fields = page.get_by_role("main").locator("input[type=text]:visible, input[type=search]:visible")
    fields.first.wait_for()
    for field in fields.all():
        field.click()
        field.press_sequentially("administrator")
        expect(field).to_have_value("administrator", timeout=5_000)
