"""How a `rest` system is opened: keys, passwords, tokens, certificates. No secret comes back, none stands in the job."""

import asyncio
import base64
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError
from ludb.model.calls import Action, Answer
from ludb.targets.rest import RestTarget
from ludb.testing.calls import OUTPUT, act, make_call, raised

PASSWORD = "tell-nobody-4711"


@pytest.fixture
def opened(server, tmp_path):
    """Makes a target with `auth`, whose secrets come from variables unless `variables` says otherwise."""
    made = []

    def make(auth, *, variables=None, url="", folder=Path(), state=None, **settings):
        names = {f"auth.{name}": ("CRM_SECRET",) for name in dotted(auth)} | {"tls.password": ("KEY_PASSWORD",)}
        names = names if variables is None else variables
        given = {
            "type": "rest",
            "url": url or f"http://127.0.0.1:{server.port}/api",
            "timeout": 10,
            "auth": auth,
            **settings,
        }
        system = RestTarget.Settings.model_validate(given)
        made.append(RestTarget("crm", system, Surroundings(folder, state or tmp_path, names), {OUTPUT.name: OUTPUT}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def dotted(entry, prefix=""):
    for name, value in entry.items():
        yield from dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]


class Authority:
    """Gives out tokens `t1`, `t2`, ... at /token of the test's server; the API takes those that are not `spoilt`."""

    def __init__(self, server, life=3600):
        self.server, self.life, self.given, self.spoilt, self.asked = server, life, 0, set(), []
        self.status, self.error = 200, ""
        self.gate = None
        server.answer = self.answer

    async def answer(self, request):
        if request.path != "/token":
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token in self.spoilt or not token.startswith("token-"):
                self.server.replies.insert(0, (401, {}, f"you sent {token}"))
            return
        self.asked.append((request.headers.get("Authorization"), parse_qs(await request.text())))
        if self.gate is not None:
            await self.gate.wait()
        self.given += 1
        said = {"error": self.error} if self.error else {
            "access_token": f"token-{self.given}", "token_type": "Bearer", "expires_in": self.life,
            "refresh_token": f"refresh-{self.given}",
        }  # fmt: skip
        self.server.replies.insert(0, (self.status, {"Content-Type": "application/json"}, json.dumps(said)))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.port}/token"

    def oauth(self, **more):
        return {"oauth2": {"token_url": self.url, "client_id": "me", "client_secret": PASSWORD, **more}}


def bearers(server):
    return [seen[2].get("Authorization") for seen in server.seen if "/customer" in seen[1]]


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"bearer": PASSWORD}, "Authorization", f"Bearer {PASSWORD}"),
        ({"api_key": {"key": PASSWORD}}, "X-API-Key", PASSWORD),
        ({"api_key": {"key": PASSWORD, "header": "Key"}}, "Key", PASSWORD),
        ({"basic": {"user": "me", "password": PASSWORD}}, "Authorization",
         "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()),
    ],
    ids=["bearer", "key", "named key", "basic"],
)  # fmt: skip
def test_the_credential_is_sent_and_what_the_server_repeats_of_it_is_masked(server, opened, auth, header, value):
    server.replies = [(400, {}, f"you sent {value} and {PASSWORD}"), (401, {}, "")]
    made = opened(auth)
    result = act(made, "send", make_call(made, {}))
    assert server.seen[0][2][header] == value
    assert PASSWORD not in result.body
    assert value not in result.body
    denied = act(made, "send", make_call(made, {}))
    assert denied.answer is Answer.DENIED
    assert "credential CRM_SECRET was refused" in denied.reason


def test_a_key_may_travel_in_the_query(server, opened):
    made = opened({"api_key": {"key": "k&1", "query": "api key"}})
    call = make_call(made, {})
    for kind in ("send", "probe"):
        act(made, kind, call)
    assert server.seen[0][1] == "/api/customer?api%20key=k%261"
    assert server.seen[1][1].endswith(f"characteristic.value={call.id}&api%20key=k%261")
    assert "k%261" not in call.request.path, "the journal keeps no secret"


