"""The same documents by drt-core: a project with one sync from SQLite to a REST API, run by its own command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from bench.environments import environment_of

BODY = (
    '{"name": {{ row.name | tojson }}, "externalId": "{{ row.id }}", '
    '"address": {"street": {{ row.street | tojson }}, "city": {{ row.city | tojson }}}, "balance": {{ row.balance }}}'
)
"""The document that the job's step makes, as its template."""
FAST = {"requests_per_second": 1_000_000}
"""Its own default is 10 a second."""


def make_project(folder: Path, url: str, database: Path, count: int) -> Path:
    """The project and its profile, made anew. JSON is YAML."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("syncs", ".drt"):
        (folder / part).mkdir(parents=True)
    profile = {"legacy": {"type": "sqlite", "database": str(database)}}
    (folder / ".drt/profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    project = {"name": "api", "version": "1", "profile": "legacy"}
    (folder / "drt_project.yml").write_text(json.dumps(project), encoding="utf-8")
    sync = {
        "name": "customers",
        "model": f"select id, name, street, city, balance from customers order by id limit {count}",
        "destination": {
            "type": "rest_api", "url": f"{url}/customer", "method": "POST", "body_template": BODY, "rate_limit": FAST,
            "headers": {"Content-Type": "application/json"},
        },
        "sync": {"mode": "full", "batch_size": 1_000, "rate_limit": FAST},
    }  # fmt: skip
    (folder / "syncs/customers.yml").write_text(json.dumps(sync), encoding="utf-8")
    return folder


def send(url: str, database: Path, count: int, folder: Path) -> float:
    """Seconds of one run, from the process's start to its end. Raises `bench.environments.Missing`."""
    program = environment_of("drt") / "bin" / "drt"
    project = make_project(folder, url, database, count)
    began = time.monotonic()
    environment = {**os.environ, "HOME": str(project), "DO_NOT_TRACK": "1"}
    subprocess.run(  # noqa: S603  (pinned)
        [str(program), "run"], cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - began
