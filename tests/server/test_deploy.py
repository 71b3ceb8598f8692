"""What `deploy/` gives to Prometheus and Grafana is valid, speaks of figures that exist, and works against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx2
import pytest

from ludb.model.access import Role
from ludb.model.alerts import Condition, Severity
from ludb.model.figures import PHASE, SYSTEM, once
from ludb.testing.repository_world import RUN, claimed, fault, moved, started

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES, DASHBOARD = DEPLOY / "prometheus/ludb.rules.yml", DEPLOY / "grafana/ludb.json"
FIGURE = re.compile(r"\bludb_[a-z_]+")


@pytest.fixture
def prometheus() -> None:
    """Debian's Prometheus; without it a desk skips loudly, and continuous integration fails."""
    if shutil.which("prometheus") and shutil.which("promtool"):
        return
    message = "Prometheus is not installed: scripts/services --install"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(f"NOT TESTED: {message}")


@pytest.fixture
def busy(people):
    """A server with a run that goes on, costs and an alert: every figure has a value."""
    repository = people.world.repository
    started(repository)
    moved(repository, claimed(repository), [fault(1)])
    repository.figures.note("w1", RUN, {(SYSTEM, "crm"): once(0.1, rows=1), (PHASE, "steps"): once(0.2)})
    repository.alerts.raise_(RUN, "telco", Condition("stalled", Severity.CRITICAL, "nothing was settled"))
    return people


def test_rules_and_dashboard_speak_of_figures_that_the_server_tells(busy):
    client = busy.token(Role.VIEWER)
    client.get(f"/api/v1/runs/{RUN}")  # answers are counted once there are some
    told = set(FIGURE.findall(client.get("/metrics").text))
    assert set(FIGURE.findall(RULES.read_text())) - told == set()
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert set(FIGURE.findall(" ".join(asked))) - told == set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.usefixtures("prometheus")
def test_promtool_takes_rules_and_configuration(tmp_path):
    shutil.copytree(DEPLOY / "prometheus", tmp_path, dirs_exist_ok=True)
    (tmp_path / "ludb.token").write_text("ludb_x")
    for what, file in (("rules", "ludb.rules.yml"), ("config", "prometheus.yml")):
        ended = subprocess.run(
            ["promtool", "check", what, str(tmp_path / file)], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.long
@pytest.mark.usefixtures("prometheus")
def test_prometheus_scrapes_the_server_and_its_rules_find_what_is_wrong(busy, listening, tmp_path):
    token = busy.token(Role.VIEWER).headers["Authorization"].partition(" ")[2]
    shutil.copytree(DEPLOY / "prometheus", tmp_path, dirs_exist_ok=True)
    (tmp_path / "ludb.token").write_text(token)
    config = tmp_path / "prometheus.yml"
    said = config.read_text().replace("127.0.0.1:8321", listening.removeprefix("http://")).replace("15s", "1s")
    config.write_text(said)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*words, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        base = f"http://127.0.0.1:{port}/api/v1"
        assert until(lambda: value(base, 'up{job="ludb"}') == 1), (tmp_path / "log").read_text()
        assert until(lambda: value(base, f'ludb_run_units{{run="{RUN}",state="done"}}') == 3)
        pending = f'ALERTS{{alertname="LudbRunWithoutWorkers",run="{RUN}"}}'
        assert until(lambda: value(base, pending) == 1), "a running run whose workers are gone"
        assert until(lambda: value(base, 'ALERTS{alertname="LudbAlertStands"}') == 1)
    finally:
        process.kill()
        process.wait()


def value(base: str, query: str) -> float | None:
    """What Prometheus answers; None while it knows nothing, or does not answer yet."""
    try:
        found = httpx2.get(f"{base}/query", params={"query": query}).json()["data"]["result"]
    except (httpx2.HTTPError, KeyError, ValueError):
        return None
    return float(found[0]["value"][1]) if found else None


def until(condition, patience=60.0) -> bool:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
