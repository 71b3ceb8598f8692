"""Many documents in one request: each has its own truth, whatever became of the others."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from ludb.errors import ConfigError
from ludb.model.calls import Action, Answer
from ludb.model.job import AcceptedSpec, BulkSpec
from ludb.testing.calls import OUTPUT, act, answers, make_call, raised

LATER = AcceptedSpec(
    202, "$.a", "$.id", "$.s", ("ok",), (), 1.0, returns=dict.fromkeys(("id", "crm_id", "revision"), "$.i")
)
BULK = BulkSpec(size=4, call="POST /customers", results="$.results", status="$.code", document="$.customer")


def output(bulk=BULK, **call):
    return replace(OUTPUT, call=replace(OUTPUT.call, bulk=bulk, **call))


class Api:
    """Answers each request with `results(documents)`; remembers how many documents came together."""

    def __init__(self, server, items=None):
        self.server, self.items, self.sizes, self.count = server, items, [], 0
        self.verdict = lambda document: 201
        self.whole = lambda documents: None
        server.answer = self.answer

    async def answer(self, request):
        if request.method != "POST":
            return
        body = json.loads(await request.text())
        documents = body if self.items is None else self.items(body)
        self.sizes.append(len(documents))
        whole = self.whole(documents)
        self.server.replies.insert(0, whole or (207, {}, json.dumps({"results": self.results(documents)})))

    def results(self, documents):
        return [self.result(document) for document in documents]

    def result(self, document):
        code = self.verdict(document)
        if code >= 400:
            return {"code": code, "error": "no"}
        self.count += 1
        return {"code": code, "customer": {**document, "id": f"c{self.count}", "revision": 1}}


def sends(target, count, **more):
    calls = [make_call(target, {"name": f"n{at}", **more}, f"call {at}") for at in range(count)]
    return [Action("send", replace(call, position=at)) for at, call in enumerate(calls)]


def test_documents_go_together_and_each_gets_its_own_id(server, target):
    api = Api(server)
    made = target(output(), in_flight=1)
    results = list(made.perform(sends(made, 10)))
    assert answers(results) == [Answer.DONE] * 10
    assert api.sizes == [4, 4, 2]
    assert {result.server_id for result in results} == {f"c{n}" for n in range(1, 11)}
    assert server.seen[0][:2] == ("POST", "/customers")


def test_each_document_has_its_own_truth(server, target):
    """Refused, failed after who knows what, too many for now, done, and one without a status that means anything."""
    verdicts = {"n0": 400, "n1": 500, "n2": 429, "n3": 201, "n4": 999}
    api = Api(server)
    api.verdict = lambda document: verdicts[document["name"]]
    made = target(output(replace(BULK, size=10)))
    results = list(made.perform(sends(made, 5)))
    assert answers(results) == [Answer.REJECTED, Answer.AMBIGUOUS, Answer.AGAIN, Answer.DONE, Answer.AMBIGUOUS]
    assert json.loads(results[0].body) == {"code": "400", "error": "no"}
    assert results[2].retry_after > 0
    assert "tells no status" in results[4].reason


def test_a_request_that_is_refused_as_a_whole_is_taken_apart_down_to_the_bad_document(server, target):
    api = Api(server)
    api.whole = lambda documents: (400, {}, "bad") if any(one["name"] == "n2" for one in documents) else None
    made = target(output(replace(BULK, size=8)), in_flight=1)
    results = answers(made.perform(sends(made, 8)))
    assert results == [Answer.DONE] * 2 + [Answer.REJECTED] + [Answer.DONE] * 5
    assert api.sizes == [8, 4, 2, 2, 1, 1, 4]


@pytest.mark.parametrize(
    ("whole", "answer"),
    [
        ((500, {}, ""), Answer.AMBIGUOUS),
        ((401, {}, ""), Answer.DENIED),
        ((429, {}, ""), Answer.AGAIN),
        ((207, {}, "<html>"), Answer.AMBIGUOUS),
        ((207, {}, '{"results": []}'), Answer.AMBIGUOUS),
        ((207, {}, '{"results": {"a": 1}}'), Answer.AMBIGUOUS),
    ],
    ids=["500", "401", "429", "no JSON", "too few", "no list"],
)
def test_an_answer_that_tells_nothing_of_the_documents_tells_it_of_none(server, target, whole, answer):
    api = Api(server)
    api.whole = lambda documents: whole
    made = target(output(), retry_for=0)
    assert answers(made.perform(sends(made, 3))) == [answer] * 3
    assert api.sizes == [3], "nothing was sent again"


def test_results_in_another_order_are_believed_of_none(server, target):
    """The marker tells: otherwise two customers would get each other's id."""
    api = Api(server)
    straight = api.results
    api.results = lambda documents: straight(documents)[::-1]
    made = target(output())
    results = list(made.perform(sends(made, 3)))
    assert answers(results) == [Answer.AMBIGUOUS] * 3
    assert "another order" in results[0].reason


