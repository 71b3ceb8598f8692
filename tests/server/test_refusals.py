"""A request in the wrong form is refused for what is wrong with it, with what to do: never with an error of the server's."""

from __future__ import annotations

import pytest

from ludb.model.access import Role

RUNS, JSON = "/api/v1/runs", {"Content-Type": "application/json"}
CASES = {
    "no-json": ("POST", RUNS, b'{"job":', JSON, 422, "the body is no JSON"),
    "form": ("POST", RUNS, b"job=shop", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "not sent as JSON"),
    "no-type": ("POST", RUNS, b'{"job": "shop"}', {}, 415, "not sent as JSON"),
    "array": ("POST", RUNS, b"[1]", JSON, 422, "valid dictionary"),
    "empty": ("POST", RUNS, b"", JSON, 422, "required"),
    "deep": ("POST", RUNS, b"[" * 100_000, JSON, 400, "parsing"),
    "no-text": ("POST", RUNS, b'{"job": "\xff"}', JSON, 400, "parsing"),
    "half-a-character": ("POST", RUNS, b'{"job": "\\ud800"}', JSON, 422, "unicode"),
    "nul": ("POST", RUNS, b'{"job": "shop", "parameters": {"night": "a\\u0000b"}}', JSON, 422, "the character NUL"),
    "nul-of-a-stranger": ("POST", "/api/v1/login", b'{"user": "\\u0000", "password": "x"}', JSON, 422, "NUL"),
    "nul-in-the-path": ("GET", f"{RUNS}/a%00b", b"", {}, 422, "the address holds the character NUL"),
    "nul-in-the-query": ("GET", f"{RUNS}?job=a%00b", b"", {}, 422, "the address holds the character NUL"),
    "another-method": ("DELETE", RUNS, b"", {}, 405, "DELETE cannot be asked"),
    "role": ("POST", "/api/v1/users", b'{"name": "bo"}', JSON, 403, "needs the role admin"),
    "key-that-is-none": ("POST", RUNS, b'{"job": "shop"}', {**JSON, "Idempotency-Key": ""}, 422, "at least 1"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_wrong_form_is_refused_with_what_is_wrong_and_what_to_do(people, case):
    method, path, body, headers, status, said = CASES[case]
    answer = people.token(Role.OPERATOR).request(method, path, content=body, headers=headers)
    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), told
    assert said in told["detail"]
    assert told["remedy"], "what to do"
