"""Logging in by OpenID Connect: against a certified provider on loopback, and against one that lies in every way."""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import RSAKey

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.server.oidc_settings import read_settings
from ludb.server.rules import COOKIE, CSRF
from ludb.server.world import World

HERE = Path(__file__).parent / "oidc"
BASE = "http://127.0.0.1:8321"
SECRET = "a-client-secret"
START, BACK = "/api/v1/session/oidc/login", "/api/v1/session/oidc/callback"


def settings(tmp_path, issuer, **more):
    """The file of settings, with the secret in another one."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    told = {"issuer": issuer, "client_id": "ludb", "client_secret_file": "secret", "role_claim": "groups"}
    told |= {"label": "Example login", "public_url": BASE, "personal": ["ludb-personal"], **more}
    lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
    file = tmp_path / "oidc.toml"
    file.write_text("\n".join([*lines, "[roles]", 'ludb-editors = "editor"', 'ludb-viewers = "viewer"', ""]))
    return file


def knowing(people, file):
    """The server, with this provider."""
    old = people.world
    config = replace(old.config, oidc=file)
    people.world = people.app.state.world = World(old.site, config, now=old.now, passwords=old.passwords)
    return people


def audit(people):
    return [(one.action, one.outcome) for one in people.world.repository.access.audit.page()]


@pytest.fixture(scope="module")
def issuer():
    """The npm package `oidc-provider`, in a process of its own."""
    npm = shutil.which("npm")
    if npm is None:
        if os.environ.get("CI"):
            pytest.fail("npm is not installed: OpenID Connect is not tested")
        pytest.skip("NOT TESTED: Node is not installed, so OpenID Connect is not tested against a real provider")
    with (HERE / ".gitignore").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # tests run in several processes, and one installs
        if not (HERE / "node_modules/.package-lock.json").is_file():
            subprocess.run([npm, "ci", "--silent"], cwd=HERE, check=True, capture_output=True)
    command = ["node", str(HERE / "provider.mjs"), BASE + BACK, f"{BASE}/"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield next(line for line in map(bytes.decode, process.stdout) if line.startswith("http")).strip()
        process.stdin.close()


def sign_in(address, name):
    """What a person does at the provider: name, any password, consent. Returns the address that the browser is sent back to."""
    with requests.Session() as browser:
        answer = browser.get(address, allow_redirects=False)
        for _ in range(12):
            if answer.is_redirect:
                to = urljoin(answer.url, answer.headers["location"])
                if to.startswith(BASE):
                    return to
                answer = browser.get(to, allow_redirects=False)
            else:
                form = html.unescape(re.search(r'<form[^>]* action="([^"]+)"', answer.text)[1])
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)[1]
                fields = {"prompt": prompt, "login": name, "password": "any"}
                answer = browser.post(urljoin(answer.url, form), data=fields, allow_redirects=False)
    raise AssertionError("the provider never came to an end")


def come_back(client, name, page="/runs"):
    """Begin, sign in, come back: the answer of our callback."""
    begun = client.get(START, params={"next": page}, follow_redirects=False)
    assert begun.status_code == 303, begun.text
    back = sign_in(begun.headers["location"], name)
    return client.get(back.removeprefix(BASE), follow_redirects=False)


def test_somebody_logs_in_is_made_a_user_and_logs_out(people, tmp_path, issuer, real_time):
    people = knowing(people, settings(tmp_path, issuer))
    client = people.client()
    methods = client.get("/api/v1/session/methods").json()
    assert methods["oidc"] == {"label": "Example login", "login": START}
    answer = come_back(client, "ann")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs")
    set_cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE))
    assert "HttpOnly" in set_cookie
    assert "SameSite=strict" in set_cookie
    session = client.get("/api/v1/session").json()
    assert (session["user"], session["role"], session["personal"]) == ("ann", "editor", True)
    assert people.world.repository.access.users.get("ann").created_by == "oidc"
    assert come_back(people.client(), "ann").headers["location"] == "/runs", "the second time she is known"
    client.headers[CSRF] = session["csrf"]
    left = client.post("/api/v1/session/oidc/logout").json()["redirect"]
    assert left.startswith(f"{issuer}/session/end?client_id=ludb&post_logout_redirect_uri=")
    assert requests.get(left, timeout=10).status_code == 200
    assert client.get("/api/v1/session").status_code == 401
    denied = people.client().post("/api/v1/login", json={"user": "ann", "password": "any"})
    assert denied.status_code == 401, "she has no password here"


def test_whoever_has_no_role_or_another_s_name_is_not_let_in(people, tmp_path, issuer, real_time):
    people = knowing(people, settings(tmp_path, issuer))
    people.user(Role.ADMIN, "admin")
    for name, kind in (("bo", "role"), ("admin", "name")):
        client = people.client()
        assert come_back(client, name).headers["location"] == f"/login?refused={kind}"
        assert client.get("/api/v1/session").status_code == 401
    assert people.world.repository.access.users.get("bo") is None
    assert people.world.repository.access.users.get("admin").password != "!"


@pytest.fixture
def real_time(people, clock):
    """The provider lives in the present."""
    import time

    clock.now = time.time()


KEY, OTHER = RSAKey.generate_key(2048, {"kid": "k1"}), RSAKey.generate_key(2048, {"kid": "k1"})


class Liar(BaseHTTPRequestHandler):
    """A provider that says what the test wants."""

    def do_GET(self):
        at = self.server.url
        told = {
            "/.well-known/openid-configuration": {
                "issuer": self.server.calls_itself or at, "authorization_endpoint": f"{at}/auth",
                "token_endpoint": f"{at}/token", "jwks_uri": f"{at}/jwks", "userinfo_endpoint": f"{at}/me",
            },
            "/jwks": {"keys": [self.server.published.as_dict(private=False)]},
            "/me": {"sub": self.server.user_info, "groups": ["ludb-editors"]},
        }[self.path]  # fmt: skip
        self._say(told)

    def do_POST(self):
        given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append(given)
        header = {"alg": self.server.algorithm, "kid": "k1"}
        key = self.server.key
        token = jwt.encode(header, self.server.claims, key, algorithms=[self.server.algorithm])
        self._say({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def _say(self, told):
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def liar(people, tmp_path, clock):
    """The server, and a provider that lies."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Liar) as server:
        server.url, server.calls_itself, server.asked = f"http://127.0.0.1:{server.server_address[1]}", "", []
        server.key, server.algorithm, server.user_info, server.published = KEY, "RS256", "s1", KEY
        server.file = settings(tmp_path, server.url)
        server.people = knowing(people, server.file)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def begin(liar, client):
    """Begin a login; the provider then has honest claims for it. Returns what it was sent."""
    begun = client.get(START, follow_redirects=False)
    asked = {name: one[0] for name, one in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    now = int(liar.people.world.now())
    liar.claims = {
        "iss": liar.url, "aud": "ludb", "sub": "s1", "nonce": asked["nonce"], "iat": now, "exp": now + 300,
        "preferred_username": "eve", "groups": ["ludb-editors"],
    }  # fmt: skip
    return asked


def end(client, state, **more):
    return client.get(BACK, params={"state": state, "code": "c", **more}, follow_redirects=False).headers["location"]


def test_an_honest_provider_is_asked_with_pkce_and_the_code_s_proof(liar):
    client = liar.people.client()
    asked = begin(liar, client)
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert end(client, asked["state"]) == "/"
    (given,) = liar.asked
    assert len(given["code_verifier"][0]) >= 43
    assert asked["code_challenge"] not in given["code_verifier"]
    assert client.get("/api/v1/session").json()["user"] == "eve"


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"}, {"aud": "another"}, {"aud": ["ludb", "another"], "azp": "another"},
        {"nonce": "another"}, {"exp": 0}, {"iat": 9_000_000_000}, {"sub": None}, {"nonce": None}, {"exp": None},
    ],
    ids=["issuer", "audience", "party", "nonce", "expired", "future", "no-subject", "no-nonce", "endless"],
)  # fmt: skip
def test_an_id_token_that_is_not_for_this_login_lets_nobody_in(liar, change):
    client = liar.people.client()
    asked = begin(liar, client)
    liar.claims = {name: value for name, value in {**liar.claims, **change}.items() if value is not None}
    assert end(client, asked["state"]) == "/login?refused=token"
    assert client.get("/api/v1/session").status_code == 401
    assert liar.people.world.repository.access.users.all() == []


