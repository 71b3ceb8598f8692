"""`make demo` on a terminal: it ends with the dashboard on the run that is over, until Ctrl-C, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import PASSWORD, TELCO

PATIENCE = 60_000


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


def test_the_demo_ends_on_a_terminal_with_its_run_shown_and_a_second_job_to_launch(tmp_path, page: Page):
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
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
    expect(page.get_by_text("telco-second").first).to_be_attached()
    os.kill(demo.pid, signal.SIGINT)
    assert demo.wait(30) == 0, said
    os.close(ours)
    assert left(tmp_path) == []
