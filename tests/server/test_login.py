"""Getting in: the first start, passwords, sessions, users and tokens."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2
import pytest
from argon2 import PasswordHasher

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.server.accounts import first_admin
from ludb.server.app import create_app
from ludb.server.config import ServerConfig
from ludb.server.passwords import Passwords
from ludb.server.rules import CSRF

PASSWORD, BASE = "a password of some length", "http://127.0.0.1:8321"
"""Those of `conftest.py`."""


def log_in(client, user, password=PASSWORD, **headers):
    answer = client.post("/api/v1/login", json={"user": user, "password": password}, headers=headers)
    if answer.status_code == 200:
        client.headers[CSRF] = answer.json()["csrf"]
    return answer


def kind(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_the_first_start_makes_one_admin_whose_password_works_once(people, world):
    password = first_admin(world)
    assert first_admin(world) is None
    client = people.client()
    assert log_in(client, "admin", password).json()["must_change"] is True
    assert kind(client.get("/api/v1/users")) == (403, "one-time-password")
    asked = {"old": password, "new": "battery horse staple"}
    assert client.put("/api/v1/session/password", json=asked).status_code == 204
    assert client.get("/api/v1/users").json()[0]["must_change"] is False
    assert kind(log_in(people.client(), "admin", password)) == (401, "unauthenticated")
    assert log_in(people.client(), "admin", "battery horse staple").status_code == 200


def test_a_cookie_is_out_of_reach_for_scripts_and_other_sites(people, world):
    people.user(Role.VIEWER, "ann")
    cookie = log_in(people.client(), "ann").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    people.app.state.world = world.__class__(
        world.site, ServerConfig(behind_proxy=True), world.now, world.secret, world.passwords
    )
    assert "secure" in log_in(people.client(), "ann").headers["set-cookie"].lower()


def test_a_page_of_another_site_cannot_log_its_visitor_in(people):
    people.user(Role.VIEWER, "ann")
    assert kind(log_in(people.client(), "ann", Origin="https://evil.example")) == (403, "origin")
    assert log_in(people.client(), "ann", Origin=BASE).status_code == 200


def test_passwords_cannot_be_tried_without_end(people, clock):
    people.user(Role.VIEWER, "ann")
    client = people.client()
    assert [log_in(client, "ann", "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    refused = log_in(client, "ann")
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    clock.now += int(refused.headers["Retry-After"]) + 1
    assert log_in(client, "ann").status_code == 200
    assert log_in(client, "ann", "wrong").status_code == 401, "a success forgives"


def test_one_address_cannot_try_all_users(people):
    client = people.client()
    codes = [log_in(client, f"user{number}", "wrong").status_code for number in range(51)]
    assert (codes[:50], codes[50]) == ([401] * 50, 429)


def test_a_session_ends_by_itself_and_at_logout(people, clock):
    people.user(Role.VIEWER, "ann")
    client, idle = people.client(), people.client()
    for one in (client, idle):
        log_in(one, "ann")
    for _ in range(3):
        clock.now += 3000
        assert client.get("/api/v1/session").status_code == 200
    assert kind(idle.get("/api/v1/session")) == (401, "unauthenticated"), "nobody was there for two hours"
    assert client.post("/api/v1/logout").status_code == 204
    assert kind(client.get("/api/v1/session")) == (401, "unauthenticated")


def test_a_changed_password_logs_everybody_else_out(people):
    people.user(Role.VIEWER, "ann")
    thief, ann = people.client(), people.client()
    log_in(thief, "ann")
    log_in(ann, "ann")
    asked = {"old": PASSWORD, "new": "battery horse staple"}
    assert kind(ann.put("/api/v1/session/password", json=asked | {"old": "guess"})) == (403, "forbidden")
    assert ann.put("/api/v1/session/password", json=asked).status_code == 204
    assert ann.get("/api/v1/session").status_code == 200
    assert thief.get("/api/v1/session").status_code == 401


def test_users_are_managed_and_every_change_is_written_down(people):
    admin = people.session(Role.ADMIN)
    made = admin.post("/api/v1/users", json={"name": "bo", "role": "operator"}).json()
    bo = people.client()
    assert log_in(bo, "bo", made["one_time_password"]).status_code == 200
    assert kind(admin.post("/api/v1/users", json={"name": "bo"})) == (409, "conflict")
    assert admin.patch("/api/v1/users/bo", json={"role": "viewer"}).json()["role"] == "viewer"
    assert bo.get("/api/v1/session").status_code == 401, "whoever loses rights is logged out"
    assert kind(admin.patch("/api/v1/users/the-admin", json={"active": False})) == (409, "conflict")
    again = admin.post("/api/v1/users/bo/password").json()["one_time_password"]
    assert again != made["one_time_password"]
    assert admin.delete("/api/v1/users/bo").status_code == 204
    told = admin.get("/api/v1/audit", params={"limit": 500}).json()["items"]
    assert [(one["actor"], one["action"], one["subject"]) for one in told] == [
        ("the-admin", "user.remove", "bo"),
        ("the-admin", "password.reset", "bo"),
        ("the-admin", "user.change", "bo"),
        ("bo", "login", "bo"),
        ("the-admin", "user.add", "bo"),
    ]
    assert (told[2]["before"]["role"], told[2]["after"]["role"]) == ("operator", "viewer")
    assert PASSWORD not in str(told)
    assert again not in str(told)


def test_the_audit_is_read_page_by_page(people):
    admin = people.session(Role.ADMIN)
    for number in range(5):
        admin.post("/api/v1/users", json={"name": f"u{number}"})
    seen, cursor = [], None
    while True:
        page = admin.get(
            "/api/v1/audit", params={"limit": 2, "action": "user.add"} | ({"cursor": cursor} if cursor else {})
        ).json()
        seen += [one["subject"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["u4", "u3", "u2", "u1", "u0"]
    for wrong in ("x", "W10", "InRleHQi", "dHJ1ZQ"):
        assert kind(admin.get("/api/v1/audit", params={"cursor": wrong})) == (422, "invalid")
    assert kind(admin.get("/api/v1/audit", params={"cursor": "LTE"})) == (422, "invalid")


def test_a_token_works_until_it_is_revoked_and_shows_its_secret_once(people):
    admin = people.session(Role.ADMIN)
    made = admin.post("/api/v1/tokens", json={"name": "airflow", "role": "operator"}).json()
    program = people.client()
    program.headers["Authorization"] = f"Bearer {made['secret']}"
    assert program.get("/info").json()["name"] == "ludb"
    assert kind(program.get("/api/v1/users")) == (403, "forbidden")
    assert made["secret"] not in admin.get("/api/v1/tokens").text
    assert admin.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    assert kind(program.get("/info")) == (401, "unauthenticated")
    assert kind(admin.delete("/api/v1/tokens/nonesuch")) == (404, "not-found")


def test_what_was_sent_is_never_repeated_in_an_error(people):
    answer = people.client().post("/api/v1/login", json={"user": "ann", "password": ["hunter2"], "extra": "hunter2"})
    assert kind(answer) == (422, "invalid")
    assert "hunter2" not in answer.text


def test_a_body_that_is_too_long_is_refused_before_it_is_read(people):
    assert kind(people.client().post("/api/v1/login", content=b"x" * 4_000_001)) == (413, "too-long")
    pieces = (b"x" * 1_000_000 for _ in range(5))
    assert people.client().post("/api/v1/login", content=pieces).status_code == 413


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "localhost"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "migrations.example"}, True),
        ({"host": "0.0.0.0", "behind_proxy": True}, False),
    ],
    ids=str,
)
def test_passwords_never_cross_a_network_in_plain_text(more, refused):
    config = ServerConfig(**more)
    if refused:
        with pytest.raises(ConfigError, match="plain text"):
            config.check()
    else:
        config.check()


def test_half_a_tls_set_up_is_refused(tmp_path):
    (tmp_path / "c.pem").write_text("")
    with pytest.raises(ConfigError, match="certificate and its key"):
        ServerConfig(tls_cert=tmp_path / "c.pem").check()
    with pytest.raises(ConfigError, match="no file"):
        ServerConfig(tls_cert=tmp_path / "c.pem", tls_key=tmp_path / "k.pem").check()


class Counting(PasswordHasher):
    """Counts what is costly, and does it only when `go_on` says so."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.made, self.begun, self.go_on = 0, threading.Semaphore(0), threading.Event()

    def hash(self, *given, **more):
        self.made += 1
        return super().hash(*given, **more)

    def verify(self, *given):
        self.begun.release()
        assert self.go_on.wait(60)
        return super().verify(*given)


