"""The command line against a server: the same words, answers and exit codes, and each refusal in one clear line."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import threading
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ludb.cli.remote.choice import Choice, alone, choose
from ludb.errors import TransientError
from ludb.model.access import Role
from ludb.model.run import CallState, Owner, RunState
from ludb.remote.client import Client
from ludb.remote.credentials import address_of
from ludb.remote.follow import Follower
from ludb.server.app import create_app
from ludb.server.children import environment_of
from ludb.server.config import ServerConfig
from ludb.server.world import World
from ludb.service.site import open_site
from ludb.testing.repository_calls import make_call
from ludb.testing.repository_world import RUN, claimed, fault, moved, started
from tests.server.conftest import admitted

RULE = {"rules/10_customer/has_name.sql": "select unit_key, 'no name' as reason from billing.account where name = 'Bo'"}


def test_what_a_server_tells_is_what_is_told_on_its_machine_and_values_only_to_who_may_see_them(ludb, shop, listen):
    """Otherwise scripts would have to be written twice."""
    shop.write(RULE)
    run = shop.run().run.id
    token = ludb.file(admitted(shop.site.repository, personal=True))
    url = listen(create_app(World(shop.site, ServerConfig(jobs=(shop.job,)))))
    here, there = ("--state", shop.state), ("--server", url, "--token-file", token)
    for words in (
        ("status", "--json"), ("quarantine", "list", "--json"), ("quarantine", "show", "2", "--json"), ("status", run),
        ("runs",),
    ):  # fmt: skip
        mine, its = ludb(*words, *here), ludb(*there, *words)
        assert mine[0] == its[0] == 0, its
        typed = its[1].replace(" ".join(map(str, there)) + " ", "").replace(" shop\n", " x\n")
        assert typed == mine[1].replace(f" --state {shop.state}", ""), words
    assert [one["name"] for one in json.loads(ludb(*there, "jobs", "--json")[1])] == ["shop"]
    code, out, _ = ludb(*there, "report", "-o", ludb.folder / "r.html")
    assert (code, (ludb.folder / "r.html").read_text().startswith("<!DOCTYPE html>")) == (0, True), out
    assert "no name" in ludb(*there, "quarantine", "list", "--reason", "no name")[1]
    token = ludb.file(admitted(shop.site.repository, "bo", Role.VIEWER))
    code, out, _ = ludb("--server", url, "--token-file", token, "quarantine", "show", "2")
    assert code == 0
    assert "masked" in out
    assert "Bo" not in out
    code, _, err = ludb("--server", url, "--token-file", token, "report", "--open-values")
    assert (code, "may not see row values" in err) == (2, True)


def test_commands_reach_the_run_and_a_refused_one_says_why(ludb, people, listening):
    started(people.world.repository)
    there = ("--server", listening, "--token-file", ludb.token(people.token(Role.OPERATOR)))
    assert ludb(*there, "pause") == (0, f"{RUN} pauses after the chunks in flight: paused\n", "")
    assert people.world.repository.runs.get(RUN).state is RunState.PAUSED


def test_a_setting_a_lost_host_and_a_role_that_is_missing_are_told_as_here(ludb, people, listening):
    """Otherwise nobody could give on the chunks of a host that burnt down, but on the server's own machine."""
    repository = people.world.repository
    started(repository)
    repository.owners.enrol(Owner("w-1", RUN, "worker", "elsewhere", 7, "/nowhere/w-1.lock"))
    there = ("--server", listening, "--token-file", ludb.token(people.token(Role.OPERATOR)))
    assert ludb(*there, "set", RUN, "workers=3")[0] == 0
    assert repository.runs.get(RUN).settings["set.workers"] == 3, repository.runs.get(RUN).settings
    code, _, err = ludb(*there, "declare-dead", RUN, "w-2")
    assert (code, "w-1" in err) == (2, True), "it names who is at work"
    assert ludb(*there, "declare-dead", RUN, "w-1")[0] == 0
    assert [one.state for one in repository.owners.all(RUN)] == ["dead"]
    code, _, err = ludb(*there, "purge", "--older-than", "1d")
    assert (code, err.count("\n"), "refuses this" in err) == (2, 1, True), "an operator purges nothing"


def test_a_run_that_is_over_is_not_stopped_and_the_line_says_why(ludb, people, listening):
    repository = people.world.repository
    started(repository, 4)
    moved(repository, claimed(repository), [fault(1)])
    repository.runs.settle(RUN)
    there = ("--server", listening, "--token-file", ludb.token(people.token(Role.OPERATOR)))
    code, _, err = ludb(*there, "stop")
    assert (code, err.count("\n")) == (2, 1)
    assert "completed_with_exceptions" in err


