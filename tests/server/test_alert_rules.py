"""An editor decides what is raised, how grave it is, and who is told how: by webhook and mail, with secrets by name only."""

from __future__ import annotations

import email
import hashlib
import hmac
import socket
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ludb.model.access import Role
from ludb.model.alerts import Alert, Severity
from ludb.model.run import RunState
from ludb.model.tasks import Sample
from ludb.server.watchman import Watchman
from ludb.service.alerts_channels import Channel, Untold, send
from ludb.service.alerts_rules import RULES
from ludb.testing.repository_world import RUN, started


@pytest.fixture
def server(people):
    """A server whose environment holds secrets, with a run; and an editor."""
    site = replace(
        people.world.site,
        environment={"LUDB_ALERT_MAIL": "pw", "LUDB_ALERT_KEY": "k", "CRM_PASSWORD": "x", "LUDB_ALERT_URL": ""},
    )
    people.world = people.app.state.world = replace(people.world, site=site)
    started(people.world.repository, units=40, size=40)
    return people, people.token(Role.EDITOR)


def look(people):
    """One look of the server; everybody is told before it returns, and no second is waited."""
    Watchman(people.world, later=lambda do: do(), wait=lambda _: None).look()
    return [one.rule for one in people.world.repository.alerts.standing(RUN)]


def full(people, share=0.95):
    """The host's memory is used so much."""
    people.world.repository.samples.add(RUN, Sample(people.world.now(), 5.0, 0, {"host_memory": share}), most=10)


def test_every_rule_is_listed_with_its_thresholds_and_one_that_is_not_can_not_be_changed(server):
    people, client = server
    told = {one["name"]: one for one in people.token(Role.VIEWER).get("/api/v1/alert-rules").json()}
    assert set(told) == set(RULES)
    assert told["slow"]["limits"] == told["slow"]["standard"] == {"slow": 0.5, "slow_for": 300.0}
    assert client.patch("/api/v1/alert-rules/nonesuch", json={}).status_code == 404


def test_a_threshold_a_severity_and_a_switch_are_in_force_at_the_next_look(server):
    people, client = server
    full(people, 0.8)
    assert look(people) == []
    path = "/api/v1/alert-rules/memory"
    changed = client.patch(path, json={"limits": {"memory": 0.7}, "severity": "warning"}).json()
    assert (changed["limits"], changed["changed_by"]) == ({"memory": 0.7}, "the-editor")
    assert look(people) == ["memory"]
    assert [one.severity for one in people.world.repository.alerts.standing(RUN)] == ["warning"]
    client.patch(path, json={"enabled": False})
    assert look(people) == [], "what is switched off is over"
    reset = client.delete(path).json()
    assert (reset["limits"], reset["severity"], reset["enabled"]) == ({"memory": 0.92}, "critical", True)
    actions = {one.action for one in people.world.repository.access.audit.page()}
    assert actions == {"alert-rule.change", "alert-rule.reset"}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("memory", {"limits": {"disk": 0.5}}, "no threshold disk"),
        ("memory", {"limits": {"memory": 1.5}}, "from 0 to 1"),
        ("stalled", {"limits": {"stalled": 0}}, "from 1"),
        ("memory", {"channels": ["nonesuch"]}, "no channel nonesuch"),
        ("memory", {"severity": "loud"}, "warning"),
    ],
    ids=["foreign", "share", "seconds", "channel", "severity"],
)
def test_what_can_not_be_set_is_refused_by_name(server, name, change, said):
    answer = server[1].patch(f"/api/v1/alert-rules/{name}", json=change)
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text


def webhook(url, **more):
    return {"name": "hook", "webhook": {"url": url}, **more}


def test_a_webhook_is_signed_told_of_what_it_is_for_and_tried(server, hook):
    people, client = server
    asked = webhook(hook.url, least="critical")
    asked["webhook"]["secret"] = "${LUDB_ALERT_KEY}"
    made = client.post("/api/v1/alert-channels", json=asked).json()
    other = client.post("/api/v1/alert-channels", json=webhook(f"{hook.url}/other")).json()
    client.patch("/api/v1/alert-rules/memory", json={"channels": [made["id"]]})
    full(people)
    assert look(people) == ["memory"]
    ((_, document, sent),) = hook.got
    signature = hmac.new(b"k", sent["body"], hashlib.sha256).hexdigest()
    assert (document["rule"], sent["X-Ludb-Signature"]) == ("memory", f"sha256={signature}")
    client.patch("/api/v1/alert-rules/no_worker", json={"severity": "warning"})
    assert client.post(f"/api/v1/alert-channels/{other['id']}/try").json() == {"told": True, "reason": ""}
    hook.answer = 500
    failed = client.post(f"/api/v1/alert-channels/{other['id']}/try").json()
    assert failed == {"told": False, "reason": "the webhook answered 500"}


def test_an_alert_that_is_less_grave_than_a_channel_asks_for_or_of_a_channel_that_is_off_is_not_told(server, hook):
    people, client = server
    client.post("/api/v1/alert-channels", json=webhook(hook.url, least="critical"))
    client.post("/api/v1/alert-channels", json=webhook(hook.url, enabled=False))
    client.patch("/api/v1/alert-rules/memory", json={"severity": "warning"})
    full(people)
    assert (look(people), hook.got) == (["memory"], [])