@pytest.mark.parametrize("how", ["other-key", "shared-secret", "none"])
def test_an_id_token_that_the_provider_s_keys_did_not_sign_lets_nobody_in(liar, how, monkeypatch):
    client = liar.people.client()
    asked = begin(liar, client)
    if how == "other-key":
        liar.key = OTHER
    elif how == "shared-secret":
        from joserfc.jwk import OctKey

        liar.key, liar.algorithm = OctKey.import_key(SECRET + "-long-enough-for-it-to-be-used"), "HS256"
    else:
        import base64

        part = lambda one: base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=")  # noqa: E731
        text = f"{part({'alg': 'none'})}.{part(liar.claims)}."
        monkeypatch.setattr(jwt, "encode", lambda *_, **__: text)
    assert end(client, asked["state"]) == "/login?refused=token"
    assert liar.people.world.repository.access.users.all() == []


def test_clocks_may_differ_by_a_minute_and_no_more(liar, clock):
    for late, way in ((50, "/"), (70, "/login?refused=token")):
        client = liar.people.client()
        asked = begin(liar, client)
        liar.claims |= {"exp": int(clock.now) - late, "iat": int(clock.now) - 400}
        assert end(client, asked["state"]) == way
    client = liar.people.client()
    asked = begin(liar, client)
    liar.claims |= {"iat": int(clock.now) + 50}
    assert end(client, asked["state"]) == "/"


