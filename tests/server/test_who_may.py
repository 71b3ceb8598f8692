"""Every operation of the API against every kind of caller, made from the OpenAPI document: a new one without a rule fails."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ludb.model.access import Role
from ludb.server.app import create_app
from ludb.server.config import ServerConfig
from ludb.server.rules import CSRF, RULE, SAFE
from ludb.server.world import World
from ludb.service.site import open_scratch

DOCUMENT = create_app(World(open_scratch({}), ServerConfig())).openapi()
OPERATIONS = [
    (method.upper(), path, operation.get(RULE))
    for path, operations in sorted(DOCUMENT["paths"].items())
    for method, operation in sorted(operations.items())
]
CHANGES = [one for one in OPERATIONS if one[0] not in SAFE]
GUARDED = [one for one in OPERATIONS if one[2] != "public"]


def name_of(operation):
    return f"{operation[0]} {operation[1]}"


def send(client, method, path):
    """The operation with names that nothing has, and a body that nothing needs: let in or not is all that is asked."""
    return client.request(method, re.sub(r"\{[^}]*\}", "nonesuch", path), json={} if method not in SAFE else None)


def kind(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_every_operation_says_who_may_call_it():
    known = {"public", "session", *map(str, Role)}
    assert [name_of(one) for one in OPERATIONS if one[2] not in known] == []
    assert {path for _, path, needed in OPERATIONS if needed == "public"} == {
        "/health/live", "/health/ready", "/api/v1/login", "/api/v1/session/methods", "/api/v1/session/oidc/callback",
        "/api/v1/session/oidc/login", "/api/v1/schedules/{schedule}/fire",
    }  # fmt: skip


def test_nobody_who_only_looks_may_change_anything():
    harmless = {"/api/v1/login", "/api/v1/logout", "/api/v1/session/oidc/logout", "/api/v1/session/password"}
    harmless |= {"/api/v1/units/{job}/{key}/sql"}  # it reads, in a locked box
    harmless |= {"/api/v1/schedules/{schedule}/fire"}  # it has a secret of its own
    open_ = [name_of(one) for one in CHANGES if one[2] in {"public", "session", "viewer"} and one[1] not in harmless]
    assert open_ == []


def test_a_route_that_forgot_its_rule_is_closed_to_everybody(people):
    people.app.post("/api/v1/forgotten")(lambda: "secret")
    for client in (people.client(), people.token(Role.ADMIN)):
        assert kind(client.post("/api/v1/forgotten")) == (403, "forbidden")


@pytest.mark.parametrize("operation", GUARDED, ids=name_of)
def test_nobody_gets_in_without_saying_who_they_are(people, operation):
    method, path, _ = operation
    expired = people.token(Role.ADMIN, hours=-1)
    over = people.session(Role.ADMIN, hours=-1)
    wrong = people.client()
    wrong.headers["Authorization"] = "Bearer ludb_guess"
    revoked = people.token(Role.ADMIN)
    people.world.repository.access.tokens.revoke(revoked.headers["Authorization"].partition(" ")[2])
    gone = people.token(Role.OPERATOR)
    people.user(Role.ADMIN)
    users = people.world.repository.access.users
    users.change(replace(people.user(Role.OPERATOR), active=False))
    for client in (people.client(), expired, over, wrong, revoked, gone):
        assert kind(send(client, method, path)) == (401, "unauthenticated")


@pytest.mark.parametrize("operation", GUARDED, ids=name_of)
def test_every_role_may_do_what_its_rule_says_and_nothing_else(people, operation):
    method, path, needed = operation
    for role in Role:
        allowed = needed == "session" or role.covers(Role(needed))
        for client in (people.session(role), people.token(role)):
            answer = send(client, method, path)
            assert (answer.status_code not in {401, 403}) is allowed or path == "/api/v1/session/password", role
            assert answer.status_code < 500
    weak = people.token(Role.VIEWER, owner=Role.ADMIN)
    if needed not in {"session", "viewer"}:
        assert kind(send(weak, method, path)) == (403, "forbidden"), "a token may do less than its owner"
        people.user(Role.VIEWER, "climber")
        assert kind(send(people.token(Role.ADMIN, owner=Role.VIEWER), method, path)) == (403, "forbidden")


@pytest.mark.parametrize("operation", [one for one in CHANGES if one[2] != "public"], ids=name_of)
def test_a_change_needs_the_token_of_this_very_session(people, operation):
    method, path, _ = operation
    bare = people.session(Role.ADMIN, csrf=False)
    assert kind(send(bare, method, path)) == (403, "csrf")
    bare.headers[CSRF] = people.session(Role.ADMIN).headers[CSRF]
    assert kind(send(bare, method, path)) == (403, "csrf"), "another session's token"


@pytest.mark.parametrize("operation", GUARDED, ids=name_of)
def test_a_one_time_password_opens_nothing_but_its_own_change(people, operation):
    method, path, needed = operation
    if needed != "session":
        assert kind(send(people.session(Role.ADMIN, must_change=True), method, path)) == (403, "one-time-password")


def test_what_is_wrong_with_a_request_is_told_to_nobody_who_may_not_send_it(people):
    wrong = "/api/v1/runs?limit=none"
    assert kind(people.client().get(wrong)) == (401, "unauthenticated")
    assert kind(people.token(Role.VIEWER).get(wrong)) == (422, "invalid")
