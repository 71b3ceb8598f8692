"""`make demo` on a terminal: it ends with the dashboard on the run that is over, until Ctrl-C, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import PASSWORD, TELCO


def left(folder: Path) -> list[str]:
    """Processes that still name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:  # it has ended while we looked
            continue
        if str(folder).encode() in command:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def test_the_demo_ends_on_a_terminal_with_its_run_shown_and_a_second_job_to_launch(tmp_path, patient: Page):
    page = patient
    copy = tmp_path / "telco"
    shutil.copytree(TELCO, copy, ignore=shutil.ignore_patterns("out", "__pycache__"))
    away = ("LUDB_", "CI", "DISPLAY", "WAYLAND_DISPLAY")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(away)}
    ours, theirs = pty.openpty()
    command = [sys.executable, str(copy / "demo.py"), "--customers", "60"]
    demo = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path, start_new_session=True
    )
    os.close(theirs)
    said = ""
    while "until you press Ctrl-C" not in said:
        said += os.read(ours, 4096).decode(errors="replace")
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
    said = ""
    with contextlib.suppress(OSError):  # the terminal ends with its last process
        while more := os.read(ours, 4096):
            said += more.decode(errors="replace")
    assert demo.wait(30) == 0, said
    assert f"{second} is stopped after its chunks in flight" in said
    os.close(ours)
    ended = time.monotonic() + 30
    while left(tmp_path) and time.monotonic() < ended:
        time.sleep(0.1)
    assert left(tmp_path) == []
    command = [sys.executable, "-m", "ludb", "runs", "--json", "--state", str(copy / "out" / "state")]
    runs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert {one["run"]["id"]: one["run"]["state"] for one in runs}[second] == "stopped"