def test_people_who_can_not_be_told_are_tried_again_and_then_an_event_says_so(server, hook):
    people, client = server
    client.post("/api/v1/alert-channels", json=webhook(f"{hook.url}/hidden"))
    hook.answer = 503
    full(people)
    look(people)
    assert len(hook.got) == 4
    events = [event for _, _, event in people.world.repository.events.since(RUN)]
    assert [one.name for one in events] == ["alert.raised", "alert.untold"]
    assert (events[1].data["reason"], "hidden" in str(events[1].data)) == ("the webhook answered 503", False)


@pytest.mark.parametrize(
    "channel",
    [
        webhook("file:///etc/passwd"), webhook("${CRM_PASSWORD}"), webhook("nonsense"), {"name": "none"},
        {"name": "hook", "webhook": {"url": "https://example.org", "secret": "written out"}},
        {"name": "mail", "smtp": {"host": "h", "sender": "a@b", "to": ["c@d"], "password": "${CRM_PASSWORD}"}},
        {"name": "mail", "smtp": {"host": "h", "sender": "a@b", "to": ["c@d\r\nBcc: e@f"]}},
        {
            "name": "mail",
            "smtp": {
                "host": "h", "security": "none", "user": "u", "password": "${LUDB_ALERT_MAIL}", "sender": "a@b", "to": ["c@d"],
            },
        },
    ],
    ids=["file", "foreign-variable", "no-url", "nothing", "open-secret", "foreign-password", "header", "plain-password"],
)  # fmt: skip
def test_a_channel_by_which_a_secret_could_leave_is_refused(server, channel):
    answer = server[1].post("/api/v1/alert-channels", json=channel)
    assert answer.status_code == 422
    assert "written out" not in answer.text


class Post:
    """A mail server's memory."""

    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  (aiosmtpd's name)
        self.got.append((session.authenticated, envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 OK"


class Mailbox(Controller):
    """Listens at a port that the system chose, which is known once it listens."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def mail(tmp_path, monkeypatch):
    """A real mail server on loopback that wants STARTTLS and a password."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = (
        builder.public_key(key.public_key()).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, secret)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    post = Post()
    controller = Mailbox(
        post, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True, auth_required=True,
        authenticator=lambda *given: AuthResult(success=given[-1].password == b"pw"),
    )  # fmt: skip
    controller.start()
    post.port = controller.port
    yield post
    controller.stop()


def test_a_mail_goes_out_by_tls_with_a_password_that_stands_nowhere(server, mail):
    people, client = server
    smtp = {
        "host": "localhost", "port": mail.port, "security": "starttls", "user": "ludb", "password": "${LUDB_ALERT_MAIL}",
        "sender": "ludb@example.org", "to": ["night@example.org", "boss@example.org"],
    }  # fmt: skip
    made = client.post("/api/v1/alert-channels", json={"name": "mail", "smtp": smtp})
    assert made.status_code == 201, made.text
    full(people)
    assert look(people) == ["memory"]
    ((authenticated, to, message),) = mail.got
    assert (authenticated, to) == (True, ["night@example.org", "boss@example.org"])
    assert message["Subject"] == "[ludb critical] memory: telco"
    assert "95% of the host's memory is used" in message.get_payload()
    path = f"/api/v1/alert-channels/{made.json()['id']}"
    assert client.put(path, json={"name": "mail", "smtp": {**smtp, "user": None, "password": None}}).status_code == 200
    assert client.post(f"{path}/try").json()["reason"].startswith("the mail server refused it: 5")
    assert client.put(path, json={"name": "mail", "smtp": {**smtp, "port": 1}}).status_code == 200
    assert client.post(f"{path}/try").json() == {"told": False, "reason": "it was not reached: ConnectionRefusedError"}
    assert client.delete(path).status_code == 204
    assert client.get("/api/v1/alert-channels").json() == []


def test_a_run_that_failed_is_told_whatever_else_is_set(server, hook):
    people, client = server
    client.post("/api/v1/alert-channels", json=webhook(hook.url))
    people.world.repository.runs.change(RUN, RunState.FAILED, "why")
    assert look(people) == ["run_failed"]
    assert [document["text"] for _, document, _ in hook.got] == ["the run failed: why"]


def test_a_webhook_that_answers_for_ever_keeps_nobody_waiting_for_ever():
    """Each byte comes in time, the answer never ends: without a bound the thread of whoever tells would be lost."""
    hangs = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip():
            with listening.accept()[0] as line:
                line.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                while not hangs.wait(0.02):
                    line.sendall(b".")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/hidden"
        channel = Channel("c", "hook", "webhook", {"url": url})
        with pytest.raises(Untold, match=r"^it took more than 0 seconds$"):
            send(channel, Alert(1, RUN, "telco", "memory", Severity.WARNING, "words", 0.0), {}, within=0.3)
        hangs.set()
        thread.join()


def test_why_a_webhook_was_not_reached_is_said_without_its_address(server):
    made = server[1].post("/api/v1/alert-channels", json=webhook("http://127.0.0.1:1/hidden")).json()
    said = server[1].post(f"/api/v1/alert-channels/{made['id']}/try").json()
    assert said == {"told": False, "reason": "it was not reached: ConnectionRefusedError"}
