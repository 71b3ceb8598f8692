"""`make demo` on a terminal: it ends with the dashboard on the run that is over, until Ctrl-C, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import PASSWORD, PATIENCE, TELCO


def left(folder: Path) -> dict[int, str]:
    """Processes that still name the folder: their commands by number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:  # it has ended while we looked
            continue
        if str(folder).encode() in command:
            found[int(path.parent.name)] = command.replace(b"\0", b" ").decode()
    return found


def heard(terminal: int, until: str | None = None) -> str:
    """What is said on a terminal until it says that, or until its last process has ended; nothing may hang for a minute."""
    said = ""
    while until is None or until not in said:
        assert select.select([terminal], [], [], PATIENCE / 1000)[0], f"it says nothing more: {said}"
        try:
            more = os.read(terminal, 4096)
        except OSError:  # nobody is there any more
            break
        if not more:
            break
        said += more.decode(errors="replace")
    return said


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """A folder whose processes do not outlive the test, however it ends."""
    yield tmp_path
    for pid in left(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_demo_ends_on_a_terminal_with_its_run_shown_and_a_second_job_to_launch(folder, patient: Page):
    page = patient
    copy = folder / "telco"
    shutil.copytree(TELCO, copy, ignore=shutil.ignore_patterns("out", "__pycache__"))
    away = ("LUDB_", "CI", "DISPLAY", "WAYLAND_DISPLAY")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(away)}
    ours, theirs = pty.openpty()
    command = [sys.executable, str(copy / "demo.py"), "--customers", "60"]
    demo = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder, start_new_session=True
    )
    os.close(theirs)
    said = heard(ours, "until you press Ctrl-C")
    run = re.search(r"run that is over\s+(\S+)", said)[1]
    user, password = re.search(r"log in as (\S+) with\s+(\S+)", said).groups()
    page.goto(run)
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("One-time password").fill(password)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("percent")).to_have_text("100.0%")
    page.goto(run.partition("/runs/")[0] + "/launch")
    page.get_by_label("Job").select_option("telco-second")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url(re.compile("/runs/telco-second"))
    second = page.url.rpartition("/")[2]
    expect(page.get_by_test_id("run-state")).to_contain_text("running")
    os.kill(demo.pid, signal.SIGINT)
    said = heard(ours)
    assert demo.wait(30) == 0, said
    assert f"{second} is stopped after its chunks in flight" in said
    os.close(ours)
    ended = time.monotonic() + 30
    while left(folder) and time.monotonic() < ended:
        time.sleep(0.1)
    assert left(folder) == {}
    command = [sys.executable, "-m", "ludb", "runs", "--json", "--state", str(copy / "out" / "state")]
    runs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert {one["run"]["id"]: one["run"]["state"] for one in runs}[second] == "stopped"