@pytest.mark.parametrize(
    ("auth", "field"),
    [
        ({"bearer": PASSWORD}, "auth.bearer"),
        ({"basic": {"user": "me", "password": PASSWORD}}, "auth.basic.password"),
        (
            {"oauth2": {"token_url": "http://x/t", "client_id": "me", "client_secret": PASSWORD}},
            "auth.oauth2.client_secret",
        ),
    ],
    ids=["bearer", "basic", "oauth2"],
)
def test_a_secret_in_the_jobs_own_text_is_refused(opened, auth, field):
    """`job.yaml` is in git."""
    said = raised(ConfigError, lambda: opened(auth, variables={}))
    assert f"systems.crm.{field}" in said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    "fields",
    [
        {"auth": {}},
        {"auth": {"bearer": "tell-nobody", "api_key": {"key": "tell-nobody"}}},
        {"auth": {"bearer": "tell\nnobody"}},
        {"auth": {"api_key": {"key": "tell-nobody", "header": "A", "query": "b"}}},
        {"auth": {"oauth2": {"token_url": "https://me:tell-nobody@host/t", "client_id": "x", "client_secret": "y"}}},
        {"auth": {"oauth2": {"token_url": "https://host/t", "client_id": "x"}}},
        {"auth": {"bearer": "tell-nobody"}, "headers": {"authorization": "tell-nobody"}},
        {"auth": {"bearer": "tell-nobody"}, "url": "https://me:tell-nobody@host"},
        {"auth": {"api_key": {"key": "tell-nobody"}}, "headers": {"x-api-key": "tell-nobody"}},
        {"tls": {"key": "k.pem"}},
        {"tls": {"ca": "ca.pem"}, "url": "http://host"},
    ],
    ids=str,
)
def test_a_mistake_in_how_a_system_is_opened_is_refused_without_showing_a_secret(fields):
    with pytest.raises(ValidationError) as refused:
        RestTarget.Settings.model_validate({"type": "rest", "url": "https://host", **fields})
    assert "tell-nobody" not in str(refused.value)


def test_many_calls_share_one_token(server, opened):
    authority = Authority(server)
    made = opened(authority.oauth(scope="a b", audience="crm"), in_flight=8)
    actions = [Action("send", make_call(made, {}, f"call {at}")) for at in range(20)]
    assert {result.answer for result in made.perform(actions)} == {Answer.DONE}
    assert bearers(server) == ["Bearer token-1"] * 20
    ((header, asked),) = authority.asked
    assert header == "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert asked == {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["crm"]}


def test_the_secret_may_be_sent_in_the_body(server, opened):
    authority = Authority(server)
    made = opened(authority.oauth(send_as="post"))
    act(made, "send", make_call(made, {}))
    ((header, asked),) = authority.asked
    assert (header, asked["client_secret"]) == (None, [PASSWORD])


def test_a_token_that_the_api_refuses_is_replaced_once_for_all_that_used_it(server, opened):
    """A revoked token must not pause a run that can have another one."""
    authority = Authority(server)
    made = opened(authority.oauth(), in_flight=4)
    act(made, "send", make_call(made, {}))
    authority.spoilt.add("token-1")
    actions = [Action("send", make_call(made, {}, f"call {at}")) for at in range(6)]
    assert {result.answer for result in made.perform(actions)} == {Answer.DONE}
    assert (authority.given, bearers(server).count("Bearer token-2")) == (2, 6)


def test_an_api_that_refuses_a_fresh_token_too_is_told_as_denied_and_the_token_is_masked(server, opened):
    authority = Authority(server)
    made = opened(authority.oauth())
    authority.spoilt |= {"token-1", "token-2"}
    result = act(made, "send", make_call(made, {}))
    assert (result.answer, authority.given) == (Answer.DENIED, 2)
    assert result.body == "you sent ***"


def test_a_token_is_renewed_before_it_ends(server, opened):
    """`expires_in` of no time at all: every call needs another one."""
    authority = Authority(server, life=0)
    made = opened(authority.oauth())
    for _ in range(2):
        assert act(made, "send", make_call(made, {})).answer is Answer.DONE
    assert bearers(server) == ["Bearer token-1", "Bearer token-2"]


def test_a_refresh_token_gives_tokens_and_is_itself_replaced_by_a_newer_one(server, opened):
    authority = Authority(server, life=0)
    made = opened({"oauth2": {"token_url": authority.url, "client_id": "me", "refresh_token": "refresh-0"}})
    for _ in range(2):
        assert act(made, "send", make_call(made, {})).answer is Answer.DONE
    assert [(asked["grant_type"], asked["refresh_token"]) for _, asked in authority.asked] == [
        (["refresh_token"], ["refresh-0"]), (["refresh_token"], ["refresh-1"]),
    ]  # fmt: skip


