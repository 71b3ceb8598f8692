"""A cutover as an operator sees it: one run, from the launch to the last unit tried again."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .conftest import SLOW
from .looks import OPERATOR, TELEPHONE, arrived, looked_at


def asked(page: Page, action: str) -> None:
    """Press it, and say yes to the one sentence."""
    page.get_by_role("button", name=action, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def state(page: Page):
    return page.get_by_test_id("run-state")


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
    expect(page.get_by_role("region", name="events")).to_contain_text(re.compile("set workers 2, by ada: done"))

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

    expect(page).to_have_title("100.0% telco · completed with exceptions · ludb")
    expect(page.get_by_role("alert").filter(has_text="12 units are set aside")).to_contain_text("try them again")
    page.get_by_role("link", name="open quarantine").click()
    expect(page).to_have_url(re.compile(f"/quarantine.run={run}$"))

    key = estate.spoiled("unreadable_msisdn")
    page.goto(f"{estate.url}/quarantine?run={run}&key={key}")
    page.get_by_role("button", name=key, exact=True).click()
    expect(page.get_by_label("Stack trace")).to_contain_text("inventory.service.py:18 in transform")

    page.goto(f"{estate.url}/quarantine?run={run}")
    page.get_by_label("Error contains").fill("NO contact")
    page.get_by_label("Error contains").press("Enter")
    expect(page).to_have_url(re.compile("error=NO"))
    expect(page.get_by_role("region", name="reasons").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("region", name="units set aside").get_by_role("row")).to_have_count(2)
    page.get_by_label("Set aside", exact=True).select_option("1h")
    expect(page).to_have_url(re.compile("since=1h"))
    expect(page.get_by_role("button", name="Try the 1 shown again")).to_be_visible()
    expect(page.get_by_role("region", name="units set aside").get_by_role("row")).to_have_count(2)

    long = estate.spoiled("name_too_long")
    estate.legacy("UPDATE customers SET company_name = 'Short Ltd' WHERE customer_id = ?", int(long))
    page.goto(f"{estate.url}/quarantine?run={run}&key={long}")
    page.get_by_label(f"choose {long}").check()
    page.get_by_role("button", name="Try 1 chosen again").click()
    page.get_by_role("dialog").get_by_role("button", name="Try again").click()
    expect(page.get_by_text("They are tried again")).to_be_visible()
    page.goto(f"{estate.url}/units/telco/{long}")
    expect(page.get_by_test_id("unit-state")).to_contain_text("done")
    life = page.get_by_role("list", name=re.compile("^life in"))
    expect(life).to_contain_text(
        re.compile("quarantined in .*retried by .*claimed by .*decided for billing.*done at all targets")
    )
    page.goto(f"{estate.url}/units/telco/{key}")
    page.get_by_role("button", name="Try it again").click()
    page.get_by_role("dialog").get_by_role("button", name="Try again").click()
    expect(life).to_contain_text(re.compile("quarantined in .*retried by .*claimed by .*quarantined in"))

    page.goto(f"{estate.url}/runs/{run}?tab=systems")
    expect(page.get_by_text("2xx, taken").first).to_be_visible()
    expect(page.get_by_text("calls, by outcome").first).to_be_visible()
    page.get_by_role("link", name="rejected").first.click()
    expect(page.get_by_role("region", name="calls").locator("tbody tr")).to_have_count(1)
    page.go_back()
    page.get_by_role("link", name="crm over time").click()
    expect(page).to_have_url(re.compile(f"system=telco%2Fcrm&run={run}"))
    page.goto(f"{estate.url}/runs/{run}?tab=events&level=warning")
    log = page.get_by_role("region", name="log")
    expect(log).to_contain_text(re.compile(r"unit \d+, rules/10_customer/has_contact.sql: the customer has no contact"))
    expect(log).not_to_contain_text("chunk.finished")


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


def test_on_a_telephone_the_units_of_a_reason_and_the_one_that_is_opened_come_into_view(estate, enter):
    run = estate.http.get("/api/v1/runs").json()["items"][0]["id"]
    key = estate.spoiled("unreadable_msisdn")
    page = enter("vic", f"/runs/{run}")
    more = page.get_by_role("link", name="1 more reason: 1 unit")
    expect(more).to_have_attribute("href", f"/runs/{run}?tab=quarantine")
    page.set_viewport_size(TELEPHONE)
    page.goto(f"{estate.url}/quarantine?run={run}")
    units = page.get_by_role("region", name="units set aside")
    expect(units.get_by_role("row")).to_have_count(12)
    expect(units).not_to_be_in_viewport()
    page.get_by_role("region", name="reasons").get_by_role("button", name=re.compile("UnreadableError")).click()
    expect(units).to_be_in_viewport()
    units.get_by_role("button", name=key, exact=True).click()
    expect(page.get_by_role("heading", name=f"Unit {key}")).to_be_in_viewport()


def test_nobody_is_shut_out_of_a_page(estate, enter):
    run = estate.http.get("/api/v1/runs").json()["items"][0]["id"]
    names = {"run": run, "key": estate.spoiled("unreadable_msisdn"), "moved": estate.moved()}
    page = enter("ada")
    for path, name in OPERATOR.items():
        arrived(page, estate.url + path.format(**names))
        looked_at(page, name)
