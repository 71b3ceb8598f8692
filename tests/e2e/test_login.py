"""Logging in by an identity provider, in a browser: the npm package `oidc-provider` on loopback, a server without a job."""

from __future__ import annotations

import fcntl
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import ROOT, begun

PROVIDER = ROOT / "tests" / "server" / "oidc"
SETTINGS = """issuer = "{issuer}"
client_id = "ludb"
client_secret_file = "secret"
role_claim = "groups"
label = "Log in with Example"
[roles]
ludb-editors = "editor"
"""


def free_port() -> int:
    """A port that nobody has: the provider must know where its people come back to before the server starts."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[str]:
    """The address of a server whose people come from the provider."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("NOT TESTED: Node is not installed, so nobody logs in by a real provider")
    with (PROVIDER / ".gitignore").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not (PROVIDER / "node_modules/.package-lock.json").is_file():
            subprocess.run([npm, "ci", "--silent"], cwd=PROVIDER, check=True, capture_output=True)
    folder: Path = tmp_path_factory.mktemp("login")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = ["node", str(PROVIDER / "provider.mjs"), f"{base}/api/v1/session/oidc/callback", f"{base}/"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as provider:
        issuer = next(line for line in map(bytes.decode, provider.stdout) if line.startswith("http")).strip()
        (folder / "secret").write_text("a-client-secret\n")
        (folder / "oidc.toml").write_text(SETTINGS.format(issuer=issuer))
        serve = ["-m", "ludb", "serve", "--port", str(port), "--oidc", "oidc.toml", "--state", str(folder / "state")]
        server, _ = begun(serve, "serving ", "stderr", cwd=folder)
        yield base
        server.terminate()
        server.wait()
        server.stderr.close()
        provider.stdin.close()


def sign_in(page: Page, name: str) -> None:
    """What somebody does at the provider: a name, any password, and consent."""
    page.get_by_role("button", name="Log in with Example").click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_somebody_of_the_provider_lands_on_the_page_that_was_asked_for(site, patient: Page):
    page = patient
    page.goto(f"{site}/calls?state=in_doubt")
    sign_in(page, "ann")
    expect(page.get_by_role("heading", name="Calls")).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(f"{site}/calls?state=in_doubt")))
    expect(page.get_by_text("ann (editor)")).to_be_visible()
    with page.expect_request(re.compile("/assets/SystemsPage")):  # fetched before it is asked for
        page.get_by_role("link", name="Systems").hover()


def test_whoever_is_refused_reads_why_and_comes_where_they_wanted_with_another_login(site, patient: Page):
    page = patient
    page.goto(f"{site}/history")
    sign_in(page, "bo")
    expect(page.get_by_role("alert")).to_contain_text("none of your groups has a role")
    page.context.clear_cookies()
    sign_in(page, "ann")
    expect(page).to_have_url(f"{site}/history")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