def test_documents_travel_with_their_digits_in_the_place_that_the_api_wants(server, target):
    Api(server, items=lambda body: body["data"]["customers"])
    made = target(output(replace(BULK, items="$.data.customers"), marker=None, probe=None))
    list(made.perform(sends(made, 2, balance=Decimal("1.10"))))
    assert server.seen[0][3] == ('{"data":{"customers":[{"name":"n0","balance":1.10},{"name":"n1","balance":1.10}]}}')


def test_without_a_place_for_them_status_and_objects_are_those_of_the_answer(server, target):
    api = Api(server)
    api.whole = lambda documents: (
        201,
        {},
        json.dumps([{"id": str(at), "revision": 1} for at in range(len(documents))]),
    )
    made = target(output(BulkSpec(size=3), marker=None, probe=None))
    results = list(made.perform(sends(made, 3)))
    assert [(result.answer, result.server_id) for result in results] == [(Answer.DONE, str(at)) for at in range(3)]
    assert server.seen[0][1] == "/customer"


def test_a_batch_has_one_key_and_another_batch_another(server, target):
    Api(server)
    made = target(output(replace(BULK, size=2)), in_flight=1)
    actions = sends(made, 4)
    for _ in range(2):
        list(made.perform(actions))
    keys = [seen[2]["Idempotency-Key"] for seen in server.seen]
    assert keys[:2] == keys[2:]
    assert keys[0] != keys[1]


def test_a_batch_is_no_larger_than_the_api_takes(server, target):
    api = Api(server)
    made = target(output(replace(BULK, size=100)), max_document=600, in_flight=1)
    list(made.perform(sends(made, 10, note="x" * 100)))
    assert max(len(seen[3].encode()) for seen in server.seen) <= 600
    assert sum(api.sizes) == 10
    assert len(api.sizes) < 10


def test_undo_and_probe_are_of_single_documents(server, target):
    made = target(output())
    call = make_call(made, {}, server_id="c1")
    act(made, "undo", call)
    act(made, "probe", call)
    assert [seen[0] for seen in server.seen] == ["DELETE", "GET"]


@pytest.mark.parametrize(
    ("bulk", "call"),
    [
        (replace(BULK, call="POST /party/{party}/customers"), {}),
        (BULK, {"query": {"t": "{tenant}"}}),
        (BULK, {"headers": {"X": "{call_id}"}}),
        (BULK, {"idempotent_ttl": 60.0}),
        (BULK, {"accepted": LATER}),
        (replace(BULK, items="$.a[0]"), {}),
        (replace(BULK, results="results"), {}),
    ],
    ids=["path", "query", "header", "idempotent", "accepted", "items", "no path"],
)  # fmt: skip
def test_what_cannot_be_said_of_many_documents_at_once_is_refused(target, bulk, call):
    assert "crm.customer.bulk" in raised(ConfigError, lambda: target(output(bulk, **call)))