def test_a_login_ends_in_the_browser_in_which_it_began_once_and_within_ten_minutes(liar, clock):
    client, other = liar.people.client(), liar.people.client()
    state = begin(liar, client)["state"]
    assert end(other, state) == "/login?refused=state", "another's browser"
    assert end(client, state) == "/login?refused=state", "the state is used up"
    state = begin(liar, client)["state"]
    clock.now += 601
    assert end(client, state) == "/login?refused=state"
    state = begin(liar, client)["state"]
    assert end(client, state, error="access_denied") == "/login?refused=denied"
    assert end(client, "guessed") == "/login?refused=state"
    assert liar.asked == [], "no code was sent to the provider"


def test_rights_are_those_of_the_newest_login_and_who_loses_some_is_logged_out(liar, clock):
    people, first = liar.people, liar.people.client()
    people.user(Role.ADMIN, "root")
    assert end(first, begin(liar, first)["state"]) == "/"
    second = people.client()
    asked = begin(liar, second)
    liar.claims["groups"] = ["ludb-viewers", "ludb-personal"]
    assert end(second, asked["state"]) == "/"
    told = second.get("/api/v1/session").json()
    assert (told["role"], told["personal"]) == ("viewer", True)
    assert first.get("/api/v1/session").status_code == 401
    users = people.world.repository.access.users
    users.change(replace(users.get("eve"), active=False))
    third = people.client()
    assert end(third, begin(liar, third)["state"]) == "/login?refused=inactive"


def test_whoever_has_no_role_any_more_is_logged_out_and_their_tokens_only_read(liar, clock):
    """Otherwise whoever leaves the company steers migrations for twelve hours, and by tokens for weeks."""
    people, first = liar.people, liar.people.client()
    people.user(Role.ADMIN, "root")
    assert end(first, begin(liar, first)["state"]) == "/"
    users = people.world.repository.access.users
    assert users.get("eve").role is Role.EDITOR
    again = people.client()
    asked = begin(liar, again)
    liar.claims["groups"] = []
    liar.user_info = "another"
    assert end(again, asked["state"]) == "/login?refused=role"
    assert first.get("/api/v1/session").status_code == 401
    assert (users.get("eve").role, users.get("eve").personal) == (Role.VIEWER, False)
    liar.user_info = "s1"
    assert end(again, begin(liar, again)["state"]) == "/"
    assert users.get("eve").role is Role.EDITOR, "with the role comes all of it again"


