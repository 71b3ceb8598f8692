"""What an exchange means: `done`, `rejected`, `absent` and `unsent` only where they are known."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ludb.dialects.http.answer import BODY_LIMIT, conclude
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.request import Route
from ludb.dialects.http.settings import Identity
from ludb.dialects.http.waiting import wait_for
from ludb.model.calls import Action, Answer
from ludb.model.job import OutputSpec
from ludb.testing.calls import OUTPUT, make_call
from ludb.testing.memory_calls import MemoryCalls, MemoryServer

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
IDENTITY = Identity("crm", "crm.example:443", "credential CRM_TOKEN", "CRM_URL", ("Bearer hush-hush", "hush-hush"))
CALL = make_call(MemoryCalls(MemoryServer(), {OUTPUT.name: OUTPUT}), {"name": "Ada"}, server_id="77")
OURS = {"id": 5, "revision": 1, "characteristic": [{"name": "ludbCall", "value": CALL.id}]}
OTHER = {"id": 6, "characteristic": [{"name": "ludbCall", "value": "other"}]}


def conclusion(kind, heard, *, repeat=False, **spec):
    output = OutputSpec(OUTPUT.system, OUTPUT.table, call=replace(OUTPUT.call, **spec))
    return conclude(Action(kind, CALL, repeat), heard, Route.of(output), IDENTITY)


def said(document, status=200, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Heard(status, named, document if isinstance(document, bytes) else json.dumps(document).encode())


FULL = said({"id": "c1", "revision": 1}, 201)


@pytest.mark.parametrize(
    ("status", "send", "repeated", "undo", "probe"),
    [
        (201, "ambiguous", "ambiguous", "done", "ambiguous"),
        (301, "rejected", "rejected", "rejected", "ambiguous"),
        (303, "ambiguous", "ambiguous", "ambiguous", "ambiguous"),
        (400, "rejected", "rejected", "rejected", "ambiguous"),
        (401, "denied", "denied", "denied", "denied"),
        (403, "denied", "denied", "denied", "denied"),
        (404, "rejected", "rejected", "done", "absent"),
        (408, "ambiguous", "ambiguous", "ambiguous", "ambiguous"),
        (409, "rejected", "ambiguous", "rejected", "ambiguous"),
        (410, "rejected", "rejected", "done", "ambiguous"),
        (422, "rejected", "rejected", "rejected", "ambiguous"),
        (500, "ambiguous", "ambiguous", "ambiguous", "ambiguous"),
        (503, "ambiguous", "ambiguous", "ambiguous", "ambiguous"),
        (599, "ambiguous", "ambiguous", "ambiguous", "ambiguous"),
    ],
)
def test_each_status_means_one_thing_for_each_action(status, send, repeated, undo, probe):
    heard = Heard(status, body=b"<html>not JSON</html>")
    assert conclusion("send", heard).answer == send
    assert conclusion("send", heard, repeat=True).answer == repeated
    assert conclusion("update", heard).answer == send
    assert conclusion("undo", heard).answer == undo
    assert conclusion("probe", heard).answer == probe


@pytest.mark.parametrize("kind", ["send", "probe", "undo", "update"])
def test_a_server_that_is_busy_for_too_long_is_tried_again_later(kind):
    result = conclusion(kind, Heard(429, wait=7.5))
    assert (result.answer, result.retry_after) == (Answer.AGAIN, 7.5)


def test_unsent_is_said_only_of_a_first_send_that_had_no_connection():
    nothing = Heard(None, failure="no connection was made", reached=False)
    assert conclusion("send", nothing).answer == Answer.UNSENT
    assert conclusion("send", replace(nothing, reached=True)).answer == Answer.AMBIGUOUS
    assert conclusion("send", nothing, repeat=True).answer == Answer.AMBIGUOUS
    assert {conclusion(kind, nothing).answer for kind in ("probe", "undo", "update")} == {Answer.AMBIGUOUS}


def test_the_id_comes_from_returns_then_the_document_then_the_location():
    document = {"id": "plain", "customer": {"id": "named"}}
    assert conclusion("send", said(document), returns={"id": "$.customer.id"}).server_id == "named"
    assert conclusion("send", said(document, location="/customer/9"), returns={}).server_id == "plain"
    located = Heard(201, {"location": "https://crm.example/customer/a%2F9/?x=1"})
    assert conclusion("send", located, returns={}).server_id == "a/9"


def test_a_success_without_the_id_that_undoing_needs_is_a_doubt():
    assert conclusion("send", said({}), returns={}).answer == Answer.AMBIGUOUS
    assert conclusion("send", Heard(204), returns={}).answer == Answer.AMBIGUOUS
    assert conclusion("send", Heard(204), returns={}, undo=None, update=None).answer == Answer.DONE


def test_a_success_without_a_promised_value_is_a_doubt_that_names_it():
    result = conclusion("send", said({"id": "c1"}))
    assert result.answer == Answer.AMBIGUOUS
    assert "revision" in result.reason


def test_returned_values_are_text_with_every_digit():
    document = b'{"id": 12345678901234567890123, "a": {"b": [{"c": 1.10}]}, "ok": true, "big": 1E400}'
    returns = {"n": "$.id", "c": "$.a.b[0].c", "ok": "$.ok", "big": "$['big']", "where": "$header.Location"}
    result = conclusion("send", said(document, location="/x/1"), returns=returns)
    assert dict(result.returned) == {
        "n": "12345678901234567890123",
        "c": "1.10",
        "ok": "true",
        "big": "1E400",
        "where": "/x/1",
    }


@pytest.mark.parametrize("body", [b"", b"<html>", b"[NaN]", b'{"a": ', b"\xff\xfe\xfa"])
def test_a_look_up_that_cannot_be_read_does_not_mean_absent(body):
    assert conclusion("probe", Heard(200, body=body)).answer == Answer.AMBIGUOUS


@pytest.mark.parametrize("document", [[], [OTHER], {"items": []}, {"items": [OTHER], "total": 1}, OTHER])
def test_a_look_up_that_lists_no_object_of_ours_means_absent(document):
    assert conclusion("probe", said(document)).answer == Answer.ABSENT


@pytest.mark.parametrize("document", [[OURS], [OTHER, OURS, "text"], {"items": [OURS]}, {"a": OURS}, OURS])
def test_a_look_up_finds_ours_in_a_list_in_a_wrapped_list_and_alone(document):
    result = conclusion("probe", said(document))
    assert (result.answer, result.server_id, result.returned["crm_id"]) == (Answer.DONE, "5", "5")


def test_case_60_two_of_ours_are_several_even_on_one_page_of_many():
    assert conclusion("probe", said([OURS, OURS], 206)).answer == Answer.SEVERAL


@pytest.mark.parametrize(
    "heard",
    [said([OTHER], 206), said([OTHER], x_total_count="2"), said([OURS], link='</customer?page=2>; rel="next"')],
    ids=["206", "count", "link"],
)
def test_case_60_one_page_of_several_is_no_answer(heard):
    assert conclusion("probe", heard).answer == Answer.AMBIGUOUS


@pytest.mark.parametrize("document", [[{"id": 5}], {"error": "overloaded"}, {"error": {"code": 1}}, "text", 7])
def test_objects_without_the_markers_place_and_answers_without_objects_do_not_mean_absent(document):
    assert conclusion("probe", said(document)).answer == Answer.AMBIGUOUS


def test_a_plain_marker_is_compared_as_a_whole():
    spec = {"marker": "$.externalId", "returns": {}}
    assert conclusion("probe", said([{"id": 5, "externalId": CALL.id + "0"}]), **spec).answer == Answer.ABSENT
    assert conclusion("probe", said([{"id": 5, "externalId": CALL.id}]), **spec).server_id == "5"


def test_an_update_keeps_the_id_and_the_values_that_its_answer_leaves_out():
    call = replace(CALL, returned={"crm_id": "77", "revision": "1"})
    result = conclude(Action("update", call), Heard(204), Route.of(OUTPUT), IDENTITY)
    assert (result.answer, result.server_id, dict(result.returned)) == (Answer.DONE, "77", dict(call.returned))


def test_reasons_name_system_place_and_request_and_no_secret_comes_back():
    heard = Heard(400, body=b"you sent Bearer hush-hush / hush-hush " + b"x" * 9000)
    result = conclusion("undo", heard)
    assert result.reason.startswith("400 Bad Request from crm at crm.example:443 to DELETE /customer/{id}: the server")
    assert "hush" not in result.body
    assert len(result.body) == BODY_LIMIT


def test_waits_are_taken_from_the_header_as_seconds_or_as_a_date():
    def wait(status, header=None, attempt=0):
        return wait_for(Heard(status, {} if header is None else {"retry-after": header}), attempt, 1.0, NOW)

    assert wait(429, "3") == wait(503, "3") == 3.0
    assert wait(503, "Wed, 01 May 2024 12:00:30 GMT") == 30.0
    assert wait(503, "Wed, 01 May 2024 11:00:00 GMT") == wait(429) == 0.1
    assert wait(429, "999999") == 3600.0
    assert [wait(429, attempt=at) for at in (1, 2, 50)] == [0.2, 0.4, 5.0]
    assert wait(429, "soon") == 0.1


@pytest.mark.parametrize(
    "heard", [Heard(503), Heard(503, {"retry-after": "soon"}), Heard(500, {"retry-after": "1"}), FULL]
)
def test_case_60_nothing_is_sent_again_where_something_may_have_happened(heard):
    assert wait_for(heard, 0, 0.5, NOW) is None


def test_waits_are_spread_by_jitter():
    waits = {wait_for(Heard(429), 3, jitter, NOW) for jitter in (0.0, 0.5, 0.99)}
    assert len(waits) == 3
    assert all(0.4 <= wait <= 0.8 for wait in waits)
