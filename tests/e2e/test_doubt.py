"""A call that nobody but a person can settle, settled on the page: an API that answers 500 and cannot be asked."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from .conftest import PASSWORD, begun, httpx2, logged_in

JOB = """
name: shop
systems:
  legacy: {type: sqlite, url: legacy.sqlite}
  crm:    {type: rest, url: "%s", max_delay: 0, retry_for: 1s}
unit: {root: legacy.customers, key: id}
outputs:
  crm.customer: {call: POST /customer, row: [unit_key], undo: "DELETE /customer/{id}"}
settings: {retry: {base: 10ms, cap: 50ms}}
"""


class Api(BaseHTTPRequestHandler):
    """Takes every document but Bo's, whose fate it does not tell."""

    def do_POST(self):
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["name"]
        body = json.dumps({"id": f"c-{name}"}).encode()
        self.send_response(500 if name == "Bo" else 201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[tuple[str, httpx2.Client]]:
    """A server whose one run has left a call in doubt; its address, and an admin's door to it."""
    folder = tmp_path_factory.mktemp("shop")
    with closing(sqlite3.connect(folder / "legacy.sqlite")) as legacy:
        legacy.executescript("create table customers (id integer primary key, name text);"
                             "insert into customers values (1, 'Ann'), (2, 'Bo')")  # fmt: skip
    (folder / "job/steps/10").mkdir(parents=True)
    (folder / "job/steps/10/crm.customer.sql").write_text("select unit_key, name from legacy.customers")
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as api:
        (folder / "job/job.yaml").write_text(
            (JOB % f"http://127.0.0.1:{api.server_address[1]}").replace(
                "url: legacy.sqlite", f"url: {folder / 'legacy.sqlite'}"
            )
        )
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        state = str(folder / "state")
        server, said = begun(
            ["-m", "ludb", "serve", "job", "--port", "0", "--state", state], "serving ", "stderr", cwd=folder
        )
        url = re.search(r"serving (\S+)", said)[1]
        with logged_in(url, said) as http:
            task = http.post("/api/v1/runs", json={"job": "shop", "workers": 1}).json()
            while task["state"] in {"waiting", "running"}:
                task = http.get(f"/api/v1/tasks/{task['id']}").json()
            run = task["run"] or task["outcome"]["run"]
            while http.get(f"/api/v1/runs/{run}").json()["state"] in {"planned", "running"}:
                http.get(f"/api/v1/runs/{run}/progress")
            yield url, http
        server.terminate()
        server.wait()
        server.stderr.close()
        api.shutdown()
        thread.join()


def test_a_person_says_what_became_of_a_call_and_the_page_the_unit_and_the_audit_know_it(shop, patient: Page):
    url, http = shop
    page = patient
    page.goto(f"{url}/calls?state=in_doubt")
    page.get_by_label("User").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="POST crm.customer").click()
    resolve = page.get_by_role("button", name="Resolve", exact=True)
    expect(resolve).to_be_disabled()
    page.get_by_label("It is there (done)").check()
    page.get_by_label("How you know").fill("seen in the list of customers")
    resolve.click()
    expect(page.get_by_role("alert")).to_contain_text("--returns id=")
    page.get_by_label("Its name there (id)").fill("c-Bo")
    resolve.click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("is done, by your word.*pending again"))
    expect(page.get_by_text("No call matches.")).to_be_visible()
    (unit,) = http.get("/api/v1/units/shop/2").json()["items"]
    assert [one["state"] for one in unit["calls"]] == ["done"]
    page.goto(f"{url}/audit?action=call.resolve")
    expect(page.get_by_role("region", name="audit")).to_contain_text("admin")
