"""What an output says of its API: headers, query, meanings of statuses, echo, an undo with a document. On a real server."""

import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.calls import Answer
from ludb.targets.rest import RestTarget
from ludb.testing.calls import OUTPUT, act, make_call, raised

HTML = {"Content-Type": "text/html; charset=utf-8"}


def output(**call):
    return replace(OUTPUT, call=replace(OUTPUT.call, **call))


def test_headers_of_the_output_stand_over_those_of_the_system(server, target):
    made = target(output(headers={"X-Tenant": "two", "X-Call": "c-{call_id}"}), headers={"X-Tenant": "one"})
    call = make_call(made, {}, server_id="1")
    for kind in ("send", "probe", "undo", "update"):
        act(made, kind, call)
    assert [(seen[2].getall("X-Tenant"), seen[2]["X-Call"]) for seen in server.seen] == [(["two"], f"c-{call.id}")] * 4


def test_the_query_is_quoted_and_a_parameter_that_is_null_is_left_out(server, target):
    query = {"tenant": "{tenant}", "from": "ludb & sons", "both": "{a}/{b}"}
    made = target(output(path="/customer?v=4", query=query, row=("tenant", "a", "b")))
    act(made, "send", make_call(made, {"tenant": "ä&b=c", "a": 1, "b": ""}))
    act(made, "send", make_call(made, {"tenant": None, "a": 1, "b": "x"}))
    assert [seen[1] for seen in server.seen] == [
        "/customer?v=4&tenant=%C3%A4%26b%3Dc&from=ludb%20%26%20sons&both=1%2F",
        "/customer?v=4&from=ludb%20%26%20sons&both=1%2Fx",
    ]


def test_a_query_column_that_is_missing_or_null_within_a_text_is_refused(target):
    made = target(output(query={"both": "{a}-{b}"}))
    for document in ({"a": 1}, {"a": 1, "b": None}):
        assert "`b`" in raised(UnitError, lambda document=document: make_call(made, document))


def test_a_brace_in_a_query_that_names_nothing_is_refused_at_once(target):
    for text in ("{}", "{a", "a}"):
        assert "crm.customer.query.x" in raised(ConfigError, lambda text=text: target(output(query={"x": text})))


def test_a_document_over_the_limit_is_refused_before_anything_is_sent(server, target):
    made = target(max_document="1KiB")
    with pytest.raises(UnitError, match=r"crm\.customer.* has 1,\d\d\d bytes, and system crm takes 1,024"):
        make_call(made, {"name": "ä" * 500})
    make_call(made, {"name": "x" * 500})
    assert not server.seen


def test_a_server_that_finds_the_document_too_large_rejects_it(server, target):
    server.replies = [(413, {}, "too large")]
    made = target()
    result = act(made, "send", make_call(made, {}))
    assert (result.answer, result.body) == (Answer.REJECTED, "too large")


STATUSES = {
    "404": "retry",
    "4xx": "reject",
    "500": "reject",
    "402": "fatal",
    "403": "reject",
    "208": "reject",
    "304": "success",
}


@pytest.mark.parametrize(
    ("status", "send", "undo"),
    [
        (402, Answer.FATAL, Answer.FATAL),
        (403, Answer.REJECTED, Answer.REJECTED),
        (401, Answer.REJECTED, Answer.REJECTED),
        (500, Answer.REJECTED, Answer.REJECTED),
        (501, Answer.AMBIGUOUS, Answer.AMBIGUOUS),
        (208, Answer.REJECTED, Answer.REJECTED),
        (429, Answer.REJECTED, Answer.REJECTED),
        (404, Answer.AGAIN, Answer.AGAIN),
    ],
)
def test_the_output_says_what_a_status_means(server, target, status, send, undo):
    server.replies = [(status, {}, "no")] * 4
    made = target(output(statuses=STATUSES), retry_for=0)
    call = make_call(made, {}, server_id="1")
    assert (act(made, "send", call).answer, act(made, "undo", call).answer) == (send, undo)


def test_what_the_output_calls_busy_is_sent_again_and_made_once(server, target):
    server.replies = [(404, {}, ""), (404, {"Retry-After": "0"}, "")]
    made = target(output(statuses=STATUSES))
    assert act(made, "send", make_call(made, {})).answer is Answer.DONE
    assert len(server.seen) == 3


def test_a_conflict_with_our_own_earlier_try_is_a_doubt_whatever_the_output_says(server, target):
    server.replies = [(409, {}, "")] * 2
    made = target(output(statuses={"4xx": "reject"}))
    call = make_call(made, {})
    assert act(made, "send", call).answer is Answer.REJECTED
    assert act(made, "send", call, repeat=True).answer is Answer.AMBIGUOUS


