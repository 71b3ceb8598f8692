"""A run whose API answers badly, one line for each way: nothing is lost, nothing is there twice, and it is told."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ludb.errors import LudbError
from ludb.model.run import RunState

JOB = """
    name: shop
    systems:
      legacy:  {{type: sqlite, url: "${{LEGACY}}"}}
      billing: {{type: sqlite, url: "${{BILLING}}"}}
      crm:     {{type: rest, url: "${{CRM}}", max_delay: 0, retry_for: 1s{system}}}
    unit:
      root: legacy.customers
      key: id
    outputs:
      crm.customer:
        {{call: POST /customer, row: [unit_key], marker: $.externalId, probe: "GET /customer?externalId={{call_id}}",
         undo: "DELETE /customer/{{id}}", returns: {{crm_id: $.id}}{more}}}
    settings: {{chunk_units: 3, retry: {{base: 10ms, cap: 50ms}}}}
"""
STEPS = {
    "steps/10/crm.customer.sql": "select unit_key, name, if(score < 0, 'nan'::double, score) as score from legacy.customers",
    "steps/20/billing.account.sql": "select c.unit_key, c.id, name, crm.new as crm_id from legacy.customers c "
    "join keys.crm_id crm using (unit_key)",
}
ALL = ["Ann", "Bartholomew", "Cy"]
OTHERS = ["Ann", "Cy"]


@dataclass(frozen=True)
class Case:
    """`answer(api, document)` is what the POST of Bartholomew gets, None for what a good API says; then what is to come of it:
    the run's state, who has moved, Bartholomew's state and reason, and what is kept as evidence.
    """

    name: str
    answer: object = None
    state: RunState = RunState.EXCEPTIONS
    moved: list[str] = field(default_factory=lambda: OTHERS)
    unit: str = "quarantined"
    reason: str = ""
    evidence: str = ""
    more: str = ""
    system: str = ""
    score: str = "1.5"
    posts: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    twice: bool = False


def made(api, document, said):
    """The object is there, and the answer says so badly."""
    status, one = api.respond("POST", "/made", document)
    return status, said(one)


def well(**different):
    return {"state": RunState.COMPLETED, "moved": ALL, "unit": "", **different}


CASES = [
    Case("400 with a body", lambda *_: (400, {"why": "no such segment"}), evidence="no such segment",
         reason="crm.customer: the API refused the call (status 400)"),
    Case("404 of the path", lambda *_: (404, b"<html>nothing here"), reason="the API refused the call (status 404)",
         evidence="404 Not Found from crm at 127.0.0.1"),
    Case("401", lambda *_: (401, None), state=RunState.PAUSED, unit="pending"),
    Case("403", lambda *_: (403, None), state=RunState.PAUSED, unit="pending"),
    Case("a redirect to another place", lambda *_: (307, None), headers={"Location": "/elsewhere"},
         reason="the API refused the call (status 307)", evidence="307 Temporary Redirect from crm"),
    Case("a redirect to the object that was made", lambda api, document: (303, made(api, document, lambda _: None)[1]),
         headers={"Location": "/customer/9"}, **well()),
    Case("a wrong content type", lambda api, document: made(api, document, lambda one: json.dumps(one).encode()), **well()),
    Case("a body that is not JSON", lambda api, document: made(api, document, lambda _: b"<html>created"), **well()),
    Case("a 201 without the promised id", lambda api, document: made(api, document, lambda _: {"name": "x"}), **well()),
    Case("a 201 whose body differs from what was sent", more=", echo: [$.name]",
         answer=lambda api, document: made(api, document, lambda one: {**one, "name": "Barth"}),
         reason="the API keeps something else than was sent (status 201)", evidence="at $.name"),
    Case("a document over the API's size limit", lambda *_: (413, b"<html>too large"), evidence="too large",
         reason="the API refused the call (status 413)"),
    Case("a document over the limit that the job knows", system=", max_document: 80", posts=0,
         reason="the document has", evidence=""),
    Case("NaN in a payload", score="-1", posts=0, reason="$.score"),
    Case("a look-up that finds two", twice=True, answer=lambda *_: (500, None), unit="in_doubt",
         reason="the API holds several objects of the call", evidence="found 2 objects"),
]  # fmt: skip


@pytest.fixture
def shop(desk, api):
    desk.database("billing", "create table account (id integer primary key, name text not null, crm_id text not null)")
    desk.environment["CRM"] = api.url
    return desk


def describe(shop, case: Case) -> None:
    shop.database("legacy", f"create table customers (id integer primary key, name text, score double); insert into customers "
                  f"values (1,'Ann',1.5),(2,'Bartholomew',{case.score}),(3,'Cy',1.5)")  # fmt: skip
    shop.write({"job.yaml": JOB.format(more=case.more, system=case.system), **STEPS})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_bad_answer_is_told_and_leaves_the_customer_everywhere_or_nowhere(shop, api, case):
    posts = []
    describe(shop, case)

    def before(method, path, document):
        if (method, path) != ("POST", "/customer") or document["name"] != "Bartholomew":
            return None
        posts.append(document)
        if case.twice:
            for name in ("x", "y"):
                api.store[name] = {**document, "id": name}
        return case.answer(api, document) if case.answer else None

    api.before, api.headers = before, case.headers
    summary = shop.run()
    assert summary.run.state is case.state, summary.run.reason
    assert len(posts) == case.posts
    billed = shop.rows("billing", "select name, crm_id from account order by name")
    here = sorted((one["name"], one["id"]) for one in api.store.values())
    if case.state is RunState.PAUSED:
        assert "crm" in summary.run.reason
        assert (summary.counters.pending, billed) == (3, [])
        api.before = lambda *_: None
        summary = shop.go_on(summary.run.id)
        assert (summary.run.state, len(api.store)) == (RunState.COMPLETED, 3)
        return
    assert [name for name, _ in billed] == case.moved
    if case.twice:
        assert here.count(("Bartholomew", "x")) == here.count(("Bartholomew", "y")) == 1
    else:
        assert here == billed
    found = shop.set_aside(summary.run.id)
    assert [(key, str(one.state)) for key, one in found.items()] == ([("2", case.unit)] if case.unit else [])
    if case.unit:
        assert case.reason in found["2"].reason
        assert case.evidence in found["2"].detail + found["2"].body
        assert "Bartholomew" not in found["2"].reason + found["2"].message
    assert not [path for _, path, _ in api.seen if path in {"/elsewhere", "/customer/9"}]


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(shop, api):
    """It speaks no TLS: told before any unit is read."""
    describe(shop, CASES[0])
    shop.environment["CRM"] = api.url.replace("http://", "https://")
    with pytest.raises(
        LudbError, match=r"system crm at 127\.0\.0\.1.*cannot be reached: no connection was made"
    ) as caught:
        shop.run()
    assert "CRM" in str(caught.value)
    assert not api.seen


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(shop, api, tmp_path):
    """It bears the right address, and signed its certificate itself."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crm")]),
    )
    now, here = dt.datetime.now(dt.UTC), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    paper = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    paper = paper.not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
    signed = paper.add_extension(x509.SubjectAlternativeName([here]), critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "crm.pem").write_bytes(private + signed.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "crm.pem")
    api._server.socket = context.wrap_socket(api._server.socket, server_side=True)
    describe(shop, CASES[0])
    shop.environment["CRM"] = api.url.replace("http://", "https://")
    with pytest.raises(
        LudbError, match=r"system crm at 127\.0\.0\.1.*cannot be reached: no connection was made.*SSLCert"
    ):
        shop.run()
    assert not api.seen
