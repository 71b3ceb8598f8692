"""`make demo`, small: it ends by itself, everything is as expected, and nothing is left running."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

TELCO = Path(__file__).parents[2] / "examples" / "telco"


@pytest.mark.parametrize("systems", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def test_the_demo_moves_everybody_it_should_and_ends_without_a_terminal(request, tmp_path, systems):
    if systems == "postgres":
        server = request.getfixturevalue("postgres_server")  # skipped loudly where there is none
        server_url = {"LUDB_POSTGRES_URL": server.url("postgres")}
    copy = tmp_path / "telco"
    shutil.copytree(TELCO, copy, ignore=shutil.ignore_patterns("out", "__pycache__"))

    def demo(customers: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(copy / "demo.py"), "--customers", str(customers), "--systems", systems],
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("LUDB_")}
            | (server_url if systems == "postgres" else {}),
        )  # fmt: skip

    if systems == "postgres":
        with psycopg.connect(server_url["LUDB_POSTGRES_URL"], autocommit=True) as admin:
            admin.execute("CREATE DATABASE ludb_demo_billing")
            refused = demo(20)
            assert (refused.returncode, "that the demo did not make" in refused.stderr) == (1, True), refused.stderr
            admin.execute("DROP DATABASE ludb_demo_billing")  # somebody's own: it is still there
    ended = demo(150)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "DIFFERS" not in ended.stdout
    assert "are exactly the expected ones" in ended.stdout
    truth = json.loads((copy / "out" / "expected.json").read_text())
    assert f"{truth['moved']} customers moved whole" in ended.stdout
    assert truth["quarantined"], "a demo without dirt shows nothing"
    for heading in ("1. ", "2. ", "3. ", "4. ", "5. "):
        assert f"\n{heading}" in ended.stdout
    assert re.search(r"^ +account: ", ended.stdout, re.MULTILINE)
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in read(path)]
    assert left == []


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended while we looked
        return b""