def test_a_status_that_counts_as_success_still_has_to_give_what_the_output_needs(server, target):
    server.replies = [(404, {}, '{"id": "9", "revision": 1}'), (404, {}, "gone")]
    made = target(output(statuses={"404": "success"}))
    assert act(made, "send", make_call(made, {})).server_id == "9"
    assert act(made, "send", make_call(made, {})).answer is Answer.AMBIGUOUS


def test_an_undo_may_send_a_document_under_a_key_of_its_own(server, target):
    body = json.dumps({"state": "terminated", "note": ["{id} by {call_id}", 1]})
    made = target(output(undo="PATCH /customer/{id}", undo_body=body))
    call = make_call(made, {}, server_id="a/1")
    assert act(made, "undo", call).answer is Answer.DONE
    ((method, path, headers, sent),) = server.seen
    assert (method, path, json.loads(sent)) == (
        "PATCH", "/customer/a%2F1", {"state": "terminated", "note": [f"a/1 by {call.id}", 1]},
    )  # fmt: skip
    assert headers["Idempotency-Key"] == f"{call.id}-undo"


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        ({"name": "Ad"}, "$.name"),
        ({"name": None}, "$.name"),
        ({"balance": 1.1001}, "$.balance"),
        ({"tags": ["a"]}, "$.tags"),
        ({"place": {"city": "Ulm", "zip": 1}}, "$.place.city"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_a_created_object_that_differs_from_what_was_sent_is_told_with_its_id_and_its_place(
    server, target, answered, told
):
    sent = {"name": "Ada", "balance": 1.1, "tags": ["a", "b"], "place": {"city": "Bonn"}}
    server.replies = [(201, {}, json.dumps({**sent, "id": "7", "revision": 1, **answered}))]
    made = target(output(marker=None, probe=None, echo=("$",)))
    result = act(made, "send", make_call(made, sent))
    assert (result.answer, result.server_id) == (Answer.DIFFERENT, "7")
    assert result.reason.endswith(f"at {told}")
    assert "Ada" not in result.reason


def test_an_answer_that_says_the_same_in_other_digits_and_says_more_is_no_difference(server, target):
    text = '{"id": "7", "revision": 1, "balance": 1.10, "text": "1.10", "extra": 1, "list": [{"a": 1, "b": 2}]}'
    server.replies = [(201, {}, text)] * 2
    made = target(output(marker=None, probe=None, echo=("$",)))
    sent = {"balance": 1.1, "text": "1.10", "list": [{"a": 1}]}
    assert act(made, "send", make_call(made, sent)).answer is Answer.DONE
    made = target(output(echo=("$.balance",)))
    assert act(made, "send", make_call(made, {**sent, "text": "other"})).answer is Answer.DONE


def test_a_page_in_place_of_an_answer_is_a_doubt_that_names_its_type(server, target):
    """A login page with status 200 neither made nor found anything that we know of."""
    server.replies = [(200, HTML, "<html>please log in</html>")] * 2
    made = target()
    call = make_call(made, {})
    sent, looked = act(made, "send", call), act(made, "probe", call)
    assert (sent.answer, looked.answer) == (Answer.AMBIGUOUS, Answer.AMBIGUOUS)
    assert "text/html" in sent.reason


def test_a_created_object_without_the_promised_id_is_found_by_its_probe(server, target):
    made = target()
    call = make_call(made, {})
    found = {"id": "9", "revision": 1, "characteristic": [{"name": "ludbCall", "value": call.id}]}
    server.replies = [(201, {}, '{"revision": 1}'), (200, {}, json.dumps([found])), (200, {}, json.dumps([found] * 2))]
    assert act(made, "send", call).answer is Answer.AMBIGUOUS
    assert act(made, "probe", call).server_id == "9"
    assert act(made, "probe", call).answer is Answer.SEVERAL


def test_a_path_that_is_not_there_rejects_with_what_the_server_said(server, target):
    server.replies = [(404, {}, "no such path")]
    made = target()
    result = act(made, "send", make_call(made, {}))
    assert (result.answer, result.status, result.body) == (Answer.REJECTED, 404, "no such path")


def self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    certificate = builder.sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (folder / "both.pem").write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def test_a_certificate_that_is_not_trusted_sends_nothing_and_is_told_by_its_kind(server, tmp_path):
    context = self_signed(tmp_path)

    async def listen():
        site = web.TCPSite(server.runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return server.runner.addresses[-1][1]

    port = server.call(listen())
    settings = RestTarget.Settings.model_validate({"type": "rest", "url": f"https://127.0.0.1:{port}"})
    made = RestTarget("crm", settings, Surroundings(Path(), Path()), {OUTPUT.name: OUTPUT})
    result = act(made, "send", make_call(made, {}))
    assert result.answer is Answer.UNSENT
    assert "SSLCertVerificationError" in result.reason
    assert "SSLCertVerificationError" in raised(ConfigError, made.check)
    made.close()
    assert not server.seen
