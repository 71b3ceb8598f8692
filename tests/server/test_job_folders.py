"""An editor has a running server know further jobs, but none that somebody else could write."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from ludb.model.access import Role
from ludb.server.config import ServerConfig
from ludb.server.world import World


@pytest.fixture
def server(shop, people):
    site = replace(people.world.site, environment=shop.environment)
    config = ServerConfig(jobs=())
    people.world = people.app.state.world = World(site, config, now=people.world.now, passwords=people.world.passwords)
    shop.job.chmod(0o755)
    (shop.job / "job.yaml").chmod(0o644)
    return people, people.token(Role.EDITOR)


def names(client):
    return [one["name"] for one in client.get("/api/v1/jobs").json()]


def test_a_folder_is_known_at_once_once_and_until_it_is_removed(server, shop):
    people, client = server
    assert names(client) == []
    made = client.post("/api/v1/job-folders", json={"folder": f"{shop.job}/../{shop.job.name}"})
    assert (made.status_code, made.json()["folder"], made.json()["added_by"]) == (201, str(shop.job), "the-editor")
    assert names(client) == ["shop"]
    assert client.post("/api/v1/job-folders", json={"folder": str(shop.job)}).status_code == 409
    other = World(replace(people.world.site, host="another"), people.world.config)
    assert other.catalogue.all() == [], "it is a folder of this host"
    path = f"/api/v1/job-folders/{made.json()['id']}"
    assert client.delete(path).status_code == 204
    assert (names(client), client.delete(path).status_code) == ([], 404)
    assert client.get("/api/v1/job-folders").json() == []
    actions = [one.action for one in people.world.repository.access.audit.page()]
    assert actions == ["job-folder.remove", "job-folder.add"]


def test_what_holds_no_job_or_everybody_may_write_is_refused(server, shop, tmp_path):
    _, client = server

    def said(folder):
        answer = client.post("/api/v1/job-folders", json={"folder": str(folder)})
        assert answer.status_code == 422
        return answer.json()["detail"]

    (tmp_path / "empty").mkdir()
    assert "holds no job.yaml" in said(tmp_path / "empty")
    assert "cannot be read" in said("/nowhere/at/all")
    assert said("relative")
    (shop.job / "job.yaml").chmod(0o666)
    assert "everybody may write" in said(shop.job)
    (shop.job / "job.yaml").chmod(0o644)
    jobs = tmp_path / "jobs"
    shutil.copytree(shop.job, jobs / "one")
    (jobs / "one").chmod(0o777)
    assert "everybody may write" in said(jobs)
    (jobs / "one").chmod(0o755)
    assert client.post("/api/v1/job-folders", json={"folder": str(jobs)}).status_code == 201
    assert names(client) == ["shop"]