@pytest.mark.parametrize(("status", "error"), [(400, "invalid_client"), (401, ""), (200, "invalid_scope"), (302, "")])
def test_an_authority_that_refuses_us_pauses_the_run_and_is_told_at_the_start(server, opened, status, error):
    authority = Authority(server)
    authority.status, authority.error = status, error
    made = opened(authority.oauth())
    result = act(made, "send", make_call(made, {}))
    assert result.answer is Answer.DENIED
    assert "CRM_SECRET" in result.reason
    assert error in result.reason
    told = raised(ConfigError, made.check)
    assert "systems.crm.auth" in told
    assert PASSWORD not in told
    assert not bearers(server)


def test_an_authority_that_is_not_well_leaves_a_first_call_unsent_and_a_repeat_unknown(server, opened):
    authority = Authority(server)
    authority.status = 503
    made = opened(authority.oauth())
    call = make_call(made, {}, server_id="1")
    found = [
        act(made, "send", call).answer,
        act(made, "send", call, repeat=True).answer,
        act(made, "undo", call).answer,
    ]
    assert found == [Answer.UNSENT, Answer.AMBIGUOUS, Answer.AMBIGUOUS]
    assert not bearers(server)


def test_a_slow_authority_is_asked_once(server, opened):
    authority = Authority(server)
    authority.gate = server.call(event())
    made = opened(authority.oauth(), in_flight=5)
    results = made.perform([Action("send", make_call(made, {}, f"call {at}")) for at in range(5)])
    server.loop.call_soon_threadsafe(lambda: server.loop.call_later(0.2, authority.gate.set))
    assert {result.answer for result in results} == {Answer.DONE}
    assert authority.given == 1


async def event():
    return asyncio.Event()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a server's certificate for 127.0.0.1, and a client's with its key locked."""
    folder = tmp_path_factory.mktemp("certificates")
    now, pem = datetime.now(UTC), serialization.Encoding.PEM
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server", "client")}
    names = {name: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in keys}
    for number, (name, key) in enumerate(keys.items(), start=1):
        builder = x509.CertificateBuilder().subject_name(names[name]).issuer_name(names["ca"]).serial_number(number)
        builder = (
            builder.public_key(key.public_key())
            .not_valid_before(now - timedelta(1))
            .not_valid_after(now + timedelta(1))
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
        host = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = builder.add_extension(host, critical=False) if name == "server" else builder
        (folder / f"{name}.pem").write_bytes(builder.sign(keys["ca"], hashes.SHA256()).public_bytes(pem))
        locked = serialization.BestAvailableEncryption(PASSWORD.encode())
        how = locked if name == "client" else serialization.NoEncryption()
        (folder / f"{name}.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, how))
    return folder


def secure(server, folder):
    """The port of a site that asks for a client's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED

    async def listen():
        await web.TCPSite(server.runner, "127.0.0.1", 0, ssl_context=context).start()
        return server.runner.addresses[-1][1]

    return server.call(listen())


def test_both_sides_may_show_certificates_to_the_api_and_to_its_authority(server, opened, certificates):
    port = secure(server, certificates)
    authority = Authority(server)
    tls = {"ca": "ca.pem", "certificate": "client.pem", "key": "client.key", "password": PASSWORD}
    auth = authority.oauth(token_url=f"https://localhost:{port}/token")
    made = opened(auth, url=f"https://localhost:{port}", folder=certificates, tls=tls)
    assert act(made, "send", make_call(made, {})).answer is Answer.DONE
    assert authority.given == 1


def test_without_our_certificate_nothing_is_done(server, opened, certificates):
    port = secure(server, certificates)
    made = opened({"bearer": PASSWORD}, url=f"https://localhost:{port}", folder=certificates, tls={"ca": "ca.pem"})
    assert act(made, "send", make_call(made, {})).answer in {Answer.AMBIGUOUS, Answer.UNSENT}
    assert not server.seen


@pytest.mark.parametrize(
    ("tls", "field"),
    [
        ({"ca": "nothing.pem"}, "ca"),
        ({"certificate": "client.pem", "key": "server.key"}, "certificate"),
        ({"certificate": "client.pem", "key": "client.key", "password": "wrong-password"}, "certificate"),
        ({"certificate": "client.pem", "key": "client.key"}, "certificate"),
    ],
    ids=["no file", "other key", "wrong password", "no password"],
)
def test_a_certificate_that_cannot_be_used_is_named_at_once(opened, certificates, tls, field):
    said = raised(ConfigError, lambda: opened({"bearer": PASSWORD}, url="https://host", folder=certificates, tls=tls))
    assert f"systems.crm.tls.{field}" in said
    assert "wrong-password" not in said
