"""A process that has loaded the libraries and runs one `ludb` command after the other, each in a fork of its own.

Loading takes most of a short command's time. Nothing of `ludb.cli` is loaded and nothing is open before the fork: what the
command does from there on is what `python -m ludb` does. Requests and exit codes are lines of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

LOADED = (
    "aiohttp", "duckdb", "pyarrow.compute", "pydantic", "rich.live", "rich.progress_bar", "rich.table", "ruamel.yaml",
    "structlog", "typer", "ludb.repositories.sqlite", "ludb.service.abandon", "ludb.service.report_page",
    "ludb.service.summary",
    "ludb.service.supervisor", "ludb.service.trial", "ludb.targets.rest", "ludb.sources.sqlite", "ludb.targets.sqlite",
    "ludb.steps.python", "ludb.steps.sql",
)  # fmt: skip


def command(asked: dict) -> int:
    """The whole command, in the child."""
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, path in ((1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["ludb", *asked["arguments"]]
    try:
        from ludb.cli.app import main

        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  (the interpreter would print it and end with 1)
        traceback.print_exc()
        return 1
    return 0


def serve() -> None:
    """One command per line, until there are no more."""
    # A fork of several threads has one: neither numpy nor Arrow's allocator must start their own.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    for name in LOADED:
        importlib.import_module(name)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 9)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os.dup2(9, 0)
            sys.exit(command(json.loads(line)))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
