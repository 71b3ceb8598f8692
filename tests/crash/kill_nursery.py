"""Starts `ludb` processes quickly: everything is imported once, and each process is a fork of that.

Run as a script. Reads lines of JSON, `{"arguments": [...], "environment": {...}, "out": "file"}`; answers each with
`{"pid": ...}`, and with `{"pid": ..., "status": ...}` when the process has ended (negative: by which signal).
A fork is safe here because nothing has been opened and no thread started before it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path

MODULES = (
    "ludb.cli.app",
    "ludb.cli.moving",
    "ludb.cli.progress",
    "ludb.cli.render",
    "ludb.launchers.local",
    "ludb.service.abandon",
    "ludb.service.runs",
    "ludb.service.summary",
    "ludb.service.supervisor",
    "ludb.service.worker_process",
    "duckdb",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.feather",
    "pyarrow.parquet",
    "sqlalchemy.dialects.sqlite",
)


def warm() -> None:
    for name in MODULES:
        importlib.import_module(name)
    for group in ("sources", "targets", "call_targets", "repositories", "steps"):
        for entry in entry_points(group=f"ludb.{group}"):
            entry.load()
    gc.freeze()
    threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    assert len(threads) == 1, threads


def become(asked: dict) -> int:
    """In the fork: be `python -m ludb ...`; returns the exit code."""
    from ludb.cli.app import main

    out = os.open(asked["out"], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["ludb", *asked["arguments"]]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:  # noqa: BLE001  (told, and the process ends)
        traceback.print_exc()
        return 1
    return 0


def answer(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def serve() -> None:
    children: dict[int, int] = {}
    waiting = b""
    while True:
        ready, _, _ = select.select([0, *children], [], [])
        for handle in ready:
            if handle:
                pid = children.pop(handle)
                os.close(handle)
                answer(pid=pid, status=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            more = os.read(0, 1 << 16)
            if not more:
                return
            *lines, waiting = (waiting + more).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    for child in children:
                        os.close(child)
                    code = become(json.loads(line))
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
                children[os.pidfd_open(pid)] = pid
                answer(pid=pid)


if __name__ == "__main__":
    warm()
    serve()
    os._exit(0)