def test_the_time_of_a_refused_login_does_not_tell_who_exists():
    """A hash made anew for whoever is unknown takes twice as long as looking at a known one's."""
    hasher = Counting()
    hasher.go_on.set()
    passwords = Passwords(hasher)
    known = passwords.hash("a password of some length")
    assert [passwords.fits(one, "another one of some length") for one in (None, known, None, None)] == [False] * 4
    assert hasher.made == 2, "one of them is nobody's, kept for all who are unknown"


def test_a_crowd_that_tries_passwords_takes_neither_the_memory_nor_the_threads(people, listen):
    """Each try takes 64 MB while it is looked at, and anybody may try."""
    hasher = Counting()
    world = replace(people.world, passwords=Passwords(hasher))
    app = create_app(world)
    secret = {"Authorization": people.token(Role.VIEWER).headers["Authorization"]}
    url = f"{listen(app)}/api/v1"

    def attempt(number):
        asked = {"user": f"u{number}", "password": "a password of some length"}
        return httpx2.post(f"{url}/login", json=asked, timeout=60).status_code

    with ThreadPoolExecutor(24) as crowd:
        tried = [crowd.submit(attempt, number) for number in range(24)]
        for _ in range(2):
            assert hasher.begun.acquire(timeout=60)
        assert httpx2.get(f"{url}/runs", headers=secret, timeout=8).status_code == 200
        assert not hasher.begun.acquire(timeout=0.2), "two at a time"
        hasher.go_on.set()
        assert {one.result() for one in tried} == {401}
