"""The `rest` target on the wire: what leaves, how much at once, how long it waits, and that nothing is left running."""

import asyncio
import os
import signal
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError
from ludb.model.calls import Action, Answer
from ludb.targets.rest import RestTarget
from ludb.testing.calls import OUTPUT, act, make_call, raised


def sends(target, count):
    return [Action("send", make_call(target, {"name": "Ada"}, f"call {at}")) for at in range(count)]


def test_a_request_carries_the_exact_document_its_key_and_the_headers(server, target):
    made = target(base="/v4/", headers={"X-Key": "k-123456", "content-type": "application/vnd.x+json"})
    call = make_call(made, {"name": "Müller"})
    assert act(made, "send", call).answer == Answer.DONE
    ((method, path, headers, body),) = server.seen
    assert (method, path, body) == ("POST", "/v4/customer", call.request.body)
    assert (headers["Idempotency-Key"], headers["X-Key"]) == (call.id, "k-123456")
    assert headers.getall("Content-Type") == ["application/vnd.x+json"]


def test_the_url_may_hold_the_credential(server, target):
    made = target(userinfo="me:pass-word@")
    assert act(made, "send", make_call(made, {})).answer == Answer.DONE
    assert server.seen[0][2]["Authorization"].startswith("Basic ")


def test_an_id_with_slashes_stays_one_segment_on_the_wire(server, target):
    made = target()
    act(made, "undo", make_call(made, {}, server_id="a/../b c?d"))
    assert server.seen[0][:2] == ("DELETE", "/customer/a%2F..%2Fb%20c%3Fd")


def test_the_key_header_can_be_named_and_left_out(server, target):
    made = target(idempotency_header="X-Request-Id")
    act(made, "send", call := make_call(made, {}))
    made = target(idempotency_header=None)
    act(made, "send", make_call(made, {}))
    assert server.seen[0][2]["X-Request-Id"] == call.id
    assert call.id not in server.seen[1][2].values()


def test_an_update_has_a_key_of_its_own_for_each_payload(server, target):
    made = target()
    for name in ("Ada", "Ada", "Grace"):
        act(made, "update", make_call(made, {"name": name}, server_id="1"))
    keys = [headers["Idempotency-Key"] for *_, headers, _ in server.seen]
    assert keys[0] == keys[1] != keys[2]
    assert make_call(made, {}).id not in keys


def test_a_redirect_is_not_followed(server, target):
    server.replies = [(307, {"Location": "/elsewhere"}, "")]
    made = target()
    result = act(made, "send", make_call(made, {}))
    assert (result.answer, len(server.seen)) == (Answer.REJECTED, 1)


def test_no_more_than_in_flight_requests_are_on_their_way_and_no_fewer(server, target):
    made = target(in_flight=3)
    full = asyncio.Event()

    async def wait_for_three(request):
        if server.open == 3:
            full.set()
        await full.wait()

    server.answer = wait_for_three
    assert [result.answer for result in made.perform(sends(made, 20))] == [Answer.DONE] * 20
    assert server.most == 3


def test_a_result_comes_while_others_are_still_on_their_way(server, target):
    made = target(in_flight=2)
    slow = asyncio.Event()

    async def first_is_slow(request):
        if len(server.seen) == 1:
            await slow.wait()

    server.answer = first_is_slow
    results = made.perform(sends(made, 5))
    assert [next(results).answer for _ in range(4)] == [Answer.DONE] * 4
    server.loop.call_soon_threadsafe(slow.set)
    assert next(results).answer == Answer.DONE


def test_a_server_that_stays_busy_is_given_up_after_retry_for(server, target):
    server.replies = [(429, {}, "")] * 1000
    made = target(retry_for="1s")
    result = act(made, "send", make_call(made, {}))
    assert (result.answer, result.status) == (Answer.AGAIN, 429)
    assert result.retry_after > 0
    assert 2 <= len(server.seen) < 10


def test_a_wait_asked_of_one_request_holds_back_the_others(server, target):
    made = target(in_flight=1, retry_for=10)
    server.replies = [(503, {"Retry-After": "1"}, "")]
    times = []

    async def note(request):
        times.append(asyncio.get_running_loop().time())

    server.answer = note
    assert {result.answer for result in made.perform(sends(made, 3))} == {Answer.DONE}
    assert len(times) == 4
    assert times[1] - times[0] >= 0.99


def test_a_full_answer_counts_only_if_it_arrives_whole(server, target):
    async def cut(request):
        request.transport.write(b'HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{"id": "c1", "revision": 1}')
        request.transport.close()

    server.answer = cut
    made = target()
    assert act(made, "send", make_call(made, {})).answer == Answer.AMBIGUOUS


def test_a_name_that_does_not_resolve_is_unsent_and_shows_no_secret(target):
    system = RestTarget.Settings.model_validate({"type": "rest", "url": "http://me:pass-word@nobody.invalid/path"})
    made = RestTarget("crm", system, Surroundings(Path(), Path()), {OUTPUT.name: OUTPUT})
    result = act(made, "send", make_call(made, {}))
    made.close()
    assert result.answer == Answer.UNSENT
    assert "nobody.invalid:80" in result.reason
    assert "pass-word" not in result.reason


