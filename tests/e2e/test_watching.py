"""What watches over a run: systems in depth, alerts with rules and channels, windows; what the run's page says of them."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from .conftest import SLOW
from .looks import EDITOR, arrived, looked_at


@pytest.fixture(scope="module")
def run(estate) -> str:
    """A run that goes on for as long as these tests: its calls are slow, and paced."""
    estate.user("edi", "editor")
    estate.behave(SLOW)
    made = estate.launched()
    assert estate.http.patch(f"/api/v1/runs/{made}/settings", json={"settings": {"crm.pace": "2/s"}}).status_code == 202
    return made


@pytest.fixture
def hook() -> Iterator[SimpleNamespace]:
    """Somebody's webhook on this host, and what came there."""
    got: list[dict] = []

    class Listening(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/hook", got=got)
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_pace_of_a_system_is_turned_where_its_lines_are_seen(estate, enter, run):
    page = enter("ada", "/systems")
    row = page.get_by_role("region", name="systems", exact=True).get_by_role("row", name=re.compile("^crm"))
    expect(row).to_contain_text("reachable")
    expect(row).to_contain_text("at most 2/s")
    row.get_by_role("link", name="crm").click()
    expect(page).to_have_url(re.compile("system=telco%2Fcrm"))
    expect(page.get_by_text("CRM_URL")).to_be_visible()
    pace = page.get_by_label("Pace of crm")
    pace.fill("3/s")
    pace.press("Enter")
    expect(row).to_contain_text("at most 3/s")
    expect(page.get_by_text(re.compile("crm.pace 3/s, ada")).first).to_be_visible()
    expect(page.get_by_role("region", name="runs that used it")).to_contain_text(run)


def test_a_viewer_sees_systems_and_rules_and_turns_nothing(estate, enter, run):
    page = enter("vic", "/systems?system=telco/crm")
    expect(page.get_by_role("heading", name="crm of telco")).to_be_visible()
    expect(page.get_by_role("heading", name="Over time")).to_be_visible()
    expect(page.get_by_label("Pace of crm")).to_have_count(0)
    page.goto(f"{estate.url}/alerts?tab=rules")
    expect(page.get_by_role("region", name="rules")).to_contain_text("92% of the memory")
    expect(page.get_by_role("button", name=re.compile("edit|switch"))).to_have_count(0)
    page.goto(f"{estate.url}/alerts?tab=channels")
    expect(page.get_by_text("seen and changed by editors")).to_be_visible()
    page.goto(f"{estate.url}/schedules")
    expect(page.get_by_role("heading", name="When runs may work")).to_be_visible()
    expect(page.get_by_role("button", name="New window")).to_have_count(0)


def test_an_editor_sets_a_threshold_and_an_operator_takes_care_with_a_note(estate, enter, run):
    page = enter("edi", "/alerts?tab=rules")
    page.get_by_role("button", name="edit memory").click()
    page.get_by_label("% of the memory").fill("1")
    page.get_by_label("Severity").select_option("warning")
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("region", name="rules").get_by_role("row", name=re.compile("^memory"))
    expect(row).to_contain_text("1% of the memory")
    expect(row).to_contain_text("warning")

    page = enter("ada", "/alerts?which=open&rule=memory")
    page.get_by_role("button", name="I take care").click()
    page.get_by_label("Note for the others").fill("the host gets more on Monday")
    page.get_by_role("dialog").get_by_role("button", name="I take care").click()
    expect(page.get_by_text("No alert matches")).to_be_visible()
    page.get_by_label("Which").select_option("taken")
    alerts = page.get_by_role("region", name="alerts")
    expect(alerts).to_contain_text("the host gets more on Monday")
    page.reload()
    expect(page.get_by_label("Which")).to_have_value("taken")
    expect(alerts).to_contain_text("ada")
    page.goto(estate.url)
    expect(page.get_by_label("alerts")).to_contain_text("ada takes care: “the host gets more on Monday”")
    expect(page.get_by_role("list", name="systems")).to_contain_text("✓ crm")
    page.goto(f"{estate.url}/runs/{run}")
    page.get_by_role("link", name=re.compile("^[12] alerts?$")).click()
    expect(page).to_have_url(re.compile(f"alerts.run={run}"))
    expect(alerts).to_contain_text("the host gets more on Monday")


def test_a_channel_is_tried_before_the_night_it_is_needed_in(enter, hook):
    page = enter("edi", "/alerts?tab=channels")
    page.get_by_role("button", name="New channel").click()
    page.get_by_label("Name").fill("night shift")
    page.get_by_label("Address").fill(hook.url)
    page.get_by_label("Secret that signs it").fill("s3cret")
    page.get_by_role("button", name="Add", exact=True).click()
    assert not page.get_by_label("Secret that signs it").evaluate("field => field.validity.valid")
    page.get_by_label("Secret that signs it").fill("")
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.get_by_role("row", name=re.compile("night shift"))
    row.get_by_role("button", name="Send a test by night shift").click()
    expect(page.get_by_text("night shift works")).to_be_visible()
    assert [(one["rule"], "edi" in one["text"]) for one in hook.got] == [("try", True)]
    row.get_by_role("button", name="switch off night shift").click()
    expect(row).to_contain_text("off")
    row.get_by_role("button", name="remove night shift").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_a_run_waits_for_its_window_and_says_so_and_goes_on_without_it(estate, enter, run):
    page = enter("edi", "/schedules")
    page.get_by_role("button", name="New window").click()
    page.get_by_label("Name").fill("later")
    page.get_by_label("Time zone").fill("UTC")
    begin, end = (time.strftime("%H:00", time.gmtime(time.time() + hours * 3600)) for hours in (3, 5))
    page.get_by_label("Opens").fill(begin)
    page.get_by_label(re.compile("^Closes")).fill(end)
    expect(page.get_by_label("open next").locator("li")).to_have_count(3)
    expect(page.get_by_label("open next")).to_contain_text(f"{begin}:00 UTC for 2 h 00 m")
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.get_by_role("row", name=re.compile("later"))
    expect(row).to_contain_text(re.compile(f"{begin} . {end}, every day"))
    expect(row).to_contain_text(re.compile(f"shut until .*{begin}:00"))
    page.goto(f"{estate.url}/launch")
    expect(page.get_by_text(re.compile(f"are shut until .*{begin}:00"))).to_be_visible()
    page.goto(f"{estate.url}/runs/{run}")
    expect(page.get_by_test_id("run-state")).to_contain_text("paused")
    expect(
        page.get_by_text(re.compile("outside its window .later.*It goes on by itself when its window opens"))
    ).to_be_visible()
    page.get_by_role("link", name=re.compile(f"window opens at {begin}")).click()
    row.get_by_role("button", name="switch off later").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    expect(row).to_contain_text("off")
    page.goto(f"{estate.url}/runs/{run}")
    expect(page.get_by_test_id("run-state")).to_contain_text("running")
    page.goto(f"{estate.url}/schedules")
    row.get_by_role("button", name="remove later").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_a_run_says_how_many_chunks_are_in_flight_before_it_is_stopped(estate, enter, run):
    page = enter("ada", f"/runs/{run}")
    expect(page.locator("tr[data-role=worker]").get_by_role("link")).to_have_count(1)
    page.get_by_role("button", name="Stop now", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("1 chunk is in flight: what is not decided is given back")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    slider = page.get_by_role("slider", name="workers, by hand")
    slider.press("ArrowRight")
    expect(page.get_by_label("Workers", exact=True)).to_have_value("2")
    page.get_by_role("button", name="last 10 minutes").click()
    expect(page).to_have_url(re.compile("span=10m"))


def test_nobody_is_shut_out_of_what_watches(estate, enter, run):
    page = enter("edi")
    for path, (name, opens) in EDITOR.items():
        arrived(page, estate.url + path.format(run=run))
        looked_at(page, name)
        if opens:
            page.get_by_role("button", name=opens, exact=True).click()
            page.get_by_role("dialog").locator(".MuiDialogActions-root .MuiButton-contained:enabled").wait_for()
            looked_at(page, f"{name}-dialog")


def test_a_run_that_is_stopped_now_gives_its_chunk_back_and_loses_nobody(estate, enter, run):
    page = enter("ada", f"/runs/{run}")
    expect(page.locator("tr[data-role=worker]").first).to_be_visible()
    page.get_by_role("button", name="Stop now", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Stop now", exact=True).click()
    expect(page.get_by_test_id("run-state")).to_contain_text("stopped")
    expect(page.locator("tr[data-role=worker]")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop now", exact=True)).to_have_count(0)
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    told = estate.http.get(f"/api/v1/runs/{run}").json()
    assert told["counters"]["committing"] == 0
    assert (told["state"], told["counters"]["pending"] > 0) == ("stopped", True)
    assert estate.http.get(f"/api/v1/runs/{run}/audit").json()["agrees"] is True
    asked = estate.http.get(f"/api/v1/runs/{run}/commands").json()[0]
    assert (asked["name"], asked["arguments"], asked["by"]) == ("stop", {"now": True}, "ada")
    expect(page.get_by_test_id("count-pending")).to_have_text(f"{told['counters']['pending']:,}")
