"""What happens is told as it happens, to everybody who may listen, and nothing twice."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import httpx2
import pytest

from ludb.model.access import Role
from ludb.model.events import Event
from ludb.repositories.memory import MemoryRepository
from ludb.server import live
from ludb.testing.repository_world import RUN, claimed, fault, moved, started

NEVER = 60


@contextmanager
def listener(url, client, **headers):
    """Server-sent events as they arrive: (event, id, data)."""
    secret = {"Authorization": client.headers["Authorization"]}
    path = f"{url}/api/v1/runs/{RUN}/stream"
    with httpx2.Client(timeout=NEVER) as http, http.stream("GET", path, headers=secret | headers) as answer:
        assert answer.status_code == 200
        yield told(answer)


def told(answer):
    found = {}
    for line in answer.iter_lines():
        if not line:
            if "data" in found:
                yield found.get("event"), found.get("id"), json.loads(found["data"])
            found = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value


def say(people, *names):
    for name in names:
        people.world.repository.events.append(Event(name, RUN, lasting=True))


def take(heard, kind, count):
    found = []
    while len(found) < count:
        one = next(heard)
        if one[0] == kind:
            found.append(one)
    return found


def test_a_listener_hears_what_was_and_what_comes_as_polling_tells_it(people, listening):
    started(people.world.repository)
    say(people, "e1", "e2")
    client = people.token(Role.VIEWER)
    with listener(listening, client) as heard:
        before = take(heard, "event", 2)
        say(people, "e3")
        after = take(heard, "event", 1)
    polled = client.get(f"/api/v1/runs/{RUN}/events").json()["items"]
    assert [data for _, _, data in [*before, *after]] == polled
    assert [one for _, one, _ in [*before, *after]] == [str(event["number"]) for event in polled]


def test_a_listener_who_lost_the_line_goes_on_where_it_was(people, listening):
    started(people.world.repository)
    say(people, "e1", "e2", "e3")
    client = people.token(Role.VIEWER)
    with listener(listening, client) as heard:
        number = take(heard, "event", 2)[-1][1]
    with listener(listening, client, **{"Last-Event-ID": number}) as heard:
        assert take(heard, "event", 1)[0][2]["name"] == "e3"


def test_progress_is_told_whenever_it_has_changed(people, listening):
    repository = people.world.repository
    started(repository)
    client = people.token(Role.VIEWER)
    with listener(listening, client) as heard:
        first = take(heard, "progress", 1)[0][2]
        assert (first["counters"]["pending"], first["percent"]) == (10, 0.0)
        moved(repository, claimed(repository), [fault(1)])
        changed = take(heard, "progress", 1)[0][2]
    assert (changed["counters"]["done"], changed["counters"]["quarantined"], changed["percent"]) == (3, 1, 40.0)
    assert sum(changed["counters"][name] for name in ("done", "quarantined", "pending")) == 10


def test_a_listener_who_may_no_longer_listen_is_cut_off(people, listening, monkeypatch):
    monkeypatch.setattr(live, "CHECK", 0.0)
    started(people.world.repository)
    client = people.token(Role.VIEWER)
    with listener(listening, client) as heard:
        take(heard, "progress", 1)
        people.world.repository.access.tokens.revoke(people.world.repository.access.tokens.all()[0].id)
        assert [kind for kind, _, _ in heard if kind == "event"] == [], "the stream ends"


def test_many_listeners_cost_the_repository_as_much_as_one(people, listening, monkeypatch):
    started(people.world.repository)
    looks = []
    progress_of = live.progress_of
    monkeypatch.setattr(live, "progress_of", lambda *args: looks.append(time.monotonic()) or progress_of(*args))
    client = people.token(Role.VIEWER)
    begun, heard = time.monotonic(), []

    def listen():
        with listener(listening, client) as one:
            heard.append(take(one, "event", 1))

    threads = [threading.Thread(target=listen) for _ in range(10)]
    for thread in threads:
        thread.start()
    say(people, "e1")
    for thread in threads:
        thread.join()
    assert len(heard) == 10
    assert len(looks) <= 3 + (time.monotonic() - begun) / people.world.config.look_every


def test_figures_for_prometheus_tell_runs_and_answers_and_no_unit(people):
    repository = people.world.repository
    assert isinstance(repository, MemoryRepository)
    started(repository)
    moved(repository, claimed(repository), [fault(1)])
    client = people.token(Role.VIEWER)
    client.get(f"/api/v1/runs/{RUN}")
    client.get("/api/v1/nonesuch")
    text = client.get("/metrics").text
    assert f'ludb_run_units{{job="telco",run="{RUN}",state="done"}} 3.0' in text
    assert f'ludb_run_units{{job="telco",run="{RUN}",state="pending"}} 6.0' in text
    assert 'ludb_http_seconds_count{method="GET",path="/api/v1/runs/{run}",status="200"} 1.0' in text
    assert 'path="/api/v1/nonesuch"' not in text
    assert '"101"' not in text


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30])
def test_a_number_that_no_event_had_is_refused(people, last):
    started(people.world.repository)
    client = people.token(Role.VIEWER)
    answer = client.get(f"/api/v1/runs/{RUN}/stream", headers={"Last-Event-ID": last})
    assert answer.status_code == 422


def test_an_event_that_is_held_back_for_a_moment_is_told_all_the_same(people, listening, monkeypatch):
    """On a database server an event may be seen by who asks for the newest before it may be told in its order."""
    repository = people.world.repository
    started(repository)
    since, held = type(repository.events).since, [True]
    monkeypatch.setattr(type(repository.events), "since", lambda *args: [] if held[0] else since(*args))
    client = people.token(Role.VIEWER)
    with listener(listening, client) as heard, listener(listening, client) as other:
        take(heard, "progress", 1)
        say(people, "e1", "e2")
        take(heard, "progress", 1)
        assert client.get("/health/live").status_code == 200, "the server waits for nobody meanwhile"
        held[0] = False
        for one in (heard, other):
            assert [data["name"] for _, _, data in take(one, "event", 2)] == ["e1", "e2"]


def test_what_listeners_are_told_is_read_once_for_all_of_them(people, listening, monkeypatch):
    repository = people.world.repository
    started(repository)
    since, reads = type(repository.events).since, []
    monkeypatch.setattr(type(repository.events), "since", lambda *args: reads.append(args[2]) or since(*args))
    client = people.token(Role.VIEWER)
    with listener(listening, client) as heard, listener(listening, client) as other:
        for one in (heard, other):
            take(one, "progress", 1)
        say(people, "e1")
        for one in (heard, other):
            take(one, "event", 1)
    assert reads == [0]