def test_closing_the_target_ends_results_that_somebody_still_waits_for(server, target):
    made = target(in_flight=1)
    hold = asyncio.Event()

    async def wait(request):
        if len(server.seen) > 1:
            await hold.wait()

    server.answer = wait
    results = made.perform(sends(made, 3))
    next(results)
    made.close()
    with pytest.raises(RuntimeError, match="closed while they ran"):
        list(results)
    server.loop.call_soon_threadsafe(hold.set)


def test_a_closed_target_opens_anew(server, target):
    made = target()
    for _ in range(2):
        assert act(made, "send", make_call(made, {})).answer == Answer.DONE
        made.close()


def test_a_forked_child_uses_connections_of_its_own(server, target):
    made = target()
    call = make_call(made, {})
    assert act(made, "send", call).answer == Answer.DONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of what is tested here
        child = os.fork()
    if child == 0:
        worked = False
        signal.alarm(20)  # a child that waits for its parent's loop waits for ever
        try:
            worked = act(made, "send", call).answer == Answer.DONE
            made.close()
        finally:
            os._exit(0 if worked else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert act(made, "send", call).answer == Answer.DONE
    assert len(server.seen) == 3


def test_check_asks_the_health_path_where_there_is_one(server, target):
    target(health="/health").check()
    assert server.seen[0][:2] == ("GET", "/health")
    server.replies = [(500, {}, ""), (403, {}, "")]
    assert "500" in raised(ConfigError, target(health="/health").check)
    assert "X-Key" in raised(ConfigError, target(health="/health", headers={"X-Key": "abc"}).check)


def test_check_without_a_health_path_takes_any_answer(server, target):
    server.replies = [(404, {}, "")]
    target().check()


def test_what_the_output_has_no_template_for_is_refused_before_anything_leaves(server, target):
    made = target(replace(OUTPUT, call=replace(OUTPUT.call, undo=None)))
    call = make_call(made, {}, server_id="1")
    with pytest.raises(ConfigError, match="no `undo`"):
        list(made.perform([Action("send", call), Action("undo", call)]))
    assert not server.seen
    assert not made.ability(OUTPUT.name).undo


def test_an_output_that_the_target_does_not_have_is_named(target):
    with pytest.raises(ConfigError, match=r"crm has no output crm\.order"):
        target().request("crm.order", {}, "id")


def test_a_server_that_says_that_nothing_is_left_is_let_alone_until_its_reset(server, target):
    """Before it has to refuse anything."""
    made = target(in_flight=1)
    server.replies = [(201, {"RateLimit-Remaining": "0", "RateLimit-Reset": "1"}, '{"id": "c1", "revision": 1}')]
    times = []

    async def note(request):
        times.append(asyncio.get_running_loop().time())

    server.answer = note
    assert {result.answer for result in made.perform(sends(made, 3))} == {Answer.DONE}
    assert times[1] - times[0] >= 0.99
    assert len(times) == 3


def test_what_is_changed_of_the_pace_is_told_once_with_its_reason(server, target):
    made = target(in_flight=8, retry_for="20s")
    server.replies = [(429, {}, "")] * 10
    assert {result.answer for result in made.perform(sends(made, 20))} == {Answer.DONE}
    told = made.told()
    assert told
    assert {(one.what, one.before) for one in told[:1]} == {("pace", None)}
    assert "refused" in told[0].why
    assert made.told() == []


def test_a_server_that_fails_gets_fewer_requests_at_a_time(server, target):
    made = target(in_flight=8)
    server.replies = [(500, {}, "")] * 8
    list(made.perform(sends(made, 8)))
    server.most = 0
    full = asyncio.Event()

    async def wait_for_four(request):
        if server.open == 4:
            full.set()
        await full.wait()

    server.answer = wait_for_four
    assert [result.answer for result in made.perform(sends(made, 4))] == [Answer.DONE] * 4
    assert server.most == 4
    assert [(one.what, one.before, one.after) for one in made.told()] == [("in_flight", 8, 4)]


def test_what_passed_is_counted_by_status_outcome_and_time(server, target):
    made = target(in_flight=1)
    assert made.metered().requests == {}
    server.replies = [
        (429, {}, ""),
        (201, {}, '{"id": "c1", "revision": 1}'),
        (400, {}, "no!"),
        (503, {}, ""),
        (404, {}, ""),
    ]
    results = list(made.perform(sends(made, 4)))
    seen = made.metered()
    assert seen.requests == {"429": 1, "2xx": 1, "4xx": 2, "5xx": 1}
    assert seen.answers == {"done": 1, "rejected": 2, "ambiguous": 1}
    assert sum(seen.latencies) == 5
    assert seen.sent_bytes == sum(len(one[3]) for one in server.seen)
    assert seen.received_bytes == len('{"id": "c1", "revision": 1}') + len("no!")
    assert seen.seconds > 0
    assert seen.paced_seconds > 0, "the 429 was waited out"
    assert (seen.in_flight, len(results)) == (0, 4)


def test_requests_on_their_way_and_those_without_an_answer_are_counted(server, target):
    made = target(in_flight=2, timeout=0.3)
    hold = asyncio.Event()
    open_at = []

    async def wait(request):
        open_at.append(made.metered().in_flight)
        await hold.wait()

    server.answer = wait
    list(made.perform(sends(made, 2)))
    server.loop.call_soon_threadsafe(hold.set)
    assert max(open_at) == 2
    assert (made.metered().requests, made.metered().in_flight) == ({"none": 2}, 0)
