"""A document that its API fails for ever: it is found and set aside by name, and nobody waits for it; an API that is away as a
whole sets nobody aside.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from ludb.errors import ConfigError
from ludb.model.run import RunState

JOB = """
    name: shop
    systems:
      legacy:  {{type: sqlite, url: "${{LEGACY}}"}}
      billing: {{type: sqlite, url: "${{BILLING}}"}}
      crm:     {{type: rest, url: "${{CRM}}", max_delay: 0, timeout: 500ms{system}}}
    unit:
      root: legacy.customers
      key: id
    outputs:
      crm.customer:
        {{call: POST /customer, row: [unit_key], marker: $.externalId{more}}}
    settings: {{chunk_units: {chunk}, workers: 1, retry: {{base: 1ms, cap: 20ms}}, quarantine_limit: 90%}}
"""
LOOKED_UP = ', probe: "GET /customer?externalId={call_id}", undo: "DELETE /customer/{id}"'
UNDONE = LOOKED_UP + ", returns: {crm_id: $.id}"
STEPS = {"steps/10/crm.customer.sql": "select unit_key, name from legacy.customers"}
ROWS = {"steps/20/billing.account.sql": "select unit_key, id, name from legacy.customers"}
FAILS = "the API fails this call each time, and is well otherwise"


@pytest.fixture
def shop(desk, api):
    """A job over `count` customers c1, c2, ...; c3 is the poison of most tests."""
    desk.database("billing", "create table account (id integer primary key, name text not null)")
    desk.environment["CRM"] = api.url

    def describe(count, *, chunk=10, more=LOOKED_UP, system="", retry_for="1s", rows=True):
        desk.database(
            "legacy",
            "create table customers (id integer primary key, name text); insert into customers with recursive n(i) as "
            f"(select 1 union all select i + 1 from n where i < {count}) select i, 'c' || i from n",
        )
        text = JOB.format(chunk=chunk, more=more, system=f"{system}, retry_for: {retry_for}")
        desk.write({"job.yaml": text, **STEPS, **(ROWS if rows else {})})

    desk.describe = describe
    return desk


def poison(api, *names, answer=(500, {"error": "no room for it"}), method="POST"):
    """Answers every request about these customers like this, and counts them; whoever never stops is told to at the 100th."""
    seen = Counter()

    def before(asked, path, document):
        name = document["name"] if document else api.store.get(path.rpartition("/")[2], {}).get("name")
        if asked != method or name not in names:
            return None
        seen[name] += 1
        if seen[name] > 100:
            return 403, None
        return answer(document) if callable(answer) else answer

    api.before = before
    return seen


def whole(shop, api, aside, count):
    """Everybody else is at the API and in the database once, and those set aside nowhere."""
    others = sorted({f"c{n}" for n in range(1, count + 1)} - set(aside))
    assert sorted(one["name"] for one in api.store.values()) == others
    assert sorted(name for (name,) in shop.rows("billing", "select name from account")) == others


def hang_up(_):
    raise ConnectionAbortedError("too large for this server")


def stall(_):
    time.sleep(1.0)
    return 500, None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param((500, {"error": "no room for it"}), "status 500", id="500"),
        pytest.param(hang_up, "no answer", id="hangs-up", marks=pytest.mark.long),
        pytest.param(stall, "no answer", id="never-answers", marks=pytest.mark.long),
        pytest.param(
            (201, b"<html>created"), "status 201", id="answers-nonsense-and-does-nothing", marks=pytest.mark.long
        ),
    ],
)
def test_a_document_that_the_api_fails_for_ever_is_set_aside_and_the_others_of_its_chunk_move(shop, api, answer, said):
    shop.describe(60)
    api._server.handle_error = lambda *_: None
    seen = poison(api, "c3", answer=answer)
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert summary.run.state is RunState.EXCEPTIONS
    assert {key: (str(one.state), one.reason) for key, one in found.items()} == {
        "3": ("quarantined", f"crm.customer: {FAILS} ({said})")
    }
    assert f"tried {seen['c3']} times" in found["3"].detail
    assert "crm at 127.0.0.1" in found["3"].detail
    assert seen["c3"] >= 5
    if said == "status 500":
        assert "no room for it" in found["3"].body
    whole(shop, api, {"c3"}, 60)
    assert [event.data["tries"] for event in told(shop, summary, "call.given_up")] == [seen["c3"]]


def told(shop, summary, name):
    return [event for _, _, event in shop.site.repository.events.since(summary.run.id) if event.name == name]


@pytest.mark.long
def test_many_small_chunks_that_come_back_leave_the_rest_of_the_run_its_turn(shop, api):
    """Four customers alone in their chunks, bad each time, and back sooner than the next new keys could be asked for."""
    shop.describe(40, chunk=1)
    bad = [f"c{n}" for n in range(1, 5)]
    seen = poison(api, *bad)
    summary = shop.run()
    assert summary.run.state is RunState.EXCEPTIONS, summary.run.reason
    assert sorted(shop.set_aside(summary.run.id), key=int) == [name.removeprefix("c") for name in bad]
    assert min(seen.values()) >= 5
    whole(shop, api, {*bad}, 40)


def test_what_an_api_did_before_it_failed_is_found_and_nobody_is_set_aside(shop, api):
    """500 after the write, each time: the object is there, and one look-up says so."""
    shop.describe(12, chunk=4)

    def made(document):
        api.store["made"] = {**document, "id": "made"}

    seen = poison(api, "c3", answer=lambda document: (500, made(document)))
    summary = shop.run()
    assert (summary.run.state, seen["c3"]) == (RunState.COMPLETED, 1)
    whole(shop, api, set(), 12)


@pytest.mark.parametrize(
    ("down", "at"),
    [("writes", "later"), pytest.param("all", "from the start", marks=pytest.mark.long),
     pytest.param("all", "later", marks=pytest.mark.long), pytest.param("writes", "from the start", marks=pytest.mark.long)],
)  # fmt: skip
def test_nobody_is_set_aside_while_the_whole_api_is_down(shop, api, down, at):
    """A hundred failures in a row, of everybody: it is the API, also where it still answers look-ups."""
    shop.describe(60, chunk=15)
    fails = range(25, 225) if at == "later" else range(200)
    count = iter(range(10**6))

    def before(method, path, document):
        counted = down == "all" or method == "POST"
        return (500, None) if counted and next(count) in fails else None

    api.before = before
    summary = shop.run()
    assert summary.run.state is RunState.COMPLETED, shop.set_aside(summary.run.id)
    assert next(count) > fails.stop
    whole(shop, api, set(), 60)
    assert told(shop, summary, "circuit.open")
    assert not told(shop, summary, "call.given_up")


@pytest.mark.long
@pytest.mark.parametrize(("count", "chunk", "fails"), [(4, 2, 50), (60, 30, 300)], ids=["few", "crowd"])
def test_who_failed_through_an_outage_is_tried_again_when_others_get_through(shop, api, count, chunk, fails):
    """Whoever comes back last finds the API well, and has failed more often than anybody has patience for."""
    shop.describe(count, chunk=chunk, more=f"{LOOKED_UP}, status: {{retry: [5xx]}}", retry_for="1ms")
    asked = iter(range(10**6))
    api.before = lambda *_: (500, None) if next(asked) < fails else None
    summary = shop.run()
    assert summary.run.state is RunState.COMPLETED, shop.set_aside(summary.run.id)
    whole(shop, api, set(), count)


@pytest.mark.parametrize(
    ("count", "chunk", "bad"),
    [
        (1, 10, ["c1"]),
        pytest.param(3, 1, ["c1", "c3"], marks=pytest.mark.long),
        pytest.param(4, 10, ["c2", "c3"], marks=pytest.mark.long),
    ],
)
def test_a_run_of_few_customers_ends_too(shop, api, count, chunk, bad):
    """No crowd gets through a small run, as after `ludb quarantine retry`: that look-ups are answered is enough there."""
    shop.describe(count, chunk=chunk)
    poison(api, *bad)
    summary = shop.run()
    assert summary.run.state is RunState.EXCEPTIONS
    assert {one.reason for one in shop.set_aside(summary.run.id).values()} == {f"crm.customer: {FAILS} (status 500)"}
    whole(shop, api, set(bad), count)


@pytest.mark.long
def test_many_bad_documents_in_the_last_chunk_are_set_aside_where_the_others_got_through(shop, api):
    bad = [f"c{n}" for n in range(100, 125)]
    shop.describe(
        400, chunk=400
    )  # in any order of answers, more get through after the first failure than are in flight
    poison(api, *bad)
    summary = shop.run()
    assert summary.counters.quarantined == len(bad)
    whole(shop, api, bad, 400)


@pytest.mark.long
def test_without_a_look_up_the_call_is_left_to_a_person(shop, api):
    """Idempotent keys only: it is sent again, more patiently, and then nobody can tell."""
    shop.describe(60, more=", idempotent: {ttl: 1h}")
    seen = poison(api, "c3")
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert {key: str(one.state) for key, one in found.items()} == {"3": "in_doubt"}
    assert seen["c3"] >= 20
    assert f"tried {seen['c3']} times" in found["3"].detail
    assert "500 Internal Server Error" in found["3"].detail
    whole(shop, api, {"c3"}, 60)


@pytest.mark.long
@pytest.mark.parametrize("deletes", [False, True])
def test_an_object_that_the_api_does_not_take_back_is_told_to_a_person_unless_it_is_gone(shop, api, deletes):
    shop.describe(60, more=UNDONE)
    gone = []

    def before(method, path, _):
        if method != "DELETE":
            return None
        if deletes and path.rpartition("/")[2] in api.store:
            gone.append(api.store.pop(path.rpartition("/")[2]))
        return 500, None

    shop.database(
        "billing", "drop table account; create table account (id integer primary key check (id <> 4), name text)"
    )
    api.before = before
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert {key: str(one.state) for key, one in found.items()} == {"4": "quarantined" if deletes else "in_doubt"}
    here = sorted(one["name"] for one in api.store.values())
    assert ("c4" in here, len(here)) == (not deletes, 59 if deletes else 60)
    if not deletes:
        assert "tried" in found["4"].reason


@pytest.mark.parametrize(
    ("system", "more", "fewest"),
    [pytest.param(", set_aside: {tries: 12}", "", 12, id="system", marks=pytest.mark.long),
     pytest.param(", set_aside: {tries: 2}", ", set_aside: {tries: 12, others: 9}", 12, id="output", marks=pytest.mark.long),
     pytest.param(", set_aside: {tries: 90}", ", set_aside: {tries: 2, others: 9}", 2, id="less", marks=pytest.mark.long)],
)  # fmt: skip
def test_how_patient_we_are_is_said_by_the_system_and_over_it_by_the_output(shop, api, system, more, fewest):
    shop.describe(60, system=system, more=LOOKED_UP + more)
    seen = poison(api, "c3")
    summary = shop.run()
    assert summary.counters.quarantined == 1
    assert fewest <= seen["c3"] < 90


@pytest.mark.parametrize(
    ("system", "more", "place"),
    [(", set_aside: {tries: 1}", "", "systems.crm.set_aside.tries"),
     ("", ", set_aside: {others: 0}", "outputs.crm.customer.set_aside.others"),
     ("", ", set_aside: {patience: 3}", "outputs.crm.customer.set_aside.patience")],
)  # fmt: skip
def test_a_patience_that_is_none_is_refused_by_name(shop, system, more, place):
    shop.describe(1, system=system, more=LOOKED_UP + more)
    with pytest.raises(ConfigError) as caught:
        shop.run()
    assert place in str(caught.value)


def test_a_document_that_makes_its_whole_bulk_request_fail_is_found_and_the_others_move(shop, api):
    bulk = ", bulk: {size: 16, call: POST /customers}"
    shop.describe(100, chunk=40, more=LOOKED_UP + bulk)
    sizes = []

    def before(method, path, documents):
        if method != "POST":
            return None
        if len(sizes) > 100:
            return 403, None
        names = [document["name"] for document in documents]
        sizes.append((len(names), "c3" in names))
        if "c3" in names:
            return 500, {"error": "no room for it"}
        made = []
        for document in documents:
            api._count += 1
            api.store[str(api._count)] = {**document, "id": str(api._count)}
            made.append(api.store[str(api._count)])
        return 201, made

    api.before = before
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert {key: str(one.state) for key, one in found.items()} == {"3": "quarantined"}
    assert [size for size, bad in sizes if bad][:9] == [16, 8, 4, 2, 1, 1, 1, 1, 1]
    whole(shop, api, {"c3"}, 100)
