"""Refresh tokens that end with their first use: all workers of a run, and the next run, go by the newest one."""

import json
import subprocess
import sys
from urllib.parse import parse_qs

import pytest

from ludb.dialects.http.kept_token import Busy, KeptToken
from ludb.dialects.settings import DRY_RUNS, Surroundings
from ludb.model.calls import Answer
from ludb.testing.calls import act, make_call

FIRST = "refresh-tell-nobody-0"
WORKER = """
import sys
from tests_subject import open_target, send
made = open_target(int(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print(send(made, sys.argv[3]), flush=True)
made.close()
"""
SUBJECT = """
from pathlib import Path
from ludb.dialects.settings import Surroundings
from ludb.model.calls import Action
from ludb.targets.rest import RestTarget
from ludb.testing.calls import OUTPUT, make_call

def open_target(port, state):
    base = f"http://127.0.0.1:{port}"
    oauth = {"token_url": f"{base}/token", "client_id": "me", "refresh_token": "FIRST"}
    given = {"type": "rest", "url": base, "timeout": 10, "in_flight": 4, "auth": {"oauth2": oauth}}
    names = {"auth.oauth2.refresh_token": ("CRM_REFRESH",)}
    settings = RestTarget.Settings.model_validate(given)
    return RestTarget("crm", settings, Surroundings(Path(), Path(state), names), {OUTPUT.name: OUTPUT})

def send(made, who):
    actions = [Action("send", make_call(made, {}, f"{who} {at}")) for at in range(15)]
    return ",".join(sorted({str(result.answer) for result in made.perform(actions)}))
""".replace("FIRST", FIRST)


class Rotating:
    """Each refresh token is good once; a second use revokes all of them, and every access token with them."""

    def __init__(self, server, uses):
        self.server, self.uses = server, uses
        self.given, self.revoked, self.left, self.refresh = 0, False, 0, FIRST
        server.answer = self.answer

    async def answer(self, request):
        if request.path == "/token":
            self.server.replies.insert(0, self.token(parse_qs(await request.text())["refresh_token"][0]))
        elif self.revoked or not self.left or request.headers["Authorization"] != f"Bearer access-{self.given}":
            self.server.replies.insert(0, (401, {}, "no"))
        else:
            self.left -= 1

    def token(self, shown):
        kind = {"Content-Type": "application/json"}
        self.revoked = self.revoked or shown != self.refresh
        if self.revoked:
            return 400, kind, '{"error": "invalid_grant"}'
        self.given, self.left = self.given + 1, self.uses
        self.refresh = f"refresh-tell-nobody-{self.given}"
        said = {"access_token": f"access-{self.given}", "expires_in": 3600, "refresh_token": self.refresh}
        return 200, kind, json.dumps(said)


def target(server, state):
    space = {}
    exec(SUBJECT, space)
    return space["open_target"](server.port, state)


def test_two_workers_and_the_next_run_share_a_refresh_token_that_is_good_once(server, tmp_path):
    """A server takes a second use of a spent refresh token for theft: the run would be locked out until a person helps."""
    authority = Rotating(server, uses=1_000)
    (tmp_path / "tests_subject.py").write_text(SUBJECT)
    state = tmp_path / "state"
    command = [sys.executable, "-c", WORKER, str(server.port), str(state)]
    workers = [subprocess.Popen([*command, who], stdin=-1, stdout=-1, cwd=tmp_path, text=True) for who in "ab"]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    assert (said, authority.revoked, authority.given) == (["done", "done"], False, 1)
    authority.left = 0  # the token ends: whoever comes next fetches one, by the newest refresh token
    for at in (2, 3):
        made = target(server, state)
        assert act(made, "send", make_call(made, {}, f"later {at}")).answer is Answer.DONE
        made.close()
        authority.left = 0
    assert (authority.revoked, authority.given) == (False, 3)
    kept = [path for path in state.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert not any(b"tell-nobody" in path.read_bytes() or b"access-" in path.read_bytes() for path in kept)


def test_a_token_that_ends_in_the_midst_of_two_targets_is_replaced_once(server, tmp_path):
    """Both meet the 401: one asks for another token, and the other finds it."""
    authority = Rotating(server, uses=1_000)
    made = [target(server, tmp_path) for _ in range(2)]
    for one in made:
        assert act(one, "send", make_call(one, {}, "first")).answer is Answer.DONE
    authority.left = 0
    for at, one in enumerate(made):
        assert act(one, "send", make_call(one, {}, f"second {at}")).answer is Answer.DONE
        one.close()
    assert (authority.given, authority.revoked) == (2, False)


@pytest.mark.parametrize("harm", ["damaged", "unwritable", "held"])
def test_a_kept_token_that_cannot_be_used_spends_no_other(server, tmp_path, harm, monkeypatch):
    """The configured token is spent: to show it again would revoke what is left."""
    authority = Rotating(server, uses=1_000)
    made = target(server, tmp_path)
    act(made, "send", make_call(made, {}, "first"))
    (kept,) = (path for path in (tmp_path / "tokens").iterdir() if not path.suffix)
    authority.left = 0
    if harm == "damaged":
        kept.write_bytes(b"{}")
    elif harm == "unwritable":
        kept.with_suffix(".part").mkdir()
    else:
        monkeypatch.setattr(KeptToken, "turn", busy)
    result = act(made, "send", make_call(made, {}, "second"))
    made.close()
    assert result.answer is (Answer.DENIED if harm == "damaged" else Answer.UNSENT)
    assert {"damaged": "get a new one", "unwritable": "cannot be written", "held": "another process"}[
        harm
    ] in result.reason
    assert (authority.given, authority.revoked) == (1, False)
    assert "tell-nobody" not in result.reason


def busy(*_):
    raise Busy


def test_who_waits_for_another_process_gives_up_after_its_patience(tmp_path):
    """A stopped process must not hold up all others for ever without a word."""
    one, two = (KeptToken(tmp_path, FIRST, "url") for _ in range(2))
    with one.turn(0), pytest.raises(Busy), two.turn(0):
        pass


def test_a_dry_run_goes_by_the_tokens_of_its_job(tmp_path):
    """Its own state directory is thrown away, and a newer refresh token would be with it."""
    assert Surroundings(tmp_path, tmp_path / DRY_RUNS / "run").lasting == tmp_path