REFUSED = {
    "unknown token": (lambda t, p, u: ("--server", u, "--token-file", t.file("ludb_guess"), "runs"), 2, "not take the token"),
    "expired token": (
        lambda t, p, u: ("--server", u, "--token-file", t.token(p.token(Role.ADMIN, hours=-1)), "runs"), 2, "ask an admin",
    ),
    "role too low": (
        lambda t, p, u: ("--server", u, "--token-file", t.token(p.token(Role.VIEWER)), "run", "shop"), 2, "role operator",
    ),
    "no such job": (
        lambda t, p, u: ("--server", u, "--token-file", t.token(p.token(Role.ADMIN)), "run", "shop"), 2, "See `ludb jobs`",
    ),
    "no token": (lambda t, p, u: ("--server", u, "runs"), 2, "--token-file FILE"),
    "token open to others": (
        lambda t, p, u: ("--server", u, "--token-file", t.file("ludb_x", 0o640), "runs"), 2, "chmod 600",
    ),
    "server away": (
        lambda t, p, u: ("--server", "http://127.0.0.1:1", "--token-file", t.file("ludb_x"), "runs"), 1, "Connection refused",
    ),
    "no server of ours": (
        lambda t, p, u: ("--server", f"{u}/api", "--token-file", t.token(p.token(Role.ADMIN)), "runs"), 2, "does not answer as",
    ),
    "a folder of this machine": (
        lambda t, p, u: ("--server", u, "--token-file", t.file("ludb_x"), "runs", "--state", "x"), 2, "Leave --state out",
    ),
    "what reads sources here": (
        lambda t, p, u: ("--server", u, "--token-file", t.file("ludb_x"), "plan", "shop"), 2, "--dry-run",
    ),
    "what serves": (lambda t, p, u: ("--server", u, "--token-file", t.file("ludb_x"), "serve"), 2, "Leave --server out"),
    "no address": (lambda t, p, u: ("--server", "here", "--token-file", t.file("ludb_x"), "runs"), 2, "http://127.0.0.1:8321"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal_is_one_line_that_says_what_to_do(ludb, people, listening, case, monkeypatch):
    monkeypatch.setattr("ludb.remote.client.WAITS", ())
    words, code, told = REFUSED[case]
    ended, out, err = ludb(*words(ludb, people, listening))
    lines = [line for line in err.splitlines() if not line.startswith("the server reads")]
    assert (ended, out, len(lines)) == (code, "", 1), err
    assert told in err
    assert "ludb_" not in err


def test_another_version_is_refused_naming_both(ludb, people, listening, monkeypatch):
    from ludb import __version__

    monkeypatch.setattr("ludb.remote.client.__version__", "9.9.1")
    code, _, err = ludb("--server", listening, "--token-file", ludb.token(people.token(Role.ADMIN)), "runs")
    assert (code, f"is ludb {__version__}" in err, "9.9.1" in err) == (2, True, True)


def test_a_certificate_that_nobody_knows_is_refused_until_its_authority_is_named(ludb, people, listen, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ludb")])
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)).not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    url = listen(people.app, ssl_certfile=tmp_path / "cert.pem", ssl_keyfile=tmp_path / "key.pem")
    there = ("--server", url, "--token-file", ludb.token(people.token(Role.ADMIN)))
    code, _, err = ludb(*there, "runs")
    assert (code, err.count("\n")) == (2, 1), err
    assert "--ca-file" in err
    assert ludb(*there, "--ca-file", tmp_path / "cert.pem", "runs")[0] == 0


class Forgetful(BaseHTTPRequestHandler):
    """Takes a command, and drops the line before it answers; answers the next one."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        if len(self.server.keys) == 1:
            self.close_connection = True
            return
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def test_a_command_whose_answer_was_lost_is_sent_again_under_its_own_key(ludb):
    """Otherwise a start that came through would be done twice."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        server.keys = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        client = Client(address_of(url, ludb.file("ludb_x"), None), sleep=lambda _: None)
        assert client.ask("POST", "/runs", {"job": "shop"}) == {}
        assert client.ask("POST", "/runs", {"job": "shop"}) == {}
        server.shutdown()
        thread.join()
    first, again, other = server.keys
    assert first == again != other


class Story:
    """A server whose stream is lost once; keeps from where it was asked to go on."""

    def __init__(self):
        self.asked = []

    def get(self, path):
        if len(self.asked) == 1:
            self.asked.append("away")
            raise TransientError("no answer")
        return {"state": "running", "held": True, "last_event": 3}

    def lines(self, path, last):
        self.asked.append(last)
        yield from ("id: 7", "event: event", "data: {}", "", ": still here")
        if len(self.asked) == 1:
            raise TransientError("lost")
        yield from ("event: progress", 'data: {"state": "completed", "held": true, "last_event": 7}', "")
        yield from ("event: progress", 'data: {"state": "completed", "held": false, "last_event": 7}', "")


def test_a_stream_that_is_lost_is_taken_up_where_it_was_and_the_run_is_followed_to_its_end():
    story, said, seen = Story(), [], []
    ended = Follower(story, "r", seen.append, away=said.append, sleep=lambda _: None).until_over()
    assert story.asked == ["3", "away", "7"]
    assert (ended["state"], ended["held"]) == ("completed", False)
    assert [one["state"] for one in seen] == ["running", "running", "completed", "completed"]
    assert len(said) == 2
    assert said[1] == "the server is back"


def test_ctrl_c_leaves_the_run_to_the_server_and_says_how_to_stop_it(ludb, people, listening, monkeypatch):
    from ludb.cli.remote import acting
    from ludb.cli.remote.choice import Choice, connect

    started(people.world.repository)
    monkeypatch.setattr(Follower, "until_over", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    choice = Choice(listening, ludb.token(people.token(Role.VIEWER)), None, by_option=True)
    assert acting._follow(connect(choice), choice, RUN, json=False) == 130
    assert f"ludb --server {listening}" in (said := ludb._capsys.readouterr().err)
    assert f"stop {RUN}" in said
    assert people.world.repository.runs.get(RUN).state is RunState.RUNNING


def test_what_a_server_starts_does_not_ask_a_server(ludb, world, monkeypatch):
    """Else a server in whose environment an address stands would give each command to itself, for ever."""
    monkeypatch.setenv("LUDB_SERVER", "http://127.0.0.1:1")
    assert "LUDB_SERVER" not in environment_of(world, "ann")
    choose(Choice("http://127.0.0.1:1", None, None, by_option=False))
    alone(lambda: None)()
    assert "LUDB_SERVER" not in os.environ


@pytest.mark.long
def test_a_job_is_run_at_a_server_followed_and_answered_as_here(ludb, shop, served):
    shop.write(RULE)
    with suppress(FileExistsError):
        shop.state.mkdir(mode=0o700)
    site = open_site(state=shop.state, environment=shop.environment)
    token = ludb.file(admitted(site.repository, personal=True))
    site.repository.close()
    _, url, _ = served(str(shop.job), environment=shop.environment)
    there = ("--server", url, "--token-file", token)
    code, out, err = ludb(*there, "run", "shop", "--dry-run", "--limit", "1", "--json")
    assert (code, json.loads(out)["counters"]["done"]) == (0, 1), err
    code, out, err = ludb(*there, "run", "shop", "--json")
    told = json.loads(out)
    assert (code, told["counters"]["done"], told["counters"]["quarantined"]) == (3, 2, 1), err
    assert told["run"]["actor"] == "ann"
    assert shop.rows("billing", "select count(*) from account") == [(2,)]
    code, out, err = ludb(*there, "run", "shop")
    assert (code, "is complete" in err, "--state" in err) == (2, True, False), err
    (shop.job / "rules/10_customer/has_name.sql").unlink()
    code, out, err = ludb(*there, "quarantine", "retry", "--all", "--json")
    assert (code, json.loads(out)["counters"]["done"]) == (0, 3), err
    assert "Ann" in ludb(*there, "unit", "1")[1]
    assert ludb(*there, "unit", "1", "--sql", "select count(*) as n from orders")[1] == "n\n2\n"
    code, out, err = ludb(*there, "purge", "--older-than", "0m", "--yes", "--with-exceptions")
    assert (code, "purged 1 run" in out) == (0, True), (out, err)


def test_what_became_of_a_call_is_said_at_a_server_with_who_said_it(ludb, people, listening, monkeypatch):
    """Otherwise a customer in doubt would wait for whoever may log in to the server's machine."""
    repository = people.world.repository
    started(repository)
    chunk = claimed(repository)
    call = make_call(0)
    repository.calls.intend(chunk, [call])
    repository.calls.mark(chunk, [call], CallState.SENT)
    repository.calls.mark(chunk, [replace(call, state=CallState.SENT)], CallState.IN_DOUBT, "nobody can tell")
    there = ("--server", listening, "--token-file", ludb.token(people.token(Role.OPERATOR)))
    assert call.id in ludb(*there, "calls", RUN, "--state", "in_doubt", "--json")[1]
    asked = []

    def decided(_, actor, words):  # by a process of the job's own, which this world has not
        asked.append((actor, words))
        return {"call": call.id, "state": "done", "unit": "100", "pending": False}

    monkeypatch.setattr("ludb.server.routes.doubts.ask", decided)
    words = ("resolve", call.id, "done", "--returns", "id=c-9", "--reason", "asked the CRM's owner", "--run", RUN)
    code, out, err = ludb(*there, *words)
    assert (code, err, call.id in out) == (0, "", True), (out, err)
    ((_, said),) = asked
    assert said == ["resolve", call.id, "done", "--reason=asked the CRM's owner", f"--run={RUN}", "--returns=id=c-9"]
    entries = people.token(Role.ADMIN).get("/api/v1/audit").json()["items"]
    assert [one["after"] for one in entries if one["action"] == "call.resolve"] == [
        {"call": call.id, "word": "done", "state": "done", "reason": "asked the CRM's owner"}
    ]
    code, _, err = ludb(*there, *words[:3], "--run", RUN)
    assert (code, "Say how it was looked up: --reason TEXT" in err, len(asked)) == (2, True, 1), err