def test_a_provider_that_changes_its_keys_is_believed_without_a_new_start(liar):
    client = liar.people.client()
    assert end(client, begin(liar, client)["state"]) == "/"
    liar.key = liar.published = RSAKey.generate_key(2048, {"kid": "k1"})
    assert end(client, begin(liar, client)["state"]) == "/"
    liar.key = KEY
    assert end(client, begin(liar, client)["state"]) == "/login?refused=token", "the old one counts no more"


def test_a_provider_that_never_answers_keeps_nobody_waiting_who_is_logged_in(people, tmp_path, listen):
    """Anybody may begin a login: a crowd of them would hold every thread for as long as the provider is silent."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent, ThreadPoolExecutor(24) as crowd:
        people = knowing(people, settings(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}"))
        secret = {"Authorization": people.token(Role.VIEWER).headers["Authorization"]}
        url = listen(people.app)
        begun = [crowd.submit(requests.get, url + START, timeout=60, allow_redirects=False) for _ in range(24)]
        line, _ = silent.accept()
        for path in ("runs", "alerts"):
            assert requests.get(f"{url}/api/v1/{path}", headers=secret, timeout=5).status_code == 200
        line.close()
        assert {one.result().headers["location"] for one in begun} == {"/login?refused=away"}


def test_what_the_provider_says_of_another_subject_does_not_count(liar):
    client = liar.people.client()
    asked = begin(liar, client)
    del liar.claims["groups"]
    liar.user_info = "s2"
    assert end(client, asked["state"]) == "/login?refused=role"
    asked = begin(liar, client)
    del liar.claims["groups"]
    liar.user_info = "s1"
    assert end(client, asked["state"]) == "/"


def test_a_provider_that_calls_itself_by_another_name_or_is_away_lets_nobody_in(liar, people, tmp_path):
    liar.calls_itself = "https://evil.example"
    assert people.client().get(START, follow_redirects=False).headers["location"] == "/login?refused=token"
    people = knowing(people, settings(tmp_path, "http://127.0.0.1:1"))
    assert people.client().get(START, follow_redirects=False).headers["location"] == "/login?refused=away"
    assert [outcome.startswith("refused: ") for _, outcome in audit(people)] == [True, True]


@pytest.mark.parametrize(
    "place", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""],
    ids=["host", "address", "backslash", "script", "empty"],
)  # fmt: skip
def test_nobody_is_sent_to_another_site_after_the_login(liar, place):
    client = liar.people.client()
    begin(liar, client)
    state = parse_qs(
        urlsplit(client.get(START, params={"next": place}, follow_redirects=False).headers["location"]).query
    )
    liar.claims["nonce"] = state["nonce"][0]
    assert end(client, state["state"][0]) == "/"


def test_without_a_provider_there_is_no_such_login(people):
    assert people.client().get("/api/v1/session/methods").json() == {"password": True, "oidc": None}
    assert people.client().get(START, follow_redirects=False).status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issuer": "http://login.example.org"}, "https"), ({"client_secret": SECRET}, "not written here"),
        ({"client_secret_file": "nowhere"}, "cannot be read"), ({"rolls": 1}, "Extra"),
    ],
    ids=["plain", "secret", "no-file", "typo"],
)  # fmt: skip
def test_settings_that_can_not_be_used_are_refused_without_the_secret(tmp_path, change, said):
    told = {"issuer": "https://login.example.org", **change}
    file = settings(tmp_path, **told)
    with pytest.raises(ConfigError, match=said) as refused:
        read_settings(file)
    assert SECRET not in str(refused.value)
