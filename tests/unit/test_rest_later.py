"""APIs that take a request and do it later: it counts as done when it is done, and never before."""

from dataclasses import replace

import pytest

from ludb.errors import ConfigError
from ludb.model.calls import Action, Answer
from ludb.model.job import AcceptedSpec
from ludb.testing.calls import OUTPUT, act, make_call, raised

LATER = AcceptedSpec(
    202, "$header.Location", "$.id", "$.state", ("completed",), ("failed", "cancelled"), within=20.0, every=0.01,
    returns={"id": "$.result.id", "crm_id": "$.result.id", "revision": "$.result.revision"},
)  # fmt: skip
DONE = '{"id": "job-1", "state": "completed", "result": {"id": "c/7", "revision": 3}}'
WAITING = '{"id": "job-1", "state": "inProgress"}'


def output(**changed):
    return replace(OUTPUT, call=replace(OUTPUT.call, accepted=replace(LATER, **changed)))


def accepted(server, location="/api/jobs/1", *later):
    server.replies = [(202, {"Location": location}, '{"id": "job-1", "state": "accepted"}'), *later]


def asked(server):
    return [seen[:2] for seen in server.seen]


def test_a_request_is_done_when_its_job_is_with_the_values_of_the_jobs_answer(server, target):
    """The job's own id is not the object's."""
    accepted(server, "/api/jobs/1", (200, {}, WAITING), (200, {}, DONE))
    made = target(output(), base="/api")
    result = act(made, "send", make_call(made, {}))
    assert (result.answer, result.server_id) == (Answer.DONE, "c/7")
    assert dict(result.returned) == {"crm_id": "c/7", "revision": "3"}
    assert asked(server) == [("POST", "/api/customer"), ("GET", "/api/jobs/1"), ("GET", "/api/jobs/1")]


@pytest.mark.parametrize(
    ("poll", "location", "path"),
    [
        ("$header.Location", "jobs/1?x=%2F", "/api/jobs/1?x=%2F"),
        ("$header.Location", "http://{host}/other/1", "/other/1"),
        ("$.id", "", "/api/job-1"),
        ("GET /jobs/{job}", "", "/api/jobs/job-1"),
    ],
    ids=["relative", "whole", "from the body", "template"],
)
def test_the_job_is_found_by_address_or_by_template(server, target, poll, location, path):
    accepted(server, location.format(host=f"127.0.0.1:{server.port}"), (200, {}, DONE))
    made = target(output(poll=poll), base="/api")
    assert act(made, "send", make_call(made, {})).answer is Answer.DONE
    assert asked(server)[1] == ("GET", path)


def test_a_job_that_fails_rejects_its_unit_with_what_the_api_said(server, target):
    accepted(server, "/jobs/1", (200, {}, '{"state": "failed", "why": "no such segment"}'))
    made = target(output())
    result = act(made, "send", make_call(made, {}))
    assert result.answer is Answer.REJECTED
    assert "no such segment" in result.body
    assert "accepted, and then failed" in result.reason


def test_errors_while_a_job_is_asked_change_nothing(server, target):
    troubles = [(500, {}, ""), (404, {}, ""), (401, {}, ""), (200, {}, "<html>"), (429, {}, "")]
    accepted(server, "/jobs/1", *troubles, (200, {}, DONE))
    made = target(output())
    assert act(made, "send", make_call(made, {})).answer is Answer.DONE
    assert len([one for one in asked(server) if one[0] == "POST"]) == 1


@pytest.mark.parametrize(
    ("changed", "location", "later", "why"),
    [
        ({"within": 0.05}, "/jobs/1", [(200, {}, WAITING)] * 99, "not done within"),
        ({}, "https://elsewhere.example/jobs/1", [], "names no job that could be asked for here"),
        ({}, "", [], "names no job"),
        ({}, "/jobs/1", [(200, {}, '{"state": "completed"}')], "holds no id, crm_id, revision"),
    ],
    ids=["too long", "another server", "no address", "no values"],
)
def test_what_nobody_can_tell_is_a_doubt_and_not_sent_again(server, target, changed, location, later, why):
    accepted(server, location, *later)
    made = target(output(**changed))
    result = act(made, "send", make_call(made, {}))
    assert result.answer is Answer.AMBIGUOUS
    assert why in result.reason
    assert [one[0] for one in asked(server)].count("POST") == 1


def test_an_answer_that_is_done_at_once_needs_no_job(server, target):
    made = target(output())
    assert act(made, "send", make_call(made, {})).server_id == "c1"


def test_undo_and_update_that_are_accepted_are_waited_for_too(server, target):
    made = target(output())
    call = make_call(made, {}, server_id="c/7")
    accepted(
        server, "/jobs/1", (200, {}, '{"state": "completed"}'), (202, {"Location": "/jobs/2"}, ""), (200, {}, DONE)
    )
    assert act(made, "undo", call).answer is Answer.DONE
    assert act(made, "update", call).server_id == "c/7"
    accepted(server, "/jobs/1", (200, {}, '{"state": "failed"}'))
    assert act(made, "undo", call).answer is Answer.REJECTED


def test_a_retry_after_of_the_job_is_kept_to(server, target):
    accepted(server, "/jobs/1", (200, {"Retry-After": "1"}, WAITING), (200, {}, DONE))
    made = target(output(), retry_for=10)
    times = []

    async def note(request):
        times.append(server.loop.time())

    server.answer = note
    assert act(made, "send", make_call(made, {})).answer is Answer.DONE
    assert times[2] - times[1] >= 0.99


def test_stopping_now_does_not_wait_for_a_job(server, target):
    accepted(server, "/jobs/1")
    made = target(output(every=3600.0, within=7200.0))
    results = made.perform([Action("send", make_call(made, {}))])

    async def stop_soon(request):
        server.loop.call_later(0.1, made.halt)

    server.answer = stop_soon
    (result,) = results
    assert result.answer is Answer.AMBIGUOUS
    assert "stopped" in result.reason


def test_a_doubt_lasts_as_long_as_the_work_may_take(target):
    assert target(output(), max_delay=5).ability(OUTPUT.name).max_delay == 25.0


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"returns": {"id": "$.x", "crm_id": "$.x"}}, "accepted.returns"),
        ({"returns": {"crm_id": "$.x", "revision": "$.x"}}, "accepted.returns"),
        ({"poll": "GET /jobs"}, "accepted.poll"),
        ({"poll": "GET /jobs/{id}"}, "accepted.poll"),
        ({"state": "status"}, "accepted"),
    ],
    ids=["no revision", "no id", "no hole", "wrong hole", "no path"],
)
def test_a_job_that_could_not_be_followed_is_refused_before_anything_runs(target, changed, field):
    assert f"crm.customer.{field}" in raised(ConfigError, lambda: target(output(**changed)))
