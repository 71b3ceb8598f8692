"""What a page does when the ground moves: a run that is stopped and goes on, a server that is gone and comes back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import SLOW


@pytest.fixture(scope="module")
def run(estate) -> str:
    """A run that takes its time."""
    estate.behave(SLOW)
    return estate.launched()


@pytest.fixture
def over(estate, run) -> str:
    """The run, once it has nothing left to do."""
    estate.behave({})
    return estate.over(run)


def done(page: Page) -> int:
    return int(page.get_by_test_id("count-done").inner_text().replace(",", ""))


def test_a_stopped_run_goes_on_where_it_was(estate, run, enter):
    page = enter("ada", f"/runs/{run}")
    expect(page.get_by_test_id("count-done")).not_to_have_text("0")
    page.get_by_role("button", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile("chunks? (is|are) in flight.*can be resumed later"))
    dialog.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_test_id("run-state")).to_contain_text("stopped")
    expect(page.locator("tr[data-role=worker]")).to_have_count(0)
    kept = estate.http.get(f"/api/v1/runs/{run}").json()["counters"]["done"]
    expect(page.get_by_test_id("count-done")).to_have_text(str(kept))
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_test_id("run-state")).to_contain_text("running")
    expect(page.locator("tr[data-role=worker]").first).to_be_visible()
    assert done(page) >= kept


def test_the_page_comes_back_by_itself_when_the_server_does(estate, run, enter):
    page = enter("ada", f"/runs/{run}")
    expect(page.get_by_test_id("run-state")).to_contain_text("running")
    before = done(page)
    page.route("**/stream?*", lambda asked: asked.fulfill(status=502))
    with page.expect_response(lambda answer: answer.status == 502):  # what a proxy says, after which browsers give up
        estate.ended()
    expect(page.get_by_text("the run goes on without it")).to_be_visible()
    expect(page.get_by_text("○ polling")).to_be_visible()
    page.unroute("**/stream?*")
    estate.again()
    expect(page.get_by_text("● live")).to_be_visible()
    expect(page.get_by_text("the run goes on without it")).to_have_count(0)
    estate.behave({})
    expect(page.get_by_test_id("run-state")).to_contain_text(re.compile("completed"))
    expect(page.get_by_test_id("percent")).to_have_text("100.0%")
    assert done(page) > before


def test_a_cell_that_stands_otherwise_at_the_target_is_marked_and_rows_answer_questions(estate, over, enter):
    key = "1003"
    estate.billing("UPDATE account SET name = 'Eve' WHERE legacy_id = ?", key)
    page = enter("ada", f"/units/telco/{key}")
    page.get_by_role("button", name="Compare with the targets").click()
    expect(page.get_by_text("≠ At the targets: 1 cell differs")).to_be_visible()
    expect(page.get_by_role("region", name="rows of billing.account")).to_contain_text("≠ Eve")
    page.get_by_label("Query").fill("SELECT count(*) AS n, 'told' AS word FROM customers")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("region", name="rows of the answer")).to_contain_text("told")


def test_a_job_says_where_a_column_comes_from_and_calls_are_found_by_their_state(estate, over, enter):
    page = enter("ada", "/jobs/telco")
    page.get_by_label("Column or table").fill("credit_limit")
    expect(page.get_by_role("region", name="columns of billing.account")).to_contain_text(
        "legacy.customers.credit_limit"
    )
    page.get_by_role("button", name="billing.account.sql").click()
    expect(page.get_by_role("region", name="steps/20_account/billing.account.sql")).to_contain_text("SELECT")
    page.goto(f"{estate.url}/calls")
    page.get_by_label("State").select_option("rejected")
    expect(page).to_have_url(re.compile("state=rejected"))
    page.get_by_role("region", name="calls").get_by_role("button").first.click()
    expect(page.get_by_role("region", name="Answer")).to_contain_text("400")
