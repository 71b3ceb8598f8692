"""The end of the demo on a terminal: the dashboard on the run that is over, with a second job ready to be launched."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

from generate import generate

from ludb.server.routes.dashboard import BUILT

HERE = Path(__file__).resolve().parent
SECOND = 600
"""Customers of the second job: enough to watch it."""
GOING = {"planned", "running", "paused", "stopping"}
PATIENCE = 60
"""Seconds for chunks in flight to end."""


def wanted() -> bool:
    """Whether somebody is there to look: on a terminal, outside of continuous integration."""
    return sys.stdout.isatty() and not os.environ.get("CI")


def built() -> bool:
    """Whether there is a dashboard to look at."""
    return (BUILT / "index.html").is_file()


def second_job(out: Path, seed: int) -> Path:
    """Another estate and its job, beside the first: same steps, other customers, the same two APIs. Returns the job's folder."""
    folder = out / "second"
    generate(folder, SECOND, seed + 1)
    job = folder / "job"
    shutil.copytree(HERE / "job", job)
    text = (job / "job.yaml").read_text(encoding="utf-8")
    text = text.replace("\nname: telco\n", "\nname: telco-second\n").replace("chunk_units: 500", "chunk_units: 50")
    for name in ("LEGACY_URL", "BILLING_URL"):
        text = text.replace(f"${{{name}}}", f"${{SECOND_{name}}}")
        os.environ[f"SECOND_{name}"] = str(folder / f"{name.partition('_')[0].lower()}.sqlite")
    (job / "job.yaml").write_text(text, encoding="utf-8")
    return job


def show(first: Path, second: Path, run: str) -> None:
    """Serve both jobs, say where and how to log in, open a browser if there is a screen; until Ctrl-C."""
    command = [sys.executable, "-m", "ludb", "serve", str(first), str(second), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as server:
        try:
            said = _until_it_serves(server)
            address = re.search(r"serving (\S+)", said)
            if address is None:
                print(f"the dashboard did not start: {said.strip()}")
                return
            login = re.search(r"log in as (\S+) with the one-time password (\S+)", said)
            page = f"{address[1]}/runs/{run}"
            print(f"  the run that is over   {page}")
            print(f"  a second job           {address[1]}/launch: telco-second, {SECOND} other customers")
            if login is not None:
                print(f"  log in as {login[1]} with  {login[2]}  (works once: you choose another)")
            # A shell that starts something behind itself has it ignore Ctrl-C; here it is the way out.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print("It serves until you press Ctrl-C, which also stops what you have launched meanwhile.", flush=True)
            if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in {"darwin", "win32"}:
                webbrowser.open(page)
            for _ in server.stderr or ():
                pass
        except KeyboardInterrupt:
            print("\nThe dashboard and the simulated APIs end; nothing that was moved is lost.")
            stop_what_goes_on()
        finally:
            server.terminate()


def stop_what_goes_on() -> None:
    """Stop the runs that were launched meanwhile, while their APIs are still there: whoever ends the demo ends all of it."""
    runs = _going()
    for run in runs:
        print(f"{run} is stopped after its chunks in flight; with the APIs there, `ludb resume {run}` goes on with it.")
        _ludb("stop", run)
    until = time.monotonic() + PATIENCE
    while (left := [run for run in _going() if run in runs]) and time.monotonic() < until:
        time.sleep(0.2)
    for run in left:
        print(f"{run} has not stopped within {PATIENCE} s: it is told to stop now.")
        _ludb("stop", run, "--now")


def _going() -> list[str]:
    """Runs that are not over, the newest first."""
    return [one["run"]["id"] for one in json.loads(_ludb("runs", "--json") or "[]") if one["run"]["state"] in GOING]


def _ludb(*arguments: str) -> str:
    """What a `ludb` command answers; it says itself what is wrong."""
    command = [sys.executable, "-m", "ludb", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def _until_it_serves(server: subprocess.Popen[str]) -> str:
    said = ""
    for line in server.stderr or ():
        said += line
        if "serving " in line:
            break
    return said
